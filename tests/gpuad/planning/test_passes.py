"""What each pass makes of small programs, row by row."""
# ruff: noqa: ARG005, B002 (tables of functions of the same arguments; signs that cancel)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from gpuad.planning import functions
from gpuad.planning.passes import (
    RULES,
    analyse,
    chains,
    constants,
    dead,
    equal,
    factors,
    outer,
    reductions,
    scalars,
    scatters,
    slices,
    views,
)
from gpuad.planning.passes.rewriting import rewrite
from gpuad.planning.program import Program, Row, Spec, Var
from gpuad.planning.trace import trace

F32 = np.float32
X, Y = np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(0.5, 2, 6).reshape(2, 3)
SQUARE = np.arange(9.0).reshape(3, 3) / 9
VECTOR = np.linspace(0.2, 0.4, 3)


def program_of(f: Callable[..., Any], *args: Any) -> Program:
    """The program of f, traced for these arguments."""
    leaves, tree = optree.tree_flatten(args)
    return trace(f, leaves, lambda new: (optree.tree_unflatten(tree, new), {}), "f")[0]


def rows(program: Program) -> list[str]:
    """The rows and outputs of a program as text, without inputs, shapes and dtypes."""
    lines = str(program).splitlines()[program.first:]
    return [*(line.partition(" = ")[2].rpartition("  ")[0] for line in lines[:-1]), lines[-1]]


def names(program: Program) -> list[str]:
    """The functions that a program's rows call."""
    return [row.partition("(")[0] for row in rows(program)[:-1]]


def after(apply: Callable[[Program], Program], f: Callable[..., Any], *args: Any) -> list[str]:
    """The rows of f after a pass and dead rows' removal; its values stay as they are, nearly."""
    before = program_of(f, *args)
    program = dead.dead(apply(before))
    leaves = optree.tree_leaves(args)
    for x, y in zip(before.run(*leaves), program.run(*leaves), strict=True):
        assert type(x) is type(y)
        assert np.result_type(x) == np.result_type(y)
        atol = 500 * np.finfo(np.result_type(x, np.float16)).eps * (1 + np.max(np.abs(x), initial=0, where=np.isfinite(x)))
        np.testing.assert_allclose(y, x, rtol=0, atol=atol)
    return rows(program)


def recurrence(T: int, vectors: bool = False, dtype: Any = np.float64) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A tanh recurrence's loss, and its arguments: (W, U, b), inputs at all times, first state."""
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype(dtype) / 2
    states = () if vectors else (5,)

    def loss(params: Any, xs: Any, h: Any) -> Any:
        W, U, b = params
        for t in range(T):
            h = np.tanh((W @ h if vectors else h @ W) + xs[t] @ U + b)
        return np.sum(h * h)

    return loss, ((normal(4, 4), normal(3, 4), normal(4)), normal(T, *states, 3), normal(*states, 4))


# ---- dead and equal rows

def test_rows_that_nobody_reads_drop_out() -> None:
    def f(x: Any) -> Any:
        np.sin(np.cos(x))
        return x + 1
    assert after(dead.dead, f, X) == ["add(v0, 1)", "return v1"]
    assert dead.dead(program_of(f, X)).notes == {"dead": 2}


def test_random_draws_stay_in_their_order() -> None:
    def f(generator: Any) -> Any:
        generator.normal()
        return generator.normal(), generator.normal()
    program = program_of(f, np.random.default_rng(0))
    assert len(analyse(program).rows) == len(program.rows) == 3


def test_a_pass_that_finds_nothing_gives_the_same_program() -> None:
    program = analyse(program_of(lambda x, y: np.tanh(x @ y.T), X, Y))
    assert analyse(program) is program
    for apply in (dead.dead, equal.equal, constants.constants, scalars.scalars, factors.factors, views.views, slices.slices,
                  slices.products, outer.outer, scatters.scatters, reductions.reductions, chains.chains):
        assert apply(program) is program


