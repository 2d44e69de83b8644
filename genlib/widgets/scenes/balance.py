"""BEGAN's balance as a game of two numbers: the mean errors of real and of generated samples."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

STEPS = 600


class Balance(Scene):
    title = "The balance of two errors"
    alt = (
        "Left: two errors against time, of real samples in blue and of generated ones in "
        "vermillion, with gamma times the former dotted. Right: the weight k, in green, between 0 "
        "and 1. Sliders set gamma, the rate of k and how strong the generator is."
    )
    size = (9.4, 3.8)

    def controls(self):
        return {
            "gamma": slider("gamma", 0.5, 0.1, 1.0, 0.05),
            "rate": ipywidgets.FloatLogSlider(
                value=0.1, min=-3, max=0, step=0.1, description="rate of k"
            ),
            "strength": slider("strength of the generator", 1.0, 0.2, 4.0, 0.2),
        }

    def stage(self, fig):
        self.time = np.arange(STEPS)
        left, right = fig.subplots(1, 2)
        left.set(title="Mean errors", xlabel="step", ylabel="error", xlim=(0, STEPS), ylim=(0, 1.6))
        (self.real,) = left.plot(self.time, 0 * self.time, color=COLORS["real"])
        (self.fake,) = left.plot(self.time, 0 * self.time, color=COLORS["generated"])
        (self.goal,) = left.plot(self.time, 0 * self.time, color=COLORS["mixture"], linestyle=":")
        for place, text, role in ((0.97, "real", "real"), (0.88, "generated", "generated"),
                                  (0.79, "gamma x real", "mixture")):  # fmt: skip
            plots.label(left, 0.98, place, text, role, ha="right", va="top",
                        transform=left.transAxes)  # fmt: skip
        right.set(title="The weight k", xlabel="step", ylabel="k", xlim=(0, STEPS),
                  ylim=(-0.05, 1.05))  # fmt: skip
        (self.weight,) = right.plot(self.time, 0 * self.time, color=COLORS["critic"])
        return [self.real, self.fake, self.goal, self.weight]

    def update(self, gamma, rate, strength):
        real, fake, k = simulate(gamma, rate, strength)
        self.real.set_ydata(real)
        self.fake.set_ydata(fake)
        self.goal.set_ydata(gamma * real)
        self.weight.set_ydata(k)
        stuck = "at 0" if k[-100:].max() < 1e-3 else "at 1" if k[-100:].min() > 0.999 else "no"
        return {
            "generated / real": fake[-100:].mean() / real[-100:].mean(),
            "gamma": gamma,
            "k": k[-1],
            "is k stuck?": stuck,
        }


def simulate(gamma, rate, strength):
    """Return the errors on real and generated samples and k, each (600,).

    A caricature: the critic lowers the real error towards 0.2, less so the more it also has to
    raise the generated one, which it raises in proportion to k; the generator lowers its own.
    """
    real, fake, k = np.empty((3, STEPS))
    r, f, weight = 1.0, 1.5, 0.0
    for i in range(STEPS):
        real[i], fake[i], k[i] = r, f, weight
        r += 0.02 * (0.2 + 0.3 * weight - r)
        f += 0.02 * (weight - strength * f)
        weight = min(max(weight + rate * (gamma * r - f), 0.0), 1.0)
    return real, fake, k
