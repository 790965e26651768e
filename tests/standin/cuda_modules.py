"""cupy.cuda and its modules: devices, the runtime, and what :mod:`streams`, :mod:`memory` and :mod:`kernels` hold."""
from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.standin import errors, memory, streams

MODULES = ("device", "memory", "stream", "graph", "compiler", "runtime", "driver", "function")


class Device:
    """cupy.cuda.Device: there is one."""

    def __init__(self, device: Any = None):
        if device not in (None, 0) and not isinstance(device, Device):
            raise errors.CUDARuntimeError(101)
        self.id = 0

    compute_capability = "90"
    mem_info = property(lambda _self: memory.memory_info())
    attributes = property(lambda _self: {"MultiProcessorCount": 4, "MaxSharedMemoryPerBlockOptin": 227 << 10})

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_args: object) -> None:
        return None

    def use(self) -> None:
        return None

    def synchronize(self) -> None:
        streams.synchronise_device()


def runtime() -> dict[str, Any]:
    properties = {"name": b"stand-in, no GPU", "multiProcessorCount": 4, "major": 9, "minor": 0, "totalGlobalMem": 64 << 30,
                  "sharedMemPerBlock": 48 << 10, "sharedMemPerBlockOptin": 227 << 10, "sharedMemPerMultiprocessor": 228 << 10,
                  "l2CacheSize": 50 << 20, "warpSize": 32, "maxThreadsPerMultiProcessor": 2048, "regsPerMultiprocessor": 65536,
                  "memoryClockRate": 0, "memoryBusWidth": 0, "clockRate": 0}
    return {"CUDARuntimeError": errors.CUDARuntimeError, "memGetInfo": memory.memory_info, "getDevice": lambda: 0,
            "getDeviceCount": lambda: 1, "getDeviceProperties": lambda _n: dict(properties), "driverGetVersion": lambda: 0,
            "runtimeGetVersion": lambda: 0, "deviceSynchronize": streams.synchronise_device,
            "streamCaptureModeGlobal": streams.GLOBAL, "streamCaptureModeThreadLocal": streams.THREAD_LOCAL,
            "streamCaptureModeRelaxed": streams.RELAXED}


def contents() -> dict[str, dict[str, Any]]:
    """What each module of cupy.cuda holds, by its name."""
    of_memory = {name: getattr(memory, name) for name in (
        "BaseMemory Memory MemoryPointer MemoryPool OutOfMemoryError PooledMemory UnownedMemory alloc get_allocator "
        "set_allocator").split()}
    of_streams = {name: getattr(streams, name) for name in "Stream Event get_current_stream get_elapsed_time".split()}
    return {"device": {"Device": Device, "get_cusparse_handle": lambda: 0, "get_device_id": lambda: 0,
                       "get_compute_capability": lambda: "90"},
            "memory": of_memory, "stream": of_streams, "graph": {"Graph": streams.Graph},
            "compiler": {"CompileException": errors.CompileException}, "runtime": runtime(),
            "driver": {"CUDADriverError": errors.CUDADriverError}, "function": {}}


def cuda() -> ModuleType:
    module, parts = ModuleType("cupy.cuda"), contents()
    for name in MODULES:
        part = ModuleType(f"cupy.cuda.{name}")
        for key, value in parts[name].items():
            setattr(part, key, value)
            if (name in ("memory", "stream", "graph") and key not in ("OutOfMemoryError", "PooledMemory")) or key == "Device":
                setattr(module, key, value)
        setattr(module, name, part)
    module.using_allocator = memory.using_allocator  # type: ignore[attr-defined]
    return module
