"""Lecture 16: hierarchical Bayes."""

import functools
import logging
import types
from typing import NamedTuple

import ipywidgets
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import norm
from tensorflow_probability import distributions as tfd

from genlib import plots, validate
from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood import HierarchicalNormal
from genlib.likelihood.hierarchical import FORMS
from genlib.plots import COLORS
from genlib.training import minimise
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, dot, key, moving, panel, shade, strokes

# The eight schools

#: Eight schools' estimated effects of coaching, in points of the SAT-V, and their standard errors.
#: Rubin 1981, "Estimation in parallel randomized experiments", table 1.
SCHOOLS = "ABCDEFGH"
EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
ERRORS = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)


def eight_schools(**priors) -> HierarchicalNormal:
    """Rubin's eight schools; ``priors`` are those of `HierarchicalNormal`."""
    return HierarchicalNormal(EFFECTS, ERRORS, **priors)


# Their posterior by Markov chain Monte Carlo, and by mean-field variational inference


class Chains(NamedTuple):
    """What the sampler drew: n draws of c chains, n first."""

    mu: np.ndarray  # (n, c)
    tau: np.ndarray  # (n, c)
    theta: np.ndarray  # (n, c, J)
    diverged: np.ndarray  # (n, c) whether the path to this draw was cut off
    step_size: float  # of the path's steps, after the warm-up
    leapfrogs: int  # steps of a path: gradients computed for each draw

    @property
    def diagnostics(self) -> dict[str, tuple[float, float]]:
        """R-hat and effective sample size of mu, log tau and each theta_j, by name.

        R-hat compares the variance between half chains with that within them (1 is good; Gelman
        et al. 2013, section 11.4). Log tau, since tau itself has a long tail.
        """
        named = {"mu": self.mu, "log tau": np.log(self.tau)}
        named |= {f"theta {j + 1}": self.theta[..., j] for j in range(self.theta.shape[-1])}
        stacked = np.stack(list(named.values()), -1)  # (n, c, J + 2)
        # TFP casts the result of an FFT to real numbers, of which TensorFlow warns each time.
        logger = logging.getLogger("tensorflow")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            sizes = tfp.mcmc.effective_sample_size(stacked, cross_chain_dims=1).numpy()
        finally:
            logger.setLevel(level)
        r_hats = tfp.mcmc.potential_scale_reduction(stacked, split_chains=True).numpy()
        return {
            name: (float(r_hat), float(size))
            for name, r_hat, size in zip(named, r_hats, sizes, strict=True)
        }


class MeanField(NamedTuple):
    """What mean-field variational inference found."""

    q: tfd.Distribution  # over the state, event shape (J + 2,): independent Gaussians
    elbo: np.ndarray  # (steps,) its noisy estimate at each step, nats
    mu: np.ndarray  # (n,) draws from q
    tau: np.ndarray  # (n,)
    theta: np.ndarray  # (n, J)


def mcmc(model, form="non_centred", chains=4, draws=2000, warmup=1000, leapfrogs=16,
         target_accept=0.8, seed=0) -> Chains:  # fmt: skip
    """Sample the posterior of a `HierarchicalNormal` by Hamiltonian Monte Carlo.

    The step size is adapted in the warm-up. A path has *diverged* when its energy error exceeds
    1,000 nats, as in Stan. XLA compiles the sampler at the first call with these counts (a few
    seconds); later calls, with any seed or data, take a fraction of one. Neal 2011, "MCMC using
    Hamiltonian dynamics"; the adaptation is that of Hoffman and Gelman 2014, section 3.2.

    Args:
      form: "centred" or "non_centred", the state in which the sampler moves.
      chains, draws, warmup: draws of each chain, after and during warm-up.
      leapfrogs: steps of each path, and so gradients for each draw.
      target_accept: the acceptance rate to which the step size is adapted, below 1.
      seed: an int; the same gives the same draws on the same machine.
    """
    validate.choice("form", form, FORMS)
    chains = validate.count("chains", chains, minimum=2)
    draws = validate.count("draws", draws, minimum=4)
    warmup = validate.count("warmup", warmup, minimum=10)
    leapfrogs = validate.count("leapfrogs", leapfrogs)
    if not 0 < validate.positive("target_accept", target_accept) < 1:
        raise ValueError(f"target_accept must lie between 0 and 1; got {target_accept!r}")
    seed = tf.constant([0, validate.count("seed", seed, minimum=0)], tf.int32)
    run = _sampler(
        form, chains, draws, warmup, leapfrogs, float(target_accept),
        len(model.y), model.mean_scale, model.spread_scale,
    )  # fmt: skip
    state, log_accept, step = run(seed, model.y, model.sigma)
    diverged = ~(log_accept.numpy() >= -1000)  # NaN too
    return Chains(*model.unpack(state, form), diverged, float(step[-1]), leapfrogs)


