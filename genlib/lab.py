"""The live lab's engine: GANs on points of the plane that train in slices, steered in between.

    run = Run(variant="gan", data="ring", width=64)
    run.advance(5)                  # five slices of `SLICE` steps each
    run.set(r1=0.1)                 # in mid-run: the weights stay
    run.seek(2)                     # back to the third frame
    other = run.branch()            # a second run from that moment
    other.set(momentum=0.9)
    run.judge()                     # name -> `Score`: a number beside its null level

A slice is one call of the model's own compiled epoch. What a slice changes is copied out of the
model after it, so one compiled model serves all runs that need the same graph.
"""

import ast
import collections
import functools
import inspect
import math
from typing import NamedTuple

import keras
import numpy as np
import ot
import tensorflow as tf
from scipy.special import expit, rel_entr

from genlib import data as toys
from genlib import experiments, metrics, validate
from genlib.divergences import kernels
from genlib.divergences.samples import energy_distance
from genlib.experiments.presets import PRESETS, default_networks, preset
from genlib.gans import BEGAN, EBGAN, GMMN, MMDGAN, MMDGANGP, REGISTRY, RWGAN, CramerGAN, McGAN
from genlib.likelihood import KDE
from genlib.training import POOL, traced

SLICE = 10  #: generator steps in a slice
KEPT_BYTES = 48_000_000  #: of frames, for one run; then every second of the older half goes
DRAWN_WIDTH = 0.05  #: drawn points are means of Gaussians so wide: a density like the others
WITNESSES = 120  #: points to which a kernel's surface compares each place
CELLS = 40  #: a side of the grid on which the critic's surface is shown
PAIRS, NULLS = 500, 9  # points for exact W1 and the energy distance; draws of each null level
FROZEN = ("nobody", "generator", "critic")

#: Settings of every variant. Those that the graph reads from a variable move without a new graph.
COMMON = {
    "variant": "gan", "data": "ring", "width": 64, "latent_dim": 2, "generator_rate": 1e-3,
    "critic_rate": 1e-3, "optimizer": "adam", "momentum": 0.5, "critic_steps": 1,
    "batch_size": 128, "r1": 0.0, "frozen": "nobody", "seed": 0,
}  # fmt: skip
#: Variants' own settings that move without a new graph, and what they may be.
LIVE = {
    "clip": validate.positive,
    "penalty_weight": validate.non_negative,
    "rho": validate.positive,
    "regularisation": validate.positive,
    "margin": validate.positive,
    "gamma": validate.unit_interval,
    "k_rate": validate.non_negative,
    "feasibility_weight": validate.non_negative,
}
#: These give other networks: they start the run anew.
FRESH = ("width", "latent_dim", "seed")
#: At their best, the critics of these are functions of p / q: its contours are theirs.
RATIO = ("gan", "lsgan", "fisher_gan")
_NOT_OWN = {
    "self", "generator", "critic", "critic_steps", "r1", "ema", "seed", "name", "options",
    "kernel", "autoencoder",
}  # fmt: skip


class Frame(NamedTuple):
    """A moment of a run: all that going on from it needs, and what was seen on the way to it."""

    step: int
    state: dict[str, list[np.ndarray]]
    settings: dict
    losses: dict[str, float]  # means over the slice that ended here


class Score(NamedTuple):
    """A number that judges samples; true samples score from ``low`` to ``high`` (`NULLS` draws)."""

    value: float
    low: float
    high: float


# Data


