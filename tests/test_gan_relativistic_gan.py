"""The relativistic GAN, R1 and R2, and critics under spectral normalisation."""

import critics
import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import networks, training
from genlib.gans import GAN, REGISTRY, RelativisticGAN

POINTS = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def check_losses(rng, kind=RelativisticGAN):
    """On a linear critic, against pairs taken one by one in float64."""
    critic = critics.of_layer(keras.layers.Dense(1), (3,))
    weights, bias = rng.normal(size=(3, 1)), rng.normal(size=1)
    critic.set_weights([weights, bias])
    model = kind(networks.mlp(2, 3, 4), critic, r1=rng.uniform(0, 2), r2=rng.uniform(0, 2))
    real, fake = rng.normal(size=(7, 3)), rng.normal(1, 2, size=(7, 3))
    sure = [1 / (1 + np.exp(-((x - y) @ weights).item())) for x, y in zip(real, fake, strict=True)]
    assert float(model.critic_loss(real, fake)) == pytest.approx(-np.mean(np.log(sure)), rel=1e-4)
    expected = -np.mean(np.log1p(-np.array(sure)))
    assert float(model.generator_loss(real, fake)) == pytest.approx(expected, rel=1e-4)


def test_losses_are_those_of_each_pair(rng):
    check_losses(rng)


class Average(RelativisticGAN):
    """Wrong here: each sample against the other batch's mean (the paper's "average" variant)."""

    def lead(self, real, fake):
        return self.score(real) - tf.reduce_mean(self.score(fake))


class Separable(RelativisticGAN):
    """Wrong: real and generated samples each on their own."""

    def critic_loss(self, real, fake):
        both = tf.nn.softplus(-self.score(real)), tf.nn.softplus(self.score(fake))
        return sum(map(tf.reduce_mean, both)) / 2


class Minimax(RelativisticGAN):
    """Wrong: the generator minimises what the critic maximises."""

    def generator_loss(self, real, fake):
        return -self.critic_loss(real, fake)


class EveryPair(RelativisticGAN):
    """Wrong: row i of the one with all rows of the other."""

    def lead(self, real, fake):
        return self.score(real) - tf.transpose(self.score(fake))


@pytest.mark.parametrize("wrong", [Average, Separable, Minimax, EveryPair])
def test_wrong_versions_fail(wrong):
    with pytest.raises(AssertionError):
        check_losses(np.random.default_rng(0), wrong)


def test_a_shift_of_the_critic_changes_nothing():
    model = RelativisticGAN(networks.mlp(2, 2, 4, seed=0), networks.mlp(2, 1, 4, seed=1))
    real, fake = POINTS, POINTS[::-1]
    before = [float(loss(real, fake)) for loss in (model.critic_loss, model.generator_loss)]
    model.critic.layers[-1].bias.assign([3.0])
    after = [float(loss(real, fake)) for loss in (model.critic_loss, model.generator_loss)]
    assert after == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize("kind", [GAN, RelativisticGAN])
@pytest.mark.parametrize("shape", [(2,), (3, 2, 1)])
def test_r1_and_r2_add_half_their_weight_times_the_mean_squared_slope(kind, shape):
    """On a critic ``(x, x) / 2`` the slope is x itself, at real and at generated samples."""
    start = keras.Input(shape)
    flat = keras.layers.Flatten()(start)
    scaled = keras.layers.Dense(flat.shape[-1], use_bias=False)(flat)
    critic = keras.Model(start, keras.layers.Dot(1)([scaled, flat]))
    critic.set_weights([np.eye(flat.shape[-1]) / 2])
    real = tf.random.stateless_normal((9, *shape), (0, 1))
    costs, fakes = [], []
    for r1, r2 in ((0.0, 0.0), (3.0, 0.0), (0.0, 0.7)):
        model = kind(networks.mlp(2, shape, 4, seed=1), critic, r1=r1, r2=r2, seed=0)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), jit_compile=False)
        logs, fake = model.update_critic(real)
        costs.append(float(logs["critic_loss"]))
        fakes.append(fake)
    norms = [float(tf.reduce_mean(tf.reduce_sum(x**2, axis=[*range(1, x.shape.rank)])))
             for x in (real, fakes[2])]  # fmt: skip
    assert costs[1] - costs[0] == pytest.approx(1.5 * norms[0], rel=1e-3)
    assert costs[2] - costs[0] == pytest.approx(0.35 * norms[1], rel=1e-3)


