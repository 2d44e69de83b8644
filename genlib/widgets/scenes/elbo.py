"""The evidence lower bound of a model whose evidence is known: move q, and meet the bound."""

import numpy as np

from genlib import plots
from genlib.likelihood.bounds import LinearGaussian
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

LOWEST = -9.0  # nats, the bottom of both right panels


class ELBO(Scene):
    title = "Raise the bound"
    alt = (
        "Left: over the latent z, the prior in grey, the exact posterior in blue and your q in "
        "vermillion. Middle: the ELBO against the mean of q, a hill below the line log p(x); a "
        "dot stands where q is, and a bar joins it to the line. Right: the two terms of the ELBO "
        "stacked downwards from 0, and beside them the gap from there up to the line."
    )
    size = (9.8, 4.0)

    def controls(self):
        return {
            "mean": slider("mean of q", 0.0, -0.5, 2.5, 0.05),
            "scale": slider("scale of q", 0.4, 0.1, 1.5, 0.05),
            "x": slider("the observed x", 1.5, 0.5, 2.0, 0.1),
        }

    def stage(self, fig):
        self.model = model()
        self.zs, self.means = np.linspace(-3, 4, 351), np.linspace(-0.5, 2.5, 121)
        left, middle, right = fig.subplots(1, 3, width_ratios=[1.4, 1.2, 1.1])
        left.set(title="Over the latent z", xlabel="z", ylabel="density", xlim=(-3, 4), ylim=(0, 2))
        prior = normal(self.zs, 0, 1)
        left.plot(self.zs, prior, color=COLORS["mixture"], linestyle="--")
        plots.label(left, -1.6, 0.28, "prior", "mixture")
        (self.posterior,) = left.plot(self.zs, prior, color=COLORS["p"])
        (self.q,) = left.plot(self.zs, prior, color=COLORS["q"])
        self.shade = plots.fill(left, self.zs, 0, prior, "q")
        plots.label(left, 0.97, 0.97, "exact posterior", "p", ha="right", va="top",
                    transform=left.transAxes)  # fmt: skip
        plots.label(left, 0.97, 0.88, "your q", "q", ha="right", va="top",
                    transform=left.transAxes)  # fmt: skip

        middle.set(title="ELBO", xlabel="mean of q", ylabel="nats", xlim=(-0.5, 2.5))
        right.set(title="Its parts", xlim=(-0.3, 2.6), xticks=[])
        for ax in (middle, right):
            ax.set_ylim(LOWEST, 0)
        (self.curve,) = middle.plot(self.means, 0 * self.means, color=COLORS["q"])
        self.lines = [ax.axhline(-1, color=COLORS["p"]) for ax in (middle, right)]
        (self.gap,) = middle.plot([0, 0], [0, 0], color=COLORS["highlight"], linewidth=6)
        (self.dot,) = middle.plot([0], [0], "o", color=COLORS["q"], markersize=10)
        roles = ("q", "accent", "highlight")
        self.bars = [
            right.bar([place], [0], color=COLORS[role], width=0.4)[0]
            for place, role in zip((0, 0, 0.5), roles, strict=True)
        ]
        for height, text, role in ((0.10, "gap", "highlight"), (0.18, "−KL(q‖prior)", "accent"),
                                   (0.26, "E log p(x|z)", "q")):  # fmt: skip
            plots.label(right, 0.38, height, text, role, fontsize=10, ha="left",
                        transform=right.transAxes)  # fmt: skip
        plots.label(middle, 0.98, 0.98, "log p(x)", "p", ha="right", va="top",
                    transform=middle.transAxes)  # fmt: skip
        moving = [self.posterior, self.q, self.shade, self.curve, self.gap, self.dot]
        return [*moving, *self.bars, *self.lines]

    def update(self, mean, scale, x):
        means = np.append(self.means, mean)[:, None]
        covariance = np.full((len(means), 1, 1), scale**2)
        expected, kl = (t.numpy() for t in self.model.elbo_terms([x], means, covariance))
        elbo = expected - kl
        evidence = float(self.model.log_prob(np.array([x])))
        centre, variance = self.model.posterior_moments(np.array([x]))
        self.posterior.set_ydata(normal(self.zs, centre[0], np.sqrt(variance[0, 0])))
        ys = np.minimum(normal(self.zs, mean, scale), 10)
        self.q.set_ydata(ys)
        plots.set_fill(self.shade, self.zs, 0, ys)
        self.curve.set_ydata(elbo[:-1])
        self.dot.set_data([mean], [elbo[-1]])
        self.gap.set_data([mean, mean], [elbo[-1], evidence])
        for line in self.lines:
            line.set_ydata([evidence, evidence])
        tops = (0, expected[-1], elbo[-1])
        for bar, top, height in zip(
            self.bars, tops, (expected[-1], -kl[-1], evidence - elbo[-1]), strict=True
        ):
            bar.set_y(top)
            bar.set_height(height)
        return {
            "E log p(x|z)": expected[-1],
            "KL(q‖prior)": kl[-1],
            "ELBO": elbo[-1],
            "log p(x)": evidence,
            "gap = KL(q‖posterior)": abs(evidence - elbo[-1]),
        }


def model() -> LinearGaussian:
    """Return the model: z ~ N(0, 1), x given z ~ N(z, 0.8^2)."""
    return LinearGaussian([[1.0]], scale=0.8)


def normal(z, mean, scale):
    """The density of N(mean, scale^2) at ``z``."""
    return np.exp(-(((z - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))