@pytest.mark.parametrize(("f", "expected"), [
    (lambda x, y: np.sin(x) + np.sin(x), 2),
    (lambda x, y: x * y - y * x, 2),
    (lambda x, y: np.multiply(x, x) + np.square(x), 2),
    (lambda x, y: np.sum(x, axis=0) + np.sum(x, 0), 2),
    (lambda x, y: x * np.array([1.0, 2.0, 3.0]) + x * np.array([1.0, 2.0, 3.0]), 2),
    (lambda x, y: x[:, [0, 1]] + x[:, [0, 1]], 2),
    (lambda x, y: (x - y) + (y - x), 3),
    (lambda x, y: x / 2 + x / 2.5, 3),
    (lambda x, y: x * 0.0 - x * -0.0, 3),
    (lambda x, y: np.power(x, 2) + np.power(x, 2.0), 3),
    (lambda x, y: np.maximum(x, y) + np.maximum(y, x), 3),
])
def test_equal_rows_merge(f: Callable[..., Any], expected: int) -> None:
    assert len(equal.equal(program_of(f, X, Y)).rows) == expected
    after(equal.equal, f, X, Y)


def test_numbers_of_two_types_are_two_constants() -> None:
    program = program_of(lambda x: (x + 1, x + True, x + 1.0, x + F32(1), x + np.float64(1), x + np.array(1.0)), X.astype(F32))
    merged = equal.equal(program)
    assert [spec.dtype for spec in (merged.spec(v.index) for v in merged.outputs)] == [F32] * 4 + [np.float64] * 2
    assert len(merged.rows) == 6


def test_rows_with_other_error_states_do_not_merge() -> None:
    def f(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            a = 1 / x
        return a, 1 / x
    assert len(analyse(program_of(f, Y)).rows) == 2


def test_complex_products_are_not_swapped() -> None:
    assert len(equal.equal(program_of(lambda x, y: x * y - y * x, X + 1j, Y * 1j)).rows) == 3


# ---- constants

def with_constants(*functions_of_x: Any) -> Program:
    """A program of one input with rows of constants, as rewriting leaves them."""
    made = []
    for f, args, out in functions_of_x:
        made.append(Row(f, args, {}, out))
    last = Var(len(made))
    made.append(Row(np.add, (Var(0), last), {}, made[-1].out))
    return Program((Spec((2,), np.dtype(float)),), (), tuple(made), (Var(len(made)),))


def test_rows_of_constants_are_computed_once() -> None:
    two = np.full(2, 2.0)
    program = with_constants((np.add, (two, 1.0), Spec((2,), np.dtype(float))), (np.sqrt, (Var(1),), Spec((2,), np.dtype(float))))
    found = dead.dead(constants.constants(program))
    assert names(found) == ["add"]
    constant = found.rows[0].args[1]
    assert not constant.flags.writeable
    np.testing.assert_array_equal(constant, np.sqrt([3.0, 3.0]))
    assert two.flags.writeable


def test_broadcast_constants_stay_broadcast() -> None:
    big = Spec((1000, 1000, 2), np.dtype(float))
    view = with_constants((functions.broadcast, (np.ones(2), big.shape), big))
    constant = dead.dead(constants.constants(view)).rows[0].args[1]
    assert constant.strides[:2] == (0, 0)
    grown = with_constants((functions.broadcast, (np.ones(2), big.shape), big), (np.sin, (Var(1),), big))
    assert names(dead.dead(constants.constants(grown))) == ["sin", "add"]


def test_what_warns_or_raises_waits_until_the_program_runs() -> None:
    spec = Spec((2,), np.dtype(float))
    for f, args in ((np.log, (np.zeros(2),)), (np.divide, (np.ones(2), 0.0)), (np.linalg.inv, (np.zeros((2, 2)),))):
        program = with_constants((f, args, spec))
        assert constants.constants(program) is program


# ---- scalars

@pytest.mark.parametrize(("f", "expected"), [
    (lambda x: x * np.full((2, 3), 0.25), ["multiply(v0, 0.25)"]),
    (lambda x: x + np.broadcast_to(3.0, (2, 3)), ["add(v0, 3.0)"]),
    (lambda x: np.arctan2(x, np.full((2, 3), 2.0)), ["arctan2(v0, np.float64(2.0))"]),
    (lambda x: np.where(x > 0, x, np.zeros((2, 3))), ["greater(v0, 0)", "select(v1, v0, np.float64(0.0))"]),
    (lambda x: x[0] * np.full((2, 3), 2.0), ["getitem(v0, (0))", "multiply(v1, float64[2, 3])"]),
    (lambda x: x * np.array([[0.0, -0.0, 0.0]]), ["multiply(v0, array([[ 0., -0.,  0.]]))"]),
    (lambda x: x * 1 + 0, ["add(v0, 0.0)"]),
    (lambda x: x / 1 - 0, []),
    (lambda x: x + -0.0, []),
    (lambda x: x - -0.0, ["subtract(v0, -0.0)"]),
    (lambda x: x * 0, ["multiply(v0, 0.0)"]),
    (lambda x: x / 8, ["multiply(v0, 0.125)"]),
    (lambda x: x / 3, ["divide(v0, 3.0)"]),
    (lambda x: x * -1, ["negative(v0)"]),
    (lambda x: -(-x), []),
    (lambda x: +x, []),
    (lambda x: np.conj(x) ** 1, []),
    (lambda x: x ** 2, ["square(v0)"]),
    (lambda x: x ** 3, ["square(v0)", "multiply(v1, v0)"]),
    (lambda x: x ** 4, ["square(v0)", "square(v1)"]),
    (lambda x: (x + 2) ** 0.5, ["add(v0, 2.0)", "sqrt(v1)"]),
])
def test_constant_operands(f: Callable[..., Any], expected: list[str]) -> None:
    assert after(scalars.scalars, f, X)[:-1] == expected


def test_a_float64_array_widens_float32_as_a_number_of_its_dtype() -> None:
    assert after(scalars.scalars, lambda x: x * np.full((2, 3), 2.0), X.astype(F32))[:-1] == ["multiply(v0, np.float64(2.0))"]
    assert after(scalars.scalars, lambda x: x * np.full((2, 3), 2, F32), X.astype(F32))[:-1] == ["multiply(v0, 2.0)"]


@pytest.mark.parametrize("f", [
    lambda x: x * 1, lambda x: x / 1, lambda x: x + 0, lambda x: 2 * (3 * x), lambda x: x ** 2 + x ** 3, lambda x: -(-x) + (-x),
    lambda x: x - 0, lambda x: x * np.full((3,), 2, x.dtype),
])
@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint16, np.float16, np.longdouble, np.complex64])
def test_other_dtypes_stay(f: Callable[..., Any], dtype: Any) -> None:
    x = np.array([10, 20, 3]).astype(dtype) * 10
    before = program_of(f, x)
    if np.dtype(dtype).kind in "iu":
        np.testing.assert_array_equal(before.run(x)[0], analyse(before).run(x)[0])
    after(analyse, f, x)


