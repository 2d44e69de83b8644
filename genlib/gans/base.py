"""The one training step that every GAN of the course shares: Goodfellow et al. (2014), Algorithm 1.

A variant says what it minimises (`critic_loss`, `generator_loss`) and, where it needs to, what
happens after an update (`after_critic_step`, `after_generator_step`). It may also set `log_names`,
`critic_kind`, `couples_batch`, `critic_variables`, `generator_variables` and `score`, and hold
other state by `add_state`.
"""

import abc
import functools

import keras
import tensorflow as tf

from genlib import networks, validate
from genlib.gans import penalties
from genlib.training import CompiledModel, minimise, resolve_jit, resolve_optimizer

#: What a critic may give, and the test of its output shape, given that of the data.
CRITIC_KINDS = {
    "scalar": ("one number a sample, shape (n, 1)", lambda out, data: out == (1,)),
    "pair": ("two numbers a sample, shape (n, 2)", lambda out, data: out == (2,)),
    "vector": ("a vector a sample, shape (n, k)", lambda out, data: len(out) == 1),
    "patches": (
        "a map of numbers, shape (n, h, w, 1)",
        lambda out, data: len(out) == 3 and out[-1] == 1,
    ),
    "autoencoder": ("a copy of each sample, of the data's shape", lambda out, data: out == data),
}


