"""Lecture 33: the least-squares GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import GAN, LSGAN
from genlib.gans.lsgan import CODINGS
from genlib.lectures.maths import normal
from genlib.lectures.write_a_loss import Game
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import curve, density, dot, panel, words

# Explorer: least_squares

XS = np.linspace(-14, 14, 1401)
SHIFTS = np.linspace(0, 6, 61)

_PRACTICE = {"a": 0.0, "b": 1.0, "c": 1.0}  # the authors' choice of targets


@scene("least_squares")
class LeastSquares(Scene):
    """The least-squares game in 1-D: three targets, the best critic, the generator's pull."""

    title = "Three targets"
    alt = (
        "Left: the real density in blue, the generated one in vermillion, the best critic in green "
        "between its targets a, for generated, and b, for real; a dotted line marks the "
        "generator's target c. Middle: the generator's loss at each x against that critic. Right: "
        "twice the generator's cost at the best critic against its shift, solid, and the "
        "divergence of P and Q, dashed; they are one curve only for some targets."
    )
    size = (9.8, 3.7)
    reveals = (
        ({}, {"c": 1.0}, {"b": 1.5}),
        (_PRACTICE, _PRACTICE | {"shift": 0.0}, _PRACTICE | {"c": 0.0}),
        _PRACTICE | {"shift": 6.0},
    )

    def controls(self):
        a, b, c = CODINGS["pearson"]
        return {
            "shift": slider("shift of Q", 2.0, 0.0, 6.0, 0.1),
            "a": slider("target a", a, -1.5, 0.5, 0.25),
            "b": slider("target b", b, 0.75, 1.5, 0.25),
            "c": slider("target c", c, -0.5, 1.5, 0.25),
        }

    def stage(self, fig):
        # One row for each shift: q, and the best critic's belief p / (p + q).
        self.p, self.q = normal(XS), normal(XS, SHIFTS[:, None])
        self.share = self.p / (self.p + self.q)
        self.step = XS[1] - XS[0]
        self.divergence = np.sum((self.p - self.q) ** 2 / (self.p + self.q), 1) * self.step

        left, middle, right = fig.subplots(1, 3)
        panel(left, "The best critic D", ("x", -4, 8), ("", -1.7, 2.0))
        left.axhline(0, color="#8c8c8c", linewidth=1)
        left.plot(XS, self.p, color=COLORS["p"])
        plots.fill(left, XS, 0, self.p, "p")
        self.generated, self.critic = density(left, "q"), curve(left, "critic", linewidth=3)
        self.target, self.name = curve(left, "q", linestyle=":"), words(left, "q", "c", ha="right")

        loss = ("(D(x) − c)² / 2", 0, 2)
        panel(middle, "The generator's loss at x", ("x", -4, 8), loss)
        self.loss, self.at_shift = curve(middle, "q"), dot(middle, "q")

        panel(right, "2 C(G)", ("shift of Q", 0, 6), ("", 0, 4))
        right.plot(SHIFTS, self.divergence, "--", color=COLORS["mixture"])
        plots.label(right, 5.9, 0.08, "dashed: the divergence", ha="right", fontsize=10)
        self.cost, self.dot = curve(right, "q", linewidth=6, alpha=0.4), dot(right, "q")

    def update(self, shift, a, b, c):
        row = int(round(shift / (SHIFTS[1] - SHIFTS[0])))
        critics = a + (b - a) * self.share
        q, critic = self.q[row], critics[row]
        self.generated.move(XS, q)
        self.critic.move(XS, critic)
        self.target.move([-4, 8], [c, c])
        self.name.move(7.9, c + 0.05)

        loss = (critic - c) ** 2 / 2
        self.loss.move(XS, loss)
        self.at_shift.move(shift, np.interp(shift, XS, loss))

        costs = np.sum((self.p + self.q) * (critics - c) ** 2, 1) * self.step
        self.cost.move(SHIFTS, costs)
        self.dot.move(shift, costs[row])
        # The pull: how fast the loss falls as a sample moves home, averaged over the samples of Q.
        pull = np.sum(q * np.gradient(loss, XS)) * self.step
        return {
            "mean pull towards P": np.round(pull, 6) + 0,  # not -0.000
            "2 C(G)": costs[row],
            "∫ (p − q)² / (p + q)": self.divergence[row],
            "b − c = 1 and b − a = 2": "yes" if (b - c, b - a) == (1, 2) else "no",
        }


# One half of the loss at a time


class CriticAlone(LSGAN):
    """Squares, targets 0 and 1, for the critic; the generator's loss is `GAN`'s.

    The logit is ``4 D - 2``: near D = 1/2 the logarithms of it are the squares of D, times 4, up to
    third order and a constant.
    """

    def generator_loss(self, real, fake):
        return tf.reduce_mean(tf.nn.softplus(2 - 4 * self.critic(fake, training=True)))


class GeneratorAlone(GAN):
    """`GAN`'s critic; the generator pays half the square of the logit's distance from 1."""

    def generator_loss(self, real, fake):
        return tf.reduce_mean((self.critic(fake, training=True) - 1) ** 2) / 2


class SquaresOfASigmoid(GAN):
    """Squares, targets 0 and 1, of the belief, the sigmoid; the generator's loss is `GAN`'s.

    Unlike those of the plain output, they go flat where the critic is sure.
    """

    def critic_loss(self, real, fake):
        on_real, on_fake = (tf.sigmoid(self.critic(x, training=True)) for x in (real, fake))
        return (tf.reduce_mean((on_real - 1) ** 2) + tf.reduce_mean(on_fake**2)) / 2


# The trainings on the ring: one seed of some on the page, three or five of each stored

