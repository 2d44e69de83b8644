"""The notebooks under nbval: their kernels are forked, and their pictures are compared too."""

import sys

import nbval.kernel
from nbval.plugin import IPyNbCell

from tests import kernels, stored_pictures

if sys.platform == "linux":
    nbval.kernel.KernelManager = kernels.ForkedManager


def pytest_collection_modifyitems(items):
    """Mark the cells whose pictures are to be compared."""
    lectures = {}
    for item in items:
        if isinstance(item, IPyNbCell):
            lectures.setdefault(item.parent, []).append(item)
    for lecture, cells in lectures.items():
        code = [cell for cell in lecture.nb.cells if cell.cell_type == "code"]
        clean = stored_pictures.untrained([cell.source for cell in code])
        for cell in cells:
            cell.compares_pictures = clean[cell.cell_num]


_compare_text = IPyNbCell.compare_outputs


def _compare(self, test, ref, skip_compare=None):
    same = _compare_text(self, test, ref, skip_compare)
    found = stored_pictures.complaint(ref, test) if self.compares_pictures else ""
    if found:
        self.comparison_traceback.append(f"\n{found}\n")
    return same and not found


IPyNbCell.compare_outputs = _compare
