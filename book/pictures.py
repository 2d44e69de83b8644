"""Compute what an explorer shows, so that it moves on a page without Python.

    python book/pictures.py build/explorers --jobs 2
    python book/pictures.py build/explorers --only kl elbo

Each explorer becomes one JavaScript file, which ``static/explorer.js`` plays: its controls, the
values at which it was computed, the numbers below the picture, and the pictures. A file is made
anew when the code that draws it has changed. The scenes draw with their own code.

Computed are the start, the answers to the prompts, each control along its own axis, and all
combinations as finely as `MOST_BYTES` allows. The first picture is stored whole, of the others only
the pixels that differ from it.
"""

import argparse
import ast
import base64
import functools
import hashlib
import importlib
import io
import itertools
import json
import math
import multiprocessing
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import course  # noqa: E402
from genlib import widgets  # noqa: E402
from genlib.widgets import SCENES, Explorer, Scene, explorer  # noqa: E402

MOST_BYTES = 500_000  # of one explorer's file
MOST_POINTS = 900  # combinations of controls' values, which bounds the time
COLOURS = 48
POINTS = "combinations of values an explorer, at most; few make a quick book"

Point = tuple[int, ...]  # an index into each control's levels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these explorers; else all")
    parser.add_argument("--points", type=int, default=MOST_POINTS, help=POINTS)
    asked = parser.parse_args()
    make(asked.folder, asked.only or list(SCENES), asked.jobs, asked.points)


def make(folder: Path, names: Iterable[str], jobs: int = 1, most: int = MOST_POINTS) -> None:
    """Write the files of explorers that are not there or not of today's code."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = starts_in_lectures()
    old = []
    for name in names:
        path, start = folder / f"{name}.js", starts.get(name, {})
        its_key = f"{key(name, start)}-{most}"
        if _first_line(path) != f"// {its_key}":
            old.append((path, name, start, its_key, most))
    if jobs > 1 and len(old) > 1:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for said in pool.imap_unordered(_write, old):
                print(said, flush=True)
    else:
        for one in old:
            print(_write(one), flush=True)


def _write(task) -> str:
    path, name, start, its_key, most = task
    importlib.import_module(SCENES[name])
    data = record(widgets._kinds[name](), start, most)
    text = f"// {its_key}\n" + script(name, data)
    path.write_text(text, encoding="utf-8")
    return f"{name}: {len(data['points'])} pictures, {len(text) // 1000} kB"


def script(name: str, data: dict) -> str:
    """Return the JavaScript that hands ``data`` to the player."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"genlibBook.explorer({json.dumps(name)}, {body});\n"


