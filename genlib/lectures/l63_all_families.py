"""Lecture 63: every family of the course on the same digits."""

import functools
import time
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from genlib import networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.lectures import l45_judging_a_generator as l45
from genlib.lectures import l60_diffusion as l60
from genlib.lectures import l61_flow_matching as l61
from genlib.lectures import runs
from genlib.likelihood import Diffusion
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import dot, key, panel, words

SLUG = "63_all_families"
PIXELS, LEVELS = l45.PIXELS, l45.LEVELS

# The families


class Kind(NamedTuple):
    """What a family is, beside what its runs score."""

    name: str
    group: str  # one of `GROUPS`
    nats: str  # "exact", "bound", "none"
    calls: int  # of its network for a picture
    lecture: str


#: Groups of families, and the colour of each.
GROUPS = {
    "no network": "mixture",
    "likelihood": "accent",
    "game or kernel": "critic",
    "step by step": "generated",
    "copies": "highlight",
}

FAMILIES = {
    "pixels": Kind("pixels alone", "no network", "exact", 0, "45_judging_a_generator"),
    "mixture": Kind("mixture", "no network", "bound", 0, "03_clustering_and_dimension_reduction"),
    "ppca": Kind("PPCA", "no network", "bound", 0, "03_clustering_and_dimension_reduction"),
    "kde": Kind("KDE", "no network", "bound", 0, "15_kernel_methods"),
    "memoriser": Kind("memoriser", "copies", "exact", 0, "61_flow_matching"),
    "vae": Kind("VAE, means", "likelihood", "bound", 1, "21_vae_images"),
    "vae_noise": Kind("VAE, samples", "likelihood", "bound", 1, "21_vae_images"),
    "pixelcnn": Kind("PixelCNN", "likelihood", "exact", 64, "22_autoregressive"),
    "real_nvp": Kind("RealNVP", "likelihood", "bound", 1, "23_real_nvp"),
    "gan": Kind("GAN", "game or kernel", "none", 1, "30_gan"),
    "wgan_gp": Kind("WGAN-GP", "game or kernel", "none", 1, "32_wgan_gp"),
    "gmmn": Kind("GMMN", "game or kernel", "none", 1, "36_gmmn"),
    "began": Kind("BEGAN", "game or kernel", "none", 1, "41_began"),
    "diffusion": Kind("diffusion", "step by step", "bound", 50, "60_diffusion"),
    "diffusion_label": Kind("diffusion + label", "step by step", "none", 50, "60_diffusion"),
    "flow": Kind("flow matching", "step by step", "bound", 64, "61_flow_matching"),
}

#: Trainings of the diffusion model that differ in one thing: steps, and width of the network.
TRAININGS = {
    "diffusion_500": (500, l60.WIDTH),
    "diffusion": (1500, l60.WIDTH),
    "diffusion_5000": (5000, l60.WIDTH),
    "diffusion_narrow_500": (500, 48),
    "diffusion_narrow": (1500, 48),
    "diffusion_narrow_5000": (5000, 48),
}
SETTINGS = {name: kind.name for name, kind in FAMILIES.items()} | {
    name: f"diffusion, {steps:,} steps, width {width}"
    for name, (steps, width) in TRAININGS.items()
    if name != "diffusion"
}
FLOW_STEPS, SPREADS, ODE_STEPS = 4000, 16, 16
DRAWS = 4  # sets of as many pictures as are held out


#: Rows that share a training with another.
SHARED = {"vae_noise": "vae", "diffusion_label": "diffusion"}


@functools.cache
def fit(setting, seed) -> tuple[l45.Family, float]:
    """Train one of `SETTINGS`: the family, and its seconds of CPU."""
    seconds = fit(SHARED[setting], seed)[1] if setting in SHARED else 0.0
    start = time.process_time()
    if setting == "flow":
        family = flow(seed)
    elif setting == "diffusion_label":
        family = diffusion(*TRAININGS["diffusion"], seed, labelled=True)
    elif setting in TRAININGS:
        family = diffusion(*TRAININGS[setting], seed)
    else:
        family = l45.family(setting, seed)
    return family, seconds + time.process_time() - start


@functools.cache
def diffusion_model(steps, width, seed):
    """Lecture 60's model of 17 levels."""
    network = networks.timed_mlp(PIXELS, 10, LEVELS, width=width, seed=seed)
    model = Diffusion(network, schedule="cosine", levels=LEVELS, classes=10, drop=0.2, seed=seed)
    model.compile(l60.falling(steps, 2e-3))
    model.fit(*l60.digits(), batch_size=128, steps_per_epoch=steps, verbose=0)
    return model


