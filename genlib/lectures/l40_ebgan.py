"""Lecture 40: energy-based GAN."""

import numpy as np
import tensorflow as tf

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans.ebgan import pull_away
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider

# Explorer: energy_margin

HEAPS = (-2.0, 2.0)


@scene("energy_margin")
class EnergyMargin(Scene):
    """EBGAN's margin on a line of energies, and its pull-away term on codes in the plane."""

    title = "Energies below a margin, and codes on a circle"
    alt = (
        "Left: the energy over a line, a green zigzag that is 0 at two real heaps, a dashed line "
        "at the margin, and generated samples as dots on the zigzag; from each dot below the "
        "margin a stroke rises to it. Middle: codes as arrows from the centre of a circle. Right: "
        "the pull-away term against the angle between neighbouring codes, with a dot for the "
        "angle chosen and a dotted line at the least value that codes in the plane allow."
    )
    size = (9.8, 3.7)

    def controls(self):
        return {
            "margin": slider("margin m", 0.8, 0.1, 3.0, 0.1),
            "shift": slider("generated at", 1.2, -3.0, 3.0, 0.1),
            "codes": slider("codes N", 3, 2, 8, 1),
            "angle": slider("angle (degrees)", 20, 0, 180, 5),
        }

    def stage(self, fig):
        self.offsets = np.linspace(-0.9, 0.9, 10)
        self.angles = np.arange(0, 181, 5)
        turns = np.deg2rad(self.angles)[:, None] * np.arange(8)
        self.directions = np.stack([np.cos(turns), np.sin(turns)], -1)  # (angle, code, 2)
        # Of 2 to 8 codes at every angle, by the library's own term.
        self.terms = {
            n: np.array([float(pull_away(tf.constant(d[:n]))) for d in self.directions])
            for n in range(2, 9)
        }

        left, middle, right = fig.subplots(1, 3)
        xs = np.linspace(-4, 4, 401)
        left.plot(xs, energy(xs), color=COLORS["critic"])
        left.plot(HEAPS, [0, 0], "o", color=COLORS["real"], markersize=11, clip_on=False)
        left.set(title="Energy", xlabel="x", ylabel="energy", xlim=(-4, 4), ylim=(0, 3.4))
        plots.label(left, -2, 1.5, "real", "real")
        (self.level,) = left.plot([-4, 4], [1, 1], color=COLORS["mixture"], linestyle="--")
        self.level_name = plots.label(left, 4.15, 1, "m", ha="left", va="center")
        (self.strokes,) = left.plot([], [], color=COLORS["highlight"], linewidth=2)
        (self.dots,) = left.plot([], [], "o", color=COLORS["generated"], markersize=6)
        self.dots_name = plots.label(left, 0, 3.05, "generated", "generated")
        middle.set(title="Codes", aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15),
                   xticks=[], yticks=[])  # fmt: skip
        round_ = np.linspace(0, 2 * np.pi, 200)
        middle.plot(np.cos(round_), np.sin(round_), color=COLORS["mixture"], linewidth=1)
        (self.arrows,) = middle.plot([], [], color=COLORS["accent"], linewidth=2)
        (self.tips,) = middle.plot([], [], "o", color=COLORS["accent"], markersize=8)
        right.set(title="Pull-away term", xlabel="angle between neighbours (degrees)",
                  xlim=(0, 180), ylim=(0, 1.05), xticks=[0, 45, 90, 135, 180])  # fmt: skip
        (self.term,) = right.plot(self.angles, self.terms[2], color=COLORS["accent"])
        (self.floor,) = right.plot([0, 180], [0, 0], ":", color=COLORS["mixture"], clip_on=False)
        (self.here,) = right.plot([0], [0], "o", color=COLORS["accent"], markersize=9,
                                  clip_on=False)  # fmt: skip
        return [self.level, self.level_name, self.strokes, self.dots, self.dots_name, self.arrows,
                self.tips, self.term, self.floor, self.here]  # fmt: skip

    def update(self, margin, shift, codes, angle):
        places = shift + self.offsets
        energies = energy(places)
        low = energies < margin
        self.level.set_ydata([margin, margin])
        self.level_name.set_y(margin)
        self.dots_name.set_x(np.clip(shift, -2.2, 2.2))
        self.dots.set_data(places, energies)
        gaps = np.full(low.sum(), np.nan)
        self.strokes.set_data(
            np.stack([places[low], places[low], gaps], 1).ravel(),
            np.stack([energies[low], np.full(low.sum(), margin), gaps], 1).ravel(),
        )
        k = int(angle) // 5
        tips = self.directions[k, :codes]
        ends = np.zeros((2 * codes, 2))
        ends[::2] = tips
        self.arrows.set_data(*ends.T)
        self.tips.set_data(*tips.T)
        self.term.set_ydata(self.terms[codes])
        # The squared cosines of N unit vectors in the plane, the diagonal included, sum to at
        # least N^2 / 2.
        least = (codes / 2 - 1) / (codes - 1)
        self.floor.set_ydata([least, least])
        self.here.set_data([angle], [self.terms[codes][k]])
        return {
            "samples still lifted": f"{low.sum()} of {len(low)}",
            "hinge of each, then mean": np.maximum(margin - energies, 0).mean(),
            "hinge of the mean": max(margin - energies.mean(), 0.0),
            "pull-away term": self.terms[codes][k],
            "least in the plane": least,
        }


def energy(x):
    """How far x is from the nearer heap: the error of an autoencoder with a code of one bit."""
    return np.min(np.abs(np.asarray(x)[..., None] - np.array(HEAPS)), -1)


# Exercises


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
        right_choice="it pushes every sample",
        why="the hinge's slope is then -1 at every sample, wherever it is, also on a real one.",
        wrong={
            "it does nothing": "The hinge is 0 beyond the margin; here no sample gets there.",
            "its gradient vanishes": "The hinge is above 0 at every sample, and so has a slope.",
        },
    )
