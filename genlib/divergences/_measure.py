"""What a distribution is: checked once, its parts in float64, its atoms and its log-density."""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from genlib import validate

LOG_ZERO = -1e300  # the log of 0: finite, so that 0 * log 0 is 0 and has a gradient
_MOST = 2**22  # integers listed at most
# Quantiles that say where a distribution lives, closer together towards both ends.
_LEVELS = 1 / (1 + np.exp(-np.linspace(-5.5, 5.5, 25)))
_SAMPLES = 256  # for distributions without a quantile function
_ALL = (-math.inf, math.inf)
_INDICES = (tfd.Bernoulli, tfd.Categorical)
# Counts: the ends of their support, and which parameter is the upper one.
_COUNTS = {
    tfd.Poisson: (0, None),
    tfd.Geometric: (0, None),
    tfd.NegativeBinomial: (0, None),
    tfd.Binomial: (0, "total_count"),
    tfd.BetaBinomial: (0, "total_count"),
    tfd.PoissonLogNormalQuadratureCompound: (0, None),
    tfd.Zipf: (1, None),
    tfd.Skellam: (-math.inf, None),
    tfd.QuantizedDistribution: (-math.inf, "high"),
}


class Leaf(NamedTuple):
    """A distribution that is no mixture, perhaps a batch, and the log-weight of each of it."""

    dist: tfd.Distribution
    log_weight: tf.Tensor  # the batch's shape
    ends: tuple | None = None  # of a density's support, each of the batch's shape; None for R


class Measure:
    """A distribution on R or R^d: a weighted sum of leaves, each of them atoms or a density.

    TypeError if no ``tfd`` distribution; ValueError for a batch, rank above 1, illegal parameters.
    """

    def __init__(self, name, dist):
        if not isinstance(dist, tfd.Distribution):
            raise TypeError(
                f"{name} must be a tensorflow_probability distribution; got {type(dist).__name__}"
            )
        if tuple(dist.batch_shape):
            found = f"{dist.name} with batch_shape {list(dist.batch_shape)}"
            raise ValueError(f"{name} must have batch_shape []; got {found}")
        if len(dist.event_shape) > 1:
            raise ValueError(
                f"{name} must have event_shape [] or [d]; got {list(dist.event_shape)}"
            )
        if tf.executing_eagerly():
            _check_parameters(name, dist)
        self.title = f"{name} ({type(dist).__name__})"
        self.event_shape = dist.event_shape
        self.dist = _on_line(_in_float64(dist))
        self.scalar = self.dist.event_shape.rank == 0
        self.discrete, self.continuous = [], []
        for leaf in _leaves(self.dist, tf.zeros([], tf.float64)):
            if _is_discrete(leaf.dist, self.title):
                self.discrete.append(leaf)
            else:
                ends = support(leaf.dist) if self.scalar else None
                self.continuous.append(leaf._replace(ends=ends))
        exact = [d for d in (dist, *(leaf.dist for leaf in self.discrete))
                 if d.dtype.is_integer and not isinstance(d, _INDICES)]  # fmt: skip
        self.result_dtype = tf.float64 if dist.dtype == tf.float64 or exact else tf.float32

    @functools.cached_property
    def gaussian_mixture(self):
        """(weights (k,), means (k, d), covariances (k, d, d)), or None if it is not one."""
        if self.discrete:
            return None
        parts = [_gaussians(leaf) for leaf in self.continuous]
        return tuple(tf.concat(t, 0) for t in zip(*parts, strict=True)) if all(parts) else None

    @functools.cached_property
    def gaussian(self):
        """(mean (d,), covariance (d, d)), or None if it is not a Gaussian."""
        parts = self.gaussian_mixture
        return (parts[1][0], parts[2][0]) if parts and parts[0].shape == (1,) else None

    @functools.cached_property
    def reach(self):
        """The least and the greatest integer worth listing, or None where there is no count."""
        found = [_reach(leaf.dist) for leaf in self.discrete if _count_of(leaf.dist)]
        if not found:
            return None
        lows, highs = zip(*found, strict=True)
        return tf.reduce_min(tf.stack(lows)), tf.reduce_max(tf.stack(highs))

    def atoms(self, integers=None):
        """Return values (k, d) and log-probabilities (k,); counts are listed at ``integers``."""
        width = 1 if self.scalar else self.dist.event_shape[0]
        values, logs = [tf.zeros([0, width], tf.float64)], [tf.zeros([0], tf.float64)]
        for dist, log_weight, _ in self.discrete:
            value, log_prob = _atoms(dist, integers)
            log_prob = tf.maximum(log_prob + log_weight[..., None], LOG_ZERO)
            if _count_of(dist):  # one list for all of the batch
                log_prob = tf.reduce_logsumexp(tf.reshape(log_prob, [-1, tf.size(value)]), 0)
            values.append(tf.reshape(tf.cast(value, tf.float64), [-1, width]))
            logs.append(tf.reshape(log_prob, [-1]))
        return tf.concat(values, 0) + 0.0, tf.concat(logs, 0)  # -0 becomes 0

    def log_density(self, x):
        """Return the log-density of what is continuous at x, (n,) or (n, d); `LOG_ZERO` for 0."""
        return _log_sum([_log_density(leaf, x) for leaf in self.continuous], x)

    def log_mass(self, x):
        """Return the log-probability of each point x, (n,) or (n, d); `LOG_ZERO` for none."""
        return _log_sum([_log_mass(leaf, x) for leaf in self.discrete], x)


