"""The compiled training loop behind ``fit``, and the callbacks that ride on it.

An epoch is one call of one compiled graph, in which no Python runs; it draws batches from data that
stay in memory. The batch hooks of Keras callbacks run once a call.
"""

import abc
import inspect
import pathlib
import pickle
import types

import keras
import numpy as np
import tensorflow as tf

from genlib import replicas, validate

#: Points drawn from a distribution that is given to ``fit`` in place of data.
POOL = 65_536

# This optimizer lets a read slip behind a variable's second update in a step (McGAN's U).
tf.config.optimizer.set_experimental_options({"dependency_optimization": False})


class CompiledModel(keras.Model, abc.ABC):
    """A Keras model whose ``fit`` runs many training steps in one compiled graph.

    A subclass defines `step`, `log_names` and ``compile``, which sets ``optimizer`` and
    ``jit_compile`` (see `resolve_jit`), and draws by `random_normal` and `random_uniform`: so a
    checkpoint holds the random state. Settings may change at any time: the graph is made anew (see
    `settings_of`), and a number given to an attribute that is a variable moves it. ``seed`` makes
    batches and all other draws reproducible: None, or a whole number below 2^32.
    """

    log_names: tuple[str, ...]  # what one step reports, in order
    min_batch_size = 1
    #: Why its step cannot be shared among several devices (see `replicas`); "" if it can.
    undivided = "its step is written for one device"

    def __new__(cls, *args, **options):
        return super().__new__(replicas.class_for(cls), *args, **options)

    def __init__(self, seed=None, name=None):
        super().__init__(name=name, dtype="float32")
        self.seed_generator = keras.random.SeedGenerator(validate.seed("seed", seed))
        self.train_function = None  # the settings of a compiled epoch, and the epoch
        self._random_algorithm = "philox"
        self.built = True

    def __setattr__(self, name, value):
        held = vars(self).get(name)
        if isinstance(held, keras.Variable) and not isinstance(value, keras.Variable):
            held.assign(value)
            return
        arguments = inspect.signature(type(self).__init__).parameters
        if vars(self).get("compiled") and name in arguments and not hasattr(self, name):
            raise AttributeError(
                f"{name} is read only while a {type(self).__name__} is built; build another"
            )
        super().__setattr__(name, value)

    @abc.abstractmethod
    def step(self, draw_batch):
        """One training step; ``draw_batch()`` gives a fresh batch. ``{log name: scalar}``."""

    @property
    def optimizers(self) -> tuple[keras.optimizers.Optimizer, ...]:
        """Every optimizer: their state is part of what a checkpoint must hold."""
        return (self.optimizer,)

    @property
    def state(self) -> list[tf.Variable]:
        """Everything a step reads or writes: weights, random state, optimizer moments."""
        held = [*self.variables, *(v for opt in self.optimizers for v in opt.variables)]
        return [v.value for v in held]

    def random_normal(self, shape):
        """Standard normal numbers, float32."""
        return self._draw(tf.random.stateless_normal, shape)

    def random_uniform(self, shape, minval=0, maxval=1, dtype=tf.float32):
        """Uniform numbers in [minval, maxval); for integers ``maxval`` may be a tensor."""
        span = {"minval": minval, "maxval": maxval, "dtype": dtype}
        return self._draw(tf.random.stateless_uniform, shape, **span)

    def _draw(self, sampler, shape, **options):
        return sampler(shape, self.seed_generator.next(), alg=self._random_algorithm, **options)

    def validate_data(self, data, name="data"):
        """Return ``data``; a model that has no place for some of it raises ValueError here."""
        return data

    def resident(self, data):
        """What stays in memory of what `fit` was given: ``(n, ...)``, or a tuple of such."""
        return self.validate_data(_resident(data, self.input_shape[1:]))

    def before_training(self, data, batch_size):
        """What a model does once before its first epoch, with all of ``data`` ``(n, ...)``."""

    def fit(self, data, batch_size=64, epochs=1, steps_per_epoch=None, callbacks=None,
            verbose="auto", initial_epoch=0) -> keras.callbacks.History:  # fmt: skip
        """Train on ``data``, with batches drawn uniformly with replacement.

        Args:
          data: an array ``(n, ...)``, or a ``tfd.Distribution``: `POOL` points of it.
          epochs, initial_epoch: train epochs ``initial_epoch`` to ``epochs - 1``.
          steps_per_epoch: steps in one compiled call; default ``n // batch_size``, at least 1.
          callbacks: one or several Keras callbacks, which come after a `StopOnNaN`; else TypeError.
          verbose: 0 for silence, else Keras's progress bar.

        Returns the mean over each epoch of each of `log_names`, also after an interrupt. Raises
        ValueError for a count below 1 or not whole; data of another shape, empty or not finite;
        pixels as whole numbers above 1.
        """
        if not self.compiled:
            self.compile()
        data = self.resident(data)
        batch_size = validate.count("batch_size", batch_size, self.min_batch_size)
        epochs = validate.count("epochs", epochs, minimum=0)
        initial_epoch = validate.count("initial_epoch", initial_epoch, minimum=0)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, tf.nest.flatten(data)[0].shape[0] // batch_size)
        steps_per_epoch = validate.count("steps_per_epoch", steps_per_epoch)
        callbacks = [callback for callback in keras.tree.flatten(callbacks) if callback is not None]
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    f"callbacks must be keras.callbacks.Callback objects; got {type(callback)}"
                )
        # First: no other may save a state that has gone bad, and all may read the last epoch's.
        callbacks = [StopOnNaN(), keras.callbacks.History(), *callbacks]
        hooks = keras.callbacks.CallbackList(
            callbacks, add_progbar=verbose != 0, model=self,
            verbose=verbose, epochs=epochs, steps=steps_per_epoch,
        )  # fmt: skip

        self.stop_training = False
        self._initial_epoch = None  # where Resume, and Keras's own callbacks, say to go on from
        logs = {}
        hooks.on_train_begin()
        self.before_training(data, batch_size)
        try:
            for epoch in range(self._initial_epoch or initial_epoch, epochs):
                hooks.on_epoch_begin(epoch)
                hooks.on_train_batch_begin(0)
                epoch_of = self._compiled_epoch(data, batch_size, steps_per_epoch)
                losses = epoch_of(*tf.nest.flatten(data)).numpy()
                self.step_losses = dict(zip(self.log_names, losses.T, strict=True))
                logs = {name: float(values.mean()) for name, values in self.step_losses.items()}
                hooks.on_train_batch_end(steps_per_epoch - 1, logs)
                hooks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        except KeyboardInterrupt:
            print("Interrupted: the model keeps what it has learned.")
        hooks.on_train_end(logs)
        return self.history

    def _compiled_epoch(self, data, batch_size, steps):
        """The graph of ``steps`` steps; it gives the losses, ``(steps, len(log_names))``."""
        spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, data)
        rows_in_all = tf.nest.flatten(spec)[0].shape[0]

        def key():
            return spec, batch_size, steps, settings_of(self)

        if self.train_function is not None and self.train_function[0] == key():
            return self.train_function[1]

        def run(*parts):
            data = tf.nest.pack_sequence_as(spec, parts)

            def draw_batch():
                rows = self.random_uniform((batch_size,), 0, rows_in_all, tf.int32)
                return tf.nest.map_structure(lambda part: tf.gather(part, rows), data)

            def body(i, losses):
                logs = self.step(draw_batch)
                return i + 1, losses.write(i, tf.stack([logs[name] for name in self.log_names]))

            losses = tf.TensorArray(tf.float32, steps, element_shape=(len(self.log_names),))
            return tf.while_loop(lambda i, _: i < steps, body, (0, losses))[1].stack()

        # Inside XLA on a CPU, threefry draws ten times faster; outside it has no kernel.
        self._random_algorithm = "threefry" if self.jit_compile else "philox"
        try:
            run = traced(run, *tf.nest.flatten(spec), jit_compile=self.jit_compile)
        finally:
            self._random_algorithm = "philox"
        self.train_function = (key(), run)
        return run

    # Manners of Keras that would lose what only the class knows, or have no meaning here.

    def get_config(self):
        raise NotImplementedError(
            f"{type(self).__name__} is not saved, pickled or copied whole. Keep its weights with "
            "save_weights('m.weights.h5') and give them to a model built in the same way with "
            "load_weights; or save one of its networks, a plain keras.Model"
        )

    def _only_fit(self, *args, **options):
        raise NotImplementedError(f"{type(self).__name__} trains by fit and has no single batch")

    evaluate = train_on_batch = test_on_batch = _only_fit


