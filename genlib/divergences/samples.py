"""Divergences between samples ``x`` (n, d) and ``y`` (m, d); a 1-D array is read as d = 1.

All are differentiable in the samples when given tensors. float32 and half precision give float32,
all else float64. ValueError for what is empty, not finite and real, masked or of another dimension.
"""

import os

import numpy as np
import tensorflow as tf

from genlib import memory, validate
from genlib.divergences import costs, kernels
from genlib.divergences._shared import stateless_seed, wasserstein_order
from genlib.divergences.roots import power_mean

_SCALINGS = 20  # Sinkhorn's updates by scaling for each one in the log domain


def wasserstein_1d(x, y, order=1, x_weights=None, y_weights=None):
    """Return the exact W_p in 1-D: ``(int_0^1 |F^-1 - G^-1|^p du)^(1/p)``, p = ``order`` >= 1.

    Weights are (n,) and (m,), non-negative; they are normalised, and uniform if None.
    """
    order = wasserstein_order(order)
    constant = not tf.is_tensor(x) and not tf.is_tensor(y)
    x, y = validate.pair(x, y)
    if x.shape[1] != 1:
        raise ValueError(f"x must have d = 1; got shape {tuple(x.shape)} (see emd for d > 1)")
    if x_weights is None and y_weights is None:
        sort = np.sort if constant else tf.sort  # NumPy's is the fastest, and has no gradient
        return _sorted_distance(sort(x, axis=0), sort(y, axis=0), order)
    x, levels_x = _ordered(x[:, 0], _weights("x_weights", x_weights, x))
    y, levels_y = _ordered(y[:, 0], _weights("y_weights", y_weights, y))
    levels = tf.sort(tf.concat([levels_x, levels_y], 0))
    widths = levels - tf.concat([tf.zeros_like(levels[:1]), levels[:-1]], 0)
    middles = levels - widths / 2
    gaps = tf.abs(_step(x, levels_x, middles) - _step(y, levels_y, middles))
    # A step that rounding alone has made must not count: a high order would see nothing else.
    rounding = np.finfo(np.float64).eps * tf.cast(tf.size(levels) if order > 1 else 0, tf.float64)
    return power_mean(gaps, order, tf.cast(tf.where(widths > rounding, widths, 0), gaps.dtype))


def emd(x, y, cost="euclidean", x_weights=None, y_weights=None, return_plan=False):
    """Return the least cost of moving x onto y, exactly, by POT's network simplex.

    With "euclidean" that is W1, with "sqeuclidean" W2 squared. The gradient holds the plan fixed
    (the envelope theorem), and so exists almost everywhere; weights get none.

    Args:
      cost: "euclidean", "sqeuclidean", "kl" (positive data), a matrix (n, m) or a callable giving
        one, such as `costs.bregman`.
      x_weights, y_weights: (n,), (m,), non-negative; uniform if None. They are normalised.
      return_plan: return (value, plan), the plan of shape (n, m).
    """
    x, y = validate.pair(x, y)
    a, b = _weights("x_weights", x_weights, x), _weights("y_weights", y_weights, y)
    matrix = _cost(cost, x, y)
    plan = tf.numpy_function(_plan, [a, b, matrix], tf.float64, stateful=False)
    plan = tf.stop_gradient(tf.ensure_shape(plan, matrix.shape))
    value = tf.cast(tf.tensordot(plan, matrix, 2), x.dtype)
    return (value, tf.cast(plan, x.dtype)) if return_plan else value


