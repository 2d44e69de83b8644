"""Exercises of lecture 02: one formula read as a density and as a likelihood."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Function, Number, exercise

WAITS = np.array([0.2, 0.5, 0.4, 1.1, 0.3])  # hours; also in the lecture's text


@exercise("02_likelihood_vs_pdf/1")
def area_of_seven_heads():
    """The area under the likelihood of 7 heads in 10 tosses, over theta from 0 to 1."""
    theta = np.linspace(1e-6, 1 - 1e-6, 20_001)
    seven_heads = tfd.Binomial(np.float64(10), probs=theta).prob(np.float64(7)).numpy()
    area = np.trapezoid(seven_heads, theta)
    one_order = np.trapezoid(theta**7 * (1 - theta) ** 3, theta)
    return Number(
        area,
        tolerance=0.0005,
        right="it is 1/11, and each of the 11 possible counts gives that same area.",
        mistakes=[
            (1.0, "That is the area under a density; this curve runs over theta, not over x."),
            (
                one_order,
                "That is one particular order of heads and tails; count all orders, as Binomial.",
            ),
            (seven_heads.max(), "That is the height of the likelihood; its area is asked for."),
            (0.7, "That is the theta of the highest likelihood; the area is asked for."),
            (0.5, "That is the area after one toss; here the coin fell ten times."),
        ],
    )


@exercise("02_likelihood_vs_pdf/2")
def log_likelihood():
    """Write log_likelihood(rate, x): of all of x, (n,), under an exponential, in nats."""

    def reference(rate, x):
        return tfd.Exponential(np.float64(rate)).log_prob(x).numpy().sum()

    return Function(
        reference,
        inputs=lambda rng: (rng.uniform(0.2, 3), rng.exponential(size=5)),
        tolerance=1e-4,
        right="the log of a product is the sum of the logs.",
        mistakes=[
            (lambda rate, x: np.exp(reference(rate, x)), "That is the likelihood; take its log."),
            (lambda rate, x: -reference(rate, x), "That is the negative log-likelihood."),
            (lambda rate, x: reference(rate, x) / len(x), "That is the average; sum over x."),
            (lambda rate, x: np.log(rate) - rate * x, "Those are the five terms; now sum them."),
            (
                lambda rate, x: np.log(rate) - rate * x.sum(),
                "log(rate) belongs to each of the observations, not once to all.",
            ),
            (lambda rate, x: -rate * x.sum(), "The factor in front, rate, is missing its log."),
            (
                lambda rate, x: reference(1 / rate, x),
                "You took the argument for the mean; it is the rate, 1 over the mean.",
            ),
        ],
    )


@exercise("02_likelihood_vs_pdf/3")
def best_rate():
    """The maximum-likelihood rate of an exponential for WAITS."""
    rates = np.linspace(0.01, 10, 9991)
    scores = tfd.Exponential(rates[:, None]).log_prob(WAITS).numpy().sum(1)
    best = rates[scores.argmax()]
    return Number(
        best,
        tolerance=0.02,
        right="it is 1 over the average wait, where the log-likelihood has slope 0.",
        mistakes=[
            (WAITS.mean(), "That is the best mean; the rate is 1 over it."),
            (1 / np.median(WAITS), "That is 1 over the median; the likelihood asks for the mean."),
            (np.mean(1 / WAITS), "Average the waits first, then take 1 over that."),
            (scores.max(), "That is the highest log-likelihood; give the rate where it stands."),
            (1 / WAITS.sum(), "That is 1 over the sum; there are five waits."),
        ],
    )


@exercise("02_likelihood_vs_pdf/4")
def stable_average():
    """Write average_nll(mean, x): the average negative log-likelihood under N(mean, 1)."""

    def reference(mean, x):
        return -tfd.Normal(np.float64(mean), np.float64(1)).log_prob(x).numpy().mean()

    def product_first(mean, x):
        with np.errstate(divide="ignore"):
            return -np.log(np.prod(tfd.Normal(np.float64(mean), np.float64(1)).prob(x))) / len(x)

    return Function(
        reference,
        inputs=lambda rng: (rng.uniform(-1, 1), rng.normal(size=10_000)),
        tolerance=1e-4,
        right="logs first, then the average: nothing underflows.",
        mistakes=[
            (product_first, "The product of 10,000 densities is 0.0; take each log first."),
            (lambda mean, x: -reference(mean, x), "The sign: the negative of the log-likelihood."),
            (lambda mean, x: reference(mean, x) * len(x), "That is the sum; divide by len(x)."),
            (
                lambda mean, x: np.mean((x - mean) ** 2) / 2,
                "The constant is missing: a Gaussian density has 1/sqrt(2 pi) in front.",
            ),
        ],
    )
