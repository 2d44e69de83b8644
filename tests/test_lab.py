"""The live lab without a browser: its engine, and the widget that plays it."""

import asyncio
import concurrent.futures
import functools

import numpy as np
import pytest

from genlib import experiments, lab
from genlib.divergences.samples import sliced_wasserstein
from genlib.gans import GAN, REGISTRY
from genlib.widgets import gan_lab
from genlib.widgets import lab as open_lab

DRAWN = [(0.0, 0.0), (1.0, 0.5), (0.3, -0.8)]
SMALL = {"width": 8, "batch_size": 32}


def same(one, other):
    """Whether two states are equal to the last bit."""
    return all(
        np.array_equal(a, b)
        for name in one
        for a, b in zip(one[name], other[name], strict=True)
    )  # fmt: skip


@pytest.fixture(scope="module")
def run():
    """One run of six slices; tests branch from it and leave it alone."""
    made = lab.Run(**SMALL)
    assert made.advance(6)
    return made


@pytest.mark.parametrize("variant", REGISTRY)
def test_every_variant_trains_on_every_kind_of_data(variant):
    made = lab.Run(variant=variant, width=8)
    start = [array.copy() for array in made.frame.state["generator"]]
    for data in (*lab.data_names(), DRAWN):
        made.set(data=data)
        assert made.advance(1) and not made.trouble
        points, surface, arrows = made.look(50)
        assert points.shape == arrows.shape == (50, 2)
        assert np.isfinite(points).all() and np.isfinite(surface).all()
        assert np.isfinite(arrows).all() and np.ptp(surface) > 0
    ends = made.frame.state["generator"]
    assert all((a != b).any() for a, b in zip(start, ends, strict=True))
    assert made.step == lab.SLICE * (len(lab.data_names()) + 1)


def test_a_run_that_was_looked_at_paused_and_branched_is_the_uninterrupted_run(run):
    other = lab.Run(**SMALL)
    other.advance(2)
    other.look()
    other.judge()
    lab.Run(**SMALL, momentum=0.9).advance(1)  # another run in the same compiled model
    other.advance(4)
    assert same(other.frame.state, run.frame.state)
    branch = other.branch()
    other.seek(2)
    assert other.step == 2 * lab.SLICE
    assert same(other.frame.state, run.frames[2].state)
    other.advance(4)
    assert same(other.frame.state, run.frame.state) and len(other.frames) == 7
    branch.seek(0)
    branch.advance(1)
    assert same(branch.frame.state, run.frames[1].state), "in step with another"


