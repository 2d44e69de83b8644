"""The maintainers' commands for the lectures.

    python tools/notebooks.py run [NAME ...]      execute, measure and store the results
    python tools/notebooks.py format [--check]    bring every notebook into its canonical form
    python tools/notebooks.py stamp               write the address of pyproject.toml everywhere
    python tools/notebooks.py table               write README's table of lectures
    python tools/notebooks.py new SLUG "TITLE"    start a lecture
    python tools/notebooks.py verify [NAME ...]   hold the lectures to their template

A NAME is a lecture's slug (``10_kl``) or the beginning of one (``10``). The course's public
address stands in pyproject.toml, ``[project.urls]``, and nowhere else by hand.
"""

import argparse
import ast
import difflib
import functools
import json
import re
import runpy
import subprocess
import sys
import time
import tomllib
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"

# The plan is read as a file: importing genlib would import TensorFlow.
PLAN = runpy.run_path(str(ROOT / "genlib" / "lectures" / "__init__.py"))
SLUGS = PLAN["SLUGS"]
START = PLAN["START"]  # the way in: it opens with a widget and is free in what follows
SECTIONS = """
The question|Play|The mathematics|See it train|Where it breaks|Exercises|Take away|Next|References
""".strip().split("|")
OPTIONAL_SECTION = "See it train"
PREFACE = ("**You will be able to**", "**You need first**", "**Time**")
LARGEST = 1_500_000  # bytes of one .ipynb
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Lectures