def traced(function, *specs, **options):
    """The graph of ``function`` of float32 tensors of the shapes ``specs``, or of given specs.

    Traced once and at once: TensorFlow would count the traces of many models as a mistake.
    """
    specs = [spec if isinstance(spec, tf.TensorSpec) else tf.TensorSpec(spec) for spec in specs]
    return tf.function(function, autograph=False, **options).get_concrete_function(*specs)


def settings_of(thing, seen=None):
    """What a graph that reads ``thing`` bakes in, as nested tuples that compare as equal.

    Plain values, in all public attributes of the models, layers, optimizers and kernels within;
    variables and functions count by their identity. What `fit` itself writes is left out.
    """
    seen = set() if seen is None else seen
    if isinstance(thing, dict):
        thing = list(thing.items())
    if isinstance(thing, list | tuple | set | frozenset):
        return tuple(settings_of(part, seen) for part in thing)
    if isinstance(thing, _PLAIN):
        return pickle.dumps(thing)  # NaN equals itself in this form
    if isinstance(thing, _OPAQUE) or id(thing) in seen:
        return _Same(thing)
    seen.add(id(thing))
    parts = {
        name: value
        for name, value in getattr(thing, "__dict__", {}).items()
        if name in _PRIVATE_SETTINGS or not (name.startswith("_") or name in _WRITTEN_BY_FIT)
    }
    if isinstance(thing, keras.Layer):
        parts["trained"] = thing.trainable_variables
        parts["layers"] = list(thing._flatten_layers(include_self=False, recursive=False))
    return _Same(thing), settings_of(parts, seen)


