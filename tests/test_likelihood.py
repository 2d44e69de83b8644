"""What all models of `genlib.likelihood` share: saving, precision, numbers of any kind, errors.

Seen to fail: masks and orders that are no weights; a network's float16 met by float32; `tf.cast`
left out of `check_points`; a drawn NaN counted as 0; k-means++ by the Gram form of the distance.
"""

import keras
import numpy as np
import pytest
import sklearn.cluster
import tensorflow as tf
import tf_keras
from scipy import stats

from genlib import gaussian, likelihood, networks
from genlib.likelihood import (
    M2,
    MADE,
    PPCA,
    VAE,
    Autoencoder,
    GaussianMixture,
    PixelCNN,
    RealNVP,
    kmeans_start,
    lloyd_step,
)
from genlib.training import Resume

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 4))
BITS = (RNG.random((40, 6)) < 0.5).astype(np.float32)
PICTURES = (RNG.random((12, 4, 4, 1)) < 0.5).astype(np.float32)
mlp = networks.mlp


def m2(seed):
    parts = mlp(6, 2, 8, seed=seed), mlp(8, 4, 8, seed=seed), mlp(4, 6, 8, seed=seed)
    return M2(*parts, 2, seed=seed)


def shuffled(seed):
    return MADE(6, (8, 8), order=np.random.default_rng(seed).permutation(6), seed=seed)


#: name: (how to make it from a seed, its data)
MODELS = {
    "MADE": (lambda seed: MADE(6, (8,), seed=seed), BITS),
    "MADE in any order": (shuffled, BITS),
    "RealNVP": (lambda seed: RealNVP(4, width=8, layers=4, seed=seed), POINTS),
    "RealNVP of pictures": (lambda seed: RealNVP(6, 4, 8, levels=2, seed=seed), BITS),
    "PixelCNN": (lambda seed: PixelCNN((4, 4, 1), width=4, kernels=(3,), seed=seed), PICTURES),
    "VAE": (lambda seed: VAE(mlp(6, 4, 8, seed=seed), mlp(2, 6, 8, seed=seed), 2, seed=seed), BITS),
    "Gaussian VAE": (
        lambda seed: VAE(mlp(4, 4, 8), mlp(2, 4, 8), 2, "gaussian", seed=seed),
        POINTS,
    ),
    "Autoencoder": (lambda seed: Autoencoder(networks.autoencoder(4, 2, 8), seed=seed), POINTS),
    "M2": (m2, BITS),
}
every = pytest.mark.parametrize("name", MODELS)


def train(model, x, **options):
    labelled = [(x[:10], np.arange(10) % 2)] if isinstance(model, M2) else []
    model.compile(jit_compile=False)
    return model.fit(x, *labelled, steps_per_epoch=3, verbose=0, **options).history.get("loss")


def scores(model, x):
    if hasattr(model, "elbo"):
        return model.elbo(x, seed=0).numpy()
    return getattr(model, "log_prob", getattr(model, "squared_error", None))(x).numpy()


@every
def test_weights_carry_the_whole_model(name, tmp_path):
    """Loaded into a model of another seed, never compiled, they score and draw the same."""
    make, x = MODELS[name]
    model, other = make(1), make(2)
    train(model, x)
    model.save_weights(tmp_path / "m.weights.h5")
    assert not np.allclose(scores(other, x), scores(model, x))
    if hasattr(other, "sample"):
        other.sample(2, seed=0)  # traced before the weights come
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(scores(other, x), scores(model, x))
    if hasattr(model, "sample"):
        np.testing.assert_array_equal(other.sample(4, seed=3), model.sample(4, seed=3))


def test_a_loaded_made_is_a_distribution_that_keeps_its_order(tmp_path):
    model, other = shuffled(3), MADE(6, (8, 8))
    for weight in model.trainable_variables:
        weight.assign(RNG.normal(size=weight.shape))
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.order, np.random.default_rng(3).permutation(6))
    patterns = np.stack(np.meshgrid(*[[0, 1]] * 6), -1).reshape(-1, 6)
    assert np.exp(np.float64(other.log_prob(patterns))).sum() == pytest.approx(1, abs=1e-5)


@every
def test_resume_goes_on_with_the_same_model(name, tmp_path, capsys):
    make, x = MODELS[name]
    model, other = make(None), make(None)
    train(model, x, epochs=2, callbacks=[Resume(tmp_path)])
    train(other, x, epochs=2, callbacks=[Resume(tmp_path)])
    assert "Resuming after epoch 2" in capsys.readouterr().out
    np.testing.assert_array_equal(scores(other, x), scores(model, x))


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
@every
def test_any_precision_works_or_is_refused(name, policy, monkeypatch):
    make, x = MODELS[name]
    keras.config.set_dtype_policy(policy)
    try:
        model = make(0)
        losses = train(model, x)
    except TypeError as error:
        assert "must compute in float32" in str(error)
    else:
        assert np.isfinite(losses).all() and np.isfinite(scores(model, x)).all()
        assert scores(model, x).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")


