"""Exercises of lecture 31: the Wasserstein GAN."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import wasserstein
from genlib.gans import WGAN


@exercise("31_wgan/1")
def louder_critic():
    """The least W1 that a critic of slope 3 with a gap of 6 allows."""
    # Two Diracs at that distance: the critic 3x has the gap 6 on them, and no nearer pair has.
    truth = float(wasserstein(tfd.Deterministic(0.0), tfd.Deterministic(6 / 3)))
    return Number(
        truth,
        tolerance=0.005,
        right="divided by 3 the critic is a legal one, and its gap bounds W1 from below.",
        mistakes=[
            (
                6.0,
                "That takes the slope for 1; a critic three times as steep reads three times W1.",
            ),
            (18.0, "The slope makes the gap larger than W1, not smaller: divide by it."),
        ],
    )


@exercise("31_wgan/2")
def linear_reach():
    """Write reach(x, y, c): the largest gap of a linear critic in the box."""

    def reference(x, y, c):
        start = keras.Input((x.shape[1],))
        best = keras.layers.Dense(1, use_bias=False)
        model = WGAN(networks.mlp(1, x.shape[1], 4), keras.Model(start, best(start)), clip=c)
        best.kernel.assign(c * np.sign(np.mean(x, 0) - np.mean(y, 0))[:, None])
        return -float(model.critic_loss(tf.cast(x, tf.float32), tf.cast(y, tf.float32)))

    def inputs(rng):
        d = int(rng.integers(2, 5))
        return rng.normal(size=(8, d)), rng.normal(1, 1, size=(6, d)), float(rng.uniform(0.1, 1))

    def gap(x, y):
        return np.mean(x, 0) - np.mean(y, 0)

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="each weight goes to the edge, with the sign of its axis's gap.",
        mistakes=[
            (
                lambda x, y, c: c * np.linalg.norm(gap(x, y)),
                "That is the reach of weights in a ball of radius c; in a box each weight is free.",
            ),
            (lambda x, y, c: c * abs(np.sum(gap(x, y))), "Take |.| of each axis before the sum."),
            (lambda x, y, c: np.sum(np.abs(gap(x, y))), "That is for c = 1: multiply by c."),
        ],
        calls=6,
    )


@exercise("31_wgan/3")
def no_sigmoid():
    """Why the critic gives a score."""
    return Choice(
        "a",
        options=["a", "b", "c"],
        why="a sample is pulled by the critic's slope, and a sigmoid's dies where it is sure.",
        wrong={
            "b": "Speed is not it: look at the pull far from the real samples.",
            "c": "Only differences of mean scores count; they need not add up to anything.",
        },
    )
