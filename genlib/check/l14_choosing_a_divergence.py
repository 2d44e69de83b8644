"""Exercises of lecture 14: choosing a divergence."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import properties


@exercise("14_choosing_a_divergence/1")
def wrong_way():
    """The expected sample gradient of W1 at t = 0.75 from one toss of a coin of 0.6."""
    heads = float(tfd.Bernoulli(probs=np.float64(0.6)).prob(1.0))
    truth = (1 - heads) - heads  # |0 - t| has slope 1, |1 - t| has slope -1
    return Number(
        truth,
        tolerance=0.005,
        right="it is negative, so descent raises t, away from 0.6.",
        mistakes=[
            (1.0, "That is the slope of |0.6 - t|, the distance from the coin itself."),
            (-truth, "The sign: |1 - t| falls when t rises, so heads count -1."),
            (2 * (0.75 - heads), "That is Cramér's gradient, 2(t - 0.6)."),
            (heads - 0.75, "That averages share - t; take the slopes of |share - t|."),
        ],
    )


@exercise("14_choosing_a_divergence/2")
def unbiased_mmd2():
    """Write mmd2_u(k_xx, k_yy, k_xy): the unbiased MMD² from three Gram matrices."""

    def off_diagonal(k):
        n = len(k)
        return (k.sum() - np.trace(k)) / (n * (n - 1))

    def v_statistic(k_xx, k_yy, k_xy):
        return k_xx.mean() + k_yy.mean() - 2 * k_xy.mean()

    def reference(k_xx, k_yy, k_xy):
        return off_diagonal(k_xx) + off_diagonal(k_yy) - 2 * k_xy.mean()

    def without_diagonal_over_n_squared(k_xx, k_yy, k_xy):
        within = sum((k.sum() - np.trace(k)) / k.size for k in (k_xx, k_yy))
        return within - 2 * k_xy.mean()

    def grams(rng):
        x, y = rng.normal(size=5), rng.normal(0.5, 1, size=7)
        pairs = ((x, x), (y, y), (x, y))
        return tuple(np.exp(-(np.subtract.outer(a, b) ** 2) / 2) for a, b in pairs)

    return Function(
        reference,
        inputs=grams,
        tolerance=1e-5,
        right="only pairs of different points are averaged, so the mean is right.",
        mistakes=[
            (v_statistic, "That is the V-statistic: leave out each point with itself."),
            (
                without_diagonal_over_n_squared,
                "n (n - 1) pairs are left without the diagonal, not n².",
            ),
            (
                lambda a, b, c: off_diagonal(a) + off_diagonal(b) - c.mean(),
                "The mixed term counts twice.",
            ),
            (
                lambda a, b, c: np.sqrt(np.maximum(reference(a, b, c), 0)),
                "That is a root; the unbiased one is MMD², and it may be negative.",
            ),
        ],
    )


@exercise("14_choosing_a_divergence/3")
def choose():
    """Which of four has unbiased sample gradients and pulls from afar?"""
    names = {"KL": "KL", "W1": "W1", "energy": "energy", "MMD2": "MMD²"}
    needs = ("pull far", "unbiased")

    def missing(name):
        divergence = properties.DIVERGENCES[names[name]]
        wanted = ((key, properties.PROPERTIES[key]) for key in needs)
        return [key for key, found in wanted if not found.holds(found.measure(divergence))]

    lacks = {name: missing(name) for name in names}
    says = {
        "pull far": "on supports far apart it has no slope to follow",
        "unbiased": "its expected sample gradient is not the true one",
    }
    return Choice(
        next(name for name, found in lacks.items() if not found),
        options=list(names),
        why="it has both; what it lacks is the triangle inequality (its root has that).",
        wrong={
            name: f"Look at its row: {' and '.join(says[key] for key in found)}."
            for name, found in lacks.items()
            if found
        },
    )
