"""Lecture 04: why generative models?"""

import ipywidgets as widgets
import numpy as np
from matplotlib.ticker import MaxNLocator

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood import GaussianMixture
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, key, panel, shade

# Explorer: gradient_estimators

RUNS, MOST_SAMPLES = 2000, 50
SCALES = np.geomspace(0.1, 3, 30)
SCORE, PATH = "score function", "reparameterised"
ROLES = {SCORE: "accent", PATH: "highlight"}
FEET = {SCORE: 1.25, PATH: 0}  # of the two histograms, one above the other
_EPS = np.linspace(-8, 8, 2001)
_MASS = np.exp(-(_EPS**2) / 2) / np.exp(-(_EPS**2) / 2).sum()

# Each f with its slope and the limits of its picture. The step's slope is 0 wherever it has one.
FUNCTIONS = {
    "log-likelihood": (lambda z: -((z - 2) ** 2) / 2, lambda z: 2 - z, (-9, 1)),
    "wave": (lambda z: np.sin(6 * z), lambda z: 6 * np.cos(6 * z), (-3, 1.5)),
    "step": (lambda z: 1.0 * (z > 1), lambda z: 0.0 * z, (-1, 2)),
}


@scene("gradient_estimators")
class GradientEstimators(Scene):
    """The slope of an average over samples, estimated in two ways, and the spread of each."""

    title = "Two estimates of one slope"
    alt = (
        "Left: a function f in grey, and under it the Gaussian of z in vermillion. Middle: two "
        "histograms of estimates of the slope of the mean of f, score-function ones above in pink "
        "and reparameterised ones below in orange, with the true slope as a line. Right: the "
        "standard deviation of both against the width of the Gaussian, on log scales, with dots "
        "at the current one."
    )
    size = (10, 3.8)
    reveals = (
        {"scale": 0.1},
        ({}, {"baseline": True}),
        ({}, {"samples": 35, "baseline": True}),
        {"function": "wave", "scale": 2.0},
        ({"function": "step"}, {"function": "step", "samples": MOST_SAMPLES}),
    )

    def controls(self):
        return {
            "function": choice("f", FUNCTIONS),
            "mean": slider("mean θ", 0.0, -2.0, 3.0, 0.1),
            "scale": slider("scale σ", 0.5, 0.1, 3.0, 0.1),
            "samples": slider("samples in one estimate", 1, 1, MOST_SAMPLES, 1),
            "baseline": widgets.Checkbox(value=False, description="subtract the mean of f"),
        }

    def stage(self, fig):
        self.noise = np.random.default_rng(0).normal(size=(RUNS, MOST_SAMPLES))
        self.zs = np.linspace(-5, 6, 401)
        left, middle, right = self.axes = fig.subplots(1, 3, width_ratios=[1, 1.15, 1])
        panel(left, "f, and where z falls", ("z", -4, 5))
        left.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel(middle, "Estimates of the slope", "estimate", ("", 0, 2.5), yticks=[])
        scales, spreads = ("scale σ", 0.09, 3.3), ("standard deviation", 0.01, 200)
        panel(right, "Spread", scales, spreads, xscale="log", yscale="log")
        right.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
        right.minorticks_off()
        self.curve = curve(left, "mixture")
        self.density = shade(left, "generated", 0.4)
        self.dot = dot(left, "generated", 6)
        self.truth = curve(middle, "black", linewidth=1.5)
        self.bars = {name: shade(middle, role, 0.6) for name, role in ROLES.items()}
        self.spreads = {name: curve(right, role) for name, role in ROLES.items()}
        self.dots = {name: dot(right, role, 8) for name, role in ROLES.items()}
        key(right, 0.98, 0.93, ROLES, 0.07, va="bottom")
        for name, role in ROLES.items():
            key(middle, 0.02, FEET[name] / 2.5 + 0.39, {name: role}, va="bottom", fontsize=10)
        key(left, 0.03, 0.92, {"f": "mixture"}, ha="center", va="bottom", fontsize=13)

    def update(self, function, mean, scale, samples, baseline):
        f, slope, limits = FUNCTIONS[function]
        self.axes[0].set_ylim(limits)
        foot = limits[0]
        self.curve.move(self.zs, f(self.zs))
        height = np.exp(-(((self.zs - mean) / scale) ** 2) / 2) * 0.3 * (limits[1] - limits[0])
        self.density.move(self.zs, foot, foot + height)
        self.dot.move(mean, f(np.float64(mean)))

        truth, spread = exact(function, mean, np.append(SCALES, scale), samples, baseline)
        noise = self.noise[:, :samples]
        level = f(mean + scale * _EPS) @ _MASS if baseline else 0.0
        found = {
            SCORE: ((f(mean + scale * noise) - level) * noise / scale).mean(1),
            PATH: slope(mean + scale * noise).mean(1),
        }
        self._draw_estimates(found, truth[-1])
        for name, values in spread.items():
            self.spreads[name].move(SCALES, values[:-1])
            self.dots[name].move(scale, values[-1])
        numbers = {"true slope": _two_places(truth[-1])}
        for name, values in found.items():
            average = _two_places(values.mean())
            numbers[name] = f"{average} on average, standard deviation {spread[name][-1]:.2f}"
        return numbers

    def _draw_estimates(self, found, truth):
        widest = max(np.quantile(np.abs(values), 0.99) for values in found.values())
        reach = next(r for r in (2, 5, 10, 20, 50, 100, 200, 1000) if r >= max(widest, abs(truth)))
        self.axes[1].set_xlim(-reach, reach)
        for name, values in found.items():
            heights, edges = np.histogram(values, np.linspace(-reach, reach, 81))
            ys = FEET[name] + 0.95 * np.repeat(heights / max(1, heights.max()), 2)
            self.bars[name].move(np.repeat(edges, 2)[1:-1], FEET[name], ys)
        self.truth.move([truth, truth], [0, 2.5])


