"""What a newcomer meets first: install, lock, links, Binder, and the order of modules."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import notebooks as nb

ROOT = nb.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def shell(*command, cwd=ROOT, **environment):
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("PYTHON", "UNLOCKED", "MAKEFLAGS")
    }
    environment = inherited | environment
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


# The address


@pytest.mark.parametrize("name", nb.STAMPED_FILES)
def test_documents_carry_the_address_of_pyproject(name):
    text = (ROOT / name).read_text()
    assert nb.stamped(text, plain_links=True) == text, "run `python tools/notebooks.py stamp`"


def test_lectures_carry_the_address_of_pyproject():
    for path in nb.lectures():
        text = path.read_text()
        assert nb.stamped(text, plain_links=False) == text, f"{path.name}: run the stamp command"


def test_the_stamp_changes_each_link_of_ours_and_no_other(monkeypatch):
    monkeypatch.setattr(nb, "address", lambda: "new-owner/new.name")
    lecture = (
        f"{nb.badges('10_kl')} {nb.setup_cell()} [TFP](https://github.com/tensorflow/probability)"
    )
    old = lecture.replace("new-owner/new.name", "before/old_name.git2")
    assert nb.stamped(old, plain_links=False) == lecture
    assert nb.stamped(lecture, plain_links=False) == lecture
    readme = 'git clone https://github.com/a/b.git "https://github.com/a/b/issues"'
    assert nb.stamped(readme, plain_links=True) == readme.replace("a/b", "new-owner/new.name")


# Documents


def test_the_table_of_lectures_is_up_to_date():
    assert nb.table() == nb.README.read_text(), "run `python tools/notebooks.py table`"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_within_the_project_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert local and [link for link in local if not (ROOT / link).exists()] == []


def test_the_citation_is_complete_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert citation["version"] == PROJECT["version"]
    assert f'__version__ = "{PROJECT["version"]}"' in (ROOT / "genlib" / "__init__.py").read_text()


# The lock


def lock(name="requirements.txt"):
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted(*extras):
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    return [Requirement(line) for group in groups for line in group]


def locked_version(name, requirements, python):
    environment = {
        "python_version": python,
        "python_full_version": python + ".99",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = [
        str(next(iter(r.specifier)).version)
        for r in requirements
        if canonicalize_name(r.name) == canonicalize_name(name)
        and (r.marker is None or r.marker.evaluate(environment))
    ]
    assert len(found) == 1, f"{name} is locked {len(found)} times for Python {python}"
    return Version(found[0])


@pytest.mark.parametrize("name", ["requirements.txt", "binder/requirements.txt"])
def test_every_locked_requirement_is_pinned_and_comes_from_the_index(name):
    assert "make lock" in (ROOT / name).read_text().splitlines()[0]
    for requirement in lock(name):
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert requirement.url is None


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_keeps_the_ranges_of_pyproject(python):
    assert Version(python + ".0") in Requirement("x" + PROJECT["requires-python"]).specifier
    for requirement in wanted("lab", "test"):
        version = locked_version(requirement.name, lock(), python)
        assert version in requirement.specifier, f"{requirement} is locked as {version}: make lock"


def test_binder_has_the_versions_of_the_lock():
    python = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    for requirement in wanted():
        version = locked_version(requirement.name, lock("binder/requirements.txt"), python)
        assert version == locked_version(requirement.name, lock(), python)


def test_binder_leaves_the_browser_tests_out():
    names = {requirement.name for requirement in lock("binder/requirements.txt")}
    assert not names & {"playwright", "pytest", "jupyter-repo2docker"}


def test_repo2docker_accepts_the_binder_folder(tmp_path):
    pytest.importorskip("repo2docker")
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    run = shell(*command, cwd=tmp_path)
    dockerfile = run.stdout + run.stderr
    assert run.returncode == 0, dockerfile[-2000:]
    python = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"Building conda environment for python={python}\n" in dockerfile
    assert '-r "binder/requirements.txt"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


# make


@pytest.mark.parametrize("target", ["lab", "test", "bench", "notebooks", "colab-check", "lock"])
def test_make_knows_its_commands(target):
    run = shell("make", "-n", target)
    assert run.returncode == 0, run.stderr
    assert "tools/environment.sh" in run.stdout
    assert re.search(rf"^  make {target} +\w", shell("make", "help").stdout, re.M)


def test_the_lab_opens_the_first_lecture_with_a_screen_and_without():
    bare = shell("make", "-n", "lab", DISPLAY="", WAYLAND_DISPLAY="").stdout
    assert "/lab/tree/notebooks/00_start_here.ipynb" in bare
    assert ("--allow-root" in bare) == (os.getuid() == 0)
    if sys.platform == "linux":
        assert "--no-browser" in bare
        assert "--no-browser" not in shell("make", "-n", "lab", DISPLAY=":0").stdout


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_a_python_that_does_not_fit_gets_one_clear_line(tmp_path):
    said = {
        "/nonexistent/python": "PYTHON=/nonexistent/python was not found",
        script(tmp_path / "old", 'echo "Python 3.9.18"; [ "$1" = --version ]'): "Python 3.9.18",
        script(tmp_path / "shim", "echo 'shim: no such version' >&2; exit 127"): "no such version",
    }
    for python, words in said.items():
        run = shell("make", "lab", f"PYTHON={python}")
        assert run.returncode
        lines = [line for line in run.stderr.splitlines() if not line.startswith("make")]
        assert len(lines) == 1 and words in lines[0]
        assert "needs Python 3.11, 3.12 or 3.13" in lines[0]


def test_no_python_at_all_is_said(project):
    folder, _ = project
    run = shell("/bin/sh", "tools/environment.sh", cwd=folder, PATH=str(folder / "bin"))
    assert run.returncode and "none was found on this machine" in run.stderr


@pytest.fixture
def project(tmp_path):
    """A copy of what makes the environment, and a false Python 3.12 that writes down its calls."""
    folder = tmp_path / "course"
    (folder / "tools").mkdir(parents=True)
    (folder / "bin").mkdir()
    for name in ("tools/environment.sh", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("dirname", "cat", "cksum", "head", "mkdir", "cp"):
        (folder / "bin" / name).symlink_to(shutil.which(name))
    python = script(
        tmp_path / "python3.12",
        f"""echo "$*" >>{tmp_path}/calls
