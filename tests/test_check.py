import dataclasses
import functools
import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from scipy.stats import entropy, multivariate_normal, norm, wasserstein_distance

from genlib import check as engine
from genlib.check import Choice, Function, Number, check, exercise, exercises, lectures
from genlib.divergences.samples import mmd2
from genlib.gans import FisherGAN, McGAN
from genlib.lectures.write_a_loss import Game
from genlib.lectures.write_on_arrays import Losses
from genlib.likelihood.hierarchical import HierarchicalNormal

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ALL = [name for lecture in lectures() for name in exercises(lecture)]


@functools.cache
def kind_of(name):
    return engine._find(name)()


def every(kind):
    """The exercises of one kind, by name."""
    return {name: kind_of(name) for name in ALL if isinstance(kind_of(name), kind)}


class Hostile:
    """An answer of which nothing can be asked."""

    def _refuse(self, *args, **kwargs):
        raise RuntimeError("hands off")

    __array__ = __repr__ = __str__ = __float__ = __len__ = __iter__ = __eq__ = _refuse
    __hash__ = None


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
     tf.Variable(2.0), keras.Variable(2.0), np.float16(2), tf.constant([2.0], tf.float16),
     Fraction(4, 2), Decimal("2.001"), [2.0], (2,), [[2.0]], [Fraction(2)], (Decimal(2),),
     np.full((1, 1), 2.0), np.array(Fraction(2), dtype=object), [tf.Variable(2.0)]],
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
        (Decimal("NaN"), "NaN"),
        ([math.nan], "NaN"),
        (Decimal("Infinity"), "A division by 0"),
        ([2.0, 2.0], r"one number is asked for, and this has shape \(2,\)"),
        ([Fraction(2), Fraction(1)], r"shape \(2,\)"),
        (np.full((2, 3), 2.0), r"shape \(2, 3\)"),
        ([], r"shape \(0,\)"),
        ("2", "this is a str '2'; write numbers without quotes"),
        (["2"], "this is a list"),
        (True, "this is a bool True"),
        (np.True_, "this is a bool"),
        ([True], "this is a list"),
        (np.array(True, dtype=object), "this is a ndarray"),
        (tf.constant(True), "this is an EagerTensor"),
        (Decimal("sNaN"), "this is a Decimal"),
        (10**400, "this is an int 1000"),
        pytest.param(-(10**5000), "this is an int <int>", id="long"),
        (Fraction(10**400), "this is a Fraction"),
        (np.datetime64("2020"), "this is a datetime64"),
        (np.zeros(1, [("a", float)]), "this is a ndarray"),
        (tf.ragged.constant([[1], [1, 2]]), "this is a RaggedTensor"),
        (keras.Input((1,)), "this is a KerasTensor"),
        (Hostile(), "this is a Hostile"),
        ([Hostile()], "this is a list"),
        (type("", (), {})(), "this is an"),
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
    "reverse",
    "it seeks a mode.",
    {
        "forward": "It covers.",
        "True": "Yes is no direction.",
        "3": "A number.",
        "(4, 8)": "A place.",
    },
)


@pytest.mark.parametrize(
    "answer, right, words",
    [
        ("reverse", True, "Right: it seeks a mode."),
        ("  Reverse ", True, "Right"),
        ("forward", False, "It covers."),
        ("“Reverse.”", True, "Right"),
        (np.str_("re\u2011verse"), True, "Right"),
        (True, False, "Yes is no direction."),
        (np.True_, False, "Yes is no direction."),
        (3, False, "A number."),
        (np.int64(3), False, "A number."),
        ((4, 8), False, "A place."),
        ("4,8", False, "A place."),
        ("[4, 8]", False, "A place."),
        ("sideways", False, "one of '(4, 8)', '3', 'forward', 'reverse', 'True'; got 'sideways'."),
        ("a", False, "choose one of"),
        ("", False, "got ''"),
        ("f(x) =", False, "choose one of"),
        ("x" * 1000, False, "xxx..."),
        ("two\nlines", False, "got 'two\\nlines'"),
        pytest.param(10**5000, False, "got <int>", id="long"),
        ((Hostile(),), False, "got <tuple>"),
        (Hostile(), False, "this is a Hostile"),
        (math.nan, False, "this is a float"),
        (["reverse"], False, "this is a list"),
        (None, False, "Not answered yet"),
    ],
)
def test_choice(ask, answer, right, words):
    assert ask(CHOICE, answer)[0] is right and words in ask(CHOICE, answer)[1]


