"""cupy.RawModule and RawKernel: CUDA C++ by :mod:`tests.standin.emulation`, on memory of the stand-in's device only."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.standin import emulation, streams
from tests.standin.array import ndarray
from tests.standin.errors import CompileException, CUDADriverError, CUDARuntimeError
from tests.standin.memory import MemoryPointer, block_at

WITHOUT_ASKING = 48 << 10
"""Bytes of shared memory that a kernel may have unless it was allowed more."""


class RawKernel:
    """A kernel of a source."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc", *,
                 translate_cucomplex: bool = False, enable_cooperative_groups: bool = False):
        assert isinstance(options, tuple) and backend == "nvrtc" and not translate_cucomplex and not enable_cooperative_groups
        self.code, self.name, self.__name__, self.options = code, name, name, options
        self.max_dynamic_shared_size_bytes = WITHOUT_ASKING
        self._function: Function | None = None

    @property
    def kernel(self) -> Function:
        self._function = self._function or Function(self)
        return self._function

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Any, *, shared_mem: int = 0) -> None:
        self.kernel(grid, block, args, shared_mem)

    def compile(self, log_stream: Any = None) -> None:
        del log_stream
        self._function = Function(self)

    num_regs = property(lambda self: self.kernel and 32)
    local_size_bytes = property(lambda self: self.kernel and 0)
    shared_size_bytes = property(lambda self: self.kernel and 0)
    max_threads_per_block = property(lambda self: self.kernel and 1024)

    @property
    def attributes(self) -> dict[str, int]:
        names = "max_threads_per_block shared_size_bytes local_size_bytes num_regs max_dynamic_shared_size_bytes".split()
        return {name: getattr(self, name) for name in names}


class RawModule:
    """A source."""

    def __init__(self, *, code: str | None = None, path: str | None = None, options: tuple[str, ...] = (),
                 backend: str = "nvrtc", translate_cucomplex: bool = False, enable_cooperative_groups: bool = False,
                 name_expressions: Any = None):
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        assert code is not None and name_expressions is None and isinstance(options, tuple)
        self.code, self.options, self.backend = code, options, backend
        assert not translate_cucomplex and not enable_cooperative_groups

    def get_function(self, name: str) -> RawKernel:
        kernel = RawKernel(self.code, name, self.options, self.backend)
        assert kernel.kernel  # as CuPy compiles here
        return kernel

    def compile(self, log_stream: Any = None) -> None:
        del log_stream
        compiled(self.code, self.options)


def compiled(code: str, options: tuple[str, ...]) -> emulation.Module:
    try:
        return emulation.module(code)
    except emulation.EmulatedCompileError as error:
        raise CompileException(str(error), code, "source.cu", options) from None


class Function:
    """A kernel that is loaded."""

    def __init__(self, kernel: RawKernel):
        self._kernel, self._module = kernel, compiled(kernel.code, kernel.options)
        try:
            self._parameters = self._module.parameters(kernel.name)
        except KeyError:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found") from None

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Any, shared_mem: int = 0, stream: Any = None,
                 enable_cooperative_groups: bool = False) -> None:
        assert not enable_cooperative_groups and isinstance(grid, tuple) and isinstance(block, tuple)
        values, name = [np.array(value(a)) for a in args], self._kernel.name
        emulation.check(name, self._parameters, values)
        sizes = [max(1, n) for n in (*grid, 1, 1)[:3]], [max(1, n) for n in (*block, 1, 1)[:3]]
        if np.prod(sizes[1]) > 1024 or max(sizes[0][1:]) > 65535 or sizes[1][2] > 64 or (
                shared_mem > self._kernel.max_dynamic_shared_size_bytes):
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        pointers = [int(v) for v, p in zip(values, self._parameters, strict=True) if p.kind == "p" and v]
        blocks = [found(name, pointer) for pointer in pointers]
        if not all(block.lent for block in blocks):
            raise CUDARuntimeError(700, f": {name} was given memory that is free")

        def run() -> None:
            touched = [found(name, pointer) for pointer in pointers]
            self._module.launch(name, *sizes, values, shared_mem)
            if not all(block.is_intact() for block in touched):
                raise CUDARuntimeError(700, f": {name} wrote before the start or past the end of a block of memory")

        streams.enqueue(name, run, stream)


def found(name: str, pointer: int) -> Any:
    """The block in which a pointer lies. Raises CUDARuntimeError where there is none."""
    if (block := block_at(pointer)) is None:
        raise CUDARuntimeError(700, f": {name} was given {pointer:#x}, where the device has no memory")
    return block


def value(x: Any) -> Any:
    """An argument as a NumPy scalar, or an array of one struct, by CuPy's rules."""
    if x is None:
        return np.intp(0)
    if isinstance(x, ndarray):
        return np.uintp(x.data.ptr)
    if isinstance(x, MemoryPointer):
        return np.uintp(x.ptr)
    if isinstance(x, np.ndarray):
        if x.size != 1:
            raise TypeError(f"You are trying to pass a numpy.ndarray of shape {x.shape} as a kernel parameter")
        return x
    if type(x) in (bool, int, float, complex) or isinstance(x, np.generic):
        return np.asarray(x)
    raise TypeError(f"Unsupported type {type(x)}")
