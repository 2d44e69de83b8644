"""A small MADE as a drawing: which units its masks connect, and what each output therefore sees."""

import numpy as np
from matplotlib.collections import LineCollection

from genlib import plots
from genlib.likelihood.made import masks
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

DIM = 5
HIDDEN = (7, 7)
ORDERS = {
    "1 2 3 4 5": (0, 1, 2, 3, 4),
    "5 4 3 2 1": (4, 3, 2, 1, 0),
    "1 3 5 2 4": (0, 2, 4, 1, 3),
    "3 2 4 1 5": (2, 1, 3, 0, 4),
}
# Layers from below: inputs, hidden units, outputs.
SIZES = (DIM, *HIDDEN, DIM)
PLACES = [np.c_[np.linspace(0, 1, n + 2)[1:-1], np.full(n, row)] for row, n in enumerate(SIZES)]
_SEEN, _OFF = COLORS["p"], "#d0d0d0"


class MADEMasks(Scene):
    title = "The masks of a small MADE"
    alt = (
        "Left: a network of five inputs, two hidden layers of seven units and five outputs, with "
        "the connections that its masks leave; those that lead to the chosen output are blue, the "
        "output itself vermillion. Right: which output sees which input, with rows and columns in "
        "the order of drawing: all filled cells lie below the diagonal."
    )
    size = (9.4, 4.6)

    def controls(self):
        return {
            "order": choice("order", ORDERS, "1 3 5 2 4"),
            "output": slider("output", 2, 1, DIM, 1),
            "seed": slider("seed of the masks", 0, 0, 20, 1),
        }

    def stage(self, fig):
        net, table = fig.subplots(1, 2, width_ratios=[1.5, 1])
        self.net, self.table = net, table
        net.set(xlim=(0, 1), ylim=(-0.45, 3.45), xticks=[], yticks=range(4))
        net.set_yticklabels(["inputs", "hidden", "hidden", "outputs"])
        net.set_title("Paths to the output")
        net.grid(False)
        net.spines[:].set_visible(False)
        net.tick_params(length=0)
        self.lines = LineCollection([], linewidths=1.4, zorder=1)
        net.add_collection(self.lines, autolim=False)
        self.dots = net.scatter(*np.concatenate(PLACES).T, s=420, zorder=2, linewidths=1.5)
        self.texts = [
            net.text(x, y, "", ha="center", va="center", fontsize=10, zorder=3)
            for x, y in np.concatenate(PLACES)
        ]
        table.set(xlabel="input", ylabel="output, in the same order")
        table.set(xlim=(-0.55, DIM - 0.45), ylim=(DIM - 0.45, -0.55))
        table.set_title("Which output sees which input")
        table.grid(False)
        table.set_aspect("equal")
        self.cells = table.pcolormesh(
            np.arange(DIM + 1) - 0.5, np.arange(DIM + 1) - 0.5, np.zeros((DIM, DIM)),
            cmap=plots.BELIEF, vmin=-1, vmax=1, edgecolors="#8c8c8c", linewidth=0.6,
        )  # fmt: skip
        self.row = table.plot([], [], color=COLORS["q"], linewidth=3)[0]
        return [self.lines, self.dots, *self.texts, self.cells, self.row]

    def update(self, order, output, seed):
        order = np.array(ORDERS[order])
        layers = masks(order, HIDDEN, seed)
        useful = _useful(layers, output - 1)
        self._draw_network(order, layers, useful, output - 1)

        seen = np.linalg.multi_dot(layers).T > 0  # (output, input)
        self.cells.set_array(seen[np.ix_(order, order)].astype(float))
        row = int(np.argsort(order)[output - 1])
        left, top = -0.5, row - 0.5
        self.row.set_data(
            [left, DIM - 0.5, DIM - 0.5, left, left], [top, top, top + 1, top + 1, top]
        )
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
                ends.append((PLACES[below][i], PLACES[below + 1][j]))
                colors.append(_SEEN if useful[below][i] and useful[below + 1][j] else _OFF)
        first = np.argsort([color != _OFF for color in colors], kind="stable")  # grey ones below
        self.lines.set_segments([ends[k] for k in first])
        self.lines.set_color([colors[k] for k in first])
        flags = np.concatenate(useful)
        faces = np.where(flags, "#DCEAF5", "#FFFFFF").astype(object)
        edges = np.where(flags, _SEEN, _OFF).astype(object)
        faces[len(flags) - DIM + output], edges[len(flags) - DIM + output] = "#F7DCC8", COLORS["q"]
        self.dots.set_facecolors(list(faces))
        self.dots.set_edgecolors(list(edges))
        place = 1 + np.argsort(order)
        names = [f"x{d + 1}" for d in range(DIM)]
        labels = [*names, *(str(m) for layer in _degrees(place, layers) for m in layer), *names]
        for text, label in zip(self.texts, labels, strict=True):
            text.set_text(label)


_ALL = sum(a * b for a, b in zip(SIZES[:-1], SIZES[1:], strict=True))


def _useful(layers, output):
    """For each layer, from the inputs up, which units have a path to ``output``."""
    flags = [np.arange(DIM) == output]
    for mask in reversed(layers):
        flags.insert(0, mask @ flags[0] > 0)
    return flags


def _degrees(place, layers):
    """The degrees of the hidden units: how many inputs, in order, a unit may see."""
    below = place
    for mask in layers[:-1]:
        below = (mask * below[:, None]).max(0).astype(int)
        yield below
