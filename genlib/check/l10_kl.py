"""Exercises of lecture 10: the Kullback-Leibler divergence."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kl


@exercise("10_kl/1")
def forward_kl():
    """KL(P || Q) in nats, P = N(0, 1), Q = N(1, 2) (2 is the standard deviation)."""
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 2.0)
    truth = float(kl(p, q))
    return Number(
        truth,
        tolerance=0.005,
        right="the wide Q puts mass wherever P has some, so coding P with Q costs little.",
        mistakes=[
            (float(kl(q, p)), "That is the reverse KL; swap the arguments."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (
                float(kl(p, tfd.Normal(1.0, np.sqrt(2.0)))),
                "The 2 is Q's standard deviation, not its variance.",
            ),
            (-truth, "The sign is wrong: KL is never negative."),
        ],
    )


@exercise("10_kl/2")
def kl_bernoulli():
    """Write kl_bernoulli(p, q): the KL in nats between two Bernoulli distributions."""

    def reference(p, q):
        return kl(tfd.Bernoulli(probs=p), tfd.Bernoulli(probs=q))

    return Function(
        reference,
        inputs=lambda rng: tuple(rng.uniform(0.05, 0.95, size=2)),
        tolerance=1e-4,
        right="both outcomes count, each weighted by its probability under P.",
        mistakes=[
            (lambda p, q: reference(q, p), "That is the reverse KL; swap p and q."),
            (lambda p, q: reference(p, q) / np.log(2), "That is in bits; use np.log."),
            (lambda p, q: -reference(p, q), "The sign is wrong: KL is never negative."),
            (
                lambda p, q: p * np.log(p / q),
                "That counts the outcome 1 only; add the term for the outcome 0.",
            ),
            (
                lambda p, q: -p * np.log(q) - (1 - p) * np.log(1 - q),
                "That is the cross-entropy; subtract the entropy of P.",
            ),
        ],
    )


@exercise("10_kl/3")
def which_direction():
    """A fitted model gives sharp samples, all from one of P's modes: which KL was minimised?"""
    return Choice(
        "KL(Q||P)",
        ["KL(P||Q)", "KL(Q||P)"],
        "the reverse KL asks nothing of Q where P has a mode that Q ignores.",
        wrong={
            "KL(P||Q)": "That is the forward KL; a mode of P where q is almost 0 costs it dearly.",
        },
    )


@exercise("10_kl/4")
def moment_match():
    """Write best_gaussian(weights, means, scales) -> [mean, scale]: the forward KL's best Q."""

    def reference(weights, means, scales):
        mean, second = _moments(weights, means, scales)
        return np.array([mean, np.sqrt(second - mean**2)])

    def variance(weights, means, scales):
        mean, second = _moments(weights, means, scales)
        return np.array([mean, second - mean**2])

    def within_only(weights, means, scales):
        mean, _ = _moments(weights, means, scales)
        return np.array([mean, np.sqrt(weights @ scales**2)])

    def unweighted(weights, means, scales):
        return reference(np.full(len(means), 1 / len(means)), means, scales)

    def heaviest(weights, means, scales):
        return np.array([means[weights.argmax()], scales[weights.argmax()]])

    return Function(
        reference,
        inputs=lambda rng: (
            rng.dirichlet([2.0, 2.0, 2.0]), rng.normal(0, 2, size=3), rng.uniform(0.3, 1.5, size=3)
        ),
        tolerance=1e-4,
        right="the forward KL keeps P's mean and P's variance, however many humps P has.",
        mistakes=[
            (variance, "The second number is the variance; the scale is its square root."),
            (within_only, "The spread of the means is missing: Var = E[x^2] - mean^2."),
            (unweighted, "Weight each hump by its weight."),
            (heaviest, "That is one hump, where the reverse KL may end; match P's moments."),
        ],
    )  # fmt: skip


def _moments(weights, means, scales):
    """The mean of a mixture of Gaussians, and its mean square."""
    return weights @ means, weights @ (means**2 + scales**2)
