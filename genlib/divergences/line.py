"""One-dimensional integrals over a pair of continuous distributions, by Gauss-Legendre panels."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from genlib.divergences import forms

NOTHING = -1e30  # the log of a density of 0: finite, so that 0 * log 0 is 0 and has a gradient
# Inner panel edges stand at these quantiles, closer together towards both ends.
_LEVELS = 1 / (1 + np.exp(-np.linspace(-5.5, 5.5, 25)))
_ROUNDING = 1e-12  # a share of the value too small to judge
_SAMPLES = 256  # for distributions without a quantile function
_GROWTH = 0.5 * 4.0 ** np.arange(14)  # tail panels, in widths: the last ends 3e7 widths out
_FAR = 9  # beyond this tail panel of each distribution an integrand should be spent
_SHRINK = 4.0 ** -np.arange(14)  # panels towards a finite end of the support, for singularities


def integrate(integrand, p, q, breaks=None):
    """Return ``int integrand(x) dx`` over the line, infinity where it does not converge.

    Convergence is judged twice. Beyond 1e5 widths of p and of q there must be less than a
    hundredth of the value; and towards a finite end of a support the panels' shares must fall.
    """
    panels = _panels(p, q, breaks=breaks)
    x, weights = _nodes(panels.edges)
    parts = tf.math.multiply_no_nan(integrand(x), weights)  # an empty panel has weight 0
    value = tf.reduce_sum(parts)

    def share(where):
        return tf.reduce_sum(tf.where(where, parts, 0))

    diverges = share((x < panels.low) | (x > panels.high)) > 0.01 * value + _ROUNDING
    if panels.ends.shape[0] != 0:
        gap = tf.reduce_min(tf.abs(x[:, None] - panels.ends), 1) / panels.width
        inner = share((gap > _SHRINK[12]) & (gap < _SHRINK[9]))
        outer = share((gap > _SHRINK[9]) & (gap < _SHRINK[6]))
        diverges |= (inner > 0.9 * outer) & (inner > 1e-6 * value + _ROUNDING)
    return tf.where(diverges, tf.constant(math.inf, value.dtype), value)


def integrate_absolute(gap, p, q):
    """Return ``int |gap(x)| dx``, with panel edges added where the gap changes its sign."""
    x, _ = _nodes(_panels(p, q).edges)
    x, values = tf.stop_gradient(x), tf.stop_gradient(gap(x))
    turns = values[:-1] * values[1:] < 0
    left, right = (x[:-1][turns], values[:-1][turns]), (x[1:][turns], values[1:][turns])
    first = _secant(left, right)
    middle = first, tf.stop_gradient(gap(first))
    before = left[1] * middle[1] > 0  # the crossing is right of ``first``
    other = tuple(tf.where(before, r, s) for s, r in zip(left, right, strict=True))
    crossings = _secant(middle, other)
    return integrate(lambda x: tf.abs(gap(x)), p, q, crossings)


def integrate_quantiles(integrand, p, q):
    """Return ``int_0^1 integrand(F^-1(u), G^-1(u)) du``, infinity where it does not converge."""
    u, weights = quantile_levels(p, q)
    parts = tf.math.multiply_no_nan(integrand(quantile(p, u), quantile(q, u)), weights)
    value = tf.reduce_sum(parts)
    far = tf.reduce_sum(tf.where((u < 1e-9) | (u > 1 - 1e-9), parts, 0))
    return tf.where(far > 0.01 * value + _ROUNDING, tf.constant(math.inf, value.dtype), value)


def _secant(a, b):
    """Return where the line through two points (x, value) is 0."""
    slope = b[1] - a[1]
    return (a[0] * b[1] - b[0] * a[1]) / tf.where(slope != 0, slope, 1)


def nodes(p, q, per_panel):
    """Return the quadrature's points (n,) and weights (n,)."""
    return _nodes(_panels(p, q).edges, per_panel)


def log_density(dist, x):
    """Return log p(x), `NOTHING` outside the support; x has shape (n,), or (n, k) for a batch."""
    parts = _components(dist)
    if parts is not None:
        weights, components = parts
        columns = [log_density(c, x[:, None]) for c in components]
        return tf.maximum(
            tf.reduce_logsumexp(tf.concat(columns, 1) + safe_log(weights), 1), NOTHING
        )
    inside, safe = _inside(dist, x)
    value = tf.cast(dist.log_prob(tf.cast(safe, dist.dtype)), tf.float64)
    return tf.where(inside & tf.math.is_finite(value), value, NOTHING)


