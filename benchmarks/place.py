"""Where arrays live: on the CPU or on a GPU."""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.harness import Contestant
from benchmarks.programs.program import flat, mapped
from benchmarks.requirements import Missing

MOST_SETS = 8


@dataclass(frozen=True)
class Place:
    """The arrays' library, the device's name, which is also JAX's, its name for PyTorch, and how to wait for it.

    A cache of so many bytes is met with fresh data at each call: programs whose data would stay in it get several sets.
    """

    xp: ModuleType
    name: str = "cpu"
    torch: str = "cpu"
    wait: Callable[[Any], None] = lambda _result: None
    cache: int = 0

    def put(self, data):
        return mapped(self.xp.asarray, data)

    def sets(self, data, put=None):
        """(params, *constants) in this place, with the same params and other memory for the constants in each set."""
        params, *constants = data
        params = mapped(put or self.xp.asarray, params)
        return [(params, *mapped(put or self.xp.asarray, constants)) for _ in range(self.copies(constants))]

    def copies(self, constants):
        """So many sets that twice the cache is filled, eight at most; one where the data exceed it."""
        size = sum(x.nbytes for x in flat(constants))
        return min(MOST_SETS, -(-2 * self.cache // size)) if 0 < size < self.cache else 1

    def contestant(self, name, call):
        to_host = getattr(self.xp, "asnumpy", np.asarray)
        return Contestant(name, call, lambda result: [to_host(x) for x in flat(result)], self.wait)

    def only_numpy(self, who):
        if self.xp is not np:
            raise Missing(f"{who} take NumPy arrays only")

    def release(self):
        """Gives back the memory that libraries keep on the device, so that the next workload finds it."""
        gc.collect()
        if self.xp is np:
            return
        self.xp.get_default_memory_pool().free_all_blocks()
        if "torch" in sys.modules and self.torch != "cpu" and sys.modules["torch"].cuda.is_available():
            sys.modules["torch"].cuda.empty_cache()


def cpu():
    return Place(np)


def gpu():
    from linalg import arrays

    if reason := arrays.gpu_unavailable_reason():
        raise Missing(reason)
    cupy = arrays.cupy()
    runtime = cupy.cuda.runtime
    cache = runtime.getDeviceProperties(runtime.getDevice()).get("l2CacheSize", 0)
    return Place(cupy, "gpu", "cuda", lambda _result: cupy.cuda.get_current_stream().synchronize(), cache)


PLACES = {"cpu": cpu, "gpu": gpu}
