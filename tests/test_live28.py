"""The 28x28 digits of lectures 30 and 32: what judges them, and what is stored of them."""

import numpy as np
import pytest

from genlib import data
from genlib.gans import GAN, WGANGP
from genlib.lectures import l30_gan, l32_wgan_gp, live28, runs

REAL = live28.yardstick("real")


def test_the_yardsticks_score_what_is_stored():
    for name in live28.YARDSTICKS:
        (row,) = runs.stored("30_gan", name)
        for score, value in live28.judge(live28.yardstick(name), strictly=True).items():
            assert value == pytest.approx(row[score], abs=0.02 * max(1, row[score])), (name, score)


def test_a_generator_that_repeats_itself_reads_well_and_is_not_varied():
    found = live28.judge(np.repeat(REAL[:1], 100, axis=0))
    assert found == pytest.approx({"read": 1, "kinds": 1, "width": 0}, abs=1e-4)
    none = live28.judge(np.random.default_rng(0).uniform(size=(50, 28, 28, 1)))
    assert none["read"] == none["width"] == 0


def test_the_digits_are_shuffled_and_none_is_lost():
    x, y = data.images("mnist5k")
    shuffled = live28.digits()
    assert shuffled.shape == x.shape and np.isclose(shuffled.mean(), x.mean())
    assert len(np.unique(y[:60])) == 1 and live28.judge(shuffled[:200])["kinds"] > 8


@pytest.mark.parametrize(
    ("lecture", "setting", "kind", "price"),
    [
        (l30_gan, "brake", GAN, {"r1": 1.0}),
        (l30_gan, "free", GAN, {"r1": 0.0}),
        (l32_wgan_gp, "digits", WGANGP, {"penalty_weight": 10.0}),
        (l32_wgan_gp, "tenth", WGANGP, {"penalty_weight": 0.1}),
    ],
)
def test_a_setting_changes_the_price_alone(monkeypatch, lecture, setting, kind, price):
    made = {}

    def train(variant, seed, **options):
        made.update(options, variant=variant, seed=seed)

    monkeypatch.setattr(live28, "train", train)
    lecture.train_digits(setting, seed=3)
    model = kind(*live28.dense_networks(3), **{k: made[k] for k in price if k in made})
    assert made["variant"] is kind and made["seed"] == 3 and "nets" not in made
    assert all(getattr(model, name) == value for name, value in price.items())


def test_it_trains_on_digits():
    model = live28.train(GAN, steps=2, r1=1.0)
    start = live28.dense_networks(0)[0]
    moved = [
        np.abs(a - b).max()
        for a, b in zip(model.generator.get_weights(), start.get_weights(), strict=True)
    ]
    assert min(moved) > 0 and live28.samples(model).shape == (1000, 28, 28, 1)
