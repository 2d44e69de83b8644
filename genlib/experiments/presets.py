"""Settings of each GAN for small data, where its paper's would not do, and why; and networks."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from genlib import networks, validate
from genlib.gans import (
    BEGAN,
    EBGAN,
    GAN,
    GMMN,
    LSGAN,
    MAGAN,
    MMDGAN,
    MMDGANGP,
    REGISTRY,
    RWGAN,
    WGAN,
    WGANGP,
    AdversarialModel,
    CramerGAN,
    FisherGAN,
    McGAN,
)


def adam(rate, beta_1=0.5):
    return keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=0.99)


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings for one kind of small data, and why.

    ``options`` are arguments of the class. ``rate`` is both networks' learning rate at the start;
    it falls to 5 % along a cosine over ``steps`` generator steps, since two networks that chase
    each other only settle when their steps shrink. ``optimizer(rate)`` makes an optimizer.
    """

    why: str
    options: dict = dataclasses.field(default_factory=dict)
    steps: int = 2000
    rate: float = 1e-3
    batch_size: int = 128
    optimizer: Callable = adam

    def optimizers(self, steps, critic_steps):
        """The generator's and the critic's, for ``steps`` generator steps."""
        return tuple(
            self.optimizer(keras.optimizers.schedules.CosineDecay(self.rate, updates, alpha=0.05))
            for updates in (steps, steps * critic_steps)
        )


#: For pictures batches are smaller.
_digits = functools.partial(Preset, batch_size=64)
_began_adam = functools.partial(adam, beta_1=0.0)
_rmsprop = keras.optimizers.RMSprop

