"""Relaxed Wasserstein GAN (Guo, Hong, Lin and Yang 2017, "Relaxed Wasserstein with applications
to GANs").

``W_phi(P, Q)`` is the least ``E D_phi(x, y)`` over all couplings, at the cost of a Bregman
divergence: ``D_phi(x, y) = phi(x) - phi(y) - <grad phi(y), x - y>``, phi convex. ``|x|^2`` gives
``W2^2``; ``sum x log x``, for positive data, the paper's KL cost. The paper trains WGAN's clipped
critic: a heuristic. Here the critic is a pair of potentials, ``u`` on real and ``v`` on generated
samples, and both players share the entropically regularised dual

``E u(x) + E v(y) - eps E [exp((u(x) + v(y) - D_phi(x, y)) / eps) - 1]``,

the last mean over all pairs of the batch. Its maximum is the least ``E D_phi + eps KL(coupling ||
P x Q)``, which tends to ``W_phi`` as eps falls to 0 (Genevay et al. 2016, arXiv:1605.08527).
"""

import math

import tensorflow as tf

from genlib import validate
from genlib.divergences import costs
from genlib.gans.base import AdversarialModel

#: Named phi, each ``(n, d) -> (n,)``.
PHI = {"squared": costs.squared_norm, "kl": costs.negative_entropy}


class RWGAN(AdversarialModel):
    """Relaxed WGAN; the critic maps ``(n, ...)`` to ``(n, 2)``: column 0 is ``u``, column 1 ``v``.

    ``phi``: a key of `PHI`, or a convex, differentiable function ``(n, d) -> (n,)``; data of more
    axes are flattened for it. With "kl", ``fit`` raises ValueError unless the data and what the
    generator makes are positive: let it end in a softplus. ``regularisation`` is eps, in units of
    the cost: a small one blurs less and trains less smoothly.
    """

    critic_kind = "pair"
    couples_batch = True

    def __init__(self, generator, critic, phi="squared", regularisation=0.1, critic_steps=5,
                 **options):  # fmt: skip
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.positive_only = phi == "kl"
        self.cost = costs.bregman(phi if callable(phi) else PHI[validate.choice("phi", phi, PHI)])
        self.regularisation = validate.positive("regularisation", regularisation)

    def dual(self, real, fake):
        """The regularised dual's value on a batch, a scalar: the potentials raise it."""
        u = self.critic(real, training=True)[:, :1]  # (n, 1)
        v = self.critic(fake, training=True)[:, 1:]  # (m, 1)
        x, y = (tf.reshape(z, [tf.shape(z)[0], math.prod(z.shape[1:])]) for z in (real, fake))
        excess = u + tf.transpose(v) - self.cost(x, y)  # (n, m)
        eps = self.regularisation
        overshoot = eps * tf.reduce_mean(tf.exp(excess / eps) - 1)
        return tf.reduce_mean(u) + tf.reduce_mean(v) - overshoot

    def critic_loss(self, real, fake):
        """Minus the dual: the potentials maximise it."""
        return -self.dual(real, fake)

    def generator_loss(self, real, fake):
        """The dual: it moves the generated samples, through ``v`` and through the cost."""
        return self.dual(real, fake)

    def validate_data(self, data):
        """As for all GANs; x log x also needs positive data, and a generator of such."""
        if self.positive_only:
            latent = tf.random.stateless_normal((256, self.latent_dim), (0, 0))
            validate.all_positive("data", data)
            validate.all_positive("what generator makes", self.generator(latent))
        return super().validate_data(data)
