"""Matrix equations: Sylvester's, Lyapunov's and Riccati's. Every function takes stacks of matrices.

Solutions are differentiated implicitly: where F(X, p) = 0, dX = −F_X⁻¹ dF, with dF the differential at constant X. A singular F_X
raises LinAlgError: for A X + X B = Q where an eigenvalue of A is the negative of one of B.

Riccati's equations with a matrix e are solved without balancing: with it, SciPy 1.17 gives X that do not solve them.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import linear
from gpuad.primitives.implicit import implicit, solution
from gpuad.primitives.matrices import conj_transpose, hermitian_part
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.primitives.shapes import arrays_of, broadcast_to
from gpuad.traced import raw
from linalg import LeftProduct, LinearOperator, RightProduct, Sylvester
from linalg.arrays import Array, namespace
from linalg.elements.sylvester import solve_sylvester as solve_plain
from linalg.scipy import call_scipy

_sylvester = implicit("solve_sylvester", lambda x, a, b: Sylvester(a, b, x.shape))


@implements_scipy(scipy.linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with a X + X b = q."""
    a, b, q = arrays_of(a, b, q)
    if a.shape[-2:] != (q.shape[-2],) * 2 or b.shape[-2:] != (q.shape[-1],) * 2:
        raise ValueError("solve_sylvester expected a of shape (…, m, m), b of shape (…, n, n) and q of shape (…, m, n), got "
                         f"{a.shape}, {b.shape} and {q.shape}")
    x = solution(_solve_sylvester, a, b, q)
    return _sylvester(np.matmul(a, x) + np.matmul(x, b) - q, x, a, b)


def _solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    return call_scipy("linalg.solve_sylvester", a, b, q, plain=solve_plain)


@implements_scipy(scipy.linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """X with a X + X aᴴ = q."""
    a, q = _square("solve_continuous_lyapunov", a, q)
    return solve_sylvester(a, conj_transpose(a), q)


@implements_scipy(scipy.linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any) -> Any:
    """X with a X aᴴ − X + q = 0, through M X + X Mᴴ = −2 (a + 1)⁻¹ q (a + 1)⁻ᴴ with M = (a + 1)⁻¹ (a − 1)."""
    a, q = map(in_double, _square("solve_discrete_lyapunov", a, q))
    m, plus = bilinear(a)
    half = np.linalg.solve(plus, q)
    return solve_sylvester(m, conj_transpose(m), -2 * conj_transpose(np.linalg.solve(plus, conj_transpose(half))))


def bilinear(a: Array) -> tuple[Array, Array]:
    """M = (A + 1)⁻¹ (A − 1), and A + 1. A + 1 is singular only where a X aᴴ − X = q has no unique solution."""
    xp = namespace(a)
    one = xp.eye(a.shape[-1], dtype=a.dtype)
    return xp.linalg.solve(a + one, a - one), a + one


def in_double(x: Any) -> Any:
    """x in double precision, in which SciPy computes some functions of arguments in single."""
    return x.astype(np.result_type(x.dtype, float))


def _square(name: str, a: Any, q: Any) -> list[Any]:
    a, q = arrays_of(a, q)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or a.shape[-2:] != q.shape[-2:]:
        raise ValueError(f"{name} expected square matrices of one shape (…, n, n), got shapes {a.shape} and {q.shape}")
    return [a, q]


# ---- Riccati's equations

def _continuous_derivative(_x: Array, closed: Array, e: Array) -> LinearOperator:
    """F_X: dX ↦ Acᴴ dX E + Eᴴ dX Ac."""
    m = _over(closed, e)
    return _between(e, Sylvester(conj_transpose(m), m, m.shape))


def _discrete_derivative(_x: Array, closed: Array, e: Array) -> LinearOperator:
    """F_X: dX ↦ Acᴴ dX Ac − Eᴴ dX E, where Mᴴ Y M − Y = ½ (M + 1)ᴴ (Nᴴ Y + Y N) (M + 1) with N = (M − 1) (M + 1)⁻¹."""
    m = _over(closed, e)
    n, plus = bilinear(conj_transpose(m))
    outside = LeftProduct(0.5 * plus, m.shape) @ RightProduct(conj_transpose(plus), m.shape)
    return _between(e, outside @ Sylvester(n, conj_transpose(n), m.shape))


def _over(closed: Array, e: Array) -> Array:
    """Ac E⁻¹."""
    return conj_transpose(namespace(closed, e).linalg.solve(conj_transpose(e), conj_transpose(closed)))


def _between(e: Array, inside: LinearOperator) -> LinearOperator:
    """Y ↦ Eᴴ inside(Y) E."""
    shape = inside.out_shape
    return LeftProduct(conj_transpose(e), shape) @ RightProduct(e, shape) @ inside


_continuous_are = implicit("solve_continuous_are", _continuous_derivative)
_discrete_are = implicit("solve_discrete_are", _discrete_derivative)


@implements_scipy(scipy.linalg.solve_continuous_are)
def solve_continuous_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True) -> Any:
    """X with aᴴ X e + eᴴ X a − (eᴴ X b + s) r⁻¹ (bᴴ X e + sᴴ) + q = 0, stabilising. q and r are taken as Hermitian."""
    solve, given = partial(call_scipy, "linalg.solve_continuous_are", balanced=balanced and e is None), e is not None
    a, b, q, r, e, s = _coefficients(a, b, q, r, e, s)
    x = solution(solve, a, b, q, r, e if given else None, s)
    right = conj_transpose(b) @ x @ e + conj_transpose(s)
    gain = np.linalg.solve(r, right)
    residual = conj_transpose(a) @ x @ e + conj_transpose(e) @ x @ a - (conj_transpose(e) @ x @ b + s) @ gain + q
    return _continuous_are(residual, x, a - b @ gain, e)


