"""Lecture 60: diffusion."""

import functools
import itertools

import keras
import numpy as np
import tensorflow as tf

from genlib import data, metrics, networks
from genlib.check import Choice, Function, Number, exercise
from genlib.lectures import diffusion28, runs
from genlib.lectures.noised import Noised
from genlib.likelihood import Diffusion
from genlib.likelihood.diffusion import kept_variance
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, key, panel, strokes

# The ring in noise

RING = data.toy("ring")
MODES = data.mode_centers(RING)
SCALE = 0.1
EXACT = Noised(MODES, SCALE)
T = 1000
KEPT = kept_variance("linear", T)
A, B = np.sqrt(1 - KEPT), np.sqrt(KEPT)


def quality(points):
    """The share of points ``(n, 2)`` within three standard deviations of a mode, and the modes."""
    found = metrics.mode_coverage(points, MODES, 3 * SCALE)
    return found.high_quality, found.modes


def floor(draws=400, seed=0):
    """The least loss of a guess of the noise on the ring, over all T steps, by Monte Carlo."""
    rng, found = np.random.default_rng(seed), []
    for a, b in zip(A[1::10], B[1::10], strict=True):
        z, x = rng.normal(size=(2, draws, 2))
        x = MODES[rng.integers(len(MODES), size=draws)] + SCALE * x
        found.append(np.mean(np.sum((z - EXACT.noise(a * z + b * x, a, b)) ** 2, 1)))
    return float(np.mean(found))


def remove_noise(x, steps, method, seed=0):
    """From noise ``(n, 2)`` to the ring with the exact guess: the list of ``steps + 1`` stages.

    `genlib.likelihood.Diffusion.denoise`, in NumPy: "ddim", "heun" or "ddpm".
    """
    rng, stages = np.random.default_rng(seed), [x]
    grid = np.round(np.linspace(T, 0, steps + 1)).astype(int)
    for now, then in zip(grid[:-1], grid[1:], strict=True):
        noise = EXACT.noise(x, A[now], B[now])
        clean, pull, fresh = (x - A[now] * noise) / B[now], A[then], 0.0
        if method == "heun" and then:
            there = B[then] * clean + A[then] * noise
            noise = (noise + EXACT.noise(there, A[then], B[then])) / 2
            clean = (x - A[now] * noise) / B[now]
        if method == "ddpm" and then:
            spread = (A[then] / A[now]) ** 2 * (1 - (B[now] / B[then]) ** 2)
            pull, fresh = np.sqrt(A[then] ** 2 - spread), np.sqrt(spread)
        x = B[then] * clean + pull * noise + fresh * rng.normal(size=x.shape)
        stages.append(x)
    return stages


def gaps(kept, draws=2000, seed=0):
    """Where a bound with the exact guess loses: nats for each step, and the whole gap.

    ``kept``: ``b^2`` of the steps 0 to T. The KL of step t less what the exact log-densities fall
    by; the sum, with the reconstruction and the last step, is ``E log p(x)`` less the bound.
    """
    rng, a, b = np.random.default_rng(seed), np.sqrt(1 - kept), np.sqrt(kept)
    z, x = rng.normal(size=(2, draws, 2))
    x = MODES[rng.integers(len(MODES), size=draws)] + SCALE * x
    sigma = a / b
    terms = np.zeros(len(kept))
    first = a[1] * rng.normal(size=x.shape) + b[1] * x
    clean = EXACT.data(first, a[1], b[1])
    terms[1] = np.mean(np.sum((x - clean) ** 2, 1)) / (2 * sigma[1] ** 2) + np.log(
        2 * np.pi * sigma[1] ** 2
    )
    for t in range(2, len(kept)):
        z = rng.normal(size=x.shape)
        clean = EXACT.data(a[t] * z + b[t] * x, a[t], b[t])
        weight = (sigma[t - 1] ** -2 - sigma[t] ** -2) / 2
        terms[t] = weight * np.mean(np.sum((x - clean) ** 2, 1))
    last = np.mean(b[-1] ** 2 * np.sum(x**2, 1)) / 2 + a[-1] ** 2 - 1 - 2 * np.log(a[-1])
    bound = -terms.sum() - last
    truth = float(np.mean(EXACT.log_density(x, 0, 1)))
    return terms, truth, float(bound)


def even_schedule(steps, least=1e-3, most=100.0):
    """``b^2`` of steps whose noise, by the signal, grows by one factor a step."""
    sigma = np.geomspace(least, most, steps)
    return np.concatenate([[1.0], 1 / (1 + sigma**2)])


