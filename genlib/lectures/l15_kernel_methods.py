"""Lecture 15: kernel methods."""

import functools

import numpy as np

from genlib import plots
from genlib.check import Choice, Function, Number, exercise
from genlib.divergences import kernels
from genlib.divergences.two_sample import permutation_test
from genlib.lectures.maths import mixture, normal
from genlib.plots import COLORS
from genlib.widgets import Scene, choice, log_slider, scene, slider
from genlib.widgets.artists import curve, density, dot, key, moving, panel

# Explorer: bandwidth

WEIGHTS, MEANS, SCALES = np.array([0.6, 0.4]), np.array([-1.5, 1.2]), np.array([0.35, 0.9])
XS = np.linspace(-6, 6, 301)
WIDTHS = np.geomspace(0.02, 3, 24)


@scene("bandwidth")
class Bandwidth(Scene):
    """A kernel density estimate: its bumps, its bandwidth, and what new data make of it."""

    title = "How wide should the bumps be?"
    alt = (
        "Left: the true density in blue, with a narrow and a wide hump, the data as ticks, and the "
        "kernel density estimate in vermillion, the sum of one bump for each point. Right: the "
        "average log-likelihood of the data themselves and of new data against the bandwidth; the "
        "first rises without end to the left, the second has a peak. A slider sets the bandwidth."
    )
    size = (9.6, 4.0)
    reveals = (
        {"bandwidth": 0.0282},
        ({"n": 10, "bandwidth": 0.631}, {"n": 300, "bandwidth": 0.282}),
        (
            {"draw": 3, "bandwidth": 0.282},
            {"draw": 2, "bandwidth": 0.562},
            {"n": 300, "draw": 2, "bandwidth": 0.224},
        ),
    )

    def controls(self):
        return {
            "bandwidth": log_slider("bandwidth h", 0.08, -1.6, 0.4, 0.05, readout_format=".2f"),
            "n": choice("points", [10, 30, 100, 300], 30),
            "draw": slider("another draw", 0, 0, 9, 1),
        }

    def stage(self, fig):
        left, right = fig.subplots(1, 2, width_ratios=(1.4, 1))
        truth = np.exp(log_truth(XS))
        left.plot(XS, truth, color=COLORS["p"])
        plots.fill(left, XS, 0, truth, "p", 0.15)
        plots.label(left, -1.5, 0.72, "truth", "p")
        plots.label(left, 5.6, 1.0, "estimate", "q", ha="right")
        plots.label(left, 5.6, 0.9, "some of its bumps", "highlight", ha="right")
        panel(left, "The density", ("x", -4.5, 5.8), ("density", -0.08, 1.2))
        self.ticks = dot(left, "p", 9, "|")
        self.line = curve(left, "q")
        self.kernels = [curve(left, "highlight", linewidth=1) for _ in range(10)]
        widths, nats = ("bandwidth h", 0.02, 3), ("mean log-likelihood (nats)", -4, 0.5)
        panel(right, "Who likes it?", widths, nats, xscale="log")
        right.axhline(_mean_under_truth(log_truth(XS)), color=COLORS["p"], linestyle=":")
        plots.label(right, 2.9, -1.3, "the truth", "p", ha="right", fontsize=10)
        plots.label(right, 2.9, 0.15, "the same data", "mixture", ha="right", fontsize=10)
        plots.label(right, 2.9, -0.2, "new data", "q", ha="right", fontsize=10)
        plots.label(right, 2.9, -0.55, "leave one out", "accent", ha="right", fontsize=10)
        styles = {"mixture": "-", "q": "-", "accent": "--"}  # inside, new, left out
        self.curves = [curve(right, role, linestyle=style) for role, style in styles.items()]
        self.mark = moving(right.axvline(1, 0, 0.57, color=COLORS["highlight"]))

    def update(self, bandwidth, n, draw):
        x = observations(n, draw)
        self.ticks.move(x, np.full(n, -0.04))
        parts = normal(XS[:, None], x, bandwidth)
        estimate = parts.mean(1)
        self.line.move(XS, estimate)
        for line, part in zip(self.kernels, parts.T, strict=False):
            line.move(XS, part / n)
        for line, ys in zip(self.curves, _curves(n, draw), strict=True):
            line.move(WIDTHS, ys)
        self.mark.set_xdata([bandwidth, bandwidth])
        new = _mean_under_truth(np.log(estimate + 1e-300))
        loss = _mean_under_truth(log_truth(XS)) - new
        return {
            "new data": f"{new:.2f} nats",
            "KL(truth‖estimate)": f"{loss:.2f} nats",
            "best h for new data": f"{WIDTHS[_curves(n, draw)[1].argmax()]:.2f}",
            "best h by leave-one-out": f"{WIDTHS[_curves(n, draw)[2].argmax()]:.2f}",
        }


