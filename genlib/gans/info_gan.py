"""InfoGAN (Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets").

A part c of the latent has a known prior, and a recogniser Q guesses it from the sample.
``L_I = E log Q(c|G(z, c)) + H(c)`` (equation 5) never exceeds the mutual information
``I(c; G(z, c))``; G and Q raise it: ``min_{G, Q} max_D V(D, G) - lambda L_I`` (equation 6).
"""

import math

import numpy as np
import tensorflow as tf

from genlib import networks, validate
from genlib.gans.gan import GAN
from genlib.training import points

#: A code may be set as far out as in the paper's figure 2, which is twice as far as it was trained.
FARTHEST = 2.0


class InfoGAN(GAN):
    """InfoGAN with one category, each equally likely, and continuous codes uniform in [-1, 1].

    A latent is ``[noise, one-hot category, codes]``; all of it but the noise is its *condition*.
    The losses take ``fake = (samples (n, ...), conditions (n, categories + codes))``.

    Args:
      generator: from latents ``(n, noise + categories + codes)`` to samples ``(n, ...)``.
      critic: from samples to logits ``(n, 1)``; it never sees a condition.
      recogniser: the paper's Q, from samples to ``(n, categories + 2 codes)``: the category's
        logits, the codes' means and their log-variances. It may share layers with the critic.
      weight, code_weight: the paper's lambda, for the category and for the codes.

    ValueError: a recogniser of other shapes, or latents too short to hold a condition.
    """

    #: The bounds in nats: on the category at most ``log(categories)``, on the codes without a top.
    log_names = ("critic_loss", "generator_loss", "category_bound", "code_bound")
    undivided = "its generated samples come in pairs with their conditions, its real ones do not"

    def __init__(self, generator, critic, recogniser, categories=10, codes=2, weight=1.0,
                 code_weight=0.1, **options):  # fmt: skip
        super().__init__(generator, critic, **options)
        self.categories = validate.count("categories", categories, minimum=2)
        self.codes = validate.count("codes", codes, minimum=0)
        self.weight = validate.non_negative("weight", weight)
        self.code_weight = validate.non_negative("code_weight", code_weight)
        self.noise_dim = self.latent_dim - self.categories - self.codes
        if self.noise_dim < 0:
            raise ValueError(
                f"generator must take latents of {self.categories} categories + {self.codes} codes "
                f"or more; it takes {generator.input_shape}"
            )
        guess = (None, self.categories + 2 * self.codes)
        networks.check_shapes("recogniser", recogniser, critic.input_shape, guess)
        if {id(v) for v in recogniser.variables} & {id(v) for v in generator.variables}:
            raise ValueError("recogniser must not share weights with generator; got one that does")
        self.recogniser = recogniser

    @property
    def generator_variables(self):
        """Equation 6 is minimised over both G and Q."""
        return self.generator.trainable_variables + self.recogniser.trainable_variables

    def critic_loss(self, real, fake):
        """That of `GAN`, in nats."""
        samples, _ = fake
        return super().critic_loss(real, samples)

    def generator_loss(self, real, fake):
        """That of `GAN` less lambda times the bound, in nats."""
        samples, condition = fake
        category, codes = (tf.reduce_mean(part) for part in self.bounds(samples, condition))
        self.log("category_bound", category)
        self.log("code_bound", codes)
        adversarial = super().generator_loss(real, samples)
        return adversarial - self.weight * category - self.code_weight * codes

    def bounds(self, samples, condition):
        """``log Q(c|x) + H(c)`` of the category and of the codes together, each ``(n,)``, in nats.

        Q is a softmax for the category and a Gaussian for each code (section 6 of the paper).
        """
        k, m = self.categories, self.codes
        one_hot, codes = tf.split(condition, [k, m], axis=-1)
        guess = self.recogniser(samples, training=True)
        logits, mean, log_variance = tf.split(guess, [k, m, m], axis=-1)
        category = math.log(k) - tf.nn.softmax_cross_entropy_with_logits(one_hot, logits)
        squares = (codes - mean) ** 2 * tf.exp(-log_variance)
        log_density = -(squares + log_variance + math.log(2 * math.pi)) / 2
        return category, tf.reduce_sum(log_density + math.log(2), axis=-1)

    def generate(self, n):
        """``(samples, conditions)`` in training mode, from latents that a checkpoint can repeat."""
        latent = self.latent_of(self.random_normal((n, self.latent_dim)))
        return self.generator(latent, training=True), latent[:, self.noise_dim :]

    def latent_of(self, normal, condition=None):
        """The latent of standard normals ``(n, latent_dim)``, and of a condition if one is given.

        The first are the noise. The largest of the next names the category, each as likely as any
        other; what is left gives the codes, for ``erf(x / sqrt(2))`` is uniform in [-1, 1].
        """
        noise, which, codes = tf.split(normal, [self.noise_dim, self.categories, self.codes], -1)
        if condition is None:
            one_hot = tf.one_hot(tf.argmax(which, -1), self.categories)
            condition = tf.concat([one_hot, tf.math.erf(codes / math.sqrt(2))], -1)
        return tf.concat([noise, condition], -1)

    def condition(self, category, codes=0.0):
        """Conditions ``(n, categories + codes)`` of whole numbers ``category`` and of ``codes``.

        ``category`` is ``(n,)`` or one for all, ``codes`` ``(n, codes)``, one row or one number.
        ValueError: a category that is none, codes of another shape or outside of [-2, 2].
        """
        category, codes = np.atleast_1d(category), np.asarray(codes, np.float32)
        if category.ndim != 1 or not np.isin(category, range(self.categories)).all():
            raise ValueError(
                f"category must be whole numbers from 0 to {self.categories - 1}; got {category}"
            )
        n = max(len(category), len(codes) if codes.ndim == 2 else 1)
        try:
            codes = np.broadcast_to(codes, (n, self.codes))
            one_hot = np.broadcast_to(
                np.eye(self.categories)[category.astype(int)], (n, self.categories)
            )
        except ValueError:
            raise ValueError(
                f"codes must have shape ({n}, {self.codes}); got {codes.shape}"
            ) from None
        return self.validate_condition(np.concatenate([one_hot, codes], 1))

    def validate_condition(self, condition):
        """``condition`` as float32; ValueError unless it is as `condition` makes it."""
        k = self.categories
        condition = points("condition", condition, (k + self.codes,))
        one_hot, codes = condition[:, :k].numpy(), condition[:, k:].numpy()
        if not (np.isin(one_hot, (0, 1)).all() and (one_hot.sum(1) == 1).all()):
            raise ValueError(
                f"condition must begin with a one-hot category of {k}; got {one_hot[0]}"
            )
        if np.abs(codes).max(initial=0) > FARTHEST:
            raise ValueError(
                f"condition must end in codes in [-{FARTHEST:g}, {FARTHEST:g}]; got values from "
                f"{codes.min():.4g} to {codes.max():.4g}"
            )
        return condition

    def sample(self, n, condition=None, seed=None, averaged=False):
        """Draw ``n`` samples ``(n, ...)``, given ``n`` conditions, one for all, or any (None).

        The same ``seed`` draws the same noise, whatever the condition. ValueError for another
        number of conditions, one not as `condition` makes it, or as `GAN.sample`.
        """
        n = validate.count("n", n)
        if condition is not None:
            condition = self.validate_condition(condition)
            if len(condition) not in (1, n):
                raise ValueError(f"condition must have 1 or {n} rows; it has {len(condition)}")
            condition = tf.repeat(condition, n // len(condition), axis=0)
        return self._draw_samples(n, seed, averaged, lambda z: self.latent_of(z, condition))
