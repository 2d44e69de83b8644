"""Lecture 52: its readers, networks that read, the typed box, and the exact toy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from genlib.lectures import captions, runs, scenes, sentences
from genlib.lectures import l52_text_to_image as lecture


def test_fifteen_captions_are_held_out_and_every_word_is_seen():
    rows = captions.every()
    held = lecture.is_held_out(rows)
    assert held.sum() == 15 and np.bincount(rows[held, 1], minlength=10).min() >= 1
    assert captions.bag(rows[~held]).any(0).all()
    assert not lecture.is_held_out(lecture.captioned().rows[lecture.captioned().seen]).any()


def test_the_judge_of_digits_knows_right_from_wrong():
    real = lecture.captioned("test")
    judged = lecture.judge_digits(real.x[:, None], real.rows)
    assert judged["right"] > 0.9 and judged["thickness"] == judged["slant"] == 1
    dealt = np.random.default_rng(0).permutation(real.rows)
    assert lecture.judge_digits(real.x[:, None], dealt)["right"] < 0.05
    one = np.repeat(real.x[:1, None], 5, 1)
    assert lecture.judge_digits(one, real.rows[:1])["variety"] == pytest.approx(0, abs=1e-6)


def test_the_judge_of_scenes_knows_right_from_wrong():
    rows = scenes.every()
    made = scenes.draw(np.repeat(rows, 4, 0), seed=5).reshape(len(rows), 4, 16, 16, 3)
    assert lecture.judge_scenes(made, rows)["right"] > 0.995
    dealt = np.random.default_rng(0).permutation(rows)
    assert lecture.judge_scenes(made, dealt)["right"] < 0.03
    for nothing in (np.ones_like(made), np.repeat(made.mean(1, keepdims=True), 4, 1) * 0.5):
        assert lecture.judge_scenes(nothing, rows)["right"] < 0.01


def test_held_out_scenes_are_held_out_in_both_ways_to_say_them():
    seen, held = (lecture.sentences_of(held=h) for h in (False, True))
    assert len(held) == 48 and len(seen) == 240
    assert not set(lecture.pairs_of(seen)) & set(lecture.pairs_of(held))
    words = scenes.one_hot(lecture.sentences_of(False, unseen=True))
    assert words.any((0, 1)).all()  # "green" and "triangle" are said, though never of one object
    objects = scenes.objects(lecture.sentences_of(False, unseen=True)).reshape(-1, 2)
    assert not (objects == [1, 2]).all(1).any()


def test_a_bag_is_right_at_most_once_in_four_where_nothing_is_said_twice():
    two = scenes.parse("a red circle above a blue square")[None]
    assert lecture.most_of_a_bag(two) == 1 / 4
    assert lecture.most_of_a_bag(scenes.parse("a red circle above a red circle")[None]) == 1
    assert lecture.most_of_a_bag(scenes.parse("a red circle above a red square")[None]) == 1 / 2


@pytest.mark.parametrize("kind", ["bag", "gru", "attention"])
def test_who_can_read_the_order(kind):
    said = [
        scenes.parse("a red circle above a blue square"),
        scenes.parse("a blue circle above a red square"),
    ]
    codes = sentences.encoder(kind, seed=0)(scenes.one_hot(np.array(said))).numpy()
    assert codes.shape == (2, 2, 64)
    assert (np.abs(codes[0] - codes[1]).max() > 1e-3) == (kind != "bag")


def test_attention_is_that_of_keras_and_its_weights_add_up_to_one():
    rng, layer = np.random.default_rng(0), sentences.Attention(8, seed=1)
    words = tf.constant(scenes.one_hot(scenes.every()[::50]))
    layer(words)
    weights = layer.weights_of(words)
    assert weights.shape == (6, 4, 5)
    np.testing.assert_allclose(tf.reduce_sum(weights, -1), 1, atol=1e-5)
    q, k, v = (rng.normal(size=(3, n, 4)).astype(np.float32) for n in (2, 5, 5))
    ours = sentences._means(tf.nn.softmax(sentences._dots(q, k)), v)
    theirs = keras.layers.Attention()([tf.constant(q), tf.constant(v), tf.constant(k)])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    twin = keras.models.clone_model(sentences.generator("attention", seed=3))
    assert isinstance(sentences.attention(twin), sentences.Attention)


def test_a_generator_and_a_critic_of_scenes():
    made = sentences.generator("attention", seed=0)
    words = scenes.one_hot(scenes.every()[:3])
    pictures = made([np.zeros((3, 16), np.float32), words]).numpy()
    assert pictures.shape == (3, 16, 16, 3)
    assert sentences.critic("gru", seed=0)([pictures, words]).shape == (3, 1)
    with pytest.raises(ValueError, match="kind must be one of"):
        sentences.encoder("lstm")


def test_a_caption_is_typed_and_the_picture_answers():
    def answer(text):
        row = captions.parse(text)
        return np.full((4, 28, 28, 1), row[1] / 9, np.float32), f"digit {row[1]}"

    box = lecture.Typed(answer, "a thin three leaning right", label="caption", alt="Four squares.")
    first = box.png
    assert box.readout == "digit 3"
    box.box.value = "a thin seven leaning right"  # as the front end sets it
    assert box.readout == "digit 7" and box.png != first
    last = box.png
    box.box.value = "a fat seven"
    assert "'fat'; known are thin" in box.readout and box.png == last
    assert "fat" in box._said.value and "#B22222" in box._said.value
    data, metadata = box._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "Four squares." and "image/png" in data
    box.close()


def test_told_by_hand():
    right, wrong = lecture.shares(1.0), lecture.shares(-1.0)
    found = lecture.told(right, right, wrong)
    assert found.centre == pytest.approx(1, abs=1e-3) and found.spread == pytest.approx(1, abs=1e-2)
    assert found.truth == pytest.approx(0.775, abs=5e-3)
    blind = lecture.told(wrong, right, wrong)
    assert blind.truth == pytest.approx(1 - found.truth, abs=1e-6)
    narrower = lecture.told(lecture.best_generator(right, wrong, 0.5), right, wrong)
    assert narrower.truth > found.truth + 0.05 and narrower.spread < found.spread - 0.1
    far = [lecture.shares(c) for c in (4.0, -4.0)]
    np.testing.assert_allclose(lecture.best_generator(*far, 0.5), far[0], atol=2e-4)


def test_every_setting_is_stored_over_three_seeds_and_what_the_page_says_holds():
    def of(setting, score):
        return runs.over_seeds("52_text_to_image", setting, score)

    for setting in lecture.SETTINGS:
        assert len(of(setting, "seconds")) == 3, setting
    assert (
        of("digits, matching-aware", "seen_right").min() > of("digits, plain", "seen_right").max()
    )
    assert (
        of("digits, matching-aware", "held_right").min() > of("digits, plain", "held_right").max()
    )
    assert of("scenes, attention", "held_right").min() > of("scenes, gru", "held_right").max() + 0.2
    assert of("scenes, bag", "held_right").max() < 0.1
    text = runs.table("52_text_to_image", ["digits, plain"], held_right=".0%")
    assert "held right" in text and "no wrong captions     3" in text and "%.." in text


@pytest.mark.parametrize("setting", ["toy 2", "digits", ""])
def test_an_unknown_setting_is_refused(setting):
    with pytest.raises(ValueError, match="setting must be one of"):
        lecture.train(setting)
