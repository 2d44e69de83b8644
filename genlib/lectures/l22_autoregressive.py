"""Lecture 22: autoregressive models."""

import numpy as np
import tensorflow as tf
from matplotlib.colors import ListedColormap

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.discretised_logistic import DiscretisedLogistic
from genlib.likelihood.made import masks
from genlib.likelihood.pixel_cnn import pixel_mask
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, moving, panel, strokes, words

# Explorer: made_masks

DIM = 5
HIDDEN = (7, 7)
ORDERS = {
    "1 2 3 4 5": (0, 1, 2, 3, 4),
    "5 4 3 2 1": (4, 3, 2, 1, 0),
    "1 3 5 2 4": (0, 2, 4, 1, 3),
    "3 2 4 1 5": (2, 1, 3, 0, 4),
}
# Layers from below: inputs, hidden units, outputs; and where on the picture their units are.
SIZES = (DIM, *HIDDEN, DIM)
UNITS = [np.c_[np.linspace(0, 1, n + 2)[1:-1], np.full(n, row)] for row, n in enumerate(SIZES)]
_SEEN, _OFF = COLORS["p"], "#d0d0d0"


@scene("made_masks")
class MADEMasks(Scene):
    """A small MADE as a drawing: which units its masks connect, and what an output thus sees."""

    title = "The masks of a small MADE"
    alt = (
        "Left: a network of five inputs, two hidden layers of seven units and five outputs, with "
        "the connections that its masks leave; those that lead to the chosen output are blue, the "
        "output itself vermillion. Right: which output sees which input, with rows and columns in "
        "the order of drawing: all filled cells lie below the diagonal."
    )
    size = (9.4, 4.6)
    reveals = (
        {"order": "1 2 3 4 5", "output": 1},
        {},
        ({"order": "1 2 3 4 5", "output": 3}, {"order": "1 2 3 4 5", "output": 3, "seed": 4}),
    )

    def controls(self):
        return {
            "order": choice("order", ORDERS, "1 3 5 2 4"),
            "output": slider("output", 2, 1, DIM, 1),
            "seed": slider("seed of the masks", 0, 0, 20, 1),
        }

    def stage(self, fig):
        net, self.table = fig.subplots(1, 2, width_ratios=[1.5, 1])
        layers = ["inputs", "hidden", "hidden", "outputs"]
        still = {"xticks": [], "yticks": range(4), "yticklabels": layers}
        panel(net, "Paths to the output", ("", 0, 1), ("", -0.45, 3.45), **still)
        net.grid(False)
        net.spines[:].set_visible(False)
        net.tick_params(length=0)
        self.lines = strokes(net, linewidths=1.4, zorder=1)
        self.dots = moving(net.scatter(*np.concatenate(UNITS).T, s=420, zorder=2, linewidths=1.5))
        style = {"va": "center", "fontsize": 10, "fontweight": "normal"}
        self.texts = [words(net, "black", **style) for _ in range(sum(SIZES))]

        self.cells = _cells(self.table, DIM, DIM, cmap=plots.BELIEF, vmin=-1, vmax=1, linewidth=0.6)
        xs, ys = ("", -0.55, DIM - 0.45), ("output, in the same order", DIM - 0.45, -0.55)
        panel(self.table, "Which output sees which input", xs, ys)
        self.row = curve(self.table, "q", linewidth=3)

    def update(self, order, output, seed):
        order = np.array(ORDERS[order])
        layers = masks(order, HIDDEN, seed)
        self._draw_network(order, layers, _useful(layers, output - 1), output - 1)

        seen = np.linalg.multi_dot(layers).T > 0  # (output, input)
        self.cells.set_array(seen[np.ix_(order, order)].astype(float))
        left, top = -0.5, int(np.argsort(order)[output - 1]) - 0.5
        across, down = [left, left + DIM, left + DIM, left, left], [top, top, top + 1, top + 1, top]
        self.row.move(across, down)
        # The ticks belong to the still part of the picture, which is kept by the axes' labels.
        names = [f"x{1 + d}" for d in order]
        self.table.set_xticks(range(DIM), names)
        self.table.set_yticks(range(DIM), names)
        self.table.set_xlabel(f"input, in the order {' '.join(names)}")
        inputs = ", ".join(f"x{d + 1}" for d in order if seen[output - 1, d]) or "nothing"
        paths = int(np.linalg.multi_dot(layers)[:, output - 1].sum())
        numbers = {f"x{output} sees": inputs, f"paths to x{output}": paths}
        return numbers | {"connections kept": f"{sum(m.sum() for m in layers):.0f} of {_ALL}"}

    def _draw_network(self, order, layers, useful, output):
        ends, colors = [], []
        for below, mask in enumerate(layers):
            for i, j in np.argwhere(mask):
                ends.append((UNITS[below][i], UNITS[below + 1][j]))
                colors.append(_SEEN if useful[below][i] and useful[below + 1][j] else _OFF)
        first = np.argsort([color != _OFF for color in colors], kind="stable")  # grey ones below
        self.lines.set_segments([ends[k] for k in first])
        self.lines.set_color([colors[k] for k in first])
        flags = np.concatenate(useful)
        faces = np.where(flags, "#DCEAF5", "#FFFFFF").astype(object)
        edges = np.where(flags, _SEEN, _OFF).astype(object)
        faces[len(flags) - DIM + output], edges[len(flags) - DIM + output] = "#F7DCC8", COLORS["q"]
        self.dots.set(facecolors=list(faces), edgecolors=list(edges))
        names = [f"x{d + 1}" for d in range(DIM)]
        degrees = (str(m) for layer in _degrees(1 + np.argsort(order), layers) for m in layer)
        labels = [*names, *degrees, *names]
        for text, at, label in zip(self.texts, np.concatenate(UNITS), labels, strict=True):
            text.move(*at, label)


