"""RealNVP (Dinh et al. 2017, arXiv:1605.08803): an invertible network with an exact density."""

import keras
import numpy as np
import tensorflow as tf

from genlib import gaussian, networks, validate
from genlib.likelihood.base import LikelihoodModel, draws, fixed, normal
from genlib.training import points


class AffineCoupling(keras.layers.Layer):
    """Rescale and shift one part of x by functions of the other part (section 3.2 to 3.4).

    With a ``mask`` b of zeros and ones ``(dim,)``, ``y = b x + (1 - b) (x exp(s(b x)) + t(b x))``,
    eq. 9. The Jacobian is triangular: its log-determinant is the sum of the log-scales s, eq. 6, 8.
    ``network``, ``(n, dim)`` to ``(n, 2 dim)``, gives s, held below ``max_log_scale``, and t.
    """

    def __init__(self, mask, network, max_log_scale):
        super().__init__(dtype="float32")
        self.mask = np.asarray(mask, np.float32)
        self.network = network
        self.max_log_scale = max_log_scale
        self.built = True

    def log_scale_and_shift(self, x):
        """s and t at x, each ``(n, dim)``, 0 where the mask is 1; they see the masked x alone."""
        s, t = tf.split(tf.cast(self.network(x * self.mask), x.dtype), 2, axis=-1)
        s = self.max_log_scale * tf.tanh(s / self.max_log_scale)
        return s * (1 - self.mask), t * (1 - self.mask)

    def forward(self, x):
        """``(y, log|det dy/dx|)``, shapes ``(n, dim)`` and ``(n,)``."""
        s, t = self.log_scale_and_shift(x)
        return x * tf.exp(s) + t, tf.reduce_sum(s, -1)

    def inverse(self, y):
        """The x that `forward` sends to y. The networks are never inverted."""
        s, t = self.log_scale_and_shift(y)
        return (y - t) * tf.exp(-s)


class Logit(keras.layers.Layer):
    """From the unit cube to all of space: ``logit(a + (1 - 2a) x)`` (after section 4.1)."""

    def __init__(self, margin=0.05):
        super().__init__()
        self.margin = margin
        self.built = True

    def forward(self, x):
        """``(y, log|det dy/dx|)``, shapes ``(n, dim)`` and ``(n,)``."""
        inside = self.margin + (1 - 2 * self.margin) * x
        y = tf.math.log(inside) - tf.math.log1p(-inside)
        slope = np.log(1 - 2 * self.margin) - tf.math.log(inside) - tf.math.log1p(-inside)
        return y, tf.reduce_sum(slope, -1)

    def inverse(self, y):
        """The x that `forward` sends to y; a little outside the cube for an extreme y."""
        return (tf.sigmoid(y) - self.margin) / (1 - 2 * self.margin)


class RealNVP(LikelihoodModel):
    """A stack of affine coupling layers between data x and a standard normal z.

    ``log p(x) = log N(z; 0, 1) + log|det dz/dx|``, ``z = forward(x)`` (section 3.1); untrained, x.

    ValueError for arguments that do not fit.

    Args:
      dim: numbers in an example, at least 2.
      layers: coupling layers, in pairs: a random half of the coordinates, then the other half.
      width, depth: of each layer's network.
      max_log_scale: the log of the most that a layer stretches (the paper learns it).
      levels: for pictures with that many grey levels k / (levels - 1) in [0, 1]: each training
        batch is dequantised anew, and a `Logit` leads from the unit cube to the first layer.
      seed: weights, masks, batches and noise.
    """

    def __init__(self, dim, layers=8, width=64, depth=2, max_log_scale=2.0, levels=None,
                 seed=None, name=None):  # fmt: skip
        super().__init__(seed=seed, name=name)
        self.data_shape = (validate.count("dim", dim, minimum=2),)
        bound = validate.positive("max_log_scale", max_log_scale)
        self.levels = None if levels is None else validate.count("levels", levels, minimum=2)
        #: The layers in order, from data to noise; each has ``forward`` and ``inverse``.
        self.flow = [] if levels is None else [Logit()]
        rng, mask = np.random.default_rng(validate.seed("seed", seed)), None
        for i in range(validate.count("layers", layers)):
            if i % 2:
                mask = 1 - mask
            else:  # half of the coordinates, at random; of two always the second
                mask = np.ones(dim, np.float32)
                mask[[1] if dim == 2 else rng.permutation(dim)[: dim // 2]] = 0
            network = networks.mlp(dim, 2 * dim, width, depth, seed=int(rng.integers(2**31)))
            last = network.layers[-1].kernel
            last.assign(tf.zeros_like(last))  # so that the coupling starts as the identity
            layer = AffineCoupling(mask, network, bound)
            layer.mask = fixed(layer, mask, "mask")  # drawn at random, so saved with the weights
            self.flow.append(layer)

    def forward(self, x):
        """``(z, log|det dz/dx|)`` of points x, shapes ``(n, dim)`` and ``(n,)``."""
        log_det = 0.0
        for layer in self.flow:
            x, step = layer.forward(x)
            log_det += step
        return x, log_det

    def inverse(self, z):
        """The points x ``(n, dim)`` that `forward` sends to z."""
        for layer in reversed(self.flow):
            z = layer.inverse(z)
        return z

    def log_prob(self, x):
        """Log-density in nats, ``(n,)``, of points ``(n, dim)``: with ``levels``, dequantised."""
        x = points("x", x, self.data_shape)
        return self._log_prob(x if self.levels is None else validate.unit_interval("x", x))

    def _log_prob(self, x):
        z, log_det = self.forward(x)
        return log_det + tf.reduce_sum(gaussian.log_density(z), -1)

    def terms(self, x):
        if self.levels:
            x = dequantise(x, self.levels, self.random_uniform(tf.shape(x)))
        return {"loss": -tf.reduce_mean(self._log_prob(x))}

    def validate_data(self, data, name="data"):
        return data if self.levels is None else validate.levels(name, data, self.levels)

    def sample(self, n, seed=None):
        """Draw ``n`` points, ``(n, dim)``."""
        shape = (validate.count("n", n), *self.data_shape)
        x = self.inverse(normal(shape, draws(seed)))
        return x if self.levels is None else tf.clip_by_value(x, 0, 1)


def dequantise(x, levels, noise):
    """Spread grey levels over the unit interval: level k of ``levels`` fills [k, k + 1] / levels.

    ``x`` holds k / (levels - 1), ``noise`` numbers in [0, 1). The mean log-density is a lower bound
    of the picture's log-probability plus ``dim * log(levels)`` (Theis et al. 2016, section 3.1).
    """
    return (tf.round(x * (levels - 1)) + noise) / levels
