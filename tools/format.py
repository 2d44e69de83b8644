"""Bring notebooks into the one form in which they are stored.

    python tools/format.py [NAME ...]

Code as ruff formats it, cells numbered by their ids, JSON indented by one and sorted, no trace of
when and where it ran, no widget state but a still picture of each widget.
"""

import json
import re
import subprocess
import sys

import nbformat

from course import ROOT, asked_for, read

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# What GitHub, JupyterLab and nbconvert ask of a notebook, less the versions on the machine it ran.
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {
        "name": "python",
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "codemirror_mode": {"name": "ipython", "version": 3},
    },
}


def canonical(notebook) -> str:
    """Return the one text in which this notebook is stored: its code formatted, its noise gone."""
    text = ruff("check", json.dumps(clean(notebook)), "--fix-only", "--select=I")
    return stored(nbformat.from_dict(json.loads(ruff("format", text))))


def stored(notebook) -> str:
    """Return the notebook's JSON as it stands in its file."""
    return nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def clean(notebook) -> dict:
    """Return the notebook as a new dictionary with only what a lecture stores."""
    cells = []
    for number, old in enumerate(notebook.cells):
        cell = {
            "cell_type": old.cell_type,
            "id": f"cell-{number:02}",
            "metadata": {
                key: old.metadata[key]
                for key in ("cellView", "jupyter", "tags")
                if old.metadata.get(key)
            },
            "source": old.source,
        }
        if old.cell_type == "code":
            cell["execution_count"] = old.execution_count
            cell["outputs"] = [clean_output(output) for output in merged(old.outputs)]
        cells.append(cell)
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def merged(outputs) -> list[dict]:
    """Join neighbouring chunks of one stream: how a kernel cuts them up is chance."""
    result = []
    for output in outputs:
        output = dict(output)
        if output["output_type"] == "stream":
            before = result[-1] if result else {}
            if before.get("name") == output["name"]:
                before["text"] += output["text"]
                continue
        result.append(output)
    return result


def clean_output(output: dict) -> dict:
    """Keep alt text; keep the still picture of a widget in place of its (dead) live view."""
    if output["output_type"] == "stream":
        # What a progress bar overwrote is not to be read again.
        output["text"] = re.sub(r"^.*\r(?!\n)", "", output["text"], flags=re.M)
    if output["output_type"] in ("display_data", "execute_result"):
        data = dict(output["data"])
        if "image/png" in data:
            data.pop(WIDGET_VIEW, None)
            data["image/png"] = data["image/png"].strip()
        alt = output["metadata"].get("image/png", {}).get("alt")
        output["data"] = data
        output["metadata"] = {"image/png": {"alt": alt}} if alt else {}
    return output


def ruff(command: str, text: str, *options: str) -> str:
    """Run ruff over a notebook's text; return what it printed."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", command, *options, "--stdin-filename", "notebooks/x.ipynb"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
    )
    if run.returncode and not (command == "check" and run.stdout):
        raise SystemExit(run.stderr or run.stdout)
    return run.stdout


def main() -> None:
    for path in asked_for(__doc__):
        new = canonical(read(path))
        if new != path.read_text():
            path.write_text(new)
            print(f"formatted: {path.name}")


if __name__ == "__main__":
    main()