def test_zero_dimensional_arrays_scalars_and_numbers_keep_their_kinds() -> None:
    def f(x: Any) -> Any:
        return x * 1, x + 0, -(-x), x / 1, 2 * (3 * x), x ** 2
    for x in (np.array(3.0), np.float64(3), 3.0, np.array(3.0, F32), F32(3), np.array(3), 3):
        program = program_of(f, x)
        for one, two in zip(program.run(x), analyse(program).run(x), strict=True):
            assert type(one) is type(two)
            assert np.result_type(one) == np.result_type(two)
            assert one == two


# ---- factors

@pytest.mark.parametrize(("f", "expected"), [
    (lambda x, y: 2 * (3 * x), ["multiply(v0, 6.0)"]),
    (lambda x, y: (x * 3) / 6, ["multiply(v0, 0.5)"]),
    (lambda x, y: -(x * 3), ["multiply(v0, -3.0)"]),
    (lambda x, y: (x * 5) / 5, []),
    (lambda x, y: 3 * ((2 * x) * y), ["multiply(v0, v1)", "multiply(v2, 6.0)"]),
    (lambda x, y: 3 * (2 / y), ["divide(6.0, v1)"]),
    (lambda x, y: x + (-y), ["subtract(v0, v1)"]),
    (lambda x, y: (-x) + y, ["subtract(v1, v0)"]),
    (lambda x, y: x - (-y), ["add(v0, v1)"]),
    (lambda x, y: 3 - (-y), ["add(3.0, v1)"]),
    (lambda x, y: x - (-y) / x, ["divide(v1, v0)", "add(v0, v2)"]),
    (lambda x, y: 3 * x + 3 * y, ["add(v0, v1)", "multiply(v2, 3.0)"]),
    (lambda x, y: 3 * x - y * -3, ["add(v0, v1)", "multiply(v2, 3.0)"]),
    (lambda x, y: 3 * x + 5 * y, ["multiply(3.0, v0)", "multiply(5.0, v1)", "add(v2, v3)"]),
    (lambda x, y: x + x, ["multiply(v0, 2.0)"]),
    (lambda x, y: 3 * x + x, ["multiply(v0, 4.0)"]),
    (lambda x, y: 3 * (x * y) + (2 * y) * x, ["multiply(v0, v1)", "multiply(v2, 5.0)"]),
    (lambda x, y: 3 * x + -2 * x, ["multiply(3.0, v0)", "multiply(-2.0, v0)", "add(v2, v3)"]),
    (lambda x, y: (1 / y) * x, ["divide(v0, v1)"]),
    (lambda x, y: np.sum(3 * x, axis=0), ["reduce(v0, add, (0), False)", "multiply(v2, 3.0)"]),
    (lambda x, y: x * 1e-200 * 1e-200, ["multiply(v0, 1e-200)", "multiply(v2, 1e-200)"]),
])
def test_factors(f: Callable[..., Any], expected: list[str]) -> None:
    assert after(lambda p: rewrite(p, {k: RULES[k] for k in ("scalars", "factors")}), f, X, Y)[:-1] == expected


