"""Tanh networks with a linear last layer and mean squared error, in float32."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from benchmarks.programs import handwritten
from benchmarks.programs.program import Program, Torch, product_over


@dataclass(frozen=True)
class Network:
    name: str
    widths: tuple[int, ...]
    batch: int

    def data(self, dtype=np.float32):
        """params (a list of (W, b)), X, Y: numbers rounded to float32."""
        random = np.random.default_rng(2024)
        params = initial(random, self.widths, dtype)
        X, Y = (random.normal(size=(self.batch, n)) for n in (self.widths[0], self.widths[-1]))
        return params, rounded(X, dtype), rounded(Y, dtype)

    def program(self):
        about = f"{self.name}: tanh network, linear last layer, mean squared error, batch {self.batch}"
        by_hand: dict[str, Callable] = {"by hand": lambda _xp, *data: partial(handwritten.value_and_grad, *data),
                                        "by hand, preallocated": handwritten.MeanSquares}
        return Program(self.name, about, self.data, loss_over, Torch(in_torch), lambda jax: loss_over(jax.numpy),
                       by_hand, rate=0.01)


def initial(random, widths, dtype):
    """Random (W, b) of dense layers."""
    return [(rounded(random.normal(size=(m, n)) / m**0.5, dtype), rounded(random.normal(size=n) / 10, dtype))
            for m, n in pairwise(widths)]


def rounded(x, dtype):
    """Numbers of float32 in any dtype, so that references in float64 start from the same ones."""
    return x.astype(np.float32).astype(dtype)


def outputs_over(np):
    product = product_over(np)

    def outputs(params, X):
        for W, b in params[:-1]:
            X = np.tanh(product(X, W) + b)
        W, b = params[-1]
        return product(X, W) + b

    return outputs


def loss_over(np):
    outputs = outputs_over(np)
    return lambda params, X, Y: np.mean((outputs(params, X) - Y) ** 2)


def torch_outputs(torch, params, h):
    """With the fused product that PyTorch's users know."""
    for W, b in params[:-1]:
        h = torch.tanh(torch.addmm(b, h, W))
    W, b = params[-1]
    return torch.addmm(b, h, W)


def in_torch(torch):
    return lambda params, X, Y: torch.nn.functional.mse_loss(torch_outputs(torch, params, X), Y)


SMALL, MEDIUM, LARGE = "2-8-8-1", "784-512-512-10", "1024-2048-2048-1024"
NETWORKS = [network.program() for network in (
    Network(SMALL, (2, 8, 8, 1), 64),
    Network("64-64-64-10", (64, 64, 64, 10), 128),
    Network(MEDIUM, (784, 512, 512, 10), 256),
    Network(LARGE, (1024, 2048, 2048, 1024), 512),
    Network("12 layers of 256", (256,) * 13, 128),
)]
