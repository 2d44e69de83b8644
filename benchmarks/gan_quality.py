"""What each GAN reaches: modes, quality and distance on 2-D data, digits that can be read.

Run ``python benchmarks/gan_quality.py [--variants wgan lsgan] [--data ring] [--seeds 5]
[--settings best paper] [--steps N] [--options "{'matching': 'covariance'}"]``. "best" is the
variant's preset (`for_toy`, `for_images`); "paper" is its plain defaults on batches as large. Each
network has two hidden layers of 128; the latent has 2 dimensions, for the digits 16.

On the ring and the grid a sample is of high quality within three standard deviations of a mode; on
the digits, if a classifier that may say "no digit" reads it as one, and the modes are the ten
classes. "floor" is the sliced W1 distance between two samples of the data themselves of the same
size (for the digits, the training ones and those held out): nothing real gets far below it.
"""

import argparse
import ast
import statistics
import time

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import numpy as np
import tensorflow as tf

from genlib import data, metrics
from genlib.divergences import samples
from genlib.gans import REGISTRY

SAMPLES = 2500


class Toy:
    """A 2-D density with modes; ``longer`` times as many steps as the preset says."""

    shape, latent_dim = (2,), 2

    def __init__(self, name, radius, longer):
        self.density, self.radius, self.longer = data.toy(name), radius, longer
        self.points, self.held_out = self.draw(0, 65_536), self.draw(99, SAMPLES)
        self.floor = statistics.median(
            distance(self.draw(i, SAMPLES), self.draw(i + 50, SAMPLES)) for i in range(9)
        )

    def draw(self, seed, n):
        return self.density.sample(n, seed=seed).numpy()

    def score(self, made):
        found = metrics.mode_coverage(made, data.mode_centers(self.density), self.radius)
        return found.modes, found.high_quality


class Digits:
    shape, latent_dim, longer = (8, 8, 1), 16, 1

    def __init__(self):
        self.points, self.held_out = (data.images("digits", s)[0] for s in ("train", "test"))
        self.floor = distance(self.points, self.held_out)

    def score(self, made):
        found = metrics.class_scores(made)
        return found.classes, found.confident


DATA = {
    "ring": lambda: Toy("ring", 0.3, 1),
    "grid": lambda: Toy("grid", 0.15, 4),
    "digits": Digits,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=list(REGISTRY), choices=list(REGISTRY))
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--settings", nargs="+", default=["best", "paper"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="generator steps; default: the preset's")
    parser.add_argument("--options", type=ast.literal_eval, default={}, help="over the settings")
    args = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, {SAMPLES} samples; median (least to most) of {args.seeds} seeds")  # fmt: skip  # noqa: E501
    for name in args.data:
        task = DATA[name]()
        print(f"\n{name}: sliced W1 floor {task.floor:.4f}")
        print(f"{'variant':<12}{'settings':<9}{'steps':>6}  {'modes':<14}{'quality %':<16}{'sliced W1':<24}{'seconds':<20}")  # fmt: skip  # noqa: E501
        for variant in args.variants:
            for settings in args.settings:
                show(variant, settings, task, args)


def show(variant, settings, task, args):
    runs = [run(REGISTRY[variant], settings, task, seed, args) for seed in range(args.seeds)]
    modes, quality, far, seconds, steps = zip(*runs, strict=True)
    print(
        f"{variant:<12}{settings:<9}{steps[0]:>6}  {spread(modes, 0):<14}{spread(quality, 0):<16}"
        f"{spread(far, 3):<24}{spread(seconds, 1):<20}",
        flush=True,
    )


def spread(values, digits):
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def run(variant, settings, task, seed, args):
    """Train once: modes, quality in percent, sliced W1, seconds, steps."""
    images = len(task.shape) == 3
    preset = variant.images if images else variant.toy
    steps = (args.steps or preset.steps) * task.longer
    nets = variant.suited_networks(task.shape, task.latent_dim, seed=seed)
    if settings == "paper":
        model = variant(*nets, seed=seed, **args.options)
    else:
        make = variant.for_images if images else variant.for_toy
        model = make(*nets, steps=steps, seed=seed, **args.options)
    start = time.perf_counter()
    model.fit(task.points, batch_size=preset.batch_size, steps_per_epoch=steps, verbose=0)
    seconds = time.perf_counter() - start
    # A model that keeps an average is one whose settings ask for it.
    made = model.sample(SAMPLES, seed=1, averaged=model.ema is not None).numpy()
    modes, quality = task.score(made)
    return modes, 100 * quality, distance(task.held_out, made), seconds, steps


def distance(x, y):
    x, y = (np.reshape(z, (len(z), -1)) for z in (x, y))
    return float(samples.sliced_wasserstein(x, y, projections=200, seed=0))


if __name__ == "__main__":
    main()
