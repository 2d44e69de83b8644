"""Cramer GAN: with h = identity its losses are expectations known in closed form.

Wrong versions that these tests reject (the last test keeps four of them): one generated batch
used twice, the critic's surrogate given to the generator, the critic's sign flipped, the penalty
on |h| instead of f.
"""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from genlib import divergences, networks
from genlib.gans import CramerGAN
from genlib.gans.cramer_gan import norm

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


COUNT = 200_000


def random_normals(seed):
    rng = np.random.default_rng(seed)
    return [(rng.normal(), np.exp(rng.normal(0, 0.5))) for _ in range(2)]


def line_model(cls, q, seed=0):
    """h = identity on the line, and a generator of N(q)."""
    model = cls(networks.mlp(1, 1, 4), critics.identity((1,)), penalty_weight=0.0, seed=seed)
    mean, scale = q
    model.generate = lambda n: mean + scale * model.random_normal((n, 1))
    return model


def mean_distance(mean, scale):
    """``E |N(mean, scale)|``."""
    z = mean / scale
    return scale * (2 * stats.norm.pdf(z) + z * (1 - 2 * stats.norm.cdf(-z)))


def draw(p, seed):
    return tfd.Normal(*map(float, p)).sample((COUNT, 1), seed=(seed, 12345))


def check_energy_distance(cls):
    """The generator's loss is the energy distance plus ``E |x - x'|``, whatever q is."""
    for seed in range(3):
        p, q = random_normals(seed)
        model = line_model(cls, q)
        loss = float(model.generator_loss(draw(p, seed), model.generate(COUNT)))
        energy = float(divergences.energy(tfd.Normal(*map(float, p)), tfd.Normal(*map(float, q))))
        within_data = mean_distance(0, p[1] * 2**0.5)
        error = 4 * (p[1] + q[1] + abs(p[0] - q[0])) / COUNT**0.5
        assert loss == pytest.approx(energy + within_data, abs=5 * error)


def test_generator_goes_down_the_energy_distance():
    check_energy_distance(CramerGAN)


def check_surrogate(cls):
    """``E |g1-g2| - E |g1| - E |x-g2| + E |x|``, each of them known for normals."""
    for seed in range(3):
        p, q = random_normals(seed)
        model = line_model(cls, q)
        loss = float(model.critic_loss(draw(p, seed), model.generate(COUNT)))
        expected = (
            mean_distance(0, q[1] * 2**0.5)
            - mean_distance(*q)
            - mean_distance(p[0] - q[0], np.hypot(p[1], q[1]))
            + mean_distance(*p)
        )
        error = 4 * (p[1] + q[1] + abs(p[0]) + abs(q[0])) / COUNT**0.5
        assert loss == pytest.approx(expected, abs=5 * error)


def test_critic_goes_up_the_surrogate():
    check_surrogate(CramerGAN)


def test_surrogate_is_no_loss_for_a_generator():
    """The energy form rises on both sides of the data; the surrogate falls towards h = 0.

    Data at 1; a point mass at g. The energy form is least at g = 1. The surrogate
    ``E f(x) - E f(g) = |1 - g| - 1 + |g|`` is as small anywhere between 0 and the data.
    """
    values = {"energy": [], "surrogate": []}
    for g in (0.0, 0.5, 1.0, 1.5):
        model = line_model(CramerGAN, (g, 0.0))
        x, made = tf.ones((4, 1)), model.generate(4)
        values["energy"].append(float(model.generator_loss(x, made)))
        values["surrogate"].append(-float(model.critic_loss(x, made)))
    np.testing.assert_allclose(values["energy"], [2, 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(values["surrogate"], [0, 0, 0, 1], atol=1e-6)


def check_penalty(cls):
    """The slope of ``|h(t) - h(g2)| - |h(t)|`` by differences, at one point a pair."""
    rng = np.random.default_rng(4)
    critic = networks.mlp(2, 3, 8, activation="tanh", seed=2)
    model = cls(networks.mlp(2, 2, 4, seed=1), critic, penalty_weight=1.0)
    x, g1, g2 = rng.normal(size=(3, 10, 2)).astype(np.float32)
    alpha = rng.uniform(size=10).astype(np.float32)
    model.generate = lambda n: tf.constant(g2)
    model.random_uniform = lambda shape: tf.constant(alpha)

    def h(t):
        return critic(np.atleast_2d(t).astype(np.float32)).numpy().astype(float)

    def f(t, i):
        return np.linalg.norm(h(t) - h(g2[i])) - np.linalg.norm(h(t))

    costs, step = [], 1e-2
    for i in range(10):
        t = alpha[i] * x[i] + (1 - alpha[i]) * g1[i]
        slope = [(f(t + d, i) - f(t - d, i)) / (2 * step) for d in step * np.eye(2)]
        costs.append((np.linalg.norm(slope) - 1) ** 2)
    gap = np.mean([f(x[i], i) - f(g1[i], i) for i in range(10)])
    loss = float(model.critic_loss(tf.constant(x), tf.constant(g1)))
    assert loss == pytest.approx(np.mean(costs) - gap, rel=2e-3)


def test_penalty_is_on_f():
    check_penalty(CramerGAN)


def build(**options):
    critic = networks.mlp(2, 4, 8, activation="tanh", seed=2)
    return CramerGAN(networks.mlp(2, 2, 8, activation="tanh", seed=1), critic, **options)


def test_the_two_generated_batches_are_independent():
    model, batches = build(seed=0), []
    model.generate = lambda n: batches.append(model.random_normal((n, 2))) or batches[-1]
    model.compile(jit_compile=False)
    model.critic_loss(tf.constant(POINTS), model.generate(64))
    assert len(batches) == 2
    assert abs(np.corrcoef(batches[0][:, 0], batches[1][:, 0])[0, 1]) < 0.5


def with_batch_norm():
    start = keras.Input((2,))
    return keras.Model(start, keras.layers.Dense(3)(keras.layers.BatchNormalization()(start)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"critic": networks.mlp((2,), (2, 2), 4)}, "a vector a sample"),
        ({"critic": with_batch_norm()}, "batch normalisation"),
        ({"penalty_weight": -1}, "penalty_weight must be"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        CramerGAN(networks.mlp(2, 2, 4), options.pop("critic", networks.mlp(2, 3, 4)), **options)


class OneBatch(CramerGAN):
    def generator_loss(self, real, fake):
        kept, self.generate = self.generate, lambda n: fake
        loss = super().generator_loss(real, fake)
        self.generate = kept
        return loss


class GeneratorOnTheSurrogate(CramerGAN):
    def generator_loss(self, real, fake):
        return -self.critic_loss(real, fake)


class SignFlipped(CramerGAN):
    def critic_loss(self, real, fake):
        return -super().critic_loss(real, fake)


class PenaltyOnTheNorm(CramerGAN):
    def critic_loss(self, real, fake):
        from genlib.gans import penalties

        def length(t):
            return norm(self.critic(t))

        kept, penalties.gradient_penalty = penalties.gradient_penalty, None
        try:
            penalties.gradient_penalty = lambda f, *rest: kept(length, *rest)
            return super().critic_loss(real, fake)
        finally:
            penalties.gradient_penalty = kept


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (OneBatch, check_energy_distance),
        (GeneratorOnTheSurrogate, check_energy_distance),
        (SignFlipped, check_surrogate),
        (PenaltyOnTheNorm, check_penalty),
    ],
)
def test_wrong_versions_are_rejected(wrong, check):
    with pytest.raises(AssertionError):
        check(wrong)
