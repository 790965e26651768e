"""Operators between stand-ins for arrays and sparse matrices, which compute with plain arrays only.

In ``A @ x`` SciPy first makes an array of x. An array without axes that holds an object is its sign for what it does not
know, and then Python asks x. This is how ``A @ x`` comes here, to :class:`gpuad.scipy.sparse.SparseArray`. The operators
``c * A``, ``x + A`` and ``x - A`` come here once ``gpuad.scipy.sparse`` is imported: others need not look for it.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse

from gpuad import operators as _operators  # noqa: F401  (attaches the operators of traced arrays)
from gpuad.errors import ArrayConversionError, PlanError
from gpuad.planning import operators as _staged_operators  # noqa: F401  (and those of a plan's)
from gpuad.planning.staged import StagedArray
from gpuad.primitives.sparse import is_sparse
from gpuad.traced import TracedArray, settled

KINDS: set[type] = {getattr(scipy.sparse, f"{form}_{kind}") for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
                    for kind in ("array", "matrix")}
"""The types of sparse matrices."""


def converts(own: Callable[..., Any]) -> Callable[..., Any]:
    """The conversion to an array; where SciPy's sparse matrices ask for it, what they need to know."""
    def __array__(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if settled(self) is not self or not frame.f_globals.get("__name__", "").startswith("scipy.sparse._"):
            return own(self, *args, **kwargs)
        if frame.f_code.co_name == "_matmul_dispatch":
            return np.array(None, object)
        kind = PlanError if type(self) is StagedArray else ArrayConversionError
        raise kind(f"{frame.f_code.co_name} of a sparse matrix of SciPy computes with plain arrays, got one under "
                   "differentiation or of a plan: write A @ x, x @ A, c * A or x + A with the sparse matrix on the right, or "
                   "take the matrix's counterpart B = ad.scipy.sparse.as_sparse(A), which has the methods of A")

    return __array__


def _with_sparse(own: Callable[[Any, Any], Any], method: str, is_sparse: Callable[[Any], bool]) -> Callable[[Any, Any], Any]:
    """An operator that leaves sparse operands to their own method."""
    def apply(self: Any, other: Any) -> Any:
        if is_sparse(other):
            return getattr(import_module("gpuad.scipy.sparse.arrays").as_sparse(other), method)(self)
        return own(self, other)

    return apply


def _is_known(x: Any) -> bool:
    return type(x) in KINDS


def attach(names: dict[str, str], is_sparse: Callable[[Any], bool] = _is_known) -> None:
    """Let the operators of stand-ins take sparse operands; ``names[operator]`` is the method of the sparse one."""
    for kind in (TracedArray, StagedArray):
        for name, method in names.items():
            setattr(kind, f"__{name}__", _with_sparse(getattr(kind, f"__{name}__"), f"__{method}__", is_sparse))


for _kind in (TracedArray, StagedArray):
    _kind.__array__ = converts(_kind.__array__)  # type: ignore[attr-defined, method-assign]
attach({"rmatmul": "matmul"}, is_sparse)
attach({"matmul": "rmatmul"})
