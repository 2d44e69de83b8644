"""Kernels: callables ``k(x, y)`` from ``(n, d)`` and ``(m, d)`` to the ``(n, m)`` Gram matrix."""

import math

import numpy as np
import tensorflow as tf

from genlib import validate


def squared_distances(x, y):
    """Return ``|x_i - y_j|^2``, shape (n, m), in the Gram form, which never stores (n, m, d)."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    centre = tf.stop_gradient(tf.reduce_mean(y, axis=-2, keepdims=True))
    x, y = x - centre, y - centre  # near the origin the subtraction below loses fewer digits
    norms = tf.reduce_sum(x**2, -1)[..., :, None] + tf.reduce_sum(y**2, -1)[..., None, :]
    squares = norms - 2 * tf.matmul(x, y, transpose_b=True)
    rounding = 8 * np.finfo(x.dtype.as_numpy_dtype).eps  # what is left between equal points
    # NaN stays NaN. (TensorFlow would turn "not <=" into ">", which it fails.)
    return tf.where(squares <= rounding * norms, tf.zeros_like(squares), squares)


def distances(x, y):
    """Return ``|x_i - y_j|``, shape (n, m), with gradient 0 where two points coincide."""
    if x.shape[-1] == 1:
        return tf.abs(x - tf.linalg.matrix_transpose(y))
    return safe_sqrt(squared_distances(x, y))


def negative_distance(x, y):
    """Return ``-|x_i - y_j|``, (n, m): the kernel whose squared MMD is the energy distance."""
    return -distances(x, y)


def safe_sqrt(x):
    """Return ``sqrt(max(x, 0))`` with gradient 0, not infinity, at 0."""
    zero, none = x <= 0, tf.zeros_like(x)  # NaN is not: it stays NaN
    return tf.where(zero, none, tf.sqrt(tf.where(zero, none + 1, x)))


class rbf:
    """Gaussian kernel ``exp(-|x-y|^2 / (2 bandwidth^2))``; a list of bandwidths gives the sum."""

    def __init__(self, bandwidth=1.0):
        self.bandwidths = _positives("bandwidth", bandwidth)

    def __call__(self, x, y):
        squares = squared_distances(x, y)
        total, previous, value = 0.0, None, None
        for bandwidth in self._widest_first():
            doublings = _doublings(previous, bandwidth)
            if doublings:  # exp(2t) = exp(t)^2: products cost less than exponentials
                for _ in range(doublings):
                    value = tf.square(value)
            else:
                value = tf.exp(-squares / (2 * _like(bandwidth, squares) ** 2))
            total, previous = total + value, bandwidth
        return total

    def _widest_first(self):
        symbolic = any(tf.is_tensor(b) for b in self.bandwidths)
        return self.bandwidths if symbolic else sorted(self.bandwidths, reverse=True)


class rational_quadratic:
    """Kernel ``(1 + |x-y|^2 / (2 alpha))^-alpha``; a list of alphas gives the sum.

    Binkowski et al. 2018, "Demystifying MMD GANs", section 4.
    """

    def __init__(self, alpha=1.0):
        self.alphas = _positives("alpha", alpha)

    def __call__(self, x, y):
        squares = squared_distances(x, y)
        alphas = [_like(a, squares) for a in self.alphas]
        return tf.add_n([tf.exp(-a * tf.math.log1p(squares / (2 * a))) for a in alphas])


def energy(x, y):
    """Kernel ``1/2 (|x| + |y| - |x-y|)``: its squared MMD is half the energy distance.

    Sejdinovic et al. 2013, "Equivalence of distance-based and RKHS-based statistics".
    """
    norm_x, norm_y = (safe_sqrt(tf.reduce_sum(z**2, -1)) for z in (x, y))
    return (norm_x[..., :, None] + norm_y[..., None, :] - distances(x, y)) / 2


def median_heuristic(x, y) -> tf.Tensor:
    """Return a bandwidth for `rbf`: the median distance among the pooled samples, no gradient.

    Of many points an evenly spaced 250 to 500 of ``x``, and of ``y``, are used.
    """
    x, y = validate.samples("x", x), validate.samples("y", y)
    validate.same_dimension("x", x, "y", y)
    pool = tf.concat([_thin(x), tf.cast(_thin(y), x.dtype)], 0)
    count = tf.shape(pool)[0]
    pairs = tf.linalg.band_part(tf.ones([count, count], tf.bool), 0, -1)
    pairs = tf.linalg.set_diag(pairs, tf.zeros([count], tf.bool))
    ordered = tf.sort(tf.boolean_mask(distances(pool, pool), pairs))
    median = ordered[tf.shape(ordered)[0] // 2]
    return tf.stop_gradient(tf.where(median > 0, median, 1))


def _like(value, tensor):
    """Return a number in the precision of ``tensor``: tf.cast would round it to float32 first."""
    return tf.cast(value, tensor.dtype) if tf.is_tensor(value) else tf.constant(value, tensor.dtype)


def _doublings(wide, narrow) -> int:
    """Return how often to square the wider kernel to get the narrower; 0 if it is no power."""
    if wide is None or tf.is_tensor(wide) or tf.is_tensor(narrow):
        return 0
    times = math.log2((wide / narrow) ** 2)
    return round(times) if abs(times - round(times)) < 1e-9 and 1 <= times <= 4.5 else 0


def _thin(x):
    return x[:: tf.maximum(tf.shape(x)[0] // 250, 1)]


def _positives(name, values):
    """Return a list of numbers above 0 from one number or several."""
    several = values if isinstance(values, list | tuple) else tf.unstack(tf.reshape(values, [-1]))
    if len(several) == 0:
        raise ValueError(f"{name} must hold at least one number above 0; got none")
    symbolic = not tf.executing_eagerly()
    return [v if symbolic and tf.is_tensor(v) else validate.positive(name, v) for v in several]
