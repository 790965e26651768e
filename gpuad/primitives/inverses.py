"""Linear systems, inverses, determinants and matrix powers; every function takes stacks of matrices (…, m, n), as NumPy's do."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.differential import MultiOutput, Primitive, enter
from gpuad.dispatch import implements
from gpuad.primitives.decompositions import as_hermitian, singular_values
from gpuad.primitives.matrices import conj_transpose, conj_transposing, inner_product, transposing
from gpuad.primitives.products import matmul
from gpuad.primitives.shapes import arrays_of, broadcast_to, refuse_options, reshape
from gpuad.traced import raw, underlying, value_of
from linalg import (
    AxisSum,
    Broadcast,
    Diagonal,
    Identity,
    ImaginaryPart,
    Inverse,
    LeftProduct,
    LinearOperator,
    RealPart,
    RightProduct,
    Zero,
)
from linalg.arrays import Array, Shape, is_cupy, namespace, size, solve_matrices
from linalg.association import multiply_chain

# ---- solve and inv

def _solve_left(shape: Shape, x: Array, a: Array, _b: Any) -> LinearOperator:
    """dx = −A⁻¹ dA x."""
    full = (*x.shape[:-2], *shape[-2:])
    effect = -Inverse(LeftProduct(a, x.shape)) @ RightProduct(x, full)
    return effect if full == shape else effect @ Broadcast(shape, full)


def _solve_right(shape: Shape, _x: Any, a: Array, _b: Any) -> LinearOperator:
    """dx = A⁻¹ db."""
    return Inverse(LeftProduct(a, shape))


_solve = Primitive("solve", solve_matrices, _solve_left, _solve_right)


def _residual_left(shape: Shape, _y: Any, _a: Any, _b: Any, x: Array) -> LinearOperator:
    """dr = −dA x."""
    full = (*x.shape[:-2], *shape[-2:])
    effect = -RightProduct(x, full)
    return effect if full == shape else effect @ Broadcast(shape, full)


def _residual_right(shape: Shape, _y: Any, _a: Any, _b: Any, _x: Any) -> LinearOperator:
    """dr = db."""
    return Identity(shape)


def _zero_residual(_a: Any, b: Array, x: Array) -> Array:
    return namespace(raw(x)).zeros(b.shape, dtype=x.dtype)


_residual = Primitive("residual", _zero_residual, _residual_left, _residual_right, None)
_corrected = Primitive("solve", lambda _a, _r, x: x, None, lambda shape, _y, a, _r, _x: Inverse(LeftProduct(a, shape)), None)


def _solve_both(a: Array, b: Array) -> Array:
    """x with a x = b: where both are traced in one program one solve serves both of their derivatives.

    There are three rows then, a step of Newton's method at the solution: x₀ = A⁻¹ b, taken as a constant; r = b − A x₀, which
    is zero, with dr = db − dA x₀; and x = x₀ + A⁻¹ r with dx = A⁻¹ dr.
    """
    if min(enter((a, b))[2], default=-1) < 0:  # not both
        return _solve(a, b)
    x = _solution(a, b)
    return _corrected(a, _residual(a, b, x), x)


_solution = Primitive("solution", _solve_both, None, None)


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """x with a x = b; b is a vector if it has one axis, else a stack of matrices."""
    a, b = arrays_of(a, b)
    vector = b.ndim == 1
    columns = reshape(b, (*b.shape, 1)) if vector else b
    batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    x = _solve_both(a, broadcast_to(columns, (*batch, *columns.shape[-2:])))
    return reshape(x, x.shape[:-1]) if vector else x


def _inv_rule(shape: Shape, y: Array, _a: Any) -> LinearOperator:
    """dA⁻¹ = −A⁻¹ dA A⁻¹."""
    return -(LeftProduct(y, shape) @ RightProduct(y, shape))


inv = implements(np.linalg.inv)(Primitive("inv", np.linalg.inv, _inv_rule))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b; ``axes`` of a are moved to its end first."""
    a, b = arrays_of(a, b)
    if axes is not None:
        last = normalize_axis_tuple(axes, a.ndim)
        a = np.transpose(a, (*[k for k in range(a.ndim) if k not in last], *last))
    shape = a.shape[b.ndim:]
    if a.size != size(shape) ** 2 or b.size != size(shape):
        raise np.linalg.LinAlgError(f"tensorsolve expected prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim]) == b.size, got a of "
                                    f"shape {a.shape} and b of shape {b.shape}")
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a for tensordot over its first ``ind`` axes."""
    if ind <= 0:
        raise ValueError(f"tensorinv expected a positive number of axes, got {ind}")
    first, last = a.shape[:ind], a.shape[ind:]
    if size(first) != size(last):
        raise np.linalg.LinAlgError(f"tensorinv expected prod(a.shape[:{ind}]) == prod(a.shape[{ind}:]), got shape {a.shape}")
    return reshape(inv(reshape(a, (size(first), size(last)))), last + first)


# ---- determinants

def _cofactors_of(a: Array) -> Array:
    """det(A) A⁻ᵀ through A = U S Vᴴ: right for singular matrices too."""
    xp = namespace(a)
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    n = a.shape[-1]
    others = xp.where(xp.eye(n, dtype=bool), xp.ones((), dtype=s.dtype), s[..., None, :]).prod(axis=-1)
    sign = xp.linalg.det(u) * xp.linalg.det(vh)
    return sign[..., None, None] * ((u.conj() * others[..., None, :]) @ vh.conj())


def _cofactors_rule(shape: Shape, y: Array, a: Array) -> LinearOperator:
    """C = det(A) A⁻ᵀ: dC = C ⟨A⁻ᵀ, dA⟩ − A⁻ᵀ dAᵀ C. At a singular matrix this does not exist in finite form, and inv says so."""
    w = namespace(a).linalg.inv(a).swapaxes(-1, -2)
    one_each = (*shape[:-2], 1, 1)
    trace = AxisSum(shape, (-2, -1), keepdims=True) @ Diagonal(w, shape)
    turned = LeftProduct(w, shape) @ RightProduct(y, shape) @ transposing(shape)
    return Diagonal(y, shape) @ Broadcast(one_each, shape) @ trace - turned


cofactors = Primitive("cofactors", _cofactors_of, _cofactors_rule)


def _det_rule(shape: Shape, _y: Any, a: Array) -> LinearOperator:
    """d det A = ⟨cofactors of A, dA⟩."""
    return inner_product(cofactors(a), shape)


det = implements(np.linalg.det)(Primitive("det", np.linalg.det, _det_rule))
"""The determinant. Its first derivative is right at singular matrices too; the second raises LinAlgError there."""


def _sign_rule(shape: Shape, y: tuple[Array, Array], a: Array) -> LinearOperator:
    """d sign = i sign Im tr(A⁻¹ dA) for complex A, 0 for real A."""
    sign = y[0]
    if a.dtype.kind != "c":
        return Zero(shape, sign.shape)
    w = namespace(a).linalg.inv(a).swapaxes(-1, -2)
    return Diagonal(1j * sign, sign.shape) @ ImaginaryPart(sign.shape) @ inner_product(w, shape)


def _log_rule(shape: Shape, y: tuple[Array, Array], a: Array) -> LinearOperator:
    """d log|det A| = Re tr(A⁻¹ dA)."""
    trace = inner_product(namespace(a).linalg.inv(a).swapaxes(-1, -2), shape)
    return RealPart(y[0].shape) @ trace if a.dtype.kind == "c" else trace


_slogdet = MultiOutput("slogdet", np.linalg.slogdet, [_sign_rule], [_log_rule])
SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign and logarithm of the absolute value of the determinant; the sign of a real one is constant."""
    sign, log = _slogdet(a)
    return SlogdetResult(sign if a.dtype.kind == "c" else value_of(sign), log)


