"""Real and made samples of features: how far apart, how true, how varied, and how new?

A feature is a number taken from a picture, such as a principal component or a unit of a network;
an array of them has shape ``(n, d)``. A score sees the features and nothing else: say which ones.
(FID is the Frechet distance on one certain network's features, and on no others.) None of the
scores is at its best value even for real pictures beside real ones: `null_level` says what it is.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from genlib import memory, validate
from genlib.divergences.samples import mmd2


class PrecisionRecall(NamedTuple):
    """What `precision_recall` found."""

    precision: float  # share of what is made that lies among the real
    recall: float  # share of the real that lies among what is made


class DensityCoverage(NamedTuple):
    """What `density_coverage` found."""

    density: float  # how many balls of real points hold a made one, over k: 1 where P = Q
    coverage: float  # share of the real points whose ball holds a made one


class CopyTest(NamedTuple):
    """What `copy_test` found."""

    statistic: float  # below 0: what is made lies nearer to the training set than held-out data
    stderr: float  # the statistic's standard deviation where both are equally near
    nearer: float  # share of pairs (made, held out) in which the made one is nearer; 1/2 is even


def frechet_distance(real, made) -> float:
    """``|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))`` of the samples' means and covariances.

    The squared W2 distance of two Gaussians (Dowson and Landau 1982; Heusel et al. 2017), in the
    features' units squared. Two distributions with these moments in common are at 0. From samples
    it is biased upward, by about 1/n: compare at equal n (Chong and Forsyth 2020).

    Args:
      real, made: features ``(n, d)`` and ``(m, d)``; ValueError unless n and m exceed d, so that
        the covariances have full rank.
    """
    real, made = _pair(real, made)
    least, why = real.shape[1] + 1, "one more than features, for the covariance"
    for name, x in (("real", real), ("made", made)):
        _at_least(name, x, least, why)
    covariance, other = (np.atleast_2d(np.cov(x.T)) for x in (real, made))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    bures = np.trace(covariance) + np.trace(other) - 2 * cross
    return float(np.sum((real.mean(0) - made.mean(0)) ** 2) + max(bures, 0))


def kernel_distance(real, made, return_stderr=False):
    """The unbiased MMD^2 with the kernel ``(x.y / d + 1)^3``: 0 on average where P = Q.

    Binkowski et al. 2018, whose KID is this on a certain network's features. It sees
    moments up to the third. It may be negative.

    Args:
      real, made: features ``(n, d)`` and ``(m, d)``, n and m at least 2.
      return_stderr: return (value, standard error).
    """
    real, made = _pair(real, made)
    for name, x in (("real", real), ("made", made)):
        _at_least(name, x, 2, "for the unbiased estimate")
    value, stderr = mmd2(real, made, cubic, unbiased=True, return_stderr=True)
    return (float(value), float(stderr)) if return_stderr else float(value)


def cubic(x, y):
    """``(x.y / d + 1)^3``, ``(n, m)``, of ``(n, d)`` and ``(m, d)``."""
    return (x @ np.transpose(y) / x.shape[1] + 1) ** 3


def precision_recall(real, made, k=3) -> PrecisionRecall:
    """Shares of ``made`` among the real points, and of ``real`` among the made ones.

    Among points is what lies within any one's ball, whose radius is the distance to its ``k``-th
    nearest other. Kynkaanniemi et al. 2019. One outlier has a huge ball.

    ``real`` ``(n, d)``, ``made`` ``(m, d)``; ValueError unless n and m exceed ``k``.
    """
    real, made, k = _with_neighbours(real, made, k)
    precision = np.mean(_balls_round(made, real, _radii(real, k)) > 0)
    recall = np.mean(_balls_round(real, made, _radii(made, k)) > 0)
    return PrecisionRecall(float(precision), float(recall))


def density_coverage(real, made, k=5) -> DensityCoverage:
    """How densely the real points' balls hold made points, and how many of them hold one.

    Balls as in `precision_recall`, round real points alone: an outlier among the made ones counts
    as one point of m. Naeem et al. 2020. Density may exceed 1. Where P = Q its
    mean is 1, and the coverage's is `expected_coverage`.
    """
    real, made, k = _with_neighbours(real, made, k)
    radii = _radii(real, k)
    density = np.mean(_balls_round(made, real, radii)) / k
    return DensityCoverage(float(density), float(np.mean(_nearest(real, made) <= radii)))


def expected_coverage(n, m, k=5) -> float:
    """The mean coverage of ``n`` real by ``m`` made points of the same density, whatever it is.

    Of a real point's n - 1 + m others, its k nearest must not all be real (Naeem et al. 2020,
    lemma 2).
    """
    n, m, k = (validate.count(name, v) for name, v in (("n", n), ("m", m), ("k", k)))
    _at_least("n real points", range(n), k + 1, f"to have a neighbour number {k}")
    return 1 - math.prod((n - 1 - i) / (n + m - 1 - i) for i in range(k))


def copy_test(train, held_out, made, cells=1, seed=0) -> CopyTest:
    """Does ``made`` lie nearer to the training set than held-out real data do?

    The three-sample test of Meehan et al. 2020: each point's distance to the nearest of
    ``train``, compared by Mann and Whitney's U, as a number of standard deviations. Copies give
    strongly negative values. With ``cells`` > 1 the space is cut by k-means of ``train``, and the
    mean of the cells' statistics is weighted by their shares of ``held_out``: copies in one region
    cannot hide behind bad samples in another. Cells with fewer than 20 made points, or with none
    held out, do not count. A negative value alone does not prove copies: samples that are more
    typical than data lie nearer, too.

    Args:
      train, held_out, made: features ``(l, d)``, ``(n, d)``, ``(m, d)``, with n and m at least 2.
      cells: 1, or a number of cells of at most l.
      seed: of k-means.

    Raises ValueError if no cell is left that counts.
    """
    train, held_out = _pair(train, held_out, "train", "held_out")
    _, made = _pair(train, made, "train", "made")
    for name, x in (("held_out", held_out), ("made", made)):
        _at_least(name, x, 2, "to be compared")
    cells, seed = validate.count("cells", cells), validate.seed("seed", seed)
    _at_least("train", train, cells, "as many as cells")
    of_train, of_held_out, of_made = (np.zeros(len(x), int) for x in (train, held_out, made))
    if cells > 1:
        from sklearn.cluster import KMeans

        parts = KMeans(cells, n_init=1, random_state=seed).fit(train)
        of_train, of_held_out, of_made = (parts.predict(x) for x in (train, held_out, made))
    found, fewest = [], 20 if cells > 1 else 1
    for cell in range(cells):
        near, a, b = train[of_train == cell], made[of_made == cell], held_out[of_held_out == cell]
        if len(a) >= fewest and len(b):
            found.append((len(b), *_mann_whitney(_nearest(a, near), _nearest(b, near))))
    if not found:
        raise ValueError(f"made must have 20 points in a cell with held-out ones; cells is {cells}")
    weights, z, nearer = np.array(found).T
    weights /= weights.sum()
    return CopyTest(float(weights @ z), float(np.sqrt(np.sum(weights**2))), float(weights @ nearer))


def null_level(score, real, n, draws=20, seed=0) -> np.ndarray:
    """What ``score(real, made)`` says of real data beside real data: ``(draws, ...)`` values.

    Each time ``real`` is dealt anew into ``n`` points that stand for the made ones, and the rest.
    """
    real = _features("real", real)
    n, draws = validate.count("n", n), validate.count("draws", draws)
    _at_least("real", real, n + 1, "more than n")
    rng = np.random.default_rng(validate.seed("seed", seed))
    deals = (rng.permutation(len(real)) for _ in range(draws))
    return np.array([score(real[deal[n:]], real[deal[:n]]) for deal in deals])


def _features(name, value):
    return validate.samples(name, value).numpy().astype(np.float64)


def _pair(real, made, real_name="real", made_name="made"):
    real, made = validate.samples(real_name, real), validate.samples(made_name, made)
    validate.same_dimension(real_name, real, made_name, made)
    return real.numpy().astype(np.float64), made.numpy().astype(np.float64)


def _at_least(name, x, least, why):
    if len(x) < least:
        raise ValueError(f"{name} must hold at least {least} points ({why}); got {len(x)}")


def _with_neighbours(real, made, k):
    real, made = _pair(real, made)
    k = validate.count("k", k)
    for name, x in (("real", real), ("made", made)):
        _at_least(name, x, k + 1, f"each with a neighbour number {k}")
    return real, made, k


def _radii(x, k):
    """The distance of each point to its k-th nearest other, ``(n,)``: itself is number 0."""
    parts = memory.slices(len(x), len(x))
    return np.concatenate([np.partition(cdist(x[rows], x), k)[:, k] for rows in parts])


def _balls_round(x, centres, radii):
    """How many balls each point of ``x`` lies in, ``(n,)``."""
    parts = memory.slices(len(x), len(centres))
    return np.concatenate([(cdist(x[rows], centres) <= radii).sum(1) for rows in parts])


def _nearest(x, others):
    parts = memory.slices(len(x), len(others))
    return np.concatenate([cdist(x[rows], others).min(1) for rows in parts])


def _mann_whitney(a, b):
    """U of ``a`` above ``b`` in its standard deviations at equality, and the share of a below b."""
    n, m = len(a), len(b)
    ranks = rankdata(np.concatenate([a, b]))
    above = ranks[:n].sum() - n * (n + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    size = n + m
    variance = n * m / 12 * (size + 1 - np.sum(ties**3 - ties) / (size * (size - 1)))
    z = (above - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
    return z, 1 - above / (n * m)
