"""MADE: an autoencoder whose masks make it an autoregressive model (Germain et al. 2015)."""

import functools

import keras
import numpy as np
import tensorflow as tf

from genlib import validate
from genlib.likelihood.base import LikelihoodModel, coin, draws, fixed


class MADE(LikelihoodModel):
    """Binary data ``(n, dim)``: p(x) is a product of one Bernoulli for each x_d given those before.

    Source: Germain et al. 2015 (arXiv:1502.03509), section 3, with one mask for each layer.

    Args:
      dim: how many binary numbers one example has.
      hidden: units in each hidden layer. Inputs are joined to the outputs directly too, by a mask
        of their own; with ``()`` that is all there is: a logistic regression of each x_d on those
        before it.
      order: the dimensions in the order in which they are drawn, a permutation of 0 to
        ``dim - 1``; default 0, 1, 2, ...
      seed: makes masks, initial weights and training batches reproducible.

    Raises:
      ValueError: a size below 1, or ``order`` is no permutation.
    """

    def __init__(self, dim, hidden=(256,), *, order=None, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        seed, dim = validate.seed("seed", seed), validate.count("dim", dim)
        hidden = [validate.count("hidden", units) for units in hidden]
        self.data_shape = (dim,)
        order = check_order(range(dim) if order is None else order, dim)
        self.order = fixed(self, order, "order")
        every = [*masks(order, ()), *(masks(order, hidden, seed) if hidden else [])]
        self.direct, *self.stack = (
            MaskedDense(mask, None if seed is None else seed + i) for i, mask in enumerate(every)
        )

    def logits(self, x):
        """The log-odds of x_d = 1 given those before it, ``(n, dim)``, from ``x`` ``(n, dim)``."""
        logits, h = self.direct(x), x
        for i, layer in enumerate(self.stack):
            h = layer(h if i == 0 else tf.nn.relu(h))
        return logits + h if self.stack else logits

    def conditional_log_probs(self, x):
        """log p(x_d | those before it) in nats, ``(n, dim)``."""
        return -tf.nn.sigmoid_cross_entropy_with_logits(x, self.logits(x))

    def log_prob(self, x):
        """log p(x) in nats, exact, ``(n,)``, for ``x`` ``(n, dim)`` of zeros and ones.

        ValueError for another shape, NaN, or any other value.
        """
        return tf.reduce_sum(self.conditional_log_probs(self.check_batch("x", x)), axis=1)

    def terms(self, x):
        return {"loss": -tf.reduce_mean(tf.reduce_sum(self.conditional_log_probs(x), axis=1))}

    def sample(self, n, seed=None):
        """Draw ``n`` examples, ``(n, dim)``: one pass of the network for each dimension."""
        shape = (validate.count("n", n), *self.data_shape)
        seed = draws(seed).next()
        return self._generated(tf.random.stateless_uniform(shape, tf.cast(seed, tf.int32)))

    @functools.cached_property
    def _generated(self):  # traced once, for any number of examples
        examples = tf.TensorSpec((None, *self.data_shape))
        return tf.function(self._generate, autograph=False).get_concrete_function(examples)

    def _generate(self, uniforms):
        def draw_next(i, x):
            d = self.order.value[i]
            ones = coin(uniforms[:, d], tf.sigmoid(self.logits(x)[:, d]))
            return i + 1, x + ones[:, None] * tf.one_hot(d, self.data_shape[0])

        start = (0, tf.zeros_like(uniforms))
        return tf.while_loop(lambda i, x: i < self.data_shape[0], draw_next, start)[1]

    def validate_data(self, data, name="data"):
        return validate.levels(name, data, 2)


class MaskedDense(keras.layers.Layer):
    """A dense layer whose weights are multiplied by a fixed ``mask`` ``(inputs, outputs)``."""

    def __init__(self, mask, seed=None):
        super().__init__(dtype="float32")
        glorot = keras.initializers.GlorotUniform(seed)
        self.kernel = self.add_weight(shape=mask.shape, initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=mask.shape[1:], initializer="zeros", name="bias")
        self.mask = fixed(self, mask, "mask")
        self.built = True

    def call(self, x):
        return x @ (self.kernel * self.mask) + self.bias


def masks(order, hidden, seed=None) -> list[np.ndarray]:
    """The masks of all layers, zeros and ones, each ``(inputs, outputs)``.

    Every input and every unit has a degree m. An input's is its place in ``order``, from 1. A
    hidden unit's is drawn between the least of the layer below and D - 1; it sees what has a degree
    up to its own. Output d sees what has a degree *below* that of input d (equations 12 and 13).

    Args:
      order: the dimensions in the order in which they are drawn.
      hidden: units in each hidden layer.
      seed: of the hidden units' degrees.
    """
    rng = np.random.default_rng(seed)
    degrees = input_degrees = 1 + np.argsort(order)
    result = []
    for units in hidden:
        above = rng.integers(degrees.min(), max(len(order), 2), size=units)
        result.append(above >= degrees[:, None])
        degrees = above
    result.append(input_degrees > degrees[:, None])
    return [mask.astype(np.float32) for mask in result]


def check_order(order, dim: int) -> np.ndarray:
    """Return ``order`` as whole numbers; ValueError unless it is a permutation of 0 to dim - 1."""
    array = np.asarray(order)
    if array.shape != (dim,) or not np.array_equal(np.sort(array), np.arange(dim)):
        raise ValueError(f"order must be a permutation of 0 to {dim - 1}; got {order!r}")
    return array.astype(np.int32)
