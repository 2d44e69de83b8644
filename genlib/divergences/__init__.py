"""Divergences between two ``tfd`` distributions (nine functions) and between `samples`.

``kl, js, total_variation, hellinger, chi2`` compare densities point by point; ``wasserstein,
cramer, energy, mmd`` see how far apart the mass lies. Each in closed form where there is one, else
by quadrature in 1-D, else by Monte Carlo.
"""

from genlib.divergences import costs, kernels, samples
from genlib.divergences.f_divergences import chi2, hellinger, js, kl, total_variation
from genlib.divergences.metrics import cramer, energy, mmd, wasserstein

__all__ = ["chi2", "costs", "cramer", "energy", "hellinger", "js", "kernels", "kl", "mmd",
           "samples", "total_variation", "wasserstein"]  # fmt: skip
