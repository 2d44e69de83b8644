"""The variational autoencoder (Kingma and Welling 2014, "Auto-Encoding Variational Bayes").

A latent ``z ~ N(0, I)`` is decoded into ``p(x|z)``; an encoder gives ``q(z|x)``, a diagonal
Gaussian. Training raises ``ELBO(x) = E_q log p(x|z) - KL(q(z|x) || p(z)) <= log p(x)`` (eq. 3), in
nats per example: both terms are **sums**, over the pixels of x and over the latents of z.
"""

import keras
import numpy as np
import tensorflow as tf

from genlib import gaussian, memory, networks, validate
from genlib.gaussian import kl_to_standard_normal
from genlib.likelihood.base import LikelihoodModel, coin, draws, fixed, normal

_ROWS = 4096  # latents that a bound decodes at a time


class VAE(LikelihoodModel):
    """A variational autoencoder.

    Args:
      encoder: a Keras model from ``(n, ...)`` to ``(n, 2 * latent_dim)``: means, log-variances.
      decoder: one from ``(n, latent_dim)`` to ``(n, ...)``: logits (no sigmoid) for "bernoulli",
        means for "gaussian".
      likelihood: "bernoulli", for x in [0, 1], or "gaussian", of standard deviation ``scale``.
      beta: the KL term's weight (beta-VAE, Higgins et al. 2017), a variable; 1 is the ELBO.
      **options: ``seed``, ``name`` of the base class.

    TypeError for a network that is no built Keras model; ValueError for shapes that do not fit, a
    decoder of logits that ends in a sigmoid, and numbers out of range.
    """

    log_names = ("reconstruction", "kl", "loss")

    def __init__(self, encoder, decoder, latent_dim, likelihood="bernoulli", scale=1.0, beta=1.0,
                 **options):  # fmt: skip
        super().__init__(**options)
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.likelihood = validate.choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        self.scale = validate.positive("scale", scale)
        self.beta = fixed(self, np.float32(validate.non_negative("beta", beta)), "beta")
        networks.check("encoder", encoder)
        networks.check_shapes("encoder", encoder, encoder.input_shape, (None, 2 * latent_dim))
        networks.check_shapes("decoder", decoder, (None, latent_dim), encoder.input_shape)
        self._ends_in_sigmoid = networks.output_range(decoder)[2] == "sigmoid"
        if likelihood == "bernoulli" and self._ends_in_sigmoid:
            raise ValueError("decoder must give logits: remove the sigmoid of its last layer")
        self.encoder, self.decoder = encoder, decoder
        self.data_shape = tuple(encoder.input_shape[1:])

    def terms(self, x):
        """``-E_q log p(x|z)``, by one z for each x; ``KL(q||p)``, exact; the sum with beta."""
        mean, log_variance = self.encode(x, training=True)
        z = mean + tf.exp(log_variance / 2) * self.random_normal(tf.shape(mean))
        reconstruction = -tf.reduce_mean(self.log_likelihood(x, z, training=True))
        kl = tf.reduce_mean(kl_to_standard_normal(mean, log_variance))
        loss = reconstruction + self.beta.value * kl
        return {"reconstruction": reconstruction, "kl": kl, "loss": loss}

    def encode(self, x, training=False):
        """The means and log-variances of q(z|x), each ``(n, latent_dim)``."""
        return tf.split(self.encoder(x, training=training), 2, axis=-1)

    def log_likelihood(self, x, z, training=False):
        """``log p(x|z)``, ``(n,)`` in nats: a sum over all pixels of x."""
        out = self.decoder(z, training=training)
        if self.likelihood == "bernoulli":
            pixels = -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=out)
        else:
            pixels = gaussian.log_density(x, out, self.scale)
        return tf.reduce_sum(tf.reshape(pixels, (tf.shape(x)[0], -1)), axis=-1)

    def log_weights(self, x, noise):
        """``log p(x, z) / q(z|x)``, ``(k, n)`` in nats, z by ``noise`` ``(k, n, latent_dim)``."""
        mean, log_variance = self.encode(x)
        z = mean + tf.exp(log_variance / 2) * noise
        prior_over_q = tf.reduce_sum((noise**2 - z**2 + log_variance) / 2, axis=-1)
        return self._log_likelihoods(x, z) + prior_over_q

    def elbo(self, x, samples=1, seed=None):
        """The ELBO of each x, ``(n,)`` in nats, by ``samples`` draws of z; its KL term is exact."""
        x = self.check_batch("x", x)
        mean, log_variance = self.encode(x)
        deviation = tf.exp(log_variance / 2)
        blocks = [
            self._log_likelihoods(x, mean + deviation * noise)
            for noise in self._noise(validate.count("samples", samples), len(x), seed)
        ]
        expected = tf.reduce_mean(tf.concat(blocks, 0), axis=0)
        return expected - kl_to_standard_normal(mean, log_variance)

    def iwae(self, x, k, seed=None):
        """The importance-weighted bound ``log 1/k sum_i p(x, z_i) / q(z_i|x)``, ``(n,)`` in nats.

        Its mean is the ELBO at k = 1, and grows with k to log p(x) (Burda et al. 2016, Theorem 1).
        """
        x, k = self.check_batch("x", x), validate.count("k", k)
        blocks = [self.log_weights(x, noise) for noise in self._noise(k, len(x), seed)]
        return tf.reduce_logsumexp(tf.concat(blocks, 0), axis=0) - np.log(k)

    def decode(self, z):
        """The mean picture of p(x|z), ``(n, ...)``, for latents ``(n, latent_dim)``."""
        out = self.decoder(z)
        return tf.sigmoid(out) if self.likelihood == "bernoulli" else out

    def reconstruct(self, x):
        """``decode`` at the mean of q(z|x): ``(n, ...)``."""
        return self.decode(self.encode(self.check_batch("x", x))[0])

    def sample(self, n, seed=None, mean=False):
        """Draw ``n`` samples of p(x), ``(n, ...)``; with ``mean``, as most papers, of E(x|z)."""
        source = draws(seed)
        pixels = self.decode(normal((validate.count("n", n), self.latent_dim), source))
        if mean:
            return pixels
        if self.likelihood == "bernoulli":
            return coin(keras.random.uniform(pixels.shape, dtype="float32", seed=source), pixels)
        return pixels + self.scale * normal(pixels.shape, source)

    def active_units(self, x, threshold=0.01):
        """Whether ``Var_x(E_q z) > threshold``: ``(latent_dim,)`` (Burda et al. 2016, sec. 5)."""
        threshold = validate.non_negative("threshold", threshold)
        mean = self.encode(self.check_batch("x", x))[0]
        validate.finite("what the encoder gives", mean)
        return tf.math.reduce_variance(mean, axis=0).numpy() > threshold

    def validate_data(self, data, name="data"):
        """``data``; ValueError for values outside [0, 1] that the decoder's means never reach."""
        bounded = self.likelihood == "bernoulli" or self._ends_in_sigmoid
        return validate.unit_interval(name, data) if bounded else data

    def _log_likelihoods(self, x, z):
        """``log p(x|z)``, ``(k, n)``, for ``k`` latents of each x: z is ``(k, n, latent_dim)``."""
        k, n = z.shape[:2]
        repeated = tf.tile(x, [k, *[1] * len(self.data_shape)])
        flat = self.log_likelihood(repeated, tf.reshape(z, (k * n, self.latent_dim)))
        return tf.reshape(flat, (k, n))

    def _noise(self, k, n, seed):
        """Yield ``k`` standard normal ``(n, latent_dim)``, stacked in blocks of a bounded size."""
        source = draws(seed)
        for part in memory.slices(k, n, _ROWS):
            yield normal((part.stop - part.start, n, self.latent_dim), source)
