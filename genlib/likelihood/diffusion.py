"""Diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020, arXiv:2006.11239; Song et al. 2021).

Noise is mixed into a data point in T steps, ``x_t = b x + a z`` with ``b^2 + a^2 = 1``, until
nothing else is left. A network learns to guess the noise z, the data x or each pixel's level; from
it all samplers and the bound follow.
"""

import numpy as np
import tensorflow as tf

from genlib import gaussian, networks, validate
from genlib.likelihood.base import LikelihoodModel, check_labels, draws, normal
from genlib.training import points, traced

METHODS = "ddpm", "ddim", "heun"
GUESSES = "noise", "data"


class Diffusion(LikelihoodModel):
    """A network that takes noise out again, trained at every level of noise at once.

    TypeError or ValueError for arguments that do not fit.

    Args:
      network: from ``[x (n, *shape), t (n, 1)]``, t from 0 (data) to 1 (noise), to the guessed
        noise ``(n, *shape)``; with ``levels`` to logits ``(n, *shape, levels)``, to which the noisy
        pixel's own evidence is added. With ``classes`` a third input, ``(n, classes)``: one-hot, or
        zeros for "any".
      steps: T.
      schedule: "linear", variances of 1e-4 to 0.02 for T = 1000 (Ho et al.), or "cosine" (Nichol
        and Dhariwal 2021, equation 17).
      levels: for data with that many levels k / (levels - 1) in [0, 1]: the network guesses levels,
        and inside they are numbers from -1 to 1.
      classes: how many, for guidance (Ho and Salimans 2022); ``drop``: how often a training example
        hides its class.
      guesses: what the network's output is: "noise", or "data" (Salimans and Ho 2022, section 4),
        whose error no step enlarges; an error of the noise is one ``a / b`` times as large in x.
    """

    def __init__(self, network, steps=1000, schedule="linear", levels=None, classes=0, drop=0.1,
                 guesses="noise", seed=None, name=None):  # fmt: skip
        super().__init__(seed=seed, name=name)
        self.classes = validate.count("classes", classes, minimum=0)
        shapes = networks.inputs("network", network, numbers=(3 if classes else 2,))
        self.levels = None if levels is None else validate.count("levels", levels, minimum=2)
        given, after = network.output_shape[1:], () if levels is None else (levels,)
        if shapes[1:] != [(1,), (classes,)][: 2 if classes else 1] or given != shapes[0] + after:
            raise ValueError(
                "network must go from [(None, *shape), (None, 1)"
                f"{f', (None, {classes})' * bool(classes)}] to {('None', '*shape', *after)}; it "
                f"goes from {network.input_shape} to {network.output_shape}"
            )
        self.network, self.data_shape = network, shapes[0]
        self.steps = validate.count("steps", steps, minimum=2)
        self.drop = float(validate.unit_interval("drop", drop))
        self.guesses = validate.choice("guesses", guesses, GUESSES)
        if levels is not None and guesses != "noise":
            raise ValueError(f"guesses must be left out with levels; got {guesses!r}")
        kept = kept_variance(validate.choice("schedule", schedule, ("linear", "cosine")), steps)
        #: b and a of each step 0 to T, and the ratio of the two, the noise's size by the signal's.
        self.b, self.a = np.sqrt(kept), np.sqrt(1 - kept)
        self.sigma = self.a / self.b
        self._graphs = {}

    # Training

    def fit(self, data, condition=None, **options):
        """Train on ``data``, with ``classes`` on whole numbers ``condition`` ``(n,)`` too."""
        if (condition is None) == bool(self.classes):
            raise ValueError(
                f"condition must be given if classes are, and only then; classes: {self.classes}"
            )
        if self.classes:
            n = len(data)
            condition = tf.one_hot(
                check_labels("condition", condition, n, self.classes), self.classes
            )
        return super().fit(data if condition is None else (data, condition), **options)

    def resident(self, data):
        if isinstance(data, tuple):
            return super().resident(data[0]), data[1]
        return super().resident(data)

    def validate_data(self, data, name="data"):
        return data if self.levels is None else validate.levels(name, data, self.levels)

    def terms(self, x):
        """``E |z - guess|^2``, Ho et al., equation 14, or ``E |x - guess|^2`` if it guesses data.

        With ``levels`` the cross-entropy, nats.
        """
        x, condition = x if isinstance(x, tuple) else (x, None)
        n = tf.shape(x)[:1]
        if condition is not None:
            condition *= tf.cast(self.random_uniform(n) >= self.drop, tf.float32)[:, None]
        step, noise = (
            self.random_uniform(n, 1, self.steps + 1, tf.int32),
            self.random_normal(tf.shape(x)),
        )
        noisy = self._noisy(x, step, noise)
        if self.levels is None:
            target = noise if self.guesses == "noise" else x
            loss = _summed((target - self._call(noisy, step, condition)) ** 2)
        else:
            loss = -self._log_levels(self._call(noisy, step, condition), x)
        return {"loss": tf.reduce_mean(loss)}

    def _inside(self, x):
        return x if self.levels is None else 2 * x - 1

    def _noisy(self, x, step, noise):
        b, a = (_column(tf.gather(tf.constant(v, tf.float32), step), x) for v in (self.b, self.a))
        return b * self._inside(x) + a * noise

    def _call(self, x, step, condition):
        """The network's output; to logits of levels the noisy pixel's own evidence is added."""
        inputs = [x, (tf.cast(step, tf.float32) / self.steps)[:, None]]
        if self.classes:
            none = tf.zeros((tf.shape(x)[0], self.classes))
            inputs.append(none if condition is None else condition)
        out = self.network(inputs)
        return out if self.levels is None else out + self._evidence(x, step)

    def _evidence(self, x, step):
        """``log N(x; b level, a^2)`` but for a constant, ``(n, *shape, levels)``.

        It is known exactly: so at little noise the network need not read a pixel off itself.
        """
        x = x[..., None]
        b, a = (_column(tf.gather(tf.constant(v, tf.float32), step), x) for v in (self.b, self.a))
        return -(((x - b * tf.linspace(-1.0, 1.0, self.levels)) / a) ** 2) / 2

    def _log_levels(self, logits, x):
        level = tf.cast(tf.round(x * (self.levels - 1)), tf.int32)
        return -_summed(tf.nn.sparse_softmax_cross_entropy_with_logits(level, logits))

    # What the network knows

    def guess(self, x, step, condition=None, guidance=1.0):
        """The noise and the data in noisy ``x`` ``(n, *shape)`` of ``step`` 1 to T: a pair.

        ``condition``: one-hot ``(n, classes)`` or None. ``guidance`` w: the noise is guessed as
        ``(1 - w) any + w conditional``; 1 is the conditional model.
        """
        x = tf.cast(x, tf.float32)
        steps = tf.fill(tf.shape(x)[:1], tf.cast(step, tf.int32))
        noise = self._guess_noise(x, steps, condition)
        if guidance != 1:
            noise = guidance * noise + (1 - guidance) * self._guess_noise(x, steps, None)
        a, b = (_column(tf.gather(tf.constant(v, tf.float32), steps), x) for v in (self.a, self.b))
        return noise, (x - a * noise) / b

    def _guess_noise(self, x, step, condition):
        out = self._call(x, step, condition)
        if self.levels is not None:
            out = tf.reduce_sum(tf.nn.softmax(out) * tf.linspace(-1.0, 1.0, self.levels), -1)
        elif self.guesses == "noise":
            return out
        b, a = (_column(tf.gather(tf.constant(v, tf.float32), step), x) for v in (self.b, self.a))
        return (x - b * out) / a

    def score(self, x, step):
        """The gradient of the log-density of noisy data, ``-noise / a``: ``(n, *shape)``."""
        noise, _ = self.guess(points("x", x, self.data_shape), self._step(step))
        return -noise / np.float32(self.a[step])

    def _step(self, step):
        if validate.count("step", step) > self.steps:
            raise ValueError(f"step must be at most {self.steps}; got {step}")
        return int(step)

    # Sampling

    def sample(self, n, condition=None, steps=50, method="ddim", guidance=1.0, seed=None):
        """Draw ``n`` examples ``(n, *shape)`` from noise, in ``steps`` of the T levels.

        Args:
          condition: a class, or one for each; None for any.
          method: "ddim" (Song, Meng and Ermon 2021, no noise: Euler's method for the probability
            flow), "heun" (its second order, two evaluations a step) or "ddpm" (Ho et al.'s, which
            adds noise).
          guidance: see `guess`.
        """
        n, source = validate.count("n", n), draws(seed)
        x, condition = normal((n, *self.data_shape), source), self._one_hot(condition, n)
        guidance = validate.non_negative("guidance", guidance)
        x = self.denoise(x, steps, method, condition, guidance, source)[-1]
        return x if self.levels is None else tf.clip_by_value((x + 1) / 2, 0, 1)

    def _one_hot(self, condition, n):
        """A class, or one for each, as ``(n, classes)``; zeros for any."""
        if condition is None:
            return tf.zeros((n, self.classes))
        if not self.classes:
            raise ValueError("condition must be None: the model has no classes")
        labels = np.broadcast_to(condition, (n,)) if np.ndim(condition) == 0 else condition
        return tf.one_hot(check_labels("condition", labels, n, self.classes), self.classes)

    def denoise(self, x, steps=50, method="ddim", condition=None, guidance=1.0, seed=None):
        """From noise ``x`` ``(n, *shape)`` to data: the list of ``steps + 1`` stages."""
        validate.choice("method", method, METHODS)
        if validate.count("steps", steps) > self.steps:
            raise ValueError(f"steps must be at most {self.steps}; got {steps}")
        grid = np.round(np.linspace(self.steps, 0, steps + 1)).astype(int)
        guess, stages = self._guesser(guidance), [x]
        source = seed if hasattr(seed, "next") else draws(seed)
        if condition is None:
            condition = self._one_hot(None, len(x))
        for now, then in zip(grid[:-1], grid[1:], strict=True):
            noise, data = guess(x, now, condition)
            a, b = np.float32(self.a[then]), np.float32(self.b[then])
            if method == "ddpm" and then:
                # The posterior of x_then given x_now and the data (Ho et al., equations 6 and 7).
                kept = (self.b[now] / self.b[then]) ** 2
                spread = self.a[then] ** 2 / self.a[now] ** 2 * (1 - kept)
                pull = np.float32(np.sqrt(self.a[then] ** 2 - spread))
                x = b * data + pull * noise + np.float32(np.sqrt(spread)) * normal(x.shape, source)
                stages.append(x)
                continue
            if method == "heun" and then:
                again, _ = guess(b * data + a * noise, then, condition)
                mean = (noise + again) / 2  # in x / b, the flow's slope in sigma is the noise
                x = b * (x / np.float32(self.b[now])
                         + np.float32(self.sigma[then] - self.sigma[now]) * mean)  # fmt: skip
            else:
                x = b * data + a * noise
            stages.append(x)
        return stages

    def _guesser(self, guidance):
        if guidance not in self._graphs:
            self._graphs[guidance] = traced(
                lambda x, step, c: self.guess(x, step, c if self.classes else None, guidance),
                (None, *self.data_shape), tf.TensorSpec((), tf.int32), (None, self.classes),
            )  # fmt: skip
        graph = self._graphs[guidance]
        return lambda x, step, c: graph(x, tf.constant(step, tf.int32), c)

    # Likelihood

    def elbo(self, x, draws_of_steps=100, seed=None, condition=None):
        """A bound below log p(x), or log p(x | condition), without bias: ``(n,)``, in nats.

        ``log p(x | x_1) - KL(x_T) - sum of KL_t`` (Ho et al., equation 5), where the KL of step t
        is ``(1 / sigma^2 of t - 1, less that of t) |x - guess|^2 / 2``. Of the steps 2 to T
        ``draws_of_steps`` are drawn, more where a KL is likely large, and weighted for it. With
        ``levels`` it bounds the log-probability of a picture. ``condition``: as in `sample`; with
        one seed the bounds of two classes share their noise.
        """
        x, source = self.check_batch("x", x), draws(seed)
        k = validate.count("draws_of_steps", draws_of_steps)
        rng, inside = np.random.default_rng(np.asarray(source.next())), self._inside(x)
        size, b, a = int(np.prod(self.data_shape)), self.b[-1], self.a[-1]
        last = (b**2 * _summed(inside**2) + size * (a**2 - 1 - 2 * np.log(a))) / 2
        one_hot = self._one_hot(condition, len(x))
        bound = self._reconstruction(x, normal(x.shape, source), one_hot)
        bound -= tf.cast(last, tf.float32)
        gains = -np.diff(self.sigma[1:] ** -2)  # of the steps 2 to T
        chances = gains * self.a[2:] ** 2 / np.sum(gains * self.a[2:] ** 2)
        marks = (np.arange(k) + rng.random(k)) / k  # one draw in each k-th part of the chances
        drawn = np.minimum(np.searchsorted(np.cumsum(chances), marks), len(chances) - 1)
        guess = self._guesser(1.0)
        for i in drawn:
            noisy = self.b[i + 2] * inside + self.a[i + 2] * normal(x.shape, source)
            _, data = guess(tf.cast(noisy, tf.float32), i + 2, one_hot)
            bound -= np.float32(gains[i] / chances[i] / (2 * k)) * _summed((inside - data) ** 2)
        return bound

    def _reconstruction(self, x, noise, condition):
        ones = tf.ones(tf.shape(x)[:1], tf.int32)
        noisy = self._noisy(x, ones, noise)
        if self.levels is not None:
            return self._log_levels(self._call(noisy, ones, condition), x)
        _, data = self.guess(noisy, 1, condition)
        return _summed(gaussian.log_density(x, data, np.float32(self.sigma[1])))


def kept_variance(schedule, steps):
    """``b^2`` for the steps 0 to T, float64 ``(steps + 1,)``: 1 at first, near 0 at last."""
    if schedule == "linear":
        variances = np.linspace(1e-4, 0.02, steps) * 1000 / steps
        return np.concatenate([[1.0], np.cumprod(1 - np.minimum(variances, 0.999))])
    angle = (np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2
    share = np.cos(angle) ** 2 / np.cos(angle[0]) ** 2
    steps_kept = np.maximum(share[1:] / share[:-1], 1 - 0.999)
    return np.concatenate([[1.0], np.cumprod(steps_kept)])


def _column(t, x):
    """Numbers ``(n,)`` in the shape ``(n, 1, ...)`` that multiplies x."""
    return tf.reshape(t, [-1, *[1] * (len(x.shape) - 1)])


def _summed(x):
    """The sum over all axes but the first, ``(n,)``."""
    return tf.reduce_sum(x, list(range(1, len(x.shape))))
