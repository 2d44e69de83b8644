"""Lecture 03: clustering and dimension reduction."""

import functools

import numpy as np

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.likelihood import GaussianMixture, lloyd_step
from genlib.likelihood.ppca import closed_form
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, moving, panel, strokes

# Explorer: em_steps

KMEANS, EM = "k-means", "EM"
STEPS, STARTS = 30, 6
#: One colour for each component; none of them means real or generated.
PALETTE = np.array(
    [[0, 0.62, 0.45], [0.9, 0.62, 0], [0.8, 0.47, 0.65], [0.34, 0.71, 0.91]]
)  # green, orange, pink, sky
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 61)), np.sin(np.linspace(0, 2 * np.pi, 61))])

# Components of points: how many, where, and the standard deviations along both coordinates.
CLOUDS = {
    "equal clusters": [(80, where, (0.6, 0.6)) for where in ((-2, -1), (2, -1), (0, 2))],
    "one large, two small": [
        (180, (-0.8, 0), (1.1, 1.1)),
        *((30, (2.6, y), (0.2, 0.2)) for y in (1, -1)),
    ],
    "stripes": [(120, (0, y), (1.6, 0.2)) for y in (0.8, -0.8)],
}

_TWO_SMALL = {"cloud": "one large, two small"}


@scene("em_steps")
class EMSteps(Scene):
    """k-means and EM, step by step, from several starts."""

    title = "k-means and EM, step by step"
    alt = (
        "Left: points in the colours of the components that may have made them, with a cross for "
        "each centre and, for EM, an ellipse at two standard deviations. Right: for EM the "
        "log-likelihood, for k-means the mean squared distance, against the step; this start in "
        "black with a dot at the current step, the other starts in grey."
    )
    size = (9.6, 4.2)
    reveals = (
        tuple(_TWO_SMALL | {"step": step} for step in (6, 15, STEPS)),
        tuple(_TWO_SMALL | {"step": STEPS, "start": start} for start in (0, 1)),
        tuple(
            {"cloud": "stripes", "components": 2, "step": STEPS} | how
            for how in ({"method": KMEANS}, {"method": EM}, {"method": EM, "start": 1})
        ),
        tuple(
            {"cloud": "equal clusters", "step": STEPS, "start": 2, "method": method}
            for method in (KMEANS, EM)
        ),
        tuple(_TWO_SMALL | {"step": STEPS, "components": k} for k in (3, 4)),
    )

    def controls(self):
        return {
            "step": slider("step", 0, 0, STEPS, 1),
            "method": choice("method", [KMEANS, EM], EM),
            "cloud": choice("points", CLOUDS),
            "components": slider("components k", 3, 2, 4, 1),
            "start": slider("start", 0, 0, STARTS - 1, 1),
        }

    def stage(self, fig):
        left, self.right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        first, second = ("first coordinate", -4.6, 4.6), ("second coordinate", -3.6, 3.6)
        panel(left, "Who made which point?", first, second, aspect="equal")
        panel(self.right, "", ("step", -0.7, STEPS + 0.7))
        self.points = moving(left.scatter([], [], s=14, linewidths=0))
        self.ellipses = strokes(left, linewidths=2.5)
        self.centers = dot(left, "black", 10, "X", markeredgecolor="w")
        self.others = strokes(self.right, "#bbbbbb", linewidths=1.2)
        self.line = curve(self.right, "black")
        self.dot = dot(self.right, "highlight", 10)

    def update(self, step, method, cloud, components, start):
        runs = [run(cloud, method, components, other) for other in range(STARTS)]
        centers, covariances, responsibilities, values = runs[start]
        self.points.set_offsets(points(cloud))
        self.points.set_facecolors(responsibilities[step] @ PALETTE[:components])
        self.centers.move(*centers[step].T)
        self.ellipses.set_segments([])
        if method == EM:
            roots = np.linalg.cholesky(covariances[step])
            rings = centers[step][:, None] + (2 * roots @ _CIRCLE).swapaxes(1, 2)
            self.ellipses.set_segments(rings)
            self.ellipses.set_color(PALETTE[:components])

        lines = [np.c_[np.arange(STEPS + 1), other[-1]] for other in runs]
        self.others.set_segments(lines)
        self.line.move(*lines[start].T)
        self.dot.move(step, values[step])
        every = np.concatenate([other[-1] for other in runs])
        room = 0.08 * np.ptp(every) + 1e-3
        self.right.set_ylim(every.min() - room, every.max() + room)
        name = "log-likelihood" if method == EM else "mean squared distance"
        unit = "nats per point" if method == EM else "units of x squared"
        self.right.set_ylabel(f"{name} ({unit})")
        self.right.set_title("It never falls" if method == EM else "It never rises")
        best = max if method == EM else min
        return {
            name: f"{values[step]:.3f}",
            "at the last step": f"{values[-1]:.3f}",
            f"best of the {STARTS} starts": f"{best(other[-1][-1] for other in runs):.3f}",
        }


