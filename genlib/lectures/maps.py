"""Two maps of the course: its lectures by theme, and the kinds of model that they teach.

``show_map`` draws the lectures, ``show_open`` links to those that stand, ``show_families`` draws
the kinds of model.
"""

import textwrap
from dataclasses import dataclass

from IPython.display import display

from genlib import plots
from genlib.lectures import PLAN, SLUGS, START, THEMES, is_open, open_slugs
from genlib.plots import COLORS

PALE = "#767676"


def show_map() -> None:
    """Display the map of lectures: a track for each theme, open stations filled, others pale."""
    stand = ", ".join(slug[:2] for slug in open_slugs())
    alt = (
        f"A map of the course like that of an underground railway: {len(SLUGS)} lectures on "
        f"{len(THEMES)} lines ({', '.join(THEMES)}). Open now, drawn filled: {stand}. "
        "The others are planned and drawn pale."
    )
    plots.show(draw_map(), alt)


def show_open() -> None:
    """Display links to the lectures that stand, a line for each theme."""
    lines = []
    for theme in THEMES:
        links = [
            f"[{lecture.slug[:2]} {lecture.name}]({lecture.slug}.ipynb)"
            for lecture in PLAN
            if lecture.theme == theme and is_open(lecture.slug)
        ]
        if links:
            lines.append(f"- **{theme}:** {' · '.join(links)}")
    text = "\n".join(lines)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def draw_map(per_row: int = 8):
    """Return the figure of ``show_map``; a theme with many lectures takes several rows."""
    fig, ax = plots.figure()
    ax.set_axis_off()
    y, ends = 0.0, []  # ends: how far down the trunk of open track reaches
    for theme, question in THEMES.items():
        y -= 1.16
        ax.text(0.28, y + 0.3, theme, fontsize=12, fontweight="bold")
        ax.annotate(f"  {question}", (1, 0.5), xycoords=ax.texts[-1], va="center", fontsize=10,
                    color=COLORS["mixture"])  # fmt: skip
        stations = [(one.slug, one.name) for one in PLAN if one.theme == theme]
        for first in range(0, len(stations), per_row):
            y -= 0.78 if first else 0
            row = stations[first : first + per_row]
            opened = [x for x, (slug, _) in enumerate(row, 1) if is_open(slug)]
            _track(ax, [0, len(row)], [y, y], stands=False)
            if opened:
                _track(ax, [0, opened[-1]], [y, y], stands=True)
                ends.append(y)
            for x, (slug, name) in enumerate(row, 1):
                _station(ax, x, y, slug, name)
    _track(ax, [0, 0], [0, y], stands=False)
    _track(ax, [0, 0], [0, min(ends)], stands=True)
    _station(ax, 0, 0, START, "")
    ax.text(0.28, 0, "Start here", fontsize=12, fontweight="bold", va="center")
    _key(ax, per_row - 1.6, 0.0)
    ax.set(xlim=(-0.3, per_row + 0.55), ylim=(y - 0.6, 0.35))
    fig.set_size_inches(10, round(0.8515 * (0.95 - y), 2))  # labels of neighbouring rows stay apart
    return fig


def _track(ax, xs, ys, stands):
    color = COLORS["highlight"] if stands else "#e3e3e3"
    ax.plot(xs, ys, color=color, linewidth=5, zorder=2 if stands else 1,
            solid_capstyle="round")  # fmt: skip


def _station(ax, x, y, slug, name):
    stands = is_open(slug)
    _dot(ax, x, y, stands)
    ax.text(x, y, slug[:2], ha="center", va="center_baseline", fontsize=9, fontweight="bold",
            color="black" if stands else PALE, zorder=4)  # fmt: skip
    name = textwrap.fill(name, 13, break_long_words=False)
    ax.text(x, y - 0.24, name, ha="center", va="top", fontsize=9, linespacing=1.0,
            color="black" if stands else PALE,
            fontweight="bold" if stands else "normal")  # fmt: skip


def _dot(ax, x, y, stands, size=500):
    ax.scatter(x, y, s=size, zorder=3, linewidths=2, color="#FFE3A8" if stands else "white",
               edgecolors=COLORS["highlight"] if stands else "#d0d0d0")  # fmt: skip


