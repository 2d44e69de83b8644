"""The plan of the course: its lectures by theme, which of them stand, and two maps.

``show_map`` draws the lectures, ``show_open`` links to those that stand, ``show_families`` draws
the kinds of model that they teach.
"""

import textwrap
from dataclasses import dataclass

from IPython.display import display

from genlib import plots
from genlib.plots import COLORS

START = "00_start_here"

# Each theme: the question it answers, and its lectures in order with their names on the map.
THEMES = {
    "Foundations": (
        "what is a generative model?",
        {
            "01_terminology": "Terminology",
            "02_likelihood_vs_pdf": "Likelihood and PDF",
            "03_why_generative_models": "Why generate?",
            "04_clustering_and_dimension_reduction": "Clusters and PCA",
            "05_hierarchical_bayes": "Hierarchical Bayes",
            "06_kernel_methods": "Kernels",
        },
    ),
    "Divergences": (
        "how far is the model from the data?",
        {
            "10_kl": "Kullback-Leibler",
            "11_jsd": "Jensen-Shannon",
            "12_wasserstein": "Wasserstein",
            "13_integral_probability_metrics": "Integral metrics",
            "14_choosing_a_divergence": "Choosing one",
        },
    ),
    "Likelihood models": (
        "raise the density of the data",
        {
            "20_vae_elbo": "VAE: the bound",
            "21_vae_images": "VAE on images",
            "22_autoregressive": "Autoregressive",
            "23_real_nvp": "Flow: RealNVP",
            "24_semi_supervised": "Few labels",
        },
    ),
    "GANs": (
        "fool a critic, one divergence after the other",
        {
            "30_gan": "GAN",
            "31_wgan": "WGAN",
            "32_wgan_gp": "WGAN-GP",
            "33_lsgan": "LSGAN",
            "34_rwgan": "RWGAN",
            "35_mcgan": "McGAN",
            "36_gmmn": "GMMN",
            "37_mmd_gan": "MMD GAN",
            "38_cramer_gan": "Cramér GAN",
            "39_fisher_gan": "Fisher GAN",
            "40_ebgan": "EBGAN",
            "41_began": "BEGAN",
            "42_magan": "MAGAN",
            "43_gan_lab": "The lab",
            "44_gan_zoo": "The zoo",
            "45_judging_a_generator": "Judging one",
        },
    ),
    "Applications": (
        "what are they good for?",
        {
            "50_infogan": "InfoGAN",
            "51_super_resolution": "Super- resolution",
            "52_text_to_image": "Text to image",
            "53_pix2pix": "Pix2pix",
        },
    ),
    "Beyond": (
        "what came after",
        {
            "60_diffusion": "Diffusion",
            "61_flow_matching": "Flow matching",
            "62_modern_gan": "Modern GAN",
        },
    ),
}

# The lectures that stand. A list, and not a look into notebooks/: in Colab there is no such folder.
OPEN = (
    START,
    "01_terminology",
    "02_likelihood_vs_pdf",
    "03_why_generative_models",
    "04_clustering_and_dimension_reduction",
    "05_hierarchical_bayes",
    "06_kernel_methods",
    "10_kl",
    "11_jsd",
    "12_wasserstein",
    "13_integral_probability_metrics",
    "14_choosing_a_divergence",
    "20_vae_elbo",
    "21_vae_images",
    "22_autoregressive",
    "23_real_nvp",
    "24_semi_supervised",
    "30_gan",
    "31_wgan",
    "32_wgan_gp",
    "33_lsgan",
    "34_rwgan",
    "35_mcgan",
    "36_gmmn",
    "37_mmd_gan",
    "38_cramer_gan",
    "39_fisher_gan",
    "40_ebgan",
    "41_began",
    "42_magan",
)

PALE = "#b3b3b3"


def slugs() -> list[str]:
    """Return every lecture of the plan, in order."""
    return [START, *(slug for _, lectures in THEMES.values() for slug in lectures)]


def show_map() -> None:
    """Display the map of lectures: a track for each theme, open stations filled, others pale."""
    stand = ", ".join(slug[:2] for slug in OPEN)
    alt = (
        f"A map of the course like that of an underground railway: {len(slugs())} lectures on "
        f"{len(THEMES)} lines ({', '.join(THEMES)}). Open now, drawn filled: {stand}. "
        "The others are planned and drawn pale."
    )
    plots.show(draw_map(), alt)


