"""Exercises of lecture 35: McGAN, matching means and covariances of features."""

import numpy as np
import tensorflow as tf

from genlib.check import Function, Number, exercise
from genlib.gans.mcgan import dual_norm


@exercise("35_mcgan/1")
def largest_gap():
    """The loss for p = 1 where the features' means differ by (3, -4, 1)."""
    truth = float(dual_norm(tf.constant([3.0, -4.0, 1.0]), 1))
    return Number(
        truth,
        tolerance=0.01,
        right="v puts all its weight on the feature with the widest gap, with that gap's sign.",
        mistakes=[
            (8.0, "That is the 1-norm of the gap; v is in the 1-norm's ball, the loss is not."),
            (26**0.5, "That is p = 2, where v may point along the whole gap."),
            (3.0, "A gap below 0 counts too: v may be negative."),
            (-4.0, "v may be negative, so the gap's size counts, not its sign."),
            (0.0, "The gaps do not cancel: v chooses a sign for each."),
        ],
    )


@exercise("35_mcgan/2")
def tied_reading():
    """What covariance matching with k = 1 reads of diag(-1, -3) when U = V is tied."""
    # The best single u gives the largest eigenvalue of the difference.
    truth = float(np.linalg.eigvalsh(np.diag([-1.0, -3.0])).max())
    return Number(
        truth,
        tolerance=0.01,
        right="u'Mu is at best the largest eigenvalue. Q spreads more than P in every direction, "
        "and a tied critic cannot turn that round.",
        mistakes=[
            (3.0, "That is what U and V apart read: V = -U turns the sign."),
            (1.0, "With U = V the sign stays: u'Mu is a mean of eigenvalues, all negative here."),
            (-3.0, "The critic maximises: it takes the direction that costs it least."),
            (0.0, "u has length 1: it cannot be 0."),
            (-4.0, "That is k = 2, where U has both directions."),
        ],
    )


@exercise("35_mcgan/3")
def covariance_value():
    """Write covariance_value(x, y, k): what the best U and V with k columns read."""

    def moments(x, y):
        return x.T @ x / len(x) - y.T @ y / len(y)

    def reference(x, y, k):
        # Of a symmetric matrix the singular values are the sizes of the eigenvalues.
        return np.sort(np.abs(np.linalg.eigvalsh(moments(x, y))))[::-1][:k].sum()

    def inputs(rng):
        d = int(rng.integers(2, 5))
        x, y = rng.normal(0.5, 1, (12, d)), rng.normal(0, rng.uniform(0.5, 2, d), (9, d))
        return x, y, int(rng.integers(1, d + 1))

    def singular(matrix, k):
        return np.linalg.svd(matrix, compute_uv=False)[:k].sum()

    return Function(
        reference,
        inputs,
        tolerance=1e-5,
        right="the k largest singular values of the difference of the second moments, added up.",
        mistakes=[
            (
                lambda x, y, k: np.sort(np.linalg.eigvalsh(moments(x, y)))[::-1][:k].sum(),
                "That is U = V tied: the largest eigenvalues, where negative ones count against.",
            ),
            (
                lambda x, y, k: singular(np.cov(x.T, bias=True) - np.cov(y.T, bias=True), k),
                "McGAN's second moments are not centred: do not subtract the means.",
            ),
            (
                lambda x, y, k: singular(np.cov(x.T) - np.cov(y.T), k),
                "McGAN's second moments are not centred: do not subtract the means.",
            ),
            (
                lambda x, y, k: singular(x.T @ x - y.T @ y, k),
                "Take means over the samples, not sums: x and y need not be equally many.",
            ),
            (
                lambda x, y, k: singular(moments(x, y), None),
                "Those are all the singular values: U and V have k columns.",
            ),
        ],
    )
