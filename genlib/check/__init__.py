"""Exercises with checked answers.

``check("10_kl/1", answer)`` prints one line, what is right or what went wrong, and returns True or
False.

To add an exercise to lecture ``10_kl``, add a function to ``genlib/check/l10_kl.py`` (a module's
name cannot start with a digit, hence the ``l``); the file is imported when first asked for::

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

It returns a ``Number``, a ``Choice`` or a ``Function`` (see ``genlib/check/kinds.py``). Compute
the truth, and the mistakes, with ``genlib``: never type them. A mistake says what to do.
"""

import importlib
import pkgutil
from collections.abc import Callable

from genlib.check.kinds import Choice, Function, Number

__all__ = ["Choice", "Function", "Number", "check", "exercise", "exercises", "lectures"]

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
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name[1:] for name in modules if name[0] == "l" and name[1:3].isdigit())


def exercises(lecture: str) -> list[str]:
    """Return the ids of one lecture's exercises; ValueError if the lecture has none."""
    if lecture not in lectures():
        raise ValueError(
            f"no exercises for lecture {lecture!r}; lectures with exercises: "
            f"{', '.join(lectures())}"
        )
    importlib.import_module(f"{__name__}.l{lecture}")
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
