"""The autoencoder: a network that learns to give back what it is given, through a narrow code."""

import tensorflow as tf

from genlib import networks, validate
from genlib.likelihood.base import LikelihoodModel


class Autoencoder(LikelihoodModel):
    """A `genlib.networks.autoencoder` and its training: reconstruct with little squared error.

    ``network`` goes from data ``(n, ...)`` to the same shape, and has two models for layers,
    "encoder" and "decoder"; else ValueError. There is no density, hence no ``log_prob``.
    """

    def __init__(self, network, **options):
        super().__init__(**options)
        self.network = networks.check("network", network)
        layers = {layer.name: layer for layer in network.layers}
        if not {"encoder", "decoder"} <= set(layers):
            raise ValueError(
                f'network must have layers "encoder" and "decoder"; got {", ".join(layers)}'
            )
        self.encoder, self.decoder = layers["encoder"], layers["decoder"]
        networks.check_shapes("network", network, network.input_shape, network.input_shape)
        self.data_shape = tuple(network.input_shape[1:])

    def validate_data(self, data, name="data"):
        """``data``; ValueError for values outside [0, 1] that a last sigmoid cannot give back."""
        bounded = networks.output_range(self.decoder)[2] == "sigmoid"
        return validate.unit_interval(name, data) if bounded else data

    def terms(self, x):
        """Half the squared error, over all pixels: a Gaussian's -log p in nats, less a constant."""
        return {"loss": tf.reduce_mean(self._squared_error(x, training=True)) / 2}

    def squared_error(self, x):
        """The squared distance of each x to its reconstruction, ``(n,)``, summed over pixels."""
        return self._squared_error(self.check_batch("x", x))

    def reconstruct(self, x):
        """``x``, ``(n, ...)``, through the code and back."""
        return self.network(self.check_batch("x", x))

    def _squared_error(self, x, training=False):
        off = x - self.network(x, training=training)
        return tf.reduce_sum(tf.reshape(off**2, (tf.shape(x)[0], -1)), axis=1)
