"""Still pictures: the course's colours and style, and what its figures share.

The artists that move are ``genlib.widgets.artists``. The house style is never set globally:
``figure``, ``show`` and the explorers put it round what they draw, ``with style():`` round yours.
"""

import base64
import importlib
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from IPython.display import display
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from genlib import validate

# Okabe and Ito's colours, told apart by colour-blind readers; one meaning each, everywhere.
COLORS = {
    "p": "#0072B2",
    "real": "#0072B2",
    "q": "#D55E00",
    "generated": "#D55E00",
    "critic": "#009E73",
    "mixture": "#595959",
    "accent": "#CC79A7",
    "highlight": "#E69F00",
}

#: What a critic believes, from 0, generated, to 1, real; pale, so that points stand out.
BELIEF = LinearSegmentedColormap.from_list("belief", ["#F0B48C", "#FFFFFF", "#8CBCE0"])


def ink(role: str) -> tuple[float, float, float]:
    """Return a role's colour, or any, dark enough to be read on white: a contrast of 4.5 at least.

    WCAG 2.1, success criterion 1.4.3.
    """
    rgb = np.array(to_rgb(COLORS.get(role, role)))
    while contrast(rgb) < 4.5:
        rgb *= 0.98
    return tuple(rgb)


def contrast(rgb) -> float:
    """Return the contrast of a colour, three numbers in [0, 1], to white: from 1 to 21."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


_STYLE = matplotlib.rc_params_from_file(
    Path(__file__).with_name("house.mplstyle"), fail_on_error=True, use_default_template=False
)


def style():
    """Return a context manager that puts the house style round what is drawn inside it."""
    return matplotlib.rc_context(_STYLE)


def figure(rows=1, columns=1, size: tuple[float, float] | None = None, **options):
    """Return ``(figure, axes)`` in the house style, for ``show``; ``size`` in inches.

    ``axes`` and ``options`` (``sharex``, ...) are those of ``plt.subplots``; pyplot keeps nothing.
    """
    size = size or (min(4.6 * columns + 0.4, 10), 3.6 * rows)
    with style():
        fig = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(fig)
        return fig, fig.subplots(rows, columns, **options)


def show(fig: Figure, alt: str) -> None:
    """Display ``fig`` as a PNG and close it; ValueError without an alternative text, ``alt``."""
    alt = check_alt(alt)
    for ax in fig.axes:
        if ax.get_title("center"):
            _restyle_title(ax)
        ax._left_title.set_color(ink(ax._left_title.get_color()))
    canvas = FigureCanvasAgg(fig)
    with style():
        canvas.draw()
    data, metadata = bundle(encode(canvas.buffer_rgba(), small=True), alt)
    display(data, metadata=metadata, raw=True)
    if hasattr(fig, "number"):  # pyplot made it, and would draw it again at the cell's end
        importlib.import_module("matplotlib.pyplot").close(fig)
    fig.clear()


def _restyle_title(ax) -> None:
    """Give a title that was set outside the style the house's; what its author chose stays."""
    title, rc = ax.title, matplotlib.rcParams
    usual = Text(size=rc["axes.titlesize"], weight=rc["axes.titleweight"])
    chosen = {
        name: getattr(title, f"get_{name}")()
        for name in ("fontsize", "fontweight", "color")
        if getattr(title, f"get_{name}")() != getattr(usual, f"get_{name}")()
    }
    with style():
        ax.set_title(title.get_text(), **chosen)
    title.set_text("")


