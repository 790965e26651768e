"""One-block programs: consecutive steps whose arithmetic takes less time than their launches become one launch of one block.

A block runs on one multiprocessor of a hundred, so it pays only where the work is small. The times here are estimates of a Hopper
GPU's; the steps are cut where their sum is least.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.block import Block, is_head, moves, reduced_length
from gpuad.planning.device.block_text import written
from gpuad.planning.device.code import Code, Node, Step
from gpuad.planning.device.dtypes import is_known
from gpuad.planning.device.expressions import is_supported
from gpuad.planning.device.indexing import numbers_of, parsed
from gpuad.planning.device.moving import has_text, parts_of
from gpuad.planning.device.places import ACROSS, shape_of, sources
from gpuad.planning.passes.facts import uniform
from gpuad.planning.program import Program, Row, Spec, Var, variables
from gpuad.planning.storage import is_view

LAUNCH, PRODUCT = 3000.0, 5000.0
"""Nanoseconds of a small kernel inside a graph, and of a matrix product of a library: little of it is arithmetic."""
BARRIER = 60.0
"""Nanoseconds of a row in a block: a barrier, and the latency of what follows it."""
ENTRIES = 1 << 16
"""Entries that the arrays of a block may have together."""
ROWS = 400
"""Rows of a block: more take a compiler too long."""
POINTERS = 100
"""Arrays outside that a block reads."""
PER_NS = {"entry": 16.0, "dear": 4.0, "term": 40.0, "move": 8.0}
"""In a nanosecond: entries of elementwise rows, of those with dear functions, terms of sums, steps of what moves entries."""
ALONG = {np.cumsum, np.cumprod, np.argmax, np.argmin}
CHEAP = {np.add, np.subtract, np.multiply, np.negative, np.maximum, np.minimum, np.square, np.absolute, functions.select,
         functions.cast, functions.convert}


def is_small(program: Program) -> bool:
    """Whether one block computes the whole program, and faster than a launch for each row would."""
    rows = [i for i, row in program.numbered() if not is_view(row)]
    return bool(rows) and len(rows) <= ROWS and all(can_compute(program, i) for i in rows) \
        and sum(program.rows[i - program.first].out.size for i in rows) <= ENTRIES \
        and LAUNCH + sum(time(program, i) for i in rows) <= sum(_alone(program, [i]) for i in rows)


def can_compute(program: Program, i: int) -> bool:
    """Whether a block can compute a row that is no view."""
    row = program.rows[i - program.first]
    if row.ordered or row.out.kind not in ("array", "scalar", "number") or not is_known(row.out.dtype) or not row.out.size:
        return False
    if not all(_is_readable(program.spec(j)) for j in row.parents):
        return False
    if is_head(row):
        return _reduces(row)
    if moves(row):
        return _moves(program, row)
    return is_supported(program, row) and all(type(x) is Var or uniform(x) is not None or np.size(x) == 1 for x in sources(row))


def _is_readable(spec: Spec) -> bool:
    return spec.kind in ("array", "scalar", "number") and is_known(spec.dtype) and spec.size > 0


def _reduces(row: Row) -> bool:
    if row.kwargs or not any(type(x) is Var for x in sources(row)):
        return False
    if any(type(x) is not Var and uniform(x) is None for x in sources(row)):
        return False
    if row.function is np.matmul:
        return row.out.dtype.kind in "iufc"
    return row.args[1] in ACROSS and not (row.out.dtype.kind == "c" and row.args[1] in (np.maximum, np.minimum))


def _moves(program: Program, row: Row) -> bool:
    if row.function not in ALONG:
        return has_text(program, row)
    return len(row.args) == 1 and type(row.args[0]) is Var and isinstance(row.kwargs.get("axis"), int) \
        and set(row.kwargs) == {"axis"} and program.spec(row.args[0].index).dtype.kind in "biuf"


def time(program: Program, i: int) -> float:
    """Estimated nanoseconds of a row in a block."""
    row = program.rows[i - program.first]
    n = row.out.size
    if is_head(row):
        wide = 4 if row.out.dtype.itemsize > 4 else 1
        return BARRIER + wide * n * reduced_length(program, row) / PER_NS["term"]
    if moves(row):
        compared = 1
        if row.function in ALONG:
            compared = shape_of(program, row.args[0])[row.kwargs["axis"]]
        elif row.function not in (np.concatenate, functions.getitem):
            compared = sum(numbers_of(parsed(program, index, row.out.shape)) for _, index in parts_of(row))  # type: ignore
        return BARRIER + n * compared / PER_NS["move"]
    return BARRIER / 4 + n / PER_NS["entry" if row.function in CHEAP else "dear"]


def gather(program: Program, steps: Sequence[Step]) -> list[Step]:
    """The steps, with consecutive ones replaced by a block where that takes less time."""
    steps = list(steps)
    small = [_is_small(program, step) for step in steps]
    found: list[Step] = []
    start = 0
    while start < len(steps):
        end = start
        while end < len(steps) and small[end]:
            end += 1
        found += _cut(program, steps[start:end], steps) if end > start else [steps[start]]
        start = max(end, start + 1)
    return found


def _is_small(program: Program, step: Step) -> bool:
    rows = _rows(program, step)
    return all(can_compute(program, i) and program.rows[i - program.first].out.size <= ENTRIES for i in rows) \
        and all(program.spec(j).size <= ENTRIES for i in rows for j in program.rows[i - program.first].parents)


def _rows(program: Program, step: Step) -> list[int]:
    """The rows of a step that are no views."""
    return [i for i in ((step,) if isinstance(step, int) else step.rows) if not is_view(program.rows[i - program.first])]


def _cut(program: Program, run: list[Step], steps: list[Step]) -> list[Step]:
    """A run of small steps, cut into blocks and single steps where the sum of the times is least."""
    rows = [_rows(program, step) for step in run]
    times = [0.0, *accumulate(sum(time(program, i) for i in each) for each in rows)]
    entries = [0, *accumulate(sum(program.rows[i - program.first].out.size for i in each) for each in rows)]
    counts = [0, *accumulate(map(len, rows))]
    reads = [{_root(program, j) for i in each for j in program.rows[i - program.first].parents} - set(each) for each in rows]
    best, choice = [0.0], [0]
    for k in range(1, len(run) + 1):
        options = [(best[k - 1] + _alone(program, rows[k - 1]), k - 1)]
        outside = set(reads[k - 1])
        for j in range(k - 2, -1, -1):
            outside = (outside | reads[j]).difference(rows[j])
            if entries[k] - entries[j] > ENTRIES or counts[k] - counts[j] > ROWS or len(outside) > POINTERS:
                break
            options.append((best[j] + LAUNCH + times[k] - times[j], j))
        least, j = min(options)
        best.append(least)
        choice.append(j)
    found: list[Step] = []
    k = len(run)
    while k:
        j = choice[k]
        found = (_block(program, run[j:k], steps) if k - j > 1 else run[j:k]) + found
        k = j
    return found


def _alone(program: Program, rows: list[int]) -> float:
    """Nanoseconds of a step that stays as it is."""
    if not rows:
        return 0.0  # views
    return PRODUCT if any(program.rows[i - program.first].function is np.matmul for i in rows) else LAUNCH


def _block(program: Program, run: list[Step], steps: list[Step]) -> list[Step]:
    """The block of a run, between the views that stand for arrays outside of it and those that others need of it."""
    inside = {i for step in run for i in _rows(program, step)}
    views = [i for step in run for i in ((step,) if isinstance(step, int) else step.rows)
             if is_view(program.rows[i - program.first])]
    single = {step for step in run if isinstance(step, int)}
    outside = {i for step in steps for i in _rows(program, step)} - inside
    roots = {i: _root(program, i) for i in views}
    before = [i for i in views if roots[i] not in inside]
    needed = _needed(program, outside, [i for i in views if roots[i] in inside and i in single])
    read = {j for i in outside for j in program.rows[i - program.first].parents} | {v.index for v in variables(program.outputs)}
    writes = tuple(i for i in sorted(inside) if i in read or any(roots[v] == i for v in needed)
                   or any(_root(program, j) == i for j in read))
    hidden = [i for i in views if i not in before and i not in needed]
    return [*before, Node(tuple(sorted((*inside, *hidden))), "block", writes), *needed]


def _root(program: Program, v: int) -> int:
    """What a view shows, through other views."""
    while (row := program.row(v)) is not None and is_view(row):
        v = row.args[0].index
    return v


def _needed(program: Program, outside: set[int], views: list[int]) -> list[int]:
    """The views, in order, that rows outside or the caller read, and those that they show."""
    read = {j for i in outside for j in program.rows[i - program.first].parents} | {v.index for v in variables(program.outputs)}
    later = {i for i, row in program.numbered() if is_view(row)} - set(views)
    read |= {program.rows[i - program.first].args[0].index for i in later}
    found: set[int] = set()
    for i in reversed(views):
        if i in read or any(program.rows[k - program.first].args[0].index == i for k in found):
            found.add(i)
    return sorted(found)


def code(program: Program, node: Node, arrays: Mapping[int, Any]) -> Code:
    """The source and the launch of a block.

    ``arrays`` has an array (``shape``, ``strides`` in bytes) for each variable that the block reads from outside, or what such a
    variable is a view of, and for each that it writes. Variables are numbered anew, so that the same work has the same text.
    """
    own, rows, variables_ = _own(program, node, arrays)
    names = {i: k for k, i in enumerate(variables_)}
    made = written(Block(own, rows, [names[i] for i in node.writes],
                         lambda k: tuple(arrays[variables_[k]].strides) if variables_[k] in arrays else None))
    launches = [replace(x, arguments=tuple(Var(variables_[a.index]) if type(a) is Var else a for a in x.arguments))
                for x in made.launches]
    return replace(made, launches=tuple(launches))


def _is_shown(program: Program, v: int, arrays: Mapping[int, Any]) -> bool:
    """Whether what is a view in the program is one in memory too: of some layouts NumPy's views are copies."""
    if v not in arrays:
        return True
    parent = arrays.get(program.rows[v - program.first].args[0].index)
    if parent is None:
        return False
    low, high = _extent(parent)
    return low <= arrays[v].data.ptr < high  # a copy was made while the parent was there: it lies elsewhere


