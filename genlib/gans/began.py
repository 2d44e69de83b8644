"""Boundary equilibrium GAN (Berthelot, Schumm, Metz 2017, "BEGAN", sections 3.3 and 3.4).

The critic is an autoencoder with the reconstruction error L. A number k in [0, 1] weighs how much
the critic minds generated samples, and moves so that ``E L(G(z)) = gamma E L(x)``::

    critic:     E L(x) - k E L(G(z))
    generator:  E L(G(z))
    k <- clip(k + rate * (gamma E L(x) - E L(G(z))), 0, 1),   k = 0 at the start

``M = E L(x) + |gamma E L(x) - E L(G(z))|`` measures convergence. L is the paper's L1 error, as a
mean over the numbers of a sample: a sum would make k move as many times faster.
"""

import dataclasses

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.base import AdversarialModel, Preset


class BEGAN(AdversarialModel):
    """Boundary equilibrium GAN; the critic is a `genlib.networks.autoencoder`.

    Args:
      gamma: the diversity ratio, in [0, 1]: small for clean samples, large for varied ones.
      k_rate: how fast k moves.
      **options: ``critic_steps``, ``ema``, ``seed``, ``name`` of the base class.

    Raises:
      ValueError: a critic that is no autoencoder; a setting out of range.
    """

    critic_kind = "autoencoder"
    log_names = ("critic_loss", "generator_loss", "k", "convergence")
    toy = Preset(
        "The widest gamma, a k that answers at once, no momentum, half the usual rate: the "
        "best of some fifteen settings, and still most seeds lose modes. The balance is one of "
        "mean errors, and a collapsed generator keeps it too.",
        {"gamma": 1.0, "k_rate": 100.0},
        optimizer=lambda rate: keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99),
        rate=5e-4,
    )
    grid = dataclasses.replace(
        toy,
        why="As for the ring, and it loses two modes in three: the balance does not ask for them.",
        rate=1e-3,
        steps=16_000,
    )
    images = Preset(
        "As for 2-D data, with a calmer k; it, too, loses most of the ten digits.",
        {"gamma": 1.0, "k_rate": 1.0},
        batch_size=64,
    )

    def __init__(self, generator, critic, gamma=0.5, k_rate=1e-3, **options):
        super().__init__(generator, critic, **options)
        self.gamma = float(validate.unit_interval("gamma", gamma))
        self.k_rate = validate.non_negative("k_rate", k_rate)
        self.k = self.add_weight(shape=(), initializer="zeros", trainable=False, name="k")

    def error(self, x):
        """``E L(x)`` of samples ``(n, ...)``, a scalar."""
        return tf.reduce_mean(tf.abs(self.critic(x, training=True) - x))

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

    @classmethod
    def suited_networks(cls, shape, latent_dim=2, width=128, code=None, seed=None):
        """As for all variants, with a code of 1 for data of two numbers, else 16.

        An autoencoder with a code of 2 learns to copy the whole plane: no energy tells the data
        from the rest of it.
        """
        if code is None:
            code = 1 if tuple(shape) == (2,) else 16
        return super().suited_networks(shape, latent_dim, width, code, seed)

    @staticmethod
    def default_optimizer():
        """Adam at 1e-4, the paper's start."""
        return keras.optimizers.Adam(1e-4)
