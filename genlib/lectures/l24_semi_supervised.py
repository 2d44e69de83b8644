"""Lecture 24: learning with few labels."""

import numpy as np
import tensorflow as tf
from scipy.special import expit

from genlib.check import Choice, Function, Number, exercise
from genlib.gaussian import kl_to_standard_normal
from genlib.likelihood import M2
from genlib.likelihood.base import fixed
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, moving, panel, strokes

# Explorer: few_labels

FOLLOW, ACROSS = "the modes", "the height"
DRAWS = 10
MOST = 300  # unlabelled points
PER_CLASS = 1
CLASS_COLORS = (COLORS["real"], COLORS["highlight"])


@scene("few_labels")
class FewLabels(Scene):
    """Two labelled points and many unlabelled: what a mixture makes of them, and when it errs."""

    title = "One label a class, and many points without one"
    alt = (
        "Left: two modes of grey points, two points with a label in blue and orange, and two "
        "lines that divide the plane: dotted from the labels alone, solid with the unlabelled "
        "points too. Right: the accuracy of both for ten draws of the labels, joined in pairs. "
        "Controls set the draw, the number of unlabelled points, and what the label depends on."
    )
    size = (9.4, 4.4)
    reveals = (
        ({"unlabelled": 0}, {"unlabelled": 10}, {}),
        ({}, {"draw": 5}, {"draw": 9}),
        ({"world": ACROSS, "unlabelled": 0}, {"world": ACROSS}),
    )

    def controls(self):
        return {
            "unlabelled": slider("unlabelled points", MOST, 0, MOST, 10),
            "draw": slider("draw of the labels", 2, 1, DRAWS, 1),
            "world": choice("the label depends on", [FOLLOW, ACROSS]),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.4, 1])
        panel(left, "The plane", ("$x_1$", -4.5, 4.5), ("$x_2$", -3.8, 3.8))
        grey = {"s": 8, "color": COLORS["mixture"], "alpha": 0.4, "linewidths": 0}
        self.cloud = moving(left.scatter([], [], **grey))
        self.marks = moving(left.scatter([0], [0], s=110, edgecolor="black", zorder=4))
        self.alone = curve(left, "mixture", linestyle=":")
        self.together = curve(left, "q", linewidth=2.5)

        ticks = {"xticks": [0, 1], "xticklabels": ["labels alone", "with unlabelled"]}
        panel(right, "Accuracy, ten draws", ("", -0.4, 1.4), ("", 0, 1.05), **ticks)
        self.pairs = strokes(right, linewidths=1, alpha=0.6)
        self.chosen = curve(right, "q", marker="o", linewidth=2.5)
        self.cache = {}

    def update(self, unlabelled, draw, world):
        if (unlabelled, world) not in self.cache:
            found = learn(unlabelled, world)
            scores = np.stack([accuracy(means, world) for means in found], -1)
            self.cache[unlabelled, world] = found, scores
        (alone, together), scores = self.cache[unlabelled, world]
        x, y = labelled(draw - 1, world)
        self.cloud.set_offsets(points()[:unlabelled])
        self.marks.set(offsets=x, facecolor=[CLASS_COLORS[label] for label in y])
        self.alone.move(*border(alone[draw - 1]))
        self.together.move(*border(together[draw - 1]))
        self.pairs.set_segments([[(0, a), (1, b)] for a, b in scores])
        self.chosen.move([0, 1], scores[draw - 1])
        mean = scores.mean(0)
        return {
            "this draw, labels alone": f"{scores[draw - 1, 0]:.0%}",
            "with unlabelled": f"{scores[draw - 1, 1]:.0%}",
            "mean of ten draws, labels alone": f"{mean[0]:.0%}",
            "mean with unlabelled": f"{mean[1]:.0%}",
        }


def points(n=MOST, seed=0):
    """``n`` points of two Gaussians, side by side, ``(n, 2)``."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) * [0.6, 1.2] + np.c_[rng.choice([-1.5, 1.5], n), np.zeros(n)]


def label(x, world):
    """The true label, 0 or 1, of points ``(n, 2)``."""
    return (x[:, 0 if world == FOLLOW else 1] > 0).astype(int)


def labelled(draw, world):
    """`PER_CLASS` points of each class, ``(2, 2)``, and their labels."""
    x = points(200, seed=100 + draw)
    y = label(x, world)
    chosen = np.concatenate([np.flatnonzero(y == c)[:PER_CLASS] for c in (0, 1)])
    return x[chosen], y[chosen]


def learn(unlabelled, world):
    """Class means ``(DRAWS, 2, 2)``: from the labels alone, and by EM with unlabelled points too.

    The model: two round Gaussians with one scale. EM starts at the labelled means; the labelled
    points keep their labels.
    """
    x, y = (
        np.stack(parts) for parts in zip(*(labelled(d, world) for d in range(DRAWS)), strict=True)
    )
    known = np.eye(2)[y]  # (draws, labelled points, 2)
    start = means = np.swapaxes(known, 1, 2) @ x / known.sum(1)[..., None]
    cloud = np.broadcast_to(points()[:unlabelled], (DRAWS, unlabelled, 2))
    every = np.concatenate([x, cloud], 1)
    variance = np.ones((DRAWS, 1))
    for _ in range(40 if unlabelled else 0):
        squares = ((every[:, :, None] - means[:, None]) ** 2).sum(-1)
        lead = (squares[..., 0] - squares[..., 1]) / 2 / variance
        second = expit(lead)
        belief = np.stack([1 - second, second], -1)
        belief[:, : x.shape[1]] = known
        means = np.swapaxes(belief, 1, 2) @ every / belief.sum(1)[..., None]
        squares = ((every[:, :, None] - means[:, None]) ** 2).sum(-1)
        variance = np.sum(belief * squares, (1, 2))[:, None] / (2 * every.shape[1])
    return start, means


def accuracy(means, world):
    """The share of 1,000 fresh points whose nearest mean, ``(..., 2, 2)``, is their class's."""
    x = points(1000, seed=1)
    nearest = ((x[:, None] - means[..., None, :, :]) ** 2).sum(-1).argmin(-1)
    return np.mean(nearest == label(x, world), -1)


