"""Two ways for a network to give each grey level of a pixel its probability.

From ``size`` outputs of a network `log_prob` scores a level, and `draw` makes one of two uniforms.
"""

import numpy as np
import tensorflow as tf

from genlib import validate


class Softmax:
    """One logit for each level: no level knows its neighbours (van den Oord et al. 2016)."""

    def __init__(self, levels):
        self.levels = self.size = validate.count("levels", levels, minimum=2)
        self.start = np.zeros(self.size)  # where a network starts: all levels alike

    def log_prob(self, parameters, level):
        """log P(level) in nats, ``(...)``, from ``parameters`` ``(..., size)`` and ``(...)``."""
        level = tf.cast(level, tf.int32)
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(level, parameters)

    def draw(self, parameters, uniforms):
        """A level, float32 ``(...)``, from ``parameters`` ``(..., size)`` and ``(..., 2)``."""
        return _pick(parameters, uniforms[..., 0])


class DiscretisedLogistic:
    """A mixture of logistic densities, cut into one bin for each level (Salimans et al. 2017).

    The bin of level k reaches from k - 1/2 to k + 1/2, the first and the last to infinity, so that
    the probabilities add up to 1 (arXiv:1701.05517, equation 2). Each of the ``components`` has a
    weight's logit, a mean and a log-scale of at least -7, in units of the whole range, from 0 to 1.
    """

    def __init__(self, levels, components=5):
        self.levels = validate.count("levels", levels, minimum=2)
        self.components = validate.count("components", components)
        self.size = 3 * self.components
        # Where a network starts: components of equal weight, spread over the range.
        spread = (np.arange(self.components) + 0.5) / self.components
        self.start = np.concatenate([0 * spread, spread, 0 * spread + np.log(0.1)])

    def log_prob(self, parameters, level):
        """log P(level) in nats, ``(...)``, from ``parameters`` ``(..., size)`` and ``(...)``."""
        logits, mean, log_scale = self._parts(parameters)
        level = tf.cast(level, parameters.dtype)[..., None]
        bin_width = 1 / (self.levels - 1) / tf.exp(log_scale)
        # The borders of the bin, in scales from the mean.
        low = ((level - 0.5) / (self.levels - 1) - mean) / tf.exp(log_scale)
        high = low + bin_width
        below = tf.where(level == 0, 0.0, tf.math.softplus(low))
        above = tf.where(level == self.levels - 1, 0.0, tf.math.softplus(-high))
        edge = (level == 0) | (level == self.levels - 1)
        # sigmoid(high) - sigmoid(low) = sigmoid(high) sigmoid(-low) (1 - exp(low - high)): no
        # difference of two numbers near 1, so log and gradient are finite however far the tail.
        inside = tf.where(edge, 0.0, tf.math.log(-tf.math.expm1(-bin_width)))
        return tf.reduce_logsumexp(tf.nn.log_softmax(logits) + inside - below - above, axis=-1)

    def draw(self, parameters, uniforms):
        """A level, float32 ``(...)``, from ``parameters`` ``(..., size)`` and ``(..., 2)``."""
        logits, mean, log_scale = self._parts(parameters)
        chosen = tf.one_hot(tf.cast(_pick(logits, uniforms[..., 0]), tf.int32), self.components)
        mean, log_scale = (tf.reduce_sum(chosen * part, -1) for part in (mean, log_scale))
        u = tf.clip_by_value(uniforms[..., 1], 1e-7, 1 - 1e-7)
        value = mean + tf.exp(log_scale) * (tf.math.log(u) - tf.math.log1p(-u))
        return tf.clip_by_value(tf.round(value * (self.levels - 1)), 0.0, self.levels - 1.0)

    def _parts(self, parameters):
        """Weights' logits, means and logs of scales, each ``(..., components)``."""
        logits, mean, log_scale = tf.split(parameters, 3, axis=-1)
        return logits, mean, tf.maximum(log_scale, -7.0)


def _pick(logits, uniform):
    """The index whose share of the cumulated probabilities holds ``uniform``, as float32 or NaN."""
    cumulated = tf.cumsum(tf.nn.softmax(logits), axis=-1)
    index = tf.reduce_sum(tf.cast(uniform[..., None] >= cumulated[..., :-1], tf.float32), axis=-1)
    return tf.where(tf.math.is_nan(cumulated[..., -1]), np.nan, index)
