"""What a pixel of a PixelCNN sees, with one stack of masked convolutions and with two."""

import numpy as np
from matplotlib.colors import ListedColormap

from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

ROWS, COLUMNS = 11, 13
ONE, TWO = "one stack", "two stacks"
#: In colour: after the pixel; before it, yet unseen; seen; the pixel itself.
COLORS_OF = ListedColormap(["#F2F2F2", "#F3C14F", "#8CBCE0", COLORS["q"]])


class ReceptiveField(Scene):
    title = "What a pixel sees"
    alt = (
        "A grid of pixels. The chosen one is vermillion. Blue pixels come before it and are seen, "
        "yellow ones come before it and are not, grey ones come after it. With one stack of masked "
        "convolutions a yellow wedge stays above and to the right, the blind spot."
    )
    size = (6.8, 5.0)

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
        edges = np.arange(COLUMNS + 1) - 0.5, np.arange(ROWS + 1) - 0.5
        self.cells = ax.pcolormesh(
            *edges, np.zeros((ROWS, COLUMNS)), cmap=COLORS_OF, vmin=-0.5, vmax=3.5,
            edgecolors="white", linewidth=1.5,
        )  # fmt: skip
        ax.set(xlim=(-0.5, COLUMNS - 0.5), ylim=(ROWS - 0.5, -0.5), xlabel="column", ylabel="row")
        ax.set_aspect("equal")
        ax.grid(False)
        names = {"the pixel": 3, "seen": 2, "before it, unseen": 1, "after it": 0}
        for name, level in names.items():
            ax.plot([], [], "s", color=COLORS_OF(level), markersize=11, label=name)
        fig.legend(loc="outside upper center", ncols=4, fontsize=10, handletextpad=0.2)
        return [self.cells]

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
    """Which places of an image ``shape`` (rows, columns) the output at ``pixel`` depends on.

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
    """The places that lie one of ``steps`` (down, right) from a flagged one."""
    rows, columns = flags.shape
    found = np.zeros_like(flags)
    for down, right in steps:
        i, j = np.nonzero(flags)
        i, j = i + down, j + right
        inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
        found[i[inside], j[inside]] = True
    return found
