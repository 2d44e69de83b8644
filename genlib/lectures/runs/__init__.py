"""What a minute cannot show: a lecture's own training, run over seeds, and stored.

A lecture's module names its ``SETTINGS``, and its ``run(setting, seed)`` trains one and returns
what it scores. ``python tools/runs.py 52`` runs all that ``runs/52_text_to_image.csv`` lacks.
"""

import csv
import importlib
from pathlib import Path

import numpy as np

from genlib import validate
from genlib.lectures import PLAN


def path(slug: str) -> Path:
    """Return where the runs of a lecture, such as "52_text_to_image", are stored."""
    validate.choice("slug", slug, [lecture.slug for lecture in PLAN])
    return Path(__file__).with_name(f"{slug}.csv")


def stored(slug: str) -> list[dict]:
    """Return the stored runs of a lecture: "setting", "seed", its scores, "seconds" of CPU."""
    if not path(slug).exists():
        return []
    with path(slug).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if line[0] != "#"))
    return [{k: v if k == "setting" else float(v) for k, v in row.items()} for row in rows]


def settings(slug: str) -> dict[str, str]:
    """Return the settings that a lecture's module runs, and what each is, in its order."""
    return importlib.import_module(f"genlib.lectures.l{slug}").SETTINGS


def table(slug: str, **columns: str) -> str:
    """Return a table, a row a setting: the mean over seeds of each score, and its least and most.

    ``columns``: each score's name and how to write it, such as ``read=".0%"``.
    """
    return part(slug, settings(slug), 20, **columns)


def part(slug: str, names, wide: int, **columns: str) -> str:
    """`table` of the settings ``names`` alone, with columns ``wide`` characters across."""
    runs, words = stored(slug), {name: settings(slug)[name] for name in names}
    first = max(map(len, words.values()))
    lines = [f"{'':<{first}} seeds" + "".join(f"{name:>{wide}}" for name in columns)]
    for setting, what in words.items():
        rows = [row for row in runs if row["setting"] == setting]
        line = f"{what:<{first}} {len(rows):>5}"
        for name, form in columns.items() if rows else ():
            found = np.array([row[name] for row in rows])
            ends = f"{found.mean():{form}} ({found.min():{form}}..{found.max():{form}})"
            line += f"{ends:>{wide}}"
        lines.append(line)
    return "\n".join(lines)


def scores(slug: str, setting: str, name: str) -> np.ndarray:
    """Return one score of a setting's runs, over seeds."""
    return np.array([row[name] for row in stored(slug) if row["setting"] == setting])
