"""What a newcomer meets first: install, lock, links, Binder, and the order of modules."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import course
import stamp
import table
from course import ROOT
from genlib import _MODULES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
README = course.README.read_text()
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


@pytest.mark.parametrize("name", stamp.STAMPED_FILES)
def test_documents_carry_the_address_of_pyproject(name):
    text = (ROOT / name).read_text()
    assert stamp.stamped(text, plain_links=True) == text, "run `python tools/stamp.py`"


def test_lectures_carry_the_address_and_the_set_up_cell():
    old = [p.name for p in course.lectures() if stamp.stamped_lecture(p) != p.read_text()]
    assert old == [], "run `python tools/stamp.py`"


def test_the_stamp_changes_each_link_of_ours_and_no_other(monkeypatch):
    monkeypatch.setattr(stamp, "address", lambda: "new-owner/new.name")
    lecture = f"{stamp.badges('10_kl')} {stamp.setup_cell()} [TFP](https://github.com/tensorflow/probability)"
    old = lecture.replace("new-owner/new.name", "before/old_name.git2")
    assert stamp.stamped(old, plain_links=False) == lecture
    assert stamp.stamped(lecture, plain_links=False) == lecture
    readme = 'git clone https://github.com/a/b.git "https://github.com/a/b/issues"'
    assert stamp.stamped(readme, plain_links=True) == readme.replace("a/b", "new-owner/new.name")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/an-owner/a.name.git", "an-owner/a.name"),
        ("https://token@github.com/an-owner/name/", "an-owner/name"),
        ("git@github.com:an-owner/name.git", "an-owner/name"),
        ("ssh://git@github.com/an-owner/name", "an-owner/name"),
        ("an-owner/name", "an-owner/name"),
        ("https://gitlab.com/an-owner/name.git", None),
        ("git@example.org:an-owner/name.git", None),
        ("https://github.com/an-owner", None),
        ("/home/me/an-owner/name", None),
    ],
)
def test_an_address_on_github_is_known_by_its_forms(url, name):
    assert stamp.of_url(url) == name


@pytest.fixture
def clone(tmp_path):
    """What the stamp reads and writes, with three lectures, as a git repository; its runs."""
    folder = tmp_path / "clone"
    for name in ("pyproject.toml", *stamp.STAMPED_FILES, "genlib/lectures/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=lambda *_: ["__pycache__"])
    (folder / "notebooks").mkdir()
    for path in course.lectures()[:3]:
        shutil.copy(path, folder / "notebooks")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(*command):
        return shell(*command, cwd=folder, PATH=path)

    for file in (path for path in folder.rglob("*.*") if path.is_file()):
        file.write_text(file.read_text().replace(stamp.address(), stamp.PLACEHOLDER))
    run("git", "init", "--quiet", "--initial-branch=main")
    run("git", "init", "--quiet", "--bare", "../home.git")
    run("git", "remote", "add", "origin", "https://github.com/OWNER/REPOSITORY")
    run("git", "remote", "set-url", "--push", "origin", "../home.git")
    run("git", "config", "push.default", "current")
    run("git", "add", "--all")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
    return folder, run


def without_set_up(text):
    """Return a notebook's text less the lines of its set-up cell."""
    before, begin, rest = text.partition(f'    "{stamp.SETUP}')
    return before + rest.partition("\n   ]")[2]


def test_an_unstamped_copy_says_in_one_sentence_what_to_do(monkeypatch):
    code = {}
    for name in (stamp.PLACEHOLDER, "an-owner/a.name"):
        monkeypatch.setattr(stamp, "address", lambda name=name: name)
        code[name] = stamp.setup_cell()
    assert "git+https://github.com/an-owner/a.name" in code["an-owner/a.name"]
    lacking = code[stamp.PLACEHOLDER].replace("genlib.lectures", "no_such_module.at_all")
    with pytest.raises(SystemExit, match="python tools/stamp.py owner/name"):
        exec(lacking, {})


def test_a_new_home_stamps_itself_once_and_changes_nothing_else(clone):
    folder, run = clone
    before = {path: path.read_text() for path in folder.rglob("*.ipynb")}
    stamped = run("sh", "tools/stamp_and_commit.sh", "new-owner/new.name")
    assert stamped.returncode == 0, stamped.stderr
    count = run("git", "rev-list", "--count", "HEAD", "origin/main").stdout.strip()
    assert count == "2" and (folder / ".stamped").exists()
    for path, old in before.items():
        assert "new-owner/new.name" in path.read_text() and "OWNER" not in path.read_text()
        one, other = (without_set_up(text) for text in (old, path.read_text()))
        assert other == one.replace("OWNER/REPOSITORY", "new-owner/new.name")
    readme = (folder / "README.md").read_text()
    assert "https://new-owner.github.io/new.name" in readme and "OWNER" not in readme
    again = run("sh", "tools/stamp_and_commit.sh", "new-owner/new.name")
    assert again.returncode == 0 and again.stdout == "The address is right.\n"


