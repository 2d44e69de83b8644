"""Lecture 38: Cramer GAN."""

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtr

from genlib import data, experiments, networks, plots
from genlib.check import Choice, Number, exercise
from genlib.gans import CramerGAN
from genlib.gans.cramer_gan import norm
from genlib.lectures.maths import normal
from genlib.lectures.write_on_arrays import Losses, in_training
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import curve, dot, moving, panel, shade, words

# A coin, and a model that walks towards it

COIN = 0.6  # the coin's probability of a 1


def descend(divergence, tosses, seed, steps=6000, rate=0.003, start=0.3):
    """Walk the model ``B(t)`` down the divergence from each step's share of ones; all t, (steps,).

    The slope in t is ``sign(t - share)`` for "W1" and ``2 (t - share)`` for "Cramér".
    """
    shares = np.random.default_rng(seed).binomial(tosses, COIN, steps) / tosses
    path = [start]
    for share in shares:
        gap = path[-1] - share
        slope = np.sign(gap) if divergence == "W1" else 2 * gap
        path.append(min(max(path[-1] - rate * slope, 0.0), 1.0))
    return np.array(path[1:])


# Explorer: cramer_surrogate

DATA_SCALE = 0.5  # of P
LOCATIONS = np.linspace(-4, 4, 161)


