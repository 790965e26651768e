"""What CuPy has in the place of functions of SciPy's that ``cupyx.scipy.linalg`` lacks, or has for one matrix only."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linalg.arrays import Array, namespace, scipy_module


def stacked(function: Callable[[Array], Any], a: Array) -> Any:
    """A function of one matrix, for each matrix of a stack."""
    if a.ndim == 2:
        return function(a)
    xp, batch = namespace(a), a.shape[:-2]
    results = [function(a[index]) for index in np.ndindex(batch)]
    if not isinstance(results[0], tuple):
        return xp.stack(results).reshape((*batch, *results[0].shape))
    return tuple(xp.stack(parts).reshape((*batch, *parts[0].shape)) for parts in zip(*results, strict=True))


def expm(a: Array) -> Array:
    """The exponential."""
    return stacked(scipy_module("linalg", a).expm, a) if a.size else a


def svd(a: Array, full_matrices: bool = True, **_driver: Any) -> Any:
    """Singular vectors and values; the device has one algorithm."""
    return tuple(namespace(a).linalg.svd(a, full_matrices=full_matrices))


def qr(a: Array, mode: str = "full", pivoting: bool = False) -> Any:
    """Q and R."""
    _require_none("qr with pivots", pivoting)
    return tuple(namespace(a).linalg.qr(a, mode="reduced" if mode == "economic" else "complete"))


def eig(a: Array, b: Any = None, left: bool = False) -> Any:
    """Eigenvalues, complex as SciPy's, and eigenvectors."""
    _require_none("eig of two matrices", b)
    _require_none("eig with left eigenvectors", left)
    w, v = namespace(a).linalg.eig(a)
    return w.astype(np.result_type(w.dtype, np.complex64)), v


def eigh(a: Array, b: Any = None, lower: bool = True, **_driver: Any) -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices."""
    _require_none("eigh of two matrices", b)
    return tuple(namespace(a).linalg.eigh(a, UPLO="L" if lower else "U"))


def pinv(a: Array, atol: Any = None, rtol: Any = None) -> Array:
    """The Moore–Penrose inverse."""
    _require_none("pinv with atol=", atol)
    return namespace(a).linalg.pinv(a, rtol=max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if rtol is None else rtol)


def _require_none(name: str, x: Any) -> None:
    """Raise TypeError unless x is None or false."""
    if x is not None and x is not False:
        raise lacking(name)


def lacking(name: str) -> TypeError:
    """The error for a function that CuPy lacks."""
    return TypeError(f"scipy.linalg.{name} expected NumPy arrays, got CuPy's: CuPy has no such function. Move the arrays to the "
                     "host first, with cupy.asnumpy(x)")


FUNCTIONS: dict[str, Callable[..., Any]] = {f"linalg.{f.__name__}": f for f in (eig, eigh, expm, pinv, qr, svd)}
