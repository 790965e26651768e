"""Device memory at fixed places: blocks, arrays over parts of them, copies, and numbers written without waiting."""
from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cupy
import numpy as np

from linalg.arrays import Array, Shape
from linalg.kernels import modules

T = TypeVar("T")
OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation."""
MOST = 32
"""Numbers that one launch writes."""
_NUMBERS = np.dtype([("to", "u8", MOST), ("bits", "u8", (MOST, 2)), ("nbytes", "u4", MOST)])
_WRITE = f"""
struct Numbers {{
    unsigned char* to[{MOST}];
    unsigned long long bits[{MOST}][2];
    unsigned nbytes[{MOST}];
}};

extern "C" __global__ void write_numbers(const Numbers numbers, const int n) {{
    #pragma unroll
    for (int i = 0; i < {MOST}; ++i) {{  // with i known, the parameter stays where it is
        const unsigned k = threadIdx.x;
        if (i < n && k < numbers.nbytes[i]) {{
            const unsigned long long bits = k < 8 ? numbers.bits[i][0] : numbers.bits[i][1];
            numbers.to[i][k] = static_cast<unsigned char>(bits >> (8 * (k % 8)));
        }}
    }}
}}
"""


class OutOfDeviceMemory(MemoryError):
    """The device has not the memory that was asked for: the message says how much, for what, and how much is free."""


def allocate(nbytes: int, what: str) -> Any:
    """One block (a cupy.cuda.MemoryPointer) of at least one byte, aligned to 256, from CuPy's current allocator.

    Raises OutOfDeviceMemory where there is no room even after the blocks that CuPy keeps have been freed; nothing is held then.
    """
    return retried(lambda: cupy.cuda.alloc(max(1, nbytes)), f"{what}: {nbytes:,} bytes needed")


def retried(run: Callable[[], T], what: str) -> T:
    """What ``run`` returns; where the device has no memory, once more after the blocks that CuPy keeps have been freed.

    Raises OutOfDeviceMemory where it has none then.
    """
    try:
        return run()
    except (cupy.cuda.memory.OutOfMemoryError, cupy.cuda.runtime.CUDARuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    gc.collect()  # outside the handler, which holds frames, and arrays with them
    cupy.get_default_memory_pool().free_all_blocks()
    try:
        return run()
    except (cupy.cuda.memory.OutOfMemoryError, cupy.cuda.runtime.CUDARuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = str(error)
    raise OutOfDeviceMemory(f"no device memory for {what}, {free_bytes():,} free ({reason}); delete arrays that are not needed, "
                            "take smaller batches, or checkpoint what can be computed again (gpuad.checkpoint)")


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or error.status == OUT_OF_MEMORY  # type: ignore[attr-defined]


def free_bytes() -> int:
    """Bytes that an allocation may take: the device's free memory, within the limit of CuPy's pool where it has one."""
    pool = cupy.get_default_memory_pool()
    free, limit = cupy.cuda.runtime.memGetInfo()[0], pool.get_limit()
    return min(free, max(0, limit - pool.total_bytes())) if limit else free


def array_at(memory: Any, offset: int, shape: Shape, dtype: Any) -> Array:
    """A C-contiguous array over a block, from ``offset`` bytes on, which keeps the block alive."""
    return cupy.ndarray(shape, dtype, memory + offset)


def unowned(x: Array, owner: Any = None) -> Array:
    """The C-contiguous array x as one of another owner: with none, for who knows that the memory is there when he reads it."""
    block = cupy.cuda.UnownedMemory(x.data.ptr, x.nbytes, owner, x.data.device_id)
    return cupy.ndarray(x.shape, x.dtype, cupy.cuda.MemoryPointer(block, 0))


def copy_into(dst: Array, src: Array) -> None:
    """Copy src to dst, of the same shape, on CuPy's current stream: as one block where both are contiguous and of one dtype."""
    if not dst.size:
        return
    if dst.dtype == src.dtype and dst.shape == src.shape and dst.flags.c_contiguous and src.flags.c_contiguous:
        dst.data.copy_from_device_async(src.data, dst.nbytes)
    else:
        cupy.copyto(dst, src, casting="no")


def set_numbers(arrays: Sequence[Array], values: Sequence[Any]) -> None:
    """Write a number to each array of shape (), on CuPy's current stream: as arguments of a kernel, so that nothing waits."""
    kernel = modules.load(_WRITE, "write_numbers")
    for first in range(0, len(arrays), MOST):
        numbers = np.zeros(1, _NUMBERS)
        part = arrays[first:first + MOST]
        for i, (array, x) in enumerate(zip(part, values[first:first + MOST], strict=True)):
            entry = np.asarray(x, array.dtype).tobytes()
            numbers["to"][0, i], numbers["nbytes"][0, i] = array.data.ptr, len(entry)
            numbers["bits"][0, i] = np.frombuffer(entry.ljust(16, b"\0"), "<u8")
        kernel((1,), (16,), (numbers, np.int32(len(part))))


__all__ = ["OutOfDeviceMemory", "allocate", "array_at", "copy_into", "free_bytes", "retried", "set_numbers", "unowned"]
