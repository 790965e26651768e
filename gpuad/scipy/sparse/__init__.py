"""``scipy.sparse``, differentiable: matrices whose entries are under differentiation, at places that are fixed.

``csr_array``, ``csc_array``, ``coo_array``, ``dia_array``, ``diags_array`` and their older kin (``csr_matrix``, ``diags``, …)
give a :class:`SparseArray` where the entries are traced or belong to a plan, and SciPy's own object where all is plain. SciPy's
own matrices are constants: ``A @ x``, ``x @ A``, ``c * A`` take traced arrays x and c. Entries that a matrix does not have are
zero, and constant.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

import gpuad.numpy
from gpuad.errors import ArrayConversionError, PlanError
from gpuad.operands import KINDS, attach
from gpuad.primitives.sparse import Pattern, is_sparse
from gpuad.scipy.namespace import ScipyNamespace
from gpuad.scipy.sparse import linalg
from gpuad.scipy.sparse.arrays import SparseArray, as_sparse
from gpuad.traced import raw, stand_in
from linalg.arrays import is_array, is_cupy, sparse_module, to_host

namespace = ScipyNamespace("sparse")

KINDS.add(SparseArray)
attach({"add": "radd", "sub": "rsub", "mul": "rmul", "radd": "add", "rsub": "sub"})


def _constructor(name: str) -> Callable[..., Any]:
    form, matrix = name[:3], name.endswith("matrix")

    def construct(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False, **options: Any) -> Any:
        if type(arg1) is SparseArray:
            result = SparseArray(arg1.data, arg1.pattern, matrix).asformat(form)
        elif stand_in([arg1]) is None:
            leaf = arg1[0] if isinstance(arg1, tuple) else arg1
            kind = f"{form}_matrix" if is_cupy(leaf) else name
            return getattr(sparse_module(leaf), kind)(arg1, shape, dtype, copy, **options)
        else:
            result = _made(name, form, arg1, shape, matrix)
        return result if dtype is None else result.astype(dtype)

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = (f"``scipy.sparse.{name}`` of (data, indices, indptr) or (data, (rows, columns)), whose data may be "
                         "under differentiation; the places are plain integers.")
    return construct


def _made(name: str, form: str, given: Any, shape: Any, matrix: bool) -> SparseArray:
    """A SparseArray from what SciPy's constructors take, whose data stand in for an array."""
    if not isinstance(given, tuple) or len(given) not in (2, 3) or not (is_array(given[0]) or isinstance(given[0], list)):
        raise ArrayConversionError(f"{name} of a full array under differentiation (or of a plan) would read from its values "
                                   f"which of them are kept: give the places, {name}((data, (rows, columns)), shape)")
    data, *places = given
    places = list(places[0]) if len(places) == 1 else places
    if (found := stand_in(places)) is not None:
        kind = ArrayConversionError if type(found).__name__ == "TracedArray" else PlanError
        raise kind(f"{name}: expected the places of the entries as plain integers, got an array under differentiation or of a "
                   "plan: the pattern is fixed. Take them from outside of the function, or as static_argnums of the plan")
    data = data if is_array(data) else gpuad.numpy.asarray(data)
    if data.ndim != 1:
        raise ValueError(f"{name} expected its entries with one axis, got shape {data.shape}")
    places = [to_host(np.asarray(p) if isinstance(p, (list, tuple)) else p) for p in places]
    pair = isinstance(given[1], (list, tuple)) and len(given) == 2
    numbers = np.ones(data.shape)
    if pair or form == "coo":
        known = scipy.sparse.coo_array((numbers, tuple(places)), shape)
        return SparseArray(data, Pattern("coo", known.coords, known.shape), matrix).asformat(form)
    known = getattr(scipy.sparse, f"{form}_array")((numbers, *places), shape)  # which checks them
    return SparseArray(data, Pattern(form, (known.indices, known.indptr), known.shape), matrix)


csr_array, csc_array, coo_array = (_constructor(f"{form}_array") for form in ("csr", "csc", "coo"))
csr_matrix, csc_matrix, coo_matrix = (_constructor(f"{form}_matrix") for form in ("csr", "csc", "coo"))


def _diagonals(name: str, diagonals: Any, offsets: Any, shape: Any, aligned: bool) -> SparseArray:
    """A matrix from its diagonals; ``aligned`` as in format dia, where entry j of each stands in column j."""
    offsets = np.atleast_1d(to_host(offsets)).astype(int)
    if np.ndim(offsets) != 1 or len(set(offsets.tolist())) < len(offsets):
        raise ValueError(f"{name} expected different offsets, got {offsets}")
    if len(offsets) == 1 and (_numbers(diagonals) or (is_array(diagonals) and diagonals.ndim == 1)):
        diagonals = [diagonals]
    lines = [np.reshape(gpuad.numpy.asarray(d), -1) for d in diagonals]
    if len(lines) != len(offsets):
        raise ValueError(f"{name} expected one offset for each diagonal, got {len(lines)} diagonals and {len(offsets)} offsets")
    if shape is None:
        n = lines[0].shape[0] + abs(int(offsets[0]))
        shape = (n, n)
    m, n = shape
    data, rows, columns = [], [], []
    for line, k in zip(lines, offsets.tolist(), strict=True):
        length = min(m + min(k, 0), n - max(k, 0))
        at = np.arange(max(length, 0))
        first = max(k, 0) if aligned else 0
        if length <= 0 or (not aligned and line.shape[0] not in (1, length)):
            raise ValueError(f"{name} expected a diagonal of {length} entries at offset {k} of a matrix {shape}, got "
                             f"{line.shape[0]}")
        kept = at[at + first < line.shape[0]] if aligned else at
        data.append(line[first: first + len(kept)] if line.shape[0] != 1 or aligned else np.broadcast_to(line, (length,)))
        rows.append(kept + max(-k, 0))
        columns.append(kept + max(k, 0))
    pattern = Pattern("coo", (np.concatenate(rows), np.concatenate(columns)), shape)
    return SparseArray(np.concatenate(data), pattern).tocsr()


