"""pix2pix: its two terms, the PatchGAN's receptive field, and what L1 alone answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib import networks
from genlib.gans import ConditionalGAN, Pix2Pix
from genlib.training import minimise

RNG = np.random.default_rng(0)
PICTURES = RNG.random((12, 16, 16, 3)).astype(np.float32)
MAPS = RNG.random((12, 8, 8, 2)).astype(np.float32)


def build(seed=0, **options):
    generator = networks.patch_generator((8, 8, 2), (16, 16, 3), 4, 1, 6, 1, seed=seed)
    critic = networks.patch_critic((16, 16, 3), (8, 8, 2), 8, 4, 6, 1, seed=seed + 9)
    return Pix2Pix(generator, critic, **({"seed": seed} | options))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


@settings(max_examples=5)
@given(st.integers(0, 99), st.floats(0, 200))
def test_losses_by_hand(seed, weight):
    """Both sums by NumPy, and two wrong ones told apart: L1 summed, and the unpaired L1."""
    model = build(seed, l1_weight=weight)
    fake = model.generator(MAPS).numpy()
    on_real, on_fake = (model.critic([y, MAPS]).numpy() for y in (PICTURES, fake))
    assert on_real.shape == (12, 3, 3, 1)
    pairs = (PICTURES, MAPS), (fake, MAPS)
    critic_loss = softplus(-on_real).mean() + softplus(on_fake).mean()
    assert float(model.critic_loss(*pairs)) == pytest.approx(critic_loss, rel=1e-4)
    game, l1 = softplus(-on_fake).mean(), np.abs(PICTURES - fake).mean()
    loss = float(model.generator_loss(*pairs))
    assert loss == pytest.approx(game + weight * l1, rel=1e-4)
    if weight > 1:
        summed = np.abs(PICTURES - fake).sum((1, 2, 3)).mean()
        unpaired = np.abs(PICTURES[::-1] - fake).mean()
        for wrong in (summed, unpaired):
            assert loss != pytest.approx(game + weight * wrong, rel=1e-4)


def test_without_l1_it_is_the_conditional_gan():
    """The map of scores is a mean of games: for one patch a picture it is `ConditionalGAN`'s."""
    model = build(l1_weight=0.0)
    whole = networks.patch_critic((16, 16, 3), (8, 8, 2), 16, 16, 6, 1, seed=3)
    flat = keras.Model(whole.inputs, keras.layers.Flatten()(whole.output))
    ours = Pix2Pix(model.generator, whole, l1_weight=0.0)
    plain = ConditionalGAN(model.generator, flat)
    pairs = (PICTURES, MAPS), (model.generator(MAPS), MAPS)
    for loss in ("critic_loss", "generator_loss"):
        expected = float(getattr(plain, loss)(*pairs))
        assert float(getattr(ours, loss)(*pairs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("patch, stride", [(4, 4), (8, 4), (16, 8), (12, 4)])
def test_a_score_sees_its_patch_and_exactly_nothing_else(patch, stride):
    critic = networks.patch_critic((32, 32, 3), (16, 16, 2), patch, stride, 8, seed=0)
    rows, columns = critic.output_shape[1:3]
    assert rows == columns == (32 - patch) // stride + 1
    y, x = (
        tf.constant(RNG.random((1, *shape)), tf.float32) for shape in ((32, 32, 3), (16, 16, 2))
    )
    for row, column in ((0, 0), (rows - 1, 0), (rows // 2, columns - 1)):
        with tf.GradientTape() as tape:
            tape.watch([y, x])
            score = critic([y, x])[0, row, column, 0]
        for slope, scale in zip(tape.gradient(score, [y, x]), (1, 2), strict=True):
            seen = np.abs(slope.numpy()[0]).sum(-1) > 0
            top, left = row * stride // scale, column * stride // scale
            inside = np.zeros_like(seen)
            inside[top : top + patch // scale, left : left + patch // scale] = True
            assert not seen[~inside].any()
            assert seen[inside].mean() > 0.95


def test_all_patches_are_judged_by_one_network():
    """Moved by a stride, a picture's scores move with it; and so do a generator's cells."""
    critic = networks.patch_critic((32, 32, 1), (32, 32, 1), 8, 4, 8, seed=0)
    y, x = RNG.random((2, 1, 32, 32, 1)).astype(np.float32)
    moved = [np.roll(part, 4, axis=1) for part in (y, x)]
    np.testing.assert_allclose(critic([y, x])[0, :-1], critic(moved)[0, 1:], atol=1e-5)
    generator = networks.patch_generator((16, 16, 1), (32, 32, 1), 4, 1, 8, seed=0)
    x = RNG.random((1, 16, 16, 1)).astype(np.float32)
    whole, moved = generator(x), generator(np.roll(x, 2, axis=1))
    np.testing.assert_allclose(whole[0, 4:-8], moved[0, 8:-4], atol=1e-5)


def test_a_cell_comes_from_the_map_around_it():
    generator = networks.patch_generator((8, 8, 1), (16, 16, 3), 2, 2, 8, seed=0)
    x = tf.constant(RNG.random((1, 8, 8, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        pixel = generator(x)[0, 7, 9, 1]  # in row 3, column 4 of cells of 2 pixels
    seen = np.abs(tape.gradient(pixel, x).numpy()[0, ..., 0]) > 0
    inside = np.zeros((8, 8), bool)
    inside[1:6, 2:7] = True
    assert not seen[~inside].any() and seen[inside].mean() > 0.9


def test_a_patch_generator_puts_each_pixel_in_its_place():
    """With no hidden layer and the identity for weights, a picture comes back as it was."""
    generator = networks.patch_generator(
        (8, 8, 3), (8, 8, 3), 4, 0, depth=0, output_activation=None
    )
    generator.set_weights([np.eye(48), np.zeros(48)])
    x = RNG.random((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(generator(x), x, atol=1e-6)


@pytest.mark.parametrize("odds", [(0.5, 0.3, 0.2), (0.2, 0.2, 0.6), (0.3, 0.3, 0.4)])
def test_l1_alone_answers_with_the_median_and_squares_with_the_mean(odds):
    """One map, three pictures of it with known odds: descent on the library's loss."""
    values = np.array([0.1, 0.5, 1.0], np.float32)
    pictures = np.repeat(values, np.round(1000 * np.array(odds)).astype(int))
    pictures = tf.constant(pictures[:, None, None, None] * np.ones((1, 4, 4, 1), np.float32))
    maps = tf.ones((len(pictures), 4, 4, 1))
    generator = networks.patch_generator(
        (4, 4, 1), (4, 4, 1), 4, 0, depth=0, output_activation=None, seed=0
    )
    critic = networks.patch_critic((4, 4, 1), (4, 4, 1), 4, 4, seed=0)
    critic.set_weights([0 * w for w in critic.get_weights()])  # says nothing, to anyone
    model = Pix2Pix(generator, critic, l1_weight=1.0)
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 300, alpha=0.0))
    adam.build(generator.trainable_variables)

    @tf.function
    def step():
        fake = generator(maps), maps
        minimise(
            adam, generator, lambda: model.generator_loss((pictures, maps), (generator(maps), maps))
        )
        return fake

    for _ in range(300):
        step()
    answer = generator(maps[:1]).numpy()
    median = values[np.searchsorted(np.cumsum(odds), 0.5)]
    if not np.isclose(np.cumsum(odds), 0.5).any():  # else every value between two is a median
        np.testing.assert_allclose(answer, median, atol=0.02)
    risk = [np.sum(odds * np.abs(values - a)) for a in np.linspace(0, 1.1, 1101)]
    assert np.sum(odds * np.abs(values - answer.mean())) < min(risk) + 2e-3
    assert abs(float(values @ odds) - median) > 0.04 or np.isclose(np.cumsum(odds), 0.5).any()


def test_r1_flattens_a_pictures_mean_score_in_the_picture_alone():
    critic = networks.patch_critic((8, 8, 1), (8, 8, 1), 4, 4, depth=0, seed=0)
    weights = np.concatenate([np.full((16, 1), 2.0), np.full((16, 1), 50.0)])
    critic.set_weights([weights, np.zeros(1)])
    generator = networks.patch_generator((8, 8, 1), (8, 8, 1))
    model = Pix2Pix(generator, critic, r1=1.0)
    ones = tf.ones((5, 8, 8, 1))
    # The mean of four patches: each pixel's slope is 2 / 4, and there are 64 pixels.
    assert float(model.steepness((ones, 2 * ones))) == pytest.approx(64 * 0.5**2, rel=1e-5)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda m: m.fit(255 * PICTURES, MAPS), r"data must be in \[0, 1\]"),
        (lambda m: build(l1_weight=-1.0), "l1_weight"),
        (lambda m: build(l1_weight=np.nan), "l1_weight"),
        (
            lambda m: Pix2Pix(m.generator, networks.projection_critic((16, 16, 3), (8, 8, 2))),
            r"critic must give a map of numbers, shape \(n, h, w, 1\)",
        ),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(build())


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: networks.patch_critic((16, 16, 1), (16, 16, 1), 6, 4), "patch must be a multiple"),
        (lambda: networks.patch_critic((16, 16, 1), (16, 16, 1), 32, 16), "patch must .* within"),
        (lambda: networks.patch_critic((16, 16, 1), (8, 8, 1), 3, 3), "stride must divide"),
        (lambda: networks.patch_critic((16, 16, 1), (5, 5, 1)), "whole number of times"),
        (lambda: networks.patch_generator((8, 8, 1), (16, 8, 1)), "whole number of times"),
        (lambda: networks.patch_generator((8, 8, 1), (8, 8, 1), 3), "cell must divide"),
        (lambda: networks.patch_generator((8, 8), (8, 8, 1)), r"shapes must be \(h, w, c\)"),
        (lambda: networks.patch_generator((8, 8, 1), (8, 8, 1), reach=-1), "reach"),
    ],
)
def test_patches_that_do_not_fit_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
