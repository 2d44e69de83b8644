"""Distances that see how far apart mass lies: wasserstein, cramer, energy, mmd."""

import tensorflow as tf

from genlib.divergences import forms, gaussian, kernels, line, routes, samples

_BATCH = 500  # points of each side in one exact transport problem


def wasserstein(p, q, order=1, *, method="auto", n=10_000, seed=None, return_stderr=False):
    """Wasserstein distance W_p, ``(min over couplings of E |x-y|^p)^(1/p)``.

    Closed form for Gaussians (order 2 in any d, order 1 in 1-D) and for atoms; in 1-D by
    ``int |F-G|`` or, for other orders, ``int |F^-1-G^-1|^p du``; else by Monte Carlo: exact
    transport between batches of 500 samples, n in all. That plug-in value is biased upward, the
    more so the larger d, and its standard error does not include the bias.

    ``order`` is a number of at least 1. Other arguments, result and errors as in `kl`.
    """
    order = routes.wasserstein_order(order)
    p, q, dtype = forms.pair(p, q)

    def exact():
        if forms.is_discrete(p) and forms.is_discrete(q):
            return _transport(forms.atoms(p), forms.atoms(q), order)
        a, b = forms.gaussian(p), forms.gaussian(q)
        if a and b and order == 2:
            return gaussian.wasserstein2(*a, *b)
        if a and b and order == 1 and p.event_shape.rank == 0:
            return gaussian.wasserstein1(*a, *b)
        return None

    def quadrature():
        if not routes.on_line(p, q):
            return None
        if order == 1:
            return line.integrate_absolute(lambda x: line.cdf_gap(p, q, x), p, q)
        total = line.integrate_quantiles(lambda x, y: tf.abs(x - y) ** order, p, q)
        return routes.power_root(total, order)

    def monte_carlo(n, seed):
        size = min(n // 2, _BATCH)
        values = []
        for one in tf.unstack(tf.random.split(seed, n // size)):
            x, y = (routes.draw(d, size, s)[0] for d, s in zip((p, q), _two(one), strict=True))
            equal = tf.fill([size], tf.constant(1 / size, tf.float64))
            values.append(_transport((x, equal), (y, equal), order))
        return routes.mean_and_stderr(tf.stack(values))

    exact_routes = {"closed_form": exact, "quadrature": quadrature}
    return routes.evaluate(p, q, dtype, exact_routes, monte_carlo,
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
    p, q, dtype = forms.pair(p, q)

    def exact():
        if forms.is_discrete(p) and forms.is_discrete(q):
            return _quadratic_form(forms.atoms(p), forms.atoms(q), kernels.negative_distance)
        a, b = forms.gaussian_mixture(p), forms.gaussian_mixture(q)
        return gaussian.energy(a, b) if a and b and p.event_shape.rank == 0 else None

    def quadrature():
        if not routes.on_line(p, q):
            return None
        return line.integrate(lambda x: 2 * line.cdf_gap(p, q, x) ** 2, p, q)

    def monte_carlo(n, seed):
        (x, a), (x2, a2), (y, b), (y2, b2) = _four(p, q, n, seed)

        def length(z):
            return kernels.safe_sqrt(tf.reduce_sum(z**2, -1))

        across = a * b * length(x - y) + a2 * b2 * length(x2 - y2)
        return routes.mean_and_stderr(across - a * a2 * length(x - x2) - b * b2 * length(y - y2))

    exact_routes = {"closed_form": exact, "quadrature": quadrature}
    return routes.evaluate(p, q, dtype, exact_routes, monte_carlo,
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
    p, q, dtype = forms.pair(p, q)
    finish = tf.identity if squared else kernels.safe_sqrt

    def exact():
        if forms.is_discrete(p) and forms.is_discrete(q):
            return finish(_quadratic_form(forms.atoms(p), forms.atoms(q), kernel))
        a, b = forms.gaussian_mixture(p), forms.gaussian_mixture(q)
        if a and b and isinstance(kernel, kernels.rbf):
            return finish(gaussian.mmd_squared(a, b, kernel.bandwidths))
        return None

    def quadrature():
        if not routes.on_line(p, q):
            return None
        x, weights = line.nodes(p, q, per_panel=8)
        values, masses = [x[:, None]], [tf.zeros_like(x)]
        for dist, sign in ((p, 1.0), (q, -1.0)):  # the signed measure P - Q: a density and atoms
            if forms.is_discrete(dist):
                points, probs = forms.atoms(dist)
                values.append(points)
                masses.append(sign * probs)
            else:
                masses[0] += sign * weights * tf.exp(line.log_density(dist, x))
        return finish(_self_energy(tf.concat(values, 0), tf.concat(masses, 0), kernel))

    def monte_carlo(n, seed):
        blocks, size = n // 100, 100
        pairs = _two_samples(p, q, blocks * size, seed)
        drawn = [tf.reshape(t, [blocks, size, -1]) for pair in pairs for t in pair]

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

        estimate = routes.mean_and_stderr(every_block())
        return estimate if squared else routes.root(*estimate)

    exact_routes = {"closed_form": exact, "quadrature": quadrature}
    return routes.evaluate(p, q, dtype, exact_routes, monte_carlo,
                           method=method, n=n, seed=seed, return_stderr=return_stderr)  # fmt: skip


def _transport(a, b, order):
    """Return W_p between weighted points (values (k, d), weights (k,))."""
    if a[0].shape[-1] == 1:
        return samples.wasserstein_1d(a[0], b[0], order, a[1], b[1])
    cost = kernels.distances(a[0], b[0]) ** order
    return routes.power_root(samples.emd(a[0], b[0], cost, a[1], b[1]), order)


def _quadratic_form(a, b, kernel):
    """Return ``sum_ij h_i h_j k(z_i, z_j)``, h the signed measure P - Q on both sets of atoms."""
    return _self_energy(tf.concat([a[0], b[0]], 0), tf.concat([a[1], -b[1]], 0), kernel)


def _self_energy(points, masses, kernel):
    return tf.reduce_sum(masses * tf.linalg.matvec(kernel(points, points), masses))


def _two(seed):
    return tf.unstack(tf.random.split(seed))


def _two_samples(p, q, n, seed):
    return [routes.draw(d, n, s) for d, s in zip((p, q), _two(seed), strict=True)]


def _four(p, q, n, seed):
    return [routes.draw(d, n, s) for d, s in
            zip((p, p, q, q), tf.unstack(tf.random.split(seed, 4)), strict=True)]  # fmt: skip
