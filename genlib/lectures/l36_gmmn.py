"""Lecture 36: the generative moment matching network."""

import functools

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from genlib import data, experiments, metrics, networks, plots
from genlib.check import Choice, Number, exercise
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2
from genlib.gans import GAN, GMMN
from genlib.lectures.maths import mixture, normal
from genlib.lectures.write_on_arrays import Losses, beats_the_circle
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, density, dot, moving, panel

# Explorer: kernel_pull

WEIGHTS, MEANS, SCALES = np.array([0.5, 0.5]), np.array([-1.5, 1.5]), np.array([0.4, 0.4])
POINTS = ndtri(
    (np.arange(12) + 0.5) / 12
)  # the middles of a standard Gaussian's twelve equal parts
XS = np.linspace(-7, 7, 421)
SHIFTS, SPREADS = np.linspace(-5, 5, 201), np.linspace(0.1, 4, 157)
FAMILIES = {"one": (1.0,), "five": (0.25, 0.5, 1.0, 2.0, 4.0)}  # bandwidths, in units of b


@scene("kernel_pull")
class KernelPull(Scene):
    """What a kernel's bandwidth lets moment matching see: the witness, its pull, and the MMD."""

    title = "What the kernel sees, and where it pulls"
    alt = (
        "Left: the densities of P, two Gaussians in blue, and Q, one in vermillion; below them "
        "the witness in green and, at twelve points of Q, arrows along its slope. Middle: the MMD "
        "as Q moves, with a dot where it stands. Right: the MMD as Q widens, likewise. Sliders "
        "set the bandwidth of the kernel, and the location and the width of Q."
    )
    size = (10.2, 4.0)
    reveals = (
        ({}, {"bandwidth": 1.0}, {"bandwidth": 2.5}),
        tuple(
            {"bandwidth": 25.0} | where for where in ({"shift": 0.0}, {"shift": 0.0, "spread": 4.0})
        ),
        ({"bandwidth": 1.0, "family": "five"}, {"bandwidth": 4.0}),
    )

    def controls(self):
        return {
            "bandwidth": log_slider("bandwidth b", 0.1, -1.6, 1.4, 0.1, readout_format=".2f"),
            "family": choice("bandwidths", list(FAMILIES)),
            "shift": slider("location of Q", 4.0, -5.0, 5.0, 0.25),
            "spread": slider("width of Q", 0.5, 0.1, 4.0, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=(1.5, 1, 1))
        panel(left, "P, Q and the pull", ("x", -7, 7), ("", -1.25, 1.0), yticks=[])
        p = mixture(XS, MEANS, SCALES, WEIGHTS)
        left.plot(XS, p, color=COLORS["p"])
        plots.fill(left, XS, 0, p, "p")
        plots.label(left, -1.5, 0.53, "P", "p", fontsize=13)
        left.axhline(-0.75, color=COLORS["mixture"], linestyle=":", linewidth=1)
        plots.label(left, -6.8, -0.3, "witness, scaled", "critic", ha="left", fontsize=10)
        self.q, self.witness = density(left, "q", "Q"), curve(left, "critic")
        units = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
        self.arrows = moving(left.quiver(*np.zeros((4, 12)), color=COLORS["q"], **units))
        share = ("MMD (1: the largest here)", 0, 1.05)
        panel(middle, "As Q moves", ("location of Q", -5.5, 5.5), share)
        panel(right, "As Q widens", ("width of Q", -0.2, 4.2), ("", 0, 1.05))
        self.curves = [(curve(ax, "highlight"), dot(ax, "q")) for ax in (middle, right)]

    def update(self, bandwidth, family, shift, spread):
        q = normal(XS, shift, spread)
        q = q * min(1, 0.85 / q.max())  # a narrow one is cut down to the picture
        self.q.move(XS, q)
        self.q.name.move(shift, q.max() + 0.01)
        widths = tuple(round(bandwidth, 9) * np.array(FAMILIES[family]))
        f, _ = witness(XS, widths, shift, spread)
        self.witness.move(XS, -0.75 + 0.42 * f / np.abs(f).max())
        points = shift + spread * POINTS
        _, slope = witness(points, widths, shift, spread)
        strongest = np.abs(slope).max()
        self.arrows.set_offsets(np.c_[points, np.full(len(points), -0.1)])
        self.arrows.set_UVC(1.2 * slope / max(strongest, 1e-30), 0 * slope)
        moved, widened = mmd(widths, SHIFTS, spread), mmd(widths, shift, SPREADS)
        here, most = float(mmd(widths, shift, spread)), max(moved.max(), widened.max())
        ways = (SHIFTS, moved, shift), (SPREADS, widened, spread)
        for (line, point), (xs, ys, x) in zip(self.curves, ways, strict=True):
            line.move(xs, ys / most)
            point.move(x, here / most)
        return {
            "MMD": f"{here:.4f}",
            "strongest pull (slope of the witness)": f"{strongest:.2g}",
            "pull on the mean of Q": f"{slope.mean():+.2g}",
        }


def _blurred(x, mean, scale, b):
    """``E k(x, y)`` for y ~ N(mean, scale^2) and the RBF kernel of bandwidth b."""
    variance = b**2 + scale**2
    return b / np.sqrt(variance) * np.exp(-((x - mean) ** 2) / (2 * variance))


def witness(x, widths, shift, spread):
    """The witness ``E k(x, p) - E k(x, q)`` at ``x`` and its slope, for a sum of kernels."""
    value, slope = np.zeros_like(x), np.zeros_like(x)
    weights, means, scales = (*WEIGHTS, -1.0), (*MEANS, shift), (*SCALES, spread)
    for b in widths:
        for weight, mean, scale in zip(weights, means, scales, strict=True):
            part = weight * _blurred(x, mean, scale, b)
            value += part
            slope += part * (mean - x) / (b**2 + scale**2)
    return value, slope


def mmd(widths, shift, spread):
    """The MMD of P and N(shift, spread^2), in closed form; arrays are taken elementwise."""
    total = 0.0
    for b in widths:
        total = total + _within(b) + _blurred(0, 0, np.sqrt(2) * spread, b)
        for weight, mean, scale in zip(WEIGHTS, MEANS, SCALES, strict=True):
            total = total - 2 * weight * _blurred(shift, mean, np.hypot(scale, spread), b)
    return np.sqrt(np.maximum(total, 0)) + 0 * (shift + spread)


@functools.lru_cache
def _within(b):
    """``E k(p, p')`` of P."""
    pairs = _blurred(MEANS[:, None], MEANS, np.hypot(SCALES[:, None], SCALES), b)
    return WEIGHTS @ pairs @ WEIGHTS


# The trainings: one seed of most on the page, three or five of each stored

BANDWIDTHS = experiments.preset("gmmn", "ring").options["bandwidths"]
STEPS, DIGIT_STEPS = 1000, 800

SETTINGS = {
    "gan": "GAN",
    "gmmn": "GMMN",
    "mnist": "GMMN, MNIST bandwidths",
    "narrow": "bandwidth 0.02",
    "middle": "bandwidth 0.2",
    "wide": "bandwidth 16",
    "pixels": "pixels matched",
    "codes": "codes matched",
}
SINGLE = {"narrow": 0.02, "middle": 0.2, "wide": 16.0}


def ring_points():
    """2,000 points of the ring, ``(2000, 2)``."""
    return data.toy("ring").sample(2000, seed=(0, 1)).numpy()


def with_momentum(kind, seed, **options):
    """A GAN or a GMMN of points with Adam as Keras has it: momentum 0.9, one rate throughout."""
    nets = experiments.default_networks(kind, (2,), width=64, seed=seed)
    model = kind(*nets, seed=seed, **options)
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.9) for _ in nets))
    return model


