"""Lecture 62: its mathematics, its explorers and its stored runs, held to the library."""

import critics
import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from genlib import experiments, networks
from genlib.gans import RelativisticGAN
from genlib.lectures import l62_modern_gan as lecture
from genlib.lectures import runs
from genlib.lectures.l43_gan_lab import NON_SATURATING, zoo_flow
from genlib.widgets import explore


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def identity(kind):
    return kind(networks.mlp(1, 1, 2), critics.identity())


# The hinge


def check_hinge(rng, kind=lecture.HingeGAN):
    """Of counts on a few points: 2 (1 - TV) at the best critic, and no critic is below."""
    p, q = (rng.multinomial(40, rng.dirichlet(np.ones(6))) for _ in "pq")
    tv = np.abs(p - q).sum() / 80
    model = identity(kind)

    def loss(critic):
        numbers = (np.repeat(critic, n).astype(np.float32)[:, None] for n in (p, q))
        return float(model.critic_loss(*numbers))

    best = np.sign(p - q).astype(float)
    assert loss(best) == pytest.approx(2 * (1 - tv), abs=1e-5)
    for _ in range(50):
        other = best + rng.normal(size=6) * rng.choice([0.1, 1.0])
        assert loss(other) > 2 * (1 - tv) - 1e-5
        assert lecture.hinge_loss(p / 40, q / 40, other) == pytest.approx(loss(other), abs=1e-4)
    fake = np.repeat(best, q).astype(np.float32)[:, None]
    assert float(model.generator_loss(fake, fake)) == pytest.approx(-(q @ best) / 40, abs=1e-6)


def test_the_hinge_critic_at_its_best_reads_the_total_variation(rng):
    check_hinge(rng)


class Half(lecture.HingeGAN):
    """Wrong: a mean of the two terms."""

    def critic_loss(self, real, fake):
        return super().critic_loss(real, fake) / 2


class Narrow(lecture.HingeGAN):
    """Wrong: a hinge at 0."""

    def critic_loss(self, real, fake):
        on_real, on_fake = self.score(real), self.score(fake)
        return sum(tf.reduce_mean(tf.maximum(x, 0.0)) for x in (-on_real, on_fake))


@pytest.mark.parametrize("wrong", [Half, Narrow])
def test_wrong_hinges_fail(wrong):
    with pytest.raises(AssertionError):
        check_hinge(np.random.default_rng(0), wrong)


# The Dirac-GAN