@implements_scipy(scipy.linalg.solve_discrete_are)
def solve_discrete_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True) -> Any:
    """X with aᴴ X a − eᴴ X e − (aᴴ X b + s) (r + bᴴ X b)⁻¹ (bᴴ X a + sᴴ) + q = 0, stabilising. q and r are taken as Hermitian.
    """
    solve, given = partial(call_scipy, "linalg.solve_discrete_are", balanced=balanced and e is None), e is not None
    a, b, q, r, e, s = _coefficients(a, b, q, r, e, s)
    x = solution(solve, a, b, q, r, e if given else None, s)
    bh = conj_transpose(b)
    gain = np.linalg.solve(r + bh @ x @ b, bh @ x @ a + conj_transpose(s))
    residual = conj_transpose(a) @ x @ a - conj_transpose(e) @ x @ e - (conj_transpose(a) @ x @ b + s) @ gain + q
    return _discrete_are(residual, x, a - b @ gain, e)


def _coefficients(a: Any, b: Any, q: Any, r: Any, e: Any, s: Any) -> list[Any]:
    """The coefficients as arrays of one batch, q and r Hermitian, e and s given."""
    given = list(map(in_double, arrays_of(*[m for m in (a, b, q, r, e, s) if m is not None])))
    places = iter(given)
    a, b, q, r, e, s = (m if m is None else next(places) for m in (a, b, q, r, e, s))
    xp, dtype = namespace(*map(raw, given)), np.result_type(*[m.dtype for m in given])
    e = xp.eye(a.shape[-1], dtype=dtype) if e is None else e
    s = xp.zeros(b.shape[-2:], dtype=dtype) if s is None else s
    q, r = (linear(m, operator=hermitian_part(m.shape, m.dtype)) for m in (q, r))
    batch = np.broadcast_shapes(*[m.shape[:-2] for m in (a, b, q, r, e, s)])
    return [broadcast_to(m, (*batch, *m.shape[-2:])) for m in (a, b, q, r, e, s)]


__all__ = ["bilinear", "in_double", "solve_continuous_are", "solve_continuous_lyapunov", "solve_discrete_are",
           "solve_discrete_lyapunov", "solve_sylvester"]
