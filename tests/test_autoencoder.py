"""The autoencoder: its loss by hand, its gradient, and that a linear one finds PCA's plane.

Mutations that were tried and caught: a mean over pixels instead of a sum; a loss without its half.
"""

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from genlib import networks
from genlib.likelihood import PPCA, Autoencoder


def cloud(n=500, seed=0):
    """Points in five dimensions with clear principal axes."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    return (rng.normal(size=(n, 5)) * [3, 2, 0.5, 0.4, 0.3]) @ turn.T


def test_loss_by_hand():
    model = Autoencoder(networks.autoencoder((4, 4, 1), 3, width=8, seed=1))
    x = np.random.default_rng(0).uniform(size=(6, 4, 4, 1)).astype(np.float32)
    errors = ((x - model.reconstruct(x).numpy()) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(model.squared_error(x), errors, rtol=1e-5)
    np.testing.assert_allclose(model.terms(x)["loss"], errors.mean() / 2, rtol=1e-5)
    np.testing.assert_allclose(model.decoder(model.encoder(x)), model.reconstruct(x), rtol=1e-6)


def test_gradient_by_finite_differences():
    model = Autoencoder(networks.autoencoder(5, 2, depth=0, seed=0))
    x, bias = tf.constant(cloud(), tf.float32), model.decoder.layers[-1].bias
    with tf.GradientTape() as tape:
        loss = model.terms(x)["loss"]
    gradient = tape.gradient(loss, bias.value).numpy()
    off = (x - model.reconstruct(x)).numpy().mean(0)
    np.testing.assert_allclose(gradient, -off, atol=1e-5)  # d/db of the half of a square


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_one_finds_the_principal_plane(seed):
    x = cloud(seed=seed)
    model = Autoencoder(networks.autoencoder(5, 2, depth=0, seed=seed), seed=seed)
    decay = keras.optimizers.schedules.CosineDecay(0.02, 1500, alpha=0.02)
    model.compile(keras.optimizers.Adam(decay), jit_compile=False)
    model.fit(x, batch_size=128, epochs=1, steps_per_epoch=1500, verbose=0)
    found = model.decoder.layers[-1].kernel.numpy().T
    angles = np.degrees(scipy.linalg.subspace_angles(PPCA(2).fit(x).weights, found))
    assert angles.max() < 3
    dropped = np.linalg.eigvalsh(np.cov(x.T, bias=True))[:3].sum()
    assert dropped - 1e-3 < np.mean(model.squared_error(x)) < 1.03 * dropped


def test_refuses():
    with pytest.raises(ValueError, match='must have layers "encoder" and "decoder"'):
        Autoencoder(networks.mlp(3, 3))
    model = Autoencoder(networks.autoencoder(3, 2))
    for call in (model.squared_error, model.reconstruct):
        with pytest.raises(ValueError, match=r"x must have shape \(n, 3\), n >= 1; got \(2, 4\)"):
            call(np.zeros((2, 4)))
        with pytest.raises(ValueError, match="x must be finite"):
            call(np.full((2, 3), np.nan))
