"""Lecture 53: pix2pix. Image to image."""

import functools
import time

import contourpy
import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from genlib import data, metrics, networks, validate
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences.samples import sliced_wasserstein
from genlib.gans import Pix2Pix
from genlib.plots import COLORS
from genlib.training import minimise
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, dot, image, key, moving, panel, shade
from genlib.widgets.canvas import Canvas, ink

# The first task: a map of labels to a photograph

COLOURS = 12  # of a label map
SCALE = 4  # pixels of the photograph a label
TILE = 16  # labels across a training picture
HELD_OUT = slice(52, 104)  # columns of labels that no training sees: the middle third


@functools.cache
def photograph():
    """Return a photo of a pagoda ``(424, 640, 3)``, and its labels ``(106, 160)``.

    By danielbuechele (CC BY 2.0), it comes with scikit-learn. Its pixels are averaged four by four,
    and k-means sorts the averages of the outer two thirds into `COLOURS` groups; hue counts 2.5
    times as much as lightness, else red and brown are one.
    """
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_sample_image

    picture = load_sample_image("china.jpg")[:424].astype(np.float32) / 255
    small = picture.reshape(106, SCALE, 160, SCALE, 3).mean((1, 3))
    grey = small.mean(-1, keepdims=True)
    features = np.concatenate([3**0.5 * grey, 2.5 * (small - grey)], -1)
    seen = np.concatenate([features[:, : HELD_OUT.start], features[:, HELD_OUT.stop :]], 1)
    groups = KMeans(COLOURS, n_init=1, random_state=0).fit(seen.reshape(-1, 4)[::4])
    return picture, groups.predict(features.reshape(-1, 4)).reshape(small.shape[:2])


def one_hot(labels):
    """Labels ``(h, w)`` as a map ``(1, h, w, COLOURS)``."""
    return np.eye(COLOURS, dtype=np.float32)[labels][None]


def held_out():
    """The middle third: its map ``(1, 106, 52, COLOURS)`` and its photograph ``(424, 208, 3)``."""
    picture, labels = photograph()
    columns = slice(SCALE * HELD_OUT.start, SCALE * HELD_OUT.stop)
    return one_hot(labels[:, HELD_OUT]), picture[:, columns]


def mean_colours(labels):
    """Each label painted in the mean colour it has in the outer thirds: the baseline."""
    picture, all_labels = photograph()
    small = picture.reshape(106, SCALE, 160, SCALE, 3).mean((1, 3))
    seen = np.ones(160, bool)
    seen[HELD_OUT] = False
    means = [small[:, seen][all_labels[:, seen] == k].mean(0) for k in range(COLOURS)]
    return np.array(means)[labels].repeat(SCALE, 0).repeat(SCALE, 1)


def tiles():
    """Training pairs from the outer thirds, each with its mirror image: two tensors.

    Pictures ``(n, 64, 64, 3)`` and maps ``(n, 16, 16, COLOURS)``; cut as bytes, a quarter as large.
    """
    picture, labels = photograph()
    picture, maps, pairs = np.uint8(np.round(255 * picture)), np.uint8(one_hot(labels)[0]), []
    left, right = range(0, HELD_OUT.start - TILE + 1, 4), range(HELD_OUT.stop, 160 - TILE + 1, 4)
    for row in range(0, 106 - TILE + 1, 4):
        for column in (*left, *right):
            y = picture[SCALE * row :, SCALE * column :][: SCALE * TILE, : SCALE * TILE]
            x = maps[row : row + TILE, column : column + TILE]
            pairs += [(y, x), (y[:, ::-1], x[:, ::-1])]
    y, x = (tf.cast(np.stack(part), tf.float32) for part in zip(*pairs, strict=True))
    return y / 255, x


def photo_generator(rows=TILE, columns=TILE, width=96, noise=0, seed=0):
    """Maps ``(n, rows, columns, COLOURS)`` to pictures four times as large.

    With ``noise``, from ``[(n, noise), maps]``: each cell is given the same random numbers.
    """
    shape, outputs = (rows, columns, COLOURS), (SCALE * rows, SCALE * columns, 3)
    if not noise:
        return networks.patch_generator(shape, outputs, SCALE, width=width, seed=seed)
    z, x = keras.Input((noise,)), keras.Input(shape)
    each = keras.layers.RepeatVector(rows * columns)(z)
    each = keras.layers.Reshape((rows, columns, noise))(each)
    inner = (rows, columns, COLOURS + noise)
    inner = networks.patch_generator(inner, outputs, SCALE, width=width, seed=seed)
    return keras.Model([z, x], inner(keras.layers.Concatenate()([x, each])))


