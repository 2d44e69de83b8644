"""The compiled training loop behind ``fit``, and the callbacks that ride on it.

An epoch is one call of one compiled graph: it draws each batch from data that stays in memory,
so no Python runs between steps. Keras callbacks work as in ``Model.fit`` with
``steps_per_execution``: the batch hooks run once a call.
"""

import abc
import contextlib
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from genlib import validate

#: Points drawn from a distribution that is given to ``fit`` in place of data.
POOL = 65_536


class CompiledModel(keras.Model, abc.ABC):
    """A Keras model whose ``fit`` runs many training steps in one compiled graph.

    A subclass defines `step`, `log_names`, `optimizers` and, in ``compile``, sets ``jit_compile``
    (see `resolve_jit`). What it draws at random comes from `random_normal` and `random_uniform`,
    so that a checkpoint holds the random state too.

    Args:
      seed: makes batches and all other draws reproducible.
    """

    #: What one step reports, in order.
    log_names: tuple[str, ...]

    #: The smallest batch that the model can learn from.
    min_batch_size = 1

    #: Why its step cannot be shared among several devices (see `share`); "" if it can.
    undivided = "its step is written for one device"

    def __init__(self, seed=None, name=None):
        super().__init__(name=name)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.train_function = None
        self._random_algorithm = "philox"
        self._draws = 0  # by one replica in this step, while replicas share it

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
        """``sampler(shape, seed)``; a replica draws what all draw, and keeps its own rows."""
        replica = _replica()
        if replica is None:
            return sampler(shape, self.seed_generator.next())
        # A replica may not move the random state: `share` does, once, for all.
        seed = self.seed_generator.state.value + [0, self._draws]
        self._draws += 1
        rows, *rest = tf.unstack(tf.convert_to_tensor(shape, tf.int32))
        drawn = sampler((rows * replica.num_replicas_in_sync, *rest), seed)
        return _rows_of(replica, drawn)

    def share(self, update, batch):
        """``update(batch)``, its batch divided among the replicas of a ``tf.distribute`` strategy.

        ``update`` gives a dict of scalars, each a mean over its rows, and a tensor of rows; what
        is returned are the means over the whole batch, and all rows. `minimise` adds up the
        gradients of the replicas, and what they draw at random is what one device would have
        drawn. On one device this is ``update(batch)`` and nothing else.
        """
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return update(batch)

        def on_replica():
            self._draws = 0
            return update(_rows_of(_replica(), batch))

        means, rows = strategy.run(on_replica)
        state = self.seed_generator.state
        state.assign(state.value + [0, self._draws])
        means = {name: strategy.reduce("MEAN", v, axis=None) for name, v in means.items()}
        return means, tf.reshape(strategy.gather(rows, axis=0), batch.shape)

    def check_data(self, data):
        """Return ``data``; a model that cannot learn from all finite data refuses it here."""
        return data

    def prepare(self, data, batch_size):
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
          callbacks: Keras callbacks. `StopOnNaN` is always among them.
          verbose: 0 for silence, else a progress line (`Progress`).

        Returns:
          A ``keras.callbacks.History``: for each name in `log_names` the mean over an epoch. An
          interrupt of the kernel ends training early and still returns it.

        Raises:
          ValueError: data of another shape, empty, with NaN or infinity; a count that is not a
            whole number of at least 1.
        """
        if not self.compiled:
            self.compile()
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1 and self.undivided:
            raise ValueError(
                f"{type(self).__name__} cannot train on {replicas} replicas: {self.undivided}"
            )
        data = self.check_data(_resident(data, self.input_shape[1:]))
        batch_size = validate.count("batch_size", batch_size, self.min_batch_size)
        if batch_size % replicas:
            raise ValueError(
                f"batch_size must be a multiple of the {replicas} replicas; got {batch_size}"
            )
        epochs = validate.count("epochs", epochs, minimum=0)
        initial_epoch = validate.count("initial_epoch", initial_epoch, minimum=0)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, len(data) // batch_size)
        steps_per_epoch = validate.count("steps_per_epoch", steps_per_epoch)
        hooks = keras.callbacks.CallbackList(
            _with_defaults(callbacks, verbose), add_history=True, model=self,
            verbose=0, epochs=epochs, steps=steps_per_epoch,
        )  # fmt: skip

        run = self._compiled_epoch(data.shape, batch_size, steps_per_epoch)
        self.stop_training = False
        self._initial_epoch = None  # where Resume, and Keras's own callbacks, say to go on from
        logs = {}
        hooks.on_train_begin()
        self.prepare(data, batch_size)
        try:
            for epoch in range(self._initial_epoch or initial_epoch, epochs):
                hooks.on_epoch_begin(epoch)
                hooks.on_train_batch_begin(0)
                with self.distribute_strategy.scope(), _reads_before_updates():
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
        key = (data_shape, batch_size, steps)
        if self.train_function is not None and self.train_function[0] == key:
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
        with self.distribute_strategy.scope():
            run = run.get_concrete_function(tf.TensorSpec(data_shape, tf.float32))
        self.train_function = (key, run)
        return run


def minimise(optimizer, variables, objective):
    """One update of ``variables`` down the gradient of the scalar ``objective()``.

    ``variables`` are Keras variables, or anything with ``trainable_variables``. Returns the scalar.
    On a replica the step goes down the gradient of the mean over all replicas.
    """
    variables = getattr(variables, "trainable_variables", variables)
    replica = _replica()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for variable in variables:
            tape.watch(variable.value)
        loss = objective()
        # The optimizer adds up the replicas' gradients; so each brings its part of the mean.
        part = loss if replica is None else loss / replica.num_replicas_in_sync
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


def _replica():
    """The ``tf.distribute`` context of this replica; None if it is the only one, or outside."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def _rows_of(replica, x):
    """This replica's share of the rows of ``x``."""
    size = tf.shape(x)[0] // replica.num_replicas_in_sync
    start = tf.cast(replica.replica_id_in_sync_group, tf.int32) * size
    return x[start : start + size]