def log_truth(x):
    """Return the true log-density at ``x``, (m,): two Gaussians, one narrow and one wide."""
    return np.log(mixture(x, MEANS, SCALES, WEIGHTS))


@functools.cache
def observations(n, draw):
    """Return ``n`` points of the truth, (n,); the first of a longer draw."""
    rng = np.random.default_rng(draw)
    which = (rng.uniform(size=300) > WEIGHTS[0]).astype(int)
    return (MEANS[which] + SCALES[which] * rng.standard_normal(300))[:n]


def _mean_under_truth(log_density):
    return np.trapezoid(np.exp(log_truth(XS)) * log_density, XS)


@functools.lru_cache(maxsize=40)
def _curves(n, draw):
    """Mean log-likelihood against ``WIDTHS``: of the data, of new data, and leaving one out."""
    x, rows = observations(n, draw), []
    for h in WIDTHS:
        own = normal(x[:, None], x, h)
        others = (own.sum(1) - np.diag(own)) / (n - 1)
        new = np.log(mixture(XS, x, h) + 1e-300)
        left_out = np.log(others + 1e-300).mean()
        rows.append((np.log(own.mean(1)).mean(), _mean_under_truth(new), left_out))
    return np.array(rows).T


# Explorer: embedding

ONE, TWO = "one Gaussian", "two Gaussians"
GAUSSIAN, LINEAR = "Gaussian", "linear, x · y"
WIDE_XS = np.linspace(-9, 9, 721)


@scene("embedding")
class Embedding(Scene):
    """Two densities, their kernel mean embeddings, and the witness: the embeddings' gap."""

    title = "Two densities as two functions"
    alt = (
        "Left: the densities P in blue and Q in vermillion. Middle: their kernel mean embeddings, "
        "smoother, in the same colours. Right: the witness, the difference of the embeddings, in "
        "green. Sliders move Q, set its width and the kernel's bandwidth."
    )
    size = (9.8, 3.9)
    reveals = (
        ({"bandwidth": 10.0}, {"bandwidth": 0.1}),
        ({"kernel": LINEAR, "shift": 1.0}, {"kernel": LINEAR}),
        tuple(
            {"shape": shape, "shift": 1.0, "bandwidth": bandwidth}
            for bandwidth in (10.0, 0.1)
            for shape in (ONE, TWO)
        ),
    )

    def controls(self):
        return {
            "shape": choice("Q is", [ONE, TWO], TWO),
            "shift": slider("mean of Q", 0.0, -3.0, 3.0, 0.1),
            "scale": slider("scale of Q", 1.0, 0.4, 2.0, 0.1),
            "bandwidth": log_slider("bandwidth", 0.5, -1, 1, 0.05, readout_format=".2f"),
            "kernel": choice("kernel", [GAUSSIAN, LINEAR]),
        }

    def stage(self, fig):
        self.axes = fig.subplots(1, 3)
        left, middle, right = self.axes
        panel(left, "Densities", ("x", -5, 5), ("density", 0, 0.85))
        panel(middle, "Mean embeddings", ("t", -5, 5), ("", 0, 1.05))
        panel(right, "Witness = their gap", ("t", -5, 5), ("", -0.6, 0.6))
        right.axhline(0, color="#8c8c8c", linewidth=1)
        self.densities = {name: density(left, name, alpha=0.15) for name in "pq"}
        self.embeddings = {name: curve(middle, name) for name in "pq"}
        self.witness = density(right, "critic")
        plots.label(left, -4.8, 0.78, "P", "p", ha="left", fontsize=13)
        plots.label(left, -4.8, 0.71, "Q", "q", ha="left", fontsize=13)

    def update(self, shape, shift, scale, bandwidth, kernel):
        # The components of Q, with mean ``shift`` and standard deviation ``scale`` in both shapes.
        apart = 0.9 * scale if shape == TWO else 0.0
        parts = {
            "p": ([0.0], 1.0),
            "q": ([shift - apart, shift + apart], np.sqrt(scale**2 - apart**2)),
        }
        densities, embeddings = {}, {}
        for name, (means, width) in parts.items():
            densities[name] = mixture(WIDE_XS, means, width)
            if kernel == LINEAR:
                embeddings[name] = WIDE_XS * np.mean(means)
            else:
                wide = np.hypot(bandwidth, width)  # a Gaussian, blurred by a Gaussian
                embeddings[name] = mixture(WIDE_XS, means, wide) / normal(0, 0, bandwidth)
            self.densities[name].move(WIDE_XS, densities[name])
            self.embeddings[name].move(WIDE_XS, embeddings[name])
        witness = embeddings["p"] - embeddings["q"]
        self.witness.move(WIDE_XS, witness)
        tall = kernel == LINEAR
        self.axes[1].set_ylim(*((-4, 4) if tall else (0, 1.05)))
        self.axes[2].set_ylim(*((-8, 8) if tall else (-0.6, 0.6)))
        on_p, on_q = (np.trapezoid(densities[name] * witness, WIDE_XS) for name in "pq")
        squared = max(on_p - on_q, 0.0)
        return {
            "mean of the witness on P": on_p,
            "on Q": on_q,
            "MMD² (the difference)": f"{squared:.4f}",
            "MMD": f"{np.sqrt(squared):.3f}",
        }


