"""Lecture 30: the original GAN."""

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from genlib import data, metrics, networks, plots
from genlib.check import Choice, Number, exercise
from genlib.gans import GAN
from genlib.lectures import live28
from genlib.lectures.maths import log_normal, normal
from genlib.lectures.write_a_loss import Game
from genlib.likelihood import VAE
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, scene, slider
from genlib.widgets.artists import curve, density, dot, key, moving, panel, words

# Explorer: gan_game

NON_SATURATING, MINIMAX = "non-saturating", "minimax"
SHIFTS = np.linspace(-7, 7, 141)
LEAST = 1e-4  # the foot of the logarithmic axis


@scene("gan_game")
class GANGame(Scene):
    """The GAN game in one dimension: you are the generator; the critic is as good as you let it."""

    title = "The GAN game in one dimension"
    alt = (
        "Left: the real density in blue, the generator's in vermillion, and in green what the "
        "critic says, from 0 for generated to 1 for real; arrows show which way, and how hard, "
        "the generator's loss pushes its samples. Right: the size of that push against the "
        "generator's shift, on a logarithmic scale: the minimax loss's push vanishes as the two "
        "densities part, the non-saturating loss's push grows."
    )
    size = (9.6, 3.9)
    reveals = (
        {"shift": 0.0},
        ({"shift": 1.7, "loss": MINIMAX}, {"shift": 7.0, "loss": MINIMAX}, {"shift": 7.0}),
        tuple({"shift": 7.0, "skill": skill, "loss": MINIMAX} for skill in (1.0, 0.5, 0.05)),
    )

    def controls(self):
        return {
            "shift": slider("generator: shift", 4.0, -7.0, 7.0, 0.1),
            "scale": slider("generator: scale", 1.0, 0.4, 2.0, 0.1),
            "skill": slider("critic's skill", 1.0, 0.0, 1.0, 0.05),
            "loss": choice("generator's loss", [NON_SATURATING, MINIMAX]),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-16, 16, 801)
        left, right = fig.subplots(1, 2)
        ys, ticks = ("density, and D(x)", -0.5, 1.2), np.linspace(0, 1, 6)
        panel(left, "The two modes and the critic", ("x", -9, 9), ys, yticks=ticks)
        left.axhline(0, color="#8c8c8c", linewidth=1)
        left.plot(xs, normal(xs), color=COLORS["real"])
        plots.fill(left, xs, 0, normal(xs), "real")
        plots.label(left, -1.0, 0.42, "real", "real", ha="right")
        key(left, 0.02, 0.99, {"D(x): how sure the critic is of “real”": "critic"})
        self.generated = density(left, "generated")
        self.name = words(left, "generated", "generated", ha="left")
        self.critic = curve(left, "critic")
        self.quantiles = np.array([-1.5, -0.9, -0.45, 0.0, 0.45, 0.9, 1.5])
        self.rows = np.linspace(-0.08, -0.44, 7)
        units = {"angles": "xy", "scale_units": "xy", "scale": 1, "minlength": 0, "width": 0.006}
        arrows = left.quiver(*np.zeros((4, 7)), color=COLORS["generated"], **units)
        self.arrows, self.points = moving(arrows), dot(left, "generated", 5)

        ys = ("|slope of the loss| (nats per unit)", LEAST, 60)
        shifts = ("shift of the generator", -7, 7)
        panel(right, "How hard the loss pushes the generator", shifts, ys, yscale="log")
        styles = {NON_SATURATING: "-", MINIMAX: "--"}
        self.pushes = {n: curve(right, "generated", linestyle=style) for n, style in styles.items()}
        self.dots = {n: dot(right, "generated") for n in styles}
        self.names = {n: words(right, "generated", n, ha="right") for n in styles}

    def update(self, shift, scale, skill, loss):
        xs = self.xs
        log_p, log_q = log_normal(xs), log_normal(xs, shift, scale)
        q, logit = np.exp(log_q), skill * (log_p - log_q)
        self.generated.move(xs, q)
        self.name.move(shift + 0.9 * scale, 0.72 * q.max())
        self.critic.move(xs, expit(logit))

        points = shift + scale * self.quantiles
        # A step of one unit at a slope of 2 nats a unit; the arrows' heads need a little length.
        steps = -0.5 * slope_at(points, shift, scale, skill, loss)
        self.points.move(points, self.rows)
        self.arrows.set_offsets(np.column_stack([points, self.rows]))
        self.arrows.set_UVC(np.clip(steps, -3, 3), 0 * points)

        pushes = {}
        for name, lift in ((NON_SATURATING, 2), (MINIMAX, 0.25)):
            sizes = np.abs(push(SHIFTS, scale, skill, name))
            pushes[name] = abs(float(push(np.array([shift]), scale, skill, name)[0]))
            self.pushes[name].move(SHIFTS, np.maximum(sizes, LEAST))
            self.dots[name].move(shift, max(pushes[name], LEAST))
            self.names[name].move(6.8, np.clip(lift * sizes[-1], 2 * LEAST, 20))
            for artist in (self.pushes[name], self.dots[name]):
                artist.set_alpha(1.0 if name == loss else 0.45)

        least = np.log(4) - 2 * jsd(xs, log_p, log_q)
        return {
            "critic's loss": f"{critic_loss(xs, log_p, log_q, logit):.3f} nats",
            "the least any critic can reach, log 4 − 2 JSD": f"{least:.3f} nats",
            "push, non-saturating": f"{pushes[NON_SATURATING]:.2g}",
            "push, minimax": f"{pushes[MINIMAX]:.2g} nats per unit",
        }


