"""Exercises that ask for a whole GAN: likely slips are named; the lectures' solutions train."""

import numpy as np
import pytest
import tensorflow as tf

from genlib import check as engine
from genlib import experiments
from genlib.gans import GAN, LSGAN, WGAN, AdversarialModel
from genlib.gans.wgan import clip_weights
from genlib.lectures.write_a_loss import Game

GAMES = {
    name: engine._find(name)()
    for lecture in engine.lectures()
    for name in engine.exercises(lecture)
    if isinstance(engine._find(name)(), Game)
}


def written(game, **losses):
    """The variant's own losses in a class that is not its subclass, some of them exchanged."""

    def reference(name):
        return lambda self, real, fake: getattr(game.variant, name)(self, real, fake)

    body = {name: reference(name) for name in ("critic_loss", "generator_loss")}
    body |= {"objective": "non_saturating", "a": 0.0, "b": 1.0, "c": 1.0}  # what these read
    if "clip" in game.options:
        clip = game.options["clip"]
        body["after_critic_step"] = lambda self, real, fake: clip_weights(self.critic, clip)
    return type("Mine", (AdversarialModel,), body | losses)


def plain(loss):
    """A loss of a learner's own, free of what the class does to it."""
    return lambda self, real, fake: loss(self, real, fake)


def without_training(monkeypatch):
    monkeypatch.setattr(Game, "_train", lambda self, answer: "")


@pytest.mark.parametrize("name", GAMES)
def test_the_variants_own_losses_are_right_and_each_mistake_is_named(name, monkeypatch):
    without_training(monkeypatch)
    game = GAMES[name]
    assert game.judge(written(game)) == (True, game.right)
    for loss, slip, says in game.mistakes:
        right, message = game.judge(written(game, **{loss: plain(slip)}))
        assert not right and message == f"{loss}: {says}"


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda v: -v, "sign"),
        (lambda v: 16 * v, "sum over"),
        (lambda v: 2 * v, "2 times"),
        (lambda v: v + 0.5, "plus 0.5"),
        (lambda v: v * float("nan"), "not finite"),
        (lambda v: v**3 + v, "is right"),
        (lambda v: v * tf.ones((16, 1)), "take the mean"),
        (lambda v: None, "return"),
        (lambda v: v.what, "AttributeError"),
    ],
)
def test_slips_of_every_kind_get_a_message(name, spoil, says, monkeypatch):
    without_training(monkeypatch)
    game, spoilt = GAMES[name], {}
    for loss in ("critic_loss", "generator_loss"):
        good = getattr(written(game), loss)
        spoilt[loss] = lambda self, x, y, good=good: spoil(good(self, x, y))
    right, message = game.judge(written(game, **spoilt))
    assert not right and says in message and "critic_loss" in message


def test_what_is_no_class_of_ones_own_is_refused():
    game = GAMES["30_gan/2"]
    half = type("Half", (AdversarialModel,), {"critic_loss": GAN.critic_loss})
    heir = type("Heir", (GAN,), {})
    own = type("Own", (GAN,), {"critic_loss": lambda self, x, y: 0.0})
    for answer, says in (
        (3, "a class is asked for"),
        (lambda x: x, "a class is asked for"),
        (GAN(*_nets()), "a class is asked for"),
        (half, "generator_loss is not written"),
        (heir, "critic_loss is the library's"),
        (own, "generator_loss is the library's"),
        (GAN, "critic_loss is the library's"),
    ):
        right, message = game.judge(answer)
        assert not right and says in message


def _nets():
    return experiments.default_networks("gan", (2,), width=4, seed=0)


def test_a_box_that_is_forgotten_or_wrong_is_seen():
    game = GAMES["31_wgan/4"]
    for wrong in (
        lambda self, x, y: None,
        lambda self, x, y: clip_weights(self.critic, 0.01),
        lambda self, x, y: clip_weights(self.generator, 0.3),
    ):
        right, message = game.judge(written(game, after_critic_step=wrong))
        assert not right and "largest weight" in message and "0.30 is right" in message


def test_a_class_with_right_losses_that_does_not_learn_is_not_right():
    game = GAMES["33_lsgan/4"]

    def deaf(self, real, fake):  # the right number, and next to no gradient
        return loss(self, real, 1e-6 * fake + (1 - 1e-6) * tf.stop_gradient(fake))

    loss = written(game).generator_loss
    right, message = game.judge(written(game, generator_loss=deaf))
    assert not right and "the losses are right, but" in message and "a plain circle 8" in message


def test_numpy_in_a_loss_is_said_to_fail_in_training():
    game = GAMES["33_lsgan/4"]

    def by_numpy(self, real, fake):
        return np.mean((self.critic(fake).numpy() - 1) ** 2) / 2

    right, message = game.judge(written(game, generator_loss=by_numpy))
    assert not right and "in training the class raises" in message


def test_the_variants_of_the_lectures():
    wanted = {"30_gan/2": GAN, "31_wgan/4": WGAN, "33_lsgan/4": LSGAN}
    assert {name: game.variant for name, game in GAMES.items()}.items() >= wanted.items()


@pytest.mark.parametrize("name", GAMES)
def test_the_variants_own_losses_train(name):
    assert GAMES[name].judge(written(GAMES[name])) == (True, GAMES[name].right)
