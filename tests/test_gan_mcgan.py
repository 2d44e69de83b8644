"""McGAN: dual norms and singular values, and matrices that stay orthonormal."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.experiments import default_networks
from genlib.gans import McGAN, mcgan


def build(kind=McGAN, dim=3, **options):
    return kind(networks.mlp(2, dim, 4, seed=0), critics.identity((dim,)), seed=0, **options)


def modes(seed, dim, n=30):
    rng = np.random.default_rng(seed)
    return [
        tf.constant(
            rng.normal(rng.normal(size=dim), rng.uniform(0.5, 2, dim), (n, dim)), tf.float32
        )
        for _ in "pq"
    ]


#: Second moments diag(3, 0, 1) and diag(0, 2, 0): their difference is diag(3, -2, 1).
INDEFINITE = [
    tf.constant(np.sqrt(3) * np.diag(np.sqrt(moments)), tf.float32)
    for moments in ([3, 0, 1], [0, 2, 0])
]


class TiesUAndV(McGAN):
    """Wrong: one matrix on both sides sees only the positive eigenvalues."""

    def _second_moment(self, features):
        self.V = self.U
        return super()._second_moment(features)


class SumsOverTheBatch(McGAN):
    """Wrong: a sum over samples where the mean belongs."""

    def _second_moment(self, features):
        return tf.cast(tf.shape(features)[0], tf.float32) * super()._second_moment(features)


class WrongSign(McGAN):
    """Wrong: the critic closes the gap."""

    def critic_loss(self, real, fake):
        return self.gap(real, fake)


class SwapsTheNorms(McGAN):
    """Wrong: the norm of v itself in place of its dual."""

    def gap(self, real, fake):
        gap = tf.reduce_mean(self.critic(real), 0) - tf.reduce_mean(self.critic(fake), 0)
        return tf.norm(gap, ord=self.p)


class MeanOfTheNorms(McGAN):
    """Wrong: the norm of each sample's difference, then the mean."""

    def gap(self, real, fake):
        return tf.reduce_mean(tf.norm(self.critic(real) - self.critic(fake), axis=1))


def covariance_game_reaches(kind, real, fake, k, best):
    """U and V, trained and projected as in a run, reach ``best`` and stay orthonormal."""
    model = build(kind, real.shape[1], matching="covariance", k=k)
    model.compile(critic_optimizer=keras.optimizers.SGD(0.05), jit_compile=False)
    model.generate = lambda n: fake
    step = tf.function(model.critic_step, autograph=False)
    for _ in range(400):
        step(real)
        for matrix in (model.U.numpy(), model.V.numpy()):
            np.testing.assert_allclose(matrix.T @ matrix, np.eye(k), atol=1e-5)
    assert -float(model.critic_loss(real, fake)) == pytest.approx(best, rel=2e-3)
    assert float(model.generator_loss(real, fake)) == pytest.approx(best, rel=2e-3)


def test_indefinite_difference_gives_5_and_tied_matrices_only_4():
    covariance_game_reaches(McGAN, *INDEFINITE, k=2, best=5)
    with pytest.raises(AssertionError, match=r"4\.0|3\.9"):
        covariance_game_reaches(TiesUAndV, *INDEFINITE, k=2, best=5)


@pytest.mark.parametrize(("seed", "dim", "k"), [(0, 4, 1), (1, 5, 3)])
def test_covariance_value_is_the_sum_of_the_largest_singular_values(seed, dim, k):
    real, fake = modes(seed, dim)
    scale = 3 / np.abs(np.asarray(real)).max()  # so that one learning rate suits all
    real, fake = real * scale, fake * scale
    moments = [np.asarray(x, float).T @ np.asarray(x, float) / len(x) for x in (real, fake)]
    best = np.linalg.svd(moments[0] - moments[1], compute_uv=False)[:k].sum()
    covariance_game_reaches(McGAN, real, fake, k, best)


@pytest.mark.parametrize("wrong", [TiesUAndV, SumsOverTheBatch, WrongSign])
def test_wrong_covariances_fail(wrong):
    with pytest.raises(AssertionError):
        covariance_game_reaches(wrong, *INDEFINITE, k=2, best=5)


def mean_game(kind, p, seed):
    """The gap is the dual norm: no v of the unit ball shows more, and one shows as much."""
    real, fake = modes(seed, 5)
    gap = np.mean(real, 0) - np.mean(fake, 0)
    value = float(build(kind, 5, p=p).generator_loss(real, fake))
    assert float(build(kind, 5, p=p).critic_loss(real, fake)) == pytest.approx(-value)
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(5000, 5))
    v /= np.linalg.norm(v, p, axis=1, keepdims=True)
    assert (v @ gap).max() <= value * (1 + 1e-5)
    best = np.eye(5)[np.abs(gap).argmax()] * np.sign(gap) if p == 1 else gap / np.linalg.norm(gap)
    assert best @ gap == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mean_game(p, seed):
    mean_game(McGAN, p, seed)


@pytest.mark.parametrize(
    ("wrong", "p"), [(SwapsTheNorms, 1), (MeanOfTheNorms, 2), (WrongSign, 2), (WrongSign, 1)]
)
def test_wrong_means_fail(wrong, p):
    with pytest.raises(AssertionError):
        mean_game(wrong, p, 0)


