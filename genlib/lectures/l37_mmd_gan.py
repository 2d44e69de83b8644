"""Lecture 37: MMD GAN."""

import math

import keras
import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist

from genlib import data, experiments, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels
from genlib.gans import GMMN, MMDGAN, MMDGANGP
from genlib.lectures.write_on_arrays import Losses, beside_the_circle, in_training
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, panel

# Settings that are variables, so that one compiled graph serves all their values


class MovableMMDGAN(MMDGAN):
    """MMD GAN whose box and one-sided weight may be moved."""

    def __init__(self, generator, critic, clip=0.01, feasibility_weight=16.0, **options):
        settings = {"clip": clip, "feasibility_weight": feasibility_weight}
        super().__init__(generator, critic, **settings, **options)
        for name, value in settings.items():
            setattr(self, name, self.add_state(name, value))


class MovableCopies(MMDGANGP):
    """Binkowski's MMD GAN with Li's decoder, whose weight may be moved, down to 0."""

    def __init__(self, generator, critic, reconstruction_weight=8.0, **options):
        super().__init__(generator, critic, reconstruction_weight=8.0, **options)
        self.reconstruction_weight = self.add_state("copies", reconstruction_weight)


# The trainings: one seed of some on the page, several of each stored

SHORT = {"steps": 400, "width": 128}  # networks and generator steps of the runs on digits
GRID_STEPS = 300

SETTINGS = {
    "pixels": "pixels",
    "longer": "pixels, 3 x the steps",
    "frozen": "codes, frozen",
    "learned": "codes, learned",
    "alone": "grid, no copies",
    "copies": "grid, copies",
    "box": "box 0.01",
    "no_term": "box 0.01, no one-sided term",
}
SCORES = (
    *("read", "classes", "least"),  # on digits; "least": samples read as the rarest digit
    *("modes", "distance", "within", "others"),  # on the grid: `grid_scores`
    *("codes", "radius"),  # in a small box: `box_scores`
)


class WithoutXLA:
    """Compiled code takes some 70 MB a model, and longer to make."""

    def compile(self, *optimizers):
        super().compile(*optimizers, jit_compile=False)


class Pixels(WithoutXLA, GMMN):
    """GMMN on the pixels."""


class Learned(WithoutXLA, MMDGANGP):
    """Binkowski's MMD GAN."""


class Frozen(Learned):
    """The same whose critic stays as it was drawn."""

    def critic_loss(self, real, fake):
        self.log("penalty", 0.0)
        return 0.0 * tf.reduce_mean(self.critic(fake))


class Copies(WithoutXLA, MovableCopies):
    """A decoder that must copy, or not."""


class Li(WithoutXLA, MovableMMDGAN):
    """Li's MMD GAN."""


def on_digits(setting, seed=0):
    """The trial of a setting of the digits, as `experiments.on_digits` gives it."""
    kind = {"frozen": Frozen, "learned": Learned}.get(setting, Pixels)
    steps = SHORT["steps"] * (3 if setting == "longer" else 1)
    return experiments.on_digits(kind, seed=seed, **SHORT | {"steps": steps})


def on_grid(setting, seed=0):
    """The model of "alone" or of "copies", trained on `grid_points`."""
    nets = experiments.default_networks(Copies, (2,), width=64, seed=seed)
    weight = 8.0 if setting == "copies" else 0.0
    how = {"reconstruction_weight": weight, "critic_steps": 2, "seed": seed}
    model = experiments.build(Copies, "grid", nets, GRID_STEPS, **how)
    model.fit(grid_points(), batch_size=64, steps_per_epoch=GRID_STEPS, verbose=0)
    return model


def in_a_box(setting, seed=0):
    """The model of "box" or of "no_term", trained on the ring for 150 steps."""
    nets = experiments.default_networks("mmd_gan", (2,), seed=seed)
    weight = 16.0 if setting == "box" else 0.0
    how = {"clip": 0.01, "feasibility_weight": weight, "seed": seed}
    model = experiments.build(Li, "ring", nets, 150, **how)
    model.fit(data.toy("ring"), batch_size=64, steps_per_epoch=150, verbose=0)
    return model


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    if setting in ("alone", "copies"):
        found = grid_scores(on_grid(setting, seed))
    elif setting in ("box", "no_term"):
        found = box_scores(in_a_box(setting, seed))
    else:
        score = on_digits(setting, seed).score
        found = {"read": score.confident, "classes": score.classes, "least": min(score.counts)}
    return {name: found.get(name, np.nan) for name in SCORES}


