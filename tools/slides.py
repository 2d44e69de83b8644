"""Make slides of lectures, for a browser.

    python tools/slides.py 10 30         build/slides/10_kl.slides.html, ...
    python tools/slides.py --full 10     with all the code, not only its pictures

A heading begins a slide, a picture or a number takes the next one down. Folded answers, set-up,
solutions and code stay out; ``Space`` goes on. The slides load reveal.js and MathJax from where
nbconvert finds them (``--reveal URL``: a folder of your own, to show them with no network).
"""

import argparse
import html
import re
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

from course import ROOT, headings, is_solution, lectures, read

LONGEST = 700  # characters of text on a slide; what is longer is parted at a blank line
NO_ALT = 'alt="No description has been provided for this image"'  # says nbconvert, in order
FIT = """<style>
.reveal .slides section { font-size: 0.62em; text-align: left; }
.reveal .slides img { display: block; margin: 0.4em auto; max-height: 62vh; width: auto; }
.reveal h1, .reveal h2, .reveal h3 { text-transform: none; text-align: left; }
.reveal pre { width: 100%; font-size: 0.8em; }
</style>
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", help="a slug (10_kl) or its beginning (10)")
    parser.add_argument("--full", action="store_true", help="show the code too")
    parser.add_argument("--reveal", metavar="URL", help="where reveal.js is")
    asked = parser.parse_args()
    folder = ROOT / "build" / "slides"
    folder.mkdir(parents=True, exist_ok=True)
    for path in lectures(asked.names):
        out = folder / f"{path.stem}.slides.html"
        out.write_text(convert(path, asked.full, asked.reveal), encoding="utf-8")
        print(out.relative_to(ROOT))


def convert(path: Path, full: bool = False, reveal: str | None = None) -> str:
    """Return a lecture's slides as HTML."""
    exporter = SlidesExporter(exclude_input=not full, exclude_input_prompt=True)
    exporter.exclude_output_prompt = True
    if reveal:
        exporter.reveal_url_prefix = reveal
    shown = slides(read(path))
    body, _ = exporter.from_notebook_node(shown)
    for output in (o for cell in shown.cells for o in cell.get("outputs", ())):
        if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
            body = body.replace(NO_ALT, f'alt="{html.escape(alt)}"', 1)
    return body.replace("</head>", FIT + "</head>", 1)


def slides(notebook):
    """Return a copy whose cells say which slide they open, of what a lecturer shows."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells += [nbformat.v4.new_markdown_cell(part) for part in parts(cell.source)]
        elif not is_solution(cell) and worth_showing(cell):
            cells.append(cell)
    for cell in cells:
        opens = cell.cell_type == "markdown" and (headings(cell) or cell.source.startswith("# "))
        cell.metadata["slideshow"] = {"slide_type": "slide" if opens else "subslide"}
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def worth_showing(cell) -> bool:
    """Whether a code cell leaves a picture or text, but no "Not answered yet"."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    return bool(cell.outputs) and not text.startswith("Not answered yet")


def parts(text: str) -> list[str]:
    """Return a text cell as pieces that fit a slide; folded answers and badges are left out."""
    text = re.sub(r"<details>.*?</details>", "", text, flags=re.S)
    text = re.sub(r"^\[!\[Open in Colab\].*$", "", text, flags=re.M)
    found = [""]
    for block in re.split(r"\n\n+", text.strip()):
        begins = re.match(r"#{1,3} ", block)
        if found[-1] and (begins or len(found[-1]) + len(block) > LONGEST):
            found.append("")
        found[-1] += block + "\n\n"
    return [piece for piece in map(str.strip, found) if piece]


if __name__ == "__main__":
    main()
