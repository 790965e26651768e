"""Solutions of equations: where F(x, p) = 0, dx = −F_x⁻¹ dF, with dF the differential at constant x.

A function that solves an equation takes the solution as a constant, computes F there, which is zero but has a differential, and
makes a step of Newton's method: x − F_x⁻¹ F. One solve serves the derivatives of all parameters.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpuad.differential import Primitive, enter
from linalg import Inverse, LinearOperator
from linalg.arrays import Array


def solution(solve: Callable[..., Any], *args: Any) -> Any:
    """solve(*args) as a constant of the youngest program among the arguments."""
    return solve(*enter(args)[1])


def implicit(name: str, derivative: Callable[..., LinearOperator]) -> Callable[..., Any]:
    """(F, x, *data) ↦ x where F(x, …) = 0, with dx = −F_x⁻¹ dF; ``derivative(x, *data, **options)`` is F_x."""
    def rule(_shape: Any, _y: Any, _residual: Any, x: Array, *data: Array, **options: Any) -> LinearOperator:
        return -Inverse(derivative(x, *data, **options))

    def value(_residual: Any, x: Array, *_data: Any, **_options: Any) -> Array:
        return x

    steps = {n: Primitive(name, value, rule, None, *[None] * n) for n in range(3)}
    return lambda residual, x, *data, **options: steps[len(data)](residual, x, *data, **options)


__all__ = ["implicit", "solution"]