def test_factors_leave_products_that_are_smaller() -> None:
    program = analyse(program_of(lambda x: (3 * x).T @ x[:, 0], np.ones((9, 2))))
    assert [row.out.shape for row in program.rows if row.function is np.multiply] == [(2,)]


def test_factors_whose_product_is_infinite_stay() -> None:
    program = program_of(lambda x: x * 1e200 * 1e200, X * 1e-200)
    assert names(analyse(program)) == ["multiply", "multiply"]


def test_factors_of_what_is_read_elsewhere_stay() -> None:
    def f(x: Any) -> Any:
        y = 3 * x
        return 2 * y, np.sin(y)
    assert names(analyse(program_of(f, X))) == ["multiply", "multiply", "sin"]


def test_reciprocals_of_a_column_stay_for_a_matrix() -> None:
    f = lambda x, y: (1 / np.sum(y, axis=1, keepdims=True)) * x
    assert "multiply" in names(analyse(program_of(f, X, Y)))


def test_derivative_of_a_quotient() -> None:
    program = analyse(program_of(ad.grad(lambda x: np.sum(1 / np.sin(x))), Y))
    assert names(program).count("divide") == 1


# ---- views

@pytest.mark.parametrize(("f", "expected"), [
    (lambda x, y: np.transpose(np.transpose(x)), []),
    (lambda x, y: np.reshape(np.reshape(x, (3, 2)), 6), ["reshape(v0, (6))"]),
    (lambda x, y: np.reshape(np.reshape(x, 6), (2, 3)), []),
    (lambda x, y: np.broadcast_to(np.broadcast_to(x, (1, 2, 3)), (4, 2, 3)), ["broadcast(v0, (4, 2, 3))"]),
    (lambda x, y: np.broadcast_to(x[0], (2, 3)) * y, ["getitem(v0, (0))", "multiply(v2, v1)"]),
    (lambda x, y: np.broadcast_to(x[0], (2, 3)) * y[1], ["getitem(v0, (0))", "broadcast(v2, (2, 3))", "getitem(v1, (1))",
                                                        "multiply(v3, v4)"]),
    (lambda x, y: np.transpose(x.T @ y), ["transpose(v1, (1, 0))", "matmul(v2, v0)"]),
    (lambda x, y: x.T * y.T, ["multiply(v0, v1)", "transpose(v2, (1, 0))"]),
    (lambda x, y: np.transpose(np.tanh(x.T) * 2), ["tanh(v0)", "multiply(v1, 2)"]),
    (lambda x, y: x.T + np.arange(6.0).reshape(3, 2), ["transpose(v0, (1, 0))", "add(v2, float64[3, 2])"]),
    (lambda x, y: np.sum(x.T, axis=0), ["reduce(v0, add, (1), False)"]),
    (lambda x, y: x[:, None][:, 0], ["reshape(v0, (2, 1, 3))", "getitem(v2, (slice(None, None, None), 0))"]),
    (lambda x, y: x[...], []),
])
def test_views(f: Callable[..., Any], expected: list[str]) -> None:
    def twice(p: Program) -> Program:
        return views.views(dead.dead(views.views(p)))
    found = after(twice, f, X, Y)[:-1]
    assert [r.partition("(")[0] for r in found] == [r.partition("(")[0] for r in expected]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (4, 1)])