@functools.lru_cache(maxsize=8)
def _sampler(form, chains, draws, warmup, leapfrogs, target_accept, groups, *priors):
    """Compile ``run(seed, y, sigma) -> (states, log acceptance ratios, step sizes)``."""
    model = HierarchicalNormal(np.zeros(groups), np.ones(groups), *priors)

    def run(seed, y, sigma):
        model.y, model.sigma = y, sigma  # symbols: one sampler serves all data of this size
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda state: model.log_target(state, form), 0.1, leapfrogs
        )
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            kernel, int(0.8 * warmup), target_accept_prob=target_accept
        )
        start, path = tf.unstack(tf.random.split(seed))
        state, (log_accept, step) = tfp.mcmc.sample_chain(
            draws,
            tf.random.stateless_uniform((chains, groups + 2), start, -2.0, 2.0),
            kernel=kernel,
            num_burnin_steps=warmup,
            trace_fn=lambda _, kr: (kr.inner_results.log_accept_ratio, kr.new_step_size),
            seed=path,
        )
        return state, log_accept, step

    data = tf.TensorSpec((groups,), tf.float32)
    run = tf.function(run, jit_compile=True, autograph=False)
    return run.get_concrete_function(tf.TensorSpec((2,), tf.int32), data, data)


def mean_field(model, form="non_centred", steps=4000, draws=128, seed=0, n=10_000) -> MeanField:
    """Fit independent Gaussians over the state of a `HierarchicalNormal`: climb the ELBO by Adam.

    Each step draws ``draws`` reparameterised states; the learning rate falls by a cosine from
    0.05. Kucukelbir et al. 2017, "Automatic differentiation variational inference".
    ``n`` draws from the result come with it.
    """
    validate.choice("form", form, FORMS)
    steps, draws = validate.count("steps", steps), validate.count("draws", draws)
    seed, n = validate.count("seed", seed, minimum=0), validate.count("n", n)
    size = len(model.y) + 2
    loc = keras.Variable(np.zeros(size, np.float32))
    log_scale = keras.Variable(np.zeros(size, np.float32))
    family = types.SimpleNamespace(trainable_variables=[loc, log_scale])
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, steps))
    optimizer.build(family.trainable_variables)

    def climb(step, elbos):
        noise = tf.random.stateless_normal((draws, size), [seed, step], alg="threefry")

        def loss():
            q = _diagonal(loc.value, log_scale.value)
            state = loc.value + tf.exp(log_scale.value) * noise
            return -tf.reduce_mean(model.log_target(state, form)) - q.entropy()

        return step + 1, elbos.write(step, -minimise(optimizer, family, loss))

    @functools.partial(tf.function, jit_compile=True, autograph=False)
    def run():
        elbos = tf.TensorArray(tf.float32, steps, element_shape=())
        return tf.while_loop(lambda step, _: step < steps, climb, (0, elbos))[1].stack()

    elbos = run.get_concrete_function()().numpy()
    q = _diagonal(loc.numpy(), log_scale.numpy())
    state = q.sample(n, seed=tf.constant([1, seed], tf.int32))
    return MeanField(q, elbos, *model.unpack(state, form))


def _diagonal(loc, log_scale):
    return tfd.MultivariateNormalDiag(loc, tf.exp(log_scale))


# Explorer: pooling


UNITS = ("τ", "log τ")


