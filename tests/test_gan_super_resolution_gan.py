"""Super-resolution: whose squared error is paid, in closed form, and what the game adds to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib import networks
from genlib.gans import ConditionalGAN, SuperResolutionGAN

SMALL = np.random.default_rng(1).random((64, 2, 2, 1)).astype(np.float32)
LARGE = np.repeat(np.repeat(SMALL, 2, 1), 2, 2)
LARGE += 0.1 * np.random.default_rng(2).normal(size=LARGE.shape).astype(np.float32)


def build(seed=0, **options):
    generator = networks.conditional_mlp(3, (2, 2, 1), (4, 4, 1), 8, 1, "tanh", seed=seed)
    critic = networks.conditional_mlp((4, 4, 1), (2, 2, 1), 1, 8, 1, "tanh", seed=seed + 9)
    model = SuperResolutionGAN(generator, critic, **{"seed": seed} | options)
    model.compile(jit_compile=False)  # XLA takes seconds to compile
    return model


def linear(kind, a, b, t, content):
    """``G(z, c) = a c + b + t z``, of one pixel, without an adversarial term."""
    start = [keras.Input((1,)), keras.Input((1,))]
    layer = keras.layers.Dense(1)
    generator = keras.Model(start, layer(keras.layers.Concatenate()(start)))
    layer.set_weights([np.array([[t], [a]]), np.array([b])])
    critic = networks.conditional_mlp(1, 1, 1, 4)
    return kind(generator, critic, adversarial_weight=0.0, content=content, seed=5)


def content_identities(kind, a, b, t):
    """``x = c + n / 2``, c and n normal: the error of the mean, and of each output ``t^2`` more."""
    n = 200_000
    c = tf.random.stateless_normal((n, 1), (0, 1))
    x = c + 0.5 * tf.random.stateless_normal((n, 1), (0, 2))
    of_mean = 0.25 + (1 - a) ** 2 + b**2
    for content, truth in (("each", of_mean + t**2), ("mean", of_mean)):
        model = linear(kind, a, b, t, content)
        loss = float(model.generator_loss((x, c), model.generate_like((x, c))))
        assert loss == pytest.approx(truth, rel=0.02, abs=0.02), content


finite = st.floats(-1, 1)


@settings(max_examples=8)
@given(finite, finite, finite)
def test_the_error_of_each_output_and_of_their_mean(a, b, t):
    content_identities(SuperResolutionGAN, a, b, t)


def test_a_sampler_of_the_posterior_pays_exactly_twice_the_least_error():
    """The posterior is ``N(c, 1/4)``; its mean pays 1/4, the least there is."""
    c = tf.random.stateless_normal((200_000, 1), (0, 1))
    x = c + 0.5 * tf.random.stateless_normal(c.shape, (0, 2))
    costs = []
    for t in (0.0, 0.5):
        model = linear(SuperResolutionGAN, 1.0, 0.0, t, "each")
        costs.append(float(model.generator_loss((x, c), model.generate_like((x, c)))))
    assert costs == pytest.approx([0.25, 0.5], abs=0.005)
    assert 10 * np.log10(costs[1] / costs[0]) == pytest.approx(3.01, abs=0.05)


class AveragesTwo(SuperResolutionGAN):
    """Wrong: the squared error of the mean of two keeps half of the variance."""

    def content_loss(self, x, made, again):
        return tf.reduce_mean((x - (made + again) / 2) ** 2)


class OneLatent(SuperResolutionGAN):
    """Wrong: the second output is the first."""

    def content_loss(self, x, made, again):
        return super().content_loss(x, made, made)


class MeansFirst(SuperResolutionGAN):
    """Wrong: the square of the mean error over the batch."""

    def content_loss(self, x, made, again):
        return tf.reduce_mean(x - made) * tf.reduce_mean(x - again)


@pytest.mark.parametrize("wrong", [AveragesTwo, OneLatent, MeansFirst])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        content_identities(wrong, 0.4, 0.3, 0.8)


def test_content_is_the_mean_over_pixels_and_the_game_is_added_with_its_weight():
    fake = (LARGE[::-1] * 0.9, SMALL)
    real = (LARGE, SMALL)
    game = ConditionalGAN(build().generator, build().critic)
    error = np.mean((LARGE - fake[0]) ** 2)
    for weight in (0.0, 1e-3, 2.0):
        model = build(adversarial_weight=weight)
        wanted = error + weight * float(game.generator_loss(real, fake))
        assert float(model.generator_loss(real, fake)) == pytest.approx(wanted, rel=1e-5)
        critic = float(game.critic_loss(real, fake))
        assert float(model.critic_loss(real, fake)) == pytest.approx(critic, rel=1e-5)


def test_without_a_weight_the_critic_stays():
    model = build(adversarial_weight=0.0)
    before = model.critic.get_weights()
    history = model.fit(LARGE, SMALL, batch_size=16, steps_per_epoch=4, verbose=0).history
    for old, new in zip(before, model.critic.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert history["critic_loss"] == [0.0] and history["generator_loss"] == history["content"]


def test_a_generator_without_latents_is_trained_on_its_error():
    critic = networks.conditional_mlp((4, 4, 1), (2, 2, 1), 1, 8)
    plain = networks.mlp((2, 2, 1), (4, 4, 1), 8)
    model = SuperResolutionGAN(plain, critic)
    model.compile(jit_compile=False)
    model.fit(LARGE, SMALL, batch_size=16, steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(model.translate(SMALL, seed=1), model.translate(SMALL, seed=2))
    with pytest.raises(ValueError, match="content must be 'each' for a generator without latents"):
        SuperResolutionGAN(plain, critic, content="mean")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"adversarial_weight": -1.0}, "adversarial_weight must be a finite number, 0 or more"),
        ({"adversarial_weight": np.nan}, "adversarial_weight must be a finite number"),
        ({"content": "all"}, "content must be one of each, mean; got 'all'"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        build(**options)
