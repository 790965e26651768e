"""Polynomials as vectors of coefficients, the highest power first; lists, numbers and poly1d stand for them too.

Where NumPy drops leading zeros (``polymul``, ``roots``, the remainder of ``polydiv``) values decide the length of the result; the
coefficients that are dropped count as constant. A simple root is differentiable; at a multiple one the derivative is infinite,
dr = −Σ rᵏ dpₖ / p′(r), and rounding, which moves the computed roots apart there, makes it large.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.primitives.lists import operands
from gpuad.primitives.requirements import decided
from gpuad.traced import raw
from linalg import Broadcast, Dense, Diagonal, LinearOperator, Reshape
from linalg.arrays import Array, Shape, namespace, to_host
from linalg.scipy import opaque


def _vectors(name: str, *polynomials: Any) -> list[Any]:
    """The polynomials as vectors of one library."""
    vectors = list(map(np.atleast_1d, operands(*map(_coefficients, polynomials))))
    if any(p.ndim != 1 for p in vectors):
        raise ValueError(f"{name} expected vectors of coefficients, got shapes {[p.shape for p in vectors]}")
    return vectors


def _coefficients(p: Any) -> Any:
    """The coefficients of a poly1d, where they are plain as numbers, which go where other arrays are."""
    if not isinstance(p, np.poly1d):
        return p
    return p.coeffs.tolist() if isinstance(p.coeffs, np.ndarray) else p.coeffs


def _like(result: Any, *polynomials: Any) -> Any:
    """The result as a poly1d, where one of the arguments is."""
    return np.poly1d(result) if any(isinstance(p, np.poly1d) for p in polynomials) else result


def _numbers(like: Any, *arguments: Any, **options: Any) -> Any:
    """``arange`` where an array lies."""
    return namespace(raw(like)).arange(*arguments, **options)


# ---- powers and values

def _vander_rule(shape: Shape, y: Array, _x: Any, n: int, increasing: bool) -> LinearOperator:
    """d xᵏ = k xᵏ⁻¹ dx."""
    k = np.arange(n) if increasing else np.arange(n)[::-1]
    below = np.maximum(k - 1, 0)
    slopes = y[:, below if increasing else n - 1 - below] * namespace(raw(y)).asarray(k)
    column = (*shape, 1)
    return Diagonal(slopes.astype(y.dtype), y.shape) @ Broadcast(column, y.shape) @ Reshape(shape, column)


_vander = Primitive("vander", lambda x, n, increasing: np.vander(x, n, increasing), _vander_rule)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each entry as a row, the highest first."""
    (x,) = _vectors("vander", x)
    n = x.size if N is None else int(N)
    if n < 0:
        raise ValueError(f"vander expected a number of columns of at least 0, got {n}")
    return _vander(x, n=n, increasing=bool(increasing))


def _coefficients_rule(shape: Shape, _y: Any, p: Array, x: Array) -> LinearOperator:
    """dy = Σ xᵏ dpₖ."""
    powers = np.vander(np.reshape(x, (x.size,)), shape[0])
    return Dense(powers.astype(np.result_type(p.dtype, x.dtype)), shape, x.shape)


def _argument_rule(shape: Shape, _y: Any, p: Array, x: Array) -> LinearOperator:
    """dy = p′(x) dx."""
    slopes = np.polyval(polyder(p), x)
    return Diagonal(slopes.astype(np.result_type(p.dtype, x.dtype)), shape)


_polyval = Primitive("polyval", lambda p, x: np.polyval(p, x), _coefficients_rule, _argument_rule)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """p(x); a poly1d as x is put into the polynomial."""
    if isinstance(x, np.poly1d):
        return _horner(_vectors("polyval", p)[0], x, 0)
    p, x = operands(_coefficients(p), x)
    p = np.atleast_1d(p)
    return _polyval(p, x) if p.ndim == 1 and p.size else _horner(p, x, np.zeros_like(x))


def _horner(p: Any, x: Any, y: Any) -> Any:
    """p(x) for a polynomial x, and for an array of polynomials p."""
    for coefficient in p:
        y = y * x + coefficient
    return y


# ---- arithmetic

@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    a, b = _aligned(*_vectors("polyadd", a1, a2))
    return _like(a + b, a1, a2)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    a, b = _aligned(*_vectors("polysub", a1, a2))
    return _like(a - b, a1, a2)


