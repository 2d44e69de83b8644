"""GAN-CLS (Reed et al. 2016, "Generative Adversarial Text to Image Synthesis", Algorithm 1).

The critic sees three kinds of pairs of a picture and a caption: real and right; made, with the
caption it was made for; real, with a wrong caption, one of another picture in the batch. The first
are to be told from the other two, of which each counts half. So a critic that looks at the picture
alone calls the third kind real, and pays for it.

With M for the pairs of the third kind and weight w, the value at the best critic is
``2 log 2 - 2 JSD(P, (1 - w) Q + w M)``. Where captions overlap its best generator is not P: see
`best_generator` in `genlib.lectures.l52_text_to_image`.
"""

import tensorflow as tf

from genlib import validate
from genlib.gans.conditional_gan import ConditionalGAN


class MatchingAwareGAN(ConditionalGAN):
    """`ConditionalGAN` with wrong pairs; ``mismatch`` is their share, w, of what is to be refused.

    0.5 is the paper's; 0 is `ConditionalGAN`. ValueError unless it is in [0, 1), or where all the
    data have one condition: then there is no wrong pair.
    """

    couples_batch = True  # a wrong caption is one of another picture in the batch

    def __init__(self, generator, critic, mismatch=0.5, **options):
        super().__init__(generator, critic, **options)
        self.mismatch = validate.non_negative("mismatch", mismatch)
        if self.mismatch >= 1:
            raise ValueError(f"mismatch must be in [0, 1), a share; got {mismatch!r}")

    def resident(self, pair):
        x, condition = super().resident(pair)
        if self.mismatch and not tf.reduce_any(condition != condition[:1]):
            raise ValueError(
                "condition must differ among the data, or no caption is wrong; all rows are alike"
            )
        return x, condition

    def critic_loss(self, real, fake):
        """``E sp(-l(x, c)) + (1 - w) E sp(l(x~, c)) + w E sp(l(x, c'))``, in nats; sp: softplus."""
        x, right = real
        wrong = tf.roll(right, 1, axis=0)
        differs = tf.reduce_any(wrong != right, axis=range(1, right.shape.rank))
        differs = tf.cast(differs, tf.float32)[:, None]  # a caption that is the same is not wrong
        on_real, on_fake, on_wrong = (self.score(pair) for pair in (real, fake, (x, wrong)))
        refused = tf.reduce_sum(differs * tf.nn.softplus(on_wrong))
        refused = tf.math.divide_no_nan(refused, tf.reduce_sum(differs))
        made = tf.reduce_mean(tf.nn.softplus(on_fake))
        accepted = tf.reduce_mean(tf.nn.softplus(-on_real))
        return accepted + (1 - self.mismatch) * made + self.mismatch * refused