# ---- pseudoinverse and least squares

def pinv_rule(shape: Shape, y: Array, a: Array, **_options: Any) -> LinearOperator:
    """dA⁺ = −A⁺ dA A⁺ + A⁺A⁺ᴴ dAᴴ (I − A A⁺) + (I − A⁺A) dAᴴ A⁺ᴴA⁺, at constant rank (Golub & Pereyra, 1973)."""
    yh = conj_transpose(y)
    turned = conj_transposing(shape, a.dtype)
    m, n = shape[-2:]
    flipped = (*shape[:-2], n, m)
    xp = namespace(a, y)
    result: LinearOperator = -(LeftProduct(y, (*shape[:-2], m, m)) @ RightProduct(y, shape))
    if m > 1:
        result = result + LeftProduct(y @ yh, flipped) @ RightProduct(xp.eye(m, dtype=y.dtype) - a @ y, flipped) @ turned
    if n > 1:
        result = result + LeftProduct(xp.eye(n, dtype=y.dtype) - y @ a, flipped) @ RightProduct(yh @ y, flipped) @ turned
    return result


def _pinv_value(a: Array, **options: Any) -> Array:
    return np.linalg.pinv(a, **options)


_pinv = Primitive("pinv", _pinv_value, pinv_rule)
_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _NO_VALUE) -> Any:
    """The Moore–Penrose inverse. Its differential holds where the rank is constant around a."""
    options = {"rcond": rcond, "hermitian": hermitian or None, "rtol": None if rtol is _NO_VALUE else rtol}
    if is_cupy(underlying(a)):  # which knows the first alone
        options = {"rcond": options["rtol"] if rcond is None else rcond}
    return _pinv(as_hermitian(a) if hermitian else a, **{k: v for k, v in options.items() if v is not None})


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """(x, residuals, rank, singular values) with x = A⁺ b, the shortest of the least-squares solutions.

    Singular values below ``rcond`` times the largest count as zero. The differential of x holds where the rank is constant
    around a: where a lacks rank, for changes of a that keep it so.
    """
    a, b = arrays_of(a, b)
    if rcond is None or rcond < 0:
        rcond = float(np.finfo(np.result_type(a.dtype, b.dtype)).eps) * (max(a.shape) if rcond is None else 1)
    x, residuals, rank, s = least_squares(a, b, rcond)
    residuals = namespace(raw(x)).zeros((0,), dtype=s.dtype) if residuals is None else residuals
    return x, (reshape(residuals, (1,)) if residuals.ndim == 0 else residuals), rank, s


