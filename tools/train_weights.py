"""Train the networks that come with the lectures, on digits and one photograph, and store them.

    python tools/train_weights.py [name ...]

One after the other on one thread, each from its own seed. After each epoch its state is kept in
``.train_weights/``: a run that was stopped goes on where it was, and one that is cut has still
stored its last epoch. It prints the CPU minutes and the checksum, which go into
``genlib.lectures.shipped.CATALOG``. On another machine the last digits differ, and so does the
checksum.
"""

import functools
import hashlib
import json
import pathlib
import resource
import sys

import keras
import numpy as np
import tensorflow as tf
from scipy.ndimage import affine_transform

from genlib import data, networks
from genlib.gans import WGANGP, Pix2Pix, SuperResolutionGAN
from genlib.lectures import captions, l53_pix2pix, scenes, shipped
from genlib.lectures import l51_super_resolution as super_resolution
from genlib.lectures import l52_text_to_image as text_to_image
from genlib.training import Resume
from genlib.widgets.canvas import ink

STATE = pathlib.Path(".train_weights")


def augmented(x, copies, seed=0):
    """``x`` ``(n, h, w, 1)`` and ``copies`` of it, turned, sheared, scaled and moved a little."""
    rng, found, middle = np.random.default_rng(seed), [x], (np.array(x.shape[1:3]) - 1) / 2
    for _ in range(copies):
        new = np.empty_like(x)
        for i, picture in enumerate(x[..., 0]):
            turn, shear, (tall, wide) = (
                rng.normal(0, 0.1),
                rng.normal(0, 0.1),
                rng.normal(1, 0.06, 2),
            )
            turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            matrix = turned @ np.array([[1, 0], [shear, 1]]) @ np.diag([1 / tall, 1 / wide])
            start = middle - matrix @ middle + rng.uniform(-0.5, 0.5, 2)
            new[i, ..., 0] = np.clip(affine_transform(picture, matrix, start, order=1), 0, 1)
        found.append(new)
    return np.concatenate(found)


def binary(x):
    return (x > 0.5).astype(np.float32)


def falling(rate, steps):
    """Adam with a rate that falls along a cosine to a fiftieth."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02))


def pixelcnn28(x):
    """3,250 steps of 16 pictures, the digits and six altered copies of each; of a planned 5,000."""
    model = shipped.pixelcnn28()
    model.compile(falling(4e-3, 5000))
    return model, binary(augmented(x, 6)), {"batch_size": 16, "steps": 3250, "epochs": 26}


def vae28(x):
    """24,000 steps of 128 pictures: each digit and 20 altered copies, black or white by chance."""
    model = shipped.vae28()
    model.compile(falling(2e-3, 24_000))
    grey = augmented(x, 20)
    drawn = np.random.default_rng(0).random(grey.shape) < grey
    return model, drawn.astype(np.float32), {"batch_size": 128, "steps": 24_000}


def flow28(x):
    """12,000 steps of 128 pictures of 17 grey levels: the digits, and 20 altered copies of each."""
    model = shipped.flow28()
    for coupling in model.flow[1:]:  # what no coupling sees is stored as 0, which takes no room
        kernel = coupling.network.layers[1].kernel
        kernel.assign(kernel * coupling.mask.value[:, None])
    model.compile(falling(1e-3, 12_000))
    levels = np.round(16 * augmented(x, 20).reshape(-1, 784)) / 16
    return model, levels, {"batch_size": 128, "steps": 12_000}


def gan28(x):
    """3,600 steps of 64 digits by WGAN-GP, of a planned 4,000; the averaged generator."""
    options = {"penalty_weight": 1.0, "critic_steps": 1, "ema": 0.998, "seed": 0}
    model = WGANGP(shipped.gan28(), shipped.critic28(), **options)
    rate = functools.partial(keras.optimizers.schedules.CosineDecay, 1e-3, 4000, alpha=0.05)
    model.compile(*(keras.optimizers.Adam(rate(), 0.5, 0.9) for _ in range(2)))
    return model, x, {"batch_size": 64, "steps": 3600, "epochs": 36, "network": model.average}


def sr28(x):
    """28,000 steps of 64 digits and 20 altered copies of each, shrunk to 4x4: lecture 51's game."""
    critic = networks.conditional_mlp((28, 28, 1), (4, 4, 1), 1, 256, 2, "leaky_relu", seed=50)
    model = SuperResolutionGAN(shipped.sr28(), critic, 4e-3, "mean", r1=0.03, seed=0)
    model.compile(*(super_resolution.falling(28_000, 2e-3) for _ in range(2)))
    large = augmented(x, 20)
    pairs = large, super_resolution.shrink(large, 4)
    return model, pairs, {"batch_size": 64, "steps": 28_000, "network": model.generator}


