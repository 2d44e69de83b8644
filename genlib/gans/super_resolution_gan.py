"""SRGAN's objective (Ledig et al. 2017, "Photo-realistic single image super-resolution using a
generative adversarial network", arXiv:1609.04802, equation 3): a large picture for a small one.

The generator pays a content loss, here the squared error of the pixels (their equation 4), and
``10^-3`` times the GAN's term (their equation 6). The paper's critic sees the large picture alone;
this one sees the small one too, and the generator may take noise, which the paper's does not. Left
out: their content loss on the features of a classifier (equation 5), their deep networks.
"""

import tensorflow as tf

from genlib import validate
from genlib.gans.conditional_gan import ConditionalGAN

CONTENTS = ("each", "mean")


class SuperResolutionGAN(ConditionalGAN):
    """A `ConditionalGAN` from small pictures, the conditions, to large ones, the samples.

    Args:
      generator, critic: as those of `ConditionalGAN`.
      adversarial_weight: what the GAN's term weighs; at 0 the critic stays as it is.
      content: whose squared error the generator pays for. ``"each"``: that of each output, as in
        the paper, which is that of their mean plus their variance over the noise. ``"mean"``:
        that of their mean alone, so that outputs may vary; it costs a second output a step.

    Raises:
      ValueError: ``adversarial_weight`` below 0 or not finite, an unknown ``content``, or
        ``"mean"`` for a generator without latents.
    """

    log_names = ("critic_loss", "generator_loss", "content")

    def __init__(self, generator, critic, adversarial_weight=1e-3, content="each", **options):
        super().__init__(generator, critic, **options)
        self.adversarial_weight = validate.non_negative("adversarial_weight", adversarial_weight)
        self.content = validate.choice("content", content, CONTENTS)
        if content == "mean" and not self.latent_dim:
            raise ValueError("content must be 'each' for a generator without latents; got 'mean'")

    def generator_loss(self, real, fake):
        """Content, in squared units of a pixel, plus the weighted ``-E log D(G(z, c), c)``."""
        made = fake[0]
        again = self.generate_like(real)[0] if self.content == "mean" else made
        content = self.content_loss(real[0], made, again)
        self.log("content", content)
        if not self.adversarial_weight:
            return content
        return content + self.adversarial_weight * super().generator_loss(real, fake)

    def content_loss(self, x, made, again):
        """``E (x - G)(x - G')`` over pictures and pixels, a scalar, from two outputs a picture.

        With G' = G it is the squared error of each output. From two independent latents it is that
        of their mean over the noise: ``E (x - G)(x - G') = E (x - E G)^2`` for each small picture.
        """
        return tf.reduce_mean((x - made) * (x - again))

    def step(self, draw_batch):
        """The game's step; without an adversarial term, the generator's update alone."""
        if self.adversarial_weight:
            return super().step(draw_batch)
        return {"critic_loss": tf.constant(0.0)} | self.generator_step(draw_batch())
