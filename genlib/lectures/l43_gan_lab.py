"""Lecture 43: the live lab, the Dirac-GAN of each objective, and a museum of wrong losses."""

import gc
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit

from genlib import networks, validate
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences.roots import safe_sqrt
from genlib.experiments.presets import default_networks
from genlib.gans import GAN, LSGAN, WGAN, WGANGP, FisherGAN, penalties
from genlib.gans.fisher_gan import omega
from genlib.gans.penalties import SMOOTHING, squared_gradient_norms
from genlib.gans.wgan import clip_weights
from genlib.lectures.l30_gan import (
    ALTERNATING,
    FAR,
    RUN_AWAY,
    SIMULTANEOUS,
    START,
    UPDATES,
    DiracGAN,
    pair_text,
)
from genlib.lectures.maths import log_normal, normal
from genlib.training import minimise
from genlib.widgets import choice, scene, slider

mean = tf.reduce_mean

# Explorer: dirac_zoo. Lecture 30's Dirac-GAN, for every objective whose critic gives one number.

NON_SATURATING, MINIMAX, LEAST_SQUARES = "non-saturating", "minimax", "least squares"
HINGE, WASSERSTEIN, CLIPPED, SLOPE = "hinge", "Wasserstein", "clipped", "slope penalty"
OBJECTIVES = (NON_SATURATING, MINIMAX, LEAST_SQUARES, HINGE, WASSERSTEIN, CLIPPED, SLOPE)
BOX = 0.5  # of the clipped critic


def pulls(t, objective):
    """How hard each player is pushed at the critic's number ``t``: generator's, critic's.

    The generator goes along ``psi`` times the first, the critic along ``-theta`` times the second.
    """
    one = np.ones_like(t)
    return {
        MINIMAX: (expit(t), expit(t)),
        NON_SATURATING: (expit(-t), expit(t)),
        # Targets 1 for real, -1 for generated, and 1 for the generator.
        LEAST_SQUARES: (1 - t, 1 + t),
        HINGE: (one, one * (t > -1)),
    }.get(objective, (one, one))


def zoo_flow(theta, psi, objective, r1=0.0, r2=0.0):
    """Minus the gradient of each player's loss in its own number: theta's, psi's, ``(2, ...)``."""
    generator, critic = pulls(psi * theta, objective)
    push = -theta * critic - (r1 + r2) * psi
    if objective == SLOPE:
        push = push - 2 * (np.abs(psi) - 1) * np.sign(psi)  # lambda = 1
    return np.stack([psi * generator, push])


def zoo_step(theta, psi, objective, order, rate, r1=0.0, r2=0.0):
    """One update of both players: the new (theta, psi)."""
    new_psi = psi + rate * zoo_flow(theta, psi, objective, r1, r2)[1]
    if objective == CLIPPED:
        new_psi = np.clip(new_psi, -BOX, BOX)
    seen = psi if order == SIMULTANEOUS else new_psi
    return theta + rate * zoo_flow(theta, seen, objective, r1, r2)[0], new_psi


def zoo_jacobian(objective, r1=0.0, r2=0.0, eps=1e-5):
    """The Jacobian (2, 2) of `zoo_flow` at the goal, by central differences; None at a kink."""
    if objective == SLOPE:
        return None  # the penalty on |psi| has a kink at psi = 0
    ends = [
        [zoo_flow(*(sign * eps * axis), objective, r1, r2) for sign in (1, -1)]
        for axis in np.eye(2)
    ]
    return np.stack([(up - down) / (2 * eps) for up, down in ends], 1)


def zoo_update(objective, order, rate, r1=0.0, r2=0.0):
    """The matrix (2, 2) by which one update near the goal multiplies (theta, psi), or None."""
    jacobian = zoo_jacobian(objective, r1, r2)
    if jacobian is None:
        return None
    one = np.eye(2)
    generator, critic = (rate * np.diag(who) @ jacobian for who in one)
    return one + generator + critic if order == SIMULTANEOUS else (one + generator) @ (one + critic)


