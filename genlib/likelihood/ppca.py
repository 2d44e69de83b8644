"""Probabilistic PCA (Tipping and Bishop 1999, J. R. Statist. Soc. B 61, 611-622).

Latents z ~ N(0, I) of dimension q, data x = W z + mean + noise, the noise N(0, s2 I). So x is
Gaussian with covariance C = W W' + s2 I. ``fit`` has a closed form, and EM goes to the same place.
"""

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import gaussian, validate
from genlib.likelihood.base import fitted, rows


class PPCA:
    """A Gaussian of ``latent_dim`` free directions and equal noise in all others.

    After `fit`: ``mean`` (d,), ``weights`` (d, q), ``noise``, the variance s2, all float64; the
    data's ``dtype``; ``log_likelihoods``, means in nats per example (EM: before and after steps).
    """

    def __init__(self, latent_dim: int):
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.mean = self.weights = None

    def fit(self, x, method="closed_form", steps=200, seed=None) -> "PPCA":
        """Learn from ``x``, shape (n, d), d > latent_dim; return the model.

        ``method="em"`` makes ``steps`` steps of EM from random weights, drawn with ``seed``.
        ValueError for bad x or points in latent_dim dimensions: no bound holds their likelihood.
        """
        x = validate.samples("x", x).numpy()
        self.dtype, x = x.dtype, x.astype(np.float64)
        validate.choice("method", method, ("closed_form", "em"))
        validate.count("steps", steps)
        if x.shape[1] <= self.latent_dim:
            got = f"latent_dim {self.latent_dim} and x of shape {x.shape}"
            raise ValueError(f"latent_dim must be below the dimension d of x; got {got}")
        mean, covariance = x.mean(0), np.cov(x.T, bias=True)
        validate.finite("the covariance of x", covariance)
        weights, noise = closed_form(covariance, self.latent_dim)
        if not noise > 1e-12 * np.trace(covariance):
            raise ValueError(
                f"x must vary in more than latent_dim = {self.latent_dim} directions; got a flat "
                "one, of noise 0 and infinite likelihood: choose a smaller latent_dim"
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

    def log_prob(self, x) -> tf.Tensor:
        """Exact log density of each row of ``x``, (n, d) -> (n,), in nats."""
        x = rows("x", x, len(fitted(self.mean)))
        centred, (precision, log_det) = tf.cast(x, tf.float64) - self.mean, self._precision()
        squares = tf.reduce_sum(centred @ precision * centred, 1)
        return tf.cast(gaussian.from_squares(squares, log_det, len(self.mean)), x.dtype)

    def sample(self, n: int, seed=None) -> tf.Tensor:
        """Draw ``n`` points, (n, d), in the data's ``dtype``."""
        fitted(self.mean)
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
        x = rows("x", x, len(fitted(self.mean)))
        seen = (tf.cast(x, tf.float64) - self.mean) @ self.weights
        return tf.cast(tf.transpose(tf.linalg.solve(self._small(), tf.transpose(seen))), x.dtype)

    def decode(self, z) -> tf.Tensor:
        """The mean of x given its latents, W z + mean, (n, q) -> (n, d)."""
        z = rows("z", z, fitted(self.weights).shape[1])
        return tf.cast(tf.cast(z, tf.float64) @ self.weights.T + self.mean, z.dtype)

    def _small(self):
        return self.weights.T @ self.weights + self.noise * np.eye(self.latent_dim)

    def _precision(self):
        """The inverse of the covariance of x, and the covariance's log-determinant."""
        covariance = self.weights @ self.weights.T + self.noise * np.eye(len(self.mean))
        return np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1]

    def _mean_log_prob(self, covariance):
        """The mean log-likelihood of data of this covariance around ``mean``."""
        precision, log_det = self._precision()
        return float(gaussian.from_squares(np.sum(precision * covariance), log_det, len(self.mean)))


def closed_form(covariance, latent_dim):
    """The most likely weights (d, q) and noise for a covariance (d, d): equations 7 and 8.

    Of all rotations: orthogonal columns, by falling variance, each one's largest entry positive.
    """
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    noise = values[latent_dim:].mean()
    kept = vectors[:, :latent_dim] * np.sqrt(values[:latent_dim] - noise)
    largest = np.take_along_axis(kept, np.abs(kept).argmax(0)[None], 0)
    return kept * np.where(largest < 0, -1, 1), noise


def em_step(covariance, weights, noise):
    """One step of EM, E and M in one: new weights (d, q) and noise (the paper's appendix B)."""
    small = weights.T @ weights + noise * np.eye(weights.shape[1])
    seen = covariance @ weights
    inner = noise * np.eye(len(small)) + np.linalg.solve(small, weights.T @ seen)
    new = np.linalg.solve(inner.T, seen.T).T
    inside = np.sum(seen * np.linalg.solve(small, new.T).T)
    return new, (np.trace(covariance) - inside) / len(covariance)
