"""The live lab: GANs on points of the plane, trained before your eyes and steered meanwhile.

``genlib.widgets.lab(variant="gan", data="ring")`` opens one. The numbers, and all that trains, are
`genlib.lab`'s; here are the controls, the picture, and the loop that plays. It plays on the
kernel's own event loop, a picture at a time, so that controls answer in between; no thread.
"""

import asyncio
import html
import shlex
import time

import contourpy
import ipywidgets as widgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import expit

from genlib import lab as engine
from genlib import plots, validate
from genlib.gans import REGISTRY
from genlib.widgets.artists import curve, dot, image, key, moving, panel, words
from genlib.widgets.canvas import Canvas
from genlib.widgets.explorer import choice, log_slider, slider
from genlib.widgets.live import Live, weakly

DRAWN = "drawn"
EXTENT = (-1.8, 1.8, -1.8, 1.8)  # of the canvas
JUDGED_EVERY = 1.0  # seconds of play between two judgements, which take a tenth of one
ARROWS = 50
BOTH, FIRST, SECOND = "both", "A", "B"

#: The pictures to start drawing from: strokes in shares of the canvas.
_TURN = 2 * np.pi * np.arange(24) / 24
PRESETS = {
    "two bars": [[(x, 0.2 + 0.05 * i) for i in range(13)] for x in (0.3, 0.7)],
    "a circle": [[(0.5 + 0.3 * np.cos(t), 0.5 + 0.3 * np.sin(t)) for t in _TURN]],
    "a cross": [
        [(0.2 + 0.05 * i, 0.5) for i in range(13)],
        [(0.5, 0.2 + 0.05 * i) for i in range(13)],
    ],
    "five dots": [[p] for p in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.5), (0.2, 0.8), (0.8, 0.8))],
}


