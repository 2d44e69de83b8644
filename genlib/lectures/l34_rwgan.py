"""Lecture 34: the relaxed Wasserstein GAN, and the Sinkhorn divergence."""

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from genlib import data, experiments, networks, plots, validate
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import costs, samples
from genlib.gans import RWGAN, WGAN
from genlib.gans.base import AdversarialModel
from genlib.lectures.write_on_arrays import Losses, beats_the_circle
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, panel

# The paper's algorithm, and transport by a solver in the critic's place


class ClippedRWGAN(WGAN):
    """The paper's algorithm as this course reads it: WGAN's game, in a box that phi shapes.

    A weight w may go as far as phi's slope at 1 + w stays within ``clip`` of its slope at 1: for
    "squared", phi = t^2 / 2, that is WGAN's ``[-c, c]``; for "kl", phi = t log t,
    ``[e^-c - 1, e^c - 1]``. Trained for `steps` as `experiments.preset` has it for RWGAN on the
    ring, so that a run of the one differs from one of the other in the game alone.
    """

    steps = 800

    def __init__(self, generator, critic, phi="kl", clip=0.3, **options):
        like = experiments.preset("rwgan", "ring")
        super().__init__(generator, critic, clip, **(like.options | options))
        self.rate = like.rate
        self.box = {"squared": (-clip, clip), "kl": (np.expm1(-clip), np.expm1(clip))}[
            validate.choice("phi", phi, ("squared", "kl"))
        ]

    def after_critic_step(self, real, fake):
        """Clip every weight to the box."""
        for weight in self.critic.trainable_variables:
            weight.assign(tf.clip_by_value(weight.value, *self.box))

    def compile(self, *optimizers, **options):
        """Compile as any model; without optimizers, with those of RWGAN's preset."""
        rates = [
            keras.optimizers.schedules.CosineDecay(self.rate, self.steps * updates, alpha=0.05)
            for updates in (1, self.critic_steps)
        ]
        optimizers = optimizers or [keras.optimizers.Adam(r, 0.5, 0.99) for r in rates]
        super().compile(*optimizers, **options)


class SinkhornGAN(AdversarialModel):
    """A generator that goes down the squared cost of entropic transport, solved on each batch.

    ``debiased`` takes away half the batch's cost to itself: the Sinkhorn divergence (Feydy et al.
    2019; the real batch's cost to itself has no gradient). ``rounds`` of Sinkhorn's updates.
    """

    critic_kind = None
    couples_batch = True
    log_names = ("generator_loss",)

    def __init__(self, generator, regularisation=0.03, debiased=True, rounds=10, **options):
        super().__init__(generator, **options)
        self.regularisation = validate.positive("regularisation", regularisation)
        self.debiased, self.rounds = debiased, validate.count("rounds", rounds)

    def critic_loss(self, real, fake):
        """There is no critic: 0."""
        return tf.constant(0.0)

    def generator_loss(self, real, fake):
        """The mean cost of the plan, held fixed: at the best plan, the gradient of OT."""
        value = self.moved(real, fake)
        return value - self.moved(fake, fake) / 2 if self.debiased else value

    def moved(self, x, y):
        """The mean squared distance that the plan moves ``x`` (n, d) to ``y`` (n, d)."""
        matrix = costs.squared_euclidean(x, y)
        cost = tf.stop_gradient(matrix) / self.regularisation
        f = g = tf.zeros_like(cost[0])
        for _ in range(self.rounds):  # f and g are up to a constant, which the softmax drops
            f = -tf.reduce_logsumexp(g - cost, 1)
            g = -tf.reduce_logsumexp(f[:, None] - cost, 0)
        plan = tf.nn.softmax(f[:, None] - cost, 0)  # a column sums to 1
        return tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(plan) * matrix, 0))


