"""Functions of square matrices: exponential, logarithm, powers, sine and cosine; of stacks of them too.

Their differential is made of the element ``linalg.ExponentialDerivative``, the Fréchet derivative of the exponential; those of
the square root and of the sign solve Sylvester equations. It exists to every order where the function does: at defective
matrices and at repeated eigenvalues too. The square root of a singular matrix and the sign of one with imaginary eigenvalues
have none: LinAlgError. For the logarithm and powers of a singular matrix SciPy takes one nearby, and warns; derivatives are
those there, as large as 1/ε. On the negative real axis, where the logarithm, the square root and powers jump, derivatives are
those of the branch that SciPy takes.

A real matrix may have complex logarithms, square roots and powers. In a plan they keep the kind that they had when the plan was
made; TypeError where values lead to the other kind. ``a.astype(complex)`` allows both.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.linalg

from gpuad.differential import Primitive
from gpuad.primitives.inverses import matrix_power
from gpuad.primitives.scipy_options import implements_scipy
from gpuad.traced import stand_in
from linalg import ExponentialDerivative, Identity, Inverse, LeftProduct, LinearOperator, RightProduct, Sylvester
from linalg.arrays import Array, Shape
from linalg.scipy import call_scipy


def require_square(name: str, a: Any) -> None:
    """Raise LinAlgError unless a is a square matrix, or a stack of them."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"{name} expected square matrices (…, n, n), got shape {a.shape}")


def _expm_rule(shape: Shape, _y: Any, a: Array) -> LinearOperator:
    """d exp(A) = L(A, dA), the Fréchet derivative."""
    return ExponentialDerivative(a, shape)


def _logm_rule(shape: Shape, y: Array, _a: Any) -> LinearOperator:
    """Y = log(A): L(Y, dY) = dA, as exp(Y) = A."""
    return Inverse(ExponentialDerivative(y, shape))


def _power_rule(shape: Shape, _y: Any, a: Array, t: float) -> LinearOperator:
    """dAᵗ = L(tY, t dY), as Aᵗ = exp(tY), where Y = log(A)."""
    log = call_scipy("linalg.logm", a)
    return ExponentialDerivative(t * log, shape) @ (t * Inverse(ExponentialDerivative(log, shape)))


_expm = Primitive("expm", partial(call_scipy, "linalg.expm"), _expm_rule)
_logm = Primitive("logm", partial(call_scipy, "linalg.logm"), _logm_rule)
_power = Primitive("fractional_matrix_power", partial(call_scipy, "linalg.fractional_matrix_power"), _power_rule, None)
_sqrtm = Primitive("sqrtm", partial(call_scipy, "linalg.sqrtm"), lambda shape, y, _a: Inverse(Sylvester(y, y, shape)))
"""X with X X = A: X dX + dX X = dA."""


@implements_scipy(scipy.linalg.expm)
def expm(A: Any) -> Any:
    """The exponential Σ Aᵏ/k!."""
    require_square("expm", A)
    return _expm(A)


@implements_scipy(scipy.linalg.logm)
def logm(A: Any) -> Any:
    """The principal logarithm: exp(X) = A, with imaginary parts of the eigenvalues of X between −π and π."""
    require_square("logm", A)
    return _logm(A)


@implements_scipy(scipy.linalg.sqrtm)
def sqrtm(A: Any) -> Any:
    """The principal square root: X X = A, with eigenvalues of X in the right half-plane."""
    require_square("sqrtm", A)
    return _sqrtm(A)


@implements_scipy(scipy.linalg.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """Aᵗ = exp(t log A)."""
    require_square("fractional_matrix_power", A)
    if stand_in((t,)) is not None:
        return expm(t * logm(A))
    return matrix_power(A, int(t)) if t == int(t) else _power(A, float(t))


@implements_scipy(scipy.linalg.expm_frechet)
def expm_frechet(A: Any, E: Any, compute_expm: bool = True) -> Any:
    """exp(A), and its Fréchet derivative along E."""
    dtype = np.result_type(A.dtype, E.dtype, float)
    a, e = A.astype(dtype), E.astype(dtype)
    n = a.shape[-1]
    f = expm(np.concatenate([np.concatenate([a, e], -1), np.concatenate([np.zeros_like(a), a], -1)], -2))
    return (f[..., :n, :n], f[..., :n, n:]) if compute_expm else f[..., :n, n:]


# ---- the sign

def _sign_rule(shape: Shape, y: Array, a: Array) -> LinearOperator:
    """N dS + dS N = dA − S dA S with N = (A²)^½ = A S (Kenney & Laub, 1991)."""
    n = a @ y
    return Inverse(Sylvester(n, n, shape)) @ (Identity(shape) - LeftProduct(y, shape) @ RightProduct(y, shape))


_signm = Primitive("signm", partial(call_scipy, "linalg.signm"), _sign_rule)


@implements_scipy(scipy.linalg.signm)
def signm(A: Any) -> Any:
    """The sign: eigenvalues become 1 or −1 by the sign of their real part."""
    require_square("signm", A)
    return _signm(A)


# ---- sine, cosine and their kin: what the exponential is of iA

def _with_both_signs(A: Any) -> tuple[Any, Any]:
    return expm(1j * A), expm(-1j * A)


@implements_scipy(scipy.linalg.cosm)
def cosm(A: Any) -> Any:
    """The cosine (exp(iA) + exp(−iA))/2."""
    return sum(_with_both_signs(A)) * 0.5 if A.dtype.kind == "c" else expm(1j * A).real


@implements_scipy(scipy.linalg.sinm)
def sinm(A: Any) -> Any:
    """The sine (exp(iA) − exp(−iA))/2i."""
    if A.dtype.kind != "c":
        return expm(1j * A).imag
    plus, minus = _with_both_signs(A)
    return -0.5j * (plus - minus)


@implements_scipy(scipy.linalg.tanm)
def tanm(A: Any) -> Any:
    """The tangent cos(A)⁻¹ sin(A)."""
    return np.linalg.solve(cosm(A), sinm(A))


@implements_scipy(scipy.linalg.coshm)
def coshm(A: Any) -> Any:
    """The hyperbolic cosine (exp(A) + exp(−A))/2."""
    return 0.5 * (expm(A) + expm(-A))


@implements_scipy(scipy.linalg.sinhm)
def sinhm(A: Any) -> Any:
    """The hyperbolic sine (exp(A) − exp(−A))/2."""
    return 0.5 * (expm(A) - expm(-A))


@implements_scipy(scipy.linalg.tanhm)
def tanhm(A: Any) -> Any:
    """The hyperbolic tangent cosh(A)⁻¹ sinh(A)."""
    return np.linalg.solve(coshm(A), sinhm(A))


__all__ = ["coshm", "cosm", "expm", "expm_frechet", "fractional_matrix_power", "logm", "require_square", "signm", "sinhm", "sinm",
           "sqrtm", "tanhm", "tanm"]