def log_probs(dist):
    """Return a categorical's log-probabilities in float64, from its logits where it has them."""
    logits, probs = dist.parameters.get("logits"), dist.parameters.get("probs")
    if isinstance(dist, tfd.Bernoulli):
        if logits is not None:
            logits = tf.cast(logits, tf.float64)
            return tf.stack([-tf.nn.softplus(logits), -tf.nn.softplus(-logits)], -1)
        one = tf.cast(probs, tf.float64)
        return safe_log(tf.stack([1 - one, one], -1))
    if logits is not None:
        return tf.maximum(tf.nn.log_softmax(tf.cast(logits, tf.float64)), LOG_ZERO)
    probs = tf.cast(probs, tf.float64)
    return safe_log(probs / tf.reduce_sum(probs, -1, keepdims=True))


def safe_log(x):
    """Return log x, `LOG_ZERO` where x is 0."""
    zero = x <= 0  # NaN is not: it stays NaN
    one = tf.ones_like(x)
    return tf.where(zero, LOG_ZERO * one, tf.math.log(tf.where(zero, one, x)))


def where(condition, a, b):
    """Return ``tf.where`` in float64: of two bare numbers it makes float32 or integers."""
    a, b = (tf.convert_to_tensor(v, tf.float64) for v in (a, b))
    return tf.where(condition, a, b)


def support(dist):
    """Return the support's two ends, each with the batch's shape, infinite or not; None for R."""
    if hasattr(dist, "low") and hasattr(dist, "high"):
        ends = [dist.low, dist.high]
    elif type(dist) is tfd.TransformedDistribution:
        inner = support(dist.distribution) or [tf.constant(z, dist.dtype) for z in _ALL]
        ends = [_image(dist.bijector, tf.cast(end, dist.distribution.dtype)) for end in inner]
    else:
        try:
            bijector = dist.experimental_default_event_space_bijector()
            if isinstance(bijector, tfb.Identity):
                return None
            ends = [_image(bijector, tf.constant(z, dist.dtype)) for z in _ALL]
        except (NotImplementedError, ValueError, TypeError):
            if not isinstance(dist, tfd.InverseGaussian):  # whose bijector is float32 alone
                return None
            ends = 0.0, math.inf
    ends = [tf.broadcast_to(tf.cast(end, tf.float64), dist.batch_shape) for end in ends]
    low, high = tf.minimum(*ends), tf.maximum(*ends)  # a bijector may decrease
    unknown = tf.math.is_nan(low - high) | (low == high)
    return where(unknown, -math.inf, low), where(unknown, math.inf, high)


def quantiles(dist):
    """Return 25 quantiles, (25, k) for a batch of k: from a sample or the moments if need be."""
    levels = _LEVELS.reshape(-1, *[1] * len(dist.batch_shape)) + np.zeros(dist.batch_shape)
    levels = tf.constant(levels, dist.dtype)

    def by_sample():
        sample = tf.sort(dist.sample(_SAMPLES, seed=tf.constant([7, 11])), axis=0)
        return tf.gather(sample, np.rint((_SAMPLES - 1) * _LEVELS).astype(int))

    def by_moments():
        return dist.mean() + dist.stddev() * tf.math.ndtri(levels)

    attempts = lambda: dist.quantile(levels), by_sample, by_moments, lambda: tf.math.ndtri(levels)
    for attempt in attempts:
        try:
            found = attempt()
        except (NotImplementedError, tf.errors.InvalidArgumentError, ValueError, TypeError):
            continue
        found = tf.stop_gradient(tf.reshape(tf.cast(found, tf.float64), [len(_LEVELS), -1]))
        sound = tf.reduce_all(tf.math.is_finite(found)) & tf.reduce_all(found[-1] > found[0])
        if not tf.executing_eagerly() or sound:
            break
    return tf.where(tf.math.is_finite(found), found, 0)


