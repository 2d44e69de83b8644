"""A Gaussian fitted to two humps: the two directions of KL, each with its own best fit."""

import numpy as np
import tensorflow as tf
from matplotlib.colors import BoundaryNorm
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

FORWARD, REVERSE = "KL(P‖Q)", "KL(Q‖P)"
HUMP = 0.6  # the scale of each hump of P
MEANS, SCALES, STEP = (-4.0, 4.0), (0.3, 4.0), 0.2
LEVELS = (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)  # nats above the lowest value


class KLFit(Scene):
    title = "One Gaussian for two humps"
    alt = (
        "Left: the density of P, two humps in blue, a Gaussian Q in vermillion, and dashed the "
        "best Gaussians for the chosen direction of the Kullback-Leibler divergence. Right: a map "
        "of that divergence over the mean and the scale of Q, with a dot for Q and stars where it "
        "is lowest."
    )
    size = (9.4, 4.0)

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
        left.set(title="Densities", xlabel="x", ylabel="density", xlim=(-7, 7), ylim=(0, 1.5))
        self.curves, self.shades, self.names = {}, {}, {}
        for name in ("p", "q"):
            (self.curves[name],) = left.plot(self.xs, 0 * self.xs, color=COLORS[name], zorder=3)
            self.shades[name] = plots.fill(left, self.xs, 0, 0, name)
            self.names[name] = plots.label(left, 0, 0, name.upper(), name, fontsize=13)
        dashes = {"color": "black", "linestyle": (0, (4, 2)), "linewidth": 1.3, "zorder": 4}
        self.best = [left.plot(self.xs, 0 * self.xs, **dashes)[0] for _ in range(3)]
        plots.label(left, 0.02, 0.98, "dashed: every Q with a ★", ha="left", va="top",
                    fontsize=10, transform=left.transAxes)  # fmt: skip

        # The scale's axis is that of its logarithm, so that the map is an evenly spaced image.
        low, high = np.log2(SCALES)
        right.set(title="The divergence of every Q", xlabel="mean of Q", ylabel="scale of Q",
                  xlim=MEANS, ylim=(low, high))  # fmt: skip
        ticks = (0.3, 0.5, 1, 2, 4)
        right.set_yticks(np.log2(ticks), [f"{tick:g}" for tick in ticks])
        right.grid(False)
        means, scales = np.linspace(*MEANS, 121), np.geomspace(*SCALES, 81)
        self.grid = means, scales[:, None]
        self.map = right.imshow(
            np.zeros((81, 121)), extent=(*MEANS, low, high), origin="lower", aspect="auto",
            interpolation="bilinear", interpolation_stage="data", cmap="viridis_r",
            norm=BoundaryNorm(LEVELS, 256, extend="max"),
        )  # fmt: skip
        bar = right.figure.colorbar(self.map, ax=right, label="nats above the lowest")
        bar.set_ticks(LEVELS[:-1], labels=[f"{level:g}" for level in LEVELS[:-1]])
        mark = {"markeredgecolor": "white", "linestyle": "none"}
        (self.stars,) = right.plot([], [], "*", ms=17, color="black", zorder=5, **mark)
        (self.dot,) = right.plot([], [], "o", ms=11, mew=2, color=COLORS["q"], zorder=6, **mark)
        self.optima = _reverse_optima()
        self.numbers = _numbers()
        left_moving = [*self.curves.values(), *self.shades.values(), *self.names.values()]
        return [*left_moving, *self.best, self.map, self.stars, self.dot]

    def update(self, separation, mean, scale, direction):
        ys = {"p": _two_humps(self.xs, separation), "q": _bell(self.xs, mean, scale)}
        for name, place in (("p", -separation / 2), ("q", mean)):
            self.curves[name].set_ydata(ys[name])
            plots.set_fill(self.shades[name], self.xs, 0, ys[name])
            self.names[name].set_position((place, ys[name].max() + 0.01))
        self.left.set_ylim(0, 0.8 if ys["q"].max() < 0.7 else 1.5)
        if abs(mean + separation / 2) < 0.7 and abs(ys["p"].max() - ys["q"].max()) < 0.15:
            self.names["p"].set_position((-separation / 2 - 0.9, ys["p"].max() + 0.01))

        if direction == FORWARD:
            values, best = _forward(*self.grid, separation), [_moments(separation)]
        else:
            values, best = _reverse(*self.grid, separation), self.optima[round(separation / STEP)]
        lowest = min(_map_of(direction)(m, s, separation) for m, s in best)
        self.map.set_data(np.maximum(values - lowest, 0))
        for i, line in enumerate(self.best):
            line.set_ydata(_bell(self.xs, *best[i]) if i < len(best) else np.nan * self.xs)
        self.stars.set_data([m for m, _ in best], [np.log2(s) for _, s in best])
        self.dot.set_data([mean], [np.log2(scale)])

        forward, reverse = self.numbers(
            *(tf.constant(v, tf.float32) for v in (separation, mean, scale))
        )
        return {
            FORWARD: f"{abs(forward):.3f} nats",
            REVERSE: f"{abs(reverse):.3f} nats",
            f"★ of {direction}": ", ".join(f"N({m:.2f}, {s:.2f}²)" for m, s in best),
        }


