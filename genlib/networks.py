"""Small Keras networks that the lectures, tests and benchmarks share."""

import math

import keras

from genlib import validate


def mlp(inputs, outputs, width=128, depth=2, activation="relu", output_activation=None,
        seed=None, name=None) -> keras.Model:  # fmt: skip
    """A fully connected network from shape ``inputs`` to shape ``outputs``.

    Args:
      inputs, outputs: a number of units, or a shape such as ``(8, 8, 1)``; images are flattened
        on the way in and reshaped on the way out.
      width, depth: units in a hidden layer, and how many hidden layers.
      activation, output_activation: names of Keras activations; the default output is linear.
      seed: makes the initial weights reproducible.

    Returns:
      A ``keras.Model`` from ``(n, *inputs)`` to ``(n, *outputs)``.

    Raises:
      ValueError: a size that is not a whole number of at least 1 (``depth``: 0).
    """
    inputs, outputs = _shape("inputs", inputs), _shape("outputs", outputs)
    width, depth = validate.count("width", width), validate.count("depth", depth, minimum=0)
    weights = _initializers(seed)
    x = start = keras.Input(inputs)
    if len(inputs) > 1:
        x = keras.layers.Flatten()(x)
    for _ in range(depth):
        x = keras.layers.Dense(width, activation, kernel_initializer=next(weights))(x)
    x = keras.layers.Dense(math.prod(outputs), output_activation, kernel_initializer=next(weights))(
        x
    )
    if len(outputs) > 1:
        x = keras.layers.Reshape(outputs)(x)
    return keras.Model(start, x, name=name)


def autoencoder(shape, code, width=128, depth=2, activation="relu", output_activation=None,
                seed=None) -> keras.Model:  # fmt: skip
    """An encoder and a decoder: ``(n, *shape)`` to ``(n, code)`` and back, both as `mlp` is.

    ``get_layer("encoder")`` and ``get_layer("decoder")`` are models themselves.
    """
    seeds = (None, None) if seed is None else (seed, seed + depth + 1)
    encoder = mlp(shape, code, width, depth, activation, seed=seeds[0], name="encoder")
    decoder = mlp(code, shape, width, depth, activation, output_activation, seeds[1], "decoder")
    start = keras.Input(encoder.input_shape[1:])
    return keras.Model(start, decoder(encoder(start)), name="autoencoder")


def conv_generator(latent_dim, image_shape, width=32, seed=None) -> keras.Model:
    """A small DCGAN-like generator (Radford et al. 2016, without batch norm).

    ``(n, latent_dim)`` to images ``(n, h, w, c)`` in [0, 1]; h and w must be multiples of 4.
    """
    h, w, channels = _image("image_shape", image_shape)
    weights = _initializers(seed)
    start = keras.Input((validate.count("latent_dim", latent_dim),))
    x = keras.layers.Dense(h // 4 * (w // 4) * 2 * width, kernel_initializer=next(weights))(start)
    x = keras.layers.Activation("relu")(keras.layers.Reshape((h // 4, w // 4, 2 * width))(x))
    x = keras.layers.Conv2DTranspose(
        width, 4, 2, "same", activation="relu", kernel_initializer=next(weights)
    )(x)
    x = keras.layers.Conv2DTranspose(
        channels, 4, 2, "same", activation="sigmoid", kernel_initializer=next(weights)
    )(x)
    return keras.Model(start, x, name="generator")


def conv_critic(image_shape, outputs=1, width=32, seed=None) -> keras.Model:
    """The matching critic: images ``(n, h, w, c)`` to ``(n, outputs)`` unbounded numbers."""
    image_shape = _image("image_shape", image_shape)
    weights = _initializers(seed)
    x = start = keras.Input(image_shape)
    for filters in (width, 2 * width):
        x = keras.layers.Conv2D(filters, 4, 2, "same", kernel_initializer=next(weights))(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(validate.count("outputs", outputs), kernel_initializer=next(weights))(x)
    return keras.Model(start, x, name="critic")


def check(name, network) -> keras.Model:
    """Return ``network``; TypeError unless it is a built Keras model with fixed shapes.

    It must take one tensor and give one, of shapes known in advance: Sequential or functional.
    """
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
    return network


def check_float32(name, network) -> None:
    """TypeError unless every layer of ``network`` computes in float32."""
    for layer in network._flatten_layers():
        if "float" in layer.compute_dtype and layer.compute_dtype != "float32":
            raise TypeError(
                f"{name} must compute in float32; its layer {layer.name!r} computes in "
                f"{layer.compute_dtype}. Build it under keras.config.set_dtype_policy('float32')"
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


#: What bounded activations can give.
_RANGES = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)}


def _initializers(seed):
    """Glorot initialisers, each with a seed of its own drawn from ``seed``."""
    seed = validate.seed("seed", seed)
    while True:
        yield keras.initializers.GlorotUniform(seed)
        seed = None if seed is None else seed + 1


def _shape(name, shape) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple(validate.count(name, size) for size in sizes)


def _image(name, shape) -> tuple[int, ...]:
    shape = _shape(name, shape)
    if len(shape) != 3 or shape[0] % 4 or shape[1] % 4:
        raise ValueError(f"{name} must be (h, w, c) with h and w multiples of 4; got {shape}")
    return shape
