"""Convolutions and correlations: bilinear, so that each differential is a convolution with the other argument."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.differential import Primitive
from gpuad.dispatch import TABLE, implements
from gpuad.primitives.lists import operands
from linalg import Broadcast, Convolution, LinearOperator
from linalg.arrays import Array, Shape
from linalg.elements.convolution import convolve as convolve_arrays
from linalg.elements.convolution import window


def _left(shape: Shape, _y: Any, _a: Any, b: Array, start: Shape, length: Shape) -> LinearOperator:
    """d(a ∗ b) = da ∗ b, batch axes broadcast."""
    n = len(start)
    full = np.broadcast_shapes(shape[: len(shape) - n], b.shape[: b.ndim - n]) + shape[len(shape) - n:]
    element = Convolution(b, full, start, length)
    return element if full == shape else element @ Broadcast(shape, full)


def _right(shape: Shape, _y: Any, a: Array, _b: Any, start: Shape, length: Shape) -> LinearOperator:
    """d(a ∗ b) = a ∗ db."""
    return _left(shape, None, None, a, start, length)


convolution = Primitive("convolution", convolve_arrays, _left, _right)
"""``convolution(a, b, start=start, length=length)``: y[…, i] = Σ_j a[…, j] b[…, i + start − j], over as many of the last axes as
``start`` and ``length`` have entries; axes before those broadcast. ``linalg.elements.convolution.window`` gives start and length
of a mode."""

TABLE[convolve_arrays] = lambda a, b, start, length: convolution(a, b, start=start, length=length)


def _line_left(shape: Shape, _y: Any, _a: Any, v: Array, mode: str) -> LinearOperator:
    """d(a ∗ v) = da ∗ v."""
    return Convolution(v, shape, *window(mode, shape, v.shape))


def _line_right(shape: Shape, _y: Any, a: Array, _v: Any, mode: str) -> LinearOperator:
    """d(a ∗ v) = a ∗ dv."""
    return Convolution(a, shape, *window(mode, a.shape, shape))


_convolve = Primitive("convolve", np.convolve, _line_left, _line_right)
_MODES = {0: "valid", 1: "same", 2: "full"}


def _lines(name: str, a: Any, v: Any, mode: Any) -> tuple[Any, Any, str]:
    """Two vectors and the name of a mode."""
    a, v = map(np.atleast_1d, operands(a, v))
    mode = _MODES.get(mode, mode)
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{name} expected mode 'full', 'same' or 'valid', got {mode!r}")
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError(f"{name} expected two vectors with at least one entry each, got shapes {a.shape} and {v.shape}")
    return a, v, mode


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """Σ_j a_j v_(i−j): all of it, the middle as long as the longer vector, or where the shorter one is covered whole."""
    a, v, mode = _lines("convolve", a, v, mode)
    return _convolve(*((a, v) if a.size >= v.size else (v, a)), mode=mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Σ_j a_(i+j) v̄_j, in the parts that ``convolve`` has."""
    a, v, mode = _lines("correlate", a, v, mode)
    if a.size < v.size:
        return np.conjugate(correlate(v, a, mode)[::-1])
    return _convolve(a, np.conjugate(v[::-1]), mode=mode)


__all__ = ["convolution", "convolve", "correlate"]
