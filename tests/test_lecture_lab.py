"""Lecture 43: each wrong loss is caught, each right one passes; Dirac-GANs are the library's."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.gans import GAN, LSGAN, WGAN
from genlib.lectures import l30_gan
from genlib.lectures import l43_gan_lab as lecture


def test_the_museum_is_large_enough():
    assert len(lecture.MUSEUM) >= 12
    assert len(lecture.TRAINED) + len(lecture.ESTIMATES) == len(lecture.MUSEUM)


@pytest.mark.parametrize("name", lecture.MUSEUM)
def test_an_identity_catches_the_wrong_code_and_passes_the_right(name):
    exhibit = lecture.MUSEUM[name]
    found, wanted = exhibit.identity(exhibit.right)
    assert abs(found - wanted) < 0.05
    found, wanted = exhibit.identity(exhibit.wrong)
    assert not abs(found - wanted) < 0.02  # NaN too
    assert lecture.catch(name).startswith(f"{name}: {exhibit.caught}")


@pytest.mark.parametrize("name", lecture.MUSEUM)
def test_every_line_has_an_answer(name):
    exhibit, code = lecture.MUSEUM[name], lecture.code_of(name)
    numbers = [int(line.rpartition("# ")[2]) for line in code.splitlines()[1:]]
    assert numbers == list(range(1, exhibit.lines + 1))
    question = lecture.which_line(name)
    assert {f"line {i}" for i in numbers} == set(question.options)
    assert [i for i in numbers if question.judge(f"line {i}")[0]] == [exhibit.line]


def test_a_wrong_name_is_refused_and_no_answer_is_none(capsys):
    with pytest.raises(ValueError, match="name must be one of"):
        lecture.which_line("z")
    lecture.judge({"a": None, "b": "line 5", "c": "line 1"})
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said] == [
        "a: not answered yet", "b: right", "c: not yet",
    ]  # fmt: skip


@pytest.mark.parametrize("name", lecture.TRAINED)
def test_what_is_trained_is_the_wrong_code(name):
    trained = getattr(type(lecture.spoiled(name)), lecture.MUSEUM[name].part)
    assert inspect.unwrap(trained) is lecture.MUSEUM[name].wrong


@pytest.mark.parametrize("name", lecture.ESTIMATES)
def test_estimates_differ_from_what_is_right(name):
    wrong, right = lecture.estimates(name, [0.0, 1.0, 3.0])
    assert np.isfinite([wrong, right]).all() and np.abs(wrong - right).max() > 0.05


LIBRARY = {
    lecture.MINIMAX: lambda *nets: GAN(*nets, objective="minimax"),
    lecture.NON_SATURATING: GAN,
    lecture.LEAST_SQUARES: lambda *nets: LSGAN(*nets, coding=(-1.0, 1.0, 1.0)),
    lecture.WASSERSTEIN: WGAN,
}


@pytest.mark.parametrize("objective", LIBRARY)
def test_the_flow_is_the_librarys(objective):
    rng = np.random.default_rng(0)
    start = keras.Input((1,))
    line = keras.Model(start, keras.layers.Dense(1, use_bias=False)(start))
    model = LIBRARY[objective](networks.mlp(1, 1, 4), line)
    for theta, psi in rng.uniform(-1.5, 1.5, (5, 2)):
        line.set_weights([np.array([[psi]])])
        fake = tf.constant([[theta]], tf.float32)
        weight = line.trainable_variables[0].value
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            critic = model.critic_loss(tf.zeros((1, 1)), fake)
            generator = model.generator_loss(tf.zeros((1, 1)), fake)
        slopes = tape.gradient(generator, fake), tape.gradient(critic, weight)
        flow = lecture.zoo_flow(theta, psi, objective)
        np.testing.assert_allclose(flow, [-float(s[0, 0]) for s in slopes], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "objective", [lecture.MINIMAX, lecture.NON_SATURATING, lecture.WASSERSTEIN]
)
def test_the_jacobian_is_lecture_30s(objective):
    found = lecture.zoo_jacobian(objective, 0.3, 0.2)
    np.testing.assert_allclose(found, l30_gan.dirac_jacobian(objective, 0.5), atol=1e-6)
    for order in (lecture.SIMULTANEOUS, lecture.ALTERNATING):
        theirs = l30_gan.dirac_path(objective, order, 0.2, 0.5)
        np.testing.assert_allclose(lecture.zoo_path(objective, order, 0.2, 0.5), theirs, atol=1e-9)


def test_the_eigenvalues_are_the_papers():
    plain = np.linalg.eigvals(lecture.zoo_jacobian(lecture.NON_SATURATING))
    np.testing.assert_allclose(sorted(plain.imag), [-0.5, 0.5], atol=1e-6)
    with_r1 = np.linalg.eigvals(lecture.zoo_jacobian(lecture.NON_SATURATING, 0.5))
    np.testing.assert_allclose(with_r1.real, -0.25, atol=1e-6)
    np.testing.assert_allclose(np.abs(with_r1.imag), 0.433, atol=1e-3)
    assert lecture.zoo_jacobian(lecture.SLOPE) is None


def test_the_clipped_critic_stays_in_its_box():
    path = lecture.zoo_path(lecture.CLIPPED, lecture.ALTERNATING, 0.5)
    assert np.abs(path[:, 1]).max() <= lecture.BOX
