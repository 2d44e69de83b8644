"""Turn a line through a cloud: variance kept, variance lost, and the likelihood of pPCA."""

import numpy as np
from matplotlib.collections import LineCollection

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

ANGLES = np.arange(0, 181)
SHOWN = 60  # points with a line to their projection


class PrincipalAxis(Scene):
    title = "Find the principal axis"
    alt = (
        "Left: a cloud of blue points, a line through its centre, and thin lines from points to "
        "their projections. Right, above: the variance along the line and the mean squared "
        "distance to it against the line's angle; one is highest where the other is lowest. Below: "
        "the log-likelihood of probabilistic PCA with its weights along the line, highest there "
        "too. A dot marks the current angle."
    )
    size = (9.6, 4.6)

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
        left.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", title="A cloud and a line")
        left.set(xlabel="first coordinate", ylabel="second coordinate")
        above.set(title="Variance along the line, distance to it", ylim=(0, 4.2))
        above.set_ylabel("x squared")
        below.set(title="Log-likelihood of pPCA", xlabel="angle (degrees)", ylim=(-3.7, -2.1))
        below.set_ylabel("nats per point")
        for ax in (above, below):
            ax.set(xlim=(0, 180), xticks=[0, 45, 90, 135, 180])
        (self.dots,) = left.plot([], [], ".", color=COLORS["real"], alpha=0.5)
        self.drops = LineCollection([], colors=COLORS["accent"], linewidths=1)
        left.add_collection(self.drops, autolim=False)
        (self.line,) = left.plot([], [], color=COLORS["critic"], linewidth=3)
        roles = {"kept": "critic", "lost": "accent", "likelihood": "mixture"}
        axes = {"kept": above, "lost": above, "likelihood": below}
        self.curves = {n: axes[n].plot([], [], color=COLORS[r])[0] for n, r in roles.items()}
        self.marks = {
            n: axes[n].plot([], [], "o", color=COLORS[r], markersize=9)[0] for n, r in roles.items()
        }
        plots.label(above, 3, 3.65, "along", "critic", ha="left")
        plots.label(above, 33, 3.65, "distance", "accent", ha="left")
        return [self.drops, self.dots, self.line, *self.curves.values(), *self.marks.values()]

    def update(self, angle, correlation, height):
        covariance = np.array([[1, correlation * height], [correlation * height, height**2]])
        x = self.noise @ np.linalg.cholesky(covariance).T
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        self.dots.set_data(*x.T)
        self.line.set_data(*(6 * np.outer(direction, [-1, 1])))
        projected = np.outer(x[:SHOWN] @ direction, direction)
        self.drops.set_segments(np.stack([x[:SHOWN], projected], 1))
        found = along(covariance, ANGLES)
        for name, values in found.items():
            self.curves[name].set_data(ANGLES, values)
            self.marks[name].set_data([angle], [values[angle]])
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
