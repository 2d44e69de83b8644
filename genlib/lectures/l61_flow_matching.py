"""Lecture 61: flow matching."""

import functools

import keras
import numpy as np

from genlib import data, experiments, metrics, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.lectures import runs
from genlib.lectures.noised import Noised
from genlib.likelihood import FlowMatching, MeanFlow
from genlib.likelihood.flow_matching import bend, follow, straighten, transport_pairs
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, strokes

# The ring, and what a flow makes of it

RING = data.toy("ring")
MODES = data.mode_centers(RING)
SCALE = 0.1
EXACT = Noised(MODES, SCALE)
POINTS = 32_768
STEPS, RATE, BATCH = 1500, 3e-3, 256
COUNTS = (1, 2, 4, 64)  # Euler steps that are compared


def quality(points):
    """The share of points ``(n, 2)`` within three standard deviations of a mode, and the modes."""
    found = metrics.mode_coverage(points, MODES, 3 * SCALE)
    return found.high_quality, found.modes


def qualities(velocity, starts):
    """`quality`'s share after 1, 2, 4 and 64 Euler steps from ``starts``, a list."""
    return [quality(np.asarray(follow(velocity, starts, steps)[-1]))[0] for steps in COUNTS]


def new_flow(seed, shape=2, width=128, steps=STEPS, rate=RATE):
    """An untrained flow whose rate of learning falls to 2 % over ``steps`` steps."""
    model = FlowMatching(networks.timed_mlp(shape, width=width, seed=seed), seed=seed)
    falling = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02)
    model.compile(keras.optimizers.Adam(falling))
    return model


def new_mean_flow(seed, shape=2, width=128, steps=STEPS, rate=RATE):
    """`new_flow`'s network, but for one more input, that is to learn mean velocities."""
    model = MeanFlow(networks.timed_mlp(shape, 1, width=width, seed=seed), seed=seed)
    falling = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02)
    model.compile(keras.optimizers.Adam(falling))
    return model


def train_ring(pairing, seed, teacher=None, steps=STEPS):
    """A flow to the ring by "independent" or "transport" pairs, or those of a ``teacher``.

    "mean": a mean flow, by independent pairs.
    """
    model, start = (new_mean_flow if pairing == "mean" else new_flow)(seed, steps=steps), None
    x = RING.sample(POINTS, seed=(0, 1)).numpy()
    if pairing == "transport":
        start = transport_pairs(x, seed=seed)
    elif pairing == "reflow":
        x, start = straighten(teacher, POINTS, seed=seed)
    model.fit(x, start, batch_size=BATCH, steps_per_epoch=steps, verbose=0)
    return model


def floor(draws=8000, times=100, seed=0):
    """The least value that the loss can have on the ring with independent pairs, by Monte Carlo.

    The mean square of ``x - z`` less its mean given ``x_t``, over ``draws`` pairs at each of
    ``times`` equally spaced times.
    """
    rng, found = np.random.default_rng(seed), []
    for t in (np.arange(times) + 0.5) / times:
        z, x = rng.normal(size=(2, draws, 2))
        x = MODES[rng.integers(len(MODES), size=draws)] + SCALE * x
        gap = x - z - EXACT.velocity((1 - t) * z + t * x, t)
        found.append(np.mean(np.sum(gap**2, 1)))
    return float(np.mean(found))


# Explorer: carried_points

FRAME = (-2.6, 2.6)
DOTS = 256
COARSE = (1, 2, 4, 8, 64)


@functools.cache
def carried():
    """Starts ``(256, 2)``, two sets of partners, and the exact flow's places for each step count.

    The partners: at random, and by exact transport. The places: ``(65, 256, 2)``, at 65 times.
    """
    rng = np.random.default_rng(4)
    x = MODES[np.arange(DOTS) % len(MODES)] + SCALE * rng.normal(size=(DOTS, 2))
    start = transport_pairs(x.astype(np.float32), DOTS, seed=4).astype(np.float64)
    flows = {}
    for steps in COARSE:
        path = np.stack(follow(EXACT.velocity, start, steps))
        at = np.linspace(0, steps, 65)
        low = np.minimum(at.astype(int), steps - 1)
        share = (at - low)[:, None, None]
        flows[steps] = (1 - share) * path[low] + share * path[low + 1]
    return start, rng.permutation(x), x, flows


