"""The GANs: each loss against its identity, each step against its promise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import data, divergences, networks
from genlib.gans import GAN, REGISTRY

finite = st.floats(-2, 2, allow_nan=False)
scale = st.floats(0.3, 2)


class LogRatio(keras.layers.Layer):
    """The optimal critic of two known densities: the logit ``log p(x) - log q(x)``."""

    def __init__(self, p, q, **options):
        super().__init__(**options)
        self.p, self.q = p, q

    def call(self, x):
        return self.p.log_prob(x) - self.q.log_prob(x)


def critic_of(layer):
    start = keras.Input((1,))
    return keras.Model(start, layer(start))


def gan(critic, **options):
    return GAN(networks.mlp(1, 1, 4), critic, **options)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(finite, scale, finite, scale)
def test_value_at_the_optimal_critic_is_2_jsd_minus_log_4(m1, s1, m2, s2):
    """Goodfellow et al. (2014), Theorem 1; the value is minus the critic's loss."""
    p, q = tfd.Normal(m1, s1), tfd.Normal(m2, s2)
    model = gan(critic_of(LogRatio(p, q)))
    n = 100_000
    real, fake = p.sample((n, 1), seed=(1, 2)), q.sample((n, 1), seed=(3, 4))
    terms = tf.nn.softplus(-model.critic(real)), tf.nn.softplus(model.critic(fake))
    error = sum(float(tf.math.reduce_std(t)) for t in terms) / n**0.5
    value = -float(model.critic_loss(real, fake))
    assert value == pytest.approx(2 * float(divergences.js(p, q)) - np.log(4), abs=5 * error + 1e-5)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(finite)
def test_constant_critic(logit):
    """A critic that always says ``logit``; at 0 its loss is 2 log 2."""
    constant = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(logit))  # fmt: skip  # noqa: E501
    model, x = gan(critic_of(constant)), tf.ones((6, 1))
    d = 1 / (1 + np.exp(-logit))
    assert float(model.critic_loss(x, x)) == pytest.approx(-np.log(d) - np.log(1 - d), rel=1e-5)
    assert float(model.generator_loss(x, x)) == pytest.approx(-np.log(d), rel=1e-5)
    model.objective = "minimax"
    assert float(model.generator_loss(x, x)) == pytest.approx(np.log(1 - d), rel=1e-5)


def test_no_other_critic_beats_the_optimal_one():
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 0.7)
    real, fake = p.sample((50_000, 1), seed=(1, 2)), q.sample((50_000, 1), seed=(3, 4))
    best = float(gan(critic_of(LogRatio(p, q))).critic_loss(real, fake))
    for m in (-0.3, 0.3):
        other = gan(critic_of(LogRatio(p, tfd.Normal(1.0 + m, 0.7))))
        assert float(other.critic_loss(real, fake)) > best


def test_minimax_gradient_vanishes_where_the_critic_is_sure_and_the_other_does_not():
    """Slope of the generator's loss at logit -8: sigmoid(-8) against 1 - sigmoid(-8)."""
    critic = critic_of(keras.layers.Activation("linear"))
    fake = tf.constant([[-8.0]])
    slopes = {}
    for objective in ("minimax", "non_saturating"):
        model = gan(critic, objective=objective)
        with tf.GradientTape() as tape:
            tape.watch(fake)
            loss = model.generator_loss(fake, fake)
        slopes[objective] = float(tape.gradient(loss, fake)[0, 0])
    sure = 1 / (1 + np.exp(8))
    assert slopes["minimax"] == pytest.approx(-sure, rel=1e-4)
    assert slopes["non_saturating"] == pytest.approx(-(1 - sure), rel=1e-4)


def build(name, **options):
    generator = networks.mlp(2, 2, 16, activation="tanh", seed=1)
    critic = networks.mlp(2, 1, 16, activation="tanh", seed=2)
    model = REGISTRY[name](generator, critic, **options)
    model.compile(jit_compile=False)  # XLA takes seconds to compile
    return model


POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


