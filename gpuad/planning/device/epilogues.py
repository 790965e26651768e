"""Matrix products of a device plan, with what follows them in the same launch: bias, sum, scale, and a bias gradient beside them.

A product with more to do takes rows out of nodes. It is worth that where a launch disappears, or where a long array is not
written and read again; where a node stays that reads the product anyway, its kernel does those rows at no cost.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.code import Node
from gpuad.planning.device.products import ProductStep
from gpuad.planning.passes.facts import uniform
from gpuad.planning.program import Program, Row, Var, is_var, variables
from gpuad.planning.storage import is_view
from linalg.arrays import size

LAUNCH = 2e-6
"""Seconds that one more kernel takes in a CUDA graph."""
BANDWIDTH = 4e12
"""Bytes a second that an elementwise kernel reads and writes."""
DTYPES = {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
WORTH = 5e-7
"""Seconds that a product must gain to take more on itself."""


def fold(program: Program, steps: Sequence[Any], relu: bool = False) -> list[Any]:
    """The steps, single rows that are products as ProductStep, which take on what is worth it.

    ``relu=True`` lets them take maximum(x, 0) too, where cuBLASLt may give 0 for NaN.
    """
    return _Folding(program, steps, relu).folded()


class _Folding:
    """Steps by their places, which stay; ``ahead`` are products that run just before the step at a place."""

    def __init__(self, program: Program, steps: Sequence[Any], relu: bool):
        self.program, self.relu = program, relu
        self.steps: list[Any] = [_product(program, s) if isinstance(s, int) else s for s in steps]
        self.ahead: dict[int, list[ProductStep]] = {}
        self.at = {i: k for k, s in enumerate(self.steps) for i in _rows(s)}
        self.outputs = {v.index for v in variables(program.outputs)}
        self.readers: list[list[int]] = [[] for _ in range(program.n_variables)]
        for i, row in program.numbered():
            for j in set(row.parents):
                self.readers[j].append(i)

    def folded(self) -> list[Any]:
        for k, step in enumerate(self.steps):
            if isinstance(step, ProductStep):
                self._lengthen(k)
        for i, row in self.program.numbered():
            if row.function is functions.reduce and row.args[1:3] == (np.add, (0,)) and type(row.args[0]) is Var:
                self._sums(i, row.args[0].index)
        return [s for k, step in enumerate(self.steps) for s in (*self.ahead.get(k, ()), step) if s is not None]

    def row(self, i: int) -> Row:
        return self.program.rows[i - self.program.first]

    # ---- rows that follow a product

    def _lengthen(self, k: int) -> None:
        """Let a product take on the rows that read nothing else, as far as it pays."""
        longer: ProductStep | None = self.steps[k]
        best, taken = None, 0.0
        while longer is not None:
            gain = self._gain(self.steps[k], longer)
            if gain >= max(WORTH, taken):
                best, taken = longer, gain
            longer = self._next(longer)
        if best is not None:
            self._place(k, best, best.rows[1:])

    def _next(self, step: ProductStep) -> ProductStep | None:
        """The step with the one row that reads its result, if it can do that too."""
        if step.out in self.outputs or len(self.readers[step.out]) != 1 or step.relu:
            return None
        (i,) = self.readers[step.out]
        row, own = self.row(i), self.program.spec(step.out)
        if row.kwargs or row.ordered or row.out.shape != own.shape or row.out.dtype != own.dtype or row.out.kind != "array":
            return None
        grown = replace(step, rows=(*step.rows, i), out=i)
        for rule in (self._scaled, self._added, self._rectified):
            if (found := rule(step, grown, row)) is not None:
                return found
        return None

    def _scaled(self, step: ProductStep, grown: ProductStep, row: Row) -> ProductStep | None:
        if step.add is not None or step.bias is not None:
            return None
        if row.function is np.negative:
            return replace(grown, alpha=-step.alpha)
        if row.function not in (np.multiply, np.divide) or len(row.args) != 2:
            return None
        a, b = row.args
        other = b if is_var(a, step.out) else a
        factor = None if type(other) is Var or np.ndim(other) else uniform(other)
        if factor is None or not np.isfinite(factor) or (row.function is np.divide and (other is a or not factor)):
            return None
        return replace(grown, alpha=step.alpha * factor if row.function is np.multiply else step.alpha / factor)

    def _added(self, step: ProductStep, grown: ProductStep, row: Row) -> ProductStep | None:
        if row.function not in (np.add, np.subtract) or any(type(a) is not Var for a in row.args) or row.args[0] == row.args[1]:
            return None
        a, b = (v.index for v in row.args)
        other, first = (b, True) if a == step.out else (a, False)
        while (source := self.program.row(other)) is not None and source.function is functions.broadcast:
            other = source.args[0].index
        spec, own = self.program.spec(other), self.program.spec(step.out)
        if spec.dtype != own.dtype or spec.kind != "array":
            return None
        minus = row.function is np.subtract
        if spec.shape == own.shape and step.add is None and step.bias is None:
            return replace(grown, add=other, alpha=-step.alpha if minus and not first else step.alpha,
                           beta=-1 if minus and first else 1)
        if own.dtype.kind == "f" and own.shape and spec.shape and size(spec.shape) == spec.shape[-1] == own.shape[-1] \
                and not minus and step.bias is None and len(self._operand(step, 1).shape) > 1:
            return replace(grown, bias=other)
        return None

    def _rectified(self, _step: ProductStep, grown: ProductStep, row: Row) -> ProductStep | None:
        zero = [a for a in row.args if type(a) is not Var]
        if not self.relu or row.out.dtype.kind != "f" or row.function not in (np.maximum, np.fmax) or len(zero) != 1:
            return None
        return replace(grown, relu=True) if np.ndim(zero[0]) == 0 and zero[0] == 0 else None

    def _operand(self, step: ProductStep, k: int) -> Any:
        return self.program.spec(self.row(step.row).args[k].index)

    def _gain(self, old: ProductStep, new: ProductStep) -> float:
        """Seconds that it saves to let a product do all that the longer one does."""
        rows = set(new.rows) - set(old.rows)
        if not rows or self._position(old, new) is None:
            return 0.0
        nbytes = self.program.spec(new.out).nbytes
        places = {self.at.get(i) for i in rows}
        if len(places) != 1 or None in places:
            return 0.0
        (place,) = places
        node = self.steps[place]  # type: ignore[index]
        if isinstance(node, int):
            return LAUNCH + 2 * nbytes / BANDWIDTH
        if not isinstance(node, Node):
            return 0.0
        if self._real(node.rows) == rows:
            return LAUNCH + 2 * nbytes / BANDWIDTH
        if node.kind != "entries":
            return 0.0
        if any(set(part) == rows for part in node.parts):
            return 2 * nbytes / BANDWIDTH
        return nbytes / BANDWIDTH if new.out in node.writes else 0.0  # the kernel stays, and writes one array less

    def _real(self, rows: Sequence[int]) -> set[int]:
        return {i for i in rows if not is_view(self.row(i))}

    def _position(self, old: ProductStep, new: ProductStep) -> int | None:
        """Where the longer step can run: after what it reads is there, before anything reads what it writes."""
        first, done = self.program.first, set(new.rows)
        for place in sorted({self.at[old.row], *(self.at[i] for i in done if i in self.at)}):
            before = all(j < first or self._made(j) < place for j in new.reads(self.program) if j not in done)
            after = all(self.at.get(i, place + 1) > place or i in done or self._shares(i, place)
                        for j in new.writes for i in self._readers(j))
            if before and after:
                return place
        return None

    def _made(self, j: int) -> int:
        """The place of the step that makes a variable, or of what a view shows."""
        while j >= self.program.first and is_view(self.row(j)):
            j = self.row(j).args[0].index
        return self.at.get(j, -1)

    def _readers(self, j: int) -> list[int]:
        """The rows that read a variable or a view of it, and those views."""
        found = []
        for i in self.readers[j]:
            found += [i, *self._readers(i)] if is_view(self.row(i)) else [i]
        return found

    def _shares(self, i: int, place: int) -> bool:
        """Whether row i is in the node at a place, before which a product can run that the node then reads."""
        return isinstance(self.steps[place], Node) and i in self.steps[place].rows

    def _place(self, k: int, step: ProductStep, taken: Sequence[int]) -> None:
        """Put the longer step where it can run, and take its rows out of the node that had them."""
        place, source = self._position(self.steps[k], step), self.at[taken[0]]
        assert place is not None
        self.steps[k], self.steps[source] = None, _without(self.steps[source], set(taken), self._real)
        if self.steps[place] is None:
            self.steps[place] = step
        else:
            self.ahead.setdefault(place, []).append(step)
        self.at |= dict.fromkeys(step.rows, place)

    # ---- the sums of an operand

    def _sums(self, i: int, g: int) -> None:
        """Let a product that reads g give the sums of its columns, where the row that does is alone in its kernel."""
        place, spec = self.at.get(i), self.program.spec(g)
        if place is None or len(spec.shape) != 2 or spec.dtype.kind != "f" or self.row(i).out.dtype != spec.dtype:
            return
        node = self.steps[place]
        if not (node == i or (isinstance(node, Node) and self._real(node.rows) == {i})):
            return
        for j in [g, *(j for j in self.readers[g] if self._is_transpose(j, g))]:
            for product in self.readers[j]:
                k = self.at.get(product)
                if k is not None and isinstance(step := self.steps[k], ProductStep) and self._take_sums(k, step, i, j, j != g):
                    return

    def _take_sums(self, k: int, step: ProductStep, i: int, operand: int, of_rows: bool) -> bool:
        """Let a product sum its right operand's columns or its left operand's rows, where it can."""
        x, y = self.row(step.row).args
        if step.bias is not None or step.relu or step.sums is not None or (x if of_rows else y).index != operand \
                or any(len(self._operand(step, n).shape) != 2 for n in (0, 1)):
            return False
        grown = replace(step, rows=(*step.rows, i), sums=i, of_rows=of_rows)
        if self._position(step, grown) is None:
            return False
        self._place(k, grown, (i,))
        return True

    def _is_transpose(self, j: int, g: int) -> bool:
        row = self.program.row(j)
        return row is not None and row.function is functions.transpose and is_var(row.args[0], g) and row.args[1] == (1, 0)


def _product(program: Program, i: int) -> Any:
    """A single row as a step: a product of floating-point or complex arrays as ProductStep."""
    row = program.rows[i - program.first]
    if row.function is not np.matmul or row.kwargs or len(row.args) != 2 or any(type(a) is not Var for a in row.args):
        return i
    specs = [row.out, *(program.spec(a.index) for a in row.args)]
    known = all(s.kind in ("array", "scalar") and s.dtype == row.out.dtype and s.size for s in specs)
    return ProductStep(i, (i,), i) if known and row.out.dtype.name in DTYPES else i


def _rows(step: Any) -> tuple[int, ...]:
    return (step,) if isinstance(step, int) else step.rows


def _without(step: Any, taken: set[int], real: Callable[[Sequence[int]], set[int]]) -> Any:
    """What is left of a step whose rows a product took on; None where nothing is."""
    if isinstance(step, int) or real(step.rows) == taken:
        return None
    rows = tuple(i for i in step.rows if i not in taken)
    parts = tuple(part for p in step.parts if (part := tuple(i for i in p if i not in taken)))
    return replace(step, rows=rows, writes=tuple(i for i in step.writes if i not in taken), parts=parts)


__all__ = ["ProductStep", "fold"]
