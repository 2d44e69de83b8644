"""Lecture 10: the Kullback-Leibler divergence."""

import numpy as np
import tensorflow as tf
from matplotlib.colors import BoundaryNorm
from tensorflow_probability import distributions as tfd

from genlib import divergences
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kl
from genlib.lectures.maths import mixture, normal
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, image, key, panel, shade

# Explorer: kl

FORWARD, REVERSE = "KL(P‖Q)", "KL(Q‖P)"
INTEGRANDS = {FORWARD: "p(x) log (p(x) / q(x))", REVERSE: "q(x) log (q(x) / p(x))"}
# Few heights for the right panel: each change redraws the axes.
HEIGHTS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@scene("kl")
class KL(Scene):
    """KL between two Gaussians: the densities, and the integrand whose signed area it is."""

    title = "The Kullback-Leibler divergence of two Gaussians"
    alt = (
        "Left: the densities of two Gaussians, P in blue and Q in vermillion. Right: the integrand "
        "of the Kullback-Leibler divergence; its area above zero less its area below is the "
        "divergence. Sliders move the mean and the scale of both."
    )
    size = (9.4, 3.8)
    reveals = (
        ({}, {"direction": REVERSE}),
        ({"mean_q": 0.0, "scale_q": 0.3}, {"mean_q": 0.0, "scale_q": 3.0, "direction": REVERSE}),
        ({}, {"mean_q": 0.0}),
    )

    def controls(self):
        return {
            "mean_q": slider("mean of Q", 1.5, -4.0, 4.0, 0.1),
            "scale_q": slider("scale of Q", 1.0, 0.3, 3.0, 0.1),
            "mean_p": slider("mean of P", 0.0, -4.0, 4.0, 0.1),
            "scale_p": slider("scale of P", 1.0, 0.3, 3.0, 0.1),
            "direction": choice("integrand of", [FORWARD, REVERSE]),
        }

    def stage(self, fig):
        self.xs = np.linspace(-10, 10, 601, dtype=np.float32)
        left, right = self.axes = fig.subplots(1, 2)
        panel(left, "Densities", ("x", -8, 8), ("density", 0, 1.6))
        panel(right, INTEGRANDS[FORWARD], ("x", -8, 8), ("integrand (nats per unit x)", -1, 1))
        for ax in self.axes:
            ax.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
        right.axhline(0, color="#8c8c8c", linewidth=1)
        key(right, 0.98, 0.98, {"adds": "highlight"})
        key(right, 0.98, 0.02, {"takes away": "accent"})
        self.p, self.q = (density(left, name, name.upper()) for name in "pq")
        self.above, self.below = (shade(right, role, 0.6) for role in ("highlight", "accent"))
        self.line = curve(right, "mixture")

    def update(self, mean_q, scale_q, mean_p, scale_p, direction):
        xs = self.xs
        parameters = tf.constant([mean_p, scale_p, mean_q, scale_q], tf.float32)
        forward, reverse, entropy, log_p, log_q = (v.numpy() for v in _numbers(parameters, xs))
        self.p.move(xs, np.exp(log_p))
        self.q.move(xs, np.exp(log_q))
        peak_p, peak_q = np.exp(log_p).max(), np.exp(log_q).max()
        top = _first_above(max(peak_p, peak_q), (0.5, 1, 2))
        self.axes[0].set_ylim(0, top)
        on_top = abs(mean_p - mean_q) < 0.6 and abs(peak_p - peak_q) < 0.1 * top
        self.p.name.move(mean_p, peak_p + (0.11 if on_top else 0.02) * top)
        self.q.name.move(mean_q, peak_q + 0.02 * top)

        first, second = (log_p, log_q) if direction == FORWARD else (log_q, log_p)
        ys = np.exp(first) * (first - second)
        self.line.move(xs, ys)
        self.above.move(xs, 0, np.maximum(ys, 0))
        self.below.move(xs, 0, np.minimum(ys, 0))
        height = _first_above(ys.max(), HEIGHTS)
        self.axes[1].set_ylim(-max(0.5, 0.1 * height), height)
        self.axes[1].set_title(INTEGRANDS[direction])
        numbers = {
            FORWARD: forward,
            REVERSE: reverse,
            "entropy H(P)": entropy,
            "cross-entropy H(P, Q) = H(P) + KL(P‖Q)": entropy + forward,
        }
        return {name: f"{value:.3f} nats" for name, value in numbers.items()}


