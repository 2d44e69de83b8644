"""Two measures on one grid of the line: Gauss-Legendre panels, and atoms at their edges.

On a grid both measures are masses: a density has its quadrature weight added in the log, so that
nothing underflows. Integrals are sums over them, and distribution functions are running sums.
Panels are refined where a mass or an integrand is not yet resolved, and masses must add up to 1.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.polynomial import chebyshev, legendre

from genlib.divergences._measure import (
    LOG_ZERO,
    integers_between,
    quantiles,
    safe_log,
    where,
)

_POINTS = 16  # in a panel
_UNIT, _WEIGHTS = legendre.leggauss(_POINTS)
# The Legendre coefficients of an integrand on a panel, from its values times the weights.
_COEFFICIENTS = legendre.legvander(_UNIT, _POINTS - 1).T * (np.arange(_POINTS)[:, None] + 0.5)
_TAIL = _COEFFICIENTS[-2:].T  # the last two: small where the panel is resolved
# Its integral from the panel's start: as a Chebyshev series, which is cheap to evaluate, for each
# point's share; that series' slope; and its values at the points.
_RISING = np.stack([chebyshev.chebinterpolate(legendre.Legendre(c).integ(lbnd=-1), _POINTS)
                    for c in _COEFFICIENTS.T])  # fmt: skip
_SLOPE = np.stack([np.pad(chebyshev.chebder(c), (0, 1)) for c in _RISING])
_PARTIAL = chebyshev.chebval(_UNIT, _RISING.T)
_GROWTH = 0.5 * 4.0 ** np.arange(21)  # tail panels, in widths
_SHRINK = 4.0 ** -np.arange(14)  # panels towards a finite end of a support
_STRIDES = np.exp(20.0 * np.arange(1, 36))  # from there on, in logarithmic panels
_DEPTHS = np.concatenate([[0.0], 4.0 ** np.arange(0.5, 10.5)])  # e-folds within a strip
_RESOLVED = 1e-7  # a share of the integral
_NOISE = 1e-13  # too small an integral to resolve
_ROUNDS, _PANELS = 14, 6000  # of refinement, and at most
_MASS = 2e-4  # how far from 1 a mass may be: TFP's Horseshoe is an approximation
_REMOTE = 1e120  # in widths: an integral with a share out there diverges
_STEEP = 8  # e-folds that a density may fall in a panel where its tails have to be precise
LEAST = -650  # the log of the least mass that sums up without underflow


class Grid(NamedTuple):
    """Points of the line and the log-masses that P and Q have there."""

    edges: tf.Tensor  # (panels + 1,)
    x: tf.Tensor  # (panels, points)
    log_p: tf.Tensor
    log_q: tf.Tensor
    atoms: tf.Tensor  # (atoms,), increasing
    atoms_p: tf.Tensor
    atoms_q: tf.Tensor
    remote: tf.Tensor  # (panels, points)
    remote_atoms: tf.Tensor
    widths: tf.Tensor  # (panels, points): the quadrature's weights
    log: tf.Tensor  # (panels,): spaced in log|x|
    shift: tf.Tensor  # (panels + 1,): 0, and the gradient of the edges that move

    def moved(self, x, panel):
        """Return points x (n,) of panels (n,) with the gradient of their panels' edges."""
        a, b, shift_a, shift_b = (
            tf.gather(t, panel + i) for t in (self.edges, self.shift) for i in (0, 1)
        )
        return x + shift_a + (x - a) * (shift_b - shift_a) / tf.where(b > a, b - a, 1)

    def masses(self):
        """Return the log-masses of P and of Q, panels and atoms in one, each (n,)."""
        return (tf.concat([tf.reshape(self.log_p, [-1]), self.atoms_p], 0),
                tf.concat([tf.reshape(self.log_q, [-1]), self.atoms_q], 0))  # fmt: skip

    def points(self):
        """Return the points x (n,), in the order of `masses`."""
        return tf.concat([tf.reshape(self.x, [-1]), self.atoms], 0)