def sliced_wasserstein(x, y, order=1, projections=100, seed=None):
    """Return ``(mean over directions of W_p^p of the projections)^(1/p)``, at most W_p.

    Directions are uniform on the sphere: repeatable for an int ``seed``, fresh for None. In d = 1
    it is W_p. Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures".
    """
    order, projections = wasserstein_order(order), validate.count("projections", projections)
    x, y = validate.pair(x, y)
    shape = [x.shape[1], projections]
    directions = tf.random.stateless_normal(shape, stateless_seed(seed), dtype=x.dtype)
    directions = tf.cast(directions / tf.norm(directions, axis=0, keepdims=True), tf.float64)
    projected = (tf.sort(tf.cast(z, tf.float64) @ directions, axis=0) for z in (x, y))
    return tf.cast(_sorted_distance(*projected, order), x.dtype)


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

    Samples are weighted uniformly. The dual's value tends to the exact cost for small
    ``regularisation``, above 0 in units of the cost, to the mean cost for large; stopped early it
    is a lower bound. Its gradient holds the plan fixed. Cuturi 2013, "Sinkhorn distances".

    Args:
      cost, return_plan: as in `emd`.
      iterations: at most so many updates of both potentials, rounded up to rounds of 21.
      tolerance: stop when the plan's row sums are wrong by less than this in total.
      debiased: subtract half the costs of x to x and of y to y, so that x = y gives 0 (the Sinkhorn
        divergence; Feydy et al. 2019). Not for a cost that is a matrix.
    """
    regularisation = validate.positive("regularisation", regularisation)
    iterations = validate.count("iterations", iterations)
    tolerance = validate.non_negative("tolerance", tolerance)
    if debiased and not (isinstance(cost, str) or callable(cost)):
        raise ValueError("debiased needs a named cost or a callable; got a matrix")
    x, y = validate.pair(x, y)

    def solve(x, y):
        # The plan is the exponential of costs over the regularisation: float32 has seven digits.
        steps = tf.constant(iterations)
        solved = _sinkhorn(_cost(cost, x, y), regularisation, steps, tolerance)
        return tuple(tf.cast(t, x.dtype) for t in solved)

    value, plan = solve(x, y)
    if debiased:
        value -= (solve(x, x)[0] + solve(y, y)[0]) / 2
    return (value, plan) if return_plan else value


def energy_distance(x, y, unbiased=False):
    """Return ``2 E|x-y| - E|x-x'| - E|y-y'|`` of the samples.

    ``unbiased`` leaves out the pairs of a point with itself: a U-statistic, which can be negative,
    and needs two points of each. Else it is never negative, biased upward. Szekely and Rizzo 2013.
    """
    x, y = validate.pair(x, y)
    far_x, far_y = tf.cast(x, tf.float64), tf.cast(y, tf.float64)
    value = tf.cast(mmd2(far_x, far_y, kernels.negative_distance, unbiased), x.dtype)
    return value if unbiased else tf.maximum(value, 0)


def mmd2(x, y, kernel=None, unbiased=True, return_stderr=False):
    """Return the squared maximum mean discrepancy ``E k(x,x') + E k(y,y') - 2 E k(x,y)``.

    Large Gram matrices are made a block of rows at a time, for the gradient too, so that memory
    grows with n + m. (In blocks the gradient reaches x and y, and no parameter of the kernel.)

    Args:
      kernel: a callable giving the Gram matrix (n, m); None is an RBF at the median distance.
      unbiased: the U-statistic, which can be negative; else the V-statistic, biased upward by the
        kernel's diagonal. Gretton et al. 2012, "A kernel two-sample test", lemma 6.
      return_stderr: return (value, standard error), also right where P = Q.
    """
    x, y = validate.pair(x, y)
    kernel = kernels.rbf(kernels.median_heuristic(x, y)) if kernel is None else kernel
    for name, z in (("x", x), ("y", y)):
        if unbiased and z.shape[0] == 1:
            raise ValueError(f"{name} must hold at least 2 points for the unbiased estimate; got 1")
    xx, yy = (_gram_rows(kernel, z, z, True, return_stderr) for z in (x, y))
    xy = _gram_rows(kernel, x, y, False, return_stderr)
    n, m = (tf.cast(tf.shape(z)[0], x.dtype) for z in (x, y))
    within = _within(xx, n, unbiased) + _within(yy, m, unbiased)
    value = within - 2 * tf.reduce_sum(xy[:, 0]) / n / m
    if not return_stderr:
        return value
    return value, _mmd2_stderr(xx, yy, xy, _gram_rows(kernel, y, x, False, True))


def _gram_rows(kernel, x, y, within, squares):
    """Return (n, 3): each row's sum in ``kernel(x, y)``, that of squares, and its own entry.

    ``within`` a sample that is the diagonal's, left out of both sums. Large ones go in blocks.
    """

    def block(part, y, index):
        gram = kernels.gram(kernel, part, y)
        own = tf.gather(gram, index, axis=1, batch_dims=1) if within else tf.zeros_like(gram[:, 0])
        square = tf.reduce_sum(gram**2, 1) - own**2 if squares else tf.zeros_like(own)
        return tf.stack([tf.reduce_sum(gram, 1) - own, square, own], 1)

    n, m = x.shape[0], y.shape[0]
    slices = [] if None in (n, m) else memory.slices(n, m)
    if len(slices) < 2:
        return block(x, y, tf.range(tf.shape(x)[0]))
    count, size = len(slices), slices[0].stop
    index = tf.reshape(tf.minimum(tf.range(count * size), n - 1), [count, size])
    block = tf.recompute_grad(block)  # else the gradient would keep every block
    made = tf.map_fn(
        lambda index: block(tf.gather(x, index), y, index),
        index,
        fn_output_signature=x.dtype,
        parallel_iterations=1,
    )
    return tf.reshape(made, [-1, 3])[:n]


def _within(rows, n, unbiased):
    """Return the mean of k over the pairs of one sample, those of a point with itself or not."""
    if unbiased:
        return tf.reduce_sum(rows[:, 0]) / (n * (n - 1))
    return tf.reduce_sum(rows[:, 0] + rows[:, 2]) / n**2


def _mmd2_stderr(xx, yy, xy, yx):
    """Return the U-statistic's standard error, of Hoeffding's first and second order.

    At P = Q only the second order remains; what it adds to the row means' variance is taken off.
    """
    n, m = (tf.cast(tf.shape(rows)[0], tf.float64) for rows in (xx, yy))
    (sums_xx, squares_xx), (sums_yy, squares_yy), (sums_xy, squares_xy), (sums_yx, _) = (
        tf.unstack(tf.cast(rows[:, :2], tf.float64), axis=1) for rows in (xx, yy, xy, yx)
    )
    mean_xx, mean_yy = sums_xx / tf.maximum(n - 1, 1), sums_yy / tf.maximum(m - 1, 1)
    mean_xy, mean_yx = sums_xy / m, sums_yx / n
    second_xx = _interaction(tf.reduce_sum(squares_xx + mean_xx**2) / n**2, mean_xx, mean_xx)
    second_yy = _interaction(tf.reduce_sum(squares_yy + mean_yy**2) / m**2, mean_yy, mean_yy)
    second_xy = _interaction(tf.reduce_sum(squares_xy) / (n * m), mean_xy, mean_yx)
    first_x = tf.math.reduce_variance(mean_xx - mean_xy) - second_xx / n - second_xy / m
    first_y = tf.math.reduce_variance(mean_yy - mean_yx) - second_yy / m - second_xy / n
    first = 4 * tf.maximum(first_x, 0) / n + 4 * tf.maximum(first_y, 0) / m
    second = 2 * second_xx / n**2 + 2 * second_yy / m**2 + 4 * second_xy / (n * m)
    return tf.cast(tf.sqrt(first + second), xy.dtype)


def _interaction(mean_square, row_means, column_means):
    """Return a Gram matrix's mean square less its means (a sample's diagonal holds row means)."""
    means = tf.reduce_mean(row_means**2) + tf.reduce_mean(column_means**2)
    return tf.maximum(mean_square - means + tf.reduce_mean(row_means) ** 2, 0)


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
    """Return the dual potentials for a cost in units of the regularisation.

    The regularisation begins ``heat`` times as large and halves round by round. A round's first
    update is in the log domain; the others scale that plan's rows and columns, with no exponential,
    and count unless they overflow. Schmitzer 2019, "Stabilized sparse scaling algorithms".
    """
    n, m = (tf.cast(s, scaled.dtype) for s in tf.unstack(tf.shape(scaled)))

    def one_round(f, g, error, heat):
        cost, f, g = scaled / heat, f / heat, g / heat
        log_f = tf.math.log(m) - tf.reduce_logsumexp(g - cost, 1)
        error = tf.reduce_mean(tf.abs(tf.math.expm1(f - log_f)))
        log_g = tf.math.log(n) - tf.reduce_logsumexp(log_f[:, None] - cost, 0)
        plan = tf.exp(log_f[:, None] + log_g - cost)  # times n m; its columns sum to n
        rows, columns = tf.ones_like(f), tf.ones_like(g)
        for _ in range(_SCALINGS):
            rows = m / tf.linalg.matvec(plan, columns)
            columns = n / tf.linalg.matvec(plan, rows, transpose_a=True)
        f, g = log_f + tf.math.log(rows), log_g + tf.math.log(columns)
        finite = tf.reduce_all(tf.math.is_finite(f)) & tf.reduce_all(tf.math.is_finite(g))
        f, g = tf.where(finite, f, log_f), tf.where(finite, g, log_g)
        error = tf.where(heat > 1, tf.constant(np.inf, error.dtype), error)
        return f * heat, g * heat, error, tf.maximum(heat / 2, 1)

    heat = tf.maximum(tf.reduce_max(tf.abs(scaled)) / 20, 1)
    start = tf.zeros_like(scaled[:, 0]), tf.zeros_like(scaled[0]), tf.constant(np.inf, heat.dtype)
    rounds = -(-iterations // (1 + _SCALINGS))
    heat = tf.minimum(heat, 2 ** tf.cast(rounds // 2, heat.dtype))  # half of them at the end's
    start = (*start, heat)
    f, g, *_ = tf.while_loop(
        lambda f, g, error, heat: error > tolerance, one_round, start, maximum_iterations=rounds
    )
    return tf.stop_gradient(f), tf.stop_gradient(g)


def _plan(a, b, matrix):
    """Return POT's exact plan. POT would import every array library it finds: keep them out."""
    for backend in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{backend}", "1")
    import ot

    return np.asarray(ot.emd(np.asarray(a), np.asarray(b), matrix, numItermax=1_000_000))


