"""The errors that gpuad raises, each saying what was expected, what came, and what to do."""
from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any


class LeakedTraceError(RuntimeError):
    """A traced array was used after the function that it belongs to had returned."""

    def __init__(self, operation: str):
        super().__init__(
            f"{operation}: got a traced array whose function has already returned: it leaked out of its trace (through a "
            "global, an attribute, or a closure). Return what you need from the differentiated function (has_aux=True), or "
            "store ad.stop_gradient(x), a plain array")


class NotDifferentiableError(TypeError):
    """A function without a differential was asked for one."""


class ArrayConversionError(TypeError):
    """A traced array was asked to become a plain array or number, which would lose its derivative."""


class PlanError(TypeError):
    """A function cannot be planned: values steer it, or something in it would be frozen."""


def out_of_memory(error: MemoryError, where: str) -> MemoryError:
    """What to raise in the place of a MemoryError: for CuPy's, an OutOfDeviceMemory that says how many bytes are free.

    The frames in which it was raised let go of their arrays, so that a smaller problem can be tried at once.
    """
    kind, module = type(error).__name__, type(error).__module__
    if (kind, module.partition(".")[0]) not in (("OutOfMemoryError", "cupy"), ("OutOfDeviceMemory", "linalg")):
        return error
    traceback.clear_frames(error.__traceback__)
    if kind == "OutOfDeviceMemory":
        return error
    from linalg.kernels.memory import OutOfDeviceMemory, free_bytes

    needed = re.search(r"[\d,]+(?= bytes)", str(error))
    return OutOfDeviceMemory(
        f"{where}: no device memory for an array: {needed[0] if needed else 'more'} bytes needed, {free_bytes():,} free; delete "
        "arrays that are not needed, take smaller batches, or checkpoint (gpuad.checkpoint) what is computed again")


def explaining_memory(where: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function with :func:`out_of_memory`."""
    def explaining(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except MemoryError as error:
                if (found := out_of_memory(error, where)) is error:
                    raise
                raise found from error

        return call

    return explaining