def flow_log_prob(noise, x, steps=200):
    """Log-density of the probability flow at ``x`` ``(n, 2)``, in nats: ``(n,)``.

    With ``y = x_t / b`` and sigma = a / b the flow is ``dy/d sigma = noise`` (Song et al. 2021, the
    ODE of their equation 13), along which ``log p`` falls at the rate of the noise's divergence.
    Heun's method in log sigma from step 1, as good as data, to T, on at most ``steps`` levels;
    ``noise(x_t, step)`` guesses. The divergence is by central differences.
    """
    sigma, y, gained = A / B, x / B[1], 0.0
    levels = np.searchsorted(sigma, np.geomspace(sigma[1], sigma[-1], steps))
    grid = np.unique(np.clip(levels, 1, T))

    def slope(y, t):
        reach = 0.02 * sigma[t]
        sides = np.stack([y + reach * side for side in (*np.eye(2), *-np.eye(2), np.zeros(2))])
        found = noise(B[t] * sides.reshape(-1, 2), t).reshape(sides.shape)
        rise = (found[0, :, 0] - found[2, :, 0]) + (found[1, :, 1] - found[3, :, 1])
        return sigma[t] * found[4], sigma[t] * rise / (2 * reach)

    for now, then in itertools.pairwise(grid):
        h = np.log(sigma[then] / sigma[now])
        one, spread = slope(y, now)
        two, spread_after = slope(y + h * one, then)
        y, gained = y + h * (one + two) / 2, gained + h * (spread + spread_after) / 2
    last = -np.sum((B[-1] * y) ** 2, 1) / 2 - np.log(2 * np.pi)
    return last + 2 * np.log(B[-1] / B[1]) + gained


# Explorer: noise_and_score

FRAME = (-2.6, 2.6)


