"""Least squares: the solution for matrices of full column rank, and polynomials that fit data."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.primitives.decompositions import singular_values
from gpuad.primitives.lists import operands
from gpuad.primitives.matrices import conj_transpose, conj_transposing
from gpuad.primitives.requirements import decided
from gpuad.traced import TracedArray
from linalg import Inverse, LeftProduct, LinearOperator, RightProduct
from linalg.arrays import Array, Shape
from linalg.scipy import opaque


def _matrix_rule(shape: Shape, x: Array, a: Array, b: Array, **_options: Any) -> LinearOperator:
    """A = Q R: dx = R⁻¹ (R⁻ᴴ dAᴴ (b − A x) − Qᴴ dA x)."""
    q, r = np.linalg.qr(a)
    turned = conj_transposing(shape, a.dtype)
    residual = Inverse(LeftProduct(conj_transpose(r), x.shape)) @ RightProduct(b - a @ x, turned.out_shape) @ turned
    return Inverse(LeftProduct(r, x.shape)) @ (residual - LeftProduct(conj_transpose(q), b.shape) @ RightProduct(x, shape))


def _data_rule(shape: Shape, _x: Any, a: Array, _b: Any, **_options: Any) -> LinearOperator:
    """dx = R⁻¹ Qᴴ db."""
    q, r = np.linalg.qr(a)
    projected = LeftProduct(conj_transpose(q), shape)
    return Inverse(LeftProduct(r, projected.out_shape)) @ projected


def _solve(a: Array, b: Array, rcond: float) -> Array:
    return np.linalg.lstsq(a, b, rcond)[0]


def _evaluate(a: Array, b: Array, rcond: float) -> Array:
    nested = type(a) is TracedArray or type(b) is TracedArray
    return least_squares(a, b, rcond=rcond) if nested else opaque(_solve)(a, b, rcond)


least_squares = Primitive("least_squares", _evaluate, _matrix_rule, _data_rule)
"""``least_squares(a, b, rcond=rcond)``: the X of least ‖A X − B‖, for A of full column rank and a matrix B."""


def _rank(a: Array, rcond: float) -> int:
    """The rank of the matrix of powers"""
    s = np.linalg.svd(a, compute_uv=False)
    return int((s > rcond * s.max()).sum())


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """The polynomial of least Σ w² |y − p(x)|², by the matrix of powers with columns scaled to length 1.

    Where its rank, by ``rcond``, is not full, the shortest coefficients for the scaled columns, differentiated at constant rank.
    """
    order = int(deg) + 1
    x, y, *rest = operands(x, y, *([] if w is None else [w]))
    x, y = x + 0.0, y + 0.0
    if order < 1 or x.ndim != 1 or not x.size or y.ndim not in (1, 2) or y.shape[0] != x.size:
        raise (ValueError if order < 1 else TypeError)(
            "polyfit expected a degree of at least 0, a vector x that is not empty, and y of the same length with one or two "
            f"axes, got degree {deg} and shapes {x.shape} and {y.shape}")
    rcond = len(x) * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    left, right = np.vander(x, order), y if y.ndim == 2 else y[:, None]
    if rest:
        (weights,) = rest
        if weights.shape != x.shape:
            raise TypeError(f"polyfit expected a weight for each entry of x, of shape {x.shape}, got shape {weights.shape}")
        left, right = left * (weights + 0.0)[:, None], right * (weights + 0.0)[:, None]
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    rank = decided(_rank, left, rcond)
    scaled = least_squares(left, right, rcond=rcond) if rank == order else np.linalg.pinv(left, rcond) @ right
    if rank != order and not full:
        warnings.warn("polyfit: the matrix of powers is not of full rank; fewer coefficients, or points that lie farther apart, "
                      "would determine them", np.exceptions.RankWarning, stacklevel=2)
    c = scaled / scale[:, None]
    c = c if y.ndim == 2 else c[:, 0]
    if not full and not cov:
        return c
    determined = rank == order < x.size
    residuals = np.sum(np.square(np.abs(right - left @ scaled)), axis=0) if determined else np.zeros(0)
    if full:
        return c, residuals, rank, singular_values(left), rcond
    return c, _covariance(left, scale, residuals, x.size - order, y.ndim, cov)


def _covariance(left: Any, scale: Any, residuals: Any, freedom: int, ndim: int, cov: Any) -> Any:
    """(AᵀA)⁻¹ for the columns before they were scaled, times the mean square of the residuals."""
    base = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    if cov != "unscaled" and freedom < 1:
        raise ValueError("polyfit expected more points than coefficients, to estimate their covariance; use cov='unscaled'")
    factor = 1 if cov == "unscaled" else residuals / freedom
    return base * factor if ndim == 1 else base[:, :, None] * factor


__all__ = ["least_squares", "polyfit"]
