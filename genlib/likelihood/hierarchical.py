"""A hierarchical model of groups, three ways to its posterior: exact, MCMC, mean-field.

Each group j has its own effect theta_j, seen through noise of known size as y_j. The effects come
from one normal population, whose mean mu and spread tau are unknown too. Given tau everything is
Gaussian, so that the posterior is exact up to one integral over tau. Gelman et al. 2013, "Bayesian
Data Analysis", section 5.4 (whose priors are flat).
"""

import functools
import logging
import types
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from genlib import validate
from genlib.training import minimise

FORMS = ("centred", "non_centred")

#: Eight schools' estimated effects of coaching, in points of the SAT-V, and their standard errors.
#: Rubin 1981, "Estimation in parallel randomized experiments", table 1.
SCHOOLS = "ABCDEFGH"
EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
ERRORS = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)


class GivenSpread(NamedTuple):
    """The posterior at k values of tau: Gaussian, in closed form."""

    log_evidence: np.ndarray  # (k,) log p(y | tau), nats
    mu_mean: np.ndarray  # (k,)
    mu_variance: np.ndarray  # (k,)
    pooling: np.ndarray  # (k, J) the weight of mu in the mean of theta_j: 1 pools completely
    theta_mean: np.ndarray  # (k, J)
    theta_variance: np.ndarray  # (k, J)


class Exact(NamedTuple):
    """The posterior by quadrature over log tau."""

    tau: np.ndarray  # (k,) the grid
    weights: np.ndarray  # (k,) the posterior probability of each of its cells; they sum to 1
    log_evidence: float  # log p(y), nats
    mu: tfd.Distribution  # scalar
    theta: tfd.Distribution  # batch (J,): the marginal of each theta_j


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


