"""Trials of GANs: one line trains and judges; and the live views that ride along."""

import functools
import io
import re

import keras
import numpy as np
import pytest
from PIL import Image

from genlib import data, experiments, networks
from genlib.gans import GAN, REGISTRY, WGAN
from genlib.likelihood import VAE
from genlib.widgets.gan_views import digits_view, points_view

POINTS = data.toy("ring").sample(500, seed=(0, 1)).numpy()


def test_the_truth_scores_its_ceiling_and_its_floor():
    """In 2-D, a Gaussian has 1 - exp(-9/2) of its mass within three standard deviations."""
    true = experiments.truth("ring")
    assert true.modes == 8 and true.model is None
    assert true.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.01)
    assert 0 < true.distance < 0.08
    assert experiments.truth("grid").modes == 25


@pytest.mark.parametrize("toy", experiments.RADIUS)
def test_true_samples_have_the_modes_width_and_the_jsd_of_chance(toy):
    """Within three deviations a 2-D Gaussian's variance is 1 - 4.5 exp(-4.5) / (1 - exp(-4.5))."""
    true, scale = experiments.truth(toy), experiments.RADIUS[toy] / 3
    stddev = experiments.density(toy).components_distribution.stddev()
    np.testing.assert_allclose(stddev, scale, rtol=1e-6)
    cut = np.sqrt(1 - 4.5 * np.exp(-4.5) / (1 - np.exp(-4.5)))
    assert cut == pytest.approx(0.974, abs=1e-3)
    assert true.width == pytest.approx(cut * scale, rel=0.01)
    assert 0.002 < true.jsd < 0.025
    fewer = experiments.density(toy).sample(5000, seed=(0, 1)).numpy()
    assert experiments.counted_jsd(fewer, toy) > 2 * true.jsd


def exact_jsd(p, q, half, cells=900):
    """By the midpoint rule on a square: an estimate that shares nothing with counting."""
    x = (np.arange(cells) + 0.5) / cells * 2 * half - half
    points = np.stack(np.meshgrid(x, x), -1).reshape(-1, 2).astype(np.float32)
    p, q = (np.asarray(dist.prob(points), float) + 1e-300 for dist in (p, q))
    halves = p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))
    return halves.sum() / 2 * (2 * half / cells) ** 2


@pytest.mark.parametrize("shrink", [0.5, 0.6, 1.5])
def test_modes_that_are_too_narrow_or_too_wide_cost_their_jsd(shrink):
    wrong = data.toy("ring", scale=0.1 * shrink)
    made = wrong.sample(experiments.COUNTED, seed=(0, 1)).numpy()
    exact = exact_jsd(data.toy("ring"), wrong, 1.6 if shrink < 1 else 2.0)
    assert 0.06 < exact < 0.2
    # Cells hide a little of what is narrow; chance adds a little.
    assert experiments.counted_jsd(made, "ring") == pytest.approx(exact, abs=0.012)
    if shrink < 1:
        assert experiments.mode_width(made, "ring") == pytest.approx(0.1 * shrink, rel=0.01)
        assert experiments.score_points(made[:2500], "ring")[1] > experiments.truth().high_quality


def test_a_lost_half_and_far_points_have_the_jsd_of_arithmetic():
    """Half of the modes: mass (1/2, 1/2) against (1, 0)."""
    made = data.toy("ring").sample(200_000, seed=(0, 1)).numpy()
    half = made[made[:, 1] > 0.05 * made[:, 0]]  # four of the eight modes
    p, q = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    exact = (np.sum(p * np.log(2 * p / (p + q))) + np.log(2 / 1.5)) / 2
    assert experiments.counted_jsd(half, "ring") == pytest.approx(exact, abs=0.01)
    assert experiments.counted_jsd(made + 100, "ring") == pytest.approx(np.log(2), abs=1e-4)


def test_what_is_not_finite_or_nowhere_near_cannot_look_good():
    bad = np.full((10, 2), np.nan)
    assert experiments.mode_width(bad, "ring") == experiments.counted_jsd(bad, "ring") == np.inf
    assert experiments.mode_width(np.zeros((10, 2)), "ring") == np.inf


def test_the_hard_ring_is_a_ring_with_the_rings_presets():
    hard = experiments.density("hard_ring")
    np.testing.assert_allclose(np.linalg.norm(data.mode_centers(hard), axis=1), 2, rtol=1e-6)
    assert experiments.circle("hard_ring").high_quality < 0.25
    ring = experiments.presets.PRESETS["ring"]
    assert experiments.presets.PRESETS["hard_ring"].keys() == ring.keys()
    trial = experiments.on_toy("gan", "hard_ring", steps=2, width=8)
    assert 0 < trial.jsd <= np.log(2) and trial.width > 0


