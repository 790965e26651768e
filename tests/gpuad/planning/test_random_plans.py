"""Random programs: a plan gives what the program gives; so do plans of its derivatives and of training steps.

Programs are lists of steps that apply a function to values that there are already, so subexpressions are shared; shapes are
mixed on the way (scalars, vectors, matrices, stacks) and broadcast against one another.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpuad as ad
from tests.gpuad.modes import planned

INDEX, MASK = np.array([1, 0, 1]), np.array([[True, False, True], [False, True, True]])


def definite(x: Any) -> Any:
    """A positive definite matrix made of x."""
    return np.outer(x, x) / (1 + np.sum(x * x)) + 2 * np.eye(x.size, dtype=x.dtype)


UNARY: list[Callable[[Any], Any]] = [
    np.sin, np.tanh, np.arctan, np.cos, np.sign, np.floor, np.square, lambda x: -x, lambda x: abs(x), lambda x: x,
    lambda x: np.exp(-x * x), lambda x: 1 / (2 + x * x), lambda x: np.log(2 + x * x), lambda x: np.sqrt(1 + x * x),
    lambda x: 0.3 * x**3 / (1 + x**2), lambda x: 2 * x - 1, lambda x: np.clip(x, -0.5, 0.7), lambda x: np.maximum(x, 0),
    lambda x: x - np.mean(x, axis=-1, keepdims=True), lambda x: np.sum(x, axis=0) / 3, lambda x: np.sum(x, axis=-1) / 3,
    lambda x: np.max(x, axis=-1), lambda x: np.min(x, axis=0, keepdims=True), lambda x: np.mean(x), lambda x: np.var(x, axis=-1),
    lambda x: np.std(x + 3), lambda x: np.prod(np.tanh(x), axis=-1), lambda x: np.cumsum(x, axis=-1) / 3, lambda x: np.flip(x, 0),
    lambda x: np.roll(x, 1, axis=-1), lambda x: np.swapaxes(x, 0, -1), np.transpose, np.ravel,
    lambda x: np.reshape(x, (1, *x.shape))[0], lambda x: x[0], lambda x: x[..., -1], lambda x: x[::-1], lambda x: x[1:],
    lambda x: x[INDEX % x.shape[0]], lambda x: x[None], lambda x: x[..., None], lambda x: np.concatenate([x, 0.5 * x]),
    lambda x: np.stack([x, x * x], -1), lambda x: np.repeat(x, 2, axis=0), lambda x: np.pad(x, 1), lambda x: np.sort(x, axis=-1),
    lambda x: np.take(x, np.argsort(x, axis=None)[:2]), lambda x: np.tril(np.atleast_2d(x)),
    lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(np.isfinite(x), x, 0), lambda x: x * (x > 0.2),
    lambda x: x.T.copy(), lambda x: x / np.linalg.norm(x + 3), lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))),
    lambda x: np.diff(x, axis=-1), lambda x: x.astype(x.dtype) + x.dtype.type(1), lambda x: np.linalg.inv(definite(x)),
    lambda x: np.linalg.solve(definite(x), np.ravel(x)), lambda x: np.linalg.cholesky(definite(x)),
    lambda x: np.linalg.det(definite(x)) / 2**x.size,
]

BINARY: list[Callable[[Any, Any], Any]] = [
    np.add, np.subtract, np.multiply, np.logaddexp, np.maximum, np.minimum, lambda x, y: x / (2 + y * y),
    lambda x, y: np.hypot(x, 3 + y * y), lambda x, y: np.where(x > y, x, y), lambda x, y: x * y + x,
    lambda x, y: (x + y) * (x - y), lambda x, y: x + 0.5 * y,
]

JOINING: list[Callable[[Any, Any], Any]] = [
    lambda x, y: np.concatenate([np.ravel(x), np.ravel(y)]), lambda x, y: np.outer(x, y) / 2,
    lambda x, y: np.tensordot(x, y, 0) / 2, lambda x, y: np.vdot(np.sum(x), np.sum(y)),
    lambda x, y: np.stack([np.mean(x), np.mean(y)]), lambda x, y: np.einsum("...i,j->ij...", x, np.ravel(y)) / 3,
    lambda x, y: np.kron(np.ravel(x)[:3], np.ravel(y)[:3]), lambda x, y: np.matmul(np.outer(y, x), np.ravel(x)) / (1 + x.size),
    lambda x, y: np.outer(x, y) @ np.outer(y, x) / (4 + x.size * y.size),
    lambda x, y: np.dot(np.ravel(x)[:min(x.size, y.size)], np.ravel(y)[:min(x.size, y.size)]) / x.size,
]

SHAPES = [(2, 3), (3,), (), (2, 1), (1, 3), (2, 2, 3)]
LARGEST = 64

step = st.tuples(st.integers(0, len(UNARY) + len(BINARY) + len(JOINING) - 1), st.integers(0, 15), st.integers(0, 15))
codes = st.lists(step, min_size=6, max_size=20)
shapes = st.lists(st.sampled_from(SHAPES), min_size=2, max_size=3)
dtypes = st.sampled_from([np.float64, np.float32])


def apply(function: int, x: Any, y: Any) -> Any:
    """One step: None where it does not apply to values of these shapes."""
    if function < len(UNARY):
        if x.ndim == 0 or 0 in x.shape:
            x = np.reshape(x, (-1,)) if x.size else np.ones(1, x.dtype)
        return UNARY[function](x)
    function -= len(UNARY)
    if function < len(BINARY):
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            y = np.mean(y) if y.size else 1.0
        return BINARY[function](x, y)
    if 0 in (x.size, y.size) or x.ndim == 0:
        return x
    return JOINING[function - len(BINARY)](x, y)


def program(code: Sequence[tuple[int, int, int]]) -> Callable[..., Any]:
    """Each step applies a function to values that there are already; the result is made of the last values."""
    def run(*inputs: Any) -> Any:
        values = list(inputs)
        for function, i, j in code:
            value = apply(function, values[-1 - i % len(values)], values[-1 - j % len(values)])
            if value.ndim <= 4 and 0 < value.size <= LARGEST:
                values.append(value)
        return values[-1], values[-2]
    return run


def scalar(f: Callable[..., Any]) -> Callable[..., Any]:
    """A bounded number made of a program's results."""
    return lambda *inputs: sum(np.sum(np.sin(y)) for y in f(*inputs))


