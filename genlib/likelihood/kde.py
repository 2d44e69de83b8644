"""Kernel density estimation: a density with a bump on each data point, and one parameter.

Rosenblatt 1956, Parzen 1962; Silverman 1986, "Density Estimation for Statistics and Data Analysis".
"""

import math

import numpy as np
import tensorflow as tf

from genlib import memory, validate
from genlib.divergences.kernels import squared_distances
from genlib.likelihood.base import fitted, rows


class KDE:
    """Round Gaussians at the data, of standard deviation ``bandwidth`` > 0; None: by `scott`."""

    def __init__(self, bandwidth=None):
        self._by_scott = bandwidth is None
        self.bandwidth = None if bandwidth is None else validate.positive("bandwidth", bandwidth)
        self.points = None

    def fit(self, x) -> "KDE":
        """Keep the data ``x``, (n, d) or (n,): that is all there is to learn. Returns itself."""
        x = validate.samples("x", x)
        if self._by_scott:
            self.bandwidth = scott(x)
        self.points = x
        return self

    def log_prob(self, x):
        """``log p(x)``, exact, (m, d) -> (m,), in nats."""
        x = rows("x", x, fitted(self.points).shape[1])
        return self._in_blocks(x, lambda part, start: self._log_mean(self._log_kernels(part)))

    def leave_one_out(self):
        """Log-density of each data point under the estimate from all the others, (n,), in nats."""
        n = len(fitted(self.points))
        if n < 2:
            raise ValueError("x must hold at least 2 points to leave one out; got 1")

        def part_of(part, start):
            own = tf.range(start, start + len(part))[:, None] == tf.range(n)
            logs = tf.where(own, -np.inf, self._log_kernels(part))
            return tf.reduce_logsumexp(logs, 1) - math.log(n - 1)

        return self._in_blocks(self.points, part_of)

    def sample(self, n, seed=None):
        """``n`` points, (n, d): a data point each, chosen at random, and Gaussian noise."""
        n, seed = validate.count("n", n), validate.seed("seed", seed)
        points = fitted(self.points).numpy()
        rng = np.random.default_rng(seed)
        chosen = points[rng.integers(len(points), size=n)]
        noise = self.bandwidth * rng.standard_normal(chosen.shape)
        return tf.constant(chosen + noise, points.dtype)

    def _log_kernels(self, x):
        """Log of each bump at each x, (m, d) -> (m, n)."""
        d, h = x.shape[1], self.bandwidth
        constant = d * math.log(h * math.sqrt(2 * math.pi))
        return -squared_distances(x, self.points) / (2 * h**2) - constant

    def _log_mean(self, logs):
        return tf.reduce_logsumexp(logs, 1) - math.log(len(self.points))

    def _in_blocks(self, x, function):
        """``function(rows, index of the first)`` over rows of ``x`` few enough for the memory."""
        x, slices = tf.cast(x, tf.float64), memory.slices(len(x), len(self.points))
        return tf.cast(tf.concat([function(x[s], s.start) for s in slices], 0), self.points.dtype)


def scott(x) -> float:
    """Scott's rule, ``s n^(-1 / (d + 4))``, s the root of the mean variance of the columns.

    Too wide for several modes (Scott 1992, chapter 6); ValueError if all points are equal.
    """
    x = validate.samples("x", x).numpy().astype(np.float64)
    n, d = x.shape
    if (x == x[0]).all():
        raise ValueError("x must hold points that differ; their spread gives the bandwidth")
    return math.sqrt(x.var(0).mean()) * n ** (-1 / (d + 4))


def best_bandwidth(x, bandwidths) -> float:
    """The one of ``bandwidths`` under which the mean `KDE.leave_one_out` of ``x`` is highest."""
    values = [validate.positive("bandwidths", b) for b in np.ravel(bandwidths)]
    if not values:
        raise ValueError("bandwidths must hold at least one number above 0; got none")
    scores = [float(tf.reduce_mean(KDE(b).fit(x).leave_one_out())) for b in values]
    return values[int(np.argmax(scores))]
