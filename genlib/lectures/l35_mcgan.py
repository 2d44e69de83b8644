"""Lecture 35: McGAN, matching means and covariances of features."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments, plots
from genlib.check import Function, Number, exercise
from genlib.gans.mcgan import McGAN, dual_norm
from genlib.lectures.l31_wgan import SmallEpsilon
from genlib.lectures.maths import normal
from genlib.lectures.write_a_loss import SEEDS
from genlib.lectures.write_on_arrays import Losses, in_training
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, moving, panel

# Explorer: moment_matching

MATCHINGS = ("mean, p = 1", "mean, p = 2", "covariance, k = 1", "covariance, k = 2")
SPREAD_P = np.array([1.2, 0.6])  # P's standard deviations along the axes


@scene("moment_matching")
class MomentMatching(Scene):
    """What mean matching and covariance matching see of two clouds: McGAN's critics, exactly."""

    title = "What the moments see of two clouds"
    alt = (
        "Left: a cloud of points of P in blue and one of Q in vermillion, with the critic's "
        "directions as lines that end in a dot: v, or U solid in green and V dashed in pink. "
        "Middle: the densities of P and Q along the first direction. Right: four bars, what each "
        "matching reads, the chosen one in full green; black ticks mark what U = V tied would read."
    )
    size = (9.8, 3.9)
    reveals = (
        ({"matching": MATCHINGS[1]}, {"matching": MATCHINGS[1], "across": 1.4}),
        tuple({"matching": matching, "move": 1.0} for matching in MATCHINGS[:2]),
        ({}, {"up": 0.6}, {"across": 1.4}),
    )

    def controls(self):
        return {
            "matching": choice("matching", MATCHINGS, MATCHINGS[2]),
            "move": slider("distance of Q's mean", 0.0, 0.0, 2.0, 0.1),
            "angle": slider("its direction (degrees)", 30, 0, 90, 5),
            "across": slider("Q's spread, across", 0.5, 0.2, 1.4, 0.1),
            "up": slider("Q's spread, up", 1.4, 0.2, 1.4, 0.1),
        }

    def stage(self, fig):
        p, self.noise = np.random.default_rng(0).normal(size=(2, 150, 2))
        left, middle, right = fig.subplots(1, 3)
        panel(left, "The clouds", ("", -4, 4), ("", -4, 4), aspect="equal")
        plots.samples(left, p * SPREAD_P, "p", size=9, alpha=0.5)
        self.cloud = moving(plots.samples(left, self.noise, "q", size=9, alpha=0.5))
        tips = {"linewidth": 3, "marker": "o", "markersize": 7, "markevery": [1]}
        self.us = [curve(left, "critic", **tips) for _ in range(2)]
        self.vs = [curve(left, "accent", linestyle="--", **tips) for _ in range(2)]
        plots.label(left, -3.8, 3.4, "v or U", "critic", ha="left", fontsize=10)
        plots.label(left, 3.8, 3.4, "V", "accent", ha="right", fontsize=10)
        along = ("<v, x> or <u, x>", -5, 5)
        panel(middle, "Along the first direction", along, ("density", 0, 1))
        self.densities = [curve(middle, role) for role in "pq"]
        names = ["mean\np = 1", "mean\np = 2", "cov.\nk = 1", "cov.\nk = 2"]
        ticks = {"xticks": range(4), "xticklabels": names}
        panel(right, "What each matching reads", "", ("", -7, 7), **ticks)
        right.axhline(0, color=COLORS["mixture"], linewidth=1)
        self.bars = moving(right.bar(range(4), 0, width=0.7, color=COLORS["critic"]))
        self.tied = dot(right, "black", 26, "_", markeredgewidth=3)

    def update(self, matching, move, angle, across, up):
        radians, spread = np.radians(angle), np.array([across, up])
        mean = move * np.array([np.cos(radians), np.sin(radians)])
        self.cloud.set_offsets(mean + spread * self.noise)

        matching = MATCHINGS.index(matching)
        readings, (u, v), eigenvalues = read(mean, spread, matching)
        for line, direction in zip(self.us + self.vs, [*u, *v], strict=True):
            line.move([0, 2.4 * direction[0]], [0, 2.4 * direction[1]])
            line.set_visible(bool(direction.any()))
        xs = np.linspace(-5, 5, 301)
        sides = (0.0, SPREAD_P), (u[0] @ mean, spread)
        for line, (center, scales) in zip(self.densities, sides, strict=True):
            scale = np.linalg.norm(u[0] * scales)
            line.set_visible(scale > 0)
            line.move(xs, normal(xs, center, scale or 1.0))
        for i, (bar, reading) in enumerate(zip(self.bars, readings, strict=True)):
            bar.set(height=reading, alpha=1.0 if i == matching else 0.35)
        tied = eigenvalues[0], eigenvalues.sum()
        self.tied.move([2, 3], tied)
        return {
            "the chosen one reads": readings[matching],
            "eigenvalues of the difference of second moments": ", ".join(
                f"{value:.2f}" for value in eigenvalues
            ),
            "tied (U = V), k = 1 and 2": f"{tied[0]:.2f}, {tied[1]:.2f}",
        }


