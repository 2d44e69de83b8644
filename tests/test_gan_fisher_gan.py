"""Fisher GAN: the saddle point of a linear critic, the bound 2, and the multiplier's way."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import networks
from genlib.gans import FisherGAN
from genlib.gans.fisher_gan import omega


def build(kind=FisherGAN, dim=3, **options):
    return kind(networks.mlp(2, dim, 4, seed=0), critics.linear(dim), seed=0, **options)


def modes(seed, dim=3, n=40):
    rng = np.random.default_rng(seed)
    return [tf.constant(rng.normal(rng.normal(size=dim), 1, (n, dim)), tf.float32) for _ in "pq"]


def solution(real, fake):
    """The best linear critic with Omega = 1, and ``F = sqrt(d' M^-1 d)``."""
    x, y = np.asarray(real, float), np.asarray(fake, float)
    d, pooled = x.mean(0) - y.mean(0), (x.T @ x / len(x) + y.T @ y / len(y)) / 2
    value = np.sqrt(d @ np.linalg.solve(pooled, d))
    return np.linalg.solve(pooled, d) / value, value


class WrongSign(FisherGAN):
    """Wrong: the multiplier goes up its gradient, and lets the critic grow."""

    def after_critic_step(self, real, fake):
        size = omega(self.critic(real), self.critic(fake))
        self.multiplier.assign_add(self.rho * (1 - size))


class Centred(FisherGAN):
    """Wrong: Omega from variances; the paper's is uncentred."""

    def critic_loss(self, real, fake):
        on_real, on_fake = self.critic(real), self.critic(fake)
        size = (tf.math.reduce_variance(on_real) + tf.math.reduce_variance(on_fake)) / 2
        gap = tf.reduce_mean(on_real) - tf.reduce_mean(on_fake)
        missing = 1 - size
        return -(gap + self.multiplier.value * missing - self.rho / 2 * missing**2)


class SquareOfTheMean(FisherGAN):
    """Wrong: the squared mean of f where the mean of its squares belongs."""

    def critic_loss(self, real, fake):
        on_real, on_fake = tf.reduce_mean(self.critic(real)), tf.reduce_mean(self.critic(fake))
        missing = 1 - (on_real**2 + on_fake**2) / 2
        gap = on_real - on_fake
        return -(gap + self.multiplier.value * missing - self.rho / 2 * missing**2)


class RewardsTheConstraint(FisherGAN):
    """Wrong: the quadratic term with the other sign."""

    def critic_loss(self, real, fake):
        size = omega(self.critic(real), self.critic(fake))
        return super().critic_loss(real, fake) - self.rho * (1 - size) ** 2


def saddle_point(kind, seed):
    """At the best critic, with l = F/2: no gradient, the value F, and the multiplier rests."""
    real, fake = modes(seed)
    w, value = solution(real, fake)
    model = build(kind, rho=5.0)
    model.critic.set_weights([w[:, None]])
    model.multiplier.assign(value / 2)
    kernel = model.critic.trainable_variables[0].value
    with tf.GradientTape() as tape:
        loss = model.critic_loss(real, fake)
    assert float(loss) == pytest.approx(-value, rel=1e-4)
    np.testing.assert_allclose(tape.gradient(loss, kernel), 0, atol=1e-4)
    model.after_critic_step(real, fake)
    assert float(model.multiplier.value) == pytest.approx(value / 2, rel=1e-4)
    for scale in (0.9, 1.1):
        model.critic.set_weights([scale * w[:, None]])
        assert float(model.critic_loss(real, fake)) > float(loss)


def training_finds_the_saddle_point(kind, seed):
    """From a critic near 0, gradient steps and the multiplier's rule reach Omega = 1 and F/2."""
    real, fake = modes(seed)
    w, value = solution(real, fake)
    model = build(kind, rho=0.1)
    model.compile(critic_optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
    model.generate = lambda n: fake
    step = tf.function(model.critic_step, autograph=False)
    for _ in range(600):
        step(real)
    size = omega(model.critic(real), model.critic(fake))
    assert float(size) == pytest.approx(1, abs=0.01)
    assert float(model.multiplier.value) == pytest.approx(value / 2, rel=0.02)
    np.testing.assert_allclose(model.critic.get_weights()[0][:, 0], w, atol=0.02)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_saddle_point(seed):
    saddle_point(FisherGAN, seed)
    training_finds_the_saddle_point(FisherGAN, seed)


@pytest.mark.parametrize("wrong", [Centred, SquareOfTheMean, RewardsTheConstraint])
def test_wrong_losses_fail(wrong):
    with pytest.raises(AssertionError):
        saddle_point(wrong, 0)


def test_a_multiplier_that_goes_up_misses_the_saddle_point():
    with pytest.raises(AssertionError):
        training_finds_the_saddle_point(WrongSign, 0)


@settings(max_examples=8)
@given(st.floats(-3, 3), st.floats(0.4, 2), st.floats(0.4, 2))
def test_the_supremum_is_the_divergence_and_never_above_2(shift, s1, s2):
    """``f = (p - q) / (p + q)`` reaches ``F^2 = 2 int (p - q)^2 / (p + q)``; others stay below."""
    p, q = tfd.Normal(0.0, s1), tfd.Normal(shift, s2)
    grid = np.linspace(-20, 20, 100_001, dtype=np.float32)
    a, b = p.prob(grid).numpy().astype(float), q.prob(grid).numpy().astype(float)
    with np.errstate(invalid="ignore"):
        truth = np.sqrt(2 * np.nansum((a - b) ** 2 / (a + b)) * (grid[1] - grid[0]))
    assert truth <= 2 + 1e-6
    x, y = p.sample((60_000, 1), seed=(1, 2)), q.sample((60_000, 1), seed=(3, 4))

    def reached(f):
        on_real, on_fake = f(x), f(y)
        gap = tf.reduce_mean(on_real) - tf.reduce_mean(on_fake)
        return float(gap / tf.sqrt(omega(on_real, on_fake) + 1e-12))

    best = reached(lambda t: tf.tanh((p.log_prob(t) - q.log_prob(t)) / 2))  # (p - q) / (p + q)
    assert best == pytest.approx(truth, abs=0.03)
    for other in (lambda t: t, lambda t: t**2, tf.sin):
        assert abs(reached(other)) < truth + 0.03


@pytest.mark.parametrize(("size", "grows"), [(0.2, False), (3.0, True)])
def test_multiplier_grows_while_the_critic_is_too_large(size, grows):
    model = build(dim=1, rho=0.5)
    model.critic.set_weights([np.array([[np.sqrt(size)]])])
    x = tf.ones((6, 1))
    model.after_critic_step(x, -x)
    assert float(model.multiplier.value) == pytest.approx(-0.5 * (1 - size), rel=1e-5)
    assert (float(model.multiplier.value) > 0) == grows


@pytest.mark.parametrize("rho", [0, -1e-6, np.inf])
def test_bad_rho_is_refused(rho):
    with pytest.raises(ValueError, match="rho must be a finite number above 0"):
        build(rho=rho)
