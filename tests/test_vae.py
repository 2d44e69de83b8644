"""The VAE and its bounds: held to a model whose likelihood is known, term by term.

Changes to the code that these tests were seen to catch: the mean in place of the sum over pixels
or over latents; a KL term with the wrong sign or without its 1/2; beta left out of the loss, or
put into the bound; a variance read as a scale, in training and in the weights; log k or the prior
left out of `iwae`; a Gaussian without its normaliser; an ELBO without the spread of q; a score
without log q, a reparameterised gradient cut off; a rate without its 1/2; active units over the
wrong axis; samples without the pixels' noise; data that are not checked.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import divergences, gaussian, networks
from genlib.lectures import linear_gaussian as bounds
from genlib.lectures.l21_vae_images import Interpolation, LatentMap
from genlib.likelihood import VAE
from genlib.widgets import Explorer

seeds = st.integers(0, 10_000)
few = settings(max_examples=6)


def linear(inputs, matrix, bias):
    """A Keras model from ``inputs`` numbers to ``matrix @ input + bias``."""
    net = networks.mlp(inputs, len(matrix), depth=0)
    net.layers[-1].set_weights([np.float32(matrix.T), np.float32(bias)])
    return net


def random_model(rng, data_dim=5, latent_dim=2, orthogonal=False):
    """Probabilistic PCA with random parameters: its exact density, and one x of it."""
    weights = rng.normal(size=(data_dim, latent_dim))
    if orthogonal:  # then the exact posterior is diagonal, as a VAE's q is
        weights = np.linalg.qr(weights)[0] * rng.uniform(0.5, 2, latent_dim)
    truth = bounds.LinearGaussian(weights, rng.normal(size=data_dim), rng.uniform(0.4, 1.5))
    return truth, rng.normal(size=(3, data_dim)) * 1.5


def exact_vae(truth):
    """A VAE whose decoder is that model, and whose encoder gives its exact posterior."""
    w, d = truth.weights, truth.latent_dim
    covariance = np.linalg.inv(np.eye(d) + w.T @ w / truth.scale**2)
    gain = covariance @ w.T / truth.scale**2
    encoder = linear(
        len(w),
        np.r_[gain, np.zeros_like(gain)],
        np.r_[-gain @ truth.bias, np.log(np.diag(covariance))],
    )
    return VAE(encoder, linear(d, w, truth.bias), d, likelihood="gaussian", scale=truth.scale)


def log_density(truth, x):
    """The closed form, written here anew."""
    covariance = truth.weights @ truth.weights.T + truth.scale**2 * np.eye(len(truth.weights))
    return tfd.MultivariateNormalFullCovariance(truth.bias, covariance).log_prob(x).numpy()


# The bound where log p(x) is known


@few
@given(seeds)
def test_every_weight_is_the_density_at_the_exact_posterior(seed):
    """p(x, z) / q(z|x) is then p(x) for each single z, so every bound of any k is exact."""
    truth, x = random_model(np.random.default_rng(seed), orthogonal=True)
    vae = exact_vae(truth)
    for k in (1, 3):
        np.testing.assert_allclose(vae.iwae(x, k, seed=seed), log_density(truth, x), rtol=2e-4)


@few
@given(seeds)
def test_elbo_at_the_exact_posterior_is_the_density(seed):
    truth, x = random_model(np.random.default_rng(seed), orthogonal=True)
    vae = exact_vae(truth)
    draws = np.stack([vae.elbo(x, 500, seed=i) for i in range(8)])
    error = draws.std(0, ddof=1) / np.sqrt(8)
    assert (np.abs(draws.mean(0) - log_density(truth, x)) < 6 * error + 1e-3).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_training_loss_at_the_exact_posterior_is_minus_the_log_density(seed):
    truth, x = random_model(np.random.default_rng(seed), orthogonal=True)
    vae, many = exact_vae(truth), tf.constant(np.repeat(x[:1], 20_000, 0), tf.float32)
    error = vae.elbo(many, seed=seed).numpy().std() / np.sqrt(20_000)
    assert float(vae.terms(many)["loss"]) == pytest.approx(-log_density(truth, x)[0], abs=5 * error)


@few
@given(seeds)
def test_closed_form_elbo_is_the_density_less_the_gap(seed):
    """For any q, of full covariance too: log p(x) - ELBO = KL(q || p(z|x)), 0 at the posterior."""
    rng = np.random.default_rng(seed)
    truth, (x, *_) = random_model(rng)
    root = rng.normal(size=(2, 2))
    root = np.linalg.cholesky(root @ root.T + 0.1 * np.eye(2))
    q = tfd.MultivariateNormalTriL(rng.normal(size=2), root)
    posterior = truth.posterior(x)
    for candidate in (q, posterior):
        expected, kl = truth.elbo_terms(x, candidate.mean(), candidate.covariance())
        gap = float(divergences.kl(candidate, posterior))
        assert float(expected - kl) == pytest.approx(log_density(truth, x) - gap, abs=1e-6)
        prior = tfd.MultivariateNormalDiag(tf.zeros(2, tf.float64), tf.ones(2, tf.float64))
        assert float(kl) == pytest.approx(float(tfd.kl_divergence(candidate, prior)), abs=1e-6)
    np.testing.assert_allclose(truth.log_prob(x), log_density(truth, x))


@few
@given(seeds)
def test_the_best_diagonal_q_is_strictly_below(seed):
    """The best one has the posterior's mean and the inverse of its precision's diagonal."""
    truth, (x, *_) = random_model(np.random.default_rng(seed))
    posterior = truth.posterior(x)
    precision = np.linalg.inv(posterior.covariance())
    best = tfd.MultivariateNormalDiag(posterior.mean(), np.diag(precision) ** -0.5)
    expected, kl = truth.elbo_terms(x, best.mean(), best.covariance())
    correlation = precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    gap = log_density(truth, x) - float(expected - kl)
    assert gap == pytest.approx(-np.log(1 - correlation**2) / 2, abs=1e-6) and gap > 0
    for factor in (0.9, 1.1):
        other = np.diag(1 / np.diag(precision)) * factor
        assert float(np.subtract(*truth.elbo_terms(x, best.mean(), other))) < float(expected - kl)


@pytest.mark.parametrize("seed", range(3))
def test_iwae_rises_with_k_to_the_density(seed):
    rng = np.random.default_rng(seed)
    truth, x = random_model(rng, orthogonal=True)
    vae = exact_vae(truth)
    scale = np.sqrt(np.diag(truth.posterior(x[0]).covariance()))
    kernel, bias = vae.encoder.layers[-1].get_weights()
    bias += np.r_[0.8 * scale, 0.5, 0.4].astype(np.float32)  # a q off the mark, and too wide
    vae.encoder.layers[-1].set_weights([kernel, bias])
    repeats = 4000
    many = np.repeat(x[:1], repeats, 0)
    found = np.array([vae.iwae(many, k, seed=k + seed) for k in (1, 4, 32)])
    mean, error = found.mean(1), found.std(1) / np.sqrt(repeats)
    exact, elbo = log_density(truth, x)[0], vae.elbo(many, 4, seed=seed).numpy()
    assert abs(mean[0] - elbo.mean()) < 5 * (error[0] + elbo.std() / np.sqrt(repeats))
    assert exact - mean[0] > 0.4
    assert (np.diff(mean) > 5 * error[1:]).all()
    assert abs(exact - mean[-1]) < 0.05


@few
@given(seeds)
def test_no_linear_beta_vae_beats_the_water_level(seed):
    """The closed form is what `elbo_terms` makes of its decoder, and no other decoder does better.

    In each principal direction by itself: the data are one number of the given variance, so the
    mean loss over them is the loss of an x with that square (it is quadratic in x).
    """
    rng = np.random.default_rng(seed)
    scale, beta = rng.uniform(0.3, 1), rng.uniform(0.5, 3)
    level = beta * scale**2
    for variance in level * np.array([0.3, 0.9, 1.2, 5.0]):
        x = np.array([np.sqrt(variance)])

        def loss(weight, x=x):
            """Of the best q for this decoder: the posterior of a model with noise ``level``."""
            q = bounds.LinearGaussian([[weight]], scale=np.sqrt(level)).posterior_moments(x)
            expected, kl = bounds.LinearGaussian([[weight]], scale=scale).elbo_terms(x, *q)
            return float(beta * kl - expected), float(kl)

        rate, distortion = bounds.water_level([variance], level)
        best = np.sqrt(variance - distortion[0])
        value, kl = loss(best)
        assert kl == pytest.approx(rate[0], abs=1e-9)
        constant = np.log(2 * np.pi * scale**2) / 2
        assert value == pytest.approx(distortion[0] / (2 * scale**2) + beta * kl + constant)
        assert min(loss(best + shift)[0] for shift in (-0.1, 0.1)) > value
        assert (rate[0] > 0) == (variance > level)


# The terms


@few
@given(seeds)
def test_closed_form_kl_is_monte_carlo_within_its_error(seed):
    rng = np.random.default_rng(seed)
    mean, log_variance = rng.normal(size=(2, 4, 3)).astype(np.float32)
    z = mean + np.exp(log_variance / 2) * rng.normal(size=(20_000, 4, 3))
    q, prior = tfd.Normal(mean, np.exp(log_variance / 2)), tfd.Normal(0.0, 1.0)
    ratio = tf.reduce_sum(q.log_prob(z) - prior.log_prob(z), -1).numpy()
    error = ratio.std(0) / np.sqrt(len(ratio))
    closed = gaussian.kl_to_standard_normal(mean, log_variance).numpy()
    assert closed.shape == (4,) and (np.abs(closed - ratio.mean(0)) < 5 * error).all()


def image_vae(seed=0, **options):
    encoder = networks.mlp((4, 4, 1), 6, 8, 1, activation="tanh", seed=seed)
    decoder = networks.mlp(3, (4, 4, 1), 8, 1, activation="tanh", seed=seed + 1)
    vae = VAE(encoder, decoder, 3, seed=seed, **options)
    vae.compile(jit_compile=False)
    return vae


PIXELS = (np.random.default_rng(0).random((40, 4, 4, 1)) < 0.3).astype(np.float32)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_log_likelihood_is_summed_over_pixels(likelihood):
    """Against TFP, pixel by pixel: a mean over the 16 pixels would be 16 times too small."""
    vae = image_vae(likelihood=likelihood, scale=0.7)
    z = tf.random.stateless_normal((40, 3), (0, 1))
    out = vae.decoder(z)
    pixel = tfd.Bernoulli(logits=out) if likelihood == "bernoulli" else tfd.Normal(out, 0.7)
    wanted = pixel.log_prob(PIXELS).numpy().sum((1, 2, 3))
    np.testing.assert_allclose(vae.log_likelihood(PIXELS, z), wanted, rtol=1e-5)


def test_an_undecided_decoder_costs_log_2_a_pixel_and_a_shift_one_half_a_latent():
    """Sums, not means, in what `fit` reports: D log 2 over pixels, d / 2 over latents."""
    vae = image_vae()
    zeros = [np.zeros_like(w) for w in vae.decoder.get_weights()]
    vae.decoder.set_weights(zeros)
    vae.encoder.set_weights([np.zeros_like(w) for w in vae.encoder.get_weights()])
    vae.encoder.layers[-1].bias.assign([1, 1, 1, 0, 0, 0])
    terms = vae.terms(tf.constant(PIXELS))
    assert float(terms["reconstruction"]) == pytest.approx(16 * np.log(2), rel=1e-5)
    assert float(terms["kl"]) == pytest.approx(3 / 2, rel=1e-5)
    assert vae.elbo(PIXELS).numpy() == pytest.approx(-16 * np.log(2) - 1.5, rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
def test_beta_weighs_the_kl_in_the_loss_and_nowhere_else(beta):
    vae, plain = image_vae(beta=beta), image_vae()
    terms = {name: float(value) for name, value in vae.terms(tf.constant(PIXELS)).items()}
    assert tuple(terms) == vae.log_names
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + beta * terms["kl"], rel=1e-5)
    np.testing.assert_array_equal(vae.elbo(PIXELS, seed=1), plain.elbo(PIXELS, seed=1))
    np.testing.assert_array_equal(vae.iwae(PIXELS, 2, seed=1), plain.iwae(PIXELS, 2, seed=1))


def test_beta_can_move_between_epochs_without_a_new_graph():
    vae = image_vae()
    vae.fit(PIXELS, batch_size=8, steps_per_epoch=2, verbose=0)
    graph = vae.train_function
    vae.beta.assign(3.0)
    vae.fit(PIXELS, batch_size=8, steps_per_epoch=2, verbose=0)
    assert vae.train_function is graph
    logs = vae.step_losses
    np.testing.assert_allclose(logs["loss"], logs["reconstruction"] + 3 * logs["kl"], rtol=1e-5)


def test_gradients_against_finite_differences():
    """The loss with its noise held fixed, along a random direction of each network."""
    vae, rng = image_vae(), np.random.default_rng(2)
    noise = tf.random.stateless_normal((40, 3), (1, 1))
    vae.random_normal = lambda shape: noise
    for network in (vae.encoder, vae.decoder):
        variables = [v.value for v in network.trainable_variables]
        with tf.GradientTape() as tape:
            loss = vae.terms(tf.constant(PIXELS))["loss"]
        grads = tape.gradient(loss, variables)
        direction = [tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables]
        slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(grads, direction, strict=True))
        h, ends = 3e-3, []
        for sign in (1, -2, 1):
            for v, d in zip(variables, direction, strict=True):
                v.assign_add(sign * h * d)
            ends.append(float(vae.terms(tf.constant(PIXELS))["loss"]))
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=0.02)


@few
@given(seeds)
def test_both_gradient_estimators_meet_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    truth, (x, *_) = random_model(rng, data_dim=3)
    mean, log_scale = tf.constant(rng.normal(size=(2, 2)) / 2)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_scale])
        expected, kl = truth.elbo_terms(x, mean, tf.linalg.diag(tf.exp(2 * log_scale)))
        bound = expected - kl
    exact = tape.gradient(bound, [mean, log_scale])
    noise = rng.normal(size=(40_000, 2))
    spread = {}
    for estimator in (bounds.reparameterised_gradients, bounds.score_function_gradients):
        found = estimator(lambda z: truth.log_joint(x, z), mean, log_scale, noise)
        for draws, truth_gradient in zip(found, exact, strict=True):
            error = draws.numpy().std(0) / np.sqrt(len(noise))
            difference = draws.numpy().mean(0) - truth_gradient.numpy()
            assert (np.abs(difference) < 5 * error + 1e-9).all()
        spread[estimator] = found[0].numpy().std()
    first, second = spread.values()
    assert first < second  # Gaussian models: the path through z is the quieter one


def test_the_linear_gaussian_joint_is_likelihood_times_prior():
    truth, (x, *_) = random_model(np.random.default_rng(3))
    z = np.random.default_rng(4).normal(size=(6, 2))
    pixels = tfd.Normal(z @ truth.weights.T + truth.bias, np.float64(truth.scale)).log_prob(x)
    prior = tfd.Normal(np.float64(0), np.float64(1)).log_prob(z)
    wanted = tf.reduce_sum(pixels, -1) + tf.reduce_sum(prior, -1)
    np.testing.assert_allclose(truth.log_joint(x, z), wanted)
    np.testing.assert_allclose(  # Bayes: joint = posterior times marginal
        wanted, truth.posterior(x).log_prob(z) + log_density(truth, x)
    )


# Samples and manners


def test_samples_have_the_models_mean_and_covariance():
    truth, _ = random_model(np.random.default_rng(1), data_dim=3)
    x = exact_vae(truth).sample(100_000, seed=0).numpy()
    covariance = truth.weights @ truth.weights.T + truth.scale**2 * np.eye(3)
    np.testing.assert_allclose(x.mean(0), truth.bias, atol=0.05)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.15)


def test_samples_of_pixels_are_black_or_white_and_the_mean_is_grey():
    vae = image_vae()
    x, mean = vae.sample(50, seed=1).numpy(), vae.sample(50, seed=1, mean=True).numpy()
    assert set(np.unique(x)) == {0.0, 1.0} and 0 < mean.min() and mean.max() < 1
    assert abs(x.mean() - mean.mean()) < 5 * 0.5 / np.sqrt(x.size)
    np.testing.assert_array_equal(x, vae.sample(50, seed=1))
    assert np.abs(x - vae.sample(50).numpy()).max() == 1
    assert x.shape == mean.shape == (50, 4, 4, 1)
    assert vae.reconstruct(PIXELS).shape == PIXELS.shape


def test_bounds_repeat_with_their_seed_and_blocks_do_not_matter(monkeypatch):
    vae = image_vae()
    for bound in (vae.elbo, vae.iwae):
        np.testing.assert_array_equal(bound(PIXELS, 5, seed=1), bound(PIXELS, 5, seed=1))
        assert np.abs(bound(PIXELS, 5) - bound(PIXELS, 5)).max() > 0
        assert bound(PIXELS, 5).shape == (40,)
    whole = vae.iwae(PIXELS, 300, seed=1).numpy().mean()
    monkeypatch.setattr("genlib.likelihood.vae._ROWS", 64)
    assert vae.iwae(PIXELS, 300, seed=1).numpy().mean() == pytest.approx(whole, abs=0.1)


def test_training_state_is_left_alone_by_the_bounds():
    vae = image_vae()
    before = [v.numpy() for v in vae.state]
    vae.elbo(PIXELS), vae.iwae(PIXELS, 3), vae.sample(3), vae.reconstruct(PIXELS)
    for old, new in zip(before, vae.state, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_every_weight_moves_and_the_loss_falls():
    vae = image_vae()
    before = [v.numpy() for v in vae.trainable_variables]
    history = vae.fit(PIXELS, batch_size=20, epochs=4, steps_per_epoch=200, verbose=0).history
    for old, variable in zip(before, vae.trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0, variable.path
    assert history["loss"][-1] < history["loss"][0] - 1


def test_active_units_are_those_whose_mean_moves():
    truth, x = random_model(np.random.default_rng(5), orthogonal=True)
    vae = exact_vae(truth)
    many = np.random.default_rng(6).normal(size=(200, 5))
    assert vae.active_units(many).tolist() == [True, True]
    kernel, bias = vae.encoder.layers[-1].get_weights()
    kernel[:, 1] = 0
    vae.encoder.layers[-1].set_weights([kernel, bias])
    assert vae.active_units(many).tolist() == [True, False]
    assert not vae.active_units(many, threshold=1e6).any()


def test_a_diverging_run_stops_with_the_step_and_the_term_that_broke(capsys):
    """The decoder explodes: the reconstruction is named, not the loss that it makes infinite."""
    vae = image_vae(likelihood="gaussian")
    vae.compile(keras.optimizers.SGD(1e9), jit_compile=False)
    before = [v.numpy() for v in vae.trainable_variables]
    vae.fit(PIXELS, batch_size=8, steps_per_epoch=5, epochs=3, verbose=0)
    assert "Training stopped: reconstruction became" in (said := capsys.readouterr().out)
    assert "at step 1 (epoch 1)" in said
    for old, new in zip(before, vae.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_the_kl_is_named_where_it_breaks_first(capsys):
    vae = image_vae()
    vae.encoder.layers[-1].bias.assign([0, 0, 0, 200, 0, 0])  # a variance of e^200
    vae.log_likelihood = lambda x, z, training: 0.0 * vae.decoder(tf.zeros_like(z))[:, 0, 0, 0]
    vae.fit(PIXELS, batch_size=8, steps_per_epoch=2, verbose=0)
    assert "Training stopped: kl became inf at step 0 (epoch 1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (PIXELS * 255, r"must be in \[0, 1\]; got values from 0 to 255"),
        (PIXELS - 0.5, r"must be in \[0, 1\]; got values from -0.5"),
        (np.where(PIXELS > 0, np.nan, 0), "must be finite; got"),
        (np.where(PIXELS > 0, np.inf, 0), "must be finite; got"),
        (PIXELS[..., 0], r"must have shape \(n, 4, 4, 1\).*; got \(40, 4, 4\)"),
        (PIXELS[:, :3], r"must have shape \(n, 4, 4, 1\).*; got \(40, 3, 4, 1\)"),
    ],
)
def test_bad_data_is_refused(x, message):
    vae = image_vae()
    for use in (
        lambda: vae.fit(x, verbose=0),
        lambda: vae.elbo(x),
        lambda: vae.iwae(x, 2),
        lambda: vae.reconstruct(x),
        lambda: vae.active_units(x),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_a_gaussian_likelihood_takes_any_finite_data():
    image_vae(likelihood="gaussian").elbo(PIXELS * 255)


def net(inputs, outputs, **options):
    return networks.mlp(inputs, outputs, 4, 1, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: VAE(net(3, 0 + 4), net(2, 3), 0), ValueError, "latent_dim must be a whole number"),
        (lambda: VAE(net(3, 4), net(2, 3), 2.5), ValueError, "latent_dim must be a whole number"),
        (lambda: VAE(net(3, 2), net(2, 3), 2), ValueError, r"encoder must go from \(None, 3\) to \(None, 4\); it goes from \(None, 3\) to \(None, 2\)"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(1, 3), 2), ValueError, r"decoder must go from \(None, 2\) to \(None, 3\); it goes from \(None, 1\)"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(2, 5), 2), ValueError, r"decoder must go from \(None, 2\) to \(None, 3\); .* to \(None, 5\)"),  # noqa: E501
        (lambda: VAE(None, net(2, 3), 2), TypeError, "encoder must be a built keras.Model .*NoneType"),  # noqa: E501
        (lambda: VAE(net(3, 4), "net", 2), TypeError, "decoder must be a built keras.Model .*str"),
        (lambda: VAE(net(3, 4), net(2, 3, output_activation="sigmoid"), 2), ValueError, "remove the sigmoid"),  # noqa: E501
        (lambda: VAE(net((2, 2), 4), net(2, (2, 2), output_activation="sigmoid"), 2), ValueError, "remove the sigmoid"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(2, 3), 2, likelihood="poisson"), ValueError, "likelihood must be one of bernoulli, gaussian; got 'poisson'"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(2, 3), 2, scale=0), ValueError, "scale must be a finite number above 0; got 0"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(2, 3), 2, beta=-1), ValueError, "beta must be a finite number, 0 or more; got -1"),  # noqa: E501
        (lambda: VAE(net(3, 4), net(2, 3), 2, beta=np.nan), ValueError, "beta must be a finite number"),  # noqa: E501
        (lambda: bounds.LinearGaussian([1.0, 2.0]), ValueError, r"weights must have shape \(D, d\); got \(2,\)"),  # noqa: E501
        (lambda: bounds.LinearGaussian([[np.nan]]), ValueError, "weights must be finite"),
        (lambda: bounds.LinearGaussian([[1.0]], bias=[1, 2]), ValueError, r"bias must have shape \(1,\); got \(2,\)"),  # noqa: E501
        (lambda: bounds.water_level([-1.0], 1), ValueError, "variances must be 0 or more; got -1"),
        (lambda: bounds.water_level([np.nan], 1.0), ValueError, "variances must be finite"),
        (lambda: bounds.water_level([1.0], 0), ValueError, "level must be a finite number above 0"),
        (lambda: bounds.LinearGaussian([[1.0]], scale=0), ValueError, "scale must be a finite number above 0"),  # noqa: E501
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("bad", [0, -1, 1.5, np.nan, "many"])
def test_bad_counts_of_draws(bad):
    vae = image_vae()
    with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
        vae.iwae(PIXELS, bad)
    with pytest.raises(ValueError, match="samples must be a whole number of at least 1"):
        vae.elbo(PIXELS, bad)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        vae.sample(bad)


# Explorers of a trained model


def latent_map():
    vae = VAE(networks.mlp((4, 4, 1), 4, 8), networks.mlp(2, (4, 4, 1), 8), 2)
    return LatentMap(vae.decode, vae.encode(PIXELS)[0], np.arange(40) % 10)


@pytest.mark.parametrize("scene", [latent_map, lambda: Interpolation(image_vae(), PIXELS[:5])])
def test_latent_explorers_answer_every_control(scene):
    explorer = Explorer(scene())
    assert explorer.alt.endswith(".")
    start = explorer.png, explorer.readout
    for name, control in explorer.controls.items():
        explorer.reset()
        for value in (control.min, control.max):
            explorer.set(**{name: value})
            blitted = explorer.png
            explorer.redraw()
            assert explorer.png == blitted
        assert (explorer.png, explorer.readout) != start
    explorer.reset()
    assert (explorer.png, explorer.readout) == start


def test_interpolation_ends_at_the_reconstructions():
    vae = image_vae()
    scene = Interpolation(vae, PIXELS[:5])
    explorer = Explorer(scene, first=2, second=4)
    row = np.asarray(scene.rows[0].get_array())
    wanted = vae.reconstruct(PIXELS[:5]).numpy()[..., 0]
    np.testing.assert_allclose(row[:4, :4], wanted[2], rtol=1e-4)
    np.testing.assert_allclose(row[:4, -4:], wanted[4], rtol=1e-4)
    assert "50%" in explorer.readout


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LatentMap(None, np.zeros((3, 3)), np.zeros(3)), r"codes must have shape \(n, 2\)"),
        (lambda: LatentMap(None, np.zeros((3, 2)), np.zeros(2)), r"and labels \(n,\); got"),
        (lambda: Interpolation(image_vae(), PIXELS[:1]), "pictures must have shape"),
        (lambda: Interpolation(image_vae(), PIXELS[..., 0]), "pictures must have shape"),
    ],
)
def test_latent_explorers_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()
