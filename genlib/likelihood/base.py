"""What every likelihood model of the course shares: one optimizer, one loss in nats."""

import abc

import keras
import tensorflow as tf

from genlib import validate
from genlib.training import CompiledModel, minimise, resolve_jit


class LikelihoodModel(CompiledModel):
    """A model trained by going down one loss, in nats per example.

    A subclass sets ``data_shape``, the shape of one example, and defines `terms` and ``sample``;
    ``log_prob`` where the likelihood is exact, ``elbo`` and ``iwae`` where there is a bound.

    Args:
      seed: makes batches and all other draws reproducible; the networks bring their own seeds.
    """

    #: What a step reports. The terms of the loss come first, so that a run that diverges is
    #: stopped with the name of the term that broke.
    log_names = ("loss",)

    data_shape: tuple[int, ...]

    @abc.abstractmethod
    def terms(self, x):
        """``{name: scalar}`` for each of `log_names`, in nats per example; "loss" is minimised.

        ``x`` is a batch ``(n, *data_shape)``.
        """

    @staticmethod
    def default_optimizer() -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(1e-3)

    def compile(self, optimizer=None, jit_compile="auto"):
        """Choose the optimizer (default: the model's own) and whether XLA compiles."""
        self.optimizer = optimizer or self.default_optimizer()
        self.built = True
        self.optimizer.build(self.trainable_variables)
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

    def check_batch(self, name, x):
        """``x`` as float32 ``(n, *data_shape)``; ValueError for another shape, NaN, infinity."""
        x = tf.convert_to_tensor(x, tf.float32)
        if x.shape.rank is None or tuple(x.shape[1:]) != tuple(self.data_shape):
            wanted = ", ".join(["n", *map(str, self.data_shape)])
            raise ValueError(f"{name} must have shape ({wanted}); got {tuple(x.shape)}")
        return self.validate_data(validate.finite(name, x))
