"""What explorers compute for themselves, for speed, against the library and TensorFlow Probability.

Grids as fine as a picture needs bring the tolerances.
"""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import divergences
from genlib.lectures import l03_clustering_and_dimension_reduction as axis
from genlib.lectures import l04_why_generative_models as gradients
from genlib.lectures import l10_kl as fit
from genlib.lectures import l11_jsd as histograms
from genlib.lectures import l12_wasserstein as shift
from genlib.lectures import l13_integral_probability_metrics as critics
from genlib.lectures import l16_hierarchical_bayes as funnel
from genlib.lectures import maths

XS = np.linspace(-6, 6, 25)


def mixed(means, scales, weights=None):
    means = np.asarray(means, float)
    weights = np.full(len(means), 1 / len(means)) if weights is None else np.asarray(weights)
    parts = tfd.Normal(means, np.broadcast_to(np.float64(scales), means.shape))
    return tfd.MixtureSameFamily(tfd.Categorical(probs=weights), parts)


def test_gaussians():
    dist = tfd.Normal(np.float64(0.7), np.float64(0.3))
    np.testing.assert_allclose(maths.normal(XS, 0.7, 0.3), dist.prob(XS))
    np.testing.assert_allclose(maths.log_normal(XS, 0.7, 0.3), dist.log_prob(XS))
    np.testing.assert_allclose(maths.mixture(XS, (-2, 1), 0.6), mixed((-2, 1), 0.6).prob(XS))
    arguments = (-2, 1, 3), (0.5, 1, 2), (0.2, 0.5, 0.3)
    np.testing.assert_allclose(maths.mixture(XS, *arguments), mixed(*arguments).prob(XS))
    rows = maths.mixture(XS.reshape(5, 5), (-2, 1), 0.6)
    np.testing.assert_array_equal(rows.ravel(), maths.mixture(XS, (-2, 1), 0.6))


@pytest.mark.parametrize("separation", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("direction", [fit.FORWARD, fit.REVERSE])
def test_the_map_of_kl_is_right_up_to_a_constant(direction, separation):
    p = mixed((-separation / 2, separation / 2), fit.WIDTH)
    found, exact = [], []
    for mean, scale in ((0.0, 1.0), (1.5, 0.7), (-2.0, 1.3)):
        q = tfd.Normal(np.float64(mean), np.float64(scale))
        pair = (p, q) if direction == fit.FORWARD else (q, p)
        exact.append(float(divergences.kl(*pair)))
        found.append(float(fit._map_of(direction)(np.float64(mean), scale, separation)))
    np.testing.assert_allclose(np.diff(found), np.diff(exact), atol=2e-3)


def test_the_stars_of_kl_are_lowest():
    for separation in (0.0, 2.0, 6.0):
        p = mixed((-separation / 2, separation / 2), fit.WIDTH)
        for mean, scale in fit._reverse_optima()[round(separation / fit.STEP)]:
            steps = 0.05 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
            near = [tfd.Normal(mean + a, scale + b) for a, b in steps]
            lowest, *others = (float(divergences.kl(q, p)) for q in near)
            assert min(others) > lowest, (separation, mean, scale)


@pytest.mark.parametrize("kind", [shift.BLOCK, shift.GAUSSIAN])
@pytest.mark.parametrize("by", [0.3, 0.8])
def test_divergences_of_moved_mass(kind, by):
    edges = np.linspace(-8, 8, 801)
    found = shift._divergences(
        shift._cells(edges, 0, kind), shift._cells(edges, by, kind), edges[1] - edges[0]
    )
    if kind == shift.GAUSSIAN:
        p, q = (tfd.Normal(np.float64(m), np.float64(0.5)) for m in (0, by))
    else:
        p, q = (tfd.Uniform(np.float64(m - 0.5), np.float64(m + 0.5)) for m in (0, by))
    exact = {"W1": divergences.wasserstein, "KL": divergences.kl, "JSD": divergences.js}
    for name, value in found.items():
        np.testing.assert_allclose(value, float(exact[name](p, q)), atol=2e-3, err_msg=name)


def test_the_routes_without_a_critic():
    location, scale = 0.9, 0.75
    row = {n: v[0] for n, v in critics.own_route(critics.TWO, np.array([location]), scale).items()}
    p = mixed(*critics.COMPONENTS[critics.TWO])
    q = tfd.Normal(np.float64(location), np.float64(scale))
    np.testing.assert_allclose(row["TV"], float(divergences.total_variation(p, q)), atol=2e-3)
    np.testing.assert_allclose(row["W1"], float(divergences.wasserstein(p, q)), atol=2e-3)
    fine = np.linspace(-9, 9, 4001)
    gap = p.cdf(fine).numpy() - q.cdf(fine).numpy()
    np.testing.assert_allclose(row["Cramér"], np.sqrt(np.trapezoid(gap**2, fine)), atol=2e-3)
    kernel = np.exp(-((fine[::8, None] - fine[::8]) ** 2) / 2)
    less = (p.prob(fine[::8]) - q.prob(fine[::8])).numpy() * (fine[8] - fine[0])
    np.testing.assert_allclose(row["MMD"], np.sqrt(less @ kernel @ less), atol=2e-3)
    d_p, d_q = p.prob(fine).numpy(), q.prob(fine).numpy()
    chi = np.trapezoid((d_p - d_q) ** 2 / ((d_p + d_q) / 2), fine)
    np.testing.assert_allclose(row["Fisher"], np.sqrt(chi), atol=2e-3)


@pytest.mark.parametrize("form", [funnel.CENTRED, funnel.NON_CENTRED])
def test_the_funnel(form):
    where = np.random.default_rng(0).normal(size=(7, 2))
    position = tf.Variable(where)
    with tf.GradientTape() as tape:
        x, level = position[:, 0], position[:, 1]
        one = tf.ones_like(x)
        scale = tf.exp(level) if form == funnel.CENTRED else one
        exact = tfd.Normal(0 * one, scale).log_prob(x)
        exact += tfd.Normal(0 * one, funnel.WIDTH * one).log_prob(level)
    found = funnel.log_density(where, form)
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=1e-12)
    np.testing.assert_allclose(funnel.gradient(where, form), tape.gradient(exact, position))


