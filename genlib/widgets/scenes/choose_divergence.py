"""The measured table of divergences, and a filter: tick what you need, see what remains."""

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import Rectangle

from genlib import plots
from genlib.divergences import properties
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene

PASS, FAIL = "#DCE9F4", "#F8DFCF"


class ChooseDivergence(Scene):
    title = "Tick what you need: which divergences remain?"
    alt = (
        "A table of thirteen divergences by ten measured properties. Cells in pale blue have the "
        "property, cells in pale orange do not. Rows that lack a ticked property are faded, with a "
        "frame around each reason; a green dot marks the rows that remain."
    )
    size = (9.8, 5.4)

    def controls(self):
        layout = widgets.Layout(width="auto")
        return {
            key.replace(" ", "_"): widgets.Checkbox(
                value=key in ("pull far", "unbiased"),
                description=found.says,
                indent=False,
                layout=layout,
            )
            for key, found in properties.PROPERTIES.items()
        }

    def stage(self, fig):
        table = properties.table()
        self.names = list(table)
        self.has = np.array(
            [[p.holds(row[key]) for key, p in properties.PROPERTIES.items()] for row in
             table.values()]
        )  # fmt: skip
        ax = fig.subplots()
        draw_table(ax, table)
        rows, columns = self.has.shape
        self.veils = [
            ax.add_patch(Rectangle((-2.2, y - 0.5), columns + 1.7, 1, color="white", alpha=0.75))
            for y in range(rows)
        ]
        lit = {"color": COLORS["highlight"], "alpha": 0.4}
        self.needed = [
            ax.add_patch(Rectangle((x - 0.48, -1.35), 0.96, 0.8, **lit)) for x in range(columns)
        ]
        frame = {"fill": False, "edgecolor": COLORS["q"], "linewidth": 1.8}
        self.reasons = [
            [
                ax.add_patch(Rectangle((x - 0.45, y - 0.4), 0.9, 0.8, **frame))
                for x in range(columns)
            ]
            for y in range(rows)
        ]
        (self.dots,) = ax.plot([], [], "o", color=COLORS["critic"], markersize=8)
        return [self.veils, self.needed, self.reasons, self.dots]

    def update(self, **ticked):
        needed = np.array(list(ticked.values()))
        lacking = needed & ~self.has
        remain = ~lacking.any(1)
        for patch, visible in zip(self.needed, needed, strict=True):
            patch.set_visible(bool(visible))
        for y, veil in enumerate(self.veils):
            veil.set_visible(not remain[y])
            for patch, visible in zip(self.reasons[y], lacking[y], strict=True):
                patch.set_visible(bool(visible))
        rows = np.flatnonzero(remain)
        self.dots.set_data(np.full(len(rows), -2.1), rows)
        left = [self.names[y] for y in rows]
        return {"remain": ", ".join(left) or "none: no divergence here has all of these"}


def draw_table(ax, table) -> None:
    """Draw ``table``, as from ``properties.table``: a mark and the measured number in each cell."""
    keys = list(properties.PROPERTIES)
    for y, (name, row) in enumerate(table.items()):
        ax.text(-0.6, y, name, ha="right", va="center", fontsize=11, fontweight="bold")
        for x, key in enumerate(keys):
            holds = properties.PROPERTIES[key].holds(row[key])
            ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=PASS if holds else FAIL))
            text = f"{'✓' if holds else '✗'} {number(row[key])}"
            ax.text(x, y, text, ha="center", va="center", fontsize=9.5)
    for x, key in enumerate(keys):
        plots.label(ax, x, -0.95, key, fontsize=9, va="center")
    ax.set(xlim=(-2.3, len(keys) - 0.5), ylim=(len(table) - 0.5, -1.4))
    ax.set_axis_off()


def number(value) -> str:
    """Return a measured number as it stands in the table."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞"
    value = 0 if abs(value) < 1e-6 else value
    return (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")
