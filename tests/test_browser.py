"""Lectures as a learner meets them: JupyterLab in Chromium, Run All, a mouse and arrow keys."""

import importlib.util
import os
import pathlib
import re

import lab
import nbformat
import pytest

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"
TINY = "tiny.ipynb"  # made here: one explorer, nothing else


def with_an_explorer() -> list[str]:
    """Return the names of the lectures that open an explorer."""
    return [
        path.name
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        if any(
            cell.cell_type == "code" and re.search(r"\bexplore\(", cell.source)
            for cell in nbformat.read(path, as_version=4).cells
        )
    ]


def lacking() -> str | None:
    """Say what is not installed that this test needs."""
    for module in ("playwright", "jupyterlab"):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module} is not installed"
    if lab.chromium() is None:
        return "neither chromium nor google-chrome is installed"
    return None


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    if reason := lacking():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no browser test: {reason}")
    folder = tmp_path_factory.mktemp("lab")
    with lab.server(folder) as address, lab.browser() as chrome:
        yield folder / "work", address, chrome


def source_of(page, image):
    return image.evaluate("image => image.src")


def changes(page, image, act) -> bool:
    """Whether the picture becomes another one, and a whole one, after ``act``."""
    before = source_of(page, image)
    act()
    page.wait_for_function(
        "([image, before]) => image.src !== before && image.complete && image.naturalWidth > 0",
        arg=[image.element_handle(), before],
        timeout=10_000,
    )
    return True


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


def elsewhere(route):
    """Answer for the rest of the world (badges at the top of a lecture): no test needs it."""
    route.fulfill(content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [TINY, *with_an_explorer()])
def test_lecture_answers_in_a_browser(jupyterlab, name):
    work, address, chrome = jupyterlab
    if name == TINY:
        book = lab.notebook("from genlib.widgets import explore", 'explore("kl")')
    else:
        book = nbformat.read(NOTEBOOKS / name, as_version=4)
        for cell in book.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
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
    for i in range(explorers.count()):
        cell = explorers.nth(i)
        image, handle = cell.locator("img").first, cell.locator(".noUi-handle").first
        assert changes(page, image, lambda handle=handle: drag(page, handle))
        handle.focus()
        assert changes(page, image, lambda: page.keyboard.press("ArrowRight"))
        assert changes(page, image, lambda: page.keyboard.press("ArrowLeft"))

    assert page.locator(".jp-Dialog").count() == 0
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.all_inner_texts() == []
    assert page.locator(".jupyter-widgets:has-text('Error displaying widget')").count() == 0
    assert complaints == []
    page.close()