@scene("carried_points")
class CarriedPoints(Scene):
    """The same starts on three ways to the data: two kinds of pairs, and the flow between them."""

    title = "From noise to a ring, three ways"
    alt = (
        "Three panels with the same round cloud of vermillion dots on their way to a ring of eight "
        "blue clusters. Left: each dot runs straight to a partner drawn at random, and the lines "
        "cross. Middle: the exact flow of those pairs, curved lines that do not cross. Right: "
        "straight lines to partners by exact transport, hardly crossing."
    )
    size = (10.0, 3.9)
    reveals = (
        ({"time": 0.5}, {"time": 1.0}),
        ({"time": 0.3}, {}, {"time": 1.0}),
        ({"steps": 1, "time": 1.0}, {"steps": 2, "time": 1.0}, {"steps": 4, "time": 1.0}),
    )

    def controls(self):
        return {
            "time": slider("time", 0.6, 0.0, 1.0, 0.05),
            "steps": choice("Euler steps of the flow", COARSE, 64),
        }

    def stage(self, fig):
        titles = "Pairs at random", "The flow of these pairs", "Pairs by transport"
        self.panels = []
        for ax, title in zip(fig.subplots(1, 3, sharey=True), titles, strict=True):
            panel(ax, title, ("$x_1$", *FRAME), ("", *FRAME), aspect="equal")
            ax.scatter(*MODES.T, s=150, color=COLORS["real"], alpha=0.35, linewidths=0)
            self.panels.append((strokes(ax, linewidths=0.6, alpha=0.45), dot(ax, "generated", 4)))

    def update(self, time, steps):
        start, random, near, flows = carried()
        now = round(64 * time)
        path = flows[steps][: now + 1]
        places = []
        for (lines, dots), end in zip(self.panels, (random, None, near), strict=True):
            ways = path if end is None else np.stack([start, (1 - time) * start + time * end])
            lines.set_segments(ways.transpose(1, 0, 2))
            dots.move(*ways[-1].T)
            places.append(ways[-1])
        names = "at random", "the flow", "by transport"
        return {
            f"near a mode, {name}": f"{quality(place)[0]:.0%}"
            for name, place in zip(names, places, strict=True)
        }


# Explorer: two_velocities


@scene("two_velocities")
class TwoVelocities(Scene):
    """One start: the velocities of all pairs that pass here now, and their mean."""

    title = "The velocities of the pairs, and their mean"
    alt = (
        "Left: the plane with a ring of eight blue clusters, the curved path of one start in "
        "vermillion, and at the present place one grey arrow to each mode, darker where the mode "
        "is likelier, and the mean of the arrows in orange. Right: the chance of each mode given "
        "the place, as bars."
    )
    size = (9.6, 4.4)
    reveals = (
        {"time": 0.0},
        ({"time": 0.3}, {"time": 0.6}, {"time": 0.9}),
        {"time": 0.0, "across": 0.0, "up": 0.0},
        ({"across": 0.4, "up": 0.15, "time": 0.3}, {"across": 0.4, "up": 0.15, "time": 0.9}),
    )

    def controls(self):
        return {
            "across": slider("start, across", -0.8, -2.0, 2.0, 0.05),
            "up": slider("start, up", 1.2, -2.0, 2.0, 0.05),
            "time": slider("time", 0.5, 0.0, 0.95, 0.05),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        panel(left, "Place and velocities", ("$x_1$", *FRAME), ("$x_2$", *FRAME), aspect="equal")
        left.scatter(*MODES.T, s=220, color=COLORS["real"], alpha=0.3, linewidths=0)
        for k, (x, y) in enumerate(1.3 * MODES):
            plots.label(left, x, y, str(k), "real", ha="center", va="center")
        self.path = curve(left, "generated", linewidth=1.5)
        self.pairs = [curve(left, "mixture", linewidth=1.5) for _ in MODES]
        self.mean = curve(left, "highlight", linewidth=3)
        self.place = dot(left, "generated", 9)
        key(left, 0.02, 0.98, {"path of the start": "generated", "pairs": "mixture",
                               "their mean": "highlight"}, fontsize=10)  # fmt: skip
        panel(right, "Where is it going?", "mode", ("chance, given the place", 0, 1))
        right.set_xticks(range(8))
        self.bars = moving(right.bar(range(8), np.zeros(8), color=COLORS["mixture"]))

    def update(self, across, up, time):
        path = follow(EXACT.velocity, np.array([[across, up]]), 100)[: round(100 * time) + 1]
        place, now = path[-1], round(time, 2)
        chances = EXACT.shares(place, 1 - now, now)[0]
        mean = EXACT.velocity(place, now)[0]
        # A pair that ends in mode k: Noised with one mean gives the mean over that cluster.
        each = np.stack([Noised(m[None], SCALE).velocity(place, now)[0] for m in MODES])
        self.path.move(*np.concatenate(path).T)
        self.place.move(*place[0])
        for line, velocity, chance in zip(self.pairs, each, chances, strict=True):
            tip = place[0] + (1 - now) * velocity
            line.move(*np.stack([place[0], tip]).T)
            line.set_alpha(0.12 + 0.88 * float(chance))
        self.mean.move(*np.stack([place[0], place[0] + (1 - now) * mean]).T)
        for bar, chance in zip(self.bars, chances, strict=True):
            bar.set_height(chance)
        spread = np.sum(chances * np.sum((each - mean) ** 2, 1))
        return {
            "likeliest mode": f"{chances.argmax()} ({chances.max():.0%})",
            "speed of the mean": float(np.linalg.norm(mean)),
            "spread of the pairs' velocities": float(np.sqrt(spread)),
        }


# Digits, and how near to those of the training set

DIGITS_STEPS = 4000


@functools.cache
def digits(split="train"):
    """The pictures as rows ``(n, 64)`` in [0, 1]."""
    return data.images("digits", split)[0].reshape(-1, 64)


def train_digits(n, width, steps, seed, callbacks=None):
    """A flow to the first ``n`` training digits, as numbers in [-1, 1]; returns the loss too."""
    model = new_flow(seed, 64, width, steps, 2e-3)
    history = model.fit(
        2 * digits()[:n] - 1,
        batch_size=BATCH,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=callbacks,
    )
    return model, history.history["loss"][-1]


def pictures(rows):
    """What a flow made, ``(n, 64)`` in [-1, 1], as pictures ``(n, 8, 8, 1)`` in [0, 1]."""
    return np.clip((np.asarray(rows) + 1) / 2, 0, 1).reshape(-1, 8, 8, 1).astype(np.float32)


def copies(made, train):
    """How near ``made`` is to the training set, both ``(n, ...)``: mean distance, share of copies.

    A copy is at most half as far from its nearest training picture as from the second nearest.
    """
    made, train = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (made, train))
    squares = (made**2).sum(1)[:, None] + (train**2).sum(1) - 2 * made @ train.T
    near = np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0))
    return float(near[:, 0].mean()), float(np.mean(near[:, 0] <= near[:, 1] / 2))


