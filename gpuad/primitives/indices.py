"""Functions that look at the shapes of arrays only: index arrays, and the order of a contraction. Their results are constant."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.dispatch import TABLE
from gpuad.primitives.constants import CONSTANTS, constant
from gpuad.traced import raw
from linalg.arrays import is_array, namespace


def _by_shape(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function that is constant in its arguments, by their shapes."""
    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        TABLE[function] = implementation
        CONSTANTS.add(function)
        return implementation
    return enter


@_by_shape(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Where the lower triangle of a matrix is."""
    rows, columns = _matrix("tril_indices_from", arr)
    return namespace(raw(arr)).tril_indices(rows, k, columns)


@_by_shape(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Where the upper triangle of a matrix is."""
    rows, columns = _matrix("triu_indices_from", arr)
    return namespace(raw(arr)).triu_indices(rows, k, columns)


def _matrix(name: str, arr: Any) -> tuple[int, int]:
    if arr.ndim != 2:
        raise ValueError(f"{name} expected a matrix, got shape {arr.shape}")
    return arr.shape


@_by_shape(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Where the main diagonal of an array with axes of equal length is."""
    if arr.ndim < 2 or len(set(arr.shape)) != 1:
        raise ValueError(f"diag_indices_from expected at least two axes, all of one length, got shape {arr.shape}")
    return namespace(raw(arr)).diag_indices(arr.shape[0], arr.ndim)


@_by_shape(np.einsum_path)
def einsum_path(*operands: Any, **options: Any) -> Any:
    """In which order an einsum would contract its operands."""
    return np.einsum_path(*[np.broadcast_to(0.0, x.shape) if is_array(x) else x for x in operands], **options)


for _name in ("isscalar", "iterable"):
    constant(getattr(np, _name))

__all__ = ["diag_indices_from", "einsum_path", "tril_indices_from", "triu_indices_from"]
