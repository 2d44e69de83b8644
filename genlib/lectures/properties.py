"""Measured properties of divergences: what each of them does, found by exact sums and by search.

A divergence here is a function ``d(x, p, q)`` of points ``x``, shape (k,), increasing, and of
probabilities at them, shapes (..., k); it returns shape (...). P is the data, Q the model. Each
measure takes such a function and returns one number; `PROPERTIES` says which numbers mean yes.
Most look for a counterexample among random distributions: a search can refute, it cannot prove.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from genlib.divergences import kernels

# Divergences of distributions on points of the line, for many pairs at once.


def kl(x, p, q):
    """Return ``sum p log(p/q)``; infinite where q = 0 < p."""
    both = (p > 0) & (q > 0)
    terms = p * np.log(np.where(both, p, 1) / np.where(both, q, 1))
    return np.where((p > 0) & (q == 0), np.inf, terms).sum(-1)


def js(x, p, q):
    """Return the Jensen-Shannon divergence, at most log 2."""
    return (kl(x, p, (p + q) / 2) + kl(x, q, (p + q) / 2)) / 2


def chi2(x, p, q):
    """Return Pearson's ``sum (p-q)^2 / q``; infinite where q = 0 < p."""
    terms = (p - q) ** 2 / np.where(q > 0, q, 1)
    return np.where((p > 0) & (q == 0), np.inf, terms).sum(-1)


def wasserstein(x, p, q, order=1):
    """Return W_p, p = ``order``: each level of F goes to the same level of G."""
    above, below = np.cumsum(p, -1), np.cumsum(q, -1)
    levels = np.sort(np.concatenate([above, below], -1))
    widths = np.diff(levels, prepend=0)
    middles = (levels - widths / 2)[..., None]
    start, end = ((middles > c[..., None, :-1]).sum(-1) for c in (above, below))
    return (widths * np.abs(x[start] - x[end]) ** order).sum(-1) ** (1 / order)


def energy(x, p, q):
    """Return the energy distance ``2 int (F-G)^2``, twice the Cramer distance."""
    return 2 * (np.cumsum(p - q, -1)[..., :-1] ** 2 @ np.diff(x))


def mmd2(x, p, q, kernel=None):
    """Return the squared MMD; the kernel is ``kernels.rbf(1.0)`` unless another is given."""
    gram = np.asarray((kernel or kernels.rbf(1.0))(x[:, None], x[:, None]))
    return np.maximum((((p - q) @ gram) * (p - q)).sum(-1), 0)


def root(divergence):
    """Return the divergence whose values are the square roots of the given one's."""
    return lambda x, p, q: np.sqrt(np.maximum(divergence(x, p, q), 0))


DIVERGENCES = {
    "KL": kl,
    "reverse KL": lambda x, p, q: kl(x, q, p),
    "JSD": js,
    "√JSD": root(js),
    "TV": lambda x, p, q: np.abs(p - q).sum(-1) / 2,
    "Hellinger": root(lambda x, p, q: ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1) / 2),
    "χ²": chi2,
    "W1": wasserstein,
    "W2": lambda x, p, q: wasserstein(x, p, q, 2),
    "energy": energy,
    "√energy": root(energy),
    "MMD²": mmd2,
    "MMD² width 5": lambda x, p, q: mmd2(x, p, q, kernels.rbf(5.0)),
    "MMD² rational": lambda x, p, q: mmd2(x, p, q, kernels.rational_quadratic()),
    "MMD": root(mmd2),
}


# Measures. Random distributions have all probabilities above 0, so that each value is finite.

_POINTS = np.array([0, 0.5, 1.5, 3.5, 4])


def asymmetry(divergence) -> float:
    """Return the largest of ``|d(P,Q) - d(Q,P)| / d(P,Q)`` among 300 random pairs."""
    p, q = _random(300, 2)
    forward = divergence(_POINTS, p, q)
    return float(np.max(np.abs(forward - divergence(_POINTS, q, p)) / forward))


def detour(divergence) -> float:
    """Return the largest of ``d(P,Q) / (d(P,M) + d(M,Q))``: above 1 the detour by M is shorter.

    M is another random distribution, or a mixture of P and Q; 1,200 triples in all.
    """
    p, q, m = _random(300, 3)
    ways = [m, *(t * p + (1 - t) * q for t in (0.25, 0.5, 0.75))]
    direct = divergence(_POINTS, p, q)
    legs = [divergence(_POINTS, p, m) + divergence(_POINTS, m, q) for m in ways]
    return float(np.max(direct / legs))


def value_apart(divergence, shift=1.5) -> float:
    """Return d for two blocks of width 1, one shifted: they are disjoint from 1 on."""
    return float(_blocks(divergence, shift))


def value_far(divergence) -> float:
    """Return d for two blocks of width 1, a thousand widths apart."""
    return value_apart(divergence, 1000)


def slope_apart(divergence, shift=1.5) -> float:
    """Return how much of d a hundredth of a width saves, per width; NaN where d is infinite."""
    here, nearer = _blocks(divergence, shift), _blocks(divergence, shift - 0.01)
    return float((here - nearer) / 0.01) if np.isfinite(here) else math.nan


def slope_far(divergence) -> float:
    """Return that slope where the blocks are 10 widths apart."""
    return slope_apart(divergence, 10)


def geometry(divergence) -> float:
    """Return the largest change of d, as a share, when P and Q are shuffled alike over x."""
    p, q = _random(300, 2)
    before, rng = divergence(_POINTS, p, q), np.random.default_rng(1)
    orders = [rng.permutation(len(_POINTS)) for _ in range(10)]
    return float(max(np.max(np.abs(divergence(_POINTS, p[:, o], q[:, o]) / before - 1))
                     for o in orders))  # fmt: skip