def _first_above(value, heights):
    return next(height for height in heights if value < 0.85 * height)


@tf.function(input_signature=[tf.TensorSpec([4]), tf.TensorSpec([None])])
def _numbers(parameters, xs):
    """Divergences, entropy and log-densities from ``(mean_p, scale_p, mean_q, scale_q)``."""
    p = tfd.Normal(parameters[0], parameters[1])
    q = tfd.Normal(parameters[2], parameters[3])
    kls = divergences.kl(p, q), divergences.kl(q, p)
    return *kls, p.entropy(), p.log_prob(xs), q.log_prob(xs)


# Explorer: kl_fit

WIDTH = 0.6  # the scale of each component of P
MEANS, SCALES, STEP = (-4.0, 4.0), (0.3, 4.0), 0.2
LEVELS = (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)  # nats above the lowest value


@scene("kl_fit")
class KLFit(Scene):
    """A Gaussian fitted to two modes: the two directions of KL, each with its own best fit."""

    title = "One Gaussian for two humps"
    alt = (
        "Left: the density of P, two humps in blue, a Gaussian Q in vermillion, and dashed the "
        "best Gaussians for the chosen direction of the Kullback-Leibler divergence. Right: a map "
        "of that divergence over the mean and the scale of Q, with a dot for Q and stars where it "
        "is lowest."
    )
    size = (9.4, 4.0)
    reveals = (
        {"mean": 0.0, "scale": 2.1},
        tuple(
            {"direction": REVERSE, "mean": mean, "scale": scale}
            for mean, scale in ((-2.0, 0.6), (0.0, 1.8), (2.0, 0.6))
        ),
        (
            {"direction": REVERSE, "separation": 3.0, "mean": 1.4, "scale": 0.7},
            {"direction": REVERSE, "separation": 2.8, "mean": 0.0, "scale": 1.35},
            {"direction": REVERSE, "separation": 1.0, "mean": 0.0, "scale": 0.8},
            {"direction": FORWARD, "separation": 1.0, "mean": 0.0, "scale": 0.8},
        ),
    )

    def controls(self):
        return {
            "separation": slider("distance of P's humps", 4.0, 0.0, 6.0, STEP),
            "mean": slider("mean of Q", 1.0, *MEANS, 0.1),
            "scale": slider("scale of Q", 1.0, *SCALES, 0.05),
            "direction": choice("map of", [FORWARD, REVERSE]),
        }

    def stage(self, fig):
        self.xs = np.linspace(-7, 7, 401)
        left, right = fig.subplots(1, 2)
        self.left = left
        panel(left, "Densities", ("x", -7, 7), ("density", 0, 1.5))
        self.p, self.q = (density(left, name, name.upper(), zorder=3) for name in "pq")
        dashes = {"linestyle": (0, (4, 2)), "linewidth": 1.3, "zorder": 4}
        self.best = [curve(left, "black", **dashes) for _ in range(3)]
        key(left, 0.02, 0.98, {"dashed: every Q with a ★": "mixture"}, fontsize=10)

        # The scale's axis is that of its logarithm, so that the map is an evenly spaced image.
        low, high = np.log2(SCALES)
        title = "The divergence of every Q"
        panel(right, title, ("mean of Q", *MEANS), ("scale of Q", low, high))
        ticks = (0.3, 0.5, 1, 2, 4)
        right.set_yticks(np.log2(ticks), [f"{tick:g}" for tick in ticks])
        right.grid(False)
        means, scales = np.linspace(*MEANS, 121), np.geomspace(*SCALES, 81)
        self.grid = means, scales[:, None]
        style = {"cmap": "viridis_r", "norm": BoundaryNorm(LEVELS, 256, extend="max")}
        style |= {"interpolation": "bilinear", "interpolation_stage": "data"}
        self.map = image(right, (*MEANS, low, high), **style)
        bar = right.figure.colorbar(self.map, ax=right, label="nats above the lowest")
        bar.set_ticks(LEVELS[:-1], labels=[f"{level:g}" for level in LEVELS[:-1]])
        self.stars = dot(right, "black", 17, "*", markeredgecolor="white", zorder=5)
        self.dot = dot(right, "q", 11, markeredgecolor="white", markeredgewidth=2, zorder=6)
        self.optima = _reverse_optima()
        self.numbers = _fit_numbers()

    def update(self, separation, mean, scale, direction):
        half = separation / 2
        p, q = mixture(self.xs, (-half, half), WIDTH), normal(self.xs, mean, scale)
        self.p.move(self.xs, p)
        self.q.move(self.xs, q)
        self.left.set_ylim(0, 0.8 if q.max() < 0.7 else 1.5)
        on_top = abs(mean + half) < 0.7 and abs(p.max() - q.max()) < 0.15
        self.p.name.move(-half - (0.9 if on_top else 0), p.max() + 0.01)
        self.q.name.move(mean, q.max() + 0.01)

        if direction == FORWARD:
            values, best = _forward(*self.grid, separation), [_fit_moments(separation)]
        else:
            values, best = _reverse(*self.grid, separation), self.optima[round(separation / STEP)]
        lowest = min(_map_of(direction)(m, s, separation) for m, s in best)
        self.map.set_data(np.maximum(values - lowest, 0))
        for i, line in enumerate(self.best):
            line.move(self.xs, normal(self.xs, *best[i]) if i < len(best) else np.nan * self.xs)
        self.stars.move([m for m, _ in best], [np.log2(s) for _, s in best])
        self.dot.move(mean, np.log2(scale))

        forward, reverse = self.numbers(
            *(tf.constant(v, tf.float32) for v in (separation, mean, scale))
        )
        return {
            FORWARD: f"{abs(forward):.3f} nats",
            REVERSE: f"{abs(reverse):.3f} nats",
            f"★ of {direction}": ", ".join(f"N({m:.2f}, {s:.2f}²)" for m, s in best),
        }


