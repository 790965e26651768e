"""Matrix products: matmul, dot, tensordot, einsum, outer and their kin."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.differential import Primitive, Variadic
from gpuad.dispatch import METHODS, TABLE, implements
from gpuad.primitives.shapes import arrays_of, refuse_options, reshape
from linalg import Broadcast, Einsum, LeftProduct, LinearOperator, Reshape, RightProduct, arrays
from linalg.arrays import Array, Shape, namespace, size


def _left_rule(shape: Shape, _y: Any, _a: Any, b: Array) -> LinearOperator:
    """d(AB) = dA B."""
    if b.ndim == 2 and len(shape) >= 2:
        return RightProduct(b, shape)
    matrix = b if b.ndim > 1 else b[:, None]
    as_matrix = shape if len(shape) > 1 else (1, *shape)
    full = np.broadcast_shapes(as_matrix[:-2], matrix.shape[:-2]) + as_matrix[-2:]
    return _as_vectors(RightProduct(matrix, full), shape, as_matrix, len(shape) == 1, b.ndim == 1)


def _right_rule(shape: Shape, _y: Any, a: Array, _b: Any) -> LinearOperator:
    """d(AB) = A dB."""
    if len(shape) == 2 and a.ndim == 2:
        return LeftProduct(a, shape)
    if len(shape) == 2 and a.ndim > 2:
        stacked = LeftProduct(a.reshape((size(a.shape[:-1]), a.shape[-1])), shape)
        return Reshape(stacked.out_shape, (*a.shape[:-1], shape[-1])) @ stacked
    matrix = a if a.ndim > 1 else a[None, :]
    as_matrix = shape if len(shape) > 1 else (*shape, 1)
    full = np.broadcast_shapes(as_matrix[:-2], matrix.shape[:-2]) + as_matrix[-2:]
    return _as_vectors(LeftProduct(matrix, full), shape, as_matrix, a.ndim == 1, len(shape) == 1)


def _as_vectors(product: LinearOperator, shape: Shape, as_matrix: Shape, left: bool, right: bool) -> LinearOperator:
    """A product of matrices as one of vectors: axes that were added to make matrices disappear again."""
    if as_matrix != product.in_shape:
        product = product @ Broadcast(as_matrix, product.in_shape)
    if shape != as_matrix:
        product = product @ Reshape(shape, as_matrix)
    out = product.out_shape
    kept = out[:-2] + (() if left else out[-2:-1]) + (() if right else out[-1:])
    return product if kept == out else Reshape(out, kept) @ product


matmul = Primitive("matmul", arrays.matmul, _left_rule, _right_rule)


@implements(np.matmul)
def _matmul(x1: Any, x2: Any, /) -> Any:
    return matmul(*arrays_of(x1, x2))


def _matvec(x1: Any, x2: Any, /) -> Any:
    """A x for stacks of matrices and of vectors."""
    return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]


def _vecmat(x1: Any, x2: Any, /) -> Any:
    """xᴴ A for stacks of vectors and of matrices."""
    return np.matmul(np.expand_dims(np.conjugate(x1), -2), x2)[..., 0, :]


if hasattr(np, "matvec"):  # NumPy 2.2
    TABLE[np.matvec], TABLE[np.vecmat] = _matvec, _vecmat


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """``dot``: a sum over the last axis of a and the second last of b."""
    refuse_options("dot", out=out)
    a, b = arrays_of(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return matmul(a, b) if b.ndim == 1 or (a.ndim <= 2 and b.ndim == 2) else tensordot(a, b, (-1, -2))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """A sum over pairs of axes, as one product of matrices."""
    a, b = arrays_of(a, b)
    left, right = (range(-axes, 0), range(axes)) if isinstance(axes, (int, np.integer)) else axes
    left, right = normalize_axis_tuple(left, a.ndim), normalize_axis_tuple(right, b.ndim)
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot: axes {left} of shape {a.shape} and {right} of shape {b.shape} differ in length")
    free_a = [i for i in range(a.ndim) if i not in left]
    free_b = [i for i in range(b.ndim) if i not in right]
    n = size(tuple(a.shape[i] for i in left))
    rows, columns = tuple(a.shape[i] for i in free_a), tuple(b.shape[i] for i in free_b)
    matrix_a = np.reshape(np.transpose(a, (*free_a, *left)), (size(rows), n))
    matrix_b = np.reshape(np.transpose(b, (*right, *free_b)), (n, size(columns)))
    return reshape(matmul(matrix_a, matrix_b), rows + columns)


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """a_i b_j of the raveled arrays."""
    refuse_options("outer", out=out)
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    """A sum over the last axes."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return matmul(*arrays_of(a, b)) if np.ndim(a) == np.ndim(b) == 1 else tensordot(a, b, (-1, -1))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """Σ āᵢ bᵢ of the raveled arrays."""
    return matmul(np.conjugate(np.ravel(a)), np.ravel(b))


@implements(np.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Σ āᵢ bᵢ along an axis of each, before the others are broadcast."""
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    if np.shape(x1)[-1:] != np.shape(x2)[-1:]:
        raise ValueError(f"vecdot expected axes of equal length, got {np.shape(x1)} and {np.shape(x2)} along axis {axis}")
    return np.sum(np.conjugate(x1) * x2, axis=-1)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product."""
    n = max(np.ndim(a), np.ndim(b))
    sa, sb = (1,) * (n - np.ndim(a)) + np.shape(a), (1,) * (n - np.ndim(b)) + np.shape(b)
    left = np.reshape(a, tuple(m for k in sa for m in (k, 1)))
    right = np.reshape(b, tuple(m for k in sb for m in (1, k)))
    return reshape(left * right, tuple(p * q for p, q in zip(sa, sb, strict=True)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors of three components."""
    axisa, axisb, axisc = (axis, axis, axis) if axis is not None else (axisa, axisb, axisc)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross expected vectors of three components, got {a.shape[-1]} and {b.shape[-1]}")
    turn = ([1, 2, 0], [2, 0, 1])
    return np.moveaxis(a[..., turn[0]] * b[..., turn[1]] - a[..., turn[1]] * b[..., turn[0]], -1, axisc)


