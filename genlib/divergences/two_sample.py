"""Do two samples come from one distribution? The kernel two-sample test, and what it looks at.

Gretton et al. 2012, "A kernel two-sample test", JMLR 13.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from genlib import memory, validate
from genlib.divergences import kernels


class TwoSampleTest(NamedTuple):
    """What `permutation_test` found."""

    mmd2: float  # the unbiased estimate for the samples as they are
    null: np.ndarray  # (permutations,) the same for the pooled points, dealt out at random
    p_value: float  # the share of deals, the samples' own included, that reach mmd2

    def threshold(self, level=0.05) -> float:
        """The value that a share ``level`` of the null exceeds."""
        if not 0 < validate.positive("level", level) < 1:
            raise ValueError(f"level must lie between 0 and 1; got {level!r}")
        return float(np.quantile(self.null, 1 - level))


def embedding(x, kernel):
    """The empirical kernel mean embedding of ``x``, (n, d): a function (m, d) -> (m,).

    ``mu_P(t) = E_P k(x, t)``, here the average over the sample. Smola et al. 2007.
    """
    x = validate.samples("x", x)

    def mean(t):
        t = validate.samples("t", t)
        validate.same_dimension("x", x, "t", t)
        return tf.reduce_mean(kernels.gram(kernel, *kernels.points(x, t)), 0)

    return mean


def witness(x, y, kernel):
    """``mu_P(t) - mu_Q(t)`` for samples ``x``, ``y``: a function (m, d) -> (m,).

    Up to a factor it is the function of norm 1 whose means on the two samples differ most; the
    difference of its own means is the biased MMD^2. Gretton et al. 2012, section 2.3.
    """
    x, y = validate.pair(x, y)
    on_x, on_y = embedding(x, kernel), embedding(y, kernel)
    return lambda t: on_x(t) - on_y(t)


def permutation_test(x, y, kernel=None, permutations=500, seed=None) -> TwoSampleTest:
    """Test whether ``x`` (n, d) and ``y`` (m, d) come from one distribution, by MMD^2.

    If they do, every way to deal the pooled points into n and m is equally likely: the p-value is
    at most a with probability at most a, for any kernel that depends on the pooled points only
    and any n and m, at least 2 and fixed in advance. The order of the rows plays no part; memory
    grows with n + m. Gretton et al. 2012, section 5.

    Args:
      kernel: a callable giving the Gram matrix; None is an RBF at the median distance.
      permutations: random deals; p is at least 1 / (permutations + 1) (Phipson and Smyth 2010).
      seed: an int; None deals anew each time.
    """
    x, y = validate.pair(x, y)
    permutations, seed = validate.count("permutations", permutations), validate.seed("seed", seed)
    n, m = len(x), len(y)
    for name, size in (("x", n), ("y", m)):
        if size < 2:
            raise ValueError(f"{name} must hold at least 2 points; got {size}")
    kernel = kernels.rbf(kernels.median_heuristic(x, y)) if kernel is None else kernel
    pooled = np.concatenate([x, y])
    order = np.lexsort(pooled.T[::-1])
    deals = order < n  # the samples as they are come first, then the random deals
    shuffled = np.random.default_rng(seed).permuted(np.tile(deals, (permutations, 1)), axis=1)
    in_x = np.concatenate([deals[None], shuffled])
    values, rounding = _mmd2_of_deals(kernel, tf.constant(pooled[order]), in_x)
    reached = values >= values[0] - rounding  # rounding must not break a tie
    return TwoSampleTest(float(values[0]), values[1:], float(reached.mean()))


def _mmd2_of_deals(kernel, points, in_x):
    """The unbiased MMD^2 (b,) for rows of booleans ``in_x``, (b, n + m), and its rounding error."""
    size, n = len(points), int(in_x[0].sum())
    m = size - n
    within_x, of_x = np.zeros(len(in_x)), np.zeros(len(in_x))  # sums of k over x to x, x to all
    total = largest = 0.0
    members = in_x.T.astype(np.float64)
    for rows in memory.slices(size, size):
        gram = np.array(kernels.gram(kernel, points[rows], points), np.float64)
        validate.finite("what kernel returns", gram)
        gram[np.arange(len(gram)), np.arange(size)[rows]] = 0
        within_x += np.sum(gram @ members * members[rows], 0)
        of_x += gram.sum(1) @ members[rows]
        total, largest = total + gram.sum(), max(largest, np.abs(gram).max())
    between, within_y = of_x - within_x, total - 2 * of_x + within_x
    values = within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m)
    return values, 1e-12 * largest