@scene("pooling")
class Pooling(Scene):
    """Eight schools between no pooling and complete pooling: what the data say of the spread."""

    title = "How far do you pull eight schools together?"
    alt = (
        "Left: for each of eight schools, in blue its estimate with a bar of one standard error, "
        "and beside it in vermillion its effect given the spread tau, pulled towards the common "
        "mean, a grey line. Right, against the spread: the likelihood of the data, which falls; "
        "the prior; and the posterior, with a mark at tau. Sliders set tau and the size of the "
        "standard errors; a switch measures the densities per unit of tau or of log tau."
    )
    size = (9.6, 4.2)
    reveals = (
        ({"tau": 0.1}, {"tau": 316.0}),
        {},
        {"noise": 0.1},
        {"average": True},
        ({}, {"unit": UNITS[1]}),
    )

    def controls(self):
        return {
            "tau": log_slider(
                "spread τ (0.1: all pooled)", 8.0, -1, 2.5, 0.05, readout_format=".1f"
            ),
            "noise": slider("standard errors, times", 1.0, 0.1, 2.0, 0.1),
            "average": ipywidgets.Checkbox(value=False, description="average over τ"),
            "unit": choice("densities per unit of", UNITS),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=(1.7, 1))
        self.places = np.arange(len(SCHOOLS))
        panel(left, "Effects", ("school", -0.6, 7.7), ("effect of coaching (points)", -36, 62))
        left.set_xticks(self.places, SCHOOLS)
        left.plot(self.places - 0.13, EFFECTS, "o", color=COLORS["p"], markersize=7)
        self.noise_bars = strokes(left, "p", alpha=0.5)
        self.bars = strokes(left, "q", linewidth=3, alpha=0.5)
        self.dots = dot(left, "q", 7)
        self.common = moving(left.axhline(0, color=COLORS["mixture"], linestyle=":"))
        plots.label(left, 7.6, 55, "what was observed", "p", ha="right", fontsize=10)
        plots.label(left, 7.6, 49, "what is believed", "q", ha="right", fontsize=10)
        plots.label(left, 7.6, 43, "the common mean", "mixture", ha="right", fontsize=10)
        taus, heights = ("spread τ", 0.08, 400), ("each as a share of its highest", 0, 1.35)
        panel(right, "What the data say of τ", taus, heights, xscale="log")
        named = {"likelihood p(y | τ)": "p", "prior": "mixture", "posterior": "highlight"}
        key(right, 0.98, 0.99, named, step=0.07, fontsize=10)
        self.tau = np.geomspace(0.08, 400, 300)
        self.shade = shade(right, "highlight", 0.5)
        self.prior = curve(right, "mixture", linestyle="--")
        self.likelihood = curve(right, "p")
        self.mark = moving(right.axvline(1, ymax=0.74, color=COLORS["q"]))

    def update(self, tau, noise, average, unit):
        model = HierarchicalNormal(EFFECTS, noise * np.array(ERRORS))
        exact = model.exact(400)
        likelihood = np.exp(model.given_spread(self.tau).log_evidence)
        prior = 1 / (1 + (self.tau / model.spread_scale) ** 2)  # HalfCauchy, up to a factor
        prior = prior if unit == UNITS[0] else prior * self.tau  # per unit of log tau
        self.likelihood.move(self.tau, likelihood / likelihood.max())
        self.prior.move(self.tau, prior / prior.max())
        posterior = likelihood * prior
        self.shade.move(self.tau, 0, posterior / posterior.max())
        weights = exact.weights if average else np.ones(1)
        given = model.given_spread(exact.tau if average else [tau])
        mean = weights @ given.theta_mean
        spread = np.sqrt(weights @ (given.theta_variance + (given.theta_mean - mean) ** 2))
        self.dots.move(self.places + 0.13, mean)
        self.bars.set_segments(_upright(self.places + 0.13, mean, spread))
        self.noise_bars.set_segments(_upright(self.places - 0.13, EFFECTS, model.sigma))
        self.common.set_ydata([weights @ given.mu_mean] * 2)
        self.mark.set_xdata([tau, tau])
        self.mark.set_visible(not average)
        return {
            "school A": f"{mean[0]:.1f} ± {spread[0]:.1f}",
            "weight of the common mean for A": f"{weights @ given.pooling[:, 0]:.0%}",
            "P(A helps more than C)": f"{weights @ _a_above_c(given):.0%}",
            "log p(y)" if average else "log p(y | τ)": (
                f"{exact.log_evidence if average else given.log_evidence[0]:.2f} nats"
            ),
        }


def _upright(x, middle, half):
    low, high = np.subtract(middle, half), np.add(middle, half)
    return np.stack([np.c_[x, low], np.c_[x, high]], 1)


def _a_above_c(given):
    """P(theta_A > theta_C) at each tau: both are normal, and share what is unsure in mu."""
    gap = given.theta_mean[:, 0] - given.theta_mean[:, 2]
    shared = given.pooling[:, 0] * given.pooling[:, 2] * given.mu_variance
    variance = given.theta_variance[:, 0] + given.theta_variance[:, 2] - 2 * shared
    return norm.cdf(gap / np.sqrt(variance))


# Explorer: funnel

CENTRED, NON_CENTRED = "θ: centred", "z = θ / τ: non-centred"
WIDTH = 1.5  # the standard deviation of log tau: Neal's funnel, whose v is 2 log tau
STEPS = 30
DIVERGED = 1000.0  # the energy error at which a sampler gives up, in nats


