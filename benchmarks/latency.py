"""From key press to new picture, in a real Chromium under JupyterLab.

    python benchmarks/latency.py [explorer ...] [--presses 40] [--pause 0.05]

For each explorer, and for the usual ``interact`` with ``plt.show`` of the "kl" picture in the same
run: the time from an arrow key's press on the first slider until the new picture is in the page and
decoded. The presses come in turns of ten, so that a busy machine is busy for all alike.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))
import lab
import nbformat

BASELINE = "interact + plt.show"
# The "kl" picture as it is usually written: a new figure at each call.
INTERACT = """
%matplotlib inline
import ipywidgets, numpy as np, matplotlib.pyplot as plt

def density(x, mean, scale):
    return np.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))

def draw(mean_q, scale_q):
    x = np.linspace(-10, 10, 601)
    p, q = density(x, 0, 1), density(x, mean_q, scale_q)
    integrand = p * np.log(p / q)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.8), layout="constrained")
    for ys, name in ((p, "P"), (q, "Q")):
        left.plot(x, ys, label=name)
        left.fill_between(x, 0, ys, alpha=0.25)
    left.set(xlabel="x", ylabel="density", xlim=(-8, 8), ylim=(0, 0.5), title="Densities")
    left.grid(alpha=0.3)
    left.legend()
    right.plot(x, integrand)
    right.fill_between(x, 0, integrand, where=integrand > 0, alpha=0.6)
    right.fill_between(x, 0, integrand, where=integrand < 0, alpha=0.6)
    right.set(xlabel="x", ylabel="integrand", xlim=(-8, 8), ylim=(-0.5, 2))
    right.set_title(f"KL = {np.trapezoid(integrand, x):.3f}")
    right.grid(alpha=0.3)
    plt.show()

ipywidgets.interact(
    draw,
    mean_q=ipywidgets.FloatSlider(value=1.5, min=-4, max=4, step=0.1),
    scale_q=ipywidgets.FloatSlider(value=1.0, min=0.3, max=3, step=0.1),
);
"""
# Notes when a key goes down, and when after it the cell shows another picture, ready to be painted.
PROBE = """cell => {
    const probe = cell.probe = {times: [], pressed: null};
    let last = cell.querySelector('img').src;
    document.addEventListener('keydown', event => {
        if (cell.contains(event.target)) probe.pressed = event.timeStamp;
    }, true);
    new MutationObserver(async () => {
        const image = cell.querySelector('img');
        if (!image || image.src === last || probe.pressed === null) return;
        const source = last = image.src;
        const pressed = probe.pressed;
        try { await image.decode(); } catch { return; }
        if (source !== last) return;
        probe.pressed = null;
        probe.times.push(performance.now() - pressed);
    }).observe(cell, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
}"""


def quantile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def press(page, cell, key, pause, timeout=5_000) -> None:
    """Press a key on the cell's first slider, wait for the picture that answers, and pause."""
    element = cell.element_handle()
    before = element.evaluate("cell => cell.probe.times.length")
    page.keyboard.press(key)
    page.wait_for_function(
        "([cell, before]) => cell.probe.times.length > before",
        arg=[element, before],
        timeout=timeout,
    )
    time.sleep(pause)


def first_picture(chrome, address) -> tuple:
    """Run a notebook; return the page and the seconds from Run All to the first live picture."""
    page = chrome.new_page(viewport={"width": 1280, "height": 1000})
    start = lab.run_all(page, address)
    page.locator(".jupyter-widgets img").first.wait_for(timeout=120_000)
    page.wait_for_function(
        "() => document.querySelector('.jupyter-widgets img').naturalWidth > 0", timeout=60_000
    )
    return page, time.monotonic() - start


def measure(page, names, presses, pause) -> dict[str, list[float]]:
    """Return the times in ms by name; the n-th name is what the n-th picture's cell shows."""
    lab.wait_until_done(page)
    cells = [page.locator(lab.IMAGE_CELL).nth(i) for i in range(len(names))]
    for cell in cells:
        cell.wait_for()
        cell.evaluate(PROBE)
    turns = [["ArrowRight"] * 10, ["ArrowLeft"] * 10]
    for turn in range(-(-presses // 10)):
        for cell in cells:
            cell.locator(".noUi-handle").first.focus()
            for key in turns[turn % 2]:
                press(page, cell, key, pause)
    return {
        name: cell.evaluate("cell => cell.probe.times")
        for name, cell in zip(names, cells, strict=True)
    }


def main():
    from genlib.widgets import SCENES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explorers", nargs="*", default=list(SCENES))
    parser.add_argument("--presses", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds before the next press")
    options = parser.parse_args()

    cells = ["from genlib.widgets import explore"]
    cells += [f"explore({name!r})" for name in options.explorers]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = pathlib.Path(folder)
        with lab.server(folder) as address, lab.browser() as chrome:
            nbformat.write(lab.notebook(*cells, INTERACT), folder / "work" / "all.ipynb")
            page, seconds = first_picture(chrome, address("all.ipynb"))
            times = measure(page, [*options.explorers, BASELINE], options.presses, options.pause)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"Run All to the first live picture: {seconds:.1f} s, imports included")
    print(f"{'key press to new picture, ms':<32}{'median':>8}{'90th percentile':>17}{'n':>5}")
    for name, values in times.items():
        median, late = statistics.median(values), quantile(values, 0.9)
        print(f"{name:<32}{median:>8.0f}{late:>17.0f}{len(values):>5}")


if __name__ == "__main__":
    main()
