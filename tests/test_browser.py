"""Lectures as a learner meets them: JupyterLab in Chromium, Run All, a mouse and arrow keys."""

import pathlib
import re

import lab
import nbformat
import pytest

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"
WHOLE = "00_start_here"  # opened as it is; nbval runs all the others
#: A training to watch, as in the lectures on GANs, and its film.
TRAINING = """\
from genlib import data, experiments
from genlib.widgets.gan_views import points_view

points = data.toy("ring").sample(500, seed=(0, 1)).numpy()
view = points_view(
    points, lambda model, xy: model.critic(xy), steps=20, label="loss", line=0.0, alt="A test."
)
experiments.on_toy("gan", steps=80, width=16, epochs=4, callbacks=[view])
view.replay()"""
BUTTON = ".jupyter-button.mod-active + .jupyter-button, input[type=checkbox]"
#: Explorers that together have every kind of control: tests/test_widgets.py sweeps them all.
KINDS = ("gradient_estimators", "choose_divergence", "bandwidth", "iwae")


def books() -> dict[str, nbformat.NotebookNode]:
    """Return the notebooks to open, by name, without results."""
    whole = nbformat.read(NOTEBOOKS / f"{WHOLE}.ipynb", 4)
    for cell in whole.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    kinds = lab.notebook("from genlib.widgets import explore", *map("explore({!r})".format, KINDS))
    names = f"{WHOLE}.ipynb", "training.ipynb", "kinds.ipynb"
    return dict(zip(names, (whole, lab.notebook(TRAINING), kinds), strict=True))


def source_of(page, image):
    return image.evaluate("image => image.src")


def change(page, image, act) -> None:
    """Wait until the picture becomes another one, and a whole one, after ``act``."""
    before = settled(page, image)
    act()
    page.wait_for_function(
        "([image, before]) => image.src !== before && image.complete && image.naturalWidth > 0",
        arg=[image.element_handle(), before],
        timeout=10_000,
    )


def settled(page, image):
    """Return the picture's source once no more come: of two quick moves only the last is sent."""
    last, now = None, source_of(page, image)
    while now != last:
        page.wait_for_timeout(150)
        last, now = now, source_of(page, image)
    return now


def hear(said, words) -> None:
    """Wait for words on the page: a message of their own brings them, the picture's comes first."""
    said.filter(has_text=words).wait_for(timeout=10_000)


def drag(page, handle):
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
    towards = 1 if x < track["x"] + track["width"] / 2 else -1
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + towards * track["width"] / 3, y, steps=6)
    page.mouse.up()


def move(page, cell):
    """Move a cell's first slider by mouse, each by keys; where it has none, press a button."""
    image, handles = cell.locator(".jupyter-widgets img").first, cell.locator(".noUi-handle")
    if handles.count() == 0:
        change(page, image, cell.locator(BUTTON).first.click)
        return
    change(page, image, lambda: drag(page, handles.first))
    for handle in handles.all():
        handle.focus()
        change(page, image, lambda: page.keyboard.press("ArrowRight"))
        change(page, image, lambda: page.keyboard.press("ArrowLeft"))


def reveal(page, cell):
    """Have the first answer shown, by keyboard alone: sliders, settings line and picture follow."""
    button, settings = cell.get_by_role("button", name="Show 1"), cell.locator("input[type=text]")
    before = settings.last.input_value()
    assert button.get_attribute("title").startswith("Set the controls to what answer 1 describes")
    button.focus()
    image = cell.locator(".jupyter-widgets img").first
    change(page, image, lambda: page.keyboard.press("Space"))
    page.wait_for_function(
        "([line, before]) => line.value !== before",
        arg=[settings.last.element_handle(), before],
        timeout=10_000,
    )


def elsewhere(route):
    """Answer for the rest of the world (badges at the top of a lecture): no test needs it."""
    route.fulfill(content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "book"), books().items(), ids=books())