def diffusion(steps, width, seed, labelled=False):
    """Lecture 60's model, which draws any digit, or ``labelled`` one of each in turn.

    A bound exists for the model that draws any digit.
    """
    model = diffusion_model(steps, width, seed)

    def sample(n, seed):
        made = model.sample(n, np.arange(n) % 10 if labelled else None, seed=seed)
        return l45.level(np.asarray(made)) / (LEVELS - 1)

    def nats(x):
        return np.nan if labelled else -float(np.mean(model.elbo(x, 100, seed=seed)))

    return l45.Family(sample, nats, model)


def flow(seed, steps=FLOW_STEPS):
    """Lecture 61's flow, trained on dequantised digits as numbers from -1 to 1."""
    rng = np.random.default_rng((seed, 63))
    x = l45.digits()[0]
    many = np.concatenate([2 * l45.spread(x, rng) - 1 for _ in range(SPREADS)])
    model = l61.new_flow(seed, PIXELS, 256, steps, 2e-3)
    model.fit(np.float32(many), batch_size=l61.BATCH, steps_per_epoch=steps, verbose=0)

    def nats(x):
        place = np.float32(2 * l45.spread(x, rng) - 1)
        return from_density(np.mean(model.log_prob(place, ODE_STEPS)), width=2)

    return l45.Family(
        lambda n, seed: l45.shown((model.sample(n, seed=seed).numpy() + 1) / 2), nats, model
    )


def from_density(log_density, width=1, pixels=PIXELS, levels=LEVELS):
    """Nats of a picture from the log-density of its dequantised form, each pixel ``width`` wide.

    A cell of ``levels`` in ``width`` has the volume ``(width / levels)^pixels``.
    """
    return float(pixels * np.log(levels / width) - log_density)


def numbers_kept(setting, model):
    """How many learned numbers are needed to make a picture."""
    data, square = l45.digits()[0].size, PIXELS * (PIXELS + 1) // 2
    known = {
        "pixels": PIXELS * (LEVELS - 1),
        "memoriser": data,
        "kde": data + 1,
        "mixture": 20 * PIXELS + 19 + square,  # one covariance for all
        "ppca": PIXELS * (1 + l45.FEATURES) + 1,
    }
    if setting in known:
        return known[setting]
    part = next((p for p in ("generator", "decoder", "network") if hasattr(model, p)), None)
    weights = (getattr(model, part) if part else model).trainable_variables
    return int(sum(np.prod(w.shape) for w in weights))


def run(setting, seed):
    """Train a setting, judge four sets of its pictures, and time both on one thread.

    ``train`` is in seconds of CPU, ``ms`` in thousandths of one for each picture.
    """
    family, seconds = fit(setting, seed)
    train, held_out = l45.digits()
    n = len(held_out)
    nats = {"nats": family.nats(held_out), "nats_train": family.nats(train[:n])}
    first = family.sample(n, 1000 * seed)  # it compiles
    start = time.process_time()
    made = [first, *(family.sample(n, 1000 * seed + i) for i in range(1, DRAWS))]
    took = (time.process_time() - start) / (n * (DRAWS - 1))
    found = [l45.judge()(x) for x in made]
    return (
        nats
        | {name: np.mean([row[name] for row in found]) for name in l45.SCORES}
        | {
            "train": seconds,
            "ms": 1000 * took,
            "numbers": numbers_kept(setting, family.model),
            "pictures": l45.level(first[:24]),
        }
    )


stored = functools.partial(runs.table, SLUG)
scores = functools.partial(runs.over_seeds, SLUG)
null = l45.family_null


# The table and the pictures


class Column(NamedTuple):
    """A column of the table: its head, how it is written, its axis, and which way is better."""

    head: str
    form: str
    factor: float
    log: bool
    better: int  # 1: more, -1: less, 0: neither


COLUMNS = {
    "nats": Column("nats, held out", ".1f", 1, False, -1),
    "nats_train": Column("nats, training", ".1f", 1, False, -1),
    "read": Column("read, %", ".0f", 100, False, 1),
    "precision": Column("precision, %", ".0f", 100, False, 1),
    "recall": Column("recall, %", ".0f", 100, False, 1),
    "coverage": Column("coverage, %", ".0f", 100, False, 1),
    "nearer": Column("nearer to training, %", ".0f", 100, False, 0),
    "train": Column("training, CPU s", ".1f", 1, True, -1),
    "ms": Column("sampling, CPU ms", ".3f", 1, True, -1),
    "numbers": Column("numbers kept", ",.0f", 1, True, -1),
}


