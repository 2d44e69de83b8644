"""What holds for every test: no window, no start-up notes, the same random examples each time."""

import gc
import os

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"

# A full collection walks all that TensorFlow holds, a third of a second each: seldom is enough.
gc.set_threshold(50_000, 20, 100)

# No deadline: the first example may have to import a lecture or to trace a graph.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def without_xla(request, monkeypatch):
    """Let "auto" mean no XLA, whose compiling takes longer than most trainings of these tests.

    Those that train long are marked ``xla``; every notebook trains under it.
    """
    if not request.node.get_closest_marker("xla"):
        monkeypatch.setattr("genlib.training.xla_pays", lambda models: False)


@pytest.fixture(scope="session")
def chrome():
    """A browser, one for all tests: Playwright does not start twice in a process."""
    import lab  # late: it imports Matplotlib, which reads its backend's name then

    if reason := lab.lacking():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no browser test: {reason}")
    with lab.browser() as chrome:
        yield chrome


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory, chrome):
    """A folder that JupyterLab serves, its addresses, and a browser."""
    import lab

    folder = tmp_path_factory.mktemp("lab")
    with lab.server(folder) as address:
        yield folder / "work", address, chrome
