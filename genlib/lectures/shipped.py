"""Ours, after longer than a lecture lasts: networks that come with the course, and their reader.

``tools/train_weights.py`` trained them. A lecture shows each beside the learner's own live run.
"""

import functools
import hashlib
import io
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from genlib import data, metrics, networks, validate
from genlib.lectures import sentences
from genlib.likelihood import VAE, Diffusion, PixelCNN, RealNVP


class Shipped(NamedTuple):
    """A network in ``genlib/lectures/weights/<name>.npz``."""

    build: Callable[[], keras.Model]  # the same network before its training
    minutes: float  # of CPU that the training took
    sha256: str  # of the file


def load(name: str) -> keras.Model:
    """Return the trained network ``name`` of `CATALOG`: of real digits of 28x28 pixels, or a photo.

    Its weights were stored in half precision. ValueError for an unknown name, which lists the known
    ones; OSError for a file that is missing or damaged.
    """
    shipped, file = CATALOG[validate.choice("name", name, CATALOG)], path(name)
    held = file.read_bytes()
    if hashlib.sha256(held).hexdigest() != shipped.sha256:
        raise OSError(
            f"{file} is damaged: it is truncated or was changed ({len(held):,} bytes, wrong "
            "SHA-256). Install genlib again"
        )
    model = shipped.build()
    with np.load(io.BytesIO(held), allow_pickle=False) as arrays:
        model.set_weights([array.astype(np.float32) for array in arrays.values()])
    return model


def path(name: str) -> pathlib.Path:
    """Return where the weights of ``name`` are stored."""
    return pathlib.Path(__file__).parent / "weights" / f"{name}.npz"


def pixelcnn28():
    """Black and white pictures ``(n, 28, 28, 1)``; six blocks, so that a pixel sees 13 far."""
    return PixelCNN((28, 28, 1), width=24, kernels=(7, 5, 5, 5, 5, 5), seed=0)


def vae28():
    """Twenty latents, as in lecture 21; 160 units in place of 400, so that the file is small."""
    encoder = networks.mlp((28, 28, 1), 40, width=160, depth=1, seed=0)
    decoder = networks.mlp(20, (28, 28, 1), width=160, depth=1, seed=100)
    return VAE(encoder, decoder, 20, seed=0)


def flow28():
    """Pictures ``(n, 784)`` of 17 grey levels, as many as those of the 8x8 digits."""
    return RealNVP(784, layers=8, width=24, depth=1, levels=17, seed=0)


def gan28(seed=0):
    """A convolutional generator (after Radford et al. 2016, without batch normalisation).

    From 32 latents to pictures ``(n, 28, 28, 1)`` in [0, 1].
    """
    starts = [keras.initializers.GlorotUniform(seed + i) for i in range(3)]
    return keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(7 * 7 * 48, "relu", kernel_initializer=starts[0]),
            layers.Reshape((7, 7, 48)),
            layers.Conv2DTranspose(
                24, 4, 2, "same", activation="relu", kernel_initializer=starts[1]
            ),
            layers.Conv2DTranspose(
                1, 4, 2, "same", activation="sigmoid", kernel_initializer=starts[2]
            ),
        ]
    )


def critic28(seed=1):
    """The critic that `gan28` was trained against: pictures to one number each."""
    starts = [keras.initializers.GlorotUniform(seed + i) for i in range(3)]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 4, 2, "same", kernel_initializer=starts[0]),
            layers.LeakyReLU(0.2),
            layers.Conv2D(64, 4, 2, "same", kernel_initializer=starts[1]),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=starts[2]),
        ]
    )


def sr28():
    """From 16 latents and a picture ``(n, 4, 4, 1)`` to one of ``(n, 28, 28, 1)``: lecture 51's."""
    return networks.conditional_mlp(
        16, (4, 4, 1), (28, 28, 1), 256, output_activation="sigmoid", seed=0
    )


def captions28(seed=0):
    """Digits by captions: ``[latents (n, 32), words (n, 16)]`` to pictures ``(n, 28, 28, 1)``."""
    return networks.conditional_mlp(
        32, 16, (28, 28, 1), width=256, depth=2, output_activation="sigmoid", seed=seed
    )


def outlines28():
    """Outlines of digits ``(n, 28, 28, 1)`` to digits, as in lecture 53, but wider."""
    shape = (28, 28, 1)
    return networks.patch_generator(shape, shape, width=192, output_activation=None, seed=0)


def pagoda():
    """Maps ``(n, 16, 16, 12)`` of lecture 53's photograph to pictures ``(n, 64, 64, 3)``."""
    return networks.patch_generator((16, 16, 12), (64, 64, 3), width=160, seed=0)


