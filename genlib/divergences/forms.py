"""What a distribution is: checks, its float64 twin, its Gaussian components, its atoms."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import validate

_COUNTS = (tfd.Poisson, tfd.Geometric, tfd.NegativeBinomial)


def pair(p, q):
    """Check two distributions and return their float64 twins and the dtype of the result.

    TypeError unless both are ``tfd`` distributions; ValueError for a batch, for an event of rank
    above 1, for events that differ, and (eagerly) for parameters that are not legal.
    """
    for name, dist in (("p", p), ("q", q)):
        if not isinstance(dist, tfd.Distribution):
            raise TypeError(
                f"{name} must be a tensorflow_probability distribution; got {type(dist).__name__}"
            )
        if tuple(dist.batch_shape):
            raise ValueError(
                f"{name} must have batch_shape []; got {dist.name} with batch_shape "
                f"{list(dist.batch_shape)}"
            )
        if len(dist.event_shape) > 1:
            raise ValueError(
                f"{name} must have event_shape [] or [d]; got {list(dist.event_shape)}"
            )
        if not (dist.event_shape.rank or dist.dtype.is_floating or is_discrete(dist)):
            raise TypeError(f"{name} must be continuous or have listable atoms; got {dist.name}")
    if p.event_shape != q.event_shape:
        raise ValueError(
            "p and q must have the same event_shape; got "
            f"{list(p.event_shape)} and {list(q.event_shape)}"
        )
    if tf.executing_eagerly():
        _check_parameters("p", p)
        _check_parameters("q", q)
    floats = [d.dtype for d in (p, q) if d.dtype.is_floating]
    dtype = tf.float64 if tf.float64 in floats else tf.float32
    return _scalar(to_float64(p)), _scalar(to_float64(q)), dtype


def to_float64(dist):
    """Return the distribution with its parameters in float64, where it can be copied so.

    A small divergence is a small difference of large sums: float32 would lose most of its digits.
    """
    own = dist.dtype if dist.dtype.is_floating else tf.float32
    changed = {}
    for name, value in dist.parameters.items():
        if isinstance(value, tfd.Distribution):
            changed[name] = to_float64(value)
            if changed[name] is value:
                return dist
        elif isinstance(value, list | tuple) and any(
            isinstance(v, tfd.Distribution) for v in value
        ):
            changed[name] = [to_float64(v) for v in value]
        elif _is_float(value):
            value = tf.convert_to_tensor(value, getattr(value, "dtype", own))
            value = tf.cast(value, tf.float64)
            if name == "probs" and isinstance(dist, tfd.Categorical | tfd.FiniteDiscrete):
                value /= tf.reduce_sum(value, -1, keepdims=True)
            changed[name] = value
        elif not (value is None or isinstance(value, bool | int | str | tf.DType)):
            return dist  # a bijector or a function, which keeps its own dtype
    try:
        twin = dist.copy(**changed)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        return dist
    return dist if twin.dtype.is_floating and twin.dtype != tf.float64 else twin


def gaussian_mixture(dist):
    """Return (weights (k,), means (k, d), covariances (k, d, d)), or None if it is not one."""
    if isinstance(dist, tfd.MixtureSameFamily):
        weights, component = weights_of(dist), dist.components_distribution
    else:
        weights, component = None, dist
    if isinstance(component, tfd.Normal):
        means, covariances = component.mean()[..., None], component.variance()[..., None, None]
    elif isinstance(component, tfd.Independent) and isinstance(component.distribution, tfd.Normal):
        if component.event_shape.rank != 1:
            return None
        means, covariances = component.mean(), tf.linalg.diag(component.variance())
    elif isinstance(component, tfd.MultivariateNormalLinearOperator):
        means, covariances = component.mean(), component.covariance()
    else:
        return None
    if weights is None:
        weights, means, covariances = tf.ones([1], tf.float64), means[None], covariances[None]
    count, width = tf.shape(weights)[0], means.shape[-1]
    means = tf.broadcast_to(means, [count, width])
    covariances = tf.broadcast_to(covariances, [count, width, width])
    return tuple(tf.cast(t, tf.float64) for t in (weights, means, covariances))


def gaussian(dist):
    """Return (mean (d,), covariance (d, d)), or None if it is not a Gaussian."""
    if isinstance(dist, tfd.MixtureSameFamily):
        return None
    parts = gaussian_mixture(dist)
    return parts and (parts[1][0], parts[2][0])


def atoms(dist):
    """Return (values (k, d), probabilities (k,)) of a discrete distribution, or None.

    Counts without an upper end are cut 40 standard deviations above the mean.
    """
    if isinstance(dist, tfd.Bernoulli):
        one = dist.probs_parameter()
        values, probs = tf.constant([0.0, 1.0]), tf.stack([1 - one, one])
    elif isinstance(dist, tfd.FiniteDiscrete):
        values, probs = dist.outcomes, dist.probs_parameter()
    elif isinstance(dist, tfd.Categorical):
        probs = dist.probs_parameter()
        values = tf.range(tf.shape(probs)[-1])
    elif isinstance(dist, tfd.Deterministic | tfd.VectorDeterministic):
        values, probs = dist.loc[None], tf.ones([1])
    elif isinstance(dist, tfd.Empirical):
        values = dist.samples
        probs = tf.ones(tf.shape(values)[:1], tf.float64) / tf.cast(tf.shape(values)[0], tf.float64)
    elif isinstance(dist, tfd.Binomial):
        values = tf.range(tf.cast(dist.total_count, tf.int32) + 1)
        probs = dist.prob(tf.cast(values, dist.dtype))
    elif isinstance(dist, _COUNTS):
        last = dist.mean() + 40 * dist.stddev() + 30
        values = tf.range(tf.cast(tf.minimum(last, 1e5), tf.int32))
        probs = dist.prob(tf.cast(values, dist.dtype))
    else:
        return None
    values, probs = tf.cast(values, tf.float64), tf.cast(probs, tf.float64)
    return (values[:, None] if values.shape.rank == 1 else values), probs


def is_discrete(dist):
    """Return whether `atoms` knows the distribution."""
    known = (tfd.Bernoulli, tfd.FiniteDiscrete, tfd.Categorical, tfd.Deterministic, tfd.Binomial,
             tfd.VectorDeterministic, tfd.Empirical, *_COUNTS)  # fmt: skip
    return isinstance(dist, known)


def weights_of(mixture):
    """Return the components' weights (k,) in float64."""
    categorical = getattr(mixture, "mixture_distribution", None) or mixture.cat
    return tf.cast(categorical.probs_parameter(), tf.float64)


