"""A tanh network whose layers are so wide that matrix products take nearly all of the time, in float32 or float16.

The loss is the sum over outputs of the mean over samples: errors stay far from the smallest number of float16, and no loss
scaling is needed. In float16 numbers are stored as such; products and sums accumulate in float32.
"""

from functools import cache, partial

import numpy as np

from benchmarks.programs import handwritten
from benchmarks.programs.networks import outputs_over, torch_outputs
from benchmarks.programs.program import GRADIENT, STEP, Program, Torch

TOLERANCES = {"float32": 1e-4, "float16": 2e-2}


@cache
def drawn(width):
    """W₁, W₂, b₁, b₂, X, Y: in float32, read-only."""
    random = np.random.default_rng(2024)
    found = [random.standard_normal(shape, dtype=np.float32) for shape in [(width, width)] * 4 + [(width,)] * 2]
    W1, W2, X, Y, b1, b2 = found
    for x, scale in ((W1, width**-0.5), (W2, width**-0.5), (b1, 0.1), (b2, 0.1)):
        x *= np.float32(scale)
    for x in found:
        x.flags.writeable = False
    return W1, W2, b1, b2, X, Y


def data(width, precision, dtype=None):
    """Numbers of ``precision``, in it or in another dtype."""
    W1, W2, b1, b2, X, Y = (x.astype(precision).astype(dtype or precision) for x in drawn(width))
    return [(W1, b1), (W2, b2)], X, Y


def loss_over(np):
    outputs = outputs_over(np)
    return lambda params, X, Y: np.sum(np.mean((outputs(params, X) - Y) ** 2, axis=0))


def in_torch(torch):
    return lambda params, X, Y: ((torch_outputs(torch, params, X) - Y) ** 2).mean(0).sum()


class SumOfMeans(handwritten.Preallocated):
    def loss(self, outputs, error):
        self.xp.subtract(outputs, self.Y, error)
        value = self.xp.sum(self.xp.mean(error * error, axis=0, dtype=np.result_type(error.dtype, np.float32)))
        error *= 2 / len(error)
        return value


def wide(width, precision):
    """A network width-width-width on a batch of as many samples; its gradient has five products."""
    name = f"{width}-wide layers, {precision}"
    return Program(name, f"{name}: tanh network {width}-{width}-{width}, sum of mean squared errors, batch {width}",
                   partial(data, width, precision), loss_over, Torch(in_torch), lambda jax: loss_over(jax.numpy),
                   {"by hand, preallocated": SumOfMeans}, rate=0.01, tasks=(GRADIENT, STEP), dtype=precision,
                   tolerance=TOLERANCES[precision], products=((width,) * 3,) * 5)


WIDTH = 8192
WIDE = [wide(WIDTH, precision) for precision in TOLERANCES]
