"""The kernel density estimate against densities by hand, and against what it must average to.

Seen to fail: the constant of the bump without d; the mean taken without its 1/n; a leave-one-out
that keeps its own bump; noise of the wrong scale in ``sample``; blocks joined in the wrong place.
"""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from genlib import data, memory
from genlib.divergences import kernels, samples
from genlib.likelihood.kde import KDE, best_bandwidth, scott


@pytest.mark.parametrize("d", [1, 2, 7])
def test_log_prob_is_that_of_the_mixture(d):
    rng = np.random.default_rng(d)
    x, at, h = rng.normal(size=(30, d)), rng.normal(size=(11, d)), 0.7
    bumps = [stats.multivariate_normal(point, h**2 * np.eye(d)).pdf(at) for point in x]
    np.testing.assert_allclose(KDE(h).fit(x).log_prob(at), np.log(np.mean(bumps, 0)), rtol=1e-8)


def test_it_integrates_to_one():
    estimate = KDE(0.3).fit(np.random.default_rng(0).normal(size=40))
    xs = np.linspace(-6, 6, 4001)
    assert np.trapezoid(np.exp(estimate.log_prob(xs)), xs) == pytest.approx(1, abs=1e-6)


def test_far_away_it_is_finite():
    """A plain density would underflow to 0 there."""
    value = float(KDE(0.01).fit(np.zeros((3, 2))).log_prob(np.array([[30.0, 40.0]]))[0])
    assert value == pytest.approx(-(2500 / 2e-4) - np.log(2 * np.pi * 1e-4), rel=1e-6)


@pytest.mark.parametrize("h", [0.3, 1.0])
def test_on_average_it_is_the_truth_blurred(h):
    """E of the estimate is p convolved with the bump: for N(0, s^2) it is N(0, s^2 + h^2)."""
    rng, at = np.random.default_rng(1), np.linspace(-3, 3, 13)
    draws = np.exp([KDE(h).fit(rng.normal(0, 0.8, 50)).log_prob(at) for _ in range(300)])
    error = draws.std(0) / np.sqrt(300)
    gap = draws.mean(0) - stats.norm(0, np.hypot(0.8, h)).pdf(at)
    assert (np.abs(gap) < 5 * error).all()


def test_leave_one_out_is_what_it_says():
    x = np.random.default_rng(2).normal(size=(9, 2))
    one_by_one = [
        float(KDE(0.5).fit(np.delete(x, i, 0)).log_prob(x[i : i + 1])[0]) for i in range(9)
    ]
    np.testing.assert_allclose(KDE(0.5).fit(x).leave_one_out(), one_by_one, rtol=1e-8)