@every
def test_numbers_of_any_kind_are_taken(name):
    make, x = MODELS[name]
    model, x = make(0), np.round(x)
    expected = scores(model, x.astype(np.float32))
    for same in (tf.constant(x, tf.float64), tf.constant(x, tf.float16), x.astype(np.int64),
                 tf.constant(x, tf.int32), x.tolist()):  # fmt: skip
        np.testing.assert_array_equal(scores(model, same), expected)


@every
def test_bad_data_are_named_as_the_caller_names_them(name):
    make, x = MODELS[name]
    model, bad = make(0), np.array(x)
    bad.flat[3] = np.nan
    for given, words in (
        (bad, "^x must be finite; got 1"),
        (x[:0], "^x must have shape .*, n >= 1; got"),
        (x[:, :-1], "^x must have shape"),
        (x[0, 0], "^x must have shape"),
        (np.ma.masked_greater(x, 0.5), "^x must .* masked"),
        (x + 1j, "^x must .* real"),
        ("words", "^x must be an array of"),
    ):
        with pytest.raises(ValueError, match=words):
            scores(model, given)
    if isinstance(model, MADE | PixelCNN | M2) or name in ("VAE", "RealNVP of pictures"):
        with pytest.raises(ValueError, match=r"^x must be in \[0, 1\]"):
            scores(model, (255 * x).astype(np.uint8))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "Autoencoder"])
def test_seeds(name):
    model = MODELS[name][0](7)
    np.testing.assert_array_equal(model.sample(3, seed=np.int64(5)), model.sample(3, seed=5))
    for seed in (-1, 0.5, 2**32, "a", np.nan):
        with pytest.raises(ValueError, match="seed must be"):
            model.sample(3, seed=seed)


def test_a_numpy_seed_makes_the_same_model():
    for make in (lambda s: MADE(6, (8,), seed=s), lambda s: RealNVP(4, width=8, layers=2, seed=s)):
        pairs = zip(make(np.int64(3)).weights, make(3).weights, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_networks_that_cannot_serve():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    subclassed = Subclassed()
    subclassed(np.zeros((2, 4)))
    other = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(4)])
    for network in (subclassed, other, keras.Sequential([keras.layers.Dense(4)]), None):
        for name, make in (
            ("network", lambda net: Autoencoder(net)),
            ("encoder", lambda net: VAE(net, mlp(2, 4), 2)),
            ("decoder", lambda net: VAE(mlp(4, 4), net, 2)),
            ("classifier", lambda net: M2(net, mlp(8, 4), mlp(4, 6), 2)),
        ):
            with pytest.raises(TypeError, match=f"^{name} must be a (built )?keras.Model"):
                make(network)
    with pytest.raises(ValueError, match='layers "encoder" and "decoder"'):
        Autoencoder(mlp(4, 4))


def test_a_sigmoid_cannot_give_back_grey_levels_to_255():
    x = (255 * RNG.random((20, 4))).astype(np.uint8)
    squashed = networks.autoencoder(4, 2, 8, output_activation="sigmoid")
    gaussian_vae = VAE(mlp(4, 4), mlp(2, 4, output_activation="sigmoid"), 2, "gaussian")
    for model in (Autoencoder(squashed), gaussian_vae):
        with pytest.raises(ValueError, match=r"data must be in \[0, 1\]; got values from"):
            model.fit(x, verbose=0)


def test_grey_levels_that_a_flow_does_not_have():
    with pytest.raises(ValueError, match="data must be one of 3 levels"):
        RealNVP(4, layers=2, width=4, levels=3).fit(np.full((5, 4), 0.3), verbose=0)


@pytest.mark.parametrize("name", ["MADE", "RealNVP", "RealNVP of pictures", "PixelCNN", "VAE"])
def test_a_broken_model_draws_nan_and_not_black(name):
    model = MODELS[name][0](0)
    for weight in model.trainable_variables:
        weight.assign(np.full(weight.shape, np.nan))
    assert np.isnan(model.sample(3, seed=0)).all()
    if name == "VAE":
        with pytest.raises(ValueError, match="must be finite"):
            model.active_units(BITS)