@functools.cache
def points(cloud, seed=1):
    """The 240 points of a cloud, (240, 2); another seed draws others."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(where, spread, (n, 2)) for n, where, spread in CLOUDS[cloud]])


@functools.cache
def run(cloud, method, components, start):
    """All steps from one start, k of the points chosen blindly; step 0 is the start itself.

    Returns centres (steps, k, d), covariances (steps, k, d, d), responsibilities (steps, n, k) and
    the objective (steps,): the log-likelihood in nats per point, or the mean squared distance.
    """
    x = points(cloud)
    centers = x[np.random.default_rng(start).choice(len(x), components, replace=False)]
    history = []
    model = GaussianMixture(components, min_variance=1e-3)
    model.start(x, seed=0)
    model.means = centers.copy()
    for _ in range(STEPS + 1):
        if method == EM:
            responsibilities, log_prob = model.e_step(x)
            state = model.means.copy(), model.covariances.copy(), responsibilities
            history.append((*state, log_prob.mean()))
            model.m_step(x, responsibilities)
        else:
            labels, new, inertia = lloyd_step(x, centers)
            nothing = np.zeros((components, 2, 2))
            history.append((centers, nothing, np.eye(components)[labels], inertia / len(x)))
            centers = new
    return tuple(map(np.array, zip(*history, strict=True)))


# Explorer: principal_axis

ANGLES = np.arange(0, 181)
SHOWN = 60  # points with a line to their projection


@scene("principal_axis")
class PrincipalAxis(Scene):
    """Turn a line through a cloud: variance kept, variance lost, and the likelihood of pPCA."""

    title = "Find the principal axis"
    alt = (
        "Left: a cloud of blue points, a line through its centre, and thin lines from points to "
        "their projections. Right, above: the variance along the line and the mean squared "
        "distance to it against the line's angle; one is highest where the other is lowest. Below: "
        "the log-likelihood of probabilistic PCA with its weights along the line, highest there "
        "too. A dot marks the current angle."
    )
    size = (9.6, 4.6)
    reveals = ({"angle": 45}, {"angle": 135})

    def controls(self):
        return {
            "angle": slider("angle of the line (degrees)", 100, 0, 180, 1),
            "correlation": slider("correlation", 0.7, -0.9, 0.9, 0.1),
            "height": slider("scale of the second coordinate", 1.0, 0.5, 1.5, 0.1),
        }

    def stage(self, fig):
        self.noise = np.random.default_rng(0).normal(size=(200, 2))
        self.noise -= self.noise.mean(0)
        self.noise = (
            self.noise @ np.linalg.inv(np.linalg.cholesky(np.cov(self.noise.T, bias=True))).T
        )
        left, above, below = fig.subplot_mosaic("ab;ac", width_ratios=[1.1, 1]).values()
        first, second = ("first coordinate", -4, 4), ("second coordinate", -4, 4)
        panel(left, "A cloud and a line", first, second, aspect="equal")
        angles = {"xlim": (0, 180), "xticks": [0, 45, 90, 135, 180]}
        panel(above, "Variance along the line, distance to it", "", ("x squared", 0, 4.2), **angles)
        nats = ("nats per point", -3.7, -2.1)
        panel(below, "Log-likelihood of pPCA", "angle (degrees)", nats, **angles)
        self.drops = strokes(left, "accent", linewidths=1)
        self.dots = dot(left, "real", 6, ".", alpha=0.5)
        self.line = curve(left, "critic", linewidth=3)
        drawn = {
            "kept": (above, "critic"),
            "lost": (above, "accent"),
            "likelihood": (below, "mixture"),
        }
        self.curves = {name: curve(*where) for name, where in drawn.items()}
        self.marks = {name: dot(*where) for name, where in drawn.items()}
        plots.label(above, 3, 3.65, "along", "critic", ha="left")
        plots.label(above, 33, 3.65, "distance", "accent", ha="left")

    def update(self, angle, correlation, height):
        covariance = np.array([[1, correlation * height], [correlation * height, height**2]])
        x = self.noise @ np.linalg.cholesky(covariance).T
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        self.dots.move(*x.T)
        self.line.move(*(6 * np.outer(direction, [-1, 1])))
        projected = np.outer(x[:SHOWN] @ direction, direction)
        self.drops.set_segments(np.stack([x[:SHOWN], projected], 1))
        found = along(covariance, ANGLES)
        for name, values in found.items():
            self.curves[name].move(ANGLES, values)
            self.marks[name].move(angle, values[angle])
        best = ANGLES[found["kept"].argmax()]
        return {
            "variance along": found["kept"][angle],
            "mean squared distance": found["lost"][angle],
            "their sum": float(np.trace(covariance)),
            "log-likelihood": f"{found['likelihood'][angle]:.3f} nats per point",
            "principal axis at": f"{best}°",
        }


def along(covariance, angles):
    """For a line at each of ``angles`` (degrees) and data of this covariance (2, 2): what is kept.

    "kept" is the variance along it, "lost" the mean squared distance to it, "likelihood" the mean
    log-likelihood, in nats per point, of probabilistic PCA with its one column of weights along
    the line, of the best length, and the best noise.
    """
    directions = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], 1)
    kept = np.einsum("ni,ij,nj->n", directions, covariance, directions)
    lost = np.trace(covariance) - kept
    mean = np.trace(covariance) / 2  # a line along too little variance gets weights of length 0
    log_det = np.where(kept > lost, np.log(kept) + np.log(lost), 2 * np.log(mean))
    return {"kept": kept, "lost": lost, "likelihood": -(np.log(2 * np.pi) + log_det / 2 + 1)}


# Exercises


@exercise("03_clustering_and_dimension_reduction/1")
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


@exercise("03_clustering_and_dimension_reduction/2")
def bic():
    """Write bic(log_likelihood, k, d, n), in nats per point, for full covariances."""

    def less(penalty):
        def per_point(log_likelihood, k, d, n):
            return log_likelihood - penalty(k, d) * np.log(n) / (2 * n)

        return per_point

    def free(k, d):
        return (k - 1) + k * d + k * d * (d + 1) // 2

    return Function(
        less(free),
        inputs=lambda rng: (rng.normal(), *rng.integers([2, 1, 20], [7, 6, 500])),
        tolerance=1e-6,
        right="weights sum to 1 and covariances are symmetric, so neither is as free as it looks.",
        mistakes=[
            (less(lambda k, d: 6 * k - 1), "That is right in the plane; here d may be anything."),
            (less(lambda k, d: free(k, d) + 1), "The weights sum to 1: k - 1 of them are free."),
            (
                less(lambda k, d: k - 1 + k * d + k * d * d),
                "A covariance is symmetric: d (d + 1) / 2 numbers, not d^2.",
            ),
            (
                less(lambda k, d: k - 1 + 2 * k * d),
                "Those are diagonal covariances; full ones have d (d + 1) / 2 numbers each.",
            ),
            (less(lambda k, d: 2 * free(k, d)), "Half of log n / n for each free number."),
            (less(lambda k, d: -free(k, d)), "Take the penalty off: more numbers, lower score."),
            (
                lambda f, k, d, n: f - free(k, d) * np.log(n) / 2,
                "The log-likelihood is per point: divide the penalty by n too.",
            ),
        ],
    )


@exercise("03_clustering_and_dimension_reduction/3")
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


@exercise("03_clustering_and_dimension_reduction/4")
def lonely_component():
    """A likelihood that stands out, and a component that owns one point of a hundred."""
    return Choice(
        right_choice="spike on a point",
        why="a weight of 1/100 is one point's worth. Lower the floor and the likelihood rises "
        "again: compare fits on points that were not used.",
        wrong={
            "global maximum": "There is no global maximum without a floor; look at what the one "
            "component owns.",
            "steps too long": "EM has no step size, and no step lowers the likelihood.",
        },
    )
