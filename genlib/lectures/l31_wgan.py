"""Lecture 31: the Wasserstein GAN."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import data, experiments, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import wasserstein
from genlib.gans import GAN, WGAN
from genlib.lectures.maths import mixture, normal
from genlib.lectures.write_a_loss import Game
from genlib.plots import COLORS
from genlib.widgets import Scene, log_slider, scene, slider
from genlib.widgets.artists import curve, density, dot, panel

# Explorer: clipped_critic

SMALLEST, LARGEST = 0.01, 1.0
# By homogeneity the best unit has its larger weight on the side of the box: all of those.
_ALONG, _ONES = np.linspace(-1, 1, 201), np.ones(201)
SLOPES = np.concatenate([_ONES, -_ONES, _ALONG, _ALONG])
BIASES = np.concatenate([_ALONG, _ALONG, _ONES, -_ONES])


@scene("clipped_critic")
class ClippedCritic(Scene):
    """The best critic with weights in a box, WGAN's clipping, beside the best one of slope 1."""

    title = "The best critic in a box of weights"
    alt = (
        "Left: the densities of P, two Gaussians in blue, and Q, one in vermillion. Middle: two "
        "critics in green; dashed the best of slope 1, solid the best one whose weights lie in the "
        "box. Right: the steepest slope of the latter against the side of the box, a straight line "
        "on logarithmic scales, with a dot for the box chosen and a line at slope 1."
    )
    size = (9.8, 3.7)
    reveals = (
        ({"clip": 0.126}, {"clip": 0.126, "width": 128}),
        {},
        tuple({"clip": 0.126, "shift": shift} for shift in (-2.0, -0.5, 3.0)),
    )

    def controls(self):
        return {
            "clip": log_slider("clip c", 0.1, -2, 0, 0.1),
            "width": slider("hidden units", 64, 8, 128, 8),
            "shift": slider("shift of Q", 0.0, -3.0, 3.0, 0.1),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-7, 7, 701)
        self.step = xs[1] - xs[0]
        self.p = mixture(xs, [-2.0, 2.6], 0.6)
        self.units = np.maximum(SLOPES[:, None] * xs + BIASES[:, None], 0)

        left, middle, right = fig.subplots(1, 3)
        panel(left, "P and Q", ("x", -6, 6), ("density", 0, 0.6))
        left.plot(xs, self.p, color=COLORS["p"])
        plots.fill(left, xs, 0, self.p, "p")
        plots.label(left, -2, 0.35, "P", "p", fontsize=13)
        self.q = density(left, "q", "Q")
        panel(middle, "Two critics", ("x", -6, 6), ("f(x)", -4, 4))
        self.lipschitz = curve(middle, "critic", linestyle="--")
        self.boxed = curve(middle, "critic", linewidth=3)
        logs = {"xscale": "log", "yscale": "log"}
        panel(right, "Steepest slope", ("clip c", SMALLEST, LARGEST), ("", 1e-4, 300), **logs)
        right.axhline(1, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 0.011, 1.2, "slope 1", ha="left", fontsize=10)
        self.steepness, self.dot = curve(right, "critic"), dot(right, "critic")

    def update(self, clip, width, shift):
        xs, middle = self.xs, len(self.xs) // 2
        q = normal(xs, 0.7 + shift, 0.8)
        self.q.move(xs, q)
        self.q.name.move(0.7 + shift, 0.51)

        gap = np.cumsum(self.p - q) * self.step  # F - G
        w1 = np.sum(np.abs(gap)) * self.step
        best = np.cumsum(-np.sign(gap)) * self.step
        self.lipschitz.move(xs, best - best[middle])

        unit, gain = best_unit(self.units, (self.p - q) * self.step)
        scale = width * clip**2 * np.sign(gain)
        f = scale * self.units[unit]
        self.boxed.move(xs, f - f[middle])
        steepest = abs(scale * SLOPES[unit])
        clips = np.geomspace(SMALLEST, LARGEST, 2)
        self.steepness.move(clips, width * abs(SLOPES[unit]) * clips**2)
        self.dot.move(clip, steepest)
        value = abs(scale * gain)
        return {
            "it reaches": f"{value:.4f}",
            "its steepest slope K": f"{steepest:.4f}",
            "reached / K": value / steepest,
            "W1": w1,
        }


