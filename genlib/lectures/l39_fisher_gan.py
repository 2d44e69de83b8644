"""Lecture 39: Fisher GAN."""

import types

import numpy as np
import tensorflow as tf

from genlib import data, experiments
from genlib.check import Choice, Number, exercise
from genlib.divergences import witness
from genlib.gans import FisherGAN
from genlib.gans.fisher_gan import omega
from genlib.lectures.maths import normal
from genlib.lectures.write_on_arrays import Losses, beside_the_circle, in_training
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, moving, panel, shade, words

# Explorer: multiplier_path

DOWN, UP = "down, as in the paper", "up"
STEPS, RATE, START = 1000, 0.015, 0.1  # updates, the critic's learning rate, its slope at the start
STEEPEST = 20.0  # where a critic that runs away is stopped
SCALES = 1.0, 0.6  # of P and Q


@scene("multiplier_path")
class MultiplierPath(Scene):
    """A line as critic, held to size 1 by a multiplier: the path of Fisher GAN's Lagrangian."""

    title = "A critic held to size 1 by a multiplier"
    alt = (
        "Left: the densities of P in blue and Q in vermillion with two straight critics, dashed "
        "the best line of size 1, solid the line after 1,000 updates. Middle: the size Omega "
        "against the updates, with a dotted line at 1. Right: the multiplier against the updates, "
        "with a dotted line at half of F."
    )
    size = (9.8, 3.7)
    reveals = (
        ({"rho": 0.001}, {}),
        {"distance": 4.0},
        {"place": 2.0},
        ({"sign": UP}, {"sign": UP, "distance": 4.0}),
    )

    def controls(self):
        return {
            "rho": log_slider("ρ", 0.1, -3, 0, 0.25),
            "distance": slider("distance", 2.0, 0.0, 4.0, 0.25),
            "place": slider("place of both", 0.0, -2.0, 2.0, 0.25),
            "sign": choice("multiplier goes", [DOWN, UP]),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        panel(left, "P, Q and the critic", ("x", -6, 6), ("f(x)", -3, 3))
        self.shades = [shade(left, name) for name in "pq"]
        self.names = [words(left, name, name.upper(), fontsize=13) for name in "pq"]
        self.best = curve(left, "critic", linestyle="--")
        self.found = curve(left, "critic", linewidth=3)
        panel(middle, "Size of the critic, Ω", ("update", 0, STEPS), ("", 0, 9))
        middle.axhline(1, color=COLORS["mixture"], linestyle=":")
        self.sizes = curve(middle, "critic")
        panel(right, "Multiplier", ("update", 0, STEPS), ("", -5.5, 3.5))
        self.half = moving(right.axhline(color=COLORS["mixture"], linestyle=":"))
        self.half_name = words(right, "mixture", "F/2", ha="right")
        self.multipliers = curve(right, "highlight")

    def update(self, rho, distance, place, sign):
        means = place + distance / 2, place - distance / 2
        second_moment = sum(m**2 + s**2 for m, s in zip(means, SCALES, strict=True)) / 2
        slopes, multipliers = path(rho, distance, second_moment, 1 if sign == DOWN else -1)
        sizes = slopes**2 * second_moment
        best = 1 / np.sqrt(second_moment)
        value = best * distance

        xs, steps = np.linspace(-12, 12, 961), np.arange(STEPS + 1)
        p, q = (normal(xs, mean, scale) for mean, scale in zip(means, SCALES, strict=True))
        for area, ys in zip(self.shades, (p, q), strict=True):
            area.move(xs, -3, -3 + 3 * ys)
        for name, x in zip(self.names, (means[0] + 0.5, means[1] - 0.5), strict=True):
            name.move(x, -2.9)
        self.best.move(xs, best * xs)
        self.found.move(xs, slopes[-1] * xs)
        self.sizes.move(steps, sizes)
        self.multipliers.move(steps, multipliers)
        self.half.set_ydata([value / 2] * 2)
        self.half_name.move(985, value / 2 + 0.12)
        any_critic = witness.gap(witness.fisher(xs, p, q), xs, p, q)
        return {
            "Ω at the end": float(sizes[-1]) if abs(slopes[-1]) < STEEPEST else "runs away",
            "multiplier at the end": f"{multipliers[-1]:,.3f}",
            "F, straight critics": value,
            "F, all critics": float(any_critic),
        }


def path(rho, distance, second_moment, sign):
    """Return slopes and multipliers, each ``(STEPS + 1,)``, of the critic ``f(x) = a x``.

    The critic goes up ``a d + l (1 - Omega) - rho/2 (1 - Omega)^2``, ``Omega = a^2 M``; then the
    multiplier goes down its own gradient (``sign`` 1, as in `FisherGAN`), or up (-1).
    """
    slopes, multipliers = [START], [0.0]
    slope, multiplier = START, 0.0
    for _ in range(STEPS):
        missing = 1 - slope**2 * second_moment
        uphill = distance - 2 * slope * second_moment * (multiplier - rho * missing)
        slope = min(max(slope + RATE * uphill, -STEEPEST), STEEPEST)
        multiplier -= sign * rho * (1 - slope**2 * second_moment)
        slopes.append(slope)
        multipliers.append(multiplier)
    return np.array(slopes), np.array(multipliers)


# Width beside quality

SCALE, RADIUS = 0.1, 0.3  # a mode of the ring, and how near a sample of high quality is


def narrowed(width):
    """What perfect modes of another width would score on the ring: (quality, F), exact.

    ``width`` is the standard deviation of a mode per axis, in units of the data; all else is the
    ring's. Its modes lie so far apart that the integral over one, along the radius, is all of F.
    """
    r = np.linspace(0, 12 * max(width, SCALE), 20_001)
    p, q = (r / s**2 * np.exp(-(r**2) / (2 * s**2)) for s in (SCALE, width))
    terms = np.divide((p - q) ** 2, p + q, out=np.zeros_like(p), where=p + q > 0)
    return 1 - np.exp(-(RADIUS**2) / (2 * width**2)), np.sqrt(2 * np.trapezoid(terms, r))


def repaired(points, centers, how, seed=0):
    """Change generated points ``(n, 2)`` within `RADIUS` of a mode, and no others.

    ``how``: "wider" adds round noise until the mean square deviation is the ring's; "true" puts
    true samples of the same modes in their place, so that each mode keeps its share.
    """
    near = np.linalg.norm(points[:, None] - centers, axis=2)
    mode, inside = near.argmin(1), near.min(1) <= RADIUS
    offsets = points[inside] - centers[mode[inside]]
    noise = np.random.default_rng(seed).normal(size=offsets.shape)
    if how == "wider":
        offsets = offsets + noise * np.sqrt(max(0.0, SCALE**2 - np.mean(offsets**2)))
    else:
        offsets = SCALE * noise
    changed = points.copy()
    changed[inside] = centers[mode[inside]] + offsets
    return changed


def counted(x, y, side=0.1):
    """Return F of points ``(n, 2)`` and ``(n, 2)`` in [-2, 2]^2, counted in squares, and its null.

    The null is what two samples of one density would give by chance alone, about
    ``sqrt(2 K / n)`` for K squares that hold a point of either.
    """
    edges = np.linspace(-2, 2, round(4 / side) + 1)
    p, q = (np.histogram2d(*z.T, bins=edges)[0] / len(z) for z in (x, y))
    terms = np.divide((p - q) ** 2, p + q, out=np.zeros_like(p), where=p + q > 0)
    return np.sqrt(2 * terms.sum()), np.sqrt(2 * np.count_nonzero(p + q) / len(x))


# The trainings on the ring: one seed of each on the page, three or five stored

SETTINGS = {"fined": "WGAN-GP, lambda 10", "held": "Fisher, ρ = 0.1", "wrong": "wrong sign"}
WRONG_STEPS = 1000  # of the one with the wrong sign; the others take the preset's


class WrongSign(FisherGAN):
    """Fisher GAN whose multiplier goes up its gradient."""

    def after_critic_step(self, real, fake):
        before = self.multiplier.value + 0
        super().after_critic_step(real, fake)
        self.multiplier.assign(2 * before - self.multiplier.value)


def train(setting, seed=0, **film):
    """One of `SETTINGS` trained, as `experiments.on_toy` gives it."""
    kind, how = {
        "fined": ("wgan_gp", {"penalty_weight": 10.0}),
        "held": (FisherGAN, {}),
        "wrong": (WrongSign, {"steps": WRONG_STEPS}),
    }[setting]
    return experiments.on_toy(kind, seed=seed, **how, **film)


def run(setting, seed):
    """One stored run: `scores`, and what is measured of Fisher GAN alone."""
    names = "modes", "quality", "width", "jsd", "size", "multiplier", "loss"
    names += "F", "widened", "replaced", "narrow_axis", "wide_axis"
    trial = train(setting, seed)
    found = dict.fromkeys(names, np.nan) | scores(trial)
    if setting != "fined":
        found |= at_the_end(trial)
    return found | (insides(trial) if setting == "held" else {})


def scores(trial):
    """Modes, share of high quality, width of a mode, and JSD by counting, in nats."""
    return {
        "modes": trial.modes,
        "quality": trial.high_quality,
        "width": trial.width,
        "jsd": trial.jsd,
    }


def at_the_end(trial):
    """The critic's size, its multiplier and its loss, means of the last 100 steps."""
    names = {"size": "omega", "multiplier": "multiplier", "loss": "critic_loss"}
    losses = trial.model.step_losses
    return {name: float(np.mean(losses[of][-100:])) for name, of in names.items()}


def insides(trial):
    """F by counting of 30,000 samples, and of the same `repaired`; the modes' two axes."""
    ring = data.toy("ring")
    centers = np.asarray(data.mode_centers(ring))
    x = ring.sample(30_000, seed=(0, 7)).numpy()
    y = trial.model.sample(30_000, seed=3).numpy()
    changed = {how: counted(x, repaired(y, centers, how))[0] for how in ("wider", "true")}
    near = np.linalg.norm(y[:, None] - centers, axis=2)
    on_modes = (y[(near.argmin(1) == k) & (near.min(1) < RADIUS)] for k in range(len(centers)))
    axes = [np.sqrt(np.linalg.eigvalsh(np.cov(z.T))) for z in on_modes]
    return {"F": counted(x, y)[0], "widened": changed["wider"], "replaced": changed["true"]} | dict(
        zip(("narrow_axis", "wide_axis"), np.mean(axes, axis=0), strict=True)
    )


# The game in a box


def pull_and_slopes(t, step=1e-4):
    """For N(0, 1) and N(t, 1): the generator's pull at the best critic, F's slope, the rest.

    The pull is what descent on ``-E_Q f`` gains per unit of t while f stands still. The rest is
    what the constraint ``Omega = 1``, which also moves with Q, takes off: ``F/2 dOmega/dt``.
    """
    x = np.linspace(-14, t + 14, 40_001)
    p, q = normal(x, 0, 1), normal(x, t, 1)
    f = witness.fisher(x, p, q)
    moved = [normal(x, t + side, 1) for side in (step, -step)]
    dq = (moved[0] - moved[1]) / (2 * step)
    values = [witness.gap(witness.fisher(x, p, m), x, p, m) for m in moved]
    value = witness.gap(f, x, p, q)
    return (
        float(-np.trapezoid(q * np.gradient(f, x), x)),
        float((values[0] - values[1]) / (2 * step)),
        float(value / 2 * np.trapezoid(dq * f**2, x) / 2),
    )


# Exercises


@exercise("39_fisher_gan/1")
def disjoint():
    """F between two densities that share no place."""
    x = np.linspace(-12, 12, 4801)
    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (-6, 6))
    return Number(
        float(witness.gap(witness.fisher(x, p, q), x, p, q)),
        tolerance=0.005,
        right="f is 1 on one and -1 on the other: a gap of 2 at size 1.",
        mistakes=[
            (4.0, "That is F squared."),
            (1.0, "f = 1 on P's samples and f = -1 on Q's has size 1; what is its gap?"),
            (np.inf, "F is bounded, unlike KL or W1: the best f takes only two values here."),
        ],
    )


