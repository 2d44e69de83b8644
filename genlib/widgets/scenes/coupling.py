"""Two small piles of earth, and the plans that turn one into the other: arrows and a matrix."""

import numpy as np
from matplotlib.collections import LineCollection

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

P = np.array([4, 1, 0, 3, 0, 2])  # shovelfuls in bins 0 to 5
Q = np.array([0, 3, 3, 0, 4, 0])
BINS = np.arange(len(P), dtype=float)
DISTANCE = np.abs(BINS[:, None] - BINS)
SPREAD, NEAREST, CROSSED = "spread out", "nearest first", "crossed"


class Coupling(Scene):
    title = "From one pile to the other: a transport plan and its work"
    alt = (
        "Left: pile P in blue above and pile Q in vermillion below, joined by lines as thick as "
        "the earth that each carries. Middle: the same plan as a matrix of squares. Right: its "
        "work as a bar, beside the line of the least work. A slider mixes a plan with the cheapest."
    )
    size = (9.4, 4.2)

    def controls(self):
        return {
            "plan": choice("begin with", [NEAREST, SPREAD, CROSSED]),
            "cheapest": slider("share of the cheapest plan", 0.0, 0.0, 1.0, 0.05),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=(1.6, 1.3, 0.55))
        draw_piles(left)
        left.set_title("Who goes where")
        ends = [[(i, 0), (j, -4)] for i in BINS for j in BINS]
        self.lines = LineCollection(ends, colors=COLORS["highlight"], alpha=0.85)
        left.add_collection(self.lines)

        middle.imshow(DISTANCE, cmap="Greys", vmin=0, vmax=14)
        middle.grid(False)
        middle.set(title="As a matrix (darker: farther)", xlabel="to bin", ylabel="from bin")
        middle.set(xticks=BINS, yticks=BINS)
        middle.tick_params(length=0)
        for i, shovels in enumerate(P):
            plots.label(middle, 5.75, i, str(shovels), "p", va="center")
        for j, shovels in enumerate(Q):
            plots.label(middle, j, -0.85, str(shovels), "q", va="center")
        middle.set(xlim=(-0.5, 6.0), ylim=(5.5, -1.2))
        for side in middle.spines.values():
            side.set_visible(False)
        grid = np.meshgrid(BINS, BINS, indexing="xy")
        self.squares = middle.scatter(*grid, s=0, marker="s", color=COLORS["highlight"])

        self.plans = {SPREAD: np.outer(P, Q) / P.sum(), NEAREST: _nearest(), CROSSED: _crossed()}
        self.best = _sorted()
        self.least = float((self.best * DISTANCE).sum())
        right.set(title="Work", ylabel="shovelfuls × bins", xticks=[], xlim=(-1, 2), ylim=(0, 32))
        (self.bar,) = right.bar([0], [0], width=1.4, color=COLORS["highlight"])
        mark = right.axhline(self.least, color=COLORS["mixture"], linewidth=2)
        plots.label(right, 1.35, self.least + 0.3, "least", fontsize=10)
        return [self.lines, self.squares, self.bar, mark]

    def update(self, plan, cheapest):
        moved = (1 - cheapest) * self.plans[plan] + cheapest * self.best
        work = float((moved * DISTANCE).sum())
        self.lines.set_linewidths(4 * moved.ravel())
        self.squares.set_sizes(110 * moved.ravel())
        self.bar.set_height(work)
        return {
            "work of this plan": f"{work:.1f} shovelfuls × bins",
            "mean distance": f"{work / P.sum():.2f} bins",
            "least possible (W1)": f"{self.least / P.sum():.2f} bins",
        }


def draw_piles(ax):
    """Draw the piles, P above and Q hanging below, with room for the lines between."""
    ax.bar(BINS, P, width=0.7, color=COLORS["p"])
    ax.bar(BINS, -Q, width=0.7, bottom=-4, color=COLORS["q"])
    for i, (p, q) in enumerate(zip(P, Q, strict=True)):
        if p:
            plots.label(ax, i, p + 0.1, str(p), "p")
        if q:
            plots.label(ax, i, -4.2 - q, str(q), "q", va="top")
    plots.label(ax, 5.5, 3.6, "pile P", "p", fontsize=13, ha="right")
    plots.label(ax, 5.5, -8, "pile Q", "q", fontsize=13, ha="right", va="top")
    ax.set(xlabel="bin", xticks=BINS, yticks=[], ylim=(-9.4, 5.2))
    ax.set_xlim(-0.6, 5.6)
    ax.grid(False)
    ax.spines["left"].set_visible(False)


def _nearest():
    """Return the greedy plan: of all moves still possible the shortest, again and again."""
    left, room, plan = P.astype(float), Q.astype(float), np.zeros(DISTANCE.shape)
    for move in np.argsort(DISTANCE, axis=None, kind="stable"):
        i, j = np.unravel_index(move, plan.shape)
        plan[i, j] = min(left[i], room[j])
        left[i] -= plan[i, j]
        room[j] -= plan[i, j]
    return plan


def _sorted():
    """Return the cheapest plan: what lies at one level of P goes to the same level of Q."""
    high_p, high_q = np.cumsum(P), np.cumsum(Q)
    overlap = np.minimum.outer(high_p, high_q) - np.maximum.outer(high_p - P, high_q - Q)
    return np.maximum(overlap, 0).astype(float)


def _crossed():
    """Return the plan that carries P's leftmost earth to Q's rightmost place, and so on."""
    origins, places = np.repeat(np.arange(len(P)), P), np.repeat(np.arange(len(Q)), Q)
    plan = np.zeros(DISTANCE.shape)
    np.add.at(plan, (origins, places[::-1]), 1)
    return plan
