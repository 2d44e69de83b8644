"""What holds for every test: no window, no start-up notes, the same random examples each time."""

import os

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"

# No deadline: the first example may have to import a lecture or to trace a graph.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