def variety(x):
    """Variance within a class as `metrics.read_digits` reads it, summed over pixels.

    The mean over all of ``x`` ``(n, 8, 8, 1)`` that is read as a digit; NaN if none is.
    """
    label, rows = metrics.read_digits(x), np.asarray(x, np.float64).reshape(len(x), -1)
    parts = [rows[label == digit] for digit in range(10) if np.any(label == digit)]
    return sum(((p - p.mean(0)) ** 2).sum() for p in parts) / max(1, sum(map(len, parts)))


def loss_on(model, x, seed=0):
    """The loss on rows ``x`` in [0, 1], over the same 20 draws of starts and times for all."""
    rng, found = np.random.default_rng(seed), []
    x = 2 * np.asarray(x) - 1
    for _ in range(20):
        z, t = rng.normal(size=x.shape).astype(np.float32), rng.random(len(x)).astype(np.float32)
        u = model.velocity((1 - t)[:, None] * z + t[:, None] * x, t).numpy()
        found.append(np.mean(np.sum((u - (x - z)) ** 2, 1)))
    return float(np.mean(found))


# Stored runs

RINGS = {
    "independent": "independent pairs",
    "transport": "pairs by exact transport",
    "reflow": "pairs of the first flow",
    "independent_long": "independent pairs, 6,000 steps",
    "transport_long": "exact transport, 6,000 steps",
}
MEANS = {"mean": "mean flow", "mean_long": "mean flow, 6,000 steps"}
#: Each trained flow to digits: how many are seen, width, steps.
NETS = {
    "d32": (32, 256, 4000),
    "d128": (128, 256, 4000),
    "d512": (512, 256, 4000),
    "d1438": (1438, 256, 4000),
    "short": (128, 256, 1000),
    "long": (128, 256, 16000),
    "narrow": (128, 32, 4000),
    "wide": (128, 512, 4000),
}
#: What is changed, and the flow at each value of it.
AXES = {
    "digits seen": {"32": "d32", "128": "d128", "512": "d512", "1,438": "d1438"},
    "steps, on 128 digits": {"1,000": "short", "4,000": "d128", "16,000": "long"},
    "width, on 128 digits": {"32": "narrow", "256": "d128", "512": "wide"},
}
SETTINGS = (
    RINGS
    | MEANS
    | {
        name: f"{n} digits, width {width}, {steps} steps"
        for name, (n, width, steps) in NETS.items()
    }
)


