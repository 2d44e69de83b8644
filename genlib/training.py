"""The compiled training loop behind ``fit``, and the callbacks that ride on it.

An epoch is one call of one compiled graph: it draws each batch from data that stays in memory,
so no Python runs between steps. Keras callbacks work as in ``Model.fit`` with
``steps_per_execution``: the batch hooks run once a call.
"""

import abc
import contextlib
import inspect
import pathlib
import time
import types

import keras
import numpy as np
import tensorflow as tf

from genlib import replicas, validate

#: Points drawn from a distribution that is given to ``fit`` in place of data.
POOL = 65_536


class CompiledModel(keras.Model, abc.ABC):
    """A Keras model whose ``fit`` runs many training steps in one compiled graph.

    A subclass defines `step`, `log_names`, `optimizers` and, in ``compile``, sets ``jit_compile``
    (see `resolve_jit`). What it draws at random comes from `random_normal` and `random_uniform`,
    so that a checkpoint holds the random state too. A setting may change at any time: the graph
    is made anew when one has (see `settings_of`), and a number given to an attribute that is a
    variable moves that variable.

    Args:
      seed: makes batches and all other draws reproducible: None, or a whole number below 2^32.
    """

    #: What one step reports, in order.
    log_names: tuple[str, ...]

    #: The smallest batch that the model can learn from.
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
    @abc.abstractmethod
    def optimizers(self) -> tuple[keras.optimizers.Optimizer, ...]:
        """Every optimizer: their state is part of what a checkpoint must hold."""

    @property
    def state(self) -> list[tf.Variable]:
        """Everything a step reads or writes: weights, random state, optimizer moments."""
        held = [*self.variables, *(v for opt in self.optimizers for v in opt.variables)]
        return [v.value for v in held]

    def random_normal(self, shape):
        """Standard normal numbers, float32."""
        return self._draw(
            shape,
            lambda shape, seed: tf.random.stateless_normal(shape, seed, alg=self._random_algorithm),
        )

    def random_uniform(self, shape, minval=0, maxval=1, dtype=tf.float32):
        """Uniform numbers in [minval, maxval); for integers ``maxval`` may be a tensor."""
        return self._draw(
            shape,
            lambda shape, seed: tf.random.stateless_uniform(
                shape, seed, minval, maxval, dtype, alg=self._random_algorithm
            ),
        )

    def _draw(self, shape, sampler):
        return sampler(shape, self.seed_generator.next())

    def validate_data(self, data):
        """Return ``data``; a model that cannot learn from all finite data refuses it here."""
        return data

    def before_training(self, data, batch_size):
        """What a model does once before its first epoch, with all of ``data`` ``(n, ...)``."""

    def fit(self, data, batch_size=64, epochs=1, steps_per_epoch=None, callbacks=None,
            verbose="auto", initial_epoch=0) -> keras.callbacks.History:  # fmt: skip
        """Train on ``data``, with batches drawn uniformly with replacement.

        Args:
          data: an array ``(n, ...)``, or a ``tfd.Distribution``, from which `POOL` points are
            drawn once.
          batch_size: samples a batch.
          epochs, initial_epoch: train epochs ``initial_epoch`` to ``epochs - 1``.
          steps_per_epoch: steps in one compiled call; default ``n // batch_size``, at least 1.
          callbacks: one or several Keras callbacks. `StopOnNaN` is always among them.
          verbose: 0 for silence, else a progress line (`Progress`).

        Returns:
          A ``keras.callbacks.History``: for each name in `log_names` the mean over an epoch. An
          interrupt of the kernel ends training early and still returns it.

        Raises:
          ValueError: data of another shape, empty, with NaN or infinity, whole numbers above 1 as
            pixels; a count that is not a whole number of at least 1.
          TypeError: something else than callbacks of Keras.
        """
        if not self.compiled:
            self.compile()
        data = self.validate_data(_resident(data, self.input_shape[1:]))
        batch_size = validate.count("batch_size", batch_size, self.min_batch_size)
        epochs = validate.count("epochs", epochs, minimum=0)
        initial_epoch = validate.count("initial_epoch", initial_epoch, minimum=0)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, len(data) // batch_size)
        steps_per_epoch = validate.count("steps_per_epoch", steps_per_epoch)
        hooks = keras.callbacks.CallbackList(
            _with_defaults(callbacks, verbose), add_history=True, model=self,
            verbose=0, epochs=epochs, steps=steps_per_epoch,
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
                run = self._compiled_epoch(data.shape, batch_size, steps_per_epoch)
                with _reads_before_updates():
                    losses = run(data).numpy()
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

    def _compiled_epoch(self, data_shape, batch_size, steps):
        """The graph of ``steps`` steps; it gives the losses, ``(steps, len(log_names))``."""

        def key():
            return data_shape, batch_size, steps, settings_of(self)

        if self.train_function is not None and self.train_function[0] == key():
            return self.train_function[1]

        def run(data):
            def draw_batch():
                return tf.gather(
                    data, self.random_uniform((batch_size,), 0, data.shape[0], tf.int32)
                )

            def body(i, losses):
                logs = self.step(draw_batch)
                return i + 1, losses.write(i, tf.stack([logs[name] for name in self.log_names]))

            # Inside XLA on a CPU, threefry draws ten times faster than the default; outside it
            # has no kernel.
            self._random_algorithm = "threefry" if self.jit_compile else "philox"
            try:
                losses = tf.TensorArray(tf.float32, steps, element_shape=(len(self.log_names),))
                # ``steps`` is a Python int: XLA would recompile for each value of a tensor.
                return tf.while_loop(lambda i, _: i < steps, body, (0, losses))[1].stack()
            finally:
                self._random_algorithm = "philox"

        run = tf.function(run, jit_compile=self.jit_compile, autograph=False)
        # Traced here, once: TensorFlow would count the traces of many models as a mistake.
        run = run.get_concrete_function(tf.TensorSpec(data_shape, tf.float32))
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


def settings_of(thing, seen=None):
    """What a graph that reads ``thing`` bakes in, as nested tuples that compare as equal.

    Plain values, in all public attributes of the models, layers, optimizers and kernels within;
    variables and functions count by their identity. What `fit` itself writes is left out.
    """
    seen = set() if seen is None else seen
    if isinstance(thing, list | tuple | set | frozenset):
        return tuple(settings_of(part, seen) for part in thing)
    if isinstance(thing, dict):
        return tuple((key, settings_of(value, seen)) for key, value in thing.items())
    if isinstance(thing, np.ndarray):
        return thing.shape, str(thing.dtype), thing.tobytes()
    if thing is None or isinstance(thing, bool | int | float | complex | str | bytes | np.generic):
        return repr(thing)  # NaN equals itself in this form
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
    """The optimizer that argument ``name`` means, built for ``variables``.

    ``optimizer`` is one, a name or a config as Keras takes them, or None for ``default()``.
    ValueError for anything else, and for one that already trains other variables.
    """
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
    """One update of ``variables`` down the gradient of the scalar ``objective()``.

    ``variables`` are Keras variables, or anything with ``trainable_variables``. Returns the scalar.
    On a replica the step goes down the gradient of the mean over all replicas.
    """
    variables = getattr(variables, "trainable_variables", variables)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for variable in variables:
            tape.watch(variable.value)
        loss = objective()
        part = replicas.share_of(loss)
    optimizer.apply(tape.gradient(part, [v.value for v in variables]), variables)
    return loss


@contextlib.contextmanager
def _reads_before_updates():
    """Call graphs without TensorFlow's dependency optimizer, and put it back.

    Where a variable is updated twice in a step (McGAN's U and V: a gradient, then a projection) it
    lets a read slip behind the update that should follow it. XLA does not.
    """
    name = "dependency_optimization"
    before = tf.config.optimizer.get_experimental_options().get(name, True)
    tf.config.optimizer.set_experimental_options({name: False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def resolve_jit(jit_compile, models) -> bool:
    """Whether XLA compiles the loop: ``True``, ``False``, or ``"auto"``.

    "auto" says yes unless a network convolves: inside an XLA loop on a CPU a convolution is many
    times slower. Under a strategy of several replicas it says no: they meet outside of XLA.
    """
    if jit_compile not in (True, False, "auto"):
        raise ValueError(f"jit_compile must be True, False or 'auto'; got {jit_compile!r}")
    if jit_compile != "auto":
        return bool(jit_compile)
    if replicas.count() > 1:
        return False
    layers = (layer for model in models for layer in model._flatten_layers())
    return not any("Conv" in type(layer).__name__ for layer in layers)


def _with_defaults(callbacks, verbose):
    found = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks))
    callbacks = [c for c in found if c is not None]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks must be keras.callbacks.Callback objects; got {type(callback)}"
            )
    # These two come first: no other callback may save or draw a state that has gone bad, and all
    # may read the history of the epoch that has just ended.
    for kind in (keras.callbacks.History, StopOnNaN):
        if not any(isinstance(c, kind) for c in callbacks):
            callbacks.insert(0, kind())
    if verbose and not any(isinstance(c, Progress) for c in callbacks):
        callbacks.append(Progress())
    return callbacks


