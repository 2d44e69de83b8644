"""Mass moved near against mass moved far: W1 beside KL and JSD, on one slider."""

import numpy as np

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

BLOCK, BELL, TENTH = "a block", "a bell", "a tenth of a block"
STEP = 0.1
ROLES = {"W1": "highlight", "KL": "accent", "JSD": "mixture"}
# The right panel of each: its top, where what is infinite is drawn, and where the names stand.
TOPS = {BLOCK: 4.6, BELL: 4.6, TENTH: 0.46}
NAMES = {
    BLOCK: {"W1": (4.15, 4.0), "KL": (4.15, 4.6), "JSD": (4.15, 0.69)},
    BELL: {"W1": (4.15, 4.0), "KL": (1.65, 4.6), "JSD": (4.15, 0.69)},
    TENTH: {"W1": (4.15, 0.4), "KL": (4.15, 0.115), "JSD": (4.15, 0.036)},
}


class Wasserstein(Scene):
    title = "Near or far: the same slider for W1, KL and JSD"
    alt = (
        "Left: P in blue stands still, Q in vermillion is P with its mass, or a tenth of it, moved "
        "along the line. Right: W1, KL and JSD against that shift, each with a dot where Q is now. "
        "W1 is a V with its foot at 0; JSD is flat once the two no longer overlap."
    )
    size = (9.4, 4.0)

    def controls(self):
        return {
            "shift": slider("shift", 2.5, -4.0, 4.0, STEP),
            "moved": choice("what moves", [BLOCK, BELL, TENTH]),
        }

    def stage(self, fig):
        # Midpoints of cells: each block's edges fall on the cells' edges, so sums are exact.
        self.edges = np.linspace(-8, 8, 801)
        self.xs = (self.edges[:-1] + self.edges[1:]) / 2
        self.shifts = np.round(np.arange(-40, 41) * STEP, 1)
        self.table = {kind: self._table(kind) for kind in (BLOCK, BELL, TENTH)}

        left, right = self.axes = fig.subplots(1, 2, width_ratios=(1, 1.15))
        left.set(title="P and Q", xlabel="x", ylabel="density", xlim=(-6, 6), ylim=(0, 1.4))
        right.set(title="Divergence against the shift", xlabel="shift of Q", xlim=(-4.2, 4.9))
        right.set(ylabel="W1 (units of x); KL, JSD (nats)", ylim=(0, 5))
        self.shades = {name: plots.fill(left, self.xs, 0, 0, name, 0.45) for name in "pq"}
        self.outlines = {name: left.plot(self.xs, self.xs, color=COLORS[name])[0] for name in "pq"}
        plots.label(left, -5.7, 1.25, "P", "p", ha="left", fontsize=13)
        plots.label(left, -5.0, 1.25, "Q", "q", ha="left", fontsize=13)
        self.lines, self.dots, self.names = {}, {}, {}
        for name, role in ROLES.items():
            style = {"linestyle": (0, (4, 2))} if name == "KL" else {}
            (self.lines[name],) = right.plot(self.shifts, self.shifts, color=COLORS[role], **style)
            (self.dots[name],) = right.plot([0], [0], "o", color=COLORS[role], markersize=9)
            self.names[name] = plots.label(right, 4.15, 0, name, role, ha="left", va="center")
        parts = (self.shades, self.outlines, self.lines, self.dots, self.names)
        return [artist for part in parts for artist in part.values()]

    def update(self, shift, moved):
        p, q = _cells(self.edges, 0, BLOCK if moved == TENTH else moved), self._q(shift, moved)
        width = self.edges[1] - self.edges[0]
        for name, mass in (("p", p), ("q", q)):
            plots.set_fill(self.shades[name], self.xs, 0, mass / width)
            self.outlines[name].set_ydata(mass / width)
        table, top, readout = self.table[moved], TOPS[moved], {}
        self.axes[1].set_ylim(-0.02 * top, 1.08 * top)
        now = round((shift + 4) / STEP)
        nearer = now - int(np.sign(now - 40))
        gains = []
        for name, values in table.items():
            finite = np.isfinite(values[now])
            self.lines[name].set_ydata(_shown(values, top))
            height = values[now] if finite else top
            self.dots[name].set_data([shift], [height if height <= top else np.nan])
            self.names[name].set_position(NAMES[moved][name])
            self.names[name].set_text(name if np.isfinite(values[-1]) else f"{name} = ∞")
            readout[name] = f"{values[now]:.3f}" if finite else "∞"
            if finite:
                gains.append(f"{name} {values[now] - values[nearer]:.3f}")
        return readout | {f"saved by one step of {STEP} towards P": ", ".join(gains)}

    def _q(self, shift, moved):
        if moved == TENTH:
            return 0.9 * _cells(self.edges, 0, BLOCK) + 0.1 * _cells(self.edges, shift, BLOCK)
        return _cells(self.edges, shift, moved)

    def _table(self, kind):
        """Return each divergence at every shift, summed over the cells."""
        width = self.edges[1] - self.edges[0]
        p = _cells(self.edges, 0, BLOCK if kind == TENTH else kind)
        rows = [_divergences(p, self._q(shift, kind), width) for shift in self.shifts]
        return {name: np.array([row[name] for row in rows]) for name in ROLES}


def _cells(edges, centre, kind):
    """Return the mass in each cell of a block of width 1, or a bell of scale 1/2."""
    middles = (edges[:-1] + edges[1:]) / 2 - centre
    if kind == BELL:
        mass = np.exp(-2 * middles**2)
    else:
        mass = (np.abs(middles) < 0.5).astype(float)
    return mass / mass.sum()


def _divergences(p, q, width):
    """Return W1 by the area between the CDFs, KL and JSD by their definitions."""
    return {
        "W1": np.abs(np.cumsum(p - q)).sum() * width,
        "KL": _kl(p, q),
        "JSD": (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2,
    }


def _kl(p, q):
    inside = p > 0
    if (q[inside] == 0).any():
        return np.inf
    return float(np.sum(p[inside] * np.log(p[inside] / q[inside])))


def _shown(values, top):
    """Return a curve as drawn: what is infinite runs along the top, what is higher is cut."""
    infinite = np.isinf(values)
    if infinite.any():
        return np.where(infinite, top, np.nan)
    return np.where(values > top, np.nan, values)
