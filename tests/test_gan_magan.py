"""MAGAN: the margin's path for given energies, and for those of a run.

Wrong versions that these tests reject (the last test keeps three of them): a margin that follows
the data upward, one that moves while the generator still gains, one that moves to the generated
energy.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib import networks
from genlib.gans import MAGAN
from genlib.training import Resume

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)

energies = st.lists(
    st.tuples(st.floats(0.125, 4, width=32), st.floats(0.125, 4, width=32)), min_size=1, max_size=20
)


def build(cls=MAGAN, **options):
    critic = networks.autoencoder(2, 3, 8, activation="tanh", seed=2)
    return cls(networks.mlp(2, 2, 8, activation="tanh", seed=1), critic, **options)


def path(start, sequence):
    """The margin after each epoch, in plain Python."""
    margin, last, seen = start, float("inf"), []
    for real, fake in sequence:
        if real < margin and real < fake and last <= fake:
            margin = real
        last = fake
        seen.append(margin)
    return seen


def path_of(model, sequence):
    seen = []
    for real, fake in sequence:
        model.end_epoch(tf.constant(real, tf.float32), tf.constant(fake, tf.float32))
        seen.append(float(model.margin.value))
    return seen


def check_path(cls):
    sequence = [
        (2.0, 4.0),  # nothing to compare with yet
        (1.9, 3.5),  # the generator gains
        (1.5, 3.6),  # it does not: moves
        (1.7, 3.7),  # the data are above the margin
        (1.2, 1.1),  # and above the generated samples
        (1.2, 1.1),
        (1.0, 1.1),  # as before is not below: moves
        (0.5, 1.0),
        (0.8, 2.0),  # moves
    ]
    expected = [3, 3, 1.5, 1.5, 1.5, 1.5, 1.0, 1.0, 0.8]
    assert path(3, sequence) == expected
    np.testing.assert_allclose(path_of(build(cls, margin=3.0), sequence), expected, rtol=1e-6)


def test_path_for_given_energies():
    check_path(MAGAN)


@settings(max_examples=30)
@given(energies)
def test_margin_never_rises(sequence):
    seen = path_of(build(margin=3.0), sequence)
    assert all(a >= b for a, b in zip([3.0, *seen], seen, strict=False))
    np.testing.assert_allclose(seen, path(3.0, sequence), rtol=1e-6)


@pytest.mark.parametrize("critic_steps", [1, 2])
def test_a_run_takes_the_path_of_its_own_energies(critic_steps):
    """Epochs end every four steps, however ``fit`` is called."""
    model = build(margin=4.0, epoch_steps=4, critic_steps=critic_steps, seed=0)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(2e-2), jit_compile=False)
    logs = {"real_energy": [], "fake_energy": [], "margin": []}
    for steps in (14, 26):
        model.fit(POINTS, batch_size=16, steps_per_epoch=steps, verbose=0)
        for name, values in logs.items():
            values.extend(model.step_losses[name])
    margins = np.array(logs["margin"])
    assert np.all(np.diff(margins) <= 0) and margins[-1] < 4
    moved = np.flatnonzero(np.diff(margins, prepend=4)) + 1
    assert np.all(moved % 4 == 0), moved
    if critic_steps == 1:
        means = [np.reshape(logs[name], (-1, 4)).mean(1) for name in ("real_energy", "fake_energy")]
        np.testing.assert_allclose(margins[3::4], path(4.0, zip(*means, strict=True)), rtol=1e-4)


def test_energy_is_the_squared_error():
    model, x = build(), tf.constant(POINTS)
    expected = np.sum((model.critic(x) - x) ** 2, axis=1)
    np.testing.assert_allclose(model.energy(x), expected, rtol=1e-4)


def test_margin_starts_at_the_datas_energy_after_pretraining():
    model = build(epoch_steps=40, pretrain_steps=300, seed=0)
    model.compile(jit_compile=False)
    before = float(tf.reduce_mean(model.energy(tf.constant(POINTS))))
    assert float(model.critic_loss(tf.constant(POINTS), tf.zeros((64, 2)))) == pytest.approx(before)
    still = [v.numpy() for v in model.generator.variables]
    model.pretrain(POINTS, batch_size=64)
    after = float(tf.reduce_mean(model.energy(tf.constant(POINTS))))
    assert after < 0.8 * before
    assert float(model.margin.value) == pytest.approx(after, rel=0.2)
    for old, variable in zip(still, model.generator.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())

    start = model.margin.value.numpy()  # a margin that stands is not found again by ``fit``
    model.fit(POINTS, batch_size=16, steps_per_epoch=1, verbose=0)
    assert float(model.margin.value) == start


def test_fit_pretrains_where_no_margin_is_given():
    model = build(epoch_steps=5, pretrain_steps=5, seed=0)
    model.compile(jit_compile=False)
    model.fit(POINTS, batch_size=16, steps_per_epoch=2, verbose=0)
    assert float(model.margin.value) > 0 and int(model.critic_optimizer.iterations) == 7


def test_resuming_within_an_epoch_gives_the_uninterrupted_run(tmp_path):
    """After its own pretraining, ten steps into epochs of seven."""

    def fit(epochs, *callbacks):
        model = build(epoch_steps=7, pretrain_steps=5, seed=0)
        model.compile(jit_compile=False)
        model.fit(POINTS, 16, epochs, steps_per_epoch=5, callbacks=list(callbacks), verbose=0)
        return model

    whole = fit(4)
    fit(2, Resume(tmp_path))
    resumed = fit(4, Resume(tmp_path))
    for a, b in zip(whole.state, resumed.state, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MAGAN(networks.mlp(2, 2, 4), networks.mlp(2, 1, 4)), "a copy of each sample"),
        (lambda: build(margin=-1), "margin must be a finite number above 0"),
        (lambda: build(epoch_steps=0), "epoch_steps must be"),
        (lambda: build(pretrain_steps=-1), "pretrain_steps must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class FollowsUpward(MAGAN):
    def end_epoch(self, real_energy, fake_energy):
        super().end_epoch(real_energy, fake_energy)
        self.margin.assign(tf.where(real_energy < fake_energy, real_energy, self.margin.value))


class MovesWhileTheGeneratorGains(MAGAN):
    def end_epoch(self, real_energy, fake_energy):
        self.last_fake_energy.assign(0.0)
        super().end_epoch(real_energy, fake_energy)


class MovesToTheOther(MAGAN):
    def end_epoch(self, real_energy, fake_energy):
        before = self.margin.value + 0
        super().end_epoch(real_energy, fake_energy)
        self.margin.assign(tf.where(self.margin.value < before, fake_energy, before))


@pytest.mark.parametrize("wrong", [FollowsUpward, MovesWhileTheGeneratorGains, MovesToTheOther])
def test_wrong_versions_are_rejected(wrong):
    with pytest.raises(AssertionError):
        check_path(wrong)