class GANLab(Live):
    """One run or two, A and B, in step; their controls, picture, numbers and settings line.

    ``settings``: those of `genlib.lab.Run`. ``play(n)`` trains for n pictures, or until `pause`;
    ``step(n)`` for n generator steps, at once; ``set(...)``, ``branch(...)``, ``seek(step)``.
    """

    cut_short = False  # whether a lab was closed while it played

    def __init__(self, **settings):
        GANLab.cut_short = False
        self.canvas = None
        self.runs = [engine.Run(**settings)]
        self.judged = [[]]  # for each run: (step, scores, the critic's error)
        self.playing, self._task, self._quiet, self._closed = False, None, False, False
        self.pictures, self.readout, self.status = 0, "", "paused"
        self._start = dict(self.runs[0].settings)
        self._stage_key = None
        self._lay_out()
        self._show_settings()
        self._refresh(judge=True)
        if GANLab.cut_short:  # by `_lay_out`: the lab that this cell had made before
            self._tell("paused; the lab that played in this cell before was stopped")
        GANLab.cut_short = False

    # What a learner does

    def set(self, who=None, **settings) -> None:
        """Change settings of the runs that ``who`` names ("A", "B", "both"; default: the button's).

        ValueError leaves everything as it was.
        """
        who = validate.choice("who", self._who.value if who is None else who, (BOTH, FIRST, SECOND))
        chosen = {BOTH: self.runs, FIRST: self.runs[:1], SECOND: self.runs[-1:]}[who]
        before = [(run.settings, list(run.frames), run.at) for run in chosen]
        try:
            for run in chosen:
                run.set(**settings)
        except Exception:
            for run, (held, frames, at) in zip(chosen, before, strict=True):
                run.settings, run.frames, run.at = held, frames, at
            raise
        for i, run in enumerate(self.runs):
            if run in chosen and ({*settings} & {"data", *engine.FRESH}):
                self.judged[i] = []
        self._show_settings()
        if not self.playing:
            self._refresh(judge=True)

    def step(self, steps: int) -> None:
        """Train each run for ``steps`` generator steps, and draw."""
        steps = validate.count("steps", steps)
        whole, rest = divmod(steps, engine.SLICE)
        for run in self.runs:
            fine = not whole or run.advance(whole)
            for _ in range(rest if fine else 0):
                run.advance(1, steps=1)
        self._refresh(judge=True)

    def play(self, pictures: float = float("inf")) -> None:
        """Train and draw, ``pictures`` times; RuntimeError where no event loop runs."""
        self._alive()
        if self.playing:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("play needs a notebook's event loop; step(n) needs none") from None
        self.playing = True
        self._tell("playing")
        self._task = loop.create_task(self._play(pictures))

    def pause(self, why: str = "paused") -> None:
        """Stop after the picture that is being made, and judge what stands."""
        was, self.playing = self.playing, False
        self._tell(why)
        if was and not self._closed:
            self._refresh(judge=True)

    def branch(self, **settings) -> None:
        """Start run B from where A stands, with the same past, and ``settings`` of its own."""
        other = self.runs[0].branch(**settings)
        self.runs = [self.runs[0], other]
        self.judged = [self.judged[0], list(self.judged[0])]
        self._who.value = SECOND
        self._show_settings()
        self._refresh(judge=True)

    def drop(self) -> None:
        """Go on with A alone."""
        self.runs, self.judged = self.runs[:1], self.judged[:1]
        self._who.value = BOTH
        self._show_settings()
        self._refresh()

    def seek(self, step: int) -> None:
        """Go back, or on, to the last kept frames at or before generator step ``step``."""
        step = validate.count("step", step, 0)
        for run in self.runs:
            run.seek(max(i for i, frame in enumerate(run.frames) if frame.step <= step))
        self._show_settings()
        self._refresh(judge=not self.playing)

    def reset(self) -> None:
        """Start A anew with the settings that stand; B goes."""
        self.runs, self.judged = self.runs[:1], [[]]
        self.runs[0].reset()
        self._who.value = BOTH
        self._show_settings()
        self._refresh(judge=True)

    def close(self) -> None:
        """Stop playing and take the lab off the page."""
        self._closed, GANLab.cut_short = True, self.playing
        self.pause("stopped: the lab was closed, or its cell was run again")
        super().close()

    def _alive(self):
        if self._closed:
            raise RuntimeError("this lab is closed; open it anew")

    @property
    def settings(self) -> str:
        """All settings as one line, B's after a bar, such as ``variant=gan ... | momentum=0.9``."""
        first = self.runs[0].settings
        lines = [_line(first, self._text_of(first))]
        if len(self.runs) == 2:
            second = self.runs[1].settings
            other = {n: v for n, v in second.items() if first.get(n, "") != v}
            lines.append(_line(other, self._text_of(second)))
        return " | ".join(lines)

    @settings.setter
    def settings(self, line: str) -> None:
        lines = [self._parsed(part) for part in line.split(" | ")]
        self.set(who=FIRST, **lines[0])
        if len(lines) > 1:
            self.branch(**lines[1])

    def _text_of(self, settings):
        return None if isinstance(settings["data"], str) else self.canvas.text

    def _parsed(self, line):
        try:
            found = dict(part.split("=", 1) for part in shlex.split(line))
        except ValueError as error:
            raise ValueError(
                f"settings must be like 'variant=gan data=ring r1=0.1'; got {line[:60]!r}"
            ) from error
        found = {n: engine.read_value(v) if n != "data" else v for n, v in found.items()}
        if "," in str(found.get("data", "")):
            self._pad().text = found["data"]
            found["data"] = self._drawn()
        return found

    # The loop

    async def _play(self, pictures):
        began, last = time.perf_counter(), 0.0
        self.pictures = 0
        try:
            while self.playing and self.pictures < pictures:
                fine = [run.advance(self._speed.value) for run in self.runs]
                now = time.perf_counter()
                judge = now - last > JUDGED_EVERY
                last = now if judge else last
                self._refresh(judge=judge)
                self.pictures += 1
                if not all(fine):
                    self.pause(next(run.trouble for run in self.runs if run.trouble))
                    return
                took = time.perf_counter() - began
                self._tell(f"playing, {self.pictures / took:.1f} pictures a second")
                await asyncio.sleep(0.01)  # here, and only here, controls are heard
            if self.playing:
                self.pause()
        except Exception as error:
            self.pause(f"stopped: {type(error).__name__}: {error}")

    # The picture

    def _refresh(self, judge=False) -> None:
        if self._closed:
            return
        if judge:
            for run, judged in zip(self.runs, self.judged, strict=True):
                while judged and judged[-1][0] >= run.step:
                    judged.pop()
                judged.append((run.step, run.judge(), run.critic_error()))
                del judged[1 : max(1, len(judged) - 2000)]
        pieces = [(run.data.name, run.data.half) for run in self.runs]
        if pieces != self._stage_key:
            self._picture = Picture([run.data for run in self.runs])
            self._stage_key = pieces
        self.png = self._image.value = self._picture.draw(self.runs, self.judged)
        width, height = self._picture.size
        if (self._image.width, self._image.height) != (str(width), str(height)):
            self._image.width, self._image.height = str(width), str(height)
        self._numbers.value, self.readout = self._table()
        self.alt = (
            f"{self._picture.alt} {self.runs[0].settings['variant']} on "
            f"{self.runs[0].data.name} after {self.runs[0].step} steps. {self.readout}"
        )
        self._quiet = True
        frames = self.runs[0].frames
        self._time.max = max(frames[-1].step, 1)
        self._time.value = self.runs[0].step
        self._settings.value = self.settings
        self._quiet = False

    def _table(self):
        """The scores as HTML and as text: each beside its null level."""
        rows, said = [], []
        for name, judged in zip("AB", self.judged, strict=False):
            if not judged:
                continue
            step, scores, error = judged[-1]
            label = f"{name}, step {step:,}" if len(self.runs) == 2 else f"step {step:,}"
            cells = [f"{n} <b>{_number(s.value)}</b> ({_span(s)})" for n, s in scores.items()]
            if error is not None:
                cells.append(f"critic's error, mean |D − D*| <b>{error:.3f}</b>")
            rows.append(f"<b>{label}</b>: " + ", ".join(cells))
            plain = [f"{n} {_number(s.value)} ({_span(s)})" for n, s in scores.items()]
            said.append(f"{label}: " + ", ".join(plain))
        notes = ["in brackets: what nine draws of true samples score"]
        if self.runs[0].settings["variant"] in engine.RATIO:
            notes.append(
                "black contour: where p = q, so where the best critic cannot tell; the generated "
                f"samples' density is estimated, and that alone is off by "
                f"{self.runs[0].data.ratio_error:.2f} nats on true samples"
            )
        if len(self.runs) == 2:
            notes.append(self._difference())
        style = "font-size:0.95em;font-variant-numeric:tabular-nums;line-height:1.5"
        small = f'<div style="color:#595959;font-size:0.9em">{html.escape("; ".join(notes))}.</div>'
        return f'<div style="{style}">{"<br>".join(rows)}</div>{small}', "; ".join(said)

    def _difference(self) -> str:
        a, b = (run.settings for run in self.runs)
        names = [n for n in {**a, **b} if str(a.get(n)) != str(b.get(n))]
        found = ", ".join(f"{n} {_short(a.get(n))} in A, {_short(b.get(n))} in B" for n in names)
        return f"A and B differ in: {found}" if names else "A and B have the same settings"

    # The page

    def _lay_out(self):
        toys = [*engine.data_names(), DRAWN]
        self.controls = {
            "variant": widgets.Dropdown(options=list(REGISTRY), description="variant"),
            "data": widgets.Dropdown(options=toys, description="data"),
            "frozen": choice("frozen", engine.FROZEN),
            "generator_rate": log_slider("generator's rate", 1e-3, -5, -1, 0.05),
            "critic_rate": log_slider("critic's rate", 1e-3, -5, -1, 0.05),
            "momentum": slider("momentum", 0.5, 0.0, 0.95, 0.05),
            "r1": slider("R1", 0.0, 0.0, 2.0, 0.05),
            "critic_steps": slider("critic steps", 1, 1, 10, 1),
            "batch_size": widgets.Dropdown(options=[32, 64, 128, 256, 512], description="batch"),
            "width": widgets.Dropdown(options=[16, 32, 64, 128, 256], description="width"),
            "latent_dim": slider("latent size", 2, 1, 16, 1),
            "seed": slider("seed", 0, 0, 20, 1),
            "optimizer": widgets.Dropdown(options=["adam", "rmsprop"], description="optimizer"),
        }
        for name, control in self.controls.items():
            control.name = name
            control.style.description_width = "initial"
            wide = isinstance(control, widgets.FloatSlider | widgets.FloatLogSlider)
            wide = wide or isinstance(control, widgets.IntSlider)
            control.layout.width = "270px" if wide else "auto"
            control.layout.margin = "2px 14px 2px 2px"
            if isinstance(control, widgets.ToggleButtons):
                control.style.button_width = "auto"
            if name in ("critic_steps", "latent_dim", "seed"):  # each a new graph, or a new run
                control.continuous_update = False
            control.observe(weakly(self._moved), "value")
        self._own = widgets.HBox(layout={"flex_flow": "row wrap"})
        buttons = {
            "play": ("Play", "Train and draw until you press Pause"),
            "1": ("1 step", "One generator step, and the critic's before it"),
            "10": ("10", "Ten generator steps"),
            "100": ("100", "A hundred generator steps"),
            "branch": ("Branch", "Start a second run, B, from this moment"),
            "drop": ("Drop B", "Go on with A alone"),
            "reset": ("Reset", "Start anew with these settings"),
        }
        self.buttons = {}
        for name, (text, tip) in buttons.items():
            button = widgets.Button(description=text, tooltip=tip, layout={"width": "auto"})
            button.name = name
            button.on_click(weakly(self._pressed))
            self.buttons[name] = button
        self._speed = slider("slices a picture", 2, 1, 20, 1)
        self._who = choice("settings go to", [BOTH, FIRST, SECOND])
        self._who.style.button_width = "auto"
        self._who.observe(weakly(self._turned), "value")
        self._time = slider("back to step", 0, 0, 1, 1)
        self._time.layout.width = "min(640px, 90%)"
        self._time.observe(weakly(self._scrubbed), "value")
        for part in (self._speed, self._who, self._time):
            part.style.description_width = "initial"
        fit = {"max_width": "100%", "object_fit": "contain", "height": "auto"}
        self._image = widgets.Image(format="png", layout=fit)
        self._numbers, self._said = widgets.HTML(), widgets.HTML()
        self._settings = widgets.Text(description="Settings", continuous_update=False)
        self._settings.style.description_width = "initial"
        self._settings.layout.width = "min(840px, 95%)"
        self._settings.observe(weakly(self._typed), "value")
        self._drawing = widgets.VBox()
        wrap = {"flex_flow": "row wrap"}
        self._go_live(
            widgets.VBox([
                widgets.HTML('<div style="font-size:1.15em;font-weight:600">The live lab</div>'),
                widgets.HBox(list(self.controls.values()), layout=wrap),
                self._own,
                widgets.HBox([*self.buttons.values(), self._speed, self._who], layout=wrap),
                self._drawing,
                self._said,
                self._image,
                self._time,
                self._numbers,
                self._settings,
            ])
        )  # fmt: skip
        self._tell("paused")

    def _show_settings(self):
        """Put the controls where the chosen run's settings stand."""
        run = self.runs[-1] if self._who.value == SECOND else self.runs[0]
        self._quiet = True
        for name, control in self.controls.items():
            value = run.settings[name]
            value = DRAWN if name == "data" and not isinstance(value, str) else value
            if hasattr(control, "options") and value not in control.options:
                control.options = [*control.options, value]
            if hasattr(control, "max") and not hasattr(control, "base"):
                control.max = max(control.max, value)
            control.value = value
        own = engine.own_settings(run.settings["variant"])
        if [text.name for text in self._own.children] != list(own):
            for text in self._own.children:
                text.close()
            texts = []
            for name in own:
                text = widgets.Text(description=name, continuous_update=False)
                text.name, text.style.description_width = name, "initial"
                text.layout.width = "250px"
                text.observe(weakly(self._moved), "value")
                texts.append(text)
            self._own.children = texts
        for text in self._own.children:
            text.value = str(run.settings[text.name])
        self.buttons["drop"].disabled = self._who.disabled = len(self.runs) == 1
        self._quiet = False

    def _moved(self, change):
        if self._quiet:
            return
        name, value = change["owner"].name, change["new"]
        if name not in self.controls:
            value = engine.read_value(value)
        if name == "data" and value == DRAWN:
            value = self._drawn()
        if name in ("variant", "critic_steps", "width", "batch_size", "optimizer"):
            self._tell("compiling ...")
        self._or_complain(lambda: self.set(**{name: value}))

    def _drawn(self):
        """The canvas's points: it opens the first time."""
        return tuple(map(tuple, self._pad().points.tolist()))

    def _pad(self):
        if self.canvas is None:
            self.canvas = Canvas(PRESETS, mode="points", extent=EXTENT, title="Draw your data")
            self.canvas.observe(weakly(self._redrawn), "points")
            self._drawing.children = [self.canvas.widget]
        return self.canvas

    def _redrawn(self, _change):
        if not self._quiet and not isinstance(self.runs[0].settings["data"], str):
            self._or_complain(lambda: self.set(data=self._drawn()))

    def _pressed(self, button):
        acts = {
            "play": self.pause if self.playing else self.play,
            "1": lambda: self.step(1),
            "10": lambda: self.step(10),
            "100": lambda: self.step(100),
            "branch": self.branch,
            "drop": self.drop,
            "reset": self.reset,
        }
        self._or_complain(acts[button.name])

    def _turned(self, _change):
        if not self._quiet:
            self._show_settings()

    def _scrubbed(self, change):
        if not self._quiet:
            self.pause()
            self._or_complain(lambda: self.seek(change["new"]))

    def _typed(self, change):
        if not self._quiet and change["new"] != self.settings:
            self._or_complain(lambda: setattr(self, "settings", change["new"]))

    def _or_complain(self, action):
        try:
            action()
            trouble = [run.trouble for run in self.runs if run.trouble]
            self._tell(trouble[0] if trouble else "playing" if self.playing else "paused")
        except Exception as error:
            self._show_settings()
            self._tell(f"{type(error).__name__}: {error}")

    def _tell(self, text):
        """Say how the lab stands, where a screen reader hears it too."""
        self.status = text
        if self._closed:
            return
        self.buttons["play"].description = "Pause" if self.playing else "Play"
        bad = not text.startswith(("paused", "compiling", "playing"))
        color = "#B22222" if bad else "inherit"
        live = "off" if text.startswith("playing,") else "polite"
        self._said.value = (
            f'<div role="status" aria-live="{live}" style="color:{color}">{html.escape(text)}</div>'
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Give a live front end the widget, and any other the picture and its alt text."""
        return self._bundle(self.png, self.alt)

    def __repr__(self) -> str:
        return "<closed>" if self._closed else f"<GANLab: {self.settings}>"


class Picture:
    """One square a run, points over its critic's surface; beside them losses and the JSD."""

    def __init__(self, data):
        many, self.data = len(data), data
        inches = (8.6, 4.0) if many == 1 else (11.8, 4.0)
        self.size = [round(100 * side) for side in inches]
        self.alt = (
            "Real points in blue and generated points in vermillion over the critic's surface, "
            "blue where it would have samples go, with arrows; beside it the losses, and the JSD "
            "over a band of what true samples score."
        )
        with plots.style():
            self.fig = Figure(figsize=inches, dpi=100, layout="constrained")
            self.canvas = FigureCanvasAgg(self.fig)
            grid = self.fig.add_gridspec(2, many + 1, width_ratios=[1.0] * many + [0.95])
            self.squares = [
                self._square(grid, i, data[i], "AB"[i] * (many > 1)) for i in range(many)
            ]
            self.right = self.fig.add_subplot(grid[0, -1]), self.fig.add_subplot(grid[1, -1])
            panel(self.right[0], "Losses, a dot a slice", "", "")
            panel(self.right[1], "JSD (nats)", "generator step", "", yscale="log")
            self.right[1].set_ylim(1e-3, 1)
            for ax in self.right:
                ax.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
            styles = ("-", "--")[:many]
            self.losses = [
                [
                    curve(self.right[0], role, linestyle=s, linewidth=1)
                    for role in ("critic", "generated")
                ]
                for s in styles
            ]
            self.jsd = [curve(self.right[1], "mixture", linestyle=s) for s in styles]
            low, high = data[0].null["JSD"]
            self.right[1].axhspan(low, high, color=plots.COLORS["real"], alpha=0.25, linewidth=0)
            key(self.right[0], 0.02, 0.98, {"critic's": "critic", "generator's": "generated"}, 0.13)
            names = {"band: true samples": "real"}
            names |= {"A solid, B dashed": "mixture"} if many == 2 else {}
            key(self.right[1], 0.02, 0.02, dict(reversed(names.items())), -0.13, fontsize=9)
        self.span, self.loss_span, self.still = 0, (0.0, 0.0), None

    def _square(self, grid, column, data, name):
        ax, half = self.fig.add_subplot(grid[:, column]), data.half
        title = f"{name}  {data.name}".strip()
        panel(ax, title, ("", -half, half), ("", -half, half), aspect="equal")
        ax.grid(False)
        extent = (-half, half, -half, half)
        heat = image(ax, extent, cmap=plots.BELIEF, vmin=0, vmax=1, interpolation="bilinear")
        ax.set_aspect("equal")
        line = moving(LineCollection([], colors="black", linewidths=1.2))
        ax.add_collection(line, autolim=False)
        real = dot(ax, "real", 3.5, markeredgewidth=0)
        made = dot(ax, "generated", 3.5, markeredgewidth=0)
        arrows = moving(
            ax.quiver(*np.zeros((4, ARROWS)), color="#404040", angles="xy", scale_units="xy",
                      scale=1, width=0.004, zorder=3)
        )  # fmt: skip
        said = words(ax, "black", "", ha="left", va="top", fontsize=10)
        real.move(*np.asarray(data.pool[:300]).T)
        return ax, heat, line, made, arrows, said

    def draw(self, runs, judged) -> bytes:
        """The picture of where the runs stand, as PNG."""
        with plots.style():
            for run, parts in zip(runs, self.squares, strict=True):
                self._move_square(run, *parts)
            self._move_curves(runs, judged)
            if self.still is None:
                self.canvas.draw()
                self.fig.set_layout_engine("none")
                self.still = self.canvas.copy_from_bbox(self.fig.bbox)
            self.canvas.restore_region(self.still)
            renderer = self.canvas.get_renderer()
            for ax in self.fig.axes:
                artists = [a for a in ax.get_children() if a.get_animated()]
                for artist in sorted(artists, key=lambda a: a.get_zorder()):
                    artist.draw(renderer)
        return plots.encode(self.canvas.buffer_rgba())

    def _move_square(self, run, ax, heat, line, made, arrows, said):
        points, values, push = run.look()
        half, side = run.data.half, run.data.side
        finite = np.nan_to_num(points, nan=9 * half, posinf=9 * half, neginf=-9 * half)
        made.move(*finite.T)
        if run.settings["variant"] == "gan":
            heat.set_data(expit(values))
        else:
            middle, reach = np.median(values), np.ptp(values) / 2 or 1.0
            heat.set_data(0.5 + (values - middle) / (2 * reach))
        lengths = np.linalg.norm(push[:ARROWS], axis=1)
        longest = np.quantile(lengths, 0.9) or 1.0
        scaled = push[:ARROWS] * (0.15 * half / longest)
        scaled *= np.minimum(1, 0.3 * half / np.maximum(np.linalg.norm(scaled, axis=1), 1e-9))[
            :, None
        ]
        arrows.set_offsets(finite[:ARROWS])
        arrows.set_UVC(*np.nan_to_num(scaled).T)
        ratio = run.log_ratio()
        lines = []
        if ratio is not None:
            masked = np.ma.masked_invalid(ratio)
            lines = contourpy.contour_generator(side, side, masked).lines(0.0)
        line.set_segments(lines)
        said.move(-0.96 * half, 0.96 * half, f"step {run.step:,}")

    def _move_curves(self, runs, judged):
        last = max(run.frames[-1].step for run in runs)
        if last > self.span or last < self.span / 4:
            self.span = max(100, 2 ** int(np.ceil(np.log2(max(last, 1) / 100))) * 100)
            for ax in self.right:
                ax.set_xlim(0, self.span)
            self.still = None
        low, high = [], []
        for run, lines in zip(runs, self.losses, strict=True):
            for line, name in zip(lines, ("critic_loss", "generator_loss"), strict=True):
                rows = [(f.step, f.losses[name]) for f in run.frames if name in f.losses]
                rows = np.array(rows).reshape(-1, 2)
                line.move(*rows.T)
                if len(rows):
                    low.append(np.quantile(rows[:, 1], 0.02))
                    high.append(np.quantile(rows[:, 1], 0.98))
        if low:
            low, high = min(low), max(high)
            least, most = self.loss_span
            wide = (most - least) > 6 * (high - low + 1e-3)
            if low < least or high > most - 0.35 * (most - least) or wide:  # room for the key
                room = 0.4 * (high - low) + 1e-3
                self.loss_span = low - room, high + 2 * room
                self.right[0].set_ylim(*self.loss_span)
                self.still = None
        for rows, line in zip(judged, self.jsd, strict=True):
            steps = [step for step, *_ in rows]
            line.move(steps, [max(scores["JSD"].value, 1e-3) for _, scores, _ in rows])


def _line(settings, strokes):
    texts = {n: strokes if n == "data" and strokes else str(v) for n, v in settings.items()}
    texts = {n: text.replace(", ", ",") if n != "data" else text for n, text in texts.items()}
    return " ".join(f"{name}={shlex.quote(text)}" for name, text in texts.items())


def _short(value):
    text = str(value)
    return "none" if value is None else text if len(text) < 30 else DRAWN


def _number(value) -> str:
    if isinstance(value, int):
        return str(value)
    return "∞" if np.isinf(value) else f"{value:.3f}"


def _span(score) -> str:
    low, high = _number(score.low), _number(score.high)
    return low if low == high else f"{low} to {high}"
