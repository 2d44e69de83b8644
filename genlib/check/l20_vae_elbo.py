"""Exercises of lecture 20: the evidence lower bound."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.bounds import LinearGaussian, kl_to_standard_normal


@exercise("20_vae_elbo/1")
def kl_of_one_latent():
    """KL(N(1, 0.5^2) || N(0, 1)), in nats."""

    def kl(mean, log_variance):
        return float(kl_to_standard_normal(np.float64([mean]), np.float64([log_variance])))

    truth = kl(1, 2 * np.log(0.5))
    return Number(
        truth,
        tolerance=0.004,
        right="1/2 (mean² + scale² - 1) - log scale.",
        mistakes=[
            (kl(1, np.log(0.5)), "0.5 is the scale; the formula wants the variance, 0.25."),
            (2 * truth, "The 1/2 in front is missing."),
            (-truth, "KL is never negative: the sign is turned round."),
            (kl(1, -2 * np.log(0.5)), "log of the variance 0.25 is negative, and minus it adds."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
        ],
    )


@exercise("20_vae_elbo/2")
def elbo_by_hand():
    """Write elbo(x, mean, scale) for z ~ N(0, 1), x given z ~ N(z, 1)."""
    model = LinearGaussian([[1.0]])

    def terms(x, mean, variance):
        return (float(term) for term in model.elbo_terms([x], [mean], [[variance]]))

    def elbo(x, mean, scale, sign=-1):
        expected, kl = terms(x, mean, scale**2)
        return expected + sign * kl

    def without_spread(x, mean, scale):
        expected, kl = terms(x, mean, scale**2)
        return expected + scale**2 / 2 - kl

    def without_normaliser(x, mean, scale):
        return elbo(x, mean, scale) + np.log(2 * np.pi) / 2

    return Function(
        elbo,
        inputs=lambda rng: (rng.normal(), rng.normal(), rng.uniform(0.3, 2)),
        tolerance=1e-4,
        right="at mean x/2 and scale sqrt(1/2) it is log p(x), and nowhere more.",
        mistakes=[
            (
                without_spread,
                "E log p(x|z) is an average over q: (x - z)² has the mean (x - mean)² + scale².",
            ),
            (
                without_normaliser,
                "log of a Gaussian density has a constant too: -log(2 pi)/2. Without it nobody "
                "can compare your nats.",
            ),
            (lambda *args: elbo(*args, sign=1), "The KL term is subtracted."),
            (lambda *args: -elbo(*args), "That is the loss, minus the ELBO."),
            (
                lambda x, mean, scale: elbo(x, mean, np.sqrt(scale)),
                "scale is a standard deviation; you used it as a variance.",
            ),
        ],
    )


@exercise("20_vae_elbo/3")
def first_loss():
    """A VAE on 28x28 pictures whose first reconstruction loss is 0.69."""
    return Choice(
        right_choice="b",
        options=("a", "b", "c"),
        why="an undecided decoder costs log 2 = 0.69 nats a pixel, so 543 for all 784; a loss of "
        "0.69 is a mean over pixels, and the KL term beside it then weighs 784 times too much.",
        wrong={
            "a": "No training has happened yet: an undecided decoder pays log 2 for each pixel.",
            "c": "A KL term averaged over latents would make the KL small, not the reconstruction.",
        },
    )


@exercise("20_vae_elbo/4")
def diagonal_gap():
    """The least gap of a diagonal q, for a 2-D Gaussian posterior of correlation 0.8."""
    truth = -np.log(1 - 0.8**2) / 2
    return Number(
        truth,
        tolerance=0.003,
        right="no training of this q ever gets nearer to log p(x).",
        mistakes=[
            (2 * truth, "The 1/2 in front is missing."),
            (-truth, "The gap is never negative."),
            (-np.log(1 - 0.8) / 2, "The correlation is squared inside the logarithm."),
            (0.0, "Only a q that can tilt reaches 0."),
        ],
    )
