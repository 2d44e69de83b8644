"""Lecture 40: energy-based GAN."""

import keras
import numpy as np
import tensorflow as tf

from genlib import data, experiments, metrics, plots
from genlib.check import Choice, Function, Number, exercise
from genlib.gans import EBGAN, GAN
from genlib.gans.ebgan import pull_away
from genlib.lectures.maths import normal
from genlib.lectures.write_on_arrays import Losses, beats_the_circle, with_copies
from genlib.plots import COLORS
from genlib.widgets import Scene, scene, slider
from genlib.widgets.artists import curve, dot, panel, words

# Explorer: energy_margin

MODES = (-2.0, 2.0)
ANGLES = np.arange(0, 181, 5)


@scene("energy_margin")
class EnergyMargin(Scene):
    """EBGAN's margin on a line of energies, and its pull-away term on codes in the plane."""

    title = "Energies below a margin, and codes on a circle"
    alt = (
        "Left: the energy over a line, a green zigzag that is 0 at two real modes, a dashed line "
        "at the margin, and generated samples as dots on the zigzag; from each dot below the "
        "margin a stroke rises to it. Middle: codes as arrows from the centre of a circle. Right: "
        "the pull-away term against the angle between neighbouring codes, with a dot for the "
        "angle chosen and a dotted line at the least value that codes in the plane allow."
    )
    size = (9.8, 3.7)
    reveals = (
        ({"shift": 0.0, "margin": 1.2}, {"shift": 0.0, "margin": 1.1}),
        {},
        (
            *({"codes": 2, "angle": angle} for angle in (90, 0, 180)),
            {"codes": 8, "angle": 45},
        ),
    )

    def controls(self):
        return {
            "margin": slider("margin m", 0.8, 0.1, 3.0, 0.1),
            "shift": slider("generated at", 1.2, -3.0, 3.0, 0.1),
            "codes": slider("codes N", 3, 2, 8, 1),
            "angle": slider("angle (degrees)", 20, 0, 180, 5),
        }

    def stage(self, fig):
        turns = np.deg2rad(ANGLES)[:, None] * np.arange(8)
        self.directions = np.stack([np.cos(turns), np.sin(turns)], -1)  # (angle, code, 2)
        # Of 2 to 8 codes at every angle, by the library's own term.
        self.terms = {
            n: np.array([float(pull_away(tf.constant(d[:n]))) for d in self.directions])
            for n in range(2, 9)
        }

        left, middle, right = fig.subplots(1, 3)
        panel(left, "Energy", ("x", -4, 4), ("energy", 0, 3.4))
        xs = np.linspace(-4, 4, 401)
        left.plot(xs, energy(xs), color=COLORS["critic"])
        left.plot(MODES, [0, 0], "o", color=COLORS["real"], markersize=11, clip_on=False)
        plots.label(left, -2, 1.5, "real", "real")
        self.level = curve(left, "mixture", linestyle="--")
        self.level_name = words(left, "mixture", "m", ha="left", va="center")
        self.gaps, self.points = curve(left, "highlight"), dot(left, "generated", 6)
        self.points_name = words(left, "generated", "generated")

        square = {"aspect": "equal", "xticks": [], "yticks": []}
        panel(middle, "Codes", ("", -1.15, 1.15), ("", -1.15, 1.15), **square)
        turn = np.linspace(0, 2 * np.pi, 200)
        middle.plot(np.cos(turn), np.sin(turn), color=COLORS["mixture"], linewidth=1)
        self.arrows, self.tips = curve(middle, "accent"), dot(middle, "accent", 8)

        angles = ("angle between neighbours (degrees)", 0, 180)
        panel(right, "Pull-away term", angles, ("", 0, 1.05), xticks=[0, 45, 90, 135, 180])
        self.term = curve(right, "accent")
        self.floor = curve(right, "mixture", linestyle=":", clip_on=False)
        self.here = dot(right, "accent", clip_on=False)

    def update(self, margin, shift, codes, angle):
        xs = shift + np.linspace(-0.9, 0.9, 10)
        energies = energy(xs)
        low = energies < margin
        self.level.move([-4, 4], [margin, margin])
        self.level_name.move(4.15, margin)
        self.points.move(xs, energies)
        self.points_name.move(np.clip(shift, -2.2, 2.2), 3.05)
        xs, ys = np.repeat(xs[low], 3), np.repeat(energies[low], 3)
        ys[1::3], ys[2::3] = margin, np.nan  # NaN parts the strokes
        self.gaps.move(xs, ys)

        k = int(angle) // 5
        tips = self.directions[k, :codes]
        ends = np.zeros((2 * codes, 2))
        ends[::2] = tips
        self.arrows.move(*ends.T)
        self.tips.move(*tips.T)
        self.term.move(ANGLES, self.terms[codes])
        # The squared cosines of N unit vectors in the plane, the diagonal included, sum to at
        # least N^2 / 2.
        least = (codes / 2 - 1) / (codes - 1)
        self.floor.move([0, 180], [least, least])
        self.here.move(angle, self.terms[codes][k])
        return {
            "samples still lifted": f"{low.sum()} of {len(low)}",
            "hinge of each, then mean": np.maximum(margin - energies, 0).mean(),
            "hinge of the mean": max(margin - energies.mean(), 0.0),
            "pull-away term": self.terms[codes][k],
            "least in the plane": least,
        }


