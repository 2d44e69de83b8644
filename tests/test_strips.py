"""The 16x16 strips: every GAN has one, with scores in range, and lectures grow by rows."""

import numpy as np
import pytest

from genlib import plots
from genlib.gans import REGISTRY
from genlib.lectures import l30_gan, strips

NAMES = {strips.REAL, strips.MEANS, strips.OURS, *REGISTRY}


def test_every_gan_has_its_strip_and_its_scores():
    kept, rows = strips.pictures(), strips.stored()
    assert set(kept) == NAMES == {row["variant"] for row in rows}
    for name, x in kept.items():
        assert x.shape == (48 if name == strips.OURS else 10, 16, 16) and x.dtype == np.uint8
    assert strips.PICTURES.stat().st_size < 100_000
    trained = [(row["variant"], row["seed"]) for row in rows]
    assert len(set(trained)) == len(rows)
    seeds = {tuple(s for v, s in trained if v == name) for name in REGISTRY}
    assert len(seeds) == 1, "the same seeds of all"
    for row in rows:
        assert 0 <= row["read"] <= 1 and 0 <= row["classes"] <= 10 and 0 <= row["width"] < 2


def test_the_yardsticks_score_what_is_stored():
    for name, pictures in strips.yardsticks().items():
        stored = strips.means(name)
        assert strips.scores(pictures) == pytest.approx(stored[:3], abs=0.02), name
    collapsed = np.repeat(strips.yardsticks()[strips.REAL][:1], 100, axis=0)
    assert strips.scores(collapsed)[1:] == pytest.approx((1, 0), abs=1e-5)
    assert strips.scores(np.full((3, 16, 16, 1), np.nan)) == (0, 0, 0)


def test_ours_is_the_pages_gan():
    model = l30_gan.digits_gan(steps=10)
    assert model.sample(2, averaged=True).shape == (2, 16, 16, 1) and model.r1 == 0.1


@pytest.mark.parametrize(("upto", "rows"), [("30_gan", 1), ("37_mmd_gan", 9), ("42_magan", 14)])
def test_a_strip_for_each_gan_so_far_and_the_newest_is_marked(monkeypatch, capsys, upto, rows):
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt: shown.append((fig, alt)))
    strips.strips(upto)
    ((fig, alt),) = shown
    names = [ax.yaxis.label for ax in fig.axes]
    new = 2 if upto[:2] == "37" else 1
    assert [x.get_fontweight() for x in names] == ["normal"] * (1 + rows - new) + ["bold"] * new
    assert names[-1].get_text() in alt
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 + rows + (new if rows > 1 else 0)
    read = [row["read"] for row in strips.stored() if row["variant"] == "gan"]
    assert len(read) == 3 and f"({min(read):.0%}..{max(read):.0%})" in lines[4]
    with pytest.raises(ValueError, match="upto must be one of"):
        strips.strips("43_gan_lab")
