"""Closed forms for Gaussians. A mean has shape (d,) and a covariance (d, d)."""

import math

import tensorflow as tf

from genlib.divergences.roots import safe_sqrt


def kl(mean_p, cov_p, mean_q, cov_q):
    """Return ``KL(P||Q)``; summed by eigenvalues of ``cov_q^-1 cov_p``, so that none is lost."""
    factor = tf.linalg.cholesky(cov_q)
    half = tf.linalg.triangular_solve(factor, tf.linalg.cholesky(cov_p))
    shift = tf.linalg.triangular_solve(factor, (mean_p - mean_q)[:, None])
    spread = tf.linalg.eigvalsh(tf.matmul(half, half, transpose_b=True)) - 1
    return (tf.reduce_sum(spread - tf.math.log1p(spread)) + tf.reduce_sum(shift**2)) / 2


def hellinger_squared(mean_p, cov_p, mean_q, cov_q):
    """Return ``1 - int sqrt(pq)``; Pardo 2006, "Statistical inference based on divergences"."""
    middle, shift = (cov_p + cov_q) / 2, (mean_p - mean_q)[:, None]
    log_dets = (_log_det(cov_p) + _log_det(cov_q)) / 4 - _log_det(middle) / 2
    exponent = tf.reduce_sum(shift * tf.linalg.solve(middle, shift)) / 8
    return -tf.math.expm1(log_dets - exponent)


def chi2(mean_p, cov_p, mean_q, cov_q):
    """Return ``int p^2/q - 1``; infinite unless ``2 cov_p^-1 - cov_q^-1`` is positive definite."""
    precision_p, precision_q = tf.linalg.inv(cov_p), tf.linalg.inv(cov_q)
    precision = 2 * precision_p - precision_q  # of the Gaussian that p^2/q is
    converges = tf.reduce_min(tf.linalg.eigvalsh(precision)) > 0
    unit = tf.eye(tf.shape(precision)[0], dtype=precision.dtype)
    precision = tf.where(converges, precision, unit)
    shift = (mean_p - mean_q)[:, None]
    bend = precision_p @ tf.linalg.solve(precision, precision_q @ shift)
    exponent = tf.reduce_sum(shift * bend)
    log_ratio = _log_det(cov_q) / 2 - _log_det(cov_p) - _log_det(precision) / 2 + exponent
    infinity = tf.constant(math.inf, cov_p.dtype)
    return tf.where(converges, tf.math.expm1(tf.where(converges, log_ratio, 0)), infinity)


def wasserstein2(mean_p, cov_p, mean_q, cov_q):
    """Return W2; Bures form, Dowson and Landau 1982."""
    # tr (cov_p^1/2 cov_q cov_p^1/2)^1/2 from eigenvalues of L' cov_q L: no eigenvector's gradient.
    factor = tf.linalg.cholesky(cov_p)
    inner = tf.matmul(factor, cov_q @ factor, transpose_a=True)
    cross = tf.reduce_sum(safe_sqrt(tf.linalg.eigvalsh(inner)))
    bures = tf.linalg.trace(cov_p) + tf.linalg.trace(cov_q) - 2 * cross
    return safe_sqrt(tf.reduce_sum((mean_p - mean_q) ** 2) + tf.maximum(bures, 0))


def wasserstein1(mean_p, cov_p, mean_q, cov_q):
    """Return W1 in 1-D: the best coupling is comonotone, so ``x - y`` is Gaussian too."""
    scale = tf.abs(tf.sqrt(cov_p[0, 0]) - tf.sqrt(cov_q[0, 0]))
    return mean_absolute((mean_p - mean_q)[0], scale)


def energy(mixture_p, mixture_q):
    """Return the energy distance of two 1-D Gaussian mixtures (weights, means, covariances)."""

    def expected(a, b):  # -E|x - y|, a sum over pairs of components
        scales = safe_sqrt(a[2][:, None, 0, 0] + b[2][None, :, 0, 0])
        pairs = mean_absolute(a[1][:, None, 0] - b[1][None, :, 0], scales)
        return -tf.reduce_sum(a[0][:, None] * b[0][None, :] * pairs)

    return _bilinear(expected, mixture_p, mixture_q)


def mmd_squared(mixture_p, mixture_q, bandwidths):
    """Return MMD^2 of two Gaussian mixtures of any d, for the sum of RBF kernels."""

    def expected(a, b):  # E k(x, y), pair by pair: a Gaussian integral
        total = a[2][:, None] + b[2][None]
        shift = (a[1][:, None] - b[1][None])[..., None]
        value = 0.0
        for bandwidth in bandwidths:
            square = tf.cast(bandwidth, total.dtype) ** 2
            widened = total / square + tf.eye(total.shape[-1], dtype=total.dtype)
            exponent = tf.reduce_sum(shift * tf.linalg.solve(widened, shift), [-2, -1]) / square
            value += tf.exp(-(exponent + _log_det(widened)) / 2)
        return tf.reduce_sum(a[0][:, None] * b[0][None, :] * value)

    return _bilinear(expected, mixture_p, mixture_q)


def mean_absolute(mean, scale):
    """Return ``E|z|`` for ``z ~ N(mean, scale^2)`` (the folded normal's mean); scale may be 0."""
    spread = scale > 0
    ratio = mean / (math.sqrt(2) * tf.where(spread, scale, 1))
    folded = scale * math.sqrt(2 / math.pi) * tf.exp(-(ratio**2)) + mean * tf.math.erf(ratio)
    return tf.where(spread, folded, tf.abs(mean))


def _bilinear(expected, p, q):
    return tf.maximum(expected(p, p) + expected(q, q) - 2 * expected(p, q), 0)


def _log_det(matrix):
    return 2 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(tf.linalg.cholesky(matrix))), axis=-1)
