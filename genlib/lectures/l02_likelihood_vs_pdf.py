"""Lecture 02: one formula read as a density and as a likelihood."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from tensorflow_probability import distributions as tfd

from genlib.check import Function, Number, exercise
from genlib.plots import COLORS, ink
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, image, panel, strokes

# Explorer: likelihood

HEIGHTS = (0.3, 0.5, 0.75, 1.1, 1.7, 2.5, 5)  # few, because each change redraws the axes


def surface(model, thetas, xs):
    """Return p(x; theta) as a table, shape ``(len(thetas), len(xs))``.

    A row is a density over x, a column a likelihood over theta. ``model(theta)`` is a ``tfd``
    distribution.
    """
    return model(thetas[:, None]).prob(xs).numpy()


class Family(NamedTuple):
    """One parameter of one model; ``data`` and ``parameter`` map a slider's 1..39 to numbers."""

    model: Callable
    x_name: str
    theta_name: str
    x_range: tuple[float, float]
    theta_range: tuple[float, float]
    data: Callable
    parameter: Callable
    best: Callable  # the maximum-likelihood estimate from one x
    area: Callable  # under the likelihood of one x, over the whole range of the parameter
    trials: int = 0  # 0 for a density; else x counts the heads among so many tosses


def _coin(trials):
    def model(theta):
        return tfd.Binomial(np.float64(trials), probs=theta)

    return Family(
        model, "heads x", "probability of heads θ", (-0.5, trials + 0.5), (0, 1),
        data=lambda i: round(trials * i / 40), parameter=lambda i: i / 40,
        best=lambda x: x / trials, area=lambda x: 1 / (trials + 1), trials=trials,
    )  # fmt: skip


def _tenths(i):
    return i / 10


def _centred(i):
    return (i - 20) / 5


FAMILIES = {
    "coin, 1 toss": _coin(1),
    "coin, 10 tosses": _coin(10),
    "Gaussian, mean": Family(
        lambda theta: tfd.Normal(theta, np.float64(1)), "x", "mean θ (scale 1)",
        (-6, 6), (-6, 6), _centred, _centred, best=lambda x: x, area=lambda x: 1.0,
    ),
    "Gaussian, scale": Family(
        lambda theta: tfd.Normal(np.float64(0), theta), "x", "scale θ (mean 0)",
        (-6, 6), (0, 4), _tenths, _tenths, best=abs, area=lambda x: np.inf,
    ),
    "exponential, rate": Family(
        tfd.Exponential, "x", "rate θ", (0, 4), (0, 4), _tenths, _tenths,
        best=lambda x: 1 / x, area=lambda x: 1 / x**2,
    ),
    "exponential, mean": Family(
        lambda theta: tfd.Exponential(1 / theta), "x", "mean θ", (0, 4), (0, 4), _tenths, _tenths,
        best=lambda x: x, area=lambda x: np.inf,
    ),
}  # fmt: skip


