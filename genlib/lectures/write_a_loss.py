"""Exercises that ask for a whole GAN: its losses are compared with genlib's, then it must train.

@exercise("33_lsgan/4")
def least_squares():
    return Game(LSGAN, right="...", mistakes=[("generator_loss", wrong, "what to say"), ...])
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from genlib import experiments
from genlib.experiments.presets import optimizers
from genlib.gans import AdversarialModel

LOSSES = ("critic_loss", "generator_loss")
SEEDS = (0, 1)


@dataclass
class Game:
    """A subclass of `AdversarialModel` is asked for that plays the game of ``variant``, a class.

    Its losses must be the variant's on random networks and batches, and so must the critic's
    weights after `after_critic_step`. Then it is trained on the ring, from each of `SEEDS`, and
    must cover all modes with more samples of high quality than an even circle.

    Args:
      right: what to say when it does.
      mistakes: triples of a loss's name, a function ``(model, real, fake) -> scalar`` that shows
        a misunderstanding, and what to say about it.
      options: of the variant's class; ``training``: those of `AdversarialModel` for training, in
        which the optimizers are the variant's preset's.
      steps: of the generator.
    """

    variant: type[AdversarialModel]
    right: str
    mistakes: Sequence[tuple[str, Callable, str]] = ()
    options: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    steps: int = 2000

    def judge(self, answer) -> tuple[bool, str]:
        if not (isinstance(answer, type) and issubclass(answer, AdversarialModel)):
            return False, "a class is asked for, class Mine(AdversarialModel): ..."
        for name in LOSSES:
            if name in getattr(answer, "__abstractmethods__", ()):
                return False, f"{name} is not written yet."
            if any(getattr(answer, name) is getattr(c, name) for c in _known()):
                return False, f"{name} is the library's; write it yourself."
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                wrong = self._compare(answer) or self._train(answer)
        except _Raised as error:
            return False, str(error)
        return not wrong, wrong or self.right

    def _compare(self, answer) -> str:
        """What is wrong with the losses, or with what follows the critic's step; "" if nothing."""
        rng, rows = np.random.default_rng(0), {name: [] for name in LOSSES}
        for seed in range(3):
            nets = experiments.default_networks(self.variant, (2,), 2, 8, seed=seed)
            for net in nets:  # wider than at the start of training, so that losses differ
                net.set_weights([2 * w + 0.1 for w in net.get_weights()])
            mine = _call("the class", answer, *nets)
            theirs = self.variant(*nets, **self.options)
            batches = [tf.constant(rng.normal(m, 1, (16, 2)), tf.float32) for m in (1.0, -0.5)]
            for name in LOSSES:
                given = _call(name, getattr(mine, name), *batches)
                if given is None:
                    return f"{name} returns None; does it end with a return?"
                given = np.asarray(given, np.float64)
                if given.size != 1:
                    return f"{name} returns shape {given.shape}: take the mean over the samples."
                slips = [fn for loss, fn, _ in self.mistakes if loss == name]
                wanted = [getattr(theirs, name)(*batches), *(fn(theirs, *batches) for fn in slips)]
                rows[name].append([given.item(), *map(float, wanted)])
            start = nets[1].get_weights()
            after = []
            for model in (theirs, mine):
                nets[1].set_weights(start)
                _call("after_critic_step", model.after_critic_step, *batches)
                after.append(np.concatenate([w.ravel() for w in nets[1].get_weights()]))
            if not np.allclose(*after, atol=1e-6):
                return (
                    "after after_critic_step the critic's largest weight is "
                    f"{np.abs(after[1]).max():.2f}, and {np.abs(after[0]).max():.2f} is right."
                )
        for name, values in rows.items():
            given, wanted, *slips = np.array(values).T
            if not _close(given, wanted):
                says = [text for loss, _, text in self.mistakes if loss == name]
                return f"{name}: {_diagnosis(given, wanted, slips, says)}"
        return ""

    def _train(self, answer) -> str:
        """What is wrong with what it has learned; "" if nothing."""

        def make(seed):
            nets = experiments.default_networks(self.variant, (2,), seed=seed)
            model = answer(*nets, seed=seed, **self.training)
            model.compile(*optimizers(experiments.preset(self.variant, "ring"), model, self.steps))
            return model

        ring, circle = experiments.density("ring"), experiments.circle()
        how = {"steps": self.steps, "seeds": SEEDS}
        models = _call("in training the class", experiments.over_seeds, make, ring, **how)
        for seed, model in zip(SEEDS, models, strict=True):
            made = model.sample(experiments.SAMPLES, seed=1).numpy()
            modes, quality, _ = experiments.score_points(made, "ring")
            if modes < circle.modes or quality <= circle.high_quality:
                return (
                    f"the losses are right, but trained from seed {seed} it covers {modes} modes "
                    f"with {quality:.0%} of high quality, and a plain circle {circle.modes} with "
                    f"{circle.high_quality:.0%}. What else does the class change?"
                )
        return ""


class _Raised(Exception):
    """What a learner's code raised, in words."""


def _call(what, function, *args, **options):
    try:
        return function(*args, **options)
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise _Raised(f"{what} is not written yet.") from None
        text = " ".join(str(error).split())[:200]
        raise _Raised(f"{what} raises {type(error).__name__}: {text}") from None


def _known():
    """The library's classes."""
    kinds = [AdversarialModel]
    for kind in kinds:
        kinds += [k for k in kind.__subclasses__() if k.__module__.startswith("genlib.gans")]
    return kinds


def _close(given, wanted):
    return np.allclose(given, wanted, 1e-4, 1e-4)


def _diagnosis(given, wanted, slips, says):
    """What to say of a loss that gives ``given`` on some batches in place of ``wanted``."""
    for slip, text in zip(slips, says, strict=True):
        if _close(given, slip):
            return text
    if not np.isfinite(given).all():
        return "it is not finite; look for the log of a rounded-off 0."
    if _close(given, -wanted):
        return "the sign is wrong: a model minimises both of its losses."
    if _close(given, 16 * wanted):
        return "that is a sum over the samples; E is their mean."
    ratios = given / wanted
    if np.ptp(ratios) < 1e-3 * abs(ratios[0]):
        return f"it is {ratios[0]:.3g} times what is right."
    if np.ptp(given - wanted) < 1e-3:
        return f"it is what is right, plus {np.mean(given - wanted):.3g}."
    return f"on a random batch it is {given[0]:.4g}, and {wanted[0]:.4g} is right."