def _first_line(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n")


def starts_in_lectures() -> dict[str, dict]:
    """Return how the lectures open their explorers: ``{"kl_fit": {"direction": "KL(Q‖P)"}}``."""
    starts = {}
    for path in course.lectures():
        for _, cell in course.code_cells(course.read(path)):
            for call in re.findall(r"^explore\(.*?\)$", cell.source, re.M | re.S):
                call = ast.parse(call).body[0].value
                values = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                starts.setdefault(ast.literal_eval(call.args[0]), values)
    return starts


def key(name: str, start: dict) -> str:
    """Return a hash of all that the pictures depend on: the code of genlib that draws them."""
    files = {Path(__file__), ROOT / "genlib" / "house.mplstyle", *_imported(SCENES[name])}
    files |= set((ROOT / "genlib" / "lectures" / "runs").glob(f"{SCENES[name].split('.l')[-1]}*"))
    digest = hashlib.sha256(repr(sorted(start.items())).encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _imported(module: str) -> set[Path]:
    """Return the files of genlib that ``module`` imports, and those that these import."""
    found, todo = set(), {module, "genlib.widgets.explorer"}
    while todo:
        stem = ROOT.joinpath(*todo.pop().split("."))
        path = stem.with_suffix(".py") if stem.with_suffix(".py").exists() else stem / "__init__.py"
        if path not in found and path.exists():
            found.add(path)
            todo |= _imports(path)
    return found


@functools.cache
def _imports(path: Path) -> set[str]:
    """Return the names that a file imports from genlib."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("genlib")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genlib"):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


# One explorer


class Levels:
    """The values of one control at which pictures may be computed, in order, with their texts."""

    def __init__(self, control, needed: Iterable):
        self.control = control
        self.options = explorer._options(control)
        if self.options is None:
            count = round((control.max - control.min) / control.step) + 1
            every = [self._at(i) for i in range(count)]
            every += [v for v in needed if not any(math.isclose(v, e) for e in every)]
            self.values = sorted(every)
        else:
            self.values = list(self.options.values())
        self.needed = sorted({self.index(value) for value in needed})

    def _at(self, i: int):
        position = self.control.min + i * self.control.step
        if hasattr(self.control, "base"):
            position = self.control.base**position
        low, high = explorer._bounds(self.control)
        whole = isinstance(self.control.value, int)
        return int(position) if whole else min(max(explorer._tidy(float(position)), low), high)

    def index(self, value) -> int:
        if self.options is not None:
            return [repr(v) for v in self.values].index(repr(value))
        return min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))

    def text(self, i: int) -> str:
        if self.options is not None:
            return list(self.options)[i]
        value = self.values[i]
        return f"{value:.4g}" if hasattr(self.control, "base") else str(explorer._tidy(value))

    def thinned(self, count: int) -> list[int]:
        """Return about ``count`` indices, ends and needed ones among them; of buttons, all."""
        if self.options is not None or len(self.values) <= count:
            return list(range(len(self.values)))
        even = np.linspace(0, len(self.values) - 1, max(count, 2)).round().astype(int).tolist()
        return sorted({*even, *self.needed})

    @property
    def kind(self) -> str:
        if isinstance(self.control.value, bool):
            return "check"
        if self.options is None or isinstance(self.control, explorer.widgets.SelectionSlider):
            return "slider"
        return "buttons" if isinstance(self.control, explorer.widgets.ToggleButtons) else "list"


class Recorded(Explorer):
    """An explorer that remembers its numbers as pairs, and its pixels."""

    def _say(self, numbers) -> None:
        numbers = {"": numbers} if isinstance(numbers, str) else numbers
        self.pairs = [[name, explorer._number_text(value)] for name, value in numbers.items()]
        super()._say(numbers)

    @property
    def pixels(self) -> np.ndarray:
        return np.array(self._canvas.buffer_rgba())[..., :3]


def record(scene: Scene, start: dict, most: int = MOST_POINTS) -> dict:
    """Return all that the player needs of one explorer, as JSON may hold it."""
    shown = Recorded(scene, **start)
    begin = shown.values
    reveals = [(r,) if isinstance(r, dict) else tuple(r or ()) for r in scene.reveals]
    asked = [begin, *(begin | state for states in reveals for state in states)]
    levels = [
        Levels(control, [state[name] for state in asked])
        for name, control in shown.controls.items()
    ]

    def place(values) -> Point:
        rows = zip(shown.controls, levels, strict=True)
        return tuple(one.index(values[name]) for name, one in rows)

    def draw(point: Point) -> np.ndarray:
        values = (one.values[i] for one, i in zip(levels, point, strict=True))
        shown.set(**dict(zip(shown.controls, values, strict=True)))
        return shown.pixels

    first = place(begin)
    marked = [[place(begin | state) for state in states] for states in reveals]
    fixed = {first, *itertools.chain(*marked)}
    some = sorted({*fixed, *sorted(plan(levels, first, fixed, 60))[::3]})
    spread = [some[i] for i in np.linspace(0, len(some) - 1, 5).astype(int)]
    pencil = Pencil([draw(point) for point in (first, *spread)])
    taken: dict[Point, tuple] = {}

    def take(point: Point) -> tuple:
        if point not in taken:
            picture = pencil.overlay(draw(point))
            taken[point] = (shown.pairs, *picture)
        return taken[point]

    # A control that does nothing at the start is also computed where it does something.
    def line(i: int, base: Point) -> list[Point]:
        return [base, *_moved(base, i, levels[i].thinned(7))]

    asides = [p for i, one in enumerate(levels) for p in _moved(first, i, one.thinned(3))]
    for i in range(len(levels)):
        for base in (first, *itertools.chain(*marked), *asides):
            if len({repr(take(point)) for point in line(i, base)}) > 1:
                fixed |= set(line(i, base)) if base != first else set()
                break

    # How many fit is guessed from some, and then made fewer until the file is small enough.
    mean = np.mean([len(take(point)[1]) for point in some]) * 4 / 3 + 30 + 40 * len(levels)
    many = int(min(most, (MOST_BYTES - len(pencil.whole) * 4 / 3) / mean))
    while True:
        points = sorted(plan(levels, first, fixed, many))
        data = _pack(shown, levels, first, marked, points, pencil, [take(p) for p in points])
        if len(json.dumps(data, ensure_ascii=False).encode()) <= MOST_BYTES:
            shown.close()
            return data
        if many < 2:
            raise ValueError(f"{scene.title}: its pictures are too large for {MOST_BYTES:,} bytes")
        many = int(0.85 * min(many, len(points)))


def _moved(point: Point, i: int, to: list[int]) -> list[Point]:
    """Return a point with one control moved to each of some levels."""
    return [(*point[:i], level, *point[i + 1 :]) for level in to if level != point[i]]


def _pack(shown, levels, first, marked, points, pencil, results) -> dict:
    """Return the JSON of chosen points; only the levels that occur are kept."""
    used = [sorted({point[i] for point in points}) for i in range(len(levels))]
    renumber = [{old: new for new, old in enumerate(one)} for one in used]

    def told(point):
        return [renumber[i][level] for i, level in enumerate(point)]

    pictures, rows, texts = {}, [], {}
    for point, (pairs, picture, corner) in zip(points, results, strict=True):
        number = pictures.setdefault(picture, len(pictures)) if picture else -1
        values = [texts.setdefault(text, len(texts)) for pair in pairs for text in pair]
        rows.append([told(point), values, number, *corner])
    controls = [
        {
            "name": key,
            "label": control.description,
            "kind": one.kind,
            "levels": [one.text(i) for i in kept],
            "steps": len(one.values),
        }
        for (key, control), one, kept in zip(shown.controls.items(), levels, used, strict=True)
    ]
    return {
        "title": shown.scene.title,
        "alt": shown.alt,
        "size": [round(100 * inches) for inches in shown.scene.size],
        "controls": controls,
        "start": told(first),
        "shows": [[told(point) for point in points] for points in marked],
        "first": _text(pencil.whole),
        "pictures": [_text(picture) for picture in pictures],
        "texts": list(texts),
        "points": rows,
    }


def _text(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


def plan(levels: list[Levels], first: Point, fixed: set[Point], most: int) -> set[Point]:
    """Choose at most ``most`` points, but always each control's own axis at some levels.

    In order of preference: everything; all combinations with fine axes; every combination of
    buttons with fine axes of each slider; axes alone, then with pairs of buttons.
    """
    buttons = [i for i, one in enumerate(levels) if one.options is not None]
    sliders = [i for i, one in enumerate(levels) if one.options is None]

    def product(counts) -> Iterator[Point]:
        return itertools.product(*(one.thinned(counts) for one in levels))

    def axes(count, with_buttons) -> set[Point]:
        found = set(fixed)
        free = buttons if with_buttons else []
        for at in itertools.product(*(range(len(levels[i].values)) for i in free)):
            base = list(first)
            for i, level in zip(free, at, strict=True):
                base[i] = level
            for i in range(len(levels)):
                for level in levels[i].thinned(count):
                    found.add((*base[:i], level, *base[i + 1 :]))
        return found

    def size(count) -> int:
        return math.prod(len(one.thinned(count)) for one in levels)

    most_levels = max(len(one.values) for one in levels)
    together = math.prod(len(levels[i].values) for i in buttons)
    if size(most_levels) <= most:
        return {*fixed, *product(most_levels)}
    if together <= most:
        for coarse, fine in ((11, 41), (9, 41), (9, 31), (7, 31), (5, 31), (5, 21), (4, 21)):
            if sliders and size(coarse) <= most:
                found = {*axes(fine, together * len(sliders) * fine <= most), *product(coarse)}
                if len(found) <= most:
                    return found
        for fine in (101, 61, 41, 31, 21, 15, 11):
            if together * fine <= most and len(found := axes(fine, True)) <= most:
                return found
    for fine in (61, 41, 31, 21, 15, 11, 7, 5):
        found = axes(fine, False)
        if len(found) <= most or fine == 5:
            break
    # Further off the start, in shells: two buttons moved, then three, as far as all of it fits.
    for moved in range(2, len(buttons) + 1):
        shell = set()
        for chosen in itertools.combinations(buttons, moved):
            for at in itertools.product(*(range(len(levels[i].values)) for i in chosen)):
                point = list(first)
                for i, level in zip(chosen, at, strict=True):
                    point[i] = level
                shell.add(tuple(point))
            if len(shell | found) > most:
                return found
        found |= shell
    return found


class Pencil:
    """Pictures as small as they get: one whole, of the others what differs from it.

    The first of ``pictures``, ``(h, w, 3)`` each, is the whole one; the colours are found from all.
    """

    def __init__(self, pictures: list[np.ndarray]):
        self.first = pictures[0]
        rows = np.concatenate([picture[i % 3 :: 3] for i, picture in enumerate(pictures)])
        self.palette = Image.fromarray(rows).quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
        colours = np.array(self.palette.getpalette()).reshape(-1, 3)
        colours[np.abs(colours - 255).sum(1).argmin()] = 255  # white stays white
        self.palette.putpalette(colours.astype(np.uint8).ravel().tolist())
        self.whole = _webp(self._few_colours(self.first))

    def _few_colours(self, pixels: np.ndarray) -> np.ndarray:
        few = Image.fromarray(pixels).quantize(palette=self.palette, dither=Image.Dither.NONE)
        return np.array(few.convert("RGB"))

    def overlay(self, pixels: np.ndarray) -> tuple[bytes, tuple[int, int]]:
        """Return the part that differs, transparent where it does not, and its corner."""
        differs = (pixels != self.first).any(-1)
        if not differs.any():
            return b"", (0, 0)
        (top, bottom), (left, right) = (
            (line.argmax(), len(line) - line[::-1].argmax())
            for line in (differs.any(1), differs.any(0))
        )
        part = np.s_[top:bottom, left:right]
        few = np.dstack([self._few_colours(pixels[part]), 255 * differs[part]]).astype(np.uint8)
        few[~differs[part]] = 0
        return _webp(few), (int(left), int(top))


def _webp(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "webp", lossless=True, quality=60, method=4)
    return out.getvalue()


if __name__ == "__main__":
    main()
