"""WGAN-GP: the penalised game on two Diracs, where it is solved by hand."""

import critics
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.experiments import default_networks
from genlib.gans import WGANGP, penalties
from genlib.lectures.l32_wgan_gp import Boxed


class ForgetsTheOne(WGANGP):
    """Wrong: the penalty pulls the slope to 0, not to 1."""

    def critic_loss(self, real, fake):
        alpha = self.random_uniform((len(real),))
        gap = tf.reduce_mean(self.critic(fake)) - tf.reduce_mean(self.critic(real))
        penalty = penalties.gradient_penalty(self.critic, real, fake, alpha, target=0.0)
        return gap + self.penalty_weight * penalty


class SubtractsThePenalty(WGANGP):
    """Wrong: the critic is paid for its penalty."""

    def critic_loss(self, real, fake):
        alpha = self.random_uniform((len(real),))
        gap = tf.reduce_mean(self.critic(fake)) - tf.reduce_mean(self.critic(real))
        return gap - self.penalty_weight * penalties.gradient_penalty(
            self.critic, real, fake, alpha
        )


class BoundsTheSumOfSlopes(WGANGP):
    """Wrong: a sum over the batch where the mean belongs."""

    def critic_loss(self, real, fake):
        alpha = self.random_uniform((len(real),))
        gap = tf.reduce_mean(self.critic(fake)) - tf.reduce_mean(self.critic(real))
        penalty = penalties.gradient_penalty(self.critic, real, fake, alpha)
        return gap + self.penalty_weight * len(real) * penalty


def best_slope_on_two_diracs(kind, distance, weight):
    """Diracs t apart: the best linear critic has slope 1 + t / (2 lambda), value t + t^2 / 4 lambda."""  # noqa: E501
    critic = critics.linear()
    model = kind(networks.mlp(1, 1, 4), critic, penalty_weight=weight)
    real, fake = tf.fill((6, 1), 0.4 + distance), tf.fill((6, 1), 0.4)
    best = 1 + distance / (2 * weight)

    def value(slope):
        critic.set_weights([np.array([[slope]])])
        return -float(model.critic_loss(real, fake))

    assert value(best) == pytest.approx(distance + distance**2 / (4 * weight), rel=1e-4)
    for other in (best - 0.2, best + 0.2):
        assert value(other) < value(best)


CASES = [(0.5, 10.0), (2.0, 0.1), (1.3, 1.7)]


@pytest.mark.parametrize("case", CASES)
def test_two_diracs(case):
    best_slope_on_two_diracs(WGANGP, *case)


@pytest.mark.parametrize("wrong", [ForgetsTheOne, SubtractsThePenalty, BoundsTheSumOfSlopes])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        best_slope_on_two_diracs(wrong, *CASES[2])


def test_alpha_lies_in_the_unit_interval_one_for_each_pair(monkeypatch):
    seen = []

    def spy(value, real, fake, alpha, target=1.0):
        seen.append(alpha.numpy())
        return tf.constant(0.0)

    monkeypatch.setattr(penalties, "gradient_penalty", spy)
    model = WGANGP(*default_networks(WGANGP, (2,), width=4), seed=0)
    for _ in range(2):
        model.critic_loss(tf.zeros((2000, 2)), tf.zeros((2000, 2)))
    first, second = seen
    assert first.shape == (2000,) and first.min() >= 0 and first.max() <= 1
    assert np.abs(np.mean(first) - 0.5) < 0.03 and np.abs(np.var(first) - 1 / 12) < 0.01
    assert np.abs(first - second).max() > 0.1


def test_unit_linear_critic_on_pictures_pays_no_penalty():
    critic = networks.mlp((28, 28, 1), 1, depth=0, seed=0)
    kernel, bias = critic.trainable_variables
    kernel.assign(kernel.value / tf.norm(kernel.value))
    model = WGANGP(networks.mlp(2, (28, 28, 1), 4), critic, penalty_weight=1e3)
    real, fake = (tf.random.stateless_normal((8, 28, 28, 1), (0, i)) for i in (1, 2))
    gap = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real))
    assert float(model.critic_loss(real, fake)) == pytest.approx(float(gap), abs=1e-4)


def test_the_boxed_critic_of_lecture_32_differs_in_how_its_slope_is_held():
    nets = default_networks("wgan_gp", (2,), seed=0)
    model = Boxed(*nets, clip=0.02, penalty_weight=5.0, critic_steps=2, seed=0)
    x = tf.random.stateless_normal((64, 2), (0, 1))
    model.fit(x, batch_size=16, steps_per_epoch=2, verbose=0)
    most = max(np.abs(weight.numpy()).max() for weight in model.critic.trainable_variables)
    assert np.isclose(most, 0.02) and model.penalty_weight == 0
    gap = np.mean(model.critic(x + 1)) - np.mean(model.critic(x))
    assert np.isclose(model.critic_loss(x, x + 1), gap, atol=1e-6)