CHANGES = [
    {"momentum": 0.9},
    {"generator_rate": 5e-3, "critic_rate": 1e-4},
    {"r1": 0.3},
    {"critic_steps": 3},
    {"batch_size": 64},
    {"data": "moons"},
    {"data": DRAWN},
    {"frozen": "critic"},
    {"frozen": "generator"},
    {"objective": "minimax"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_setting_does_what_a_new_run_with_those_weights_would(run, change):
    steered = run.branch(**change)
    fresh = lab.Run(**SMALL | change)
    assert _fits(fresh, run)
    fresh.frames = [fresh.frame._replace(state=run.frame.state)]
    assert steered.advance(2) and fresh.advance(2)
    assert same(steered.frame.state, fresh.frame.state)
    plain = run.branch()
    plain.advance(2)
    assert not same(steered.frame.state, plain.frame.state), "the setting did nothing"


def _fits(one, other):
    shapes = [
        [np.shape(a) for arrays in r.frame.state.values() for a in arrays] for r in (one, other)
    ]
    return shapes[0] == shapes[1]


def test_a_dead_frame_is_never_taken_for_the_one_at_its_address():
    made = lab.Run(**SMALL)
    made.advance(1)
    first, second = made.frames
    for _ in range(20):
        made.frames, made.at = [first], 0
        made.advance(2)
        address = id(made.frame)
        made.frames, made.at, others = [first], 0, []  # the frame that the model held is gone
        while len(others) < 300 and id(made.frame) != address:
            others.append(first._replace())
            made.frames = others[-1:]
        made.advance(1)
        assert same(made.frame.state, second.state)


def test_own_settings_move_in_mid_run():
    made = lab.Run(variant="wgan_gp", width=8)
    made.advance(1)
    engines = len(lab._engines)
    other = made.branch(penalty_weight=10.0)
    assert len(lab._engines) == engines, "a new weight needs no new graph"
    fresh = lab.Run(variant="wgan_gp", width=8, penalty_weight=10.0)
    fresh.frames = [fresh.frame._replace(state=made.frame.state)]
    other.advance(1)
    fresh.advance(1)
    assert same(other.frame.state, fresh.frame.state)
    made.advance(1)
    assert not same(other.frame.state, made.frame.state)


def test_a_slice_is_the_models_own_training():
    """The engine's detours, frozen players and movable settings, change no number."""
    settings = {"width": 8, "batch_size": 32, "r1": 0.3}
    made = lab.Run(**settings)
    model = GAN(*experiments.presets.default_networks("gan", (2,), 2, 8, seed=0), r1=0.3, seed=0)
    optimizers = [experiments.presets.OPTIMIZERS["adam"](1e-3) for _ in range(2)]
    model.compile(*optimizers, jit_compile=False)
    model.fit(made.data.pool, batch_size=32, steps_per_epoch=lab.SLICE, epochs=3, verbose=0)
    made.advance(3)
    np.testing.assert_allclose(
        made.frame.state["generator"][0], model.generator.weights[0].numpy(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("frozen", "stands", "moves"), [
    ("critic", "critic", "generator"), ("generator", "generator", "critic"),
])  # fmt: skip
def test_a_frozen_player_stands_still(run, frozen, stands, moves):
    other = run.branch(frozen=frozen)
    other.advance(1)
    for name in (stands, f"{stands}_optimizer"):
        assert same({name: other.frame.state[name]}, {name: run.frame.state[name]})
    pairs = zip(other.frame.state[moves], run.frame.state[moves], strict=True)
    assert all((a != b).any() for a, b in pairs)
    assert set(other.frame.losses) == set(run.frame.losses), "its loss is still told"


def test_another_variant_keeps_the_generator(run):
    other = run.branch()
    other.set(variant="wgan")
    assert same({"g": other.frame.state["generator"]}, {"g": run.frame.state["generator"]})
    assert same({"c": other.frame.state["critic"]}, {"c": run.frame.state["critic"]})
    assert other.settings["clip"] == experiments.preset("wgan", "ring").options["clip"]
    assert other.advance(1)
    other.set(variant="began")
    assert other.advance(1) and other.step == run.step + 2 * lab.SLICE
    other.set(width=16)
    assert other.step == 0, "another network starts anew"


@pytest.mark.parametrize(("bad", "words"), [
    ({"variant": "vae"}, "variant must be one of"),
    ({"data": "sun"}, "data must be one of"),
    ({"data": []}, "data must not be empty"),
    ({"data": [(0.0, 1.0)]}, "n >= 2"),
    ({"data": [(0.0, 1.0)] * 3}, "points that differ"),
    ({"data": [(0.0, np.nan), (1.0, 1.0)]}, "data must be finite"),
    ({"generator_rate": np.nan}, "generator_rate must be"),
    ({"critic_rate": -1}, "critic_rate must be"),
    ({"momentum": 1.0}, "momentum must be below 1"),
    ({"r1": -0.1}, "r1 must be"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"critic_steps": 1.5}, "critic_steps must be"),
    ({"frozen": "both"}, "frozen must be one of"),
    ({"seed": -1}, "seed must be"),
    ({"clip": 0.1}, "'clip' is no setting"),
    ({"objective": "wgan"}, "objective must be one of"),
    ({"variant": "gmmn", "frozen": "critic"}, "has no critic"),
    ({"variant": "gmmn", "r1": 0.1}, "r1 needs one number"),
    ({"variant": "wgan", "clip": 0}, "clip must be"),
])  # fmt: skip
def test_bad_settings_name_themselves_and_change_nothing(run, bad, words):
    before, frames = run.settings, list(run.frames)
    with pytest.raises(ValueError, match=words):
        run.set(**bad)
    assert run.settings is before and run.frames == frames
    with pytest.raises(ValueError, match=words):
        lab.Run(**SMALL | bad)


def test_training_that_breaks_stops_and_keeps_what_stood(run):
    other = run.branch(generator_rate=1e30)
    before = other.frame
    assert not other.advance(3) or not np.isfinite(other.made(10)).all()
    other = run.branch()
    other.set(generator_rate=1e38)
    other.advance(5)
    assert "Stopped" in other.trouble
    assert all(np.isfinite(a).all() for a in other.frame.state["generator"])
    assert before.step == run.step


def test_frames_take_bounded_memory(run, monkeypatch):
    monkeypatch.setattr(lab, "KEPT_BYTES", 1)
    other = run.branch()
    other.advance(40)
    assert len(other.frames) <= 21 and other.frames[0].step == 0
    steps = [frame.step for frame in other.frames]
    assert steps == sorted(set(steps)) and steps[-1] == other.step == 46 * lab.SLICE


# Numbers


@pytest.mark.parametrize("name", ["ring", "moons", "checkerboard"])
def test_true_samples_lie_within_their_null_level(name):
    data = lab.data_of(name)
    fresh = data.score(data.sample(experiments.COUNTED, 5), 6)
    for score, value in fresh.items():
        low, high = data.null[score]
        assert low - (high - low) - 0.01 <= value <= high + (high - low) + 0.01, score


def test_jsd_of_known_samples():
    for name in ("moons", "two_gaussians"):
        data = lab.data_of(name)
        _, p = data.cells
        assert 0.97 < p[:-1].sum() <= 1.0 and p[-1] < 0.03
        far = np.full((1000, 2), 50.0)
        assert abs(data.jsd(far) - np.log(2)) < 0.02
        half = np.concatenate([data.sample(15000, 1), far.repeat(15, 0)])
        # JSD of P and (P + far) / 2, up to the counting: h = 3/4 log 4/3 + 1/4 log 2 ... exactly.
        exact = 0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2)
        assert abs(data.jsd(half) - exact) < 0.03
    assert lab.data_of("moons").jsd(np.full((9, 2), np.nan)) == np.inf


def test_w1_is_at_least_the_sliced_distance():
    data = lab.data_of("ring")
    made = data.sample(experiments.COUNTED, 3) + np.float32(0.4)
    found = data.score(made, 4)
    sliced = float(sliced_wasserstein(made[:500], data.sample(500, 4), seed=0))
    assert sliced < found["W1"] and abs(found["W1"] - 0.4 * np.sqrt(2)) < 0.1
    assert found["modes"] < 8


def test_the_best_critics_contour_is_right_where_p_is_q():
    data = lab.data_of("ring")
    ratio = data.log_ratio(data.sample(2000, 3))
    inside = np.exp(data.log_p) > np.exp(data.log_p).max() / 10
    assert np.abs(ratio[inside]).mean() < 3 * data.ratio_error < 1.5
    shifted = data.log_ratio(data.sample(2000, 3) + np.float32(3))
    assert shifted[inside].min() > 3


# The widget


def in_a_thread(test):
    """Run a test where no event loop runs: Playwright, once started, has one in the main thread."""

    @functools.wraps(test)
    def run(*args, **options):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(test, *args, **options).result()

    return run


@pytest.fixture(scope="module")
def bench():
    made = open_lab(**SMALL)
    yield made
    made.close()


@in_a_thread
def test_it_plays_on_the_running_loop_and_hears_controls_meanwhile(bench):
    async def play():
        bench.play()
        pictures = set()
        for i in range(200):
            await asyncio.sleep(0.01)
            pictures.add(bench.png)
            if i == 50:
                bench.controls["generator_rate"].value = 2e-3
            if len(pictures) > 3 and i > 100:
                break
        bench.pause()
        stood = bench.runs[0].step
        await asyncio.sleep(0.2)
        assert bench.runs[0].step == stood, "it went on after pause"
        return pictures

    assert len(asyncio.run(play())) > 3
    assert bench.runs[0].settings["generator_rate"] == 2e-3
    assert bench.status == "paused" and bench.buttons["play"].description == "Play"


@in_a_thread
def test_it_needs_a_loop_to_play_and_none_to_step(bench):
    with pytest.raises(RuntimeError, match="event loop"):
        bench.play()
    before = bench.runs[0].step
    bench.step(12)
    assert bench.runs[0].step == before + 12
    bench.buttons["10"].click()
    assert bench.runs[0].step == before + 22


def test_two_runs_in_step(bench):
    bench.reset()
    bench.step(20)
    bench.branch(momentum=0.9)
    bench.step(20)
    first, second = bench.runs
    assert first.step == second.step == 40
    assert not same(first.frame.state, second.frame.state)
    assert "A and B differ in: momentum 0.5 in A, 0.9 in B" in bench._numbers.value
    line = bench.settings
    assert line.endswith("| momentum=0.9")
    bench.seek(20)
    assert same(first.frame.state, second.frame.state)
    bench.drop()
    bench.settings = line
    assert [run.settings["momentum"] for run in bench.runs] == [0.5, 0.9]
    bench.drop()


def test_a_wrong_control_says_so_and_the_run_stands(bench):
    bench.set(variant="wgan")
    before = bench.runs[0].settings
    text = next(t for t in bench._own.children if t.name == "clip")
    text.value = "-1"
    assert "clip must be" in bench.status and bench.runs[0].settings == before
    assert text.value == str(before["clip"])
    bench.set(variant="gan")


def test_drawn_data(bench):
    bench.controls["data"].value = gan_lab.DRAWN
    assert bench.runs[0].data.name == "drawn"
    line = bench.settings
    bench.canvas.strokes = [[(0.5, 0.5)]]
    assert "must be" in bench.status, "one point is refused"
    bench.canvas.clear()
    assert "must" in bench.status
    bench.settings = line
    assert bench.runs[0].data.name == "drawn" and bench.step(10) is None
    bench.set(data="ring")


def test_it_is_stored_with_a_picture_and_words(bench):
    data, metadata = bench._repr_mimebundle_()
    assert "image/png" in data and "gan on ring after" in metadata["image/png"]["alt"]
    assert "JSD" in metadata["image/png"]["alt"]


@in_a_thread
def test_closed_it_stops_and_says_so():
    async def play():
        made = open_lab(**SMALL)
        made.play()
        await asyncio.sleep(0.05)
        made.close()
        step = made.runs[0].step
        await asyncio.sleep(0.2)
        assert made.runs[0].step == step
        assert "closed" in made.status and gan_lab.GANLab.cut_short
        with pytest.raises(RuntimeError, match="closed"):
            made.play()

    asyncio.run(play())