def trained_v_reaches_the_dual_norm(p, seed):
    """Steps of v, each brought back into the ball, end at the closed form's value."""
    real, fake = modes(seed, 5)
    best = float(build(McGAN, 5, p=p).generator_loss(real, fake))
    model = build(McGAN, 5, p=p, trained_v=True)
    model.compile(critic_optimizer=keras.optimizers.SGD(0.2), jit_compile=False)
    model.generate = lambda n: fake
    step = tf.function(model.critic_step, autograph=False)
    for _ in range(200):
        step(real)
        assert np.linalg.norm(model.v.numpy(), p) <= 1 + 1e-5
    assert float(model.generator_loss(real, fake)) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("p", [1, 2])
def test_trained_v_reaches_the_dual_norm(p):
    trained_v_reaches_the_dual_norm(p, 3)


def test_a_ball_of_the_other_norm_or_a_mere_rescaling_fails(monkeypatch):
    right = mcgan.project_to_ball
    monkeypatch.setattr(mcgan, "project_to_ball", lambda v, p: right(v, 3 - p))
    for p in (1, 2):
        with pytest.raises(AssertionError):
            trained_v_reaches_the_dual_norm(p, 3)
    monkeypatch.setattr(
        mcgan, "project_to_ball", lambda v, p: v / tf.maximum(1.0, tf.norm(v, ord=p))
    )
    with pytest.raises(AssertionError):
        trained_v_reaches_the_dual_norm(1, 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("p", [1, 2])
def test_no_point_of_the_ball_is_nearer(p, seed):
    rng = np.random.default_rng(seed)
    point = rng.normal(0, rng.choice([0.1, 1.0, 5.0]), 6).astype(np.float32)
    nearest = mcgan.project_to_ball(tf.constant(point), p).numpy()
    assert np.linalg.norm(nearest, p) <= 1 + 1e-5
    inside = rng.normal(size=(4000, 6))
    inside *= rng.uniform(0, 1, (4000, 1)) / np.linalg.norm(inside, p, axis=1, keepdims=True)
    near = nearest + 0.05 * (inside - nearest)  # the ball is convex: these are in it
    for others in (inside, near):
        gaps = np.linalg.norm(others - point, axis=1)
        assert np.linalg.norm(nearest - point) <= gaps.min() + 1e-5


def test_equal_means_give_no_nan():
    x = tf.Variable(tf.ones((4, 3)))
    with tf.GradientTape() as tape:
        loss = build(p=2).generator_loss(x, x)
    assert np.isfinite(tape.gradient(loss, x)).all()


@pytest.mark.parametrize("seed", range(3))
def test_orthonormal_is_the_unique_q(seed):
    """``Q R`` with a positive diagonal of R gives back Q, whatever R."""
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.normal(size=(6, 4)))[0]
    r = np.triu(rng.normal(size=(4, 4)))
    np.fill_diagonal(r, rng.uniform(0.5, 2, 4))
    np.testing.assert_allclose(mcgan.qr_retraction(tf.constant(q @ r, tf.float32)), q, atol=1e-5)


def test_features_stay_in_the_box_and_matrices_orthonormal():
    model = McGAN(
        *default_networks(McGAN, (2,), width=8, code=6, seed=0),
        matching="covariance", k=3, clip=0.05, critic_steps=2, seed=0,
    )  # fmt: skip
    model.compile(*(keras.optimizers.RMSprop(0.05) for _ in "gc"), jit_compile=False)
    points = np.random.default_rng(0).normal(size=(64, 2))
    for _ in range(4):
        model.fit(points, batch_size=16, steps_per_epoch=1, verbose=0)
        assert max(np.abs(w).max() for w in model.critic.get_weights()) <= np.float32(0.05)
        for matrix in (model.U.numpy(), model.V.numpy()):
            np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-5)


def test_equal_runs_without_xla_are_equal():
    """U and V are updated twice a step; graph rewriting once let a read slip behind an update."""
    runs = []
    for _ in range(4):
        nets = default_networks(McGAN, (2,), width=32, seed=0)
        model = McGAN(*nets, matching="covariance", clip=0.3, seed=0)
        model.compile(*(keras.optimizers.RMSprop(1e-3) for _ in "gc"), jit_compile=False)
        points = np.random.default_rng(0).normal(size=(512, 2))
        model.fit(points, batch_size=64, steps_per_epoch=60, verbose=0)
        runs.append(model.step_losses["critic_loss"])
    assert np.ptp(runs, axis=0).max() < 1e-4


def test_u_and_v_are_trained_saved_and_start_different():
    model = build(matching="covariance", k=2)
    model.compile(jit_compile=False)
    assert np.abs(model.U.numpy() - model.V.numpy()).max() > 0.01
    names = [v.path for v in model.critic_variables]
    assert names == [model.U.path, model.V.path]
    assert any(v is model.U.value for v in model.state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 3}, "p must be 1 or 2; got 3"),
        ({"matching": "median"}, "matching must be one of covariance, mean; got 'median'"),
        ({"matching": "covariance", "k": 4}, "k must be at most the critic's 3 features; got 4"),
        ({"clip": 0}, "clip must be a finite number above 0"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
