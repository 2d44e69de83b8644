"""Take a lecture's text out for translation, and put a translation back in.

    python tools/translate.py out 10              build/text/10_kl.md
    python tools/translate.py in 10 FILE de       notebooks/de/10_kl.ipynb

The file has one block a text cell, each under a line ``<!-- cell ID -->`` that stays as it is.
What stands between two such lines is translated: prose, not formulas, links' targets or code. Put
back are the texts alone: code and stored pictures stay, byte for byte. The lines are checked: no
cell may be missing, added or twice.
"""

import argparse
import re
from pathlib import Path

from course import NOTEBOOKS, ROOT, lectures, read
from format import stored

MARK = "<!-- cell {} -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest="way", required=True)
    out = ways.add_parser("out", help="text out of lectures")
    out.add_argument("names", nargs="*", help="a slug (10_kl) or its beginning; else all")
    back = ways.add_parser("in", help="a translation into one lecture")
    back.add_argument("name")
    back.add_argument("file", type=Path)
    back.add_argument("language", help="such as de; the folder below notebooks")
    asked = parser.parse_args()
    if asked.way == "out":
        folder = ROOT / "build" / "text"
        folder.mkdir(parents=True, exist_ok=True)
        for path in lectures(asked.names):
            (folder / f"{path.stem}.md").write_text(taken_out(read(path)), encoding="utf-8")
            print(folder / f"{path.stem}.md")
    else:
        (path,) = lectures([asked.name])
        notebook = put_back(read(path), asked.file.read_text(encoding="utf-8"))
        target = NOTEBOOKS / asked.language / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(stored(notebook), encoding="utf-8")
        print(target)


def texts(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def taken_out(notebook) -> str:
    """Return all text cells as one file."""
    return "".join(f"{MARK.format(cell.id)}\n{cell.source}\n\n" for cell in texts(notebook))


def put_back(notebook, text: str):
    """Return the notebook with the cells' texts from a file; SystemExit where they do not match."""
    pieces = re.split(MARK.format(r"(\S+)") + r"[ \t]*\n", text)
    if pieces[0].strip():
        raise SystemExit(f"the file must begin with a line like {MARK.format('ID')}")
    ids, bodies = pieces[1::2], pieces[2::2]
    wanted = [cell.id for cell in texts(notebook)]
    if sorted(ids) != sorted(wanted):
        missing, more = sorted(set(wanted) - set(ids)), sorted(set(ids) - set(wanted))
        twice = sorted({one for one in ids if ids.count(one) > 1})
        raise SystemExit(f"cells missing: {missing}; unknown: {more}; twice: {twice}")
    new = dict(zip(ids, bodies, strict=True))
    for cell in texts(notebook):
        cell.source = new[cell.id].removesuffix("\n").removesuffix("\n")
    return notebook


if __name__ == "__main__":
    main()
