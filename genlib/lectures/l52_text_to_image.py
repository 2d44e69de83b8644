"""Lecture 52: text to image."""

import functools
import html
from typing import NamedTuple

import ipywidgets as widgets
import keras
import numpy as np
import tensorflow as tf

from genlib import data, metrics, networks, plots, validate
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import ConditionalGAN, MatchingAwareGAN
from genlib.lectures import captions, scenes, sentences, shipped
from genlib.plots import COLORS
from genlib.widgets import Scene, TrainingView, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, key, moving, panel, words
from genlib.widgets.live import Live, weakly

# What a wrong caption does to the best generator, exactly


def best_generator(right, wrong, mismatch):
    """The samples' density that the matching-aware game would have, for one caption.

    It minimises ``JSD(right, (1 - w) q + w wrong)`` over all densities q: it is
    ``[k right - w wrong]_+ / (1 - w)``, with the k at which it adds up to 1.

    Args:
      right, wrong: shares ``(n,)`` of a grid, each adding up to 1: of real samples that have the
        caption, and of those that have another.
      mismatch: w, in [0, 1).
    """
    low, high = 0.0, 2.0
    for _ in range(50):
        k = (low + high) / 2
        q = np.maximum(k * right - mismatch * wrong, 0) / (1 - mismatch)
        low, high = (k, high) if q.sum() < 1 else (low, k)
    return q


GRID = np.linspace(-7, 7, 561)


def shares(center, scale=1.0):
    """A Gaussian's shares of `GRID`."""
    bell = np.exp(-(((GRID - center) / scale) ** 2) / 2)
    return bell / bell.sum()


class Told(NamedTuple):
    """What a generator's density for one of two captions is worth."""

    truth: float  # how often the best reader would say that caption
    spread: float  # standard deviation
    centre: float  # mean


def told(q, right, wrong):
    """`Told` of shares ``q`` of `GRID`; the reader knows both captions' densities."""
    centre = q @ GRID
    reader = right / (right + wrong)
    return Told(float(q @ reader), float(np.sqrt(q @ (GRID - centre) ** 2)), float(centre))


@scene("wrong_captions")
class WrongCaptions(Scene):
    """Two captions whose pictures overlap, and the best generator of the first: exactly."""

    title = "What wrong captions do to the best generator"
    alt = (
        "Left: two bells of the same width, the pictures of one caption in blue and of another, "
        "dashed, in grey; in vermillion the density that the best generator draws for the first "
        "caption, which is narrower than the blue bell and further from the grey one. Right: its "
        "truth against its spread as the share of wrong captions grows, a falling line with a dot "
        "at the share chosen; a blue dot marks the real pictures."
    )
    size = (9.6, 3.8)
    reveals = (
        {},
        {"mismatch": 0.0},
        ({"distance": 4.0}, {"distance": 6.0}),
        ({"mismatch": 0.25}, {"mismatch": 0.75}),
    )

    def controls(self):
        return {
            "distance": slider("distance of the captions", 1.5, 0.5, 6.0, 0.5),
            "mismatch": slider("share of wrong captions w", 0.5, 0.0, 0.9, 0.05),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1.25, 1])
        panel(left, "One number for a picture", ("x", -5, 6.5), ("density", 0, 0.8))
        self.other = curve(left, "mixture", linestyle="--")
        self.real, self.made = density(left, "real"), density(left, "generated", linewidth=3)
        key(left, 0.02, 0.97, {
            "real, this caption": "real", "real, the other caption": "mixture",
            "best generator": "generated",
        }, 0.09, fontsize=10)  # fmt: skip
        panel(
            right, "Truth and variety", ("spread", 0.5, 1.05), ("read as this caption (%)", 50, 101)
        )
        self.path, self.here = curve(right, "generated"), dot(right, "generated", 11)
        self.truth = dot(right, "real", 9, marker="s")
        names = {"square: real pictures": "real", "line: w from 0 to 0.9": "generated"}
        key(right, 0.03, 0.1, names, 0.09, fontsize=10)

    def update(self, distance, mismatch):
        right, wrong = shares(distance / 2), shares(-distance / 2)
        q = best_generator(right, wrong, mismatch)
        step = GRID[1] - GRID[0]
        self.other.move(GRID, wrong / step)
        self.real.move(GRID, right / step)
        self.made.move(GRID, q / step)
        path = [
            told(best_generator(right, wrong, w), right, wrong) for w in np.linspace(0, 0.9, 19)
        ]
        self.path.move([t.spread for t in path], [100 * t.truth for t in path])
        found, real = told(q, right, wrong), told(right, right, wrong)
        self.here.move(found.spread, 100 * found.truth)
        self.truth.move(real.spread, 100 * real.truth)
        return {
            "read as this caption": f"{found.truth:.1%}",
            "real": f"{real.truth:.1%}",
            "spread": found.spread,
            "real spread": real.spread,
            "mean": found.centre,
            "real mean": real.centre,
        }


