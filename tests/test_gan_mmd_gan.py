"""MMD GAN, both forms: an identity encoder leaves plain MMD; the box; the witness's slope.

Wrong versions that these tests reject (the last test keeps five of them): feasibility with the
other sign or on |gap|, reconstruction of real samples alone, the decoder clipped with the encoder,
the critic's MMD with the generator's sign, a penalty on the critic instead of its witness.
"""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2
from genlib.gans import MMDGAN, MMDGANGP

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


def generator(seed=1):
    return networks.mlp(2, 2, 8, activation="tanh", seed=seed)


def li(cls=MMDGAN, critic=None, **options):
    critic = critic or networks.autoencoder(2, 3, 8, activation="tanh", seed=2)
    return cls(generator(), critic, **options)


def penalised(cls=MMDGANGP, critic=None, **options):
    critic = critic or networks.mlp(2, 3, 8, activation="tanh", seed=2)
    return cls(generator(), critic, **options)


def batches(seed, n=30):
    rng = np.random.default_rng(seed)
    draws = rng.normal(rng.normal(size=(2, 1, 1)), np.exp(rng.normal()), (2, n, 2))
    return [tf.constant(draw, tf.float32) for draw in draws]


@pytest.mark.parametrize("seed", range(3))
def test_identity_encoder_is_plain_mmd(seed):
    real, fake = batches(seed)
    model = li(critic=critics.identity_autoencoder(), feasibility_weight=0.0)
    plain = np.sqrt(mmd2(real, fake, kernels.rbf([1, 2, 4, 8, 16]), unbiased=False))
    assert float(model.generator_loss(real, fake)) == pytest.approx(plain, rel=1e-5)
    assert float(model.critic_loss(real, fake)) == pytest.approx(-plain, rel=1e-5)

    model = penalised(critic=critics.identity((2,)), penalty_weight=0.0)
    plain = float(mmd2(real, fake, kernels.rational_quadratic([0.1, 1, 10]), unbiased=True))
    assert float(model.generator_loss(real, fake)) == pytest.approx(plain, rel=1e-5)
    assert float(model.critic_loss(real, fake)) == pytest.approx(-plain, rel=1e-5)


def check_li(cls):
    """Both losses of a random encoder, written out in NumPy."""
    model = li(cls, feasibility_weight=3.0, reconstruction_weight=5.0)
    for seed in range(3):
        real, fake = batches(seed)
        x, y = model.encoder(real).numpy(), model.encoder(fake).numpy()
        mmd = np.sqrt(float(mmd2(x, y, model.kernel, unbiased=False)))
        feasibility = -np.maximum(y.mean(0) - x.mean(0), 0).mean()
        assert feasibility < 0
        errors = sum(np.mean((model.critic(z) - z) ** 2) for z in (real, fake))
        game = mmd + 3 * feasibility
        assert float(model.generator_loss(real, fake)) == pytest.approx(game, rel=1e-4)
        expected = 5 * errors - game
        assert float(model.critic_loss(real, fake)) == pytest.approx(expected, rel=1e-4)


def test_li_losses():
    check_li(MMDGAN)


def test_feasibility_is_one_sided():
    model = li(critic=critics.identity_autoencoder(), feasibility_weight=1.0)
    x = tf.constant(POINTS)
    assert float(model.distance(x + 1, x + 1)) == pytest.approx(0, abs=1e-5)
    mmd = float(model.distance(x + 1, x))  # real codes are larger: nothing to pay
    assert mmd == pytest.approx(float(li(feasibility_weight=0.0).distance(x + 1, x)), abs=1e-6)
    assert float(model.distance(x, x + 1)) == pytest.approx(mmd - 1, abs=1e-5)


def check_box(cls):
    """After each step the encoder's weights lie in the box, and the decoder's need not."""
    model = li(cls, clip=0.05, critic_steps=2, seed=0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), jit_compile=False)
    for _ in range(3):
        model.step(lambda: tf.constant(POINTS))
        largest = [max(np.abs(v.numpy()).max() for v in half.trainable_variables)
                   for half in (model.encoder, model.decoder)]  # fmt: skip
        assert largest[0] <= np.float32(0.05) and largest[1] > 0.1, largest


