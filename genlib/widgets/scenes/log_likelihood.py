"""Fit a Gaussian by hand: each observation pulls at the curve, their logs add up to one score."""

import numpy as np
from matplotlib.collections import LineCollection
from tensorflow_probability import distributions as tfd

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

TRUE_MEAN, TRUE_SCALE = 1.0, 1.2
STEMS = 30  # at most so many observations are drawn
BAND = 0.1  # nats between one shade and the next


class LogLikelihood(Scene):
    title = "Fit a Gaussian by hand"
    alt = (
        "Left: a Gaussian density in vermillion over blue observations; from each a stem rises to "
        "the curve, and the likelihood is the product of their heights. Right: the average "
        "log-likelihood as a map over mean and scale, the darker the higher, with a dot for the "
        "sliders and a cross at the maximum. Sliders move mean and scale."
    )
    size = (9.4, 3.9)

    def controls(self):
        return {
            "mean": slider("mean", -1.0, -3.0, 4.0, 0.1),
            "scale": slider("scale", 2.0, 0.1, 3.0, 0.1),
            "n": choice("observations", [1, 5, 30, 1000], 30),
        }

    def stage(self, fig):
        self.left, self.right = fig.subplots(1, 2)
        self.left.set(title="The model and the data", xlabel="x", ylabel="density", xlim=(-5, 6))
        self.left.locator_params(axis="y", nbins=5)
        extent = (-3, 4, 0.1, 3)
        self.right.set(title="Average log-likelihood (darker is better)", xlabel="mean",
                       ylabel="scale", xlim=extent[:2], ylim=extent[2:])  # fmt: skip
        self.right.grid(False)
        self.data = np.random.default_rng(7).normal(TRUE_MEAN, TRUE_SCALE, 1000)
        self.maps = {n: _bands(self.data[:n]) for n in (1, 5, 30, 1000)}
        self.xs = np.linspace(-5, 6, 441)
        self.image = self.right.imshow(
            self.maps[30], cmap="Greys", vmin=-1, vmax=1.3, origin="lower", aspect="auto",
            extent=extent, interpolation="nearest",
        )  # fmt: skip
        (self.curve,) = self.left.plot([], [], color=COLORS["q"])
        self.shade = plots.fill(self.left, self.xs, 0, 0, "q", 0.15)
        self.stems = LineCollection([], colors=COLORS["real"], linewidths=1.2, alpha=0.8)
        self.left.add_collection(self.stems, autolim=False)
        (self.feet,) = self.left.plot(
            [], [], "o", color=COLORS["real"], markersize=5, clip_on=False
        )
        self.dot = self.right.plot([], [], "o", color=COLORS["q"], markersize=9)[0]
        self.cross = self.right.plot(
            [], [], "P", color="white", markeredgecolor="black", markersize=10
        )[0]
        return [
            self.image, self.shade, self.curve, self.stems, self.feet, self.cross, self.dot
        ]  # fmt: skip

    def update(self, mean, scale, n):
        x = self.data[:n]
        model = tfd.Normal(np.float64(mean), np.float64(scale))
        logs = model.log_prob(x).numpy()
        ys = model.prob(self.xs).numpy()
        self.left.set_ylim(0, 0.7 if ys.max() < 0.65 else 1.5 if ys.max() < 1.45 else 4.2)
        self.curve.set_data(self.xs, ys)
        plots.set_fill(self.shade, self.xs, 0, ys)
        heights = np.exp(logs[:STEMS])
        self.stems.set_segments([((at, 0), (at, y)) for at, y in zip(x, heights, strict=False)])
        self.feet.set_data(x[:STEMS], 0 * heights)
        self.image.set_data(self.maps[n])
        self.dot.set_data([mean], [scale])
        self.cross.set_data([x.mean()], [x.std()])
        product = np.exp(logs).astype(np.float32).prod()
        numbers = {
            "product of the densities, in float32": f"{product:.1e}" if product else "0.0",
            "sum of their logs": f"{logs.sum():.1f} nats".replace("-", "−"),
            "average": f"{logs.mean():.3f} nats".replace("-", "−"),
        }
        best = (
            "no maximum: ∞" if n == 1 else f"{-np.log(x.std()) - np.log(2 * np.pi) / 2 - 0.5:.3f}"
        )
        return numbers | {"best average": best.replace("-", "−")}


def _bands(x):
    """Return the average log-likelihood of ``x`` on the map, less its level at a fair fit."""
    means, scales = np.linspace(-3, 4, 281), np.linspace(0.1, 3, 233)[:, None]
    square = ((x - x.mean()) ** 2).mean() + (means - x.mean()) ** 2
    average = -np.log(scales) - square / (2 * scales**2)
    top = min(average.max(), 1.0)
    return np.floor(np.clip(average - top + 1, -1, 1) / BAND) * BAND
