"""Exercises of lecture 06: kernel methods."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise


@exercise("06_kernel_methods/1")
def blurred():
    """The standard deviation of a KDE of bandwidth 1.5 on much data of standard deviation 2."""
    return Number(
        float(np.hypot(2.0, 1.5)),
        tolerance=0.01,
        right="variances of independent parts add, so a KDE is always wider than its data.",
        mistakes=[
            (3.5, "Variances add, not standard deviations."),
            (float(2.0**2 + 1.5**2), "That is the variance; take its root."),
            (2.0, "That is the data alone; each point's bump adds its own variance."),
            (float(np.sqrt(2.0**2 - 1.5**2)), "The noise adds to the variance."),
        ],
    )


def _unbiased(k_xx, k_yy, k_xy):
    n, m = len(k_xx), len(k_yy)
    within_x = (k_xx.sum() - np.trace(k_xx)) / (n * (n - 1))
    within_y = (k_yy.sum() - np.trace(k_yy)) / (m * (m - 1))
    return within_x + within_y - 2 * k_xy.mean()


@exercise("06_kernel_methods/2")
def mmd_from_tables():
    """Write mmd2(k_xx, k_yy, k_xy): the unbiased MMD^2 from three Gram matrices."""

    def inputs(rng):
        n, m = rng.integers(3, 8, size=2)
        x, y = rng.normal(size=n), rng.normal(0.5, 1.5, size=m)
        tables = (np.exp(-((a[:, None] - b) ** 2) / 2) for a, b in ((x, x), (y, y), (x, y)))
        return tuple(tables)

    return Function(
        _unbiased,
        inputs,
        tolerance=1e-5,
        right="without the diagonal nothing is left that pulls it above 0 where P = Q.",
        mistakes=[
            (
                lambda k_xx, k_yy, k_xy: k_xx.mean() + k_yy.mean() - 2 * k_xy.mean(),
                "That is the biased form: leave the diagonals out and divide by n (n - 1).",
            ),
            (
                lambda k_xx, k_yy, k_xy: _unbiased(k_xx, k_yy, k_xy / 2),
                "The mixed term counts twice.",
            ),
            (
                lambda k_xx, k_yy, k_xy: -_unbiased(k_xx, k_yy, k_xy),
                "The sign is wrong: likeness within a sample counts for MMD, between them against.",
            ),
            (
                lambda k_xx, k_yy, k_xy: (
                    (k_xx.sum() - np.trace(k_xx)) / k_xx.size
                    + (k_yy.sum() - np.trace(k_yy)) / k_yy.size
                    - 2 * k_xy.mean()
                ),
                "Without the diagonal there are n (n - 1) pairs, not n^2.",
            ),
        ],
    )


@exercise("06_kernel_methods/3")
def p_value():
    """The p-value when 4 of 99 random deals reach the MMD of the samples themselves."""
    return Number(
        (4 + 1) / (99 + 1),
        tolerance=0.0002,
        right="the samples as they are count as one of the hundred deals.",
        mistakes=[
            (4 / 99, "Count the samples as they are among the deals, above and below."),
            (4 / 100, "Count the samples as they are among those that reach, too."),
            (5 / 99, "Count the samples as they are among all deals, too."),
            (
                1 - 0.05,
                "That is the share that stays below; the p-value is the share that reaches.",
            ),
        ],
    )


@exercise("06_kernel_methods/4")
def blind_kernel():
    """Which kernel cannot tell N(0, 1) from a density of the same mean and variance?"""
    return Choice(
        right_choice="linear",
        options=("linear", "gaussian", "energy"),
        why="its embedding keeps the mean and nothing else, so its MMD is the gap of the means.",
        wrong={
            "gaussian": "Two densities whose Gaussian embeddings agree are equal; try it in the "
            "explorer.",
            "energy": "Its squared MMD is half the energy distance, which is 0 only for P = Q.",
        },
    )