@pytest.mark.parametrize("wrong", [{}, {"it falls": "no"}, {"It falls.": "no"}])
def test_a_choice_needs_options_that_differ(wrong):
    with pytest.raises(ValueError, match="none like another; got .*it falls"):
        Choice("it falls", "why", wrong)


def test_options_are_listed_in_one_order_whichever_is_right():
    words = ["energy", "KL", "MMD", "W1"]
    for right in words:
        choice = Choice(right, "so", {word: "no" for word in reversed(words) if word != right})
        assert choice.options == words


SAME = [
    ["MMD²", "MMD^2", "MMD2", "mmd ^ 2", "$MMD^{2}$", "MMD**2", "MMD 2."],
    ["KL(Q||P)", "KL(Q‖P)", "KL(Q | | P)", "kl(q || p)", "KL(Q∥P)", "KL(Q|P)", r"KL(Q\|P)"],
    ["KL(P||Q)", "KL(P ‖ Q)"],
    ["x", "f(x) = x", "f(x)=x", " X ", "g(x) = x"],
    ["-x", "f(x) = −x", "– x", "f(x) = -x"],
    ["|x|", "‖x‖", "f(x) = |x|"],
    ["2x", "f(x) = 2 x"],
    ["λ", "lambda", "Lambda", r"$\lambda$", "Λ"],
    ["ε", "epsilon", "ϵ"],
    ["σ", "sigma", "ς"],
    ["JS", "JSD", "jsd"],
    ["W1", "W₁", "W_1"],
    ["Cramér", "Cramer", "CRAME\u0301R"],
    ["the critic's slope", "the critic’s slope", "The critic's  slope.", "«the critic's slope»"],
    ["non-centred", "non centred", "noncentred", "Non–centred!", " non- centred "],
    ["(4, 8)", "(4,8)", "4, 8", "[4, 8]"],
    ["48"],
    ["log p - log q", "log p − log q"],
    ["log p log q"],
]


def test_what_reads_the_same():
    read = [{engine._plain(text) for text in texts} for texts in SAME]
    assert [len(texts) for texts in read] == [1] * len(SAME)
    assert len(set.union(*read)) == len(SAME)


def test_greek_letters_go_by_name():
    names = {engine._plain(chr(code)) for code in range(ord("α"), ord("ω") + 1)}
    assert len(names) == 24 and {"alpha", "lambda", "omega"} <= names and "lamda" not in names


def test_every_choice_is_by_words():
    for name, kind in every(Choice).items():
        assert all(len(option) > 1 and len(option.split()) <= 6 for option in kind.options), name
        says = [kind.why, *kind.wrong.values()]
        assert len(set(says)) == len(kind.options) and all(len(text) > 20 for text in says), name


def other_spellings(text):
    """Strategy: ways to write an option that mean the same."""

    def respell(draw):
        text_ = draw(st.sampled_from([text, text.upper(), text.lower(), text.title()]))
        text_ = "".join(c + draw(st.sampled_from(["", "", " "])) if not c.isalnum() else c
                        for c in text_)  # fmt: skip
        for plain, typographic in (("-", "−"), ("||", "‖"), ("'", "’"), ("²", "^2")):
            text_ = text_.replace(plain, draw(st.sampled_from([plain, typographic])))
        first, last = draw(st.sampled_from(["  ", '""', "“”", "‘’", "„“", "``", "$$"]))
        return f"{first}{text_}{draw(st.sampled_from(['', '.', ' .']))}{last}"

    return st.composite(respell)()


@given(data=st.data())
def test_other_spellings_of_an_option_are_that_option(data):
    kind = every(Choice)[data.draw(st.sampled_from([*every(Choice)]))]
    option = data.draw(st.sampled_from(kind.options))
    right, message = kind.judge(data.draw(other_spellings(option)))
    assert right is (option == kind.right_choice)
    assert message == {kind.right_choice: kind.why, **kind.wrong}[option]