STEPS, IDLE_STEPS = 2000, 600

SETTINGS = {
    "logarithms": "logarithms (GAN)",
    "squares": "squares, (0, 1, 1)",
    "critic": "the critic alone",
    "generator": "the generator alone",
    "sigmoid": "squares of a sigmoid",
    "pearson": "squares, (-1, 1, 0)",
    "idle": "squares, c = a",
}
KINDS = {
    "logarithms": (GAN, {}),
    "squares": (LSGAN, {}),
    "critic": (CriticAlone, {}),
    "generator": (GeneratorAlone, {}),
    "sigmoid": (SquaresOfASigmoid, {}),
    "pearson": (LSGAN, {"coding": "pearson"}),
    "idle": (LSGAN, {"coding": (0, 1, 0)}),
}


def ring_points():
    """8,192 points of the ring."""
    return data.toy("ring").sample(8192, seed=(0, 1)).numpy()


def train(setting, seed=0, **film):
    """The model of one of `SETTINGS`, by Adam with momentum 0.9; "idle" with 0.5, and shorter."""
    (kind, options), idle = KINDS[setting], setting == "idle"

    def make(seed):
        nets = networks.mlp(2, 2, 64, seed=seed), networks.mlp(2, 1, 64, seed=seed + 100)
        model = kind(*nets, seed=seed, **options)
        momentum = 0.5 if idle else 0.9
        model.compile(*(keras.optimizers.Adam(1e-3, beta_1=momentum) for _ in nets), False)
        return model

    how = {"steps": IDLE_STEPS if idle else STEPS, "seeds": [seed]} | film
    return experiments.over_seeds(make, ring_points(), **how)[0]


def run(setting, seed):
    """One stored run: `scores` of a training."""
    return scores(train(setting, seed))


def scores(model):
    """Modes, share of high quality and spread of 2,500 samples on the ring."""
    made = model.sample(2500, seed=1).numpy()
    modes, quality, _ = experiments.score_points(made, "ring")
    return {"modes": modes, "quality": quality, "spread": float(made.std(0).max())}


# Exercises


@exercise("33_lsgan/1")
def best_critic_value():
    """D at a place where p is three times q, with the coding (-1, 1, 0)."""
    a, b, _ = CODINGS["pearson"]
    p, q = 3.0, 1.0

    def best(a, b, p, q):
        values = np.linspace(-2, 2, 4001)
        return float(values[np.argmin(p * (values - b) ** 2 + q * (values - a) ** 2)])

    return Number(
        best(a, b, p, q),
        tolerance=0.01,
        right="the best critic is the mean of its targets, weighted by p and q.",
        mistakes=[
            (best(0, 1, p, q), "That is p / (p + q), the best critic for the targets 0 and 1."),
            (best(a, b, q, p), "b goes with the real density p, and a with q."),
        ],
    )


@exercise("33_lsgan/2")
def triangular():
    """Write divergence(p, q): the sum of (p - q)^2 / (p + q) over discrete probabilities."""

    def reference(p, q):
        # Twice the generator's cost at the best critic, by LSGAN's own loss, place by place.
        a, b, c = CODINGS["pearson"]
        start = keras.Input((1,))
        model = LSGAN(networks.mlp(1, 1, 4), keras.Model(start, start), coding=(a, b, c))
        best = (b * p + a * q) / (p + q)
        losses = [float(model.generator_loss(None, tf.constant([[d]], tf.float32))) for d in best]
        return 2 * np.sum((p + q) * losses)

    def inputs(rng):
        return rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it is 0 for p = q and 2 where they do not overlap.",
        mistakes=[
            (
                lambda p, q: np.sum((p - q) ** 2 / (p + q)) / 2,
                "That is C(G); the divergence is twice that.",
            ),
            (
                lambda p, q: np.sum((p - q) ** 2 / q),
                "That is Pearson's chi-square of p and q; here the sum p + q stands below.",
            ),
            (lambda p, q: np.sum(np.abs(p - q)), "Square the difference, and divide by the sum."),
            (lambda p, q: np.sum((p - q) ** 2), "Divide by p + q before you sum."),
        ],
        calls=6,
    )


@exercise("33_lsgan/3")
def what_vanishes():
    """What the pull of the best critic does when the densities part."""
    return Choice(
        right_choice="it vanishes",
        why="the best critic is flat where it is sure, and a flat critic has no slope to pass on.",
        wrong={
            "it grows": "The best critic stays between a and b however far the densities part.",
            "it stays the same": "That is so for W1; compute the slope of (b p + a q) / (p + q) "
            "far from P.",
        },
    )


@exercise("33_lsgan/4")
def own_lsgan():
    """Write both losses as a class, and train it."""

    def square(model, x, target):
        return tf.reduce_mean((model.critic(x) - target) ** 2) / 2

    return Game(
        LSGAN,
        right="and from two seeds it covers all eight modes and beats the plain circle.",
        mistakes=[
            (
                "critic_loss",
                lambda model, x, y: square(model, x, 0.0) + square(model, y, 1.0),
                "the targets have changed places: 1 is for real samples, 0 for generated ones.",
            ),
            (
                "critic_loss",
                lambda model, x, y: square(model, x, 1.0) + square(model, y, -1.0),
                "the target of generated samples is 0 here, not -1.",
            ),
            (
                "generator_loss",
                lambda model, x, y: square(model, y, 0.0),
                "it aims at 0, what the critic calls generated samples: that teaches nothing.",
            ),
            (
                "generator_loss",
                lambda model, x, y: (tf.reduce_mean(model.critic(y)) - 1) ** 2 / 2,
                "that is the square of a mean; square each sample's distance, then take the mean.",
            ),
        ],
    )