def sum_growth(divergence) -> float:
    """Return the largest of ``d(A+X, A+Y) / d(X, Y)``, A independent of both (300 triples).

    At most 1 is what Bellemare et al. 2017 call sum invariant.
    """
    x, y, a = _random(300, 3)
    k = len(_POINTS)
    points = np.arange(2 * k - 1) / 2

    def plus_a(z):
        total = np.zeros((len(z), 2 * k - 1))
        for shift in range(k):
            total[:, shift : shift + k] += a[:, shift, None] * z
        return total

    return float(np.max(divergence(points, plus_a(x), plus_a(y)) / divergence(points[:k], x, y)))


def scale_exponent(divergence) -> float:
    """Return the least b with ``d(cX, cY) = c^b d(X, Y)``, for c = 1/2 and 2, near and far.

    Scale sensitive of order b (Bellemare et al. 2017) is ``d(cX, cY) <= c^b d(X, Y)``, b > 0. A
    divergence without one exponent for all pairs shows here its least.
    """
    p, q = _random(300, 2)
    exponents = [
        np.log(divergence(c * width * _POINTS, p, q) / divergence(width * _POINTS, p, q))
        / np.log(c)
        for c, width in itertools.product((0.5, 2.0), (0.3, 1.0, 3.0))
    ]
    return float(np.min(exponents))


def gradient_bias(divergence, m=3, cases=30) -> float:
    """Return how far the expected sample gradient lies from the true one, as a share of it.

    The model Q is a softmax over three points. The sample gradient is that of ``d(P_m, Q)`` with
    P_m the frequencies of m draws from P; its expectation is an exact sum over all outcomes.
    Infinite where some outcome gives no finite gradient. Root mean square over random cases.
    """
    x, rng = np.array([0, 1, 2.5]), np.random.default_rng(2)
    counts = [c for c in itertools.product(range(m + 1), repeat=3) if sum(c) == m]
    outcomes = np.array(counts) / m
    errors, sizes = [], []
    for p, logits in zip(rng.dirichlet([2] * 3, cases), rng.normal(size=(cases, 3)), strict=True):
        draws = [math.prod(p**c) * _arrangements(c) for c in counts]
        gradients = _gradient(divergence, x, np.vstack([outcomes, p]), logits)  # (outcomes + 1, 3)
        if not np.isfinite(gradients).all():
            return math.inf
        errors.append(draws @ gradients[:-1] - gradients[-1])
        sizes.append(gradients[-1])
    return float(np.linalg.norm(errors) / np.linalg.norm(sizes))


class Property(NamedTuple):
    """A name for a column, what is measured, and which numbers mean yes."""

    says: str
    measure: Callable
    holds: Callable[[float], bool]


def _zero(value):
    return abs(value) < 1e-6


PROPERTIES = {
    "symmetric": Property("D(P, Q) = D(Q, P)", asymmetry, _zero),
    "triangle": Property("no detour is shorter", detour, lambda v: v < 1 + 1e-9),
    "finite": Property("finite on disjoint supports", value_apart, math.isfinite),
    "bounded": Property("bounded", value_far, lambda v: v < 3),
    "pull near": Property("a slope when just apart", slope_apart, lambda v: v > 1e-6),
    "pull far": Property("a slope when far apart", slope_far, lambda v: v > 1e-6),
    "geometry": Property("sees near and far", geometry, lambda v: v > 1e-6),
    "sum": Property("adding noise never raises it", sum_growth, lambda v: v < 1 + 1e-9),
    "scale": Property("grows with the scale of x", scale_exponent, lambda v: v > 1e-6),
    "unbiased": Property("unbiased sample gradients", gradient_bias, _zero),
}


def table(divergences=None) -> dict[str, dict[str, float]]:
    """Return every property's number for each divergence: ``{"KL": {"symmetric": 1.7, ...}}``.

    ``divergences`` maps names to functions; None is `DIVERGENCES`.
    """
    return {
        name: {key: found.measure(divergence) for key, found in PROPERTIES.items()}
        for name, divergence in (divergences or DIVERGENCES).items()
    }


def _random(count, each):
    """Return ``each`` arrays of distributions over `_POINTS`, flat ones and peaked."""
    rng = np.random.default_rng(0)
    sharpness = rng.choice([0.3, 1.0, 5.0], size=(each, count, 1))
    weights = rng.gamma(np.broadcast_to(sharpness, (each, count, len(_POINTS)))) + 1e-3
    return weights / weights.sum(-1, keepdims=True)


def _blocks(divergence, shift, cells=100):
    """Return d of a block of equal atoms on [0, 1) and the same block shifted by whole cells."""
    start = np.arange(cells)
    moved = start + round(shift * cells)
    points = np.union1d(start, moved)
    return divergence(points / cells, *(np.isin(points, z) / cells for z in (start, moved)))


def _gradient(divergence, x, p, logits, step=1e-5):
    """Return d's gradient in the logits of Q, for each row of p, by central differences."""

    def at(logits):
        weights = np.exp(logits - logits.max())
        return divergence(x, p, np.broadcast_to(weights / weights.sum(), p.shape))

    with np.errstate(invalid="ignore"):  # infinity less infinity is the NaN that is looked for
        return np.stack([(at(logits + e) - at(logits - e)) / (2 * step)
                         for e in step * np.eye(len(logits))], -1)  # fmt: skip


def _arrangements(counts):
    return math.factorial(sum(counts)) / math.prod(map(math.factorial, counts))
