"""BEGAN: the update of k, its equilibrium, its box.

Wrong versions that these tests reject (the last test keeps four of them): k moves the other way,
k is not clipped, gamma on the generated error, the sum over pixels for their mean.
"""

import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.gans import BEGAN

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


def build(cls=BEGAN, shape=2, **options):
    critic = networks.autoencoder(shape, 3, 8, activation="tanh", seed=2)
    return cls(networks.mlp(2, shape, 8, activation="tanh", seed=1), critic, **options)


def check_update(cls):
    """``k <- clip(k + rate (gamma L(x) - L(G(z))), 0, 1)`` for random errors, into both walls."""
    rng = np.random.default_rng(0)
    model = build(cls, gamma=0.4, k_rate=0.3)
    k, seen = 0.0, []
    assert float(model.k.value) == 0
    for _ in range(60):
        on_real, on_fake = rng.uniform(0, 4), rng.uniform(0, 1.6)
        model.move_k(tf.constant(on_real, tf.float32), tf.constant(on_fake, tf.float32))
        k = min(max(k + 0.3 * (0.4 * on_real - on_fake), 0), 1)
        seen.append(k)
        assert float(model.k.value) == pytest.approx(k, abs=1e-5)
    assert min(seen) == 0 and max(seen) == 1


def test_update_of_k():
    check_update(BEGAN)


def check_equilibrium(cls):
    """At ``E L(x~) = gamma E L(x)`` k rests; a critic that answers to k is led there.

    The larger k, the larger the error that the critic leaves on generated samples.
    """
    for gamma in (0.3, 0.7):
        model = build(cls, gamma=gamma, k_rate=0.5)
        model.k.assign(0.37)
        model.move_k(tf.constant(2.0), tf.constant(2 * gamma))
        assert float(model.k.value) == pytest.approx(0.37, abs=1e-6)
        for _ in range(40):
            on_fake = 0.1 + float(model.k.value)
            model.move_k(tf.constant(1.0), tf.constant(on_fake))
        assert on_fake == pytest.approx(gamma, abs=1e-3)


def test_equilibrium():
    check_equilibrium(BEGAN)


def check_losses(cls):
    """L is the mean absolute error; k weighs the generated one."""
    rng = np.random.default_rng(1)
    for shape in (2, (2, 3, 1)):
        model = build(cls, shape)
        model.k.assign(0.6)
        d = model.critic.input_shape[1:]
        x, made = (tf.constant(rng.normal(size=(9, *d)), tf.float32) for _ in range(2))
        on_real, on_fake = (np.abs(model.critic(z) - z).mean() for z in (x, made))
        expected = on_real - 0.6 * on_fake
        assert float(model.critic_loss(x, made)) == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert float(model.generator_loss(x, made)) == pytest.approx(on_fake, rel=1e-5)


def test_losses():
    check_losses(BEGAN)


def test_a_step_moves_k_by_its_own_errors_and_logs_convergence():
    model = build(seed=0, gamma=0.8, k_rate=0.1)
    model.compile(jit_compile=False)
    model.fit(POINTS, batch_size=16, steps_per_epoch=20, verbose=0)
    logs = model.step_losses
    k, on_fake = logs["k"], logs["generator_loss"]
    assert ((k >= 0) & (k <= 1)).all() and float(model.k.value) == pytest.approx(k[-1])
    assert k.max() > 0
    # convergence = L(x) + |gamma L(x) - L(G)|, and k moved by rate * (gamma L(x) - L(G)).
    gap = np.diff(k, prepend=0) / 0.1
    inside = (k > 0) & (k < 1)
    on_real = logs["convergence"] - np.abs(gap)
    np.testing.assert_allclose((0.8 * on_real - gap)[inside], on_fake[inside], rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BEGAN(networks.mlp(2, 2, 4), networks.mlp(2, 1, 4)), "a copy of each sample"),
        (lambda: build(gamma=1.5), r"gamma must be in \[0, 1\]"),
        (lambda: build(gamma=float("nan")), "gamma must be finite"),
        (lambda: build(k_rate=-1), "k_rate must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class OtherWay(BEGAN):
    def move_k(self, on_real, on_fake):
        kept, self.k_rate = self.k_rate, -self.k_rate
        super().move_k(on_real, on_fake)
        self.k_rate = kept


class NotClipped(BEGAN):
    def move_k(self, on_real, on_fake):
        self.k.assign(self.k.value + self.k_rate * (self.gamma * on_real - on_fake))


class GammaOnTheOther(BEGAN):
    def move_k(self, on_real, on_fake):
        gap = on_real - self.gamma * on_fake
        self.k.assign(tf.clip_by_value(self.k.value + self.k_rate * gap, 0, 1))


class SumOverPixels(BEGAN):
    def error(self, x):
        return super().error(x) * float(np.prod(x.shape[1:]))


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (OtherWay, check_update),
        (OtherWay, check_equilibrium),
        (NotClipped, check_update),
        (GammaOnTheOther, check_equilibrium),
        (SumOverPixels, check_losses),
    ],
)
def test_wrong_versions_are_rejected(wrong, check):
    with pytest.raises(AssertionError):
        check(wrong)
