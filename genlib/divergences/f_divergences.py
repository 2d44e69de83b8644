"""The f-divergences, in nats: kl, js, total_variation, hellinger, chi2.

Each is ``int g(p, q) dx`` with an integrand ``g >= 0``, written here in terms of log p and log q
so that a far tail neither underflows nor gives NaN. One integrand serves both routes: summed over
atoms, integrated over the line.
"""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib.divergences import forms, gaussian, line, routes
from genlib.divergences.kernels import safe_sqrt


def kl(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Kullback-Leibler divergence ``KL(P||Q) = E_P log(p/q)``, in nats; infinite where q = 0 < p.

    Args:
      p, q: ``tfd`` distributions, batch_shape [], event_shape [] or [d], the same for both.
      method: "closed_form", "quadrature" (1-D), "monte_carlo", or "auto": the first that exists.
      n: samples of each distribution for Monte Carlo.
      seed: int for repeatable Monte Carlo, None for fresh randomness.
      return_stderr: return (value, standard error) instead of the value; 0 for exact routes.

    Returns a scalar tensor, differentiable in the distributions' parameters. ValueError or
    TypeError names an argument that is not of this kind. Kullback and Leibler 1951.
    """
    p, q, dtype = forms.pair(p, q)

    def registered():
        try:
            return tfd.kl_divergence(p, q)
        except NotImplementedError:
            return None

    def monte_carlo(n, seed):
        x, weights = routes.draw(p, n, seed)
        log_p, log_q = routes.log_densities(p, q, x)
        ratio = tf.where(log_q <= line.NOTHING, tf.constant(math.inf, x.dtype), log_p - log_q)
        return routes.mean_and_stderr(weights * ratio)

    return _evaluate(p, q, dtype, _kl, math.inf, registered, monte_carlo,
                     method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def js(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Jensen-Shannon divergence ``1/2 KL(P||R) + 1/2 KL(Q||R)``, ``R = (P+Q)/2``; at most log 2.

    Arguments, result and errors as in `kl`. Lin 1991.
    """
    p, q, dtype = forms.pair(p, q)

    def integrand(share):  # of p in p + q
        return math.log(2) + _x_log_x(share) + _x_log_x(1 - share)

    return _evaluate(p, q, dtype, _js, math.log(2), None, _symmetric(p, q, integrand),
                     method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def total_variation(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Total variation distance ``1/2 int |p-q|``, between 0 and 1.

    Arguments, result and errors as in `kl`.
    """
    p, q, dtype = forms.pair(p, q)
    monte_carlo = _symmetric(p, q, lambda share: tf.abs(2 * share - 1))
    return _evaluate(p, q, dtype, _total_variation, 1.0, None, monte_carlo,
                     method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def hellinger(p, q, *, squared=False, method="auto", n=100_000, seed=None, return_stderr=False):
    """Hellinger distance ``sqrt(1 - int sqrt(pq))``, between 0 and 1; ``squared`` its square.

    The square is the f-divergence. At P = Q the distance has a kink; its gradient there is given
    as 0. Other arguments, result and errors as in `kl`.
    """
    p, q, dtype = forms.pair(p, q)

    def both_gaussian():
        a, b = forms.gaussian(p), forms.gaussian(q)
        return finish(gaussian.hellinger_squared(*a, *b)) if a and b else None

    def monte_carlo(n, seed):
        integrand = _symmetric(p, q, lambda share: (safe_sqrt(share) - safe_sqrt(1 - share)) ** 2)
        estimate = integrand(n, seed)
        return estimate if squared else routes.root(*estimate)

    finish = tf.identity if squared else safe_sqrt
    return _evaluate(p, q, dtype, _hellinger_squared, 1.0, both_gaussian, monte_carlo, finish,
                     method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def chi2(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Pearson's chi-squared divergence ``int (p-q)^2 / q``; infinite where it does not converge.

    Its Monte Carlo estimate, ``E_Q (p/q - 1)^2``, is wild where p has the heavier tails: trust the
    standard error only where q covers p well. Arguments, result and errors as in `kl`.
    """
    p, q, dtype = forms.pair(p, q)

    def both_gaussian():
        a, b = forms.gaussian(p), forms.gaussian(q)
        return gaussian.chi2(*a, *b) if a and b else None

    def monte_carlo(n, seed):
        x, weights = routes.draw(q, n, seed)
        log_p, log_q = routes.log_densities(p, q, x)
        return routes.mean_and_stderr(weights * tf.math.expm1(log_p - log_q) ** 2)

    return _evaluate(p, q, dtype, _chi2, math.inf, both_gaussian, monte_carlo,
                     method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


# Integrands. Adding q - p, whose integral is 0, to p log(p/q) makes it non-negative everywhere.


def _kl(log_p, log_q):
    p, q = tf.exp(log_p), tf.exp(log_q)
    infinite = (p > 0) & (log_q <= line.NOTHING)
    value = p * (log_p - tf.where(infinite, log_p, log_q)) - p + q
    return tf.where(infinite, tf.constant(math.inf, value.dtype), value)


def _js(log_p, log_q):
    log_r = tf.reduce_logsumexp(tf.stack([log_p, log_q]), 0) - math.log(2)
    return (tf.exp(log_p) * (log_p - log_r) + tf.exp(log_q) * (log_q - log_r)) / 2


def _total_variation(log_p, log_q):
    return tf.abs(tf.exp(log_p) - tf.exp(log_q)) / 2


def _hellinger_squared(log_p, log_q):
    return (tf.exp(log_p / 2) - tf.exp(log_q / 2)) ** 2 / 2


def _chi2(log_p, log_q):
    return (tf.exp(log_p - log_q / 2) - tf.exp(log_q / 2)) ** 2


def _evaluate(p, q, dtype, integrand, disjoint, closed_form, monte_carlo, finish=tf.identity,
              **options):  # fmt: skip
    """Offer the routes an f-divergence has; ``disjoint`` is its value on disjoint supports."""

    def exact():
        if forms.is_discrete(p) and forms.is_discrete(q):
            weights_p, weights_q = _merge(forms.atoms(p), forms.atoms(q))
            value = integrand(line.safe_log(weights_p), line.safe_log(weights_q))
            return finish(tf.reduce_sum(value))
        if forms.is_discrete(p) or forms.is_discrete(q):  # atoms are a null set of a density
            return tf.constant(disjoint, tf.float64)
        return closed_form() if closed_form else None

    def on_line(x):
        return integrand(line.log_density(p, x), line.log_density(q, x))

    def quadrature():
        if not routes.on_line(p, q) or forms.is_discrete(p) or forms.is_discrete(q):
            return None
        if integrand is _total_variation:
            return line.integrate_absolute(half_gap, p, q)
        return finish(line.integrate(on_line, p, q))

    def half_gap(x):
        return (tf.exp(line.log_density(p, x)) - tf.exp(line.log_density(q, x))) / 2

    if forms.is_discrete(p) != forms.is_discrete(q):
        monte_carlo = None  # a probability and a density have no ratio
    exact_routes = {"closed_form": exact, "quadrature": quadrature}
    return routes.evaluate(p, q, dtype, exact_routes, monte_carlo, **options)


def _merge(a, b):
    """Return both distributions' probabilities over the union of their atoms."""
    values = tf.concat([a[0], b[0]], 0)
    same = tf.reduce_all(values[:, None] == values[None], -1)
    first = ~tf.reduce_any(
        tf.linalg.set_diag(_lower(same), tf.zeros(tf.shape(values)[:1], bool)), 1
    )
    table = tf.cast(same & first[:, None], tf.float64)
    split = tf.shape(a[0])[0]
    return tf.linalg.matvec(table[:, :split], a[1]), tf.linalg.matvec(table[:, split:], b[1])


def _lower(matrix):
    return tf.linalg.band_part(matrix, -1, 0)


def _symmetric(p, q, integrand):
    """Estimate ``int r h(p/(p+q)) dx``, r = (p+q)/2, from half P and half Q: h is bounded."""

    def monte_carlo(n, seed):
        estimates = []
        for dist, half in zip((p, q), tf.unstack(tf.random.split(seed)), strict=True):
            x, weights = routes.draw(dist, n, half)
            log_p, log_q = routes.log_densities(p, q, x)
            estimates.append(routes.mean_and_stderr(weights * integrand(tf.sigmoid(log_p - log_q))))
        (mean_p, error_p), (mean_q, error_q) = estimates
        return (mean_p + mean_q) / 2, safe_sqrt(error_p**2 + error_q**2) / 2

    return monte_carlo


def _x_log_x(x):
    return x * line.safe_log(x)
