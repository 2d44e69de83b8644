"""Models with a density, or a bound of one, that are fitted to data; autoencoder and k-means."""

from genlib.likelihood.autoencoder import Autoencoder
from genlib.likelihood.diffusion import Diffusion
from genlib.likelihood.flow_matching import FlowMatching
from genlib.likelihood.gaussian_mixture import GaussianMixture
from genlib.likelihood.hierarchical import HierarchicalNormal
from genlib.likelihood.kde import KDE
from genlib.likelihood.kmeans import kmeans_start, lloyd_step
from genlib.likelihood.m2 import M2
from genlib.likelihood.made import MADE
from genlib.likelihood.mean_flow import MeanFlow
from genlib.likelihood.pixel_cnn import PixelCNN
from genlib.likelihood.ppca import PPCA
from genlib.likelihood.real_nvp import RealNVP
from genlib.likelihood.vae import VAE

__all__ = [
    "KDE",
    "M2",
    "MADE",
    "PPCA",
    "VAE",
    "Autoencoder",
    "Diffusion",
    "FlowMatching",
    "GaussianMixture",
    "HierarchicalNormal",
    "MeanFlow",
    "PixelCNN",
    "RealNVP",
    "kmeans_start",
    "lloyd_step",
]
