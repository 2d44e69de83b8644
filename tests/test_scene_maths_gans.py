"""What the explorers of lectures 20 to 42 compute themselves, held to the library.

A slider wants its answer in milliseconds, so that some scenes say in NumPy, or in closed form, what
the library says in TensorFlow. Here both are asked at random settings.
"""

import functools

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import divergences, experiments, networks
from genlib.divergences import costs, kernels, samples
from genlib.gans import BEGAN, GAN, LSGAN, MAGAN, WGAN, WGANGP, CramerGAN, FisherGAN, penalties
from genlib.gans.ebgan import pull_away
from genlib.gans.mcgan import dual_norm, qr_retraction
from genlib.gans.wgan import clip_weights
from genlib.lectures import l20_vae_elbo as l20
from genlib.lectures import l24_semi_supervised as l24
from genlib.lectures import l30_gan as l30
from genlib.lectures import l31_wgan as l31
from genlib.lectures import l32_wgan_gp as l32
from genlib.lectures import l33_lsgan as l33
from genlib.lectures import l34_rwgan as l34
from genlib.lectures import l35_mcgan as l35
from genlib.lectures import l36_gmmn as l36
from genlib.lectures import l37_mmd_gan as l37
from genlib.lectures import l38_cramer_gan as l38
from genlib.lectures import l39_fisher_gan as l39
from genlib.lectures import l41_began as l41
from genlib.lectures import l42_magan as l42
from genlib.lectures.linear_gaussian import LinearGaussian
from genlib.lectures.maths import mixture
from genlib.likelihood import M2
from genlib.widgets import explore

LEVELS = (np.arange(4000) + 0.5) / 4000
GAUSSIAN = scipy.special.ndtri(LEVELS)  # an even sample of N(0, 1)


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def networks_of(variant):
    return experiments.default_networks(variant, (2,), width=2, seed=0)


def critic(function):
    """A Keras critic, numbers ``(n, 1)`` to ``(n, 1)``, that is ``function``."""
    start = keras.Input((1,))
    return keras.Model(start, keras.layers.Lambda(function)(start))


def column(values):
    return tf.constant(np.reshape(values, (-1, 1)), tf.float32)


@functools.cache
def opened(name):
    """The scene of the explorer called ``name``."""
    return explore(name).scene


def numbers(name, **values):
    """What the explorer called ``name`` prints at ``values``, before it is rounded."""
    return opened(name).update(**values)


# 20, 24: bounds, and EM with labels


def test_importance_weights_are_those_of_the_model(rng):
    model, mean, scale = l20.model(), rng.normal(), rng.uniform(0.3, 1.5)
    noise = rng.normal(size=(5, 3))
    z = mean + scale * noise
    log_q = scipy.stats.norm.logpdf(z, mean, scale)
    exact = model.log_joint([l20.X], z[..., None]).numpy() - log_q
    np.testing.assert_allclose(l20.log_weights(model, noise, mean, scale), exact)


def test_what_a_diagonal_q_cannot_reach(rng):
    weight, noise = rng.uniform(-2, 2), rng.uniform(0.2, 2)
    model = LinearGaussian([[1.0, weight]], scale=noise)
    mean, covariance = model.posterior_moments(np.array([l20.X]))
    evidence = float(model.log_prob(np.array([l20.X])))

    def gap(log_variances):
        terms = model.elbo_terms([l20.X], mean, np.diag(np.exp(log_variances)))
        return evidence - float(terms[0] - terms[1])

    best = np.log(np.diag(l20.best_diagonal(covariance)))
    assert gap(best) == pytest.approx(l20.diagonal_gap(weight, noise), abs=1e-9)
    assert scipy.optimize.minimize(gap, best).fun == pytest.approx(gap(best), abs=1e-9)


