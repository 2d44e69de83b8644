"""WGAN: what a linear critic in the box reaches, the box itself, the authors' schedule."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.divergences import samples
from genlib.experiments import default_networks
from genlib.gans import WGAN
from genlib.gans.wgan import clip_weights


class WrongSign(WGAN):
    """Wrong: the critic learns to be low on real samples."""

    def critic_loss(self, real, fake):
        return -super().critic_loss(real, fake)


class ClipsByLength(WGAN):
    """Wrong: the norm of the weights is bounded, not each of them."""

    def after_critic_step(self, real, fake):
        for weight in self.critic.trainable_variables:
            weight.assign(tf.clip_by_norm(weight.value, self.clip))


class ClipsTheGenerator(WGAN):
    """Wrong: the box is for the critic."""

    def after_critic_step(self, real, fake):
        clip_weights(self.generator, self.clip)


def linear_critic_reaches_the_l1_gap(kind, dim, clip, seed):
    """In the box ``|w_i| <= c`` the best linear critic's gap is ``c |mu_P - mu_Q|_1``."""
    rng = np.random.default_rng(seed)
    real, fake = (tf.constant(rng.normal(rng.normal(), 1, (40, dim)), tf.float32) for _ in "pq")
    model = kind(networks.mlp(2, dim, 4, seed=0), critics.linear(dim), clip=clip)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1e4), jit_compile=False)
    model.generate = lambda n: fake
    model.critic_step(real)
    best = clip * np.abs(np.mean(real, 0) - np.mean(fake, 0)).sum()
    gap = tf.reduce_mean(model.critic(real)) - tf.reduce_mean(model.critic(fake))
    assert float(gap) == pytest.approx(best, rel=1e-4)
    assert float(model.critic_loss(real, fake)) == pytest.approx(-best, rel=1e-4)
    fooled = -tf.reduce_mean(model.critic(fake))
    assert float(model.generator_loss(real, fake)) == pytest.approx(float(fooled), rel=1e-4)


CASES = [(1, 0.01, 0), (3, 0.2, 1), (7, 1.5, 2)]


@pytest.mark.parametrize("case", CASES)
def test_linear_critic_reaches_the_l1_gap(case):
    linear_critic_reaches_the_l1_gap(WGAN, *case)


@pytest.mark.parametrize("wrong", [WrongSign, ClipsByLength, ClipsTheGenerator])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        linear_critic_reaches_the_l1_gap(wrong, *CASES[1])


@pytest.mark.parametrize(("x", "y"), [(0.0, 1.3), (2.0, -0.5)])
def test_on_two_diracs_the_best_1_lipschitz_critic_tells_w1(x, y):
    real, fake = tf.fill((4, 1), x), tf.fill((4, 1), y)
    model = WGAN(networks.mlp(1, 1, 4), critics.linear(1), clip=1.0)
    gaps = []
    for slope in np.linspace(-1, 1, 21):
        model.critic.set_weights([np.array([[slope]])])
        gaps.append(-float(model.critic_loss(real, fake)))
        assert float(model.generator_loss(real, fake)) == pytest.approx(-slope * y, abs=1e-6)
    assert max(gaps) == pytest.approx(float(samples.wasserstein_1d(real, fake)), rel=1e-5)


@pytest.mark.parametrize("clip", [0.01, 0.2])
def test_weights_stay_in_the_box(clip):
    nets = default_networks(WGAN, (2,), width=8, seed=0)
    model = WGAN(*nets, clip=clip, critic_steps=2, seed=0)
    model.compile(*(keras.optimizers.RMSprop(0.05) for _ in "gc"), jit_compile=False)
    points = np.random.default_rng(0).normal(size=(64, 2))
    for _ in range(5):
        model.fit(points, batch_size=16, steps_per_epoch=1, verbose=0)
        bound = np.float32(clip)
        assert max(np.abs(w).max() for w in model.critic.get_weights()) <= bound
        assert max(np.abs(w).max() for w in model.generator.get_weights()) > bound


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
def test_bad_clip_is_refused(clip):
    with pytest.raises(ValueError, match="clip must be a finite number above 0"):
        WGAN(*default_networks(WGAN, (2,), width=4), clip=clip)