@given(st.text(max_size=80))
def test_any_text_is_judged(text):
    plain = engine._plain(text)
    assert not plain or plain == plain.strip()
    right, message = CHOICE.judge(text)
    assert right or message


def deeper(x):
    return deeper(x)


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
        (lambda x: [np.sum(x)], r"it returns [-\d.]+, and [\d.]+ is right"),
        (lambda x: [np.sum(x**2)] * 2, r"returns shape \(2,\), and \(\) is wanted"),
        (lambda x: bool(x.sum()), "this is a bool"),
        (lambda x: Hostile(), "numbers are asked for, and this is a Hostile"),
        (lambda x: (i for i in x), "this is a generator"),
        (lambda x: abs, "this is a builtin_function"),
        (lambda x: exec("import sys; sys.exit(3)"), "raises SystemExit: 3"),
        (lambda x: exec("raise NotImplementedError('for matrices')"), "Error: for matrices"),
        (deeper, "raises RecursionError"),
        (tf.function(lambda x: np.sum(x.numpy())), "raises AttributeError"),
        (lambda x: Hostile().all, "raises AttributeError"),
        (lambda x: float(Hostile()), "raises RuntimeError: hands off"),
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
        lambda x: np.float32(np.sum(x**2)),
        lambda x: tf.Variable(np.sum(x**2)),
        lambda x: tf.reduce_sum(tf.constant(x, tf.float32) ** 2, keepdims=True),
        lambda x: np.array([np.sum(x**2)]),
        lambda x: [[np.sum(x**2)]],
        lambda x: sum(Fraction(v) ** 2 for v in x),
        lambda x: sum(Decimal(v) ** 2 for v in x),
    ):
        assert ask(FUNCTION, answer) == (True, "Right: it adds the squares.")


def test_a_function_may_return_a_list_of_anything(ask):
    kind = Function(lambda x: 2 * x, lambda rng: (rng.normal(size=3),), 1e-6, "twice.")
    for number in (float, Fraction, Decimal, np.float32, tf.constant, tf.Variable, np.array):
        assert ask(kind, lambda x, number=number: [number(2 * v) for v in x])[0], number
    assert "for ([" in ask(kind, lambda x: [str(v) for v in x])[1]


def test_large_numbers_may_be_rounded_to_float32(ask):
    kind = Function(lambda x: x, lambda rng: (2000 + rng.normal(),), 1e-5, "ok.")
    assert ask(kind, np.float32)[0]
    assert not ask(kind, lambda x: x + 0.01)[0]


def test_what_a_function_prints_is_not_shown(ask):
    def chatty(x):
        print("here", x)
        return np.sum(x**2)

    assert ask(FUNCTION, chatty) == (True, "Right: it adds the squares.")


