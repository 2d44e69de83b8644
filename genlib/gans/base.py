"""The one training step that every GAN of the course shares.

A variant says what it minimises (`critic_loss`, `generator_loss`) and, where it needs to, what
happens after an update (`after_critic_step`, `after_generator_step`). All else is here: the
alternation of Goodfellow et al. (2014), Algorithm 1, run as many steps of one compiled graph.
"""

import abc

import keras
import tensorflow as tf

from genlib import validate
from genlib.training import CompiledModel, minimise, resolve_jit


class AdversarialModel(CompiledModel):
    """A generator and a critic that train against each other.

    Args:
      generator: a Keras model from latents ``(n, latent_dim)`` to samples ``(n, ...)``.
      critic: a Keras model from samples ``(n, ...)`` to ``(n, k)``.
      critic_steps: critic updates for each generator update, each on a fresh batch.
      seed: makes latents and batches reproducible; the networks bring their own seeds.

    Raises:
      TypeError: ``generator`` or ``critic`` is not a built Keras model.
      ValueError: the critic does not accept what the generator makes.
    """

    #: What one step reports, in order; a variant with more to tell extends it.
    log_names = ("critic_loss", "generator_loss")

    def __init__(self, generator, critic, *, critic_steps=1, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        _check_networks(generator, critic)
        self.generator = generator
        self.critic = critic
        self.critic_steps = validate.count("critic_steps", critic_steps)
        self.latent_dim = generator.input_shape[-1]
        self.built = True

    # What a variant defines.

    @abc.abstractmethod
    def critic_loss(self, real, fake):
        """Scalar that the critic minimises, given samples ``real`` and ``fake`` ``(n, ...)``."""

    @abc.abstractmethod
    def generator_loss(self, real, fake):
        """Scalar that the generator minimises; the gradient flows through ``fake``."""

    def after_critic_step(self, real, fake):
        """Restore the critic's constraint after its update (clip, project, ...)."""

    def after_generator_step(self, real, fake):
        """Move what the variant moves once a step (a margin, an equilibrium, ...)."""

    @staticmethod
    def default_optimizer() -> keras.optimizers.Optimizer:
        """Adam as most GAN papers since Radford et al. (2016) set it."""
        return keras.optimizers.Adam(2e-4, beta_1=0.5)

    # Keras's manners.

    def compile(self, generator_optimizer=None, critic_optimizer=None, jit_compile="auto"):
        """Choose the optimizers (default: the variant's own) and whether XLA compiles.

        Raises:
          ValueError: one object given for both optimizers.
        """
        self.generator_optimizer = generator_optimizer or self.default_optimizer()
        self.critic_optimizer = critic_optimizer or self.default_optimizer()
        if self.generator_optimizer is self.critic_optimizer:
            raise ValueError(
                "generator_optimizer and critic_optimizer must be two objects; got one"
            )
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.jit_compile = resolve_jit(jit_compile, (self.generator, self.critic))
        self.compiled = True
        self.train_function = None

    def call(self, latent, training=False):
        """Samples ``(n, ...)`` from latents ``(n, latent_dim)``."""
        return self.generator(latent, training=training)

    def sample(self, n, seed=None):
        """Draw ``n`` samples, shape ``(n, ...)``; the same ``seed`` draws the same latents."""
        shape = (validate.count("n", n), self.latent_dim)
        return self.generator(keras.random.normal(shape, seed=seed), training=False)

    @property
    def optimizers(self):
        return (self.generator_optimizer, self.critic_optimizer)

    @property
    def input_shape(self):
        """The shape of the data, ``(None, ...)``."""
        return self.critic.input_shape

    # One step.

    def step(self, draw_batch):
        """`critic_steps` critic updates, then one generator update; ``{log name: scalar}``."""
        if self.critic_steps == 1:
            critic_logs = self.critic_step(draw_batch())
        else:
            zeros = dict.fromkeys(self.log_names[:-1], tf.constant(0.0))
            critic_logs = tf.while_loop(
                lambda i, logs: i < self.critic_steps,
                lambda i, logs: (i + 1, self.critic_step(draw_batch())),
                (0, zeros),
            )[1]
        return critic_logs | self.generator_step(draw_batch())

    def critic_step(self, real):
        fake = self.generate(tf.shape(real)[0])
        loss = minimise(self.critic_optimizer, self.critic, lambda: self.critic_loss(real, fake))
        self.after_critic_step(real, fake)
        return {"critic_loss": loss}

    def generator_step(self, real):
        made = {}

        def objective():
            made["fake"] = self.generate(tf.shape(real)[0])
            return self.generator_loss(real, made["fake"])

        loss = minimise(self.generator_optimizer, self.generator, objective)
        self.after_generator_step(real, made["fake"])
        return {"generator_loss": loss}

    def generate(self, n):
        """``n`` samples in training mode, from latents that a checkpoint can repeat."""
        return self.generator(self.random_normal((n, self.latent_dim)), training=True)


def _check_networks(generator, critic):
    for name, network in (("generator", generator), ("critic", critic)):
        if not isinstance(network, keras.Model) or not network.built:
            raise TypeError(f"{name} must be a built keras.Model; got {type(network).__name__}")
    made, taken = generator.output_shape[1:], critic.input_shape[1:]
    if made != taken:
        raise ValueError(
            f"critic must accept what generator makes: shape {made}; it accepts {taken}"
        )
    if len(generator.input_shape) != 2:
        raise ValueError(
            f"generator must take latents (n, latent_dim); it takes {generator.input_shape}"
        )