def train(setting, seed=0, **film):
    """The model of "gan", "gmmn" or "mnist" after `STEPS` steps with momentum 0.9."""
    options = {"bandwidths": BANDWIDTHS} if setting == "gmmn" else {}

    def make(seed):
        return with_momentum(GAN if setting == "gan" else GMMN, seed, **options)

    how = {"steps": STEPS, "batch_size": 256, "seeds": [seed]} | film
    return experiments.over_seeds(make, ring_points(), **how)[0]


class OneBandwidth(GMMN):
    """A GMMN with one Gaussian kernel, whose bandwidth is a variable: one graph trains any."""

    def __init__(self, generator, bandwidth, **options):
        super().__init__(generator, kernel=self._alike, **options)
        self.bandwidth = self.add_state("bandwidth", bandwidth)

    def _alike(self, x, y):
        return tf.exp(-kernels.squared_distances(x, y) / (2 * self.bandwidth.value**2))


def with_one_bandwidth(settings, seed=0):
    """The models of some of `SINGLE` after 400 steps, at the preset's optimizer."""

    def make(setting):
        nets = experiments.default_networks("gmmn", (2,), width=64, seed=seed)
        how = {"bandwidth": SINGLE[setting], "seed": seed}
        return experiments.build(OneBandwidth, "ring", nets, 400, **how)

    ring = experiments.density("ring")
    return experiments.over_seeds(make, ring, steps=400, batch_size=256, seeds=settings)


def on_pixels(seed=0, **film):
    """The trial of `DIGIT_STEPS` steps on digits, as `experiments.on_digits` gives it."""
    return experiments.on_digits("gmmn", seed=seed, steps=DIGIT_STEPS, **film)


def on_codes(seed=0):
    """An autoencoder of digits, and a GMMN that has matched its codes: both trained."""
    digits, _ = data.images("digits")
    copier = networks.autoencoder((8, 8, 1), 8, 128, output_activation="sigmoid", seed=seed)
    copier.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    keras.utils.set_random_seed(seed)
    copier.fit(digits, digits, batch_size=64, epochs=40, verbose=0)
    codes = copier.get_layer("encoder")(digits)
    usual = float(kernels.median_heuristic(codes, codes))
    nets, bandwidths = [networks.mlp(16, 8, 256, seed=seed)], usual * np.float64([0.25, 0.5, 1, 2])
    how = {"bandwidths": bandwidths.tolist(), "autoencoder": copier, "seed": seed}
    model = experiments.build("gmmn", "digits", nets, DIGIT_STEPS, **how)
    model.fit(digits, batch_size=256, steps_per_epoch=DIGIT_STEPS, verbose=0)
    return copier, model


