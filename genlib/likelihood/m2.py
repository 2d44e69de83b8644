"""M2: a VAE whose code holds the label (Kingma et al. 2014, arXiv:1406.5298, section 2).

A label ``y``, uniform over the classes, and a latent ``z ~ N(0, I)`` are decoded into ``p(x|y,z)``.
Where y is not given it is a latent too: ``q(y|x)``, which is a classifier, fills it in.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from genlib import networks, validate
from genlib.gaussian import kl_to_standard_normal
from genlib.likelihood.base import LikelihoodModel, check_labels, draws, normal


class M2(LikelihoodModel):
    """The semi-supervised model M2.

    Args:
      classifier: a Keras model from data ``(n, ...)`` to ``(n, classes)``, the logits of q(y|x).
      encoder: from ``(n, size + classes)``, the flattened x and the label as zeros and a one, to
        ``(n, 2 * latent_dim)``: means and log-variances of q(z|x,y).
      decoder: from ``(n, latent_dim + classes)`` to data ``(n, ...)``: logits of black pixels.
      alpha: the weight of the classifier's own loss on the labelled data (the paper: 0.1).

    TypeError if no built Keras model; ValueError for shapes that do not fit, numbers out of range.
    """

    #: Minus the bounds, and the classifier's cross-entropy, in nats per example.
    log_names = ("unlabelled", "labelled", "classifier", "loss")

    def __init__(self, classifier, encoder, decoder, latent_dim, alpha=0.1, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.alpha = validate.non_negative("alpha", alpha)
        networks.check("classifier", classifier)
        pictures, self.classes = classifier.input_shape, classifier.output_shape[-1]
        coded, seen = latent_dim + self.classes, math.prod(pictures[1:]) + self.classes
        networks.check_shapes("encoder", encoder, (None, seen), (None, 2 * latent_dim))
        networks.check_shapes("decoder", decoder, (None, coded), pictures)
        self.classifier, self.encoder, self.decoder = classifier, encoder, decoder
        self.data_shape = pictures[1:]
        # What `fit` was given: labelled pictures, any number of them, and their share of all.
        self.labelled_x, self.labelled_y = (
            tf.Variable(tf.zeros((1, *shape)), shape=(None, *shape), trainable=False)
            for shape in (self.data_shape, (self.classes,))
        )
        self.share = tf.Variable(0.0, trainable=False)

    def bound(self, x, y, noise):
        """``-L(x, y)``, eq. 6: a lower bound of log p(x, y), ``(n,)`` in nats, summed over pixels.

        ``y`` is ``(n, classes)``, zeros and a one; ``noise`` ``(n, latent_dim)`` gives the z's.
        """
        flat = tf.reshape(x, (tf.shape(x)[0], -1))
        mean, log_variance = tf.split(self.encoder(tf.concat([flat, y], -1)), 2, axis=-1)
        z = mean + tf.exp(log_variance / 2) * noise
        logits = self.decoder(tf.concat([z, y], -1))
        pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
        misfit = tf.reduce_sum(tf.reshape(pixels, tf.shape(flat)), axis=-1)
        return -misfit - np.log(self.classes) - kl_to_standard_normal(mean, log_variance)

    def marginal_bound(self, x, noise):
        """``-U(x)``, eq. 7: a lower bound of log p(x), ``(n,)``; all labels meet one ``noise``."""
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
        chosen = self.random_uniform((n,), 0, tf.shape(self.labelled_x)[0], tf.int32)
        x_labelled, y = (tf.gather(v, chosen) for v in (self.labelled_x, self.labelled_y))
        noise = self.random_normal((2, n, self.latent_dim))
        unlabelled = -tf.reduce_mean(self.marginal_bound(x, noise[0]))
        labelled = -tf.reduce_mean(self.bound(x_labelled, y, noise[1]))
        logits = self.classifier(x_labelled)
        classifier = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))
        loss = (1 - self.share) * unlabelled + self.share * labelled + self.alpha * classifier
        values = unlabelled, labelled, classifier, loss
        return dict(zip(self.log_names, values, strict=True))

    def fit(self, x, labelled, **options):
        """Train on pictures without labels, ``x``, and on a few with: ``labelled = (x, y)``.

        Both hold data ``(n, ...)`` in [0, 1], y whole numbers ``(n,)``, 0 to ``classes - 1``, each
        class at least once; else ValueError. ``options`` are those of ``CompiledModel.fit``.
        """
        x = self.check_batch("x", x)
        if not isinstance(labelled, tuple | list) or len(labelled) != 2:
            raise ValueError(f"labelled must be a pair (x, y); got {type(labelled).__name__}")
        pictures = self.check_batch("labelled", labelled[0])
        y = check_labels("y", labelled[1], len(pictures), self.classes, every=True)
        self.labelled_x.assign(pictures)
        self.labelled_y.assign(tf.one_hot(y, self.classes))
        self.share.assign(len(y) / (len(y) + len(x)))
        return super().fit(x, **options)

    def elbo(self, x, y=None, seed=None):
        """The bound on log p(x), or on log p(x, y), y whole numbers, by one z: ``(n,)`` in nats."""
        x = self.check_batch("x", x)
        noise = normal((len(x), self.latent_dim), draws(seed))
        if y is None:
            return self.marginal_bound(x, noise)
        y = check_labels("y", y, len(x), self.classes)
        return self.bound(x, tf.one_hot(y, self.classes), noise)

    def classify(self, x):
        """q(y|x), the probabilities of the classes: ``(n, classes)``. ValueError for bad data."""
        return tf.nn.softmax(self.classifier(self.check_batch("x", x)))

    def sample(self, n, y=None, seed=None):
        """``n`` mean pictures of p(x|y,z), ``(n, ...)``, of classes ``y``, ``(n,)``, or random."""
        n, source = validate.count("n", n), draws(seed)
        latents = normal((n, self.latent_dim), source)
        if y is None:
            y = keras.random.randint((n,), 0, self.classes, seed=source)
        return self.decode(latents, check_labels("y", y, n, self.classes))

    def decode(self, z, y):
        """The mean pictures of p(x|y,z) for latents ``(n, latent_dim)`` and labels ``(n,)``."""
        return tf.sigmoid(self.decoder(tf.concat([z, tf.one_hot(y, self.classes)], -1)))

    def encode(self, x, y):
        """The means of q(z|x,y) for labels ``(n,)``: ``(n, latent_dim)``, x's style."""
        x = self.check_batch("x", x)
        y = tf.one_hot(check_labels("y", y, len(x), self.classes), self.classes)
        code = self.encoder(tf.concat([tf.reshape(x, (len(x), -1)), y], -1))
        return code[:, : self.latent_dim]

    def validate_data(self, data, name="data"):
        return validate.unit_interval(name, data)
