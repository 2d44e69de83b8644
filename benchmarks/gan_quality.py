"""What each GAN reaches: modes, quality and distance on 2-D data, digits that can be read.

Run ``python benchmarks/gan_quality.py [--variants wgan lsgan] [--data ring] [--seeds 0 1 2 3 4]
[--settings preset paper] [--steps N] [--options "{'matching': 'covariance'}"]``. Each row is
`genlib.experiments` at work, as in the lectures: "preset" is the variant's own settings for such
data, "paper" its plain defaults on batches as large, for as many steps.

On the ring and the grid a sample is of high quality within three standard deviations of a mode; on
the digits, if a classifier that may say "no digit" reads it as one, and the modes are the ten
classes. "truth" is what as many real samples score, held-out digits among them: its sliced W1 is
the floor, and nothing real gets far below it. The last results stand in
`benchmarks/gan_quality.md`.
"""

import argparse
import ast
import statistics

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import tensorflow as tf

from genlib import data, experiments, metrics
from genlib.gans import REGISTRY


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=list(REGISTRY), choices=list(REGISTRY))
    parser.add_argument("--data", nargs="+", default=list(TRIALS), choices=list(TRIALS))
    parser.add_argument("--settings", nargs="+", default=list(experiments.SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--steps", type=int, help="generator steps; default: the preset's")
    parser.add_argument("--options", type=ast.literal_eval, default={}, help="over the settings")
    args = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, seeds {args.seeds}: median (least to most)")
    for name in args.data:
        trial, truth = TRIALS[name]
        print(f"\n{name}")
        print(f"{'variant':<12}{'settings':<9}{'modes':<14}{'quality %':<16}{'sliced W1':<24}{'seconds':<20}")  # fmt: skip  # noqa: E501
        show("truth", "", [truth()])
        for variant in args.variants:
            for settings in args.settings:
                options = {"settings": settings, "steps": args.steps, **args.options}
                show(variant, settings, [trial(variant, seed=s, **options) for s in args.seeds])


def show(variant, settings, rows):
    modes, quality, far, seconds = zip(*rows, strict=True)
    print(
        f"{variant:<12}{settings:<9}{spread(modes, 0):<14}{spread(quality, 0):<16}"
        f"{spread(far, 3):<24}{spread(seconds, 1):<20}",
        flush=True,
    )


def spread(values, digits):
    """The median and the range; "-" where there is nothing to measure."""
    if None in values:
        return "-"
    middle, low, high = (f(values) for f in (statistics.median, min, max))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def toy_row(trial):
    return trial.modes, 100 * trial.high_quality, trial.distance, trial.seconds


def digits_row(score, seconds):
    return score.classes, 100 * score.confident, None, seconds


def on_digits(variant, **options):
    trial = experiments.on_digits(variant, **options)
    return digits_row(trial.score, trial.seconds)


#: For each kind of data: ``trial(variant, **options)`` and ``truth()``, each a row of the table.
TRIALS = {
    toy: (
        lambda variant, toy=toy, **options: toy_row(experiments.on_toy(variant, toy, **options)),
        lambda toy=toy: toy_row(experiments.truth(toy)),
    )
    for toy in experiments.RADIUS
} | {
    "digits": (
        on_digits,
        lambda: digits_row(metrics.class_scores(data.images("digits", "test")[0]), 0.0),
    )
}

if __name__ == "__main__":
    main()