# All below is said by `GAN` and `divergences.js` too, to which a test holds it: those take too long
# for a slider.


def critic_loss(xs, log_p, log_q, logit):
    """The critic's loss, in nats: the log-densities and the logit are (n,), at even ``xs``."""
    on_real, on_fake = np.logaddexp(0, -logit), np.logaddexp(0, logit)
    return (xs[1] - xs[0]) * np.sum(np.exp(log_p) * on_real + np.exp(log_q) * on_fake)


def jsd(xs, log_p, log_q):
    """The JSD, in nats, of two log-densities (n,) at even ``xs``."""
    m = np.logaddexp(log_p, log_q) - np.log(2)
    terms = np.exp(log_p) * (log_p - m) + np.exp(log_q) * (log_q - m)
    return (xs[1] - xs[0]) * np.sum(terms) / 2


def slope_at(x, shift, scale, skill, loss):
    """The slope at ``x`` of the generator's loss, the critic's logit being skill * log(p/q)."""
    logit = skill * (log_normal(x) - log_normal(x, shift, scale))
    logit_slope = skill * (-x + (x - shift) / scale**2)
    return -logit_slope * (expit(logit) if loss == MINIMAX else expit(-logit))


def push(shifts, scale, skill, loss):
    """The slope of the generator's expected loss in its shift, for each of ``shifts``."""
    z = np.linspace(-6, 6, 241)[:, None]
    weights = normal(z) * (z[1] - z[0])
    return np.sum(weights * slope_at(shifts + scale * z, shifts, scale, skill, loss), axis=0)


# Explorer: dirac_gan

WGAN = "Wasserstein"
SIMULTANEOUS, ALTERNATING = "both at once", "critic first"
START, FAR = (1.0, 0.0), 2.0  # where (theta, psi) begin; how far the picture goes
UPDATES, RUN_AWAY = 200, 20.0

# The Dirac-GAN (Mescheder et al. 2018, "Which training methods for GANs do actually
# converge?"): the only real point is 0, the only generated one ``theta``, the critic's logit is
# ``psi * x``. Both players go down their own loss; ``r1`` is the weight gamma of the penalty
# gamma / 2 * |critic's slope|^2 = gamma / 2 * psi^2. On this game a penalty on the generated point
# is the same, so that two penalties act as the sum of their weights.


