"""Chains of products are multiplied in the order that costs least: (A B) v as A (B v)."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpuad.planning.passes.facts import is_plain_product
from gpuad.planning.passes.rewriting import counted
from gpuad.planning.program import Builder, Program, Row, Spec, Var
from linalg.association import Order, cheapest_order, multiplication_count


def chains(program: Program) -> Program:
    """The program with products of three or more matrices and vectors, of which only the last is read, in their cheapest order."""
    found = _chains(program)
    if not found:
        return program
    new = Builder(program)
    for i, row in program.numbered():
        if i in found:
            operands, order = found[i]
            new.names.append(_multiply(operands, order, row.out.dtype, new))
        else:
            new.names.append(new.add(row.renamed(new.names)))
    return counted(new.finish(), "chains", len(found))


def _chains(program: Program) -> dict[int, tuple[list[Any], Order]]:
    """Last product of a chain -> its operands and their cheapest order, where that is cheaper than the one they have."""
    known, uses = Builder(program), program.uses()
    known.rows = list(program.rows)
    found: dict[int, tuple[list[Any], Order]] = {}
    inside: set[int] = set()
    for i in range(program.n_variables - 1, program.first - 1, -1):
        row = program.rows[i - program.first]
        if i in inside or row.function is not np.matmul or not is_plain_product(row, known):
            continue
        operands, products = _operands(Var(i), known, uses)
        if len(operands) < 3:
            continue
        inside.update(products)
        shapes = tuple(_matrix_shape(x, k == 0, known) for k, x in enumerate(operands))
        cost = sum(_cost(program.rows[j - program.first], known) for j in products)
        order, cheapest = _cheapest(shapes)
        if cheapest < cost:
            found[i] = operands, order
    return found


def _operands(last: Var, known: Builder, uses: list[int]) -> tuple[list[Any], list[int]]:
    """The operands of a tree of products, left to right, and its products. Inner ones are read once, and as what they are."""
    operands: list[Any] = []
    products: list[int] = []
    stack: list[tuple[Any, int]] = [(last, -1)]  # and the side on which it is an operand
    while stack:
        x, side = stack.pop()
        row = known.row(x)
        if side >= 0 and not (row is not None and uses[x.index] == 1 and is_plain_product(row, known)
                              and _stays_itself(row, side, known)):
            operands.append(x)
            continue
        products.append(x.index)
        a, b = row.args  # type: ignore[union-attr]
        stack += [(b, 1), (a, 0)]
    return operands, products


def _stays_itself(row: Row, side: int, known: Builder) -> bool:
    """Whether a product is a matrix, a row vector on the left side, or a column vector on the right one."""
    ndims = [len(known.spec_of(x).shape) for x in row.args]
    return ndims == [2, 2] or ndims == ([1, 2] if side == 0 else [2, 1])


def _matrix_shape(x: Any, is_first: bool, known: Builder) -> tuple[int, int]:
    shape = known.spec_of(x).shape
    if len(shape) == 2:
        return shape[0], shape[1]
    return (1, shape[0]) if is_first else (shape[0], 1)


def _cost(row: Row, known: Builder) -> int:
    """Multiplications of a product."""
    return known.spec_of(row.args[0]).size * known.spec_of(row.args[1]).size // max(known.spec_of(row.args[0]).shape[-1], 1)


@lru_cache(maxsize=4096)
def _cheapest(shapes: tuple[tuple[int, int], ...]) -> tuple[Order, int]:
    order = cheapest_order(shapes)
    return order, multiplication_count(shapes, order)


def _multiply(operands: list[Any], order: Order, dtype: Any, new: Builder) -> Any:
    """Rows that multiply operands (with old variables) in an order; gives the product."""
    rest = [new.names[x.index] if type(x) is Var else x for x in operands]
    for k in order:
        a, b = rest[k: k + 2]
        shape = (*new.spec_of(a).shape[:-1], *new.spec_of(b).shape[1:])
        rest[k: k + 2] = [new.add(Row(np.matmul, (a, b), {}, Spec(shape, dtype, "array" if shape else "scalar")))]
    return rest[0]
