"""A GAN trained and judged in one line, always in the same way: what lectures and benchmarks run.

Every variant gets networks of the same sizes and as many samples to be judged by: rows of a table
differ in the objective and its settings alone.
"""

import collections
import csv
import functools
import operator
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import ndtr, rel_entr

from genlib import data, metrics, validate
from genlib.divergences.samples import sliced_wasserstein
from genlib.experiments.presets import build, default_networks, find, preset
from genlib.gans import AdversarialModel
from genlib.training import settings_of

SAMPLES, COUNTED = 2500, 30_000  # to be scored; to be counted in cells

#: Toys with modes, and three standard deviations of a mode: so near is a sample of high quality.
RADIUS = {"ring": 0.3, "hard_ring": 0.15, "grid": 0.15}

#: And one that has none: 64 Gaussians along two arcs, too close to be told apart. There the same
#: three standard deviations are counted from the arcs; a "mode" found is one of the 64 places.
NEAR = RADIUS | {"moons": 0.3}

#: "preset": the variant's settings for such data; "paper": its plain defaults, on batches as large.
SETTINGS = ("preset", "paper")


class ToyTrial(NamedTuple):
    """One training on 2-D points, and what samples of its generator score: see `score_points`."""

    model: AdversarialModel | None  # None: no generator, but known samples
    modes: int
    high_quality: float
    distance: float
    width: float
    jsd: float
    seconds: float  # of training, compilation included


class DigitTrial(NamedTuple):
    """One training on the real 8x8 digits, and what 1,000 samples of its generator score."""

    model: AdversarialModel
    score: metrics.DigitScore
    seconds: float


def on_toy(variant, toy="ring", *, width=128, **training) -> ToyTrial:
    """Train a variant on a toy density and score it.

    Args:
      variant: a name in `genlib.gans.REGISTRY`, or a class.
      toy: "ring", "hard_ring", "grid" or "moons": see `density`.
      width: units in each of the two hidden layers.
      **training: ``seed`` (of networks, latents and batches; default 0); ``settings``, "preset"
        (default) or "paper", see `SETTINGS`; ``steps`` of the generator (default: the preset's),
        divided among the ``epochs``; ``callbacks``; and any argument of the class.

    Raises ValueError for an unknown variant, toy or setting, or what the class itself refuses.
    """
    model, seconds = _train(variant, toy, density(toy), (2,), 2, width, **training)
    made = (_sample(model, n, seed) for seed, n in enumerate((SAMPLES, COUNTED), 1))
    return ToyTrial(model, *_scores(*made, toy), seconds)


def on_digits(variant, *, width=256, latent_dim=16, **training) -> DigitTrial:
    """Train a variant on the real 8x8 digits and let a classifier read it; else as `on_toy`."""
    x, _ = data.images("digits")
    model, seconds = _train(variant, "digits", x, (8, 8, 1), latent_dim, width, **training)
    made = _sample(model, 1000, 1)
    made = made if np.isfinite(made).all() else np.zeros_like(made)
    return DigitTrial(model, metrics.class_scores(made), seconds)


