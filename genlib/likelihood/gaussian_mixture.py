"""Gaussian mixtures by EM (Dempster, Laird, Rubin 1977), with labels for none, some or all points.

With no labels this is clustering, with all of them a generative classifier (quadratic or linear
discriminant analysis, Gaussian naive Bayes), and with some it learns from both kinds of points.
"""

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from tensorflow_probability import distributions as tfd

from genlib import gaussian, validate
from genlib.likelihood.base import check_labels, fitted, rows
from genlib.likelihood.kmeans import kmeans_start, squared_distances


class GaussianMixture:
    """A weighted sum of k = ``components`` Gaussians; ValueError for other arguments than these.

    After `fit` or `start`: ``weights`` (k,), ``means`` (k, d), ``covariances`` (k, d, d), float64,
    and the data's ``dtype`` (whole numbers: float64). After `fit` also ``log_likelihoods``, the
    mean in nats per example before the first step and after each; it never falls.

    Args:
      covariance: "full", one of its own for each; "tied", one for all; "diag", no correlation
        between coordinates ("naive Bayes"); "spherical", one variance in all directions.
      min_variance: the least in any direction, above 0: else a component may shrink to a point.
    """

    def __init__(self, components: int, covariance: str = "full", min_variance: float = 1e-6):
        self.components = validate.count("components", components)
        self.covariance = validate.choice("covariance", covariance, _FORMS)
        self.min_variance = validate.positive("min_variance", min_variance)
        self.means, self.dtype = None, np.float32

    def fit(self, x, labels=None, steps=200, tolerance=1e-6, seed=None) -> "GaussianMixture":
        """Learn from ``x`` (n, d) by EM; return the model.

        ``labels``: the component that made each point, 0 to k - 1, each at least once, or -1 where
        that is not known; a labelled point's likelihood is that of the pair (x, label). At most
        ``steps``, fewer when one gains less than ``tolerance`` nats per example; ``seed`` is the
        k-means++ start's, without labels. ValueError for bad x or labels, or fewer points than k.
        """
        x, labels = self.start(x, labels, seed)
        steps = validate.count("steps", steps)
        tolerance = validate.non_negative("tolerance", tolerance)
        responsibilities, log_prob = self.e_step(x, labels)
        self.log_likelihoods = [float(log_prob.mean())]
        for _ in range(steps):
            self.m_step(x, responsibilities)
            responsibilities, log_prob = self.e_step(x, labels)
            self.log_likelihoods.append(float(log_prob.mean()))
            if self.log_likelihoods[-1] - self.log_likelihoods[-2] < tolerance:
                break
        return self

    def start(self, x, labels=None, seed=None):
        """Set equal weights, a round covariance, means by labels or k-means++; return x, labels."""
        x = validate.samples("x", x).numpy()
        self.dtype, x = x.dtype, x.astype(np.float64)
        k, d = self.components, x.shape[1]
        if labels is None:
            self.means = kmeans_start(x, k, seed)
        else:
            labels = check_labels("labels", labels, len(x), k, least=-1, every=True)
            self.means = np.stack([x[labels == c].mean(0) for c in range(k)])
        to_nearest = squared_distances(x, self.means).min(1).mean()
        self.weights = np.full(k, 1 / k)
        self.covariances = np.tile(max(to_nearest / d, self.min_variance) * np.eye(d), (k, 1, 1))
        return x, labels

    def em_step(self, x) -> float:
        """One E step and one M step without labels; the mean log-likelihood before it."""
        responsibilities, log_prob = self.e_step(x)
        self.m_step(x, responsibilities)
        return float(log_prob.mean())

    def e_step(self, x, labels=None):
        """Who made which point? Responsibilities (n, k) and log-likelihoods (n,)."""
        x = self._check(x)
        with np.errstate(divide="ignore"):  # an empty component's log weight is -inf, as it should
            joint = np.log(self.weights) + self._log_densities(x)  # log p(x, component)
        if labels is not None:  # a labelled point can only come from its own component
            others = (labels[:, None] >= 0) & (labels[:, None] != np.arange(self.components))
            joint[others] = -np.inf
        log_prob = logsumexp(joint, axis=1)
        return np.exp(joint - log_prob[:, None]), log_prob

    def m_step(self, x, responsibilities):
        """The most likely parameters if each point were shared out so. Empty components stay."""
        x, responsibilities = self._check(x), validate.finite("responsibilities", responsibilities)
        share = responsibilities.sum(0)  # points' worth of each component
        self.weights = share / len(x)
        used = np.flatnonzero(share > 0)
        self.means[used] = (responsibilities.T @ x)[used] / share[used, None]
        scatter = np.zeros_like(self.covariances)
        roots = np.sqrt(responsibilities)
        roots[roots < 1e-100] = 0  # products of such numbers are subnormal, and slow
        for k in used:
            centred = roots[:, k, None] * (x - self.means[k])
            scatter[k] = centred.T @ centred / share[k]
        if self.covariance == "tied":
            used, scatter = slice(None), np.tensordot(self.weights, scatter, 1)[None]
        else:
            scatter = scatter[used]
        self.covariances[used] = floored(_FORMS[self.covariance](scatter), self.min_variance)

    def _log_densities(self, x):
        """log N(x; mean_k, covariance_k), (n, d) -> (n, k)."""
        factors = np.linalg.cholesky(self.covariances)
        centred = x.T - self.means[:, :, None]  # (k, d, n)
        squares = ((np.linalg.inv(factors) @ centred) ** 2).sum(1)
        log_det = 2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
        return gaussian.from_squares(squares.T, log_det, x.shape[1])

    @property
    def distribution(self) -> tfd.Distribution:
        """The mixture as a distribution of the data's ``dtype``, event shape (d,)."""
        fitted(self.means)
        parts = self.weights, self.means, np.linalg.cholesky(self.covariances)
        weights, means, scales = (part.astype(self.dtype) for part in parts)
        return tfd.MixtureSameFamily(
            tfd.Categorical(probs=weights), tfd.MultivariateNormalTriL(means, scales)
        )

    def log_prob(self, x) -> tf.Tensor:
        """Log density of each row of ``x``, (n, d) -> (n,), in nats, in the data's ``dtype``."""
        return tf.constant(self.e_step(x)[1], self.dtype)

    def sample(self, n: int, seed=None) -> tf.Tensor:
        """Draw ``n`` points, (n, d), in the data's ``dtype``; the same ``seed`` draws the same."""
        fitted(self.means)
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(validate.count("n", n), self.weights)
        parts = [
            mean + rng.normal(size=(count, len(mean))) @ np.linalg.cholesky(covariance).T
            for count, mean, covariance in zip(counts, self.means, self.covariances, strict=True)
        ]
        return tf.constant(rng.permutation(np.concatenate(parts)), self.dtype)

    def responsibilities(self, x) -> np.ndarray:
        """p(component | x), (n, d) -> (n, k); each row adds up to 1."""
        return self.e_step(x)[0]

    def predict(self, x) -> np.ndarray:
        """The likeliest component of each row of ``x``, (n, d) -> (n,)."""
        return self.responsibilities(x).argmax(1)

    def _check(self, x):
        return rows("x", x, fitted(self.means).shape[1]).numpy().astype(np.float64)


def floored(covariances, least: float) -> np.ndarray:
    """Raise eigenvalues of (k, d, d) below ``least`` to it: the likeliest with no less variance."""
    values, vectors = np.linalg.eigh(covariances)
    return (vectors * np.maximum(values, least)[:, None]) @ vectors.swapaxes(1, 2)


def _diagonal(scatter):
    return scatter * np.eye(scatter.shape[-1])


def _spherical(scatter):
    d = scatter.shape[-1]
    return np.trace(scatter, axis1=1, axis2=2)[:, None, None] / d * np.eye(d)


_FORMS = {"full": np.asarray, "tied": np.asarray, "diag": _diagonal, "spherical": _spherical}