class Line:
    """Two scalar measures, and where to integrate over them."""

    def __init__(self, p, q):
        self.p, self.q = p, q
        self.listed = common_atoms(p, q)
        ends = [_live(leaf) for m in (p, q) for leaf in m.continuous]
        empty = tf.zeros([0], tf.float64)
        joined = [tf.concat([empty, *t], 0) for t in zip(*ends, strict=True)] or [empty] * 5
        edges, lows, highs, widths, middles = joined
        inner = tf.concat([middles, tf.reshape(self.listed[0], [-1])], 0)
        edges = tf.concat([edges, inner], 0)
        self.low, self.high = tf.reduce_min(edges), tf.reduce_max(edges)
        self.width = tf.reduce_min(tf.concat([widths, [1e300]], 0))
        bounded = any(leaf.ends for m in (p, q) for leaf in m.continuous)
        self.strips = [(_distinct(lows), 1), (_distinct(highs), -1)] if bounded else []
        self.reach = tf.maximum(tf.maximum(self.high, -self.low), self.high - self.low)
        self.span = tf.reduce_max(tf.concat([widths, [0.0]], 0)) + tf.reduce_max(tf.abs(inner))
        self.has_atoms = bounded or bool(p.discrete or q.discrete)
        self.from_zero = tf.reduce_any([tf.reduce_any(e == 0) for e, _ in self.strips] or [False])
        self.start = tf.stop_gradient(tf.sort(self._far(edges)))

    def _far(self, edges):
        """Add what all panels share: the way to infinity, to the supports' ends, and to 0."""
        outwards = tf.minimum(self.reach * np.r_[1, _STRIDES], 1e300)
        edges = [edges, outwards, -outwards]
        for end, side in self.strips:
            edges += [end, end + side * self._strip_width(end)]
        if self.strips:
            least = tf.reduce_min(where(edges[0] == 0, math.inf, tf.abs(edges[0])))
            inwards = tf.maximum(least / tf.where(self.from_zero, _STRIDES, 1), 1e-290)
            edges += [inwards, -inwards]
        return tf.concat(edges, 0)

    def _strip_width(self, end):
        """Return the distance from a support's end below which x cannot be told from it."""
        apart = tf.minimum(tf.abs(end) * 2.0**-26, self.width * 2.0**-20)
        return tf.stop_gradient(where(end == 0, 1e-290, apart))

    def grid(self, edges, points=_POINTS):
        """Return the `Grid` over sorted edges."""
        x, log_w, log, shift = self._nodes(edges, points)
        flat = tf.reshape(x, [-1])
        log_p, log_q = (tf.maximum(tf.reshape(m.log_density(flat), tf.shape(x)) + log_w, LOG_ZERO)
                        for m in (self.p, self.q))  # fmt: skip
        strips = [self._strip(*strip) for strip in self.strips]
        atoms, atoms_p, atoms_q, depth = (
            tf.concat([tf.reshape(t, [-1]) for t in ts], 0)
            for ts in zip((*self.listed, tf.zeros_like(self.listed[1])), *strips, strict=True)
        )
        order = tf.argsort(tf.stop_gradient(atoms), stable=True)
        atoms, atoms_p, atoms_q, depth = (
            tf.gather(t, order) for t in (atoms, atoms_p, atoms_q, depth)
        )
        centre, span = (self.low + self.high) / 2, self.high - self.low
        remote = tf.abs(x - centre) > _REMOTE * tf.minimum(span, 1e170)
        return Grid(
            edges,
            x,
            log_p,
            log_q,
            atoms,
            atoms_p,
            atoms_q,
            remote,
            depth > 2.0**16,
            tf.exp(log_w),
            log,
            shift,
        )

    def _nodes(self, edges, points):
        """Return the panels' points and log-weights; a panel far from 0 is logarithmic."""
        unit, weights = legendre.leggauss(points)
        a, b = edges[:-1, None], edges[1:, None]
        log = self._logarithmic(a, b)
        x = _place(a, b, unit, log)
        w = tf.where(log, tf.abs(x * _bend(a, b, log)), (b - a) / 2) * weights
        # Edges stand still under differentiation but for those at the ends of a support, which
        # carry the gradient of a moving boundary: points between two edges move along, on both
        # sides, for what the other density loses on one side it gains on the other.
        shift = tf.zeros_like(edges)
        for end, side in self.strips:
            still = tf.stop_gradient(end)
            inner = still + side * self._strip_width(end)
            hit = tf.cast((edges[:, None] == inner) | (edges[:, None] == still), tf.float64)
            shift += tf.linalg.matvec(hit, end - tf.stop_gradient(end))
            inside = (inner - (a + b) / 2) * side
            within = tf.reduce_any((inside > 0) & (inside < self._strip_width(end)), 1)
            w = where(within[:, None], 0, w)
        ratio = (shift[1:, None] - shift[:-1, None]) / tf.where(b > a, b - a, 1)
        return x + shift[:-1, None] + (x - a) * ratio, safe_log(w) + ratio, log[:, 0], shift

    def _logarithmic(self, a, b):
        """Return which panels are spaced in log|x|: far out, and on the way to an end at 0."""
        near, far = tf.minimum(tf.abs(a), tf.abs(b)), tf.maximum(tf.abs(a), tf.abs(b))
        wide = (tf.sign(a) * tf.sign(b) > 0) & (far > 4 * near)
        return wide & ((near >= self.reach) | self.from_zero)

    def _strip(self, end, side):
        """Return points next to a support's ends, their log-masses, and e-folds of depth.

        Closer to an end than x can tell, a density is continued as a power of the distance, or as
        an exponential of one where its slope grows.
        """
        depth, weights = _depths()
        width = self._strip_width(end)
        x = end[:, None] + side * width[:, None] * tf.exp(-depth)
        log_w = tf.math.log(width)[:, None] - depth + tf.math.log(weights)
        (log_p, p_grows), (log_q, q_grows) = (
            _continued(m, end, side, width, depth) for m in (self.p, self.q)
        )
        depth = tf.where(p_grows | q_grows, 1024 * depth, depth + tf.zeros_like(x))
        return x, log_p + log_w, log_q + log_w, depth

    def refined(self, *integrands, edges=None, deep=False):
        """Return a `Grid` that resolves both masses and each integrand: a function of a Grid.

        ``deep`` keeps all masses in the tails precise relative to themselves, down to `LEAST`.
        """

        def split(edges, grid):
            bad = False
            for parts in (tf.exp(grid.log_p), tf.exp(grid.log_q), *(f(grid) for f in integrands)):
                tail = tf.reduce_max(tf.abs(tf.linalg.matmul(parts, _TAIL)), 1)
                bad |= tail > _RESOLVED * tf.reduce_sum(tf.abs(parts)) + _NOISE
            for log_mass in (grid.log_p, grid.log_q) if deep else ():
                top = tf.reduce_max(log_mass, 1)
                bad |= (top > LEAST) & (top - tf.reduce_min(log_mass, 1) > _STEEP)
            a, b = tf.boolean_mask(edges[:-1], bad), tf.boolean_mask(edges[1:], bad)
            middle = _place(a, b, tf.zeros_like(a), self._logarithmic(a, b))
            return tf.stop_gradient(tf.sort(tf.concat([edges, middle], 0)))

        edges = self.start if edges is None else edges
        if tf.executing_eagerly():
            grid = self.grid(edges)
            for _ in range(_ROUNDS):
                finer = split(edges, grid)
                if len(finer) == len(edges) or len(finer) > _PANELS:
                    break
                edges, grid = finer, self.grid(finer)
        else:
            edges, _ = tf.while_loop(
                lambda edges, size: (tf.size(edges) > size) & (tf.size(edges) < _PANELS),
                lambda edges, _: (split(edges, self.grid(edges)), tf.size(edges)),
                (edges, 0),
                shape_invariants=(tf.TensorShape([None]), tf.TensorShape([])),
                maximum_iterations=_ROUNDS,
            )
            grid = self.grid(tf.stop_gradient(edges))
        for measure, log_mass in zip((self.p, self.q), grid.masses(), strict=True):
            check_mass(measure, tf.reduce_sum(tf.exp(log_mass)))
        return grid

    def split_at_turns(self, values, rounds=2):
        """Return a refined grid, edges where ``values(grid)``, (panels, points), change sign."""
        grid = self.refined()
        for _ in range(rounds):
            x, f = (tf.reshape(tf.stop_gradient(t), [-1]) for t in (grid.x, values(grid)))
            turns = (f[:-1] * f[1:] < 0) & (x[1:] > x[:-1])
            x0, x1, f0, f1 = (tf.boolean_mask(t, turns) for t in (x[:-1], x[1:], f[:-1], f[1:]))
            breaks = x0 + (x1 - x0) * (f0 / (f0 - f1))
            grid = self.grid(tf.stop_gradient(tf.sort(tf.concat([grid.edges, breaks], 0))))
        return grid


