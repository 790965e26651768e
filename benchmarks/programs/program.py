"""What a benchmark computes: a loss of parameters as the users of each library write it, and what is asked of it."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

VALUE, GRADIENT, STEP = "value", "value and gradient", "training step"

Loss = Callable[..., Any]
"""``loss(params, *constants)``, a number; ``params`` is a list of tuples of arrays everywhere."""


@dataclass(frozen=True)
class Torch:
    """A program in PyTorch's words: its loss, and the layouts that PyTorch's users keep the data in."""

    loss: Callable[[ModuleType], Loss]  # torch -> loss
    there: Callable[[tuple], tuple] = lambda data: data  # NumPy's (params, *constants), still NumPy's, laid out for PyTorch
    back: Callable[[list], list] = lambda params: params  # parameters or gradients laid out for PyTorch, as NumPy's


@dataclass(frozen=True)
class Program:
    """One program, stated once for each way to run it."""

    name: str
    about: str
    data: Callable[[Any], tuple]  # dtype -> params, *constants: new parameters, the same numbers at every call
    loss_over: Callable[[ModuleType], Loss]  # over any namespace with NumPy's names
    torch: Torch
    jax: Callable[[ModuleType], Loss]  # jax -> loss
    by_hand: dict[str, Callable]  # name -> (namespace, params, *constants) -> () -> value, gradients; the last is the reference
    rate: float | None = None  # of the training step; None: nothing to train
    tasks: tuple[str, ...] = (VALUE, GRADIENT, STEP)
    dtype: str = "float32"
    tolerance: float = 1e-4  # of results, relative to the largest entry of the reference
    products: tuple[tuple[int, int, int], ...] = ()  # (m, n, k) of the matrix products that bound its gradient's time
    moves: bool = False  # whether its gradient's time is bound by reading the data and writing the gradients, each once

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next number of its dtype."""
        return 2.0 ** -{"float32": 23, "float16": 10}[self.dtype]

    def task(self, value_and_grad, loss: Loss, name: str):
        """The function of (params, *constants) that does a task; every library has a value_and_grad."""
        if name == VALUE:
            return loss
        both = value_and_grad(loss)
        return both if name == GRADIENT else trained(both, self.rate)


def trained(value_and_grad, rate):
    """A training step: p ← p − rate · ∂loss/∂p."""

    def step(params, *constants):
        value, gradients = value_and_grad(params, *constants)
        return value, [tuple(p - rate * g for p, g in zip(*layers, strict=True))
                       for layers in zip(params, gradients, strict=True)]

    return step


def product_over(np):
    """The product of matrices: ``@``, but ``dot`` for HIPS/autograd, whose gradient of ``@`` takes up to four times as long."""
    return np.dot if np.__name__.startswith("autograd") else operator.matmul


def flat(tree):
    """The leaves of lists and tuples, in order."""
    return [leaf for branch in tree for leaf in flat(branch)] if isinstance(tree, (list, tuple)) else [tree]


def mapped(function, tree):
    """The tree with ``function`` applied to its leaves."""
    return type(tree)(mapped(function, branch) for branch in tree) if isinstance(tree, (list, tuple)) else function(tree)
