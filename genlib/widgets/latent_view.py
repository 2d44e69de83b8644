"""Explorers of a trained model with latents: give them the model, and show them::

    Explorer(LatentMap(vae.decode, codes, labels))

They are no entries of ``explore``: what they show is what you have trained.
"""

from collections.abc import Callable

import numpy as np

from genlib import plots, validate
from genlib.widgets.artists import curve, dot, moving, panel
from genlib.widgets.explorer import Scene, slider


class LatentMap(Scene):
    """Two latents as a map of codes; sliders move a point on it, and you see what it decodes to.

    Args:
      decode: maps latents ``(n, 2)`` to pictures ``(n, h, w)`` or ``(n, h, w, c)`` in [0, 1].
      codes: ``(n, 2)``, where the encoder puts some examples.
      labels: ``(n,)`` whole numbers; the middle of each class is marked with its number.

    Raises:
      ValueError: codes that are not ``(n, 2)``, or labels of another length.
    """

    title = "Walk over the latents"
    alt = (
        "Left: the codes of pictures as a cloud of dots in the plane of the two latents, each "
        "class with its number at its middle, and a ring where the sliders stand. Right: the "
        "picture that the model decodes from there."
    )
    size = (9.2, 4.4)

    def __init__(self, decode: Callable, codes, labels):
        self.decode = decode
        self.codes = validate.samples("codes", codes).numpy()
        self.labels = np.asarray(labels)
        if self.codes.shape[1] != 2 or self.labels.shape != (len(self.codes),):
            raise ValueError(
                f"codes must have shape (n, 2) and labels (n,); got {self.codes.shape} and "
                f"{self.labels.shape}"
            )

    def controls(self):
        return {name: slider(name, 0.0, -3.0, 3.0, 0.1) for name in ("z1", "z2")}

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        draw_codes(left, self.codes, self.labels)
        self.ring = dot(left, "black", 15, markerfacecolor="none", markeredgewidth=3)
        self.picture = moving(plots.images(right, self.decode(np.zeros((1, 2), np.float32))))
        right.set_title("decoded from the ring")

    def update(self, z1, z2):
        self.ring.move(z1, z2)
        self.picture.set_data(plots.sheet(self.decode(np.float32([[z1, z2]]))))
        nearest = np.argsort(np.sum((self.codes - [z1, z2]) ** 2, 1))[:20]
        found, counts = np.unique(self.labels[nearest], return_counts=True)
        return {
            "the 20 nearest codes": ", ".join(
                f"{count} of class {label}"
                for label, count in sorted(zip(found, counts, strict=True), key=lambda x: -x[1])
            )
        }


def draw_codes(ax, codes, labels) -> None:
    """Scatter 2-D codes ``(n, 2)``, with the number of each class at the middle of its codes."""
    shades = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#595959"])
    order = {label: i for i, label in enumerate(np.unique(labels))}
    colors = shades[np.array([order[label] for label in labels]) % len(shades)]
    ax.scatter(*np.transpose(codes), s=7, color=colors, alpha=0.5, linewidths=0)
    for label, i in order.items():
        middle = np.median(codes[labels == label], 0)
        ring = {"boxstyle": "circle,pad=0.15", "facecolor": "white"}
        ring["edgecolor"] = shades[i % len(shades)]
        text = ax.text(*middle, str(label), ha="center", va="center", color="black", bbox=ring)
        text.set(fontsize=14, fontweight="bold")
    panel(ax, "codes of real pictures", ("z1", -4, 4), ("z2", -4, 4), aspect="equal")


class Interpolation(Scene):
    """Two pictures and the way from one to the other: through the latents, and through pixels.

    Args:
      model: has ``encode(x)``, whose first part is the codes ``(n, d)``, and ``decode(z)``.
      pictures: ``(n, h, w, c)`` in [0, 1], n at least 2: those to choose from.

    Raises:
      ValueError: fewer than two pictures, or pictures of another shape.
    """

    title = "From one picture to another"
    alt = (
        "Two rows of nine pictures that lead from one real picture to another. Upper row: decoded "
        "from points on the straight line between their codes. Lower row: a plain fade between "
        "the pixels. Orange frames mark how far the slider is along."
    )
    size = (9.2, 2.9)
    steps = 9

    def __init__(self, model, pictures):
        self.pictures = np.asarray(pictures, np.float32)
        if self.pictures.ndim != 4 or len(self.pictures) < 2:
            raise ValueError(
                f"pictures must have shape (n, h, w, c), n at least 2; got {self.pictures.shape}"
            )
        self.codes = np.asarray(model.encode(self.pictures)[0])
        self.decode = model.decode

    def controls(self):
        last = len(self.pictures) - 1
        return {
            "first": slider("from picture", 0, 0, last, 1),
            "second": slider("to picture", 1, 0, last, 1),
            "step": slider("step", (self.steps - 1) // 2, 0, self.steps - 1, 1),
        }

    def stage(self, fig):
        axes = fig.subplots(2, 1)
        blank = np.zeros((self.steps, *self.pictures.shape[1:3]), np.float32)
        self.rows = moving([plots.images(ax, blank, columns=self.steps) for ax in axes])
        axes[0].set_title("through the latents")
        axes[1].set_title("through the pixels")
        self.frames = [curve(ax, "highlight", linewidth=3, clip_on=False) for ax in axes]

    def update(self, first, second, step):
        share = np.linspace(0, 1, self.steps, dtype=np.float32)[:, None]
        ends = [first, second]
        codes = np.concatenate([1 - share, share], 1) @ self.codes[ends]
        self.rows[0].set_data(plots.sheet(self.decode(codes), self.steps))
        share = share[:, :, None, None]
        faded = (1 - share) * self.pictures[first] + share * self.pictures[second]
        self.rows[1].set_data(plots.sheet(faded, self.steps))
        height, width = self.pictures.shape[1:3]
        for frame in self.frames:
            corners = np.array([0, width, width, 0, 0]) - 0.5 + step * (width + 1)
            frame.move(corners, np.array([0, 0, height, height, 0]) - 0.5)
        distance = float(np.linalg.norm(self.codes[second] - self.codes[first]))
        there = float(share[step, 0, 0, 0])
        return {"share of the way": f"{there:.0%}", "distance between the codes": distance}
