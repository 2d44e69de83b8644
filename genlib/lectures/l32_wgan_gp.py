"""Lecture 32: WGAN with gradient penalty."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments, networks, plots
from genlib.check import Choice, Number, exercise
from genlib.gans import WGANGP, penalties
from genlib.gans.wgan import clip_weights
from genlib.lectures import live28, shipped
from genlib.lectures.write_on_arrays import Losses, beside_the_circle, in_training
from genlib.plots import COLORS
from genlib.widgets import Scene, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, key, panel

# Explorer: slope_penalty

FARTHEST = 3.0
STEEPEST = 6.0


@scene("slope_penalty")
class GradientPenalty(Scene):
    """Two Diracs and a linear critic that pays for a slope other than 1: WGAN-GP, exactly."""

    title = "What the gradient penalty lets a critic do"
    alt = (
        "Left: the real point at 0 in blue, the generated one at a distance in vermillion, and "
        "through them the critic, a straight line in green; the dashed line has slope 1. Middle: "
        "what a critic scores against its slope, dashed without the penalty and solid with it, "
        "with a dot at the best slope. Right: the pull on the generated point, which is the best "
        "slope, rises in a straight line with the distance; a dotted line marks 1."
    )
    size = (9.8, 3.7)
    reveals = (
        {},
        {"weight": 10.0},
        ({"weight": 0.1}, {"weight": 0.1, "distance": FARTHEST}),
        {"distance": 0.0},
    )

    def controls(self):
        return {
            "weight": log_slider("lambda", 1.0, -1, 1, 0.1),
            "distance": slider("distance t", 1.5, 0.0, FARTHEST, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        panel(left, "The best critic", ("x", -1, 4), ("f(x)", -6, 3))
        left.plot([-1, 4], [1, -4], "--", color=COLORS["mixture"], linewidth=1.5)
        plots.label(left, 3.9, -2.4, "slope 1", ha="right", fontsize=10)
        left.plot(0, 0, "o", color=COLORS["real"], markersize=11)
        plots.label(left, 0.15, 0.3, "real", "real", ha="left")
        self.critic = curve(left, "critic", linewidth=3)
        self.generated = dot(left, "generated", 11)

        panel(middle, "What it scores", ("slope of f", 0, STEEPEST), ("objective", -6, 8))
        lines = {"dashed: no penalty": "mixture", "with the penalty": "critic"}
        key(middle, 0.03, 0.11, lines, 0.08, fontsize=10)
        self.gap = curve(middle, "mixture", linestyle="--")
        self.objective, self.top = curve(middle, "critic"), dot(middle, "critic")

        slopes = ("best slope", 0, STEEPEST)
        panel(right, "The pull it gives", ("distance t", 0, FARTHEST), slopes)
        right.axhline(1, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 2.95, 0.92, "the critic of W1", ha="right", va="top", fontsize=10)
        self.pull, self.here = curve(right, "critic"), dot(right, "generated")

    def update(self, weight, distance):
        best = best_slope(weight, distance)
        value = objective(best, weight, distance)
        xs, slopes, distances = np.array([-1, 4]), np.linspace(0, STEEPEST, 241), [0, FARTHEST]
        self.critic.move(xs, -best * xs)
        self.generated.move(distance, -best * distance)
        self.gap.move(slopes, distance * slopes)
        self.objective.move(slopes, objective(slopes, weight, distance))
        self.top.move(best, value)
        self.pull.move(distances, [best_slope(weight, t) for t in distances])
        self.here.move(distance, best)
        return {
            "best slope, 1 + t / 2λ": best,
            "gap of the scores": distance * best,
            "objective, t + t² / 4λ": value,
            "W1 = t": float(distance),
        }


def objective(slope, weight, distance):
    """What a critic that falls at ``slope`` scores: the gap less the penalty."""
    return distance * slope - weight * (slope - 1) ** 2


def best_slope(weight, distance):
    """Where `objective` is highest."""
    return 1 + distance / (2 * weight)


# The failure that the lecture opens with


class Boxed(WGANGP):
    """WGAN-GP with its penalty taken away, and WGAN's box of half side ``clip`` in its place.

    All else is that of `WGANGP`: so two trainings differ in how the critic's slope is held alone.
    """

    def __init__(self, generator, critic, clip=0.01, **options):
        super().__init__(generator, critic, **options | {"penalty_weight": 0.0})
        self.clip = clip

    def after_critic_step(self, real, fake):
        """Clip every weight to the box."""
        clip_weights(self.critic, self.clip)


# The trainings on the ring: one seed of some on the page, three or five of each stored

STEPS = 1000  # of the generator

SETTINGS = {
    "small": "box c = 0.01",
    "penalty": "penalty, lambda 0.1",
    "large": "box c = 0.1",
    "ten": "penalty, lambda 10",
    "digits": "digits, lambda 10",
    "tenth": "digits, lambda 0.1",
    "convolutions": "digits, convolution",
}
OPTIONS = {"small": {"clip": 0.01}, "large": {"clip": 0.1}, "ten": {"penalty_weight": 10.0}}
ON_DIGITS = {"digits": 10.0, "tenth": 0.1, "convolutions": 10.0}  # the penalty's weight
FEW = 300  # steps with convolutions: about as many seconds as `live28.STEPS` without


def train(setting, seed=0, **film):
    """One of `SETTINGS` trained, as `experiments.on_toy` gives it."""
    kind = Boxed if "clip" in OPTIONS.get(setting, {}) else WGANGP
    return experiments.on_toy(kind, seed=seed, steps=STEPS, **OPTIONS.get(setting, {}), **film)


def train_digits(setting, seed=0, **film):
    """One of `ON_DIGITS` trained on digits of 28x28, with the budget of lecture 30."""
    how = {"penalty_weight": ON_DIGITS[setting], "critic_steps": 1} | film
    if setting == "convolutions":
        how |= {"nets": convolutions, "steps": FEW}
    return live28.train(WGANGP, seed, **how)


def convolutions(seed):
    """The networks of `shipped.gan28`, untrained."""
    return shipped.gan28(seed), shipped.critic28(seed + 100)


def run(setting, seed):
    """One stored run: `scores` of a training, or what its digits score."""
    found = dict.fromkeys(("modes", "quality", "distance", "width", "slope"), np.nan)
    found |= dict.fromkeys(("read", "strict", "kinds"), np.nan)
    if setting in ON_DIGITS:
        return found | live28.run(train_digits(setting, seed), seed)
    return found | scores(train(setting, seed))


def scores(trial):
    """Modes, quality and distance of its samples, the width of their modes, the critic's slope."""
    return {
        "modes": trial.modes,
        "quality": trial.high_quality,
        "distance": trial.distance,
        "width": trial.width,
        "slope": steepness(trial.model),
    }


