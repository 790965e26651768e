"""Every operator of linalg's catalogue in a plan: made of arrays of the plan, applied to them, or both."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import gpuad as ad
import linalg
from gpuad.errors import PlanError
from gpuad.planning import plan
from tests.gpuad.modes import planned
from tests.linalg.catalogue import CASES
from tests.linalg.making import Maker

MASKS = [name for name in CASES if name.startswith("gather_mask") and name != "gather_mask_list"]
"""Masks among the arguments decide the shape of the result."""


class Noting(Maker):
    """Notes the arrays that an operator is made of."""

    def __init__(self) -> None:
        super().__init__(np, float)
        self.data: list[np.ndarray] = []

    def put(self, x: Any) -> Any:
        self.data.append(np.asarray(x))
        return self.data[-1]

    def put_sparse(self, matrix: Any, kind: str = "csr_matrix") -> Any:
        return Maker(np, float).put_sparse(matrix, kind)


class Giving(Noting):
    """Makes the operator again, of other arrays."""

    def __init__(self, data: Sequence[Any]):
        super().__init__()
        self.given: Iterator[Any] = iter(data)

    def put(self, x: Any) -> Any:
        del x
        return next(self.given)


def problem(name: str) -> tuple[Any, list[np.ndarray], np.ndarray, np.ndarray]:
    noting = Noting()
    operator = CASES[name](noting).operator
    x, y = (noting.host(2, *shape) for shape in (operator.in_shape, operator.out_shape))
    solvable = operator.in_size == operator.out_size and not isinstance(operator, linalg.Zero)
    try:
        solvable = solvable and linalg.solve(operator, y[0]) is not None
    except np.linalg.LinAlgError:
        solvable = False

    def f(data: Any, x: Any, y: Any) -> Any:
        a = CASES[name](Giving(data)).operator
        results = [a @ x[0], a @ x, a.T @ y[0], a.H @ y, a.conj() @ x, x[0] @ a.T, 2.0 * (a @ x), a.to_dense(np.zeros(()))]
        if solvable:
            results += [linalg.solve(a, y[0]), linalg.solve(a.T, x)]
        return results

    return f, noting.data, x, y


@pytest.mark.parametrize("name", [name for name in CASES if name not in MASKS])
def test_operators_of_a_plan(name: str) -> None:
    f, data, x, y = problem(name)
    planned.both(f)(data, x, y)
    planned.both(lambda x, y: f(data, x, y))(x, y)
    if data:
        planned.both(lambda data: f(data, x, y))(data)


@pytest.mark.parametrize("name", MASKS)
def test_masks_among_the_arguments_are_refused(name: str) -> None:
    f, data, x, y = problem(name)
    with pytest.raises(PlanError, match="mask"):
        plan(f)(data, x, y)
    planned.both(lambda x, y: f(data, x, y))(x, y)


@pytest.mark.parametrize("name", [
    "diagonal", "dense_shaped", "kronecker_square", "sym_tridiagonal", "einsum_three", "sparse_shaped", "left_product_batch",
    "gather_array", "gather_pairs", "inverse_of_dense", "product_square"])
def test_derivatives_through_operators(name: str) -> None:
    f, data, x, y = problem(name)

    def total(x: Any, y: Any) -> Any:
        return sum(np.sum(np.sin(r)) for r in f(data, x, y))

    planned.both(ad.value_and_grad(total, (0, 1)))(x, y)
    planned.both(lambda x, y: ad.hvp(total, (x, y), (y if x.shape == y.shape else 0 * x + 1, y)))(x, y)


def test_block_systems() -> None:
    d, m, b = np.arange(1.0, 4.0), np.arange(9.0).reshape(3, 3) + 5 * np.eye(3), [np.ones(3), np.arange(3.0)]

    shapes = [(3,), (3,)]

    def f(d: Any, m: Any, b: Any) -> Any:
        diagonal, dense = linalg.Diagonal(d), linalg.Dense(m)
        lower = linalg.BlockMatrix([[(0, diagonal)], [(0, dense), (1, dense)]], shapes, shapes)
        full = linalg.BlockMatrix([[(0, diagonal), (1, linalg.Identity((3,)))], [(0, dense), (1, dense.T)]], shapes, shapes)
        unit = linalg.UnitTriangular(linalg.BlockMatrix([[], [(0, dense)]], shapes, shapes))
        solved = [linalg.solve(a, b) for a in (lower, lower.T, unit, unit.T, full)]
        return solved, full @ b, linalg.BlockOperator(full) @ np.concatenate(b)

    planned.both(f)(d, m, b)
    planned.both(ad.grad(lambda d, m, b: sum(np.sum(part**2) for part in f(d, m, b)[0][2]), 1))(d, m, b)
    planned.both(lambda b: f(d, m, b))(b)
