"""Live views of a GAN in training: on 2-D points over its critic's surface, and on digits."""

import numpy as np

from genlib import plots
from genlib.widgets.training_view import TrainingView

_EXTENT = (-1.8, 1.8, -1.8, 1.8)  # left, right, low, high


def points_view(points, surface, *, steps, curve="critic_loss", label=None, line=None,
                alt) -> TrainingView:  # fmt: skip
    """Return a callback that draws real and generated points over a surface, and one curve.

    Args:
      points: real points ``(n, 2)``; 400 of them are drawn.
      surface: ``(model, points (n, 2)) -> (n,)``, high where the critic would have the generator
        go; None for a variant without a critic.
      steps: generator steps an epoch, for the titles.
      curve, label, line: a name of the model's logs, its axis's label and a value to mark there.
      alt: what the last picture shows.
    """

    def draw(fig, model, epoch, logs):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.3])
        if surface is not None:
            values = plots.on_grid(lambda xy: surface(model, xy), _EXTENT, 60)[-1]
            middle, reach = np.median(values), np.ptp(values) / 2 or 1.0
            style = {"cmap": plots.BELIEF, "vmin": middle - reach, "vmax": middle + reach}
            left.imshow(values, origin="lower", extent=_EXTENT, interpolation="bilinear", **style)
            left.grid(False)
            left.set_xlabel("ground: samples wanted (blue), too many (orange)", fontsize=9)
        made = model.sample(400, seed=1, averaged=model.ema is not None and epoch > 0)
        for z, role in ((points[:400], "real"), (made, "generated")):
            plots.samples(left, z, role, size=12, alpha=0.9).set(edgecolor="white", linewidth=0.4)
        left.set(xlim=_EXTENT[:2], ylim=_EXTENT[2:], title=f"after {steps * epoch:,} steps")
        values = model.history.history.get(curve, [])
        done = steps * np.arange(1, 1 + len(values))
        right.plot(done, values, color=plots.COLORS["critic"], marker="o", markersize=4)
        if not values:  # no scale yet
            right.set_yticks([])
        if line is not None:
            right.axhline(line, color=plots.COLORS["mixture"], linestyle=":")
        right.set(xlabel="generator step", ylabel=label or curve.replace("_", " "))
        right.set_xlim(0, steps * model.history.params["epochs"])

    return TrainingView(draw, alt=alt)


def digits_view(digits, *, steps, alt, many=60) -> TrainingView:
    """Return a callback that draws real pictures ``(n, h, w, c)`` and as ``many`` generated."""

    def draw(fig, model, epoch, logs):
        fig.get_layout_engine().set(wspace=0.12)
        left, right = fig.subplots(1, 2)
        plots.images(left, digits[:many], columns=10)
        left.set_title("real")
        made = model.sample(many, seed=1, averaged=model.ema is not None and epoch > 0)
        plots.images(right, made, columns=10)
        right.set_title(f"generated, after {steps * epoch:,} steps")

    return TrainingView(draw, alt=alt, size=(9.6, 0.4 + many / 20))
