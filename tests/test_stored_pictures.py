"""The comparison of stored pictures finds what is stale, and leaves alone what training draws."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.stored_pictures import complaint, difference, untrained


@pytest.mark.parametrize(
    "cells, clean",
    [
        (["x = 1", "draw(x)"], [True, True]),
        (["model.fit(x)", "draw(model)"], [False, False]),
        (["live = experiments.on_toy('gan')", "draw(1)", "draw(live)"], [False, True, False]),
        (["a = g.fit(x)", "b = a + 1", "draw(b)"], [False] * 3),
        (["made = experiments.over_seeds(make, x)", "draw(made)"], [False] * 2),
        (["def train():\n    m.fit(x)", "r = train()", "draw(r)"], [False] * 3),
        (["a = g.fit(x)", "a = 1", "draw(a)"], [False, True, True]),
        (["for n in g.fit(x):\n    y = n", "n = 2\ndraw(n)", "draw(y)"], [False, True, False]),
        (["s = [n for n in g.fit(x)]", "draw([n for n in z])"], [False, True]),
        (["%pip install x\nimport genlib", "draw(genlib)"], [True, True]),
        (["t = time.perf_counter()", "draw(t)"], [False, False]),
    ],
)
def test_what_training_has_a_part_in(cells, clean):
    assert untrained(cells) == clean


def picture(change=lambda array: None):
    array = np.full((120, 240, 3), 255, np.uint8)
    array[30:60, 40:90] = (0, 90, 200)
    change(array)
    return array


def stored(*arrays):
    outputs = []
    for array in arrays:
        file = io.BytesIO()
        Image.fromarray(array).save(file, "png")
        png = base64.b64encode(file.getvalue()).decode()
        outputs.append({"output_type": "display_data", "data": {"image/png": png}})
    return outputs


def paint(array):
    array[72:84, 96:108] = (255, 227, 168)  # one small mark


def dither(array):
    array[...] = np.clip(array.astype(int) + np.random.default_rng(0).integers(-20, 20), 0, 255)


def test_a_small_mark_is_seen_and_rounding_is_not():
    assert difference(picture(), picture()) == 0
    assert difference(picture(), picture(paint)) > 60
    assert not complaint(stored(picture()), stored(picture(dither)))
    assert "0 (" in complaint(stored(picture()), stored(picture(paint)))


def test_another_size_or_number_of_pictures_is_stale():
    assert difference(picture(), picture()[:100]) == float("inf")
    assert "1 pictures are stored, and it draws 2" in complaint(
        stored(picture()), stored(picture(), picture())
    )
    assert "stale" in complaint(stored(picture()), stored(picture()[:, :200]))
    assert not complaint([{"output_type": "stream", "text": "x"}], [])