def total(grid, parts, atom_parts=None, bounded=False):
    """Return the sum of an integral's parts, infinity where it does not converge."""
    atom_parts = tf.zeros_like(grid.atoms) if atom_parts is None else atom_parts
    value = tf.reduce_sum(parts) + tf.reduce_sum(atom_parts)
    if bounded:
        return value
    far = tf.reduce_sum(tf.where(grid.remote, parts, 0))
    far += tf.reduce_sum(tf.where(grid.remote_atoms, atom_parts, 0))
    return where(far > 0.01 * value + 1e-12, math.inf, value)


class Running(NamedTuple):
    """A measure's running sums over a grid, from both sides: each tail keeps its digits."""

    left: tf.Tensor  # (panels,): what lies below a panel
    right: tf.Tensor  # above it
    parts: tf.Tensor  # (panels, points): what lies in it
    atoms: tuple  # what lies below each atom, and in it

    def at_points(self):
        """Return what lies below, and what lies above each point, (panels, points) each."""
        partial = self.parts @ _PARTIAL
        rest = tf.reduce_sum(self.parts, 1, keepdims=True) - partial
        below, above = self.left[:, None] + partial, self.right[:, None] + rest
        return below, above

    def levels(self):
        """Return what lies below and above each panel's start, and then each panel's end."""
        inside = tf.reduce_sum(self.parts, 1)
        return (tf.concat([self.left, self.left + inside], 0),
                tf.concat([self.right + inside, self.right], 0))  # fmt: skip

    def inverse(self, grid, below, above):
        """Return the x (n,) that have so much mass below and above: the quantiles.

        The gradient is that of the implicit function ``F(x; theta) = u``.
        """
        inside = tf.reduce_sum(self.parts, 1)
        below, above = tf.maximum(below, 0), tf.maximum(above, 0)  # rounding may go below 0
        lower, last = below <= above, tf.size(self.left) - 1
        from_left = tf.searchsorted(self.left, below, "right") - 1
        from_right = last - tf.searchsorted(tf.reverse(self.right, [0]), above, "right") + 1
        panel = tf.stop_gradient(tf.clip_by_value(tf.where(lower, from_left, from_right), 0, last))
        parts, all_of_it = tf.gather(self.parts, panel), tf.gather(inside, panel)
        target = tf.where(
            lower,
            below - tf.gather(self.left, panel),
            all_of_it - (above - tf.gather(self.right, panel)),
        )
        beyond = target >= all_of_it  # there an atom stands at the panel's end
        target = tf.clip_by_value(target, 0, all_of_it)
        knots = tf.concat([tf.zeros_like(target)[:, None], parts @ _PARTIAL, all_of_it[:, None]], 1)
        steps = tf.constant(np.concatenate([[-1], _UNIT, [1]]))
        index = tf.reduce_sum(tf.cast(knots[:, 1:-1] < target[:, None], tf.int32), 1)
        low, high = tf.gather(steps, index), tf.gather(steps, index + 1)
        start, end = (tf.gather(knots, index + i, batch_dims=1) for i in (0, 1))
        z = low + (high - low) * (target - start) / tf.where(end > start, end - start, 1)
        z = tf.stop_gradient(tf.clip_by_value(z, low, high))
        rising, slopes = parts @ _RISING, tf.stop_gradient(parts @ _SLOPE)
        for _ in range(4):  # Newton's steps, the last of them with the gradient
            waves = tf.cos(tf.acos(z)[:, None] * np.arange(_POINTS + 1.0))
            slope = tf.reduce_sum(slopes * waves, 1)
            gap = tf.reduce_sum(rising * waves, 1) - target
            step = tf.where(slope > 0, gap / tf.where(slope > 0, slope, 1), 0)
            moved = tf.clip_by_value(tf.stop_gradient(z - step), low, high)
            start, z = z, moved
        z = tf.stop_gradient(z) - (step - tf.stop_gradient(step))
        z = where(beyond, 1, z)
        a, b, log = (tf.gather(t, panel) for t in (grid.edges[:-1], grid.edges[1:], grid.log))
        return grid.moved(_place(a, b, z, log), panel)


