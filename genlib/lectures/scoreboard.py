"""The scoreboard of the lectures 30 to 42: a row more in each, always from the same stored runs."""

import numpy as np
from matplotlib.lines import Line2D

from genlib import experiments, plots, validate
from genlib.gans import REGISTRY
from genlib.lectures import PLAN, SLUGS

#: Lecture to the variants that it teaches, in the order of the course.
TAUGHT = {slug: [slug[3:]] for slug in SLUGS if slug[3:] in REGISTRY}
TAUGHT["37_mmd_gan"] += ["mmd_gan_gp"]

#: How a variant is written where its lecture's name is not enough.
NAMES = {"mmd_gan_gp": "MMD GAN, penalty"}

#: Data sets from left to right, and what the share of high quality is there.
DATA = {"ring": "ring", "hard_ring": "hard ring", "grid": "grid", "digits": "digits, 8x8"}

#: No JSD is larger.
MOST = np.log(2)


def scoreboard(upto: str) -> None:
    """Show what the GANs of the lectures up to ``upto``, such as "33_lsgan", reached.

    A picture, a dot a run: the share of samples of high quality and, beside it, the JSD to the true
    density by counting; and the medians as a table, with the width of a mode. The runs are those of
    `experiments.stored`. ValueError unless ``upto`` is one of those lectures.
    """
    validate.choice("upto", upto, TAUGHT)
    rows = [name for slug, names in TAUGHT.items() if slug <= upto for name in names]
    runs = experiments.stored()
    known = [name for name in DATA if medians(runs, name, "gan")]
    print("\n".join(table(rows, runs, known)))
    plots.show(draw(rows, runs, known, new=TAUGHT[upto]), describe(rows, runs, known, TAUGHT[upto]))


def name_of(variant):
    """How ``variant`` is written."""
    slug = next(slug for slug, names in TAUGHT.items() if variant in names)
    return NAMES.get(variant) or next(one.name for one in PLAN if one.slug == slug)


def values(runs, data, settings, variant, column):
    """The numbers of a column, (seeds,), for one cell; those above `MOST` of "jsd" are cut off."""
    chosen = {"data": data, "settings": settings, "variant": variant}
    found = np.array([run[column] for run in runs if chosen.items() <= run.items()])
    return np.minimum(found, MOST) if column == "jsd" else found


def medians(runs, data, variant, settings="preset"):
    """(quality, jsd, width) of a cell, or None if there is no run."""
    found = [values(runs, data, settings, variant, c) for c in ("quality", "jsd", "width")]
    return [float(np.median(column)) for column in found] if len(found[0]) else None


def table(rows, runs, known):
    """The medians over seeds of the presets' runs, as lines of text."""
    heads = [f"{DATA.get(name, name):^21}" for name in known]
    yield " " * 18 + "".join(heads)
    yield " " * 18 + " quality  JSD   width " * len(known)
    for variant in [*rows, "truth"]:
        line = f"{'true samples' if variant == 'truth' else name_of(variant):<18}"
        for name in known:
            found = medians(runs, name, variant, "truth" if variant == "truth" else "preset")
            line += f"{found[0]:7.0%}{found[1]:7.3f}{found[2]:7.3f}" if found else f"{'-':^21}"
        yield line


def draw(rows, runs, known, new):
    """The figure: a row for each variant, a pair of panels for each data set."""
    size = max(7.5, 1.6 + 2.1 * len(known)), 1.5 + 0.36 * len(rows)
    fig, panels = plots.figure(1, 2 * len(known), size, sharey=True, squeeze=False)
    heights = {variant: -i for i, variant in enumerate(rows)}
    for i, panel in enumerate(panels[0]):
        data, (column, factor) = known[i // 2], (("quality", 100), ("jsd", 1))[i % 2]
        for variant in new:
            y = heights[variant]
            panel.axhspan(
                y - 0.5, y + 0.5, color=plots.COLORS["highlight"], alpha=0.18, linewidth=0
            )
        for variant, y in heights.items():
            old = {} if variant in new else {"alpha": 0.55}
            for settings, style in STYLES.items():
                found = factor * values(runs, data, settings, variant, column)
                panel.plot(found, [y + style["lift"]] * len(found), **style["dot"], **old)
        true = factor * values(runs, data, "truth", "truth", column)
        for x in true[:1]:
            panel.axvline(x, color=plots.COLORS["real"], linewidth=1.5)
        panel.set(
            xlim=((-4, 104), (-0.03, 0.73))[i % 2], xticks=((0, 50, 100), (0, 0.5))[i % 2],
            ylim=(0.6 - len(rows), 0.6), xlabel=("quality, %", "JSD, nats")[i % 2],
            yticks=list(heights.values()), yticklabels=map(name_of, rows),
        )  # fmt: skip
        panel.grid(axis="y", visible=False)
        if i % 2 == 0:
            panel.set_title(DATA[data])
    seen = [style for name, style in STYLES.items() if any(run["settings"] == name for run in runs)]
    keys = [Line2D([], [], label=style["label"], **style["dot"]) for style in seen]
    keys.append(Line2D([], [], color=plots.COLORS["real"], linewidth=1.5, label="true samples"))
    fig.legend(handles=keys[::-1], loc="outside lower center", ncols=3, fontsize=10)
    for tick, variant in zip(panels[0, 0].get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if variant in new else "normal")
    return fig


#: How a run is drawn: the preset's as a full dot, the paper's plain settings as a ring below it.
STYLES = {
    "paper": {
        "lift": -0.2,
        "label": "a seed, the paper's plain settings",
        "dot": {"marker": "o", "linestyle": "", "color": plots.COLORS["mixture"],
                "markerfacecolor": "none", "markersize": 4},
    },
    "preset": {
        "lift": 0.12,
        "label": "a seed, the preset for such data",
        "dot": {"marker": "o", "linestyle": "", "color": plots.COLORS["generated"],
                "markersize": 6},
    },
}  # fmt: skip


def describe(rows, runs, known, new):
    """The alternative text, from the numbers."""
    seeds = max(len(values(runs, data, "preset", rows[0], "seed")) for data in known)
    hollow = ""
    if any(run["settings"] == "paper" for run in runs):
        hollow = ", full for the presets and hollow for the papers' plain settings"
    parts = []
    for variant in new:
        cells = {data: medians(runs, data, variant) for data in known}
        told = [
            f"{DATA[data]} {found[0]:.0%} and {found[1]:.2f}"
            for data, found in cells.items()
            if found
        ]
        parts.append(f"{name_of(variant)}: " + (", ".join(told) or "no run yet"))
    true = [
        f"{DATA[data]} {found[0]:.0%} and {found[1]:.2f}"
        for data in known
        if (found := medians(runs, data, "truth", "truth"))
    ]
    return (
        f"A scoreboard of {len(rows)} GANs, a row each, on {len(known)} data sets; for each set a "
        f"panel of the share of samples of high quality and one of the JSD to the truth, a dot for "
        f"each of up to {seeds} seeds{hollow}. The newest row is marked. Medians of quality "
        f"and JSD: {'; '.join(parts)}. "
        f"True samples, a blue line: {', '.join(true)}."
    )
