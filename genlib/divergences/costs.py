"""Costs of moving a point: callables ``c(x, y)`` from ``(n, d)`` and ``(m, d)`` to ``(n, m)``."""

import tensorflow as tf

from genlib.divergences import kernels

euclidean = kernels.distances
squared_euclidean = kernels.squared_distances


def squared_norm(x):
    """``phi(x) = |x|^2``, (n, d) -> (n,): its Bregman cost is the squared distance."""
    return tf.reduce_sum(x**2, -1)


def negative_entropy(x):
    """``sum x log x``, (n, d) -> (n,), x > 0; cost ``sum x log(x/y) - x + y``, a KL in nats."""
    return tf.reduce_sum(tf.math.xlogy(x, x), -1)


class bregman:
    """Bregman cost ``D_phi(x, y) = phi(x) - phi(y) - <grad phi(y), x - y>``, not symmetric.

    ``phi``, (n, d) -> (n,), is convex and differentiable in TensorFlow (far from the origin give
    your own float64 points). The cost is at least 0, and 0 only at x = y for a strictly convex phi.
    Bregman 1967; Guo et al. 2017, "Relaxed Wasserstein with applications to GANs".
    """

    def __init__(self, phi):
        if not callable(phi):
            raise ValueError(f"phi must be a convex function of points (n, d); got {phi!r}")
        self.phi = phi

    def __call__(self, x, y):
        x, y = kernels.points(x, y)
        if self.phi is squared_norm:
            return squared_euclidean(x, y)
        dtype = x.dtype
        if self.phi is negative_entropy:  # far from 0 the terms below are large and cancel
            x, y = tf.cast(x, tf.float64), tf.cast(y, tf.float64)
        slope = self.slope(y)
        # <slope(y_j), x_i - y_j>, without an array (n, m, d).
        linear = tf.matmul(x, slope, transpose_b=True) - tf.reduce_sum(slope * y, -1)
        return tf.cast(self.phi(x)[:, None] - self.phi(y) - linear, dtype)

    def slope(self, y):
        """``grad phi`` at points ``y``, (m, d); differentiable."""
        y = tf.convert_to_tensor(y)
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = self.phi(y)
        return tape.gradient(value, y)


#: Named costs; `samples.emd` and `samples.sinkhorn` accept each name.
COSTS = {"euclidean": euclidean, "sqeuclidean": squared_euclidean, "kl": bregman(negative_entropy)}
