"""Four coupling layers that bend a grid, one after the other, and the density they carry along."""

import numpy as np
import tensorflow as tf
from matplotlib.collections import LineCollection

from genlib.likelihood.real_nvp import AffineCoupling
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

EXTENT = (-5, 5, -5, 5)
SIDE = 0.5  # of a cell of the grid
PIXELS = 80


class CouplingLayers(Scene):
    title = "Coupling layers, one after the other"
    alt = (
        "Left: a square grid of the plane after some coupling layers, with one cell filled in. "
        "Right: the density that a round Gaussian has become, with the same cell. Sliders set how "
        "many layers act, how strongly, and which cell is followed."
    )
    size = (9.4, 5.0)

    def controls(self):
        return {
            "depth": slider("layers", 2, 0, 4, 1),
            "strength": slider("strength", 0.7, 0.0, 1.0, 0.05),
            "across": slider("cell, across", 0.5, -2.0, 2.0, 0.5),
            "up": slider("cell, up", 0.5, -2.0, 2.0, 0.5),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, sharey=True)
        for ax in (left, right):
            ax.set(xlim=EXTENT[:2], ylim=EXTENT[2:], xlabel="$x_1$")
        left.set(title="The grid", ylabel="$x_2$")
        right.set_title("The density")
        right.grid(False)
        fine, lines = np.linspace(-3, 3, 61), np.arange(-3, 3.01, SIDE)
        flat = np.stack(np.meshgrid(lines, fine, indexing="ij"), -1)  # (lines, points, 2)
        self.grid = np.concatenate([flat, flat[..., ::-1]]).astype(np.float32)
        self.net = LineCollection([], colors=COLORS["mixture"], linewidths=0.8)
        left.add_collection(self.net, autolim=False)
        ticks = EXTENT[0] + (np.arange(PIXELS) + 0.5) * (EXTENT[1] - EXTENT[0]) / PIXELS
        self.pixels = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2).astype(np.float32)
        self.heat = right.imshow(
            np.zeros((PIXELS, PIXELS)), origin="lower", extent=EXTENT, cmap="Blues", vmin=0,
            vmax=0.25, interpolation="bilinear", aspect="auto",
        )  # fmt: skip
        (self.cell,) = left.fill([0], [0], color=COLORS["highlight"], alpha=0.9)
        (self.outline,) = right.fill([0], [0], fill=False, edgecolor=COLORS["highlight"], lw=2)
        return [self.net, self.heat, self.cell, self.outline]

    def update(self, depth, strength, across, up):
        # A layer of strength 0 is the identity: one graph serves every depth.
        strengths = np.float32(strength * (np.arange(4) < depth))
        cell = np.float32([across, up]) + SIDE * _around()
        centre = np.float32([[across + SIDE / 2, up + SIDE / 2]])
        points = np.concatenate([centre, cell, self.grid.reshape(-1, 2)])
        bent, log_det, log_density = (
            value.numpy() for value in _bend(strengths, points, self.pixels)
        )
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
