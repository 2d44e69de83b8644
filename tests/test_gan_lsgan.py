"""LSGAN: its divergence at the best critic, the same for every coding up to scale and level."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import networks
from genlib.gans import LSGAN

N = 60_000
finite, scale = st.floats(-2, 2), st.floats(0.4, 2)


class BestCritic(keras.layers.Layer):
    """``D = (b p + a q) / (p + q)``, which minimises the critic's loss point by point."""

    def __init__(self, p, q, a, b, **options):
        super().__init__(**options)
        self.p, self.q, self.a, self.b = p, q, a, b

    def call(self, x):
        share = tf.sigmoid(self.p.log_prob(x) - self.q.log_prob(x))  # p / (p + q)
        return self.a + (self.b - self.a) * share


class SquaresTheMean(LSGAN):
    """Wrong: the square of the mean where the mean of the squares belongs."""

    def generator_loss(self, real, fake):
        return (tf.reduce_mean(self.critic(fake)) - self.c) ** 2 / 2

    def critic_loss(self, real, fake):
        on_real, on_fake = tf.reduce_mean(self.critic(real)), tf.reduce_mean(self.critic(fake))
        return ((on_real - self.b) ** 2 + (on_fake - self.a) ** 2) / 2


class SwapsTheTargets(LSGAN):
    """Wrong: a for real samples and b for generated ones."""

    def critic_loss(self, real, fake):
        return super().critic_loss(fake, real)


class ForgetsTheHalf(LSGAN):
    def critic_loss(self, real, fake):
        return 2 * super().critic_loss(real, fake)

    def generator_loss(self, real, fake):
        return 2 * super().generator_loss(real, fake)


def triangular(p, q):
    """``int (p - q)^2 / (p + q)`` on a fine grid."""
    x = np.linspace(-25, 25, 200_001, dtype=np.float32)
    p, q = p.prob(x).numpy().astype(float), q.prob(x).numpy().astype(float)
    with np.errstate(invalid="ignore"):
        return np.nansum((p - q) ** 2 / (p + q)) * (x[1] - x[0])


def both_losses(kind, coding, m1, s1, m2, s2):
    """At the best critic: its loss, and the generator's with the real samples' term; the truth."""
    p, q = tfd.Normal(m1, s1), tfd.Normal(m2, s2)
    real, fake = p.sample((N, 1), seed=(1, 2)), q.sample((N, 1), seed=(3, 4))
    model = kind(networks.mlp(1, 1, 4), networks.mlp(1, 1, 4), coding=coding)
    model.critic = critics.of_layer(BestCritic(p, q, model.a, model.b))
    generator = model.generator_loss(real, fake) + model.generator_loss(real, real)
    return float(model.critic_loss(real, fake)), float(generator), triangular(p, q)


def pearson_identities(kind, *parameters):
    """``2 C(G)`` is the divergence T, and the critic's loss ``(4 - 2 T) / 4`` when b - a = 2."""
    critic, generator, truth = both_losses(kind, "pearson", *parameters)
    assert 2 * generator == pytest.approx(truth, abs=0.02)
    assert critic == pytest.approx(1 - truth / 2, abs=0.02)


@settings(max_examples=8)
@given(finite, scale, finite, scale)
def test_pearson_coding_measures_the_divergence(m1, s1, m2, s2):
    pearson_identities(LSGAN, m1, s1, m2, s2)


@pytest.mark.parametrize("wrong", [SquaresTheMean, SwapsTheTargets, ForgetsTheHalf])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        pearson_identities(wrong, 0.3, 0.8, -0.5, 1.2)


def any_coding_identities(kind, coding, *parameters):
    """``2 C(G) = (b - a)^2 / 4 T + (a + b - 2 c)^2 / 2``; the critic's loss is its own minimum."""
    a, b, c = coding
    critic, generator, truth = both_losses(kind, coding, *parameters)
    formula = (b - a) ** 2 / 4 * truth + (a + b - 2 * c) ** 2 / 2
    assert 2 * generator == pytest.approx(formula, abs=0.03)
    assert critic == pytest.approx((b - a) ** 2 / 4 * (1 - truth / 2), abs=0.03)


target = st.floats(-1.5, 1.5)


@settings(max_examples=8)
@given(
    st.tuples(target, target, target).filter(lambda t: abs(t[0] - t[1]) > 0.1),
    st.tuples(finite, scale, finite, scale),
)
@example((0.0, 1.0, 0.0), (0.3, 0.8, -0.5, 1.2))
@example((0.0, 1.0, 1.0), (0.3, 0.8, -0.5, 1.2))
def test_any_coding_measures_it_up_to_scale_and_level(coding, parameters):
    any_coding_identities(LSGAN, coding, *parameters)


@pytest.mark.parametrize("wrong", [SquaresTheMean, SwapsTheTargets, ForgetsTheHalf])
def test_wrong_versions_fail_for_other_codings(wrong):
    with pytest.raises(AssertionError):
        any_coding_identities(wrong, (0.5, -1.0, 0.25), 0.3, 0.8, -0.5, 1.2)


def test_where_p_is_q_the_zero_one_coding_costs_a_half():
    """T is 0 for P = Q, and ``2 C(G)`` is 1/2 there."""
    _, generator, truth = both_losses(LSGAN, "zero_one", 0.0, 1.0, 0.0, 1.0)
    assert (truth, 2 * generator) == pytest.approx((0, 0.5), abs=1e-6)


@pytest.mark.parametrize("targets", [(-1, 1, 0), (0.1, 0.9, 0.4)])
def test_any_three_targets(targets):
    model = LSGAN(networks.mlp(1, 1, 4), networks.mlp(1, 1, depth=0), coding=targets)
    model.critic.set_weights([np.ones((1, 1)), np.zeros(1)])
    x, y = tf.constant([[0.5], [2.0]]), tf.constant([[-1.0], [3.0]])
    a, b, c = targets
    real, fake = np.mean((np.array([0.5, 2]) - b) ** 2), np.mean((np.array([-1, 3]) - a) ** 2)
    assert float(model.critic_loss(x, y)) == pytest.approx((real + fake) / 2, rel=1e-5)
    truth = np.mean((np.array([-1, 3]) - c) ** 2) / 2
    assert float(model.generator_loss(x, y)) == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize("coding", ["hinge", (0, 1), (0, 0, 1), (0, 1, np.nan), 3, None])
def test_bad_coding_is_refused(coding):
    with pytest.raises(ValueError, match="coding must be 'zero_one', 'pearson' or three finite"):
        LSGAN(networks.mlp(1, 1, 4), networks.mlp(1, 1, 4), coding=coding)
