"""Exercises of lecture 24: learning with few labels."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise

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

    return Function(
        softmax,
        inputs=lambda rng: (rng.normal(scale=3, size=4) - rng.choice([5.0, 2000.0]),),
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
        right_choice="b",
        options=("a", "b", "c"),
        why="eq. 6 knows the label, so it has no use for q(y|x): only the unlabelled "
        "pictures would train the classifier, through the model.",
        wrong={
            "a": "Both bounds still train the decoder.",
            "c": "It has nothing to do with the latents z.",
        },
    )
