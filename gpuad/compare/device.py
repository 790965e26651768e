"""A device to train on: the host, or the GPU through CuPy."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from gpuad.compare.options import require_gpu
from linalg import arrays


@dataclass(frozen=True)
class Device:
    """A name for the table, and ``put(array)``, which places a host array there."""

    name: str
    put: Callable[[np.ndarray], Any]

    def place(self, tree: Any) -> Any:
        """A copy on this device of every array in a pytree."""
        return optree.tree_map(self.put, tree)


CPU = Device("CPU", np.array)


def gpu() -> Device:
    """The GPU; raises OptionError where there is none."""
    require_gpu()
    return Device("GPU", arrays.cupy().array)


def chosen(device: str) -> list[Device]:
    """Devices to compare: ``cpu``, ``gpu``, or with ``auto`` the CPU and, where there is one, the GPU."""
    if device == "cpu":
        return [CPU]
    if device == "auto" and arrays.gpu_unavailable_reason() is not None:
        return [CPU]
    return [gpu()] if device == "gpu" else [CPU, gpu()]


def host(tree: Any, dtype: str | None = None) -> Any:
    """A pytree of arrays of any device, on the host, in ``dtype`` where one is given."""
    return optree.tree_map(lambda x: np.asarray(arrays.to_host(x), dtype), tree)