# Captions of digits

LATENT = 32
STEPS = 3000


class Captioned(NamedTuple):
    """Pictures and their captions."""

    x: np.ndarray  # (n, 28, 28, 1) in [0, 1]
    rows: np.ndarray  # (n, 3), see `captions.attributes`
    seen: np.ndarray  # (n,) whether the caption is one to train on


@functools.cache
def captioned(split="train"):
    """The digits of ``images("mnist5k")`` with their measured captions."""
    x, y = data.images("mnist5k", split)
    rows = captions.attributes(x, y)
    return Captioned(x, rows, ~is_held_out(rows))


@functools.cache
def held_out():
    """Numbers of the 15 captions of `captions.every` that no training sees: 1 or 2 a digit."""
    rng = np.random.default_rng(0)
    some = [9 * digit + rng.choice(9, 1 + digit % 2, replace=False) for digit in range(10)]
    return np.sort(np.concatenate(some))


def is_held_out(rows):
    """Whether captions ``(n, 3)`` are among the `held_out`."""
    return np.isin(rows @ [3, 9, 1], held_out())


def digits_gan(mismatch=0.5, seed=0, steps=STEPS):
    """A `MatchingAwareGAN` for captioned digits, or with a ``mismatch`` of 0 a `ConditionalGAN`."""
    size, many = (28, 28, 1), len(captions.WORDS)
    generator = shipped.captions28(100 * seed)
    critic = networks.projection_critic(
        size, many, width=256, depth=2, activation="leaky_relu", seed=100 * seed + 50
    )
    return compiled(generator, critic, mismatch, seed, steps)


def compiled(generator, critic, mismatch, seed, steps, rate=3e-3):
    """A GAN of two networks with the settings of this lecture: R1, averaged weights, Adam."""
    kind, options = ConditionalGAN, {"r1": 0.3, "ema": 0.99, "seed": seed}
    if mismatch:
        kind, options = MatchingAwareGAN, options | {"mismatch": mismatch}
    model = kind(generator, critic, **options)
    falling = functools.partial(keras.optimizers.schedules.CosineDecay, rate, steps, alpha=0.05)
    model.compile(*(keras.optimizers.Adam(falling(), 0.5, 0.9) for _ in range(2)))
    return model


def judge_digits(made, rows, digits=None):
    """How pictures ``(n, m, 28, 28, 1)``, m of each caption ``(n, 3)``, keep to their captions.

    Returns, by name: "right", the share that has all three words, and each word's share;
    "variety", the variance over the pictures of one caption, summed over pixels, mean over the
    captions; "variety_of_right" ones alone, over captions of which 4 or more are right.
    ``digits`` ``(n, m)`` are the labels, for real pictures; else `metrics.read_digits` reads them.
    """
    n, m = made.shape[:2]
    flat = made.reshape(n * m, 28, 28, 1)
    digits = metrics.read_digits(flat) if digits is None else np.ravel(digits)
    hits = captions.attributes(flat, digits).reshape(n, m, 3) == rows[:, None]
    right = hits.all(2)
    found = {"right": right.mean()} | dict(zip(captions.KINDS, hits.mean((0, 1)), strict=True))
    return {name: float(value) for name, value in found.items()} | varieties(made, right)


def varieties(made, right):
    """The mean `spread` of the pictures ``(n, m, ...)`` of a caption, and of its right ones."""
    among = [spread(p[ok]) for p, ok in zip(made, right, strict=True) if ok.sum() >= 4]
    return {
        "variety": float(np.mean([spread(p) for p in made])),
        "variety_of_right": float(np.mean(among)) if among else float("nan"),
    }


def spread(pictures):
    """The variance over pictures ``(m, ...)``, summed over all pixels; NaN for one picture."""
    return float(np.var(pictures, axis=0, ddof=1).sum()) if len(pictures) > 1 else float("nan")


