"""What an array of the stand-in's does that makes the host wait for the device, or copies from host to device."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.counters import SYNCHRONISATIONS, TRANSFERS


class Waiting:
    """A part of cupy.ndarray."""

    __slots__ = ()

    _host: np.ndarray
    dtype: Any
    shape: Any
    size: Any
    flags: Any

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        streams.refuse("D2H")
        if blocking:
            (stream or streams.get_current_stream()).synchronize()
            SYNCHRONISATIONS[-1] = "get"
        TRANSFERS.append("get")
        if out is None:
            return self._host.copy(order)
        if out.dtype != self.dtype or out.shape != self.shape:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        out[...] = self._host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise TypeError(f"{arr.dtype} array of shape {arr.shape} cannot be set to {self.dtype} array of shape {self.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        streams.refuse("H2D")
        TRANSFERS.append("set")
        given, host = arr.copy(), self._host
        streams.enqueue("set", lambda: np.copyto(host, given), stream)

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        if not self.size:
            warnings.warn("The truth value of an empty array is ambiguous", DeprecationWarning, stacklevel=2)
            return False
        if self.size > 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()")
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)
