"""Lecture 45: its judge, its dial and its families, held to the library and to known values."""

import numpy as np
import pytest

from genlib import metrics
from genlib.lectures import l45_judging_a_generator as lecture
from genlib.lectures import runs

SLUG = "45_judging_a_generator"


def test_the_judge_is_the_library_on_features():
    judge, pool, _ = lecture.dial()
    made, found = lecture.spoiled("noise", 3)
    x, train = judge.features(np.float64(made)), judge.features(np.float64(judge.train))
    rest = judge.features(np.float64(pool[lecture.MADE :]))
    assert found["Fréchet"] == metrics.frechet_distance(train, x)
    assert found["kernel"] == metrics.kernel_distance(train, x)
    assert (found["precision"], found["recall"]) == metrics.precision_recall(train, x)
    assert (found["density"], found["coverage"]) == metrics.density_coverage(train, x)
    assert found["nearer"] == metrics.copy_test(train, rest, x).nearer
    assert found["read"] == metrics.class_scores(made.reshape(-1, 8, 8)).confident


def test_the_null_level_is_that_of_unseen_digits():
    null = lecture.dial_null()
    known = metrics.expected_coverage(500, lecture.MADE)
    assert null["coverage"].mean() == pytest.approx(known, abs=0.03)
    assert null["density"].mean() == pytest.approx(1, abs=0.06)
    assert null["nearer"].mean() == pytest.approx(0.5, abs=0.04)
    assert null["read"].min() > 0.97


def test_the_families_null_level_is_at_the_families_sizes():
    null = lecture.family_null()
    assert null["coverage"].mean() == pytest.approx(metrics.expected_coverage(1438, 359), abs=0.015)
    assert (null["nearer"] == 0.5).all()


@pytest.mark.parametrize("failure", lecture.FAILURES)
def test_a_failure_starts_at_unseen_digits_and_keeps_to_pictures(failure):
    _, pool, labels = lecture.dial()
    start, made = lecture.spoiled(failure, 0)[0], lecture.spoiled(failure, lecture.STEPS)[0]
    np.testing.assert_allclose(start, pool[: lecture.MADE], atol=1e-6)
    assert made.shape == start.shape and made.min() >= 0 and made.max() <= 1
    assert np.abs(made - start).max() > 0.1


def test_failures_do_what_their_names_say():
    judge, pool, labels = lecture.dial()
    train = {tuple(x) for x in judge.train}
    for step, copied in ((0, 0), (4, 100), (8, 200)):
        found = sum(tuple(x) in train for x in lecture.spoiled("copy", step)[0])
        assert copied <= found <= copied + 1
    assert len({tuple(x) for x in lecture.spoiled("duplicate", 8)[0]}) == 3
    kept = {tuple(x) for x in pool[labels < 7]}
    assert all(tuple(x) in kept for x in lecture.spoiled("drop classes", 3)[0])
    changed = lecture.spoiled("one outlier", 8)[0] != lecture.spoiled("one outlier", 0)[0]
    assert changed.any(1).sum() == 1
    first, both = pool[0], lecture.spoiled("mix two", 8)[0][0]
    partner = pool[np.flatnonzero(labels == (labels[0] + 1) % 10)[0]]
    np.testing.assert_allclose(both, (first + partner) / 2, atol=1e-6)


def test_deviations_are_of_the_null_level_and_better_is_above():
    null = {name: np.array([1.0, 2.0, 3.0]) for name in lecture.SCORES}
    found = lecture.deviations(dict.fromkeys(lecture.SCORES, 4.0), null)
    signs = [-1 if name in ("Fréchet", "kernel") else 1 for name in lecture.SCORES]
    np.testing.assert_allclose(found, 2 * np.array(signs))


def test_grey_levels_come_back_from_the_cube():
    x, rng = lecture.digits()[1], np.random.default_rng(0)
    np.testing.assert_allclose(lecture.shown(lecture.spread(x, rng)), x, atol=1e-7)
    assert lecture.shown(np.array([-0.2, 0.0, 1.0, 1.3])).tolist() == [0, 0, 1, 1]


def test_nats_of_known_densities():
    class Uniform:
        def log_prob(self, z):
            return np.zeros(len(z))

    x, rng = lecture.digits()[1], np.random.default_rng(0)
    uniform = 64 * np.log(17)
    assert lecture.density_nats(Uniform(), x, rng) == pytest.approx(uniform)
    _, pixels = lecture.train("pixels")
    assert 90 < pixels < 120 < uniform
    share = np.tile([0.25, 0.75] + [0] * 15, (64, 1))
    drawn = lecture.pixel_draws(share, 500, 0)
    assert set(np.unique(drawn)) == {0, 1} and drawn.mean() == pytest.approx(0.75, abs=0.01)


def test_the_stored_runs_are_of_the_settings_and_one_comes_back():
    rows = runs.stored(SLUG)
    cells = [(row["setting"], row["seed"]) for row in rows]
    assert {s for s, _ in cells} <= {*lecture.SETTINGS} and len({*cells}) == len(cells) >= 10
    (stored,) = (r for r in rows if (r["setting"], r["seed"]) == ("memoriser", 0))
    for name, value in lecture.run("memoriser", 0).items():
        assert value == pytest.approx(stored[name], abs=1e-3)
    bounds = {row["setting"]: row["nats"] for row in rows}
    assert bounds["pixelcnn"] < bounds["pixels"] < bounds["memoriser"] == np.inf
    assert np.isnan(bounds["gan"])
