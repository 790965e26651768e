"""A program computes the same after its analysis: the catalogue, random programs, and values that algebra likes to lose."""
# ruff: noqa: ARG005, B002 (tables of functions of the same arguments; signs that cancel)
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpuad as ad
from gpuad.errors import PlanError
from gpuad.planning.passes import CHEAPER, SIMPLER, analyse
from gpuad.planning.program import Program, spec_of
from gpuad.planning.trace import trace
from tests.gpuad.cases import first_of_each
from tests.gpuad.programs import CASES, Case
from tests.gpuad.test_random_programs import program as random_program
from tests.gpuad.test_random_programs import steps

SHAPE = (2, 3)


def traced(f: Callable[..., Any], *args: Any) -> tuple[Program, list[Any]]:
    """The program of f for these arguments, and the leaves of the arguments."""
    leaves, tree = optree.tree_flatten(args)
    return trace(f, leaves, lambda new: (optree.tree_unflatten(tree, new), {}), "f")[0], leaves


def require_equal(before: Sequence[Any], after: Sequence[Any], tolerance: float = 1e-12) -> None:
    """Raise unless results have the same types, shapes and dtypes, non-finite entries in the same places, and equal values."""
    for x, y in zip(before, after, strict=True):
        assert type(x) is type(y)
        assert spec_of(x) == spec_of(y)
        x, y = np.asarray(x), np.asarray(y)
        if x.dtype.kind not in "fc":
            np.testing.assert_array_equal(x, y)
            continue
        finite = np.isfinite(x)
        np.testing.assert_array_equal(finite, np.isfinite(y))
        scale = 1 + np.max(np.abs(x), where=finite, initial=0)
        np.testing.assert_allclose(x[finite], y[finite], rtol=0, atol=tolerance * scale)
        if x.dtype.kind == "f":
            np.testing.assert_array_equal(x[~finite], y[~finite])


def require_analysis(f: Callable[..., Any], *args: Any, tolerance: float = 1e-12) -> Program:
    """Raise unless the program of f computes the same before, between and after its passes; gives the analysed one."""
    before, leaves = traced(f, *args)
    expected = before.run(*leaves)
    part = before
    for apply in (*SIMPLER, *SIMPLER, *CHEAPER):
        part = apply(part)
        require_equal(expected, part.run(*leaves), tolerance)
    after = analyse(before)
    require_equal(expected, after.run(*leaves), tolerance)
    assert analyse(after).rows == after.rows
    return after


def gradient(case: Case, kind: str) -> Callable[..., Any]:
    """(value, gradients) of a weighted sum of a case's results."""
    def value(*args: Any) -> Any:
        total = 0.0
        for leaf in optree.tree_leaves(case.f(*args)):
            if np.result_type(leaf).kind == "c":
                leaf = np.real(leaf) + np.imag(leaf)
            if np.result_type(leaf).kind == "f":
                total = total + np.sum(leaf * 0.5)
        return total
    numbers = tuple(i for i, a in enumerate(case.arguments(kind)) if a.dtype.kind in "fc")
    return ad.value_and_grad(value, argnums=numbers)