def zoo_path(objective, order, rate, r1=0.0, r2=0.0):
    """(theta, psi) before and after each update, ``(n, 2)``; it ends early where it runs away."""
    path = [START]
    for _ in range(UPDATES):
        if max(map(abs, path[-1])) > RUN_AWAY:
            break
        path.append(tuple(map(float, zoo_step(*path[-1], objective, order, rate, r1, r2))))
    return np.array(path)


@scene("dirac_zoo")
class DiracZoo(DiracGAN):
    """The smallest GAN under seven objectives: who converges, who circles, who runs away."""

    title = "The Dirac-GAN under seven objectives"
    alt = (
        "Left: the plane of the generator's number theta and the critic's number psi, with arrows "
        "that turn round the goal at 0, 0 and the path of 200 updates. Middle: both numbers "
        "against the update. Right: the two eigenvalues of one update in the complex plane, "
        "beside the unit circle; inside it the path ends at the goal, outside it leaves."
    )
    reveals = (
        tuple({"objective": name} for name in (MINIMAX, LEAST_SQUARES, WASSERSTEIN)),
        ({"objective": WASSERSTEIN, "order": ALTERNATING}, {"order": ALTERNATING}),
        ({"r1": 0.5}, {"r2": 1.0}),
        ({"objective": CLIPPED}, {"objective": SLOPE}),
    )

    def controls(self):
        return {
            "objective": choice("losses", OBJECTIVES),
            "order": choice("updates", [SIMULTANEOUS, ALTERNATING]),
            "rate": slider("learning rate h", 0.2, 0.05, 1.0, 0.05),
            "r1": slider("weight of R1", 0.0, 0.0, 2.0, 0.1),
            "r2": slider("weight of R2", 0.0, 0.0, 2.0, 0.1),
        }

    def update(self, objective, order, rate, r1, r2):
        flow = zoo_flow(*self.grid.T, objective, r1, r2)
        self.arrows.set_UVC(*flow / np.maximum(np.linalg.norm(flow, axis=0), 1e-9))
        path = zoo_path(objective, order, rate, r1, r2)
        self.path.move(*path.T)
        self.end.move(*np.clip(path[-1], -FAR, FAR))
        for line, numbers in zip((self.theta, self.psi), path.T, strict=True):
            line.move(np.arange(len(path)), numbers)
        gone = len(path) <= UPDATES
        told = {
            "distance from the goal": f"beyond {RUN_AWAY:.0f} after {len(path) - 1} updates"
            if gone
            else f"{np.hypot(*path[-1]):.3f}",
        }
        matrix = zoo_update(objective, order, rate, r1, r2)
        if matrix is None:
            self.values.move([], [])
            return {"eigenvalues": "none: the penalty has a kink at ψ = 0"} | told
        of_update = np.linalg.eigvals(matrix)
        self.values.move(of_update.real, of_update.imag)
        return {
            "eigenvalues of the flow": pair_text(
                np.linalg.eigvals(zoo_jacobian(objective, r1, r2))
            ),
            "of one update": pair_text(of_update),
            "size of the larger": f"{np.abs(of_update).max():.4f}",
        } | told


# The museum. Each exhibit is wrong in one line, which ends in a number like all its lines.


def slope_penalty_a(self, real, fake):
    gap = mean(self.critic(fake)) - mean(self.critic(real))  # 1
    alpha = self.random_normal((tf.shape(real)[0], 1))  # 2
    between = alpha * real + (1 - alpha) * fake  # 3
    slope = safe_sqrt(squared_gradient_norms(self.critic, between) + SMOOTHING)  # 4
    return gap + self.penalty_weight * mean((slope - 1) ** 2)  # 5


