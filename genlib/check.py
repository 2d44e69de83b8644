"""Exercises with checked answers: ``check("10_kl/1", answer)`` prints whether it is right.

To add an exercise to lecture ``10_kl``, add a function to ``genlib/lectures/l10_kl.py``::

    @exercise("10_kl/1")
    def forward_kl():
        p, q = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 2.0)
        truth = float(kl(p, q))
        return Number(
            truth,
            tolerance=0.005,
            right="the wide q covers p, so it is cheap.",
            mistakes=[(float(kl(q, p)), "That is the reverse KL: swap the arguments.")],
        )

It returns a ``Number``, a ``Choice`` or a ``Function``. Compute the truth, and the mistakes, with
``genlib``: never type them. A mistake says what to do.
"""

import contextlib
import copy
import importlib
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

import numpy as np

_EXERCISES: dict[str, Callable] = {}


def check(exercise_id: str, answer) -> "Verdict":
    """Print in one line whether ``answer`` is right, or what went wrong; return True if right.

    ``exercise_id`` is "lecture/number", for example "10_kl/1". ValueError only for an unknown
    exercise: any wrong answer, also a function that raises, gets a message.
    """
    kind = _find(exercise_id)()
    if answer is None or answer is ...:
        print("Not answered yet: replace the None.")
        return Verdict(False)
    right, message = kind.judge(answer)
    print("Right:" if right else "Not yet:", message)
    return Verdict(right)


class Verdict(int):
    """True or False, except that it prints nothing as the last line of a cell."""

    def _ipython_display_(self):
        pass

    def __repr__(self):
        return str(bool(self))


def exercise(exercise_id: str):
    """Decorator: register a function without arguments that returns the exercise."""

    def register(make):
        _EXERCISES[exercise_id] = make
        return make

    return register


def lectures() -> list[str]:
    """Return the lectures that have exercises: ["10_kl", ...]."""
    plan = importlib.import_module("genlib.lectures")
    return [slug for slug in plan.SLUGS if plan.source_of(slug).exists()]


def exercises(lecture: str) -> list[str]:
    """Return the ids of one lecture's exercises; ValueError if the lecture has none."""
    if lecture not in lectures():
        names = ", ".join(lectures())
        raise ValueError(f"no exercises for lecture {lecture!r}; lectures with exercises: {names}")
    importlib.import_module(f"genlib.lectures.l{lecture}")
    return sorted(name for name in _EXERCISES if name.startswith(f"{lecture}/"))


def _find(exercise_id):
    lecture = str(exercise_id).split("/")[0]
    known = exercises(lecture)
    if exercise_id not in known:
        raise ValueError(f"unknown exercise {exercise_id!r}; {lecture} has {', '.join(known)}")
    return _EXERCISES[exercise_id]


@dataclass
class Number:
    """One number is asked for: right within ``tolerance`` (absolute) of ``truth``.

    Any numeric type will do, alone or as the only element of an array; no string, no boolean.
    ``mistakes`` are pairs (the number a misunderstanding gives, what to say about it).
    """

    truth: float
    tolerance: float
    right: str
    mistakes: Sequence[tuple[float, str]] = ()

    def judge(self, answer) -> tuple[bool, str]:
        try:
            value = _numbers(answer)
        except TypeError as error:
            return False, f"one number is asked for, and {error}."
        if value.shape != ():
            return False, f"one number is asked for, and this has shape {value.shape}."
        if np.isnan(value):
            return False, "the answer is NaN (not a number); look for 0/0 or log(0)."
        for known, message in ((self.truth, self.right), *self.mistakes):
            if _close(value, known, self.tolerance):
                return known is self.truth, message
        if np.isinf(value):
            return False, "the answer is infinite, and the right one is not."
        if np.isinf(self.truth):
            return False, f"{value:.4g} is finite, and the right answer is not."
        return False, f"{value:.4g} is too {'small' if value < self.truth else 'large'}."


@dataclass
class Choice:
    """One of some words is asked for: ``right_choice``, or a key of ``wrong``, which says why not.

    An option may be written in any way that `_plain` reads as the same; (4, 8) is "(4, 8)".
    """

    right_choice: str
    why: str
    wrong: dict[str, str]

    def __post_init__(self):
        if len({*map(_plain, self.options)}) < max(2, len(self.options)):
            raise ValueError(f"two options or more, none like another; got {self.options}")

    @property
    def options(self) -> list[str]:
        """All options in the order of the alphabet, which does not tell the right one."""
        return sorted([self.right_choice, *self.wrong], key=str.casefold)

    def judge(self, answer) -> tuple[bool, str]:
        accepted = f"choose one of {', '.join(map(repr, self.options))}"
        if not isinstance(answer, str | int | tuple | np.bool_ | np.integer):
            return False, f"{accepted}; this is {_a(answer)}."
        says = {_plain(option): (False, why) for option, why in self.wrong.items()}
        says[_plain(self.right_choice)] = True, self.why
        unknown = False, f"{accepted}; got {_text(answer)}."
        return says.get(_plain(_text(answer, str, 200)), unknown)


