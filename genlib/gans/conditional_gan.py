"""Conditional GAN (Mirza and Osindero 2014, arXiv:1411.1784, equation 2): pairs, not samples alone.

A condition c, a label or a whole picture, is given to both networks; each pair of the game is a
sample and its condition. At the best critic the value is ``2 JSD - log 4`` of the joint laws of
``(x, c)``, so for each c the samples follow ``p(x | c)``.
"""

import tensorflow as tf

from genlib import networks, validate
from genlib.gans import penalties
from genlib.gans.base import CRITIC_KINDS, refuse_shared_weights
from genlib.gans.gan import GAN
from genlib.training import points


class ConditionalGAN(GAN):
    """A GAN of pairs: wherever a GAN takes ``x``, this takes ``(x, condition)``.

    The generator is a Keras model from ``[latent (n, d), condition (n, ...)]`` to samples
    ``(n, ...)``, or from the condition alone, which it then maps without chance; the critic is one
    from ``[samples, condition]`` to logits ``(n, 1)``. `networks.conditional_mlp` and
    `networks.projection_critic` build such. ``r1`` flattens the critic in the sample alone.
    """

    def check_networks(self, generator, critic):
        """The size of a latent, 0 if there is none; TypeError or ValueError for wrong networks."""
        *latent, condition = networks.inputs("generator", generator, (1, 2))
        taken, seen = networks.inputs("critic", critic, (2,))
        if any(len(shape) != 1 for shape in latent):
            raise ValueError(f"generator must take latents (n, d) first; it takes {latent[0]}")
        made, given = generator.output_shape[1:], critic.output_shape[1:]
        if (made, condition) != (taken, seen):
            raise ValueError(
                f"critic must accept what generator makes and is given, {made} and {condition}; it "
                f"accepts {taken} and {seen}"
            )
        words, fits = CRITIC_KINDS[self.critic_kind]
        if not fits(given, made):
            raise ValueError(f"critic must give {words}; it gives {critic.output_shape}")
        refuse_shared_weights(generator, critic)
        self.condition_shape = condition
        return latent[0][0] if latent else 0

    def score(self, pair):
        """The critic's logits ``(n, 1)`` of pairs ``(x, condition)``."""
        return self.critic([*pair], training=True)

    def steepness(self, pair):
        """`penalties.r1` in the sample alone: the condition is not the generator's to move."""
        x, condition = pair
        return penalties.r1(lambda x: self.score((x, condition)), x)

    def generate_like(self, pair):
        """A sample for each condition of ``pair``, with that condition."""
        condition = pair[1]
        latent = self.random_normal((tf.shape(condition)[0], self.latent_dim))
        return self.generator(self._given(latent, condition), training=True), condition

    def _given(self, latent, condition):
        return [latent, condition] if self.latent_dim else condition

    def fit(self, data, condition=None, batch_size=64, **options):
        """Train on samples ``data`` ``(n, ...)`` and their conditions ``(n, ...)``.

        Else as `CompiledModel.fit`. ValueError for two lengths that differ, other shapes, NaN.
        """
        return super().fit((data, condition), batch_size, **options)

    def resident(self, pair):
        data, condition = pair
        x, condition = super().resident(data), self.validate_condition(condition)
        if len(x) != len(condition):
            raise ValueError(
                f"condition must have a row for each of data, {len(x)}; it has {len(condition)}"
            )
        return x, condition

    def validate_condition(self, condition):
        """``condition`` as float32 ``(n, ...)``; ValueError for another shape, NaN or infinity."""
        if condition is None:
            raise ValueError("condition must be given: a row for each sample; got None")
        return points("condition", condition, self.condition_shape)

    def sample(self, n, condition=None, seed=None, averaged=False):
        """Draw ``n`` samples ``(n, ...)``, given ``n`` conditions, or one for them all.

        The same ``seed`` draws the same latents; ``averaged`` as in every GAN. ValueError for
        another number of conditions, another shape, NaN.
        """
        n, condition = validate.count("n", n), self.validate_condition(condition)
        if len(condition) not in (1, n):
            raise ValueError(f"condition must have 1 or {n} rows; it has {len(condition)}")
        condition = tf.repeat(condition, n // len(condition), axis=0)
        return self._draw_samples(n, seed, averaged, lambda z: self._given(z, condition))

    def translate(self, condition, seed=None, averaged=False):
        """One sample for each row of ``condition`` ``(n, ...)``: see `sample`."""
        condition = self.validate_condition(condition)
        return self.sample(len(condition), condition, seed, averaged)
