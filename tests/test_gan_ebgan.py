"""EBGAN: the pull-away term of known codes, and the hinge of each sample.

Wrong versions that these tests reject (the last test keeps four of them): the cosine not squared,
the diagonal counted with the pairs, the hinge of the mean, the mean of squares for the norm.
"""

import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.gans import EBGAN, ebgan

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


def build(cls=EBGAN, **options):
    critic = networks.autoencoder(2, 3, 8, activation="tanh", seed=2)
    return cls(networks.mlp(2, 2, 8, activation="tanh", seed=1), critic, **options)


def blank(cls=EBGAN, shape=2, **options):
    """An autoencoder that gives 0: the energy of x is |x|."""
    critic = networks.autoencoder(shape, 3, 4, seed=2)
    for v in critic.get_layer("decoder").layers[-2 if isinstance(shape, tuple) else -1].variables:
        v.assign(tf.zeros_like(v.value))
    generator = networks.mlp(2, shape, 4, seed=1)
    return cls(generator, critic, **options)


def check_pull_away(term):
    rng = np.random.default_rng(0)
    code = rng.normal(size=5)
    antipodal = np.outer([1, -2, 3, -0.5], code)
    orthogonal = np.diag(rng.uniform(0.5, 2, 4))
    for codes, value in ((antipodal, 1.0), (orthogonal, 0.0)):
        assert float(term(tf.constant(codes, tf.float32))) == pytest.approx(value, abs=1e-5)
    codes = rng.normal(size=(7, 3))
    pairs = [
        (np.dot(s, t) / np.linalg.norm(s) / np.linalg.norm(t)) ** 2
        for i, s in enumerate(codes)
        for j, t in enumerate(codes)
        if i != j
    ]
    assert float(term(tf.constant(codes, tf.float32))) == pytest.approx(np.mean(pairs), rel=1e-5)


def test_pull_away_is_1_for_antipodal_codes_and_0_for_orthogonal_ones():
    check_pull_away(ebgan.pull_away)


def check_hinge(cls):
    """One sample far beyond the margin does not make up for one within it."""
    rng = np.random.default_rng(1)
    for shape in (2, (3, 3, 1)):
        margin = np.exp(rng.normal())
        model = blank(cls, shape, margin=margin, pull_away_weight=0.0)
        d = model.generator.output_shape[1:]
        x, made = (rng.normal(size=(8, *d)).astype(np.float32) for _ in range(2))
        x_norms, norms = (np.linalg.norm(z.reshape(8, -1), axis=1) for z in (x, made))
        made *= (rng.uniform(0, 2, 8) * margin / norms).reshape(-1, *[1] * len(d)).astype("f4")
        norms = np.linalg.norm(made.reshape(8, -1), axis=1)
        assert norms.max() > margin > norms.min()
        expected = x_norms.mean() + np.maximum(margin - norms, 0).mean()
        assert float(model.critic_loss(x, made)) == pytest.approx(expected, rel=1e-5)
        assert float(model.generator_loss(x, made)) == pytest.approx(norms.mean(), rel=1e-5)


def test_hinge_is_taken_for_each_sample():
    check_hinge(EBGAN)


def test_pull_away_is_added_to_the_generators_loss():
    weight, x = 0.7, tf.constant(POINTS)
    model, plain = build(pull_away_weight=weight), build(pull_away_weight=0.0)
    codes = model.critic.get_layer("encoder")(x)
    extra = float(model.generator_loss(x, x) - plain.generator_loss(x, x))
    assert extra == pytest.approx(weight * float(ebgan.pull_away(codes)), rel=1e-4)
    assert model.couples_batch and not plain.couples_batch


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: EBGAN(networks.mlp(2, 2, 4), networks.mlp(2, 1, 4)),
            "a copy of each sample",
        ),
        (lambda: build(margin=0), "margin must be a finite number above 0"),
        (lambda: build(pull_away_weight=-1), "pull_away_weight must be"),
        (
            lambda: build().fit(POINTS, batch_size=1, verbose=0),
            "batch_size must be a whole number of at least 2; got 1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class HingeOfTheMean(EBGAN):
    def critic_loss(self, real, fake):
        on_real, on_fake = (tf.reduce_mean(self.energy(x)) for x in (real, fake))
        return on_real + tf.nn.relu(self.margin - on_fake)


class MeanOfSquares(EBGAN):
    def energy(self, x):
        return tf.reduce_mean((self.critic(x) - x) ** 2, axis=list(range(1, x.ndim)))


def not_squared(codes):
    unit = tf.math.l2_normalize(codes, axis=1)
    n = len(codes)
    return (tf.reduce_sum(unit @ tf.transpose(unit)) - n) / (n * (n - 1))


def with_diagonal(codes):
    unit = tf.math.l2_normalize(codes, axis=1)
    return tf.reduce_mean((unit @ tf.transpose(unit)) ** 2)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (HingeOfTheMean, check_hinge),
        (MeanOfSquares, check_hinge),
        (not_squared, check_pull_away),
        (with_diagonal, check_pull_away),
    ],
)
def test_wrong_versions_are_rejected(wrong, check):
    with pytest.raises(AssertionError):
        check(wrong)
