"""One surface p(x; θ) and two cuts through it: a density over x, a likelihood over θ."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from tensorflow_probability import distributions as tfd

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

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


class Likelihood(Scene):
    title = "One formula, two readings"
    alt = (
        "Left: the surface p(x; θ) in grey, cut along a blue line at one θ and along a pink line "
        "at one x. Middle: the blue cut, a density over x, whose area is 1. Right: the pink cut, "
        "the likelihood over θ, whose area is something else. Sliders move the two cuts."
    )
    size = (10.4, 3.9)

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
        right.set_title("Fix x, vary θ: the likelihood", color=COLORS["accent"])
        for ax in (plane, left):
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for ax in (left, right):
            ax.locator_params(axis="y", nbins=6)
        self.image = plane.imshow(
            np.zeros((2, 2)), cmap="Greys", vmin=0, vmax=1, origin="lower", aspect="auto",
            extent=(0, 1, 0, 1),
        )  # fmt: skip
        (self.row,) = plane.plot([], [], color=COLORS["p"], linewidth=2.5)
        (self.column,) = plane.plot([], [], color=COLORS["accent"], linewidth=2.5)
        (self.density,) = left.plot([], [], color=COLORS["p"])
        (self.likelihood,) = right.plot([], [], color=COLORS["accent"])
        self.under_density = plots.fill(left, np.zeros(2), 0, 0, "p", 0.3)
        self.under_likelihood = plots.fill(right, np.zeros(2), 0, 0, "accent", 0.4)
        dot = {"color": "black", "marker": "o", "markersize": 7, "linewidth": 0, "zorder": 4}
        level = {"color": "black", "linewidth": 1, "linestyle": (0, (2, 3))}
        self.dots = [ax.plot([], [], **dot)[0] for ax in self.axes]
        self.levels = [ax.plot([], [], **level)[0] for ax in (left, right)]
        (self.best,) = right.plot([], [], color=COLORS["accent"], linestyle="--", linewidth=1.5)
        return [
            self.image, self.row, self.column, self.density, self.likelihood, self.under_density,
            self.under_likelihood, *self.dots, *self.levels, self.best,
        ]  # fmt: skip

    def update(self, family, data, parameter):
        table, family = _table(family), FAMILIES[family]
        x, theta = family.data(data), family.parameter(parameter)
        value = table.crossings[parameter - 1, data - 1]
        xs, density = table.drawn(table.densities[parameter - 1])
        thetas, likelihood = table.thetas, table.likelihoods[:, data - 1]
        top = 1.05 * max(density.max(), likelihood.max())
        top = next((height for height in HEIGHTS if top < height), HEIGHTS[-1])
        plane, left, right = self.axes
        plane.set(xlim=family.x_range, ylim=family.theta_range,
                  xlabel=family.x_name, ylabel=family.theta_name)  # fmt: skip
        left.set(xlim=family.x_range, ylim=(0, top), xlabel=family.x_name)
        right.set(xlim=family.theta_range, ylim=(0, top), xlabel=family.theta_name)

        self.image.set_data(table.picture)
        self.image.set_interpolation("nearest" if family.trials else "bilinear")
        self.image.set_extent((*family.x_range, *family.theta_range))
        self.row.set_data(family.x_range, (theta, theta))
        self.column.set_data((x, x), family.theta_range)
        self.density.set_data(xs, density)
        self.likelihood.set_data(thetas, likelihood)
        plots.set_fill(self.under_density, xs, 0, density)
        plots.set_fill(self.under_likelihood, thetas, 0, likelihood)
        for dot, place in zip(self.dots, ((x, theta), (x, value), (theta, value)), strict=True):
            dot.set_data(*([number] for number in place))
        self.levels[0].set_data((x, family.x_range[1]), (value, value))
        self.levels[1].set_data((family.theta_range[0], theta), (value, value))
        best = family.best(x)
        self.best.set_data((best, best), (0, top))
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