def running(grid, parts, atom_parts):
    """Return the `Running` sums of masses at a grid's points and atoms."""
    none, inside = tf.zeros([1], tf.float64), tf.reduce_sum(parts, 1)
    before = tf.concat([none, tf.cumsum(atom_parts)], 0)
    after = tf.concat([tf.cumsum(atom_parts, reverse=True), none], 0)
    at, edges = tf.stop_gradient(grid.atoms), tf.stop_gradient(grid.edges)
    passed = tf.searchsorted(edges[1:], at, "right")  # panels below each atom
    left = tf.gather(before, tf.searchsorted(at, edges[:-1], "right"))
    right = tf.gather(after, tf.searchsorted(at, edges[1:], "left"))
    return Running(
        left + tf.cumsum(inside, exclusive=True),
        right + tf.cumsum(inside, exclusive=True, reverse=True),
        parts,
        (before[:-1] + tf.gather(tf.concat([none, tf.cumsum(inside)], 0), passed), atom_parts),
    )


def cells(grid, own, other, points=8):
    """Return the levels within one measure's atoms, cut where the other has panels or atoms.

    Each of ``points`` levels in such a cell: the atom's x, the level u, and the mass, (n,) each.
    """
    start, mass = own.atoms
    cuts = tf.sort(tf.concat([start, start + mass, *other.levels()[:1]], 0))
    low, high = cuts[:-1], cuts[1:]
    middle = (low + high) / 2
    index = tf.maximum(tf.searchsorted(start, middle, "right") - 1, 0)
    first = tf.gather(start, index)
    wide = high - low > 1e-15 * high  # a narrower cell is two roundings of one level
    inside = (middle > first) & (middle < first + tf.gather(mass, index)) & wide
    low, high, index = (tf.boolean_mask(t, inside)[:, None] for t in (low, high, index))
    unit, weights = legendre.leggauss(points)
    u, width = (low + high) / 2 + (high - low) / 2 * unit, (high - low) / 2 * weights
    x = tf.gather(grid.atoms, index) + tf.zeros_like(u)
    return tuple(tf.reshape(t, [-1]) for t in (x, u, width))


