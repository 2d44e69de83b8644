"""Lecture 44: its bootstrap, its ranks and its front, held to counting by hand."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from genlib import experiments
from genlib.lectures import l44_gan_zoo as lecture
from genlib.lectures import runs

VALUES = np.array([[0.1, 0.3, 0.5], [0.2, 0.25, 0.9], [0.6, 0.7, 0.8]])


def test_columns_are_the_stored_runs():
    stored = experiments.stored()
    for data in lecture.stored_data():
        values = lecture.losses(data)
        seeds = {r["seed"] for r in stored if (r["data"], r["settings"]) == (data, "preset")}
        assert values.shape == (len(lecture.VARIANTS), len(seeds)) and (values <= np.log(2)).all()
        (one,) = [r for r in stored if (r["data"], r["settings"], r["variant"], r["seed"]) == (data, "preset", "wgan", 0)]  # fmt: skip  # noqa: E501
        place = lecture.VARIANTS.index("wgan")
        assert values[place, 0] == one["jsd"]
        assert lecture.losses(data, "quality")[place, 0] == -one["quality"]


@pytest.mark.parametrize("report", lecture.REPORTS)
def test_wins_are_those_of_every_possible_draw(report):
    """27 draws of three seeds with replacement a variant: all of their triples, by hand."""
    take = {"median of k": np.median, "best of k": np.min}[report]
    said = [[take(d) for d in itertools.product(row, repeat=3)] for row in VALUES]
    best = np.array([np.argmin(triple) for triple in itertools.product(*said)])
    exact = np.bincount(best, minlength=3) / len(best)
    found = lecture.wins(VALUES, 3, draws=20_000, report=report)
    np.testing.assert_allclose(found, exact, atol=0.015)
    other = next(name for name in lecture.REPORTS if name != report)
    assert np.abs(lecture.wins(VALUES, 3, draws=20_000, report=other) - exact).max() > 0.03


def test_ranks_and_the_span_that_seeds_leave():
    assert lecture.ranks(VALUES).tolist() == [2, 1, 3]
    low, high = lecture.rank_interval(VALUES)
    assert low.tolist() == [1, 1, 2] and high.tolist()[2] == 3 and (high >= low).all()
    alone = np.array([[0.1, 0.11], [0.5, 0.51]])
    np.testing.assert_array_equal(lecture.rank_interval(alone), [[1, 2], [1, 2]])


def test_the_worse_looks_better_as_often_as_in_a_simulation():
    rng = np.random.default_rng(0)
    means = rng.normal([[0.0], [0.5]], 1.0, size=(4, 100_000, 2, 1)).mean(0)[..., 0]
    counted = np.mean(means[:, 0] > means[:, 1])
    assert lecture.mistaken(0.5, 1.0, 4) == pytest.approx(counted, abs=0.006)
    assert lecture.mistaken(0.0, 1.0, 7) == 0.5
    assert abs(norm.cdf(-0.5 * 2) - counted) > 0.05  # one mean that does not vary


@pytest.mark.parametrize("r", [1, 2, 3, 5])
def test_the_expected_best_is_the_mean_over_all_choices(r):
    values = np.random.default_rng(r).uniform(size=5)
    chosen = [min(some) for some in itertools.combinations(values, r)]
    assert lecture.best_of(values, r) == pytest.approx(np.mean(chosen))


def test_nobody_betters_the_front_and_the_front_betters_all_others():
    rng = np.random.default_rng(0)
    cost, loss = rng.integers(1, 9, 40), rng.integers(1, 9, 40)

    def betters(i, j):
        no_worse = cost[i] <= cost[j] and loss[i] <= loss[j]
        return no_worse and (cost[i] < cost[j] or loss[i] < loss[j])

    kept = lecture.front(cost, loss)
    for j in range(40):
        same = any((cost[i], loss[i]) == (cost[j], loss[j]) for i in kept)
        assert same != any(betters(i, j) for i in range(40))
    assert (np.diff(cost[kept]) > 0).all() and (np.diff(loss[kept]) < 0).all()


def test_each_change_is_stored_over_the_same_seeds_and_can_be_run():
    seeds = {name: set() for name in lecture.SETTINGS}
    for row in runs.stored("44_gan_zoo"):
        seeds[row["setting"]].add(row["seed"])
    assert all(found == {0, 1, 2} for found in seeds.values()), seeds
    with pytest.raises(ValueError, match="setting must be one of"):
        lecture.run("gan", 0)


def test_a_change_reaches_the_model(monkeypatch):
    seen = {}
    trial = experiments.ToyTrial(None, 8, 0.5, 0.1, 0.05, 0.3, 1.0)
    monkeypatch.setattr(experiments, "on_toy", lambda *a, **k: seen.update(a=a, **k) or trial)
    found = lecture.run("ebgan_margin", 2)
    assert seen == {"a": ("ebgan", "hard_ring"), "seed": 2, "steps": 2000, "margin": 2.0}
    assert found == {"modes": 8, "quality": 0.5, "jsd": 0.3, "width": 0.05}
