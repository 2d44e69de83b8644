"""The variational autoencoder (Kingma and Welling 2014, "Auto-Encoding Variational Bayes").

A latent ``z ~ N(0, I)`` is decoded into ``p(x|z)``; an encoder gives ``q(z|x)``, a Gaussian with a
diagonal covariance. Training goes up the evidence lower bound (equation 3 of the paper)

    ELBO(x) = E_q log p(x|z) - KL(q(z|x) || p(z))  <=  log p(x),

in nats per example: both terms are **sums**, over the pixels of x and over the latents of z.
"""

import keras
import numpy as np
import tensorflow as tf

from genlib import gaussian, memory, networks, validate
from genlib.gaussian import kl_to_standard_normal
from genlib.likelihood.base import (
    LikelihoodModel,
    coin,
    draws,
    ends_in_sigmoid,
    normal,
    run,
)

#: Latents that are decoded at a time where a bound takes many for each example.
_ROWS = 4096


class VAE(LikelihoodModel):
    """A variational autoencoder.

    Args:
      encoder: a Keras model from data ``(n, ...)`` to ``(n, 2 * latent_dim)``: the means of
        q(z|x), then the logarithms of its variances.
      decoder: a Keras model from latents ``(n, latent_dim)`` to ``(n, ...)``: logits, with no
        sigmoid, where the likelihood is "bernoulli"; means where it is "gaussian".
      latent_dim: the number of latents.
      likelihood: "bernoulli", each pixel black with a probability (for x in [0, 1]; it is a
        probability of x only where x is 0 or 1), or "gaussian".
      scale: the standard deviation of the Gaussian likelihood; the other does not use it.
      beta: the weight of the KL term in the loss, 0 or more (beta-VAE, Higgins et al. 2017); 1 is
        the ELBO. It is kept in the variable ``beta``, so that a callback may move it.
      **options: those of `LikelihoodModel`.

    Raises:
      TypeError: ``encoder`` or ``decoder`` is not a built Keras model.
      ValueError: a network whose shapes do not fit, a decoder that ends in a sigmoid, an unknown
        ``likelihood``, ``latent_dim`` below 1, ``scale`` not above 0, ``beta`` below 0.
    """

    log_names = ("reconstruction", "kl", "loss")

    def __init__(self, encoder, decoder, latent_dim, likelihood="bernoulli", scale=1.0, beta=1.0,
                 **options):  # fmt: skip
        super().__init__(**options)
        self.latent_dim = validate.count("latent_dim", latent_dim)
        self.likelihood = validate.choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        self.scale = validate.positive("scale", scale)
        beta = validate.non_negative("beta", beta)
        _check_networks(encoder, decoder, self.latent_dim, self.likelihood)
        self.encoder, self.decoder = encoder, decoder
        self.data_shape = tuple(encoder.input_shape[1:])
        self.beta = self.add_weight(
            name="beta", shape=(), dtype="float32", trainable=False,
            initializer=keras.initializers.Constant(beta),
        )  # fmt: skip

    # What the paper writes.

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
        return tf.split(run(self.encoder, x, training), 2, axis=-1)

    def log_likelihood(self, x, z, training=False):
        """``log p(x|z)``, ``(n,)`` in nats: a sum over all pixels of x."""
        out = run(self.decoder, z, training)
        if self.likelihood == "bernoulli":
            pixels = -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=out)
        else:
            pixels = gaussian.log_density(x, out, self.scale)
        return tf.reduce_sum(tf.reshape(pixels, (tf.shape(x)[0], -1)), axis=-1)

    def log_weights(self, x, noise):
        """``log p(x, z) / q(z|x)`` for ``z = mean + deviation * noise``: ``(k, n)`` in nats.

        ``noise`` is ``(k, n, latent_dim)``, standard normal numbers.
        """
        mean, log_variance = self.encode(x)
        z = mean + tf.exp(log_variance / 2) * noise
        prior_over_q = tf.reduce_sum((noise**2 - z**2 + log_variance) / 2, axis=-1)
        return self._log_likelihoods(x, z) + prior_over_q

    # Bounds on log p(x).

    def elbo(self, x, samples=1, seed=None):
        """An unbiased estimate of the ELBO of each x, ``(n,)`` in nats (beta plays no part).

        The KL term is exact; the other is an average over ``samples`` draws of z. Data as for
        ``fit``; the same ``seed`` draws the same latents. ValueError for bad data or ``samples``.
        """
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

        Its expectation is the ELBO at k = 1, never falls as k grows, and tends to log p(x) (Burda
        et al. 2016, equation 8, Theorem 1). ValueError for bad data, or k below 1.
        """
        x, k = self.check_batch("x", x), validate.count("k", k)
        blocks = [self.log_weights(x, noise) for noise in self._noise(k, len(x), seed)]
        return tf.reduce_logsumexp(tf.concat(blocks, 0), axis=0) - np.log(k)

    # Pictures.

    def decode(self, z):
        """The mean picture of p(x|z), ``(n, ...)``, for latents ``(n, latent_dim)``."""
        out = run(self.decoder, z)
        return tf.sigmoid(out) if self.likelihood == "bernoulli" else out

    def reconstruct(self, x):
        """``decode`` at the mean of q(z|x): ``(n, ...)``."""
        return self.decode(self.encode(self.check_batch("x", x))[0])

    def sample(self, n, seed=None, mean=False):
        """Draw ``n`` samples of p(x), ``(n, ...)``: a z from the prior, then an x from p(x|z).

        With ``mean=True`` the last draw is left out: the mean pictures of the same latents, which
        most papers show.
        """
        source = draws(seed)
        pixels = self.decode(normal((validate.count("n", n), self.latent_dim), source))
        if mean:
            return pixels
        if self.likelihood == "bernoulli":
            return coin(keras.random.uniform(pixels.shape, dtype="float32", seed=source), pixels)
        return pixels + self.scale * normal(pixels.shape, source)

    def active_units(self, x, threshold=0.01):
        """Which latents carry anything of x: ``(latent_dim,)`` booleans.

        A latent is active if the mean that the encoder gives it varies over the data by more than
        ``threshold`` (Burda et al. 2016, section 5: ``Var_x(E_q z) > 0.01``).
        """
        threshold = validate.non_negative("threshold", threshold)
        mean, _ = self.encode(self.check_batch("x", x))
        mean = validate.finite("what the encoder gives", mean)
        return tf.math.reduce_variance(mean, axis=0).numpy() > threshold

    # Manners.

    def validate_data(self, data, name="data"):
        """``data``; ValueError for values outside [0, 1] that the decoder's means never reach."""
        bounded = self.likelihood == "bernoulli" or ends_in_sigmoid(self.decoder)
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


def _check_networks(encoder, decoder, latent_dim, likelihood):
    networks.check("encoder", encoder)
    networks.check("decoder", decoder)
    if encoder.output_shape != (None, 2 * latent_dim):
        raise ValueError(
            "encoder must give a mean and a log-variance for each latent, shape "
            f"(n, {2 * latent_dim}); it gives {encoder.output_shape}"
        )
    if decoder.input_shape != (None, latent_dim):
        raise ValueError(
            f"decoder must take latents (n, {latent_dim}); it takes {decoder.input_shape}"
        )
    if decoder.output_shape != encoder.input_shape:
        raise ValueError(
            f"decoder must give what encoder takes: shape {encoder.input_shape}; it gives "
            f"{decoder.output_shape}"
        )
    if likelihood == "bernoulli" and ends_in_sigmoid(decoder):
        raise ValueError("decoder must give logits: remove the sigmoid of its last layer")
