"""Lecture 01: the words of the course."""

import numpy as np
from scipy.special import logsumexp

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider

# Explorer: terminology

CLASS = ("accent", "highlight")  # the colour of y = 0 and of y = 1
JOINT, CONDITIONAL, HIDDEN = "joint p(x, y)", "conditional p(x | y)", "y hidden: only p(x)"
TITLES = {
    JOINT: "Joint: the coloured areas are p(x, 0) and p(x, 1); stacked, they make p(x)",
    CONDITIONAL: "Conditional: p(x | 0) and p(x | 1), each with area 1",
    HIDDEN: "Marginal: p(x) alone; y is latent",
}
SCALE_0, MEAN_0 = 1.0, -1.5


def normal(x, mean, scale):
    """Return the density of N(mean, scale) at ``x``."""
    return np.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


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

    def controls(self):
        return {
            "prior": slider("p(y = 1)", 0.3, 0.05, 0.95, 0.05),
            "mean": slider("mean of y = 1", 1.5, -3.0, 3.0, 0.1),
            "scale": slider("scale of y = 1", 1.0, 0.4, 2.5, 0.1),
            "x": slider("you observe x", 0.5, -5.0, 5.0, 0.1),
            "view": choice("show", list(TITLES)),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-6, 6, 481)
        axes = self.axes = fig.subplots(3, 1, height_ratios=(6, 1.3, 3), sharex=True)
        top, middle, bottom = axes
        top.set(ylabel="density", ylim=(0, 0.35), title=TITLES[JOINT])
        middle.set(yticks=[], ylim=(-1, 1))
        middle.set_ylabel("samples", rotation=0, ha="right", va="center")
        middle.grid(False)
        bottom.set(ylabel="p(y | x)", ylim=(0, 1), xlim=(-6, 6), xlabel="x", yticks=[0, 0.5, 1])
        for ax in axes:
            ax.locator_params(axis="x", nbins=13)
        transform = top.transAxes
        for place, y in ((0.92, 0), (0.83, 1)):
            plots.label(top, 0.99, place, f"y = {y}", CLASS[y], ha="right", va="center",
                        transform=transform)  # fmt: skip
        self.name = plots.label(top, 0.99, 0.74, "p(x)", "mixture", ha="right", va="center",
                                transform=transform)  # fmt: skip

        self.shades = [plots.fill(top, xs, 0, 0, role, 0.55) for role in CLASS]
        self.hidden = plots.fill(top, xs, 0, 0, "mixture", 0.25)
        (self.line,) = top.plot(xs, 0 * xs, color=COLORS["mixture"])
        self.bands = [plots.fill(bottom, xs, 0, 0, role, 0.55) for role in CLASS]
        rng = np.random.default_rng(0)
        self.uniform, self.noise, height = (
            rng.uniform(size=200), rng.standard_normal(200), rng.uniform(-0.8, 0.8, 200)
        )  # fmt: skip
        self.dots = middle.scatter(self.noise, height, s=14, linewidths=0, alpha=0.8)
        self.heights = height
        self.colors = np.array([_rgba(COLORS[role]) for role in CLASS])
        self.gray = _rgba(COLORS["mixture"])
        self.rules = [ax.axvline(0, color="black", linewidth=1.2) for ax in axes]
        self.points = [ax.plot(0, 0, "o", color="black", markersize=6)[0] for ax in (top, bottom)]
        moving = [*self.shades, self.hidden, self.line, *self.bands, self.dots, self.name]
        return [*moving, *self.rules, *self.points]

    def update(self, prior, mean, scale, x, view):
        parameters = np.array([1 - prior, prior]), (MEAN_0, mean), (SCALE_0, scale)
        parts = joint(self.xs, *parameters)
        whole = parts.sum(axis=0)
        if view == CONDITIONAL:
            parts = parts / parameters[0][:, None]
            edges = [(0, parts[0]), (0, parts[1])]
        else:
            edges = [(0, parts[0]), (parts[0], whole)]
        for shade, (low, high) in zip(self.shades, edges, strict=True):
            plots.set_fill(shade, self.xs, low, high)
            shade.set_visible(view != HIDDEN)
        plots.set_fill(self.hidden, self.xs, 0, whole)
        self.hidden.set_visible(view == HIDDEN)
        self.line.set_ydata(whole)
        for artist in (self.line, self.name, self.points[0]):
            artist.set_visible(view != CONDITIONAL)
        peak = parts.max() if view == CONDITIONAL else whole.max()
        self.axes[0].set_ylim(0, next(h for h in (0.35, 0.5, 0.75, 1.2) if peak < 0.95 * h))
        self.axes[0].set_title(TITLES[view])

        ones = posterior(self.xs, *parameters)[1]
        plots.set_fill(self.bands[1], self.xs, 0, ones)
        plots.set_fill(self.bands[0], self.xs, ones, 1)

        y = (self.uniform < prior).astype(int)
        drawn = np.take([MEAN_0, mean], y) + np.take([SCALE_0, scale], y) * self.noise
        self.dots.set_offsets(np.c_[drawn, self.heights])
        self.dots.set_facecolor(self.gray if view == HIDDEN else self.colors[y])

        for rule in self.rules:
            rule.set_xdata([x, x])
        here, p_one = joint(x, *parameters), posterior(x, *parameters)[1]
        self.points[0].set_data([x], [here.sum()])
        self.points[1].set_data([x], [p_one])
        return {
            "p(x, 0)": float(here[0]),
            "p(x, 1)": float(here[1]),
            "p(x)": float(here.sum()),
            "p(y = 1 | x) = p(x, 1) / p(x)": float(p_one),
        }


def _rgba(color):
    return [*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0]


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
def bayes():
    """p(y = 1 | x) where p(y = 1) = 0.1, p(x | 0) = 0.2 and p(x | 1) = 0.5."""
    prior, likelihood = np.array([0.9, 0.1]), np.array([0.2, 0.5])
    joint = prior * likelihood
    return Number(
        joint[1] / joint.sum(),
        tolerance=0.005,
        right="x speaks for y = 1, but y = 1 is rare, and the prior wins.",
        mistakes=[
            (likelihood[1] / likelihood.sum(), "That leaves out the prior p(y)."),
            (joint[1], "That is the joint p(x, 1); divide it by p(x)."),
            (joint.sum(), "That is the marginal p(x)."),
            (joint[0] / joint.sum(), "That is p(y = 0 | x)."),
            (joint[1] / joint[0], "That is the odds; divide by the sum of both."),
        ],
    )


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