@functools.cache
def values(column, setting):
    """A column of one setting's runs as it is written, seed by seed: ``(seeds,)``."""
    return COLUMNS[column].factor * scores(setting, column)


def table() -> str:
    """All families, a row each: means over seeds; first what unseen real digits score."""
    heads = {"nats": "nats", "nats_train": "on train", "nearer": "nearer", "train": "train s",
             "ms": "ms", "numbers": "numbers"}  # fmt: skip
    lines = [f"{'':<17}{'':>6}" + "".join(f"{heads.get(c, c):>10}" for c in COLUMNS) + "   calls"]
    real = null()
    cells = [f"{100 * real[c].mean():.0f}" if c in real else "-" for c in COLUMNS]
    lines.append(f"{'real, unseen':<17}{'':>6}" + "".join(f"{cell:>10}" for cell in cells))
    for name, kind in FAMILIES.items():
        means = {c: values(c, name).mean() for c in COLUMNS}
        cells = ["-" if np.isnan(v) else f"{v:{COLUMNS[c].form}}" for c, v in means.items()]
        lines.append(f"{kind.name:<17}{kind.nats:>6}" + "".join(f"{cell:>10}" for cell in cells)
                     + f"{kind.calls:>8}")  # fmt: skip
    return "\n".join(lines)


def draw_sheets(columns=6, each=12):
    """Return a figure: pictures of every family as they came, and real digits that none has seen.

    They are the first of seed 0.
    """
    kept = runs.stored_pictures(SLUG)
    sheets = {kind.name: (kept[name] / (LEVELS - 1), GROUPS[kind.group])
              for name, kind in FAMILIES.items()}  # fmt: skip
    unseen = l45.digits()[1][np.random.default_rng(1).permutation(359)]
    sheets = {"real, unseen": (unseen, "real")} | sheets
    rows = -(-len(sheets) // columns)
    fig, axes = plots.figure(rows, columns, (10, 1.6 * rows))
    for ax in axes.ravel():
        ax.set_axis_off()
    for ax, (name, (x, role)) in zip(axes.ravel(), sheets.items(), strict=False):
        plots.images(ax, x[:each].reshape(-1, 8, 8), columns=4)
        ax.set_title(name, fontsize=10, color=plots.ink(role))
    return fig


def draw_places(ax, across="coverage", up="precision"):
    """Draw every family on two columns: a dot a seed, and its name beside their mean."""
    marks = {name: np.stack([values(c, name) for c in (across, up)], 1) for name in FAMILIES}
    for name, points in marks.items():
        ax.plot(*points.T, "o", color=COLORS[GROUPS[FAMILIES[name].group]], markersize=6, alpha=0.7)
    for c, line in ((across, ax.axvline), (up, ax.axhline)):
        if c in null():
            line(100 * null()[c].mean(), color=COLORS["real"], linestyle=":")
    limits = limits_of(across), limits_of(up)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel=COLUMNS[across].head, ylabel=COLUMNS[up].head)
    ax.figure.draw_without_rendering()  # so that the panel has its size
    box = ax.get_window_extent().size
    shares = {name: to_share((across, up), points) for name, points in marks.items()}
    centres = place_names(
        {n: p.mean(0) for n, p in shares.items()}, box, np.vstack([*shares.values()])
    )
    for name, (x, y) in centres.items():
        role = GROUPS[FAMILIES[name].group]
        plots.label(ax, x, y, FAMILIES[name].name, role, fontsize=9, va="center",
                    transform=ax.transAxes)  # fmt: skip


@functools.cache
def limits_of(column):
    """Where a column's axis begins and ends, whatever seeds are shown."""
    found = np.concatenate([values(column, name) for name in FAMILIES])
    found = found[np.isfinite(found)]
    if COLUMNS[column].log:
        return found.min() / 1.8, found.max() * 1.8
    if COLUMNS[column].factor == 100:
        return -4.0, 108.0
    edge = 0.08 * np.ptp(found)
    return found.min() - edge, found.max() + edge


def to_share(columns, values):
    """Places ``(..., 2)`` of a pair of columns as shares of the panel's width and height."""
    out = np.empty(np.shape(values))
    for i, column in enumerate(columns):
        scale = np.log if COLUMNS[column].log else np.asarray
        low, high = map(scale, limits_of(column))
        out[..., i] = (scale(values[..., i]) - low) / (high - low)
    return out