def slope_penalty_b(self, real, fake):
    gap = mean(self.critic(fake)) - mean(self.critic(real))  # 1
    alpha = self.random_uniform((tf.shape(real)[0], 1))  # 2
    between = alpha * real + (1 - alpha) * fake  # 3
    slopes = slopes_of(self.critic, between)  # 4
    norms = safe_sqrt(tf.reduce_sum(slopes**2, axis=0) + SMOOTHING)  # 5
    return gap + self.penalty_weight * mean((norms - 1) ** 2)  # 6


def slope_penalty_c(self, real, fake):
    gap = mean(self.critic(fake)) - mean(self.critic(real))  # 1
    alpha = self.random_uniform((tf.shape(real)[0], 1))  # 2
    between = alpha * real + (1 - alpha) * fake  # 3
    norms = tf.sqrt(squared_gradient_norms(self.critic, between))  # 4
    return gap + self.penalty_weight * mean((norms - 1) ** 2)  # 5


def r1_d(self, real, fake):
    on_real, on_fake = self.critic(real), self.critic(fake)  # 1
    loss = mean(tf.nn.softplus(-on_real)) + mean(tf.nn.softplus(on_fake))  # 2
    squares = squared_gradient_norms(self.critic, real)  # 3
    return loss + 0.1 / 2 * tf.reduce_sum(squares)  # 4


def multiplier_e(self, real, fake):
    on_real, on_fake = self.critic(real), self.critic(fake)  # 1
    size = omega(on_real, on_fake)  # 2
    self.multiplier.assign_add(self.rho * (1 - size))  # 3


def cross_entropy_f(self, real, fake):
    on_real, on_fake = tf.sigmoid(self.critic(real)), tf.sigmoid(self.critic(fake))  # 1
    entropy = tf.nn.sigmoid_cross_entropy_with_logits  # 2
    of_real = mean(entropy(labels=tf.ones_like(on_real), logits=on_real))  # 3
    of_fake = mean(entropy(labels=tf.zeros_like(on_fake), logits=on_fake))  # 4
    return of_real + of_fake  # 5


def one_tape_g(self, real, fake):
    on_real, on_fake = self.critic(real), self.critic(fake)  # 1
    critics = mean(tf.nn.softplus(-on_real)) + mean(tf.nn.softplus(on_fake))  # 2
    generators = mean(tf.nn.softplus(-on_fake))  # 3
    return critics + generators  # 4


def clipped_h(self, real):
    fake = self.generate_like(real)  # 1
    clip_weights(self.critic, self.clip)  # 2
    variables = self.critic_variables  # 3
    loss = minimise(self.critic_optimizer, variables, lambda: self.critic_loss(real, fake))  # 4
    return {"critic_loss": loss}  # 5


def log_of_mean_i(self, real, fake):
    on_real, on_fake = tf.sigmoid(self.critic(real)), tf.sigmoid(self.critic(fake))  # 1
    of_real = -tf.math.log(mean(on_real) + 1e-7)  # 2
    of_fake = -tf.math.log(mean(1 - on_fake) + 1e-7)  # 3
    return of_real + of_fake  # 4


def least_squares_j(self, real, fake):
    on_fake = self.critic(fake)  # 1
    target = tf.zeros_like(on_fake)  # 2
    return mean((on_fake - target) ** 2) / 2  # 3


def sorted_kl_k(x, y):
    p, q = np.sort(x), np.sort(y)  # 1
    p, q = p - p.min() + 1e-3, q - q.min() + 1e-3  # 2
    p, q = p / p.sum(), q / q.sum()  # 3
    return np.sum(p * np.log(p / q))  # 4


def jsd_l(p, q, dx):
    m = p + q  # 1
    of_p = dx * np.sum(p * np.log(p / m))  # 2
    of_q = dx * np.sum(q * np.log(q / m))  # 3
    return (of_p + of_q) / 2  # 4


