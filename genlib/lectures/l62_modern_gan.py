"""Lecture 62: the modern GAN, and which of its parts does the work."""

import functools

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit, ndtr, ndtri

from genlib import data, experiments, metrics, networks, plots, validate
from genlib.check import Function, Number, exercise
from genlib.experiments.presets import OPTIMIZERS, default_networks
from genlib.gans import GAN, AdversarialModel, RelativisticGAN
from genlib.lectures import runs
from genlib.lectures.l30_gan import SIMULTANEOUS
from genlib.lectures.l43_gan_lab import CLIPPED, HINGE, NON_SATURATING, DiracZoo, zoo_update
from genlib.lectures.l61_flow_matching import variety
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, key, panel, words

mean = tf.reduce_mean

# The hinge loss


class HingeGAN(AdversarialModel):
    """Hinge loss (Lim and Ye 2017, "Geometric GAN"); numbers ``(n, 1)`` from the critic."""

    def critic_loss(self, real, fake):
        """``E max(0, 1 - D(x)) + E max(0, 1 + D(x~))``."""
        on_real, on_fake = self.score(real), self.score(fake)
        return mean(tf.maximum(1 - on_real, 0.0)) + mean(tf.maximum(1 + on_fake, 0.0))

    def generator_loss(self, real, fake):
        """``-E D(x~)``."""
        return -mean(self.score(fake))


def hinge_loss(p, q, critic):
    """The hinge critic's loss on finitely many points of chances ``p`` and ``q``, all ``(n,)``."""
    return float(p @ np.maximum(1 - critic, 0) + q @ np.maximum(1 + critic, 0))


# Explorer: modern_dirac. Lecture 43's, with the objectives and the penalties of this lecture.

RELATIVISTIC = "relativistic"


@scene("modern_dirac")
class ModernDirac(DiracZoo):
    """The smallest GAN under modern losses: none of them reaches the goal without a penalty."""

    title = "The Dirac-GAN: modern losses, and two penalties"
    reveals = (
        tuple({"objective": name} for name in (HINGE, RELATIVISTIC)),
        ({"r1": 0.5}, {"r1": 0.5, "r2": 0.5}),
        ({"r1": 2.0, "r2": 2.0}, {"r1": 2.0, "r2": 2.0, "rate": 0.6}),
        {"objective": CLIPPED},
    )

    def controls(self):
        names = [NON_SATURATING, HINGE, RELATIVISTIC, CLIPPED]
        return super().controls() | {"objective": choice("losses", names)}

    def update(self, objective, **settings):
        # A pair's lead is -psi theta, the critic's number on the only real point being 0: both
        # relativistic losses are then the non-saturating ones but for a constant.
        same = NON_SATURATING if objective == RELATIVISTIC else objective
        return {"losses": objective} | super().update(same, **settings)


# Explorer: power_iteration

ROUNDS = 12


def power_iteration(kernel, u, steps):
    """Estimates of the largest singular value of ``kernel`` (n, m) from ``u`` (m,), one a step.

    As ``keras.layers.SpectralNormalization`` takes its steps; returns the last ``u`` too.
    """
    found = []
    for _ in range(steps):
        v = kernel @ u
        v = v / np.linalg.norm(v)
        u = v @ kernel
        found.append(float(np.linalg.norm(u)))
        u = u / found[-1]
    return np.array(found), u