def photo_critic(patch=16, width=64, seed=100):
    """A PatchGAN of ``patch`` x ``patch`` pixels, whose windows lie half a patch apart."""
    shape = (SCALE * TILE, SCALE * TILE, 3)
    condition = (TILE, TILE, COLOURS)
    return networks.patch_critic(shape, condition, patch, max(SCALE, patch // 2), width, seed=seed)


def paint(generator, x, z=None):
    """What a photo generator makes of a map ``(1, h, w, COLOURS)`` of any size, and noise ``z``."""
    weights, noise = generator.get_weights(), 0 if z is None else z.shape[-1]
    whole = photo_generator(*x.shape[1:3], width=weights[0].shape[1], noise=noise)
    whole.set_weights(weights)
    return whole(x if z is None else [z, x], training=False).numpy()[0]


# How good, and how varied?

WINDOW = 8  # pixels across the windows that are compared


def windows(picture, count=3000, seed=0):
    """``count`` windows of `WINDOW` x `WINDOW` pixels at random places: ``(count, 192)``."""
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(0, side - WINDOW, count) for side in picture.shape[:2])
    cut = np.lib.stride_tricks.sliding_window_view(picture, (WINDOW, WINDOW), axis=(0, 1))
    return cut[rows, columns].reshape(count, -1)


def patch_distance(picture, other):
    """Sliced W1 of the windows of two pictures: how unlike their textures are."""
    return float(sliced_wasserstein(windows(picture), windows(other, seed=1), seed=0))


def spread(picture, labels):
    """How much cells of one label differ: the standard deviation over a label's 4 x 4 cells."""
    h, w = labels.shape
    cells = picture.reshape(h, SCALE, w, SCALE, 3).swapaxes(1, 2).reshape(h * w, -1)
    found = [cells[labels.ravel() == k] for k in range(COLOURS)]
    return float(np.sqrt(np.mean(np.concatenate([(c - c.mean(0)) ** 2 for c in found if len(c)]))))


def photo_scores(made):
    """Numbers for a picture ``(424, 208, 3)`` that was made from the held-out map."""
    _, real = held_out()
    labels = photograph()[1][:, HELD_OUT]
    return {
        "dB": float(-10 * np.log10(np.mean((made - real) ** 2) + 1e-12)),
        "L1": float(np.mean(np.abs(made - real))),
        "patches": patch_distance(made, real),
        "spread": spread(made, labels) / spread(real, labels),
    }


# The second task: outlines to digits


def outlines(picture):
    """Where a grey picture ``(h, w)`` crosses one half: strokes for a `Canvas`."""
    h, w = picture.shape
    middles = np.arange(-1, w + 1) + 0.5, np.arange(-1, h + 1) + 0.5
    lines = contourpy.contour_generator(*middles, np.pad(picture, 1)).lines(0.5)
    return [np.clip(line / (w, h), 0, 1) for line in lines]


def drawn(pictures):
    """The outlines of pictures ``(n, 28, 28, 1)``, as a pen of one pixel draws them; same shape."""
    return np.stack([ink(outlines(picture[..., 0]), (28, 28)) for picture in pictures])[..., None]


def digit_generator(width=128, output_activation=None, seed=0):
    """Outlines ``(n, 28, 28, 1)`` to digits, cell by cell of 4 x 4 pixels, each from 20 x 20.

    The last layer is linear: under L1 a sigmoid ends where its slope is 0, on blank paper.
    """
    shape = (28, 28, 1)
    return networks.patch_generator(
        shape, shape, width=width, output_activation=output_activation, seed=seed
    )


def digit_critic(seed=100):
    """A PatchGAN of 12 x 12 pixels on 28 x 28."""
    return networks.patch_critic((28, 28, 1), (28, 28, 1), 12, 4, seed=seed)


@functools.cache
def digit_pairs():
    """2,000 digits ``(n, 28, 28, 1)`` and their outlines; then 1,000 that no training sees."""
    (x, _), (test, _) = data.images("mnist5k"), data.images("mnist5k", "test")
    return x[::2], drawn(x[::2]), test, drawn(test)


def digit_scores(made):
    """Numbers for pictures ``(1000, 28, 28, 1)`` that were made from the unseen outlines."""
    real, labels = data.images("mnist5k", "test")
    made = np.clip(made, 0, 1)
    right = metrics.read_digits(made) == labels
    return {
        "dB": float(-10 * np.log10(np.mean((made - real) ** 2) + 1e-12)),
        "L1": float(np.mean(np.abs(made - real))),
        "spread": float(made.std(0).mean() / real.std(0).mean()),
        "right": float(right.mean()),
    }


# Training: the pages' runs, and those that are stored

SETTINGS = {
    "photo, L1": "L1 alone",
    "photo, pix2pix": "L1, critic of 16 x 16",
    "photo, no L1": "critic of 16 x 16 alone",
    "photo, blind critic": "L1, critic that sees no map",
    "photo, patch 4": "L1, critic of 4 x 4",
    "photo, patch 64": "L1, critic of 64 x 64",
    "photo, noise": "L1, critic of 16 x 16, noise",
    "digits, L1": "L1 alone",
    "digits, L1, sigmoid": "L1 alone, sigmoid last",
    "digits, pix2pix": "L1, critic of 12 x 12",
}

SCORES = {
    "dB": ".2f",  # peak signal to noise, against the one true picture
    "L1": ".3f",
    "patches": ".4f",  # `patch_distance`
    "spread": ".2f",  # where 1 is that of real pictures
    "right": ".0%",  # the digit read
    "moves": ".4f",  # L1 between two answers to one map
}
NOISE = 8
STEPS = {"photo": 700, "digits": 600}
RATES = {"photo": 1e-3, "digits": 3e-3}


def optimizers(steps, rate):
    """Two of Adam, with a rate that falls along a cosine to a twentieth."""

    def falling():
        return keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.05)

    return [keras.optimizers.Adam(falling(), 0.5, 0.9) for _ in range(2)]


