"""Explorers: sliders over one picture that answers at once, and a live view of training.

``explore("kl")`` opens one. A new explorer is one new file in ``scenes/``, named after it, with
one subclass of ``Scene``.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from genlib import validate
from genlib.widgets import scenes
from genlib.widgets.explorer import Explorer, Scene, choice, slider
from genlib.widgets.training_view import TrainingView

__all__ = ["SCENES", "Explorer", "Scene", "TrainingView", "choice", "explore", "slider"]


class _Scenes(Mapping):
    """Scene classes by name; a scene's module is imported when it is first asked for."""

    def __init__(self):
        self._names = sorted(module.name for module in pkgutil.iter_modules(scenes.__path__))

    def __getitem__(self, name: str) -> type[Scene]:
        if name not in self._names:
            raise KeyError(name)
        module = importlib.import_module(f"{scenes.__name__}.{name}")
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Scene)
            and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise ImportError(f"{module.__name__} must define one Scene; it defines {len(found)}")
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


SCENES = _Scenes()


def explore(name: str, **start) -> Explorer:
    """Open the explorer called ``name``, with any of its controls set: ``explore("kl", scale=2)``.

    Raises ValueError for a name not in ``SCENES``, or a control or value it does not accept.
    """
    return Explorer(SCENES[validate.choice("name", name, SCENES)](), **start)