def turned(angle):
    """The rotation (2, 2) by ``angle`` degrees."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array([[c, -s], [s, c]])


@scene("power_iteration")
class PowerIteration(Scene):
    """How power iteration finds the largest stretch of a matrix, from any start but one."""

    title = "The largest stretch of a layer, step by step"
    alt = (
        "Left: a grey unit circle and the ellipse that a matrix makes of it; a green line from the "
        "middle to the circle is the present direction, a thicker green one what the matrix makes "
        "of it, and an orange line the longest half axis. Right: the estimate after each step as "
        "green dots, which rise to a dashed orange line, the exact largest singular value."
    )
    size = (9.4, 4.1)
    reveals = (
        ({"steps": 1}, {"steps": 4}),
        ({"second": 1.9, "steps": 1}, {"second": 1.9, "steps": 12}),
        ({"start": 89}, {"start": 90}),
    )

    def controls(self):
        return {
            "second": slider("smaller singular value", 1.0, 0.1, 1.9, 0.1),
            "start": slider("start, degrees off", 70, 0, 90, 1),
            "steps": slider("steps", 2, 1, ROUNDS, 1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.25])
        panel(left, "A circle and its picture", ("", -2.3, 2.3), ("", -2.3, 2.3), aspect="equal")
        turn = np.linspace(0, 2 * np.pi, 120)
        self.circle = np.stack([np.cos(turn), np.sin(turn)], 1)
        left.plot(*self.circle.T, color="#8c8c8c", linewidth=1)
        self.ellipse = curve(left, "mixture")
        self.axis = curve(left, "highlight", linewidth=2)
        self.u, self.image = (
            curve(left, "critic", linewidth=1.5),
            curve(left, "critic", linewidth=4),
        )
        key(left, 0.02, 0.98, {"longest stretch": "highlight", "direction, its picture": "critic"},
            fontsize=10)  # fmt: skip
        panel(right, "The estimate", ("step", 0.5, ROUNDS + 0.5), ("stretch", 0, 2.3))
        right.axhline(2, color=COLORS["highlight"], linestyle="--")
        plots.label(right, ROUNDS + 0.3, 2.06, "largest singular value", "highlight", ha="right")
        self.all, self.now = dot(right, "critic", 4, alpha=0.5), dot(right, "critic", 10)

    def update(self, second, start, steps):
        # x is mapped to x @ kernel.T; the longest stretch, 2, is of the direction at 20 degrees.
        kernel = turned(50) @ np.diag([2.0, second]) @ turned(20).T
        u = turned(20 + start)[:, 0]
        found, _ = power_iteration(kernel, u, ROUNDS)
        u = power_iteration(kernel, u, steps)[1]
        self.ellipse.move(*(self.circle @ kernel.T).T)
        self.axis.move(*np.stack([0 * u, 2 * turned(50)[:, 0]]).T)
        self.u.move(*np.stack([0 * u, u]).T)
        self.image.move(*np.stack([0 * u, kernel @ u]).T)
        self.all.move(np.arange(1, ROUNDS + 1), found)
        self.now.move(steps, found[steps - 1])
        near = np.flatnonzero(found > 0.99 * 2)
        return {
            "estimate": f"{found[steps - 1]:.4f}",
            "exact, by SVD": f"{np.linalg.svd(kernel, compute_uv=False)[0]:.4f}",
            "steps to within 1 %": str(near[0] + 1) if len(near) else f"more than {ROUNDS}",
        }


# Explorer: two_modes. Two real points; one generated point sits on the first, one is on its way.

SEPARABLE, PAIRED, EVERY = "each alone", "fixed pairs", "pairs drawn anew"
PLACES = np.linspace(-1.4, 1.4, 57)
REAL = np.array([-1.0, 1.0])
#: Each game's terms: weights, and what softplus is taken of: minus these sums of D at the points
#: (real -1, real 1, generated 1, generated 2).
TERMS = {
    SEPARABLE: (np.full(4, 0.5), np.diag([1.0, 1.0, -1.0, -1.0])),
    PAIRED: (np.full(2, 0.5), np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]])),
    EVERY: (
        np.full(4, 0.25),
        np.array([[1.0, 0, -1, 0], [1, 0, 0, -1], [0, 1, -1, 0], [0, 1, 0, -1]]),
    ),
}


def bell(x, y, width):
    """The kernel ``exp(-(x - y)^2 / (2 width^2))`` of all pairs, ``(..., n, m)``."""
    return np.exp(-((x[..., :, None] - y[..., None, :]) ** 2) / (2 * width**2))


def best_critics(game, places, width, weight, rounds=25):
    """The critic's least loss for each place of the second generated point, and its coefficients.

    The critic is any sum of bells, ``f``, and pays ``weight / 2`` times its squared norm; at the
    best it is a sum of four, at the points. Newton's method, damped. Shapes ``(n,)``, ``(n, 4)``.
    """
    weights, sums = TERMS[game]
    points = np.stack([0 * places - 1, 0 * places + 1, 0 * places - 1, places], 1)
    k = bell(points, points, width)
    a = np.zeros(points.shape)

    def value(a):
        f = np.einsum("nij,nj->ni", k, a)
        return np.logaddexp(0, -f @ sums.T) @ weights + weight / 2 * np.sum(a * f, 1)

    for _ in range(rounds):
        lead = np.einsum("nij,nj->ni", k, a) @ sums.T
        slope = -(weights * expit(-lead)) @ sums + weight * a
        bend = np.einsum("r,nr,ri,rj->nij", weights, expit(lead) * expit(-lead), sums, sums)
        step = np.linalg.solve(bend @ k + weight * np.eye(4), slope[..., None])[..., 0]
        rate, before = np.ones(len(a)), value(a)
        for _ in range(6):
            worse = value(a - rate[:, None] * step) > before + 1e-12
            rate = np.where(worse, rate / 2, rate)
        a = a - rate[:, None] * step
    return value(a), a


def dip(values, places=PLACES):
    """How far a path of ``values`` from place -1 to 1 falls below where it stands at -1."""
    way = values[(places > -1 - 1e-9) & (places < 1 + 1e-9)]
    return float(way[0] - way.min())


@functools.lru_cache(256)
def landscapes(width, weight):
    """For each game, the critic's least loss at all of `PLACES`, ``(57,)``."""
    return {game: best_critics(game, PLACES, width, weight)[0] for game in TERMS}