def _aligned(a: Any, b: Any) -> list[Any]:
    n = max(a.size, b.size)
    return [p if p.size == n else np.pad(p, (n - p.size, 0)) for p in (a, b)]


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials, without leading zeros in either."""
    return _like(np.convolve(*map(_trimmed, _vectors("polymul", a1, a2))), a1, a2)


def _trimmed(p: Any) -> Any:
    if not p.size:
        return namespace(raw(p)).zeros((1,), dtype=p.dtype)
    zeros = decided(_leading_zeros, p)
    return p[min(zeros, p.size - 1):] if zeros else p


def _leading_zeros(p: Array) -> int:
    """The number of leading coefficients that are zero"""
    return int((p != 0).argmax()) if (p != 0).any() else p.size


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """(q, r) with u = q v + r; leading coefficients of r that are next to zero are dropped."""
    a, b = _vectors("polydiv", u, v)
    dtype = np.result_type(a.dtype, b.dtype, np.float16)
    a, b = (p if p.dtype == dtype else p.astype(dtype) for p in (a, b))
    n = a.size - b.size + 1
    if n < 1:
        q, r = namespace(raw(a), raw(b)).zeros((1,), dtype=dtype), a
    else:  # the first n coefficients: a lower triangular Toeplitz system for those of q
        offsets = np.subtract.outer(np.arange(n), np.arange(n))
        inside = (offsets >= 0) & (offsets < b.size)
        q = np.linalg.solve(np.pad(b, (0, 1))[np.where(inside, offsets, b.size)], a[:n])
        r = a - np.convolve(q, b)
    r = r[decided(_dropped, a, b):]
    return _like(q, u, v), _like(r, u, v)


def _dropped(u: Array, v: Array) -> int:
    """The number of leading coefficients of the remainder that are next to zero"""
    return u.size - len(np.polydiv(to_host(u), to_host(v))[1])


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The derivative of order m."""
    if m < 0:
        raise ValueError(f"polyder expected an order of at least 0, got {m}; polyint integrates")
    (y,) = _vectors("polyder", p)
    for _ in range(int(m)):
        y = y[:-1] * _numbers(y, y.size - 1, 0, -1)
    return _like(y, p)


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The integral of order m, with the constants k."""
    if m < 0:
        raise ValueError(f"polyint expected an order of at least 0, got {m}; polyder differentiates")
    y, constants = _vectors("polyint", p, [0.0] * int(m) if k is None else k)
    if constants.size == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if constants.size < m:
        raise ValueError(f"polyint expected {m} constants of integration, or one for all, got {constants.size}")
    for i in range(int(m)):
        y = np.concatenate([y / _numbers(y, y.size, 0, -1), constants[i: i + 1]])
    return _like(y, p)


# ---- roots

@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with given roots, or the characteristic polynomial of a square matrix."""
    zeros = np.atleast_1d(*operands(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and zeros.size:
        zeros = np.linalg.eigvals(zeros)
    if zeros.ndim != 1:
        raise ValueError(f"poly expected a vector of roots or a square matrix, got shape {zeros.shape}")
    dtype = np.dtype(np.mintypecode(zeros.dtype.char))
    if not zeros.size:
        return 1.0
    zeros = zeros if zeros.dtype == dtype else zeros.astype(dtype)
    factors = np.stack([namespace(raw(zeros)).ones(zeros.shape, dtype=dtype), -zeros], axis=-1)
    product = factors[0]
    for factor in factors[1:]:
        product = np.convolve(product, factor)
    return np.real(product).copy() if dtype.kind == "c" and decided(_in_pairs, zeros) else product


def _in_pairs(zeros: Array) -> bool:
    """Whether the complex roots come in conjugate pairs"""
    return bool((np.sort(zeros) == np.sort(zeros.conj())).all())


def _roots_rule(shape: Shape, y: Array, p: Array) -> LinearOperator:
    """dr = −Σ rᵏ dpₖ / p′(r)."""
    slopes = np.polyval(polyder(p), y)
    return Dense(-np.vander(y, shape[0]) / np.reshape(slopes, (y.size, 1)), shape, y.shape)


_roots = Primitive("roots", opaque(np.roots, unsteady=True), _roots_rule)


@implements(np.roots)
def roots(p: Any) -> Any:
    """The roots, in no order; real where all of them are."""
    (p,) = _vectors("roots", p)
    zeros = decided(_leading_zeros, p)
    return _roots(p[zeros:] if zeros else p) if p.size - zeros > 1 else namespace(raw(p)).zeros((0,))


__all__ = ["poly", "polyadd", "polyder", "polydiv", "polyint", "polymul", "polysub", "polyval", "roots", "vander"]
