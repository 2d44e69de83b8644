"""Small convolutional networks (after Radford et al. 2016, without batch norm), also for tests."""

import keras
from keras import layers


def conv_generator(latent_dim, image_shape, width=32) -> keras.Model:
    """``(n, latent_dim)`` to images ``(n, h, w, c)`` in [0, 1]; h and w are multiples of 4."""
    h, w, channels = image_shape
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(h // 4 * (w // 4) * 2 * width, "relu"),
            layers.Reshape((h // 4, w // 4, 2 * width)),
            layers.Conv2DTranspose(width, 4, 2, "same", activation="relu"),
            layers.Conv2DTranspose(channels, 4, 2, "same", activation="sigmoid"),
        ]
    )


def conv_critic(image_shape, width=32) -> keras.Model:
    """Images ``(n, h, w, c)`` to one number each."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Conv2D(width, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(2 * width, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