def least_squares(a: Any, b: Any, rcond: float) -> tuple[Any, Any, int, Any]:
    """A⁺ b; the sums of squared residuals, None where a lacks rank or has no more rows than columns; rank; singular values."""
    x = matmul(pinv(a, rcond), b)
    s = singular_values(a)
    largest = s.max() if s.size else 0
    rank = int((s > rcond * largest).sum())
    full = rank == a.shape[1] < a.shape[0]
    return x, np.sum(np.square(np.abs(b - matmul(a, x))), axis=0) if full else None, rank, s


# ---- powers and chains

@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Aⁿ by repeated squaring; negative n through the inverse."""
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power expected an integer exponent, got {type(n).__name__}")
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power expected square matrices (…, n, n), got shape {a.shape}")
    if n == 0:
        xp = namespace(a)
        return xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape).copy()
    base, n = (inv(a), -n) if n < 0 else (a, n)
    result = None
    while n:
        if n & 1:
            result = base if result is None else matmul(result, base)
        n >>= 1
        base = matmul(base, base) if n else base
    return result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """The product of a chain of matrices in the cheapest order; the first and the last may be vectors."""
    refuse_options("multi_dot", out=out)
    arrays = arrays_of(*arrays)
    if len(arrays) < 2:
        raise ValueError(f"multi_dot expected at least two arrays, got {len(arrays)}")
    row, column = arrays[0].ndim == 1, arrays[-1].ndim == 1
    matrices = list(arrays)
    if row:
        matrices[0] = np.reshape(arrays[0], (1, arrays[0].size))
    if column:
        matrices[-1] = np.reshape(arrays[-1], (arrays[-1].size, 1))
    if any(m.ndim != 2 for m in matrices):
        raise np.linalg.LinAlgError(f"multi_dot expected matrices with two axes, got shapes {[a.shape for a in arrays]}")
    product = multiply_chain(matrices)
    return reshape(product, (() if row else product.shape[:1]) + (() if column else product.shape[1:]))


__all__ = ["cofactors", "det", "inv", "least_squares", "lstsq", "matrix_power", "multi_dot", "pinv", "pinv_rule", "slogdet",
           "solve", "tensorinv", "tensorsolve"]