@scene("two_modes")
class TwoModes(Scene):
    """Two modes and two generated points: what stands between a lost mode and the goal."""

    title = "Can the second point leave for the other mode?"
    alt = (
        "Left: two blue real points at -1 and 1; one vermillion generated point stays at -1, the "
        "other moves; the green curve is the best critic. Right: the critic's least loss, which "
        "the generator wants high, against the place of the moving point, a curve for each of "
        "three games: each alone, solid; fixed pairs, dashed; pairs drawn anew, dotted."
    )
    size = (9.8, 4.0)
    reveals = (
        ({"place": 0.0}, {"place": 1.0}),
        ({"game": PAIRED, "place": 0.0}, {"game": EVERY, "place": 0.0}),
        ({"width": 1.0}, {"width": 1.0, "place": 0.0}),
        ({"weight": 0.1}, {"weight": 1.0}),
    )

    def controls(self):
        return {
            "game": choice("samples", list(TERMS)),
            "place": slider("place of the second point", -1.0, -1.4, 1.4, 0.1),
            "width": log_slider("width of the critic's bells", 0.1, -1, 0, 0.1),
            "weight": log_slider("penalty on the critic", 0.01, -2, 0, 0.5),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2)
        span = (-1.5, 1.5)
        panel(left, "Points and the best critic", ("x", *span), ("D(x)", -6, 6))
        left.axhline(0, color="#8c8c8c", linewidth=1)
        left.plot(REAL, [0, 0], "o", color=COLORS["real"], markersize=13, alpha=0.5)
        left.plot(-1, 0, "o", color=COLORS["generated"], markersize=6)
        self.critic, self.point = curve(left, "critic"), dot(left, "generated", 9)
        key(left, 0.98, 0.98, {"real": "real", "generated": "generated", "critic": "critic"})
        panel(
            right, "The critic's least loss", ("place of the second point", *span), ("nats", 0, 1.5)
        )
        styles = {SEPARABLE: "-", PAIRED: "--", EVERY: ":"}
        self.curves = {game: curve(right, "mixture", linestyle=s) for game, s in styles.items()}
        self.names = {game: words(right, "mixture", game, ha="center") for game in TERMS}
        self.here = dot(right, "highlight", 10)

    def update(self, game, place, width, weight):
        xs, spot = np.linspace(-1.5, 1.5, 241), np.array([float(place)])
        _, a = best_critics(game, spot, width, weight)
        points = np.array([-1.0, 1.0, -1.0, place])
        f = bell(xs, points, width) @ a[0]
        self.critic.move(xs, f - f.mean())
        self.point.move(place, 0)
        found = landscapes(width, weight)
        for name, values in found.items():
            self.curves[name].move(PLACES, values)
            self.curves[name].set_linewidth(3 if name == game else 1.5)
            flat = float(np.interp(0.0, PLACES, values))
            self.names[name].move(0.0, flat + (0.07 if name != EVERY else -0.08))
        self.here.move(place, float(np.interp(place, PLACES, found[game])))
        return {f"dip, {name}": f"{dip(values):.3f} nats" for name, values in found.items()}


