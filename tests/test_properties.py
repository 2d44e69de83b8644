"""Measured properties: the quick sums agree with genlib's own, and each measure can say no.

Seen to fail with: JSD without its 1/2; KL's arguments swapped; p for q under chi-squared; Cramer
for energy; W_p without its root; a search that only draws near pairs; a gradient in p for one in q.
"""

import math

import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

from genlib import divergences as dv
from genlib.divergences import kernels
from genlib.lectures import properties as pr

X = np.array([0, 0.5, 1.5, 3.5, 4])
OWN = {
    "KL": dv.kl,
    "reverse KL": lambda p, q: dv.kl(q, p),
    "JSD": dv.js,
    "√JSD": lambda p, q: dv.js(p, q) ** 0.5,
    "TV": dv.total_variation,
    "Hellinger": dv.hellinger,
    "χ²": dv.chi2,
    "W1": dv.wasserstein,
    "W2": lambda p, q: dv.wasserstein(p, q, 2),
    "energy": dv.energy,
    "√energy": lambda p, q: dv.energy(p, q) ** 0.5,
    "MMD²": lambda p, q: dv.mmd(p, q, squared=True),
    "MMD² width 5": lambda p, q: dv.mmd(p, q, kernels.rbf(5.0), squared=True),
    "MMD² rational": lambda p, q: dv.mmd(p, q, kernels.rational_quadratic(), squared=True),
    "MMD": dv.mmd,
}
SQUARED = {"MMD²", "MMD² width 5", "MMD² rational"}


@pytest.fixture(scope="module")
def table():
    return pr.table()


@pytest.fixture(scope="module")
def holds(table):
    return {
        name: {key for key, value in row.items() if pr.PROPERTIES[key].holds(value)}
        for name, row in table.items()
    }


@pytest.mark.parametrize("name", pr.DIVERGENCES)
def test_quick_sums_agree_with_the_library(name):
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), size=(2, 4))
    p[0, 1] = q[0, 1] = 0  # an empty place
    p[0], q[0] = p[0] / p[0].sum(), q[0] / q[0].sum()
    found = pr.DIVERGENCES[name](X, p, q)
    assert found.shape == (4,)
    for value, a, b in zip(found, p, q, strict=True):
        own = OWN[name](tfd.FiniteDiscrete(X, probs=a), tfd.FiniteDiscrete(X, probs=b))
        assert value == pytest.approx(float(own), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", pr.DIVERGENCES)
def test_disjoint_supports_and_zero(name):
    p, q = np.array([1.0, 0, 0, 0, 0]), np.array([0, 0, 0, 0, 1.0])
    value = pr.DIVERGENCES[name](X, p, q)
    own = float(OWN[name](tfd.FiniteDiscrete(X, probs=p), tfd.FiniteDiscrete(X, probs=q)))
    assert value == own == math.inf or value == pytest.approx(own, rel=1e-5)
    assert pr.DIVERGENCES[name](X, p, p) == pytest.approx(0, abs=1e-7)


def test_metrics(holds):
    metrics = {name for name, has in holds.items() if {"symmetric", "triangle"} <= has}
    assert metrics == {"√JSD", "TV", "Hellinger", "W1", "W2", "√energy", "MMD"}


def test_unbiased_gradients(holds, table):
    assert {n for n, has in holds.items() if "unbiased" in has} == {"KL", "energy"} | SQUARED
    assert table["reverse KL"]["unbiased"] == math.inf
    biased = [row["unbiased"] for row in table.values() if row["unbiased"] > 1e-6]
    assert min(biased) > 0.05  # and none is near the border


def test_ranges_and_disjoint_supports(table, holds):
    for name in ("JSD", "TV", "Hellinger"):
        known = math.log(2) if name == "JSD" else 1
        assert table[name]["finite"] == pytest.approx(known)
        assert table[name]["bounded"] == pytest.approx(known)
    assert table["W1"]["bounded"] == pytest.approx(1000)
    assert {n for n, has in holds.items() if "finite" not in has} == {"KL", "reverse KL", "χ²"}
    geometric = {"W1", "W2", "energy", "√energy"}
    kernel = SQUARED | {"MMD"}
    assert {n for n, has in holds.items() if "pull near" in has} == geometric | kernel
    assert {n for n, has in holds.items() if "pull far" in has} == geometric | SQUARED - {"MMD²"}
    assert {n for n, has in holds.items() if "geometry" in has} == geometric | kernel


def test_scale(table, holds):
    known = {"W1": 1, "W2": 1, "energy": 1, "√energy": 0.5, "KL": 0, "TV": 0}
    for name, exponent in known.items():
        assert table[name]["scale"] == pytest.approx(exponent, abs=1e-9)
    assert table["MMD"]["scale"] < 0


def test_sum_invariance_can_fail(holds):
    assert all("sum" in has for has in holds.values())

    def growing(x, p, q):  # the kernel (1 + xy)^2 does not depend on x - y alone
        return pr.mmd2(x, p, q, lambda a, b: (1 + a @ b.T) ** 2)

    assert pr.sum_growth(pr.root(growing)) > 1.1


def test_no_divergence_here_is_a_metric_with_unbiased_gradients(holds):
    assert not any({"triangle", "unbiased"} <= has for has in holds.values())


def test_gradient_bias_on_a_coin_by_hand():
    """W1's expected sample gradient is P(share < t) - P(share > t)."""
    p, t, m = 0.6, 0.8, 6
    heads = np.arange(m + 1)
    chances = [math.comb(m, k) * p**k * (1 - p) ** (m - k) for k in heads]
    by_hand = np.dot(chances, np.sign(t - heads / m))
    outcomes = np.stack([1 - heads / m, heads / m], -1)
    logit = np.array([0, np.log(t / (1 - t))])
    found = pr._gradient(pr.wasserstein, np.array([0.0, 1.0]), outcomes, logit)
    assert chances @ found[:, 1] / (t * (1 - t)) == pytest.approx(by_hand, abs=1e-6)


def test_more_draws_bring_less_bias():
    few, many = (pr.gradient_bias(pr.js, m=m) for m in (2, 8))
    assert many < few / 2


def test_a_table_of_ones_own():
    row = pr.table({"twice TV": lambda x, p, q: np.abs(p - q).sum(-1)})["twice TV"]
    assert row["finite"] == pytest.approx(2) and row["triangle"] <= 1 + 1e-9
    assert set(row) == set(pr.PROPERTIES)
