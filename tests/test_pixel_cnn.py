"""PixelCNN: what each pixel sees, by gradients; sums to one; draws what it scores.

Caught when tried: mask B in place of A in the first block, a vertical stack that sees its own row
there, a link taken from another column, rows of the picture that are not kept while drawing, an
edge bin without its tail, a draw that forgets the scale.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from genlib.lectures import l22_autoregressive as scene
from genlib.likelihood import PixelCNN
from genlib.likelihood.discretised_logistic import DiscretisedLogistic, Softmax

BOTH = pytest.mark.parametrize("blind_spot", [False, True], ids=["two stacks", "blind spot"])


def random_pixel_cnn(shape, levels=2, seed=0, scale=0.4, **options):
    options = {"width": 9, "kernels": (5, 3, 3)} | options
    model, rng = PixelCNN(shape, levels, seed=seed, **options), np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + scale * rng.normal(size=variable.shape))
    return model


def dependence(model, seed=0):
    """|d parameters / d input|, the largest over images, from place to place: ``(places,) * 2``.

    A place is a pixel and a channel, in the order in which they are drawn. Biases keep the ReLUs
    open, so that a gradient of 0 means that there is no path.
    """
    for layer in (model.blocks[-1].mix, model.mix):
        layer.bias.assign(layer.bias + 5)
    x = tf.constant(np.random.default_rng(seed).random((2, *model.data_shape)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        parameters = model.parameters(x)
    places = int(np.prod(model.data_shape))
    jacobian = tape.batch_jacobian(parameters, x).numpy()
    return np.abs(jacobian).reshape(2, places, -1, places).max((0, 2))


@BOTH
@pytest.mark.parametrize("channels, head", [(1, "logistic"), (2, "softmax"), (3, "logistic")])
def test_no_place_sees_itself_or_what_comes_after(channels, head, blind_spot):
    model = random_pixel_cnn((4, 5, channels), 4, head=head, blind_spot=blind_spot)
    seen = dependence(model)
    assert np.all(np.triu(seen) == 0)
    assert np.all(seen.max(1)[1:] > 0)  # all but the first place see something
    before = np.arange(len(seen) - 1)
    same_row = (before + 1) % (5 * channels) != 0
    assert np.all(seen[before + 1, before][same_row] > 0)  # its neighbour, and its own channels


def receptive_field(height, width, row, column, kernels, blind_spot):
    """What a pixel sees, by walking from place to place as the masks allow."""
    seen = set()
    states = {("h", row, column)}
    for depth, side in reversed(list(enumerate(kernels))):
        first, half, new = depth == 0, side // 2, set()
        for stack, i, j in states:
            sideways = range(j - half, j + half + 1)
            left = range(j - half, j if first else j + 1)
            above = [(k, m) for k in range(i - half, i) for m in sideways]
            if stack == "h":
                new |= {("h", i, m) for m in left}
            if stack == "h" and blind_spot:
                new |= {("h", *place) for place in above}
            if stack == "v" or not blind_spot:
                new |= {("v", *place) for place in above}
                new |= set() if first else {("v", i, m) for m in sideways}
        states = {(s, i, j) for s, i, j in new if 0 <= i < height and 0 <= j < width}
    seen = np.zeros((height, width), bool)
    for _, i, j in states:
        seen[i, j] = True
    return seen


@BOTH
@pytest.mark.parametrize("kernels", [(3, 3), (5, 3, 3)])
def test_receptive_field(kernels, blind_spot):
    model = random_pixel_cnn((7, 9, 1), kernels=kernels, blind_spot=blind_spot)
    seen = dependence(model).reshape(7, 9, 7, 9) > 0
    for row, column in ((6, 4), (3, 1), (5, 8), (0, 5)):
        wanted = receptive_field(7, 9, row, column, kernels, blind_spot)
        np.testing.assert_array_equal(seen[row, column], wanted)
        if kernels == (3, 3):  # the explorer draws what the network does
            drawn = scene.receptive_field((7, 9), (row, column), 2, 1, not blind_spot)
            np.testing.assert_array_equal(seen[row, column], drawn)


def test_blind_spot_is_a_wedge_that_no_depth_closes():
    """One row up, plain masks never see more than half a kernel to the right."""
    plain = random_pixel_cnn((7, 9, 1), kernels=(3,) * 6, blind_spot=True)
    whole = random_pixel_cnn((7, 9, 1), kernels=(3,) * 6)
    plain, whole = (dependence(m).reshape(7, 9, 7, 9)[5, 2] > 0 for m in (plain, whole))
    for up in range(1, 4):
        assert plain[5 - up, 2 + up] and not plain[5 - up, 2 + up + 1 :].any()
        assert whole[5 - up].all()
    assert whole[5, :2].all() and not whole[5, 2:].any()


def every(shape, levels):
    values = itertools.product(range(levels), repeat=int(np.prod(shape)))
    return np.array(list(values), np.float32).reshape(-1, *shape) / (levels - 1)


@BOTH
@pytest.mark.parametrize(
    "shape, levels, head",
    [((2, 4, 1), 2, "softmax"), ((2, 3, 1), 3, "logistic"), ((1, 3, 2), 3, "softmax"),
     ((2, 2, 2), 2, "logistic")],
)  # fmt: skip
def test_sums_to_one(shape, levels, head, blind_spot):
    model = random_pixel_cnn(shape, levels, head=head, blind_spot=blind_spot)
    total = np.exp(model.log_prob(every(shape, levels)).numpy().astype(np.float64)).sum()
    assert total == pytest.approx(1, abs=1e-4)


@BOTH
@pytest.mark.parametrize(
    "channels, levels, head", [(1, 2, "softmax"), (2, 3, "softmax"), (3, 5, "logistic")]
)
def test_drawing_pixel_by_pixel_equals_whole_passes(channels, levels, head, blind_spot):
    """The sampler keeps what it has computed; a whole pass for each place draws the same."""
    shape, n = (4, 5, channels), 6
    model = random_pixel_cnn(shape, levels, head=head, blind_spot=blind_spot)
    uniforms = tf.random.stateless_uniform((n, *shape, 2), (1, 2))
    quick = model._generate(tf.zeros((n, *shape)), tf.constant(0), uniforms).numpy()
    slow = np.zeros((n, *shape), np.float32)
    for i, j, k in np.ndindex(*shape):
        level = model.head.draw(model.parameters(slow)[:, i, j, k], uniforms[:, i, j, k])
        slow[:, i, j, k] = level / (levels - 1)
    assert 0.02 < slow.mean() < 0.98
    np.testing.assert_allclose(quick, slow, atol=1e-6)


def test_log_prob_is_the_sum_of_the_chain():
    """Each factor is computed from an image that holds nothing but the earlier pixels."""
    model = random_pixel_cnn((3, 4, 1), 3)
    x = model.sample(8, seed=0).numpy()
    total, known = np.zeros(8), np.zeros_like(x)
    for i, j in np.ndindex(3, 4):
        logits = model.parameters(known).numpy()[:, i, j, 0].astype(np.float64)
        level = np.round(2 * x[:, i, j, 0]).astype(int)
        total += logits[np.arange(8), level] - np.log(np.exp(logits).sum(1))
        known[:, i, j] = x[:, i, j]
    np.testing.assert_allclose(model.log_prob(x), total, rtol=1e-4)
    assert float(model.terms(x)["loss"]) == pytest.approx(-total.mean(), rel=1e-4)


@pytest.mark.parametrize("head", ["softmax", "logistic"])
def test_samples_follow_the_model(head):
    from scipy.stats import chisquare

    shape, n = (2, 2, 1), 20_000
    model = random_pixel_cnn(shape, 3, scale=0.25, head=head)
    if head == "logistic":  # wide components, so that no image is too rare to count
        model.out.bias.assign(model.out.bias + np.repeat([0, 0, 1], model.head.components))
    expected = n * np.exp(model.log_prob(every(shape, 3)).numpy().astype(np.float64))
    x = np.round(2 * model.sample(n, seed=3).numpy()).astype(int)
    counts = np.bincount(x.reshape(n, 4) @ (27, 9, 3, 1), minlength=81)
    often = expected > 5
    counts = np.append(counts[often], counts[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    assert often.sum() > 20
    assert chisquare(counts + 1e-9, (expected + 1e-9) * n / expected.sum()).pvalue > 1e-4


def test_complete_keeps_the_rows_it_is_given():
    model = random_pixel_cnn((4, 5, 1))
    x = model.sample(50, seed=0).numpy()
    made = model.complete(x, 2, seed=1).numpy()
    np.testing.assert_array_equal(made[:, :2], x[:, :2])
    assert np.any(made[:, 2:] != x[:, 2:])
    # What follows depends on what is given: the same noise, another top.
    other = model.complete(1 - x, 2, seed=1).numpy()
    assert np.any(other[:, 2:] != made[:, 2:])


def test_same_seed_same_samples():
    model = random_pixel_cnn((3, 4, 1))
    np.testing.assert_array_equal(model.sample(9, seed=1), model.sample(9, seed=1))
    assert np.any(model.sample(9, seed=1) != model.sample(9, seed=2))
    first, second = (PixelCNN((3, 4, 1), width=4, seed=4) for _ in range(2))
    for a, b in zip(first.trainable_variables, second.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_never_a_convolution_inside_xla():
    model = PixelCNN((3, 4, 1), width=4)
    model.compile()
    assert model.jit_compile is False


# The distributions of one pixel


def levels_and_parameters(head, count=50, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    parameters = tf.constant(scale * rng.normal(size=(count, 1, head.size)), tf.float64)
    every_level = tf.tile(tf.range(head.levels, dtype=tf.float64)[None], (count, 1))
    return parameters + tf.zeros((count, head.levels, head.size), tf.float64), every_level


@pytest.mark.parametrize(
    "head",
    [DiscretisedLogistic(256), DiscretisedLogistic(2, 1), DiscretisedLogistic(17, 3), Softmax(17)],
    ids=["256", "2", "17", "softmax"],
)
def test_levels_sum_to_one(head):
    log_probs = head.log_prob(*levels_and_parameters(head)).numpy()
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-6)


def test_discretised_logistic_is_a_difference_of_cdfs():
    """Salimans et al. (2017), equation 2, in float64 where it does not round."""
    head = DiscretisedLogistic(256, 1)
    mean, scale, k = 0.4, 0.05, np.arange(256)
    parameters = tf.tile(tf.constant([[0.0, mean, np.log(scale)]], tf.float64), (256, 1))
    borders = np.r_[-np.inf, (np.arange(255) + 0.5) / 255, np.inf]
    wanted = np.diff(expit((borders - mean) / scale))
    found = np.exp(head.log_prob(parameters, k).numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("mean", [-50.0, 0.5, 60.0])
@pytest.mark.parametrize("log_scale", [-20.0, -7.0, -1.0, 10.0])
def test_far_tails_have_finite_gradients(mean, log_scale):
    head = DiscretisedLogistic(256, 1)
    parameters = tf.tile(tf.constant([[0.0, mean, log_scale]]), (256, 1))
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_probs = head.log_prob(parameters, tf.range(256.0))
    slope = tape.gradient(log_probs, parameters).numpy()
    assert np.all(np.isfinite(log_probs)) and np.all(np.isfinite(slope))
    if abs(mean) > 1 and log_scale == -1.0:  # and it points back to the data
        assert np.all(np.sign(slope[1:-1, 1]) == -np.sign(mean))


def test_gradient_is_that_of_finite_differences():
    head = DiscretisedLogistic(17, 3)
    parameters, level = levels_and_parameters(head, 4, seed=1, scale=0.7)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_probs = head.log_prob(parameters, level)
    slope = tape.gradient(log_probs, parameters).numpy()
    for i in range(head.size):
        step = 1e-5 * np.eye(head.size)[i]
        up, down = (head.log_prob(parameters + s * step, level) for s in (1, -1))
        np.testing.assert_allclose((up - down) / 2e-5, slope[..., i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("head", [DiscretisedLogistic(9, 2), Softmax(9)], ids=["logistic", "soft"])
def test_draws_follow_log_prob(head):
    from scipy.stats import chisquare

    n, rng = 50_000, np.random.default_rng(0)
    parameters = (
        np.array([0.0, 1.0, 0.2, 0.8, -2.0, -1.0]) if head.size == 6 else rng.normal(size=9)
    )
    parameters = tf.constant(np.tile(parameters, (n, 1)), tf.float32)
    drawn = head.draw(parameters, tf.constant(rng.random((n, 2)), tf.float32)).numpy()
    expected = n * np.exp(head.log_prob(parameters[:9], tf.range(9.0)).numpy().astype(float))
    counts = np.bincount(drawn.astype(int), minlength=9)
    assert chisquare(counts, expected * n / expected.sum()).pvalue > 1e-4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: PixelCNN((8, 8)), r"image_shape must be \(h, w, c\); got \(8, 8\)"),
        (lambda: PixelCNN((8, 0, 1)), "image_shape must be a whole number of at least 1; got 0"),
        (lambda: PixelCNN((4, 4, 1), 1), "levels must be a whole number of at least 2; got 1"),
        (lambda: PixelCNN((4, 4, 3), width=2), "width must be a whole number of at least 3"),
        (lambda: PixelCNN((4, 4, 1), kernels=(4,)), r"kernels must be odd numbers .* got \(4,\)"),
        (lambda: PixelCNN((4, 4, 1), kernels=()), "kernels must be odd numbers"),
        (lambda: PixelCNN((4, 4, 1), kernels=(1,)), "kernels must be a whole number of at least 3"),
        (lambda: PixelCNN((4, 4, 1), head="gauss"), "head must be one of logistic, softmax"),
        (lambda: tiny().sample(0), "n must be a whole number of at least 1; got 0"),
        (lambda: tiny().log_prob(np.zeros((2, 3, 4))), r"\(n, 3, 4, 1\), n >= 1; got \(2, 3, 4\)"),
        (lambda: tiny().log_prob(np.full((2, 3, 4, 1), 0.5)), "must be 0 or 1; got 0.5"),
        (lambda: tiny().log_prob(np.full((2, 3, 4, 1), 255.0)), r"must be in \[0, 1\]"),
        (lambda: tiny().log_prob(np.full((2, 3, 4, 1), np.nan)), "x must be finite"),
        (lambda: tiny().fit(np.full((9, 3, 4, 1), 0.3)), "data must be 0 or 1; got 0.3"),
        (lambda: tiny(17).fit(np.full((9, 3, 4, 1), 0.3)), "must be one of 17 levels, k / 16; got"),
        (lambda: tiny().complete(np.zeros((1, 3, 4, 1)), 4), "rows must be at most 3; got 4"),
        (lambda: DiscretisedLogistic(1), "levels must be a whole number of at least 2"),
        (lambda: DiscretisedLogistic(4, 0), "components must be a whole number of at least 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def tiny(levels=2):
    return PixelCNN((3, 4, 1), levels, width=4, kernels=(3,), seed=0)
