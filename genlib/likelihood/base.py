"""What the likelihood models of the course share: one loss in nats, and checks of what they get."""

import abc

import keras
import numpy as np
import tensorflow as tf

from genlib import training, validate


class LikelihoodModel(training.CompiledModel):
    """A model trained by going down one loss, in nats per example.

    A subclass sets ``data_shape``, of one example, makes all of its weights when it is made, and
    defines `terms` and ``sample``; ``log_prob`` where that is exact, ``elbo`` and ``iwae`` where
    there is a bound. Random structure (masks, orders) is kept, and loaded, as untrained weights.
    """

    log_names = ("loss",)  # terms before their sum: a run that diverges names what broke first
    data_shape: tuple[int, ...]

    @abc.abstractmethod
    def terms(self, x):
        """``{log name: scalar}`` of a batch ``(n, *data_shape)``, in nats; "loss" is minimised."""

    def compile(self, optimizer=None, jit_compile="auto"):
        """Choose the optimizer or its name (default: Adam at 1e-3), and whether XLA compiles."""
        self.optimizer = training.resolve_optimizer(
            "optimizer", optimizer, keras.optimizers.Adam, self.trainable_variables
        )
        self.jit_compile = training.resolve_jit(jit_compile, (self,))
        self.compiled = True

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

        training.minimise(self.optimizer, self, objective)
        return logs

    def check_batch(self, name, x):
        """``x`` as float32 ``(n, *data_shape)``; ValueError unless the model can score it."""
        return self.validate_data(training.points(name, x, self.data_shape), name)


class Masked(keras.layers.Layer):
    """A kernel ``(..., inputs, outputs)`` that a fixed ``mask`` multiplies, and a bias."""

    def __init__(self, mask, seed=None):
        super().__init__(dtype="float32")
        glorot = keras.initializers.GlorotUniform(seed)
        self.kernel = self.add_weight(shape=mask.shape, initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=mask.shape[-1:], initializer="zeros", name="bias")
        self.mask = fixed(self, mask, "mask")
        self.built = True


def fixed(layer, value, name):
    """A weight of ``layer`` that holds the array ``value`` and is never trained."""
    weight = layer.add_weight(shape=value.shape, dtype=str(value.dtype), trainable=False, name=name)
    weight.assign(value)
    return weight


def draws(seed) -> keras.random.SeedGenerator:
    """Where the draws of one call come from; the same whole number gives the same draws."""
    return keras.random.SeedGenerator(validate.seed("seed", seed))


def normal(shape, source):
    """Standard normal numbers, float32, from `draws`."""
    return keras.random.normal(shape, dtype="float32", seed=source)


def uniforms(shape, seed):
    """Numbers in [0, 1), float32."""
    return tf.random.stateless_uniform(shape, tf.cast(draws(seed).next(), tf.int32))


def coin(uniform, probability):
    """1.0 with the given probability, else 0.0; NaN stays NaN. ``uniform``: numbers in [0, 1)."""
    drawn = tf.cast(uniform < probability, tf.float32)
    return tf.where(tf.math.is_nan(probability), probability, drawn)


def fitted(value):
    """``value``, which a model's ``fit`` sets; ValueError if it is still None."""
    if value is None:
        raise ValueError("the model is not fitted; call fit(x) first")
    return value


def rows(name, value, d):
    """`validate.samples` ``(n, d)``; ValueError for another d."""
    value = validate.samples(name, value)
    if value.shape[1] != d:
        raise ValueError(f"{name} must have shape (n, {d}); got {tuple(value.shape)}")
    return value


def check_labels(name, value, n, classes, least=0, every=False) -> np.ndarray:
    """``value``, ``n`` whole numbers from ``least``, as an array; with ``every``, of each class."""
    value = np.asarray(value)
    if value.dtype.kind not in "iu" or value.shape != (n,):
        raise ValueError(
            f"{name} must be whole numbers of shape ({n},); got {value.dtype} {value.shape}"
        )
    low, high = value.min(), value.max()
    if low < least or high >= classes:
        raise ValueError(
            f"{name} must be {least} to {classes - 1}; got labels from {low} to {high}"
        )
    missing = sorted(set(range(classes)) - set(value.tolist()))
    if every and missing:
        raise ValueError(f"{name} must hold each class; it lacks {missing}")
    return value
