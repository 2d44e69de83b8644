"""Lectures 20 and 21: a model in which all bounds on ``log p(x)`` are known exactly, in nats.

The bound's two gradient estimators are here too, so that their noise can be compared.
"""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import gaussian, validate


class LinearGaussian:
    """``z ~ N(0, I)``, ``x = W z + b + scale * noise``: probabilistic PCA with given parameters.

    Density, posterior and ELBO have closed forms (Tipping and Bishop 1999; Bishop 2006, section
    12.2). All is float64.

    Args:
      weights: W, ``(D, d)``.
      bias: b, ``(D,)`` or a number.
      scale: the standard deviation of the noise in x.

    Raises:
      ValueError: NaN or infinity, shapes that do not fit, a ``scale`` not above 0.
    """

    def __init__(self, weights, bias=0.0, scale=1.0):
        self.weights = np.asarray(validate.finite("weights", weights), np.float64)
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise ValueError(f"weights must have shape (D, d); got {self.weights.shape}")
        self.bias = np.asarray(validate.finite("bias", bias), np.float64)
        if self.bias.shape not in ((), self.weights.shape[:1]):
            raise ValueError(f"bias must have shape ({len(self.weights)},); got {self.bias.shape}")
        self.scale = validate.positive("scale", scale)
        self.latent_dim = self.weights.shape[1]

    def log_prob(self, x):
        """``log p(x)``, ``(...,)`` in nats, for x ``(..., D)``: p(x) = N(b, W W' + scale^2 I)."""
        covariance = self.weights @ self.weights.T + self.scale**2 * np.eye(len(self.weights))
        root = np.linalg.cholesky(covariance)
        squares = np.sum(((x - self.bias) @ np.linalg.inv(root).T) ** 2, axis=-1)
        return gaussian.from_squares(squares, 2 * np.sum(np.log(np.diag(root))), len(root))

    def posterior_moments(self, x):
        """Mean ``(d,)`` and covariance ``(d, d)`` of p(z|x), a Gaussian, for one x ``(D,)``."""
        precision = np.eye(self.latent_dim) + self.weights.T @ self.weights / self.scale**2
        covariance = np.linalg.inv(precision)
        return covariance @ self.weights.T @ (x - self.bias) / self.scale**2, covariance

    def posterior(self, x):
        """p(z|x) of one x ``(D,)`` as a ``tfd`` distribution."""
        mean, covariance = self.posterior_moments(x)
        return tfd.MultivariateNormalTriL(mean, np.linalg.cholesky(covariance))

    def log_joint(self, x, z):
        """``log p(x|z) + log p(z)``, ``(...,)``, for z ``(..., d)``; differentiable in z."""
        z = tf.convert_to_tensor(z, tf.float64)
        misfit = (x - self.bias - tf.tensordot(z, self.weights.T, 1)) / self.scale
        size, log_det = len(self.weights), 2 * len(self.weights) * np.log(self.scale)
        squares = tf.reduce_sum(misfit**2, -1) + tf.reduce_sum(z**2, -1)
        return gaussian.from_squares(squares, log_det, size + self.latent_dim)

    def elbo_terms(self, x, mean, covariance):
        """``E_q log p(x|z)`` and ``KL(q || p(z))`` for ``q = N(mean, covariance)``, exactly.

        ``mean`` is ``(..., d)``, ``covariance`` ``(..., d, d)``; the ELBO is the first less the
        second. Differentiable in both.
        """
        mean = tf.convert_to_tensor(mean, tf.float64)
        covariance = tf.convert_to_tensor(covariance, tf.float64)
        misfit = tf.reduce_sum((x - self.bias - tf.tensordot(mean, self.weights.T, 1)) ** 2, -1)
        spread = tf.linalg.trace(tf.matmul(self.weights.T @ self.weights, covariance))
        size, log_det = len(self.weights), 2 * len(self.weights) * np.log(self.scale)
        expected = gaussian.from_squares((misfit + spread) / self.scale**2, log_det, size)
        squares = tf.reduce_sum(mean**2, -1) + tf.linalg.trace(covariance) - self.latent_dim
        return expected, (squares - tf.linalg.logdet(covariance)) / 2


def water_level(variances, level):
    """Rate and distortion of each principal direction in the best linear beta-VAE, ``(d,)`` each.

    ``variances`` are those of the data along its principal directions, and ``level`` is
    ``beta * scale^2``. A direction above the level is kept, with a latent that costs the rate
    ``log(variance / level) / 2`` nats, and the squared error ``level`` remains; a direction below
    it is given up: rate 0, all of its variance as error. The loss of a beta-VAE is
    ``distortion / (2 scale^2) + beta * rate`` and a constant. It is probabilistic PCA with the
    noise ``level`` (Lucas et al. 2019), and the rate-distortion function of a Gaussian source
    (reverse water-filling, Cover and Thomas 2006, theorem 10.3.3). ValueError for a variance below
    0, NaN, or a ``level`` not above 0.
    """
    variances = np.asarray(validate.finite("variances", variances), np.float64)
    if (variances < 0).any():
        raise ValueError(f"variances must be 0 or more; got {variances.min():.4g}")
    distortion = np.minimum(variances, validate.positive("level", level))
    rate = np.log(np.maximum(variances, level) / level) / 2
    return rate, distortion


def reparameterised_gradients(log_joint, mean, log_scale, noise):
    """Single-draw gradients of the ELBO in q's mean and log-scale, each ``(n, d)``.

    q is ``N(mean, diag exp(log_scale)^2)``, both ``(d,)``; ``z = mean + exp(log_scale) * noise``
    for noise ``(n, d)``, and the derivative is taken through z. Kingma and Welling 2014, section
    2.4. ``log_joint`` maps z ``(n, d)`` to ``(n,)`` in nats.
    """
    mean, log_scale = (tf.broadcast_to(value, noise.shape) for value in (mean, log_scale))
    with tf.GradientTape() as tape:
        tape.watch([mean, log_scale])
        z = mean + tf.exp(log_scale) * noise
        bound = log_joint(z) - _log_q(z, mean, log_scale)
    return tape.gradient(bound, [mean, log_scale])


def score_function_gradients(log_joint, mean, log_scale, noise):
    """The same gradients by the score function, ``grad log q(z) (log p(x, z) - log q(z))``.

    It needs no derivative of ``log_joint`` (Williams 1992, "REINFORCE"; Paisley et al. 2012).
    """
    mean, log_scale = (tf.broadcast_to(value, noise.shape) for value in (mean, log_scale))
    z = mean + tf.exp(log_scale) * noise
    with tf.GradientTape() as tape:
        tape.watch([mean, log_scale])
        log_q = _log_q(z, mean, log_scale)
    weight = (log_joint(z) - log_q)[:, None]
    return [weight * score for score in tape.gradient(log_q, [mean, log_scale])]


def _log_q(z, mean, log_scale):
    squares = ((z - mean) / tf.exp(log_scale)) ** 2
    return tf.reduce_sum(gaussian.from_squares(squares, 2 * log_scale), axis=-1)
