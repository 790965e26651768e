"""A sum of scattered slices is one array to which the slices are added: what the gradients of ``x[:, 1:]`` and the like are."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import is_inexact
from gpuad.planning.passes.rewriting import counted
from gpuad.planning.passes.trees import trees
from gpuad.planning.program import Builder, Program, Row, Var, substitute


def scatters(program: Program) -> Program:
    """The program with one row in place of a sum of arrays that are zero outside a slice, and of others."""
    sums = _sums(program)
    if not sums:
        return program
    new = Builder(program)
    for i, row in program.numbered():
        if i in sums:
            scattered, others = sums[i]
            new.names.append(_added(substitute(scattered, new.names), substitute(others, new.names), row, new))
        else:
            new.names.append(new.add(row.renamed(new.names)))
    return counted(new.finish(), {"scatters": len(sums)})


def _sums(program: Program) -> dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Last row of a sum -> ((slice, index) of its scattered arrays, its other operands)."""
    if not any(row.function is functions.scatter_add for row in program.rows):
        return {}
    reads = program.uses()

    def is_sum(row: Row) -> bool:
        return row.function is np.add and not row.kwargs and row.errors is None and is_inexact(row.out.dtype) \
            and all(type(x) is Var and program.spec(x.index) == row.out for x in row.args)

    def scattered(x: Var) -> Row | None:
        row = program.row(x.index)
        return row if row is not None and row.function is functions.scatter_add and reads[x.index] == 1 and row.errors is None \
            and not row.kwargs else None

    found = {}
    for i, tree in trees(program, is_sum, lambda i, row, _side: reads[i] == 1 and is_sum(row)):
        parts = tuple(row.args[:2] for x in tree.operands if (row := scattered(x)) is not None)
        if parts:
            found[i] = parts, tuple(x for x in tree.operands if scattered(x) is None)
    return found


def _added(scattered: tuple[Any, ...], others: tuple[Any, ...], row: Row, new: Builder) -> Var:
    """The row that adds slices, (array, index) each, to the sum of the others."""
    start = others[0] if others else None
    for x in others[1:]:
        start = new.add(Row(np.add, (start, x), {}, row.out))
    parts, indices = zip(*scattered, strict=True)
    return new.add(Row(functions.scatter_sum, (start, parts, indices, row.out.shape), {}, row.out))
