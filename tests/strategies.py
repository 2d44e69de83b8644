"""Train every GAN for two steps under a ``tf.distribute`` strategy; run by test_strategy.py.

``python tests/strategies.py KIND RESULT``: KIND is "mirrored" (two virtual CPUs of this process;
it then also trains on one of them alone) or "workers" (this is one of the processes that TF_CONFIG
names). What each variant's state and losses are afterwards, or the message with which it refused,
goes to the file RESULT, by strategy.
"""

import pickle
import sys

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import contextlib

import keras
import numpy as np
import tensorflow as tf

from genlib import networks
from genlib.experiments import default_networks
from genlib.gans import REGISTRY, ConditionalGAN
from genlib.likelihood import MADE

#: Settings with which the two steps do all that a step can do.
VARIANTS = REGISTRY | {"conditional": ConditionalGAN}
#: What tells one process from several: plain losses, what moves after a step, pairs.
OF_WORKERS = ("began", "conditional", "gan", "gmmn", "magan", "wgan_gp")
SMALL = {"magan": {"epoch_steps": 2, "margin": 3.0}, "ebgan": {"pull_away_weight": 0.0}}


def main(kind, result):
    outcomes = {}
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    names = VARIANTS if kind == "mirrored" else OF_WORKERS
    outcomes[kind] = {name: train(name, strategy.scope) for name in names}
    if kind == "mirrored":
        outcomes["odd batch"] = train("gan", strategy.scope, batch_size=15)
        with strategy.scope():
            try:
                MADE(2, (4,)).fit(np.zeros((4, 2)), verbose=0)
            except ValueError as error:
                outcomes["likelihood"] = str(error)
        shared = [name for name, state in outcomes[kind].items() if isinstance(state, list)]
        outcomes["one"] = {name: train(name, contextlib.nullcontext) for name in shared}
    with open(result, "wb") as file:
        pickle.dump(outcomes, file)


def train(name, scope, batch_size=16):
    """The state and losses after two steps; or the message of a refusal."""
    variant, paired = VARIANTS[name], name == "conditional"
    with scope():
        if paired:
            nets = (
                networks.conditional_mlp(2, 3, 2, width=8, seed=1),
                networks.projection_critic(2, 3, width=8, seed=5),
            )
        else:
            nets = default_networks(variant, (2,), width=8, seed=1)
        more = {"critic_steps": 2} if variant.critic_kind else {}
        model = variant(*nets, seed=0, ema=0.5, **more, **SMALL.get(name, {}))
        # Plain gradient descent: an adaptive step turns rounding errors into whole steps.
        model.compile(
            *(keras.optimizers.SGD(0.02) for _ in range(1 + (len(nets) > 1))), jit_compile=False
        )
    rng = np.random.default_rng(0)
    points = [rng.normal(size=(64, 2)), *([np.eye(3)[rng.integers(3, size=64)]] if paired else [])]
    try:
        history = model.fit(*points, batch_size=batch_size, steps_per_epoch=2, verbose=0).history
    except ValueError as error:
        return str(error)
    return [v.numpy() for v in model.variables] + [np.array(history[n]) for n in model.log_names]


if __name__ == "__main__":
    main(*sys.argv[1:])
