"""A small canvas: the learner draws by mouse or finger, and Python has strokes, picture and points.

    canvas = Canvas({"a bar": [[(0.2, 0.5), (0.8, 0.5)]]}, answer=lambda c: (rows, "what it says"))
    canvas.strokes     # [[(x, y), ...], ...], shares of width and height from the upper left corner
    canvas.picture     # (h, w), 0 paper to 1 ink
    canvas.points      # (n, 2), in the units of ``extent``, y upwards
    canvas.text        # the strokes as one line, assignable: the way to draw without a pointer

One list of strokes is the truth, and the rest is computed from it: in the mode "picture" a stroke
is a line, in "points" each tap is one, and a drag leaves one every few pixels.
"""

import html

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from PIL import Image

from genlib import plots, validate
from genlib.widgets.live import Live, weakly

MODES = ("picture", "points")
SIDE = 280  # pixels, on the page
MOST_POINTS = 5000  # of all strokes together, so that a page stays quick

_SCRIPT = """
function render({ model, el }) {
  const canvas = document.createElement("canvas"), side = model.get("side");
  canvas.width = canvas.height = 2 * side;
  canvas.className = "genlib-canvas";
  canvas.style.cssText = `width:${side}px;height:${side}px;border:1px solid #595959;` +
    "border-radius:4px;touch-action:none;cursor:crosshair;background:white;display:block";
  canvas.setAttribute("role", "img");
  const pen = canvas.getContext("2d");
  let stroke = null;

  const dot = (p) => {
    pen.beginPath();
    pen.arc(p[0] * canvas.width, p[1] * canvas.height, 8, 0, 2 * Math.PI);
    pen.fill();
  };
  const draw = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const points = model.get("mode") === "points";
    pen.strokeStyle = pen.fillStyle = points ? "#0072B2" : "black";
    pen.lineWidth = (canvas.width * model.get("pen")) / 28;
    pen.lineCap = pen.lineJoin = "round";
    for (const line of [...model.get("strokes"), ...(stroke ? [stroke] : [])]) {
      if (points) { line.forEach(dot); continue; }
      pen.beginPath();
      const way = line.map(([x, y]) => [x * canvas.width, y * canvas.height]);
      way.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x, y));
      if (way.length === 1) pen.lineTo(way[0][0], way[0][1] + 0.1);
      pen.stroke();
    }
    canvas.setAttribute("aria-label", model.get("label"));
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      .map((v) => Math.round(1000 * Math.min(1, Math.max(0, v))) / 1000);
  };
  const apart = () => (model.get("mode") === "points" ? 0.03 : 0.008);
  const add = (event) => {
    const p = place(event), last = stroke[stroke.length - 1];
    if (!last || Math.hypot(p[0] - last[0], p[1] - last[1]) >= apart()) stroke.push(p);
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || stroke) return;  // one finger at a time
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke = [];
    add(event);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || !canvas.hasPointerCapture(event.pointerId)) return;
    for (const e of event.getCoalescedEvents?.() ?? [event]) add(e);
    draw();
  });
  const end = (event) => {
    if (!stroke || !canvas.hasPointerCapture(event.pointerId)) return;
    const done = stroke;
    stroke = null;
    model.set("strokes", [...model.get("strokes"), done]);
    model.save_changes();
    draw();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  const names = ["change:strokes", "change:mode", "change:label", "change:pen"];
  names.forEach((name) => model.on(name, draw));
  draw();
  el.appendChild(canvas);
  return () => names.forEach((name) => model.off(name, draw));
}
export default { render };
"""


class Pad(anywidget.AnyWidget):
    """What the browser shows: strokes come from it, and go to it."""

    _esm = _SCRIPT
    strokes = traitlets.List().tag(sync=True)
    mode = traitlets.Enum(MODES, "picture").tag(sync=True)
    side = traitlets.Int(SIDE).tag(sync=True)  # pixels
    pen = traitlets.Float(1.0).tag(sync=True)  # the line's width, in 28ths of the side
    label = traitlets.Unicode().tag(sync=True)  # for those who do not see it


