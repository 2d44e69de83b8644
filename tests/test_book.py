"""The static book: an explorer's pictures are its own, and move in Chromium without Python.

No Sphinx is needed here: the page of this test holds the book's scripts, an explorer with every
kind of control, and exercises. `make book-check` opens the whole book in the same way.
"""

import base64
import io
import json
import re
import shutil
import sys

import ipywidgets
import numpy as np
import pytest
from PIL import Image

import course
from course import ROOT
from genlib import plots
from genlib.check import Choice, Number
from genlib.widgets import Scene, choice, log_slider, slider
from genlib.widgets.artists import dot, panel

sys.path.insert(0, str(ROOT / "book"))

import check as checks
import pages
import pictures
import references


class Toy(Scene):
    title = "A toy, <b>quoted</b>"
    alt = "A dot that five controls move."
    size = (4.0, 2.0)
    reveals = ({"x": 0.7}, None, ({"x": 0.2, "word": "c d"}, {}))

    def controls(self):
        return {
            "x": slider("x", 0.5, 0.0, 1.0, 0.1),
            "size": log_slider("size", 1.0, -1, 1, 0.5),
            "word": choice("word", ["a", "b", "c d"]),
            "list": ipywidgets.Dropdown(options={"one": 1, "two": 2}, description="list"),
            "tick": ipywidgets.Checkbox(value=False, description="tick"),
        }

    def stage(self, fig):
        self.ax = panel(fig.subplots(), "", ("x", 0, 1), ("y", 0, 1))
        self.dot = dot(self.ax, "q")

    def update(self, x, size, word, list, tick):
        self.dot.set_data([x], [0.2 * list + 0.1 * tick])
        self.dot.set_markersize(4 + 3 * size + len(word))
        return {"x": x, "size": f"{size:.2f}", "word": word + "!" * tick}


@pytest.fixture(scope="module")
def toy():
    return pictures.record(Toy(), {"x": 0.3}, most=100)


def values_of(data, point):
    controls = zip(data["controls"], point, strict=True)
    return {one["name"]: one["levels"][level] for one, level in controls}


def test_what_the_page_shows_is_what_the_explorer_draws(toy):
    explorer = pictures.Recorded(Toy(), x=0.3)
    whole = decode(toy["first"])
    worst = 0.0
    for at, texts, number, x, y in toy["points"][::7]:
        explorer.settings = " ".join(f"{k}={v!r}" for k, v in values_of(toy, at).items())
        shown = whole.copy()
        if number >= 0:
            shown.alpha_composite(decode(toy["pictures"][number]), (x, y))
        error = np.abs(np.asarray(shown.convert("RGB"), float) - explorer.pixels)
        worst = max(worst, error.mean())
        assert [toy["texts"][i] for i in texts] == [
            text for pair in explorer.pairs for text in pair
        ]
    assert worst < 1.5  # of 255: the few colours
    assert whole.getpixel((1, 1)) == (255, 255, 255, 255)


def decode(text):
    return Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA")


def test_the_start_and_the_answers_are_where_the_lecture_puts_them(toy):
    assert values_of(toy, toy["start"])["x"] == "0.3"
    known = [point[0] for point in toy["points"]]
    assert toy["start"] in known and all(at in known for row in toy["shows"] for at in row)
    first, none, third = toy["shows"]
    assert none == [] and values_of(toy, first[0])["x"] == "0.7"
    assert values_of(toy, third[0])["word"] == "c d" and third[1] == toy["start"]


def test_every_control_is_computed_along_its_axis():
    explorer = pictures.Recorded(Toy(), x=0.3)
    levels = [pictures.Levels(c, [explorer.values[n]]) for n, c in explorer.controls.items()]
    first = tuple(
        one.index(explorer.values[n]) for n, one in zip(explorer.controls, levels, strict=True)
    )
    everything = np.prod([len(one.values) for one in levels])
    for most in (20, 60, 100, int(everything)):
        points = pictures.plan(levels, first, {first}, most)
        assert len(points) <= most and first in points
        for i, one in enumerate(levels):
            on_axis = {p[i] for p in points if all(p[k] == first[k] for k in range(5) if k != i)}
            assert {0, len(one.values) - 1} <= on_axis and len(on_axis) > 1
    assert len(points) == everything


def test_a_control_that_is_mute_at_the_start_is_computed_where_it_speaks():
    class Mute(Toy):
        def update(self, x, size, word, list, tick):
            return super().update(x, 1.0, word, list if word == "c d" else 1, tick)

    data = pictures.record(Mute(), {"x": 0.3}, most=30)
    shown = [values_of(data, point[0]) for point in data["points"]]
    assert {one["list"] for one in shown if one["word"] == "c d"} == {"one", "two"}


def test_a_change_of_the_code_makes_a_picture_anew(monkeypatch, tmp_path):
    before = pictures.key("kl", {})
    assert before == pictures.key("kl", {}) != pictures.key("kl", {"mean_q": 1.0})
    files = {path.name for path in pictures._imported("genlib.lectures.l10_kl")}
    assert {"l10_kl.py", "explorer.py", "artists.py", "plots.py", "f_divergences.py"} <= files
    assert "l11_jsd.py" not in files


