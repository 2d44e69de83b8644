import base64
import contextlib
import io
import re
import types

import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb
from PIL import Image
from tensorflow_probability import distributions as tfd

import genlib.source
from genlib import plots


@pytest.fixture
def displayed(monkeypatch):
    """What was displayed, as a list of (data, metadata)."""
    seen = []

    def display(data, metadata=None, raw=False, **_):
        assert raw
        seen.append((data, metadata))

    monkeypatch.setattr(plots, "display", display)
    monkeypatch.setattr(genlib.source, "display", display)
    return seen


def decode(png):
    image = Image.open(io.BytesIO(png))
    image.load()
    return np.asarray(image)


@pytest.mark.parametrize("role", plots.COLORS)
def test_ink_can_be_read_on_white_and_keeps_what_already_could(role):
    color, ink = np.array(to_rgb(plots.COLORS[role])), np.array(plots.ink(role))
    assert 4.5 <= plots.contrast(ink) <= max(4.8, plots.contrast(color))
    np.testing.assert_allclose(ink / ink.max(), color / color.max(), atol=1e-9)


def test_contrast_is_that_of_wcag():
    assert plots.contrast(np.zeros(3)) == 21
    assert plots.contrast(np.ones(3)) == pytest.approx(1)
    assert plots.contrast(np.array(to_rgb("#767676"))) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("small", [False, True])
def test_encode_keeps_every_pixel(small):
    rgba = np.random.default_rng(0).integers(0, 256, (37, 53, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    np.testing.assert_array_equal(decode(plots.encode(rgba, small))[..., :3], rgba[..., :3])


def test_show_stores_a_picture_with_alt_text_and_closes_the_figure(displayed):
    fig, ax = plots.figure(size=(3, 2))
    ax.plot([0, 1])
    plots.show(fig, "A rising  line.\n")
    ((data, metadata),) = displayed
    assert metadata == {"image/png": {"alt": "A rising line."}}
    assert data["text/plain"] == "A rising line."
    png = io.BytesIO(base64.b64decode(data["image/png"]))
    assert Image.open(png).size == (300, 200)
    assert not fig.axes


def test_show_closes_a_pyplot_figure(displayed):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    fig = plt.figure()
    plots.show(fig, "Nothing.")
    assert not plt.fignum_exists(fig.number)


def test_show_gives_a_plain_title_the_house_style(displayed):
    fig, ax = plots.figure()
    ax.set_title("What is seen")  # outside the style, as a notebook's cell does
    fig.clear = lambda: None
    plots.show(fig, "Nothing.")
    title = ax._left_title
    assert (title.get_text(), ax.get_title("center")) == ("What is seen", "")
    assert (title.get_fontsize(), title.get_fontweight()) == (12, "bold")


def test_show_keeps_what_was_chosen_for_a_title(displayed):
    fig, ax = plots.figure()
    ax.set_title("In blue", color=plots.COLORS["p"], fontsize=9, fontweight="light")
    fig.clear = lambda: None
    plots.show(fig, "Nothing.")
    title = ax._left_title
    assert title.get_text() == "In blue" and same_color(title.get_color(), plots.COLORS["p"])
    assert (title.get_fontsize(), title.get_fontweight()) == (9, "light")


@pytest.mark.parametrize("chosen", [{}, {"color": "red", "fontsize": 10}])
def test_a_title_is_the_same_picture_inside_the_style_and_outside(displayed, chosen):
    for set_under in (plots.style, contextlib.nullcontext):
        fig, ax = plots.figure(size=(3, 2))
        with set_under():
            ax.set_title("Title", **chosen)
        plots.show(fig, "Nothing.")
    inside, outside = (data["image/png"] for data, _ in displayed)
    assert inside == outside


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_show_wants_alt_text(alt, displayed):
    fig, _ = plots.figure()
    with pytest.raises(ValueError, match="alt must be"):
        plots.show(fig, alt)


def test_style_leaves_no_trace():
    import matplotlib

    before = dict(matplotlib.rcParams)
    fig, _ = plots.figure()
    with plots.style():
        assert matplotlib.rcParams["axes.grid"]
    assert dict(matplotlib.rcParams) == before


def test_density_draws_the_density():
    _, ax = plots.figure()
    xs = np.linspace(-3, 3, 7)
    line, shade, text = plots.density(ax, tfd.Normal(0.0, 1.0), xs, "q", "Q")
    np.testing.assert_allclose(line.get_ydata(), np.exp(-(xs**2) / 2) / np.sqrt(2 * np.pi), 1e-5)
    assert line.get_color() == plots.COLORS["q"]
    assert text.get_position()[0] == 0


def test_set_fill_moves_the_shade():
    _, ax = plots.figure()
    x = np.array([0.0, 1.0])
    shade = plots.fill(ax, x, 0, 1)
    plots.set_fill(shade, x, [0, -1], 2)
    ((path),) = shade.get_paths()
    assert path.vertices[:4].tolist() == [[0, 0], [1, -1], [1, 2], [0, 2]]


def test_samples_wants_points_of_the_plane():
    _, ax = plots.figure()
    assert len(plots.samples(ax, np.zeros((5, 2)), "generated").get_offsets()) == 5
    with pytest.raises(ValueError, match=r"points must have shape \(n, 2\)"):
        plots.samples(ax, np.zeros((5, 3)))


def test_on_grid_puts_rows_along_y():
    x, y, values = plots.on_grid(lambda points: points[:, 1], (0, 1, 5, 9), 3)
    assert x.tolist() == [0, 0.5, 1] and y.tolist() == [5, 7, 9]
    assert values.tolist() == [[5, 5, 5], [7, 7, 7], [9, 9, 9]]


def test_contour_and_heat_take_a_density():
    _, ax = plots.figure()
    dist = tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0])
    assert plots.contour(ax, dist, (-2, 2, -2, 2), resolution=20).levels.size
    assert plots.heat(ax, dist, (-2, 2, -2, 2), resolution=20).get_array().shape == (20, 20)