class Canvas(Live, traitlets.HasTraits):
    """A square to draw on; beside it what ``answer`` makes of it, below it presets and one line.

    Args:
      presets: strokes by name, one button each; the first stands there at the start.
      shape: ``(h, w)`` of `picture`.
      mode: "picture" or "points".
      extent: (left, right, low, high), the units of `points`.
      pen: the width of a line, in pixels of a picture 28 wide.
      answer: ``canvas -> (picture, text)``: rows ``(h, w)`` or ``(h, w, 3)`` in [0, 1], 1 is ink
        where they are grey, and a sentence that says the same in words; None for no answer.

    `strokes`, `picture` and `points` may be observed, as all traits; only `strokes` and `mode` are
    to be set. ValueError for what is no list of strokes, or holds a number outside [0, 1] or NaN.
    """

    strokes = traitlets.Any()
    picture = traitlets.Any(read_only=True)
    points = traitlets.Any(read_only=True)

    def __init__(self, presets=None, shape=(28, 28), mode="picture", extent=(-1.8, 1.8, -1.8, 1.8),
                 pen=1.0, answer=None, title="Draw here"):  # fmt: skip
        traitlets.HasTraits.__init__(self)
        self.shape = tuple(validate.count("shape", side) for side in shape)
        self.extent, self.title = tuple(extent), title
        self.pen = validate.positive("pen", pen)
        self.presets = {name: checked(strokes) for name, strokes in (presets or {}).items()}
        self._answer, self.png, self.readout = answer, b"", ""
        self._lay_out(validate.choice("mode", mode, MODES))
        self.strokes = next(iter(self.presets.values()), [])

    # What was drawn

    @traitlets.validate("strokes")
    def _check_strokes(self, proposal):
        return checked(proposal["value"])

    @traitlets.observe("strokes")
    def _strokes_changed(self, _change):
        self._pad.strokes = [[list(point) for point in line] for line in self.strokes]
        self.set_trait("picture", ink(self.strokes, self.shape, self.pen))
        self.set_trait("points", placed(self.strokes, self.extent))
        self._text.value = self.text
        self._show()

    def _trait_equal(self, a, b):
        return a is b

    @property
    def mode(self):
        """What a stroke means: "picture" or "points"."""
        return self._pad.mode

    @mode.setter
    def mode(self, mode):
        self._pad.mode = validate.choice("mode", mode, MODES)
        self._show()

    @property
    def text(self) -> str:
        """The strokes as one line: ``0.2,0.5 0.8,0.5; 0.1,0.1``, a semicolon between two."""
        return "; ".join(" ".join(f"{x:g},{y:g}" for x, y in line) for line in self.strokes)

    @text.setter
    def text(self, line: str):
        try:
            parts = [part.split() for part in line.split(";") if part.strip()]
            self.strokes = [[tuple(map(float, pair.split(","))) for pair in p] for p in parts]
        except ValueError as error:
            wanted = "strokes must be like '0.2,0.5 0.8,0.5; 0.1,0.1', numbers from 0 to 1"
            raise ValueError(f"{wanted}; got {line[:60]!r}") from error

    def clear(self) -> None:
        """Take every stroke away."""
        self.strokes = []

    def undo(self) -> None:
        """Take the last stroke away."""
        self.strokes = self.strokes[:-1]

    # The page

    def _lay_out(self, mode):
        self._pad = Pad(mode=mode, pen=self.pen)
        fit = {"margin": "0 0 0 24px", "max_width": "100%", "object_fit": "contain"}
        self._image = widgets.Image(format="png", height=SIDE, layout=fit)
        self._said = widgets.HTML()
        self._text = widgets.Text(description="Strokes", continuous_update=False)
        self._text.layout.width = "min(640px, 90%)"
        self._text.style.description_width = "initial"
        self._buttons = {}
        for name in ("Undo", "Clear", *self.presets):
            button = widgets.Button(description=name, layout={"width": "auto"})
            button.on_click(weakly(self._pressed))
            self._buttons[name] = button
        self._pad.observe(weakly(self._drawn), "strokes")
        self._text.observe(weakly(self._typed), "value")
        title = html.escape(self.title)
        title = widgets.HTML(f'<div style="font-size:1.15em;font-weight:600">{title}</div>')
        row = widgets.HBox(list(self._buttons.values()), layout={"flex_flow": "row wrap"})
        both = [self._pad, self._image] if self._answer else [self._pad]
        pictures = widgets.HBox(both, layout={"flex_flow": "row wrap"})
        self._go_live(widgets.VBox([title, row, pictures, self._said, self._text]))

    def _pressed(self, button):
        if button.description == "Undo":
            self.undo()
        elif button.description == "Clear":
            self.clear()
        else:
            self.strokes = self.presets[button.description]

    def _drawn(self, change):
        if change["new"] != [[list(point) for point in line] for line in self.strokes]:
            self._or_complain(lambda: setattr(self, "strokes", change["new"]))

    def _typed(self, change):
        if change["new"] != self.text:
            self._or_complain(lambda: setattr(self, "text", change["new"]))

    def _or_complain(self, action):
        try:
            action()
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}", "#B22222")

    def _show(self):
        """Say what was drawn, and let ``answer`` answer."""
        n = sum(map(len, self.strokes))
        drawn = f"strokes: {len(self.strokes)}, ink on {self.picture.mean():.0%} of the paper"
        drawn = f"points: {n}" if self.mode == "points" else drawn
        self._pad.label = f"{self.title}. {drawn}"
        rows, said = None, drawn
        if self._answer:
            rows, said = self._answer(self)
            said = f"{drawn}. {said}"
            self._image.value = plots.encode(_enlarged(rows))
        self.alt = said
        gap = np.full((SIDE, 12, 4), 221, np.uint8)
        both = [_enlarged(self.picture)] + ([] if rows is None else [gap, _enlarged(rows)])
        self.png = plots.encode(np.concatenate(both, 1))
        self._say(said)

    def _say(self, text, color="inherit"):
        self.readout = text
        self._said.value = _SAID.format(color, html.escape(text))

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Give a live front end the widget, and any other the drawing beside its answer."""
        data, metadata = self._bundle(self.png, f"{self.title}: {self.alt}")
        if self._free.alive:  # in Colab, anywidget says where its part of the page comes from
            _, needed = self._pad._repr_mimebundle_()
            metadata |= needed
        return data, metadata


_SAID = '<div role="status" aria-live="polite" style="color:{}">{}</div>'


def checked(strokes) -> list[list[tuple[float, float]]]:
    """``strokes`` as lists of pairs; ValueError unless pairs of numbers in [0, 1], not too many."""
    wanted = "strokes must be a list of lists of pairs (x, y) of numbers from 0 to 1"
    try:
        lines = [[(float(x), float(y)) for x, y in line] for line in strokes]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted}; got {str(strokes)[:60]}") from error
    flat = np.array([value for line in lines for point in line for value in point])
    if not ((flat >= 0) & (flat <= 1)).all():  # NaN too
        raise ValueError(f"{wanted}; got {flat[~((flat >= 0) & (flat <= 1))][0]}")
    if len(flat) > 2 * MOST_POINTS:
        raise ValueError(f"strokes must have at most {MOST_POINTS} points; got {len(flat) // 2}")
    return [line for line in lines if line]


def ink(strokes, shape, width=1.0) -> np.ndarray:
    """Draw ``strokes`` with a pen ``width`` pixels wide: ``(h, w)`` float32, 0 paper to 1 ink.

    A pixel's ink falls to 0 over one pixel at a line's edge, by its distance to the line.
    """
    h, w = shape
    picture, reach, paths = np.zeros((h, w), np.float32), int(np.ceil(width / 2 + 0.5)), []
    for line in strokes:
        corners = np.reshape(np.asarray(line, float), (-1, 2)) * (w, h)
        along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
        steps = np.linspace(0, along[-1], int(4 * along[-1]) + 1)  # a point each quarter of a pixel
        paths.append(np.stack([np.interp(steps, along, corners[:, axis]) for axis in (0, 1)], 1))
    if paths:
        path = np.concatenate(paths)[:, None]
        shifts = np.array(list(np.ndindex(2 * reach + 1, 2 * reach + 1))) - reach
        pixel = np.floor(path).astype(int) + shifts
        far = np.linalg.norm(path - pixel - 0.5, axis=-1)
        inside = ((pixel >= 0) & (pixel < (w, h))).all(-1)
        column, row = pixel[inside].T
        np.maximum.at(picture, (row, column), np.clip((width + 1) / 2 - far[inside], 0, 1))
    return picture


def placed(strokes, extent) -> np.ndarray:
    """All points of ``strokes`` in the units of ``extent``, y upwards: float32 ``(n, 2)``."""
    left, right, low, high = extent
    xy = np.array([point for line in strokes for point in line], np.float32).reshape(-1, 2)
    return np.float32([left, high]) + xy * np.float32([right - left, low - high])


def _enlarged(rows):
    """``rows`` as pixels ``(280, w, 4)``, uint8; grey ones with 1 for ink."""
    rows = np.clip(np.asarray(rows, np.float32), 0, 1)
    rows = rows[..., 0] if rows.ndim == 3 and rows.shape[-1] == 1 else rows
    rows = np.stack([1 - rows] * 3, -1) if rows.ndim == 2 else rows
    picture, size = Image.fromarray(np.uint8(np.round(255 * rows))), (rows.shape[1], rows.shape[0])
    size = round(SIDE * size[0] / size[1]), SIDE
    return np.asarray(picture.resize(size, Image.Resampling.NEAREST).convert("RGBA"))