def over_seeds(make, points, *, steps, seeds=5, epochs=1, batch_size=128, callbacks=None,
               look=None) -> list:  # fmt: skip
    """Train ``make(seed)`` for each seed, all in one compiled graph, and return the models.

    Each ends as if it had been trained alone, at a fraction of the cost: compiling takes longer
    than most trainings of a lecture.

    Args:
      make: a function of the seed that gives a compiled `genlib.training.CompiledModel`. All must
        be of one class and differ in variables alone; what is to vary must be one (`add_state`).
      points: the data, as ``fit`` takes them.
      steps: of training, divided among the ``epochs``.
      seeds: how many, from 0, or the seeds themselves: whatever ``make`` takes.
      callbacks: as ``fit`` takes them. During training their model is the one with the graph.
      look: a function of a model just trained; what it returns is listed in place of the model.

    ValueError: models that differ in more than variables, or a count out of range.
    """
    steps, epochs = validate.count("steps", steps), validate.count("epochs", epochs)
    if not isinstance(seeds, Iterable):
        seeds = range(validate.count("seeds", seeds))
    runner, fixed, found = None, None, []
    for seed in seeds:
        model = make(seed)
        if runner is None:
            runner, fixed = model, _fixed(model)
        if _fixed(model) != fixed:
            raise ValueError(
                "make must give models that differ in variables alone, since one graph trains all; "
                f"make({seed!r}) has another class, shape or setting than the first"
            )
        _train_in(runner, model, points, batch_size=batch_size, epochs=epochs,
                  steps_per_epoch=max(1, steps // epochs), callbacks=callbacks)  # fmt: skip
        found.append(look(model) if look else model)
    return found


@functools.cache
def stored() -> tuple[dict, ...]:
    """Return what every GAN reached at equal budgets, a row a run: see the head of ``runs.csv``.

    Only what is complete: a seed of a data set that all variants have, and true samples' rows.
    """
    lines = Path(__file__).with_name("runs.csv").read_text("utf-8").splitlines()
    rows, text = csv.DictReader(x for x in lines if x[0] != "#"), {"data", "settings", "variant"}
    rows = [{k: v if k in text else float(v) for k, v in row.items()} for row in rows]
    block = operator.itemgetter("data", "settings", "seed")
    sizes = collections.Counter(map(block, rows))
    whole = len({x["variant"] for x in rows} - {"truth"})
    return tuple(x for x in rows if x["settings"] == "truth" or sizes[block(x)] == whole)


def density(toy="ring"):
    """The density of a toy: `genlib.data.toy`'s, "hard_ring" one of radius 2 and scale 0.05."""
    hard = {"radius": 2.0, "scale": 0.05} if validate.choice("toy", toy, NEAR)[0] == "h" else {}
    return data.toy(toy.removeprefix("hard_"), **hard)


@functools.cache
def truth(toy="ring") -> ToyTrial:
    """Return what true samples score, medians of nine draws: what a generator cannot better."""
    draw = density(toy).sample
    draws = ([draw(n, seed=(n, 90 + i)).numpy() for n in (SAMPLES, COUNTED)] for i in range(9))
    modes, *scores = np.median([_scores(*made, toy) for made in draws], axis=0).tolist()
    return ToyTrial(None, int(modes), *scores, 0.0)


@functools.cache
def circle(toy="ring") -> ToyTrial:
    """Return what an even circle through a ring's modes scores: a generator that finds none."""
    turn, radius = np.random.default_rng(0).uniform(0, 2 * np.pi, COUNTED), 1 + (toy == "hard_ring")
    made = radius * np.stack([np.cos(turn), np.sin(turn)], 1).astype(np.float32)
    return ToyTrial(None, *_scores(made[:SAMPLES], made, toy), 0.0)


def score_points(made, toy) -> tuple[int, float, float]:
    """Return (modes, share of high quality, sliced Wasserstein distance) of points ``(n, 2)``.

    A point is of high quality within three standard deviations of a mode (`NEAR`), and a mode
    counts that has one; the distance, to as many true samples, is in units of the data. Points
    that are not finite score (0, 0, inf).
    """
    if not np.isfinite(made).all():
        return 0, 0.0, float("inf")
    true = density(toy)
    coverage = metrics.mode_coverage(made, data.mode_centers(true), NEAR[toy])
    real = true.sample(len(made), seed=(0, 99)).numpy()
    distance = float(sliced_wasserstein(real, made, projections=200, seed=0))
    return coverage.modes, coverage.high_quality, distance


def mode_width(made, toy) -> float:
    """Return the width of the modes of points ``(n, 2)``, in units of the data.

    The root mean square deviation, per axis, of the points of high quality from their mode's
    centre; for true samples 0.974 of a mode's scale, since the radius cuts the tail off (moons:
    0.74 of it, as a centre is near on either side). inf where no point is of high quality, or one
    is not finite.
    """
    gaps = np.asarray(made, float)[:, None] - data.mode_centers(density(toy))
    squares = (gaps**2).sum(-1).min(1)
    near = squares[squares <= NEAR[toy] ** 2]
    return float(np.sqrt(near.mean() / 2)) if len(near) and np.isfinite(made).all() else np.inf


def counted_jsd(made, toy) -> float:
    """Return the JSD, in nats, of a toy's density and points ``(n, 2)``, by counting.

    Counts in square cells, half a mode's scale wide, against the cells' exact masses; all beyond
    five scales from the modes' bounding box is one cell. Two errors oppose: cells hide what differs
    within them, and chance in the counts adds up to K / (8 n) in all, for K cells that are likely
    to hold a point: `truth` gives that null level. inf where a point is not finite.
    """
    if not np.isfinite(made).all():
        return np.inf
    centers, scale = data.mode_centers(density(toy)).astype(float), NEAR[toy] / 3
    low, high = centers.min() - 5 * scale, centers.max() + 5 * scale
    edges = np.linspace(low, high, round((high - low) / (scale / 2)) + 1)
    across, up = np.diff(ndtr((edges[:, None, None] - centers) / scale), axis=0).T  # (modes, cells)
    p = (across.T @ up / len(centers)).ravel()
    q = np.histogram2d(*np.asarray(made, float).T, bins=(edges, edges))[0].ravel() / len(made)
    p, q = (np.append(cells, max(0.0, 1 - cells.sum())) for cells in (p, q))
    return float(sum(rel_entr(2 * cells, p + q).sum() for cells in (p, q)) / 4)


def _scores(scored, counted, toy):
    return *score_points(scored, toy), mode_width(counted, toy), counted_jsd(counted, toy)


def _sample(model, n, seed):
    return model.sample(n, seed=seed, averaged=model.ema is not None).numpy()


def _train(variant, name, points, shape, latent_dim, width, *, seed=0, settings="preset",
           steps=None, callbacks=None, epochs=1, **overrides):  # fmt: skip
    """The trained model and the seconds of training."""
    validate.choice("settings", settings, SETTINGS)
    chosen, epochs = preset(variant, name), validate.count("epochs", epochs)
    steps = validate.count("steps", chosen.steps if steps is None else steps)
    nets = default_networks(variant, shape, latent_dim, width, seed=seed)
    if settings == "preset":
        model = build(variant, name, nets, steps, seed=seed, **overrides)
    else:
        model = find(variant)(*nets, seed=seed, **overrides)
        model.compile()
    shapes = [v.shape for v in model.state]
    key = find(variant), chosen, settings, steps, epochs, shapes, settings_of(overrides)
    runner, start = _runner(model, key, anew=bool(callbacks)), time.perf_counter()
    _train_in(runner, model, points, batch_size=chosen.batch_size, epochs=epochs,
              steps_per_epoch=max(1, steps // epochs), callbacks=callbacks)  # fmt: skip
    return model, time.perf_counter() - start


_LAST: dict = {}  # what was trained last: how, and the model


def _runner(model, key, anew):
    """The last run's model, whose graph is compiled, if the seed alone is new; else ``model``.

    ``anew``: always ``model``, which callbacks may keep.
    """
    last = _LAST.get("model")
    graph = last and last.train_function  # None if the last run was interrupted before it had one
    if anew or not graph or _LAST["key"] != key or graph[0][-1] != settings_of(last):
        _LAST.update(key=key, model=model)
    return _LAST["model"]


def _train_in(runner, model, points, **how):
    """Train ``model`` in the graph of ``runner``, which is as it was afterwards."""
    _swap(runner, model)
    try:
        runner.fit(points, verbose=0, **how)
    finally:
        _swap(runner, model)


def _fixed(model):
    """What a model's graph bakes in, its class and shapes, but for names and seeds."""

    def plain(settings):
        if isinstance(settings, tuple):
            pairs = (x for x in settings if not (isinstance(x, tuple) and x and x[0] in _VARIED))
            return tuple(map(plain, pairs))
        return settings if isinstance(settings, bytes) else type(settings.thing)

    return plain(settings_of(model)), [v.shape for v in model.state]


_VARIED = [settings_of(name) for name in ("name", "seed", "input_names", "output_names")]


def _swap(a, b):
    """Exchange all that training has changed between two models of one kind."""
    if a is b:
        return
    for x, y in zip(a.state, b.state, strict=True):
        held = tf.identity(x)
        x.assign(y)
        y.assign(held)
    for name in ("history", "step_losses"):
        held = getattr(a, name, None), getattr(b, name, None)
        setattr(a, name, held[1])
        setattr(b, name, held[0])
