"""The plan of the course, its maps, and the two scenes that open it."""

import math
import re

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

import course
from genlib import lectures, plots
from genlib.lectures import l00_start_here as fit
from genlib.lectures import l01_terminology as terminology
from genlib.lectures import maps


def test_the_open_lectures_are_those_that_stand():
    assert lectures.open_slugs() == [path.stem for path in course.lectures()]


def test_what_a_lecture_needs_comes_before_it():
    assert list(lectures.SLUGS) == sorted(set(lectures.SLUGS))
    assert {lecture.theme for lecture in lectures.PLAN} == {"", *lectures.THEMES}
    for place, lecture in enumerate(lectures.PLAN):
        assert set(lecture.needs) <= set(lectures.SLUGS[:place]), lecture.slug


def test_a_lecture_is_open_when_its_module_and_its_notebook_exist(tmp_path, monkeypatch):
    monkeypatch.setattr(lectures, "_HERE", tmp_path)
    monkeypatch.setattr(lectures, "_NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "l10_kl.py").touch()
    assert lectures.open_slugs() == ["10_kl"], "installed without notebooks, as in Colab"
    (tmp_path / "notebooks").mkdir()
    assert lectures.open_slugs() == []
    (tmp_path / "notebooks" / "10_kl.ipynb").touch()
    assert lectures.open_slugs() == ["10_kl"]


def boxes(fig):
    """Return the text of each label and its place on the page, in pixels."""
    fig.canvas.draw()
    labels = [text for text in fig.axes[0].texts if text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent()) for text in labels]


@pytest.mark.parametrize("draw", [maps.draw_map, maps.draw_families])
def test_labels_neither_overlap_nor_leave_the_page(draw):
    with plots.style():
        fig = draw()
        found = boxes(fig)
    width, height = fig.canvas.get_width_height()
    for i, (name, box) in enumerate(found):
        assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height, name
        for other, at in found[:i]:
            apart = box.x0 >= at.x1 or at.x0 >= box.x1 or box.y0 >= at.y1 or at.y0 >= box.y1
            assert apart, f"{name!r} overlaps {other!r}"


@pytest.mark.parametrize("theme", lectures.THEMES)
def test_the_map_has_room_for_another_lecture(theme, monkeypatch):
    name = "A long name of what is new"
    monkeypatch.setattr(maps, "PLAN", (*lectures.PLAN, lectures.Lecture(theme, "99_x", name, 30)))
    test_labels_neither_overlap_nor_leave_the_page(maps.draw_map)


def test_the_map_names_every_lecture():
    texts = [text.get_text() for text in maps.draw_map().axes[0].texts]
    for slug in lectures.SLUGS:
        assert texts.count(slug[:2]) == 1
    assert set(lectures.THEMES) <= set(texts)


def test_what_is_shown_has_alt_text(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(maps, "display", lambda data, **_: shown.append(data))
    maps.show_map()
    maps.show_families()
    maps.show_open()
    the_map, families, links = (data["text/plain"] for data in shown)
    assert all(slug[:2] in the_map for slug in lectures.open_slugs())
    assert all(family.name in families for family in maps.FAMILIES)
    assert re.findall(r"\((\w+)\.ipynb\)", links) == lectures.open_slugs()[1:]


def test_families_are_consistent():
    for family in maps.FAMILIES:
        assert family.slug in ["", *lectures.SLUGS]
        assert bool(family.latent) == any(name[0] == "z" for name in family.nodes), family.name
        for arrow in family.arrows:
            assert set(re.split("[>~]", arrow)) <= set(family.nodes)


def test_the_glossary_is_in_order():
    path = course.NOTEBOOKS / "01_terminology.ipynb"
    text = course.read(path).cells[-1].source
    terms = [term.casefold() for term in re.findall(r"^- \*\*(.+?)\*\*: \S", text, re.M)]
    assert len(terms) > 30 and terms == sorted(terms)


# The scenes


def mixture(weight, mean_1, scale_1, mean_2, scale_2):
    clusters = tfd.Normal(np.array([mean_1, mean_2]), np.array([scale_1, scale_2]))
    return tfd.MixtureSameFamily(tfd.Categorical(probs=np.array([weight, 1 - weight])), clusters)


def test_fit_scores_as_the_library_does():
    x = fit.observations()
    np.testing.assert_allclose(
        fit.log_density(x, **fit.TRUTH), mixture(**fit.TRUTH).log_prob(x), rtol=1e-10
    )


def test_best_fit_is_a_peak():
    """No small step in any parameter raises the likelihood, and the truth scores below it."""
    x, best = fit.observations(), fit.best_fit(fit.observations())
    top = fit.log_density(x, **best).mean()
    assert top > fit.log_density(x, **fit.TRUTH).mean()
    for name, value in best.items():
        for step in (-0.02, 0.02):
            assert fit.log_density(x, **best | {name: value + step}).mean() < top


def test_fit_samples_follow_the_model():
    theta = {"weight": 0.2, "mean_1": -1.0, "scale_1": 0.3, "mean_2": 2.0, "scale_2": 1.5}
    samples = fit._sample(100_000, 0, **theta)
    dist = mixture(**theta)
    for at in (-1.2, 0.0, 2.5):
        assert abs((samples < at).mean() - dist.cdf(np.float64(at))) < 4 * 0.5 / math.sqrt(100_000)


def test_terminology_is_bayes():
    prior, means, scales = (0.7, 0.3), (-1.5, 1.0), (1.0, 0.5)
    x = np.linspace(-4, 4, 9)
    dist = mixture(0.7, -1.5, 1.0, 1.0, 0.5)
    np.testing.assert_allclose(terminology.marginal(x, prior, means, scales), dist.prob(x))
    rows = terminology.posterior(x, prior, means, scales)
    np.testing.assert_allclose(rows.sum(axis=0), 1)
    shares = dist.posterior_marginal(x).probs_parameter()
    np.testing.assert_allclose(rows.T, shares)
