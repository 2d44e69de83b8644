"""Lecture 51: super-resolution."""

import functools

import keras
import numpy as np
from scipy.ndimage import zoom
from scipy.special import ndtr
from sklearn.datasets import load_sample_image

from genlib import data, experiments, metrics, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import ConditionalGAN, SuperResolutionGAN
from genlib.lectures import shipped
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, shade

# Two pixels and their mean: a world whose posterior is known

PATTERNS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
CHANCES = np.array([0.2, 0.35, 0.25, 0.2])
NOISE = 0.1  # standard deviation of each pixel about its pattern
#: The mean of two pixels, and half of their difference, have this deviation, independently.
HALF = NOISE / np.sqrt(2)
CONTRASTS = (PATTERNS[:, 0] - PATTERNS[:, 1]) / 2
GREYS = PATTERNS.mean(1)


def draw_pairs(n, seed=0):
    """Large pictures ``(n, 2)`` and small ones ``(n, 1)``, float32, of the two-pixel world."""
    rng = np.random.default_rng(seed)
    x = PATTERNS[rng.choice(4, n, p=CHANCES)] + NOISE * rng.normal(size=(n, 2))
    return x.astype(np.float32), x.mean(1, keepdims=True).astype(np.float32)


def shares(grey):
    """``P(pattern | grey)`` for the small picture's ``grey`` ``(...)``: ``(..., 4)``."""
    logs = np.log(CHANCES) - ((np.asarray(grey)[..., None] - GREYS) / HALF) ** 2 / 2
    weights = np.exp(logs - logs.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def posterior_moments(grey):
    """Mean and variance of the contrast, half the pixels' difference, given the small picture."""
    weights = shares(grey)
    mean = weights @ CONTRASTS
    return mean, HALF**2 + weights @ CONTRASTS**2 - mean**2


def sample_posterior(grey, rng):
    """A contrast for each of the small pictures ``grey`` ``(n,)``, drawn from the posterior."""
    pattern = (rng.random(len(grey))[:, None] > shares(grey).cumsum(1)).sum(1)
    return CONTRASTS[np.minimum(pattern, 3)] + HALF * rng.normal(size=len(grey))


def mixed_density(contrast, grey, share):
    """The density of ``mean + share (sample - mean)`` at ``contrast`` ``(n,)``, given one grey."""
    mean, _ = posterior_moments(grey)
    places = mean + share * (CONTRASTS - mean)
    z = (np.asarray(contrast)[:, None] - places) / (share * HALF)
    return (np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)) @ shares(grey) / (share * HALF)


def trade_off(share):
    """What ``mean + share (sample - mean)`` costs a pixel, and how far it is from real pictures.

    Averaged over small pictures; the distance is W1 between the laws of the contrast, of all
    outputs and of all real pictures. Both by quadrature.
    """
    greys = np.linspace(-0.4, 1.4, 361)
    z = (greys[:, None] - GREYS) / HALF
    chance = np.exp(-(z**2) / 2) @ CHANCES
    chance /= chance.sum()
    mean, variance = posterior_moments(greys)
    at = np.linspace(-1, 1, 801)
    places = mean[:, None] + share * (CONTRASTS - mean[:, None])
    steps = ndtr((at - places[..., None]) / max(share * HALF, 1e-9))
    made = np.einsum("g,gk,gka->a", chance, shares(greys), steps)
    real = CHANCES @ ndtr((at - CONTRASTS[:, None]) / HALF)
    error = (1 + share**2) * (chance @ variance)
    return float(error), float(np.abs(made - real).sum() * (at[1] - at[0]))


# Explorer: two_pixels

SHARES = np.round(np.linspace(0, 1, 21), 2)