@scene("likelihood")
class Likelihood(Scene):
    """One surface p(x; θ) and two cuts through it: a density over x, a likelihood over θ."""

    title = "One formula, two readings"
    alt = (
        "Left: the surface p(x; θ) in grey, cut along a blue line at one θ and along a pink line "
        "at one x. Middle: the blue cut, a density over x, whose area is 1. Right: the pink cut, "
        "the likelihood over θ, whose area is something else. Sliders move the two cuts."
    )
    size = (10.4, 3.9)
    reveals = (
        ({"parameter": 6}, {"parameter": 20}),
        ({"data": 5}, {"data": 10}, {"data": 30}),
        ({"family": "coin, 10 tosses"}, {"family": "coin, 10 tosses", "data": 30}),
        {"family": "Gaussian, scale", "parameter": 1},
        ({"parameter": 6}, {"family": "exponential, mean"}),
    )

    def controls(self):
        controls = {
            "family": choice("model, and what θ is", FAMILIES, "exponential, rate"),
            "data": slider("data x", 16, 1, 39, 1),
            "parameter": slider("parameter θ", 7, 1, 39, 1),
        }
        for name in ("data", "parameter"):
            controls[name].readout = False  # a place on an axis; the number stands below
        return controls

    def stage(self, fig):
        self.axes = fig.subplots(1, 3)
        plane, left, right = self.axes
        plane.set_title("One surface p(x; θ)")
        plane.grid(False)
        left.set_title("Fix θ, vary x: a density", color=COLORS["p"])
        left.set_ylabel("p(x; θ)")
        right.set_title("Fix x, vary θ: the likelihood", color=ink("accent"))
        for ax in (plane, left):
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for ax in (left, right):
            ax.locator_params(axis="y", nbins=6)
        self.image = image(plane, cmap="Greys", vmin=0, vmax=1)
        self.row, self.column = (curve(plane, role, linewidth=2.5) for role in ("p", "accent"))
        self.density = density(left, "p", alpha=0.3)
        self.likelihood = density(right, "accent", alpha=0.4)
        level = {"linewidth": 1, "linestyle": (0, (2, 3))}
        self.dots = [dot(ax, "black", 7, zorder=4) for ax in self.axes]
        self.levels = [curve(ax, "black", **level) for ax in (left, right)]
        self.best = curve(right, "accent", linestyle="--", linewidth=1.5)

    def update(self, family, data, parameter):
        table, family = _table(family), FAMILIES[family]
        x, theta = family.data(data), family.parameter(parameter)
        value = table.crossings[parameter - 1, data - 1]
        xs, ys = table.drawn(table.densities[parameter - 1])
        thetas, likelihood = table.thetas, table.likelihoods[:, data - 1]
        top = 1.05 * max(ys.max(), likelihood.max())
        top = next((height for height in HEIGHTS if top < height), HEIGHTS[-1])
        plane, left, right = self.axes
        plane.set(xlim=family.x_range, xlabel=family.x_name)
        plane.set(ylim=family.theta_range, ylabel=family.theta_name)
        left.set(xlim=family.x_range, ylim=(0, top), xlabel=family.x_name)
        right.set(xlim=family.theta_range, ylim=(0, top), xlabel=family.theta_name)

        self.image.set_data(table.picture)
        self.image.set_interpolation("nearest" if family.trials else "bilinear")
        self.image.set_extent((*family.x_range, *family.theta_range))
        self.row.move(family.x_range, (theta, theta))
        self.column.move((x, x), family.theta_range)
        self.density.move(xs, ys)
        self.likelihood.move(thetas, likelihood)
        for point, at in zip(self.dots, ((x, theta), (x, value), (theta, value)), strict=True):
            point.move(*at)
        self.levels[0].move((x, family.x_range[1]), (value, value))
        self.levels[1].move((family.theta_range[0], theta), (value, value))
        best = family.best(x)
        self.best.move((best, best), (0, top))
        low, high = family.theta_range
        total = family.area(x)
        shown = f"{np.trapezoid(likelihood, thetas):.3f}"
        everywhere = "∞" if np.isinf(total) else f"{total:.3f}"
        return {
            "x": f"{x:g}".replace("-", "−"),
            "θ": f"{theta:g}".replace("-", "−"),
            "p(x; θ)": f"{value:.3f}",
            "area under the density": f"{table.areas[parameter - 1]:.3f}",
            f"area under the likelihood, θ from {low} to {high}".replace("-", "−"): shown,
            "over all θ": everywhere,
            "likelihood highest at θ": f"{best:.3g}".replace("-", "−"),
        }


@functools.cache  # made when first asked for: the binomial takes half a second
def _table(name):
    return _Table(FAMILIES[name])


class _Table:
    """All that the pictures of one family need, evaluated once."""

    def __init__(self, family):
        low, high = family.theta_range
        places = range(1, 40)
        parameters = np.array([family.parameter(i) for i in places], float)
        data = np.array([family.data(i) for i in places], float)
        self.trials = family.trials
        # A scale of 0 has no density, and a probability of 0 or 1 no logarithm.
        self.thetas = np.linspace(low + 1e-6, high - 1e-6, 801)
        self.xs = np.arange(self.trials + 1.0) if self.trials else np.linspace(*family.x_range, 601)
        self.densities = surface(family.model, parameters, self.xs)
        self.likelihoods = surface(family.model, self.thetas, data)
        self.crossings = surface(family.model, parameters, data)
        if self.trials:
            self.areas = self.densities.sum(1)
        else:
            # Far out on the line, with most points near 0.
            far = 200 * np.linspace(np.sign(family.x_range[0]), 1, 4001) ** 3
            self.areas = np.trapezoid(surface(family.model, parameters, far), far)
        values = surface(family.model, self.thetas[::5], self.xs[:: 1 if self.trials else 4])
        self.picture = np.sqrt(np.minimum(values / np.quantile(values, 0.98), 1)) * 0.8

    def drawn(self, density):
        """Return the outline to draw: a curve, or bars of width 0.8 for counts."""
        if not self.trials:
            return self.xs, density
        sides = self.xs[:, None] + [-0.4, -0.4, 0.4, 0.4]
        return sides.ravel(), (density[:, None] * [0, 1, 1, 0]).ravel()


