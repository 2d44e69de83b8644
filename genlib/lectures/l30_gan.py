"""Lecture 30: the original GAN."""

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from genlib import networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import GAN
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider

# Explorer: gan_game

NON_SATURATING, MINIMAX = "non-saturating", "minimax"
SHIFTS = np.linspace(-7, 7, 141)
LEAST = 1e-4  # the foot of the logarithmic axis


@scene("gan_game")
class GANGame(Scene):
    """The GAN game in one dimension: you are the generator, the critic is as good as
    you let it be.
    """

    title = "The GAN game in one dimension"
    alt = (
        "Left: the real density in blue, the generator's in vermillion, and in green what the "
        "critic says, from 0 for generated to 1 for real; arrows show which way, and how hard, "
        "the generator's loss pushes its samples. Right: the size of that push against the "
        "generator's shift, on a logarithmic scale: the minimax loss's push vanishes as the two "
        "densities part, the non-saturating loss's push grows."
    )
    size = (9.6, 3.9)

    def controls(self):
        return {
            "shift": slider("generator: shift", 4.0, -7.0, 7.0, 0.1),
            "scale": slider("generator: scale", 1.0, 0.4, 2.0, 0.1),
            "skill": slider("critic's skill", 1.0, 0.0, 1.0, 0.05),
            "loss": choice("generator's loss", [NON_SATURATING, MINIMAX]),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-16, 16, 801)
        left, right = fig.subplots(1, 2)
        left.set(title="The two heaps and the critic", xlabel="x", ylabel="density, and D(x)",
                 xlim=(-9, 9), ylim=(-0.5, 1.2), yticks=np.linspace(0, 1, 6))  # fmt: skip
        left.axhline(0, color="#8c8c8c", linewidth=1)
        p = np.exp(log_normal(xs, 0, 1))
        left.plot(xs, p, color=COLORS["real"], linewidth=2)
        plots.fill(left, xs, 0, p, "real")
        plots.label(left, -1.0, 0.42, "real", "real", ha="right")
        (self.generated,) = left.plot(xs, p, color=COLORS["generated"], linewidth=2)
        self.shade = plots.fill(left, xs, 0, p, "generated")
        self.name = plots.label(left, 0, 0, "generated", "generated", ha="left")
        (self.critic,) = left.plot(xs, p, color=COLORS["critic"], linewidth=2)
        plots.label(left, 0.02, 0.99, "D(x): how sure the critic is of “real”", "critic",
                    ha="left", va="top", transform=left.transAxes)  # fmt: skip
        self.quantiles = np.array([-1.5, -0.9, -0.45, 0.0, 0.45, 0.9, 1.5])
        at, self.rows = np.zeros_like(self.quantiles), np.linspace(-0.08, -0.44, 7)
        self.arrows = left.quiver(at, self.rows, at, at, color=COLORS["generated"], width=0.006,
                                  angles="xy", scale_units="xy", scale=1, minlength=0)  # fmt: skip
        (self.points,) = left.plot(at, self.rows, "o", color=COLORS["generated"], markersize=5)

        right.set(title="How hard the loss pushes the generator", xlabel="shift of the generator",
                  ylabel="|slope of the loss| (nats per unit)", xlim=(-7, 7), yscale="log",
                  ylim=(LEAST, 60))  # fmt: skip
        self.pushes, self.dots = {}, {}
        for name, style in ((NON_SATURATING, "-"), (MINIMAX, "--")):
            (self.pushes[name],) = right.plot(
                SHIFTS, 0 * SHIFTS + 1, style, color=COLORS["generated"], linewidth=2
            )
            (self.dots[name],) = right.plot([0], [1], "o", color=COLORS["generated"], markersize=9)
        self.names = {
            name: plots.label(right, 6.8, 1, name, "generated", ha="right")
            for name in (NON_SATURATING, MINIMAX)
        }
        return [self.generated, self.shade, self.name, self.critic, self.arrows, self.points,
                *self.pushes.values(), *self.dots.values(), *self.names.values()]  # fmt: skip

    def update(self, shift, scale, skill, loss):
        xs = self.xs
        log_p, log_q = log_normal(xs, 0, 1), log_normal(xs, shift, scale)
        q, logit = np.exp(log_q), skill * (log_p - log_q)
        self.generated.set_ydata(q)
        plots.set_fill(self.shade, xs, 0, q)
        self.name.set_position((shift + 0.9 * scale, 0.72 * q.max()))
        self.critic.set_ydata(expit(logit))

        points = shift + scale * self.quantiles
        # A step of one unit at a slope of 2 nats a unit; the arrows' heads need a little length.
        steps = -0.5 * slope_at(points, shift, scale, skill, loss)
        self.points.set_xdata(points)
        self.arrows.set_offsets(np.column_stack([points, self.rows]))
        self.arrows.set_UVC(np.clip(steps, -3, 3), 0 * points)

        pushes = {}
        for name in (NON_SATURATING, MINIMAX):
            curve = np.abs(push(SHIFTS, scale, skill, name))
            pushes[name] = float(push(np.array([shift]), scale, skill, name)[0])
            chosen = name == loss
            self.pushes[name].set(ydata=np.maximum(curve, LEAST), alpha=1.0 if chosen else 0.45)
            self.dots[name].set_data([shift], [max(abs(pushes[name]), LEAST)])
            self.dots[name].set_alpha(1.0 if chosen else 0.45)
            self.names[name].set_y(
                np.clip(curve[-1] * (2 if name == NON_SATURATING else 0.25), 2 * LEAST, 20)
            )

        dx = xs[1] - xs[0]
        critic_loss = dx * np.sum(np.exp(log_p) * np.logaddexp(0, -logit) + q * np.logaddexp(0, logit))  # fmt: skip  # noqa: E501
        m = np.logaddexp(log_p, log_q) - np.log(2)
        jsd = dx * np.sum(np.exp(log_p) * (log_p - m) + q * (log_q - m)) / 2
        return {
            "critic's loss": f"{critic_loss:.3f} nats",
            "the least any critic can reach, log 4 − 2 JSD": f"{np.log(4) - 2 * jsd:.3f} nats",
            "push, non-saturating": f"{abs(pushes[NON_SATURATING]):.2g}",
            "push, minimax": f"{abs(pushes[MINIMAX]):.2g} nats per unit",
        }