def cdf_gap(grid):
    """Return ``F - G`` at the panels' points, summed from the nearer side of the line."""
    p, q = ((tf.exp(a), tf.exp(b)) for a, b in zip(grid[2:4], grid[5:7], strict=True))
    below, above = running(grid, p[0] - q[0], p[1] - q[1]).at_points()
    both = running(grid, p[0] + q[0], p[1] + q[1]).at_points()
    return tf.where(both[0] < both[1], below, -above)


def common_atoms(p, q):
    """Return the union of both measures' atoms, values (k,) or (k, d), and two log-masses (k,)."""
    integers = None
    reaches = [m.reach for m in (p, q) if m.reach]
    if reaches:
        lows, highs = (tf.stack(t) for t in zip(*reaches, strict=True))
        titles = " and ".join(m.title for m in (p, q) if m.reach)
        integers = integers_between(tf.reduce_min(lows), tf.reduce_max(highs), titles)
    (x, log_p), (y, log_q) = (m.atoms(integers) for m in (p, q))
    values = tf.concat([x, y], 0)
    if values.shape[0] == 0:
        return values[:, 0], log_p, log_q
    if values.shape[1] == 1:
        points, index = tf.unique(values[:, 0])
    else:
        points, index = tf.raw_ops.UniqueV2(x=values, axis=[0])
    # A value listed by hand keeps its gradient.
    count, split = tf.shape(points)[0], tf.shape(x)[0]
    first = tf.math.unsorted_segment_min(tf.range(tf.size(index)), index, count)
    points = tf.gather(values, first)
    points = points[:, 0] if values.shape[1] == 1 else points
    return points, _gathered(log_p, index[:split], count), _gathered(log_q, index[split:], count)


