"""Networks of lecture 52: they read a sentence, and draw or judge a scene of two halves.

A condition is a sentence of `genlib.lectures.scenes` as `one_hot`, ``(n, 5, 9)``. An encoder turns
it into one vector for each half of the picture; one and the same small network then
draws, or judges, either half from the half's own vector.
"""

import keras
import tensorflow as tf
from keras import layers

from genlib import validate
from genlib.lectures import scenes

HALVES = 2
QUESTIONS = 2  # that each half asks of the words: it needs a colour and a shape
_WORDS = (5, len(scenes.WORDS))
_HALF = (scenes.SIZE // HALVES) * scenes.SIZE * 3


@keras.saving.register_keras_serializable("genlib")
class Attention(layers.Layer):
    """For each half of the picture two means of the words, weighted by how much it looks at each.

    Words ``(n, 5, 9)`` to ``(n, 2, 2 units)``. Each word first looks at the others, and at its own
    place in the sentence (self-attention, Vaswani et al. 2017): so "circle" may know that "below"
    was said. Then each half asks two questions (`weights_of`). What it takes from a word is the
    bare word, without its place.
    """

    def __init__(self, units, seed=0, **options):
        super().__init__(**options)
        self.units, self.seed = units, seed

    def get_config(self):
        return super().get_config() | {"units": self.units, "seed": self.seed}

    def build(self, shape):
        _, words, known = shape
        square = (self.units, self.units)
        shapes = {"word": (known, self.units), "place": (words, self.units), "query": square}
        shapes |= {"key": square, "value": square, "last_key": square}
        shapes |= {"questions": (HALVES * QUESTIONS, self.units)}
        for i, (name, shape) in enumerate(shapes.items()):
            glorot = keras.initializers.GlorotUniform(self.seed + i)
            setattr(self, f"_{name}", self.add_weight(shape=shape, initializer=glorot, name=name))

    def weights_of(self, words):
        """How much each question looks at each word, ``(n, 4, 5)``; a row adds up to 1.

        The first two questions are those of the upper half.
        """
        x = words @ self._word + self._place
        match = _dots(x @ self._query, x @ self._key) / self.units**0.5
        x += _means(tf.nn.softmax(match), x @ self._value)
        return tf.nn.softmax(_dots(self._questions[None], tf.nn.tanh(x) @ self._last_key))

    def call(self, words):
        found = _means(self.weights_of(words), words @ self._word)
        return tf.reshape(found, (-1, HALVES, QUESTIONS * self.units))


def _dots(a, b):
    """All inner products ``(n, k, m)`` of ``(n or 1, k, d)`` and ``(n, m, d)``.

    As a sum of products: inside XLA on a CPU a batch of small matrix products is slower.
    """
    return tf.reduce_sum(a[:, :, None] * b[:, None], -1)


def _means(weights, x):
    """The weighted means ``(n, k, d)`` by ``(n, k, m)`` of ``(n, m, d)``."""
    return tf.reduce_sum(weights[..., None] * x[:, None], 2)


def encoder(kind, units=32, seed=0) -> keras.Model:
    """Sentences ``(n, 5, 9)`` to a vector for each half ``(n, 2, 2 units)``.

    "bag": which words are there, in no order; "gru": a recurrent network that reads them one after
    the other (Cho et al. 2014); "attention": `Attention`. ValueError for another kind.
    """
    validate.choice("kind", kind, ("bag", "gru", "attention"))
    words, glorot = keras.Input(_WORDS), _starts(seed)
    if kind == "attention":
        return keras.Model(words, Attention(units, seed)(words), name="encoder")
    if kind == "bag":
        read = layers.GlobalAveragePooling1D()(words)
        read = layers.Dense(64, "relu", kernel_initializer=glorot())(read)
    else:
        read = layers.GRU(
            64, unroll=True, kernel_initializer=glorot(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed),
        )(words)  # fmt: skip
    both = layers.Dense(HALVES * QUESTIONS * units, kernel_initializer=glorot())(read)
    both = layers.Reshape((HALVES, QUESTIONS * units))(both)
    return keras.Model(words, both, name="encoder")


def generator(kind="attention", latent=16, width=128, seed=0) -> keras.Model:
    """``[latents (n, latent), sentences (n, 5, 9)]`` to pictures ``(n, 16, 16, 3)`` in [0, 1]."""
    z, words, glorot = keras.Input((latent,)), keras.Input(_WORDS), _starts(seed + 20)
    own = layers.Reshape((HALVES, latent // HALVES))(z)  # each half has its own chance
    x = layers.Concatenate()([own, encoder(kind, seed=seed)(words)])
    for _ in range(2):
        x = layers.Dense(width, "relu", kernel_initializer=glorot())(x)
    x = layers.Dense(_HALF, "sigmoid", kernel_initializer=glorot())(x)
    return keras.Model([z, words], layers.Reshape((scenes.SIZE, scenes.SIZE, 3))(x))


def critic(kind="attention", width=128, seed=0) -> keras.Model:
    """``[pictures, sentences]`` to logits ``(n, 1)``: ``psi(phi(x)) + <v(y), phi(x)>``.

    A projection critic (Miyato and Koyama 2018), whose phi holds that of both halves, and psi their
    mean.
    """
    x, words = keras.Input((scenes.SIZE, scenes.SIZE, 3)), keras.Input(_WORDS)
    glorot = _starts(seed + 20)
    phi = layers.Reshape((HALVES, _HALF))(x)
    for _ in range(2):
        phi = layers.Dense(width, "leaky_relu", kernel_initializer=glorot())(phi)
    psi = layers.Dense(1, kernel_initializer=glorot())(phi)
    asked = layers.Dense(width, use_bias=False, kernel_initializer=glorot())
    asked = layers.Flatten()(asked(encoder(kind, seed=seed)(words)))
    fits = layers.Dot(-1)([asked, layers.Flatten()(phi)])
    alone = layers.GlobalAveragePooling1D()(psi)
    return keras.Model([x, words], layers.Add()([alone, fits]))


def attention(network) -> Attention:
    """The `Attention` in a `generator`."""
    (found,) = [layer for layer in network._flatten_layers() if isinstance(layer, Attention)]
    return found


def _starts(seed):
    """A maker of initializers, each with a seed of its own."""
    count = iter(range(seed, seed + 20))
    return lambda: keras.initializers.GlorotUniform(next(count))
