"""Execute lectures, each in a fresh kernel; store their results and print what they took.

    python tools/run.py [NAME ...]

``widget`` is the time from the kernel's start until the first explorer stands. A lecture that
fails, or writes to stderr, is not stored.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from course import NOTEBOOKS, asked_for, code_cells, read
from format import canonical


class LectureError(Exception):
    """A lecture that must not be stored: a cell failed, or wrote to stderr."""


def run(path: Path) -> str:
    """Execute and store one lecture; return the line that says its time and memory."""
    notebook = read(path)
    for _, cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    start, first_widget, slowest = time.perf_counter(), None, (0.0, 0)
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            before = time.perf_counter()
            execute(client, cell, number)
            now = time.perf_counter()
            slowest = max(slowest, (now - before, number))
            if first_widget is None and "explore(" in cell.source and cell.cell_type == "code":
                first_widget = now - start
        memory = peak_megabytes(client)
    seconds = time.perf_counter() - start
    path.write_text(canonical(notebook))
    widget = "-" if first_widget is None else f"{first_widget:.1f}"
    where = f"{slowest[1]} ({slowest[0]:.1f} s)"
    return f"{path.stem:<34} {seconds:>8.1f} {widget:>7} {memory:>8.0f}   {where}"


def execute(client: NotebookClient, cell, number: int) -> None:
    try:
        client.execute_cell(cell, number)
    except (CellExecutionError, CellTimeoutError) as error:
        raise LectureError(f"cell {number}: {error}") from None
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            raise LectureError(f"cell {number} writes to stderr: {output.text[:500]}")


def peak_megabytes(client: NotebookClient) -> float:
    """Ask the kernel for the most memory it ever held.

    Linux counts in `ru_maxrss` what the parent held when it started the kernel; VmHWM does not.
    """
    question = """
import pathlib, resource
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []  # else macOS: bytes
kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
print((kilobytes or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024])[0])"""
    cells = client.nb.cells
    cells.append(nbformat.v4.new_code_cell(question))
    cell = client.execute_cell(cells[-1], len(cells) - 1)
    cells.pop()
    return float(cell.outputs[0].text) / 1024


def main() -> int:
    paths = asked_for(__doc__)
    print(f"{'lecture':<34} {'seconds':>8} {'widget':>7} {'peak MB':>8}   slowest cell")
    failed = 0
    for path in paths:
        try:
            print(run(path), flush=True)
        except LectureError as error:
            failed += 1
            print(f"{path.stem:<34} FAILED: {error}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
