"""Lecture 21: a VAE on real digits."""

from collections.abc import Callable

import numpy as np
from matplotlib import colormaps

from genlib import data, plots, validate
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
    reveals = (({"beta": 0.1}, {}, {"beta": 10.0}), {"beta": 31.6}, {"beta": 200.0})

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


# Explorers of a trained model: ``Explorer(LatentMap(vae.decode, codes, labels))``


class LatentMap(Scene):
    """Two latents as a map of codes; sliders move a point on it, and you see what it decodes to.

    Args:
      decode: maps latents ``(n, 2)`` to pictures ``(n, h, w)`` or ``(n, h, w, c)`` in [0, 1].
      codes: ``(n, 2)``, where the encoder puts some examples.
      labels: ``(n,)`` whole numbers; the middle of each class is marked with its number.

    Raises:
      ValueError: codes that are not ``(n, 2)``, or labels of another length.
    """

    title = "Walk over the latents"
    alt = (
        "Left: the codes of pictures as a cloud of dots in the plane of the two latents, each "
        "class with its number at its middle, and a ring where the sliders stand. Right: the "
        "picture that the model decodes from there."
    )
    size = (9.2, 4.4)

    def __init__(self, decode: Callable, codes, labels):
        self.decode = decode
        self.codes = validate.samples("codes", codes).numpy()
        self.labels = np.asarray(labels)
        if self.codes.shape[1] != 2 or self.labels.shape != (len(self.codes),):
            raise ValueError(
                f"codes must have shape (n, 2) and labels (n,); got {self.codes.shape} and "
                f"{self.labels.shape}"
            )

    def controls(self):
        return {name: slider(name, 0.0, -3.0, 3.0, 0.1) for name in ("z1", "z2")}

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        draw_codes(left, self.codes, self.labels)
        self.ring = dot(left, "black", 15, markerfacecolor="none", markeredgewidth=3)
        self.picture = moving(plots.images(right, self.decode(np.zeros((1, 2), np.float32))))
        right.set_title("decoded from the ring")

    def update(self, z1, z2):
        self.ring.move(z1, z2)
        self.picture.set_data(plots.sheet(self.decode(np.float32([[z1, z2]]))))
        nearest = np.argsort(np.sum((self.codes - [z1, z2]) ** 2, 1))[:20]
        found, counts = np.unique(self.labels[nearest], return_counts=True)
        return {
            "the 20 nearest codes": ", ".join(
                f"{count} of class {label}"
                for label, count in sorted(zip(found, counts, strict=True), key=lambda x: -x[1])
            )
        }


def draw_codes(ax, codes, labels) -> None:
    """Scatter 2-D codes ``(n, 2)``, with the number of each class at the middle of its codes."""
    shades = np.array(colormaps["tab10"].colors)  # as many as there are digits
    order = {label: i for i, label in enumerate(np.unique(labels))}
    colors = shades[[order[label] % len(shades) for label in labels]]
    ax.scatter(*np.transpose(codes), s=7, color=colors, alpha=0.5, linewidths=0)
    for label, i in order.items():
        middle = np.median(codes[labels == label], 0)
        ring = {"boxstyle": "circle,pad=0.15", "facecolor": "white"}
        ring["edgecolor"] = shades[i % len(shades)]
        text = ax.text(*middle, str(label), ha="center", va="center", color="black", bbox=ring)
        text.set(fontsize=14, fontweight="bold")
    panel(ax, "codes of real pictures", ("z1", -4, 4), ("z2", -4, 4), aspect="equal")


class Interpolation(Scene):
    """Two pictures and the way from one to the other: through the latents, and through pixels.

    Args:
      model: has ``encode(x)``, whose first part is the codes ``(n, d)``, and ``decode(z)``.
      pictures: ``(n, h, w, c)`` in [0, 1], n at least 2: those to choose from.

    Raises:
      ValueError: fewer than two pictures, or pictures of another shape.
    """

    title = "From one picture to another"
    alt = (
        "Two rows of nine pictures that lead from one real picture to another. Upper row: decoded "
        "from points on the straight line between their codes. Lower row: a plain fade between "
        "the pixels. Orange frames mark how far the slider is along."
    )
    size = (9.2, 2.9)
    steps = 9

    def __init__(self, model, pictures):
        self.pictures = np.asarray(pictures, np.float32)
        if self.pictures.ndim != 4 or len(self.pictures) < 2:
            raise ValueError(
                f"pictures must have shape (n, h, w, c), n at least 2; got {self.pictures.shape}"
            )
        self.codes = np.asarray(model.encode(self.pictures)[0])
        self.decode = model.decode

    def controls(self):
        last = len(self.pictures) - 1
        return {
            "first": slider("from picture", 0, 0, last, 1),
            "second": slider("to picture", 1, 0, last, 1),
            "step": slider("step", (self.steps - 1) // 2, 0, self.steps - 1, 1),
        }

    def stage(self, fig):
        axes = fig.subplots(2, 1)
        blank = np.zeros((self.steps, *self.pictures.shape[1:3]), np.float32)
        self.rows = moving([plots.images(ax, blank, columns=self.steps) for ax in axes])
        axes[0].set_title("through the latents")
        axes[1].set_title("through the pixels")
        self.frames = [curve(ax, "highlight", linewidth=3, clip_on=False) for ax in axes]

    def update(self, first, second, step):
        share = np.linspace(0, 1, self.steps, dtype=np.float32)[:, None]
        ends = [first, second]
        codes = np.concatenate([1 - share, share], 1) @ self.codes[ends]
        self.rows[0].set_data(plots.sheet(self.decode(codes), self.steps))
        share = share[:, :, None, None]
        faded = (1 - share) * self.pictures[first] + share * self.pictures[second]
        self.rows[1].set_data(plots.sheet(faded, self.steps))
        height, width = self.pictures.shape[1:3]
        for frame in self.frames:
            corners = np.array([0, width, width, 0, 0]) - 0.5 + step * (width + 1)
            frame.move(corners, np.array([0, 0, height, height, 0]) - 0.5)
        distance = float(np.linalg.norm(self.codes[second] - self.codes[first]))
        there = float(share[step, 0, 0, 0])
        return {"share of the way": f"{there:.0%}", "distance between the codes": distance}


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
