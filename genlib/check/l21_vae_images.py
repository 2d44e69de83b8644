"""Exercises of lecture 21: a VAE on real digits."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.bounds import water_level

VARIANCES = np.array([9.0, 5.0, 3.0, 1.5, 0.5])
BETA, SCALE = 4.0, 0.5


@exercise("21_vae_images/1")
def active_latents():
    """How many of five directions a linear VAE with beta 4 and scale 0.5 keeps."""

    def kept(level):
        return int(np.sum(water_level(VARIANCES, level)[0] > 0))

    return Number(
        kept(BETA * SCALE**2),
        tolerance=0.1,
        right="the level is beta · scale² = 1, and four variances rise above it.",
        mistakes=[
            (kept(BETA * SCALE), "The level has the scale squared."),
            (kept(BETA), "The level is beta times the scale squared, not beta alone."),
            (kept(SCALE**2), "That is with beta = 1."),
        ],
    )


@exercise("21_vae_images/2")
def rate_of_a_direction():
    """The rate, in nats, of the direction with variance 9 at the level 1."""
    truth = float(water_level([9.0], 1.0)[0][0])
    return Number(
        truth,
        tolerance=0.005,
        right="half the log of variance over level.",
        mistakes=[
            (2 * truth, "The 1/2 in front is missing."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (np.log(10) / 2, "log(1 + variance/level) is another channel; here the level is "
             "inside the variance."),
        ],
    )  # fmt: skip


@exercise("21_vae_images/3")
def count_active_units():
    """Write active(means, threshold): how many latents carry anything."""

    def active(means, threshold, reduce=np.var, axis=0):
        return int(np.sum(reduce(means, axis=axis) > threshold))

    def means(rng):
        scale = rng.choice([0.02, 0.2, 0.6, 1.0], size=8)
        return rng.normal(size=(50, 8)) * scale + rng.normal(size=8), 0.1

    return Function(
        active,
        inputs=means,
        tolerance=1e-6,
        right="a latent whose mean does not move from picture to picture says nothing.",
        mistakes=[
            (
                lambda means, threshold: active(means, threshold, np.std),
                "Burda et al. compare the variance with the threshold, not the scale.",
            ),
            (
                lambda means, threshold: active(means, threshold, axis=1),
                "Take the variance over the pictures, axis 0: one number for each latent.",
            ),
            (
                lambda means, threshold: active(
                    means, threshold, lambda m, axis: np.mean(m**2, axis)
                ),
                "A mean that is far from 0 but always the same says nothing: take the variance.",
            ),
        ],
    )


@exercise("21_vae_images/4")
def true_sample():
    """Which picture is a sample of p(x) of a Bernoulli VAE?"""
    return Choice(
        right_choice="c",
        options=("a", "b", "c"),
        why="p(x) is over black and white pixels: draw z, then draw each pixel. The grey picture "
        "is the mean of p(x|z), which hides the noise that the model believes in.",
        wrong={
            "a": "That is the mean of p(x|z): grey levels, which this model gives no probability.",
            "b": "A reconstruction starts from a real picture, so it is no sample of p(x).",
        },
    )
