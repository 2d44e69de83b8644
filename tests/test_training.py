"""The compiled loop and its callbacks: what they learn, save, refuse and say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks._networks import conv_critic
from genlib import networks, training
from genlib.gans import GAN, LSGAN

DATA = np.random.default_rng(0).normal(size=(512, 2)).astype(np.float32)


def small_gan(seed=0, width=8, kind=GAN, jit_compile=False):
    """A GAN that is quick to trace; XLA takes seconds, so only the tests about it ask for it."""
    nets = networks.mlp(2, 2, width, seed=seed), networks.mlp(2, 1, width, seed=seed + 10)
    model = kind(*nets, seed=seed)
    model.compile(jit_compile=jit_compile)
    return model


def weights(model):
    return np.concatenate([v.numpy().ravel() for v in model.state])


def train(model, epochs, *callbacks, data=DATA):
    return model.fit(
        data, batch_size=32, epochs=epochs, steps_per_epoch=5, verbose=0, callbacks=callbacks
    )


def test_history_holds_the_mean_of_each_loss():
    class Keep(keras.callbacks.Callback):
        rows = []

        def on_epoch_end(self, epoch, logs):
            self.rows.append({k: v.copy() for k, v in self.model.step_losses.items()})

    keep = Keep()
    history = train(small_gan(), 3, keep).history
    assert list(history) == ["critic_loss", "generator_loss"]
    for epoch, losses in enumerate(keep.rows):
        for name, values in losses.items():
            assert values.shape == (5,)
            assert history[name][epoch] == pytest.approx(values.mean(), rel=1e-6)


def test_same_seed_same_run_and_another_seed_another():
    def run(seed):
        model = small_gan()
        model.seed_generator.state.assign(keras.random.SeedGenerator(seed).state)
        train(model, 2)
        return weights(model)

    np.testing.assert_array_equal(run(1), run(1))
    assert np.abs(run(1) - run(2)).max() > 1e-4


@pytest.mark.parametrize("jit_compile", [True, False])
def test_every_step_draws_another_batch(jit_compile):
    seen = []

    class Spy(GAN):
        log_names = ("critic_loss", "generator_loss", "batch_mean")

        def step(self, draw_batch):
            return super().step(draw_batch) | {"batch_mean": tf.reduce_mean(draw_batch())}

    model = small_gan(kind=Spy, jit_compile=jit_compile)
    for _ in range(2):
        train(model, 1)
        seen.extend(model.step_losses["batch_mean"].tolist())
    assert len(set(seen)) == 10


def test_batches_cover_the_data_uniformly():
    """Rows are drawn evenly: each of 512 rows about 40 times in 640 batches of 32."""
    counts = np.zeros(512)

    class Count(GAN):
        log_names = ("critic_loss", "generator_loss", *(f"row{i}" for i in range(32)))

        def step(self, draw_batch):
            logs, batch = super().step(draw_batch), draw_batch()
            return logs | {f"row{i}": batch[i, 0] for i in range(32)}

    model = small_gan(seed=3, kind=Count)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), jit_compile=False)
    rows = np.repeat(np.arange(512, dtype=np.float32)[:, None], 2, axis=1)
    model.fit(rows, batch_size=32, steps_per_epoch=640, verbose=0)
    for i in range(32):
        np.add.at(counts, model.step_losses[f"row{i}"].astype(int), 1)
    # A sum of 512 Poisson counts of mean 40: chi-square near 511, standard deviation 32.
    assert abs(np.sum((counts - 40) ** 2 / 40) - 511) < 5 * 32


@pytest.mark.parametrize("jit_compile", [True, False])
def test_resume_equals_the_uninterrupted_run(tmp_path, jit_compile):
    whole = small_gan(jit_compile=jit_compile)
    train(whole, 6)
    train(small_gan(jit_compile=jit_compile), 4, training.Resume(tmp_path))
    resumed = small_gan(
        seed=5, jit_compile=jit_compile
    )  # another start: all that matters comes from the checkpoint
    history = train(resumed, 6, training.Resume(tmp_path))
    assert len(history.history["critic_loss"]) == 2
    np.testing.assert_array_equal(weights(whole), weights(resumed))


def test_resume_of_a_finished_run_trains_no_more(tmp_path):
    model = small_gan()
    train(model, 2, training.Resume(tmp_path))
    before = weights(model)
    train(model, 2, training.Resume(tmp_path))
    np.testing.assert_array_equal(before, weights(model))


def with_sgd():
    model = small_gan()
    model.compile("sgd", "sgd", jit_compile=False)
    return model


def test_resume_refuses_another_model_another_class_and_another_optimizer(tmp_path):
    train(small_gan(), 1, training.Resume(tmp_path))
    others = small_gan(width=9), small_gan(kind=LSGAN), with_sgd()
    for other, said in zip(others, ("GAN, Adam", "of LSGAN", "of GAN, SGD, SGD"), strict=True):
        before = weights(other)
        with pytest.raises(ValueError, match=f"directory .* another model.* {said}"):
            train(other, 2, training.Resume(tmp_path))
        np.testing.assert_array_equal(before, weights(other))


def test_resume_knows_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    train(small_gan(), 1, training.Resume("~/runs"))
    assert (tmp_path / "runs" / "ckpt-1.index").exists()


class DivergesAt(GAN):
    """Its generator loss becomes NaN at a chosen step."""

    bad_step = 7

    def __init__(self, *networks_, **options):
        super().__init__(*networks_, **options)
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def generator_loss(self, real, fake):
        self.count.assign_add(1.0)
        loss = super().generator_loss(real, fake)
        return loss + tf.where(self.count.value > self.bad_step, np.nan, 0.0)


def test_divergence_stops_names_step_and_loss_and_keeps_the_last_good_state(tmp_path, capsys):
    model = small_gan(kind=DivergesAt)
    history = train(model, 10, training.Resume(tmp_path))
    assert "generator_loss became nan at step 7 (epoch 2)" in capsys.readouterr().out
    assert len(history.history["generator_loss"]) == 2
    assert np.isfinite(weights(model)).all()
    good = small_gan(kind=DivergesAt)
    train(good, 1)
    np.testing.assert_array_equal(weights(model), weights(good))
    assert [p.name for p in tmp_path.glob("ckpt-*.index")] == ["ckpt-1.index"]


def test_weights_that_are_not_finite_stop_training_too(capsys):
    """A loss may hide what the weights have become."""

    class Silent(GAN):
        def update_generator(self, real):
            self.generator.trainable_variables[0].assign_add(tf.fill((2, 8), np.nan))
            return {"generator_loss": tf.constant(0.5)}, real

        def critic_loss(self, real, fake):
            return super().critic_loss(real, tf.zeros_like(real))

    model = small_gan(kind=Silent)
    train(model, 4)
    assert "became NaN or infinite (epoch 1)" in capsys.readouterr().out
    assert np.isfinite(weights(model)).all()


def test_progress_says_where_it_is(capsys):
    small_gan().fit(DATA, batch_size=32, epochs=2, steps_per_epoch=5)
    out = capsys.readouterr().out
    assert "Epoch 2/2" in out and "5/5" in out and "generator_loss" in out


def test_interrupt_keeps_the_model_and_its_history(capsys):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 1:
                raise KeyboardInterrupt

    history = train(small_gan(), 5, Interrupt())
    assert "Interrupted" in capsys.readouterr().out
    assert 1 <= len(history.history["critic_loss"]) <= 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 2)), r"data must have shape \(n, 2\), n >= 1; got \(0, 2\)"),
        (np.zeros((5, 3)), r"data must have shape \(n, 2\), n >= 1; got \(5, 3\)"),
        (np.full((5, 2), np.nan), "data must be finite; got 10 NaN"),
        (np.array([[0.0, np.inf]]), "data must be finite; got 1 NaN"),
        ("digits", "data must be an array of numbers, all real; got <U6"),
        (np.ma.masked_less(DATA[:5], 0), "data must be an array of numbers, .*; got masked values"),
        (DATA[:5] + 1j, "data must be an array of numbers, all real; got complex"),
    ],
)
def test_bad_data_is_refused_before_training(data, message):
    model = small_gan()
    before = [v.numpy() for v in model.variables]
    with pytest.raises(ValueError, match=message):
        train(model, 1, data=data)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize("argument", ["batch_size", "epochs", "steps_per_epoch", "initial_epoch"])
@pytest.mark.parametrize("value", [-1, 1.5, float("nan"), "many"])
def test_bad_counts_name_the_argument(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be a whole number"):
        small_gan().fit(DATA, verbose=0, **{argument: value})


def test_a_batch_below_the_least_is_refused():
    class Pairs(GAN):
        min_batch_size = 2

    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 2; got 1"):
        small_gan(kind=Pairs).fit(DATA, batch_size=1, verbose=0)


def test_before_training_is_called_once_before_the_first_epoch_with_all_data():
    calls = []

    class Prepares(GAN):
        def before_training(self, data, batch_size):
            calls.append((tuple(data.shape), batch_size, int(self.generator_optimizer.iterations)))

    train(small_gan(kind=Prepares), 2)
    assert calls == [((512, 2), 32, 0)]


@pytest.mark.parametrize("as_network", [True, False])
def test_minimise_takes_variables_or_what_has_them(as_network):
    """One step of plain descent on ``sum w^2``: every weight shrinks by 2 rate w."""
    network = networks.mlp(2, 1, 4, seed=0)
    before = [v.numpy() for v in network.trainable_variables]
    loss = training.minimise(
        keras.optimizers.SGD(0.25),
        network if as_network else network.trainable_variables,
        lambda: sum(tf.reduce_sum(v.value**2) for v in network.trainable_variables),
    )
    assert float(loss) == pytest.approx(sum((w**2).sum() for w in before), rel=1e-5)
    for old, variable in zip(before, network.trainable_variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), old / 2, rtol=1e-5)


@pytest.mark.xla
def test_convolutions_keep_xla_out_unless_asked():
    mlp = networks.mlp(2, 2)
    conv = conv_critic((8, 8, 1), 4)
    assert training.resolve_jit("auto", [mlp, mlp])
    assert not training.resolve_jit("auto", [mlp, conv])
    assert training.resolve_jit(True, [conv])
    assert not training.resolve_jit(False, [mlp])
