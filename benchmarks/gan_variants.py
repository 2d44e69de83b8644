"""Speed of every GAN: genlib's compiled loop beside a plain one-step loop of the same objective.

Run ``make bench``, or ``python benchmarks/gan_variants.py [--repeats 5] [--widths 16 128]``. Both
contenders make the same updates (one of the critic, one of the generator) of the same networks,
with the variant's own losses, hooks and optimizers, on batches of 128 points, or of pairs of
pictures and conditions (`PAIRED`). The plain loop is what a learner would write: Python calls a
``tf.function`` for each step, with the next batch of a ``tf.data`` pipeline. They take turns;
"ratio" is the median of the ratios of each turn, "to GAN" is genlib's time by that of the original
GAN, "first s" is genlib's first call, compiling included.
"""

import argparse

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf
from _turns import take_turns

from genlib import networks
from genlib.experiments import default_networks
from genlib.gans import (
    REGISTRY,
    ConditionalGAN,
    InfoGAN,
    MatchingAwareGAN,
    Pix2Pix,
    SuperResolutionGAN,
)

BATCH = 128
#: No pretraining, which is not part of a step.
SMALL = {"magan": {"margin": 3.0}}
#: Not of the registry: its third network is the recogniser, of 10 categories and 1 code.
VARIANTS = REGISTRY | {"info_gan": InfoGAN}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--steps", type=int, default=200)
    known = [*VARIANTS, *PAIRED]
    parser.add_argument("--variants", nargs="+", default=known, choices=known)
    args = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {args.repeats} turns, batch {BATCH}")  # fmt: skip  # noqa: E501
    print(f"{'variant':<12}{'width':>6}{'fit ms':>9}{'plain ms':>10}{'ratio':>7}{'to GAN':>8}{'first s':>9}")  # fmt: skip  # noqa: E501
    for width in args.widths:
        gan = None
        for name in args.variants:
            fit, plain, ratio, first = compare(name, width, args.steps, args.repeats)
            gan = gan or fit
            print(
                f"{name:<12}{width:>6}{fit:>9.3f}{plain:>10.3f}{ratio:>7.2f}{fit / gan:>8.2f}"
                f"{first:>9.2f}",
                flush=True,
            )


def compare(name, width, steps, repeats):
    """Medians in ms a step: genlib's, the plain loop's, their ratio; seconds of the first call."""
    makers = {"fit": genlib_fit, "plain": plain_loop}
    runs = {which: make(name, width, steps) for which, make in makers.items()}
    fit, plain = take_turns(runs, repeats).values()
    return fit.median / steps * 1e3, plain.median / steps * 1e3, fit.ratio(plain), fit.first


def pix2pix(width):
    """Maps 16 x 16 x 12 to pictures 64 x 64 x 3 and patches of 16 x 16; a batch of 8."""
    generator = networks.patch_generator((16, 16, 12), (64, 64, 3), width=width, seed=0)
    critic = networks.patch_critic((64, 64, 3), (16, 16, 12), width=width, seed=1)
    return Pix2Pix(generator, critic, seed=0), pairs(256, (64, 64, 3), (16, 16, 12)), 8


def on_pictures(variant, condition, **options):
    """Conditions to pictures 28 x 28, with R1 as in lectures 51 and 52; a batch of 64."""

    def make(width):
        shape = (28, 28, 1)
        generator = networks.conditional_mlp(16, condition, shape, width, seed=0)
        critic = networks.conditional_mlp(shape, condition, 1, width, seed=1)
        model = variant(generator, critic, r1=0.05, seed=0, **options)
        return model, pairs(1024, shape, condition), 64

    return make


def pairs(n, *shapes):
    rng = np.random.default_rng(0)
    return tuple(rng.random((n, *shape), np.float32) for shape in shapes)


#: Variants that train on pairs: their model, the pairs and the size of a batch.
PAIRED = {
    "conditional": on_pictures(ConditionalGAN, (16,)),
    "matching": on_pictures(MatchingAwareGAN, (16,)),
    "super_res": on_pictures(SuperResolutionGAN, (4, 4, 1)),
    "super_mean": on_pictures(SuperResolutionGAN, (4, 4, 1), content="mean"),
    "pix2pix": pix2pix,
}


def game(name, width, jit_compile):
    """A compiled model, its data (one array or two) and the size of a batch."""
    if name in PAIRED:
        model, pairs, batch = PAIRED[name](width)
        model.compile(jit_compile=jit_compile)
        return model, pairs, batch
    return build(name, width, jit_compile), (points(),), BATCH


def build(name, width, jit_compile):
    variant = VARIANTS[name]
    if variant is InfoGAN:
        sizes = (2 + 11, 2), (2, 1), (2, 12)
        nets = *(networks.mlp(*ends, width, seed=i) for i, ends in enumerate(sizes)), 10, 1
    else:
        nets = default_networks(variant, (2,), width=width, seed=0)
    one = {"critic_steps": 1} if variant.critic_kind else {}
    model = variant(*nets, seed=0, **one, **SMALL.get(name, {}))
    model.compile(jit_compile=jit_compile)
    return model


def points():
    return np.random.default_rng(0).random((4096, 2), dtype=np.float32)


def genlib_fit(name, width, steps):
    model, arrays, batch = game(name, width, "auto")
    return lambda: model.fit(*arrays, batch_size=batch, steps_per_epoch=steps, verbose=0)


def plain_loop(name, width, steps):
    model, arrays, batch = game(name, width, False)
    arrays = arrays if len(arrays) > 1 else arrays[0]
    batches = tf.data.Dataset.from_tensor_slices(arrays).shuffle(4096).repeat()
    batches = iter(batches.batch(batch, drop_remainder=True).prefetch(2))
    step = tf.function(lambda real: model.step(lambda: real), autograph=False)

    def run():
        for _ in range(steps):
            logs = step(next(batches))
        return float(logs["generator_loss"])

    return run


if __name__ == "__main__":
    main()
