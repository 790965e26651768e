"""A sum of products is one product: A₁ᵀB₁ + A₂ᵀB₂ + … = AᵀB, for A and B the Aᵢ and Bᵢ on top of each other.

This is the gradient of a matrix that a program uses again and again: of a recurrence's weights, with the states and the
gradients of all times on top of each other. The sum over rows Σ 1ᵀBᵢ, the gradient of a bias, is 1ᵀB for the same B.
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import Specs, is_inexact, is_plain_product
from gpuad.planning.passes.rewriting import counted
from gpuad.planning.passes.trees import trees
from gpuad.planning.program import Builder, Program, Row, Spec, Var

FEWEST = 3
"""Terms from which a sum is joined."""

CALL = 4096
"""Entries that are copied in about the time that NumPy takes to call a product and a sum."""

LONGEST = 4096
"""Rows on top of each other: products gain nothing beyond, and they take memory. Longer sums are joined in blocks."""


@dataclass(frozen=True)
class Term:
    """One of the products or sums over rows of a sum: Aᵢ Bᵢ, or 1ᵀBᵢ where there is no Aᵢ. Variables are the old ones."""

    position: int
    """The row after which it is known."""
    a: Any
    b: Any
    length: int
    order: int
    """Terms are ordered by the latest variable that they read, so that sums of the same Bᵢ have them in the same order."""


@dataclass(frozen=True)
class Block:
    """Terms that are joined."""

    terms: tuple[Term, ...]


def outer(program: Program) -> Program:
    """The program with one product in place of a sum of products, where copying their factors costs less than adding them up.

    A term Aᵢ Bᵢ, of shapes (m, k) and (k, n), is joined where 2 k (m + n) ≤ 3 m n + CALL: entries that a copy reads and writes,
    against those that adding the product reads and writes.
    """
    if sum(row.function is np.add for row in program.rows) < FEWEST - 1:
        return program
    sums = Search(program).sums()
    if not sums:
        return program
    after: dict[int, list[Block]] = {}
    for blocks, _rest in sums.values():
        for block in blocks:
            after.setdefault(max(t.position for t in block.terms), []).append(block)
    new = Builder(program)
    made: dict[int, Var] = {}
    for i, row in program.numbered():
        if i in sums:
            blocks, rest = sums[i]
            new.names.append(_total([made[id(b)] for b in blocks] + [_renamed(x, new) for x in rest], row, new))
        else:
            new.names.append(new.add(row.renamed(new.names)))
        for block in after.get(i, ()):
            made[id(block)] = _joined(block, new)
    return counted(new.finish(), {"outer": len(sums)})


class Search:
    """The sums of a program that are joined."""

    def __init__(self, program: Program):
        self.program, self.specs, self.uses = program, Specs(program), program.uses()
        self.stacked: dict[int, Any] = {}  # the vectors and matrices that joined products have as Bᵢ, by where they come from

    def sums(self) -> dict[int, tuple[list[Block], list[Any]]]:
        """Last row of a sum -> its blocks, and the operands that are added as they are."""
        found: dict[int, tuple[list[Block], list[Any]]] = {}
        rest = []
        for i, tree in trees(self.program, self.is_sum, lambda i, row, _side: self.uses[i] == 1 and self.is_sum(row)):
            if len(tree.operands) < FEWEST:
                continue
            if len(self.program.spec(i).shape) == 2:
                self.join(i, tree.operands, self.product, found)
            else:
                rest.append((i, tree.operands))
        for i, operands in rest:
            self.join(i, operands, self.row_sum, found)
        return found

    def join(self, i: int, operands: list[Any], term: Any, found: dict[int, tuple[list[Block], list[Any]]]) -> None:
        """Enter a sum with the blocks of its terms, if there are any."""
        terms = {k: t for k, x in enumerate(operands) if (t := term(x)) is not None}
        blocks = _blocks(sorted(terms.values(), key=lambda t: (-t.order, t.position)))
        if not blocks:
            return
        joined = {id(t) for block in blocks for t in block.terms}
        for block in blocks:
            self.stacked.update((self.root(t.b), t.b) for t in block.terms if t.a is not None)
        found[i] = blocks, [x for k, x in enumerate(operands) if k not in terms or id(terms[k]) not in joined]

    def is_sum(self, row: Row) -> bool:
        """Whether a row adds two arrays of its own shape and dtype, matrices or vectors."""
        return row.function is np.add and not row.kwargs and row.errors is None and is_inexact(row.out.dtype) \
            and 1 <= len(row.out.shape) <= 2 and all(type(x) is Var and self.program.spec(x.index) == row.out for x in row.args)

    def product(self, x: Var) -> Term | None:
        """A product of matrices that only the sum reads, as a term."""
        row = self.program.row(x.index)
        if row is None or self.uses[x.index] != 1 or not is_plain_product(row, self.specs):
            return None
        a, b = row.args
        (m, k), (_k, n) = self.specs.spec_of(a).shape, self.specs.spec_of(b).shape
        if 2 * k * (m + n) > 3 * m * n + CALL:
            return None
        return Term(x.index, a, b, k, max(self.root(a), self.root(b)))

    def row_sum(self, x: Var) -> Term | None:
        """A sum over the rows of a matrix as a term; a vector is the sum of one row. It is to be cheap, or stacked anyway."""
        row = self.program.row(x.index)
        b: Any = self.stacked.get(self.root(x))
        if b is not None and self.specs.spec_of(b).shape == (1, *self.program.spec(x.index).shape):
            return Term(x.index, None, x, 1, self.root(x))
        if row is None or row.function is not functions.reduce or row.kwargs or row.errors is not None \
                or row.args[1:] != (np.add, (0,), False) or self.uses[x.index] != 1:
            return None
        b = row.args[0]
        spec = self.specs.spec_of(b)
        if type(b) is not Var or len(spec.shape) != 2 or spec.dtype != row.out.dtype \
                or not (self.root(b) in self.stacked or spec.size <= CALL):
            return None
        return Term(x.index, None, b, spec.shape[0], self.root(b))

    def root(self, x: Any) -> int:
        """The variable of which x is a view; -1 for constants."""
        while type(x) is Var:
            row = self.program.row(x.index)
            if row is None or row.function not in (functions.reshape, functions.transpose, functions.getitem):
                return x.index
            x = row.args[0]
        return -1


def _blocks(terms: list[Term]) -> list[Block]:
    """Terms in blocks of up to LONGEST rows."""
    starts, length = [0], 0
    for k, t in enumerate(terms):
        if length + t.length > LONGEST and k > starts[-1]:
            starts.append(k)
            length = 0
        length += t.length
    return [Block(tuple(terms[i:j])) for i, j in pairwise([*starts, len(terms)]) if j - i >= FEWEST]


def _renamed(x: Any, new: Builder) -> Any:
    return new.names[x.index] if type(x) is Var else x


def _joined(block: Block, new: Builder) -> Var:
    """The sum of a block's terms as one product."""
    b = _stacked([_as_matrix(_renamed(t.b, new), new) for t in block.terms], new)
    n, dtype = new.spec(b.index).shape[1], new.spec(b.index).dtype
    if block.terms[0].a is None:
        return new.add(Row(functions.reduce, (b, np.add, (0,), False), {}, Spec((n,), dtype)))
    a = _transposed(_stacked([_transposed(_renamed(t.a, new), new) for t in block.terms], new), new)
    return new.add(Row(np.matmul, (a, b), {}, Spec((new.spec_of(a).shape[0], n), dtype)))


