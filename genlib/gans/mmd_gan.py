"""MMD GAN: moment matching in a space that a critic learns, in two forms.

`MMDGAN` (Li, Chang, Cheng, Yang, Poczos 2017, "MMD GAN: towards deeper understanding of moment
matching network"): the root of a V-statistic, with RBF kernels, of the codes f of an autoencoder.
Reconstruction keeps f injective, ``feasibility = -mean relu(-(E f(x) - E f(G(z))))`` keeps
``E f(x) >= E f(G(z))``, and f's weights, not the decoder's, are clipped. Errors are means over the
numbers of a sample, as in the authors' code, whose schedule (WGAN's authors') we leave out.

`MMDGANGP` (Binkowski, Sutherland, Arbel, Gretton 2018, "Demystifying MMD GANs"): the U-statistic,
with rational quadratic kernels, of vectors h, and a penalty on the slope of the witness
``w(t) = E k(h(t), h(x)) - E k(h(t), h(G(z)))``, over all of a sample, as in the paper; the authors'
code takes it over the rows of a picture, clips gradients and penalises activations. Nothing in it
keeps h injective: ``reconstruction_weight`` adds Li et al.'s decoder, which is not in the paper.
"""

import tensorflow as tf

from genlib import networks, validate
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2
from genlib.gans import penalties
from genlib.gans.base import AdversarialModel
from genlib.gans.wgan import WGAN, clip_weights
from genlib.gans.wgan_gp import WGANGP


class MMDGAN(AdversarialModel):
    """MMD GAN with a clipped encoder; the critic is a `genlib.networks.autoencoder`.

    ``bandwidths`` of the summed RBF kernels are in units of the codes; after each critic update the
    encoder's weights are in [-clip, clip]. The weights are those of the two terms.
    """

    critic_kind = "autoencoder"
    couples_batch = True
    default_optimizer = staticmethod(WGAN.default_optimizer)

    def __init__(self, generator, critic, bandwidths=(1, 2, 4, 8, 16), clip=0.01,
                 feasibility_weight=16.0, reconstruction_weight=8.0, critic_steps=5,
                 **options):  # fmt: skip
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.kernel = kernels.rbf(bandwidths)
        self.clip = validate.positive("clip", clip)
        weight = validate.non_negative
        self.feasibility_weight = weight("feasibility_weight", feasibility_weight)
        self.reconstruction_weight = weight("reconstruction_weight", reconstruction_weight)
        self.encoder, self.decoder = critic.get_layer("encoder"), critic.get_layer("decoder")

    def distance(self, real_codes, fake_codes):
        """``M + weight * feasibility`` of codes ``(n, k)``: what the two networks fight over."""
        mmd = kernels.safe_sqrt(mmd2(real_codes, fake_codes, self.kernel, unbiased=False))
        gap = tf.reduce_mean(real_codes, axis=0) - tf.reduce_mean(fake_codes, axis=0)
        return mmd - self.feasibility_weight * tf.reduce_mean(tf.nn.relu(-gap))

    def critic_loss(self, real, fake):
        real_codes = self.encoder(real, training=True)
        fake_codes = self.encoder(fake, training=True)
        error = copying_error(self.decoder, (real, fake), (real_codes, fake_codes))
        return self.reconstruction_weight * error - self.distance(real_codes, fake_codes)

    def generator_loss(self, real, fake):
        return self.distance(self.encoder(real, training=True), self.encoder(fake, training=True))

    def after_critic_step(self, real, fake):
        """Clip the encoder."""
        clip_weights(self.encoder, self.clip)


class MMDGANGP(WGANGP):
    """MMD GAN with a gradient penalty; the critic maps ``(n, ...)`` to vectors ``(n, k)``.

    ``alphas`` are those of the rational quadratic kernels that are summed. A
    ``reconstruction_weight`` (Li's; 8 there) trains a decoder of 2 x 128 units with the critic.
    ValueError: a setting out of range; at ``fit``, a batch of 1.
    """

    critic_kind = "vector"
    couples_batch = True
    min_batch_size = 2

    def __init__(self, generator, critic, alphas=(0.1, 1.0, 10.0), penalty_weight=1.0,
                 reconstruction_weight=0.0, seed=None, **options):  # fmt: skip
        super().__init__(generator, critic, penalty_weight, seed=seed, **options)
        self.kernel = kernels.rational_quadratic(alphas)
        weight = validate.non_negative("reconstruction_weight", reconstruction_weight)
        self.reconstruction_weight, self.decoder = weight, None
        if weight:
            seed, codes = None if seed is None else seed + 200, critic.output_shape[-1]
            self.decoder = networks.mlp(codes, critic.input_shape[1:], seed=seed, name="decoder")

    @property
    def critic_variables(self):
        return super().critic_variables + (self.decoder.trainable_variables if self.decoder else [])

    def mmd2(self, real_codes, fake_codes):
        return mmd2(real_codes, fake_codes, self.kernel, unbiased=True)

    def witness(self, x, real_codes, fake_codes):
        """``w(x)`` of samples ``(n, ...)``, shape (n,), against the codes of two batches."""
        codes = self.critic(x, training=True)
        to_real, to_fake = self.kernel(codes, real_codes), self.kernel(codes, fake_codes)
        return tf.reduce_mean(to_real, axis=1) - tf.reduce_mean(to_fake, axis=1)

    def critic_loss(self, real, fake):
        codes = self.critic(real, training=True), self.critic(fake, training=True)
        alpha = self.random_uniform(tf.shape(real)[:1])
        penalty = penalties.gradient_penalty(lambda x: self.witness(x, *codes), real, fake, alpha)
        self.log("penalty", penalty)
        loss = self.penalty_weight * penalty - self.mmd2(*codes)
        if self.decoder:
            error = copying_error(self.decoder, (real, fake), codes)
            loss += self.reconstruction_weight * error
        return loss

    def generator_loss(self, real, fake):
        return self.mmd2(self.critic(real, training=True), self.critic(fake, training=True))


def copying_error(decoder, samples, codes):
    """``E |decoder(code) - x|^2 / d``, summed over two batches of d numbers a sample."""
    made = (decoder(batch, training=True) for batch in codes)
    return sum(tf.reduce_mean((y - x) ** 2) for x, y in zip(samples, made, strict=True))
