"""The autoencoder: a network that learns to give back what it is given, through a narrow code."""

import tensorflow as tf

from genlib import networks, validate
from genlib.likelihood.base import LikelihoodModel, ends_in_sigmoid, run


class Autoencoder(LikelihoodModel):
    """A `genlib.networks.autoencoder` and its training: reconstruct with little squared error.

    It compresses, and that is all: it has no density of the data, hence no ``log_prob`` and no
    ``sample``.

    Args:
      network: from data ``(n, ...)`` to data of the same shape, with layers "encoder" and
        "decoder", both models.
      **options: ``seed``, ``name`` of the base class.

    Raises:
      ValueError: a network without these two layers, or one that changes the shape.
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
        if network.output_shape != network.input_shape:
            raise ValueError(
                f"network must give what it takes, shape {network.input_shape}; it gives "
                f"{network.output_shape}"
            )
        self.data_shape = tuple(network.input_shape[1:])

    def validate_data(self, data, name="data"):
        """``data``; ValueError for values outside [0, 1] that a last sigmoid cannot give back."""
        return validate.unit_interval(name, data) if ends_in_sigmoid(self.decoder) else data

    def terms(self, x):
        """Half the squared error of each x, summed over its pixels; the mean over the batch.

        It is minus the log density, less a constant, of a Gaussian of variance 1 round the
        reconstruction: nats, but of x given its own code.
        """
        return {"loss": tf.reduce_mean(self._squared_error(x, training=True)) / 2}

    def squared_error(self, x):
        """The squared distance of each x to its reconstruction, ``(n,)``, summed over pixels."""
        return self._squared_error(self.check_batch("x", x))

    def reconstruct(self, x):
        """``x``, ``(n, ...)``, through the code and back."""
        return run(self.network, self.check_batch("x", x))

    def _squared_error(self, x, training=False):
        off = x - run(self.network, x, training)
        return tf.reduce_sum(tf.reshape(off**2, (tf.shape(x)[0], -1)), axis=1)
