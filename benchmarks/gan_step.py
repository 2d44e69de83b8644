"""The time of one GAN step: genlib's compiled loop beside what a learner would write instead.

Run ``make bench``, or ``python benchmarks/gan_step.py [--repeats 7]``. Every contender makes one
critic step and one generator step of the original GAN, by Adam, on the same networks and batch
size. "fresh": each of the two has its own latents, and the generator meets the new critic, as in
the paper's algorithm and in ``fit``. "shared": both have one generated batch and the old critic, as
in TensorFlow's tutorial, which saves a pass through each network. JAX and PyTorch have a row where
they are installed. Contenders take turns, so a change in the machine's speed touches all of them;
the table gives medians, and the ratio to the usual one-step ``tf.function`` loop of fresh latents
is the median of the ratios of each turn, by the clock and by the seconds of CPU, which other work
on the machine touches less. "first" is the time of the first call: tracing and compiling included.
"""

import argparse
import functools

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf
from _networks import conv_critic, conv_generator
from _turns import take_turns

from genlib import networks
from genlib.gans import GAN

USUAL = "tf.function loop, fresh"
ADAM = {"learning_rate": 2e-4, "beta_1": 0.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    cases = [("mlp", width, batch, 300) for width in (16, 128) for batch in (64, 256)]
    cases.append(("conv 28x28", 32, 64, 12))
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {repeats} turns")
    print(f"{'network':<12}{'width':>6}{'batch':>6}  {'contender':<25}{'ms/step':>9}{'ratio':>7}{'CPU':>7}{'first s':>9}")  # fmt: skip  # noqa: E501
    for case in cases:
        compare(*case, repeats)


def compare(kind, width, batch, steps, repeats):
    contenders = {
        "genlib fit, fresh": genlib_fit,
        USUAL: functools.partial(step_loop, fresh_updates),
        "tf.function loop, shared": functools.partial(step_loop, shared_updates),
        "Model.fit, shared": model_fit,
        "JAX lax.scan, fresh": jax_loop,
        "PyTorch eager, shared": torch_loop,
    }
    runs = {name: make(kind, width, batch, steps) for name, make in contenders.items()}
    times = take_turns(runs, repeats)
    for name, t in times.items():
        print(
            f"{kind:<12}{width:>6}{batch:>6}  {name:<25}{t.median / steps * 1e3:>9.3f}"
            f"{t.ratio(times[USUAL]):>7.2f}{t.cpu_ratio(times[USUAL]):>7.2f}{t.first:>9.2f}",
            flush=True,
        )


def real_data(kind):
    shape = (4096, 2) if kind == "mlp" else (4096, 28, 28, 1)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def make_networks(kind, width):
    if kind == "mlp":
        return networks.mlp(2, 2, width, seed=0), networks.mlp(2, 1, width, seed=1)
    return conv_generator(32, (28, 28, 1), width), conv_critic((28, 28, 1), width)


def genlib_fit(kind, width, batch, steps):
    model, data = GAN(*make_networks(kind, width), seed=0), tf.constant(real_data(kind))
    return lambda: model.fit(data, batch_size=batch, steps_per_epoch=steps, verbose=0)


def fresh_updates(generator, critic, g_optimizer, c_optimizer, real):
    """The update as the paper's algorithm has it, and as `fit` makes it."""
    n, latent_dim = tf.shape(real)[0], generator.input_shape[-1]
    losses = []
    for net, optimizer in ((critic, c_optimizer), (generator, g_optimizer)):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in net.trainable_variables])
            on_fake = critic(generator(tf.random.normal((n, latent_dim)), training=True))
            if net is critic:
                on_real = tf.reduce_mean(tf.nn.softplus(-critic(real, training=True)))
                loss = on_real + tf.reduce_mean(tf.nn.softplus(on_fake))
            else:
                loss = tf.reduce_mean(tf.nn.softplus(-on_fake))
        grads = tape.gradient(loss, [v.value for v in net.trainable_variables])
        optimizer.apply_gradients(zip(grads, net.trainable_variables, strict=True))
        losses.append(loss)
    return losses


def shared_updates(generator, critic, g_optimizer, c_optimizer, real):
    """The update as TensorFlow's own DCGAN tutorial arranges it: one tape each."""
    n = tf.shape(real)[0]
    with tf.GradientTape() as c_tape, tf.GradientTape() as g_tape:
        fake = generator(tf.random.normal((n, generator.input_shape[-1])), training=True)
        on_real, on_fake = critic(real, training=True), critic(fake, training=True)
        c_loss = tf.reduce_mean(tf.nn.softplus(-on_real)) + tf.reduce_mean(tf.nn.softplus(on_fake))
        g_loss = tf.reduce_mean(tf.nn.softplus(-on_fake))
    for tape, loss, net, optimizer in (
        (c_tape, c_loss, critic, c_optimizer),
        (g_tape, g_loss, generator, g_optimizer),
    ):
        grads = tape.gradient(loss, net.trainable_variables)
        optimizer.apply_gradients(zip(grads, net.trainable_variables, strict=True))
    return c_loss, g_loss


def dataset(kind, batch):
    data = tf.data.Dataset.from_tensor_slices(real_data(kind))
    return data.shuffle(4096).repeat().batch(batch, drop_remainder=True).prefetch(2)


