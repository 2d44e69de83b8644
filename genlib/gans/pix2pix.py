"""Image to image (Isola et al. 2017, "Image-to-image translation with conditional adversarial
networks", arXiv:1611.07004).

Pairs ``(y, x)``: a picture y and the map x that it is to be made from.
``min_G max_D L_cGAN(G, D) + lambda E |y - G(x)|_1`` (equation 4). L1 alone is least at the median
of all pictures that fit the map, pixel by pixel; the critic asks that each patch look real.
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.conditional_gan import ConditionalGAN


class Pix2Pix(ConditionalGAN):
    """pix2pix; the critic, a `networks.patch_critic`, gives a map of logits ``(n, h, w, 1)``.

    ``l1_weight`` is the paper's lambda, for pictures in [-1, 1] in the paper; here L1 is the mean
    over pixels whatever their range, so that [0, 1] wants twice the weight. ``adversarial=False``
    leaves L1 alone, the baseline of the paper's section 4.2.
    """

    critic_kind = "patches"
    has_score = True
    log_names = ("critic_loss", "generator_loss", "l1")

    def __init__(self, generator, critic, l1_weight=100.0, adversarial=True, **options):
        super().__init__(generator, critic, **options)
        self.l1_weight = validate.non_negative("l1_weight", l1_weight)
        self.adversarial = bool(adversarial)

    def score(self, pair):
        """A picture's mean over its patches, ``(n, 1)``."""
        return tf.reduce_mean(self.critic(pair, training=True), [1, 2])

    def critic_loss(self, real, fake):
        """``-E log D(x, y) - E log(1 - D(x, G(x)))``, the mean over pictures and patches, nats."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        return tf.reduce_mean(tf.nn.softplus(-on_real)) + tf.reduce_mean(tf.nn.softplus(on_fake))

    def generator_loss(self, real, fake):
        """``-E log D(x, G(x)) + lambda E |y - G(x)|``, the means over patches and pixels."""
        l1 = tf.reduce_mean(tf.abs(real[0] - fake[0]))
        self.log("l1", l1)
        loss = self.l1_weight * l1
        if self.adversarial:
            loss += tf.reduce_mean(tf.nn.softplus(-self.critic(fake, training=True)))
        return loss
