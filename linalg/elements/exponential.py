"""The derivative of the matrix exponential, and its inverse, the derivative of the logarithm."""
from __future__ import annotations

import numpy as np

from linalg.arrays import Array, Shape, is_traced, namespace, records, size
from linalg.checks import broadcasts, require_array
from linalg.elements.sylvester import Sylvester
from linalg.operator import LinearOperator
from linalg.scipy import call_scipy

NORM, MOST = 0.25, 12
"""A is halved until its norm is at most this, before its logarithm is taken; how often where values are not known."""

NODES, WEIGHTS = (0.5 * (x + shift) for x, shift in zip(np.polynomial.legendre.leggauss(8), (1, 0), strict=True))
"""Gauss's rule on [0, 1]."""


class ExponentialDerivative(LinearOperator):
    """E ↦ L(A, E), the Fréchet derivative of the matrix exponential: exp(A + E) = exp(A) + L(A, E) + o(‖E‖).

    A has shape (*batch, n, n), E the same, or more axes in front. L is read off

        exp([[A, E], [0, A]]) = [[exp(A), L(A, E)], [0, exp(A)]]

    (Higham, Functions of Matrices, section 10.6). The transpose is the derivative at Aᵀ. The inverse is the derivative of the
    logarithm at exp(A). With Rᵢ = exp(A/2ⁱ), so that Rᵢ₋₁ = Rᵢ², it takes square roots until R is close to 1, each a Sylvester
    equation, and then E ↦ ∫₀¹ (1 + t(R − 1))⁻¹ E (1 + t(R − 1))⁻¹ dt by Gauss's rule (Al-Mohy, Higham & Relton, 2013). It
    does not exist where two eigenvalues of A differ by a multiple of 2πi: LinAlgError.
    """

    __slots__ = ("a", "in_shape", "out_shape")

    def __init__(self, a: Array, in_shape: Shape):
        self.a = a
        self.in_shape = self.out_shape = in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.a, "ExponentialDerivative", "its matrix")
        a, x = self.a.shape, self.in_shape
        if len(a) < 2 or len(x) < 2 or a[-1] != a[-2] or a[-2:] != x[-2:] or not broadcasts(a[:-2], x[:-2]):
            raise ValueError("ExponentialDerivative expected a of shape (*batch, n, n) for arguments of that shape, or with more "
                             f"axes in front, got a of shape {a} and in_shape {x}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.a.dtype

    @property
    def flops(self) -> int:
        return 160 * size(self.in_shape) * self.in_shape[-1]

    def _apply(self, x: Array) -> Array:
        if is_traced(x) and not is_traced(self.a) and not records(x):
            return x._apply_linear(self)
        xp, n = namespace(self.a, x), self.in_shape[-1]
        if not size(x.shape):
            return x
        scale = _balance(self.a, x)
        a = xp.broadcast_to(self.a, x.shape)
        lower = xp.concatenate([xp.zeros_like(a), a], -1)
        block = xp.concatenate([xp.concatenate([a, x * scale], -1), lower], -2)
        return call_scipy("linalg.expm", block)[..., :n, n:] / scale

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    def _solve(self, b: Array) -> Array:
        if not size(b.shape):
            return b
        xp, halvings = namespace(self.a, b), _halvings(self.a)
        scales = 0.5 ** np.arange(halvings + 1).reshape((-1, *[1] * self.a.ndim))
        roots = call_scipy("linalg.expm", self.a * xp.asarray(scales, dtype=self.a.real.dtype))
        for i in range(1, halvings + 1):
            b = Sylvester(roots[i], roots[i], self.in_shape)._solve(b)
        root, one = roots[halvings], xp.eye(self.in_shape[-1], dtype=self.a.dtype)
        inverses = [xp.linalg.inv(one + float(t) * (root - one)) for t in NODES]
        return sum(float(w) * 2.0**halvings * (s @ b @ s) for w, s in zip(WEIGHTS, inverses, strict=True))  # type: ignore[return-value]

    def _solve_transpose(self, b: Array) -> Array:
        return self.T._solve(b)

    @property
    def T(self) -> ExponentialDerivative:
        return ExponentialDerivative(self.a.swapaxes(-1, -2), self.in_shape)

    def conj(self) -> ExponentialDerivative:
        return ExponentialDerivative(self.a.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.a


def _balance(a: Array, x: Array) -> Array:
    """A power of two for each matrix of x that makes it about as large as a, so that exp has not to be taken of larger ones."""
    xp = namespace(a, x)
    sizes = [abs(y).max(axis=(-2, -1), keepdims=True) for y in (a, x)]
    left, right = (xp.where(s == 0, xp.ones((), dtype=s.dtype), s) for s in sizes)
    return xp.exp2(xp.rint(xp.log2(left / right)))


def _halvings(a: Array) -> int:
    """How often a is to be halved until its norm is small."""
    xp = namespace(a)
    norm = abs(a).sum(axis=-2).max() / NORM
    n = xp.ceil(xp.log2(xp.where(norm > 1, norm, xp.ones((), dtype=norm.dtype))))
    if records(n):
        n._record(_require_at_most, n, ordered=True)
        return MOST
    return int(n) if xp.isfinite(n) else 0


def _require_at_most(n: Array) -> None:
    if n > MOST:
        raise ValueError("the derivative of a matrix logarithm in a recorded program expected a logarithm of norm "
                         f"{NORM * 2**MOST} at most, got one of norm {NORM * 2.0**n:.3g}: compute it outside the program")
