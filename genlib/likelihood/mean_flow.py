"""Mean flows (Geng et al. 2025, "Mean Flows for One-step Generative Modeling", arXiv:2505.13447).

`FlowMatching` learns the velocity at one time, and many small steps follow it. This learns the
mean velocity over a stretch of time, and one step takes the whole stretch.
"""

import tensorflow as tf

from genlib import validate
from genlib.likelihood.flow_matching import FlowMatching, as_column, summed
from genlib.training import points


class MeanFlow(FlowMatching):
    """The mean velocity u(x, t, h) of a flow from time t to t + h: ``x + h u`` is where it then is.

    It obeys ``u = v + h du/dt`` along the path (Geng et al., equation 6, whose time runs the other
    way), v the velocity of flow matching. The loss is the square of what is missing, in squared
    units of the data; each example's is divided by itself to the ``power``, so that a few large
    ones do not drown the rest (their section 4.3).

    Args:
      network: from ``[x (n, *shape), t (n, 1), h (n, 1)]`` to ``(n, *shape)``, such as
        ``networks.timed_mlp(shape, condition=1)``; TypeError or ValueError for another.
      share: how often h is not 0; where it is, the loss is flow matching's.
      power: see above, at least 0.
    """

    log_names = ("error", "loss")  # the unweighted one falls, the weighted one is always about 1
    network_times = 2

    def __init__(self, network, share=0.75, power=1.0, seed=None, name=None):
        super().__init__(network, seed=seed, name=name)
        self.share = float(validate.unit_interval("share", share))
        self.power = validate.non_negative("power", power)

    def terms(self, x):
        x, start = x if isinstance(x, tuple) else (x, self.random_normal(tf.shape(x)))
        n, move = tf.shape(x)[:1], x - start
        one, other = self.random_uniform(n), self.random_uniform(n)
        begin, end = tf.minimum(one, other), tf.maximum(one, other)
        h = tf.where(self.random_uniform(n) < self.share, end - begin, 0.0)
        t, ones = as_column(begin, x), tf.ones_like(begin[:, None])
        given = [(1 - t) * start + t * x, begin[:, None], h[:, None]]
        with tf.autodiff.ForwardAccumulator(given, [move, ones, -ones]) as along:
            mean = self.network(given)
        target = tf.stop_gradient(move + as_column(h, x) * along.jvp(mean))
        error = summed((mean - target) ** 2)
        weight = tf.stop_gradient((error + 1e-3) ** -self.power)
        return {"error": tf.reduce_mean(error), "loss": tf.reduce_mean(weight * error)}

    def _velocity(self, x, t):
        return self.network([x, t[:, None], 0 * t[:, None]])

    def mean_velocity(self, x, t, h):
        """u(x, t, h), ``(n, *shape)``, at points ``(n, *shape)``; t and h, numbers, within 0 to 1.

        ValueError if t + h is more than 1.
        """
        x = points("x", x, self.data_shape)
        t, h = (float(validate.unit_interval(*pair)) for pair in (("t", t), ("h", h)))
        if t + h > 1 + 1e-6:
            raise ValueError(f"t + h must be at most 1; got {t} and {h}")
        return self.network([x, *(tf.fill((len(x), 1), number) for number in (t, h))])

    def sample(self, n, steps=1, seed=None):
        """Draw ``n`` points ``(n, *shape)`` in ``steps`` equal stretches of time."""
        return super().sample(n, steps, seed)

    def follow(self, start, steps=1):
        """The places of starts ``(n, *shape)`` after each stretch of time, a list."""
        path, h = [points("start", start, self.data_shape)], 1 / validate.count("steps", steps)
        for i in range(steps):
            path.append(path[-1] + h * self.mean_velocity(path[-1], i * h, h))
        return path
