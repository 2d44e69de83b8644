"""Penalties on the critic's gradient.

A *value* is a function that gives one number a sample, ``(n, ...) -> (n,)`` or ``(n, 1)``: often
the critic itself. Each number may depend on its own sample only: see `refuse_batch_norm`.
"""

import tensorflow as tf

from genlib.divergences.roots import safe_sqrt

#: Added to a squared length under a root, which then is smooth at 0.
SMOOTHING = 1e-12


def gradient_penalty(value, real, fake, alpha, target=1.0):
    """``E (|grad value(x^)|_2 - target)^2`` at ``x^ = alpha x + (1 - alpha) x~``, a scalar.

    ``real``, ``fake``: ``(n, ...)``, of one shape; ``alpha``: ``(n,)``, one a *pair*, uniform
    in [0, 1]. Gulrajani et al. 2017, "Improved training of Wasserstein GANs", equation 3.
    """
    alpha = tf.reshape(alpha, [-1] + [1] * (real.shape.rank - 1))
    between = alpha * real + (1 - alpha) * fake
    norms = safe_sqrt(squared_gradient_norms(value, between) + SMOOTHING)
    return tf.reduce_mean((norms - target) ** 2)


def r1(value, real):
    """``E |grad value(x)|^2`` over real samples ``(n, ...)``, a scalar; cost it ``gamma / 2``.

    Mescheder et al. 2018, "Which training methods for GANs do actually converge?", equation 9;
    over generated samples it is their R2.
    """
    return tf.reduce_mean(squared_gradient_norms(value, real))


def squared_gradient_norms(value, x):
    """``|grad value(x_i)|^2`` for each sample, over *all* axes but the first: ``(n,)``."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        # Each number depends on its own sample, so the gradient of the sum holds them all.
        total = tf.reduce_sum(value(x))
    gradient = tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.reduce_sum(gradient**2, axis=list(range(1, x.shape.rank)))


def refuse_batch_norm(critic):
    """ValueError if ``critic`` normalises over the batch: the penalty is one sample's business."""
    for layer in critic._flatten_layers():
        if "BatchNorm" in type(layer).__name__:
            raise ValueError(
                f"critic must not hold batch normalisation; got the layer {layer.name!r}: a "
                "penalty is defined for each sample alone. Layer normalisation does no harm."
            )
