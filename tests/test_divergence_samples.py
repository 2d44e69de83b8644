"""Divergences between samples: two routes to each number, bias, gradients, bad input."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import pdist
from scipy.special import logsumexp
from scipy.stats import wasserstein_distance

from genlib import memory
from genlib.divergences import costs, kernels, roots, samples

SETTINGS = settings(max_examples=15)
seeds = st.integers(0, 10_000)


def clouds(seed, n=30, m=40, d=2, shift=0.5, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)).astype(dtype), (rng.normal(size=(m, d)) + shift).astype(dtype)


def numeric_gradient(function, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        shift = np.zeros_like(x)
        shift[index] = step
        gradient[index] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


@SETTINGS
@given(seeds, st.integers(1, 20), st.integers(1, 20))
def test_wasserstein_1d_is_scipys(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(1, 2, size=m)
    a, b = rng.uniform(0.1, 1, n), rng.uniform(0.1, 1, m)
    assert samples.wasserstein_1d(x, y).numpy() == pytest.approx(wasserstein_distance(x, y))
    weighted = samples.wasserstein_1d(x, y, x_weights=a, y_weights=b).numpy()
    assert weighted == pytest.approx(wasserstein_distance(x, y, a, b))


@SETTINGS
@given(seeds, st.sampled_from([1, 2]))
def test_wasserstein_1d_is_emd(seed, order):
    x, y = clouds(seed, 7, 11, d=1)
    a, b = np.random.default_rng(seed).uniform(0.1, 1, 7), np.ones(11)
    exact = samples.emd(x, y, "euclidean" if order == 1 else "sqeuclidean", a, b).numpy()
    quantiles = samples.wasserstein_1d(x, y, order, a, b).numpy()
    assert quantiles == pytest.approx(exact ** (1 / order))


def test_wasserstein_1d_numpy_and_tensor_routes_agree():
    x, y = clouds(0, 50, 50, d=1, dtype=np.float32)
    for order in (1, 2, 3.5):
        by_numpy = samples.wasserstein_1d(x, y, order).numpy()
        by_tensor = samples.wasserstein_1d(tf.constant(x), tf.constant(y), order).numpy()
        by_steps = samples.wasserstein_1d(x, np.concatenate([y, y]), order).numpy()
        assert by_numpy == pytest.approx(by_tensor, rel=1e-5)
        assert by_numpy == pytest.approx(by_steps, rel=1e-5)


def test_wasserstein_of_shifted_sample_is_the_shift():
    x, _ = clouds(1, 50, 50, d=1)
    assert samples.wasserstein_1d(x, x + 3).numpy() == pytest.approx(3)
    assert samples.wasserstein_1d(x, x - 3, order=2).numpy() == pytest.approx(3)
    z, _ = clouds(1, 20, 20, d=3)
    assert samples.emd(z, z + [2.0, 0, 0]).numpy() == pytest.approx(2)


def test_emd_is_the_linear_program():
    x, y = clouds(2, 5, 6)
    a, b = np.full(5, 1 / 5), np.full(6, 1 / 6)
    cost = np.linalg.norm(x[:, None] - y[None], axis=-1)
    rows = np.kron(np.eye(5), np.ones(6)), np.kron(np.ones(5), np.eye(6))
    solved = linprog(cost.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate([a, b]))
    value, plan = samples.emd(x, y, return_plan=True)
    assert value.numpy() == pytest.approx(solved.fun)
    np.testing.assert_allclose(plan.numpy().sum(1), a)
    np.testing.assert_allclose(plan.numpy().sum(0), b)
    assert samples.emd(x, y, cost).numpy() == pytest.approx(solved.fun)


def test_sliced_wasserstein():
    x, y = clouds(3, 40, 60, d=1)
    one = samples.sliced_wasserstein(x, y, projections=3, seed=0).numpy()
    assert one == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))
    x, y = clouds(3, 40, 60, d=3)
    value = samples.sliced_wasserstein(x, y, seed=1).numpy()
    assert value == samples.sliced_wasserstein(x, y, seed=1).numpy()
    assert value != samples.sliced_wasserstein(x, y).numpy()
    assert 0 < value < samples.emd(x, y).numpy()
    # |<theta, shift>| averages to |shift| / 2 over the unit sphere of R^3.
    shifted = samples.sliced_wasserstein(x, x + [1.0, 0, 0], projections=20_000, seed=0).numpy()
    assert shifted == pytest.approx(0.5, abs=0.01)


@SETTINGS
@given(seeds)
def test_sinkhorn_between_exact_and_independent(seed):
    x, y = clouds(seed, 10, 12)
    exact = samples.emd(x, y, "sqeuclidean").numpy()
    independent = np.mean(np.sum((x[:, None] - y[None]) ** 2, -1))
    assert samples.sinkhorn(x, y, 1e4).numpy() == pytest.approx(independent, rel=1e-3)
    tight = samples.sinkhorn(x, y, 0.05, tolerance=1e-3).numpy()
    assert exact <= tight <= exact + 0.05 * np.log(12)
    assert samples.sinkhorn(x, x, 0.5, debiased=True).numpy() == pytest.approx(0, abs=1e-8)
    assert samples.sinkhorn(x, y, 0.5, debiased=True).numpy() > 0


def test_sinkhorn_is_pots_and_stable():
    import ot

    x, y = clouds(4, 20, 25)
    value, plan = samples.sinkhorn(x, y, 0.3, tolerance=1e-9, iterations=5000, return_plan=True)
    cost = np.sum((x[:, None] - y[None]) ** 2, -1)
    theirs = ot.sinkhorn(np.full(20, 1 / 20), np.full(25, 1 / 25), cost, 0.3, stopThr=1e-12)
    np.testing.assert_allclose(plan.numpy(), theirs, atol=1e-8)
    primal = np.sum(theirs * cost) + 0.3 * np.sum(theirs * np.log(theirs * 20 * 25))
    assert value.numpy() == pytest.approx(primal, rel=1e-6)
    x, y = (z.astype(np.float32) for z in (x, y))
    small = samples.sinkhorn(x, y, 1e-3, iterations=300).numpy()
    assert np.isfinite(small) and small <= samples.emd(x, y, "sqeuclidean").numpy() + 1e-3


@pytest.mark.parametrize("regularisation", [1.0, 0.05, 0.005])
def test_sinkhorn_keeps_the_marginals(regularisation):
    """Also where the regularisation is small, in float32."""
    x, y = clouds(4, 60, 80, dtype=np.float32)
    value, plan = samples.sinkhorn(x, y, regularisation, iterations=4000, return_plan=True)
    assert np.abs(plan.numpy().sum(1) - 1 / 60).sum() < 2e-3
    assert np.abs(plan.numpy().sum(0) - 1 / 80).sum() < 2e-3
    exact = samples.emd(x, y, "sqeuclidean").numpy()
    assert exact - 2e-3 <= value.numpy() <= exact + regularisation * np.log(60 * 80)


# Bregman costs


def positive_clouds(seed, n=7, m=9, d=3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(d), n), rng.dirichlet(2 * np.ones(d), m)


@SETTINGS
@given(seeds)
def test_bregman_costs(seed):
    x, y = positive_clouds(seed)
    ratio = np.log(x[:, None] / y[None])
    np.testing.assert_allclose(costs.COSTS["kl"](x, y), np.sum(x[:, None] * ratio, -1), atol=1e-9)
    squares = kernels.squared_distances(x, y)
    np.testing.assert_allclose(costs.bregman(costs.squared_norm)(x, y), squares, atol=1e-9)
    soft = costs.bregman(lambda z: tf.reduce_logsumexp(z, -1))
    assert soft(x, y).numpy().min() >= -1e-9
    np.testing.assert_allclose(np.diag(soft(x, tf.constant(x))), 0, atol=1e-9)
    assert np.abs(costs.COSTS["kl"](x, y) - np.transpose(costs.COSTS["kl"](y, x))).max() > 1e-3


@SETTINGS
@given(seeds)
def test_bregman_transport_is_quadratic_transport_to_the_slopes(seed):
    """Expanding D_phi leaves -<x, grad phi(y)> as the one term that depends on the plan."""
    x, y = positive_clouds(seed)
    cost = costs.bregman(costs.negative_entropy)
    slope = cost.slope(tf.constant(y)).numpy()
    _, plan = samples.emd(x, y, "kl", return_plan=True)
    _, to_slopes = samples.emd(x, slope, "sqeuclidean", return_plan=True)
    np.testing.assert_allclose(plan, to_slopes, atol=1e-9)


@SETTINGS
@given(seeds)
def test_bregman_transport_in_1d_is_comonotone(seed):
    x, y = positive_clouds(seed, 8, 8, 1 + 1)
    x, y = x[:, :1], y[:, :1]
    cost = costs.COSTS["kl"](x, y).numpy()
    pairs = zip(np.argsort(x[:, 0]), np.argsort(y[:, 0]), strict=True)
    assert samples.emd(x, y, "kl").numpy() == pytest.approx(np.mean([cost[i, j] for i, j in pairs]))


# What holds for every pair of samples

METRICS = {
    "wasserstein_1d": (samples.wasserstein_1d, 1),
    "W2": (lambda x, y: samples.wasserstein_1d(x, y, 2), 1),
    "emd": (samples.emd, 2),
    "sliced": (lambda x, y: samples.sliced_wasserstein(x, y, projections=20, seed=0), 2),
    "root of energy": (lambda x, y: tf.sqrt(samples.energy_distance(x, y)), 2),
    "mmd": (lambda x, y: tf.sqrt(samples.mmd2(x, y, kernels.rbf(1.0), unbiased=False)), 2),
}
METRIC = pytest.mark.parametrize(("function", "d"), METRICS.values(), ids=METRICS)


@METRIC
@settings(max_examples=5)
@given(seed=seeds)
def test_metric_axioms(function, d, seed):
    x, y = clouds(seed, 20, 15, d)
    z, _ = clouds(seed + 1, 25, 1, d)
    z = z * 2 - 1
    xy, yx, xz, zy = (float(function(*pair)) for pair in ((x, y), (y, x), (x, z), (z, y)))
    assert xy > 0 and xy == pytest.approx(yx, rel=1e-6)
    assert xy <= xz + zy + 1e-9
    assert float(function(x, x)) == pytest.approx(0, abs=1e-7)


@METRIC
def test_shifts_and_scales(function, d):
    x, y = clouds(11, 20, 15, d)
    moved = float(function(x + 3.0, y + 3.0))
    assert moved == pytest.approx(float(function(x, y)), rel=1e-6)
    power = {"mmd": None, "root of energy": 0.5}.get(
        next(k for k, v in METRICS.items() if v[0] is function), 1
    )
    if power is not None:
        assert float(function(4 * x, 4 * y)) == pytest.approx(4**power * float(function(x, y)))


@pytest.mark.parametrize("name", ["emd", "root of energy", "mmd"])
def test_rotations_change_nothing(name):
    x, y = clouds(12, 20, 15)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    function = METRICS[name][0]
    assert float(function(x @ turn, y @ turn)) == pytest.approx(float(function(x, y)))


def test_unequal_sizes_by_numpy_and_by_tensor():
    x, y = clouds(13, 12, 30, d=1)
    for order in (1, 2.5):
        by_numpy = samples.wasserstein_1d(x, y, order).numpy()
        by_tensor = samples.wasserstein_1d(tf.constant(x), y, order).numpy()
        assert by_numpy == pytest.approx(by_tensor, rel=1e-9)
        whole = np.repeat(x, 5, 0), np.repeat(y, 2, 0)  # the same distributions, sizes equal
        assert by_numpy == pytest.approx(samples.wasserstein_1d(*whole, order).numpy(), rel=1e-9)


# Large samples, in blocks


@pytest.mark.parametrize("unbiased", [True, False])
def test_mmd2_in_blocks_is_the_whole(monkeypatch, unbiased):
    x, y = clouds(14, 23, 31)
    kernel = kernels.rbf([1.0, 2.0])

    def value_error_gradients(in_graph=False):
        def all_of(x, y):
            with tf.GradientTape() as tape:
                tape.watch([x, y])
                value, error = samples.mmd2(x, y, kernel, unbiased, return_stderr=True)
            return value, error, *tape.gradient(value, [x, y])

        run = tf.function(all_of, autograph=False) if in_graph else all_of
        return [t.numpy() for t in run(tf.constant(x), tf.constant(y))]

    whole = value_error_gradients()
    monkeypatch.setattr(memory, "ENTRIES", 100)  # 3 to 4 rows at a time, the last block short
    for in_graph in (False, True):
        for a, b in zip(whole, value_error_gradients(in_graph), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_memory_of_mmd2_grows_with_the_sample_not_with_its_square():
    """Entries of the largest Gram matrix that the kernel is asked for, at n = 3,000 and 6,000."""
    largest = {}
    for n in (3000, 6000):
        sizes = []

        def kernel(x, y, sizes=sizes):
            sizes.append(x.shape[0] * y.shape[0])
            return tf.zeros([x.shape[0], y.shape[0]], x.dtype)

        samples.mmd2(np.zeros((n, 1)), np.ones((n, 1)), kernel)
        largest[n] = max(sizes)
    assert largest[6000] <= largest[3000] <= memory.ENTRIES


def test_doubled_bandwidths_are_squared_and_others_are_not():
    x, y = clouds(15, 6, 7)
    squares = np.sum((x[:, None] - y[None]) ** 2, -1)
    for bandwidths in ([1.0, 2.0, 4.0], [1.0, 2**0.5], [1.0, 3.0], [0.5, 0.05], [2.0, 2.0]):
        wanted = sum(np.exp(-squares / (2 * b**2)) for b in bandwidths)
        np.testing.assert_allclose(kernels.rbf(bandwidths)(x, y), wanted, rtol=1e-9)


@SETTINGS
@given(seeds)
def test_energy_distance_is_twice_mmd2_with_the_energy_kernel(seed):
    x, y = clouds(seed)
    for unbiased in (False, True):
        energy = samples.energy_distance(x, y, unbiased).numpy()
        mmd2 = samples.mmd2(x, y, kernels.energy, unbiased).numpy()
        assert energy == pytest.approx(2 * mmd2, abs=1e-9)
    assert samples.energy_distance(x, y).numpy() > samples.energy_distance(x, y, True).numpy()


def test_energy_distance_in_1d_is_twice_the_cramer_integral():
    x, y = clouds(5, 9, 13, d=1)
    ends = np.sort(np.concatenate([x, y])[:, 0])
    gaps = [(np.mean(x <= e) - np.mean(y <= e)) ** 2 for e in ends[:-1]]
    assert samples.energy_distance(x, y).numpy() == pytest.approx(2 * np.dot(gaps, np.diff(ends)))


def test_unbiased_and_biased_at_p_equal_q():
    unbiased, biased = [], []
    for seed in range(200):
        x, y = clouds(seed, 20, 20, shift=0)
        unbiased.append(samples.mmd2(x, y, kernels.rbf(1.0)).numpy())
        biased.append(samples.mmd2(x, y, kernels.rbf(1.0), unbiased=False).numpy())
    assert abs(np.mean(unbiased)) < 4 * np.std(unbiased) / np.sqrt(200)
    assert min(unbiased) < 0 < min(biased)
    assert np.mean(biased) > 10 * np.std(biased) / np.sqrt(200)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_mmd2_stderr_is_the_spread_over_draws(shift):
    draws = [
        [t.numpy() for t in samples.mmd2(*clouds(s, 60, 40, shift=shift), kernels.rbf(1.0),
                                         return_stderr=True)]
        for s in range(200)
    ]  # fmt: skip
    values, errors = np.transpose(draws)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


GRADIENTS = {
    "wasserstein_1d": lambda x, y: samples.wasserstein_1d(x[:, :1], y[:, :1]),
    "wasserstein_1d order 2": lambda x, y: samples.wasserstein_1d(x[:, :1], y[:, :1], 2),
    "emd": samples.emd,
    "sliced": lambda x, y: samples.sliced_wasserstein(x, y, projections=10, seed=0),
    "sinkhorn": lambda x, y: samples.sinkhorn(x, y, 1.0, tolerance=1e-10),
    "emd kl": lambda x, y: samples.emd(tf.exp(x), tf.exp(y), "kl"),
    "sinkhorn debiased": lambda x, y: samples.sinkhorn(x, y, 1.0, tolerance=1e-10, debiased=True),
    "energy": samples.energy_distance,
    "mmd2": lambda x, y: samples.mmd2(x, y, kernels.rbf([1.0, 2.0])),
    "mmd2 rational": lambda x, y: samples.mmd2(x, y, kernels.rational_quadratic([0.5, 2.0])),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_and_graph(name):
    function = GRADIENTS[name]
    x, y = clouds(6, 5, 6)
    x_tensor, y_tensor = tf.constant(x), tf.constant(y)
    with tf.GradientTape() as tape:
        tape.watch(x_tensor)
        value = function(x_tensor, y_tensor)
    by_steps = numeric_gradient(lambda z: function(tf.constant(z), y_tensor).numpy(), x)
    np.testing.assert_allclose(tape.gradient(value, x_tensor).numpy(), by_steps, atol=1e-5)
    compiled = tf.function(lambda a, b: function(a, b), autograph=False)
    assert compiled(x_tensor, y_tensor).numpy() == pytest.approx(value.numpy(), abs=1e-12)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_is_finite_for_equal_samples(name):
    x = tf.constant(clouds(7, 5, 5)[0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = GRADIENTS[name](x, tf.identity(x) + 0.0)
    assert np.all(np.isfinite(tape.gradient(value, x).numpy()))


def test_kernels():
    x, y = clouds(8, 4, 5, d=3)
    squares = np.sum((x[:, None] - y[None]) ** 2, -1)
    np.testing.assert_allclose(kernels.squared_distances(x, y), squares, rtol=1e-9)
    np.testing.assert_allclose(kernels.rbf(2.0)(x, y), np.exp(-squares / 8))
    both = np.exp(-squares / 8) + np.exp(-squares / 2)
    np.testing.assert_allclose(kernels.rbf([2.0, 1.0])(x, y), both)
    rational = (1 + squares / 6) ** -3.0
    np.testing.assert_allclose(kernels.rational_quadratic(3.0)(x, y), rational)
    pool = np.concatenate([x, y])
    gaps = np.linalg.norm(pool[:, None] - pool[None], axis=-1)[np.triu_indices(9, 1)]
    assert kernels.median_heuristic(x, y).numpy() == pytest.approx(np.sort(gaps)[18])
    assert kernels.median_heuristic(np.ones(3), np.ones(3)).numpy() == 1


BOTH = [samples.wasserstein_1d, samples.emd, samples.sliced_wasserstein, samples.energy_distance,
        samples.mmd2, lambda x, y: samples.sinkhorn(x, y, 1.0)]  # fmt: skip


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("bad", [[], [[1.0, np.nan]], [np.inf], np.zeros((2, 2, 2)), "abc"])
def test_bad_samples(function, bad):
    good = np.zeros((3, 2)) if np.ndim(bad) == 2 else np.zeros(3)
    with pytest.raises(ValueError, match="^x must"):
        function(bad, good)
    with pytest.raises(ValueError, match="^y must"):
        function(good, bad)


@pytest.mark.parametrize("function", BOTH)
def test_dimensions_differ(function):
    with pytest.raises(ValueError, match="^x and y must have the same dimension"):
        function(np.zeros((3, 2)), np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: samples.wasserstein_1d(np.zeros((3, 2)), np.zeros((4, 2))), "x must have d = 1"),
        (lambda x: samples.wasserstein_1d(x, x, order=0.5), "order must"),
        (lambda x: samples.wasserstein_1d(x, x, x_weights=[1.0]), "x_weights must have shape"),
        (lambda x: samples.wasserstein_1d(x, x, y_weights=-x - 1), "y_weights must be non-neg"),
        (lambda x: samples.emd(x, x, cost="manhattan"), "cost must be one of euclidean"),
        (lambda x: samples.emd(x, x, cost=np.zeros((2, 2))), "cost must be one of"),
        (lambda x: samples.sliced_wasserstein(x, x, projections=0), "projections must"),
        (lambda x: samples.sinkhorn(x, x, 0), "regularisation must"),
        (lambda x: samples.sinkhorn(x, x, np.nan), "regularisation must"),
        (lambda x: samples.sinkhorn(x, x, 1, iterations=0), "iterations must"),
        (lambda x: samples.sinkhorn(x, x, 1, tolerance=-1), "tolerance must"),
        (lambda x: samples.sinkhorn(x, x, 1, np.eye(3), debiased=True), "debiased needs"),
        (lambda x: samples.emd(x, x + 1, cost="kl"), "x must be positive everywhere; got .* 0"),
        (lambda x: samples.emd(x + 1, -x, cost="kl"), "y must be positive everywhere; got .* -2"),
        (lambda x: samples.emd(x, x, cost=lambda x, y: x), "cost must be one of"),
        (lambda x: costs.bregman(2.0), "phi must be a convex function"),
        (lambda x: samples.mmd2(x, x, kernel=3), "kernel must"),
        (lambda x: samples.mmd2(x[:1], x), "x must hold at least 2"),
        (lambda x: samples.energy_distance(x, x[:1], unbiased=True), "y must hold at least 2"),
        (lambda x: kernels.rbf(0.0), "bandwidth must"),
        (lambda x: kernels.rbf([1.0, -1.0]), "bandwidth must"),
        (lambda x: kernels.rbf([]), "bandwidth must"),
        (lambda x: kernels.rational_quadratic(-1), "alpha must"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match="^" + message):
        call(np.arange(3.0))


# Far from the origin, and far apart

KERNELS = {
    "rbf": kernels.rbf([1.0, 5.0]),
    "rational": kernels.rational_quadratic(0.5),
    "distance": kernels.negative_distance,
}


def two_clusters(d, gap, dtype, seed=20):
    """Points about -gap and gap, and others about the same locations, some of them equal."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, d)) + gap * np.repeat([[-1.0], [1.0]], 15, 0)
    y = rng.normal(size=(24, d)) + gap * np.repeat([[1.0], [-1.0]], 12, 0)
    return x.astype(dtype), np.concatenate([y, x[:4], x[:2]]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gap", [300.0, 1e7])
@pytest.mark.parametrize("d", [1, 2, 5, 64])
def test_distances_far_apart_are_those_of_differences(d, gap, dtype):
    x, y = two_clusters(d, gap, dtype)
    a, b = x.astype(np.longdouble), y.astype(np.longdouble)
    squares = np.sum((a[:, None] - b) ** 2, -1).astype(np.float64)
    for function, wanted in (
        (kernels.squared_distances, squares),
        (kernels.distances, np.sqrt(squares)),
    ):
        for run in (function, tf.function(function, jit_compile=True, autograph=False)):
            np.testing.assert_allclose(run(tf.constant(x), tf.constant(y)), wanted, rtol=1e-3)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("d", [2, 64])  # by differences, and by products
def test_float32_gradients_far_apart_are_float64s(d, name):
    def gradients(x, y):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            value = samples.mmd2(x, y, KERNELS[name], unbiased=False)
        return tape.gradient(value, [x, y])

    pair = [tf.constant(z) for z in two_clusters(d, 300.0, np.float32)]
    wanted = gradients(*(tf.cast(z, tf.float64) for z in pair))
    for jit_compile in (False, True):
        got = tf.function(gradients, jit_compile=jit_compile, autograph=False)(*pair)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-3 * np.abs(b).max())


