"""Exercises of lecture 32: WGAN with gradient penalty."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import WGANGP, penalties


@exercise("32_wgan_gp/1")
def slope_on_two_diracs():
    """The best slope for Diracs 2 apart and a weight of 0.5."""
    distance, weight = 2.0, 0.5
    start = keras.Input((1,))
    critic = keras.Model(start, keras.layers.Dense(1, use_bias=False)(start))
    model = WGANGP(networks.mlp(1, 1, 4), critic, penalty_weight=weight)
    real, fake = tf.fill((2, 1), distance), tf.zeros((2, 1))

    def loss(slope):
        critic.set_weights([np.array([[slope]])])
        return float(model.critic_loss(real, fake))

    # The loss is a parabola in the slope, so three of its points give the lowest one.
    curvature, linear, _ = np.polyfit([0, 2, 5], [loss(s) for s in (0, 2, 5)], 2)
    truth = -linear / (2 * curvature)
    return Number(
        truth,
        tolerance=0.02,
        right="at that slope one more unit of gap costs as much penalty as it earns.",
        mistakes=[
            (1.0, "Slope 1 costs nothing, but a little more earns gap: the penalty is no wall."),
            (1 + distance / weight, "The slope of the penalty is 2 lambda (s - 1): mind the 2."),
            (
                distance + distance**2 / (4 * weight),
                "That is the objective at the best slope; asked is the slope itself.",
            ),
        ],
    )


@exercise("32_wgan_gp/2")
def slope_penalty():
    """Write penalty(gradients): the mean of (norm - 1)^2 for gradients of pictures."""

    def reference(gradients):
        # A linear value has these very gradients, whatever the point.
        where = tf.zeros(gradients.shape)

        def value(x):
            return tf.reduce_sum(x * tf.cast(gradients, tf.float32), [1, 2, 3])

        alpha = tf.fill((len(gradients),), 0.5)
        return float(penalties.gradient_penalty(value, where, where, alpha))

    def norms(gradients, axis):
        return np.sqrt(np.sum(gradients**2, axis))

    return Function(
        reference,
        lambda rng: (rng.normal(0, 0.3, size=(5, 4, 3, 2)),),
        tolerance=1e-3,
        right="one norm a sample, over all the axes but the first.",
        mistakes=[
            (
                lambda g: np.mean((norms(g, 1) - 1) ** 2),
                "That norm runs over one axis; a picture's gradient has three: sum over them all.",
            ),
            (
                lambda g: np.mean((norms(g, -1) - 1) ** 2),
                "That norm runs over the last axis; sum over axes 1, 2 and 3.",
            ),
            (
                lambda g: (norms(g, (0, 1, 2, 3)) - 1) ** 2,
                "That is one norm for the whole batch; each sample has its own.",
            ),
            (
                lambda g: np.mean((norms(g, (1, 2, 3)) ** 2 - 1) ** 2),
                "Take the root before you subtract the 1.",
            ),
            (
                lambda g: (np.mean(norms(g, (1, 2, 3))) - 1) ** 2,
                "First the square of each sample, then the mean.",
            ),
        ],
        calls=6,
    )


@exercise("32_wgan_gp/3")
def no_batch_norm():
    """Why the critic holds no batch normalisation."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="the penalty is about the slope of each score in its own sample.",
        wrong={
            "a": "Its gradient exists; ask what it is the gradient of.",
            "c": "Clipping is gone here, and batch normalisation would not bound the weights.",
        },
    )