def test_the_placeholder_gives_way_to_the_origin_or_says_what_to_do(clone):
    folder, run = clone
    run("git", "remote", "set-url", "origin", "git@gitlab.com:a/b.git")
    refused = run(sys.executable, "tools/stamp.py")
    assert refused.returncode and "python tools/stamp.py owner/name" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run("git", "status", "--porcelain").stdout == ""
    run("git", "remote", "set-url", "origin", "git@github.com:a/b.git")
    assert run(sys.executable, "tools/stamp.py").returncode == 0
    assert '"https://github.com/a/b"' in (folder / "pyproject.toml").read_text()
    run("git", "remote", "set-url", "origin", "git@github.com:c/d.git")
    assert run(sys.executable, "tools/stamp.py").stdout == ""  # an address that is set, stays


# Documents


def test_the_table_of_lectures_is_up_to_date():
    assert table.table() == README, "run `python tools/table.py`"


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

LOCKS = ("requirements.txt", "binder/requirements.txt", "book/requirements.txt")


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


@pytest.mark.parametrize("name", LOCKS)
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


def test_the_book_has_the_versions_of_the_lock():
    """What both environments hold; it may lack a package where a marker leaves it out."""
    lines = (ROOT / "book" / "requirements.in").read_text().splitlines()
    for line in filter(None, (line.partition("#")[0] for line in lines)):
        assert any(r.name == Requirement(line).name for r in lock("book/requirements.txt")), line
    course_has = {canonicalize_name(r.name): {str(r.specifier)} for r in lock()}
    for requirement in lock():
        course_has[canonicalize_name(requirement.name)].add(str(requirement.specifier))
    for requirement in lock("book/requirements.txt"):
        known = course_has.get(canonicalize_name(requirement.name), {str(requirement.specifier)})
        assert str(requirement.specifier) in known, f"{requirement}: make lock"


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


@pytest.mark.parametrize(
    "target", ["lab", "test", "bench", "notebooks", "colab-check", "lock", "book"]
)
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


# The modules of genlib


def sources():
    """Return the code of genlib's files by the names under which they are imported."""
    found = {}
    for path in (ROOT / "genlib").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return found


def imports(code):
    """Return what of genlib the import statements of some code name: "genlib.plots.show"."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports within genlib are written in full"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "genlib"]


def floor(name):
    """Return how far down a file or module stands; genlib itself is below all of its modules."""
    module = name.split(".")[1:2]
    return _MODULES.index(module[0]) if module else len(_MODULES)


def upward(code):
    """Return the imports that point up, as pairs of names."""
    return [
        (name, other)
        for name, text in code.items()
        for other in imports(text)
        if other.split(".")[1:2] and floor(other) < floor(name)
    ]


def circle(code):
    """Return files that import each other in a circle, first and last the same; or nothing."""

    def file_of(name):
        return name if name in code else file_of(name.rpartition(".")[0])

    graph = {name: {file_of(other) for other in imports(text)} for name, text in code.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_imports_point_only_down():
    assert upward(sources()) == []


def test_no_two_files_import_each_other():
    assert circle(sources()) == []


def test_an_import_that_points_up_and_a_circle_are_caught():
    code = {"genlib": "", "genlib.check": "", "genlib.lectures": "", "genlib.lectures.maps": ""}
    code |= {"genlib.plots": "import numpy", "genlib.gans": "", "genlib.gans.gan": ""}
    well = code | {"genlib.lectures.maps": "from genlib import plots\nfrom genlib.check import x"}
    assert (upward(well), circle(well)) == ([], [])
    for name, line in (
        ("genlib.check", "from genlib import lectures"),
        ("genlib.gans.gan", "def f():\n    import genlib.lectures.maps"),
        ("genlib", "from genlib.check import check"),
    ):
        assert [up[0] for up in upward(code | {name: line})] == [name]
    around = {
        "genlib.gans": "from genlib.gans.gan import GAN",
        "genlib.gans.gan": "import genlib.gans",
    }
    assert upward(code | around) == [] and set(circle(code | around)) == set(around)


def test_readme_lists_the_modules_in_their_order():
    assert re.findall(r"^\| `genlib\.(\w+)` \|", README, re.M) == _MODULES
    assert {name.split(".")[1] for name in sources() if name != "genlib"} == set(_MODULES)


def test_the_library_is_as_short_as_readme_says():
    most = int(re.search(r"under ([\d,]+) lines", README)[1].replace(",", ""))
    lines = {
        name: code.count("\n")
        for name, code in sources().items()
        if not name.startswith("genlib.lectures")
    }
    assert sum(lines.values()) < most, f"{sum(lines.values()):,} lines in {len(lines)} files"


# Style


def test_the_code_is_formatted_and_without_lint():
    for command in (["format", "--check"], ["check"]):
        run = shell(
            sys.executable, "-m", "ruff", *command, "genlib", "tests", "tools", "benchmarks"
        )
        assert run.returncode == 0, run.stdout + run.stderr