def test_second_derivatives_compile():
    """As the slope penalty of MMD GAN takes them, through codes of more than four numbers."""
    x, y = (tf.constant(z) for z in clouds(21, 5, 4, d=6))
    kernel = kernels.rational_quadratic([0.5, 2.0])

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(kernel(x, y))
        return tf.reduce_sum(tape.gradient(value, x) ** 2)

    def second(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = slope(x)
        return tape.gradient(value, x)

    wanted = numeric_gradient(lambda z: slope(tf.constant(z)).numpy(), x.numpy(), 1e-5)
    for run in (second, tf.function(second, jit_compile=True, autograph=False)):
        np.testing.assert_allclose(run(x), wanted, atol=1e-8)


FAR = {
    "energy": samples.energy_distance,
    "mmd2": lambda x, y: samples.mmd2(x, y, kernels.rbf(1.0)),
    "emd": samples.emd,
    "emd of squares": lambda x, y: samples.emd(x, y, "sqeuclidean"),
    "emd bregman": lambda x, y: samples.emd(x, y, costs.bregman(costs.squared_norm)),
    "sinkhorn": lambda x, y: samples.sinkhorn(x, y, 0.05),
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("d", [2, 8])
def test_what_float32_says_far_apart_is_what_float64_says(name, d):
    x, y = two_clusters(d, 300.0, np.float32)
    wanted = FAR[name](tf.constant(x, tf.float64), tf.constant(y, tf.float64)).numpy()
    for pair in ((x, y), (tf.constant(x), tf.constant(y))):
        assert FAR[name](*pair).numpy() == pytest.approx(wanted, rel=2e-3), name


def test_sliced_wasserstein_far_from_the_origin():
    """A common shift by a multiple of their rounding changes nothing, in any direction."""
    x, y = (np.round(z, 2) for z in clouds(28, 30, 30))
    near = samples.sliced_wasserstein(*(z.astype(np.float32) for z in (x, y)), seed=0)
    far = samples.sliced_wasserstein(*((z + 1e4).astype(np.float32) for z in (x, y)), seed=0)
    assert float(far) == pytest.approx(float(near), rel=1e-3)


def test_the_sinkhorn_plan_of_far_samples():
    """Costs of 7e5 over a regularisation of 0.05: their exponential needs more than float32.

    A common shift adds to the cost what rows and columns share: it leaves the plan as it is.
    """
    x, y = clouds(22, 30, 30, dtype=np.float32)
    options = {"iterations": 4000, "return_plan": True}
    far = (y + np.float32(600)).astype(np.float64) - 600
    _, plan = samples.sinkhorn(x, y + np.float32(600), 0.05, **options)
    _, wanted = samples.sinkhorn(x.astype(np.float64), far, 0.05, **options)
    np.testing.assert_allclose(plan, wanted, atol=1e-3)


def test_samples_that_flew_off():
    x, y = clouds(23, 40, 50, d=6, dtype=np.float32)
    y = y * np.float32(1e21)
    wide = x.astype(np.float64), y.astype(np.float64)
    for function in (samples.energy_distance, samples.emd):
        wanted = function(*wide).numpy()
        assert wanted > 1e20 and function(x, y).numpy() == pytest.approx(wanted, rel=1e-5)
    squared = samples.sliced_wasserstein(x, y, order=2, seed=0).numpy()
    assert np.isfinite(squared) and squared > 1e20
    assert samples.sinkhorn(x, y, 1.0).numpy() == np.inf  # above 1e42: too large for float32


# High orders: (sum of shares gap^p)^(1/p), by logarithms


@pytest.mark.parametrize("order", [2, 30, 540, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_high_orders(order, dtype):
    rng = np.random.default_rng(24)
    x, y = rng.normal(size=50).astype(dtype), (30 * rng.normal(size=70)).astype(dtype)
    ends = np.sort(np.concatenate([70 * np.arange(1, 51), 50 * np.arange(1, 71)]))
    shares = np.diff(ends, prepend=0) / 3500
    gaps = np.abs(np.sort(x)[(ends - 1) // 70] - np.sort(y)[(ends - 1) // 50]).astype(np.float64)
    logs = np.log(np.maximum(gaps, 1e-300))[shares > 0]
    wanted = np.exp(logsumexp(order * logs, b=shares[shares > 0]) / order)
    routes = [
        samples.wasserstein_1d(x, y, order),
        samples.wasserstein_1d(tf.constant(x), y, order),
        samples.wasserstein_1d(x, y, order, np.ones(50), np.ones(70)),
        samples.sliced_wasserstein(x, y, order, projections=3, seed=0),
    ]
    np.testing.assert_allclose([float(r) for r in routes], wanted, rtol=1e-5)
    same = samples.wasserstein_1d(x, x + dtype(3), order).numpy()
    assert same == pytest.approx(3, rel=1e-5)


def test_a_point_without_weight_does_not_count_at_any_order():
    value = samples.wasserstein_1d([0.0, 1.0, 1e6], [1.0, 2.0], 540, x_weights=[1.0, 1.0, 0.0])
    assert value.numpy() == pytest.approx(1)


# Many points


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sliced_wasserstein_beyond_int32(jit_compile):
    """n m = 2.5e9; in d = 1 each direction gives W_1."""
    x = np.random.default_rng(25).normal(size=(50_000, 1))
    y = np.concatenate([x, x[:1]]) + 1.9
    run = tf.function(
        lambda x, y: samples.sliced_wasserstein(x, y, projections=1, seed=0),
        jit_compile=jit_compile, autograph=False,
    )  # fmt: skip
    wanted = wasserstein_distance(x[:, 0], y[:, 0])
    assert run(tf.constant(x), tf.constant(y)).numpy() == pytest.approx(wanted, rel=1e-9)


def test_sizes_that_a_graph_does_not_know():
    x, y = clouds(26, 12, 17, d=1)
    spec = tf.TensorSpec((None, 1), tf.float64)
    run = tf.function(lambda x, y: samples.wasserstein_1d(x, y, 2), input_signature=[spec, spec])
    for other in (y, x + 1):
        assert run(x, other).numpy() == pytest.approx(samples.wasserstein_1d(x, other, 2).numpy())


# What samples may be made of

SECONDS = np.arange(100) * 7 + 1_700_000_000
MAKERS = {
    "array": np.asarray,
    "list": list,
    "series": pd.Series,
    "frame": pd.DataFrame,
    "tensor": tf.constant,
    "objects": lambda s: s.astype(object),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_whole_numbers_keep_their_digits(make):
    x, y = make(SECONDS), make(SECONDS + 60)
    assert float(samples.wasserstein_1d(x, y)) == 60
    for function in (samples.emd, samples.sliced_wasserstein):
        assert float(function(x, y)) == pytest.approx(60, rel=1e-6)
    near = (SECONDS - SECONDS[0]) * 1.0
    for function in (samples.energy_distance, kernels.median_heuristic):
        assert float(function(x, y)) == pytest.approx(float(function(near, near + 60)), rel=1e-9)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float16])
def test_small_dtypes(dtype):
    x, y = np.array([0, 1, 1], dtype), np.array([0, 0, 1], dtype)
    for make in (np.asarray, tf.constant):
        assert float(samples.wasserstein_1d(make(x), make(y))) == pytest.approx(1 / 3)
        assert float(samples.emd(make(x), make(y))) == pytest.approx(1 / 3)
    gaps = kernels.distances(x[:, None], y[:, None])
    np.testing.assert_array_equal(gaps, [[0, 0, 1], [1, 1, 0], [1, 1, 0]])


NO_SAMPLES = {
    "masked": np.ma.array([1.0, 2.0, 1e6], mask=[0, 0, 1]),
    "complex": np.array([1 + 1j, 2]),
    "complex tensor": tf.constant([1 + 1j, 2]),
    "text": ["1", "x"],
    "dates": np.array(["2020-01-01", "2021-01-01"], "datetime64[s]"),
}


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("bad", NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_what_is_no_sample_is_refused(function, bad):
    for pair, name in (((bad, [1.0, 2.0]), "x"), (([1.0, 2.0], bad), "y")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            function(*pair)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name, call",
    [
        ("x_weights", lambda bad: samples.wasserstein_1d([1.0, 2.0], [1.0], 1, [1.0, bad])),
        ("order", lambda bad: samples.wasserstein_1d([1.0, 2.0], [1.0], order=bad)),
        ("y_weights", lambda bad: samples.emd([1.0, 2.0], [1.0], y_weights=[bad])),
        ("cost", lambda bad: samples.emd([1.0, 2.0], [1.0], [[1.0], [bad]])),
        ("cost", lambda bad: samples.sinkhorn([1.0], [1.0], 1.0, lambda x, y: [[bad]])),
        ("tolerance", lambda bad: samples.sinkhorn([1.0, 2.0], [1.0], 1.0, tolerance=bad)),
        ("projections", lambda bad: samples.sliced_wasserstein([1.0], [1.0], projections=bad)),
        ("seed", lambda bad: samples.sliced_wasserstein([1.0, 2.0], [1.0], seed=bad)),
        ("bandwidth", lambda bad: kernels.rbf(bad)),
        ("alpha", lambda bad: kernels.rational_quadratic([1.0, bad])),
        ("x", lambda bad: kernels.median_heuristic([1.0, bad], [1.0])),
    ],
)
def test_nan_and_infinity_are_named(name, call, bad):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call(bad)


# NaN is let through

LETS_THROUGH = {
    "safe_sqrt": roots.safe_sqrt,
    "safe_root": lambda x: roots.safe_root(x, 3),
    "distances": lambda x: kernels.distances(x, x),
    "wide distances": lambda x: kernels.distances(tf.tile(x, [1, 5]), tf.tile(x, [1, 5])),
    "energy kernel": lambda x: kernels.energy(x, x),
    "rbf": lambda x: kernels.rbf(1.0)(x, x),
    "median": lambda x: kernels.median_heuristic(x, 1 - x),
    "energy": lambda x: samples.energy_distance(x, 1 - x),
    "mmd2": lambda x: samples.mmd2(x, 1 - x, kernels.rbf(1.0)),
    "W2": lambda x: samples.wasserstein_1d(x, 1 - x, 2),
    "sliced": lambda x: samples.sliced_wasserstein(x, 1 - x, 3),
    "sinkhorn": lambda x: samples.sinkhorn(x, 1 - x, 1.0),
}


@pytest.mark.parametrize("name", LETS_THROUGH)
def test_nan_stays_nan_in_graphs(name):
    """In a graph no check sees it, and its optimiser turns ``not x <= 0`` into ``x > 0``."""
    run = tf.function(LETS_THROUGH[name], autograph=False)
    assert np.isnan(run(tf.fill([3, 1], np.float32(np.nan)))).any()


@pytest.mark.parametrize("order", [2, 3])
def test_roots_and_their_slopes(order):
    x = tf.constant([0.0, -1.0, 4.0, 27.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = roots.safe_root(x, order)
    wanted = np.maximum(x, 0) ** (1 / order)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    slopes = [0, 0, *(wanted[2:] / order / x[2:])]
    np.testing.assert_allclose(tape.gradient(value, x), slopes, rtol=1e-6)


# The median distance, whatever the order of the rows


@pytest.mark.parametrize("d", [1, 7])
def test_the_median_distance_does_not_see_the_order_of_the_rows(d):
    rng = np.random.default_rng(27)
    x = np.tile([0.0, 10.0, 20.0, 30.0], 250)[:, None] + 0.01 * rng.normal(size=(1000, 1))
    x = np.concatenate([x, rng.normal(size=(1000, d - 1))], 1)
    orders = np.arange(1000), x[:, 0].argsort(), rng.permutation(1000)
    found = {float(kernels.median_heuristic(x[order], x)) for order in orders}
    assert len(found) == 1 and found.pop() == pytest.approx(np.median(pdist(x)), rel=0.02)


def test_a_kernel_must_give_the_whole_gram_matrix():
    with pytest.raises(ValueError, match=r"^kernel must return the Gram matrix, shape \(2, 2\)"):
        samples.mmd2([1.0, 2.0], [2.0, 3.0], lambda x, y: tf.exp(-tf.abs(x - y)))