def test_the_gradient_of_r2_reaches_the_critic_and_not_the_generator():
    """From weights w, SGD goes ``rate * r2 * w`` further down on a linear critic."""
    found = []
    for r2 in (0.0, 3.0):
        critic = networks.mlp(2, 1, depth=0, seed=2)
        start = critic.trainable_variables[0].numpy()
        model = RelativisticGAN(networks.mlp(2, 2, 4, seed=1), critic, r1=0.0, r2=r2, seed=0)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), jit_compile=False)
        before = model.generator.get_weights()
        model.critic_step(tf.constant(POINTS))
        for a, b in zip(before, model.generator.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        found.append(critic.trainable_variables[0].numpy())
    np.testing.assert_allclose(found[0] - found[1], 0.1 * 3.0 * start, rtol=1e-4)


def build(seed=0, spectral=False, **options):
    nets = networks.mlp(2, 2, 8, seed=1), networks.mlp(2, 1, 8, 2, "leaky_relu", seed=2,
                                                        spectral=spectral)  # fmt: skip
    model = RelativisticGAN(*nets, seed=seed, **options)
    model.compile(*(keras.optimizers.Adam(1e-2) for _ in "gc"), jit_compile=False)
    return model


@pytest.mark.parametrize("options", [{}, {"spectral": True, "ema": 0.9, "critic_steps": 2}])
def test_fit_moves_every_variable(options):
    model = build(**options)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(POINTS, batch_size=16, steps_per_epoch=5, verbose=0).history
    # A pair's lead does not know the bias of the critic's last layer: its gradient is 0.
    free = model.critic.trainable_variables[-1]
    for old, variable in zip(before, model.trainable_variables, strict=True):
        moved = np.abs(old - variable.numpy()).max()
        assert moved > 1e-4 or variable is free, variable.path
    assert np.isfinite(list(history.values())).all() and len(before) == 12


@pytest.mark.parametrize("spectral", [False, True])
def test_resume_and_saved_weights_give_the_same_model(tmp_path, spectral):
    fit = {"batch_size": 16, "steps_per_epoch": 3, "verbose": 0}
    whole, half, other = (build(seed, spectral) for seed in (0, 0, 7))
    whole.fit(POINTS, epochs=3, **fit)
    half.fit(POINTS, epochs=2, callbacks=training.Resume(tmp_path), **fit)
    other.fit(POINTS, epochs=3, callbacks=training.Resume(tmp_path), **fit)
    for a, b in zip(whole.state, other.state, strict=True):
        np.testing.assert_array_equal(a, b)
    whole.save_weights(tmp_path / "m.weights.h5")
    twin = build(5, spectral)
    twin.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(twin.sample(5, seed=1), whole.sample(5, seed=1))
    np.testing.assert_array_equal(twin.critic(POINTS), whole.critic(POINTS))


def test_xla_trains_a_spectral_critic_as_the_plain_graph_does():
    found = []
    for jit in (False, True):
        model = build(spectral=True)
        model.compile(*(keras.optimizers.SGD(0.01) for _ in "gc"), jit_compile=jit)
        model.fit(POINTS, batch_size=64, steps_per_epoch=40, verbose=0)
        norms = [
            np.linalg.svd(layer.kernel, compute_uv=False)[0]
            for layer in model.critic.layers
            if hasattr(layer, "vector_u")
        ]
        found.append(norms)
        assert norms == pytest.approx([1, 1, 1], abs=0.03)  # one step of SGD away
    assert len(norms) == 3


def test_one_call_in_training_divides_by_what_power_iteration_finds(rng):
    net = networks.mlp(5, 4, depth=0, seed=int(rng.integers(99)), spectral=True)
    layer, kernel = net.layers[-1], rng.normal(size=(5, 4)).astype(np.float32)
    layer.kernel.assign(kernel)
    exact, u = np.linalg.svd(kernel, compute_uv=False)[0], layer.vector_u.numpy()[0]
    net(np.zeros((1, 5), np.float32))
    np.testing.assert_array_equal(layer.kernel, kernel)  # not in training: left alone
    net(np.zeros((1, 5), np.float32), training=True)
    v = kernel @ u / np.linalg.norm(kernel @ u)
    np.testing.assert_allclose(layer.kernel, kernel / np.linalg.norm(kernel.T @ v), rtol=1e-4)
    for _ in range(200):
        net(np.zeros((1, 5), np.float32), training=True)
    np.testing.assert_allclose(layer.kernel, kernel / exact, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_spectral_network():
    a, b, c = (networks.mlp(3, 2, 4, seed=seed, spectral=True) for seed in (1, 1, 2))
    for x, y in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(x, y)
    assert np.abs(a.layers[-1].vector_u - c.layers[-1].vector_u).max() > 0


def test_it_is_not_in_the_registry_whose_rows_are_stored():
    assert RelativisticGAN not in REGISTRY.values()


def normalised():
    start = keras.Input((2,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(start))
    return keras.Model(start, keras.layers.Dense(1)(x))


NETS = networks.mlp(2, 2, 4), networks.mlp(2, 1, 4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RelativisticGAN(NETS[0], networks.mlp(2, 1, 4, output_activation="sigmoid")),
         ValueError, "remove the sigmoid"),
        (lambda: RelativisticGAN(NETS[0], networks.mlp(2, 3, 4)), ValueError, "critic must give"),
        (lambda: RelativisticGAN("g", NETS[1]), TypeError, "generator must be a built keras"),
        (lambda: RelativisticGAN(*NETS, r1=-1.0), ValueError, "r1 must be a finite number, 0 or"),
        (lambda: RelativisticGAN(*NETS, r2=np.nan), ValueError, "r2 must be a finite number, 0 or"),
        (lambda: RelativisticGAN(*NETS, r2="much"), (TypeError, ValueError), "r2 must be"),
        (lambda: RelativisticGAN(NETS[0], normalised(), r1=0.0), ValueError, "batch normalisation"),
        (lambda: RelativisticGAN(*NETS).critic_loss(POINTS, POINTS[:1]), ValueError,
         "real and fake must have as many rows; got 64 and 1"),
        (lambda: build().fit(np.full((4, 2), np.nan), verbose=0), ValueError, "data must be fini"),
        (lambda: build().fit(np.zeros((4, 3)), verbose=0), ValueError, "data must have shape"),
        (lambda: REGISTRY["cramer_gan"](NETS[0], networks.mlp(2, 3, 4), r2=1.0), ValueError,
         "r2 needs one number a sample, and"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_batch_normalisation_is_allowed_without_a_penalty():
    RelativisticGAN(NETS[0], normalised(), r1=0.0, r2=0.0)
