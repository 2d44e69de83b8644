import math
import re

import numpy as np
import pytest
import tensorflow as tf

from genlib import check as engine
from genlib.check import Choice, Function, Number, check, exercise, exercises, lectures

ALL = [name for lecture in lectures() for name in exercises(lecture)]


@pytest.fixture
def ask(monkeypatch, capsys):
    """ask(kind, answer) -> (right, the one line printed)."""

    def ask(kind, answer):
        monkeypatch.setitem(engine._EXERCISES, "10_kl/test", lambda: kind)
        right = bool(check("10_kl/test", answer))
        printed = capsys.readouterr().out
        assert printed.endswith("\n") and printed.count("\n") == 1
        assert right is printed.startswith("Right: ")
        return right, printed.strip()

    return ask


NUMBER = Number(2.0, 0.01, "two.", mistakes=[(-2.0, "The sign."), (math.inf, "A division by 0.")])


@pytest.mark.parametrize(
    "answer",
    [2, 2.0, 2.009, 1.991, np.float32(2), np.array(2.0), np.int64(2), tf.constant(2.0),
     tf.Variable(2.0)],
)  # fmt: skip
def test_number_right(ask, answer):
    assert ask(NUMBER, answer) == (True, "Right: two.")


@pytest.mark.parametrize(
    "answer, words",
    [
        (None, "Not answered yet: replace the None"),
        (..., "Not answered yet: replace the None"),
        (-2.001, "The sign"),
        (np.inf, "A division by 0"),
        (-np.inf, "the answer is infinite"),
        (2.02, "2.02 is too large"),
        (1.98, "1.98 is too small"),
        (math.nan, "NaN"),
        (tf.constant(math.nan), "NaN"),
        ([2.0], r"one number is asked for, and this has shape \(1,\)"),
        (np.full((2, 3), 2.0), r"shape \(2, 3\)"),
        ([], r"shape \(0,\)"),
        ("2", "this is a str '2'"),
        (True, "this is a bool True"),
        (2 + 0j, "this is a complex"),
        ({"answer": 2}, "this is a dict"),
        ([[1, 2], [3]], "this is a list"),
        (abs, "this is a builtin_function"),
        (object(), "this is an object"),
    ],
)
def test_number_wrong(ask, answer, words):
    right, printed = ask(NUMBER, answer)
    assert not right and re.search(words, printed), printed


def test_symbolic_tensor_is_no_number(ask):
    @tf.function
    def graph(x):
        right, printed = ask(NUMBER, x)
        assert not right and "one number is asked for" in printed
        return x

    graph(tf.constant(2.0))


def test_number_may_be_infinite(ask):
    kind = Number(math.inf, 0.01, "Q is 0 where P is not.", mistakes=[(0.0, "No.")])
    assert ask(kind, np.inf)[0]
    assert not ask(kind, -np.inf)[0] and not ask(kind, 1e300)[0]
    assert "is finite" in ask(kind, 7.0)[1] and "No." in ask(kind, 0)[1]


CHOICE = Choice(
    "reverse", ["forward", "reverse", "True", "3"], "it seeks a mode.", {"forward": "It covers."}
)


@pytest.mark.parametrize(
    "answer, right, words",
    [
        ("reverse", True, "Right: it seeks a mode."),
        ("  Reverse ", True, "Right"),
        ("forward", False, "It covers."),
        (True, False, "'True' is not it"),
        (3, False, "'3' is not it"),
        ("sideways", False, "choose one of 'forward', 'reverse', 'True', '3'; got 'sideways'"),
        (math.nan, False, "this is a float"),
        (["reverse"], False, "this is a list"),
        (None, False, "Not answered yet"),
    ],
)
def test_choice(ask, answer, right, words):
    assert ask(CHOICE, answer)[0] is right and words in ask(CHOICE, answer)[1]


def test_choice_knows_its_options():
    with pytest.raises(ValueError, match="among options"):
        Choice("a", ["b", "c"], "why")
    with pytest.raises(ValueError, match="among options"):
        Choice("b", ["b", "c"], "why", {"d": "no"})


def spoil(x):
    x *= 0
    return x