@scene("cramer_surrogate")
class CramerSurrogate(Scene):
    """The energy distance and Cramer GAN's surrogate as losses of a generator on the line."""

    title = "Two losses for one generator"
    alt = (
        "Left: the densities of P in blue and Q in vermillion. Middle: the push on a generated "
        "sample at each x, to the right where positive; green by the energy distance, pink by the "
        "surrogate; below, in vermillion, where Q lies. Right: both losses against the location of "
        "Q, less their least values, with dots at the location chosen and a dotted line at the "
        "location of P."
    )
    size = (9.8, 3.7)
    reveals = (
        {},
        tuple({"data": 3.0, "scale": 0.1, "place": place} for place in (0.5, 1.5, 3.0)),
        ({"data": 0.0}, {"data": 0.0, "place": 0.0}),
    )

    def controls(self):
        return {
            "data": slider("location of P", 2.0, -3.0, 3.0, 0.25),
            "place": slider("location of Q", 0.75, -4.0, 4.0, 0.25),
            "scale": slider("scale of Q", 0.5, 0.1, 1.5, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        panel(left, "P and Q", ("x", -5, 5), ("density", 0, 1.5))
        self.p, self.q = (shade(left, name, 0.4) for name in "pq")
        self.names = [words(left, name, name.upper(), fontsize=13) for name in "pq"]
        panel(middle, "Push on a sample at x", ("x", -5, 5), ("", -4.4, 4.4))
        middle.axhline(0, color="#8c8c8c", linewidth=1)
        self.reach = shade(middle, "q")
        panel(right, "Loss", ("location of Q", -4, 4), ("", -0.3, 8))
        self.home = moving(right.axvline(color=COLORS["p"], linestyle=":"))
        roles = {"energy": "critic", "surrogate": "accent"}
        for y, (name, role) in zip((3.7, 2.9), roles.items(), strict=True):
            plots.label(middle, -4.8, y, name, role, ha="left", fontsize=10)
        plots.label(middle, -4.8, 2.1, "Q, scaled", "q", ha="left", fontsize=10)
        self.pushes = {name: curve(middle, role) for name, role in roles.items()}
        self.losses = {name: curve(right, role) for name, role in roles.items()}
        self.dots = {name: dot(right, role, 8) for name, role in roles.items()}

    def update(self, data, place, scale):
        xs = np.linspace(-6, 6, 481)
        p, q = normal(xs, data, DATA_SCALE), normal(xs, place, scale)
        self.p.move(xs, 0, p)
        self.q.move(xs, 0, q)
        for name, x, y in zip(self.names, (data, place), (1.0, 0.05), strict=True):
            name.move(x, y)
        self.reach.move(xs, -4.4, -4.4 + 2 * q / q.max())
        self.home.set_xdata([data, data])

        pushes, numbers = push(xs, (data, DATA_SCALE), (place, scale)), {}
        for name, loss in losses(LOCATIONS, data, scale).items():
            # What does not depend on Q's location is left out; the least is drawn at 0.
            here = losses(np.array([place]), data, scale)[name][0]
            self.pushes[name].move(xs, pushes[name])
            self.losses[name].move(LOCATIONS, loss - loss.min())
            self.dots[name].move(place, here - loss.min())
            numbers[f"mean push, {name}"] = float(pushes[name] @ q * (xs[1] - xs[0]))
        return numbers


def push(x, p, q):
    """Return how hard each loss pushes a generated sample at x to the right: ``{name: (n,)}``.

    ``p`` and ``q`` are (mean, scale) of normals. ``d/dx E|x - y| = 2 F(x) - 1`` for y of CDF F.
    """
    to_p, to_q = (2 * ndtr((x - mean) / scale) - 1 for mean, scale in (p, q))
    return {"energy": 2 * to_q - 2 * to_p, "surrogate": 2 * to_q - to_p - np.sign(x)}


def losses(means, data, scale):
    """Return both losses for Q at ``means`` up to terms without the mean: ``{name: (n,)}``."""
    across = mean_distance(means - data, np.hypot(scale, DATA_SCALE))
    return {"energy": 2 * across, "surrogate": across + mean_distance(means, scale)}


def mean_distance(mean, scale):
    """Return ``E |N(mean, scale^2)|``."""
    z = mean / scale
    return scale * (2 * normal(z) + z * (2 * ndtr(z) - 1))


# The trainings on the ring: one seed of some on the page, five seeds of each stored

STEPS = 1400  # of the generator

SETTINGS = {
    "energy": "penalty 0.1, energy form",
    "paper": "penalty 10, energy form",
    "surrogate": "penalty 0.1, surrogate",
}


class Cramer(CramerGAN):
    """Cramer GAN without XLA: compiled code takes some 70 MB a model, and longer to make."""

    def compile(self, *optimizers):
        super().compile(*optimizers, jit_compile=False)


class OnSurrogate(Cramer):
    """Its generator goes down the gap that the critic climbs: a mistake."""

    def generator_loss(self, real, fake):
        """``E f(x) - E f(g1)`` with the codes' second batch ``g2`` in f."""
        second = self.generate(tf.shape(fake)[0])
        x, g1, g2 = (self.critic(batch, training=True) for batch in (real, fake, second))
        return surrogate_gap(x, g1, g2)


def surrogate_gap(x, g1, g2):
    """``E f(x) - E f(g1)``, ``f(t) = |h(t) - h(g2)| - |h(t)|``, of three batches of codes."""
    return tf.reduce_mean(norm(x - g2) - norm(x) - norm(g1 - g2) + norm(g1))


def train(setting, seed=0, **film):
    """One of `SETTINGS` trained on the ring, as `experiments.on_toy` gives it."""
    kind = OnSurrogate if setting == "surrogate" else Cramer
    options = {"penalty_weight": 10.0} if setting == "paper" else {}
    return experiments.on_toy(kind, seed=seed, steps=STEPS, **options, **film)


def run(setting, seed):
    """One stored run: what its samples score, and `lengths`."""
    trial = train(setting, seed)
    found = {"modes": trial.modes, "quality": trial.high_quality, "distance": trial.distance}
    return found | lengths(trial.model)


def lengths(model):
    """The mean length of the codes on the modes, between them, in the middle and outside."""
    places = {
        "real": data.toy("ring").sample(400, seed=(0, 1)).numpy(),
        "between": _around(0.5, 1),
        "middle": _around(0, 0),
        "outside": _around(0, 2),
    }
    return {place: float(tf.reduce_mean(norm(model.critic(x)))) for place, x in places.items()}


def _around(turn, radius):
    """400 points near eight places on a circle; turn 0 is a mode, turn 1/2 half-way to the next."""
    angle = np.repeat(2 * np.pi / 8 * (np.arange(8) + turn), 50)
    noise = np.random.default_rng(0).normal(0, 0.05, (400, 2))
    return np.float32(radius * np.stack([np.cos(angle), np.sin(angle)], 1) + noise)


# Where it breaks: one Gaussian, whose location and scale are free

TARGET = (2.0, 0.5)  # of the data
STARTS = (-2.0, 1.0, 4.0)


def settle(loss, start, steps=200, n=1000, rate=0.05):
    """Where a Gaussian ends that goes down ``loss(x, g1, g2)``, h(x) = x: (location, scale)."""
    place, scale = tf.Variable(start), tf.Variable(1.0)

    def go():
        for i in tf.range(steps):
            x, z1, z2 = (tf.random.stateless_normal((n, 1), [k, i]) for k in range(3))
            with tf.GradientTape() as tape:
                g1, g2 = place + scale * z1, place + scale * z2
                value = tf.reduce_mean(loss(TARGET[0] + TARGET[1] * x, g1, g2))
            for variable, slope in zip(
                (place, scale), tape.gradient(value, (place, scale)), strict=True
            ):
                variable.assign_sub(rate * slope)

    tf.function(go).get_concrete_function()()  # a function a call: TensorFlow would warn of it
    return float(place), abs(float(scale))


# Exercises


def _same(k):
    start = keras.Input((k,))
    return keras.Model(start, keras.layers.Activation("linear")(start))


@exercise("38_cramer_gan/1")
def surrogate_by_hand():
    """The surrogate's gap for data at 1 and generated samples at 0.5."""
    model = CramerGAN(networks.mlp(1, 1, 4), _same(1), penalty_weight=0.0)
    x, g = tf.ones((4, 1)), tf.fill((4, 1), 0.5)
    model.generate = lambda n: g
    truth = -float(model.critic_loss(x, g))
    energy = float(model.generator_loss(x, g))
    return Number(
        truth,
        tolerance=0.005,
        right="f(1) = 1/2 - 1 and f(1/2) = 0 - 1/2: no gap, though Q is not P.",
        mistakes=[
            (energy, "That is the generator's loss, the energy form."),
            (energy / 2, "You left |t| out of f(t) = |t - g2| - |t|."),
        ],
    )


@exercise("38_cramer_gan/2")
def own_losses():
    """Write losses(hx, h1, h2) of codes, and train with them."""
    mean = tf.reduce_mean

    def far(a, b):
        return mean(tf.norm(a - b, axis=1))

    def size(a):
        return mean(tf.norm(a, axis=1))

    def reference(hx, h1, h2):
        gap = far(hx, h2) - size(hx) - far(h1, h2) + size(h1)
        return -gap, far(hx, h1) + far(hx, h2) - far(h1, h2)

    def inputs(rng):
        return rng.normal(1, 1, (16, 3)), *rng.normal(size=(2, 16, 3))

    def train(losses):
        found = np.array([
            in_training(settle, lambda *codes: losses(*codes)[1], start) for start in STARTS
        ])  # fmt: skip
        place, scale = np.abs(found - TARGET).max(0)
        if max(place, scale) > 0.15:
            return False, (
                f"the losses are right, but a Gaussian that goes down the generator's ends "
                f"{place:.2f} from the data's location and {scale:.2f} from their scale. What else "
                "does the function do?"
            )
        once = settle(lambda x, g, _: 2 * norm(x - g), STARTS[0])[1]  # |g - g| is 0
        return True, (
            f"From {len(STARTS)} starts a Gaussian that goes down the generator's loss ends at the "
            f"data's location and scale, {TARGET[0]:g} and {TARGET[1]:g}; with one batch twice its "
            f"scale ends at {once:.1f}."
        )

    return Losses(
        reference,
        inputs,
        train,
        right="two pulls towards the data and one push apart; the critic puts 0 in the place of a "
        "second real batch.",
        mistakes=[
            (
                "critic",
                lambda hx, h1, h2: far(h1, h2) - far(hx, h2),
                "f(t) = |t - h2| - |t|: the second length is missing.",
            ),
            (
                "critic",
                lambda hx, h1, h2: -reference(hx, h1, h2)[1],
                "that is minus the generator's loss; the critic climbs E f(x) - E f(g1).",
            ),
            (
                "generator",
                lambda hx, h1, h2: far(hx, h1) + far(hx, h2),
                "without the last term all samples end in one place: push h1 and h2 apart.",
            ),
            (
                "generator",
                lambda hx, h1, h2: far(hx, h1) + far(hx, h2) + far(h1, h2),
                "the distance between the two generated batches is taken away.",
            ),
            (
                "generator",
                lambda hx, h1, h2: sum(
                    s * mean(tf.reduce_sum((a - b) ** 2, 1))
                    for s, a, b in ((1, hx, h1), (1, hx, h2), (-1, h1, h2))
                ),
                "take distances, not their squares: squares see only the means.",
            ),
            (
                "generator",
                lambda hx, h1, h2: -reference(hx, h1, h2)[0],
                "that is the critic's surrogate; the generator goes down the energy form.",
            ),
        ],
    )


@exercise("38_cramer_gan/3")
def why_two_batches():
    """Why two independent generated batches are drawn."""
    return Choice(
        right_choice="the push apart is 0",
        why="a batch against itself has distance 0 in each pair, and nothing pushes apart.",
        wrong={
            "the loss is noisier": "The noise is not it: with g2 = g1 the last term is 0 whatever "
            "Q is.",
            "the penalty has no points": "The penalty needs the batch only where f is measured.",
        },
    )
