"""Lecture 45: judging a generator."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from genlib import data, experiments, metrics, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import gaussian
from genlib.likelihood import KDE, PPCA, VAE, GaussianMixture, PixelCNN, RealNVP
from genlib.likelihood.kde import best_bandwidth
from genlib.likelihood.real_nvp import dequantise
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import dot, moving, panel

# The judge

LEVELS = 17  # grey levels of the 8x8 digits
PIXELS = 64
FEATURES = 20  # principal components, nine tenths of the digits' variance


class Judge:
    """Scores of made pictures, on principal components of real ones.

    Args:
      train: ``(l, 64)``, what a generator learns from, and what it is compared with.
      held_out: ``(n, 64)``, real pictures that it never saw.
    """

    def __init__(self, train, held_out):
        from sklearn.decomposition import PCA

        self.features = PCA(FEATURES, random_state=0).fit(np.float64(train)).transform
        self.train, self.held_out = train, held_out

    def __call__(self, made) -> dict[str, float]:
        """Return each score of `SCORES` for pictures ``(m, 64)``."""
        train, held_out, x = map(self.features, map(np.float64, (self.train, self.held_out, made)))
        return self.score(train, held_out, made, x)

    def score(self, train, held_out, made, x):
        """The scores of ``made``, whose features are ``x``, beside features of real pictures."""
        copies = metrics.copy_test(train, held_out, x)
        values = (
            metrics.class_scores(made.reshape(-1, 8, 8)).confident,
            metrics.frechet_distance(train, x),
            metrics.kernel_distance(train, x),
            *metrics.precision_recall(train, x),
            *metrics.density_coverage(train, x),
            copies.nearer,
        )
        return dict(zip(SCORES, values, strict=True))

    def null(self, n, draws=20, seed=0) -> dict[str, np.ndarray]:
        """What ``n`` unseen real pictures score: each score's ``(draws,)`` values.

        The held-out pictures are dealt anew into those that stand for the made ones, and the rest.
        """
        rng, found = np.random.default_rng(seed), []
        train, unseen = self.features(np.float64(self.train)), np.float64(self.held_out)
        for _ in range(draws):
            deal = unseen[rng.permutation(len(unseen))]
            x = self.features(deal)
            found.append(self.score(train, x[n:], deal[:n], x[:n]))
        return {name: np.array([row[name] for row in found]) for name in SCORES}


#: Each score, and whether more (1) or less (-1) is better; of copies neither is.
SCORES = {
    "read": 1,
    "Fréchet": -1,
    "kernel": -1,
    "precision": 1,
    "recall": 1,
    "density": 1,
    "coverage": 1,
    "nearer": 0,
}


@functools.cache
def digits():
    """The real 8x8 digits: training pictures ``(1438, 64)`` and held-out ones ``(359, 64)``."""
    return tuple(data.images("digits", part)[0].reshape(-1, PIXELS) for part in ("train", "test"))


@functools.cache
def judge() -> Judge:
    """The judge of the families: it compares with what they learned from."""
    return Judge(*digits())


@functools.cache
def family_null(draws=10):
    """What as many unseen real digits score as the families are judged by, ``(draws,)`` values.

    All 1,797 are dealt anew into 1,438 and 359, so that both sizes are those of the table; no
    third sample is left, and "nearer" is 1/2 by symmetry.
    """
    train, held_out = map(np.float64, digits())
    everything, rng, found = np.concatenate([train, held_out]), np.random.default_rng(0), []
    for _ in range(draws):
        deal = everything[rng.permutation(len(everything))]
        x, n = judge().features(deal), len(held_out)
        found.append(judge().score(x[n:], x[:n], deal[:n], x[:n]))
    return {name: np.array([row[name] for row in found]) for name in SCORES}


# The families of the course on the same digits

SETTINGS = {
    "pixels": "each pixel by itself",
    "mixture": "mixture of 20 Gaussians",
    "ppca": "probabilistic PCA",
    "kde": "kernel density estimate",
    "memoriser": "the memoriser",
    "vae": "VAE, mean pictures",
    "vae_noise": "VAE, its samples",
    "pixelcnn": "PixelCNN",
    "real_nvp": "RealNVP",
    "gan": "GAN",
    "wgan_gp": "WGAN-GP",
    "gmmn": "GMMN",
    "began": "BEGAN",
}

DRAWS = 4  # sets of as many pictures as are held out


class Family(NamedTuple):
    """One family, trained."""

    sample: Callable  # (n, seed) -> pictures (n, 64) of 17 grey levels
    nats: Callable  # pictures (m, 64) -> the mean of -log P of one, or a bound above it
    model: object = None  # as the library has it


def train(setting, seed=0):
    """Train one family; return ``(sample, nats)``.

    ``sample(n, seed)`` gives pictures ``(n, 64)`` of 17 grey levels; ``nats`` is the mean of
    -log P of a held-out picture, or a bound above it, and NaN where there is no density.
    """
    found = family(setting, seed)
    return found.sample, found.nats(digits()[1])


def family(setting, seed=0) -> Family:
    """Train one family."""
    x, rng = digits()[0], np.random.default_rng((seed, 45))
    if setting == "pixels":
        counts = np.stack([np.bincount(column, minlength=LEVELS) for column in level(x).T]) + 1.0
        share = counts / counts.sum(1, keepdims=True)
        return Family(
            lambda n, seed: pixel_draws(share, n, seed) / (LEVELS - 1),
            lambda z: -np.log(share[np.arange(PIXELS), level(z)]).sum(1).mean(),
        )
    if setting == "memoriser":
        known = {tuple(row) for row in x}
        return Family(
            lambda n, seed: x[np.random.default_rng(seed).permutation(len(x))[:n]],
            lambda z: np.log(len(x)) if known.issuperset(map(tuple, z)) else np.inf,
        )
    if setting == "pixelcnn":
        model = pixelcnn_model(seed)
        sample, log_prob = of_pixelcnn(model)
        return Family(sample, lambda z: -np.mean(log_prob(z)), model)
    if setting == "real_nvp":
        model = RealNVP(PIXELS, layers=8, width=64, depth=1, levels=LEVELS, seed=seed)
        model.compile(keras.optimizers.Adam(2e-3))
        model.fit(x, batch_size=128, steps_per_epoch=600, verbose=0)
        return Family(
            lambda n, seed: shown(model.sample(n, seed=seed).numpy()),
            lambda z: density_nats(model, z, rng),
            model,
        )
    if setting in ("gan", "wgan_gp", "gmmn", "began"):
        model = experiments.on_digits(setting, seed=seed).model
        averaged = model.ema is not None
        return Family(
            lambda n, seed: shown(
                model.sample(n, seed=seed, averaged=averaged).numpy().reshape(n, PIXELS)
            ),
            lambda z: np.nan,
            model,
        )
    cube = spread(x, rng)
    if setting == "mixture":
        model = GaussianMixture(20, "tied", 1e-4).fit(cube, steps=60, seed=seed)
    elif setting == "ppca":
        model = PPCA(FEATURES).fit(cube)
    elif setting == "kde":
        model = KDE(best_bandwidth(cube, np.geomspace(0.05, 0.4, 10))).fit(cube)
    else:
        model = vae(seed)
    return Family(
        lambda n, seed: shown(drawn(model, setting, n, seed)),
        lambda z: density_nats(model, z, rng),
        model,
    )


@functools.cache
def vae(seed=0, latents=10):
    """Train a VAE with Gaussian pixels, on dequantised pictures."""
    rng = np.random.default_rng((seed, 45))
    many = np.concatenate([spread(digits()[0], rng) for _ in range(DRAWS)])
    encoder = networks.mlp(PIXELS, 2 * latents, width=256, depth=2, seed=seed)
    decoder = networks.mlp(latents, PIXELS, width=256, depth=2, seed=seed + 100)
    model = VAE(encoder, decoder, latents, "gaussian", scale=0.12, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(np.float32(many), batch_size=128, steps_per_epoch=1500, verbose=0)
    return model


def pixelcnn(seed=0, steps=500):
    """Train a PixelCNN; return ``sample(n, seed)`` and ``log_prob(x)``, of pictures ``(n, 64)``."""
    return of_pixelcnn(pixelcnn_model(seed, steps))


def pixelcnn_model(seed=0, steps=500):
    model = PixelCNN((8, 8, 1), LEVELS, width=24, kernels=(5, 3, 3), seed=seed)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)))
    squares = digits()[0].reshape(-1, 8, 8, 1)
    model.fit(squares, batch_size=32, steps_per_epoch=steps, verbose=0)
    return model


def of_pixelcnn(model):
    return (
        lambda n, seed: model.sample(n, seed=seed).numpy().reshape(n, PIXELS),
        lambda x: model.log_prob(x.reshape(-1, 8, 8, 1)).numpy(),
    )


def drawn(model, setting, n, seed):
    mean = {"mean": True} if setting == "vae" else {}
    return model.sample(n, seed=seed, **mean).numpy()


def level(x):
    """Grey levels, whole numbers from 0 to 16."""
    return np.rint(x * (LEVELS - 1)).astype(int)


def spread(x, rng):
    """Dequantised pictures: level k becomes a number somewhere in [k, k + 1] / 17."""
    return dequantise(np.float64(x), LEVELS, rng.random(x.shape)).numpy()


def shown(x):
    """Pictures of 17 grey levels from points of the unit cube, in whose [k, k + 1] / 17 k lies."""
    return np.clip(np.floor(np.float64(x) * LEVELS), 0, LEVELS - 1) / (LEVELS - 1)


def density_nats(model, x, rng):
    """A bound above the mean of -log P(x): the density of dequantised pictures, per grey level."""
    log_density = (
        (lambda z: model.iwae(z, 50, seed=0)) if isinstance(model, VAE) else model.log_prob
    )
    found = [np.mean(log_density(np.float32(spread(x, rng)))) for _ in range(DRAWS)]
    return PIXELS * np.log(LEVELS) - np.mean(found)


def pixel_draws(share, n, seed):
    """Levels ``(n, 64)``, each pixel by its own ``share`` ``(64, 17)``."""
    u = np.random.default_rng(seed).random((n, PIXELS, 1))
    return np.minimum((np.cumsum(share, 1) < u).sum(-1), LEVELS - 1)


def run(setting, seed):
    """Train a family, judge four sets of its pictures, and return the means of the scores."""
    sample, nats = train(setting, seed)
    n = len(judge().held_out)
    found = [judge()(sample(n, 1000 * seed + i)) for i in range(DRAWS)]
    return {"nats": nats} | {name: np.mean([row[name] for row in found]) for name in SCORES}


# Explorer: failure_dial

MADE = 200  # pictures that are judged at each setting
SHOWN = 48
STEPS = 8  # from a perfect generator to a bad one
FARTHEST = 300  # deviations of the null level, on the picture's axis


@functools.cache
def dial():
    """The dial's judge, of 500 training pictures, and 1,297 unseen ones with their labels."""
    x, y = data.images("digits", "all")
    order = np.random.default_rng(1).permutation(len(x))
    x, y = x.reshape(-1, PIXELS)[order], y[order]
    return Judge(x[:500], x[500:]), x[500:], y[500:]