_ALL = sum(a * b for a, b in zip(SIZES[:-1], SIZES[1:], strict=True))


def _useful(layers, output):
    """For each layer, from the inputs up, which units have a path to ``output``."""
    flags = [np.arange(DIM) == output]
    for mask in reversed(layers):
        flags.insert(0, mask @ flags[0] > 0)
    return flags


def _degrees(below, layers):
    """The degrees of the hidden units, from the inputs': how many inputs, in order, one may see."""
    for mask in layers[:-1]:
        below = (mask * below[:, None]).max(0).astype(int)
        yield below


def _cells(ax, rows, columns, **style):
    """Square cells around whole numbers, row 0 on top, for ``set_array`` of ``(rows, columns)``."""
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    ax.grid(False)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    style = {"edgecolors": "#8c8c8c"} | style
    return moving(ax.pcolormesh(*edges, np.zeros((rows, columns)), **style))


# Explorer: receptive_field

ROWS, COLUMNS = 11, 13
ONE, TWO = "one stack", "two stacks"
#: In colour: after the pixel; before it, yet unseen; seen; the pixel itself.
COLORS_OF = ListedColormap(["#F2F2F2", "#F3C14F", "#8CBCE0", COLORS["q"]])


@scene("receptive_field")
class ReceptiveField(Scene):
    """What a pixel of a PixelCNN sees, with one stack of masked convolutions and with two."""

    title = "What a pixel sees"
    alt = (
        "A grid of pixels. The chosen one is vermillion. Blue pixels come before it and are seen, "
        "yellow ones come before it and are not, grey ones come after it. With one stack of masked "
        "convolutions a yellow wedge stays above and to the right, the blind spot."
    )
    size = (6.8, 5.0)
    reveals = ({"layers": 8}, {"layers": 8, "stacks": TWO})

    def controls(self):
        return {
            "stacks": choice("network", [ONE, TWO]),
            "layers": slider("layers", 6, 1, 8, 1),
            "kernel": slider("kernel's half width", 1, 1, 3, 1),
            "row": slider("row", 8, 0, ROWS - 1, 1),
            "column": slider("column", 5, 0, COLUMNS - 1, 1),
        }

    def stage(self, fig):
        ax = fig.subplots()
        colors = {"cmap": COLORS_OF, "vmin": -0.5, "vmax": 3.5}
        self.cells = _cells(ax, ROWS, COLUMNS, edgecolors="white", linewidth=1.5, **colors)
        panel(ax, "", "column", "row")
        names = {"the pixel": 3, "seen": 2, "before it, unseen": 1, "after it": 0}
        for name, level in names.items():
            ax.plot([], [], "s", color=COLORS_OF(level), markersize=11, label=name)
        fig.legend(loc="outside upper center", ncols=4, fontsize=10, handletextpad=0.2)

    def update(self, stacks, layers, kernel, row, column):
        seen = receptive_field((ROWS, COLUMNS), (row, column), layers, kernel, stacks == TWO)
        before = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) < row * COLUMNS + column
        picture = before + seen.astype(float)
        picture[row, column] = 3
        self.cells.set_array(picture)
        return {
            "pixels before it": int(before.sum()),
            "seen": int(seen.sum()),
            "before it, unseen": int((before & ~seen).sum()),
        }


