"""Lecture 41: BEGAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments, metrics
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import gaussian
from genlib.gans import BEGAN, EBGAN
from genlib.lectures.l40_ebgan import ring_scores
from genlib.lectures.write_on_arrays import Losses, beats_the_circle, with_copies
from genlib.widgets import Scene, log_slider, scene, slider
from genlib.widgets.artists import curve, key, panel

# Explorer: balance

STEPS = 600


@scene("balance")
class Balance(Scene):
    """BEGAN's balance as a game of two numbers: the mean errors of real and generated samples."""

    title = "The balance of two errors"
    alt = (
        "Left: two errors against time, of real samples in blue and of generated ones in "
        "vermillion, with gamma times the former dotted. Right: the weight k, in green, between 0 "
        "and 1. Sliders set gamma, the rate of k and how strong the generator is."
    )
    size = (9.4, 3.8)
    reveals = (
        ({"gamma": 0.3}, {"gamma": 1.0}),
        {"rate": 0.001},
        ({"gamma": 1.0, "strength": 4.0}, {"strength": 0.2}),
        {"gamma": 1.0},
    )

    def controls(self):
        return {
            "gamma": slider("gamma", 0.5, 0.1, 1.0, 0.05),
            "rate": log_slider("rate of k", 0.1, -3, 0, 0.1),
            "strength": slider("strength of the generator", 1.0, 0.2, 4.0, 0.2),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2)
        panel(left, "Mean errors", ("step", 0, STEPS), ("error", 0, 1.6))
        lines = {"real": "real", "generated": "generated", "gamma x real": "mixture"}
        key(left, 0.98, 0.97, lines)
        self.real, self.fake = curve(left, "real"), curve(left, "generated")
        self.goal = curve(left, "mixture", linestyle=":")
        panel(right, "The weight k", ("step", 0, STEPS), ("k", -0.05, 1.05))
        self.weight = curve(right, "critic")

    def update(self, gamma, rate, strength):
        real, fake, k = simulate(gamma, rate, strength)
        lines = (self.real, real), (self.fake, fake), (self.goal, gamma * real), (self.weight, k)
        for line, values in lines:
            line.move(np.arange(STEPS), values)
        stuck = "at 0" if k[-100:].max() < 1e-3 else "at 1" if k[-100:].min() > 0.999 else "no"
        return {
            "generated / real": fake[-100:].mean() / real[-100:].mean(),
            "gamma": gamma,
            "k": k[-1],
            "is k stuck?": stuck,
        }


def simulate(gamma, rate, strength):
    """Return the errors on real and generated samples and k, each (600,).

    A caricature: the critic lowers the real error towards 0.2, less so the more it also has to
    raise the generated one, which it raises in proportion to k; the generator lowers its own. k
    moves as `BEGAN` moves it.
    """
    real, fake, k = np.empty((3, STEPS))
    r, f, weight = 1.0, 1.5, 0.0
    for i in range(STEPS):
        real[i], fake[i], k[i] = r, f, weight
        r += 0.02 * (0.2 + 0.3 * weight - r)
        f += 0.02 * (weight - strength * f)
        weight = min(max(weight + rate * (gamma * r - f), 0.0), 1.0)
    return real, fake, k


# Is the goal in balance?

DEVIATIONS = 1.0, 0.3  # of the real Gaussian in the plane


def start_at_goal(gamma, seed):
    """A BEGAN whose generator already makes the data: N(0, diag(1, 0.3)^2), a linear layer."""
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    generator.set_weights([np.diag(DEVIATIONS), np.zeros(2)])
    critic = experiments.default_networks("began", (2,), seed=seed)[1]
    model = BEGAN(generator, critic, gamma=gamma, k_rate=1.0, seed=seed)
    model.compile(*(keras.optimizers.Adam(1e-3, 0.0, 0.99) for _ in range(2)), jit_compile=False)
    return model


def goal_data(n=20_000):
    """Real points ``(n, 2)`` for `start_at_goal`."""
    return (np.random.default_rng(0).normal(size=(n, 2)) * DEVIATIONS).astype(np.float32)