def resolve_jit(jit_compile, networks) -> bool:
    """Whether XLA compiles the loop: ``True``, ``False``, or ``"auto"``.

    "auto" says yes unless a network convolves: inside an XLA loop on a CPU a convolution is many
    times slower. Under a strategy of several replicas it says no: they meet outside of XLA.
    """
    if jit_compile != "auto":
        return bool(jit_compile)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return False
    layers = (layer for net in networks for layer in net._flatten_layers())
    return not any("Conv" in type(layer).__name__ for layer in layers)


def _with_defaults(callbacks, verbose):
    callbacks = list(callbacks or [])
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
        data = tf.convert_to_tensor(np.asarray(data, np.float32))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"data must be an array or a tfd.Distribution; got {type(data).__name__}"
        ) from error
    if data.shape.rank == 0 or tuple(data.shape[1:]) != tuple(shape) or not len(data):
        wanted = ", ".join(["n", *map(str, shape)])
        raise ValueError(f"data must have shape ({wanted}), n >= 1; got {tuple(data.shape)}")
    return validate.finite("data", data)


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is NaN or infinite, say where, and go back to the last good epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self._good = [v.numpy() for v in self.model.state]

    def on_epoch_end(self, epoch, logs=None):
        for name, values in self.model.step_losses.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                step = epoch * len(values) + int(bad[0])
                print(
                    f"Training stopped: {name} became {values[bad[0]]} at step {step} (epoch "
                    f"{epoch + 1}). The weights are those from before this epoch. A smaller "
                    "learning rate is the first thing to try."
                )
                for variable, value in zip(self.model.state, self._good, strict=True):
                    variable.assign(value)
                self.model.stop_training = True
                return


class Resume(keras.callbacks.Callback):
    """Save everything at the end of an epoch, and go on from there at the next ``fit``.

    The result equals that of an uninterrupted run: weights, both optimizers' moments and the
    random state are all restored.

    Args:
      directory: where the checkpoints lie; made if it is missing.
      every: save each ``every``-th epoch; the last two are kept.

    Raises:
      ValueError: the checkpoint there belongs to a model of another shape.
    """

    def __init__(self, directory, every=1):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.every = validate.count("every", every)

    def on_train_begin(self, logs=None):
        checkpoint = tf.train.Checkpoint(state=self.model.state)
        self._manager = tf.train.CheckpointManager(checkpoint, self.directory, max_to_keep=2)
        latest = self._manager.latest_checkpoint
        if latest is None:
            return
        try:
            checkpoint.restore(latest).assert_consumed()
        except (AssertionError, ValueError) as error:
            raise ValueError(
                f"directory {str(self.directory)!r} holds the checkpoint of another model; "
                "choose an empty one"
            ) from error
        self.model._initial_epoch = int(latest.rsplit("-", 1)[1])
        print(f"Resuming after epoch {self.model._initial_epoch}.")

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 and not self.model.stop_training:
            self._manager.save(checkpoint_number=epoch + 1)


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
