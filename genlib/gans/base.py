"""The one training step that every GAN of the course shares.

A variant says what it minimises (`critic_loss`, `generator_loss`) and, where it needs to, what
happens after an update (`after_critic_step`, `after_generator_step`). All else is here: the
alternation of Goodfellow et al. (2014), Algorithm 1, run as many steps of one compiled graph.

What a variant may set beside them:

* ``critic_kind``, a key of `CRITIC_KINDS`: what its critic must give. None: it has no critic.
* ``log_names``: what a step reports. Names before "generator_loss" belong to the critic's step,
  names after it to the generator's; `log` reports each from inside a loss or a hook.
* State beside the networks (a multiplier, a margin, ...): ``self.add_weight(...)``, with
  ``trainable=False``; then a checkpoint holds it.
* `critic_variables`, where the critic's step trains more than the critic (a decoder, matrices).
* ``toy``, ``grid`` and ``images``: a `Preset` each, where the paper's settings do not suit small
  data.
* ``couples_batch = True``, where a loss is not the mean of one number a sample: such a batch is
  not divided among the replicas of a ``tf.distribute`` strategy, and ``fit`` says so.
"""

import abc
import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from genlib import networks, validate
from genlib.gans import penalties
from genlib.training import CompiledModel, minimise, resolve_jit

