"""Two measures on one grid of the line: Gauss-Legendre panels, of which an atom is one of width 0.

The line is cut at the supports' ends, at a median, and half-way between two of these. Each piece
has one such end and a coordinate y: ``x = end + side * scale * exp(side * y)``, side 1 to the right
and -1 to the left. Heavy tails and singular ends are smooth in y, and points move with the ends, so
that gradients are right. On a grid both measures are log-masses, the weights included.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.polynomial import chebyshev, legendre

from genlib.divergences._measure import LOG_ZERO, integers_between, quantiles, safe_log, where

_POINTS = 16  # in a panel
_UNIT, _WEIGHTS = legendre.leggauss(_POINTS)
# The Legendre coefficients of an integrand on a panel, from its values times the weights.
_COEFFICIENTS = legendre.legvander(_UNIT, _POINTS - 1).T * (np.arange(_POINTS)[:, None] + 0.5)
_TAIL = _COEFFICIENTS[-2:].T  # the last two: small where the panel is resolved
# Its integral from the panel's start, a Chebyshev series for each point's share, and its slope.
_RISING = np.stack([chebyshev.chebinterpolate(legendre.Legendre(c).integ(lbnd=-1), _POINTS)
                    for c in _COEFFICIENTS.T])  # fmt: skip
_SLOPE = np.stack([np.pad(chebyshev.chebder(c), (0, 1)) for c in _RISING])
_PARTIAL = chebyshev.chebval(_UNIT, _RISING.T)
_GROWTH = 0.5 * 4.0 ** np.arange(17)  # tail panels, in widths
_DEEPEST = -(2.0**21)  # the least log-distance from an end, in scales
# Panels of a piece; those outwards fall by e^16 at most, so that a gap of CDFs keeps its digits.
_BASE = np.r_[-(2.0 ** np.arange(21, -2, -1)), 0, 0.5, 1, 2, 4, 8, np.arange(16, 700, 16)]
_RESOLVED = 1e-7  # a share of the integral
_NOISE = 1e-13  # too small an integral to resolve
_ROUNDS, _PANELS = 16, 6000  # of refinement, and at most
_MASS = 2e-4  # how far from 1 a mass may be: TFP's Horseshoe is an approximation
_STEEP = 8  # e-folds that a density may fall in a panel where its tails have to be precise
_LEAST = -650.0  # the log of the least mass that sums up without underflow
_CELL, _CELL_WEIGHTS = legendre.leggauss(8)
_LADDER = np.exp(np.arange(_LEAST, -1, 5))  # levels of a distribution function


class Grid(NamedTuple):
    """Points of the line, (panels, points), and the log-masses that P and Q have there."""

    piece: tf.Tensor  # (panels,)
    start: tf.Tensor  # (panels,) in the piece's coordinate
    end: tf.Tensor  # the same as the start for an atom
    x: tf.Tensor
    widths: tf.Tensor  # the weights of ``int f(x) dx``
    log_p: tf.Tensor
    log_q: tf.Tensor
    remote: tf.Tensor  # where a convergent integral has next to nothing

    def total(self, parts):
        """Return the sum of an integral's parts, infinity where it does not converge."""
        value, far = tf.reduce_sum(parts), tf.reduce_sum(tf.where(self.remote, parts, 0))
        return where(far > 0.01 * value + 1e-12, math.inf, value)

    def cdf_gap(self):
        """Return ``F - G`` at the points, summed from the nearer side of the line."""
        p, q = tf.exp(self.log_p), tf.exp(self.log_q)
        (below, above), both = Running(p - q).at_points(), Running(p + q).at_points()
        return tf.where(both[0] < both[1], below, -above)


