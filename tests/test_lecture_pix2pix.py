"""Lecture 53's own mathematics and data, by other routes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import data
from genlib.lectures import l53_pix2pix as lecture
from genlib.lectures import runs
from genlib.widgets.canvas import ink


def test_chance_of_ink_and_risks_against_drawn_pictures():
    rng = np.random.default_rng(0)
    for edge in (False, True):
        places = lecture.PLACE + 3.0 * rng.normal(size=40_000)
        far = lecture.PIXELS - places[:, None]
        pictures = np.float64(far > 0 if edge else np.abs(far) <= 4.0)
        chance = lecture.chance_of_ink(8.0, 3.0, edge)
        assert np.abs(pictures.mean(0) - chance).max() < 0.015
        answers = {"median": np.median(pictures, 0), "mean": chance, "sample": pictures[::-1]}
        for name, (l1, squares) in lecture.risks(chance).items():
            assert np.abs(pictures - answers[name]).sum(1).mean() == pytest.approx(l1, rel=0.02)
            assert ((pictures - answers[name]) ** 2).sum(1).mean() == pytest.approx(
                squares, rel=0.02
            )


def test_the_line_is_lost_where_the_page_says():
    assert lecture.risks(lecture.chance_of_ink(6.7, 5.0))["median"][0] == pytest.approx(
        6.7, rel=1e-3
    )
    assert (lecture.chance_of_ink(6.7, 5.0) <= 0.5).all()
    assert (lecture.chance_of_ink(6.8, 5.0) > 0.5).any()


@pytest.mark.parametrize("strides", [(1,), (2, 1, 1), (2, 2, 1, 1), (2, 2, 2, 1, 1)])
def test_a_receptive_field_is_that_of_convolutions(strides):
    side = lecture.receptive_field(strides)
    start = keras.Input((side + 8, side + 8, 1))
    x = start
    for stride in strides:
        x = keras.layers.Conv2D(1, 4, stride, kernel_initializer="ones")(x)
    critic, picture = keras.Model(start, x), tf.ones((1, side + 8, side + 8, 1))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        score = critic(picture)[0, 0, 0, 0]
    seen = tape.gradient(score, picture).numpy()[0, ..., 0] > 0
    assert seen.sum() == side**2 and seen[:side, :side].all()


def test_lines_that_undo_each_other():
    """The closed forms against many points; the wrong map has zero loss, and is wrong."""
    x = np.random.default_rng(1).normal(size=200_000)
    y = 1 + 2 * x[::-1]
    for slope, back in ((1.3, -0.4), (2.0, 0.5), (-2.0, -0.5), (0.0, 1.0)):
        cycle, there, came, wrong = lecture.line_losses(slope, back)
        g, f = 1 + slope * x, back * (y - 1)
        drawn = np.abs(back * slope * x - x).mean() + np.abs(1 + slope * f - y).mean()
        assert cycle == pytest.approx(drawn, abs=0.02)
        assert there == pytest.approx(np.abs(np.sort(g) - np.sort(y)).mean(), abs=0.02)
        assert came == pytest.approx(np.abs(np.sort(f) - np.sort(x)).mean(), abs=0.02)
        assert wrong == pytest.approx(np.abs(g - 1 - 2 * x).mean(), abs=0.02)
    assert lecture.line_losses(-2.0, -0.5)[:3] == (0, 0, 0) < (lecture.line_losses(-2.0, -0.5)[3],)


def test_any_bijection_of_the_blobs_has_no_cycle_loss():
    turn = 2 * np.pi / 3
    c, s = np.cos(turn), np.sin(turn)
    wrong = np.float32([[c, -s], [s, c]])  # to the next blob

    def G(x):
        return lecture.right_map(x) @ wrong.T

    turned = lecture.right_map(np.eye(2, dtype=np.float32))  # rows: the images of the axes

    def F(y):
        return (y @ wrong) @ turned.T

    x = tf.constant(np.random.default_rng(0).normal(size=(50, 2)), tf.float32)
    assert float(lecture.cycle_loss(G, F, x, x)) < 1e-5
    moved = np.linalg.norm(G(lecture.BLOBS)[:, None] - lecture.right_map(lecture.BLOBS), axis=-1)
    assert moved.min(1).max() < 1e-5  # onto the right blobs, all three
    assert moved.argmin(1).tolist() != [0, 1, 2]  # and none of them its own


def test_pairs_help_the_copies_alone():
    """The first half is as without pairs, to the slope; the second starts as the first."""
    free, both = lecture.ManyCycles(seeds=2), lecture.ManyCycles(seeds=2, pairs=4)
    (x, y), pair = free.draw(16, 5), both.draw(16, 5)
    np.testing.assert_array_equal(np.concatenate([x, x]), pair[0])
    slopes = []
    for game, batch in ((free, (x, y)), (both, pair)):
        values = [w.value for w in game.G.weights]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = game.maps_loss(*batch)
        slopes.append(tape.gradient(loss, values))
    for weight, alone, found in zip(both.G.weights, *slopes, strict=True):
        np.testing.assert_array_equal(weight[:2], weight[2:])
        np.testing.assert_allclose(found[:2], alone, atol=1e-5)
    assert np.abs(slopes[1][0][2:] - slopes[0][0]).max() > 0.1


def test_many_seeds_are_trained_apart():
    """A seed's networks do not depend on how many others train beside it."""
    few, many = lecture.ManyCycles(seeds=1), lecture.ManyCycles(seeds=3)
    x, y = (tf.repeat(part, 3, 0) for part in few.draw(16, 5))
    for a, b in zip(few.G.weights, many.G.weights, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
    slopes = []
    for game, pair in ((few, (x[:1], y[:1])), (many, (x, y))):
        values = [w.value for w in game.G.weights]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = game.maps_loss(*pair)
        slopes.append([g[0].numpy() for g in tape.gradient(loss, values)])
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_map_is_that_of_the_photograph_and_no_tile_is_held_out():
    picture, labels = lecture.photograph()
    assert picture.shape == (424, 640, 3) and labels.shape == (106, 160)
    assert 0 <= picture.min() and picture.max() <= 1 and len(np.unique(labels)) == lecture.COLOURS
    pictures, maps = (part.numpy() for part in lecture.tiles())
    assert pictures.shape[1:] == (64, 64, 3) and maps.shape[1:] == (16, 16, lecture.COLOURS)
    assert (maps.sum(-1) == 1).all()
    left, right = lecture.HELD_OUT.start - lecture.TILE, lecture.HELD_OUT.stop
    assert np.array_equal(pictures[0], picture[:64, :64])
    last = picture[:64, 4 * left : 4 * left + 64]
    assert (pictures == last).all((1, 2, 3)).any()
    assert (pictures == picture[:64, 4 * right : 4 * right + 64]).all((1, 2, 3)).any()
    beyond = picture[:64, 4 * left + 8 : 4 * left + 72]  # it would reach into the held-out third
    assert not (pictures == beyond).all((1, 2, 3)).any()


def test_scores_of_the_truth_and_of_what_is_wrong():
    the_map, truth = lecture.held_out()
    labels = lecture.photograph()[1][:, lecture.HELD_OUT]
    right = lecture.photo_scores(truth + 1e-6)
    assert right["dB"] > 60 and right["spread"] == pytest.approx(1, abs=1e-3)
    assert right["patches"] < 0.02
    flat = lecture.photo_scores(lecture.mean_colours(labels))
    assert flat["spread"] < 0.5 and flat["patches"] > 2 * right["patches"]


def test_outlines_come_back_as_what_they_surround():
    test, labels = data.images("mnist5k", "test")
    disc = np.hypot(*(np.indices((28, 28)) - 13.5)) < 8
    (line,) = lecture.outlines(disc.astype(float))
    radii = np.linalg.norm(28 * line - 14, axis=1)
    assert abs(radii.mean() - 8) < 0.3 and np.ptp(radii) < 1.5
    for i in lecture.PRESETS:
        strokes = lecture.outlines(test[i, ..., 0])
        assert strokes and np.array_equal(
            lecture.drawn(test[i : i + 1])[0, ..., 0], ink(strokes, (28, 28))
        )
    names = lecture.presets()
    assert len(names) == len(lecture.PRESETS) + 3  # no two of one name


def test_a_stored_run_is_there_for_each_setting_and_seed():
    for setting in lecture.SETTINGS:
        seeds = runs.over_seeds("53_pix2pix", setting, "seed").tolist()
        assert seeds == [0, 1, 2], setting


@pytest.mark.parametrize("setting", ["photo, noise", "digits, L1"])
def test_every_setting_has_its_model(setting):
    model, (y, x) = lecture.model_of(setting, 0)
    assert y.shape[1:] == model.generator.output_shape[1:] and x.shape[1:] == model.condition_shape
    with pytest.raises(ValueError, match="setting must be one of"):
        lecture.model_of("photo, magic", 0)
