"""The GANs of the course, one file each, and the registry that everything loops over."""

from genlib.gans.base import AdversarialModel
from genlib.gans.began import BEGAN
from genlib.gans.conditional_gan import ConditionalGAN
from genlib.gans.cramer_gan import CramerGAN
from genlib.gans.ebgan import EBGAN
from genlib.gans.fisher_gan import FisherGAN
from genlib.gans.gan import GAN
from genlib.gans.gmmn import GMMN
from genlib.gans.info_gan import InfoGAN
from genlib.gans.lsgan import LSGAN
from genlib.gans.magan import MAGAN
from genlib.gans.matching_aware_gan import MatchingAwareGAN
from genlib.gans.mcgan import McGAN
from genlib.gans.mmd_gan import MMDGAN, MMDGANGP
from genlib.gans.pix2pix import Pix2Pix
from genlib.gans.relativistic_gan import RelativisticGAN
from genlib.gans.rwgan import RWGAN
from genlib.gans.super_resolution_gan import SuperResolutionGAN
from genlib.gans.wgan import WGAN
from genlib.gans.wgan_gp import WGANGP

__all__ = [
    "REGISTRY",
    "AdversarialModel",
    "BEGAN",
    "ConditionalGAN",
    "CramerGAN",
    "EBGAN",
    "FisherGAN",
    "GAN",
    "GMMN",
    "InfoGAN",
    "LSGAN",
    "MAGAN",
    "MMDGAN",
    "MMDGANGP",
    "MatchingAwareGAN",
    "McGAN",
    "Pix2Pix",
    "RWGAN",
    "RelativisticGAN",
    "SuperResolutionGAN",
    "WGAN",
    "WGANGP",
]

#: Short name to class. A new variant is one new file and one line here.
REGISTRY: dict[str, type[AdversarialModel]] = {
    "gan": GAN,
    "wgan": WGAN,
    "wgan_gp": WGANGP,
    "lsgan": LSGAN,
    "rwgan": RWGAN,
    "mcgan": McGAN,
    "gmmn": GMMN,
    "mmd_gan": MMDGAN,
    "mmd_gan_gp": MMDGANGP,
    "cramer_gan": CramerGAN,
    "fisher_gan": FisherGAN,
    "ebgan": EBGAN,
    "began": BEGAN,
    "magan": MAGAN,
}
