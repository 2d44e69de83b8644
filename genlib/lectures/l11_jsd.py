"""Lecture 11: the Jensen-Shannon divergence."""

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.check import Function, Number, exercise
from genlib.divergences import js, kl, wasserstein
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider

# Explorer: jsd

GAUSSIAN, UNIFORM = "Gaussian", "uniform"
FURTHEST = 8.0


@scene("jsd")
class JSD(Scene):
    """The Jensen-Shannon divergence of two densities: mixture, best discriminator, saturation."""

    title = "The Jensen-Shannon divergence of two densities"
    alt = (
        "Left: the densities of P in blue and Q in vermillion, and dashed their mixture R. Middle: "
        "the best discriminator, the chance that a point came from P. Right: the Jensen-Shannon "
        "divergence against the shift of Q; it flattens at log 2."
    )
    size = (10.4, 3.7)

    def controls(self):
        return {
            "shift": slider("shift of Q", 2.0, -FURTHEST, FURTHEST, 0.1),
            "scale": slider("scale of Q", 1.0, 0.3, 3.0, 0.1),
            "family": choice("family", [GAUSSIAN, UNIFORM]),
        }

    def stage(self, fig):
        self.xs = np.linspace(-10, 10, 1001)
        left, middle, right = fig.subplots(1, 3)
        self.left = left
        left.set(title="Densities", xlabel="x", ylabel="density", xlim=(-9, 9), ylim=(0, 1.5))
        self.curves, self.shades, self.names = {}, {}, {}
        for name in ("p", "q"):
            (self.curves[name],) = left.plot(self.xs, 0 * self.xs, color=COLORS[name], zorder=3)
            self.shades[name] = plots.fill(left, self.xs, 0, 0, name)
            self.names[name] = plots.label(left, 0, 0, name.upper(), name, fontsize=13)
        (self.mixture,) = left.plot(self.xs, 0 * self.xs, "--", color=COLORS["mixture"], zorder=4)
        plots.label(left, 0.02, 0.98, "dashed: R = (P + Q) / 2", ha="left", va="top", fontsize=10,
                    transform=left.transAxes)  # fmt: skip

        middle.set(title="Best discriminator D*(x)", xlabel="x", ylabel="chance that x is from P",
                   xlim=(-9, 9), ylim=(-0.03, 1.03))  # fmt: skip
        middle.axhline(0.5, color=COLORS["mixture"], linewidth=1, linestyle=":")
        (self.discriminator,) = middle.plot(self.xs, 0 * self.xs, color=COLORS["critic"], lw=2.5)

        log_2 = math.log(2)
        right.set(title="JSD against the shift", xlabel="shift of Q", ylabel="nats",
                  xlim=(-FURTHEST, FURTHEST), ylim=(0, 1.6))  # fmt: skip
        for height, text in ((log_2, "log 2"), (2 * log_2, "2 log 2")):
            right.axhline(height, color=COLORS["mixture"], linewidth=1, linestyle=":")
            plots.label(right, -7.8, height + 0.01, text, ha="left", fontsize=10)
        self.shifts = np.linspace(-FURTHEST, FURTHEST, 65)
        (self.unhalved,) = right.plot(self.shifts, 0 * self.shifts, color=COLORS["accent"],
                                      alpha=0.6, lw=1.5)  # fmt: skip
        (self.line,) = right.plot(self.shifts, 0 * self.shifts, color=COLORS["mixture"], lw=2.5)
        (self.dot,) = right.plot([], [], "o", ms=10, color=COLORS["highlight"],
                                 mec="black", zorder=5)  # fmt: skip
        label = {"ha": "right", "fontsize": 10}
        plots.label(right, 7.8, log_2 + 0.01, "JSD", "mixture", **label)
        plots.label(right, 7.8, 2 * log_2 + 0.01, "without the 1/2", "accent", **label)
        self.js = {family: _compiled(family) for family in (GAUSSIAN, UNIFORM)}
        self.kept = {}  # curves seen before
        left_moving = [*self.curves.values(), *self.shades.values(), *self.names.values()]
        return [*left_moving, self.mixture, self.discriminator, self.unhalved, self.line, self.dot]

    def update(self, shift, scale, family):
        density = _bell if family == GAUSSIAN else _box
        p, q = density(self.xs, 0.0, 1.0), density(self.xs, shift, scale)
        for name, ys, place in (("p", p, 0.0), ("q", q, shift)):
            self.curves[name].set_ydata(ys)
            plots.set_fill(self.shades[name], self.xs, 0, ys)
            self.names[name].set_position((place, ys.max() + 0.01))
        self.left.set_ylim(0, 0.75 if q.max() < 0.6 else 1.9)
        if abs(shift) < 1.2 and abs(p.max() - q.max()) < 0.15:
            self.names["p"].set_position((-1.6 if shift >= 0 else 1.6, p.max() - 0.02))
        self.mixture.set_ydata((p + q) / 2)
        best = np.full_like(p, np.nan)  # where both are 0 there is nothing to tell
        np.divide(p, p + q, out=best, where=p + q > 1e-300)
        self.discriminator.set_ydata(best)

        if (scale, family) not in self.kept:
            half = self.shifts[len(self.shifts) // 2 :]
            values = self.js[family](tf.constant(half, tf.float32), tf.constant(scale, tf.float32))
            self.kept[scale, family] = np.concatenate([values[:0:-1], values])
        curve = self.kept[scale, family]
        self.line.set_ydata(curve)
        self.unhalved.set_ydata(2 * curve)
        value = float(self.js[family](*(tf.constant(v, tf.float32) for v in ([shift], scale)))[0])
        value = abs(value)  # rounding may give -0.000
        self.dot.set_data([shift], [value])
        return {
            "JSD": f"{value:.3f} nats = {value / math.log(2):.3f} bits",
            "without the 1/2": f"{2 * value:.3f} nats",
            "value of the GAN game at D*": f"{2 * value - math.log(4):.3f} nats",
        }


def _bell(x, mean, scale):
    return np.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


def _box(x, mean, scale):
    """The uniform density from ``mean - scale`` to ``mean + scale``."""
    return np.where(np.abs(x - mean) <= scale, 1 / (2 * scale), 0.0)


def _compiled(family):
    """Return a compiled function of shifts (n,) and a scale: JSD in nats, (n,)."""

    def at(shift, scale):
        if family == GAUSSIAN:
            return divergences.js(tfd.Normal(0.0, 1.0), tfd.Normal(shift, scale))
        return divergences.js(tfd.Uniform(-1.0, 1.0), tfd.Uniform(shift - scale, shift + scale))

    signature = [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def js(shifts, scale):
        return tf.map_fn(lambda shift: at(shift, scale), shifts)

    return js


# Exercises


@exercise("11_jsd/1")
def far_apart():
    """JSD in nats of U(0, 1) and U(5, 6)."""
    p, q = tfd.Uniform(0.0, 1.0), tfd.Uniform(5.0, 6.0)
    truth = float(js(p, q))
    return Number(
        truth,
        tolerance=0.005,
        right="one look at x tells which of the two it came from, and it cannot tell more.",
        mistakes=[
            (2 * truth, "That lacks the 1/2 before each KL."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (float(kl(p, q)), "That is KL; here the second argument is R, and r >= p / 2."),
            (0.0, "JSD is 0 only when P = Q."),
            (float(wasserstein(p, q)), "JSD does not see how far apart P and Q are."),
        ],
    )


@exercise("11_jsd/2")
def from_the_game():
    """The best discriminator of a GAN reaches the value -0.6 nats: what is the JSD?"""
    value = -0.6
    truth = (value + math.log(4)) / 2
    return Number(
        truth,
        tolerance=0.005,
        right="value = 2 JSD - log 4, solved for JSD.",
        mistakes=[
            (2 * truth, "Halve it: the value at D* is 2 JSD - log 4."),
            (value + math.log(4) / 2, "Halve the value too: JSD = (value + log 4) / 2."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            ((value + math.log(2)) / 2, "Blind guessing gives -log 4, for both of its terms."),
            ((value - math.log(4)) / 2, "The sign of log 4: value = 2 JSD - log 4."),
        ],
    )


@exercise("11_jsd/3")
def write_js():
    """Write jsd(p, q) of two probability vectors, in nats; some probabilities are 0."""

    def to_mixture(p, q):
        """KL(p || r)."""
        return kl(_on(p), _on((p + q) / 2))

    def reference(p, q):
        return js(_on(p), _on(q))

    return Function(
        reference,
        inputs=lambda rng: (_with_a_zero(rng), _with_a_zero(rng)),
        tolerance=1e-4,
        right="each KL to the mixture is finite, and 0 log 0 counts as 0.",
        mistakes=[
            (lambda p, q: 2 * reference(p, q), "The 1/2 before each KL is missing."),
            (to_mixture, "That is KL(P||R) alone; take the mean of it and KL(Q||R)."),
            (lambda p, q: reference(p, q) / np.log(2), "That is in bits; use np.log."),
            (lambda p, q: np.sqrt(reference(p, q)), "That is the distance, JSD's square root."),
            (
                lambda p, q: (kl(_on(p), _on(q)) + kl(_on(q), _on(p))) / 2,
                "That compares P with Q themselves; compare each with R = (P + Q) / 2.",
            ),
        ],
    )


def _on(probs):
    return tfd.Categorical(probs=probs)


def _with_a_zero(rng):
    probs = rng.dirichlet(np.ones(4))
    probs[rng.integers(4)] = 0
    return probs / probs.sum()