def _image(bijector, end):
    """Return the image of an end of a support, whose gradient is not spoiled by infinity."""
    fixed = tf.stop_gradient(bijector.forward(end))
    known = tf.math.is_finite(fixed)
    end = tf.where(tf.math.is_finite(end), end, tf.stop_gradient(end))  # exp(-inf) + shift
    return tf.where(known, bijector.forward(tf.where(known, end, 0)), fixed)


def _leaves(dist, log_weight):
    if isinstance(dist, tfd.MixtureSameFamily):
        weights = log_weight[..., None] + log_probs(dist.mixture_distribution)
        return _leaves(dist.components_distribution, weights)
    if isinstance(dist, tfd.Mixture):
        weights = log_weight[..., None] + log_probs(dist.cat)
        parts = [_leaves(d, weights[..., i]) for i, d in enumerate(dist.components)]
        return [leaf for part in parts for leaf in part]
    if isinstance(dist, tfd.Independent) and dist.event_shape == dist.distribution.event_shape:
        return _leaves(dist.distribution, log_weight)
    if type(dist) is tfd.TransformedDistribution and _is_mixture(dist.distribution):
        parts = _leaves(dist.distribution, log_weight)
        return [Leaf(dist.bijector(leaf.dist), leaf.log_weight) for leaf in parts]
    return [Leaf(dist, tf.broadcast_to(log_weight, dist.batch_shape))]


def _is_mixture(dist):
    if type(dist) in (tfd.TransformedDistribution, tfd.Independent):
        return _is_mixture(dist.distribution)
    return isinstance(dist, tfd.MixtureSameFamily | tfd.Mixture)


def _gaussians(leaf):
    """Return weights, means and covariances of a leaf, or None if it is not Gaussian."""
    dist = leaf.dist
    inner = dist.distribution if isinstance(dist, tfd.Independent) else dist
    if isinstance(dist, tfd.Normal):
        mean, covariance = dist.mean()[..., None], dist.variance()[..., None, None]
    elif inner is not dist and isinstance(inner, tfd.Normal) and len(dist.event_shape) == 1:
        mean, covariance = dist.mean(), tf.linalg.diag(dist.variance())
    elif isinstance(dist, tfd.MultivariateNormalLinearOperator):
        mean, covariance = dist.mean(), dist.covariance()
    else:
        return None
    shape, width = leaf.log_weight.shape, mean.shape[-1]
    count = shape.num_elements()
    parts = (
        tf.reshape(tf.exp(leaf.log_weight), [count]),
        tf.reshape(tf.broadcast_to(mean, [*shape, width]), [count, width]),
        tf.reshape(tf.broadcast_to(covariance, [*shape, width, width]), [count, width, width]),
    )
    return tuple(tf.cast(t, tf.float64) for t in parts)


def _is_discrete(dist, title):
    """Return whether a leaf is a sum of atoms; TypeError for one whose atoms nobody can list."""
    if isinstance(dist, tfd.TransformedDistribution):
        return _is_discrete(dist.distribution, title)
    listed = (*_INDICES, tfd.FiniteDiscrete, tfd.Deterministic, tfd.VectorDeterministic,
              tfd.Empirical, tfd.OrderedLogistic, tfd.StoppingRatioLogistic, *_COUNTS)  # fmt: skip
    if isinstance(dist, listed):
        return True
    if len(dist.event_shape):
        return False  # a mass function there is as good as a density: Monte Carlo asks for ratios
    try:
        no_density = dist.experimental_default_event_space_bijector() is None
    except (NotImplementedError, ValueError, TypeError):
        no_density = False  # the quadrature will tell: its mass has to be 1
    if no_density or not dist.dtype.is_floating:
        raise TypeError(f"{title} must be continuous or have listable atoms; got {dist.name}")
    return False


def _count_of(dist):
    """Return the count distribution that a leaf is, or that it transforms, or None."""
    if isinstance(dist, tfd.TransformedDistribution):
        return _count_of(dist.distribution)
    return dist if isinstance(dist, tuple(_COUNTS)) else None