#: What a critic may give, and the test of its output shape, given that of the data.
CRITIC_KINDS = {
    "scalar": ("one number a sample, shape (n, 1)", lambda out, data: out == (1,)),
    "pair": ("two numbers a sample, shape (n, 2)", lambda out, data: out == (2,)),
    "vector": ("a vector a sample, shape (n, k)", lambda out, data: len(out) == 1),
    "autoencoder": ("a copy of each sample, of the data's shape", lambda out, data: out == data),
}


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings for one kind of small data, where the paper's would not do, and why.

    ``rate`` and ``critic_rate`` (the same, if None) are learning rates at the start; both fall to
    5 % along a cosine over ``steps`` generator steps, since two networks that chase each other
    only settle when their steps shrink. ``optimizer(rate)`` makes an optimizer.
    """

    why: str
    options: dict = dataclasses.field(default_factory=dict)
    optimizer: Callable = lambda rate: keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)
    rate: float = 1e-3
    critic_rate: float | None = None
    steps: int = 3000
    batch_size: int = 128

    def optimizers(self, steps, critic_steps):
        """The generator's and the critic's, for ``steps`` generator steps."""
        decays = (
            keras.optimizers.schedules.CosineDecay(rate, updates, alpha=0.05)
            for rate, updates in (
                (self.rate, steps),
                (self.critic_rate or self.rate, steps * critic_steps),
            )
        )
        return tuple(map(self.optimizer, decays))


class AdversarialModel(CompiledModel):
    """A generator and a critic that train against each other.

    Args:
      generator: a Keras model from latents ``(n, latent_dim)`` to samples ``(n, ...)``.
      critic: a Keras model from samples ``(n, ...)`` to what `critic_kind` says; None for a
        variant without one.
      critic_steps: critic updates for each generator update, each on a fresh batch.
      r1: adds ``r1 / 2`` times `penalties.r1` to what the critic minimises: its squared slope at
        real samples (Mescheder et al. 2018). 0 for none.
      ema: keep a running mean of the generator's weights that forgets at the rate ``1 - ema`` a
        step, such as 0.999; only ``sample(..., averaged=True)`` uses it. None for none.
      seed: makes latents and batches reproducible; the networks bring their own seeds.

    Raises:
      TypeError: ``generator`` or ``critic`` is not a built Keras model.
      ValueError: the critic does not accept what the generator makes, or gives something else
        than the variant needs; a critic with batch normalisation, or not one number a sample,
        together with ``r1``; a setting out of range.
    """

    log_names = ("critic_loss", "generator_loss")
    critic_kind: str | None = "scalar"
    couples_batch = False

    @property
    def undivided(self):
        """Why replicas cannot share a batch, or "" if they can."""
        if not self.couples_batch:
            return ""
        return (
            "its loss couples the samples of a batch, so the mean over the replicas' losses is "
            "not the loss of the whole batch"
        )

    toy = Preset("A rate of 1e-3, five times the usual: the budget is seconds.", steps=2000)
    grid = dataclasses.replace(
        toy,
        why="Modes forty times narrower than they are far apart: twice the rate, ten times the "
        "steps.",
        rate=2e-3,
        steps=20_000,
    )
    images = dataclasses.replace(toy, steps=4500, batch_size=64)

    def __init__(self, generator, critic=None, *, critic_steps=1, r1=0.0, ema=None, seed=None,
                 name=None):  # fmt: skip
        super().__init__(seed=seed, name=name)
        check_networks(generator, critic, self.critic_kind)
        self.generator = generator
        self.critic = critic
        self.critic_steps = validate.count("critic_steps", critic_steps)
        self.r1 = validate.non_negative("r1", r1)
        if self.r1:
            if self.critic_kind != "scalar":
                raise ValueError(f"r1 needs a critic that gives {CRITIC_KINDS['scalar'][0]}")
            penalties.refuse_batch_norm(critic)
        self.latent_dim = generator.input_shape[-1]
        self.ema = None if ema is None else float(validate.unit_interval("ema", ema))
        self._average = [] if ema is None else [
            self.add_weight(shape=v.shape, initializer=lambda *_, v=v, **__: v.value + 0,
                            trainable=False, name=f"average_{i}")
            for i, v in enumerate(generator.trainable_variables)
        ]  # fmt: skip
        self._reported = {}
        self.built = True

    @classmethod
    def for_toy(cls, *networks, steps=None, **overrides):
        """The variant with the settings of its ``toy`` preset for 2-D data like a ring, compiled.

        Args:
          *networks: as the class itself takes them; `suited_networks` makes some.
          steps: generator steps over which the learning rates fall; default: the preset's.
          **overrides: any argument of the class, over the preset's.
        """
        return cls._from(cls.toy, networks, steps, overrides)

    @classmethod
    def for_grid(cls, *networks, steps=None, **overrides):
        """The same for many narrow modes far apart, with the settings of ``grid``."""
        return cls._from(cls.grid, networks, steps, overrides)

    @classmethod
    def for_images(cls, *networks, steps=None, **overrides):
        """The same for small pictures, with the settings of ``images``."""
        return cls._from(cls.images, networks, steps, overrides)

    @classmethod
    def _from(cls, preset, networks, steps, overrides):
        model = cls(*networks, **(preset.options | overrides))
        pair = preset.optimizers(steps or preset.steps, model.critic_steps)
        model.compile(*pair if model.critic is not None else pair[:1])
        return model

    @classmethod
    def suited_networks(cls, shape, latent_dim=2, width=128, code=16, seed=None):
        """Two-layer networks for data of ``shape``, in the order in which the class takes them.

        Pictures are made in [0, 1]. A vector critic gives ``code`` numbers, and an autoencoder
        passes the data through as many.
        """
        seeds = (None, None) if seed is None else (seed, seed + 100)
        squash = "sigmoid" if len(shape) == 3 else None
        generator = networks.mlp(
            latent_dim, shape, width, output_activation=squash, seed=seeds[0], name="generator"
        )
        if cls.critic_kind is None:
            return (generator,)
        if cls.critic_kind == "autoencoder":
            critic = networks.autoencoder(
                shape, code, width, output_activation=squash, seed=seeds[1]
            )
        else:
            outputs = {"scalar": 1, "pair": 2, "vector": code}[cls.critic_kind]
            critic = networks.mlp(
                shape, outputs, width, activation="leaky_relu", seed=seeds[1], name="critic"
            )
        return generator, critic

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

    def critic_updates(self):
        """How many critic updates come before this generator update: an int or int32 scalar."""
        return self.critic_steps

    @property
    def critic_variables(self):
        """What the critic's step trains: Keras variables."""
        return self.critic.trainable_variables

    @staticmethod
    def default_optimizer() -> keras.optimizers.Optimizer:
        """Adam as most GAN papers since Radford et al. (2016) set it."""
        return keras.optimizers.Adam(2e-4, beta_1=0.5)

    # Keras's manners.

    def compile(self, generator_optimizer=None, critic_optimizer=None, jit_compile="auto"):
        """Choose the optimizers (default: the variant's own) and whether XLA compiles.

        Raises:
          ValueError: one object given for both optimizers, or a critic's where there is no critic.
        """
        self.generator_optimizer = generator_optimizer or self.default_optimizer()
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer = critic_optimizer
        if self.critic is not None:
            self.critic_optimizer = critic_optimizer or self.default_optimizer()
            if self.generator_optimizer is self.critic_optimizer:
                raise ValueError(
                    "generator_optimizer and critic_optimizer must be two objects; got one"
                )
            self.critic_optimizer.build(self.critic_variables)
        elif critic_optimizer is not None:
            raise ValueError(f"critic_optimizer must be None: {type(self).__name__} has no critic")
        self.jit_compile = resolve_jit(jit_compile, (self,))
        self.compiled = True
        self.train_function = None

    def call(self, latent, training=False):
        """Samples ``(n, ...)`` from latents ``(n, latent_dim)``."""
        return self.generator(latent, training=training)

    def sample(self, n, seed=None, averaged=False):
        """Draw ``n`` samples, shape ``(n, ...)``; the same ``seed`` draws the same latents.

        ``averaged`` uses the running mean of the generator's weights, which `ema` keeps;
        ValueError if it keeps none.
        """
        latent = keras.random.normal((validate.count("n", n), self.latent_dim), seed=seed)
        if not averaged:
            return self.generator(latent, training=False)
        if self.ema is None:
            raise ValueError("averaged needs a model built with ema, such as ema=0.999")
        weights = [v.value for v in self._average]
        others = [v.value for v in self.generator.non_trainable_variables]
        return self.generator.stateless_call(weights, others, latent, training=False)[0]

    @property
    def optimizers(self):
        both = (self.generator_optimizer, self.critic_optimizer)
        return tuple(optimizer for optimizer in both if optimizer is not None)

    @property
    def input_shape(self):
        """The shape of the data, ``(None, ...)``."""
        return self.generator.output_shape

    # One step.

    def step(self, draw_batch):
        """The critic's updates, then one generator update; ``{log name: scalar}``."""
        if self.critic is None:
            return self.generator_step(draw_batch())
        updates = self.critic_updates()
        if isinstance(updates, int) and updates == 1:
            critic_logs = self.critic_step(draw_batch())
        else:
            names = self.log_names[: self.log_names.index("generator_loss")]
            critic_logs = tf.while_loop(
                lambda i, logs: i < updates,
                lambda i, logs: (i + 1, self.critic_step(draw_batch())),
                (0, dict.fromkeys(names, tf.constant(0.0))),
            )[1]
        return critic_logs | self.generator_step(draw_batch())

    def critic_step(self, real):
        """One update of the critic on a batch ``real`` and as many generated samples."""

        def update(real):
            fake, reported = self.generate(tf.shape(real)[0]), {}

            def objective():
                loss = self.critic_loss(real, fake)
                reported.update(self._take_reported())
                return loss + self.r1 / 2 * penalties.r1(self.critic, real) if self.r1 else loss

            loss = minimise(self.critic_optimizer, self.critic_variables, objective)
            return {"critic_loss": loss} | reported, fake

        logs, fake = self.share(update, real)
        self.after_critic_step(real, fake)
        return logs | self._take_reported()

    def generator_step(self, real):
        """One update of the generator; its samples are made inside, so that gradients reach it."""

        def update(real):
            made, reported = [], {}

            def objective():
                made.append(self.generate(tf.shape(real)[0]))
                loss = self.generator_loss(real, made[0])
                reported.update(self._take_reported())
                return loss

            variables = self.generator.trainable_variables
            loss = minimise(self.generator_optimizer, variables, objective)
            return {"generator_loss": loss} | reported, made[0]

        logs, fake = self.share(update, real)
        self.after_generator_step(real, fake)
        self._move_average()
        return logs | self._take_reported()

    def generate(self, n):
        """``n`` samples in training mode, from latents that a checkpoint can repeat."""
        return self.generator(self.random_normal((n, self.latent_dim)), training=True)

    def log(self, name, value):
        """Report ``value``, a scalar, with this step's losses; ``name`` is one of `log_names`."""
        self._reported[name] = value

    def _take_reported(self):
        reported = dict(self._reported)
        self._reported.clear()
        return reported

    def _move_average(self):
        """``average <- d average + (1 - d) weights``; d grows to `ema` as the first steps pass."""
        if self.ema is None:
            return
        step = tf.cast(self.generator_optimizer.iterations.value, tf.float32)
        keep = tf.minimum(self.ema, step / (step + 9))
        for mean, weight in zip(self._average, self.generator.trainable_variables, strict=True):
            mean.assign(keep * mean.value + (1 - keep) * weight.value)


def check_networks(generator, critic, kind):
    """The one check of a variant's networks; TypeError or ValueError says what is wrong."""
    for name, network in (("generator", generator), ("critic", critic)):
        if name == "critic" and kind is None:
            continue
        if not isinstance(network, keras.Model) or not network.built:
            raise TypeError(f"{name} must be a built keras.Model; got {type(network).__name__}")
    if len(generator.input_shape) != 2:
        raise ValueError(
            f"generator must take latents (n, latent_dim); it takes {generator.input_shape}"
        )
    if kind is None:
        return
    made, taken, given = generator.output_shape[1:], critic.input_shape[1:], critic.output_shape[1:]
    if made != taken:
        raise ValueError(
            f"critic must accept what generator makes: shape {made}; it accepts {taken}"
        )
    words, fits = CRITIC_KINDS[kind]
    if not fits(given, made):
        raise ValueError(f"critic must give {words}; it gives {critic.output_shape}")