# The fair table: losses and penalties, each at two rates, on the same networks and budget

LOSSES = {"gan": ("non-saturating", GAN), "hinge": ("hinge", HingeGAN),
          "pairs": ("relativistic", RelativisticGAN)}  # fmt: skip
#: R1's and R2's weights as multiples of `WEIGHT`, and whether layers are normalised.
PENALTIES = {
    "none": ("none", 0, 0, False),
    "r1": ("R1", 1, 0, False),
    "both": ("R1 + R2", 1, 1, False),
    "spectral": ("spectral norm", 0, 0, True),
    "twice": ("R1, twice the weight", 2, 0, False),
}
TABLE = ("none", "r1", "both", "spectral")  # what the fair table compares; the last is a control
RATES = {"slow": 5e-4, "fast": 2e-3}
#: Generators of one game: in words, the depths of the mapping network and of what follows, whether
#: latents are put on a sphere, and what the mapping's learning rate is multiplied by.
GENERATORS = {
    "plain": ("two layers", 0, 2, False, 1.0),
    "deep": ("six layers", 0, 6, False, 1.0),
    "sphere": ("six layers, latents on a sphere", 0, 6, True, 1.0),
    "fast": ("mapping of four layers, then two", 4, 2, True, 1.0),
    "mapping": ("the same, mapping at 1/100 of the rate", 4, 2, True, 0.01),
}
WORLDS = {"ring": "hard ring", "digits": "digits, 8x8"}
SWING = "ring, momentum 0.9"  # lecture 30's failure: rates that do not fall, Adam's own momentum
MANY = "grid of 25, 10,000 steps"  # where the paper of 2024 says that its loss should show
BRIDGES = "hard ring, 8 latents, R1"
TOYS = {"ring": "hard_ring", "swing": "ring", "grid": "grid", "map": "hard_ring"}
WEIGHT = dict.fromkeys(TOYS, 1.0) | {"grid": 0.1, "digits": 0.1}
STEPS = dict.fromkeys(TOYS, 2000) | {"grid": 10_000, "digits": 1500}
BATCH = dict.fromkeys(TOYS, 128) | {"digits": 64}
EPOCHS, SEEDS = 20, 3
SCORES = ("modes", "quality", "width", "distance")