def unet28():
    """Lecture 60's diffusion of pictures ``(n, 28, 28, 1)`` in [-1, 1], given a digit or none."""
    network = networks.unet((28, 28, 1), 10, seed=0)
    return Diffusion(network, schedule="cosine", classes=10, drop=0.15, guesses="data", seed=0)


CATALOG = {
    "pixelcnn28": Shipped(
        pixelcnn28, 7.2, "4278bbf58fd1a10ede628422838be300785bcd2d9fba9b7681008e40206591e5"
    ),
    "vae28": Shipped(
        vae28, 1.2, "245337421b941adf9c2e22bd6266c534d0b53dcb0049ba78ef59edd7217aa55e"
    ),
    "flow28": Shipped(
        flow28, 2.5, "88192dd11a5f3190955d820906c2d90c9e3eeb6d15032a58d74a054853d03087"
    ),
    "sr28": Shipped(sr28, 3.3, "d5a8dbfc84d803373c286f3851d77c1e66f56b4117d32120fac5940f65da0623"),
    "outlines28": Shipped(
        outlines28, 1.5, "fb9867f66f2d3ddf1497e021338ef5d04ee077fb27ad3c02f9bdd4991ef3463c"
    ),
    "pagoda": Shipped(
        pagoda, 1.5, "e98e9eba46f6c1a0047f8eb515d3ab490d38164a9d5d335b1c69e67d9dfd32c5"
    ),
    "gan28": Shipped(
        gan28, 3.1, "a23aebeb1e477687559ea44895ed7cdb7ac74b215db80ba98b5d0fd4f775ac1d"
    ),
    "captions28": Shipped(
        captions28, 1.4, "6a155aa69fa57b6bd76cbd3d750e7760e5473f29bb142a457e3ba186aced113d"
    ),
    "unet28": Shipped(
        unet28, 17.0, "a79b8be5f6bd4eba98e18f8611383eab7a86a1f5dd2c9d8eb6c43d65fabfd062"
    ),
    "scenes16": Shipped(
        sentences.generator, 1.3, "18416ef74bf59ebcc926f8d91e3e651385b15c33143e0563524917282a7636be"
    ),
}


def read(x) -> metrics.DigitScore:
    """Let a classifier read the 28x28 pictures ``x`` ``(n, 28, 28, 1)``, in [0, 1].

    It sees ink or paper (more than one half, or not), as 60 principal components, and may answer
    "no digit": it was trained on ``images("mnist5k")`` and on pictures that are none, namely noise,
    shuffled pixels, and means of two or four digits. It reads as digits 95 % of the 1,000 real ones
    that it never saw, and some 13 % of means of two; a plain picture it never met, and misreads.
    ValueError for another shape, values outside [0, 1], or no picture.
    """
    x = validate.numbers("x", x).numpy()
    if x.shape[1:] not in ((28, 28), (28, 28, 1)) or not len(x):
        raise ValueError(f"x must have shape (n, 28, 28, 1), n at least 1; got {x.shape}")
    validate.unit_interval("x", x)
    label = _reader().predict(np.float32(x.reshape(-1, 784) > 0.5))
    counts = np.bincount(label[label >= 0], minlength=10)
    classes = int(np.sum(counts >= max(1, len(x) / 100)))
    return metrics.DigitScore(float(counts.sum() / len(x)), classes, counts)


@functools.cache
def _reader():
    """Train it: principal components, and a support vector machine."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    x, y = data.images("mnist5k")
    x, rng, n = x.reshape(-1, 784), np.random.default_rng(0), 1500

    def some(count, k=1):
        return x[rng.integers(len(x), size=(count, k))].mean(1)

    none = [
        rng.uniform(size=(n // 5, 784)),  # noise
        some(n, 2),  # means of two digits, and of four
        some(n // 2, 4),
        rng.permuted(some(n // 2), axis=0),  # each pixel taken from another digit
        rng.permuted(some(n // 5), axis=1),  # a digit's pixels in any order
    ]
    labels = np.concatenate([y, np.full(sum(map(len, none)), -1)])
    reader = make_pipeline(PCA(60, random_state=0), SVC(C=10))
    ink = np.concatenate([np.float32(kind > 0.5) for kind in (x, *none)])
    return reader.fit(ink, labels)


def nearest(x, others) -> np.ndarray:
    """Return how far each picture of ``x`` is from the nearest of ``others``, ``(n,)``.

    The root of the sum of squares over the pixels; a picture is not compared with itself where
    ``others`` is ``x``.
    """
    a, b = (np.reshape(pictures, (len(pictures), -1)) for pictures in (x, others))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    if others is x:
        np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.maximum(squares.min(1), 0))
