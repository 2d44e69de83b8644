"""Lecture 14: choosing a divergence."""

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import Rectangle
from scipy.special import comb
from tensorflow_probability import distributions as tfd

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.lectures import properties
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, shade

# Explorer: sample_gradient

SIDES = np.array([0.0, 1.0])
CHANCE = 0.6  # that the coin shows 1
MOST = 12  # tosses
TS = np.linspace(0, 1, 201)
# Each divergence: the heights of both panels.
KINDS = {"W1": (1.0, 1.4), "Cramér": (0.6, 1.4), "KL": (1.8, 6.0), "JSD": (0.7, 1.4)}


@scene("sample_gradient")
class SampleGradient(Scene):
    """A coin and its model: the divergence from the truth, and on average from a few tosses."""

    title = "A coin of 0.6, a model B(t), and a few tosses at a time"
    alt = (
        "Left: the divergence of the model B(t) from the coin against t, as a dashed line, and its "
        "average from m tosses as a full line, each with a mark where it is least. Right: the "
        "slopes of both; shaded where they have opposite signs. A dot stands at t."
    )
    size = (9.4, 3.9)
    reveals = (
        ({}, *({"m": m} for m in (2, 3, 5, 6))),
        tuple({"kind": "Cramér", "m": m} for m in (1, MOST)),
        {"kind": "KL", "m": 3},
        tuple({"kind": "JSD", "m": m} for m in (1, 2)),
    )

    def controls(self):
        return {
            "kind": choice("divergence", list(KINDS)),
            "m": slider("tosses m", 1, 1, MOST, 1),
            "t": slider("t", 0.8, 0.02, 0.98, 0.02),
        }

    def stage(self, fig):
        self.true = {kind: expected_loss(kind, None, TS) for kind in KINDS}
        self.mean = {(k, m): expected_loss(k, m, TS) for k in KINDS for m in range(1, MOST + 1)}
        self.axes = left, right = fig.subplots(1, 2)
        panel(left, "", ("t", 0, 1), "divergence")
        panel(right, "", ("t", 0, 1), "slope in t")
        right.axhline(0, color="#8c8c8c", linewidth=1)
        styles = {"p": (0, (4, 2)), "highlight": "-"}
        self.lines = [
            curve(ax, role, linestyle=style) for ax in self.axes for role, style in styles.items()
        ]
        self.marks = [
            curve(left, role, linestyle=style, linewidth=1) for role, style in styles.items()
        ]
        self.dots = [dot(ax, "highlight", 6) for ax in self.axes]
        self.wrong = shade(right, "accent", 0.35)
        key(right, 0.02, 0.98, {"from the coin": "p", "m tosses": "highlight"}, 0.08)
        key(right, 0.98, 0.02, {"opposite signs": "accent"}, fontsize=10)

    def update(self, kind, m, t):
        top, steep = KINDS[kind]
        self.axes[0].set(title=f"{kind}", ylim=(0, top))
        self.axes[1].set(title=f"Slope of {kind}", ylim=(-steep, steep))
        both = self.true[kind], self.mean[kind, m]
        slopes = slope(kind, None, TS), slope(kind, m, TS)
        least = [TS[np.argmin(values)] for values in both]
        for line, ys in zip(self.lines, (*both, *slopes), strict=True):
            line.move(TS, ys)
        for mark, x in zip(self.marks, least, strict=True):
            mark.move([x, x], [0, top])
        opposite = slopes[0] * slopes[1] < -1e-9
        self.wrong.move(TS, np.where(opposite, -steep, 0), np.where(opposite, steep, 0))
        here = [float(slope(kind, n, np.array([t]))[0]) for n in (None, m)]
        self.dots[0].move(t, expected_loss(kind, m, np.array([t])))
        self.dots[1].move(t, here[1])
        return {
            "least at t": f"{least[1]:.2f} (from the coin {least[0]:.2f})",
            f"slope at t = {t:.2f}": f"{here[1]:.2f} (from the coin {here[0]:.2f})",
        }