def check_alt(alt: str) -> str:
    """Return ``alt`` without spare blanks; ValueError unless it is text."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must be a sentence that describes the picture; got {alt!r}")
    return " ".join(alt.split())


def bundle(png: bytes, alt: str) -> tuple[dict, dict]:
    """Return the ``(data, metadata)`` with which a notebook stores a PNG and its alt text."""
    data = {"text/plain": alt, "image/png": base64.b64encode(png).decode("ascii")}
    return data, {"image/png": {"alt": alt}}


def encode(rgba, small: bool = False) -> bytes:
    """Return the PNG bytes of ``rgba``, shape ``(h, w, 4)``, uint8.

    In 3 ms for a live 920 x 390 plot (Pillow's level 1: 17 ms); ``small``: by Pillow's best effort.
    """
    pixels = np.asarray(rgba)
    if small:
        out = io.BytesIO()
        Image.fromarray(pixels).convert("RGB").save(out, "png", optimize=True)
        return out.getvalue()
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each row begins with its filter's number
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


# Artists that lectures share. A ``role`` is a key of COLORS.


def fill(ax, x, low, high, role: str = "p", alpha: float = 0.25, **options) -> PolyCollection:
    """Shade between ``low`` and ``high`` over ``x``; ``set_fill`` moves the shade."""
    shade = PolyCollection([], facecolor=COLORS[role], edgecolor="none", alpha=alpha, **options)
    ax.add_collection(shade, autolim=False)
    set_fill(shade, x, low, high)
    return shade


def set_fill(shade: PolyCollection, x, low, high) -> None:
    """Move a shade made by ``fill``; ``low`` and ``high`` may be numbers or arrays like ``x``."""
    low, high = np.broadcast_to(low, np.shape(x)), np.broadcast_to(high, np.shape(x))
    shade.set_verts([np.c_[np.r_[x, x[::-1]], np.r_[low, high[::-1]]]])


#: How a label is written, unless its caller says otherwise.
LABEL = {"fontsize": 11, "fontweight": "bold", "ha": "center", "va": "bottom"}


def label(ax, x: float, y: float, text: str, role: str = "mixture", **options):
    """Write ``text`` at ``(x, y)`` in the colour of what it names; better than a legend."""
    return ax.text(x, y, text, color=ink(role), **LABEL | options)


def density(ax, dist, xs, role: str = "p", text: str | None = None) -> list[Artist]:
    """Draw the 1-D density of ``dist`` over ``xs``: returns ``[line, shade]`` and any label."""
    xs = np.asarray(xs, np.float32)
    ys = np.asarray(dist.prob(xs))
    (line,) = ax.plot(xs, ys, color=COLORS[role], linewidth=2)
    artists = [line, fill(ax, xs, 0, ys, role)]
    if text:
        artists.append(label(ax, xs[ys.argmax()], ys.max(), text, role))
    return artists


def curves(ax, xs, named: Mapping[str, object], roles: Mapping[str, str] | None = None) -> list:
    """Draw each named curve over ``xs`` with its name at its right end; returns the lines."""
    lines = []
    for name, ys in named.items():
        color = COLORS.get((roles or {}).get(name))
        lines += ax.plot(xs, np.asarray(ys), linewidth=2, color=color)
        ax.annotate(
            name, (xs[-1], np.asarray(ys)[-1]), (6, 0), textcoords="offset points",
            color=ink(lines[-1].get_color()), fontsize=10, fontweight="bold", va="center",
            annotation_clip=False,
        )  # fmt: skip
    return lines


def samples(ax, points, role: str = "real", size: float = 8, alpha: float = 0.6):
    """Scatter 2-D ``points``, shape ``(n, 2)``, on axes of equal scale; returns the artist."""
    points = validate.samples("points", points).numpy()
    if points.shape[1] != 2:
        raise ValueError(f"points must have shape (n, 2); got {points.shape}")
    ax.set_aspect("equal")
    return ax.scatter(*points.T, s=size, color=COLORS[role], alpha=alpha, linewidths=0)


def heat(ax, fn_or_dist, extent, resolution: int = 120, **options):
    """Paint a function of the plane, or a density, over ``extent`` = (left, right, low, high).

    ``fn_or_dist`` maps points ``(n, 2)`` to values ``(n,)``, or has ``prob``. Returns the image.
    """
    *_, values = on_grid(fn_or_dist, extent, resolution)
    options = {"aspect": "equal", "interpolation": "bilinear"} | options
    ax.grid(False)
    return ax.imshow(values, origin="lower", extent=extent, **options)


def contour(ax, fn_or_dist, extent, levels=7, role: str = "mixture", resolution: int = 120):
    """Draw level lines of a function of the plane, or of a density; returns the contour set."""
    x, y, values = on_grid(fn_or_dist, extent, resolution)
    return ax.contour(x, y, values, levels=levels, colors=COLORS[role], linewidths=1, alpha=0.8)


def on_grid(fn_or_dist, extent, resolution: int = 120):
    """Return ``x``, ``y``, each ``(n,)``, and the values on their grid, ``(n, n)``, row by y."""
    fn = getattr(fn_or_dist, "prob", fn_or_dist)
    x, y = np.linspace(extent[::2], extent[1::2], resolution, axis=1, dtype=np.float32)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    return x, y, np.asarray(fn(points)).reshape(resolution, resolution)


def images(ax, x, columns: int = 8, gap: int = 1):
    """Draw a `sheet` of images ``(n, h, w[, c])`` in [0, 1]; returns one AxesImage."""
    ax.set_axis_off()
    return ax.imshow(sheet(x, columns, gap), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")


def sheet(x, columns: int = 8, gap: int = 1) -> np.ndarray:
    """Lay images ``(n, h, w)`` or ``(n, h, w, c)`` out in rows, as one array ``(H, W[, 3])``."""
    x = validate.finite("x", np.asarray(x, np.float32))
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or not len(x):
        raise ValueError(f"x must have shape (n, h, w) or (n, h, w, 1 or 3); got {x.shape}")
    columns = min(validate.count("columns", columns), len(x))
    n, h, w, c = x.shape
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, h + gap, w + gap, c), np.float32)
    cells[:n, :h, :w] = np.clip(x, 0, 1)
    page = cells.reshape(rows, columns, h + gap, w + gap, c).swapaxes(1, 2)
    height, width = rows * (h + gap), columns * (w + gap)
    page = page.reshape(height, width, c)[: height - gap, : width - gap]
    return page[..., 0] if c == 1 else page


def seeds(ax, rows: Mapping[str, object], truth: float | None = None, role: str = "generated"):
    """Draw a row of dots, one a seed, for each name, and a line at ``truth``; return the rows."""
    style = {"color": COLORS[role], "alpha": 0.7, "markersize": 8}
    heights = -np.arange(len(rows))
    dots = [
        ax.plot(values, np.full(len(values), height), "o", **style)
        for height, values in zip(heights, rows.values(), strict=True)
    ]
    if truth is not None:
        ax.axvline(truth, color=COLORS["real"])
    ax.set(yticks=heights, yticklabels=list(rows), ylim=(0.6 - len(rows), 0.6))
    ax.grid(axis="y", visible=False)
    return dots