class OrderedGAN(AdversarialModel):
    """A generator of numbers that goes down ``cost(x, y)``, of arrays, at the cheapest coupling.

    On a line that coupling keeps the order, for every convex and every Bregman cost: no critic.
    """

    critic_kind = None
    couples_batch = True
    log_names = ("generator_loss",)

    def __init__(self, generator, cost, **options):
        super().__init__(generator, **options)
        self.cost = cost

    def critic_loss(self, real, fake):
        """There is no critic: 0."""
        return tf.constant(0.0)

    def generator_loss(self, real, fake):
        """The mean cost of the samples (n, 1) in order."""
        return tf.reduce_mean(self.cost(tf.sort(real, axis=0), tf.sort(fake, axis=0)))


# The trainings: one seed of some on the page, several of each stored

STEPS, SOLVED = ClippedRWGAN.steps, 1000  # of the generator; against a solver

SETTINGS = {
    "dual": "entropic dual",
    "clipped": "clipped, box of t log t",
    "wgan_box": "clipped, WGAN's box",
    "entropic": "entropic cost",
    "sinkhorn": "Sinkhorn divergence",
    "length": "length",
    "squared": "squared",
    "KL": "KL",
    "small": "eps 0.02",
    "large": "eps 2",
}
RULERS = {  # prices of moving x to y, two arrays of positive numbers
    "length": lambda x, y: abs(x - y),
    "squared": lambda x, y: (x - y) ** 2,
    "KL": lambda x, y: x * tf.math.log(x / y) - x + y,
}
SIZES = np.array([0.1, 1.0, 10.0])
SCORES = ("modes", "quality", "distance", "width", "spread", "pairs", *map(str, SIZES))


def train(setting, seed=0, **film):
    """One of the settings of the ring trained, as `experiments.on_toy` gives it."""
    how = {"seed": seed, "steps": STEPS} | film
    if setting in ("clipped", "wgan_box"):
        how |= {
            "settings": "paper",
            "clip": 0.3,
            "phi": "kl" if setting == "clipped" else "squared",
        }
        return experiments.on_toy(ClippedRWGAN, **how)
    if setting in ("entropic", "sinkhorn"):
        how |= {"steps": SOLVED, "debiased": setting == "sinkhorn"}
        return experiments.on_toy(SinkhornGAN, **how)
    if setting == "large":  # over long before
        how |= {"steps": 300}
    if (
        setting == "small"
    ):  # where the exponential overflows, the network is that of the epoch before
        how |= {"epochs": 8}
    eps = {"dual": 0.1, "small": 0.02, "large": 2.0}[setting]
    return experiments.on_toy("rwgan", **how, regularisation=eps)


def train_ruler(setting, seed=0):
    """A generator of positive numbers that goes down one of `RULERS` on numbers of `SIZES`."""
    rng = np.random.default_rng(0)
    sized = SIZES[rng.integers(3, size=6000)] * np.exp(0.2 * rng.normal(size=6000))
    maker = networks.mlp(2, (1,), 64, output_activation="softplus", seed=seed)
    game = OrderedGAN(maker, RULERS[setting], seed=seed)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, STEPS, alpha=0.05)
    game.compile(keras.optimizers.Adam(rate, 0.5, 0.99), jit_compile=False)
    game.fit(sized[:, None].astype("float32"), batch_size=256, steps_per_epoch=STEPS, verbose=0)
    return game


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    if setting in RULERS:
        found = shares(train_ruler(setting, seed))
    else:
        trial = train(setting, seed)
        found = scores(trial)
        if setting in ("dual", "small", "large"):
            found |= {"pairs": pairs_that_count(trial.model)}
    return {name: found.get(name, np.nan) for name in SCORES}


def scores(trial):
    """Modes, share of high quality, distance and width of samples on the ring; their deviation."""
    return {
        "modes": trial.modes,
        "quality": trial.high_quality,
        "distance": trial.distance,
        "width": trial.width,
        "spread": float(np.std(trial.model.sample(1000, seed=1))),
    }


