"""A coin and its model: the divergence from the truth, and on average from a few tosses."""

import numpy as np
from scipy.special import comb

from genlib import plots
from genlib.divergences import properties
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

SIDES = np.array([0.0, 1.0])
CHANCE = 0.6  # that the coin shows 1
MOST = 12  # tosses
TS = np.linspace(0, 1, 201)
# Each divergence: the heights of both panels.
KINDS = {"W1": (1.0, 1.4), "Cramér": (0.6, 1.4), "KL": (1.8, 6.0), "JSD": (0.7, 1.4)}


class SampleGradient(Scene):
    title = "A coin of 0.6, a model B(t), and a few tosses at a time"
    alt = (
        "Left: the divergence of the model B(t) from the coin against t, as a dashed line, and its "
        "average from m tosses as a full line, each with a mark where it is least. Right: the "
        "slopes of both; shaded where they have opposite signs. A dot stands at t."
    )
    size = (9.4, 3.9)

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
        left.set(xlabel="t", ylabel="divergence", xlim=(0, 1))
        right.set(xlabel="t", ylabel="slope in t", xlim=(0, 1))
        right.axhline(0, color="#8c8c8c", linewidth=1)
        dashed = {"color": COLORS["p"], "linestyle": (0, (4, 2))}
        self.lines = [
            ax.plot(TS, TS, **style)[0]
            for ax in (left, right)
            for style in (dashed, {"color": COLORS["highlight"]})
        ]
        full = {"color": COLORS["highlight"]}
        self.marks = [left.plot([0, 0], [0, 1], **s, linewidth=1)[0] for s in (dashed, full)]
        self.dots = [ax.plot([0], [0], "o", color=COLORS["highlight"])[0] for ax in self.axes]
        self.wrong = plots.fill(right, TS, 0, 0, "accent", 0.35)
        for y, text, role in ((0.98, "from the coin", "p"), (0.9, "m tosses", "highlight")):
            plots.label(right, 0.02, y, text, role, ha="left", va="top", transform=right.transAxes)
        plots.label(right, 0.98, 0.02, "opposite signs", "accent", ha="right", fontsize=10,
                    transform=right.transAxes)  # fmt: skip
        return [*self.lines, *self.marks, *self.dots, self.wrong]

    def update(self, kind, m, t):
        top, steep = KINDS[kind]
        self.axes[0].set(title=f"{kind}", ylim=(0, top))
        self.axes[1].set(title=f"Slope of {kind}", ylim=(-steep, steep))
        both = self.true[kind], self.mean[kind, m]
        slopes = slope(kind, None, TS), slope(kind, m, TS)
        least = [TS[np.argmin(values)] for values in both]
        for line, ys in zip(self.lines, (*both, *slopes), strict=True):
            line.set_ydata(ys)
        for mark, x in zip(self.marks, least, strict=True):
            mark.set_data([x, x], [0, top])
        opposite = slopes[0] * slopes[1] < -1e-9
        plots.set_fill(self.wrong, TS, np.where(opposite, -steep, 0), np.where(opposite, steep, 0))
        here = [float(slope(kind, n, np.array([t]))[0]) for n in (None, m)]
        self.dots[0].set_data([t], [expected_loss(kind, m, np.array([t]))])
        self.dots[1].set_data([t], [here[1]])
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