def border(means):
    """The line halfway between two means, as two ends: x and y, each ``(2,)``."""
    across = np.array([1, -1]) * (means[1] - means[0])[::-1]
    across = 12 * across / max(np.linalg.norm(across), 1e-9)
    ends = means.mean(0) + np.array([-1, 1])[:, None] * across
    return ends.T


# M2 with settings that move


class TunableM2(M2):
    """`M2` whose ``alpha`` may change with no new compilation, and whose misfit counts more.

    ``sharpness`` multiplies the decoder's log-probability of a picture, in nats, against all else:
    10 is to the latents what a weight of 1/10 on their KL term is. 1 is M2.
    """

    def __init__(self, *args, alpha=0.1, sharpness=1.0, **options):
        super().__init__(*args, alpha=alpha, **options)
        self.alpha = fixed(self, np.float32(alpha), "alpha")
        self.sharpness = fixed(self, np.float32(sharpness), "sharpness")

    def bound(self, x, y, noise):
        flat = tf.reshape(x, (tf.shape(x)[0], -1))
        code = self.encoder(tf.concat([flat, y], -1))
        price = kl_to_standard_normal(*tf.split(code, 2, axis=-1)) + np.log(self.classes)
        return self.sharpness.value * (super().bound(x, y, noise) + price) - price


def slant(pictures):
    """How far the ink of pictures ``(n, h, w, 1)`` leans, ``(n,)``: its covariance of x and y."""
    ink = np.asarray(pictures, float)[..., 0]
    rows, columns = np.indices(ink.shape[1:])
    total = ink.sum((1, 2))
    row, column = (
        (ink * side).sum((1, 2), keepdims=True) / total[:, None, None] for side in (rows, columns)
    )
    return (ink * (rows - row) * (columns - column)).sum((1, 2)) / total


# Exercises

#: Exercise 1: what q(y|x) says of three classes, and the bounds on log p(x, y) of each, in nats.
BELIEF, BOUNDS = np.array([0.7, 0.2, 0.1]), np.array([-20.0, -23.0, -30.0])


@exercise("24_semi_supervised/1")
def unlabelled_bound():
    """The bound on log p(x), in nats, from BELIEF and BOUNDS."""
    entropy = -np.sum(BELIEF * np.log(BELIEF))
    mean = BELIEF @ BOUNDS
    return Number(
        mean + entropy,
        tolerance=0.005,
        right="the mean bound over the labels, plus the entropy of the guess.",
        mistakes=[
            (mean, "The entropy of q(y|x) is missing."),
            (mean - entropy, "The entropy is added: doubt is rewarded."),
            (BOUNDS.max(), "All labels count, weighted by q(y|x), not only the likeliest."),
            (BOUNDS.mean() + entropy, "Weight the bounds by q(y|x)."),
            (
                np.log(BELIEF @ np.exp(BOUNDS)),
                "That is the log of a mean; the bound is a mean of logs.",
            ),
            (mean + entropy / np.log(2), "The entropy is in bits; nats are wanted."),
        ],
    )


@exercise("24_semi_supervised/2")
def best_classifier():
    """Write best_q(bounds): the q(y|x) that makes the unlabelled bound as high as it can be."""

    def softmax(bounds):
        weights = np.exp(bounds - np.max(bounds))
        return weights / weights.sum()

    def inputs(rng):
        # Sixteenths, which float32 holds as well, far out too.
        return (np.round(16 * rng.normal(scale=3, size=4)) / 16 - rng.choice([5.0, 2000.0]),)

    return Function(
        softmax,
        inputs,
        tolerance=1e-5,
        right="it is the Bayes posterior of y, as far as the bounds know p(x, y).",
        mistakes=[
            (
                lambda bounds: np.eye(4)[np.argmax(bounds)],
                "One-hot gives up the entropy; some doubt raises the bound.",
            ),
            (lambda bounds: np.full(4, 0.25), "The largest entropy is not the largest bound."),
            (lambda bounds: bounds / bounds.sum(), "Normalise exp(bounds), not the bounds."),
            (lambda bounds: softmax(-bounds), "The sign: a higher bound deserves more belief."),
            (
                lambda bounds: np.exp(bounds - np.logaddexp.reduce(bounds)) * 4,
                "Probabilities must add up to 1.",
            ),
        ],
    )


@exercise("24_semi_supervised/3")
def why_alpha():
    """What would happen without the term alpha?"""
    return Choice(
        right_choice="classifier",
        why="eq. 6 knows the label, so it has no use for q(y|x): only the unlabelled "
        "pictures would train the classifier, through the model.",
        wrong={
            "decoder": "Both bounds still train the decoder.",
            "latents": "It has nothing to do with the latents z.",
        },
    )
