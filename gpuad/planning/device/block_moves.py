"""Rows that move entries, and those that run along an axis, as the statements for entry e of their result."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.addresses import coordinate, offset
from gpuad.planning.device.block import Task, parts_of
from gpuad.planning.device.block_memory import Lines, Memory
from gpuad.planning.device.dtypes import compute_type, converted, literal
from gpuad.planning.device.expressions import expression
from gpuad.planning.device.indexing import Index, Part, comes_from, falls_on, matches, numbers_of, parsed, selected
from gpuad.planning.program import Program, Row, Spec, Var
from gpuad.planning.storage import is_view


def entry(memory: Memory, i: int, task: Task) -> Lines:
    """The statements that declare ``x{i}``."""
    row = memory.row(i)
    kind = compute_type(row.out.dtype)
    if is_view(row):
        return [f"const {kind} x{i} = {_copied(memory, row, task)};"]
    if row.function is functions.getitem:
        return [f"const {kind} x{i} = {_selected(memory, row)};"]
    if row.function is np.concatenate:
        return _joined(memory, i, row)
    if row.function in (np.cumsum, np.cumprod):
        return _running(memory, i, row)
    if row.function in (np.argmax, np.argmin):
        return _extreme(memory, i, row)
    return _scattered(memory, i, row)


def _copied(memory: Memory, row: Row, task: Task) -> str:
    """An entry of a reshape that needs a copy: the one at the same flat index."""
    place = memory.block.place(row.args[0])
    return f"x{place.root}" if place.is_flat and memory.block.of.get(place.root) is task else memory.read(place, place.at())


def _selected(memory: Memory, row: Row) -> str:
    place = memory.block.place(row.args[0])
    index = _parsed(memory, row.args[1], place.shape)
    return memory.read(place, selected(index, place, lambda part, at: _number(memory, index, part, at)))


def _parsed(memory: Memory, index: Any, shape: Sequence[int]) -> Index:
    return parsed(memory.program, index, tuple(shape))  # type: ignore[return-value]  # what is gathered has one


def _number(memory: Memory, index: Index, part: Part, at: str) -> str:
    place = memory.block.place(part.numbers).broadcast(index.shape)
    return memory.read(place, place.at(at))


def _joined(memory: Memory, i: int, row: Row) -> Lines:
    """An entry of concatenated arrays."""
    out, axis = row.out.shape, row.kwargs.get("axis", 0) % len(row.out.shape)
    start, last = 0, len(row.args[0]) - 1
    found = [f"{compute_type(row.out.dtype)} x{i};", f"const unsigned int c{i} = {coordinate(out, axis)};"]
    for k, x in enumerate(row.args[0]):
        place = memory.block.place(x)
        strides = [s if n > 1 else 0 for s, n in zip(place.strides, place.shape, strict=True)]
        value = converted(memory.read(place, offset(out, strides, "e", place.offset - start * strides[axis])),
                          place.dtype, row.out.dtype)
        start += place.shape[axis]
        test = ("else " if k else "") + (f"if (c{i} < {start}u) " if k < last else "")
        found.append(f"{test}x{i} = {value};")
    return found


def _along(memory: Memory, row: Row) -> tuple[int, int, str]:
    """(axis, its length, the r-th entry along it) of what a row runs along, where e counts the result's entries."""
    place = memory.block.place(row.args[0])
    axis = row.kwargs["axis"] % len(place.shape)
    strides = [s if n > 1 else 0 for s, n in zip(place.strides, place.shape, strict=True)]
    step, strides[axis] = strides[axis], 0
    shape = list(place.shape)
    if len(row.out.shape) < len(shape):
        del shape[axis], strides[axis]
    return axis, place.shape[axis], memory.read(
        place, f"{offset(shape, strides, 'e', place.offset)} + {offset(place.shape[axis:axis + 1], (step,), 'r')}")


def _running(memory: Memory, i: int, row: Row) -> Lines:
    """An entry of a cumulative sum or product, in the order of the entries."""
    ufunc = np.add if row.function is np.cumsum else np.multiply
    axis, _, text = _along(memory, row)
    dtype = row.out.dtype
    value = converted(text, memory.program.spec(row.args[0].index).dtype, dtype)
    return [f"{compute_type(dtype)} x{i} = {literal(int(ufunc is np.multiply), dtype)};",
            f"for (unsigned int r = 0; r <= {coordinate(row.out.shape, axis)}; ++r)",
            f"  x{i} = {applied(ufunc, dtype, f'x{i}', value)};"]


def _extreme(memory: Memory, i: int, row: Row) -> Lines:
    """The place of the first largest or smallest number, or of the first NaN."""
    _, n, text = _along(memory, row)
    dtype, better = memory.program.spec(row.args[0].index).dtype, ">" if row.function is np.argmax else "<"
    return [f"long long x{i} = -1;", f"{compute_type(dtype)} b{i} = {literal(0, dtype)};",
            f"for (unsigned int r = 0; r < {n}u; ++r) {{", f"  const {compute_type(dtype)} v = {text};",
            f"  if (x{i} < 0 || v {better} b{i} || (v != v && b{i} == b{i})) b{i} = v, x{i} = r;", "}"]


def _scattered(memory: Memory, i: int, row: Row) -> Lines:
    """An entry of what a row scatters or assigns: all that falls on it, in order."""
    dtype, assigns = row.out.dtype, row.function is functions.assigned
    start = row.args[0] if row.function in (functions.assigned, functions.scatter_sum) else None
    found = [f"{compute_type(dtype)} x{i} = {_start(memory, start, row)};"]
    for x, tree in parts_of(row):
        index = _parsed(memory, tree, row.out.shape)
        if type(x) is Var:
            place = memory.block.place(x)
            value = converted(memory.read(place, comes_from(index, place)), place.dtype, dtype)
        else:
            value = literal(np.asarray(x).reshape(-1)[0], dtype)
        change = f"x{i} = {value if assigns else applied(np.add, dtype, f'x{i}', value)};"
        tests = [*falls_on(index), *matches(index, lambda part, at, index=index: _number(memory, index, part, at))]  # type: ignore
        line = f"if ({' && '.join(tests)}) {change}" if tests else change
        found.append(f"for (unsigned int r = 0; r < {numbers_of(index)}u; ++r) {line}" if index.arrays else line)
    return found


def _start(memory: Memory, x: Any, row: Row) -> str:
    if type(x) is Var:
        place = memory.block.place(x, row.out.shape)
        return converted(memory.read(place, place.at()), place.dtype, row.out.dtype)
    return literal(0 if x is None else np.asarray(x).reshape(-1)[0], row.out.dtype)


def applied(ufunc: Any, dtype: Any, a: str, b: str) -> str:
    """A ufunc of two values of a dtype."""
    spec = Spec((), np.dtype(dtype))
    return expression(Program((spec, spec), (), (), ()), Row(ufunc, (Var(0), Var(1)), {}, spec), [a, b])