def test_the_relativistic_dirac_game_is_the_non_saturating_one(rng):
    """The library's losses, on the critic psi x: their slopes are the scene's flow."""
    theta, psi, r1, r2 = rng.normal(size=4)
    r1, r2 = abs(r1), abs(r2)
    critic = critics.linear()
    model = RelativisticGAN(networks.mlp(1, 1, 2), critic, r1=r1, r2=r2, seed=0)
    weight, place = critic.trainable_variables[0], tf.Variable([[theta]], dtype=tf.float32)
    weight.assign([[psi]])
    real = tf.zeros((1, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weight.value)
        generators = model.generator_loss(real, place)
        fixed = tf.stop_gradient(place)
        cost = model.critic_loss(real, fixed)
        cost += r1 / 2 * model.steepness(real) + r2 / 2 * model.steepness(fixed)
    found = -tape.gradient(generators, place)[0, 0], -tape.gradient(cost, weight.value)[0, 0]
    np.testing.assert_allclose(found, zoo_flow(theta, psi, NON_SATURATING, r1, r2), rtol=1e-3)


def test_the_explorer_is_the_labs():
    mine, theirs = explore("modern_dirac").scene, explore("dirac_zoo").scene
    settings = {"order": lecture.SIMULTANEOUS, "rate": 0.3, "r1": 0.4, "r2": 0.1}
    found = mine.update(objective=lecture.RELATIVISTIC, **settings)
    assert found.pop("losses") == lecture.RELATIVISTIC
    assert found == theirs.update(objective=NON_SATURATING, **settings)


# Power iteration


def test_power_iteration_is_that_of_keras(rng):
    kernel = rng.normal(size=(5, 3)).astype(np.float32)
    net = networks.mlp(5, 3, depth=0, seed=1, spectral=True)
    layer, given = net.layers[-1], kernel.copy()
    layer.kernel.assign(kernel)
    u = layer.vector_u.numpy()[0]
    for _ in range(3):
        net(np.zeros((1, 5), np.float32), training=True)
        (sigma,), u = lecture.power_iteration(given, u, 1)
        given = given / sigma
        np.testing.assert_allclose(layer.kernel, given, rtol=1e-4)
        np.testing.assert_allclose(layer.vector_u[0], u, rtol=1e-3, atol=1e-5)


def test_power_iteration_follows_its_closed_form(rng):
    """From cos and sin of the start: after k steps the parts weigh s^(2 k)."""
    second, angle = rng.uniform(0.3, 1.9), rng.uniform(5, 85)
    kernel = lecture.turned(50) @ np.diag([2, second]) @ lecture.turned(20).T
    found, _ = lecture.power_iteration(kernel, lecture.turned(20 + angle)[:, 0], 8)
    u = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    s = np.array([2, second])
    for estimate in found:
        v = s * u / np.linalg.norm(s * u)
        assert estimate == pytest.approx(np.linalg.norm(s * v), rel=1e-9)
        u = s * v / np.linalg.norm(s * v)
    assert (np.diff(found) > -1e-12).all() and found[-1] <= 2 + 1e-12


# The landscape of two modes


@pytest.mark.parametrize("game", list(lecture.TERMS))
def test_the_best_critic_is_best_and_its_loss_the_librarys(rng, game):
    width, weight = rng.uniform(0.1, 1), 10 ** rng.uniform(-2, 0)
    place = rng.uniform(-1.4, 1.4, 1)
    (least,), (a,) = lecture.best_critics(game, place, width, weight)
    points = np.array([-1, 1, -1, place[0]])
    k = lecture.bell(points, points, width)

    def cost(a):
        f = k @ a
        real, fake = f[:2], f[2:]
        if game == lecture.SEPARABLE:
            terms = np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))
        else:
            pair = np.arange(2) if game == lecture.PAIRED else np.array([0, 0, 1, 1])
            other = np.arange(2) if game == lecture.PAIRED else np.array([0, 1, 0, 1])
            columns = real[pair, None], fake[other, None]
            terms = float(identity(RelativisticGAN).critic_loss(*columns))
        return terms + weight / 2 * a @ k @ a

    assert cost(a) == pytest.approx(least, abs=1e-5)
    for _ in range(10):
        assert cost(a + 0.05 * rng.normal(size=4)) > least - 1e-5


def test_the_landscape_without_a_penalty_can_be_counted():
    """Sharp critics: the values of critics that are free at each point."""
    free = {
        # Both on one mode, one on its way, each on its own: log 4 - 2 JSD.
        lecture.SEPARABLE: (np.log(4) - 0.4315, np.log(2), np.log(4)),
        lecture.PAIRED: (np.log(2) / 2, np.log(2) / 2, np.log(2)),
        lecture.EVERY: (np.log(2) / 2, np.log(2) / 4, np.log(2)),
    }
    for game, wanted in free.items():
        found, _ = lecture.best_critics(game, np.array([-1.0, 0.0, 1.0]), 0.05, 1e-6, 200)
        np.testing.assert_allclose(found, wanted, atol=3e-3)


def test_dips():
    sharp, smooth = lecture.landscapes(0.1, 0.01), lecture.landscapes(1.0, 0.1)
    dips = {game: lecture.dip(values) for game, values in sharp.items()}
    assert dips[lecture.PAIRED] < 1e-6 < 0.1 < dips[lecture.EVERY] < dips[lecture.SEPARABLE]
    assert max(map(lecture.dip, smooth.values())) < 1e-6


# Truncation and the stored runs


@pytest.mark.parametrize("threshold", [0.3, 1.0, 4.0])
def test_truncated_latents_follow_the_truncated_normal(threshold):
    z = lecture.truncated(4000, 3, threshold)
    assert z.shape == (4000, 3) and z.dtype == np.float32 and np.abs(z).max() <= threshold + 1e-6
    law = scipy.stats.truncnorm(-threshold, threshold)
    assert scipy.stats.kstest(z.ravel(), law.cdf).pvalue > 1e-3
    with pytest.raises(ValueError, match="threshold must be"):
        lecture.truncated(3, 2, -1.0)


