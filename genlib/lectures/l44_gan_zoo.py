"""Lecture 44: the zoo. What each objective reaches at equal budgets, over seeds, and how sure."""

import functools
import math

import numpy as np
from matplotlib.lines import Line2D
from scipy.stats import norm

from genlib import experiments, plots, validate
from genlib.check import Function, Number, exercise
from genlib.lectures import scoreboard
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import dot, moving, panel, shade

# The stored runs

#: Data sets, and how they are written.
DATA = {"ring": "ring", "hard_ring": "hard ring", "moons": "moons", "grid": "grid"}
DATA |= {"digits": "digits, 8x8"}

#: Scores, what is read off a stored run for each, and whether less is better.
SCORES = {"JSD": ("jsd", True), "quality": ("quality", False)}
VARIANTS = tuple(variant for taught in scoreboard.TAUGHT.values() for variant in taught)
NAMES = {variant: scoreboard.name_of(variant) for variant in VARIANTS}


def stored_data(settings="preset") -> list[str]:
    """Return the data sets that have runs of these settings, in order."""
    found = {row["data"] for row in experiments.stored() if row["settings"] == settings}
    return [name for name in DATA if name in found]


def column(data, name="jsd", settings="preset") -> np.ndarray:
    """Return one column of the stored runs, ``(variants, seeds)``; a JSD at most log 2."""
    cells = (scoreboard.values(experiments.stored(), data, settings, v, name) for v in VARIANTS)
    return np.stack(list(cells))


def losses(data, score="JSD", settings="preset") -> np.ndarray:
    """Return a score of the stored runs, ``(variants, seeds)``, turned so that less is better."""
    name, less = SCORES[score]
    return column(data, name, settings) * (1 if less else -1)


def true(data, name="jsd") -> float:
    """Return what true samples score."""
    return float(scoreboard.values(experiments.stored(), data, "truth", "truth", name)[0])


# How sure is a comparison?

REPORTS = {"median of k": np.median, "best of k": np.min}


def resampled(values, k, draws=2000, report="median of k", seed=0) -> np.ndarray:
    """Return what ``k`` seeds would have reported, ``(draws, variants)``: a bootstrap.

    ``values``: ``(variants, seeds)``, less is better. Each draw takes for each variant ``k`` of its
    stored runs, with replacement.
    """
    chosen = picks(values, k, draws, seed)
    drawn = np.take_along_axis(values[None], chosen, axis=2)
    return REPORTS[report](drawn, axis=2)


def picks(values, k, draws, seed=0):
    """Which stored runs a draw takes: whole numbers ``(draws, variants, k)``."""
    variants, seeds = values.shape
    return np.random.default_rng(seed).integers(seeds, size=(draws, variants, k))


def wins(values, k, **how) -> np.ndarray:
    """Return how often each variant is the best of a draw of ``k`` seeds, ``(variants,)``."""
    best = resampled(values, k, **how).argmin(1)
    return np.bincount(best, minlength=len(values)) / len(best)


def ranks(values) -> np.ndarray:
    """Return each variant's rank by the median over seeds, from 1, ``(variants,)``."""
    return 1 + np.median(values, axis=1).argsort().argsort()


def rank_interval(values, level=0.9, **how) -> np.ndarray:
    """Return the lowest and highest rank that resampled seeds give, ``(2, variants)``."""
    drawn = 1 + resampled(values, values.shape[1], **how).argsort(1).argsort(1)
    return np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest")


def mistaken(gap, deviation, k) -> float:
    """Return how probably the worse of two has the better mean over ``k`` seeds.

    ``gap``: between the two expectations; ``deviation``: of one run, for both. Exact for Gaussians.
    """
    return float(norm.cdf(-gap / (deviation * np.sqrt(2 / k))))


def best_of(values, r) -> float:
    """Return the expected least of ``r`` of the runs ``values`` (n,), drawn without replacement.

    The i-th smallest is the least of r where the other r - 1 come from the n - i above it.
    """
    n = len(values)
    weights = [math.comb(n - i, r - 1) / math.comb(n, r) for i in range(1, n + 1)]
    return float(np.sort(values) @ weights)


def front(cost, loss) -> list[int]:
    """Return the indices that no other betters in both, cheapest first: the Pareto front."""
    order, kept, best = np.lexsort((loss, cost)), [], np.inf
    for i in order:
        if loss[i] < best:
            kept.append(int(i))
            best = loss[i]
    return kept


# Explorer: zoo_seeds


def _key(role, label, **style):
    return Line2D([], [], color=COLORS.get(role, role), linestyle="", label=label, **style)


MOST_SEEDS = 10


