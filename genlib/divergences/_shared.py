"""Small helpers of the divergences between densities and of those between samples."""

import tensorflow as tf
import tensorflow_probability as tfp

from genlib import validate


def stateless_seed(seed):
    """Return a stateless seed: the same for the same int, fresh for None."""
    if seed is not None and not tf.is_tensor(seed):
        seed = tf.constant([validate.count("seed", seed, minimum=0) % 2**31, 0])
    return tfp.random.sanitize_seed(seed)


def wasserstein_order(order):
    """Return ``order`` as a float; ValueError unless it is a finite number of at least 1."""
    if validate.positive("order", order) < 1:
        raise ValueError(f"order must be a finite number of at least 1; got {order!r}")
    return float(order)
