"""Small Keras networks that the lectures, tests and benchmarks share."""

import math

import keras

from genlib import validate


def mlp(inputs, outputs, width=128, depth=2, activation="relu", output_activation=None,
        seed=None, name=None) -> keras.Model:  # fmt: skip
    """A fully connected network from shape ``inputs`` to shape ``outputs``.

    A shape is a number of units or like ``(8, 8, 1)``. ``width`` and ``depth`` are the units and
    the number of hidden layers, ValueError unless whole; the activations are Keras's names, None
    for linear; ``seed`` makes the initial weights reproducible.
    """
    inputs, outputs = _shape("inputs", inputs), _shape("outputs", outputs)
    width, depth = validate.count("width", width), validate.count("depth", depth, minimum=0)
    seed = validate.seed("seed", seed)
    x = start = keras.Input(inputs)
    if len(inputs) > 1:
        x = keras.layers.Flatten()(x)
    last = math.prod(outputs), output_activation
    for i, (units, bend) in enumerate([(width, activation)] * depth + [last]):
        glorot = keras.initializers.GlorotUniform(None if seed is None else seed + i)
        x = keras.layers.Dense(units, bend, kernel_initializer=glorot)(x)
    if len(outputs) > 1:
        x = keras.layers.Reshape(outputs)(x)
    return keras.Model(start, x, name=name)


def autoencoder(shape, code, width=128, depth=2, activation="relu", output_activation=None,
                seed=None) -> keras.Model:  # fmt: skip
    """Two `mlp`, layers "encoder" and "decoder": ``(n, *shape)`` to ``(n, code)`` and back."""
    seeds = (None, None) if seed is None else (seed, seed + depth + 1)
    encoder = mlp(shape, code, width, depth, activation, seed=seeds[0], name="encoder")
    decoder = mlp(code, shape, width, depth, activation, output_activation, seeds[1], "decoder")
    start = keras.Input(encoder.input_shape[1:])
    return keras.Model(start, decoder(encoder(start)), name="autoencoder")


def conditional_mlp(inputs, condition, outputs, width=128, depth=2, activation="relu",
                    output_activation=None, seed=None) -> keras.Model:  # fmt: skip
    """An `mlp` of two: ``[(n, *inputs), (n, *condition)]``, side by side, to ``(n, *outputs)``."""
    start = [keras.Input(_shape(*pair)) for pair in (("inputs", inputs), ("condition", condition))]
    x = keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in start])
    inner = mlp(x.shape[-1], outputs, width, depth, activation, output_activation, seed)
    return keras.Model(start, inner(x))


def projection_critic(inputs, condition, width=128, depth=2, activation="relu",
                      seed=None) -> keras.Model:  # fmt: skip
    """``psi(phi(x)) + <v(c), phi(x)>``, of ``[x (n, *inputs), c (n, *condition)]``: ``(n, 1)``.

    phi is an `mlp` with ``width`` outputs, psi and v are linear. Miyato and Koyama (2018, "cGANs
    with projection discriminator", equation 3): at the best critic, a ratio of densities is so
    split, into one of x alone and one of c given x.
    """
    seeds = [None] * 3 if seed is None else [seed, seed + depth + 1, seed + depth + 2]
    start = [keras.Input(_shape(*pair)) for pair in (("inputs", inputs), ("condition", condition))]
    phi = mlp(inputs, width, width, validate.count("depth", depth) - 1, activation, activation,
              seeds[0])(start[0])  # fmt: skip
    psi = mlp(width, 1, depth=0, seed=seeds[1])(phi)
    v = mlp(condition, width, depth=0, seed=seeds[2])(start[1])
    return keras.Model(start, keras.layers.Add()([psi, keras.layers.Dot(1)([v, phi])]))


def check(name, network) -> keras.Model:
    """Return ``network``; TypeError unless built, from one tensor to one, and all in float32."""
    inputs(name, network)
    return network


def inputs(name, network, numbers=(1,)) -> list[tuple[int, ...]]:
    """Return the shape of each input; TypeError unless `check`, for one of ``numbers`` of them."""
    kind = f"{type(network).__module__}.{type(network).__qualname__}"
    if not isinstance(network, keras.Model) or not network.built:
        state = "one that is not built" if isinstance(network, keras.Model) else kind
        raise TypeError(f"{name} must be a built keras.Model (of Keras 3); got {state}")
    taken, given = (getattr(network, f"{end}_shape", None) for end in ("input", "output"))
    shapes = taken if isinstance(taken, list) else [taken]
    fixed = all(isinstance(s, tuple) and len(s) > 1 and None not in s[1:] for s in (*shapes, given))
    if not fixed or len(shapes) not in numbers:
        several = {(1,): "one tensor", (2,): "two tensors", (1, 2): "one or two tensors"}[numbers]
        raise TypeError(
            f"{name} must be a keras.Model from {several} to one, of fixed shapes; got {kind} from "
            f"shape {taken} to {given}. A subclassed model is wrapped so: "
            "x = keras.Input(shape); keras.Model(x, model(x))"
        )
    for layer in network._flatten_layers():
        if "float" in layer.compute_dtype and layer.compute_dtype != "float32":
            raise TypeError(
                f"{name} must compute in float32; its layer {layer.name!r} computes in "
                f"{layer.compute_dtype}. Build it under keras.config.set_dtype_policy('float32')"
            )
    return [shape[1:] for shape in shapes]


def check_shapes(name, network, start, end) -> None:
    """`check`, and ValueError unless ``network`` goes from shape ``start`` to shape ``end``."""
    check(name, network)
    found = network.input_shape, network.output_shape
    if found != (start, end):
        raise ValueError(
            f"{name} must go from {start} to {end}; it goes from {found[0]} to {found[1]}"
        )


def output_range(network):
    """``(low, high, activation)`` of what a network can give, by its last activation."""
    last = network.outputs[0]._keras_history.operation
    while isinstance(last, keras.layers.Reshape | keras.layers.Flatten):
        last = last.input._keras_history.operation
    if isinstance(last, keras.Model):
        return output_range(last)
    name = getattr(getattr(last, "activation", None), "__name__", "no activation")
    return *_RANGES.get(name, (-math.inf, math.inf)), name


_RANGES = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)}


def _shape(name, shape) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple(validate.count(name, size) for size in sizes)