def read(mean, spread, matching):
    """What each of `MATCHINGS` reads, (4,); the critic's directions; and what they are made of.

    P has mean 0 and spread `SPREAD_P`, Q ``mean`` and ``spread``, (2,) each. The directions of the
    one called ``matching`` are rows, ``(u or v, k, 2)``, 0 where there is none. Last come the
    eigenvalues of the difference of the second moments, falling.
    """
    gap = -mean  # E_P x - E_Q x
    moments = np.diag(SPREAD_P**2 - spread**2) - np.outer(mean, mean)
    eigenvalues, vectors = np.linalg.eigh(moments)
    order = np.argsort(-np.abs(eigenvalues), kind="stable")
    largest = np.abs(eigenvalues[order])
    readings = [np.abs(gap).max(), np.linalg.norm(gap), largest[0], largest.sum()]
    directions = np.zeros((2, 2, 2))
    if matching == 0 and gap.any():
        axis = np.argmax(np.abs(gap))
        directions[0, 0, axis] = np.sign(gap[axis])
    elif matching == 1 and gap.any():
        directions[0, 0] = gap / readings[1]
    elif matching >= 2:
        k = matching - 1
        directions[0, :k] = vectors.T[order[:k]]
        directions[1, :k] = np.sign(eigenvalues[order[:k], None]) * directions[0, :k]
    return readings, directions, eigenvalues[::-1]


# A flat cloud, and a linear generator that begins tall

FEW = 600  # steps


def flat_cloud(rng):
    """The real points ``(4000, 2)``: wide and flat."""
    return (rng.normal(size=(4000, 2)) * [1.7, 0.4]).astype(np.float32)


def linear_maker():
    """A generator that could copy the cloud exactly."""
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])


def and_a_one():
    """Features that stay as they are: x1, x2 and the constant 1."""
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    network.set_weights([np.eye(2, 3), np.array([0.0, 0.0, 1.0])])
    network.trainable = False
    return network


def on_the_cloud(new_game, flat, seeds=5):
    """What the generators of ``new_game(seed)`` make of the flat cloud after `FEW` steps."""

    def make(seed):
        game = new_game(seed)
        updates = FEW, FEW * game.critic_steps
        rates = [keras.optimizers.schedules.CosineDecay(0.01, n, alpha=0.02) for n in updates]
        game.compile(*map(keras.optimizers.RMSprop, rates))
        game.generator.set_weights(tall(seed))
        return game

    models = experiments.over_seeds(make, flat, steps=FEW, batch_size=256, seeds=seeds)
    return [game.sample(2000, seed=1).numpy() for game in models]


def tall(seed):
    """The weights with which a `linear_maker` begins: kernel and bias."""
    start = np.random.default_rng(seed).normal(size=(3, 2))
    return [np.diag([0.4, 1.2]) + 0.1 * start[:2], 0.3 * start[2]]


# The trainings on the ring: one seed of some on the page, five seeds of each stored

STEPS = 750  # of the generator, and half as many more where covariances are matched

SETTINGS = {
    "mean": "mean, trained v",
    "covariance": "covariance, k = 4",
    "closed": "mean, closed form",
    "box": "mean, box 0.01",
    "epsilon": "mean, box 0.01, epsilon 1e-12",
}
OPTIONS = {
    "covariance": {"matching": "covariance", "k": 4},
    "closed": {"trained_v": False},
    "box": {"clip": 0.01},
    "epsilon": {"clip": 0.01},
}