SETTINGS = (
    {
        f"{world}_{loss}_{penalty}": f"{WORLDS[world]}: {LOSSES[loss][0]}, {PENALTIES[penalty][0]}"
        for world in WORLDS
        for loss in LOSSES
        for penalty in (*TABLE, *(["twice"] if (world, loss) == ("ring", "gan") else []))
    }
    | {
        f"swing_{loss}_{penalty}": f"{SWING}: {LOSSES[loss][0]}, {PENALTIES[penalty][0]}"
        for loss in LOSSES
        for penalty in ("none", "r1", *(["both"] if loss == "pairs" else []))
    }
    | {
        f"grid_{loss}_{penalty}": f"{MANY}: {LOSSES[loss][0]}, {PENALTIES[penalty][0]}"
        for loss in ("gan", "pairs")
        for penalty in ("none", "r1", "both")
    }
    | {
        f"map_{generator}_r1": f"{BRIDGES}: {words}"
        for generator, (words, *_) in GENERATORS.items()
    }
)


class SlowDense(keras.layers.Layer):
    """A dense layer that learns at ``speed`` times Adam's rate (Karras et al. 2018, section 4.1).

    Its kernel is stored ``1 / speed`` times as large: Adam's steps do not depend on that scale.
    """

    def __init__(self, units, speed, seed):
        super().__init__()
        self.units, self.speed, self.seed = units, speed, seed

    def build(self, shape):
        start = keras.initializers.RandomNormal(0, np.sqrt(2 / shape[-1]) / self.speed, self.seed)
        self.kernel = self.add_weight((shape[-1], self.units), start, name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x):
        return keras.ops.leaky_relu(self.speed * (x @ self.kernel + self.bias))


def mapped_generator(kind, latent=8, width=128, seed=0):
    """One of `GENERATORS`, to points ``(n, 2)``."""
    _, mapping, depth, on_sphere, speed = GENERATORS[kind]
    x = start = keras.Input((latent,))
    if on_sphere:
        x = x * keras.ops.rsqrt(keras.ops.mean(x**2, axis=1, keepdims=True) + 1e-8)
    for i in range(mapping):
        x = SlowDense(width, speed, seed + 50 + i)(x)
    return keras.Model(start, networks.mlp(x.shape[1], 2, width, depth, seed=seed)(x))


def build(setting, rate, seed=0):
    """An untrained model of one of `SETTINGS`, compiled for a learning rate that can be set."""
    world, loss, penalty = setting.split("_")
    _, r1, r2, spectral = PENALTIES[penalty]
    shape, latent, width = ((2,), 2, 128) if world in TOYS else ((8, 8, 1), 16, 128)
    if world == "map":
        generator, loss = mapped_generator(loss, seed=seed), "gan"
    else:
        generator = default_networks("gan", shape, latent, width, seed=seed)[0]
    critic = networks.mlp(
        shape, 1, width, 2, "leaky_relu", seed=seed + 100, name="critic", spectral=spectral
    )
    weight = WEIGHT[world]
    model = LOSSES[loss][1](generator, critic, r1=r1 * weight, r2=r2 * weight, seed=seed)
    adam = keras.optimizers.Adam if world == "swing" else OPTIMIZERS["adam"]
    model.compile(*(adam(rate) for _ in "gc"))
    return model


def train(setting, pairs, look=None):
    """Train one setting at each (rate, seed) of ``pairs``, all in one graph.

    The rates fall to 5 % along the way, but for the swing.

    Returns the models, or what ``look`` says of each.
    """
    world = setting.split("_")[0]
    points = experiments.density(TOYS[world]) if world in TOYS else data.images("digits")[0]
    fall = 1 if world == "swing" else 0.05 ** (1 / (EPOCHS - 1))
    falling = keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: rate * fall if epoch else rate
    )
    return experiments.over_seeds(
        lambda pair: build(setting, *pair),
        points,
        steps=STEPS[world],
        seeds=pairs,
        epochs=EPOCHS,
        batch_size=BATCH[world],
        callbacks=falling,
        look=look,
    )


@functools.cache
def real_digits():
    """The training digits as rows, and the variance within a class of the held-out ones."""
    return data.images("digits")[0].reshape(-1, 64), variety(data.images("digits", "test")[0])


