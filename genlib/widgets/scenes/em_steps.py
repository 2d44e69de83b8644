"""k-means and EM, step by step, from several starts."""

import functools

import numpy as np
from matplotlib.collections import LineCollection

from genlib.likelihood import GaussianMixture, lloyd_step
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

KMEANS, EM = "k-means", "EM"
STEPS, STARTS = 30, 6
#: One colour for each component; none of them means real or generated.
PALETTE = np.array(
    [[0, 0.62, 0.45], [0.9, 0.62, 0], [0.8, 0.47, 0.65], [0.34, 0.71, 0.91]]
)  # green, orange, pink, sky
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 61)), np.sin(np.linspace(0, 2 * np.pi, 61))])

# Heaps of points: how many, where, and the standard deviations along both coordinates.
CLOUDS = {
    "equal heaps": [
        (80, (-2, -1), (0.6, 0.6)), (80, (2, -1), (0.6, 0.6)), (80, (0, 2), (0.6, 0.6))
    ],
    "one large, two small": [
        (180, (-0.8, 0), (1.1, 1.1)), (30, (2.6, 1), (0.2, 0.2)), (30, (2.6, -1), (0.2, 0.2))
    ],
    "stripes": [(120, (0, 0.8), (1.6, 0.2)), (120, (0, -0.8), (1.6, 0.2))],
}  # fmt: skip


class EMSteps(Scene):
    title = "k-means and EM, step by step"
    alt = (
        "Left: points in the colours of the components that may have made them, with a cross for "
        "each centre and, for EM, an ellipse at two standard deviations. Right: for EM the "
        "log-likelihood, for k-means the mean squared distance, against the step; this start in "
        "black with a dot at the current step, the other starts in grey."
    )
    size = (9.6, 4.2)

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
        left.set(xlim=(-4.6, 4.6), ylim=(-3.6, 3.6), xlabel="first coordinate")
        left.set(ylabel="second coordinate", title="Who made which point?", aspect="equal")
        self.right.set(xlabel="step", xlim=(-0.7, STEPS + 0.7))
        self.points = left.scatter(np.zeros(240), np.zeros(240), s=14, linewidths=0)
        self.ellipses = LineCollection([], linewidths=2.5)
        left.add_collection(self.ellipses)
        (self.centers,) = left.plot([], [], "X", color="black", markersize=10, markeredgecolor="w")
        self.others = LineCollection([], colors="#bbbbbb", linewidths=1.2)
        self.right.add_collection(self.others, autolim=False)
        (self.line,) = self.right.plot([], [], color="black")
        (self.dot,) = self.right.plot([], [], "o", color=COLORS["highlight"], markersize=10)
        return [self.points, self.ellipses, self.centers, self.others, self.line, self.dot]

    def update(self, step, method, cloud, components, start):
        runs = [run(cloud, method, components, other) for other in range(STARTS)]
        centers, covariances, responsibilities, values = runs[start]
        self.points.set_offsets(points(cloud))
        self.points.set_facecolors(responsibilities[step] @ PALETTE[:components])
        self.centers.set_data(*centers[step].T)
        self.ellipses.set_segments([])
        if method == EM:
            roots = np.linalg.cholesky(covariances[step])
            rings = centers[step][:, None] + (2 * roots @ _CIRCLE).swapaxes(1, 2)
            self.ellipses.set_segments(rings)
            self.ellipses.set_color(PALETTE[:components])

        lines = [np.c_[np.arange(STEPS + 1), other[-1]] for other in runs]
        self.others.set_segments(lines)
        self.line.set_data(*lines[start].T)
        self.dot.set_data([step], [values[step]])
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
def points(cloud):
    """The 240 points of a cloud, (240, 2)."""
    rng = np.random.default_rng(1)
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
