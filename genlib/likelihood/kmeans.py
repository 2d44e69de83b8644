"""k-means by Lloyd's algorithm (Lloyd 1982), started by k-means++ (Arthur, Vassilvitskii 2007)."""

import numpy as np
from sklearn.cluster import kmeans_plusplus

from genlib import validate


def kmeans_start(x, clusters: int, seed=None) -> np.ndarray:
    """Choose ``clusters`` of the points ``x`` (n, d) as first centres, far apart: (k, d).

    This is k-means++, by scikit-learn. ValueError if there are fewer different points.
    """
    x = validate.samples("x", x).numpy()
    clusters = validate.count("clusters", clusters)
    different = len(np.unique(x, axis=0))
    if different < clusters:
        raise ValueError(
            f"clusters must be at most the number of different points, {different}; got {clusters}"
        )
    return kmeans_plusplus(x, clusters, random_state=seed)[0].astype(np.float64)


def lloyd_step(x, centers):
    """Give each point its nearest centre, then move each centre to the mean of its points.

    ``x`` (n, d), ``centers`` (k, d). Returns ``(labels, new centres, inertia)``: labels (n,),
    centres (k, d), and the sum of the points' squared distances to the centres they were given,
    before the move. From step to step the inertia never rises. A centre without points stays.
    """
    x = validate.samples("x", x).numpy()
    centers = validate.samples("centers", centers).numpy().astype(np.float64)
    validate.same_dimension("x", x, "centers", centers)
    squares = ((x[:, None] - centers) ** 2).sum(-1)  # (n, k)
    labels = squares.argmin(1)
    for k in np.unique(labels):
        centers[k] = x[labels == k].mean(0)
    return labels, centers, float(squares.min(1).sum())