def mmd2_m(k_xx, k_yy, k_xy):
    n = len(k_xx)  # 1
    within = [(k.sum() - np.trace(k)) / n**2 for k in (k_xx, k_yy)]  # 2
    return sum(within) - 2 * k_xy.mean()  # 3


def covariance_n(on_real, on_fake, k):
    gap = on_real.T @ on_real / len(on_real) - on_fake.T @ on_fake / len(on_fake)  # 1
    u = np.linalg.eigh(gap)[1][:, -k:]  # 2
    v = u  # 3
    return np.trace(u.T @ gap @ v)  # 4


def slopes_of(value, x):
    """The slope of ``value`` at each x, (n, d)."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(value(x))
    return tape.gradient(total, x)


# The identity that catches each: it gives what was found and what must be.


def _stub(critic, **more):
    """Enough of a model for a loss: a critic that is a function."""
    rng = np.random.default_rng(0)
    return types.SimpleNamespace(
        critic=critic,
        penalty_weight=1.0,
        rho=0.1,
        random_uniform=lambda shape: tf.constant(rng.uniform(size=_of(shape)), tf.float32),
        random_normal=lambda shape: tf.constant(rng.normal(size=_of(shape)), tf.float32),
        **more,
    )


def _of(shape):
    return [int(side) for side in shape]


ONES, ZEROS = tf.ones((64, 1)), tf.zeros((64, 1))


def on_the_line(loss):
    def critic(x):  # slope 1 from 0 to 1, and 3 beyond: where no line between the two comes
        return x + 2 * tf.maximum(x - 1, 0.0) - 2 * tf.maximum(-x, 0.0)

    return float(loss(_stub(critic), ONES, ZEROS)), -1.0  # the gap alone: no penalty


def for_each_sample(loss):
    def critic(x):  # slope (0.6, 0.8), of length 1, everywhere
        return x @ tf.constant([[0.6], [0.8]])

    x = tf.ones((64, 2))
    return float(loss(_stub(critic), x, x)), 0.0


def flat_critic(loss):
    weight = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = loss(_stub(lambda x: weight * x), ONES, ONES)
    return float(tape.gradient(value, weight)), 0.0  # a penalty that is level at slope 0


def any_batch(loss):
    def critic(x):
        return 2.0 * x

    wanted = np.logaddexp(0, -2.0) + np.logaddexp(0, 2.0) + 0.1 / 2 * 2.0**2
    return float(loss(_stub(critic), ONES, ONES)), float(wanted)


def grows_when_large(step):
    held = tf.Variable(0.0)
    step(_stub(lambda x: 2.0 * x, multiplier=held), ONES, ONES)  # Omega = 4
    return float(np.sign(held)), 1.0


def sure_and_right(loss):
    return float(loss(_stub(lambda x: 40.0 * (2 * x - 1)), ONES, ZEROS)), 0.0


def generators_slope(loss):
    fake = tf.constant(np.linspace(-2, 2, 64)[:, None], tf.float32)
    slopes = []
    for own in (loss, lambda self, real, fake: mean(tf.nn.softplus(-self.critic(fake)))):
        with tf.GradientTape() as tape:
            tape.watch(fake)
            value = own(_stub(lambda x: x), ONES, fake)
        slopes.append(float(tf.reduce_sum(tape.gradient(value, fake))))
    return tuple(slopes)


def within_the_box(step):
    nets = networks.mlp(2, 2, 4, seed=0), networks.mlp(2, 1, 4, seed=1)
    model = WGAN(*nets, clip=0.1, seed=0)
    model.compile(None, keras.optimizers.RMSprop(0.01))
    step(model, tf.ones((8, 2)))
    beyond = max(float(tf.reduce_max(tf.abs(w.value))) for w in model.critic_variables) - 0.1
    return max(beyond, 0.0), 0.0


def mean_of_logs(loss):
    x = tf.constant([[-3.0], [3.0]])
    return float(loss(_stub(lambda x: x), x, x)), float(2 * mean(tf.nn.softplus(-x)))


def fooled(loss):
    return float(loss(_stub(lambda x: x), ZEROS, ONES)), 0.0  # the critic says 1, "real"


def shifted_normals(divergence):
    x = np.random.default_rng(0).normal(size=4000)
    return float(divergence(x, x + 1)), 0.5


def alike(divergence):
    xs = np.linspace(-8, 8, 801)
    return float(divergence(normal(xs), normal(xs), xs[1] - xs[0])), 0.0


def constant_kernel(estimate):
    return float(estimate(*[np.ones((8, 8))] * 3)), 0.0


def singular_values(value):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(500, 4)), 2 * rng.normal(size=(500, 4))
    gap = x.T @ x / 500 - y.T @ y / 500
    return float(value(x, y, 2)), float(np.linalg.svd(gap, compute_uv=False)[:2].sum())


# What is right, for the tests and for the curves.


def right_slope_penalty(self, real, fake):
    gap = mean(self.critic(fake)) - mean(self.critic(real))
    alpha = self.random_uniform((tf.shape(real)[0],))
    return gap + self.penalty_weight * penalties.gradient_penalty(self.critic, real, fake, alpha)


def right_r1(self, real, fake):
    on_real, on_fake = self.critic(real), self.critic(fake)
    loss = mean(tf.nn.softplus(-on_real)) + mean(tf.nn.softplus(on_fake))
    return loss + 0.1 / 2 * penalties.r1(self.critic, real)


def right_multiplier(self, real, fake):
    self.multiplier.assign_sub(self.rho * (1 - omega(self.critic(real), self.critic(fake))))


def right_cross_entropy(self, real, fake):
    on_real, on_fake = self.critic(real), self.critic(fake)
    return mean(tf.nn.softplus(-on_real)) + mean(tf.nn.softplus(on_fake))


def right_generator(self, real, fake):
    return mean(tf.nn.softplus(-self.critic(fake)))


def right_clip(self, real):
    logs, fake = self.update_critic(real)
    self.after_critic_step(real, fake)
    return logs


def right_least_squares(self, real, fake):
    return mean((self.critic(fake) - 1) ** 2) / 2


def right_kl(x, y):
    """Of two normals of scale 1, from their samples' means."""
    return (x.mean() - y.mean()) ** 2 / 2


