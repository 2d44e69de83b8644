"""Exercises of lecture 42: margin adaptation GAN."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.gans import MAGAN
from genlib.widgets.scenes.margin_path import path

REAL, FAKE = (0.9, 0.7, 0.6, 0.8), (2.0, 1.5, 1.6, 1.7)


@exercise("42_magan/1")
def last_margin():
    """The margin after four epochs of given energies."""
    model = MAGAN(*MAGAN.suited_networks((2,), width=2, seed=0), margin=1.0)
    for energies in zip(REAL, FAKE, strict=True):
        model.end_epoch(*(np.float32(energy) for energy in energies))
    return Number(
        float(model.margin.value),
        tolerance=0.005,
        right="it moves once, in the third epoch: before, the generator gains; after, it may not "
        "rise.",
        mistakes=[
            (0.8, "It never rises: 0.8 is above the margin of 0.6."),
            (0.7, "In the second epoch the generated energy falls: the margin waits."),
            (1.0, "In the third epoch all three conditions hold."),
            (1.6, "The margin moves to the energy of the real samples."),
        ],
    )


@exercise("42_magan/2")
def next_margin():
    """Write next_margin(margin, real, fake, last)."""

    def reference(margin, real, fake, last):
        return path([np.inf, real], [last, fake], start=margin)[-1]

    def inputs(rng):
        # Quarters, so that equal energies occur too.
        return tuple(float(v) for v in rng.integers(1, 7, 4) / 4)

    def rule(conditions):
        return lambda margin, real, fake, last: (
            real if conditions(margin, real, fake, last) else margin
        )

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="three conditions, and one move.",
        mistakes=[
            (
                rule(lambda m, r, f, last: r < f and last <= f),
                "Without the first condition the margin rises.",
            ),
            (
                rule(lambda m, r, f, last: r < m and last <= f),
                "The real energy must be below the generated one, too.",
            ),
            (
                rule(lambda m, r, f, last: r < m and r < f),
                "While the generated energy falls the margin waits.",
            ),
            (
                rule(lambda m, r, f, last: r < m and r < f and f <= last),
                "The third condition is turned round: move where the energy did not fall.",
            ),
            (
                rule(lambda m, r, f, last: r < m and r < f and last < f),
                "An energy that stays as it was did not fall: the paper's test is <=.",
            ),
        ],
        calls=200,
    )


@exercise("42_magan/3")
def wide_code():
    """Why the plain settings fail on 2-D points."""
    return Choice(
        "c",
        options=["a", "b", "c"],
        why="a code of sixteen numbers holds any point of the plane: the margin starts near 0.",
        wrong={
            "a": "The margin never rises, with any settings.",
            "b": "The generator does move; but nothing tells it where to.",
        },
    )
