"""McGAN (Mroueh, Sercu and Goel 2017, "McGan: mean and covariance feature matching GAN").

The critic learns features ``Phi``, bounded because its weights are clipped. Mean matching (section
3) plays for ``max over |v|_p <= 1 of <v, E Phi(x) - E Phi(x~)>``: in the paper's dual form, the
difference's q-norm with ``1/p + 1/q = 1``, or in its primal form, with a trained v. Covariance
matching (section 4) plays for ``max over U, V of E <U'Phi(x), V'Phi(x)> - E <U'Phi(x~),
V'Phi(x~)>`` over k orthonormal columns each: the sum of the k largest singular values of the
difference of the (uncentred) second moments.
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.divergences.roots import safe_sqrt
from genlib.gans.base import AdversarialModel
from genlib.gans.penalties import SMOOTHING
from genlib.gans.wgan import WGAN, clip_weights


class McGAN(AdversarialModel):
    """Mean or covariance matching; the critic maps ``(n, ...)`` to features ``(n, m)``.

    Args:
      matching: ``"mean"`` or ``"covariance"``.
      p: for the mean, the norm of ``v``: 1 (the loss is the largest gap) or 2 (its length).
      trained_v: for the mean, train ``v`` instead of solving for it on each batch.
      k: for the covariance, the columns of ``U`` and ``V``, at most m.
      clip: half the side of the box that holds each weight of the features.
    """

    critic_kind = "vector"
    couples_batch = True
    has_score = False  # but True with a trained v
    default_optimizer = staticmethod(WGAN.default_optimizer)

    def __init__(self, generator, critic, matching="mean", p=2, trained_v=False, k=8, clip=0.01,
                 critic_steps=5, **options):  # fmt: skip
        self.has_score = self.trained_v = bool(trained_v) and matching == "mean"
        super().__init__(generator, critic, critic_steps=critic_steps, **options)
        self.matching = validate.choice("matching", matching, ("mean", "covariance"))
        if p not in (1, 2):
            raise ValueError(f"p must be 1 or 2; got {p!r}")
        self.p, self.clip = p, validate.positive("clip", clip)
        features = critic.output_shape[-1]
        if self.trained_v:
            start = keras.initializers.Constant(features ** (-1 / p))  # on the ball's edge
            self.v = self.add_weight(shape=(features,), initializer=start, name="v")
        if self.matching == "covariance":
            if validate.count("k", k) > features:
                raise ValueError(f"k must be at most the critic's {features} features; got {k}")
            start = keras.initializers.Orthogonal(seed=self.seed_generator)
            self.U = self.add_weight(shape=(features, k), initializer=start, name="U")
            self.V = self.add_weight(shape=(features, k), initializer=start, name="V")

    def gap(self, real, fake):
        """What the moments show, a scalar: the critic widens it and the generator closes it."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        if self.matching == "mean":
            difference = tf.reduce_mean(on_real, axis=0) - tf.reduce_mean(on_fake, axis=0)
            if self.trained_v:
                return tf.reduce_sum(self.v.value * difference)
            return dual_norm(difference, self.p)
        return self._second_moment(on_real) - self._second_moment(on_fake)

    def score(self, x):
        """``<v, Phi(x)>`` with a trained v, ``(n, ...)`` to (n,); else ValueError."""
        self._require_score()
        return tf.linalg.matvec(self.critic(x, training=True), self.v.value)

    def critic_loss(self, real, fake):
        """Minus the gap."""
        return -self.gap(real, fake)

    def generator_loss(self, real, fake):
        """The gap."""
        return self.gap(real, fake)

    def after_critic_step(self, real, fake):
        """Clip the features' weights; bring v into its ball, or U and V to orthonormal columns."""
        clip_weights(self.critic, self.clip)
        if self.trained_v:
            self.v.assign(project_to_ball(self.v.value, self.p))
        if self.matching == "covariance":
            for matrix in (self.U, self.V):
                matrix.assign(qr_retraction(matrix.value))

    def _second_moment(self, features):
        """``E <U'Phi, V'Phi>``, a scalar."""
        left, right = tf.matmul(features, self.U.value), tf.matmul(features, self.V.value)
        return tf.reduce_mean(tf.reduce_sum(left * right, axis=1))

    @property
    def critic_variables(self):
        extra = [self.U, self.V] if self.matching == "covariance" else []
        extra += [self.v] if self.trained_v else []
        return self.critic.trainable_variables + extra


def dual_norm(vector, p):
    """``max over |v|_p <= 1 of <v, vector>`` for p = 1 or 2, a scalar; its slope is finite at 0."""
    if p == 1:
        return tf.reduce_max(tf.abs(vector))
    return safe_sqrt(tf.reduce_sum(vector**2) + SMOOTHING)


def project_to_ball(vector, p):
    """The nearest point of the ball ``|v|_p <= 1``, for p = 1 or 2."""
    if p == 2:
        return vector / tf.maximum(1.0, tf.norm(vector))
    # Every number moves towards 0 by the same amount, and stops there (Duchi et al. 2008).
    sizes = tf.sort(tf.abs(vector), direction="DESCENDING")
    shares = (tf.cumsum(sizes) - 1) / tf.range(1, vector.shape[0] + 1, dtype=vector.dtype)
    return tf.sign(vector) * tf.nn.relu(tf.abs(vector) - tf.nn.relu(tf.reduce_max(shares)))


def qr_retraction(matrix):
    """The Q of ``matrix = Q R`` with R's diagonal positive, which makes it unique."""
    q, r = tf.linalg.qr(matrix)
    return q * tf.where(tf.linalg.diag_part(r) < 0, -1.0, 1.0)