def kl_to_goal(model):
    """How far the generator went: KL(Q || P) in nats, its two deviations, the mean k."""
    kernel, bias = (np.float64(w) for w in model.generator.get_weights())
    cov, goal = kernel.T @ kernel, np.diag(np.square(DEVIATIONS))
    away = float(gaussian.kl(bias, cov, np.zeros(2), goal))
    flat, wide = np.sqrt(np.linalg.eigvalsh(cov))
    return {"kl": away, "wide": wide, "flat": flat, "k": float(np.mean(model.step_losses["k"]))}


# The trainings: one seed of some on the page, five seeds of each stored

SETTINGS = {
    "lost": "EBGAN, margin 0.0001",
    "wide": "BEGAN, wide start",
    "narrow": "BEGAN, narrow start",
    "k0": "k held at 0",
    "k1": "k held at 1",
    "goal": "from the goal, gamma 1",
    "goal_half": "from the goal, gamma 0.5",
    "digits_wide": "digits, wide start",
    "digits_narrow": "digits, narrow start",
}
SCORES = (
    *("modes", "quality", "distance", "ratio", "M", "error", "spread"),  # on the ring
    *("kl", "wide", "flat", "k"),  # from the goal: `kl_to_goal`
    *("read", "classes"),  # on digits
)


def train(setting, seed=0, epochs=1, callbacks=None):
    """The model of one of `SETTINGS`, trained; without XLA, which takes longer to compile."""
    steps, points, start = 2000, data.toy("ring"), 1.0 if setting.endswith("narrow") else 6.0
    if setting.startswith("goal"):
        model = start_at_goal(0.5 if setting == "goal_half" else 1.0, seed)
        steps, points = 400, goal_data()
    elif setting == "lost":
        nets = experiments.default_networks("ebgan", (2,), seed=seed)
        model, steps = EBGAN(*nets, margin=0.0001, seed=seed), 800
        model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)))
    elif setting.startswith("digits"):
        steps, points = 800, data.images("digits")[0]
        nets = experiments.default_networks("began", (8, 8, 1), 16, 256, code=4, seed=seed)
        model = experiments.build("began", "digits", nets, steps, start, seed=seed)
    else:
        nets, held = experiments.default_networks("began", (2,), seed=seed), setting in ("k0", "k1")
        fixed = {"k_rate": 0.0} if held else {}
        model = experiments.build("began", "ring", nets, steps, start, seed=seed, **fixed)
        if held:
            model.k.assign(float(setting[1]))
    model.jit_compile = False
    model.fit(points, batch_size=128, steps_per_epoch=steps // epochs, epochs=epochs,
              callbacks=callbacks, verbose=0)  # fmt: skip
    return model


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    model, found = train(setting, seed), dict.fromkeys(SCORES, np.nan)
    if setting.startswith("goal"):
        found |= kl_to_goal(model)
    elif setting.startswith("digits"):
        read = metrics.class_scores(model.sample(1000, seed=1).numpy())
        found |= {"read": read.confident, "classes": read.classes}
    else:
        found |= ring_scores(model) if setting == "lost" else balance(model)
    return {name: found[name] for name in SCORES}


def balance(model):
    """`ring_scores`; the errors' ratio, M and spread at the end; and the error of each real point.

    The ratio is the mean generated error over the mean real one, in the last 200 steps.
    """
    logs = {name: np.asarray(values) for name, values in model.step_losses.items()}
    on_fake, k = logs["generator_loss"], logs["k"]
    on_real = logs["critic_loss"][1:] + k[:-1] * on_fake[1:]  # its k is of the step before
    points = data.toy("ring").sample(2000, seed=(0, 1))
    errors = tf.reduce_mean(tf.abs(model.critic(points) - points), 1).numpy()
    found = ring_scores(model)
    return found | {
        "ratio": on_fake[-200:].mean() / on_real[-200:].mean(),
        "M": float(np.mean(logs["convergence"][-300:])),
        "errors": errors,
        "error": float(errors.mean()),
        "spread": float(found["made"][:1000].std(0).max()),
    }


# Exercises


