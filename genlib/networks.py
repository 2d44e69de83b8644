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


def check(name, network) -> keras.Model:
    """Return ``network``; TypeError unless built, from one tensor to one, and all in float32."""
    kind = f"{type(network).__module__}.{type(network).__qualname__}"
    if not isinstance(network, keras.Model) or not network.built:
        state = "one that is not built" if isinstance(network, keras.Model) else kind
        raise TypeError(f"{name} must be a built keras.Model (of Keras 3); got {state}")
    for shape in (getattr(network, "input_shape", None), getattr(network, "output_shape", None)):
        if not isinstance(shape, tuple) or len(shape) < 2 or None in shape[1:]:
            raise TypeError(
                f"{name} must be a keras.Model from one tensor to one, of fixed shapes; got {kind} "
                f"with shape {shape}. A subclassed model is wrapped so: "
                "x = keras.Input(shape); keras.Model(x, model(x))"
            )
    for layer in network._flatten_layers():
        if "float" in layer.compute_dtype and layer.compute_dtype != "float32":
            raise TypeError(
                f"{name} must compute in float32; its layer {layer.name!r} computes in "
                f"{layer.compute_dtype}. Build it under keras.config.set_dtype_policy('float32')"
            )
    return network


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