def right_jsd(p, q, dx):
    m = (p + q) / 2
    return dx * np.sum(p * np.log(p / m) + q * np.log(q / m)) / 2


def right_mmd2(k_xx, k_yy, k_xy):
    n = len(k_xx)
    return sum((k.sum() - np.trace(k)) / (n * (n - 1)) for k in (k_xx, k_yy)) - 2 * k_xy.mean()


def right_covariance(on_real, on_fake, k):
    gap = on_real.T @ on_real / len(on_real) - on_fake.T @ on_fake / len(on_fake)
    return np.linalg.svd(gap, compute_uv=False)[:k].sum()


@dataclass(frozen=True)
class Exhibit:
    """One wrong loss: its code, the line that is wrong, and what catches it."""

    wrong: Callable
    right: Callable
    identity: Callable
    line: int
    why: str
    caught: str  # the identity in words
    part: str = ""  # of a GAN: the method that it replaces; "" for an estimate
    base: type = GAN
    options: tuple = ()

    @property
    def lines(self) -> int:
        return len(inspect.getsource(self.wrong).strip().splitlines()) - 1


_GP = {"part": "critic_loss", "base": WGANGP}
_OPTIONS = (("penalty_weight", 0.1), ("critic_steps", 1))
MUSEUM = {
    "a": Exhibit(
        slope_penalty_a, right_slope_penalty, on_the_line, 2,
        "alpha comes from a normal, so half of the points lie beyond the two samples; it must be "
        "uniform in [0, 1].",
        "a critic of slope 1 on the line between the samples, and 3 beyond it, pays no penalty",
        options=_OPTIONS, **_GP,
    ),
    "b": Exhibit(
        slope_penalty_b, right_slope_penalty, for_each_sample, 5,
        "axis 0 is the batch: that is one norm a coordinate, over all samples; each sample has "
        "its own, over all axes but the first.",
        "a critic of slope (0.6, 0.8) everywhere pays no penalty, however large the batch",
        options=_OPTIONS, **_GP,
    ),
    "c": Exhibit(
        slope_penalty_c, right_slope_penalty, flat_critic, 4,
        "the root's slope at 0 is infinite: something small must stand under it.",
        "at a flat critic the loss has a finite slope",
        options=_OPTIONS, **_GP,
    ),
    "d": Exhibit(
        r1_d, right_r1, any_batch, 4,
        "a sum over the batch makes R1 as many times heavier as the batch is large; it is a mean.",
        "a critic of slope 2 pays 0.1 / 2 times 4, however large the batch",
        "critic_loss",
    ),
    "e": Exhibit(
        multiplier_e, right_multiplier, grows_when_large, 3,
        "the multiplier must grow while Omega is above 1: it goes down its gradient, 1 - Omega.",
        "Omega above 1 raises the multiplier",
        "after_critic_step", FisherGAN, (("rho", 0.1), ("critic_steps", 1)),
    ),
    "f": Exhibit(
        cross_entropy_f, right_cross_entropy, sure_and_right, 1,
        "the loss takes logits and is given probabilities: the sigmoid is applied twice.",
        "a critic that is sure and right has loss 0",
        "critic_loss",
    ),
    "g": Exhibit(
        one_tape_g, right_generator, generators_slope, 4,
        "the generator goes down the critic's loss too, since nothing stops the gradient at the "
        "samples: it helps the critic to tell it from the data.",
        "the slope in the samples is that of the generator's loss alone",
        "generator_loss",
    ),
    "h": Exhibit(
        clipped_h, right_clip, within_the_box, 2,
        "the weights are clipped before the update, and the update takes them out of the box.",
        "after a step no weight is beyond the box",
        "critic_step", WGAN, (("clip", 0.05), ("critic_steps", 1)),
    ),
    "i": Exhibit(
        log_of_mean_i, right_cross_entropy, mean_of_logs, 2,
        "the log of a mean is not the mean of the logs; line 3 has the same mistake.",
        "two samples, of logits -3 and 3: the loss is the mean of their own losses",
        "critic_loss",
    ),
    "j": Exhibit(
        least_squares_j, right_least_squares, fooled, 2,
        "0 is what the critic says of generated samples; the generator wants to hear 1.",
        "a generator whose samples the critic takes for real has loss 0",
        "generator_loss", LSGAN,
    ),
    "k": Exhibit(
        sorted_kl_k, right_kl, shifted_normals, 1,
        "a sample's numbers are places, not probabilities, and sorting does not make them so. "
        "The KL needs densities.",
        "two normals of scale 1, 1 apart: the KL is 1/2",
    ),
    "l": Exhibit(
        jsd_l, right_jsd, alike, 1,
        "the mixture is (p + q) / 2: without the half the value is log 2 too small.",
        "P = Q: the JSD is 0",
    ),
    "m": Exhibit(
        mmd2_m, right_mmd2, constant_kernel, 2,
        "without the diagonal there are n (n - 1) pairs, not n^2.",
        "a kernel that is 1 everywhere: MMD^2 is 0",
    ),
    "n": Exhibit(
        covariance_n, right_covariance, singular_values, 3,
        "U = V sees the positive eigenvalues alone: where the generated features vary more than "
        "the real ones, the value is negative. U and V must be free of each other.",
        "the value is the sum of the k largest singular values",
    ),
}  # fmt: skip
TRAINED = [name for name, exhibit in MUSEUM.items() if exhibit.part]
ESTIMATES = [name for name, exhibit in MUSEUM.items() if not exhibit.part]