@pytest.mark.parametrize("world", [l24.FOLLOW, l24.ACROSS])
def test_em_with_labels_finds_a_peak(world):
    """No other means near by, at the best scale for them, make labels and points likelier."""
    draw, unlabelled = 4, 120
    _, found = l24.learn(unlabelled, world)
    x, y = l24.labelled(draw, world)
    cloud = l24.points()[:unlabelled]

    def minus_log_likelihood(theta):
        logs = [
            [scipy.stats.norm.logpdf(some, mean, np.exp(theta[4])).sum(1) for some in (x, cloud)]
            for mean in theta[:4].reshape(2, 2)
        ]
        known = np.choose(y, [first for first, _ in logs]).sum()
        return -known - np.logaddexp(*(second for _, second in logs)).sum()

    start = np.append(found[draw], 0.0)
    peak = scipy.optimize.minimize(minus_log_likelihood, start).x[:4].reshape(2, 2)
    np.testing.assert_allclose(found[draw], peak, atol=0.02)


# 30 to 33: the losses of a critic that is known


def game(rng):
    """Shift, scale and skill, and as a Keras critic the logit ``skill * log(p / q)``."""
    shift, scale, skill = rng.uniform(-3, 3), rng.uniform(0.5, 2), rng.uniform(0.2, 1)
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(np.float32(shift), np.float32(scale))
    return (shift, scale, skill), critic(lambda x: skill * (p.log_prob(x) - q.log_prob(x)))


@pytest.mark.parametrize("loss", [l30.NON_SATURATING, l30.MINIMAX])
def test_push_is_the_slope_of_the_generators_loss(rng, loss):
    setting, logit = game(rng)
    model = GAN(networks.mlp(1, 1, 4), logit, objective=loss.replace("-", "_"))
    x = tf.Variable(column(rng.normal(0, 3, 9)))
    shift = tf.Variable(np.float32(setting[0]))
    with tf.GradientTape(persistent=True) as tape:
        of_each = 9 * model.generator_loss(None, x)
        expected = model.generator_loss(None, shift + setting[1] * column(GAUSSIAN))
    slopes = l30.slope_at(x.numpy()[:, 0].astype(float), *setting, loss)
    np.testing.assert_allclose(tape.gradient(of_each, x)[:, 0], slopes, rtol=1e-3, atol=1e-5)
    push = l30.push(np.array([setting[0]]), *setting[1:], loss)[0]
    assert push == pytest.approx(float(tape.gradient(expected, shift)), rel=5e-3, abs=1e-4)


LOSSES = {
    l30.NON_SATURATING: functools.partial(GAN, objective="non_saturating"),
    l30.MINIMAX: functools.partial(GAN, objective="minimax"),
    l30.WGAN: WGAN,
}


@pytest.mark.parametrize("objective", LOSSES)
def test_the_dirac_game_is_the_librarys(rng, objective):
    """Its flow by automatic differentiation of the losses and of R1; its path by the flow."""
    r1, rate = rng.uniform(0, 2), rng.uniform(0.05, 0.5)
    start = keras.Input((1,))
    line = keras.layers.Dense(1, use_bias=False)
    model = LOSSES[objective](networks.mlp(1, 1, 4), keras.Model(start, line(start)))
    real, theta = tf.zeros((1, 1)), tf.Variable(column(rng.normal(size=1)))
    line.kernel.assign(column(rng.normal(size=1)))
    point = float(theta[0, 0]), float(line.kernel.numpy()[0, 0])
    with tf.GradientTape(persistent=True) as tape:
        critic_pays = model.critic_loss(real, theta) + r1 / 2 * penalties.r1(model.critic, real)
        generator_pays = model.generator_loss(None, theta)
    flow = [-tape.gradient(generator_pays, theta), -tape.gradient(critic_pays, line.kernel.value)]
    assert l30.dirac_flow(*point, objective, r1) == pytest.approx(np.ravel(flow), rel=1e-4)

    for order in (l30.SIMULTANEOUS, l30.ALTERNATING):
        near = np.array([1e-5, -2e-5])
        path = l30.dirac_path(objective, order, rate, r1, tuple(near), updates=3)
        matrix = l30.dirac_update(objective, order, rate, r1)
        np.testing.assert_allclose(path[-1], np.linalg.matrix_power(matrix, 3) @ near, rtol=1e-3)