# Explorer: permutation

MOST, DEALS = 80, 250


@scene("permutation")
class Permutation(Scene):
    """The permutation test: MMD^2 of two samples, among that of the same points dealt out anew."""

    title = "Are these two samples from one distribution?"
    alt = (
        "Left: two samples, X in blue and Y in vermillion, each a row of dots under its histogram. "
        "Right: a grey histogram of MMD squared for the pooled points dealt out at random, with a "
        "green line at that of the samples themselves. Sliders set the shift, the number of "
        "points, the bandwidth and the draw."
    )
    size = (9.6, 3.8)
    reveals = (
        ({"shift": 0.0, "draw": 5}, {"shift": 0.0, "draw": 6}),
        ({"draw": 2}, {"draw": 2, "n": MOST}),
        {"bandwidth": 0.01},
    )

    def controls(self):
        return {
            "shift": slider("true shift of Q", 0.6, 0.0, 2.0, 0.1),
            "n": slider("points each", 40, 10, MOST, 10),
            "bandwidth": log_slider("bandwidth", 1.0, -2, 1, 0.1, readout_format=".2f"),
            "draw": slider("another draw", 0, 0, 19, 1),
        }

    def stage(self, fig):
        left, self.right = fig.subplots(1, 2)
        panel(left, "The samples", ("x", -4, 6), ("density", -0.2, 1.0))
        left.axhline(0, color="#8c8c8c", linewidth=1)
        self.edges = np.linspace(-4, 6, 21)
        self.bars, self.dots = [], []
        for role, name, y in (("p", "X from P", 0.92), ("q", "Y from Q", 0.84)):
            style = {"fill": True, "alpha": 0.3, "color": COLORS[role]}
            self.bars.append(moving(left.stairs(np.zeros(20), self.edges, **style)))
            self.dots.append(dot(left, role, 5, "."))
            plots.label(left, 5.9, y, name, role, ha="right")
        shares = ("share of the deals", 0, 0.5)
        panel(self.right, "Dealt out at random", "MMD² (unbiased estimate)", shares)
        style = {"fill": True, "alpha": 0.5, "color": COLORS["mixture"]}
        self.null = moving(self.right.stairs(np.zeros(60), **style))
        self.mark = moving(self.right.axvline(0, 0, 0.8, color=COLORS["critic"], linewidth=3))
        self.right.locator_params(axis="x", nbins=5)
        names = {"the samples as they are": "critic", f"{DEALS} random deals": "mixture"}
        key(self.right, 0.98, 0.91, names, 0.08, va="bottom")

    def update(self, shift, n, bandwidth, draw):
        rng = np.random.default_rng(draw)
        x, y = rng.standard_normal((2, MOST))[:, :n]
        y = y + shift
        for bars, dots, z, row in zip(self.bars, self.dots, (x, y), (-0.06, -0.13), strict=True):
            bars.set_data(np.histogram(z, self.edges, density=True)[0])
            dots.move(z, np.full(n, row))
        test = permutation_test(x, y, kernels.rbf(bandwidth), DEALS, seed=draw)
        reach = max(np.abs(test.null).max(), abs(test.mmd2))
        limit = next(limit for limit in (0.02, 0.05, 0.1, 0.2, 0.5, 2.0) if reach < 0.95 * limit)
        self.right.set_xlim(-limit, limit)
        edges = np.linspace(-limit, limit, 61)
        self.null.set_data(np.histogram(test.null, edges)[0] / DEALS, edges)
        self.mark.set_xdata([test.mmd2, test.mmd2])
        verdict = "differ" if test.p_value <= 0.05 else "no difference shown"
        return {
            "MMD²": f"{test.mmd2:.4f}",
            "p-value": test.p_value,
            "at level 5 %": verdict,
            "the truth": "P = Q" if shift == 0 else "P ≠ Q",
        }


