"""Boundary equilibrium GAN (Berthelot, Schumm, Metz 2017, "BEGAN", sections 3.3 and 3.4).

The critic is an autoencoder with the reconstruction error L: the paper's L1, as a mean over the
numbers of a sample (a sum would make k move as many times faster). k in [0, 1], 0 at the start,
weighs how much the critic minds generated samples, and moves (`BEGAN.move_k`) until
``E L(G(z)) = gamma E L(x)``. ``M = E L(x) + |gamma E L(x) - E L(G(z))|`` measures convergence.
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.base import AdversarialModel


class BEGAN(AdversarialModel):
    """Boundary equilibrium GAN; the critic is a `genlib.networks.autoencoder`.

    ``gamma`` in [0, 1] is the diversity ratio: small for clean samples, large for varied ones;
    ``k_rate`` is how fast k moves.
    """

    critic_kind = "autoencoder"
    has_score = True
    log_names = ("critic_loss", "generator_loss", "k", "convergence")

    def __init__(self, generator, critic, gamma=0.5, k_rate=1e-3, **options):
        super().__init__(generator, critic, **options)
        self.gamma = float(validate.unit_interval("gamma", gamma))
        self.k_rate = validate.non_negative("k_rate", k_rate)
        self.k = self.add_state("k", 0.0)

    def error(self, x):
        """``E L(x)`` of samples ``(n, ...)``, a scalar."""
        return tf.reduce_mean(tf.abs(self.critic(x, training=True) - x))

    def score(self, x):
        """``L(x)``: each sample's own error, ``(n, ...)`` to (n,)."""
        gaps = tf.abs(self.critic(x, training=True) - x)
        return tf.reduce_mean(gaps, axis=list(range(1, gaps.shape.rank)))

    def critic_loss(self, real, fake):
        """``E L(x) - k E L(G(z))``."""
        return self.error(real) - self.k.value * self.error(fake)

    def generator_loss(self, real, fake):
        """``E L(G(z))``."""
        return self.error(fake)

    def move_k(self, on_real, on_fake):
        """Move k by the mean errors of a batch; ``{"k": its new value, "convergence": M}``."""
        gap = self.gamma * on_real - on_fake
        self.k.assign(tf.clip_by_value(self.k.value + self.k_rate * gap, 0, 1))
        return {"k": self.k.value, "convergence": on_real + tf.abs(gap)}

    def generator_step(self, real):
        logs = super().generator_step(real)
        return logs | self.move_k(self.error(real), logs["generator_loss"])

    @staticmethod
    def default_optimizer():
        """Adam at 1e-4, the paper's start."""
        return keras.optimizers.Adam(1e-4)
