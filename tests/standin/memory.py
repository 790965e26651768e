"""The device's memory: blocks with guard zones, of limited total size, and pools of them, as cupy.cuda.memory has them.

What is new, or comes from a pool again, holds NaN (0xFFFD in each two bytes), as do the zones before and behind each block. A
pool's blocks belong to the stream that was current when they were made, as CuPy's do.
"""
from __future__ import annotations

import bisect
import ctypes
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.counters import ALLOCATIONS
from tests.standin.errors import CUDARuntimeError

UNIT, GUARD = 512, 1024
POISON = 0xFFFD
MEGABYTES = 1 << 16
STATE = {"total": MEGABYTES << 20, "used": 0}
_starts: list[int] = []
_blocks: dict[int, weakref.ref[Memory]] = {}


class OutOfMemoryError(MemoryError):
    """As CuPy's."""

    __module__ = "cupy.cuda.memory"

    def __init__(self, size: int, total: int, limit: int = 0):
        more = f", limit set to: {limit:,} bytes" if limit else ""
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes{more}).")


class BaseMemory:
    """``size`` bytes at ``ptr``, which ``bytes`` shows to NumPy."""

    ptr = size = device_id = 0
    bytes: np.ndarray = np.empty(0, np.uint8)

    def __int__(self) -> int:
        return self.ptr


class Memory(BaseMemory):
    """A block of the device's own. Raises CUDARuntimeError where the device has no more."""

    def __init__(self, size: int):
        if not size:
            return
        streams.refuse_allocation()
        if STATE["used"] + size > STATE["total"]:
            raise CUDARuntimeError(2)
        buffer = np.empty(size + 2 * GUARD + UNIT, np.uint8)
        start = -(buffer.ctypes.data + GUARD) % UNIT + GUARD
        self._guards = buffer[start - GUARD:start], buffer[start + size:start + size + GUARD]
        self.bytes = buffer[start:start + size]
        for part in (*self._guards, self.bytes):
            poison(part)
        self.ptr, self.size, self.lent = self.bytes.ctypes.data, size, True
        STATE["used"] += size
        ALLOCATIONS.append(size)
        bisect.insort(_starts, self.ptr)
        _blocks[self.ptr] = weakref.ref(self)

    def is_intact(self) -> bool:
        """Whether nothing was written to the zones before and behind it."""
        return not self.size or all((g[:len(g) & ~1].view(np.uint16) == POISON).all() for g in self._guards)

    def __del__(self) -> None:
        if self.size and _blocks is not None:
            STATE["used"] -= self.size
            del _blocks[self.ptr], _starts[bisect.bisect_left(_starts, self.ptr)]
            poison(self.bytes)  # a graph that still writes here writes NaN


def poison(part: np.ndarray) -> None:
    part[:len(part) & ~1].view(np.uint16).fill(POISON)


def block_at(address: int) -> Memory | None:
    """The block in which an address lies."""
    k = bisect.bisect_right(_starts, address) - 1
    block = _blocks[_starts[k]]() if k >= 0 else None
    return block if block is not None and address < block.ptr + block.size else None


