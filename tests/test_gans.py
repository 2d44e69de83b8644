"""What every GAN of the registry must do: go down its own losses, move, save, refuse."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks._networks import conv_critic, conv_generator
from genlib import data, networks, training
from genlib.experiments import default_networks
from genlib.gans import EBGAN, GAN, REGISTRY, WGANGP, AdversarialModel, base

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
WITH_CRITIC = [name for name, variant in REGISTRY.items() if variant.critic_kind]

#: A constant added to the critic's output changes nothing in these games, so its last bias stays.
BLIND_TO_A_SHIFT = {"wgan", "wgan_gp", "mcgan"}

#: Settings without which a test would train for minutes.
SMALL = {"magan": {"epoch_steps": 3, "pretrain_steps": 0}}


def smooth(network):
    """Put tanh where a network bends, for finite differences."""
    for layer in network._flatten_layers():
        if getattr(layer, "activation", None) in (keras.activations.relu, keras.activations.leaky_relu):  # fmt: skip  # noqa: E501
            layer.activation = keras.activations.tanh
    return network


def build(name, **options):
    variant = REGISTRY[name]
    nets = [smooth(net) for net in default_networks(variant, (2,), width=16, seed=1)]
    model = variant(*nets, **({"seed": 0} | SMALL.get(name, {}) | options))
    model.compile(jit_compile=False)  # XLA takes seconds to compile
    return model


def repeatable(model, function):
    """``function`` with the model's random state put back first, so that it draws the same."""
    state = model.seed_generator.state.numpy()

    def call():
        model.seed_generator.state.assign(state)
        return function()

    return call


@pytest.mark.parametrize("name", REGISTRY)
def test_gradients_against_finite_differences(name):
    """Both losses, along one random direction of the variables that their step trains."""
    model, rng = build(name), np.random.default_rng(5)
    real, latent = tf.constant(POINTS), tf.constant(rng.normal(size=(64, 2)), tf.float32)
    cases = {"generator_loss": model.generator.trainable_variables}
    if model.critic is not None:
        cases["critic_loss"] = model.critic_variables
    for loss_name, variables in cases.items():
        values = [v.value for v in variables]

        def loss(loss_name=loss_name):
            return getattr(model, loss_name)(real, model.generator(latent))

        loss = repeatable(model, loss)
        with tf.GradientTape() as tape:
            value = loss()
        grads = tape.gradient(value, values, unconnected_gradients="zero")
        direction = [tf.constant(rng.normal(size=v.shape), tf.float32) for v in values]
        slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(grads, direction, strict=True))
        h, ends = 1e-3, []
        for sign in (1, -2, 1):
            for v, d in zip(values, direction, strict=True):
                v.assign_add(sign * h * d)
            ends.append(float(loss()))
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=0.02, abs=5e-4), loss_name


def several(name):
    """Options for more than one critic update a step, where there is a critic."""
    return {"critic_steps": 3} if name in WITH_CRITIC else {}


@functools.cache
def traced(name):
    """One model for all tests that call `fit`, since tracing is what takes long; and its start."""
    model = build(name, ema=0.9, **several(name))
    return model, read(model)


def read(model):
    return [v.numpy() for v in model.state]


def train(model, state, epochs, *callbacks):
    """Put ``state`` into ``model`` and train it; its history."""
    for variable, value in zip(model.state, state, strict=True):
        variable.assign(value)
    fit = {"batch_size": 16, "steps_per_epoch": 3, "verbose": 0}
    return model.fit(POINTS, epochs=epochs, callbacks=callbacks, **fit).history


def insensitive(model):
    """Return the critic's last bias where its loss does not feel it, as a hinge's may not."""
    if model.critic is None:
        return None
    bias = model.critic.trainable_variables[-1]
    with tf.GradientTape() as tape:
        loss = model.critic_loss(tf.constant(POINTS), model.generator(tf.constant(POINTS)))
    slope = tape.gradient(loss, bias.value, unconnected_gradients="zero")
    return bias if float(tf.reduce_max(tf.abs(slope))) < 1e-6 else None


@pytest.mark.parametrize("name, feels", [("gan", True), ("lsgan", True), ("wgan", False)])
def test_a_critic_that_feels_a_shift_is_told_from_one_that_does_not(name, feels):
    assert (insensitive(build(name)) is None) is feels