def test_sheet_lays_images_out_in_rows():
    x = np.arange(3)[:, None, None] * np.ones((3, 2, 2)) / 4
    page = plots.sheet(x, columns=2, gap=1)
    assert page.shape == (5, 5)
    assert page[0, 0] == 0 and page[0, 3] == 0.25 and page[3, 0] == 0.5 and page[4, 4] == 0
    assert plots.sheet(np.zeros((4, 2, 2, 3)), columns=2).shape == (5, 5, 3)
    with pytest.raises(ValueError, match="x must have shape"):
        plots.sheet(np.zeros((4, 2)))


def test_curves_name_each_line():
    _, ax = plots.figure()
    lines = plots.curves(ax, [0, 1], {"real": [0, 1], "other": [1, 0]}, {"real": "real"})
    assert len(lines) == 2 and lines[0].get_color() == plots.COLORS["real"]
    assert [text.get_text() for text in ax.texts] == ["real", "other"]


def documented(x):
    """Say it back.

    And more.
    """
    return x


class Documented:
    """A class."""

    def method(self):
        """A method."""
        return 1

    @property
    def only_words(self):
        """All there is."""


def test_source_shows_code_without_its_docstring(displayed):
    genlib.source.show(documented)
    data, _ = displayed[0]
    code = "def documented(x):\n    return x"
    assert f"```python\n{code}\n```" in data["text/markdown"]
    assert f"{documented.__module__}.documented" in data["text/markdown"]
    assert genlib.source.text(documented, doc=True)[0].count("And more") == 1


def test_source_can_be_folded_under_its_name(displayed):
    genlib.source.show(documented, fold=True)
    markdown = displayed[0][0]["text/markdown"]
    head, code, end = re.split("\n\n```python|```\n\n", markdown)
    assert head == f"<details><summary>{documented.__module__}.documented</summary>"
    assert code.strip() == "def documented(x):\n    return x" and end == "</details>"


def test_source_of_a_class_a_method_and_a_compiled_function():
    import tensorflow as tf

    code, _ = genlib.source.text(Documented)
    assert "A class" not in code and "A method" not in code and "All there is" in code
    assert genlib.source.text(Documented.method)[0] == "def method(self):\n    return 1"
    assert genlib.source.text(Documented.only_words)[0].startswith("@property")
    assert genlib.source.text(tf.function(documented))[0].startswith("def documented")


@pytest.mark.parametrize("obj", [len, 3, types.SimpleNamespace()])
def test_source_of_what_has_none(obj):
    with pytest.raises(TypeError, match="obj must be"):
        genlib.source.text(obj)