def drawn(generator, conditions, m=12, seed=0):
    """``m`` pictures for each condition ``(n, ...)``, of a trained network: ``(n, m, ...)``."""
    every = np.repeat(conditions, m, 0)
    z = latents(len(every), generator.input_shape[0][-1], seed)
    made = generator([z, every], training=False).numpy()
    return made.reshape(len(conditions), m, *made.shape[1:])


def latents(n, size, seed=0):
    """Standard normal numbers ``(n, size)``."""
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


def score_digits(generator, m=12):
    """`judge_digits` on all 75 seen and 15 held-out captions: "seen_right", "held_right", ..."""
    rows, found = captions.every(), {}
    for name, some in (("seen", ~is_held_out(rows)), ("held", is_held_out(rows))):
        judged = judge_digits(drawn(generator, captions.bag(rows[some]), m), rows[some])
        found |= {f"{name}_{what}": value for what, value in judged.items()}
    return found


def captions_view(rows, *, steps, alt) -> TrainingView:
    """Return a callback that draws six made pictures for each caption of ``rows`` ``(n, 3)``."""

    def draw(fig, model, epoch, logs):
        made = drawn(model.average, captions.bag(rows), 6, seed=1)
        strips(fig.subplots(-(-len(rows) // 3), 3), made, map(captions.caption, rows))
        fig.suptitle(f"after {steps * epoch:,} steps", fontsize=11)

    return TrainingView(draw, alt=alt, size=(9.6, 2.5))


def strips(axes, made, names):
    """Draw pictures ``(n, m, h, w, c)``, m side by side in each of ``axes``, with a name above."""
    axes.flat[0].figure.get_layout_engine().set(wspace=0.08)
    for ax, strip, name in zip(axes.flat, made, names, strict=True):
        plots.images(ax, strip, columns=len(strip))
        ax.set_title(name, fontsize=10, fontweight="normal")


# Sentences of scenes


def pairs_of(rows):
    """The number of the scene, 0 to 143, that sentences ``(n, 5)`` tell of: both ways are one."""
    return scenes.objects(rows) @ [36, 12, 3, 1]


@functools.cache
def held_out_scenes():
    """24 of the 144 scenes, which no training sees, in either way to say them."""
    return np.sort(np.random.default_rng(0).permutation(144)[:24])


def sentences_of(held, unseen=False):
    """All sentences ``(n, 5)`` of the held-out scenes, or of all the others.

    ``unseen``: held out are all scenes with a green triangle, a colour and a shape that training
    then sees only with others.
    """
    rows = scenes.every()
    out = np.isin(pairs_of(rows), held_out_scenes())
    if unseen:
        upper, lower = np.split(scenes.objects(rows), 2, 1)
        green = [list(scenes.COLOURS).index("green"), scenes.SHAPES.index("triangle")]
        out = (upper == green).all(1) | (lower == green).all(1)
    return rows[out == held]


def most_of_a_bag(rows):
    """How often any generator that is given a bag of words can be right on sentences ``(n, 5)``.

    It may at best choose one of the scenes that have the same words.
    """
    every = scenes.every()
    scene_of, bags = pairs_of(every), scenes.one_hot(every).sum(1)
    alike = (scenes.one_hot(rows).sum(1)[:, None] == bags).all(-1)
    return float(np.mean([1 / len(np.unique(scene_of[same])) for same in alike]))


@functools.cache
def _templates():
    """Every object at many places and sizes ``(n, 384)``, and its colour and shape ``(n, 2)``."""
    across, down, radius = np.linspace(-3.5, 3.5, 15), (-0.3, 0.0, 0.3), (2.9, 3.1, 3.3)
    grid = np.meshgrid(range(4), range(3), across, down, radius, indexing="ij")
    colour, shape, *where = (part.ravel() for part in grid)
    return scenes.half(colour, shape, *where).reshape(len(colour), -1), np.stack([colour, shape], 1)


#: How far from every template a half may be to count as an object; every drawn scene passes.
CLEAR = 2.5


def read_scenes(pictures):
    """What stands in pictures ``(n, 16, 16, 3)``, as `scenes.objects` ``(n, 4)``; -1: no object.

    Each half is given the nearest of 1,620 drawn ones, unless it is further than `CLEAR`.
    """
    halves, (known, names) = np.reshape(pictures, (-1, 384)), _templates()
    squares = (halves**2).sum(1)[:, None] + (known**2).sum(1) - 2 * halves @ known.T
    nearest = squares.argmin(1)
    found = np.where(squares.min(1)[:, None] < CLEAR**2, names[nearest], -1)
    return found.reshape(-1, 4)


def judge_scenes(made, rows):
    """How pictures ``(n, m, 16, 16, 3)`` keep to sentences ``(n, 5)``: as `judge_digits`."""
    n, m = made.shape[:2]
    read = read_scenes(made.reshape(n * m, *made.shape[2:])).reshape(n, m, 4)
    hits = read == scenes.objects(rows)[:, None]
    right = hits.all(2)
    parts = {"right": right, "colours": hits[..., ::2], "shapes": hits[..., 1::2]}
    return {name: float(part.mean()) for name, part in parts.items()} | varieties(made, right)


def score_scenes(generator, m=8, unseen=False):
    """`judge_scenes` on all sentences of scenes that were seen and that were held out."""
    found = {}
    for name, held in (("seen", False), ("held", True)):
        rows = sentences_of(held, unseen)
        judged = judge_scenes(drawn(generator, scenes.one_hot(rows), m), rows)
        found |= {f"{name}_{what}": value for what, value in judged.items()}
    return found


SCENE_STEPS = 2000
TOY_STEPS = 3000


def scenes_gan(kind="attention", mismatch=0.5, seed=0, steps=SCENE_STEPS):
    """A GAN of scenes with an encoder of this ``kind``, which trains with it."""
    made = sentences.generator(kind, seed=100 * seed)
    judge = sentences.critic(kind, seed=100 * seed + 50)
    # At 3e-3 the GRU's generator drew one picture for each sentence, at 1e-3 it reads.
    return compiled(made, judge, mismatch, seed, steps, rate=1e-3 if kind == "gru" else 2e-3)


def drawn_scenes(n=4000, seed=0, unseen=False):
    """``n`` pictures, and their sentences ``(n, 5)``, none of a held-out scene."""
    rows = sentences_of(False, unseen)
    rows = rows[np.random.default_rng(seed).integers(0, len(rows), n)]
    return scenes.draw(rows, seed), rows


# Stored runs, and the lecture's own training, which is one of them

#: What `run` can do, by name. A "toy" has two captions of one number, Gaussians so far apart.
SETTINGS = {
    "digits, matching-aware": "digits, wrong captions: w = 1/2",
    "digits, plain": "digits, no wrong captions",
    "scenes, bag": "scenes, a bag of words",
    "scenes, gru": "scenes, a GRU",
    "scenes, attention": "scenes, attention",
    "scenes, attention, unseen": "scenes, attention, one object unseen",
    "toy 1.5, matching-aware": "two captions 1.5 apart, w = 1/2",
    "toy 1.5, plain": "two captions 1.5 apart, plain",
    "toy 6, matching-aware": "two captions 6 apart, w = 1/2",
}


def train(setting, seed=0, epochs=1, steps=None, callbacks=()):
    """The model of a setting, trained; ValueError for an unknown one."""
    what, *how = validate.choice("setting", setting, SETTINGS).split(", ")
    mismatch = 0.0 if "plain" in how else 0.5
    if what == "digits":
        steps, real = steps or STEPS, captioned()
        model = digits_gan(mismatch, seed, steps)
        x, condition = real.x[real.seen], captions.bag(real.rows[real.seen])
    elif what == "scenes":
        steps, (x, rows) = steps or SCENE_STEPS, drawn_scenes(seed=seed, unseen="unseen" in how)
        model, condition = scenes_gan(how[0], mismatch, seed, steps), scenes.one_hot(rows)
    else:
        steps = steps or TOY_STEPS
        model, (x, condition) = toy_gan(mismatch, seed, steps), toy(float(what.split()[1]), seed)
    batch = {"digits": 64, "scenes": 64}.get(what, 256)
    model.fit(
        x, condition, batch_size=batch, steps_per_epoch=steps // epochs, epochs=epochs,
        callbacks=list(callbacks), verbose=0,
    )  # fmt: skip
    return model


#: What a run scores, as far as it applies; the rest is NaN.
SCORES = (
    *(f"seen_{what}" for what in ("right", "variety", "variety_of_right")),
    *(f"held_{what}" for what in ("right", "variety", "variety_of_right")),
    *(f"held_{what}" for what in (*captions.KINDS, "colours", "shapes")),
    *Told._fields,
)  # fmt: skip


def run(setting, seed):
    """Train one setting from one seed and judge it: what ``tools/runs.py`` stores, by name."""
    generator = train(setting, seed).average
    if setting.startswith("digits"):
        found = score_digits(generator)
    elif setting.startswith("scenes"):
        found = score_scenes(generator, unseen=setting.endswith("unseen"))
    else:
        found = score_toy(generator, float(setting.split(",")[0].split()[1]))
    return {name: found.get(name, float("nan")) for name in SCORES}


def toy(distance, seed=0, n=4000):
    """Numbers ``(n, 1)`` and their captions ``(n, 1)``: -1 or 1, Gaussians ``distance`` apart."""
    rng = np.random.default_rng(seed)
    c = rng.choice([-1.0, 1.0], (n, 1))
    return np.float32(c * distance / 2 + rng.normal(size=(n, 1))), np.float32(c)


def toy_gan(mismatch, seed, steps):
    made = networks.conditional_mlp(2, 1, 1, width=32, depth=2, seed=100 * seed)
    judge = networks.projection_critic(1, 1, width=64, depth=2, seed=100 * seed + 50)
    return compiled(made, judge, mismatch, seed, steps, rate=1e-3)


def score_toy(generator, distance, n=4000):
    """`told` of the samples of caption 1, read by the two Gaussians."""
    x = np.ravel(drawn(generator, np.ones((1, 1), np.float32), n))
    truth = 1 / (1 + np.exp(-distance * x))
    return {"truth": float(truth.mean()), "spread": float(x.std()), "centre": float(x.mean())}


# A caption is typed, and the picture answers


class Typed(Live):
    """A text box over a sheet of pictures; ``answer(text)`` gives them, or raises ValueError.

    ``ask(text)`` does what typing does: it shows the pictures, or says below what went wrong and
    leaves the last ones.
    """

    def __init__(self, answer, start, *, label, alt, columns=6, scale=4):
        self._answer, self._columns, self._scale = answer, columns, scale
        self.alt = plots.check_alt(alt)
        self.box = widgets.Text(value=start, description=label, continuous_update=False)
        self.box.style.description_width = "initial"
        self.box.layout.width = "min(480px, 90%)"
        self.image = widgets.Image(format="png", layout={"max_width": "100%"})
        self._said = widgets.HTML()
        self.box.observe(weakly(self._changed), "value")
        self.ask(start)
        self._go_live(widgets.VBox([self.box, self.image, self._said]))

    def ask(self, text) -> str:
        """Answer ``text``; returns what stands below the pictures."""
        try:
            pictures, self.readout = self._answer(text)
        except (ValueError, TypeError) as error:
            self.readout = f"{error}"
            said = f'<span style="color:#B22222">{html.escape(self.readout)}</span>'
        else:
            self.png = self.image.value = _enlarged(pictures, self._columns, self._scale)
            said = html.escape(self.readout)
        self._said.value = f'<div role="status" aria-live="polite">{said}</div>'
        return self.readout

    def _changed(self, change) -> None:
        self.ask(change["new"])

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._bundle(self.png, self.alt)


def _enlarged(pictures, columns, scale) -> bytes:
    """A sheet of pictures in [0, 1], ``scale`` pixels for each; grey ones are ink on paper."""
    page = plots.sheet(pictures, columns)
    page = np.repeat(np.repeat(page, scale, 0), scale, 1)
    if page.ndim == 2:
        page = np.repeat(1 - page[..., None], 3, 2)
    rgba = np.concatenate([page, np.ones((*page.shape[:2], 1))], 2)
    return plots.encode(np.uint8(np.round(255 * rgba)))


def type_a_caption(generator, start="a thin three leaning right"):
    """A `Typed` box over a generator of captioned digits, ``[latents, bags]`` to pictures."""
    latent = latents(12, LATENT)

    def answer(text):
        row = captions.parse(text)
        made = generator([latent, np.repeat(captions.bag(row), 12, 0)], training=False).numpy()
        right = judge_digits(made[None], row[None])["right"]
        held = " A caption that training never saw." if is_held_out(row[None])[0] else ""
        return made, f"{captions.caption(row)}: {round(12 * right)} of 12 are right.{held}"

    alt = f"Twelve generated digits for the caption that is typed, at first {start}."
    return Typed(answer, start, label="caption", alt=alt)


def type_a_sentence(generator, start="a red circle above a blue square"):
    """A `Typed` box over a generator of scenes, ``[latents, sentences]`` to pictures."""
    latent = latents(12, generator.input_shape[0][-1])

    def answer(text):
        row = scenes.parse(text)
        made = generator([latent, np.repeat(scenes.one_hot(row), 12, 0)], training=False).numpy()
        right = judge_scenes(made[None], row[None])["right"]
        held = (
            " A scene that training never saw."
            if pairs_of(row[None])[0] in held_out_scenes()
            else ""
        )
        return made, f"{scenes.sentence(row)}: {round(12 * right)} of 12 are right.{held}"

    alt = f"Twelve generated scenes for the sentence that is typed, at first {start}."
    return Typed(answer, start, label="sentence", alt=alt, scale=7)


@scene("between_captions")
class BetweenCaptions(Scene):
    """The condition goes from one caption's bag of words to another's; the latents stay."""

    title = "From one caption to another"
    alt = (
        "Left: twelve digits made for a mixture of two captions, from the same twelve latents at "
        "every setting. Right: two panels with a dot for each of the twelve, its thickness and "
        "its slant, and dotted lines where the words thin, medium and thick, or left, upright and "
        "right, part."
    )
    size = (9.6, 3.7)
    _nine = {"to_thickness": "thin", "to_digit": 9, "to_slant": "right"}
    reveals = (
        {"way": 0.5},
        _nine | {"way": 0.5},
        (_nine | {"way": 0.4}, _nine | {"way": 0.6}),
        None,
    )

    def controls(self):
        kinds = captions.KINDS
        return {
            "thickness": choice("from", kinds["thickness"]),
            "digit": slider("digit", 3, 0, 9, 1),
            "slant": choice("leaning", kinds["slant"], "right"),
            "to_thickness": choice("to", kinds["thickness"], "thick"),
            "to_digit": slider("digit", 8, 0, 9, 1),
            "to_slant": choice("leaning", kinds["slant"]),
            "way": slider("way from the first to the second", 0.0, 0.0, 1.0, 0.05),
            "latent": slider("latents", 0, 0, 9, 1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=[2.1, 1, 1])
        left.set_axis_off()
        left.set_title("Twelve that it draws")
        style = {"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        self.sheet = moving(left.imshow(np.zeros((86, 115)), **style))
        cuts = captions.thirds()
        self.bars = []
        for ax, name, kind, at, limits in (
            (middle, "thickness (pixels)", "thickness", cuts[0], (0.8, 3.8)),
            (right, "slant", "slant", cuts[1], (-0.6, 0.8)),
        ):
            panel(ax, name, ("", -0.6, 0.6), ("", *limits), xticks=[])
            for place, word, cut in zip(
                (limits[0] + 0.06, sum(at) / 2, limits[1] - 0.06), captions.KINDS[kind],
                (*at, None), strict=True,
            ):  # fmt: skip
                side = "center" if word == captions.KINDS[kind][1] else "bottom"
                side = "top" if cut is None else side
                plots.label(ax, -0.55, place, word, ha="left", va=side, fontsize=10)
                if cut is not None:
                    ax.axhline(cut, color=COLORS["mixture"], linestyle=":")
            self.bars.append(dot(ax, "generated", 7))

    def update(self, thickness, digit, slant, to_thickness, to_digit, to_slant, way, latent):
        kinds = captions.KINDS
        ends = [
            [kinds["thickness"].index(t), d, kinds["slant"].index(s)]
            for t, d, s in ((thickness, digit, slant), (to_thickness, to_digit, to_slant))
        ]
        first, second = captions.bag(np.array(ends))
        mixed = np.tile((1 - way) * first + way * second, (12, 1))
        made = _shipped("captions28")([latents(12, LATENT, latent), mixed], training=False).numpy()
        self.sheet.set_data(plots.sheet(made, 4))
        across = np.linspace(-0.1, 0.4, 12)
        for dots, measure in zip(self.bars, (captions.thickness, captions.slant), strict=True):
            dots.move(across, measure(made))
        digits = metrics.read_digits(made)
        names = {kinds["digit"][d]: int(np.sum(digits == d)) for d in (digit, to_digit)}
        return {f"read as {name}": f"{count} of 12" for name, count in names.items()} | {
            "as another digit": int(np.sum((digits >= 0) & ~np.isin(digits, (digit, to_digit)))),
            "as none": int(np.sum(digits < 0)),
        }


@functools.cache
def _shipped(name):
    return shipped.load(name)


@scene("who_looks_where")
class WhoLooksWhere(Scene):
    """How much each half of the picture looks at each word, in the trained network."""

    title = "Which words each half of the picture looks at"
    alt = (
        "Left: six scenes that the network drew for a sentence. Right: a table of two rows, the "
        "upper and the lower half of the picture, and five columns, the words of the sentence; "
        "the darker a cell, the more that half looks at that word."
    )
    size = (9.6, 3.6)
    reveals = (
        {},
        {"place": "below"},
        {"colour": "blue", "shape": "square", "second_colour": "red", "second_shape": "circle",
         "place": "below"},
        {"second_colour": "red", "second_shape": "circle"},
    )  # fmt: skip

    def controls(self):
        colours = tuple(scenes.COLOURS)
        return {
            "colour": choice("first", colours),
            "shape": choice("shape", scenes.SHAPES),
            "place": choice("is", scenes.PLACES),
            "second_colour": choice("second", colours, "blue"),
            "second_shape": choice("shape", scenes.SHAPES, "square"),
            "latent": slider("latents", 0, 0, 9, 1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.35])
        left.set_axis_off()
        left.set_title("Six that it draws")
        self.sheet = moving(left.imshow(np.zeros((33, 50, 3)), interpolation="nearest"))
        style = {"cmap": "Greens", "vmin": 0, "vmax": 1.3, "interpolation": "nearest"}
        self.table = moving(right.imshow(np.zeros((2, 5)), aspect="auto", **style))
        panel(right, "Looks at", xticks=[], yticks=[0, 1], yticklabels=["upper half", "lower half"])
        right.grid(False)
        self.words = [words(right, "black", va="top", fontsize=11) for _ in range(5)]
        self.numbers = [[words(right, "black", va="center") for _ in range(5)] for _ in range(2)]

    def update(self, colour, shape, place, second_colour, second_shape, latent):
        said = (colour, shape, place, second_colour, second_shape)
        row = np.array([scenes.WORDS.index(word) for word in said])
        generator, sentence = _shipped("scenes16"), scenes.one_hot(row)
        z = latents(6, generator.input_shape[0][-1], latent)
        made = generator([z, np.repeat(sentence, 6, 0)], training=False).numpy()
        looks = looked_at(generator, sentence)[0]
        self.sheet.set_data(plots.sheet(made, 3))
        self.table.set_data(looks)
        for i, word in enumerate(said):
            self.words[i].move(i, 1.55, word)
            for j in range(2):
                self.numbers[j][i].move(i, j, f"{looks[j, i]:.2f}")
        right = judge_scenes(made[None], row[None])["right"]
        seen = "no" if pairs_of(row[None])[0] in held_out_scenes() else "yes"
        return {"right": f"{round(6 * right)} of 6", "scene seen in training": seen}


def looked_at(generator, sentence):
    """How much each half looks at each word ``(n, 2, 5)``, mean over its two questions."""
    weights = sentences.attention(generator).weights_of(tf.constant(sentence)).numpy()
    return weights.reshape(len(weights), 2, -1, weights.shape[-1]).mean(2)


# Exercises


class _Told(keras.layers.Layer):
    """A critic whose logits stand in the data: the first where the caption is the picture's own."""

    def call(self, pair):
        x, c = pair
        return tf.where(x[:, 2:] == c, x[:, :1], x[:, 1:2])


@exercise("52_text_to_image/1")
def three_kinds_of_pairs():
    """Write loss(right, made, wrong) from the critic's logits."""
    x, c = keras.Input((3,)), keras.Input((1,))
    critic = keras.Model([x, c], _Told()([x, c]))
    generator = networks.conditional_mlp(2, 1, 3, width=4, depth=1)
    model = MatchingAwareGAN(generator, critic)

    def reference(right, made, wrong):
        own = np.arange(len(right), dtype=np.float32)
        x, fake = np.stack([right, wrong, own], 1), np.stack([made, made, own], 1)
        return float(model.critic_loss((x, own[:, None]), (fake, own[:, None])))

    def soft(logits):
        return np.mean(np.logaddexp(0, logits))

    return Function(
        reference,
        lambda rng: tuple(rng.normal(0, 1.5, (3, 6))),
        tolerance=1e-3,
        right="both kinds to be refused count half, so that they weigh as much as the real ones.",
        mistakes=[
            (
                lambda right, made, wrong: soft(-right) + soft(made) + soft(wrong),
                "Then what is to be refused weighs twice as much as what is real: halve both.",
            ),
            (
                lambda right, made, wrong: soft(-right) + soft(made) / 2 + soft(-wrong) / 2,
                "A real picture with a wrong caption is to be refused, as a made one is.",
            ),
            (
                lambda right, made, wrong: soft(right) + soft(-made) / 2 + soft(-wrong) / 2,
                "The signs are swapped: a real pair should have a high logit.",
            ),
            (
                lambda right, made, wrong: soft(-right) + soft(made),
                "That is the plain conditional GAN: the wrong captions are missing.",
            ),
            (
                lambda right, made, wrong: np.sum(
                    np.logaddexp(0, [-right, made, wrong]) * [[1], [0.5], [0.5]]
                ),
                "Take means over the pairs, not sums.",
            ),
        ],
        calls=6,
    )


@exercise("52_text_to_image/2")
def a_critic_that_cannot_read():
    """The least loss of a critic that sees no captions, when the made pictures are perfect."""
    # Real pictures come once as right and, by half, as wrong pairs; perfect ones by half.
    truth = least_blind_loss()
    return Number(
        truth,
        tolerance=0.005,
        right="to a blind critic all three kinds look alike: it can do no better than say 0.",
        mistakes=[
            (np.log(2), "That is one kind's share; the refused pairs cost as much again."),
            (3 * np.log(2), "Each of the last two kinds counts half."),
            (1.5 * np.log(2), "Add all three: 1 + 1/2 + 1/2."),
            (0.0, "To pay nothing it would have to tell the kinds apart, and it sees no caption."),
        ],
    )


def least_blind_loss(mismatch=0.5):
    """What the best constant logit costs: of `MatchingAwareGAN`'s loss on any pairs."""
    x, c = keras.Input((1,)), keras.Input((1,))
    level = keras.layers.Dense(1, kernel_initializer="zeros")
    critic = keras.Model([x, c], level(keras.layers.Concatenate()([x, c])))
    model = MatchingAwareGAN(networks.conditional_mlp(1, 1, 1, width=4, depth=1), critic, mismatch)
    pair, costs = (np.zeros((4, 1)), np.arange(4.0)[:, None]), []
    for logit in np.linspace(-2, 2, 81):
        level.set_weights([np.zeros((2, 1)), np.array([logit])])
        costs.append(float(model.critic_loss(pair, pair)))
    return min(costs)


@exercise("52_text_to_image/3")
def two_sentences_one_bag():
    """What a bag of words makes of two sentences with the same words."""
    return Choice(
        right_choice="the same pictures",
        why="its condition is the same for both, so at the same latents its pictures are, too.",
        wrong={
            "two mirrored scenes": "The generator sees the condition alone; are the two conditions "
            "different?",
            "it depends on the training": "No training can tell apart two inputs that are equal.",
        },
    )


@exercise("52_text_to_image/4")
def attention_by_hand():
    """Write attend(queries, keys, values): softmax of the inner products, then the means."""

    def reference(queries, keys, values):
        weights = tf.nn.softmax(sentences._dots(queries[None], keys[None]))
        return sentences._means(weights, tf.constant(values[None]))[0].numpy()

    def softmax(x, axis):
        e = np.exp(x - x.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    return Function(
        reference,
        lambda rng: (rng.normal(size=(2, 3)), rng.normal(size=(5, 3)), rng.normal(size=(5, 4))),
        tolerance=1e-3,
        right="each row of weights adds up to 1, over the words.",
        mistakes=[
            (
                lambda q, k, v: softmax(q @ k.T, 0) @ v,
                "Your weights add up to 1 over the halves; they must over the words, axis 1.",
            ),
            (lambda q, k, v: q @ k.T @ v, "The inner products need a softmax."),
            (
                lambda q, k, v: softmax(q @ k.T, 1).T,
                "Those are the weights; take the means of the values by them.",
            ),
            (lambda q, k, v: softmax(q @ k.T, 1), "Now take the means of the values by them."),
        ],
        calls=6,
    )
