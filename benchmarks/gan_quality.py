"""What each GAN reaches at equal budgets: the runs that `genlib.experiments.stored` reads.

Run ``nice -n 5 python benchmarks/gan_quality.py [--data ring moons ...] [--seeds 0 1 2 ...]
[--settings preset paper] [--variants gan wgan ...] [--until 14:00]``. It trains what is not yet in
``genlib/experiments/runs.csv`` and adds a row for each run; stop it whenever you like and start it
again. ``--table`` trains nothing and prints medians and ranges as Markdown:
``benchmarks/gan_quality.md`` holds the last.

On one data set every variant gets networks of the same sizes and lets its generator make the same
number of samples (`SAMPLES_SEEN`): a batch twice as large means half the steps. "preset" is the
variant's own setting for such data in `genlib.experiments.presets`, "paper" its plain defaults, on
batches as large. One seed of everything comes before the next seed.
"""

import argparse
import csv
import datetime
import itertools
import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf
from scipy.special import rel_entr

from genlib import data, experiments, metrics
from genlib.gans import REGISTRY

FILE = Path(experiments.__file__).with_name("runs.csv")

#: Data set to the samples that a generator makes in training: 2,000 batches of 128, and so on.
SAMPLES_SEEN = {
    "ring": 256_000, "hard_ring": 256_000, "moons": 256_000, "digits": 192_000, "grid": 1_024_000,
}  # fmt: skip

COLUMNS = (
    "data", "settings", "variant", "seed", "modes", "quality", "width", "jsd", "distance",
    "seconds", "steps", "batch_size",
)  # fmt: skip

