"""Exercises of lecture 33: the least-squares GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import LSGAN
from genlib.gans.lsgan import CODINGS


@exercise("33_lsgan/1")
def best_critic_value():
    """D at a place where p is three times q, with the coding (-1, 1, 0)."""
    a, b, _ = CODINGS["pearson"]
    p, q = 3.0, 1.0

    def best(a, b, p, q):
        values = np.linspace(-2, 2, 4001)
        return float(values[np.argmin(p * (values - b) ** 2 + q * (values - a) ** 2)])

    return Number(
        best(a, b, p, q),
        tolerance=0.01,
        right="the best critic is the mean of its targets, weighted by p and q.",
        mistakes=[
            (best(0, 1, p, q), "That is p / (p + q), the best critic for the targets 0 and 1."),
            (best(a, b, q, p), "b goes with the real density p, and a with q."),
        ],
    )


@exercise("33_lsgan/2")
def triangular():
    """Write divergence(p, q): the sum of (p - q)^2 / (p + q) over discrete probabilities."""

    def reference(p, q):
        # Twice the generator's cost at the best critic, by LSGAN's own loss, place by place.
        a, b, c = CODINGS["pearson"]
        start = keras.Input((1,))
        model = LSGAN(networks.mlp(1, 1, 4), keras.Model(start, start), coding=(a, b, c))
        best = (b * p + a * q) / (p + q)
        losses = [float(model.generator_loss(None, tf.constant([[d]], tf.float32))) for d in best]
        return 2 * np.sum((p + q) * losses)

    def inputs(rng):
        return rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it is 0 for p = q and 2 where they do not overlap.",
        mistakes=[
            (
                lambda p, q: np.sum((p - q) ** 2 / (p + q)) / 2,
                "That is C(G); the divergence is twice that.",
            ),
            (
                lambda p, q: np.sum((p - q) ** 2 / q),
                "That is Pearson's chi-square of p and q; here the sum p + q stands below.",
            ),
            (lambda p, q: np.sum(np.abs(p - q)), "Square the difference, and divide by the sum."),
            (lambda p, q: np.sum((p - q) ** 2), "Divide by p + q before you sum."),
        ],
        calls=6,
    )


@exercise("33_lsgan/3")
def what_vanishes():
    """What the pull of the best critic does when the densities part."""
    return Choice(
        "a",
        options=["a", "b", "c"],
        why="the best critic is flat where it is sure, and a flat critic has no slope to pass on.",
        wrong={
            "b": "The best critic stays between a and b however far the densities part.",
            "c": "That is so for W1; compute the slope of (b p + a q) / (p + q) far from P.",
        },
    )
