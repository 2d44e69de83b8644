"""Flow matching: the loss, the exact velocity, the density, the pairs, the memoriser."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import data, metrics, networks
from genlib.lectures import l61_flow_matching as l61
from genlib.lectures.noised import Noised
from genlib.likelihood import FlowMatching
from genlib.likelihood.flow_matching import bend, follow, straighten, transport_pairs
from genlib.training import Resume

RNG = np.random.default_rng(0)


def small(shape=2, seed=0, **options):
    return FlowMatching(networks.timed_mlp(shape, width=16, depth=2, seed=seed), seed, **options)


class Gaussian(FlowMatching):
    """Independent pairs of N(0, I) and N(mean, scale^2): the velocity has a closed form."""

    mean, scale = np.float32([1.0, -2.0]), 0.5

    def _velocity(self, x, t):
        t = t[:, None]
        variance = (1 - t) ** 2 + t**2 * self.scale**2
        return self.mean + (t * self.scale**2 - (1 - t)) / variance * (x - t * self.mean)


# Noised: the closed forms


def mixture(scale, k=4, d=2, seed=0):
    return Noised(np.random.default_rng(seed).normal(size=(k, d)), scale)


@pytest.mark.parametrize("scale", [0.0, 0.4])
@pytest.mark.parametrize("a, b", [(0.3, 0.7), (0.8, 0.6), (1.0, 0.0)])
def test_the_score_is_the_slope_of_the_log_density(scale, a, b):
    p, x, h = mixture(scale), RNG.normal(size=(20, 2)), 1e-5
    slopes = [
        (p.log_density(x + h * e, a, b) - p.log_density(x - h * e, a, b)) / (2 * h)
        for e in np.eye(2)
    ]
    np.testing.assert_allclose(p.score(x, a, b), np.stack(slopes, 1), atol=1e-6)
    ticks = np.linspace(-6, 6, 401)
    plane = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    mass = np.exp(p.log_density(plane, a, b)).sum() * (ticks[1] - ticks[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("scale", [0.0, 0.4])
def test_means_given_the_place_are_those_of_many_draws(scale):
    p, rng, n, at, t = (
        mixture(scale),
        np.random.default_rng(1),
        1_000_000,
        np.array([0.3, 0.1]),
        0.6,
    )
    z = rng.normal(size=(n, 2))
    x = p.means[rng.integers(4, size=n)] + scale * rng.normal(size=(n, 2))
    near = np.abs((1 - t) * z + t * x - at).max(1) < 0.04
    assert near.sum() > 200
    for found, drawn in (
        (p.noise(at[None], 1 - t, t), z[near]),
        (p.data(at[None], 1 - t, t), x[near]),
        (p.velocity(at[None], t), (x - z)[near]),
    ):
        error = drawn.std(0) / np.sqrt(len(drawn))
        np.testing.assert_array_less(np.abs(found[0] - drawn.mean(0)), 4.5 * error + 0.03)


def test_the_velocity_of_one_gaussian():
    p, x, t = Noised(Gaussian.mean[None], Gaussian.scale), RNG.normal(size=(9, 2)), 0.3
    found = Gaussian(networks.timed_mlp(2, width=4)).velocity(x, t)
    np.testing.assert_allclose(found, p.velocity(x, t), atol=1e-5)


def test_the_velocity_of_a_finite_set_ends_in_that_set():
    points = RNG.normal(size=(50, 8))
    p, start = Noised(points, 0), RNG.normal(size=(30, 8))
    end = follow(p.velocity, start, 64)[-1]
    nearest = np.linalg.norm(end[:, None] - points, axis=-1).min(1)
    assert nearest.max() < 1e-6
    np.testing.assert_allclose(follow(p.velocity, start, 1)[-1], np.tile(points.mean(0), (30, 1)))


# The model


def test_the_loss_is_least_at_the_exact_velocity_and_not_0():
    """Var(x - z | x_t), integrated over t, by quadrature; wrong targets and places are no least."""
    model = Gaussian(networks.timed_mlp(2, width=4), seed=0)
    x = model.mean + 0.5 * RNG.normal(size=(100_000, 2)).astype(np.float32)
    times, s = np.linspace(0, 1, 2001), 0.25
    variance = (1 - times) ** 2 + times**2 * s
    floor = 2 * np.trapezoid(1 + s - (times * s - (1 - times)) ** 2 / variance, times)
    assert float(model.terms(x)["loss"]) == pytest.approx(floor, rel=0.02)
    for wrong in (lambda u: 1.1 * u, lambda u: -u):
        model._velocity = lambda p, t, wrong=wrong: wrong(Gaussian._velocity(model, p, t))
        assert float(model.terms(x)["loss"]) > floor + 0.04


def test_pairs_are_kept_row_by_row():
    model, x = small(), RNG.normal(size=(500, 2)).astype(np.float32)
    model._velocity = lambda p, t: tf.ones_like(p)
    assert float(model.terms((x + 1, x))["loss"]) == pytest.approx(0, abs=1e-10)
    assert float(model.terms((x - 1, x))["loss"]) == pytest.approx(8, rel=1e-5)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1)])
def test_log_prob_is_the_change_of_variables(shape):
    """Against the log-determinant of the whole map's Jacobian, by finite differences."""
    model, size, h = small(shape, seed=3), int(np.prod(shape)), 1e-2
    start = RNG.normal(size=(4, size)).astype(np.float32)
    moved = np.concatenate(
        [start + h * e for e in np.eye(size)] + [start - h * e for e in np.eye(size)]
    )
    ends = model.follow(np.concatenate([start, moved]).reshape(-1, *shape), 200)[-1].numpy()
    end, up, down = ends[:4], *ends[4:].reshape(2, size, 4, size)
    jacobian = (up - down).transpose(1, 2, 0).astype(float) / (2 * h)
    base = -np.sum(start**2, 1) / 2 - size / 2 * np.log(2 * np.pi)
    expected = base - np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(model.log_prob(end, steps=16), expected, atol=0.03)
    assert np.ptp(expected - base) > 0.05  # it has something to measure


