"""Two densities, their kernel mean embeddings, and the witness: the gap between the embeddings."""

import ipywidgets
import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

BELL, TWO_BELLS = "one bell", "two bells"
GAUSSIAN, LINEAR = "Gaussian", "linear, x · y"
XS = np.linspace(-9, 9, 721)


class Embedding(Scene):
    title = "Two densities as two functions"
    alt = (
        "Left: the densities P in blue and Q in vermillion. Middle: their kernel mean embeddings, "
        "smoother, in the same colours. Right: the witness, the difference of the embeddings, in "
        "green. Sliders move Q, set its width and the kernel's bandwidth."
    )
    size = (9.8, 3.9)

    def controls(self):
        return {
            "shape": choice("Q is", [BELL, TWO_BELLS], TWO_BELLS),
            "shift": slider("mean of Q", 0.0, -3.0, 3.0, 0.1),
            "scale": slider("scale of Q", 1.0, 0.4, 2.0, 0.1),
            "bandwidth": ipywidgets.FloatLogSlider(
                value=0.5, base=10, min=-1, max=1, step=0.05, description="bandwidth",
                readout_format=".2f",
            ),
            "kernel": choice("kernel", [GAUSSIAN, LINEAR]),
        }  # fmt: skip

    def stage(self, fig):
        self.axes = fig.subplots(1, 3)
        titles = ("Densities", "Mean embeddings", "Witness = their gap")
        for ax, title, high in zip(self.axes, titles, (0.85, 1.05, 0.6), strict=True):
            ax.set(xlim=(-5, 5), ylim=(0, high), xlabel="x", title=title)
        self.axes[0].set_ylabel("density")
        self.axes[1].set_xlabel("t")
        self.axes[2].set(ylim=(-0.6, 0.6), xlabel="t")
        self.axes[2].axhline(0, color="#8c8c8c", linewidth=1)
        self.lines = [ax.plot(XS, 0 * XS, color=COLORS[c])[0] for ax in self.axes[:2] for c in "pq"]
        self.shades = [plots.fill(self.axes[0], XS, 0, 0, c, 0.15) for c in "pq"]
        (self.witness,) = self.axes[2].plot(XS, 0 * XS, color=COLORS["critic"])
        self.area = plots.fill(self.axes[2], XS, 0, 0, "critic", 0.25)
        plots.label(self.axes[0], -4.8, 0.78, "P", "p", ha="left", fontsize=13)
        plots.label(self.axes[0], -4.8, 0.71, "Q", "q", ha="left", fontsize=13)
        return [*self.lines, *self.shades, self.witness, self.area]

    def update(self, shape, shift, scale, bandwidth, kernel):
        # The components of Q, with mean ``shift`` and standard deviation ``scale`` in both shapes.
        apart = 0.9 * scale if shape == TWO_BELLS else 0.0
        parts = {
            "p": ([0.0], 1.0),
            "q": ([shift - apart, shift + apart], np.sqrt(scale**2 - apart**2)),
        }
        densities, embeddings = {}, {}
        for name, (means, width) in parts.items():
            densities[name] = _bells(XS, means, width)
            if kernel == LINEAR:
                embeddings[name] = XS * np.mean(means)
            else:
                wide = np.hypot(bandwidth, width)  # a Gaussian, blurred by a Gaussian
                embeddings[name] = bandwidth * np.sqrt(2 * np.pi) * _bells(XS, means, wide)
        for line, ys in zip(self.lines, [*densities.values(), *embeddings.values()], strict=True):
            line.set_ydata(ys)
        for shade, ys in zip(self.shades, densities.values(), strict=True):
            plots.set_fill(shade, XS, 0, ys)
        witness = embeddings["p"] - embeddings["q"]
        self.witness.set_ydata(witness)
        plots.set_fill(self.area, XS, 0, witness)
        tall = kernel == LINEAR
        self.axes[1].set_ylim(*((-4, 4) if tall else (0, 1.05)))
        self.axes[2].set_ylim(*((-8, 8) if tall else (-0.6, 0.6)))
        on_p, on_q = (np.trapezoid(densities[name] * witness, XS) for name in "pq")
        squared = max(on_p - on_q, 0.0)
        return {
            "mean of the witness on P": on_p,
            "on Q": on_q,
            "MMD² (the difference)": f"{squared:.4f}",
            "MMD": f"{np.sqrt(squared):.3f}",
        }


def _bells(x, means, width):
    """The equal mixture of Gaussians of one width, at ``x``."""
    z = (x[:, None] - np.asarray(means)) / width
    return np.exp(-(z**2) / 2).mean(1) / (width * np.sqrt(2 * np.pi))
