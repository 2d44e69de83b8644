"""Fisher GAN (Mroueh and Sercu 2017, "Fisher GAN", Algorithm 1).

``sup over f of (E_P f - E_Q f) / sqrt(Omega)``, ``Omega = 1/2 E_P f^2 + 1/2 E_Q f^2``: the gap in
units of the critic's own size, so no box and no penalty on slopes is needed. Its square is
``2 int (p - q)^2 / (p + q)``, at most 4. An augmented Lagrangian (equation 9) keeps ``Omega = 1``.
"""

import tensorflow as tf

from genlib import validate
from genlib.gans.base import AdversarialModel


class FisherGAN(AdversarialModel):
    """Fisher GAN; the critic maps ``(n, ...)`` to numbers ``(n, 1)``.

    ``multiplier``, the Lagrangian's l, moves by ``l <- l - rho (1 - Omega)``: it grows while the
    critic is too large. ``rho`` is also the weight of the quadratic penalty.
    """

    log_names = ("critic_loss", "omega", "multiplier", "generator_loss")
    couples_batch = True  # the square of (1 - Omega)

    def __init__(self, generator, critic, rho=1e-6, critic_steps=2, **options):
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.rho = validate.positive("rho", rho)
        self.multiplier = self.add_state("multiplier", 0.0)

    def critic_loss(self, real, fake):
        """``-(E f(x) - E f(x~) + l (1 - Omega) - rho/2 (1 - Omega)^2)``."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        gap = tf.reduce_mean(on_real) - tf.reduce_mean(on_fake)
        missing = 1 - omega(on_real, on_fake)
        return -(gap + self.multiplier.value * missing - self.rho / 2 * missing**2)

    def generator_loss(self, real, fake):
        """``-E f(x~)``."""
        return -tf.reduce_mean(self.critic(fake, training=True))

    def after_critic_step(self, real, fake):
        """Move the multiplier down its gradient, on the critic's batch."""
        size = omega(self.critic(real, training=True), self.critic(fake, training=True))
        self.multiplier.assign_sub(self.rho * (1 - size))
        self.log("omega", size)
        self.log("multiplier", self.multiplier.value + 0)


def omega(on_real, on_fake):
    """``1/2 E_P f^2 + 1/2 E_Q f^2`` (uncentred), from the critic's numbers: a scalar."""
    return (tf.reduce_mean(on_real**2) + tf.reduce_mean(on_fake**2)) / 2