def code_of(name: str) -> str:
    """An exhibit's code; each line ends in its number."""
    return inspect.getsource(MUSEUM[name].wrong).strip()


def catch(name: str) -> str:
    """What the identity says of an exhibit, and of the right code: one line."""
    exhibit = MUSEUM[name]
    (wrong, wanted), (right, _) = map(exhibit.identity, (exhibit.wrong, exhibit.right))
    return (
        f"{name}: {exhibit.caught}.\n   it gives {wrong:.3f}, the right code {right:.3f}, "
        f"and {wanted:.3f} is wanted"
    )


def spoiled(name: str, seed=0, width=32):
    """An exhibit as a model to train, small; ``name`` "gan" or "wgan_gp" for what is right."""
    plain = {"gan": (GAN, ()), "wgan_gp": (WGANGP, _OPTIONS)}
    if name in plain:
        kind, options = plain[name]
    else:
        exhibit = MUSEUM[name]
        kind, options = exhibit.base, exhibit.options
        body = {exhibit.part: exhibit.wrong}
        if exhibit.base is WGANGP:
            body["log_names"] = ("critic_loss", "generator_loss")
        if exhibit.base is FisherGAN:
            body["log_names"] = ("critic_loss", "generator_loss")
        kind = type(kind)(kind.__name__, (kind,), body)
    nets = default_networks(kind, (2,), 2, width, seed=seed)
    if name == "c":  # a critic that starts flat, as some do
        nets[1].layers[-1].kernel.assign(tf.zeros_like(nets[1].layers[-1].kernel))
    model = kind(*nets, seed=seed, **dict(options))
    rms = keras.optimizers.RMSprop
    make = (lambda: rms(1e-3)) if name == "h" else lambda: keras.optimizers.Adam(1e-3, 0.5, 0.99)
    model.compile(make(), make(), jit_compile=False)
    return model