def shares(game):
    """The share of 2,500 samples within three standard deviations of each size."""
    made = game.sample(2500, seed=1).numpy()
    far = np.abs(np.log(np.maximum(made, 1e-9)) - np.log(SIZES))  # (n, 3)
    return {str(size): np.mean(far[:, i] < 0.6) for i, size in enumerate(SIZES)}


def pairs_that_count(model, n=128):
    """Of n real and n generated points: the square of the weights' sum over the sum of squares."""
    x, y = data.toy("ring").sample(n, seed=(0, 1)), model.sample(n, seed=3)
    excess = model.critic(x)[:, :1] + tf.transpose(model.critic(y)[:, 1:]) - model.cost(x, y)
    weight = tf.nn.softmax(tf.reshape(excess / model.regularisation, [-1]))
    return 1 / float(tf.reduce_sum(weight**2))


def even_ring(centers, scale, n=48):
    """``n`` points for each mode of the ring, spread evenly over a Gaussian disc: no noise."""
    level, turn = (np.arange(n) + 0.5) / n, np.arange(n) * np.pi * (3 - np.sqrt(5))
    disc = np.sqrt(-2 * np.log(1 - level))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    return np.concatenate([c + scale * disc for c in centers]).astype(np.float32)


# Explorer: bregman_cost


def burg_entropy(x):
    """``phi(x) = -sum log x``, (n, d) -> (n,), for x > 0."""
    return -tf.reduce_sum(tf.math.log(x), -1)


#: Named phi on positive numbers: phi, its axis's limits, and the highest W to draw.
PHI = {
    "x²": (costs.squared_norm, (-8, 25), 8),
    "x log x": (costs.negative_entropy, (-2, 7), 3),
    "-log x": (burg_entropy, (-3, 3), 1.5),
}
LEVELS = (np.arange(15) + 0.5) / 15


