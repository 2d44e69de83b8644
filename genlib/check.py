"""Exercises with checked answers.

``check("10_kl/1", answer)`` prints one line, what is right or what went wrong, and returns True or
False.

To add an exercise to lecture ``10_kl``, add a function to ``genlib/lectures/l10_kl.py``, which is
imported when first asked for::

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

It returns a ``Number``, a ``Choice`` or a ``Function``. Compute
the truth, and the mistakes, with ``genlib``: never type them. A mistake says what to do.
"""

import copy
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

_EXERCISES: dict[str, Callable] = {}


def check(exercise_id: str, answer) -> "Verdict":
    """Print in one line whether ``answer`` is right, or what went wrong; return True if right.

    ``exercise_id`` is "lecture/number", for example "10_kl/1". A wrong answer of whatever kind,
    also a function that raises, gets a message and never an exception; ValueError only for an
    unknown exercise.
    """
    kind = _find(exercise_id)()
    if answer is None or answer is ...:
        right, message = False, "Not answered yet: replace the None."
    else:
        right, message = kind.judge(answer)
    print(message)
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
        raise ValueError(
            f"no exercises for lecture {lecture!r}; lectures with exercises: "
            f"{', '.join(lectures())}"
        )
    importlib.import_module(f"genlib.lectures.l{lecture}")
    return sorted(name for name in _EXERCISES if name.startswith(f"{lecture}/"))


def _find(exercise_id):
    if not isinstance(exercise_id, str) or "/" not in exercise_id:
        raise ValueError(
            f"exercise_id must look like 'lecture/number', for example '10_kl/1'; "
            f"got {exercise_id!r}"
        )
    lecture = exercise_id.split("/")[0]
    known = exercises(lecture)
    if exercise_id not in known:
        raise ValueError(f"unknown exercise {exercise_id!r}; {lecture} has {', '.join(known)}")
    return _EXERCISES[exercise_id]


# The kinds of exercise: each judges an answer as ``(right, one line of text)``.


@dataclass
class Number:
    """One number is asked for: right within ``tolerance`` (absolute) of ``truth``.

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
            return False, f"Not yet: one number is asked for, and {error}."
        if value.shape != ():
            return False, f"Not yet: one number is asked for, and this has shape {value.shape}."
        if np.isnan(value):
            return False, "Not yet: the answer is NaN (not a number); look for 0/0 or log(0)."
        if _close(value, self.truth, self.tolerance):
            return True, f"Right: {self.right}"
        for wrong, message in self.mistakes:
            if _close(value, wrong, self.tolerance):
                return False, f"Not yet: {message}"
        if np.isinf(value):
            return False, "Not yet: the answer is infinite, and the right one is not."
        if np.isinf(self.truth):
            return False, f"Not yet: {value:.4g} is finite, and the right answer is not."
        hint = "too small" if value < self.truth else "too large"
        return False, f"Not yet: {value:.4g} is {hint}."


@dataclass
class Choice:
    """One of ``options`` is asked for; ``wrong`` says for an option why it is not right.

    Case and surrounding blanks do not count, and True stands for "True".
    """

    right_choice: str
    options: Sequence[str]
    why: str
    wrong: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        strangers = {self.right_choice, *self.wrong} - set(self.options)
        if strangers:
            raise ValueError(f"right_choice and wrong must be among options; got {strangers}")

    def judge(self, answer) -> tuple[bool, str]:
        accepted = f"choose one of {', '.join(map(repr, self.options))}"
        if not isinstance(answer, str | bool | int | np.bool_ | np.integer):
            return False, f"Not yet: {accepted}; this is {_a(answer)}."
        given = str(answer).strip().casefold()
        chosen = next((option for option in self.options if option.casefold() == given), None)
        if chosen is None:
            return False, f"Not yet: {accepted}; got {answer!r}."
        if chosen == self.right_choice:
            return True, f"Right: {self.why}"
        return False, f"Not yet: {self.wrong.get(chosen, f'{chosen!r} is not it.')}"


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
            return False, f"Not yet: a function is asked for, and this is {_a(answer)}."
        rng = np.random.default_rng(0)
        cases = [self.inputs(rng) for _ in range(self.calls)]
        wanted = [_numbers(self.reference(*args)) for args in cases]
        try:
            results = [_result(answer, args) for args in cases]
        except _Unusable as error:
            return False, f"Not yet: {error}"
        wrong = self._first_difference(results, wanted)
        if wrong is None:
            return True, f"Right: {self.right}"
        for mistaken, message in self.mistakes:
            same = [_numbers(mistaken(*args)) for args in cases]
            if self._first_difference(results, same) is None:
                return False, f"Not yet: {message}"
        given, should, args = results[wrong], wanted[wrong], _show(cases[wrong])
        if given.shape != should.shape:
            return False, (
                f"Not yet: for ({args}) it returns shape {given.shape}, and {should.shape} "
                "is wanted."
            )
        return False, (
            f"Not yet: for ({args}) it returns {_brief(given)}, and {_brief(should)} is right."
        )

    def _first_difference(self, results, wanted):
        pairs = enumerate(zip(results, wanted, strict=True))
        return next((i for i, (a, b) in pairs if not _close(a, b, self.tolerance)), None)


class _Unusable(Exception):
    """What a learner's function did instead of returning numbers."""


def _result(function, args):
    try:
        # A copy, so that a function that changes its arguments spoils only its own.
        value = function(*copy.deepcopy(args))
    except NotImplementedError:
        raise _Unusable("the function is not written yet.") from None
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise _Unusable(
            f"for ({_show(args)}) the function raises {type(error).__name__}: {text}"
        ) from None
    if value is None:
        raise _Unusable("the function returns None; does it end with a return?")
    try:
        return _numbers(value)
    except TypeError as error:
        raise _Unusable(f"for ({_show(args)}) numbers are asked for, and {error}.") from None


def _numbers(value) -> np.ndarray:
    """``value`` (number, array, tensor) as a float64 array; TypeError says what it is instead."""
    problem = TypeError(f"this is {_a(value)}")
    try:
        array = np.asarray(value)
    except Exception:
        raise problem from None
    if array.dtype.kind not in "iuf":
        raise problem
    return array.astype(np.float64)


def _close(a, b, tolerance) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=0, atol=tolerance))


def _a(value) -> str:
    name = type(value).__name__
    text = repr(value) if isinstance(value, str | bool | int | float | complex) else ""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name} {text}".rstrip()


def _show(args) -> str:
    return ", ".join(_brief(arg) for arg in args)


def _brief(value) -> str:
    """``value`` in at most some 60 characters of one line."""
    try:
        array = np.asarray(value)
        text = np.array2string(array, precision=4, threshold=6, edgeitems=2)
    except Exception:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."
