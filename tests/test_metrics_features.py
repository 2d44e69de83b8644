"""Scores on features, each held to a value that was found in another way."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.linalg import sqrtm
from scipy.stats import mannwhitneyu

from genlib import memory, metrics
from genlib.divergences import gaussian
from genlib.metrics import features


def cloud(n, d, seed, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + shift


# The Frechet distance


def test_frechet_distance_is_the_closed_form_of_the_fitted_gaussians():
    x, y = cloud(60, 5, 0), cloud(80, 5, 1, 1.5, 0.7)
    found = metrics.frechet_distance(x, y)
    moments = [tf.constant(v) for z in (x, y) for v in (z.mean(0), np.cov(z.T))]
    assert found == pytest.approx(float(gaussian.wasserstein2(*moments)) ** 2, rel=1e-9)
    a, b = np.cov(x.T), np.cov(y.T)
    by_scipy = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * sqrtm(a @ b)).real
    assert found == pytest.approx(by_scipy, rel=1e-8)
    # Mutants: no means, no root, a root of each, the distance's own root.
    wrong = [
        np.trace(a + b - 2 * sqrtm(a @ b)).real,
        by_scipy + 2 * np.trace(sqrtm(a @ b) - a @ b).real,
        by_scipy + 2 * np.trace(sqrtm(a @ b) - sqrtm(a) @ sqrtm(b)).real,
        np.sqrt(by_scipy),
    ]
    assert all(abs(found - w) > 1e-3 * found for w in wrong)


def test_frechet_distance_by_hand():
    # In 1-D: the difference of the means and that of the standard deviations, squared.
    x, y = np.array([-1.0, 0, 1]), np.array([2.0, 4, 6])
    assert metrics.frechet_distance(x, y) == pytest.approx(4**2 + 1)
    same = cloud(40, 6, 2)
    assert metrics.frechet_distance(same, same) == pytest.approx(0, abs=1e-9)
    flat = np.c_[same, same[:, 0]]  # a covariance without an inverse
    assert metrics.frechet_distance(flat, flat + 1) == pytest.approx(7)


def test_frechet_distance_is_biased_upward_like_one_over_n():
    def mean_at(n):
        rng = np.random.default_rng(n)
        draws = (rng.normal(size=(2, n, 4)) for _ in range(200))
        return np.mean([metrics.frechet_distance(*pair) for pair in draws])

    few, many = mean_at(50), mean_at(200)
    assert 3 < few / many < 5  # the truth is 0: all of it is bias


# The kernel distance


def test_kernel_distance_is_the_mean_over_pairs_of_different_points():
    x, y = cloud(7, 3, 0), cloud(5, 3, 1)

    def mean(pairs, d=3, power=3):
        return np.mean([(a @ b / d + 1) ** power for a, b in pairs])

    within = [mean(itertools.permutations(z, 2)) for z in (x, y)]
    right = sum(within) - 2 * mean(itertools.product(x, y))
    assert metrics.kernel_distance(x, y) == pytest.approx(right, rel=1e-9)
    biased = sum(mean(itertools.product(z, z)) for z in (x, y)) - 2 * mean(itertools.product(x, y))
    square = sum(mean(itertools.permutations(z, 2), power=2) for z in (x, y))
    square -= 2 * mean(itertools.product(x, y), power=2)
    assert all(abs(right - w) > 1e-3 * abs(right) for w in (biased, square))


def test_kernel_distance_of_gaussians_in_one_dimension():
    # (xy + 1)^3 = 1 + 3 xy + 3 x^2 y^2 + x^3 y^3: a weighted distance of the first three moments.
    rng, shift = np.random.default_rng(0), 0.5
    moments = np.array([shift, shift**2, shift**3 + 3 * shift])  # differences to N(0, 1)'s
    truth = np.array([3, 3, 1]) @ moments**2
    found = [
        metrics.kernel_distance(rng.normal(size=300), rng.normal(shift, size=300), True)
        for _ in range(60)
    ]
    values, errors = np.transpose(found)
    assert np.mean(values) == pytest.approx(truth, abs=4 * values.std() / np.sqrt(60))
    assert 0.7 < errors.mean() / values.std() < 1.4


def test_kernel_distance_is_unbiased_and_its_error_is_right_at_equality():
    rng = np.random.default_rng(1)
    pairs = (rng.normal(size=(2, 60, 4)) for _ in range(150))
    values, errors = np.transpose([metrics.kernel_distance(*pair, True) for pair in pairs])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(150) and (values < 0).any()
    assert 0.7 < errors.mean() / values.std() < 1.4


# Neighbours


def test_precision_recall_by_hand():
    # On a line the radii for k = 1 are 1, 1, 1, 1 (real) and 0.5, 0.5, 9 (made).
    real, made = np.array([0.0, 1, 2, 3]), np.array([1.5, 2, 11])
    assert metrics.precision_recall(real, made, k=1) == (2 / 3, 0.75)
    # 2 is on the rim of the ball of 11, and rims belong to balls.
    assert metrics.precision_recall(real, [1.5, 2.0], k=1) == (1.0, 0.5)
    assert metrics.precision_recall(real, real, k=1) == (1.0, 1.0)


def test_density_coverage_by_hand():
    real, made = np.array([0.0, 1, 2, 3]), np.array([1.5, 2, 11])
    # For k = 1 the point 1.5 is in the balls of 1 and 2; 2 in those of 1, 2 and 3.
    assert metrics.density_coverage(real, made, k=1) == (5 / 3, 3 / 4)
    # For k = 2 the radii are 2, 1, 1, 2: 1.5 is in all four, 2 too.
    assert metrics.density_coverage(real, made, k=2) == (8 / 3 / 2, 1.0)
    assert metrics.density_coverage(real, [100.0, 101.0], k=1) == (0.0, 0.0)
    # An outlier among what is made moves recall, and no coverage.
    poor = np.array([0.0, 0.1, 0.2])
    with_outlier = np.append(poor, 10.0)
    assert metrics.precision_recall(real, with_outlier, k=1).recall == 1.0
    assert metrics.precision_recall(real, poor, k=1).recall == 0.25
    assert metrics.density_coverage(real, with_outlier, 1).coverage == 0.5


@pytest.mark.parametrize("entries", [memory.ENTRIES, 40])
def test_neighbour_scores_are_those_of_loops(entries, monkeypatch):
    monkeypatch.setattr(memory, "ENTRIES", entries)
    real, made, k = cloud(25, 3, 0), cloud(31, 3, 0, 1.1), 3

    def gap(a, b):
        return np.sqrt(((a - b) ** 2).sum())

    def radius(points, i):
        return sorted(gap(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    def inside(x, points):
        return sum(gap(x, points[i]) <= radius(points, i) for i in range(len(points)))

    precision = np.mean([inside(x, real) > 0 for x in made])
    recall = np.mean([inside(x, made) > 0 for x in real])
    assert metrics.precision_recall(real, made, k) == pytest.approx((precision, recall))
    density = np.mean([inside(x, real) for x in made]) / k
    coverage = np.mean(
        [min(gap(x, y) for y in made) <= radius(real, i) for i, x in enumerate(real)]
    )
    found = metrics.density_coverage(real, made, k)
    assert found == pytest.approx((density, coverage))
    # Mutants: the neighbour before (oneself counted), precision and recall exchanged.
    assert metrics.precision_recall(real, made, k - 1) != pytest.approx((precision, recall))
    assert precision != recall


def test_density_and_coverage_of_the_same_distribution_are_known():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(60, 3)), rng.normal(size=(40, 3))) for _ in range(200)]
    density, coverage = np.transpose([metrics.density_coverage(*pair) for pair in pairs])
    for values, truth in ((density, 1), (coverage, metrics.expected_coverage(60, 40))):
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(200))
    assert abs(coverage.mean() - metrics.expected_coverage(60, 40, 4)) > 0.03
    # By counting: the k nearest of 3 real and 2 made others are all real in 1 case of 10.
    assert metrics.expected_coverage(4, 2, 3) == pytest.approx(0.9)


# Copies


def test_copy_test_is_that_of_mann_and_whitney():
    train, held_out, made = cloud(50, 3, 0), cloud(40, 3, 0, 1.2), cloud(30, 3, 0, 0.8)
    gaps = [np.sqrt(((x[:, None] - train) ** 2).sum(-1)).min(1) for x in (made, held_out)]
    less = mannwhitneyu(*gaps, alternative="less", method="asymptotic", use_continuity=False)
    from scipy.stats import norm

    found = metrics.copy_test(train, held_out, made)
    assert norm.cdf(found.statistic) == pytest.approx(less.pvalue, rel=1e-6)
    assert found.nearer == pytest.approx(np.mean(gaps[0][:, None] < gaps[1]))
    assert found.stderr == 1
    # Ties: scipy takes them off the variance, too.
    gaps = np.array([0, 0, 1, 1, 2.0]), np.array([0, 1, 2, 2.0])
    ties = mannwhitneyu(*gaps, alternative="less", method="asymptotic", use_continuity=False)
    z, nearer = features._mann_whitney(*gaps)
    assert norm.cdf(z) == pytest.approx(ties.pvalue) and nearer == pytest.approx(
        1 - ties.statistic / 20
    )


def test_copy_test_has_a_null_level_and_finds_copies():
    rng = np.random.default_rng(0)
    fair = [metrics.copy_test(*rng.normal(size=(3, 60, 2))) for _ in range(300)]
    assert abs(np.mean([t.statistic for t in fair])) < 0.35  # the training set is shared
    assert 0.8 < np.std([t.statistic for t in fair]) < 1.25
    train, held_out = rng.normal(size=(2, 200, 2))
    copies = metrics.copy_test(train, held_out, train[rng.integers(200, size=200)])
    assert copies.statistic < -10 and copies.nearer == 1
    bad = metrics.copy_test(train, held_out, 5 + rng.normal(size=(200, 2)))
    assert bad.statistic > 10 and bad.nearer < 0.05


def test_cells_find_copies_that_bad_samples_hide():
    rng = np.random.default_rng(0)
    centres = np.array([[-20.0, 0], [20.0, 0], [0, 20.0]])
    train, held_out = (
        np.concatenate([c + rng.normal(size=(100, 2)) for c in centres]) for _ in range(2)
    )
    copies, bad = train[:200], centres[2] + 4 * rng.normal(size=(200, 2))
    made = np.concatenate([copies, bad])
    whole, cut = (metrics.copy_test(train, held_out, made, cells, seed=0) for cells in (1, 3))
    assert whole.statistic > -3 and cut.statistic < -4
    assert cut.stderr == pytest.approx(1 / np.sqrt(3), rel=0.02)


# The null level


def test_null_level_is_what_real_data_score():
    x = cloud(120, 3, 0)
    found = metrics.null_level(metrics.precision_recall, x, 40, draws=8)
    assert found.shape == (8, 2) and (found > 0.6).all() and found.std() > 0
    np.testing.assert_array_equal(found, metrics.null_level(metrics.precision_recall, x, 40, 8, 0))
    sizes = metrics.null_level(lambda real, made: (len(real), len(made)), x, 40, 3)
    np.testing.assert_array_equal(sizes, [[80, 40]] * 3)
    once = metrics.null_level(lambda real, made: len({*map(tuple, real), *map(tuple, made)}), x, 40)
    assert (once == 120).all()  # no point stands on both sides


SCORES = {
    "frechet_distance": metrics.frechet_distance,
    "kernel_distance": metrics.kernel_distance,
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "copy_test": lambda real, made: metrics.copy_test(real, real, made),
}


@pytest.mark.parametrize("name", SCORES)
def test_scores_refuse_what_is_no_sample(name):
    good = cloud(12, 3, 0)
    for bad, words in (
        (np.zeros((0, 3)), "made must not be empty"),
        (np.where(good > 1, np.nan, good), "made must be finite"),
        (good[:, :2], "same dimension"),
        (good[None], r"made must have shape"),
        ("text", "made must be an array of (real )?numbers"),
        (good[:1], r"made must hold at least \d"),
    ):
        with pytest.raises(ValueError, match=words):
            SCORES[name](good, bad)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: metrics.frechet_distance(x, x[:3]), "made must hold at least 4 .* covariance"),
        (lambda x: metrics.frechet_distance(x[:3], x), "real must hold at least 4"),
        (lambda x: metrics.precision_recall(x, x, k=12), "at least 13 .* neighbour number 12"),
        (lambda x: metrics.precision_recall(x, x, k=0), "k must be a whole number"),
        (lambda x: metrics.density_coverage(x[:5], x), "real must hold at least 6"),
        (lambda x: metrics.expected_coverage(5, 9, k=5), "at least 6"),
        (lambda x: metrics.copy_test(x, x[:1], x), "held_out must hold at least 2"),
        (lambda x: metrics.copy_test(x, x[:, :2], x), "train and held_out must have the same"),
        (lambda x: metrics.copy_test(x, x, x, cells=2.5), "cells must be a whole number"),
        (lambda x: metrics.copy_test(x, x, x, cells=13), "train must hold at least 13"),
        (lambda x: metrics.copy_test(x, x, x, cells=6), "made must have 20 points in a cell"),
        (lambda x: metrics.null_level(metrics.kernel_distance, x, 12), "real .* at least 13"),
    ],
)
def test_scores_refuse_too_few_points(call, words):
    with pytest.raises(ValueError, match=words):
        call(cloud(12, 3, 0))