#: By data set and class; a class that is not there takes its parent's. The ring has eight modes;
#: the grid has 25, forty times narrower than they are far apart; the digits are 8x8 pictures.
PRESETS = {
    "ring": {
        AdversarialModel: Preset("A rate of 1e-3, five times the usual: the budget is seconds."),
        WGAN: Preset(
            "A box of 0.3 lets so small a critic be steep enough for narrow modes, and a rate of "
            "1e-3 suits a budget of seconds.",
            {"clip": 0.3},
            steps=1500,
            optimizer=_rmsprop,
        ),
        WGANGP: Preset(
            "Where the data are narrow the critic must be steeper than 1; a weight of 0.1 lets it. "
            "Two critic updates a step are enough for so small a critic, and leave time for more "
            "steps.",
            {"penalty_weight": 0.1, "critic_steps": 2},
        ),
        RWGAN: Preset(
            "Three critic updates a step keep both potentials near their best, and 1e-3 suits a "
            "budget of seconds.",
            {"critic_steps": 3},
            steps=1500,
        ),
        McGAN: Preset(
            "A trained v, since the closed form's turns from batch to batch and the features "
            "become multiples of one (under a third of the samples of high quality, whatever the "
            "box and the rate); the box and the rate as for WGAN.",
            {"trained_v": True, "clip": 0.3},
            steps=1500,
            optimizer=_rmsprop,
        ),
        GMMN: Preset(
            "Bandwidths from half a mode's width to most of the ring's; in two dimensions a batch "
            "of 256 fills the space as 1,000 do not in 784.",
            {"bandwidths": (0.05, 0.1, 0.2, 0.4, 0.8)},
            batch_size=256,
        ),
        MMDGAN: Preset(
            "In a box of 0.01 the codes of 2-D points lie about a hundred times closer than the "
            "narrowest bandwidth, and the MMD is flat; in one of 0.5 they fill it.",
            {"clip": 0.5, "critic_steps": 2},
        ),
        MMDGANGP: Preset(
            "A tenth of the paper's penalty: modes 0.1 wide need a steep witness.",
            {"penalty_weight": 0.1, "critic_steps": 2},
        ),
        CramerGAN: Preset(
            "A hundredth of the paper's penalty: modes 0.1 wide need a steep h.",
            {"penalty_weight": 0.1, "critic_steps": 2},
        ),
        FisherGAN: Preset(
            "With the paper's rho, made for many more steps, the multiplier would hardly leave 0.",
            {"rho": 0.1},
        ),
        EBGAN: Preset(
            "The margin is a distance: three widths of a mode of the ring.",
            {"margin": 0.3},
            steps=2500,
        ),
        BEGAN: Preset(
            "The widest gamma, a k that answers at once, no momentum, half the usual rate: the "
            "best of some fifteen settings, and still most seeds lose modes. The balance is one of "
            "mean errors, and a collapsed generator keeps it too.",
            {"gamma": 1.0, "k_rate": 100.0},
            steps=3000,
            rate=5e-4,
            optimizer=_began_adam,
        ),
        MAGAN: Preset(
            "An autoencoder that has learned to copy any 2-D point would start the margin near 0: "
            "it starts at half the energy of a blank one.",
            {"margin": 0.5, "epoch_steps": 100},
            steps=2500,
        ),
    },
    "grid": {
        AdversarialModel: Preset(
            "Modes forty times narrower than they are far apart: twice the rate, ten times the "
            "steps.",
            steps=20_000,
            rate=2e-3,
        ),
        GAN: Preset(
            "R1, since without it the game loses modes; the rest as for other variants.",
            {"r1": 1.0},
            steps=20_000,
            rate=2e-3,
        ),
        WGAN: Preset(
            "R1 does here what the box cannot: a clipped critic alone finds some 20 modes and puts "
            "at most a fifth of the samples on them, in a box of 0.1 as in one of 1.",
            {"clip": 1.0, "critic_steps": 2, "r1": 0.1},
            steps=12_000,
            rate=2e-3,
        ),
        WGANGP: Preset(
            "As for the ring, with a larger rate and more steps; a rate of 3e-3 did worse.",
            {"penalty_weight": 0.1, "critic_steps": 2},
            steps=14_000,
            rate=2e-3,
        ),
        LSGAN: Preset(
            "R1, a tenth of the original GAN's; with as much, one seed in two stayed blurred.",
            {"r1": 0.1},
            steps=20_000,
            rate=2e-3,
        ),
        RWGAN: Preset(
            "Costs reach 64 here, and their exponential overflows at the regularisation of 0.1; "
            "one of 0.5 is still far below the cost of a neighbouring mode, 4.",
            {"regularisation": 0.5, "critic_steps": 3},
            steps=10_000,
            rate=2e-3,
        ),
        McGAN: Preset(
            "The best of five settings, and far from good: in a box the features are not steep "
            "enough for such narrow modes. WGAN has the same fault, and R1 cures it there; it is "
            "made for critics that give one number.",
            {"trained_v": True, "clip": 0.3, "critic_steps": 3},
            steps=10_000,
            rate=2e-3,
            optimizer=_rmsprop,
        ),
        GMMN: Preset(
            "The ring's bandwidths, from a mode's width to near the distance of two; a larger rate "
            "and more steps.",
            {"bandwidths": (0.05, 0.1, 0.2, 0.4, 0.8)},
            steps=14_000,
            rate=3e-3,
            batch_size=256,
        ),
        MMDGAN: Preset(
            "No one-sided term: it is linear in the codes, and a generator lowers it without end "
            "by throwing its samples ever further out (to 10^5 and beyond, in each of three "
            "boxes).",
            {"clip": 0.5, "critic_steps": 1, "feasibility_weight": 0.0},
            steps=10_000,
            rate=3e-3,
        ),
        MMDGANGP: Preset(
            "The best of ten settings, and far from good: nearly all modes are found, but the "
            "samples between them stay.",
            {"penalty_weight": 0.03, "critic_steps": 1},
            steps=8000,
            rate=3e-3,
        ),
        CramerGAN: Preset(
            "The ring's penalty; one critic step, which leaves time for more steps, and three "
            "times the rate.",
            {"penalty_weight": 0.1, "critic_steps": 1},
            steps=12_000,
            rate=3e-3,
        ),
        FisherGAN: Preset(
            "As for the ring, with R1, a larger rate and more steps; without R1 a mode was lost.",
            {"rho": 0.1, "r1": 0.1},
            steps=14_000,
            rate=3e-3,
        ),
        EBGAN: Preset(
            "The best of eleven settings, and modes are missing: the margin is as large as the "
            "grid, so that the pull reaches across it; with 0.3 eight more were.",
            {"margin": 5.0},
            steps=16_000,
            rate=2e-3,
        ),
        BEGAN: Preset(
            "As for the ring, and it loses two modes in three: the balance does not ask for them.",
            {"gamma": 1.0, "k_rate": 100.0},
            steps=16_000,
            optimizer=_began_adam,
        ),
        MAGAN: Preset(
            "As for the ring, the margin starts at half the energy of a blank autoencoder; of five "
            "settings none found more than ten modes.",
            {"margin": 8.0, "epoch_steps": 500},
            steps=20_000,
        ),
    },
    "digits": {
        AdversarialModel: _digits("A rate of 1e-3, five times the usual.", steps=4500),
        WGAN: _digits("As for 2-D data.", {"clip": 0.3}, steps=2500, optimizer=_rmsprop),
        WGANGP: _digits("As for 2-D data.", {"penalty_weight": 0.1, "critic_steps": 2}, steps=3000),
        RWGAN: _digits(
            "The plan spreads each picture over all that cost about as much as eps: at 3 every "
            "sample is the mean digit, at 1 a few blurred ones. At 0.1 training ended with one "
            "digit.",
            {"regularisation": 0.3},
            steps=4000,
        ),
        McGAN: _digits(
            "As for 2-D data.",
            {"trained_v": True, "clip": 0.3},
            steps=2500,
            optimizer=_rmsprop,
        ),
        GMMN: Preset(
            "Bandwidths around 3, the distance between two of the 8x8 digits.",
            {"bandwidths": (0.5, 1.0, 2.0, 4.0)},
            steps=3000,
            batch_size=256,
        ),
        MMDGAN: _digits(
            "As for 2-D data; 64 pixels need less room than two numbers.",
            {"clip": 0.3, "critic_steps": 2},
            steps=3000,
        ),
        MMDGANGP: _digits(
            "The paper's penalty, with fewer critic steps and a larger rate.",
            {"critic_steps": 2},
            steps=2500,
        ),
        CramerGAN: _digits(
            "A tenth of the paper's penalty and fewer critic steps, for 64 pixels.",
            {"penalty_weight": 1.0, "critic_steps": 2},
            steps=3000,
        ),
        FisherGAN: _digits("As for 2-D data.", {"rho": 0.1}, steps=4500),
        EBGAN: _digits(
            "The margin is a distance: a third of that between two 8x8 digits.",
            {"margin": 1.0},
            steps=4000,
        ),
        BEGAN: _digits(
            "As for 2-D data, with a calmer k; it, too, loses most of the ten digits.",
            {"gamma": 1.0, "k_rate": 1.0},
            steps=3000,
        ),
        MAGAN: _digits(
            "The margin starts well above the energy of the digits, and moves at most once in the "
            "paper's 938 steps: from the energy of the digits, in epochs of 100, it is down before "
            "the generator has left its first picture.",
            {"margin": 3.0, "epoch_steps": 938},
            steps=4000,
        ),
    },
}


