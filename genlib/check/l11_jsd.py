"""Exercises of lecture 11: the Jensen-Shannon divergence."""

import math

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Function, Number, exercise
from genlib.divergences import js, kl, wasserstein


@exercise("11_jsd/1")
def far_apart():
    """JSD in nats of U(0, 1) and U(5, 6)."""
    p, q = tfd.Uniform(0.0, 1.0), tfd.Uniform(5.0, 6.0)
    truth = float(js(p, q))
    return Number(
        truth,
        tolerance=0.005,
        right="one look at x tells which of the two it came from, and it cannot tell more.",
        mistakes=[
            (2 * truth, "That lacks the 1/2 before each KL."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (float(kl(p, q)), "That is KL; here the second argument is R, and r >= p / 2."),
            (0.0, "JSD is 0 only when P = Q."),
            (float(wasserstein(p, q)), "JSD does not see how far apart P and Q are."),
        ],
    )


@exercise("11_jsd/2")
def from_the_game():
    """The best discriminator of a GAN reaches the value -0.6 nats: what is the JSD?"""
    value = -0.6
    truth = (value + math.log(4)) / 2
    return Number(
        truth,
        tolerance=0.005,
        right="value = 2 JSD - log 4, solved for JSD.",
        mistakes=[
            (2 * truth, "Halve it: the value at D* is 2 JSD - log 4."),
            (value + math.log(4) / 2, "Halve the value too: JSD = (value + log 4) / 2."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            ((value + math.log(2)) / 2, "Blind guessing gives -log 4, for both of its terms."),
            ((value - math.log(4)) / 2, "The sign of log 4: value = 2 JSD - log 4."),
        ],
    )


@exercise("11_jsd/3")
def write_js():
    """Write jsd(p, q) of two probability vectors, in nats; some probabilities are 0."""

    def to_mixture(p, q):
        """KL(p || r)."""
        return kl(_on(p), _on((p + q) / 2))

    def reference(p, q):
        return js(_on(p), _on(q))

    return Function(
        reference,
        inputs=lambda rng: (_with_a_zero(rng), _with_a_zero(rng)),
        tolerance=1e-4,
        right="each KL to the mixture is finite, and 0 log 0 counts as 0.",
        mistakes=[
            (lambda p, q: 2 * reference(p, q), "The 1/2 before each KL is missing."),
            (to_mixture, "That is KL(P||R) alone; take the mean of it and KL(Q||R)."),
            (lambda p, q: reference(p, q) / np.log(2), "That is in bits; use np.log."),
            (lambda p, q: np.sqrt(reference(p, q)), "That is the distance, JSD's square root."),
            (
                lambda p, q: (kl(_on(p), _on(q)) + kl(_on(q), _on(p))) / 2,
                "That compares P with Q themselves; compare each with R = (P + Q) / 2.",
            ),
        ],
    )


def _on(probs):
    return tfd.Categorical(probs=probs)


def _with_a_zero(rng):
    probs = rng.dirichlet(np.ones(4))
    probs[rng.integers(4)] = 0
    return probs / probs.sum()