# Explorer: log_likelihood

TRUE_MEAN, TRUE_SCALE = 1.0, 1.2
MEANS, SCALES = (-3.0, 4.0), (0.1, 3.0)  # the map's
STEMS = 30  # at most so many observations are drawn
BAND = 0.1  # nats between one shade and the next


@scene("log_likelihood")
class LogLikelihood(Scene):
    """Fit a Gaussian by hand: each observation pulls at the curve, their logs make one score."""

    title = "Fit a Gaussian by hand"
    alt = (
        "Left: a Gaussian density in vermillion over blue observations; from each a stem rises to "
        "the curve, and the likelihood is the product of their heights. Right: the average "
        "log-likelihood as a map over mean and scale, the darker the higher, with a dot for the "
        "sliders and a cross at the maximum. Sliders move mean and scale."
    )
    size = (9.4, 3.9)
    reveals = (
        ({"mean": 0.5}, {"scale": 1.8}, {"mean": 0.5, "scale": 1.0}),
        {"n": 1000},
        ({"n": 1, "mean": 1.0, "scale": 0.5}, {"n": 1, "mean": 1.0, "scale": 0.1}),
    )

    def controls(self):
        return {
            "mean": slider("mean", -1.0, *MEANS, 0.1),
            "scale": slider("scale", 2.0, *SCALES, 0.1),
            "n": choice("observations", [1, 5, 30, 1000], 30),
        }

    def stage(self, fig):
        self.left, self.right = fig.subplots(1, 2)
        panel(self.left, "The model and the data", ("x", -5, 6), "density")
        self.left.locator_params(axis="y", nbins=5)
        title = "Average log-likelihood (darker is better)"
        panel(self.right, title, ("mean", *MEANS), ("scale", *SCALES)).grid(False)
        self.data = np.random.default_rng(7).normal(TRUE_MEAN, TRUE_SCALE, 1000)
        self.maps = {n: _bands(self.data[:n]) for n in (1, 5, 30, 1000)}
        self.xs = np.linspace(-5, 6, 441)
        greys = {"cmap": "Greys", "vmin": -1, "vmax": 1.3, "interpolation": "nearest"}
        self.image = image(self.right, (*MEANS, *SCALES), **greys)
        self.model = density(self.left, "q", alpha=0.15)
        self.stems = strokes(self.left, "real", linewidths=1.2, alpha=0.8)
        self.feet = dot(self.left, "real", 5, clip_on=False)
        self.cross = dot(self.right, "white", 10, "P", markeredgecolor="black")
        self.dot = dot(self.right, "q")

    def update(self, mean, scale, n):
        x = self.data[:n]
        model = tfd.Normal(np.float64(mean), np.float64(scale))
        logs = model.log_prob(x).numpy()
        ys = model.prob(self.xs).numpy()
        self.left.set_ylim(0, 0.7 if ys.max() < 0.65 else 1.5 if ys.max() < 1.45 else 4.2)
        self.model.move(self.xs, ys)
        heights = np.exp(logs[:STEMS])
        self.stems.set_segments([((at, 0), (at, y)) for at, y in zip(x, heights, strict=False)])
        self.feet.move(x[:STEMS], 0 * heights)
        self.image.set_data(self.maps[n])
        self.dot.move(mean, scale)
        self.cross.move(x.mean(), x.std())
        product = np.exp(logs).astype(np.float32).prod()
        numbers = {
            "product of the densities, in float32": f"{product:.1e}" if product else "0.0",
            "sum of their logs": f"{logs.sum():.1f} nats".replace("-", "−"),
            "average": f"{logs.mean():.3f} nats".replace("-", "−"),
        }
        best = (
            "no maximum: ∞" if n == 1 else f"{-np.log(x.std()) - np.log(2 * np.pi) / 2 - 0.5:.3f}"
        )
        return numbers | {"best average": best.replace("-", "−")}


def _bands(x):
    """Return the average log-likelihood of ``x`` on the map, less its level at a fair fit."""
    means, scales = np.linspace(*MEANS, 281), np.linspace(*SCALES, 233)[:, None]
    square = ((x - x.mean()) ** 2).mean() + (means - x.mean()) ** 2
    average = -np.log(scales) - square / (2 * scales**2)
    top = min(average.max(), 1.0)
    return np.floor(np.clip(average - top + 1, -1, 1) / BAND) * BAND


# Exercises

