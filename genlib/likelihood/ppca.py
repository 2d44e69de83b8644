"""Probabilistic PCA (Tipping and Bishop 1999, J. R. Statist. Soc. B 61, 611-622).

Latents z ~ N(0, I) of dimension q, data x = W z + mean + noise, the noise N(0, s2 I). So x is
Gaussian with covariance C = W W' + s2 I, and the likelihood is exact. There is nothing to go down a
gradient of: ``fit`` has a closed form, and EM goes to the same place. Hence no `LikelihoodModel`.
"""

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import gaussian, validate

_METHODS = ("closed_form", "em")


class PPCA:
    """A Gaussian of ``latent_dim`` free directions and equal noise in all others.

    After `fit`: ``mean`` (d,), ``weights`` (d, q), ``noise``, the variance s2 > 0, all float64;
    ``dtype``, that of the data: float32, or float64, which stands for whole numbers too; and
    ``log_likelihoods``, the mean log-likelihood in nats per example: of the closed form one number,
    of EM one before the first step and one after each.

    Raises:
      ValueError: ``latent_dim`` is not a whole number of at least 1.
    """

    def __init__(self, latent_dim: int):
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.mean = None

    # Learning

    def fit(self, x, method="closed_form", steps=200, seed=None) -> "PPCA":
        """Learn from ``x``, shape (n, d), d > latent_dim; return the model.

        ``method="em"`` makes ``steps`` steps of EM from random weights, drawn with ``seed``.

        Raises:
          ValueError: x of another shape, with NaN or infinity; fewer than two points; latent_dim
            not below d; x that lies in latent_dim dimensions or fewer, where the best noise is 0
            and the likelihood has no bound.
        """
        x = validate.samples("x", x).numpy()
        self.dtype, x = x.dtype, x.astype(np.float64)
        validate.choice("method", method, _METHODS)
        validate.count("steps", steps)
        if x.shape[1] <= self.latent_dim:
            raise ValueError(
                f"latent_dim must be below the dimension d of x; got latent_dim "
                f"{self.latent_dim} and x of shape {x.shape}"
            )
        if len(x) < 2:
            raise ValueError(f"x must have at least 2 points; got {len(x)}")
        mean, covariance = x.mean(0), np.cov(x.T, bias=True)
        validate.finite("the covariance of x", covariance)
        weights, noise = closed_form(covariance, self.latent_dim)
        if not noise > 1e-12 * np.trace(covariance):
            raise ValueError(
                f"x must vary in more than latent_dim = {self.latent_dim} directions; it does "
                "not, so the noise would be 0 and the likelihood infinite: choose a smaller "
                "latent_dim"
            )
        if method == "em":
            rng = np.random.default_rng(seed)
            noise = np.trace(covariance) / len(mean)
            weights = rng.normal(size=weights.shape) * math.sqrt(noise)
        self.mean, self.weights, self.noise = mean, weights, float(noise)
        self.log_likelihoods = [self._mean_log_prob(covariance)]
        for _ in range(steps if method == "em" else 0):
            self.weights, self.noise = em_step(covariance, self.weights, self.noise)
            self.log_likelihoods.append(self._mean_log_prob(covariance))
        return self

    # What the fitted model gives

    def log_prob(self, x) -> tf.Tensor:
        """Exact log density of each row of ``x``, (n, d) -> (n,), in nats."""
        x = self._check("x", x, self._fitted("mean"))
        centred = tf.cast(x, tf.float64) - self.mean
        # The d x d covariance is never built: its determinant and inverse come from the small
        # matrix M = W'W + s2 I (the lemmas of Sylvester and Woodbury).
        small = self._small()
        seen = centred @ self.weights
        squares = tf.reduce_sum(centred**2, 1) - tf.reduce_sum(
            seen * tf.transpose(tf.linalg.solve(small, tf.transpose(seen))), 1
        )
        log_prob = gaussian.from_squares(squares / self.noise, self._log_det(), len(self.mean))
        return tf.cast(log_prob, x.dtype)

    def sample(self, n: int, seed=None) -> tf.Tensor:
        """Draw ``n`` points, (n, d), in the data's ``dtype``; the same ``seed`` draws the same."""
        self._fitted("mean")
        n, rng = validate.count("n", n), np.random.default_rng(seed)
        latents = rng.normal(size=(n, self.latent_dim))
        noise = math.sqrt(self.noise) * rng.normal(size=(n, len(self.mean)))
        return tf.cast(self.decode(latents) + noise, self.dtype)

    def posterior(self, x) -> tfd.Distribution:
        """What x tells of its latents: N(M^-1 W'(x - mean), s2 M^-1), batch (n,), event (q,)."""
        codes = self.encode(x)
        scale = tf.linalg.cholesky(self.noise * tf.linalg.inv(self._small()))
        return tfd.MultivariateNormalTriL(codes, tf.cast(scale, codes.dtype))

    def encode(self, x) -> tf.Tensor:
        """The posterior's mean, (n, d) -> (n, q)."""
        x = self._check("x", x, self._fitted("mean"))
        seen = (tf.cast(x, tf.float64) - self.mean) @ self.weights
        return tf.cast(tf.transpose(tf.linalg.solve(self._small(), tf.transpose(seen))), x.dtype)

    def decode(self, z) -> tf.Tensor:
        """The mean of x given its latents, W z + mean, (n, q) -> (n, d)."""
        z = self._check("z", z, self._fitted("weights")[0])
        return tf.cast(tf.cast(z, tf.float64) @ self.weights.T + self.mean, z.dtype)

    def _small(self):
        return self.weights.T @ self.weights + self.noise * np.eye(self.latent_dim)

    def _log_det(self):
        others = len(self.mean) - self.latent_dim
        return np.linalg.slogdet(self._small())[1] + others * math.log(self.noise)

    def _mean_log_prob(self, covariance):
        """The mean log-likelihood of data of this covariance around ``mean``."""
        inside = np.linalg.solve(self._small(), self.weights.T @ covariance @ self.weights)
        squares = (np.trace(covariance) - np.trace(inside)) / self.noise
        return float(gaussian.from_squares(squares, self._log_det(), len(self.mean)))

    def _fitted(self, name):
        if self.mean is None:
            raise ValueError("the model is not fitted; call fit(x) first")
        return getattr(self, name)

    def _check(self, name, value, like):
        value = validate.samples(name, value)
        if value.shape[1] != len(like):
            raise ValueError(f"{name} must have shape (n, {len(like)}); got {tuple(value.shape)}")
        return value


def closed_form(covariance, latent_dim):
    """The most likely weights (d, q) and noise for a covariance (d, d): equations 7 and 8.

    The weights are determined up to a rotation of the latents; here their columns are orthogonal,
    by falling variance, each with its largest entry positive.
    """
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    noise = values[latent_dim:].mean()
    kept = vectors[:, :latent_dim] * np.sqrt(values[:latent_dim] - noise)
    largest = np.take_along_axis(kept, np.abs(kept).argmax(0)[None], 0)
    return kept * np.where(largest < 0, -1, 1), noise


def em_step(covariance, weights, noise):
    """One step of EM: the new weights and noise (the paper's appendix B, E and M step in one).

    It never lowers the likelihood of data of this ``covariance`` (d, d), and costs no more than
    one product of it with the weights (d, q).
    """
    small = weights.T @ weights + noise * np.eye(weights.shape[1])
    seen = covariance @ weights
    inner = noise * np.eye(len(small)) + np.linalg.solve(small, weights.T @ seen)
    new = np.linalg.solve(inner.T, seen.T).T
    inside = np.sum(seen * np.linalg.solve(small, new.T).T)
    return new, (np.trace(covariance) - inside) / len(covariance)