def show_open() -> None:
    """Display links to the lectures that stand, a line for each theme."""
    lines = []
    for theme, (_, lectures) in THEMES.items():
        links = [
            f"[{slug[:2]} {name}]({slug}.ipynb)" for slug, name in lectures.items() if slug in OPEN
        ]
        if links:
            lines.append(f"- **{theme}:** {' · '.join(links)}")
    text = "\n".join(lines)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def draw_map(per_row: int = 8):
    """Return the figure of ``show_map``; a theme with many lectures takes several rows."""
    fig, ax = plots.figure(size=(10, 7.4))
    ax.set_axis_off()
    y, ends = 0.0, []  # ends: how far down the trunk of open track reaches
    for theme, (question, lectures) in THEMES.items():
        y -= 1.16
        ax.text(0.28, y + 0.3, theme, fontsize=12, fontweight="bold")
        ax.annotate(f"  {question}", (1, 0.5), xycoords=ax.texts[-1], va="center", fontsize=10,
                    color=COLORS["mixture"])  # fmt: skip
        stations = list(lectures.items())
        for first in range(0, len(stations), per_row):
            y -= 0.78 if first else 0
            row = stations[first : first + per_row]
            opened = [x for x, (slug, _) in enumerate(row, 1) if slug in OPEN]
            _track(ax, [0, len(row)], [y, y], is_open=False)
            if opened:
                _track(ax, [0, opened[-1]], [y, y], is_open=True)
                ends.append(y)
            for x, (slug, name) in enumerate(row, 1):
                _station(ax, x, y, slug, name)
    _track(ax, [0, 0], [0, y], is_open=False)
    _track(ax, [0, 0], [0, min(ends)], is_open=True)
    _station(ax, 0, 0, START, "")
    ax.text(0.28, 0, "Start here", fontsize=12, fontweight="bold", va="center")
    _key(ax, per_row - 1.6, 0.0)
    ax.set(xlim=(-0.3, per_row + 0.55), ylim=(y - 0.6, 0.35))
    return fig


def _track(ax, xs, ys, is_open):
    color = COLORS["highlight"] if is_open else "#e3e3e3"
    ax.plot(xs, ys, color=color, linewidth=5, zorder=2 if is_open else 1,
            solid_capstyle="round")  # fmt: skip


def _station(ax, x, y, slug, name):
    is_open = slug in OPEN
    _dot(ax, x, y, is_open)
    ax.text(x, y, slug[:2], ha="center", va="center_baseline", fontsize=9, fontweight="bold",
            color="black" if is_open else PALE, zorder=4)  # fmt: skip
    name = textwrap.fill(name, 13, break_long_words=False)
    ax.text(x, y - 0.24, name, ha="center", va="top", fontsize=9, linespacing=1.0,
            color="black" if is_open else "#8c8c8c",
            fontweight="bold" if is_open else "normal")  # fmt: skip


def _dot(ax, x, y, is_open, size=500):
    ax.scatter(x, y, s=size, zorder=3, linewidths=2, color="#FFE3A8" if is_open else "white",
               edgecolors=COLORS["highlight"] if is_open else "#d0d0d0")  # fmt: skip


def _key(ax, x, y):
    for shift, is_open, text in ((0, True, "open"), (1.1, False, "planned")):
        _dot(ax, x + shift, y, is_open, size=160)
        ax.text(x + shift + 0.2, y, text, va="center", fontsize=10,
                color="black" if is_open else "#8c8c8c")  # fmt: skip


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
           "04_clustering_and_dimension_reduction", _PAIR, ("z>x",)),
    Family("Probabilistic PCA", True, "exact", "a few coordinates", "likelihood, closed form",
           "04_clustering_and_dimension_reduction", _PAIR, ("z>x",)),
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
                    color="black" if text != "none" else "#8c8c8c")  # fmt: skip
        ax.text(columns["lecture"], y, family.slug[:2] or "–", ha="center", va="center",
                fontsize=10, color="black" if family.slug in OPEN else "#8c8c8c")  # fmt: skip
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
