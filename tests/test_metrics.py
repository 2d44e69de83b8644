import numpy as np
import pytest

from genlib.data import images, mode_centers, toy
from genlib.metrics import class_scores, mode_coverage, read_digits


def test_mode_coverage_of_the_true_sampler():
    for name, modes, scale in [("ring", 8, 0.1), ("grid", 25, 0.05)]:
        dist = toy(name)
        found = mode_coverage(dist.sample(2500, seed=1), mode_centers(dist), 3 * scale)
        assert found.modes == modes and found.counts.shape == (modes,)
        # 1 - exp(-9/2) of a round 2-D Gaussian lies within three standard deviations.
        assert found.high_quality == pytest.approx(0.989, abs=0.01)
        assert found.counts.sum() == round(found.high_quality * 2500)


def test_mode_coverage_by_hand():
    centers = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]
    samples = [[0.0, 1.0], [0.6, 0.8], [0.0, 1.01], [9.5, 0.0], [5.0, 5.0]]
    found = mode_coverage(samples, centers, radius=1.0)
    assert found.modes == 2 and found.high_quality == pytest.approx(3 / 5)
    assert found.counts.tolist() == [2, 1, 0]
    # Near two modes it belongs to the nearest alone.
    assert mode_coverage([[4.0, 0.0]], centers, 8.0).counts.tolist() == [1, 0, 0]
    assert mode_coverage([[5.0, 5.0]], centers, 1.0)[:2] == (0, 0.0)


@pytest.mark.parametrize(
    "samples, centers, radius, words",
    [
        (np.zeros((0, 2)), [[0.0, 0.0]], 1, "samples must not be empty"),
        ([[np.nan, 0.0]], [[0.0, 0.0]], 1, "samples must be finite"),
        ([[0.0, 0.0]], [[np.inf, 0.0]], 1, "centers must be finite"),
        ([[0.0, 0.0]], [[0.0, 0.0, 0.0]], 1, "same dimension"),
        ([[0.0, 0.0]], [[0.0, 0.0]], 0, "radius must be"),
        ("text", [[0.0, 0.0]], 1, "samples must be an array of (real )?numbers"),
    ],
)
def test_mode_coverage_refuses(samples, centers, radius, words):
    with pytest.raises(ValueError, match=words):
        mode_coverage(samples, centers, radius)


def square(x):
    size = round(x.shape[-1] ** 0.5)
    return np.reshape(x, (-1, size, size, 1))


@pytest.mark.parametrize("name, right", [("digits", 0.94), ("digits16", 0.93), ("mnist5k", 0.95)])
def test_class_scores_of_real_digits(name, right):
    x, y = images(name, "test")
    label = read_digits(x)
    assert np.mean(label == y) > right and label.dtype == np.int64
    np.testing.assert_array_equal(label[:50], [read_digits(one[None])[0] for one in x[:50]])
    score = class_scores(x)
    np.testing.assert_array_equal(score.counts, np.bincount(label[label >= 0], minlength=10))
    assert score.confident > 0.955 and score.classes == 10
    assert np.abs(score.counts - np.bincount(y)).max() <= len(y) / 70
    assert class_scores(x[..., 0])[:2] == score[:2]
    zeros = class_scores(x[y == 0])
    assert zeros.confident > 0.95 and zeros.classes <= 2 and zeros.counts.argmax() == 0


@pytest.mark.parametrize("name", ["digits", "digits16", "mnist5k"])
def test_class_scores_of_what_is_no_digit(name):
    rng = np.random.default_rng(7)
    digits = images(name)[0][:2000]
    digits = digits.reshape(len(digits), -1)
    pixels = digits.shape[1]
    pairs = digits[rng.integers(len(digits), size=(2000, 2))].mean(1)
    levels = np.linspace(0, 1, 21)[:, None] * np.ones(pixels)
    assert class_scores(square(rng.uniform(size=(2000, pixels)))).confident < 0.005
    assert class_scores(square(rng.uniform(size=(2000, pixels)) < 0.5)).confident < 0.005
    assert class_scores(square(levels)).confident == 0
    assert class_scores(square(digits.mean(0))).confident == 0
    assert class_scores(square(1 - digits)).confident < 0.005
    assert class_scores(square(rng.permuted(digits, axis=1))).confident < 0.005
    assert class_scores(square(rng.permuted(digits, axis=0))).confident < 0.06
    assert class_scores(square(pairs)).confident < 0.2


@pytest.mark.parametrize(
    "x, words",
    [
        (np.zeros((0, 8, 8, 1)), "n at least 1"),
        (np.zeros((3, 9, 9, 1)), r"shape \(n, 8, 8, 1\), \(n, 16, 16, 1\) or \(n, 28, 28, 1\)"),
        (np.zeros((8, 8)), "shape"),
        (np.full((1, 8, 8, 1), np.nan), "finite"),
        (np.full((1, 8, 8, 1), 16.0), r"in \[0, 1\]; got values from 16 to 16"),
        (np.full((1, 8, 8, 1), -0.5), r"in \[0, 1\]"),
    ],
)
def test_class_scores_refuses(x, words):
    with pytest.raises(ValueError, match=words):
        class_scores(x)


def test_class_scores_takes_any_numbers_and_refuses_others():
    x = images("digits", "test")[0]
    bits = x > 0.5
    assert class_scores(bits)[:2] == class_scores(bits.astype(np.float32))[:2]
    for bad, words in (
        ((255 * x).astype(np.uint8), r"x must be in \[0, 1\]"),
        (np.ma.masked_greater(x, 0.5), "x must .* masked"),
        (x + 1j, "x must .* real"),
    ):
        with pytest.raises(ValueError, match=words):
            class_scores(bad)