class HierarchicalNormal:
    """``mu ~ N(0, mean_scale)``, ``tau ~ HalfCauchy(spread_scale)``, ``theta_j ~ N(mu, tau)``,
    ``y_j ~ N(theta_j, sigma_j)``; second arguments are standard deviations.

    The sampler and the approximation move in a *state* ``(mu, log tau, ...)``, shape (..., J + 2),
    of which the last J are theta ("centred") or ``z = (theta - mu) / tau`` ("non_centred").

    Args:
      y: (J,), what was observed; sigma: (J,), its standard errors, above 0.
      mean_scale, spread_scale: of the priors, above 0.

    Raises:
      ValueError: arrays that are not of one length, not finite, or scales that are not positive.
    """

    def __init__(self, y, sigma, mean_scale=20.0, spread_scale=5.0):
        self.y, self.sigma = (
            validate.samples(name, value).numpy().astype(np.float32)
            for name, value in (("y", y), ("sigma", sigma))
        )
        if self.y.shape != self.sigma.shape or self.y.shape[1] != 1:
            raise ValueError(
                f"y and sigma must have one shape (J,); got {np.shape(y)} and {np.shape(sigma)}"
            )
        self.y, self.sigma = self.y[:, 0], self.sigma[:, 0]
        if self.sigma.min() <= 0:
            raise ValueError(f"sigma must be above 0; got {self.sigma.min()}")
        self.mean_scale = validate.positive("mean_scale", mean_scale)
        self.spread_scale = validate.positive("spread_scale", spread_scale)

    def joint(self, form="centred") -> tfd.JointDistribution:
        """The joint density of mu, tau, theta (or z) and y."""
        validate.choice("form", form, FORMS)
        parts = {
            "mu": tfd.Normal(0.0, self.mean_scale),
            "tau": tfd.HalfCauchy(0.0, self.spread_scale),
        }
        if form == "centred":
            parts["theta"] = lambda mu, tau: _each(mu, tau, self.y.shape[0])
            parts["y"] = lambda theta: tfd.Independent(tfd.Normal(theta, self.sigma), 1)
        else:
            parts["z"] = tfd.Sample(tfd.Normal(0.0, 1.0), self.y.shape[0])
            parts["y"] = lambda mu, tau, z: tfd.Independent(
                tfd.Normal(mu[..., None] + tau[..., None] * z, self.sigma), 1
            )
        return tfd.JointDistributionNamed(parts)

    def log_target(self, state, form):
        """``log p(state, y)``, (..., J + 2) -> (...), nats; normalised, so it integrates to p(y).

        The last term is the Jacobian of ``tau = exp(log tau)``.
        """
        mu, log_tau, last = state[..., 0], state[..., 1], state[..., 2:]
        name = "theta" if form == "centred" else "z"
        values = {"mu": mu, "tau": tf.exp(log_tau), name: last, "y": self.y}
        return self.joint(form).log_prob(values) + log_tau

    def unpack(self, state, form):
        """``(mu, tau, theta)`` of a state (..., J + 2), as arrays."""
        validate.choice("form", form, FORMS)
        state = np.asarray(state)
        mu, tau, last = state[..., 0], np.exp(state[..., 1]), state[..., 2:]
        return mu, tau, last if form == "centred" else mu[..., None] + tau[..., None] * last

    # Exact

    def given_spread(self, tau) -> GivenSpread:
        """The posterior given tau, (k,), at least 0: mu is integrated out, or known to be normal.

        Gelman et al. 2013, equations 5.17 to 5.21, with a normal prior on mu.
        """
        tau = validate.samples("tau", tau).numpy().astype(np.float64)[:, :1]  # (k, 1)
        if tau.min() < 0:
            raise ValueError(f"tau must be 0 or more; got {tau.min()}")
        y, noise = self.y.astype(np.float64), self.sigma.astype(np.float64) ** 2
        total = noise + tau**2  # the variance of y_j around mu
        precision = 1 / self.mean_scale**2 + np.sum(1 / total, 1)
        mu_mean, mu_variance = np.sum(y / total, 1) / precision, 1 / precision
        # Bayes' rule at mu = its mean: p(y | tau) = p(mu | tau) p(y | mu, tau) / p(mu | y, tau).
        residual = np.sum((y - mu_mean[:, None]) ** 2 / total + np.log(2 * np.pi * total), 1)
        prior = mu_mean**2 / self.mean_scale**2 + np.log(self.mean_scale**2 / mu_variance)
        pooling = noise / total
        return GivenSpread(
            log_evidence=-(residual + prior) / 2,
            mu_mean=mu_mean,
            mu_variance=mu_variance,
            pooling=pooling,
            theta_mean=(1 - pooling) * y + pooling * mu_mean[:, None],
            theta_variance=(1 - pooling) * noise + pooling**2 * mu_variance[:, None],
        )

    def exact(self, points=1000) -> Exact:
        """The posterior by the midpoint rule over log tau, with ``points`` points.

        They reach from 14 below the least scale of data and prior to 7 above the largest: beyond,
        there is a millionth of the posterior.
        """
        points = validate.count("points", points, minimum=50)
        scales = np.log([self.spread_scale, *self.sigma, max(np.ptp(self.y), self.sigma.min())])
        low, high = scales.min() - 14, scales.max() + 7
        step = (high - low) / points
        log_tau = low + step * (np.arange(points) + 0.5)
        tau = np.exp(log_tau)
        given = self.given_spread(tau)
        prior = np.log(2 / np.pi / self.spread_scale) - np.log1p((tau / self.spread_scale) ** 2)
        log_mass = given.log_evidence + prior + log_tau + np.log(step)
        log_evidence = np.logaddexp.reduce(log_mass)
        weights = np.exp(log_mass - log_evidence)

        def mixture(mean, variance):  # over tau, the last axis of both
            return tfd.MixtureSameFamily(
                tfd.Categorical(probs=np.broadcast_to(weights, mean.shape)),
                tfd.Normal(mean, np.sqrt(variance)),
            )

        mu = mixture(given.mu_mean, given.mu_variance)
        theta = mixture(given.theta_mean.T, given.theta_variance.T)
        return Exact(tau, weights, float(log_evidence), mu, theta)

    # Markov chain Monte Carlo

    def mcmc(self, form="non_centred", chains=4, draws=2000, warmup=1000, leapfrogs=16,
             target_accept=0.8, seed=0) -> Chains:  # fmt: skip
        """Sample the posterior by Hamiltonian Monte Carlo, its step size adapted in the warm-up.

        A path has *diverged* when its energy error exceeds 1,000 nats, as in Stan. XLA compiles
        the sampler at the first call with these counts (a few seconds); later calls, with any
        seed or data, take a fraction of one. Neal 2011, "MCMC using Hamiltonian dynamics"; the
        adaptation is that of Hoffman and Gelman 2014, section 3.2.

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
            len(self.y), self.mean_scale, self.spread_scale,
        )  # fmt: skip
        state, log_accept, step = run(seed, self.y, self.sigma)
        diverged = log_accept.numpy() < -1000
        return Chains(*self.unpack(state, form), diverged, float(step[-1]), leapfrogs)

    # Variational inference

    def elbo(self, q, form, n, seed=0):
        """Estimate ``E_q [log p(state, y) - log q(state)] <= log p(y)``; (value, standard error).

        ``q``: a distribution over states, event shape (J + 2,); ``n``: draws from it, 2 or more.
        """
        log_ratio = self.log_ratios(q, form, validate.count("n", n, minimum=2), seed)
        return float(log_ratio.mean()), float(log_ratio.std() / np.sqrt(n))

    def log_ratios(self, q, form, n, seed=0) -> np.ndarray:
        """``log p(state, y) - log q(state)`` at ``n`` draws from ``q``, (n,).

        Their mean is the ELBO; the log of the mean of their exponentials estimates log p(y).
        """
        validate.choice("form", form, FORMS)
        seed = tf.constant([0, validate.count("seed", seed, minimum=0)], tf.int32)
        state = q.sample(validate.count("n", n), seed=seed)
        return (self.log_target(state, form) - q.log_prob(state)).numpy()

    def mean_field(self, form="non_centred", steps=4000, draws=128, seed=0, n=10_000) -> MeanField:
        """Fit independent Gaussians over the state: climb the ELBO by Adam.

        Each step draws ``draws`` reparameterised states; the learning rate falls by a cosine from
        0.05. Kucukelbir et al. 2017, "Automatic differentiation variational inference".
        ``n`` draws from the result come with it.
        """
        validate.choice("form", form, FORMS)
        steps, draws = validate.count("steps", steps), validate.count("draws", draws)
        seed, n = validate.count("seed", seed, minimum=0), validate.count("n", n)
        size = len(self.y) + 2
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
                return -tf.reduce_mean(self.log_target(state, form)) - q.entropy()

            return step + 1, elbos.write(step, -minimise(optimizer, family, loss))

        @functools.partial(tf.function, jit_compile=True, autograph=False)
        def run():
            elbos = tf.TensorArray(tf.float32, steps, element_shape=())
            return tf.while_loop(lambda step, _: step < steps, climb, (0, elbos))[1].stack()

        elbos = run.get_concrete_function()().numpy()
        q = _diagonal(loc.numpy(), log_scale.numpy())
        state = q.sample(n, seed=tf.constant([1, seed], tf.int32))
        return MeanField(q, elbos, *self.unpack(state, form))


def eight_schools(**priors) -> HierarchicalNormal:
    """Rubin's eight schools; ``priors`` are those of `HierarchicalNormal`."""
    return HierarchicalNormal(EFFECTS, ERRORS, **priors)


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


def _each(mu, tau, count):
    """``count`` independent draws of N(mu, tau), for any batch of mu and tau."""
    return tfd.Sample(tfd.Normal(mu, tau), count)


def _diagonal(loc, log_scale):
    return tfd.MultivariateNormalDiag(loc, tf.exp(log_scale))
