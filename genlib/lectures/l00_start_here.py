"""Lecture 00: the way in."""

import numpy as np

from genlib import plots
from genlib.check import Number, exercise
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider

# Explorer: fit

TRUTH = {"weight": 0.35, "mean_1": -2.0, "scale_1": 0.5, "mean_2": 1.2, "scale_2": 0.9}
FLOOR = -4.0  # nats: the gauge shows no score below


def observations(n: int = 200, seed: int = 1) -> np.ndarray:
    """Return the data to fit, shape (n,): a sample of the mixture ``TRUTH``."""
    return _sample(n, seed, **TRUTH)


def log_density(x, weight, mean_1, scale_1, mean_2, scale_2) -> np.ndarray:
    """Return log p(x) of ``weight N(mean_1, scale_1) + (1 - weight) N(mean_2, scale_2)``."""
    first = np.log(weight) + _log_normal(x, mean_1, scale_1)
    second = np.log(1 - weight) + _log_normal(x, mean_2, scale_2)
    return np.logaddexp(first, second)


def best_fit(x, steps: int = 300) -> dict[str, float]:
    """Return the parameters of highest likelihood near ``TRUTH``: expectation-maximization.

    Dempster, Laird and Rubin 1977.
    """
    theta = dict(TRUTH)
    for _ in range(steps):
        first = np.log(theta["weight"]) + _log_normal(x, theta["mean_1"], theta["scale_1"])
        share = np.exp(first - log_density(x, **theta))  # p(first bump | x)
        mean_1, scale_1 = _moments(x, share)
        mean_2, scale_2 = _moments(x, 1 - share)
        theta = {"weight": share.mean(), "mean_1": mean_1, "scale_1": scale_1,
                 "mean_2": mean_2, "scale_2": scale_2}  # fmt: skip
    return {name: float(value) for name, value in theta.items()}


@scene("fit")
class Fit(Scene):
    """Fit a mixture of two Gaussians to data by hand: the whole course on one screen."""

    title = "Can you make the model's samples look like the data?"
    alt = (
        "A histogram of data with two humps, in blue, and over it the density of a model, in "
        "vermillion; below them the data and the model's samples as two rows of dots. A gauge on "
        "the right shows the score, the average log-likelihood. Sliders move the model's two bumps."
    )
    size = (9.4, 4.2)

    def controls(self):
        return {
            "mean_1": slider("first bump: place", -3.0, -4.0, 4.0, 0.1),
            "scale_1": slider("first bump: width", 0.8, 0.2, 2.5, 0.1),
            "mean_2": slider("second bump: place", 2.6, -4.0, 4.0, 0.1),
            "scale_2": slider("second bump: width", 0.8, 0.2, 2.5, 0.1),
            "weight": slider("share of the first", 0.5, 0.05, 0.95, 0.05),
        }

    def stage(self, fig):
        self.data = observations()
        self.best = log_density(self.data, **best_fit(self.data)).mean()
        self.xs = np.linspace(-6, 5, 441)
        ax, gauge = fig.subplots(1, 2, width_ratios=(8, 1))
        ax.set(xlim=(-6, 5), ylim=(-0.27, 0.75), xlabel="x", ylabel="density")
        ax.set_yticks([0, 0.2, 0.4, 0.6])
        ax.axhline(0, color="#8c8c8c", linewidth=1)
        heights, edges = np.histogram(self.data, np.linspace(-5, 5, 41), density=True)
        ax.stairs(heights, edges, fill=True, color=COLORS["real"], alpha=0.3)
        jitter = np.random.default_rng(2).uniform(-0.04, 0.04, len(self.data))
        dots = {"marker": ".", "linestyle": "", "markersize": 5, "alpha": 0.5}
        ax.plot(self.data, -0.08 + jitter, color=COLORS["real"], **dots)
        (self.dots,) = ax.plot(self.data, -0.2 + jitter, color=COLORS["generated"], **dots)
        plots.label(ax, -5.9, -0.08, "data", "real", ha="left", va="center")
        plots.label(ax, -5.9, -0.2, "samples", "generated", ha="left", va="center")
        plots.label(ax, 4.9, 0.7, "model's density", "generated", ha="right", va="center")
        plots.label(ax, 4.9, 0.62, "histogram of the data", "real", ha="right", va="center")
        self.shade = plots.fill(ax, self.xs, 0, 0, "generated", 0.15)
        (self.line,) = ax.plot(self.xs, 0 * self.xs, color=COLORS["generated"])

        top = self.best + 0.25
        gauge.set(xlim=(0, 1), ylim=(FLOOR, top), xticks=[], ylabel="score (nats)")
        gauge.axhline(self.best, color=COLORS["highlight"], linewidth=3)
        plots.label(gauge, 0.5, self.best + 0.03, "best", "highlight", fontsize=10)
        (bar,) = gauge.bar([0.5], [0.0], 0.6, bottom=FLOOR, color=COLORS["generated"], alpha=0.7)
        self.bar = bar
        return [self.dots, self.shade, self.line, self.bar]

    def update(self, mean_1, scale_1, mean_2, scale_2, weight):
        theta = {"weight": weight, "mean_1": mean_1, "scale_1": scale_1,
                 "mean_2": mean_2, "scale_2": scale_2}  # fmt: skip
        ys = np.exp(log_density(self.xs, **theta))
        self.line.set_ydata(ys)
        plots.set_fill(self.shade, self.xs, 0, ys)
        self.dots.set_xdata(_sample(len(self.data), seed=3, **theta))
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


def _log_normal(x, mean, scale):
    return -(((x - mean) / scale) ** 2) / 2 - np.log(scale * np.sqrt(2 * np.pi))


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