def test_the_dirac_games_eigenvalues():
    def eigenvalues(objective, r1):
        return np.sort_complex(np.linalg.eigvals(l30.dirac_jacobian(objective, r1)))

    for objective in (l30.NON_SATURATING, l30.MINIMAX):
        np.testing.assert_allclose(eigenvalues(objective, 0.0), [-0.5j, 0.5j], atol=1e-12)
        turning = np.sqrt(3) / 4 * np.array([-1j, 1j])
        np.testing.assert_allclose(eigenvalues(objective, 0.5), -0.25 + turning, atol=1e-12)
    np.testing.assert_allclose(eigenvalues(l30.WGAN, 0.0), [-1j, 1j], atol=1e-12)
    for rate in (0.05, 0.3, 1.0):
        sizes = {
            order: np.abs(np.linalg.eigvals(l30.dirac_update(l30.MINIMAX, order, rate)))
            for order in (l30.SIMULTANEOUS, l30.ALTERNATING)
        }
        np.testing.assert_allclose(sizes[l30.SIMULTANEOUS], np.sqrt(1 + rate**2 / 4))
        np.testing.assert_allclose(sizes[l30.ALTERNATING], 1)


def test_the_critics_loss_and_its_floor(rng):
    (shift, scale, skill), logit = game(rng)
    model = GAN(networks.mlp(1, 1, 4), logit)
    xs = np.linspace(-16, 16, 801)
    log_p, log_q = scipy.stats.norm.logpdf(xs), scipy.stats.norm.logpdf(xs, shift, scale)
    exact = float(model.critic_loss(column(GAUSSIAN), column(shift + scale * GAUSSIAN)))
    assert l30.critic_loss(xs, log_p, log_q, skill * (log_p - log_q)) == pytest.approx(exact, 3e-3)
    js = float(divergences.js(tfd.Normal(0.0, 1.0), tfd.Normal(shift, scale)))
    assert l30.jsd(xs, log_p, log_q) == pytest.approx(js, abs=1e-5)


def test_half_of_the_least_squares_loss_is_the_logarithms_near_one_half(rng):
    """4 times the squares, and the logarithms of 4 D - 2, part by less than |D - 1/2|^3."""
    d = 0.5 + column(0.05 * rng.normal(size=200))
    echo = critic(lambda x: x)
    squares = LSGAN(networks.mlp(1, 1, 4), echo, coding="zero_one")
    half, middle = l33.CriticAlone(networks.mlp(1, 1, 4), echo), np.full_like(d, 0.5)

    def rise(model):
        return float(model.generator_loss(None, d) - model.generator_loss(None, middle))

    assert rise(half) == pytest.approx(4 * rise(squares), abs=float(np.mean(np.abs(d - 0.5) ** 3)))
    assert float(half.critic_loss(d, d)) == float(squares.critic_loss(d, d))


def test_m2_with_a_sharper_decoder_weighs_its_misfit_alone(rng):
    def model(kind, **options):
        nets = networks.mlp((2, 2, 1), 3, 8, seed=1), networks.mlp(7, 4, 8, seed=2)
        return kind(*nets, networks.mlp(5, (2, 2, 1), 8, seed=3), 2, seed=0, **options)

    x = rng.uniform(size=(6, 2, 2, 1)).astype(np.float32)
    y = rng.integers(0, 3, 6)
    m2, tunable = model(M2), model(l24.TunableM2)
    once = m2.elbo(x, y, seed=4).numpy()
    np.testing.assert_allclose(tunable.elbo(x, y, seed=4), once, rtol=1e-5)
    bounds = {1: once}
    for sharpness in (2, 3):
        tunable.sharpness = sharpness
        bounds[sharpness] = tunable.elbo(x, y, seed=4).numpy()
    misfit = bounds[1] - bounds[2]
    np.testing.assert_allclose(bounds[2] - bounds[3], misfit, rtol=1e-4)  # linear in the misfit
    assert misfit.min() > 0


def test_slant_of_a_stroke():
    upright, leaning = np.zeros((2, 1, 5, 5, 1))
    upright[0, :, 2] = leaning[0, range(5), range(5)] = 1
    assert l24.slant(upright) == pytest.approx([0]) and l24.slant(leaning) == pytest.approx([2])
    assert l24.slant(leaning[:, ::-1]) == pytest.approx([-2])


