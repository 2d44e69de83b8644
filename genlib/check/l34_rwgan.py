"""Exercises of lecture 34: the relaxed Wasserstein GAN."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import costs


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
        "b",
        options=["a", "b", "c"],
        why="then every generated point is moved to every real one alike, and the cheapest place "
        "to be moved from is one point in their middle.",
        wrong={
            "a": "Exactness comes with a small eps: a large one forgets who is matched with whom.",
            "c": "exp(excess / eps) is tame for a large eps; it overflows for a small one.",
        },
    )
