"""Streams, events and graphs: what is enqueued runs at once, or within :func:`late` as late as it may; captured, it is recorded.

While it captures, a stream refuses what CuPy and CUDA refuse then. Results that were computed during a capture, for their shapes,
become NaN at its end, so that a graph that was never launched has no results. Every second launch of a graph runs what is
independent in it, by its streams and events, in another order.
"""
from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.standin.captures import Capture, latest_first
from tests.standin.counters import LAUNCHES, SYNCHRONISATIONS
from tests.standin.errors import CUDARuntimeError

RELAXED, THREAD_LOCAL, GLOBAL = 2, 1, 0
_pointers = itertools.count(0x5EA00010, 16)


class _Current(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = [Stream.null]


class Graph:
    """What was captured."""

    def __init__(self, *_args: Any, **_kwargs: Any):
        raise NotImplementedError("currently this class cannot be initiated by the user and must be created via stream capture")

    _nodes: list[Callable[[], Any]]
    _orders: tuple[list[int], list[int]]

    def launch(self, stream: Any = None) -> None:
        enqueue("graph", self._run, stream)

    def upload(self, stream: Any = None) -> None:
        del stream

    def _run(self) -> None:
        self._orders = self._orders[::-1]
        with np.errstate(all="ignore"):
            for i in self._orders[1]:
                self._nodes[i]()


class Event:
    """A place in the order of a stream's work."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False):
        del block, interprocess
        self.ptr, self.timed, self.time = next(_pointers), not disable_timing, 0.0
        self._capture: Capture | None = None
        self._after: frozenset[int] = frozenset()
        self._from: tuple[Stream, int] | None = None

    done = True

    def record(self, stream: Any = None) -> None:
        stream = stream or get_current_stream()
        self._capture, self.time = stream._capture, time.perf_counter()
        self._after = stream._capture.last[stream] if stream._capture else frozenset()
        self._from = stream, stream._n_done + len(stream._pending)

    def synchronize(self) -> None:
        if self._capture is not None and self._capture.origin._capture is self._capture:
            self._capture.valid = False
            raise CUDARuntimeError(900)
        if self._from is not None:
            self._from[0]._run_until(self._from[1])
        SYNCHRONISATIONS.append("event")


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds on the host."""
    assert start_event.timed and end_event.timed, "cudaErrorInvalidResourceHandle: an event without timing"
    return max(1e3 * (end_event.time - start_event.time), 1e-3)


class Stream:
    """A stream of the device. Those of different ``ptr`` are different."""

    null: Stream
    ptds: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None):
        del priority
        self.ptr = 0 if null else 2 if ptds else next(_pointers)
        self.is_non_blocking, self.device_id = non_blocking, -1 if null or ptds else 0
        self._capture: Capture | None = None
        self._pending: list[Callable[[], Any]] = []
        self._n_done = 0
        _streams.add(self)

    done = True

    def __del__(self) -> None:
        self._run_own()

    def _run_until(self, n: int | None = None) -> None:
        """Do the work of this stream, up to a number of its tasks, behind that for which it waits implicitly."""
        if self.ptr == 0 or not self.is_non_blocking:
            for other in [s for s in _streams if s is not self and (s.ptr == 0 or (self.ptr == 0 and not s.is_non_blocking))]:
                other._run_own()
        self._run_own(n)

    def _run_own(self, n: int | None = None) -> None:
        while self._pending and (n is None or self._n_done < n):
            self._n_done += 1
            self._pending.pop(0)()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __enter__(self) -> Stream:
        _current.stack.append(self)
        return self

    def __exit__(self, *_args: object) -> None:
        _current.stack.pop()

    def use(self) -> Stream:
        _current.stack[-1] = self
        return self

    def synchronize(self) -> None:
        if self._capture is not None:
            self._capture.valid = False
            raise CUDARuntimeError(900)
        self._run_until()
        SYNCHRONISATIONS.append("stream")

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        theirs = event._capture
        if theirs is not None and theirs.origin._capture is not theirs:
            theirs = None  # that capture has ended
        if theirs is None:
            if self._capture is not None and event._from is not None:
                self._capture.valid = False
                raise CUDARuntimeError(905)
            if event._from is not None:
                event._from[0]._run_until(event._from[1])
            return
        if self._capture is None:
            self._run_until()
            self._capture = theirs
        assert self._capture is theirs
        theirs.last[self] = theirs.last.get(self, frozenset()) | event._after

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr in (0, 1):
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self._capture is not None:
            raise CUDARuntimeError(401)
        self._run_until()
        self._capture = Capture(self, RELAXED if mode is None else mode)

    def end_capture(self) -> Graph:
        capture = self._capture
        if capture is None or capture.origin is not self:
            raise CUDARuntimeError(401)
        for stream in capture.last:
            stream._capture = None
        if not capture.valid:
            raise CUDARuntimeError(901)
        if capture.joined() < len(capture.nodes):
            raise CUDARuntimeError(904)
        for made in capture.made:
            made.fill(np.nan if made.dtype.kind in "fc" else 1)
        graph = Graph.__new__(Graph)
        graph._nodes = capture.nodes
        graph._orders = latest_first(capture.after), list(range(len(capture.nodes)))
        return graph

    def is_capturing(self) -> bool:
        return self._capture is not None

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr


_streams: weakref.WeakSet[Stream] = weakref.WeakSet()
_LATE = [False]
Stream.null, Stream.ptds = Stream(null=True), Stream(ptds=True)
_current = _Current()


def get_current_stream(device_id: int = -1) -> Stream:
    del device_id
    return _current.stack[-1]


def capturing() -> Capture | None:
    """The capture in which the current stream takes part."""
    return get_current_stream()._capture


def enqueue(name: str, run: Callable[[], Any], stream: Any = None) -> None:
    """Run something on a stream, or record it where the stream is captured."""
    LAUNCHES.append(name)
    stream = stream or get_current_stream()
    if (capture := stream._capture) is not None:
        if not capture.valid:
            raise CUDARuntimeError(901)
        capture.add(run, stream)
        return
    if not _LATE[0]:
        stream._run_until()
        run()
        return
    stream._pending.append(run)
    for other in _streams:  # what a legacy stream orders is not run late
        if stream.ptr == 0 and not other.is_non_blocking and other is not stream:
            other._run_own()
    if stream.ptr and not stream.is_non_blocking:
        Stream.null._run_own()


def catch_up() -> None:
    """Do the current stream's work, which is to come before what happens now."""
    stream = get_current_stream()
    if stream._pending or _LATE[0]:
        stream._run_until()


@contextmanager
def late() -> Iterator[None]:
    """Within, streams work as late as they may: what was not ordered behind another stream's work comes before it."""
    before, _LATE[0] = _LATE[0], True
    try:
        yield
    finally:
        _LATE[0] = before
        for stream in list(_streams):
            stream._run_own()


def refuse(what: str) -> None:
    """Raise as CuPy does for a copy between host and device, or a call of cuBLAS or its like, while the stream is captured."""
    if capturing() is None:
        return
    if what in ("D2H", "H2D"):
        raise RuntimeError(f"the current stream is capturing, so {what} transfers are disallowed")
    raise NotImplementedError(f"calling {what} API during stream capture is currently unsupported")


def synchronise(what: str) -> None:
    """The host waits for the current stream."""
    if (capture := capturing()) is not None:
        capture.valid = False
        raise CUDARuntimeError(900)
    catch_up()
    SYNCHRONISATIONS.append(what)


def refuse_allocation() -> None:
    """Raise where the current stream's capture allows no cudaMalloc."""
    if (capture := capturing()) is not None and capture.mode != RELAXED:
        capture.valid = False
        raise CUDARuntimeError(900)


def synchronise_device() -> None:
    synchronise("device")
    for stream in list(_streams):
        stream._run_own()