HEAD = """\
# What each GAN reaches at equal budgets, one row a training. Read by genlib.experiments.stored().
# Made by: nice -n 5 python benchmarks/gan_quality.py
# Begun {date}: TensorFlow {tf}, Keras {keras}, NumPy {numpy}, Python {python}, {cores} cores.
# The generator makes {seen} samples in training.
# ring, hard_ring, grid: modes found; quality, the share of samples within three standard deviations
# of a mode; width of a mode (0.974 standard deviations for true samples) and JSD to the density in
# nats, by counting; distance, sliced Wasserstein; inf where samples are not finite.
# moons: the same with the 64 places along its two arcs for modes (width of true samples 0.0735).
# digits: classes found; quality, the share read as a digit; width, how far the pictures read as one
# digit lie from their mean, as a share of how far the real ones do; JSD in nats of the classes as
# read ("no digit" is one) and those of the real digits; no distance (nan).
# The rows "truth" are true samples: what a generator cannot better.
# seconds: of processor time, scoring included, and compilation where the run was a graph's first.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=list(REGISTRY), choices=list(REGISTRY))
    parser.add_argument("--data", nargs="+", default=list(SAMPLES_SEEN), choices=list(SAMPLES_SEEN))
    parser.add_argument("--settings", nargs="+", default=list(experiments.SETTINGS))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    parser.add_argument("--until", help="start no run after this time of today, such as 14:00")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--table", action="store_true", help="print what is stored as Markdown")
    args = parser.parse_args()
    if args.table:
        return print_table(experiments.stored())
    if not args.file.exists():
        start_file(args.file)
    done = {tuple(row[name] for name in COLUMNS[:4]) for row in read(args.file)}
    for cell in cells(args):
        if args.until and f"{datetime.datetime.now():%H:%M}" >= args.until:
            return
        if cell not in done:
            row = cell + run(*cell)
            with args.file.open("a", encoding="utf-8") as file:
                file.write(",".join(row) + "\n")
            print(*row, flush=True)


def cells(args):
    """All runs in their order, as text: one seed of everything before the next, presets first."""
    yield from ((name, "truth", "truth", "0") for name in args.data)
    for seed in args.seeds:
        for settings in args.settings:
            for name in args.data:
                if (name, settings) != ("grid", "paper"):
                    yield from ((name, settings, variant, str(seed)) for variant in args.variants)


def start_file(path):
    seen = ", ".join(f"{n:,} ({name})" for name, n in SAMPLES_SEEN.items())
    versions = {"tf": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    head = HEAD.format(
        date=datetime.date.today(), python=platform.python_version(), cores=os.cpu_count(),
        seen=seen, **versions,
    )  # fmt: skip
    path.write_text(head + ",".join(COLUMNS) + "\n", "utf-8")


def read(path):
    lines = path.read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def run(name, settings, variant, seed):
    """One training, or what true samples score, as the text of the columns after the first four."""
    if settings == "truth":
        scores = true_digits() if name == "digits" else experiments.truth(name)[1:-1]
        return as_text(name, scores, 0.0, 0, 0)
    batch = experiments.preset(variant, name).batch_size
    steps = SAMPLES_SEEN[name] // batch
    graph(name, settings, variant)
    options = {"seed": int(seed), "settings": settings, "steps": steps}
    start = time.process_time()
    if name == "digits":
        trial = experiments.on_digits(variant, **options)
        score, two_sided = trial.score, width_and_jsd(trial.model)
        scores = score.classes, score.confident, np.nan, *two_sided
    else:
        scores = experiments.on_toy(variant, name, **options)[1:-1]
    return as_text(name, scores, time.process_time() - start, steps, batch)


def as_text(name, scores, seconds, steps, batch):
    modes, quality, distance, width, jsd = scores
    numbers = (f"{v:.4f}" for v in (quality, width, jsd, distance))
    return str(modes), *numbers, f"{seconds:.1f}", str(steps), str(batch)


def true_digits():
    """What the held-out digits score."""
    x, _ = data.images("digits", "test")
    score = metrics.class_scores(x)
    flat, (real, labels) = x.reshape(-1, 64), data.images("digits")
    two_sided = class_width(flat, real.reshape(-1, 64), labels), class_jsd(flat, labels)
    return score.classes, score.confident, np.nan, *two_sided


GRAPHS = {}


def graph(name, settings, variant):
    """Give `genlib.experiments` back the compiled graph of this cell, if one is there."""
    name = "ring" if name in ("hard_ring", "moons") else name  # they have the ring's presets
    experiments._LAST = GRAPHS.setdefault((name, settings, variant), {})


def width_and_jsd(model):
    """A class's width as a share of the real one's, and the JSD of the classes as read."""
    made = model.sample(1000, seed=1, averaged=model.ema is not None).numpy().reshape(-1, 64)
    if not np.isfinite(made).all():
        return np.inf, np.inf
    x, y = data.images("digits")
    return class_width(made, x.reshape(-1, 64), y), class_jsd(made, y)


def class_width(made, real, labels):
    read_as = metrics._reader(8).predict(made)

    def squares(x, of, digit):
        return np.sum((x[of == digit] - x[of == digit].mean(0)) ** 2, axis=1)

    found = [c for c in range(10) if np.sum(read_as == c) > 1]
    if not found:
        return np.inf
    ours = [squares(made, read_as, c) for c in found]
    true = [np.full(len(mine), squares(real, labels, c).mean()) for c, mine in zip(found, ours, strict=True)]  # fmt: skip  # noqa: E501
    return float(np.sqrt(np.concatenate(ours).mean() / np.concatenate(true).mean()))


def class_jsd(made, labels):
    read_as = metrics._reader(8).predict(made)
    p, q = (np.bincount(of + 1, minlength=11) / len(of) for of in (labels, read_as))
    return float(sum(rel_entr(2 * a, p + q).sum() for a in (p, q)) / 4)


#: Columns of the table: which, its decimals, and a factor.
SHOWN = ("modes", 0), ("quality", 0, 100), ("width", 3), ("jsd", 2), ("distance", 3), ("seconds", 1)


def print_table(rows):
    kinds = itertools.product(SAMPLES_SEEN, experiments.SETTINGS)
    for name, settings in kinds:
        here = [r for r in rows if (r["data"], r["settings"]) == (name, settings)]
        if not here:
            continue
        print(f"\n### {name}, {settings}\n")
        print("| variant | seeds | modes | quality % | width | JSD | sliced W1 | CPU seconds |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        true = [r for r in rows if (r["data"], r["settings"]) == (name, "truth")]
        for variant in (*REGISTRY, "truth"):
            found = [r for r in here + true if r["variant"] == variant]
            if found:
                columns = [spread(found, *column) for column in SHOWN]
                print(f"| {variant} | {len(found)} | " + " | ".join(columns) + " |")


def spread(rows, column, digits, factor=1):
    """The median and the range; "-" where nothing is to be measured, one number for one seed."""
    values = [factor * row[column] for row in rows]
    if np.isnan(values).any():
        return "-"
    middle, low, high = (f(values) for f in (statistics.median, min, max))
    reach = f" ({low:.{digits}f} to {high:.{digits}f})" if len(values) > 1 else ""
    return f"{middle:.{digits}f}{reach}"


if __name__ == "__main__":
    main()
