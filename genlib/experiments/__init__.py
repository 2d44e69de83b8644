"""A GAN trained and judged in one line, always in the same way: what lectures and benchmarks run.

Every variant gets networks of the same sizes and as many samples to be judged by: rows of a table
differ in the objective and its settings alone.
"""

import functools
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from genlib import data, metrics, validate
from genlib.divergences.samples import sliced_wasserstein
from genlib.experiments.presets import build, default_networks, find, preset
from genlib.gans import AdversarialModel
from genlib.training import settings_of

SAMPLES = 2500

#: Toys with modes, and three standard deviations of a mode: so near is a sample of high quality.
RADIUS = {"ring": 0.3, "grid": 0.15}

#: "preset": the variant's settings for such data; "paper": its plain defaults, on batches as large.
SETTINGS = ("preset", "paper")


class ToyTrial(NamedTuple):
    """One training on 2-D points, and what 2,500 samples of its generator score."""

    model: AdversarialModel | None  # None: the true density itself
    modes: int  # modes with at least one sample of high quality
    high_quality: float  # share of samples within three standard deviations of a mode
    distance: float  # sliced Wasserstein distance to the true density (units of the data)
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
      toy: "ring" or "grid".
      width: units in each of the two hidden layers.
      **training: ``seed`` (of networks, latents and batches; default 0); ``settings``, "preset"
        (default) or "paper", see `SETTINGS`; ``steps`` of the generator (default: the preset's),
        divided among the ``epochs``; ``callbacks``; and any argument of the class.

    Raises ValueError for an unknown variant, toy or setting, or what the class itself refuses.
    """
    density = data.toy(validate.choice("toy", toy, RADIUS))
    model, made, seconds = _train(variant, toy, density, (2,), 2, width, SAMPLES, **training)
    return ToyTrial(model, *score_points(made, toy), seconds)


def on_digits(variant, *, width=256, latent_dim=16, **training) -> DigitTrial:
    """Train a variant on the real 8x8 digits and let a classifier read it; else as `on_toy`."""
    x, _ = data.images("digits")
    model, made, seconds = _train(
        variant, "digits", x, (8, 8, 1), latent_dim, width, 1000, **training
    )
    made = made if np.isfinite(made).all() else np.zeros_like(made)
    return DigitTrial(model, metrics.class_scores(made), seconds)


@functools.cache
def truth(toy="ring") -> ToyTrial:
    """Return what true samples score, medians of nine draws: what a generator cannot better."""
    draws = (data.toy(toy).sample(SAMPLES, seed=(0, 90 + i)).numpy() for i in range(9))
    modes, quality, distance = np.median([score_points(made, toy) for made in draws], axis=0)
    return ToyTrial(None, int(modes), float(quality), float(distance), 0.0)


@functools.cache
def circle() -> ToyTrial:
    """Return what an even circle through the ring's modes scores: a generator that finds none."""
    turn = np.random.default_rng(0).uniform(0, 2 * np.pi, SAMPLES)
    made = np.stack([np.cos(turn), np.sin(turn)], 1).astype(np.float32)
    return ToyTrial(None, *score_points(made, "ring"), 0.0)


def score_points(made, toy) -> tuple[int, float, float]:
    """Return (modes, share of high quality, sliced Wasserstein distance) of points ``(n, 2)``."""
    if not np.isfinite(made).all():
        return 0, 0.0, float("inf")
    density = data.toy(toy)
    coverage = metrics.mode_coverage(made, data.mode_centers(density), RADIUS[toy])
    real = density.sample(len(made), seed=(0, 99)).numpy()
    distance = float(sliced_wasserstein(real, made, projections=200, seed=0))
    return coverage.modes, coverage.high_quality, distance


def _train(variant, name, points, shape, latent_dim, width, n, *, seed=0, settings="preset",
           steps=None, callbacks=None, epochs=1, **overrides):  # fmt: skip
    """The trained model, ``n`` of its samples and the seconds of training."""
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
    key = find(variant), name, settings, steps, epochs, shapes, settings_of(overrides)
    runner = model if callbacks else _runner(model, key)
    _swap(runner, model)
    start = time.perf_counter()
    try:
        runner.fit(points, batch_size=chosen.batch_size, steps_per_epoch=max(1, steps // epochs),
                   epochs=epochs, callbacks=callbacks, verbose=0)  # fmt: skip
    finally:
        _swap(runner, model)
    seconds = time.perf_counter() - start
    return model, model.sample(n, seed=1, averaged=model.ema is not None).numpy(), seconds


_LAST: dict = {}  # what was trained last without callbacks: how, and the model


def _runner(model, key):
    """The last run's model, whose graph is compiled, if the seed alone is new; else ``model``."""
    last = _LAST.get("model")
    graph = last and last.train_function  # None if the last run was interrupted before it had one
    if not graph or _LAST["key"] != key or graph[0][-1] != settings_of(last):
        _LAST.update(key=key, model=model)
    return _LAST["model"]


def _swap(a, b):
    """Exchange all that training has changed between two models of one kind."""
    if a is b:
        return
    for x, y in zip(a.state, b.state, strict=True):
        held = tf.identity(x)
        x.assign(y)
        y.assign(held)
    for name in ("history", "step_losses"):
        held = getattr(a, name, None)
        setattr(a, name, getattr(b, name, None))
        setattr(b, name, held)
