"""Kernels: callables ``k(x, y)`` from ``(n, d)`` and ``(m, d)`` to the ``(n, m)`` Gram matrix."""

import numpy as np
import tensorflow as tf

from genlib import validate
from genlib.divergences.roots import safe_sqrt

_FEW = 4  # dimensions up to which differences cost no more than a matrix product
_MOST = 500  # points of each sample that the median distance is taken of


def gram(kernel, x, y):
    """Return ``kernel(x, y)`` as a tensor like ``x``; ValueError unless it has shape (n, m)."""
    if not callable(kernel):
        raise ValueError(f"kernel must be a callable k(x, y) or None; got {kernel!r}")
    matrix = tf.cast(kernel(x, y), x.dtype)
    shape = x.shape[0], y.shape[0]
    if not matrix.shape.is_compatible_with(shape):
        got = tuple(matrix.shape)
        raise ValueError(f"kernel must return the Gram matrix, shape {shape}; got shape {got}")
    return matrix


def squared_distances(x, y):
    """Return ``|x_i - y_j|^2``, shape (n, m), right however far from the origin the points lie.

    Above four dimensions by the Gram form; in float64, or by differences, where that loses digits.
    """
    x, y = points(x, y)
    if x.shape[-1] is not None and x.shape[-1] <= _FEW:
        x, y = tf.linalg.matrix_transpose(x), tf.linalg.matrix_transpose(y)
        return tf.reduce_sum(tf.square(x[..., :, None] - y[..., None, :]), -3)
    return _gram_form(x, y)


@tf.custom_gradient
def _gram_form(x, y):
    squares = _gram_squares(tf.stop_gradient(x), tf.stop_gradient(y))

    def gradient(upstream):
        """``sum_j upstream_ij 2 (x_i - y_j)``, and likewise for y."""
        upstream = 2 * tf.where(tf.not_equal(squares, 0), upstream, 0)
        rows, columns = tf.reduce_sum(upstream, -1), tf.reduce_sum(upstream, -2)
        a, b = _centred(x, y)
        return (
            rows[..., None] * a - tf.matmul(upstream, b),
            columns[..., None] * b - tf.matmul(upstream, a, transpose_a=True),
        )

    return squares, gradient


def _gram_squares(x, y):
    a, b = _centred(x, y)
    norms = tf.reduce_sum(a**2, -1)[..., :, None] + tf.reduce_sum(b**2, -1)[..., None, :]
    squares = norms - 2 * tf.matmul(a, b, transpose_b=True)
    rounding = 8 * np.finfo(x.dtype.as_numpy_dtype).eps  # what is left between equal points
    kept = squares > 500 * rounding * norms  # to 3 digits; NaN is not
    equal = tf.equal(_projection(a)[..., :, None], _projection(b)[..., None, :])
    return tf.cond(
        tf.reduce_all(kept | equal),
        lambda: tf.where(squares > rounding * norms, squares, 0),
        lambda: _precise(x, y),
    )


def _centred(x, y):
    """Return both less the mean of ``y``: near the origin the Gram form loses fewer digits."""
    centre = tf.stop_gradient(tf.reduce_mean(y, axis=-2, keepdims=True))
    return x - centre, y - centre


def _projection(x):
    """Return ``x`` along one direction, (n,), on which different points hardly ever coincide."""
    return tf.reduce_sum(x * tf.cos(tf.range(1, tf.shape(x)[-1] + 1, dtype=x.dtype)), -1)


def _precise(x, y):
    """Return the squared distances in float64; of float64 points by differences, no gradient."""
    if x.dtype != tf.float64:
        return tf.cast(squared_distances(tf.cast(x, tf.float64), tf.cast(y, tf.float64)), x.dtype)

    def add(total, column):
        a, b = tf.gather(x, column, axis=-1), tf.gather(y, column, axis=-1)
        return total + tf.square(a[..., :, None] - b[..., None, :])

    return tf.foldl(add, tf.range(tf.shape(x)[-1]), tf.zeros_like(x[..., :1] - y[..., None, :, 0]))


