"""The plan, and the notebooks as the tools read them. It imports no TensorFlow."""

import argparse
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"

# The plan is run as a file: importing it would import genlib, and that TensorFlow.
plan = SimpleNamespace(**runpy.run_path(str(ROOT / "genlib" / "lectures" / "__init__.py")))
PLANNED = {lecture.slug: lecture for lecture in plan.PLAN}


def lectures(names: list[str] = ()) -> list[Path]:
    """Return the notebooks in lecture order: all, or those whose slug begins with a name."""
    every = sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        if not any(path.stem.startswith(name) for path in every):
            raise SystemExit(f"no lecture {name!r}; there are: {', '.join(p.stem for p in every)}")
    return [p for p in every if not names or any(p.stem.startswith(n) for n in names)]


def asked_for(description: str) -> list[Path]:
    """Return the notebooks that the command line names."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a slug (10_kl) or its beginning (10); else all"
    )
    return lectures(parser.parse_args().names)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    return ((i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code")


def headings(cell) -> list[str]:
    return re.findall(r"^## (.+?)\s*$", cell.source, re.M) if cell.cell_type == "markdown" else []


def section(notebook, title: str) -> list[nbformat.NotebookNode]:
    """Return the cells from the one that holds ``## title`` up to the next such heading."""
    cells, inside = [], False
    for cell in notebook.cells:
        heads = headings(cell)
        if inside and heads and title not in heads:
            break
        inside = inside or title in heads
        if inside:
            cells.append(cell)
    return cells


def is_solution(cell) -> bool:
    return "solution" in cell.metadata.get("tags", [])