def _two_places(value):
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0 turns -0.0 into 0.0


def exact(function, mean, scales, samples=1, baseline=False):
    """The true slope (k,) at each of ``scales`` (k,), and both estimators' standard deviations.

    By quadrature. Without samples to be lucky with: what a histogram of infinitely many runs shows.
    """
    f, slope, _ = FUNCTIONS[function]
    scales = np.asarray(scales, float)[:, None]
    z = mean + scales * _EPS
    values = f(z)
    truth = values * _EPS / scales @ _MASS
    if baseline:
        values = values - (values @ _MASS)[:, None]
    moments = {SCORE: values * _EPS / scales, PATH: slope(z)}
    spread = {}
    for name, single in moments.items():
        variance = single**2 @ _MASS - (single @ _MASS) ** 2
        spread[name] = np.sqrt(np.maximum(variance, 0) / samples)
    return truth, spread


# Exercises


@exercise("04_why_generative_models/1")
def bayes_rule():
    """P(B | x = 1.5) for A: N(0, 1), 0.9 of the cases, and B: N(2, 1), 0.1 of them."""
    model = GaussianMixture(2)
    model.weights, model.means = np.array([0.9, 0.1]), np.array([[0.0], [2.0]])
    model.covariances = np.ones((2, 1, 1))
    of_a, of_b = model.responsibilities([1.5])[0]
    densities = model.distribution.components_distribution.prob([[1.5]]).numpy()
    return Number(
        float(of_b),
        tolerance=0.006,
        right="x is nearer to B, and yet A is more probable: it is nine times as frequent.",
        mistakes=[
            (float(of_a), "That is class A's probability."),
            (float(densities[1] / densities.sum()), "You left out how frequent the classes are."),
            (float(0.1 * densities[1]), "That is p(B) p(x|B); divide by the sum over both."),
            (float(densities[1]), "That is the density p(x|B), not a probability of B."),
        ],
    )


@exercise("04_why_generative_models/2")
def score_estimates():
    """Write score_estimates(z, value, theta, sigma): one score-function estimate a sample."""

    def draw(rng):
        theta, sigma = rng.normal(), rng.uniform(0.5, 2)
        z = theta + sigma * rng.normal(size=5)
        return z, np.sin(3 * z) + 2, theta, sigma

    def reference(z, value, theta, sigma):
        return value * (z - theta) / sigma**2

    return Function(
        reference,
        inputs=draw,
        tolerance=1e-5,
        right="it needs values of f, never its slope: f may be a step, or a game that was won.",
        mistakes=[
            (lambda z, v, t, s: v * (z - t) / s, "The score is (z - theta) / sigma^2; you divided "
             "by sigma once."),
            (lambda z, v, t, s: v * (z - t), "The score is (z - theta) / sigma^2; divide by "
             "sigma^2."),
            (lambda z, v, t, s: v * (t - z) / s**2, "The sign is wrong: a good sample to the right "
             "must pull theta to the right."),
            (lambda z, v, t, s: (z - t) / s**2, "That is the score alone; weigh it by f(z)."),
            (lambda z, v, t, s: np.mean(reference(z, v, t, s)), "That is their mean; one estimate "
             "for each sample is asked for."),
        ],
    )  # fmt: skip


@exercise("04_why_generative_models/3")
def reparameterised_spread():
    """The standard deviation of 2 (3 + noise), the slope of (theta + noise)^2 at theta = 3."""
    theta, sigma = 3.0, 1.0
    truth = 2 * sigma
    noise, mass = np.polynomial.hermite_e.hermegauss(20)
    score = (theta + sigma * noise) ** 2 * noise / sigma
    mass = mass / mass.sum()
    score_spread = np.sqrt(score**2 @ mass - (score @ mass) ** 2)
    return Number(
        truth,
        tolerance=0.01,
        right="the estimate is 2 (theta + noise), so theta only shifts it.",
        mistakes=[
            (2 * theta, "That is the slope itself; its estimates scatter about it."),
            (truth**2, "That is the variance; take the root."),
            (sigma, "The estimate is f'(z) = 2 z, not z."),
            (float(score_spread), "That is the score function's."),
        ],
    )


@exercise("04_why_generative_models/4")
def what_a_check_shows():
    """Two statistics that were fitted, and one that was not."""
    return Choice(
        right_choice="the shape is wrong",
        why="a statistic that was fitted agrees whatever the model's shape; only the others test.",
        wrong={
            "the model is mostly right": "Which two fit? Those that the fit itself made agree.",
            "the fit must be repeated": "No mean and deviation make this shape end at 100; "
            "another shape is needed.",
        },
    )
