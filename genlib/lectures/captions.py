"""Captions of real digits, by what is measured in the picture: "a thin three leaning right".

Nobody wrote them. The digit is the picture's label. Thickness and slant are numbers, cut where they
part the training pictures of ``images("mnist5k")`` into thirds: 3 x 10 x 3 = 90 captions in all.
"""

import functools
import re

import numpy as np

from genlib import validate
from genlib.data.images import images

#: The words of each kind; a caption has one of each.
KINDS = {
    "thickness": ("thin", "medium", "thick"),
    "digit": tuple("zero one two three four five six seven eight nine".split()),
    "slant": ("left", "upright", "right"),
}
WORDS = tuple(word for kind in KINDS.values() for word in kind)
_FILLERS = ("a", "leaning")


def thickness(x) -> np.ndarray:
    """The mean width of the strokes in pixels ``(n,)``, of pictures ``(n, h, w[, 1])``.

    Twice the ink over its total variation, the sum of all steps between neighbours: a bar that is
    w wide and long has ink w and two steps of 1 for each row.
    """
    x = _pictures(x)
    steps = np.abs(np.diff(x, axis=1)).sum((1, 2)) + np.abs(np.diff(x, axis=2)).sum((1, 2))
    return 2 * x.sum((1, 2)) / np.maximum(steps, 1e-6)


def slant(x) -> np.ndarray:
    """How far the strokes lean to the right for each pixel upwards ``(n,)``; 1 is 45 degrees.

    The shear that would set the ink upright: minus its covariance of row and column over its
    variance along the rows.
    """
    x = _pictures(x)
    ink = np.maximum(x.sum((1, 2)), 1e-6)
    rows, columns = (np.arange(side, dtype=np.float32) for side in x.shape[1:])
    down = rows - (x.sum(2) @ rows / ink)[:, None]  # (n, h) from the centre of the ink
    along = columns - (x.sum(1) @ columns / ink)[:, None]
    shear = np.einsum("nij,ni,nj->n", x, down, along)
    return -shear / np.maximum(np.einsum("nij,ni->n", x, down**2), 1e-6)


def attributes(x, digits) -> np.ndarray:
    """``(n, 3)`` whole numbers: of each of `KINDS` which word, for pictures and their digits.

    A digit may be -1, for a picture that is none.
    """
    for_thick, for_lean = thirds()
    thick, lean = np.digitize(thickness(x), for_thick), np.digitize(slant(x), for_lean)
    return np.stack([thick, np.asarray(digits, np.int64), lean], 1)


def every() -> np.ndarray:
    """The attributes of all captions, ``(90, 3)``: digit by digit, thin ones first."""
    digit, thick, lean = np.indices((10, 3, 3)).reshape(3, -1)
    return np.stack([thick, digit, lean], 1)


def caption(row) -> str:
    """The caption of one row of `attributes`."""
    thick, digit, lean = (words[i] for words, i in zip(KINDS.values(), row, strict=True))
    return f"a {thick} {digit} {'' if lean == 'upright' else 'leaning '}{lean}"


def parse(text: str) -> np.ndarray:
    """The attributes ``(3,)`` that a typed caption names, in any order.

    TypeError unless it is text; ValueError for a word that no caption has, and for a kind of word
    that is missing or there twice: it names the words that are known.
    """
    if not isinstance(text, str):
        raise TypeError(f"caption must be text such as {caption((0, 3, 2))!r}; got {text!r}")
    said = [word for word in re.findall(r"\w+", text.lower()) if word not in _FILLERS]
    if unknown := [word for word in said if word not in WORDS]:
        known = "; ".join(", ".join(words) for words in KINDS.values())
        raise ValueError(f"caption has a word that is not known, {unknown[0]!r}; known are {known}")
    found = []
    for kind, words in KINDS.items():
        named = [word for word in said if word in words]
        if len(named) != 1:
            raise ValueError(
                f"caption must name one {kind}, of {', '.join(words)}; "
                f"{text!r} names {', '.join(named) or 'none'}"
            )
        found.append(words.index(named[0]))
    return np.array(found)


def bag(rows) -> np.ndarray:
    """A bag of words ``(n, 16)``, 1 where the caption has the word, of attributes ``(n, 3)``."""
    rows = np.atleast_2d(rows)
    parts = [
        np.eye(len(words), dtype=np.float32)[rows[:, i]] for i, words in enumerate(KINDS.values())
    ]
    return np.concatenate(parts, 1)


@functools.cache
def thirds():
    """Where thickness and where slant is cut: two numbers each."""
    x, _ = images("mnist5k")
    return tuple(np.quantile(measure(x), [1 / 3, 2 / 3]) for measure in (thickness, slant))


def _pictures(x):
    """``x`` as float32 ``(n, h, w)``; ValueError for another shape, NaN or values off [0, 1]."""
    x = np.asarray(validate.numbers("x", x), np.float32)
    x = x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(
            f"x must have shape (n, h, w) or (n, h, w, 1), none of them 0; got {x.shape}"
        )
    return validate.unit_interval("x", x)
