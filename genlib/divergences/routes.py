"""From a pair of distributions to a number: which route exists, and the Monte Carlo one."""

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from genlib import validate
from genlib.divergences import forms, line
from genlib.divergences.kernels import safe_sqrt

METHODS = ("auto", "closed_form", "quadrature", "monte_carlo")


def evaluate(p, q, dtype, exact_routes, monte_carlo, *, method, n, seed, return_stderr):
    """Return the divergence as a scalar, or (value, stderr) if ``return_stderr``.

    ``exact_routes`` maps "closed_form" and "quadrature" to functions of no argument, each of which
    returns a tensor, or None where that route does not exist for this pair. ``monte_carlo(n,
    seed)`` returns (value, stderr), or is None where samples cannot tell.
    """
    validate.choice("method", method, METHODS)
    n = validate.count("n", n, minimum=100)
    wanted = [method] if method in exact_routes else [*exact_routes] if method == "auto" else []
    for route in wanted:
        value = exact_routes[route]()
        if value is not None:
            value = tf.cast(value, dtype)
            return (value, tf.zeros_like(value)) if return_stderr else value
    if method in exact_routes or monte_carlo is None:
        others = [name for name, route in exact_routes.items() if route() is not None]
        others += ["monte_carlo"] if monte_carlo else []
        raise ValueError(
            f"method {method!r} does not exist for {type(p).__name__} and {type(q).__name__}; "
            f"accepted for this pair: {', '.join(['auto', *others])}"
        )
    value, stderr = (tf.cast(t, dtype) for t in monte_carlo(n, stateless_seed(seed)))
    return (value, stderr) if return_stderr else value


def stateless_seed(seed):
    """Return a stateless seed: the same for the same int, fresh for None."""
    if seed is not None and not tf.is_tensor(seed):
        seed = tf.constant([validate.count("seed", seed, minimum=0) % 2**31, 0])
    return tfp.random.sanitize_seed(seed)


def on_line(p, q):
    """Return whether both are scalar and at least one is continuous: what quadrature needs."""
    return p.event_shape.rank == 0 and not (forms.is_discrete(p) and forms.is_discrete(q))


def draw(dist, n, seed):
    """Return samples (n, d) in float64 and their weights (n,), all ones in value.

    Where sampling is not reparameterised, the weights carry the score function's gradient.
    """
    sample = dist.sample(n, seed=seed)
    weights = tf.ones([n], tf.float64)
    if dist.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        sample = tf.stop_gradient(sample)
        log_prob = tf.cast(dist.log_prob(sample), tf.float64)
        weights = tf.exp(log_prob - tf.stop_gradient(log_prob))
    return tf.reshape(tf.cast(sample, tf.float64), [n, -1]), weights


def log_densities(p, q, x):
    """Return (log p(x), log q(x)) in float64 at samples x of shape (n, d)."""
    return _log_density(p, x), _log_density(q, x)


def _log_density(dist, x):
    if forms.is_discrete(dist):
        values, probs = forms.atoms(dist)
        same = tf.reduce_all(x[:, None] == values, -1)
        return line.safe_log(tf.linalg.matvec(tf.cast(same, tf.float64), probs))
    if dist.event_shape.rank == 0:
        return line.log_density(dist, x[:, 0])
    return tf.maximum(tf.cast(dist.log_prob(tf.cast(x, dist.dtype)), tf.float64), line.NOTHING)


def mean_and_stderr(values):
    """Return the mean of independent values (n,) and its standard error; infinity has error 0."""
    count = tf.cast(tf.size(values), values.dtype)
    mean = tf.reduce_mean(values)
    finite = tf.math.is_finite(mean)
    gaps = tf.where(finite, values - tf.where(finite, mean, 0), 0)
    return mean, safe_sqrt(tf.reduce_sum(gaps**2) / (count - 1) / count)


def root(value, stderr):
    """Return the square root of an estimate, with the delta method's standard error.

    Near 0 that error would be infinite; ``sqrt(stderr)`` bounds the root's error there.
    """
    result = safe_sqrt(value)
    delta = stderr / tf.where(result > 0, 2 * result, 1)
    return result, tf.where(result > 0, tf.minimum(delta, tf.sqrt(stderr)), tf.sqrt(stderr))


def wasserstein_order(order):
    """Return ``order`` as a float; ValueError unless it is a finite number of at least 1."""
    if validate.positive("order", order) < 1:
        raise ValueError(f"order must be a finite number of at least 1; got {order!r}")
    return float(order)


def power_root(value, order):
    """Return ``value^(1/order)``, with gradient 0 at 0 for orders above 1."""
    if order == 1:
        return value
    positive = value > 0
    return tf.where(positive, tf.where(positive, value, 1) ** (1 / order), 0)
