"""Program: the rows of a traced function, in order.

Row i holds what is needed to write the differential of one operation, dx_i = Σ_j E_ij dx_j: which earlier variables it
read, and the values that its rule names. The rows of a finished program are the block rows of (I − L) dx = D dP.
"""
from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpuad.traced import TracedArray, settled
from linalg.arrays import Array, Shape, is_borrowing, snapshot

if TYPE_CHECKING:
    from gpuad.differential import Primitive

_levels = itertools.count()


class Row(NamedTuple):
    """One operation: ``parents`` are the variables that its arguments are, −1 for a constant.

    ``args`` and ``out`` hold the values that the differential uses; the others are None and are not kept alive.
    """

    primitive: Primitive | None
    parents: Sequence[int]
    args: list[Any]
    kwargs: dict[str, Any]
    out: Any
    shape: Shape
    dtype: Any

    @property
    def label(self) -> str:
        """What the row is called in pictures."""
        return self.primitive.label(self.kwargs) if self.primitive is not None else "input"


Rows = Sequence[Row] | dict[int, Row]
"""Rows by variable."""

new_row = tuple.__new__  # a third of the time of Row(...)


class Program:
    """The record of one function call. Variables are numbered: inputs first, then one for each row.

    Recording is safe from several threads: a variable draws its number before anything can depend on it.
    """

    __slots__ = ("level", "n_inputs", "numbers", "rows")

    def __init__(self) -> None:
        self.level = next(_levels)  # a program that is traced inside another one is younger
        _open.programs += 1
        self.rows: dict[int, Row] | None = {}
        self.numbers = itertools.count()
        self.n_inputs = 0

    def input(self, value: Array) -> TracedArray:
        """A traced array that stands for an input with this value.

        The value is copied, unless it is read-only: what the caller does to the array later changes nothing here.
        """
        value = snapshot(value)
        index = next(self.numbers)
        self.n_inputs = index + 1
        self.rows[index] = new_row(Row, (None, (), (), None, None, value.shape, value.dtype))  # type: ignore[index]
        return TracedArray(value, self, index)

    @contextmanager
    def reopened(self, known: dict[int, Row]) -> Iterator[None]:
        """Let the arrays of a closed program record once more, behind rows that are known, under numbers that follow."""
        before, self.rows = self.rows, dict(known)
        _open.programs += 1
        try:
            yield
        finally:
            self.rows = before
            _open.programs -= 1

    def close(self) -> dict[int, Row]:
        """End the trace: hand out the rows by variable, let no traced array record any more."""
        rows, self.rows = self.rows, None
        _open.programs -= 1
        return rows or {}


class _Open(threading.local):
    programs = 0


_open = _Open()


def is_tracing() -> bool:
    """Whether this thread is within a function that is traced, to be differentiated or planned."""
    return _open.programs > 0 or is_borrowing()


def compact(value: Any) -> Any:
    """A value that is kept until the solve: a few entries of a much larger array are copied, so as not to keep all of that.

    Loops that fill an array entry by entry replace it at each step: they would keep one whole array for each.
    """
    whole = getattr(value, "value", value)  # of a plan's array
    base = getattr(whole, "base", None)
    if type(whole) is TracedArray or not isinstance(base, np.ndarray) or base.size < 8 * whole.size:
        return value
    return +value if value.dtype.kind in "fc" else value


def own(constant: Any) -> Any:
    """A constant that nobody else can change."""
    kind = type(constant)
    if kind is float or kind is int:
        return constant
    if kind is np.ndarray:
        return snapshot(constant)
    return snapshot(np.asarray(constant) if kind in (list, tuple) else settled(constant))