class Data:
    """A density of the plane: what is drawn of it, and what true samples score."""

    def __init__(self, name, density):
        self.name, self.density = name, density
        self.pool = tf.cast(self.sample(POOL, 0), tf.float32)
        reach = float(np.quantile(np.abs(self.pool), 0.999))
        self.half = 1.4 * reach  # the picture goes from -half to half
        side = np.linspace(-self.half, self.half, CELLS, dtype=np.float32)
        self.side, self.grid = side, np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
        self.log_p = np.asarray(density.log_prob(self.grid), float).reshape(CELLS, CELLS)
        self.bandwidth = self.half / 30  # of the estimate of q's density

    def sample(self, n, seed):
        return np.asarray(self.density.sample(n, seed=seed), np.float32)

    @functools.cached_property
    def modes(self):
        """Centres ``(k, 2)`` and the radius of high quality, or None where there are no modes."""
        if self.name == "two_gaussians":
            return toys.mode_centers(self.density), 1.5
        if self.name in experiments.RADIUS:
            return toys.mode_centers(self.density), experiments.RADIUS[self.name]
        return None

    def log_q(self, made):
        """Log of a kernel density estimate of ``made`` (n, 2) on the grid, ``(CELLS, CELLS)``."""
        x, y = (
            np.exp(-((self.side[:, None] - made[:, axis]) ** 2) / (2 * self.bandwidth**2))
            for axis in (0, 1)
        )
        q = y @ x.T / (len(made) * 2 * math.pi * self.bandwidth**2)
        return np.log(np.maximum(q, 1e-30))

    def log_ratio(self, made):
        """``log p - log q`` on the grid, q estimated from ``made``; NaN where both are rare."""
        log_q = self.log_q(made)
        floor = np.nanmax(self.log_p) - 6
        with np.errstate(invalid="ignore"):
            rare = (self.log_p < floor) & (log_q < floor)
            return np.where(rare, np.nan, np.clip(self.log_p - log_q, -30, 30))

    @functools.cached_property
    def ratio_error(self) -> float:
        """Mean of ``|log p - log KDE|`` over p, for 2,000 true samples: 0 if there were no error.

        So far may a contour be off by the estimate alone: it blurs by its bandwidth.
        """
        gap = np.abs(self.log_ratio(self.sample(2000, 77)))
        weight = np.where(np.isnan(gap), 0, np.exp(self.log_p))
        return float((weight * np.nan_to_num(gap)).sum() / weight.sum())

    @functools.cached_property
    def cells(self):
        """Edges of 60 x 60 cells and the mass of p in each, by 25 points a cell; beyond, one."""
        edges = np.linspace(-self.half, self.half, 61)
        fine = (edges[:-1, None] + (np.arange(5) + 0.5) / 5 * (edges[1] - edges[0])).ravel()
        points = np.stack(np.meshgrid(fine, fine, indexing="ij"), -1).reshape(-1, 2)
        parts = np.array_split(points.astype(np.float32), 30)
        prob = np.concatenate([np.exp(np.asarray(self.density.log_prob(part))) for part in parts])
        p = prob.reshape(60, 5, 60, 5).mean((1, 3)).ravel() * (edges[1] - edges[0]) ** 2
        p /= max(1.0, p.sum())
        return edges, np.append(p, max(0.0, 1 - p.sum()))

    def jsd(self, made):
        """The JSD in nats of p and ``made`` (n, 2), by counting in cells; inf if not finite.

        `experiments.counted_jsd` where that knows the density, else the same in 60 x 60 cells.
        """
        if self.name in experiments.RADIUS:
            return experiments.counted_jsd(made, self.name)
        if not np.isfinite(made).all():
            return np.inf
        edges, p = self.cells
        q = np.histogram2d(*np.asarray(made, float).T, bins=(edges, edges))[0].ravel() / len(made)
        q = np.append(q, max(0.0, 1 - q.sum()))
        return float(sum(rel_entr(2 * cells, p + q).sum() for cells in (p, q)) / 4)

    def score(self, made, seed) -> dict[str, float]:
        """What ``made`` (COUNTED, 2) scores, against fresh true samples drawn with ``seed``."""
        if not np.isfinite(made).all():
            return dict.fromkeys(("JSD", "W1", "energy distance"), np.inf)
        few, true = made[:PAIRS].astype(float), self.sample(PAIRS, seed).astype(float)
        cost = np.linalg.norm(few[:, None] - true, axis=-1)
        found = {
            "JSD": self.jsd(made),
            "W1": float(ot.emd2([], [], cost)),
            "energy distance": float(energy_distance(few, true)),
        }
        if self.modes:
            coverage = metrics.mode_coverage(made[:2500], *self.modes)
            found |= {"modes": coverage.modes, "high quality": coverage.high_quality}
        return found

    @functools.cached_property
    def null(self) -> dict[str, tuple[float, float]]:
        """What true samples score: least and most of `NULLS` draws, by name."""
        draws = [
            self.score(self.sample(experiments.COUNTED, 1000 + i), 2000 + i) for i in range(NULLS)
        ]
        return {
            name: (min(d[name] for d in draws), max(d[name] for d in draws)) for name in draws[0]
        }