def test_moons_have_no_modes_and_are_judged_by_the_distance_to_their_arcs():
    """True samples on and off a circle's arc, by a curve a hundred times as fine."""
    true, fine = experiments.truth("moons"), np.linspace(0, np.pi, 6401)
    upper = np.stack([np.cos(fine), np.sin(fine)], 1)
    arcs = np.concatenate([upper, [1, 0.5] - upper])
    made = experiments.density("moons").sample(1000, seed=(0, 5)).numpy()
    far = np.linalg.norm(made[:, None] - arcs, axis=-1).min(1)
    quality = experiments.score_points(made, "moons")[1]
    assert quality == pytest.approx(np.mean(far <= 0.3), abs=0.004)
    assert true.modes == 64 and 0.995 < true.high_quality < 0.9995 and true.jsd < 0.012
    on_arcs = arcs[::4].astype(np.float32)
    found = experiments.score_points(on_arcs, "moons")
    assert found[:2] == (64, 1.0) and experiments.mode_width(on_arcs, "moons") < 0.3 * true.width
    assert experiments.counted_jsd(on_arcs, "moons") > 0.3  # far too narrow
    one = experiments.counted_jsd(made[made[:, 1] > 0.6], "moons")
    assert one > 0.2
    presets = experiments.presets.PRESETS
    assert presets["moons"].keys() == presets["ring"].keys()


def test_an_even_circle_has_every_mode_and_three_quarters_of_the_quality():
    """On the unit circle, within 0.3 of a mode's centre means within 2 asin(0.15) of its angle."""
    round_trip, true = experiments.circle(), experiments.truth("ring")
    assert round_trip.modes == 8 and round_trip.model is None
    assert round_trip.high_quality == pytest.approx(16 * np.arcsin(0.15) / np.pi, abs=0.03)
    assert 0.7 < round_trip.high_quality < 0.8 < true.high_quality
    assert round_trip.distance > true.distance


def test_a_shifted_sample_scores_worse():
    made = data.toy("ring").sample(experiments.SAMPLES, seed=(0, 98)).numpy()
    modes, quality, distance = experiments.score_points(made + [1.0, 0.0], "ring")
    assert quality < 0.5
    # The mean of |<theta, shift>| over directions is 2 / pi.
    assert 0.5 < distance < 0.7
    assert experiments.score_points(made * np.nan, "ring") == (0, 0.0, np.inf)
    assert experiments.score_points(np.tile([[1.0, 0.0]], (50, 1)), "ring")[:2] == (1, 1.0)


def test_a_trial_repeats_and_its_settings_are_those_asked_for():
    pair = [experiments.on_toy("gan", seed=3, steps=20, width=8) for _ in range(2)]
    assert pair[0][1:4] == pair[1][1:4]
    assert pair[0].seconds > 0
    plain = experiments.on_toy(WGAN, seed=0, settings="paper", steps=2, width=8).model
    assert plain.clip == 0.01 and plain.critic_steps == 5
    assert int(plain.generator_optimizer.iterations) == 2
    other = experiments.on_toy(WGAN, seed=0, steps=4, width=8, epochs=2, clip=0.3).model
    assert other.clip == 0.3 and int(other.generator_optimizer.iterations) == 4


@pytest.mark.parametrize("name", ["magan", "gmmn"])
def test_another_seed_reuses_the_graph_and_changes_no_number(name):
    def run(seed, **options):
        return experiments.on_toy(name, seed=seed, steps=12, width=8, **options)

    def weights(trial):
        return [v.numpy() for v in trial.model.state]

    first, second = run(0), run(1)
    assert second.model.train_function is None  # it was trained by the first one's graph
    # A callback ties a run to its own model, so it compiles anew: an independent value.
    for seed, found in enumerate((first, second)):
        alone = run(seed, callbacks=[keras.callbacks.Callback()])
        assert alone.model.train_function is not None
        for got, want in zip(weights(found), weights(alone), strict=True):
            np.testing.assert_array_equal(got, want)
        assert found.model.history.history == alone.model.history.history
    assert run(2).model.train_function is None  # it was trained by the graph of the callback's run
    alone.model.jit_compile = True  # a setting that was changed by hand counts no more
    assert run(3).model.train_function is not None


