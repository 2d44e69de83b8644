"""MADE: an autoencoder whose masks make it autoregressive (Germain et al. 2015, section 3)."""

import functools

import numpy as np
import tensorflow as tf

from genlib import training, validate
from genlib.likelihood.base import LikelihoodModel, Masked, coin, fixed, uniforms


class MADE(LikelihoodModel):
    """Binary data ``(n, dim)``: p(x) is a product of one Bernoulli for each x_d given those before.

    Args:
      hidden: units in each layer. Inputs feed outputs directly too: ``()`` is logistic regression.
      order: the dimensions in the order in which they are drawn; default 0, 1, 2, ...
      seed: makes masks, initial weights and training batches reproducible.

    ValueError for a size below 1, or an ``order`` that is no permutation of 0 to ``dim - 1``.
    """

    def __init__(self, dim, hidden=(256,), *, order=None, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        seed, dim = validate.seed("seed", seed), validate.count("dim", dim)
        hidden = [validate.count("hidden", units) for units in hidden]
        self.data_shape = (dim,)
        order = np.arange(dim) if order is None else np.asarray(order)
        if order.shape != (dim,) or set(order.tolist()) != set(range(dim)):
            raise ValueError(f"order must be a permutation of 0 to {dim - 1}; got {order}")
        self.order = fixed(self, order.astype(np.int32), "order")
        every = masks(order, ()) + (masks(order, hidden, seed) if hidden else [])
        self.direct, *self.stack = (
            MaskedDense(mask, None if seed is None else seed + i) for i, mask in enumerate(every)
        )

    def logits(self, x):
        """The log-odds of x_d = 1 given those before it, ``(n, dim)``, from ``x`` ``(n, dim)``."""
        if not self.stack:
            return self.direct(x)
        h = x
        for layer in self.stack[:-1]:
            h = tf.nn.relu(layer(h))
        return self.direct(x) + self.stack[-1](h)

    def conditional_log_probs(self, x):
        """log p(x_d | those before it) in nats, ``(n, dim)``."""
        return -tf.nn.sigmoid_cross_entropy_with_logits(x, self.logits(x))

    def log_prob(self, x):
        """log p(x) in nats, exact, ``(n,)``; ValueError unless ``x`` ``(n, dim)`` is 0 and 1."""
        return tf.reduce_sum(self.conditional_log_probs(self.check_batch("x", x)), axis=1)

    def terms(self, x):
        return {"loss": -tf.reduce_mean(tf.reduce_sum(self.conditional_log_probs(x), axis=1))}

    def sample(self, n, seed=None):
        """Draw ``n`` examples, ``(n, dim)``: one pass of the network for each dimension."""
        return self._generated(uniforms((validate.count("n", n), *self.data_shape), seed))

    @functools.cached_property
    def _generated(self):
        return training.traced(self._generate, (None, *self.data_shape))

    def _generate(self, uniform):
        def draw_next(i, x):
            d = self.order.value[i]
            ones = coin(uniform[:, d], tf.sigmoid(self.logits(x)[:, d]))
            return i + 1, x + ones[:, None] * tf.one_hot(d, self.data_shape[0])

        start = (0, tf.zeros_like(uniform))
        return tf.while_loop(lambda i, x: i < self.data_shape[0], draw_next, start)[1]

    def validate_data(self, data, name="data"):
        return validate.levels(name, data, 2)


class MaskedDense(Masked):
    def call(self, x):
        return x @ (self.kernel * self.mask) + self.bias


def masks(order, hidden, seed=None) -> list[np.ndarray]:
    """The masks of all layers, zeros and ones, each ``(inputs, outputs)``.

    An input's degree is its place in ``order``, from 1; a hidden unit's is drawn, by ``seed``,
    between the least of the layer below and D - 1, and it sees degrees up to its own. Output d sees
    degrees *below* that of input d (equations 12 and 13).
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