def test_the_likelihood_of_ppca_along_a_line():
    """At the principal axis no Gaussian of that family does better: the closed form's value."""
    covariance = np.array([[1.0, 0.6], [0.6, 1.4]])
    found = axis.along(covariance, np.linspace(0, 180, 1801))
    weights, noise = axis.closed_form(covariance, 1)
    model = np.asarray(weights) @ np.asarray(weights).T + float(noise) * np.eye(2)
    inverse = np.linalg.inv(model)
    exact = -np.log(2 * np.pi) - (np.linalg.slogdet(model)[1] + np.trace(inverse @ covariance)) / 2
    np.testing.assert_allclose(found["likelihood"].max(), exact, atol=1e-5)


def test_the_slopes_that_gradient_estimators_estimate():
    """E f(mean + scale eps) differentiated: by its closed form for each f."""
    mean, scales = 0.4, np.array([0.3, 1.0])
    exact = {
        "log-likelihood": 2 - mean + 0 * scales,
        "wave": 6 * np.cos(6 * mean) * np.exp(-18 * scales**2),
        "step": maths.normal(1, mean, scales),
    }
    for name, slope in exact.items():
        np.testing.assert_allclose(
            gradients.exact(name, mean, scales)[0], slope, atol=5e-3, err_msg=name
        )


# Lecture 11: the JSD of two histograms


@pytest.mark.parametrize("bins", [2, 5, 40])
def test_the_jsd_of_binned_densities(bins):
    edges, shares = histograms.binned_shares(bins, 0.5)
    normals = [tfd.Normal(np.float64(at), np.float64(1)) for at in (0, 0.5)]
    for normal, share in zip(normals, shares, strict=True):
        np.testing.assert_allclose(share, np.diff(normal.cdf(edges)), atol=1e-12)
    value = histograms.jsd_of_shares(*shares)
    assert value == pytest.approx(
        float(divergences.js(*(tfd.Categorical(probs=p) for p in shares)))
    )
    assert value < float(divergences.js(*normals))  # the data processing inequality
    assert histograms.jsd_of_shares(np.eye(2), np.eye(2)[::-1]) == pytest.approx([np.log(2)] * 2)