def run(setting, seed):
    """Train one setting and score it at 1, 2, 4 and 64 Euler steps: what `SETTINGS` names."""
    starts = np.random.default_rng(100 + seed).normal(size=(2500, 2)).astype(np.float32)
    if setting in RINGS | MEANS:
        pairing, _, longer = setting.partition("_")
        teacher = train_ring("independent", seed) if pairing == "reflow" else None
        model = train_ring(pairing, seed, teacher, STEPS * (4 if longer else 1))
        made = np.asarray(model.follow(starts, 1 if setting in MEANS else 64)[-1])
        shares = [quality(np.asarray(model.follow(starts, n)[-1]))[0] for n in COUNTS]
        scores = dict(zip(map("read{}".format, COUNTS), shares, strict=True))
        many = np.random.default_rng(200 + seed).normal(size=(20_000, 2)).astype(np.float32)
        scores["jsd1"] = experiments.counted_jsd(np.asarray(model.follow(many, 1)[-1]), "ring")
        return scores | {
            "bend": bend(model.velocity, starts),
            "variety": quality(made)[1],
            "distance": np.nan,
            "copies": np.nan,
            "loss": np.nan,
            "held_out": np.nan,
        }
    n, width, steps = NETS[setting]
    model, _ = train_digits(n, width, steps, seed)
    starts = np.random.default_rng(100 + seed).normal(size=(500, 64)).astype(np.float32)
    scores = {}
    for count in COUNTS:
        made = pictures(model.follow(starts, count)[-1])
        scores[f"read{count}"] = metrics.class_scores(made).confident
    distance, copied = copies(made, digits()[:n])
    return scores | {
        "jsd1": np.nan,
        "bend": bend(model.velocity, starts),
        "variety": variety(made),
        "distance": distance,
        "copies": copied,
        "loss": loss_on(model, digits()[:n]),
        "held_out": loss_on(model, digits("test")),
    }


stored = functools.partial(runs.table, "61_flow_matching")
scores = functools.partial(runs.over_seeds, "61_flow_matching")


# Explorer: what_makes_it_copy


@scene("what_makes_it_copy")
class WhatMakesItCopy(Scene):
    """The stored runs: a lever that is moved, and what the flows of three seeds then make."""

    title = "What makes a network copy?"
    alt = (
        "Left: share of pictures that are copies, in vermillion, and share that reads as digits, "
        "in grey, against the lever that is moved. Right: the loss on digits seen, in vermillion, "
        "and on held-out digits, in blue. Dots are three seeds; a vertical line marks the setting."
    )
    size = (9.6, 4.0)
    reveals = (
        ({"axis": "digits seen", "place": 0}, {"axis": "digits seen", "place": 3}),
        (
            {"axis": "steps, on 128 digits", "place": 0},
            {"axis": "steps, on 128 digits", "place": 2},
        ),
        (
            {"axis": "width, on 128 digits", "place": 0},
            {"axis": "width, on 128 digits", "place": 2},
        ),
    )

    def controls(self):
        return {
            "axis": choice("what is changed", AXES),
            "place": slider("from few to many", 1, 0, 3, 1),
        }

    def stage(self, fig):
        left, right = self.axes = fig.subplots(1, 2)
        panel(left, "Pictures", "lever", ("share", -0.04, 1.35), yticks=[0, 0.5, 1])
        panel(right, "Loss", "lever", ("loss", 10, 200), yscale="log")
        key(left, 0.98, 0.98, {"read as a digit": "mixture", "copies": "generated"}, fontsize=11)
        key(right, 0.98, 0.98, {"held-out digits": "real", "digits seen": "generated"}, fontsize=11)
        shown = (left, "read64", "mixture"), (left, "copies", "generated")
        shown += (right, "held_out", "real"), (right, "loss", "generated")
        self.lines = {score: (curve(ax, role), dot(ax, role, 5)) for ax, score, role in shown}
        self.marks = [curve(ax, "black", linewidth=1, linestyle="--") for ax in self.axes]

    def update(self, axis, place):
        names = AXES[axis]
        here = min(place, len(names) - 1)
        for ax, mark in zip(self.axes, self.marks, strict=True):
            ax.set(xticks=range(len(names)), xticklabels=names, xlim=(-0.3, len(names) - 0.7))
            ax.set_xlabel(axis)
            mark.move([here, here], ax.get_ylim())
        numbers = {axis: list(names)[here]}
        words = {"read64": "read", "held_out": "held-out loss", "loss": "loss on what it saw"}
        for score, (line, dots) in self.lines.items():
            found = [scores(name, score) for name in names.values()]
            line.move(range(len(names)), [v.mean() for v in found])
            seeds = [(i, value) for i, values in enumerate(found) for value in values]
            dots.move(*np.transpose(seeds))
            form = ".0%" if score in ("read64", "copies") else ".0f"
            numbers[words.get(score, score)] = f"{found[here].mean():{form}}"
        return numbers


