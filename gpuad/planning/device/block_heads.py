"""Reductions and products in a block: the loops that end with the value of a task's head at entry e."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpuad.planning import functions
from gpuad.planning.device.addresses import offset
from gpuad.planning.device.block import WARP, Task, partial, reduced_length
from gpuad.planning.device.block_memory import Lines, Memory
from gpuad.planning.device.dtypes import compute_type
from gpuad.planning.device.places import shape_of, sources
from gpuad.planning.device.text import Reduction, indented
from gpuad.planning.program import Row, Var


def reducing(memory: Memory, task: Task, after: Lines) -> tuple[int, Lines]:
    """(limit, body) of a loop over i that computes a head; ``after`` is what is done with ``t``, its value at entry e."""
    reduction = Reduction(memory.program, task.head)  # type: ignore[arg-type]
    if math.prod(task.tile) > 1:
        return _tiled(memory, task, reduction, after)
    lanes, chunks, beside = task.lanes, task.chunks, _beside(memory, task, reduction)
    total = task.n * lanes * chunks
    padded = -(-total // WARP) * WARP if lanes > 1 else total
    length, term = _terms(memory, task, reduction)
    first = " + ".join([*(["lane"] if lanes > 1 else []), *([f"{lanes}u * chunk"] if chunks > 1 else [])]) or "0"
    loop = ["#pragma unroll 8", f"for (unsigned int r = {first}; r < {length}u; r += {lanes * chunks}u)",
            f"  t = {reduction.joined('t', term)};"]
    valid = [f"e < {task.n}u"] if padded > total else []
    body = [f"const unsigned int {_numbers(lanes, chunks, beside)};", f"{reduction.type} t = {reduction.identity};"]
    body += [f"if ({valid[0]}) {{", *indented(loop), "}"] if valid else loop
    by = lanes // 2
    while by:
        body.append(f"{{ const {reduction.type} u = from_lane(t, {by * beside}); t = {reduction.joined('t', 'u')}; }}")
        by //= 2
    if chunks > 1:
        after = [f"{memory.pointer(partial(task.head), reduction.type)}[e * {chunks}u + chunk] = t;"]  # type: ignore[arg-type]
    alone = [*valid, *(["lane == 0"] if lanes > 1 else [])]
    return padded, body + ([f"if ({' && '.join(alone)}) {{", *indented(after), "}"] if alone else after)


def _numbers(lanes: int, chunks: int, beside: int) -> str:
    """The declarations of what the i-th thread does: lane, chunk and entry."""
    if beside > 1:
        return f"lane = i / {beside}u % {lanes}u, e = i / {WARP}u * {beside}u + i % {beside}u"
    parts = [f"lane = i % {lanes}u"] if lanes > 1 else []
    parts += [f"chunk = i / {lanes}u % {chunks}u"] if chunks > 1 else []
    return ", ".join([*parts, f"e = i / {lanes * chunks}u" if lanes * chunks > 1 else "e = i"])


def _beside(memory: Memory, task: Task, reduction: Reduction) -> int:
    """How many entries alternate in a warp, so that neighbours read neighbours; 1: the lanes of an entry are neighbours."""
    if task.lanes in (1, WARP) or task.chunks > 1 or task.joins:
        return 1
    over = [strides for _, (_, strides) in _strides(memory, reduction.row)]
    return 1 if any(s and s[-1] == 1 for s in over) else WARP // task.lanes


def _terms(memory: Memory, task: Task, reduction: Reduction) -> tuple[int, str]:
    """How many terms a head has, and the r-th at entry e."""
    if task.joins:
        chunks = next(t.chunks for t in memory.block.tasks if t.head == task.head and not t.joins)
        return chunks, f"{memory.pointer(partial(task.head), reduction.type)}[e * {chunks}u + r]"  # type: ignore[arg-type]
    texts = []
    for x, (out, over) in zip(sources(reduction.row), _strides(memory, reduction.row), strict=True):
        if type(x) is not Var:
            texts.append("")
            continue
        place = memory.block.place(x)
        texts.append(memory.read(place, _sum(place.offset, offset(out[0], out[1], "e"), offset(over[0], over[1], "r"))))
    return reduced_length(memory.program, reduction.row), reduction.term(texts)


def _sum(start: int, *parts: str) -> str:
    return " + ".join([*([str(start)] if start else []), *(p for p in parts if p != "0")]) or "0"


def _strides(memory: Memory, row: Row) -> list[Any]:
    """For each operand of a head: (shape, strides) along the result's axes, and along those that are joined."""
    if row.function is functions.reduce:
        place = memory.block.place(row.args[0])
        axes = [a % len(place.shape) for a in row.args[2]]
        left = [a for a in range(len(place.shape)) if a not in axes]
        return [tuple(([place.shape[a] for a in some], [place.strides[a] for a in some]) for some in (left, axes))]
    shapes = [shape_of(memory.program, x) for x in row.args]
    columns = [len(shapes[0]) == 1, len(shapes[1]) == 1]  # vectors: no axis of the result
    found = []
    for k, x in enumerate(row.args):
        shape, batch = shapes[k], len(row.out.shape) - columns.count(False)
        given = memory.block.place(x).strides if type(x) is Var else (0,) * len(shape)
        strides = [s if n > 1 else 0 for s, n in zip(given, shape, strict=True)]
        over = strides[-1] if k == 0 or columns[k] else strides[-2]
        own = [] if columns[k] else [strides[-2]] if k == 0 else [strides[-1]]
        other = [] if columns[1 - k] else [0]
        stacks = strides[:-2]
        along = [0] * (batch - len(stacks)) + stacks + (own + other if k == 0 else other + own)
        found.append(((row.out.shape, along), (shape[-1:] if k == 0 or columns[k] else shape[-2:-1], (over,))))
    return found


