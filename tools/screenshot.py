"""Take README's picture anew: an explorer in a real JupyterLab, sliders and all.

    python tools/screenshot.py

Needs a Chromium, as the browser test does.
"""

import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import lab  # noqa: E402

PICTURE = ROOT / "notebooks" / "images" / "explorer.png"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        lab.server(Path(name)) as address,
        lab.browser() as chrome,
    ):
        book = lab.notebook("from genlib.widgets import explore", 'explore("kl", mean_q=1.5)')
        nbformat.write(book, Path(name) / "work" / "kl.ipynb")
        page = chrome.new_page(viewport={"width": 1120, "height": 1000})
        lab.run_all(page, address("kl.ipynb"))
        lab.wait_until_done(page)
        output = page.locator(lab.IMAGE_CELL).first.locator(".jp-OutputArea-output").first
        output.locator("img").first.wait_for()
        page.wait_for_timeout(1000)  # fonts and sliders settle
        output.screenshot(path=PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
