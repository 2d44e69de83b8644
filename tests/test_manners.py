"""Keras's manners: callbacks, optimizers, saving, seeds, and settings that change between fits."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_training import DATA, small_gan, train, weights

from genlib import gans, networks, training
from genlib.experiments import default_networks
from genlib.gans import GAN
from genlib.likelihood import MADE, VAE

# Callbacks and optimizers.


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c], lambda c: ((c,), None)])
def test_early_stopping_of_keras_works_alone_and_among_others(wrap):
    stop = keras.callbacks.EarlyStopping(monitor="critic_loss", mode="max", patience=1, baseline=99)
    history = small_gan().fit(
        DATA, batch_size=32, epochs=5, steps_per_epoch=2, verbose=0, callbacks=wrap(stop)
    )
    assert len(history.history["critic_loss"]) < 5


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="callbacks must be keras.callbacks.Callback objects; got"):
        train(small_gan(), 1, print)


def test_keras_schedules_move_both_rates_in_proportion():
    model = small_gan()
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(4e-3), jit_compile=False)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0 if epoch == 0 else 0.1)
    train(model, 2, schedule)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(0.1)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(0.4)
    plateau = keras.callbacks.ReduceLROnPlateau("critic_loss", 0.5, 0, mode="max", min_delta=1e9)
    train(model, 2, plateau)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(0.05)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(0.2)


def test_summary_counts_all_variables():
    lines, model = [], small_gan()
    model.summary(print_fn=lambda line, **_: lines.append(line))
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert f"Trainable params: {count}" in "".join(lines)


def test_optimizers_by_name():
    model = small_gan()
    model.compile("adam", {"class_name": "SGD", "config": {"learning_rate": 0.5}})
    assert isinstance(model.generator_optimizer, keras.optimizers.Adam)
    assert float(model.critic_optimizer.learning_rate) == 0.5
    with pytest.raises(ValueError, match="critic_optimizer must be a keras.optimizers.Optimizer"):
        model.compile("adam", "adamant")
    with pytest.raises(ValueError, match="generator_optimizer must be a keras.optimizers.Optim"):
        model.compile(3)
    with pytest.raises(ValueError, match="generator_optimizer already trains another model"):
        small_gan().compile(model.generator_optimizer)
    with pytest.raises(ValueError, match="jit_compile must be True, False or 'auto'; got 'yes'"):
        model.compile(jit_compile="yes")
    model.compile(model.generator_optimizer, model.critic_optimizer)  # its own may come again


# Saving.


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps, "save"])
def test_what_cannot_be_copied_says_what_can(copied, tmp_path):
    model = small_gan()
    with pytest.raises(NotImplementedError, match="GAN is not saved.*save_weights"):
        model.save(tmp_path / "m.keras") if copied == "save" else copied(model)
    with pytest.raises(NotImplementedError, match="trains by fit"):
        model.evaluate(DATA)


@pytest.mark.parametrize("make", [small_gan, lambda: MADE(3, (4,), seed=0)])
def test_weights_are_saved_and_loaded_before_any_fit(make, tmp_path):
    model, path = make(), tmp_path / "m.weights.h5"
    for v in model.trainable_variables:
        v.assign(v.value + 1.0)
    model.save_weights(path)
    other = make()
    other.load_weights(path)
    for a, b in zip(model.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# Networks and seeds.


def test_seeds_of_numpy_count_as_whole_numbers():
    a, b = (small_gan(seed=seed) for seed in (3, np.int64(3)))
    np.testing.assert_array_equal(a.sample(2, seed=5), b.sample(2, seed=np.int32(5)))
    assert weights(a).tolist() == weights(b).tolist()
    for seed in (1.5, "one", np.nan):
        with pytest.raises(ValueError, match="seed must be None, a whole number"):
            a.sample(2, seed=seed)


def test_networks_of_another_precision_are_refused():
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, dtype="mixed_float16")])
    with pytest.raises(TypeError, match="generator must compute in float32; its layer 'dense"):
        GAN(net, networks.mlp(2, 1))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(TypeError, match="generator must compute in float32"):
            small_gan()
    finally:
        keras.config.set_dtype_policy("float32")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def two_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    return keras.Model([a, b], keras.layers.Dense(2)(keras.layers.Add()([a, b])))


def test_networks_without_known_shapes_are_refused_by_name():
    import tf_keras

    called = Subclassed()
    called(np.zeros((1, 2), np.float32))
    old = tf_keras.Sequential([tf_keras.layers.Input((2,)), tf_keras.layers.Dense(2)])
    for net, said in (
        (old, "built keras.Model .of Keras 3.; got tf_keras"),
        (keras.Sequential([keras.layers.Dense(2)]), "got one that is not built"),
        (called, "of fixed shapes; got .*Subclassed.*keras.Model\\(x, model\\(x\\)\\)"),
        (two_inputs(), "from one tensor to one"),
    ):
        with pytest.raises(TypeError, match=f"generator must be a .*{said}"):
            GAN(net, networks.mlp(2, 1))
    start = keras.Input((2,))
    assert GAN(keras.Model(start, called(start)), networks.mlp(2, 1)).latent_dim == 2


# Settings that change after the graph was made.


class Weighted(GAN):
    weight = 1.0

    def generator_loss(self, real, fake):
        return self.weight * super().generator_loss(real, fake)


def test_a_changed_setting_makes_the_graph_anew_and_an_unchanged_one_does_not():
    """Model b gets model a's setting after its first epoch: from there both go on alike."""
    a, b = small_gan(kind=Weighted), small_gan(kind=Weighted)
    a.weight = 3.0
    train(a, 1)
    train(b, 1)
    graph = b.train_function
    train(b, 1)
    assert b.train_function is graph
    for variable, value in zip(b.state, [v.numpy() for v in a.state], strict=True):
        variable.assign(value)
    b.weight = 3.0
    train(a, 1)
    train(b, 1)
    np.testing.assert_array_equal(weights(a), weights(b))