def captions28(x):
    """12,000 steps of 64 pictures by lecture 52's matching-aware GAN; the averaged generator.

    The digits and 8 altered copies of each, with captions measured anew, less the held-out ones.
    """
    steps, copies = 12_000, 8
    model, pictures = text_to_image.digits_gan(steps=steps), augmented(x, copies)
    _, digits = data.images("mnist5k")
    rows = captions.attributes(pictures, np.tile(digits, 1 + copies))
    seen = ~text_to_image.is_held_out(rows)
    pairs = pictures[seen], captions.bag(rows[seen])
    return model, pairs, {"batch_size": 64, "steps": steps, "network": model.average}


def scenes16(x):
    """10,000 steps of 64 drawn scenes, by lecture 52's attention; the averaged generator."""
    steps = 10_000
    model = text_to_image.scenes_gan("attention", steps=steps)
    pictures, rows = text_to_image.drawn_scenes(20_000)
    pairs = pictures, scenes.one_hot(rows)
    return model, pairs, {"batch_size": 64, "steps": steps, "network": model.average}


def outlines28(x):
    """5,000 steps of pix2pix on 32 pairs: each digit and four altered copies, and its outline.

    The outlines of the copies are drawn by an unsteady hand, through every third point.
    """
    digits, rng = augmented(x, 4), np.random.default_rng(1)
    maps = [l53_pix2pix.drawn(digits[: len(x)])]
    for picture in digits[len(x) :, ..., 0]:
        lines = [line[::3] for line in l53_pix2pix.outlines(picture)]
        lines = [line + rng.normal(0, 0.25 / 28, line.shape) for line in lines]
        maps.append(ink([np.r_[line, line[:1]] for line in lines], (28, 28))[None, ..., None])
    generator, steps = shipped.outlines28(), 5000
    model = Pix2Pix(generator, l53_pix2pix.digit_critic(), l1_weight=20.0, seed=0)
    model.compile(*l53_pix2pix.optimizers(steps, 2e-3))
    pairs = digits, np.concatenate(maps)
    return model, pairs, {"batch_size": 32, "steps": steps, "epochs": 10, "network": generator}


def pagoda(x):
    """3,000 steps of pix2pix on 8 pairs of tiles, from the outer thirds of the photograph."""
    generator, steps = shipped.pagoda(), 3000
    model = Pix2Pix(generator, l53_pix2pix.photo_critic(), l1_weight=20.0, seed=0)
    model.compile(*l53_pix2pix.optimizers(steps, 2e-3))
    how = {"batch_size": 8, "steps": steps, "epochs": 12, "network": generator}
    return model, l53_pix2pix.tiles(), how


def unet28(x):
    """16,000 steps of 64 digits and 8 altered copies of each, with their classes: lecture 60's."""
    steps, copies = 16_000, 8
    model, (_, digits) = shipped.unet28(), data.images("mnist5k")
    model.compile(falling(1e-3, steps))
    pairs = 2 * augmented(x, copies) - 1, np.tile(digits, 1 + copies)
    return model, pairs, {"batch_size": 64, "steps": steps, "network": model.network}


class Store(keras.callbacks.Callback):
    """After each epoch: the weights in half precision, and the CPU minutes up to here."""

    def __init__(self, name, network):
        super().__init__()
        self.name, self.network, self.log = name, network, STATE / f"{name}.json"

    def on_train_begin(self, logs=None):
        before = json.loads(self.log.read_text())["minutes"] if self.log.exists() else 0
        self.start = before - cpu_minutes()

    def on_epoch_end(self, epoch, logs=None):
        store(self.name, self.network)
        report = {"epoch": epoch + 1, "minutes": round(self.start + cpu_minutes(), 2), **logs}
        self.log.write_text(json.dumps(report))
        print(self.name, report, flush=True)


def cpu_minutes():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return (use.ru_utime + use.ru_stime) / 60


def store(name, network):
    """Half precision, of which the last three bits are rounded off: so the file packs better."""
    halves = [np.asarray(weight, np.float16).view(np.uint16) for weight in network.get_weights()]
    rounded = [(half + np.uint16(4)) & np.uint16(0xFFF8) for half in halves]
    np.savez_compressed(shipped.path(name), *(half.view(np.float16) for half in rounded))


def main(names):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    STATE.mkdir(exist_ok=True)
    x, _ = data.images("mnist5k")
    for name in names or RECIPES:
        model, pictures, how = RECIPES[name](x)
        epochs = how.get("epochs", 40)
        callbacks = [Resume(STATE / name), Store(name, how.get("network", model))]
        fit = {"steps_per_epoch": how["steps"] // epochs, "callbacks": callbacks, "verbose": 0}
        pairs = pictures if isinstance(pictures, tuple) else (pictures,)  # with their conditions
        model.fit(*pairs, batch_size=how["batch_size"], epochs=epochs, **fit)
        print(name, hashlib.sha256(shipped.path(name).read_bytes()).hexdigest(), flush=True)


RECIPES = {
    recipe.__name__: recipe
    for recipe in (
        pixelcnn28,
        gan28,
        flow28,
        vae28,
        sr28,
        captions28,
        scenes16,
        outlines28,
        pagoda,
        unet28,
    )
}

if __name__ == "__main__":
    main(sys.argv[1:])