def test_clip_box():
    check_box(MMDGAN)


def codes32(codes):
    return [tf.constant(c, tf.float32) for c in codes]


def check_witness(cls):
    """The penalty is on the slope of ``mean k(h(t), h(x)) - mean k(h(t), h(x~))``."""
    model = penalised(cls, alphas=(0.3, 2.0), penalty_weight=7.0)
    real, fake = batches(1, 10)
    alpha = np.random.default_rng(0).uniform(size=(10,)).astype(np.float32)
    model.random_uniform = lambda shape: tf.constant(alpha)
    codes = [model.critic(z).numpy().astype(float) for z in (real, fake)]

    def witness(t):
        h = model.critic(t[None].astype(np.float32)).numpy().astype(float)

        def k(other):
            squares = np.sum((h - other) ** 2, 1)
            return np.mean(sum((1 + squares / (2 * a)) ** -a for a in (0.3, 2.0)))

        return k(codes[0]) - k(codes[1])

    costs, step = [], 1e-2
    for a, x, y in zip(alpha, real.numpy(), fake.numpy(), strict=True):
        t = a * x + (1 - a) * y
        slope = [(witness(t + d) - witness(t - d)) / (2 * step) for d in step * np.eye(2)]
        costs.append((np.linalg.norm(slope) - 1) ** 2)
    few = np.stack([witness(t) for t in real.numpy()[:4]])
    np.testing.assert_allclose(model.witness(real[:4], *codes32(codes)), few, rtol=1e-3, atol=1e-5)
    expected = 7 * np.mean(costs) - float(model.mmd2(*codes32(codes)))
    assert float(model.critic_loss(real, fake)) == pytest.approx(expected, rel=2e-3)


def test_penalty_is_on_the_witness():
    check_witness(MMDGANGP)


def with_batch_norm():
    start = keras.Input((2,))
    return keras.Model(start, keras.layers.Dense(3)(keras.layers.BatchNormalization()(start)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: li(critic=networks.mlp(2, 3)), "a copy of each sample"),
        (lambda: li(clip=0), "clip must be a finite number above 0"),
        (lambda: li(feasibility_weight=-1), "feasibility_weight must be"),
        (lambda: penalised(critic=networks.mlp((2,), (3, 3))), "a vector a sample"),
        (lambda: penalised(critic=with_batch_norm()), "batch normalisation"),
        (lambda: penalised(alphas=()), "alpha must hold at least one"),
        (
            lambda: penalised().fit(POINTS, batch_size=1, verbose=0),
            "batch_size must be a whole number of at least 2; got 1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class FeasibilityFlipped(MMDGAN):
    def distance(self, real_codes, fake_codes):
        return super().distance(fake_codes, real_codes)


class RealReconstructedTwice(MMDGAN):
    def critic_loss(self, real, fake):
        extra = [tf.reduce_mean((self.critic(x) - x) ** 2) for x in (real, fake)]
        return super().critic_loss(real, fake) + self.reconstruction_weight * (extra[0] - extra[1])


class AllClipped(MMDGAN):
    def after_critic_step(self, real, fake):
        for weight in self.critic.trainable_variables:
            weight.assign(tf.clip_by_value(weight.value, -self.clip, self.clip))


class CriticGoesDownToo(MMDGANGP):
    def critic_loss(self, real, fake):
        return super().critic_loss(real, fake) + 2 * self.generator_loss(real, fake)


class PenaltyOnTheCritic(MMDGANGP):
    def witness(self, x, real_codes, fake_codes):
        return self.critic(x, training=True)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (FeasibilityFlipped, check_li),
        (RealReconstructedTwice, check_li),
        (AllClipped, check_box),
        (CriticGoesDownToo, check_witness),
        (PenaltyOnTheCritic, check_witness),
    ],
)
def test_wrong_versions_are_rejected(wrong, check):
    with pytest.raises(AssertionError):
        check(wrong)
