"""Exercises of lecture 41: BEGAN."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.gans import BEGAN


def _moved(k, gamma, k_rate, on_real, on_fake):
    """Return the next k and M as BEGAN itself computes them."""
    model = BEGAN(*BEGAN.suited_networks((2,), width=2, seed=0), gamma=gamma, k_rate=k_rate)
    model.k.assign(k)
    logs = model.move_k(tf.constant(on_real, tf.float32), tf.constant(on_fake, tf.float32))
    return float(logs["k"]), float(logs["convergence"])


@exercise("41_began/1")
def next_k():
    """The next k for given errors."""
    return Number(
        _moved(0.2, 0.5, 0.1, 0.6, 0.5)[0],
        tolerance=0.001,
        right="the generated error is too large for the balance, so the critic pushes less.",
        mistakes=[
            (0.2 - 0.1 * (0.5 * 0.6 - 0.5), "The sign: k falls where the generated error is high."),
            (0.2 + 0.1 * (0.6 - 0.5), "Compare with gamma times the real error."),
            (0.2 + (0.5 * 0.6 - 0.5), "Multiply the gap by the rate lambda."),
            (0.1 * (0.5 * 0.6 - 0.5), "That is the step; add it to the old k."),
        ],
    )


@exercise("41_began/2")
def convergence():
    """Write measure(on_real, on_fake, gamma)."""

    def inputs(rng):
        return tuple(float(v) for v in rng.uniform(0.1, 1, 3))

    return Function(
        lambda on_real, on_fake, gamma: _moved(0.0, gamma, 0.1, on_real, on_fake)[1],
        inputs,
        tolerance=1e-4,
        right="it is small only where real samples are copied well and the balance holds.",
        mistakes=[
            (
                lambda on_real, on_fake, gamma: on_real + gamma * on_real - on_fake,
                "Take |.| of the gap: both sides of the balance count as far.",
            ),
            (
                lambda on_real, on_fake, gamma: abs(gamma * on_real - on_fake),
                "Add the real error: a balance of two bad copies is no convergence.",
            ),
            (
                lambda on_real, on_fake, gamma: on_real + np.abs(on_real - gamma * on_fake),
                "Gamma belongs to the real error.",
            ),
        ],
        calls=8,
    )


@exercise("41_began/3")
def what_m_says():
    """What a small M tells."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="M is made of two mean errors, and a few well-copied kinds of sample keep them right.",
        wrong={
            "a": "The runs above have a small M and leave heaps out.",
            "c": "Two equal mean errors do not make two distributions equal.",
        },
    )
