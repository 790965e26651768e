"""Recorder: the rows of a plan under construction, and what it has to remember of the constants that they read."""
from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.errors import PlanError
from gpuad.planning import functions
from gpuad.planning.device import calls as device
from gpuad.planning.device.calls import on_device
from gpuad.planning.program import Row, Spec, Var, spec_of
from gpuad.planning.staged import STAGED, StagedArray, values_of
from linalg.arrays import Array, is_cupy, to_host


class Recorder:
    """The rows of a plan under construction, and the constants that they read."""

    def __init__(self) -> None:
        self.inputs: list[Spec] = []
        self.rows: list[Row] = []
        self.constants: list[Array] = []  # as they were met: the same at every trace, or they are no constants
        self.marks: dict[int, int] = {}  # what was in them when they were met first
        self.seeds: dict[int, Any] = {}  # by a copy, which is among the constants: the array itself
        self.lock = threading.Lock()
        self.refusal: PlanError | None = None
        self.errors = np.geterr()
        self.closed = False
        self.on_device = False

    def input(self, value: Any) -> StagedArray:
        """A staged array that stands for a leaf of the arguments."""
        _require_plain(value, "as an argument of a plan")
        self.on_device |= is_cupy(value)
        self.inputs.append(spec_of(value))
        x = StagedArray(value, self, ~(len(self.inputs) - 1))
        x.is_argument = True
        return x

    def call(self, function: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any) -> Any:
        """function(*args, **kwargs), computed now and recorded as a row."""
        if self.closed:
            raise PlanError(f"{getattr(function, '__name__', function)}: got an array of a plan whose function has already "
                            "returned: it leaked out (through a global, an attribute or a closure). Return it instead")
        value = _evaluate(function, values_of(args), values_of(kwargs))
        self.on_device |= is_cupy(value)
        if self.on_device and type(value) is np.ndarray:
            value = device.namespace().asarray(value)
        _require_plain(value, f"from {getattr(function, '__name__', function)} in a plan")
        errors: Any = np.geterr()
        row = Row(function, self._recorded(args), self._recorded(kwargs), spec_of(value), ordered,
                  errors if errors != self.errors else None)
        with self.lock:
            self.rows.append(row)
            index = len(self.rows) - 1
        if isinstance(value, (tuple, list)):
            parts = [self.call(functions.component, StagedArray(value, self, index), k) for k in range(len(value))]
            try:
                return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
            except TypeError as error:  # a result that holds more than its parts
                raise PlanError(f"{function.__name__} gives a {type(value).__name__}, which a plan cannot put together: leave it "
                                "out of the planned function, or take what you need of it within ad.primitive") from error
        return StagedArray(value, self, index)

    def _recorded(self, tree: Any) -> Any:
        """Arguments as a row has them: variables, and constants that are noted."""
        kind = type(tree)
        if kind in STAGED:
            if tree.recorder is not self:
                raise PlanError("expected arrays of one plan, got one of another plan, which leaked out of its function")
            return Var(tree.index)
        if isinstance(tree, (tuple, list)):
            return (list if kind is list else tuple)(self._recorded(part) for part in tree)
        if kind is dict:
            return {k: self._recorded(part) for k, part in tree.items()}
        if kind is slice:
            return slice(*map(self._recorded, (tree.start, tree.stop, tree.step)))
        if isinstance(tree, np.ndarray) or is_cupy(tree):
            self._meet(tree)
        return tree

    def _meet(self, constant: Array) -> None:
        """Note a constant; small ones are looked at each time, whether they have changed since they were met first."""
        self.constants.append(constant)
        if id(constant) not in self.marks:
            self.marks[id(constant)] = mark(constant)
        elif constant.nbytes < 65536:
            self._require_unchanged(constant)

    def _require_unchanged(self, constant: Array) -> None:
        if mark(constant) != self.marks[id(constant)]:
            raise PlanError(f"an array of shape {constant.shape} ({constant.dtype}) was changed in place by the planned function "
                            "after it had been used there. A plan reads it when it runs: make a new array for each use, or pass "
                            "and return it")

    def close(self) -> None:
        """End the recording: no staged array records any more."""
        self.closed = True
        for constant in {id(c): c for c in self.constants}.values():
            self._require_unchanged(constant)


def _evaluate(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """A call in the tracing run, whose arrays are read-only; some of SciPy's want others, also where they only read."""
    if on_device(args) or (kwargs and on_device(kwargs)):
        return device.call(function, args, kwargs)
    try:
        return function(*args, **kwargs)
    except ValueError as error:
        origin = getattr(getattr(function, "function", function), "__module__", None) or ""
        if "read-only" not in str(error) or not origin.startswith("scipy."):
            raise
    return function(*[a.copy() if isinstance(a, np.ndarray) else a for a in args],
                    **{k: a.copy() if isinstance(a, np.ndarray) else a for k, a in kwargs.items()})


def mark(x: Array) -> int:
    """A number that tells arrays of different content apart."""
    x = to_host(x)
    return 0 if x.dtype.hasobject else zlib.crc32(np.ascontiguousarray(x).view(np.uint8).data) if x.size else 0


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
        kind = type(value)
        remedy = "x.filled(value)" if isinstance(value, np.ma.MaskedArray) else "numpy.asarray(x)"
        raise PlanError(f"expected plain arrays, got {kind.__module__}.{kind.__name__}, a subclass of ndarray, {where}; convert "
                        f"it first: {remedy}")


__all__ = ["Recorder", "mark"]