def best_unit(units, masses):
    """Which of ``units`` (k, n), each a function at n points, gains most on signed ``masses`` (n,).

    With weights in [-1, 1] a critic of one hidden layer gains most where every unit is that one:
    with weights in [-c, c] and w units, w c² times as much. Returns it and its gain, of any sign.
    """
    gains = units @ masses
    unit = int(np.argmax(np.abs(gains)))
    return unit, gains[unit]


# The trainings: one seed of some on the page, five seeds of each stored

SETTINGS = {
    "minimax": "from afar, minimax",
    "non_saturating": "from afar, non-saturating",
    "wgan": "from afar, WGAN",
    "ring": "c = 0.3",
    "small": "c = 0.01",
    "epsilon": "c = 0.01, epsilon 1e-12",
}
FAR = np.float32([8.0, 0.0])  # where the ring stands for those that come from afar
STEPS = 1200  # of the generator on the ring at home, fewer than the preset's to save time


def far_points():
    """4,096 points of a ring that stands at `FAR`."""
    return data.toy("ring").sample(4096, seed=(0, 1)).numpy() + FAR


class Ahead(keras.callbacks.Callback):
    """Before training, 200 updates of the critic alone."""

    def on_train_begin(self, logs=None):
        step, far = tf.function(self.model.critic_step, autograph=False), far_points()
        for batch in range(200):
            step(far[128 * (batch % 32) :][:128])


def from_afar(setting, seed=0):
    """The model of "minimax", "non_saturating" or "wgan": 400 steps towards a ring at `FAR`."""
    nets = experiments.default_networks("gan", (2,), width=64, seed=seed)
    how = {"critic_steps": 5, "seed": seed}
    if setting == "wgan":
        game = WGAN(*nets, clip=0.3, **how)
    else:
        objective = {"objective": "minimax"} if setting == "minimax" else {}
        game = GAN(*nets, **objective, **how)
    game.compile(*(keras.optimizers.RMSprop(1e-3) for _ in nets), jit_compile=False)
    game.fit(far_points(), batch_size=128, steps_per_epoch=400, callbacks=[Ahead()], verbose=0)
    return game


class SmallEpsilon:
    """Before a GAN's class: its optimizers add 1e-12, not Keras's 1e-7, to a gradient's size."""

    def compile(self, *optimizers, **how):
        for optimizer in optimizers:
            optimizer.epsilon = 1e-12
        super().compile(*optimizers, **how)


class SmallEpsilonWGAN(SmallEpsilon, WGAN):
    pass


def train(setting, seed=0, **film):
    """The trial of "ring", "small" or "epsilon", as `experiments.on_toy` gives it."""
    kind = SmallEpsilonWGAN if setting == "epsilon" else WGAN
    box = {} if setting == "ring" else {"clip": 0.01}
    return experiments.on_toy(kind, seed=seed, steps=STEPS, **box, **film)


def run(setting, seed):
    """One stored run: the way left from afar; else what samples score, and weights at the edge."""
    found = dict.fromkeys(("left", "modes", "quality", "distance", "edge"), np.nan)
    if setting in ("minimax", "non_saturating", "wgan"):
        return found | {"left": way_left(from_afar(setting, seed))}
    trial = train(setting, seed)
    edge = np.mean(np.abs(relative_weights(trial.model)) > 0.98)
    return found | scores(trial) | {"edge": edge}


def way_left(game):
    """The distance of the means of the far ring and of 1,000 samples."""
    return float(np.linalg.norm(np.mean(game.sample(1000, seed=1), 0) - FAR))