def test_what_a_callback_freezes_counts_from_the_next_epoch():
    class Freeze(keras.callbacks.Callback):
        seen = []

        def on_epoch_end(self, epoch, logs):
            self.seen.append(self.model.critic.get_weights()[0])
            self.model.critic.trainable = epoch < 1

    callback = Freeze()
    train(small_gan(), 3, callback)
    first, second, third = callback.seen
    assert np.abs(first - second).max() > 0
    np.testing.assert_array_equal(second, third)


def activation(model):
    model.critic.layers[1].activation = keras.activations.tanh


#: What may be changed, by variant.
CHANGES = [
    ("wgan", lambda m: setattr(m, "clip", 0.5)),
    ("wgan", lambda m: setattr(m, "critic_steps", 7)),
    ("gan", lambda m: setattr(m, "r1", 1.0)),
    ("gan", lambda m: setattr(m, "objective", "minimax")),
    ("gan", lambda m: setattr(m, "jit_compile", True)),
    ("gan", lambda m: setattr(m.critic, "trainable", False)),
    ("gan", lambda m: setattr(m.generator.layers[1], "trainable", False)),
    ("gan", activation),
    ("gan", lambda m: setattr(m.generator_optimizer, "clipnorm", 1.0)),
    ("gan", lambda m: setattr(m.critic_optimizer, "beta_1", 0.9)),
    (
        "gan",
        lambda m: setattr(
            m.critic_optimizer, "learning_rate", keras.optimizers.schedules.CosineDecay(1.0, 5)
        ),
    ),
    ("lsgan", lambda m: setattr(m, "c", 0.5)),
    ("gmmn", lambda m: setattr(m.kernel, "bandwidths", [3.0])),
    ("gmmn", lambda m: m.kernel.bandwidths.append(3.0)),
    ("mcgan", lambda m: setattr(m, "p", 1)),
    ("rwgan", lambda m: setattr(m.cost, "phi", lambda x: tf.reduce_sum(x**2, -1))),
    ("fisher_gan", lambda m: setattr(m, "rho", 1.0)),
    ("began", lambda m: setattr(m, "gamma", np.float64(0.1))),
    ("magan", lambda m: setattr(m, "epoch_steps", 5)),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_every_kind_of_setting_is_seen(name, change):
    variant = gans.REGISTRY[name]
    model = variant(*default_networks(variant, (2,), width=4, seed=0), seed=0)
    model.compile(jit_compile=False)
    before = training.settings_of(model)
    model.history, model.stop_training = keras.callbacks.History(), True
    model.sample(2)
    assert training.settings_of(model) == before
    change(model)
    assert training.settings_of(model) != before


@pytest.mark.parametrize(
    ("name", "setting"),
    [("gmmn", "bandwidths"), ("mmd_gan_gp", "alphas"), ("lsgan", "coding"), ("rwgan", "phi")],
)
def test_a_setting_that_only_the_constructor_reads_is_refused_afterwards(name, setting):
    model = gans.REGISTRY[name](*default_networks(name, (2,), width=4, seed=0), seed=0)
    model.compile(jit_compile=False)
    with pytest.raises(AttributeError, match=f"{setting} is read only while a .* is built"):
        setattr(model, setting, 3)
    model.remark = "of the user's own"


def test_a_number_for_a_variable_moves_the_variable():
    vae = VAE(networks.mlp(2, 4, 4), networks.mlp(2, 2, 4), 2, "gaussian", seed=0)
    vae.compile(jit_compile=False)
    for beta in (100.0, 0.5):
        vae.beta = beta
        logs = vae.fit(DATA, batch_size=32, steps_per_epoch=2, verbose=0).history
        reconstruction, kl, loss = (logs[name][0] for name in vae.log_names)
        assert loss == pytest.approx(reconstruction + beta * kl, rel=1e-4)
