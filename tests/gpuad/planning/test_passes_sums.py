"""What passes make of products and sums: chains, sums of products, slices, reductions."""
# ruff: noqa: ARG005 (tables of functions of the same arguments)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from gpuad.planning.passes import analyse, chains, outer, reductions, slices
from gpuad.planning.program import Program
from tests.gpuad.planning.test_passes import F32, SQUARE, VECTOR, X, Y, after, names, program_of, recurrence

# ---- chains of products

def shapes_of_products(program: Program) -> list[tuple[int, ...]]:
    """The shapes of a program's products, in order."""
    return [row.out.shape for row in program.rows if row.function is np.matmul]


def test_a_chain_of_products_starts_at_the_vector() -> None:
    f = lambda a, v: ((a @ a) @ a) @ v
    assert shapes_of_products(analyse(program_of(f, SQUARE, VECTOR))) == [(3,), (3,), (3,)]
    after(analyse, f, SQUARE, VECTOR)
    f = lambda a, v: v @ (a @ (a @ a))
    assert shapes_of_products(analyse(program_of(f, SQUARE, VECTOR))) == [(3,), (3,), (3,)]
    f = lambda a, v: v @ (a @ a @ v)
    assert shapes_of_products(analyse(program_of(f, SQUARE, VECTOR)))[-1] == ()
    after(analyse, f, SQUARE, VECTOR)


def test_products_that_are_read_elsewhere_stay() -> None:
    def f(a: Any, v: Any) -> Any:
        b = a @ a
        return b @ v, b
    assert shapes_of_products(analyse(program_of(f, SQUARE, VECTOR))) == [(3, 3), (3,)]


def test_orders_that_cost_the_same_stay() -> None:
    program = program_of(lambda a: (a @ a) @ a, SQUARE)
    assert chains.chains(program) is program


def test_vectors_inside_a_chain_keep_their_sides() -> None:
    after(analyse, lambda a, v: (a @ v) @ a, SQUARE, VECTOR)
    after(analyse, lambda a, v: a @ (v @ a), SQUARE, VECTOR)
    after(analyse, lambda a, v: (a @ v) @ (v @ a), SQUARE, VECTOR)
    after(analyse, lambda a, v: (v @ a) @ (a @ v), SQUARE, VECTOR)


def test_long_chains_are_ordered_in_linear_time() -> None:
    def f(a: Any, v: Any) -> Any:
        b = a
        for _ in range(300):
            b = b @ a
        return b @ v
    assert set(shapes_of_products(analyse(program_of(f, SQUARE / 3, VECTOR)))) == {(3,)}


def test_integer_and_stacked_products_stay() -> None:
    a = np.arange(9).reshape(3, 3)
    program = program_of(lambda a, v: (a @ a) @ v, a, a[0])
    assert chains.chains(program) is program
    stack = np.ones((2, 3, 3))
    program = program_of(lambda a, v: (a @ a) @ v, stack, np.ones((2, 3, 1)))
    assert chains.chains(program) is program


# ---- sums of products

@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_recurrence_has_one_product_for_each_weight_gradient(vectors: bool, dtype: Any) -> None:
    loss, args = recurrence(50, vectors, dtype)
    before = program_of(ad.value_and_grad(loss), *args)
    program = analyse(before)
    found = names(program)
    assert found.count("concatenate") == 2  # all gradients, and all states; the inputs are there already
    assert found.count("matmul") == 50 + 49 + 1 + 3  # forward, backward, the inputs, gradients
    leaves = optree.tree_leaves(args)
    for x, y in zip(before.run(*leaves), program.run(*leaves), strict=True):
        np.testing.assert_allclose(y, x, rtol=0, atol=(1e-12 if dtype is np.float64 else 1e-4) * (1 + np.max(np.abs(x))))


def test_long_sums_are_joined_in_blocks() -> None:
    def f(a: Any) -> Any:
        return sum((np.transpose(np.tanh(a * k)) @ np.tanh(a + k) for k in range(1, 41)), np.transpose(a) @ a)
    a = np.linspace(-1, 1, 900).reshape(300, 3)
    program = program_of(f, a)
    found = outer.outer(program)
    assert [row.out.shape for row in found.rows if row.function is np.concatenate] == [(3900, 3)] * 6
    np.testing.assert_allclose(found.run(a)[0], program.run(a)[0], rtol=1e-12)


def test_large_factors_of_small_products_are_not_copied() -> None:
    def f(a: Any) -> Any:
        return sum((np.transpose(np.tanh(a * k)) @ np.tanh(a + k) for k in range(1, 5)), np.transpose(a) @ a)
    program = program_of(f, np.ones((3000, 3)))
    assert outer.outer(program) is program


def test_sums_of_other_terms_keep_them() -> None:
    def f(a: Any, b: Any) -> Any:
        return b + a.T @ a + np.tanh(a).T @ a + np.sin(a).T @ a - b + np.cos(b)
    after(analyse, f, X, SQUARE)
    after(outer.outer, lambda a, b: b + a.T @ a + np.tanh(a).T @ a + np.sin(a).T @ a + np.cos(b), X, SQUARE)