def energy(x):
    """How far x is from the nearer mode: the error of an autoencoder with a code of one bit."""
    return np.min(np.abs(np.asarray(x)[..., None] - np.array(MODES)), -1)


# The trainings: one seed of some on the page, several of each stored

SETTINGS = {
    "gan": "GAN, momentum 0.9",
    "ebgan": "EBGAN, momentum 0.9",
    "off": "the same, no pull-away",
    "0.3": "margin 0.3",
    "10": "margin 10",
    "0.0001": "margin 0.0001",
    "plain": "nine modes, plain",
    "r1": "nine modes, R1 on the energy",
}
SCORES = (
    *("modes", "quality", "distance", "width"),
    *("all", "one_mode"),  # the pull-away term of all samples, of one real mode alone
    *("real", "generated", "lifted"),  # mean energies; the share of samples below the margin
)


def train(setting, seed=0, epochs=1, callbacks=None):
    """The model of one of `SETTINGS`, trained; without XLA, which takes longer to compile."""
    kind = GAN if setting == "gan" else EBGAN
    nets = experiments.default_networks("gan" if kind is GAN else "ebgan", (2,), seed=seed)
    if setting in ("plain", "r1"):
        points, steps, r1 = data.toy("grid", side=3), 1500, float(setting == "r1")
        options = {"margin": 3.0, "r1": r1}
        model = experiments.build("ebgan", "grid", nets, steps, seed=seed, **options)
    else:
        points, momentum, options = ring_points(), 0.9, {"margin": 0.3}
        steps = 800
        if setting == "gan":
            options = {}
        elif setting == "off":
            options["pull_away_weight"] = 0.0
        elif setting != "ebgan":
            steps, momentum, options = 600, 0.5, {"margin": float(setting)}
        model = kind(*nets, seed=seed, **options)
        model.compile(*(keras.optimizers.Adam(1e-3, beta_1=momentum) for _ in range(2)))
    model.jit_compile = False
    model.fit(points, batch_size=128, steps_per_epoch=steps // epochs, epochs=epochs,
              callbacks=callbacks, verbose=0)  # fmt: skip
    return model


def run(setting, seed):
    """One stored run: `SCORES` by name, NaN for what this setting has not."""
    model = train(setting, seed)
    found = grid_scores(model) if setting in ("plain", "r1") else ring_scores(model)
    if setting not in ("gan", "plain", "r1"):
        found |= energy_scores(model)
    return {name: found.get(name, np.nan) for name in SCORES}


def ring_points():
    """4,000 points of the ring."""
    return data.toy("ring").sample(4000, seed=(0, 1)).numpy()


def energy_scores(model):
    """The pull-away terms, energies and share of samples still lifted of an EBGAN on the ring."""
    points, first = ring_points(), data.mode_centers(data.toy("ring"))[0]
    encode, mode = model.critic.get_layer("encoder"), np.linalg.norm(points - first, axis=1) < 0.3
    on_made = model.energy(model.sample(2000, seed=3)).numpy()
    return {
        "all": float(pull_away(encode(model.sample(500, seed=3)))),
        "one_mode": float(pull_away(encode(points[mode]))),
        "real": float(tf.reduce_mean(model.energy(points))),
        "generated": float(on_made.mean()),
        "lifted": float(np.mean(on_made < model.margin)),
    }


def grid_scores(model):
    """2,500 samples of a model trained on nine modes of a grid, and what they score, by name."""
    made = model.sample(2500, seed=1).numpy()
    cover = metrics.mode_coverage(made, data.mode_centers(data.toy("grid", side=3)), 0.15)
    return {"made": made, "modes": cover.modes, "quality": cover.high_quality}


def ring_scores(model):
    """2,500 samples of a model trained on the ring, and what they score, by name."""
    made = model.sample(experiments.SAMPLES, seed=1).numpy()
    found = zip(
        ("modes", "quality", "distance"), experiments.score_points(made, "ring"), strict=True
    )
    return {"made": made, "width": experiments.mode_width(made, "ring"), **dict(found)}


def on_the_ring(ax, made, title, edge=2.2):
    """Draw samples ``(n, 2)`` over the ring's modes."""
    plots.samples(ax, np.clip(made[:1000], -edge, edge), "generated", size=4)
    ax.plot(*data.mode_centers(data.toy("ring")).T, "o", color=COLORS["real"], markersize=5)
    ax.set(title=title, aspect="equal", xlim=(-edge, edge), ylim=(-edge, edge))
    plots.label(ax, -2.1, 1.75, "real modes", "real", ha="left")
    plots.label(ax, -2.1, -2.1, "generated", "generated", ha="left")


# The game in a box