class Line:
    """Two scalar measures, and where to integrate over them."""

    def __init__(self, p, q):
        self.p, self.q = p, q
        self.atoms = common_atoms(p, q)
        leaves = [leaf for m in (p, q) for leaf in m.continuous]
        inner = [quantiles(leaf.dist) for leaf in leaves]  # (25, batch) each
        widths = [tf.where(t[16] > t[8], t[16] - t[8], 1) for t in inner]  # near the quartiles
        listed, wide = tf.stop_gradient(self.atoms[0]), tf.concat(widths, 0)
        middles = tf.concat([listed, *(t[12] for t in inner)], 0)
        self.width = tf.reduce_min(wide)
        self.span = tf.reduce_max(tf.abs(middles)) + tf.reduce_max(wide)
        ends = [end for leaf in leaves for end in leaf.ends or ()]
        ends = tf.concat([tf.reshape(end, [-1]) for end in (*ends, inner[0][12, 0])], 0)
        ends = _distinct(tf.boolean_mask(ends, tf.math.is_finite(ends)))
        self.borders = tf.stop_gradient(tf.sort(tf.concat([ends, (ends[1:] + ends[:-1]) / 2], 0)))
        self.pieces = self._pieces(ends)
        growth = [
            tf.concat([t[0] - w * _GROWTH[:, None], t, t[-1] + w * _GROWTH[:, None]], 0)
            for t, w in zip(inner, widths, strict=True)
        ]
        places = tf.concat([listed, *(tf.reshape(t, [-1]) for t in growth)], 0)
        piece, y = self.locate(places)
        _, side, _, top, *_ = tf.unstack(self.pieces, axis=1)
        base = tf.stop_gradient(tf.minimum(_BASE, top[:, None]) * side[:, None])
        every = tf.repeat(tf.range(tf.size(side)), len(_BASE))
        y = tf.concat([tf.reshape(base, [-1]), y], 0)
        self.start = _in_order(tf.concat([every, piece], 0), y)

    def _pieces(self, ends):
        """Return (pieces, 7): end, side, log-scale, log-distances (most, least), both powers."""
        width, count = self.width[None], tf.size(ends)
        scale = tf.concat([width, tf.repeat((ends[1:] - ends[:-1]) / 2, 2), width], 0)
        origin, side = tf.repeat(ends, 2), tf.tile(tf.constant([-1.0, 1], ends.dtype), [count])
        outer = 690 - tf.maximum(tf.math.log(width), 0)
        top = tf.concat([outer, tf.zeros_like(origin[2:]), outer], 0)
        least = tf.minimum(tf.abs(origin) * 2.0**-26, width * 2.0**-20)
        least = tf.stop_gradient(where(origin == 0, 1e-290, least))
        near = tf.reshape(origin[:, None] + (side * least)[:, None] * [1, math.e], [-1])
        powers = []
        for measure in (self.p, self.q):
            values = tf.reshape(measure.log_density(near), [-1, 2])
            known = tf.reduce_min(values, 1) > LOG_ZERO / 2
            powers.append(tf.where(known, values[:, 1] - values[:, 0], 0))
        return tf.stack([origin, side, tf.math.log(scale), top, tf.math.log(least), *powers], 1)

    def locate(self, x):
        """Return the piece of each x (n,), and its coordinate there."""
        piece = tf.searchsorted(self.borders, x, "right")
        end, side, log_scale, top, *_ = self._of(piece)
        depth = safe_log(side * (x - end)) - log_scale
        return piece, tf.stop_gradient(side * tf.clip_by_value(depth, _DEEPEST, top))

    def place(self, piece, y):
        """Return the x at a coordinate in its piece."""
        end, side, log_scale, *_ = self._of(piece)
        return end + side * tf.exp(log_scale + side * y)

    def _of(self, piece):
        return tf.unstack(tf.gather(self.pieces, piece), 7, axis=-1)

    def grid(self, edges, points=_POINTS):
        """Return the `Grid` over sorted edges: (pieces, coordinates)."""
        piece, y = edges
        real = (piece[1:] == piece[:-1]) & (y[1:] > y[:-1])
        piece, a, b = (tf.boolean_mask(t, real) for t in (piece[:-1], y[:-1], y[1:]))
        unit, weights = legendre.leggauss(points)
        end, side, log_scale, _, least, *powers = self._of(piece[:, None])
        # The log of the distance from the end, which is also that of dx/dy.
        log_d = log_scale + side * ((a + b)[:, None] + (b - a)[:, None] * unit) / 2
        log_w = log_d + tf.math.log((b - a)[:, None] / 2 * weights)
        # Closer to an end than x can tell, a density is continued as a power of the distance.
        shown = tf.reshape(end + side * tf.exp(tf.maximum(log_d, least)), [-1])
        beyond, log_masses = tf.minimum(log_d - least, 0), []
        remote = log_d > 276 + tf.math.log(tf.minimum(self.span, 1e170))
        for measure, power in zip((self.p, self.q), powers, strict=True):
            log_density = tf.reshape(measure.log_density(shown), tf.shape(log_d))
            log_masses.append(tf.maximum(log_density + power * beyond + log_w, LOG_ZERO))
            steep = tf.abs(power) > 1000  # no power at all
            remote |= log_d < tf.where(steep, 0.98 * least, least - 2.0**16)
        x, widths = end + side * tf.exp(log_d), tf.exp(log_w)
        grid = Grid(piece, a, b, x, widths, *log_masses, remote)
        if self.atoms[0].shape == [0]:
            return grid
        x, *masses = (t[:, None] + tf.zeros_like(unit) for t in self.atoms)
        masses = [tf.maximum(t + np.log(weights / 2), LOG_ZERO) for t in masses]
        piece, y = self.locate(self.atoms[0])
        grids = zip(Grid(piece, y, y, x, 0 * x, *masses, x != x), grid, strict=True)
        grid = Grid(*(tf.concat(ts, 0) for ts in grids))
        order = _order(grid.piece, grid.start)  # an atom before the panel that it begins
        return Grid(*(tf.gather(t, order) for t in grid))

    def refined(self, *integrands, turns=None, deep=False, points=_POINTS):
        """Return a `Grid` that resolves both masses and each integrand: a function of a Grid.

        ``turns``, likewise, changes sign at the integrand's kinks; ``deep`` keeps tails precise.
        """

        def finer(piece, y, _):
            grid, bad = self.grid((piece, y)), False
            for parts in (tf.exp(grid.log_p), tf.exp(grid.log_q), *(f(grid) for f in integrands)):
                tail = tf.reduce_max(tf.abs(parts @ _TAIL), 1)
                bad |= tail > _RESOLVED * tf.reduce_sum(tf.abs(parts)) + _NOISE
            for log_mass in (grid.log_p, grid.log_q) if deep else ():
                top = tf.reduce_max(log_mass, 1)
                bad |= (top > _LEAST) & (top - tf.reduce_min(log_mass, 1) > _STEEP)
            bad &= grid.end > grid.start
            at = _turn(turns(grid)) if turns else 0.0
            cuts = (grid.start + grid.end + at * (grid.end - grid.start)) / 2
            more = (tf.boolean_mask(t, bad) for t in (grid.piece, cuts))
            edges = (tf.concat(ts, 0) for ts in zip((piece, y), more, strict=True))
            return *_in_order(*edges), tf.size(piece)

        *edges, _ = tf.while_loop(
            lambda piece, y, size: (tf.size(piece) > size) & (tf.size(piece) < _PANELS),
            finer,
            (*self.start, 0),
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([])),
            maximum_iterations=_ROUNDS,
        )
        grid = self.grid([tf.stop_gradient(t) for t in edges], points)
        for measure, log_mass in ((self.p, grid.log_p), (self.q, grid.log_q)):
            check_mass(measure, tf.reduce_sum(tf.exp(log_mass)))
        return grid

    def transported(self, order):
        """Return ``(int_0^1 |F^-1 - G^-1|^p du)^(1/p)``, in the log: a high power overflows."""
        grid = self.refined(deep=True)
        p, q = Running(tf.exp(grid.log_p)), Running(tf.exp(grid.log_q))
        # Between two of these levels, of either tail, both quantile functions are smooth in log u.
        ladder = tf.constant(np.r_[_LADDER, 0.5])
        cuts = [tf.concat([*both, ladder], 0) for both in ((p.left, q.left), (p.right, q.right))]
        cuts = tf.sort(tf.clip_by_value(cuts, _LADDER[0], 0.5))
        cuts = tf.math.log(tf.stop_gradient(cuts))
        wide = cuts[:, 1:] > cuts[:, :-1]
        lower = tf.boolean_mask(tf.broadcast_to([[True], [False]], tf.shape(wide)), wide)
        a, b = (tf.boolean_mask(t, wide)[:, None] for t in (cuts[:, :-1], cuts[:, 1:]))
        log_u = tf.reshape((a + b) / 2 + (b - a) / 2 * _CELL, [-1])
        log_mass = log_u + tf.math.log(tf.reshape((b - a) / 2 * _CELL_WEIGHTS, [-1]))
        lower = tf.repeat(lower, len(_CELL))
        x, y = (measure.inverse(self, grid, tf.exp(log_u), lower) for measure in (p, q))
        # So far out that both agree to rounding, the gap is not known, and no mass is left.
        gap, size = tf.abs(x - y), tf.abs(x)
        gap = tf.where((gap > 1e-6 * size) | (size < 1e3 * self.span), gap, 0)
        logs = tf.maximum(log_mass + order * safe_log(gap), LOG_ZERO)
        top = tf.stop_gradient(tf.reduce_max(logs))
        same, parts = top < LOG_ZERO / 2, tf.exp(logs - top)  # no mass moves
        value = tf.exp((where(same, 0, top) + tf.math.log(tf.reduce_sum(parts))) / order)
        # What the least masses share: an infinite value where they lie far out, else a lost one.
        least = tf.reduce_sum(tf.where(log_u < _LEAST + 50, parts, 0)) > 0.01 * tf.reduce_sum(parts)
        lost = where(tf.reduce_max(size) > 1e15 * self.width, math.inf, math.nan)
        return where(same, 0, tf.where(least, lost, value))