def test_true_samples_score_at_the_ceiling():
    real = experiments.density("hard_ring").sample(20_000, seed=(0, 5)).numpy()
    modes, quality, width, distance = lecture.judge(real, "ring")
    assert modes == 8 and quality > 0.98 and abs(width - 1) < 0.03 and distance < 0.03
    x = lecture.data.images("digits", "test")[0]
    modes, quality, width, distance = lecture.judge(x, "digits")
    assert modes == 10 and quality > 0.95 and width == pytest.approx(1)
    nothing = lecture.judge(np.full((500, 8, 8, 1), np.nan, np.float32), "digits")
    assert nothing[1] < 0.05 and nothing[2] == 0 and nothing[3] > 5 * distance


def test_effects_are_ranges_of_means(rng):
    values = rng.normal(size=(3, 4, 5))
    losses, penalties = lecture.effects(values)
    rows, columns = values.mean(2).mean(1), values.mean(2).mean(0)
    assert losses == pytest.approx(rows.max() - rows.min())
    assert penalties == pytest.approx(columns.max() - columns.min())


def test_the_generators_of_one_game_differ_as_their_words_say(rng):
    made = {kind: lecture.mapped_generator(kind, seed=3) for kind in lecture.GENERATORS}
    sizes = {kind: network.count_params() for kind, network in made.items()}
    plain = sizes.pop("plain")
    assert len(set(sizes.values())) == 1 and 4 * plain < min(sizes.values())
    z = rng.normal(size=(6, 8)).astype(np.float32)
    for kind, (_, mapping, _, on_sphere, speed) in lecture.GENERATORS.items():
        same = np.allclose(made[kind](z), made[kind](3 * z), atol=1e-4)
        assert same == on_sphere, kind
        slow = [x.speed for x in made[kind].layers if isinstance(x, lecture.SlowDense)]
        assert slow == [speed] * mapping
    # Both mappings start as one function: their stored kernels differ by the scale alone.
    np.testing.assert_allclose(made["fast"](z), made["mapping"](z), atol=1e-4)


def test_a_slow_layer_moves_by_its_speed(rng):
    """Adam's first step is its rate, whatever the gradient's size."""
    x = rng.normal(size=(5, 4)).astype(np.float32)
    for speed in (1.0, 0.01):
        layer = lecture.SlowDense(3, speed, seed=0)
        layer(x)
        before = speed * layer.kernel.numpy()
        assert before.std() == pytest.approx(np.sqrt(2 / 4), rel=0.5)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        adam = keras.optimizers.Adam(1e-3, epsilon=0.0)
        adam.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        moved = np.abs(speed * layer.kernel.numpy() - before)
        np.testing.assert_allclose(moved, 1e-3 * speed, rtol=0.02)


def test_an_even_square_fills_the_grid_and_no_mode(rng):
    made = lecture._even("grid", rng)
    modes, quality, *_ = lecture.judge(made, "grid")
    assert modes == 25 and quality < 0.05
    assert made.min() < -3.9 and made.max() > 3.9 and abs(made.mean()) < 0.1


def test_every_setting_can_be_built_and_is_stored_over_three_seeds():
    for setting in lecture.SETTINGS:
        model = lecture.build(setting, 1e-3)
        assert np.isfinite(model.sample(3, seed=0)).all()
        seeds = [row["seed"] for row in runs.stored("62_modern_gan", setting)]
        assert seeds == [*range(len(seeds))] and len(seeds) >= 3, setting


def test_a_run_is_scored_at_both_rates(monkeypatch):
    monkeypatch.setitem(lecture.STEPS, "ring", 20)
    monkeypatch.setitem(lecture.DRAWN, "ring", 200)
    monkeypatch.setattr(lecture, "SEEDS", 2)
    lecture._scores.cache_clear()
    found, other = (lecture.run("ring_pairs_spectral", seed) for seed in (0, 1))
    lecture._scores.cache_clear()
    assert found != other
    assert set(found) == {f"{s}_{rate}" for s in lecture.SCORES for rate in lecture.RATES}
    assert found["distance_slow"] != found["distance_fast"] and np.isfinite([*found.values()]).all()