# Exercises


@exercise("15_kernel_methods/1")
def blurred():
    """The standard deviation of a KDE of bandwidth 1.5 on much data of standard deviation 2."""
    return Number(
        float(np.hypot(2.0, 1.5)),
        tolerance=0.01,
        right="variances of independent parts add, so a KDE is always wider than its data.",
        mistakes=[
            (3.5, "Variances add, not standard deviations."),
            (float(2.0**2 + 1.5**2), "That is the variance; take its root."),
            (2.0, "That is the data alone; each point's bump adds its own variance."),
            (float(np.sqrt(2.0**2 - 1.5**2)), "The noise adds to the variance."),
        ],
    )


def _unbiased(k_xx, k_yy, k_xy):
    n, m = len(k_xx), len(k_yy)
    within_x = (k_xx.sum() - np.trace(k_xx)) / (n * (n - 1))
    within_y = (k_yy.sum() - np.trace(k_yy)) / (m * (m - 1))
    return within_x + within_y - 2 * k_xy.mean()


@exercise("15_kernel_methods/2")
def mmd_from_tables():
    """Write mmd2(k_xx, k_yy, k_xy): the unbiased MMD^2 from three Gram matrices."""

    def inputs(rng):
        n, m = rng.integers(3, 8, size=2)
        x, y = rng.normal(size=n), rng.normal(0.5, 1.5, size=m)
        tables = (np.exp(-((a[:, None] - b) ** 2) / 2) for a, b in ((x, x), (y, y), (x, y)))
        return tuple(tables)

    return Function(
        _unbiased,
        inputs,
        tolerance=1e-5,
        right="without the diagonal nothing is left that pulls it above 0 where P = Q.",
        mistakes=[
            (
                lambda k_xx, k_yy, k_xy: k_xx.mean() + k_yy.mean() - 2 * k_xy.mean(),
                "That is the biased form: leave the diagonals out and divide by n (n - 1).",
            ),
            (
                lambda k_xx, k_yy, k_xy: _unbiased(k_xx, k_yy, k_xy / 2),
                "The mixed term counts twice.",
            ),
            (
                lambda k_xx, k_yy, k_xy: -_unbiased(k_xx, k_yy, k_xy),
                "The sign is wrong: likeness within a sample counts for MMD, between them against.",
            ),
            (
                lambda k_xx, k_yy, k_xy: (
                    (k_xx.sum() - np.trace(k_xx)) / k_xx.size
                    + (k_yy.sum() - np.trace(k_yy)) / k_yy.size
                    - 2 * k_xy.mean()
                ),
                "Without the diagonal there are n (n - 1) pairs, not n^2.",
            ),
        ],
    )


@exercise("15_kernel_methods/3")
def p_value():
    """The p-value when 4 of 99 random deals reach the MMD of the samples themselves."""
    return Number(
        (4 + 1) / (99 + 1),
        tolerance=0.0002,
        right="the samples as they are count as one of the hundred deals.",
        mistakes=[
            (4 / 99, "Count the samples as they are among the deals, above and below."),
            (4 / 100, "Count the samples as they are among those that reach, too."),
            (5 / 99, "Count the samples as they are among all deals, too."),
            (
                1 - 0.05,
                "That is the share that stays below; the p-value is the share that reaches.",
            ),
        ],
    )


@exercise("15_kernel_methods/4")
def blind_kernel():
    """Which kernel cannot tell N(0, 1) from a density of the same mean and variance?"""
    return Choice(
        right_choice="linear",
        why="its embedding keeps the mean and nothing else, so its MMD is the gap of the means.",
        wrong={
            "gaussian": "Two densities whose Gaussian embeddings agree are equal; try it in the "
            "explorer.",
            "energy": "Its squared MMD is the energy distance, which is 0 only for P = Q.",
        },
    )
