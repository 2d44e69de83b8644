"""Explorers: sliders over one picture that answers at once.

A new explorer is one class in its lecture's module, ``genlib/lectures/lNN_slug.py``::

    @scene("gaussian")
    class Gaussian(Scene):
        title = "A Gaussian"
        alt = "The density of a Gaussian; sliders move its mean and its scale."
        size = (6.4, 3.6)  # inches, 100 pixels each

        def controls(self):
            return {
                "mean": slider("mean", 0.0, -3.0, 3.0, 0.1),
                "scale": slider("scale", 1.0, 0.3, 3.0, 0.1),
            }

        def stage(self, fig):  # once: what stands still, and the artists that will move
            ax = panel(fig.subplots(), "", ("x", -6, 6), ("density", 0, 1.4))
            self.q = density(ax, "q", "Q")

        def update(self, mean, scale):  # at each change: move them, and return the numbers
            xs = np.linspace(-6, 6, 400)
            self.q.move(xs, normal(xs, mean, scale))
            self.q.name.move(mean, normal(0, 0, scale))
            return {"entropy": f"{0.5 + np.log(scale * np.sqrt(2 * np.pi)):.3f} nats"}

``update`` must depend on nothing but its arguments and what ``stage`` built, so that no later cell
can break it and the same controls always give the same picture. The still part of the picture is
drawn once and kept; at each change only the animated artists are drawn over it: those of
``genlib.widgets.artists``, born so, or marked by ``moving``. ``update`` may also change the limits,
the scales, the labels and the title of axes: then the still part is drawn anew (40 ms or more), so
let these take few values; those that were seen before are kept. A moving line or shade costs about
0.1 ms, a moving text 0.2 ms a letter: numbers belong in what ``update`` gives.
"""

import html
import itertools
import math
import shlex
from collections.abc import Iterator, Mapping

import ipywidgets as widgets
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from genlib import plots, validate
from genlib.widgets.artists import moving
from genlib.widgets.live import Live, weakly

_MOST_POINTS = 128  # what a grid is thinned to
_MOST_STILLS = 12  # kept for when a slider comes back, 1.4 MB each


def slider(description: str, value, low, high, step) -> widgets.Widget:
    """Return a slider; an IntSlider where all four numbers are ints."""
    kind = (
        widgets.IntSlider
        if all(isinstance(v, int) for v in (value, low, high, step))
        else widgets.FloatSlider
    )
    return kind(value=value, min=low, max=high, step=step, description=description)


def log_slider(description: str, value: float, low, high, step, **options) -> widgets.Widget:
    """Return a slider from 10^low to 10^high, as even in the exponent as ``step``."""
    bounds = {"base": 10, "min": low, "max": high, "step": step}
    return widgets.FloatLogSlider(value=value, description=description, **bounds, **options)


def choice(description: str, options, value=None) -> widgets.ToggleButtons:
    """Return buttons of which one is down, the first unless ``value`` names another."""
    options = list(options)
    return widgets.ToggleButtons(
        options=options, value=options[0] if value is None else value, description=description
    )


class Scene:
    """What an explorer shows; subclass it (see this module's docstring for a whole one)."""

    title: str
    alt: str  # one sentence for those who do not see the picture
    size: tuple[float, float] = (9.2, 3.8)  # inches, 100 pixels each

    def controls(self) -> dict[str, widgets.Widget]:
        """Return the controls by name: sliders, buttons, dropdowns, checkboxes."""
        raise NotImplementedError

    def stage(self, fig: Figure) -> None:
        """Draw everything once; what ``update`` moves must be animated (see ``artists``)."""
        raise NotImplementedError

    def update(self, **values) -> Mapping[str, object] | str:
        """Move the artists; return the numbers to print below, as name -> number or text."""
        raise NotImplementedError


