"""Prove that genlib changes no package of Colab's, and runs there: ``make colab-check``.

``tools/colab-py313.txt`` lists what Colab ships. The check makes an environment with Python 3.13
(``PYTHON313`` names one) that holds Colab's versions of all that genlib's needs touch; asks pip
what `pip install .` would do there; does it; then runs the tests of the explorers, the live lab
and its canvas and the lectures that live by them with Colab's ipywidgets, ipykernel and IPython.
It takes about a quarter of an hour.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLAB = ROOT / "tools" / "colab-py313.txt"
LECTURES = ("10_kl", "11_jsd", "12_wasserstein", "43_gan_lab")
TESTS = ("tests/test_canvas.py", "tests/test_lab.py", "tests/test_widgets.py")
# What the tests and this check themselves import.
FOR_TESTS = ("pytest", "pytest-timeout", "hypothesis", "nbclient", "nbformat")


def main() -> None:
    colab = {
        normal(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", COLAB.read_text(), re.M)
    }
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        run(python_313(), "-m", "venv", folder)
        project = copy_of_project(Path(folder) / "project")

        needed = would_install(python, project, "--constraint", str(COLAB))
        missing = {name: needed[name] for name in needed if name not in colab} | {"genlib": ""}
        held = [f"{name}=={colab[name]}" for name in sorted(needed) if name in colab]
        say(f"genlib's needs: {len(needed)} packages, {len(held)} of them in Colab's list.")
        # Colab's own set has gaps (IPython's need of jedi, say): take it as it is.
        pip(python, "install", "--quiet", "--no-deps", *held)
        before = versions(python)

        # What a learner's set-up cell does: no constraint, nothing but pip and the ranges.
        added = would_install(python, project)
        say(f"pip install would add: {', '.join(f'{n} {v}' for n, v in sorted(added.items()))}")
        surplus = {n: v for n, v in added.items() if n in before or n not in missing}
        if surplus:
            raise SystemExit(f"FAILED: it would add or change what Colab ships: {surplus}")
        pip(python, "install", "--quiet", str(project))
        pip(python, "install", "--quiet", "--constraint", str(COLAB), *FOR_TESTS)
        after = versions(python)
        changed = {n: after.get(n) for n, v in before.items() if after.get(n) != v}
        if changed:
            raise SystemExit(f"FAILED: these changed: {changed}")
        say("No package that Colab ships was changed.")

        # From here on, the genlib that pip installed; of the copy the tools read the plan alone,
        # and a folder that is no package gives way to one that is.
        plan = (project / "genlib" / "lectures" / "__init__.py").read_text()
        shutil.rmtree(project / "genlib")
        (project / "genlib" / "lectures").mkdir(parents=True)
        (project / "genlib" / "lectures" / "__init__.py").write_text(plan)
        say("The widgets' tests and the lectures, with Colab's packages:")
        test = ["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
        runs = dict.fromkeys(TESTS, test) | {
            f"notebooks/{slug}.ipynb": ["-c", EXECUTE] for slug in LECTURES
        }
        failed = []
        for name, command in runs.items():
            well = runs_there(python, project, *command, name)
            say(f"{name}: {'runs' if well else 'FAILED'}")
            failed += [] if well else [name]
    if failed:
        raise SystemExit(f"FAILED with Colab's packages: {', '.join(failed)}")
    say("All well.")


EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
where = {"metadata": {"path": "notebooks"}}
nbclient.NotebookClient(notebook, timeout=300, resources=where).execute()
outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
view = "application/vnd.jupyter.widget-view+json"
assert any(view in o.get("data", {}) for o in outputs), "no widget was shown"
lines = [line for o in outputs if o.get("name") == "stderr" for line in o.text.splitlines()]
told = ("I0000", "WARNING: All log messages before absl")  # what XLA says at its first compiling
written = [line for line in lines if line.strip() and not line.startswith(told)]
assert not written, f"written to stderr: {written}"
"""


def python_313() -> str:
    """Return the first Python 3.13 that runs; SystemExit if there is none."""
    given = os.environ.get("PYTHON313")
    installed = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.13*/bin/python")))
    for python in [given] if given else [sys.executable, "python3.13", *installed]:
        ask = [python, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 13))"]
        if shutil.which(python) and subprocess.run(ask, capture_output=True).returncode == 0:
            return python
    raise SystemExit(
        "Colab runs Python 3.13 and so must this check; name one: PYTHON313=/path/to/python3.13"
    )


def copy_of_project(target: Path) -> Path:
    """Copy what the check uses: pip would leave its traces in the original."""
    for name in ("genlib", "tests", "tools", "notebooks", "benchmarks"):
        shutil.copytree(
            ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)
    return target


def would_install(python: str, project: Path, *options: str) -> dict[str, str]:
    """Return the versions, by name, that ``pip install project`` would install."""
    report = pip(python, "install", "--dry-run", "--quiet", "--report", "-", *options, str(project))
    packages = [entry["metadata"] for entry in json.loads(report)["install"]]
    return {normal(package["name"]): package["version"] for package in packages}


def versions(python: str) -> dict[str, str]:
    listed = json.loads(pip(python, "list", "--format=json"))
    return {normal(package["name"]): package["version"] for package in listed}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pip(python: str, *arguments: str) -> str:
    return run(python, "-m", "pip", "--disable-pip-version-check", *arguments)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"FAILED: {' '.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


def runs_there(python: str, project: Path, *arguments: str) -> bool:
    """Run the environment's Python in the copied project, with no setting of this session's."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER"))}
    clean["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the debugger's notes on Python 3.13
    return subprocess.run([python, *arguments], cwd=project, env=clean).returncode == 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
