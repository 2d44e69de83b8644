"""Lecture 34: the relaxed Wasserstein GAN."""

import ipywidgets
import numpy as np
import tensorflow as tf
from scipy.special import logsumexp, ndtri, xlogy

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import costs
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider

# Explorer: bregman_cost

#: Named phi on positive numbers: phi, its slope, its axis's limits, and the highest W to draw.
PHI = {
    "x²": (np.square, lambda x: 2 * x, (-8, 25), 8),
    "x log x": (lambda x: xlogy(x, x), lambda x: 1 + np.log(x), (-2, 7), 3),
    "-log x": (lambda x: -np.log(x), lambda x: -1 / x, (-3, 3), 1.5),
}
LEVELS = (np.arange(15) + 0.5) / 15


@scene("bregman_cost")
class BregmanCost(Scene):
    """A Bregman cost, what it makes of moving a pile, and what eps does to the pull: RWGAN."""

    title = "A cost of your choice"
    alt = (
        "Left: the curve phi with its tangent at y, the middle of Q, in vermillion; a thick yellow "
        "line at x, the middle of P in blue, is the gap between them, the cost. Middle: the least "
        "cost of moving the piles against the place of Q, solid with the tangent at Q and dashed "
        "with it at P. Right: points of P above and of Q below; a line leads from each point of Q "
        "to the place it is pulled to."
    )
    size = (9.8, 3.8)

    def controls(self):
        return {
            "phi": choice("phi", PHI, "x log x"),
            "place": slider("place of Q", 4.0, 0.6, 4.4, 0.1),
            "eps": ipywidgets.FloatLogSlider(value=0.1, min=-2, max=2, step=0.1, description="eps"),
        }

    def stage(self, fig):
        self.p = 1.5 * np.exp(0.45 * ndtri(LEVELS))
        self.spread = 0.8 * (LEVELS - 0.5)
        self.places = np.linspace(0.6, 4.4, 77)
        xs = self.xs = np.linspace(0.02, 5, 250)
        # In 1-D the cheapest coupling keeps the order, so both costs are means over the levels.
        self.both_ways = {
            name: [
                [cost(name, *pair).mean() for place in self.places
                 for pair in [(self.p, place + self.spread)[::way]]]
                for way in (1, -1)
            ]
            for name in PHI
        }  # fmt: skip
        self.left, self.middle, right = fig.subplots(1, 3)
        self.left.set(title="The cost of one move", xlabel="x", xlim=(0, 5))
        (self.curve,) = self.left.plot(xs, xs, color=COLORS["mixture"])
        (self.tangent,) = self.left.plot(xs, xs, color=COLORS["q"], linewidth=1.5)
        (self.gap,) = self.left.plot([], [], color=COLORS["highlight"], linewidth=5,
                                     solid_capstyle="butt")  # fmt: skip
        (self.at_x,) = self.left.plot([], [], "o", color=COLORS["p"], markersize=8)
        (self.at_y,) = self.left.plot([], [], "o", color=COLORS["q"], markersize=8)
        self.middle.set(title="The cost of the whole pile", xlabel="place of Q", xlim=(0.6, 4.4))
        self.ways = [
            self.middle.plot([], [], style, color=COLORS["critic"])[0] for style in ("-", "--")
        ]
        (self.dot,) = self.middle.plot([], [], "o", color=COLORS["critic"], markersize=9)
        right.set(title="Where each point is pulled", xlabel="x", xlim=(0, 5), ylim=(-0.35, 1.35),
                  yticks=[])  # fmt: skip
        right.plot(self.p, np.ones(15), "o", color=COLORS["p"], markersize=7, alpha=0.7)
        plots.label(right, 4.9, 1.05, "P", "p", ha="right", fontsize=13)
        plots.label(right, 4.9, -0.08, "Q", "q", ha="right", va="top", fontsize=13)
        (self.q_points,) = right.plot([], [], "o", color=COLORS["q"], markersize=7, alpha=0.7)
        (self.pulls,) = right.plot([], [], color=COLORS["highlight"], linewidth=1.5)
        return [self.curve, self.tangent, self.gap, self.at_x, self.at_y, *self.ways, self.dot,
                self.pulls, self.q_points]  # fmt: skip

    def update(self, phi, place, eps):
        value, slope, limits, highest = PHI[phi]
        x, q = self.p.mean(), place + self.spread
        self.left.set_ylim(*limits)
        self.middle.set_ylim(0, highest)
        self.curve.set_ydata(value(self.xs))
        self.tangent.set_ydata(value(place) + slope(place) * (self.xs - place))
        on_tangent = value(place) + slope(place) * (x - place)
        self.gap.set_data([x, x], [on_tangent, value(x)])
        self.at_x.set_data([x], [value(x)])
        self.at_y.set_data([place], [value(place)])
        forth, back = self.both_ways[phi]
        for line, values in zip(self.ways, (forth, back), strict=True):
            line.set_data(self.places, values)
        least = cost(phi, self.p, q).mean()
        self.dot.set_data([place], [least])

        targets = pulled_to(cost(phi, self.p[:, None], q), eps, self.p)
        self.q_points.set_data(q, np.zeros(15))
        ends = np.stack([q, targets, np.full(15, np.nan)], 1)
        self.pulls.set_data(ends.ravel(), np.tile([0, 1, np.nan], 15))
        return {
            "D(x, y)": value(x) - on_tangent,
            "W(P, Q), solid": least,
            "W(Q, P), dashed": cost(phi, q, self.p).mean(),
            "spread of the targets over P's": f"{targets.std() / self.p.std():.0%}",
        }


