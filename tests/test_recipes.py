"""CONTRIBUTING's recipes, followed to the letter in a copy of the project by an author of ours.

The commands and the code come from CONTRIBUTING and from the examples that it points to; the suite
of the copy then runs on what was added: an explorer, two exercises, a lecture and a GAN.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from xml.etree import ElementTree

import nbformat
import pytest

from course import ROOT
from genlib import check
from genlib.widgets import explorer

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
SLUG, SCENE, GAN = "17_entropy", "gaussian", "hinge"

# What may break by a new lecture or GAN, whatever it holds; how long the library is does not count.
FILES = ("notebooks", "project", "lectures", "widgets", "check", "gans")
STRUCTURE = "plan or lectures or readme or table or links or import or formatted or map"
CONCERNED = f"{SLUG} or {SCENE} or {GAN} or ({STRUCTURE}) and not short"

IMPORTS = """\
import numpy as np
from tensorflow_probability import distributions as tfd

from genlib.check import Number, exercise
from genlib.divergences import kl
from genlib.lectures.maths import normal
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import density, panel
"""


def recipe(title):
    """Return a section of the guide."""
    return re.search(rf"^## {title}\n(.*?)(?=^## )", GUIDE, re.S | re.M)[1]


def blocks(title):
    """Return the pieces of Python that a section shows."""
    found = re.findall(r"^( *)```python\n(.*?)^ *```", recipe(title), re.S | re.M)
    return [textwrap.dedent(code) for _, code in found]


def example(module, start):
    """Return the example at the top of a module: the block of its docstring that has ``start``."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", module.__doc__)
    return textwrap.dedent(next(code for code in found if start in code)).strip() + "\n"


class Author:
    """Someone who does what the guide says, in a copy of the project."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(folder)}

    def python(self, *arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def command(self, line):
        """Do a command of the guide, such as ``python tools/run.py 17``."""
        program, *arguments = re.findall(r'"[^"]*"|\S+', line)
        assert program == "python"
        code, said = self.python(*(word.strip('"') for word in arguments))
        assert code == 0, f"{line}\n{said}"

    def make(self, target):
        """Do what a target of the Makefile does, in the environment of these tests."""
        listed = subprocess.run(
            ["make", "-n", target], cwd=self.folder, capture_output=True, text=True, check=True
        )
        for line in re.findall(r"^\.venv/bin/(python .*)", listed.stdout, re.M):
            self.command(line)

    def change(self, name, old, new):
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} lacks {old!r}"
        path.write_text(text.replace(old, new, 1))

    def plan(self, line):
        """Put a line into the plan, where its number belongs."""
        path = self.folder / "genlib" / "lectures" / "__init__.py"
        lines = path.read_text().splitlines(keepends=True)
        entries = [
            node
            for node in ast.walk(ast.parse("".join(lines)))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Lecture"
        ]
        slugs = [getattr(entry.args[1], "value", "") for entry in entries]
        after = next(e for e, slug in zip(entries, slugs, strict=True) if slug > SLUG)
        lines.insert(after.lineno - 1, textwrap.indent(line, "    "))
        path.write_text("".join(lines))

    def module(self):
        """Write the lecture's module: the two examples that the guide points to."""
        scene = example(explorer, "(Scene):")
        if "@scene(" not in scene:
            scene = f'@scene("{SCENE}")\n{scene}'
        ask = re.sub(
            r'@exercise\(".*?"\)\ndef \w+',
            '@exercise("{id}")\ndef {name}',
            example(check, "@exercise("),
        )
        first, second = (
            ask.replace("{id}", f"{SLUG}/{n}").replace("{name}", f"exercise_{n}") for n in (1, 2)
        )
        path = self.folder / "genlib" / "lectures" / f"l{SLUG}.py"
        path.write_text(
            "\n\n".join(['"""Lecture 17: entropy."""\n\n' + IMPORTS, scene, first, second])
        )

    def write(self):
        """Fill in a notebook, wherever it says TODO."""
        path = self.folder / "notebooks" / f"{SLUG}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        code = {
            "# TODO: a picture\n": "fig, ax = genlib.plots.figure()\nax.plot([0, 1], [0, 1])\n",
            'explore("TODO")': f'explore("{SCENE}")',
            "source.show(TODO)": "source.show(genlib.divergences.kl)",
            "answer = ...  # TODO": "from tensorflow_probability import distributions as tfd\n\n"
            "answer = genlib.divergences.kl(tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 2.0))",
            "TODO": "Said",
        }
        for cell in notebook.cells:
            for todo, done in code.items():
                cell.source = cell.source.replace(todo, done)
        nbformat.write(notebook, path)

    def gan(self, code, registered):
        """Write the objective's file, and name it in the registry as the guide shows."""
        name = re.search(r"`(genlib/gans/\w+\.py)`", recipe("Add a GAN"))[1]
        (self.folder / name).write_text(code)
        line = re.search(r"^from .*$", registered, re.M)[0]
        start, entry = re.search(
            r"^(REGISTRY.*\{)\n    \.\.\.\n(.*)\n\}", registered, re.M
        ).groups()
        registry = "genlib/gans/__init__.py"
        self.change(registry, "\nfrom genlib.gans.gan ", f"\n{line}\nfrom genlib.gans.gan ")
        self.change(registry, start, f"{start}\n{entry}")

    def outcomes(self, *where):
        """Run the suite of the copy on what is new; return the outcome of each test by its name."""
        options = ["-q", "--tb=short", "--junitxml=tests.xml"]
        _, said = self.python("-m", "pytest", *options, "-k", CONCERNED, *where)
        cases = ElementTree.parse(self.folder / "tests.xml").iter("testcase")
        found = {
            f"{case.get('classname')}::{case.get('name')}": [
                part.tag for part in case if part.tag in ("failure", "error", "skipped")
            ]
            for case in cases
        }
        return found, said


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Follow every recipe in one copy; return the outcomes of its tests, and what they said."""
    folder = tmp_path_factory.mktemp("copy") / "course"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.egg-info"))
    author = Author(folder)
    (line,) = blocks("Add a lecture")
    commands = re.findall(r"`(python tools/[^`]*)`", recipe("Add a lecture"))
    assert re.findall(r"(\w+)\.py", " ".join(commands)) == ["new", "run", "verify", "table"]
    author.plan(line)
    author.command(commands[0])
    author.module()
    author.write()
    for command in commands[1:]:
        author.command(command)
    author.gan(*blocks("Add a GAN"))
    author.make("format")
    return author.outcomes(*(f"tests/test_{name}.py" for name in FILES))


RECIPES = {
    "a lecture": [
        f"test_notebooks::test_lecture_follows.*{SLUG}",
        "test_project::",
        "test_lectures::",
    ],
    "an explorer": [rf"test_widgets::.*\[{SCENE}\]"],
    "an exercise": [f"test_check::.*{SLUG}/2"],
    "a GAN": [rf"test_gans::.*\[{GAN}\]"],
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", RECIPES)
def test_the_suite_accepts(what, results):
    outcomes, said = results
    for kind in RECIPES[what]:
        ran = {name: bad for name, bad in outcomes.items() if re.search(kind, name)}
        assert ran, f"no test of {kind}: {[*outcomes]}"
        assert [name for name, bad in ran.items() if bad] == [], said
