"""Lecture 51's own mathematics: two pixels against brute force, digits, photographs, scores."""

import numpy as np
import pytest
from scipy.ndimage import zoom

from genlib.lectures import l51_super_resolution as l51
from genlib.widgets import explore


def test_the_posterior_of_two_pixels_is_that_of_many_pairs():
    """Real pictures whose mean is near the given grey level."""
    pixels, grey = l51.draw_pairs(2_000_000, seed=7)
    contrast = (pixels[:, 0] - pixels[:, 1]) / 2
    for at in (0.05, 0.3, 0.5, 0.8):
        near = np.abs(grey[:, 0] - at) < 0.01
        mean, variance = l51.posterior_moments(at)
        assert near.sum() > 500
        assert contrast[near].mean() == pytest.approx(mean, abs=0.06)
        assert contrast[near].var() == pytest.approx(variance, abs=0.04)
        drawn = l51.sample_posterior(np.full(100_000, at), np.random.default_rng(1))
        assert (drawn.mean(), drawn.var()) == pytest.approx((mean, variance), abs=0.01)
        xs = np.linspace(-1.2, 1.2, 4001)
        for share in (0.3, 1.0):
            density = l51.mixed_density(xs, at, share)
            moments = [np.trapezoid(density * f, xs) for f in (1, xs, (xs - mean) ** 2)]
            assert moments == pytest.approx([1, mean, share**2 * variance], abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_trade_off_is_that_of_drawn_outputs(share):
    pixels, grey = l51.draw_pairs(200_000, seed=8)
    grey = grey[:, 0].astype(float)
    mean, _ = l51.posterior_moments(grey)
    made = mean + share * (l51.sample_posterior(grey, np.random.default_rng(2)) - mean)
    real = (pixels[:, 0] - pixels[:, 1]) / 2
    error, distance = l51.trade_off(share)
    pictures = np.stack([grey + made, grey - made], 1)
    assert np.mean((pictures - pixels) ** 2) == pytest.approx(error, rel=0.02)
    assert np.mean(np.abs(np.sort(made) - np.sort(real))) == pytest.approx(distance, abs=0.006)
    assert error == pytest.approx((1 + share**2) * l51.trade_off(0.0)[0], rel=1e-9)


def test_nearer_to_real_costs_more():
    errors, distances = np.array([l51.trade_off(share) for share in np.linspace(0, 1, 11)]).T
    assert (np.diff(errors) > 0).all() and (np.diff(distances) < 0).all()


def test_the_scene_says_what_the_functions_say():
    scene = explore("two_pixels", grey=0.4, share=0.6)
    _, variance = l51.posterior_moments(0.4)
    assert f"squared error here = {1.36 * variance:.4f}" in scene.readout
    assert "by the least = 1.36" in scene.readout
    assert "shrink to = 0.400" in scene.readout


def test_shrinking_undoes_the_nearest_pixel_and_averages_blocks():
    rng = np.random.default_rng(0)
    small = rng.random((3, 4, 4, 1))
    np.testing.assert_allclose(l51.shrink(l51.enlarge(small, 0, 7), 4), small, atol=1e-12)
    x = rng.random((2, 28, 28, 1))
    assert l51.shrink(x, 4)[1, 2, 3, 0] == pytest.approx(x[1, 14:21, 21:28].mean())
    assert np.ptp(l51.enlarge(np.full((1, 4, 4, 1), 0.3), 3, 7)) < 1e-9
    for order, spread in ((0, 0.0), (3, 1e-12)):
        wanted = zoom(x, (1, 2, 2, 1), order=order, grid_mode=True, mode="nearest").clip(0, 1)
        np.testing.assert_allclose(l51.enlarge(x, order, 2), wanted, atol=spread)


def test_patches_laid_side_by_side_are_the_photograph():
    """A model that knew the truth would rebuild the held-out part to the last pixel."""

    class Knows:
        def translate(self, seen, seed=None):
            large, small, cubic = l51.held_out()
            rows, columns = (n // l51.CORE for n in small.shape[:2])
            side = l51.FACTOR * l51.CORE
            detail = (large - cubic).reshape(rows, side, columns, side, 3).swapaxes(1, 2)
            middle = seen[:, l51.MARGIN : -l51.MARGIN, l51.MARGIN : -l51.MARGIN]
            core = small.reshape(rows, l51.CORE, columns, l51.CORE, 3).swapaxes(1, 2)
            np.testing.assert_array_equal(middle, core.reshape(middle.shape))
            return Tensor(detail.reshape(-1, side, side, 3))

    class Tensor:
        def __init__(self, value):
            self.numpy = lambda: value

    made = l51.enlarge_photograph(Knows())
    np.testing.assert_allclose(made, l51.held_out()[0], atol=1e-6)
    scores = l51.judge_photograph(made)
    assert scores["sharpness"] == pytest.approx(1, abs=1e-4) and scores["consistency"] < 1e-3
    detail, seen = l51.patches()
    assert detail.shape[1:] == (16, 16, 3) and seen.shape[1:] == (8, 8, 3)
    assert len(detail) == len(seen) and np.isfinite(detail).all()


def test_no_held_out_pixel_is_trained_on():
    last = (l51.TRAINED - l51.SEEN) // 2  # of the first row of patches, each two columns on
    large, small, _ = l51.photographs()[0]
    assert 2 * last + l51.SEEN <= l51.TRAINED < 2 * (last + 1) + l51.SEEN
    np.testing.assert_array_equal(
        l51.patches()[1][last], small[: l51.SEEN, 2 * last : 2 * last + l51.SEEN]
    )
    np.testing.assert_array_equal(l51.held_out()[0][:, 0], large[:416, l51.FACTOR * l51.TRAINED])


def test_judging_real_digits_gives_the_ceilings():
    x, *_ = l51.digits(4, "test")
    scores = l51.judge(np.stack([x, x]), 4)
    assert scores["read"] > 0.98 and scores["right"] > 0.94
    assert scores["spread"] == 0 and scores["distinct"] == pytest.approx(1)
    assert scores["consistency"] < 1e-6 and scores["kinds"] <= 1


def test_every_setting_is_built_and_named():
    for setting in l51.SETTINGS:
        model = l51.build(setting, seed=1)
        if setting in ("pair_each", "pair_mean"):
            assert float(model.fine) == (setting == "pair_each")
        else:
            assert ("mean" in setting) == (getattr(model, "content", "each") == "mean")
        if "adversarial" not in setting:
            assert (model.adversarial_weight == 0) == ("squared" in setting)


@pytest.mark.parametrize("fine, content", [(1.0, "each"), (0.0, "mean")])
def test_the_fine_on_variance_is_a_dial_between_the_two_contents(fine, content):
    rng = np.random.default_rng(0)
    x, made, again = (rng.normal(size=(8, 2)).astype(np.float32) for _ in "abc")
    model = l51.build("pair_mean", 0)
    model.fine = fine
    wanted = np.mean((x - made) * (x - (made if content == "each" else again)))
    assert float(model.content_loss(x, made, again)) == pytest.approx(wanted, rel=1e-5)