def receptive_field(shape, pixel, layers, half, two_stacks) -> np.ndarray:
    """Which pixels of an image ``shape`` (rows, columns) the output at ``pixel`` depends on.

    ``layers`` masked convolutions of ``2 half + 1`` squared, the first with mask A: found by going
    from the output back to the image, layer by layer.
    """
    h, v = np.zeros(shape, bool), np.zeros(shape, bool)
    h[pixel] = True
    for layer in reversed(range(layers)):
        across = {(0, -k) for k in range(layer == 0, half + 1)}
        above = {(-i, k) for i in range(1, half + 1) for k in range(-half, half + 1)}
        if two_stacks:
            beside = set() if layer == 0 else {(0, k) for k in range(-half, half + 1)}
            v = _reach(h | v, above | beside)  # h is told what v sees around the same pixel
            h = _reach(h, across)
        else:
            h = _reach(h, across | above)
    return h | v


def _reach(flags, steps):
    """The pixels that lie one of ``steps`` (down, right) from a flagged one."""
    rows, columns = flags.shape
    found = np.zeros_like(flags)
    for down, right in steps:
        i, j = np.nonzero(flags)
        i, j = i + down, j + right
        inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
        found[i[inside], j[inside]] = True
    return found


# Exercises


@exercise("22_autoregressive/1")
def bits_per_dimension():
    """The bits per dimension of 8x8 pictures that cost 20 nats each."""
    nats, pixels = 20.0, 64
    truth = nats / (pixels * np.log(2))
    return Number(
        truth,
        tolerance=0.002,
        right="one bit a pixel would be as much as sending the picture as it is.",
        mistakes=[
            (nats / pixels, "That is in nats per pixel; divide by log 2 for bits."),
            (nats / np.log(2), "That is in bits for the whole picture; divide by its pixels."),
            (nats * np.log(2) / pixels, "A bit is log 2 = 0.693 nats: divide by it."),
            (nats / (8 * np.log(2)), "A picture of 8 by 8 has 64 pixels."),
        ],
    )


@exercise("22_autoregressive/2")
def last_mask():
    """Write last_mask(hidden, places): the mask from hidden degrees to outputs, as ones and zeros.

    ``hidden`` (k,) are degrees; ``places`` (d,) says as which number each output is drawn, from 1.
    """

    def reference(hidden, places):
        return (places > hidden[:, None]).astype(float)

    # The same as genlib's: with one hidden layer whose degrees are known.
    order = np.array([2, 0, 1, 3])
    first, last = masks(order, (5,), seed=0)
    degrees = (first * (1 + np.argsort(order))[:, None]).max(0)
    assert np.array_equal(reference(degrees, 1 + np.argsort(order)), last)

    def inputs(rng):
        places = 1 + rng.permutation(rng.integers(3, 6))
        return rng.integers(1, len(places), size=rng.integers(6, 9)), places

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="strictly greater, so that no output sees its own input.",
        mistakes=[
            (
                lambda hidden, places: (places >= hidden[:, None]).astype(float),
                "With >= an output sees its own input: the leak of this lecture. Use >.",
            ),
            (
                lambda hidden, places: (places[:, None] > hidden).astype(float),
                "That is (outputs, hidden); a kernel is (hidden, outputs): transpose it.",
            ),
            (
                lambda hidden, places: (places < hidden[:, None]).astype(float),
                "The other way round: an output sees units of a smaller degree than its own.",
            ),
            (
                lambda hidden, places: (np.arange(1, len(places) + 1) > hidden[:, None]) * 1.0,
                "That is the natural order; an output's degree is its place in the order.",
            ),
        ],
    )


