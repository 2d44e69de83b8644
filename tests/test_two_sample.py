"""The kernel two-sample test: its statistic by other routes, its level, and its power.

Seen to fail: the diagonal of the Gram matrix kept; deals that do not keep n; x and y swapped in one
term; the p-value without the samples themselves; the witness with the wrong sign.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import divergences, memory
from genlib.divergences import kernels, samples
from genlib.divergences.two_sample import embedding, permutation_test, witness


def pair(seed, n=30, m=20, d=2, shift=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel", [None, kernels.rbf(0.7), kernels.energy])
def test_the_statistic_is_mmd2(seed, kernel):
    x, y = pair(seed, shift=0.5)
    found = permutation_test(x, y, kernel, permutations=5, seed=seed)
    assert found.mmd2 == pytest.approx(float(samples.mmd2(x, y, kernel)), rel=1e-5)


def test_the_null_is_mmd2_of_the_deals():
    """All 10 ways to deal five points into 2 and 3 appear, each with its own MMD^2."""
    x, y = pair(0, n=2, m=3)
    pooled, kernel = np.concatenate([x, y]), kernels.rbf(1.0)
    expected = []
    for chosen in itertools.combinations(range(5), 2):
        rest = [i for i in range(5) if i not in chosen]
        expected.append(float(samples.mmd2(pooled[list(chosen)], pooled[rest], kernel)))
    null = permutation_test(x, y, kernel, permutations=400, seed=1).null
    np.testing.assert_allclose(
        np.unique(null.round(8)), np.unique(np.round(expected, 8)), atol=1e-7
    )


def test_p_value_is_the_share_that_reaches():
    x, y = pair(3, shift=0.3)
    found = permutation_test(x, y, permutations=99, seed=0)
    assert found.p_value == pytest.approx((1 + np.sum(found.null >= found.mmd2)) / 100)
    far = permutation_test(x, y + 50, permutations=99, seed=0)
    assert far.p_value == pytest.approx(0.01)
    assert far.threshold() == pytest.approx(np.quantile(far.null, 0.95))
    assert far.mmd2 > far.threshold(0.01)


@pytest.mark.parametrize("bandwidth", [0.01, 1.0, 100.0])
def test_level_at_every_bandwidth(bandwidth):
    """Under P = Q at most 10 % of the tests may say p <= 0.1; the bound leaves 4 deviations.

    At a tiny bandwidth few pairs are near at all: deals tie, and the test is on the safe side.
    """
    kernel, trials = kernels.rbf(bandwidth), 200
    p_values = [
        permutation_test(*pair(seed, n=12, m=15), kernel, 60, seed=seed).p_value
        for seed in range(trials)
    ]
    rejected = np.mean(np.array(p_values) <= 0.1)
    assert rejected - 0.1 < 4 * np.sqrt(0.09 / trials)
    assert bandwidth < 1 or rejected - 0.1 > -4 * np.sqrt(0.09 / trials)


def test_power_grows_with_the_shift_and_falls_at_bad_bandwidths():
    def power(shift, bandwidth):
        kernel = kernels.rbf(bandwidth)
        tests = [
            permutation_test(*pair(seed, 30, 30, 1, shift), kernel, 60, seed=seed)
            for seed in range(60)
        ]
        return np.mean([test.p_value <= 0.05 for test in tests])

    good = power(0.8, 1.0)
    assert good > 0.6 and power(0.0, 1.0) < 0.2
    assert power(0.8, 0.005) < good - 0.3


@pytest.mark.parametrize("kernel", [kernels.rbf(0.8), kernels.energy, kernels.rational_quadratic()])
def test_the_witness_collects_the_biased_mmd2(kernel):
    x, y = pair(4, shift=0.4)
    f = witness(x, y, kernel)
    collected = tf.reduce_mean(f(x)) - tf.reduce_mean(f(y))
    expected = samples.mmd2(x, y, kernel, unbiased=False)
    assert float(collected) == pytest.approx(float(expected), rel=1e-6)


def test_the_embedding_of_a_gaussian():
    """E k(x, t) for x ~ N(m, s^2) and an RBF of bandwidth h is a Gaussian of variance s^2 + h^2."""
    m, s, h, n = 0.7, 1.3, 0.6, 200_000
    x = np.random.default_rng(5).normal(m, s, n)
    t = np.linspace(-4, 4, 9)
    mean = embedding(x, kernels.rbf(h))(t).numpy()
    exact = h / np.hypot(h, s) * np.exp(-((t - m) ** 2) / (2 * (h**2 + s**2)))
    np.testing.assert_allclose(mean, exact, atol=5 * 0.5 / np.sqrt(n))


def test_mmd_of_densities_is_the_witness_on_many_samples():
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(0.5, 1.5)
    x, y = p.sample(2000, seed=(0, 1)), q.sample(2000, seed=(0, 2))
    f = witness(x, y, kernels.rbf(1.0))
    new_x, new_y = p.sample(5000, seed=(0, 3)), q.sample(5000, seed=(0, 4))
    collected = float(tf.reduce_mean(f(new_x)) - tf.reduce_mean(f(new_y)))
    exact = float(divergences.mmd(p, q, kernel=kernels.rbf(1.0))) ** 2
    assert collected == pytest.approx(exact, abs=0.02) and exact > 0.02


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: permutation_test([0.0], [0.0, 1.0]), "x must hold at least 2 points"),
        (lambda: permutation_test([0.0, 1.0], [0.0]), "y must hold at least 2 points"),
        (lambda: permutation_test([[0.0, 1.0]] * 3, [0.0, 1.0]), "the same dimension"),
        (lambda: permutation_test([0.0, np.nan], [0.0, 1.0]), "x must be finite"),
        (lambda: permutation_test([0.0, 1.0], [0.0, 1.0], permutations=0), "permutations must be"),
        (lambda: witness([[0.0, 1.0]], [0.0], kernels.energy), "the same dimension"),
        (lambda: embedding([], kernels.energy), "x must not be empty"),
        (lambda: embedding([0.0], kernels.energy)([[0.0, 1.0]]), "the same dimension"),
        (lambda: embedding([0.0], 3)([0.0]), "kernel must be a callable"),
        (lambda: embedding([0.0, 1.0], lambda x, t: x)([0.0, 1.0]), "kernel must return the Gram"),
        (lambda: permutation_test([0.0, 1.0], [1.0, 2.0], lambda a, b: a), "kernel must return"),
        (lambda: permutation_test([0.0, 1.0], [0.0, 1.0], seed=np.nan), "seed must be"),
        (
            lambda: permutation_test([0.0, 1.0], [0.0, 2.0], seed=0).threshold(1),
            "level must lie between 0 and 1",
        ),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_order_of_the_rows_changes_nothing():
    rng = np.random.default_rng(6)
    x = np.tile([0.0, 10.0, 20.0, 30.0], 150)[:, None] + 0.01 * rng.normal(size=(600, 1))
    y, order = x[:500] + 0.004, rng.permutation(600)
    found = [permutation_test(z, y, permutations=50, seed=0) for z in (x, x[order])]
    assert found[0].p_value == found[1].p_value
    np.testing.assert_allclose(found[0].null, found[1].null, rtol=1e-9, atol=1e-12)


def test_memory_grows_with_the_points_not_with_their_square(monkeypatch):
    x, y = pair(7, n=40, m=30, shift=0.5)
    whole = permutation_test(x, y, kernels.rbf(1.0), 20, seed=0)
    sizes = []

    def kernel(a, b):
        sizes.append(len(a) * len(b))
        return kernels.rbf(1.0)(a, b)

    monkeypatch.setattr(memory, "ENTRIES", 500)
    parts = permutation_test(x, y, kernel, 20, seed=0)
    assert max(sizes) <= 500 and len(sizes) == 10
    np.testing.assert_allclose(parts.null, whole.null, rtol=1e-9)
    assert parts.p_value == whole.p_value


def test_a_kernel_of_zeros_and_one_of_nan():
    nothing = permutation_test(
        np.float32([1, 2]), np.float32([2, 3]), kernels.rbf(1e-30), permutations=10
    )
    assert nothing.p_value >= 1 / 11
    with pytest.raises(ValueError, match="kernel returns must be finite"):
        permutation_test([0.0, 1.0], [1.0, 2.0], lambda a, b: tf.fill([4, 4], np.nan))


@pytest.mark.parametrize("use", [embedding, lambda x, k: witness(x, x, k)])
def test_embeddings_far_from_the_origin(use):
    x = np.float32([[-1e4, 0], [1e4, 0], [1e4, 1]])
    t = np.float32([[1e4, 1], [1e4, 2]])
    wanted = np.mean(np.exp(-np.sum((x[:, None] - t.astype(float)) ** 2, -1) / 2), 0)
    wanted = wanted if use is embedding else 0 * wanted
    np.testing.assert_allclose(use(x, kernels.rbf(1.0))(t), wanted, rtol=1e-5)