# Exercises


@exercise("61_flow_matching/1")
def floor_of_two_points():
    """The least loss, at t = 0, for data at -2 and 2, equally likely, and starts N(0, 1)."""
    # At t = 0 the place is z itself and says nothing of x: what is left is the variance of x.
    truth = float(np.var([-2.0, 2.0]))
    return Number(
        truth,
        tolerance=0.01,
        right="at t = 0 the place is the start, which does not know its partner: Var(x) is left.",
        mistakes=[
            (0.0, "A start at z goes to -2 or to 2, and no function of z can say which."),
            (truth + 1, "That is the variance of x - z; but z is known at t = 0."),
            (2.0, "That is the standard deviation; the loss is a mean square."),
            (1.0, "That is the variance of z, which is known at t = 0."),
        ],
    )


@exercise("61_flow_matching/2")
def write_the_loss():
    """Write loss(u, z, x, t): the flow-matching loss of arrays (n, d), t (n,)."""

    def reference(u, z, x, t):
        t = t[:, None]
        return np.mean(np.sum((u((1 - t) * z + t * x, t) - (x - z)) ** 2, 1))

    def variant(place, target):
        def loss(u, z, x, t):
            t = t[:, None]
            return np.mean(np.sum((u(place(z, x, t), t) - target(z, x, t)) ** 2, 1))

        return loss

    def right_place(z, x, t):
        return (1 - t) * z + t * x

    def inputs(rng):
        a, b = rng.normal(size=(2, 2))
        return lambda y, t: a * y + b * t, *rng.normal(size=(2, 6, 2)), rng.random(6)

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="a regression: no simulation, no density, no critic.",
        mistakes=[
            (variant(right_place, lambda z, x, t: x), "The target is a velocity, x - z, not x."),
            (variant(right_place, lambda z, x, t: z - x), "The sign: from z, at t = 0, to x."),
            (variant(lambda z, x, t: (1 - t) * x + t * z, lambda z, x, t: x - z),
             "At t = 0 the place is z, at t = 1 it is x."),
            (lambda u, z, x, t: reference(u, z, x, t) / z.shape[1],
             "Sum over the coordinates; take the mean over the rows alone."),
        ],
    )  # fmt: skip


@exercise("61_flow_matching/3")
def velocity_of_one_step():
    """Write one_step(starts, points): one Euler step of the exact velocity of a finite set."""

    def reference(starts, points):
        return np.zeros_like(starts) + points.mean(0)

    def nearest(starts, points):
        return points[np.argmin(((starts[:, None] - points) ** 2).sum(-1), 1)]

    def inputs(rng):
        return rng.normal(size=(4, 3)), rng.normal(size=(5, 3))

    return Function(
        reference,
        inputs,
        tolerance=1e-6,
        right="at t = 0 the mean of x - z given z is the mean of the data less z: one step lands "
        "on the mean, wherever it began.",
        mistakes=[
            (nearest, "At t = 0 each data point is equally likely: nearness says nothing yet."),
            (lambda s, p: p.mean(0) - s, "That is the velocity; the step adds it to the start."),
            (lambda s, p: p.mean(0), "A row for each start, please."),
            (lambda s, p: s + p.mean(0), "The velocity is the mean of x - z, not of x."),
        ],
    )


@exercise("61_flow_matching/4")
def perfect_minimiser():
    """What the perfect minimiser of the loss on 1,438 digits makes."""
    return Choice(
        right_choice="training pictures",
        why="the loss knows the data by these points alone, and its exact flow ends in them.",
        wrong={
            "new digits": "That is what a network makes that does not reach the least loss.",
            "the mean digit": "One step of the flow ends there; many steps go on.",
            "noise": "The flow of the exact velocity ends where the data are.",
        },
    )