def distances(x, y):
    """Return ``|x_i - y_j|``, shape (n, m), with gradient 0 where two points coincide."""
    x, y = points(x, y)
    if x.shape[-1] == 1:
        return tf.abs(x - tf.linalg.matrix_transpose(y))
    squares = squared_distances(*(tf.cast(z, tf.float64) for z in (x, y)))  # float32 overflows
    return tf.cast(safe_sqrt(squares), x.dtype)


def negative_distance(x, y):
    """Return ``-|x_i - y_j|``, (n, m): the kernel whose squared MMD is the energy distance."""
    return -distances(x, y)


def points(x, y):
    """Return ``x`` and ``y`` as tensors of one floating dtype: whole numbers become float64."""
    x, y = (tf.convert_to_tensor(z) for z in (x, y))
    kinds = {z.dtype if z.dtype.is_floating else tf.float64 for z in (x, y)}
    dtype = kinds.pop() if len(kinds) == 1 else tf.float64
    return tf.cast(x, dtype), tf.cast(y, dtype)


class rbf:
    """Gaussian kernel ``exp(-|x-y|^2 / (2 bandwidth^2))``; a list of bandwidths gives the sum."""

    def __init__(self, bandwidth=1.0):
        self.bandwidths = _positives("bandwidth", bandwidth)

    def __call__(self, x, y):
        squares = squared_distances(x, y)
        least = squares.dtype.as_numpy_dtype(1e-37)  # the square of a tiny bandwidth is 0
        widths = [tf.maximum(2 * _like(b, squares) ** 2, least) for b in self.bandwidths]
        return tf.add_n([tf.exp(-squares / width) for width in widths])


class rational_quadratic:
    """``(1 + |x-y|^2 / (2 alpha))^-alpha``, or a list's sum; Binkowski et al. 2018, section 4."""

    def __init__(self, alpha=1.0):
        self.alphas = _positives("alpha", alpha)

    def __call__(self, x, y):
        squares = squared_distances(x, y)
        alphas = [_like(a, squares) for a in self.alphas]
        return tf.add_n([tf.exp(-a * tf.math.log1p(squares / (2 * a))) for a in alphas])


def energy(x, y):
    """``1/2 (|x| + |y| - |x-y|)``: MMD^2 is half the energy distance (Sejdinovic et al. 2013)."""
    x, y = points(x, y)
    far_x, far_y = (tf.cast(z, tf.float64) for z in (x, y))
    norm_x, norm_y = (safe_sqrt(tf.reduce_sum(z**2, -1)) for z in (far_x, far_y))
    gaps = distances(far_x, far_y)
    return tf.cast((norm_x[..., :, None] + norm_y[..., None, :] - gaps) / 2, x.dtype)


def median_heuristic(x, y) -> tf.Tensor:
    """Return a bandwidth for `rbf`: the median distance among the pooled samples, no gradient.

    Of more than 500 points of ``x``, or of ``y``, 500 count, the same ones in any order of rows.
    """
    pool = tf.concat([_some(z) for z in validate.pair(x, y)], 0)
    count = tf.shape(pool)[0]
    pairs = tf.range(count)[:, None] < tf.range(count)
    ordered = tf.sort(tf.boolean_mask(distances(pool, pool), pairs))
    median = ordered[tf.shape(ordered)[0] // 2]
    return tf.stop_gradient(tf.where(tf.not_equal(median, 0), median, 1))


def _like(value, tensor):
    """Return a number in the precision of ``tensor``: tf.cast would round it to float32 first."""
    return tf.cast(value, tensor.dtype) if tf.is_tensor(value) else tf.constant(value, tensor.dtype)


def _some(x):
    """Return at most 500 rows of ``x``, the same ones in whatever order the rows stand."""
    in_order = tf.gather(x, tf.argsort(_projection(tf.cast(x, tf.float64))))
    drawn = tf.argsort(tf.random.stateless_uniform(tf.shape(x)[:1], (0, 0)))[:_MOST]
    return tf.gather(in_order, drawn)


def _positives(name, values):
    """Return a list of numbers above 0 from one number or several."""
    several = values if isinstance(values, list | tuple) else tf.unstack(tf.reshape(values, [-1]))
    if len(several) == 0:
        raise ValueError(f"{name} must hold at least one number above 0; got none")
    symbolic = not tf.executing_eagerly()
    return [v if symbolic and tf.is_tensor(v) else validate.positive(name, v) for v in several]
