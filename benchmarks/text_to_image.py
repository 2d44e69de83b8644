"""Speed of the GANs of captions: genlib's compiled loop beside a plain one-step loop.

Run ``make bench``, or ``python benchmarks/text_to_image.py [--repeats 5] [--steps 200]``. Both
contenders make the same updates of lecture 52's networks, with the same losses, R1, averaged
weights and optimizers, on batches of 64 captioned digits. The plain loop is what a learner would
write: Python calls a ``tf.function`` for each step, with the next batch of a ``tf.data`` pipeline.
They take turns, as in ``gan_variants.py``, whose columns these are.
"""

import argparse

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import tensorflow as tf
from _turns import take_turns

from genlib.lectures import captions
from genlib.lectures import l52_text_to_image as lecture

BATCH = 64
VARIANTS = {"conditional": 0.0, "matching-aware": 0.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    print(f"{'variant':<16}{'fit ms':>9}{'plain ms':>10}{'ratio':>7}{'first s':>9}")
    for name, mismatch in VARIANTS.items():
        makers = {"fit": genlib_fit, "plain": plain_loop}
        runs = {which: make(mismatch, args.steps) for which, make in makers.items()}
        fit, plain = take_turns(runs, args.repeats).values()
        times = [t.median / args.steps * 1e3 for t in (fit, plain)]
        print(
            f"{name:<16}{times[0]:>9.3f}{times[1]:>10.3f}{fit.ratio(plain):>7.2f}{fit.first:>9.2f}"
        )


def pairs():
    real = lecture.captioned()
    return real.x[real.seen], captions.bag(real.rows[real.seen])


def genlib_fit(mismatch, steps):
    model, (x, condition) = lecture.digits_gan(mismatch), pairs()
    return lambda: model.fit(x, condition, BATCH, steps_per_epoch=steps, verbose=0)


def plain_loop(mismatch, steps):
    model = lecture.digits_gan(mismatch)
    batches = tf.data.Dataset.from_tensor_slices(pairs()).shuffle(4096).repeat()
    batches = iter(batches.batch(BATCH, drop_remainder=True).prefetch(2))
    step = tf.function(lambda x, condition: model.step(lambda: (x, condition)), autograph=False)

    def run():
        for _ in range(steps):
            logs = step(*next(batches))
        return float(logs["generator_loss"])

    return run


if __name__ == "__main__":
    main()
