"""GAN-CLS: three kinds of pairs, each at its weight; its value at the best critic."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib import networks
from genlib.gans import ConditionalGAN, MatchingAwareGAN
from genlib.lectures.l52_text_to_image import best_generator


class Table(keras.layers.Layer):
    """Logits by number of picture and caption, ``(k, k)``, from one-hot rows."""

    def __init__(self, logits):
        super().__init__()
        self.logits = tf.constant(logits, tf.float32)

    def call(self, pair):
        x, c = pair
        return tf.einsum("ni,ij,nj->n", x, self.logits, c)[:, None]


def table_critic(logits):
    x, c = (keras.Input((size,)) for size in np.shape(logits))
    return keras.Model([x, c], Table(logits)([x, c]))


def build(kind=MatchingAwareGAN, sizes=(4, 3), critic=None, **options):
    x, c = sizes
    generator = networks.conditional_mlp(2, c, x, width=8, depth=1, seed=1)
    critic = critic or networks.projection_critic(x, c, width=8, depth=1, seed=2)
    return kind(generator, critic, **{"seed": 0} | options)


def batch(rng, n=12, sizes=(4, 3)):
    """Pictures and captions, one-hot, of a random joint law, and made pictures."""
    x, made = (np.eye(sizes[0], dtype=np.float32)[rng.integers(sizes[0], size=n)] for _ in "ab")
    c = np.eye(sizes[1], dtype=np.float32)[rng.integers(sizes[1], size=n)]
    return (x, c), (made, c)


def by_hand(critic, real, fake, mismatch=0.5):
    """The loss, pair by pair in Python."""

    def logit(x, c):
        return float(critic([x[None], c[None]])[0, 0])

    def soft(value):
        return np.logaddexp(0, value)

    (x, c), (made, _) = real, fake
    wrong = [
        soft(logit(x[i], c[i - 1])) for i in range(len(x)) if np.abs(c[i] - c[i - 1]).max() > 0
    ]
    rights = [soft(-logit(*pair)) for pair in zip(x, c, strict=True)]
    mades = [soft(logit(*pair)) for pair in zip(made, c, strict=True)]
    return np.mean(rights) + (1 - mismatch) * np.mean(mades) + mismatch * np.mean(wrong)


class KeepsWhatIsRight(MatchingAwareGAN):
    """Wrong: a caption that happens to be the picture's own is refused, too."""

    def critic_loss(self, real, fake):
        (x, c), sp = real, tf.nn.softplus
        rights, mades = self.critic(real), self.critic(fake)
        wrongs = self.critic((x, tf.roll(c, 1, 0)))
        halves = (tf.reduce_mean(sp(mades)) + tf.reduce_mean(sp(wrongs))) / 2
        return tf.reduce_mean(sp(-rights)) + halves


class WeighsAllAlike(MatchingAwareGAN):
    """Wrong: what is to be refused weighs twice as much as what is real."""

    def critic_loss(self, real, fake):
        return 2 * super().critic_loss(real, fake) - tf.reduce_mean(
            tf.nn.softplus(-self.critic(real))
        )


class RefusesMadeOnes(MatchingAwareGAN):
    """Wrong: the made picture has the wrong caption."""

    def critic_loss(self, real, fake):
        rights = tf.reduce_mean(tf.nn.softplus(-self.critic(real)))
        made, c = fake
        wrongs = self.critic((made, tf.roll(c, 1, 0)))
        halves = tf.reduce_mean(tf.nn.softplus(self.critic(fake)))
        return rights + (halves + tf.reduce_mean(tf.nn.softplus(wrongs))) / 2


def gap(kind, seed, **options):
    rng = np.random.default_rng(seed)
    model = build(kind, critic=table_critic(rng.normal(0, 1.5, (4, 3))), **options)
    real, fake = batch(rng)
    truth = by_hand(model.critic, real, fake, model.mismatch)
    return abs(float(model.critic_loss(real, fake)) - truth)


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.25, 0.5, 0.8]))
def test_the_loss_is_that_of_its_pairs_one_by_one(seed, mismatch):
    assert gap(MatchingAwareGAN, seed, mismatch=mismatch) < 1e-5


@pytest.mark.parametrize("wrong", [KeepsWhatIsRight, WeighsAllAlike, RefusesMadeOnes])
def test_wrong_versions_are_rejected(wrong):
    assert max(gap(wrong, seed) for seed in range(4)) > 0.02


