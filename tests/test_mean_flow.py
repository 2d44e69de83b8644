"""Mean flows: the identity that they obey, against the exact flow of a Gaussian."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.likelihood import MeanFlow
from genlib.training import Resume

RNG = np.random.default_rng(0)
SCALE = 0.5


def small(seed=0, **options):
    return MeanFlow(networks.timed_mlp(2, 1, width=16, depth=2, seed=seed), seed=seed, **options)


@keras.saving.register_keras_serializable("test_mean_flow")
class Exact(keras.layers.Layer):
    """The mean velocity of the flow from N(0, 1) to N(0, SCALE^2), times ``factor``."""

    def build(self, shape):
        self.factor = self.add_weight((), "ones", name="factor")

    def call(self, inputs):
        x, t, h = inputs
        now, then = (tf.sqrt((1 - s) ** 2 + (SCALE * s) ** 2) for s in (t, t + h))
        rise = h - 2 * (1 - t) + (2 * t + h) * SCALE**2  # of the variance, by h
        return self.factor * x * rise / (now * (now + then))


def exact(**options):
    start = [keras.Input((2,)), keras.Input((1,)), keras.Input((1,))]
    return MeanFlow(keras.Model(start, Exact()(start)), seed=0, **options)


def places(x, t):
    return x * np.sqrt((1 - t) ** 2 + (SCALE * t) ** 2)


def test_a_stretch_of_the_exact_mean_velocity_ends_on_the_path():
    model, z = exact(), RNG.normal(size=(7, 2)).astype(np.float32)
    for t, h in ((0.0, 1.0), (0.2, 0.5), (0.7, 0.3), (0.4, 0.0)):
        there = places(z, t) + h * model.mean_velocity(places(z, t), t, h)
        np.testing.assert_allclose(there, places(z, t + h), atol=1e-5)
    for steps in (1, 2, 5):
        path = model.follow(z, steps)
        assert len(path) == steps + 1
        np.testing.assert_allclose(path[-1], SCALE * z, atol=1e-5)
    # Where h is 0 it is the velocity of flow matching, which the density follows.
    slope = (SCALE**2 * 0.3 - 0.7) / (0.7**2 + SCALE**2 * 0.3**2)
    np.testing.assert_allclose(model.velocity(z, 0.3), slope * z, atol=1e-5)
    log_prob = -np.sum((z / SCALE) ** 2, 1) / 2 - np.log(2 * np.pi * SCALE**2)
    np.testing.assert_allclose(model.log_prob(z), log_prob, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_exact_mean_velocity_is_where_the_loss_is_at_rest(share):
    """Its gradient in a factor before the network is 0 at 1; at 1.1 it points back."""
    model = exact(share=share, power=0.0)
    (factor,) = model.trainable_variables
    x = SCALE * RNG.normal(size=(200_000, 2)).astype(np.float32)

    def slope(at):
        factor.assign(at)
        with tf.GradientTape() as tape:
            loss = model.terms(x)["loss"]
        return float(tape.gradient(loss, factor))

    assert abs(slope(1.0)) < 0.02
    assert slope(1.1) > 0.08 and slope(0.9) < -0.08


def test_the_identity_holds_with_its_own_sign_only():
    """``u = v + h du/dt``: with minus, the exact flow would not be at rest."""
    model, z, t, h, e = exact(), RNG.normal(size=(50, 2)), 0.3, 0.4, 1e-3

    def u(t, h):
        return model.mean_velocity(places(z, t), t, h).numpy()

    now, v = u(t, h), model.velocity(places(z, t), t).numpy()
    along = (u(t + e, h - e) - u(t - e, h + e)) / (2 * e)
    np.testing.assert_allclose(now, v + h * along, atol=2e-3)
    assert np.abs(now - v + h * along).max() > 0.05


def test_a_weighted_error_is_divided_by_its_power():
    x = RNG.normal(size=(64, 2)).astype(np.float32)
    plain, half, whole = (small(power=power).terms(x) for power in (0.0, 0.5, 1.0))
    assert float(plain["loss"]) == pytest.approx(float(plain["error"]))
    assert float(plain["error"]) == pytest.approx(float(whole["error"]), rel=1e-5)  # one seed
    assert 0.9 < float(whole["loss"]) < 1 < float(half["loss"]) < float(plain["loss"])


def test_a_share_of_the_stretches_is_not_0_and_all_end_by_1(monkeypatch):
    model, seen = small(share=0.25), []
    call = model.network.call
    monkeypatch.setattr(model.network, "call", lambda x, **how: seen.append(x) or call(x, **how))
    model.terms(RNG.normal(size=(4000, 2)).astype(np.float32))
    _, t, h = (np.asarray(part) for part in seen[0])
    assert np.mean(h > 0) == pytest.approx(0.25, abs=0.03)
    assert h.min() == 0 and np.max(t + h) <= 1 and t.min() >= 0
    assert h[h > 0].mean() == pytest.approx(1 / 3, abs=0.04)


def test_training_moves_every_weight_and_is_resumed(tmp_path):
    x = 0.3 * RNG.normal(size=(300, 2)).astype(np.float32)

    def train(epochs, callbacks=None):
        model = small(seed=1)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        before = [w.numpy() for w in model.trainable_variables]
        errors = model.fit(x, steps_per_epoch=40, epochs=epochs, verbose=0, callbacks=callbacks)
        pairs = zip(model.trainable_variables, before, strict=True)
        return model, errors.history["error"], min(np.abs(w - b).max() for w, b in pairs)

    whole, errors, moved = train(4)
    assert moved > 0 and errors[-1] < errors[0]
    train(2, Resume(tmp_path / "run"))
    again, *_ = train(4, Resume(tmp_path / "run"))
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_array_equal(whole.sample(5, seed=2), whole.sample(5, seed=2))
    whole.save_weights(tmp_path / "m.weights.h5")
    other = small(seed=7)
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(whole.sample(5, 3, seed=2), other.sample(5, 3, seed=2))


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="from three tensors to one"):
        MeanFlow(networks.timed_mlp(2))
    with pytest.raises(ValueError, match=r"network must go from \[.*\(None, 1\), \(None, 1\)\]"):
        MeanFlow(networks.timed_mlp(2, 3))
    for options, words in (
        ({"share": 1.5}, "share"),
        ({"power": -1}, "power"),
        ({"power": np.nan}, "power"),
    ):
        with pytest.raises(ValueError, match=words):
            small(**options)
    model, x = small(), np.zeros((3, 2))
    for t, h, words in (
        (0.7, 0.4, "t \\+ h must be at most 1"),
        (-0.1, 0.2, "t must"),
        (0.1, np.nan, "h must"),
    ):
        with pytest.raises(ValueError, match=words):
            model.mean_velocity(x, t, h)
    for steps in (0, 1.5):
        with pytest.raises((ValueError, TypeError), match="steps must"):
            model.sample(3, steps)
    with pytest.raises(ValueError, match="data"):
        model.fit(np.full((4, 2), np.nan))
