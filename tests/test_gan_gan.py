"""The original GAN against Goodfellow et al.'s Theorem 1, and its two generators."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import divergences, networks
from genlib.gans import GAN

finite = st.floats(-2, 2, allow_nan=False)
scale = st.floats(0.3, 2)


class LogRatio(keras.layers.Layer):
    """The optimal critic of two known densities: the logit ``log p(x) - log q(x)``."""

    def __init__(self, p, q, **options):
        super().__init__(**options)
        self.p, self.q = p, q

    def call(self, x):
        return self.p.log_prob(x) - self.q.log_prob(x)


def gan(critic, **options):
    return GAN(networks.mlp(1, 1, 4), critic, **options)


@settings(max_examples=8)
@given(finite, scale, finite, scale)
def test_value_at_the_optimal_critic_is_2_jsd_minus_log_4(m1, s1, m2, s2):
    """Goodfellow et al. (2014), Theorem 1; the value is minus the critic's loss."""
    p, q = tfd.Normal(m1, s1), tfd.Normal(m2, s2)
    model = gan(critics.of_layer(LogRatio(p, q)))
    n = 100_000
    real, fake = p.sample((n, 1), seed=(1, 2)), q.sample((n, 1), seed=(3, 4))
    terms = tf.nn.softplus(-model.critic(real)), tf.nn.softplus(model.critic(fake))
    error = sum(float(tf.math.reduce_std(t)) for t in terms) / n**0.5
    value = -float(model.critic_loss(real, fake))
    assert value == pytest.approx(2 * float(divergences.js(p, q)) - np.log(4), abs=5 * error + 1e-5)


@pytest.mark.parametrize("logit", [0.0, -1.3, 2.1])
def test_constant_critic(logit, kind=GAN):
    """A critic that always says ``logit``; at 0 its loss is 2 log 2."""
    bias = keras.initializers.Constant(logit)
    critic = critics.of_layer(
        keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=bias)
    )
    model, x = kind(networks.mlp(1, 1, 4), critic), tf.ones((6, 1))
    d = 1 / (1 + np.exp(-logit))
    assert float(model.critic_loss(x, x)) == pytest.approx(-np.log(d) - np.log(1 - d), rel=1e-5)
    assert float(model.generator_loss(x, x)) == pytest.approx(-np.log(d), rel=1e-5)
    model.objective = "minimax"
    assert float(model.generator_loss(x, x)) == pytest.approx(np.log(1 - d), rel=1e-5)


def test_no_other_critic_beats_the_optimal_one():
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 0.7)
    real, fake = p.sample((50_000, 1), seed=(1, 2)), q.sample((50_000, 1), seed=(3, 4))
    best = float(gan(critics.of_layer(LogRatio(p, q))).critic_loss(real, fake))
    for m in (-0.3, 0.3):
        other = gan(critics.of_layer(LogRatio(p, tfd.Normal(1.0 + m, 0.7))))
        assert float(other.critic_loss(real, fake)) > best


def test_minimax_gradient_vanishes_where_the_critic_is_sure_and_the_other_does_not():
    """Slope of the generator's loss at logit -8: sigmoid(-8) against 1 - sigmoid(-8)."""
    critic = critics.identity()
    fake = tf.constant([[-8.0]])
    slopes = {}
    for objective in ("minimax", "non_saturating"):
        model = gan(critic, objective=objective)
        with tf.GradientTape() as tape:
            tape.watch(fake)
            loss = model.generator_loss(fake, fake)
        slopes[objective] = float(tape.gradient(loss, fake)[0, 0])
    sure = 1 / (1 + np.exp(8))
    assert slopes["minimax"] == pytest.approx(-sure, rel=1e-4)
    assert slopes["non_saturating"] == pytest.approx(-(1 - sure), rel=1e-4)


class WrongSign(GAN):
    """Wrong: the generator's losses with their sign turned round."""

    def generator_loss(self, real, fake):
        return -super().generator_loss(real, fake)


class HalfTheLoss(GAN):
    """Wrong: the mean over real and generated samples together, a mean where a sum belongs."""

    def critic_loss(self, real, fake):
        return super().critic_loss(real, fake) / 2


@pytest.mark.parametrize("wrong", [WrongSign, HalfTheLoss])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        test_constant_critic(0.7, wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: gan(networks.mlp(1, 1, 4, output_activation="sigmoid")),
            "remove the sigmoid",
        ),
        (
            lambda: gan(networks.mlp(1, 1, 4), objective="hinge"),
            "objective must be one of minimax, non_saturating; got 'hinge'",
        ),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
