"""Lectures 32, 34, 36 and 39 ask for their losses on arrays: right ones are the library's own."""

import types

import numpy as np
import pytest
import tensorflow as tf

from genlib import check as engine
from genlib.gans import GMMN, RWGAN, WGANGP, FisherGAN
from genlib.lectures import l32_wgan_gp, l36_gmmn
from genlib.networks import mlp


def gmmn(x, y):
    game = GMMN(mlp(2, 2, 4), l36_gmmn.BANDWIDTHS, unbiased=True, root=False)
    return [game.generator_loss(x, y)]


def wgan_gp(on_real, on_fake, gradients):
    """A critic that is linear along each sample's gradient, at scores of their own."""
    scores = iter((on_real, on_fake))
    game = types.SimpleNamespace(penalty_weight=0.1, log=lambda *_: None)
    game.random_uniform = lambda shape: tf.zeros(shape)

    def critic(x, training=None):
        if training:
            return tf.constant(next(scores), tf.float32)
        return tf.reduce_sum(x * gradients, [1, 2, 3])

    game.critic = critic
    batches = np.zeros_like(gradients), np.zeros_like(gradients)
    critic_loss = WGANGP.critic_loss(game, *batches)
    scores = iter((on_fake,))
    return [critic_loss, WGANGP.generator_loss(game, *batches)]


def rwgan(u, v, cost):
    game = types.SimpleNamespace(regularisation=0.1, cost=lambda x, y: tf.cast(cost, tf.float32))
    game.critic = lambda x, training=None: x
    game.dual = lambda real, fake: RWGAN.dual(game, real, fake)
    real, fake = np.stack([u, 0 * u], 1), np.stack([0 * v, v], 1)
    return [getattr(RWGAN, f"{who}_loss")(game, real, fake) for who in ("critic", "generator")]


def fisher(on_real, on_fake, multiplier):
    game = FisherGAN(mlp(1, 1, 4), mlp(1, 1, depth=0), rho=0.1)
    game.critic.set_weights([np.ones((1, 1)), np.zeros(1)])
    game.multiplier = float(multiplier)
    return [game.critic_loss(on_real, on_fake), game.generator_loss(on_real, on_fake)]


LIBRARY = {
    "32_wgan_gp/2": wgan_gp,
    "34_rwgan/4": rwgan,
    "36_gmmn/2": gmmn,
    "39_fisher_gan/2": fisher,
}


@pytest.mark.parametrize("name", LIBRARY)
def test_right_losses_are_the_librarys_and_each_mistake_is_named(name):
    kind, rng = engine._find(name)(), np.random.default_rng(5)
    kind.train = lambda losses: (True, "It learns.")
    for _ in range(3):
        arrays = kind.inputs(rng)
        mine = kind.reference(*(tf.constant(array, tf.float32) for array in arrays))
        np.testing.assert_allclose(np.ravel(mine), np.ravel(LIBRARY[name](*arrays)), 1e-4, 1e-5)
    assert kind.judge(kind.reference) == (True, f"{kind.right} It learns.")
    assert len(kind.mistakes) >= 2
    for loss, slip, says in kind.mistakes:

        def wrong(*arrays, loss=loss, slip=slip):
            found = kind.reference(*arrays)
            found = found if len(kind.names) > 1 else [found]
            named = dict(zip(kind.names, found, strict=True)) | {loss: slip(*arrays)}
            return tuple(named.values())

        assert kind.judge(wrong) == (False, f"{loss}: {says}")


def test_losses_that_do_not_learn_are_not_right(monkeypatch):
    monkeypatch.setattr(l32_wgan_gp, "OWN_STEPS", 5)
    kind = l32_wgan_gp.own_losses()
    good, words = kind.train(kind.reference)
    assert not good and "the losses are right, but" in words and "a plain circle 8" in words