def data_names() -> list[str]:
    """The densities that have a name: `genlib.data.toy`'s, and the hard ring."""
    return sorted({*toys.toy_names(), "hard_ring"})


def data_of(given) -> Data:
    """The `Data` of a name, or of drawn points ``(n, 2)``: ValueError for fewer than two."""
    if isinstance(given, str):
        return _named(validate.choice("data", given, data_names()))
    points = validate.samples("data", given).numpy().astype(np.float32)
    if points.shape[1] != 2 or len(points) < 2:
        raise ValueError(f"data must be a name or drawn points (n, 2), n >= 2; got {points.shape}")
    if (points == points[0]).all():
        raise ValueError("data must hold points that differ; got one point again and again")
    return _drawn(points.tobytes())


@functools.cache
def _named(name):
    hard = name in experiments.RADIUS
    return Data(name, experiments.density(name) if hard else toys.toy(name))


@functools.lru_cache(4)
def _drawn(points):
    points = np.frombuffer(points, np.float32).reshape(-1, 2)
    return Data("drawn", KDE(DRAWN_WIDTH).fit(points))


# Settings


def own_settings(variant) -> dict:
    """A variant's own arguments and their defaults, its paper's."""
    kind = REGISTRY[validate.choice("variant", variant, REGISTRY)]
    return {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name not in _NOT_OWN
    }


def _preset(variant, data):
    known = isinstance(data, str) and data in PRESETS
    return preset(variant, data if known else "ring")


def defaults(variant, data) -> dict:
    """All settings of a variant as its preset has them for ``data``, or else for the ring."""
    own = own_settings(variant)
    chosen = _preset(variant, data)
    kind = REGISTRY[variant]
    settings = COMMON | own | {
        "variant": variant, "data": data, "generator_rate": chosen.rate,
        "critic_rate": chosen.rate, "batch_size": chosen.batch_size,
        "optimizer": "rmsprop" if chosen.optimizer == "rmsprop" else "adam",
        "momentum": 0.0 if chosen.optimizer == "adam_without_momentum" else 0.5,
    }  # fmt: skip
    steps = inspect.signature(kind.__init__).parameters.get("critic_steps")
    if steps is not None:
        settings["critic_steps"] = steps.default
    elif issubclass(kind, MMDGANGP | CramerGAN):
        settings["critic_steps"] = 5
    settings |= {name: _hashable(value) for name, value in chosen.options.items()}
    return {name: _hashable(value) for name, value in settings.items()}


