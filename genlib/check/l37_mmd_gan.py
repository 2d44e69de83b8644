"""Exercises of lecture 37: MMD GAN."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels


def _bandwidth_on_data(scale):
    """Return the bandwidth on the data of a unit kernel on codes, read off the kernel itself."""
    x = np.array([[0.0], [1.0]])
    value = float(kernels.rbf(1.0)(scale * x, scale * x)[0, 1])
    return float(np.sqrt(-1 / (2 * np.log(value))))


@exercise("37_mmd_gan/1")
def scaled_kernel():
    """The bandwidth on the data of a kernel on scaled codes."""
    return Number(
        _bandwidth_on_data(0.5),
        tolerance=0.005,
        right="what the critic shrinks, the kernel sees as if its bandwidth had grown.",
        mistakes=[
            (0.5, "The other way: codes lie closer than the data, so the kernel reaches further."),
            (4.0, "That is the squared bandwidth."),
            (
                1.0,
                "That is the bandwidth on the codes; two data points 1 apart have codes 0.5 apart.",
            ),
        ],
    )


@exercise("37_mmd_gan/2")
def witness():
    """Write witness_at(t, x, y) for a Gaussian kernel on a line."""

    def mean_kernel(t, z, bandwidth=1.0):
        gram = kernels.rbf(bandwidth)(t[:, None], z[:, None]).numpy()
        return gram.mean(1)

    def inputs(rng):
        return rng.normal(size=5), rng.normal(size=7), rng.normal(1, 1, size=6)

    return Function(
        lambda t, x, y: mean_kernel(t, x) - mean_kernel(t, y),
        inputs,
        tolerance=1e-4,
        right="it is high where real codes crowd and generated ones do not.",
        mistakes=[
            (
                lambda t, x, y: mean_kernel(t, y) - mean_kernel(t, x),
                "The sign: real minus generated.",
            ),
            (
                lambda t, x, y: 7 * mean_kernel(t, x) - 6 * mean_kernel(t, y),
                "Take means over the samples, not sums.",
            ),
            (
                lambda t, x, y: mean_kernel(t, x, 0.5**0.5) - mean_kernel(t, y, 0.5**0.5),
                "A bandwidth of 1 means exp(-d^2 / 2).",
            ),
        ],
        calls=8,
    )


@exercise("37_mmd_gan/3")
def why_copy():
    """What the decoder is for."""
    return Choice(
        "b",
        options=["a", "b", "c"],
        why="a code from which the sample can be copied has lost nothing.",
        wrong={
            "a": "The generator makes samples from latents and never uses the decoder.",
            "c": "It costs time; it guards what the kernel can see.",
        },
    )
