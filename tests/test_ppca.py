"""Probabilistic PCA: the closed form against EM's limit, TFP, scikit-learn and its own samples.

Mutations that were tried and caught: noise from all eigenvalues instead of the dropped ones; no
noise in M; the sign of the quadratic term; d instead of d - q in the determinant; the posterior's
covariance without s2; the covariance over n - 1; an EM step with W in place of the new W.
"""

import numpy as np
import pytest
import sklearn.decomposition
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib.data import images
from genlib.likelihood import PPCA
from genlib.likelihood.ppca import closed_form, em_step


def draw(seed, n=200, d=6, q=2):
    """Points that vary much in q directions and less in all."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(d, q)) * rng.uniform(1, 3, size=q)
    noise = rng.uniform(0.5, 1) * rng.normal(size=(n, d))
    return rng.normal(size=(n, q)) @ weights.T + noise + 3 * rng.normal(size=d)


def covariance(model):
    return model.weights @ model.weights.T + model.noise * np.eye(len(model.mean))


shapes = given(seed=st.integers(0, 10_000), d=st.integers(2, 8), q=st.integers(1, 7))
few = settings(max_examples=15)


@few
@shapes
def test_log_prob_is_that_of_the_full_gaussian(seed, d, q):
    q = min(q, d - 1)
    x = draw(seed, d=d, q=q)
    model = PPCA(q).fit(x)
    gaussian = tfd.MultivariateNormalFullCovariance(model.mean, covariance(model))
    y = np.random.default_rng(seed).normal(size=(5, d)) * 4
    np.testing.assert_allclose(model.log_prob(y), gaussian.log_prob(y), rtol=1e-9)
    np.testing.assert_allclose(
        model.log_likelihoods, [np.mean(gaussian.log_prob(x))], rtol=1e-9, atol=1e-9
    )


@few
@shapes
def test_closed_form_is_the_limit_of_em(seed, d, q):
    """Random eigenvalues: kept ones of 2 to 9, dropped ones of 0.5 to 1, in random directions."""
    q, rng = min(q, d - 1), np.random.default_rng(seed)
    values = np.r_[rng.uniform(2, 9, q), rng.uniform(0.5, 1, d - q)]
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    second_moments = (turn * values) @ turn.T
    weights, noise = closed_form(second_moments, q)
    em_weights, em_noise = rng.normal(size=(d, q)), 1.0
    for _ in range(600):
        em_weights, em_noise = em_step(second_moments, em_weights, em_noise)
    np.testing.assert_allclose(em_noise, noise, rtol=1e-6)
    np.testing.assert_allclose(em_weights @ em_weights.T, weights @ weights.T, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_em_climbs_to_the_closed_form(seed):
    x = draw(seed)
    closed = PPCA(2).fit(x)
    em = PPCA(2).fit(x, method="em", steps=500, seed=seed)
    assert len(em.log_likelihoods) == 501 and np.all(np.diff(em.log_likelihoods) >= -1e-10)
    assert -1e-4 < em.log_likelihoods[-1] - closed.log_likelihoods[0] <= 1e-10
    assert em.log_likelihoods[0] < closed.log_likelihoods[0] - 0.1


@pytest.mark.parametrize("seed", range(3))
def test_closed_form_is_a_fixed_point_and_a_maximum(seed):
    x = draw(seed)
    second_moments = np.cov(x.T, bias=True)
    weights, noise = closed_form(second_moments, 2)
    again = em_step(second_moments, weights, noise)
    np.testing.assert_allclose(again[0], weights, atol=1e-9)
    np.testing.assert_allclose(again[1], noise, rtol=1e-9)
    model, rng = PPCA(2).fit(x), np.random.default_rng(seed)
    best = np.mean(model.log_prob(x))
    for _ in range(20):
        model.weights = weights + 0.02 * rng.normal(size=weights.shape)
        model.noise = noise * np.exp(0.02 * rng.normal())
        assert np.mean(model.log_prob(x)) < best


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    """scikit-learn's PCA scores by the same model, with the variance over n - 1 for ours over n."""
    x = draw(seed, n=5000)
    peer = sklearn.decomposition.PCA(2, svd_solver="full").fit(x)
    model = PPCA(2).fit(x)
    np.testing.assert_allclose(model.noise, peer.noise_variance_, rtol=1e-3)
    np.testing.assert_allclose(model.log_prob(x), peer.score_samples(x), atol=5e-3)
    along = model.weights / np.linalg.norm(model.weights, axis=0)
    np.testing.assert_allclose(np.abs(along.T @ peer.components_.T), np.eye(2), atol=1e-6)