@exercise("22_autoregressive/3")
def bin_probability():
    """Write bin_probability(k, mean, scale): P(level k) of 256, of one discretised logistic."""
    head = DiscretisedLogistic(256, 1)

    def reference(k, mean, scale):
        parameters = tf.constant([0.0, mean, np.log(scale)], tf.float64)
        return float(np.exp(head.log_prob(parameters, tf.constant(k, tf.float64))))

    def cdf(x):
        return 1 / (1 + np.exp(-x))

    def no_edges(k, mean, scale):
        low, high = ((k - 0.5) / 255 - mean) / scale, ((k + 0.5) / 255 - mean) / scale
        return cdf(high) - cdf(low)

    def density(k, mean, scale):
        t = (k / 255 - mean) / scale
        return cdf(t) * cdf(-t) / scale / 255

    def by_256(k, mean, scale):
        low = -np.inf if k == 0 else ((k - 0.5) / 256 - mean) / scale
        high = np.inf if k == 255 else ((k + 0.5) / 256 - mean) / scale
        return cdf(high) - cdf(low)

    def inputs(rng):
        # Both edges come up, and scales so small that a bin's width is felt.
        k = int(rng.choice([0, 255, rng.integers(1, 255)]))
        centre = np.clip(k / 255 + rng.normal() * 0.01, -0.02, 1.02)
        return k, float(centre), float(rng.choice([0.002, 0.01, 0.05]))

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="with the edge bins the 256 probabilities add up to 1.",
        mistakes=[
            (no_edges, "Level 0 also takes all below it, and level 255 all above it."),
            (density, "That is the density times the bin's width; a bin is a difference of CDFs."),
            (by_256, "The levels are k / 255, so the borders are (k - 1/2)/255 and (k + 1/2)/255."),
        ],
    )


@exercise("22_autoregressive/4")
def where_is_the_blind_spot():
    """Which pixel does one stack of eight 3x3 masked convolutions never see from (5, 5)?"""
    places = [(4, 6), (2, 2), (4, 8), (1, 8)]
    flags = np.zeros((len(places), 11, 13, 1), np.float32)
    for image, place in zip(flags, places, strict=True):
        image[place] = 1
    # One flagged pixel an image, sent through the model's own masks: A first, then B.
    channel = np.zeros(1)
    for layer in range(8):
        above_and_left = np.pad(
            pixel_mask(2, 1, channel, channel, strict=layer == 0), [(0, 1), (0, 0), (0, 0), (0, 0)]
        )
        flags = tf.minimum(tf.nn.conv2d(flags, above_and_left, 1, "SAME"), 1.0)
    (blind,) = (place for place, seen in zip(places, flags[:, 5, 5, 0], strict=True) if seen == 0)
    sees = "The output does see it: "
    return Choice(
        right_choice=str(blind),
        why="each layer goes at most one column right for one row up, so one row up only one "
        "column to the right is seen, at any depth.",
        wrong={
            "(4, 6)": sees + "the very first layer looks one up and one right.",
            "(2, 2)": sees + "up and to the left nothing is hidden, and eight layers reach far.",
            "(1, 8)": sees + "four rows up, a path may go up to four columns to the right.",
        },
    )