def expected_loss(kind, m, ts):
    """Return the mean of D(tosses, B(t)) over all outcomes of m tosses; None: D(coin, B(t))."""
    heads = np.arange(m + 1) if m else np.array([1])
    shares = heads / m if m else np.array([CHANCE])
    chances = comb(m, heads) * CHANCE**heads * (1 - CHANCE) ** (m - heads) if m else [1.0]
    p, q = (np.stack([1 - z, z], -1) for z in (shares[:, None], ts))
    name = "energy" if kind == "Cramér" else kind
    values = properties.DIVERGENCES[name](SIDES, *np.broadcast_arrays(p, q))
    return np.asarray(chances) @ values / (2 if kind == "Cramér" else 1)


def slope(kind, m, ts, step=1e-4):
    """Return the slope of `expected_loss` in t, by central differences, within (0, 1)."""
    ts = np.clip(ts, 2 * step, 1 - 2 * step)
    return (expected_loss(kind, m, ts + step) - expected_loss(kind, m, ts - step)) / (2 * step)


# Explorer: choose_divergence

PASS, FAIL = "#DCE9F4", "#F8DFCF"

_REPORT = {
    "pull_far": False,
    "unbiased": False,
    "symmetric": True,
    "triangle": True,
    "bounded": True,
}


@scene("choose_divergence")
class ChooseDivergence(Scene):
    """The measured table of divergences, and a filter: tick what you need, see what remains."""

    title = "Tick what you need: which divergences remain?"
    alt = (
        "A table of fifteen divergences by ten measured properties. Cells in pale blue have the "
        "property, cells in pale orange do not. Rows that lack a ticked property are faded, with a "
        "frame around each reason; a green dot marks the rows that remain."
    )
    size = (9.8, 6.0)
    reveals = (
        {},
        (_REPORT, _REPORT | {"geometry": True}),
        {"pull_far": False},
        {"pull_far": False, "symmetric": True, "triangle": True},
    )

    def controls(self):
        style = {"indent": False, "layout": widgets.Layout(width="auto")}
        ticked = ("pull far", "unbiased")
        return {
            name.replace(" ", "_"): widgets.Checkbox(
                name in ticked, description=found.says, **style
            )
            for name, found in properties.PROPERTIES.items()
        }

    def stage(self, fig):
        table = properties.table()
        self.names = list(table)
        wanted = properties.PROPERTIES.items()
        self.has = np.array([[p.holds(row[name]) for name, p in wanted] for row in table.values()])
        ax = fig.subplots()
        draw_table(ax, table)
        rows, columns = self.has.shape

        def box(x, y, width, height, **style):
            return moving(ax.add_patch(Rectangle((x, y), width, height, **style)))

        veil = {"color": "white", "alpha": 0.75}
        self.veils = [box(-2.5, y - 0.5, columns + 2.0, 1, **veil) for y in range(rows)]
        lit = {"color": COLORS["highlight"], "alpha": 0.4}
        self.needed = [box(x - 0.48, -1.35, 0.96, 0.8, **lit) for x in range(columns)]
        frame = {"fill": False, "edgecolor": COLORS["q"], "linewidth": 1.8}
        self.reasons = [
            [box(x - 0.45, y - 0.4, 0.9, 0.8, **frame) for x in range(columns)] for y in range(rows)
        ]
        self.dots = dot(ax, "critic", 8)

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
        self.dots.move(np.full(len(rows), -2.65), rows)
        left = [self.names[y] for y in rows]
        return {"remain": ", ".join(left) or "none: no divergence here has all of these"}


def draw_table(ax, table) -> None:
    """Draw ``table``, as from ``properties.table``: a mark and the measured number in each cell."""
    names = list(properties.PROPERTIES)
    for y, (divergence, row) in enumerate(table.items()):
        ax.text(-0.6, y, divergence, ha="right", va="center", fontsize=11, fontweight="bold")
        for x, name in enumerate(names):
            holds = properties.PROPERTIES[name].holds(row[name])
            ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=PASS if holds else FAIL))
            text = f"{'✓' if holds else '✗'} {number(row[name])}"
            ax.text(x, y, text, ha="center", va="center", fontsize=9.5)
    for x, name in enumerate(names):
        plots.label(ax, x, -0.95, name, fontsize=9, va="center")
    ax.set(xlim=(-2.8, len(names) - 0.5), ylim=(len(table) - 0.5, -1.4))
    ax.set_axis_off()


