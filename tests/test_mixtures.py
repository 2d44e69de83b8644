"""Gaussian mixtures by EM, and k-means.

Mutations that were tried and caught: responsibilities from the densities without their weights;
scatter about the mean of all points; the covariance over n instead of the component's share; half
the log determinant; no floor; a floor by adding instead of clipping; labels ignored; a tied
covariance without the weights; an empty component divided by its 0 points; a step of k-means that
moves before it gives; samples scaled by the covariance in place of its root.
"""

import numpy as np
import pytest
import sklearn.cluster
import sklearn.discriminant_analysis
import sklearn.mixture
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib.data import images, toy
from genlib.likelihood import GaussianMixture, kmeans_start, lloyd_step
from genlib.likelihood.gaussian_mixture import floored

FORMS = ["full", "tied", "diag", "spherical"]
few = settings(max_examples=20)


def clusters(seed, n=120, d=2, k=3):
    """Points of k clusters of different size, shape and place; and who made them."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    labels[:k] = np.arange(k)
    shapes = rng.normal(size=(k, d, d)) * rng.uniform(0.3, 1, size=(k, 1, 1))
    centers = 3 * rng.normal(size=(k, d))
    return centers[labels] + np.einsum(
        "nij,nj->ni", shapes[labels], rng.normal(size=(n, d))
    ), labels


@few
@given(
    seed=st.integers(0, 10_000),
    d=st.integers(1, 4),
    k=st.integers(1, 5),
    form=st.sampled_from(FORMS),
    floor=st.sampled_from([1e-6, 0.05, 0.5]),
    known=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_log_likelihood_never_falls(seed, d, k, form, floor, known):
    x, labels = clusters(seed, d=d, k=k)
    hidden = np.random.default_rng(seed).uniform(size=len(x)) >= known
    hidden[:k] = False  # each component keeps one labelled point
    some = np.where(hidden, -1, labels) if known else None
    model = GaussianMixture(k, form, floor).fit(x, some, steps=40, tolerance=0, seed=seed)
    assert np.all(np.diff(model.log_likelihoods) >= -1e-9)
    assert np.all(np.linalg.eigvalsh(model.covariances) >= floor * (1 - 1e-6))
    np.testing.assert_allclose(model.responsibilities(x).sum(1), 1)
    np.testing.assert_allclose(model.weights.sum(), 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_one_step_equals_scikit_learns(form, seed):
    x, _ = clusters(seed)
    model = GaussianMixture(3, form, min_variance=1e-12)
    model.start(x, seed=seed)
    precisions = np.linalg.inv(model.covariances)
    shaped = {
        "full": precisions, "tied": precisions[0], "diag": np.diagonal(precisions, 0, 1, 2),
        "spherical": precisions[:, 0, 0],
    }  # fmt: skip
    peer = sklearn.mixture.GaussianMixture(
        3, covariance_type=form, reg_covar=0, max_iter=1, weights_init=model.weights,
        means_init=model.means, precisions_init=shaped[form],
    )  # fmt: skip
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        peer.fit(x)
    model.em_step(x)
    np.testing.assert_allclose(model.means, peer.means_, rtol=1e-9)
    np.testing.assert_allclose(model.weights, peer.weights_, rtol=1e-9)
    np.testing.assert_allclose(model.log_prob(x), peer.score_samples(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.responsibilities(x), peer.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_log_prob_is_the_distributions(form):
    x, _ = clusters(1)
    model = GaussianMixture(3, form).fit(x, seed=1)
    np.testing.assert_allclose(model.log_prob(x), model.distribution.log_prob(x), atol=1e-3)
    np.testing.assert_allclose(
        model.log_likelihoods[-1], np.mean(model.distribution.log_prob(x)), atol=1e-4
    )


def test_density_has_area_one():
    model = GaussianMixture(3).fit(clusters(2)[0], seed=0)
    x, y = np.meshgrid(np.linspace(-20, 20, 801), np.linspace(-20, 20, 801))
    total = np.exp(model.log_prob(np.stack([x, y], -1).reshape(-1, 2))).sum() * 0.05**2
    assert abs(total - 1) < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_all_labels_known_is_discriminant_analysis(seed):
    x, labels = clusters(seed, n=400, d=3)
    tied = GaussianMixture(3, "tied", 1e-9).fit(x, labels)
    linear = sklearn.discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr").fit(x, labels)
    np.testing.assert_allclose(tied.responsibilities(x), linear.predict_proba(x), atol=1e-6)
    full = GaussianMixture(3, "full", 1e-9).fit(x, labels)
    quadratic = sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis().fit(x, labels)
    assert np.mean(full.predict(x) == quadratic.predict(x)) > 0.98  # n - 1 against n
    for model in (tied, full):
        assert len(model.log_likelihoods) <= 4  # nothing is hidden, so one step is all


def test_labels_are_obeyed():
    """A labelled point counts for its component alone, and its likelihood is of the pair."""
    x = np.array([[0.0], [0.2], [5.0], [5.2], [0.1]])
    labels = np.array([0, 0, 1, 1, 1])  # the last one against all appearance
    model = GaussianMixture(2, "full", 0.01).fit(x, labels)
    np.testing.assert_allclose(model.weights, [0.4, 0.6])
    np.testing.assert_allclose(model.means[:, 0], [0.1, 10.3 / 3])
    pair = model.distribution.components_distribution.log_prob(x[:, None]).numpy()
    joint = pair[np.arange(5), labels] + np.log(model.weights)[labels]
    np.testing.assert_allclose(model.log_likelihoods[-1], joint.mean(), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_learns_the_ring(seed):
    """EM from k-means++ finds the eight clusters and comes near the true log-likelihood."""
    ring = toy("ring")
    x, y = ring.sample(800, seed=(seed, 1)), ring.sample(2000, seed=(seed, 2))
    fits = [GaussianMixture(8).fit(x, seed=start) for start in range(5)]
    best = max(fits, key=lambda fit: fit.log_likelihoods[-1])
    gap = np.mean(ring.log_prob(y)) - np.mean(best.log_prob(y))
    assert -0.02 < gap < 0.1
    assert 0.08 < np.sqrt(best.covariances[:, 0, 0]).mean() < 0.12


@pytest.mark.parametrize("components", [1, 3])
def test_samples_follow_the_density(components):
    x, _ = clusters(5)
    model = GaussianMixture(components).fit(x, seed=0)
    y = model.sample(100_000, seed=1).numpy()
    mean = model.weights @ model.means
    second = np.einsum("k,kij->ij", model.weights, model.covariances) + np.einsum(
        "k,ki,kj->ij", model.weights, model.means - mean, model.means - mean
    )
    np.testing.assert_allclose(y.mean(0), mean, atol=5 * np.sqrt(second.max() / len(y)))
    np.testing.assert_allclose(np.cov(y.T), second, atol=0.03 * second.max())
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(model.sample(5, seed=2), model.sample(5, seed=2))
    assert np.any(model.sample(5, seed=2) != model.sample(5, seed=3))


@pytest.mark.parametrize("floor", [1e-8, 1e-4, 1e-2])
def test_a_lonely_point_is_held_by_the_floor(floor):
    """A component on one point shrinks to the floor and no further: the rule says how far."""
    x = np.r_[np.random.default_rng(0).normal(size=(60, 2)), [[40.0, 40.0]]]
    model = GaussianMixture(2, min_variance=floor)
    model.start(x, seed=0)
    model.means = np.array([[0.0, 0.0], [40.0, 40.0]])
    before = model.em_step(x)
    for _ in range(5):
        after = model.em_step(x)
        assert after >= before - 1e-9
        before = after
    np.testing.assert_allclose(model.covariances[1], floor * np.eye(2), atol=1e-9 * floor)
    # The lonely point's density at its own place: 1 / (2 pi floor), times its weight of 1/61.
    lonely = float(model.log_prob(x[-1:])[0])
    np.testing.assert_allclose(lonely, -np.log(61 * 2 * np.pi * floor), rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_floor_is_the_best_covariance_it_allows(seed):
    """No covariance that respects the floor explains the scatter better."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, 3)) * [1, 0.5, 0.05]
    scatter, least = root @ root.T, 0.2

    def explains(covariance):
        return -(np.linalg.slogdet(covariance)[1] + np.trace(np.linalg.solve(covariance, scatter)))

    best = floored(scatter[None], least)[0]
    assert np.linalg.eigvalsh(best).min() >= least * (1 - 1e-9)
    for size in (0.01, 0.1, 1.0):
        for _ in range(50):
            change = size * rng.normal(size=(3, 3))
            other = floored((best + change @ change.T + (change + change.T) / 2)[None], least)[0]
            assert explains(other) <= explains(best) + 1e-9


