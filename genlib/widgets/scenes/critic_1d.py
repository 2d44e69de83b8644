"""A critic of two slopes and one kink, and what it makes of two densities: the dual of W1."""

import numpy as np
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, slider


class Critic1D(Scene):
    title = "Shape the critic"
    alt = (
        "Top left: the densities of P, two bells in blue, and of Q, one bell in vermillion between "
        "them. Below: the critic, two straight pieces joined at a kink, in green. Top right: what "
        "the critic collects at each x, inside the outline |F - G|. Below: the total as a bar, "
        "beside the line of W1. Sliders set both slopes and the kink."
    )
    size = (9.4, 5.2)

    def controls(self):
        return {
            "left": slider("slope on the left", -0.4, -1.5, 1.5, 0.1),
            "right": slider("slope on the right", -0.3, -1.5, 1.5, 0.1),
            "kink": slider("kink at x =", -1.5, -4.0, 4.0, 0.1),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-6, 6, 601)
        p, q = pair()
        densities = {"p": p.prob(xs).numpy(), "q": q.prob(xs).numpy()}
        self.gap = p.cdf(xs).numpy() - q.cdf(xs).numpy()
        self.difference = densities["p"] - densities["q"]
        self.w1 = float(divergences.wasserstein(p, q))

        (top, area), (bottom, bars) = fig.subplots(2, 2)
        for ax in (top, area, bottom):
            ax.set(xlim=(-6, 6), xlabel="x")
        top.set(title="P and Q", ylabel="density", ylim=(0, 0.66))
        for (name, ys), (x, y) in zip(densities.items(), ((-2, 0.35), (0.7, 0.51)), strict=True):
            top.plot(xs, ys, color=COLORS[name])
            plots.fill(top, xs, 0, ys, name)
            plots.label(top, x, y, name.upper(), name, fontsize=13)
        bottom.set(title="The critic f", ylabel="f(x)", ylim=(-5, 5))
        return self._moving_parts(bottom, area, bars)

    def _moving_parts(self, bottom, area, bars):
        self.pieces = [bottom.plot([0, 0], [0, 0], linewidth=3)[0] for _ in range(2)]
        area.set(title="What f collects at x", ylabel="−f′(x) (F(x) − G(x))", ylim=(-0.85, 0.85))
        area.axhline(0, color="#8c8c8c", linewidth=1)
        area.plot(self.xs, np.abs(self.gap), color=COLORS["mixture"], linewidth=1.5)
        plots.label(area, 3.0, 0.3, "|F − G|", fontsize=10, ha="left")
        self.gains = plots.fill(area, self.xs, 0, 0, "critic", 0.5)
        self.losses = plots.fill(area, self.xs, 0, 0, "accent", 0.6)
        self.excess = plots.fill(area, self.xs, 0, 0, "highlight", 0.9)
        bars.set(title=r"$E_P\,f - E_Q\,f$", xlabel="value (units of x)", yticks=[], ylim=(-1, 1))
        bars.set_xlim(-1.6 * self.w1, 1.6 * self.w1)
        bars.axvline(0, color="#8c8c8c", linewidth=1)
        mark = bars.axvline(self.w1, color=COLORS["mixture"], linewidth=2)
        plots.label(bars, self.w1, 0.72, " W1", ha="left")
        (self.bar,) = bars.barh([0], [0], height=0.8)
        return [*self.pieces, self.gains, self.losses, self.excess, self.bar, mark]

    def update(self, left, right, kink):
        slopes = np.where(self.xs < kink, left, right)
        critic = slopes * (self.xs - kink)
        collected = -slopes * self.gap
        value = np.trapezoid(critic * self.difference, self.xs)
        for piece, slope, end in zip(self.pieces, (left, right), (-6, 6), strict=True):
            piece.set_data([end, kink], [slope * (end - kink), 0])
            legal = abs(slope) <= 1
            piece.set_color(COLORS["critic" if legal else "highlight"])
            piece.set_linestyle("-" if legal else (0, (2, 1)))
        bound = np.abs(self.gap)
        plots.set_fill(self.gains, self.xs, 0, np.clip(collected, 0, bound))
        plots.set_fill(self.excess, self.xs, bound, np.maximum(collected, bound))
        plots.set_fill(self.losses, self.xs, 0, np.minimum(collected, 0))
        steepest = max(abs(left), abs(right))
        self.bar.set_width(value)
        self.bar.set_color(COLORS["critic" if steepest <= 1 else "highlight"])
        verdict = "yes" if steepest <= 1 else f"no: slope {steepest:.1f} is above 1, it cheats"
        return {"E_P f − E_Q f": value, "W1": self.w1, "allowed": verdict}


def pair():
    """Return P, two bells, and Q, one bell between them; their CDFs cross at x = 0.7."""
    bells = tfd.Normal(np.float64([-2.0, 2.6]), np.float64([0.6, 0.6]))
    p = tfd.MixtureSameFamily(tfd.Categorical(probs=np.float64([0.5, 0.5])), bells)
    return p, tfd.Normal(np.float64(0.7), np.float64(0.8))
