"""Diffusion: guesses, samplers and the bound, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from genlib import networks
from genlib.lectures import l60_diffusion as l60
from genlib.lectures.noised import Noised
from genlib.likelihood import Diffusion
from genlib.likelihood.diffusion import kept_variance
from genlib.training import Resume

RNG = np.random.default_rng(0)
SCALE = 0.5


def small(shape=2, seed=0, classes=0, levels=None, **options):
    network = networks.timed_mlp(shape, classes, levels, width=16, depth=2, seed=seed)
    return Diffusion(network, classes=classes, levels=levels, seed=seed, **options)


class Exact(Diffusion):
    """The exact denoiser of N(0, SCALE^2) in each coordinate."""

    def __init__(self, **options):
        super().__init__(networks.timed_mlp(2, width=4), **options)

    def _call(self, x, step, condition):
        a, b = (tf.gather(tf.constant(v, tf.float32), step)[:, None] for v in (self.a, self.b))
        return a * x / (a**2 + b**2 * SCALE**2)


class Pixels(Diffusion):
    """The exact denoiser of independent pixels with chances ``(d, levels)`` of their levels.

    Or, of classes, with ``(classes, d, levels)``; it must be told which.
    """

    def __init__(self, chances, classes=0, **options):
        d, levels = chances.shape[-2:]
        network = networks.timed_mlp(d, classes, levels, width=4)
        super().__init__(network, levels=levels, classes=classes, **options)
        self.log_chances = np.log(chances).astype(np.float32)

    def _call(self, x, step, condition):
        a, b = (
            tf.gather(tf.constant(v, tf.float32), step)[:, None, None] for v in (self.a, self.b)
        )
        gap = x[..., None] - b * tf.linspace(-1.0, 1.0, self.levels)
        prior = self.log_chances
        prior = tf.einsum("nc,cdl->ndl", condition, prior) if self.classes else prior
        return prior - gap**2 / (2 * a**2)


@pytest.mark.parametrize("schedule, steps", [("linear", 1000), ("linear", 100), ("cosine", 200)])
def test_the_schedule_falls_from_data_to_noise(schedule, steps):
    kept = kept_variance(schedule, steps)
    assert len(kept) == steps + 1 and kept[0] == 1 and np.all(np.diff(kept) < 0)
    assert 0 < kept[-1] < 1e-4
    if schedule == "linear" and steps == 1000:
        variances = 1 - kept[1:] / kept[:-1]
        np.testing.assert_allclose(variances[[0, -1]], [1e-4, 0.02], rtol=1e-6)


def test_the_loss_is_least_at_the_exact_guess():
    """The variance of the noise that is left: b^2 s^2 / (a^2 + b^2 s^2) a coordinate."""
    model = Exact(seed=0)
    x = SCALE * RNG.normal(size=(100_000, 2)).astype(np.float32)
    b2 = model.b[1:] ** 2 * SCALE**2
    floor = 2 * np.mean(b2 / (model.a[1:] ** 2 + b2))
    assert float(model.terms(x)["loss"]) == pytest.approx(floor, rel=0.02)
    right = Exact._call
    for wrong in (lambda u: 1.2 * u, lambda u: -u):
        model._call = lambda x, s, c, wrong=wrong: wrong(right(model, x, s, c))
        assert float(model.terms(x)["loss"]) > 1.02 * floor


def test_guess_and_score_of_a_gaussian():
    model, p, x = Exact(), Noised(np.zeros((1, 2)), SCALE), RNG.normal(size=(7, 2))
    for step in (1, 300, 1000):
        a, b = model.a[step], model.b[step]
        noise, clean = model.guess(tf.constant(x, tf.float32), step)
        np.testing.assert_allclose(noise, p.noise(x, a, b), atol=1e-5)
        np.testing.assert_allclose(clean, p.data(x, a, b), atol=1e-4 / b)
        np.testing.assert_allclose(model.score(x, step), p.score(x, a, b), atol=1e-4)


def test_guesses_take_arrays_as_they_take_tensors():
    model, x = small(), RNG.normal(size=(4, 2))
    for found, same in zip(
        model.guess(x, 5), model.guess(tf.constant(x, tf.float32), 5), strict=True
    ):
        np.testing.assert_array_equal(found, same)


def test_ddim_and_heun_converge_in_the_number_of_steps():
    """The probability flow of a Gaussian only rescales: the end is known, x SCALE / its scale."""
    model = Exact()
    start = tf.constant(RNG.normal(size=(50, 2)), tf.float32)
    first = np.sqrt(model.a[-1] ** 2 + (model.b[-1] * SCALE) ** 2)
    truth = start.numpy() * SCALE / first
    errors = {
        method: [
            np.abs(model.denoise(start, n, method)[-1] - truth).max() for n in (10, 50, 250, 1000)
        ]
        for method in ("ddim", "heun")
    }
    for found in errors.values():
        assert np.all(np.diff(found) < 0), errors
    assert errors["ddim"][-1] < 0.02 and errors["heun"][1] < errors["ddim"][1] / 2


@pytest.mark.parametrize(
    "method, steps", [("ddpm", 1000), ("ddpm", 100), ("ddim", 200), ("heun", 60)]
)
def test_samples_have_the_scale_of_the_data(method, steps):
    made = Exact().sample(4000, steps=steps, method=method, seed=1).numpy()
    np.testing.assert_allclose(made.std(0), SCALE, rtol=0.08)
    np.testing.assert_allclose(made.mean(0), 0, atol=0.04)
    same = Exact().sample(5, steps=10, method=method, seed=2)
    np.testing.assert_array_equal(same, Exact().sample(5, steps=10, method=method, seed=2))


def test_the_bound_of_the_exact_denoiser_is_below_and_nearer_with_more_steps():
    """Few steps loosen it: a coarse bound is the farther from log p(x)."""
    x = SCALE * RNG.normal(size=(3000, 2)).astype(np.float32)
    truth = Noised(np.zeros((1, 2)), SCALE).log_density(x, 0, 1).mean()
    gaps = [truth - np.mean(Exact(steps=n).elbo(x, 200, seed=0)) for n in (1000, 100, 20)]
    assert 0.3 < gaps[0] < 1.3 and gaps[0] < gaps[1] < gaps[2], gaps


def test_far_from_the_data_the_bound_pays_for_what_is_left_in_the_noise_too():
    """Of two steps each term is known; the last is KL(x_T), 9.5 nats here."""
    model, x, s2 = Exact(steps=2), 100.0, SCALE**2
    share = model.b**2 * s2 / (model.a**2 + model.b**2 * s2)  # of x in the exact guess
    miss = 2 * ((1 - share) ** 2 * x**2 + (share * model.sigma) ** 2)  # of both coordinates
    first = -miss[1] / (2 * model.sigma[1] ** 2) - np.log(2 * np.pi * model.sigma[1] ** 2)
    second = (model.sigma[1] ** -2 - model.sigma[2] ** -2) / 2 * miss[2]
    last = model.b[2] ** 2 * x**2 + model.a[2] ** 2 - 1 - 2 * np.log(model.a[2])
    bound = model.elbo(np.full((4000, 2), x), 1, seed=0)
    assert last > 9 and np.mean(bound) == pytest.approx(first - second - last, abs=6)


def test_the_bound_of_independent_pixels_is_their_log_probability():
    chances = RNG.dirichlet(np.ones(5), size=3).astype(np.float32)
    level = np.stack([RNG.choice(5, size=4000, p=c / c.sum()) for c in chances], 1)
    truth = np.mean(np.sum(np.log(chances)[np.arange(3), level], 1))
    bound = Pixels(chances).elbo(level / 4, 100, seed=0).numpy()
    assert bound.mean() == pytest.approx(truth, abs=5 * bound.std() / np.sqrt(len(bound)) + 0.03)
    worse = Pixels(np.full_like(chances, 0.2)).elbo(level / 4, 100, seed=0).numpy()
    assert worse.mean() < bound.mean() - 0.3


def test_bounds_given_each_class_classify_by_bayes_rule():
    chances = RNG.dirichlet(np.ones(5), size=(2, 8)).astype(np.float32)
    true = RNG.integers(2, size=400)
    level = np.array([[RNG.choice(5, p=c / c.sum()) for c in chances[k]] for k in true])
    exact = np.sum(np.log(chances)[:, np.arange(8), level], -1)
    model = Pixels(chances, classes=2, schedule="cosine")
    bounds = np.stack([model.elbo(level / 4, 400, seed=0, condition=k) for k in (0, 1)])
    np.testing.assert_allclose(bounds[1] - bounds[0], exact[1] - exact[0], atol=2.5)
    assert np.mean(bounds.argmax(0) == exact.argmax(0)) > 0.93 > 0.6 > np.mean(true)
    each = model.elbo(level / 4, 400, seed=0, condition=true)
    np.testing.assert_allclose(each, bounds[true, np.arange(400)], rtol=1e-4)


@pytest.mark.parametrize("method", ["ddim", "heun"])
def test_the_lecture_samples_as_the_library_does(method, monkeypatch):
    monkeypatch.setattr(l60, "EXACT", Noised(np.zeros((1, 2)), SCALE))
    start = RNG.normal(size=(20, 2))
    expected = Exact().denoise(tf.constant(start, tf.float32), 12, method)
    for found, stage in zip(l60.remove_noise(start, 12, method), expected, strict=True):
        np.testing.assert_allclose(found, stage, atol=2e-3)


def test_the_lecture_s_bound_is_the_library_s(monkeypatch):
    monkeypatch.setattr(l60, "EXACT", Noised(np.zeros((1, 2)), SCALE))
    monkeypatch.setattr(l60, "MODES", np.zeros((1, 2)))
    monkeypatch.setattr(l60, "SCALE", SCALE)
    terms, truth, bound = l60.gaps(kept_variance("linear", 50), draws=20_000)
    x = SCALE * RNG.normal(size=(20_000, 2)).astype(np.float32)
    assert bound == pytest.approx(np.mean(Exact(steps=50).elbo(x, 300, seed=0)), abs=0.3)
    assert truth == pytest.approx(-1 - np.log(2 * np.pi * SCALE**2), abs=0.03)
    assert len(terms) == 51 and terms[0] == 0


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_flow_of_the_exact_guess_has_the_density_of_the_data(scale):
    """Of one Gaussian, whose first step's noise is part of the truth; and of the ring's mixture."""
    one, x = Noised(np.full((1, 2), 0.4), scale), 0.4 + scale * RNG.normal(size=(50, 2))
    found = l60.flow_log_prob(lambda y, t: one.noise(y, l60.A[t], l60.B[t]), x)
    np.testing.assert_allclose(found, one.log_density(x, l60.A[1], l60.B[1]), atol=0.03)
    x = l60.MODES[RNG.integers(8, size=200)] + l60.SCALE * RNG.normal(size=(200, 2))
    gaps = [
        np.mean(np.abs(
            l60.flow_log_prob(lambda y, t: l60.EXACT.noise(y, l60.A[t], l60.B[t]), x, steps)
            - l60.EXACT.log_density(x, l60.A[1], l60.B[1])
        ))
        for steps in (25, 50, 200)
    ]  # fmt: skip
    assert gaps[0] > 1.5 * gaps[1] > 3 * gaps[2] and gaps[2] < 0.05, gaps


def test_the_lecture_s_terms_differ_as_the_log_densities_of_the_labels_do(monkeypatch):
    chances = RNG.dirichlet(np.ones(5), size=(10, 6)).astype(np.float32)
    level = RNG.integers(5, size=(4, 6))
    exact = np.sum(np.log(chances)[:, np.arange(6), level], -1)  # (10, 4)
    rows = np.repeat(level / 4, 200, axis=0)
    monkeypatch.setattr(l60, "digits", lambda split: (rows, None))
    model = Pixels(chances, classes=10, schedule="cosine")
    terms = l60.terms_by_label(model, seed=0).sum(0).reshape(10, 4, 200).mean(-1)
    assert np.std(exact, axis=0).min() > 1
    np.testing.assert_allclose(terms[0] - terms, exact - exact[0], atol=1.0)
    monkeypatch.setattr(l60, "digits", lambda split: (rows, np.repeat(exact.argmax(0), 200)))
    monkeypatch.setattr(l60, "REPEATS", 2)
    right = l60.by_bayes(model)
    assert set(right) == {f"bayes{cut}" for cut in (*l60.CUTS, "_often")}
    # With an exact guess no term spoils the others: the whole bound is as good as any.
    assert min(right["bayes1"], right["bayes_often"]) > 0.6
    assert right["bayes1"] > max(right["bayes500"], right["bayes900"])


def test_levels_become_guesses_of_the_mean():
    chances = RNG.dirichlet(np.ones(5), size=3).astype(np.float32)
    model, step = Pixels(chances), 400
    x = RNG.normal(size=(6, 3)).astype(np.float32)
    a, b = model.a[step], model.b[step]
    values = np.linspace(-1, 1, 5)
    logs = np.log(chances) - (x[..., None] - b * values) ** 2 / (2 * a**2)
    mean = np.sum(np.exp(logs - logsumexp(logs, -1, keepdims=True)) * values, -1)
    noise, clean = model.guess(tf.constant(x), step)
    np.testing.assert_allclose(clean, mean, atol=2e-4)
    np.testing.assert_allclose(noise, (x - b * mean) / a, atol=2e-4)
    made = model.sample(4, steps=20, seed=0).numpy()
    assert made.min() >= 0 and made.max() <= 1


def test_guidance_1_is_the_conditional_model_and_0_the_other():
    model, x = small(classes=3), tf.constant(RNG.normal(size=(4, 2)), tf.float32)
    one = tf.one_hot([0, 1, 2, 0], 3)
    given, free = model._call(x, tf.fill((4,), 500), one), model._call(x, tf.fill((4,), 500), None)
    np.testing.assert_allclose(model.guess(x, 500, one)[0], given, atol=1e-6)
    np.testing.assert_allclose(model.guess(x, 500, one, 0.0)[0], free, atol=1e-6)
    np.testing.assert_allclose(model.guess(x, 500, one, 2.0)[0], 2 * given - free, atol=1e-5)
    conditional = model.sample(4, [0, 1, 2, 0], steps=5, seed=0)
    np.testing.assert_allclose(conditional, model.sample(4, [0, 1, 2, 0], steps=5, seed=0))
    assert np.abs(conditional - model.sample(4, steps=5, seed=0)).max() > 1e-3
    np.testing.assert_allclose(
        model.sample(4, 1, steps=5, guidance=0.0, seed=0),
        model.sample(4, steps=5, seed=0),
        atol=1e-5,
    )


def test_training_moves_every_weight_and_the_seed_repeats_it():
    x, y = RNG.normal(size=(200, 2)), RNG.integers(0, 3, size=200)

    def run(seed):
        model = small(seed=seed, classes=3)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        before = [w.numpy() for w in model.trainable_variables]
        losses = model.fit(x, y, steps_per_epoch=40, epochs=3, verbose=0).history["loss"]
        moved = [
            np.abs(w - b).max() for w, b in zip(model.trainable_variables, before, strict=True)
        ]
        assert min(moved) > 0 and losses[-1] < losses[0]
        return model.sample(3, 1, steps=4, seed=0)

    np.testing.assert_array_equal(run(0), run(0))


def test_weights_and_checkpoints_carry_the_model(tmp_path, capsys):
    x = (RNG.integers(0, 3, size=(40, 2)) / 2).astype(np.float32)
    model, other, resumed = (small(seed=s, levels=3) for s in (1, 2, 3))
    for m in (model, other, resumed):
        m.compile(jit_compile=False)
        m.elbo(x, 3, seed=0)  # traced before the weights come
    fit = {"steps_per_epoch": 3, "epochs": 2, "verbose": 0, "callbacks": [Resume(tmp_path / "r")]}
    model.fit(x, **fit)
    model.save_weights(tmp_path / "m.weights.h5")
    assert not np.allclose(other.elbo(x, 3, seed=0), model.elbo(x, 3, seed=0))
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.elbo(x, 3, seed=0), model.elbo(x, 3, seed=0))
    resumed.fit(x, **fit)
    assert "Resuming after epoch 2" in capsys.readouterr().out
    np.testing.assert_array_equal(resumed.elbo(x, 3, seed=0), model.elbo(x, 3, seed=0))


POINTS = np.zeros((5, 2))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda m: m.fit(np.zeros((5, 3))), r"data must have shape \(n, 2\)"),
        (lambda m: m.fit([[np.nan, 0]]), "data must be finite"),
        (lambda m: m.fit(POINTS, np.zeros(5, int)), "condition must be given if classes are"),
        (lambda m: small(classes=2).fit(POINTS), "condition must be given if classes are"),
        (lambda m: small(classes=2).fit(POINTS, np.full(5, 2)), "condition must be 0 to 1"),
        (lambda m: small(classes=2).fit(POINTS, np.zeros(4, int)), "condition must be whole"),
        (lambda m: small(classes=2).sample(3, 5), "condition must be 0 to 1"),
        (lambda m: m.sample(3, 1), "condition must be None"),
        (lambda m: m.sample(0), "n must be"),
        (lambda m: m.sample(3, steps=0), "steps must be a whole number"),
        (lambda m: m.sample(3, steps=1001), "steps must be at most 1000"),
        (lambda m: m.sample(3, method="euler"), "method must be one of"),
        (lambda m: m.sample(3, guidance=-1), "guidance must be"),
        (lambda m: m.sample(3, seed=-1), "seed must be"),
        (lambda m: m.score(POINTS, 0), "step must be"),
        (lambda m: m.score(POINTS, 1001), "step must be at most"),
        (lambda m: m.elbo([[0.0, np.nan]]), "x must be finite"),
        (lambda m: m.elbo(POINTS, 0), "draws_of_steps must be"),
        (lambda m: m.elbo(POINTS, condition=1), "condition must be None"),
        (lambda m: small(classes=2).elbo(POINTS, condition=2), "condition must be 0 to 1"),
        (lambda m: small(levels=3).elbo(POINTS + 0.3), "x must be one of 3 levels"),
        (lambda m: small(steps=1), "steps must be a whole number of at least 2"),
        (lambda m: small(schedule="flat"), "schedule must be one of"),
        (lambda m: small(drop=2), r"drop must be in \[0, 1\]"),
        (lambda m: Diffusion(networks.timed_mlp(2), levels=3), "network must go from"),
        (lambda m: Diffusion(networks.timed_mlp(2, 4), classes=3), "network must go from"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(small())


def test_networks_that_cannot_serve():
    with pytest.raises(TypeError, match="from two tensors to one"):
        Diffusion(networks.mlp(2, 2))
    with pytest.raises(TypeError, match="from three tensors to one"):
        Diffusion(networks.timed_mlp(2), classes=2)
