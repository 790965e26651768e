"""Program: the rows of a traced function, in order.

Row i holds what is needed to write the differential of one operation, dx_i = Σ_j E_ij dx_j: which earlier variables it
read, and the values that its rule names. The rows of a finished program are the block rows of (I − L) dx = D dP.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpuad.errors import LeakedTraceError
from gpuad.traced import TracedArray
from linalg.arrays import Array, Shape, snapshot

if TYPE_CHECKING:
    from gpuad.primitive import Primitive

_levels = itertools.count()


class Row(NamedTuple):
    """One operation: ``parents`` are (position, variable) pairs of its traced arguments.

    ``args`` and ``out`` hold the values that the differential uses; the others are None and are not kept alive.
    """

    primitive: Primitive | None
    parents: list[tuple[int, int]]
    args: list[Any]
    kwargs: dict[str, Any]
    out: Any
    shape: Shape
    dtype: Any


_make_row: Callable[..., Row] = lambda *fields, _new=tuple.__new__: _new(Row, fields)  # noqa: E731


class Program:
    """The record of one function call. Variables are numbered: inputs first, then one for each row.

    Recording is safe from several threads: a variable draws its number before anything can depend on it.
    """

    __slots__ = ("_number", "level", "n_inputs", "rows")

    def __init__(self) -> None:
        self.level = next(_levels)  # a program that is traced inside another one is younger
        self.rows: dict[int, Row] | None = {}
        self._number = itertools.count()
        self.n_inputs = 0

    def input(self, value: Array) -> TracedArray:
        """A traced array that stands for an input with this value."""
        index = self.n_inputs = next(self._number)
        self.n_inputs += 1
        self.rows[index] = Row(None, [], [], {}, None, value.shape, value.dtype)  # type: ignore[index]
        return TracedArray(value, self, index, False)

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TracedArray:
        """Run a primitive on the values of its arguments and append its row."""
        values = list(args)
        parents = []
        mask = 0
        for position, a in enumerate(args):
            if type(a) is TracedArray and a.program is self:
                values[position] = a.value
                parents.append((position, a.index))
                mask |= 1 << position
        out = primitive.fun(*values, **kwargs)
        return self.append(primitive, args, values, parents, mask, kwargs, out, out)

    def append(self, primitive: Primitive, args: tuple[Any, ...], values: list[Any], parents: list[tuple[int, int]],
               mask: int, kwargs: dict[str, Any], value: Array, out: Any) -> TracedArray:
        """Append the row of an operation that has run: ``value`` is its result, ``out`` what its rule calls y."""
        rows = self.rows
        if rows is None:
            raise LeakedTraceError(primitive.name)
        try:
            keep_out, keep = primitive.saves[mask]
        except KeyError:
            keep_out, keep = primitive.find_saves(mask, len(args))
        saved: list[Any] = [None] * len(args)
        for position in keep:
            saved[position] = self._own(args[position], values[position])
        owned = primitive.fresh or (value.base is None and value is not values[0]) or all(
            type(a) is TracedArray and a.owned for a in args)
        if keep_out and not owned:
            out = snapshot(out)
        index = next(self._number)
        rows[index] = _make_row(primitive, parents, saved, kwargs, out if keep_out else None, value.shape, value.dtype)
        return TracedArray(value, self, index, owned)

    def _own(self, arg: Any, value: Any) -> Any:
        """A value that nobody else can change: ours already, or copied (once for an input)."""
        if type(arg) is not TracedArray:
            return snapshot(np.asarray(value) if type(value) in (list, tuple) else value)
        if not arg.owned and arg.program is self:
            arg.value = value = snapshot(value)
            arg.owned = True
        return value

    def close(self) -> list[Row]:
        """End the trace: hand out the rows, let no traced array record any more."""
        rows, self.rows = self.rows, None
        return [rows[i] for i in range(len(rows))] if rows else []
