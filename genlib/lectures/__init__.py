"""The plan of the course, said once, and one module for each lecture: ``l10_kl`` for ``10_kl``.

A lecture's module holds its explorers, its exercises and its own mathematics. ``explore`` and
``check`` find them by name; nothing below this floor imports them. This file imports nothing
heavy, so that tools can read the plan without TensorFlow.
"""

from pathlib import Path
from typing import NamedTuple


class Lecture(NamedTuple):
    """One lecture of the plan; ``slug`` names its module, its notebook and its exercises."""

    theme: str
    slug: str
    name: str  # on the map
    minutes: int
    needs: tuple[str, ...] = ()  # slugs of the lectures that come first


#: Each theme and the question that it answers.
THEMES = {
    "Foundations": "what is a generative model?",
    "Divergences": "how far is the model from the data?",
    "Without networks": "what a divergence does alone",
    "Likelihood models": "raise the density of the data",
    "GANs": "fool a critic, one divergence after the other",
    "Applications": "what are they good for?",
    "Beyond": "what came after",
}

START = "00_start_here"

PLAN = (
    Lecture("", START, "Start here", 20),
    Lecture("Foundations", "01_terminology", "Terminology", 55),
    Lecture("Foundations", "02_likelihood_vs_pdf", "Likelihood and PDF", 50, ("01_terminology",)),
    Lecture(
        "Foundations",
        "03_clustering_and_dimension_reduction",
        "Clusters and PCA",
        55,
        ("02_likelihood_vs_pdf",),
    ),
    Lecture(
        "Foundations",
        "04_why_generative_models",
        "Why generate?",
        55,
        ("01_terminology", "03_clustering_and_dimension_reduction"),
    ),
    Lecture("Divergences", "10_kl", "Kullback-Leibler", 45, ("02_likelihood_vs_pdf",)),
    Lecture("Divergences", "11_jsd", "Jensen-Shannon", 40, ("10_kl",)),
    Lecture("Divergences", "12_wasserstein", "Wasserstein", 45, ("10_kl", "11_jsd")),
    Lecture(
        "Divergences",
        "13_integral_probability_metrics",
        "Integral metrics",
        45,
        ("12_wasserstein", "11_jsd"),
    ),
    Lecture(
        "Divergences",
        "14_choosing_a_divergence",
        "Choosing one",
        50,
        ("13_integral_probability_metrics", "10_kl", "11_jsd", "12_wasserstein"),
    ),
    Lecture(
        "Without networks", "15_kernel_methods", "Kernels", 55, ("02_likelihood_vs_pdf", "10_kl")
    ),
    Lecture(
        "Without networks",
        "16_hierarchical_bayes",
        "Hierarchical Bayes",
        45,
        ("02_likelihood_vs_pdf", "10_kl"),
    ),
    Lecture("Likelihood models", "20_vae_elbo", "VAE: the bound", 50, ("10_kl",)),
    Lecture("Likelihood models", "21_vae_images", "VAE on images", 45, ("20_vae_elbo",)),
    Lecture(
        "Likelihood models",
        "22_autoregressive",
        "Autoregressive",
        60,
        ("02_likelihood_vs_pdf", "10_kl"),
    ),
    Lecture(
        "Likelihood models", "23_real_nvp", "Flow: RealNVP", 55, ("02_likelihood_vs_pdf", "10_kl")
    ),
    Lecture("Likelihood models", "24_semi_supervised", "Few labels", 50, ("20_vae_elbo",)),
    Lecture("GANs", "30_gan", "GAN", 65, ("11_jsd",)),
    Lecture("GANs", "31_wgan", "WGAN", 50, ("30_gan", "12_wasserstein")),
    Lecture("GANs", "32_wgan_gp", "WGAN-GP", 45, ("31_wgan", "12_wasserstein")),
    Lecture("GANs", "33_lsgan", "LSGAN", 50, ("30_gan",)),
    Lecture("GANs", "34_rwgan", "RWGAN", 55, ("31_wgan", "12_wasserstein")),
    Lecture("GANs", "35_mcgan", "McGAN", 55, ("31_wgan", "13_integral_probability_metrics")),
    Lecture("GANs", "36_gmmn", "GMMN", 45, ("30_gan", "15_kernel_methods")),
    Lecture("GANs", "37_mmd_gan", "MMD GAN", 50, ("36_gmmn", "15_kernel_methods")),
    Lecture(
        "GANs",
        "38_cramer_gan",
        "Cramér GAN",
        50,
        ("32_wgan_gp", "37_mmd_gan", "14_choosing_a_divergence"),
    ),
    Lecture(
        "GANs", "39_fisher_gan", "Fisher GAN", 50, ("30_gan", "13_integral_probability_metrics")
    ),
    Lecture("GANs", "40_ebgan", "EBGAN", 50, ("30_gan", "14_choosing_a_divergence")),
    Lecture("GANs", "41_began", "BEGAN", 45, ("30_gan", "40_ebgan")),
    Lecture("GANs", "42_magan", "MAGAN", 45, ("40_ebgan",)),
    Lecture("GANs", "43_gan_lab", "The lab", 35, ("30_gan",)),
    Lecture("GANs", "44_gan_zoo", "The zoo", 40, ("30_gan",)),
    Lecture("GANs", "45_judging_a_generator", "Judging one", 45, ("30_gan", "15_kernel_methods")),
    Lecture("Applications", "50_infogan", "InfoGAN", 40, ("30_gan",)),
    Lecture("Applications", "51_super_resolution", "Super- resolution", 45, ("30_gan",)),
    Lecture("Applications", "52_text_to_image", "Text to image", 45, ("30_gan",)),
    Lecture("Applications", "53_pix2pix", "Pix2pix", 50, ("30_gan",)),
    Lecture("Beyond", "60_diffusion", "Diffusion", 50, ("20_vae_elbo",)),
    Lecture("Beyond", "61_flow_matching", "Flow matching", 50, ("12_wasserstein", "23_real_nvp")),
    Lecture("Beyond", "62_modern_gan", "Modern GAN", 45, ("30_gan",)),
    Lecture(
        "Beyond",
        "63_all_families",
        "All families",
        45,
        ("45_judging_a_generator", "60_diffusion", "61_flow_matching"),
    ),
)

SLUGS = tuple(lecture.slug for lecture in PLAN)

_HERE = Path(__file__).parent
_NOTEBOOKS = _HERE.parent.parent / "notebooks"  # absent where genlib is installed, as in Colab


def source_of(slug: str) -> Path:
    """Return the path of a lecture's module."""
    return _HERE / f"l{slug}.py"


def is_open(slug: str) -> bool:
    """Whether a lecture can be read: its module and its notebook exist."""
    notebook = _NOTEBOOKS / f"{slug}.ipynb"
    return source_of(slug).exists() and (notebook.exists() or not _NOTEBOOKS.exists())


def open_slugs() -> list[str]:
    """Return the lectures that can be read, in order."""
    return [slug for slug in SLUGS if is_open(slug)]