@pytest.mark.parametrize("name", REGISTRY)
def test_fit_moves_every_trainable_variable_counts_steps_and_logs(name):
    model, start = traced(name)
    train(model, start, 0)
    before = [v.numpy() for v in model.trainable_variables]
    history = train(model, start, 1)
    still = model.critic.trainable_variables[-1] if name in BLIND_TO_A_SHIFT else insensitive(model)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        if variable is not still:
            assert np.abs(old - variable.numpy()).max() > 0, variable.path
    assert int(model.generator_optimizer.iterations) == 3
    if name in WITH_CRITIC:
        assert int(model.critic_optimizer.iterations) == 9
    assert set(history) == set(REGISTRY[name].log_names)
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.parametrize("name", REGISTRY)
def test_resume_equals_the_uninterrupted_run(name, tmp_path):
    model, start = traced(name)
    train(model, start, 3)
    whole = read(model)
    train(model, start, 2, training.Resume(tmp_path))
    # All that matters must come from the checkpoint.
    other = read(build(name, ema=0.9, seed=7, **several(name)))
    train(model, other, 3, training.Resume(tmp_path))
    for a, b in zip(whole, read(model), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_compiled_loop_does_what_its_steps_do_one_by_one(name):
    """TensorFlow's rewriting of graphs may not move a read behind the update that follows it."""
    model, start = traced(name)
    train(model, start, 1)
    twin, points = build(name, ema=0.9, seed=7, **several(name)), tf.constant(POINTS)
    for variable, value in zip(twin.state, start, strict=True):
        variable.assign(value)
    twin.before_training(points, 16)

    def draw_batch():
        return tf.gather(points, twin.random_uniform((16,), 0, len(POINTS), tf.int32))

    logs = [{loss: float(value) for loss, value in twin.step(draw_batch).items()} for _ in "abc"]
    for loss, values in model.step_losses.items():
        np.testing.assert_allclose(values, [log[loss] for log in logs], 1e-4, 1e-5, err_msg=loss)
    # Adam moves a bias that changes nothing by the sign of rounding errors.
    blind = name in BLIND_TO_A_SHIFT or name == "mmd_gan_gp"
    still = model.critic.trainable_variables[-1] if blind else None
    for a, b in zip(model.trainable_variables, twin.trainable_variables, strict=True):
        if a is not still:
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5, err_msg=a.path)


@pytest.mark.parametrize("name", sorted(BLIND_TO_A_SHIFT))
def test_a_constant_added_to_the_critic_changes_nothing(name):
    model = build(name)
    fake = model.sample(64, seed=1)
    loss = repeatable(model, lambda: float(model.critic_loss(tf.constant(POINTS), fake)))
    before = loss()
    model.critic.trainable_variables[-1].assign_add([3.0] * model.critic.output_shape[-1])
    assert loss() == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize("name", REGISTRY)
def test_one_step_is_a_critic_then_a_generator_update(name):
    """With plain gradient descent, each side moves by its own gradient, then by the hooks."""
    model, twin = (build(name, **({"critic_steps": 1} if name in WITH_CRITIC else {})) for _ in "ab")  # fmt: skip  # noqa: E501
    sgd = [keras.optimizers.SGD(0.1) for _ in range(1 + (name in WITH_CRITIC))]
    model.compile(*sgd, jit_compile=False)
    real = tf.constant(POINTS)
    model.step(lambda: real)

    def descend(variables, loss_name):
        values = [v.value for v in variables]
        if loss_name == "critic_loss":
            fake = twin.generate(64)
        with tf.GradientTape() as tape:
            if loss_name == "generator_loss":
                fake = twin.generate(64)
            loss = getattr(twin, loss_name)(real, fake)
        grads = tape.gradient(loss, values, unconnected_gradients="zero")
        for v, g in zip(values, grads, strict=True):
            v.assign_sub(0.1 * g)
        return fake

    if twin.critic is not None:
        twin.after_critic_step(real, descend(twin.critic_variables, "critic_loss"))
    fake = descend(twin.generator.trainable_variables, "generator_loss")
    twin.after_generator_step(real, fake)
    for a, b in zip(model.trainable_variables, twin.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6, err_msg=a.path)