@scene("noise_and_score")
class NoiseAndScore(Scene):
    """The ring at every level of noise: its score, and the best guess for one noisy point."""

    title = "The ring in noise, and the way back"
    alt = (
        "Left: blue dots of the ring mixed with noise, and grey arrows that point uphill in their "
        "log-density; a vermillion dot and its guessed data point in orange. Right: the chance of "
        "each of the eight modes given the noisy dot, as bars."
    )
    size = (9.6, 4.5)
    reveals = (
        ({"step": 0}, {"step": 150}, {"step": 1000}),
        ({"step": 50}, {"step": 300}, {"step": 800}),
        {"step": 300, "across": 0.0, "up": 0.0},
    )

    def controls(self):
        return {
            "step": slider("step (noise)", 200, 0, 1000, 25),
            "across": slider("noisy point, across", 0.6, -2.0, 2.0, 0.1),
            "up": slider("noisy point, up", 0.5, -2.0, 2.0, 0.1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        panel(left, "Data in noise, and the score", ("$x_1$", *FRAME), ("$x_2$", -2.6, 3.9))
        left.set_aspect("equal")
        rng = np.random.default_rng(0)
        self.x = MODES[np.arange(400) % 8] + SCALE * rng.normal(size=(400, 2))
        self.z = rng.normal(size=(400, 2))
        ticks = np.linspace(-2.4, 2.4, 13)
        self.grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
        self.cloud = dot(left, "real", 3, alpha=0.5)
        self.arrows = strokes(left, linewidths=1)
        self.tips = dot(left, "mixture", 2.5)
        self.to = curve(left, "highlight", linewidth=2)
        self.guess, self.here = dot(left, "highlight", 10), dot(left, "generated", 10)
        named = {"noisy point": "generated", "best guess": "highlight", "score": "mixture"}
        key(left, 0.02, 0.98, named, fontsize=10)
        panel(
            right,
            "Which mode was it?",
            ("mode", -0.7, 7.7),
            ("chance, given the noisy point", 0, 1),
        )
        right.set_xticks(range(8))
        self.bars = [curve(right, "mixture", linewidth=18, solid_capstyle="butt") for _ in range(8)]

    def update(self, step, across, up):
        a, b = max(A[step], 0.02), B[step]
        point = np.array([[across, up]])
        self.cloud.move(*(A[step] * self.z + b * self.x).T)
        score = EXACT.score(self.grid, a, b)
        length = np.linalg.norm(score, axis=1, keepdims=True)
        ends = self.grid + 0.3 * score / (length + 2)
        self.arrows.set_segments(np.stack([self.grid, ends], 1))
        self.tips.move(*ends.T)
        clean, chances = EXACT.data(point, a, b), EXACT.shares(point, a, b)[0]
        self.here.move(across, up)
        self.guess.move(*clean[0])
        self.to.move(*np.concatenate([point, clean]).T)
        for k, (bar, chance) in enumerate(zip(self.bars, chances, strict=True)):
            bar.move([k, k], [0, chance])
        return {
            "share of the data in the variance": float(KEPT[step]),
            "likeliest mode": f"{chances.argmax()} ({chances.max():.0%})",
            "guess": f"({clean[0, 0]:.2f}, {clean[0, 1]:.2f})",
        }


# Explorer: three_samplers

EVALUATIONS = (4, 10, 20, 50, 200)
METHODS = {"DDPM": "ddpm", "DDIM": "ddim", "Heun": "heun"}


@functools.cache
def sampled():
    """Stages of each sampler with the exact guess: ``{(method, evaluations): [(300, 2)]}``."""
    start = np.random.default_rng(1).normal(size=(300, 2))
    return {
        (method, n): remove_noise(start, n if method != "heun" else n // 2, method)
        for method in METHODS.values()
        for n in EVALUATIONS
    }


@scene("three_samplers")
class ThreeSamplers(Scene):
    """DDPM, DDIM and Heun's method at an equal number of evaluations of the exact guess."""

    title = "Three ways back, with the exact guess"
    alt = (
        "Three panels, for DDPM, DDIM and Heun's method. In each vermillion dots, at a stage of "
        "the way from noise, with the paths of forty of them in grey, over a ring of eight blue "
        "clusters."
    )
    size = (10.0, 3.9)
    reveals = (
        {"evaluations": 10},
        {"evaluations": 50},
        ({"evaluations": 4}, {"evaluations": 200}),
    )

    def controls(self):
        return {
            "evaluations": choice("evaluations of the guess", EVALUATIONS, 20),
            "done": slider("share of the way", 1.0, 0.0, 1.0, 0.05),
        }

    def stage(self, fig):
        self.panels = []
        for ax, name in zip(fig.subplots(1, 3, sharey=True), METHODS, strict=True):
            panel(ax, name, ("$x_1$", *FRAME), ("", *FRAME), aspect="equal")
            ax.scatter(*MODES.T, s=150, color=COLORS["real"], alpha=0.35, linewidths=0)
            self.panels.append((strokes(ax, linewidths=0.6, alpha=0.5), dot(ax, "generated", 4)))

    def update(self, evaluations, done):
        shares = {}
        for (name, method), (lines, dots) in zip(METHODS.items(), self.panels, strict=True):
            stages = sampled()[method, evaluations]
            path = np.stack(stages[: 1 + round(done * (len(stages) - 1))])
            lines.set_segments(path[:, :40].transpose(1, 0, 2))
            dots.move(*path[-1].T)
            shares[f"near a mode, {name}"] = f"{quality(path[-1])[0]:.0%}"
        return shares


# Training

STEPS, BATCH = 2500, 256
WIDTH = 256


def falling(steps, rate):
    """Adam whose rate falls along a cosine."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02))


def train_ring(seed, steps=STEPS, callbacks=None, epochs=1):
    """A network of 3 x 128 that guesses the ring's noise, trained."""
    model = Diffusion(networks.timed_mlp(2, seed=seed), seed=seed)
    model.compile(falling(steps, 3e-3))
    x = RING.sample(32_768, seed=(0, 1))
    model.fit(x, batch_size=BATCH, steps_per_epoch=steps // epochs, epochs=epochs, verbose=0,
              callbacks=callbacks)  # fmt: skip
    return model


def ring_scores(model, draws=1000, seed=0):
    """`quality`'s share by DDIM with 10 and 50 steps, Heun's 25 and DDPM's 50, and the modes."""
    start = np.random.default_rng(100 + seed).normal(size=(draws, 2)).astype(np.float32)
    found = {}
    for method, steps in (("ddim", 10), ("ddim", 50), ("heun", 25), ("ddpm", 50)):
        made = model.denoise(start, steps, method, seed=seed)[-1].numpy()
        found[f"{method}{steps}"], found["modes"] = quality(made)
    return found


@functools.cache
def digits(split="train"):
    """Pictures with 17 levels as rows ``(n, 64)``, and their labels."""
    x, y = data.images("digits", split)
    return x.reshape(-1, 64), y


class WithoutEvidence(Diffusion):
    """The network alone must tell each pixel's level."""

    def _evidence(self, x, step):
        return 0.0


def train_digits(steps, seed, kind=Diffusion):
    """A network that guesses each pixel's level, given a digit's label or none."""
    network = networks.timed_mlp(64, 10, 17, width=WIDTH, seed=seed)
    model = kind(network, schedule="cosine", levels=17, classes=10, drop=0.2, seed=seed)
    model.compile(falling(steps, 2e-3))
    model.fit(*digits(), batch_size=128, steps_per_epoch=steps, verbose=0)
    return model


def independent_nats(split="test"):
    """Mean ``-log p`` of digits under independent pixels, each level counted once more: nats."""
    level = {s: np.round(16 * digits(s)[0]).astype(int) for s in ("train", split)}
    counts = np.stack([np.bincount(column, minlength=17) + 1 for column in level["train"].T])
    chances = counts / counts.sum(1, keepdims=True)
    return float(-np.mean(np.sum(np.log(chances)[np.arange(64), level[split]], 1)))


def variety(x, labels):
    """Variance within a class, summed over pixels, of rows ``(n, 64)`` with given ``labels``."""
    parts = [x[labels == c] for c in range(10)]
    return float(np.mean([p.var(0).sum() for p in parts if len(p) > 1]))


#: From which step on `by_bayes` counts the terms of the bound.
CUTS = (1, 50, 100, 250, 500, 750, 900)
REPEATS = 16


def terms_by_label(model, draws=200, seed=0, until=T):
    """The bound's KL divergences for each label, ``(draws, 10, n)``, of held-out digits, in nats.

    The steps ``until`` that one are cut into parts of one length, and of each part one step is
    drawn, for all digits. Each label sees the same noise.
    """
    rng, x = np.random.default_rng(seed), 2 * digits("test")[0].astype(np.float32) - 1
    gains, labels = -np.diff(model.sigma[1:] ** -2), np.eye(10, dtype=np.float32)
    edges, found = np.linspace(0, until - 1, draws + 1).astype(int), []
    guess = tf.function(model.guess, reduce_retracing=True)
    for low, high in itertools.pairwise(edges):
        step = rng.integers(low, high) + 2
        noisy = model.b[step] * x + model.a[step] * rng.normal(size=x.shape)
        noisy = tf.constant(noisy, tf.float32)
        miss = [
            np.sum((guess(noisy, tf.constant(step), np.tile(one, (len(x), 1)))[1] - x) ** 2, 1)
            for one in labels
        ]
        found.append(gains[low:high].sum() / 2 * np.array(miss))
    return np.array(found)


def by_bayes(model, seed=0):
    """How many held-out digits have the least terms given their own label: for each of `CUTS`.

    Bayes' rule with labels that are equally likely. The first cut is the whole bound but for its
    last step, log p(x | x_1). And "bayes_often": the whole, with `REPEATS` noises at each step
    below 50.
    """
    terms, labels = terms_by_label(model, seed=seed), digits("test")[1]
    sums = {cut: terms[cut * len(terms) // T :].sum(0) for cut in CUTS}
    low = [terms_by_label(model, len(terms) // 20, 100 + k, until=50) for k in range(REPEATS)]
    sums["_often"] = sums[50] + np.mean(low, 0).sum(0)
    return {f"bayes{k}": float(np.mean(v.argmin(0) == labels)) for k, v in sums.items()}


GUIDANCE = (0, 1, 2, 4)


def digit_scores(model, n=300, seed=0):
    """The bound in nats, and for each guidance the share read as asked for, and the variety."""
    asked, found = np.arange(n) % 10, {}
    for split in ("train", "test"):
        x = digits(split)[0][:350]
        found[f"nats_{split}"] = -float(np.mean(model.elbo(x, 100, seed=seed)))
    for w in GUIDANCE:
        made = np.asarray(model.sample(n, asked, 40, guidance=float(w), seed=seed))
        read = metrics.read_digits(made.reshape(-1, 8, 8, 1))
        found[f"read{w}"] = float(np.mean(read != metrics.NO_DIGIT))
        found[f"right{w}"] = float(np.mean(read == asked))
        found[f"variety{w}"] = variety(made, asked)
    return found


SETTINGS = {
    "ring": "ring, 2,500 steps",
    "ring_long": "ring, 7,500 steps",
    "short": "digits, 1,500 steps",
    "without": "without a pixel's own evidence",
} | diffusion28.SETTINGS
SCORES = (
    "loss",
    "ddim10",
    "ddim50",
    "heun25",
    "ddpm50",
    "modes",
    "nats_train",
    "nats_test",
    *(f"bayes{cut}" for cut in (*CUTS, "_often")),
) + tuple(f"{kind}{w}" for w in GUIDANCE for kind in ("read", "right", "variety"))
SCORES += diffusion28.SCORES


def run(setting, seed):
    """What one training of `SETTINGS` scores; NaN where a score has no meaning."""
    if setting.startswith("ring"):
        model = train_ring(seed, STEPS * (3 if setting == "ring_long" else 1))
        scores = ring_scores(model, seed=seed)
    elif setting in diffusion28.SETTINGS:
        scores = diffusion28.run(setting, seed, falling(diffusion28.STEPS, 1e-3))
    else:
        kind = WithoutEvidence if setting == "without" else Diffusion
        model = train_digits(1500, seed, kind)
        scores = digit_scores(model, seed=seed)
        scores |= by_bayes(model, seed) if setting == "short" else {}
    return dict.fromkeys(SCORES, np.nan) | scores


stored = functools.partial(runs.table, "60_diffusion")
scores = functools.partial(runs.over_seeds, "60_diffusion")


# Exercises


@exercise("60_diffusion/1")
def guess_of_one_gaussian():
    """The best guess of x, N(0, 4), at b^2 = a^2 = 1/2, for a noisy point at 1."""
    root = np.sqrt(0.5)
    truth = float(Noised([[0.0]], 2.0).data([[1.0]], root, root)[0, 0])
    return Number(
        truth,
        tolerance=0.005,
        right="b s^2 / (a^2 + b^2 s^2) times the noisy point: the line of regression.",
        mistakes=[
            (1 / root, "That only undoes b; the noise is in the point too."),
            (0.8, "That is b x, what is left of the data in the point; divide by b."),
            (float(Noised([[0.0]], 2.0).noise([[1.0]], root, root)[0, 0]), "That is the noise."),
            (0.0, "That is the mean of the data when nothing is seen."),
        ],
    )


@exercise("60_diffusion/2")
def write_the_loss():
    """Write loss(guess, x, z, b, a): the noise-guessing loss of arrays (n, d), b and a (n,)."""

    def reference(guess, x, z, b, a):
        return np.mean(np.sum((z - guess(b[:, None] * x + a[:, None] * z, a)) ** 2, 1))

    def swapped(guess, x, z, b, a):
        return np.mean(np.sum((z - guess(a[:, None] * x + b[:, None] * z, a)) ** 2, 1))

    def of_data(guess, x, z, b, a):
        return np.mean(np.sum((x - guess(b[:, None] * x + a[:, None] * z, a)) ** 2, 1))

    def inputs(rng):
        c, kept = rng.normal(size=2), rng.random(6)
        x, z = rng.normal(size=(2, 6, 2))
        return lambda y, s: c * y + s[:, None], x, z, np.sqrt(kept), np.sqrt(1 - kept)

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="a regression again: of the noise on what it spoiled.",
        mistakes=[
            (swapped, "b belongs to the data and a to the noise."),
            (of_data, "The network guesses the noise z, not x."),
            (
                lambda guess, x, z, b, a: reference(guess, x, z, b, a) / x.shape[1],
                "Sum over the coordinates; take the mean over the rows alone.",
            ),
        ],
    )


@exercise("60_diffusion/3")
def write_a_step():
    """Write ddim(x, noise, b, a, b_next, a_next): one step towards the data without new noise."""

    def reference(x, noise, b, a, b_next, a_next):
        return b_next * (x - a * noise) / b + a_next * noise

    def inputs(rng):
        kept = np.sort(rng.uniform(0.1, 0.9, 2))
        levels = np.sqrt(kept[0]), np.sqrt(1 - kept[0]), np.sqrt(kept[1]), np.sqrt(1 - kept[1])
        return *rng.normal(size=(2, 4, 2)), *levels

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="guess the data, and mix the same noise in again, less of it.",
        mistakes=[
            (lambda x, n, b, a, c, d: (x - a * n) / b, "That jumps to the data at once."),
            (lambda x, n, b, a, c, d: c * (x - a * n) + d * n, "Divide by b to have the data."),
            (
                lambda x, n, b, a, c, d: c * (x - a * n) / b + a * n,
                "Of the noise, too, only the next level's share: a_next.",
            ),
        ],
    )


@exercise("60_diffusion/4")
def price_of_guidance():
    """What a guidance of 2 costs."""
    return Choice(
        right_choice="variety",
        why="the digits that are asked for come more surely, and are more alike.",
        wrong={
            "readability": "It rises: that is what guidance is for.",
            "the likelihood bound": "The bound belongs to the model, not to how it is sampled.",
        },
    )