FUNCTION = Function(
    lambda x: np.sum(x**2),
    inputs=lambda rng: (rng.normal(size=3),),
    tolerance=1e-6,
    right="it adds the squares.",
    mistakes=[(lambda x: np.mean(x**2), "That is the mean."), (lambda x: x**2, "Now add.")],
)


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x: np.mean(x**2), "That is the mean."),
        (lambda x: x**2, "Now add."),
        (lambda x: np.sum(x), r"for \(\[.*\]\) it returns .*, and .* is right"),
        (lambda x: [np.sum(x**2)], r"returns shape \(1,\), and \(\) is wanted"),
        (lambda x: math.nan, "it returns nan"),
        (lambda x: None, "returns None"),
        (lambda x: "four", "numbers are asked for, and this is a str 'four'"),
        (lambda x: [[1, 2], [3]], "this is a list"),
        (lambda x: 1 / 0, "raises ZeroDivisionError: division by zero"),
        (lambda x, y: 1.0, "raises TypeError"),
        (lambda: 1.0, "raises TypeError"),
        (lambda x: exec("raise NotImplementedError"), "not written yet"),
        (lambda x: exec("raise ValueError('two\\nlines')"), "ValueError: two lines"),
        (spoil, r"for \(\[ ?0\.1257"),  # shown as they were before it changed them
        (1.0, "a function is asked for, and this is a float 1.0"),
        ("f", "a function is asked for"),
        (None, "Not answered yet"),
        (..., "Not answered yet"),
    ],
)
def test_function_wrong(ask, answer, words):
    right, printed = ask(FUNCTION, answer)
    assert not right and re.search(words, printed), printed


def test_function_right(ask):
    for answer in (
        lambda x: np.sum(x**2),
        lambda x: tf.reduce_sum(x**2),
        lambda x: float(np.dot(x, x)) + 1e-9,
    ):
        assert ask(FUNCTION, answer) == (True, "Right: it adds the squares.")


def test_function_wrong_on_some_inputs_only(ask):
    kind = Function(abs, lambda rng: (rng.normal(),), 1e-6, "ok")
    right, printed = ask(kind, lambda x: x)
    assert not right and re.search(r"for \((-[\d.]+)\) it returns \1, and", printed), printed


def test_unknown_exercises():
    with pytest.raises(ValueError, match="unknown exercise '10_kl/99'; 10_kl has 10_kl/1, 10_kl/2"):
        check("10_kl/99", 1)
    with pytest.raises(ValueError, match="lectures with exercises: .*10_kl"):
        check("99_nothing/1", 1)
    for name in ("10_kl", "", None, 3, "../10_kl/1"):
        with pytest.raises(ValueError):
            check(name, 1)


def test_registering_names_the_exercise(monkeypatch):
    monkeypatch.setattr(engine, "_EXERCISES", dict(engine._EXERCISES))
    exercise("10_kl/new")(lambda: NUMBER)
    assert "10_kl/new" in exercises("10_kl") and check("10_kl/new", 2)


# Every exercise of every lecture: it takes the truth, refuses what is near it but wrong, and
# knows each of its own mistakes.


def truth_and_mistakes(kind):
    if isinstance(kind, Number):
        off = kind.tolerance * 3 + 1e-6
        wrong = [kind.truth + off, kind.truth - off] if np.isfinite(kind.truth) else [0.0, 1e9]
        return kind.truth, wrong, kind.mistakes
    if isinstance(kind, Choice):
        wrong = [option for option in kind.options if option != kind.right_choice]
        return kind.right_choice, wrong, kind.wrong.items()
    off = kind.tolerance * 3 + 1e-6
    wrong = [
        lambda *args: kind.reference(*args) + off,
        lambda *args: np.stack([kind.reference(*args)] * 2),
    ]
    return kind.reference, wrong, kind.mistakes


@pytest.mark.parametrize("name", ALL)
def test_every_exercise(name, capsys):
    truth, wrong, mistakes = truth_and_mistakes(engine._find(name)())
    assert check(name, truth), capsys.readouterr().out
    for answer in [*wrong, None, math.nan, object(), [[1.0, 2.0]], lambda: None]:
        assert not check(name, answer)
    capsys.readouterr()
    for answer, message in mistakes:
        assert not check(name, answer)
        assert capsys.readouterr().out.strip() == f"Not yet: {message}"


def test_there_are_exercises():
    assert {"10_kl/1", "10_kl/2"} <= set(ALL)


def test_a_verdict_prints_nothing_as_a_cells_last_line(ask):
    from IPython.core.formatters import DisplayFormatter

    verdict = engine.Verdict(True)
    assert DisplayFormatter().format(verdict) == ({}, {})
    assert verdict == True and not engine.Verdict(False)  # noqa: E712
    assert repr(verdict) == "True"
