"""Lecture 21: a VAE on real digits."""

import numpy as np

from genlib import data, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.lectures.linear_gaussian import water_level
from genlib.plots import COLORS
from genlib.widgets import Scene, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, shade

# Explorer: beta_vae

PIXEL_SCALE = 0.2  # of the pixels' noise
SIDE = 14  # pixels: the digits are shrunk, so that the scene opens at once
SHOWN = 120  # principal directions


@scene("beta_vae")
class BetaVAE(Scene):
    """The best linear beta-VAE of the real digits, in closed form: beta is a water level."""

    title = "Beta is a water level"
    alt = (
        "Left: the variance of the digits along their principal directions, falling, on a "
        "logarithmic axis, with a level; directions that rise above it are orange and are kept. "
        "Middle: distortion against rate, with a dot at this beta. Right: a digit, what comes "
        "back through the latents, and two samples from the prior."
    )
    size = (9.8, 4.0)

    def controls(self):
        return {
            "beta": log_slider("beta", 1, -1, 3, 0.05),
            "digit": slider("the digit", 3, 0, 9, 1),
        }

    def stage(self, fig):
        x, y = data.images("mnist5k")
        flat = shrunk(x).reshape(len(x), -1)
        self.centre = flat.mean(0)
        self.variances, directions = principal(flat)
        self.directions = directions.T
        self.digits = np.stack([flat[np.flatnonzero(y == label)[4]] for label in range(10)])
        self.noise = np.random.default_rng(3).normal(size=(3, len(self.variances)))

        left, middle, right = fig.subplots(1, 3, width_ratios=[1.3, 1.1, 1.1])
        xs, ys = ("principal direction", 1, SHOWN), ("variance", 0.001, 100)
        panel(left, "Variance by direction", xs, ys, yscale="log")
        left.plot(np.arange(1, SHOWN + 1), self.variances[:SHOWN], color=COLORS["real"])
        key(left, 0.97, 0.97, {"the level: beta · scale²": "mixture"}, fontsize=10)
        self.kept, self.level = shade(left, "highlight", 0.6), curve(left, "mixture", ls="--")

        levels = np.geomspace(0.1, 1000, 81) * PIXEL_SCALE**2
        rates, distortions = np.array([self.totals(level) for level in levels]).T
        ys = ("distortion", 0, 1.1 * distortions.max())
        panel(middle, "The trade-off", ("rate (nats)", -6, rates.max()), ys)
        middle.plot(rates, distortions, color=COLORS["mixture"])
        self.dot = dot(middle, "highlight", 11)
        self.sheet = moving(plots.images(right, np.zeros((4, SIDE, SIDE)), columns=2))
        right.set_title("digit, its return;\ntwo samples", fontsize=11)

    def totals(self, level):
        rate, distortion = water_level(self.variances, level)
        return rate.sum(), distortion.sum()

    def update(self, beta, digit):
        level = beta * PIXEL_SCALE**2
        rate, distortion = water_level(self.variances, level)
        shown = self.variances[:SHOWN]
        self.kept.move(np.arange(1, SHOWN + 1), np.minimum(level, shown), shown)
        self.level.move([1, SHOWN], [level, level])
        self.dot.move(rate.sum(), distortion.sum())
        kept = self.variances - distortion  # the decoder's squared weights
        share = kept / np.maximum(self.variances, 1e-12)
        code = share * (self.directions @ (self.digits[digit] - self.centre))
        spread = np.sqrt(share * distortion)  # decoded, of one draw from q(z|x)
        codes = [code + spread * self.noise[0], *np.sqrt(kept) * self.noise[1:]]
        decoded = self.centre + np.stack(codes) @ self.directions
        pictures = np.concatenate([self.digits[digit][None], decoded])
        self.sheet.set_data(plots.sheet(pictures.reshape(-1, SIDE, SIDE), columns=2))
        return {
            "active latents": int(np.sum(rate > 0)),
            "rate": f"{rate.sum():.1f} nats",
            "distortion": f"{distortion.sum():.2f}",
            "level": f"{level:.3g}",
        }


def shrunk(x):
    """Pictures ``(n, 28, 28, 1)`` as float64 ``(n, 14, 14)``: each 2x2 block averaged."""
    return x.reshape(len(x), SIDE, 2, SIDE, 2).mean((2, 4), dtype=np.float64)


def principal(flat) -> tuple[np.ndarray, np.ndarray]:
    """Variances, falling, and principal directions, in columns, of data ``(n, d)``."""
    values, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


# Exercises

VARIANCES = np.array([9.0, 5.0, 3.0, 1.5, 0.5])
BETA, SCALE = 4.0, 0.5


@exercise("21_vae_images/1")
def active_latents():
    """How many of five directions a linear VAE with beta 4 and scale 0.5 keeps."""

    def kept(level):
        return int(np.sum(water_level(VARIANCES, level)[0] > 0))

    return Number(
        kept(BETA * SCALE**2),
        tolerance=0.1,
        right="the level is beta · scale² = 1, and four variances rise above it.",
        mistakes=[
            (kept(BETA * SCALE), "The level has the scale squared."),
            (kept(BETA), "The level is beta times the scale squared, not beta alone."),
            (kept(SCALE**2), "That is with beta = 1."),
        ],
    )


@exercise("21_vae_images/2")
def rate_of_a_direction():
    """The rate, in nats, of the direction with variance 9 at the level 1."""
    truth = float(water_level([9.0], 1.0)[0][0])
    return Number(
        truth,
        tolerance=0.005,
        right="half the log of variance over level.",
        mistakes=[
            (2 * truth, "The 1/2 in front is missing."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (np.log(10) / 2, "log(1 + variance/level) is another channel; here the level is "
             "inside the variance."),
        ],
    )  # fmt: skip


@exercise("21_vae_images/3")
def count_active_units():
    """Write active(means, threshold): how many latents carry anything."""

    def active(means, threshold, reduce=np.var, axis=0):
        return int(np.sum(reduce(means, axis=axis) > threshold))

    def means(rng):
        scale = rng.choice([0.02, 0.2, 0.6, 1.0], size=8)
        return rng.normal(size=(50, 8)) * scale + rng.normal(size=8), 0.1

    return Function(
        active,
        inputs=means,
        tolerance=1e-6,
        right="a latent whose mean does not move from picture to picture says nothing.",
        mistakes=[
            (
                lambda means, threshold: active(means, threshold, np.std),
                "Burda et al. compare the variance with the threshold, not the scale.",
            ),
            (
                lambda means, threshold: active(means, threshold, axis=1),
                "Take the variance over the pictures, axis 0: one number for each latent.",
            ),
            (
                lambda means, threshold: active(
                    means, threshold, lambda m, axis: np.mean(m**2, axis)
                ),
                "A mean that is far from 0 but always the same says nothing: take the variance.",
            ),
        ],
    )


@exercise("21_vae_images/4")
def true_sample():
    """Which picture is a sample of p(x) of a Bernoulli VAE?"""
    return Choice(
        right_choice="drawn pixels",
        why="p(x) is over black and white pixels: draw z, then draw each pixel. The grey picture "
        "is the mean of p(x|z), which hides the noise that the model believes in.",
        wrong={
            "grey levels": "That is the mean of p(x|z): grey levels, which this model gives no "
            "probability.",
            "reconstruction": "A reconstruction starts from a real picture, so it is no sample of "
            "p(x).",
        },
    )