def _reach(dist):
    """Return the range of integers that holds all but some e^-40 of a count's probability."""
    dist = _count_of(dist)
    try:
        mean, spread = dist.mean(), dist.stddev()
    except NotImplementedError:
        sample = dist.sample(_SAMPLES, seed=tf.constant([7, 11]))
        mean, spread = tf.reduce_mean(sample, 0), tf.math.reduce_std(sample, 0) + 1
    mean, spread = tf.cast(mean, tf.float64), tf.cast(spread, tf.float64)
    far = tf.where(tf.math.is_finite(mean + spread), 40 * spread + 30, _MOST / 2)
    mean = tf.where(tf.math.is_finite(mean), mean, 0)
    low, high = _count_ends(dist)
    low, high = tf.maximum(low, tf.floor(mean - far)), tf.minimum(high, tf.math.ceil(mean + far))
    return tf.stop_gradient(tf.reduce_min(low)), tf.stop_gradient(tf.reduce_max(high))


def _count_ends(dist):
    low, upper = next(ends for kind, ends in _COUNTS.items() if isinstance(dist, kind))
    high = None if upper is None else dist.parameters[upper]
    if isinstance(dist, tfd.QuantizedDistribution) and dist.parameters["low"] is not None:
        low = dist.parameters["low"]
    return tf.cast(low, tf.float64), tf.cast(math.inf if high is None else high, tf.float64)


def integers_between(low, high, titles):
    """Return all integers from low to somewhat above high; ValueError if there are too many."""
    count = high - low + 1
    if tf.executing_eagerly() and count > _MOST:
        raise ValueError(
            f"{titles} spread over {float(count):.3g} integers; at most {_MOST} are listed "
            "(method='monte_carlo' takes any)"
        )
    count = tf.maximum(count, tf.minimum(16 * count, 2**16))  # a ratio's tail may be the longer
    return low + tf.range(tf.minimum(count, _MOST), dtype=tf.float64)


def _atoms(dist, integers):
    """Return a leaf's values, batch + (m,) + event, and log-probabilities, batch + (m,)."""
    if isinstance(dist, tfd.TransformedDistribution):
        values, log_prob = _atoms(dist.distribution, integers)
        return dist.bijector.forward(values), log_prob
    batch = dist.batch_shape
    if isinstance(dist, tuple(_COUNTS)):
        at = tf.reshape(integers, [-1, *[1] * len(batch)])
        log_prob = tf.where(*_counted(dist, at), LOG_ZERO)
        return integers, tf.transpose(log_prob, [*range(1, len(batch) + 1), 0])
    if isinstance(dist, tfd.Deterministic):
        return dist.loc[..., None], tf.zeros([*batch, 1], tf.float64)
    if isinstance(dist, tfd.VectorDeterministic):
        return dist.loc[..., None, :], tf.zeros([*batch, 1], tf.float64)
    if isinstance(dist, tfd.Empirical):
        count = dist.samples.shape[len(batch)]
        return dist.samples, tf.fill([*batch, count], tf.constant(-math.log(count), tf.float64))
    if isinstance(dist, tfd.OrderedLogistic | tfd.StoppingRatioLogistic):
        log_prob = tf.cast(dist.categorical_log_probs(), tf.float64)
    else:
        log_prob = log_probs(dist)
    values = dist.outcomes if isinstance(dist, tfd.FiniteDiscrete) else tf.range(log_prob.shape[-1])
    return tf.broadcast_to(tf.cast(values, tf.float64), tf.shape(log_prob)), log_prob


def _counted(dist, x):
    """Return where x is an integer of a count's support, and its log-probability there."""
    low, high = _count_ends(dist)
    inside = (x >= low) & (x <= high) & (x == tf.floor(x))
    safe = tf.where(inside, x, tf.maximum(low, tf.minimum(high, 1)))
    log_prob = tf.cast(dist.log_prob(tf.cast(safe, dist.dtype)), tf.float64)
    return inside & tf.math.is_finite(log_prob), tf.where(tf.math.is_finite(log_prob), log_prob, 0)


def _log_mass(leaf, x):
    dist, batch = leaf.dist, len(leaf.dist.batch_shape)
    if isinstance(dist, tuple(_COUNTS)):
        at = tf.reshape(x, [-1, *[1] * batch])
        log_prob = tf.where(*_counted(dist, at), LOG_ZERO)
        return tf.reshape(log_prob + leaf.log_weight, [tf.shape(x)[0], -1])
    if _count_of(dist):  # a transformed count
        back = dist.bijector.inverse(x)
        near = tf.round(back)
        hit = tf.abs(dist.bijector.forward(near) - x) <= 1e-9 * (1 + tf.abs(x))
        inner = _log_mass(Leaf(dist.distribution, leaf.log_weight), near)
        return tf.where(hit[:, None], inner, LOG_ZERO)
    values, log_prob = _atoms(dist, None)
    values = tf.reshape(tf.cast(values, tf.float64), [-1, *x.shape[1:]])
    same = x[:, None] == values
    same = tf.reduce_all(same, -1) if x.shape.rank == 2 else same
    return tf.where(same, tf.reshape(log_prob + leaf.log_weight[..., None], [-1]), LOG_ZERO)


