"""Divergences between samples ``x`` (n, d) and ``y`` (m, d); a 1-D array is read as d = 1.

All are differentiable in the samples when given tensors. float64 stays float64, all else becomes
float32. ValueError names an argument that is empty, NaN, infinite or of another dimension.
"""

import os

import numpy as np
import tensorflow as tf

from genlib import validate
from genlib.divergences import kernels
from genlib.divergences.routes import power_root, stateless_seed, wasserstein_order

_COSTS = ("euclidean", "sqeuclidean")


def wasserstein_1d(x, y, order=1, x_weights=None, y_weights=None):
    """Return the exact W_p of 1-D samples: ``(int_0^1 |F^-1 - G^-1|^p du)^(1/p)``.

    Args:
      x, y: (n,) and (m,), or (n, 1) and (m, 1).
      order: p, a number of at least 1.
      x_weights, y_weights: (n,), (m,), non-negative; uniform if None. They are normalised.
    """
    order = wasserstein_order(order)
    uniform = x_weights is None and y_weights is None
    if uniform and not tf.is_tensor(x) and not tf.is_tensor(y):
        fast = _sorted_numpy(x, y, order)
        if fast is not None:
            return fast
    x, y = _pair(x, y)
    if x.shape[1] != 1:
        raise ValueError(f"x must have d = 1; got shape {tuple(x.shape)} (see emd for d > 1)")
    if uniform and x.shape[0] is not None and x.shape[0] == y.shape[0]:
        gaps = tf.abs(tf.sort(x[:, 0]) - tf.sort(y[:, 0]))
        return power_root(tf.reduce_mean(gaps**order), order)
    x, levels_x = _ordered(x[:, 0], _weights("x_weights", x_weights, x))
    y, levels_y = _ordered(y[:, 0], _weights("y_weights", y_weights, y))
    levels = tf.sort(tf.concat([levels_x, levels_y], 0))
    widths = levels - tf.concat([tf.zeros_like(levels[:1]), levels[:-1]], 0)
    middles = levels - widths / 2
    gaps = tf.abs(_step(x, levels_x, middles) - _step(y, levels_y, middles))
    return power_root(tf.reduce_sum(tf.cast(widths, gaps.dtype) * gaps**order), order)


def emd(x, y, cost="euclidean", x_weights=None, y_weights=None, return_plan=False):
    """Return the least cost of moving x onto y, exactly, by POT's network simplex.

    With "euclidean" that is W1, with "sqeuclidean" W2 squared. The gradient holds the plan fixed
    (the envelope theorem), and so exists almost everywhere; weights get none.

    Args:
      x, y: (n, d) and (m, d).
      cost: "euclidean", "sqeuclidean", or a matrix (n, m).
      x_weights, y_weights: (n,), (m,), non-negative; uniform if None. They are normalised.
      return_plan: return (value, plan), the plan of shape (n, m).
    """
    x, y = _pair(x, y)
    matrix = _cost(cost, x, y)
    a, b = _weights("x_weights", x_weights, x), _weights("y_weights", y_weights, y)
    plan = tf.numpy_function(_plan, [a, b, tf.cast(matrix, tf.float64)], tf.float64, stateful=False)
    plan = tf.cast(tf.stop_gradient(tf.ensure_shape(plan, matrix.shape)), matrix.dtype)
    value = tf.reduce_sum(plan * matrix)
    return (value, plan) if return_plan else value


