"""Lecture 01: the words of the course."""

import numpy as np
from matplotlib.colors import to_rgba_array
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

from genlib.check import Choice, Function, exercise
from genlib.lectures.maths import normal
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, shade, words

# Explorer: terminology

CLASS = ("accent", "highlight")  # the colour of y = 0 and of y = 1
JOINT, CONDITIONAL, HIDDEN = "joint p(x, y)", "conditional p(x | y)", "y hidden: only p(x)"
TITLES = {
    JOINT: "Joint: the coloured areas are p(x, 0) and p(x, 1); stacked, they make p(x)",
    CONDITIONAL: "Conditional: p(x | 0) and p(x | 1), each with area 1",
    HIDDEN: "Marginal: p(x) alone; y is latent",
}
SCALE_0, MEAN_0 = 1.0, -1.5


def joint(x, prior, means, scales):
    """Return p(x, y) = p(y) p(x | y), one row for each y; ``prior`` is p(y)."""
    return np.stack([p * normal(x, m, s) for p, m, s in zip(prior, means, scales, strict=True)])


def marginal(x, prior, means, scales):
    """Return p(x): the joint, summed over y."""
    return joint(x, prior, means, scales).sum(axis=0)


def posterior(x, prior, means, scales):
    """Return p(y | x) = p(x, y) / p(x), one row for each y: Bayes' rule."""
    return joint(x, prior, means, scales) / marginal(x, prior, means, scales)


@scene("terminology")
class Terminology(Scene):
    """Joint, marginal and conditional densities of a pair (x, y) in one picture."""

    title = "Two classes: joint, marginal and conditional"
    alt = (
        "Three panels over the same x. Top: the densities of x and of the class y, zero or one. "
        "Middle: samples of x as dots, coloured by their class. Bottom: the probability of each "
        "class given x, as two bands that fill the height. A vertical line marks one x."
    )
    size = (9.4, 5.4)
    reveals = (
        ({"x": 0.3}, {"prior": 0.05, "x": 1.0}),
        {"mean": 0.0, "scale": 2.5},
        {"view": HIDDEN},
    )

    def controls(self):
        return {
            "prior": slider("p(y = 1)", 0.3, 0.05, 0.95, 0.05),
            "mean": slider("mean of y = 1", 1.5, -3.0, 3.0, 0.1),
            "scale": slider("scale of y = 1", 1.0, 0.4, 2.5, 0.1),
            "x": slider("you observe x", 0.5, -5.0, 5.0, 0.1),
            "view": choice("show", list(TITLES)),
        }

    def stage(self, fig):
        self.xs = np.linspace(-6, 6, 481)
        axes = self.axes = fig.subplots(3, 1, height_ratios=(6, 1.3, 3), sharex=True)
        top, middle, bottom = axes
        panel(top, TITLES[JOINT], "", ("density", 0, 0.35))
        panel(middle, "", "", ("", -1, 1), yticks=[])
        middle.set_ylabel("samples", rotation=0, ha="right", va="center")
        middle.grid(False)
        panel(bottom, "", ("x", -6, 6), ("p(y | x)", 0, 1), yticks=[0, 0.5, 1])
        for ax in axes:
            ax.locator_params(axis="x", nbins=13)
        key(top, 0.99, 0.92, {"y = 0": CLASS[0], "y = 1": CLASS[1]}, va="center")
        style = {"ha": "right", "va": "center", "transform": top.transAxes}
        self.name = words(top, "mixture", "p(x)", **style)
        self.name.move(0.99, 0.74)

        self.shades = [shade(top, role, 0.55) for role in CLASS]
        self.hidden = shade(top, "mixture")
        self.line = curve(top, "mixture")
        self.bands = [shade(bottom, role, 0.55) for role in CLASS]
        rng = np.random.default_rng(0)
        self.uniform, self.noise = rng.uniform(size=200), rng.standard_normal(200)
        self.heights = rng.uniform(-0.8, 0.8, 200)
        self.dots = moving(middle.scatter(self.noise, self.heights, s=14, linewidths=0, alpha=0.8))
        self.colors = to_rgba_array([COLORS[role] for role in CLASS])
        self.rules = moving([ax.axvline(0, color="black", linewidth=1.2) for ax in axes])
        self.points = [dot(ax, "black", 6) for ax in (top, bottom)]

    def update(self, prior, mean, scale, x, view):
        parameters = np.array([1 - prior, prior]), (MEAN_0, mean), (SCALE_0, scale)
        parts = joint(self.xs, *parameters)
        whole = parts.sum(axis=0)
        if view == CONDITIONAL:
            parts = parts / parameters[0][:, None]
            edges = [(0, parts[0]), (0, parts[1])]
        else:
            edges = [(0, parts[0]), (parts[0], whole)]
        for area, (low, high) in zip(self.shades, edges, strict=True):
            area.move(self.xs, low, high)
            area.set_visible(view != HIDDEN)
        self.hidden.move(self.xs, 0, whole)
        self.hidden.set_visible(view == HIDDEN)
        self.line.move(self.xs, whole)
        for artist in (self.line, self.name, self.points[0]):
            artist.set_visible(view != CONDITIONAL)
        peak = parts.max() if view == CONDITIONAL else whole.max()
        self.axes[0].set_ylim(0, next(h for h in (0.35, 0.5, 0.75, 1.2) if peak < 0.95 * h))
        self.axes[0].set_title(TITLES[view])

        ones = posterior(self.xs, *parameters)[1]
        self.bands[1].move(self.xs, 0, ones)
        self.bands[0].move(self.xs, ones, 1)

        y = (self.uniform < prior).astype(int)
        drawn = np.take([MEAN_0, mean], y) + np.take([SCALE_0, scale], y) * self.noise
        self.dots.set_offsets(np.c_[drawn, self.heights])
        self.dots.set_facecolor(COLORS["mixture"] if view == HIDDEN else self.colors[y])

        for rule in self.rules:
            rule.set_xdata([x, x])
        here, p_one = joint(x, *parameters), posterior(x, *parameters)[1]
        self.points[0].move(x, here.sum())
        self.points[1].move(x, p_one)
        return {
            "p(x, 0)": float(here[0]),
            "p(x, 1)": float(here[1]),
            "p(x)": float(here.sum()),
            "p(y = 1 | x) = p(x, 1) / p(x)": float(p_one),
        }