def _bell(x, mean, scale):
    return np.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


def _two_humps(x, separation):
    return (_bell(x, -separation / 2, HUMP) + _bell(x, separation / 2, HUMP)) / 2


def _moments(separation):
    """The mean and the scale of P, where the forward KL is lowest."""
    return 0.0, np.hypot(HUMP, separation / 2)


# The maps are right up to a constant, for it is only their height above the lowest that shows.


def _forward(mean, scale, separation):
    variance = _moments(separation)[1] ** 2
    return np.log(scale) + (variance + mean**2) / (2 * scale**2)


def _standard_normal(points):
    z = np.linspace(-5, 5, points)
    return z, np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()


def _reverse(mean, scale, separation):
    """``-H(Q) - E_Q log p``, with log p = -x^2 / (2 HUMP^2) + log cosh(x tilt) + constant."""
    tilt = separation / 2 / HUMP**2
    z, weights = _standard_normal(41)
    x = np.abs(tilt * (np.asarray(mean)[..., None] + np.asarray(scale)[..., None] * z))
    log_cosh = (x + np.log1p(np.exp(-2 * x))) @ weights - np.log(2)
    return -np.log(scale) + (mean**2 + scale**2) / (2 * HUMP**2) - log_cosh


def _map_of(direction):
    return _forward if direction == FORWARD else _reverse


def _reverse_optima():
    """The local minima of the reverse KL, (mean, scale), for each place of the separation slider.

    Gradient descent from each hump and from the middle. By symmetry the middle's mean stays at 0;
    the second derivative there is positive, though barely so for humps far apart.
    """
    separation = STEP * np.arange(31)
    half = separation / 2
    mean = np.stack([-half, 0 * half, half])
    scale = np.stack([0 * half + HUMP, _moments(separation)[1], 0 * half + HUMP])
    tilt = half[:, None] / HUMP**2
    z, weights = _standard_normal(241)
    for _ in range(400):
        pull = np.tanh(tilt * (mean[..., None] + scale[..., None] * z)) * tilt
        mean = mean - 0.05 * (mean / HUMP**2 - pull @ weights)
        scale = scale - 0.05 * (scale / HUMP**2 - 1 / scale - pull @ (weights * z))
    return [_distinct(zip(mean[:, i], scale[:, i], strict=True)) for i in range(len(separation))]


def _distinct(fits):
    fits = [(m if abs(m) > 1e-6 else 0.0, s) for m, s in fits]  # no -0.00 in what is printed
    found = []
    for m, s in fits:
        if all(abs(m - other) > 0.15 for other, _ in found):
            found.append((float(m), float(s)))
    return found


def _numbers():
    """Return a compiled function of the three sliders: KL both ways, in nats."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)] * 3, autograph=False)
    def numbers(separation, mean, scale):
        humps = tfd.Normal(tf.stack([-separation / 2, separation / 2]), tf.constant([HUMP, HUMP]))
        p = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), humps)
        q = tfd.Normal(mean, scale)
        return divergences.kl(p, q), divergences.kl(q, p)

    return numbers