def read_value(text: str):
    """What a learner typed for a setting: a number, a tuple or yes and no; else the text itself."""
    try:
        return _hashable(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


def _checked(settings) -> dict:
    """``settings``, each of the right kind and range; ValueError names the first that is not."""
    known = {*COMMON, *own_settings(settings["variant"])}
    for unknown in sorted(set(settings) - known):
        raise ValueError(f"{unknown!r} is no setting; the settings are {', '.join(sorted(known))}")
    kind = REGISTRY[settings["variant"]]
    good = dict(settings)
    for name in ("width", "latent_dim", "critic_steps", "batch_size"):
        good[name] = validate.count(name, good[name])
    for name in ("generator_rate", "critic_rate", "r1"):
        good[name] = validate.non_negative(name, good[name])
    good["momentum"] = float(validate.unit_interval("momentum", good["momentum"]))
    if good["momentum"] >= 1:
        raise ValueError("momentum must be below 1; got 1.0")
    validate.choice("optimizer", good["optimizer"], ("adam", "rmsprop"))
    validate.choice("frozen", good["frozen"], FROZEN)
    good["seed"] = validate.count("seed", good["seed"], 0)
    validate.seed("seed", good["seed"])
    for name, check in LIVE.items():
        if name in good:
            good[name] = float(check(name, good[name]))
    if kind.critic_kind is None and good["frozen"] == "critic":
        raise ValueError(f"frozen must not be 'critic': {settings['variant']!r} has no critic")
    data_of(good["data"])
    return good


# The compiled model


@functools.cache
def _steerable(kind):
    """``kind``, whose players can be frozen and whose numbers can be moved, in one graph."""

    class Steerable(kind):
        __doc__ = kind.__doc__

        def steer(self):
            """Make what `LIVE` names, R1's weight and who moves into variables."""
            self.knobs = {}
            for name in [*(n for n in LIVE if n in vars(self)), "weight", "moves", "plays"]:
                held = vars(self).get(name)
                if not isinstance(held, keras.Variable):  # MAGAN's margin moves by itself
                    knob = keras.Variable(1.0 if held is None else held, trainable=False, name=name)
                    self.knobs[name] = knob
                    object.__setattr__(self, name, knob)

        def steepness(self, real):
            return self.weight.value * super().steepness(real)

        def _or_frozen(self, step, moves, other):
            """``step()``; unless ``moves``, all is undone but what is ``other``'s or random."""
            out = ("random", other, f"{other}_optimizer")
            kept = [v for name, owned in parts(self).items() if name not in out for v in owned]
            held = [(v, tf.identity(v)) for v in kept]
            logs = step()
            with tf.control_dependencies([*logs.values()]):
                for variable, old in held:
                    variable.assign(tf.where(moves > 0, tf.identity(variable), old))
            return logs

        def critic_step(self, real):
            step = super().critic_step
            return self._or_frozen(lambda: step(real), self.moves.value, "generator")

        def generator_step(self, real):
            step = super().generator_step
            return self._or_frozen(lambda: step(real), self.plays.value, "critic")

    Steerable.__name__ = Steerable.__qualname__ = kind.__name__
    return Steerable


def parts(model) -> dict[str, list[tf.Variable]]:
    """All that a step reads or writes, by whose it is."""
    found = {
        "generator": model.generator.variables,
        "critic": [],
        "generator_optimizer": model.generator_optimizer.variables,
        "critic_optimizer": [],
        "random": [model.seed_generator.state],
    }
    if model.critic is not None:
        frozen = [v for v in model.critic.variables if not v.trainable]
        found["critic"] = [*model.critic_variables, *frozen]
        found["critic_optimizer"] = model.critic_optimizer.variables
    found = {name: [v.value for v in variables] for name, variables in found.items()}
    known = {id(v) for variables in found.values() for v in variables}
    return found | {"other": [v for v in model.state if id(v) not in known]}


class Engine:
    """One compiled model, for all runs whose settings give the same graph."""

    def __init__(self, static):
        settings = dict(static)
        kind = REGISTRY[settings["variant"]]
        nets = default_networks(
            settings["variant"], (2,), settings["latent_dim"], settings["width"], seed=0
        )
        own = {name: settings[name] for name in own_settings(settings["variant"])}
        if kind.critic_kind is not None:
            own["critic_steps"] = settings["critic_steps"]
        self.model = _steerable(kind)(*nets, r1=settings["r1"], seed=0, **own)
        make = {
            "adam": lambda: keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.99),
            "rmsprop": lambda: keras.optimizers.RMSprop(1e-3),
        }[settings["optimizer"]]
        optimizers = [make() for _ in nets]
        self.momenta = []
        if settings["optimizer"] == "adam":
            for optimizer in optimizers:
                optimizer.beta_1 = keras.Variable(0.5, trainable=False, name="beta_1")
                self.momenta.append(optimizer.beta_1)
        self.model.compile(*optimizers, jit_compile=JIT)
        self.model.steer()
        self.parts = parts(self.model)
        self.blank = self.read()
        self.batch_size = settings["batch_size"]
        self.epochs, self.holder, self.turned = {}, None, None
        validate.count("batch_size", self.batch_size, self.model.min_batch_size)

    def read(self):
        return {name: [v.numpy() for v in variables] for name, variables in self.parts.items()}

    def write(self, state):
        for name, variables in self.parts.items():
            for variable, value in zip(variables, state[name], strict=True):
                variable.assign(value)

    def turn(self, settings):
        """Set what moves without a new graph."""
        model = self.model
        model.generator_optimizer.learning_rate = settings["generator_rate"]
        if model.critic is not None:
            model.critic_optimizer.learning_rate = settings["critic_rate"]
        for beta in self.momenta:
            beta.assign(settings["momentum"])
        for name, knob in model.knobs.items():
            if name in settings:
                knob.assign(settings[name])
        model.weight.assign(settings["r1"])
        model.moves.assign(float(settings["frozen"] != "critic"))
        model.plays.assign(float(settings["frozen"] != "generator"))

    def epoch(self, pool, steps):
        """The compiled graph of ``steps`` steps on ``pool``."""
        if steps not in self.epochs:
            self.model.train_function = None
            self.epochs[steps] = self.model._compiled_epoch(pool, self.batch_size, steps)
        return self.epochs[steps]

    @functools.cached_property
    def look(self):
        """The graph of (latents, real points, places) to (samples, surface there, arrows)."""
        model = self.model

        def look(latent, real, places):
            made = model.generator(latent, training=False)
            with tf.GradientTape() as tape:
                tape.watch(made)
                loss = model.generator_loss(real, made)
            model._take_reported()
            push = tape.gradient(loss, made, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return made, critic_surface(model, places, real, made), -push

        shape = (None, 2)
        return traced(look, (None, model.latent_dim), shape, shape)

    @functools.cached_property
    def make(self):
        """The graph of latents to samples."""
        return traced(
            lambda z: self.model.generator(z, training=False), (None, self.model.latent_dim)
        )


#: Whether XLA compiles the slices. It makes them three to five times faster, but the first one then
#: takes 2 to 4 s and not 1 to 2 (an MMD GAN's 9 to 11 and not 4): too long for one who explores.
JIT = False

_engines: collections.OrderedDict = collections.OrderedDict()
_MOST_ENGINES = 8


def _engine(settings) -> Engine:
    static = _static(settings)
    if static not in _engines:
        _engines[static] = Engine(static)
        while len(_engines) > _MOST_ENGINES:
            _engines.popitem(last=False)
    _engines.move_to_end(static)
    return _engines[static]


def _static(settings):
    """What a graph bakes in of ``settings``; the values of `LIVE` are variables."""
    moving = {"data", "generator_rate", "critic_rate", "momentum", "frozen", "seed", *LIVE}
    if settings["variant"] == "magan":
        moving -= {"margin"}
    static = {name: value for name, value in settings.items() if name not in moving}
    # The class needs some value of each: the same for all, and moved by `Engine.turn`.
    static |= {name: 0.5 for name in LIVE if name in settings and name in moving}
    static["r1"] = float(settings["r1"] > 0)
    return tuple(sorted(static.items()))


def critic_surface(model, places, real, made):
    """Where the critic would have the generator go, (n, 2) to (n,): high is good."""
    if isinstance(model, GMMN):
        return _witness(model.kernel, places, real, made)
    if isinstance(model, McGAN):
        codes = [model.critic(x) for x in (places, real, made)]
        if model.trained_v:
            return tf.linalg.matvec(codes[0], model.v.value)
        if model.matching == "mean":
            gap = tf.reduce_mean(codes[1], 0) - tf.reduce_mean(codes[2], 0)
            return tf.linalg.matvec(codes[0], gap)
        return tf.reduce_sum((codes[0] @ model.U.value) * (codes[0] @ model.V.value), 1)
    if isinstance(model, CramerGAN):
        codes, to_real, to_made = (
            model.critic(x) for x in (places, real[:WITNESSES], made[:WITNESSES])
        )
        return tf.reduce_mean(_distances(codes, to_made) - _distances(codes, to_real), 1)
    if isinstance(model, MMDGANGP):
        return _witness(model.kernel, *(model.critic(x) for x in (places, real, made)))
    if isinstance(model, MMDGAN):
        return _witness(model.kernel, *(model.encoder(x) for x in (places, real, made)))
    if isinstance(model, RWGAN):
        u, eps = model.critic(real)[:, :1], model.regularisation
        excess = (u - model.cost(real, places)) / eps
        return eps * tf.reduce_logsumexp(excess, 0)
    if isinstance(model, EBGAN | BEGAN):
        return -model.score(places)
    return model.critic(places)[:, 0]


def _witness(kernel, places, real, made):
    to_real = tf.reduce_mean(kernels.gram(kernel, places, real[:WITNESSES]), 1)
    return to_real - tf.reduce_mean(kernels.gram(kernel, places, made[:WITNESSES]), 1)


def _distances(x, y):
    return tf.sqrt(tf.maximum(kernels.squared_distances(x, y), 1e-12))


# A run


class Run:
    """One training that can be steered, kept, sought back in and branched.

    ``settings``: see `COMMON`, and a variant's own arguments; what is not given is as in its
    preset. ValueError for what the variant would refuse, before anything is trained.
    """

    def __init__(self, **settings):
        variant = settings.get("variant", COMMON["variant"])
        base = defaults(variant, settings.get("data", COMMON["data"]))
        self.settings = _checked(base | {n: _hashable(v) for n, v in settings.items()})
        self.trouble = ""
        self.reset()

    def reset(self) -> None:
        """Start anew with the settings that stand."""
        engine = _engine(self.settings)
        state = dict(engine.blank)
        s = self.settings
        nets = default_networks(s["variant"], (2,), s["latent_dim"], s["width"], seed=s["seed"])
        start = _preset(s["variant"], s["data"]).start
        generator = [v.numpy() for v in nets[0].variables]
        kernel = max(i for i, v in enumerate(nets[0].variables) if v.name == "kernel")
        generator[kernel] = np.float32(start) * generator[kernel]
        state["generator"] = generator
        if len(nets) > 1:
            ours = [v.numpy() for v in [*nets[1].trainable_variables]]
            state["critic"] = ours + state["critic"][len(ours) :]
        random = keras.random.SeedGenerator(s["seed"]).state.numpy()
        state["random"] = [random]
        self.frames = [Frame(0, state, s, {})]
        self.at, self.trouble = 0, ""

    @property
    def data(self) -> Data:
        return data_of(self.settings["data"])

    @property
    def frame(self) -> Frame:
        """The moment at which the run stands."""
        return self.frames[self.at]

    @property
    def step(self) -> int:
        """Generator steps done."""
        return self.frame.step

    def _held(self) -> Engine:
        """The engine, with this run's state and settings in it."""
        engine = _engine(self.settings)
        if engine.holder is not self.frame:  # the frame itself: an id is used again once it died
            engine.write(self.frame.state)
            engine.holder, engine.turned = self.frame, None
        if engine.turned is not self.settings:  # settings are replaced, never changed in place
            engine.turn(self.settings)
            engine.turned = self.settings
        return engine

    def advance(self, slices=1, steps=SLICE) -> bool:
        """Train for ``slices`` of ``steps``; from a moment further back, what came after goes.

        False if a loss or weight was no number: the run then stands where it was, and `trouble`
        says so.
        """
        self.trouble = ""
        for _ in range(validate.count("slices", slices)):
            engine = self._held()
            if self.step == 0 and not self.frame.losses:
                engine.model.before_training(self.data.pool, engine.batch_size)
            losses = engine.epoch(self.data.pool, steps)(self.data.pool).numpy()
            state = engine.read()
            if not all(map(_finite, [losses, *state["generator"], *state["critic"]])):
                engine.holder = None
                self.trouble = (
                    f"Stopped: a loss became NaN or infinite after step {self.step}. The weights "
                    "are those from before. A smaller learning rate is the first thing to try."
                )
                return False
            means = dict(zip(engine.model.log_names, map(float, losses.mean(0)), strict=True))
            del self.frames[self.at + 1 :]
            self.frames.append(Frame(self.step + steps, state, self.settings, means))
            self._thin()
            self.at = len(self.frames) - 1
            engine.holder = self.frame
        return True

    def _thin(self):
        """Drop every second frame of the older half, the first one kept, if there are too many."""
        size = sum(array.nbytes for arrays in self.frames[-1].state.values() for array in arrays)
        if len(self.frames) > max(20, KEPT_BYTES // size):
            half = len(self.frames) // 2
            self.frames = self.frames[:half:2] + self.frames[half:]

    def seek(self, index) -> None:
        """Stand at the ``index``-th frame that is kept, its settings too; ValueError if none."""
        index = validate.count("index", index, 0)
        if index >= len(self.frames):
            raise ValueError(f"index must be below {len(self.frames)}; got {index}")
        self.at = index
        self.settings = self.frame.settings

    def branch(self, **settings) -> "Run":
        """A second run from this moment, with the same past and other settings, if given."""
        other = object.__new__(Run)
        other.settings, other.trouble = self.settings, ""
        other.frames, other.at = self.frames[: self.at + 1], self.at
        other.set(**settings)
        return other

    def set(self, **settings) -> None:
        """Change settings in mid-run; ValueError changes nothing.

        The weights stay, with the optimizers' moments. Another variant brings its preset's
        settings and fresh moments; the generator stays, and the critic if the new one has its
        shapes. Another optimizer has fresh moments. Those of `FRESH` start the run anew.
        """
        settings = {name: _hashable(value) for name, value in settings.items()}
        old = self.settings
        base = old
        if settings.get("variant", old["variant"]) != old["variant"]:
            data = settings.get("data", old["data"])
            keep = {name: old[name] for name in ("width", "latent_dim", "seed")}
            variant = validate.choice("variant", settings["variant"], REGISTRY)
            base = defaults(variant, data) | keep
            if not (variant == "gmmn" and old["frozen"] == "critic"):
                base["frozen"] = old["frozen"]
        new = _checked(base | settings)
        engine = _engine(new)  # its class may refuse
        if any(new[name] != old[name] for name in FRESH):
            self.settings = new
            self.reset()
            return
        state = self.frame.state
        if _static(new) != _static(old) or new["optimizer"] != old["optimizer"]:
            same = all(new[name] == old[name] for name in ("variant", "optimizer"))
            stays = set(state) if same else {"generator", "critic", "random"}
            state = {
                name: state[name] if name in stays and _fits(state[name], fresh) else fresh
                for name, fresh in engine.blank.items()
            }
        if new["variant"] == old["variant"] == "magan" and new["margin"] != old["margin"]:
            state = _with_margin(engine, state, new["margin"])
        self.settings = new
        self.frames[self.at] = self.frame._replace(state=state, settings=new)

    # What is seen

    def latents(self, n, seed):
        return tf.random.stateless_normal((n, self.settings["latent_dim"]), (seed, 1))

    def made(self, n, seed=1) -> np.ndarray:
        """``n`` generated points, (n, 2): the same ``seed``, the same latents."""
        return self._held().make(self.latents(n, seed)).numpy()

    def look(self, n=300):
        """Generated points (n, 2), the critic's surface (CELLS, CELLS), and arrows (n, 2)."""
        engine, data = self._held(), self.data
        random = engine.model.seed_generator.state.value
        held = random.numpy()
        made, values, push = engine.look(self.latents(n, 1), data.pool[:n], data.grid)
        random.assign(held)  # some losses draw
        return made.numpy(), values.numpy().reshape(CELLS, CELLS), push.numpy()

    def log_ratio(self):
        """The best critic's ``log p - log q`` on the grid, or None: see `RATIO`."""
        if self.settings["variant"] not in RATIO:
            return None
        return self.data.log_ratio(self.made(2000, 2))

    def critic_error(self):
        """For "gan": mean ``|D - D*|`` over both densities; 0 for the best critic. Else None."""
        if self.settings["variant"] != "gan":
            return None
        made = self.made(2000, 2)
        log_q, log_p = self.data.log_q(made), self.data.log_p
        values = self.look()[1]
        weight = np.exp(log_p) + np.exp(log_q)
        gap = np.abs(expit(values) - expit(log_p - log_q))
        return float((weight * gap).sum() / weight.sum())

    def judge(self) -> dict[str, Score]:
        """Scores on fresh samples, each beside what true samples score."""
        seed = 10_000 + self.step
        found = self.data.score(self.made(experiments.COUNTED, seed), seed)
        return {name: Score(value, *self.data.null[name]) for name, value in found.items()}


def _with_margin(engine, state, margin):
    index = next(i for i, v in enumerate(engine.parts["other"]) if v is engine.model.margin.value)
    other = list(state["other"])
    other[index] = np.float32(margin if margin is not None else 0.0)
    return state | {"other": other}


def _fits(arrays, others):
    return [np.shape(array) for array in arrays] == [np.shape(array) for array in others]


def _finite(array):
    return bool(np.isfinite(array).all())