class AdversarialModel(CompiledModel):
    """A generator and a critic that train against each other. Every variant takes these as options.

    Args:
      generator: a Keras model from latents ``(n, latent_dim)`` to samples ``(n, ...)``.
      critic: a Keras model from samples ``(n, ...)`` to what `critic_kind` says, or None.
      critic_steps: critic updates for each generator update, each on a fresh batch.
      r1, r2: half of each weighs `penalties.r1` of `score` in what the critic minimises: on real
        samples, and on generated ones.
      ema: keep a running mean of the generator's weights, for ``sample(..., averaged=True)``, that
        forgets at the rate ``1 - ema`` a step, such as 0.999; None for none.
      seed: makes latents and batches reproducible; the networks bring their own seeds.

    Raises:
      TypeError: ``generator`` or ``critic`` is not a built Keras model of fixed shapes.
      ValueError: networks that do not fit each other or the variant, or share weights; a critic
        with batch normalisation under a gradient penalty; ``r1`` or ``r2`` where there is no
        `score`; any setting out of range.
    """

    #: What a step reports by `log`: before "generator_loss" the critic's, after it the generator's.
    log_names = ("critic_loss", "generator_loss")
    critic_kind: str | None = "scalar"  # a key of `CRITIC_KINDS`; None: it has no critic
    has_score = property(lambda self: self.critic_kind == "scalar", doc="Whether `score` exists.")
    #: True where a loss is not the mean of one number a sample: replicas cannot share a batch.
    couples_batch = False

    @property
    def undivided(self):
        """Why replicas cannot share a batch, or "" if they can."""
        coupled = "its loss couples the samples of a batch: replicas' means do not add up to it"
        return coupled if self.couples_batch else ""

    def __init__(self, generator, critic=None, *, critic_steps=1, r1=0.0, r2=0.0, ema=None,
                 seed=None, name=None):  # fmt: skip
        super().__init__(seed=seed, name=name)
        self.latent_dim = self.check_networks(generator, critic)
        self.generator, self.critic = generator, critic
        self.critic_steps = validate.count("critic_steps", critic_steps)
        self.r1, self.r2 = validate.non_negative("r1", r1), validate.non_negative("r2", r2)
        if self.r1 or self.r2:
            self._require_score("r1" if self.r1 else "r2")
            penalties.refuse_batch_norm(critic)
        self.ema = None if ema is None else float(validate.unit_interval("ema", ema))
        self.average = None if ema is None else keras.models.clone_model(generator)
        if self.average is not None:
            self.average.set_weights(generator.get_weights())
            self.average.trainable = False
        self._reported = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name in ("critic_loss", "generator_loss"):
            if name in vars(cls):
                setattr(cls, name, _on_arrays(vars(cls)[name]))

    def check_networks(self, generator, critic):
        """The size of a latent; TypeError or ValueError for networks that it cannot train."""
        check_networks(generator, critic, self.critic_kind)
        return generator.input_shape[-1]

    # What a variant defines.

    @abc.abstractmethod
    def critic_loss(self, real, fake):
        """Scalar that the critic minimises, given samples ``real`` and ``fake`` ``(n, ...)``."""

    @abc.abstractmethod
    def generator_loss(self, real, fake):
        """Scalar that the generator minimises; the gradient flows through ``fake``."""

    def score(self, x):
        """What `r1`, `r2` flatten, one number a sample: ``(n, ...)`` to ``(n, 1)`` or ``(n,)``."""
        self._require_score()
        return self.critic(x, training=True)

    def steepness(self, x):
        """What ``r1 / 2`` weighs on real, ``r2 / 2`` on generated samples: a scalar."""
        return penalties.r1(self.score, x)

    def _require_score(self, name="r1"):
        if not self.has_score:
            kind = type(self).__name__
            raise ValueError(f"{name} needs one number a sample, and {kind} gives none")

    def after_critic_step(self, real, fake):
        """Restore the critic's constraint after its update (clip, project, ...)."""

    def after_generator_step(self, real, fake):
        """Move what the variant moves once a step (a margin, ...)."""

    @property
    def critic_variables(self):
        """What the critic's step trains: Keras variables."""
        return self.critic.trainable_variables

    @property
    def generator_variables(self):
        """What the generator's step trains: Keras variables."""
        return self.generator.trainable_variables

    @staticmethod
    def default_optimizer() -> keras.optimizers.Optimizer:
        """Adam as most GAN papers since Radford et al. (2016) set it."""
        return keras.optimizers.Adam(2e-4, beta_1=0.5)

    def compile(self, generator_optimizer=None, critic_optimizer=None, jit_compile="auto"):
        """Set the optimizers or their names (default: the variant's), and whether XLA compiles.

        ValueError: no optimizer, another model's, one for both, or a critic's without a critic.
        """
        if self.critic is None and critic_optimizer is not None:
            raise ValueError(f"critic_optimizer must be None: {type(self).__name__} has no critic")
        default, one = self.default_optimizer, generator_optimizer is critic_optimizer
        if one and isinstance(generator_optimizer, keras.optimizers.Optimizer):
            raise ValueError("generator_optimizer and critic_optimizer must be two objects")
        self.generator_optimizer = self.optimizer = resolve_optimizer(
            "generator_optimizer", generator_optimizer, default, self.generator_variables
        )
        self.critic_optimizer = None
        if self.critic is not None:
            self.critic_optimizer = resolve_optimizer(
                "critic_optimizer", critic_optimizer, default, self.critic_variables
            )
            self.optimizer = _Both(self.optimizers)
        self.jit_compile = resolve_jit(jit_compile, (self,))
        self.compiled = True
        self.train_function = None

    def call(self, latent, training=False):
        """Samples ``(n, ...)`` from latents ``(n, latent_dim)``."""
        return self.generator(latent, training=training)

    def sample(self, n, seed=None, averaged=False):
        """Draw ``n`` samples, shape ``(n, ...)``; the same ``seed`` draws the same latents.

        ``averaged`` uses the running mean of the generator's weights; ValueError without `ema`.
        """
        return self._draw_samples(validate.count("n", n), seed, averaged)

    def _draw_samples(self, n, seed, averaged, given=lambda latent: latent):
        """What the generator, or its average, makes of ``given(latents (n, latent_dim))``."""
        shape, seed = (n, self.latent_dim), validate.seed("seed", seed)
        if averaged and self.average is None:
            raise ValueError("averaged needs a model built with ema, such as ema=0.999")
        latent = keras.random.normal(shape, dtype="float32", seed=seed)
        return (self.average if averaged else self.generator)(given(latent), training=False)

    @property
    def optimizers(self):
        return tuple(filter(None, (self.generator_optimizer, self.critic_optimizer)))

    @property
    def data_maker(self):
        """The network whose output has the shape and the range of the data."""
        return self.generator

    @property
    def input_shape(self):
        """The shape of the data, ``(None, ...)``."""
        return self.data_maker.output_shape

    def validate_data(self, data):
        """``data``; ValueError where it lies far outside of all that the generator can make."""
        low, high, name = networks.output_range(self.data_maker)
        slack = (high - low) / 10  # noise that was added to pictures does no harm
        least, most = float(tf.reduce_min(data)), float(tf.reduce_max(data))
        if least < low - slack or most > high + slack:
            raise ValueError(
                f"data must be in [{low:.0f}, {high:.0f}], since generator ends in {name}; got "
                f"values from {least:.4g} to {most:.4g}"
            )
        return data

    def step(self, draw_batch):
        """The critic's updates, then one generator update; ``{log name: scalar}``."""
        logs = {}
        if self.critic is not None and self.critic_steps == 1:
            logs = self.critic_step(draw_batch())
        elif self.critic is not None:
            names = self.log_names[: self.log_names.index("generator_loss")]
            _, logs = tf.while_loop(
                lambda i, logs: i < self.critic_steps,
                lambda i, logs: (i + 1, self.critic_step(draw_batch())),
                (0, dict.fromkeys(names, tf.constant(0.0))),
            )
        return logs | self.generator_step(draw_batch())

    def critic_step(self, real):
        """One update of the critic on a batch ``real`` and as many generated samples."""
        logs, fake = self.update_critic(real)
        self.after_critic_step(real, fake)
        return logs | self._take_reported()

    def update_critic(self, real):
        """Go down the critic's loss: ``{log name: scalar}``, and the generated samples."""
        fake, logs = self.generate_like(real), {}

        def objective():
            loss = self.critic_loss(real, fake)
            logs.update(self._take_reported())
            for weight, x in ((self.r1, real), (self.r2, fake)):
                loss = loss + weight / 2 * self.steepness(x) if weight else loss
            return loss

        logs["critic_loss"] = minimise(self.critic_optimizer, self.critic_variables, objective)
        return logs, fake

    def generator_step(self, real):
        """One update of the generator, with as many generated samples as ``real`` has."""
        logs, fake = self.update_generator(real)
        self.after_generator_step(real, fake)
        self._move_average()
        return logs | self._take_reported()

    def update_generator(self, real):
        """Go down the generator's loss: ``{log name: scalar}``, and the generated samples."""
        made, logs = [], {}

        def objective():
            made.append(self.generate_like(real))  # here, so that gradients reach it
            loss = self.generator_loss(real, made[0])
            logs.update(self._take_reported())
            return loss

        variables = self.generator_variables
        logs["generator_loss"] = minimise(self.generator_optimizer, variables, objective)
        return logs, made[0]

    def generate_like(self, real):
        """As many samples as ``real`` has, in training mode."""
        return self.generate(tf.shape(real)[0])

    def generate(self, n):
        """``n`` samples in training mode, from latents that a checkpoint can repeat."""
        return self.generator(self.random_normal((n, self.latent_dim)), training=True)

    def add_state(self, name, start):
        """A number or an array that no gradient moves and a checkpoint holds, as a variable."""
        start, shape = keras.initializers.Constant(start), keras.ops.shape(start)
        return self.add_weight(shape=shape, initializer=start, trainable=False, name=name)

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
        if self.average is None:
            raise ValueError("ema must be given when the model is built; got it afterwards")
        step = tf.cast(self.generator_optimizer.iterations.value, tf.float32)
        keep = tf.minimum(self.ema, step / (step + 9))
        for mean, weight in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign(keep * mean.value + (1 - keep) * weight.value)


