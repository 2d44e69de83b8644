"""Two latents that explain one x: the posterior is tilted, and a diagonal q cannot tilt."""

import numpy as np

from genlib import plots
from genlib.likelihood.bounds import LinearGaussian
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

DIAGONAL, FULL = "diagonal covariance", "full covariance"
X = 1.5
ANGLES = np.linspace(0, 2 * np.pi, 200)


class MeanField(Scene):
    title = "A q that cannot tilt"
    alt = (
        "Left: the plane of two latents; the exact posterior as two blue ellipses, the best q of "
        "the chosen kind as two vermillion ones. Right: the gap between log p(x) and the best "
        "ELBO against the noise in x, for the diagonal q; a dot marks where the sliders stand."
    )
    size = (9.2, 4.2)

    def controls(self):
        return {
            "weight": slider("weight of z2", 1.0, -2.0, 2.0, 0.1),
            "noise": slider("noise in x", 0.4, 0.1, 2.0, 0.05),
            "family": choice("q has", [DIAGONAL, FULL]),
        }

    def stage(self, fig):
        self.noises = np.linspace(0.1, 2, 77)
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.2])
        left.set(title="Posterior and best q", xlabel="z1", ylabel="z2", xlim=(-3, 3))
        left.set(ylim=(-3, 3), aspect="equal")
        plots.label(left, -2.8, 2.5, "posterior", "p", ha="left")
        plots.label(left, -2.8, -2.8, "q", "q", ha="left")
        right.set(title="What q cannot reach", xlabel="noise in x", ylabel="gap (nats)")
        right.set(xlim=(0, 2), ylim=(-0.05, 3))
        plots.label(right, 1.9, 0.08, "full covariance", ha="right", fontsize=10)
        plots.label(right, 0.97, 0.9, "diagonal covariance", "q", ha="right", fontsize=10,
                    transform=right.transAxes)  # fmt: skip
        right.plot(self.noises, 0 * self.noises, color=COLORS["mixture"], linestyle="--")
        self.exact = [left.plot([], [], color=COLORS["p"])[0] for _ in (1, 2)]
        self.best = [left.plot([], [], color=COLORS["q"], linestyle="--")[0] for _ in (1, 2)]
        (self.curve,) = right.plot(self.noises, 0 * self.noises, color=COLORS["q"])
        (self.dot,) = right.plot([0], [0], "o", color=COLORS["q"], markersize=11)
        return [*self.exact, *self.best, self.curve, self.dot]

    def update(self, weight, noise, family):
        model = LinearGaussian([[1.0, weight]], scale=noise)
        mean, covariance = model.posterior_moments(np.array([X]))
        best = covariance if family == FULL else best_diagonal(covariance)
        for lines, matrix in ((self.exact, covariance), (self.best, best)):
            for line, deviations in zip(lines, (1, 2), strict=True):
                line.set_data(*ellipse(mean, matrix, deviations))
        expected, kl = model.elbo_terms([X], mean, best)
        evidence = float(model.log_prob(np.array([X])))
        gap = abs(evidence - float(expected - kl))
        self.curve.set_ydata([diagonal_gap(weight, s) for s in self.noises])
        self.dot.set_data([noise], [gap])
        correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        return {
            "log p(x)": evidence,
            "best ELBO of this kind": evidence - gap,
            "gap": f"{gap:.3f} nats",
            "correlation of z1 and z2, given x": correlation,
        }


def best_diagonal(covariance):
    """The diagonal covariance nearest to ``covariance`` in KL(q‖posterior).

    The inverse of the diagonal of the precision matrix (Bishop 2006, section 10.1.2).
    """
    return np.diag(1 / np.diag(np.linalg.inv(covariance)))


def diagonal_gap(weight, noise):
    """``-log(1 - r^2) / 2``, r the posterior correlation for weights ``(1, weight)``."""
    first, second = 1 + 1 / noise**2, 1 + (weight / noise) ** 2
    return -np.log(1 - (weight / noise**2) ** 2 / (first * second)) / 2


def ellipse(mean, covariance, deviations):
    """The curve that many standard deviations from ``mean``, as ``(2, n)``."""
    root = np.linalg.cholesky(covariance)
    return mean[:, None] + deviations * root @ np.stack([np.cos(ANGLES), np.sin(ANGLES)])
