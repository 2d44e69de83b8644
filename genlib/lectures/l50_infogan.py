"""Lecture 50: InfoGAN."""

import functools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment
from scipy.special import entr, log_softmax, ndtr, rel_entr, softmax
from scipy.stats import spearmanr

from genlib import data, metrics, networks, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import ConditionalGAN, InfoGAN
from genlib.plots import COLORS
from genlib.widgets import Scene, TrainingView, choice, scene, slider
from genlib.widgets.artists import curve, dot, image, key, moving, panel

# A world that can be counted: three categories, six pictures

BY_DIGIT, NONSENSE, DEAF = "one digit a code", "any two pictures", "deaf to the code"
DIGITS = (1, 4, 7)
#: Which of the six pictures each category may become; pictures come in pairs of one digit.
PAIRS = {BY_DIGIT: [[0, 1], [2, 3], [4, 5]], NONSENSE: [[0, 3], [1, 4], [2, 5]], DEAF: []}


def channel(generator, chance=0.0):
    """``p(x|c)``, ``(3, 6)``: with probability ``chance`` any picture, whatever the category."""
    p = np.full((3, 6), 1 / 6)
    for category, pair in enumerate(PAIRS[generator]):
        p[category] = chance / 6
        p[category, pair] += (1 - chance) / 2
    return p


def posterior(p):
    """``p(c|x)`` of a channel ``p(x|c)`` whose categories are equally likely: columns sum to 1."""
    return p / p.sum(0)


def sharpened(p, sharpness):
    """A recogniser that is unsure (below 1), exact (1) or too sure: ``p(c|x)`` to a power."""
    return softmax(sharpness * np.log(np.maximum(posterior(p), 1e-12)), axis=0)


def information(p):
    """``I(c; x)`` of a channel, in nats."""
    return rel_entr(p, p.mean(0)).sum() / len(p)


def lower_bound(p, q):
    """``L_I = E log q(c|x) + H(c)``, in nats; ``q`` like `posterior`."""
    return np.sum(p * np.log(np.maximum(q, 1e-300))) / len(p) + np.log(len(p))


@functools.cache
def bare(categories):
    """An `InfoGAN` whose samples are its recogniser's logits."""
    start = keras.Input((categories,))
    same = keras.Model(start, keras.layers.Activation("linear")(start))
    nets = networks.mlp(categories, categories, 2), networks.mlp(categories, 1, 2)
    return InfoGAN(*nets, same, categories, codes=0)


def library_bound(p, q):
    """The same by `InfoGAN.bounds`: each sample is what the recogniser would say of it."""
    category, x = (part.ravel() for part in np.indices(p.shape))
    logits = np.log(np.maximum(q.T[x], 1e-30)).astype(np.float32)
    one_hot = np.eye(len(p), dtype=np.float32)[category]
    bounds, _ = bare(len(p)).bounds(tf.constant(logits), one_hot)
    return np.sum(p.ravel() / len(p) * bounds)


def gaussian_guess(noise):
    """Of ``x = c + noise * N(0, 1)``, c uniform in [-1, 1]: the best ``Q = N(share x, left)``."""
    share = 1 / 3 / (1 / 3 + noise**2)
    return share, share * noise**2


def code_information(noise):
    """``I(c; x)`` of the same, in nats, by quadrature: the entropy of x less that of the noise."""
    ys, step = np.linspace(-1 - 9 * noise, 1 + 9 * noise, 20_001, retstep=True)
    p = (ndtr((ys + 1) / noise) - ndtr((ys - 1) / noise)) / 2
    return step * entr(p).sum() - np.log(2 * np.pi * np.e * noise**2) / 2


