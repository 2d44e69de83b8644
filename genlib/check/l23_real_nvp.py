"""Exercises of lecture 23: RealNVP."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.real_nvp import AffineCoupling

#: Exercise 1 asks about the point x = (1, 0.5) and the layer z = (x1, 3 x2 - 1.2).
POINT, SCALE, SHIFT = np.array([1.0, 0.5]), 3.0, -1.2


@exercise("23_real_nvp/1")
def density_after_one_layer():
    """log p(x), in nats, at POINT, where z is standard normal."""
    layer = AffineCoupling([1, 0], _constant(np.log(SCALE), SHIFT), max_log_scale=1e3)
    z, log_det = (v.numpy()[0] for v in layer.forward(tf.constant([POINT], tf.float32)))
    squares = -np.sum(z**2) / 2
    base = squares - np.log(2 * np.pi)
    return Number(
        base + log_det,
        tolerance=0.005,
        right="the log-density where x lands, plus the logarithm of the stretch.",
        mistakes=[
            (base, "The log-determinant is missing."),
            (base - log_det, "The sign: log p(x) = log p(z) + log|det dz/dx|."),
            (base + SCALE, "Add the logarithm of the stretch, not the stretch."),
            (
                squares - np.log(2 * np.pi) / 2 + log_det,
                "z has two coordinates, with log(2 pi) / 2 for each.",
            ),
            (
                -np.sum(POINT**2) / 2 - np.log(2 * np.pi) + log_det,
                "Take the normal density at z, where x lands, not at x.",
            ),
        ],
    )


@exercise("23_real_nvp/2")
def inverse_of_a_layer():
    """Write inverse(y, s, t) for the layer y = (x1, x2 exp(s(x1)) + t(x1))."""

    def by_the_layer(y, s, t):
        def network(x):
            a = float(x[0, 0])
            return tf.constant([[0, s(a), 0, t(a)]], tf.float32)

        layer = AffineCoupling([1, 0], network, max_log_scale=1e3)
        return layer.inverse(tf.constant([y], tf.float32)).numpy()[0]

    def inputs(rng):
        a, b, c, d = rng.normal(size=4)
        return rng.normal(size=2), lambda u: 0.5 * a * u + b, lambda u: c * u**2 + d

    return Function(
        by_the_layer,
        inputs=inputs,
        tolerance=1e-3,
        right="the networks are run forwards; only a multiplication and an addition are undone.",
        mistakes=[
            (
                lambda y, s, t: [y[0], y[1] * np.exp(s(y[0])) + t(y[0])],
                "That is the layer itself: undo it.",
            ),
            (
                lambda y, s, t: [y[0], y[1] * np.exp(-s(y[0])) - t(y[0])],
                "Undo in reverse order: first take t away, then divide.",
            ),
            (
                lambda y, s, t: [y[0], (y[1] - t(y[1])) * np.exp(-s(y[1]))],
                "s and t were computed from the coordinate that did not move.",
            ),
            (
                lambda y, s, t: [y[0], (y[1] - t(y[0])) / s(y[0])],
                "Divide by exp(s), not by s.",
            ),
        ],
        calls=8,
    )


@exercise("23_real_nvp/3")
def bits_per_dimension():
    """Bits per dimension of an 8x8 picture with 17 levels whose log-density is 80 nats."""
    truth = (np.log(17) - 80 / 64) / np.log(2)
    return Number(
        truth,
        tolerance=0.005,
        right="the cells of the grid are 1/17 wide, so a density of 1 is already log2 17 bits.",
        mistakes=[
            (-80 / 64 / np.log(2), "The width of a grey level is missing: add log2 17."),
            (truth * np.log(2), "That is in nats; divide by log 2."),
            (truth * 64, "That is for the whole picture; divide by its 64 pixels."),
            ((np.log(17) + 80 / 64) / np.log(2), "The sign: a higher density costs fewer bits."),
            (
                (np.log(256) - 80 / 64) / np.log(2),
                "These digits have 17 grey levels, not 256.",
            ),
        ],
    )


@exercise("23_real_nvp/4")
def why_bridges():
    """Why does a flow leave mass between separate heaps?"""
    return Choice(
        right_choice="b",
        options=("a", "b", "c"),
        why="a continuous, invertible map keeps what is connected connected; it can only stretch "
        "the bridge thin.",
        wrong={
            "a": "Longer training thins the bridges. To cut them would take an infinite slope.",
            "c": "The likelihood is exact, and it does punish mass where there are no data.",
        },
    )


def _constant(s, t):
    """In place of a network: log-scale s and shift t of the second coordinate, everywhere."""
    return lambda x: tf.zeros_like(x[:, :1]) + tf.constant([[0, s, 0, t]], tf.float32)