@pytest.mark.parametrize("name", WITH_CRITIC)
def test_a_critic_of_another_kind_is_refused(name):
    variant = REGISTRY[name]
    generator, *_ = default_networks(variant, (2,), width=4)
    wrong = networks.mlp(2, (3, 1), 4)
    with pytest.raises(ValueError, match="critic must give .* it gives \\(None, 3, 1\\)"):
        variant(generator, wrong)


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_data_is_refused_before_training(name, bad):
    model, points = build(name), POINTS.copy()
    points[3, 1] = bad
    before = [v.numpy() for v in model.state]
    with pytest.raises(ValueError, match="data must be finite"):
        model.fit(points, verbose=0)
    for old, new in zip(before, model.state, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize("name", REGISTRY)
def test_losses_take_arrays_of_any_kind(name):
    """NumPy, float64 tensors and lists give what float32 tensors give."""
    model, fake = build(name), np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)
    for loss in ("critic_loss", "generator_loss") if model.critic else ("generator_loss",):
        forms = (
            (tf.constant(POINTS), tf.constant(fake)),
            (POINTS, fake),
            (POINTS.astype(np.float64), tf.constant(fake, tf.float64)),
            (POINTS.tolist(), fake),
        )
        calls = [
            repeatable(model, lambda form=form, loss=loss: float(getattr(model, loss)(*form)))
            for form in forms
        ]
        values = [call() for call in calls]
        assert np.isfinite(values[0]) and values == pytest.approx([values[0]] * 4, abs=1e-6), loss
        assert model.critic is None or getattr(model, loss).__name__ == loss


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("of", ["real", "fake"])
def test_no_loss_hides_a_nan(name, of):
    """One NaN among the samples must reach the loss, or training would go on without a word."""
    model = build(name, **({"margin": 1.0} if name == "magan" else {}))
    real, fake = POINTS.copy(), np.ones_like(POINTS)
    (real if of == "real" else fake)[3] = np.nan
    losses = ["generator_loss"] if of == "fake" or model.critic is None else []
    for loss in losses + ["critic_loss"] * (model.critic is not None):
        graph = tf.function(lambda loss=loss: getattr(model, loss)(real, fake), autograph=False)
        assert not np.isfinite(graph()), loss


def test_a_gmmn_whose_samples_are_nan_is_stopped(capsys):
    model = build("gmmn")
    model.compile(keras.optimizers.SGD(float("nan")), jit_compile=False)
    model.fit(POINTS, epochs=4, steps_per_epoch=5, verbose=0)
    assert "Training stopped: generator_loss became" in capsys.readouterr().out
    assert np.isfinite(model.sample(5)).all()


def test_pictures_of_another_range_are_refused():
    x, _ = data.images("digits")
    model = GAN(*default_networks("gan", (8, 8, 1), width=4))
    for bad in ((x * 255).astype(np.uint8), (x * 16).astype(np.int64)):
        with pytest.raises(ValueError, match="data must hold pixels as fractions, such as x / 255"):
            model.fit(bad, verbose=0)
    for bad in (x * 255, 2 * x - 1):
        with pytest.raises(ValueError, match=r"data must be in \[0, 1\], since .* sigmoid; got"):
            model.fit(bad, verbose=0)
    noisy = tf.constant(x + 0.01 * np.random.default_rng(0).normal(size=x.shape), tf.float32)
    assert model.validate_data(noisy) is noisy
    assert networks.output_range(conv_generator(2, (8, 8, 1), 4))[:2] == (0, 1)
    assert networks.output_range(networks.mlp(2, 2))[:2] == (-np.inf, np.inf)


# Options of the base class.


