"""Lecture 00: the way in."""

import numpy as np

from genlib import plots
from genlib.check import Number, exercise
from genlib.lectures.maths import log_normal
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import density, dot, moving, panel

# Explorer: fit

TRUTH = {"weight": 0.35, "mean_1": -2.0, "scale_1": 0.5, "mean_2": 1.2, "scale_2": 0.9}
#: Where the sliders stand at first, and where `best_fit` starts.
START = {"weight": 0.5, "mean_1": -3.0, "scale_1": 0.8, "mean_2": 2.6, "scale_2": 0.8}
FLOOR = -4.0  # nats: the gauge shows no score below


def observations(n: int = 200, seed: int = 1) -> np.ndarray:
    """Return the data to fit, shape (n,): a sample of the mixture ``TRUTH``."""
    return _sample(n, seed, **TRUTH)


def log_density(x, weight, mean_1, scale_1, mean_2, scale_2) -> np.ndarray:
    """Return log p(x) of ``weight N(mean_1, scale_1) + (1 - weight) N(mean_2, scale_2)``."""
    first = np.log(weight) + log_normal(x, mean_1, scale_1)
    second = np.log(1 - weight) + log_normal(x, mean_2, scale_2)
    return np.logaddexp(first, second)


def best_fit(x, steps: int = 300) -> dict[str, float]:
    """Return parameters at a maximum of the likelihood: expectation-maximization from ``START``.

    Dempster, Laird and Rubin 1977.
    """
    theta = dict(START)
    for _ in range(steps):
        first = np.log(theta["weight"]) + log_normal(x, theta["mean_1"], theta["scale_1"])
        share = np.exp(first - log_density(x, **theta))  # p(first component | x)
        values = share.mean(), *_moments(x, share), *_moments(x, 1 - share)
        theta = dict(zip(START, values, strict=True))
    return {name: float(value) for name, value in theta.items()}


# Within 0.02 nats of the best fit, on the sliders' steps.
_NEAR = {"mean_1": -2.0, "scale_1": 0.4, "mean_2": 1.1, "scale_2": 0.9, "weight": 0.35}


@scene("fit")
class Fit(Scene):
    """Fit a mixture of two Gaussians to data by hand: the whole course on one screen."""

    title = "Can you make the model's samples look like the data?"
    alt = (
        "A histogram of data with two modes, in blue, and over it the density of a model, in "
        "vermillion; below them the data and the model's samples as two rows of dots. A gauge on "
        "the right shows the score, the average log-likelihood. Sliders move the model's two bumps."
    )
    size = (9.4, 4.2)
    reveals = (
        (_NEAR, _NEAR | {"scale_1": 0.2}),
        _NEAR | {"mean_1": 1.2, "scale_1": 0.9, "mean_2": 1.2},
        _NEAR,
    )

    def controls(self):
        return {
            "mean_1": slider("first bump: location", START["mean_1"], -4.0, 4.0, 0.1),
            "scale_1": slider("first bump: width", START["scale_1"], 0.2, 2.5, 0.1),
            "mean_2": slider("second bump: location", START["mean_2"], -4.0, 4.0, 0.1),
            "scale_2": slider("second bump: width", START["scale_2"], 0.2, 2.5, 0.1),
            "weight": slider("share of the first", START["weight"], 0.05, 0.95, 0.05),
        }

    def stage(self, fig):
        self.data = observations()
        self.best = log_density(self.data, **best_fit(self.data)).mean()
        self.xs = np.linspace(-6, 5, 441)
        ax, gauge = fig.subplots(1, 2, width_ratios=(8, 1))
        panel(ax, "", ("x", -6, 5), ("density", -0.27, 0.75), yticks=[0, 0.2, 0.4, 0.6])
        ax.axhline(0, color="#8c8c8c", linewidth=1)
        heights, edges = np.histogram(self.data, np.linspace(-5, 5, 41), density=True)
        ax.stairs(heights, edges, fill=True, color=COLORS["real"], alpha=0.3)
        jitter = np.random.default_rng(2).uniform(-0.04, 0.04, len(self.data))
        ax.plot(self.data, -0.08 + jitter, ".", color=COLORS["real"], markersize=5, alpha=0.5)
        self.rows, self.dots = -0.2 + jitter, dot(ax, "generated", 5, ".", alpha=0.5)
        plots.label(ax, -5.9, -0.08, "data", "real", ha="left", va="center")
        plots.label(ax, -5.9, -0.2, "samples", "generated", ha="left", va="center")
        plots.label(ax, 4.9, 0.7, "model's density", "generated", ha="right", va="center")
        plots.label(ax, 4.9, 0.62, "histogram of the data", "real", ha="right", va="center")
        self.model = density(ax, "generated", alpha=0.15)

        panel(gauge, "", ("", 0, 1), ("score (nats)", FLOOR, self.best + 0.25), xticks=[])
        gauge.axhline(self.best, color=COLORS["highlight"], linewidth=3)
        plots.label(gauge, 0.5, self.best + 0.03, "best", "highlight", fontsize=10)
        (self.bar,) = moving(
            gauge.bar(0.5, 0, 0.6, bottom=FLOOR, color=COLORS["generated"], alpha=0.7)
        )

    def update(self, **theta):
        self.model.move(self.xs, np.exp(log_density(self.xs, **theta)))
        self.dots.move(_sample(len(self.data), seed=3, **theta), self.rows)
        score = log_density(self.data, **theta).mean()
        self.bar.set_height(max(score, FLOOR) - FLOOR)
        return {
            "score: average log-likelihood": f"{score:.2f} nats",
            "still to gain": f"{max(self.best - score, 0):.2f} nats",
        }


def _sample(n, seed, weight, mean_1, scale_1, mean_2, scale_2):
    rng = np.random.default_rng(seed)
    first, noise = rng.uniform(size=n) < weight, rng.standard_normal(n)
    return np.where(first, mean_1 + scale_1 * noise, mean_2 + scale_2 * noise)


def _moments(x, share):
    mean = np.average(x, weights=share)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=share))


# Exercises


@exercise("00_start_here/1")
def average_log_likelihood():
    """The score, in nats, of a model whose density is 0.2 at every data point."""
    truth = np.log(0.2)
    return Number(
        truth,
        tolerance=0.005,
        right="the average of equal numbers is that number, and the score is a logarithm.",
        mistakes=[
            (0.2, "That is the density; the score is its natural logarithm."),
            (-truth, "The sign is wrong: the logarithm of a number below 1 is negative."),
            (np.log10(0.2), "That is the logarithm to base 10; nats use np.log."),
            (np.log2(0.2), "That is in bits; nats use np.log."),
        ],
    )