class Explorer(Live):
    """A scene with its controls, its picture, its numbers and its settings line.

    Show it by leaving it at the end of a cell. ``start`` sets controls by name. It is closed when
    its cell is run again, or by ``close``.
    """

    def __init__(self, scene: Scene, **start):
        self.scene = scene
        self.alt = plots.check_alt(scene.alt)
        self.controls = scene.controls()
        self._quiet = False
        with plots.style():
            # The layout is found at the first drawing and then held: it costs more than all else.
            self._fig = Figure(figsize=scene.size, dpi=100, layout="constrained")
            self._fig.get_layout_engine().set(w_pad=0.12)  # room for tick labels that grow
            self._canvas = FigureCanvasAgg(self._fig)
            moving(scene.stage(self._fig) or ())
        self._stills = {}
        self._lay_out()
        for name, control in self.controls.items():
            control.observe(weakly(self._control_moved), "value")
            _says(control)  # an unknown kind of control fails here, not at a touch
            if not control.description:
                raise ValueError(f"the control {name!r} must have a description")
        self._check(start)
        self._put(start)
        self._start = self.values
        self._refresh()

    # The picture

    def _refresh(self) -> None:
        """Draw the picture of the controls' values and hand it to the front end."""
        if self._canvas is None:
            raise RuntimeError("this explorer is closed; open it anew")
        with plots.style():
            numbers = self.scene.update(**self.values)
        self._canvas.restore_region(self._still_part())
        self._draw_moving()
        self.png = plots.encode(self._canvas.buffer_rgba())
        self.image.value = self.png
        self._say(numbers)
        self._quiet, quiet = True, self._quiet
        self._settings.value = self.settings
        self._quiet = quiet

    def _still_part(self):
        """Return the pixels of all that does not move; drawn once for each view of the axes."""
        view = tuple(map(_view, self._fig.axes))
        if view not in self._stills:
            if len(self._stills) == _MOST_STILLS:
                self._stills.pop(next(iter(self._stills)))
            with plots.style():
                self._canvas.draw()  # all but what is animated
                self._fig.set_layout_engine("none")
            self._stills[view] = self._canvas.copy_from_bbox(self._fig.bbox)
        return self._stills[view]

    def _draw_moving(self) -> None:
        renderer = self._canvas.get_renderer()
        parts = itertools.chain(*(part.get_children() for part in (self._fig, *self._fig.axes)))
        for artist in sorted(filter(Artist.get_animated, parts), key=Artist.get_zorder):
            artist.draw(renderer)

    def redraw(self) -> None:
        """Draw all of it anew, the still part too; the same controls give the same bytes."""
        self._stills.clear()
        self._refresh()

    def close(self) -> None:
        """Take the explorer off the page and free its memory; RuntimeError if set afterwards."""
        super().close()
        self.scene = self._fig = self._canvas = None
        self._stills.clear()

    # The controls

    @property
    def values(self) -> dict:
        """The controls' values by name."""
        return {name: _tidy(control.value) for name, control in self.controls.items()}

    def set(self, **values) -> None:
        """Set controls by name and draw once.

        Raises ValueError for a name or a value that is not accepted; then nothing changes.
        """
        self._check(values)
        before = self.values
        self._put(values)
        try:
            self._refresh()
        except Exception:
            self._put(before)
            self._refresh()
            raise

    @property
    def settings(self) -> str:
        """The controls' values as one short line, such as ``mean=1.5 scale=0.5``; assignable."""
        return " ".join(
            f"{name}={shlex.quote(_to_text(control))}" for name, control in self.controls.items()
        )

    @settings.setter
    def settings(self, line: str) -> None:
        try:
            parts = [part.partition("=") for part in shlex.split(line)]
        except ValueError as error:
            raise ValueError(f"settings must be like {self.settings!r}; got {line!r}") from error
        values = {}
        for name, equals, text in parts:
            if not equals:
                raise ValueError(f"settings must be like {self.settings!r}; got {line!r}")
            self._check_name(name)
            values[name] = _from_text(name, self.controls[name], text)
        self.set(**values)

    def reset(self) -> None:
        """Put every control back to where it stood when the explorer was made."""
        self.set(**self._start)

    def grid(self, points: int = 5) -> Iterator[dict]:
        """Iterate over values of all controls: for a slider ``points`` of them, ends included.

        A grid of more than 128 points is made with fewer a slider, then thinned evenly.
        """
        validate.count("points", points, minimum=2)
        for per_slider in range(points, 1, -1):
            levels = [_levels(control, per_slider) for control in self.controls.values()]
            size = math.prod(map(len, levels))
            if size <= _MOST_POINTS:
                break
        keep = {i * (size - 1) // (_MOST_POINTS - 1) for i in range(_MOST_POINTS)}
        for i, combination in enumerate(itertools.product(*levels)):
            if size <= _MOST_POINTS or i in keep:
                yield dict(zip(self.controls, combination, strict=True))

    def _check_name(self, name: str) -> None:
        if name not in self.controls:
            raise ValueError(f"{name!r} is no control; the controls are {', '.join(self.controls)}")

    def _check(self, values: Mapping) -> None:
        for name, value in values.items():
            self._check_name(name)
            control = self.controls[name]
            if not _accepts(control, value):
                raise ValueError(f"{name} must be {_says(control)}; got {value!r}")

    def _put(self, values: Mapping) -> None:
        """Set the controls without drawing."""
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._quiet = False

    def _control_moved(self, _change) -> None:
        if not self._quiet:
            self._or_complain(self._refresh)

    def _settings_typed(self, change) -> None:
        if not self._quiet:
            self._or_complain(lambda: setattr(self, "settings", change["new"]))

    def _reset_clicked(self, _button) -> None:
        self._or_complain(self.reset)

    def _or_complain(self, action) -> None:
        """Run what the learner asked for; an error is told below the picture, not in a log."""
        try:
            action()
        except Exception as error:
            self.readout = f"{type(error).__name__}: {error}"
            self._numbers.value = _READOUT.format(
                f'<span style="color:#B22222">{html.escape(self.readout)}</span>'
            )

    # The page

    def _say(self, numbers: Mapping[str, object] | str) -> None:
        if isinstance(numbers, str):
            numbers = {"": numbers}
        pairs = [(name, _number_text(value)) for name, value in numbers.items()]
        self.readout = ", ".join(f"{name} = {text}" if name else text for name, text in pairs)
        spans = (
            '<span style="display:inline-block;margin-right:1.8em">'
            f"{html.escape(name)} <b>{html.escape(text)}</b></span>"
            for name, text in pairs
        )
        self._numbers.value = _READOUT.format(" ".join(spans))

    def _lay_out(self) -> None:
        for control in self.controls.values():
            control.style.description_width = "initial"
            control.layout.margin = "2px 18px 2px 2px"
            if control.has_trait("continuous_update"):
                control.continuous_update = True
            if _options(control) is None:
                control.layout.width = "300px"
            elif isinstance(control, widgets.ToggleButtons):
                control.style.button_width = control.layout.width = "auto"
        width, height = (round(100 * inches) for inches in self.scene.size)
        title = widgets.HTML(
            f'<div style="font-size:1.15em;font-weight:600">{html.escape(self.scene.title)}</div>'
            f'<div style="{_HIDDEN}">{html.escape(self.alt)}</div>'
        )
        controls = widgets.HBox(
            list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap")
        )
        # An explicit width and height keep the page from jumping while pictures load.
        self.image = widgets.Image(format="png", width=width, height=height)
        self.image.layout.max_width = "100%"
        self.image.layout.object_fit = "contain"
        self.image.layout.height = "auto"
        self._numbers = widgets.HTML()
        self._settings = widgets.Text(description="Settings", continuous_update=False)
        self._settings.style.description_width = "initial"
        self._settings.layout.width = "min(640px, 80%)"
        self._settings.observe(weakly(self._settings_typed), "value")
        reset = widgets.Button(description="Reset", layout=widgets.Layout(width="auto"))
        reset.on_click(weakly(self._reset_clicked))
        last = widgets.HBox([self._settings, reset])
        self._go_live(widgets.VBox([title, controls, self.image, self._numbers, last]))

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Give a live front end the widget, and any other the picture and its alt text."""
        return self._bundle(self.png, self.alt)

    def __repr__(self) -> str:
        return f"<Explorer {self.scene.title!r}: {self.settings}>" if self.scene else "<closed>"


_READOUT = (
    '<div role="status" aria-live="polite" style="font-size:1.05em;line-height:1.6;'
    'font-variant-numeric:tabular-nums">{}</div>'
)
_HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


def _view(ax) -> tuple:
    """What ``update`` may change in the still part of the picture."""
    texts = ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel()
    return (*ax.get_xlim(), *ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), *texts)


def _number_text(value) -> str:
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{float(value):.3f}".replace("-", "−")


# A control has either options by name, or a number between bounds.


def _tidy(value):
    """A slider's 0.30000000000000004 is 0.3."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _options(control) -> dict | None:
    """The accepted values by their text, whichever of the allowed forms the options have."""
    if hasattr(control, "options"):
        return dict(zip(control._options_labels, control._options_values, strict=True))
    return {"no": False, "yes": True} if isinstance(control.value, bool) else None


def _bounds(control) -> tuple[float, float]:
    if hasattr(control, "base"):  # a logarithmic slider's bounds are exponents
        return control.base**control.min, control.base**control.max
    return control.min, control.max


def _same(value, known) -> bool:
    return type(value) is type(known) and value == known  # True is not 1


def _accepts(control, value) -> bool:
    options = _options(control)
    if options is not None:
        return any(_same(value, known) for known in options.values())
    whole = isinstance(control.value, int)
    try:
        low, high = _bounds(control)
        return low <= value <= high and (not whole or value == int(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _says(control) -> str:
    options = _options(control)
    if options is not None:
        return "one of " + ", ".join(map(repr, options.values()))
    low, high = _bounds(control)
    whole = "whole number" if isinstance(control.value, int) else "number"
    return f"a {whole} from {_tidy(float(low)):g} to {_tidy(float(high)):g}"


def _to_text(control) -> str:
    options = _options(control)
    if options is None:
        return str(_tidy(control.value))
    return next(text for text, known in options.items() if _same(control.value, known))


def _from_text(name: str, control, text: str):
    options = _options(control)
    accepted = _says(control) if options is None else f"one of {', '.join(options)}"
    try:
        if options is not None:
            return options[text]
        return (int if isinstance(control.value, int) else float)(text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{name} must be {accepted}; got {text!r}") from error


def _levels(control, points: int) -> list:
    options = _options(control)
    if options is not None:
        return list(options.values())
    low, high = control.min, control.max
    levels = (low + (high - low) * i / (points - 1) for i in range(points))
    if isinstance(control.value, int):
        return sorted({round(level) for level in levels})
    if hasattr(control, "base"):
        levels = (control.base**level for level in levels)
    return [min(max(_tidy(level), _bounds(control)[0]), _bounds(control)[1]) for level in levels]
