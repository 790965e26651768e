"""Threads of the host schedule: as many as BLAS uses."""
from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import threadpoolctl


@lru_cache(maxsize=1)
def _controller() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def blas_threads() -> int:
    """The number of threads that NumPy's BLAS uses now, and no more than this process has cores."""
    counts = [lib["num_threads"] for lib in _controller().info() if lib["user_api"] == "blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([*counts, cores])


@lru_cache(maxsize=1)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "gpuad-plan")


def run_all(tasks: Iterable[Callable[[], None]]) -> None:
    """Run the tasks side by side, the first in this thread; errors are raised once all have ended."""
    first, *others = tasks
    futures = [_pool(max(len(others), 1)).submit(contextvars.copy_context().run, task) for task in others]
    try:
        first()
    finally:
        errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
