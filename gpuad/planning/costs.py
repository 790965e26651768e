"""What the steps of a schedule cost: operations, bytes that they move, and the bytes that are in use while they run."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gpuad.planning import functions
from gpuad.planning.program import Program, Row, Var
from gpuad.planning.storage import Storage, is_elementwise

if TYPE_CHECKING:
    from gpuad.planning.host import Schedule

MOVES = {*functions.VIEWS, functions.getitem, functions.component, functions.convert, np.concatenate}
"""Functions that compute nothing."""
KINDS = ("product", "elementwise", "reduction", "supernode", "other")


def flops(program: Program, row: Row) -> int | None:
    """Operations of a row: 2mnk of a product, one for each entry of an elementwise row's result or of what is reduced.

    None where they are not known.
    """
    f = row.function
    if f in MOVES:
        return 0
    if f is np.matmul:
        return 2 * row.out.size * _shape(program, row.args[0])[-1]
    if f is functions.reduce or f is functions.scatter_add:
        return int(np.prod(_shape(program, row.args[0]), dtype=int))
    if _acts_on_entries(row):
        return row.out.size
    return None


def _acts_on_entries(row: Row) -> bool:
    return is_elementwise(row) or getattr(row.function, "__module__", "") == "_operator"  # of Python's numbers


def _shape(program: Program, x: Any) -> tuple[int, ...]:
    return program.spec(x.index).shape if type(x) is Var else np.shape(x)


def rows_of(step: Any) -> tuple[int, ...]:
    """The variables that a step computes."""
    return (step,) if isinstance(step, int) else step.rows


def kind_of(schedule: Placed, step: Any) -> str:
    """What a step is: one of ``KINDS``, or a view, which takes no time."""
    row = schedule.program.rows[rows_of(step)[0] - schedule.program.first]
    if not isinstance(step, int):
        return "product" if getattr(step, "is_product", False) else "supernode"
    if schedule.storage.kind[step] == "view":
        return "view"
    if row.function is np.matmul:
        return "product"
    return "elementwise" if _acts_on_entries(row) else "reduction" if row.function is functions.reduce else "other"


class Placed(Protocol):
    """A program, its steps and its storage: a schedule of the host has them, and one of the device for its part."""

    program: Program
    storage: Storage
    hidden: frozenset[int]
    steps: list[Any]


def moved(schedule: Placed, step: Any) -> int:
    """Bytes of arrays that a step reads from memory and writes to it, each once. What stays in tiles is not moved."""
    program, s = schedule.program, schedule.storage
    inside = rows_of(step)
    read: dict[int, int] = {}
    written = 0
    for i in inside:
        row = program.rows[i - program.first]
        if s.kind[i] == "view" or row.function is functions.component:
            most = 0 if step == i else None
        else:
            most = row.out.nbytes if row.function is functions.getitem else None
            written += row.out.nbytes if row.out.kind == "array" and i not in schedule.hidden else 0
        for j in row.parents:
            if j not in inside and program.spec(j).kind == "array":
                nbytes = min(program.spec(j).nbytes, program.spec(s.root[j]).nbytes)
                read[s.root[j]] = max(read.get(s.root[j], 0), nbytes if most is None else min(most, nbytes))
        for array in constants((row.args, row.kwargs)):
            read[-id(array)] = array.nbytes
    return written + sum(read.values())


def constants(tree: Any) -> Iterator[np.ndarray]:
    """The constant arrays in a row's arguments."""
    if isinstance(tree, np.ndarray):
        yield tree
    elif type(tree) in (tuple, list, dict):
        for part in tree.values() if type(tree) is dict else tree:
            yield from constants(part)


def copies(schedule: Schedule) -> dict[int, int]:
    """Results that are copied into their arrays at the end, and their bytes: number of the output -> bytes."""
    outputs, computed = schedule.program.outputs, schedule.storage.result
    return {k: spec.nbytes for k, spec in sorted(schedule.result_specs.items())
            if type(outputs[k]) is not Var or computed.get(outputs[k].index) != k}


@dataclass(frozen=True)
class Span:
    """A buffer's place in the arena, and the steps during which it holds its value: from ``start`` to before ``end``.

    Where its place is written over by the last step that reads it, it ends before that step.
    """

    variable: int
    offset: int
    nbytes: int
    start: int
    end: int


def spans(schedule: Placed) -> list[Span]:
    """The buffers of the arena in the order in which they are written."""
    program, s = schedule.program, schedule.storage
    position = {i: at for at, step in enumerate(schedule.steps) for i in rows_of(step)}
    order = sorted((position[i], i) for i in s.offset)
    starts = {(s.offset[i], at) for at, i in order}
    n = len(schedule.steps)
    found, later = [], {(s.offset[i], at): i for at, i in order}  # the last row that is written there in that step
    for at, i in order:
        last = min(s.last[i], n - 1)
        over = (s.offset[i], last) in starts and later[s.offset[i], last] != i
        found.append(Span(i, s.offset[i], program.spec(i).nbytes, at, last if over else last + 1))
    return found


def in_use(found: list[Span], n: int) -> list[int]:
    """Bytes of the buffers that hold values while each of n steps runs."""
    change = [0] * (n + 1)
    for span in found:
        change[span.start] += span.nbytes
        change[max(span.end, span.start)] -= span.nbytes
    return list(accumulate(change))[:n]
