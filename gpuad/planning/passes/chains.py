"""Chains of products are multiplied in the order that costs least: (A B) v as A (B v)."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpuad.planning.passes.facts import Specs, is_plain_product
from gpuad.planning.passes.rewriting import counted
from gpuad.planning.passes.trees import Tree, trees
from gpuad.planning.program import Builder, Program, Row, Spec, Var
from linalg.arrays import size
from linalg.association import Order, cheapest_order, multiplication_count


def chains(program: Program) -> Program:
    """The program with products of three or more matrices and vectors, of which only the last is read, in the cheapest order."""
    found = _chains(program)
    if not found:
        return program
    new = Builder(program)
    for i, row in program.numbered():
        if i in found:
            new.names.append(_multiply(*found[i], row.out.dtype, new))
        else:
            new.names.append(new.add(row.renamed(new.names)))
    return counted(new.finish(), {"chains": len(found)})


def _chains(program: Program) -> dict[int, tuple[list[Any], Order]]:
    """Last product of a chain -> its operands and their cheapest order, where that is cheaper than the one they have."""
    if sum(row.function is np.matmul for row in program.rows) < 2:
        return {}
    specs, reads = Specs(program), program.uses()

    def is_inner(i: int, row: Row, side: int) -> bool:
        return reads[i] == 1 and is_plain_product(row, specs) and _stays_itself(row, side, specs)

    found = {}
    for i, tree in trees(program, lambda row: row.function is np.matmul and is_plain_product(row, specs), is_inner):
        if len(tree.operands) > 2:
            shapes = tuple(_matrix_shape(x, k == 0, specs) for k, x in enumerate(tree.operands))
            order, cost = _cheapest(shapes)
            if cost < _cost(tree, program, specs):
                found[i] = tree.operands, order
    return found


def _stays_itself(row: Row, side: int, specs: Specs) -> bool:
    """Whether a product is a matrix, a row vector on the left side, or a column vector on the right one."""
    ndims = [len(specs.spec_of(x).shape) for x in row.args]
    return ndims in ([2, 2], [1, 2] if side == 0 else [2, 1])


def _matrix_shape(x: Any, is_first: bool, specs: Specs) -> tuple[int, int]:
    shape = specs.spec_of(x).shape
    if len(shape) == 2:
        return shape[0], shape[1]
    return (1, shape[0]) if is_first else (shape[0], 1)


def _cost(tree: Tree, program: Program, specs: Specs) -> int:
    """Multiplications of a tree of products as it is."""
    total = 0
    for i in tree.rows:
        row = program.rows[i - program.first]
        total += size(specs.spec_of(row.args[0]).shape) * size(specs.spec_of(row.args[1]).shape[1:])
    return total


@lru_cache(maxsize=4096)
def _cheapest(shapes: tuple[tuple[int, int], ...]) -> tuple[Order, int]:
    """The cheapest order, and its multiplications; layers of equal widths ask for it again and again."""
    order = cheapest_order(shapes)
    return order, multiplication_count(shapes, order)


def _multiply(operands: list[Any], order: Order, dtype: Any, new: Builder) -> Any:
    """Rows that multiply operands, whose variables are the old ones, in an order; gives the product."""
    rest = [new.names[x.index] if type(x) is Var else x for x in operands]
    for k in order:
        a, b = rest[k: k + 2]
        shape = (*new.spec_of(a).shape[:-1], *new.spec_of(b).shape[1:])
        rest[k: k + 2] = [new.add(Row(np.matmul, (a, b), {}, Spec(shape, dtype, "array" if shape else "scalar")))]
    return rest[0]