@pytest.mark.parametrize("kind", "dD")
@pytest.mark.parametrize("case", first_of_each(CASES), ids=lambda c: c.name)
def test_catalogue(case: Case, kind: str) -> None:
    if kind not in case.kinds:
        pytest.skip("real only")
    for f in (case.f, gradient(case, kind)):
        try:
            traced(f, *case.arguments(kind))
        except PlanError:
            continue  # what cannot be planned is not analysed
        require_analysis(f, *case.arguments(kind))


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(0, 2**16))
def test_random_programs(code: list[tuple[int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    f = random_program(code)
    x, y = (rng.standard_normal(SHAPE) for _ in range(2))
    require_analysis(ad.value_and_grad(lambda x, y: np.sum(f(x, y))), x, y, tolerance=1e-9)


# ---- programs of what the passes look for

F32, F64 = np.float32, np.float64


def steps_of(dtype: Any) -> list[Callable[..., Any]]:
    """Functions of two matrices of one square shape that give another, with all that algebra is tempted by."""
    full = lambda c: np.full((3, 3), c, dtype)
    ones = np.ones(3, dtype)
    return [
        lambda x, y: x * full(0.5) + y,
        lambda x, y: 2 * x - y / full(4),
        lambda x, y: -(-x) - (-y),
        lambda x, y: (x * 3) / 6 * full(1),
        lambda x, y: -x + y * -1.0,
        lambda x, y: x + x + y * 0,
        lambda x, y: x * dtype(1) + (y - 0) / 1,
        lambda x, y: np.multiply(x, x) + np.square(x) + x * y - y * x,
        lambda x, y: (x.T + y.T).T * np.transpose(np.tanh(np.transpose(x))),
        lambda x, y: np.reshape(np.reshape(x, 9), (3, 3)) + y[:, None][:, 0],
        lambda x, y: np.broadcast_to(x[0], (3, 3)) * y,
        lambda x, y: np.transpose(np.tanh(x) @ y) / 9,
        lambda x, y: ((np.tanh(x) @ np.tanh(y)) @ np.sum(x, axis=1))[:, None] / 9 + y,
        lambda x, y: sum((np.transpose(np.tanh(x * k)) @ np.tanh(y + k) for k in range(1, 5)), x) / 40,
        lambda x, y: np.sum(np.tanh(x), axis=0) + np.sum(y, axis=1, keepdims=True) / 3,
        lambda x, y: np.tanh(x * np.sum(np.tanh(x) * np.tanh(y)) / 9) + np.mean(y),
        lambda x, y: np.where(x > full(0), x, full(0)) + np.maximum(y, 0),
        lambda x, y: np.tanh(x) ** 2 + np.tanh(y) ** 3 - np.tanh(x) ** 4,
        lambda x, y: np.concatenate([x[0:1], y[1:2], x[2:3]]) * np.concatenate([y[i] for i in range(3)]).reshape(3, 3),
        lambda x, y: x * ones + ones[:, None] * y,
        lambda x, y: sum((np.tanh(x[i]) @ y for i in range(3)), x[0]) + x,
    ]


moves = st.lists(st.tuples(st.integers(0, len(steps_of(F64)) - 1), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=8)


def tempting(code: list[tuple[int, int, int]], dtype: Any) -> Callable[..., Any]:
    """Each step applies a function to two values that there are already; the last value is the result."""
    functions = steps_of(dtype)

    def run(*inputs: Any) -> Any:
        values = list(inputs)
        for k, i, j in code:
            values.append(functions[k](values[-1 - i % len(values)], values[-1 - j % len(values)]))
        return values[-1]
    return run


@settings(max_examples=150, deadline=None)
@given(moves, st.integers(0, 2**16), st.sampled_from([F32, F64]))
def test_tempting_programs(code: list[tuple[int, int, int]], seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    f = tempting(code, dtype)
    x, y = (rng.standard_normal((3, 3)).astype(dtype) for _ in range(2))
    assert f(x, y).dtype == dtype
    require_analysis(f, x, y, tolerance=1e-4 if dtype is F32 else 1e-11)
    require_analysis(ad.value_and_grad(lambda x, y: np.sum(np.tanh(f(x, y)))), x, y, tolerance=1e-3 if dtype is F32 else 1e-10)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(steps_of(F64)) - 1), min_size=1, max_size=4), st.integers(0, 2**16))
def test_infinite_and_nan_entries_stay(code: list[int], seed: int) -> None:
    """Exactly as they were, in what acts entry by entry."""
    rng = np.random.default_rng(seed)
    elementwise = [f for k, f in enumerate(steps_of(F64)) if k not in (11, 12, 13, 14, 15, 20)]
    special = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan])
    x, y = (rng.choice(special, (3, 3)) for _ in range(2))

    def f(x: Any, y: Any) -> Any:
        for k in code:
            x = elementwise[k % len(elementwise)](x, y)
        return x

    with np.errstate(all="ignore"):
        before, leaves = traced(f, x, y)
        after = analyse(before)
        expected, got = before.run(*leaves), after.run(*leaves)
    require_equal(expected, got)
    for a, b in zip(expected, got, strict=True):
        zeros = np.equal(a, 0)
        np.testing.assert_array_equal(np.signbit(a)[zeros], np.signbit(b)[zeros])