WAITS = np.array([0.2, 0.5, 0.4, 1.1, 0.3])  # hours; also in the lecture's text


@exercise("02_likelihood_vs_pdf/1")
def area_of_seven_heads():
    """The area under the likelihood of 7 heads in 10 tosses, over theta from 0 to 1."""
    theta = np.linspace(1e-6, 1 - 1e-6, 20_001)
    seven_heads = tfd.Binomial(np.float64(10), probs=theta).prob(np.float64(7)).numpy()
    area = np.trapezoid(seven_heads, theta)
    one_order = np.trapezoid(theta**7 * (1 - theta) ** 3, theta)
    return Number(
        area,
        tolerance=0.0005,
        right="it is 1/11, and each of the 11 possible counts gives that same area.",
        mistakes=[
            (1.0, "That is the area under a density; this curve runs over theta, not over x."),
            (
                one_order,
                "That is one particular order of heads and tails; count all orders, as Binomial.",
            ),
            (seven_heads.max(), "That is the height of the likelihood; its area is asked for."),
            (0.7, "That is the theta of the highest likelihood; the area is asked for."),
            (0.5, "That is the area after one toss; here the coin fell ten times."),
        ],
    )


@exercise("02_likelihood_vs_pdf/2")
def log_likelihood():
    """Write log_likelihood(rate, x): of all of x, (n,), under an exponential, in nats."""

    def reference(rate, x):
        return tfd.Exponential(np.float64(rate)).log_prob(x).numpy().sum()

    return Function(
        reference,
        inputs=lambda rng: (rng.uniform(0.2, 3), rng.exponential(size=5)),
        tolerance=1e-4,
        right="the log of a product is the sum of the logs.",
        mistakes=[
            (lambda rate, x: np.exp(reference(rate, x)), "That is the likelihood; take its log."),
            (lambda rate, x: -reference(rate, x), "That is the negative log-likelihood."),
            (lambda rate, x: reference(rate, x) / len(x), "That is the average; sum over x."),
            (lambda rate, x: np.log(rate) - rate * x, "Those are the five terms; now sum them."),
            (
                lambda rate, x: np.log(rate) - rate * x.sum(),
                "log(rate) belongs to each of the observations, not once to all.",
            ),
            (lambda rate, x: -rate * x.sum(), "The factor in front, rate, is missing its log."),
            (
                lambda rate, x: reference(1 / rate, x),
                "You took the argument for the mean; it is the rate, 1 over the mean.",
            ),
        ],
    )


@exercise("02_likelihood_vs_pdf/3")
def best_rate():
    """The maximum-likelihood rate of an exponential for WAITS."""
    rates = np.linspace(0.01, 10, 9991)
    scores = tfd.Exponential(rates[:, None]).log_prob(WAITS).numpy().sum(1)
    best = rates[scores.argmax()]
    return Number(
        best,
        tolerance=0.02,
        right="it is 1 over the average wait, where the log-likelihood has slope 0.",
        mistakes=[
            (WAITS.mean(), "That is the best mean; the rate is 1 over it."),
            (1 / np.median(WAITS), "That is 1 over the median; the likelihood asks for the mean."),
            (np.mean(1 / WAITS), "Average the waits first, then take 1 over that."),
            (scores.max(), "That is the highest log-likelihood; give the rate where it stands."),
            (1 / WAITS.sum(), "That is 1 over the sum; there are five waits."),
        ],
    )


@exercise("02_likelihood_vs_pdf/4")
def stable_average():
    """Write average_nll(mean, x): the average negative log-likelihood under N(mean, 1)."""

    def reference(mean, x):
        return -tfd.Normal(np.float64(mean), np.float64(1)).log_prob(x).numpy().mean()

    def product_first(mean, x):
        with np.errstate(divide="ignore"):
            return -np.log(np.prod(tfd.Normal(np.float64(mean), np.float64(1)).prob(x))) / len(x)

    return Function(
        reference,
        inputs=lambda rng: (rng.uniform(-1, 1), rng.normal(size=10_000)),
        tolerance=1e-4,
        right="logs first, then the average: nothing underflows.",
        mistakes=[
            (product_first, "The product of 10,000 densities is 0.0; take each log first."),
            (lambda mean, x: -reference(mean, x), "The sign: the negative of the log-likelihood."),
            (lambda mean, x: reference(mean, x) * len(x), "That is the sum; divide by len(x)."),
            (
                lambda mean, x: np.mean((x - mean) ** 2) / 2,
                "The constant is missing: a Gaussian density has 1/sqrt(2 pi) in front.",
            ),
        ],
    )
