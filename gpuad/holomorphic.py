"""Complex derivatives f′(z) of holomorphic functions, and the check that a function is one.

The differential of a function of complex numbers is dy = A dz + B dz̄. Where B = 0 the function is holomorphic (the equations of
Cauchy and Riemann) and f′ = A. A program whose blocks are all linear over the complex numbers is holomorphic by its structure.
Where a block is linear over the reals only (a real part, a conjugate) the differential is solved for twice, along 1 and along i:
the second is i times the first where B = 0.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpuad.system import System
from gpuad.traced import raw
from linalg.arrays import Array, namespace, records

Sides = list[Any]


def require_complex(inputs: Sequence[Array], outputs: Sequence[Array], name: str) -> None:
    """Raise TypeError unless all arguments and results are complex."""
    for x in inputs:
        if x.dtype.kind != "c":
            raise TypeError(f"{name}(holomorphic=True): expected complex arguments to differentiate, got dtype {x.dtype}; "
                            "convert them with x.astype(complex), choose others with argnums, or leave out holomorphic=True")
    for y in outputs:
        if y.dtype.kind != "c":
            raise TypeError(f"{name}(holomorphic=True): expected the function to return complex numbers, got dtype {y.dtype}: a "
                            "real function of complex arguments is holomorphic only where it is constant; leave out "
                            "holomorphic=True for its gradient ∂/∂Re + i ∂/∂Im (grad, vjp)")


def complex_solve(system: System, solve: Callable[[Sides], Sides], sides: Sides, name: str) -> Sides:
    """``solve(sides)`` of a holomorphic function: solve is a substitution in its system, sides are real numbers.

    Raises TypeError where the function is not holomorphic at its primals.
    """
    along_one = solve(sides)
    if system.over_reals:
        for a, b in zip(along_one, solve([1j * side for side in sides]), strict=True):
            if a is not None and b is not None:
                _check(a, b, name)
    return along_one


def _check(along_one: Array, along_i: Array, name: str) -> None:
    xp = namespace(raw(along_one))
    gap, size = xp.abs(raw(along_i) - 1j * raw(along_one)), xp.abs(raw(along_one))
    if records(gap):
        gap._record(_require_small, gap, size, name, ordered=True)
    else:
        _require_small(gap, size, name)


def _require_small(gap: Array, size: Array, name: str) -> None:
    """Raise where a gap is no rounding: above half the digits of its own entry, and all but the last digits of the largest."""
    eps = float(np.finfo(gap.dtype).eps)
    if gap.size and bool((gap > eps**0.5 * size + 100 * eps * size.max()).any()):
        raise TypeError(f"{name}: expected a holomorphic function of complex arguments, got one that depends on the conjugate "
                        "(by real, imag, conj, abs or angle); differentiate with respect to the real and the imaginary part, or "
                        "use vjp and jvp, which take any function")