def _log_density(leaf, x):
    """Return the weighted log-density of each of a leaf's batch at x, shape (n, k)."""
    dist, batch = leaf.dist, [1] * len(leaf.dist.batch_shape)
    at = tf.reshape(x, [-1, *batch, *x.shape[1:]])
    inside = True
    if leaf.ends:
        low, high = (tf.stop_gradient(end) for end in leaf.ends)
        inside = (at > low) & (at < high)
        left = tf.where(tf.math.is_finite(low), low, high - 2)
        right = tf.where(tf.math.is_finite(high), high, low + 2)
        middle = (left + right) / 2
        at = tf.where(inside, at, tf.where(tf.math.is_finite(middle), middle, 0))
    log_prob = tf.cast(dist.log_prob(tf.cast(at, dist.dtype)), tf.float64)
    log_prob = tf.where(inside & tf.math.is_finite(log_prob), log_prob + leaf.log_weight, LOG_ZERO)
    return tf.reshape(log_prob, [tf.shape(x)[0], -1])


def _log_sum(columns, x):
    if not columns:
        return tf.fill(tf.shape(x)[:1], tf.constant(LOG_ZERO, tf.float64))
    columns = tf.concat(columns, 1)
    total = columns[:, 0] if columns.shape[1] == 1 else tf.reduce_logsumexp(columns, 1)
    return tf.maximum(total, LOG_ZERO)


def _check_parameters(name, dist):
    """ValueError if a parameter is NaN, infinite or illegal (a negative scale, say)."""
    bounds = {}
    for value in dist.parameters.values():
        if isinstance(value, tfd.Distribution):
            _check_parameters(name, value)
    for key, value in _numbers(dist).items():
        if key in ("low", "high") and np.isinf(value).any():  # TFP's check refuses those
            value = bounds[key] = np.clip(value, -1e30, 1e30)
        if "logits" not in key:
            validate.finite(f"{name}'s {key}", value)
    try:
        dist.copy(validate_args=True, **bounds)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        message = getattr(error, "message", str(error)).strip().splitlines()[0]
        raise ValueError(
            f"{name} ({type(dist).__name__}) has illegal parameters: {message}"
        ) from error
    except TypeError:
        pass  # a distribution without that argument


def _in_float64(part):
    """Return a distribution or bijector in float64, if it can be: differences need digits."""
    changed = {name: tf.cast(value, tf.float64) for name, value in _numbers(part).items()}
    for name, value in part.parameters.items():
        if hasattr(value, "parameters"):
            changed[name] = _in_float64(value)
        elif isinstance(value, list | tuple) and value and hasattr(value[0], "parameters"):
            changed[name] = [_in_float64(v) for v in value]
    try:
        twin = part.copy(**changed)
        if isinstance(part, tfd.Distribution):
            twin.log_prob(tf.zeros(twin.event_shape, twin.dtype))  # bijectors may stay behind
            return part if twin.dtype.is_floating and twin.dtype != tf.float64 else twin
        return twin
    except (TypeError, ValueError, NotImplementedError, tf.errors.InvalidArgumentError):
        return part


def _numbers(part):
    """Return the parameters of a distribution or bijector that are numbers, as tensors."""
    try:
        names = {*type(part).parameter_properties()} & {*part.parameters}
    except NotImplementedError:
        return {}
    numbers = {}
    for name in names:
        given, own = part.parameters[name], getattr(part, name, None)  # its own has the right dtype
        nested = hasattr(given, "parameters") or name in ("components", "bijectors")
        if given is not None and not nested:
            numbers[name] = own if tf.is_tensor(own) else tf.convert_to_tensor(given)
    return numbers


def _on_line(dist):
    """Return a 1-D Gaussian (mixture) of event_shape [1] as one of event_shape []."""
    if tuple(dist.event_shape) != (1,):
        return dist
    parts = [_gaussians(leaf) for leaf in _leaves(dist, tf.zeros([], tf.float64))]
    if not all(parts):
        return dist
    weights, means, covariances = (tf.concat(t, 0) for t in zip(*parts, strict=True))
    scales = tf.sqrt(covariances[:, 0, 0])
    return tfd.MixtureSameFamily(tfd.Categorical(probs=weights), tfd.Normal(means[:, 0], scales))
