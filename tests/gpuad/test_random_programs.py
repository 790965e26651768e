"""Random programs: the back substitution, two-sided differences and the assembled sparse system agree."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve_triangular

import gpuad as ad

SHAPE = (2, 3)

UNARY: list[Callable[[Any], Any]] = [
    np.sin, np.tanh, np.arctan, np.cos,
    lambda x: np.exp(-x * x),
    lambda x: 1 / (2 + x * x),
    lambda x: np.log(2 + x * x),
    lambda x: np.sqrt(1 + x * x),
    lambda x: 0.3 * x**3 / (1 + x**2),
    lambda x: np.cumsum(x, axis=1) / 3,
    lambda x: np.flip(x, 0),
    lambda x: np.roll(x, 1, axis=1),
    lambda x: x - np.mean(x, axis=1, keepdims=True),
    lambda x: np.reshape(np.transpose(x), SHAPE),
    lambda x: x[[1, 0]] + x[0],
    lambda x: np.broadcast_to(np.sum(x, axis=0), SHAPE) / 3,
    lambda x: np.tril(x) - 0.5 * x,
    lambda x: np.concatenate([x[1:], x[:1]]),
    lambda x: np.pad(x[:, 1:], ((0, 0), (1, 0))),
    lambda x: np.prod(np.stack([x, 1 + 0.1 * x]), axis=0),
    lambda x: x / np.linalg.norm(x + 3),
    lambda x: np.linalg.solve(np.matmul(x, np.transpose(x)) + 2 * np.eye(2), x),
]

BINARY: list[Callable[[Any, Any], Any]] = [
    np.add, np.subtract, np.multiply, np.logaddexp,
    lambda x, y: x / (2 + y * y),
    lambda x, y: np.hypot(x, 3 + y * y),
    lambda x, y: np.matmul(np.matmul(x, np.transpose(y)), x) / 3,
    lambda x, y: np.einsum("ij,kj,kl->il", x, y, x) / 3,
    lambda x, y: np.where([[True, False, True]], x, y),
    lambda x, y: np.concatenate([x[:, :1], y[:, 1:]], axis=1),
    lambda x, y: np.outer(x[:, 0], y[1]) / 2,
]

step = st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 13), st.integers(0, 13))
steps = st.lists(step, min_size=1, max_size=12)


def program(code: list[tuple[int, int, int]]) -> Callable[..., Any]:
    """Each step applies a function to values that there are already; the last value is the result."""
    def run(*inputs: Any) -> Any:
        values = list(inputs)
        for function, i, j in code:
            x, y = values[-1 - i % len(values)], values[-1 - j % len(values)]
            values.append(UNARY[function](x) if function < len(UNARY) else BINARY[function - len(UNARY)](x, y))
        return values[-1]
    return run


@settings(max_examples=200)
@given(steps, st.integers(0, 2**16))
def test_three_ways_to_the_same_gradient(code: list[tuple[int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, weights = [rng.standard_normal(SHAPE) for _ in range(2)], rng.standard_normal(SHAPE)
    f = program(code)
    out, system = ad.linearize(f, *inputs)
    back = np.stack(system.pullback(weights))

    low, d = system.to_sparse()
    e = np.zeros(low.shape[0])
    e[-out.size:] = weights.ravel()
    assembled = (d.T @ spsolve_triangular(low.T.tocsr(), e, lower=False, unit_diagonal=True)).reshape(back.shape)
    scale = 1 + np.max(np.abs(assembled))
    np.testing.assert_allclose(back, assembled, rtol=0, atol=1e-10 * scale)

    direction = [rng.standard_normal(SHAPE) for _ in inputs]
    def along(t: float) -> float:
        return float(np.sum(weights * f(*[x + t * v for x, v in zip(inputs, direction, strict=True)])))
    def difference(h: float) -> float:
        return (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    # Richardson's extrapolation: the difference of two step widths bounds the error of the better one
    coarse, fine = difference(2e-3), difference(1e-3)
    got = float(np.sum(back * np.stack(direction)))
    assert abs(got - (16 * fine - coarse) / 15) <= 1e-9 * scale + 2 * abs(fine - coarse)

    forward = system.pushforward(*direction)
    assert abs(np.sum(weights * forward) - got) <= 1e-10 * scale


@settings(max_examples=30)
@given(steps, st.integers(0, 2**16))
def test_second_derivatives_of_random_programs(code: list[tuple[int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, v, w = (rng.standard_normal(SHAPE) for _ in range(3))
    f = program(code)
    g = ad.grad(lambda t: np.sum(np.sin(f(t, 2 * t))))
    forward = ad.jvp(g, (x,), (v,))[1]
    reverse = ad.vjp(g, x)[1](w)[0]
    a, b = np.sum(w * forward), np.sum(reverse * v)
    assert abs(a - b) <= 1e-8 * (1 + np.max(np.abs(forward)) + np.max(np.abs(reverse)))
    coarse, fine = ((g(x + h * v) - g(x - h * v)) / (2 * h) for h in (2e-4, 1e-4))
    slack = 1e-6 * (1 + np.max(np.abs(forward))) + 4 * np.max(np.abs(fine - coarse))
    np.testing.assert_allclose(forward, (4 * fine - coarse) / 3, rtol=0, atol=slack)