@scene("dirac_gan")
class DiracGAN(Scene):
    """The smallest GAN, one number a player: its path, and the eigenvalues that decide its end."""

    title = "The Dirac-GAN: one number for each player"
    alt = (
        "Left: the plane of the generator's number theta and the critic's number psi, with arrows "
        "that turn round the goal at 0, 0 and the path of 200 updates. Middle: both numbers "
        "against the update. Right: the two eigenvalues of one update in the complex plane, "
        "beside the unit circle; inside it the path ends at the goal, outside it leaves."
    )
    size = (10.6, 4.0)
    reveals = (
        {},
        ({"objective": WGAN}, {"objective": WGAN, "rate": 0.05}),
        {"objective": WGAN, "order": ALTERNATING},
        tuple({"r1": weight} for weight in (0.5, 1.0, 2.0)),
        tuple({"objective": name, "order": ALTERNATING} for name in (MINIMAX, NON_SATURATING)),
    )

    def controls(self):
        return {
            "objective": choice("losses", [NON_SATURATING, MINIMAX, WGAN]),
            "order": choice("updates", [SIMULTANEOUS, ALTERNATING]),
            "rate": slider("learning rate h", 0.2, 0.05, 1.0, 0.05),
            "r1": slider("weight γ of R1", 0.0, 0.0, 2.0, 0.1),
        }

    def stage(self, fig):
        left, middle, right = fig.subplots(1, 3, width_ratios=[1, 1, 1])
        axis = (-FAR, FAR)
        panel(
            left, "The path", ("θ: where the generator is", *axis), ("ψ: the critic's slope", *axis)
        )
        self.grid = np.stack(np.meshgrid(*2 * [np.linspace(-1.8, 1.8, 10)]), -1).reshape(-1, 2)
        self.arrows = moving(
            left.quiver(*self.grid.T, *0 * self.grid.T, color="#8c8c8c", width=0.005)
        )
        left.plot(0, 0, "+", color="black", markersize=14, markeredgewidth=2)
        self.path = curve(left, "mixture", marker=".", markersize=4, linewidth=1)
        self.end = dot(left, "highlight", 9)
        left.plot(*START, "o", color="black", markersize=7)
        plots.label(left, START[0] + 0.1, START[1] + 0.1, "start", "black", ha="left")

        panel(middle, "Both numbers", ("update", 0, UPDATES), ("", *axis))
        middle.axhline(0, color="#8c8c8c", linewidth=1)
        self.theta, self.psi = curve(middle, "generated"), curve(middle, "critic")
        key(middle, 0.98, 0.98, {"θ": "generated", "ψ": "critic"})

        panel(
            right,
            "Eigenvalues of one update",
            ("real part", -1.25, 1.25),
            ("imaginary part", -1.25, 1.25),
            aspect="equal",
        )
        turn = np.linspace(0, 2 * np.pi, 200)
        right.plot(np.cos(turn), np.sin(turn), color="#8c8c8c", linewidth=1)
        plots.label(right, 0, 0, "inside: it\nconverges", va="center")
        self.values = dot(right, "highlight", 9)

    def update(self, objective, order, rate, r1):
        flow = dirac_flow(*self.grid.T, objective, r1)
        self.arrows.set_UVC(*flow / np.maximum(np.linalg.norm(flow, axis=0), 1e-9))
        path = dirac_path(objective, order, rate, r1)
        self.path.move(*path.T)
        self.end.move(*path[-1])
        for line, numbers in zip((self.theta, self.psi), path.T, strict=True):
            line.move(np.arange(len(path)), numbers)
        of_flow = np.linalg.eigvals(dirac_jacobian(objective, r1))
        of_update = np.linalg.eigvals(dirac_update(objective, order, rate, r1))
        self.values.move(of_update.real, of_update.imag)
        size = np.abs(of_update).max()
        gone = len(path) <= UPDATES
        return {
            "eigenvalues of the flow": pair_text(of_flow),
            "of one update": pair_text(of_update),
            "size of the larger": f"{size:.4f}",
            "distance from the goal": f"beyond {RUN_AWAY:.0f} after {len(path) - 1} updates"
            if gone
            else f"{np.hypot(*path[-1]):.3f}",
        }


def dirac_flow(theta, psi, objective, r1=0.0):
    """Minus the gradient of each player's loss in its own number: theta's, psi's, ``(2, ...)``."""
    logit = psi * theta  # on the generated point; on the real one, 0, it is 0 and has no slope
    critic = 1.0 if objective == WGAN else expit(logit)
    generator = {WGAN: 1.0, MINIMAX: critic, NON_SATURATING: expit(-logit)}[objective]
    return np.stack([psi * generator, -theta * critic - r1 * psi])


def dirac_jacobian(objective, r1=0.0):
    """The Jacobian ``(2, 2)`` of `dirac_flow` at the goal, 0, 0; rows and columns: theta, psi."""
    push = 1.0 if objective == WGAN else 0.5
    return np.array([[0.0, push], [-push, -r1]])


