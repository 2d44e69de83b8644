"""Exercises of lecture 22: autoregressive models."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.discretised_logistic import DiscretisedLogistic
from genlib.likelihood.made import masks
from genlib.widgets.scenes.receptive_field import receptive_field


@exercise("22_autoregressive/1")
def bits_per_dimension():
    """The bits per dimension of 8x8 pictures that cost 20 nats each."""
    nats, pixels = 20.0, 64
    truth = nats / (pixels * np.log(2))
    return Number(
        truth,
        tolerance=0.002,
        right="one bit a pixel would be as much as sending the picture as it is.",
        mistakes=[
            (nats / pixels, "That is in nats per pixel; divide by log 2 for bits."),
            (nats / np.log(2), "That is in bits for the whole picture; divide by its pixels."),
            (nats * np.log(2) / pixels, "A bit is log 2 = 0.693 nats: divide by it."),
            (nats / (8 * np.log(2)), "A picture of 8 by 8 has 64 pixels."),
        ],
    )


@exercise("22_autoregressive/2")
def last_mask():
    """Write last_mask(hidden, places): the mask from hidden degrees to outputs, as ones and zeros.

    ``hidden`` (k,) are degrees; ``places`` (d,) says as which number each output is drawn, from 1.
    """

    def reference(hidden, places):
        return (places > hidden[:, None]).astype(float)

    # The same as genlib's: with one hidden layer whose degrees are known.
    order = np.array([2, 0, 1, 3])
    first, last = masks(order, (5,), seed=0)
    degrees = (first * (1 + np.argsort(order))[:, None]).max(0)
    assert np.array_equal(reference(degrees, 1 + np.argsort(order)), last)

    def inputs(rng):
        places = 1 + rng.permutation(rng.integers(3, 6))
        return rng.integers(1, len(places), size=rng.integers(6, 9)), places

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="strictly greater, so that no output sees its own input.",
        mistakes=[
            (
                lambda hidden, places: (places >= hidden[:, None]).astype(float),
                "With >= an output sees its own input: the leak of this lecture. Use >.",
            ),
            (
                lambda hidden, places: (places[:, None] > hidden).astype(float),
                "That is (outputs, hidden); a kernel is (hidden, outputs): transpose it.",
            ),
            (
                lambda hidden, places: (places < hidden[:, None]).astype(float),
                "The other way round: an output sees units of a smaller degree than its own.",
            ),
            (
                lambda hidden, places: (np.arange(1, len(places) + 1) > hidden[:, None]) * 1.0,
                "That is the natural order; an output's degree is its place in the order.",
            ),
        ],
    )


@exercise("22_autoregressive/3")
def bin_probability():
    """Write bin_probability(k, mean, scale): P(level k) of 256, of one discretised logistic."""
    head = DiscretisedLogistic(256, 1)

    def reference(k, mean, scale):
        parameters = tf.constant([0.0, mean, np.log(scale)], tf.float64)
        return float(np.exp(head.log_prob(parameters, tf.constant(k, tf.float64))))

    def cdf(x):
        return 1 / (1 + np.exp(-x))

    def no_edges(k, mean, scale):
        low, high = ((k - 0.5) / 255 - mean) / scale, ((k + 0.5) / 255 - mean) / scale
        return cdf(high) - cdf(low)

    def density(k, mean, scale):
        t = (k / 255 - mean) / scale
        return cdf(t) * cdf(-t) / scale / 255

    def by_256(k, mean, scale):
        low = -np.inf if k == 0 else ((k - 0.5) / 256 - mean) / scale
        high = np.inf if k == 255 else ((k + 0.5) / 256 - mean) / scale
        return cdf(high) - cdf(low)

    def inputs(rng):
        # Both edges come up, and scales so small that a bin's width is felt.
        k = int(rng.choice([0, 255, rng.integers(1, 255)]))
        centre = np.clip(k / 255 + rng.normal() * 0.01, -0.02, 1.02)
        return k, float(centre), float(rng.choice([0.002, 0.01, 0.05]))

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="with the edge bins the 256 probabilities add up to 1.",
        mistakes=[
            (no_edges, "Level 0 also takes all below it, and level 255 all above it."),
            (density, "That is the density times the bin's width; a bin is a difference of CDFs."),
            (by_256, "The levels are k / 255, so the borders are (k - 1/2)/255 and (k + 1/2)/255."),
        ],
    )


@exercise("22_autoregressive/4")
def where_is_the_blind_spot():
    """Which pixel does one stack of eight 3x3 masked convolutions never see from (5, 5)?"""
    places = {"a": (4, 6), "b": (2, 2), "c": (4, 8), "d": (1, 8)}
    seen = receptive_field((11, 13), (5, 5), 8, 1, two_stacks=False)
    (blind,) = (name for name, place in places.items() if not seen[place])
    sees = "The output does see it: "
    return Choice(
        right_choice=blind,
        options=tuple(places),
        why="each layer goes at most one column right for one row up, so one row up only one "
        "column to the right is seen, at any depth.",
        wrong={
            "a": sees + "the very first layer looks one up and one right.",
            "b": sees + "up and to the left nothing is hidden, and eight layers reach far.",
            "d": sees + "four rows up, a path may go up to four columns to the right.",
        },
    )