class UnownedMemory(BaseMemory):
    """Somebody else's."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1):
        self.ptr, self.size, self._owner = ptr, size, owner
        if block_at(ptr) is None and device_id < 0:
            raise CUDARuntimeError(1)
        self.bytes = np.frombuffer((ctypes.c_char * size).from_address(ptr), np.uint8)


class PooledMemory(BaseMemory):
    """A block that goes back to its pool."""

    def __init__(self, block: Memory, arena: list[Memory], pool: MemoryPool):
        self._block, self._arena, self._pool = block, arena, weakref.ref(pool)
        self.ptr, self.size, self.bytes = block.ptr, block.size, block.bytes
        block.lent = True
        pool.lent[block.ptr] = block  # so that it is no garbage when an array in a cycle is

    def __del__(self) -> None:
        if streams is None or (pool := self._pool()) is None:
            return
        self._block.lent = False
        self._arena.append(pool.lent.pop(self.ptr))
        pool.used -= self.size


class MemoryPointer:
    """A place in memory, ``offset`` bytes from its start."""

    def __init__(self, mem: BaseMemory, offset: int):
        assert mem.ptr or not offset
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, 0

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    __radd__ = __add__

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def _part(self, size: int) -> np.ndarray:
        start = self.ptr - self.mem.ptr
        assert start >= 0 and start + size <= self.mem.size, f"{size} bytes at {start} of {self.mem.size}"
        return self.mem.bytes[start:start + size]

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        to, given = self._part(size), src._part(size)
        if size:
            streams.enqueue("copy", lambda: np.copyto(to, given.copy()), stream)

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        part = self._part(size)
        if size:
            streams.enqueue("memset", lambda: part.fill(value), stream)


class MemoryPool:
    """Freed blocks are kept for the next of their size on the same stream."""

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None):
        self._allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
        self._arenas: dict[tuple[int, int], list[Memory]] = {}
        self.lent: dict[int, Memory] = {}
        self._limit = self.used = self._held = 0

    def malloc(self, size: int) -> MemoryPointer:
        if not size:
            return MemoryPointer(Memory(0), 0)
        size = -(-size // UNIT) * UNIT
        arena = self._arenas.setdefault((streams.get_current_stream().ptr, size), [])
        streams.catch_up()  # what still reads a block that is free again
        block = arena.pop() if arena else self._new(size)
        poison(block.bytes)
        self.used += size
        return MemoryPointer(PooledMemory(block, arena, self), 0)

    def _new(self, size: int) -> Memory:
        for attempt in range(3):
            if attempt:
                gc.collect()
                self.free_all_blocks()
            if self._limit and self.total_bytes() + size > self._limit:
                continue
            try:
                return self._allocator(size).mem  # type: ignore[return-value]
            except CUDARuntimeError as error:
                if error.status != 2:
                    raise
        raise OutOfMemoryError(size, self.total_bytes(), self._limit)

    def free_all_blocks(self, stream: Any = None) -> None:
        for (ptr, _), arena in self._arenas.items():
            if stream is None or stream.ptr == ptr:
                arena.clear()

    def used_bytes(self) -> int:
        return self.used

    def free_bytes(self) -> int:
        return sum(block.size for arena in self._arenas.values() for block in arena)

    def total_bytes(self) -> int:
        return self.used + self.free_bytes()

    def n_free_blocks(self) -> int:
        return sum(map(len, self._arenas.values()))

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self._limit = int(fraction * STATE["total"]) if fraction is not None else size or 0

    def get_limit(self) -> int:
        return self._limit


DEFAULT = MemoryPool()


class _Allocators(threading.local):
    current: Callable[[int], MemoryPointer] | None = None


_allocators = _Allocators()
_global: list[Callable[[int], MemoryPointer]] = [DEFAULT.malloc]


def get_allocator() -> Callable[[int], MemoryPointer]:
    return _allocators.current or _global[0]


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    _global[0] = allocator or (lambda size: MemoryPointer(Memory(size), 0))


@contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    before, _allocators.current = _allocators.current, allocator or (lambda size: MemoryPointer(Memory(size), 0))
    try:
        yield
    finally:
        _allocators.current = before


def alloc(size: int) -> MemoryPointer:
    return get_allocator()(size)


def memory_info() -> tuple[int, int]:
    """Free and total bytes of the device."""
    return STATE["total"] - STATE["used"], STATE["total"]


@contextmanager
def limited(nbytes: int) -> Iterator[None]:
    """Within, the device has ``nbytes`` that are free, beside what is in use or in pools."""
    before, STATE["total"] = STATE["total"], STATE["used"] + nbytes
    try:
        yield
    finally:
        STATE["total"] = before