def find(variant) -> type[AdversarialModel]:
    """The class that ``variant`` names in `genlib.gans.REGISTRY`, or is."""
    if isinstance(variant, type) and issubclass(variant, AdversarialModel):
        return variant
    return REGISTRY[validate.choice("variant", variant, REGISTRY)]


def preset(variant, data) -> Preset:
    """The settings of a variant, a name or a class, for "ring", "grid" or "digits"."""
    table = PRESETS[validate.choice("data", data, PRESETS)]
    return next(table[kind] for kind in find(variant).__mro__ if kind in table)


def build(variant, data, nets, steps=None, **overrides) -> AdversarialModel:
    """The variant with the settings of its preset for such data, compiled.

    Args:
      variant: a name in `genlib.gans.REGISTRY`, or a class.
      data: "ring", "grid" or "digits".
      nets: its networks, as the class takes them; `default_networks` makes some.
      steps: generator steps over which the learning rates fall; default: the preset's.
      **overrides: any argument of the class, over the preset's.
    """
    variant, chosen = find(variant), preset(variant, data)
    model = variant(*nets, **(chosen.options | overrides))
    pair = chosen.optimizers(steps or chosen.steps, model.critic_steps)
    model.compile(*pair[: len(nets)])
    return model


def default_networks(variant, shape, latent_dim=2, width=128, code=None, seed=None) -> tuple:
    """Two-layer networks for data of ``shape``, in the order in which the variant takes them.

    Pictures are made in [0, 1]. A vector critic gives ``code`` numbers, and an autoencoder passes
    the data through as many: 16 by default, but 1 for BEGAN on points of the plane. There a code
    of 2 learns to copy the whole plane, and no energy tells the data from the rest of it.
    """
    variant, seed = find(variant), validate.seed("seed", seed)
    if code is None:
        code = 1 if issubclass(variant, BEGAN) and tuple(shape) == (2,) else 16
    seeds = (None, None) if seed is None else (seed, seed + 100)
    squash = "sigmoid" if len(shape) == 3 else None
    generator = networks.mlp(
        latent_dim, shape, width, output_activation=squash, seed=seeds[0], name="generator"
    )
    if variant.critic_kind is None:
        return (generator,)
    if variant.critic_kind == "autoencoder":
        return generator, networks.autoencoder(
            shape, code, width, output_activation=squash, seed=seeds[1]
        )
    outputs = {"scalar": 1, "pair": 2, "vector": code}[variant.critic_kind]
    return generator, networks.mlp(
        shape, outputs, width, activation="leaky_relu", seed=seeds[1], name="critic"
    )
