"""M2: its two bounds, their relation, and what it refuses."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.neural_network import MLPClassifier

from genlib import data, networks
from genlib.likelihood import M2

CLASSES, LATENTS = 3, 2


def small(seed=0, shape=(2, 2, 1), classes=CLASSES, **options):
    """A model of pictures with four pixels, with random weights that are not small."""
    size = int(np.prod(shape))
    model = M2(
        networks.mlp(shape, classes, 8, seed=seed),
        networks.mlp(size + classes, 2 * LATENTS, 8, seed=seed + 10),
        networks.mlp(LATENTS + classes, shape, 8, seed=seed + 20),
        LATENTS,
        seed=seed,
        **options,
    )
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(weight + 0.5 * rng.normal(size=weight.shape))
    return model


def pictures(n=6, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, 2, 2, 1)).astype(np.float32)


def every_label(model, x, seed):
    """The labelled bounds of all classes, ``(n, classes)``, one label at a time."""
    labels = range(model.classes)
    return np.stack([model.elbo(x, np.full(len(x), y), seed=seed) for y in labels], 1)


@pytest.mark.parametrize("seed", range(3))
def test_unlabelled_bound_is_the_sum_over_labels(seed):
    model, x = small(seed), pictures()
    q, bounds = model.classify(x).numpy().astype(float), every_label(model, x, seed=5)
    expected = (q * bounds).sum(1) - (q * np.log(q)).sum(1)
    np.testing.assert_allclose(model.elbo(x, seed=5), expected, rtol=1e-4)
    assert np.abs(bounds - bounds.mean(1, keepdims=True)).max() > 0.1  # the labels differ


@pytest.mark.parametrize("label", range(CLASSES))
def test_a_sure_classifier_gives_the_labelled_bound(label):
    model, x = small(1), pictures()
    model.classifier.layers[-1].bias.assign(500.0 * tf.one_hot(label, CLASSES))
    labelled = model.elbo(x, np.full(len(x), label), seed=2)
    np.testing.assert_allclose(model.elbo(x, seed=2), labelled, rtol=1e-5)


def test_the_best_classifier_reaches_logsumexp_and_no_other_exceeds_it():
    model, x = small(2), pictures(4)
    best = np.logaddexp.reduce(every_label(model, x, seed=0).astype(float), axis=1)
    assert np.all(model.elbo(x, seed=0).numpy() <= best + 1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_labelled_bound_term_by_term(seed):
    """Against Bernoulli and Gaussian log-densities written out, summed over pixels and latents."""
    model, x, y = small(seed), pictures(), np.array([0, 1, 2, 0, 1, 2])
    one_hot = np.eye(CLASSES, dtype=np.float32)[y]
    mean, log_variance = np.split(
        model.encoder(np.concatenate([x.reshape(6, -1), one_hot], 1)).numpy(), 2, axis=1
    )
    noise = keras.random.normal((6, LATENTS), seed=3).numpy()
    z = mean + np.exp(log_variance / 2) * noise
    p = model.decode(z, y).numpy()
    log_p = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    kl = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(1) / 2
    expected = log_p - np.log(CLASSES) - kl
    np.testing.assert_allclose(model.elbo(x, y, seed=3), expected, rtol=1e-4)


def test_bounds_lie_below_the_exact_log_likelihood():
    """log p(x) and log p(x, y) by a fine grid over the two latents."""
    model, x = small(3), pictures(4)
    ticks = np.linspace(-6, 6, 121, dtype=np.float32)
    z = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    log_prior = -(z**2).sum(1) / 2 - np.log(2 * np.pi) + 2 * np.log(ticks[1] - ticks[0])
    joint = []
    for y in range(CLASSES):
        p = model.decode(z, np.full(len(z), y)).numpy().reshape(len(z), 1, -1)
        pixels = x.reshape(1, 4, -1)
        log_p = (pixels * np.log(p) + (1 - pixels) * np.log(1 - p)).sum(-1)
        joint.append(np.logaddexp.reduce(log_p + log_prior[:, None], axis=0) - np.log(CLASSES))
    joint = np.array(joint)  # (classes, n)
    draws = 400
    labelled = [np.mean([model.elbo(x, np.full(4, y), seed=s) for s in range(40)], 0)
                for y in range(CLASSES)]  # fmt: skip
    noise = keras.random.normal((draws * 4, LATENTS), seed=0)
    unlabelled = model.marginal_bound(np.tile(x, (draws, 1, 1, 1)), noise).numpy()
    assert np.all(np.array(labelled) < joint + 0.1)
    assert np.all(unlabelled.reshape(draws, 4).mean(0) < np.logaddexp.reduce(joint, 0))


def test_loss_is_the_weighted_sum_and_needs_the_labels():
    model, x = small(4, alpha=0.7), pictures(30)
    y = np.arange(12) % CLASSES
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    history = model.fit(x, (x[:12], y), batch_size=16, steps_per_epoch=20, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    share = 12 / 42
    expected = (
        (1 - share) * logs["unlabelled"] + share * logs["labelled"] + 0.7 * logs["classifier"]
    )
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    # With no training, each term is an average over its own data.
    cross_entropy = -np.log(model.classify(x[:12]).numpy()[np.arange(12), y]).mean()
    assert logs["classifier"] == pytest.approx(cross_entropy, rel=0.2)
    assert logs["labelled"] == pytest.approx(
        -np.mean([model.elbo(x[:12], y, seed=s) for s in range(20)]), rel=0.1
    )


def test_gradient_against_finite_differences():
    model, x = small(5), pictures(20)
    noise = keras.random.normal((20, LATENTS), seed=0)
    weight, step = model.classifier.layers[-1].kernel, 1e-2

    def value():
        return tf.reduce_mean(model.marginal_bound(tf.constant(x), noise))

    with tf.GradientTape() as tape:
        bound = value()
    gradient = tape.gradient(bound, weight.value).numpy()
    i, j = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    start, values = weight.numpy(), []
    for sign in (1, -1):
        moved = start.copy()
        moved[i, j] += sign * step
        weight.assign(moved)
        values.append(float(value()))
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(gradient[i, j], rel=0.02)


def test_new_labels_need_no_new_compilation_and_are_used():
    model, x = small(6, alpha=5.0), pictures(40)
    model.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    y = (x[:12, 0, 0, 0] + x[:12, 0, 1, 0]).astype(int)
    options = {"batch_size": 16, "steps_per_epoch": 60, "verbose": 0}
    model.fit(x, (x[:12], y), **options)
    compiled = model.train_function
    assert np.mean(model.classify(x[:12]).numpy().argmax(1) == y) > 0.9
    swapped = 2 - y[:10]  # other labels, and fewer
    model.fit(x, (x[:10], swapped), **options)
    assert model.train_function is compiled
    assert np.mean(model.classify(x[:10]).numpy().argmax(1) == swapped) > 0.9


def test_samples_are_of_the_class_that_was_asked_for():
    model = small(7)
    one, again = (model.sample(5, np.array([0, 1, 2, 0, 1]), seed=1) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = model.sample(5, np.array([1, 1, 2, 0, 1]), seed=1).numpy()
    assert np.abs(one.numpy()[0] - other[0]).max() > 1e-3
    np.testing.assert_array_equal(one.numpy()[1:], other[1:])
    assert model.sample(4, seed=0).shape == (4, 2, 2, 1)


def test_a_diverging_run_names_the_term(capsys):
    model, x = small(), pictures(30)
    model.compile(keras.optimizers.SGD(1e20), jit_compile=False)
    model.fit(x, (x[:9], np.arange(9) % 3), batch_size=8, steps_per_epoch=10, verbose=0)
    printed = capsys.readouterr().out
    assert re.search(
        r"Training stopped: (unlabelled|labelled|classifier) became \S+ at step", printed
    )


X, Y = pictures(6), np.array([0, 1, 2, 0, 1, 2])


def broken(**change):
    nets = {
        "classifier": networks.mlp((2, 2, 1), 3, 4),
        "encoder": networks.mlp(7, 4, 4),
        "decoder": networks.mlp(5, (2, 2, 1), 4),
        "latent_dim": 2,
    }
    return M2(**(nets | change))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: small().fit(X, (X, Y + 1)), "y must be 0 to 2; got labels from 1 to 3"),
        (lambda: small().fit(X, (X, Y - 1)), "y must be 0 to 2; got labels from -1 to 1"),
        (lambda: small().fit(X, (X[:3], [0, 1, 1])), r"must hold each class; it lacks \[2\]"),
        (lambda: small().fit(X, (X, Y[:5])), r"y must be whole numbers of shape \(6,\)"),
        (lambda: small().fit(X, (X, Y + 0.5)), "y must be whole numbers"),
        (lambda: small().fit(X, (X[:, 0], Y)), "labelled must have shape"),
        (lambda: small().fit(X, (X + np.nan, Y)), "labelled must be finite"),
        (lambda: small().fit(X[:, 0], (X, Y)), "x must have shape"),
        (lambda: small().fit(np.full_like(X, np.inf), (X, Y)), "x must be finite"),
        (lambda: small().fit(X + 0.5, (X, Y)), r"must be in \[0, 1\]"),
        (lambda: small().fit(X, X), r"labelled must be a pair \(x, y\)"),
        (lambda: small().elbo(X * 2), r"must be in \[0, 1\]"),
        (lambda: small().elbo(X, Y[:2]), "y must be whole numbers"),
        (lambda: small().classify(np.zeros((2, 3))), "x must have shape"),
        (lambda: small().sample(0), "n must be"),
        (lambda: small().sample(2, [0, 3]), "y must be 0 to 2"),
        (lambda: small(alpha=-1), "alpha must be"),
        (lambda: broken(latent_dim=0), "latent_dim must be"),
        (lambda: broken(encoder=networks.mlp(4, 4)), "encoder must go from"),
        (lambda: broken(decoder=networks.mlp(5, 4)), "decoder must go from"),
        (lambda: broken(latent_dim=3), "encoder must go from"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_networks_must_be_keras_models():
    with pytest.raises(TypeError, match="classifier must be a built keras.Model"):
        broken(classifier=lambda x: x)


def test_with_fifty_labels_it_beats_a_supervised_net():
    """Three draws of the labels; the supervised net has the layers of M2's classifier."""
    x, y = data.images("digits")
    test, truth = data.images("digits", "test")
    model = M2(
        networks.mlp((8, 8, 1), 10, 64, seed=0),
        networks.mlp(74, 8, 64, seed=1),
        networks.mlp(14, (8, 8, 1), 64, seed=2),
        4,
        alpha=10.0,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(5e-3))
    start = [v.numpy() for v in model.state]
    scores = []
    for draw in range(3):
        for variable, value in zip(model.state, start, strict=True):
            variable.assign(value)
        rng = np.random.default_rng(draw)
        known = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:5] for c in range(10)])
        model.fit(x, (x[known], y[known]), batch_size=32, steps_per_epoch=1000, verbose=0)
        net = MLPClassifier((64, 64), max_iter=2000, tol=1e-3, random_state=draw)
        net.fit(x[known].reshape(-1, 64), y[known])
        right = np.mean(model.classify(test).numpy().argmax(1) == truth)
        scores.append((right, net.score(test.reshape(-1, 64), truth)))
        # The label decides what is drawn: the classifier reads most samples as what was asked.
        asked = np.repeat(np.arange(10), 10)
        read = model.classify(model.sample(100, asked, seed=0)).numpy().argmax(1)
        assert np.mean(read == asked) > 0.7
    with_unlabelled, supervised = np.mean(scores, 0)
    assert with_unlabelled > supervised + 0.005 and with_unlabelled > 0.82