@scene("two_pixels")
class TwoPixels(Scene):
    """From the posterior's mean to its samples: what an answer costs, and what it looks like."""

    title = "Two pixels from one grey level"
    alt = (
        "Upper left: the plane of two pixels, with real pictures as four blue clouds, the line of "
        "all pictures that shrink to the given grey level, the posterior's mean as a black ring "
        "and outputs in vermillion on that line. Upper middle: the posterior's density along the "
        "line in blue, that of the outputs in vermillion. Upper right: distance to the real "
        "pictures against squared error, a falling curve with a dot. Below: ten outputs as "
        "pictures of two pixels."
    )
    size = (9.8, 4.9)
    reveals = (
        {"share": 0.0},
        ({"share": 0.5}, {"share": 1.0}),
        ({"grey": 0.0, "share": 0.0}, {"grey": 0.0, "share": 1.0}),
        ({"grey": 0.3, "share": 0.5}, {"grey": 0.3, "share": 1.0}),
    )

    def controls(self):
        return {
            "grey": slider("grey level of the small picture", 0.5, 0.0, 1.0, 0.05),
            "share": slider("from mean (0) to sample (1)", 0.3, 0.0, 1.0, 0.05),
        }

    def stage(self, fig):
        axes = fig.subplot_mosaic([["plane", "line", "trade"], ["sheet"] * 3], height_ratios=[4, 1])
        plane, line, trade = axes["plane"], axes["line"], axes["trade"]
        panel(plane, "Pictures of two pixels", ("left pixel", -0.4, 1.4), ("right", -0.4, 1.4))
        plane.set(aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        plane.scatter(*draw_pairs(300)[0].T, s=5, color=COLORS["real"], alpha=0.35, linewidths=0)
        self.level = curve(plane, "mixture", linewidth=1.5)
        self.outputs = dot(plane, "generated", 5, alpha=0.7)
        self.mean = dot(plane, "black", 11, markerfacecolor="none", markeredgewidth=2)
        panel(line, "Along the line", ("contrast", -1, 1), ("density", 0, 6))
        key(line, 0.98, 0.97, {"posterior": "real", "outputs": "generated"}, fontsize=10)
        self.posterior = shade(line, "real", 0.35)
        self.made = curve(line, "generated")

        self.costs = np.array([trade_off(share) for share in SHARES])
        least, most = self.costs[0, 0], self.costs[-1, 0]
        errors = ("squared error", 0.9 * least, 1.08 * most)
        panel(trade, "The trade-off", errors, ("distance to real", -0.015, 0.4))
        trade.plot(*self.costs.T, color=COLORS["mixture"])
        plots.label(trade, 1.05 * least, self.costs[0, 1], "mean", ha="left", fontsize=10)
        plots.label(trade, 0.98 * most, 0.03, "samples", ha="center", fontsize=10)
        self.here = dot(trade, "generated", 10)
        axes["sheet"].set_title("ten outputs, of two pixels each", fontsize=11)
        self.sheet = moving(plots.images(axes["sheet"], np.zeros((10, 10, 18)), columns=10))

    def update(self, grey, share):
        rng, at = np.random.default_rng(0), np.linspace(-1, 1, 401)
        mean, variance = posterior_moments(grey)
        contrast = mean + share * (sample_posterior(np.full(60, grey), rng) - mean)
        self.level.move([grey - 1, grey + 1], [grey + 1, grey - 1])
        self.outputs.move(grey + contrast, grey - contrast)
        self.mean.move(grey + mean, grey - mean)
        self.posterior.move(at, 0, mixed_density(at, grey, 1.0))
        if share:
            self.made.move(at, np.minimum(mixed_density(at, grey, share), 20))
        else:
            self.made.move([mean, mean], [0, 6])
        self.here.move(*self.costs[round(20 * share)])
        pixels = np.stack([grey + contrast[:10], grey - contrast[:10]], 1)
        pictures = np.kron(pixels[:, None], np.ones((8, 8)))
        pictures = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), constant_values=0.6)  # a frame
        self.sheet.set_data(plots.sheet(pictures, columns=10))
        return {
            "squared error here": f"{(1 + share**2) * variance:.4f}",
            "by the least": f"{1 + share**2:.2f}",
            "the outputs shrink to": float(pixels.mean(1).mean()),
        }


# Small pictures and large ones

