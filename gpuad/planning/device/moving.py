"""Rows that move entries by an index, or join arrays, as entries of kernels: of arrays that are in memory already."""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.addresses import Place, coordinate, offset
from gpuad.planning.device.dtypes import compute_type, converted, is_known, literal
from gpuad.planning.device.indexing import Index, comes_from, falls_on, matches, numbers_of, parsed, selected
from gpuad.planning.passes.facts import uniform
from gpuad.planning.program import Program, Row, Var
from gpuad.planning.storage import is_view

SCATTERS = {functions.scatter_add, functions.scatter_sum, functions.assigned}
MOST_COMPARED = 64
"""Places that may fall on one entry: every entry asks each of them."""
SELDOM = 4
"""The part of an array from which on writing into it is worth computing all of it anew."""
MOST_ENTRIES = 1 << 31

Placing = Callable[[int], Place]
"""Where a variable lies."""
Reading = Callable[[Place, str], str]
"""The text of the entry at an offset of a place's memory."""
Sum = Callable[[str, str], str]
"""The sum of two texts."""


def is_move(row: Row) -> bool:
    """Whether a row moves entries by an index, or joins arrays."""
    return row.function in SCATTERS or row.function is np.concatenate or (row.function is functions.getitem and not is_view(row))


def has_text(program: Program, row: Row) -> bool:
    """Whether the index of a row that moves entries is understood, and its arrays are variables or one number."""
    if row.function is np.concatenate:
        return not set(row.kwargs) - {"axis"} and len(row.args) == 1 and row.kwargs.get("axis", 0) is not None \
            and all(type(x) is Var for x in row.args[0])
    if row.kwargs:
        return False
    if row.function is functions.getitem:
        return type(row.args[0]) is Var and parsed(program, row.args[1], program.spec(row.args[0].index).shape) is not None
    start = start_of(row)
    return all(parsed(program, tree, row.out.shape) is not None and (type(x) is Var or np.size(x) == 1)
               for x, tree in parts_of(row)) and (start is None or type(start) is Var or uniform(start) is not None)


def can_move(program: Program, row: Row) -> bool:
    """Whether a kernel of entries is a good place for such a row: it asks few places for each of its entries."""
    specs = [program.spec(j) for j in row.parents]
    if row.out.kind != "array" or not specs or not all(s.kind == "array" and is_known(s.dtype) and s.size for s in specs) \
            or not is_known(row.out.dtype) or not 0 < row.out.size < MOST_ENTRIES or not has_text(program, row):
        return False
    if row.function is np.concatenate:
        return len(specs) <= MOST_COMPARED
    if row.function is functions.getitem:
        return True
    found = [parsed(program, tree, row.out.shape) for _, tree in parts_of(row)]
    if row.function is functions.assigned and any(SELDOM * math.prod(index.result) < row.out.size for index in found if index):
        return False  # better written into a copy, or into the array itself
    return sum(numbers_of(index) for index in found if index) <= MOST_COMPARED


def parts_of(row: Row) -> list[tuple[Any, Any]]:
    """(array, index) of each part that a row scatters."""
    if row.function is functions.scatter_sum:
        return list(zip(row.args[1], row.args[2], strict=True))
    return [(row.args[0], row.args[1])] if row.function is functions.scatter_add else [(row.args[1], row.args[2])]


def start_of(row: Row) -> Any:
    """The array to which a row adds, or into which it writes; None for zeros."""
    return None if row.function is functions.scatter_add else row.args[0]


def moved(program: Program, i: int, place: Placing, read: Reading, joined: Sum, at: str = "") -> list[str]:
    """The statements that compute ``x{i}``, the entry with flat index ``at``, or with the index ``e`` that is there already."""
    row = program.rows[i - program.first]
    lines = _Text(program, row, place, read, joined).lines(f"x{i}")
    index = [f"const unsigned int e = {at};"] if at else []
    return [f"{compute_type(row.out.dtype)} x{i};", "{", *("  " + line for line in (*index, *lines)), "}"]


class _Text:
    def __init__(self, program: Program, row: Row, place: Placing, read: Reading, joined: Sum):
        self.program, self.row, self.place, self.read, self.joined = program, row, place, read, joined

    def lines(self, name: str) -> list[str]:
        """The statements that give an entry its value."""
        if self.row.function is np.concatenate:
            return self._concatenated(name)
        if self.row.function is functions.getitem:
            source = self.place(self.row.args[0].index)
            index = self._index(self.row.args[1], source.shape)
            return [f"{name} = {self._read(source, selected(index, source, partial(self._number, index)))};"]
        return self._scattered(name)

    def _concatenated(self, name: str) -> list[str]:
        out, axis = self.row.out.shape, self.row.kwargs.get("axis", 0) % len(self.row.out.shape)
        lines, start = [f"const unsigned int c = {coordinate(out, axis)};"], 0
        for k, x in enumerate(self.row.args[0]):
            place = self.place(x.index)
            at = offset(out, place.strides, "e", place.offset - start * place.strides[axis])
            start += place.shape[axis]
            test = ("else " if k else "") + (f"if (c < {start}u) " if k + 1 < len(self.row.args[0]) else "")
            lines.append(f"{test}{name} = {self._read(place, at)};")
        return lines

    def _scattered(self, name: str) -> list[str]:
        start, out = start_of(self.row), self.row.out
        if type(start) is Var:
            place = self.place(start.index).broadcast(out.shape)
            lines = [f"{name} = {self._read(place, place.at())};"]
        else:
            lines = [f"{name} = {literal(0 if start is None else uniform(start), out.dtype)};"]
        for x, tree in parts_of(self.row):
            index = self._index(tree, out.shape)
            if type(x) is Var:
                place = self.place(x.index)
                value = self._read(place, comes_from(index, place))
            else:
                value = literal(np.asarray(x).reshape(-1)[0], out.dtype)
            change = f"{name} = {value if self.row.function is functions.assigned else self.joined(name, value)};"
            tests = [*falls_on(index), *matches(index, partial(self._number, index))]
            line = f"if ({' && '.join(tests)}) {change}" if tests else change
            lines.append(f"for (unsigned int r = 0; r < {numbers_of(index)}u; ++r) {line}" if index.arrays else line)
        return lines

    def _index(self, tree: Any, shape: tuple[int, ...]) -> Index:
        index = parsed(self.program, tree, shape)
        assert index is not None  # can_move has asked
        return index

    def _read(self, place: Place, at: str) -> str:
        return converted(self.read(place, at), place.dtype, self.row.out.dtype)

    def _number(self, index: Index, part: Any, at: str) -> str:
        place = self.place(part.numbers.index).broadcast(index.shape)
        return self.read(place, place.at(at))
