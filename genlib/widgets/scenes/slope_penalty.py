"""Two Diracs and a linear critic that pays for a slope other than 1: WGAN-GP, solved exactly."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider

FARTHEST = 3.0
STEEPEST = 6.0


class SlopePenalty(Scene):
    title = "What the gradient penalty lets a critic do"
    alt = (
        "Left: the real point at 0 in blue, the generated one at a distance in vermillion, and "
        "through them the critic, a straight line in green; the dashed line has slope 1. Middle: "
        "what a critic scores against its slope, dashed without the penalty and solid with it, "
        "with a dot at the best slope. Right: the pull on the generated point, which is the best "
        "slope, rises in a straight line with the distance; a dotted line marks 1."
    )
    size = (9.8, 3.7)

    def controls(self):
        return {
            "weight": ipywidgets.FloatLogSlider(
                value=1.0, min=-1, max=1, step=0.1, description="lambda"
            ),
            "distance": slider("distance t", 1.5, 0.0, FARTHEST, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        self.xs = np.array([-1.0, 4.0])
        left.set(title="The best critic", xlabel="x", ylabel="f(x)", xlim=(-1, 4), ylim=(-6, 3))
        left.plot(self.xs, -self.xs, "--", color=COLORS["mixture"], linewidth=1.5)
        plots.label(left, 3.9, -2.4, "slope 1", ha="right", fontsize=10)
        (self.critic,) = left.plot(self.xs, self.xs, color=COLORS["critic"], linewidth=3)
        left.plot([0], [0], "o", color=COLORS["real"], markersize=11)
        plots.label(left, 0.15, 0.3, "real", "real", ha="left")
        (self.generated,) = left.plot([0], [0], "o", color=COLORS["generated"], markersize=11)

        self.slopes = np.linspace(0, STEEPEST, 241)
        middle.set(title="What it scores", xlabel="slope of f", ylabel="objective",
                   xlim=(0, STEEPEST), ylim=(-6, 8))  # fmt: skip
        (self.gap,) = middle.plot(self.slopes, self.slopes, "--", color=COLORS["mixture"])
        (self.objective,) = middle.plot(self.slopes, self.slopes, color=COLORS["critic"])
        (self.top,) = middle.plot([0], [0], "o", color=COLORS["critic"], markersize=9)
        plots.label(middle, 0.03, 0.11, "dashed: no penalty", ha="left",
                    fontsize=10, transform=middle.transAxes)  # fmt: skip
        plots.label(middle, 0.03, 0.03, "with the penalty", "critic", ha="left",
                    fontsize=10, transform=middle.transAxes)  # fmt: skip

        right.set(title="The pull it gives", xlabel="distance t", ylabel="best slope",
                  xlim=(0, FARTHEST), ylim=(0, STEEPEST))  # fmt: skip
        right.axhline(1, color=COLORS["mixture"], linestyle=":")
        plots.label(right, 2.95, 0.92, "the critic of W1", ha="right", va="top", fontsize=10)
        self.distances = np.array([0.0, FARTHEST])
        (self.pull,) = right.plot(self.distances, self.distances, color=COLORS["critic"])
        (self.here,) = right.plot([0], [0], "o", color=COLORS["generated"], markersize=9)
        return [self.critic, self.generated, self.gap, self.objective, self.top, self.pull,
                self.here]  # fmt: skip

    def update(self, weight, distance):
        best = 1 + distance / (2 * weight)
        value = distance * best - weight * (best - 1) ** 2
        self.critic.set_ydata(-best * self.xs)
        self.generated.set_data([distance], [-best * distance])
        self.gap.set_ydata(distance * self.slopes)
        self.objective.set_ydata(distance * self.slopes - weight * (self.slopes - 1) ** 2)
        self.top.set_data([best], [value])
        self.pull.set_ydata(1 + self.distances / (2 * weight))
        self.here.set_data([distance], [best])
        return {
            "best slope, 1 + t / 2λ": best,
            "gap of the scores": distance * best,
            "objective, t + t² / 4λ": value,
            "W1 = t": float(distance),
        }
