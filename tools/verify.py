"""Hold lectures to their template and to the plan; print what is wrong.

    python tools/verify.py [NAME ...]

A rule takes a lecture's path and its notebook, and yields what is wrong.
"""

import ast
import difflib
import functools
import itertools
import re
import sys
from pathlib import Path

from course import PLANNED, ROOT, asked_for, code_cells, headings, is_solution, plan, read, section
from format import WIDGET_VIEW, canonical, ruff
from new import PREFACE, SOLUTION, time_line
from stamp import badges, setup_cell

SECTIONS = """
The question|Play|The mathematics|See it train|Where it breaks|Exercises|Take away|Next|References
""".strip().split("|")
OPTIONAL_SECTION = "See it train"
BOX = [
    "The game",
    "Over which functions",
    "Divergence at the best critic",
    "What the generator's gradient follows there",
]
LARGEST = 1_500_000  # bytes of one .ipynb
RULES = []


def rule(function):
    RULES.append(function)
    return function


def problems(path: Path) -> list[str]:
    """Return what is wrong with one lecture."""
    notebook = read(path)
    return [f"{path.name}: {what}" for rule in RULES for what in rule(path, notebook)]


@rule
def planned(path, notebook):
    """Minutes and needs stand in the plan; the page says the same."""
    slug, opening = path.stem, notebook.cells[0].source
    if slug not in PLANNED:
        yield f"the slug is not in the plan, which has {', '.join(PLANNED)}"
        return
    if not plan.source_of(slug).exists():
        yield f"its module is missing: {plan.source_of(slug).relative_to(ROOT)}"
    if time_line(slug) not in opening.splitlines():
        yield f"the plan's minutes want this line in cell 0: {time_line(slug)}"
    needs = re.findall(r"\((\w+)\.ipynb\)", opening.partition(PREFACE[1])[2])
    if sorted(needs) != sorted(PLANNED[slug].needs):
        yield f"{PREFACE[1]} links to {needs}; the plan's needs are {[*PLANNED[slug].needs]}"


@rule
def timed(path, notebook):
    """The plan's minutes are enough at a learner's pace."""
    if path.stem in PLANNED and PLANNED[path.stem].minutes < (needed := minutes_at_pace(notebook)):
        yield f"it takes {needed} minutes at the pace of verify.py; the plan says fewer"


def minutes_at_pace(notebook) -> int:
    """150 words or 20 lines of code a minute, 4 for an exercise, 5 to play; in fives, down."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    words = sum(len(re.findall(r"\w+", text)) for text in texts)
    lines = sum(
        cell.source.count("\n") + 1 for _, cell in code_cells(notebook) if not is_solution(cell)
    )
    exercises = sum(text.count("### Exercise ") for text in texts)
    return int(words / 150 + lines / 20 + 4 * exercises + 5) // 5 * 5


@rule
def finished(path, notebook):
    for index, cell in enumerate(notebook.cells):
        if re.search(r"\bTODO\b", cell.source):
            yield f"cell {index} still says TODO"


@rule
def opening(path, notebook):
    first = notebook.cells[0]
    lines = first.source.splitlines()
    if first.cell_type != "markdown" or not lines or not re.match(r"# \S", lines[0]):
        yield "cell 0 must be markdown that begins with '# Title'"
    if badges(path.stem) not in lines:
        yield f"cell 0 needs this line (`python tools/stamp.py` renews it): {badges(path.stem)}"
    places = [first.source.find(part) for part in PREFACE]
    if -1 in places or places != sorted(places):
        yield f"cell 0 must hold, in this order: {', '.join(PREFACE)}"
    elif not re.search(r"^\s*[-*] \S", first.source[places[0] : places[1]], re.M):
        yield f"{PREFACE[0]} needs a list"


@rule
def answered(path, notebook):
    """Below an explorer stand prompts to predict, numbered, and as many answers, folded."""
    for index, cell in code_cells(notebook):
        if re.search(r"^explore\(", cell.source, re.M):
            asked, told = prompts_below(notebook, index)
            if not asked or asked != told:
                yield f"below cell {index} stand {asked} numbered prompts, {told} folded answers"


def prompts_below(notebook, index: int) -> tuple[int, int]:
    """Return how many numbered prompts stand below a cell, up to a heading, and their answers."""
    below = itertools.takewhile(lambda c: c.cell_type == "markdown", notebook.cells[index + 1 :])
    text = re.split(r"^#", "\n\n".join(cell.source for cell in below), flags=re.M)[0]
    asked, _, told = text.partition("<details>")
    told = told.partition("</details>")[0]
    return tuple(len(re.findall(r"^\d+\. ", part, re.M)) for part in (asked, told))


@rule
def boxed(path, notebook):
    """A lecture on an objective sums its game up in a box, the same in all."""
    if not "30" <= path.stem[:2] <= "42":
        return
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    box = text.partition("\n### The game in a box\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| \*\*(.*?)\*\* \|", box, re.M)
    if rows != BOX:
        yield f"'### The game in a box' must be a table of these rows: {BOX}; it has {rows}"


@rule
def setup(path, notebook):
    if len(notebook.cells) < 2 or notebook.cells[1].source != setup_cell():
        yield f"cell 1 must be the set-up cell (stamped), exactly:\n{setup_cell()}"


@rule
def sections(path, notebook):
    if path.stem == plan.START:
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
    if path.stem != plan.START and not 2 <= len(numbers) <= 4:
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
            if re.search(r" at 0x[0-9a-f]{6}", output.get("text", "")):
                yield f"cell {index} prints an address, which is another in each run"
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
        for output in cell.get("outputs", []):
            if "image/png" not in output.get("data", {}):
                continue
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
        yield f"not in canonical form; run `python tools/format.py`:\n{sample}"
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


def main() -> int:
    paths = asked_for(__doc__)
    found = [problem for path in paths for problem in problems(path)]
    print("\n".join(found) or f"{len(paths)} lectures: all well")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
