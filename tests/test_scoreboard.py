"""The scoreboard says what the stored runs say, and no more rows than the lectures so far."""

import numpy as np
import pytest

from genlib import experiments, plots
from genlib.gans import REGISTRY
from genlib.lectures import SLUGS, scoreboard

#: Numbers that can be told apart in a table: by data set, variant and seed.
QUALITY = {"ring": 0.9, "digits": 0.5}


def run(data, settings, variant, seed, quality, jsd=0.3):
    text = {"data": data, "settings": settings, "variant": variant}
    numbers = {"seed": float(seed), "quality": quality, "jsd": jsd, "width": 0.07}
    return text | numbers


@pytest.fixture
def runs(monkeypatch):
    found = [
        run(data, "preset", name, seed, QUALITY[data] - 0.01 * i + 0.001 * seed)
        for data in QUALITY
        for i, name in enumerate(REGISTRY)
        for seed in range(3)
    ]
    found += [run("ring", "paper", name, 0, 0.1, np.inf) for name in REGISTRY]
    found += [run("ring", "truth", "truth", 0, 0.99, 0.007)]
    monkeypatch.setattr(experiments, "stored", lambda: tuple(found))
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt: shown.append((fig, alt)))
    return shown


def test_every_lecture_on_a_gan_has_its_row_and_every_gan_its_lecture():
    assert [slug for slug in SLUGS if "30" <= slug[:2] <= "42"] == list(scoreboard.TAUGHT)
    assert sorted(sum(scoreboard.TAUGHT.values(), [])) == sorted(REGISTRY)
    assert len({scoreboard.name_of(name) for name in REGISTRY}) == len(REGISTRY)


@pytest.mark.parametrize(("upto", "rows"), [("30_gan", 1), ("34_rwgan", 5), ("42_magan", 14)])
def test_a_row_for_each_gan_so_far_and_the_newest_is_marked(runs, capsys, upto, rows):
    scoreboard.scoreboard(upto)
    ((fig, alt),) = runs
    panels = fig.axes
    assert len(panels) == 4, "quality and JSD of the two data sets that have runs"
    names = [tick.get_text() for tick in panels[0].get_yticklabels()]
    weights = [tick.get_fontweight() for tick in panels[0].get_yticklabels()]
    assert len(names) == rows and weights == ["normal"] * (rows - 1) + ["bold"]
    assert f"of {rows} GANs" in alt and f"JSD: {names[-1]}: ring" in alt
    text = capsys.readouterr().out
    newest = next(line for line in text.splitlines() if line.startswith(names[-1]))
    place = list(REGISTRY).index(scoreboard.TAUGHT[upto][-1])
    assert f"{0.9 - 0.01 * place + 0.001:.0%}" in newest and "0.300" in newest
    assert f"{0.9 - 0.01 * place + 0.001:.0%}" in alt
    assert "99%" in text.splitlines()[-1] and "ring 99% and 0.01" in alt


def test_every_run_is_a_dot_and_what_is_infinite_stands_at_the_end(runs):
    scoreboard.scoreboard("31_wgan")
    quality, jsd = runs[0][0].axes[:2]
    dots = np.concatenate([line.get_xdata() for line in quality.lines if line.get_marker() == "o"])
    assert sorted(dots) == pytest.approx(sorted([90, 90.1, 90.2, 89, 89.1, 89.2, 10, 10]))
    ends = np.concatenate([line.get_xdata() for line in jsd.lines if line.get_marker() == "o"])
    assert ends.max() == pytest.approx(np.log(2))


def test_another_lecture_is_refused():
    with pytest.raises(ValueError, match="upto must be one of 30_gan"):
        scoreboard.scoreboard("21_vae_images")
