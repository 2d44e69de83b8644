"""Small Keras networks that the lectures, tests and benchmarks share."""

import math

import keras

from genlib import validate


def mlp(inputs, outputs, width=128, depth=2, activation="relu", output_activation=None,
        seed=None, name=None, spectral=False) -> keras.Model:  # fmt: skip
    """A fully connected network from shape ``inputs`` to shape ``outputs``.

    A shape is a number of units or like ``(8, 8, 1)``. ``width`` and ``depth`` are the units and
    the number of hidden layers, ValueError unless whole; the activations are Keras's names, None
    for linear; ``seed`` makes the initial weights reproducible. ``spectral``: whenever it is called
    for training, each kernel is first divided by its largest singular value, as one power iteration
    estimates it (Miyato et al. 2018, "Spectral Normalization for GANs").
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
        layer = keras.layers.Dense(units, bend, kernel_initializer=glorot)
        x = (_normalised(layer, x, glorot.seed) if spectral else layer)(x)
    if len(outputs) > 1:
        x = keras.layers.Reshape(outputs)(x)
    return keras.Model(start, x, name=name)


def _normalised(layer, x, seed):
    """Keras's spectral normalisation of ``layer`` for ``x``, which starts from ``seed`` too."""
    found = keras.layers.SpectralNormalization(layer)
    found.build(x.shape)
    start = keras.random.normal(found.vector_u.shape, seed=seed)
    found.vector_u.assign(start / keras.ops.norm(start))
    return found


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


def timed_mlp(shape, condition=0, levels=None, width=128, depth=3, waves=4, activation="silu",
              seed=None) -> keras.Model:  # fmt: skip
    """An `mlp` of a point and a time: ``[(n, *shape), (n, 1)]`` to ``(n, *shape)``.

    It sees the time t in [0, 1] as t and the first ``waves`` of ``cos(pi k t)`` and
    ``sin(pi k t)``, so that it can bend quickly in time. With a ``condition``, a third input
    ``(n, condition)``; with ``levels``, outputs ``(n, *shape, levels)``.
    """
    start = [keras.Input(_shape("shape", shape)), keras.Input((1,))]
    if validate.count("condition", condition, minimum=0):
        start.append(keras.Input((condition,)))
    parts = [keras.layers.Flatten()(start[0]), *start[1:], *_waves(start[1], waves)]
    x = keras.layers.Concatenate()(parts)
    outputs = _shape("shape", shape) + (() if levels is None else (levels,))
    inner = mlp(x.shape[-1], outputs, width, depth, activation, seed=seed)
    return keras.Model(start, inner(x))


def unet(shape=(28, 28, 1), condition=0, widths=(8, 32, 64), mixing=256, waves=4,
         seed=None) -> keras.Model:  # fmt: skip
    """A small U-Net (Ronneberger et al. 2015) of a picture and a time, as diffusion uses it.

    From ``[(n, *shape), t (n, 1)]``, with a ``condition`` a third input ``(n, condition)``, to
    ``(n, *shape)``. Convolutions at each of ``widths``, a picture of half the side from one to the
    next and back, where what stood at that size before is laid beside; at the smallest one a dense
    layer of ``mixing`` units sees the whole picture. Time (seen as by `timed_mlp`) and condition
    scale and shift each channel (Perez et al. 2018, "FiLM"). ValueError unless the sides can be
    halved so often.
    """
    shape, depth = _shape("shape", shape), len(widths) - 1
    widths = [validate.count("widths", width) for width in widths]
    if len(shape) != 3 or any(side % 2**depth for side in shape[:2]):
        raise ValueError(
            f"shape must be (h, w, c), with sides that can be halved {depth} times; got {shape}"
        )
    seeds = iter(range(10**6)) if seed is None else iter(range(validate.seed("seed", seed), 10**12))

    def glorot():
        return keras.initializers.GlorotUniform(None if seed is None else next(seeds))

    start = [keras.Input(shape), keras.Input((1,))]
    start += [keras.Input((condition,))] * bool(validate.count("condition", condition, minimum=0))
    known = keras.layers.Concatenate()([*start[1:], *_waves(start[1], waves)])
    known = keras.layers.Dense(64, "silu", kernel_initializer=glorot())(known)

    def convolve(x, width):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False,
                                kernel_initializer=glorot())(x)  # fmt: skip
        shift = keras.layers.Dense(width, kernel_initializer=glorot())(known)
        return keras.activations.relu(x + keras.layers.Reshape((1, 1, width))(shift))

    x, before = convolve(start[0], widths[0]), []
    for width in widths[1:]:
        before.append(x)
        x = keras.layers.Conv2D(width, 2, 2, kernel_initializer=glorot())(x)
        x = x + convolve(x, width)
    size = x.shape[1:]
    whole = keras.layers.Flatten()(keras.layers.Conv2D(16, 1, kernel_initializer=glorot())(x))
    whole = keras.layers.Concatenate()([whole, known])
    whole = keras.layers.Dense(validate.count("mixing", mixing), "silu",
                               kernel_initializer=glorot())(whole)  # fmt: skip
    whole = keras.layers.Dense(size[0] * size[1] * 16, kernel_initializer=glorot())(whole)
    x = keras.layers.Concatenate()([x, keras.layers.Reshape((*size[:2], 16))(whole)])
    x = convolve(x, widths[-1])
    for width in widths[-2::-1]:
        x = keras.layers.Conv2DTranspose(width, 2, 2, kernel_initializer=glorot())(x)
        x = convolve(keras.layers.Concatenate()([x, before.pop()]), width)
    x = keras.layers.Conv2D(shape[-1], 3, padding="same", kernel_initializer=glorot())(x)
    return keras.Model(start, x)