def test_views_of_shapes_with_ones_and_zeros(shape: tuple[int, int]) -> None:
    x = np.ones(shape)
    after(analyse, lambda x: np.transpose(np.transpose(np.tanh(x)) * 2) + x.T.T + np.reshape(x.T, shape), x)
    after(analyse, lambda x: (np.sum(x), np.sum(x, axis=0), np.sum(x, axis=1, keepdims=True), np.sum(x * x), x.T @ x), x)


def test_a_broadcast_number_stays_an_array() -> None:
    program = program_of(lambda x, c: np.broadcast_to(c, (2, 3)) * x, X.astype(F32), 2.0)
    assert analyse(program).rows[-1].out.dtype == np.float64
    after(analyse, lambda x, c: np.broadcast_to(c, (2, 3)) * x, X.astype(F32), 2.0)


# ---- all of them

@pytest.mark.parametrize("f", [
    lambda x, y: (1 / x) / np.array([1.0, 2.0, 3.0]) - np.array([1.0, 2.0, 3.0]) / x,
    lambda x, y: np.array([1.0, 2.0, 3.0]) + x + np.array([1.0, 2.0, 3.0]),
    lambda x, y: np.stack([x, np.ones((2, 3))]) * np.add(x, [[1, 2, 3], [4, 5, 6]]),
    lambda x, y: (x + y) * np.array([0.0, 5.0, -0.0]),
    lambda x, y: np.divmod(x, y)[0] * 2 + np.modf(x)[1] * 1,
    lambda x, y: x[np.array([0, 1]), np.array([1, 1])] * x[(0, 1), (1, 1)],
    lambda x, y: np.multiply(x, y, dtype=np.float32) + np.add(x, y, casting="unsafe"),
    lambda x, y: np.linalg.eigh(np.transpose(x) @ x)[0] * 1.0,
    lambda x, y: np.where(x > y, 1, 2) * 1 + np.where([[True], [False]], x, 3),
    lambda x, y: (x * 2 == y) | (y == x * 2) ^ (x > 0),
    lambda x, y: np.floor(x * 3).astype(int) // 2 * 1 + True * 2,
    lambda x, y: np.sum(x.astype(np.float16) * np.float16(2) * 3) + np.sum(x.astype(np.longdouble) * 1 * 2),
    lambda x, y: np.sum((x + 1j) * 2 * 0.5j) + np.sum((1 / (y + 1j)) * (x * 1j)) - -(x * 1j),
    lambda x, y: 2 ** x * 2.0 ** y + (x > 0) ** 2,
])
def test_what_rules_might_take_for_something_else(f: Callable[..., Any]) -> None:
    after(analyse, lambda x, y: f(np.abs(x) + 0.1, y), X, Y)

def test_a_small_network() -> None:
    rng = np.random.default_rng(0)
    params = [(rng.standard_normal((m, n)).astype(F32), rng.standard_normal(n).astype(F32)) for m, n in ((2, 8), (8, 8), (8, 1))]
    x, y = rng.standard_normal((64, 2)).astype(F32), rng.standard_normal((64, 1)).astype(F32)

    def loss(params: Any, x: Any, y: Any) -> Any:
        for W, b in params[:-1]:
            x = np.tanh(x @ W + b)
        W, b = params[-1]
        return np.mean((x @ W + b - y) ** 2)

    program = program_of(ad.value_and_grad(loss), params, x, y)
    analysed = analyse(program)
    computing = [row for row in analysed.rows if row.function not in functions.VIEWS]
    assert len(program.rows) == 36
    assert len(computing) == 26
    assert set(analysed.notes) <= {*RULES, "dead", "equal", "outer", "products", "scatters", "reductions", "chains"}


def test_captured_arrays_are_read_at_each_run() -> None:
    outside = np.full((2, 3), 2.0)
    program = analyse(program_of(lambda x: x * outside, X))
    np.testing.assert_array_equal(program.run(X)[0], 2 * X)
    outside[:] = 3
    np.testing.assert_array_equal(program.run(X)[0], 3 * X)


@pytest.mark.slow
def test_analysis_takes_time_linear_in_the_rows() -> None:
    from time import perf_counter
    seconds = []
    for T in (100, 800):
        loss, args = recurrence(T)
        program = program_of(ad.value_and_grad(loss), *args)
        start = perf_counter()
        analyse(program)
        seconds.append((perf_counter() - start) / len(program.rows))
    assert seconds[1] < 4 * seconds[0]
