"""Exercises of lecture 01: the words of the course."""

import numpy as np
from scipy.special import logsumexp

from genlib.check import Choice, Function, Number, exercise


@exercise("01_terminology/1")
def what_is_missing():
    """Which of these does p(y | x) alone not let you do?"""
    return Choice(
        "draw",
        ["classify", "compare", "draw"],
        "to draw a picture you need a probability of pictures, and p(y | x) takes x as given.",
        wrong={
            "classify": "Classifying needs p(y | x) only: choose the y where it is largest.",
            "compare": "p(y | x) at two pictures says which is more probably an eight.",
        },
    )


@exercise("01_terminology/2")
def bayes():
    """p(y = 1 | x) where p(y = 1) = 0.1, p(x | 0) = 0.2 and p(x | 1) = 0.5."""
    prior, likelihood = np.array([0.9, 0.1]), np.array([0.2, 0.5])
    joint = prior * likelihood
    return Number(
        joint[1] / joint.sum(),
        tolerance=0.005,
        right="x speaks for y = 1, but y = 1 is rare, and the prior wins.",
        mistakes=[
            (likelihood[1] / likelihood.sum(), "That leaves out the prior p(y)."),
            (joint[1], "That is the joint p(x, 1); divide it by p(x)."),
            (joint.sum(), "That is the marginal p(x)."),
            (joint[0] / joint.sum(), "That is p(y = 0 | x)."),
            (joint[1] / joint[0], "That is the odds; divide by the sum of both."),
        ],
    )


@exercise("01_terminology/3")
def log_marginal():
    """Write log_marginal(log_prior, log_likelihood): log p(x) for a latent z of k values."""

    def naive(log_prior, log_likelihood):
        with np.errstate(divide="ignore"):
            return np.log(np.sum(np.exp(log_prior + log_likelihood)))

    def inputs(rng):
        log_prior = np.log(rng.dirichlet(np.ones(3)))
        return log_prior, rng.normal(size=3) - rng.choice([0.0, 2000.0])

    return Function(
        lambda log_prior, log_likelihood: logsumexp(log_prior + log_likelihood),
        inputs=inputs,
        tolerance=1e-4,
        right="the joint p(z) p(x | z), summed over z, and safe far out in the tails.",
        mistakes=[
            (naive, "Right where densities are not tiny, but exp(-2000) is 0; use logsumexp."),
            (lambda a, b: logsumexp(b), "That leaves out the prior p(z)."),
            (
                lambda a, b: np.sum(a + b),
                "That is the log of a product over z; the marginal is a sum over z.",
            ),
            (
                lambda a, b: np.sum(np.exp(a) * b),
                "That averages log p(x | z); the average goes inside the logarithm.",
            ),
            (
                lambda a, b: np.max(a + b),
                "That keeps the most probable z only; sum over all of them.",
            ),
        ],
    )
