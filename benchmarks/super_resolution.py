"""Speed of the super-resolution GAN: genlib's compiled loop beside a plain one-step loop.

Run ``make bench``, or ``python benchmarks/super_resolution.py [--repeats 5] [--steps 100]``. Both
contenders make the same updates of lecture 51's networks (4x4 to 28x28), with the same losses, R1
and optimizers, on batches of 64 pairs. The plain loop is what a learner would write: Python calls a
``tf.function`` for each step, with the next batch of a ``tf.data`` pipeline. They take turns, as in
``gan_variants.py``, whose columns these are.
"""

import argparse

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import tensorflow as tf
from _turns import take_turns

from genlib.lectures import l51_super_resolution as lecture

SETTINGS = {"squared": "error alone", "each": "error of each", "mean": "error of mean"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()
    print(f"{'content':<16}{'fit ms':>9}{'plain ms':>10}{'ratio':>7}{'first s':>9}")
    for setting, name in SETTINGS.items():
        makers = {"fit": genlib_fit, "plain": plain_loop}
        runs = {which: make(setting, args.steps) for which, make in makers.items()}
        fit, plain = take_turns(runs, args.repeats).values()
        times = [t.median / args.steps * 1e3 for t in (fit, plain)]
        print(
            f"{name:<16}{times[0]:>9.3f}{times[1]:>10.3f}{fit.ratio(plain):>7.2f}{fit.first:>9.2f}"
        )


def build(setting, jit_compile):
    model = lecture.build(setting, seed=0)
    optimizers = (lecture.falling(lecture.STEPS, 2e-3) for _ in range(2))
    model.compile(*optimizers, jit_compile=jit_compile)
    return model, lecture.digits(4, "train")[:2]


def genlib_fit(setting, steps):
    model, pairs = build(setting, "auto")
    return lambda: model.fit(*pairs, lecture.BATCH, steps_per_epoch=steps, verbose=0)


def plain_loop(setting, steps):
    model, pairs = build(setting, False)
    batches = tf.data.Dataset.from_tensor_slices(pairs).shuffle(4096).repeat()
    batches = iter(batches.batch(lecture.BATCH, drop_remainder=True).prefetch(2))
    step = tf.function(lambda x, small: model.step(lambda: (x, small)), autograph=False)

    def run():
        for _ in range(steps):
            logs = step(*next(batches))
        return float(logs["generator_loss"])

    return run


if __name__ == "__main__":
    main()
