"""Trees of one operation whose inner results nothing else reads: the operands of a long sum, of a chain of products."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gpuad.planning.program import Program, Row, Var


class Tree(NamedTuple):
    """The operands of rows of one operation, left to right, and the variables of those rows, the last one first."""

    operands: list[Any]
    rows: list[int]


Inner = Callable[[int, Row, int], bool]
"""(variable, its row, side on which it is an operand) -> whether the row belongs to the tree of the row that reads it."""


def trees(program: Program, is_root: Callable[[Row], bool], is_inner: Inner) -> Iterator[tuple[int, Tree]]:
    """(last row's variable, tree), from the end of the program to its start; a row is in one tree at most."""
    inside: set[int] = set()
    for i in range(program.n_variables - 1, program.first - 1, -1):
        row = program.rows[i - program.first]
        if i not in inside and is_root(row):
            tree = _tree(program, i, is_inner)
            inside.update(tree.rows)
            yield i, tree


def _tree(program: Program, last: int, is_inner: Inner) -> Tree:
    tree = Tree([], [])
    stack: list[tuple[Any, int]] = [(Var(last), -1)]
    while stack:
        x, side = stack.pop()
        row = program.row(x.index) if type(x) is Var else None
        if row is None or (side >= 0 and not is_inner(x.index, row, side)):
            tree.operands.append(x)
        else:
            tree.rows.append(x.index)
            stack += [(row.args[1], 1), (row.args[0], 0)]
    return tree
