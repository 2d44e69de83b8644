"""The f-divergences, in nats: kl, js, total_variation, hellinger, chi2.

Each is ``int g(p, q) dx``, ``g >= 0``, in terms of log p and log q, so that far tails do not
underflow. As ``g(tp, tq) = t g(p, q)``, atoms and densities times weights are summed alike.
"""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib.divergences import gaussian
from genlib.divergences._estimate import Pair, draw, mean_and_stderr, root
from genlib.divergences._measure import LOG_ZERO, safe_log
from genlib.divergences.roots import safe_sqrt


def kl(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Kullback-Leibler divergence ``KL(P||Q) = E_P log(p/q)``, in nats; infinite where q = 0 < p.

    Args:
      p, q: ``tfd`` distributions, batch_shape [], event_shape [] or [d], the same for both.
      method: "closed_form", "quadrature" (1-D), "monte_carlo", or "auto": the first that exists.
      n, seed: Monte Carlo draws n samples of each distribution, repeatably for an int seed.
      return_stderr: return (value, standard error) instead of the value; 0 for exact routes.

    Returns a scalar tensor, differentiable in the distributions' parameters. ValueError or
    TypeError names an argument that is not of this kind. Kullback and Leibler 1951.
    """
    pair = Pair(p, q)

    def monte_carlo(n, seed):
        x, weights = draw(pair.p, n, seed)
        log_p, log_q = pair.log_ratio_parts(x)
        ratio = tf.where(log_q <= LOG_ZERO, tf.constant(math.inf, x.dtype), log_p - log_q)
        return mean_and_stderr(weights * ratio)

    return _evaluate(pair, _kl, gaussian.kl, monte_carlo, method, n, seed, return_stderr)


def js(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Jensen-Shannon divergence ``1/2 KL(P||R) + 1/2 KL(Q||R)``, ``R = (P+Q)/2``; at most log 2.

    Arguments, result and errors as in `kl`. Lin 1991.
    """
    pair = Pair(p, q)

    def integrand(share):  # of p in p + q
        return math.log(2) + _x_log_x(share) + _x_log_x(1 - share)

    return _evaluate(pair, _js, None, _symmetric(pair, integrand), method, n, seed, return_stderr)


def total_variation(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Total variation distance ``1/2 int |p-q|``, between 0 and 1; all else as in `kl`."""
    pair = Pair(p, q)
    estimate = _symmetric(pair, lambda share: tf.abs(2 * share - 1))
    return _evaluate(pair, _total_variation, None, estimate, method, n, seed, return_stderr)


def hellinger(p, q, *, squared=False, method="auto", n=100_000, seed=None, return_stderr=False):
    """Hellinger distance ``sqrt(1 - int sqrt(pq))``, between 0 and 1; ``squared`` its square.

    At P = Q the distance has a kink, with gradient 0. Arguments, result and errors as in `kl`.
    """
    pair = Pair(p, q)
    estimate = _symmetric(pair, lambda share: (safe_sqrt(share) - safe_sqrt(1 - share)) ** 2)
    closed_form = gaussian.hellinger_squared
    found = _evaluate(pair, _hellinger_squared, closed_form, estimate, method, n, seed, True)
    value, stderr = found if squared else root(*found)
    return (value, stderr) if return_stderr else value


def chi2(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Pearson's chi-squared divergence ``int (p-q)^2 / q``; infinite where it does not converge.

    Its Monte Carlo estimate, ``E_Q (p/q - 1)^2``, is wild where p has the heavier tails: trust the
    standard error only where q covers p well. Arguments, result and errors as in `kl`.
    """
    pair = Pair(p, q)

    def monte_carlo(n, seed):
        x, weights = draw(pair.q, n, seed)
        log_p, log_q = pair.log_ratio_parts(x)
        return mean_and_stderr(weights * tf.math.expm1(log_p - log_q) ** 2)

    return _evaluate(pair, _chi2, gaussian.chi2, monte_carlo, method, n, seed, return_stderr)


# Integrands. Adding q - p, whose integral is 0, to p log(p/q) makes it non-negative everywhere.
def _kl(log_p, log_q):
    p, q, log_ratio = tf.exp(log_p), tf.exp(log_q), log_p - log_q
    up, down = tf.clip_by_value(log_ratio, 0, 1e300), tf.clip_by_value(log_ratio, -1e300, 0)
    value = p * (up + tf.math.expm1(-up)) + q * (down * tf.exp(down) - tf.math.expm1(down))
    infinite = (log_q <= LOG_ZERO) & (log_p > -700)
    return tf.where(infinite, tf.constant(math.inf, value.dtype), tf.maximum(value, 0))


def _js(log_p, log_q):
    log_r = tf.reduce_logsumexp(tf.stack([log_p, log_q]), 0) - math.log(2)
    return (_kl(log_p, log_r) + _kl(log_q, log_r)) / 2


def _total_variation(log_p, log_q):
    return tf.abs(tf.exp(log_p) - tf.exp(log_q)) / 2


def _hellinger_squared(log_p, log_q):
    return (tf.exp(log_p / 2) - tf.exp(log_q / 2)) ** 2 / 2


def _chi2(log_p, log_q):
    return (tf.exp(log_p - log_q / 2) - tf.exp(log_q / 2)) ** 2


def _evaluate(pair, integrand, gaussian_form, monte_carlo, *options):
    """Offer the routes an f-divergence has."""
    bounded = integrand not in (_kl, _chi2)

    def closed_form():
        if pair.listed:
            _, log_p, log_q = pair.atoms
            return tf.reduce_sum(integrand(log_p, log_q))
        if pair.apart:  # each is a null set of the other
            none_one = tf.constant([LOG_ZERO, 0.0], tf.float64)
            return tf.reduce_sum(integrand(none_one, none_one[::-1]))
        if gaussian_form and pair.gaussians:
            return gaussian_form(*pair.gaussians[0], *pair.gaussians[1])
        try:
            return tfd.kl_divergence(pair.p.dist, pair.q.dist) if integrand is _kl else None
        except NotImplementedError:
            return None

    def quadrature():
        if pair.apart:
            return None

        def parts(grid):
            return integrand(grid.log_p, grid.log_q)

        kinks = (lambda grid: grid.log_p - grid.log_q) if integrand is _total_variation else None
        grid = pair.line.refined(parts, turns=kinks)
        return tf.reduce_sum(parts(grid)) if bounded else grid.total(parts(grid))

    return pair.evaluate(closed_form, quadrature, None if pair.apart else monte_carlo, *options)


def _symmetric(pair, integrand):
    """Estimate ``int r h(p/(p+q)) dx``, r = (p+q)/2, from half P and half Q: h is bounded."""

    def monte_carlo(n, seed):
        estimates = []
        for x, weights in pair.draw(n, seed):
            log_p, log_q = pair.log_ratio_parts(x)
            estimates.append(mean_and_stderr(weights * integrand(tf.sigmoid(log_p - log_q))))
        (mean_p, error_p), (mean_q, error_q) = estimates
        return (mean_p + mean_q) / 2, safe_sqrt(error_p**2 + error_q**2) / 2

    return monte_carlo


def _x_log_x(x):
    return x * tf.maximum(safe_log(x), -1e30)