def cost(name, x, y):
    """``D_phi(x, y)`` of numbers, element by element."""
    phi, slope, *_ = PHI[name]
    return phi(x) - phi(y) - slope(y) * (x - y)


def pulled_to(costs, eps, x):
    """Mean of ``x`` (n,) that the entropic plan of ``costs`` (n, m) sends to each y, (m,)."""
    u = np.zeros(costs.shape[0])
    for coarse in 10 * 0.9 ** np.arange(100):  # a small eps is reached by way of larger ones
        now = max(eps, coarse)
        v = -now * logsumexp((u[:, None] - costs) / now, axis=0)
        u = -now * logsumexp((v - costs) / now, axis=1)
    plan = np.exp((u[:, None] + v - costs) / now)
    return x @ (plan / plan.sum(0))


# Exercises


@exercise("34_rwgan/1")
def one_way():
    """The KL cost of moving mass from y = 1 to x = 2 on a line, in nats."""
    cost = costs.bregman(costs.negative_entropy)
    truth = float(cost(tf.constant([[2.0]]), tf.constant([[1.0]]))[0, 0])
    return Number(
        truth,
        tolerance=0.005,
        right="2 log 2 - 2 + 1. For points that are no probabilities the last two terms stay.",
        mistakes=[
            (1 - np.log(2), "That is D(1, 2), the other way round: the cost is not symmetric."),
            (2 * np.log(2), "That leaves out - x + y, which only cancels where the sums agree."),
            (1.0, "That is the squared distance."),
        ],
    )


@exercise("34_rwgan/2")
def write_bregman():
    """Write cost(x, y): D_phi for phi(x) = sum of e^x, for two points (d,)."""

    def reference(x, y):
        cost = costs.bregman(lambda z: tf.reduce_sum(tf.exp(z), -1))
        return float(cost(tf.constant(x[None]), tf.constant(y[None]))[0, 0])

    def inputs(rng):
        d = int(rng.integers(1, 4))
        return rng.normal(size=d), rng.normal(size=d)

    def exact(x, y):
        return np.sum(np.exp(x) - np.exp(y) - np.exp(y) * (x - y))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="phi at x, less its tangent at y.",
        mistakes=[
            (lambda x, y: exact(y, x), "The tangent is taken at y, the second point."),
            (
                lambda x, y: np.sum(np.exp(x) - np.exp(y)),
                "The slope's term is missing: what is left can be negative.",
            ),
            (
                lambda x, y: np.sum(np.exp(x) - np.exp(y) + np.exp(y) * (x - y)),
                "The tangent is subtracted as a whole: mind the sign of its slope's term.",
            ),
        ],
        calls=8,
    )


@exercise("34_rwgan/3")
def large_eps():
    """What a very large eps does to the generator."""
    return Choice(
        right_choice="nearly one point",
        why="then every generated point is moved to every real one alike, and the cheapest place "
        "to be moved from is one point in their middle.",
        wrong={
            "the same as before": "Exactness comes with a small eps: a large one forgets who is "
            "matched with whom.",
            "nothing": "exp(excess / eps) is tame for a large eps; it overflows for a small one.",
        },
    )
