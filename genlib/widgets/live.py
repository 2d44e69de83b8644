"""What lives on a page, and when it is freed: ipywidgets keeps every widget until it is closed.

Ours close when their owner is dropped, or once a page shows it, when its cell is run again.
"""

import io
import weakref

import ipywidgets as widgets
from IPython import get_ipython
from PIL import Image

from genlib import plots

_made: dict[str, tuple[str, weakref.WeakSet]] = {}  # by cell: the run, and what it made
_shown: set["Live"] = set()  # a page shows these: they must live though nothing else holds them


class Live:
    """Base class of what is shown as a widget. Callbacks must not keep it alive: see ``weakly``."""

    widget: widgets.Widget

    def _go_live(self, widget: widgets.Widget) -> None:
        self.widget = widget
        self._free = weakref.finalize(self, _close_all, widget)
        self._free.atexit = False
        cell, run = _running_cell()
        if cell and _made.get(cell, (run,))[0] != run:
            for old in list(_made.pop(cell)[1]):
                old.close()
        if cell:
            _made.setdefault(cell, (run, weakref.WeakSet()))[1].add(self)

    def close(self) -> None:
        """Take it off the page and free its memory; its last picture can still be displayed."""
        self._free()
        _shown.discard(self)

    def _bundle(self, png: bytes, alt: str) -> tuple[dict, dict]:
        """Return the ``(data, metadata)`` of the widget with a still picture beside it."""
        data, metadata = plots.bundle(plots.encode(Image.open(io.BytesIO(png)), small=True), alt)
        if self._free.alive:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
            data["application/vnd.jupyter.widget-view+json"] = view
            if _running_cell() != (None, None):
                _shown.add(self)
        return data, metadata


def weakly(method):
    """Return a callback that calls a bound method for as long as its object lives."""
    reference = weakref.WeakMethod(method)

    def call(*arguments) -> None:
        if (alive := reference()) is not None:
            alive(*arguments)

    return call


def _close_all(widget: widgets.Widget) -> None:
    """Close a widget and all that it holds: children, layouts, styles."""
    for name in widget.keys:
        value = getattr(widget, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, widgets.Widget):
                _close_all(part)
    widget.close()


def _running_cell() -> tuple[str | None, str | None]:
    """Return the cell that runs, by its id, or its text where the page tells none, and the run."""
    request = getattr(get_ipython(), "get_parent", dict)()
    cell = request.get("metadata", {}).get("cellId") or request.get("content", {}).get("code")
    return (cell, request["header"]["msg_id"]) if cell else (None, None)
