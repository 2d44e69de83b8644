"""Lecture 12: the Wasserstein distance."""

import numpy as np
from scipy.optimize import linprog
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import total_variation
from genlib.divergences.samples import emd, wasserstein_1d
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, moving, panel, shade, strokes, words

# Explorer: coupling

P = np.array([4, 1, 0, 3, 0, 2])  # shovelfuls in bins 0 to 5
Q = np.array([0, 3, 3, 0, 4, 0])
BINS = np.arange(len(P), dtype=float)
DISTANCE = np.abs(BINS[:, None] - BINS)
SPREAD, NEAREST, CROSSED = "spread out", "nearest first", "crossed"


@scene("coupling")
class Coupling(Scene):
    """Two small piles of earth, and the plans that turn one into the other: arrows and a matrix."""

    title = "From one pile to the other: a transport plan and its work"
    alt = (
        "Left: pile P in blue above and pile Q in vermillion below, joined by lines as thick as "
        "the earth that each carries. Middle: the same plan as a matrix of squares. Right: its "
        "work as a bar, beside the line of the least work. A slider mixes a plan with the cheapest."
    )
    size = (9.4, 4.2)
    reveals = (
        ({}, {"cheapest": 1.0}),
        {"plan": CROSSED, "cheapest": 0.5},
        {"cheapest": 1.0},
    )

    def controls(self):
        return {
            "plan": choice("begin with", [NEAREST, SPREAD, CROSSED]),
            "cheapest": slider("share of the cheapest plan", 0.0, 0.0, 1.0, 0.05),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=(1.6, 1.3, 0.55))
        draw_piles(left)
        left.set_title("Who goes where")
        self.lines = strokes(left, "highlight", alpha=0.85)
        self.lines.set_segments([[(i, 0), (j, -4)] for i in BINS for j in BINS])

        middle.imshow(DISTANCE, cmap="Greys", vmin=0, vmax=14)
        middle.grid(False)
        middle.tick_params(length=0)
        for i, shovels in enumerate(P):
            plots.label(middle, 5.75, i, str(shovels), "p", va="center")
        for j, shovels in enumerate(Q):
            plots.label(middle, j, -0.85, str(shovels), "q", va="center")
        bins = ("to bin", -0.5, 6.0), ("from bin", 5.5, -1.2)
        panel(middle, "As a matrix (darker: farther)", *bins, xticks=BINS, yticks=BINS)
        middle.spines[:].set_visible(False)
        grid = np.meshgrid(BINS, BINS, indexing="xy")
        self.squares = moving(middle.scatter(*grid, s=0, marker="s", color=COLORS["highlight"]))

        self.plans = {
            SPREAD: np.outer(P, Q) / P.sum(),
            NEAREST: nearest_first(),
            CROSSED: _crossed(),
        }
        self.best = _sorted()
        self.least = float((self.best * DISTANCE).sum())
        panel(right, "Work", ("", -1, 2), ("shovelfuls × bins", 0, 32), xticks=[])
        (self.bar,) = moving(right.bar([0], [0], width=1.4, color=COLORS["highlight"]))
        moving(right.axhline(self.least, color=COLORS["mixture"]))  # before the bar
        plots.label(right, 1.35, self.least + 0.3, "least", fontsize=10)

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


def nearest_first():
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
    """Return the plan that carries P's leftmost earth to Q's rightmost bin, and so on."""
    origins, goals = np.repeat(np.arange(len(P)), P), np.repeat(np.arange(len(Q)), Q)
    plan = np.zeros(DISTANCE.shape)
    np.add.at(plan, (origins, goals[::-1]), 1)
    return plan


# Explorer: wasserstein

BLOCK, GAUSSIAN, TENTH = "a block", "a Gaussian", "a tenth of a block"
STEP = 0.1
ROLES = {"W1": "highlight", "KL": "accent", "JSD": "mixture"}
# The right panel of each: its top, where what is infinite is drawn, and where the names stand.
TOPS = {BLOCK: 4.6, GAUSSIAN: 4.6, TENTH: 0.46}
NAMES = {
    BLOCK: {"W1": (4.15, 4.0), "KL": (4.15, 4.6), "JSD": (4.15, 0.69)},
    GAUSSIAN: {"W1": (4.15, 4.0), "KL": (1.65, 4.6), "JSD": (4.15, 0.69)},
    TENTH: {"W1": (4.15, 0.4), "KL": (4.15, 0.115), "JSD": (4.15, 0.036)},
}


