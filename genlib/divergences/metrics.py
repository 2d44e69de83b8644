"""Distances that see how far apart mass lies: wasserstein, cramer, energy, mmd."""

import math

import tensorflow as tf

from genlib.divergences import _quadrature, gaussian, kernels, samples
from genlib.divergences._estimate import Pair, mean_and_stderr, root
from genlib.divergences._measure import LOG_ZERO, safe_log, where
from genlib.divergences._quadrature import LEAST
from genlib.divergences._shared import wasserstein_order
from genlib.divergences.roots import safe_root

_BATCH = 500  # points of each side in one exact transport problem


def wasserstein(p, q, order=1, *, method="auto", n=10_000, seed=None, return_stderr=False):
    """Wasserstein distance W_p, ``(min over couplings of E |x-y|^p)^(1/p)``.

    Closed form for Gaussians (order 2 in any d, order 1 in 1-D) and for atoms; in 1-D by
    ``int |F-G|`` or, for other orders, ``int |F^-1-G^-1|^p du``; else by Monte Carlo: exact
    transport between batches of 500 samples, n in all. That plug-in value is biased upward, the
    more so the larger d, and its standard error does not include the bias.

    ``order`` is a number of at least 1. Other arguments, result and errors as in `kl`.
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
        if order == 1:
            grid = pair.line.split_at_turns(_quadrature.cdf_gap)
            parts = tf.abs(_quadrature.cdf_gap(grid)) * grid.widths
            return _quadrature.total(grid, parts)
        return _by_quantiles(pair, order)

    def monte_carlo(n, seed):
        size = min(n // 2, _BATCH)
        values = []
        for one in tf.unstack(tf.random.split(seed, n // size)):
            (x, _), (y, _) = pair.draw(size, one)
            values.append(_transport(x, y, order))
        return mean_and_stderr(tf.stack(values))

    return pair.evaluate(closed_form, quadrature, monte_carlo,
                         method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def cramer(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Cramer distance ``int (F-G)^2``, half the energy distance; for d > 1 defined as that half.

    Arguments, result and errors as in `kl`. Bellemare et al. 2017, "The Cramer distance as a
    solution to biased Wasserstein gradients".
    """
    result = energy(p, q, method=method, n=n, seed=seed, return_stderr=return_stderr)
    return tuple(t / 2 for t in result) if return_stderr else result / 2


