"""Lecture 42: margin adaptation GAN."""

import numpy as np

from genlib import experiments, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import MAGAN
from genlib.gans.magan import margin_moves
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider

# Explorer: margin_path

EPOCHS = 40
START = 1.0


@scene("margin_path")
class MarginPath(Scene):
    """MAGAN's margin over epochs, for given mean energies of real and of generated samples."""

    title = "When does the margin move?"
    alt = (
        "Left: over forty epochs the mean energy of real samples in blue, of generated ones in "
        "vermillion, and the margin as a black staircase that never rises. Right: three rows of "
        "squares, one for each condition and epoch, filled where it holds, and a fourth row for "
        "the epochs in which all three hold and the margin moves."
    )
    size = (9.8, 3.8)

    def controls(self):
        return {
            "decay": slider("real energy halves in", 10, 3, 60, 1),
            "floor": slider("generated energy ends at", 0.5, 0.0, 1.2, 0.05),
            "noise": slider("noise", 0.2, 0.0, 0.6, 0.05),
            "jump": slider("jump of generated at epoch", 20, 1, 40, 1),
        }

    def stage(self, fig):
        self.epochs = np.arange(1, EPOCHS + 1)
        self.bumps = np.random.default_rng(3).normal(size=(2, EPOCHS))
        left, right = fig.subplots(1, 2, width_ratios=[1.1, 1])
        left.set(title="Mean energies of an epoch", xlabel="epoch", ylabel="energy",
                 xlim=(0, EPOCHS), ylim=(0, 3))  # fmt: skip
        (self.real,) = left.plot(self.epochs, self.epochs, color=COLORS["real"])
        (self.fake,) = left.plot(self.epochs, self.epochs, color=COLORS["generated"])
        (self.margin,) = left.step(self.epochs, self.epochs, color="black", where="post")
        for place, text, role in ((0.97, "generated", "generated"), (0.89, "real", "real"),
                                  (0.81, "margin (black)", "mixture")):  # fmt: skip
            plots.label(left, 0.98, place, text, role, ha="right", va="top",
                        transform=left.transAxes)  # fmt: skip
        right.set(title="Which conditions hold", xlabel="epoch", xlim=(0, EPOCHS + 1),
                  ylim=(-0.6, 3.6))  # fmt: skip
        names = ["1 real < margin", "2 real < generated", "3 generated did not fall", "it moves"]
        right.set_yticks([3, 2, 1, 0], names)
        right.grid(False)
        self.lights = [
            right.plot([], [], "s", color=COLORS[role], markersize=5)[0]
            for role in ("real", "generated", "highlight", "critic")
        ]
        return [self.real, self.fake, self.margin, *self.lights]

    def update(self, decay, floor, noise, jump):
        real = START * (0.1 + 0.9 * 0.5 ** (self.epochs / decay))
        fake = floor + (2.0 - floor) * 0.5 ** (self.epochs / 5.0) + 0.5 * (self.epochs >= jump)
        real, fake = (
            np.maximum(curve * (1 + 0.5 * noise * bump), 0.0).astype(np.float32)
            for curve, bump in zip((real, fake), self.bumps, strict=True)
        )
        margins = path(real, fake)
        before = np.r_[START, margins[:-1]]
        first, second = real < before, real < fake
        third = np.r_[False, np.diff(fake) >= 0]
        self.real.set_ydata(real)
        self.fake.set_ydata(fake)
        self.margin.set_ydata(margins)
        moved = margins < before
        for row, (light, on) in zip(
            (3, 2, 1, 0), zip(self.lights, (first, second, third, moved), strict=True), strict=True
        ):
            light.set_data(self.epochs[on], np.full(on.sum(), row))
        return {
            "the margin moves": f"{moved.sum()} times",
            "it ends at": margins[-1],
            "lowest real energy": real.min(),
        }


def path(real, fake, start=START):
    """Return the margin after each epoch, from the mean energies ``(n,)``."""
    margin, last, seen = start, np.inf, []
    for now_real, now_fake in zip(real, fake, strict=True):
        if margin_moves(margin, now_real, now_fake, last):
            margin = now_real
        last = now_fake
        seen.append(margin)
    return np.array(seen)


# Exercises

REAL, FAKE = (0.9, 0.7, 0.6, 0.8), (2.0, 1.5, 1.6, 1.7)


@exercise("42_magan/1")
def last_margin():
    """The margin after four epochs of given energies."""
    model = MAGAN(*experiments.default_networks("magan", (2,), width=2, seed=0), margin=1.0)
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
