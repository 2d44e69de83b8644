"""k-means by Lloyd's algorithm (Lloyd 1982), started by k-means++ (Arthur, Vassilvitskii 2007)."""

import functools

import numpy as np
from scipy.spatial import distance

from genlib import validate

#: ``(n, k)`` from ``(n, d)`` and ``(k, d)``, by differences: exact far from the origin too.
squared_distances = functools.partial(distance.cdist, metric="sqeuclidean")


def kmeans_start(x, clusters: int, seed=None) -> np.ndarray:
    """Choose ``clusters`` of the points ``x`` (n, d) as first centres, far apart: (k, d).

    Greedy k-means++: of 2 + log k points, drawn with probabilities proportional to their squared
    distances from the nearest centre, the best. ValueError if there are fewer different points.
    """
    x = validate.samples("x", x).numpy().astype(np.float64)
    clusters = validate.count("clusters", clusters)
    different = len(np.unique(x, axis=0))
    if different < clusters:
        raise ValueError(
            f"clusters must be at most the number of different points, {different}; got {clusters}"
        )
    rng = np.random.RandomState(seed)
    chosen = [int(rng.uniform() * len(x))]
    nearest = squared_distances(x, x[chosen])[:, 0]
    for _ in range(clusters - 1):
        total = np.cumsum(nearest)
        drawn = rng.uniform(size=2 + int(np.log(clusters))) * total[-1]
        candidates = np.searchsorted(total, drawn, side="right").clip(max=len(x) - 1)
        then = np.minimum(nearest[:, None], squared_distances(x, x[candidates]))
        best = then.sum(0).argmin()
        chosen.append(candidates[best])
        nearest = then[:, best]
    return x[chosen]


def lloyd_step(x, centers):
    """Give each point its nearest centre, then move each centre to the mean of its points.

    From ``x`` (n, d) and ``centers`` (k, d): labels (n,), new centres (one without points stays),
    and the inertia, the sum of squared distances to the old centres, which never rises.
    """
    x = validate.samples("x", x).numpy().astype(np.float64)
    centers = validate.samples("centers", centers).numpy().astype(np.float64)
    validate.same_dimension("x", x, "centers", centers)
    squares = squared_distances(x, centers)
    labels = squares.argmin(1)
    for k in np.unique(labels):
        centers[k] = x[labels == k].mean(0)
    return labels, centers, float(squares.min(1).sum())
