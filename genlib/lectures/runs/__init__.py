"""What a minute cannot show: a lecture's own training, run over seeds, and stored.

A lecture's module names its ``SETTINGS``, and its ``run(setting, seed)`` trains one and returns
what it scores. ``python tools/runs.py 52`` runs all that ``runs/52_text_to_image.csv`` lacks.
"""

import csv
import importlib
import operator
from pathlib import Path

import numpy as np

from genlib import validate
from genlib.lectures import PLAN


def path(slug: str) -> Path:
    """Return where the runs of a lecture, such as "52_text_to_image", are stored."""
    validate.choice("slug", slug, [lecture.slug for lecture in PLAN])
    return Path(__file__).with_name(f"{slug}.csv")


def stored(slug: str, setting: str | None = None) -> list[dict]:
    """Return the stored runs of a lecture: "setting", "seed", its scores, "seconds" of CPU.

    Those of one ``setting``, seed by seed; else all, in the order in which they were made.
    """
    if not path(slug).exists():
        return []
    with path(slug).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if line[0] != "#"))
    rows = [{k: v if k == "setting" else float(v) for k, v in row.items()} for row in rows]
    if setting is None:
        return rows
    validate.choice("setting", setting, settings(slug))
    return sorted((r for r in rows if r["setting"] == setting), key=operator.itemgetter("seed"))


def over_seeds(slug: str, setting: str, score: str) -> np.ndarray:
    """Return a score of the stored runs of one setting, seed by seed."""
    return np.array([row[score] for row in stored(slug, setting)])


def keep_pictures(slug: str, setting: str, pictures) -> None:
    """Store a setting's ``pictures``, numbers from 0 to 255, beside a lecture's runs."""
    kept = dict(stored_pictures(slug)) | {setting: np.uint8(pictures)}
    np.savez_compressed(path(slug).with_suffix(".npz"), **kept)


def stored_pictures(slug: str) -> dict[str, np.ndarray]:
    """Return the pictures that runs of a lecture stored, setting by setting."""
    file = path(slug).with_suffix(".npz")
    return dict(np.load(file)) if file.exists() else {}


def settings(slug: str) -> dict[str, str]:
    """Return the settings that a lecture's module runs, and what each is, in its order."""
    return importlib.import_module(f"genlib.lectures.l{slug}").SETTINGS


def table(slug: str, chosen=None, **columns: str) -> str:
    """Return a table, a row a setting: the mean over seeds of each score, and its least and most.

    ``chosen``: the settings, if not all. ``columns``: each score's name and how to write it, such
    as ``read=".0%"``.
    """
    words = settings(slug)
    chosen = list(words) if chosen is None else chosen
    table = [["", "seeds", *(name.replace("_", " ") for name in columns)]]
    for setting in chosen:
        rows, cells = stored(slug, setting), []
        for name, form in columns.items() if rows else ():
            found = np.array([row[name] for row in rows])
            cells.append(f"{found.mean():{form}} ({found.min():{form}}..{found.max():{form}})")
        table.append([words[setting], str(len(rows)), *cells])
    wide = max(len(line[0]) for line in table)
    cell = max(18, *(len(text) for line in table for text in line[2:])) + 2
    return "\n".join(
        f"{name:<{wide}} {seeds:>5}" + "".join(f"{text:>{cell}}" for text in cells)
        for name, seeds, *cells in table
    )
