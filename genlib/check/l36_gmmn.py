"""Exercises of lecture 36: the generative moment matching network."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2


@exercise("36_gmmn/1")
def linear_kernel():
    """MMD^2 (V-statistic) of (0, 2) and (1, 5) under the kernel k(x, y) = x y."""

    def linear(x, y):
        return tf.matmul(x, y, transpose_b=True)

    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    truth = float(mmd2(x, y, linear, unbiased=False))
    return Number(
        truth,
        tolerance=0.005,
        right="with this kernel MMD^2 is the squared gap of the means, and nothing more is seen.",
        mistakes=[
            (np.sqrt(truth), "That is the MMD; its square is asked for."),
            (
                float(mmd2(x, y, linear, unbiased=True)),
                "That is the U-statistic; the V-statistic keeps each point's pair with itself.",
            ),
        ],
    )


@exercise("36_gmmn/2")
def squared_mmd():
    """Write mmd2(x, y, b): the V-statistic with one RBF kernel."""

    def inputs(rng):
        d = int(rng.integers(1, 4))
        return rng.normal(size=(5, d)), rng.normal(1, 1, size=(7, d)), float(rng.uniform(0.5, 2))

    def gram(x, y, b):
        return np.exp(-np.sum((x[:, None] - y[None]) ** 2, -1) / (2 * b**2))

    def formula(x, y, b):
        return gram(x, x, b).mean() + gram(y, y, b).mean() - 2 * gram(x, y, b).mean()

    return Function(
        lambda x, y, b: float(mmd2(x, y, kernels.rbf(b), unbiased=False)),
        inputs,
        tolerance=1e-5,
        right="two averages within, twice the one between taken off.",
        mistakes=[
            (
                lambda x, y, b: formula(x, y, b) + gram(x, y, b).mean(),
                "Take the average between the samples off twice, not once.",
            ),
            (
                lambda x, y, b: float(mmd2(x, y, kernels.rbf(b), unbiased=True)),
                "That is the U-statistic: keep the pairs of a point with itself.",
            ),
            (
                lambda x, y, b: formula(x, y, b / np.sqrt(2)),
                "Divide the squared distance by 2 b^2, not by b^2.",
            ),
            (lambda x, y, b: np.sqrt(formula(x, y, b)), "That is the root: return MMD^2 itself."),
        ],
        calls=8,
    )


@exercise("36_gmmn/3")
def too_narrow():
    """What a narrow kernel does to generated points far from the real ones."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="each kernel ends a few bandwidths from its centre: only other generated points are "
        "near enough to be felt, and from those they are pushed away.",
        wrong={
            "a": "A pull towards the real points needs a kernel that reaches them; this ends long "
            "before.",
            "c": "A narrow kernel does not see means: a wide one does.",
        },
    )
