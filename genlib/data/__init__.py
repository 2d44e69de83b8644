"""Data to learn on: 2-D densities with exact log-probabilities, and real pictures."""

from genlib.data.images import images
from genlib.data.toy import mode_centers, toy, toy_names

__all__ = ["images", "mode_centers", "toy", "toy_names"]