def cdf(dist, x):
    """Return F(x); shapes as in `log_density`."""
    parts = _components(dist)
    if parts is not None:
        weights, components = parts
        return tf.reduce_sum(weights * tf.concat([cdf(c, x[:, None]) for c in components], 1), 1)
    if forms.is_discrete(dist):
        values, probs = forms.atoms(dist)
        return tf.reduce_sum(tf.where(values[:, 0] <= x[:, None], probs, 0), 1)
    inside, safe = _inside(dist, x)
    value = tf.cast(dist.cdf(tf.cast(safe, dist.dtype)), tf.float64)
    if inside is True:
        return value
    return tf.where(inside, value, tf.cast(x > safe, tf.float64))


def cdf_gap(p, q, x):
    """Return ``F(x) - G(x)``, with differences at the level of rounding set to 0.

    In the tails a rounding error would be multiplied by the panel's great width.
    """
    gap = cdf(p, x) - cdf(q, x)
    coarsest = max(np.finfo(_real(d.dtype)).eps for d in (p, q))
    return tf.where(tf.abs(gap) > 50 * coarsest, gap, 0)


def quantile(dist, u):
    """Return the inverse CDF at u in (0, 1), shape (n,), differentiable in the parameters."""
    if forms.is_discrete(dist):
        values, probs = forms.atoms(dist)
        order = tf.argsort(values[:, 0])
        levels = tf.cumsum(tf.gather(probs, order))
        index = tf.searchsorted(levels, u)
        return tf.gather(values[:, 0], tf.gather(order, tf.minimum(index, tf.size(order) - 1)))
    if dist.dtype == tf.float64:
        try:
            return dist.quantile(u)
        except NotImplementedError:
            pass
    return _bisect(dist, u)


def quantile_levels(p, q):
    """Return nodes and weights on (0, 1), panels shrinking fourfold towards 0 and towards 1."""
    graded = 0.5 * 4.0 ** -np.arange(18)
    edges = [tf.constant(np.concatenate([[0.0], graded, 1 - graded[1:], [1.0]]))]
    for dist in (p, q):
        if forms.is_discrete(dist):
            values, probs = forms.atoms(dist)
            edges.append(tf.minimum(tf.cumsum(tf.gather(probs, tf.argsort(values[:, 0]))), 1))
    u, weights = _nodes(tf.sort(tf.concat(edges, 0)))
    return tf.clip_by_value(u, 1e-300, 1 - 1e-16), weights


def _bisect(dist, u):
    found = _panels(dist)
    low, high = found.low, found.high
    reach = (high - low) * 1e6
    low, high = tf.fill(tf.shape(u), low - reach), tf.fill(tf.shape(u), high + reach)

    def halve(low, high):
        middle = (low + high) / 2
        below = cdf(dist, middle) < u
        return tf.where(below, middle, low), tf.where(below, high, middle)

    low, high = tf.while_loop(lambda *_: True, halve, (low, high), maximum_iterations=84)
    x = tf.stop_gradient((low + high) / 2)
    level, slope = cdf(dist, x), tf.stop_gradient(tf.exp(log_density(dist, x)))
    # The value is x; the gradient is that of the implicit function F(x; theta) = u.
    step = (level - tf.stop_gradient(level)) / tf.where(slope > 0, slope, 1)
    return x - tf.where(slope > 0, step, 0)


class _Panels(NamedTuple):
    """Where to integrate: sorted panel edges, and what judging convergence needs."""

    edges: tf.Tensor
    ends: tf.Tensor  # finite ends of supports
    low: tf.Tensor  # 1e5 widths below and above where the distributions live
    high: tf.Tensor
    width: tf.Tensor  # the smallest interquartile range


def _panels(*dists, breaks=None):
    found = [_panels_of(d) for d in dists]
    joined = [tf.concat(t, 0) for t in zip(*found, strict=True)]
    edges = joined[0] if breaks is None else tf.concat([joined[0], breaks], 0)
    # All edges are held fixed under differentiation but for the supports' ends, which carry the
    # gradient of a moving boundary.
    edges = tf.concat([tf.stop_gradient(edges), joined[1]], 0)
    edges = tf.gather(edges, tf.argsort(tf.stop_gradient(edges)))
    low, high, width = (tf.stop_gradient(t) for t in joined[2:])
    return _Panels(
        edges,
        tf.stop_gradient(joined[1]),
        tf.reduce_min(low),
        tf.reduce_max(high),
        tf.reduce_min(width),
    )


