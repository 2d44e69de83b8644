"""Explorers: sliders over one picture that answers at once, and a live view of training.

``explore("kl")`` opens one. A new explorer is one class in its lecture's module::

    @scene("gaussian")
    class Gaussian(Scene): ...
"""

import importlib
import re
from collections.abc import Iterator, Mapping

from genlib import validate
from genlib.widgets.explorer import Explorer, Scene, choice, log_slider, slider
from genlib.widgets.training_view import TrainingView

__all__ = [
    "SCENES", "Explorer", "Scene", "TrainingView", "choice", "explore", "log_slider", "scene",
    "slider",
]  # fmt: skip


def scene(name: str):
    """Decorator: register a subclass of ``Scene`` as the explorer called ``name``."""

    def register(kind: type[Scene]) -> type[Scene]:
        SCENES._known[name] = kind
        return kind

    return register


class _Scenes(Mapping):
    """Scene classes by name; a lecture is imported when one of its explorers is first asked for."""

    def __init__(self):
        self._known: dict[str, type[Scene]] = {}

    def lecture_of(self, name: str) -> str:
        """Return the slug of the lecture that holds an explorer; KeyError if none does."""
        return self._places()[name]

    def __getitem__(self, name: str) -> type[Scene]:
        if name not in self._known:
            importlib.import_module(f"genlib.lectures.l{self.lecture_of(name)}")
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._places(), *self._known}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _places(self) -> dict[str, str]:
        """Explorer to lecture, read off the decorators: importing them all would take seconds."""
        plan = importlib.import_module("genlib.lectures")
        sources = {slug: plan.source_of(slug) for slug in plan.SLUGS}
        return {
            name: slug
            for slug, path in sources.items()
            if path.exists()
            for name in re.findall(r'^@scene\("(\w+)"\)', path.read_text("utf-8"), re.M)
        }


SCENES = _Scenes()


def explore(name: str, **start) -> Explorer:
    """Open the explorer called ``name``, with any of its controls set: ``explore("kl", scale=2)``.

    Raises ValueError for a name not in ``SCENES``, or a control or value it does not accept.
    """
    return Explorer(SCENES[validate.choice("name", name, SCENES)](), **start)