class SmallEpsilonMcGAN(SmallEpsilon, McGAN):
    pass


def train(setting, seed=0, **film):
    """One of `SETTINGS` trained on the ring, as `experiments.on_toy` gives it."""
    steps = STEPS * 3 // 2 if setting == "covariance" else STEPS
    kind = SmallEpsilonMcGAN if setting == "epsilon" else McGAN
    return experiments.on_toy(kind, seed=seed, steps=steps, **OPTIONS.get(setting, {}), **film)


def scores(trial):
    """Modes, quality and distance of its samples; `one_direction` and `opposite`."""
    return {
        "modes": trial.modes,
        "quality": trial.high_quality,
        "distance": trial.distance,
        "one_direction": one_direction(trial.model),
        "opposite": opposite(trial.model),
    }


def run(setting, seed):
    """One stored run: `scores` of a training."""
    return scores(train(setting, seed))


def one_direction(model):
    """The share of the features' variance, on 2,000 real points, along their first direction."""
    features = model.critic(data.toy("ring").sample(2000, seed=(0, 1))).numpy()
    spread = np.linalg.svd(features - features.mean(0), compute_uv=False)
    return spread[0] ** 2 / np.sum(spread**2)


def opposite(model, batches=16, n=128):
    """The share of pairs of batches whose best v point apart: gaps of means at more than 90 deg."""
    ring = data.toy("ring")
    gaps = [
        np.mean(model.critic(ring.sample(n, seed=(1, s))), 0)
        - np.mean(model.critic(model.sample(n, seed=1000 + s)), 0)
        for s in range(batches)
    ]
    return np.mean((np.array(gaps) @ np.transpose(gaps))[np.triu_indices(batches, 1)] < 0)


# Exercises


@exercise("35_mcgan/1")
def largest_gap():
    """The loss for p = 1 where the features' means differ by (3, -4, 1)."""
    truth = float(dual_norm(tf.constant([3.0, -4.0, 1.0]), 1))
    return Number(
        truth,
        tolerance=0.01,
        right="v puts all its weight on the feature with the widest gap, with that gap's sign.",
        mistakes=[
            (8.0, "That is the 1-norm of the gap; v is in the 1-norm's ball, the loss is not."),
            (26**0.5, "That is p = 2, where v may point along the whole gap."),
            (3.0, "A gap below 0 counts too: v may be negative."),
            (-4.0, "v may be negative, so the gap's size counts, not its sign."),
            (0.0, "The gaps do not cancel: v chooses a sign for each."),
        ],
    )


@exercise("35_mcgan/2")
def tied_reading():
    """What covariance matching with k = 1 reads of diag(-1, -3) when U = V is tied."""
    # The best single u gives the largest eigenvalue of the difference.
    truth = float(np.linalg.eigvalsh(np.diag([-1.0, -3.0])).max())
    return Number(
        truth,
        tolerance=0.01,
        right="u'Mu is at best the largest eigenvalue. Q spreads more than P in every direction, "
        "and a tied critic cannot turn that round.",
        mistakes=[
            (3.0, "That is what U and V apart read: V = -U turns the sign."),
            (1.0, "With U = V the sign stays: u'Mu is a mean of eigenvalues, all negative here."),
            (-3.0, "The critic maximises: it takes the direction that costs it least."),
            (0.0, "u has length 1: it cannot be 0."),
            (-4.0, "That is k = 2, where U has both directions."),
        ],
    )


