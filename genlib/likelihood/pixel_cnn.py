"""PixelCNN: masked convolutions make an image model autoregressive (van den Oord et al. 2016)."""

import functools
import itertools

import keras
import numpy as np
import tensorflow as tf

from genlib import memory, training, validate
from genlib.likelihood.base import LikelihoodModel, Masked, uniforms
from genlib.likelihood.discretised_logistic import DiscretisedLogistic, Softmax

HEADS = {"softmax": Softmax, "logistic": DiscretisedLogistic}

_BATCH = 256  # images that `log_prob` scores at a time, to save memory


class PixelCNN(LikelihoodModel):
    """Images ``(n, h, w, c)``: each pixel given the rows above it and what is left of it.

    Within a pixel the channels follow each other. As in the Gated PixelCNN (van den Oord et
    al. 2016b, arXiv:1606.05328, section 2) a vertical stack of features sees the rows above, a
    horizontal one its own row up to the pixel. With ``blind_spot`` there is one stack, as in the
    first PixelCNN (2016a, arXiv:1601.06759, section 3.4): no wedge above and to the right is seen.

    ValueError for arguments that do not fit.

    Args:
      image_shape: ``(h, w, c)``.
      levels: how many grey levels there are; pixels are k / (levels - 1), so 2 is black and white.
      width: features in a stack, at least c.
      kernels: the side of each block's kernels, odd and at least 3.
      head: "softmax", or "logistic" for a mixture of discretised logistics.
      seed: makes initial weights and training batches reproducible.
    """

    def __init__(self, image_shape, levels=2, *, width=32, kernels=(7, 3, 3, 3), head="softmax",
                 blind_spot=False, seed=None, name=None):  # fmt: skip
        super().__init__(seed=seed, name=name)
        if not isinstance(image_shape, tuple | list) or len(image_shape) != 3:
            raise ValueError(f"image_shape must be (h, w, c); got {image_shape!r}")
        self.data_shape = tuple(validate.count("image_shape", side) for side in image_shape)
        self.head = HEADS[validate.choice("head", head, HEADS)](levels)
        channels = np.arange(self.data_shape[-1])
        width = validate.count("width", width, minimum=len(channels))
        # The channel that each feature belongs to: it sees that channel and those before.
        features, outputs = np.arange(width) % len(channels), np.repeat(channels, self.head.size)
        seed = validate.seed("seed", seed)
        seeds = itertools.repeat(None) if seed is None else itertools.count(seed)
        sides = [validate.count("kernels", side, minimum=3) for side in kernels]
        if not sides or any(side % 2 == 0 for side in sides):
            raise ValueError(f"kernels must be odd numbers of at least 3; got {kernels!r}")
        self.blocks = [
            Block(side // 2, features if i else channels, features, i == 0, blind_spot, seeds)
            for i, side in enumerate(sides)
        ]
        self.mix = MaskedConv2D(pixel_mask(1, 0, features, features), seeds)
        self.out = MaskedConv2D(pixel_mask(1, 0, features, outputs), seeds)
        self.out.bias.assign(np.tile(self.head.start, len(channels)))

    def parameters(self, x):
        """What the head makes a distribution of, ``(n, h, w, c, head.size)``, at every pixel."""
        # Pixels enter as -1 to 1: so the zeros around a picture are not taken for black.
        v = h = 2 * x - 1
        for block in self.blocks:
            v, h = block(v, h)
        return self._read(h)

    def _read(self, h):
        """The head's parameters ``(n, h, w, c, size)`` from the last features, pixel by pixel."""
        outputs = self.out(tf.nn.relu(self.mix(tf.nn.relu(h))))
        shape = (*tf.unstack(tf.shape(outputs))[:3], self.data_shape[-1], self.head.size)
        return tf.reshape(outputs, shape)

    def conditional_log_probs(self, x):
        """log p(pixel and channel | those before) in nats, ``(n, h, w, c)``."""
        return self.head.log_prob(self.parameters(x), tf.round(x * (self.head.levels - 1)))

    def log_prob(self, x):
        """log p(x) in nats, exact, ``(n,)``; ValueError for what is no image of these levels."""
        x = self.check_batch("x", x)
        parts = [self.conditional_log_probs(x[part]) for part in memory.slices(len(x), 1, _BATCH)]
        return tf.reduce_sum(tf.concat(parts, 0), axis=(1, 2, 3))

    def terms(self, x):
        log_prob = tf.reduce_sum(self.conditional_log_probs(x), axis=(1, 2, 3))
        return {"loss": -tf.reduce_mean(log_prob)}

    def validate_data(self, data, name="data"):
        return validate.levels(name, data, self.head.levels)

    def sample(self, n, seed=None):
        """Draw ``n`` images, one pixel after the other."""
        return self.complete(tf.zeros((validate.count("n", n), *self.data_shape)), 0, seed)

    def complete(self, x, rows, seed=None):
        """Keep the first ``rows`` rows of ``x`` ``(n, h, w, c)`` and draw the others."""
        x = self.check_batch("x", x)
        rows = validate.count("rows", rows, minimum=0)
        if rows > self.data_shape[0]:
            raise ValueError(f"rows must be at most {self.data_shape[0]}; got {rows}")
        return self._generated(x, tf.constant(rows), uniforms((*x.shape, 2), seed))

    @functools.cached_property
    def _generated(self):
        images = (None, *self.data_shape)
        return training.traced(self._generate, images, tf.TensorSpec((), tf.int32), (*images, 2))

    # Drawing. Each layer computes each place once: the vertical stack a row at a time, the
    # horizontal one a pixel at a time. Of what each block sees of v and h, the last rows are kept.
    def _generate(self, x, rows, uniform):
        n, (height, width, channels) = tf.shape(x)[0], self.data_shape
        downs = [block.down for block in self.blocks if block.down is not None]
        acrosses = [block.across for block in self.blocks]

        def draw_row(i, above_v, above_h, image):
            v, row_v, links = tf.zeros((n, 1, width, channels)), [], []
            for block, above in zip(self.blocks, above_v, strict=False):  # with one stack: none
                row_v.append(block.down.pad(v)[:, -1:])
                v, link = block.vertical(tf.concat([above, row_v[-1]], 1))
                links.append(link)

            def draw_pixel(j, row_h):
                pixel = tf.zeros((n, 1, 1, channels))
                for channel in range(channels):
                    row_h[0] = _put(row_h[0], j + acrosses[0].side, pixel)
                    parameters, row_h = self._look_left(j, above_h, row_h, links)
                    level = self.head.draw(parameters[:, 0, 0, channel], uniform[:, i, j, channel])
                    drawn = level / (self.head.levels - 1)
                    value = tf.where(i < rows, x[:, i, j, channel], drawn)
                    pixel += (2 * value - 1)[:, None, None, None] * tf.one_hot(channel, channels)
                return j + 1, [_put(row_h[0], j + acrosses[0].side, pixel), *row_h[1:]]

            row_h = [conv.blank(n, 1, width) for conv in acrosses]
            row_h = tf.while_loop(lambda j, _: j < width, draw_pixel, [0, row_h])[1]
            if row_v:
                row_v[0] = row_h[0]  # the image itself: only now is this row of it known
            row = (row_h[0][:, :, acrosses[0].side :][:, :, :width] + 1) / 2
            image = tf.where(tf.range(height)[:, None, None] == i, row, image)
            return i + 1, _roll(above_v, row_v), _roll(above_h, row_h), image

        above_v, above_h = (
            [conv.blank(n, conv.rows - 1, width) for conv in convs] for convs in (downs, acrosses)
        )
        start = [0, above_v, above_h, tf.zeros_like(x)]
        return tf.while_loop(lambda i, *_: i < height, draw_row, start)[-1]

    def _look_left(self, j, above_h, row_h, links):
        """The head's parameters at pixel j of the present row; the row, with features at j."""
        h, row_h = None, list(row_h)
        for k, block in enumerate(self.blocks):
            if h is not None:
                row_h[k] = _put(row_h[k], j + block.across.side, h)
            window = tf.concat([above_h[k], row_h[k]], 1)[:, :, j : j + 2 * block.across.side + 1]
            h = block.horizontal(window, h, links[k][:, :, j : j + 1] if links else 0.0)
        return self._read(h), row_h


class Block(keras.layers.Layer):
    """One layer of both stacks: from v and h to the next v and h, ``(n, h, w, features)`` each.

    ``known``, ``features``: inputs' and outputs' channels; ``strict``: the own pixel is not seen.
    """

    def __init__(self, side, known, features, strict, blind_spot, seeds):
        super().__init__(dtype="float32")
        both = np.tile(features, 2)  # what passes, and the gate that it passes
        self.down = self.link = None
        if not blind_spot:
            # From the second block on v tells only of rows above, and may be seen whole.
            mask = np.ones((side + 1, 2 * side + 1, len(known), len(both)))
            mask[-1] = not strict
            self.down = MaskedConv2D(mask, seeds)
            self.link = MaskedConv2D(np.ones((1, 1, len(both), len(both))), seeds)
        rows = side + 1 if blind_spot else 1
        self.across = MaskedConv2D(pixel_mask(rows, side, known, both, strict), seeds)
        self.mix = MaskedConv2D(pixel_mask(1, 0, features, features), seeds)
        self.strict = strict
        self.built = True

    def call(self, v, h):
        v, link = (v, 0.0) if self.down is None else self.vertical(self.down.pad(v))
        return v, self.horizontal(self.across.pad(h), h, link)

    def vertical(self, window):
        """The next v, and what it tells the horizontal stack, from padded rows of v."""
        seen = self.down(window)
        return _gate(seen), self.link(seen)

    def horizontal(self, window, h, link):
        """The next h, from padded rows of h; past the first block ``h`` itself is added."""
        new = self.mix(_gate(self.across(window) + link))
        return new if self.strict else h + new


class MaskedConv2D(Masked):
    """A convolution with a ``mask`` ``(rows, columns, in, out)``, of input that `pad` has padded.

    The kernel's last row lies on the pixel's own row and its middle column on the pixel.
    """

    def __init__(self, mask, seeds):
        super().__init__(np.float32(mask), next(seeds))
        self.rows, self.side = mask.shape[0], mask.shape[1] // 2

    def call(self, x):
        return tf.nn.conv2d(x, self.kernel * self.mask, 1, "VALID") + self.bias

    def pad(self, x):
        """``x`` with the zeros that stand for what lies outside, above and at both sides."""
        return tf.pad(x, [[0, 0], [self.rows - 1, 0], [self.side, self.side], [0, 0]])

    def blank(self, n, rows, width):
        """Padded rows of zeros."""
        return tf.zeros((n, rows, width + 2 * self.side, self.mask.shape[2]))


def pixel_mask(rows, side, known, features, strict=False) -> np.ndarray:
    """What a pixel may see: the ``rows - 1`` above, its row on the left, and a part of itself.

    Of itself a feature sees its channel, unless ``strict``, and those before: masks B and A of van
    den Oord et al. (2016a). Zeros and ones ``(rows, 2 side + 1, len(known), len(features))``.
    """
    mask = np.ones((rows, 2 * side + 1, len(known), len(features)), np.float32)
    mask[-1, side:] = 0
    mask[-1, side] = known[:, None] < features if strict else known[:, None] <= features
    return mask


def _gate(x):
    """Half of the features, each let through as far as one of the other half opens (eq. 2)."""
    passing, gate = tf.split(x, 2, axis=-1)
    return tf.tanh(passing) * tf.sigmoid(gate)


def _put(row, column, value):
    """``row`` ``(n, 1, w, c)`` with ``value`` ``(n, 1, 1, c)`` in one column."""
    return tf.where(tf.range(row.shape[2])[:, None] == column, value, row)


def _roll(above, row):
    """The last rows, one row further down."""
    return [tf.concat(pair, 1)[:, 1:] for pair in zip(above, row, strict=True)]
