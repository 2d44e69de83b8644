"""M2: a VAE whose code holds the label, for data with few labels (Kingma et al. 2014).

A label ``y``, uniform over the classes, and a latent ``z ~ N(0, I)`` are decoded into ``p(x|y,z)``.
Where y is not given it is a latent too: ``q(y|x)``, which is a classifier, fills it in.
Source: "Semi-supervised Learning with Deep Generative Models", arXiv:1406.5298, section 2.
"""

import keras
import numpy as np
import tensorflow as tf

from genlib import validate
from genlib.likelihood.base import LikelihoodModel
from genlib.likelihood.bounds import kl_to_standard_normal


class M2(LikelihoodModel):
    """The semi-supervised model M2.

    Args:
      classifier: a Keras model from data ``(n, ...)`` to ``(n, classes)``, the logits of q(y|x).
      encoder: from ``(n, size + classes)``, the flattened x and the label as zeros and a one, to
        ``(n, 2 * latent_dim)``: means and log-variances of q(z|x,y).
      decoder: from ``(n, latent_dim + classes)`` to data ``(n, ...)``: logits of black pixels.
      latent_dim: the number of latents z.
      alpha: the weight of the classifier's own loss on the labelled data (the paper: 0.1).
      seed: batches and latents.

    Raises:
      TypeError: a network that is not a built Keras model.
      ValueError: networks whose shapes do not fit, ``latent_dim`` below 1, ``alpha`` below 0.
    """

    #: Minus the bounds, and the classifier's cross-entropy, in nats per example.
    log_names = ("unlabelled", "labelled", "classifier", "loss")

    def __init__(self, classifier, encoder, decoder, latent_dim, alpha=0.1, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.alpha = validate.non_negative("alpha", alpha)
        _check_networks(classifier, encoder, decoder, self.latent_dim)
        self.classifier, self.encoder, self.decoder = classifier, encoder, decoder
        self.data_shape = tuple(classifier.input_shape[1:])
        self.classes = classifier.output_shape[-1]
        self.labelled = None  # what `fit` was given: `_Labelled`

    # What the paper writes.

    def bound(self, x, y, noise):
        """``-L(x, y)``, eq. 6: a lower bound of log p(x, y), ``(n,)`` in nats, summed over pixels.

        ``y`` is ``(n, classes)``, zeros and a one; ``noise`` ``(n, latent_dim)`` gives the one z
        for each x. The KL term is exact.
        """
        flat = tf.reshape(x, (tf.shape(x)[0], -1))
        mean, log_variance = tf.split(self.encoder(tf.concat([flat, y], -1)), 2, axis=-1)
        z = mean + tf.exp(log_variance / 2) * noise
        logits = self.decoder(tf.concat([z, y], -1))
        pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
        misfit = tf.reduce_sum(tf.reshape(pixels, tf.shape(flat)), axis=-1)
        return -misfit - np.log(self.classes) - kl_to_standard_normal(mean, log_variance)

    def marginal_bound(self, x, noise):
        """``-U(x)``, eq. 7: a lower bound of log p(x), ``(n,)``; all labels are tried, none drawn.

        The same ``noise`` serves every label of an x.
        """
        n = tf.shape(x)[0]
        labels = tf.repeat(tf.eye(self.classes), n, axis=0)
        every_x = tf.tile(x, [self.classes, *[1] * len(self.data_shape)])
        bounds = self.bound(every_x, labels, tf.tile(noise, [self.classes, 1]))
        bounds = tf.transpose(tf.reshape(bounds, (self.classes, n)))
        log_q = tf.nn.log_softmax(self.classifier(x))
        return tf.reduce_sum(tf.exp(log_q) * (bounds - log_q), axis=-1)

    def terms(self, x):
        """Eq. 9 for one batch, divided by the number of all pictures: an average in nats."""
        n = tf.shape(x)[0]
        known = self.labelled
        chosen = self.random_uniform((n,), 0, known.count.value(), tf.int32)
        x_labelled, y = tf.gather(known.x, chosen), tf.gather(known.y, chosen)
        noise = self.random_normal((2, n, self.latent_dim))
        unlabelled = -tf.reduce_mean(self.marginal_bound(x, noise[0]))
        labelled = -tf.reduce_mean(self.bound(x_labelled, y, noise[1]))
        classifier = tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits(y, self.classifier(x_labelled))
        )
        loss = (1 - known.share) * unlabelled + known.share * labelled + self.alpha * classifier
        values = unlabelled, labelled, classifier, loss
        return dict(zip(self.log_names, values, strict=True))

    # Manners.

    def fit(self, x, labelled, **options):
        """Train on pictures without labels, ``x``, and on a few with: ``labelled = (x, y)``.

        Args:
          x: unlabelled data ``(n, ...)`` in [0, 1]. Where there are none, give the labelled
            pictures once more.
          labelled: data ``(m, ...)`` and whole numbers ``(m,)``, 0 to ``classes - 1``; each class
            at least once.
          **options: as for ``CompiledModel.fit``.

        Raises:
          ValueError: bad data, a label out of range, or a class without an example.
        """
        x = self.check_batch("x", x)
        if not isinstance(labelled, tuple | list) or len(labelled) != 2:
            raise ValueError(f"labelled must be a pair (x, y); got {type(labelled).__name__}")
        pictures, y = labelled
        pictures, y = self.check_batch("labelled", pictures), self._check_labels(y, len(pictures))
        missing = sorted(set(range(self.classes)) - set(y.tolist()))
        if missing:
            raise ValueError(f"labelled must hold each class; it lacks {missing}")
        if self.labelled is None or len(pictures) > self.labelled.room:
            self.labelled = _Labelled(len(pictures), self.data_shape, self.classes)
            self.train_function = None
        self.labelled.assign(pictures, tf.one_hot(y, self.classes), len(x))
        return super().fit(x, **options)

    def elbo(self, x, y=None, seed=None):
        """An estimate, by one z, of the bound on log p(x), or on log p(x, y): ``(n,)`` in nats.

        ``y`` are whole numbers ``(n,)``. The same ``seed`` draws the same latents. ValueError for
        bad data or labels.
        """
        x = self.check_batch("x", x)
        noise = keras.random.normal((len(x), self.latent_dim), seed=seed)
        if y is None:
            return self.marginal_bound(x, noise)
        return self.bound(x, tf.one_hot(self._check_labels(y, len(x)), self.classes), noise)

    def classify(self, x):
        """q(y|x), the probabilities of the classes: ``(n, classes)``. ValueError for bad data."""
        return tf.nn.softmax(self.classifier(self.check_batch("x", x)))

    def sample(self, n, y=None, seed=None):
        """``n`` mean pictures of p(x|y,z), ``(n, ...)``, of classes ``y``, ``(n,)``, or random."""
        n, draws = validate.count("n", n), keras.random.SeedGenerator(seed)
        latents = keras.random.normal((n, self.latent_dim), seed=draws)
        if y is None:
            y = keras.random.randint((n,), 0, self.classes, seed=draws)
        else:
            y = self._check_labels(y, n)
        return self.decode(latents, y)

    def decode(self, z, y):
        """The mean pictures of p(x|y,z) for latents ``(n, latent_dim)`` and labels ``(n,)``."""
        return tf.sigmoid(self.decoder(tf.concat([z, tf.one_hot(y, self.classes)], -1)))

    def encode(self, x, y):
        """The means of q(z|x,y) for labels ``(n,)``: ``(n, latent_dim)``, x's style."""
        x = self.check_batch("x", x)
        y = tf.one_hot(self._check_labels(y, len(x)), self.classes)
        code = self.encoder(tf.concat([tf.reshape(x, (len(x), -1)), y], -1))
        return code[:, : self.latent_dim]

    def validate_data(self, data):
        return validate.unit_interval("data", data)

    def _check_labels(self, y, n):
        y = np.asarray(y)
        if y.dtype.kind not in "iu" or y.shape != (n,):
            raise ValueError(f"y must be whole numbers of shape ({n},); got {y.dtype} {y.shape}")
        if n and (y.min() < 0 or y.max() >= self.classes):
            raise ValueError(
                f"y must be 0 to {self.classes - 1}; got labels from {y.min()} to {y.max()}"
            )
        return y