def sliced_wasserstein(x, y, order=1, projections=100, seed=None):
    """Return ``(mean over directions of W_p^p of the projections)^(1/p)``, at most W_p.

    Directions are uniform on the sphere: repeatable for an int ``seed``, fresh for None. In d = 1
    it is W_p. Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures".
    """
    order, projections = wasserstein_order(order), validate.count("projections", projections)
    x, y = _pair(x, y)
    shape = [x.shape[1], projections]
    directions = tf.random.stateless_normal(shape, stateless_seed(seed), dtype=x.dtype)
    directions /= tf.norm(directions, axis=0, keepdims=True)
    x, y = (tf.sort(z @ directions, axis=0) for z in (x, y))
    n, m = tf.shape(x)[0], tf.shape(y)[0]
    # Both quantile functions are steps: of length 1/n and 1/m. Walk through the union of steps.
    ends = tf.sort(tf.concat([tf.range(1, n + 1) * m, tf.range(1, m + 1) * n], 0))
    widths = ends - tf.concat([[0], ends[:-1]], 0)
    x, y = tf.gather(x, (ends - 1) // m), tf.gather(y, (ends - 1) // n)
    shares = tf.cast(widths, x.dtype) / tf.cast(n * m, x.dtype)
    costs = tf.reduce_sum(shares[:, None] * tf.abs(x - y) ** order, 0)
    return power_root(tf.reduce_mean(costs), order)


def sinkhorn(
    x,
    y,
    regularisation,
    cost="sqeuclidean",
    iterations=1000,
    tolerance=1e-4,
    debiased=False,
    return_plan=False,
):
    """Return the entropic transport cost ``min <plan, C> + regularisation KL(plan || a x b)``.

    The value is that of the dual, computed in the log domain: it tends to the exact cost for small
    ``regularisation`` and to the mean cost for large. Stopped early it is a lower bound. Its
    gradient holds the plan fixed (the envelope theorem). Cuturi 2013, "Sinkhorn distances".

    Args:
      x, y: (n, d) and (m, d), weighted uniformly.
      regularisation: in units of the cost, above 0.
      cost: "euclidean", "sqeuclidean", or a matrix (n, m).
      iterations: at most so many updates of both potentials.
      tolerance: stop when the plan's row sums are wrong by less than this in total.
      debiased: subtract half the costs of x to x and of y to y, so that x = y gives 0 (the Sinkhorn
        divergence; Feydy et al. 2019). Needs a named cost.
      return_plan: return (value, plan), the plan of shape (n, m).
    """
    regularisation = validate.positive("regularisation", regularisation)
    iterations = validate.count("iterations", iterations)
    tolerance = validate.non_negative("tolerance", tolerance)
    if debiased and not isinstance(cost, str):
        raise ValueError("debiased needs a named cost, 'euclidean' or 'sqeuclidean'; got a matrix")
    x, y = _pair(x, y)

    def solve(x, y):
        return _sinkhorn(_cost(cost, x, y), regularisation, tf.constant(iterations), tolerance)

    value, plan = solve(x, y)
    if debiased:
        value -= (solve(x, x)[0] + solve(y, y)[0]) / 2
    return (value, plan) if return_plan else value


def energy_distance(x, y, unbiased=False):
    """Return ``2 E|x-y| - E|x-x'| - E|y-y'|`` of the samples.

    ``unbiased`` leaves out the pairs of a point with itself: a U-statistic, which is right on
    average and can be negative, and needs two points of each. Without it the value is that of the
    two empirical distributions: never negative, biased upward. Szekely and Rizzo 2013.
    """
    x, y = _pair(x, y)
    within = [_mean_of_pairs(z, kernels.distances(z, z), unbiased, n) for n, z in _named(x, y)]
    value = 2 * tf.reduce_mean(kernels.distances(x, y)) - within[0] - within[1]
    return value if unbiased else tf.maximum(value, 0)


def mmd2(x, y, kernel=None, unbiased=True, return_stderr=False):
    """Return the squared maximum mean discrepancy ``E k(x,x') + E k(y,y') - 2 E k(x,y)``.

    Args:
      x, y: (n, d) and (m, d).
      kernel: a callable giving the Gram matrix (n, m); None is an RBF at the median distance.
      unbiased: the U-statistic, which can be negative; else the V-statistic, biased upward by the
        kernel's diagonal. Gretton et al. 2012, "A kernel two-sample test", lemma 6.
      return_stderr: return (value, standard error), also right where P = Q.
    """
    x, y = _pair(x, y)
    kernel = kernel or kernels.rbf(kernels.median_heuristic(x, y))
    if not callable(kernel):
        raise ValueError(f"kernel must be a callable k(x, y) or None; got {kernel!r}")
    k_xx, k_yy, k_xy = kernel(x, x), kernel(y, y), kernel(x, y)
    within = _mean_of_pairs(x, k_xx, unbiased, "x") + _mean_of_pairs(y, k_yy, unbiased, "y")
    value = within - 2 * tf.reduce_mean(k_xy)
    return (value, _mmd2_stderr(k_xx, k_yy, k_xy)) if return_stderr else value


def _mmd2_stderr(k_xx, k_yy, k_xy):
    """Return the U-statistic's standard error, of Hoeffding's first and second order.

    At P = Q the first-order variances are 0 and only the second-order ones remain: each is
    subtracted from the row means' variance, to which it contributes.
    """
    n, m = (tf.cast(s, k_xy.dtype) for s in tf.unstack(tf.shape(k_xy)))
    k_xx, k_yy = _without_diagonal(k_xx), _without_diagonal(k_yy)
    second_xx, second_yy, second_xy = (_interaction(k) for k in (k_xx, k_yy, k_xy))
    first_x = tf.math.reduce_variance(tf.reduce_mean(k_xx, 1) - tf.reduce_mean(k_xy, 1))
    first_y = tf.math.reduce_variance(tf.reduce_mean(k_yy, 1) - tf.reduce_mean(k_xy, 0))
    first_x = tf.maximum(first_x - second_xx / n - second_xy / m, 0)
    first_y = tf.maximum(first_y - second_yy / m - second_xy / n, 0)
    second = 2 * second_xx / n**2 + 2 * second_yy / m**2 + 4 * second_xy / (n * m)
    return tf.sqrt(4 * first_x / n + 4 * first_y / m + second)


def _without_diagonal(gram):
    """Put the mean of each row's other entries on the diagonal."""
    n = tf.cast(tf.shape(gram)[0], gram.dtype)
    rows = tf.reduce_sum(gram, 1) - tf.linalg.diag_part(gram)
    return tf.linalg.set_diag(gram, rows / tf.maximum(n - 1, 1))


def _interaction(gram):
    """Return the mean square of a Gram matrix less its row and column means."""
    centred = gram - tf.reduce_mean(gram, 0) - tf.reduce_mean(gram, 1, keepdims=True)
    return tf.reduce_mean((centred + tf.reduce_mean(gram)) ** 2)


def _mean_of_pairs(z, gram, unbiased, name):
    diagonal = tf.linalg.diag_part(gram)
    if not unbiased:
        return tf.reduce_mean(gram)
    if z.shape[0] == 1:
        raise ValueError(f"{name} must hold at least 2 points for the unbiased estimate; got 1")
    count = tf.cast(tf.shape(z)[0], gram.dtype)
    return (tf.reduce_sum(gram) - tf.reduce_sum(diagonal)) / (count * (count - 1))


def _sinkhorn(matrix, regularisation, iterations, tolerance):
    """Return the dual value, with the gradient of the plan held fixed, and the plan."""
    scaled = tf.stop_gradient(matrix) / regularisation
    f, g = _potentials(scaled, iterations, tf.cast(tolerance, matrix.dtype))
    pairs = tf.cast(tf.size(matrix), matrix.dtype)
    plan = tf.stop_gradient(tf.exp(f[:, None] + g - scaled) / pairs)
    moved = tf.reduce_sum(plan * matrix)
    dual = regularisation * (tf.reduce_mean(f) + tf.reduce_mean(g))
    return dual + moved - tf.stop_gradient(moved), plan


@tf.function(reduce_retracing=True, autograph=False)
def _potentials(scaled, iterations, tolerance):
    """Return the dual potentials for a cost in units of the regularisation."""
    n, m = (tf.math.log(tf.cast(s, scaled.dtype)) for s in tf.unstack(tf.shape(scaled)))

    def update_g(f):
        return n - tf.reduce_logsumexp(f[:, None] - scaled, 0)

    def step(f, g, _):
        new = m - tf.reduce_logsumexp(g - scaled, 1)
        return new, update_g(new), tf.reduce_mean(tf.abs(tf.math.expm1(f - new)))

    f = tf.zeros_like(scaled[:, 0])
    start = f, update_g(f), tf.constant(np.inf, scaled.dtype)
    f, g, _ = tf.while_loop(
        lambda f, g, error: error > tolerance, step, start, maximum_iterations=iterations
    )
    return tf.stop_gradient(f), tf.stop_gradient(g)


def _plan(a, b, matrix):
    """Return POT's exact plan. POT would import every array library it finds: keep them out."""
    for backend in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{backend}", "1")
    import ot

    return np.asarray(ot.emd(a, b, matrix, numItermax=1_000_000), np.float64)


def _cost(cost, x, y):
    if isinstance(cost, str):
        validate.choice("cost", cost, _COSTS)
        form = kernels.distances if cost == "euclidean" else kernels.squared_distances
        return form(x, y)
    cost = tf.cast(validate.samples("cost", cost), x.dtype)
    if tuple(cost.shape) != (x.shape[0], y.shape[0]):
        raise ValueError(
            f"cost must be one of {', '.join(_COSTS)} or a matrix of shape "
            f"{(x.shape[0], y.shape[0])}; got shape {tuple(cost.shape)}"
        )
    return cost


def _weights(name, weights, x):
    """Return weights (n,) in float64 that sum to 1."""
    if weights is None:
        n = tf.shape(x)[0]
        return tf.ones([n], tf.float64) / tf.cast(n, tf.float64)
    weights = tf.cast(validate.samples(name, weights), tf.float64)
    if tuple(weights.shape) != (x.shape[0], 1):
        raise ValueError(f"{name} must have shape ({x.shape[0]},); got {tuple(weights.shape[:1])}")
    weights, total = weights[:, 0], tf.reduce_sum(weights)
    if tf.executing_eagerly() and (tf.reduce_min(weights) < 0 or total <= 0):
        raise ValueError(f"{name} must be non-negative with a sum above 0; got {weights.numpy()}")
    return weights / total


def _pair(x, y):
    x, y = validate.samples("x", x), validate.samples("y", y)
    validate.same_dimension("x", x, "y", y)
    dtype = tf.float64 if tf.float64 in (x.dtype, y.dtype) else tf.float32
    return tf.cast(x, dtype), tf.cast(y, dtype)


def _named(x, y):
    return (("x", x), ("y", y))


def _sorted_numpy(x, y, order):
    """Return W_p by NumPy's sort, the fastest there is here; None unless the sizes are equal."""
    x, y = np.asarray(x), np.asarray(y)
    floats = (np.float32, np.float64)
    if x.shape != y.shape or x.size == 0 or x.dtype not in floats or y.dtype not in floats:
        return None
    if x.ndim > 2 or x.size != len(x):
        return None
    gaps = np.abs(np.sort(x.ravel()) - np.sort(y.ravel()))
    mean = gaps.mean() if order == 1 else (gaps**order).mean()
    if not np.isfinite(mean):  # NaN and infinity, found for free; the checks will name them
        return None
    return tf.constant(mean ** (1 / order) if order != 1 else mean)


def _ordered(values, weights):
    """Return the values in order, and the CDF after each of them, in float64."""
    order = tf.argsort(tf.stop_gradient(values))
    levels = tf.cumsum(tf.gather(weights, order))
    return tf.gather(values, order), levels


def _step(values, levels, u):
    """Return the quantile function at u."""
    index = tf.searchsorted(levels, tf.stop_gradient(u))
    return tf.gather(values, tf.minimum(index, tf.shape(values)[0] - 1))