# ---- einsum

def _einsum_rule(position: int, shape: Shape, _y: Any, *arrays: Array, subscripts: str) -> LinearOperator:
    others = [a for i, a in enumerate(arrays) if i != position]
    return Einsum(subscripts, others, shape, position)


def _contract(*arrays: Array, subscripts: str) -> Array:
    return namespace(*arrays).einsum(subscripts, *arrays, optimize=len(arrays) > 2 or max(a.size for a in arrays) > 10_000)


_einsum = Variadic("einsum", _contract, _einsum_rule)


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None) -> Any:  # noqa: ARG001
    """``einsum``: diagonals and sums within one operand first, then one product of the operands."""
    refuse_options("einsum", out=out, dtype=dtype)
    terms, target, arrays = _parse(operands)
    dtype = np.result_type(*[a.dtype for a in arrays])
    arrays = [a if a.dtype.kind in "fc" else a.astype(dtype) for a in arrays]  # products of integers would wrap
    for k, (term, array) in enumerate(zip(terms, arrays, strict=True)):
        elsewhere = set(target).union(*terms[:k], *terms[k + 1:])
        terms[k], arrays[k] = _simplify(term, array, elsewhere)
    if len(arrays) == 1:
        return np.transpose(arrays[0], [terms[0].index(i) for i in target])
    return _einsum(*arrays, subscripts=",".join(terms) + "->" + target)


def _simplify(term: str, array: Any, elsewhere: set[str]) -> tuple[str, Any]:
    """Take the diagonals of repeated indices and sum over indices that stand nowhere else."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            i = term.index(index)
            j = term.index(index, i + 1)
            array = np.diagonal(array, 0, i, j)
            term = term[:i] + term[i + 1: j] + term[j + 1:] + index
    lone = tuple(i for i, index in enumerate(term) if index not in elsewhere)
    return ("".join(i for i in term if i in elsewhere), np.sum(array, axis=lone)) if lone else (term, array)


def _parse(operands: Sequence[Any]) -> tuple[list[str], str, list[Any]]:
    """Terms, target and arrays of an einsum call in either of its forms; ellipses become letters."""
    if not isinstance(operands[0], str):
        operands = _from_lists(operands)
    subscripts = operands[0].replace(" ", "")
    arrays = arrays_of(*operands[1:])
    left, arrow, target = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"einsum expected {len(terms)} operands for {subscripts!r}, got {len(arrays)}")
    free = [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    hidden = [a.ndim - len(t.replace("...", "")) for t, a in zip(terms, arrays, strict=True) if "..." in t]
    dots = "".join(free[: max(hidden, default=0)])
    for k, (t, a) in enumerate(zip(terms, arrays, strict=True)):
        n = a.ndim - len(t.replace("...", ""))
        terms[k] = t.replace("...", dots[len(dots) - n:])
        if len(terms[k]) != a.ndim:
            raise ValueError(f"einsum expected {len(terms[k])} axes for term {t!r} of {subscripts!r}, got shape {a.shape}")
    if not arrow:
        letters = "".join(terms)
        target = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    arrays, terms = _squeeze_broadcast(arrays, terms)
    return terms, target.replace("...", dots), arrays


def _squeeze_broadcast(arrays: list[Any], terms: list[str]) -> tuple[list[Any], list[str]]:
    """Axes of length one, of an index that is longer elsewhere, are dropped: they broadcast."""
    sizes: dict[str, int] = {}
    for term, a in zip(terms, arrays, strict=True):
        for index, n in zip(term, a.shape, strict=True):
            if sizes.setdefault(index, n) != n and 1 not in (sizes[index], n):
                raise ValueError(f"einsum: index {index!r} has length {sizes[index]} and {n}")
            sizes[index] = n if sizes[index] == 1 else sizes[index]  # which may be 0
    for k, (term, a) in enumerate(zip(terms, arrays, strict=True)):
        short = [i for i, index in enumerate(term) if a.shape[i] == 1 != sizes[index]]
        if short:
            arrays[k] = np.reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in short))
            terms[k] = "".join(index for i, index in enumerate(term) if i not in short)
    return arrays, terms


def _from_lists(operands: Sequence[Any]) -> list[Any]:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    def word(indices: Sequence[Any]) -> str:
        return "".join("..." if i is Ellipsis else letters[i] for i in indices)
    pairs = len(operands) // 2
    subscripts = ",".join(word(i) for i in operands[1: 2 * pairs: 2])
    if len(operands) % 2:
        subscripts += "->" + word(operands[-1])
    return [subscripts, *operands[0: 2 * pairs: 2]]


def _outer_method(name: str) -> Any:
    ufunc = getattr(np, name)
    def apply(a: Any, b: Any) -> Any:
        return ufunc(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
    return apply


METHODS.update({(name, "outer"): _outer_method(name) for name in ("add", "subtract", "multiply", "divide", "power", "maximum",
                                                                  "minimum")})
TABLE[np.linalg.outer], TABLE[np.linalg.tensordot], TABLE[np.linalg.matmul] = outer, tensordot, _matmul
TABLE[np.linalg.vecdot], TABLE[np.linalg.cross] = vecdot, cross

__all__ = ["cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "vdot", "vecdot"]
