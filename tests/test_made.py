"""MADE: sums to one, looks at nothing after, and draws what it scores.

Caught when tried: `>` for `>=` in a hidden mask and the other way round in the last one, degrees
from ``order`` in place of its inverse, a mean in place of the sum over dimensions, the sign of the
cross-entropy, `sample` in the natural order whatever ``order`` says.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib.likelihood import MADE
from genlib.likelihood.made import masks


def random_made(dim, hidden=(16, 12), order=None, seed=0):
    """A MADE whose weights and biases are random and large."""
    model, rng = MADE(dim, hidden, order=order, seed=seed), np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def every(dim):
    """All binary x, ``(2^dim, dim)``."""
    return np.array(list(itertools.product([0, 1], repeat=dim)), np.float32)


def orders(dim):
    return [np.arange(dim), np.arange(dim)[::-1], np.random.default_rng(dim).permutation(dim)]


@settings(max_examples=12)
@given(st.data())
def test_sums_to_one(data):
    dim = data.draw(st.integers(1, 8))
    order = data.draw(st.permutations(range(dim)))
    hidden = data.draw(st.sampled_from([(), (7,), (16, 12), (5, 5, 5)]))
    model = random_made(dim, hidden, order, data.draw(st.integers(0, 1000)))
    total = np.exp(model.log_prob(every(dim)).numpy().astype(np.float64)).sum()
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("hidden", [(), (40,), (40, 30)])
@pytest.mark.parametrize("order", orders(7), ids=["natural", "reversed", "random"])
def test_jacobian_is_strictly_triangular_in_the_ordering(order, hidden):
    model = random_made(7, hidden, order)
    x = tf.constant(np.random.default_rng(0).random((5, 7)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model.logits(x)
    jacobian = np.abs(tape.batch_jacobian(logits, x)).max(0)  # (output, input)
    in_order = jacobian[np.ix_(order, order)]
    assert np.all(np.triu(in_order) == 0)
    # Nothing that may be seen is left out: with units enough, every earlier input matters.
    assert np.all(in_order[np.tril_indices(7, -1)] > 0)


def test_log_prob_is_the_sum_of_the_chain():
    """Each factor comes from a probability that was computed from the earlier x alone."""
    order = np.array([3, 0, 4, 1, 2])
    model, x = random_made(5, order=order), every(5)
    total = np.zeros(len(x))
    for place, d in enumerate(order):
        known = np.zeros_like(x)
        known[:, order[:place]] = x[:, order[:place]]
        on = 1 / (1 + np.exp(-model.logits(known).numpy()[:, d].astype(np.float64)))
        total += np.log(np.where(x[:, d] == 1, on, 1 - on))
    np.testing.assert_allclose(model.log_prob(x), total, rtol=1e-4, atol=1e-5)
    terms = model.conditional_log_probs(x).numpy()
    np.testing.assert_allclose(terms.sum(1), total, rtol=1e-4, atol=1e-5)
    assert float(model.terms(x)["loss"]) == pytest.approx(-total.mean(), rel=1e-4)


@pytest.mark.parametrize("order", orders(4), ids=["natural", "reversed", "random"])
def test_samples_follow_the_model(order):
    """Chi-square on all sixteen x; the seed is fixed, the threshold is that of 1 in 10,000."""
    from scipy.stats import chisquare

    model = random_made(4, (8,), order, seed=2)
    for variable in model.trainable_variables:
        variable.assign(variable / 2)  # so that no x is too rare to count
    n, x = 20_000, model.sample(20_000, seed=5).numpy()
    assert x.shape == (n, 4) and set(np.unique(x)) == {0, 1}
    counts = np.bincount(x.astype(int) @ (8, 4, 2, 1), minlength=16)
    expected = n * np.exp(model.log_prob(every(4)).numpy().astype(np.float64))
    assert expected.min() > 3
    assert chisquare(counts, expected * n / expected.sum()).pvalue > 1e-4


def test_same_seed_same_samples():
    model = random_made(6)
    np.testing.assert_array_equal(model.sample(20, seed=1), model.sample(20, seed=1))
    assert np.any(model.sample(20, seed=1) != model.sample(20, seed=2))
    assert np.any(model.sample(50) != model.sample(50))
    first, second = MADE(5, seed=4), MADE(5, seed=4)
    for a, b in zip(first.trainable_variables, second.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_masks_connect_exactly_what_comes_before():
    """The product of the masks counts paths; there is one if and only if the input is earlier."""
    order = np.random.default_rng(3).permutation(6)
    paths = np.linalg.multi_dot(masks(order, (80, 60), seed=1))  # (input, output)
    place = np.argsort(order)
    np.testing.assert_array_equal(paths > 0, place[:, None] < place)


def test_gradient_is_that_of_finite_differences():
    model, x = random_made(4, (6,)), every(4)
    bias = model.direct.bias
    with tf.GradientTape() as tape:
        tape.watch(bias.value)
        loss = model.terms(x)["loss"]
    slope, step = tape.gradient(loss, bias.value).numpy(), 1e-2
    start = bias.numpy()
    for d in range(4):
        losses = []
        for sign in (1, -1):
            bias.assign(start + sign * step * np.eye(4)[d])
            losses.append(float(model.terms(x)["loss"]))
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(slope[d], abs=2e-3)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MADE(0), "dim must be a whole number of at least 1; got 0"),
        (lambda: MADE(3, (4, 0)), "hidden must be a whole number of at least 1; got 0"),
        (lambda: MADE(3, order=[0, 1, 1]), "order must be a permutation of 0 to 2; got"),
        (lambda: MADE(3, order=[1, 2, 3]), "order must be a permutation of 0 to 2"),
        (lambda: MADE(3, order=[0, 1]), "order must be a permutation of 0 to 2"),
        (lambda: MADE(3, order=[0, 1.5, 2]), "order must be a permutation of 0 to 2"),
        (lambda: MADE(3).sample(0), "n must be a whole number of at least 1; got 0"),
        (lambda: MADE(3).log_prob(np.full((2, 3), 0.5)), "must be 0 or 1; got 0.5"),
        (lambda: MADE(3).log_prob([[0, 1, 2]]), r"must be in \[0, 1\]; got values from 0 to 2"),
        (lambda: MADE(3).log_prob([[0, 1, np.nan]]), "x must be finite"),
        (
            lambda: MADE(3).log_prob(np.zeros((2, 4))),
            r"x must have shape \(n, 3\), .*; got \(2, 4\)",
        ),
        (lambda: MADE(3).fit(np.full((9, 3), 0.2)), "data must be 0 or 1; got 0.2"),
        (lambda: MADE(3).fit(np.zeros((9, 2))), r"data must have shape \(n, 3\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
