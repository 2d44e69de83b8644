"""The original GAN (Goodfellow et al. 2014, "Generative Adversarial Nets").

``min_G max_D E log D(x) + E log(1 - D(G(z)))`` (equation 1), with ``D(x) = sigmoid(l(x))``: the
critic gives the logit l, and ``log D = -softplus(-l)``, ``log(1 - D) = -softplus(l)`` never
overflow. At the best critic ``p / (p + q)`` the value is ``2 JSD(P, Q) - log 4`` (Theorem 1).
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.base import AdversarialModel


class GAN(AdversarialModel):
    """The original GAN; the critic maps ``(n, ...)`` to logits ``(n, 1)``, with no sigmoid.

    The generator's ``objective``: ``"non_saturating"`` (section 3, the authors' advice), or
    ``"minimax"`` (equation 1), whose gradient vanishes where the critic is sure.
    """

    def __init__(self, generator, critic, objective="non_saturating", **options):
        super().__init__(generator, critic, **options)
        self.objective = validate.choice("objective", objective, ("minimax", "non_saturating"))
        if getattr(critic.layers[-1], "activation", None) is keras.activations.sigmoid:
            raise ValueError("critic must give logits: remove the sigmoid of its last layer")

    def critic_loss(self, real, fake):
        """``-E log D(x) - E log(1 - D(G(z)))``, in nats."""
        on_real, on_fake = self.score(real), self.score(fake)
        return tf.reduce_mean(tf.nn.softplus(-on_real)) + tf.reduce_mean(tf.nn.softplus(on_fake))

    def generator_loss(self, real, fake):
        """``-E log D(G(z))`` or ``E log(1 - D(G(z)))``, in nats."""
        on_fake = self.score(fake)
        if self.objective == "non_saturating":
            return tf.reduce_mean(tf.nn.softplus(-on_fake))
        return -tf.reduce_mean(tf.nn.softplus(on_fake))