def grid_points():
    """1,500 points of the grid of 25 modes."""
    return data.toy("grid").sample(1500, seed=(0, 3)).numpy()


def grid_scores(model):
    """Modes and distance of samples; how far apart codes lie, within a mode and of others.

    "within" is the median distance of the codes of two real points of one mode; of pairs of two
    modes a twentieth lies below "others".
    """
    points = grid_points()
    centers = data.mode_centers(data.toy("grid"))
    of_mode = np.linalg.norm(points[:, None] - centers, axis=-1).argmin(1)
    codes = model.critic(points).numpy()
    between, same = cdist(codes, codes), of_mode[:, None] == of_mode
    modes, _, distance = experiments.score_points(model.sample(2500, seed=1).numpy(), "grid")
    return {
        "modes": modes,
        "distance": distance,
        "within": np.median(between[same]),
        "others": np.quantile(between[~same], 0.05),
    }


def box_scores(model):
    """The median distance of the codes of two real points; the median radius of samples."""
    codes = model.encoder(data.toy("ring").sample(500, seed=(0, 1)).numpy())
    made = model.sample(500, seed=4).numpy()
    return {
        "codes": float(kernels.median_heuristic(codes, codes)),
        "radius": np.median(np.linalg.norm(made, axis=1)),
    }


# Explorer: learned_scale

SPREAD = 0.3  # of both Gaussians, in the data's units


def rational_quadratic(alphas):
    """Return the rational quadratic kernel as a sum of Gaussian ones: ``{bandwidth: weight}``.

    ``(1 + d^2 / (2 a))^-a`` is the mean of ``exp(-s d^2 / 2)`` over s of a Gamma(a, a) law, here
    summed over log s. Beyond a bandwidth of e^15 a kernel is flat on all that is drawn.
    """
    log_s = np.linspace(-30, 5, 141)
    weights = [np.exp(a * (log_s - np.exp(log_s) + math.log(a)) - math.lgamma(a)) for a in alphas]
    return dict(zip(np.exp(-log_s / 2), sum(weights) * (log_s[1] - log_s[0]), strict=True))


#: Kernels, as sums of Gaussian ones: the weight of each bandwidth.
KERNELS = {
    "Gaussian of 1": {1.0: 1.0},
    "Gaussians of 1 to 16": dict.fromkeys((1.0, 2.0, 4.0, 8.0, 16.0), 1.0),
    "rational quadratic": rational_quadratic((0.1, 1.0, 10.0)),
}


