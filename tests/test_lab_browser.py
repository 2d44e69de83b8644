"""The live lab in a real browser: it plays, hears a slider meanwhile, and pauses.

``python -m pytest -s tests/test_lab_browser.py`` prints pictures a second and latencies.
"""

import lab
import nbformat
import numpy as np
import pytest
from test_browser import elsewhere

CELL = """\
from genlib.widgets import lab

bench = lab(width=64)
bench"""
COUNT = """() => {
    const image = document.querySelector('.jupyter-widgets img');
    window.seen = [];
    new MutationObserver(() => window.seen.push(performance.now())).observe(
        image, { attributes: true, attributeFilter: ['src'] });
}"""
SETTINGS = ".jupyter-widgets input[type=text]"


def waited(page, act, expression, arg=None):
    """Milliseconds from ``act`` until a JavaScript expression is true."""
    start = page.evaluate("() => performance.now()")
    act()
    page.wait_for_function(expression, arg=arg, timeout=20_000)
    return page.evaluate("() => performance.now()") - start


@pytest.mark.timeout(240)
def test_it_plays_hears_and_pauses(jupyterlab):
    work, address, chrome = jupyterlab
    nbformat.write(lab.notebook(CELL), work / "live_lab.ipynb")
    complaints = []
    page = chrome.new_page(viewport={"width": 1280, "height": 1400})
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.route("**/*", lambda r: r.continue_() if "127.0.0.1" in r.request.url else elsewhere(r))
    lab.run_all(page, address("live_lab.ipynb"))
    lab.wait_until_done(page)
    cell = page.locator(lab.IMAGE_CELL)
    cell.locator(".jupyter-widgets img").first.wait_for(timeout=20_000)
    status = "text => document.querySelector('[role=status]').textContent.startsWith(text)"
    play = cell.get_by_role("button", name="Play")
    started = waited(page, play.click, status, "playing, ")  # with the graph's making
    page.evaluate(COUNT)
    page.wait_for_timeout(3000)
    page.wait_for_function("() => window.seen.length > 3", timeout=60_000)
    seen = page.evaluate("() => window.seen")
    rate = (len(seen) - 1) / (seen[-1] - seen[0]) * 1000

    slider = cell.locator(".widget-slider", has_text="generator's rate").locator(".noUi-handle")
    line = cell.locator(SETTINGS).last
    heard = []
    for key in ["ArrowRight"] * 3 + ["ArrowLeft"] * 3:
        slider.focus()
        before = line.input_value()
        changed = """([line, before]) =>
            line.value.match(/generator_rate=\\S+/)[0] !== before.match(/generator_rate=\\S+/)[0]"""
        handle = line.element_handle()
        press = lambda key=key: page.keyboard.press(key)  # noqa: E731
        heard.append(waited(page, press, changed, [handle, before]))
    assert status and page.evaluate(f"() => ({status})('playing')"), "a slider stops nothing"

    pauses = []
    for _ in range(3):
        pauses.append(
            waited(page, cell.get_by_role("button", name="Pause").click, status, "paused")
        )
        page.wait_for_timeout(1200)  # the last picture and its numbers are on their way
        count = page.evaluate("() => window.seen.length")
        page.wait_for_timeout(400)
        assert page.evaluate("() => window.seen.length") == count, "it went on after pause"
        waited(page, cell.get_by_role("button", name="Play").click, status, "playing, ")
    waited(page, cell.get_by_role("button", name="Pause").click, status, "paused")
    for name, times in (("slider", heard), ("pause", pauses)):
        print(f"{name}: {np.median(times):.0f} ms, 90 % within {np.quantile(times, 0.9):.0f} ms")
    print(f"{rate:.1f} pictures a second; first picture after {started / 1000:.1f} s")
    assert complaints == []
    page.close()
