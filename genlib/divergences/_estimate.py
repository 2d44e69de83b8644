"""From a pair of measures to a number: which route exists, and the Monte Carlo one."""

import functools

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import validate
from genlib.divergences._measure import LOG_ZERO, Measure, where
from genlib.divergences._quadrature import Line, check_mass, common_atoms
from genlib.divergences._shared import stateless_seed
from genlib.divergences.roots import safe_sqrt

METHODS = ("auto", "closed_form", "quadrature", "monte_carlo")


class Pair:
    """Two checked distributions of one event_shape, [] or [d]: what the divergences compare."""

    def __init__(self, p, q):
        self.p, self.q = Measure("p", p), Measure("q", q)
        if p.event_shape != q.event_shape:
            shapes = f"{list(p.event_shape)} and {list(q.event_shape)}"
            raise ValueError(f"p and q must have the same event_shape; got {shapes}")
        both = self.p, self.q
        self.names = f"{type(p).__name__} and {type(q).__name__}"
        self.scalar = all(m.scalar for m in both)
        self.listed = not any(m.continuous for m in both)  # atoms, nothing else
        # A measure of atoms and a density have no ratio.
        self.apart = any(not m.continuous for m in both) and any(not m.discrete for m in both)
        self.dtype = tf.float64 if tf.float64 in [m.result_dtype for m in both] else tf.float32

    @functools.cached_property
    def atoms(self):
        """Values (k,) or (k, d) of all atoms, and the log-masses (k,) of P and of Q there."""
        values, *log_masses = common_atoms(self.p, self.q)
        if self.listed:
            for measure, log_mass in zip((self.p, self.q), log_masses, strict=True):
                check_mass(measure, tf.reduce_sum(tf.exp(log_mass)))
        return values, *log_masses

    @functools.cached_property
    def line(self):
        """Where to integrate, for two scalar measures."""
        return Line(self.p, self.q)

    @property
    def gaussians(self):
        """Both (mean, covariance), or None unless both are Gaussian."""
        both = self.p.gaussian, self.q.gaussian
        return both if all(both) else None

    @property
    def gaussian_mixtures(self):
        """Both (weights, means, covariances), or None unless both are Gaussian mixtures."""
        both = self.p.gaussian_mixture, self.q.gaussian_mixture
        return both if all(both) else None

    def evaluate(self, closed_form, quadrature, monte_carlo, method, n, seed, return_stderr):
        """Return the divergence as a scalar, or (value, stderr) if ``return_stderr``.

        ``closed_form()`` and, on the line, ``quadrature()`` return a tensor, or None for no such
        route; ``monte_carlo(n, seed)`` (value, stderr), or it is None where samples cannot tell.
        """
        validate.choice("method", method, METHODS)
        n = validate.count("n", n, minimum=100)
        on_line = self.scalar and not self.listed
        routes = {"closed_form": closed_form, "quadrature": quadrature if on_line else lambda: None}
        wanted = [method] if method in routes else [*routes] if method == "auto" else []
        for route in wanted:
            value = routes[route]()
            if value is not None:
                value = self._told(value)
                return (value, tf.zeros_like(value)) if return_stderr else value
        if method in routes or monte_carlo is None:
            others = [name for name, route in routes.items() if route() is not None]
            others += ["monte_carlo"] if monte_carlo else []
            raise ValueError(
                f"method {method!r} does not exist for {self.names}; "
                f"accepted for this pair: {', '.join(['auto', *others])}"
            )
        value, stderr = (self._told(t) for t in monte_carlo(n, stateless_seed(seed)))
        return (value, stderr) if return_stderr else value

    def _told(self, value):
        if tf.executing_eagerly() and bool(tf.math.is_nan(value)):
            raise ValueError(
                f"p and q ({self.names}) must have densities that can be summed; got NaN"
            )
        return tf.cast(value, self.dtype)

    def draw(self, count, seed, order="pq"):
        """Return ``count`` samples (count, d) and their weights (count,), for each of ``order``."""
        seeds = tf.unstack(tf.random.split(seed, len(order)))
        return [draw(getattr(self, which), count, one) for which, one in
                zip(order, seeds, strict=True)]  # fmt: skip

    def log_ratio_parts(self, x):
        """Return (log p, log q) at samples x (n, d): masses where an atom is, else densities."""
        x = x[:, 0] if self.scalar else x
        masses = [m.log_mass(x) for m in (self.p, self.q)]
        atom = tf.maximum(*masses) > LOG_ZERO / 2
        densities = [m.log_density(x) for m in (self.p, self.q)]
        return [tf.where(atom, a, b) for a, b in zip(masses, densities, strict=True)]


def draw(measure, n, seed):
    """Return float64 samples (n, d) and weights (n,): 1, with the score's gradient where needed."""
    sample = measure.dist.sample(n, seed=seed)
    weights = tf.ones([n], tf.float64)
    if measure.dist.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        sample = tf.stop_gradient(sample)
        log_prob = tf.cast(measure.dist.log_prob(sample), tf.float64)
        weights = tf.exp(log_prob - tf.stop_gradient(log_prob))
    return tf.reshape(tf.cast(sample, tf.float64), [n, -1]), weights


def mean_and_stderr(values):
    """Return the mean of independent values (n,) and its standard error; infinity has error 0."""
    count = tf.cast(tf.size(values), values.dtype)
    mean = tf.reduce_mean(values)
    infinite = tf.math.is_inf(mean)
    gaps = where(infinite, 0, values - where(infinite, 0, mean))
    return mean, safe_sqrt(tf.reduce_sum(gaps**2) / (count - 1) / count)


def root(value, stderr):
    """Return an estimate's root, and the delta method's error of it, at most ``sqrt(stderr)``."""
    result = safe_sqrt(value)
    delta = stderr / tf.where(result > 0, 2 * result, 1)
    return result, tf.where(result > 0, tf.minimum(delta, tf.sqrt(stderr)), tf.sqrt(stderr))
