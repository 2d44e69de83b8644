"""Turn the stored notebooks, and what stands around them, into the pages of the book.

Nothing is executed but the exercises' own functions, which give the true answers: a notebook's
pictures and numbers are those that it stores.
"""

import base64
import functools
import html
import io
import json
import math
import re
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "book")]

import kit  # noqa: E402
import references  # noqa: E402

import course  # noqa: E402
import stamp  # noqa: E402
from genlib import check, lectures  # noqa: E402

HERE = Path(__file__).parent
BADGES = re.compile(r"^\[!\[Open in Colab\].*\n", re.M)
CHECKED = re.compile(r'check\(\s*"([\w/]+)"')
EXPLORER = re.compile(r'^explore\(\s*"(\w+)"', re.M)


def stage(folder: Path) -> None:
    """Write the sources of all pages into ``folder``."""
    for part in ("lectures", "api"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    stills = folder / "_static" / "stills"
    shutil.rmtree(stills, ignore_errors=True)
    stills.mkdir(parents=True)
    shutil.copytree(course.NOTEBOOKS / "images", folder / "lectures" / "images")
    words = glossary()
    for path in course.lectures():
        notebook = lecture(course.read(path), path.stem, stills, words)
        nbformat.write(notebook, folder / "lectures" / path.name)
    (folder / "index.md").write_text(index(), encoding="utf-8")
    (folder / "glossary.md").write_text(glossary_page(words), encoding="utf-8")
    (folder / "teachers.md").write_text(kit.page(question), encoding="utf-8")
    for path in HERE.glob("*.md"):
        shutil.copy(path, folder / path.name)
    for name, text in api().items():
        (folder / "api" / f"{name}.rst").write_text(text, encoding="utf-8")


# Lectures


def lecture(notebook, slug: str, stills: Path, words: dict[str, str]):
    """Return a lecture as the book shows it."""
    cells, known = [], references.titles()
    for i, cell in enumerate(notebook.cells):
        if cell.source.startswith(stamp.SETUP):
            continue
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, slug, i == 0, known)
            cells.append(cell)
            continue
        for output in cell.outputs:
            link_to_pages(output)
        names, ids = EXPLORER.findall(cell.source), CHECKED.findall(cell.source)
        if course.is_solution(cell):
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-cell"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution",
            }  # fmt: skip
            cells.append(cell)
        elif names and "image/png" in cell.outputs[-1].get("data", {}):
            cells.append(cell)
            picture = cell.outputs[-1]
            still = save(pixels_of(picture), f"{slug}_{i}", stills, lossless=True)
            page = explorer(names[-1], still, alt_of(picture))
            picture.data = nbformat.from_dict({"text/html": page})
        elif ".replay()" in cell.source and "image/png" in cell.outputs[-1].get("data", {}):
            cells.append(cell)
            picture = cell.outputs[-1]
            parts = enumerate(cut(pixels_of(picture)))
            frames = [save(part, f"{slug}_{i}_{k}", stills, quality=88) for k, part in parts]
            picture.data = nbformat.from_dict({"text/html": film(frames, alt_of(picture))})
        elif len(ids) == 1 and (asked := exercise(ids[0])):
            cells.append(nbformat.v4.new_markdown_cell(asked))
        elif ids:
            cells += [cell, nbformat.v4.new_markdown_cell(wants_code(slug))]
        else:
            cells.append(cell)
    used = words_in(cells, words)
    if used:
        cells.append(nbformat.v4.new_markdown_cell(used))
    ending = f'<div class="lecture-end" data-lecture="{slug}"></div>'
    cells.append(nbformat.v4.new_markdown_cell(ending))
    notebook.cells = cells
    return notebook


def prose(text: str, slug: str, first: bool, known: dict[str, str]) -> str:
    """Return a text cell with the links of a page: no badge, for that comes from elsewhere."""
    if first:
        text = BADGES.sub(lambda _: run_links(slug) + "\n", text, count=1)
    text = re.sub(r"\]\(\.\./(genlib/[\w/]+)\.py\)", to_library, text)
    return references.linked(text, known)


def to_library(match) -> str:
    """Return a link to a module's page for one to its file."""
    return f"](../api/{match[1].removesuffix('/__init__').replace('/', '.')}.rst)"


