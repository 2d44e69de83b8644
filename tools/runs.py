"""Train a lecture's settings over seeds and store what each run scores.

``python tools/runs.py 52 [--seeds 3] [--only SETTING ...]`` makes the runs that
``genlib/lectures/runs/52_*.csv`` lacks, a line each; stopped, it goes on where it was. After a
change of the settings, delete the file, or its lines. What a run gives as "pictures", of 8 bits, is
kept beside it, of seed 0, in an .npz file.
"""

import argparse
import csv
import importlib
import time

from genlib.lectures import PLAN, runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lecture", help="its number or slug")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="these settings alone")
    args = parser.parse_args()
    (slug,) = (x.slug for x in PLAN if args.lecture in (x.slug, x.slug[:2]))
    lecture = importlib.import_module(f"genlib.lectures.l{slug}")
    for seed in range(args.seeds):
        for setting in args.only or lecture.SETTINGS:
            if not any((r["setting"], r["seed"]) == (setting, seed) for r in runs.stored(slug)):
                store(slug, setting, seed, lecture.run)


def store(slug, setting, seed, run):
    """Append one run to the lecture's file."""
    start, file = time.process_time(), runs.path(slug)
    scores = run(setting, seed)
    pictures = scores.pop("pictures", None)
    if pictures is not None and seed == 0:
        runs.keep_pictures(slug, setting, pictures)
    row = {"setting": setting, "seed": seed} | {k: f"{v:.5g}" for k, v in scores.items()}
    row["seconds"] = f"{time.process_time() - start:.1f}"
    append(file, row, f"Made by `python tools/runs.py {slug[:2]}`; seconds are of CPU.")


def append(file, row, note):
    """Append a row to a table and print it; a new table begins with ``note`` and the names."""
    head = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as out:
        if head:
            out.write(f"# {note}\n")
        writer = csv.DictWriter(out, row, lineterminator="\n")
        if head:
            writer.writeheader()
        writer.writerow(row)
    print(*(f"{k}={v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
