"""Every explorer over its whole grid, with no browser."""

import base64
import gc
import importlib
import io
import itertools
import math
import textwrap
import weakref

import ipywidgets
import keras
import numpy as np
import pytest
import scipy.stats
from jupyter_client.manager import start_new_kernel
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

import course
import verify
from genlib import plots, widgets
from genlib.lectures.l21_vae_images import LatentMap
from genlib.widgets import SCENES, Explorer, Scene, TrainingView, choice, explore, live, slider
from genlib.widgets import explorer as explorer_module
from genlib.widgets import training_view as training_view_module
from genlib.widgets.artists import density, dot, moving, panel

pytestmark = pytest.mark.filterwarnings(
    "error",
    "ignore:The `ipykernel.comm.Comm` class:DeprecationWarning",  # ipywidgets 7 on a new ipykernel
    "ignore:distutils Version classes:DeprecationWarning",  # TensorFlow Probability, at its import
    # Matplotlib 3.10 (Colab's) calls pyparsing by names that a newer pyparsing deprecates.
    "ignore:.* deprecated.* use .*:DeprecationWarning",
    "ignore:There is no current event loop:DeprecationWarning",  # jupyter_client's, on Python 3.13
)


def size_of(png):
    return Image.open(io.BytesIO(png)).size  # of its header alone


