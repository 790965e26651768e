"""Transposed, reshaped and broadcast arrays: views of views are one view, and what can read x directly does."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gpuad.leaves import seed
from gpuad.planning import functions
from gpuad.planning.passes.facts import (
    broadcast_shape,
    inverse,
    is_elementwise,
    is_plain_product,
    is_strided,
    same_spec,
    transposed_shape,
)
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var
from linalg.arrays import Shape

DEEPEST = 4
"""Elementwise rows, one inside the other, through which a transposition is moved; more would make that more than linear."""


def views(program: Program) -> Program:
    """The program with fewer views, and those where products read them: BLAS takes transposed matrices as they lie."""
    return rewrite(program, {"views": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    special = RULES.get(id(row.function))
    if special is not None:
        return special(row, new) if not row.kwargs else None
    return _elementwise(row, new) if is_elementwise(row) else None


def _made_by(x: Any, function: Callable[..., Any], new: Rewriter) -> Row | None:
    """The row that made x, where it is a plain call of a function."""
    row = new.row(x)
    return row if row is not None and row.function is function and row.errors is None and not row.kwargs else None


# ---- views of views

def _transpose(row: Row, new: Rewriter) -> Any:
    x, axes = row.args
    if axes == tuple(range(len(axes))) and same_spec(x, row.out, new):
        return x
    if (inner := _made_by(x, functions.transpose, new)) is not None:
        y, before = inner.args
        return _transposed(y, tuple(before[i] for i in axes), row.out, new)
    if _moves_only_ones(new.spec_of(x).shape, axes) and not is_strided(x, new):
        return Row(functions.reshape, (x, row.out.shape), {}, row.out)
    return _transposed_product(x, axes, row, new) or _transposed_elementwise(x, axes, new)


def _transposed(y: Any, axes: Shape, out: Spec, new: Rewriter) -> Any:
    """y or a row that transposes it."""
    return y if axes == tuple(range(len(axes))) and same_spec(y, out, new) else Row(functions.transpose, (y, axes), {}, out)


def _moves_only_ones(shape: Shape, axes: Shape) -> bool:
    """Whether a transposition leaves the axes longer than 1 in their order."""
    long = [i for i in axes if shape[i] != 1]
    return long == sorted(long)


def _reshape(row: Row, new: Rewriter) -> Any:
    x, shape = row.args
    if same_spec(x, row.out, new):
        return x
    inner = _made_by(x, functions.reshape, new)
    if inner is None:
        return None
    y = inner.args[0]
    return y if same_spec(y, row.out, new) else Row(functions.reshape, (y, shape), {}, row.out)


def _broadcast(row: Row, new: Rewriter) -> Any:
    x, shape = row.args
    if same_spec(x, row.out, new):
        return x
    inner = _made_by(x, functions.broadcast, new)
    return None if inner is None else Row(functions.broadcast, (inner.args[0], shape), {}, row.out)


def _getitem(row: Row, new: Rewriter) -> Any:
    """x[:, None] is a reshaped x; ``asarray(x)[()]`` is x."""
    x, index = row.args
    if row.out.kind == "array" and index and new.spec_of(x).kind == "array" and all(
            p is None or p is Ellipsis or (type(p) is slice and p.start is p.stop is p.step is None) for p in index):
        if same_spec(x, row.out, new):
            return x
        return None if is_strided(x, new) else Row(functions.reshape, (x, row.out.shape), {}, row.out)
    inner = _made_by(x, functions.convert, new) if index == () else None
    return inner.args[0] if inner is not None and same_spec(inner.args[0], row.out, new) else None


def _convert(row: Row, new: Rewriter) -> Any:
    """``asarray(x[()])`` is x; what is an array, or a scalar, already is left as it is."""
    x, kind = row.args
    if kind is not np.asarray and not (isinstance(kind, type) and issubclass(kind, np.generic)):
        return None
    if same_spec(x, row.out, new):
        return x
    inner = _made_by(x, functions.getitem, new)
    return inner.args[0] if inner is not None and inner.args[1] == () and same_spec(inner.args[0], row.out, new) else None


# ---- transpositions move through products and elementwise rows

def _transposed_product(x: Any, axes: Shape, row: Row, new: Rewriter) -> Any:
    """(A B)ᵀ = Bᵀ Aᵀ, where only the transposed product is read."""
    product = _made_by(x, np.matmul, new)
    if product is None or axes != (1, 0) or not new.read_once(x) or not is_plain_product(product, new):
        return None
    a, b = product.args
    return Row(np.matmul, (_flipped(b, new), _flipped(a, new)), {}, row.out)


def _flipped(x: Any, new: Rewriter) -> Any:
    """The transpose of a matrix."""
    if type(x) is not Var:
        return x.T
    if (inner := _made_by(x, functions.transpose, new)) is not None:
        return inner.args[0]
    spec = new.spec(x.index)
    return new.call(functions.transpose, x, (1, 0), out=Spec(spec.shape[::-1], spec.dtype))


def _transposed_elementwise(x: Any, axes: Shape, new: Rewriter) -> Any:
    """f(Aᵀ, Bᵀ)ᵀ = f(A, B), where only the transposed result is read."""
    make = _untransposed(x, inverse(axes), new)
    return make() if make is not None else None


def _untransposed(x: Any, axes: Shape, new: Rewriter, depth: int = DEEPEST) -> Callable[[], Any] | None:
    """What makes the array, or the row, whose transpose x is, from arrays whose transposes are there; None where they are not."""
    row = new.row(x)
    if row is None or not depth or not new.read_once(x) or not is_elementwise(row) or row.errors is not None:
        return None
    makers = _operands(row, axes, new, depth)
    return None if makers is None else partial(_made, row, makers, axes)


def _operands(row: Row, axes: Shape, new: Rewriter, depth: int) -> list[Callable[[], Any]] | None:
    """For each operand of an elementwise row what makes the operand whose transpose it is; None unless one is transposed."""
    makers: list[Callable[[], Any]] = []
    n = 0
    for a in row.args:
        inner = _made_by(a, functions.transpose, new)
        if new.spec_of(a).shape == ():
            makers.append(partial(_itself, a))
        elif inner is not None and inner.args[1] == axes:
            makers.append(partial(_itself, inner.args[0]))
            n += 1
        elif type(a) is np.ndarray and a.ndim == len(axes):
            makers.append(partial(a.transpose, inverse(axes)))
        elif (make := _untransposed(a, axes, new, depth - 1)) is not None:
            makers.append(lambda make=make: new.add(make()))  # type: ignore[misc]
            n += 1
        else:
            return None
    return makers if n else None


def _itself(x: Any) -> Any:
    return x


def _made(row: Row, makers: list[Callable[[], Any]], axes: Shape) -> Row:
    """An elementwise row of other operands, whose result's transpose is the row's own."""
    out = Spec(transposed_shape(row.out.shape, inverse(axes)), row.out.dtype)
    return Row(row.function, tuple(make() for make in makers), {}, out)


# ---- elementwise rows

def _elementwise(row: Row, new: Rewriter) -> Any:
    if row.out.kind != "array" or not row.out.shape:
        return None
    return _unbroadcast(row, new) or _of_transposes(row, new)


def _unbroadcast(row: Row, new: Rewriter) -> Row | None:
    """The row with its broadcast operands read as they were before, where its result's shape stays."""
    args = list(row.args)
    for k, x in enumerate(args):
        inner = _made_by(x, functions.broadcast, new)
        if inner is None or new.spec_of(inner.args[0]).kind == "number":  # a number would promote otherwise
            continue
        others = [*args[:k], inner.args[0], *args[k + 1:]]
        if broadcast_shape(others, new) == row.out.shape:
            args = others
    return Row(row.function, tuple(args), {}, row.out) if any(a is not b for a, b in zip(args, row.args, strict=True)) else None