def judge(made, world):
    """Modes found, share of high quality, width within them over the data's, and distance.

    On points the width is the modes' deviation and the distance the JSD in nats, by counting. On
    digits: classes, share read as a digit, the root of the variance within a class, and the Frechet
    distance between the pixels.
    """
    if world in TOYS:
        toy = TOYS[world]
        modes, quality, _ = experiments.score_points(made, toy)
        width = experiments.mode_width(made, toy) / experiments.truth(toy).width
        width, away = width if np.isfinite(width) else 0.0, experiments.counted_jsd(made, toy)
        return modes, quality, width, min(away, np.log(2))
    made = made if np.isfinite(made).all() else np.zeros_like(made)
    found, (real, within) = metrics.class_scores(made), real_digits()
    width = np.sqrt(np.nan_to_num(variety(made)) / within)
    away = metrics.frechet_distance(real, made.reshape(-1, 64))
    return found.classes, found.confident, float(width), away


DRAWN = dict.fromkeys(TOYS, 20_000) | {"digits": 1500}


@functools.cache
def _scores(setting):
    """`judge` of each rate and seed: compiling once for all is much of the saving."""
    world = setting.split("_")[0]
    return train(
        setting,
        [(rate, seed) for rate in RATES.values() for seed in range(SEEDS)],
        look=lambda model: judge(model.sample(DRAWN[world], seed=1).numpy(), world),
    )


def run(setting, seed):
    """Each rate's scores of one setting and seed, by names such as "quality_slow".

    All `SEEDS` are trained at once, when the first is asked for: its seconds are those of all.
    """
    found = _scores(setting)
    return {
        f"{score}_{rate}": value
        for i, rate in enumerate(RATES)
        for score, value in zip(SCORES, found[i * SEEDS + seed], strict=True)
    }


stored = functools.partial(runs.table, "62_modern_gan")
over_seeds = functools.partial(runs.over_seeds, "62_modern_gan")


def best_rate(setting):
    """The rate, "slow" or "fast", with the smaller mean distance over the stored seeds."""
    return min(RATES, key=lambda rate: over_seeds(setting, f"distance_{rate}").mean())


def at_best(setting, score):
    """A score of the stored runs of one setting at its better rate, seed by seed."""
    return over_seeds(setting, f"{score}_{best_rate(setting)}")


def grid(world, score, rate=None):
    """A score of the fair table, ``(losses, penalties, seeds)``: at each one's better ``rate``."""
    held = [name for name in TABLE if f"{world}_gan_{name}" in SETTINGS]
    names = [[f"{world}_{loss}_{penalty}" for penalty in held] for loss in LOSSES]
    return np.array(
        [
            [at_best(x, score) if rate is None else over_seeds(x, f"{score}_{rate}") for x in row]
            for row in names
        ]
    )


def effects(values):
    """How far the losses' means are apart, and the penalties', of ``(losses, penalties, ...)``."""
    return float(np.ptp(values.mean((1, 2)))), float(np.ptp(values.mean((0, 2))))


def moves(world):
    """How far changing one thing moves the mean distance: the loss, the penalty, the rate."""
    losses, held = effects(grid(world, "distance"))
    slow, fast = (grid(world, "distance", rate).mean() for rate in RATES)
    return {"loss": losses, "penalty": held, "learning rate": float(abs(slow - fast))}


def _even(world, rng, n=20_000):
    """Points spread evenly over the ring's circle, or over the square that the grid fills."""
    centers = data.mode_centers(experiments.density(TOYS[world]))
    if TOYS[world] == "grid":
        return rng.uniform(centers.min(), centers.max(), (n, 2))
    turn = rng.uniform(0, 2 * np.pi, n)
    return np.linalg.norm(centers[0]) * np.stack([np.cos(turn), np.sin(turn)], 1)


