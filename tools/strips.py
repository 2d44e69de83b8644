"""Train every GAN on 16x16 digits at equal budgets, and store a strip of samples and its scores.

``nice -n 15 python tools/strips.py [--seeds 3] [--variants gan wgan ...]`` makes what
``genlib/experiments/digits16.csv`` lacks, a line a training; stopped, it goes on where it was.
Each generator makes `SAMPLES_SEEN` pictures in training, on networks of the same sizes, with the
settings of ``[digits16]`` in ``presets.toml``. The first ten samples of seed 0, as they come, go to
``digits16.npz``. ``--ours`` trains lecture 30's GAN for longer (`l30_gan.digits_gan`), and stores
48 samples.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import numpy as np

from genlib import data, experiments
from genlib.gans import REGISTRY
from genlib.lectures import l30_gan, strips
from runs import append

OURS = 20_000  # steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=list(REGISTRY))
    parser.add_argument("--ours", action="store_true", help="lecture 30's GAN, for longer")
    args = parser.parse_args()
    if args.ours:
        start, (x, _) = time.process_time(), data.images("digits16")
        model = l30_gan.digits_gan(steps=OURS)
        model.fit(x, batch_size=64, steps_per_epoch=1000, epochs=OURS // 1000, verbose=0)
        made = model.sample(1000, seed=1, averaged=True).numpy()
        return store(strips.OURS, 0, made, time.process_time() - start, strip=48)
    have = {(row["variant"], row["seed"]) for row in strips.stored()}
    if not have:
        for name, pictures in strips.yardsticks().items():
            store(name, 0, pictures, 0.0)
    for seed in range(args.seeds):
        for variant in args.variants:
            if (variant, seed) not in have:
                start = time.process_time()
                steps = strips.SAMPLES_SEEN // experiments.preset(variant, "digits16").batch_size
                model = experiments.on_digits(variant, size=16, seed=seed, steps=steps).model
                seconds = time.process_time() - start
                store(variant, seed, model.sample(1000, seed=1).numpy(), seconds)


def store(variant, seed, pictures, seconds, strip=10):
    """Append one line, and of seed 0 the strip."""
    read, classes, width = strips.scores(pictures)
    row = {"variant": variant, "seed": seed, "read": read, "classes": classes}
    row |= {"width": f"{width:.3f}", "seconds": f"{seconds:.1f}"}
    note = f"tools/strips.py; {strips.SAMPLES_SEEN:,} samples each; seconds of CPU."
    append(strips.SCORES, row, note)
    if seed == 0:
        kept = dict(strips.pictures()) if strips.PICTURES.exists() else {}
        kept[variant] = np.uint8(np.round(255 * np.clip(pictures[:strip, ..., 0], 0, 1)))
        np.savez_compressed(strips.PICTURES, **kept)


if __name__ == "__main__":
    main()