@scene("wasserstein")
class Wasserstein(Scene):
    """Mass moved near against mass moved far: W1 beside KL and JSD, on one slider."""

    title = "Near or far: the same slider for W1, KL and JSD"
    alt = (
        "Left: P in blue stands still, Q in vermillion is P with its mass, or a tenth of it, moved "
        "along the line. Right: W1, KL and JSD against that shift, each with a dot where Q is now. "
        "W1 is a V with its foot at 0; JSD is flat once the two no longer overlap."
    )
    size = (9.4, 4.0)
    reveals = (
        ({"shift": 1.0}, {}),
        {"moved": GAUSSIAN},
        ({"moved": TENTH, "shift": 1.0}, {"moved": TENTH, "shift": 4.0}),
    )

    def controls(self):
        return {
            "shift": slider("shift", 2.5, -4.0, 4.0, STEP),
            "moved": choice("what moves", [BLOCK, GAUSSIAN, TENTH]),
        }

    def stage(self, fig):
        # Midpoints of cells: each block's edges fall on the cells' edges, so sums are exact.
        self.edges = np.linspace(-8, 8, 801)
        self.xs = (self.edges[:-1] + self.edges[1:]) / 2
        self.shifts = np.round(np.arange(-40, 41) * STEP, 1)
        self.table = {kind: self._table(kind) for kind in (BLOCK, GAUSSIAN, TENTH)}

        left, right = self.axes = fig.subplots(1, 2, width_ratios=(1, 1.15))
        panel(left, "P and Q", ("x", -6, 6), ("density", 0, 1.4))
        units = ("W1 (units of x); KL, JSD (nats)", 0, 5)
        panel(right, "Divergence against the shift", ("shift of Q", -4.2, 4.9), units)
        self.p, self.q = (density(left, name, alpha=0.45) for name in "pq")
        plots.label(left, -5.7, 1.25, "P", "p", ha="left", fontsize=13)
        plots.label(left, -5.0, 1.25, "Q", "q", ha="left", fontsize=13)
        self.lines = {name: curve(right, role) for name, role in ROLES.items()}
        self.lines["KL"].set_linestyle((0, (4, 2)))
        self.dots = {name: dot(right, role) for name, role in ROLES.items()}
        side = {"ha": "left", "va": "center"}
        self.names = {name: words(right, role, **side) for name, role in ROLES.items()}

    def update(self, shift, moved):
        p, q = _cells(self.edges, 0, BLOCK if moved == TENTH else moved), self._q(shift, moved)
        width = self.edges[1] - self.edges[0]
        self.p.move(self.xs, p / width)
        self.q.move(self.xs, q / width)
        table, top, readout = self.table[moved], TOPS[moved], {}
        self.axes[1].set_ylim(-0.02 * top, 1.08 * top)
        now = round((shift + 4) / STEP)
        nearer = now - int(np.sign(now - 40))
        gains = []
        for name, values in table.items():
            finite = np.isfinite(values[now])
            self.lines[name].move(self.shifts, _shown(values, top))
            height = values[now] if finite else top
            self.dots[name].move(shift, height if height <= top else np.nan)
            text = name if np.isfinite(values[-1]) else f"{name} = ∞"
            self.names[name].move(*NAMES[moved][name], text)
            readout[name] = f"{values[now]:.3f}" if finite else "∞"
            if finite:
                gains.append(f"{name} {values[now] - values[nearer]:.3f}")
        return readout | {f"saved by one step of {STEP} towards P": ", ".join(gains)}

    def _q(self, shift, moved):
        if moved == TENTH:
            return 0.9 * _cells(self.edges, 0, BLOCK) + 0.1 * _cells(self.edges, shift, BLOCK)
        return _cells(self.edges, shift, moved)

    def _table(self, kind):
        """Return each divergence at every shift, summed over the cells."""
        width = self.edges[1] - self.edges[0]
        p = _cells(self.edges, 0, BLOCK if kind == TENTH else kind)
        rows = [_divergences(p, self._q(shift, kind), width) for shift in self.shifts]
        return {name: np.array([row[name] for row in rows]) for name in ROLES}


def _cells(edges, centre, kind):
    """Return the mass in each cell of a block of width 1, or a Gaussian of scale 1/2."""
    middles = (edges[:-1] + edges[1:]) / 2 - centre
    if kind == GAUSSIAN:
        mass = np.exp(-2 * middles**2)
    else:
        mass = (np.abs(middles) < 0.5).astype(float)
    return mass / mass.sum()