class Blind(Pix2Pix):
    """pix2pix whose critic sees no map: a picture must be likely, not likely for its map."""

    def score(self, pair):
        """The critic's logits with zeros for the map."""
        y, x = pair
        return super().score((y, tf.zeros_like(x)))


class L1Alone(Pix2Pix):
    """pix2pix without its game: a regression by L1, which the same loop trains."""

    def step(self, draw_batch):
        """One update of the generator."""
        return {"critic_loss": tf.constant(0.0)} | self.generator_step(draw_batch())

    def generator_loss(self, real, fake):
        """``E |y - G(x)|``."""
        l1 = tf.reduce_mean(tf.abs(real[0] - fake[0]))
        self.log("l1", l1)
        return l1


def model_of(setting, seed):
    """The model of a setting of `SETTINGS`, and the pairs that it trains on."""
    task, what = validate.choice("setting", setting, SETTINGS).split(", ", 1)
    kinds = {"L1": L1Alone, "L1, sigmoid": L1Alone, "blind critic": Blind}
    if task == "photo":
        patch = int(what.split()[1]) if what.startswith("patch ") else 16
        noise = NOISE if what == "noise" else 0
        networks_ = photo_generator(noise=noise, seed=seed), photo_critic(patch, seed=100 + seed)
        pairs = tiles()
    else:
        last = "sigmoid" if what == "L1, sigmoid" else None
        networks_ = digit_generator(output_activation=last, seed=seed), digit_critic(100 + seed)
        pairs = digit_pairs()[:2]
    weight = 0.0 if what == "no L1" else 20.0
    return kinds.get(what, Pix2Pix)(*networks_, l1_weight=weight, seed=seed), pairs


def train(setting, seed=0, view=None, epochs=4, steps=None):
    """Train a setting of `SETTINGS`, for `STEPS` or fewer; ``view`` is a callback.

    Returns the model.
    """
    model, pairs = model_of(setting, seed)
    task = setting.split(",")[0]
    steps = steps or STEPS[task]
    model.compile(*optimizers(steps, RATES[task]))
    model.fit(
        *pairs,
        batch_size={"photo": 8, "digits": 32}[task],
        steps_per_epoch=steps // epochs,
        epochs=epochs,
        callbacks=[view] if view else [],
        verbose=0,
    )
    model.train_function = None  # the compiled loop, whose memory a page of many models needs
    return model


def answer_of(model, setting, seed=0):
    """What a trained model makes of the map, or the outlines, that it did not see."""
    if setting.startswith("photo"):
        z = np.random.default_rng(seed).normal(size=(1, model.latent_dim)).astype(np.float32)
        return paint(model.generator, held_out()[0], z if model.latent_dim else None)
    return filled(model.generator, digit_pairs()[3])