@functools.cache
def yardsticks(world):
    """What `judge` says of what needs no training: true samples, and a simple baseline."""
    rng = np.random.default_rng(0)
    if world in TOYS:
        real = experiments.density(TOYS[world]).sample(20_000, seed=(0, 5)).numpy()
        baseline = f"an even {'square' if TOYS[world] == 'grid' else 'circle'}"
        return {"true samples": judge(real, world), baseline: judge(_even(world, rng), world)}
    x = data.images("digits")[0]
    made = np.stack([rng.choice(pixel, 1500) for pixel in x.reshape(-1, 64).T], 1)
    return {
        "held-out digits": judge(data.images("digits", "test")[0], world),
        "each pixel on its own": judge(made.reshape(-1, 8, 8, 1).astype(np.float32), world),
    }


def fair_table(world, settings=None):
    """The stored runs as text: every score at the better rate, mean and (least..most)."""
    every = [f"{world}_{loss}_{penalty}" for loss in LOSSES for penalty in PENALTIES]
    names = settings or [name for name in every if name in SETTINGS]
    toy = world in TOYS
    heads = ["modes", "near a mode"] if toy else ["classes", "read"]
    forms = (".1f", ".0%", ".2f", ".3f" if toy else ".2f")
    rows = [["rate", *heads, "width", "JSD" if toy else "Fréchet"]]
    titles = [SETTINGS[names[0]].partition(":")[0]]
    for name in names:
        found = [at_best(name, score) for score in SCORES]
        rows.append([best_rate(name)] + [
            f"{v.mean():{form}} ({v.min():{form}}..{v.max():{form}})"
            for v, form in zip(found, forms, strict=True)
        ])  # fmt: skip
        titles.append(SETTINGS[name].partition(": ")[2])
    for name, found in yardsticks(world).items():
        rows.append(["", *(f"{v:{form}}" for v, form in zip(found, forms, strict=True))])
        titles.append(name)
    return "\n".join(
        f"{title:<38}{rate:>5}" + "".join(f"{cell:>21}" for cell in cells)
        for title, (rate, *cells) in zip(titles, rows, strict=True)
    )


def draw_fair():
    """A figure: for each world, the distance of every run by penalty, a marker for each loss."""
    fig, axes = plots.figure(1, 3, size=(12.5, 3.8), width_ratios=[0.8, 1, 1])
    looks = {"gan": ("real", "o"), "hinge": ("mixture", "s"), "pairs": ("generated", "D")}
    for ax, world in zip(axes, ("swing", *WORLDS), strict=True):
        values = grid(world, "distance")
        held = [name for name in TABLE if f"{world}_gan_{name}" in SETTINGS]
        for i, (loss, (role, marker)) in enumerate(looks.items()):
            places = np.arange(len(held)) + 0.22 * (i - 1)
            ax.plot(np.repeat(places, values.shape[2]), values[i].ravel(), marker,
                    color=COLORS[role], alpha=0.6, markersize=7, label=LOSSES[loss][0])  # fmt: skip
        names = [PENALTIES[name][0].replace("l n", "l\nn") for name in held]
        ax.set_xticks(range(len(held)), names)
        (_, (*_, least)), *_ = yardsticks(world).items()
        ax.axhline(least, color=COLORS["real"], linestyle="--", linewidth=1)
        what = "JSD (nats)" if world in TOYS else "Fréchet distance"
        ax.set(title=WORLDS.get(world, SWING), ylabel=what, ylim=(0, None))
    axes[-1].legend(fontsize=10)
    return fig


# Truncation


def truncated(n, dim, threshold, seed=0):
    """Standard normal latents ``(n, dim)``, each number given that it lies within ``threshold``.

    Inverse of the distribution function, so that the same seed draws the same ranks at each.
    """
    threshold = validate.positive("threshold", threshold)
    ranks = np.random.default_rng(seed).random((n, dim))
    low = ndtr(-threshold)
    return ndtri(low + (1 - 2 * low) * ranks).astype(np.float32)


THRESHOLDS = (0.25, 0.5, 1.0, 2.0, 4.0)