def test_a_function_can_be_interrupted():
    def endless(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FUNCTION.judge(endless)


def test_function_wrong_on_some_inputs_only(ask):
    kind = Function(abs, lambda rng: (rng.normal(),), 1e-6, "ok")
    right, printed = ask(kind, lambda x: x)
    assert not right and re.search(r"for \((-[\d.]+)\) it returns \1, and", printed), printed


def test_unknown_exercises():
    with pytest.raises(ValueError, match="unknown exercise '10_kl/99'; 10_kl has 10_kl/1, 10_kl/2"):
        check("10_kl/99", 1)
    with pytest.raises(ValueError, match="lectures with exercises: .*10_kl"):
        check("99_nothing/1", 1)
    for name in ("10_kl", "", None, 3, "../10_kl/1", ["10_kl/1"]):
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
def test_every_exercise(name, capsys, monkeypatch):
    kind = kind_of(name)
    monkeypatch.setitem(engine._EXERCISES, name, lambda: kind)  # made once only
    game = isinstance(kind, Game | Losses)  # those: test_write_a_loss.py, test_write_on_arrays.py
    truth, wrong, mistakes = (None, (), ()) if game else truth_and_mistakes(kind)
    assert game or check(name, truth), capsys.readouterr().out
    for answer in [*wrong, None, math.nan, Hostile(), [[1.0, 2.0]], lambda: None, *"abcd"]:
        assert not check(name, answer)
    capsys.readouterr()
    for answer, message in mistakes:
        assert not check(name, answer)
        assert capsys.readouterr().out.strip() == f"Not yet: {message}"


# Every truth, from another source: a closed form or SciPy for the numbers; for all, the solution
# in the notebook, which computes it in its own way.

PAIR = norm.pdf(1.5 - np.array([0, 2])) * [0.9, 0.1]
TRUTHS = {
    "00_start_here/1": math.log(0.2),
    "02_likelihood_vs_pdf/1": Fraction(1, 11),
    "02_likelihood_vs_pdf/3": 5 / (0.2 + 0.5 + 0.4 + 1.1 + 0.3),
    "04_why_generative_models/1": PAIR[1] / PAIR.sum(),
    "04_why_generative_models/3": 2,
    "03_clustering_and_dimension_reduction/3": 1,
    "16_hierarchical_bayes/1": 8 + 20 * Fraction(100, 325),
    "16_hierarchical_bayes/3": math.sqrt(1 - 0.9**2),
    "15_kernel_methods/1": 2.5,
    "15_kernel_methods/3": Fraction(5, 100),
    "10_kl/1": math.log(2) + (1 + 1) / 8 - 0.5,
    "11_jsd/1": math.log(2),
    "11_jsd/2": math.log(2) - 0.3,
    "12_wasserstein/1": wasserstein_distance([0, 4], [2, 3]),
    "13_integral_probability_metrics/1": Fraction(1, 5),
    "14_choosing_a_divergence/1": Fraction(-1, 5),
    "20_vae_elbo/1": math.log(2) - 0.5 + (1 + 0.25) / 2,
    # log of the true density over the best diagonal one's, where both are highest, is their KL.
    "20_vae_elbo/4": norm.logpdf(0, scale=0.6) * 2
    - multivariate_normal.logpdf([0, 0], cov=[[1, 0.8], [0.8, 1]]),
    "21_vae_images/1": 4,
    "21_vae_images/2": math.log(3),
    "22_autoregressive/1": 20 / 64 / math.log(2),
    "23_real_nvp/1": norm.logpdf([1, 0.3]).sum() + math.log(3),
    "23_real_nvp/3": math.log2(17) - 80 / 64 * math.log2(math.e),
    "24_semi_supervised/1": -14 - 4.6 - 3 + entropy([0.7, 0.2, 0.1]),
    "30_gan/1": math.log(4),
    "30_gan/3": math.log(2) - 0.25,
    "31_wgan/1": 2,
    "32_wgan_gp/1": 3,
    "33_lsgan/1": 0.5,
    "34_rwgan/1": math.log(4) - 1,
    "35_mcgan/1": 4,
    "35_mcgan/2": -1,
    "36_gmmn/1": 4,
    "37_mmd_gan/1": 2,
    "38_cramer_gan/1": 0,
    "39_fisher_gan/1": 2,
    "40_ebgan/1": Fraction(2, 5),
    "41_began/1": Fraction(18, 100),
    "42_magan/1": Fraction(6, 10),
    "43_gan_lab/3": math.sqrt(0.91),  # the root of the determinant of one update
    "44_gan_zoo/1": norm.sf(0, loc=-0.03, scale=math.sqrt(2 * 0.04**2 / 3)),
    "44_gan_zoo/3": Fraction(2, 11),
    "45_judging_a_generator/1": 1 + (2 - 1) ** 2,
    "45_judging_a_generator/3": math.log(100),
    "50_infogan/1": math.log(10) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 9),
    "51_super_resolution/1": 15 - 10 * math.log10(2),
    "52_text_to_image/2": 2 * math.log(2),
    "53_pix2pix/1": 1 + 3 * (1 + 2 + 4 + 4),  # each layer adds 3 of its input's pixels
    "53_pix2pix/3": Fraction(6, 10),
    "60_diffusion/1": 0.8 * math.sqrt(2),
    "61_flow_matching/1": 4,  # the variance of -2 or 2
}


def test_every_number_is_true():
    assert every(Number).keys() == TRUTHS.keys()
    for name, kind in every(Number).items():
        assert abs(kind.truth - TRUTHS[name]) <= kind.tolerance / 10, name
        assert check(name, TRUTHS[name]) and check(name, [TRUTHS[name]])