def test_the_gaussian_density():
    x, mean, scale = RNG.normal(size=(3, 50)) * 4
    scale = np.abs(scale) + 0.1
    expected = stats.norm(mean, scale).logpdf(x)
    np.testing.assert_allclose(gaussian.log_density(x, mean, scale), expected, rtol=1e-12)
    np.testing.assert_allclose(gaussian.density(x, mean, scale), np.exp(expected), rtol=1e-12)
    tensor = gaussian.log_density(tf.constant(x), mean, 2.0)
    np.testing.assert_allclose(tensor, stats.norm(mean, 2).logpdf(x), rtol=1e-12)
    root = RNG.normal(size=(3, 3))
    covariance, point = root @ root.T, RNG.normal(size=3)
    squares = point @ np.linalg.solve(covariance, point)
    value = gaussian.from_squares(squares, np.linalg.slogdet(covariance)[1], 3)
    truth = stats.multivariate_normal(np.zeros(3), covariance).logpdf(point)
    assert value == pytest.approx(truth, rel=1e-10)


def test_every_name_is_exported():
    assert {"KDE", "HierarchicalNormal"} < set(likelihood.__all__)
    assert all(hasattr(likelihood, name) for name in likelihood.__all__)


# Models without a gradient, far from the origin.


@pytest.mark.parametrize("seed", range(20))
def test_kmeans_start_chooses_as_scikit_learn_does(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(20, 200), rng.integers(1, 5)))
    expected, _ = sklearn.cluster.kmeans_plusplus(x, 6, random_state=seed)
    np.testing.assert_array_equal(kmeans_start(x, 6, seed), expected)
    np.testing.assert_allclose(kmeans_start(x + 2.0**30, 6, seed) - 2**30, expected, atol=1e-6)


def test_kmeans_start_tells_neighbours_far_out():
    x = [0, 1, 2, 10**9, 10**9 + 1, 10**9 + 2]
    assert sorted(kmeans_start(x, 6, seed=0).ravel()) == x


SECONDS = 1_700_000_000


def moments():
    x = np.random.default_rng(0).integers(0, 1000, size=(200, 2)) * [1, 3]
    return x, x + SECONDS


def test_lloyd_step_on_seconds():
    near, far = moments()
    labels, centers, inertia = lloyd_step(near, near[:3])
    again, moved, far_inertia = lloyd_step(far, far[:3])
    np.testing.assert_array_equal(again, labels)
    np.testing.assert_allclose(moved - SECONDS, centers, atol=1e-5)
    assert far_inertia == pytest.approx(inertia)


@pytest.mark.parametrize("kind", [np.int64, np.float64, np.uint32])
def test_mixture_and_ppca_on_seconds(kind):
    """One Gaussian, and PCA's, by SciPy and NumPy on the same numbers near 0."""
    near, far = moments()
    far, mean = far.astype(kind), near.mean(0)
    covariance = np.cov(near.T, bias=True)
    model = GaussianMixture(1).fit(far, seed=0)
    np.testing.assert_allclose(model.means[0] - SECONDS, mean, atol=1e-5)
    np.testing.assert_allclose(model.covariances[0], covariance, rtol=1e-6)
    truth = stats.multivariate_normal(mean, covariance).logpdf(near)
    np.testing.assert_allclose(model.log_prob(far), truth, rtol=1e-6)
    np.testing.assert_allclose(model.distribution.log_prob(np.float64(far)), truth, rtol=1e-6)
    drawn = model.sample(20_000, seed=0).numpy() - SECONDS
    np.testing.assert_allclose(np.cov(drawn.T), covariance, rtol=0.1, atol=5000)
    assert len(np.unique(drawn[:, 0])) > 19_000

    model = PPCA(1).fit(far)
    np.testing.assert_allclose(model.mean - SECONDS, mean, atol=1e-5)
    assert model.noise == pytest.approx(np.linalg.eigvalsh(covariance)[0])
    np.testing.assert_allclose(model.log_prob(far), truth, rtol=1e-6)  # 1 of 2: the whole Gaussian
    assert len(np.unique(model.sample(1000, seed=0).numpy()[:, 0])) > 990


def test_a_mixture_of_float32_stays_float32():
    x = moments()[0].astype(np.float32)
    model = GaussianMixture(2).fit(x, seed=0)
    parts = model.sample(2, seed=0), model.log_prob(x), model.distribution.sample(2, seed=(0, 0))
    assert all(part.dtype == tf.float32 for part in (*parts, PPCA(1).fit(x).sample(2, seed=0)))


def test_nan_never_counts_as_an_empty_component():
    x = moments()[0]
    model = GaussianMixture(2).fit(x, seed=0)
    with pytest.raises(ValueError, match="responsibilities must be finite"):
        model.m_step(x, np.full((len(x), 2), np.nan))
    with (
        pytest.raises(ValueError, match="covariance of x must be finite"),
        np.errstate(all="ignore"),
    ):
        PPCA(1).fit(1e200 * POINTS)
