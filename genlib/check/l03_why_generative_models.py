"""Exercises of lecture 03: why generative models?"""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood import GaussianMixture


@exercise("03_why_generative_models/1")
def bayes_rule():
    """P(B | x = 1.5) for A: N(0, 1), 0.9 of the cases, and B: N(2, 1), 0.1 of them."""
    model = GaussianMixture(2)
    model.weights, model.means = np.array([0.9, 0.1]), np.array([[0.0], [2.0]])
    model.covariances = np.ones((2, 1, 1))
    of_a, of_b = model.responsibilities([1.5])[0]
    densities = model.distribution.components_distribution.prob([[1.5]]).numpy()
    return Number(
        float(of_b),
        tolerance=0.006,
        right="x is nearer to B, and yet A is more probable: it is nine times as frequent.",
        mistakes=[
            (float(of_a), "That is class A's probability."),
            (float(densities[1] / densities.sum()), "You left out how frequent the classes are."),
            (float(0.1 * densities[1]), "That is p(B) p(x|B); divide by the sum over both."),
            (float(densities[1]), "That is the density p(x|B), not a probability of B."),
        ],
    )


@exercise("03_why_generative_models/2")
def score_estimates():
    """Write score_estimates(z, value, theta, sigma): one score-function estimate a sample."""

    def draw(rng):
        theta, sigma = rng.normal(), rng.uniform(0.5, 2)
        z = theta + sigma * rng.normal(size=5)
        return z, np.sin(3 * z) + 2, theta, sigma

    def reference(z, value, theta, sigma):
        return value * (z - theta) / sigma**2

    return Function(
        reference,
        inputs=draw,
        tolerance=1e-5,
        right="it needs values of f, never its slope: f may be a step, or a game that was won.",
        mistakes=[
            (lambda z, v, t, s: v * (z - t) / s, "The score is (z - theta) / sigma^2; you divided "
             "by sigma once."),
            (lambda z, v, t, s: v * (z - t), "The score is (z - theta) / sigma^2; divide by "
             "sigma^2."),
            (lambda z, v, t, s: v * (t - z) / s**2, "The sign is wrong: a good sample to the right "
             "must pull theta to the right."),
            (lambda z, v, t, s: (z - t) / s**2, "That is the score alone; weigh it by f(z)."),
            (lambda z, v, t, s: np.mean(reference(z, v, t, s)), "That is their mean; one estimate "
             "for each sample is asked for."),
        ],
    )  # fmt: skip


@exercise("03_why_generative_models/3")
def reparameterised_spread():
    """The standard deviation of 2 (3 + noise), the slope of (theta + noise)^2 at theta = 3."""
    theta, sigma = 3.0, 1.0
    truth = 2 * sigma
    noise, mass = np.polynomial.hermite_e.hermegauss(20)
    score = (theta + sigma * noise) ** 2 * noise / sigma
    mass = mass / mass.sum()
    score_spread = np.sqrt(score**2 @ mass - (score @ mass) ** 2)
    return Number(
        truth,
        tolerance=0.01,
        right="the estimate is 2 (theta + noise), so theta only shifts it.",
        mistakes=[
            (2 * theta, "That is the slope itself; its estimates scatter about it."),
            (truth**2, "That is the variance; take the root."),
            (sigma, "The estimate is f'(z) = 2 z, not z."),
            (float(score_spread), "That is the score function's."),
        ],
    )


@exercise("03_why_generative_models/4")
def what_a_check_shows():
    """Two statistics that were fitted, and one that was not."""
    return Choice(
        right_choice="b",
        options=("a", "b", "c"),
        why="a statistic that was fitted agrees whatever the model's shape; only the others test.",
        wrong={
            "a": "Which two fit? Those that the fit itself made agree.",
            "c": "No mean and deviation make this shape end at 100; another shape is needed.",
        },
    )