@exercise("35_mcgan/3")
def covariance_value():
    """Write covariance_value(x, y, k): what the best U and V with k columns read."""

    def moments(x, y):
        return x.T @ x / len(x) - y.T @ y / len(y)

    def reference(x, y, k):
        # Of a symmetric matrix the singular values are the sizes of the eigenvalues.
        return np.sort(np.abs(np.linalg.eigvalsh(moments(x, y))))[::-1][:k].sum()

    def inputs(rng):
        d = int(rng.integers(2, 5))
        x, y = rng.normal(0.5, 1, (12, d)), rng.normal(0, rng.uniform(0.5, 2, d), (9, d))
        return x, y, int(rng.integers(1, d + 1))

    def singular(matrix, k):
        return np.linalg.svd(matrix, compute_uv=False)[:k].sum()

    return Function(
        reference,
        inputs,
        tolerance=1e-5,
        right="the k largest singular values of the difference of the second moments, added up.",
        mistakes=[
            (
                lambda x, y, k: np.sort(np.linalg.eigvalsh(moments(x, y)))[::-1][:k].sum(),
                "That is U = V tied: the largest eigenvalues, where negative ones count against.",
            ),
            (
                lambda x, y, k: singular(np.cov(x.T, bias=True) - np.cov(y.T, bias=True), k),
                "McGAN's second moments are not centred: do not subtract the means.",
            ),
            (
                lambda x, y, k: singular(np.cov(x.T) - np.cov(y.T), k),
                "McGAN's second moments are not centred: do not subtract the means.",
            ),
            (
                lambda x, y, k: singular(x.T @ x - y.T @ y, k),
                "Take means over the samples, not sums: x and y need not be equally many.",
            ),
            (
                lambda x, y, k: singular(moments(x, y), None),
                "Those are all the singular values: U and V have k columns.",
            ),
        ],
    )


ENOUGH = 1.4  # a factor, for the exercise below


@exercise("35_mcgan/4")
def own_gap():
    """Write gap(on_real, on_fake, U, V), and train with it."""
    mean, total = tf.reduce_mean, tf.reduce_sum

    def moment(features, u, v):
        return mean(total((features @ u) * (features @ v), axis=1))

    def reference(x, y, u, v):
        return moment(x, u, v) - moment(y, u, v)

    def centred(x):
        return x - mean(x, axis=0)

    def inputs(rng):
        u, v = (np.linalg.qr(rng.normal(size=(3, 2)))[0] for _ in range(2))
        return rng.normal(0.5, 1, (16, 3)), rng.normal(-0.5, 2, (16, 3)), u, v

    return Losses(
        reference,
        inputs,
        _on_the_flat_cloud,
        right="products of features in pairs, seen along U and V.",
        names=("gap",),
        mistakes=[
            (
                "gap",
                lambda x, y, u, v: moment(x, u, u) - moment(y, u, u),
                "that is U = V tied, which has no use for a direction in which Q spreads more.",
            ),
            (
                "gap",
                lambda x, y, u, v: moment(centred(x), u, v) - moment(centred(y), u, v),
                "McGAN's second moments are not centred: do not subtract the means.",
            ),
            (
                "gap",
                lambda x, y, u, v: (
                    total(mean(x @ u, 0) * mean(x @ v, 0)) - total(mean(y @ u, 0) * mean(y @ v, 0))
                ),
                "that is a product of means; take the product for each sample, then the mean.",
            ),
            (
                "gap",
                lambda x, y, u, v: mean((x @ u) * (x @ v)) - mean((y @ u) * (y @ v)),
                "add the k products of a sample up; the mean is over the samples alone.",
            ),
        ],
    )


def _on_the_flat_cloud(gap):
    """Train a McGAN with such a gap on the flat cloud; see `Losses`."""

    class Mine(McGAN):
        def gap(self, real, fake):
            on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
            return gap(on_real, on_fake, self.U.value, self.V.value)

    def game(seed):
        options = {"matching": "covariance", "k": 3, "critic_steps": 10, "seed": seed}
        return Mine(linear_maker(), and_a_one(), **options)

    flat = flat_cloud(np.random.default_rng(0))

    def error(spread):
        return float(np.exp(np.abs(np.log(spread / flat.std(0))).max()))

    made = in_training(on_the_cloud, game, flat, seeds=SEEDS)
    errors = [error(cloud.std(0)) for cloud in made]
    begun = min(error(np.linalg.norm(tall(seed)[0], axis=0)) for seed in SEEDS)
    if max(errors) > ENOUGH:
        return False, (
            f"the gap is right, but trained with it a spread is off by a factor of "
            f"{max(errors):.1f}. What else does the function do?"
        )
    return True, (
        f"Trained with it on the flat cloud, from {len(SEEDS)} seeds, no spread is off by more "
        f"than a factor of {ENOUGH:g}; at the start it was {begun:.1f} at the least."
    )
