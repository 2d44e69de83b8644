"""Flow matching (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003).

A start z and a data point x are joined by the straight path ``x_t = (1 - t) z + t x``, whose
velocity is ``x - z``. A network learns the mean of these velocities at each place and time.
"""

import numpy as np
import tensorflow as tf

from genlib import gaussian, networks, validate
from genlib.divergences.samples import emd
from genlib.likelihood.base import LikelihoodModel, draws, normal
from genlib.training import points, traced


class FlowMatching(LikelihoodModel):
    """A velocity field u(x, t) that carries a standard normal, t = 0, to the data, t = 1.

    The loss is not in nats, but in squared units of the data. Its least value is not 0: it is the
    variance of ``x - z`` that is left once ``x_t`` is known.

    ``network``: from ``[x (n, *shape), t (n, 1)]`` to ``(n, *shape)``, such as
    `networks.timed_mlp`; TypeError or ValueError for another. ``seed``: batches, starts and times.
    """

    network_times = 1  # numbers that the network takes beside a place

    def __init__(self, network, seed=None, name=None):
        super().__init__(seed=seed, name=name)
        shape, *times = networks.inputs("network", network, (1 + self.network_times,))
        if set(times) != {(1,)} or network.output_shape[1:] != shape:
            taken = "(None, *shape)" + ", (None, 1)" * self.network_times
            raise ValueError(
                f"network must go from [{taken}] to (None, *shape); it goes from "
                f"{network.input_shape} to {network.output_shape}"
            )
        self.network, self.data_shape = network, shape
        self._rates = None

    def fit(self, data, start=None, **options):
        """Train on ``data``, a start for each point drawn anew, or on pairs.

        ``start``: ``(n, *shape)``, row i goes to row i of ``data``. All rows together should follow
        the standard normal that `sample` starts from; see `transport_pairs` and `straighten`.
        ``options`` are those of ``CompiledModel.fit``. ValueError for other shapes, NaN.
        """
        return super().fit(data if start is None else (data, start), **options)

    def resident(self, data):
        if not isinstance(data, tuple):
            return super().resident(data)
        x, start = super().resident(data[0]), points("start", data[1], self.data_shape)
        if len(x) != len(start):
            raise ValueError(f"start must have a row for each of data, {len(x)}; got {len(start)}")
        return x, start

    def terms(self, x):
        """``E |u(x_t, t) - (x - z)|^2`` (Liu et al. 2023, equation 1), x_t at uniform times t."""
        x, start = x if isinstance(x, tuple) else (x, self.random_normal(tf.shape(x)))
        time = self.random_uniform(tf.shape(x)[:1])
        t = as_column(time, x)
        error = self._velocity((1 - t) * start + t * x, time) - (x - start)
        return {"loss": tf.reduce_mean(summed(error**2))}

    def velocity(self, x, t):
        """u(x, t), ``(n, *shape)``, at points ``(n, *shape)`` and times ``(n,)`` or one number."""
        x = points("x", x, self.data_shape)
        t = validate.unit_interval("t", tf.cast(validate.numbers("t", t), tf.float32))
        if t.shape not in ((), (len(x),)):
            raise ValueError(f"t must be one number or have shape ({len(x)},); got {t.shape}")
        return self._velocity(x, tf.broadcast_to(t, (len(x),)))

    def _velocity(self, x, t):
        return self.network([x, t[:, None]])

    def sample(self, n, steps=64, seed=None):
        """Draw ``n`` points ``(n, *shape)`` by ``steps`` steps of Euler's method."""
        start = normal((validate.count("n", n), *self.data_shape), draws(seed))
        return self.follow(start, steps)[-1]

    def follow(self, start, steps=64):
        """The paths of starts ``(n, *shape)``: places at equally spaced times, a list."""
        return follow(self.velocity, points("start", start, self.data_shape), steps)

    def log_prob(self, x, steps=32):
        """Log-density in nats, ``(n,)``: ``d log p(x_t)/dt = -div u`` (Chen et al. 2018).

        It is that of the exact flow but for the error of ``steps`` steps of Runge-Kutta's fourth
        order, back from t = 1 to 0. The divergence is exact: one gradient for each coordinate.
        """
        x, steps = points("x", x, self.data_shape), validate.count("steps", steps)
        if self._rates is None:
            self._rates = traced(self._velocity_and_divergence, (None, *self.data_shape), ())
        gained, h = 0.0, -1 / steps
        for i in range(steps):
            t, slopes = tf.constant(1 + i * h, tf.float32), []
            for share in (0, 0.5, 0.5, 1):
                at = x + share * h * slopes[-1][0] if slopes else x
                slopes.append(self._rates(at, t + share * h))
            move, gain = (sum(w * s[k] for w, s in zip(_RK4, slopes, strict=True)) for k in (0, 1))
            x, gained = x + h * move, gained + h * gain
        return summed(gaussian.log_density(x)) + gained

    def _velocity_and_divergence(self, x, t):
        t = tf.fill(tf.shape(x)[:1], t)
        with tf.GradientTape() as tape:
            tape.watch(x)
            u = self._velocity(x, t)
        size = int(np.prod(self.data_shape))
        jacobian = tf.reshape(tape.batch_jacobian(u, x), (-1, size, size))
        return u, tf.linalg.trace(jacobian)


