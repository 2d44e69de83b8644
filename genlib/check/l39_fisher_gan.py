"""Exercises of lecture 39: Fisher GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import witness
from genlib.gans import FisherGAN


@exercise("39_fisher_gan/1")
def disjoint():
    """F between two densities that share no place."""
    x = np.linspace(-12, 12, 4801)
    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (-6, 6))
    return Number(
        float(witness.gap(witness.fisher(x, p, q), x, p, q)),
        tolerance=0.005,
        right="f is 1 on one and -1 on the other: a gap of 2 at size 1.",
        mistakes=[
            (4.0, "That is F squared."),
            (1.0, "f = 1 on P's samples and f = -1 on Q's has size 1; what is its gap?"),
            (np.inf, "F is bounded, unlike KL or W1: the best f takes only two values here."),
        ],
    )


@exercise("39_fisher_gan/2")
def in_units_of_size():
    """Write fisher_value(f_real, f_fake): the gap in units of the critic's size."""

    def reference(f_real, f_fake):
        # At size 1 the constraint's terms vanish from the library's own loss.
        size = (np.mean(f_real**2) + np.mean(f_fake**2)) / 2
        start = keras.Input((1,))
        same = keras.Model(start, keras.layers.Activation("linear")(start))
        model = FisherGAN(networks.mlp(1, 1, 4), same)
        real, fake = (tf.constant(f[:, None] / np.sqrt(size), tf.float32) for f in (f_real, f_fake))
        return -float(model.critic_loss(real, fake))

    def inputs(rng):
        return rng.normal(1, 1, size=8), rng.normal(-0.5, 0.5, size=6)

    def gap(a, b):
        return np.mean(a) - np.mean(b)

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it does not change when f is multiplied by 2, and it never exceeds 2.",
        mistakes=[
            (
                lambda a, b: gap(a, b) / ((np.mean(a**2) + np.mean(b**2)) / 2),
                "The size is the *root* of Omega: test that 2 f gives the same value as f.",
            ),
            (
                lambda a, b: gap(a, b) / np.sqrt((np.var(a) + np.var(b)) / 2),
                "Omega is not centred: take mean squares, not variances.",
            ),
            (
                lambda a, b: gap(a, b) / np.sqrt(np.mean(a**2) + np.mean(b**2)),
                "Omega has a half before each of its two terms.",
            ),
        ],
        calls=5,
    )


@exercise("39_fisher_gan/3")
def which_way():
    """Which way the multiplier goes while the critic is too large."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="l multiplies 1 - Omega in what the critic maximises: a larger l makes size dearer.",
        wrong={
            "a": "A smaller l makes size cheaper, and the critic would grow further.",
            "c": "It stays only while Omega = 1.",
        },
    )