def train(name: str, points, steps=250):
    """Samples (200, 2) of an exhibit trained on ``points`` (n, 2), and its critic's losses."""
    model = spoiled(name)
    model.fit(points, batch_size=128, steps_per_epoch=steps, verbose=0)
    found = model.sample(200, seed=1).numpy(), model.step_losses["critic_loss"]
    del model
    gc.collect()  # a graph each: a dozen of them would stay
    return found


def estimates(name: str, shifts, seed=0):
    """An estimate, and the right value, for normals ``shifts`` apart: two lists."""
    exhibit, rng = MUSEUM[name], np.random.default_rng(seed)
    xs = np.linspace(-12, 12, 1201)
    found = []
    for shift in shifts:
        if name == "k":
            x, y = rng.normal(size=500), shift + rng.normal(size=500)
            given = x, y
        elif name == "l":
            p, q = normal(xs), np.exp(log_normal(xs, shift))
            given = p + 1e-300, q + 1e-300, xs[1] - xs[0]
        elif name == "m":
            x, y = rng.normal(size=(8, 1)), shift + rng.normal(size=(8, 1))
            given = [np.exp(-((a - b.T) ** 2) / 2) for a, b in ((x, x), (y, y), (x, y))]
        else:
            given = rng.normal(size=(500, 4)), (0.5 + shift / 2) * rng.normal(size=(500, 4)), 2
        found.append([float(exhibit.wrong(*given)), float(exhibit.right(*given))])
    return np.array(found).T


def which_line(name: str) -> Choice:
    """The question of an exhibit: its answer is "line 2", say."""
    exhibit = MUSEUM[validate.choice("name", name, MUSEUM)]
    hint = (
        "That line is right. Try the identities that you know: where must the value be one that "
        "you can tell?"
    )
    lines = (i for i in range(1, exhibit.lines + 1) if i != exhibit.line)
    wrong = {f"line {i}": hint for i in lines}
    if name == "i":
        wrong["line 3"] = "Line 3 has the mistake too; name the first line that has it."
    return Choice(f"line {exhibit.line}", exhibit.why, wrong)


