"""Distances that see how far apart mass lies: wasserstein, cramer, energy, mmd."""

import tensorflow as tf

from genlib.divergences import gaussian, kernels, samples
from genlib.divergences._estimate import Pair, mean_and_stderr, root
from genlib.divergences._quadrature import Grid
from genlib.divergences._shared import wasserstein_order
from genlib.divergences.roots import safe_root

_BATCH = 500  # points of each side in one exact transport problem


def wasserstein(p, q, order=1, *, method="auto", n=10_000, seed=None, return_stderr=False):
    """Wasserstein distance W_p, ``(min over couplings of E |x-y|^p)^(1/p)``, ``order`` p >= 1.

    Closed form for atoms and Gaussians (order 2, or 1 in 1-D); in 1-D by ``int |F^-1-G^-1|^p du``;
    else Monte Carlo: exact transport between batches of 500 samples, n in all, biased upward, the
    more so the larger d, which its standard error does not include. Other arguments, result and
    errors as in `kl`.
    """
    order = wasserstein_order(order)
    pair = Pair(p, q)

    def closed_form():
        if pair.listed:
            values, *log_masses = pair.atoms
            return _transport(values, values, order, *map(tf.exp, log_masses))
        parts = pair.gaussians
        if parts and order == 2:
            return gaussian.wasserstein2(*parts[0], *parts[1])
        if parts and order == 1 and pair.scalar:
            return gaussian.wasserstein1(*parts[0], *parts[1])
        return None

    def quadrature():
        if order != 1:
            return pair.line.transported(order)

        def gaps(grid):
            return tf.abs(grid.cdf_gap()) * grid.widths

        grid = pair.line.refined(gaps, turns=Grid.cdf_gap)
        return grid.total(gaps(grid))

    def monte_carlo(n, seed):
        size = min(n // 2, _BATCH)
        values = []
        for one in tf.unstack(tf.random.split(seed, n // size)):
            (x, _), (y, _) = pair.draw(size, one)
            values.append(_transport(x, y, order))
        return mean_and_stderr(tf.stack(values))

    return pair.evaluate(closed_form, quadrature, monte_carlo, method, n, seed, return_stderr)


def cramer(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Cramer distance ``int (F-G)^2``, half the energy distance; for d > 1 defined as that half.

    Arguments, result and errors as in `kl`. Bellemare et al. 2017, arXiv:1705.10743.
    """
    result = energy(p, q, method=method, n=n, seed=seed, return_stderr=return_stderr)
    return tuple(t / 2 for t in result) if return_stderr else result / 2


def energy(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Energy distance ``2 E|x-y| - E|x-x'| - E|y-y'|``; in 1-D it is ``2 int (F-G)^2``.

    Closed form for atoms and 1-D Gaussian mixtures. All else as in `kl`. Szekely and Rizzo 2013.
    """
    pair = Pair(p, q)

    def closed_form():
        if pair.listed:
            return _self_energy(*_signed(pair.atoms), kernels.negative_distance)
        parts = pair.gaussian_mixtures
        return gaussian.energy(*parts) if parts and pair.scalar else None

    def quadrature():
        grid = pair.line.refined()
        return grid.total(2 * grid.cdf_gap() ** 2 * grid.widths)

    def monte_carlo(n, seed):
        (x, a), (x2, a2), (y, b), (y2, b2) = pair.draw(n, seed, "ppqq")

        def length(z):
            return kernels.safe_sqrt(tf.reduce_sum(z**2, -1))

        across = a * b * length(x - y) + a2 * b2 * length(x2 - y2)
        return mean_and_stderr(across - a * a2 * length(x - x2) - b * b2 * length(y - y2))

    return pair.evaluate(closed_form, quadrature, monte_carlo, method, n, seed, return_stderr)


def mmd(
    p, q, kernel=None, *, squared=False, method="auto", n=20_000, seed=None, return_stderr=False
):
    """Maximum mean discrepancy ``sqrt(E k(x,x') + E k(y,y') - 2 E k(x,y))``, or its square.

    ``kernel`` is a callable giving the Gram matrix; None is ``kernels.rbf(1.0)``. Closed form for
    atoms, and for Gaussian mixtures with an RBF kernel. The Monte Carlo square, U-statistics of
    100 samples each, is unbiased and can be negative. All else as in `kl`. Gretton et al. 2012.
    """
    kernel = kernel or kernels.rbf(1.0)
    if not callable(kernel):
        raise ValueError(f"kernel must be a callable k(x, y) or None; got {kernel!r}")
    pair = Pair(p, q)

    def closed_form():
        if pair.listed:
            return _self_energy(*_signed(pair.atoms), kernel)
        parts = pair.gaussian_mixtures
        if parts and isinstance(kernel, kernels.rbf):
            return gaussian.mmd_squared(*parts, kernel.bandwidths)
        return None

    def quadrature():
        grid = pair.line.refined(points=8)
        points, *log_masses = (tf.reshape(t, [-1]) for t in (grid.x, grid.log_p, grid.log_q))
        real = tf.maximum(*log_masses) > -40
        kept = [tf.boolean_mask(t, real) for t in (points, *log_masses)]
        return _self_energy(*_signed(kept), kernel)

    def monte_carlo(n, seed):
        blocks, size = n // 100, 100
        drawn = [tf.reshape(t, [blocks, size, -1])
                 for one in pair.draw(blocks * size, seed) for t in one]  # fmt: skip

        def u_statistic(block):
            x, a, y, b = block
            off = (1 - tf.eye(size, dtype=tf.float64)) / (size * (size - 1))
            within = kernel(x, x) * a * tf.transpose(a) + kernel(y, y) * b * tf.transpose(b)
            across = kernel(x, y) * a * tf.transpose(b)
            return tf.reduce_sum(within * off) - 2 * tf.reduce_mean(across)

        @tf.function(autograph=False)  # an eager map would take a millisecond a block
        def every_block():
            return tf.map_fn(u_statistic, drawn, fn_output_signature=tf.float64)

        return mean_and_stderr(every_block())

    found = pair.evaluate(closed_form, quadrature, monte_carlo, method, n, seed, True)
    value, stderr = found if squared else root(*found)
    return (value, stderr) if return_stderr else value


def _transport(x, y, order, x_weights=None, y_weights=None):
    """Return W_p between points x (k, d) and y (l, d), weighted or not."""
    if x.shape.rank == 1 or x.shape[-1] == 1:
        return samples.wasserstein_1d(x, y, order, x_weights, y_weights)
    cost = kernels.distances(x, y) ** order
    return safe_root(samples.emd(x, y, cost, x_weights, y_weights), order)


def _signed(found):
    """Return points (k, d) and the signed masses P - Q there from points and two log-masses."""
    points, log_p, log_q = found
    return tf.reshape(points, [tf.size(log_p), -1]), tf.exp(log_p) - tf.exp(log_q)


def _self_energy(points, masses, kernel):
    """Return ``sum_ij h_i h_j k(z_i, z_j)``."""
    return tf.reduce_sum(masses * tf.linalg.matvec(kernel(points, points), masses))