def filled(generator, x):
    """What a generator makes of outlines ``(n, 28, 28, 1)``, a hundred at a time."""
    parts = np.array_split(x, max(1, len(x) // 100))
    return np.concatenate([generator(part, training=False) for part in parts])


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    model = train(setting, seed)
    made, photo = answer_of(model, setting), setting.startswith("photo")
    scores = dict.fromkeys(SCORES, np.nan) | (photo_scores if photo else digit_scores)(made)
    if model.latent_dim:
        scores["moves"] = float(np.mean(np.abs(made - answer_of(model, setting, seed=1))))
    return scores


# Without pairs: CycleGAN's cycle loss on a toy whose right map is known

BLOBS = np.float32([[np.cos(a), np.sin(a)] for a in np.pi * (1 / 2 + np.arange(3) * 2 / 3)])
TURN = np.pi / 3  # the right map: turned by 60 degrees
PAIR_WEIGHT = 10.0
WIDTH = 0.12  # of a blob
UNEVEN = (0.6, 0.3, 0.1)  # masses with which no two blobs can be confused


def right_map(x):
    """The map that made the second domain: ``(..., 2)`` turned by `TURN`."""
    turned = np.float32([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return x @ turned.T


class ManySeeds:
    """One small network for each of ``seeds`` seeds, trained side by side: ``(seeds, n, 2)`` in.

    One hidden layer of ``width`` tanh units, which no seed shares with another; ``copies`` of all.
    """

    def __init__(self, seeds, outputs, width=32, start=0, copies=1):
        def weights(i, shape):
            rngs = [np.random.default_rng((start, i, seed)) for seed in range(seeds)]
            found = np.tile([rng.normal(size=shape) for rng in rngs], (copies, 1, 1))
            return shape[0] ** -0.5 * found

        shapes = (2, width), (1, width), (width, outputs), (1, outputs)
        self.weights = [
            keras.Variable((i % 2 == 0) * weights(i, shape), dtype="float32")
            for i, shape in enumerate(shapes)
        ]

    def __call__(self, x):
        w, b, v, c = self.weights
        return tf.tanh(x @ w + b) @ v + c


class ManyCycles:
    """CycleGANs, ``seeds`` of them at once, between three blobs and the same three turned.

    Each has maps G and F and two critics (Zhu et al. 2017, equation 3): two least-squares games,
    whose critics see samples alone, and ``cycle_weight`` times ``cycle_loss``. ``masses`` are those
    of the blobs. With ``pairs``, all are there twice, from one start: first without, then with
    so many known pairs, which add L1 for both maps.
    """

    def __init__(self, seeds=12, cycle_weight=2.0, masses=(1 / 3, 1 / 3, 1 / 3), pairs=0):
        self.seeds, self.copies, self.cycle_weight = seeds, 1 + bool(pairs), cycle_weight
        self.log_masses = tf.math.log(tf.constant([masses], tf.float32))
        self.G, self.F = (ManySeeds(seeds, 2, start=i, copies=self.copies) for i in range(2))
        self.critics = [ManySeeds(seeds, 1, start=2 + i, copies=self.copies) for i in range(2)]
        self.known = self.draw(pairs, -1)[0] if pairs else None

    def draw(self, n, seed):
        """Blob points and unpaired points of the turned blobs, each ``(copies x seeds, n, 2)``."""
        found = []
        for i, blobs in enumerate((BLOBS, right_map(BLOBS))):
            keys = (seed, 2 * i), (seed, 2 * i + 1)
            which = tf.random.stateless_categorical(self.log_masses, self.seeds * n, keys[0])
            noise = tf.random.stateless_normal((self.seeds, n, 2), keys[1])
            which = tf.reshape(which, (self.seeds, n))
            points = tf.gather(tf.constant(blobs), which) + WIDTH * noise
            found.append(tf.tile(points, (self.copies, 1, 1)))
        return found

    def fit(self, steps=1500, batch=64, rate=2e-3):
        """Train all; returns seconds of CPU."""
        players = [[*self.G.weights, *self.F.weights], [w for c in self.critics for w in c.weights]]
        rule = functools.partial(keras.optimizers.schedules.CosineDecay, rate, steps, alpha=0.02)
        adams = [keras.optimizers.Adam(rule(), 0.5, 0.9) for _ in players]
        for adam, variables in zip(adams, players, strict=True):
            adam.build(variables)

        def step(i):
            x, y = self.draw(batch, i)
            minimise(adams[1], players[1], lambda: self.critics_loss(x, y))
            minimise(adams[0], players[0], lambda: self.maps_loss(x, y))
            return (i + 1,)

        @functools.partial(tf.function, jit_compile=True, autograph=False)
        def run():
            return tf.while_loop(lambda i: i < steps, step, (tf.constant(0),))

        start = time.process_time()
        run()
        return time.process_time() - start

    def critics_loss(self, x, y):
        """``E (D(real) - 1)^2 + E D(made)^2`` for both games; the seeds' sum."""
        made = self.F(y), self.G(x)
        gaps = [
            tf.reduce_mean((critic(real) - 1) ** 2) + tf.reduce_mean(critic(fake) ** 2)
            for critic, real, fake in zip(self.critics, (x, y), made, strict=True)
        ]
        return self.copies * self.seeds * sum(gaps)

    def maps_loss(self, x, y):
        """What G and F lower: both games, the cycle, and the pairs if there are any."""
        made = self.F(y), self.G(x)
        loss = sum(
            tf.reduce_mean((critic(fake) - 1) ** 2)
            for critic, fake in zip(self.critics, made, strict=True)
        )
        loss += self.cycle_weight * cycle_loss(self.G, self.F, x, y)
        if self.known is not None:
            x, y = self.known, tf.constant(right_map(self.known.numpy()))
            gaps = tf.abs(self.G(x) - y), tf.abs(self.F(y) - x)
            loss += PAIR_WEIGHT * sum(tf.reduce_mean(gap[self.seeds :]) / 2 for gap in gaps)
        return self.copies * self.seeds * loss

    def scores(self, n=512):
        """For each seed: the cycle loss, the share of mass in each turned blob, and of right maps.

        A dictionary of arrays, a row for each network, copies last: "cycle" ``(...,)``, "masses"
        ``(..., 3)``, "right" ``(...,)``.
        """
        x, y = self.draw(n, 10**6)
        made, targets = self.G(x).numpy(), right_map(BLOBS)
        went = np.linalg.norm(made[:, :, None] - targets, axis=-1)
        came = np.linalg.norm(x.numpy()[:, :, None] - BLOBS, axis=-1).argmin(-1)
        near = went.min(-1) < 4 * WIDTH
        to = np.where(near, went.argmin(-1), -1)
        there, back = (
            tf.reduce_mean(tf.abs(other(one(z)) - z), [1, 2]).numpy()
            for one, other, z in ((self.G, self.F, x), (self.F, self.G, y))
        )
        return {
            "cycle": there + back,
            "masses": np.stack([(to == k).mean(1) for k in range(3)], 1),
            "right": (to == came).mean(1),
        }


def cycle_loss(G, F, x, y):
    """``E |F(G(x)) - x| + E |G(F(y)) - y|`` (Zhu et al. 2017, equation 2), means over both axes."""
    there, back = tf.abs(F(G(x)) - x), tf.abs(G(F(y)) - y)
    return tf.reduce_mean(there) + tf.reduce_mean(back)


# Explorer: median_line. What the best answer is, where a map leaves a place open

PIXELS = np.arange(61.0)
PLACE = 30.0


def chance_of_ink(width, doubt, edge=False):
    """The chance that each of `PIXELS` is inked, by a line or an edge whose place is not known.

    A line ``width`` wide has its middle, an edge its place, at a normal with standard deviation
    ``doubt`` about `PLACE`; right of an edge all is ink.
    """
    if edge:
        return ndtr((PIXELS - PLACE) / doubt)
    return ndtr((PIXELS - PLACE + width / 2) / doubt) - ndtr((PIXELS - PLACE - width / 2) / doubt)


def risks(chance):
    """Mean L1 and squared errors, over all pixels, of three answers: ``{answer: (L1, squared)}``.

    Each pixel is 1 with ``chance``, else 0. "sample" is another picture, drawn by the same odds.
    """
    p, q = chance, 1 - chance
    answers = {"median": np.float64(p > 0.5), "mean": p}
    found = {
        name: (np.sum(p * (1 - a) + q * a), np.sum(p * (1 - a) ** 2 + q * a**2))
        for name, a in answers.items()
    }
    return found | {"sample": (np.sum(2 * p * q),) * 2}


@scene("median_line")
class MedianLine(Scene):
    """Pictures of a line that fit one map, and the pictures that are least wrong."""

    title = "The picture that is least wrong"
    alt = (
        "Left: nine pictures, a row each, that all fit one map: a dark line, or an edge, at "
        "places that differ. Right: what answers best by squared error, a blue hump, and by L1, "
        "a vermillion block or nothing, over the pixels of a row; a dotted line marks one half."
    )
    size = (9.4, 3.7)
    reveals = (
        {},
        {"doubt": 5.0},
        ({"doubt": 5.0, "width": 6.7}, {"doubt": 5.0, "width": 6.8}),
        {"what": "an edge", "doubt": 5.0},
    )

    def controls(self):
        return {
            "what": choice("drawn", ["a line", "an edge"]),
            "width": slider("width of the line", 5.0, 1.0, 20.0, 0.1),
            "doubt": slider("doubt about its place", 2.0, 0.5, 8.0, 0.1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.25])
        panel(left, "Nine pictures of one map", ("pixel", -0.5, 60.5), "", yticks=[])
        left.grid(False)
        self.rows = image(left, (-0.5, 60.5, 0, 9), cmap="gray_r", vmin=0, vmax=1)
        panel(right, "The best answer", ("pixel", 0, 60), ("ink", -0.03, 1.2))
        right.axhline(0.5, color=COLORS["mixture"], linestyle=":")
        names = {"by squares: the mean": "real", "by L1: the median": "generated"}
        key(right, 0.02, 0.97, names, 0.085, fontsize=10)
        self.mean = curve(right, "real", linewidth=2)
        self.fill = shade(right, "generated")
        self.median = curve(right, "generated", linewidth=2.5)

    def update(self, what, width, doubt):
        edge = what == "an edge"
        chance = chance_of_ink(width, doubt, edge)
        places = PLACE + doubt * ndtri((np.arange(9) + 0.5) / 9)
        far = PIXELS - places[[4, 7, 1, 8, 3, 0, 6, 2, 5], None]
        self.rows.set_data(far > 0 if edge else np.abs(far) <= width / 2)
        median = np.float64(chance > 0.5)
        self.mean.move(PIXELS, chance)
        self.median.move(np.repeat(PIXELS, 2) + np.tile([-0.5, 0.5], 61), np.repeat(median, 2))
        self.fill.move(PIXELS, 0, median)
        errors = risks(chance)
        return {
            "highest chance of ink": float(chance[:-1].max()),
            "L1 of the median": errors["median"][0],
            "of the mean": errors["mean"][0],
            "of a real picture": errors["sample"][0],
        }


# Explorer: patch_gan. What one score sees


def receptive_field(strides, kernel=4):
    """Pixels across that one output of convolutions ``kernel`` wide sees, first stride first."""
    pixels = 1
    for stride in reversed(strides):
        pixels = stride * pixels + kernel - stride
    return pixels


PATCHES = (8, 16, 32, 64)


@scene("patch_gan")
class PatchScores(Scene):
    """One score of a PatchGAN: the window of the photograph that it sees, by its gradient."""

    title = "What one score of a PatchGAN sees"
    alt = (
        "Left: a tile of the photograph, a green square round the window of one score. Middle: the "
        "slope of that score in each pixel: dark inside the window and blank outside. Right: the "
        "map of all scores, that one marked."
    )
    size = (9.6, 3.7)
    reveals = (
        {},
        {"patch": 64},
        {"patch": 8},
        {"row": 0, "column": 0},
    )

    def controls(self):
        return {
            "patch": choice("patch, pixels", PATCHES, 16),
            "row": slider("down", 30, 0, 63, 1),
            "column": slider("across", 30, 0, 63, 1),
        }

    def stage(self, fig):
        left, middle, self.right = fig.subplots(1, 3)
        labels = photograph()[1][55:71, 20:36]
        picture = photograph()[0][220:284, 80:144]
        self.pair = tf.constant(picture[None]), tf.constant(one_hot(labels))
        self.critics = {patch: photo_critic(patch, seed=0) for patch in PATCHES}
        self.slopes = {}
        extent = (0, 64, 64, 0)
        panel(left, "The picture", "pixels", "", xticks=range(0, 65, 16), yticks=range(0, 65, 16))
        left.grid(False)
        left.imshow(picture, extent=extent)
        self.window = curve(left, "critic", linewidth=3)
        panel(middle, "Slope of one score", "pixels", "", xticks=range(0, 65, 16), yticks=[])
        middle.grid(False)
        self.heat = moving(middle.imshow([[0]], cmap="Greens", vmin=0, vmax=1, extent=extent))
        panel(self.right, "All the scores", "windows across", "", xticks=[], yticks=[])
        self.right.grid(False)
        self.scores = moving(self.right.imshow([[0]], cmap="gray_r", vmin=0, vmax=1, extent=extent))
        self.mark = curve(self.right, "critic", linewidth=3)

    def update(self, patch, row, column):
        critic, stride = self.critics[patch], max(SCALE, patch // 2)
        across = critic.output_shape[1]
        i, j = (int(np.clip((p - patch / 2) / stride + 0.5, 0, across - 1)) for p in (row, column))
        slope, scores = self._slope(patch, i, j)
        self.heat.set_data(slope / slope.max())
        self.scores.set_data((scores - scores.min()) / (np.ptp(scores) or 1.0))
        self.window.move(*_square(stride * j, stride * i, patch))
        self.mark.move(*_square(64 / across * j, 64 / across * i, 64 / across))
        outside = slope.copy()
        outside[stride * i : stride * i + patch, stride * j : stride * j + patch] = 0
        return {
            "scores": across**2,
            "pixels that this one sees": int((slope > 0).sum()),
            "largest slope elsewhere": f"{outside.max():g}",
            "scores that see the middle pixel": _covering(32, patch, stride, across) ** 2,
        }

    def _slope(self, patch, i, j):
        """The size of the gradient of score (i, j) in each pixel, ``(64, 64)``; all scores."""
        if (patch, i, j) not in self.slopes:
            y, x = self.pair
            with tf.GradientTape() as tape:
                tape.watch(y)
                scores = self.critics[patch]([y, x])[0, ..., 0]
                score = scores[i, j]
            slope = np.abs(tape.gradient(score, y).numpy()[0]).sum(-1)
            self.slopes[patch, i, j] = slope, scores.numpy()
        return self.slopes[patch, i, j]


def _square(left, top, side):
    return left + side * np.array([0, 1, 1, 0, 0]), top + side * np.array([0, 0, 1, 1, 0])


def _covering(pixel, patch, stride, across):
    """How many windows along an axis hold ``pixel``."""
    return sum(stride * i <= pixel < stride * i + patch for i in range(across))


# Explorer: cycle_lines. Without pairs: two lines that undo each other

MEAN_ABS = np.sqrt(2 / np.pi)  # of a standard normal


def line_losses(slope, back):
    """For x ~ N(0, 1), y ~ N(1, 2), G(x) = 1 + slope x and F(y) = back (y - 1): exact, in order:

    the cycle loss, W1 of G(x) to y, W1 of F(y) to x, and ``E |G(x) - (1 + 2 x)|``.
    """
    return (
        3 * MEAN_ABS * abs(slope * back - 1),
        MEAN_ABS * abs(abs(slope) - 2),
        MEAN_ABS * abs(2 * abs(back) - 1),
        MEAN_ABS * abs(slope - 2),
    )


@scene("cycle_lines")
class CycleLines(Scene):
    """Two Gaussians, a line each way: what the cycle loss and the two games can tell."""

    title = "Without pairs: what can be told of a map"
    alt = (
        "Left: the map G from x to y, a vermillion line through dots, and the right map, a dashed "
        "line. Middle: the density of y in blue and of G(x) in vermillion. Right: the way back: "
        "F(G(x)) against x, which is the diagonal where the cycle loss is 0."
    )
    size = (9.8, 3.6)
    reveals = (
        {"slope": 2.0, "back": 0.5},
        {"slope": 1.0, "back": 1.0},
        {"slope": -2.0, "back": -0.5},
    )

    def controls(self):
        return {
            "slope": slider("slope of G", 1.2, -3.0, 3.0, 0.1),
            "back": slider("slope of F", -0.4, -1.5, 1.5, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3)
        self.x = ndtri((np.arange(25) + 0.5) / 25)
        ends = np.array([-2.5, 2.5])
        panel(left, "The map G", ("x", -2.5, 2.5), ("y", -6, 8))
        left.plot(ends, 1 + 2 * ends, "--", color=COLORS["mixture"])
        key(left, 0.03, 0.97, {"the right map": "mixture", "G": "generated"}, fontsize=10)
        self.line, self.dots = curve(left, "generated"), dot(left, "generated", 5)
        panel(middle, "What the critic sees", ("y", -6, 8), ("density", 0, 0.5))
        self.y = np.linspace(-6, 8, 281)
        middle.plot(self.y, _normal(self.y, 1, 2), color=COLORS["real"])
        key(middle, 0.03, 0.97, {"y": "real", "G(x)": "generated"}, fontsize=10)
        self.density = curve(middle, "generated")
        panel(right, "The cycle", ("x", -2.5, 2.5), ("F(G(x))", -4, 4))
        right.plot(ends, ends, "--", color=COLORS["mixture"])
        self.cycle = curve(right, "critic", linewidth=2.5)

    def update(self, slope, back):
        ends = np.array([-2.5, 2.5])
        self.line.move(ends, 1 + slope * ends)
        self.dots.move(self.x, 1 + slope * self.x)
        self.density.move(self.y, _normal(self.y, 1, max(abs(slope), 0.05)))
        self.cycle.move(ends, back * slope * ends)
        names = "cycle loss", "W1 of G(x) to y", "W1 of F(y) to x", "distance to the right map"
        return dict(zip(names, line_losses(slope, back), strict=True))


def _normal(x, mean, scale):
    return np.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


# The learner's own outline

PRESETS = (37, 250, 345, 410, 555, 690)  # of the unseen digits; their outlines


def presets():
    """Strokes by name: outlines of real digits that no training saw, and what is no digit."""
    test, labels = data.images("mnist5k", "test")
    found = {f"a real {labels[i]}": outlines(test[i, ..., 0]) for i in PRESETS}
    turn = np.linspace(0, 2 * np.pi, 40)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    found["a ring"] = [0.5 + 0.33 * ring, 0.5 + 0.2 * ring]
    found["one circle"] = [0.5 + 0.3 * ring]
    found["one line"] = [[(0.5, 0.15), (0.5, 0.85)]]
    return found


def outline_canvas(*generators):
    """A canvas whose drawing each of ``generators`` (outlines to digits) answers, side by side."""

    def answer(canvas):
        x = canvas.picture[None, ..., None].astype(np.float32)
        made = [np.clip(net(x, training=False).numpy()[0, ..., 0], 0, 1) for net in generators]
        read = metrics.read_digits(np.stack(made)[..., None])
        said = ", ".join("no digit" if k < 0 else f"a {k}" for k in read)
        rows = made[0]
        for other in made[1:]:
            rows = np.hstack([rows, np.full((28, 1), 0.15), other])
        return rows, f"A reader of digits reads the answer as: {said}."

    return Canvas(presets(), answer=answer, title="Draw the outline of a digit")


# Exercises


@exercise("53_pix2pix/1")
def field_of_a_patch_gan():
    """Pixels across that a score sees behind convolutions of 4 x 4 with strides 2, 2, 1, 1."""
    strides = (2, 2, 1, 1)
    return Number(
        receptive_field(strides),
        tolerance=0.5,
        right="from the score back: 1, 4, 7, 16, 34.",
        mistakes=[
            (
                receptive_field((2, 2, 2, 1, 1)),
                "That is the paper's, which has one more layer of stride 2.",
            ),
            (
                receptive_field(strides[::-1]),
                "Go from the score back to the picture: the last layer's stride comes first.",
            ),
            (
                receptive_field((1, 1, 1, 1)),
                "That is for strides of 1; behind a stride of 2 each step is two pixels.",
            ),
        ],
    )


@exercise("53_pix2pix/2")
def generators_loss():
    """Write loss(logits, made, real, weight): what the generator of pix2pix lowers."""

    def reference(logits, made, real, weight):
        return np.mean(np.logaddexp(0, -logits)) + weight * np.mean(np.abs(real - made))

    def inputs(rng):
        made, real = rng.random((2, 3, 8, 8, 1))
        return rng.normal(size=(3, 2, 2, 1)), made, real, float(rng.uniform(1, 20))

    return Function(
        reference,
        inputs,
        tolerance=1e-4,
        right="the mean over all patches, and lambda times the mean over all pixels.",
        mistakes=[
            (
                lambda s, m, r, w: np.mean(np.logaddexp(0, s)) + w * np.mean(np.abs(r - m)),
                "softplus(logits) is the critic's loss on made pictures: mind the sign.",
            ),
            (
                lambda s, m, r, w: np.mean(np.logaddexp(0, -s)) + w * np.mean((r - m) ** 2),
                "Those are squares, whose best answer is the mean; the paper takes L1.",
            ),
            (
                lambda s, m, r, w: (
                    np.mean(np.logaddexp(0, -s)) + w * np.abs(r - m).sum((1, 2, 3)).mean()
                ),
                "L1 is a mean over the pixels too, else lambda grows with the picture.",
            ),
            (
                lambda s, m, r, w: np.mean(np.logaddexp(0, -s)) + np.mean(np.abs(r - m)),
                "The weight is missing.",
            ),
            (
                lambda s, m, r, w: w * np.mean(np.abs(r - m)),
                "That is L1 alone: the critic's word is missing.",
            ),
            (
                lambda s, m, r, w: (
                    np.logaddexp(0, -s.mean((1, 2, 3))).mean() + w * np.mean(np.abs(r - m))
                ),
                "Each patch plays its own game: first softplus, then the mean.",
            ),
        ],
        calls=6,
    )


@exercise("53_pix2pix/3")
def best_pixel():
    """The best answer by L1 for a pixel that is 0.1, 0.6 or 1 with odds 40, 25 and 35 %."""
    values, odds = np.array([0.1, 0.6, 1.0]), np.array([0.4, 0.25, 0.35])
    grid = np.linspace(0, 1, 1001)
    l1 = (odds * np.abs(values - grid[:, None])).sum(1)
    return Number(
        float(grid[l1.argmin()]),
        tolerance=0.004,
        right="below 0.6 lies 40 % and above it 35 %, so a step to either side costs more.",
        mistakes=[
            (float(odds @ values), "That is the mean, which squared errors would choose."),
            (float(values[odds.argmax()]), "That is the likeliest value; L1 asks for the middle."),
            (float(values.mean()), "The odds count."),
            (float(l1.min()), "That is the error of the best answer; asked is the answer."),
        ],
    )


@exercise("53_pix2pix/4")
def which_wrong_map_passes():
    """The wrong map that no loss of CycleGAN can tell from the right one, 1 + 2x."""
    return Choice(
        right_choice="1 - 2x",
        why="it makes the right distribution, and y -> (1 - y) / 2 undoes it.",
        wrong={
            "1 + x": "It can be undone, but G(x) is too narrow: a critic sees that.",
            "1 + 2|x|": "Two x go to one y, so no map back can undo it: the cycle loss tells.",
            "2 - 2x": "Its mean is 2, and that of y is 1: a critic sees that.",
        },
    )
