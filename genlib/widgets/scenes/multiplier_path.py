"""A line as critic, held to size 1 by a multiplier: the path of Fisher GAN's Lagrangian."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.divergences import witness
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

DOWN, UP = "down, as in the paper", "up"
STEPS, RATE, START = 1000, 0.015, 0.1  # updates, the critic's learning rate, its slope at the start
STEEPEST = 20.0  # where a critic that runs away is stopped
SCALES = 1.0, 0.6  # of P and Q


class MultiplierPath(Scene):
    title = "A critic held to size 1 by a multiplier"
    alt = (
        "Left: the densities of P in blue and Q in vermillion with two straight critics, dashed "
        "the best line of size 1, solid the line after 1,000 updates. Middle: the size Omega "
        "against the updates, with a dotted line at 1. Right: the multiplier against the updates, "
        "with a dotted line at half of F."
    )
    size = (9.8, 3.7)

    def controls(self):
        return {
            "rho": ipywidgets.FloatLogSlider(value=0.1, min=-3, max=0, step=0.25, description="ρ"),
            "distance": slider("distance", 2.0, 0.0, 4.0, 0.25),
            "place": slider("place of both", 0.0, -2.0, 2.0, 0.25),
            "sign": choice("multiplier goes", [DOWN, UP]),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-12, 12, 961)
        steps = np.arange(STEPS + 1)
        left, middle, right = fig.subplots(1, 3)
        left.set(title="P, Q and the critic", xlabel="x", ylabel="f(x)", xlim=(-6, 6), ylim=(-3, 3))
        self.fills = {n: plots.fill(left, xs, -3, -3, n) for n in "pq"}
        self.names = {n: plots.label(left, 0, -2.9, n.upper(), n, fontsize=13) for n in "pq"}
        (self.best,) = left.plot(xs, xs, color=COLORS["critic"], linestyle="--")
        (self.found,) = left.plot(xs, xs, color=COLORS["critic"], linewidth=3)
        middle.set(title="Size of the critic, Ω", xlabel="update", xlim=(0, STEPS), ylim=(0, 9))
        middle.axhline(1, color=COLORS["mixture"], linestyle=":")
        (self.sizes,) = middle.plot(steps, steps, color=COLORS["critic"])
        right.set(title="Multiplier", xlabel="update", xlim=(0, STEPS), ylim=(-5.5, 3.5))
        self.half = right.axhline(1, color=COLORS["mixture"], linestyle=":")
        self.half_name = plots.label(right, 985, 0, "F/2", ha="right")
        (self.multipliers,) = right.plot(steps, steps, color=COLORS["highlight"])
        return [*self.fills.values(), *self.names.values(), self.best, self.found, self.sizes,
                self.half, self.half_name, self.multipliers]  # fmt: skip

    def update(self, rho, distance, place, sign):
        means = place + distance / 2, place - distance / 2
        second_moment = sum(m**2 + s**2 for m, s in zip(means, SCALES, strict=True)) / 2
        slopes, multipliers = path(rho, distance, second_moment, 1 if sign == DOWN else -1)
        sizes = slopes**2 * second_moment
        best = 1 / np.sqrt(second_moment)
        value = best * distance

        densities = {}
        for name, mean, scale in zip("pq", means, SCALES, strict=True):
            z = (self.xs - mean) / scale
            densities[name] = np.exp(-(z**2) / 2) / (scale * np.sqrt(2 * np.pi))
            plots.set_fill(self.fills[name], self.xs, -3, -3 + 3 * densities[name])
            self.names[name].set_x(mean + (0.5 if name == "p" else -0.5))
        self.best.set_ydata(best * self.xs)
        self.found.set_ydata(slopes[-1] * self.xs)
        self.sizes.set_ydata(sizes)
        self.multipliers.set_ydata(multipliers)
        self.half.set_ydata([value / 2] * 2)
        self.half_name.set_y(value / 2 + 0.12)
        any_critic = witness.gap(witness.fisher(self.xs, **densities), self.xs, **densities)
        return {
            "Ω at the end": float(sizes[-1]) if abs(slopes[-1]) < STEEPEST else "runs away",
            "multiplier at the end": f"{multipliers[-1]:,.3f}",
            "F, straight critics": value,
            "F, all critics": float(any_critic),
        }


def path(rho, distance, second_moment, sign):
    """Return slopes and multipliers, each ``(STEPS + 1,)``, of the critic ``f(x) = a x``.

    The critic goes up ``a d + l (1 - Omega) - rho/2 (1 - Omega)^2``, ``Omega = a^2 M``; then the
    multiplier goes down its own gradient (``sign`` 1), or up (-1).
    """
    slopes, multipliers = [START], [0.0]
    a, l = START, 0.0  # noqa: E741
    for _ in range(STEPS):
        missing = 1 - a**2 * second_moment
        uphill = distance - 2 * a * second_moment * (l - rho * missing)
        a = min(max(a + RATE * uphill, -STEEPEST), STEEPEST)
        l -= sign * rho * (1 - a**2 * second_moment)  # noqa: E741
        slopes.append(a)
        multipliers.append(l)
    return np.array(slopes), np.array(multipliers)