def _fit_moments(separation):
    """The mean and the scale of P, where the forward KL is lowest."""
    return 0.0, np.hypot(WIDTH, separation / 2)


# The maps are right up to a constant, for it is only their height above the lowest that shows.


def _forward(mean, scale, separation):
    variance = _fit_moments(separation)[1] ** 2
    return np.log(scale) + (variance + mean**2) / (2 * scale**2)


def _standard_normal(points):
    z = np.linspace(-5, 5, points)
    return z, np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()


def _reverse(mean, scale, separation):
    """``-H(Q) - E_Q log p``, with log p = -x^2 / (2 WIDTH^2) + log cosh(x tilt) + constant."""
    tilt = separation / 2 / WIDTH**2
    z, weights = _standard_normal(41)
    x = np.abs(tilt * (np.asarray(mean)[..., None] + np.asarray(scale)[..., None] * z))
    log_cosh = (x + np.log1p(np.exp(-2 * x))) @ weights - np.log(2)
    return -np.log(scale) + (mean**2 + scale**2) / (2 * WIDTH**2) - log_cosh


def _map_of(direction):
    return _forward if direction == FORWARD else _reverse


def _reverse_optima():
    """The local minima of the reverse KL, (mean, scale), for each value of the separation slider.

    Gradient descent from each mode and from the middle. By symmetry the middle's mean stays at 0;
    the second derivative there is positive, though barely so for modes far apart.
    """
    separation = STEP * np.arange(31)
    half = separation / 2
    mean = np.stack([-half, 0 * half, half])
    scale = np.stack([0 * half + WIDTH, _fit_moments(separation)[1], 0 * half + WIDTH])
    tilt = half[:, None] / WIDTH**2
    z, weights = _standard_normal(241)
    for _ in range(400):
        pull = np.tanh(tilt * (mean[..., None] + scale[..., None] * z)) * tilt
        mean = mean - 0.05 * (mean / WIDTH**2 - pull @ weights)
        scale = scale - 0.05 * (scale / WIDTH**2 - 1 / scale - pull @ (weights * z))
    return [_distinct(zip(mean[:, i], scale[:, i], strict=True)) for i in range(len(separation))]


def _distinct(fits):
    fits = [(m if abs(m) > 0.005 else 0.0, s) for m, s in fits]  # no -0.00 in what is printed
    found = []
    for m, s in fits:
        if all(abs(m - other) > 0.15 for other, _ in found):
            found.append((float(m), float(s)))
    return found


