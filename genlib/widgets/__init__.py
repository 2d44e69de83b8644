"""Explorers: sliders over one picture that answers at once; a live view of training; the lab.

``explore("kl")`` opens an explorer, ``lab(variant="gan")`` the live lab.
 To make one, see ``genlib.widgets.explorer``.
"""

import importlib
import re
from pathlib import Path

from genlib import validate
from genlib.widgets.explorer import Explorer, Scene, choice, log_slider, slider
from genlib.widgets.training_view import TrainingView

__all__ = [
    "SCENES", "Explorer", "Scene", "TrainingView", "choice", "explore", "lab", "log_slider",
    "scene", "slider",
]  # fmt: skip

#: Every explorer's name and its module, read off the decorators: to import all takes seconds.
SCENES: dict[str, str] = {
    name: f"genlib.lectures.{path.stem}"
    for path in sorted((Path(__file__).parents[1] / "lectures").glob("l[0-9]*.py"))
    for name in re.findall(r'^@scene\("(\w+)"\)', path.read_text("utf-8"), re.M)
}

_kinds: dict[str, type[Scene]] = {}


def scene(name: str):
    """Decorator: register a subclass of ``Scene`` as the explorer called ``name``."""

    def register(kind: type[Scene]) -> type[Scene]:
        SCENES[name], _kinds[name] = kind.__module__, kind
        return kind

    return register


def explore(name: str, **start) -> Explorer:
    """Open the explorer called ``name``, with any of its controls set: ``explore("kl", scale=2)``.

    Raises ValueError for a name not in ``SCENES``, or a control or value it does not accept.
    """
    importlib.import_module(SCENES[validate.choice("name", name, SCENES)])
    return Explorer(_kinds[name](), **start)


def lab(**settings):
    """Open the live lab, `genlib.widgets.gan_lab.GANLab`, with any of `genlib.lab.Run`'s settings.

    ``lab(variant="wgan_gp", data="moons", penalty_weight=0.1)``; ValueError names a wrong one.
    """
    return importlib.import_module("genlib.widgets.gan_lab").GANLab(**settings)
