"""Generative moment matching network (Li, Swersky, Zemel 2015, "Generative moment matching
networks"; the same idea in Dziugaite, Roy, Ghahramani 2015).

No critic: the generator goes down ``sqrt(MMD^2(x, G(z)))`` between two batches, a V-statistic, as
in the paper. The U-statistic (``unbiased``) is often negative near the goal, and there its root has
gradient 0: give it ``root=False``. The authors' code descends a thousand times the loss by SGD with
momentum; we use Adam.
"""

import math

import keras
import tensorflow as tf

from genlib import networks
from genlib.divergences import kernels
from genlib.divergences.samples import mmd2
from genlib.gans.base import AdversarialModel

#: The authors' on MNIST, where they write ``exp(-|x - y|^2 / (2 s))``.
MNIST_BANDWIDTHS = tuple(math.sqrt(s) for s in (2, 5, 10, 20, 40, 80))


class GMMN(AdversarialModel):
    """Moment matching without a critic: ``GMMN(generator)``.

    Args:
      bandwidths: of the RBF kernels that are summed, positive, in units of the data.
      kernel: any ``k(x, y)`` from `genlib.divergences.kernels` in their place.
      unbiased: the U-statistic in place of the V-statistic; a batch of 1 is then a ValueError.
      root: descend the root of MMD^2 (the paper's advice: its gradient does not fade at the goal).
      autoencoder: a trained `genlib.networks.autoencoder`, which is frozen ("GMMN+AE"): the
        generator makes its codes, else ValueError, and ``sample`` decodes them.
    """

    critic_kind = None
    log_names = ("generator_loss",)
    couples_batch = True

    def __init__(self, generator, bandwidths=MNIST_BANDWIDTHS, *, kernel=None, unbiased=False,
                 root=True, autoencoder=None, **options):  # fmt: skip
        super().__init__(generator, **options)
        self.kernel = kernel or kernels.rbf(bandwidths)
        self.unbiased, self.root = unbiased, root
        self.autoencoder = autoencoder
        if autoencoder is not None:
            networks.check("autoencoder", autoencoder)
            autoencoder.trainable = False
            made, codes = generator.output_shape, autoencoder.get_layer("encoder").output_shape
            if made != codes:
                raise ValueError(f"generator must make codes {codes}; it makes {made}")

    @property
    def min_batch_size(self):
        """The U-statistic is a mean over pairs."""
        return 2 if self.unbiased else 1

    def critic_loss(self, real, fake):
        """There is no critic: 0."""
        return tf.constant(0.0)

    def generator_loss(self, real, fake):
        """``sqrt(MMD^2)`` of samples ``(n, ...)``; of codes ``fake`` with an autoencoder."""
        if self.autoencoder is not None:
            real = self.autoencoder.get_layer("encoder")(real, training=False)
        value = mmd2(flat(real), flat(fake), self.kernel, unbiased=self.unbiased)
        return kernels.safe_sqrt(value) if self.root else value

    def sample(self, n, seed=None, averaged=False):
        made = super().sample(n, seed, averaged)
        if self.autoencoder is None:
            return made
        return self.autoencoder.get_layer("decoder")(made, training=False)

    @property
    def data_maker(self):
        return self.autoencoder or self.generator

    @staticmethod
    def default_optimizer():
        """Adam at 1e-3: the paper tunes the rate of its SGD for each data set."""
        return keras.optimizers.Adam(1e-3)


def flat(x):
    """``(n, ...)`` to ``(n, d)``."""
    return tf.reshape(x, (-1, math.prod(x.shape[1:])))