def _scalar(dist):
    """Return a 1-D Gaussian (mixture) of event_shape [1] as one of event_shape []."""
    if tuple(dist.event_shape) != (1,):
        return dist
    parts = gaussian_mixture(dist)
    if parts is None:
        return dist
    weights, means, covariances = parts
    scales = tf.sqrt(covariances[:, 0, 0])
    if not isinstance(dist, tfd.MixtureSameFamily):
        return tfd.Normal(means[0, 0], scales[0])
    return tfd.MixtureSameFamily(tfd.Categorical(probs=weights), tfd.Normal(means[:, 0], scales))


def _check_parameters(name, dist):
    """ValueError if a parameter is NaN, infinite or illegal (a negative scale, say)."""
    for key, value in dist.parameters.items():
        if isinstance(value, tfd.Distribution):
            _check_parameters(name, value)
        elif _is_float(value) and "logits" not in key:
            validate.finite(f"{name}'s {key}", tf.convert_to_tensor(value))
    try:
        dist.copy(validate_args=True)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        message = getattr(error, "message", str(error)).strip().splitlines()[0]
        raise ValueError(
            f"{name} ({type(dist).__name__}) has illegal parameters: {message}"
        ) from error
    except TypeError:
        pass  # a distribution without that argument


def _is_float(value):
    if value is None or isinstance(value, bool | int | str | tf.DType | tfd.Distribution):
        return False
    if isinstance(value, float):
        return True
    if isinstance(value, list | tuple) or hasattr(value, "dtype"):
        try:
            return tf.convert_to_tensor(value).dtype.is_floating
        except (TypeError, ValueError):
            return False
    return False