_PLAIN = type(None), bool, int, float, complex, str, bytes, np.generic, np.ndarray
_OPAQUE = type, types.ModuleType, tf.Tensor, tf.Variable, keras.Variable, keras.callbacks.Callback
_PRIVATE_SETTINGS = {"_trainable", "_learning_rate", "_jit_compile"}
_WRITTEN_BY_FIT = {"train_function", "history", "stop_training", "step_losses", "compiled", "built"}


class _Same:
    """Equal to itself alone, and kept alive, so that its place is not given to another."""

    def __init__(self, thing):
        self.thing = thing

    def __eq__(self, other):
        return isinstance(other, _Same) and self.thing is other.thing


def resolve_optimizer(name, optimizer, default, variables):
    """``optimizer``, or else ``default()``, built for ``variables``; ValueError if it cannot be."""
    try:
        found = default() if optimizer is None else keras.optimizers.get(optimizer)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a keras.optimizers.Optimizer or the name of one, such as 'adam'; "
            f"got {optimizer!r}"
        ) from error
    if found.built and {id(v) for v in variables} - {id(v) for v in found._trainable_variables}:
        raise ValueError(f"{name} already trains another model; make a new {type(found).__name__}")
    found.build(variables)
    return found


def minimise(optimizer, variables, objective):
    """One update of Keras ``variables``, or of a network, down the gradient of ``objective()``.

    Returns that scalar. On a replica the gradient is that of the mean over all replicas.
    """
    variables = getattr(variables, "trainable_variables", variables)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for variable in variables:
            tape.watch(variable.value)
        loss = objective()
        part = replicas.share_of(loss)
    optimizer.apply(tape.gradient(part, [v.value for v in variables]), variables)
    return loss