@functools.cache
def six_pictures():
    """Real digits ``(6, 8, 8)``: of each of `DIGITS` one that leans left, one that leans right."""
    x, y = data.images("digits")
    chosen = []
    for digit in DIGITS:
        members = x[y == digit]
        order = np.argsort(lean(members))
        chosen += [members[order[len(order) // 8]], members[order[-len(order) // 8]]]
    return np.stack(chosen)[..., 0]


@scene("information_bound")
class InformationBound(Scene):
    """Six pictures, three categories: what the bound reads, and what it does not."""

    title = "What the bound knows of a code"
    alt = (
        "Left: a table of three categories by six small pictures of digits, dark where the "
        "generator is likely to make that picture. Middle: the same table of what the recogniser "
        "guesses. Right: the bound in green against the recogniser's sharpness; it touches a blue "
        "line, the mutual information, at sharpness 1 and lies below it elsewhere; a dotted line "
        "above marks the entropy of the code."
    )
    size = (9.8, 3.9)
    reveals = (
        ({}, {"generator": NONSENSE}),
        {"generator": DEAF},
        tuple({"chance": 0.4, "sharpness": t} for t in (0.0, 1.0, 3.0)),
    )

    def controls(self):
        return {
            "generator": choice("generator", [BY_DIGIT, NONSENSE, DEAF]),
            "chance": slider("chance", 0.0, 0.0, 1.0, 0.1),
            "sharpness": slider("recogniser's sharpness", 1.0, 0.0, 3.0, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=[1, 1, 1.15])
        self.tables = []
        names = ("generator: p(x | c)", "recogniser: q(c | x)")
        for ax, title, top in zip((left, middle), names, (0.5, 1.0), strict=True):
            panel(ax, title, ("the six pictures", 0, 6), ("category c", 0, 4.1), xticks=[])
            ax.set(yticks=[0.5, 1.5, 2.5], yticklabels=["3", "2", "1"])
            ax.grid(False)
            for place, picture in enumerate(six_pictures()):
                where = (place + 0.08, place + 0.92, 3.15, 3.99)
                ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, extent=where, aspect="auto")
            table = image(ax, (0, 6, 0, 3), vmin=0, vmax=top, cmap="Purples")
            self.tables.append(table)
            ax.set(xlim=(0, 6), ylim=(0, 4.1))
        panel(right, "nats", ("sharpness", 0, 3), ("", -0.8, 1.5))
        right.axhline(np.log(3), color=COLORS["mixture"], linestyle=":")
        names = {"dotted: H(c) = log 3": "mixture", "I(c; x)": "real", "L_I": "critic"}
        key(right, 0.97, 0.24, names, 0.08, ha="right", va="top", fontsize=11)
        self.truth = curve(right, "real", linewidth=2.5)
        self.bound, self.here = curve(right, "critic", linewidth=2.5), dot(right, "critic", 11)

    def update(self, generator, chance, sharpness):
        p = channel(generator, chance)
        q = sharpened(p, sharpness)
        exact, bound = information(p), lower_bound(p, q)
        self.tables[0].set_data(p[::-1])
        self.tables[1].set_data(q[::-1])
        ts = np.linspace(0, 3, 61)
        self.truth.move([0, 3], [exact, exact])
        self.bound.move(ts, [lower_bound(p, sharpened(p, t)) for t in ts])
        self.here.move(sharpness, bound)
        mixed = (p.mean(0) + 1 / 6) / 2
        jsd = (rel_entr(p.mean(0), mixed) + rel_entr(np.full(6, 1 / 6), mixed)).sum() / 2
        return {
            "H(c)": np.log(3),
            "I(c; x)": exact,
            "L_I": bound,
            "gap": exact - bound,
            "JSD to the data": jsd + 0.0,
        }


# Real digits: networks, training, scores

CATEGORIES, CODES, NOISE = 10, 1, 4
STEPS, BATCH = 3500, 128
BLUR = 0.25


def blurred(network, scale, seed=0):
    """``network`` with Gaussian noise on the pictures, its first input, while it trains."""
    if not scale:
        return network
    starts = [keras.Input(start.shape[1:]) for start in network.inputs]
    noisy = [keras.layers.GaussianNoise(scale, seed=seed)(starts[0]), *starts[1:]]
    if len(starts) == 1:
        return keras.Model(starts[0], network(noisy[0]))
    return keras.Model(starts, network(noisy))


class Unasked(InfoGAN):
    """InfoGAN with lambda = 0 for its generator; its recogniser learns as before."""

    def bounds(self, samples, condition):
        """Those of `InfoGAN`, through which no gradient reaches the generator."""
        return super().bounds(tf.stop_gradient(samples), condition)


class Setting(NamedTuple):
    """How one training differs from the lecture's own."""

    kind: type = InfoGAN
    on_critic: float = BLUR  # scale of the noise on what the critic sees
    on_recogniser: float = BLUR
    data: str = "digits"
    steps: int = STEPS


WAYS = {
    "infogan": Setting(),
    "critic": Setting(on_recogniser=0.0),
    "recogniser": Setting(on_critic=0.0),
    "plain": Setting(on_critic=0.0, on_recogniser=0.0),
    "unasked": Setting(Unasked),
    "labels": Setting(ConditionalGAN),
    "large": Setting(on_critic=0.0, on_recogniser=0.0, data="mnist5k"),
    "large_noise": Setting(data="mnist5k"),
}

#: What ``tools/runs.py`` runs over seeds.
SETTINGS = {
    "infogan": "InfoGAN, noise on both",
    "critic": "noise on the critic alone",
    "recogniser": "noise on the recogniser alone",
    "plain": "no noise",
    "unasked": "lambda = 0",
    "labels": "given the labels",
    "large": "28x28, no noise",
    "large_noise": "28x28, noise on both",
}


def build(setting, seed=0):
    """The model of a key of `SETTINGS` before its training: two hidden layers of 256 units each."""
    way = WAYS[setting]
    shape = (28, 28, 1) if way.data == "mnist5k" else (8, 8, 1)
    if way.kind is ConditionalGAN:
        options = {"width": 256, "output_activation": "sigmoid", "seed": seed}
        generator = networks.conditional_mlp(NOISE + CODES, CATEGORIES, shape, **options)
        critic = networks.projection_critic(shape, CATEGORIES, 256, 2, "leaky_relu", seed + 100)
        model = ConditionalGAN(generator, blurred(critic, way.on_critic, seed), seed=seed)
    else:
        latent = NOISE + CATEGORIES + CODES
        generator = networks.mlp(latent, shape, 256, output_activation="sigmoid", seed=seed)
        critic, recogniser = (
            networks.mlp(shape, outputs, 256, 2, "leaky_relu", seed=seed + start)
            for outputs, start in ((1, 100), (CATEGORIES + 2 * CODES, 200))
        )
        nets = (
            generator,
            blurred(critic, way.on_critic, seed),
            blurred(recogniser, way.on_recogniser, seed + 1),
        )
        model = way.kind(*nets, CATEGORIES, CODES, seed=seed)
    rates = (keras.optimizers.schedules.CosineDecay(1e-3, way.steps, alpha=0.05) for _ in "gc")
    model.compile(*(keras.optimizers.Adam(rate, 0.5, 0.99) for rate in rates))
    return model


def train(setting, seed=0, epochs=1, callbacks=None):
    """The trained model of a key of `SETTINGS`."""
    way, model = WAYS[setting], build(setting, seed)
    x, y = data.images(way.data)
    given = (x, np.eye(CATEGORIES)[y]) if way.kind is ConditionalGAN else (x,)
    model.fit(*given, batch_size=BATCH, steps_per_epoch=way.steps // epochs, epochs=epochs,
              callbacks=callbacks, verbose=0)  # fmt: skip
    model.train_function = None  # the compiled loop, whose memory a page of several models needs
    return model


def run(setting, seed):
    """Train and score, for ``tools/runs.py``: see `scores`."""
    return scores(train(setting, seed), WAYS[setting].data)


def made(model, normal, category, codes):
    """Pictures of standard normals ``(n, latent_dim)`` for categories ``(n,)``, codes ``(n, m)``.

    A conditional GAN has no codes: all its latents are noise.
    """
    if isinstance(model, ConditionalGAN):
        labels = tf.constant(np.eye(CATEGORIES)[category], tf.float32)
        return model.generator([normal, labels]).numpy()
    return model.generator(model.latent_of(normal, model.condition(category, codes))).numpy()


def draw(model, n=2000, seed=1):
    """Samples ``(n, h, w, 1)``, their categories ``(n,)``, each in turn, their codes, and noise."""
    normal = tf.random.stateless_normal((n, model.latent_dim), (0, seed))
    category = np.arange(n) % CATEGORIES
    codes = np.random.default_rng(seed).uniform(-1, 1, size=(n, getattr(model, "codes", 1)))
    return made(model, normal, category, codes), category, codes, normal.numpy()[:, :NOISE]


def scores(model, name="digits"):
    """What samples are worth, and how much of it each part of the latent decides.

    read, classes: the share read as a digit, and the digits reached. agree: the share read as its
    category's digit, at the best pairing of categories and digits (for a conditional GAN, as its
    label). clusters: the share of held-out real digits that the recogniser puts into their digit's
    category, likewise paired. bound, code_bound: nats. lean, noise_lean: the rank correlation
    of `lean` with the code, and with the best of the noise, within a category: its mean over all.
    within: the variance within a category, against that of the real digits within a class;
    noise: the part of it that moves with the noise alone.
    """
    x, category, codes, noise = draw(model)
    read = metrics.read_digits(np.clip(x, 0, 1))
    real, labels = data.images(name)
    kinds = [real[labels == digit] for digit in range(10)]
    given = isinstance(model, ConditionalGAN)
    score = metrics.class_scores(np.clip(x, 0, 1))
    found = {
        "read": score.confident,
        "classes": score.classes,
        "agree": np.mean(read == category) if given else paired(category, read),
        "clusters": np.nan, "bound": np.nan, "code_bound": np.nan, "lean": np.nan,
    }  # fmt: skip
    if not given:
        found |= recognised(model, name, x, category, codes)
        found["lean"] = monotone(codes, lean(x), category)
    found["noise_lean"] = monotone(noise, lean(x), category)
    spread = np.mean([variance(kind) for kind in kinds])
    found["within"] = np.mean([variance(x[category == k]) for k in range(CATEGORIES)]) / spread
    found["noise"] = np.mean([variance(row) for row in noise_alone(model)]) / spread
    return {key: float(value) for key, value in found.items()}


def recognised(model, name, x, category, codes):
    """The scores that need a recogniser."""
    test, labels = data.images(name, "test")
    bounds = model.bounds(tf.constant(x), model.condition(category, codes))
    return {
        "clusters": paired(model.recogniser(test).numpy()[:, :CATEGORIES].argmax(1), labels),
        "bound": np.mean(bounds[0]),
        "code_bound": np.mean(bounds[1]),
    }


@functools.cache
def kmeans_piles(name="digits"):
    """The baseline: ten piles by k-means, ``(n,)`` for the training pictures, ``(m,)`` held out."""
    from sklearn.cluster import KMeans

    train, test = (data.images(name, split)[0] for split in ("train", "test"))
    piles = KMeans(CATEGORIES, n_init=10, random_state=0).fit(train.reshape(len(train), -1))
    return piles.labels_, piles.predict(test.reshape(len(test), -1))


def paired(codes, labels):
    """The share of rows whose label is their code's, at the best one-to-one pairing of the two."""
    return np.mean(pairing(codes, labels)[codes] == labels)


def pairing(codes, labels):
    """The digit of each category, ``(10,)``, such that most rows agree."""
    table = np.zeros((CATEGORIES, 10))
    np.add.at(table, (codes[labels >= 0], labels[labels >= 0]), 1)
    return linear_sum_assignment(-table)[1]


def lean(pictures):
    """How far strokes lean, ``(n,)``: the slope, in columns a row, of the ink's regression line."""
    ink = np.asarray(pictures, float).reshape(len(pictures), *np.shape(pictures)[1:3])
    ink = ink / np.maximum(ink.sum((1, 2), keepdims=True), 1e-9)
    rows, columns = np.indices(ink.shape[1:])
    row, column = (rows - (ink * rows).sum((1, 2), keepdims=True) for rows in (-rows, columns))
    return (ink * row * column).sum((1, 2)) / np.maximum((ink * row**2).sum((1, 2)), 1e-9)


def monotone(parts, values, category):
    """The best rank correlation of a column of ``parts`` with ``values``: means over categories."""

    def mean(part):
        return np.mean(
            [spearmanr(part[category == k], values[category == k])[0] for k in range(CATEGORIES)]
        )

    return max(abs(mean(part)) for part in parts.T)


def variance(x):
    """The variance of pictures ``(n, ...)``, summed over the pixels."""
    return x.reshape(len(x), -1).var(0).sum()


def noise_alone(model, kinds=20, n=50):
    """Samples of ``kinds`` conditions whose noise alone moves: ``(kinds, n, h, w, 1)``."""
    normal = tf.random.stateless_normal((kinds * n, model.latent_dim), (0, 2))
    category = np.arange(kinds) % CATEGORIES
    category, codes = np.repeat(category, n), np.repeat(np.linspace(-1, 1, kinds), n)[:, None]
    x = made(model, normal, category, np.tile(codes, getattr(model, "codes", 1)))
    return x.reshape(kinds, n, *x.shape[1:])


# Pictures of a trained generator


def by_category(model, rows=6, seed=3):
    """Pictures ``(rows * 10, h, w, 1)``: a column a category, a row one draw of all the rest."""
    normal = tf.repeat(tf.random.stateless_normal((rows, model.latent_dim), (0, seed)), 10, axis=0)
    codes = np.random.default_rng(seed).uniform(-1, 1, size=(rows, getattr(model, "codes", 1)))
    return made(model, normal, np.tile(np.arange(10), rows), np.repeat(codes, 10, axis=0))


def categories_view(steps, alt):
    """A callback that draws a column of pictures a category, the bound, and what it does not see.

    ``steps``: generator steps an epoch.
    """
    agreed = []

    def draw_both(fig, model, epoch, logs):
        left, right = fig.subplots(1, 2, width_ratios=[1.15, 1])
        plots.images(left, by_category(model), columns=10)
        left.set_title(f"a column a category, after {steps * epoch:,} steps")
        x, category, *_ = draw(model, 1000)
        agreed.append(paired(category, metrics.read_digits(np.clip(x, 0, 1))))
        share = np.array(model.history.history.get("category_bound", [])) / np.log(CATEGORIES)
        done = steps * np.arange(1, 1 + len(share))
        right.plot(done, share, "o-", color=COLORS["critic"])
        right.plot(steps * np.arange(len(agreed)), agreed, "s-", color=COLORS["generated"])
        right.axhline(1, color=COLORS["mixture"], linestyle=":")
        last = steps * model.history.params["epochs"]
        plots.label(right, last, 1.02, "bound, as a share of log 10", "critic", ha="right")
        plots.label(
            right, last, 0.03, "samples whose category is their digit", "generated", ha="right"
        )
        right.set(xlabel="step", xlim=(0, last * 1.02), ylim=(0, 1.12))

    return TrainingView(draw_both, alt=alt, size=(9.8, 3.6))


class Knobs(Scene):
    """The latents of a trained `InfoGAN` with one code, as sliders: ``Explorer(Knobs(model))``."""

    title = "The knobs of the generator that you trained"
    alt = (
        "Left: one generated picture, large. Right: a sheet of pictures, a column for each of the "
        "ten categories, a row for each of seven settings of the code; an orange frame marks "
        "where the sliders stand. The noise changes all of them."
    )
    size = (9.6, 4.2)
    rows = 7

    def __init__(self, model):
        self.model = model

    def controls(self):
        noise = {f"z{i}": slider(f"noise {i}", 0.0, -2.5, 2.5, 0.1) for i in (1, 2)}
        return {
            "category": slider("category", 0, 0, CATEGORIES - 1, 1),
            "code": slider("code", 0.0, -2.0, 2.0, 0.1),
        } | noise

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.5])
        blank = np.zeros((self.rows * CATEGORIES, 8, 8))
        self.picture = moving(plots.images(left, blank[:1]))
        self.sheet = moving(plots.images(right, blank, columns=CATEGORIES))
        right.set_title("across: category; down: code from −2 to 2")
        self.frame = curve(right, "highlight", linewidth=3, clip_on=False)

    def update(self, category, code, z1, z2):
        levels = np.linspace(-2, 2, self.rows)
        categories = np.append(np.tile(np.arange(CATEGORIES), self.rows), category)
        codes = np.append(np.repeat(levels, CATEGORIES), code)[:, None]
        normal = np.zeros((len(codes), self.model.latent_dim), np.float32)
        normal[:, :2] = z1, z2
        x = np.clip(made(self.model, tf.constant(normal), categories, codes), 0, 1)
        self.sheet.set_data(plots.sheet(x[:-1], CATEGORIES))
        self.picture.set_data(plots.sheet(x[-1:]))
        row = np.abs(levels - code).argmin()
        corners = np.array([[0, 8, 8, 0, 0], [0, 0, 8, 8, 0]]) - 0.5
        self.frame.move(corners[0] + 9 * category, corners[1] + 9 * row)
        (read,) = metrics.read_digits(x[-1:])
        return {
            "read as": str(read) if read >= 0 else "no digit",
            "lean": lean(x[-1:])[0],
        }


# Exercises

SURE = 0.9


@exercise("50_infogan/1")
def bound_of_a_guesser():
    """The bound of a recogniser that is right with probability SURE, and says so."""
    k = CATEGORIES
    rest = (1 - SURE) / (k - 1)
    p = np.full((k, k), rest) + (SURE - rest) * np.eye(k)
    truth = lower_bound(p, posterior(p))
    expected = SURE * np.log(SURE) + (1 - SURE) * np.log(rest)
    return Number(
        truth,
        tolerance=0.005,
        right="the entropy of the code less what the recogniser still pays.",
        mistakes=[
            (expected, "That is E log Q alone; add H(c) = log 10."),
            (-expected, "That is what the recogniser pays; subtract it from H(c) = log 10."),
            (np.log(k), "log 10 is the ceiling, for a recogniser that is never wrong."),
            (np.log(k) + np.log(SURE), "One time in ten it is wrong, and pays for that too."),
            (
                np.log(k) + SURE * np.log(SURE) + (1 - SURE) * np.log(1 - SURE),
                "Where it is wrong, the true category shares its 0.1 with eight others.",
            ),
            (truth / np.log(2), "That is in bits; nats are wanted."),
        ],
    )


@exercise("50_infogan/2")
def category_bound():
    """Write bound(logits, category): L_I of the category, in nats, over a batch."""

    def reference(logits, category):
        model = bare(logits.shape[1])
        one_hot = np.eye(logits.shape[1])[category]
        return float(
            np.mean(model.bounds(tf.constant(logits, tf.float32), one_hot.astype("f4"))[0])
        )

    def log_q(logits, category):
        return log_softmax(logits, axis=1)[np.arange(len(category)), category]

    return Function(
        reference,
        lambda rng: (rng.normal(scale=2, size=(6, 4)), rng.integers(4, size=6)),
        tolerance=1e-4,
        right="the mean log-softmax at the category that was drawn, plus log K.",
        mistakes=[
            (lambda a, c: log_q(a, c).mean(), "H(c) is missing: add the log of K."),
            (
                lambda a, c: -log_q(a, c).mean(),
                "That is the cross-entropy; the bound is H(c) minus it.",
            ),
            (
                lambda a, c: -log_q(a, c).mean() - np.log(4),
                "That is minus the bound: a loss, not L_I.",
            ),
            (
                lambda a, c: log_q(a, c).sum() + np.log(4),
                "Take the mean over the batch, not the sum.",
            ),
            (
                lambda a, c: np.log(np.exp(log_q(a, c)).mean()) + np.log(4),
                "That is the log of a mean; the bound is a mean of logs.",
            ),
            (lambda a, c: np.mean(a.argmax(1) == c), "That is an accuracy; the bound is in nats."),
            (
                lambda a, c: a[np.arange(len(c)), c].mean() + np.log(4),
                "Those are logits; the softmax is missing.",
            ),
        ],
        calls=6,
    )


@exercise("50_infogan/3")
def what_a_full_bound_says():
    """The bound reads log 10: what follows?"""
    return Choice(
        right_choice="the category can be read off",
        why="that is all that a mutual information says: not what the category looks like.",
        wrong={
            "each category is a digit": "Any ten piles that can be told apart read log 10 too.",
            "the samples look real": "The critic sees to that; ten blots that differ read log 10.",
            "the samples vary": "Ten frozen pictures read log 10.",
        },
    )