def number(value) -> str:
    """Return a measured number as it stands in the table."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞"
    value = 0 if abs(value) < 1e-6 else value
    return (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")


# Exercises


@exercise("14_choosing_a_divergence/1")
def wrong_way():
    """The expected sample gradient of W1 at t = 0.75 from one toss of a coin of 0.6."""
    heads = float(tfd.Bernoulli(probs=np.float64(0.6)).prob(1.0))
    truth = (1 - heads) - heads  # |0 - t| has slope 1, |1 - t| has slope -1
    return Number(
        truth,
        tolerance=0.005,
        right="it is negative, so descent raises t, away from 0.6.",
        mistakes=[
            (1.0, "That is the slope of |0.6 - t|, the distance from the coin itself."),
            (-truth, "The sign: |1 - t| falls when t rises, so heads count -1."),
            (2 * (0.75 - heads), "That is Cramér's gradient, 2(t - 0.6)."),
            (heads - 0.75, "That averages share - t; take the slopes of |share - t|."),
        ],
    )


@exercise("14_choosing_a_divergence/2")
def unbiased_mmd2():
    """Write mmd2_u(k_xx, k_yy, k_xy): the unbiased MMD² from three Gram matrices."""

    def off_diagonal(k):
        n = len(k)
        return (k.sum() - np.trace(k)) / (n * (n - 1))

    def v_statistic(k_xx, k_yy, k_xy):
        return k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()

    def reference(k_xx, k_yy, k_xy):
        return off_diagonal(k_xx) + off_diagonal(k_yy) - 2 * k_xy.mean()

    def without_diagonal_over_n_squared(k_xx, k_yy, k_xy):
        within = sum((k.sum() - np.trace(k)) / k.size for k in (k_xx, k_yy))
        return within - 2 * k_xy.mean()

    def grams(rng):
        x, y = rng.normal(size=5), rng.normal(0.5, 1, size=7)
        pairs = ((x, x), (y, y), (x, y))
        return tuple(np.exp(-(np.subtract.outer(a, b) ** 2) / 2) for a, b in pairs)

    return Function(
        reference,
        inputs=grams,
        tolerance=1e-5,
        right="only pairs of different points are averaged, so the mean is right.",
        mistakes=[
            (v_statistic, "That is the V-statistic: leave out each point with itself."),
            (
                without_diagonal_over_n_squared,
                "n (n - 1) pairs are left without the diagonal, not n².",
            ),
            (
                lambda a, b, c: off_diagonal(a) + off_diagonal(b) - c.mean(),
                "The mixed term counts twice.",
            ),
            (
                lambda a, b, c: np.sqrt(np.maximum(reference(a, b, c), 0)),
                "That is a root; the unbiased one is MMD², and it may be negative.",
            ),
        ],
    )


@exercise("14_choosing_a_divergence/3")
def choose():
    """Which of four has unbiased sample gradients and pulls from afar?"""
    names = ("KL", "W1", "energy", "MMD²")
    needs = ("pull far", "unbiased")

    def missing(name):
        divergence = properties.DIVERGENCES[name]
        wanted = ((key, properties.PROPERTIES[key]) for key in needs)
        return [key for key, found in wanted if not found.holds(found.measure(divergence))]

    lacks = {name: missing(name) for name in names}
    says = {
        "pull far": "on supports far apart it has no slope to follow",
        "unbiased": "its expected sample gradient is not the true one",
    }
    return Choice(
        next(name for name, found in lacks.items() if not found),
        why="it has both; what it lacks is the triangle inequality (its root has that).",
        wrong={
            name: f"Look at the row of {name}: {' and '.join(says[key] for key in found)}."
            for name, found in lacks.items()
            if found
        },
    )
