"""Exercises of lecture 12: the Wasserstein distance."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import total_variation
from genlib.divergences.samples import emd, wasserstein_1d

_BINS = np.arange(5.0)
_P, _Q = np.array([0.5, 0, 0, 0, 0.5]), np.array([0, 0, 0.5, 0.5, 0])


@exercise("12_wasserstein/1")
def by_hand():
    """W1 of two piles over bins 0 to 4, by the area between the CDFs."""
    gap = np.cumsum(_P - _Q)
    dists = [tfd.FiniteDiscrete(_BINS, probs=weights) for weights in (_P, _Q)]
    return Number(
        float(wasserstein_1d(_BINS, _BINS, x_weights=_P, y_weights=_Q)),
        tolerance=0.005,
        right="half the earth moves two bins, the other half one.",
        mistakes=[
            (float(gap @ gap), "You squared the gap F - G (the Cramer distance); take |F - G|."),
            (
                float(total_variation(*dists)),
                "That is how much earth moves (total variation); count how far it goes too.",
            ),
            (
                float(abs(_BINS @ (_P - _Q))),
                "That is the gap between the means: here earth moves both ways, so take |F - G|.",
            ),
            (
                float(np.sqrt(emd(_BINS, _BINS, "sqeuclidean", _P, _Q))),
                "That is W2; W1 charges the distance, not its square.",
            ),
        ],
    )


@exercise("12_wasserstein/2")
def from_samples():
    """Write w1(x, y) for two 1-D samples of equal size."""

    def inputs(rng):
        n = rng.integers(3, 30)
        return rng.normal(size=n), rng.normal(1.0, 2.0, size=n)

    return Function(
        lambda x, y: float(wasserstein_1d(x, y)),
        inputs,
        tolerance=1e-4,
        right="sorting pairs equal quantiles, and no plan is cheaper on a line.",
        mistakes=[
            (
                lambda x, y: np.mean(np.abs(x - y)),
                "That pairs the points in the order they came; sort both first.",
            ),
            (
                lambda x, y: np.sum(np.abs(np.sort(x) - np.sort(y))),
                "That is n times too much: each point carries mass 1/n, so take the mean.",
            ),
            (
                lambda x, y: np.abs(np.mean(np.sort(x) - np.sort(y))),
                "Moves to the left and right cancel there; take |.| before the mean.",
            ),
            (
                lambda x, y: np.sqrt(np.mean((np.sort(x) - np.sort(y)) ** 2)),
                "That is W2; take the mean of |.| for W1.",
            ),
            (
                lambda x, y: np.mean(np.abs(np.subtract.outer(x, y))),
                "That is the cost of the plan that sends everything everywhere.",
            ),
        ],
    )


@exercise("12_wasserstein/3")
def best_critic():
    """Which f reaches the supremum for P = N(2, 1), Q = N(-1, 1)?"""
    return Choice(
        "x",
        options=["x", "-x", "|x|", "2x"],
        why="P lies to the right, so F < G everywhere and the slope is +1 everywhere.",
        wrong={
            "-x": "E_P f - E_Q f is negative with -x: the critic must be high on P.",
            "|x|": "|x| falls left of 0, where F < G too: it gives part of the value back.",
            "2x": "2x collects more than W1, but its slope is above 1: it is not allowed.",
        },
    )


@exercise("12_wasserstein/4")
def biased_minimum():
    """The t that minimises the expected sample W1 between Bernoulli(0.6), m = 2, and B(t)."""
    truth = _best_t(2)
    return Number(
        truth,
        tolerance=0.005,
        right="the average of the sample distances is least at a median, not at the true 0.6.",
        mistakes=[
            (0.6, "That is the true parameter, and the surprise: it is not the minimiser."),
            (_best_t(1), "That is the answer for m = 1; average over the three outcomes of m = 2."),
            (0.0, "Is this the least value? return the t at which it is least, from 0 to 1."),
        ],
    )


def _best_t(m):
    shares = np.arange(m + 1) / m
    probs = tfd.Binomial(m, probs=np.float64(0.6)).prob(np.arange(m + 1.0)).numpy()
    t = np.linspace(0, 1, 1001)
    return float(t[np.argmin(np.abs(shares - t[:, None]) @ probs)])
