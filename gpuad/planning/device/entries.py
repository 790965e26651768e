"""Kernels of elementwise rows, and of sums over all entries of them: each thread takes neighbouring entries, 16 bytes at once.

Independent parts share a launch: each has blocks of its own.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpuad.planning.device.code import Code, Launch, Node
from gpuad.planning.device.dtypes import store
from gpuad.planning.device.joins import DEFINITIONS, Joins, shared
from gpuad.planning.device.layout import LAST, Layout
from gpuad.planning.device.spaces import Space
from gpuad.planning.device.text import (
    Body,
    coordinates,
    indented,
    kernel,
    looped,
    offset,
    parameters,
    source,
)
from gpuad.planning.program import Program

THREADS = 256
PER_PROCESSOR = 8
"""Blocks of a launch for each multiprocessor: as many as it runs at once."""
FEW = 2
"""Vectors of each thread where entries are added up, before more blocks are worth the partial results."""


def entries(program: Program, node: Node, arrays: Mapping[int, Any], processors: int) -> Code:
    """The kernel of a node of kind "entries", "spread" or "totals"."""
    parts = [_Part(program, rows, node.writes, arrays) for rows in node.parts]
    declared, arguments = parameters([part.space for part in parts])
    definitions: list[str] = []
    lines: list[str] = []
    start = scratch = 0
    for part, n in zip(parts, _shares([part.blocks for part in parts], processors * PER_PROCESSOR), strict=True):
        joins = Joins(program, part.space, part.layout, n, THREADS, start=scratch, first=start)
        more, given = joins.parameters()
        declared, arguments = [*declared, *more], [*arguments, *given]
        definitions += joins.definitions()
        block = f"(blockIdx.x - {start})" if start else "blockIdx.x"
        inside = [*joins.accumulators(), *part.lines(block, n, joins), *joins.lines()]
        if len(parts) > 1:
            inside = [f"{'} else ' if start else ''}if (blockIdx.x < {start + n}) {{", *indented(inside)]
        lines += inside
        start, scratch = start + n, joins.scratch
    lines += ["}"] if len(parts) > 1 else []
    name = f"{node.kind}_of_{len(node.rows)}"
    text = [*([DEFINITIONS, *definitions] if definitions else []), *kernel(name, THREADS, declared, [*shared(lines), *lines]), ""]
    return Code(source("\n".join(text)), (Launch(name, (start, 1, 1), (THREADS, 1, 1), 0, tuple(arguments)),), scratch)


def _shares(wanted: Sequence[int], most: int) -> list[int]:
    """The blocks of each part: as many as it wants, or its share of those that run at once."""
    total = sum(wanted)
    return [max(1, min(n, n * most // total)) for n in wanted]


class _Part:
    """Rows of one space in a kernel of entries."""

    def __init__(self, program: Program, rows: Sequence[int], writes: Sequence[int], arrays: Mapping[int, Any]):
        self.program, self.layout = program, Layout(program, rows)
        self.space = space = Space(program, self.layout, writes, arrays)
        self.axes = space.collapsed(space.by_strides(sorted(self.layout.everything)))
        self.width = space.width(self.axes, [], len(self.axes) == 1)
        size = self.layout.size(self.layout.everything)
        self.vectors, self.tail = divmod(size, self.width)
        per = THREADS * (FEW if self.layout.kind == "totals" else 1)
        self.blocks = max(1, -(-self.vectors // per))

    def lines(self, block: str, blocks: int, joins: Joins) -> list[str]:
        """The loop of a thread over its vectors, and what is left over."""
        index = self.space.index
        first = f"{block} * {THREADS} + threadIdx.x"
        found = [f"for ({index} q = {first}; q < {self.vectors}; q += {blocks * THREADS}) {{",
                 *indented(self._body(self.width, "q", joins)), "}"] if self.vectors else []
        if self.tail:
            start = self.vectors * self.width
            found += [f"for ({index} q = {start} + {first}; q < {start + self.tail}; q += {blocks * THREADS}) {{",
                      *indented(self._body(1, "q", joins)), "}"]
        return found

    def _body(self, width: int, q: str, joins: Joins) -> list[str]:
        space, layout, axes = self.space, self.layout, self.axes
        position = f"{q} * {width}" if width > 1 else q
        lines, names = coordinates(space.index, position, axes, "i")
        if len(axes) == 1:
            lines, names = [f"const {space.index} i = {position};"], ["i"]
        body = Body(space, axes[-1], width)
        at = [offset([axis.strides[n] for axis in axes], names) for n in range(len(space.accesses))]
        before, inner, after = [], [], []
        used = sorted({n for (i, _), n in space.reads.items() if layout.phase[i] != LAST or i in layout.reduced})
        for n in used:
            one, two = body.loads(n, at[n])
            before += one
            inner += two
        for i in layout.rows:
            if layout.reduced.get(i):
                inner.append(joins.accumulate(i, body.operands(i)))
                continue
            if layout.phase[i] == LAST:
                continue
            inner += body.computed(i, at[space.indices[i]] if i in space.indices else "")
            if i in space.stores:
                one, two, three = self._store(body, i, at[space.stores[i]], names)
                before += one
                inner += two
                after += three
        return [*lines, *before, *looped(width, inner), *after]

    def _store(self, body: Body, i: int, at: str, names: list[str]) -> tuple[list[str], list[str], list[str]]:
        """The store of a value; of one that other entries of the space have too, only by the first of them."""
        space, layout = self.space, self.layout
        if layout.axes[i] == layout.everything:
            return body.store(i, at)
        zero = [f"{name} == 0" for name, axis in zip(names, self.axes, strict=True) if axis.strides[space.stores[i]] == 0]
        if self.axes[-1].strides[space.stores[i]] == 0 and body.width > 1:
            zero.append("u == 0")
        where = at if self.axes[-1].strides[space.stores[i]] == 0 or body.width == 1 else \
            f"{at} + {self.axes[-1].strides[space.stores[i]]} * u"
        return [], [f"if ({' && '.join(zero)}) {_stored(space, i, where)};"], []


def _stored(space: Space, i: int, at: str) -> str:
    x = space.accesses[space.stores[i]]
    return store(x.dtype, f"{x.name} + {at}", f"x{i}")