def test_no_critic_in_the_box_beats_the_best(rng):
    clip, width, shift = 10 ** rng.uniform(-2, 0), int(rng.integers(8, 129)), rng.uniform(-3, 3)
    xs = np.linspace(-7, 7, 701)
    q = scipy.stats.norm.pdf(xs, 0.7 + shift, 0.8)
    masses = (mixture(xs, [-2.0, 2.6], 0.6) - q) * (xs[1] - xs[0])
    start = keras.Input((1,))
    hidden = keras.layers.Dense(width, activation="relu")
    model = keras.Model(start, keras.layers.Dense(1, use_bias=False)(hidden(start)))

    def reached(slopes, biases, outer):
        model.set_weights([clip * np.c_[slopes].T, clip * biases, clip * np.c_[outer]])
        clip_weights(model, clip)
        return float(model(column(xs)).numpy()[:, 0] @ masses)

    value = numbers("clipped_critic", clip=clip, width=width, shift=shift)
    best = float(value["it reaches"])
    units = np.maximum(l31.SLOPES[:, None] * xs + l31.BIASES[:, None], 0)
    unit, gain = l31.best_unit(units, masses)
    ones = np.ones(width)
    found = reached(ones * l31.SLOPES[unit], ones * l31.BIASES[unit], ones * np.sign(gain))
    assert found == pytest.approx(best, rel=1e-3, abs=1e-4)
    for _ in range(20):  # one unit all over, which is the hardest rival, and units of all kinds
        one, many = rng.uniform(-1.5, 1.5, (2, 1)) * ones, rng.uniform(-1.5, 1.5, (2, width))
        for slopes, biases in (one, many):
            for sign in (1, -1):
                assert reached(slopes, biases, sign * ones) <= best * 1.001 + 1e-4


def test_the_critic_of_slope_one_reaches_w1(rng):
    shift = rng.uniform(-3, 3)
    p = tfd.MixtureSameFamily(
        tfd.Categorical(probs=[0.5, 0.5]), tfd.Normal([-2.0, 2.6], [0.6, 0.6])
    )
    exact = float(divergences.wasserstein(p, tfd.Normal(np.float32(0.7 + shift), 0.8)))
    w1 = numbers("clipped_critic", clip=0.1, width=64, shift=shift)["W1"]
    assert w1 == pytest.approx(exact, abs=0.01)


def test_the_gradient_penaltys_objective(rng):
    weight, distance = 10 ** rng.uniform(-1, 1), rng.uniform(0, 3)
    start = keras.Input((1,))
    line = keras.Model(start, keras.layers.Dense(1, use_bias=False)(start))
    model = WGANGP(networks.mlp(1, 1, 4), line, penalty_weight=weight)

    def scored(slope):
        line.set_weights([np.array([[-slope]])])
        return -float(model.critic_loss(tf.zeros((8, 1)), tf.fill((8, 1), np.float32(distance))))

    for slope in rng.uniform(0, 6, 4):
        assert l32.objective(slope, weight, distance) == pytest.approx(scored(slope), 1e-4, 1e-4)
    best = l32.best_slope(weight, distance)
    assert scored(best) > max(scored(best - 0.1), scored(best + 0.1))