@scene("learned_scale")
class LearnedScale(Scene):
    """One kernel, and a critic that only scales what it sees: where the MMD pulls and where not."""

    title = "A critic that scales"
    alt = (
        "Left: two Gaussians of data, P in blue and Q in vermillion, under a grey bar: how far a "
        "kernel of bandwidth 1 on the codes reaches in the data. Middle: the root of the MMD of "
        "the codes against the distance of the Gaussians in the data, with a dot. Right: the pull "
        "at that distance against the scale, on logarithmic axes, with a dot."
    )
    size = (9.8, 3.7)
    reveals = (
        ({}, {"scale": 0.001}),
        {"scale": 100.0},
        ({"kernel": list(KERNELS)[0]}, {}, {"kernel": list(KERNELS)[-1]}),
    )

    def controls(self):
        return {
            "scale": log_slider("scale of the codes", 0.3, -3, 2, 0.1),
            "distance": slider("distance of Q", 2.0, 0.0, 6.0, 0.1),
            "kernel": choice("kernel", list(KERNELS), "Gaussians of 1 to 16"),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        xs = ("data x (code = scale times x)", -2, 8)
        panel(left, "Data, and a bandwidth", xs, ("", 0, 1.6), yticks=[])
        plots.label(left, -1.9, 1.48, "bandwidth 1 on the codes", ha="left", fontsize=9)
        self.p, self.q = curve(left, "p"), curve(left, "q")
        self.ruler = curve(left, "mixture", linewidth=4)
        panel(middle, "Root of the MMD²", ("distance in the data", 0, 6), ("", 0, 3.3))
        self.root, self.dot = curve(middle, "critic"), dot(middle, "critic")
        scales, logs = ("scale of the codes", 1e-3, 100), {"xscale": "log", "yscale": "log"}
        panel(right, "Pull on Q", scales, ("", 1e-6, 10), **logs)
        self.pulls, self.here = curve(right, "critic"), dot(right, "critic")

    def update(self, scale, distance, kernel):
        kernel = KERNELS[kernel]
        xs, distances = np.linspace(-2, 8, 401), np.linspace(0, 6, 121)
        scales = np.geomspace(1e-3, 100, 121)
        for line, mean in ((self.p, 0.0), (self.q, distance)):
            line.move(xs, np.exp(-(((xs - mean) / SPREAD) ** 2) / 2))
        self.ruler.move([0, min(1 / scale, 8)], [1.45, 1.45])
        self.root.move(distances, root_mmd(scale, distances, kernel))
        value = root_mmd(scale, distance, kernel)
        self.dot.move(distance, value)
        here, pulls = (pull(s, distance, kernel) for s in (scale, scales))
        self.pulls.move(scales, np.maximum(pulls, 1e-9))
        self.here.move(scale, max(here, 1e-9))
        return {
            "root of the MMD²": value,
            "pull (per unit of x)": f"{here:.6f}",
            "the scale that pulls hardest": f"{scales[pulls.argmax()]:.3g}" if distance else "none",
        }


def root_mmd(scale, distance, kernel):
    """Return the MMD of two Gaussians of spread 0.3 whose codes are ``scale`` times the data.

    ``kernel`` is a sum of Gaussian kernels: ``{bandwidth: weight}``.
    """
    total = 0.0
    for b, weight in kernel.items():
        variance = b**2 + 2 * (scale * SPREAD) ** 2
        gap = -np.expm1(-((scale * distance) ** 2) / (2 * variance))
        total = total + weight * 2 * b / np.sqrt(variance) * gap
    return np.sqrt(total)


def pull(scale, distance, kernel, step=1e-3):
    """Return the slope of `root_mmd` in the distance, by a central difference."""
    ends = (root_mmd(scale, np.maximum(distance + h, 0), kernel) for h in (step, -step))
    return (next(ends) - next(ends)) / (2 * step)


# Exercises


def _bandwidth_on_data(scale):
    """Return the bandwidth on the data of a unit kernel on codes, read off the kernel itself."""
    x = np.array([[0.0], [1.0]])
    value = float(kernels.rbf(1.0)(scale * x, scale * x)[0, 1])
    return float(np.sqrt(-1 / (2 * np.log(value))))


@exercise("37_mmd_gan/1")
def scaled_kernel():
    """The bandwidth on the data of a kernel on scaled codes."""
    return Number(
        _bandwidth_on_data(0.5),
        tolerance=0.005,
        right="what the critic shrinks, the kernel sees as if its bandwidth had grown.",
        mistakes=[
            (0.5, "The other way: codes lie closer than the data, so the kernel reaches further."),
            (4.0, "That is the squared bandwidth."),
            (
                1.0,
                "That is the bandwidth on the codes; two data points 1 apart have codes 0.5 apart.",
            ),
        ],
    )


@exercise("37_mmd_gan/2")
def witness():
    """Write witness_at(t, x, y) for a Gaussian kernel on a line."""

    def mean_kernel(t, z, bandwidth=1.0):
        gram = kernels.rbf(bandwidth)(t[:, None], z[:, None]).numpy()
        return gram.mean(1)

    def inputs(rng):
        return rng.normal(size=5), rng.normal(size=7), rng.normal(1, 1, size=6)

    return Function(
        lambda t, x, y: mean_kernel(t, x) - mean_kernel(t, y),
        inputs,
        tolerance=1e-4,
        right="it is high where real codes crowd and generated ones do not.",
        mistakes=[
            (
                lambda t, x, y: mean_kernel(t, y) - mean_kernel(t, x),
                "The sign: real minus generated.",
            ),
            (
                lambda t, x, y: 7 * mean_kernel(t, x) - 6 * mean_kernel(t, y),
                "Take means over the samples, not sums.",
            ),
            (
                lambda t, x, y: mean_kernel(t, x, 0.5**0.5) - mean_kernel(t, y, 0.5**0.5),
                "A bandwidth of 1 means exp(-d^2 / 2).",
            ),
        ],
        calls=8,
    )


@exercise("37_mmd_gan/3")
def why_copy():
    """What the decoder is for."""
    return Choice(
        right_choice="codes stay different",
        why="a code from which the sample can be copied has lost nothing.",
        wrong={
            "the decoder is reused": "The generator makes samples from latents and never uses the "
            "decoder.",
            "training is faster": "It costs time; it guards what the kernel can see.",
        },
    )


OWN_PENALTY = 0.1  # the weight in the exercise


@exercise("37_mmd_gan/4")
def own_losses():
    """Write losses(kxx, kyy, kxy, slopes), and train with them."""
    mean, total = tf.reduce_mean, tf.reduce_sum

    def pairs(kernel):  # the mean over the pairs of two different samples
        n = tf.cast(tf.shape(kernel)[0], tf.float32)
        return (total(kernel) - tf.linalg.trace(kernel)) / (n * (n - 1))

    def reference(kxx, kyy, kxy, slopes):
        found = pairs(kxx) + pairs(kyy) - 2 * mean(kxy)
        return OWN_PENALTY * mean((slopes - 1) ** 2) - found, found

    def critic(found):
        return lambda xx, yy, xy, s: OWN_PENALTY * mean((s - 1) ** 2) - found(xx, yy, xy)

    def inputs(rng):
        x, y = rng.normal(0, 1, (16, 2)), rng.normal(1, 1, (16, 2))
        kernel = kernels.rational_quadratic((0.1, 1.0, 10.0))
        grams = (kernel(*(tf.constant(z, tf.float32) for z in pair)) for pair in
                 ((x, x), (y, y), (x, y)))  # fmt: skip
        return *grams, rng.uniform(0, 2, 16)

    def train(losses):
        return beside_the_circle(in_training(_go_down, losses))

    def with_itself(xx, yy, xy):
        return mean(xx) + mean(yy) - 2 * mean(xy)

    return Losses(
        reference,
        inputs,
        train,
        right="the critic widens the MMD² of the codes and minds its slope; the generator closes "
        "it.",
        mistakes=[
            ("critic", critic(with_itself), "leave out each sample's pair with itself."),
            (
                "generator",
                lambda xx, yy, xy, s: with_itself(xx, yy, xy),
                "leave out each sample's pair with itself.",
            ),
            (
                "critic",
                critic(lambda xx, yy, xy: pairs(xx) + pairs(yy) - mean(xy)),
                "pairs of a real and a generated sample count twice.",
            ),
            (
                "critic",
                lambda xx, yy, xy, s: -reference(xx, yy, xy, s)[1],
                "the penalty on the slopes is missing.",
            ),
            (
                "critic",
                lambda xx, yy, xy, s: (
                    OWN_PENALTY * mean((s**2 - 1) ** 2) - reference(xx, yy, xy, s)[1]
                ),
                "the penalty is on the slope itself, not on its square.",
            ),
            (
                "critic",
                lambda xx, yy, xy, s: mean((s - 1) ** 2) - reference(xx, yy, xy, s)[1],
                "weigh the penalty with 0.1.",
            ),
            (
                "generator",
                lambda xx, yy, xy, s: -reference(xx, yy, xy, s)[0],
                "the penalty is the critic's alone.",
            ),
        ],
    )


def _go_down(losses, n=300, steps=300):
    """Points ``(n, 2)`` that go down the generator's loss on the ring; codes are the data."""
    kernel = kernels.rational_quadratic((0.1, 1.0, 10.0))
    real = data.toy("ring").sample(n, seed=(0, 5))
    made = tf.Variable(0.3 * np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32))
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build([made])

    @tf.function
    def go():
        within = kernel(real, real)
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                points = tf.convert_to_tensor(made)
                grams = within, kernel(points, points), kernel(real, points)
                loss = losses(*grams, tf.ones(n))[1]
            optimizer.apply([tape.gradient(loss, made)])

    go()
    return made.numpy()