@pytest.mark.parametrize("name", REGISTRY)
def test_gradients_against_finite_differences(name):
    """Both losses, along one random direction of the network that minimises them."""
    model, rng = build(name), np.random.default_rng(5)
    real, latent = tf.constant(POINTS), tf.constant(rng.normal(size=(64, 2)), tf.float32)
    cases = {
        "critic_loss": model.critic,
        "generator_loss": model.generator,
    }
    for loss_name, network in cases.items():
        variables = [v.value for v in network.trainable_variables]

        def loss(loss_name=loss_name):
            return getattr(model, loss_name)(real, model.generator(latent))

        with tf.GradientTape() as tape:
            value = loss()
        grads = tape.gradient(value, variables)
        direction = [tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables]
        slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(grads, direction, strict=True))
        h, ends = 1e-2, []
        for sign in (1, -2, 1):
            for v, d in zip(variables, direction, strict=True):
                v.assign_add(sign * h * d)
            ends.append(float(loss()))
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=0.02, abs=1e-4), loss_name


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("critic_steps", [1, 3])
def test_every_trainable_variable_moves(name, critic_steps):
    model = build(name, critic_steps=critic_steps, seed=0)
    model.compile()
    before = [v.numpy() for v in model.trainable_variables]
    model.fit(POINTS, batch_size=16, steps_per_epoch=3, verbose=0)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0, variable.path


@pytest.mark.parametrize("name", REGISTRY)
def test_critic_steps_counts_the_critics_updates(name):
    model = build(name, critic_steps=3)
    model.fit(POINTS, batch_size=16, steps_per_epoch=4, verbose=0)
    assert int(model.critic_optimizer.iterations) == 12
    assert int(model.generator_optimizer.iterations) == 4


@pytest.mark.parametrize("name", REGISTRY)
def test_one_step_is_a_critic_then_a_generator_update(name):
    """With plain gradient descent, each network moves by its own gradient and nothing else."""
    model = build(name)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), jit_compile=False)
    latents = [tf.constant(np.random.default_rng(i).normal(size=(64, 2)), tf.float32) for i in (1, 2)]  # fmt: skip  # noqa: E501
    queue = list(latents)
    model.generate = lambda n: model.generator(queue.pop(0), training=True)
    twin = build(name)
    model.step(lambda: tf.constant(POINTS))

    def descend(network, loss_name, latent):
        variables = [v.value for v in network.trainable_variables]
        with tf.GradientTape() as tape:
            loss = getattr(twin, loss_name)(tf.constant(POINTS), twin.generator(latent))
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(0.1 * g)

    descend(twin.critic, "critic_loss", latents[0])
    descend(twin.generator, "generator_loss", latents[1])
    for a, b in zip(model.trainable_variables, twin.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_sample_repeats_with_its_seed_and_varies_without():
    model = build("gan")
    np.testing.assert_array_equal(model.sample(5, seed=1), model.sample(5, seed=1))
    assert np.abs(model.sample(5) - model.sample(5)).max() > 0
    assert model.sample(5).shape == (5, 2)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1; got 0"):
        model.sample(0)


def test_images_train_and_stay_in_range():
    x, _ = data.images("digits")
    generator = networks.conv_generator(4, (8, 8, 1), 8, seed=0)
    critic = networks.conv_critic((8, 8, 1), width=8, seed=1)
    model = GAN(generator, critic, seed=0)
    model.fit(x, steps_per_epoch=3, verbose=0)
    made = model.sample(7).numpy()
    assert made.shape == (7, 8, 8, 1) and made.min() >= 0 and made.max() <= 1


def logit_critic(**options):
    return networks.mlp(2, 1, 4, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GAN("g", logit_critic()), TypeError, "generator must be a built keras.Model"),
        (lambda: GAN(networks.mlp(2, 2), None), TypeError, "critic must be a built keras.Model"),
        (lambda: GAN(networks.mlp(2, 3), logit_critic()), ValueError, "critic must accept what"),
        (lambda: GAN(networks.mlp(2, 2), networks.mlp(2, 2)), ValueError, "one logit a sample"),
        (
            lambda: GAN(networks.mlp(2, 2), logit_critic(output_activation="sigmoid")),
            ValueError,
            "remove the sigmoid",
        ),
        (
            lambda: GAN(networks.mlp(2, 2), logit_critic(), objective="hinge"),
            ValueError,
            "objective must be one of minimax, non_saturating; got 'hinge'",
        ),
        (
            lambda: GAN(networks.mlp(2, 2), logit_critic(), critic_steps=0),
            ValueError,
            "critic_steps must be a whole number of at least 1",
        ),
        (
            lambda: GAN(networks.mlp((2, 2), 2), logit_critic()),
            ValueError,
            "generator must take latents",
        ),
    ],
)
def test_bad_networks_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="two objects"):
        build("gan").compile(adam, adam)
