"""The 28x28 digits that lectures 30 and 32 train on live: one pair of networks, budget and judge.

What the trainings scored over seeds is stored, see `genlib.lectures.runs`; so are the yardsticks.
"""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, metrics, networks
from genlib.lectures import shipped, strips

STEPS, BATCH = 2000, 32  # of the generator; pictures a step
SAMPLES = 1000  # that are judged

#: What a generator is held against, and how each is named on the page.
YARDSTICKS = {
    "real": "real, held out",
    "ours": "ours (gan28)",
    "means": "means of two digits",
}
#: What `judge` measures, and how a page writes it.
FORMS = {"read": ".0%", "strict": ".0%", "kinds": ".1f", "width": ".2f"}


def digits():
    """The 4,000 real digits ``(n, 28, 28, 1)`` to train on, shuffled: they come class by class."""
    x, _ = data.images("mnist5k")
    return x[np.random.default_rng(0).permutation(len(x))]


def dense_networks(seed):
    """A generator from 16 latents and its critic, two layers of 192 units each."""
    shape = (28, 28, 1)
    generator = networks.mlp(16, shape, 192, output_activation="sigmoid", seed=seed)
    return generator, networks.mlp(shape, 1, 192, activation="leaky_relu", seed=seed + 100)


def train(variant, seed=0, nets=dense_networks, steps=STEPS, epochs=1, callbacks=None, **options):
    """A GAN of the class ``variant`` trained on `digits`, its rates falling along a cosine."""
    model = variant(*nets(seed), seed=seed, **options)
    rates = (keras.optimizers.schedules.CosineDecay(2e-3, steps, alpha=0.05) for _ in "gc")
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
    how = {"steps_per_epoch": steps // epochs, "epochs": epochs, "callbacks": callbacks}
    model.fit(digits(), batch_size=BATCH, verbose=0, **how)
    return model


def samples(model):
    """The pictures ``(1000, 28, 28, 1)`` of a trained GAN that `judge` sees."""
    return model.sample(SAMPLES, seed=1).numpy()


def yardstick(name, seed=0):
    """1,000 pictures ``(n, 28, 28, 1)`` of one of `YARDSTICKS`."""
    if name == "ours":
        return shipped.load("gan28")(tf.random.stateless_normal((SAMPLES, 32), (seed, 1))).numpy()
    x, _ = data.images("mnist5k", "test")
    rng = np.random.default_rng(seed)
    if name == "real":
        return x[rng.permutation(len(x))]
    return x[rng.integers(len(x), size=(SAMPLES, 2))].mean(1)


def judge(made, strictly=False):
    """What pictures ``(n, 28, 28, 1)`` score.

    "read": the share that `metrics.read_digits` takes for a digit. "kinds": how many digits they
    are as varied as, the exponential of the entropy of what is read; 10 if all are as frequent.
    "width": the variety within a digit, see `strips.scores`. ``strictly``: also "strict", the share
    that `shipped.read` takes for a digit, which sees only ink or paper and knows blur as none.
    """
    label = metrics.read_digits(made)
    counts = np.bincount(label[label != metrics.NO_DIGIT], minlength=10)
    share = counts[counts > 0] / max(counts.sum(), 1)
    found = {
        "read": float(counts.sum() / len(made)),
        "kinds": float(np.exp(-np.sum(share * np.log(share)))),
        "width": strips.width(made, label),
    }
    return found | ({"strict": shipped.read(made).confident} if strictly else {})


def run(model_or_name, seed):
    """The scores of a stored run, and 48 of its pictures, of a trained GAN or a yardstick."""
    if isinstance(model_or_name, str):
        made = yardstick(model_or_name, seed)
    else:
        made = samples(model_or_name)
    return judge(made, strictly=True) | {"pictures": np.round(255 * made[:48, ..., 0])}