@functools.cache
def dial_null():
    """What 200 unseen real pictures score, ``(20,)`` values of each score."""
    return dial()[0].null(MADE)


def blur(x, pool, labels, strength):
    wide = gaussian_filter(x.reshape(-1, 8, 8), (0, strength, strength))
    return wide.reshape(-1, PIXELS)


def add_noise(x, pool, labels, strength):
    noise = np.random.default_rng(2).normal(size=x.shape)
    return np.clip(x + 0.4 * strength * noise, 0, 1)


def drop_classes(x, pool, labels, strength):
    return pool[labels < 10 - round(STEPS * strength)][: len(x)]


def duplicate(x, pool, labels, strength):
    distinct = round(len(x) * 2 ** (-6 * strength))
    return x[np.arange(len(x)) % distinct]


def copy_training_set(x, pool, labels, strength):
    copied = round(len(x) * strength)
    return np.concatenate([dial()[0].train[:copied], x[copied:]])


def mix_two_classes(x, pool, labels, strength):
    partner = [np.flatnonzero(labels == (label + 1) % 10)[i % 50] for i, label in
               enumerate(labels[: len(x)])]  # fmt: skip
    return (1 - strength / 2) * x + strength / 2 * pool[partner]


def one_outlier(x, pool, labels, strength):
    changed = x.copy()
    changed[0] = (1 - strength) * x[0] + strength * (1 - x[0])
    return changed


