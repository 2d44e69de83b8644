"""The permutation test: MMD^2 of two samples, among that of the same points dealt out anew."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.divergences import kernels
from genlib.divergences.two_sample import permutation_test
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

MOST, DEALS = 80, 250


class Permutation(Scene):
    title = "Are these two samples from one distribution?"
    alt = (
        "Left: two samples, X in blue and Y in vermillion, each a row of dots under its histogram. "
        "Right: a grey histogram of MMD squared for the pooled points dealt out at random, with a "
        "green line at that of the samples themselves. Sliders set the shift, the number of "
        "points, the bandwidth and the draw."
    )
    size = (9.6, 3.8)

    def controls(self):
        return {
            "shift": slider("true shift of Q", 0.6, 0.0, 2.0, 0.1),
            "n": slider("points each", 40, 10, MOST, 10),
            "bandwidth": ipywidgets.FloatLogSlider(
                value=1.0, base=10, min=-2, max=1, step=0.1, description="bandwidth",
                readout_format=".2f",
            ),
            "draw": slider("another draw", 0, 0, 19, 1),
        }  # fmt: skip

    def stage(self, fig):
        left, self.right = fig.subplots(1, 2)
        left.set(xlim=(-4, 6), ylim=(-0.2, 1.0), xlabel="x", ylabel="density", title="The samples")
        left.axhline(0, color="#8c8c8c", linewidth=1)
        self.edges = np.linspace(-4, 6, 21)
        self.bars, self.dots = [], []
        for role, name, y in (("p", "X from P", 0.92), ("q", "Y from Q", 0.84)):
            self.bars.append(left.stairs(np.zeros(20), self.edges, fill=True, alpha=0.3,
                                         color=COLORS[role]))  # fmt: skip
            self.dots += left.plot([], [], ".", color=COLORS[role], markersize=5)
            plots.label(left, 5.9, y, name, role, ha="right")
        self.right.set(xlim=(-0.1, 0.5), ylim=(0, 0.5), ylabel="share of the deals")
        self.right.set(xlabel="MMD² (unbiased estimate)", title="Dealt out at random")
        self.null = self.right.stairs(np.zeros(40), np.linspace(0, 1, 41), fill=True, alpha=0.5,
                                      color=COLORS["mixture"])  # fmt: skip
        self.mark = self.right.axvline(0, 0, 0.8, color=COLORS["critic"], linewidth=3)
        self.right.locator_params(axis="x", nbins=5)
        plots.label(self.right, 0.98, 0.91, "the samples as they are", "critic", ha="right",
                    transform=self.right.transAxes)  # fmt: skip
        plots.label(self.right, 0.98, 0.83, f"{DEALS} random deals", "mixture", ha="right",
                    transform=self.right.transAxes)  # fmt: skip
        return [*self.bars, *self.dots, self.null, self.mark]

    def update(self, shift, n, bandwidth, draw):
        rng = np.random.default_rng(draw)
        x, y = rng.standard_normal((2, MOST))[:, :n]
        y = y + shift
        for bars, dots, z, row in zip(self.bars, self.dots, (x, y), (-0.06, -0.13), strict=True):
            bars.set_data(np.histogram(z, self.edges, density=True)[0])
            dots.set_data(z, np.full(n, row))
        test = permutation_test(x, y, kernels.rbf(bandwidth), DEALS, seed=draw)
        reach = max(np.abs(test.null).max(), abs(test.mmd2))
        limit = next(limit for limit in (0.02, 0.05, 0.1, 0.2, 0.5, 2.0) if reach < 0.95 * limit)
        self.right.set_xlim(-limit, limit)
        edges = np.linspace(-limit, limit, 61)
        self.null.set_data(np.histogram(test.null, edges)[0] / DEALS, edges)
        self.mark.set_xdata([test.mmd2, test.mmd2])
        verdict = "differ" if test.p_value <= 0.05 else "no difference shown"
        return {
            "MMD²": f"{test.mmd2:.4f}",
            "p-value": test.p_value,
            "at level 5 %": verdict,
            "the truth": "P = Q" if shift == 0 else "P ≠ Q",
        }