_SIGNS = str.maketrans("‐‑‒–—−‖∥∣", "------|||", "'\"`‘’‚“”„«»^_${}\\")
_SIGNS |= {ord(c): unicodedata.name(c).split()[-1].lower() for c in "αβγδεζηθικμνξοπρστυφχψω"}
_SIGNS[ord("λ")] = "lambda"  # Unicode's name is "lamda"


def _plain(text: str) -> str:
    """``text`` such that all ways to write one answer become equal.

    Case, accents, blanks, quotes, sub- and superscripts ("MMD²" is "MMD^2"), marks at the end,
    brackets around the whole, hyphens within a word and ``f(x) =`` in front do not count. Greek
    letters go by name, every dash is a minus, bars may be doubled, "JSD" is "JS".
    """
    text = unicodedata.normalize("NFKD", text).casefold().translate(_SIGNS)
    text = "".join(c for c in text if not unicodedata.combining(c))
    for pattern, plain in (
        (r"(?<=[a-z]{2})\s*-\s*(?=[a-z]{2})", ""),
        (r"\bjsd\b", "js"),
        (r"\s|\*\*|[.,;:!?\s]+$", ""),
        (r"\|+", "|"),
        (r"^[a-z]\w*\([^()=]*\)=(?=.)", ""),
        (r"^[(\[]([^()\[\]]*)[)\]]$", r"\1"),
    ):
        text = re.sub(pattern, plain, text)
    return text


@dataclass
class Function:
    """A function is asked for: it must agree with ``reference`` on random inputs.

    ``inputs(rng)`` draws the arguments of one call as a tuple, from a numpy Generator.
    ``mistakes`` are pairs (a function that shows a misunderstanding, what to say about it).
    """

    reference: Callable
    inputs: Callable[[np.random.Generator], tuple]
    tolerance: float
    right: str
    mistakes: Sequence[tuple[Callable, str]] = ()
    calls: int = 20

    def judge(self, answer) -> tuple[bool, str]:
        if not callable(answer):
            return False, f"a function is asked for, and this is {_a(answer)}."
        rng = np.random.default_rng(0)
        cases = [self.inputs(rng) for _ in range(self.calls)]
        try:
            results = [_result(answer, args) for args in cases]
        except TypeError as error:
            return False, str(error)
        for known, message in ((self.reference, self.right), *self.mistakes):
            if not self._differences(cases, results, known):
                return known is self.reference, message
        args, given, should = self._differences(cases, results, self.reference)[0]
        call = f"for ({_show(args)}) it returns"
        if given.shape != should.shape:
            return False, f"{call} shape {given.shape}, and {should.shape} is wanted."
        return False, f"{call} {_brief(given)}, and {_brief(should)} is right."

    def _differences(self, cases, results, known):
        """``(arguments, result, wanted)`` of each case where ``known`` gives something else."""
        wanted = [_numbers(known(*args)) for args in cases]
        rows = zip(cases, results, wanted, strict=True)
        return [row for row in rows if not _close(*row[1:], self.tolerance)]


def _result(function, args):
    """What a learner's function returns, as numbers; TypeError says what it did instead."""
    call = f"for ({_show(args)})"
    try:
        # A copy, so that a function that changes its arguments spoils only its own.
        with contextlib.redirect_stdout(io.StringIO()):
            value = function(*copy.deepcopy(args))
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise TypeError("the function is not written yet.") from None
        kind, text = type(error).__name__, _text(error, str, 200)
        raise TypeError(f"{call} the function raises {kind}: {text}") from None
    if value is None:
        raise TypeError("the function returns None; does it end with a return?")
    try:
        return _numbers(value)
    except TypeError as error:
        raise TypeError(f"{call} numbers are asked for, and {error}.") from None


def _numbers(value) -> np.ndarray:
    """``value`` as a float64 array, () for one element; TypeError says what it is instead."""
    try:
        array = np.asarray(value)
        real = (isinstance(x, Real | Decimal) and not isinstance(x, bool) for x in array.flat)
        if array.dtype.kind in "iuf" or array.dtype.kind == "O" and all(real):
            return array.astype(np.float64).reshape(() if array.size == 1 else array.shape)
    except Exception:  # it makes no array, or is larger than any float
        pass
    hint = "; write numbers without quotes" if isinstance(value, str) else ""
    raise TypeError(f"this is {_a(value)}{hint}")


def _close(given, wanted, tolerance) -> bool:
    """Whether all is within ``tolerance``, or as near as float32 can come to large numbers."""
    return np.shape(given) == np.shape(wanted) and np.allclose(given, wanted, 1e-6, tolerance)


def _a(value) -> str:
    name = type(value).__name__
    text = _text(value) if isinstance(value, str | bool | int | float | complex) else ""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name} {text}".rstrip()


def _show(args) -> str:
    return ", ".join(_brief(arg) for arg in args)


def _brief(value) -> str:
    return _text(value, lambda v: np.array2string(np.asarray(v), precision=4, threshold=6))


def _text(value, to_text=repr, longest=60) -> str:
    """``value`` as one line of at most ``longest`` characters, whatever it is."""
    try:
        text = " ".join(to_text(value).split())
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