class _Both:
    """A GAN's two optimizers as one, for Keras; the critic's rate keeps its ratio to the first."""

    built = True

    def __init__(self, optimizers):
        self._optimizers, self._proportion = optimizers, None

    @property
    def learning_rate(self):
        return self._optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        generators, critics = self._optimizers
        if self._proportion is None:  # not where it is made: replicas' rates cannot be read there
            first, second = (keras.ops.convert_to_numpy(o.learning_rate) for o in self._optimizers)
            self._proportion = float(second / first) if first else 1.0
        generators.learning_rate = float(value)
        critics.learning_rate = float(value) * self._proportion

    @property
    def variables(self):
        return [v for optimizer in self._optimizers for v in optimizer.variables]


def _on_arrays(loss):
    """``loss`` of two batches in any form that becomes a float32 tensor; one may be None."""

    def tensor(x):
        if isinstance(x, tuple):  # samples and their conditions
            return tuple(map(tensor, x))
        return None if x is None else tf.cast(tf.convert_to_tensor(x), tf.float32)

    @functools.wraps(loss)
    def on_tensors(self, real, fake):
        return loss(self, tensor(real), tensor(fake))

    return on_tensors


def check_networks(generator, critic, kind):
    """TypeError or ValueError unless a variant of this critic ``kind`` can train the networks."""
    networks.check("generator", generator)
    if len(generator.input_shape) != 2:
        raise ValueError(f"generator must take latents (n, d); it takes {generator.input_shape}")
    if kind is None:
        return
    networks.check("critic", critic)
    made, taken, given = generator.output_shape[1:], critic.input_shape[1:], critic.output_shape[1:]
    if made != taken:
        raise ValueError(f"critic must accept what generator makes, {made}; it accepts {taken}")
    refuse_shared_weights(generator, critic)
    words, fits = CRITIC_KINDS[kind]
    if not fits(given, made):
        raise ValueError(f"critic must give {words}; it gives {critic.output_shape}")


def refuse_shared_weights(generator, critic):
    """ValueError where both own a variable."""
    if {id(v) for v in generator.variables} & {id(v) for v in critic.variables}:
        raise ValueError("critic must not share weights with generator; got networks that do")
