"""Lecture 33: the least-squares GAN."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import LSGAN
from genlib.gans.lsgan import CODINGS
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider

# Explorer: least_squares

XS = np.linspace(-14, 14, 1401)
SHIFTS = np.linspace(0, 6, 61)


@scene("least_squares")
class LeastSquares(Scene):
    """The least-squares game in one dimension: three targets, the best critic, the generator's
    pull.
    """

    title = "Three targets"
    alt = (
        "Left: the real density in blue, the generated one in vermillion, the best critic in green "
        "between its targets a, for generated, and b, for real; a dotted line marks the "
        "generator's target c. Middle: the generator's loss at each x against that critic. Right: "
        "twice the generator's cost at the best critic against its shift, solid, and the "
        "divergence of P and Q, dashed; they are one curve only for some targets."
    )
    size = (9.8, 3.7)

    def controls(self):
        a, b, c = CODINGS["pearson"]
        return {
            "shift": slider("shift of Q", 2.0, 0.0, 6.0, 0.1),
            "a": slider("target a", a, -1.5, 0.5, 0.25),
            "b": slider("target b", b, 0.75, 1.5, 0.25),
            "c": slider("target c", c, -0.5, 1.5, 0.25),
        }

    def stage(self, fig):
        real = tfd.Normal(np.float64(0), 1)
        self.p = real.prob(XS).numpy()
        # One row for each shift: q, and the best critic's belief p / (p + q).
        self.q = np.exp(-((XS - SHIFTS[:, None]) ** 2) / 2) / np.sqrt(2 * np.pi)
        self.share = self.p / (self.p + self.q)
        self.step = XS[1] - XS[0]
        self.divergence = np.sum((self.p - self.q) ** 2 / (self.p + self.q), 1) * self.step

        left, middle, right = fig.subplots(1, 3)
        left.set(title="The best critic D", xlabel="x", xlim=(-4, 8), ylim=(-1.7, 2.0))
        left.axhline(0, color="#8c8c8c", linewidth=1)
        left.plot(XS, self.p, color=COLORS["p"])
        plots.fill(left, XS, 0, self.p, "p")
        (self.q_line,) = left.plot(XS, XS, color=COLORS["q"])
        self.q_fill = plots.fill(left, XS, 0, 0, "q")
        (self.critic,) = left.plot(XS, XS, color=COLORS["critic"], linewidth=3)
        (self.target,) = left.plot([-4, 8], [0, 0], ":", color=COLORS["q"])
        self.name = plots.label(left, 7.9, 0, "c", "q", ha="right")

        middle.set(title="The generator's loss at x", xlabel="x", ylabel="(D(x) − c)² / 2",
                   xlim=(-4, 8), ylim=(0, 2))  # fmt: skip
        (self.loss,) = middle.plot(XS, XS, color=COLORS["q"])
        (self.place,) = middle.plot([0], [0], "o", color=COLORS["q"], markersize=9)

        right.set(title="2 C(G)", xlabel="shift of Q", xlim=(0, 6), ylim=(0, 4))
        (self.cost,) = right.plot(SHIFTS, SHIFTS, color=COLORS["q"], linewidth=6, alpha=0.4)
        right.plot(SHIFTS, self.divergence, "--", color=COLORS["mixture"])
        plots.label(right, 5.9, 0.08, "dashed: the divergence", ha="right", fontsize=10)
        (self.dot,) = right.plot([0], [0], "o", color=COLORS["q"], markersize=9)
        return [self.q_line, self.q_fill, self.critic, self.target, self.name, self.loss,
                self.place, self.cost, self.dot]  # fmt: skip

    def update(self, shift, a, b, c):
        row = int(round(shift / (SHIFTS[1] - SHIFTS[0])))
        q, critic = self.q[row], a + (b - a) * self.share[row]
        self.q_line.set_ydata(q)
        plots.set_fill(self.q_fill, XS, 0, q)
        self.critic.set_ydata(critic)
        self.target.set_ydata([c, c])
        self.name.set_y(c + 0.05)

        loss = (critic - c) ** 2 / 2
        self.loss.set_ydata(loss)
        self.place.set_data([shift], [np.interp(shift, XS, loss)])

        every = a + (b - a) * self.share
        costs = np.sum((self.p + self.q) * (every - c) ** 2, 1) * self.step
        self.cost.set_ydata(costs)
        self.dot.set_data([shift], [costs[row]])
        # The pull: how fast the loss falls as a sample moves home, averaged over the samples of Q.
        pull = np.sum(q * np.gradient(loss, XS)) * self.step
        return {
            "mean pull towards P": pull,
            "2 C(G)": costs[row],
            "∫ (p − q)² / (p + q)": self.divergence[row],
            "b − c = 1 and b − a = 2": "yes" if (b - c, b - a) == (1, 2) else "no",
        }


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
