"""CUDA's and CuPy's errors."""
from __future__ import annotations

from typing import Any

STATUS = {1: "cudaErrorInvalidValue: invalid argument", 2: "cudaErrorMemoryAllocation: out of memory",
          101: "cudaErrorInvalidDevice: invalid device ordinal", 401: "cudaErrorIllegalState: not in this state",
          700: "cudaErrorIllegalAddress: an illegal memory access was encountered",
          900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
          901: "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture",
          904: "cudaErrorStreamCaptureUnjoined: capturing stream has unjoined work",
          905: "cudaErrorStreamCaptureIsolation: dependency created on uncaptured work in another stream",
          906: "cudaErrorStreamCaptureImplicit: operation would make the legacy stream depend on a capturing blocking stream"}


class CUDARuntimeError(RuntimeError):
    """cupy.cuda.runtime.CUDARuntimeError."""

    def __init__(self, status: int, more: str = ""):
        self.status = status
        super().__init__(STATUS[status] + more)


class CUDADriverError(RuntimeError):
    """cupy.cuda.driver.CUDADriverError."""


class CompileException(Exception):
    """cupy.cuda.compiler.CompileException."""

    def __init__(self, msg: str, source: str, name: str, options: Any, backend: str = "nvrtc"):
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend
        super().__init__()

    def __str__(self) -> str:
        return self._msg
