"""Critics of one layer, for which a game's value is known."""

import keras


def of_layer(layer, shape=(1,), name=None) -> keras.Model:
    """The network that is one layer, from samples ``(n, *shape)``."""
    start = keras.Input(shape)
    return keras.Model(start, layer(start), name=name)


def identity(shape=(1,), name=None) -> keras.Model:
    """It gives back its input, and has no weights."""
    return of_layer(keras.layers.Activation("linear"), shape, name)


def identity_autoencoder(shape=(2,)) -> keras.Model:
    """Encoder and decoder give back their inputs."""
    start = keras.Input(shape)
    encoder, decoder = (identity(shape, name) for name in ("encoder", "decoder"))
    return keras.Model(start, decoder(encoder(start)))


def linear(dim=1) -> keras.Model:
    """``<w, x>``, without a bias."""
    return of_layer(keras.layers.Dense(1, use_bias=False), (dim,))
