"""Least-squares GAN (Mao et al. 2017, "Least squares generative adversarial networks").

The critic is pulled to ``b`` on real and to ``a`` on generated samples, which the generator pulls
to ``c`` (equation 2). At the best critic twice the generator's loss, real samples' term included,
is ``(b - a)^2 / 4 int (p - q)^2 / (p + q) + (a + b - 2 c)^2 / 2``: a Pearson chi-square where
``b - c = 1`` and ``b - a = 2`` (Theorem 1), and that of another scale and level elsewhere.
"""

import numpy as np
import tensorflow as tf

from genlib.gans.base import AdversarialModel

#: Named triples (a, b, c): equation 9, which the authors use in practice, and equation 8.
CODINGS = {"zero_one": (0.0, 1.0, 1.0), "pearson": (-1.0, 1.0, 0.0)}


class LSGAN(AdversarialModel):
    """Least-squares GAN; the critic maps ``(n, ...)`` to numbers ``(n, 1)``, with no sigmoid.

    ``coding``: a key of `CODINGS`, or three finite numbers (a, b, c), a and b different.
    """

    def __init__(self, generator, critic, coding="zero_one", **options):
        super().__init__(generator, critic, **options)
        self.a, self.b, self.c = _targets(coding)

    def critic_loss(self, real, fake):
        """``1/2 E (D(x) - b)^2 + 1/2 E (D(x~) - a)^2``."""
        on_real, on_fake = self.critic(real, training=True), self.critic(fake, training=True)
        return (
            tf.reduce_mean((on_real - self.b) ** 2) + tf.reduce_mean((on_fake - self.a) ** 2)
        ) / 2

    def generator_loss(self, real, fake):
        """``1/2 E (D(x~) - c)^2``."""
        return tf.reduce_mean((self.critic(fake, training=True) - self.c) ** 2) / 2


def _targets(coding):
    try:
        targets = CODINGS[coding] if isinstance(coding, str) else tuple(map(float, coding))
        good = len(targets) == 3 and np.isfinite(targets).all() and targets[0] != targets[1]
    except (KeyError, TypeError, ValueError):
        good = False
    if not good:
        names = ", ".join(map(repr, CODINGS))
        raise ValueError(
            f"coding must be {names} or three finite numbers (a, b, c), a and b different; "
            f"got {coding!r}"
        )
    return targets
