"""Exercises of lecture 05: hierarchical Bayes."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood.hierarchical import HierarchicalNormal


@exercise("05_hierarchical_bayes/1")
def partial_pooling():
    """The mean of theta_A given mu = 8 and tau = 10, for y = 28 and sigma = 15."""
    # A prior that all but fixes mu, 8 below the origin of y, gives the mean at a known mu.
    given = HierarchicalNormal([28.0 - 8.0], [15.0], mean_scale=1e-3).given_spread([10.0])
    return Number(
        8 + float(given.theta_mean[0, 0]),
        tolerance=0.05,
        right="the noise is larger than the spread, so most of the way to 8 is gone.",
        mistakes=[
            (
                8 + 20 * 225 / 325,
                "You swapped the weights: the noisier the school, the more weight goes to mu.",
            ),
            (8 + 20 * 10 / 25, "Weigh by variances (the squares), not by standard deviations."),
            (18.0, "That is the plain average; weigh by 1 / variance."),
            (28.0, "That is no pooling; here the spread of the schools is known to be 10."),
            (8.0, "That is complete pooling; it would be right for a spread of 0."),
        ],
    )


@exercise("05_hierarchical_bayes/2")
def shrink():
    """Write shrink(y, sigma, mu, tau): the mean of every theta_j given mu and tau."""

    def reference(y, sigma, mu, tau):
        pooling = sigma**2 / (sigma**2 + tau**2)
        return (1 - pooling) * y + pooling * mu

    def inputs(rng):
        n = rng.integers(2, 9)
        tau = rng.choice([0.0, rng.uniform(0.5, 20)])  # also where all schools are alike
        return rng.normal(5, 10, n), rng.uniform(5, 20, n), rng.normal(), tau

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it also holds for a spread of 0, where everyone gets mu.",
        mistakes=[
            (
                lambda y, sigma, mu, tau: y + mu - reference(y, sigma, mu, tau),
                "The weights are swapped: sigma^2 / (sigma^2 + tau^2) belongs to mu.",
            ),
            (
                lambda y, sigma, mu, tau: (tau * y + sigma * mu) / (sigma + tau),
                "Weigh by variances, not by standard deviations.",
            ),
            (
                lambda y, sigma, mu, tau: reference(y, sigma, y.mean(), tau),
                "You pull towards the mean of y; pull towards mu.",
            ),
        ],
    )


@exercise("05_hierarchical_bayes/3")
def mean_field_width():
    """The width of the mean-field fit to a Gaussian of correlation 0.9, as a share of the true."""
    precision = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])
    return Number(
        float(1 / np.sqrt(precision[0, 0])),
        tolerance=0.005,
        right="it is the width of a slice, sqrt(1 - 0.9^2), and not that of the whole shadow.",
        mistakes=[
            (float(1 / precision[0, 0]), "That is the ratio of the variances; take its root."),
            (1.0, "That is what KL(p||q) would give; the ELBO minimises KL(q||p)."),
            (
                0.9,
                "That is the correlation; invert the covariance matrix and look at its diagonal.",
            ),
            (float(np.sqrt(precision[0, 0])), "You have the inverse: the fit is too narrow."),
        ],
    )


@exercise("05_hierarchical_bayes/4")
def which_form():
    """Which form samples better when each school's standard error is a tenth?"""
    return Choice(
        right_choice="a",
        options=("a", "b", "c"),
        why="the data now fix each theta, and log tau is well away from the neck: nothing is left "
        "to straighten, while z = (theta - mu) / tau would have to follow each move of mu and tau.",
        wrong={
            "b": "The non-centred form cures the funnel, and with such data there is none: look at "
            "the table for strong data.",
            "c": "It does: the table for strong data compares the two.",
        },
    )