def _key(ax, x, y):
    for shift, stands, text in ((0, True, "open"), (1.1, False, "planned")):
        _dot(ax, x + shift, y, stands, size=160)
        ax.text(x + shift + 0.2, y, text, va="center", fontsize=10,
                color="black" if stands else PALE)  # fmt: skip


# The kinds of model


@dataclass(frozen=True)
class Family:
    """A kind of model. ``nodes`` draws it as a graph: name -> (x, y); an x is what you observe."""

    name: str
    samples: bool
    density: str  # of x: "exact", "bound" or "none"
    latent: str  # what z is, or ""
    training: str
    slug: str  # the lecture that teaches it, or ""
    nodes: dict[str, tuple[float, float]]
    arrows: tuple[str, ...]  # "z>x"; "x~z" is learned only to train or to read z


_CHAIN = {"x1": (0, 0), "x2": (1, 0), "x3": (2, 0)}
_STATES = {"z1": (0, 0.35), "z2": (1, 0.35), "z3": (2, 0.35)}
_EMITTED = {name: (x, -0.35) for name, (x, _) in _CHAIN.items()}
_PAIR = {"z": (0.5, 0), "x": (1.5, 0)}

FAMILIES = (
    Family("Mixture model", True, "exact", "the cluster", "likelihood, by EM",
           "03_clustering_and_dimension_reduction", _PAIR, ("z>x",)),
    Family("Probabilistic PCA", True, "exact", "a few coordinates", "likelihood, closed form",
           "03_clustering_and_dimension_reduction", _PAIR, ("z>x",)),
    Family("Hidden Markov model", True, "exact", "a state at each step", "likelihood, by EM", "",
           _STATES | _EMITTED, ("z1>z2", "z2>z3", "z1>x1", "z2>x2", "z3>x3")),
    Family("Autoregressive model", True, "exact", "", "likelihood, by gradient",
           "22_autoregressive", _CHAIN, ("x1>x2", "x2>x3", "x1>x3")),
    Family("Normalizing flow", True, "exact", "x, transformed", "likelihood, by gradient",
           "23_real_nvp", _PAIR, ("z>x", "x>z")),
    Family("VAE", True, "bound", "a code", "a bound (the ELBO)", "20_vae_elbo",
           _PAIR, ("z>x", "x~z")),
    Family("Diffusion model", True, "bound", "noisy copies of x", "a bound, or denoising",
           "60_diffusion", {"z2": (0, 0), "z1": (1, 0), "x": (2, 0)}, ("z2>z1", "z1>x")),
    Family("GAN", True, "none", "noise", "a game against a critic", "30_gan",
           {"z": (0, 0), "x": (1, 0), "c": (2, 0)}, ("z>x", "x~c")),
    Family("Logistic regression", False, "none", "", "likelihood of y given x",
           "01_terminology", {"x": (0.5, 0), "y": (1.5, 0)}, ("x>y",)),
)  # fmt: skip

DENSITIES = {
    "exact": "You can compute\nthe density p(x)",
    "bound": "Only a bound\non log p(x)",
    "none": "No density:\nsamples only",
}


def show_families() -> None:
    """Display the map of model families: what each gives you, drawn as graph and table."""
    exact, bound, none = (
        ", ".join(f.name for f in FAMILIES if f.samples and f.density == kind) for kind in DENSITIES
    )
    other = ", ".join(f.name for f in FAMILIES if not f.samples)
    alt = (
        f"A table of model families, each with its graph. Exact density of x: {exact}. "
        f"Only a bound: {bound}. Samples and no density: {none}. All of these draw new x; "
        f"the discriminative model does not: {other}."
    )
    plots.show(draw_families(), alt)


