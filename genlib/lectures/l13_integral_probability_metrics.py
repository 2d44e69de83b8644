"""Lecture 13: integral probability metrics."""

import numpy as np
from scipy.special import ndtr
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels, witness
from genlib.lectures.maths import mixture, normal
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, panel, shade, words

# Explorer: function_class

TWO, ONE = "two Gaussians", "one Gaussian"
COMPONENTS = {TWO: ((-2.0, 2.0), 0.6), ONE: ((0.0,), 1.0)}  # of P: their means, their scale
XS = np.linspace(-12, 12, 801)
WIDTHS = np.full(len(XS), XS[1] - XS[0])  # both ends have no mass
LOCATIONS = np.round(np.arange(-40, 41) * 0.1, 1)
SCALES = np.arange(2, 9) / 4
GRAM = kernels.rbf(1.0)(XS[:, None], XS[:, None])  # once, and not at each touch
# Each class: its witness, its rule, and the height of the critic's panel.
CLASSES = {
    "TV": (witness.total_variation, "|f| ≤ 1/2", 0.8),
    "W1": (witness.wasserstein, "|f′| ≤ 1", 4.4),
    "MMD": (lambda x, p, q: witness.mmd(x, p, q, lambda *_: GRAM), "RKHS norm ≤ 1", 1.1),
    "Cramér": (witness.cramer, "∫ f′² ≤ 1", 2.6),
    "Fisher": (witness.fisher, "½ E_P f² + ½ E_Q f² ≤ 1", 2.6),
}


@scene("function_class")
class FunctionClass(Scene):
    """One critic from each of five classes of functions, and the divergence that it reaches."""

    title = "Five classes of critics, and the best critic of each"
    alt = (
        "Top left: the densities of P in blue and Q in vermillion. Below: the best critic of the "
        "chosen class in green. Top right: what it gains at each x, f (p - q), in green, and what "
        "it loses, in pink. Below: the five divergences against the place of Q, the chosen one in "
        "green with a dot at the critic's value."
    )
    size = (9.4, 5.6)
    reveals = (
        *(
            tuple({"kind": kind, "place": x, "scale": 0.5, "shape": ONE} for x in (3.0, 4.0))
            for kind in ("TV", "W1", "MMD")
        ),
        tuple({"kind": kind, "place": 0.0, "scale": 1.0, "shape": ONE} for kind in CLASSES),
    )

    def controls(self):
        return {
            "kind": choice("class of", list(CLASSES), "W1"),
            "place": slider("place of Q", 0.7, -4.0, 4.0, 0.1),
            "scale": slider("scale of Q", 0.75, 0.5, 2.0, 0.25),
            "shape": choice("P is", [TWO, ONE]),
        }

    def stage(self, fig):
        self.p = {shape: mixture(XS, *parts) for shape, parts in COMPONENTS.items()}
        self.curves = {
            (shape, scale): own_route(shape, LOCATIONS, scale)
            for shape in COMPONENTS
            for scale in SCALES
        }

        (top, area), (self.bottom, right) = fig.subplots(2, 2, width_ratios=(1.15, 1))
        panel(top, "P and Q", ("", -6, 6), ("density", 0, 0.9))
        panel(area, "What the critic collects", ("", -6, 6), ("f(x) (p(x) − q(x))", -0.6, 1.8))
        panel(self.bottom, "", ("x", -6, 6), "f(x)")
        panel(right, "Divergence", ("place of Q", -4.2, 6.2), ("", 0, 4.4))
        for ax in (area, self.bottom):
            ax.axhline(0, color="#8c8c8c", linewidth=1)
        plots.label(top, -5.8, 0.76, "P", "p", ha="left", fontsize=13)
        plots.label(top, -5.1, 0.76, "Q", "q", ha="left", fontsize=13)
        self.densities = [density(top, name) for name in "pq"]
        self.critic = curve(self.bottom, "critic", linewidth=3)
        self.gains, self.losses = shade(area, "critic", 0.5), shade(area, "accent", 0.6)
        self.lines = {name: curve(right, "mixture") for name in CLASSES}
        side = {"ha": "left", "va": "center"}
        self.names = {name: words(right, "mixture", name, **side) for name in CLASSES}
        self.dot = dot(right, "critic")

    def update(self, kind, place, scale, shape):
        p, q = self.p[shape], normal(XS, place, scale)
        best, rule, height = CLASSES[kind]
        f = best(XS, p, q)
        value = float(witness.gap(f, XS, p, q))
        if kind in ("W1", "Cramér"):  # only slopes count: let f be 0 on average
            f = f - f @ (WIDTHS * (p + q)) / 2
        for drawn, ys in zip(self.densities, (p, q), strict=True):
            drawn.move(XS, ys)
        self.critic.move(XS, f)
        self.bottom.set(title=f"The best critic with {rule}", ylim=(-height, height))
        self.gains.move(XS, 0, np.maximum(f * (p - q), 0))
        self.losses.move(XS, 0, np.minimum(f * (p - q), 0))
        curves = self.curves[shape, scale]
        ends = _spread({name: values[-1] for name, values in curves.items()})
        for name, values in curves.items():
            self.lines[name].move(LOCATIONS, values)
            role = "critic" if name == kind else "mixture"
            self.lines[name].set(color=COLORS[role], linewidth=3 if name == kind else 1.2)
            self.names[name].set_color(plots.ink(role))
            self.names[name].move(4.15, ends[name])
        self.dot.move(place, value)
        own = curves[kind][round((place + 4) / 0.1)]
        return {"E_P f − E_Q f": value, f"{kind} by its own formula": float(own)}


