"""The networks that come with the lectures: their files, and the scores that the pages state."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib import data, metrics
from genlib.lectures import (
    l23_real_nvp,
    l51_super_resolution,
    l52_text_to_image,
    l53_pix2pix,
    scenes,
    shipped,
)
from genlib.lectures.shipped import CATALOG, load, nearest, path, read

REAL, _ = data.images("mnist5k", "test")


def test_the_files_are_small():
    sizes = [path(name).stat().st_size for name in CATALOG]
    assert max(sizes) < 1_000_000 and sum(sizes) < 4_000_000
    assert {file.stem for file in path("gan28").parent.iterdir()} == {*CATALOG}


def test_an_unknown_name_and_a_damaged_file_are_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="name must be one of .*gan28.*pixelcnn28.*vae28"):
        load("pixelcnn")
    whole = path("gan28").read_bytes()
    for damaged in (whole[:1000], whole[:-1] + b"x", b""):
        (tmp_path / "gan28.npz").write_bytes(damaged)
        monkeypatch.setattr(shipped, "path", lambda name: tmp_path / f"{name}.npz")
        with pytest.raises(OSError, match=r"gan28.npz is damaged.*Install genlib again"):
            load("gan28")
    monkeypatch.setattr(shipped, "path", lambda name: tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError):
        load("gan28")


def test_the_pixelcnn_predicts_and_draws_digits():
    model, ink = load("pixelcnn28"), (REAL > 0.5).astype(np.float32)
    assert -np.mean(model.log_prob(ink[:500])) < 66
    assert read(model.sample(100, seed=1)).confident > 0.45


def test_the_vae_bounds_unseen_digits():
    drawn = np.random.default_rng(0).random(REAL.shape) < REAL
    model = load("vae28")
    assert np.mean(model.elbo(drawn.astype(np.float32), samples=3, seed=0)) > -107
    assert model.active_units(drawn.astype(np.float32)).sum() == 20


def test_the_flow_costs_what_its_page_says():
    levels = np.round(16 * REAL.reshape(-1, 784)) / 16
    flow = load("flow28")
    cost = l23_real_nvp.bits_by_pixel(flow, levels)
    assert cost.shape == levels.shape and cost.mean() < 1.2
    noise = np.random.default_rng(0).uniform(size=levels.shape)
    density = flow.log_prob(((16 * levels + noise) / 17).astype(np.float32))
    assert np.allclose(cost.mean(1), (np.log(17) - density / 784) / np.log(2), atol=1e-3)


def test_the_gan_makes_digits_of_all_classes():
    made = load("gan28")(tf.random.stateless_normal((1000, 32), (0, 1))).numpy()
    score = read(made)
    assert score.confident > 0.5 and score.classes == 10
    assert metrics.class_scores(made).confident > 0.85
    assert np.median(nearest(made, made)) > 4  # none is drawn twice


def test_the_enlarger_makes_digits_that_vary_and_shrink_back():
    x, small, y = l51_super_resolution.digits(4, "test")
    made = l51_super_resolution.shipped_outputs(small, 4)
    scores = l51_super_resolution.judge(made, 4)
    assert scores["read"] > 0.84 and scores["right"] > 0.68
    assert scores["spread"] > 0.1 and scores["kinds"] > 1.15 and scores["consistency"] < 0.035


def test_captions_are_drawn_as_they_say():
    found = l52_text_to_image.score_digits(load("captions28"))
    assert found["seen_right"] > 0.77 and found["held_right"] > 0.7
    assert found["seen_variety"] > 23  # real ones: 34


def test_sentences_are_drawn_as_they_say():
    generator = load("scenes16")
    found = l52_text_to_image.score_scenes(generator)
    assert found["seen_right"] > 0.95 and found["held_right"] > 0.95
    assert found["held_variety"] > 15  # drawn ones: 24
    said = [scenes.parse(f"a red circle {place} a blue square") for place in scenes.PLACES]
    looks = l52_text_to_image.looked_at(generator, scenes.one_hot(np.array(said)))
    for table, first in zip(looks, (0, 1), strict=True):
        assert table[first, :2].sum() > 0.8 and table[1 - first, 3:].sum() > 0.8


def test_outlines_become_the_digits_that_they_surround():
    pictures, labels = (part[::4] for part in data.images("mnist5k", "test"))
    made = load("outlines28")(l53_pix2pix.drawn(pictures)).numpy()
    right = metrics.read_digits(np.clip(made, 0, 1)) == labels
    assert right.mean() > 0.85 and np.abs(made - pictures).mean() < 0.035


def test_the_pagoda_is_nearer_in_texture_than_by_error():
    the_map, truth = l53_pix2pix.held_out()
    scores = l53_pix2pix.photo_scores(l53_pix2pix.paint(load("pagoda"), the_map))
    assert scores["patches"] < 0.025 and scores["spread"] > 0.75 and scores["dB"] > 15


def test_the_reader_knows_digits_and_what_is_none():
    assert read(REAL).confident > 0.93 and read(REAL[..., 0]).classes == 10
    rng = np.random.default_rng(1)
    assert read((REAL[:500] + REAL[500:]) / 2).confident < 0.2
    assert read(rng.random((200, 28, 28, 1))).confident < 0.02
    shuffled = rng.permuted(REAL.reshape(-1, 784), axis=0).reshape(REAL.shape)
    assert read(shuffled).confident < 0.02
    for bad in (np.zeros((3, 8, 8, 1)), 2 * REAL[:2], REAL[:0], np.full((1, 28, 28, 1), np.nan)):
        with pytest.raises(ValueError):
            read(bad)


def test_nearest_by_hand():
    a = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert np.allclose(nearest(a, a), [1, np.sqrt(18), 1])
    assert np.allclose(nearest(a, a.copy()), 0)


def test_what_is_built_is_a_keras_model():
    assert all(isinstance(entry.build(), keras.Model) for entry in CATALOG.values())