def _panels_of(dist):
    """Return unsorted `_Panels` of one distribution, each a vector: one entry a component."""
    parts = _components(dist)
    if parts is not None:
        found = [_panels_of(c) for c in parts[1]]
        return _Panels(*(tf.concat(t, 0) for t in zip(*found, strict=True)))
    if forms.is_discrete(dist):
        values = forms.atoms(dist)[0][:, 0]
        far = tf.constant([math.inf], tf.float64)
        return _Panels(
            values, values[:0], tf.reduce_min(values)[None], tf.reduce_max(values)[None], far
        )
    inner = _quantiles(dist)
    width = inner[16] - inner[8]  # near the quartiles
    below, above = inner[0] - width * _GROWTH[:, None], inner[-1] + width * _GROWTH[:, None]
    edges, ends = [below, inner, above], []
    for end, first in zip(_support(dist), (inner[0], inner[-1]), strict=True):
        if end is not None:
            ends.append(tf.where(tf.math.is_finite(end), end, first))
            edges.append(ends[-1] + (first - ends[-1]) * _SHRINK[:, None])
    edges = tf.reshape(tf.concat(edges, 0), [-1])
    ends = tf.reshape(tf.stack(ends), [-1]) if ends else edges[:0]
    return _Panels(edges, ends, below[_FAR], above[_FAR], width)


def _quantiles(dist):
    """Return quantiles at `_LEVELS`, (25, k) for a batch of k, from a sample if need be."""
    try:
        values = dist.quantile(tf.constant(_LEVELS[:, None], dist.dtype))
    except NotImplementedError:
        sample = tf.sort(dist.sample(_SAMPLES, seed=tf.constant([7, 11])), axis=0)
        values = tf.gather(sample, np.rint((_SAMPLES - 1) * _LEVELS).astype(int))
    return tf.stop_gradient(tf.reshape(tf.cast(values, tf.float64), [len(_LEVELS), -1]))


def _nodes(edges, per_panel=16):
    """Return Gauss-Legendre points and weights on each panel between neighbouring edges."""
    unit, weights = np.polynomial.legendre.leggauss(per_panel)
    half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    x = tf.reshape(middle[:, None] + half[:, None] * unit, [-1])
    return x, tf.reshape(half[:, None] * weights, [-1])


def _components(dist):
    """Return the weights and a list of component distributions (or of one batch), or None."""
    if isinstance(dist, tfd.MixtureSameFamily):
        return forms.weights_of(dist), [dist.components_distribution]
    if isinstance(dist, tfd.Mixture):
        return forms.weights_of(dist), dist.components
    return None


def _support(dist):
    """Return the support's two ends as tensors, either of them infinite; (None, None) for R."""
    try:
        bijector = dist.experimental_default_event_space_bijector()
    except NotImplementedError:
        bijector = None
    if bijector is None or isinstance(bijector, tfb.Identity):
        return None, None

    batch = [1] * len(dist.batch_shape)
    infinite = tf.reshape(tf.constant([-math.inf, math.inf], dist.dtype), [2, *batch])
    ends = tf.stop_gradient(bijector.forward(infinite))
    finite = tf.math.is_finite(ends)
    # Where an end is infinite, forward(0) keeps the branch not taken free of NaN gradients.
    ends = tf.where(finite, bijector.forward(tf.where(finite, infinite, 0)), ends)
    return tf.unstack(tf.cast(ends, tf.float64))


def _inside(dist, x):
    """Return where x lies in the support, and x with the other points moved into it."""
    low, high = _support(dist)
    if low is None:
        return True, x
    finite_low, finite_high = tf.math.is_finite(low), tf.math.is_finite(high)
    low, high = tf.stop_gradient(low), tf.stop_gradient(high)
    left = tf.where(finite_low, low, tf.where(finite_high, high - 2, -1))
    right = tf.where(finite_high, high, left + 2)
    inside = (x > low) & (x < high)
    return inside, tf.where(inside, x, (left + right) / 2)


def safe_log(probs):
    """Return log p, `NOTHING` where p is 0."""
    return tf.where(probs > 0, tf.math.log(tf.where(probs > 0, probs, 1)), NOTHING)


def _real(dtype):
    return dtype.as_numpy_dtype if dtype.is_floating else np.float64