def test_an_empty_component_stays_and_does_no_harm():
    x, _ = clusters(0)
    model = GaussianMixture(2)
    model.start(x, seed=0)
    model.means[1] = 1e4
    values = [model.em_step(x) for _ in range(10)]
    assert np.all(np.diff(values) >= -1e-9) and model.weights[1] == 0
    assert np.all(model.means[1] == 1e4) and np.all(np.isfinite(model.log_prob(x)))
    assert np.all(np.isfinite(model.sample(10, seed=0)))


@pytest.mark.parametrize("seed", range(5))
def test_lloyd_never_rises_and_ends_where_scikit_learn_does(seed):
    x, _ = clusters(seed, n=300)
    start = centers = kmeans_start(x, 4, seed)
    assert all(any(np.allclose(center, point) for point in x) for center in start)
    inertias = []
    for _ in range(100):
        labels, centers, inertia = lloyd_step(x, centers)
        inertias.append(inertia)
    assert np.all(np.diff(inertias) <= 1e-9)
    peer = sklearn.cluster.KMeans(4, init=start, n_init=1, tol=0, max_iter=100).fit(x)
    np.testing.assert_allclose(inertias[-1], peer.inertia_, rtol=1e-6)
    np.testing.assert_allclose(centers, peer.cluster_centers_, atol=1e-5)
    np.testing.assert_array_equal(labels, peer.labels_)