case "$1 $2" in
    "-c "*) echo 3.12 ;;
    "-m venv") mkdir -p .venv/bin && cp {tmp_path}/python3.12 .venv/bin/python ;;
    "-m pip") [ ! -e {tmp_path}/offline ] ;;
esac
""",
    )

    def make(expect=0, where=folder, **environment):
        """Make the environment; return how it called venv and pip."""
        (tmp_path / "calls").write_text("")
        environment = {"PYTHON": python} | environment
        run = shell("/bin/sh", "tools/environment.sh", cwd=where, **environment)
        assert run.returncode == expect, run.stderr
        return re.findall(r"^-m (?:venv|pip) .*", (tmp_path / "calls").read_text(), re.M)

    return folder, make


def test_a_second_start_installs_nothing(project):
    _, make = project
    new, locked, own = make()
    assert new == "-m venv --clear .venv"
    assert "--requirement requirements.txt" in locked and "--compile" in locked
    assert "--no-deps --editable ." in own
    assert make() == []
    assert make(PYTHON="") == []


def test_an_interrupted_install_heals_at_the_next_start(project, tmp_path):
    folder, make = project
    (tmp_path / "offline").touch()
    make(expect=1)
    assert not (folder / ".venv" / ".ready").exists()
    (tmp_path / "offline").unlink()
    assert len(make()) == 3
    (folder / ".venv" / "bin" / "python").unlink()
    assert len(make()) == 3
    assert make() == []


def test_a_new_lock_is_installed_over_the_old(project, tmp_path):
    folder, make = project
    make()
    with (folder / "requirements.txt").open("a") as file:
        file.write("six==1.17.0\n")
    (tmp_path / "offline").touch()
    assert not [call for call in make(expect=1) if "venv" in call]
    (tmp_path / "offline").unlink()
    assert len(make()) == 3, "the interrupted one starts anew"
    with (folder / "pyproject.toml").open("a") as file:
        file.write("# new\n")
    assert len(make()) == 2
    assert make() == []


def test_a_moved_folder_starts_anew(project, tmp_path):
    folder, make = project
    make()
    moved = folder.rename(tmp_path / "moved")
    assert len(make(where=moved)) == 3
    assert make(where=moved) == []


def test_unlocked_takes_the_ranges_of_pyproject(project):
    _, make = project
    make()
    _, call = make(UNLOCKED="1")
    assert "--editable .[lab,test]" in call and "requirements.txt" not in call
    assert len(make()) == 3


# The modules of genlib, from the ground up: an import only ever points down this list.

MODULES = """
validate data divergences networks replicas training likelihood gans metrics experiments
plots source widgets check lectures
""".split()


def imported_modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports within genlib are written in full"
            modules = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] == "genlib" and len(parts) > 1:
                yield parts[1]


def test_imports_point_only_down():
    for path in (ROOT / "genlib").rglob("*.py"):
        module = path.relative_to(ROOT / "genlib").parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        assert module in MODULES, f"{module} has no place in the order of modules"
        for other in imported_modules(ast.parse(path.read_text())):
            assert MODULES.index(other) <= MODULES.index(module), (
                f"{path} imports {other}, from above"
            )


# Style


def test_the_code_is_formatted_and_without_lint():
    for command in (["format", "--check"], ["check"]):
        run = shell(
            sys.executable, "-m", "ruff", *command, "genlib", "tests", "tools", "benchmarks"
        )
        assert run.returncode == 0, run.stdout + run.stderr