class Running:
    """Running sums of masses (panels, points), from both sides: each tail keeps its digits."""

    def __init__(self, parts):
        self.parts, self.inside = parts, tf.reduce_sum(parts, 1)
        self.left = tf.cumsum(self.inside, exclusive=True)  # what lies below a panel
        self.right = tf.cumsum(self.inside, exclusive=True, reverse=True)

    def at_points(self):
        """Return what lies below, and what lies above each point, (panels, points) each."""
        partial = self.parts @ _PARTIAL
        return self.left[:, None] + partial, self.right[:, None] + self.inside[:, None] - partial

    def inverse(self, line, grid, tail, lower):
        """Return the x (n,) below (``lower``) or above which lies ``tail``; differentiable."""
        last = tf.size(self.left) - 1
        from_left = tf.searchsorted(self.left, tail, "right") - 1
        from_right = last + 1 - tf.searchsorted(tf.reverse(self.right, [0]), tail, "right")
        panel = tf.stop_gradient(tf.clip_by_value(tf.where(lower, from_left, from_right), 0, last))
        parts, inside = tf.gather(self.parts, panel), tf.gather(self.inside, panel)
        below, above = tail - tf.gather(self.left, panel), tail - tf.gather(self.right, panel)
        target = tf.where(lower, below, inside - above)
        knots = tf.concat([tf.zeros_like(inside)[:, None], parts @ _PARTIAL, inside[:, None]], 1)
        index = tf.reduce_sum(tf.cast(knots[:, 1:-1] < target[:, None], tf.int32), 1)
        low, high = (tf.gather(tf.constant(np.r_[-1, _UNIT, 1]), index + i) for i in (0, 1))
        start, end = (tf.gather(knots, index + i, batch_dims=1) for i in (0, 1))
        z = low + (high - low) * (target - start) / tf.where(end > start, end - start, 1)
        z = tf.stop_gradient(tf.clip_by_value(z, low, high))
        rising, slopes = parts @ _RISING, tf.stop_gradient(parts @ _SLOPE)
        for _ in range(4):  # Newton's steps, the last of them with the gradient
            waves = tf.cos(tf.acos(z)[:, None] * np.arange(_POINTS + 1.0))
            slope = tf.reduce_sum(slopes * waves, 1)
            gap = tf.reduce_sum(rising * waves, 1) - target
            step = tf.where(slope > 0, gap / tf.where(slope > 0, slope, 1), 0)
            z = tf.stop_gradient(tf.clip_by_value(z - step, low, high))
        z -= step - tf.stop_gradient(step)
        piece, a, b = (tf.gather(t, panel) for t in (grid.piece, grid.start, grid.end))
        x = line.place(piece, (a + b) / 2 + (b - a) / 2 * z)
        return tf.where(a == b, tf.gather(grid.x[:, 0], panel), x)  # an atom, or a point


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
    unique, index = tf.raw_ops.UniqueV2(x=values, axis=[0])
    # A value listed by hand keeps its gradient.
    count, split = tf.shape(unique)[0], tf.shape(x)[0]
    first = tf.math.unsorted_segment_min(tf.range(tf.size(index)), index, count)
    points = tf.gather(values, first)
    points = points[:, 0] if values.shape[1] == 1 else points
    return points, _gathered(log_p, index[:split], count), _gathered(log_q, index[split:], count)


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


def _distinct(ends):
    """Return the different ones among the ends, increasing, each with its first one's gradient."""
    points, index = tf.unique(tf.stop_gradient(ends))
    first = tf.math.unsorted_segment_min(tf.range(tf.size(index)), index, tf.size(points))
    return tf.sort(tf.gather(ends, first))


def _order(piece, y):
    """Return what sorts by the piece, then by the coordinate there."""
    order = tf.argsort(y, stable=True)
    return tf.gather(order, tf.argsort(tf.gather(piece, order), stable=True))


def _in_order(piece, y):
    order = _order(piece, y)
    return tf.gather(piece, order), tf.gather(y, order)


def _turn(values):
    """Return where in [-1, 1] values (panels, points) first change sign; 0 where they do not."""
    crossed = values[:, :-1] * values[:, 1:] < 0
    index = tf.argmax(crossed, 1)
    before, after = (tf.gather(values, index + i, batch_dims=1) for i in (0, 1))
    low, high = (tf.gather(tf.constant(_UNIT), index + i) for i in (0, 1))
    found = tf.reduce_any(crossed, 1)
    share = before / tf.where(found, before - after, 1)
    return tf.where(found, low + (high - low) * share, 0)