def _numbers(x: Any) -> bool:
    """Whether x is a list of numbers: one diagonal, not several."""
    return isinstance(x, (list, tuple)) and all(np.ndim(raw(part)) == 0 for part in x)


def diags_array(diagonals: Any, /, *, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None) -> Any:  # noqa: A002 (SciPy's name)
    """``scipy.sparse.diags_array``: a matrix from its diagonals, which may be under differentiation; in format csr then."""
    if stand_in([diagonals]) is None:
        options = {} if dtype is None else {"dtype": dtype}
        return scipy.sparse.diags_array(diagonals, offsets=offsets, shape=shape, format=format, **options)
    made = _diagonals("diags_array", diagonals, offsets, shape, aligned=False).asformat(format)
    return made if dtype is None else made.astype(dtype)


def diags(diagonals: Any, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None) -> Any:  # noqa: A002 (SciPy's name)
    """``scipy.sparse.diags``: as ``diags_array``, for a matrix of which * is the matrix product."""
    if stand_in([diagonals]) is None:
        options = {} if dtype is None else {"dtype": dtype}
        return scipy.sparse.diags(diagonals, offsets, shape, format, **options)
    made = diags_array(diagonals, offsets=offsets, shape=shape, format=format, dtype=dtype)
    return SparseArray(made.data, made.pattern, True)


def dia_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> Any:
    """``scipy.sparse.dia_array`` of (data, offsets), whose data may be under differentiation; in format csr then."""
    if stand_in([arg1]) is None:
        return scipy.sparse.dia_array(arg1, shape, dtype, copy)
    if not isinstance(arg1, tuple) or len(arg1) != 2 or shape is None:
        raise ValueError("dia_array expected (data, offsets) and a shape")
    made = _diagonals("dia_array", list(arg1[0]), arg1[1], shape, aligned=True)
    return made if dtype is None else made.astype(dtype)


def block_array(blocks: Any, *, format: Any = None, dtype: Any = None) -> Any:  # noqa: A002 (SciPy's name)
    """``scipy.sparse.block_array``: a matrix of matrices, some of them under differentiation; None stands for zeros."""
    flat = [block for row in blocks for block in row]
    if not any(type(block) is SparseArray for block in flat) and stand_in(flat) is None:
        return scipy.sparse.block_array(blocks, format=format, dtype=dtype)
    table = [[None if block is None else as_sparse(block) for block in row] for row in blocks]
    heights = [_length([block for block in row if block is not None], 0) for row in table]
    widths = [_length([block for block in column if block is not None], 1) for column in zip(*table, strict=True)]
    firsts = [np.cumsum([0, *lengths]) for lengths in (heights, widths)]
    placed = [(block, firsts[0][i], firsts[1][j]) for i, row in enumerate(table) for j, block in enumerate(row)
              if block is not None]
    rows = np.concatenate([block.coords[0] + i for block, i, _ in placed])
    columns = np.concatenate([block.coords[1] + j for block, _, j in placed])
    data = np.concatenate([block.data for block, _, _ in placed])
    made = SparseArray(data, Pattern("coo", (rows, columns), (int(firsts[0][-1]), int(firsts[1][-1])))).asformat(format)
    return made if dtype is None else made.astype(dtype)


def _length(blocks: list[SparseArray], axis: int) -> int:
    lengths = {block.shape[axis] for block in blocks}
    if len(lengths) != 1:
        raise ValueError(f"block_array expected blocks of one {'width' if axis else 'height'}, at least one, in each "
                         f"{'column' if axis else 'row'}, got {sorted(lengths)}")
    return lengths.pop()


def hstack(blocks: Any, format: Any = None, dtype: Any = None) -> Any:  # noqa: A002 (SciPy's name)
    """``scipy.sparse.hstack``: matrices side by side, some of them under differentiation."""
    if not any(type(block) is SparseArray for block in blocks):
        return scipy.sparse.hstack(blocks, format, dtype)
    return block_array([list(blocks)], format=format, dtype=dtype)


def vstack(blocks: Any, format: Any = None, dtype: Any = None) -> Any:  # noqa: A002 (SciPy's name)
    """``scipy.sparse.vstack``: matrices one below the other, some of them under differentiation."""
    if not any(type(block) is SparseArray for block in blocks):
        return scipy.sparse.vstack(blocks, format, dtype)
    return block_array([[block] for block in blocks], format=format, dtype=dtype)


def issparse(x: Any) -> bool:
    """Whether x is a sparse matrix: SciPy's, CuPy's, or one under differentiation."""
    return type(x) is SparseArray or is_sparse(x)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.sparse' has no attribute {name!r}")
    return linalg.refusing(getattr(namespace, name), f"gpuad.scipy.sparse.{name}")


def __dir__() -> list[str]:
    return dir(namespace)


__all__ = ["SparseArray", "as_sparse", "block_array", "coo_array", "coo_matrix", "csc_array", "csc_matrix", "csr_array",
           "csr_matrix", "dia_array", "diags", "diags_array", "hstack", "issparse", "linalg", "vstack"]