def lectures(names: list[str] = ()) -> list[Path]:
    """Return the notebooks in lecture order: all, or those whose slug begins with a name."""
    every = sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        if not any(path.stem.startswith(name) for path in every):
            raise SystemExit(f"no lecture {name!r}; there are: {', '.join(p.stem for p in every)}")
    return [p for p in every if not names or any(p.stem.startswith(n) for n in names)]


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    return ((i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code")


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


def headings(cell) -> list[str]:
    return re.findall(r"^## (.+?)\s*$", cell.source, re.M) if cell.cell_type == "markdown" else []


def is_solution(cell) -> bool:
    return "solution" in cell.metadata.get("tags", [])


def pictures(cell) -> list[nbformat.NotebookNode]:
    return [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]


# The address


def address() -> str:
    """Return "owner/name" of the public repository, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    url = project["urls"]["Repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    if not match:
        raise SystemExit(f"Repository must be https://github.com/OWNER/NAME; got {url}")
    return match[1]


# A lecture may link to anyone's repository, so there only these three forms are the course's own.
# README and its like name no other repository on GitHub.
OWN_LINKS = [
    r"(?<=https://colab\.research\.google\.com/github/){}(?=/blob/)",
    r"(?<=https://mybinder\.org/v2/gh/){}(?=/)",
    r"(?<=git\+https://github\.com/){}",
]
STAMPED_FILES = ("README.md", "CITATION.cff", "CONTRIBUTING.md")


def stamped(text: str, plain_links: bool) -> str:
    """Return ``text`` with the course's address in every link to the course's repository."""
    for pattern in OWN_LINKS + [r"(?<=https://github\.com/){}"] * plain_links:
        text = re.sub(pattern.format(r"[\w-]+/[\w-]+(?:\.(?!git\b)[\w-]+)*"), address(), text)
    return text


def stamp() -> None:
    """Write the address into every badge, set-up cell and document."""
    for path in [*lectures(), *(ROOT / name for name in STAMPED_FILES)]:
        text = path.read_text()
        new = stamped(text, plain_links=path.suffix != ".ipynb")
        if new != text:
            path.write_text(new)
            print(f"stamped {path.relative_to(ROOT)}")


def badges(slug: str) -> str:
    """Return the line of badges that opens a lecture."""
    path = f"notebooks/{slug}.ipynb"
    colab = f"https://colab.research.google.com/github/{address()}/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/{address()}/main"
    binder += f"?labpath={urllib.parse.quote(path, safe='')}"
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab}) [![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def setup_cell() -> str:
    """Return the code of the set-up cell, the same in every lecture."""
    return (
        "# Set-up: installs genlib only where it is missing (as in Colab).\n"
        "try:\n"
        "    import genlib\n"
        "except ImportError:\n"
        f'    %pip install -q "genlib @ git+https://github.com/{address()}"\n'
        "    import genlib"
    )


# The canonical form


def canonical(notebook) -> str:
    """Return the one text in which this notebook is stored: its code formatted, its noise gone."""
    text = ruff("check", json.dumps(clean(notebook)), "--fix-only", "--select=I")
    notebook = nbformat.from_dict(json.loads(ruff("format", text)))
    return nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def clean(notebook) -> dict:
    """Return the notebook as a new dictionary with only what a lecture stores."""
    cells = []
    for number, old in enumerate(notebook.cells):
        cell = {
            "cell_type": old.cell_type,
            "id": f"cell-{number:02}",
            "metadata": {
                key: old.metadata[key]
                for key in ("cellView", "jupyter", "tags")
                if old.metadata.get(key)
            },
            "source": old.source,
        }
        if old.cell_type == "code":
            cell["execution_count"] = old.execution_count
            cell["outputs"] = [clean_output(output) for output in merged(old.outputs)]
        cells.append(cell)
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def merged(outputs) -> list[dict]:
    """Join neighbouring chunks of one stream: how a kernel cuts them up is chance."""
    result = []
    for output in outputs:
        output = dict(output)
        if output["output_type"] == "stream":
            before = result[-1] if result else {}
            if before.get("name") == output["name"]:
                before["text"] += output["text"]
                continue
        result.append(output)
    return result


def clean_output(output: dict) -> dict:
    """Keep alt text; keep the still picture of a widget in place of its (dead) live view."""
    if output["output_type"] == "stream":
        # What a progress bar overwrote is not to be read again.
        output["text"] = re.sub(r"^.*\r(?!\n)", "", output["text"], flags=re.M)
    if output["output_type"] in ("display_data", "execute_result"):
        data = dict(output["data"])
        if "image/png" in data:
            data.pop(WIDGET_VIEW, None)
            data["image/png"] = data["image/png"].strip()
        alt = output["metadata"].get("image/png", {}).get("alt")
        output["data"] = data
        output["metadata"] = {"image/png": {"alt": alt}} if alt else {}
    return output


def ruff(command: str, text: str, *options: str) -> str:
    """Run ruff over a notebook's text; return what it printed."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", command, *options, "--stdin-filename", "notebooks/x.ipynb"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
    )
    if run.returncode and not (command == "check" and run.stdout):
        raise SystemExit(run.stderr or run.stdout)
    return run.stdout


def format_all(paths: list[Path], check: bool) -> int:
    changed = 0
    for path in paths:
        old, new = path.read_text(), canonical(read(path))
        if new != old:
            changed += 1
            print(f"{'not in canonical form' if check else 'formatted'}: {path.name}")
            if not check:
                path.write_text(new)
    return int(check and changed > 0)


# Running


def run(paths: list[Path]) -> int:
    """Execute each notebook in a fresh kernel, store it, print its time and memory.

    ``widget`` is the time from the kernel's start until the first explorer stands.
    """
    print(f"{'lecture':<34} {'seconds':>8} {'widget':>7} {'peak MB':>8}   slowest cell")
    failed = 0
    for path in paths:
        try:
            print(run_one(path), flush=True)
        except LectureError as error:
            failed += 1
            print(f"{path.stem:<34} FAILED: {error}", flush=True)
    return int(failed > 0)


class LectureError(Exception):
    """A lecture that must not be stored: a cell failed, or wrote to stderr."""


def run_one(path: Path) -> str:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = read(path)
    for _, cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    start, first_widget, slowest = time.perf_counter(), None, (0.0, 0)
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            before = time.perf_counter()
            try:
                client.execute_cell(cell, number)
            except (CellExecutionError, CellTimeoutError) as error:
                raise LectureError(f"cell {number}: {error}") from None
            for output in cell.get("outputs", []):
                if output.get("name") == "stderr":
                    raise LectureError(f"cell {number} writes to stderr: {output.text[:500]}")
            now = time.perf_counter()
            slowest = max(slowest, (now - before, number))
            if first_widget is None and "explore(" in cell.source and cell.cell_type == "code":
                first_widget = now - start
        memory = peak_megabytes(client)
    seconds = time.perf_counter() - start
    path.write_text(canonical(notebook))
    widget = "-" if first_widget is None else f"{first_widget:.1f}"
    where = f"{slowest[1]} ({slowest[0]:.1f} s)"
    return f"{path.stem:<34} {seconds:>8.1f} {widget:>7} {memory:>8.0f}   {where}"


def peak_megabytes(client) -> float:
    """Ask the kernel for the most memory it ever held (kilobytes on Linux, bytes on macOS)."""
    question = "print(__import__('resource').getrusage(0).ru_maxrss)"
    cells = client.nb.cells
    cells.append(nbformat.v4.new_code_cell(question))
    cell = client.execute_cell(cells[-1], len(cells) - 1)
    cells.pop()
    return float(cell.outputs[0].text) / (1024**2 if sys.platform == "darwin" else 1024)


# The table of lectures in README

TABLE = re.compile(r"(<!-- lectures -->\n).*?(<!-- /lectures -->)", re.S)


def table() -> str:
    """Return README's text with the table written anew from the notebooks."""
    rows = ["| | Lecture | You will be able to | Minutes |", "| --- | --- | --- | --- |"]
    for path in lectures():
        opening = read(path).cells[0].source
        goals = re.search(r"\*\*You will be able to\*\*.*?\n\s*[-*] (.+)", opening)
        minutes = re.search(r"\*\*Time\*\*\D*(\d+)", opening)
        title = opening.splitlines()[0].removeprefix("# ")
        rows.append(
            f"| {path.stem[:2]} | [{title}](notebooks/{path.name}) "
            f"| {goals[1].rstrip('.;,') if goals else ''} | {minutes[1] if minutes else ''} |"
        )
    return TABLE.sub(lambda m: m[1] + "\n".join(rows) + "\n" + m[2], README.read_text())


# A new lecture


def skeleton(slug: str, title: str) -> nbformat.NotebookNode:
    """Return a lecture that has every part of the template, and TODO where you write."""
    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [
        text(
            f"# {title}\n\n{badges(slug)}\n\n{PREFACE[0]}\n- TODO\n- TODO\n\n"
            f"{PREFACE[1]}: TODO\n\n{PREFACE[2]}: about 30 minutes"
        ),
        code(setup_cell()),
        text("## The question\n\nTODO: in plain words. Ask the reader to predict."),
        code('# TODO: a picture\ngenlib.plots.show(fig, alt="TODO: what the picture shows")'),
        text("## Play\n\nTODO: what to try, and what to look at."),
        code('from genlib.widgets import explore\n\nexplore("TODO")'),
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


SOLUTION = {"tags": ["solution"], "jupyter": {"source_hidden": True}, "cellView": "form"}


def new(slug: str, title: str) -> None:
    if slug not in SLUGS:
        raise SystemExit(
            f"{slug!r} is not in the course's plan; add it to PLAN in genlib/lectures/__init__.py"
        )
    path = NOTEBOOKS / f"{slug}.ipynb"
    if path.exists():
        raise SystemExit(f"{path} exists")
    path.write_text(canonical(skeleton(slug, title)))
    print(
        f"{path.relative_to(ROOT)}: write where it says TODO; its explorers and exercises go into "
        f"genlib/lectures/l{slug}.py"
    )


# What a lecture is held to. A rule takes a path and its notebook, and yields what is wrong.

RULES = []


def rule(function):
    RULES.append(function)
    return function


def verify(paths: list[Path]) -> int:
    found = [f"{p.name}: {what}" for p in paths for rule_ in RULES for what in rule_(p, read(p))]
    print("\n".join(found) or f"{len(paths)} lectures: all well")
    return int(bool(found))


@rule
def opening(path, notebook):
    first = notebook.cells[0]
    lines = first.source.splitlines()
    if path.stem not in SLUGS:
        yield f"the slug is none of the course's; known: {', '.join(SLUGS)}"
    if first.cell_type != "markdown" or not lines or not re.match(r"# \S", lines[0]):
        yield "cell 0 must be markdown that begins with '# Title'"
    if badges(path.stem) not in lines:
        yield f"cell 0 needs this line (`tools/notebooks.py stamp` renews it): {badges(path.stem)}"
    places = [first.source.find(part) for part in PREFACE]
    if -1 in places or places != sorted(places):
        yield f"cell 0 must hold, in this order: {', '.join(PREFACE)}"
    elif not re.search(r"^\s*[-*] \S", first.source[places[0] : places[1]], re.M):
        yield f"{PREFACE[0]} needs a list"
    if not re.search(r"\*\*Time\*\*\D*\d+ minutes", first.source):
        yield "**Time** must be a number of minutes"


@rule
def setup(path, notebook):
    if len(notebook.cells) < 2 or notebook.cells[1].source != setup_cell():
        yield f"cell 1 must be the set-up cell (stamped), exactly:\n{setup_cell()}"


@rule
def sections(path, notebook):
    if path.stem == START:
        if not any("explore(" in cell.source for cell in notebook.cells[:5]):
            yield "the first widget must stand among the first five cells"
        return
    found = [title for cell in notebook.cells for title in headings(cell)]
    required = [title for title in SECTIONS if title != OPTIONAL_SECTION]
    wanted = SECTIONS if OPTIONAL_SECTION in found else required
    if found != wanted:
        yield f"the sections (##) must be {' | '.join(wanted)}; found {' | '.join(found)}"
    takeaway = "\n".join(cell.source for cell in section(notebook, "Take away"))
    if len(re.findall(r"^(?:[-*]|\d\.) \S", takeaway.split("\n## Next")[0], re.M)) != 3:
        yield "'## Take away' must be a list of three lines"
    if not any("explore(" in c.source for c in section(notebook, "Play") if c.cell_type == "code"):
        yield "'## Play' must open an explorer"


@rule
def exercises(path, notebook):
    source = {"markdown": "", "code": ""}
    for cell in notebook.cells:
        source[cell.cell_type] += cell.source + "\n"
    numbers = [int(n) for n in re.findall(r"^### Exercise (\d+)", source["markdown"], re.M)]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"'### Exercise k' must count from 1; found {numbers}"
    if path.stem != START and not 2 <= len(numbers) <= 4:
        yield f"a lecture has 2 to 4 exercises; found {len(numbers)}"
    for number in numbers:
        call = f'check("{path.stem}/{number}", '
        cells = [cell for _, cell in code_cells(notebook) if call in cell.source]
        if [is_solution(cell) for cell in cells] != [False, True]:
            yield f"exercise {number}: needs an answer cell and then a solution, with {call}...)"
            continue
        for cell, word in zip(cells, ("Not answered yet", "Right"), strict=True):
            if word not in "".join(output.get("text", "") for output in cell.outputs):
                yield f"exercise {number}: a cell with {call}...) must have printed '{word}'"
    for index, cell in code_cells(notebook):
        if is_solution(cell):
            if any(cell.metadata.get(key) != value for key, value in SOLUTION.items()):
                yield f"cell {index}: a solution's metadata must be {SOLUTION}"
            if cell.source.split("\n")[0] != "# @title Solution":
                yield f"cell {index}: a solution must begin with '# @title Solution'"


@rule
def executed(path, notebook):
    counts = [cell.execution_count for _, cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"not run from top to bottom in one go: execution counts {counts}"
    for index, cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {index} ended in {output.ename}"
            if output.get("name") == "stderr":
                yield f"cell {index} wrote to stderr: {output.text[:200]!r}"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"cell {index} shows a widget without a still picture beside it"


@rule
def drawings(path, notebook):
    first_picture = first_formula = None
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            if re.search(r"!\[\s*\]\(|<img(?![^>]*alt=\"[^\"])", cell.source):
                yield f"cell {index}: a picture without alt text"
            if first_formula is None and "$$" in cell.source:
                first_formula = index
        for output in pictures(cell):
            first_picture = index if first_picture is None else first_picture
            if not output.metadata.get("image/png", {}).get("alt", "").strip():
                yield f"cell {index}: a picture without alt text; use genlib.plots.show(fig, alt)"
    if first_picture is None:
        yield "no picture is stored"
    elif first_formula is not None and first_formula < first_picture:
        yield f"the first formula (cell {first_formula}) comes before the first picture"


@rule
def stored_form(path, notebook):
    text = path.read_text()
    if len(text.encode()) > LARGEST:
        yield f"the file has {len(text.encode()):,} bytes; at most {LARGEST:,}"
    new = canonical(notebook)
    if new != text:
        lines = difflib.unified_diff(text.splitlines(), new.splitlines(), lineterm="", n=0)
        sample = "\n".join(line[:120] for line in list(lines)[2:12])
        yield f"not in canonical form; run `python tools/notebooks.py format`:\n{sample}"
    found = ruff("check", text, "--output-format=concise", "--quiet").strip()
    if found:
        yield f"ruff: {found}"


@rule
def no_copies(path, notebook):
    """Code lives in genlib, a lecture shows it from there. Solutions may define what they like."""
    names, lines = library()
    run_length = 4
    for index, cell in code_cells(notebook):
        if is_solution(cell):
            continue
        code = re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.M)
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
                yield f"cell {index} defines {node.name}, which is in genlib: import it"
        own = telling_lines(cell.source)
        for start in range(len(own) - run_length + 1):
            if tuple(own[start : start + run_length]) in lines:
                yield f"cell {index} copies lines of genlib, from: {own[start]}"
                break


@functools.cache
def library() -> tuple[set[str], set[tuple[str, ...]]]:
    """Return genlib's public names, and every four of its telling lines that follow each other."""
    names, runs = set(), set()
    for path in (ROOT / "genlib").rglob("*.py"):
        text = path.read_text()
        if path.name in ("__init__.py", "samples.py") or path.parent.name == "genlib":
            names |= public_names(ast.parse(text))
        lines = telling_lines(text)
        runs |= {tuple(lines[i : i + 4]) for i in range(len(lines) - 3)}
    return names, runs


def public_names(module: ast.Module) -> set[str]:
    """Return what a module defines, or takes from its own files, for others to use."""
    names = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("genlib."):
            names |= {alias.asname or alias.name for alias in node.names}
    return {name for name in names if name[0] != "_"}


def telling_lines(code: str) -> list[str]:
    """Return the lines of code, bare of indentation, without comments, imports and brackets."""
    lines = (line.strip() for line in code.splitlines())
    return [x for x in lines if len(x) > 8 and not x.startswith(("#", "import ", "from "))]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "format", "verify"):
        commands.add_parser(name).add_argument("names", nargs="*", metavar="NAME")
    commands.choices["format"].add_argument("--check", action="store_true")
    commands.add_parser("stamp")
    commands.add_parser("table")
    newcomer = commands.add_parser("new")
    newcomer.add_argument("slug")
    newcomer.add_argument("title")
    given = parser.parse_args(arguments)
    match given.command:
        case "run":
            return run(lectures(given.names))
        case "format":
            return format_all(lectures(given.names), given.check)
        case "verify":
            return verify(lectures(given.names))
        case "stamp":
            stamp()
        case "table":
            README.write_text(table())
        case "new":
            new(given.slug, given.title)
    return 0


if __name__ == "__main__":
    sys.exit(main())