def _cost(cost, x, y):
    """Return the costs (n, m) in float64, which holds squares that float32 does not."""
    if isinstance(cost, str):
        validate.choice("cost", cost, costs.COSTS)
        if cost == "kl":
            validate.all_positive("x", x)
            validate.all_positive("y", y)
        return costs.COSTS[cost](tf.cast(x, tf.float64), tf.cast(y, tf.float64))
    cost = tf.cast(validate.samples("cost", cost(x, y) if callable(cost) else cost), tf.float64)
    if tuple(cost.shape) != (x.shape[0], y.shape[0]):
        raise ValueError(
            f"cost must be one of {', '.join(costs.COSTS)}, or a matrix of shape "
            f"{(x.shape[0], y.shape[0])} or a callable giving one; got shape {tuple(cost.shape)}"
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


def _sorted_distance(x, y, order):
    """Return W_p of the sorted columns of ``x`` (n, k) and ``y`` (m, k): W_p^p is a mean over k."""
    n, m = x.shape[0], y.shape[0]
    if n == m and n is not None:
        gaps, shares = abs(x - y), np.ones((1, 1)) / n
    else:
        if None in (n, m):
            sizes = [tf.shape(z, tf.int64)[0] for z in (x, y)]
            i, j, shares = tf.numpy_function(_steps, sizes, (tf.int64, tf.int64, tf.float64))
        else:
            i, j, shares = _steps(n, m)
        take = np.take if isinstance(x, np.ndarray) else tf.gather
        gaps, shares = abs(take(x, i, axis=0) - take(y, j, axis=0)), shares[:, None]
    return power_mean(gaps, order, tf.cast(shares / x.shape[1], gaps.dtype))


def _steps(n, m):
    """Return two quantile functions' common steps: both indices and the length, (n + m,) each."""
    ends = np.concatenate([m * np.arange(1, 1 + n), n * np.arange(1, 1 + m)])
    ends.sort(kind="stable")  # two runs in order: a merge
    return (ends - 1) // m, (ends - 1) // n, np.diff(ends, prepend=0) / ends[-1]


def _ordered(values, weights):
    """Return the values in order, and the CDF after each of them, in float64."""
    order = tf.argsort(tf.stop_gradient(values))
    levels = tf.cumsum(tf.gather(weights, order))
    return tf.gather(values, order), levels


def _step(values, levels, u):
    """Return the quantile function at u."""
    index = tf.searchsorted(levels, tf.stop_gradient(u))
    return tf.gather(values, tf.minimum(index, tf.shape(values)[0] - 1))