def _resident(data, shape) -> tf.Tensor:
    """``data`` as one float32 tensor ``(n, *shape)``."""
    if hasattr(data, "log_prob") and hasattr(data, "sample"):
        data = data.sample(POOL, seed=(0, 0))
    try:
        found = np.asarray(data)
        numbers = np.asarray(found.real, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"data must be an array or a tfd.Distribution; got {type(data).__name__}"
        ) from error
    if np.ma.is_masked(data) or np.iscomplexobj(found):
        kind = "masked ones" if np.ma.is_masked(data) else found.dtype
        raise ValueError(f"data must be real numbers, none of them masked; got {kind}")
    data = tf.convert_to_tensor(numbers)
    if data.shape.rank == 0 or tuple(data.shape[1:]) != tuple(shape) or not len(data):
        wanted = ", ".join(["n", *map(str, shape)])
        raise ValueError(f"data must have shape ({wanted}), n >= 1; got {tuple(data.shape)}")
    if len(shape) == 3 and found.dtype.kind in "iu" and found.max() > 1:
        raise ValueError(
            "data must hold pixels as fractions, such as x / 255; got whole numbers up to "
            f"{found.max()}"
        )
    return validate.finite("data", data)


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is NaN or infinite, say where, and go back to the last good epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self._good = [v.numpy() for v in self.model.state]

    def on_epoch_end(self, epoch, logs=None):
        trouble = self._trouble(epoch)
        if trouble:
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
    """Save everything at the end of an epoch, and go on from there at the next ``fit``.

    The result equals that of an uninterrupted run: weights, both optimizers' moments and the
    random state are all restored.

    Args:
      directory: where the checkpoints lie; made if it is missing.
      every: save each ``every``-th epoch; the last two are kept.

    Raises:
      ValueError: the checkpoint there belongs to another class, to other optimizers or to a model
        of another shape.
    """

    def __init__(self, directory, every=1):
        super().__init__()
        self.directory = pathlib.Path(directory).expanduser()
        self.every = validate.count("every", every)

    def on_train_begin(self, logs=None):
        checkpoint = tf.train.Checkpoint(state=self.model.state)
        self._manager = tf.train.CheckpointManager(checkpoint, self.directory, max_to_keep=2)
        latest = self._manager.latest_checkpoint
        if latest is None:
            return
        label = self.directory / "model.txt"
        found, ours = (label.read_text() if label.exists() else "unknown"), self._label()
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
        if (epoch + 1) % self.every == 0 and not self.model.stop_training:
            self._manager.save(checkpoint_number=epoch + 1)
            (self.directory / "model.txt").write_text(self._label())

    def _label(self):
        """What must be the same for a checkpoint to belong to a model."""
        kinds = ", ".join(type(part).__name__ for part in (self.model, *self.model.optimizers))
        return f"{kinds}\n{[tuple(v.shape) for v in self.model.state]}\n"


class Progress(keras.callbacks.Callback):
    """One line that moves: epochs done, the losses, the seconds gone."""

    def on_train_begin(self, logs=None):
        self._start, self._shown, self._handle = time.perf_counter(), 0.0, None

    def on_epoch_end(self, epoch, logs=None):
        now, last = time.perf_counter(), epoch + 1 == self.params["epochs"]
        if now - self._shown < 0.2 and not last and not self.model.stop_training:
            return
        self._shown = now
        done = round(20 * (epoch + 1) / self.params["epochs"])
        losses = "  ".join(f"{name} {value:.3f}" for name, value in logs.items())
        self._show(
            f"epoch {epoch + 1}/{self.params['epochs']} "
            f"[{'=' * done}{'.' * (20 - done)}] {now - self._start:.0f} s  {losses}"
        )

    def on_train_end(self, logs=None):
        if self._handle is None and self._shown:
            print()

    def _show(self, line):
        from IPython import display, get_ipython

        if getattr(get_ipython(), "kernel", None) is None:
            print("\r" + line, end="", flush=True)
        elif self._handle is None:
            self._handle = display.display({"text/plain": line}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": line}, raw=True)
