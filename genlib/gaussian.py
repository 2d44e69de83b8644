"""The Gaussian density and its KL divergence, said once. In nats.

Plain arithmetic: NumPy in gives NumPy out, TensorFlow in gives TensorFlow, differentiable.
"""

import numpy as np
import tensorflow as tf


def log_density(x, mean=0.0, scale=1.0):
    """``log N(x; mean, scale^2)`` of each number in ``x``; ``scale``: a number or a NumPy array."""
    return from_squares(((x - mean) / scale) ** 2, 2 * np.log(scale))


def density(x, mean=0.0, scale=1.0) -> np.ndarray:
    """``N(x; mean, scale^2)`` of each number in ``x``, by NumPy."""
    return np.exp(log_density(x, mean, scale))


def from_squares(squares, log_det=0.0, dim=1):
    """The log-density in ``dim`` dimensions from ``(x - mean)' C^-1 (x - mean)`` and ``log|C|``."""
    return -(squares + log_det + dim * np.log(2 * np.pi)) / 2


def kl_to_standard_normal(mean, log_variance):
    """``KL(N(mean, diag exp(log_variance)) || N(0, I))``, ``(...,)`` in nats.

    Both are ``(..., d)``; the d latents are summed. Kingma and Welling 2014, appendix B.
    """
    return tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, axis=-1) / 2