def width_of(name):
    """About how many pixels a family's name takes."""
    return sum(10 if c.isupper() else 7.8 for c in FAMILIES[name].name)


def place_names(dots, box, others=(), high=14.0):
    """Where to write each family's name so that it hides no dot and no other name: its middle.

    ``dots``: name to place, as shares of a panel of ``box`` pixels; those that are not finite are
    left out. ``others``: more places to keep clear. Each takes the first free place round its dot,
    or the least crowded.
    """
    at = {name: np.asarray(p) * box for name, p in dots.items() if np.isfinite(p).all()}
    taken = [np.array([*p - 5, *p + 5]) for p in (*at.values(), *(place * box for place in others))]
    places = {}
    for name, p in sorted(at.items(), key=lambda item: -item[1][1]):
        wide = width_of(name)
        best, least = None, np.inf
        for reach in (1, 2.2, 3.4):
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
                middle = p + (dx * (wide / 2 + 10), dy * high * reach * (1 if dx else 1.1))
                half = np.array([wide / 2, high / 2])
                low, top = middle - half, middle + half
                boxes = np.array(taken)
                over = np.minimum(top, boxes[:, 2:]) - np.maximum(low, boxes[:, :2])
                cost = np.prod(np.maximum(over, 0), 1).sum()
                cost += 50 * (np.maximum(-low, 0).sum() + np.maximum(top - box, 0).sum())
                if cost + 3 * reach < least:
                    best, least = middle, cost + 3 * reach
        taken.append(np.array([*best - half, *best + half]))
        places[name] = best / box
    return places


# Explorer: families_move

MOST_SEEDS = 3


def ordered(column, setting_values):
    """Families from best to worst in a column; those without a number are left out."""
    finite = {n: v for n, v in setting_values.items() if np.isfinite(v)}
    return sorted(finite, key=finite.get, reverse=COLUMNS[column].better >= 0)


@scene("families_move")
class FamiliesMove(Scene):
    """Every family on two columns of your choice."""

    title = "Choose two columns, and see the families move"
    alt = (
        "A dot for each of sixteen families, named and coloured by its group, at its place on two "
        "columns of the table; thin lines span the seeds, dotted blue lines mark unseen real "
        "digits."
    )
    size = (9.6, 5.2)
    reveals = (
        {"across": "nats", "up": "read"},
        {"across": "recall", "up": "precision"},
        {"across": "nearer", "up": "precision"},
        ({"across": "ms", "up": "read"}, {"across": "train", "up": "read"}),
        {"across": "nats_train", "up": "nats"},
    )

    def controls(self):
        columns = {"nats": "nats", "on train": "nats_train", "read": "read",
                   "precision": "precision", "recall": "recall", "coverage": "coverage",
                   "nearer": "nearer", "training": "train", "sampling": "ms",
                   "numbers": "numbers"}  # fmt: skip
        return {
            "across": choice("across", list(columns.items()), "coverage"),
            "up": choice("up", list(columns.items()), "precision"),
            "seeds": slider("seeds", MOST_SEEDS, 1, MOST_SEEDS, 1),
        }

    def stage(self, fig):
        self.ax, side = fig.subplots(1, 2, width_ratios=[5.2, 1])
        side.set_axis_off()
        named = GROUPS | {"real, unseen": "real"}
        key(side, 0.0, 0.95, named, step=0.075, fontsize=10, ha="left")
        self.dots = {name: dot(self.ax, GROUPS[k.group], 7) for name, k in FAMILIES.items()}
        self.spans = {
            name: [dot(self.ax, GROUPS[k.group], 0, marker="") for _ in range(2)]
            for name, k in FAMILIES.items()
        }
        for pair in self.spans.values():
            for line in pair:
                line.set(linestyle="-", linewidth=1)
        self.names = {
            name: words(self.ax, GROUPS[k.group], k.name, fontsize=9, va="center",
                        transform=self.ax.transAxes)
            for name, k in FAMILIES.items()
        }  # fmt: skip
        self.real = [dot(self.ax, "real", 0, marker="") for _ in range(2)]
        for line in self.real:
            line.set(linestyle=":", linewidth=1.5)

    def update(self, across, up, seeds):
        pair, limits = (across, up), (limits_of(across), limits_of(up))
        ax = self.ax
        for c, scale in zip(pair, (ax.set_xscale, ax.set_yscale), strict=True):
            scale("log" if COLUMNS[c].log else "linear")
        panel(ax, "", (COLUMNS[across].head, *limits[0]), (COLUMNS[up].head, *limits[1]))
        found = {n: np.stack([values(c, n)[:seeds] for c in pair]) for n in FAMILIES}
        means = {n: v.mean(1) for n, v in found.items()}
        for line, c, other, turned in zip(
            self.real, pair, limits[::-1], (False, True), strict=True
        ):
            level = 100 * null()[c].mean() if c in null() else np.nan
            line.move(*((other, [level] * 2) if turned else ([level] * 2, other)))
        for name, v in found.items():
            x, y = means[name]
            self.dots[name].move(x, y)
            self.spans[name][0].move([v[0].min(), v[0].max()], [y, y])
            self.spans[name][1].move([x, x], [v[1].min(), v[1].max()])
        box = np.array([716.0, 466.0])
        places = place_names({n: to_share(pair, m) for n, m in means.items()}, box)
        for name, word in self.names.items():
            word.set_visible(name in places)
            if name in places:
                word.move(*places[name])
        numbers, both = {}, [n for n, m in means.items() if np.isfinite(m).all()]
        for c, i in ((across, 0), (up, 1)):
            best = ordered(c, {n: m[i] for n, m in means.items()})[:3]
            what = "most" if COLUMNS[c].better >= 0 else "least"
            numbers[f"{what} {COLUMNS[c].head}"] = "; ".join(FAMILIES[n].name for n in best)
        agree = spearmanr(*np.stack([means[n] for n in both]).T)[0] if across != up else 1.0
        numbers["rank correlation"] = f"{agree:+.2f}, over {len(both)} families"
        return numbers


