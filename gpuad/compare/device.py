"""Where and how to train: on the host or, through CuPy, on the GPU, as the function is or in a plan."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

import gpuad as ad
from gpuad.compare.options import Options, require_gpu
from linalg import arrays


@dataclass(frozen=True)
class Device:
    """A name for the table, ``put(array)``, which places a host array there, and whether functions are planned."""

    name: str
    put: Callable[[np.ndarray], Any]
    planned: bool = False

    def place(self, tree: Any) -> Any:
        """A copy on this device of every array in a pytree."""
        return optree.tree_map(self.put, tree)

    def function(self, f: Callable[..., Any], **plan: Any) -> Callable[..., Any]:
        """f as it is run here: itself, or ``ad.plan(f, **plan)``."""
        return ad.plan(f, **plan) if self.planned else f


CPU = Device("CPU", np.array)
PLAN = Device("CPU plan", np.array, planned=True)


def gpu() -> list[Device]:
    """The GPU, as it is and in a plan; raises OptionError where there is none."""
    require_gpu()
    put = arrays.cupy().array
    return [Device("GPU", put), Device("GPU plan", put, planned=True)]


def chosen(device: str) -> list[Device]:
    """Devices to compare, eager and in a plan: ``cpu``, ``gpu``, or with ``auto`` the CPU and, where there is one, the GPU."""
    if device == "gpu":
        return gpu()
    if device == "cpu" or arrays.gpu_unavailable_reason() is not None:
        return [CPU, PLAN]
    return [CPU, PLAN, *gpu()]


def trained(options: Options, devices: list[Device]) -> list[Device]:
    """Those to train on: in plans, or with ``eager`` without."""
    return [device for device in devices if device.planned is not options.eager]


def host(tree: Any, dtype: str | None = None) -> Any:
    """A pytree of arrays of any device, on the host, in ``dtype`` where one is given."""
    return optree.tree_map(lambda x: np.asarray(arrays.to_host(x), dtype), tree)