def run_links(slug: str) -> str:
    """Return where to run a lecture, as one line."""
    where = ["at home (<code>make lab</code>)"]
    if stamp.address() != stamp.PLACEHOLDER:
        links = re.findall(r"\]\((https://(?:colab|mybinder)[^)]*)\)", stamp.badges(slug))
        names = ("in Colab", "on Binder")
        where[:0] = [f'<a href="{u}">{n}</a>' for u, n in zip(links, names, strict=True)]
    return (
        '<p class="run">Everything below moves without Python. To change the code, run this '
        f"lecture {', '.join(where)}.</p>\n"
    )


def link_to_pages(output) -> None:
    """Make links of an output lead to pages, not to notebooks."""
    if "data" in output and "text/markdown" in output.data:
        text = output.data["text/markdown"]
        output.data["text/markdown"] = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", text)


def save(pixels: np.ndarray, name: str, stills: Path, **options) -> str:
    """Store a picture beside the pages; return its address from a lecture."""
    Image.fromarray(pixels).save(stills / f"{name}.webp", **options)
    return f"../_static/stills/{name}.webp"


def pixels_of(picture) -> np.ndarray:
    """Return an output's picture, ``(h, w, 3)``."""
    png = base64.b64decode(picture.data["image/png"])
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def alt_of(picture) -> str:
    return html.escape(picture.metadata["image/png"]["alt"], quote=True)


