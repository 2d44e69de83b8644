"""What training reaches, over seeds: the figures behind the lecture on the original GAN."""

import keras
import numpy as np

from genlib import data, metrics, networks
from genlib.gans import GAN


def adam(momentum=0.5):
    return keras.optimizers.Adam(1e-3, beta_1=momentum)


def ring_score(seed, momentum):
    ring = data.toy("ring")
    generator = networks.mlp(2, 2, width=64, seed=seed)
    model = GAN(generator, networks.mlp(2, 1, width=64, seed=seed + 100), seed=seed)
    model.compile(adam(momentum), adam(momentum), jit_compile=False)
    points = ring.sample(8192, seed=(0, 1))
    model.fit(points, batch_size=128, steps_per_epoch=2000, verbose=0)
    return metrics.mode_coverage(model.sample(2500, seed=1), data.mode_centers(ring), radius=0.3)


def test_ring_is_covered_with_momentum_one_half():
    scores = [ring_score(seed, 0.5) for seed in range(3)]
    assert all(s.modes == 8 for s in scores)
    assert np.median([s.high_quality for s in scores]) > 0.8


def test_ring_collapses_with_momentum_nine_tenths():
    """A failure on the syllabus: if it goes away, the lecture is wrong."""
    assert np.median([ring_score(seed, 0.9).modes for seed in range(3)]) <= 4


def test_digits_can_be_read_and_all_ten_appear():
    digits, _ = data.images("digits")
    scores = []
    for seed in range(3):
        model = GAN(
            networks.mlp(16, (8, 8, 1), 256, output_activation="sigmoid", seed=seed),
            networks.mlp((8, 8, 1), 1, 64, activation="leaky_relu", seed=seed + 100),
            seed=seed,
        )
        model.compile(adam(), adam())
        model.fit(digits, batch_size=64, steps_per_epoch=4500, verbose=0)
        scores.append(metrics.class_scores(model.sample(1000, seed=1)))
    assert np.median([s.confident for s in scores]) > 0.6
    assert np.median([s.classes for s in scores]) == 10
