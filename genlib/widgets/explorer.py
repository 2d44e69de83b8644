"""Explorers: sliders over one picture that answers at once.

A new explorer is one class in its lecture's module, ``genlib/lectures/lNN_slug.py``::

    @scene("gaussian")
    class Gaussian(Scene):
        title = "A Gaussian"
        alt = "The density of a Gaussian; sliders move its mean and its scale."
        size = (6.4, 3.6)  # inches, 100 pixels each
        reveals = ({"scale": 0.3},)  # where the answer to its first prompt is seen

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

``update`` must depend on nothing but its arguments and what ``stage`` built, so that the same
controls always give the same picture. At each change only the animated artists are drawn, those of
``genlib.widgets.artists`` or marked by ``moving``: in 0.1 ms a line or shade, 0.2 ms a letter, so
numbers belong in what ``update`` gives. It may also change the limits, scales, labels and titles of
axes: each new set of them draws the still part anew (40 ms or more).
"""

import html
import itertools
import shlex
from collections.abc import Mapping

import ipywidgets as widgets
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from genlib import plots
from genlib.widgets.live import Live, weakly

_MOST_STILLS = 12  # kept for when a slider comes back, 1.4 MB each


def slider(description: str, value, low, high, step) -> widgets.Widget:
    """Return a slider, of whole numbers where all four are ints."""
    whole = all(isinstance(v, int) for v in (value, low, high, step))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    return kind(value=value, min=low, max=high, step=step, description=description)


def log_slider(description: str, value: float, low, high, step, **options) -> widgets.Widget:
    """Return a slider from 10^low to 10^high, as even in the exponent as ``step``."""
    return widgets.FloatLogSlider(
        value=value, min=low, max=high, step=step, description=description, **options
    )


def choice(description: str, options, value=None) -> widgets.ToggleButtons:
    """Return buttons of which one is down, the first unless ``value`` names another."""
    options = list(options)
    value = options[0] if value is None else value
    return widgets.ToggleButtons(options=options, value=value, description=description)