# Exercises


@exercise("01_terminology/1")
def what_is_missing():
    """Which of these does p(y | x) alone not let you do?"""
    return Choice(
        "draw",
        "to draw a picture you need a probability of pictures, and p(y | x) takes x as given.",
        wrong={
            "classify": "Classifying needs p(y | x) only: choose the y where it is largest.",
            "compare": "p(y | x) at two pictures says which is more probably an eight.",
        },
    )


@exercise("01_terminology/2")
def fit_discriminative():
    """Write fit(x, y): the w and b of p(y = 1 | x) = sigmoid(w x + b) that fit labels best."""

    def inputs(rng):
        y = rng.permutation(np.arange(60) % 3 == 0).astype(int)  # twenty ones
        return rng.exponential(1 + y) + 1.5 * y, y

    def descend(x, y, loss, sign=1):
        def objective(theta):
            logits = sign * (theta[0] * x + theta[1])
            return loss(logits)

        return minimize(objective, np.zeros(2), method="BFGS").x

    def discriminative(x, y, sign=1):
        return descend(x, y, lambda t: np.mean(np.logaddexp(0, t) - y * t), sign)

    def generative(x, y):
        """A Gaussian a class, of one variance, then Bayes' rule."""
        means, share = [x[y == c].mean() for c in (0, 1)], y.mean()
        variance = np.mean((x - np.take(means, y)) ** 2)
        w = (means[1] - means[0]) / variance
        return w, np.log(share / (1 - share)) - w * np.mean(means)

    return Function(
        discriminative,
        inputs,
        tolerance=0.02,
        right="it raises log p(y | x) and never asks how likely x itself is.",
        mistakes=[
            (generative, "That fits p(x | y), a Gaussian a class, and turns it by Bayes' rule: the "
             "generative way. The x here are not Gaussian; maximise the mean log p(y | x)."),
            (lambda x, y: discriminative(x, y, -1), "The sign: that is p(y = 0 | x)."),
            (lambda x, y: np.polyfit(x, y, 1), "That is a straight line through the labels, by "
             "least squares; the mean log p(y | x) is wanted."),
            (lambda x, y: np.flip(discriminative(x, y)), "Return w first, then b."),
            (lambda x, y: descend(x, y, lambda t: np.mean((y - expit(t)) ** 2)), "That is the "
             "squared error of the probability; maximise its logarithm."),
        ],
        calls=6,
    )  # fmt: skip


@exercise("01_terminology/3")
def log_marginal():
    """Write log_marginal(log_prior, log_likelihood): log p(x) for a latent z of k values."""

    def naive(log_prior, log_likelihood):
        with np.errstate(divide="ignore"):
            return np.log(np.sum(np.exp(log_prior + log_likelihood)))

    def inputs(rng):
        log_prior = np.log(rng.dirichlet(np.ones(3)))
        return log_prior, rng.normal(size=3) - rng.choice([0.0, 2000.0])

    return Function(
        lambda log_prior, log_likelihood: logsumexp(log_prior + log_likelihood),
        inputs=inputs,
        tolerance=1e-4,
        right="the joint p(z) p(x | z), summed over z, and safe far out in the tails.",
        mistakes=[
            (naive, "Right where densities are not tiny, but exp(-2000) is 0; use logsumexp."),
            (lambda a, b: logsumexp(b), "That leaves out the prior p(z)."),
            (
                lambda a, b: np.sum(a + b),
                "That is the log of a product over z; the marginal is a sum over z.",
            ),
            (
                lambda a, b: np.sum(np.exp(a) * b),
                "That averages log p(x | z); the average goes inside the logarithm.",
            ),
            (
                lambda a, b: np.max(a + b),
                "That keeps the most probable z only; sum over all of them.",
            ),
        ],
    )
