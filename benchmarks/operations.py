"""The cost of one operation: chains over tiny arrays, where arithmetic is free and only the library's overhead is left.

Unary: x ← sin x.  Binary: x ← x ∘ w.  Times are those of value and gradient, divided by the chain's length.
"""

import gc
import tracemalloc

import numpy as np

from benchmarks import peers, requirements
from benchmarks.harness import Contestant
from benchmarks.requirements import installed

LENGTH, SIZE = 200, 8
LENGTHS = (1_000, 10_000, 100_000)


def unary_over(np, length):
    def sum_of_sines(x):
        for _ in range(length):
            x = np.sin(x)
        return np.sum(x)

    return sum_of_sines


def binary_over(np, length):
    def sum_of_products(x, w):
        for _ in range(length):
            x = x * w
        return np.sum(x)

    return sum_of_products


def unary_data():
    return (np.linspace(0.1, 1.0, SIZE),)


def binary_data():
    return np.linspace(0.1, 1.0, SIZE), np.linspace(0.99, 1.01, SIZE)


def unary_reference(length):
    """Value and dx = ∏ cos xᵢ."""
    (x,), product = unary_data(), np.ones(SIZE)
    for _ in range(length):
        product = product * np.cos(x)
        x = np.sin(x)
    return [x.sum(), product]


def binary_reference(length):
    """Value, dx = wⁿ and dw = n x wⁿ⁻¹."""
    x, w = binary_data()
    return [np.sum(x * w**length), w**length, length * x * w ** (length - 1)]


def numpy_forward(over, data, length):
    """The operations alone, without a gradient: below this no eager library can go."""
    function = over(np, length)
    return Contestant("NumPy, value only", lambda: function(*data), lambda value: [value], operations=length)


def numpy_like(name, module, namespace):
    """Builder of a contestant with a value_and_grad, for functions over the namespace."""

    def build(over, data, length):
        function = installed(module).value_and_grad(over(installed(namespace), length), tuple(range(len(data))))
        arrays = lambda result: [np.asarray(x) for x in (result[0], *result[1])]
        return Contestant(name, lambda: function(*data), arrays, operations=length)

    return build


def pytorch(over, data, length):
    torch = requirements.pytorch()
    tensors = [torch.tensor(x).requires_grad_() for x in data]
    function = over(torch, length)

    def call():
        value = function(*tensors)
        return value, torch.autograd.grad(value, tensors)

    arrays = lambda result: [x.detach().numpy() for x in (result[0], *result[1])]
    return Contestant(peers.TORCH, call, arrays, operations=length)


gpuad = numpy_like(peers.EAGER, "gpuad", "numpy")
BUILDERS = {peers.EAGER: gpuad, "gpuad.numpy": numpy_like("gpuad.numpy", "gpuad", "gpuad.numpy"),
            peers.HIPS: numpy_like(peers.HIPS, "autograd", "autograd.numpy"), peers.TORCH: pytorch}
CHAINS = {"unary": (unary_over, unary_data, unary_reference), "binary": (binary_over, binary_data, binary_reference)}


def chain(length):
    """gpuad on one chain of sines: a contestant named by its length."""
    built = gpuad(unary_over, unary_data(), length)
    return Contestant(f"gpuad, {length:,} operations", built.call, built.arrays, operations=length)


def memory(contestant):
    """Bytes per operation at the peak of one gradient, and bytes that a second gradient adds, with the collector off."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        contestant.call()
        before, peak = tracemalloc.get_traced_memory()
        contestant.call()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    return {"peak bytes": round(peak / contestant.operations), "bytes left": left}