def _of_transposes(row: Row, new: Rewriter) -> Row | None:
    """f(Aᵀ, Bᵀ) as f(A, B)ᵀ, where that removes rows: two transposes at least that nothing else reads."""
    read = [v for v in row.args if type(v) is Var]
    inner = [made for a in set(read)
             if (made := _made_by(a, functions.transpose, new)) is not None and new.reads[a.index] == read.count(a)]
    if len(inner) < 2:
        return None
    axes = inner[0].args[1]
    makers = _operands(row, axes, new, 1)
    return None if makers is None else Row(functions.transpose, (new.add(_made(row, makers, axes)), axes), {}, row.out)


def _seed(row: Row, new: Rewriter) -> Any:
    """What was recorded so that all that meets it is recorded too."""
    return row.args[0] if same_spec(row.args[0], row.out, new) else None


def _reduce(row: Row, new: Rewriter) -> Any:
    """The sum of a transposed array is a sum of the array over other axes."""
    x, ufunc, axes, keepdims = row.args
    inner = _made_by(x, functions.transpose, new)
    if inner is None or keepdims:
        return None
    y, order = inner.args
    rest = [order[i] for i in range(len(order)) if i not in axes]
    if rest != sorted(rest):
        return None
    return Row(functions.reduce, (y, ufunc, tuple(sorted(order[i] for i in axes)), keepdims), {}, row.out)


RULES: dict[int, Callable[[Row, Rewriter], Any]] = {id(f): rule for f, rule in (
    (functions.transpose, _transpose), (functions.reshape, _reshape), (functions.broadcast, _broadcast),
    (functions.getitem, _getitem), (functions.convert, _convert), (functions.reduce, _reduce),
    (seed, _seed))}
"""By identity: what a row calls need not have a hash."""
