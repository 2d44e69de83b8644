"""The importance-weighted bound: more draws of z for one bound on log p(x)."""

import ipywidgets as widgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider
from genlib.widgets.scenes import elbo

KS = (1, 2, 4, 8, 16, 32, 64, 128)
REPEATS = 2000
X = 1.5
BINS = np.linspace(-6, 0.5, 66)
TOPS = (0.15, 0.3, 0.6, 1.2)


class IWAE(Scene):
    title = "More draws, a tighter bound"
    alt = (
        "Left: a histogram of the estimate of log p(x) by k draws from q, in vermillion; a dashed "
        "line marks its mean and a blue line log p(x). Right: that mean against k on a "
        "logarithmic axis: it climbs from the ELBO towards the blue line, and never crosses it."
    )

    def controls(self):
        return {
            "k": widgets.SelectionSlider(options=KS, value=1, description="draws k"),
            "mean": slider("mean of q", 0.0, -0.5, 2.5, 0.1),
            "scale": slider("scale of q", 1.0, 0.3, 1.5, 0.1),
        }

    def stage(self, fig):
        self.model = elbo.model()
        self.evidence = float(self.model.log_prob(np.array([X])))
        self.noise = np.random.default_rng(0).normal(size=(REPEATS, KS[-1]))
        left, right = fig.subplots(1, 2)
        self.left = left
        left.set(title=f"{REPEATS:,} estimates of log p(x)", xlim=BINS[[0, -1]], ylim=(0, 1))
        left.set(xlabel="nats (the first bar: −6 or less)", ylabel="share of the estimates")
        right.set(title="Their mean", xlabel="k", ylabel="nats", xscale="log", ylim=(-8, -1))
        right.set_xticks(KS, KS)
        right.minorticks_off()
        left.axvline(self.evidence, color=COLORS["p"])
        right.axhline(self.evidence, color=COLORS["p"])
        plots.label(left, 0.66, 0.9, "log p(x)", "p", ha="left", transform=left.transAxes)
        plots.label(right, KS[-1], self.evidence + 0.1, "log p(x)", "p", ha="right")
        self.bars = left.bar(BINS[:-1], 0 * BINS[:-1], np.diff(BINS), align="edge",
                             color=COLORS["q"], alpha=0.6)  # fmt: skip
        self.line = left.axvline(0, color=COLORS["q"], linestyle="--")
        (self.curve,) = right.plot(KS, 0 * np.array(KS), "o-", color=COLORS["q"])
        (self.ring,) = right.plot([1], [0], "o", color=COLORS["q"], markersize=13)
        return [self.bars, self.line, self.curve, self.ring]

    def update(self, k, mean, scale):
        z = mean + scale * self.noise
        # log p(x, z) / q(z): the model's formula in NumPy, quicker here than a tensor's
        s = self.model.scale
        log_weights = np.log(scale / s) - np.log(2 * np.pi) / 2
        log_weights = log_weights + (self.noise**2 - z**2 - ((X - z) / s) ** 2) / 2
        estimates = importance_bounds(log_weights)
        means = {size: values.mean() for size, values in estimates.items()}
        counts, _ = np.histogram(np.clip(estimates[k], BINS[0], BINS[-1]), BINS)
        for bar, count in zip(self.bars, counts, strict=True):
            bar.set_height(count / REPEATS)
        highest = counts.max() / REPEATS
        self.left.set_ylim(0, next(top for top in TOPS if highest < 0.9 * top))
        self.line.set_xdata([means[k]] * 2)
        self.curve.set_ydata(list(means.values()))
        self.ring.set_data([k], [means[k]])
        expected, kl = self.model.elbo_terms([X], [mean], [[scale**2]])
        error = estimates[k].std() / np.sqrt(REPEATS)
        return {
            "mean of the estimates": means[k],
            "its standard error": error,
            "ELBO": float(expected - kl),
            "log p(x)": self.evidence,
            "left to gain": self.evidence - means[k],
        }


def importance_bounds(log_weights) -> dict[int, np.ndarray]:
    """``log 1/k sum w`` of the first k weights of each row, ``(n,)``, for each k of `KS`."""
    top = log_weights.max(axis=1, keepdims=True)
    sums = np.cumsum(np.exp(log_weights - top), axis=1)
    with np.errstate(divide="ignore"):
        return {k: top[:, 0] + np.log(sums[:, k - 1] / k) for k in KS}