def _extent(x: Any) -> tuple[int, int]:
    """The addresses of the first byte of an array and of the first behind it."""
    ways = [max(n - 1, 0) * s for n, s in zip(x.shape, x.strides, strict=True)]
    start = x.data.ptr
    return start + sum(w for w in ways if w < 0), start + sum(w for w in ways if w > 0) + x.dtype.itemsize


def _own(program: Program, node: Node, arrays: Mapping[int, Any]) -> tuple[Program, list[int], list[int]]:
    """A block as a program of its own, its rows' variables there, and the variables of the whole that its variables are."""
    inside = {i for i in node.rows if not is_view(program.rows[i - program.first])}
    outside: dict[int, None] = {}
    views: set[int] = set()
    for i in sorted(inside):
        for j in program.rows[i - program.first].parents:
            chain = []
            while j not in inside and (row := program.row(j)) is not None and is_view(row) \
                    and (_root(program, j) in inside or _is_shown(program, j, arrays)):  # a copy of ours comes too late
                chain.append(j)
                j = row.args[0].index
            views.update(chain)
            if j not in inside:
                outside[j] = None
    own_rows = sorted(inside | views)
    variables_ = [*outside, *own_rows]
    names = {i: Var(k) for k, i in enumerate(variables_)}
    own = Program(tuple(program.spec(i) for i in outside), (),
                  tuple(program.rows[i - program.first].renamed(names) for i in own_rows), ())
    return own, [names[i].index for i in own_rows], variables_


__all__ = ["can_compute", "code", "gather", "is_small", "time"]
