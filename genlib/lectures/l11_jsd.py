"""Lecture 11: the Jensen-Shannon divergence."""

import math

import numpy as np
import tensorflow as tf
from scipy.special import entr
from scipy.stats import norm
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.check import Function, Number, exercise
from genlib.divergences import js, kl, wasserstein
from genlib.lectures.maths import normal
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, key, panel, shade

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
    reveals = (
        ({"shift": 0.0, "scale": 2.0}, {"shift": 0.0, "scale": 0.5}),
        ({"family": UNIFORM}, {"family": UNIFORM, "shift": 3.0}),
        ({}, {"shift": -2.0}),
    )

    def controls(self):
        return {
            "shift": slider("shift of Q", 2.0, -FURTHEST, FURTHEST, 0.1),
            "scale": slider("scale of Q", 1.0, 0.3, 3.0, 0.1),
            "family": choice("family", [GAUSSIAN, UNIFORM]),
        }

    def stage(self, fig):
        self.xs = np.linspace(-10, 10, 1001)
        self.left, middle, right = fig.subplots(1, 3)
        panel(self.left, "Densities", ("x", -9, 9), ("density", 0, 1.5))
        key(self.left, 0.02, 0.98, {"dashed: R = (P + Q) / 2": "mixture"}, fontsize=10)
        self.p, self.q = (density(self.left, name, name.upper(), zorder=3) for name in "pq")
        self.mixture = curve(self.left, "mixture", linestyle="--", zorder=4)

        chance = ("chance that x is from P", -0.03, 1.03)
        panel(middle, "Best discriminator D*(x)", ("x", -9, 9), chance)
        middle.axhline(0.5, color=COLORS["mixture"], linewidth=1, linestyle=":")
        self.discriminator = curve(middle, "critic", linewidth=2.5)

        log_2 = math.log(2)
        shifts = ("shift of Q", -FURTHEST, FURTHEST)
        panel(right, "JSD against the shift", shifts, ("nats", 0, 1.6))
        for height, text, name, role in (
            (log_2, "log 2", "JSD", "mixture"),
            (2 * log_2, "2 log 2", "without the 1/2", "accent"),
        ):
            right.axhline(height, color=COLORS["mixture"], linewidth=1, linestyle=":")
            plots.label(right, -7.8, height + 0.01, text, ha="left", fontsize=10)
            plots.label(right, 7.8, height + 0.01, name, role, ha="right", fontsize=10)
        self.shifts = np.linspace(-FURTHEST, FURTHEST, 65)
        self.unhalved = curve(right, "accent", alpha=0.6, linewidth=1.5)
        self.line = curve(right, "mixture", linewidth=2.5)
        self.dot = dot(right, "highlight", 10, markeredgecolor="black", zorder=5)
        self.js = {family: _compiled(family) for family in (GAUSSIAN, UNIFORM)}
        self.kept = {}  # curves seen before

    def update(self, shift, scale, family):
        density_of = normal if family == GAUSSIAN else _box
        p, q = density_of(self.xs, 0.0, 1.0), density_of(self.xs, shift, scale)
        self.p.move(self.xs, p)
        self.q.move(self.xs, q)
        self.p.name.move(0.0, p.max() + 0.01)
        self.q.name.move(shift, q.max() + 0.01)
        self.left.set_ylim(0, 0.75 if q.max() < 0.6 else 1.9)
        if abs(shift) < 1.2 and abs(p.max() - q.max()) < 0.15:
            self.p.name.move(-1.6 if shift >= 0 else 1.6, p.max() - 0.02)
        self.mixture.move(self.xs, (p + q) / 2)
        best = np.full_like(p, np.nan)  # where both are 0 there is nothing to tell
        np.divide(p, p + q, out=best, where=p + q > 1e-300)
        self.discriminator.move(self.xs, best)

        if (scale, family) not in self.kept:
            half = self.shifts[len(self.shifts) // 2 :]
            values = self.js[family](tf.constant(half, tf.float32), tf.constant(scale, tf.float32))
            self.kept[scale, family] = np.concatenate([values[:0:-1], values])
        js = self.kept[scale, family]
        self.line.move(self.shifts, js)
        self.unhalved.move(self.shifts, 2 * js)
        value = float(self.js[family](*(tf.constant(v, tf.float32) for v in ([shift], scale)))[0])
        value = abs(value)  # rounding may give -0.000
        self.dot.move(shift, value)
        return {
            "JSD": f"{value:.3f} nats = {value / math.log(2):.3f} bits",
            "without the 1/2": f"{2 * value:.3f} nats",
            "value of the GAN game at D*": f"{2 * value - math.log(4):.3f} nats",
        }


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


# Explorer: histogram_jsd


@scene("histogram_jsd")
class HistogramJSD(Scene):
    """JSD estimated by counting samples in bins: coarse bins lose it, small samples add to it."""

    title = "The JSD of two histograms"
    alt = (
        "Left: histograms of samples of P, a standard Gaussian, and of Q, moved to the right. "
        "Right: against the number of bins, the JSD of the binned densities climbs to the true "
        "value from below; the band of estimates from samples rises above it when bins are many."
    )
    size = (9.6, 3.7)
    bins = (2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200)
    repeats = 200
    reveals = (
        {"bins": 5, "size": 4.0},
        {"bins": 200, "size": 2.0},
        ({"bins": 2}, {"bins": 200}),
    )

    def controls(self):
        return {
            "bins": slider("number of bins", 20, 2, 200, 1),
            "size": slider("samples from each (log10)", 2.5, 1.5, 5.0, 0.5),
            "shift": slider("shift of Q", 0.5, 0.0, 3.0, 0.25),
        }

    def stage(self, fig):
        self.left, self.right = fig.subplots(1, 2)
        panel(self.left, "One pair of samples", ("x", -5, 7), ("share per unit", 0, 0.8))
        key(self.left, 0.98, 0.98, {"P": "p", "Q": "q"})
        self.histograms = [curve(self.left, role, drawstyle="steps-post") for role in "pq"]
        panel(self.right, f"{self.repeats} repeats", ("number of bins", 1.8, 220), "JSD (nats)",
              xscale="log", xticks=[2, 5, 10, 20, 50, 100, 200],
              xticklabels=[2, 5, 10, 20, 50, 100, 200])  # fmt: skip
        self.right.minorticks_off()
        named = {"true JSD": "black", "of the binned densities": "mixture", "estimates": "accent"}
        key(self.right, 0.02, 0.98, named, fontsize=10)
        self.band = shade(self.right, "accent")
        self.middle = curve(self.right, "accent")
        self.binned = curve(self.right, "mixture", linewidth=2.5)
        self.truth = curve(self.right, "black", linestyle="--", linewidth=1)
        self.dot = dot(self.right, "highlight", 10, markeredgecolor="black", zorder=5)
        self.exact = tf.function(
            lambda shift: js(tfd.Normal(0.0, 1.0), tfd.Normal(shift, 1.0)), autograph=False
        )

    def update(self, bins, size, shift):
        n = round(10**size)
        truth = float(self.exact(tf.constant(shift, tf.float32)))
        edges, shares = binned_shares(bins, shift)
        counts = np.random.default_rng(0).multinomial(n, shares)  # (2, bins)
        widths = np.diff(np.clip(edges, -5, 7))
        for histogram, row in zip(self.histograms, counts, strict=True):
            heights = np.append(row / n / widths, 0)
            histogram.move(np.clip(edges, -5, 7), heights)
        exact, drawn = zip(*(self._estimates(b, n, shift) for b in self.bins), strict=True)
        low, middle, high = np.percentile(drawn, [5, 50, 95], axis=1)
        self.band.move(self.bins, low, high)
        self.middle.move(self.bins, middle)
        self.binned.move(self.bins, exact)
        self.truth.move([1, 1000], [truth, truth])
        self.right.set_ylim(0, 1.3 * max(truth, np.max(middle), 0.01))
        binned, here = self._estimates(bins, n, shift)
        self.dot.move(bins, np.median(here))
        return {
            "true JSD": f"{truth:.4f} nats",
            "of the binned densities": f"{binned:.4f} nats",
            "median of the estimates": f"{np.median(here):.4f} nats",
            "below the truth": f"{np.mean(here < truth):.0%} of {self.repeats}",
        }

    def _estimates(self, bins, n, shift):
        """The JSD of the binned densities, and of the counts of n samples, (repeats,)."""
        _, shares = binned_shares(bins, shift)
        rng = np.random.default_rng(bins)
        counts = rng.multinomial(n, shares, size=(self.repeats, 2)) / n
        return jsd_of_shares(*shares), jsd_of_shares(counts[:, 0], counts[:, 1])


def binned_shares(bins, shift):
    """Edges ``(bins + 1,)``, the outer two open, and the shares of N(0, 1) and N(shift, 1)."""
    edges = np.linspace(-4, 4 + shift, bins + 1)
    edges[[0, -1]] = -np.inf, np.inf
    return edges, np.diff(norm.cdf(edges - np.array([[0], [shift]])))


def jsd_of_shares(a, b):
    """JSD in nats of shares ``(..., bins)``: the entropy of their mean less their mean entropy."""
    return entr((a + b) / 2).sum(-1) - (entr(a).sum(-1) + entr(b).sum(-1)) / 2


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
        calls=8,
    )


def _on(probs):
    return tfd.Categorical(probs=probs)


def _with_a_zero(rng):
    probs = rng.dirichlet(np.ones(4))
    probs[rng.integers(4)] = 0
    return probs / probs.sum()