def test_blocks_change_nothing(monkeypatch):
    x = np.random.default_rng(3).normal(size=(50, 3))
    estimate, at = KDE(0.5).fit(x), x[::-1] + 0.1
    whole = estimate.log_prob(at), estimate.leave_one_out()
    monkeypatch.setattr(memory, "ENTRIES", 350)
    for a, b in zip(whole, (estimate.log_prob(at), estimate.leave_one_out()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_samples_are_the_data_with_noise():
    points = np.array([[-5.0, 0.0], [5.0, 1.0]])
    estimate = KDE(0.5).fit(points)
    x = estimate.sample(20_000, seed=4).numpy()
    right = x[:, 0] > 0
    assert right.mean() == pytest.approx(0.5, abs=0.02)
    for side, point in ((~right, points[0]), (right, points[1])):
        np.testing.assert_allclose(x[side].mean(0), point, atol=0.03)
        np.testing.assert_allclose(x[side].std(0), 0.5, atol=0.02)
    np.testing.assert_array_equal(x, estimate.sample(20_000, seed=4))


@pytest.mark.parametrize("d", [1, 3])
def test_the_gap_of_two_estimates_is_an_mmd(d):
    """int (p - q)^2 of two KDEs is MMD^2 with an RBF of sqrt(2) h, less a constant factor."""
    rng, h = np.random.default_rng(5), 0.4
    x, y = rng.normal(size=(40, d)), rng.normal(0.5, 1.3, size=(60, d))
    mmd2 = float(samples.mmd2(x, y, kernels.rbf(np.sqrt(2) * h), unbiased=False))
    expected = mmd2 / (4 * np.pi * h**2) ** (d / 2)
    p, q = KDE(h).fit(x), KDE(h).fit(y)
    if d == 1:
        xs = np.linspace(-9, 9, 6001)
        gap = np.exp(p.log_prob(xs)) - np.exp(q.log_prob(xs))
        assert np.trapezoid(gap**2, xs) == pytest.approx(expected, rel=1e-5)
    else:  # int p^2 - int pq on draws of p, int q^2 - int pq on draws of q

        def gap(of, other, at):
            return np.exp(of.log_prob(at)) - np.exp(other.log_prob(at))

        on_p, on_q = gap(p, q, p.sample(40_000, 1)), gap(q, p, q.sample(40_000, 2))
        error = np.hypot(on_p.std(), on_q.std()) / np.sqrt(40_000)
        assert on_p.mean() + on_q.mean() == pytest.approx(expected, abs=5 * error)
        assert error < 0.1 * expected


@pytest.mark.parametrize("seed", range(4))
def test_the_chosen_bandwidth_is_near_the_best_for_new_data(seed):
    truth = data.toy("ring")
    x, new = truth.sample(300, seed=seed), truth.sample(5000, seed=100 + seed)
    widths = np.geomspace(0.02, 1, 15)
    score = {h: float(tf.reduce_mean(KDE(h).fit(x).log_prob(new))) for h in widths}
    chosen = best_bandwidth(x, widths)
    assert score[chosen] > max(score.values()) - 0.03
    assert score[chosen] > score[min(widths, key=lambda h: abs(h - scott(x)))] + 0.1
    assert score[chosen] < float(tf.reduce_mean(truth.log_prob(new)))


def test_scott():
    x = np.random.default_rng(6).normal(0, 3, size=(200, 2))
    assert scott(x) == pytest.approx(3 * 200 ** (-1 / 6), rel=0.1)
    assert KDE().fit(x).bandwidth == scott(x)
    assert scott(10 * x) == pytest.approx(10 * scott(x), rel=1e-5)


def test_a_second_fit_takes_a_new_bandwidth():
    x = np.random.default_rng(7).normal(size=(200, 2))
    estimate = KDE().fit(x)
    assert estimate.fit(100 * x).bandwidth == scott(100 * x) == KDE().fit(100 * x).bandwidth
    assert KDE(0.3).fit(x).fit(100 * x).bandwidth == 0.3
    with pytest.raises(ValueError, match="points that differ"):
        estimate.fit(np.full((5, 2), 0.1))
    assert estimate.bandwidth == scott(100 * x)  # the fit that failed left it as it was


@pytest.mark.parametrize("d", [1, 2, 9])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_far_points_keep_their_digits(d, dtype):
    """Two points, far apart: near the second only its own bump counts."""
    x, at = np.zeros((2, d), dtype), np.zeros((4, d), dtype)
    x[1, 0], at[:, 0], at[:, -1] = 10_000, 10_000, [10_000 * (d == 1) + k for k in range(4)]
    wanted = stats.norm.logpdf(np.arange(4.0)) - (d - 1) * np.log(2 * np.pi) / 2 - np.log(2)
    np.testing.assert_allclose(KDE(1.0).fit(x).log_prob(at), wanted, rtol=1e-5)
    assert float(KDE(1.0).fit(x).log_prob(x)[0]) == pytest.approx(wanted[0], rel=1e-5)


def test_it_takes_float32_tensors():
    x = tfd.Normal(0.0, 1.0).sample((20, 2), seed=(0, 1))
    assert KDE(0.5).fit(x).log_prob(np.zeros((3, 2))).dtype == tf.float32


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: KDE(0), "bandwidth must be a finite number above 0; got 0"),
        (lambda: KDE(np.nan), "bandwidth must be a finite number above 0"),
        (lambda: KDE(1).log_prob([0.0]), "call fit"),
        (lambda: KDE(1).fit([[0.0, np.inf]]), "x must be finite"),
        (lambda: KDE(1).fit([[0.0, 1.0]]).log_prob([[0.0]]), r"x must have shape \(n, 2\); got"),
        (lambda: KDE(1).fit([[0.0, 1.0]]).leave_one_out(), "at least 2 points"),
        (lambda: KDE(1).fit([0.0]).sample(1, seed=np.nan), "seed must be"),
        (lambda: KDE(1).fit(np.ma.array([0.0, 9.0], mask=[0, 1])), "masked"),
        (lambda: KDE(1).fit([0.0]).sample(0), "n must be a whole number of at least 1"),
        (lambda: scott(np.ones(5)), "points that differ"),
        (lambda: best_bandwidth([0.0, 1.0], []), "bandwidths must hold"),
        (lambda: best_bandwidth([0.0, 1.0], [-1]), "bandwidths must be a finite number above 0"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
