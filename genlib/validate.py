"""Checks of arguments. Each message names the argument, what was given and what is accepted."""

import math
from collections.abc import Collection

import numpy as np
import tensorflow as tf


def positive(name: str, value: float) -> float:
    """Return ``value`` as a float; ValueError unless it is a finite number above 0."""
    return _number(name, value, lambda v: v > 0, "a finite number above 0")


def non_negative(name: str, value: float) -> float:
    """Return ``value`` as a float; ValueError unless it is a finite number, 0 or more."""
    return _number(name, value, lambda v: v >= 0, "a finite number, 0 or more")


def count(name: str, value: int, minimum: int = 1) -> int:
    """Return ``value`` as an int; ValueError unless it is whole and at least ``minimum``."""
    wanted = f"a whole number of at least {minimum}"
    return int(_number(name, value, lambda v: v >= minimum and v == int(v), wanted))


def seed(name: str, value):
    """Return ``value``; ValueError unless None, a whole number below 2^32, or a generator."""
    if value is None or hasattr(value, "next"):  # keras.random.SeedGenerator
        return value
    wanted = "None, a whole number from 0 to 2^32 - 1 or a keras.random.SeedGenerator"
    return int(_number(name, value, lambda v: 0 <= v < 2**32 and v == int(v), wanted))


def choice(name: str, value: str, accepted: Collection[str]) -> str:
    """Return ``value``; ValueError unless it is one of ``accepted``."""
    if not isinstance(value, str) or value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(sorted(accepted))}; got {value!r}")
    return value


def symbolic(value) -> bool:
    """Is ``value`` a tensor (or, in a graph, a variable) whose numbers are not known yet?"""
    if isinstance(value, tf.Variable):
        return not tf.executing_eagerly()
    return tf.is_tensor(value) and not hasattr(value, "numpy")


def finite(name: str, value):
    """Return ``value``; ValueError if it holds NaN or infinity (symbolic tensors pass)."""
    bad = 0 if symbolic(value) else int(np.sum(~np.isfinite(np.asarray(value))))
    if bad:
        raise ValueError(f"{name} must be finite; got {bad} NaN or infinite value(s)")
    return value


def unit_interval(name: str, value):
    """Return ``value``; ValueError unless it is finite and lies in [0, 1] (symbols pass)."""
    finite(name, value)
    low, high = (0, 1) if symbolic(value) else (np.min(value, initial=0), np.max(value, initial=1))
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} must be in [0, 1]; got values from {np.min(value):.4g} to {np.max(value):.4g}"
        )
    return value


def all_positive(name: str, value):
    """Return ``value``; ValueError unless all of it is above 0 (symbolic tensors pass)."""
    least = 1 if symbolic(value) else np.min(value)
    if not least > 0:
        raise ValueError(f"{name} must be positive everywhere; got values down to {least:.4g}")
    return value


def levels(name: str, value, count: int):
    """Return ``value``; ValueError unless all are k / (count - 1) in [0, 1] (symbols pass)."""
    unit_interval(name, value)
    if symbolic(value):
        return value
    steps = np.asarray(value) * (count - 1)
    off = np.abs(steps - np.round(steps)) > 1e-3  # rounding is forgiven
    if off.any():
        wanted = "0 or 1" if count == 2 else f"one of {count} levels, k / {count - 1}"
        raise ValueError(f"{name} must be {wanted}; got {np.asarray(value)[off][0]:.4g}")
    return value


def numbers(name: str, value) -> tf.Tensor:
    """Return ``value`` as a float tensor: float32 from float32 and half precision, else float64.

    ValueError for complex numbers, masked values and what holds no numbers.
    """
    if tf.is_tensor(value):
        kind, given = value.dtype, value.dtype.name
        real = kind.is_floating or kind.is_integer or kind.is_bool
    else:
        masked = np.ma.is_masked(value)
        try:
            value = np.asarray(value)
            value = value.astype(float) if value.dtype == object else value
        except (TypeError, ValueError) as error:  # text, rows of different lengths
            raise ValueError(f"{name} must be an array of numbers; {error}") from None
        real = value.dtype.kind in "fiub" and not masked
        given = "masked values" if masked else str(value.dtype)
    if not real:
        raise ValueError(f"{name} must be an array of numbers, all real; got {given}")
    kept = tf.as_dtype(value.dtype) in (tf.float32, tf.float16, tf.bfloat16)
    # A variable is read: `tf.cast` to its own dtype would hand back the variable.
    return tf.cast(tf.convert_to_tensor(value), tf.float32 if kept else tf.float64)


def samples(name: str, value) -> tf.Tensor:
    """Return ``value`` as a float tensor ``(n, d)``; a 1-D array is read as d = 1.

    Precision as in `numbers`. ValueError if it is empty, not 1-D or 2-D, or not finite and real.
    """
    value = numbers(name, value)
    if value.shape.rank not in (1, 2):
        raise ValueError(f"{name} must have shape (n,) or (n, d); got shape {tuple(value.shape)}")
    if value.shape.rank == 1:
        value = value[:, None]
    if 0 in tuple(value.shape):
        raise ValueError(f"{name} must not be empty; got shape {tuple(value.shape)}")
    return finite(name, value)


def pair(x, y) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `samples` ``x`` (n, d) and ``y`` (m, d), both in the more precise of their dtypes."""
    x, y = samples("x", x), samples("y", y)
    same_dimension("x", x, "y", y)
    dtype = tf.float64 if tf.float64 in (x.dtype, y.dtype) else tf.float32
    return tf.cast(x, dtype), tf.cast(y, dtype)


def same_dimension(x_name: str, x: tf.Tensor, y_name: str, y: tf.Tensor) -> None:
    """ValueError unless ``x`` and ``y``, both ``(n, d)``, have the same d."""
    if x.shape[1] != y.shape[1]:
        got = f"shapes {tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(f"{x_name} and {y_name} must have the same dimension d; got {got}")


def _number(name, value, accepts, wanted):
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {wanted}; got {value!r}") from error
    if not math.isfinite(number) or not accepts(number):
        raise ValueError(f"{name} must be {wanted}; got {value!r}")
    return number
