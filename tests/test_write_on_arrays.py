"""Exercises that ask for losses on arrays: right ones pass, and each likely slip is named."""

import types

import numpy as np
import pytest
import tensorflow as tf

from genlib import check as engine
from genlib import experiments
from genlib.divergences.roots import safe_sqrt
from genlib.gans import BEGAN, EBGAN, MAGAN, CramerGAN, McGAN
from genlib.gans.mmd_gan import MMDGANGP
from genlib.lectures import l35_mcgan, l40_ebgan, write_on_arrays
from genlib.lectures.write_on_arrays import Losses

ALL = {
    name: engine._find(name)()
    for lecture in engine.lectures()
    for name in engine.exercises(lecture)
    if isinstance(engine._find(name)(), Losses)
}


@pytest.fixture(autouse=True)
def without_training(monkeypatch):
    for kind in ALL.values():
        monkeypatch.setattr(kind, "train", lambda function: (True, "It learns."))


def with_one(kind, name, change):
    """The right losses, but for one of them."""

    def losses(*arrays):
        found = kind.reference(*arrays)
        found = dict(zip(kind.names, found if len(kind.names) > 1 else [found], strict=True))
        found[name] = change(found[name], *arrays)
        return tuple(found.values())

    return losses


def test_the_lectures():
    assert [*ALL] == [
        f"{lecture}/{number}"
        for lecture, number in (
            ("32_wgan_gp", 2),
            ("34_rwgan", 4),
            ("35_mcgan", 4),
            ("36_gmmn", 2),
            ("37_mmd_gan", 4),
            ("38_cramer_gan", 2),
            ("39_fisher_gan", 2),
            ("40_ebgan", 4),
            ("41_began", 4),
            ("42_magan", 4),
        )
    ]


@pytest.mark.parametrize("name", ALL)
def test_right_losses_pass_and_each_mistake_is_named(name):
    kind = ALL[name]
    assert kind.judge(kind.reference) == (True, f"{kind.right} It learns.")
    assert len(kind.mistakes) >= 2
    for loss, slip, says in kind.mistakes:
        right, message = kind.judge(with_one(kind, loss, lambda _, *a, slip=slip: slip(*a)))
        assert not right and message == f"{loss}: {says}"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda v: -v, "sign"),
        (lambda v: 16 * v, "sum over"),
        (lambda v: 2 * v, "2 times"),
        (lambda v: v + 0.5, "plus 0.5"),
        (lambda v: v * float("nan"), "not finite"),
        (lambda v: v**3 + v, "is right"),
        (lambda v: v * tf.ones(16), "take the mean"),
        (lambda v: v.what, "AttributeError"),
        (lambda v: v.numpy(), "its slope in argument 1"),
        (tf.stop_gradient, "its slope in argument 1"),
    ],
)
def test_slips_of_every_kind_get_a_message(name, spoil, says):
    kind = ALL[name]
    for loss in kind.names:
        if loss == "generator" and says == "its slope in argument 1" and name not in SEEN_FIRST:
            continue  # its first argument is none of its own
        right, message = kind.judge(with_one(kind, loss, lambda v, *_: spoil(v)))
        assert not right and says in message, message


#: Where the generator's loss has a slope in the first argument.
SEEN_FIRST = "37_mmd_gan/4", "38_cramer_gan/2"


def test_what_gives_no_losses_is_refused():
    kind = ALL["40_ebgan/4"]
    for answer, says in (
        (3, "a function is asked for"),
        (lambda *a: None, "returns None"),
        (lambda *a: kind.reference(*a)[0], "it returns 1 numbers, and 2 are wanted: critic"),
        (lambda x: x, "TypeError"),
        (lambda *a: 1 / 0, "ZeroDivisionError"),
        (lambda *a: ("a", "b"), "ValueError"),
    ):
        right, message = kind.judge(answer)
        assert not right and says in message


# The right losses are the library's, on random arrays.


def same(x, training=None):
    """A critic that gives back the half of a sample that is its copy."""
    return x[:, 2:]


