"""Series of powers and of orthogonal polynomials (``numpy.polynomial``): Σ c_k P_k(x), and the P_k(x) themselves.

All follow from the recurrence P_{k+1} = (α_k x + β_k) P_k − γ_k P_{k−1} with P_0 = 1 and γ_0 = 0 of each family.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial

from gpuad.dispatch import implements
from gpuad.primitives.lists import operands
from gpuad.primitives.shapes import reshape

Recurrence = Callable[[int], tuple[float, float, float]]
"""k ↦ (α_k, β_k, γ_k)."""

FAMILIES: dict[Any, tuple[str, Recurrence]] = {
    polynomial: ("poly", lambda _k: (1, 0, 0)),
    chebyshev: ("cheb", lambda k: (2 if k else 1, 0, 1)),
    legendre: ("leg", lambda k: ((2 * k + 1) / (k + 1), 0, k / (k + 1))),
    hermite: ("herm", lambda k: (2, 0, 2 * k)),
    hermite_e: ("herme", lambda k: (1, 0, k)),
    laguerre: ("lag", lambda k: (-1 / (k + 1), (2 * k + 1) / (k + 1), k / (k + 1))),
}


def _enter(module: Any, prefix: str, recurrence: Recurrence) -> None:
    @implements(getattr(module, f"{prefix}val"))
    def value(x: Any, c: Any, tensor: bool = True) -> Any:
        x, c = map(_floating, operands(x, c))
        c = c if c.ndim else reshape(c, (1,))
        return _clenshaw(x, reshape(c, c.shape + (1,) * x.ndim) if tensor else c, recurrence)

    @implements(getattr(module, f"{prefix}vander"))
    def vander(x: Any, deg: int) -> Any:
        if deg < 0:
            raise ValueError(f"{prefix}vander expected a degree of at least 0, got {deg}")
        x = np.atleast_1d(_floating(*operands(x)))
        return np.stack(_family(x, int(deg), recurrence), axis=-1)


def _floating(x: Any) -> Any:
    """Integers as floating-point numbers."""
    return x if x.dtype.kind in "fc" else x.astype(float)


def _clenshaw(x: Any, c: Any, recurrence: Recurrence) -> Any:
    """Σ c_k P_k(x), from the last coefficient to the first: b_k = c_k + (α_k x + β_k) b_{k+1} − γ_{k+1} b_{k+2}."""
    n = c.shape[0]
    b, above = c[n - 1], None
    for k in range(n - 2, -1, -1):
        new = c[k] + _step(x, recurrence(k)) * b
        gamma = recurrence(k + 1)[2]
        b, above = (new if above is None or not gamma else new - gamma * above), b
    return b if n > 1 else b + 0 * x


def _family(x: Any, degree: int, recurrence: Recurrence) -> list[Any]:
    """P_0(x) to P_degree(x)."""
    found = [0 * x + 1]
    for k in range(degree):
        new = _step(x, recurrence(k)) * found[k]
        gamma = recurrence(k)[2]
        found.append(new - gamma * found[k - 1] if k and gamma else new)
    return found


def _step(x: Any, coefficients: tuple[float, float, float]) -> Any:
    alpha, beta, _ = coefficients
    scaled = x if alpha == 1 else alpha * x
    return scaled + beta if beta else scaled


for _module, (_prefix, _recurrence) in FAMILIES.items():
    _enter(_module, _prefix, _recurrence)

__all__ = ["FAMILIES"]