# Exercises

EXAMPLE = 40.0  # a log-density of dequantised pictures in [-1, 1]


@exercise("63_all_families/1")
def other_units():
    """The nats of a picture from a log-density of 40 of pictures dequantised into [-1, 1]."""
    return Number(
        from_density(EXAMPLE, width=2),
        tolerance=0.05,
        right="a grey level is 2/17 wide there, so a cell's log-volume is 64 log(2/17).",
        mistakes=[
            (from_density(EXAMPLE), "A level is 2/17 wide: the pictures run from -1 to 1."),
            (from_density(EXAMPLE, width=0.5), "The cells are larger than in [0, 1], not smaller."),
            (-EXAMPLE, "That is the density; a probability is density times the cell's volume."),
            (
                from_density(EXAMPLE, width=2, pixels=1),
                "The cell has 64 sides: its log-volume is 64 times that of one.",
            ),
        ],
    )


@exercise("63_all_families/2")
def unbeaten():
    """Write unbeaten(scores): which families, of scores (n, columns), more better, nobody beats."""

    def reference(scores):
        no_worse = (scores[:, None] >= scores).all(-1)
        better = (scores[:, None] > scores).any(-1)
        return ~(no_worse & better).any(0)

    def inputs(rng):
        return (rng.integers(0, 5, size=(int(rng.integers(4, 9)), 3)).astype(float),)

    return Function(
        lambda scores: reference(scores).astype(float),
        inputs,
        tolerance=1e-6,
        right="what is left is worth a choice; the rest is worse in something and better in none.",
        mistakes=[
            (
                lambda scores: (scores == scores.max(0)).any(1).astype(float),
                "That is who is first in some column; a family may be unbeaten and first in none.",
            ),
            (
                lambda scores: (~(scores[:, None] > scores).all(-1).any(0)).astype(float),
                "To beat it is enough to be better in one column, and no worse in the others.",
            ),
            (
                lambda scores: (~(scores[:, None] >= scores).all(-1).any(0)).astype(float),
                "No family beats itself, nor one with the same scores.",
            ),
            (
                lambda scores: 1.0 - reference(scores),
                "Those are the beaten ones: turn it round.",
            ),
        ],
    )


@exercise("63_all_families/3")
def choose_one():
    """A choice by need: a thousand varied pictures in a second of CPU, no copies."""
    return Choice(
        right_choice="WGAN-GP",
        why="one call of a network a picture, and the recall of its pictures is far above BEGAN's.",
        wrong={
            "KDE": "It is fast, and nine in ten of its pictures lie nearer to the training set.",
            "BEGAN": "Fast, and the best read of the GANs; its recall is the least of them.",
            "diffusion": "Fifty calls of its network a picture: look at the milliseconds.",
            "PixelCNN": "Sixty-four calls a picture, and few of them can be read.",
        },
    )