@scene("bregman_cost")
class BregmanCost(Scene):
    """A Bregman cost, what it makes of moving a pile, and what eps does to the pull: RWGAN."""

    title = "A cost of your choice"
    alt = (
        "Left: the curve phi with its tangent at y, the middle of Q, in vermillion; a thick yellow "
        "line at x, the middle of P in blue, is the gap between them, the cost. Middle: the least "
        "cost of moving the piles against the place of Q, solid with the tangent at Q and dashed "
        "with it at P. Right: points of P above and of Q below; a line leads from each point of Q "
        "to the place it is pulled to."
    )
    size = (9.8, 3.8)
    reveals = (
        ({"phi": "x²"}, {}, {"phi": "-log x"}),
        tuple({"phi": "-log x", "place": place} for place in (4.0, 1.5, 0.8)),
        ({"eps": 0.01}, {}, {"eps": 1.0}, {"eps": 10.0}),
    )

    def controls(self):
        return {
            "phi": choice("phi", PHI, "x log x"),
            "place": slider("place of Q", 4.0, 0.6, 4.4, 0.1),
            "eps": log_slider("eps", 0.1, -2, 2, 0.1),
        }

    def stage(self, fig):
        self.p = 1.5 * np.exp(0.45 * ndtri(LEVELS))
        self.q = 0.8 * (LEVELS - 0.5)  # about its location
        self.xs, self.locations = np.linspace(0.02, 5, 250), np.linspace(0.6, 4.4, 77)
        self.both_ways = {name: self._both_ways(phi) for name, (phi, *_) in PHI.items()}
        self.left, self.middle, right = fig.subplots(1, 3)
        panel(self.left, "The cost of one move", ("x", 0, 5))
        self.phi, self.tangent = curve(self.left, "mixture"), curve(self.left, "q", linewidth=1.5)
        self.gap = curve(self.left, "highlight", linewidth=5, solid_capstyle="butt")
        self.at_x, self.at_y = dot(self.left, "p", 8), dot(self.left, "q", 8)
        panel(self.middle, "The cost of the whole pile", ("place of Q", 0.6, 4.4))
        self.ways = [curve(self.middle, "critic", linestyle=style) for style in ("-", "--")]
        self.dot = dot(self.middle, "critic")
        panel(right, "Where each point is pulled", ("x", 0, 5), ("", -0.35, 1.35), yticks=[])
        right.plot(self.p, np.ones(15), "o", color=COLORS["p"], markersize=7, alpha=0.7)
        plots.label(right, 4.9, 1.05, "P", "p", ha="right", fontsize=13)
        plots.label(right, 4.9, -0.08, "Q", "q", ha="right", va="top", fontsize=13)
        self.pulls = curve(right, "highlight", linewidth=1.5)
        self.points = dot(right, "q", 7, alpha=0.7)

    def _both_ways(self, phi):
        """``W(P, Q)`` and ``W(Q, P)`` for Q at each location."""
        # In 1-D the cheapest coupling keeps the order, so both are means over the levels.
        q = np.ravel(self.locations[:, None] + self.q)
        forth = bregman(phi, self.p, q).reshape(15, -1, 15).diagonal(axis1=0, axis2=2)
        back = bregman(phi, q, self.p).reshape(-1, 15, 15).diagonal(axis1=1, axis2=2)
        return forth.mean(1), back.mean(1)

    def update(self, phi, place, eps):
        forth, back = self.both_ways[phi]
        phi, limits, highest = PHI[phi]
        self.left.set_ylim(*limits)
        self.middle.set_ylim(0, highest)
        x, q = self.p.mean(), place + self.q
        at_x, at_y, ys = (np.asarray(phi(np.c_[t])) for t in (x, place, self.xs))
        one_move = bregman(phi, [x], [place])[0, 0]
        self.phi.move(self.xs, ys)
        self.tangent.move(self.xs, ys - bregman(phi, self.xs, [place])[:, 0])
        self.gap.move([x, x], [at_x[0] - one_move, at_x[0]])
        self.at_x.move(x, at_x)
        self.at_y.move(place, at_y)
        for line, values in zip(self.ways, (forth, back), strict=True):
            line.move(self.locations, values)
        least = np.diag(bregman(phi, self.p, q)).mean()
        self.dot.move(place, least)

        targets = pulled_to(self.p, q, phi, eps)
        self.points.move(q, 0 * q)
        ends = np.stack([q, targets, np.full(15, np.nan)], 1)  # NaN parts the strokes
        self.pulls.move(ends.ravel(), np.tile([0, 1, np.nan], 15))
        return {
            "D(x, y)": one_move,
            "W(P, Q), solid": least,
            "W(Q, P), dashed": np.diag(bregman(phi, q, self.p)).mean(),
            "spread of the targets over P's": f"{targets.std() / self.p.std():.0%}",
        }


def bregman(phi, x, y):
    """``D_phi(x, y)`` of numbers (n,) and (m,), shape (n, m)."""
    return costs.bregman(phi)(np.c_[x], np.c_[y]).numpy()


def pulled_to(x, y, phi, eps):
    """Mean of ``x`` (n,) that the entropic plan of the cost sends to each of ``y``, (m,)."""
    cost = costs.bregman(phi)
    _, plan = samples.sinkhorn(np.c_[x], np.c_[y], eps, cost, tolerance=1e-6, return_plan=True)
    return x @ (plan.numpy() / plan.numpy().sum(0))


# Exercises


@exercise("34_rwgan/1")
def one_way():
    """The KL cost of moving mass from y = 1 to x = 2 on a line, in nats."""
    cost = costs.bregman(costs.negative_entropy)
    truth = float(cost(tf.constant([[2.0]]), tf.constant([[1.0]]))[0, 0])
    return Number(
        truth,
        tolerance=0.005,
        right="2 log 2 - 2 + 1. For points that are no probabilities the last two terms stay.",
        mistakes=[
            (1 - np.log(2), "That is D(1, 2), the other way round: the cost is not symmetric."),
            (2 * np.log(2), "That leaves out - x + y, which only cancels where the sums agree."),
            (1.0, "That is the squared distance."),
        ],
    )


