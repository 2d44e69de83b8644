"""Choose anew the newest versions that pyproject.toml admits: ``make lock``.

Writes ``requirements.txt`` (the whole course, for Python 3.11 to 3.13) and
``binder/requirements.txt`` (the same versions of genlib's own needs: Binder brings Jupyter) and
``book/requirements.txt`` (what builds the static book, beside the course's environment).
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# Made by `make lock` from pyproject.toml: do not edit by hand.
# {what}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "uv"], check=True)
        uv = f"{folder}/bin/uv"
        compile_lock(
            uv,
            ROOT / "requirements.txt",
            "One lock for Python 3.11 to 3.13: the course, JupyterLab and the tests.",
            ["--universal", "--python-version=3.11", "--extra=lab", "--extra=test"],
        )
        compile_lock(
            uv,
            ROOT / "binder" / "requirements.txt",
            "What genlib needs on Binder (Linux, Python 3.12), in requirements.txt's versions.",
            ["--python-version=3.12", "--python-platform=linux", "--constraint=requirements.txt"],
        )
        compile_lock(
            uv,
            ROOT / "book" / "requirements.txt",
            "What builds the book; what the course holds too is in requirements.txt's versions.",
            ["--universal", "--python-version=3.11", "--constraint=requirements.txt"],
            source="book/requirements.in",
        )


def compile_lock(
    uv: str, path: Path, what: str, options: list[str], source: str = "pyproject.toml"
) -> None:
    command = [uv, "pip", "compile", "--no-config", "--quiet", "--upgrade", "--no-header"]
    command += ["--no-emit-index-url", "--no-annotate", *options, source]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    path.write_text(HEADER.format(what=what) + run.stdout)
    print(f"{path.relative_to(ROOT)}: {run.stdout.count('==')} packages")


if __name__ == "__main__":
    sys.exit(main())
