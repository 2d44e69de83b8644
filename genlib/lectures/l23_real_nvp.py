"""Lecture 23: RealNVP."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.real_nvp import AffineCoupling, dequantise
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import image, moving, panel, strokes

# Explorer: coupling_layers

EXTENT = (-5, 5, -5, 5)
SIDE = 0.5  # of a cell of the grid
PIXELS = 80


@scene("coupling_layers")
class CouplingLayers(Scene):
    """Four coupling layers that bend a grid in turn, and the density that they carry along."""

    title = "Coupling layers, one after the other"
    alt = (
        "Left: a square grid of the plane after some coupling layers, with one cell filled in. "
        "Right: the density that a round Gaussian has become, with the same cell. Sliders set how "
        "many layers act, how strongly, and which cell is followed."
    )
    size = (9.4, 5.0)
    reveals = (
        ({"depth": 1}, {"depth": 1, "across": 0.0}),
        ({"across": 0.0, "up": 2.0}, {"across": 0.0, "up": -2.0}),
        {"depth": 4},
        {"depth": 4},
    )

    def controls(self):
        return {
            "depth": slider("layers", 2, 0, 4, 1),
            "strength": slider("strength", 0.7, 0.0, 1.0, 0.05),
            "across": slider("cell, across", 0.5, -2.0, 2.0, 0.5),
            "up": slider("cell, up", 0.5, -2.0, 2.0, 0.5),
        }

    def stage(self, fig):
        fine, lines = np.linspace(-3, 3, 61), np.arange(-3, 3.01, SIDE)
        flat = np.stack(np.meshgrid(lines, fine, indexing="ij"), -1)  # (lines, points, 2)
        self.grid = np.concatenate([flat, flat[..., ::-1]]).astype(np.float32)
        ticks = EXTENT[0] + (np.arange(PIXELS) + 0.5) * (EXTENT[1] - EXTENT[0]) / PIXELS
        self.pixels = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2).astype(np.float32)

        left, right = fig.subplots(1, 2, sharey=True)
        panel(left, "The grid", ("$x_1$", *EXTENT[:2]), ("$x_2$", *EXTENT[2:]))
        self.net = strokes(left, linewidths=0.8)
        (self.cell,) = moving(left.fill([0], [0], color=COLORS["highlight"], alpha=0.9))
        self.heat = image(right, EXTENT, cmap="Blues", vmin=0, vmax=0.25, interpolation="bilinear")
        panel(right, "The density", ("$x_1$", *EXTENT[:2]), ("", *EXTENT[2:])).grid(False)
        edge = {"fill": False, "edgecolor": COLORS["highlight"], "linewidth": 2}
        (self.outline,) = moving(right.fill([0], [0], **edge))

    def update(self, depth, strength, across, up):
        # A layer of strength 0 is the identity: one graph serves every depth.
        strengths = np.float32(strength * (np.arange(4) < depth))
        cell = np.float32([across, up]) + SIDE * _around()
        centre = np.float32([[across + SIDE / 2, up + SIDE / 2]])
        points = np.concatenate([centre, cell, self.grid.reshape(-1, 2)])
        bent, log_det, log_density = (v.numpy() for v in _bend(strengths, points, self.pixels))
        bent_cell, bent_grid = bent[1 : 1 + len(cell)], bent[1 + len(cell) :]
        self.net.set_segments(bent_grid.reshape(self.grid.shape))
        self.cell.set_xy(bent_cell)
        self.outline.set_xy(bent_cell)
        self.heat.set_data(np.exp(log_density).reshape(PIXELS, PIXELS))
        before = -np.sum(centre**2) / 2 - np.log(2 * np.pi)
        return {
            "area of the cell": f"{area(bent_cell):.3f}",
            "before": f"{area(cell):.3f}",
            "ratio": f"{area(bent_cell) / area(cell):.2f}",
            "exp(log-det) at its centre": f"{np.exp(log_det[0]):.2f}",
            "log-density there": f"{before - log_det[0]:.2f} nats",
            "before the layers": f"{before:.2f} nats",
        }


def stack(strengths):
    """Four `AffineCoupling` layers with hand-made functions in place of networks.

    ``strengths``, four numbers, multiply each layer's log-scale and shift.
    """

    def layer(i, mask, function):
        def network(x):  # x is masked: its other coordinate is 0
            s, t = function(tf.reduce_sum(x, -1, keepdims=True))
            return strengths[i] * tf.concat([s, s, t, t], -1)

        return AffineCoupling(mask, network, max_log_scale=2.0)

    return [
        layer(0, [1, 0], lambda a: (0 * a, 1.5 * tf.sin(1.3 * a))),
        layer(1, [0, 1], lambda a: (0.7 * tf.tanh(a), 0.8 * a)),
        layer(2, [1, 0], lambda a: (-0.5 * tf.cos(a), -0.8 * tf.tanh(a))),
        layer(3, [0, 1], lambda a: (0.4 * tf.sin(a), -tf.sin(a))),
    ]


@tf.function(
    input_signature=[tf.TensorSpec([4]), tf.TensorSpec([None, 2]), tf.TensorSpec([None, 2])]
)
def _bend(strengths, x, y):
    """Where points x go and their log-det; the log-density at y of a normal that was bent."""
    layers = stack(strengths)
    log_det = 0.0
    for layer in layers:
        x, step = layer.forward(x)
        log_det += step
    z, log_density = y, 0.0
    for layer in reversed(layers):
        z = layer.inverse(z)
        log_density -= layer.forward(z)[1]
    log_density -= tf.reduce_sum(z**2, -1) / 2 + np.log(2 * np.pi)
    return x, log_det, log_density


def area(corners):
    """The area of a polygon with corners ``(n, 2)`` in order: the shoelace formula."""
    x, y = np.asarray(corners, np.float64).T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def _around(points=12):
    """The border of the unit square, ``(4 points, 2)``, once round."""
    u = np.linspace(0, 1, points, endpoint=False)
    one, zero = np.ones(points), np.zeros(points)
    sides = [(u, zero), (one, u), (1 - u, one), (zero, 1 - u)]
    return np.concatenate([np.stack(side, -1) for side in sides]).astype(np.float32)


# What a flow pays for each pixel


def bits_by_pixel(flow, x, seed=0):
    """What a RealNVP of pictures pays for each pixel of ``x`` ``(n, dim)``, in bits, ``(n, dim)``.

    Its log-density is a sum over coordinates, of the normal log-density where a coordinate lands
    and of the logarithms of its stretches: these are the terms, on pictures dequantised by
    ``seed``. Their mean is the cost in bits per dimension.
    """
    noise = np.random.default_rng(seed).uniform(size=x.shape).astype(np.float32)
    logit, *couplings = flow.flow
    x = tf.constant(dequantise(x, flow.levels, noise), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, _ = logit.forward(x)
    stretch = tf.math.log(tape.gradient(z, x))
    for coupling in couplings:
        log_scale, shift = coupling.log_scale_and_shift(z)
        z, stretch = z * tf.exp(log_scale) + shift, stretch + log_scale
    density = stretch - z**2 / 2 - np.log(2 * np.pi) / 2
    return (np.log(flow.levels) - density.numpy()) / np.log(2)


# Exercises

#: Exercise 1 asks about the point x = (1, 0.5) and the layer z = (x1, 3 x2 - 1.2).
POINT, SCALE, SHIFT = np.array([1.0, 0.5]), 3.0, -1.2


@exercise("23_real_nvp/1")
def density_after_one_layer():
    """log p(x), in nats, at POINT, where z is standard normal."""
    layer = AffineCoupling([1, 0], _constant(np.log(SCALE), SHIFT), max_log_scale=1e3)
    z, log_det = (v.numpy()[0] for v in layer.forward(tf.constant([POINT], tf.float32)))
    squares = -np.sum(z**2) / 2
    base = squares - np.log(2 * np.pi)
    return Number(
        base + log_det,
        tolerance=0.005,
        right="the log-density where x lands, plus the logarithm of the stretch.",
        mistakes=[
            (base, "The log-determinant is missing."),
            (base - log_det, "The sign: log p(x) = log p(z) + log|det dz/dx|."),
            (base + SCALE, "Add the logarithm of the stretch, not the stretch."),
            (
                squares - np.log(2 * np.pi) / 2 + log_det,
                "z has two coordinates, with log(2 pi) / 2 for each.",
            ),
            (
                -np.sum(POINT**2) / 2 - np.log(2 * np.pi) + log_det,
                "Take the normal density at z, where x lands, not at x.",
            ),
        ],
    )


@exercise("23_real_nvp/2")
def inverse_of_a_layer():
    """Write inverse(y, s, t) for the layer y = (x1, x2 exp(s(x1)) + t(x1))."""

    def by_the_layer(y, s, t):
        def network(x):
            a = float(x[0, 0])
            return tf.constant([[0, s(a), 0, t(a)]], tf.float32)

        layer = AffineCoupling([1, 0], network, max_log_scale=1e3)
        return layer.inverse(tf.constant([y], tf.float32)).numpy()[0]

    def inputs(rng):
        a, b, c, d = rng.normal(size=4)
        return rng.normal(size=2), lambda u: 0.5 * a * u + b, lambda u: c * u**2 + d

    return Function(
        by_the_layer,
        inputs=inputs,
        tolerance=1e-3,
        right="the networks are run forwards; only a multiplication and an addition are undone.",
        mistakes=[
            (
                lambda y, s, t: [y[0], y[1] * np.exp(s(y[0])) + t(y[0])],
                "That is the layer itself: undo it.",
            ),
            (
                lambda y, s, t: [y[0], y[1] * np.exp(-s(y[0])) - t(y[0])],
                "Undo in reverse order: first take t away, then divide.",
            ),
            (
                lambda y, s, t: [y[0], (y[1] - t(y[1])) * np.exp(-s(y[1]))],
                "s and t were computed from the coordinate that did not move.",
            ),
            (
                lambda y, s, t: [y[0], (y[1] - t(y[0])) / s(y[0])],
                "Divide by exp(s), not by s.",
            ),
        ],
        calls=8,
    )


@exercise("23_real_nvp/3")
def bits_per_dimension():
    """Bits per dimension of an 8x8 picture with 17 levels whose log-density is 80 nats."""
    truth = (np.log(17) - 80 / 64) / np.log(2)
    return Number(
        truth,
        tolerance=0.005,
        right="the cells of the grid are 1/17 wide, so a density of 1 is already log2 17 bits.",
        mistakes=[
            (-80 / 64 / np.log(2), "The width of a grey level is missing: add log2 17."),
            (truth * np.log(2), "That is in nats; divide by log 2."),
            (truth * 64, "That is for the whole picture; divide by its 64 pixels."),
            ((np.log(17) + 80 / 64) / np.log(2), "The sign: a higher density costs fewer bits."),
            (
                (np.log(256) - 80 / 64) / np.log(2),
                "These digits have 17 grey levels, not 256.",
            ),
        ],
    )


@exercise("23_real_nvp/4")
def why_bridges():
    """Why does a flow leave mass between two discs with no density between them?"""
    return Choice(
        right_choice="one piece of noise",
        why="a continuous, invertible map keeps what is connected connected; it can only stretch "
        "the bridge thin.",
        wrong={
            "too little training": "That thins bridges where the density is above 0. Here it is "
            "0, and to cut them would take an infinite slope.",
            "blind likelihood": "The likelihood is exact, and it does punish mass where there are "
            "no data.",
        },
    )


def _constant(s, t):
    """In place of a network: log-scale s and shift t of the second coordinate, everywhere."""
    return lambda x: tf.zeros_like(x[:, :1]) + tf.constant([[0, s, 0, t]], tf.float32)