def _divergences(p, q, width):
    """Return W1 by the area between the CDFs, KL and JSD by their definitions."""
    return {
        "W1": np.abs(np.cumsum(p - q)).sum() * width,
        "KL": _kl(p, q),
        "JSD": (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2,
    }


def _kl(p, q):
    inside = p > 0
    if (q[inside] == 0).any():
        return np.inf
    return float(np.sum(p[inside] * np.log(p[inside] / q[inside])))


def _shown(values, top):
    """Return a curve as drawn: what is infinite runs along the top, what is higher is cut."""
    infinite = np.isinf(values)
    if infinite.any():
        return np.where(infinite, top, np.nan)
    return np.where(values > top, np.nan, values)


# Explorer: critic_1d


@scene("critic_1d")
class Critic1D(Scene):
    """A critic of two slopes and one kink, and what it makes of two densities: the dual of W1."""

    title = "Shape the critic"
    alt = (
        "Top left: the densities of P, two Gaussians in blue, and of Q, one in vermillion between "
        "them. Below: the critic, two straight pieces joined at a kink, in green. Top right: what "
        "the critic collects at each x, inside the outline |F - G|. Below: the total as a bar, "
        "beside the line of W1. Sliders set both slopes and the kink."
    )
    size = (9.4, 5.2)
    reveals = (
        {"left": -1.0, "right": 1.0, "kink": 0.7},
        {"left": -1.5, "right": 1.5, "kink": 0.7},
    )

    def controls(self):
        return {
            "left": slider("slope on the left", -0.4, -1.5, 1.5, 0.1),
            "right": slider("slope on the right", -0.3, -1.5, 1.5, 0.1),
            "kink": slider("kink at x =", -1.5, -4.0, 4.0, 0.1),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-6, 6, 601)
        p, q = pair()
        densities = {"p": p.prob(xs).numpy(), "q": q.prob(xs).numpy()}
        self.gap = p.cdf(xs).numpy() - q.cdf(xs).numpy()
        self.difference = densities["p"] - densities["q"]
        self.w1 = float(divergences.wasserstein(p, q))

        (top, area), (bottom, bars) = fig.subplots(2, 2)
        across = ("x", -6, 6)
        panel(top, "P and Q", across, ("density", 0, 0.66))
        for (name, ys), (x, y) in zip(densities.items(), ((-2, 0.35), (0.7, 0.51)), strict=True):
            top.plot(xs, ys, color=COLORS[name])
            plots.fill(top, xs, 0, ys, name)
            plots.label(top, x, y, name.upper(), name, fontsize=13)
        panel(bottom, "The critic f", across, ("f(x)", -5, 5))
        self.pieces = [curve(bottom, "critic", linewidth=3) for _ in range(2)]
        panel(area, "What f collects at x", across, ("−f′(x) (F(x) − G(x))", -0.85, 0.85))
        area.axhline(0, color="#8c8c8c", linewidth=1)
        area.plot(self.xs, np.abs(self.gap), color=COLORS["mixture"], linewidth=1.5)
        plots.label(area, 3.0, 0.3, "|F − G|", fontsize=10, ha="left")
        self.gains, self.losses = shade(area, "critic", 0.5), shade(area, "accent", 0.6)
        self.excess = shade(area, "highlight", 0.9)
        values = ("value (units of x)", -1.6 * self.w1, 1.6 * self.w1)
        panel(bars, r"$E_P\,f - E_Q\,f$", values, ("", -1, 1), yticks=[])
        bars.axvline(0, color="#8c8c8c", linewidth=1)
        moving(bars.axvline(self.w1, color=COLORS["mixture"]))  # before the bar
        plots.label(bars, self.w1, 0.72, " W1", ha="left")
        (self.bar,) = moving(bars.barh([0], [0], height=0.8))

    def update(self, left, right, kink):
        slopes = np.where(self.xs < kink, left, right)
        critic = slopes * (self.xs - kink)
        collected = -slopes * self.gap
        value = np.trapezoid(critic * self.difference, self.xs)
        for piece, slope, end in zip(self.pieces, (left, right), (-6, 6), strict=True):
            piece.move([end, kink], [slope * (end - kink), 0])
            legal = abs(slope) <= 1
            piece.set_color(COLORS["critic" if legal else "highlight"])
            piece.set_linestyle("-" if legal else (0, (2, 1)))
        bound = np.abs(self.gap)
        self.gains.move(self.xs, 0, np.clip(collected, 0, bound))
        self.excess.move(self.xs, bound, np.maximum(collected, bound))
        self.losses.move(self.xs, 0, np.minimum(collected, 0))
        steepest = max(abs(left), abs(right))
        self.bar.set_width(value)
        self.bar.set_color(COLORS["critic" if steepest <= 1 else "highlight"])
        verdict = "yes" if steepest <= 1 else f"no: slope {steepest:.1f} is above 1, it cheats"
        return {"E_P f − E_Q f": value, "W1": self.w1, "allowed": verdict}


def pair():
    """Return P, two Gaussians, and Q, one between them; their CDFs cross at x = 0.7."""
    components = tfd.Normal(np.float64([-2.0, 2.6]), np.float64([0.6, 0.6]))
    p = tfd.MixtureSameFamily(tfd.Categorical(probs=np.float64([0.5, 0.5])), components)
    return p, tfd.Normal(np.float64(0.7), np.float64(0.8))


# Exercises

_BINS = np.arange(5.0)
_P, _Q = np.array([0.5, 0, 0, 0, 0.5]), np.array([0, 0, 0.5, 0.5, 0])


@exercise("12_wasserstein/1")
def by_hand():
    """W1 of two piles over bins 0 to 4, by the area between the CDFs."""
    gap = np.cumsum(_P - _Q)
    dists = [tfd.FiniteDiscrete(_BINS, probs=weights) for weights in (_P, _Q)]
    return Number(
        float(wasserstein_1d(_BINS, _BINS, x_weights=_P, y_weights=_Q)),
        tolerance=0.005,
        right="half the earth moves two bins, the other half one.",
        mistakes=[
            (float(gap @ gap), "You squared the gap F - G (the Cramer distance); take |F - G|."),
            (
                float(total_variation(*dists)),
                "That is how much earth moves (total variation); count how far it goes too.",
            ),
            (
                float(abs(_BINS @ (_P - _Q))),
                "That is the gap between the means: here earth moves both ways, so take |F - G|.",
            ),
            (
                float(np.sqrt(emd(_BINS, _BINS, "sqeuclidean", _P, _Q))),
                "That is W2; W1 charges the distance, not its square.",
            ),
        ],
    )


@exercise("12_wasserstein/2")
def from_samples():
    """Write w1(x, y) for two 1-D samples of equal size."""

    def inputs(rng):
        n = rng.integers(3, 30)
        return rng.normal(size=n), rng.normal(1.0, 2.0, size=n)

    return Function(
        lambda x, y: float(wasserstein_1d(x, y)),
        inputs,
        tolerance=1e-4,
        right="sorting pairs equal quantiles, and no plan is cheaper on a line.",
        mistakes=[
            (
                lambda x, y: np.mean(np.abs(x - y)),
                "That pairs the points in the order they came; sort both first.",
            ),
            (
                lambda x, y: np.sum(np.abs(np.sort(x) - np.sort(y))),
                "That is n times too much: each point carries mass 1/n, so take the mean.",
            ),
            (
                lambda x, y: np.abs(np.mean(np.sort(x) - np.sort(y))),
                "Moves to the left and right cancel there; take |.| before the mean.",
            ),
            (
                lambda x, y: np.sqrt(np.mean((np.sort(x) - np.sort(y)) ** 2)),
                "That is W2; take the mean of |.| for W1.",
            ),
            (
                lambda x, y: np.mean(np.abs(np.subtract.outer(x, y))),
                "That is the cost of the plan that sends everything everywhere.",
            ),
        ],
    )


@exercise("12_wasserstein/3")
def best_critic():
    """Which f reaches the supremum for P = N(2, 1), Q = N(-1, 1)?"""
    return Choice(
        "f(x) = x",
        why="P lies to the right, so F < G everywhere and the slope is +1 everywhere.",
        wrong={
            "f(x) = -x": "E_P f - E_Q f is negative with -x: the critic must be high on P.",
            "f(x) = |x|": "|x| falls left of 0, where F < G too: it gives part of the value back.",
            "f(x) = 2x": "2x collects more than W1, but its slope is above 1: it is not allowed.",
        },
    )


@exercise("12_wasserstein/4")
def dual_program():
    """Write dual(p, q, cost): the value of transport's dual linear program."""

    def inputs(rng):
        n, m = rng.choice([3, 4, 5, 6], size=2, replace=False)
        x, y = rng.normal(size=(n, 2)), rng.normal(1.0, 1.0, size=(m, 2))
        cost = np.linalg.norm(x[:, None] - y, axis=-1)
        return rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), cost

    def value(p, q, cost, lowest=None, fixed=0):
        rows, columns = np.repeat(np.eye(len(p)), len(q), 0), np.tile(np.eye(len(q)), (len(p), 1))
        limits = [(lowest, None)] * (len(p) + len(q))
        limits[:fixed] = [(0, 0)] * fixed
        return -linprog(-np.r_[p, q], np.c_[rows, columns], cost.ravel(), bounds=limits).fun

    return Function(
        value,
        inputs,
        tolerance=1e-5,
        right="no price f_i + g_j above the cost of the move, and the best prices pay for the "
        "cheapest plan: strong duality.",
        mistakes=[
            (
                lambda p, q, cost: value(p, q, cost, lowest=0),
                "Prices may be negative: linprog keeps its variables at 0 or above unless you "
                "give bounds=(None, None).",
            ),
            (
                lambda p, q, cost: value(p, q, cost, fixed=len(p)),
                "That has one price a column alone; rows have a price too.",
            ),
            (
                lambda p, q, cost: -value(p, q, cost),
                "The sign: linprog minimises, so hand it minus the gain, and turn its value back.",
            ),
            (
                lambda p, q, cost: p @ cost @ q,
                "That is the cost of the plan that sends everything everywhere.",
            ),
        ],
        calls=8,
    )