def test_explorers_answer_in_a_browser(jupyterlab, name, book):
    work, address, chrome = jupyterlab
    nbformat.write(book, work / name)

    complaints = []
    page = chrome.new_page(viewport={"width": 1280, "height": 900})
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on(
        "console",
        lambda message: message.type == "error" and complaints.append(f"console: {message.text}"),
    )
    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), elsewhere)
    lab.run_all(page, address(name))
    lab.wait_until_done(page)

    explorers = page.locator(lab.IMAGE_CELL)
    explorers.first.wait_for(timeout=10_000)
    assert explorers.count() >= sum(cell.source.count("explore(") for cell in book.cells)
    for i in range(explorers.count()):
        try:
            move(page, explorers.nth(i))
        except Exception as error:  # Playwright's time-out; its package may not be installed
            cell = explorers.nth(i).locator(".cm-content").inner_text()
            pytest.fail(f"the picture did not answer: {cell}\n{error}")

    if name.startswith(WHOLE):
        reveal(page, explorers.first)

    assert page.locator(".jp-Dialog").count() == 0
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.all_inner_texts() == []
    assert page.locator(".jupyter-widgets:has-text('Error displaying widget')").count() == 0
    assert complaints == []
    page.close()


CANVAS = """\
from genlib.widgets.canvas import Canvas

canvas = Canvas(
    {"a bar": [[(0.2, 0.5), (0.8, 0.5)]], "nothing": []},
    answer=lambda c: (1 - c.picture, f"ink {c.picture.sum():.0f}, {c.mode}"),
)
canvas"""


@pytest.mark.timeout(240)
def test_a_canvas_is_drawn_on_by_mouse_finger_and_text(jupyterlab):
    """The strokes reach Python, its answer comes back, and the kernel sees the same picture."""
    work, address, chrome = jupyterlab
    nbformat.write(lab.notebook(CANVAS), work / "canvas.ipynb")
    context = chrome.new_context(viewport={"width": 1280, "height": 900}, has_touch=True)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), elsewhere)
    lab.run_all(page, address("canvas.ipynb"))
    lab.wait_until_done(page)
    canvas, image = page.locator("canvas.genlib-canvas"), page.locator(lab.IMAGE_CELL + " img")
    canvas.wait_for(timeout=20_000)
    text, said = page.get_by_role("textbox", name="Strokes"), page.get_by_role("status")
    assert text.input_value() == "0.2,0.5 0.8,0.5"
    change(page, image, page.get_by_role("button", name="nothing").click)
    hear(said, "strokes: 0")
    assert text.input_value() == ""

    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def mouse():
        page.mouse.move(*at(0.25, 0.5))
        page.mouse.down()
        page.mouse.move(*at(0.75, 0.5), steps=8)
        page.mouse.up()

    change(page, image, mouse)
    hear(said, "strokes: 1")
    assert text.input_value().startswith("0.25,0.5")
    assert "strokes: 1" in canvas.get_attribute("aria-label")
    # What the learner sees on the canvas is there: ink on the line, none above it.
    inked = canvas.evaluate(
        "c => [0.5, 0.3].map(y => c.getContext('2d')"
        ".getImageData(c.width / 2, y * c.height, 1, 1).data[3])"
    )
    assert inked[0] > 200 and inked[1] == 0

    def finger():  # a real touch, by the browser's own protocol
        touch = context.new_cdp_session(page)
        for kind, place in (
            ("touchStart", at(0.5, 0.1)),
            ("touchMove", at(0.5, 0.5)),
            ("touchMove", at(0.5, 0.9)),
            ("touchEnd", None),
        ):
            points = [] if place is None else [{"x": place[0], "y": place[1]}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    scrolled = page.evaluate("window.scrollY")
    change(page, image, finger)
    hear(said, "strokes: 2")
    assert page.evaluate("window.scrollY") == scrolled
    change(page, image, page.get_by_role("button", name="Undo").click)
    hear(said, "strokes: 1")

    def typed():
        text.fill("0.1,0.1 0.9,0.9; 0.5,0.5")
        text.press("Enter")

    change(page, image, typed)
    hear(said, "strokes: 2")
    text.fill("0.1,7")
    text.press("Enter")
    page.get_by_text("strokes must be").wait_for(timeout=10_000)
    assert complaints == []
    context.close()
