"""Exercises of lecture 13: integral probability metrics."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib import divergences
from genlib.check import Choice, Function, Number, exercise


@exercise("13_integral_probability_metrics/1")
def a_quarter_of_the_way():
    """D(P, M) of an integral probability metric with D(P, Q) = 0.8 and M = 3/4 P + 1/4 Q."""
    p, q = tfd.Bernoulli(probs=0.9), tfd.Bernoulli(probs=0.1)
    mixed = tfd.Bernoulli(probs=0.75 * 0.9 + 0.25 * 0.1)
    whole, truth = (float(divergences.total_variation(p, other)) for other in (q, mixed))
    return Number(
        truth,
        tolerance=0.003,
        right="p - m is a quarter of p - q, so every critic, the best one too, collects a quarter.",
        mistakes=[
            (whole - truth, "That is D(M, Q); from P, a quarter of the way is gone."),
            (whole / 16, "That squares the quarter; E_P f - E_M f is linear in M."),
            (whole, "P and M share three quarters of their mass; the critic gets nothing there."),
        ],
    )


@exercise("13_integral_probability_metrics/2")
def straight_critics():
    """Write fisher_straight(x, y): the Fisher IPM of the critics f(t) = a t, from two samples."""

    def value(x, y):
        return abs(np.mean(x) - np.mean(y)) / np.sqrt((np.mean(x**2) + np.mean(y**2)) / 2)

    def centred(x, y):
        return abs(np.mean(x) - np.mean(y)) / np.sqrt((np.var(x) + np.var(y)) / 2)

    return Function(
        value,
        inputs=lambda rng: (rng.normal(rng.normal(), 1, 6), rng.normal(rng.normal(), 2, 8)),
        tolerance=1e-3,
        right="the constraint fixes |a|, and the sign of a follows the means.",
        mistakes=[
            (centred, "The constraint has E f², not the variance: do not subtract the means."),
            (
                lambda x, y: value(x, y) / np.sqrt(2),
                "The two second moments are halved before they are added.",
            ),
            (lambda x, y: value(x, y) ** 2, "That is the square; take the root."),
            (
                lambda x, y: value(x, y) * np.sign(np.mean(x) - np.mean(y)),
                "a may be negative: the best critic's value is never below 0.",
            ),
            (lambda x, y: abs(np.mean(x) - np.mean(y)), "That has a = 1; what does Ω allow?"),
        ],
    )


@exercise("13_integral_probability_metrics/3")
def who_still_pulls():
    """Whose best critic gains most when Q = N(10, 1) moves on to N(11, 1), P = N(0, 1)?"""
    p, near, far = (tfd.Normal(np.float64(mean), np.float64(1)) for mean in (0, 10, 11))
    measures = {
        "TV": divergences.total_variation,
        "W1": divergences.wasserstein,
        "MMD": divergences.mmd,
        "Cramér": lambda a, b: divergences.cramer(a, b) ** 0.5,
    }
    gains = {name: float(d(p, far) - d(p, near)) for name, d in measures.items()}
    return Choice(
        max(gains, key=gains.get),
        options=list(measures),
        why="its critic may rise without end, at slope 1: a step of 1 is worth 1.",
        wrong={
            "TV": "Its critic is at -1/2 on all of Q already, and may not go lower.",
            "MMD": "Its critic dies out with the kernel's tails: nothing is left to gain there.",
            "Cramér": f"It gains {gains['Cramér']:.2f}, for its slope is small far out: ∫ f'² ≤ 1.",
        },
    )
