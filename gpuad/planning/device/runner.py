"""Runs of a schedule on the device: memory at fixed places, and a CUDA graph for each set of places, captured when it is needed.

A graph reads and writes where it did when it was captured. A graph is captured for the places of the first call's arguments,
for those of results of the plan (the parameters that the last training step gave), and for a few others that come twice in a row;
arguments that lie elsewhere are copied into arrays of the plan. Results lie in the plan's arrays too, of which it has two sets:
one is written again only once nobody holds its results; where both are held, results are copied. Those of shape () always are.
"""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpuad.planning.device.numbers import Numbers
from gpuad.planning.device.results import ALIGNMENT, ResultSet
from gpuad.planning.device.schedule import DeviceSchedule, upload
from gpuad.planning.recorder import mark
from linalg.arrays import Array, cupy, is_cupy
from linalg.kernels import memory
from linalg.kernels.graphs import CaptureError, capture

SETS = 2
"""Sets of results that are handed out: a loop that binds its result anew needs two."""
PLACES = 4
"""Places of an argument, besides those of results, for which graphs are captured."""
GRAPHS = 16
"""Graphs that a runner keeps."""
WORKSPACE = 32 << 20
"""Bytes that matrix products may work with."""


class DeviceRunner:
    """A schedule with memory of its own: used by one thread at a time, on any streams."""

    def __init__(self, schedule: DeviceSchedule):
        self.schedule = schedule
        device, storage, n_leaves = schedule.device, schedule.storage, len(schedule.parts.leaves)
        self._arena = memory.allocate(storage.size, f"the buffers of a plan of {len(device.rows)} rows")
        self._workspace = memory.array_at(memory.allocate(WORKSPACE, "matrix products"), 0, (WORKSPACE,), np.uint8) \
            if schedule.has_products else None
        self._numbers = Numbers(device, n_leaves)
        self._host = [(len(device.inputs) + k, x, mark(x)) for k, x in enumerate(device.captured) if isinstance(x, np.ndarray)]
        self._arrays: dict[int, Array] = {
            len(device.inputs) + k: x if is_cupy(x) else upload(x) for k, x in enumerate(device.captured)}
        self._arrays |= {n_leaves + k: x for k, x in enumerate(self._numbers.arrays)}
        self._arrays |= {i: memory.array_at(self._arena, storage.offset[i], device.spec(i).shape, device.spec(i).dtype)
                         for i in storage.offset}
        self._leaf_arrays: dict[int, Array] = {}
        self._sets: list[ResultSet] = []
        self._private: ResultSet | None = None
        self._graphs: OrderedDict[Any, Callable[[], None]] = OrderedDict()
        self._given_out: dict[int, int] = {}  # bytes of results that callers may give back, by address
        self._known: list[set[int]] = [set() for _ in range(n_leaves)]  # places of each argument that graphs read
        self._last = [0] * n_leaves
        self._stream: Any = None

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        """The outputs for these leaves of the arguments."""
        parts = self.schedule.parts
        self._follow()
        numbers = parts.host.run(*leaves) if parts.host.outputs else ()
        self._numbers.set(numbers[:parts.n_numbers])
        self._see_host()
        given = [leaves[i] for i in parts.leaves]
        results = self._choose(given)
        placed, there = self._placed(given, results)
        key = (id(results), *((i, x.data.ptr) for i, x in there.items()))
        if key not in self._graphs:
            self._graphs[key] = self._made(placed | {i: memory.unowned(x) for i, x in there.items()}, results)
            while len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        self._graphs[key]()
        out = results.copies() if results is self._private else results.hand_out()
        if len(out) == len(parts.outputs):
            return [out[k] for k in range(len(out))]
        arrays_out, rest = iter(out[k] for k in range(len(out))), iter(numbers[parts.n_numbers:])
        return [next(arrays_out) if on_device else next(rest) for on_device in parts.outputs]

    def _follow(self) -> None:
        """Wait, on the current stream, for what the last run's stream has been given: the memory is the same."""
        stream = cupy().cuda.get_current_stream()
        if self._stream is not None and self._stream != stream:
            stream.wait_event(self._stream.record())
        self._stream = stream

    def _see_host(self) -> None:
        """Copy arrays of the host that the function reads from outside to the device again, where they have changed."""
        for k, (i, x, known) in enumerate(self._host):
            if (now := mark(x)) != known:
                self._arrays[i].set(x)
                self._host[k] = (i, x, now)

    def _choose(self, given: Sequence[Array]) -> ResultSet:
        """Results that nobody holds, if possible those in which the donated arguments lie."""
        donated = {d: given[d] for d in self.schedule.storage.donated.values()}
        free = [s for s in self._sets if s.is_free(donated)]
        if free:
            return max(free, key=lambda s: sum(s.holds(d, x) for d, x in donated.items())) if donated else free[0]
        if len(self._sets) < SETS:
            self._sets.append(ResultSet(self.schedule))
            self._given_out |= self._sets[-1].places()
            return self._sets[-1]
        self._private = self._private or ResultSet(self.schedule)
        return self._private

    def _placed(self, given: Sequence[Any], results: ResultSet) -> tuple[dict[int, Array], dict[int, Array]]:
        """What the run reads its arguments from: arrays of the plan; and the arguments themselves, where it reads those."""
        placed: dict[int, Array] = {}
        there: dict[int, Array] = {}
        for i, x in enumerate(given):
            if not is_cupy(x):  # a random generator
                placed[i] = x
                continue
            address, own = x.data.ptr, results.donated.get(i)
            if own is None and x.flags.c_contiguous and self._is_known(i, address, x.nbytes):
                there[i] = x
                continue
            if own is None and (own := self._leaf_arrays.get(i)) is None:
                own = self._leaf_arrays[i] = cupy().empty(x.shape, x.dtype)
            placed[i] = own
            if own.data.ptr != address:
                memory.copy_into(own, x)
        return placed, there

    def _is_known(self, i: int, address: int, nbytes: int) -> bool:
        """Whether there is, or is to be, a graph that reads argument i at this address."""
        last, self._last[i], known = self._last[i], address, self._known[i]
        if address in known or self._given_out.get(address) == nbytes:
            return True
        if address % ALIGNMENT or len(known) == PLACES or last not in (0, address):
            return False
        known.add(address)
        return True

    def _made(self, placed: dict[int, Any], results: ResultSet) -> Callable[[], None]:
        """What runs the program on these places: a graph, or where it cannot be captured, its steps one by one."""
        arrays = self._arrays | placed
        steps = self.schedule.bind(arrays, results.arrays, self._numbers.values, self._workspace)

        def body() -> None:
            for step in steps:
                step()

        if self.schedule.why_no_graph is not None:
            return body
        kept = {i: x.copy() for i, x in results.donated.items()}  # which the run before the capture writes over
        try:
            graph = capture(body, (arrays, results, steps))
        except CaptureError as error:
            self.schedule.why_no_graph = str(error)
            return body
        finally:
            for i, x in kept.items():
                memory.copy_into(results.donated[i], x)
        return graph.launch


__all__ = ["DeviceRunner"]