def log_normal(x, mean, scale):
    return -(((x - mean) / scale) ** 2) / 2 - np.log(scale * np.sqrt(2 * np.pi))


def slope_at(x, shift, scale, skill, loss):
    """The slope at ``x`` of the generator's loss, the critic's logit being skill * log(p/q)."""
    logit = skill * (log_normal(x, 0, 1) - log_normal(x, shift, scale))
    logit_slope = skill * (-x + (x - shift) / scale**2)
    return -logit_slope * (expit(logit) if loss == MINIMAX else expit(-logit))


def push(shifts, scale, skill, loss):
    """The slope of the generator's expected loss in its shift, for each of ``shifts``."""
    z = np.linspace(-6, 6, 241)[:, None]
    weights = np.exp(log_normal(z, 0, 1)) * (z[1] - z[0])
    return np.sum(weights * slope_at(shifts + scale * z, shifts, scale, skill, loss), axis=0)


# Exercises


@exercise("30_gan/1")
def undecided_critic():
    """The critic's loss, in nats, when it says D(x) = 1/2 to everything."""
    start = keras.Input((1,))
    undecided = keras.Model(start, keras.layers.Dense(1, kernel_initializer="zeros")(start))
    model = GAN(networks.mlp(1, 1, 4), undecided)
    truth = float(model.critic_loss(tf.ones((4, 1)), tf.ones((4, 1))))
    return Number(
        truth,
        tolerance=0.005,
        right="log 2 for the real heap and log 2 for the generated one: a critic that does "
        "worse than this knows less than nothing.",
        mistakes=[
            (truth / 2, "That is one heap; the loss adds both."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (-truth, "That is the value of the game; the loss is its negative."),
            (0.0, "The loss is 0 only for a critic that is sure and always right."),
        ],
    )


@exercise("30_gan/2")
def minimax_loss():
    """Write minimax_loss(logits): the minimax generator's loss, from logits of any size."""

    def loss_of(objective):
        start = keras.Input((1,))
        reader = keras.Model(start, keras.layers.Activation("linear")(start))
        model = GAN(networks.mlp(1, 1, 4), reader, objective=objective)
        return lambda logits: float(model.generator_loss(None, tf.cast(logits[:, None], "float32")))

    minimax, non_saturating = loss_of("minimax"), loss_of("non_saturating")
    return Function(
        minimax,
        # Some logits so large that 1 - sigmoid is 0 in floating point.
        inputs=lambda rng: (rng.normal(size=6) * rng.choice([1.0, 60.0]),),
        tolerance=1e-3,
        right="softplus never takes the log of a rounded-off 0.",
        mistakes=[
            (non_saturating, "That is the non-saturating loss, -E log D."),
            (lambda logits: -minimax(logits), "The sign is wrong: log(1 - D) is never positive."),
            (
                lambda logits: 6 * minimax(logits),
                "That is a sum over the samples; E is their mean.",
            ),
        ],
    )


@exercise("30_gan/3")
def value_to_divergence():
    """The JSD, in nats, of two heaps whose best critic has the loss 0.5."""
    truth = (np.log(4) - 0.5) / 2
    return Number(
        truth,
        tolerance=0.003,
        right="the best critic's loss tells the divergence; a trained one's gives a lower bound.",
        mistakes=[
            (np.log(4) - 0.5, "That is 2 JSD; halve it."),
            ((np.log(4) + 0.5) / 2, "The value of the game is minus the critic's loss."),
            (np.log(2) - 0.5, "The constant is log 4, not log 2; then halve."),
        ],
    )


@exercise("30_gan/4")
def who_is_wrong():
    """Mode collapse: too small a network, a chase, or a wrong loss?"""
    return Choice(
        right_choice="the networks chase each other",
        why="with less momentum the same two networks cover all eight modes, so capacity and loss "
        "are not the cause.",
        wrong={
            "too few weights": "The same generator covers all eight modes with momentum 0.5.",
            "the loss is wrong": "The same loss trains well with momentum 0.5.",
        },
    )