def test_least_squares_at_the_best_critic(rng):
    shift, a, b, c = rng.integers(1, 60) / 10, *rng.uniform([-1.5, 0.75, -0.5], [0.5, 1.5, 1.5])
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(np.float32(shift), 1.0)
    share = critic(lambda x: a + (b - a) * tf.sigmoid(p.log_prob(x) - q.log_prob(x)))
    model = LSGAN(networks.mlp(1, 1, 4), share, coding=(a, b, c))
    real, fake = tf.constant(column(GAUSSIAN)), tf.Variable(column(shift + GAUSSIAN))
    with tf.GradientTape(persistent=True) as tape:
        loss = model.generator_loss(real, fake)
        on_real = model.generator_loss(fake, real)
    said = numbers("least_squares", shift=shift, a=a, b=b, c=c)
    pull = float(tf.reduce_sum(tape.gradient(loss, fake)))
    assert said["mean pull towards P"] == pytest.approx(pull, abs=2e-3)
    assert said["2 C(G)"] == pytest.approx(2 * float(loss + on_real), rel=5e-3, abs=1e-3)
    best = float(model.critic_loss(real, fake))
    for amount in (-0.1, 0.1):  # D* is a minimum of the critic's loss
        wave = critic(lambda x, by=amount: share(x) + by * tf.sin(x + np.float32(a)))
        other = LSGAN(networks.mlp(1, 1, 4), wave, coding=(a, b, c))
        assert float(other.critic_loss(real, fake)) > best

    def integrand(x):
        at_p, at_q = scipy.stats.norm.pdf(x), scipy.stats.norm.pdf(x, shift)
        return (at_p - at_q) ** 2 / (at_p + at_q)

    exact, _ = scipy.integrate.quad(integrand, -10, 16)
    assert said["∫ (p − q)² / (p + q)"] == pytest.approx(exact, abs=1e-6)


# 34: moving a pile


@pytest.mark.parametrize("phi", l34.PHI)
def test_the_pile_moves_in_order(rng, phi):
    """The explorer takes the coupling that keeps the order; an exact solver finds no cheaper."""
    place, scene = rng.integers(6, 44) / 10, opened("bregman_cost")
    said = scene.update(phi=phi, place=place, eps=0.1)
    p, q, cost = np.c_[scene.p], np.c_[place + scene.q], costs.bregman(l34.PHI[phi][0])
    for name, (x, y) in (("W(P, Q), solid", (p, q)), ("W(Q, P), dashed", (q, p))):
        assert said[name] == pytest.approx(float(samples.emd(x, y, cost)), abs=1e-5)
    at = np.argmin(np.abs(scene.locations - place))
    q = scene.locations[at] + scene.q
    forth, back = scene.both_ways[phi]
    np.testing.assert_allclose(forth[at], np.diag(l34.bregman(l34.PHI[phi][0], p[:, 0], q)).mean())
    np.testing.assert_allclose(back[at], np.diag(l34.bregman(l34.PHI[phi][0], q, p[:, 0])).mean())


@pytest.mark.parametrize("phi", l34.PHI)
def test_pulls_are_those_of_the_converged_plan(rng, phi):
    """Sinkhorn's own iteration, which scales rows and columns, for twenty thousand rounds."""
    eps, scene = 10 ** rng.uniform(-1.8, 1), opened("bregman_cost")
    q = rng.uniform(0.6, 4.4) + scene.q
    matrix = l34.bregman(l34.PHI[phi][0], scene.p, q) / eps
    matrix -= matrix.min(1, keepdims=True)
    gibbs, columns = np.exp(matrix.min(0) - matrix), np.ones(15)
    for _ in range(20_000):
        rows = 1 / (gibbs @ columns)
        columns = 1 / (rows @ gibbs)
    exact = (scene.p * rows) @ gibbs * columns
    found = l34.pulled_to(scene.p, q, l34.PHI[phi][0], eps)
    np.testing.assert_allclose(found, exact, atol=1e-3)


# 35 to 38: moments, kernels, energies


def test_moments_read_what_the_critics_reach(rng):
    mean, spread = rng.normal(size=2), rng.uniform(0.2, 1.4, 2)
    moments = np.diag(l35.SPREAD_P**2 - spread**2) - np.outer(mean, mean)
    for matching in range(4):
        readings, (u, v), _ = l35.read(mean, spread, matching)
        if matching < 2:
            exact = float(dual_norm(tf.constant(-mean), matching + 1))
            assert u[0] @ -mean == pytest.approx(exact)
            assert np.linalg.norm(u[0], matching + 1) == pytest.approx(1)
        else:
            k = matching - 1
            exact = np.einsum("ki,ij,kj", u, moments, v)
            np.testing.assert_allclose(u[:k] @ u[:k].T, np.eye(k), atol=1e-12)
            np.testing.assert_allclose(v[:k] @ v[:k].T, np.eye(k), atol=1e-12)
            for _ in range(200):
                matrices = tf.constant(rng.normal(size=(2, 2, k)), tf.float32)
                left, right = (qr_retraction(matrix).numpy() for matrix in matrices)
                assert np.trace(left.T @ moments @ right) <= exact + 1e-5
        assert readings[matching] == pytest.approx(exact)


