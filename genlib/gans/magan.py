"""Margin adaptation GAN (Wang, Cully, Chang, Demiris 2017, "MAGAN", Algorithm 1).

`EBGAN` with the squared error, no pull-away term, and a margin that starts at the mean energy of
the data, once the critic was trained on them alone. Once an epoch it moves there again if that is
below the margin, and below the mean energy of the generated samples, which did not fall since the
epoch before: the generator has stopped to gain. So it never rises. The last test is the paper's
``last <= now``; the authors' code has ``<``. As there, the first epoch decides nothing.
"""

import keras
import tensorflow as tf

from genlib import validate
from genlib.gans.ebgan import EBGAN, squared_error
from genlib.training import minimise


class MAGAN(EBGAN):
    """Margin adaptation GAN; the critic is a `genlib.networks.autoencoder`.

    Args:
      margin: where the margin starts; None: at the mean energy of the data after `pretrain`, which
        the first ``fit`` then runs.
      epoch_steps: generator steps in an epoch, whatever ``fit`` is given; default: MNIST's in
        batches of 64.
      pretrain_steps: critic updates on the data alone; default: two epochs, as the authors.
    """

    log_names = (*EBGAN.log_names, "margin")

    def __init__(self, generator, critic, margin=None, epoch_steps=938, pretrain_steps=None,
                 **options):  # fmt: skip
        super().__init__(generator, critic, pull_away_weight=0.0, **options)
        self.epoch_steps = validate.count("epoch_steps", epoch_steps)
        steps = 2 * self.epoch_steps if pretrain_steps is None else pretrain_steps
        self.pretrain_steps = validate.count("pretrain_steps", steps, minimum=0)
        # 0 is "not yet": the hinge then is 0, and the critic minimises the energy of the data.
        start = 0.0 if margin is None else validate.positive("margin", margin)
        self.margin = self.add_state("margin", start)
        self.last_fake_energy = self.add_state("last_fake_energy", float("inf"))
        # Rows: data, generated; columns: sum, count.
        self.totals = self.add_state("totals", [[0.0, 0.0]] * 2)

    def energy(self, x):
        """``|Dec(Enc(x)) - x|^2``, summed over all of a sample: ``(n, ...)`` to (n,)."""
        return squared_error(self.critic, x)

    def end_epoch(self, real_energy, fake_energy):
        """Move the margin, or not, given the means of the epoch that ends: two scalars."""
        margin, last = self.margin.value, self.last_fake_energy.value
        moves = margin_moves(margin, real_energy, fake_energy, last)
        self.margin.assign(tf.where(moves, real_energy, margin))
        self.last_fake_energy.assign(fake_energy)

    def critic_step(self, real):
        logs = super().critic_step(real)
        self.totals.assign_add([[logs["real_energy"], 1.0], [0.0, 0.0]])
        return logs

    def generator_step(self, real):
        logs = super().generator_step(real)
        self.totals.assign_add([[0.0, 0.0], [logs["fake_energy"], 1.0]])
        totals = self.totals.value

        def end():
            self.end_epoch(*tf.unstack(totals[:, 0] / totals[:, 1]))
            self.totals.assign(tf.zeros((2, 2)))
            return True

        tf.cond(totals[1, 1] >= self.epoch_steps, end, lambda: False)
        return logs | {"margin": self.margin.value}

    @property
    def undivided(self):
        if self.margin.value == 0:
            return "its pretraining is written for one device; give it a margin"
        return super().undivided

    def before_training(self, data, batch_size):
        if self.margin.value == 0:
            self.pretrain(data, batch_size)

    def pretrain(self, data, batch_size=64):
        """Train the critic on ``data`` ``(n, ...)`` alone; set the margin to its mean energy."""
        data = tf.convert_to_tensor(data, tf.float32)

        def energy():
            rows = self.random_uniform((batch_size,), 0, data.shape[0], tf.int32)
            return tf.reduce_mean(self.energy(tf.gather(data, rows)))

        def repeat(times, body):
            return tf.while_loop(
                lambda i, total: i < times, lambda i, total: (i + 1, total + body()), (0, 0.0)
            )[1]

        @tf.function(autograph=False)
        def run():
            optimizer, variables = self.critic_optimizer, self.critic_variables
            repeat(self.pretrain_steps, lambda: minimise(optimizer, variables, energy))
            return repeat(self.epoch_steps, energy) / self.epoch_steps

        self.margin.assign(run())

    @staticmethod
    def default_optimizer():
        """Adamax at 5e-4 with momentum 0.5, the authors'."""
        return keras.optimizers.Adamax(5e-4, beta_1=0.5)


def margin_moves(margin, real_energy, fake_energy, last_fake_energy):
    """Whether the margin moves to the data's mean energy: scalars, or arrays of one shape."""
    below_both = (real_energy < margin) & (real_energy < fake_energy)
    return below_both & (last_fake_energy <= fake_energy)
