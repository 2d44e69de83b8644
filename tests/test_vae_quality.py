"""What a VAE reaches on real digits, over seeds; lecture 21 trains 0 longer, and collapses 1."""

import keras
import numpy as np
import pytest

from genlib import data, networks
from genlib.likelihood import VAE


@pytest.fixture(scope="module")
def digits():
    """Binarised digits: four draws of the training pictures, one of the test pictures."""
    rng = np.random.default_rng(0)
    train, test = (data.images("mnist5k", split)[0] for split in ("train", "test"))
    draws = np.concatenate([rng.random(train.shape) < train for _ in range(4)])
    return draws.astype(np.float32), (rng.random(test.shape) < test).astype(np.float32)


def new_vae(seed, **options):
    encoder = networks.mlp((28, 28, 1), 40, 400, 1, seed=seed)
    decoder = networks.mlp(20, (28, 28, 1), 400, 1, seed=seed + 10)
    model = VAE(encoder, decoder, 20, seed=seed, **options)
    model.compile(keras.optimizers.Adam(2e-3), jit_compile=False)
    return model


@pytest.mark.parametrize("seed", (1, 2))
def test_elbo_of_unseen_digits(seed, digits):
    """800 steps reach -115 nats, +-0.3 over seeds; pixels that are independent reach -207."""
    train, test = digits
    model = new_vae(seed)
    model.fit(train, batch_size=128, steps_per_epoch=800, verbose=0)
    elbo, iwae = model.elbo(test, 5, seed=0).numpy(), model.iwae(test, 20, seed=0).numpy()
    assert -122 < elbo.mean() < -105
    assert elbo.mean() + 2 < iwae.mean() < -100
    assert model.active_units(test).sum() >= 18


@pytest.mark.parametrize("seed", (0, 2))
def test_a_mean_over_pixels_collapses_the_posterior(seed, digits):
    """A failure on the syllabus: the KL weighs 784 times too much."""
    train, test = digits
    model = new_vae(seed, beta=784.0)
    model.fit(train, batch_size=128, steps_per_epoch=200, verbose=0)
    assert model.active_units(test).sum() == 0
    assert model.elbo(test, 5, seed=0).numpy().mean() < -190