def own_route(shape, locations, scale):
    """Return the five divergences for each location of Q by formulas that use no critic."""
    means, own_scale = COMPONENTS[shape]
    p = mixture(XS, means, own_scale)
    q = normal(XS, locations[:, None], scale)
    levels = (np.arange(4000) + 0.5) / 4000
    cdf = np.mean([ndtr((XS - mean) / own_scale) for mean in means], 0)
    gap = cdf - ndtr((XS - locations[:, None]) / scale)
    quantiles = [np.interp(levels, c, XS) for c in (cdf, ndtr(XS / scale))]

    def overlap(a, width_a, b, width_b):
        """E k(x, y) of two Gaussians for the kernel exp(-(x-y)^2/2): a Gaussian integral."""
        total = 1 + width_a**2 + width_b**2
        return np.exp(-((a - b) ** 2) / (2 * total)) / np.sqrt(total)

    within_p = np.mean([overlap(a, own_scale, b, own_scale) for a in means for b in means])
    across = np.mean([overlap(a, own_scale, locations, scale) for a in means], 0)
    square = within_p + overlap(0, scale, 0, scale) - 2 * across
    shared = np.divide(p * q, p + q, out=np.zeros_like(q), where=p + q > 0)
    return {
        "TV": 1 - np.minimum(p, q) @ WIDTHS,
        "W1": np.abs(quantiles[0] - quantiles[1] - locations[:, None]).mean(1),
        "MMD": np.sqrt(np.maximum(square, 0)),
        "Cramér": np.sqrt(gap**2 @ WIDTHS),
        "Fisher": np.sqrt(np.maximum(4 - 8 * shared @ WIDTHS, 0)),
    }


def _spread(heights, apart=0.36):
    """Return the heights moved up as needed, so that names written there do not overlap."""
    placed, last = {}, -np.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        last = placed[name] = max(height, last + apart)
    return placed


# Exercises


@exercise("13_integral_probability_metrics/1")
def a_quarter_of_the_way():
    """D(P, M) of an integral probability metric with D(P, Q) = 0.8 and M = 3/4 P + 1/4 Q."""
    p, q = tfd.Bernoulli(probs=0.9), tfd.Bernoulli(probs=0.1)
    mixed = tfd.Bernoulli(probs=0.75 * 0.9 + 0.25 * 0.1)
    whole, truth = (float(divergences.total_variation(p, other)) for other in (q, mixed))
    return Number(
        truth,
        tolerance=0.003,
        right="p - m is a quarter of p - q, so every critic, the best one too, collects a quarter.",
        mistakes=[
            (whole - truth, "That is D(M, Q); from P, a quarter of the way is gone."),
            (whole / 16, "That squares the quarter; E_P f - E_M f is linear in M."),
            (whole, "P and M share three quarters of their mass; the critic gets nothing there."),
        ],
    )


@exercise("13_integral_probability_metrics/2")
def straight_critics():
    """Write fisher_straight(x, y): the Fisher IPM of the critics f(t) = a t, from two samples."""

    def value(x, y):
        return abs(np.mean(x) - np.mean(y)) / np.sqrt((np.mean(x**2) + np.mean(y**2)) / 2)

    def centred(x, y):
        return abs(np.mean(x) - np.mean(y)) / np.sqrt((np.var(x) + np.var(y)) / 2)

    return Function(
        value,
        inputs=lambda rng: (rng.normal(rng.normal(), 1, 6), rng.normal(rng.normal(), 2, 8)),
        tolerance=1e-3,
        right="the constraint fixes |a|, and the sign of a follows the means.",
        mistakes=[
            (centred, "The constraint has E f², not the variance: do not subtract the means."),
            (
                lambda x, y: value(x, y) / np.sqrt(2),
                "The two second moments are halved before they are added.",
            ),
            (lambda x, y: value(x, y) ** 2, "That is the square; take the root."),
            (
                lambda x, y: value(x, y) * np.sign(np.mean(x) - np.mean(y)),
                "a may be negative: the best critic's value is never below 0.",
            ),
            (lambda x, y: abs(np.mean(x) - np.mean(y)), "That has a = 1; what does Ω allow?"),
        ],
    )


@exercise("13_integral_probability_metrics/3")
def who_still_pulls():
    """Whose best critic gains most when Q = N(10, 1) moves on to N(11, 1), P = N(0, 1)?"""
    p, near, far = (tfd.Normal(np.float64(mean), np.float64(1)) for mean in (0, 10, 11))
    measures = {
        "TV": divergences.total_variation,
        "W1": divergences.wasserstein,
        "MMD": divergences.mmd,
        "Cramér": lambda a, b: divergences.cramer(a, b) ** 0.5,
    }
    gains = {name: float(d(p, far) - d(p, near)) for name, d in measures.items()}
    return Choice(
        max(gains, key=gains.get),
        why="its critic may rise without end, at slope 1: a step of 1 is worth 1.",
        wrong={
            "TV": "Its critic is at -1/2 on all of Q already, and may not go lower.",
            "MMD": "Its critic dies out with the kernel's tails: nothing is left to gain there.",
            "Cramér": f"It gains {gains['Cramér']:.2f}, for its slope is small far out: ∫ f'² ≤ 1.",
        },
    )
