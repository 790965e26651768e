"""cupy.linalg where it differs from NumPy's: singular matrices give NaN unless asked to raise, and float16 is refused."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.array import ndarray

STATE = {"linalg": "ignore"}


@contextmanager
def errstate(*, linalg: str = "ignore", **_others: str) -> Iterator[None]:
    """cupyx.errstate."""
    before, STATE["linalg"] = STATE["linalg"], linalg
    try:
        yield
    finally:
        STATE["linalg"] = before


def lenient(function: Callable[..., Any]) -> Callable[..., Any]:
    """cuSOLVER's way: matrices that cannot be factorised give NaN, unless errstate says otherwise."""
    def call(a: ndarray, *args: Any, **kwargs: Any) -> Any:
        check_kind(a, *args)
        if STATE["linalg"] == "raise":
            streams.synchronise("linalg")
        try:
            return function(a, *args, **kwargs)
        except np.linalg.LinAlgError:
            if STATE["linalg"] == "raise" or a.shape[-1] != a.shape[-2]:
                raise
            like = args[0] if args else a
            return like * np.nan
    return call


def check_kind(*arrays: Any) -> None:
    for a in arrays:
        if not isinstance(a, ndarray):
            raise np.linalg.LinAlgError("cupy.linalg only supports cupy.ndarray")
        if a.dtype.char == "e":
            raise TypeError(f"Unsupported dtype {a.dtype}")


def strict_solve(solve: Callable[..., Any]) -> Callable[..., Any]:
    """cupy.linalg.solve does not broadcast the matrices of a stack."""
    def call(a: ndarray, b: ndarray) -> Any:
        check_kind(a, b)
        if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
            raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
        if b.ndim == 1 and a.ndim > 2:
            raise NotImplementedError("the stand-in solves no stack of matrices for one vector")
        return solve(a, b)
    return call


OWN: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "solve": lambda f: strict_solve(lenient(f)), "inv": lenient, "cholesky": lenient,
}
