"""The U-Net, a diffusion that guesses the data, and lecture 60's digits of 28x28 pixels."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.lectures import diffusion28, runs
from genlib.lectures import l60_diffusion as l60
from genlib.lectures.noised import Noised
from genlib.likelihood import Diffusion
from genlib.training import Resume

RNG = np.random.default_rng(0)
SCALE = 0.5
SMALL = {"shape": (4, 4, 1), "widths": (2, 3), "mixing": 4}


def small(guesses="data", seed=0):
    network = networks.unet(**SMALL, condition=3, seed=seed)
    return Diffusion(network, classes=3, guesses=guesses, seed=seed)


def test_the_unet_has_the_shapes_that_it_says_and_repeats_its_seed():
    one, same, other = (networks.unet(**SMALL, condition=3, seed=seed) for seed in (1, 1, 2))
    x, t, c = RNG.normal(size=(5, 4, 4, 1)), RNG.random((5, 1)), np.eye(3)[[0, 1, 2, 0, 1]]
    assert one([x, t, c]).shape == (5, 4, 4, 1)
    np.testing.assert_array_equal(one([x, t, c]), same([x, t, c]))
    assert np.abs(one([x, t, c]) - other([x, t, c])).max() > 1e-3
    firsts = {w.numpy().tobytes() for w in one.trainable_variables if w.ndim > 1}
    assert len(firsts) == sum(w.ndim > 1 for w in one.trainable_variables)  # no seed twice
    assert networks.unet((8, 8, 2), widths=(2, 3, 4)).output_shape == (None, 8, 8, 2)


def test_each_input_reaches_each_pixel():
    network = networks.unet((4, 4, 1), 3, (8, 16), 32, seed=0)
    x, t, c = RNG.normal(size=(1, 4, 4, 1)), np.array([[0.3]]), np.array([[1.0, 0, 0]])
    corner = np.eye(16)[:1].reshape(1, 4, 4, 1)
    for moved in ([x + corner, t, c], [x, t + 0.2, c], [x, t, c[:, ::-1]]):
        assert np.abs(network([x, t, c]) - network(moved)).min() > 0


@pytest.mark.parametrize(
    "options, words",
    [
        ({"shape": (6, 4, 1), "widths": (2, 2, 2)}, r"halved 2 times; got \(6, 4, 1\)"),
        ({"shape": (4, 4)}, r"shape must be \(h, w, c\)"),
        ({"widths": (2, 0)}, "widths must be"),
        ({"mixing": 0.5}, "mixing must be"),
        ({"waves": -1}, "waves must be"),
    ],
)
def test_bad_sizes_are_named(options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        networks.unet(**SMALL | options)


class ExactData(Diffusion):
    """It guesses the data of N(0, SCALE^2), exactly."""

    def __init__(self):
        super().__init__(networks.timed_mlp(2, width=4), guesses="data", seed=0)

    def _call(self, x, step, condition):
        a, b = (tf.gather(tf.constant(v, tf.float32), step)[:, None] for v in (self.a, self.b))
        return b * SCALE**2 * x / (a**2 + b**2 * SCALE**2)


def test_the_exact_guess_of_the_data_has_the_least_loss():
    model, x = ExactData(), SCALE * RNG.normal(size=(100_000, 2)).astype(np.float32)
    a2, b2 = model.a[1:] ** 2, model.b[1:] ** 2
    floor = 2 * np.mean(SCALE**2 * a2 / (a2 + b2 * SCALE**2))
    assert float(model.terms(x)["loss"]) == pytest.approx(floor, rel=0.02)
    right = ExactData._call
    for wrong in (lambda u: 1.5 * u, lambda u: -u):
        model._call = lambda x, s, c, wrong=wrong: wrong(right(model, x, s, c))
        assert float(model.terms(x)["loss"]) > 1.02 * floor


def test_a_guess_of_the_data_is_one_of_the_noise():
    """``x_t = b x + a z``: the guesses, the samples and the bounds are the same."""
    model, p = ExactData(), Noised(np.zeros((1, 2)), SCALE)
    x = RNG.normal(size=(7, 2))
    for step in (1, 300, 1000):
        a, b = model.a[step], model.b[step]
        noise, clean = model.guess(tf.constant(x, tf.float32), step)
        np.testing.assert_allclose(noise, p.noise(x, a, b), atol=3e-4)
        np.testing.assert_allclose(clean, p.data(x, a, b), atol=1e-5 / b)
    made = model.sample(4000, steps=200, seed=1).numpy()
    np.testing.assert_allclose(made.std(0), SCALE, rtol=0.08)
    data = SCALE * RNG.normal(size=(2000, 2)).astype(np.float32)
    truth = np.mean(p.log_density(data, 0, 1))
    assert 0.3 < truth - np.mean(model.elbo(data, 200, seed=0)) < 1.3


def test_guidance_mixes_the_guesses_of_the_data():
    model, x = small(), tf.constant(RNG.normal(size=(4, 4, 4, 1)), tf.float32)
    one, steps = tf.one_hot([0, 1, 2, 0], 3), tf.fill((4,), 500)
    given, free = model._call(x, steps, one), model._call(x, steps, None)
    for w, expected in ((1, given), (0.0, free), (3.0, 3 * given - 2 * free)):
        np.testing.assert_allclose(model.guess(x, 500, one, w)[1], expected, atol=1e-4)


@pytest.mark.parametrize("guesses", ["noise", "data"])
def test_it_trains_and_is_resumed(guesses, tmp_path):
    x, y = RNG.random((60, 4, 4, 1)).astype(np.float32), RNG.integers(0, 3, size=60)

    def train(epochs, seed, callbacks=None):
        model = small(guesses, seed)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        before = [w.numpy() for w in model.trainable_variables]
        losses = model.fit(x, y, steps_per_epoch=30, epochs=epochs, verbose=0,
                           callbacks=callbacks).history["loss"]  # fmt: skip
        pairs = zip(model.trainable_variables, before, strict=True)
        return model, losses, min(np.abs(w - b).max() for w, b in pairs)

    whole, losses, moved = train(4, 1)
    assert moved > 0 and losses[-1] < losses[0]
    train(2, 1, Resume(tmp_path / "run"))
    again, _, _ = train(4, 1, Resume(tmp_path / "run"))
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_what_it_guesses_is_checked():
    with pytest.raises(ValueError, match="guesses must be one of"):
        small("score")
    with pytest.raises(ValueError, match="guesses must be left out with levels"):
        Diffusion(networks.timed_mlp(2, 0, 3, width=4), levels=3, guesses="data")


# Lecture 60


def test_ours_draws_what_its_page_says():
    made = diffusion28.pictures(diffusion28.ours(), 100, seed=0)
    found, (row, *_) = diffusion28.judge(made), runs.stored(*ROWS[0])
    for score in ("read28", "strict28", "right28"):
        assert found[score] == pytest.approx(row[score], abs=0.12), score
    assert found["kinds28"] > 9 and found["width28"] > 0.7
    near = diffusion28.nearest_of_training(made)
    assert np.median(near) == pytest.approx(row["copy28"], rel=0.1)
    assert near.min() > 1  # no copy
    for step, miss in diffusion28.misses(diffusion28.ours(), 50).items():
        assert miss == pytest.approx(row[step], rel=0.1), step


ROWS = [("60_diffusion", name) for name in ("ours1", *diffusion28.SETTINGS)]


def test_a_setting_is_a_network_and_a_guess(monkeypatch):
    made = {}
    monkeypatch.setattr(Diffusion, "fit", lambda self, *data, **how: made.update(model=self))
    for setting in diffusion28.SETTINGS:
        if setting.startswith("ours"):
            continue
        diffusion28.train(setting, 3, keras.optimizers.Adam())
        network, guess = setting.split("_")
        twin = diffusion28.NETWORKS[network](seed=3)
        assert made["model"].guesses == guess
        assert made["model"].network.count_params() == twin.count_params()


def test_a_held_guess_is_the_clipped_one_and_its_noise_agrees():
    model = Diffusion(networks.unet((4, 4, 1), 10, (2, 3), 4, seed=0), classes=10,
                      schedule="cosine", guesses="data")  # fmt: skip
    held, x = diffusion28.Held(model), tf.constant(9 * RNG.normal(size=(3, 4, 4, 1)), tf.float32)
    one = tf.one_hot([0, 1, 2], 10)
    for step in (3, 999):
        noise, clean = held.guess(x, step, one)
        raw = model.guess(x, step, one)[1].numpy()
        assert np.abs(raw).max() > 1
        np.testing.assert_allclose(clean, raw.clip(-1, 1), atol=1e-5)
        np.testing.assert_allclose(model.a[step] * noise + model.b[step] * clean, x, atol=1e-4)


def test_the_terms_of_the_bound_are_those_of_their_steps(monkeypatch):
    """One step a part: each term is its own step's gain, noise and miss."""
    x = np.zeros((2000, 64))  # -1 inside
    monkeypatch.setattr(l60, "digits", lambda split: (x, None))
    levels = Diffusion(networks.timed_mlp(64, width=4), steps=20)
    steps = np.arange(2, 21)
    gains = levels.sigma[steps - 1] ** -2 - levels.sigma[steps] ** -2

    def terms(data):
        model = SimpleNamespace(a=levels.a, b=levels.b, sigma=levels.sigma)
        model.guess = lambda noisy, step, label: (None, data(noisy, step))
        return l60.terms_by_label(model, draws=19, until=20)

    counted = terms(lambda noisy, step: tf.cast(step, tf.float32) - 1 + 0 * noisy)
    expected = gains / 2 * 64 * steps**2
    np.testing.assert_allclose(
        counted, expected[:, None, None] + np.zeros((19, 10, 2000)), rtol=1e-4
    )
    noisy = terms(lambda noisy, step: noisy).mean((1, 2))
    at = (1 - levels.b[steps]) ** 2 + levels.a[steps] ** 2
    np.testing.assert_allclose(noisy, gains / 2 * 64 * at, rtol=0.02)