def test_posterior_is_bayes_rule():
    """log p(z | x) = log p(z) + log p(x | z) - log p(x), for any z."""
    x = draw(3)
    model, rng = PPCA(2).fit(x), np.random.default_rng(0)
    z, x = rng.normal(size=(7, 2)), x[:7]
    prior = tfd.MultivariateNormalDiag(np.zeros(2), np.ones(2)).log_prob(z)
    noise = np.full(6, np.sqrt(model.noise))
    given_z = tfd.MultivariateNormalDiag(model.decode(z), noise).log_prob(x)
    by_bayes = prior + given_z - model.log_prob(x)
    np.testing.assert_allclose(model.posterior(x).log_prob(z), by_bayes, rtol=1e-8)
    np.testing.assert_allclose(model.posterior(x).mean(), model.encode(x))


@pytest.mark.parametrize("seed", range(3))
def test_samples_have_the_models_moments(seed):
    model = PPCA(2).fit(draw(seed))
    y = model.sample(200_000, seed=seed).numpy()
    spread = np.sqrt(np.diag(covariance(model)))
    assert np.all(np.abs(y.mean(0) - model.mean) < 5 * spread / np.sqrt(len(y)))
    off = np.abs(np.cov(y.T) - covariance(model)) / np.outer(spread, spread)
    assert off.max() < 0.02
    assert y.dtype == np.float64  # as the data
    np.testing.assert_array_equal(model.sample(5, seed=7), model.sample(5, seed=7))
    assert np.any(model.sample(5, seed=7) != model.sample(5, seed=8))


def test_gradient_of_log_prob_by_finite_differences():
    model, step = PPCA(2).fit(draw(0)), 1e-5
    x = tf.constant(np.random.default_rng(1).normal(size=(3, 6)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = model.log_prob(x)
    gradient = tape.gradient(value, x).numpy()
    for i in range(6):
        up, down = (model.log_prob(x + sign * step * np.eye(6)[i]) for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (up - down) / (2 * step), rtol=1e-5)


def test_dtype_follows_x():
    model = PPCA(2).fit(draw(0))
    for kind in (np.float32, np.float64):
        x = draw(1).astype(kind)
        assert model.log_prob(x).dtype == model.encode(x).dtype == model.posterior(x).dtype == kind


def test_digits_held_out():
    """More directions help on digits that were not seen, and the model beats a diagonal one."""
    x, y = (images("digits", split)[0].reshape(-1, 64) for split in ("train", "test"))
    held_out = [np.mean(PPCA(q).fit(x).log_prob(y)) for q in (2, 8, 16)]
    assert held_out[0] + 3 < held_out[1] and held_out[1] + 1 < held_out[2]


@pytest.mark.parametrize("latent_dim", [0, -1, 1.5, None, np.nan, "two"])
def test_latent_dim_must_be_a_count(latent_dim):
    with pytest.raises(ValueError, match="latent_dim must be a whole number of at least 1"):
        PPCA(latent_dim)


@pytest.mark.parametrize(
    "x, message",
    [
        (draw(0, d=3), "latent_dim must be below the dimension d of x; got latent_dim 3"),
        (draw(0)[0], "latent_dim must be below the dimension"),
        (np.where(np.eye(6) > 0, np.nan, 1), "x must be finite; got 6 NaN"),
        (np.full((4, 6), np.inf), "x must be finite"),
        (np.zeros((0, 6)), "x must not be empty"),
        (np.zeros((2, 3, 6)), "x must have shape"),
        (draw(0)[:1], "x must vary in more than latent_dim = 3 directions"),
        ("words", "x must be an array of (real )?numbers"),
        (np.ones((9, 6)), "x must vary in more than latent_dim = 3 directions"),
        (draw(0)[:4], "x must vary in more than latent_dim = 3 directions"),
    ],
)
def test_fit_refuses(x, message):
    model = PPCA(3)
    with pytest.raises(ValueError, match=message):
        model.fit(x)
    with pytest.raises(ValueError, match="not fitted"):
        model.sample(1)


def test_a_flat_cloud_has_no_likelihood_maximum():
    """Points in a plane: two latents would leave no noise, one latent does."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 5))
    with pytest.raises(ValueError, match="choose a smaller latent_dim"):
        PPCA(2).fit(x)
    assert PPCA(1).fit(x).noise > 0


def test_refuses_before_and_after_fitting():
    model = PPCA(2)
    for call in (model.log_prob, model.encode, model.decode, model.posterior, model.sample):
        with pytest.raises(ValueError, match=r"not fitted; call fit\(x\) first"):
            call(3)
    model.fit(draw(0))
    for call in (model.log_prob, model.encode, model.posterior):
        with pytest.raises(ValueError, match=r"x must have shape \(n, 6\); got \(2, 5\)"):
            call(np.zeros((2, 5)))
        with pytest.raises(ValueError, match="x must be finite"):
            call(np.full((2, 6), np.nan))
    with pytest.raises(ValueError, match=r"z must have shape \(n, 2\); got \(2, 5\)"):
        model.decode(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        model.sample(0)
    with pytest.raises(ValueError, match="method must be one of closed_form, em; got 'svd'"):
        model.fit(draw(0), method="svd")
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1"):
        model.fit(draw(0), method="em", steps=0)