QUESTIONS = {
    "number": Number(0.25, 0.01, "so it is.", [(4.0, "Turn it over."), (float("inf"), "Not 1/0.")]),
    "endless": Number(float("inf"), 0.1, "no overlap.", [(0.0, "Not 0.")]),
    "choice": Choice('it\'s "b" & <c>', "yes.", {"a": "no, not a.", "z": "no, not z."}),
}
ANSWERS = {
    "number": ["0.25", "1/4", "0.2599", "0.27", "-1e9", "4", "inf", "0", "−0.25"],
    "endless": ["inf", "-inf", "3", "0"],
}


def toy_dot(k):
    return np.full((4, 8, 4), 80 * k, np.uint8)


@pytest.fixture(scope="module")
def book(toy, chrome, tmp_path_factory):
    """A page in a folder, and Chromium."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book" / "static", folder, dirs_exist_ok=True)
    (folder / "explorers").mkdir()
    (folder / "explorers" / "toy.js").write_text(pictures.script("toy", toy), encoding="utf-8")
    places = [pages.explorer("toy", "", "A dot.")]
    dots = [f"data:image/png;base64,{pictures._text(plots.encode(toy_dot(k)))}" for k in range(3)]
    places.append(pages.film(dots, "A film."))
    places += [pages.place(name, question) for name, question in QUESTIONS.items()]
    scripts = "".join(f'<script src="{name}.js"></script>' for name in ("explorer", "course"))
    (folder / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="book.css">{scripts}'
        f'{"".join(places)}<div style="height:3000px"></div>'
        '<div class="lecture-end" data-lecture="10_kl"></div>'
        '<div class="map"><a data-lecture="10_kl" data-exercises="2">KL</a></div>',
        encoding="utf-8",
    )
    return folder, chrome


@pytest.fixture
def page(book):
    folder, chrome = book
    page = chrome.new_page()
    complaints = checks.watch(page, folder)
    page.goto((folder / "index.html").as_uri())
    yield page
    assert complaints == []
    page.close()


def test_every_control_moves_by_mouse_and_key(page):
    assert checks.move_all(page) == len(Toy().controls())


def test_a_page_that_does_not_move_or_that_asks_elsewhere_is_caught(book, toy):
    folder, chrome = book
    dead = toy | {"points": [[p[0], [], -1, 0, 0] for p in toy["points"]]}
    (folder / "explorers" / "dead.js").write_text(pictures.script("dead", dead), encoding="utf-8")
    text = (
        (folder / "index.html").read_text().replace('data-explorer="toy"', 'data-explorer="dead"')
    )
    (folder / "dead.html").write_text(text + '<img src="https://example.org/a.png">')
    page = chrome.new_page()
    complaints = checks.watch(page, folder)
    page.goto((folder / "dead.html").as_uri())
    with pytest.raises(checks.Complaint, match="nothing moves"):
        checks.move_all(page)
    assert "request: https://example.org/a.png" in complaints
    page.close()


def test_answers_are_shown_settings_typed_and_all_put_back(page, toy):
    place = page.locator(".gx")
    settings = place.get_by_role("textbox", name="Settings")
    place.locator("canvas").wait_for()
    start = settings.input_value()
    assert start == "x=0.3 size=1 word=a list=one tick=no"
    shows = place.locator(".gx-shows button")
    assert shows.all_inner_texts() == ["Show 1", "Show 3 (0/2)"]
    shows.last.click()
    assert settings.input_value().startswith("x=0.2 size=1 word='c d'")
    assert shows.last.inner_text() == "Show 3 (1/2)"
    shows.last.click()
    assert settings.input_value() == start
    settings.fill("x=1 tick=yes")
    settings.press("Enter")
    assert "x=1.0" in settings.input_value() or "tick=yes" in settings.input_value()
    place.get_by_role("button", name="Reset").click()
    assert settings.input_value() == start
    assert place.locator("canvas").get_attribute("aria-label") == Toy.alt
    assert place.locator(".gx-title").inner_text() == Toy.title


def test_what_was_not_computed_is_said(page):
    place = page.locator(".gx")
    place.locator("canvas").wait_for()
    note = place.locator(".gx-note")
    x, size = (place.locator(f"[data-control={name}]") for name in ("x", "size"))
    x.focus()
    page.keyboard.press("End")
    assert note.inner_text() == "" and x.get_attribute("aria-valuetext") == "1.0"
    size.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert "0.1" == size.get_attribute("aria-valuetext")
    if x.get_attribute("aria-valuetext") != "1.0":
        assert "in Colab or at home" in note.inner_text() or note.inner_text() == ""


@pytest.mark.parametrize("name", ANSWERS)
def test_the_page_judges_as_python_does(page, name):
    place = page.locator(f'.gq[data-exercise="{name}"]')
    for text in ANSWERS[name]:
        numerator, _, denominator = text.replace("−", "-").partition("/")
        right, message = QUESTIONS[name].judge(float(numerator) / float(denominator or 1))
        place.get_by_role("textbox").fill(text)
        place.get_by_role("textbox").press("Enter")
        said = place.locator(".gq-verdict").inner_text()
        assert said.startswith("Right:" if right else "Not yet:"), (text, said)
        if "too" not in message and "finite" not in message:
            assert message in said
        else:
            assert message.split()[-1] in said
    for text in ("", "two", "1/x"):
        place.get_by_role("textbox").fill(text)
        place.get_by_role("button").click()
        assert "one number is asked for" in place.locator(".gq-verdict").inner_text()


def test_a_choice_is_judged_and_says_why(page):
    place, question = page.locator('.gq[data-exercise="choice"]'), QUESTIONS["choice"]
    buttons = place.get_by_role("button")
    assert buttons.all_inner_texts() == question.options
    for i, option in enumerate(question.options):
        buttons.nth(i).click()
        right, message = question.judge(option)
        verdict = place.locator(".gq-verdict").inner_text()
        assert verdict == f"{'Right' if right else 'Not yet'}: {message}"


def test_progress_stays_in_the_browser_and_colours_the_map(page):
    station = page.locator(".map a")
    assert "read" not in station.get_attribute("class") if station.get_attribute("class") else True
    page.locator(".lecture-end").scroll_into_view_if_needed()
    page.wait_for_function("() => localStorage.getItem('genlib-course')")
    kept = json.loads(page.evaluate("() => localStorage.getItem('genlib-course')"))
    assert kept["read"] == {"10_kl": True}
    page.reload()
    assert "read" in page.locator(".map a").get_attribute("class")
    assert page.locator(".map .progress").inner_text() == "read"


def test_every_reference_of_a_lecture_is_in_the_bibliography_once():
    assert references.missing() == [], "run `python book/references.py`"
    entries = references.entries().values()
    for names in (
        [references.plain(one["title"]) for one in entries],
        [one["eprint"] for one in entries if "eprint" in one],
        [one["doi"].lower() for one in entries if "doi" in one],
    ):
        assert len(set(names)) == len(names) > 20
    for one in entries:
        assert {"author", "title", "year"} <= set(one) and {"doi", "eprint", "note"} & set(one), one
        assert re.fullmatch(r"10\.\d{4,5}/\S+", one.get("doi", "10.1234/x")), one
        assert re.fullmatch(r"\d{4}\.\d{4,5}", one.get("eprint", "1234.5678")), one


def test_a_lecture_says_the_year_of_the_bibliography():
    entries, titles, seen = references.entries(), references.titles(), 0
    for path in course.lectures([]):
        for cell in course.read(path).cells:
            for line in references.lines_of(cell.source) if cell.cell_type == "markdown" else ():
                year = entries[references.key_of(line, titles)]["year"]
                assert year in line, (path.name, line, year)
                seen += 1
    assert seen > 200


def test_a_new_reference_is_read_off_its_line():
    line = (
        "A. One, B. Two et al., *Three of a kind*, ICML 2019,\n  [arXiv:1901.00001](https://x): so."
    )
    key, text = references.entry(line, {"one2019"})
    assert key == "one2019b" and "author = {A. One and B. Two and others}" in text
    assert "title = {{Three of a kind}}" in text and "eprint = {1901.00001}" in text
    key, text = references.entry("C. Four (1970). On five. *Annals of Six* 7.", {})
    assert key == "four1970" and "title = {{On five}}" in text and references.NOWHERE in text
    known = {references.plain("Three of a kind"): "one2019"}
    cell = f"## References\n\n- {line}\n- Not a work.\n"
    assert "{cite}`one2019`" in references.linked(cell, known)
    assert references.key_of("Three kinds", known) is None


@pytest.mark.parametrize(("name", "size"), [("30", (500, 206)), ("52", (500, 130))])
def test_a_film_is_cut_into_its_frames(name, size):
    (path,) = course.lectures([name])
    cells = [cell for _, cell in course.code_cells(course.read(path)) if ".replay()" in cell.source]
    frames = pages.cut(pages.pixels_of(cells[0].outputs[-1]))
    assert [frame.shape[1::-1] for frame in frames] == [size] * 4
    assert len({frame.tobytes() for frame in frames}) == 4


def test_a_film_plays(page):
    film, said = page.locator(".gf"), page.locator(".gf output")
    assert said.inner_text() == "frame 3 of 3"
    film.get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    assert said.inner_text() == "frame 2 of 3"
    assert film.locator("img:visible").count() == 1
    film.get_by_role("button", name="Play").click()
    assert said.inner_text() == "frame 1 of 3"
    page.get_by_text("frame 3 of 3").wait_for(timeout=10_000)
    film.get_by_role("button", name="Play").wait_for()
