"""What training reaches, over seeds: the figures behind the lectures on GANs."""

import keras
import numpy as np
import pytest

from genlib import data, experiments, metrics, networks
from genlib.gans import GAN, REGISTRY

#: Their lectures train the same preset on the same three seeds or more, and assert as much.
IN_LECTURES = {"wgan", "wgan_gp", "began"}


@pytest.mark.parametrize("name", [name for name in REGISTRY if name not in IN_LECTURES])
def test_each_variant_finds_the_modes_of_the_ring_with_its_preset(name):
    """More than a generator that draws an even circle, and has found none of them."""
    runs = [experiments.on_toy(name, seed=seed) for seed in range(3)]
    assert np.median([run.modes for run in runs]) >= 8
    quality = np.median([run.high_quality for run in runs])
    assert quality > experiments.circle().high_quality > 0.7


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
