"""pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").

A pair is a picture y and a map x that it is to be made from: labels, outlines, ... The game is
``min_G max_D L_cGAN(G, D) + lambda E |y - G(x)|_1`` (arXiv:1611.07004, equation 4). L1 alone is
least at the median of all pictures that fit a map, pixel by pixel, and that need be no picture; the
critic, a PatchGAN, asks that every patch look real.
"""

import tensorflow as tf

from genlib import validate
from genlib.gans import penalties
from genlib.gans.conditional_gan import ConditionalGAN


class Pix2Pix(ConditionalGAN):
    """pix2pix; the critic, such as `networks.patch_critic`, gives logits ``(n, h, w, 1)``.

    ``l1_weight`` is the paper's lambda. L1 is a mean over pixels, so that the paper's pictures in
    [-1, 1] count twice what ours in [0, 1] do.
    """

    critic_kind = "patches"
    has_score = True
    log_names = ("critic_loss", "generator_loss", "l1")

    def __init__(self, generator, critic, l1_weight=100.0, **options):
        super().__init__(generator, critic, **options)
        self.l1_weight = validate.non_negative("l1_weight", l1_weight)

    def generator_loss(self, real, fake):
        """``-E log D(G(x), x) + lambda E |y - G(x)|``: means over pictures, patches and pixels."""
        l1 = tf.reduce_mean(tf.abs(real[0] - fake[0]))
        self.log("l1", l1)
        return super().generator_loss(real, fake) + self.l1_weight * l1

    def steepness(self, pair):
        """`penalties.r1` of a picture's mean over its patches, in the picture alone."""
        y, x = pair
        return penalties.r1(lambda y: tf.reduce_mean(self.score((y, x)), [1, 2]), y)
