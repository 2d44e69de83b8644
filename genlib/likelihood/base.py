"""What every likelihood model of the course shares: one optimizer, one loss in nats."""

import abc

import keras
import tensorflow as tf

from genlib import validate
from genlib.training import CompiledModel, minimise, resolve_jit, resolve_optimizer


class LikelihoodModel(CompiledModel):
    """A model trained by going down one loss, in nats per example.

    A subclass sets ``data_shape``, the shape of one example, makes all of its weights when it is
    made, and defines `terms` and ``sample``; ``log_prob`` where the likelihood is exact, ``elbo``
    and ``iwae`` where there is a bound. Structure that is drawn at random (masks, orders) is kept
    in weights that are not trained: whoever loads the weights gets the same model.

    All numbers are float32. Networks may compute in another precision; see `run`.

    Args:
      seed: makes batches and all other draws reproducible; the networks bring their own seeds.
    """

    #: What a step reports. The terms of the loss come first, so that a run that diverges is
    #: stopped with the name of the term that broke.
    log_names = ("loss",)

    data_shape: tuple[int, ...]

    def __init__(self, seed=None, name=None):
        super().__init__(seed=validate.seed("seed", seed), name=name)
        self.built = True

    @abc.abstractmethod
    def terms(self, x):
        """``{name: scalar}`` for each of `log_names`, in nats per example; "loss" is minimised.

        ``x`` is a batch ``(n, *data_shape)``.
        """

    @staticmethod
    def default_optimizer() -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(1e-3)

    def compile(self, optimizer=None, jit_compile="auto"):
        """Choose the optimizer or its name (default: the model's own), and whether XLA compiles."""
        self.optimizer = resolve_optimizer(
            "optimizer", optimizer, self.default_optimizer, self.trainable_variables
        )
        self.jit_compile = resolve_jit(jit_compile, (self,))
        self.compiled = True
        self.train_function = None

    @property
    def optimizers(self):
        return (self.optimizer,)

    @property
    def input_shape(self):
        """The shape of the data, ``(None, ...)``."""
        return (None, *self.data_shape)

    def step(self, draw_batch):
        """One update down the gradient of the loss; the terms of `log_names`."""
        logs = {}

        def objective():
            logs.update(self.terms(draw_batch()))
            return logs["loss"]

        minimise(self.optimizer, self, objective)
        return logs

    def validate_data(self, data, name="data"):
        """Return ``data``; ValueError if the model has no place for some of it."""
        return data

    def check_batch(self, name, x):
        """``x`` as `check_points` gives it, and as `validate_data` accepts it."""
        return self.validate_data(self.check_points(name, x), name)

    def check_points(self, name, x):
        """``x`` as float32 ``(n, *data_shape)``; ValueError for another shape, NaN, infinity."""
        x = tf.cast(validate.numbers(name, x), tf.float32)
        wanted = f"({', '.join(['n', *map(str, self.data_shape)])})"
        if not x.shape.rank or tuple(x.shape[1:]) != self.data_shape:
            raise ValueError(f"{name} must have shape {wanted}; got {x.shape}")
        if x.shape[0] == 0:
            raise ValueError(f"{name} must have shape {wanted}, n >= 1; got {x.shape}")
        return validate.finite(name, x)


def fixed(layer, value, name):
    """A weight of ``layer`` that holds the array ``value`` and is never trained."""
    weight = layer.add_weight(shape=value.shape, dtype=str(value.dtype), trainable=False, name=name)
    weight.assign(value)
    return weight


def run(network, x, training=False):
    """``network(x)`` in float32, whatever the network computes in (mixed precision, float64)."""
    return tf.cast(network(x, training=training), tf.float32)


def draws(seed) -> keras.random.SeedGenerator:
    """Where the draws of one call come from; the same whole number gives the same draws."""
    return keras.random.SeedGenerator(validate.seed("seed", seed))


def normal(shape, source):
    """Standard normal numbers, float32, from `draws`."""
    return keras.random.normal(shape, dtype="float32", seed=source)


def coin(uniform, probability):
    """1.0 with the given probability, else 0.0; NaN stays NaN. ``uniform``: numbers in [0, 1)."""
    drawn = tf.cast(uniform < probability, tf.float32)
    return tf.where(tf.math.is_nan(probability), probability, drawn)


def ends_in_sigmoid(network):
    """Whether the last layer with an activation is a sigmoid: all it gives lies in [0, 1]."""
    last = [layer for layer in network.layers if hasattr(layer, "activation")][-1:]
    return any(layer.activation is keras.activations.sigmoid for layer in last)