def test_one_step_of_lloyd_by_hand():
    x = np.array([[0.0], [1.0], [4.0], [5.0]])
    labels, centers, inertia = lloyd_step(x, [[0.0], [2.0], [99.0]])
    assert labels.tolist() == [0, 0, 1, 1] and inertia == 0 + 1 + 4 + 9
    np.testing.assert_allclose(centers[:, 0], [0.5, 4.5, 99])  # without points: it stays


@pytest.mark.parametrize("seed", range(3))
def test_em_with_narrow_equal_spheres_is_k_means(seed):
    x, _ = clusters(seed)
    model = GaussianMixture(3, "spherical")
    model.start(x, seed=seed)
    model.covariances[:] = 1e-5 * np.eye(2)
    labels, centers, _ = lloyd_step(x, model.means)
    np.testing.assert_allclose(model.responsibilities(x), np.eye(3)[labels], atol=1e-6)
    model.em_step(x)
    np.testing.assert_allclose(model.means, centers, atol=1e-5)


def test_unlabelled_digits_help():
    """With two labels a class the rest of the pictures, without labels, is worth many points."""
    (x, y), (x_test, y_test) = images("digits"), images("digits", "test")
    x, x_test, gains = x.reshape(-1, 64), x_test.reshape(-1, 64), []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        some = np.concatenate([rng.choice(np.flatnonzero(y == c), 2, False) for c in range(10)])
        labels = np.full(len(y), -1)
        labels[some] = y[some]
        alone = GaussianMixture(10, "tied", 0.02).fit(x[some], y[some])
        helped = GaussianMixture(10, "tied", 0.02).fit(x, labels, steps=20, tolerance=1e-3)
        right = [np.mean(model.predict(x_test) == y_test) for model in (alone, helped)]
        gains.append(right[1] - right[0])
    assert np.mean(gains) > 0.04, gains


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0,), "components must be a whole number of at least 1; got 0"),
        ((2.5,), "components must be a whole number"),
        ((2, "round"), "covariance must be one of diag, full, spherical, tied; got 'round'"),
        ((2, "full", 0.0), "min_variance must be a finite number above 0; got 0.0"),
        ((2, "full", np.nan), "min_variance must be a finite number above 0"),
    ],
)
def test_model_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(*arguments)


@pytest.mark.parametrize(
    "x, labels, message",
    [
        (np.full((9, 2), np.nan), None, "x must be finite; got 18 NaN"),
        (np.zeros((0, 2)), None, "x must not be empty"),
        (np.zeros((3, 2, 2)), None, "x must have shape"),
        (np.zeros((9, 2)), None, "clusters must be at most the number of different points, 1"),
        (np.zeros((9, 2)), np.zeros(8, int), r"labels must be whole numbers of shape \(9,\)"),
        (np.zeros((9, 2)), np.zeros(9), "labels must be whole numbers .* got float64"),
        (np.zeros((9, 2)), np.full(9, 3), "labels must be -1 to 2; got labels from 3 to 3"),
        (np.zeros((9, 2)), np.r_[-1, np.zeros(8, int)], r"must hold each class; it lacks \[1, 2\]"),
    ],
)
def test_fit_refuses(x, labels, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3).fit(x, labels)


def test_refuses_before_and_after_fitting():
    model = GaussianMixture(2)
    for call in (model.log_prob, model.sample, model.responsibilities, model.em_step):
        with pytest.raises(ValueError, match=r"not fitted; call fit\(x\) first"):
            call(3)
    with pytest.raises(ValueError, match="not fitted"):
        _ = model.distribution
    model.fit(clusters(0)[0], seed=0)
    for call in (model.log_prob, model.responsibilities, model.predict, model.em_step):
        with pytest.raises(ValueError, match=r"x must have shape \(n, 2\); got \(3, 5\)"):
            call(np.zeros((3, 5)))
        with pytest.raises(ValueError, match="x must be finite"):
            call(np.full((3, 2), np.inf))
    with pytest.raises(ValueError, match="n must be a whole number"):
        model.sample(0)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        model.fit(clusters(0)[0], steps=0)
    with pytest.raises(ValueError, match="tolerance must be a finite number, 0 or more"):
        model.fit(clusters(0)[0], tolerance=-1)
    with pytest.raises(ValueError, match="centers have|same dimension d"):
        lloyd_step(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="clusters must be a whole number"):
        kmeans_start(np.zeros((3, 2)), 0)