def log_density(position, form):
    """Return log p of positions ``(..., 2)``, up to a constant: ``(theta or z, log tau)``.

    theta ~ N(0, tau), log tau ~ N(0, 1.5). Neal 2003, "Slice sampling", section 8.
    """
    x, log_tau = position[..., 0], position[..., 1]
    prior = -((log_tau / WIDTH) ** 2) / 2
    if form == NON_CENTRED:
        return prior - x**2 / 2
    return prior - (x * np.exp(-log_tau)) ** 2 / 2 - log_tau


def gradient(position, form):
    """Return the gradient of ``log_density``, ``(..., 2)``."""
    x, log_tau = position[..., 0], position[..., 1]
    if form == NON_CENTRED:
        return np.stack([-x, -log_tau / WIDTH**2], -1)
    precision = np.exp(-2 * log_tau)
    return np.stack([-x * precision, -log_tau / WIDTH**2 + x**2 * precision - 1], -1)


def leapfrog(position, momentum, step, form, steps=STEPS):
    """Return the path's positions ``(k, 2)`` and energy errors ``(k,)``, the start included.

    It ends after ``steps`` steps, or where the error first exceeds ``DIVERGED``.
    """
    energy = momentum @ momentum / 2 - log_density(position, form)
    path, errors = [position], [0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            momentum = momentum + step / 2 * gradient(position, form)
            position = position + step * momentum
            momentum = momentum + step / 2 * gradient(position, form)
            error = momentum @ momentum / 2 - log_density(position, form) - energy
            path.append(position)
            errors.append(error if np.isfinite(error) else np.inf)
            if not abs(error) < DIVERGED:
                break
    return np.array(path), np.array(errors)


@scene("funnel")
class Funnel(Scene):
    """A path of Hamiltonian Monte Carlo in a funnel, and in the coordinates that straighten it."""

    title = "Roll a ball through the funnel"
    alt = (
        "Left: a density in the shape of a funnel over theta and log tau, with the path of a "
        "sampler. Middle: the same density and path over z and log tau, where it is round. Right: "
        "the path's energy error against the step on a logarithmic scale, with the line at which "
        "it counts as diverged. Sliders set the step size and the start."
    )
    size = (9.8, 4.0)
    reveals = (
        ({"step": 0.4}, {"step": 0.4, "start": -3.0}, {"step": 0.05, "start": -3.0}),
        {"step": 0.05, "start": 2.0},
        {"form": NON_CENTRED, "step": 1.0, "start": -3.0},
    )

    def controls(self):
        return {
            "form": choice("the sampler moves in", [CENTRED, NON_CENTRED]),
            "step": log_slider("step size", 0.5, -2, 0, 0.1, readout_format=".2f"),
            "start": slider("start: log τ", 0.5, -4.0, 2.0, 0.25),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.1))
        self.paths = []
        for ax, form, name in ((left, CENTRED, "θ"), (middle, NON_CENTRED, "z")):
            limits = (-8, 8, -5, 4) if form == CENTRED else (-4, 4, -5, 4)
            levels = 10 - np.array([8, 4.5, 2, 0.5]) + (form == CENTRED) * WIDTH**2 / 2

            def lifted(xy, form=form):  # above 0: matplotlib dashes the lines of negative levels
                return 10 + log_density(xy, form)

            plots.contour(ax, lifted, limits, levels, "p", 160)
            x, y = (name, *limits[:2]), ("log τ", *limits[2:])
            panel(ax, f"over {name} and log τ", x, y)
            path = curve(ax, "q", marker=".", linewidth=1.2)
            self.paths.append((path, dot(ax, "mixture", 7)))
        steps, sizes = ("step of the path", 0, STEPS), ("energy error, size (nats)", 1e-4, 1e5)
        panel(right, "Energy error", steps, sizes, yscale="log")
        right.axhline(DIVERGED, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 0.5, 1.4 * DIVERGED, "diverged", ha="left", fontsize=10)
        self.errors = curve(right, "q", marker=".")

    def update(self, form, step, start):
        tau = np.exp(start)
        begin = np.array([0.8 * (tau if form == CENTRED else 1.0), start])
        path, errors = leapfrog(begin, np.array([0.6, -1.2]), step, form)
        factor = np.exp(np.clip(path[:, 1], -50, 50))
        theta, z = (path[:, 0], path[:, 0] / factor)
        if form == NON_CENTRED:
            theta, z = path[:, 0] * factor, path[:, 0]
        for (line, begun), x in zip(self.paths, (theta, z), strict=True):
            x, y = np.clip(x, -1e3, 1e3), np.clip(path[:, 1], -1e3, 1e3)
            line.move(x, y)
            begun.move(x[0], y[0])
        self.errors.move(np.arange(len(errors)), np.clip(np.abs(errors), 1.2e-4, 8e4))
        stable = abs(errors[-1]) < DIVERGED
        accepted = f"{np.exp(-max(errors[-1], 0)):.2f}" if stable else "0: diverged"
        return {
            "steps done": f"{len(path) - 1} of {STEPS}",
            "lowest log τ": f"{path[:, 1].min():.1f}",
            "accepted with probability": accepted,
            "longest stable step at the start": f"{2 * (tau if form == CENTRED else 1.0):.2f}",
        }


