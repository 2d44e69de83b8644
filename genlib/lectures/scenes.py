"""Drawn scenes of two coloured objects, one above the other, and sentences that say so.

"a red circle above a blue square" and "a blue square below a red circle" are one scene;
"a blue circle above a red square" has the same words and is another. 4 colours and 3 shapes make
12 objects, 144 scenes and 288 sentences.
"""

import re

import numpy as np

from genlib import validate

COLOURS = {  # Okabe and Ito's, by the names that a learner would type
    "red": (0.835, 0.369, 0.0),
    "green": (0.0, 0.62, 0.451),
    "blue": (0.0, 0.447, 0.698),
    "yellow": (0.941, 0.894, 0.259),
}
SHAPES = ("circle", "square", "triangle")
PLACES = ("above", "below")
WORDS = (*COLOURS, *SHAPES, *PLACES)
SIZE = 16
_SLOTS = (tuple(COLOURS), SHAPES, PLACES, tuple(COLOURS), SHAPES)


def every() -> np.ndarray:
    """All sentences as word numbers, ``(288, 5)``: colour, shape, place, colour, shape."""
    sizes = [len(words) for words in _SLOTS]
    rows = np.indices(sizes).reshape(5, -1).T
    starts = np.array([WORDS.index(words[0]) for words in _SLOTS])
    return rows + starts


def sentence(row) -> str:
    """The sentence of one row of word numbers."""
    words = [WORDS[i] for i in row]
    return f"a {words[0]} {words[1]} {words[2]} a {words[3]} {words[4]}"


def parse(text: str) -> np.ndarray:
    """The word numbers ``(5,)`` of a typed sentence.

    TypeError unless it is text; ValueError for an unknown word, which names the known ones, and for
    words in another order.
    """
    if not isinstance(text, str):
        raise TypeError(f"sentence must be text such as {sentence(every()[0])!r}; got {text!r}")
    said = [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "the")]
    if unknown := [word for word in said if word not in WORDS]:
        raise ValueError(
            f"sentence has a word that is not known, {unknown[0]!r}; known are {', '.join(WORDS)}"
        )
    fits = len(said) == 5 and all(word in words for word, words in zip(said, _SLOTS, strict=True))
    if not fits:
        raise ValueError(
            "sentence must be of the form 'a colour shape above (or below) a colour shape'; "
            f"got {text!r}"
        )
    return np.array([WORDS.index(word) for word in said])


def objects(rows) -> np.ndarray:
    """What stands where, ``(n, 4)``: colour and shape of the upper object, then of the lower."""
    rows = np.atleast_2d(rows)
    first, second = rows[:, :2] - [0, 4], rows[:, 3:] - [0, 4]
    above = rows[:, 2:3] == WORDS.index("above")
    return np.where(above, np.hstack([first, second]), np.hstack([second, first]))


def one_hot(rows) -> np.ndarray:
    """The words in their order, ``(n, 5, 9)``, each a row with a single 1."""
    return np.eye(len(WORDS), dtype=np.float32)[np.atleast_2d(rows)]


def half(colour, shape, across, down, radius) -> np.ndarray:
    """One object on white paper ``(n, 8, 16, 3)``; all arguments ``(n,)``, lengths in pixels.

    The edge is soft, one pixel wide; ``across``, ``down``: how far the centre is off the middle.
    """
    grid = np.arange(SIZE) + 0.5
    x = grid - SIZE / 2 - np.reshape(across, (-1, 1, 1))
    y = grid[: SIZE // 2, None] - SIZE / 4 - np.reshape(down, (-1, 1, 1))
    r = np.reshape(radius, (-1, 1, 1))
    inside = np.stack(  # how deep a pixel lies inside of each shape
        [
            r - np.sqrt(x**2 + y**2),
            1.05 * r - np.maximum(np.abs(x), np.abs(y)),
            np.minimum(r - y, (r + y - 2 * np.abs(x)) / np.sqrt(5)),
        ],
        1,
    )
    ink = np.clip(inside[np.arange(len(r)), shape] + 0.5, 0, 1)[..., None]
    paint = np.array(list(COLOURS.values()))[colour][:, None, None]
    return (1 - ink * (1 - paint)).astype(np.float32)


def draw(rows, seed=0) -> np.ndarray:
    """A picture for each sentence, ``(n, 16, 16, 3)``: places and sizes vary with ``seed``."""
    rng, what = np.random.default_rng(validate.seed("seed", seed)), objects(rows)
    halves = []
    for i in (0, 2):
        across, down = (rng.uniform(-most, most, len(what)) for most in (3.5, 0.4))
        halves.append(
            half(what[:, i], what[:, i + 1], across, down, rng.uniform(2.8, 3.4, len(what)))
        )
    return np.concatenate(halves, 1)
