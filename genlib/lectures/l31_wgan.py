"""Lecture 31: the Wasserstein GAN."""

import ipywidgets
import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import wasserstein
from genlib.gans import WGAN
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider

# Explorer: clipped_critic

SMALLEST, LARGEST = 0.01, 1.0


@scene("clipped_critic")
class ClippedCritic(Scene):
    """The best critic whose weights lie in a box, beside the best one of slope 1:
    WGAN's clipping.
    """

    title = "The best critic in a box of weights"
    alt = (
        "Left: the densities of P, two bells in blue, and Q, one bell in vermillion. Middle: two "
        "critics in green; dashed the best of slope 1, solid the best one whose weights lie in the "
        "box. Right: the steepest slope of the latter against the side of the box, a straight line "
        "on logarithmic scales, with a dot for the box chosen and a line at slope 1."
    )
    size = (9.8, 3.7)

    def controls(self):
        return {
            "clip": ipywidgets.FloatLogSlider(
                value=0.1, min=-2, max=0, step=0.1, description="clip c"
            ),
            "width": slider("hidden units", 64, 8, 128, 8),
            "shift": slider("shift of Q", 0.0, -3.0, 3.0, 0.1),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-7, 7, 701)
        self.step = xs[1] - xs[0]
        bells = tfd.Normal(np.float64([-2.0, 2.6]), np.float64([0.6, 0.6]))
        p = tfd.MixtureSameFamily(tfd.Categorical(probs=np.float64([0.5, 0.5])), bells)
        self.p = p.prob(xs).numpy()
        # By homogeneity the best unit has its larger weight on the side of the box: all of those.
        along, ones = np.linspace(-1, 1, 201), np.ones(201)
        self.slope = np.concatenate([ones, -ones, along, along])
        self.bias = np.concatenate([along, along, ones, -ones])
        self.units = np.maximum(self.slope[:, None] * xs + self.bias[:, None], 0)

        left, middle, right = fig.subplots(1, 3)
        left.set(title="P and Q", xlabel="x", ylabel="density", xlim=(-6, 6), ylim=(0, 0.6))
        left.plot(xs, self.p, color=COLORS["p"])
        plots.fill(left, xs, 0, self.p, "p")
        plots.label(left, -2, 0.35, "P", "p", fontsize=13)
        (self.q_line,) = left.plot(xs, xs, color=COLORS["q"])
        self.q_fill = plots.fill(left, xs, 0, 0, "q")
        self.q_name = plots.label(left, 0, 0.51, "Q", "q", fontsize=13)
        middle.set(title="Two critics", xlabel="x", ylabel="f(x)", xlim=(-6, 6), ylim=(-4, 4))
        (self.lipschitz,) = middle.plot(xs, xs, color=COLORS["critic"], linestyle="--")
        (self.boxed,) = middle.plot(xs, xs, color=COLORS["critic"], linewidth=3)
        right.set(title="Steepest slope", xlabel="clip c", xscale="log", yscale="log",
                  xlim=(SMALLEST, LARGEST), ylim=(1e-4, 300))  # fmt: skip
        right.axhline(1, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 0.011, 1.2, "slope 1", ha="left", fontsize=10)
        self.clips = np.geomspace(SMALLEST, LARGEST, 2)
        (self.steepness,) = right.plot(self.clips, self.clips, color=COLORS["critic"])
        (self.dot,) = right.plot([1], [1], "o", color=COLORS["critic"], markersize=9)
        return [self.q_line, self.q_fill, self.q_name, self.lipschitz, self.boxed,
                self.steepness, self.dot]  # fmt: skip

    def update(self, clip, width, shift):
        xs = self.xs
        q = np.exp(-(((xs - 0.7 - shift) / 0.8) ** 2) / 2) / (0.8 * np.sqrt(2 * np.pi))
        self.q_line.set_ydata(q)
        plots.set_fill(self.q_fill, xs, 0, q)
        self.q_name.set_position((0.7 + shift, 0.51))

        gap = np.cumsum(self.p - q) * self.step  # F - G
        w1 = np.sum(np.abs(gap)) * self.step
        best = np.cumsum(-np.sign(gap)) * self.step
        self.lipschitz.set_ydata(best - best[len(xs) // 2])

        gains = self.units @ (self.p - q) * self.step
        unit = int(np.argmax(np.abs(gains)))
        scale = width * clip**2 * np.sign(gains[unit])
        f = scale * self.units[unit]
        self.boxed.set_ydata(f - f[len(xs) // 2])
        steepest = abs(scale * self.slope[unit])
        self.steepness.set_ydata(width * abs(self.slope[unit]) * self.clips**2)
        self.dot.set_data([clip], [steepest])
        value = abs(scale * gains[unit])
        return {
            "it reaches": f"{value:.4f}",
            "its steepest slope K": f"{steepest:.4f}",
            "reached / K": value / steepest,
            "W1": w1,
        }


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
        right_choice="a sigmoid goes flat",
        why="a sample is pulled by the critic's slope, and a sigmoid's dies where it is sure.",
        wrong={
            "training is faster": "Speed is not it: look at the pull far from the real samples.",
            "scores must add to 1": "Only differences of mean scores count; they need not add up "
            "to anything.",
        },
    )
