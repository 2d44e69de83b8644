"""The 16x16 digits of the lectures 30 to 42: a strip more in each, from stored trainings."""

import csv
from pathlib import Path

import numpy as np

from genlib import data, experiments, metrics, plots, validate
from genlib.lectures.scoreboard import TAUGHT, name_of

#: Where ``tools/strips.py`` stores what each training scored, and ten pictures of each variant.
SCORES = Path(experiments.__file__).with_name("digits16.csv")
PICTURES = SCORES.with_suffix(".npz")

SAMPLES_SEEN = 192_000  # pictures that each generator made in training: 3,000 batches of 64

REAL, MEANS, OURS = "real, held out", "means of two", "ours"


def strips(upto: str) -> None:
    """Show ten 16x16 digits of each GAN of the lectures up to ``upto``, such as "33_lsgan".

    The first ten samples of seed 0, unpicked, beside what 1,000 samples score, a mean over the
    seeds: see `scores`.
    ValueError unless ``upto`` is one of those lectures.
    """
    validate.choice("upto", upto, TAUGHT)
    names = [name for slug, some in TAUGHT.items() if slug <= upto for name in some]
    print("\n".join([*table(names), *verdict(names, TAUGHT[upto])]))
    plots.show(draw(names, new=TAUGHT[upto]), describe(names))


def stored() -> list[dict]:
    """Return the stored trainings: "variant", "seed", what `scores` gives, "seconds" of CPU."""
    if not SCORES.exists():
        return []
    with SCORES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if line[0] != "#"))
    return [{k: v if k == "variant" else float(v) for k, v in row.items()} for row in rows]


def pictures() -> dict[str, np.ndarray]:
    """Return ten stored pictures of each variant: name to uint8 ``(10, 16, 16)``; 48 of `OURS`."""
    with np.load(PICTURES, allow_pickle=False) as file:
        return dict(file)


def scores(made) -> tuple[float, int, float]:
    """Return (share read as a digit, classes, width) of pictures ``(n, 16, 16, 1)`` or 28x28.

    Width, the figure for variety: how far the pictures read as one digit lie from their mean, as a
    share of how far the real ones do (root mean squares). A generator that knows one picture of
    each digit has 0. Pictures that are not finite score (0, 0, 0).
    """
    if not np.isfinite(made).all():
        return 0.0, 0, 0.0
    read = metrics.class_scores(made)
    return read.confident, read.classes, width(made, metrics.read_digits(made))


def width(made, read_as) -> float:
    """The third of `scores`, for pictures that `metrics.read_digits` has read."""
    real, label = data.images("digits16" if np.shape(made)[1] == 16 else "mnist5k")
    found = [digit for digit in range(10) if np.sum(read_as == digit) > 1]
    ours, true = (
        [np.sum((x[of == c] - x[of == c].mean(0)) ** 2, axis=(1, 2, 3)) for c in found]
        for x, of in ((np.asarray(made), read_as), (real, label))
    )
    count = [len(x) for x in ours]
    if not found:
        return 0.0
    among_real = np.average([x.mean() for x in true], weights=count)
    return float(np.sqrt(np.concatenate(ours).mean() / among_real))


def yardsticks() -> dict[str, np.ndarray]:
    """Return the ceiling and the baseline: 1,000 real digits, held out, and means of two of them.

    The reader trained on none of them.
    """
    x, _ = data.images("digits16", "test")
    pairs = x[np.random.default_rng(0).integers(len(x), size=(1000, 2))]
    return {REAL: x[np.random.default_rng(1).permutation(len(x))], MEANS: pairs.mean(1)}


def row_of(name):
    """How a strip's name is written."""
    return name if name in (REAL, MEANS) else name_of(name)


def means(name) -> list[float]:
    """(read, classes, width, seconds of CPU) of a strip's trainings: means over the seeds."""
    rows = [row for row in stored() if row["variant"] == name]
    return [np.mean([row[c] for row in rows]) for c in ("read", "classes", "width", "seconds")]


def table(names) -> list[str]:
    """What the trainings scored, as lines of text."""
    wide = max(len(row_of(name)) for name in (MEANS, *names))
    seeds = max(int(row["seed"]) for row in stored()) + 1
    lines = [
        f"{SAMPLES_SEEN:,} samples each in training; means over {seeds} seeds",
        f"{'':<{wide}}  read  (least..most)  classes  width  CPU seconds",
    ]
    for name in (REAL, MEANS, *names):
        read, classes, width, seconds = means(name)
        each = [row["read"] for row in stored() if row["variant"] == name]
        seen = f"({min(each):.0%}..{max(each):.0%})" if len(each) > 1 else ""
        line = f"{row_of(name):<{wide}} {read:5.0%}  {seen:<13} {classes:8.3g} {width:6.2f}"
        lines.append(line + (f" {seconds:12.0f}" if seconds else ""))
    return lines


def verdict(names, new) -> list[str]:
    """How many of the GANs before it each of ``new`` is ahead of, as lines of text."""
    before = [means(name) for name in names if name not in new]
    if not before:
        return []
    lines = []
    for name in new:
        ours, many = means(name), len(before)
        ahead = [sum(ours[i] > theirs[i] for theirs in before) for i in (0, 2)]
        lines.append(
            f"{row_of(name)} reads better than {ahead[0]} of the {many} before it, and is more "
            f"varied than {ahead[1]}."
        )
    return lines


def draw(names, new):
    """The strips, one below the other, with their scores; ``new`` in bold."""
    kept, names = pictures(), (REAL, *names)
    fig, axes = plots.figure(len(names), 1, size=(8.4, 0.3 + 0.36 * len(names)))
    for ax, name in zip(np.atleast_1d(axes), names, strict=True):
        ax.imshow(np.hstack(kept[name]), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        style = {"color": plots.ink("real" if name == REAL else "generated"), "va": "center"}
        style["weight"] = "bold" if name in new else "normal"
        ax.set_ylabel(row_of(name), rotation=0, ha="right", **style)
        ax.text(166, 8, in_short(name), **style)
    return fig


def in_short(name):
    read, classes, width, _ = means(name)
    return f"read {read:.0%}, {classes:.3g} classes, width {width:.2f}"


def describe(names) -> str:
    """The same in words."""
    return (
        f"Ten real 16 by 16 digits, and below them ten samples each of {len(names)} GANs, a strip "
        "each: " + "; ".join(f"{row_of(name)}, {in_short(name)}" for name in names) + "."
    )