class Scene:
    """What an explorer shows; this module's docstring has a whole one."""

    title: str
    alt: str  # one sentence for those who do not see the picture
    size: tuple[float, float] = (9.2, 3.8)  # inches, 100 pixels each
    #: For each numbered prompt under the explorer: the settings that show its answer, several to
    #: step through, or None. What is left out stands as ``controls`` made it: ``{}`` is the start.
    reveals: tuple[Mapping | tuple[Mapping, ...] | None, ...] = ()

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
    """A scene with its controls, picture, numbers and settings line; ``start`` sets controls.

    Leave it at the end of a cell; it is closed when that is run again, or by ``close``.
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
            scene.stage(self._fig)
        self._stills = {}
        self._lay_out()
        self.set(**start)
        self._start = self.values

    # The picture

    def _refresh(self) -> None:
        """Draw the picture of the controls' values and hand it to the front end."""
        if self._canvas is None:
            raise RuntimeError("this explorer is closed; open it anew")
        with plots.style():
            numbers = self.scene.update(**self.values)
        self._canvas.restore_region(self._still_part())
        parts = itertools.chain(*(part.get_children() for part in (self._fig, *self._fig.axes)))
        for artist in sorted(filter(Artist.get_animated, parts), key=Artist.get_zorder):
            artist.draw(self._canvas.get_renderer())
        self.png = self.image.value = plots.encode(self._canvas.buffer_rgba())
        self._say(numbers)
        self._settings.value = self.settings

    def _still_part(self):
        """The pixels of all that does not move; drawn once for each view of the axes."""
        view = tuple(map(_view, self._fig.axes))
        if view not in self._stills:
            if len(self._stills) == _MOST_STILLS:
                self._stills.pop(next(iter(self._stills)))
            with plots.style():
                self._canvas.draw()  # all but what is animated
                self._fig.set_layout_engine("none")
            self._stills[view] = self._canvas.copy_from_bbox(self._fig.bbox)
        return self._stills[view]

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
        """Set controls by name and draw once; a wrong name or value changes nothing: ValueError."""
        for name, value in values.items():
            _check(name, self._control(name), value)
        before = self.values
        try:
            self._put(values)
        except Exception:
            self._put(before)
            raise

    @property
    def settings(self) -> str:
        """The controls' values as one short line, such as ``mean=1.5 scale=0.5``; assignable."""
        texts = {name: shlex.quote(_to_text(c)) for name, c in self.controls.items()}
        return " ".join(f"{name}={text}" for name, text in texts.items())

    @settings.setter
    def settings(self, line: str) -> None:
        try:
            texts = dict(part.split("=", 1) for part in shlex.split(line))
        except ValueError as error:
            raise ValueError(f"settings must be like {self.settings!r}; got {line!r}") from error
        self.set(**{name: _from_text(name, self._control(name), texts[name]) for name in texts})

    def reset(self) -> None:
        """Put every control back to where it stood when the explorer was made."""
        self.set(**self._start)

    def _control(self, name: str) -> widgets.Widget:
        if name not in self.controls:
            raise ValueError(f"{name!r} is no control; the controls are {', '.join(self.controls)}")
        return self.controls[name]

    def _put(self, values: Mapping) -> None:
        self._quiet = True
        for name, value in values.items():
            self.controls[name].value = value
        self._quiet = False
        self._refresh()

    def _control_moved(self, _change) -> None:
        if not self._quiet:
            self._or_complain(self._refresh)

    def _settings_typed(self, change) -> None:
        if change["new"] != self.settings:
            self._or_complain(lambda: setattr(self, "settings", change["new"]))

    def _reset_clicked(self, _button) -> None:
        self._or_complain(self.reset)

    def _show_clicked(self, button) -> None:
        button.description, state = next(self._shows[button])
        self._or_complain(lambda: self.set(**state))

    def _or_complain(self, action) -> None:
        """Run what the learner asked for; an error is told below the picture, not in a log."""
        try:
            action()
        except Exception as error:
            self.readout = f"{type(error).__name__}: {error}"
            said = f'<span style="color:#B22222">{html.escape(self.readout)}</span>'
            self._numbers.value = _READOUT.format(said)

    # The page

    def _say(self, numbers: Mapping[str, object] | str) -> None:
        if isinstance(numbers, str):
            numbers = {"": numbers}
        pairs = [(name, _number_text(value)) for name, value in numbers.items()]
        self.readout = ", ".join(f"{name} = {text}" if name else text for name, text in pairs)
        spans = (_NUMBER.format(html.escape(name), html.escape(text)) for name, text in pairs)
        self._numbers.value = _READOUT.format(" ".join(spans))

    def _lay_out(self) -> None:
        for control in self.controls.values():
            control.observe(weakly(self._control_moved), "value")
            control.style.description_width = "initial"
            control.layout.margin = "2px 18px 2px 2px"
            if _options(control) is None:
                control.layout.width = "300px"
            elif isinstance(control, widgets.ToggleButtons):
                control.style.button_width = control.layout.width = "auto"
        width, height = (round(100 * inches) for inches in self.scene.size)
        title = widgets.HTML(_TITLE.format(html.escape(self.scene.title), html.escape(self.alt)))
        controls = widgets.HBox(list(self.controls.values()), layout={"flex_flow": "row wrap"})
        # An explicit width and height keep the page from jumping while pictures load.
        fit = {"max_width": "100%", "object_fit": "contain", "height": "auto"}
        self.image = widgets.Image(format="png", width=width, height=height, layout=fit)
        self._numbers = widgets.HTML()
        self._settings = widgets.Text(description="Settings", continuous_update=False)
        self._settings.style.description_width = "initial"
        self._settings.layout.width = "min(640px, 80%)"
        self._settings.observe(weakly(self._settings_typed), "value")
        last = widgets.HBox([self._settings, _button("Reset", "", self._reset_clicked)])
        self._shows = {}
        for number, states in enumerate(self.scene.reveals, 1):
            if states := (states,) if isinstance(states, Mapping) else states:
                many = len(states) > 1
                label = f"Show {number}" + many * f" ({{}}/{len(states)})"
                tip = f"Set the controls to what answer {number} describes"
                tip += many * "; press again for the next"
                steps = [(label.format(i), self.values | s) for i, s in enumerate(states, 1)]
                button = _button(label.format(0), tip, self._show_clicked)
                self._shows[button] = itertools.cycle(steps)
        shows = widgets.HBox(list(self._shows), layout={"flex_flow": "row wrap"})
        self._go_live(widgets.VBox([title, controls, shows, self.image, self._numbers, last]))

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Give a live front end the widget, and any other the picture and its alt text."""
        return self._bundle(self.png, self.alt)

    def __repr__(self) -> str:
        return f"<Explorer {self.scene.title!r}: {self.settings}>" if self.scene else "<closed>"


_READOUT = (
    '<div role="status" aria-live="polite" style="font-size:1.05em;line-height:1.6;'
    'font-variant-numeric:tabular-nums">{}</div>'
)
_NUMBER = '<span style="display:inline-block;margin-right:1.8em">{} <b>{}</b></span>'
_TITLE = (
    '<div style="font-size:1.15em;font-weight:600">{}</div><div style="position:absolute;'
    'width:1px;height:1px;overflow:hidden;clip-path:inset(50%)">{}</div>'
)


def _button(description: str, tooltip: str, pressed) -> widgets.Button:
    button = widgets.Button(description=description, tooltip=tooltip, layout={"width": "auto"})
    button.on_click(weakly(pressed))
    return button


def _view(ax) -> tuple:
    """What ``update`` may change in the still part of the picture."""
    texts = ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel()
    return (*ax.get_xlim(), *ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), *texts)


def _number_text(value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{float(value):.3f}".replace("-", "−").replace("inf", "∞")


def _tidy(value):
    """A slider's 0.30000000000000004 is 0.3."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _options(control) -> dict | None:
    """The accepted values by their text; None for a number between bounds."""
    if hasattr(control, "options"):
        return dict(zip(control._options_labels, control._options_values, strict=True))
    return {"no": False, "yes": True} if isinstance(control.value, bool) else None