def draw_families():
    """Return the figure of ``show_families``."""
    fig, ax = plots.figure(size=(10, 6.6))
    ax.set_axis_off()
    columns = {"samples": 5.75, "density": 6.6, "latent": 7.2, "training": 9.35, "lecture": 12.0}
    heads = {"samples": "draws\nnew x?", "density": "gives\np(x)?", "latent": "latent variable z",
             "training": "trained by", "lecture": "lecture"}  # fmt: skip
    for key, x in columns.items():
        centred = key in ("samples", "density", "lecture")
        ax.text(x, 0.75, heads[key], ha="center" if centred else "left", va="center",
                fontsize=10, fontweight="bold")  # fmt: skip
    y, group = 0.0, None
    for family in FAMILIES:
        kind = DENSITIES[family.density] if family.samples else "No model of x:\nonly p(y | x)"
        if kind != group:
            y -= 0.22
            ax.axhline(y + 0.5, color="#d0d0d0", linewidth=1)
            ax.text(-1.75, y, kind, va="center", fontsize=9.5, color=COLORS["mixture"],
                    fontstyle="italic")  # fmt: skip
            group = kind
        _graph(ax, 0.55, y, family)
        ax.text(2.6, y, family.name, va="center", fontsize=11, fontweight="bold")
        _mark(ax, columns["samples"], y, 1.0 if family.samples else 0.0)
        _mark(ax, columns["density"], y, {"exact": 1.0, "bound": 0.5, "none": 0.0}[family.density])
        for key, text in (("latent", family.latent or "none"), ("training", family.training)):
            ax.text(columns[key], y, text, va="center", fontsize=9.5,
                    color="black" if text != "none" else PALE)  # fmt: skip
        ax.text(columns["lecture"], y, family.slug[:2] or "–", ha="center", va="center",
                fontsize=10, color="black" if is_open(family.slug) else PALE)  # fmt: skip
        y -= 0.92
    ax.set(xlim=(-1.9, 12.4), ylim=(y - 0.35, 1.15))
    for x, share, text in ((2.6, 1.0, "yes"), (3.5, 0.5, "a bound"), (4.9, 0.0, "no")):
        _mark(ax, x, y - 0.1, share)
        ax.text(x + 0.22, y - 0.1, text, va="center", fontsize=9.5)
    for x, name, text in ((6.0, "x", "observed"), (7.8, "z", "latent")):
        _node(ax, x, y - 0.1, name)
        ax.text(x + 0.28, y - 0.1, text, va="center", fontsize=9.5)
    ax.annotate("", (9.6, y - 0.1), (9.0, y - 0.1), arrowprops=_arrow("~"))
    ax.text(9.7, y - 0.1, "used in training", va="center", fontsize=9.5)
    return fig


def _mark(ax, x, y, share):
    """A disc that is full, half full or empty."""
    fill = {1.0: "full", 0.5: "left", 0.0: "none"}[share]
    ax.plot(x, y, "o", markersize=13, fillstyle=fill, color=COLORS["mixture"],
            markerfacecoloralt="white", markeredgewidth=1.6)  # fmt: skip


def _graph(ax, left, y, family):
    step = 0.75
    for arrow in family.arrows:
        kind = ">" if ">" in arrow else "~"
        start, end = ((left + step * family.nodes[n][0], y + 0.75 * family.nodes[n][1])
                      for n in arrow.split(kind))  # fmt: skip
        there_and_back = {"x>z", "x~z"} & set(family.arrows)
        bend = -0.35 if there_and_back or arrow == "x1>x3" else 0.0
        ax.annotate("", end, start, arrowprops=_arrow(kind, bend))
    for name, (dx, dy) in family.nodes.items():
        _node(ax, left + step * dx, y + 0.75 * dy, name)


def _arrow(kind, bend=0.0):
    return {"arrowstyle": "-|>", "color": COLORS["mixture"], "linewidth": 1.3,
            "linestyle": "-" if kind == ">" else (0, (2, 1.5)), "shrinkA": 9, "shrinkB": 9,
            "connectionstyle": f"arc3,rad={bend}"}  # fmt: skip


def _node(ax, x, y, name):
    observed = name[0] in "xy"
    ax.plot(x, y, "s" if name == "c" else "o", markersize=16, markeredgecolor=COLORS["mixture"],
            markerfacecolor="#d0d0d0" if observed else "white", zorder=3)  # fmt: skip
    ax.text(x, y, name[0], ha="center", va="center_baseline", fontsize=9, fontstyle="italic",
            zorder=4)  # fmt: skip
