"""Where arrays live: on the CPU or on a GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.harness import Contestant
from benchmarks.programs.program import flat, mapped
from benchmarks.requirements import Missing


@dataclass(frozen=True)
class Place:
    """The arrays' library, the device's name, which is also JAX's, its name for PyTorch, and how to wait for it."""

    xp: ModuleType
    name: str = "cpu"
    torch: str = "cpu"
    wait: Callable[[Any], None] = lambda _result: None

    def put(self, data):
        return mapped(self.xp.asarray, data)

    def contestant(self, name, call):
        to_host = getattr(self.xp, "asnumpy", np.asarray)
        return Contestant(name, call, lambda result: [to_host(x) for x in flat(result)], self.wait)

    def only_numpy(self, who):
        if self.xp is not np:
            raise Missing(f"{who} take NumPy arrays only")


def cpu():
    return Place(np)


def gpu():
    from linalg import arrays

    if reason := arrays.gpu_unavailable_reason():
        raise Missing(reason)
    cupy = arrays.cupy()
    return Place(cupy, "gpu", "cuda", lambda _result: cupy.cuda.get_current_stream().synchronize())


PLACES = {"cpu": cpu, "gpu": gpu}
