"""Settings of each GAN for small data, kept in ``presets.toml``; and networks."""

import dataclasses
import functools
import tomllib
from pathlib import Path

import keras

from genlib import networks, validate
from genlib.gans import BEGAN, REGISTRY, AdversarialModel

OPTIMIZERS = {
    "adam": functools.partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.99),
    "adam_without_momentum": functools.partial(keras.optimizers.Adam, beta_1=0.0, beta_2=0.99),
    "rmsprop": keras.optimizers.RMSprop,
}


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings for one kind of small data, and why."""

    why: str
    steps: int  # of the generator
    options: dict = dataclasses.field(default_factory=dict)  # arguments of the class
    rate: float = 1e-3  # learning rate of both networks at the start
    batch_size: int = 128
    optimizer: str = "adam"  # a key of OPTIMIZERS
    start: float = 1.0  # multiplies the generator's last kernel before training


_TABLE = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))

#: Data set, then the variant's name, then its `Preset`; "default" is for all others.
PRESETS = {
    data: {name: Preset(**settings) for name, settings in table.items()}
    for data, table in _TABLE.items()
}
for _data, _like in {"hard_ring": "ring", "moons": "ring", "digits16": "digits"}.items():
    PRESETS[_data] = PRESETS[_like] | PRESETS.get(_data, {})


def find(variant) -> type[AdversarialModel]:
    """The class that ``variant`` names in `genlib.gans.REGISTRY`, or is."""
    if isinstance(variant, type) and issubclass(variant, AdversarialModel):
        return variant
    return REGISTRY[validate.choice("variant", variant, REGISTRY)]


def preset(variant, data) -> Preset:
    """The settings of a variant, a name or a class, for a key of `PRESETS`."""
    table = PRESETS[validate.choice("data", data, PRESETS)]
    names = {kind: name for name, kind in REGISTRY.items()}
    known = (names.get(kind) for kind in find(variant).__mro__)
    return table[next((name for name in known if name in table), "default")]


def build(variant, data, nets, steps=None, start=None, **overrides) -> AdversarialModel:
    """The variant, a name or a class, with the settings of its `preset` for ``data``, compiled.

    ``nets`` are its networks (see `default_networks`), ``overrides`` any arguments of the class.
    The generator's last kernel is multiplied by ``start``. The learning rates fall to 5 % along a
    cosine over ``steps`` generator steps: two networks that chase each other only settle when
    their steps shrink. Both default to the preset's.
    """
    chosen = preset(variant, data)
    start = validate.positive("start", chosen.start if start is None else start)
    if start != 1:
        *_, kernel = (v for v in nets[0].trainable_variables if v.name == "kernel")
        kernel.assign(start * kernel)
    model = find(variant)(*nets, **(chosen.options | overrides))
    model.compile(*optimizers(chosen, model, steps))
    return model


def optimizers(chosen, model, steps=None) -> list:
    """Those of a `Preset` for a model's networks, over ``steps`` generator steps: see `build`."""
    found = []
    for updates in (1, model.critic_steps)[: 1 if model.critic is None else 2]:
        steps_in_all = updates * (steps or chosen.steps)
        rate = keras.optimizers.schedules.CosineDecay(chosen.rate, steps_in_all, alpha=0.05)
        found.append(OPTIMIZERS[chosen.optimizer](rate))
    return found


def default_networks(variant, shape, latent_dim=2, width=128, code=None, seed=None) -> tuple:
    """Two-layer networks for data of ``shape``, in the order in which the variant takes them.

    Pictures are made in [0, 1]. A vector critic gives ``code`` numbers, an autoencoder's codes have
    as many: 16, but for BEGAN, which loses all contrast where more are enough to copy anything, 1
    on points of the plane and 4 on pictures.
    """
    variant, seed = find(variant), validate.seed("seed", seed)
    if code is None:
        code = (1 if tuple(shape) == (2,) else 4) if issubclass(variant, BEGAN) else 16
    kind, critic_seed = variant.critic_kind, None if seed is None else seed + 100
    made = {"width": width, "output_activation": "sigmoid" if len(shape) == 3 else None}
    generator = networks.mlp(latent_dim, shape, seed=seed, name="generator", **made)
    if kind is None:
        return (generator,)
    if kind == "autoencoder":
        return generator, networks.autoencoder(shape, code, seed=critic_seed, **made)
    outputs = {"scalar": 1, "pair": 2, "vector": code}[kind]
    critic = networks.mlp(shape, outputs, width, 2, "leaky_relu", seed=critic_seed, name="critic")
    return generator, critic
