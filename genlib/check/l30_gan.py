"""Exercises of lecture 30: the original GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import GAN


@exercise("30_gan/1")
def undecided_critic():
    """The critic's loss, in nats, when it says D(x) = 1/2 to everything."""
    start = keras.Input((1,))
    undecided = keras.Model(start, keras.layers.Dense(1, kernel_initializer="zeros")(start))
    model = GAN(networks.mlp(1, 1, 4), undecided)
    truth = float(model.critic_loss(tf.ones((4, 1)), tf.ones((4, 1))))
    return Number(
        truth,
        tolerance=0.005,
        right="log 2 for the real heap and log 2 for the generated one: a critic that does "
        "worse than this knows less than nothing.",
        mistakes=[
            (truth / 2, "That is one heap; the loss adds both."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (-truth, "That is the value of the game; the loss is its negative."),
            (0.0, "The loss is 0 only for a critic that is sure and always right."),
        ],
    )


@exercise("30_gan/2")
def minimax_loss():
    """Write minimax_loss(logits): the minimax generator's loss, from logits of any size."""

    def loss_of(objective):
        start = keras.Input((1,))
        reader = keras.Model(start, keras.layers.Activation("linear")(start))
        model = GAN(networks.mlp(1, 1, 4), reader, objective=objective)
        return lambda logits: float(model.generator_loss(None, tf.cast(logits[:, None], "float32")))

    minimax, non_saturating = loss_of("minimax"), loss_of("non_saturating")
    return Function(
        minimax,
        # Some logits so large that 1 - sigmoid is 0 in floating point.
        inputs=lambda rng: (rng.normal(size=6) * rng.choice([1.0, 60.0]),),
        tolerance=1e-3,
        right="softplus never takes the log of a rounded-off 0.",
        mistakes=[
            (non_saturating, "That is the non-saturating loss, -E log D."),
            (lambda logits: -minimax(logits), "The sign is wrong: log(1 - D) is never positive."),
            (
                lambda logits: 6 * minimax(logits),
                "That is a sum over the samples; E is their mean.",
            ),
        ],
    )


@exercise("30_gan/3")
def value_to_divergence():
    """The JSD, in nats, of two heaps whose best critic has the loss 0.5."""
    truth = (np.log(4) - 0.5) / 2
    return Number(
        truth,
        tolerance=0.003,
        right="the best critic's loss tells the divergence; a trained one's gives a lower bound.",
        mistakes=[
            (np.log(4) - 0.5, "That is 2 JSD; halve it."),
            ((np.log(4) + 0.5) / 2, "The value of the game is minus the critic's loss."),
            (np.log(2) - 0.5, "The constant is log 4, not log 2; then halve."),
        ],
    )


@exercise("30_gan/4")
def who_is_wrong():
    """Mode collapse: too small a network, a chase, or a wrong loss?"""
    return Choice(
        right_choice="b",
        options=("a", "b", "c"),
        why="with less momentum the same two networks cover all eight modes, so capacity and loss "
        "are not the cause.",
        wrong={
            "a": "The same generator covers all eight modes with momentum 0.5.",
            "c": "The same loss trains well with momentum 0.5.",
        },
    )
