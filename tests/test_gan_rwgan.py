"""RWGAN: its cost, and its dual against a Sinkhorn solver's optimum on the same samples."""

import keras
import numpy as np
import ot
import pytest
import tensorflow as tf

from genlib import networks
from genlib.divergences import samples
from genlib.gans import RWGAN
from genlib.lectures.l34_rwgan import ClippedRWGAN, SinkhornGAN


def batches(seed, n=12, m=9, d=2):
    rng = np.random.default_rng(seed)
    x, y = rng.gamma(2.0, 0.5, (n, d)), rng.gamma(3.0, 0.4, (m, d))
    return tf.constant(x, tf.float32), tf.constant(y, tf.float32)


def build(kind=RWGAN, d=2, **options):
    positive = networks.mlp(2, d, 4, output_activation="softplus", seed=0)
    return kind(positive, networks.mlp(d, 2, 16, seed=1), seed=0, **options)


def cost_by_hand(phi, x, y):
    x, y = np.asarray(x, float)[:, None], np.asarray(y, float)[None]
    if phi == "squared":
        return ((x - y) ** 2).sum(-1)
    return (x * np.log(x / y) - x + y).sum(-1)


def potentials(cost, eps):
    """The best ``u`` (n,) and ``v`` (m,) of the regularised dual, by alternation in float64."""
    u, v = np.zeros(cost.shape[0]), np.zeros(cost.shape[1])
    for _ in range(3000):
        u = -eps * np.log(np.mean(np.exp((v - cost) / eps), 1))
        v = -eps * np.log(np.mean(np.exp((u[:, None] - cost) / eps), 0))
    return u, v


def with_table(model, real, u, v):
    """Let ``model``'s critic give ``u`` on the samples ``real`` and ``v`` on all others."""
    tables = [tf.constant(np.stack([t, t], 1), tf.float32) for t in (u, v)]
    model.critic = lambda x, training: tables[0] if x is real else tables[1]
    return model


def dual_equals_the_regularised_optimum(kind, phi, eps, seed):
    """At the best potentials the dual is ``min E D_phi + eps KL(coupling || P x Q)``, by POT."""
    real, fake = batches(seed)
    cost = cost_by_hand(phi, real, fake)
    n, m = cost.shape
    plan = ot.sinkhorn(np.full(n, 1 / n), np.full(m, 1 / m), cost, eps, numItermax=20_000)
    truth = np.sum(plan * cost) + eps * np.sum(plan * np.log(plan * n * m + 1e-300))
    model = build(kind, phi=phi, regularisation=eps)
    best = with_table(model, real, *potentials(cost, eps))
    assert float(best.critic_loss(real, fake)) == pytest.approx(-truth, abs=2e-4)
    assert float(best.generator_loss(real, fake)) == pytest.approx(truth, abs=2e-4)


CASES = [("squared", 0.3, 0), ("kl", 0.2, 1), ("squared", 1.0, 2), ("kl", 0.5, 3)]


@pytest.mark.parametrize("case", CASES)
def test_dual_equals_the_regularised_optimum(case):
    dual_equals_the_regularised_optimum(RWGAN, *case)


class OtherWayRound(RWGAN):
    """Wrong: the cost is D_phi(y, x); it shows under KL, which is not symmetric."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        right = self.cost
        self.cost = lambda x, y: tf.transpose(right(y, x))


class SumsOverPairs(RWGAN):
    """Wrong: a sum over one side's samples where the mean over all pairs belongs."""

    def dual(self, real, fake):
        eps, c = self.regularisation, self.cost(real, fake)
        u, v = self.critic(real, training=True)[:, :1], self.critic(fake, training=True)[:, 1]
        over = tf.reduce_mean(tf.reduce_sum(tf.exp((u + v - c) / eps) - 1, 1))
        return tf.reduce_mean(u) + tf.reduce_mean(v) - eps * over


class ForgetsEps(RWGAN):
    """Wrong: the soft constraint without its factor eps."""

    def dual(self, real, fake):
        eps, c = self.regularisation, self.cost(real, fake)
        u, v = self.critic(real, training=True)[:, :1], self.critic(fake, training=True)[:, 1]
        return tf.reduce_mean(u) + tf.reduce_mean(v) - tf.reduce_mean(tf.exp((u + v - c) / eps))


def no_potentials_beat_the_best(kind, seed):
    """Shifted or shaken, the best potentials give less."""
    real, fake = batches(seed)
    u, v = potentials(cost_by_hand("kl", real, fake), 0.3)
    model = build(kind, phi="kl", regularisation=0.3)
    best = float(with_table(model, real, u, v).dual(real, fake))
    rng = np.random.default_rng(seed)
    shakes = [(rng.normal(0, 0.1, u.shape), rng.normal(0, 0.1, v.shape)) for _ in range(5)]
    for du, dv in [(0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1), *shakes]:
        assert float(with_table(model, real, u + du, v + dv).dual(real, fake)) < best


