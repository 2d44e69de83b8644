"""A kernel density estimate: its bumps, its bandwidth, and what new data make of it."""

import functools

import ipywidgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

WEIGHTS, MEANS, SCALES = np.array([0.6, 0.4]), np.array([-1.5, 1.2]), np.array([0.35, 0.9])
XS = np.linspace(-6, 6, 301)
WIDTHS = np.geomspace(0.02, 3, 24)


class Bandwidth(Scene):
    title = "How wide should the bumps be?"
    alt = (
        "Left: the true density in blue, with a narrow and a wide hump, the data as ticks, and the "
        "kernel density estimate in vermillion, the sum of one bump for each point. Right: the "
        "average log-likelihood of the data themselves and of new data against the bandwidth; the "
        "first rises without end to the left, the second has a peak. A slider sets the bandwidth."
    )
    size = (9.6, 4.0)

    def controls(self):
        return {
            "bandwidth": ipywidgets.FloatLogSlider(
                value=0.08, base=10, min=-1.6, max=0.4, step=0.05, description="bandwidth h",
                readout_format=".2f",
            ),
            "n": choice("points", [10, 30, 100, 300], 30),
            "draw": slider("another draw", 0, 0, 9, 1),
        }  # fmt: skip

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=(1.4, 1))
        truth = np.exp(log_truth(XS))
        left.plot(XS, truth, color=COLORS["p"])
        plots.fill(left, XS, 0, truth, "p", 0.15)
        plots.label(left, -1.5, 0.72, "truth", "p")
        plots.label(left, 5.6, 1.0, "estimate", "q", ha="right")
        plots.label(left, 5.6, 0.9, "some of its bumps", "highlight", ha="right")
        left.set(xlim=(-4.5, 5.8), ylim=(-0.08, 1.2), xlabel="x", ylabel="density")
        left.set_title("The density")
        (self.ticks,) = left.plot([], [], "|", color=COLORS["p"], markersize=9)
        (self.line,) = left.plot([], [], color=COLORS["q"])
        self.bumps = left.plot(XS, np.zeros((len(XS), 10)), color=COLORS["highlight"], linewidth=1)
        right.set(xscale="log", xlim=(0.02, 3), ylim=(-4, 0.5), xlabel="bandwidth h")
        right.set(ylabel="mean log-likelihood (nats)", title="Who likes it?")
        right.axhline(_mean_under_truth(log_truth(XS)), color=COLORS["p"], linestyle=":")
        plots.label(right, 2.9, -1.3, "the truth", "p", ha="right", fontsize=10)
        plots.label(right, 2.9, 0.15, "the same data", "mixture", ha="right", fontsize=10)
        plots.label(right, 2.9, -0.2, "new data", "q", ha="right", fontsize=10)
        plots.label(right, 2.9, -0.55, "leave one out", "accent", ha="right", fontsize=10)
        (self.inside,) = right.plot(WIDTHS, 0 * WIDTHS, color=COLORS["mixture"])
        (self.new,) = right.plot(WIDTHS, 0 * WIDTHS, color=COLORS["q"])
        (self.left_out,) = right.plot(WIDTHS, 0 * WIDTHS, "--", color=COLORS["accent"])
        self.mark = right.axvline(1, 0, 0.57, color=COLORS["highlight"])
        curves = [self.inside, self.new, self.left_out, self.mark]
        return [self.ticks, self.line, *self.bumps, *curves]

    def update(self, bandwidth, n, draw):
        x = observations(n, draw)
        self.ticks.set_data(x, np.full(n, -0.04))
        bumps = np.exp(_log_bumps(XS, x, bandwidth))
        estimate = bumps.mean(1)
        self.line.set_data(XS, estimate)
        for i, bump in enumerate(self.bumps):
            bump.set_ydata(bumps[:, i] / n)
        for curve, ys in zip((self.inside, self.new, self.left_out), _curves(n, draw), strict=True):
            curve.set_ydata(ys)
        self.mark.set_xdata([bandwidth, bandwidth])
        new = _mean_under_truth(np.log(estimate + 1e-300))
        loss = _mean_under_truth(log_truth(XS)) - new
        return {
            "new data": f"{new:.2f} nats",
            "KL(truth‖estimate)": f"{loss:.2f} nats",
            "best h for new data": f"{WIDTHS[_curves(n, draw)[1].argmax()]:.2f}",
            "best h by leave-one-out": f"{WIDTHS[_curves(n, draw)[2].argmax()]:.2f}",
        }


def log_truth(x):
    """Return the true log-density at ``x``, (m,): two Gaussians, one narrow and one wide."""
    z = (np.asarray(x)[:, None] - MEANS) / SCALES
    return np.log(np.exp(-(z**2) / 2) @ (WEIGHTS / SCALES / np.sqrt(2 * np.pi)))


@functools.cache
def observations(n, draw):
    """Return ``n`` points of the truth, (n,); the first of a longer draw."""
    rng = np.random.default_rng(draw)
    which = (rng.uniform(size=300) > WEIGHTS[0]).astype(int)
    return (MEANS[which] + SCALES[which] * rng.standard_normal(300))[:n]


def _log_bumps(x, data, h):
    return -(((x[:, None] - data) / h) ** 2) / 2 - np.log(h * np.sqrt(2 * np.pi))


def _mean_under_truth(log_density):
    return np.trapezoid(np.exp(log_truth(XS)) * log_density, XS)


@functools.lru_cache(maxsize=40)
def _curves(n, draw):
    """Mean log-likelihood against ``WIDTHS``: of the data, of new data, and leaving one out."""
    x, rows = observations(n, draw), []
    for h in WIDTHS:
        own = np.exp(_log_bumps(x, x, h))
        others = (own.sum(1) - np.diag(own)) / (n - 1)
        new = np.log(np.exp(_log_bumps(XS, x, h)).mean(1) + 1e-300)
        left_out = np.log(others + 1e-300).mean()
        rows.append((np.log(own.mean(1)).mean(), _mean_under_truth(new), left_out))
    return np.array(rows).T