FAILURES = {
    "blur": blur,
    "noise": add_noise,
    "drop classes": drop_classes,
    "duplicate": duplicate,
    "copy": copy_training_set,
    "mix two": mix_two_classes,
    "one outlier": one_outlier,
}


@functools.cache
def spoiled(failure, step):
    """200 pictures ``(200, 64)`` of a failed generator, and their scores; step 0 is unseen data."""
    judged, pool, labels = dial()
    made = FAILURES[failure](pool[:MADE], pool, labels, step / STEPS)
    x = judged.features(np.float64(made))
    train, rest = judged.features(judged.train), judged.features(pool[MADE:])
    return made, judged.score(train, rest, made, x)


def deviations(scores, null):
    """Each score in standard deviations from its null level; better than real data is above 0."""
    signs = np.array([sign or 1 for sign in SCORES.values()])
    away = [(scores[s] - null[s].mean()) / null[s].std(ddof=1) for s in SCORES]
    return signs * np.array(away)


@scene("failure_dial")
class FailureDial(Scene):
    """Seven ways to fail, and what every score says of each."""

    title = "The failure dial"
    alt = (
        "Left: forty-eight pictures of a generator. Right: a row for each of eight scores, with a "
        "dot that says how far it is from what unseen real digits score, in standard deviations; a "
        "grey band from -2 to 2 marks chance. Left of the band is worse than real data, right of "
        "it better than real data."
    )
    size = (9.8, 4.2)
    reveals = (
        {"failure": "blur", "step": 4},
        ({"failure": "drop classes", "step": 3}, {"failure": "duplicate", "step": 8}),
        {"failure": "copy", "step": 8},
        {"failure": "one outlier", "step": 8},
    )

    def controls(self):
        return {
            "failure": choice("failure", FAILURES),
            "step": slider("strength", 0, 0, STEPS, 1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.9])
        self.sheet = moving(plots.images(left, np.zeros((SHOWN, 8, 8)), columns=6))
        left.set_title("what it makes")
        rows = -np.arange(len(SCORES))
        xs = ("deviations from real data: worse < 0 < better", -FARTHEST, FARTHEST)
        panel(right, "What the scores say", xs, ("", 0.6 - len(SCORES), 0.6))
        right.set_xscale("symlog", linthresh=3)
        right.set_xticks([-100, -10, -2, 0, 2, 10, 100])
        right.set_xticklabels(["-100", "-10", "-2", "0", "2", "10", "100"])
        right.set_yticks(rows, [s + " to train" if s == "nearer" else s for s in SCORES])
        right.axvspan(-2, 2, color=COLORS["mixture"], alpha=0.25, linewidth=0)
        right.axvline(0, color=COLORS["real"])
        self.rows, self.null = rows, dial_null()
        self.dots = dot(right, "generated", 10)

    def update(self, failure, step):
        made, scores = spoiled(failure, step)
        self.sheet.set_data(plots.sheet(made[:SHOWN].reshape(-1, 8, 8), columns=6))
        away = np.clip(deviations(scores, self.null), -FARTHEST, FARTHEST)
        self.dots.move(away, self.rows)
        return {s: f"{scores[s]:.3g} (real {self.null[s].mean():.3g})" for s in SCORES}


