"""The canvas with no browser: strokes, picture, points, the line of text, presets, bad input."""

import gc
import weakref

import numpy as np
import pytest

from genlib.widgets.canvas import Canvas, ink, placed

BAR = [[(0.2, 0.5), (0.8, 0.5)]]


@pytest.fixture
def canvas():
    canvas = Canvas({"a bar": BAR, "a dot": [[(0.5, 0.5)]]})
    yield canvas
    canvas.close()


def draw(canvas, strokes):
    """Do what the browser does when a stroke ends."""
    canvas._pad.strokes = strokes


def test_ink_by_hand():
    # A line along the middle of row 2 of a picture 5 x 10: one pixel wide, it inks that row alone.
    picture = ink([[(0.25, 0.5), (0.75, 0.5)]], (5, 10))
    assert np.allclose(picture[2, 2:8], 1) and np.allclose(np.delete(picture, 2, 0), 0)
    assert picture[2, 1] == picture[2, 8] == 0
    # On the border of two rows each gets half of it.
    assert np.allclose(ink([[(0, 0.4), (1, 0.4)]], (5, 10))[1:3, 2:8], 0.5)
    thick = ink([[(0, 0.5), (1, 0.5)]], (5, 10), width=3)
    assert np.allclose(thick[1:4], 1, atol=0.02) and np.allclose(thick[[0, 4]], 0, atol=0.02)
    assert ink([], (5, 10)).shape == (5, 10) and ink([[(1, 1)]], (4, 4))[3, 3] > 0


def test_ink_does_not_depend_on_how_often_a_line_is_sampled():
    ends = np.array([[0.1, 0.2], [0.9, 0.7]])
    many = ends[0] + np.linspace(0, 1, 40)[:, None] * (ends[1] - ends[0])
    assert np.abs(ink([ends], (28, 28)) - ink([many], (28, 28))).max() < 0.06


def test_points_have_the_units_of_the_extent():
    given = placed([[(0, 0), (1, 1)], [(0.5, 0.25)]], (-2, 2, -1, 1))
    assert np.allclose(given, [[-2, 1], [2, -1], [0, 0.5]])
    assert placed([], (0, 1, 0, 1)).shape == (0, 2)


def test_a_stroke_from_the_browser_reaches_picture_points_and_text(canvas):
    seen = []
    canvas.observe(lambda change: seen.append(change["new"]), "picture")
    draw(canvas, [[[0.5, 0.2], [0.5, 0.8]]])
    assert canvas.picture.shape == (28, 28) and np.array_equal(canvas.picture, seen[-1])
    assert canvas.picture[14, 13] + canvas.picture[14, 14] > 0.9
    assert canvas.text == "0.5,0.2 0.5,0.8" and canvas.points.shape == (2, 2)
    assert "strokes: 1" in canvas.readout and "strokes: 1" in canvas._pad.label


def test_the_line_of_text_draws_and_comes_back(canvas):
    canvas._text.value = "0.1,0.1 0.9,0.9; 0.5,0.2"
    assert canvas.strokes == [[(0.1, 0.1), (0.9, 0.9)], [(0.5, 0.2)]]
    assert canvas._pad.strokes == [[[0.1, 0.1], [0.9, 0.9]], [[0.5, 0.2]]]
    before = canvas.text
    canvas._text.value = "0.1,nonsense"
    assert "strokes must be like" in canvas.readout and canvas.text == before
    canvas.text = ""
    assert canvas.strokes == [] and canvas.picture.max() == 0


def test_presets_undo_and_clear(canvas):
    assert canvas.strokes == BAR  # the first stands there at the start
    canvas._buttons["a dot"].click()
    assert canvas.strokes == [[(0.5, 0.5)]]
    draw(canvas, [[[0.5, 0.5]], [[0.1, 0.1]]])
    canvas._buttons["Undo"].click()
    assert canvas.strokes == [[(0.5, 0.5)]]
    canvas._buttons["Clear"].click()
    assert canvas.strokes == [] and canvas.points.shape == (0, 2)


def test_the_answer_sees_what_was_drawn_and_stands_in_the_stored_picture():
    canvas = Canvas({"a bar": BAR}, answer=lambda c: (1 - c.picture, f"ink {c.picture.sum():.0f}"))
    before = canvas.png
    draw(canvas, [[[0.1, 0.1], [0.9, 0.1]], [[0.1, 0.9], [0.9, 0.9]]])
    assert canvas.png != before and "ink 4" in canvas.readout
    data, metadata = canvas._repr_mimebundle_()
    assert "image/png" in data and "ink" in metadata["image/png"]["alt"]
    assert "application/vnd.jupyter.widget-view+json" in data
    canvas.close()


def test_an_answer_that_fails_is_told_below_the_picture():
    def answer(canvas):
        if len(canvas.strokes) > 1:
            raise ValueError("too <many>")
        return canvas.picture, "fine"

    canvas = Canvas({"a bar": BAR}, answer=answer)
    draw(canvas, [[[0.1, 0.1]], [[0.2, 0.2]]])
    assert canvas.readout == "ValueError: too <many>" and "&lt;many&gt;" in canvas._said.value
    canvas.close()


def test_two_modes_of_one_drawing(canvas):
    canvas.mode = "points"
    assert canvas._pad.mode == "points" and "points: 2" in canvas.readout
    with pytest.raises(ValueError, match="mode must be one of"):
        canvas.mode = "oil"


@pytest.mark.parametrize(
    "bad",
    [[[(0.1, 1.2)]], [[(np.nan, 0.1)]], [(0.1, 0.2)], [[(0.1,)]], 3, "0.1,0.2", [[("a", 1)]],
     [[(0.5, 0.5)] * 6000]],
)  # fmt: skip
def test_bad_strokes_are_refused_and_change_nothing(canvas, bad):
    with pytest.raises(ValueError, match="strokes must"):
        canvas.strokes = bad
    assert canvas.strokes == BAR


def test_bad_settings_are_refused():
    for wrong in ({"mode": "oil"}, {"shape": (0, 28)}, {"pen": -1.0}, {"presets": {"a": [[2]]}}):
        with pytest.raises((ValueError, TypeError)):
            Canvas(**wrong)


def test_a_canvas_is_freed_when_dropped():
    canvas = Canvas({"a bar": BAR}, answer=lambda c: (c.picture, ""))
    gone, pad = weakref.ref(canvas), canvas._pad
    del canvas
    gc.collect()
    assert gone() is None and pad.comm is None