def _as_matrix(x: Any, new: Builder) -> Any:
    """A vector as a matrix of one row."""
    spec = new.spec_of(x)
    if len(spec.shape) == 2:
        return x
    shape = (1, *spec.shape)
    return new.add(Row(functions.reshape, (x, shape), {}, Spec(shape, spec.dtype)))


def _stacked(matrices: list[Any], new: Builder) -> Var:
    """Matrices on top of each other."""
    specs = [new.spec_of(m) for m in matrices]
    out = Spec((sum(s.shape[0] for s in specs), specs[0].shape[1]), specs[0].dtype)
    return new.add(Row(np.concatenate, (tuple(matrices),), {"axis": 0}, out))


def _transposed(x: Any, new: Builder) -> Any:
    """The transpose of a matrix; that of a transposed one is the matrix."""
    if type(x) is not Var:
        return x.T
    row, spec = new.row(x), new.spec(x.index)
    if row is not None and row.function is functions.transpose and row.errors is None:
        return row.args[0]
    return new.add(Row(functions.transpose, (x, (1, 0)), {}, Spec(spec.shape[::-1], spec.dtype)))


def _total(terms: list[Any], row: Row, new: Builder) -> Any:
    """The sum of arrays of a row's shape and dtype."""
    total = terms[0]
    for term in terms[1:]:
        total = new.add(Row(np.add, (total, term), {}, row.out))
    return total
