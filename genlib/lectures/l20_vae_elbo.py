"""Lecture 20: the evidence lower bound."""

import ipywidgets as widgets
import numpy as np

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gaussian import kl_to_standard_normal
from genlib.lectures.linear_gaussian import LinearGaussian
from genlib.lectures.maths import log_normal, normal
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, key, moving, panel

# Explorer: elbo

LOWEST = -9.0  # nats, the bottom of both right panels


@scene("elbo")
class ELBO(Scene):
    """The evidence lower bound of a model whose evidence is known: move q, and meet the bound."""

    title = "Raise the bound"
    alt = (
        "Left: over the latent z, the prior in grey, the exact posterior in blue and your q in "
        "vermillion. Middle: the ELBO against the mean of q, a hill below the line log p(x); a "
        "dot stands where q is, and a bar joins it to the line. Right: the two terms of the ELBO "
        "stacked downwards from 0, and beside them the gap from there up to the line."
    )
    size = (9.8, 4.0)
    reveals = (
        {"mean": 0.9, "scale": 0.6},
        {"mean": 0.9, "scale": 0.6},
        {"mean": 0.0, "scale": 1.0},
        ({"mean": 0.9, "scale": 0.6}, {"mean": 0.9, "scale": 0.1}),
    )

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
        panel(left, "Over the latent z", ("z", -3, 4), ("density", 0, 2))
        left.plot(self.zs, normal(self.zs), color=COLORS["mixture"], linestyle="--")
        plots.label(left, -1.6, 0.28, "prior", "mixture")
        key(left, 0.97, 0.97, {"exact posterior": "p", "your q": "q"})
        self.posterior, self.q = curve(left, "p"), density(left, "q")

        panel(middle, "ELBO", ("mean of q", -0.5, 2.5), ("nats", LOWEST, 0))
        key(middle, 0.98, 0.98, {"log p(x)": "p"})
        self.elbo = curve(middle, "q")
        self.gap = curve(middle, "highlight", linewidth=6, solid_capstyle="butt")
        self.dot = dot(middle, "q", 10)

        panel(right, "Its parts", ("", -0.3, 2.6), ("", LOWEST, 0), xticks=[])
        parts = {"E log p(x|z)": "q", "−KL(q‖prior)": "accent", "gap": "highlight"}
        key(right, 0.38, 0.26, parts, 0.08, fontsize=10)
        colors = [COLORS[role] for role in parts.values()]
        self.bars = moving(right.bar([0, 0, 0.5], 0, width=0.4, color=colors))
        self.lines = [moving(ax.axhline(color=COLORS["p"])) for ax in (middle, right)]

    def update(self, mean, scale, x):
        means = np.append(self.means, mean)[:, None]
        covariance = np.full((len(means), 1, 1), scale**2)
        expected, kl = (t.numpy() for t in self.model.elbo_terms([x], means, covariance))
        elbo = expected - kl
        evidence = float(self.model.log_prob(np.array([x])))
        centre, variance = self.model.posterior_moments(np.array([x]))
        self.posterior.move(self.zs, normal(self.zs, centre[0], np.sqrt(variance[0, 0])))
        self.q.move(self.zs, np.minimum(normal(self.zs, mean, scale), 10))
        self.elbo.move(self.means, elbo[:-1])
        self.dot.move(mean, elbo[-1])
        self.gap.move([mean, mean], [elbo[-1], evidence])
        for line in self.lines:
            line.set_ydata([evidence, evidence])
        heights = expected[-1], -kl[-1], evidence - elbo[-1]
        for bar, y, height in zip(self.bars, (0, expected[-1], elbo[-1]), heights, strict=True):
            bar.set(y=y, height=height)
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


# Explorer: iwae

KS = (1, 2, 4, 8, 16, 32, 64, 128)
REPEATS = 2000
X = 1.5
BINS = np.linspace(-6, 0.5, 66)
TOPS = (0.15, 0.3, 0.6, 1.2)