@pytest.mark.parametrize("seed", [0, 1])
def test_no_potentials_beat_the_best(seed):
    no_potentials_beat_the_best(RWGAN, seed)


@pytest.mark.parametrize("wrong", [OtherWayRound, ForgetsEps])
def test_wrong_versions_miss_the_optimum(wrong):
    with pytest.raises(AssertionError):
        dual_equals_the_regularised_optimum(wrong, *CASES[1])


@pytest.mark.parametrize("wrong", [SumsOverPairs, ForgetsEps])
def test_wrong_versions_have_other_best_potentials(wrong):
    with pytest.raises(AssertionError):
        no_potentials_beat_the_best(wrong, 0)


@pytest.mark.parametrize("phi", ["squared", "kl"])
def test_trained_dual_approaches_the_optimum_from_below(phi):
    real, fake = batches(4)
    cost = cost_by_hand(phi, real, fake)
    eps = 0.3
    u, v = potentials(cost, eps)
    model = build(phi=phi, regularisation=eps)
    model.compile(critic_optimizer=keras.optimizers.Adam(1e-2), jit_compile=False)
    model.generate = lambda n: fake
    step = tf.function(model.critic_step, autograph=False)
    start = -float(model.critic_loss(real, fake))
    for _ in range(600):
        step(real)
    truth, reached = u.mean() + v.mean(), -float(model.critic_loss(real, fake))
    assert start < truth - 0.05
    assert truth - 0.02 < reached < truth + 1e-4


def test_any_convex_phi_and_pictures():
    """``phi = sum exp``: ``D(x, y) = sum e^x - e^y - e^y (x - y)``."""
    model = RWGAN(
        networks.mlp(2, (2, 2, 1), 4, seed=0),
        networks.mlp((2, 2, 1), 2, 4, seed=1),
        phi=lambda x: tf.reduce_sum(tf.exp(x), 1),
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    by_hand = (np.exp(x)[:, None] - np.exp(y) - np.exp(y) * (x[:, None] - y)).sum(-1)
    made = model.cost(tf.constant(x, tf.float32), tf.constant(y, tf.float32))
    np.testing.assert_allclose(made, by_hand, rtol=1e-4, atol=1e-5)
    as_pictures = (tf.constant(z.reshape(-1, 2, 2, 1), tf.float32) for z in (x, y))
    assert np.isfinite(float(model.critic_loss(*as_pictures)))


def test_data_not_positive_under_the_kl_cost_is_refused_before_training():
    model = build(phi="kl")
    for low in (0.0, -0.5):
        with pytest.raises(ValueError, match=r"data must be positive .*; got"):
            model.fit([[1.0, low], [1.0, 2.0]], verbose=0)
    unbounded = RWGAN(networks.mlp(2, 2, 4, seed=0), networks.mlp(2, 2, 4, seed=1), phi="kl")
    with pytest.raises(ValueError, match="what generator makes must be positive"):
        unbounded.fit(np.ones((8, 2)), verbose=0)
    build(phi="squared").validate_data(tf.constant([[-1.0, 0.0]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phi": "cubic"}, "phi must be one of kl, squared; got 'cubic'"),
        ({"regularisation": 0.0}, "regularisation must be a finite number above 0"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize("debiased", [False, True])
def test_a_solver_in_the_critics_place_goes_down_the_library_s_cost(debiased):
    x, y = batches(3, m=12)
    game = SinkhornGAN(networks.mlp(2, 2, 4), 0.5, debiased, rounds=200)
    moved = tf.Variable(y)
    slopes = []
    for loss in (
        lambda: game.generator_loss(x, tf.convert_to_tensor(moved)),
        lambda: samples.sinkhorn(x, moved, 0.5, tolerance=1e-7, debiased=debiased),
    ):
        with tf.GradientTape() as tape:
            value = loss()
        slopes.append(tape.gradient(value, moved))
    np.testing.assert_allclose(*slopes, atol=2e-4)


@pytest.mark.parametrize(("phi", "slope"), [("squared", lambda w: w), ("kl", np.log1p)])
def test_the_clipped_game_keeps_phi_s_slope_within_the_box(phi, slope):
    critic = networks.mlp(2, 1, 8, seed=1)
    game = ClippedRWGAN(networks.mlp(2, 2, 4), critic, phi=phi, clip=0.2)
    game.after_critic_step(None, None)
    slopes = slope(np.concatenate([w.numpy().ravel() for w in critic.trainable_variables]))
    np.testing.assert_allclose([slopes.min(), slopes.max()], [-0.2, 0.2], rtol=1e-5)
