"""Exercises of lecture 04: clustering and dimension reduction."""

import numpy as np

from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood import GaussianMixture
from genlib.likelihood.ppca import closed_form


@exercise("04_clustering_and_dimension_reduction/1")
def responsibility():
    """The first component's responsibility for x = 1; components N(0, 1), N(3, 1), equal."""
    model = GaussianMixture(2)
    model.weights, model.means = np.array([0.5, 0.5]), np.array([[0.0], [3.0]])
    model.covariances = np.ones((2, 1, 1))
    first, second = model.responsibilities([1.0])[0]
    joint = 0.5 * model.distribution.components_distribution.prob([[1.0]]).numpy()
    return Number(
        float(first),
        tolerance=0.006,
        right="the point is nearer to the first mean, and equal weights cancel.",
        mistakes=[
            (float(second), "That is the second component's."),
            (float(joint[0]), "That is weight times density; divide by the sum over both."),
            (float(2 * joint[0]), "That is a density; multiply by the weight, then divide by "
             "the sum over both."),
            (2 / 3, "Not the distances but the densities count: exp of minus half the square."),
        ],
    )  # fmt: skip


@exercise("04_clustering_and_dimension_reduction/2")
def m_means():
    """Write m_means(x, r): responsibility-weighted means, (k, d)."""

    def means(x, r):
        model = GaussianMixture(r.shape[1])
        model.means = np.zeros((r.shape[1], x.shape[1]))
        model.covariances = np.tile(np.eye(x.shape[1]), (r.shape[1], 1, 1))
        model.m_step(x, r)
        return model.means

    def draw(rng):
        return rng.normal(size=(12, 2)), rng.dirichlet(np.ones(3), size=12)

    return Function(
        means,
        inputs=draw,
        tolerance=1e-5,
        right="each point counts for a component as far as that component made it.",
        mistakes=[
            (lambda x, r: r.T @ x, "That is a weighted sum; divide by the sum of the weights."),
            (lambda x, r: r.T @ x / len(x), "Divide by each component's share of the points, "
             "not by all n."),
            (lambda x, r: means(x, np.eye(r.shape[1])[r.argmax(1)] + 1e-12), "Those are hard "
             "assignments, as in k-means; use the responsibilities as weights."),
            (lambda x, r: means(x, r).T, "Transpose it: shape (k, d) is wanted."),
        ],
    )  # fmt: skip


@exercise("04_clustering_and_dimension_reduction/3")
def noise():
    """The noise of pPCA with two latents on eigenvalues 6, 3, 1.5, 0.9, 0.6."""
    values = np.array([6, 3, 1.5, 0.9, 0.6])
    _, truth = closed_form(np.diag(values), 2)
    return Number(
        float(truth),
        tolerance=0.005,
        right="it is the mean of the variances that were left out.",
        mistakes=[
            (values[2:].sum(), "That is what is left out in all; the noise is spread over d - q "
             "directions."),
            (values.mean(), "The first two eigenvalues are explained by the latents: leave "
             "them out."),
            (values[2:].sum() / 5, "Divide by the d - q directions that are left, not by d."),
            (values[2:].sum() / values.sum(), "That is the share of variance left out."),
        ],
    )  # fmt: skip


@exercise("04_clustering_and_dimension_reduction/4")
def lonely_component():
    """A likelihood that stands out, and a component that owns one point of a hundred."""
    return Choice(
        right_choice="b",
        options=("a", "b", "c"),
        why="a weight of 1/100 is one point's worth. Lower the floor and the likelihood rises "
        "again: compare fits on points that were not used.",
        wrong={
            "a": "There is no global maximum without a floor; look at what the one component owns.",
            "c": "EM has no step size, and no step lowers the likelihood.",
        },
    )