@scene("iwae")
class IWAE(Scene):
    """The importance-weighted bound: more draws of z for one bound on log p(x)."""

    title = "More draws, a tighter bound"
    alt = (
        "Left: a histogram of the estimate of log p(x) by k draws from q, in vermillion; a dashed "
        "line marks its mean and a blue line log p(x). Right: that mean against k on a "
        "logarithmic axis: it climbs from the ELBO towards the blue line, and never crosses it."
    )
    reveals = ({}, {"k": 16})

    def controls(self):
        return {
            "k": widgets.SelectionSlider(options=KS, value=1, description="draws k"),
            "mean": slider("mean of q", 0.0, -0.5, 2.5, 0.1),
            "scale": slider("scale of q", 1.0, 0.3, 1.5, 0.1),
        }

    def stage(self, fig):
        self.model = model()
        self.evidence = float(self.model.log_prob(np.array([X])))
        self.noise = np.random.default_rng(0).normal(size=(REPEATS, KS[-1]))
        left, right = fig.subplots(1, 2)
        self.left = left
        nats = ("nats (the first bar: −6 or less)", *BINS[[0, -1]])
        panel(left, f"{REPEATS:,} estimates of log p(x)", nats, ("share of the estimates", 0, 1))
        left.axvline(self.evidence, color=COLORS["p"])
        key(left, 0.66, 0.9, {"log p(x)": "p"}, ha="left", va="bottom")
        style = {"width": np.diff(BINS), "color": COLORS["q"], "alpha": 0.6}
        self.bars = moving(left.bar(BINS[:-1], 0, align="edge", **style))
        self.line = moving(left.axvline(color=COLORS["q"], linestyle="--"))

        ks = ("k", KS[-1] ** -0.05, KS[-1] ** 1.05)
        panel(right, "Their mean", ks, ("nats", -8, -1), xscale="log")
        right.set_xticks(KS, KS)
        right.minorticks_off()
        right.axhline(self.evidence, color=COLORS["p"])
        plots.label(right, KS[-1], self.evidence + 0.1, "log p(x)", "p", ha="right")
        self.means, self.ring = curve(right, "q", marker="o"), dot(right, "q", 13)

    def update(self, k, mean, scale):
        estimates = importance_bounds(log_weights(self.model, self.noise, mean, scale))
        means = {size: values.mean() for size, values in estimates.items()}
        counts, _ = np.histogram(np.clip(estimates[k], BINS[0], BINS[-1]), BINS)
        for bar, count in zip(self.bars, counts, strict=True):
            bar.set_height(count / REPEATS)
        highest = counts.max() / REPEATS
        self.left.set_ylim(0, next(top for top in TOPS if highest < 0.9 * top))
        self.line.set_xdata([means[k]] * 2)
        self.means.move(KS, list(means.values()))
        self.ring.move(k, means[k])
        expected, kl = self.model.elbo_terms([X], [mean], [[scale**2]])
        error = estimates[k].std() / np.sqrt(REPEATS)
        return {
            "mean of the estimates": means[k],
            "its standard error": error,
            "ELBO": float(expected - kl),
            "log p(x)": self.evidence,
            "left to gain": self.evidence - means[k],
        }


def log_weights(model, noise, mean, scale):
    """``log p(X, z) - log q(z)`` for ``z = mean + scale * noise``, of the shape of ``noise``."""
    z = mean + scale * noise
    return log_normal(z) + log_normal(X, z, model.scale) - log_normal(z, mean, scale)


def importance_bounds(log_weights) -> dict[int, np.ndarray]:
    """``log 1/k sum w`` of the first k weights of each row, ``(n,)``, for each k of `KS`."""
    top = log_weights.max(axis=1, keepdims=True)
    sums = np.cumsum(np.exp(log_weights - top), axis=1)
    with np.errstate(divide="ignore"):
        return {k: top[:, 0] + np.log(sums[:, k - 1] / k) for k in KS}


# Explorer: mean_field

DIAGONAL, FULL = "diagonal covariance", "full covariance"
ANGLES = np.linspace(0, 2 * np.pi, 200)


@scene("mean_field")
class MeanField(Scene):
    """Two latents that explain one x: the posterior is tilted, and a diagonal q cannot tilt."""

    title = "A q that cannot tilt"
    alt = (
        "Left: the plane of two latents; the exact posterior as two blue ellipses, the best q of "
        "the chosen kind as two vermillion ones. Right: the gap between log p(x) and the best "
        "ELBO against the noise in x, for the diagonal q; a dot marks where the sliders stand."
    )
    size = (9.2, 4.2)
    reveals = ({}, ({"weight": 0.0}, {"family": FULL}))

    def controls(self):
        return {
            "weight": slider("weight of z2", 1.0, -2.0, 2.0, 0.1),
            "noise": slider("noise in x", 0.4, 0.1, 2.0, 0.05),
            "family": choice("q has", [DIAGONAL, FULL]),
        }

    def stage(self, fig):
        self.noises = np.linspace(0.1, 2, 77)
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.2])
        panel(left, "Posterior and best q", ("z1", -3, 3), ("z2", -3, 3), aspect="equal")
        plots.label(left, -2.8, 2.5, "posterior", "p", ha="left")
        plots.label(left, -2.8, -2.8, "q", "q", ha="left")
        self.exact = [curve(left, "p") for _ in (1, 2)]
        self.best = [curve(left, "q", linestyle="--") for _ in (1, 2)]

        panel(right, "What q cannot reach", ("noise in x", 0, 2), ("gap (nats)", -0.05, 3))
        plots.label(right, 1.9, 0.08, "full covariance", ha="right", fontsize=10)
        key(right, 0.97, 0.9, {"diagonal covariance": "q"}, va="bottom", fontsize=10)
        right.plot(self.noises, 0 * self.noises, color=COLORS["mixture"], linestyle="--")
        self.gaps, self.dot = curve(right, "q"), dot(right, "q", 11)

    def update(self, weight, noise, family):
        model = LinearGaussian([[1.0, weight]], scale=noise)
        mean, covariance = model.posterior_moments(np.array([X]))
        best = covariance if family == FULL else best_diagonal(covariance)
        for lines, matrix in ((self.exact, covariance), (self.best, best)):
            for line, deviations in zip(lines, (1, 2), strict=True):
                line.move(*ellipse(mean, matrix, deviations))
        expected, kl = model.elbo_terms([X], mean, best)
        evidence = float(model.log_prob(np.array([X])))
        gap = abs(evidence - float(expected - kl))
        self.gaps.move(self.noises, [diagonal_gap(weight, s) for s in self.noises])
        self.dot.move(noise, gap)
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


