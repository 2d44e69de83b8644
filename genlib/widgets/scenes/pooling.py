"""Eight schools between no pooling and complete pooling, and what the data say of the spread."""

import ipywidgets
import numpy as np
from scipy.stats import norm

from genlib import plots
from genlib.likelihood.hierarchical import EFFECTS, ERRORS, SCHOOLS, HierarchicalNormal
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider


class Pooling(Scene):
    title = "How far do you pull eight schools together?"
    alt = (
        "Left: for each of eight schools, in blue its estimate with a bar of one standard error, "
        "and beside it in vermillion its effect given the spread tau, pulled towards the common "
        "mean, a grey line. Right: the posterior density of the spread, with a mark at tau. "
        "Sliders set tau and the size of the standard errors."
    )
    size = (9.6, 4.2)

    def controls(self):
        return {
            "tau": ipywidgets.FloatLogSlider(
                value=8.0, base=10, min=-1, max=2.5, step=0.05,
                description="spread τ (0.1: all pooled)", readout_format=".1f",
            ),
            "noise": slider("standard errors, times", 1.0, 0.1, 2.0, 0.1),
            "average": ipywidgets.Checkbox(value=False, description="average over τ"),
        }  # fmt: skip

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=(1.7, 1))
        self.places = np.arange(len(SCHOOLS))
        left.set(xlim=(-0.6, 7.7), ylim=(-36, 62), xticks=self.places, xticklabels=SCHOOLS)
        left.set(xlabel="school", ylabel="effect of coaching (points)", title="Effects")
        left.plot(self.places - 0.13, EFFECTS, "o", color=COLORS["p"], markersize=7)
        self.noise_bars = left.vlines(self.places - 0.13, 0, 0, color=COLORS["p"], alpha=0.5)
        self.bars = left.vlines(self.places + 0.13, 0, 0, color=COLORS["q"], linewidth=3, alpha=0.5)
        (self.dots,) = left.plot(
            self.places + 0.13, EFFECTS, "o", color=COLORS["q"], markersize=7
        )  # fmt: skip
        self.common = left.axhline(0, color=COLORS["mixture"], linestyle=":")
        plots.label(left, 7.6, 55, "what was observed", "p", ha="right", fontsize=10)
        plots.label(left, 7.6, 49, "what is believed", "q", ha="right", fontsize=10)
        plots.label(left, 7.6, 43, "the common mean", "mixture", ha="right", fontsize=10)
        right.set(xscale="log", xlim=(0.08, 400), ylim=(0, 1.5), yticks=[], xlabel="spread τ")
        right.set(title="What the data say of τ", ylabel="density per unit of log τ")
        self.tau = np.geomspace(0.08, 400, 300)
        self.shade = plots.fill(right, self.tau, 0, 0, "highlight", 0.5)
        self.mark = right.axvline(1, color=COLORS["q"])
        return [self.noise_bars, self.bars, self.dots, self.common, self.shade, self.mark]

    def update(self, tau, noise, average):
        model = HierarchicalNormal(EFFECTS, noise * np.array(ERRORS))
        exact = model.exact(400)
        step = np.log(exact.tau[1] / exact.tau[0])
        density = np.interp(np.log(self.tau), np.log(exact.tau), exact.weights / step)
        plots.set_fill(self.shade, self.tau, 0, density)
        weights = exact.weights if average else np.ones(1)
        given = model.given_spread(exact.tau if average else [tau])
        mean = weights @ given.theta_mean
        spread = np.sqrt(weights @ (given.theta_variance + (given.theta_mean - mean) ** 2))
        self.dots.set_ydata(mean)
        self.bars.set_segments(_upright(self.places + 0.13, mean, spread))
        self.noise_bars.set_segments(_upright(self.places - 0.13, EFFECTS, model.sigma))
        self.common.set_ydata([weights @ given.mu_mean] * 2)
        self.mark.set_xdata([tau, tau])
        self.mark.set_visible(not average)
        return {
            "school A": f"{mean[0]:.1f} ± {spread[0]:.1f}",
            "weight of the common mean for A": f"{weights @ given.pooling[:, 0]:.0%}",
            "P(A helps more than C)": f"{weights @ _a_above_c(given):.0%}",
            "log p(y)" if average else "log p(y | τ)": (
                f"{exact.log_evidence if average else given.log_evidence[0]:.2f} nats"
            ),
        }


def _upright(x, middle, half):
    low, high = np.subtract(middle, half), np.add(middle, half)
    return np.stack([np.c_[x, low], np.c_[x, high]], 1)


def _a_above_c(given):
    """P(theta_A > theta_C) at each tau: both are normal, and share what is unsure in mu."""
    gap = given.theta_mean[:, 0] - given.theta_mean[:, 2]
    shared = given.pooling[:, 0] * given.pooling[:, 2] * given.mu_variance
    variance = given.theta_variance[:, 0] + given.theta_variance[:, 2] - 2 * shared
    return norm.cdf(gap / np.sqrt(variance))