def game_of(seed, name="gan", **options):
    nets = experiments.default_networks(name, (2,), width=8, seed=seed)
    model = experiments.build(name, "ring", nets, steps=8, seed=seed, **options)
    model.jit_compile = False  # XLA compiles longer than this trains
    return model


@pytest.mark.parametrize("name", ["gan", "mcgan", "magan"])
def test_over_seeds_trains_each_as_if_it_were_alone(name):
    def make(seed):
        return game_of(seed, name, ema=0.9)

    how = {"batch_size": 16, "epochs": 2}
    models = experiments.over_seeds(make, POINTS, steps=8, seeds=(3, 5), **how)
    for seed, found in zip((3, 5), models, strict=True):
        alone = make(seed)
        alone.fit(POINTS, steps_per_epoch=4, verbose=0, **how)
        for got, want in zip(found.state, alone.state, strict=True):
            np.testing.assert_array_equal(got, want)
        assert found.history.history == alone.history.history
        np.testing.assert_array_equal(found.sample(5, seed=1), alone.sample(5, seed=1))
        for log in alone.log_names:
            np.testing.assert_array_equal(found.step_losses[log], alone.step_losses[log])


def test_over_seeds_looks_at_each_and_runs_callbacks_for_each():
    class Count(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    count, made = Count(), []
    how = {"epochs": 2, "callbacks": [count], "look": lambda m: (made.append(m), count.epochs)[1]}
    assert experiments.over_seeds(game_of, POINTS, steps=4, seeds=3, **how) == [2, 4, 6]
    assert [m.train_function is None for m in made] == [False, True, True]


def test_over_seeds_takes_any_model_with_a_compiled_loop():
    def make(seed):
        encoder, decoder = networks.mlp(2, 4, 8, seed=seed), networks.mlp(2, 2, 8, seed=seed + 9)
        model = VAE(encoder, decoder, latent_dim=2, likelihood="gaussian", seed=seed)
        model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
        return model

    models = experiments.over_seeds(make, POINTS, steps=3, seeds=2)
    assert [int(m.optimizer.iterations) for m in models] == [3, 3]
    assert not np.array_equal(*(m.decoder.get_weights()[0] for m in models))


@pytest.mark.parametrize(
    "options",
    [{"r1": 0.5}, {"objective": "minimax"}, {"critic_steps": 2}, {"ema": 0.9}, {"name": "lsgan"}],
)
def test_over_seeds_refuses_what_the_first_ones_graph_would_train_wrongly(options):
    makers = [game_of, functools.partial(game_of, **options)]
    with pytest.raises(ValueError, match="differ in variables alone"):
        experiments.over_seeds(lambda k: makers[k](k), POINTS, steps=2, seeds=2)


def test_over_seeds_refuses_another_optimizer_and_counts_out_of_range():
    def make(seed):
        model = game_of(seed)
        model.generator_optimizer.epsilon = 1e-7 + seed
        return model

    with pytest.raises(ValueError, match="differ in variables alone"):
        experiments.over_seeds(make, POINTS, steps=2, seeds=2)
    for wrong in ({"steps": 0}, {"steps": 2, "seeds": 0}, {"steps": 2, "epochs": 1.5}):
        with pytest.raises(ValueError, match="whole number"):
            experiments.over_seeds(game_of, POINTS, **wrong)


def test_a_run_that_was_interrupted_before_its_graph_stood_leaves_no_trace(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GAN, "_compiled_epoch", interrupt)
        experiments.on_toy("gan", seed=0, steps=7, width=8)
    assert experiments.on_toy("gan", seed=1, steps=7, width=8).model.train_function is not None


def test_a_trial_on_digits():
    trial = experiments.on_digits("gan", steps=3, width=8)
    assert trial.model.sample(2).shape == (2, 8, 8, 1)
    assert 0 <= trial.score.confident <= 1
    larger = experiments.on_digits("ebgan", size=16, steps=3, width=8)
    assert larger.model.sample(2).shape == (2, 16, 16, 1) and larger.model.margin == 1.45


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "gann"}, "variant must be one of"),
        ({"variant": "gan", "toy": "checkerboard"}, "toy must be one of grid, hard_ring, moons"),
        ({"variant": "gan", "settings": "best"}, "settings must be one of paper, preset"),
        ({"variant": "gan", "steps": 0.5}, "steps must be a whole number"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        experiments.on_toy(**options)


def test_the_stored_runs_are_complete_and_in_range():
    """Of each data set and settings the same seeds of all variants, at one budget."""
    rows = experiments.stored()
    trained = [row for row in rows if row["settings"] != "truth"]
    variants = {row["variant"] for row in trained}
    assert "gan" in variants and variants <= set(REGISTRY)
    assert {"ring"} <= {row["data"] for row in trained} <= {*experiments.NEAR, "digits"}
    for data_set, settings in {(row["data"], row["settings"]) for row in trained}:
        here = [r for r in trained if (r["data"], r["settings"]) == (data_set, settings)]
        seeds = sorted({row["seed"] for row in here})
        assert settings in experiments.SETTINGS and seeds == list(range(len(seeds)))
        cells = sorted((row["variant"], row["seed"]) for row in here)
        assert cells == sorted((name, seed) for name in variants for seed in seeds)
        assert len({row["steps"] * row["batch_size"] for row in here}) == 1
        most = {"grid": 25, "digits": 10, "moons": 64}.get(data_set, 8)
        (true,) = (r for r in rows if (r["data"], r["settings"]) == (data_set, "truth"))
        for row in here:
            assert 0 <= row["modes"] <= most and 0 <= row["quality"] <= 1
            assert true["jsd"] / 2 < row["jsd"] <= np.log(2) + 1e-4 or row["jsd"] == np.inf
            assert row["width"] > 0 and row["seconds"] > 0
            assert np.isnan(row["distance"]) == (data_set == "digits")
    assert len({tuple(row) for row in rows}) == 1


@pytest.mark.xla
def test_a_preset_counts_the_modes_that_its_stored_runs_found():
    told = {}
    for name in REGISTRY:
        counted = re.search(r"(\d+) and (\d+) of 25", experiments.preset(name, "grid").why)
        if counted:
            told[name] = [int(n) for n in counted.groups()]
            preset = {"data": "grid", "settings": "preset", "variant": name}.items()
            rows = [row for row in experiments.stored() if preset <= row.items()]
            assert told[name] == [row["modes"] for row in rows], name
    assert set(told) == {"ebgan", "began", "magan"}


def test_a_stored_run_of_the_moons_can_be_had_again():
    """A run of today lands in the band of the stored seeds; test_gan_quality does the rings."""
    cell = {"data": "moons", "settings": "preset", "variant": "lsgan"}
    rows = [row for row in experiments.stored() if cell.items() <= row.items()]
    trial = experiments.on_toy("lsgan", "moons", seed=0, steps=int(rows[0]["steps"]))
    slack = {"quality": 0.05, "width": 0.02, "jsd": 0.1}
    for name, value in zip(slack, (trial.high_quality, trial.width, trial.jsd), strict=True):
        found = [row[name] for row in rows]
        assert min(found) - slack[name] < value < max(found) + slack[name], name


def test_an_incomplete_block_is_left_out(monkeypatch, tmp_path):
    head = "# a comment\ndata,settings,variant,seed,jsd\n"
    whole = [f"ring,preset,{name},0,0.5" for name in REGISTRY]
    part = [f"ring,preset,{name},1,0.5" for name in list(REGISTRY)[1:]]
    (tmp_path / "runs.csv").write_text(head + "\n".join([*whole, *part, "ring,truth,truth,0,inf"]))
    monkeypatch.setattr(experiments, "__file__", str(tmp_path / "x.py"))
    rows = experiments.stored.__wrapped__()
    assert len(rows) == len(REGISTRY) + 1 and {row["seed"] for row in rows} == {0}
    assert rows[-1]["jsd"] == np.inf and rows[0]["variant"] == next(iter(REGISTRY))


def frame(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_live_views(monkeypatch):
    monkeypatch.setattr("genlib.widgets.training_view.display", lambda *a, **k: None)
    digits, _ = data.images("digits")
    views = {
        "points": points_view(POINTS, lambda m, xy: m.critic(xy)[:, 0], steps=2, alt="Points."),
        "no surface": points_view(POINTS, None, steps=2, line=0.0, alt="Points."),
        "digits": digits_view(digits, steps=2, alt="Digits."),
    }
    for name, view in views.items():
        view._send = lambda small=False, view=view: _png(view)
        run = experiments.on_digits if name == "digits" else experiments.on_toy
        run(GAN, steps=4, width=8, epochs=2, callbacks=[view])
        assert [epoch for epoch, _ in view.frames] == [0, 1, 2]
        pictures = [frame(png) for _, png in view.frames]
        assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 0


def _png(view):
    from genlib import plots

    return plots.encode(view._canvas.buffer_rgba())