def energy(p, q, *, method="auto", n=100_000, seed=None, return_stderr=False):
    """Energy distance ``2 E|x-y| - E|x-x'| - E|y-y'|``; in 1-D it is ``2 int (F-G)^2``.

    Closed form for 1-D Gaussians, their mixtures, and atoms. Arguments, result and errors as in
    `kl`. Szekely and Rizzo 2013, "Energy statistics".
    """
    pair = Pair(p, q)

    def closed_form():
        if pair.listed:
            return _self_energy(*_signed(pair.atoms), kernels.negative_distance)
        parts = pair.gaussian_mixtures
        return gaussian.energy(*parts) if parts and pair.scalar else None

    def quadrature():
        grid = pair.line.refined()
        return _quadrature.total(grid, 2 * _quadrature.cdf_gap(grid) ** 2 * grid.widths)

    def monte_carlo(n, seed):
        (x, a), (x2, a2), (y, b), (y2, b2) = pair.draw(n, seed, "ppqq")

        def length(z):
            return kernels.safe_sqrt(tf.reduce_sum(z**2, -1))

        across = a * b * length(x - y) + a2 * b2 * length(x2 - y2)
        return mean_and_stderr(across - a * a2 * length(x - x2) - b * b2 * length(y - y2))

    return pair.evaluate(closed_form, quadrature, monte_carlo,
                         method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def mmd(
    p, q, kernel=None, *, squared=False, method="auto", n=20_000, seed=None, return_stderr=False
):
    """Maximum mean discrepancy ``sqrt(E k(x,x') + E k(y,y') - 2 E k(x,y))``, or its square.

    ``kernel`` is a callable giving the Gram matrix; None is ``kernels.rbf(1.0)``. Closed form for
    atoms, and for Gaussians and their mixtures in any d with an RBF kernel. The Monte Carlo square
    is the mean of U-statistics over blocks of 100 samples: unbiased, can be negative. Other
    arguments, result and errors as in `kl`. Gretton et al. 2012, "A kernel two-sample test".
    """
    kernel = kernel or kernels.rbf(1.0)
    if not callable(kernel):
        raise ValueError(f"kernel must be a callable k(x, y) or None; got {kernel!r}")
    pair = Pair(p, q)
    finish = tf.identity if squared else kernels.safe_sqrt

    def closed_form():
        if pair.listed:
            return finish(_self_energy(*_signed(pair.atoms), kernel))
        parts = pair.gaussian_mixtures
        if parts and isinstance(kernel, kernels.rbf):
            return finish(gaussian.mmd_squared(*parts, kernel.bandwidths))
        return None

    def quadrature():
        grid = pair.line.grid(pair.line.refined().edges, points=8)
        points, *log_masses = grid.points(), *grid.masses()
        real = tf.maximum(*log_masses) > -40
        kept = [tf.boolean_mask(t, real) for t in (points, *log_masses)]
        return finish(_self_energy(*_signed(kept), kernel))

    def monte_carlo(n, seed):
        blocks, size = n // 100, 100
        drawn = [tf.reshape(t, [blocks, size, -1])
                 for one in pair.draw(blocks * size, seed) for t in one]  # fmt: skip

        def u_statistic(block):
            x, a, y, b = block
            off = (1 - tf.eye(size, dtype=tf.float64)) / (size * (size - 1))
            within = kernel(x, x) * off * a * tf.transpose(a) + kernel(
                y, y
            ) * off * b * tf.transpose(b)
            across = kernel(x, y) * a * tf.transpose(b)
            return tf.reduce_sum(within) - 2 * tf.reduce_mean(across)

        @tf.function(autograph=False)  # an eager map would take a millisecond a block
        def every_block():
            return tf.map_fn(u_statistic, drawn, fn_output_signature=tf.float64)

        estimate = mean_and_stderr(every_block())
        return estimate if squared else root(*estimate)

    return pair.evaluate(closed_form, quadrature, monte_carlo,
                         method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def _by_quantiles(pair, order):
    """Return ``(int_0^1 |F^-1 - G^-1|^p du)^(1/p)``; powers in the log: a high one would overflow.

    The integral runs over the mass of one measure, x = F^-1(u), if possible one without atoms;
    panels end where those of the other do.
    """
    names = "qp" if pair.p.discrete else "pq"

    def sums(grid):
        masses = ((getattr(grid, f"log_{z}"), getattr(grid, f"atoms_{z}")) for z in names)
        return [_quadrature.running(grid, *map(tf.exp, mass)) for mass in masses]

    def log_gap(grid, other, x, levels):
        partner = tf.reshape(
            other.inverse(grid, *(tf.reshape(t, [-1]) for t in levels)), tf.shape(x)
        )
        # So far out that both agree to rounding, the gap is not known, and no mass is left.
        known = tf.abs(x - partner) > 1e-6 * tf.abs(x)
        return safe_log(
            tf.where(known | (tf.abs(x) < 1e3 * pair.line.span), tf.abs(x - partner), 0)
        )

    def in_panels(grid):
        own, other = sums(grid)
        log_mass = getattr(grid, f"log_{names[0]}")
        gap = log_gap(grid, other, grid.x, own.at_points())
        return log_mass, tf.where(log_mass > LEAST, log_mass + order * gap, LOG_ZERO)

    def parts(grid):
        logs = tf.stop_gradient(in_panels(grid)[1])
        return tf.exp(logs - tf.reduce_max(logs))

    def in_atoms(grid):
        own, other = sums(grid)
        x, u, mass = _quadrature.cells(grid, own, other)
        return tf.maximum(safe_log(mass) + order * log_gap(grid, other, x, (u, 1 - u)), LOG_ZERO)

    grid = pair.line.refined(deep=True)
    own, other = sums(grid)
    edges = tf.concat([grid.edges, tf.stop_gradient(own.inverse(grid, *other.levels()))], 0)
    grid = pair.line.refined(parts, edges=tf.sort(edges), deep=True)
    log_mass, logs = in_panels(grid)
    atoms = in_atoms(grid) if pair.line.has_atoms else tf.zeros([0], tf.float64)
    top = tf.stop_gradient(tf.reduce_max(tf.concat([tf.reshape(logs, [-1]), atoms], 0)))
    value = tf.reduce_sum(tf.exp(logs - top)) + tf.reduce_sum(tf.exp(atoms - top))
    same = top < LOG_ZERO / 2  # no mass moves
    result = tf.exp((where(same, 0, top) + tf.math.log(value)) / order)
    # What the least masses share: an infinite value where they lie far out, else a lost one.
    least = tf.reduce_sum(tf.where(log_mass < LEAST + 50, tf.exp(logs - top), 0)) > 0.01 * value
    far = tf.reduce_max(tf.where(log_mass > LEAST, tf.abs(grid.x), 0)) > 1e15 * pair.line.width
    lost = where(far, math.inf, math.nan)
    return where(same, 0, tf.where(least, lost, result))


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
