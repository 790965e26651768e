"""Sparse matrices: products with entries at fixed places, the entries of dense products, and solves; SciPy's own as constants."""
from __future__ import annotations

import weakref
from typing import Any

import scipy.sparse

from gpuad.differential import Primitive
from gpuad.traced import TracedArray, raw
from linalg import Identity, Inverse, LinearOperator, SampledProduct, SparseProduct
from linalg.arrays import Array, Shape, is_borrowing, is_cupy, namespace
from linalg.pattern import SparsePattern


class Pattern(SparsePattern):
    """A pattern whose functions of the entries take traced arrays."""

    def product(self, d: Any, x: Any) -> Any:
        return product(d, x, pattern=self) if _traced(d, x) else super().product(d, x)

    def sampled(self, x: Any, w: Any) -> Any:
        return sampled(x, w, pattern=self) if _traced(x, w) else super().sampled(x, w)

    def solve(self, d: Any, b: Any, solver: Any) -> Any:
        return solve(d, b, self, solver) if _traced(d, b) else super().solve(d, b, solver)


def _traced(*arrays: Any) -> bool:
    return any(type(x) is TracedArray for x in arrays)


# ---- products

def _product_entries(_shape: Shape, _y: Any, _d: Any, x: Array, *, pattern: Pattern) -> LinearOperator:
    """dy = A(dd) x."""
    return SampledProduct(pattern, x)


def _product_vector(shape: Shape, _y: Any, d: Array, _x: Any, *, pattern: Pattern) -> LinearOperator:
    """dy = A dx."""
    return SparseProduct(pattern, d, shape)


product = Primitive("sparse product", lambda d, x, pattern: pattern.product(d, x), _product_entries, _product_vector)
"""A(d) x along the last axis."""


def _sampled_left(_shape: Shape, _y: Any, _x: Any, w: Array, *, pattern: Pattern) -> LinearOperator:
    """The entries of Σ w dxᵀ, which are those of the transpose of Σ dx wᵀ."""
    return SampledProduct(pattern.T, w).T


def _sampled_right(_shape: Shape, _y: Any, x: Array, _w: Any, *, pattern: Pattern) -> LinearOperator:
    """The entries of Σ dw xᵀ."""
    return SampledProduct(pattern, x).T


sampled = Primitive("sampled product", lambda x, w, pattern: pattern.sampled(x, w), _sampled_left, _sampled_right)
"""The entries of Σ w xᵀ at the places of a pattern."""


# ---- solves: a step of Newton's method at the solution, as in gpuad.primitives.inverses

def solve(d: Any, b: Any, pattern: Pattern, solver: Any, known: Any = None) -> Any:
    """x with A(d) x = b along the last axis: x₀, taken as a constant; r = b − A x₀, which is zero, with dr = db − dA x₀; and
    x = x₀ + A⁻¹ r. The solver that gave x₀ gives A⁻¹ dr, and A⁻ᵀ where that is asked for. ``known`` is x without any trace,
    where it is known already.
    """
    if not _traced(d, b):
        return pattern.solve(d, b, solver) if known is None else known
    x = _solution(d, b, pattern=pattern, solver=solver, known=known)
    return _corrected(d, _residual(d, b, x, pattern=pattern), x, pattern=pattern, solver=solver)


_solution = Primitive("sparse solution", lambda d, b, **options: solve(d, b, **options), None, None)


def _zero(d: Any, b: Any, x: Any, pattern: Pattern) -> Any:
    del d, pattern
    return namespace(raw(x)).zeros(b.shape, dtype=x.dtype)


def _residual_entries(_shape: Shape, _y: Any, _d: Any, _b: Any, x: Array, *, pattern: Pattern) -> LinearOperator:
    """dr = −dA x."""
    return -SampledProduct(pattern, x)


def _residual_side(shape: Shape, _y: Any, _d: Any, _b: Any, _x: Any, *, pattern: Pattern) -> LinearOperator:
    """dr = db."""
    del pattern
    return Identity(shape)


_residual = Primitive("sparse residual", _zero, _residual_entries, _residual_side, None)


def _correction(shape: Shape, _y: Any, d: Array, _r: Any, _x: Any, *, pattern: Pattern, solver: Any) -> LinearOperator:
    """dx = A⁻¹ dr."""
    return Inverse(SparseProduct(pattern, d, shape, solver))


_corrected = Primitive("sparse solve", lambda _d, _r, x, **_options: x, None, _correction, None)


# ---- SciPy's and CuPy's sparse matrices as constants

def is_sparse(x: Any) -> bool:
    """Whether x is a sparse matrix of SciPy or of CuPy."""
    return scipy.sparse.issparse(x) or type(x).__module__.startswith("cupyx.scipy.sparse")


_NOTHING: Any = (lambda: None, None, None)
_known: dict[int, tuple[Any, Pattern, Array]] = {}


def constant(matrix: Any) -> tuple[Pattern, Array]:
    """The pattern and the entries of a constant matrix: in copies, made once for as long as the matrix stays as it is."""
    form = matrix if matrix.format in ("csr", "csc") else matrix.tocsr()
    key = id(matrix)
    reference, pattern, data = _known.get(key, _NOTHING)
    if reference() is not matrix or not _is(form, pattern, data):
        pattern = Pattern(form.format, (form.indices, form.indptr), form.shape)
        data = form.data.copy()
        if not is_cupy(data):
            data.flags.writeable = False
        _known[key] = weakref.ref(matrix, lambda _reference: _known.pop(key, None)), pattern, data
    return pattern, form.data if is_borrowing() else data  # a plan reads the entries anew at each run


def _is(form: Any, pattern: Any, data: Any) -> bool:
    """Whether the matrix is the one with this pattern and these entries."""
    return (pattern.form, pattern.shape) == (form.format, form.shape) and all(
        p.dtype == q.dtype and p.shape == q.shape and bool((p == q).all()) for p, q in [
            *zip(pattern.on(form.data), (form.indices, form.indptr), strict=True), (data, form.data)])
