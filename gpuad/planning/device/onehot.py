"""Entries that are picked from rows by a class number, x[arange(n), y], as sums over rows: kernels then take them along.

A gather reads what other threads compute, so that a kernel would have to end before it. Of short rows it is quicker to look at
every entry: x[arange(n), y] is the sum over a row of x where the column is y and zero elsewhere, and its adjoint puts a value
where the column is y and zeros elsewhere. Both are exact.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.program import Builder, Program, Row, Spec, Var
from linalg.arrays import Shape, is_cupy, to_host

MOST = 4096
"""Columns up to which all are looked at."""


def one_hot(program: Program) -> Program:
    """The program with sums and choices for such rows."""
    new, masks = Builder(program), dict[tuple[Var, int], Var]()
    for row in program.rows:
        row = row.renamed(new.names)
        new.names.append(_picked(row, new, masks) or _placed(row, new, masks) or new.add(row))
    return new.finish() if masks else program


def _picked(row: Row, new: Builder, masks: dict[tuple[Var, int], Var]) -> Var | None:
    """``x[arange(n), y]``."""
    if row.function is not functions.getitem or type(row.args[0]) is not Var or new.row(row.args[0]) is None:
        return None
    x, index = row.args
    spec = new.spec(x.index)
    if spec.dtype.kind not in "fc" or (y := _classes(index, spec.shape, new)) is None:
        return None
    mask = _mask(y, spec.shape, new, masks)
    chosen = new.add(Row(functions.select, (mask, x, spec.dtype.type(0)), {}, spec))
    return new.add(Row(functions.reduce, (chosen, np.add, (1,), False), {}, row.out))


def _placed(row: Row, new: Builder, masks: dict[tuple[Var, int], Var]) -> Var | None:
    """Zeros, to which values are added at ``[arange(n), y]``."""
    if row.function is not functions.scatter_add:
        return None
    v, index, shape = row.args
    spec = new.spec_of(v)
    if spec.shape != shape[:1] or spec.dtype != row.out.dtype or (y := _classes(index, shape, new)) is None:
        return None
    if type(v) is Var:
        column: Any = new.add(Row(functions.reshape, (v, (shape[0], 1)), {}, Spec((shape[0], 1), spec.dtype)))
    else:
        column = v.reshape(shape[0], 1)
    mask = _mask(y, shape, new, masks)
    return new.add(Row(functions.select, (mask, column, spec.dtype.type(0)), {}, row.out))


def _classes(index: Any, shape: Shape, new: Builder) -> Var | None:
    """y, where an index is (arange(n), y) for a matrix of n short rows."""
    if len(shape) != 2 or type(index) is not tuple or len(index) != 2 or not 0 < shape[1] <= MOST:
        return None
    numbers, y = index
    if type(y) is not Var or new.spec(y.index).shape != shape[:1] or new.spec(y.index).dtype.kind not in "iu":
        return None
    if not (isinstance(numbers, np.ndarray) or is_cupy(numbers)) or numbers.shape != shape[:1] or numbers.dtype.kind not in "iu":
        return None
    return y if np.array_equal(to_host(numbers), np.arange(shape[0])) else None


def _mask(y: Var, shape: Shape, new: Builder, masks: dict[tuple[Var, int], Var]) -> Var:
    """Whether the column is y, for each entry; negative numbers count from the end."""
    n, columns = shape
    if (y, columns) not in masks:
        dtype = np.dtype(np.int64)
        column = new.add(Row(functions.reshape, (y, (n, 1)), {}, Spec((n, 1), new.spec(y.index).dtype)))
        whole = new.add(Row(functions.cast, (column, dtype), {}, Spec((n, 1), dtype)))
        wrapped = new.add(Row(np.remainder, (whole, columns), {}, Spec((n, 1), dtype)))
        numbers = np.arange(columns)
        numbers.flags.writeable = False
        masks[y, columns] = new.add(Row(np.equal, (wrapped, numbers), {}, Spec(shape, np.dtype(bool))))
    return masks[y, columns]