def steepness(model):
    """The critic's slope half-way between the ring and its centre: root of the mean square."""
    places = data.toy("ring").sample(400, seed=(0, 1)) / 2
    return float(np.sqrt(np.mean(penalties.squared_gradient_norms(model.critic, places))))


def against_a_mode(points, weights):
    """Critics trained against one still Gaussian, `WGANGP` models, one for each penalty's weight.

    The weight is a variable, so that one graph trains all.
    """

    def make(weight):
        mode = networks.mlp(2, 2, depth=0)
        mode.set_weights([0.3 * np.eye(2), np.zeros(2)])
        model = WGANGP(mode, networks.mlp(2, 1, seed=100), seed=0)
        model.penalty_weight = model.add_state("weight", weight)
        still, learner = keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-3, 0.5, 0.9)
        model.compile(still, learner)
        return model

    return experiments.over_seeds(make, points, steps=400, seeds=weights)


# Exercises


@exercise("32_wgan_gp/1")
def slope_on_two_diracs():
    """The best slope for Diracs 2 apart and a weight of 0.5."""
    distance, weight = 2.0, 0.5
    start = keras.Input((1,))
    critic = keras.Model(start, keras.layers.Dense(1, use_bias=False)(start))
    model = WGANGP(networks.mlp(1, 1, 4), critic, penalty_weight=weight)
    real, fake = tf.fill((2, 1), distance), tf.zeros((2, 1))

    def loss(slope):
        critic.set_weights([np.array([[slope]])])
        return float(model.critic_loss(real, fake))

    # The loss is a parabola in the slope, so three of its points give the lowest one.
    curvature, linear, _ = np.polyfit([0, 2, 5], [loss(s) for s in (0, 2, 5)], 2)
    truth = -linear / (2 * curvature)
    return Number(
        truth,
        tolerance=0.02,
        right="at that slope one more unit of gap costs as much penalty as it earns.",
        mistakes=[
            (1.0, "Slope 1 costs nothing, but a little more earns gap: the penalty is no wall."),
            (1 + distance / weight, "The slope of the penalty is 2 lambda (s - 1): mind the 2."),
            (
                distance + distance**2 / (4 * weight),
                "That is the objective at the best slope; asked is the slope itself.",
            ),
        ],
    )


