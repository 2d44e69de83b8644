"""Moving artists: what ``stage`` makes once and ``update`` moves.

All are born animated: by that the explorer knows them. They are drawn by ``zorder``, and within it
axes by axes in the order in which they were made. Each has one verb::

    left, right = fig.subplots(1, 2)
    panel(left, "Densities", ("x", -8, 8), ("density", 0, 1.6))     # still: title, x, y
    key(left, 0.98, 0.98, {"real": "real", "generated": "q"})       # still: words in a column
    line = curve(left, "q", linewidth=3);     line.move(xs, ys)
    point = dot(left, "q", 9);                point.move(x, y)       # or arrays: many dots
    area = shade(left, "q", 0.25);            area.move(xs, low, high)
    name = words(left, "q", "Q");             name.move(x, y)        # or move(x, y, "other text")
    q = density(left, "q", "Q");              q.move(xs, ys)         # q.curve, q.shade, q.name
    lines = strokes(left, "accent");          lines.set_segments(ends)
    heat = image(left, extent, vmin=0, vmax=1); heat.set_data(rows)
    bars = moving(left.bar(xs, 0 * xs))       # any artist or container of matplotlib's own

A ``role`` is a key of ``plots.COLORS``, or any colour of matplotlib's, such as ``"black"``.
``style`` is passed on: ``linewidth``, ``linestyle``, ``zorder``, ``fontsize``, ...
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text

from genlib import plots
from genlib.plots import COLORS


def moving(artist):
    """Mark an artist, or all of a container or list, as moving; return what was given."""
    if isinstance(artist, Artist):
        artist.set_animated(True)
        return artist
    for part in artist.get_children() if hasattr(artist, "get_children") else artist:
        moving(part)
    return artist


class Curve(Line2D):
    """A line or dots."""

    def move(self, x, y) -> None:
        """Go through ``x``, ``y``: arrays ``(n,)``, or numbers for one point."""
        self.set_data(np.atleast_1d(x), np.atleast_1d(y))


def curve(ax, role: str, **style) -> Curve:
    """Return a line that ``move(xs, ys)`` draws."""
    return moving(ax.add_line(Curve([], [], color=COLORS.get(role, role), **style)))


def dot(ax, role: str, size: float = 9, marker: str = "o", **style) -> Curve:
    """Return a dot, or unconnected dots, ``size`` points across, for ``move(x, y)``."""
    return curve(ax, role, linestyle="none", marker=marker, markersize=size, **style)


class Shade(PolyCollection):
    """The area between two curves."""

    def move(self, x, low, high) -> None:
        """Fill from ``low`` to ``high``, numbers or arrays like ``x``, over ``x``, (n,)."""
        plots.set_fill(self, x, low, high)


def shade(ax, role: str, alpha: float = 0.25, **style) -> Shade:
    """Return a shade that ``move(xs, low, high)`` spreads."""
    color = COLORS.get(role, role)
    area = Shade([], facecolor=color, edgecolor="none", alpha=alpha, **style)
    return moving(ax.add_collection(area, autolim=False))


class Words(Text):
    """A text that moves."""

    def move(self, x: float, y: float, text: str | None = None) -> None:
        """Go to ``(x, y)``, and say ``text`` from now on if there is one."""
        self.set_position((x, y))
        if text is not None:
            self.set_text(text)


def words(ax, role: str, text: str = "", **style) -> Words:
    """Return a text in the manner of ``plots.label`` for ``move(x, y)``; dear, 0.2 ms a letter."""
    style = plots.LABEL | {"color": plots.ink(role), "clip_on": False} | style
    return moving(ax.add_artist(Words(0, 0, text, **style)))


class Density(NamedTuple):
    """A curve, the shade under it and its name."""

    curve: Curve
    shade: Shade
    name: Words

    def move(self, xs, ys) -> None:
        """Draw ``ys`` over ``xs``; the name stays, for two names must not cover each other."""
        self.curve.move(xs, ys)
        self.shade.move(xs, 0, ys)


def density(ax, role: str, name: str = "", alpha: float = 0.25, **style) -> Density:
    """Return a density for ``move(xs, ys)``; ``density.name.move(x, y)`` sets its name."""
    title = words(ax, role, name, fontsize=13, zorder=3.5)  # over a curve raised to 3
    return Density(curve(ax, role, **style), shade(ax, role, alpha), title)


def strokes(ax, role: str = "mixture", **style) -> LineCollection:
    """Return many separate lines at once; ``set_segments`` takes ``(lines, points, 2)``."""
    lines = LineCollection([], colors=COLORS.get(role, role), **style)
    return moving(ax.add_collection(lines, autolim=False))


def image(ax, extent=None, **style) -> AxesImage:
    """Return a picture over ``extent`` = (left, right, low, high), for ``set_data(rows)``, upwards.

    ``style`` must set the range of colours, ``vmin`` and ``vmax`` or ``norm``: the data come later.
    """
    return moving(ax.imshow([[0]], origin="lower", aspect="auto", extent=extent, **style))


def panel(ax, title: str = "", x="", y="", **more):
    """Set an axes' title and its ``x`` and ``y``, each ``"label"`` or ``("label", low, high)``.

    ``more`` goes to ``ax.set`` first: scales, ticks, aspect. Returns the axes.
    """
    ax.set(**more)
    for side, spec in (("x", x), ("y", y)):
        label, *limits = [spec] if isinstance(spec, str) else spec
        ax.set(**{f"{side}label": label} | ({f"{side}lim": limits} if limits else {}))
    ax.set(title=title)
    return ax


def key(ax, x: float, y: float, named: Mapping[str, str], step: float = 0.09, **style) -> None:
    """Write each text of ``named``, text to role, in its colour, from the top down.

    ``x``, ``y`` are shares of the axes' width and height; a text stands on the side with more room
    unless ``style`` says otherwise: ``ha``, ``va``, ``transform``.
    """
    sides = {"ha": "right" if x > 0.5 else "left", "va": "top" if y > 0.5 else "bottom"}
    style = {"transform": ax.transAxes} | sides | style
    for row, (text, role) in enumerate(named.items()):
        plots.label(ax, x, y - row * step, text, role, **style)
