"""See a network train: one picture that changes while ``fit`` runs, and its film afterwards."""

import io
from collections.abc import Callable

import ipywidgets as widgets
import keras
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from genlib import plots, validate
from genlib.widgets.live import Live, weakly

_STRIP = 1000  # pixels across the strip of frames that a notebook stores


class TrainingView(keras.callbacks.Callback):
    """Draw a picture at the start of training, after every ``every`` epochs and at the end.

    ``draw(fig, model, epoch, logs)`` draws into an empty ``fig``; ``epoch`` counts those done. The
    notebook stores the last picture, with ``alt``. ``frames`` holds ``(epoch, PNG bytes)``, at most
    ``keep`` (then every second one is dropped), and ``replay()`` shows them under a slider.
    """

    def __init__(self, draw: Callable, every=1, *, alt: str, size=(9.2, 3.8), keep=100):
        super().__init__()
        self.draw, self.every = draw, validate.count("every", every)
        self.keep = validate.count("keep", keep, minimum=2)
        self.alt = plots.check_alt(alt)
        self.frames: list[tuple[int, bytes]] = []
        with plots.style():
            self._fig = Figure(figsize=size, dpi=100, layout="constrained")
            self._canvas = FigureCanvasAgg(self._fig)

    def on_train_begin(self, logs=None):
        self.frames, self._handle = [], None
        self._show(0, logs)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self._show(epoch + 1, logs)

    def on_train_end(self, logs=None):
        done = self.params["epochs"]
        if done % self.every:
            self._show(done, logs)
        self._send(small=True)  # the picture that the notebook will store

    def _show(self, epoch, logs):
        with plots.style():
            self._fig.clear()
            self.draw(self._fig, self.model, epoch, logs or {})
            self._canvas.draw()
        self.frames.append((epoch, self._send()))
        if len(self.frames) > self.keep:
            self.frames = self.frames[:-1:2] + self.frames[-1:]

    def _send(self, small=False) -> bytes:
        png = plots.encode(self._canvas.buffer_rgba(), small)
        data, metadata = plots.bundle(png, self.alt)
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)
        return png

    def replay(self) -> "Replay":
        """Return the film of the training, with a slider; ValueError before any training."""
        return Replay(self.frames, self.alt)


class Replay(Live):
    """Frames ``(epoch, PNG bytes)`` under a slider; a notebook stores four side by side."""

    def __init__(self, frames: list[tuple[int, bytes]], alt: str):
        if not frames:
            raise ValueError("frames must not be empty; run fit with the view as a callback first")
        self.frames, self.alt = list(frames), plots.check_alt(alt)
        self.slider = widgets.SelectionSlider(
            options=[(str(epoch), i) for i, (epoch, _) in enumerate(self.frames)],
            value=len(self.frames) - 1,
            description="after epoch",
            layout={"width": "480px"},
        )
        self.slider.style.description_width = "initial"
        self.image = widgets.Image(value=self.png, format="png", layout={"max_width": "100%"})
        self.slider.observe(weakly(self._slid), "value")
        self._go_live(widgets.VBox([self.slider, self.image]))

    @property
    def png(self) -> bytes:
        """The frame that the slider stands at."""
        return self.frames[self.slider.value][1]

    def _slid(self, _change) -> None:
        self.image.value = self.png

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._bundle(self.strip(), f"From the first frame to the last. {self.alt}")

    def strip(self) -> bytes:
        """Return up to four frames, first to last, as one PNG: the film for a still page."""
        chosen = np.unique(np.linspace(0, len(self.frames) - 1, 4).round().astype(int))
        pictures = [Image.open(io.BytesIO(self.frames[i][1])).convert("RGB") for i in chosen]
        columns = 2 if pictures[0].width > pictures[0].height else len(pictures)
        size = [side * _STRIP // (columns * pictures[0].width) for side in pictures[0].size]
        rows = -(-len(pictures) // columns)
        page = Image.new("RGB", (columns * size[0], rows * size[1]), "white")
        for place, picture in enumerate(pictures):
            corner = (place % columns * size[0], place // columns * size[1])
            page.paste(picture.resize(size, Image.Resampling.LANCZOS), corner)
        return plots.encode(np.asarray(page), small=True)