def _moved(k, gamma, k_rate, on_real, on_fake):
    """Return the next k and M as BEGAN itself computes them."""
    nets = experiments.default_networks("began", (2,), width=2, seed=0)
    model = BEGAN(*nets, gamma=gamma, k_rate=k_rate)
    model.k.assign(k)
    logs = model.move_k(tf.constant(on_real, tf.float32), tf.constant(on_fake, tf.float32))
    return float(logs["k"]), float(logs["convergence"])


@exercise("41_began/1")
def next_k():
    """The next k for given errors."""
    return Number(
        _moved(0.2, 0.5, 0.1, 0.6, 0.5)[0],
        tolerance=0.001,
        right="the generated error is too large for the balance, so the critic pushes less.",
        mistakes=[
            (0.2 - 0.1 * (0.5 * 0.6 - 0.5), "The sign: k falls where the generated error is high."),
            (0.2 + 0.1 * (0.6 - 0.5), "Compare with gamma times the real error."),
            (0.2 + (0.5 * 0.6 - 0.5), "Multiply the gap by the rate lambda."),
            (0.1 * (0.5 * 0.6 - 0.5), "That is the step; add it to the old k."),
        ],
    )


@exercise("41_began/2")
def convergence():
    """Write measure(on_real, on_fake, gamma)."""

    def inputs(rng):
        return tuple(float(v) for v in rng.uniform(0.1, 1, 3))

    return Function(
        lambda on_real, on_fake, gamma: _moved(0.0, gamma, 0.1, on_real, on_fake)[1],
        inputs,
        tolerance=1e-4,
        right="it is small only where real samples are copied well and the balance holds.",
        mistakes=[
            (
                lambda on_real, on_fake, gamma: on_real + gamma * on_real - on_fake,
                "Take |.| of the gap: both sides of the balance count as far.",
            ),
            (
                lambda on_real, on_fake, gamma: abs(gamma * on_real - on_fake),
                "Add the real error: a balance of two bad copies is no convergence.",
            ),
            (
                lambda on_real, on_fake, gamma: on_real + np.abs(on_real - gamma * on_fake),
                "Gamma belongs to the real error.",
            ),
        ],
        calls=8,
    )


@exercise("41_began/3")
def what_m_says():
    """What a small M tells."""
    return Choice(
        right_choice="its samples are copied well",
        why="M is made of two mean errors, and a few well-copied kinds of sample keep them right.",
        wrong={
            "it reached every mode": "The runs above have a small M and leave modes out.",
            "its distribution is right": "Two equal mean errors do not make two distributions "
            "equal.",
        },
    )


OWN_STEPS = 1000  # of the exercise's training


@exercise("41_began/4")
def own_losses():
    """Write losses(x, copy_x, y, copy_y, k), and train with them."""
    mean = tf.reduce_mean

    def error(x, copy):
        return mean(tf.abs(copy - x))

    def reference(x, copy_x, y, copy_y, k):
        return error(x, copy_x) - k * error(y, copy_y), error(y, copy_y)

    def inputs(rng):
        x, y = rng.normal(0, 1, (2, 16, 2))
        copies = (z + rng.normal(0, scale, z.shape) for z, scale in ((x, 0.3), (y, 0.6)))
        copy_x, copy_y = copies
        return x, copy_x, y, copy_y, rng.uniform(0.2, 0.8)

    def train(losses):
        def both(model, real, fake):
            return losses(*with_copies(model, real, fake), model.k.value)

        return beats_the_circle(BEGAN, both, OWN_STEPS)

    return Losses(
        reference,
        inputs,
        train,
        right="k weighs how much the critic spoils the copies of generated samples.",
        mistakes=[
            (
                "critic",
                lambda x, cx, y, cy, k: error(x, cx) - error(y, cy),
                "k is missing: it weighs the error of generated samples.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, k: error(x, cx) + k * error(y, cy),
                "the critic raises the error of generated samples: that term is taken away.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, k: k * error(x, cx) - error(y, cy),
                "k belongs to the generated samples' error.",
            ),
            (
                "critic",
                lambda x, cx, y, cy, k: mean((cx - x) ** 2) - k * mean((cy - y) ** 2),
                "BEGAN's error is |copy - x|, not its square.",
            ),
            (
                "generator",
                lambda x, cx, y, cy, k: k * error(y, cy),
                "k is the critic's alone: the generator lowers its whole error.",
            ),
        ],
    )