@functools.lru_cache(64)
def _wins(data, score, report, k):
    return wins(losses(data, score), k, report=report)


@scene("zoo_seeds")
class ZooSeeds(Scene):
    """How many seeds does it take until the winner stays the winner?"""

    title = "Choose the number of seeds, and see the winner change"
    alt = (
        "Left: a row for each of fourteen GANs with a grey dot for each stored run; the runs of "
        "this draw are marked in vermillion, what they report by a black diamond, and the winner's "
        "row by an orange band; a blue line marks true samples. Right: in a bar for each GAN, how "
        "often it wins over 2,000 such draws."
    )
    size = (9.8, 4.8)
    reveals = (
        ({"data": "hard_ring", "seeds": 1}, {"data": "hard_ring", "seeds": 1, "draw": 2}),
        {"data": "hard_ring", "seeds": MOST_SEEDS},
        ({"data": "ring", "seeds": 5}, {"data": "ring", "seeds": 5, "score": "quality"}),
        (
            {"data": "hard_ring", "report": "best of k", "seeds": 1},
            {"data": "hard_ring", "report": "best of k", "seeds": MOST_SEEDS},
        ),
    )

    def controls(self):
        known = [(DATA[name], name) for name in stored_data()]
        return {
            "data": choice("data", known, known[0][1]),
            "score": choice("score", list(SCORES)),
            "report": choice("report", list(REPORTS)),
            "seeds": slider("seeds k", 3, 1, MOST_SEEDS, 1),
            "draw": slider("draw", 1, 1, 20, 1),
        }

    def stage(self, fig):
        self.left, right = fig.subplots(1, 2, width_ratios=(1.7, 1), sharey=True)
        heights = -np.arange(len(VARIANTS))
        panel(self.left, "The stored runs, and this draw")
        panel(right, "Wins of 2,000 draws", ("share of draws, %", 0, 100))
        self.left.set(
            ylim=(0.6 - len(VARIANTS), 0.6), yticks=heights, yticklabels=list(NAMES.values())
        )
        for ax in (self.left, right):
            ax.grid(axis="y", visible=False)
        self.winner = shade(self.left, "highlight", 0.3)
        self.all = dot(self.left, "mixture", 5, alpha=0.5)
        self.drawn = dot(self.left, "generated", 6)
        self.said = dot(self.left, "black", 9, marker="D", markerfacecolor="none")
        self.truth = moving(self.left.axvline(0, color=COLORS["real"], linewidth=1.5))
        self.bars = moving(right.barh(heights, 0 * heights, color=COLORS["highlight"]))
        self.heights = heights
        fig.legend(
            handles=[
                _key("mixture", "a stored run", marker="o", alpha=0.5),
                _key("generated", "in this draw", marker="o"),
                _key("black", "what is reported", marker="D", markerfacecolor="none"),
                Line2D([], [], color=COLORS["real"], label="true samples"),
            ],
            loc="outside lower center", ncols=4, fontsize=10,
        )  # fmt: skip

    def update(self, data, score, report, seeds, draw):
        name, less = SCORES[score]
        values, factor = losses(data, score), 1 if less else -100
        chosen = picks(values, seeds, 1, draw)[0]
        drawn = np.take_along_axis(values, chosen, axis=1)
        said = REPORTS[report](drawn, axis=1)
        best, rows = int(said.argmin()), self.heights[:, None]
        low, high, what = (-0.02, 0.72, "JSD, nats") if less else (-4, 104, "quality, %")
        self.left.set(xlim=(low, high), xlabel=what)
        self.all.move(factor * values.ravel(), (rows + 0 * values).ravel())
        self.drawn.move(factor * drawn.ravel(), (rows + 0 * drawn).ravel())
        self.said.move(factor * said, self.heights)
        self.winner.move([low, high], -best - 0.5, -best + 0.5)
        self.truth.set_xdata([abs(factor) * true(data, name)] * 2)
        share = _wins(data, score, report, seeds)
        for bar, width in zip(self.bars, share, strict=True):
            bar.set_width(100 * width)
        often = int(share.argmax())
        return {
            "winner of this draw": NAMES[VARIANTS[best]],
            "wins most often": f"{NAMES[VARIANTS[often]]}, {share[often]:.0%}",
            "GANs that win 1 draw in 20 or more": int(np.sum(share >= 0.05)),
            "stored seeds": values.shape[1],
        }


# Pictures


def winners(data, score="JSD") -> list[str]:
    """Return the best variant of each stored seed."""
    return [VARIANTS[i] for i in losses(data, score).argmin(0)]


