"""CUDA C++ on the device: kernels of generated sources, compiled once for a device and, on disk, by CuPy for later processes."""
from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cupy

FREE = 48 << 10
"""Bytes of shared memory that a block may have unless more is asked for."""
OPTIONS = ("--std=c++17",)  # and no fast mathematics; CuPy adds -ftz=true, that is, float32 has no subnormal numbers


class KernelError(RuntimeError):
    """A generated kernel does not compile: the message names the file where its source was kept."""


class Kernel:
    """A kernel of a module on the device that was current when it was loaded.

    ``attributes``: registers of a thread (``num_regs``), bytes of its local memory (``local_size_bytes``) and others of CUDA's.
    """

    def __init__(self, raw: cupy.RawKernel):
        self._raw, self._function = raw, raw.kernel
        self._static, self._allowed = raw.shared_size_bytes, FREE
        self.name: str = raw.name

    @property
    def attributes(self) -> dict[str, int]:
        return dict(self._raw.attributes)

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: Sequence[Any], shared: int = 0) -> None:
        """Enqueue it on CuPy's current stream: blocks, threads of each, arguments, bytes of dynamic shared memory.

        Arguments are device pointers as ints, or arrays of CuPy's; NumPy scalars, and NumPy arrays of one struct, go by value.
        They must have the dtypes of the parameters, which nobody checks.
        """
        if shared + self._static > FREE and shared > self._allowed - self._static:
            self._raw.max_dynamic_shared_size_bytes = shared
            self._allowed = shared + self._static
        self._function(grid, block, arguments, shared)


def load(source: str, name: str) -> Kernel:
    """The kernel ``name``, declared ``extern "C" __global__``, of a source in CUDA C++17. Raises KernelError."""
    return _load(source, name, cupy.cuda.Device().id)


@cache
def _load(source: str, name: str, _device: int) -> Kernel:
    try:
        return Kernel(_module(source).get_function(name))
    except cupy.cuda.compiler.CompileException as error:
        kept = Path(tempfile.mkdtemp(prefix="gpuad-"), f"{name}.cu")
        kept.write_text(source, encoding="utf-8")
        lines = [line for line in str(error).splitlines() if line.strip()][:4]
        raise KernelError(
            f"the generated kernel {name} does not compile; its source was kept in {kept}. The compiler says: "
            f"{' | '.join(lines)}. Please report it with that file; calls without ad.plan do not need it") from error


@cache
def _module(source: str) -> cupy.RawModule:
    return cupy.RawModule(code=source, options=OPTIONS)


__all__ = ["Kernel", "KernelError", "load"]
