"""Exercises that ask for losses on arrays: held to the right ones, then a GAN trains with them.

@exercise("40_ebgan/4")
def own_losses():
    return Losses(reference, inputs, train, right="...", mistakes=[("critic", wrong, "says"), ...])
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from genlib import experiments
from genlib.lectures import write_a_loss


@dataclass
class Losses:
    """A function of arrays is asked for that gives losses in TensorFlow, as ``reference`` does.

    Its values and their slopes must be the reference's on random arrays. Then it is trained.

    Args:
      reference: ``(*arrays) -> losses``: as many scalars as there are ``names``.
      inputs: ``inputs(rng)`` draws the arrays of one call, from a numpy Generator; 16 rows, so that
        a sum in place of a mean is told.
      train: ``train(function) -> (good, words)`` trains a GAN with it and says what it reached.
      right: what to say, and then those words.
      mistakes: triples of a loss's name, a function ``(*arrays) -> scalar`` that shows a
        misunderstanding, and what to say about it.
    """

    reference: Callable
    inputs: Callable[[np.random.Generator], tuple]
    train: Callable[[Callable], tuple[bool, str]]
    right: str
    mistakes: Sequence[tuple[str, Callable, str]] = ()
    names: Sequence[str] = ("critic", "generator")
    calls: int = 4

    def judge(self, answer) -> tuple[bool, str]:
        if not callable(answer):
            return False, "a function is asked for, def losses(...): ..."
        try:
            wrong = self._compare(answer)
            good, reached = (False, wrong) if wrong else self.train(answer)
        except write_a_loss._Raised as error:
            return False, str(error)
        return good, f"{self.right} {reached}" if good else reached

    def _compare(self, answer) -> str:
        """What is wrong with the values or the slopes; "" if nothing."""
        rng, rows, steep = np.random.default_rng(0), {name: [] for name in self.names}, []
        for _ in range(self.calls):
            arrays = [tf.constant(array, tf.float32) for array in self.inputs(rng)]
            given = write_a_loss._call("the function", self._slopes, answer, arrays)
            if isinstance(given, str):
                return given
            wanted = self._slopes(self.reference, arrays)
            for name, mine, right in zip(self.names, given, wanted, strict=True):
                slips = [float(slip(*arrays)) for of, slip, _ in self.mistakes if of == name]
                rows[name].append([mine[0], right[0], *slips])
                steep += [
                    (name, k, *pair)
                    for k, pair in enumerate(zip(mine[1], right[1], strict=True), 1)
                ]
        for name, values in rows.items():
            mine, right, *slips = np.array(values).T
            if not write_a_loss._close(mine, right):
                says = [text for of, _, text in self.mistakes if of == name]
                return f"{name}: {write_a_loss._diagnosis(mine, right, slips, says)}"
        for name, argument, mine, right in steep:
            if not np.allclose(mine, right, 1e-3, 1e-5):
                return (
                    f"{name}: the value is right, but its slope in argument {argument} is not; "
                    "write it with TensorFlow's functions alone, and stop no gradient."
                )
        return ""

    def _slopes(self, function, arrays):
        """``(value, [slope in each array])`` of each loss; a str says what it gives instead."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(arrays)
            losses = function(*arrays)
        if losses is None:
            return "the function returns None; does it end with a return?"
        losses = losses if isinstance(losses, tuple | list) else [losses]
        if len(losses) != len(self.names):
            return f"it returns {len(losses)} numbers, and {len(self.names)} are wanted: " + (
                ", ".join(self.names) + "."
            )
        found = []
        for name, loss in zip(self.names, losses, strict=True):
            value = np.asarray(loss, np.float64)
            if value.size != 1:
                return f"{name}: it has shape {value.shape}: take the mean over the samples."
            slopes = [tf.zeros_like(array) for array in arrays]
            if tf.is_tensor(loss):
                slopes = tape.gradient(loss, arrays, unconnected_gradients="zero")
            found.append((value.item(), [tf.convert_to_tensor(s).numpy() for s in slopes]))
        return found


def beats_the_circle(kind, both, steps, seed=0, **options) -> tuple[bool, str]:
    """Train a GAN with losses of one's own on the ring; see `Losses`.

    Args:
      kind: its class, whose `experiments.preset` has the other settings, and ``options``.
      both: ``(model, real, fake) -> (critic's loss, generator's loss)``.
      steps: of the generator; ``seed``: of networks, latents and batches.
    """

    class Mine(kind):
        def critic_loss(self, real, fake):
            if "real_energy" in self.log_names:
                self.log("real_energy", tf.reduce_mean(self.energy(real)))
            return both(self, real, fake)[0]

        def generator_loss(self, real, fake):
            if "fake_energy" in self.log_names:
                self.log("fake_energy", tf.reduce_mean(self.energy(fake)))
            return both(self, real, fake)[1]

    nets = experiments.default_networks(Mine, (2,), seed=seed)
    model = experiments.build(Mine, "ring", nets, steps, seed=seed, **options)
    model.jit_compile = False  # to compile for XLA takes longer than it saves here
    ring, how = experiments.density("ring"), {"batch_size": 128, "verbose": 0}
    in_training(model.fit, ring, steps_per_epoch=steps, **how)
    return beside_the_circle(model.sample(experiments.SAMPLES, seed=1).numpy())


def beside_the_circle(made) -> tuple[bool, str]:
    """Whether samples ``(n, 2)`` cover all of the ring's modes and are of high quality, in words.

    That is: more of them than of an even circle.
    """
    modes, quality, _ = experiments.score_points(made, "ring")
    circle = experiments.circle()
    if modes < circle.modes or quality <= circle.high_quality:
        return False, (
            f"the losses are right, but what is trained with them covers {modes} modes of the "
            f"ring with {quality:.0%} of high quality, and a plain circle {circle.modes} with "
            f"{circle.high_quality:.0%}. What else does the function do?"
        )
    return True, (
        f"Trained with them, it covers all {circle.modes} modes of the ring, with more samples of "
        f"high quality than a plain circle's {circle.high_quality:.0%}."
    )


def in_training(function, *args, **options):
    """Call it; what a learner's losses raise there becomes the exercise's answer."""
    return write_a_loss._call("in training it", function, *args, **options)


def with_copies(model, x, y):
    """``(x, copy of x, y, copy of y)`` by a critic that is an autoencoder."""
    return x, model.critic(x, training=True), y, model.critic(y, training=True)