# Exercises


@exercise("20_vae_elbo/1")
def kl_of_one_latent():
    """KL(N(1, 0.5^2) || N(0, 1)), in nats."""

    def kl(mean, log_variance):
        return float(kl_to_standard_normal(np.float64([mean]), np.float64([log_variance])))

    truth = kl(1, 2 * np.log(0.5))
    return Number(
        truth,
        tolerance=0.004,
        right="1/2 (mean² + scale² - 1) - log scale.",
        mistakes=[
            (kl(1, np.log(0.5)), "0.5 is the scale; the formula wants the variance, 0.25."),
            (2 * truth, "The 1/2 in front is missing."),
            (-truth, "KL is never negative: the sign is turned round."),
            (kl(1, -2 * np.log(0.5)), "log of the variance 0.25 is negative, and minus it adds."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
        ],
    )


@exercise("20_vae_elbo/2")
def elbo_by_hand():
    """Write elbo(x, mean, scale) for z ~ N(0, 1), x given z ~ N(z, 1)."""
    model = LinearGaussian([[1.0]])

    def terms(x, mean, variance):
        return (float(term) for term in model.elbo_terms([x], [mean], [[variance]]))

    def elbo(x, mean, scale, sign=-1):
        expected, kl = terms(x, mean, scale**2)
        return expected + sign * kl

    def without_spread(x, mean, scale):
        expected, kl = terms(x, mean, scale**2)
        return expected + scale**2 / 2 - kl

    def without_normaliser(x, mean, scale):
        return elbo(x, mean, scale) + np.log(2 * np.pi) / 2

    return Function(
        elbo,
        inputs=lambda rng: (rng.normal(), rng.normal(), rng.uniform(0.3, 2)),
        tolerance=1e-4,
        right="at mean x/2 and scale sqrt(1/2) it is log p(x), and nowhere more.",
        mistakes=[
            (
                without_spread,
                "E log p(x|z) is an average over q: (x - z)² has the mean (x - mean)² + scale².",
            ),
            (
                without_normaliser,
                "log of a Gaussian density has a constant too: -log(2 pi)/2. Without it nobody "
                "can compare your nats.",
            ),
            (lambda *args: elbo(*args, sign=1), "The KL term is subtracted."),
            (lambda *args: -elbo(*args), "That is the loss, minus the ELBO."),
            (
                lambda x, mean, scale: elbo(x, mean, np.sqrt(scale)),
                "scale is a standard deviation; you used it as a variance.",
            ),
        ],
    )


@exercise("20_vae_elbo/3")
def first_loss():
    """A VAE on 28x28 pictures whose first reconstruction loss is 0.69."""
    return Choice(
        right_choice="mean over pixels",
        why="an undecided decoder costs log 2 = 0.69 nats a pixel, so 543 for all 784; a loss of "
        "0.69 is a mean over pixels, and the KL term beside it then weighs 784 times too much.",
        wrong={
            "already trained": "No training has happened yet: an undecided decoder pays log 2 for "
            "each pixel.",
            "mean over latents": "A KL term averaged over latents would make the KL small, not "
            "the reconstruction.",
        },
    )


@exercise("20_vae_elbo/4")
def gap_of_a_diagonal():
    """The least gap of a diagonal q, for a 2-D Gaussian posterior of correlation 0.8."""
    truth = -np.log(1 - 0.8**2) / 2
    return Number(
        truth,
        tolerance=0.003,
        right="no training of this q ever gets nearer to log p(x).",
        mistakes=[
            (2 * truth, "The 1/2 in front is missing."),
            (-truth, "The gap is never negative."),
            (-np.log(1 - 0.8) / 2, "The correlation is squared inside the logarithm."),
            (0.0, "Only a q that can tilt reaches 0."),
        ],
    )