def test_witness_and_mmd_of_gaussians(rng):
    shift, spread = rng.uniform(-5, 5), rng.uniform(0.3, 4)
    widths = 10 ** rng.uniform(-0.5, 1) * np.array(l36.FAMILIES["five"])
    parts = tfd.Normal(l36.MEANS, l36.SCALES)
    p = tfd.MixtureSameFamily(tfd.Categorical(probs=l36.WEIGHTS), parts)
    q, kernel = tfd.Normal(np.float64(shift), spread), kernels.rbf(list(widths))
    exact = float(divergences.mmd(p, q, kernel))
    assert l36.mmd(tuple(widths), shift, spread) == pytest.approx(exact, rel=1e-5)

    xs, grid = rng.uniform(-7, 7, 9), np.linspace(-25, 25, 5001)
    masses = (p.prob(grid) - q.prob(grid)).numpy() * (grid[1] - grid[0])
    value, slope = l36.witness(xs, widths, shift, spread)
    np.testing.assert_allclose(value, kernel(np.c_[xs], np.c_[grid]).numpy() @ masses, atol=1e-8)
    right, left = (l36.witness(xs + h, widths, shift, spread)[0] for h in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (right - left) / 2e-5, atol=1e-6)


def test_rational_quadratic_is_the_librarys(rng):
    """But for a constant, of which the MMD knows nothing."""
    alphas, distances = 10 ** rng.uniform(-1, 1, 3), rng.uniform(0, 8, 9)
    as_sum = l37.rational_quadratic(alphas).items()
    fallen = sum(weight * np.expm1(-((distances / b) ** 2) / 2) for b, weight in as_sum)
    exact = kernels.rational_quadratic(list(alphas))(np.c_[distances], np.zeros((1, 1)))
    np.testing.assert_allclose(fallen, exact[:, 0] - 3, rtol=1e-4)


LIBRARYS = {
    "Gaussian of 1": kernels.rbf(1.0),
    "Gaussians of 1 to 16": kernels.rbf([1.0, 2.0, 4.0, 8.0, 16.0]),
    "rational quadratic": kernels.rational_quadratic([0.1, 1.0, 10.0]),
}


@pytest.mark.parametrize("name", l37.KERNELS)
def test_mmd_of_scaled_codes(rng, name):
    scale, distance = 10 ** rng.uniform(-1, 0.5), rng.uniform(0.5, 6)
    p, q = (tfd.Normal(np.float64(scale * m), scale * l37.SPREAD) for m in (0, distance))
    exact = float(divergences.mmd(p, q, LIBRARYS[name]))
    assert l37.root_mmd(scale, distance, l37.KERNELS[name]) == pytest.approx(exact, rel=1e-3)


def test_energy_is_a_loss_up_to_a_constant(rng):
    data, scale, means = rng.uniform(-3, 3), rng.uniform(0.3, 1.5), rng.uniform(-4, 4, 2)
    p = tfd.Normal(np.float64(data), l38.DATA_SCALE)
    exact = [float(divergences.energy(p, tfd.Normal(np.float64(m), scale))) for m in means]
    here, there = l38.losses(means, data, scale)["energy"]
    assert there - here == pytest.approx(exact[1] - exact[0], abs=1e-5)


def test_surrogate_is_cramer_gans(rng):
    """Minus the critic's loss, the critic being the identity, up to a constant."""
    data, scale, means = rng.uniform(-3, 3), rng.uniform(0.3, 1.5), rng.uniform(-4, 4, 2)
    start = keras.Input((1,))
    generator = keras.Model(start, keras.layers.Dense(1)(start))
    model = CramerGAN(generator, critic(lambda x: x), penalty_weight=0.0, seed=0)
    real, found = column(data + l38.DATA_SCALE * GAUSSIAN), []
    for mean in means:
        generator.set_weights([np.array([[scale]]), np.array([mean])])
        fake = column(mean + scale * GAUSSIAN)
        found.append(-np.mean([model.critic_loss(real, fake) for _ in range(10)]))
    here, there = l38.losses(means, data, scale)["surrogate"]
    assert there - here == pytest.approx(found[1] - found[0], abs=0.06)