SIDE = 28
LATENT = 16
WEIGHT = 4e-3  # of the adversarial term, where a setting names no other
STEPS, BATCH = 2000, 64


def shrink(x, rows, columns=None):
    """Pictures ``(n, h, w, c)`` as ``(n, rows, columns, c)``: each block is averaged."""
    columns = columns or rows
    n, height, width, channels = x.shape
    blocks = x.reshape(n, rows, height // rows, columns, width // columns, channels)
    return blocks.mean((2, 4))


def enlarge(small, order, factor):
    """Pictures ``(n, h, w, c)`` by a spline of ``order``, 0 (nearest pixel) to 3 (cubic)."""
    down, across = (_spline(side, order, factor).astype(small.dtype) for side in small.shape[1:3])
    rows = np.einsum("Hh,nhwc->nHwc", down, small)
    return np.clip(np.einsum("Ww,nHwc->nHWc", across, rows), 0, 1)


@functools.cache
def _spline(side, order, factor):
    """What enlarges one side of a picture, as a matrix ``(factor side, side)``: it is linear."""
    spread = {"grid_mode": True, "mode": "nearest", "order": order}
    pictures = [zoom(unit, factor, **spread) for unit in np.eye(side)]
    return np.stack(pictures, 1)


@functools.cache
def digits(size, split):
    """Real digits, shrunk: large ``(n, 28, 28, 1)``, small ``(n, size, size, 1)``, labels."""
    x, y = _large_digits(split)
    return x, shrink(x, size), y


@functools.cache
def _large_digits(split):
    return data.images("mnist5k", split)


# Two real photographs, in patches

FACTOR, CORE, MARGIN = 4, 4, 2  # small pixels: a patch enlarges CORE and sees MARGIN around it
SEEN = CORE + 2 * MARGIN
TRAINED = 107  # columns, of 160, of the shrunk first photograph; the others are held out


@functools.cache
def photographs():
    """scikit-learn's two, ``(424, 640, 3)`` in [0, 1], each with its shrunk and cubic version."""
    found = []
    for name in ("china.jpg", "flower.jpg"):
        large = load_sample_image(name)[None, :424].astype(np.float32) / 255
        small = shrink(large, 106, 160)
        found.append((large[0], small[0], enlarge(small, 3, FACTOR)[0]))
    return found


def patches():
    """What cubic enlargement lacks, ``(n, 16, 16, 3)``, and what is seen, ``(n, 8, 8, 3)``."""

    def cut(picture, side, step):
        found = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(0, 1))
        return np.moveaxis(found[::step, ::step], 2, -1).reshape(-1, side, side, 3)

    detail, seen, inner = [], [], slice(FACTOR * MARGIN, -FACTOR * MARGIN)
    for (large, small, cubic), width in zip(photographs(), (TRAINED, 160), strict=True):
        lack = (large - cubic)[inner, : FACTOR * width][:, inner]
        seen.append(cut(small[:, :width], SEEN, 2))
        detail.append(cut(lack, FACTOR * CORE, 2 * FACTOR))
    return np.concatenate(detail), np.concatenate(seen)


def held_out():
    """The held-out third of the first photograph: large, small, cubic."""
    large, small, cubic = photographs()[0]
    rows, columns = len(small) // CORE * CORE, (160 - TRAINED) // CORE * CORE
    big = np.s_[: FACTOR * rows, FACTOR * TRAINED : FACTOR * (TRAINED + columns)]
    return large[big], small[:rows, TRAINED : TRAINED + columns], cubic[big]


