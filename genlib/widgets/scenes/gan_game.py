"""The GAN game in one dimension: you are the generator, the critic is as good as you let it be."""

import numpy as np
from scipy.special import expit

from genlib import plots
from genlib.plots import COLORS
from genlib.widgets.explorer import Scene, choice, slider

NON_SATURATING, MINIMAX = "non-saturating", "minimax"
SHIFTS = np.linspace(-7, 7, 141)
LEAST = 1e-4  # the foot of the logarithmic axis


class GANGame(Scene):
    title = "The GAN game in one dimension"
    alt = (
        "Left: the real density in blue, the generator's in vermillion, and in green what the "
        "critic says, from 0 for generated to 1 for real; arrows show which way, and how hard, "
        "the generator's loss pushes its samples. Right: the size of that push against the "
        "generator's shift, on a logarithmic scale: the minimax loss's push vanishes as the two "
        "densities part, the non-saturating loss's push grows."
    )
    size = (9.6, 3.9)

    def controls(self):
        return {
            "shift": slider("generator: shift", 4.0, -7.0, 7.0, 0.1),
            "scale": slider("generator: scale", 1.0, 0.4, 2.0, 0.1),
            "skill": slider("critic's skill", 1.0, 0.0, 1.0, 0.05),
            "loss": choice("generator's loss", [NON_SATURATING, MINIMAX]),
        }

    def stage(self, fig):
        xs = self.xs = np.linspace(-16, 16, 801)
        left, right = fig.subplots(1, 2)
        left.set(title="The two heaps and the critic", xlabel="x", ylabel="density, and D(x)",
                 xlim=(-9, 9), ylim=(-0.5, 1.2), yticks=np.linspace(0, 1, 6))  # fmt: skip
        left.axhline(0, color="#8c8c8c", linewidth=1)
        p = np.exp(log_normal(xs, 0, 1))
        left.plot(xs, p, color=COLORS["real"], linewidth=2)
        plots.fill(left, xs, 0, p, "real")
        plots.label(left, -1.0, 0.42, "real", "real", ha="right")
        (self.generated,) = left.plot(xs, p, color=COLORS["generated"], linewidth=2)
        self.shade = plots.fill(left, xs, 0, p, "generated")
        self.name = plots.label(left, 0, 0, "generated", "generated", ha="left")
        (self.critic,) = left.plot(xs, p, color=COLORS["critic"], linewidth=2)
        plots.label(left, 0.02, 0.99, "D(x): how sure the critic is of “real”", "critic",
                    ha="left", va="top", transform=left.transAxes)  # fmt: skip
        self.quantiles = np.array([-1.5, -0.9, -0.45, 0.0, 0.45, 0.9, 1.5])
        at, self.rows = np.zeros_like(self.quantiles), np.linspace(-0.08, -0.44, 7)
        self.arrows = left.quiver(at, self.rows, at, at, color=COLORS["generated"], width=0.006,
                                  angles="xy", scale_units="xy", scale=1, minlength=0)  # fmt: skip
        (self.points,) = left.plot(at, self.rows, "o", color=COLORS["generated"], markersize=5)

        right.set(title="How hard the loss pushes the generator", xlabel="shift of the generator",
                  ylabel="|slope of the loss| (nats per unit)", xlim=(-7, 7), yscale="log",
                  ylim=(LEAST, 60))  # fmt: skip
        self.pushes, self.dots = {}, {}
        for name, style in ((NON_SATURATING, "-"), (MINIMAX, "--")):
            (self.pushes[name],) = right.plot(
                SHIFTS, 0 * SHIFTS + 1, style, color=COLORS["generated"], linewidth=2
            )
            (self.dots[name],) = right.plot([0], [1], "o", color=COLORS["generated"], markersize=9)
        self.names = {
            name: plots.label(right, 6.8, 1, name, "generated", ha="right")
            for name in (NON_SATURATING, MINIMAX)
        }
        return [self.generated, self.shade, self.name, self.critic, self.arrows, self.points,
                *self.pushes.values(), *self.dots.values(), *self.names.values()]  # fmt: skip

    def update(self, shift, scale, skill, loss):
        xs = self.xs
        log_p, log_q = log_normal(xs, 0, 1), log_normal(xs, shift, scale)
        q, logit = np.exp(log_q), skill * (log_p - log_q)
        self.generated.set_ydata(q)
        plots.set_fill(self.shade, xs, 0, q)
        self.name.set_position((shift + 0.9 * scale, 0.72 * q.max()))
        self.critic.set_ydata(expit(logit))

        points = shift + scale * self.quantiles
        # A step of one unit at a slope of 2 nats a unit; the arrows' heads need a little length.
        steps = -0.5 * slope_at(points, shift, scale, skill, loss)
        self.points.set_xdata(points)
        self.arrows.set_offsets(np.column_stack([points, self.rows]))
        self.arrows.set_UVC(np.clip(steps, -3, 3), 0 * points)

        pushes = {}
        for name in (NON_SATURATING, MINIMAX):
            curve = np.abs(push(SHIFTS, scale, skill, name))
            pushes[name] = float(push(np.array([shift]), scale, skill, name)[0])
            chosen = name == loss
            self.pushes[name].set(ydata=np.maximum(curve, LEAST), alpha=1.0 if chosen else 0.45)
            self.dots[name].set_data([shift], [max(abs(pushes[name]), LEAST)])
            self.dots[name].set_alpha(1.0 if chosen else 0.45)
            self.names[name].set_y(
                np.clip(curve[-1] * (2 if name == NON_SATURATING else 0.25), 2 * LEAST, 20)
            )

        dx = xs[1] - xs[0]
        critic_loss = dx * np.sum(np.exp(log_p) * np.logaddexp(0, -logit) + q * np.logaddexp(0, logit))  # fmt: skip  # noqa: E501
        m = np.logaddexp(log_p, log_q) - np.log(2)
        jsd = dx * np.sum(np.exp(log_p) * (log_p - m) + q * (log_q - m)) / 2
        return {
            "critic's loss": f"{critic_loss:.3f} nats",
            "the least any critic can reach, log 4 − 2 JSD": f"{np.log(4) - 2 * jsd:.3f} nats",
            "push, non-saturating": f"{abs(pushes[NON_SATURATING]):.2g}",
            "push, minimax": f"{abs(pushes[MINIMAX]):.2g} nats per unit",
        }


def log_normal(x, mean, scale):
    return -(((x - mean) / scale) ** 2) / 2 - np.log(scale * np.sqrt(2 * np.pi))


def slope_at(x, shift, scale, skill, loss):
    """The slope at ``x`` of the generator's loss, the critic's logit being skill * log(p/q)."""
    logit = skill * (log_normal(x, 0, 1) - log_normal(x, shift, scale))
    logit_slope = skill * (-x + (x - shift) / scale**2)
    return -logit_slope * (expit(logit) if loss == MINIMAX else expit(-logit))


def push(shifts, scale, skill, loss):
    """The slope of the generator's expected loss in its shift, for each of ``shifts``."""
    z = np.linspace(-6, 6, 241)[:, None]
    weights = np.exp(log_normal(z, 0, 1)) * (z[1] - z[0])
    return np.sum(weights * slope_at(shifts + scale * z, shifts, scale, skill, loss), axis=0)
