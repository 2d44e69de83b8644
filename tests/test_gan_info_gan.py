"""InfoGAN against worlds that can be counted, and Gaussians; and its lecture's own parts."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
from scipy.special import rel_entr, softmax

from genlib import data, networks, training
from genlib.gans import GAN, REGISTRY, InfoGAN
from genlib.lectures import l50_infogan as lecture
from genlib.widgets import Explorer, explore

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


def identity(width):
    """A recogniser whose samples are its guesses."""
    start = keras.Input((width,))
    return keras.Model(start, keras.layers.Activation("linear")(start))


def reading(recogniser, categories, codes, kind=InfoGAN):
    """An InfoGAN for its bounds alone."""
    shape = recogniser.input_shape[1:]
    generator = networks.mlp(categories + codes, shape, 2)
    return kind(generator, networks.mlp(shape, 1, 2), recogniser, categories, codes)


def counted(p, q, kind=InfoGAN):
    """L_I, in nats, of a channel ``p(x|c)`` and guesses ``q(c|x)``, both ``(k, m)``."""
    k, m = p.shape
    model = reading(identity(k), k, 0, kind)
    category, sample = (part.ravel() for part in np.indices((k, m)))
    guesses = np.log(q.T[sample]).astype(np.float32)
    bounds, _ = model.bounds(tf.constant(guesses), np.eye(k, dtype=np.float32)[category])
    return np.sum(p.ravel() / k * bounds)


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def check_bound(rng, kind=InfoGAN):
    p, q = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(4), 6).T
    exact = p / p.sum(0)
    information = rel_entr(p, p.mean(0)).sum() / 4
    gap = np.sum(p.mean(0) * rel_entr(exact, q).sum(0))
    assert counted(p, exact, kind) == pytest.approx(information, abs=1e-5)
    assert counted(p, q, kind) == pytest.approx(information - gap, abs=1e-5)
    assert gap > 0.05


def test_the_bound_is_the_information_less_the_recognisers_error(rng):
    """Equality at ``q = p(c|x)``; else the mean KL(p(c|x) || q(c|x)) is lost (equation 4)."""
    check_bound(rng)


def test_a_deterministic_relation_reads_the_entropy_of_the_code():
    p = np.repeat(np.eye(5), 2, axis=1) / 2
    assert counted(p, np.maximum(p / p.sum(0), 1e-30)) == pytest.approx(np.log(5), abs=1e-5)


class NoEntropy(InfoGAN):
    """Wrong: without H(c)."""

    def bounds(self, samples, condition):
        category, codes = super().bounds(samples, condition)
        return category - np.log(self.categories), codes - self.codes * np.log(2)


class Turned(InfoGAN):
    """Wrong: the cross-entropy itself."""

    def bounds(self, samples, condition):
        return tuple(-part for part in super().bounds(samples, condition))


class Accuracy(InfoGAN):
    """Wrong: the mean probability of the true category, not of its log."""

    def bounds(self, samples, condition):
        category, codes = super().bounds(samples, condition)
        return tf.exp(category), tf.exp(codes)


@pytest.mark.parametrize("wrong", [NoEntropy, Turned, Accuracy])
def test_wrong_bounds_fail(wrong):
    with pytest.raises(AssertionError):
        check_bound(np.random.default_rng(0), wrong)
    with pytest.raises(AssertionError):
        check_codes(0.3, wrong)


def check_codes(noise, kind=InfoGAN, n=200_000):
    """``x = c + noise``: L_I of the best linear Gaussian guess, below the exact information."""
    rng = np.random.default_rng(1)
    c = rng.uniform(-1, 1, size=(n, 1))
    x = c + noise * rng.normal(size=(n, 1))
    share, left = lecture.gaussian_guess(noise)
    guess = np.concatenate([np.zeros((n, 2)), share * x, np.full((n, 1), np.log(left))], 1)
    condition = np.concatenate([np.eye(2)[np.zeros(n, int)], c], 1)
    _, bound = reading(identity(4), 2, 1, kind).bounds(np.float32(guess), np.float32(condition))
    expected = np.log(2) - np.log(2 * np.pi * np.e * left) / 2
    assert np.mean(bound) == pytest.approx(expected, abs=float(5 * np.std(bound) / n**0.5))

    def density(y):
        edges = scipy.stats.norm.cdf([(y + 1) / noise, (y - 1) / noise])
        return (edges[0] - edges[1]) / 2

    ys = np.linspace(-1 - 9 * noise, 1 + 9 * noise, 20_001)
    logs = [-v * np.log(v) if v > 0 else 0 for v in map(density, ys)]
    entropy = scipy.integrate.simpson(logs, x=ys)
    exact = entropy - np.log(2 * np.pi * np.e * noise**2) / 2
    assert lecture.code_information(noise) == pytest.approx(exact, abs=1e-3)
    assert np.mean(bound) < exact + 1e-3


@pytest.mark.parametrize("noise", [1.0, 0.3, 0.03])
def test_the_bound_of_a_code_is_a_gaussian_log_likelihood(noise):
    check_codes(noise)


# Training


def build(seed=0, jit_compile=False, **options):
    nets = (networks.mlp(2 + 3 + 1, 2, 8, seed=1), networks.mlp(2, 1, 8, seed=2))
    model = InfoGAN(*nets, networks.mlp(2, 5, 8, seed=3), 3, 1, seed=seed, **options)
    model.compile(*(keras.optimizers.Adam(1e-2) for _ in "gc"), jit_compile=jit_compile)
    return model


def test_the_losses_are_those_of_gan_less_lambda_times_the_bounds():
    model = build(weight=0.7, code_weight=0.2)
    plain = GAN(networks.mlp(2, 2, 2), model.critic)
    samples, condition = model.generate(64)
    category, codes = (np.mean(part) for part in model.bounds(samples, condition))
    fake = samples, condition
    assert float(model.critic_loss(POINTS, fake)) == float(plain.critic_loss(POINTS, samples))
    expected = float(plain.generator_loss(None, samples)) - 0.7 * category - 0.2 * codes
    assert float(model.generator_loss(POINTS, fake)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"r1": 1.0, "ema": 0.9, "critic_steps": 2}])
def test_fit_moves_every_variable_and_logs_the_bounds(options):
    model = build(**options)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(POINTS, batch_size=16, steps_per_epoch=5, verbose=0).history
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0, variable.path
    assert set(history) == {"critic_loss", "generator_loss", "category_bound", "code_bound"}
    assert len(model.trainable_variables) == 18 and np.isfinite(list(history.values())).all()


def test_each_step_moves_its_own_networks():
    model, real = build(), tf.constant(POINTS)
    parts = {"G": model.generator, "D": model.critic, "Q": model.recogniser}
    for step, moved in ((model.critic_step, "D"), (model.generator_step, "GQ")):
        before = {name: net.get_weights() for name, net in parts.items()}
        step(real)
        for name, net in parts.items():
            gaps = [
                np.abs(a - b).max() for a, b in zip(before[name], net.get_weights(), strict=True)
            ]
            assert (max(gaps) > 0) == (name in moved), name


def test_it_learns_to_tell_its_category():
    model = build()
    history = model.fit(POINTS, batch_size=64, steps_per_epoch=150, epochs=2, verbose=0).history
    assert history["category_bound"][1] > max(0.3, history["category_bound"][0])


def test_resume_and_saved_weights_give_the_same_model(tmp_path):
    fit = {"batch_size": 16, "steps_per_epoch": 3, "verbose": 0}
    whole, half, other = build(), build(), build(seed=7)
    whole.fit(POINTS, epochs=3, **fit)
    half.fit(POINTS, epochs=2, callbacks=training.Resume(tmp_path), **fit)
    other.fit(POINTS, epochs=3, callbacks=training.Resume(tmp_path), **fit)
    for a, b in zip(whole.state, other.state, strict=True):
        np.testing.assert_array_equal(a, b)
    whole.save_weights(tmp_path / "m.weights.h5")
    twin = build(seed=5)
    twin.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(twin.sample(5, seed=1), whole.sample(5, seed=1))
    np.testing.assert_array_equal(twin.recogniser(POINTS), whole.recogniser(POINTS))


def test_latents_follow_the_priors():
    model = build()
    latent = model.latent_of(tf.random.stateless_normal((30_000, 6), (0, 1))).numpy()
    noise, category, codes = np.split(latent, [2, 5], axis=1)
    assert set(np.unique(category)) == {0, 1} and (category.sum(1) == 1).all()
    np.testing.assert_allclose(category.mean(0), 1 / 3, atol=0.015)
    assert scipy.stats.kstest(codes[:, 0], scipy.stats.uniform(-1, 2).cdf).pvalue > 0.001
    assert scipy.stats.kstest(noise.ravel(), "norm").pvalue > 0.001
    assert np.abs(np.corrcoef(latent.T)[[0, 1, 5]][:, 2:5]).max() < 0.03


def test_sample_takes_a_condition():
    model = build(ema=0.5)
    one = model.condition(2, 0.5)
    np.testing.assert_array_equal(one, [[0, 0, 1, 0.5]])
    every = model.condition(np.tile([2], 4), 0.5)
    np.testing.assert_array_equal(model.sample(4, one, seed=1), model.sample(4, every, seed=1))
    normal = keras.random.normal((4, 6), seed=1)
    made = model.generator(np.concatenate([normal[:, :2], every], 1))
    np.testing.assert_allclose(model.sample(4, every, seed=1), made, atol=1e-6)
    assert model.sample(3, averaged=True).shape == model.condition([0, 1, 2]).shape[:1] + (2,)
    assert model.condition(0, [[-1.0], [0.0], [2.0]]).shape == (3, 4)


def nets(**widths):
    sizes = {"latent": 6, "guess": 5, "seen": 2} | widths
    return (
        networks.mlp(sizes["latent"], 2, 4),
        networks.mlp(2, 1, 4),
        networks.mlp(sizes["seen"], sizes["guess"], 4),
    )


def tied():
    generator, critic, _ = nets()
    start = keras.Input((2,))
    return generator, critic, keras.Model(start, keras.layers.Dense(5)(generator.layers[2](keras.layers.Dense(4)(start))))  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: InfoGAN(*nets(latent=3), 3, 1), ValueError, "generator must take latents of 3"),
        (lambda: InfoGAN(*nets(guess=4), 3, 1), ValueError, r"recogniser must go from \(None, 2\)"),
        (lambda: InfoGAN(*nets(seen=3), 3, 1), ValueError, r"recogniser must go from \(None, 2\)"),
        (lambda: InfoGAN(*nets()[:2], "q", 3, 1), TypeError, "recogniser must be a built keras"),
        (lambda: InfoGAN(*tied(), 3, 1), ValueError, "recogniser must not share weights"),
        (lambda: InfoGAN(*nets(), 1, 1), ValueError, "categories must be a whole number of at le"),
        (lambda: InfoGAN(*nets(), 3, -1), ValueError, "codes must be a whole number of at least 0"),
        (lambda: build(weight=-1.0), ValueError, "weight must be a finite number, 0 or more"),
        (lambda: build(code_weight=np.nan), ValueError, "code_weight must be a finite number"),
        (lambda: build().condition(3), ValueError, "category must be whole numbers from 0 to 2"),
        (lambda: build().condition(0.5), ValueError, "category must be whole numbers from 0 to 2"),
        (lambda: build().condition(np.nan), ValueError, "category must be whole numbers"),
        (lambda: build().condition(0, [1, 2]), ValueError, r"codes must have shape \(1, 1\)"),
        (lambda: build().condition([0, 1, 2], np.zeros((2, 1))), ValueError, "codes must have sha"),
        (lambda: build().condition(0, 2.5), ValueError, r"must end in codes in \[-2, 2\]; got"),
        (lambda: build().condition(0, np.nan), ValueError, "condition must be finite"),
        (lambda: build().sample(2, [[1, 0, 0]]), ValueError, r"must have shape \(n, 4\)"),
        (lambda: build().sample(2, [[1, 1, 0, 0]]), ValueError, "must begin with a one-hot"),
        (lambda: build().sample(2, [[0.5, 0.5, 0, 0]]), ValueError, "must begin with a one-hot"),
        (lambda: build().sample(2, [[1, 0, 0, np.nan]]), ValueError, "condition must be finite"),
        (lambda: build().sample(4, np.eye(4)[:3]), ValueError, "condition must have 1 or 4 rows"),
        (lambda: build().sample(0), ValueError, "n must be a whole number of at least 1"),
        (lambda: build().sample(1, averaged=True), ValueError, "averaged needs a model"),
        (lambda: build().fit(np.full((4, 2), np.nan), verbose=0), ValueError, "data must be fini"),
        (lambda: build().fit(np.zeros((4, 3)), verbose=0), ValueError, "data must have shape"),
    ],
)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_it_is_not_in_the_registry_whose_networks_are_two():
    assert InfoGAN not in REGISTRY.values()


# Lecture 50


def test_the_counted_world_is_that_of_the_library(rng):
    scene = explore("information_bound").scene
    values = {
        "generator": str(rng.choice([lecture.BY_DIGIT, lecture.NONSENSE, lecture.DEAF])),
        "chance": rng.uniform(0.1, 1),
        "sharpness": rng.uniform(0, 3),
    }
    found = scene.update(**values)
    p = lecture.channel(values["generator"], values["chance"])
    np.testing.assert_allclose(p.sum(1), 1)
    q = softmax(values["sharpness"] * np.log(p / p.sum(0)), axis=0)
    assert found["L_I"] == pytest.approx(counted(p, q), abs=1e-5)
    assert found["I(c; x)"] == pytest.approx(counted(p, p / p.sum(0)), abs=1e-5)
    assert found["JSD to the data"] == pytest.approx(0, abs=1e-12)


def test_unasked_trains_its_recogniser_alone_on_the_bound():
    model = lecture.Unasked(*nets(), 3, 1)
    model.compile(jit_compile=False)
    latent = tf.random.stateless_normal((32, 6), (0, 1))
    with tf.GradientTape() as tape:
        codes = model.latent_of(latent)
        bound = tf.add_n(model.bounds(model.generator(codes), codes[:, 2:]))
    parts = [model.generator.trainable_variables, model.recogniser.trainable_variables]
    of_g, of_q = tape.gradient(bound, [[v.value for v in part] for part in parts])
    assert of_g == [None] * len(of_g) and all(g is not None for g in of_q)


@pytest.mark.parametrize("setting", ["infogan", "labels"])
def test_a_setting_trains_and_is_scored(setting, monkeypatch):
    way = lecture.WAYS[setting]._replace(steps=4)
    monkeypatch.setitem(lecture.WAYS, setting, way)
    found = lecture.run(setting, 0)
    assert 0 <= found["agree"] <= 1 and found["within"] > 0
    assert np.isnan(found["bound"]) == (setting == "labels")
    assert found["noise"] <= found["within"] * 1.5


def test_paired_counts_the_best_pairing():
    codes, labels = np.array([3, 3, 3, 7, 7, 0]), np.array([1, 1, 7, 1, 1, -1])
    assert lecture.paired(codes, labels) == pytest.approx(3 / 6)
    assert lecture.paired(codes, codes) == 1


def test_lean_is_the_slope_of_a_stroke():
    rows = np.arange(9)
    for slope in (-0.5, 0, 0.5):
        picture = np.zeros((1, 9, 9, 1))
        picture[0, rows, np.round(4 + slope * (4 - rows)).astype(int)] = 1
        assert lecture.lean(picture)[0] == pytest.approx(slope, abs=0.05)
    assert np.isfinite(lecture.lean(np.zeros((2, 8, 8, 1)))).all()


def test_the_knobs_turn():
    view = Explorer(lecture.Knobs(lecture.build("infogan")))
    seen = {view.png}
    for name, value in (("category", 3), ("code", 1.5), ("z1", 1.0)):
        view.set(**{name: value})
        seen.add(view.png)
    assert len(seen) == 4 and "read as" in view.readout


def test_kmeans_is_the_baseline():
    test, labels = data.images("digits", "test")
    assert 0.7 < lecture.paired(lecture.kmeans_piles()[1], labels) < 0.85