def draw_winners(known):
    """Return a figure: for each data set and score the best variant, seed by seed."""
    rows = [(data, score) for data in known for score in SCORES]
    most_seeds = max(losses(data).shape[1] for data in known)
    fig, ax = plots.figure(size=(10.2, 0.8 + 0.38 * len(rows)))
    for y, (data, score) in enumerate(rows):
        won = winners(data, score)
        most = max(won, key=won.count)
        for seed, variant in enumerate(won):
            often = variant == most and won.count(most) > 1
            color = COLORS["highlight"] if often else COLORS["mixture"]
            ax.barh(-y, 0.94, left=seed - 0.47, height=0.84, color=color, alpha=0.25)
            ax.text(seed, -y, variant, ha="center", va="center", fontsize=8.5)
    ax.set(
        yticks=-np.arange(len(rows)), yticklabels=[f"{DATA[d]}, {score}" for d, score in rows],
        xticks=range(most_seeds), xlim=(-0.55, most_seeds - 0.45), ylim=(0.6 - len(rows), 0.6),
        xlabel="seed", title="Who wins? By the lower JSD, or by the higher quality",
    )  # fmt: skip
    ax.grid(visible=False)
    return fig


def draw_bands(known):
    """Return a figure: every run's quality above and JSD below, a panel for each data set."""
    fig, panels = plots.figure(2, len(known), (10.2, 8.6), sharey=True, squeeze=False)
    heights, colors = -np.arange(len(VARIANTS)), {"paper": "mixture", "preset": "generated"}
    for row, (name, factor, limits, what) in zip(
        panels,
        (("quality", 100, (-4, 104), "quality, %"), ("jsd", 1, (-0.03, 0.73), "JSD, nats")),
        strict=True,
    ):
        for ax, data in zip(row, known, strict=True):
            for settings, lift in (("paper", -0.2), ("preset", 0.15)):
                style = {"color": COLORS[colors[settings]]}
                for y, runs in zip(heights, factor * column(data, name, settings), strict=True):
                    if len(runs):
                        ax.plot([runs.min(), runs.max()], [y + lift] * 2, lw=2, alpha=0.5, **style)
                        ax.plot(runs, [y + lift] * len(runs), "|", markersize=5, **style)
                        ax.plot(np.median(runs), y + lift, "o", markersize=5, **style)
            ax.axvline(factor * true(data, name), color=COLORS["real"], linewidth=1.5)
            ax.set(xlim=limits, xlabel=what, yticks=heights, yticklabels=NAMES.values())
            ax.set(ylim=(0.6 - len(heights), 0.6), title=DATA[data] if name == "quality" else "")
            ax.grid(axis="y", visible=False)
    told = {"preset": "the preset", "paper": "the paper's plain settings"}
    keys = [
        Line2D([], [], color=COLORS[colors[settings]], marker="o", label=text)
        for settings, text in told.items()
        if stored_data(settings)
    ]
    keys.append(Line2D([], [], color=COLORS["real"], label="true samples"))
    fig.legend(handles=keys, loc="outside lower center", ncols=3, fontsize=10)
    return fig