def _bounds(control) -> tuple[float, float]:
    if hasattr(control, "base"):  # a logarithmic slider's bounds are exponents
        low, high = control.base**control.min, control.base**control.max
        return min(low, _tidy(low)), max(high, _tidy(high))
    return control.min, control.max


def _check(name: str, control, value) -> None:
    """ValueError unless the control called ``name`` accepts ``value``."""
    if (options := _options(control)) is not None:
        known = [repr(option) for option in options.values()]  # True is not 1
        good, wanted = repr(value) in known, f"one of {', '.join(known)}"
    else:
        low, high = _bounds(control)
        whole = isinstance(control.value, int)
        wanted = f"a {'whole ' * whole}number from {_tidy(float(low)):g} to {_tidy(float(high)):g}"
        try:
            good = low <= value <= high and (not whole or value == int(value))
        except (TypeError, ValueError, OverflowError):
            good = False
    if not good:
        raise ValueError(f"{name} must be {wanted}; got {value!r}")


def _to_text(control) -> str:
    options = _options(control) or {str(_tidy(control.value)): control.value}
    return next(text for text, value in options.items() if value == control.value)


def _from_text(name: str, control, text: str):
    """The value that ``text`` means; what is no number stays text, for `_check` to refuse."""
    if (options := _options(control)) is not None:
        if text not in options:
            raise ValueError(f"{name} must be one of {', '.join(options)}; got {text!r}")
        return options[text]
    try:
        return float(text)
    except ValueError:
        return text
