"""Lecture 42: margin adaptation GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import MAGAN
from genlib.gans.magan import margin_moves
from genlib.lectures.l40_ebgan import ring_scores
from genlib.lectures.write_on_arrays import Losses, beats_the_circle, with_copies
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import curve, dot, key, panel

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
    reveals = (
        {"noise": 0.0, "jump": 40},
        ({}, {"noise": 0.6}),
        {"noise": 0.0, "floor": 0.0},
    )

    def controls(self):
        return {
            "decay": slider("real energy halves in", 10, 3, 60, 1),
            "floor": slider("generated energy ends at", 0.5, 0.0, 1.2, 0.05),
            "noise": slider("noise", 0.2, 0.0, 0.6, 0.05),
            "jump": slider("jump of generated at epoch", 20, 1, 40, 1),
        }

    def stage(self, fig):
        self.epochs = np.arange(1, EPOCHS + 1)
        self.noise = np.random.default_rng(3).normal(size=(2, EPOCHS))
        left, right = fig.subplots(1, 2, width_ratios=[1.1, 1])
        panel(left, "Mean energies of an epoch", ("epoch", 0, EPOCHS), ("energy", 0, 3))
        lines = {"generated": "generated", "real": "real", "margin (black)": "mixture"}
        key(left, 0.98, 0.97, lines, 0.08)
        self.real, self.fake = curve(left, "real"), curve(left, "generated")
        self.margin = curve(left, "black", drawstyle="steps-post")
        names = ["1 real < margin", "2 real < generated", "3 generated did not fall", "it moves"]
        ticks = {"yticks": [3, 2, 1, 0], "yticklabels": names}
        epochs = ("epoch", 0, EPOCHS + 1)
        panel(right, "Which conditions hold", epochs, ("", -0.6, 3.6), **ticks).grid(False)
        roles = "real", "generated", "highlight", "critic"
        self.lights = [dot(right, role, 5, "s") for role in roles]

    def update(self, decay, floor, noise, jump):
        real = START * (0.1 + 0.9 * 0.5 ** (self.epochs / decay))
        fake = floor + (2.0 - floor) * 0.5 ** (self.epochs / 5.0) + 0.5 * (self.epochs >= jump)
        real, fake = (
            np.maximum(energy * (1 + 0.5 * noise * bumps), 0.0).astype(np.float32)
            for energy, bumps in zip((real, fake), self.noise, strict=True)
        )
        margins = path(real, fake)
        for line, ys in ((self.real, real), (self.fake, fake), (self.margin, margins)):
            line.move(self.epochs, ys)
        before = np.r_[START, margins[:-1]]
        moved = margins < before
        rows = real < before, real < fake, np.r_[False, np.diff(fake) >= 0], moved
        for height, light, on in zip((3, 2, 1, 0), self.lights, rows, strict=True):
            light.move(self.epochs[on], np.full(on.sum(), height))
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


# The trainings: one seed of some on the page, several of each stored

STEPS, EPOCH = 1200, 100  # of the generator on the ring; steps after which a margin may move

SETTINGS = {
    "tiny_fixed": "0.0001, fixed",
    "moves": "0.5, moves",
    "fixed": "0.5, fixed",
    "tiny_moves": "0.0001, may move",
    "rule": "digits, the paper's rule",
    "slow": "digits, a slower margin",
    "rule_128": "digits, the paper's rule, 128 units",
}
SCORES = (
    *("modes", "quality", "distance"),  # on the ring
    *("margin", "real", "generated"),  # at the end, and mean energies
    *("read", "classes", "variety", "below"),  # on digits
)


class Steps(keras.callbacks.Callback):
    """Keeps the losses of every step, over the epochs of ``fit``: ``logs``, arrays by name."""

    def on_train_begin(self, logs=None):
        self.logs = {}

    def on_epoch_end(self, epoch, logs=None):
        for name, values in self.model.step_losses.items():
            self.logs[name] = np.append(self.logs.get(name, []), values)


def train(setting, seed=0, epochs=1, callbacks=()):
    """The model of one of the settings of the ring, and the losses of its steps.

    A margin that is fixed has an epoch so long that it never comes to move.
    """
    nets = experiments.default_networks("magan", (2,), seed=seed)
    options = {
        "margin": 0.0001 if setting.startswith("tiny") else 0.5,
        "epoch_steps": EPOCH if setting.endswith("moves") else 100 * STEPS,
    }
    model = experiments.build("magan", "ring", nets, STEPS, seed=seed, **options)
    model.jit_compile, steps = False, Steps()  # to compile for XLA takes longer than it saves here
    model.fit(data.toy("ring"), batch_size=128, steps_per_epoch=STEPS // epochs, epochs=epochs,
              callbacks=[steps, *callbacks], verbose=0)  # fmt: skip
    return model, steps.logs


def on_digits(setting, seed=0):
    """The trial of "rule", the paper's start and epochs of 100 steps, or of "slow", the preset.

    "rule_128" is the first in networks of 128 units; the others have 256.
    """
    options = {} if setting == "slow" else {"margin": None, "epoch_steps": EPOCH}
    width = 128 if setting == "rule_128" else 256
    return experiments.on_digits("magan", seed=seed, width=width, **options)


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    if setting in ("rule", "slow", "rule_128"):
        found = digit_scores(on_digits(setting, seed))
    else:
        model, logs = train(setting, seed)
        found = ring_scores(model) | at_the_end(logs)
    return {name: found.get(name, np.nan) for name in SCORES}


def at_the_end(logs):
    """The margin of the last step, and the mean energies of the last epoch."""
    real, fake = (logs[f"{name}_energy"][-EPOCH:].mean() for name in ("real", "fake"))
    return {"margin": float(logs["margin"][-1]), "real": real, "generated": fake}


def digit_scores(trial):
    """What a trial on digits scores, its margin and energies, and two measures of its variety.

    "variety" is the mean deviation of a pixel over that of real digits, "below" the share of
    samples whose energy is below the margin.
    """
    model, made, (digits, _) = trial.model, trial.model.sample(500, seed=2), data.images("digits")
    energy, margin = model.energy(made), float(model.margin.value)
    return {
        "read": trial.score.confident,
        "classes": trial.score.classes,
        "margin": margin,
        "real": float(tf.reduce_mean(model.energy(digits))),
        "generated": float(tf.reduce_mean(energy)),
        "variety": made.numpy().std(axis=0).mean() / digits.std(0).mean(),
        "below": float(tf.reduce_mean(tf.cast(energy < margin, tf.float32))),
    }


# Exercises

REAL, FAKE = (0.9, 0.7, 0.6, 0.8), (2.0, 1.5, 1.6, 1.7)


def _magan():
    return MAGAN(*experiments.default_networks("magan", (2,), width=2, seed=0), margin=1.0)


@exercise("42_magan/1")
def last_margin():
    """The margin after four epochs of given energies."""
    model = _magan()
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

    model = _magan()

    def reference(margin, real, fake, last):
        model.margin.assign(margin)
        model.last_fake_energy.assign(last)
        model.end_epoch(np.float32(real), np.float32(fake))
        return float(model.margin.value)

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
        calls=100,
    )


@exercise("42_magan/3")
def wide_code():
    """Why the plain settings fail on 2-D points."""
    return Choice(
        right_choice="the margin starts near 0",
        why="a code of sixteen numbers holds any point of the plane: the margin starts near 0.",
        wrong={
            "the margin rises without bound": "The margin never rises, with any settings.",
            "the generator stands still": "The generator does move; but nothing tells it where to.",
        },
    )


OWN_STEPS = 800  # of the exercise's training


@exercise("42_magan/4")
def own_losses():
    """Write losses(x, copy_x, y, copy_y, margin), and train with them."""
    mean, relu = tf.reduce_mean, tf.nn.relu

    def energies(x, copy):
        return tf.reduce_sum((copy - x) ** 2, axis=1)

    def reference(x, copy_x, y, copy_y, margin):
        hinge = relu(margin - energies(y, copy_y))
        return mean(energies(x, copy_x)) + mean(hinge), mean(energies(y, copy_y))

    def inputs(rng):
        x, y = rng.normal(0, 1, (2, 16, 2))
        copy_x, copy_y = x + rng.normal(0, 0.3, x.shape), y + rng.normal(0, 0.6, y.shape)
        return x, copy_x, y, copy_y, rng.uniform(0.4, 0.9)

    def train(losses):
        def both(model, real, fake):
            return losses(*with_copies(model, real, fake), model.margin.value)

        return beats_the_circle(MAGAN, both, OWN_STEPS)

    return Losses(
        reference,
        inputs,
        train,
        right="EBGAN's losses, with a squared error and a margin that may move.",
        mistakes=[
            (
                "critic",
                lambda x, cx, y, cy, m: mean(energies(x, cx)) + relu(m - mean(energies(y, cy))),
                "that is the hinge of the mean; take the hinge of each sample, then the mean.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, m: (
                    mean(tf.norm(cx - x, axis=1)) + mean(relu(m - tf.norm(cy - y, axis=1)))
                ),
                "that is EBGAN's energy, the distance; MAGAN's is its square.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, m: (
                    mean((cx - x) ** 2) + mean(relu(m - mean((cy - y) ** 2, axis=1)))
                ),
                "the energy is a sum over a sample's numbers, not their mean.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, m: mean(energies(x, cx)) - mean(energies(y, cy)),
                "the hinge is missing: beyond the margin a generated sample counts 0.",
            ),
            (
                "generator",
                lambda x, cx, y, cy, m: mean(relu(m - energies(y, cy))),
                "that is the critic's hinge; the generator lowers the energy itself.",
            ),
            (
                "generator",
                lambda x, cx, y, cy, m: mean(tf.norm(cy - y, axis=1)),
                "that is EBGAN's energy, the distance; MAGAN's is its square.",
            ),
        ],
    )
