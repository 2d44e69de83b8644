"""WGAN with gradient penalty (Gulrajani et al. 2017, "Improved training of Wasserstein GANs").

In place of WGAN's box, ``lambda E (|grad f(x^)|_2 - 1)^2`` (equation 3) asks the critic for slope 1
on the lines between real and generated samples, where a best critic has it (Proposition 1). The
authors' code takes lambda 0.1 on 2-D toys (``gan_toy.py``) and 10 elsewhere.
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans import penalties
from genlib.gans.base import AdversarialModel


class WGANGP(AdversarialModel):
    """WGAN-GP; the critic maps ``(n, ...)`` to numbers ``(n, 1)``, without batch normalisation.

    ``penalty_weight`` is the paper's lambda.
    """

    log_names = ("critic_loss", "penalty", "generator_loss")

    def __init__(self, generator, critic, penalty_weight=10.0, critic_steps=5, **options):
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.penalty_weight = validate.non_negative("penalty_weight", penalty_weight)
        penalties.refuse_batch_norm(critic)

    def critic_loss(self, real, fake):
        """``E f(x~) - E f(x) + lambda E (|grad f(x^)| - 1)^2``."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        alpha = self.random_uniform((tf.shape(real)[0],))
        penalty = penalties.gradient_penalty(self.critic, real, fake, alpha)
        self.log("penalty", penalty)
        gap = tf.reduce_mean(on_fake) - tf.reduce_mean(on_real)
        return gap + self.penalty_weight * penalty

    def generator_loss(self, real, fake):
        """``-E f(x~)``."""
        return -tf.reduce_mean(self.critic(fake, training=True))

    @staticmethod
    def default_optimizer():
        """Adam as in the authors' code, and that of those who took up the penalty."""
        return keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9)