def of_pairs(variant, x, copy_x, y, copy_y, **settings):
    """The losses of a variant whose critic is an autoencoder, for samples and their copies."""
    model = types.SimpleNamespace(log=lambda *_: None, pull_away_weight=0.0, **settings)

    def gaps(z):
        return z[:, 2:] - z[:, :2]

    squares = lambda z: tf.reduce_sum(gaps(z) ** 2, 1)  # noqa: E731
    model.energy = squares if variant is MAGAN else lambda z: safe_sqrt(squares(z))
    model.error = lambda z: tf.reduce_mean(tf.abs(gaps(z)))
    pairs = [np.concatenate(pair, 1) for pair in ((x, copy_x), (y, copy_y))]
    return [getattr(variant, f"{player}_loss")(model, *pairs) for player in ("critic", "generator")]


def mcgan(x, y, u, v):
    nets = experiments.default_networks("mcgan", (2,), code=3, width=2, seed=0)
    game = McGAN(*nets, matching="covariance", k=2)
    game.U.assign(u)
    game.V.assign(v)
    game.critic = lambda z, training=None: z
    return [game.gap(tf.constant(x, tf.float32), tf.constant(y, tf.float32))]


def cramer(hx, h1, h2):
    model = types.SimpleNamespace(log=lambda *_: None, penalty_weight=0.0)
    model.critic = lambda z, training=None: z
    model.generate = lambda n: tf.constant(h2, tf.float32)
    model.random_uniform = tf.random.uniform
    return [getattr(CramerGAN, f"{who}_loss")(model, hx, h1) for who in ("critic", "generator")]


LIBRARY = {
    "35_mcgan/4": mcgan,
    "38_cramer_gan/2": cramer,
    "40_ebgan/4": lambda *a: of_pairs(EBGAN, *a, margin=l40_ebgan.MARGIN),
    "41_began/4": lambda *a: of_pairs(
        BEGAN, *a[:4], k=types.SimpleNamespace(value=np.float32(a[4]))
    ),
    "42_magan/4": lambda *a: of_pairs(MAGAN, *a[:4], margin=np.float32(a[4])),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_right_losses_are_the_librarys(name):
    kind, rng = ALL[name], np.random.default_rng(5)
    for _ in range(3):
        arrays = kind.inputs(rng)
        mine = kind.reference(*(tf.constant(array, tf.float32) for array in arrays))
        np.testing.assert_allclose(np.ravel(mine), np.ravel(LIBRARY[name](*arrays)), 1e-4)


def test_the_right_losses_of_mmd_gan_are_the_librarys():
    kind, rng = ALL["37_mmd_gan/4"], np.random.default_rng(5)
    nets = experiments.default_networks("mmd_gan_gp", (2,), width=4, code=3, seed=0)
    game = MMDGANGP(*nets, penalty_weight=0.1)
    x, y = (tf.constant(rng.normal(m, 1, (16, 2)), tf.float32) for m in (0, 1))
    codes, logged = [game.critic(z) for z in (x, y)], {}
    game.log = logged.__setitem__
    wanted = game.critic_loss(x, y), game.generator_loss(x, y)
    grams = [game.kernel(codes[i], codes[j]) for i, j in ((0, 0), (1, 1), (0, 1))]
    slopes = 1 + tf.sqrt(logged["penalty"]) * tf.ones(16)  # lengths with just that penalty
    np.testing.assert_allclose(kind.reference(*grams, slopes), wanted, rtol=1e-4, atol=1e-5)


def test_losses_that_do_not_learn_are_not_right(monkeypatch):
    train = l40_ebgan.own_losses().train
    monkeypatch.setattr(l40_ebgan, "OWN_STEPS", 5)
    good, words = train(ALL["40_ebgan/4"].reference)
    assert not good and "the losses are right, but" in words and "a plain circle 8" in words
    monkeypatch.setattr(l35_mcgan, "FEW", 5)
    good, words = l35_mcgan.own_gap().train(ALL["35_mcgan/4"].reference)
    assert not good and "the gap is right, but" in words

    def by_numpy(x, copy_x, y, copy_y):
        return np.mean(x.numpy()), 0.0

    with pytest.raises(write_on_arrays.write_a_loss._Raised, match="in training it raises"):
        train(by_numpy)
