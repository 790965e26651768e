"""CUDA graphs: what a function enqueues, captured once and launched as one.

A graph reads and writes the memory that was there when it was captured, and neither CUDA nor CuPy keeps that. Here a graph does:
it holds the arrays that it was given and a pool of its own, in which whatever the function allocated lies.
"""
from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import cupy

from linalg.kernels import memory

_CUPY = {"cupy", "cupyx", "cupy_backends"}


class CaptureError(RuntimeError):
    """Something cannot be part of a CUDA graph: the message says what, and where it is called."""


class Graph:
    """A captured graph: ``launch`` enqueues it. ``result`` is what the function returned, in memory that each launch writes.

    Launches are ordered by the streams they are enqueued on. Before other memory of the graph is written on another stream than
    that of the last launch, call ``follow``.
    """

    def __init__(self, graph: Any, result: Any, keep: Sequence[Any], home: Any):
        self._graph, self.result, self._keep = graph, result, keep
        self._home = self._last = home

    def launch(self) -> None:
        """Enqueue the graph on CuPy's current stream, behind its last launch; a stream that is captured gets it as a part."""
        self.follow()
        self._graph.launch()

    def follow(self) -> None:
        """Let CuPy's current stream wait for the last launch, where that was on another."""
        stream = cupy.cuda.get_current_stream()
        if stream != self._last and not stream.is_capturing():
            stream.wait_event(self._last.record(cupy.cuda.Event(disable_timing=True)))
            self._last = stream

    def __del__(self) -> None:
        """The stream on which the memory was allocated, and will be used again, waits for the last launch."""
        if (last := getattr(self, "_last", None)) is not None and last != self._home:
            with suppress(Exception):  # the process may be at its end
                self._home.wait_event(last.record(cupy.cuda.Event(disable_timing=True)))


def capture(body: Callable[[], Any], keep: Sequence[Any] = ()) -> Graph:
    """The graph of what ``body`` enqueues. It is called twice: run, so that all is compiled and allocated, and captured.

    Both happen on a stream of their own, behind the current one's work, which goes on behind the first call. ``keep`` are the
    arrays that the body uses and does not make. The body must use CuPy's current stream only, or others that wait for it and
    that it waits for; it must not copy to or from the host, wait, or branch on what the device computes.

    Raises CaptureError where a part of it cannot be captured; CuPy and the process go on as before. Raises OutOfDeviceMemory, and
    what the first call raises otherwise.
    """
    home, pool = cupy.cuda.get_current_stream(), cupy.cuda.MemoryPool()
    if home.is_capturing():
        raise CaptureError("the current stream is captured already: the body can be called, as a part of that graph")
    stream = cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(home.record(cupy.cuda.Event(disable_timing=True)))
    with cupy.cuda.using_allocator(pool.malloc), stream:
        try:
            memory.retried(body, "a graph's own arrays")
        finally:
            home.wait_event(stream.record(cupy.cuda.Event(disable_timing=True)))
        graph, result = _captured(stream, body)
    home.wait_event(stream.record(cupy.cuda.Event(disable_timing=True)))
    graph.upload(home)
    return Graph(graph, result, (keep, pool, stream), home)


def _captured(stream: Any, body: Callable[[], Any]) -> tuple[Any, Any]:
    """The graph, and what the body returned. CuPy's mode, relaxed, lets its pools ask for memory, and other threads work."""
    stream.begin_capture()
    try:
        result = body()
    except BaseException as error:
        with suppress(RuntimeError):  # an invalid capture ends, too
            stream.end_capture()
        if not isinstance(error, Exception):  # somebody stopped the program
            raise
        raise CaptureError(_reason(error)) from error
    try:
        return stream.end_capture(), result
    except RuntimeError as error:
        raise CaptureError(f"CUDA refuses the graph: {error}") from error


def _reason(error: Exception) -> str:
    """The error, and the last line outside CuPy that led to it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _CUPY & {*f.filename.split("/")}]
    where = f", called by {frames[-1].name}: {frames[-1].line}" if frames and frames[-1].line else ""
    return f"{error}{where}"


__all__ = ["CaptureError", "Graph", "capture"]
