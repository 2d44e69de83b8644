"""The energy distance and Cramer GAN's surrogate as losses of a generator on the line."""

import numpy as np
from scipy.special import ndtr

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

DATA_SCALE = 0.5  # of the real bell
PLACES = np.linspace(-4, 4, 161)


class CramerSurrogate(Scene):
    title = "Two losses for one generator"
    alt = (
        "Left: the densities of P in blue and Q in vermillion. Middle: the push on a generated "
        "sample at each x, to the right where positive; green by the energy distance, pink by the "
        "surrogate. Right: both losses against the place of Q, less their least values, with dots "
        "at the place chosen and a dotted line at the place of P."
    )
    size = (9.8, 3.7)

    def controls(self):
        return {
            "data": slider("place of P", 2.0, -3.0, 3.0, 0.25),
            "place": slider("place of Q", 0.75, -4.0, 4.0, 0.25),
            "scale": slider("scale of Q", 0.5, 0.1, 1.5, 0.1),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-6, 6, 481)
        left, middle, right = fig.subplots(1, 3)
        left.set(title="P and Q", xlabel="x", ylabel="density", xlim=(-5, 5), ylim=(0, 1.5))
        self.fills = {n: plots.fill(left, xs, 0, 0, n, 0.4) for n in "pq"}
        self.names = {n: plots.label(left, 0, 0, n.upper(), n, fontsize=13) for n in "pq"}
        middle.set(title="Push on a sample at x", xlabel="x", xlim=(-5, 5), ylim=(-4.4, 4.4))
        middle.axhline(0, color="#8c8c8c", linewidth=1)
        self.reach = plots.fill(middle, xs, -4.4, -4.4, "q")
        right.set(title="Loss", xlabel="place of Q", xlim=(-4, 4), ylim=(-0.3, 8))
        self.home = right.axvline(0, color=COLORS["p"], linestyle=":")
        self.lines, self.dots = {}, {}
        for name, role, y in (("energy", "critic", 3.7), ("surrogate", "accent", 2.9)):
            plots.label(middle, -4.8, y, name, role, ha="left", fontsize=10)
            self.lines[name] = [
                middle.plot(xs, 0 * xs, color=COLORS[role])[0],
                right.plot(PLACES, 0 * PLACES, color=COLORS[role])[0],
            ]
            (self.dots[name],) = right.plot([0], [0], "o", color=COLORS[role], markersize=8)
        return [*self.fills.values(), *self.names.values(), self.reach, self.home,
                *self.lines.values(), *self.dots.values()]  # fmt: skip

    def update(self, data, place, scale):
        bells = {"p": (data, DATA_SCALE), "q": (place, scale)}
        for name, (mean, width) in bells.items():
            z = (self.xs - mean) / width
            density = np.exp(-(z**2) / 2) / (width * np.sqrt(2 * np.pi))
            plots.set_fill(self.fills[name], self.xs, 0, density)
            self.names[name].set_position((mean, 1.0 if name == "p" else 0.05))
        plots.set_fill(self.reach, self.xs, -4.4, -4.4 + 2 * density / density.max())
        self.home.set_xdata([data, data])

        pushes = push(self.xs, bells["p"], bells["q"])
        numbers = {}
        for name, curve in losses(PLACES, data, scale).items():
            # What does not depend on the place of Q is left out; the least is drawn at 0.
            here = losses(np.array([place]), data, scale)[name][0] - curve.min()
            self.lines[name][0].set_ydata(pushes[name])
            self.lines[name][1].set_ydata(curve - curve.min())
            self.dots[name].set_data([place], [here])
            numbers[f"mean push, {name}"] = float(
                pushes[name] @ density * (self.xs[1] - self.xs[0])
            )
        return numbers


def push(x, p, q):
    """Return how hard each loss pushes a generated sample at x to the right: ``{name: (n,)}``.

    ``p`` and ``q`` are (mean, scale) of normals. ``d/dx E|x - y| = 2 F(x) - 1`` for y of CDF F.
    """
    to_p, to_q = (2 * ndtr((x - mean) / scale) - 1 for mean, scale in (p, q))
    return {"energy": 2 * to_q - 2 * to_p, "surrogate": 2 * to_q - to_p - np.sign(x)}


def losses(places, data, scale):
    """Return both losses for Q at ``places`` up to terms without the place: ``{name: (n,)}``."""
    across = mean_distance(places - data, np.hypot(scale, DATA_SCALE))
    return {"energy": 2 * across, "surrogate": across + mean_distance(places, scale)}


def mean_distance(mean, scale):
    """Return ``E |N(mean, scale^2)|``."""
    z = mean / scale
    return scale * (2 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) + z * (2 * ndtr(z) - 1))