def dirac_update(objective, order, rate, r1=0.0):
    """The matrix ``(2, 2)`` by which one update near the goal multiplies (theta, psi)."""
    generator, critic = (rate * np.diag(who) @ dirac_jacobian(objective, r1) for who in np.eye(2))
    one = np.eye(2)
    return one + generator + critic if order == SIMULTANEOUS else (one + generator) @ (one + critic)


def dirac_path(objective, order, rate, r1=0.0, start=START, updates=UPDATES):
    """(theta, psi) before and after each update, ``(n, 2)``; it ends early where it runs away."""
    path = [start]
    for _ in range(updates):
        theta, psi = path[-1]
        if max(abs(theta), abs(psi)) > RUN_AWAY:
            break
        new_psi = psi + rate * dirac_flow(theta, psi, objective, r1)[1]
        seen = psi if order == SIMULTANEOUS else new_psi
        path.append((theta + rate * dirac_flow(theta, seen, objective, r1)[0], new_psi))
    return np.array(path)


def pair_text(values):
    """Two eigenvalues as text: ``-0.250 ± 0.433i``, or two real numbers."""
    first, second = sorted(values, key=lambda value: value.real)
    if abs(first.imag) > 1e-9:
        return f"{first.real:.3f} ± {abs(first.imag):.3f}i".replace("-", "−")
    return f"{first.real:.3f}, {second.real:.3f}".replace("-", "−")


# The trainings: one seed of some on the page, three or five of each stored

RING_STEPS = 1500  # of the generator on the ring
CENTERS = data.mode_centers(data.toy("ring"))

SETTINGS = {
    "vae": "VAE",
    "non_saturating": "GAN, non-saturating",
    "minimax": "GAN, minimax",
    "fast": "momentum 0.9",
    "damped": "momentum 0.9, R1",
    "brake": "GAN with R1",
    "free": "GAN without R1",
    **live28.YARDSTICKS,
}
ON_RING = ["non_saturating", "minimax", "vae", "fast", "damped"]
OPTIONS = {"minimax": {"objective": "minimax"}, "damped": {"r1": 1.0}, "brake": {"r1": 1.0}}


def ring_points():
    """8,192 points of the ring."""
    return data.toy("ring").sample(8192, seed=(0, 1)).numpy()


def adam(momentum=0.5):
    """The optimizer of every training on the ring."""
    return keras.optimizers.Adam(1e-3, beta_1=momentum)


def new_vae(seed):
    """A VAE whose decoder is the generator of `new_gan`."""
    encoder, decoder = networks.mlp(2, 4, 64, seed=seed + 100), networks.mlp(2, 2, 64, seed=seed)
    return VAE(encoder, decoder, latent_dim=2, likelihood="gaussian", scale=0.1, seed=seed)


def new_gan(seed, **options):
    """The GAN of the ring, untrained."""
    generator = networks.mlp(2, 2, width=64, seed=seed)
    critic = networks.mlp(2, 1, width=64, seed=seed + 100)
    return GAN(generator, critic, seed=seed, **options)


