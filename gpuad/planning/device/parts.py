"""The two parts of a program on the device: numbers of Python's, computed on the host from one another, and all the rest."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuad.planning.passes.facts import is_elementwise, uniform
from gpuad.planning.program import Program, Row, Var, substitute
from linalg.arrays import Array, is_cupy

Upload = Callable[[np.ndarray], Array]


@dataclass(frozen=True)
class Parts:
    """``host`` gives numbers; ``device`` takes the leaves that are no numbers, and then those numbers that it reads.

    ``leaves`` are the leaves of the arguments that the device's part takes; ``n_numbers`` more inputs are the first outputs
    of the host's. ``outputs`` says of each output of the whole whether the device gives it.
    """

    host: Program
    device: Program
    leaves: tuple[int, ...]
    n_numbers: int
    outputs: tuple[bool, ...]


def parts(program: Program, upload: Upload) -> Parts:
    """The parts of an analysed program. Its constants are uploaded, once: to the device's part they are arrays from outside."""
    is_host = _host_variables(program)
    read: dict[int, None] = {}
    for i, row in program.numbered():
        if not is_host[i]:
            read |= dict.fromkeys(j for j in row.parents if is_host[j])
    numbers = [Var(j) for j in read]
    outputs = tuple(not is_host[v.index] if type(v) is Var else isinstance(v, np.ndarray) or is_cupy(v) for v in program.outputs)
    given = [v for v, on_device in zip(program.outputs, outputs, strict=True) if not on_device]
    host_rows = {i: row for i, row in program.numbered() if is_host[i]}
    host = _selected(replace(program, captured=()), program, list(range(len(program.inputs))), host_rows, [*numbers, *given])

    leaves = tuple(i for i in range(len(program.inputs)) if not is_host[i])
    lifted = _Lifted(program, upload)
    rows = {i: lifted.row(row) for i, row in program.numbered() if not is_host[i]}
    results = [lifted.output(v) for v, on_device in zip(program.outputs, outputs, strict=True) if on_device]
    inputs = [*leaves, *read]
    start = replace(program, inputs=tuple(program.spec(i) for i in inputs),
                    captured=(*program.captured, *lifted.arrays.values()))
    captured = {len(program.inputs) + k: len(inputs) + k for k in range(len(program.captured))}
    captured |= {~k: len(inputs) + len(program.captured) + k for k in range(len(lifted.arrays))}
    device = _selected(start, program, inputs, rows, results, captured)
    return Parts(host, device, leaves, len(numbers), outputs)


def _host_variables(program: Program) -> list[bool]:
    """By variable: whether it is a number, and made of numbers only."""
    is_host = [spec.kind in ("number", "scalar") for spec in program.inputs] + [False] * len(program.captured)
    for _, row in program.numbered():
        is_host.append(row.out.kind in ("number", "scalar") and not row.ordered and all(is_host[j] for j in row.parents))
    return is_host


def _selected(start: Program, program: Program, inputs: list[int], rows: dict[int, Row], outputs: list[Any],
              names: dict[int, int] | None = None) -> Program:
    """A program of some inputs, rows and outputs of another."""
    new = {i: Var(k) for k, i in enumerate(inputs)} | {i: Var(k) for i, k in (names or {}).items()}
    made = []
    for i, row in rows.items():
        made.append(row.renamed(new))
        new[i] = Var(start.first + len(made) - 1)
    specs = tuple(program.spec(i) for i in inputs)
    return replace(start, inputs=specs, rows=tuple(made), outputs=tuple(substitute(outputs, new)))


class _Lifted:
    """Rows whose constant arrays are variables: numbers where all entries are one, else ~k for the k-th array to upload."""

    def __init__(self, program: Program, upload: Upload):
        self.program, self.upload = program, upload
        self.arrays: dict[int, Array] = {}
        self._places: dict[int, int] = {}
        self._alive: list[Any] = []

    def row(self, row: Row) -> Row:
        if is_elementwise(row):
            args = tuple(self._operand(a) for a in row.args)
            if any(type(a) is Var for a in args):
                row = replace(row, args=args)
        return replace(row, args=self._tree(row.args), kwargs=self._tree(row.kwargs))

    def _operand(self, x: Any) -> Any:
        """A constant operand of an elementwise row as a number, where all its entries are one."""
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "biufc":
            return x
        number = uniform(x)
        return x if number is None else number

    def output(self, x: Any) -> Any:
        return self._tree(x)

    def _tree(self, tree: Any) -> Any:
        kind = type(tree)
        if kind in (tuple, list):
            return kind(map(self._tree, tree))
        if kind is dict:
            return {k: self._tree(part) for k, part in tree.items()}
        return self._lift(tree) if isinstance(tree, np.ndarray) and tree.dtype.kind in "biufc" else tree

    def _lift(self, x: np.ndarray) -> Var:
        if id(x) not in self._places:
            k = self._places[id(x)] = len(self.arrays)
            self.arrays[k] = self.upload(x)
            self._alive.append(x)
        return Var(~self._places[id(x)])
