"""What holds for every test: no window, no start-up notes, matplotlib's own style."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"
