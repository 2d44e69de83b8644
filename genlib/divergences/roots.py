"""Roots that keep their gradient finite at 0 and let NaN through."""

import tensorflow as tf


def safe_root(x, order=2):
    """Return ``max(x, 0)^(1/order)`` with gradient 0, not infinity, at 0; NaN stays NaN."""
    positive = (x > 0) | tf.math.is_nan(x)  # a graph would turn ~(x <= 0) into x > 0
    inside = tf.where(positive, x, 1)
    return tf.where(positive, tf.sqrt(inside) if order == 2 else inside ** (1 / order), 0)


def safe_sqrt(x):
    """Return ``sqrt(max(x, 0))`` with gradient 0, not infinity, at 0; NaN stays NaN."""
    return safe_root(x)


def power_mean(values, order, weights):
    """Return ``(sum weights values^order)^(1/order)``, a scalar, for values of at least 0.

    ``weights``, broadcast to them, sum to 1. The largest value is taken out first: no overflow.
    """
    if order == 1:
        return tf.reduce_sum(weights * values)
    values = tf.where(weights > 0, values, 0)
    largest = tf.stop_gradient(tf.reduce_max(values))
    scale = tf.where(largest > 0, largest, 1)
    return scale * safe_root(tf.reduce_sum(weights * (values / scale) ** order), order)