# ---- slices and scattered slices

def test_slices_on_top_of_each_other_are_the_array() -> None:
    x = np.arange(24.0).reshape(4, 2, 3)
    assert after(slices.slices, lambda x: np.concatenate([x[0], x[1], x[2], x[3]]), x)[:-1] == ["reshape(v0, (8, 3))"]
    assert after(slices.slices, lambda x: np.concatenate([x[-2], x[3]]), x)[:-1] == [
        "getitem(v0, (slice(2, 4, None)))", "reshape(v1, (4, 3))"]
    for f in (lambda x: np.concatenate([x[1], x[0]]), lambda x: np.concatenate([x[0], x[1]], axis=1),
              lambda x: np.concatenate([x[0], x[0]]), lambda x: np.concatenate([x[0], x[1]], dtype=F32)):
        assert "concatenate" in names(slices.slices(program_of(f, x)))


@pytest.mark.parametrize(("f", "products"), [
    (lambda x, b: [x[t] @ b for t in range(4)], 1),
    (lambda x, b: [x[3 - t] @ b for t in range(3)], 1),
    (lambda x, b: [np.tanh(x[t] @ b) @ b.T for t in range(4)], 5),
    (lambda x, b: [x[0] @ b, x[1] @ b, x[3] @ b], 3),
])
def test_products_of_slices_are_slices_of_one(f: Callable[..., Any], products: int) -> None:
    x = np.arange(24.0).reshape(4, 2, 3)
    for given in (x, x[:, 0]):
        assert names(analyse(program_of(f, given, Y.T))).count("matmul") == products
        after(analyse, f, given, Y.T)


def test_products_of_a_matrix_and_slices() -> None:
    f = lambda x, b: [b @ x[t] for t in range(4)]
    x = np.arange(12.0).reshape(4, 3)
    assert names(analyse(program_of(f, x, Y))).count("matmul") == 1
    after(analyse, f, x, Y)
    after(analyse, f, np.arange(24.0).reshape(4, 3, 2), Y)


def test_gradients_of_slices_are_added_to_one_array() -> None:
    f = ad.grad(lambda x: np.sum(np.sin(x[1:]) * np.cos(x[:-1]) * x[2]) + np.sum(x * x))
    assert names(analyse(program_of(f, X[[0, 1, 0, 1]]))).count("scatter_sum") == 1
    after(analyse, f, X[[0, 1, 0, 1]])
    g = ad.grad(lambda x: np.sum(np.sin(x[[0, 0, 1]]) * np.cos(x[[1, 1, 1]])))
    after(analyse, g, X)


# ---- reductions

@pytest.mark.parametrize(("f", "expected"), [
    (lambda x, y: np.sum(x * y), ["reshape", "reshape", "matmul"]),
    (lambda x, y: np.sum(np.square(x)), ["reshape", "matmul"]),
    (lambda x, y: np.sum(x * y[0]), ["getitem", "multiply", "reduce"]),
    (lambda x, y: np.sum(x * 2), ["multiply", "reduce"]),
    (lambda x, y: np.sum(x * y, keepdims=True), ["multiply", "reduce"]),
    (lambda x, y: np.sum(x, axis=0), ["matmul"]),
    (lambda x, y: np.sum(x, axis=1), ["matmul"]),
    (lambda x, y: np.sum(x, axis=1, keepdims=True), ["matmul", "reshape"]),
    (lambda x, y: np.max(x, axis=1), ["reduce"]),
    (lambda x, y: np.sum(np.reshape(x, (2, 1, 3)), axis=(0, 1)), ["reshape", "reshape", "matmul"]),
    (lambda x, y: np.sum(np.reshape(x, (2, 1, 3)), axis=(1, 2)), ["reshape", "reshape", "matmul"]),
    (lambda x, y: np.sum(np.reshape(x, (2, 1, 3)), axis=1), ["reshape", "reduce"]),
    (lambda x, y: np.sum(x > 0, axis=0), ["greater", "reduce"]),
])
def test_reductions(f: Callable[..., Any], expected: list[str]) -> None:
    for dtype in (np.float64, F32):
        found = after(reductions.reductions, f, X.astype(dtype), Y.astype(dtype))[:-1]
        assert [row.partition("(")[0] for row in found] == expected
    after(reductions.reductions, f, np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3))


def test_long_sums_of_float32_stay_with_numpy() -> None:
    long = np.ones((5000, 2), F32)
    assert names(reductions.reductions(program_of(lambda x: np.sum(x, axis=0), long))) == ["reduce"]
    many = np.ones(2**18 + 1, F32)
    assert names(reductions.reductions(program_of(lambda x: np.sum(x * x), many))) == ["multiply", "reduce"]


def test_sums_over_no_axes_stay() -> None:
    for x in (X, X[0], X[None]):
        after(analyse, lambda x: np.sum(x, axis=()) + np.sum(np.tanh(x), axis=()), x)
