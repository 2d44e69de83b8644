"""k-means by Lloyd's algorithm (Lloyd 1982), started by k-means++ (Arthur, Vassilvitskii 2007)."""

import numpy as np

from genlib import validate


def kmeans_start(x, clusters: int, seed=None) -> np.ndarray:
    """Choose ``clusters`` of the points ``x`` (n, d) as first centres, far apart: (k, d).

    k-means++: a point is drawn with a probability proportional to its squared distance from the
    nearest centre so far. Of a few such points (2 + log k) the best is taken, which is the greedy
    form. ValueError if there are fewer different points.
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

    ``x`` (n, d), ``centers`` (k, d). Returns ``(labels, new centres, inertia)``: labels (n,),
    centres (k, d), and the sum of the points' squared distances to the centres they were given,
    before the move. From step to step the inertia never rises. A centre without points stays.
    """
    x = validate.samples("x", x).numpy().astype(np.float64)
    centers = validate.samples("centers", centers).numpy().astype(np.float64)
    validate.same_dimension("x", x, "centers", centers)
    squares = squared_distances(x, centers)
    labels = squares.argmin(1)
    for k in np.unique(labels):
        centers[k] = x[labels == k].mean(0)
    return labels, centers, float(squares.min(1).sum())


def squared_distances(x, centers):
    """``(n, k)`` from ``(n, d)`` and ``(k, d)``, by differences: exact far from the origin too."""
    return np.stack([((x - center) ** 2).sum(1) for center in centers], axis=1)
