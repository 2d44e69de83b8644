"""The page for teachers: its tables are made from the plan and the exercises."""

import re
from collections.abc import Callable
from pathlib import Path

from genlib import check, lectures

TWELVE = {
    "What is a generative model?": ("00_start_here", "01_terminology"),
    "Raising a likelihood": ("02_likelihood_vs_pdf", "03_clustering_and_dimension_reduction"),
    "The Kullback-Leibler divergence": ("10_kl", "04_why_generative_models"),
    "Bounded, and with a distance": ("11_jsd", "12_wasserstein"),
    "Critics and kernels": ("13_integral_probability_metrics", "15_kernel_methods"),
    "The evidence lower bound": ("20_vae_elbo", "21_vae_images"),
    "Exact likelihoods": ("22_autoregressive", "23_real_nvp"),
    "The game": ("30_gan", "43_gan_lab"),
    "Distances as losses": ("31_wgan", "32_wgan_gp"),
    "Kernels as losses": ("36_gmmn", "37_mmd_gan"),
    "Is it any good?": ("45_judging_a_generator", "33_lsgan"),
    "Applications": ("53_pix2pix", "51_super_resolution"),
}  # fmt: skip
WEEKEND = {
    "Saturday morning": ("00_start_here", "01_terminology", "10_kl"),
    "Saturday afternoon": ("11_jsd", "12_wasserstein", "20_vae_elbo"),
    "Sunday morning": ("30_gan", "43_gan_lab", "31_wgan"),
    "Sunday afternoon": ("32_wgan_gp", "45_judging_a_generator", "53_pix2pix"),
}
PLANNED = {one.slug: one for one in lectures.PLAN}
KINDS = {"Choice": "choice", "Number": "number", "Function": "code"}


def page(question: Callable) -> str:
    """Return the page's text; ``question`` gives an exercise by its name."""
    text = Path(__file__).with_name("teachers.in").read_text(encoding="utf-8")
    weeks = {f"{i} | {theme}": slugs for i, (theme, slugs) in enumerate(TWELVE.items(), 1)}
    made = {
        "TWELVE": schedule("Week | Theme", weeks),
        "WEEKEND": schedule("When", WEEKEND),
        "NEEDS": needs(),
        "EXERCISES": exercises(question),
    }
    return re.sub(r"@(\w+)@", lambda match: made[match[1]], text)


def link(slug: str) -> str:
    return f"[{slug[:2]} {PLANNED[slug].name.replace('- ', '-')}](lectures/{slug}.ipynb)"


def schedule(columns: str, rows: dict) -> str:
    """Return a table: for each row its first cells and its lectures, with their minutes."""
    lines = [f"| {columns} | Lectures | Minutes |", "| --- " * (columns.count("|") + 3) + "|"]
    for first, slugs in rows.items():
        names = " · ".join(map(link, slugs))
        minutes = sum(PLANNED[slug].minutes for slug in slugs)
        lines.append(f"| {first} | {names} | {minutes} |")
    return "\n".join(lines)


def needs() -> str:
    lines = ["| Lecture | Needs | Minutes |", "| --- | --- | --- |"]
    for slug in lectures.open_slugs():
        one = PLANNED[slug]
        before = ", ".join(link(other) for other in one.needs if lectures.is_open(other))
        lines.append(f"| {link(slug)} | {before} | {one.minutes} |")
    return "\n".join(lines)


def exercises(question: Callable) -> str:
    """Return a row for each lecture: the numbers of its exercises, by kind."""
    lines = ["| Lecture | Choice | Number | Code |", "| --- | --- | --- | --- |"]
    for slug in check.lectures():
        if not lectures.is_open(slug):
            continue
        found = {kind: [] for kind in KINDS.values()}
        for name in check.exercises(slug):
            kind = KINDS.get(type(question(name)).__name__, "code")
            found[kind].append(name.split("/")[1])
        columns = " | ".join(", ".join(numbers) or "–" for numbers in found.values())
        lines.append(f"| {link(slug)} | {columns} |")
    return "\n".join(lines)
