"""KL between two Gaussians: the densities, and the integrand whose signed area it is."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from genlib import divergences, plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

FORWARD, REVERSE = "KL(P‖Q)", "KL(Q‖P)"
INTEGRANDS = {FORWARD: "p(x) log (p(x) / q(x))", REVERSE: "q(x) log (q(x) / p(x))"}
# Few heights for the right panel: each change redraws the axes.
HEIGHTS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class KL(Scene):
    title = "The Kullback-Leibler divergence of two Gaussians"
    alt = (
        "Left: the densities of two Gaussians, P in blue and Q in vermillion. Right: the integrand "
        "of the Kullback-Leibler divergence; its area above zero less its area below is the "
        "divergence. Sliders move the mean and the scale of both."
    )
    size = (9.4, 3.8)

    def controls(self):
        return {
            "mean_q": slider("mean of Q", 1.5, -4.0, 4.0, 0.1),
            "scale_q": slider("scale of Q", 1.0, 0.3, 3.0, 0.1),
            "mean_p": slider("mean of P", 0.0, -4.0, 4.0, 0.1),
            "scale_p": slider("scale of P", 1.0, 0.3, 3.0, 0.1),
            "direction": choice("integrand of", [FORWARD, REVERSE]),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-10, 10, 601, dtype=np.float32)
        left, right = self.axes = fig.subplots(1, 2)
        left.set(title="Densities", xlabel="x", ylabel="density", xlim=(-8, 8), ylim=(0, 1.6))
        right.set(
            title=INTEGRANDS[FORWARD],
            xlabel="x",
            ylabel="integrand (nats per unit x)",
            xlim=(-8, 8),
            ylim=(-1, 1),
        )
        for ax in self.axes:
            ax.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
        right.axhline(0, color="#8c8c8c", linewidth=1)
        plots.label(right, 0.98, 0.98, "adds", "highlight", ha="right", va="top",
                    transform=right.transAxes)  # fmt: skip
        plots.label(right, 0.98, 0.02, "takes away", "accent", ha="right",
                    transform=right.transAxes)  # fmt: skip
        self.curves, self.shades, self.names = {}, {}, {}
        for name in ("p", "q"):
            (self.curves[name],) = left.plot(xs, 0 * xs, color=COLORS[name], linewidth=2)
            self.shades[name] = plots.fill(left, xs, 0, 0, name)
            self.names[name] = plots.label(left, 0, 0, name.upper(), name, fontsize=13)
        self.above = plots.fill(right, xs, 0, 0, "highlight", 0.6)
        self.below = plots.fill(right, xs, 0, 0, "accent", 0.6)
        (self.line,) = right.plot(xs, 0 * xs, color=COLORS["mixture"], linewidth=2)
        left_moving = [*self.curves.values(), *self.shades.values(), *self.names.values()]
        return [*left_moving, self.above, self.below, self.line]

    def update(self, mean_q, scale_q, mean_p, scale_p, direction):
        parameters = tf.constant([mean_p, scale_p, mean_q, scale_q], tf.float32)
        forward, reverse, entropy, log_p, log_q = (
            value.numpy() for value in _numbers(parameters, self.xs)
        )
        for name, log_density in (("p", log_p), ("q", log_q)):
            ys = np.exp(log_density)
            self.curves[name].set_ydata(ys)
            plots.set_fill(self.shades[name], self.xs, 0, ys)
        peak_p, peak_q = np.exp(log_p).max(), np.exp(log_q).max()
        top = _first_above(max(peak_p, peak_q), (0.5, 1, 2))
        self.axes[0].set_ylim(0, top)
        on_top = abs(mean_p - mean_q) < 0.6 and abs(peak_p - peak_q) < 0.1 * top
        self.names["p"].set_position((mean_p, peak_p + (0.11 if on_top else 0.02) * top))
        self.names["q"].set_position((mean_q, peak_q + 0.02 * top))

        first, second = (log_p, log_q) if direction == FORWARD else (log_q, log_p)
        ys = np.exp(first) * (first - second)
        self.line.set_ydata(ys)
        plots.set_fill(self.above, self.xs, 0, np.maximum(ys, 0))
        plots.set_fill(self.below, self.xs, 0, np.minimum(ys, 0))
        height = _first_above(ys.max(), HEIGHTS)
        self.axes[1].set_ylim(-max(0.5, 0.1 * height), height)
        self.axes[1].set_title(INTEGRANDS[direction])
        numbers = {
            FORWARD: forward,
            REVERSE: reverse,
            "entropy H(P)": entropy,
            "cross-entropy H(P, Q) = H(P) + KL(P‖Q)": entropy + forward,
        }
        return {name: f"{value:.3f} nats" for name, value in numbers.items()}


def _first_above(value, heights):
    return next(height for height in heights if value < 0.85 * height)


@tf.function(input_signature=[tf.TensorSpec([4]), tf.TensorSpec([None])])
def _numbers(parameters, xs):
    """Divergences, entropy and log-densities from ``(mean_p, scale_p, mean_q, scale_q)``."""
    p = tfd.Normal(parameters[0], parameters[1])
    q = tfd.Normal(parameters[2], parameters[3])
    kls = divergences.kl(p, q), divergences.kl(q, p)
    return *kls, p.entropy(), p.log_prob(xs), q.log_prob(xs)
