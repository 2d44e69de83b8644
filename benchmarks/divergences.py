"""The time of divergences between samples: genlib beside what a learner would use instead.

Run ``make bench``, or ``python benchmarks/divergences.py [--repeats 7]``. The contenders take
turns, so a change in the machine's speed touches all of them; the table gives medians, and the
ratio to genlib is the median of the ratios of each turn (above 1: genlib is faster). PyTorch
takes part where it happens to be installed.
"""

import argparse
import functools
import resource
import time

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import numpy as np
import ot
import tensorflow as tf
from _turns import take_turns
from scipy.stats import wasserstein_distance

from genlib.divergences import kernels, samples

BANDWIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    memory(20_000)
    print(f"{'what':<40}{'contender':<24}{'ms':>10}{'ratio':>8}")
    for n in (10**3, 10**4, 10**5, 10**6):
        for m in (n, n + n // 3):
            compare(f"exact W1 in 1-D, {n:,} and {m:,}", wasserstein_1d(n, m), repeats)
    for n in (500, 1000, 2000):
        compare(f"exact W1 in 2-D, n = {n:,}", emd(n), repeats)
    for regularisation in (1.0, 0.1, 0.01):
        compare(f"Sinkhorn {regularisation:g}, n = 500", sinkhorn(500, regularisation), 3)
    for d in (2, 64):
        compare(f"MMD2 and gradient, 1,024, d = {d}", mmd2(1024, d), repeats)


def compare(what, contenders, repeats):
    times = take_turns(contenders, repeats)
    for name, t in times.items():
        print(
            f"{what:<40}{name:<24}{1e3 * t.median:>10.2f}{t.ratio(times['genlib']):>8.2f}",
            flush=True,
        )


def clouds(n, m, d, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)).astype(dtype), rng.normal(0.3, 1.5, size=(m, d)).astype(dtype)


def wasserstein_1d(n, m):
    x, y = (z[:, 0] for z in clouds(n, m, 1))
    return {
        "genlib": lambda: samples.wasserstein_1d(x, y),
        "scipy": lambda: wasserstein_distance(x, y),
        "POT": lambda: ot.wasserstein_1d(x, y),
    }


def emd(n):
    x, y = clouds(n, n, 2)
    return {
        "genlib": lambda: samples.emd(x, y),
        "POT": lambda: ot.emd2([], [], ot.dist(x, y, "euclidean")),
    }


def sinkhorn(n, regularisation):
    x, y = clouds(n, n, 2, np.float32)

    def pot():
        return ot.sinkhorn2(
            [], [], ot.dist(x, y), regularisation, method="sinkhorn_log", stopThr=1e-4, warn=False
        )

    return {"genlib": lambda: samples.sinkhorn(x, y, regularisation), "POT, log domain": pot}


def value_and_gradient(function, **options):
    @functools.partial(tf.function, autograph=False, **options)
    def run(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x, y)
        return value, tape.gradient(value, x)

    return run


def mmd2(n, d):
    x, y = clouds(n, n, d, np.float32)
    kernel = kernels.rbf(BANDWIDTHS)
    ours = value_and_gradient(lambda x, y: samples.mmd2(x, y, kernel), jit_compile=True)
    plain = value_and_gradient(lambda x, y: samples.mmd2(x, y, kernel))
    broadcast = value_and_gradient(_broadcast_mmd2)
    pair = tf.constant(x), tf.constant(y)
    return {
        "genlib": lambda: ours(*pair)[1].numpy(),
        "genlib without XLA": lambda: plain(*pair)[1].numpy(),
        "broadcast tf.function": lambda: broadcast(*pair)[1].numpy(),
        "PyTorch eager": _torch_mmd2(x, y),
    }


def _broadcast_mmd2(x, y):
    """As it is usually written: differences (n, m, d), one exponential a bandwidth."""

    def gram(a, b):
        squares = tf.reduce_sum((a[:, None] - b[None]) ** 2, -1)
        return sum(tf.exp(-squares / (2 * width**2)) for width in BANDWIDTHS)

    n, k_xx, k_yy = x.shape[0], gram(x, x), gram(y, y)
    within = [tf.reduce_sum(k) - tf.linalg.trace(k) for k in (k_xx, k_yy)]
    return sum(within) / (n * (n - 1)) - 2 * tf.reduce_mean(gram(x, y))


def _torch_mmd2(x, y):
    try:
        import torch
    except ImportError:
        return None
    x, y = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)

    def gram(a, b):
        squares = torch.cdist(a, b) ** 2
        return sum(torch.exp(-squares / (2 * width**2)) for width in BANDWIDTHS)

    def run():
        n, k_xx, k_yy = len(x), gram(x, x), gram(y, y)
        within = k_xx.sum() - k_xx.trace() + k_yy.sum() - k_yy.trace()
        value = within / (n * (n - 1)) - 2 * gram(x, y).mean()
        return torch.autograd.grad(value, x)[0].numpy()

    return run


def memory(n):
    """Print what a large MMD costs; Gram matrices of this size would take 1.6 GB each."""
    pair = [tf.constant(z) for z in clouds(n, n, 2, np.float32)]
    run = value_and_gradient(lambda x, y: samples.mmd2(x, y, kernels.rbf(BANDWIDTHS)))
    peak = -resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    run(*pair)[1].numpy()
    seconds = time.perf_counter() - start
    peak += resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"MMD2 and gradient, n = {n:,}: {seconds:.0f} s, {peak:.0f} MB above the peak so far")


if __name__ == "__main__":
    main()
