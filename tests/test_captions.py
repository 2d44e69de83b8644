"""Captions of digits are what is measured; sentences of scenes are what is drawn."""

import numpy as np
import pytest

from genlib import data
from genlib.lectures import captions, scenes


def bar(width, lean=0.0):
    """A soft-edged upright bar of a known width, sheared by a known slope."""
    rows, columns = np.arange(28)[:, None] - 13.5, np.arange(28) - 13.5
    inside = np.abs(rows) <= 8
    edge = np.clip(width / 2 + 0.5 - np.abs(columns + lean * rows), 0, 1)
    return np.float32(inside * edge)


@pytest.mark.parametrize("width", [2.0, 3.0, 4.0])
def test_thickness_of_a_long_bar_is_its_width(width):
    # The two short ends add their width once each to the steps of 16 rows on both sides.
    steps = 2 * 16 + 2 * width
    assert captions.thickness(bar(width)[None])[0] == pytest.approx(
        2 * 16 * width / steps, rel=0.01
    )


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.3])
def test_slant_is_the_shear(lean):
    assert captions.slant(bar(2.0, lean)[None])[0] == pytest.approx(lean, abs=0.01)


def test_a_moved_picture_keeps_its_caption():
    x, y = data.images("mnist5k")
    x, y = x[::50], y[::50]
    wide = np.pad(x, ((0, 0), (3, 5), (6, 2), (0, 0)))
    np.testing.assert_allclose(captions.slant(wide), captions.slant(x), atol=1e-4)
    np.testing.assert_allclose(captions.thickness(wide), captions.thickness(x), rtol=0.02)


def test_thirds_of_the_training_pictures_get_each_word():
    rows = captions.attributes(*data.images("mnist5k"))
    for i in (0, 2):
        np.testing.assert_allclose(np.bincount(rows[:, i]) / len(rows), 1 / 3, atol=0.01)
    assert len(np.unique(rows, axis=0)) == len(captions.every()) == 90


def test_captions_are_read_as_they_are_written():
    rows = captions.every()
    for row in rows:
        np.testing.assert_array_equal(captions.parse(captions.caption(row)), row)
    bags = captions.bag(rows)
    assert (
        bags.shape == (90, 16) and (bags.sum(1) == 3).all() and len(np.unique(bags, axis=0)) == 90
    )
    np.testing.assert_array_equal(captions.parse("Leaning RIGHT, a three: thin!"), [0, 3, 2])


@pytest.mark.parametrize(
    "text, message",
    [
        ("a fat three upright", "'fat'; known are thin, medium, thick; zero"),
        ("a thin three", "must name one slant, of left, upright, right; .* names none"),
        ("a thin thick three upright", "one thickness, .* names thin, thick"),
        ("", "must name one thickness"),
    ],
)
def test_a_caption_that_cannot_be_read_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        captions.parse(text)
    with pytest.raises(TypeError, match="caption must be text"):
        captions.parse(3)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 28)), np.full((1, 28, 28), np.nan), 2 * np.ones((1, 28, 28, 1)), "a"]
)
def test_bad_pictures_are_refused(bad):
    for measure in (captions.thickness, captions.slant):
        with pytest.raises(ValueError, match="x must"):
            measure(bad)


def test_sentences_and_scenes():
    rows = scenes.every()
    assert rows.shape == (288, 5) and len(np.unique(rows, axis=0)) == 288
    for row in rows[::7]:
        np.testing.assert_array_equal(scenes.parse(scenes.sentence(row)), row)
    assert len(np.unique(scenes.objects(rows), axis=0)) == 144
    same = ["a red circle above a blue square", "a blue square below a red circle"]
    np.testing.assert_array_equal(*(scenes.objects(scenes.parse(text)) for text in same))
    swapped = scenes.parse("a blue circle above a red square")
    bags = [scenes.one_hot(row).sum(1) for row in (scenes.parse(same[0]), swapped)]
    np.testing.assert_array_equal(*bags)
    assert (scenes.objects(swapped) != scenes.objects(scenes.parse(same[0]))).any()


def test_a_scene_shows_what_its_sentence_says():
    x = scenes.draw(np.repeat(scenes.parse("a red circle above a blue square")[None], 20, 0), 1)
    assert x.shape == (20, 16, 16, 3) and x.min() >= 0 and x.max() <= 1
    red, blue = (np.array(scenes.COLOURS[name]) for name in ("red", "blue"))
    for part, colour in ((x[:, :8], red), (x[:, 8:], blue)):
        solid = np.abs(part - colour).max(-1) < 0.02
        assert (solid.sum((1, 2)) > 12).all()
    np.testing.assert_array_equal(
        x, scenes.draw(np.repeat(scenes.parse("a red circle above a blue square")[None], 20, 0), 1)
    )
    assert np.var(x, axis=0).sum() > 5  # places and sizes vary


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "a purple circle above a red square",
            "'purple'; known are red, green, blue, yellow, circle",
        ),
        ("a circle red above a blue square", "must be of the form"),
        ("a red circle", "must be of the form"),
    ],
)
def test_a_sentence_that_cannot_be_read_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        scenes.parse(text)
    with pytest.raises(TypeError, match="sentence must be text"):
        scenes.parse(None)