def cut(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the frames of a film, four of which a notebook stores side by side."""

    def parted(rows: int) -> list[np.ndarray]:
        high, wide = (side // n for side, n in zip(pixels.shape, (rows, 4 // rows), strict=False))
        corners = [(high * row, wide * k) for row in range(rows) for k in range(4 // rows)]
        return [pixels[top : top + high, left : left + wide] for top, left in corners]

    def unlike(frames: list[np.ndarray]) -> float:
        return abs(frames[-1].astype(float) - frames[-2]).mean()

    # Wide frames stand two by two, others in one row: the last two of a film are alike.
    return min(parted(1), parted(2), key=unlike)


def film(frames: list[str], alt: str) -> str:
    """Return the place that ``static/course.js`` plays; without scripts, the frames in a row."""
    images = "".join(f'<img src="{frame}" alt="" loading="lazy">' for frame in frames)
    return f'<div class="gf" role="group" aria-label="{alt}">{images}</div>'


def explorer(name: str, still: str, alt: str) -> str:
    """Return the place that ``static/explorer.js`` fills; without scripts, a still picture."""
    return (
        f'<div class="gx" data-explorer="{name}">'
        f'<img src="{still}" alt="{alt}" loading="lazy"></div>'
    )


# Exercises


def exercise(name: str) -> str:
    """Return an exercise that the page itself can check, or "" where code is asked for."""
    kind = question(name)
    return place(name, kind) if isinstance(kind, check.Number | check.Choice) else ""


@functools.cache
def question(name: str) -> check.Number | check.Choice | check.Function:
    """Return an exercise; some compute their truth for seconds."""
    return check._find(name)()


def place(name: str, kind: check.Number | check.Choice) -> str:
    """Return the place that ``static/course.js`` fills, with the answer and what to say."""
    if isinstance(kind, check.Number):
        told = {
            "kind": "number",
            "truth": number(kind.truth),
            "tolerance": kind.tolerance,
            "right": kind.right,
            "mistakes": [[number(value), text] for value, text in kind.mistakes],
        }
    else:
        says = {kind.right_choice: kind.why, **kind.wrong}
        told = {
            "kind": "choice",
            "right": kind.options.index(kind.right_choice),
            "options": [[option, says[option]] for option in kind.options],
        }
    data = html.escape(json.dumps(told, ensure_ascii=False), quote=True)
    return f'<div class="gq" data-exercise="{name}" data-answer="{data}"></div>'


def number(value) -> float | str:
    """JSON knows no infinity."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def wants_code(slug: str) -> str:
    return (
        '<div class="gq-code">This exercise wants code, which needs Python: '
        "run the lecture in Colab, on Binder or at home.</div>"
    )


def checked_here(slug: str) -> int:
    """Return how many of a lecture's exercises its page can check."""
    return sum(bool(exercise(name)) for name in check.exercises(slug))


# The front page


def index() -> str:
    """Return the front page: the map of the course, and all pages in order."""
    rows, trees = [], []
    for theme, question in lectures.THEMES.items():
        some = [one for one in lectures.PLAN if one.theme == theme and lectures.is_open(one.slug)]
        if not some:
            continue
        rows.append(
            f"<section><h3>{html.escape(theme)}</h3><p>{html.escape(question)}</p><ol>"
            + "".join(station(one.slug, one.name, one.minutes) for one in some)
            + "</ol></section>"
        )
        trees.append(tree(theme, [(one.slug, one.name) for one in some]))
    stations = station(lectures.START, "Start here", 20)
    places = f'<div class="map"><section><ol>{stations}</ol></section>{"".join(rows)}</div>'
    trees.insert(0, tree("", [(lectures.START, "Start here")]))
    text = (HERE / "index.in").read_text(encoding="utf-8")
    return text.replace("@MAP@", places).replace("@TREES@", "\n".join(trees))


def station(slug: str, name: str, minutes: int) -> str:
    return (
        f'<li><a href="lectures/{slug}.html" data-lecture="{slug}" '
        f'data-exercises="{checked_here(slug)}"><b>{slug[:2]}</b>'
        f"<span>{html.escape(name.replace('- ', '-'))}</span>"
        f"<small>{minutes} min</small></a></li>"
    )


def tree(caption: str, pages) -> str:
    lines = [f"{slug[:2]} {name.replace('- ', '-')} <lectures/{slug}>" for slug, name in pages]
    options = f":caption: {caption}\n" if caption else ""
    return "```{toctree}\n:hidden:\n" + options + "\n" + "\n".join(lines) + "\n```\n"


# The glossary


def glossary() -> dict[str, str]:
    """Return the words of lecture 01's glossary and what they mean."""
    for cell in course.read(course.NOTEBOOKS / "01_terminology.ipynb").cells:
        if "### Glossary" in cell.source:
            text = cell.source.split("### Glossary")[1]
            return dict(re.findall(r"^- \*\*(.+?)\*\*: (.+)$", text, re.M))
    raise ValueError("lecture 01 has no glossary")


def anchor(word: str) -> str:
    return "word-" + re.sub(r"\W+", "-", word.lower()).strip("-")


def glossary_page(words: dict[str, str]) -> str:
    lines = ["# Glossary", "", "Every lecture links to the words that it uses.", ""]
    for word, meaning in words.items():
        lines += [f"({anchor(word)})=", f"**{word}**", f": {meaning}", ""]
    return "\n".join(lines)


def words_in(cells, words: dict[str, str]) -> str:
    """Return links to the glossary's words that a lecture's text uses."""
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown").lower()
    found = []
    for word in words:
        forms = [re.sub(r"\s*\(.*?\)", "", word), *re.findall(r"\((.+?)\)", word)]
        if any(re.search(rf"\b{re.escape(form.lower())}(?:s|es)?\b", text) for form in forms):
            found.append(f"[{word}](../glossary.md#{anchor(word)})")
    return "## Words of this lecture\n\n" + " · ".join(found) if found else ""


# The library


def api() -> dict[str, str]:
    """Return the pages of the API reference, one for each module of genlib but the lectures'."""
    modules = {}
    for path in sorted((ROOT / "genlib").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        if name.startswith("genlib.lectures.") or any(p.startswith("_") for p in parts[:-1]):
            continue
        if not parts[-1].startswith("_") or parts[-1] == "__init__":
            modules[name] = module_page(name)
    listed = "\n".join(f"   {name}" for name in modules)
    title = "The library, genlib"
    modules["index"] = (
        f"{title}\n{'=' * len(title)}\n\nEach page is made from the docstrings.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    )
    return modules


def module_page(name: str) -> str:
    title = name.replace("_", r"\_")
    options = ":members:", ":ignore-module-all:", ":exclude-members: set"
    lines = title, "=" * len(title), "", f".. automodule:: {name}", *(f"   {o}" for o in options)
    return "\n".join(lines) + "\n"
