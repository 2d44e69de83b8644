"""Build the static book: ``make book``.

    python book/build.py                      all of it, into build/book
    python book/build.py --only kl elbo       with these explorers' pictures only
    python book/build.py --jobs 2             in two processes
    python book/build.py --points 20          a quick look, with few steps a slider

It is read from disk or from any web server: ``build/book/index.html``. A second build computes only
what has changed.
"""

import argparse
import importlib.util
import shutil
import sys
import time
from pathlib import Path

import pages
import pictures

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
SOURCES, BOOK = BUILD / "pages", BUILD / "book"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these explorers; else all")
    most = pictures.MOST_POINTS
    parser.add_argument("--points", type=int, default=most, help=pictures.POINTS)
    parser.add_argument("--all-pages", action="store_true", help="write unchanged pages too")
    asked = parser.parse_args()
    begun = time.perf_counter()
    static = SOURCES / "_static"
    names = list(pictures.SCENES) if asked.only is None else asked.only
    pictures.make(static / "explorers", names, asked.jobs, asked.points)
    for path in (HERE / "static").iterdir():
        shutil.copy(path, static / path.name)
    mathjax(static / "mathjax")
    pages.stage(SOURCES)
    for name in ("conf.py", "references.bib"):
        shutil.copy(HERE / name, SOURCES / name)
    from sphinx.cmd.build import main as sphinx

    options = ["-q", "-j", str(asked.jobs), "-d", str(BUILD / "doctrees")]
    options += ["-a", "-E"] if asked.all_pages else []
    status = sphinx([*options, str(SOURCES), str(BOOK)])
    for path in BOOK.rglob("*.map"):  # for those who debug the theme
        path.unlink()
    size = sum(path.stat().st_size for path in BOOK.rglob("*") if path.is_file())
    print(f"{BOOK / 'index.html'}: {size / 1e6:.1f} MB in {time.perf_counter() - begun:.0f} s")
    sys.exit(status)


def mathjax(folder: Path) -> None:
    """Copy what a page needs of MathJax from the package that carries it."""
    if folder.exists():
        return
    package = Path(importlib.util.find_spec("mathjax").origin).parent / "static/mathjax/es5"
    fonts = Path("output/chtml/fonts/woff-v2")
    shutil.copytree(package / fonts, folder / fonts)
    shutil.copy(package / "tex-chtml-full.js", folder)
    shutil.copy(package.parent / "LICENSE", folder)


if __name__ == "__main__":
    main()