def judge(answers) -> None:
    """Say of each exhibit whether its line was found; ``answers``: letter to "line 2", or None."""
    for name, line in answers.items():
        question = which_line(name)
        if line is None:
            print(f"{name}: not answered yet")
            continue
        right, told = question.judge(line)
        print(f"{name}: {'right' if right else 'not yet'}, {told}")


# Exercises


@exercise("43_gan_lab/1")
def best_critic():
    """Write best_critic(log_p, log_q): what the best critic D of the GAN says."""
    return Function(
        lambda log_p, log_q: expit(log_p - log_q),
        inputs=lambda rng: (rng.normal(-3, 2, 6), rng.normal(-3, 2, 6)),
        tolerance=1e-4,
        right="p / (p + q): the sigmoid of the log ratio. The contour is where it is 1/2.",
        mistakes=[
            (lambda log_p, log_q: expit(log_q - log_p), "D says how sure it is of real: p on top."),
            (lambda log_p, log_q: log_p - log_q, "That is the logit; D is its sigmoid."),
            (lambda log_p, log_q: np.exp(log_p - log_q), "That is p / q; D is p / (p + q)."),
            (
                lambda log_p, log_q: log_p / (log_p + log_q),
                "Those are logs: exponentiate before you divide.",
            ),
        ],
    )


@exercise("43_gan_lab/2")
def penalty_on_the_data():
    """Write r1(slopes, weight): R1's part of the critic's loss, from slopes (n, d)."""

    def reference(slopes, weight):
        # A critic with these very slopes, whatever the point.
        x = tf.zeros(slopes.shape)
        given = tf.cast(slopes, tf.float32)
        return weight / 2 * float(penalties.r1(lambda x: tf.reduce_sum(x * given, 1), x))

    return Function(
        reference,
        inputs=lambda rng: (rng.normal(size=(5, 2)), rng.uniform(0.1, 2)),
        tolerance=1e-4,
        right="half the weight, times the mean over the batch of the squared lengths.",
        mistakes=[
            (
                lambda slopes, weight: weight / 2 * np.sum(slopes**2),
                "That is exhibit d: a sum over the batch. R1 is a mean over samples.",
            ),
            (
                lambda slopes, weight: weight / 2 * np.mean(slopes**2),
                "That is a mean over the coordinates too; the squared length is a sum over them.",
            ),
            (
                lambda slopes, weight: weight * np.mean(np.sum(slopes**2, 1)),
                "Half of the weight: the penalty's slope is then the weight itself.",
            ),
            (
                lambda slopes, weight: weight / 2 * np.mean(np.linalg.norm(slopes, axis=1)),
                "R1 takes the square of the length, not the length.",
            ),
        ],
    )


@exercise("43_gan_lab/3")
def shrinks_by():
    """By what factor one update of both at once shrinks the Dirac-GAN, R1 1/2 and rate 0.2."""
    truth = float(
        np.abs(np.linalg.eigvals(zoo_update(NON_SATURATING, SIMULTANEOUS, 0.2, 0.5))).max()
    )
    flow = np.linalg.eigvals(zoo_jacobian(NON_SATURATING, 0.5))
    without = np.linalg.eigvals(zoo_update(NON_SATURATING, SIMULTANEOUS, 0.2))
    return Number(
        truth,
        tolerance=0.002,
        right="both eigenvalues are inside the unit circle, so the path spirals in.",
        mistakes=[
            (float(np.abs(flow).max()), "That is the size of the flow's eigenvalue; one update "
             "multiplies by 1 + h times it."),
            (float(np.abs(without).max()), "That is without R1: outside the circle."),
            (float(1 + 0.2 * flow.real.max()), "Its real part alone; the size has both parts."),
            (truth**2, "That is its square: take the root."),
        ],
    )  # fmt: skip
