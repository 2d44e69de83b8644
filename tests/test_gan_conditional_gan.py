"""The conditional GAN: pairs, of which the generator moves the sample alone."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import divergences, networks
from genlib.gans import GAN, ConditionalGAN

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
LABELS = np.eye(3, dtype=np.float32)[np.arange(64) % 3]


def build(seed=0, **options):
    generator = networks.conditional_mlp(4, 3, 2, 8, 1, "tanh", seed=seed)
    critic = networks.projection_critic(2, 3, 8, 2, "tanh", seed=seed + 9)
    return ConditionalGAN(generator, critic, seed=seed, **options)


def pair_critic(function, shapes=((1,), (1,))):
    """The critic that is ``function`` of a sample and its condition."""
    start = [keras.Input(shape) for shape in shapes]
    return keras.Model(start, keras.layers.Lambda(lambda pair: function(*pair))(start))


@settings(max_examples=6)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.4, 1.5))
def test_value_at_the_best_critic_is_that_of_the_joint_laws(a, b, scale):
    """Label 0 or 1 with equal chance: the mean over labels of ``2 JSD(p_c, q_c) - log 4``."""
    p = [tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 0.5)]
    q = [tfd.Normal(a, scale), tfd.Normal(b, 1.0)]

    def log_ratio(x, c):
        first, second = (p[i].log_prob(x) - q[i].log_prob(x) for i in (0, 1))
        return tf.where(c < 0.5, first, second)

    model = ConditionalGAN(networks.conditional_mlp(1, 1, 1, 4), pair_critic(log_ratio))
    n = 60_000
    c = np.repeat([0.0, 1.0], n)[:, None]
    real, fake = (
        np.concatenate([law[i].sample((n, 1), seed=(i, k)) for i in (0, 1)])
        for k, law in enumerate((p, q))
    )
    value = -float(model.critic_loss((real, c), (fake, c)))
    true = np.mean([2 * float(divergences.js(p[i], q[i])) - np.log(4) for i in (0, 1)])
    assert value == pytest.approx(true, abs=0.02)
    blind = pair_critic(lambda x, c: log_ratio(x, 0 * c))  # a mutant: it does not see the label
    blind = -float(ConditionalGAN(model.generator, blind).critic_loss((real, c), (fake, c)))
    assert blind < true - 0.02 or abs(a) + abs(b - 1) < 0.2


def test_a_projection_critic_is_psi_of_phi_and_a_product():
    critic = networks.projection_critic(2, 3, 8, 2, "tanh", seed=1)
    hidden, feature, *heads = (
        (w.numpy(), b.numpy())
        for w, b in zip(critic.weights[::2], critic.weights[1::2], strict=True)
    )
    psi, v = sorted(heads, key=lambda head: len(head[1]))
    phi = np.tanh(np.tanh(POINTS @ hidden[0] + hidden[1]) @ feature[0] + feature[1])
    by_hand = phi @ psi[0] + psi[1] + ((LABELS @ v[0] + v[1]) * phi).sum(1, keepdims=True)
    np.testing.assert_allclose(critic([POINTS, LABELS]), by_hand, atol=1e-5)


def test_a_condition_that_says_nothing_gives_the_plain_game():
    """With a condition of zeros, losses are those of a GAN of the same critic."""
    model = build()
    start = keras.Input((2,))
    nothing = keras.layers.Lambda(lambda x: tf.zeros((tf.shape(x)[0], 3)), (3,))(start)
    plain = GAN(networks.mlp(4, 2), keras.Model(start, model.critic([start, nothing])))
    fake, none = POINTS[::-1] * 2, 0 * LABELS
    for loss in ("critic_loss", "generator_loss"):
        conditional = float(getattr(model, loss)((POINTS, none), (fake, none)))
        assert conditional == pytest.approx(float(getattr(plain, loss)(POINTS, fake)), abs=1e-5)


def test_made_samples_keep_the_condition_of_their_pair():
    """Each critic step pairs a made sample with the condition that it was made from."""
    start = [keras.Input((2,)), keras.Input((3,))]
    echo = keras.layers.Dense(3, use_bias=False)  # x is a copy of the condition
    generator = keras.Model(start, echo(start[1]))
    echo.set_weights([np.eye(3)])
    model = ConditionalGAN(generator, networks.projection_critic(3, 3, 4))
    fake, condition = model.generate_like((tf.constant(LABELS), tf.constant(LABELS)))
    np.testing.assert_array_equal(fake, LABELS)
    np.testing.assert_array_equal(condition, LABELS)


def test_r1_flattens_the_sample_alone():
    """``f = 3 x + 100 c``: the squared slope in x is 9."""
    critic = pair_critic(lambda x, c: 3 * x + 100 * c)
    model = ConditionalGAN(networks.conditional_mlp(1, 1, 1, 4), critic, r1=1.0)
    ones = tf.ones((5, 1))
    assert float(model.steepness((ones, 2 * ones))) == pytest.approx(9)


@pytest.mark.xla
def test_it_learns_each_condition():
    """Three labels at three places, over three seeds: each label's samples lie at its own."""
    places = np.array([[0, 2], [-2, -1], [2, -1]], np.float32)
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=3000)
    x = places[labels] + 0.2 * rng.normal(size=(3000, 2)).astype(np.float32)
    for seed in range(3):
        generator = networks.conditional_mlp(2, 3, 2, 32, seed=seed)
        critic = networks.projection_critic(2, 3, 32, seed=seed + 9)
        model = ConditionalGAN(generator, critic, r1=0.5, seed=seed)
        model.compile(*(keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in "gc"))
        model.fit(x, np.eye(3)[labels], batch_size=64, steps_per_epoch=1500, verbose=0)
        made = np.stack([model.sample(500, np.eye(3)[i : i + 1], seed=1) for i in range(3)])
        assert np.linalg.norm(made.mean(1) - places, axis=1).max() < 0.6
        assert made.std(1).mean(1).min() > 0.08  # variety: true 0.2


def two_latents():
    return networks.conditional_mlp((2, 2), 3, 2, 4)


@pytest.mark.parametrize(
    "networks_of, error, words",
    [
        (lambda: (networks.mlp(3, 2), networks.mlp(2, 1)), TypeError, "critic .* two tensors"),
        (
            lambda: (two_latents(), networks.projection_critic(2, 3)),
            ValueError,
            r"latents \(n, d\)",
        ),
        (lambda: (networks.mlp(4, 2), networks.projection_critic(2, 3)), ValueError, "is given"),
        (lambda: (networks.mlp(3, 5), networks.projection_critic(2, 3)), ValueError, "makes"),
        (
            lambda: (networks.mlp(3, 2), networks.conditional_mlp(2, 3, 4)),
            ValueError,
            "critic must give one number",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(networks_of, error, words):
    with pytest.raises(error, match=words):
        ConditionalGAN(*networks_of())


def test_critics_of_one_input_are_told_what_is_wanted():
    with pytest.raises(TypeError, match="critic must be a keras.Model from two tensors to one"):
        ConditionalGAN(networks.conditional_mlp(4, 3, 2), critics.identity((2,)))