def scores(trial):
    """Modes, share of high quality and distance of samples on the ring."""
    return {"modes": trial.modes, "quality": trial.high_quality, "distance": trial.distance}


def relative_weights(game):
    """All weights of a critic, in units of its box."""
    return np.concatenate([v.numpy().ravel() for v in game.critic.trainable_variables]) / game.clip


# Exercises


@exercise("31_wgan/1")
def louder_critic():
    """The least W1 that a critic of slope 3 with a gap of 6 allows."""
    # Two Diracs at that distance: the critic 3x has the gap 6 on them, and no nearer pair has.
    truth = float(wasserstein(tfd.Deterministic(0.0), tfd.Deterministic(6 / 3)))
    return Number(
        truth,
        tolerance=0.005,
        right="divided by 3 the critic is a legal one, and its gap bounds W1 from below.",
        mistakes=[
            (
                6.0,
                "That takes the slope for 1; a critic three times as steep reads three times W1.",
            ),
            (18.0, "The slope makes the gap larger than W1, not smaller: divide by it."),
        ],
    )


@exercise("31_wgan/2")
def linear_reach():
    """Write reach(x, y, c): the largest gap of a linear critic in the box."""

    def reference(x, y, c):
        start = keras.Input((x.shape[1],))
        best = keras.layers.Dense(1, use_bias=False)
        model = WGAN(networks.mlp(1, x.shape[1], 4), keras.Model(start, best(start)), clip=c)
        best.kernel.assign(c * np.sign(np.mean(x, 0) - np.mean(y, 0))[:, None])
        return -float(model.critic_loss(tf.cast(x, tf.float32), tf.cast(y, tf.float32)))

    def inputs(rng):
        d = int(rng.integers(2, 5))
        return rng.normal(size=(8, d)), rng.normal(1, 1, size=(6, d)), float(rng.uniform(0.1, 1))

    def gap(x, y):
        return np.mean(x, 0) - np.mean(y, 0)

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="each weight goes to the edge, with the sign of its axis's gap.",
        mistakes=[
            (
                lambda x, y, c: c * np.linalg.norm(gap(x, y)),
                "That is the reach of weights in a ball of radius c; in a box each weight is free.",
            ),
            (lambda x, y, c: c * abs(np.sum(gap(x, y))), "Take |.| of each axis before the sum."),
            (lambda x, y, c: np.sum(np.abs(gap(x, y))), "That is for c = 1: multiply by c."),
        ],
        calls=6,
    )


@exercise("31_wgan/3")
def no_sigmoid():
    """Why the critic gives a score."""
    return Choice(
        right_choice="a sigmoid caps the gap",
        why="scores within (0, 1) can never differ by more than 1, however far apart the samples "
        "are; and a sample is pulled by the critic's slope, which dies where a sigmoid is sure.",
        wrong={
            "training is faster": "Speed is not it: look at the pull far from the real samples.",
            "scores must add to 1": "Only differences of mean scores count; they need not add up "
            "to anything.",
        },
    )


@exercise("31_wgan/4")
def own_wgan():
    """Write both losses and the clipping as a class, and train it."""
    mean = tf.reduce_mean
    return Game(
        WGAN,
        right="and from two seeds it covers all eight modes and beats the plain circle.",
        options={"clip": 0.3},
        training={"critic_steps": 5},
        steps=800,
        mistakes=[
            (
                "critic_loss",
                lambda model, x, y: GAN.critic_loss(model, x, y),
                "that is the first GAN's; a score is used as it is, with no softplus.",
            ),
            (
                "generator_loss",
                lambda model, x, y: mean(tf.nn.softplus(-model.critic(y))),
                "that is the first GAN's; a score is used as it is, with no softplus.",
            ),
            (
                "generator_loss",
                lambda model, x, y: mean(model.critic(x)) - mean(model.critic(y)),
                "the real samples' mean does not depend on the generator: leave it out.",
            ),
        ],
    )