@pytest.mark.parametrize("name", ["energy", "surrogate"])
def test_the_mean_push_goes_down_the_loss(rng, name):
    data, scale, mean = rng.uniform(-3, 3), rng.uniform(0.3, 1.5), rng.uniform(-2, 2)
    said = numbers("cramer_surrogate", data=data, place=mean, scale=scale)
    after, before = l38.losses(mean + np.array([1e-4, -1e-4]), data, scale)[name]
    # What pushes the samples of Q apart cancels in the mean.
    assert said[f"mean push, {name}"] == pytest.approx((before - after) / 2e-4, abs=1e-3)


# 39 to 42: what moves beside the networks


def test_fisher_path_is_fisher_gans(rng):
    """The first forty updates, on two batches of two points that have P's and Q's moments."""
    rho, distance, place = 10 ** rng.uniform(-3, -0.5), rng.uniform(0, 4), rng.uniform(-2, 2)
    means = place + distance / 2, place - distance / 2
    real, fake = (column([m - s, m + s]) for m, s in zip(means, l39.SCALES, strict=True))
    second_moment = np.mean(np.square(means) + np.square(l39.SCALES))
    start = keras.Input((1,))
    line = keras.Model(start, keras.layers.Dense(1, use_bias=False)(start))
    line.set_weights([np.array([[l39.START]])])
    (slope,) = line.trainable_variables
    model, seen = FisherGAN(networks.mlp(1, 1, 4), line, rho=rho), []
    for _ in range(41):
        seen.append((float(slope.value[0, 0]), float(model.multiplier.value)))
        with tf.GradientTape() as tape:
            loss = model.critic_loss(real, fake)
        slope.assign_sub(l39.RATE * tape.gradient(loss, slope.value))
        model.after_critic_step(real, fake)
    slopes, multipliers = l39.path(rho, distance, second_moment, 1)
    np.testing.assert_allclose(np.transpose(seen), [slopes[:41], multipliers[:41]], atol=1e-4)


def test_least_pull_away_in_the_plane(rng):
    for codes in range(2, 9):
        said = numbers("energy_margin", margin=0.8, shift=1.2, codes=codes, angle=20)
        turns = np.pi * np.arange(codes) / codes
        even = pull_away(tf.constant(np.stack([np.cos(turns), np.sin(turns)], 1)))
        assert said["least in the plane"] == pytest.approx(float(even), abs=1e-9)
        other = pull_away(tf.constant(rng.normal(size=(codes, 2))))
        assert float(other) > said["least in the plane"] - 1e-9


def test_k_moves_as_in_began(rng):
    gamma, rate, strength = rng.uniform(0.1, 1), 10 ** rng.uniform(-3, 0), rng.uniform(0.2, 4)
    real, fake, k = l41.simulate(gamma, rate, strength)
    model = BEGAN(*networks_of("began"), gamma=gamma, k_rate=rate)
    found = [0.0]
    for on_real, on_fake in zip(real[1:], fake[1:], strict=True):
        moved = model.move_k(tf.constant(on_real, tf.float32), tf.constant(on_fake, tf.float32))
        found.append(float(moved["k"]))
    np.testing.assert_allclose(k, found, atol=1e-4)


def test_margin_moves_as_in_magan(rng):
    """In quarters, so that energies tie; they fall by and by, so that the margin moves often."""
    real, fake = np.sort(rng.integers(1, 41, (2, 300)).astype(np.float32), axis=1)[:, ::-1] / 4
    real, fake = (rng.permuted(e.reshape(-1, 10), axis=1).ravel() for e in (real, fake))
    start = 10.25
    model, found = (
        MAGAN(*networks_of("magan"), margin=start),
        [],
    )
    for energies in zip(real, fake, strict=True):
        model.end_epoch(*energies)
        found.append(float(model.margin.value))
    assert len(set(found)) > 5
    np.testing.assert_array_equal(l42.path(real, fake, start=start), found)