def truncation(generator, n=1000):
    """What `judge` says of the digits from latents truncated at each threshold, ``(5, 4)``."""
    latent = generator.input_shape[-1]
    made = (generator(truncated(n, latent, t), training=False).numpy() for t in THRESHOLDS)
    return np.array([judge(x, "digits") for x in made])


# Exercises


@exercise("62_modern_gan/1")
def write_the_losses():
    """Write losses(on_real, on_fake): both relativistic losses, the critic's first."""

    def soft(x):
        return np.mean(np.logaddexp(0, x))

    def reference(on_real, on_fake):
        return np.array([soft(on_fake - on_real), soft(on_real - on_fake)])

    def alone(on_real, on_fake):
        return np.array([soft(-on_real) + soft(on_fake), soft(-on_fake)])

    def every(on_real, on_fake):
        gaps = on_fake[None] - on_real[:, None]
        return np.array([soft(gaps), soft(-gaps)])

    def centred(on_real, on_fake):
        return np.array([soft(on_fake.mean() - on_real), soft(on_real.mean() - on_fake)])

    return Function(
        reference,
        inputs=lambda rng: (rng.normal(1, 2, 6), rng.normal(size=6)),
        tolerance=1e-5,
        right="one number says which of the two is real; the generator turns the pair round.",
        mistakes=[
            (alone, "Those are the losses of the original GAN; here only differences count."),
            (lambda r, f: reference(r, f)[::-1], "The critic's loss comes first, and wants real "
             "above generated."),
            (every, "Row i meets row i alone: no matrix of all pairs."),
            (centred, "That compares with the other batch's mean, the average variant."),
            (lambda r, f: reference(r, f) * [1, 0] - reference(r, f)[0] * np.array([0, 1]),
             "The generator minimises the loss of the turned pair, not minus the critic's."),
            (lambda r, f: np.array([np.mean(np.exp(-np.logaddexp(0, g))) for g in (f - r, r - f)]),
             "That is the mean chance; the loss is minus the mean of its log."),
            (lambda r, f: 6 * reference(r, f), "That is a sum over the pairs; E is their mean."),
        ],
    )  # fmt: skip


@exercise("62_modern_gan/2")
def best_hinge():
    """The hinge critic's least loss for P = (0.5, 0.3, 0.2) and Q = (0.1, 0.3, 0.6)."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    truth = hinge_loss(p, q, np.sign(p - q))
    tv = np.abs(p - q).sum() / 2
    return Number(
        truth,
        tolerance=0.005,
        right="2 (1 - TV): where P has more the critic says 1, where Q has more -1.",
        mistakes=[
            (tv, "That is the total variation; the loss is 2 (1 - TV)."),
            (2 * tv, "That is 2 TV; the loss is 2 (1 - TV)."),
            (1 - tv, "Twice that: each of the two terms counts it."),
            (2.0, "That is the loss of a critic that says 0, or of P = Q."),
        ],
    )


@exercise("62_modern_gan/3")
def least_weight():
    """The weight of R1 above which the Dirac-GAN, both at once, rate 0.2, converges."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        matrix = zoo_update(NON_SATURATING, SIMULTANEOUS, 0.2, middle)
        inside = np.abs(np.linalg.eigvals(matrix)).max() < 1
        low, high = (low, middle) if inside else (middle, high)
    return Number(
        high,
        tolerance=0.002,
        right="the product of the two eigenvalues is 1 - 0.2 weight + 0.1^2, and must be below 1.",
        mistakes=[
            (0.0, "The flow converges with any weight; a step of 0.2 overshoots, and needs more."),
            (0.2, "With the slope 1/2 of the losses at the goal the two pushes are 0.1 each."),
            (0.01, "That is 0.1^2; the penalty enters times the rate, 0.2."),
            (1.0, "From there on the flow no longer turns; it converges long before."),
        ],
    )
