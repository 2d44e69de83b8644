"""Energy-based GAN (Zhao, Mathieu, LeCun 2017, "Energy-based generative adversarial network").

The critic is an autoencoder, and a point's energy D is how badly it is reconstructed (section 2.3).
The critic lowers it on the data, and raises it elsewhere until it reaches a margin (equations 1 and
2). The hinge is each sample's own: one beyond the margin does not make up for one within it. The
pull-away term (section 2.4; the paper's EBGAN-PT) keeps samples apart.
"""

import tensorflow as tf

from genlib import validate
from genlib.divergences.roots import safe_sqrt
from genlib.gans.base import AdversarialModel


class EBGAN(AdversarialModel):
    """Energy-based GAN; the critic is a `genlib.networks.autoencoder`.

    ``margin`` is the energy up to which the critic lifts generated samples: 10 on MNIST, 20 on
    CelebA, 80 on LSUN in the paper. With ``pull_away_weight`` above 0, ``fit`` raises ValueError
    for a batch of 1.
    """

    critic_kind = "autoencoder"
    has_score = True
    log_names = ("critic_loss", "real_energy", "generator_loss", "fake_energy")

    def __init__(self, generator, critic, margin=10.0, pull_away_weight=0.1, **options):
        super().__init__(generator, critic, **options)
        self.margin = validate.positive("margin", margin)
        self.pull_away_weight = validate.non_negative("pull_away_weight", pull_away_weight)

    @property
    def couples_batch(self):
        """The pull-away term is one of pairs."""
        return self.pull_away_weight > 0

    @property
    def min_batch_size(self):
        """Two samples make a pair."""
        return 2 if self.couples_batch else 1

    def energy(self, x):
        """``|Dec(Enc(x)) - x|``, the Euclidean norm over all of a sample: ``(n, ...)`` to (n,)."""
        return safe_sqrt(squared_error(self.critic, x))

    def score(self, x):
        """The energy."""
        return self.energy(x)

    def critic_loss(self, real, fake):
        """``E D(x) + E [m - D(G(z))]_+``, with ``[t]_+ = max(t, 0)``."""
        on_real = tf.reduce_mean(self.energy(real))
        self.log("real_energy", on_real)
        return on_real + tf.reduce_mean(tf.nn.relu(self.margin - self.energy(fake)))

    def generator_loss(self, real, fake):
        """``E D(G(z))``, and the pull-away term of the codes."""
        loss = tf.reduce_mean(self.energy(fake))
        self.log("fake_energy", loss)
        if self.pull_away_weight:
            codes = self.critic.get_layer("encoder")(fake, training=True)
            loss += self.pull_away_weight * pull_away(codes)
        return loss


def pull_away(codes):
    """``1/(N(N-1)) sum_{i != j} cos^2(s_i, s_j)`` of codes ``(N, k)`` (section 2.4).

    From 0, all orthogonal, to 1, all on one line, whichever way they point. N at least 2.
    """
    unit = tf.math.l2_normalize(codes, axis=1)
    squares = tf.matmul(unit, unit, transpose_b=True) ** 2
    n = tf.cast(tf.shape(codes)[0], codes.dtype)
    return (tf.reduce_sum(squares) - tf.linalg.trace(squares)) / (n * (n - 1))


def squared_error(autoencoder, x):
    """``|Dec(Enc(x)) - x|^2`` over all of a sample: ``(n, ...)`` to (n,)."""
    gaps = autoencoder(x, training=True) - x
    return tf.reduce_sum(gaps**2, axis=list(range(1, gaps.shape.rank)))
