"""Lecture 36: the generative moment matching network."""

import functools

import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2
from genlib.lectures.maths import mixture, normal
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


@exercise("36_gmmn/2")
def squared_mmd():
    """Write mmd2(x, y, b): the V-statistic with one RBF kernel."""

    def inputs(rng):
        d = int(rng.integers(1, 4))
        return rng.normal(size=(5, d)), rng.normal(1, 1, size=(7, d)), float(rng.uniform(0.5, 2))

    def gram(x, y, b):
        return np.exp(-np.sum((x[:, None] - y[None]) ** 2, -1) / (2 * b**2))

    def formula(x, y, b):
        return gram(x, x, b).mean() + gram(y, y, b).mean() - 2 * gram(x, y, b).mean()

    return Function(
        lambda x, y, b: float(mmd2(x, y, kernels.rbf(b), unbiased=False)),
        inputs,
        tolerance=1e-5,
        right="two averages within, twice the one between taken off.",
        mistakes=[
            (
                lambda x, y, b: formula(x, y, b) + gram(x, y, b).mean(),
                "Take the average between the samples off twice, not once.",
            ),
            (
                lambda x, y, b: float(mmd2(x, y, kernels.rbf(b), unbiased=True)),
                "That is the U-statistic: keep the pairs of a point with itself.",
            ),
            (
                lambda x, y, b: formula(x, y, b / np.sqrt(2)),
                "Divide the squared distance by 2 b^2, not by b^2.",
            ),
            (lambda x, y, b: np.sqrt(formula(x, y, b)), "That is the root: return MMD^2 itself."),
        ],
        calls=8,
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
