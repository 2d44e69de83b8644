"""Exercises of lecture 00: the way in."""

import numpy as np

from genlib.check import Number, exercise


@exercise("00_start_here/1")
def average_log_likelihood():
    """The score, in nats, of a model whose density is 0.2 at every data point."""
    truth = np.log(0.2)
    return Number(
        truth,
        tolerance=0.005,
        right="the average of equal numbers is that number, and the score is a logarithm.",
        mistakes=[
            (0.2, "That is the density; the score is its natural logarithm."),
            (-truth, "The sign is wrong: the logarithm of a number below 1 is negative."),
            (np.log10(0.2), "That is the logarithm to base 10; nats use np.log."),
            (np.log2(0.2), "That is in bits; nats use np.log."),
        ],
    )