# Exercises


@exercise("45_judging_a_generator/1")
def frechet_of_two_normals():
    """The Frechet distance of N(0, 1) and N(1, 2^2)."""
    mean_p, cov_p, mean_q, cov_q = (np.array(v) for v in ([0.0], [[1.0]], [1.0], [[4.0]]))
    distance = float(gaussian.wasserstein2(*map(tf.constant, (mean_p, cov_p, mean_q, cov_q))))
    return Number(
        distance**2,
        tolerance=0.01,
        right="in one dimension it is the means' difference squared and the deviations' squared.",
        mistakes=[
            (distance, "That is W2; the Fréchet distance, as it is reported, is its square."),
            (1.0, "The standard deviations differ, too."),
            (4.0, "Subtract the standard deviations, 2 - 1, and not the variances."),
            (10.0, "Subtract the standard deviations, 2 - 1, and not the variances."),
        ],
    )


@exercise("45_judging_a_generator/2")
def coverage():
    """Write coverage(real, made, k)."""

    def reference(real, made, k):
        return metrics.density_coverage(real, made, k).coverage

    def gaps(x, y):
        return np.linalg.norm(x[:, None] - y, axis=-1)

    def wrong(centres, others, k):
        radii = np.sort(gaps(centres, centres), 1)[:, k]
        return gaps(others, centres) <= radii

    def inputs(rng):
        return rng.normal(size=(14, 2)), rng.normal(0.3, 0.7, size=(9, 2)), int(rng.integers(1, 4))

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="each real point asks whether something made is as near as its k-th neighbour.",
        mistakes=[
            (
                lambda real, made, k: wrong(real, made, k).any(1).mean(),
                "That is precision, the share of the made points; ask the real ones.",
            ),
            (
                lambda real, made, k: wrong(made, real, k).any(1).mean(),
                "That is recall: the balls stand round the made points. Put them round the real.",
            ),
            (
                lambda real, made, k: wrong(real, made, k - 1).any(0).mean(),
                "A point is not its own neighbour: leave the distance 0 to itself out.",
            ),
            (
                lambda real, made, k: wrong(real, made, k).sum() / len(made) / k,
                "That is density: it counts the balls. Ask of each ball whether it is empty.",
            ),
        ],
    )


@exercise("45_judging_a_generator/3")
def price_of_noise():
    """The most nats a model loses that gives noise 99 times in 100."""
    return Number(
        float(np.log(100)),
        tolerance=0.01,
        right="the mixture is at least p / 100 everywhere, however many pixels there are.",
        mistakes=[
            (
                float(-np.log(0.99)),
                "That is what the noise loses; the model keeps a share of 0.01.",
            ),
            (float(np.log(100)) * 64, "The factor 1/100 stands before the whole picture, once."),
            (float(np.log2(100)), "That is in bits; asked are nats."),
        ],
    )


@exercise("45_judging_a_generator/4")
def unmask():
    """Which score tells the memoriser from a perfect generator?"""
    return Choice(
        right_choice="copy test",
        why="it alone compares what is made with data that the generator has not seen.",
        wrong={
            "coverage": "Coverage is higher for the memoriser than for unseen real digits.",
            "Fréchet distance": "Training pictures have the training set's mean and covariance.",
            "read": "Every training picture can be read.",
        },
    )
