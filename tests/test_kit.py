"""For teachers: slides of a lecture, and its text taken out and put back."""

import re
import sys

import pytest

import course
import slides
import translate
from format import stored

sys.path.insert(0, str(course.ROOT / "book"))

import kit


@pytest.mark.parametrize("path", course.lectures(), ids=lambda path: path.stem)
def test_a_text_taken_out_and_put_back_is_the_same_lecture(path):
    text = translate.taken_out(course.read(path))
    assert stored(translate.put_back(course.read(path), text)) == path.read_text("utf-8")


def test_only_text_is_translated_and_every_cell_of_it():
    (path,) = course.lectures(["10"])
    text = translate.taken_out(course.read(path))
    new = translate.put_back(course.read(path), text.replace("The question", "Die Frage"))
    old = course.read(path)
    assert any("## Die Frage" in cell.source for cell in translate.texts(new))
    for one, other in zip(old.cells, new.cells, strict=True):
        assert one.cell_type == "markdown" or one == other
    first = translate.MARK.format(translate.texts(old)[0].id)
    for broken, said in (
        (text.replace(first, "", 1), "must begin"),
        (text.replace(first, translate.MARK.format("new"), 1), "unknown: ['new']"),
        (text + first + "\nagain\n", "twice"),
    ):
        with pytest.raises(SystemExit, match=re.escape(said)):
            translate.put_back(course.read(path), broken)


@pytest.mark.parametrize("name", ["10", "30"])
def test_slides_have_titles_and_pictures_and_no_answers(name):
    (path,) = course.lectures([name])
    lecture = course.read(path)
    shown = slides.slides(lecture)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in shown.cells]
    assert kinds[0] == "slide" and kinds.count("slide") >= 8
    text = [cell.source for cell in shown.cells if cell.cell_type == "markdown"]
    assert max(map(len, text)) < 2.5 * slides.LONGEST
    assert not any("<details>" in one or "Open in Colab" in one for one in text)
    assert not any(course.is_solution(cell) for cell in shown.cells)
    html = slides.convert(path)
    pictures = [o for _, c in course.code_cells(lecture) for o in c.outputs if "data" in o]
    pictures = [o for o in pictures if "image/png" in o.data]
    assert html.count("<img ") == len(pictures) > 3
    assert slides.NO_ALT not in html and pictures[0].metadata["image/png"]["alt"][:20] in html
    for heading in ("The question", "Take away"):
        assert heading in html


def test_the_plans_name_open_lectures_after_those_that_they_need():
    for plan in (kit.TWELVE, kit.WEEKEND):
        order = [slug for slugs in plan.values() for slug in slugs]
        assert len(set(order)) == len(order) and all(map(course.plan.is_open, order))
    assert len(kit.TWELVE) == 12
    order = [slug for slugs in kit.TWELVE.values() for slug in slugs]
    for i, slug in enumerate(order):
        assert set(kit.PLANNED[slug].needs) <= set(order[:i]), slug
