"""Cramer GAN (Bellemare et al. 2017, "The Cramer distance as a solution to biased Wasserstein
gradients", Algorithm 1).

The energy distance in a space that a critic ``h`` learns (256 numbers in the paper), from two
generated batches ``g1`` and ``g2``, the second drawn in each loss; their i-th samples are paired,
as in the paper. The generator's loss lacks ``E |h(x) - h(x')|``, in which it has no part; the
critic's puts 0 in the place of ``h(x')``.
"""

import tensorflow as tf

from genlib.divergences.roots import safe_sqrt
from genlib.gans import penalties
from genlib.gans.wgan_gp import WGANGP


class CramerGAN(WGANGP):
    """Cramer GAN, with `WGANGP`'s arguments; the critic maps ``(n, ...)`` to ``(n, k)``."""

    critic_kind = "vector"

    def critic_loss(self, real, fake):
        """``E f(g1) - E f(x)`` and WGAN-GP's penalty; ``f(t) = |h(t) - h(g2)| - |h(t)|``."""
        second = self.critic(self.generate(tf.shape(fake)[0]), training=True)

        def f(t):
            code = self.critic(t, training=True)
            return norm(code - second) - norm(code)

        alpha = self.random_uniform(tf.shape(real)[:1])
        penalty = penalties.gradient_penalty(f, real, fake, alpha)
        self.log("penalty", penalty)
        return tf.reduce_mean(f(fake)) - tf.reduce_mean(f(real)) + self.penalty_weight * penalty

    def generator_loss(self, real, fake):
        """``E |h(x) - h(g1)| + E |h(x) - h(g2)| - E |h(g1) - h(g2)|``."""
        x, g1, g2 = (
            self.critic(samples, training=True)
            for samples in (real, fake, self.generate(tf.shape(fake)[0]))
        )
        return tf.reduce_mean(norm(x - g1) + norm(x - g2) - norm(g1 - g2))


def norm(vectors):
    """Euclidean norms of ``(n, k)``, shape (n,), with gradient 0 at 0."""
    return safe_sqrt(tf.reduce_sum(vectors**2, axis=1))
