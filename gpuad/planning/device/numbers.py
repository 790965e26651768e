"""Python's numbers among the arguments of a plan: in device memory, written there at a run only where they have changed."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.errors import PlanError
from gpuad.planning import functions
from gpuad.planning.program import Program, Row, Spec, Var, is_var
from linalg.arrays import Array
from linalg.kernels import memory

ORDER = "biufc"
"""Kinds of numbers: what is of one is of those behind it."""
EACH = 16
"""Bytes of each: a complex number."""


class Numbers:
    """``arrays`` of shape () on the device, and their ``values`` on the host, by place among the inputs."""

    def __init__(self, program: Program, first: int):
        """The inputs of a program from ``first`` on."""
        specs = program.inputs[first:]
        self._specs, self._limits = specs, [limits(program, first + k) for k in range(len(specs))]
        self._block = memory.allocate(EACH * len(specs), "numbers") if specs else None
        self.arrays: list[Array] = [memory.array_at(self._block, EACH * k, (), spec.dtype) for k, spec in enumerate(specs)]
        self.values: dict[int, Any] = {}
        self._first, self._written = first, [b""] * len(specs)

    def set(self, values: Sequence[Any]) -> None:
        """Write those that differ, bit by bit, from what is there, on the current stream.

        Raises OverflowError, IndexError or PlanError for numbers with which the function would do something else.
        """
        new = [(k, x) for k, x in enumerate(values) if self.values.get(self._first + k) is not x]
        for k, x in new:
            _check(x, self._specs[k], self._limits[k])
        changed = []
        for k, x in new:
            array = self.arrays[k]
            self.values[self._first + k] = x
            bits = np.asarray(x, array.dtype).tobytes()
            if bits != self._written[k]:
                changed.append((array, x))
                self._written[k] = bits
        if changed:
            memory.set_numbers([array for array, _ in changed], [x for _, x in changed])


def _check(x: Any, spec: Spec, limits: Sequence[Limit]) -> None:
    kind = np.asarray(x).dtype.kind
    is_other = kind not in ORDER or ORDER.index(kind) > ORDER.index(spec.dtype.kind)
    if is_other and not isinstance(x, int):  # an integer may need more than 64 bits
        raise PlanError(f"expected a number of dtype {spec.dtype}, as it was when the plan was made, got {x!r}: results would be "
                        "of another dtype. Pass a float (or a complex number) from the beginning, or call the function without "
                        "ad.plan")
    if not isinstance(x, (int, np.integer)) or isinstance(x, bool):
        return
    for low, high, error, what in limits:
        if not low <= x <= high:
            raise error(f"expected {what} between {low} and {high} in a plan on the device, got {x}")


Limit = tuple[int, int, type[Exception], str]
"""The least and the greatest value, the error for others, and what it is the limit of."""


def limits(program: Program, i: int) -> list[Limit]:
    """What a number must lie between."""
    dtype = program.spec(i).dtype
    if dtype.kind not in "iu":
        return []
    found: list[Limit] = [(*_range(dtype), OverflowError, "an integer")]
    for row in program.rows:
        if i not in row.parents:
            continue
        if isinstance(row.function, np.ufunc):
            others = [program.spec(x.index) if type(x) is Var else np.asarray(x) for x in row.args if not is_var(x, i)]
            dtypes = [s.dtype for s in others if getattr(s, "kind", "") != "number"]
            taken = np.result_type(*dtypes) if dtypes else np.dtype(int)
            if taken.kind in "iu":
                found.append((*_range(taken), OverflowError, f"an integer beside {taken}"))
            if row.function is np.power and is_var(row.args[1], i) and row.out.dtype.kind in "iu":
                found.append((0, 2**63 - 1, ValueError, "the exponent of an integer"))
        elif row.function is functions.getitem and type(row.args[0]) is Var:
            found += _index_limits(program, row, i)
    return found


def _range(dtype: np.dtype) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _index_limits(program: Program, row: Row, i: int) -> list[Limit]:
    """The lengths of the axes along which the number is an index."""
    shape, index = program.spec(row.args[0].index).shape, row.args[1]
    if any(p is Ellipsis for p in index):
        at = next(k for k, p in enumerate(index) if p is Ellipsis)
        named = sum(p is not None for p in index) - 1
        index = (*index[:at], *(slice(None),) * (len(shape) - named), *index[at + 1:])
    parts = [p for p in index if p is not None]
    return [(-n, n - 1, IndexError, f"an index of an axis of length {n}")
            for p, n in zip(parts, shape, strict=False) if is_var(p, i)]