def decode(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return np.asarray(image)


MOST = 48  # points of a grid
SHORT = [[0, 0], [1, 0], [0, 1], [1, 1]]  # pixels that a picture may lack


def grid(explorer, points=5):
    """Iterate over values of all controls: for a slider ``points`` of them, ends included.

    A grid of more points than `MOST` is made with fewer a slider, then thinned evenly.
    """
    for per_slider in range(points, 1, -1):
        levels = [levels_of(control, per_slider) for control in explorer.controls.values()]
        size = math.prod(map(len, levels))
        if size <= MOST:
            break
    keep = {i * (size - 1) // (MOST - 1) for i in range(MOST)}
    for i, combination in enumerate(itertools.product(*levels)):
        if size <= MOST or i in keep:
            yield dict(zip(explorer.controls, combination, strict=True))


def levels_of(control, points):
    options = explorer_module._options(control)
    if options is not None:
        return list(options.values())
    levels = [control.min + (control.max - control.min) * i / (points - 1) for i in range(points)]
    if isinstance(control.value, int):
        return sorted({round(level) for level in levels})
    if hasattr(control, "base"):
        levels = [control.base**level for level in levels]
    low, high = explorer_module._bounds(control)
    return [min(max(float(f"{level:.10g}"), low), high) for level in levels]


@pytest.fixture(scope="module", params=list(SCENES))
def explorer(request):
    return explore(request.param)


def test_the_browsers_few_have_every_kind_of_control():
    from test_browser import KINDS  # late: it needs Playwright's helpers alone

    def kinds(name):
        importlib.import_module(SCENES[name])
        return {type(control) for control in widgets._kinds[name]().controls().values()}

    assert set().union(*map(kinds, KINDS)) == set().union(*map(kinds, SCENES))


def test_a_scene_speaks(explorer):
    assert explorer.scene.title
    assert len(explorer.alt) > 20 and explorer.alt.endswith(".")
    for name, control in explorer.controls.items():
        assert name.isidentifier()
        assert control.description.strip()


def test_its_words_can_be_read(explorer):
    explorer.reset()
    for text in explorer._fig.findobj(Text):
        if text.get_text().strip() and text.get_visible():
            assert plots.contrast(np.array(to_rgb(text.get_color()))) >= 4.5, text


def test_whole_grid_is_drawn(explorer):
    """And now and then drawn whole: what moves, but stands in the still part, leaves its place."""
    width, height = (round(100 * inches) for inches in explorer.scene.size)
    seen, points = {}, list(grid(explorer))
    for i, values in enumerate(points):
        explorer.set(**values)
        # Matplotlib 3.10 (Colab's) rounds 4.6 inches down to a pixel less.
        assert np.subtract((width, height), size_of(explorer.png)).tolist() in SHORT
        assert explorer.readout and "nan" not in explorer.readout.lower(), values
        assert explorer.image.value == explorer.png
        seen.setdefault((explorer.png, explorer.readout), []).append(values)
        if i % max(1, len(points) // 4) == 1:
            blitted = decode(explorer.png)
            explorer.redraw()
            np.testing.assert_array_equal(blitted, decode(explorer.png), err_msg=str(values))
    assert len(seen) > 1


def differs(answers):
    """Whether not all are the same; none is asked for after the first that is not."""
    first = next(answers)
    return any(answer != first for answer in answers)


def test_every_control_matters(explorer):
    """Somewhere on the grid, moving one control and no other changes picture or numbers."""
    rng = np.random.default_rng(0)
    points = list(grid(explorer))
    starts = [points[i] for i in rng.permutation(len(points))[:12]]
    for name in explorer.controls:
        levels = {repr(values[name]): values[name] for values in points}.values()

        def answers(start, name=name, levels=levels):
            for level in levels:
                explorer.set(**start | {name: level})
                yield explorer.png, explorer.readout

        assert any(differs(answers(start)) for start in starts), f"{name} changes nothing"


def test_same_controls_same_bytes(explorer):
    """Nothing is left over from where the controls have been."""
    explorer.reset()
    before = explorer.png, explorer.readout
    for values in list(grid(explorer, 2))[:16]:
        explorer.set(**values)
    explorer.reset()
    assert (explorer.png, explorer.readout) == before


def test_every_prompt_has_its_reveal(explorer, request):
    """A lecture's prompts below an explorer, their folded answers, and ``reveals``, one for one."""
    name = request.node.callspec.params["explorer"]
    notebook = course.read(next(course.NOTEBOOKS.glob(f"{SCENES[name].rsplit('.l')[-1]}.ipynb")))
    (index,) = (i for i, c in course.code_cells(notebook) if f'explore("{name}"' in c.source)
    asked, told = verify.prompts_below(notebook, index)
    assert asked == told == len(explorer.scene.reveals)


def test_a_reveal_shows_something(explorer):
    """Each state is new: another picture or other numbers than at the start, which is called {}."""
    explorer.reset()
    opened, start = explorer.values, (explorer.png, explorer.readout)
    for number, states in enumerate(explorer.scene.reveals, 1):
        seen = []
        for state in (states,) if isinstance(states, dict) else states or ():
            for name, value in state.items():
                assert on_a_step(explorer.controls[name], value), f"{number}: {name}={value}"
            explorer.set(**opened | state)
            seen.append((explorer.png, explorer.readout))
            assert (seen[-1] == start) == (state == {}), f"{number}: {state}"
        assert len(set(seen)) == len(seen), f"{number} shows one state twice"


def on_a_step(control, value):
    """Whether the slider itself can stand there; of a logarithmic one, to three digits."""
    if not hasattr(control, "step"):
        return True
    position = math.log(value, control.base) if hasattr(control, "base") else value
    steps = (position - control.min) / control.step
    return abs(steps - round(steps)) < (0.05 if hasattr(control, "base") else 1e-6)


def test_settings_round_trip(explorer):
    points = list(grid(explorer, 3))
    for values in points[:: max(1, len(points) // 3)]:
        explorer.set(**values)
        line, png = explorer.settings, explorer.png
        explorer.reset()
        explorer.settings = line
        assert explorer.values == values
        assert (explorer.settings, explorer.png) == (line, png)


def test_a_bundle_for_every_front_end(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == explorer.alt
    assert metadata["image/png"]["alt"] == explorer.alt
    still = decode(base64.b64decode(data["image/png"]))
    np.testing.assert_array_equal(still, decode(explorer.png))
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == explorer.widget.model_id


# One small scene with every kind of control


class Toy(Scene):
    title = "A toy"
    alt = "A dot that moves; for tests only."
    size = (2, 1)
    reveals = ({"x": 0.7, "how": "another"}, None, ({}, {"n": 3}, {"side": 1}))

    def controls(self):
        return {
            "x": slider("x", 0.1, 0.0, 1.0, 0.1),
            "n": slider("n", 2, 1, 4, 1),
            "log": ipywidgets.FloatLogSlider(value=1, min=-1, max=1, description="log"),
            "how": choice("how", ["one way", "another"]),
            "side": ipywidgets.Dropdown(options=[("left", -1), ("right", 1)], description="side"),
            "on": ipywidgets.Checkbox(value=True, description="on"),
        }

    def stage(self, fig):
        ax = self.ax = panel(fig.subplots(), "", ("", -1, 2), ("", 0, 5))
        self.dot = dot(ax, "p")
        self.bars = moving(ax.bar([0, 1], [0, 0]))

    def update(self, x, n, log, how, side, on):
        if x == 1.0 and n == 4:
            raise ArithmeticError("too far")
        self.dot.move(x * side, n)
        self.bars[0].set_height(log if on else 0)
        self.ax.set_ylim(0, 5 if how == "one way" else 9)
        return {"x": x, "n": n, "far": np.inf}


@pytest.fixture
def toy():
    return Explorer(Toy())


def test_each_kind_of_control(toy):
    assert toy.settings == "x=0.1 n=2 log=1.0 how='one way' side=left on=yes"
    toy.settings = "on=no how=another side=right x=0.7"
    assert toy.values == {
        "x": 0.7, "n": 2, "log": 1.0, "how": "another", "side": 1, "on": False
    }  # fmt: skip
    assert toy.readout == "x = 0.700, n = 2, far = ∞"


def test_start_values():
    toy = Explorer(Toy(), x=0.5)
    toy.set(x=0.9)
    toy.reset()
    assert toy.values["x"] == 0.5
    with pytest.raises(ValueError, match="'y' is no control; the controls are x, n"):
        Explorer(Toy(), y=1)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"x": 2}, "x must be a number from 0 to 1; got 2"),
        ({"x": float("nan")}, "x must be a number"),
        ({"x": "wide"}, "x must be a number from 0 to 1; got 'wide'"),
        ({"n": 2.5}, "n must be a whole number from 1 to 4; got 2.5"),
        ({"log": 11}, "log must be a number from 0.1 to 10"),
        ({"how": "so"}, "how must be one of 'one way', 'another'; got 'so'"),
        ({"side": True}, "side must be one of -1, 1; got True"),
        ({"on": 1}, "on must be one of False, True; got 1"),
        ({"x": 0.9, "z": 1}, "'z' is no control"),
    ],
)
def test_set_refuses_and_changes_nothing(toy, values, message):
    before = toy.values, toy.png
    with pytest.raises(ValueError, match=message):
        toy.set(**values)
    assert (toy.values, toy.png) == before


def test_error_in_update_reaches_the_caller_of_set(toy):
    before = toy.values, toy.png
    with pytest.raises(ArithmeticError, match="too far"):
        toy.set(x=1.0, n=4)
    assert (toy.values, toy.png) == before


def test_error_in_update_reaches_the_learner(toy):
    toy.set(x=1.0)
    toy.controls["n"].value = 4  # as a dragged slider does
    assert toy.readout == "ArithmeticError: too far"
    assert "too far" in toy._numbers.value
    toy.controls["n"].value = 3
    assert toy.readout.startswith("x = ")


@pytest.mark.parametrize(
    "line, message",
    [("x", "settings must be like"), ("x='", "settings must be like"), ("x=9", "x must be a"),
     ("x=a", "x must be a"), ("on=maybe", "on must be one of no, yes"), ("q=1", "no control"),
     ("how=so", "how must be one of one way, another"), ("n=1.5", "n must be a whole")],
)  # fmt: skip
def test_bad_settings_typed_in(toy, line, message):
    before = toy.values, toy.png
    toy._settings.value = line
    assert message in toy.readout
    assert (toy.values, toy.png) == before
    toy._settings.value = "x=0.4"
    assert toy.values["x"] == 0.4


def test_a_touched_control_draws_once(toy):
    drawn = []
    update = toy.scene.update
    toy.scene.update = lambda **values: drawn.append(values) or update(**values)
    toy.controls["x"].value = 0.6
    toy.set(x=0.2, n=3)
    assert len(drawn) == 2


def shows(toy):
    return {button.description: button for button in toy._shows}


def test_a_reveal_sets_all_controls_and_draws_once(toy):
    drawn = []
    update = toy.scene.update
    toy.scene.update = lambda **values: drawn.append(values) or update(**values)
    toy.set(n=4, on=False)
    shows(toy)["Show 1"].click()
    wanted = {"x": 0.7, "n": 2, "log": 1.0, "how": "another", "side": -1, "on": True}
    assert toy.values == wanted and drawn[1:] == [wanted]
    assert toy._settings.value == toy.settings == "x=0.7 n=2 log=1.0 how=another side=left on=yes"
    assert toy.image.value == toy.png and toy.readout.startswith("x = 0.700")


def test_a_reveal_is_of_the_scene_not_of_who_opened_it():
    toy = Explorer(Toy(), x=0.5, n=4)
    shows(toy)["Show 1"].click()
    assert (toy.values["x"], toy.values["n"]) == (0.7, 2)
    toy.reset()
    assert (toy.values["x"], toy.values["n"]) == (0.5, 4)


def test_a_reveal_of_several_states_steps_through_them(toy):
    button = shows(toy)["Show 3 (0/3)"]
    assert list(shows(toy)) == ["Show 1", "Show 3 (0/3)"]  # there is nothing to set for prompt 2
    assert button.tooltip == "Set the controls to what answer 3 describes; press again for the next"
    stops = [(2, -1, 1), (3, -1, 2), (2, 1, 3), (2, -1, 1), (3, -1, 2)]
    for n, side, shown in stops:
        button.click()
        assert (toy.values["n"], toy.values["side"]) == (n, side)
        assert button.description == f"Show 3 ({shown}/3)"
    shows(toy)["Show 1"].click()
    button.click()
    assert toy.values["side"] == 1 and button.description == "Show 3 (3/3)"


def test_a_bad_reveal_says_so(monkeypatch):
    monkeypatch.setattr(Toy, "reveals", ({"y": 1}, {"x": 2}))
    toy = Explorer(Toy())
    before = toy.values, toy.png
    for name, said in (("Show 1", "'y' is no control"), ("Show 2", "x must be a number from 0")):
        shows(toy)[name].click()
        assert said in toy.readout and (toy.values, toy.png) == before


def test_forgotten_artist_is_caught(toy):
    """The test above of blitting against drawing all does see what it is for."""
    toy.scene.dot.set_animated(False)
    toy.redraw()
    toy.set(x=0.9)
    blitted = toy.png
    toy.redraw()
    assert (decode(blitted) != decode(toy.png)).any()


def test_artists_made_and_removed_in_update_need_no_word(toy):
    toy.scene.dot.remove()
    toy.scene.dot = dot(toy.scene.ax, "q", 20)
    for x in (0.2, 0.9):
        toy.set(x=x)
        blitted = decode(toy.png)
        toy.redraw()
        np.testing.assert_array_equal(blitted, decode(toy.png))
        orange = np.all(blitted == [0xD5, 0x5E, 0x00], 2)
        assert 400 < orange.sum() < 606  # pi (20 / 72 * 100 / 2)^2, but for edges: one dot, no more


def test_limits_redraw_the_axes(toy):
    before = toy.png
    toy.set(how="another")
    changed = toy.png
    toy.redraw()
    assert before != changed == toy.png


def test_grid_is_capped(toy):
    points = list(grid(toy))
    assert 2 <= len(points) <= MOST
    for control in ("x", "n", "log", "how", "side", "on"):
        assert len({values[control] for values in points}) >= 2


def test_explore_names_what_there_is():
    with pytest.raises(ValueError, match=r"name must be one of .*kl.*; got 'lk'"):
        explore("lk")


def test_documented_scene_works():
    """The scene in the explorer's docstring is what authors copy."""
    lines = explorer_module.__doc__.split("::\n", 1)[1].split("\n``update``", 1)[0]
    names = {"Scene": Scene, "slider": slider, "np": np, "normal": scipy.stats.norm.pdf}
    names |= {"scene": lambda name: lambda kind: kind, "panel": panel, "density": density}
    exec(textwrap.dedent(lines), names)
    view = Explorer(names["Gaussian"]())
    before = view.png
    view.set(mean=1.0)
    assert view.png != before and view.readout == "entropy = 1.419 nats"


def test_kl_numbers():
    view = explore("kl", mean_q=1.0, scale_q=1.0, mean_p=0.0, scale_p=1.0)
    assert view.readout.startswith("KL(P‖Q) = 0.500 nats, KL(Q‖P) = 0.500 nats")


# What is freed


def open_widgets():
    """How many widgets ipywidgets keeps, in version 8 or in Colab's 7.7.1."""
    module = ipywidgets.widgets.widget
    return len(module._instances if hasattr(module, "_instances") else ipywidgets.Widget.widgets)


def replay():
    frames = [(epoch, plots.encode(np.zeros((20, 30, 4), np.uint8))) for epoch in range(3)]
    return training_view_module.Replay(frames, "Black.")


def latents():
    return Explorer(LatentMap(lambda z: np.zeros((len(z), 4, 4)), np.eye(2), np.arange(2)))


@pytest.mark.parametrize("make", [lambda: Explorer(Toy()), latents, replay])
def test_what_is_dropped_is_freed(make):
    gc.collect()
    before = open_widgets()
    it = make()
    it._repr_mimebundle_()
    assert open_widgets() > before + 3
    reference = weakref.ref(it)
    del it
    gc.collect()
    assert reference() is None
    assert open_widgets() == before


def test_an_explorer_that_failed_leaves_no_widgets():
    gc.collect()
    before = open_widgets()
    with pytest.raises(ValueError, match="x must be"):
        Explorer(Toy(), x=9)
    gc.collect()
    assert open_widgets() == before


def test_a_training_view_is_freed(monkeypatch):
    reference = weakref.ref(train(monkeypatch)[0])
    gc.collect()
    assert reference() is None


def test_close_frees_what_is_still_held(toy):
    canvas = weakref.ref(toy._canvas)
    toy.close()
    toy.close()
    gc.collect()
    assert canvas() is None and repr(toy) == "<closed>"
    data, _ = toy._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}
    with pytest.raises(RuntimeError, match="this explorer is closed"):
        toy.set(x=0.2)


class Kernel:
    """Stands for IPython in a notebook: says which cell runs."""

    def __init__(self, monkeypatch):
        self.runs = 0
        monkeypatch.setattr(live, "get_ipython", lambda: self)

    def run(self, cell, code="explore()"):
        self.runs += 1
        self.request = {
            "header": {"msg_id": str(self.runs)},
            "metadata": {"cellId": cell} if cell else {},
            "content": {"code": code},
        }

    def get_parent(self):
        return self.request


@pytest.mark.parametrize(
    "first, again, other",
    [
        ({"cell": "a"}, {"cell": "a", "code": "explore(x=1)"}, {"cell": "b"}),
        ({"cell": None}, {"cell": None}, {"cell": None, "code": "explore(x=1)"}),
    ],
)
def test_a_cell_that_is_run_again_closes_what_it_showed(monkeypatch, first, again, other):
    kernel = Kernel(monkeypatch)
    gc.collect()
    before = open_widgets()
    kernel.run(**first)
    shown = []
    for _ in range(2):
        toy = Explorer(Toy())
        toy._repr_mimebundle_()
        shown.append(weakref.ref(toy))
    del toy
    gc.collect()
    assert all(reference() for reference in shown), "the page shows both"
    kernel.run(**other)
    here = Explorer(Toy())
    shown[0]()._repr_mimebundle_()  # shown again, elsewhere
    shown[1]().set(x=0.7)
    kernel.run(**again)
    new = Explorer(Toy())
    gc.collect()
    assert not any(reference() for reference in shown)
    new.set(x=0.3)
    here.set(x=0.3)
    here.close()
    new.close()
    assert open_widgets() == before


def test_in_a_real_kernel():
    """Though IPython's Out holds each explorer, ten runs of one cell keep one of them open."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        said = []
        for code in ["from genlib.widgets import explore, live", *["explore('fit')"] * 10]:
            content = {"code": code, "user_expressions": {"open": "len(live._shown)"}}
            content |= {"silent": False, "store_history": True, "allow_stdin": False}
            asked = client.session.msg("execute_request", content, metadata={"cellId": "a"})
            client.shell_channel.send(asked)
            answers = iter(lambda: client.get_shell_msg(timeout=120), None)
            ours = (m for m in answers if m["parent_header"]["msg_id"] == asked["msg_id"])
            reply = next(ours)["content"]
            assert reply["status"] == "ok", reply
            said.append(reply["user_expressions"]["open"]["data"]["text/plain"])
        assert said == ["0", *["1"] * 10]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# Training


class Screen:
    """Stands for the notebook: remembers what was displayed."""

    def __init__(self):
        self.shown = []

    def display(self, data, metadata, raw, display_id):
        self.shown.append((data, metadata))
        return self

    def update(self, data, metadata, raw):
        self.shown.append((data, metadata))


def train(monkeypatch, epochs=5, **options):
    screen = Screen()
    monkeypatch.setattr(training_view_module, "display", screen.display)
    epochs_drawn = []

    def draw(fig, model, epoch, logs):
        assert not fig.axes
        epochs_drawn.append(epoch)
        fig.subplots().plot([0, epoch])

    view = TrainingView(draw, size=(2, 1), alt="A line.", **options)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    x = np.zeros((4, 1), np.float32)
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=[view])
    return view, screen, epochs_drawn


def test_training_view_draws_and_stores_the_last(monkeypatch):
    view, screen, drawn = train(monkeypatch, every=2)
    assert drawn == [0, 2, 4, 5] == [epoch for epoch, _ in view.frames]
    data, metadata = screen.shown[-1]
    assert data["text/plain"] == "A line." == metadata["image/png"]["alt"]
    last = decode(base64.b64decode(data["image/png"]))
    np.testing.assert_array_equal(last, decode(view.frames[-1][1]))


def test_training_view_keeps_few_frames(monkeypatch):
    view, _, _ = train(monkeypatch, epochs=9, keep=4)
    epochs = [epoch for epoch, _ in view.frames]
    assert len(epochs) <= 4 and epochs[0] == 0 and epochs[-1] == 9


def test_replay_scrubs(monkeypatch):
    view, _, _ = train(monkeypatch)
    film = view.replay()
    assert film.image.value == view.frames[-1][1]
    film.slider.value = 0
    assert film.image.value == film.png == view.frames[0][1]
    data, _ = film._repr_mimebundle_()
    assert (
        data["text/plain"].endswith("A line.")
        and "application/vnd.jupyter.widget-view+json" in data
    )


def test_training_view_bad_input():
    with pytest.raises(ValueError, match="every must be"):
        TrainingView(print, every=0, alt="A line.")
    with pytest.raises(ValueError, match="alt must be"):
        TrainingView(print, alt="")
    with pytest.raises(ValueError, match="frames must not be empty"):
        TrainingView(print, alt="A line.").replay()


def test_colors_mean_the_same():
    assert plots.COLORS["p"] == plots.COLORS["real"]
    assert plots.COLORS["q"] == plots.COLORS["generated"]


@pytest.mark.parametrize("size", [(6.0, 2.0), (2.0, 2.0)])
def test_replay_stores_a_strip_from_first_to_last(size):
    frames = []
    for shade in (0, 60, 120, 180, 240):
        picture = np.full((int(100 * size[1]), int(100 * size[0]), 4), shade, np.uint8)
        frames.append((shade, plots.encode(picture)))
    strip = decode(training_view_module.Replay(frames, "Grey.").strip())
    assert strip.shape[1] == 1000
    assert strip[5, 5, 0] == 0 and strip[-5, -5, 0] == 240