OWN_WEIGHT, OWN_STEPS = 0.1, 700  # of the exercise's penalty, and of its training


@exercise("32_wgan_gp/2")
def own_losses():
    """Write losses(on_real, on_fake, gradients), and train with them."""
    mean = tf.reduce_mean

    def norms(gradients, axis):
        return tf.sqrt(tf.reduce_sum(gradients**2, axis))

    def gap(on_real, on_fake):
        return mean(on_fake) - mean(on_real)

    def reference(on_real, on_fake, gradients):
        # A linear value has these very gradients, whatever the point.
        def value(x):
            return tf.reduce_sum(x * gradients, list(range(1, len(gradients.shape))))

        where, alpha = tf.zeros_like(gradients), tf.zeros(tf.shape(gradients)[:1])
        penalty = penalties.gradient_penalty(value, where, where, alpha)
        return gap(on_real, on_fake) + OWN_WEIGHT * penalty, -mean(on_fake)

    def inputs(rng):
        return *rng.normal(size=(2, 16, 1)), rng.normal(0, 0.3, (16, 4, 3, 2))

    def with_penalty(penalty, sign=1.0):
        return lambda real, fake, g: sign * gap(real, fake) + OWN_WEIGHT * penalty(g)

    def train(losses):
        def both(model, real, fake):
            alpha = model.random_uniform((tf.shape(real)[0], 1))
            between = alpha * real + (1 - alpha) * fake
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(between)
                total = tf.reduce_sum(model.critic(between, training=True))
            gradients = tape.gradient(total, between)
            model.log("penalty", mean((norms(gradients, 1) - 1) ** 2))
            on = (model.critic(z, training=True) for z in (real, fake))
            return losses(*on, gradients)

        class Mine(WGANGP):
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
        right="one norm a sample, over all the axes but the first.",
        mistakes=[
            (
                "critic",
                with_penalty(lambda g: mean((norms(g, 1) - 1) ** 2)),
                "that norm runs over one axis; a picture's gradient has three: sum over them all.",
            ),
            (
                "critic",
                with_penalty(lambda g: mean((norms(g, -1) - 1) ** 2)),
                "that norm runs over the last axis; sum over all but the first.",
            ),
            (
                "critic",
                with_penalty(lambda g: (norms(g, None) - 1) ** 2),
                "that is one norm for the whole batch; each sample has its own.",
            ),
            (
                "critic",
                with_penalty(lambda g: mean((norms(g, (1, 2, 3)) ** 2 - 1) ** 2)),
                "take the root before you subtract the 1.",
            ),
            (
                "critic",
                with_penalty(lambda g: (mean(norms(g, (1, 2, 3))) - 1) ** 2),
                "first the square of each sample, then the mean.",
            ),
            (
                "critic",
                with_penalty(lambda g: mean((norms(g, (1, 2, 3)) - 1) ** 2), sign=-1.0),
                "the gap has the wrong sign: the critic wants high scores for real samples.",
            ),
            (
                "critic",
                lambda real, fake, g: gap(real, fake) + mean((norms(g, (1, 2, 3)) - 1) ** 2),
                "the penalty's weight is missing: lambda is 0.1.",
            ),
            (
                "generator",
                lambda real, fake, g: gap(real, fake),
                "that is the critic's gap; the generator raises its samples' scores.",
            ),
        ],
    )


@exercise("32_wgan_gp/3")
def no_batch_norm():
    """Why the critic holds no batch normalisation."""
    return Choice(
        right_choice="it couples the samples",
        why="the penalty is about the slope of each score in its own sample.",
        wrong={
            "it has no gradient": "Its gradient exists; ask what it is the gradient of.",
            "it undoes the clipping": "Clipping is gone here, and batch normalisation would not "
            "bound the weights.",
        },
    )