def pull(t, blur, margin=1.0):
    """For N(0, 1) and N(t, 1): (the mean pull, the share of samples that feel any), a quadrature.

    The best energy is a step from 0 to the margin at t/2; here it rises within about ``blur``, as a
    logistic curve. A sample feels it where its slope is above a thousandth of the steepest.
    """
    x = np.linspace(t - 12, t + 12, 400_001)
    rise = np.tanh((x - t / 2) / (2 * blur))
    slope = margin * (1 - rise**2) / (4 * blur)
    q, felt = normal(x, t, 1), slope > slope.max() / 1000
    return float(np.trapezoid(q * slope, x)), float(np.trapezoid(q * felt, x))


# Exercises


@exercise("40_ebgan/1")
def hinge_of_each():
    """The critic's term for generated energies 0.2, 0.6 and 1.6 at margin 1."""
    energies = np.array([0.2, 0.6, 1.6])
    return Number(
        float(np.maximum(1 - energies, 0).mean()),
        tolerance=0.005,
        right="the third sample is beyond the margin and counts 0, not -0.6.",
        mistakes=[
            (
                max(0.0, 1 - energies.mean()),
                "That is the hinge of the mean: a sample beyond the margin made up for the others.",
            ),
            (float(np.maximum(1 - energies, 0).sum()), "Divide by the number of samples."),
            (float(np.abs(1 - energies).mean()), "Beyond the margin the hinge is 0, not |m - D|."),
            (float(energies.mean()), "That is the generator's loss."),
        ],
    )


@exercise("40_ebgan/2")
def term():
    """Write term(codes): the pull-away term."""

    def cosines(codes):
        unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
        return unit @ unit.T

    def off(values):
        n = len(values)
        return (values.sum() - np.trace(values)) / (n * (n - 1))

    return Function(
        lambda codes: float(pull_away(tf.constant(codes, tf.float64))),
        lambda rng: (rng.normal(size=(int(rng.integers(3, 8)), int(rng.integers(2, 5)))),),
        tolerance=1e-5,
        right="0 for orthogonal codes, 1 for codes on one line, whichever way they point.",
        mistakes=[
            (lambda c: off(cosines(c)), "Square the cosines: antipodal codes must not count -1."),
            (
                lambda c: np.mean(cosines(c) ** 2),
                "Leave out the pairs of a code with itself: each is 1 and says nothing.",
            ),
            (lambda c: off((c @ c.T) ** 2), "Divide each code by its length first."),
            (lambda c: off(cosines(c) ** 2) / 2, "Both orders of a pair count: do not halve."),
        ],
    )


@exercise("40_ebgan/3")
def large_margin():
    """What a margin far beyond every energy does to the hinge."""
    return Choice(
        right_choice="it pushes every sample",
        why="the hinge's slope is then -1 at every sample, wherever it is, also on a real one.",
        wrong={
            "it does nothing": "The hinge is 0 beyond the margin; here no sample gets there.",
            "its gradient vanishes": "The hinge is above 0 at every sample, and so has a slope.",
        },
    )


MARGIN, OWN_STEPS = 0.3, 1500  # on the ring


@exercise("40_ebgan/4")
def own_losses():
    """Write losses(x, copy_x, y, copy_y), and train with them."""
    mean, relu = tf.reduce_mean, tf.nn.relu

    def energies(x, copy):
        return tf.norm(copy - x, axis=1)

    def reference(x, copy_x, y, copy_y):
        hinge = relu(MARGIN - energies(y, copy_y))
        return mean(energies(x, copy_x)) + mean(hinge), mean(energies(y, copy_y))

    def inputs(rng):
        x, y = rng.normal(0, 1, (2, 16, 2))
        return x, x + rng.normal(0, 0.2, x.shape), y, y + rng.normal(0, 0.3, y.shape)

    def train(losses):
        def both(model, real, fake):
            return losses(*with_copies(model, real, fake))

        options = {"margin": MARGIN, "pull_away_weight": 0.0}
        return beats_the_circle(EBGAN, both, OWN_STEPS, **options)

    return Losses(
        reference,
        inputs,
        train,
        right="copies of real samples improve, copies of generated ones are spoilt up to the "
        "margin.",
        mistakes=[
            (
                "critic",
                lambda x, cx, y, cy: mean(energies(x, cx)) + relu(MARGIN - mean(energies(y, cy))),
                "that is the hinge of the mean; take the hinge of each sample, then the mean.",
            ),
            (
                "critic",
                lambda x, cx, y, cy: mean(energies(x, cx)) - mean(energies(y, cy)),
                "the hinge is missing: beyond the margin a generated sample counts 0.",
            ),
            (
                "critic",
                lambda x, cx, y, cy: mean(energies(x, cx)) + mean(relu(energies(y, cy) - MARGIN)),
                "the hinge is turned round: samples below the margin are to be lifted.",
            ),
            (
                "critic",
                lambda x, cx, y, cy: (
                    mean(energies(x, cx) ** 2) + mean(relu(MARGIN - energies(y, cy) ** 2))
                ),
                "the energy is the distance of the copy, not its square.",
            ),
            (
                "generator",
                lambda x, cx, y, cy: mean(relu(MARGIN - energies(y, cy))),
                "that is the critic's hinge; the generator lowers the energy itself.",
            ),
        ],
    )
