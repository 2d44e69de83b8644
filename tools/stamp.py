"""Write the course's address, and the set-up cell that installs from it, wherever they stand.

    python tools/stamp.py

The public address stands in pyproject.toml, ``[project.urls]``, and nowhere else by hand.
"""

import re
import tomllib
import urllib.parse
from pathlib import Path

from course import ROOT, lectures, read
from format import stored

# A lecture may link to anyone's repository, so there only these three forms are the course's own.
# README and its like name no other repository on GitHub.
OWN_LINKS = [
    r"(?<=https://colab\.research\.google\.com/github/){}(?=/blob/)",
    r"(?<=https://mybinder\.org/v2/gh/){}(?=/)",
    r"(?<=git\+https://github\.com/){}",
]
STAMPED_FILES = ("README.md", "CITATION.cff", "CONTRIBUTING.md")
SETUP = "# Set-up: "  # how the set-up cell begins


def address() -> str:
    """Return "owner/name" of the public repository, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    url = project["urls"]["Repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    if not match:
        raise SystemExit(f"Repository must be https://github.com/OWNER/NAME; got {url}")
    return match[1]


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
    """Return the code of the set-up cell, the same in every lecture.

    It asks for a module of the course's own: PyPI has another library called genlib, and where
    that is installed ``import genlib`` alone succeeds.
    """
    return f"""{SETUP}installs genlib only where it is missing (as in Colab).
try:
    import genlib.lectures
except ImportError:
    %pip install -q "genlib @ git+https://github.com/{address()}"
    import sys

    sys.modules.pop("genlib", None)  # another library of this name
    import genlib.lectures"""


def stamped(text: str, plain_links: bool) -> str:
    """Return ``text`` with the course's address in every link to the course's repository."""
    for pattern in OWN_LINKS + [r"(?<=https://github\.com/){}"] * plain_links:
        text = re.sub(pattern.format(r"[\w-]+/[\w-]+(?:\.(?!git\b)[\w-]+)*"), address(), text)
    return text


def stamped_lecture(path: Path) -> str:
    """Return a notebook's text with the address and the set-up cell of today."""
    notebook = read(path)
    for cell in notebook.cells[:2]:
        if cell.source.startswith(SETUP):
            cell.source = setup_cell()
    return stamped(stored(notebook), plain_links=False)


def main() -> None:
    new = {path: stamped_lecture(path) for path in lectures()}
    for name in STAMPED_FILES:
        new[ROOT / name] = stamped((ROOT / name).read_text(), plain_links=True)
    for path, text in new.items():
        if text != path.read_text():
            path.write_text(text)
            print(f"stamped {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
