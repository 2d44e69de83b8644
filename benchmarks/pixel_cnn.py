"""The time to draw images from a PixelCNN: genlib's sampler beside the loop usually written.

Run ``make bench``, or ``python benchmarks/pixel_cnn.py [--repeats 5] [--naive-pixels 40]``. The
network is that of lecture 22: 28x28 pixels, black and white. "genlib sample" is one compiled graph
that computes each feature once. The others call the whole network once a pixel: in a compiled
graph, and eagerly from Python. The eager loop is timed on its first pixels only, and the time of
all 784 is worked out from these, since every pass costs the same. All draw 100 images, untrained:
the time does not depend on the weights. "first" is the first call: tracing included.
"""

import argparse

import genlib  # noqa: F401  first: it imports TensorFlow without its start-up notes

# isort: split
import keras
import numpy as np
import tensorflow as tf
from _turns import take_turns

from genlib.likelihood import PixelCNN

SHAPE, IMAGES = (28, 28, 1), 100
LECTURE = {"width": 16, "kernels": (7, 5, 5)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--naive-pixels", type=int, default=40)
    options = parser.parse_args()
    model = PixelCNN(SHAPE, seed=0, **LECTURE)
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {options.repeats} turns")
    print(f"{IMAGES} images of {SHAPE}, {LECTURE}")
    contenders = {
        "genlib sample": lambda: model.sample(IMAGES, seed=0),
        "whole passes, graph": whole_passes_in_a_graph(model, options.naive_pixels),
        "whole passes, eager": lambda: whole_passes(model, options.naive_pixels),
    }
    whole = dict.fromkeys(contenders, 1.0)
    for name in list(contenders)[1:]:
        whole[name] = np.prod(SHAPE) / options.naive_pixels
    times = take_turns(contenders, options.repeats)
    print(f"{'contender':<22}{'seconds':>9}{'first':>8}{'ratio':>8}")
    for name, t in times.items():
        ratio = t.ratio(times["genlib sample"]) * whole[name]
        print(f"{name:<22}{t.median * whole[name]:>9.2f}{t.first * whole[name]:>8.2f}{ratio:>8.1f}")


def next_pixel(model, x, place, uniforms):
    """``x`` with one more pixel drawn, from a pass of the whole network."""
    parameters = tf.reshape(model.parameters(x), (IMAGES, -1, model.head.size))[:, place]
    value = model.head.draw(parameters, uniforms)
    ink = value[:, None] * tf.one_hot(place, int(np.prod(SHAPE)))
    return x + tf.reshape(ink, (IMAGES, *SHAPE))


def whole_passes(model, pixels):
    x = tf.zeros((IMAGES, *SHAPE))
    for place in range(pixels):
        x = next_pixel(model, x, place, tf.random.uniform((IMAGES, 2)))
    return x.numpy()


def whole_passes_in_a_graph(model, pixels):
    @tf.function
    def run():
        def body(place, x):
            return place + 1, next_pixel(model, x, place, tf.random.uniform((IMAGES, 2)))

        start = (0, tf.zeros((IMAGES, *SHAPE)))
        return tf.while_loop(lambda place, _: place < pixels, body, start)[1]

    return lambda: run().numpy()


if __name__ == "__main__":
    main()
