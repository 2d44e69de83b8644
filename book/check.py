"""Open a built book from disk in a real Chromium, move every control and see it answer.

    python book/check.py build/book            every page
    python book/check.py build/book lectures   those whose path holds this word

A page fails that logs an error, asks for anything outside its folder, or has a control that changes
neither picture nor numbers. Each control is moved by mouse and by key.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIGNATURE = """place => {
  const canvas = place.querySelector('canvas');
  const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 4) sum = (31 * sum + 7 * bytes[i] + bytes[i + 1]) | 0;
  return [sum, place.querySelector('.gx-numbers').textContent];
}"""


class Complaint(AssertionError):
    """What a learner would complain of."""


def watch(page, folder: Path) -> list[str]:
    """Return a list that fills with a page's errors and its requests beyond ``folder``."""
    found = []
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("console", lambda m: m.type == "error" and found.append(f"console: {m.text}"))
    own = (folder.resolve().as_uri(), "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(own) or found.append(f"request: {r.url}"))
    return found


def move_all(page) -> int:
    """Move every control of every explorer on a page; return how many there were."""
    moved = 0
    for place in page.locator(".gx").all():
        place.scroll_into_view_if_needed()
        place.locator("canvas").wait_for(timeout=10_000)
        page.wait_for_function("p => p.dataset.shown", arg=place.element_handle())
        picture, numbers = set(), set()
        controls = place.locator("[data-control]").all()
        shows = place.locator(".gx-shows button").all()
        for control in controls:
            for way in (by_key, by_mouse):
                # Where it does nothing at the start, it must after an answer is shown or after
                # another control has moved.
                others = [(by_mouse, other) for other in controls if other is not control]
                for before in (None, *shows, *others):
                    place.get_by_role("button", name="Reset").click()
                    if isinstance(before, tuple):
                        before[0](page, before[1])
                    elif before:
                        before.click()
                    seen = seen_moving(page, place, control, way)
                    picture |= {one[0] for one in seen}
                    numbers |= {one[1] for one in seen}
                    if seen[-1] != seen[0]:
                        break
                else:
                    name = control.get_attribute("data-control")
                    raise Complaint(f"{name} of {explorer_of(place)}: nothing moves {way.__name__}")
            moved += 1
        if len(picture) < 2 or len(numbers) < 2:
            raise Complaint(f"{explorer_of(place)}: its picture or its numbers never change")
    return moved


def seen_moving(page, place, control, way) -> list:
    """Return what is seen before and after moves, of which the first may be too small."""
    settle(page, place)
    seen = [place.evaluate(SIGNATURE)]
    for _ in range(4):
        way(page, control)
        settle(page, place)
        seen.append(place.evaluate(SIGNATURE))
        if seen[-1] != seen[0]:
            break
    return seen


def explorer_of(place) -> str:
    return place.get_attribute("data-explorer")


def settle(page, place) -> None:
    """Wait until the picture is that of the controls."""
    page.wait_for_function("p => p.dataset.shown === p.dataset.wanted", arg=place.element_handle())


def kind_of(control) -> str:
    return control.evaluate("c => c.type || c.tagName").lower()


def by_key(page, control) -> None:
    kind = kind_of(control)
    if kind == "range":
        control.focus()
        high = control.evaluate("c => Number(c.value) < Number(c.max)")
        page.keyboard.press("ArrowRight" if high else "ArrowLeft")
    elif kind == "checkbox":
        control.focus()
        page.keyboard.press("Space")
    elif kind == "select-one":
        control.focus()
        last = control.evaluate("c => c.selectedIndex === c.options.length - 1")
        page.keyboard.press("ArrowUp" if last else "ArrowDown")
    else:
        control.locator("button[aria-pressed=false]").first.focus()
        page.keyboard.press("Enter")


def by_mouse(page, control) -> None:
    kind = kind_of(control)
    if kind == "range":
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        left = control.evaluate("c => (c.value - c.min) / (c.max - c.min) < 0.5")
        x, y = box["x"] + box["width"] * (0.8 if left else 0.2), box["y"] + box["height"] / 2
        page.mouse.click(x, y)
    elif kind == "checkbox":
        control.click()
    elif kind == "select-one":
        index = control.evaluate("c => (c.selectedIndex + 1) % c.options.length")
        control.select_option(index=index)
    else:
        control.locator("button[aria-pressed=false]").last.click()


def main() -> None:
    from playwright.sync_api import Error

    from tests import lab

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", help="pages whose path holds one of these; else all")
    asked = parser.parse_args()
    pages = sorted(asked.folder.rglob("*.html"))
    pages = [p for p in pages if "_static" not in p.parts]
    pages = [p for p in pages if not asked.words or any(word in str(p) for word in asked.words)]
    begun, bad, controls = time.perf_counter(), [], 0
    with lab.browser() as chrome:
        for path in pages:
            page = chrome.new_page(viewport={"width": 1280, "height": 900})
            found = watch(page, asked.folder)
            page.goto(path.resolve().as_uri())
            try:
                controls += move_all(page)
                page.wait_for_timeout(100)
            except (Complaint, Error) as error:
                found.append(str(error))
            new = [f"{path.relative_to(asked.folder)}: {one}" for one in found]
            print("\n".join(new), end="\n" * bool(new), flush=True)
            bad += new
            page.close()
    seconds = time.perf_counter() - begun
    print(f"{len(pages)} pages, {controls} controls, {len(bad)} complaints, {seconds:.0f} s")
    sys.exit(bool(bad) or not pages)


if __name__ == "__main__":
    main()
