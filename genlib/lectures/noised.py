"""Lectures 60 and 61: what noise makes of a mixture, exactly; the best that a network can learn.

``x_t = a z + b x``, z standard normal, x from a mixture of equal round Gaussians. With scale 0 the
mixture is a finite set of points: the training set itself. All is NumPy, float64.
"""

import numpy as np
from scipy.special import logsumexp, softmax

from genlib import gaussian, validate


class Noised:
    """Densities, scores and means of ``a z + b x``.

    Args:
      means: of the components, ``(k, d)``, all equally likely.
      scale: their standard deviation, in each direction; 0 for points.
    """

    def __init__(self, means, scale):
        self.means = validate.samples("means", means).numpy().astype(np.float64)
        self.scale = validate.non_negative("scale", scale)

    def _variance(self, a, b):
        return a**2 + (b * self.scale) ** 2

    def _exponents(self, x, a, b):
        """Log of each component's density, but for a constant: ``(n, k)``."""
        x, centres = np.asarray(x, np.float64), b * self.means
        squares = np.sum(x**2, 1)[:, None] - 2 * x @ centres.T + np.sum(centres**2, 1)
        return -squares / (2 * self._variance(a, b))

    def log_density(self, x, a, b):
        """Of points ``(n, d)`` of ``a z + b x``: ``(n,)``, in nats."""
        d, variance = self.means.shape[1], self._variance(a, b)
        base = gaussian.from_squares(0.0, d * np.log(variance), d) - np.log(len(self.means))
        return base + logsumexp(self._exponents(x, a, b), axis=1)

    def shares(self, x, a, b):
        """Which component a point came from: chances ``(n, k)``."""
        return softmax(self._exponents(x, a, b), axis=1)

    def score(self, x, a, b):
        """The gradient of `log_density` in x, ``(n, d)``."""
        return (b * self.shares(x, a, b) @ self.means - x) / self._variance(a, b)

    def noise(self, x, a, b):
        """``E[z | a z + b x]``, ``(n, d)``: ``-a`` times the score."""
        return -a * self.score(x, a, b)

    def data(self, x, a, b):
        """``E[x | a z + b x]``, ``(n, d)``: what squared error would guess of the data point."""
        pull = self.shares(x, a, b) @ self.means
        return pull + b * self.scale**2 / self._variance(a, b) * (x - b * pull)

    def velocity(self, x, t):
        """``E[x - z | (1 - t) z + t x]``, ``(n, d)``: the exact velocity of flow matching."""
        return self.data(x, 1 - t, t) - self.noise(x, 1 - t, t)
