"""A path of Hamiltonian Monte Carlo in a funnel, and in the coordinates that straighten it."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

CENTRED, NON_CENTRED = "θ: centred", "z = θ / τ: non-centred"
WIDTH = 1.5  # the standard deviation of log tau: Neal's funnel, whose v is 2 log tau
STEPS = 30
DIVERGED = 1000.0  # the energy error at which a sampler gives up, in nats


def log_density(position, form):
    """Return log p of positions ``(..., 2)``, up to a constant: ``(theta or z, log tau)``.

    theta ~ N(0, tau), log tau ~ N(0, 1.5). Neal 2003, "Slice sampling", section 8.
    """
    place, log_tau = position[..., 0], position[..., 1]
    prior = -((log_tau / WIDTH) ** 2) / 2
    if form == NON_CENTRED:
        return prior - place**2 / 2
    return prior - (place * np.exp(-log_tau)) ** 2 / 2 - log_tau


def gradient(position, form):
    """Return the gradient of ``log_density``, ``(..., 2)``."""
    place, log_tau = position[..., 0], position[..., 1]
    if form == NON_CENTRED:
        return np.stack([-place, -log_tau / WIDTH**2], -1)
    precision = np.exp(-2 * log_tau)
    return np.stack([-place * precision, -log_tau / WIDTH**2 + place**2 * precision - 1], -1)


def leapfrog(position, momentum, step, form, steps=STEPS):
    """Return the path's positions ``(k, 2)`` and energy errors ``(k,)``, the start included.

    It ends after ``steps`` steps, or where the error first exceeds ``DIVERGED``.
    """
    energy = momentum @ momentum / 2 - log_density(position, form)
    path, errors = [position], [0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            momentum = momentum + step / 2 * gradient(position, form)
            position = position + step * momentum
            momentum = momentum + step / 2 * gradient(position, form)
            error = momentum @ momentum / 2 - log_density(position, form) - energy
            path.append(position)
            errors.append(error if np.isfinite(error) else np.inf)
            if not abs(error) < DIVERGED:
                break
    return np.array(path), np.array(errors)


class Funnel(Scene):
    title = "Roll a ball through the funnel"
    alt = (
        "Left: a density in the shape of a funnel over theta and log tau, with the path of a "
        "sampler. Middle: the same density and path over z and log tau, where it is round. Right: "
        "the path's energy error against the step on a logarithmic scale, with the line at which "
        "it counts as diverged. Sliders set the step size and the start."
    )
    size = (9.8, 4.0)

    def controls(self):
        return {
            "form": choice("the sampler moves in", [CENTRED, NON_CENTRED]),
            "step": ipywidgets.FloatLogSlider(
                value=0.5, base=10, min=-2, max=0, step=0.1, description="step size",
                readout_format=".2f",
            ),
            "start": slider("start: log τ", 0.5, -4.0, 2.0, 0.25),
        }  # fmt: skip

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.1))
        self.paths = []
        for ax, form, name in ((left, CENTRED, "θ"), (middle, NON_CENTRED, "z")):
            limits = (-8, 8, -5, 4) if form == CENTRED else (-4, 4, -5, 4)
            levels = 10 - np.array([8, 4.5, 2, 0.5]) + (form == CENTRED) * WIDTH**2 / 2

            def lifted(xy, form=form):  # above 0: matplotlib dashes the lines of negative levels
                return 10 + log_density(xy, form)

            plots.contour(ax, lifted, limits, levels, "p", 160)
            ax.set(xlim=limits[:2], ylim=limits[2:], xlabel=name, ylabel="log τ")
            ax.set_title(f"over {name} and log τ")
            self.paths.append(ax.plot([], [], ".-", color=COLORS["q"], linewidth=1.2)[0])
            self.paths.append(ax.plot([], [], "o", color=COLORS["mixture"], markersize=7)[0])
        right.set(yscale="log", ylim=(1e-4, 1e5), xlim=(0, STEPS), xlabel="step of the path")
        right.set(ylabel="energy error, size (nats)", title="Energy error")
        right.axhline(DIVERGED, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 0.5, 1.4 * DIVERGED, "diverged", ha="left", fontsize=10)
        (self.errors,) = right.plot([], [], ".-", color=COLORS["q"])
        return [*self.paths, self.errors]

    def update(self, form, step, start):
        tau = np.exp(start)
        begin = np.array([0.8 * (tau if form == CENTRED else 1.0), start])
        path, errors = leapfrog(begin, np.array([0.6, -1.2]), step, form)
        factor = np.exp(np.clip(path[:, 1], -50, 50))
        theta, z = (path[:, 0], path[:, 0] / factor)
        if form == NON_CENTRED:
            theta, z = path[:, 0] * factor, path[:, 0]
        for i, x in enumerate((theta, z)):
            x, y = np.clip(x, -1e3, 1e3), np.clip(path[:, 1], -1e3, 1e3)
            self.paths[2 * i].set_data(x, y)
            self.paths[2 * i + 1].set_data(x[:1], y[:1])
        self.errors.set_data(np.arange(len(errors)), np.clip(np.abs(errors), 1.2e-4, 8e4))
        diverged = not abs(errors[-1]) < DIVERGED
        return {
            "steps done": f"{len(path) - 1} of {STEPS}",
            "lowest log τ": f"{path[:, 1].min():.1f}",
            "accepted with probability": "0: diverged"
            if diverged
            else f"{np.exp(-max(errors[-1], 0)):.2f}",
            "longest stable step at the start": f"{2 * (tau if form == CENTRED else 1.0):.2f}",
        }
