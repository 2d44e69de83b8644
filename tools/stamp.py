"""Write the course's address, and the set-up cell that installs from it, wherever they stand.

    python tools/stamp.py                     the address in pyproject.toml; while that is the
                                              placeholder, that of git's remote, origin
    python tools/stamp.py owner/name          this one, from now on
    python tools/stamp.py --as-is             the placeholder too

The public address stands in pyproject.toml, ``[project.urls]``, and nowhere else by hand.
"""

import argparse
import re
import subprocess
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
PLACEHOLDER = "OWNER/REPOSITORY"
NAME = r"[\w.-]+/[\w.-]+?"
STAMPED_FILES = ("README.md", "CITATION.cff", "CONTRIBUTING.md")
SETUP = "# Set-up: "  # how the set-up cell begins


def address() -> str:
    """Return "owner/name" of the public repository, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    url = project["urls"]["Repository"]
    match = re.fullmatch(rf"https://github\.com/({NAME})(?:\.git)?/?", url)
    if not match:
        raise SystemExit(f"Repository must be https://github.com/OWNER/NAME; got {url}")
    return match[1]


def of_url(url: str) -> str | None:
    """Return "owner/name" of a repository on GitHub, by https or ssh; of anything else, None."""
    hosts = r"(?:https://(?:[^@/]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])?"
    match = re.fullmatch(rf"{hosts}({NAME})(?:\.git)?/?", url.strip())
    return match[1] if match else None


def origin() -> str:
    """Return "owner/name" of git's remote, origin; SystemExit where that is not on GitHub."""
    command = ["git", "remote", "get-url", "origin"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    url = run.stdout.strip()
    found = of_url(url) if "github.com" in url else None
    if not found:
        raise SystemExit(
            f"The address in pyproject.toml is still {PLACEHOLDER}, and git's origin is "
            f"{url or 'not set'}, not on GitHub. Say it: python tools/stamp.py owner/name"
        )
    return found


def adopt(name: str) -> None:
    """Write an address into pyproject.toml."""
    path = ROOT / "pyproject.toml"
    old = path.read_text()
    line = r'(?m)^(Repository = "https://github\.com/)[^"]*'
    new = re.sub(line, lambda match: match[1] + name, old)
    if new != old:
        path.write_text(new)
        print("stamped pyproject.toml")


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
    that is installed ``import genlib`` alone succeeds. A copy that does not know its address says
    so; pip would only say that it cannot find one.
    """
    begin = f"""{SETUP}installs genlib only where it is missing (as in Colab).
try:
    import genlib.lectures
except ImportError:
"""
    if address() == PLACEHOLDER:
        return f"""{begin}    raise SystemExit(
        "This copy does not know where genlib is: run `python tools/stamp.py owner/name` in it, "
        "with its place on GitHub, and push."
    ) from None"""
    return f"""{begin}    %pip install -q "genlib @ git+https://github.com/{address()}"
    import sys

    sys.modules.pop("genlib", None)  # another library of this name
    import genlib.lectures"""


def stamped(text: str, plain_links: bool) -> str:
    """Return ``text`` with the course's address in every link to the course's repository."""
    for pattern in OWN_LINKS + [r"(?<=https://github\.com/){}"] * plain_links:
        text = re.sub(pattern.format(r"[\w-]+/[\w-]+(?:\.(?!git\b)[\w-]+)*"), address(), text)
    if plain_links:  # where the static book is published
        text = re.sub(r"https://[\w-]+\.github\.io/[\w-]+(?:\.[\w-]+)*", book_address(), text)
    return text


def book_address() -> str:
    """Return where GitHub Pages publishes the static book."""
    owner, name = address().split("/")
    return f"https://{owner}.github.io/{name}"


def stamped_lecture(path: Path) -> str:
    """Return a notebook's text with the address and the set-up cell of today."""
    notebook = read(path)
    for cell in notebook.cells[:2]:
        if cell.source.startswith(SETUP):
            cell.source = setup_cell()
    return stamped(stored(notebook), plain_links=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address", nargs="?", help="owner/name, or its https or ssh address")
    parser.add_argument("--as-is", action="store_true", help="stamp the placeholder too")
    asked = parser.parse_args()
    if asked.address:
        if not (name := of_url(asked.address)):
            raise SystemExit(f"the address must be owner/name on GitHub; got {asked.address}")
        adopt(name)
    elif address() == PLACEHOLDER and not asked.as_is:
        adopt(origin())
    stamp_all()


def stamp_all() -> None:
    """Write today's address wherever it stands; print what changed."""
    new = {path: stamped_lecture(path) for path in lectures()}
    for name in STAMPED_FILES:
        new[ROOT / name] = stamped((ROOT / name).read_text(), plain_links=True)
    for path, text in new.items():
        if text != path.read_text():
            path.write_text(text)
            print(f"stamped {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