def cells(lecture):
    return json.loads((NOTEBOOKS / f"{lecture}.ipynb").read_text())["cells"]


@pytest.mark.parametrize("lecture", lectures())
def test_solutions_are_right_as_stored(lecture):
    """nbval runs them, and compares what they print: that must be a verdict, and the right one."""
    solutions = [c for c in cells(lecture) if "solution" in c["metadata"].get("tags", ())]
    assert len(solutions) == len(exercises(lecture))
    for cell in solutions:
        assert not {"nbval-ignore-output", "nbval-skip"} & {*cell["metadata"]["tags"]}
        assert re.search(r"^(assert )?check\(", "".join(cell["source"]), re.M)
        (stored,) = cell["outputs"]
        assert "".join(stored["text"]).startswith("Right: ")


def test_every_question_lists_its_options():
    for name, kind in every(Choice).items():
        lecture, number = name.split("/")
        sources = ["".join(cell["source"]) for cell in cells(lecture)]
        (at,) = (i for i, text in enumerate(sources) if f"### Exercise {number}\n" in text)
        quoted = {engine._plain(text) for text in re.findall(r'`"(.+?)"`', sources[at])}
        assert quoted == {engine._plain(option) for option in kind.options}, name
        assert re.search(r"^answer = None\ncheck\(", sources[at + 1], re.M), name


def test_functions_may_return_lists_tensors_and_float32():
    for name, kind in every(Function).items():
        kind = dataclasses.replace(kind, calls=2)
        for write in (np.float32, np.ndarray.tolist, lambda v: tf.Variable(v, dtype=tf.float32)):
            answer = lambda *args: write(np.asarray(kind.reference(*args)))  # noqa: B023, E731
            assert kind.judge(answer)[0], name


def test_functions_agree_with_the_library():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=6), rng.normal(1, 2, size=9)

    def kernel(a, b):
        return np.exp(-(np.subtract.outer(a, b) ** 2) / 2)

    wanted = mmd2(x, y, lambda a, b: tf.exp(-((a - tf.transpose(b)) ** 2) / 2))
    for name in ("15_kernel_methods/2", "14_choosing_a_divergence/2"):
        value = kind_of(name).reference(kernel(x, x), kernel(y, y), kernel(x, y))
        np.testing.assert_allclose(value, wanted, rtol=1e-5)

    start = keras.Input((1,))
    same = keras.Model(start, keras.layers.Activation("linear")(start))
    fisher = FisherGAN(same, same)
    size = np.sqrt((np.mean(x**2) + np.mean(y**2)) / 2)
    loss = fisher.critic_loss(*(tf.constant(v[:, None] / size, tf.float32) for v in (x, y)))
    value = kind_of("13_integral_probability_metrics/2").reference(x, y)
    np.testing.assert_allclose(value, abs(loss), rtol=1e-5)

    noise = rng.uniform(5, 20, size=6)
    known = HierarchicalNormal(x - 3, noise, mean_scale=1e-4).given_spread([7.0])
    value = kind_of("16_hierarchical_bayes/2").reference(x, noise, 3.0, 7.0)
    np.testing.assert_allclose(value, 3 + np.asarray(known.theta_mean)[0], rtol=1e-5)

    points = rng.normal(0.5, 1, (12, 3)), rng.normal(0, 2, (9, 3))
    start = keras.Input((3,))
    same = keras.Model(start, keras.layers.Activation("linear")(start))
    left, _, right = np.linalg.svd(np.subtract(*(z.T @ z / len(z) for z in points)))
    critic = McGAN(same, same, matching="covariance", k=2)
    critic.U.assign(left[:, :2])
    critic.V.assign(right[:2].T)
    value = kind_of("35_mcgan/3").reference(*points, 2)
    wanted = critic.gap(*(tf.constant(z, tf.float32) for z in points))
    np.testing.assert_allclose(value, wanted, rtol=1e-5)


def test_a_verdict_prints_nothing_as_a_cells_last_line(ask):
    from IPython.core.formatters import DisplayFormatter

    verdict = engine.Verdict(True)
    assert DisplayFormatter().format(verdict) == ({}, {})
    assert verdict == True and not engine.Verdict(False)  # noqa: E712
    assert repr(verdict) == "True"
