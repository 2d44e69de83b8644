"""Lecture 60's digits of 28x28 pixels: three networks, each of which guesses one of two things."""

import functools

import numpy as np

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
SCORES = "read28", "strict28", "right28", "kinds28", "width28"


@functools.cache
def digits(split="train"):
    """Real digits ``(n, 28, 28, 1)`` in [-1, 1], as the networks see them, and their labels."""
    x, labels = data.images("mnist5k", split)
    return 2 * x - 1, labels


def train(setting, seed, optimizer, steps=STEPS):
    """One of `SETTINGS`, trained: a network, and what it guesses."""
    network, guess = setting.split("_")
    model = Diffusion(NETWORKS[network](seed=seed), schedule="cosine", classes=10, drop=0.15,
                      guesses=guess, seed=seed)  # fmt: skip
    model.compile(optimizer)
    model.fit(*digits(), batch_size=BATCH, steps_per_epoch=steps, verbose=0)
    return model


def asked(n=SAMPLES):
    """Which digit is asked for, picture by picture."""
    return np.arange(n) % 10


def pictures(model, n=SAMPLES, guidance=1.0, seed=1):
    """What a model draws in 50 steps where `asked`: ``(n, 28, 28, 1)`` in [0, 1]."""
    made = model.sample(n, asked(n), 50, guidance=guidance, seed=seed).numpy()
    return np.clip((made + 1) / 2, 0, 1)


def judge(made):
    """`live28.judge`'s scores, and "right": the share that is read as the digit asked for."""
    right = np.mean(metrics.read_digits(made) == asked(len(made)))
    found = live28.judge(made, strictly=True) | {"right": float(right)}
    return {f"{name}28": found[name] for name in ("read", "strict", "right", "kinds", "width")}


@functools.cache
def ours():
    """The shipped U-Net's diffusion, `genlib.lectures.shipped`."""
    return shipped.load("unet28")


def to_training(made):
    """How far each picture is from the nearest it was trained on, but for the altered copies."""
    return shipped.nearest(made, (digits()[0] + 1) / 2)


def enlarged(model, step):
    """``a / b``: how much of an error in the guessed noise there is in the data, at a step."""
    return float(model.sigma[step])
