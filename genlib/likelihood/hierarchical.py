"""A hierarchical model of groups, with its exact posterior.

Each group j has an effect theta_j, seen through noise of known size as y_j; the effects come from
one normal population of unknown mean mu and spread tau. Given tau all is Gaussian: one integral is
left. Gelman et al. 2013, "Bayesian Data Analysis", section 5.4 (whose priors are flat).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import gaussian, validate

FORMS = ("centred", "non_centred")


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


class HierarchicalNormal:
    """``mu ~ N(0, mean_scale)``, ``tau ~ HalfCauchy(spread_scale)``, ``theta_j ~ N(mu, tau)``,
    ``y_j ~ N(theta_j, sigma_j)``; second arguments are standard deviations.

    What samples the posterior moves in a *state* ``(mu, log tau, ...)``, shape (..., J + 2), whose
    last J are theta ("centred") or ``z = (theta - mu) / tau`` ("non_centred").

    ``y`` and its standard errors ``sigma``: (J,), finite, all scales above 0; else ValueError.
    """

    def __init__(self, y, sigma, mean_scale=20.0, spread_scale=5.0):
        if np.shape(y) != np.shape(sigma) or np.ndim(y) != 1:
            raise ValueError(
                f"y and sigma must have one shape (J,); got {np.shape(y)} and {np.shape(sigma)}"
            )
        self.y = validate.samples("y", y).numpy().astype(np.float32)[:, 0]
        self.sigma = validate.samples("sigma", sigma).numpy().astype(np.float32)[:, 0]
        validate.all_positive("sigma", self.sigma)
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
            parts["theta"] = lambda mu, tau: tfd.Sample(tfd.Normal(mu, tau), self.y.shape[0])
            parts["y"] = lambda theta: tfd.Independent(tfd.Normal(theta, self.sigma), 1)
        else:
            parts["z"] = tfd.Sample(tfd.Normal(0.0, 1.0), self.y.shape[0])
            parts["y"] = lambda mu, tau, z: tfd.Independent(
                tfd.Normal(mu[..., None] + tau[..., None] * z, self.sigma), 1
            )
        return tfd.JointDistributionNamed(parts)

    def log_target(self, state, form):
        """``log p(state, y)``, (..., J + 2) -> (...), nats, with the Jacobian of exp(log tau)."""
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

    def given_spread(self, tau) -> GivenSpread:
        """The posterior given tau, (k,): Gelman et al. 2013, eq. 5.17 to 5.21, but mu's prior."""
        tau = validate.samples("tau", tau).numpy().astype(np.float64)[:, :1]  # (k, 1)
        if tau.min() < 0:
            raise ValueError(f"tau must be 0 or more; got {tau.min()}")
        y, noise = self.y.astype(np.float64), self.sigma.astype(np.float64) ** 2
        total = noise + tau**2  # the variance of y_j around mu
        precision = 1 / self.mean_scale**2 + np.sum(1 / total, 1)
        mu_mean, mu_variance = np.sum(y / total, 1) / precision, 1 / precision
        # Bayes' rule at mu = its mean: p(y | tau) = p(mu | tau) p(y | mu, tau) / p(mu | y, tau).
        seen = gaussian.log_density(y, mu_mean[:, None], np.sqrt(total)).sum(1)
        prior = mu_mean**2 / self.mean_scale**2 + np.log(self.mean_scale**2 / mu_variance)
        pooling = noise / total
        return GivenSpread(
            log_evidence=seen - prior / 2,
            mu_mean=mu_mean,
            mu_variance=mu_variance,
            pooling=pooling,
            theta_mean=(1 - pooling) * y + pooling * mu_mean[:, None],
            theta_variance=(1 - pooling) * noise + pooling**2 * mu_variance[:, None],
        )

    def exact(self, points=1000) -> Exact:
        """The posterior by the midpoint rule over log tau; a millionth lies beyond the points."""
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

    def elbo(self, q, form, n, seed=0):
        """The mean of `log_ratios`, a bound of log p(y), and its standard error, in nats."""
        log_ratio = self.log_ratios(q, form, validate.count("n", n, minimum=2), seed)
        return float(log_ratio.mean()), float(log_ratio.std() / np.sqrt(n))

    def log_ratios(self, q, form, n, seed=0) -> np.ndarray:
        """``log p(state, y) - log q(state)``, (n,), in nats, at draws from q, event (J + 2,)."""
        validate.choice("form", form, FORMS)
        seed = tf.constant([0, validate.count("seed", seed, minimum=0)], tf.int32)
        state = q.sample(validate.count("n", n), seed=seed)
        return (self.log_target(state, form) - q.log_prob(state)).numpy()
