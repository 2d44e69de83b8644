"""The GANs of the course, one file each, and the registry that everything loops over."""

from genlib.gans.base import AdversarialModel
from genlib.gans.gan import GAN

#: Short name to class. A new variant is one new file and one line here.
REGISTRY: dict[str, type[AdversarialModel]] = {
    "gan": GAN,
}

__all__ = ["GAN", "REGISTRY", "AdversarialModel"]