def test_log_prob_of_a_gaussian_is_the_closed_form():
    model = Gaussian(networks.timed_mlp(2, width=4))
    x = Gaussian.mean + 0.5 * RNG.normal(size=(50, 2)).astype(np.float32)
    truth = Noised(Gaussian.mean[None], 0.5).log_density(x, 0, 1)
    np.testing.assert_allclose(model.log_prob(x), truth, atol=1e-3)
    errors = [np.abs(model.log_prob(x, steps=n) - truth).max() for n in (2, 4, 8)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


def test_samples_are_the_end_of_the_paths():
    model = small()
    path = model.follow(model.follow(np.zeros((3, 2)), 1)[0], 5)
    assert len(path) == 6
    start, hand = RNG.normal(size=(4, 2)).astype(np.float32), None
    hand = start + model.velocity(start, 0.0) / 2
    hand = hand + model.velocity(hand, 0.5) / 2
    np.testing.assert_allclose(model.follow(start, 2)[-1], hand, atol=1e-6)
    one, again = model.sample(5, steps=4, seed=1), model.sample(5, steps=4, seed=1)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - model.sample(5, steps=4, seed=2)).max() > 1e-3


def test_a_gaussian_is_reached():
    made = Gaussian(networks.timed_mlp(2, width=4)).sample(20_000, steps=64, seed=0).numpy()
    np.testing.assert_allclose(made.mean(0), Gaussian.mean, atol=0.02)
    np.testing.assert_allclose(made.std(0), 0.5, atol=0.02)


# Pairs


def test_transport_pairs_keep_both_marginals():
    """Every batch keeps its starts, and the sum of squares is the assignment's least."""
    from scipy.optimize import linear_sum_assignment

    x = RNG.normal(size=(96, 3)) + 2
    start = transport_pairs(x, batch_size=32, seed=4)
    fresh = transport_pairs(x, batch_size=1, seed=4)  # alone in its batch, a start stays
    for low in range(0, 96, 32):
        rows = slice(low, low + 32)
        assert sorted(map(tuple, start[rows])) == sorted(map(tuple, fresh[rows]))
        costs = ((x[rows][:, None] - fresh[rows]) ** 2).sum(-1)
        least = costs[linear_sum_assignment(costs)].sum()
        assert ((x[rows] - start[rows]) ** 2).sum() == pytest.approx(least, rel=1e-5)
    assert ((x - start) ** 2).sum() < 0.95 * ((x - fresh) ** 2).sum()


def test_bend_is_0_on_straight_paths_and_knows_a_circle():
    start = RNG.normal(size=(40, 2))
    assert bend(lambda x, t: 0 * x + [3, -1], start) == pytest.approx(0, abs=1e-12)
    # Speed 2 t^1 along an axis: the mean of (1 - 2 t)^2 is 1/3.
    assert bend(lambda x, t: 0 * x + [2 * t, 0], start, 2000) == pytest.approx(1 / 3, abs=2e-3)


def test_straighten_gives_a_model_s_own_pairs():
    model = small(seed=2)
    end, start = straighten(model, 50, steps=8, seed=1)
    np.testing.assert_array_equal(end, model.follow(start, 8)[-1])
    np.testing.assert_array_equal(end, model.sample(50, steps=8, seed=1))


# The lecture's own scores


def test_copies_and_variety_by_hand():
    train = np.array([[0.0, 0], [1, 0], [0, 2]])
    assert l61.copies([[0.1, 0.0], [0.5, 0]], train) == pytest.approx((0.3, 0.5))
    x, y = data.images("digits", "test")
    label = metrics.read_digits(x)
    rows = x.reshape(len(x), -1).astype(float)
    parts = [np.sum(label == c) * rows[label == c].var(0).sum() for c in range(10)]
    assert l61.variety(x) == pytest.approx(sum(parts) / np.sum(label != metrics.NO_DIGIT))
    assert l61.variety(np.repeat(x[:1], 5, 0)) == pytest.approx(0, abs=1e-9)