OWN_RHO, OWN_STEPS = 0.1, 1200  # of the exercise's training


@exercise("39_fisher_gan/2")
def own_losses():
    """Write losses(on_real, on_fake, multiplier), and train with them."""
    mean = tf.reduce_mean

    def reference(on_real, on_fake, multiplier):
        game = types.SimpleNamespace(
            critic=lambda score, training: score,
            multiplier=types.SimpleNamespace(value=multiplier),
            rho=OWN_RHO,
        )
        return tuple(
            loss(game, on_real, on_fake)
            for loss in (FisherGAN.critic_loss, FisherGAN.generator_loss)
        )

    def inputs(rng):
        return rng.normal(1, 1, (16, 1)), rng.normal(-0.5, 0.5, (16, 1)), rng.uniform(0.2, 1)

    def lagrangian(size=omega, price=1.0, square=1.0, rho=OWN_RHO):
        def loss(on_real, on_fake, multiplier):
            gap, missing = mean(on_real) - mean(on_fake), 1 - size(on_real, on_fake)
            return -(gap + price * multiplier * missing - square * rho / 2 * missing**2)

        return loss

    def train(losses):
        def both(model, real, fake):
            on = (model.critic(z, training=True) for z in (real, fake))
            return losses(*on, model.multiplier.value)

        class Mine(FisherGAN):
            def critic_loss(self, real, fake):
                return both(self, real, fake)[0]

            def generator_loss(self, real, fake):
                return both(self, real, fake)[1]

        trial = in_training(experiments.on_toy, Mine, seed=0, steps=OWN_STEPS)
        return beside_the_circle(trial.model.sample(experiments.SAMPLES, seed=1).numpy())

    return Losses(
        reference,
        inputs,
        train,
        right="the price of size is the multiplier's, and no slope is asked for.",
        mistakes=[
            (
                "critic",
                lambda x, y, multiplier: -lagrangian()(x, y, multiplier),
                "that is L itself, which the critic maximises: the sign turns for a loss.",
            ),
            (
                "critic",
                lagrangian(size=lambda x, y: sum(map(tf.math.reduce_variance, (x, y))) / 2),
                "Omega is not centred: take mean squares, not variances.",
            ),
            (
                "critic",
                lagrangian(size=lambda x, y: 2 * omega(x, y)),
                "Omega has a half before each of its two terms.",
            ),
            (
                "critic",
                lagrangian(size=lambda x, y: tf.sqrt(omega(x, y))),
                "that holds the root of Omega; in L stands Omega itself.",
            ),
            (
                "critic",
                lagrangian(price=-1.0),
                "the multiplier's term has the wrong sign: a large critic would be paid for.",
            ),
            (
                "critic",
                lagrangian(square=-1.0),
                "the square of 1 - Omega is taken away from L: it fines both sides.",
            ),
            (
                "critic",
                lagrangian(square=2.0),
                "before the square of 1 - Omega stands rho / 2, not rho.",
            ),
            (
                "critic",
                lagrangian(price=0.0, square=0.0),
                "that is the gap alone, which grows with the size: the constraint is missing.",
            ),
            (
                "generator",
                lambda x, y, multiplier: mean(y),
                "the generator raises the scores of its samples: mind the sign.",
            ),
        ],
    )


@exercise("39_fisher_gan/3")
def which_way():
    """Which way the multiplier goes while the critic is too large."""
    return Choice(
        right_choice="rise",
        why="l multiplies 1 - Omega in what the critic maximises: a larger l makes size dearer.",
        wrong={
            "fall": "A smaller l makes size cheaper, and the critic would grow further.",
            "stay": "It stays only while Omega = 1.",
        },
    )
