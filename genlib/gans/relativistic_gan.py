"""Relativistic GAN (Jolicoeur-Martineau 2019, arXiv:1807.00734) with R1 and R2, as in R3GAN.

A critic's number alone means nothing: it is compared within a pair, row i of the real samples with
row i of the generated ones. Huang et al. (2024, arXiv:2501.05441) add R1 and R2, the penalties of
Mescheder et al. (2018), to this loss and call it R3GAN.
"""

import tensorflow as tf

from genlib import networks
from genlib.gans.base import AdversarialModel


class RelativisticGAN(AdversarialModel):
    """The relativistic pairing GAN; the critic maps ``(n, ...)`` to logits ``(n, 1)``.

    ``r1`` and ``r2`` are twice the weights of the mean squared slope of the critic on real and on
    generated samples, which training adds to `critic_loss`. The paper's weight differs by data set.

    Raises:
      ValueError: a critic that ends in a sigmoid, or two batches of another number of rows.
    """

    def __init__(self, generator, critic, r1=1.0, r2=1.0, **options):
        super().__init__(generator, critic, r1=r1, r2=r2, **options)
        if networks.output_range(critic)[2] == "sigmoid":
            raise ValueError("critic must give logits: remove the sigmoid of its last layer")

    def critic_loss(self, real, fake):
        """``E softplus(-(D(x_i) - D(G(z_i))))``, in nats; log 2 for a critic that sees nothing."""
        return tf.reduce_mean(tf.nn.softplus(-self.lead(real, fake)))

    def generator_loss(self, real, fake):
        """``E softplus(-(D(G(z_i)) - D(x_i)))``: the same pairs, turned round."""
        return tf.reduce_mean(tf.nn.softplus(self.lead(real, fake)))

    def lead(self, real, fake):
        """``D(x_i) - D(G(z_i))``, ``(n, 1)``: the logit of which of the two is real."""
        if real.shape[0] != fake.shape[0]:
            raise ValueError(
                f"real and fake must have as many rows; got {real.shape[0]} and {fake.shape[0]}"
            )
        return self.score(real) - self.score(fake)
