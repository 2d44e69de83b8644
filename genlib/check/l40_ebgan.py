"""Exercises of lecture 40: energy-based GAN."""

import numpy as np
import tensorflow as tf

from genlib.check import Choice, Function, Number, exercise
from genlib.gans.ebgan import pull_away


@exercise("40_ebgan/1")
def hinge_of_each():
    """The critic's term for generated energies 0.2, 0.6 and 1.6 at margin 1."""
    energies = np.array([0.2, 0.6, 1.6])
    return Number(
        float(np.maximum(1 - energies, 0).mean()),
        tolerance=0.005,
        right="the third sample is beyond the margin and counts 0, not -0.6.",
        mistakes=[
            (
                max(0.0, 1 - energies.mean()),
                "That is the hinge of the mean: a sample beyond the margin made up for the others.",
            ),
            (float(np.maximum(1 - energies, 0).sum()), "Divide by the number of samples."),
            (float(np.abs(1 - energies).mean()), "Beyond the margin the hinge is 0, not |m - D|."),
            (float(energies.mean()), "That is the generator's loss."),
        ],
    )


@exercise("40_ebgan/2")
def term():
    """Write term(codes): the pull-away term."""

    def cosines(codes):
        unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
        return unit @ unit.T

    def off(values):
        n = len(values)
        return (values.sum() - np.trace(values)) / (n * (n - 1))

    return Function(
        lambda codes: float(pull_away(tf.constant(codes, tf.float64))),
        lambda rng: (rng.normal(size=(int(rng.integers(3, 8)), int(rng.integers(2, 5)))),),
        tolerance=1e-5,
        right="0 for orthogonal codes, 1 for codes on one line, whichever way they point.",
        mistakes=[
            (lambda c: off(cosines(c)), "Square the cosines: antipodal codes must not count -1."),
            (
                lambda c: np.mean(cosines(c) ** 2),
                "Leave out the pairs of a code with itself: each is 1 and says nothing.",
            ),
            (lambda c: off((c @ c.T) ** 2), "Divide each code by its length first."),
            (lambda c: off(cosines(c) ** 2) / 2, "Both orders of a pair count: do not halve."),
        ],
    )


@exercise("40_ebgan/3")
def large_margin():
    """What a margin far beyond every energy does to the hinge."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="the hinge's slope is then -1 at every sample, wherever it is, also on a real one.",
        wrong={
            "a": "The hinge is 0 beyond the margin; here no sample gets there.",
            "c": "The hinge is above 0 at every sample, and so has a slope.",
        },
    )