_RK4 = 1 / 6, 1 / 3, 1 / 3, 1 / 6


def follow(velocity, start, steps):
    """Euler's method from t = 0 to 1: the list of ``steps + 1`` places, the first ``start``.

    ``velocity(x, t)`` takes places and one time. NumPy or TensorFlow, as the velocity gives.
    """
    path = [start]
    for i in range(validate.count("steps", steps)):
        path.append(path[-1] + velocity(path[-1], i / steps) / steps)
    return path


def bend(velocity, start, steps=64):
    """How far paths are from straight: the mean of ``|(x_1 - x_0) - u(x_t, t)|^2``, a number.

    0 where each path is straight and run at one speed, and then one step of Euler's method is
    enough. Liu et al. 2023 call it S(Z).
    """
    path = np.stack(follow(velocity, start, steps)).astype(np.float64)
    pieces = np.diff(path, axis=0) * steps
    gaps = (pieces - (path[-1] - path[0])).reshape(len(pieces), len(path[0]), -1)
    return float(np.mean(np.sum(gaps**2, -1)))


def transport_pairs(data, batch_size=256, seed=None):
    """Starts for ``data`` ``(n, d)``, paired batch by batch by exact optimal transport: ``(n, d)``.

    Each batch is matched with as many standard normal points, so that the sum of squared distances
    is least (Tong et al. 2024, arXiv:2302.00482; Pooladian et al. 2023). For ``fit(data, start)``.
    """
    data = validate.samples("data", data).numpy()
    size = validate.count("batch_size", batch_size)
    start = normal(data.shape, draws(seed)).numpy()
    for low in range(0, len(data), size):
        rows = slice(low, low + size)
        _, plan = emd(data[rows], start[rows], "sqeuclidean", return_plan=True)
        start[rows] = start[rows][plan.numpy().argmax(1)]
    return start


def straighten(model, n, steps=64, seed=None):
    """Pairs ``(data, start)`` that a trained model makes, ``n`` of each, for ``fit``: reflow.

    A start and where its path ends. A second model that learns these pairs has straighter paths
    (Liu et al. 2023).
    """
    start = normal((validate.count("n", n), *model.data_shape), draws(seed))
    return model.follow(start, steps)[-1], start


def as_column(t, x):
    """Times ``(n,)`` in the shape ``(n, 1, ...)`` that multiplies x."""
    return tf.reshape(t, [-1, *[1] * (len(x.shape) - 1)])


def summed(x):
    """The sum over all axes but the first, ``(n,)``."""
    return tf.reduce_sum(x, list(range(1, len(x.shape))))
