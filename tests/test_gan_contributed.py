"""CONTRIBUTING's example of a new GAN works as it stands there."""

import pathlib
import re

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import distributions as tfd

from genlib import divergences, experiments, networks

CONTRIBUTING = pathlib.Path(__file__).parents[1] / "CONTRIBUTING.md"
GUIDE = re.search(r"## Add a GAN.*?```python\n(.*?)```", CONTRIBUTING.read_text(), re.S)[1]


def contributed(**changes):
    """Return the class of the guide, with pieces of its code changed."""
    code = GUIDE
    for old, new in changes.values():
        assert old in code
        code = code.replace(old, new)
    found = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), found)
    return found["HingeGAN"]


class Sign(keras.layers.Layer):
    """The best critic of two known densities."""

    def __init__(self, p, q):
        super().__init__()
        self.p, self.q = p, q

    def call(self, x):
        return tf.sign(self.p.log_prob(x) - self.q.log_prob(x))


def gap(kind, m, s):
    """Return the critic's loss at the best critic less 2 (1 - TV), in standard errors."""
    p, q, n = tfd.Normal(0.0, 1.0), tfd.Normal(m, s), 50_000
    model = kind(networks.mlp(1, 1, 4), critics.of_layer(Sign(p, q)))
    loss = model.critic_loss(p.sample((n, 1), seed=(1, 2)), q.sample((n, 1), seed=(3, 4)))
    error = 2 * (1 / n) ** 0.5  # each term is 0 or 2
    return (float(loss) - 2 * (1 - float(divergences.total_variation(p, q)))) / error


@settings(max_examples=6)
@given(st.floats(-2, 2), st.floats(0.5, 2))
def test_its_value_at_the_best_critic_is_that_of_total_variation(m, s):
    assert abs(gap(contributed(), m, s)) < 5


@pytest.mark.parametrize(
    "change",
    [
        {"sign": ("maximum(1 + on_fake", "maximum(1 - on_fake")},
        {"half": ("tf.maximum(1 - on_real, 0.0)", "0.0 * on_real")},
    ],
)
def test_wrong_versions_are_rejected(change):
    assert abs(gap(contributed(**change), 1.0, 1.0)) > 50


def test_it_trains():
    model = experiments.on_toy(contributed(), steps=30, width=8).model
    assert np.isfinite(model.sample(10)).all()
