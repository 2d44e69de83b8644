"""Exercises of lecture 38: Cramer GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import CramerGAN


def _same(k):
    start = keras.Input((k,))
    return keras.Model(start, keras.layers.Activation("linear")(start))


@exercise("38_cramer_gan/1")
def surrogate_by_hand():
    """The surrogate's gap for data at 1 and generated samples at 0.5."""
    model = CramerGAN(networks.mlp(1, 1, 4), _same(1), penalty_weight=0.0)
    x, g = tf.ones((4, 1)), tf.fill((4, 1), 0.5)
    model.generate = lambda n: g
    truth = -float(model.critic_loss(x, g))
    energy = float(model.generator_loss(x, g))
    return Number(
        truth,
        tolerance=0.005,
        right="f(1) = 1/2 - 1 and f(1/2) = 0 - 1/2: no gap, though Q is not P.",
        mistakes=[
            (energy, "That is the generator's loss, the energy form."),
            (energy / 2, "You left |t| out of f(t) = |t - g2| - |t|."),
        ],
    )


@exercise("38_cramer_gan/2")
def energy_form():
    """Write generator_loss(hx, h1, h2) from codes."""

    def reference(hx, h1, h2):
        n, k = hx.shape
        model = CramerGAN(networks.mlp(1, k, 4), _same(k))
        model.generate = lambda _: tf.constant(h2, tf.float32)
        return float(model.generator_loss(tf.constant(hx, tf.float32), tf.constant(h1, tf.float32)))

    def inputs(rng):
        k = int(rng.integers(2, 5))
        return rng.normal(1, 1, (6, k)), rng.normal(size=(6, k)), rng.normal(size=(6, k))

    def far(a, b):
        return np.mean(np.linalg.norm(a - b, axis=1))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="two pulls towards the data, one push apart.",
        mistakes=[
            (
                lambda hx, h1, h2: far(hx, h1) + far(hx, h2),
                "Without the last term all samples end in one place: push h1 and h2 apart.",
            ),
            (
                lambda hx, h1, h2: far(hx, h1) + far(hx, h2) + far(h1, h2),
                "The distance between the two generated batches is taken away.",
            ),
            (
                lambda hx, h1, h2: sum(
                    s * np.mean(np.sum((a - b) ** 2, 1))
                    for s, a, b in ((1, hx, h1), (1, hx, h2), (-1, h1, h2))
                ),
                "Take distances, not their squares: squares see only the means.",
            ),
        ],
        calls=4,
    )


@exercise("38_cramer_gan/3")
def why_two_batches():
    """Why two independent generated batches are drawn."""
    return Choice(
        "a",
        options=["a", "b", "c"],
        why="a batch against itself has distance 0 in each pair, and nothing pushes apart.",
        wrong={
            "b": "The noise is not it: with g2 = g1 the last term is 0 whatever Q is.",
            "c": "The penalty needs the batch only where f is measured.",
        },
    )
