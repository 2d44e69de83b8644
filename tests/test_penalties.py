"""Penalties on slopes: known slopes, every axis, one alpha a pair, and no NaN."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks
from genlib.gans import penalties
from genlib.gans.penalties import gradient_penalty, r1

RNG = np.random.default_rng(0)


def normal(*shape):
    return tf.constant(RNG.normal(size=shape), tf.float32)


def over_one_axis(value, real, fake, alpha, target=1.0):
    """Wrong, and common: the norm over axis 1 alone."""
    alpha = tf.reshape(alpha, [-1] + [1] * (real.shape.rank - 1))
    x = alpha * real + (1 - alpha) * fake
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(value(x))
    return tf.reduce_mean((tf.norm(tape.gradient(total, x), axis=1) - target) ** 2)


def of_the_mean(value, real, fake, alpha, target=1.0):
    """Wrong: the gradient of the batch's mean, which is n times too small."""
    return gradient_penalty(lambda x: value(x) / x.shape[0], real, fake, alpha, target)


def alpha_for_each_number(value, real, fake, alpha, target=1.0):
    """Wrong: one alpha for each number, so that points leave the line of their pair."""
    alpha = tf.random.stateless_uniform(real.shape, (0, 1))
    between = alpha * real + (1 - alpha) * fake
    slopes = tf.sqrt(penalties.squared_gradient_norms(value, between))
    return tf.reduce_mean((slopes - target) ** 2)


def unit_slope_costs_nothing(penalty, shape):
    """A linear value with a gradient of length t costs ``(t - 1)^2``."""
    w = RNG.normal(size=shape)
    w = tf.constant(w / np.linalg.norm(w), tf.float32)
    axes = list(range(1, len(shape) + 1))
    real, fake, alpha = normal(9, *shape), normal(9, *shape), tf.random.stateless_uniform((9,), (0, 1))  # fmt: skip  # noqa: E501
    for length in (1.0, 0.3, 2.5):
        cost = penalty(lambda x, t=length: t * tf.reduce_sum(w * x, axes), real, fake, alpha)
        assert float(cost) == pytest.approx((length - 1) ** 2, abs=1e-5)


def only_the_line_counts(penalty):
    """A value with slope 1 on the diagonal and more elsewhere, for pairs on the diagonal."""

    def value(x):
        return (x[:, 0] + x[:, 1]) / 2**0.5 + 7 * (x[:, 0] - x[:, 1]) ** 2

    real, fake = tf.ones((50, 2)), tf.zeros((50, 2))
    alpha = tf.random.stateless_uniform((50,), (0, 2))
    assert float(penalty(value, real, fake, alpha)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (3,)])
def test_unit_slope_costs_nothing_over_all_axes(shape):
    unit_slope_costs_nothing(gradient_penalty, shape)


def test_points_lie_on_the_line_of_their_pair():
    only_the_line_counts(gradient_penalty)


@pytest.mark.parametrize("wrong", [over_one_axis, of_the_mean])
def test_wrong_norms_fail(wrong):
    with pytest.raises(AssertionError):
        unit_slope_costs_nothing(wrong, (28, 28, 1))


def test_alpha_for_each_number_fails():
    with pytest.raises(AssertionError):
        only_the_line_counts(alpha_for_each_number)


def test_alpha_is_the_weight_of_the_real_sample():
    """``|grad x^2 / 2| = |x|``: at alpha 0 that is the generated sample's length."""
    real, fake = tf.constant([[3.0]]), tf.constant([[5.0]])
    for alpha, place in ((0.0, 5.0), (1.0, 3.0), (0.25, 4.5)):
        cost = gradient_penalty(lambda x: x**2 / 2, real, fake, tf.constant([alpha]), target=0.5)
        assert float(cost) == pytest.approx((place - 0.5) ** 2, rel=1e-5)


def test_a_flat_critic_costs_one_and_gives_no_nan():
    critic = networks.mlp((4, 4, 1), 1, 8, seed=0)
    for variable in critic.trainable_variables:
        variable.assign(tf.zeros_like(variable.value))
    with tf.GradientTape() as tape:
        cost = gradient_penalty(critic, normal(5, 4, 4, 1), normal(5, 4, 4, 1), tf.ones(5) / 2)
    assert float(cost) == pytest.approx(1, abs=1e-5)
    for g in tape.gradient(cost, [v.value for v in critic.trainable_variables]):
        assert g is None or np.isfinite(g).all()


def test_a_value_that_ignores_its_sample_has_slope_0():
    assert float(r1(lambda x: tf.ones(5), normal(5, 3))) == 0


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_r1_of_a_quadratic(scale):
    """``value = scale |x|^2`` has the squared slope ``4 scale^2 |x|^2``."""
    x = normal(7, 3, 2)
    cost = r1(lambda x: scale * tf.reduce_sum(x**2, (1, 2)), x)
    assert float(cost) == pytest.approx(4 * scale**2 * np.mean(np.sum(x**2, (1, 2))), rel=1e-5)


def test_layer_normalisation_passes_and_batch_normalisation_does_not():
    for layer, refused in ((keras.layers.LayerNormalization(), False), (keras.layers.BatchNormalization(), True)):  # fmt: skip  # noqa: E501
        start = keras.Input((3,))
        critic = keras.Model(start, keras.layers.Dense(1)(layer(start)))
        if refused:
            with pytest.raises(ValueError, match="must not hold batch normalisation"):
                penalties.refuse_batch_norm(critic)
        else:
            penalties.refuse_batch_norm(critic)