def test_average_follows_its_recursion_and_is_never_used_silently():
    model = build("gan", ema=0.6)
    mean = [v.numpy() for v in model.generator.trainable_variables]
    for step in range(1, 30):
        model.step(lambda: tf.constant(POINTS))
        keep = min(0.6, step / (step + 9))
        weights = [v.numpy() for v in model.generator.trainable_variables]
        mean = [keep * m + (1 - keep) * w for m, w in zip(mean, weights, strict=True)]
    plain, averaged = model.sample(5, seed=1), model.sample(5, seed=1, averaged=True)
    assert np.abs(plain - averaged).max() > 1e-4
    for variable, value in zip(model.generator.trainable_variables, mean, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(averaged, model.sample(5, seed=1), atol=1e-6)
    with pytest.raises(ValueError, match="averaged needs a model built with ema"):
        build("gan").sample(5, averaged=True)


def test_average_outlives_a_frozen_generator():
    model = build("gan", ema=0.5)
    model.fit(POINTS, batch_size=16, steps_per_epoch=2, verbose=0)
    before = model.sample(5, seed=1, averaged=True)
    model.generator.layers[1].trainable = False
    np.testing.assert_allclose(model.sample(5, seed=1, averaged=True), before, atol=1e-6)
    first = model.generator.layers[1].get_weights()[0]
    model.fit(POINTS, batch_size=16, steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(model.generator.layers[1].get_weights()[0], first)
    assert np.abs(model.sample(5, seed=1, averaged=True) - before).max() > 0
    plain = build("gan")
    plain.ema = 0.5
    with pytest.raises(ValueError, match="ema must be given when the model is built"):
        plain.fit(POINTS, steps_per_epoch=1, verbose=0)


def test_average_is_no_trainable_variable_and_follows_without_touching_the_run():
    plain, averaged = build("gan"), build("gan", ema=0.9)
    for model in (plain, averaged):
        model.fit(POINTS, batch_size=16, steps_per_epoch=4, verbose=0)
    assert len(plain.trainable_variables) == len(averaged.trainable_variables)
    for a, b in zip(plain.trainable_variables, averaged.trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_r1_adds_half_its_weight_times_the_squared_slope():
    """On a linear critic, from weights w: the gradient of ``r1 / 2 |w|^2`` is ``r1 w``."""
    models = []
    for weight in (0.0, 3.0):
        critic = networks.mlp(2, 1, depth=0, seed=2)
        model = GAN(networks.mlp(2, 2, 4, seed=1), critic, r1=weight, seed=0)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), jit_compile=False)
        start = critic.trainable_variables[0].numpy()
        logs = model.critic_step(tf.constant(POINTS))
        models.append((critic.trainable_variables[0].numpy(), float(logs["critic_loss"])))
    (plain, loss), (damped, raised) = models
    np.testing.assert_allclose(plain - damped, 0.1 * 3.0 * start, rtol=1e-4)
    assert raised - loss == pytest.approx(1.5 * float(np.sum(start**2)), rel=1e-4)


#: What the score of a sample is, where it is not the critic's output; and the rest has none.
SCORES = {
    "ebgan": lambda m, x: np.linalg.norm(m.critic(x) - x, axis=1),
    "magan": lambda m, x: np.sum((m.critic(x) - x) ** 2, axis=1),
    "began": lambda m, x: np.mean(np.abs(m.critic(x) - x), axis=1),
    "mcgan": lambda m, x: m.critic(x).numpy() @ m.v.numpy(),
}
SCORELESS = {"rwgan", "gmmn", "mmd_gan", "mmd_gan_gp", "cramer_gan"}
TRAINED_V = {"mcgan": {"trained_v": True}}


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - SCORELESS))
def test_r1_costs_the_finite_differences_of_the_score(name):
    options = TRAINED_V.get(name, {}) | ({"margin": 1.0} if name == "magan" else {})
    plain, damped = (build(name, r1=r1, **options) for r1 in (0.0, 3.0))
    expected = SCORES.get(name, lambda m, x: m.critic(x)[:, 0])
    score = np.reshape(damped.score(tf.constant(POINTS)), -1)
    np.testing.assert_allclose(score, expected(damped, POINTS), rtol=1e-4, atol=1e-5)

    h, slopes = 1e-2, []
    for step in h * np.eye(2, dtype=np.float32):
        ends = [np.reshape(damped.score(tf.constant(POINTS + t * step)), -1) for t in (1, -1)]
        slopes.append((ends[0] - ends[1]) / (2 * h))
    penalty = np.mean(np.sum(np.square(slopes), axis=0))
    assert penalty > 1e-4
    costs = [float(m.update_critic(tf.constant(POINTS))[0]["critic_loss"]) for m in (plain, damped)]
    assert costs[1] - costs[0] == pytest.approx(1.5 * penalty, rel=0.03, abs=1e-4)


@pytest.mark.parametrize("name", sorted(SCORELESS | {"mcgan"}))
def test_r1_is_refused_where_no_number_belongs_to_a_sample(name):
    with pytest.raises(ValueError, match="r1 needs one number a sample, and .* gives none"):
        build(name, r1=1.0)
    with pytest.raises(ValueError, match="r1 needs one number a sample"):
        build(name).score(tf.constant(POINTS))


def test_the_decoder_of_li_is_trained_with_the_critic_and_copies():
    """The option is off by default, and adds exactly its weight times the error."""
    plain, copying = build("mmd_gan_gp"), build("mmd_gan_gp", reconstruction_weight=8.0)
    assert plain.decoder is None
    real, fake = tf.constant(POINTS), tf.constant(POINTS[::-1] / 2)
    errors = [np.mean((copying.decoder(copying.critic(x)) - x) ** 2) for x in (real, fake)]
    costs = [
        float(repeatable(m, lambda m=m: m.critic_loss(real, fake))()) for m in (plain, copying)
    ]
    assert costs[1] - costs[0] == pytest.approx(8 * sum(errors), rel=1e-4)
    copying.compile(*(keras.optimizers.Adam(0.01) for _ in "gc"), jit_compile=False)
    copying.fit(POINTS, batch_size=32, steps_per_epoch=60, verbose=0)
    assert np.mean((copying.decoder(copying.critic(real)) - real) ** 2) < errors[0] / 2


