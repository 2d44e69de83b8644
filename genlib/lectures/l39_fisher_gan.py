"""Lecture 39: Fisher GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import witness
from genlib.gans import FisherGAN
from genlib.lectures.maths import normal
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


@exercise("39_fisher_gan/2")
def in_units_of_size():
    """Write fisher_value(f_real, f_fake): the gap in units of the critic's size."""

    def reference(f_real, f_fake):
        # At size 1 the constraint's terms vanish from the library's own loss.
        size = (np.mean(f_real**2) + np.mean(f_fake**2)) / 2
        start = keras.Input((1,))
        same = keras.Model(start, keras.layers.Activation("linear")(start))
        model = FisherGAN(networks.mlp(1, 1, 4), same)
        real, fake = (tf.constant(f[:, None] / np.sqrt(size), tf.float32) for f in (f_real, f_fake))
        return -float(model.critic_loss(real, fake))

    def inputs(rng):
        return rng.normal(1, 1, size=8), rng.normal(-0.5, 0.5, size=6)

    def gap(a, b):
        return np.mean(a) - np.mean(b)

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it does not change when f is multiplied by 2, and it never exceeds 2.",
        mistakes=[
            (
                lambda a, b: gap(a, b) / ((np.mean(a**2) + np.mean(b**2)) / 2),
                "The size is the *root* of Omega: test that 2 f gives the same value as f.",
            ),
            (
                lambda a, b: gap(a, b) / np.sqrt((np.var(a) + np.var(b)) / 2),
                "Omega is not centred: take mean squares, not variances.",
            ),
            (
                lambda a, b: gap(a, b) / np.sqrt(np.mean(a**2) + np.mean(b**2)),
                "Omega has a half before each of its two terms.",
            ),
        ],
        calls=5,
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