def run(setting, seed):
    """One stored run: `scores` on the ring, or how samples are read as digits."""
    found = dict.fromkeys(("modes", "quality", "distance", "read", "classes", "copied"), np.nan)
    if setting == "pixels":
        return found | read(on_pixels(seed).score)
    if setting == "codes":
        return found | read_codes(*on_codes(seed))
    if setting in SINGLE:
        return found | scores(with_one_bandwidth([setting], seed)[0])
    return found | scores(train(setting, seed))


def scores(model):
    """Modes, share of high quality and distance of 2,500 samples on the ring."""
    found = experiments.score_points(model.sample(2500, seed=1).numpy(), "ring")
    return dict(zip(("modes", "quality", "distance"), found, strict=True))


def read(score):
    """The share of generated digits that is read as one, and the classes."""
    return {"read": score.confident, "classes": score.classes}


def read_codes(copier, model):
    """The same of 1,000 samples of `on_codes`, and the share read of its copies of real digits."""
    held_out, _ = data.images("digits", "test")
    made = metrics.class_scores(model.sample(1000, seed=1).numpy())
    return read(made) | {"copied": metrics.class_scores(copier(held_out)).confident}


# Exercises


@exercise("36_gmmn/1")
def linear_kernel():
    """MMD^2 (V-statistic) of (0, 2) and (1, 5) under the kernel k(x, y) = x y."""

    def linear(x, y):
        return tf.matmul(x, y, transpose_b=True)

    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    truth = float(mmd2(x, y, linear, unbiased=False))
    return Number(
        truth,
        tolerance=0.005,
        right="with this kernel MMD^2 is the squared gap of the means, and nothing more is seen.",
        mistakes=[
            (np.sqrt(truth), "That is the MMD; its square is asked for."),
            (
                float(mmd2(x, y, linear, unbiased=True)),
                "That is the U-statistic; the V-statistic keeps each point's pair with itself.",
            ),
        ],
    )


OWN_STEPS = 1300  # of the exercise's training


@exercise("36_gmmn/2")
def moment_matching():
    """Write loss(x, y): the U-statistic of MMD^2, and train a generator on it."""

    def inputs(rng):
        return tuple(rng.normal(m, 1, (16, 2)).astype(np.float32) for m in (0.0, 0.5))

    def means(x, y, pairs=16 * 15, between=2.0, kernel=None):
        kernel = kernel or kernels.rbf(BANDWIDTHS)
        within = [tf.reduce_sum(kernel(z, z)) - 16 * kernel(z[:1], z[:1])[0, 0] for z in (x, y)]
        return sum(within) / pairs - between * tf.reduce_mean(kernel(x, y))

    def train(loss):
        def both(model, real, fake):
            return tf.constant(0.0), loss(real, fake)

        return beats_the_circle(GMMN, both, OWN_STEPS)

    def statistic(x, y):
        return mmd2(x, y, kernels.rbf(BANDWIDTHS), unbiased=True)

    return Losses(
        statistic,
        inputs,
        train,
        names=["loss"],
        right="no pair of a point with itself, and no root.",
        mistakes=[
            (
                "loss",
                lambda x, y: mmd2(x, y, kernels.rbf(BANDWIDTHS), unbiased=False),
                "that is the V-statistic: leave out the pairs of a point with itself.",
            ),
            (
                "loss",
                lambda x, y: means(x, y, pairs=16 * 16),
                "without the pairs of a point with itself only n (n - 1) are left: divide by that.",
            ),
            (
                "loss",
                lambda x, y: means(x, y, between=1.0),
                "take the mean between x and y off twice, not once.",
            ),
            (
                "loss",
                lambda x, y: statistic(x, y) / len(BANDWIDTHS),
                "add the kernels of the bandwidths up; that is their mean.",
            ),
            (
                "loss",
                lambda x, y: means(x, y, kernel=kernels.rbf([b / 2**0.5 for b in BANDWIDTHS])),
                "divide the squared distance by 2 b^2, not by b^2.",
            ),
            (
                "loss",
                lambda x, y: kernels.safe_sqrt(statistic(x, y)),
                "that is the root: single values of the U-statistic can be negative.",
            ),
        ],
    )


@exercise("36_gmmn/3")
def too_narrow():
    """What a narrow kernel does to generated points far from the real ones."""
    return Choice(
        right_choice="they push each other apart",
        why="each kernel ends a few bandwidths from its centre: only other generated points are "
        "near enough to be felt, and from those they are pushed away.",
        wrong={
            "they move to the real points": "A pull towards the real points needs a kernel that "
            "reaches them; this ends long before.",
            "their mean moves": "A narrow kernel does not see means: a wide one does.",
        },
    )
