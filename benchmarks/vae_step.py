"""The time of one VAE step: genlib's compiled loop beside what a learner would write instead.

Run ``make bench``, or ``python benchmarks/vae_step.py [--repeats 7]``. Every contender makes the
same update (the ELBO with one draw of z, Adam) on the same networks, 784-400-20 and back, for
batches of 128 pictures. They take turns, so a change in the machine's speed touches all of them;
the table gives medians, and the ratio to the usual one-step ``tf.function`` loop is the median of
the ratios of each turn. "first" is the time of the first call: tracing and compiling included.
"""

import argparse

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf
from _turns import take_turns

from genlib import networks
from genlib.likelihood import VAE

PIXELS, WIDTH, LATENTS = 784, 400, 20
BATCH, STEPS = 128, 200
RATE = 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {repeats} turns")
    print(f"{'contender':<22}{'ms/step':>9}{'ratio':>7}{'first s':>9}{'loss':>9}")
    times = take_turns({name: make() for name, make in CONTENDERS.items()}, repeats)
    for name, t in times.items():
        print(
            f"{name:<22}{t.median / STEPS * 1e3:>9.3f}{t.ratio(times['tf.function loop']):>7.2f}"
            f"{t.first:>9.2f}{t.result:>9.1f}",
            flush=True,
        )


def pictures():
    """As sparse as digits, so that the losses of all contenders can be compared."""
    rng = np.random.default_rng(0)
    return (rng.random((4096, PIXELS)) < rng.random(PIXELS) ** 3).astype(np.float32)


def make_networks():
    return (
        networks.mlp(PIXELS, 2 * LATENTS, WIDTH, 1, seed=0),
        networks.mlp(LATENTS, PIXELS, WIDTH, 1, seed=1),
    )


def genlib_fit():
    model, data = VAE(*make_networks(), LATENTS, seed=0), tf.constant(pictures())

    def run():
        history = model.fit(data, batch_size=BATCH, steps_per_epoch=STEPS, verbose=0).history
        return history["loss"][-1]

    return run


def loss_of(encoder, decoder, x):
    mean, log_variance = tf.split(encoder(x, training=True), 2, axis=1)
    z = mean + tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))
    logits = decoder(z, training=True)
    pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    kl = tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, 1) / 2
    return tf.reduce_mean(tf.reduce_sum(pixels, 1) + kl)


def dataset():
    data = tf.data.Dataset.from_tensor_slices(pictures())
    return data.shuffle(4096).repeat().batch(BATCH, drop_remainder=True).prefetch(2)


def step_loop():
    """The loop of TensorFlow's own tutorial on autoencoders."""
    encoder, decoder = make_networks()
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = loss_of(encoder, decoder, x)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    batches = iter(dataset())

    def run():
        for _ in range(STEPS):
            loss = step(next(batches))
        return float(loss)

    return run


class TutorialVAE(keras.Model):
    """A VAE with a `train_step`, as Keras's example writes it."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.tracker = keras.metrics.Mean("loss")

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = loss_of(self.encoder, self.decoder, x)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables, strict=True))
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


def model_fit():
    model, data = TutorialVAE(*make_networks()), dataset()
    model.built = True
    model.compile(keras.optimizers.Adam(RATE))
    return lambda: model.fit(data, steps_per_epoch=STEPS, shuffle=False, verbose=0).history["loss"][
        -1
    ]


def torch_loop():
    """The same step in eager PyTorch, where it happens to be installed."""
    try:
        import torch
        from torch import nn
    except ImportError:
        return None
    encoder = nn.Sequential(nn.Linear(PIXELS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2 * LATENTS))
    decoder = nn.Sequential(nn.Linear(LATENTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, PIXELS))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], RATE)
    data = torch.from_numpy(pictures())

    def run():
        for _ in range(STEPS):
            x = data[torch.randint(len(data), (BATCH,))]
            mean, log_variance = encoder(x).chunk(2, dim=1)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            pixels = nn.functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
            kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
            loss = (pixels + kl) / BATCH
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


CONTENDERS = {
    "genlib fit": genlib_fit,
    "tf.function loop": step_loop,
    "Model.fit": model_fit,
    "PyTorch eager": torch_loop,
}


if __name__ == "__main__":
    main()
