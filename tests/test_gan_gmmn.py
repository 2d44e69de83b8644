"""GMMN: its loss against the energy distance, and what it makes of an autoencoder.

Wrong versions that these tests reject (the last test keeps three of them): the cross term added,
the mean of the kernels in the place of their sum, a V-statistic where the U-statistic is asked
for, the root left out, real samples decoded before they are matched, an autoencoder not frozen.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import data, networks
from genlib.divergences import kernels
from genlib.divergences.samples import energy_distance
from genlib.gans import GMMN


def gmmn(cls=GMMN, dim=2, **options):
    return cls(networks.mlp(2, dim, 8, activation="tanh", seed=1), **options)


def draw(rng, n, dim):
    return tf.constant(rng.normal(rng.normal(), np.exp(rng.normal()), (n, dim)), tf.float32)


def check_energy(cls):
    """With the energy kernel, MMD^2 is half the energy distance (objectives: section 2)."""
    rng = np.random.default_rng(1)
    for dim in (1, 3):
        real, fake = draw(rng, 40, dim), draw(rng, 30, dim)
        for unbiased in (False, True):
            model = gmmn(cls, dim, kernel=kernels.energy, unbiased=unbiased, root=False)
            half = float(energy_distance(real, fake, unbiased=unbiased)) / 2
            assert float(model.generator_loss(real, fake)) == pytest.approx(half, rel=1e-4)


def test_energy_kernel_gives_half_the_energy_distance():
    check_energy(GMMN)


def check_formula(cls):
    """Equation 3 written as loops, the kernels summed."""
    rng = np.random.default_rng(2)
    widths = np.exp(rng.normal(size=3))
    x, y = (draw(rng, n, 2).numpy().astype(float) for n in (12, 9))

    def k(a, b):
        return sum(np.exp(-np.sum((a - b) ** 2) / (2 * w**2)) for w in widths)

    def mean(a, b):
        return np.mean([[k(u, v) for v in b] for u in a])

    root = np.sqrt(mean(x, x) + mean(y, y) - 2 * mean(x, y))
    model = gmmn(cls, bandwidths=widths.tolist())
    loss = model.generator_loss(tf.constant(x, tf.float32), tf.constant(y, tf.float32))
    assert float(loss) == pytest.approx(root, rel=1e-4)


def test_root_of_the_v_statistic_of_summed_kernels():
    check_formula(GMMN)


def means_where_the_generator_is_right(cls, n=30, draws=200):
    """Mean loss and its standard error, ``unbiased`` off and on, for P = Q."""
    rng = np.random.default_rng(3)
    models = [gmmn(cls, bandwidths=0.7, unbiased=u, root=False) for u in (False, True)]
    values = np.array(
        [
            [float(m.generator_loss(*batches)) for m in models]
            for batches in ([draw_normal(rng, n), draw_normal(rng, n)] for _ in range(draws))
        ]
    )
    return values.mean(0), values.std(0) / draws**0.5


def draw_normal(rng, n):
    return tf.constant(rng.normal(size=(n, 2)), tf.float32)


def check_zero(cls):
    """0 for the U-statistic; for the V-statistic ``2 (k(x, x) - E k(x, x')) / n``."""
    (v, u), (v_error, u_error) = means_where_the_generator_is_right(cls)
    between = 1 / (1 + 2 / 0.7**2)  # E k(x, x') of a standard normal, d = 2
    assert abs(u) < 4 * u_error
    assert abs(v - 2 * (1 - between) / 30) < 4 * v_error
    assert v > 10 * v_error


def test_a_perfect_generator_costs_nothing_but_the_v_statistics_bias():
    check_zero(GMMN)


def test_autoencoder_matches_codes_and_decodes_samples():
    digits, _ = data.images("digits")
    autoencoder = networks.autoencoder((8, 8, 1), 4, 16, seed=0)
    model = GMMN(networks.mlp(3, 4, 8, seed=1), autoencoder=autoencoder, bandwidths=1.0, seed=0)
    model.compile(jit_compile=False)
    frozen = [v.numpy() for v in autoencoder.variables]
    assert len(model.trainable_variables) == len(model.generator.trainable_variables)
    model.fit(digits, batch_size=50, steps_per_epoch=3, verbose=0)
    for old, variable in zip(frozen, autoencoder.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert model.sample(5).shape == (5, 8, 8, 1)

    codes = autoencoder.get_layer("encoder")(digits[:20])
    made = model.generator(np.ones((7, 3), np.float32))
    direct = gmmn(dim=4, bandwidths=1.0).generator_loss(codes, made)
    assert float(model.generator_loss(digits[:20], made)) == pytest.approx(float(direct), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gmmn(bandwidths=(1.0, -1.0)), "bandwidth must be"),
        (
            lambda: gmmn(autoencoder=networks.autoencoder(2, 3, 8)),
            r"generator must make codes \(None, 3\); it makes \(None, 2\)",
        ),
        (
            lambda: gmmn(unbiased=True).fit(np.ones((4, 2)), batch_size=1, verbose=0),
            "batch_size must be a whole number of at least 2; got 1",
        ),
        (
            lambda: gmmn(unbiased=True).generator_loss(tf.ones((1, 2)), tf.ones((1, 2))),
            "at least 2 points",
        ),
        (
            lambda: gmmn().compile(critic_optimizer=keras.optimizers.Adam()),
            "GMMN has no critic",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class CrossTermAdded(GMMN):
    def generator_loss(self, real, fake):
        cross = 4 * tf.reduce_mean(self.kernel(real, fake))
        return super().generator_loss(real, fake) + cross


class MeanOfKernels(GMMN):
    def __init__(self, *args, bandwidths, **options):
        super().__init__(*args, bandwidths=bandwidths, **options)
        count = len(np.atleast_1d(bandwidths))
        summed, self.kernel = self.kernel, lambda x, y: summed(x, y) / count


class AlwaysBiased(GMMN):
    def generator_loss(self, real, fake):
        self.unbiased = False
        return super().generator_loss(real, fake)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (CrossTermAdded, check_energy),
        (MeanOfKernels, check_formula),
        (AlwaysBiased, check_energy),
        (AlwaysBiased, check_zero),
    ],
)
def test_wrong_versions_are_rejected(wrong, check):
    with pytest.raises(AssertionError):
        check(wrong)
