"""A real JupyterLab in a real Chromium, for the browser test and the latency benchmark."""

import contextlib
import importlib.util
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import matplotlib
import nbformat

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    # No news from the network, and every cell in the page, not only those in view.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}

IMAGE_CELL = ".jp-CodeCell:has(.jupyter-widgets img)"


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def notebook(*cells: str) -> nbformat.NotebookNode:
    """Return a notebook with these code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return book


@contextlib.contextmanager
def server(folder: pathlib.Path):
    """Run JupyterLab on ``folder / "work"``, with no user's settings; gives a function of a file
    name that returns the file's address."""
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings"
    for name, values in SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    environment = clean | {
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # else fonts are listed anew, for seconds
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    root = f"http://127.0.0.1:{port}"
    log = folder / "jupyterlab.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
                "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={work}",
            ],
            env=environment, cwd=work, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait_for(f"{root}/api?token={token}", process, log)
        yield lambda name: f"{root}/doc/tree/{name}?token={token}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(url, process, log, seconds=60):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            direct.open(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def browser():
    """Open a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        try:
            yield chrome
        finally:
            chrome.close()


def run_all(page, url: str) -> float:
    """Open a notebook with an idle kernel, press Run All; return time.monotonic() of the press."""
    page.goto(url)
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for(timeout=60_000)
    page.get_by_text("| Idle").wait_for(timeout=60_000)  # a sooner Run All would run nothing
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    return time.monotonic()


def wait_until_done(page, seconds: float = 120) -> None:
    """Wait until every code cell with text in it has been run."""
    page.wait_for_function(
        """() => {
            const cells = [...document.querySelectorAll('.jp-CodeCell')].filter(
                cell => cell.querySelector('.cm-content')?.textContent.trim());
            return cells.length && cells.every(cell =>
                /\\[\\d+\\]/.test(cell.querySelector('.jp-InputPrompt').textContent));
        }""",
        timeout=1000 * seconds,
    )


def lacking() -> str | None:
    """Say what is not installed that this test needs."""
    for module in ("playwright", "jupyterlab"):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module} is not installed"
    if chromium() is None:
        return "neither chromium nor google-chrome is installed"
    return None