class _Labelled:
    """Labelled data as variables with room for more, so that other data need no new compilation."""

    def __init__(self, n, data_shape, classes):
        self.room = -(-n // 256) * 256
        self.x = tf.Variable(tf.zeros((self.room, *data_shape)), trainable=False)
        self.y = tf.Variable(tf.zeros((self.room, classes)), trainable=False)
        self.count = tf.Variable(0, trainable=False)
        self.share = tf.Variable(0.0, trainable=False)  # of all data, the unlabelled too

    def assign(self, x, y, unlabelled):
        self.x[: len(x)].assign(x)
        self.y[: len(y)].assign(y)
        self.count.assign(len(x))
        self.share.assign(len(x) / (len(x) + unlabelled))


def _check_networks(classifier, encoder, decoder, latent_dim):
    named = {"classifier": classifier, "encoder": encoder, "decoder": decoder}
    for name, network in named.items():
        if not isinstance(network, keras.Model) or not network.built:
            raise TypeError(f"{name} must be a built keras.Model; got {type(network).__name__}")
    classes, shape = classifier.output_shape[-1], classifier.input_shape
    size = int(np.prod(shape[1:]))
    wanted = {
        "encoder": ((None, size + classes), (None, 2 * latent_dim)),
        "decoder": ((None, latent_dim + classes), shape),
    }
    for name, (start, end) in wanted.items():
        found = named[name].input_shape, named[name].output_shape
        if found != (start, end):
            raise ValueError(
                f"{name} must go from {start} to {end}, for {latent_dim} latents and {classes} "
                f"classes; it goes from {found[0]} to {found[1]}"
            )