def test_sample_repeats_with_its_seed_and_varies_without():
    model = build("gan")
    np.testing.assert_array_equal(model.sample(5, seed=1), model.sample(5, seed=1))
    assert np.abs(model.sample(5) - model.sample(5)).max() > 0
    assert model.sample(5).shape == (5, 2)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1; got 0"):
        model.sample(0)


def test_images_train_and_stay_in_range():
    x, _ = data.images("digits")
    generator = conv_generator(4, (8, 8, 1), 8)
    critic = conv_critic((8, 8, 1), 8)
    model = GAN(generator, critic, seed=0)
    model.fit(x, steps_per_epoch=3, verbose=0)
    made = model.sample(7).numpy()
    assert made.shape == (7, 8, 8, 1) and made.min() >= 0 and made.max() <= 1


class NoCritic(AdversarialModel):
    """Generator alone: it pulls its mean to the data's."""

    critic_kind = None
    log_names = ("generator_loss",)

    def critic_loss(self, real, fake):
        raise NotImplementedError

    def generator_loss(self, real, fake):
        return tf.reduce_sum((tf.reduce_mean(real, 0) - tf.reduce_mean(fake, 0)) ** 2)


def test_a_variant_without_a_critic_trains_its_generator_alone():
    model = NoCritic(networks.mlp(2, 2, 8, seed=0), seed=0)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    assert model.optimizers == (model.generator_optimizer,)
    history = model.fit(POINTS + 5, batch_size=32, epochs=2, steps_per_epoch=200, verbose=0).history
    assert list(history) == ["generator_loss"]
    assert history["generator_loss"][-1] < 0.3
    with pytest.raises(ValueError, match="critic_optimizer must be None: NoCritic has no critic"):
        model.compile(keras.optimizers.Adam(), keras.optimizers.Adam())


def scalar_critic(**options):
    return networks.mlp(2, 1, 4, **options)


def tied(network):
    """A critic that holds the layers of ``network``."""
    return keras.Sequential([network, keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GAN("g", scalar_critic()), TypeError, "generator must be a built keras.Model"),
        (lambda: GAN(networks.mlp(2, 2), None), TypeError, "critic must be a built keras.Model"),
        (lambda: GAN(networks.mlp(2, 3), scalar_critic()), ValueError, "critic must accept what"),
        (lambda: GAN(networks.mlp(2, 2), networks.mlp(2, 2)), ValueError, "one number a sample"),
        (
            lambda: GAN(networks.mlp(2, 2), scalar_critic(), critic_steps=0),
            ValueError,
            "critic_steps must be a whole number of at least 1",
        ),
        (
            lambda: GAN(networks.mlp((2, 2), 2), scalar_critic()),
            ValueError,
            "generator must take latents",
        ),
        (lambda: EBGAN(net := networks.mlp(2, 2), net), ValueError, "must not share weights"),
        (lambda: GAN(net := networks.mlp(2, 2), tied(net)), ValueError, "must not share weights"),
        (lambda: build("gan", r1=-1.0), ValueError, "r1 must be a finite number, 0 or more"),
        (lambda: build("gan", ema=1.5), ValueError, r"ema must be in \[0, 1\]"),
        (lambda: build("rwgan", r1=1.0), ValueError, "r1 needs one number a sample, and RWGAN"),
    ],
)
def test_bad_networks_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("make", [WGANGP, lambda g, c: GAN(g, c, r1=1.0)])
def test_batch_norm_under_a_gradient_penalty_is_refused(make):
    start = keras.Input((2,))
    middle = keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(4)(start))
    nested = keras.Model(start, middle)
    critic = keras.Model(start, keras.layers.Dense(1)(nested(start)))
    with pytest.raises(ValueError, match="must not hold batch normalisation; got the layer 'bn'"):
        make(networks.mlp(2, 2, 4), critic)


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="two objects"):
        build("gan").compile(adam, adam)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("scalar", (1,), (2,)),
        ("pair", (2,), (1,)),
        ("vector", (7,), (7, 1)),
        ("autoencoder", (3, 2), (6,)),
    ],
)
def test_critic_kinds(kind, good, bad):
    generator = networks.mlp(2, (3, 2), 4)
    base.check_networks(generator, networks.mlp((3, 2), good, 4), kind)
    with pytest.raises(ValueError, match="critic must give"):
        base.check_networks(generator, networks.mlp((3, 2), bad, 4), kind)