class Travel(keras.callbacks.Callback):
    """How far the mean of the samples moves from epoch to epoch, here of 50 steps."""

    def on_train_begin(self, logs=None):
        self.means = []

    def on_epoch_end(self, epoch, logs=None):
        self.means.append(self.model.sample(1000, seed=1).numpy().mean(0))

    def a_step(self):
        """The distance, on average over the second half of the training."""
        half = np.array(self.means[len(self.means) // 2 :])
        return np.linalg.norm(np.diff(half, axis=0), axis=1).mean()


def train(setting, seed=0, callbacks=()):
    """The model of one of the first five `SETTINGS`, trained on the ring in epochs of 50 steps."""
    if setting == "vae":
        model = new_vae(seed)
        model.compile(adam(), jit_compile=False)
    else:
        momentum = 0.9 if setting in ("fast", "damped") else 0.5
        model = new_gan(seed, **OPTIONS.get(setting, {}))
        model.compile(adam(momentum), adam(momentum), jit_compile=False)
    how = {"steps_per_epoch": 50, "epochs": RING_STEPS // 50, "callbacks": [*callbacks]}
    model.fit(ring_points(), batch_size=128, verbose=0, **how)
    return model


def train_digits(setting, seed=0, **film):
    """The model of "brake" or "free", trained on digits of 28x28."""
    return live28.train(GAN, seed, **OPTIONS.get(setting, {}), **film)


def score(made):
    """How many modes samples ``(n, 2)`` reach, and their share of high quality."""
    return metrics.mode_coverage(made, CENTERS, radius=0.3)


def run(setting, seed):
    """One stored run: modes, quality and travel of samples on the ring, or what digits score."""
    found = dict.fromkeys(("modes", "quality", "moves", *live28.FORMS), np.nan)
    if setting in live28.YARDSTICKS:
        return found | live28.run(setting, seed)
    if setting in ("brake", "free"):
        return found | live28.run(train_digits(setting, seed), seed)
    travel = Travel()
    made = score(train(setting, seed, [travel]).sample(2500, seed=1))
    scores = {"modes": made.modes, "quality": made.high_quality, "moves": travel.a_step()}
    return found | scores


# Exercises


@exercise("30_gan/1")
def undecided_critic():
    """The critic's loss, in nats, when it says D(x) = 1/2 to everything."""
    start = keras.Input((1,))
    undecided = keras.Model(start, keras.layers.Dense(1, kernel_initializer="zeros")(start))
    model = GAN(networks.mlp(1, 1, 4), undecided)
    truth = float(model.critic_loss(tf.ones((4, 1)), tf.ones((4, 1))))
    return Number(
        truth,
        tolerance=0.005,
        right="log 2 for the real mode and log 2 for the generated one: a critic that does "
        "worse than this knows less than nothing.",
        mistakes=[
            (truth / 2, "That is one mode; the loss adds both."),
            (truth / np.log(2), "That is in bits; nats use the natural logarithm."),
            (-truth, "That is the value of the game; the loss is its negative."),
            (0.0, "The loss is 0 only for a critic that is sure and always right."),
        ],
    )


@exercise("30_gan/2")
def own_gan():
    """Write both losses as a class, and train it."""

    def price(model, x, sign):
        return tf.reduce_mean(tf.nn.softplus(sign * model.critic(x)))

    return Game(
        GAN,
        right="and from two seeds it covers all eight modes and beats the plain circle.",
        steps=1200,
        mistakes=[
            (
                "critic_loss",
                lambda model, x, y: price(model, x, 1) + price(model, y, -1),
                "real and generated samples have changed places: real ones want a high logit.",
            ),
            (
                "critic_loss",
                lambda model, x, y: price(model, x, -1),
                "the generated samples' term is missing.",
            ),
            (
                "generator_loss",
                lambda model, x, y: -price(model, y, 1),
                "that is the minimax loss, whose push dies where the critic is sure; -E log D is "
                "asked for.",
            ),
        ],
    )


@exercise("30_gan/3")
def value_to_divergence():
    """The JSD, in nats, of two modes whose best critic has the loss 0.5."""
    truth = (np.log(4) - 0.5) / 2
    return Number(
        truth,
        tolerance=0.003,
        right="the best critic's loss tells the divergence; a trained one's gives a lower bound, "
        "on fresh samples.",
        mistakes=[
            (np.log(4) - 0.5, "That is 2 JSD; halve it."),
            ((np.log(4) + 0.5) / 2, "The value of the game is minus the critic's loss."),
            (np.log(2) - 0.5, "The constant is log 4, not log 2; then halve."),
        ],
    )


@exercise("30_gan/4")
def who_is_wrong():
    """Mode collapse: too small a network, a chase, or a wrong loss?"""
    return Choice(
        right_choice="the networks chase each other",
        why="with less momentum the same two networks cover all eight modes, so capacity and loss "
        "are not the cause.",
        wrong={
            "too few weights": "The same generator covers all eight modes with momentum 0.5.",
            "the loss is wrong": "The same loss trains well with momentum 0.5.",
        },
    )


# Stored: what a minute cannot show


def digits_gan(steps, seed=0, r1=0.1):
    """The page's GAN on 16x16 digits, for ``tools/strips.py``, compiled for ``steps`` steps.

    Its rates fall along a cosine, and it keeps a running mean of the generator's weights.
    """
    generator = networks.mlp(16, (16, 16, 1), 256, output_activation="sigmoid", seed=seed)
    critic = networks.mlp((16, 16, 1), 1, 256, activation="leaky_relu", seed=seed + 100)
    model = GAN(generator, critic, r1=r1, ema=0.999, seed=seed)
    rates = (keras.optimizers.schedules.CosineDecay(1e-3, steps, alpha=0.05) for _ in "gc")
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
    return model