def _waves(time, many):
    """The first ``many`` of ``cos(pi k t)`` and ``sin(pi k t)``."""
    angles = [math.pi * (k + 1) * time for k in range(validate.count("waves", many, 0))]
    return [wave(angle) for angle in angles for wave in (keras.ops.cos, keras.ops.sin)]


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


def patch_generator(condition, outputs, cell=4, reach=2, width=96, depth=2, activation="relu",
                    output_activation="sigmoid", seed=None) -> keras.Model:  # fmt: skip
    """From a map ``(n, *condition)`` to a picture ``(n, *outputs)``: dense layers on patches.

    The picture is cut into cells of ``cell`` x ``cell`` pixels. One small network, the same
    everywhere, gives a cell from the part of the map that lies under it and under the ``reach``
    cells around it: what a convolution would do, written so that XLA compiles it well on a CPU.
    Shapes are ``(h, w, c)``. ValueError unless the cells fit into both.
    """
    condition, outputs = _shape("condition", condition), _shape("outputs", outputs)
    cell, reach = validate.count("cell", cell), validate.count("reach", reach, minimum=0)
    depth, seed = validate.count("depth", depth, minimum=0), validate.seed("seed", seed)
    under = _cell_of_map("cell", cell, outputs, condition)
    (rows, columns), channels = (side // cell for side in outputs[:2]), outputs[2]
    start = keras.Input(condition)
    x = keras.layers.ZeroPadding2D(reach * under)(start)
    x = _windows(x, (2 * reach + 1) * under, under)
    for units, bend, glorot in _layers(width, depth, cell * cell * channels, seed):
        x = keras.layers.Dense(
            units, activation if bend else output_activation, kernel_initializer=glorot
        )(x)
    x = keras.layers.Reshape((rows, columns, cell, cell * channels))(x)
    x = keras.layers.Permute((1, 3, 2, 4))(x)
    return keras.Model(start, keras.layers.Reshape(outputs)(x))


def patch_critic(inputs, condition, patch=16, stride=8, width=64, depth=2, seed=None):
    """PatchGAN: ``[(n, *inputs), (n, *condition)]`` to scores ``(n, rows, columns, 1)``.

    A score sees the ``patch`` x ``patch`` pixels of its window and the map under them, and nothing
    else; windows lie ``stride`` pixels apart. Shapes are ``(h, w, c)``. ValueError unless windows
    and strides fit into both.
    """
    inputs, condition = _shape("inputs", inputs), _shape("condition", condition)
    patch, stride = validate.count("patch", patch), validate.count("stride", stride)
    depth, seed = validate.count("depth", depth, minimum=0), validate.seed("seed", seed)
    if patch % stride or patch > min(inputs[:2]):
        raise ValueError(
            f"patch must be a multiple of stride and within {inputs}; got {patch}, stride {stride}"
        )
    under = _cell_of_map("stride", stride, inputs, condition)
    pair = keras.Input(inputs), keras.Input(condition)
    seen = [
        _windows(pair[0], patch, stride),
        _windows(pair[1], patch // stride * under, under),
    ]
    x = keras.layers.Concatenate()(seen)
    for units, bend, glorot in _layers(width, depth, 1, seed):
        x = keras.layers.Dense(units, kernel_initializer=glorot)(x)
        x = keras.layers.LeakyReLU(0.2)(x) if bend else x
    return keras.Model(list(pair), x)


def _windows(x, size, stride):
    """Windows ``size`` wide, ``stride`` apart, of ``(n, h, w, c)``: a row of numbers for each."""
    _, height, width, channels = x.shape
    rows, columns, many = height // stride, width // stride, size // stride
    x = keras.layers.Reshape((rows, stride, columns, stride * channels))(x)
    x = keras.layers.Permute((1, 3, 2, 4))(x)
    x = keras.layers.Reshape((rows, columns, stride * stride * channels))(x)
    if many == 1:
        return x
    shifts = [
        keras.layers.Cropping2D(((i, many - 1 - i), (j, many - 1 - j)))(x)
        for i in range(many)
        for j in range(many)
    ]
    return keras.layers.Concatenate()(shifts)


def _cell_of_map(name, cell, picture, condition) -> int:
    """The side, in the map, of a cell of the picture; ValueError unless cells fit into both."""
    if len(picture) != 3 or len(condition) != 3:
        raise ValueError(f"shapes must be (h, w, c); got {picture} and {condition}")
    scale, rest = divmod(picture[0], condition[0])
    if rest or picture[:2] != (scale * condition[0], scale * condition[1]):
        raise ValueError(f"a picture {picture} must be a whole number of times a map {condition}")
    if cell % scale or picture[0] % cell or picture[1] % cell:
        raise ValueError(
            f"{name} must divide {picture[0]} and {picture[1]} and be a multiple of {scale}; "
            f"got {cell}"
        )
    return cell // scale


def _layers(width, depth, last, seed):
    """``(units, whether it bends, initialiser)`` of each layer of a dense network."""
    units = [validate.count("width", width)] * depth + [last]
    return [
        (n, i < depth, keras.initializers.GlorotUniform(None if seed is None else seed + i))
        for i, n in enumerate(units)
    ]


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
        several = " or ".join(("one", "two", "three")[n - 1] for n in numbers)
        several += " tensor" if numbers == (1,) else " tensors"
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
    while isinstance(last, keras.layers.Reshape | keras.layers.Flatten | keras.layers.Permute):
        last = last.input._keras_history.operation
    if isinstance(last, keras.Model):
        return output_range(last)
    last = getattr(last, "layer", last)  # what a wrapper wraps
    name = getattr(getattr(last, "activation", None), "__name__", "no activation")
    return *_RANGES.get(name, (-math.inf, math.inf)), name


_RANGES = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)}


def _shape(name, shape) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple(validate.count(name, size) for size in sizes)