# Exercises


@exercise("16_hierarchical_bayes/1")
def partial_pooling():
    """The mean of theta_A given mu = 8 and tau = 10, for y = 28 and sigma = 15."""
    # A prior that all but fixes mu, 8 below the origin of y, gives the mean at a known mu.
    given = HierarchicalNormal([28.0 - 8.0], [15.0], mean_scale=1e-3).given_spread([10.0])
    return Number(
        8 + float(given.theta_mean[0, 0]),
        tolerance=0.05,
        right="the noise is larger than the spread, so most of the way to 8 is gone.",
        mistakes=[
            (
                8 + 20 * 225 / 325,
                "You swapped the weights: the noisier the school, the more weight goes to mu.",
            ),
            (8 + 20 * 10 / 25, "Weigh by variances (the squares), not by standard deviations."),
            (18.0, "That is the plain average; weigh by 1 / variance."),
            (28.0, "That is no pooling; here the spread of the schools is known to be 10."),
            (8.0, "That is complete pooling; it would be right for a spread of 0."),
        ],
    )


@exercise("16_hierarchical_bayes/2")
def shrink():
    """Write shrink(y, sigma, mu, tau): the mean of every theta_j given mu and tau."""

    def reference(y, sigma, mu, tau):
        pooling = sigma**2 / (sigma**2 + tau**2)
        return (1 - pooling) * y + pooling * mu

    def inputs(rng):
        n = rng.integers(2, 9)
        tau = rng.choice([0.0, rng.uniform(0.5, 20)])  # also where all schools are alike
        return rng.normal(5, 10, n), rng.uniform(5, 20, n), rng.normal(), tau

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="it also holds for a spread of 0, where everyone gets mu.",
        mistakes=[
            (
                lambda y, sigma, mu, tau: y + mu - reference(y, sigma, mu, tau),
                "The weights are swapped: sigma^2 / (sigma^2 + tau^2) belongs to mu.",
            ),
            (
                lambda y, sigma, mu, tau: (tau * y + sigma * mu) / (sigma + tau),
                "Weigh by variances, not by standard deviations.",
            ),
            (
                lambda y, sigma, mu, tau: reference(y, sigma, y.mean(), tau),
                "You pull towards the mean of y; pull towards mu.",
            ),
        ],
    )


@exercise("16_hierarchical_bayes/3")
def mean_field_width():
    """The width of the mean-field fit to a Gaussian of correlation 0.9, as a share of the true."""
    precision = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])
    return Number(
        float(1 / np.sqrt(precision[0, 0])),
        tolerance=0.005,
        right="it is the width of a slice, sqrt(1 - 0.9^2), and not that of the whole shadow.",
        mistakes=[
            (float(1 / precision[0, 0]), "That is the ratio of the variances; take its root."),
            (1.0, "That is what KL(p||q) would give; the ELBO minimises KL(q||p)."),
            (
                0.9,
                "That is the correlation; invert the covariance matrix and look at its diagonal.",
            ),
            (float(np.sqrt(precision[0, 0])), "You have the inverse: the fit is too narrow."),
        ],
    )


@exercise("16_hierarchical_bayes/4")
def which_form():
    """Which form samples better when each school's standard error is a tenth?"""
    return Choice(
        right_choice="centred",
        why="the data now fix each theta, and log tau is well away from the neck: nothing is left "
        "to straighten, while z = (theta - mu) / tau would have to follow each move of mu and tau.",
        wrong={
            "non-centred": "The non-centred form cures the funnel, and with such data there is "
            "none: look at the table for strong data.",
            "either": "It does: the table for strong data compares the two.",
        },
    )
