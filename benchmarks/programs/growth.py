"""Logistic growth, z ← z + w z (v − z), of n populations over eight steps: a long elementwise chain of cheap operations.

A kernel that reads each number once and writes each gradient once is bound by memory alone.
"""

from functools import partial

import numpy as np

from benchmarks.programs.black_scholes import MANY
from benchmarks.programs.networks import rounded
from benchmarks.programs.program import GRADIENT, VALUE, Program, Torch

STEPS = 8


def data(n, dtype=np.float32):
    """[(first population, growth rate)], capacity."""
    random = np.random.default_rng(2024)
    drawn = (rounded(random.uniform(low, high, min(n, MANY)), dtype) for low, high in ((0.1, 0.9), (0.1, 0.5), (0.8, 1.2)))
    z, w, v = (np.resize(x, n) for x in drawn)
    return [(z, w)], v


def loss_over(np):
    def loss(params, v):
        [(z, w)] = params
        for _ in range(STEPS):
            z = z + w * z * (v - z)
        return np.sum(z)

    return loss


def value_and_grad(params, v):
    """e ← e (1 + w (v − 2 z)), and dw = Σ e z (v − z)."""
    [(z, w)] = params
    path = [z]
    for _ in range(STEPS):
        path.append(z := z + w * z * (v - z))
    e, dw = np.ones_like(z), np.zeros_like(w)
    for z in reversed(path[:-1]):
        dw += e * z * (v - z)
        e *= 1 + w * (v - 2 * z)
    return path[-1].sum(), [(e, dw)]


def growth(n):
    return Program(f"logistic growth {n}", f"logistic growth {n}: {n:,} populations over {STEPS} steps, by start and rate",
                   partial(data, n), loss_over, Torch(loss_over), lambda jax: loss_over(jax.numpy),
                   {"by hand": lambda _xp, *data: partial(value_and_grad, *data)}, tasks=(VALUE, GRADIENT), moves=True)