def _continued(measure, end, side, width, depth):
    """Return a log-density ``depth`` e-folds closer to an end, and whether its slope grows."""
    at = end[:, None] + side * width[:, None] * tf.constant(np.exp([0.0, 1.0, 2.0]))
    values = tf.reshape(measure.log_density(tf.reshape(at, [-1])), [-1, 3])
    first, slope = values[:, :1], values[:, 1:2] - values[:, :1]
    before = values[:, 2:] - values[:, 1:2]
    rate = tf.stop_gradient(tf.math.log(tf.maximum(slope / tf.where(before > 0, before, 1), 1)))
    grows = (rate > 0.4) & (slope > 1) & (before > 0)
    rate = tf.where(grows, rate, 1)
    rise = tf.math.expm1(tf.minimum(rate * depth, 700)) / -tf.math.expm1(-rate)
    log_density = first - slope * tf.where(grows, rise, depth)
    return tf.where(first > LOG_ZERO / 2, tf.maximum(log_density, LOG_ZERO), LOG_ZERO), grows


def check_mass(measure, mass):
    """Refuse a measure whose atoms and density do not add up to 1."""
    message = (
        f"{measure.title} must have mass 1, where its support, its density and its atoms say; "
        "method='monte_carlo' needs samples and a density alone"
    )
    if tf.executing_eagerly():
        if not abs(float(mass) - 1) < _MASS:
            raise ValueError(f"{message}: got {float(mass):.6g}")
    else:
        tf.debugging.assert_less(tf.abs(mass - 1), tf.constant(_MASS, mass.dtype), message)


def _gathered(log_mass, index, count):
    """Return the log-mass at each of ``count`` points, to some of which several entries belong."""
    top = tf.math.unsorted_segment_max(tf.stop_gradient(log_mass), index, count)
    top = tf.maximum(top, LOG_ZERO)
    share = tf.math.unsorted_segment_sum(tf.exp(log_mass - tf.gather(top, index)), index, count)
    return tf.maximum(top + safe_log(share), LOG_ZERO)


def _live(leaf):
    """Return a leaf's panel edges, finite lower and upper ends, widths and medians: vectors."""
    inner = quantiles(leaf.dist)
    width = inner[16] - inner[8]  # near the quartiles
    width = tf.where(width > 0, width, 1)
    edges = [inner[0] - width * _GROWTH[:, None], inner, inner[-1] + width * _GROWTH[:, None]]
    if not leaf.ends:
        return (
            tf.reshape(tf.concat(edges, 0), [-1]),
            *[tf.zeros([0], tf.float64)] * 2,
            width,
            inner[12],
        )
    low, high = (tf.reshape(end, [-1]) for end in leaf.ends)
    for end, first, side in ((low, inner[0], 1), (high, inner[-1], -1)):
        finite = tf.stop_gradient(tf.where(tf.math.is_finite(end), end, first))
        gap = tf.where(side * (first - finite) > 0, first - finite, side * width)
        edges.append(finite + gap * _SHRINK[:, None])
    edges = tf.clip_by_value(tf.concat(edges, 0), tf.stop_gradient(low), tf.stop_gradient(high))
    lows, highs = (tf.boolean_mask(end, tf.math.is_finite(end)) for end in (low, high))
    return tf.reshape(tf.stop_gradient(edges), [-1]), lows, highs, width, inner[12]


def _bend(a, b, log):
    """Return half of ``log(b/a)`` in logarithmic panels, else 0."""
    a, b = (tf.math.log(tf.where(log, tf.abs(end), 1)) for end in (a, b))
    return (b - a) / 2


def _place(a, b, z, log):
    """Return x at z in [-1, 1] along the panels from a to b."""
    curved = tf.where(log, a, 1) * tf.exp(_bend(a, b, log) * (1 + z))
    return tf.where(log, curved, (a + b) / 2 + (b - a) / 2 * z)


def _distinct(ends):
    """Return the different ones among the ends, with their gradient."""
    points, index = tf.unique(tf.stop_gradient(ends))
    return tf.math.unsorted_segment_max(ends, index, tf.size(points))


def _depths():
    a, b = _DEPTHS[:-1, None], _DEPTHS[1:, None]
    return ((a + b) / 2 + (b - a) / 2 * _UNIT).ravel(), ((b - a) / 2 * _WEIGHTS).ravel()
