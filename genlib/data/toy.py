"""2-D densities to learn on: each knows its exact ``log_prob`` and can be sampled.

Each *is* a finite mixture of simple components. In ``moons`` and ``swiss_roll`` equal Gaussians
stand along a curve, at most one ``scale`` apart, too close to tell from a continuous stroke.
"""

import inspect
import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import validate


def toy(name: str, **params) -> tfd.Distribution:
    """Return the 2-D density called ``name``: float32, event shape (2,).

    ``sample(n, seed)`` gives (n, 2), for the same seed the same each time; ``log_prob(x)`` is
    exact, in nats, (n, 2) -> (n,). ValueError for an unknown name or parameter, or a bad value.

    ============== =================================================================
    ring           ``modes`` (8) Gaussians at angles 2 pi i / modes; ``radius`` (1), ``scale`` (0.1)
    grid           ``side`` x ``side`` (5) Gaussians, ``spacing`` (2) apart; ``scale`` (0.05)
    two_gaussians  at (-separation/2, 0) and (separation/2, 0); ``separation`` (4), ``scale`` (0.5)
    moons          two interleaved half circles of radius 1; ``scale`` (0.1)
    swiss_roll     a spiral of one and a half turns, out to radius 1.41; ``scale`` (0.05)
    checkerboard   uniform on the squares of one colour of a ``cells`` x ``cells`` (4) board,
                   each of side ``width`` (1); log_prob is -inf elsewhere
    ============== =================================================================
    """
    make = _TOYS[validate.choice("name", name, _TOYS)]
    accepted = inspect.signature(make).parameters
    for unknown in sorted(set(params) - set(accepted)):
        known = ", ".join(accepted)
        raise ValueError(f"toy({name!r}) has no parameter {unknown!r}; it accepts {known}")
    return make(**params)


def toy_names() -> list[str]:
    """Return the names that ``toy`` knows, sorted."""
    return sorted(_TOYS)


def mode_centers(dist: tfd.Distribution) -> np.ndarray:
    """Return a mixture's means (else ValueError), float32 (k, 2): the modes of a ring or a grid."""
    if not isinstance(dist, tfd.MixtureSameFamily):
        raise ValueError(f"dist must be a mixture, as toy(...) returns; got {type(dist).__name__}")
    return dist.components_distribution.mean().numpy()


def _ring(modes=8, radius=1.0, scale=0.1):
    modes = validate.count("modes", modes)
    # The end point is left out: with it the first and the last mode would be the same one.
    angle = 2 * math.pi * np.arange(modes) / modes
    return _gaussians(_circle(angle) * validate.positive("radius", radius), scale)


def _grid(side=5, spacing=2.0, scale=0.05):
    side = validate.count("side", side)
    ticks = (np.arange(side) - (side - 1) / 2) * validate.positive("spacing", spacing)
    return _gaussians(np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2), scale)


def _two_gaussians(separation=4.0, scale=0.5):
    half = validate.non_negative("separation", separation) / 2
    return _gaussians([[-half, 0], [half, 0]], scale)


def _moons(scale=0.1):
    upper = _circle(_along(0, math.pi, math.pi, scale))
    return _gaussians(np.concatenate([upper, [1, 0.5] - upper]), scale)


def _swiss_roll(scale=0.05):
    start, end, size = 1.5 * math.pi, 4.5 * math.pi, 0.1
    # A spiral's arc length is close to angle^2 / 2: steps of equal angle^2 are equally long.
    length = size * (end**2 - start**2) / 2
    angle = np.sqrt(_along(start**2, end**2, length, scale))
    return _gaussians(size * angle[:, None] * _circle(angle), scale)


def _checkerboard(cells=4, width=1.0):
    cells, width = validate.count("cells", cells), validate.positive("width", width)
    i, j = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    corner = np.stack([i, j], -1)[(i + j) % 2 == 0] - cells / 2
    low = tf.constant(corner * width, tf.float32)
    high = tf.constant((corner + 1) * width, tf.float32)
    return _mixture(tfd.Independent(tfd.Uniform(low, high), 1), len(corner))


_TOYS = {
    "ring": _ring,
    "grid": _grid,
    "moons": _moons,
    "swiss_roll": _swiss_roll,
    "checkerboard": _checkerboard,
    "two_gaussians": _two_gaussians,
}


def _circle(angle):
    """(n,) angles -> (n, 2) points of the unit circle."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def _along(start, end, length, scale):
    """Midpoints of equal steps from ``start`` to ``end``, each at most ``scale`` of ``length``."""
    if not validate.positive("scale", scale) >= 0.01:
        raise ValueError(f"scale must be at least 0.01 for a curve; got {scale!r}")
    steps = max(2, math.ceil(length / scale))
    return start + (end - start) * (np.arange(steps) + 0.5) / steps


def _gaussians(centers, scale):
    """Equal mixture of round Gaussians at ``centers`` (k, 2)."""
    centers = tf.constant(centers, tf.float32)
    scales = tf.fill(centers.shape, tf.constant(validate.positive("scale", scale), tf.float32))
    return _mixture(tfd.MultivariateNormalDiag(centers, scales), centers.shape[0])


def _mixture(components, k):
    return _Mixture(tfd.Categorical(probs=tf.fill([k], 1 / k)), components)


class _Mixture(tfd.MixtureSameFamily):
    """A mixture that takes whole numbers as seeds (TFP: pairs), any as points (TFP: no float64)."""

    def log_prob(self, value, name="log_prob", **kwargs):
        value = tf.cast(validate.numbers("value", value), self.dtype)
        if value.shape.rank is not None and value.shape[-1:] != self.event_shape:
            raise ValueError(f"value must have shape (n, 2); got {value.shape}")
        return super().log_prob(value, name=name, **kwargs)

    def sample(self, sample_shape=(), seed=None, name="sample", **kwargs):
        if np.ndim(seed) == 0 and seed is not None:
            seed = tf.constant(divmod(validate.seed("seed", seed), 2**31), tf.int32)
        return super().sample(sample_shape, seed=seed, name=name, **kwargs)
