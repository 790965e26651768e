"""What passes ask about rows, arguments and constants."""
from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.program import Builder, Program, Row, Spec, Var, spec_of
from linalg.arrays import Shape


class Specs:
    """The specs of a program's arguments, looked up as a Builder does."""

    def __init__(self, program: Program):
        self.spec = program.spec

    def spec_of(self, x: Any) -> Spec:
        """The spec of a variable or a constant."""
        return self.spec(x.index) if type(x) is Var else spec_of(x)


NUMBERS = {bool, int, float, complex}
"""Python's numbers."""

OPERANDS = NUMBERS | {Var, np.ndarray}
"""Types of operands, beside NumPy's scalars."""


def is_elementwise(row: Row) -> bool:
    """Whether a row is a plain call of a ufunc, or a choice, entry by entry: its arguments broadcast to its one result."""
    f = row.function
    if row.kwargs or not (f is functions.select or (type(f) is np.ufunc and f.nout == 1 and f.signature is None)):
        return False
    return row.out.kind in ("array", "scalar") and all(map(is_operand, row.args))


def is_operand(x: Any) -> bool:
    """Whether an argument is a variable, a NumPy array or scalar, or a number."""
    return type(x) in OPERANDS or isinstance(x, np.generic)


def same_spec(x: Any, out: Spec, new: Builder) -> bool:
    """Whether a value is of the kind, shape and dtype of a result, so that it can take its place."""
    return new.spec_of(x) == out


def broadcast_shape(args: Any, new: Builder) -> Shape:
    """The shape that operands broadcast to."""
    return np.broadcast_shapes(*(new.spec_of(a).shape for a in args))


def is_float(dtype: Any) -> bool:
    """Whether a dtype is float32 or float64."""
    return dtype is not None and dtype.char in "fd" and dtype.isnative


def is_inexact(dtype: Any) -> bool:
    """Whether a dtype is float32, float64, complex64 or complex128."""
    return dtype is not None and dtype.char in "fdFD" and dtype.isnative


def is_strided(x: Any, new: Builder) -> bool:
    """Whether x is a view of other strides than its own array would have, so that reshaping it may copy it."""
    row = new.row(x)
    if row is not None and row.function is functions.getitem and all(type(p) is int for p in row.args[1]):
        return is_strided(row.args[0], new)
    return row is not None and (row.function is functions.getitem or row.function in functions.VIEWS - {functions.reshape})


def is_normal(c: Any, dtype: np.dtype) -> bool:
    """Whether a dtype is float or complex, and a number neither zero nor infinite nor subnormal in it."""
    if not is_inexact(dtype):
        return False
    least, most = _limits(dtype.char)
    return least <= math.hypot(c.real, c.imag) <= most


@cache
def _limits(char: str) -> tuple[float, float]:
    """The least and the greatest normal number of a dtype."""
    info = np.finfo(char)
    return float(info.tiny), float(info.max)


def has_dtype(x: Any, dtype: np.dtype, new: Builder) -> bool:
    """Whether x is a variable of a dtype that Python's numbers do not change."""
    return type(x) is Var and new.spec(x.index).kind != "number" and new.spec(x.index).dtype == dtype


def is_product(row: Row | None) -> bool:
    """Whether a row is a plain product of matrices or vectors of one dtype, float or complex."""
    return row is not None and row.function is np.matmul and not row.kwargs and row.errors is None \
        and is_inexact(row.out.dtype) and all(map(is_operand, row.args))


def is_plain_product(row: Row | None, new: Builder | Specs) -> bool:
    """Whether a row is a product of two operands of one or two axes, of the result's dtype."""
    return is_product(row) and all(1 <= len(s.shape) <= 2 and s.dtype == row.out.dtype  # type: ignore[union-attr]
                                   for s in map(new.spec_of, row.args))  # type: ignore[union-attr]


def uniform(x: Any) -> Any:
    """The number that all entries of a constant are, as a NumPy scalar or a number; None where they differ."""
    if type(x) in NUMBERS or isinstance(x, np.generic):
        return x
    if type(x) is not np.ndarray or not x.size or x.dtype.kind not in "biufc":
        return None
    one = x[(slice(0, 1),) * x.ndim]
    if x.size > 1 and any(step for step, n in zip(x.strides, x.shape, strict=True) if n > 1):  # else one entry is repeated
        last = x[(slice(-1, None),) * x.ndim]
        if last.tobytes() != one.tobytes() or not _all_equal(x, one):
            return None
    return one.reshape(())[()]


def _all_equal(x: np.ndarray, one: np.ndarray) -> bool:
    """Whether all entries are one number; zeros of both signs are two numbers, and NaN is none."""
    if not bool(np.equal(x, one).all()):
        return False
    if one.ravel()[0] != 0 or x.dtype.kind not in "fc":
        return True
    parts = [(x.real, one.real), (x.imag, one.imag)] if x.dtype.kind == "c" else [(x, one)]
    return all(bool((np.signbit(a) == np.signbit(b)).all()) for a, b in parts)


def own_bytes(x: Any) -> int:
    """Bytes of the distinct entries of a constant: a broadcast array has few."""
    if type(x) is not np.ndarray:
        return 0
    return x.itemsize * int(np.prod([n for n, step in zip(x.shape, x.strides, strict=True) if step or not n], dtype=int))


def frozen(x: Any) -> Any:
    """A constant that nobody can write to."""
    if type(x) is np.ndarray and x.flags.writeable:
        x = x.view()
        x.flags.writeable = False
    return x


def transposed_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape of ``x.transpose(axes)`` for x of a shape."""
    return tuple(shape[i] for i in axes)


def inverse(axes: Shape) -> Shape:
    """The permutation that undoes one."""
    return tuple(int(i) for i in np.argsort(axes))
