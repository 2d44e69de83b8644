"""Several devices that share each batch: all that a ``tf.distribute`` strategy asks for."""

import inspect

import tensorflow as tf

from genlib import validate


def class_for(kind: type) -> type:
    """``kind``; under a strategy of several replicas its subclass that shares its steps."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1 or issubclass(kind, SharedSteps):
        return kind
    return type(kind)(kind.__name__, (SharedSteps, kind), {})


def share_of(loss):
    """What this replica adds to the mean of all: the optimizer sums the replicas' gradients."""
    replica = _replica()
    return loss if replica is None else loss / replica.num_replicas_in_sync


class SharedSteps:
    """Updates on the replicas' shares of a batch, which draw what one device would have drawn."""

    _draws = 0  # by one replica in this step

    def fit(self, *data, **options):
        given = inspect.signature(super().fit).bind(*data, **options)
        given.apply_defaults()
        batch_size = given.arguments["batch_size"]
        replicas = self.distribute_strategy.num_replicas_in_sync
        if self.undivided:
            raise ValueError(
                f"{type(self).__name__} cannot train on {replicas} replicas: {self.undivided}"
            )
        if validate.count("batch_size", batch_size) % replicas:
            raise ValueError(
                f"batch_size must be a multiple of the {replicas} replicas; got {batch_size}"
            )
        with self.distribute_strategy.scope():
            return super().fit(*data, **options)

    def update_critic(self, real):
        return self._share(super().update_critic, real)

    def update_generator(self, real):
        return self._share(super().update_generator, real)

    def _share(self, update, batch):
        """``update(batch)``, its batch divided: the means over the whole, and all rows."""
        strategy = self.distribute_strategy

        def on_replica():
            self._draws = 0
            return update(tf.nest.map_structure(lambda x: _rows_of(_replica(), x), batch))

        means, rows = strategy.run(on_replica)
        state = self.seed_generator.state  # a replica may not move it: once, for all
        state.assign(state.value + [0, self._draws])
        means = {name: strategy.reduce("MEAN", v, axis=None) for name, v in means.items()}
        rows = tf.nest.map_structure(
            lambda x, whole: tf.reshape(strategy.gather(x, axis=0), whole.shape), rows, batch
        )
        return means, rows

    def _draw(self, sampler, shape, **options):
        """Draw what all replicas draw, and keep this one's rows."""
        replica = _replica()
        if replica is None:
            return super()._draw(sampler, shape, **options)
        seed = self.seed_generator.state.value + [0, self._draws]
        self._draws += 1
        rows, *rest = tf.unstack(tf.convert_to_tensor(shape, tf.int32))
        whole = (rows * replica.num_replicas_in_sync, *rest)
        return _rows_of(replica, sampler(whole, seed, alg=self._random_algorithm, **options))


def _replica():
    """The context of this replica; None if it is the only one, or outside of all."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def _rows_of(replica, x):
    """This replica's share of the rows of ``x``."""
    size = tf.shape(x)[0] // replica.num_replicas_in_sync
    start = tf.cast(replica.replica_id_in_sync_group, tf.int32) * size
    return x[start : start + size]