def step_loop(updates, kind, width, batch, steps):
    generator, critic = make_networks(kind, width)
    optimizers = keras.optimizers.Adam(**ADAM), keras.optimizers.Adam(**ADAM)
    optimizers[0].build(generator.trainable_variables)
    optimizers[1].build(critic.trainable_variables)
    step = tf.function(lambda real: updates(generator, critic, *optimizers, real))
    batches = iter(dataset(kind, batch))

    def run():
        for _ in range(steps):
            losses = step(next(batches))
        return [float(loss) for loss in losses]

    return run


class TutorialGAN(keras.Model):
    """A GAN with a `train_step`, as Keras's guide writes it."""

    def __init__(self, generator, critic):
        super().__init__()
        self.generator, self.critic = generator, critic
        self.g_optimizer = keras.optimizers.Adam(**ADAM)
        self.c_optimizer = keras.optimizers.Adam(**ADAM)
        self.c_loss, self.g_loss = keras.metrics.Mean("c_loss"), keras.metrics.Mean("g_loss")

    @property
    def metrics(self):
        return [self.c_loss, self.g_loss]

    def train_step(self, real):
        c, g = shared_updates(self.generator, self.critic, self.g_optimizer, self.c_optimizer, real)
        self.c_loss.update_state(c)
        self.g_loss.update_state(g)
        return {"c_loss": self.c_loss.result(), "g_loss": self.g_loss.result()}


def model_fit(kind, width, batch, steps):
    model = TutorialGAN(*make_networks(kind, width))
    model.g_optimizer.build(model.generator.trainable_variables)
    model.c_optimizer.build(model.critic.trainable_variables)
    model.compile()
    data = dataset(kind, batch)
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0)


def jax_loop(kind, width, batch, steps):
    """The same step in JAX, all steps in one compiled scan, for the dense networks."""
    try:
        import jax
        from jax import numpy as jnp
    except ImportError:
        return None
    if kind != "mlp":
        return None
    softplus, tree_map = jax.nn.softplus, jax.tree.map
    data = jnp.asarray(real_data(kind))

    def start(net):
        kernels = [jnp.asarray(w) for w in net.get_weights()]
        zeros = tree_map(jnp.zeros_like, kernels)
        return kernels, (zeros, zeros, jnp.float32(0))

    def apply(weights, x):
        *hidden, kernel, bias = weights
        for w, b in zip(hidden[::2], hidden[1::2], strict=True):
            x = jax.nn.relu(x @ w + b)
        return x @ kernel + bias

    def adam(weights, grads, moments):
        first, second, count = moments
        count = count + 1
        first = tree_map(lambda m, g: m + 0.5 * (g - m), first, grads)
        second = tree_map(lambda v, g: v + 0.001 * (g * g - v), second, grads)
        rate = ADAM["learning_rate"] * jnp.sqrt(1 - 0.999**count) / (1 - 0.5**count)
        moved = tree_map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)  # fmt: skip  # noqa: E501
        return moved, (first, second, count)

    def step(state, _):
        g, d, of_g, of_d, key = state
        key, *keys = jax.random.split(key, 4)
        real = data[jax.random.randint(keys[0], (batch,), 0, len(data))]
        fake = apply(g, jax.random.normal(keys[1], (batch, 2)))
        c_loss, grads = jax.value_and_grad(
            lambda d: softplus(-apply(d, real)).mean() + softplus(apply(d, fake)).mean()
        )(d)
        d, of_d = adam(d, grads, of_d)
        latent = jax.random.normal(keys[2], (batch, 2))
        g_loss, grads = jax.value_and_grad(
            lambda g: softplus(-apply(d, apply(g, latent))).mean()
        )(g)  # fmt: skip
        g, of_g = adam(g, grads, of_g)
        return (g, d, of_g, of_d, key), (c_loss, g_loss)

    (g, of_g), (d, of_d) = map(start, make_networks(kind, width))
    held = [(g, d, of_g, of_d, jax.random.key(0))]
    scan = jax.jit(lambda state: jax.lax.scan(step, state, None, length=steps))

    def run():
        held[0], losses = scan(held[0])
        return [float(loss[-1]) for loss in losses]

    return run


def torch_loop(kind, width, batch, steps):
    """The same step in eager PyTorch, where it happens to be installed."""
    try:
        import torch
        from torch import nn
    except ImportError:
        return None
    softplus = nn.functional.softplus
    if kind == "mlp":
        latent_dim = 2

        def mlp(outputs):
            return nn.Sequential(
                nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                nn.Linear(width, outputs),
            )  # fmt: skip

        generator, critic = mlp(2), mlp(1)
    else:
        latent_dim = 32
        generator = nn.Sequential(
            nn.Linear(32, 49 * 2 * width), nn.Unflatten(1, (2 * width, 7, 7)), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip
        critic = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(49 * 2 * width, 1),
        )  # fmt: skip
    data = torch.from_numpy(real_data(kind))
    if kind != "mlp":
        data = data.permute(0, 3, 1, 2).contiguous()
    g_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    c_optimizer = torch.optim.Adam(critic.parameters(), 2e-4, betas=(0.5, 0.999))

    def run():
        for _ in range(steps):
            real = data[torch.randint(len(data), (batch,))]
            fake = generator(torch.randn(batch, latent_dim))
            c_loss = softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean()
            c_optimizer.zero_grad()
            c_loss.backward()
            c_optimizer.step()
            g_loss = softplus(-critic(fake)).mean()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
        return c_loss.item(), g_loss.item()

    return run


if __name__ == "__main__":
    main()
