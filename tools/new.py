"""Start a lecture that the plan names: a notebook with every part of the template.

python tools/new.py SLUG "TITLE"
"""

import argparse

import nbformat

from course import NOTEBOOKS, PLANNED, ROOT, plan
from format import canonical
from stamp import badges, setup_cell

PREFACE = ("**You will be able to**", "**You need first**", "**Time**")
ANSWERS = "<details><summary>Answers</summary>"
SOLUTION = {"tags": ["solution"], "jupyter": {"source_hidden": True}, "cellView": "form"}


def time_line(slug: str) -> str:
    return f"{PREFACE[2]}: about {PLANNED[slug].minutes} minutes"


def skeleton(slug: str, title: str) -> nbformat.NotebookNode:
    """Return a lecture that has every part of the template, and TODO where you write."""
    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    needs = ", ".join(f"[{PLANNED[n].name}]({n}.ipynb)" for n in PLANNED[slug].needs)
    cells = [
        text(
            f"# {title}\n\n{badges(slug)}\n\n{PREFACE[0]}\n- TODO\n- TODO\n\n"
            f"{PREFACE[1]}: {needs or 'TODO'}\n\n{time_line(slug)}"
        ),
        code(setup_cell()),
        text("## The question\n\nTODO: in plain words. Ask the reader to predict."),
        code('# TODO: a picture\ngenlib.plots.show(fig, alt="TODO: what the picture shows")'),
        text("## Play\n\nTODO: what to try, and what to look at."),
        code('from genlib.widgets import explore\n\nexplore("TODO")'),
        text(f"Predict, then try:\n\n1. TODO\n\n{ANSWERS}\n\n1. TODO\n</details>"),
        text("## The mathematics\n\n$$TODO$$\n\nTODO: each symbol in a line; the source."),
        code("from genlib import source\n\nsource.show(TODO)"),
        text("## See it train\n\nTODO, or take this section away if nothing is trained."),
        text("## Where it breaks\n\nTODO"),
        text("## Exercises"),
    ]
    for number in (1, 2):
        ask = f'check("{slug}/{number}", answer)'
        lead = "from genlib.check import check\n\n" if number == 1 else ""
        solution = code(f"# @title Solution\nanswer = ...  # TODO\n{ask}")
        solution.metadata.update(SOLUTION)
        cells += [
            text(f"### Exercise {number}\n\nTODO"),
            code(f"{lead}answer = None\n{ask}"),
            solution,
        ]
    cells += [
        text("## Take away\n\n- TODO\n- TODO\n- TODO"),
        text("## Next\n\nTODO"),
        text("## References\n\n- TODO"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slug", metavar="SLUG")
    parser.add_argument("title", metavar="TITLE")
    given = parser.parse_args()
    if given.slug not in PLANNED:
        raise SystemExit(
            f"{given.slug!r} is not in the plan; give it a line in genlib/lectures/__init__.py"
        )
    path = NOTEBOOKS / f"{given.slug}.ipynb"
    if path.exists():
        raise SystemExit(f"{path} exists")
    path.write_text(canonical(skeleton(given.slug, given.title)))
    module = plan.source_of(given.slug).relative_to(ROOT)
    print(f"{path.relative_to(ROOT)}: write where it says TODO. Its explorers, exercises: {module}")


if __name__ == "__main__":
    main()
