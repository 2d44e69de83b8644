"""Lecture 63: its units, its counts and its names, held to values known by hand."""

import itertools

import numpy as np
import pytest

from genlib import plots
from genlib.lectures import l45_judging_a_generator as l45
from genlib.lectures import l63_all_families as lecture
from genlib.lectures import runs
from genlib.likelihood import PPCA


@pytest.mark.parametrize("width", [1, 2])
def test_all_units_give_the_same_nats(width):
    """A density that is flat in each cell loses nothing, in whatever units it is written."""
    share = np.random.default_rng(0).dirichlet(np.ones(17), size=64)
    level = l45.level(l45.digits()[1])
    exact = -np.log(share[np.arange(64), level]).sum(1).mean()
    density = np.log(share * 17 / width)[np.arange(64), level].sum(1).mean()
    assert lecture.from_density(density, width) == pytest.approx(exact)
    assert lecture.from_density(density, 3 - width) != pytest.approx(exact, abs=10)


@pytest.fixture(scope="module")
def flow():
    return lecture.flow(0, steps=1)


def test_a_flow_is_scored_in_the_units_of_the_others(flow):
    """A velocity of zeros leaves the normal as it is: its density is known."""
    model = flow
    for weight in model.model.network.trainable_variables:
        weight.assign(0 * weight)
    x = l45.digits()[1][:60]
    z = 2 * l45.spread(x, np.random.default_rng(1)) - 1
    normal = np.mean(-(z**2).sum(1) / 2) - 32 * np.log(2 * np.pi)
    assert model.nats(x) == pytest.approx(64 * np.log(8.5) - normal, abs=0.2)
    made = model.sample(20, 0)
    assert made.shape == (20, 64) and {*np.unique(16 * made)} <= {*range(17)}


def test_numbers_kept_are_counted_by_hand(flow):
    ppca = PPCA(20).fit(l45.spread(l45.digits()[0], np.random.default_rng(0)))
    free = ppca.mean.size + ppca.weights.size + 1
    assert lecture.numbers_kept("ppca", ppca) == free
    assert lecture.numbers_kept("memoriser", None) == l45.digits()[0].size
    wide = 64 + 1 + 8, 256, 256, 256, 64  # pixels, the time and its waves
    by_hand = sum((a + 1) * b for a, b in itertools.pairwise(wide))
    assert lecture.numbers_kept("flow", flow.model) == by_hand
    kept = {name: lecture.scores(name, "numbers") for name in lecture.FAMILIES}
    assert all(len({*v}) == 1 for v in kept.values())
    assert kept["gan"][0] == kept["wgan_gp"][0] < kept["memoriser"][0]


def test_every_setting_is_stored_over_three_seeds_and_one_comes_back():
    rows = runs.stored(lecture.SLUG)
    cells = [(row["setting"], row["seed"]) for row in rows]
    assert sorted(cells) == sorted(itertools.product(lecture.SETTINGS, range(3)))
    (stored,) = (r for r in rows if (r["setting"], r["seed"]) == ("memoriser", 0))
    found = lecture.run("memoriser", 0)
    kept = runs.stored_pictures(lecture.SLUG)
    np.testing.assert_array_equal(kept["memoriser"], found.pop("pictures"))
    for name in set(found) - {"train", "ms"}:
        assert found[name] == pytest.approx(stored[name], rel=1e-3, abs=1e-3), name
    assert {*kept} == {*lecture.SETTINGS}


def test_a_family_has_nats_where_it_says_so():
    for name, kind in lecture.FAMILIES.items():
        assert np.isnan(lecture.scores(name, "nats")).all() == (kind.nats == "none")
    lines = lecture.table().splitlines()
    assert len(lines) == 2 + len(lecture.FAMILIES)
    for kind, line in zip(lecture.FAMILIES.values(), lines[2:], strict=True):
        assert line.startswith(kind.name) and kind.nats in line and "nan" not in line


@pytest.mark.parametrize("pair", [("coverage", "precision"), ("nats", "read"), ("ms", "numbers")])
def test_names_hide_neither_each_other_nor_leave_the_panel(pair):
    box = np.array([716.0, 466.0])
    dots = {
        name: lecture.to_share(pair, np.array([lecture.values(c, name).mean() for c in pair]))
        for name in lecture.FAMILIES
    }
    places = lecture.place_names(dots, box)
    assert places.keys() == {name for name, p in dots.items() if np.isfinite(p).all()}
    half = {n: np.array([lecture.width_of(n) / 2, 7.0]) for n in places}
    for name, place in places.items():
        assert (place * box - half[name] > -12).all() and (
            place * box + half[name] < box + 12
        ).all()
    for one, other in itertools.combinations(places, 2):
        gap = np.abs(places[one] - places[other]) * box - half[one] - half[other]
        assert gap.max() > -4, (one, other)


def test_the_sheets_are_the_stored_pictures():
    fig = lecture.draw_sheets()
    titles = [ax.get_title() for ax in fig.axes]
    assert titles[1] == "pixels alone" and len([t for t in titles if t]) == 17
    shown = np.asarray(fig.axes[5].images[0].get_array())
    kept = runs.stored_pictures(lecture.SLUG)["memoriser"] / 16
    np.testing.assert_allclose(shown, plots.sheet(kept[:12].reshape(-1, 8, 8), columns=4))


def test_the_order_of_a_column():
    values = {"gan": 3.0, "flow": np.nan, "kde": 1.0, "vae": 2.0}
    assert lecture.ordered("read", values) == ["gan", "vae", "kde"]
    assert lecture.ordered("nats", values) == ["kde", "vae", "gan"]