def enlarge_photograph(model, seed=0):
    """`held_out`, enlarged patch by patch and laid side by side."""
    _, small, cubic = held_out()
    (rows, columns, _), side = small.shape, FACTOR * CORE
    wide = np.pad(small, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    seen = [
        wide[row : row + SEEN, column : column + SEEN]
        for row in range(0, rows, CORE)
        for column in range(0, columns, CORE)
    ]
    detail = model.translate(np.stack(seen), seed=seed).numpy()
    detail = detail.reshape(rows // CORE, columns // CORE, side, side, 3).swapaxes(1, 2)
    return np.clip(cubic + detail.reshape(cubic.shape), 0, 1)


def sharpness(picture):
    """The mean step from one pixel to the next, by that of the real photograph."""
    steps = [
        sum(np.abs(np.diff(p, axis=k)).mean() for k in (0, 1)) for p in (picture, held_out()[0])
    ]
    return steps[0] / steps[1]


# Training: `SETTINGS` are the runs that are stored

SETTINGS = {
    "squared": "4x4, squared error alone",
    "light": "4x4, + 0.001 game",
    "each": "4x4, + 0.004 game",
    "heavy": "4x4, + 0.012 game",
    "warm": "4x4, + 0.004 game, from squared error",
    "adversarial": "4x4, the game alone",
    "mean": "4x4, error of the mean + 0.004 game",
    "squared_7": "7x7, squared error alone",
    "each_7": "7x7, + 0.004 game",
    "pair_each": "two pixels, + 0.1 game",
    "pair_adversarial": "two pixels, the game alone",
    "pair_mean": "two pixels, error of the mean + 0.1 game",
    "photo_squared": "photograph, squared error alone",
    "photo_light": "photograph, + 0.02 game",
    "photo_each": "photograph, + 0.05 game",
    "photo_mean": "photograph, error of the mean + 0.004 game",
}
WEIGHTS = {"light": 1e-3, "heavy": 1.2e-2, "pair_each": 0.1, "pair_mean": 0.1}
WEIGHTS |= {"photo_light": 0.02, "photo_each": 0.05}
SCORES = ("psnr", "read", "right", "wrong", "spread", "kinds", "distinct", "consistency",
          "psnr_mean", "sharpness", "error", "variance")  # fmt: skip


class Fined(SuperResolutionGAN):
    """SRGAN that pays a share ``fine`` of the variance over the noise, a variable.

    At 1 its content is the squared error of each output, at 0 that of their mean: one graph trains
    both.
    """

    def __init__(self, *parts, fine, **options):
        super().__init__(*parts, content="mean", **options)
        self.fine = self.add_state("fine", fine)

    def content_loss(self, x, made, again):
        """``E (x - G)(x - fine G - (1 - fine) G')``."""
        return super().content_loss(x, made, self.fine * made + (1 - self.fine) * again)


def size_of(setting):
    """The side of a setting's small digits."""
    return 7 if setting.endswith("_7") else 4


def build(setting, seed):
    """An untrained model of one of `SETTINGS`."""
    side = size_of(setting)
    large, small, latent, width, end = (SIDE, SIDE, 1), (side, side, 1), LATENT, 256, "sigmoid"
    if setting.startswith("pair"):
        large, small, latent, width, end = (2,), (1,), 2, 64, None
    elif setting.startswith("photo"):
        large, small, latent, end = (16, 16, 3), (SEEN, SEEN, 3), 8, None
    generator = networks.conditional_mlp(
        latent, small, large, width, output_activation=end, seed=100 * seed
    )
    critic = networks.conditional_mlp(
        large, small, 1, width, activation="leaky_relu", seed=100 * seed + 50
    )
    options = {"r1": 0.03, "seed": seed}
    if "adversarial" in setting:
        return ConditionalGAN(generator, critic, **options)
    content = "mean" if "mean" in setting else "each"
    weight = 0.0 if "squared" in setting else WEIGHTS.get(setting, WEIGHT)
    if setting.startswith("pair"):
        return Fined(generator, critic, weight, fine=float(content == "each"), **options)
    return SuperResolutionGAN(generator, critic, weight, content, **options)


def falling(steps, rate):
    """Adam whose rate falls along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.05)
    return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)


def compiled(setting, seed=0):
    """A model of one of `SETTINGS`, to be trained for `steps_of` it."""
    model, steps = build(setting, seed), steps_of(setting)
    rate = 5e-4 if setting.startswith("photo") else 2e-3
    model.compile(falling(steps, rate), falling(steps, rate))
    return model


def steps_of(setting):
    """The steps that a setting trains for."""
    return 300 if setting.startswith("photo") else 600 if setting == "warm" else STEPS


def train(setting, seed=0, callbacks=(), start=None):
    """A model of one of `SETTINGS`, trained.

    "warm" begins as the generator of ``start``, a model of "squared", by default of the same seed.
    """
    model, steps = compiled(setting, seed), steps_of(setting)
    if setting == "warm":
        start = start or train("squared", seed)
        model.generator.set_weights(start.generator.get_weights())
    if setting.startswith("pair"):
        pairs = draw_pairs(8000)
    elif setting.startswith("photo"):
        pairs = patches()
    else:
        pairs = digits(size_of(setting), "train")[:2]
    fit = {"batch_size": BATCH, "epochs": 4, "steps_per_epoch": steps // 4, "verbose": 0}
    model.fit(*pairs, callbacks=list(callbacks), **fit)
    model.train_function = None  # the compiled loop, whose memory a page of many models needs
    return model


def train_pairs(*settings):
    """Models of settings "pair_each" and "pair_mean", trained in one graph."""
    models = experiments.over_seeds(
        compiled, draw_pairs(8000), steps=STEPS, seeds=settings, batch_size=BATCH
    )
    models[0].train_function = None
    return models


def run(setting, seed):
    """What one training of `SETTINGS` scores; NaN where a score has no meaning."""
    model = train(setting, seed)
    if setting.startswith("pair"):
        scores = judge_pairs(model)
    elif setting.startswith("photo"):
        scores = judge_photograph(enlarge_photograph(model))
    else:
        scores = judge(outputs(model, digits(size_of(setting), "test")[1], 8), size_of(setting))
    return dict.fromkeys(SCORES, np.nan) | scores


def judge_pairs(model):
    """Squared error of an output and variance over the noise, both by the least squared error."""
    x, grey = draw_pairs(4000, seed=1)
    one, other = (model.translate(grey, seed=seed).numpy() for seed in (2, 3))
    least = posterior_moments(grey[:, 0].astype(float))[1].mean()
    return {
        "error": np.mean((one - x) ** 2) / least,
        "variance": np.mean((one - other) ** 2) / 2 / least,
    }


def judge_photograph(made):
    """Of the held-out part, enlarged: PSNR (dB), sharpness, and how far it shrinks back."""
    large, small, _ = held_out()
    again = shrink(made[None], *small.shape[:2])[0]
    return {
        "psnr": decibels(np.mean((made - large) ** 2)),
        "sharpness": sharpness(made),
        "consistency": np.sqrt(np.mean((again - small) ** 2)),
    }


def outputs(model, small, draws, seed=0):
    """``draws`` outputs for each small picture, ``(draws, n, 28, 28, 1)``."""
    return np.stack([model.translate(small, seed=seed + i) for i in range(draws)])


def decibels(error):
    """The peak signal-to-noise ratio of a mean squared error, for pixels in [0, 1]."""
    return float(-10 * np.log10(error)) if error else np.inf


def judge(made, size):
    """Scores of outputs ``(draws, n, 28, 28, 1)`` for the test digits, shrunk to ``size``.

    One output each: "psnr" (dB), shares "read" as a digit, "right" and "wrong" digit, and
    "consistency", how far an output shrinks from its input (root mean square of a pixel). Over the
    draws: "spread" (standard deviation of a pixel), "kinds" of digits that one input becomes, and
    "psnr_mean" of their mean. Over the inputs: "distinct", the distance of an output to the nearest
    other one, by that of real digits.
    """
    x, small, y = digits(size, "test")
    labels = np.stack([metrics.read_digits(one) for one in made])
    read, right = labels[0] != metrics.NO_DIGIT, labels[0] == y
    return {
        "psnr": decibels(np.mean((made[0] - x) ** 2)),
        "read": read.mean(),
        "right": right.mean(),
        "wrong": np.mean(read & ~right),
        "spread": np.sqrt(made.var(0, ddof=1).mean()) if len(made) > 1 else 0.0,
        "kinds": np.mean([len(set(column) - {metrics.NO_DIGIT}) for column in labels.T]),
        "distinct": apart(made[0]) / apart(x),
        "consistency": np.sqrt(np.mean((shrink(made[0], size) - small) ** 2)),
        "psnr_mean": decibels(np.mean((made.mean(0) - x) ** 2)),
    }


def apart(x):
    """The mean distance of a picture of ``x`` to the nearest other one."""
    flat = x.reshape(len(x), -1)
    squares = (flat**2).sum(1)
    squares = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.maximum(squares.min(1), 0)).mean()


def shipped_outputs(small, draws, seed=0):
    """``draws`` outputs of the shipped network for each small digit, as `outputs` gives."""
    network, rng = shipped.load("sr28"), np.random.default_rng(seed)
    latents = rng.normal(size=(draws, len(small), LATENT)).astype(np.float32)
    return np.stack([network([z, small], training=False) for z in latents])


# Explorer: mean_to_sample

DRAWS = 32  # outputs whose mean stands for the mean of all
SHOWN = (4, 2, 0, 2, 12, 8, 5, 5, 5, 5)  # of each class's test digits, one that is hard; 1 is easy


@scene("mean_to_sample")
class MeanToSample(Scene):
    """Outputs of the shipped network for one small digit, drawn towards their mean or not."""

    title = "From the mean to the samples"
    alt = (
        "Left: a picture of 4x4 pixels and the real digit that it was shrunk from. Middle: the "
        "mean of 32 outputs, a blur. Right: twelve outputs, moved towards their mean as the slider "
        "says."
    )
    size = (9.6, 2.7)
    reveals = (
        ({}, {"share": 0.0}),
        ({"digit": 5}, {"digit": 5, "noise": 1}),
        {"digit": 1},
    )

    def controls(self):
        return {
            "digit": slider("the digit", 7, 0, 9, 1),
            "share": slider("from mean (0) to sample (1)", 1.0, 0.0, 1.0, 0.1),
            "noise": slider("draw", 0, 0, 1, 1),
        }

    def stage(self, fig):
        x, small, y = digits(4, "test")
        rows = [np.flatnonzero(y == digit)[SHOWN[digit]] for digit in range(10)]
        self.real, self.small = x[rows], small[rows]
        self.made = shipped_outputs(self.small, DRAWS)
        self.mean = self.made.mean(0)
        self.labels = metrics.read_digits(self.made.reshape(-1, SIDE, SIDE, 1))
        self.labels = self.labels.reshape(DRAWS, 10)
        axes = fig.subplots(1, 3, width_ratios=[2.05, 1, 4])
        blank = np.zeros((12, SIDE, SIDE))
        titles = ("given, and real", "mean", "twelve outputs")
        self.sheets = []
        for ax, title, n in zip(axes, titles, (2, 1, 12), strict=True):
            self.sheets.append(moving(plots.images(ax, blank[:n], columns=6)))
            ax.set_title(title)

    def update(self, digit, share, noise):
        start = 12 * noise
        shown = self.mean[digit] + share * (self.made[start : start + 12, digit] - self.mean[digit])
        given = enlarge(self.small[digit : digit + 1], 0, 7)
        pair = np.concatenate([given, self.real[digit : digit + 1]])
        for sheet, pictures in zip(self.sheets, (pair, self.mean[digit][None], shown), strict=True):
            sheet.set_data(plots.sheet(pictures, columns=6))
        moved = self.mean[digit] + share * (self.made[:, digit] - self.mean[digit])
        found, counts = np.unique(self.labels[:, digit], return_counts=True)
        names = {metrics.NO_DIGIT: "none"}
        order = np.argsort(-counts)
        return {
            "PSNR of an output": f"{decibels(np.mean((moved - self.real[digit]) ** 2)):.1f} dB",
            "the 32 samples are read as": ", ".join(
                f"{names.get(found[i], found[i])}: {counts[i]}" for i in order
            ),
        }


# Exercises


@exercise("51_super_resolution/1")
def perfect_sampler():
    """The PSNR of a perfect sampler where the best answer has 15 dB."""
    error = 10 ** (-15 / 10)
    return Number(
        decibels(2 * error),
        tolerance=0.03,
        right="twice the squared error, which is 3.01 dB.",
        mistakes=[
            (
                decibels(error),
                "That is the mean's. A sample errs by the posterior's variance more.",
            ),
            (decibels(error) + 10 * np.log10(2), "More error means fewer decibels."),
            (decibels(4 * error), "Decibels of a squared error take 10 log10, not 20."),
            (7.5, "Half the decibels is not twice the error: use 10 log10 of 2."),
        ],
    )


def _softplus(x):
    return np.logaddexp(0, x)


@exercise("51_super_resolution/2")
def the_loss():
    """Write loss(x, made, logits, weight): what the generator minimises."""

    def reference(x, made, logits, weight):
        return np.mean((x - made) ** 2) + weight * np.mean(_softplus(-logits))

    def inputs(rng):
        shape = (6, 4, 4, 1)
        x, made = rng.random(shape), rng.random(shape)
        return x, made, rng.normal(size=(6, 1)) * 2, float(rng.uniform(0.1, 2))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="the mean over pictures and pixels, and the weighted game of the original GAN.",
        mistakes=[
            (
                lambda x, made, logits, weight: (
                    np.mean((x - made) ** 2) + weight * np.mean(_softplus(logits))
                ),
                "That lowers the logits of generated pictures, which is the critic's wish.",
            ),
            (
                lambda x, made, logits, weight: (
                    np.sum((x - made) ** 2) / len(x) + weight * np.mean(_softplus(-logits))
                ),
                "Take the mean over the pixels too, not their sum.",
            ),
            (
                lambda x, made, logits, weight: (
                    np.mean((x - made) ** 2) - weight * np.mean(_softplus(logits))
                ),
                "That is the game of equation 1, whose gradient fades where the critic is sure; "
                "take -log D.",
            ),
            (
                lambda x, made, logits, weight: (
                    np.mean(np.abs(x - made)) + weight * np.mean(_softplus(-logits))
                ),
                "The content is the squared error, not the absolute one.",
            ),
            (
                lambda x, made, logits, weight: (
                    weight * np.mean((x - made) ** 2) + np.mean(_softplus(-logits))
                ),
                "The weight belongs to the game, not to the content.",
            ),
        ],
    )


@exercise("51_super_resolution/3")
def error_of_the_mean():
    """Write content(x, first, second): the squared error of the mean, without a fine on spread."""

    def product(x, first, second):
        return np.mean((x - first) * (x - second))

    def inputs(rng):
        return tuple(rng.random((5, 4, 4, 1)) for _ in range(3))

    return Function(
        product,
        inputs,
        tolerance=1e-5,
        right="the chances of two independent outputs do not meet, so no variance is left.",
        mistakes=[
            (
                lambda x, first, second: np.mean((x - (first + second) / 2) ** 2),
                "That keeps half of the variance: write out its expectation, or multiply the two "
                "errors.",
            ),
            (
                lambda x, first, second: np.mean((x - first) ** 2 + (x - second) ** 2) / 2,
                "That is the error of each output, with all of the variance.",
            ),
            (
                lambda x, first, second: np.mean(x - first) * np.mean(x - second),
                "Multiply pixel by pixel, and then take the mean.",
            ),
        ],
    )


@exercise("51_super_resolution/4")
def what_a_crisp_output_says():
    """What a crisp 3, made of sixteen pixels, tells."""
    return Choice(
        right_choice="one guess",
        why="a sample of what fits the small picture; others fit it too, and say other digits.",
        wrong={
            "the digit": "It reads as a digit, but of the crisp ones on this page many were wrong.",
            "the average": "An average of what fits is a blur, and this is crisp.",
        },
    )
