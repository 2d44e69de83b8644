"""What the GANs of pairs share: they train and resume, come back from weights, refuse bad pairs."""

import functools

import numpy as np
import pytest
import test_gan_conditional_gan as conditional
import test_gan_matching_aware_gan as matching
import test_gan_pix2pix as pix2pix
import test_gan_super_resolution_gan as super_resolution

from genlib import experiments
from genlib.training import Resume

LARGER = functools.partial(super_resolution.build, content="mean")
#: How each is built from a seed, its samples and their conditions.
KINDS = {
    "conditional": (conditional.build, conditional.POINTS, conditional.LABELS),
    "matching-aware": (matching.build, *matching.batch(np.random.default_rng(6), 64)[0]),
    "super-resolution": (super_resolution.build, super_resolution.LARGE, super_resolution.SMALL),
    "error of the mean": (LARGER, super_resolution.LARGE, super_resolution.SMALL),
    "pix2pix": (pix2pix.build, pix2pix.PICTURES, pix2pix.MAPS),
}


@pytest.fixture(params=KINDS)
def kind(request):
    build, x, c = KINDS[request.param]

    def fresh(seed, **options):
        model = build(seed=seed, **options)
        model.compile(jit_compile=False)  # XLA takes seconds to compile
        return model

    return fresh, x, c


@functools.cache
def untrained(name):
    """One for all that must leave it as it is."""
    model = KINDS[name][0](seed=0)
    model.compile(jit_compile=False)
    return model


def test_training_moves_all_and_a_run_resumes_and_comes_back(kind, tmp_path):
    fresh, x, c = kind
    fit = {"batch_size": 4, "steps_per_epoch": 2, "verbose": 0}
    whole, resumed, other = (fresh(seed, ema=0.9, r1=0.1) for seed in (1, 7, 8))
    before = [v.numpy() for v in whole.trainable_variables]
    history = whole.fit(x, c, epochs=2, callbacks=Resume(tmp_path / "run"), **fit).history
    assert set(history) == set(whole.log_names)
    for old, v in zip(before, whole.trainable_variables, strict=True):
        assert np.abs(old - v.numpy()).max() > 0, v.path
    whole.fit(x, c, initial_epoch=2, epochs=3, **fit)  # in the same graph
    resumed.fit(x, c, epochs=3, callbacks=Resume(tmp_path / "run"), **fit)
    for a, b in zip(whole.state, resumed.state, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    whole.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    for averaged in (False, True):
        a, b = (m.translate(c, seed=0, averaged=averaged).numpy() for m in (whole, other))
        np.testing.assert_array_equal(a, b)


def test_samples_follow_their_conditions_and_their_seed(kind):
    fresh, x, c = kind
    model = fresh(0, ema=0.9)
    made = model.translate(c, seed=3).numpy()
    assert made.shape == x.shape
    np.testing.assert_array_equal(made, model.sample(len(c), condition=c, seed=3))
    assert (np.abs(made - model.translate(c, seed=4)).max() > 1e-4) == bool(model.latent_dim)
    one = model.sample(6, condition=c[:1], seed=3, averaged=True).numpy()
    np.testing.assert_array_equal(one, model.sample(6, np.repeat(c[:1], 6, 0), 3, True))
    other = c[np.abs(c - c[:1]).reshape(len(c), -1).sum(1).argmax()]
    assert np.abs(model.sample(6, other[None], seed=3, averaged=True) - one).max() > 1e-4


def test_over_seeds_takes_samples_with_their_conditions():
    def fresh(seed):
        model = conditional.build(seed)
        model.compile(jit_compile=False)
        return model

    x, c = conditional.POINTS, conditional.LABELS
    _, beside = experiments.over_seeds(fresh, (x, c), steps=3, seeds=2, batch_size=16)
    alone = fresh(1)
    alone.fit(x, c, batch_size=16, steps_per_epoch=3, verbose=0)
    for a, b in zip(alone.state, beside.state, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda m, x, c: m.fit(x), "condition must be given"),
        (lambda m, x, c: m.fit(x, c[:5]), r"a row for each of data, \d+; it has 5"),
        (lambda m, x, c: m.fit(x[:5], c), "a row for each of data, 5; it has"),
        (lambda m, x, c: m.fit(x[:, :1], c), r"data must have shape \(n, "),
        (lambda m, x, c: m.fit(x, c[:, :1]), r"condition must have shape \(n, "),
        (lambda m, x, c: m.fit(x, c * np.nan), "condition must be finite"),
        (lambda m, x, c: m.fit(np.full_like(x, np.inf), c), "data must be finite"),
        (lambda m, x, c: m.sample(3), "condition must be given"),
        (lambda m, x, c: m.sample(3, c[:2]), "condition must have 1 or 3 rows; it has 2"),
        (lambda m, x, c: m.translate(c[0]), r"condition must have shape \(n, "),
        (lambda m, x, c: m.translate(c[:0]), r"condition must have shape \(n, "),
        (lambda m, x, c: m.translate(c, averaged=True), "averaged needs a model built with ema"),
    ],
)
@pytest.mark.parametrize("name", KINDS)
def test_bad_pairs_are_refused_before_training(name, call, words):
    model, (_, x, c) = untrained(name), KINDS[name]
    before = [v.numpy() for v in model.state]
    with pytest.raises(ValueError, match=words):
        call(model, x, c)
    for old, new in zip(before, model.state, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
