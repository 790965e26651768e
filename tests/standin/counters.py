"""What the stand-in counts, as lists: ``cupy.launches``, ``cupy.allocations``, ``cupy.transfers``, ``cupy.synchronisations``."""
from __future__ import annotations

LAUNCHES: list[str] = []
"""What was enqueued on the device, by name: kernels, ufuncs, reductions, functions, copies, graphs."""
ALLOCATIONS: list[int] = []
"""Bytes of each block of memory that the device (not a pool) was asked for."""
TRANSFERS: list[str] = []
"""Copies between host and device."""
SYNCHRONISATIONS: list[str] = []
"""What made the host wait for the device."""
