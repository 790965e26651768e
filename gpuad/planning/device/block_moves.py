"""Rows that move entries, and those that run along an axis, as the statements for entry e of their result."""
from __future__ import annotations

import numpy as np

from gpuad.planning.device.addresses import coordinate, offset
from gpuad.planning.device.block import Task
from gpuad.planning.device.block_memory import Lines, Memory
from gpuad.planning.device.dtypes import compute_type, converted, literal
from gpuad.planning.device.moving import moved
from gpuad.planning.device.text import total
from gpuad.planning.program import Row, Var
from gpuad.planning.storage import is_view


def entry(memory: Memory, i: int, task: Task) -> Lines:
    """The statements that declare ``x{i}``."""
    row = memory.row(i)
    if is_view(row):
        return [f"const {compute_type(row.out.dtype)} x{i} = {_copied(memory, row, task)};"]
    if row.function in (np.cumsum, np.cumprod):
        return _running(memory, i, row)
    if row.function in (np.argmax, np.argmin):
        return _extreme(memory, i, row)
    return moved(memory.program, i, lambda j: memory.block.place(Var(j)), memory.read,
                 lambda a, b: total(np.add, row.out.dtype, a, b))


def _copied(memory: Memory, row: Row, task: Task) -> str:
    """An entry of a reshape that needs a copy: the one at the same flat index."""
    place = memory.block.place(row.args[0])
    return f"x{place.root}" if place.is_flat and memory.block.of.get(place.root) is task else memory.read(place, place.at())


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
            f"  x{i} = {total(ufunc, dtype, f'x{i}', value)};"]


def _extreme(memory: Memory, i: int, row: Row) -> Lines:
    """The place of the first largest or smallest number, or of the first NaN."""
    _, n, text = _along(memory, row)
    dtype, better = memory.program.spec(row.args[0].index).dtype, ">" if row.function is np.argmax else "<"
    return [f"long long x{i} = -1;", f"{compute_type(dtype)} b{i} = {literal(0, dtype)};",
            f"for (unsigned int r = 0; r < {n}u; ++r) {{", f"  const {compute_type(dtype)} v = {text};",
            f"  if (x{i} < 0 || v {better} b{i} || (v != v && b{i} == b{i})) b{i} = v, x{i} = r;", "}"]