def draw_ranks(known):
    """Return a figure: ranks by the median JSD and quality, with the span that seeds leave."""
    columns = [(data, score) for data in known for score in SCORES]
    fig, ax = plots.figure(size=(10.2, 6.0))
    for x, (data, score) in enumerate(columns):
        values = losses(data, score)
        low, high = rank_interval(values)
        for y, (rank, a, b) in enumerate(zip(ranks(values), low, high, strict=True)):
            box = {"color": COLORS["generated"], "alpha": 0.5 * (len(VARIANTS) - rank) / 13}
            ax.barh(-y, 0.94, left=x - 0.47, height=0.9, **box)
            ax.text(x, -y, f"{rank}  ({a}-{b})", ha="center", va="center", fontsize=9)
    ax.set(
        xticks=range(len(columns)), xticklabels=[f"{DATA[d]}\n{score}" for d, score in columns],
        yticks=-np.arange(len(VARIANTS)), yticklabels=NAMES.values(),
        xlim=(-0.55, len(columns) - 0.45), ylim=(0.6 - len(VARIANTS), 0.6),
    )  # fmt: skip
    ax.tick_params(axis="x", labelsize=9, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.grid(visible=False)
    return fig


def draw_costs(known):
    """Return a figure: CPU seconds of a run against the median JSD, the front named."""
    fig, panels = plots.figure(1, len(known), (10.2, 3.6), squeeze=False)
    for ax, data in zip(panels[0], known, strict=True):
        cost, loss = np.median(column(data, "seconds"), 1), np.median(losses(data), 1)
        best = front(cost, loss)
        ax.plot(cost, loss, "o", color=COLORS["mixture"], markersize=6, alpha=0.6)
        ax.step(cost[best], loss[best], "o-", where="post", color=COLORS["generated"])
        right = np.sqrt(cost.min() * cost.max())
        for i in best:
            side = (
                {"ha": "left", "va": "bottom"} if cost[i] < right else {"ha": "right", "va": "top"}
            )
            plots.label(ax, cost[i], loss[i], NAMES[VARIANTS[i]], "generated", fontsize=9, **side)
        ax.axhline(true(data), color=COLORS["real"], linewidth=1.5)
        ax.set(xscale="log", xlabel="CPU seconds", ylim=(0, 0.72), title=DATA[data])
        ticks = [t for t in (1, 2, 5, 10, 20, 50, 100) if cost.min() / 1.5 < t < cost.max() * 1.5]
        ax.set_xticks(ticks, map(str, ticks))
        ax.minorticks_off()
    panels[0, 0].set_ylabel("JSD, nats")
    return fig


# Where it breaks: one change at a time, trained by `tools/runs.py 44` and stored

#: A change to the preset on the hard ring: the variant, and what is other than in its preset.
CHANGES = {
    "wgan_r1": ("wgan", {"r1": 0.1}),
    "mmd_gan_gp_decoder": ("mmd_gan_gp", {"reconstruction_weight": 8.0}),
    "ebgan_r1": ("ebgan", {"r1": 0.1}),
    "ebgan_margin": ("ebgan", {"margin": 2.0}),
    "began_start": ("began", {"start": 12.0}),
    "magan_r1": ("magan", {"r1": 1.0}),
    "magan_margin": ("magan", {"margin": 2.0}),
}
SETTINGS = {
    name: f"{NAMES[variant]}: " + ", ".join(f"{k} {v:g}" for k, v in options.items())
    for name, (variant, options) in CHANGES.items()
}


def run(setting, seed) -> dict:
    """Train a variant on the hard ring with one of `CHANGES`, at the zoo's budget, and score it."""
    variant, options = CHANGES[validate.choice("setting", setting, CHANGES)]
    trial = experiments.on_toy(variant, "hard_ring", seed=seed, steps=2000, **options)
    names = ("modes", "high_quality", "jsd", "width")
    return {name.removeprefix("high_"): float(getattr(trial, name)) for name in names}


# Exercises


@exercise("44_gan_zoo/1")
def three_seeds():
    """How often three seeds put the worse of two in front."""
    gap, deviation, k = 0.03, 0.04, 3
    return Number(
        mistaken(gap, deviation, k),
        tolerance=0.004,
        right="the gap is most of a deviation, and nearly one comparison in five is wrong.",
        mistakes=[
            (
                mistaken(gap, deviation, 1),
                "That is for one seed each: a mean of k has a variance k times smaller.",
            ),
            (
                float(norm.cdf(-gap / (deviation / np.sqrt(k)))),
                "Both means vary: the variance of their difference is the sum of two.",
            ),
            (1 - mistaken(gap, deviation, k), "That is how often the better one is in front."),
        ],
    )


@exercise("44_gan_zoo/2")
def best_of_r():
    """Write best_of(values, r): the expected least of r of the runs."""
    return Function(
        lambda values, r: best_of(np.asarray(values), r),
        lambda rng: (rng.uniform(0, 0.7, size=int(rng.integers(4, 9))), int(rng.integers(2, 4))),
        tolerance=1e-6,
        right="every choice of r runs is as likely as any other; each has one least.",
        mistakes=[
            (lambda values, r: np.mean(values), "That is what one run gives: r is not used."),
            (lambda values, r: np.min(values), "That is the least of all of them, not of r."),
            (
                lambda values, r: np.mean(np.sort(values)[:r]),
                "That is the mean of the r smallest; asked is the least of r that chance chooses.",
            ),
            (
                lambda values, r: -best_of(-np.asarray(values), r),
                "That is the expected largest: less is better here.",
            ),
        ],
        calls=6,
    )


@exercise("44_gan_zoo/3")
def outside_the_band():
    """How often a new seed lies outside the range of ten."""
    n = MOST_SEEDS
    return Number(
        2 / (n + 1),
        tolerance=0.002,
        right="of eleven runs in random order, the new one is as likely as any to be an extreme.",
        mistakes=[
            (1 / (n + 1), "That is one end alone: it may lie above or below."),
            (2 / n, "There are eleven runs with the new one, not ten."),
            (0.0, "Ten runs do not show all that can happen."),
        ],
    )
