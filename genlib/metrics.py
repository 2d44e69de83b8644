"""Is a generator any good? Modes found in 2-D, and digits that can be read."""

import functools
from typing import NamedTuple

import numpy as np

from genlib import validate
from genlib.data import images


class ModeCoverage(NamedTuple):
    """What ``mode_coverage`` found."""

    modes: int  # modes with at least one sample of high quality
    high_quality: float  # share of all samples within the radius of their nearest mode
    counts: np.ndarray  # (k,) samples of high quality at each mode


class DigitScore(NamedTuple):
    """What ``class_scores`` found."""

    confident: float  # share of all pictures read as a digit
    classes: int  # digits 0 to 9 that at least 1 % of all pictures are read as
    counts: np.ndarray  # (10,) pictures read as each digit


def mode_coverage(samples, centers, radius: float) -> ModeCoverage:
    """Count the modes that ``samples`` (n, d) reach, among ``centers`` (k, d).

    A sample is of high quality within ``radius`` of its nearest center, by custom three standard
    deviations (98.9 % of a 2-D Gaussian); a mode counts when it has one. ValueError for empty or
    non-finite arrays, dimensions that differ, radius <= 0. PacGAN (arXiv:1712.04086).
    """
    samples = validate.samples("samples", samples)
    centers = validate.samples("centers", centers)
    validate.same_dimension("samples", samples, "centers", centers)
    radius = validate.positive("radius", radius)
    distance = np.linalg.norm(samples.numpy()[:, None] - centers.numpy(), axis=-1)  # (n, k)
    nearest = distance.argmin(1)[distance.min(1) <= radius]
    counts = np.bincount(nearest, minlength=len(centers))
    return ModeCoverage(int(np.sum(counts > 0)), len(nearest) / len(samples), counts)


def class_scores(x) -> DigitScore:
    """Let a classifier read the 8x8 pictures ``x``, (n, 8, 8, 1) or (n, 8, 8), in [0, 1].

    Trained on ``images("digits")`` and on pictures that are none, it may answer "no digit". It
    reads as digits 97.8 % of 359 real ones it never saw (the ceiling); 0 % of noise, plain grey or
    the mean digit; 3 to 5 % of noise with each pixel's histogram; some 15 % of averages of two
    digits, 95 % of two of one class. It does not see variety within a class: ten clean
    digits score 100 %. ValueError for another shape, values outside [0, 1], NaN or no picture.
    """
    x = validate.numbers("x", x).numpy().astype(np.float32)
    if x.shape[1:] not in ((8, 8), (8, 8, 1)) or not len(x):
        raise ValueError(f"x must have shape (n, 8, 8, 1), n at least 1; got {x.shape}")
    validate.unit_interval("x", x)
    label = _reader().predict(x.reshape(-1, 64))
    counts = np.bincount(label[label != _NO_DIGIT], minlength=10)
    classes = int(np.sum(counts >= max(1, len(x) / 100)))
    return DigitScore(float(counts.sum() / len(x)), classes, counts)


_NO_DIGIT = -1


@functools.cache
def _reader():
    """Train the classifier: a support vector machine with a class for what is no digit."""
    from sklearn.svm import SVC

    x, y = images("digits")
    digits = x.reshape(-1, 64)
    none = _no_digits(digits, 400, np.random.default_rng(0))
    labels = np.concatenate([y, np.full(len(none), _NO_DIGIT)])
    return SVC(C=10).fit(np.concatenate([digits, none]), labels)


def _no_digits(digits, n, rng):
    """Non-digits near the real ones (n, 64) and far off: what it never saw gets any class."""
    pick = functools.partial(rng.integers, len(digits))
    kinds = [
        rng.uniform(size=(n, 64)),  # noise
        rng.uniform(size=(n, 64)) < rng.uniform(size=(n, 1)),  # black and white noise
        np.tile(rng.uniform(size=(n // 4, 1)), 64),  # plain grey
        rng.permuted(digits[pick(size=n)], axis=1),  # a digit's pixels in any order
        rng.permuted(digits[pick(size=n)], axis=0),  # each pixel taken from another digit
        *(digits[pick(size=(n // 2, k))].mean(1) for k in (2, 4)),  # averages of digits
    ]
    return np.concatenate(kinds)
