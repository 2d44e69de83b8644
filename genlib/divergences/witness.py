"""Witnesses: the best critic of five divergences between two densities on the line.

Each divergence is ``sup E_P f - E_Q f`` over a class of functions; the witness is an f that reaches
it, up to a constant, and 0 where P = Q. The densities ``p``, ``q`` and f are values, (n,), at close
points ``x``, (n,): integrals are by the trapezoid rule. ValueError if the points do not increase, a
density is negative, or its mass on the points is not within 0.001 of 1.
"""

import numpy as np

from genlib import validate
from genlib.divergences import kernels

_NOTHING = 1e-12  # a gap between two CDFs, or a divergence, that rounding may have made


def total_variation(x, p, q):
    """Return the witness of ``1/2 int |p-q|`` among f with ``|f| <= 1/2``: it takes sides."""
    x, p, q = _densities(x, p, q)
    return np.sign(p - q) / 2


def wasserstein(x, p, q):
    """Return W1's witness, ``|f'| <= 1``, of slope ``-sign(F - G)``; Villani 2009, remark 6.5."""
    x, p, q = _densities(x, p, q)
    gap = _integral(x, p - q)
    return -_integral(x, np.where(np.abs(gap) > _NOTHING, np.sign(gap), 0))


def mmd(x, p, q, kernel=None):
    """Return the witness of the MMD among f of RKHS norm at most 1: the gap of the embeddings.

    ``kernel`` gives the Gram matrix; None is ``kernels.rbf(1.0)``. Gretton et al. 2012, sec. 2.3.
    """
    x, p, q = _densities(x, p, q)
    kernel = kernel or kernels.rbf(1.0)
    masses = _widths(x) * (p - q)
    gap = np.asarray(kernel(x[:, None], x[:, None])) @ masses
    return _divide(gap, masses @ gap)


def cramer(x, p, q):
    """Return the witness of ``(int (F-G)^2)^(1/2)`` among f with ``int f'^2 <= 1``.

    The Cramer distance's root; the slope of f is ``-(F-G)``, scaled. Bellemare et al. 2017, sec. 4.
    """
    x, p, q = _densities(x, p, q)
    gap = _integral(x, p - q)
    return _divide(-_integral(x, gap), _widths(x) @ gap**2)


def fisher(x, p, q):
    """Return the witness of the Fisher IPM among f with ``1/2 E_P f^2 + 1/2 E_Q f^2 <= 1``.

    It is proportional to ``(p-q)/(p+q)`` and reaches ``(2 int (p-q)^2 / (p+q))^(1/2)``, at most 2.
    The class depends on P and Q. Mroueh and Sercu 2017, "Fisher GAN", theorem 1.
    """
    x, p, q = _densities(x, p, q)
    share = np.divide(p - q, p + q, out=np.zeros_like(p), where=p + q > 0)
    return _divide(2 * share, 2 * _widths(x) @ (share * (p - q)))


def gap(f, x, p, q):
    """Return ``E_P f - E_Q f``; ``f`` holds the critic's values at x, shape (n,) or (k, n)."""
    x, p, q = _densities(x, p, q)
    f = np.asarray(validate.finite("f", f), float)
    if f.shape[-1:] != x.shape:
        raise ValueError(f"f must have shape ({len(x)},) or (k, {len(x)}); got {f.shape}")
    return f @ (_widths(x) * (p - q))


def _densities(x, p, q):
    """Check the points and both densities, and return them as float64 arrays."""
    named = zip("xpq", (x, p, q), strict=True)
    x, p, q = (np.asarray(validate.finite(name, value), float) for name, value in named)
    if x.ndim != 1 or len(x) < 3 or (np.diff(x) <= 0).any():
        raise ValueError(f"x must hold 3 or more increasing numbers, shape (n,); got {x.shape}")
    for name, density in (("p", p), ("q", q)):
        if density.shape != x.shape or (density < 0).any():
            raise ValueError(
                f"{name} must hold a density at each x, shape {x.shape}, 0 or more; got shape "
                f"{density.shape} with least value {density.min(initial=np.inf):.3g}"
            )
        mass = _widths(x) @ density
        if abs(mass - 1) > 1e-3:
            raise ValueError(f"{name} must have mass 1 on the points x; got {mass:.4g}")
    return x, p, q


def _widths(x):
    """Return the weights of the trapezoid rule."""
    steps = np.diff(x)
    return (np.r_[steps, 0] + np.r_[0, steps]) / 2


def _integral(x, y):
    """Return the integral of y from x[0] to each x."""
    return np.r_[0, np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))]


def _divide(f, square):
    """Return f over the root of a squared divergence, or 0 where that is 0."""
    return f / np.sqrt(square) if square > _NOTHING**2 else np.zeros_like(f)
