"""Lecture 34: the relaxed Wasserstein GAN."""

import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import costs, samples
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, panel

# Explorer: bregman_cost


def burg_entropy(x):
    """``phi(x) = -sum log x``, (n, d) -> (n,), for x > 0."""
    return -tf.reduce_sum(tf.math.log(x), -1)


#: Named phi on positive numbers: phi, its axis's limits, and the highest W to draw.
PHI = {
    "x²": (costs.squared_norm, (-8, 25), 8),
    "x log x": (costs.negative_entropy, (-2, 7), 3),
    "-log x": (burg_entropy, (-3, 3), 1.5),
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
    reveals = (
        ({"phi": "x²"}, {}, {"phi": "-log x"}),
        tuple({"phi": "-log x", "place": place} for place in (4.0, 1.5, 0.8)),
        ({"eps": 0.01}, {}, {"eps": 1.0}, {"eps": 10.0}),
    )

    def controls(self):
        return {
            "phi": choice("phi", PHI, "x log x"),
            "place": slider("place of Q", 4.0, 0.6, 4.4, 0.1),
            "eps": log_slider("eps", 0.1, -2, 2, 0.1),
        }

    def stage(self, fig):
        self.p = 1.5 * np.exp(0.45 * ndtri(LEVELS))
        self.q = 0.8 * (LEVELS - 0.5)  # about its location
        self.xs, self.locations = np.linspace(0.02, 5, 250), np.linspace(0.6, 4.4, 77)
        self.both_ways = {name: self._both_ways(phi) for name, (phi, *_) in PHI.items()}
        self.left, self.middle, right = fig.subplots(1, 3)
        panel(self.left, "The cost of one move", ("x", 0, 5))
        self.phi, self.tangent = curve(self.left, "mixture"), curve(self.left, "q", linewidth=1.5)
        self.gap = curve(self.left, "highlight", linewidth=5, solid_capstyle="butt")
        self.at_x, self.at_y = dot(self.left, "p", 8), dot(self.left, "q", 8)
        panel(self.middle, "The cost of the whole pile", ("place of Q", 0.6, 4.4))
        self.ways = [curve(self.middle, "critic", linestyle=style) for style in ("-", "--")]
        self.dot = dot(self.middle, "critic")
        panel(right, "Where each point is pulled", ("x", 0, 5), ("", -0.35, 1.35), yticks=[])
        right.plot(self.p, np.ones(15), "o", color=COLORS["p"], markersize=7, alpha=0.7)
        plots.label(right, 4.9, 1.05, "P", "p", ha="right", fontsize=13)
        plots.label(right, 4.9, -0.08, "Q", "q", ha="right", va="top", fontsize=13)
        self.pulls = curve(right, "highlight", linewidth=1.5)
        self.points = dot(right, "q", 7, alpha=0.7)

    def _both_ways(self, phi):
        """``W(P, Q)`` and ``W(Q, P)`` for Q at each location."""
        # In 1-D the cheapest coupling keeps the order, so both are means over the levels.
        q = np.ravel(self.locations[:, None] + self.q)
        forth = bregman(phi, self.p, q).reshape(15, -1, 15).diagonal(axis1=0, axis2=2)
        back = bregman(phi, q, self.p).reshape(-1, 15, 15).diagonal(axis1=1, axis2=2)
        return forth.mean(1), back.mean(1)

    def update(self, phi, place, eps):
        forth, back = self.both_ways[phi]
        phi, limits, highest = PHI[phi]
        self.left.set_ylim(*limits)
        self.middle.set_ylim(0, highest)
        x, q = self.p.mean(), place + self.q
        at_x, at_y, ys = (np.asarray(phi(np.c_[t])) for t in (x, place, self.xs))
        one_move = bregman(phi, [x], [place])[0, 0]
        self.phi.move(self.xs, ys)
        self.tangent.move(self.xs, ys - bregman(phi, self.xs, [place])[:, 0])
        self.gap.move([x, x], [at_x[0] - one_move, at_x[0]])
        self.at_x.move(x, at_x)
        self.at_y.move(place, at_y)
        for line, values in zip(self.ways, (forth, back), strict=True):
            line.move(self.locations, values)
        least = np.diag(bregman(phi, self.p, q)).mean()
        self.dot.move(place, least)

        targets = pulled_to(self.p, q, phi, eps)
        self.points.move(q, 0 * q)
        ends = np.stack([q, targets, np.full(15, np.nan)], 1)  # NaN parts the strokes
        self.pulls.move(ends.ravel(), np.tile([0, 1, np.nan], 15))
        return {
            "D(x, y)": one_move,
            "W(P, Q), solid": least,
            "W(Q, P), dashed": np.diag(bregman(phi, q, self.p)).mean(),
            "spread of the targets over P's": f"{targets.std() / self.p.std():.0%}",
        }


def bregman(phi, x, y):
    """``D_phi(x, y)`` of numbers (n,) and (m,), shape (n, m)."""
    return costs.bregman(phi)(np.c_[x], np.c_[y]).numpy()


def pulled_to(x, y, phi, eps):
    """Mean of ``x`` (n,) that the entropic plan of the cost sends to each of ``y``, (m,)."""
    cost = costs.bregman(phi)
    _, plan = samples.sinkhorn(np.c_[x], np.c_[y], eps, cost, tolerance=1e-6, return_plan=True)
    return x @ (plan.numpy() / plan.numpy().sum(0))


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
