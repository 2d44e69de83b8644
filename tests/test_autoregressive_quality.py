"""What autoregressive models reach, over seeds: the figures behind lecture 22."""

import keras
import numpy as np
import pytest

from genlib import data
from genlib.likelihood import MADE, PixelCNN

SEEDS = range(3)


def binary_digits(split):
    return (data.images("digits", split)[0] > 0.5).astype(np.float32)


def nats(model, x):
    """Negative log-likelihood per example."""
    return -float(np.mean(model.log_prob(x)))


def pixel_by_pixel(train, test):
    """That of independent Bernoullis, with one pseudo-count each."""
    p = (train.sum(0) + 1) / (len(train) + 2)
    axes = tuple(range(1, test.ndim))
    return -float(np.mean((test * np.log(p) + (1 - test) * np.log(1 - p)).sum(axes)))


def test_made_beats_independent_pixels_on_held_out_digits():
    train, test = (binary_digits(split).reshape(-1, 64) for split in ("train", "test"))
    baseline = pixel_by_pixel(train, test)
    for seed in SEEDS:
        model = MADE(64, (256,), seed=seed)
        model.compile(keras.optimizers.Adam(5e-3), jit_compile=False)
        model.fit(train, batch_size=64, steps_per_epoch=450, verbose=0)
        assert nats(model, test) < baseline - 5


@pytest.mark.parametrize("head, levels", [("softmax", 2), ("logistic", 17)])
def test_pixel_cnn_beats_independent_pixels_on_held_out_digits(head, levels):
    train, test = (np.float32(data.images("digits", split)[0]) for split in ("train", "test"))
    if levels == 2:
        train, test = (np.float32(x > 0.5) for x in (train, test))
        baseline, margin = pixel_by_pixel(train, test), 4
    else:
        counts = np.stack([(np.round(16 * train) == k).sum(0) + 1 for k in range(levels)], -1)
        log_p = np.log(counts / counts.sum(-1, keepdims=True))
        k = np.round(16 * test).astype(int)[..., None]
        baseline = -float(np.take_along_axis(log_p[None], k, -1).sum((1, 2, 3, 4)).mean())
        margin = 12
    for seed in SEEDS if levels == 2 else (1, 2):  # on grey digits lecture 22 trains seed 0
        model = PixelCNN((8, 8, 1), levels, width=16, kernels=(5, 3, 3), head=head, seed=seed)
        model.compile(keras.optimizers.Adam(1e-2))
        model.fit(train, batch_size=32, steps_per_epoch=200, verbose=0)
        assert nats(model, test) < baseline - margin


def sliding_rows(n, seed):
    """Each row is the row above, moved two to the left; two new pixels come in on the right."""
    x = np.random.default_rng(seed).integers(0, 2, (n, 8, 8, 1)).astype(np.float32)
    for row in range(1, 8):
        x[:, row, :-2] = x[:, row - 1, 2:]
    return x


def test_one_stack_is_blind_to_what_two_stacks_see():
    """The pixel that decides lies in the blind spot: without it each pixel is a fair coin.

    Lecture 22 trains seeds 0 and 1.
    """
    train, test = sliding_rows(2000, 0), sliding_rows(500, 1)
    free = 8 + 7 * 2  # pixels that nothing decides
    found = {}
    for blind_spot in (True, False):
        model = PixelCNN((8, 8, 1), width=16, kernels=(3, 3), blind_spot=blind_spot, seed=2)
        model.compile(keras.optimizers.Adam(1e-2))
        model.fit(train, batch_size=64, steps_per_epoch=150, verbose=0)
        found[blind_spot] = nats(model, test) / np.log(2)
    assert found[True] > 63.5
    assert free - 0.5 < found[False] < free + 3
