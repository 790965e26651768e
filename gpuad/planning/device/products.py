"""A matrix product as a step of a device plan, with what it does beside the product in the same launch."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gpuad.planning.program import Program
from linalg.arrays import Array


@dataclass(frozen=True)
class ProductStep:
    """``out = alpha x @ y (+ beta add) (+ bias)``, then max(., 0) where ``relu``. ``row`` is that of x @ y, ``rows`` are all.

    ``out``, ``add``, ``bias`` are variables. ``sums`` is one too: the sums of y's columns or, where ``of_rows``, of x's rows.
    ``add`` may lie in the memory of ``out``; x, y and ``bias`` must not.
    """

    is_product = True

    row: int
    rows: tuple[int, ...]
    out: int
    alpha: complex = 1
    beta: complex = 1
    add: int | None = None
    bias: int | None = None
    relu: bool = False
    sums: int | None = None
    of_rows: bool = False

    @property
    def writes(self) -> tuple[int, ...]:
        """The variables that are stored."""
        return (self.out,) if self.sums is None else (self.out, self.sums)

    def reads(self, program: Program) -> list[int]:
        """The variables that it reads."""
        return [*program.rows[self.row - program.first].parents, *(i for i in (self.add, self.bias) if i is not None)]

    def bind(self, program: Program, arrays: Mapping[int, Array], workspace: Array) -> Callable[[], Any]:
        """A function of nothing that enqueues the product on CuPy's current stream, for arrays at fixed places.

        Where cuBLASLt does not do it all, it does the product, and CuPy's kernels the rest; operands without a contiguous axis
        are copied at each run. Where it does no product of them (or is not there), CuPy's matmul does, which no graph can hold.
        """
        from linalg.kernels.products import Product, Unsupported

        x, y = (arrays[a.index] for a in program.rows[self.row - program.first].args)
        out, add = arrays[self.out], None if self.add is None else arrays[self.add]
        bias, sums = (None if i is None else arrays[i].reshape(-1) for i in (self.bias, self.sums))
        scales: dict[str, Any] = {"alpha": self.alpha, "beta": self.beta, "add": add}
        more: dict[str, Any] = {"bias": bias, "relu": self.relu, "row_sums" if self.of_rows else "column_sums": sums}
        for copied in (False, True):
            left, right = (a.copy() if copied and not a.flags.c_contiguous else a for a in (x, y))
            copies = [partial(c.__setitem__, ..., a) for a, c in ((x, left), (y, right)) if c is not a]
            for epilogue, after in ((more, []), ({}, self._after(x, y, out, bias, sums))):
                try:
                    run = Product(left, right, out, workspace, **scales, **epilogue)
                except Unsupported:
                    continue
                return _Sequence([*copies, run, *after]) if copies or after else run
        return _Sequence([partial(_by_calls, x, y, out, **scales), *self._after(x, y, out, bias, sums)])

    def _after(self, x: Array, y: Array, out: Array, bias: Array | None, sums: Array | None) -> list[Callable[[], Any]]:
        """What the epilogue does, by CuPy's kernels."""
        found: list[Callable[[], Any]] = []
        if sums is not None:
            found.append(partial(x.sum, axis=1, out=sums) if self.of_rows else partial(y.sum, axis=0, out=sums))
        if bias is not None:
            found.append(partial(np.add, out, bias, out=out))
        if self.relu:
            found.append(partial(np.maximum, out, 0, out=out))
        return found


class _Sequence:
    """Functions of nothing, one after another."""

    def __init__(self, parts: list[Callable[[], Any]]):
        self.parts = parts

    def __call__(self) -> None:
        for part in self.parts:
            part()


def _by_calls(x: Array, y: Array, out: Array, alpha: complex, beta: complex, add: Array | None) -> None:
    total = np.matmul(x, y)
    if alpha != 1:
        total = total * out.dtype.type(alpha)
    if add is not None:
        total = total + (add if beta == 1 else add * out.dtype.type(beta))
    out[...] = total


__all__ = ["ProductStep"]