@exercise("34_rwgan/2")
def write_bregman():
    """Write cost(x, y): D_phi for phi(x) = sum of e^x, for two points (d,)."""

    def reference(x, y):
        cost = costs.bregman(lambda z: tf.reduce_sum(tf.exp(z), -1))
        return float(cost(tf.constant(x[None]), tf.constant(y[None]))[0, 0])

    def inputs(rng):
        d = int(rng.integers(1, 4))
        return rng.normal(size=d), rng.normal(size=d)

    def exact(x, y):
        return np.sum(np.exp(x) - np.exp(y) - np.exp(y) * (x - y))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="phi at x, less its tangent at y.",
        mistakes=[
            (lambda x, y: exact(y, x), "The tangent is taken at y, the second point."),
            (
                lambda x, y: np.sum(np.exp(x) - np.exp(y)),
                "The slope's term is missing: what is left can be negative.",
            ),
            (
                lambda x, y: np.sum(np.exp(x) - np.exp(y) + np.exp(y) * (x - y)),
                "The tangent is subtracted as a whole: mind the sign of its slope's term.",
            ),
        ],
        calls=8,
    )


@exercise("34_rwgan/3")
def large_eps():
    """What a very large eps does to the generator."""
    return Choice(
        right_choice="nearly one point",
        why="then every generated point is moved to every real one alike, and the cheapest place "
        "to be moved from is one point in their middle.",
        wrong={
            "the same as before": "Exactness comes with a small eps: a large one forgets who is "
            "matched with whom.",
            "nothing": "exp(excess / eps) is tame for a large eps; it overflows for a small one.",
        },
    )


OWN_EPS, OWN_STEPS = 0.1, 500  # of the exercise's training


@exercise("34_rwgan/4")
def own_losses():
    """Write losses(u, v, cost), and train with them."""
    mean = tf.reduce_mean

    def dual(u, v, excess, eps=OWN_EPS, before=OWN_EPS):
        return mean(u) + mean(v) - before * mean(tf.exp(excess / eps) - 1)

    def reference(u, v, cost):
        value = dual(u, v, u[:, None] + v - cost)
        return -value, value

    def inputs(rng):
        return *rng.normal(0, 0.1, (2, 16)), rng.uniform(0, 0.3, (16, 16))

    def train(losses):
        def both(model, real, fake):
            u, v = model.critic(real, training=True)[:, 0], model.critic(fake, training=True)[:, 1]
            return losses(u, v, model.cost(real, fake))

        return beats_the_circle(RWGAN, both, OWN_STEPS)

    def in_pairs(u, v, cost):
        return u + v - tf.linalg.diag_part(cost)

    def over_all(u, v, cost):
        return u[:, None] + v - cost

    mistakes = [
        (in_pairs, {}, "the fine is a mean over all pairs of the two batches, not row by row."),
        (over_all, {"before": 1.0}, "before the fine stands eps."),
        (over_all, {"eps": 1.0}, "in the exponent the excess is divided by eps."),
        (
            lambda u, v, cost: cost - u[:, None] - v,
            {},
            "the fine is for prices that exceed the cost: u + v - cost.",
        ),
        (
            lambda u, v, cost: u[:, None] + v + cost,
            {},
            "take the cost of the move off, do not add it.",
        ),
    ]
    return Losses(
        reference,
        inputs,
        train,
        right="both players share one number.",
        mistakes=[
            (
                who,
                lambda u, v, cost, sign=sign, excess=excess, how=how: (
                    sign * dual(u, v, excess(u, v, cost), **how)
                ),
                says,
            )
            for excess, how, says in mistakes
            for who, sign in (("critic", -1.0), ("generator", 1.0))
        ],
    )