def _tiled(memory: Memory, task: Task, reduction: Reduction, after: Lines) -> tuple[int, Lines]:
    """A product, of which each thread computes some rows and columns, as far apart as they can be."""
    (rows, columns), row = task.tile, reduction.row
    out, (m, n) = row.out.shape, row.out.shape[-2:]
    inner = (*out[:-2], m // rows, n // columns)
    texts, loads = [], []
    for k, (x, (along, over)) in enumerate(zip(row.args, _strides(memory, row), strict=True)):
        if type(x) is not Var:
            texts.append("")
            continue
        place, strides = memory.block.place(x), along[1]
        count, step = (rows, m // rows * strides[-2]) if k == 0 else (columns, n // columns * strides[-1])
        base = _sum(place.offset, offset(inner, strides, "i"), offset(over[0], over[1], "r"))
        loads += [f"{compute_type(place.dtype)} f{k}[{count}];", "#pragma unroll",
                  f"for (int u = 0; u < {count}; ++u) f{k}[u] = {memory.read(place, f'{base} + {step} * u')};"]
        texts.append(f"f{k}[{'uv'[k]}]")
    entry = _sum(0, offset(inner, _strides_in(out, inner), "i"), f"{m // rows * n}u * u", f"{n // columns}u * v")
    term = reduction.joined("sums[u][v]", reduction.term(texts))
    return math.prod(inner), [
        f"{reduction.type} sums[{rows}][{columns}];", *_each(rows, columns, [f"sums[u][v] = {reduction.identity};"]),
        "#pragma unroll 4", f"for (unsigned int r = 0; r < {reduced_length(memory.program, row)}u; ++r) {{",
        *indented([*loads, *_each(rows, columns, [f"sums[u][v] = {term};"])]), "}",
        *_each(rows, columns, [f"const unsigned int e = {entry};", f"const {reduction.type} t = sums[u][v];", *after])]


def _each(rows: int, columns: int, lines: Lines) -> Lines:
    """Unrolled loops over the entries of a tile."""
    return ["#pragma unroll", f"for (int u = 0; u < {rows}; ++u) {{", *indented([
        "#pragma unroll", f"for (int v = 0; v < {columns}; ++v) {{", *indented(lines), "}"]), "}"]


def _strides_in(shape: Sequence[int], inner: Sequence[int]) -> tuple[int, ...]:
    """C-order strides of a shape, without those of axes of length 1 in ``inner``."""
    return tuple(math.prod(shape[k + 1:]) if n > 1 else 0 for k, n in enumerate(inner))