@pytest.mark.parametrize("mismatch", [0.0, 0.3, 0.5])
def test_a_critic_that_says_nothing_costs_two_log_two(mismatch):
    model = build(critic=table_critic(np.zeros((4, 3))), mismatch=mismatch)
    loss = float(model.critic_loss(*batch(np.random.default_rng(3))))
    assert loss == pytest.approx(2 * np.log(2), abs=1e-6)


def test_without_wrong_captions_it_is_the_conditional_gan():
    rng = np.random.default_rng(4)
    model, plain = build(mismatch=0.0), build(ConditionalGAN)
    plain.critic.set_weights(model.critic.get_weights())
    pairs = batch(rng)
    assert float(model.critic_loss(*pairs)) == pytest.approx(float(plain.critic_loss(*pairs)))
    losses = [float(m.generator_loss(*pairs)) for m in (model, plain)]
    assert losses[0] == pytest.approx(losses[1])


def test_the_generators_loss_hears_of_no_wrong_caption():
    real, fake = batch(np.random.default_rng(5))
    model = build()
    logits = model.critic(fake).numpy()
    truth = np.mean(np.logaddexp(0, -logits))
    assert float(model.generator_loss(real, fake)) == pytest.approx(truth, rel=1e-5)


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_the_value_at_the_best_critic(seed):
    """``2 log 2 - 2 JSD(P, (Q + M) / 2)``, for laws of 4 pictures and 3 captions."""
    rng, n = np.random.default_rng(seed), 40_000
    p = rng.dirichlet(np.ones(12)).reshape(4, 3)  # pictures and their captions
    q = rng.dirichlet(np.ones(4), 3).T * p.sum(0)  # made, for each caption
    # The caption of another picture, where it is another caption.
    m = sum(
        np.outer(p[:, c], p.sum(0) * (np.arange(3) != c)) for c in range(3)
    )  # fmt: skip
    m /= m.sum()
    r = (q + m) / 2
    best = table_critic(np.log(p + 1e-9) - np.log(r + 1e-9))

    def jsd(a, b):
        mid = (a + b) / 2
        return sum(np.sum(t * np.log((t + 1e-12) / (mid + 1e-12))) for t in (a, b)) / 2

    x, c = np.divmod(rng.choice(12, n, p=p.ravel()), 3)
    made = [rng.choice(4, p=q[:, k] / q[:, k].sum()) for k in c]
    pictures, words = np.eye(4, dtype=np.float32), np.eye(3, dtype=np.float32)
    loss = build(critic=best).critic_loss((pictures[x], words[c]), (pictures[made], words[c]))
    assert float(loss) == pytest.approx(2 * np.log(2) - 2 * jsd(p, r), abs=0.04)


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_no_generator_is_better_than_the_best(seed, mismatch):
    rng = np.random.default_rng(seed)
    right, wrong = rng.dirichlet(np.ones(30), 2)
    best = best_generator(right, wrong, mismatch)
    assert best.sum() == pytest.approx(1, abs=1e-6) and best.min() >= 0

    def jsd(q):
        r = (1 - mismatch) * q + mismatch * wrong
        mid = (right + r) / 2
        return sum(np.sum(t * np.log((t + 1e-15) / (mid + 1e-15))) for t in (right, r)) / 2

    for _ in range(20):
        other = rng.dirichlet(np.ones(30))
        for step in (0.01, 0.3, 1.0):
            assert jsd(best) <= jsd((1 - step) * best + step * other) + 1e-9
    if mismatch == 0:
        np.testing.assert_allclose(best, right, atol=1e-6)


def test_a_nan_reaches_the_loss():
    model, rng = build(), np.random.default_rng(8)
    (x, c), fake = batch(rng)
    bad = c.copy()
    bad[2] = np.nan
    assert not np.isfinite(float(model.critic_loss((x, bad), fake)))


@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan, "half", 1])
def test_a_bad_mismatch_is_refused(bad):
    with pytest.raises(ValueError, match="mismatch must be"):
        build(mismatch=bad)


def test_captions_that_are_all_alike_are_refused():
    (x, c), _ = batch(np.random.default_rng(9))
    with pytest.raises(ValueError, match="condition must differ among the data"):
        build().fit(x, np.tile(c[:1], (12, 1)), verbose=0)
