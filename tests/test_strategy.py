"""``fit`` under tf.distribute: two replicas do what one device does, or say why they cannot."""

import json
import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest
from strategies import OF_WORKERS, VARIANTS

from genlib.experiments import default_networks
from genlib.gans import WGAN

SCRIPT = os.path.join(os.path.dirname(__file__), "strategies.py")
#: Variants whose batch must stay whole; the test script takes EBGAN without its pull-away term.
COUPLED = {"rwgan", "mcgan", "gmmn", "mmd_gan", "mmd_gan_gp", "fisher_gan"}


def start(kind, result, **environment):
    """A process of its own: virtual devices and clusters must be set before TensorFlow starts."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, kind, str(result)],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_ports(n):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """``{kind: {variant: state or message}}``; "worker 0" and "worker 1" are two processes."""
    folder = tmp_path_factory.mktemp("strategies")
    workers = [f"localhost:{port}" for port in free_ports(2)]
    runs = {"mirrored": start("mirrored", folder / "mirrored")}
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        name = f"worker {index}"
        runs[name] = start("workers", folder / name, TF_CONFIG=json.dumps(task))
    results = {}
    try:
        for name, process in runs.items():
            output = process.communicate(timeout=240)[0]
            assert process.returncode == 0, output[-3000:]
            found = pickle.loads((folder / name).read_bytes())
            results |= {name if kind == "workers" else kind: found[kind] for kind in found}
    finally:
        for process in runs.values():
            process.kill()
    return results


DIVIDED = [name for name in VARIANTS if name not in COUPLED]


@pytest.mark.parametrize(
    "kind, name",
    [("mirrored", name) for name in DIVIDED]
    + [(f"worker {i}", name) for name in OF_WORKERS if name in DIVIDED for i in range(2)],
)
def test_two_replicas_equal_one_device(outcomes, kind, name):
    alone, shared = outcomes["one"][name], outcomes[kind][name]
    assert not isinstance(shared, str), shared
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "kind, name", [*(("mirrored", name) for name in sorted(COUPLED)), ("worker 0", "gmmn")]
)
def test_objectives_that_couple_a_batch_are_refused(outcomes, kind, name):
    message = outcomes[kind][name]
    assert "cannot train on 2 replicas" in message
    assert "couples the samples of a batch" in message


def test_a_batch_that_cannot_be_divided_is_refused(outcomes):
    assert "batch_size must be a multiple of the 2 replicas; got 15" in outcomes["odd batch"]


def test_a_model_whose_step_is_for_one_device_is_refused(outcomes):
    message = "MADE cannot train on 2 replicas: its step is written for one device"
    assert outcomes["likelihood"] == message


def test_the_two_steps_moved_the_weights(outcomes):
    """The generator's come first among the variables that a network of the same seed has."""
    start = default_networks(WGAN, (2,), width=8, seed=1)[0].get_weights()
    for kind in ("one", "mirrored"):
        after = outcomes[kind]["wgan"]
        for weight in start:
            assert not any(np.array_equal(weight, v) for v in after if np.any(weight))