def _fit_numbers():
    """Return a compiled function of the three sliders: KL both ways, in nats."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)] * 3, autograph=False)
    def numbers(separation, mean, scale):
        means = tf.stack([-separation / 2, separation / 2])
        components = tfd.Normal(means, tf.constant([WIDTH, WIDTH]))
        p = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), components)
        q = tfd.Normal(mean, scale)
        return divergences.kl(p, q), divergences.kl(q, p)

    return numbers


# Exercises


@exercise("10_kl/1")
def forward_kl():
    """KL(P || Q) in nats, P = N(0, 1), Q = N(1, 2) (2 is the standard deviation)."""
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 2.0)
    truth = float(kl(p, q))
    return Number(
        truth,
        tolerance=0.005,
        right="the wide Q puts mass wherever P has some, so coding P with Q costs little.",
        mistakes=[
            (float(kl(q, p)), "That is the reverse KL; swap the arguments."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (
                float(kl(p, tfd.Normal(1.0, np.sqrt(2.0)))),
                "The 2 is Q's standard deviation, not its variance.",
            ),
            (-truth, "The sign is wrong: KL is never negative."),
        ],
    )


@exercise("10_kl/2")
def kl_bernoulli():
    """Write kl_bernoulli(p, q): the KL in nats between two Bernoulli distributions."""

    def reference(p, q):
        return kl(tfd.Bernoulli(probs=p), tfd.Bernoulli(probs=q))

    return Function(
        reference,
        inputs=lambda rng: tuple(rng.uniform(0.05, 0.95, size=2)),
        tolerance=1e-4,
        right="both outcomes count, each weighted by its probability under P.",
        mistakes=[
            (lambda p, q: reference(q, p), "That is the reverse KL; swap p and q."),
            (lambda p, q: reference(p, q) / np.log(2), "That is in bits; use np.log."),
            (lambda p, q: -reference(p, q), "The sign is wrong: KL is never negative."),
            (
                lambda p, q: p * np.log(p / q),
                "That counts the outcome 1 only; add the term for the outcome 0.",
            ),
            (
                lambda p, q: -p * np.log(q) - (1 - p) * np.log(1 - q),
                "That is the cross-entropy; subtract the entropy of P.",
            ),
        ],
    )


@exercise("10_kl/3")
def which_direction():
    """A fitted model gives sharp samples, all from one of P's modes: which KL was minimised?"""
    return Choice(
        "KL(Q||P)",
        "the reverse KL asks nothing of Q where P has a mode that Q ignores.",
        wrong={
            "KL(P||Q)": "That is the forward KL; a mode of P where q is almost 0 costs it dearly.",
        },
    )


@exercise("10_kl/4")
def moment_match():
    """Write best_gaussian(weights, means, scales) -> [mean, scale]: the forward KL's best Q."""

    def reference(weights, means, scales):
        mean, second = _moments(weights, means, scales)
        return np.array([mean, np.sqrt(second - mean**2)])

    def variance(weights, means, scales):
        mean, second = _moments(weights, means, scales)
        return np.array([mean, second - mean**2])

    def within_only(weights, means, scales):
        mean, _ = _moments(weights, means, scales)
        return np.array([mean, np.sqrt(weights @ scales**2)])

    def unweighted(weights, means, scales):
        return reference(np.full(len(means), 1 / len(means)), means, scales)

    def heaviest(weights, means, scales):
        return np.array([means[weights.argmax()], scales[weights.argmax()]])

    return Function(
        reference,
        inputs=lambda rng: (
            rng.dirichlet([2.0, 2.0, 2.0]), rng.normal(0, 2, size=3), rng.uniform(0.3, 1.5, size=3)
        ),
        tolerance=1e-4,
        right="the forward KL keeps P's mean and P's variance, however many humps P has.",
        mistakes=[
            (variance, "The second number is the variance; the scale is its square root."),
            (within_only, "The spread of the means is missing: Var = E[x^2] - mean^2."),
            (unweighted, "Weight each hump by its weight."),
            (heaviest, "That is one hump, where the reverse KL may end; match P's moments."),
        ],
    )  # fmt: skip


def _moments(weights, means, scales):
    """The mean of a mixture of Gaussians, and its mean square."""
    return weights @ means, weights @ (means**2 + scales**2)
