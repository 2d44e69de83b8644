"""Wasserstein GAN (Arjovsky, Chintala and Bottou 2017, "Wasserstein GAN", Algorithm 1).

``W1(P, Q) = max over 1-Lipschitz f of E f(x) - E f(x~)``. The critic is ``f``; weights in the box
``[-clip, clip]`` keep it K-Lipschitz for some K, so what it reaches is at most ``K W1``. (The
authors' code clips before each critic update, not after it, and makes 100 of them before each of
the first 25 generator updates and each 500th.)
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.base import AdversarialModel


class WGAN(AdversarialModel):
    """WGAN with weight clipping; the critic maps ``(n, ...)`` to numbers ``(n, 1)``.

    ``clip`` is half the side of the box that holds the critic's weights.
    """

    def __init__(self, generator, critic, clip=0.01, critic_steps=5, **options):
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.clip = validate.positive("clip", clip)

    def critic_loss(self, real, fake):
        """``E f(x~) - E f(x)``."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        return tf.reduce_mean(on_fake) - tf.reduce_mean(on_real)

    def generator_loss(self, real, fake):
        """``-E f(x~)``."""
        return -tf.reduce_mean(self.critic(fake, training=True))

    def after_critic_step(self, real, fake):
        """Clip every weight to the box."""
        clip_weights(self.critic, self.clip)

    @staticmethod
    def default_optimizer():
        """The paper's RMSProp, with the memory of the authors' code."""
        return keras.optimizers.RMSprop(5e-5, rho=0.99)


def clip_weights(network, clip):
    """Move each trainable weight of ``network`` to the nearest number in ``[-clip, clip]``."""
    for weight in network.trainable_variables:
        weight.assign(tf.clip_by_value(weight.value, -clip, clip))