def arguments(given: Sequence[tuple[int, ...]], dtype: Any, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in given]


def value(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


def gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: ad.value_and_grad(scalar(f), tuple(range(len(inputs))))(*inputs)


def curvature(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: ad.hvp(scalar(f), inputs, tuple(np.cos(x) for x in inputs))


def both_ways(f: Callable[..., Any]) -> Callable[..., Any]:
    def run(*inputs: Any) -> Any:
        out, system = ad.linearize(f, *inputs)
        return system.pushforward(*inputs), system.pullback(out)
    return run


def training(f: Callable[..., Any]) -> Callable[..., Any]:
    """Three steps of gradient descent with momentum, and what is left of the loss."""
    def run(*inputs: Any) -> Any:
        momentum = [0 * x for x in inputs]
        losses = []
        for rate in (0.1, 0.05, 0.02):
            loss, slopes = ad.value_and_grad(lambda p: scalar(f)(*p))(list(inputs))
            momentum = [0.9 * m + g / (1 + np.sum(g * g)) for m, g in zip(momentum, slopes, strict=True)]
            inputs = tuple(x - rate * m for x, m in zip(inputs, momentum, strict=True))
            losses.append(loss)
        return inputs, momentum, losses
    return run


@pytest.mark.parametrize(("made", "examples"), [
    (value, 400), (gradient, 300), (both_ways, 150), (curvature, 150), (training, 60)], ids=lambda x: getattr(x, "__name__", ""))
def test_plans_of_random_programs(made: Callable[..., Any], examples: int) -> None:
    @settings(max_examples=examples)
    @given(codes, shapes, dtypes, st.integers(0, 2**16))
    def check(code: Any, given_shapes: Any, dtype: Any, seed: int) -> None:
        f = made(program(code))
        with np.errstate(all="ignore"):
            planned.both(f)(*arguments(given_shapes, dtype, seed))

    check()