def resolve_jit(jit_compile, models) -> bool:
    """Whether XLA compiles the loop: True, False, or "auto" (`xla_pays`), else ValueError."""
    if jit_compile not in (True, False, "auto"):
        raise ValueError(f"jit_compile must be True, False or 'auto'; got {jit_compile!r}")
    return xla_pays(models) if jit_compile == "auto" else bool(jit_compile)


def xla_pays(models) -> bool:
    """No for convolutions, which XLA's loops slow down on a CPU, and for several replicas."""
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return False
    layers = (layer for model in models for layer in model._flatten_layers())
    return not any("Conv" in type(layer).__name__ for layer in layers)


def points(name, value, shape) -> tf.Tensor:
    """``value`` as float32 ``(n, *shape)``; ValueError for another shape, NaN or infinity."""
    value = tf.cast(validate.numbers(name, value), tf.float32)
    if not value.shape.rank or value.shape[1:] != shape or value.shape[0] == 0:
        wanted = ", ".join(["n", *map(str, shape)])
        raise ValueError(f"{name} must have shape ({wanted}), n >= 1; got {value.shape}")
    return validate.finite(name, value)


def _resident(data, shape) -> tf.Tensor:
    if hasattr(data, "log_prob") and hasattr(data, "sample"):
        data = data.sample(POOL, seed=(0, 0))
    found = points("data", data, shape)
    if len(shape) == 3 and np.asarray(data).dtype.kind in "iu" and np.max(data) > 1:
        raise ValueError(
            "data must hold pixels as fractions, such as x / 255; got whole numbers up to "
            f"{np.max(data)}"
        )
    return found


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is NaN or infinite, say where, and go back to the last good epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self._good = [v.numpy() for v in self.model.state]

    def on_epoch_end(self, epoch, logs=None):
        if trouble := self._trouble(epoch):
            print(
                f"Training stopped: {trouble} (epoch {epoch + 1}). The weights are those from "
                "before this epoch. A smaller learning rate is the first thing to try."
            )
            for variable, value in zip(self.model.state, self._good, strict=True):
                variable.assign(value)
            self.model.stop_training = True

    def _trouble(self, epoch):
        """The first loss that went wrong, and where; or the first weight; or ""."""
        for name, values in self.model.step_losses.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                return f"{name} became {values[bad[0]]} at step {epoch * len(values) + bad[0]}"
        for weight in self.model.trainable_variables:
            if not np.isfinite(weight.numpy()).all():
                return f"{weight.path} became NaN or infinite"
        return ""


class Resume(keras.callbacks.Callback):
    """Save all state in ``directory`` after each epoch; the next ``fit`` goes on from there.

    ValueError if the checkpoint there is of a model of another class, shapes or optimizers.
    """

    def __init__(self, directory):
        super().__init__()
        self.directory = pathlib.Path(directory).expanduser()

    def on_train_begin(self, logs=None):
        checkpoint = tf.train.Checkpoint(state=self.model.state)
        self._manager = tf.train.CheckpointManager(checkpoint, self.directory, max_to_keep=2)
        latest = self._manager.latest_checkpoint
        if latest is None:
            return
        found, ours = (self.directory / "model.txt").read_text(), self._label()
        if found != ours:
            raise ValueError(
                f"directory {str(self.directory)!r} holds the checkpoint of another model, of "
                f"{found.splitlines()[0]}; choose an empty one. Class, optimizers and shapes of "
                f"variables must be those of this model, of {ours.splitlines()[0]}"
            )
        checkpoint.restore(latest).assert_consumed()
        self.model._initial_epoch = int(latest.rsplit("-", 1)[1])
        print(f"Resuming after epoch {self.model._initial_epoch}.")

    def on_epoch_end(self, epoch, logs=None):
        if not self.model.stop_training:
            self._manager.save(checkpoint_number=epoch + 1)
            (self.directory / "model.txt").write_text(self._label())

    def _label(self):
        """What must be the same for a checkpoint to belong to a model."""
        kinds = ", ".join(type(part).__name__ for part in (self.model, *self.model.optimizers))
        return f"{kinds}\n{[tuple(v.shape) for v in self.model.state]}\n"
