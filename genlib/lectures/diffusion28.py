"""Lecture 60's digits of 28x28 pixels: three networks, each of which guesses one of two things."""

import functools

import numpy as np
import tensorflow as tf

from genlib import data, metrics, networks
from genlib.lectures import live28, shipped
from genlib.likelihood import Diffusion

STEPS, BATCH = 2000, 64
SHAPE = (28, 28, 1)
SAMPLES, SHOWN = 500, 10  # pictures judged, and shown; each digit is asked for in turn

NETWORKS = {
    "dense": functools.partial(networks.timed_mlp, SHAPE, 10, width=256),
    "wide": functools.partial(networks.timed_mlp, SHAPE, 10, width=1024),
    "unet": functools.partial(networks.unet, SHAPE, 10),
}
WORDS = {"dense": "dense, 256 units", "wide": "dense, 1,024 units", "unet": "U-Net"}
SETTINGS = {
    f"{network}_{guess}": f"{words}, guesses the {guess}"
    for network, words in WORDS.items()
    for guess in ("noise", "data")
}
SETTINGS |= {f"ours{w}": f"ours (unet28), guidance {w}" for w in (1, 2)}
JUDGED = "read", "strict", "right", "kinds", "width"
MISSED = 100, 500, 990  # steps
SCORES = *(f"{name}28" for name in JUDGED), *(f"miss{step}" for step in MISSED), "copy28", "held28"


@functools.cache
def digits(split="train"):
    """Real digits ``(n, 28, 28, 1)`` in [-1, 1], as the networks see them, and their labels."""
    x, labels = data.images("mnist5k", split)
    return 2 * x - 1, labels


def train(setting, seed, optimizer, steps=STEPS):
    """One of `SETTINGS`, trained: a network, and what it guesses. Ours is trained already."""
    if setting.startswith("ours"):
        return ours()
    network, guess = setting.split("_")
    model = Diffusion(NETWORKS[network](seed=seed), schedule="cosine", classes=10, drop=0.15,
                      guesses=guess, seed=seed)  # fmt: skip
    model.compile(optimizer)
    model.fit(*digits(), batch_size=BATCH, steps_per_epoch=steps, verbose=0)
    return model


def asked(n=SAMPLES):
    """Which digit is asked for, picture by picture."""
    return np.arange(n) % 10


class Held(Diffusion):
    """A trained diffusion whose guesses of the data are held to the data's range, -1 to 1."""

    def __init__(self, model):
        super().__init__(model.network, schedule="cosine", classes=10, guesses=model.guesses)

    def guess(self, x, step, condition=None, guidance=1.0):
        _, clean = super().guess(x, step, condition, guidance)
        clean = tf.clip_by_value(clean, -1.0, 1.0)
        a, b = (tf.gather(tf.constant(v, tf.float32), step) for v in (self.a, self.b))
        return (x - b * clean) / a, clean


def pictures(model, n=SAMPLES, guidance=1.0, seed=1):
    """What a model draws in 50 steps where `asked`: ``(n, 28, 28, 1)`` in [0, 1]."""
    made = model.sample(n, asked(n), 50, guidance=guidance, seed=seed).numpy()
    return np.clip((made + 1) / 2, 0, 1)


def judge(made):
    """`live28.judge`'s scores, and "right": the share that is read as the digit asked for."""
    right = np.mean(metrics.read_digits(made) == asked(len(made)))
    found = live28.judge(made, strictly=True) | {"right": float(right)}
    return {f"{name}28": found[name] for name in JUDGED}


def misses(model, n=200, seed=0):
    """How far the guessed data of a step's noisy held-out digits are from them, by pixel.

    The root of the mean square, for each of `MISSED`; the data are in [-1, 1].
    """
    x, rng, found = digits("test")[0], np.random.default_rng(seed), {}
    x = x[rng.permutation(len(x))[:n]]
    for step in MISSED:
        noisy = model.b[step] * x + model.a[step] * rng.normal(size=x.shape)
        _, clean = model.guess(tf.constant(noisy, tf.float32), step)
        found[f"miss{step}"] = float(np.sqrt(np.mean((clean - x) ** 2)))
    return found


def nearest_of_training(made):
    """How far each picture, in [0, 1], is from the nearest that was trained on, ``(n,)``.

    `shipped.nearest`'s distance; of the altered copies that ours saw too, to none.
    """
    return shipped.nearest(made, (digits()[0] + 1) / 2)


def run(setting, seed, optimizer):
    """The scores of one of `SETTINGS`, and ten pictures."""
    model = train(setting, seed, optimizer)
    made = pictures(model, guidance=2.0 if setting == "ours2" else 1.0, seed=seed)
    copy = float(np.median(nearest_of_training(made)))
    held = judge(pictures(Held(model), seed=seed))["right28"]
    shown = {"pictures": np.round(255 * made[:SHOWN, ..., 0])}
    return judge(made) | misses(model) | {"copy28": copy, "held28": held} | shown


@functools.cache
def ours():
    """The shipped U-Net's diffusion, `genlib.lectures.shipped`."""
    return shipped.load("unet28")