def test_the_floor_is_the_loss_of_the_exact_velocity():
    model = l61.new_flow(0)
    x = l61.RING.sample(4000, seed=0)
    model._velocity = lambda p, t: np.concatenate(
        [l61.EXACT.velocity(q[None], s) for q, s in zip(p.numpy(), t.numpy(), strict=True)]
    ).astype(np.float32)
    assert float(model.terms(x)["loss"]) == pytest.approx(l61.floor(500), abs=0.12)


def test_the_explorer_s_flow_passes_through_its_steps():
    start, random, near, flows = l61.carried()
    np.testing.assert_allclose(flows[2][32], start + l61.EXACT.velocity(start, 0) / 2)
    np.testing.assert_allclose(flows[64][0], start)
    assert sorted(map(tuple, random)) == sorted(map(tuple, near))
    assert ((near - start) ** 2).sum() < ((random - start) ** 2).sum() / 2


# Training, saving, errors


def test_training_goes_to_the_floor_and_moves_every_weight():
    def run(seed):
        model = small(seed=seed)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        before = [w.numpy() for w in model.trainable_variables]
        x = Gaussian.mean + 0.5 * np.random.default_rng(9).normal(size=(4000, 2))
        losses = model.fit(x, batch_size=128, steps_per_epoch=60, epochs=4, verbose=0)
        moved = [
            np.abs(w - b).max() for w, b in zip(model.trainable_variables, before, strict=True)
        ]
        assert min(moved) > 0
        return losses.history["loss"], model.sample(5, steps=2, seed=0)

    (losses, made), (_, same), (_, other) = run(0), run(0), run(1)
    assert losses[-1] < losses[0] - 0.5
    np.testing.assert_array_equal(made, same)
    assert np.abs(made - other).max() > 1e-3


def test_weights_and_checkpoints_carry_the_model(tmp_path, capsys):
    x, start = RNG.normal(size=(2, 40, 2))
    model, other = small(seed=1), small(seed=2)
    for m in (model, other):
        m.compile(jit_compile=False)
        m.log_prob(x)  # traced before the weights come
    model.fit(x, start, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[Resume(tmp_path / "r")])
    model.save_weights(tmp_path / "m.weights.h5")
    assert not np.allclose(other.log_prob(x), model.log_prob(x))
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.log_prob(x), model.log_prob(x))
    resumed = small(seed=3)
    resumed.compile(jit_compile=False)
    resumed.fit(
        x, start, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[Resume(tmp_path / "r")]
    )
    assert "Resuming after epoch 2" in capsys.readouterr().out
    np.testing.assert_array_equal(resumed.log_prob(x), model.log_prob(x))


POINTS = np.zeros((5, 2))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda m: m.fit(np.zeros((5, 3))), r"data must have shape \(n, 2\)"),
        (lambda m: m.fit([[np.nan, 0]]), "data must be finite"),
        (lambda m: m.fit(POINTS, POINTS[:3]), "start must have a row for each of data, 5; got 3"),
        (lambda m: m.fit(POINTS, POINTS[:, :1]), r"start must have shape \(n, 2\)"),
        (lambda m: m.fit(POINTS, POINTS + np.inf), "start must be finite"),
        (lambda m: m.sample(0), "n must be a whole number of at least 1"),
        (lambda m: m.sample(3, steps=0), "steps must be a whole number of at least 1"),
        (lambda m: m.sample(3, seed=-1), "seed must be"),
        (lambda m: m.log_prob(POINTS, steps=2.5), "steps must be a whole number"),
        (lambda m: m.log_prob([[0.0, np.nan]]), "x must be finite"),
        (lambda m: m.velocity(POINTS, 1.5), r"t must be in \[0, 1\]"),
        (lambda m: m.velocity(POINTS, np.zeros(4)), r"t must be one number or have shape \(5,\)"),
        (lambda m: m.follow(POINTS[:, :1]), r"start must have shape \(n, 2\)"),
        (lambda m: transport_pairs(POINTS, 0), "batch_size must be"),
        (lambda m: transport_pairs(POINTS * np.nan), "data must be finite"),
        (lambda m: straighten(m, 0), "n must be"),
        (lambda m: Noised(POINTS, -1), "scale must be a finite number, 0 or more"),
        (lambda m: FlowMatching(networks.conditional_mlp(2, 1, 3)), "network must go from"),
        (lambda m: FlowMatching(networks.conditional_mlp(2, 2, 2)), "network must go from"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(small())


def test_networks_that_cannot_serve():
    for network in (networks.mlp(2, 2), None):
        with pytest.raises(TypeError, match="^network must be a"):
            FlowMatching(network)
