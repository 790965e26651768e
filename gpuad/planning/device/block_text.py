"""The CUDA C++ of a block: one kernel, one block of threads, a barrier between phases.

Entry e of a task is computed by one thread, or by ``lanes`` neighbours, which add up what each has by shuffles. Tasks of a phase
start at threads of different warps, so that short loops run side by side.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.addresses import Place, coordinate, offset
from gpuad.planning.device.block import WARP, Block, Task, is_head, moves, partial, reduced_length
from gpuad.planning.device.dtypes import compute_type, converted, ctype, literal, load, store
from gpuad.planning.device.expressions import expression
from gpuad.planning.device.indexing import comes_from, falls_on, matches, numbers_of, parsed, selected
from gpuad.planning.device.places import shape_of, sources
from gpuad.planning.device.text import Reduction, indented, statement
from gpuad.planning.program import Program, Row, Spec, Var, variables
from gpuad.planning.storage import is_view

Lines = list[str]


class Text:
    """The text of a block's kernel; ``parameters`` are (declaration, argument)."""

    def __init__(self, block: Block):
        self.block, self.program = block, block.program
        self.parameters: dict[str, tuple[str, Any]] = {}

    def lines(self) -> Lines:
        """The kernel's body."""
        found: Lines = []
        for phase in range(self.block.n_phases):
            found += ["__syncthreads();"] if phase else []
            start = 0
            for task in self.block.tasks:
                if task.phase == phase:
                    found += self._task(task, start)
                    start = (start + -(-task.threads // WARP) * WARP) % self.block.threads
        return [*self._pointers(), *found]

    def _pointers(self) -> Lines:
        """Pointers into shared memory."""
        found = []
        for v, at in sorted(self.block.shared.items(), key=lambda item: item[1]):
            kind = self._partial_type(v) if v < 0 else ctype(self.program.spec(v).dtype)
            found.append(f"{kind}* const {self._name(v)} = reinterpret_cast<{kind}*>(shared + {at});")
        return found

    def _partial_type(self, v: int) -> str:
        return Reduction(self.program, ~v).type

    def _row(self, i: int) -> Row:
        return self.program.rows[i - self.program.first]

    @staticmethod
    def _name(v: int) -> str:
        return f"s{v}" if v >= 0 else f"p{~v}"

    # ---- memory

    def _pointer(self, root: int, dtype: Any) -> str:
        """The pointer to the memory of a variable that other tasks compute, or of an array outside."""
        block = self.block
        if root in block.shared:
            name = self._name(root)
        elif root in block.scratch:
            name = self._parameter(self._name(root), ctype(self.program.spec(root).dtype), ("scratch", block.scratch[root]))
        else:
            name = self._input(root)
        if dtype == self.program.spec(root).dtype:
            return name
        return f"reinterpret_cast<const {ctype(dtype)}*>({name})"  # a part of complex numbers

    def _input(self, v: int) -> str:
        return self._parameter(f"a{v}", f"const {ctype(self.program.spec(v).dtype)}", Var(v))

    def _parameter(self, name: str, kind: str, argument: Any) -> str:
        self.parameters[name] = f"{kind}* {name}", argument
        return name

    def _read(self, place: Place, at: str) -> str:
        return load(place.dtype, f"{self._pointer(place.root, place.dtype)} + {at}")

    def _operand(self, x: Any, i: int, task: Task) -> str:
        """The text of an operand of an elementwise row at entry e: a register, a read, or nothing for constants."""
        if type(x) is not Var:
            return ""
        row = self._row(i)
        place = self.block.place(x, row.out.shape)
        if self.block.of.get(place.root) is task and self.block.is_aligned(x, row):
            return f"x{place.root}"
        return self._read(place, place.at())

    # ---- tasks

    def _task(self, task: Task, start: int) -> Lines:
        if task.head is None:
            body = [line for i in task.rows for line in self._entry(i, task)]
            return self._loop(str(task.n), "e", start, body)
        return self._reducing(task, start)

    def _loop(self, limit: str, name: str, start: int, body: Lines) -> Lines:
        """A loop of the block's threads, of which the one numbered ``start`` is the first."""
        threads = self.block.threads
        first = "threadIdx.x" if not start else f"(threadIdx.x + {threads - start}u) % {threads}u"
        return [f"for (unsigned int {name} = {first}; {name} < {limit}u; {name} += {threads}u) {{", *indented(body), "}"]

    def _entry(self, i: int, task: Task) -> Lines:
        """The statements that compute entry e of a row without a head, and keep it."""
        if i not in self.block.inside:  # an array from outside
            place = self.block.outside.place(i)
            value = load(place.dtype, f"{self._input(i)} + {place.at()}")
            return [f"const {compute_type(place.dtype)} x{i} = {value};", *self._kept(i)]
        row = self._row(i)
        kind = compute_type(row.out.dtype)
        if is_view(row):
            found = [f"const {kind} x{i} = {self._copied(i, task)};"]
        elif row.function is functions.getitem:
            found = [f"const {kind} x{i} = {self._selected(row)};"]
        elif row.function is np.concatenate:
            found = self._joined(i, row)
        elif moves(row):
            found = self._scattered(i, row)
        else:
            found = [statement(self.program, i, [self._operand(x, i, task) for x in sources(row)])]
        return found + self._kept(i)

    def _kept(self, i: int, e: str = "e") -> Lines:
        """The statements that store a row's value where others read it."""
        found, dtype = [], self.program.spec(i).dtype
        if i in self.block.shared or i in self.block.scratch:
            found.append(store(dtype, f"{self._pointer(i, dtype)} + {e}", f"x{i}") + ";")
        if i in self.block.writes:
            place = self.block.written(i)
            name = self._parameter(f"o{i}", ctype(dtype), Var(i))
            found.append(store(dtype, f"{name} + {place.at(e)}", f"x{i}") + ";")
        return found

    # ---- reductions and products

    def _reducing(self, task: Task, start: int) -> Lines:
        head = task.head
        reduction = Reduction(self.program, head)  # type: ignore[arg-type]
        if math.prod(task.tile) > 1:
            return self._tiled(task, start, reduction)
        if task.joins:
            chunks = next(t.chunks for t in self.block.tasks if t.head == head and not t.joins)
            kind = reduction.type
            pointer = self._name(partial(head)) if partial(head) in self.block.shared else self._parameter(  # type: ignore
                self._name(partial(head)), kind, ("scratch", self.block.scratch[partial(head)]))  # type: ignore[arg-type]
            length, term = chunks, f"{pointer}[e * {chunks}u + r]"
        else:
            length, term = reduced_length(self.program, self._row(head)), self._term(head, reduction)  # type: ignore[arg-type]
        per, beside = task.lanes * task.chunks, self._beside(task, reduction)
        parts = [f"lane = i / {beside}u % {task.lanes}u" if beside > 1 else f"lane = i % {task.lanes}u" if task.lanes > 1 else "",
                 f"chunk = i / {task.lanes}u % {task.chunks}u" if task.chunks > 1 else "",
                 f"e = i / {WARP}u * {beside}u + i % {beside}u" if beside > 1 else f"e = i / {per}u" if per > 1 else "e = i"]
        first = " + ".join([*(["lane"] if task.lanes > 1 else []), *([f"{task.lanes}u * chunk"] if task.chunks > 1 else [])]) or "0"
        total = task.n * per
        padded = -(-total // WARP) * WARP if task.lanes > 1 else total
        valid = f"e < {task.n}u"
        body = [f"const unsigned int {', '.join(filter(None, parts))};", f"{reduction.type} t = {reduction.identity};"]
        loop = ["#pragma unroll 8", f"for (unsigned int r = {first}; r < {length}u; r += {per}u) t = {reduction.joined('t', term)};"]
        body += [f"if ({valid}) {{", *indented(loop), "}"] if padded > total else loop
        by = task.lanes // 2
        while by:
            body.append(f"{{ const {reduction.type} other = from_lane(t, {by * beside}); t = {reduction.joined('t', 'other')}; }}")
            by //= 2
        if task.chunks > 1:
            name = self._name(partial(head)) if partial(head) in self.block.shared else self._parameter(  # type: ignore
                self._name(partial(head)), reduction.type, ("scratch", self.block.scratch[partial(head)]))  # type: ignore
            last = [f"{name}[e * {task.chunks}u + chunk] = t;"]
        else:
            last = self._after(task, reduction, "t")
        alone = [*([valid] if padded > total else []), *(["lane == 0"] if task.lanes > 1 else [])]
        body += [f"if ({' && '.join(alone)}) {{", *indented(last), "}"] if alone else last
        return self._loop(str(padded), "i", start, body)

    def _beside(self, task: Task, reduction: Reduction) -> int:
        """How many entries' lanes alternate in a warp, so that neighbours read neighbours; 1: each entry's lanes are neighbours."""
        if task.lanes in (1, WARP) or task.chunks > 1 or task.joins:
            return 1
        over = [strides for _, (_, strides) in self._strides(reduction.row)]
        return 1 if any(s[-1:] in ((1,), [1]) for s in over) else WARP // task.lanes

    def _after(self, task: Task, reduction: Reduction, total: str) -> Lines:
        """The head's value, and the rows that are computed of it."""
        head = reduction.i
        found = [f"const {compute_type(reduction.row.out.dtype)} x{head} = {reduction.result(total)};", *self._kept(head)]
        for i in task.rows:
            if i != head:
                found += self._entry(i, task)
        return found

    def _term(self, i: int, reduction: Reduction) -> str:
        """What entry r adds to entry e."""
        texts = []
        for x, (out, over) in zip(sources(reduction.row), self._strides(reduction.row), strict=True):
            if type(x) is not Var:
                texts.append("")
                continue
            place = self.block.place(x)
            at = [str(place.offset)] if place.offset else []
            at += [t for t in (offset(*out, "e"), offset(*over, "r")) if t != "0"]
            texts.append(self._read(place, " + ".join(at) or "0"))
        return reduction.term(texts)

    def _strides(self, row: Row) -> list[Any]:
        """For each operand of a head: (shape, strides) along the result's axes, and along those that are joined."""
        if row.function is functions.reduce:
            place = self.block.place(row.args[0])
            axes = [a % len(place.shape) for a in row.args[2]]
            left = [a for a in range(len(place.shape)) if a not in axes]
            return [tuple(([place.shape[a] for a in some], [place.strides[a] for a in some]) for some in (left, axes))]
        shapes = [shape_of(self.program, x) for x in row.args]
        length, out = shapes[0][-1], row.out.shape
        found = []
        for k, x in enumerate(row.args):
            n = len(shapes[k])
            strides = self.block.place(x).strides if type(x) is Var else (0,) * n
            strides = tuple(s if m > 1 else 0 for s, m in zip(strides, shapes[k], strict=True))
            over = strides[-1] if k == 0 or n == 1 else strides[-2]
            own = () if n == 1 else (strides[-2],) if k == 0 else (strides[-1],)
            other = 1 if len(shapes[1 - k]) > 1 else 0
            batch = len(out) - len(own) - other
            batches = (0,) * (batch - max(n - 2, 0)) + tuple(strides[:max(n - 2, 0)])
            tail = (*own, *(0,) * other) if k == 0 else (*(0,) * other, *own)
            found.append(((out, (*batches, *tail)), ((length,), (over,))))
        return found

    def _tiled(self, task: Task, start: int, reduction: Reduction) -> Lines:
        """A product, of which each thread computes some rows and columns, as far apart as they can be."""
        (rows, columns), out = task.tile, reduction.row.out.shape
        m, n = out[-2:]
        inner = (*out[:-2], m // rows, n // columns)
        down, right = m // rows * n, n // columns
        texts, loads = [], []
        for k, (x, (along, over)) in enumerate(zip(reduction.row.args, self._strides(reduction.row), strict=True)):
            if type(x) is not Var:
                texts.append("")
                continue
            place, strides = self.block.place(x), along[1]
            count, step = (rows, m // rows * strides[-2]) if k == 0 else (columns, n // columns * strides[-1])
            base = " + ".join(t for t in (str(place.offset), offset(inner, strides, "i"), offset(*over, "r")) if t != "0") or "0"
            kind = compute_type(place.dtype)
            loads += [f"{kind} f{k}[{count}];", "#pragma unroll",
                      f"for (int u = 0; u < {count}; ++u) f{k}[u] = {self._read(place, f'{base} + {step} * u')};"]
            texts.append(f"f{k}[{'uv'[k]}]")
        each = [f"for (int u = 0; u < {rows}; ++u)", "#pragma unroll", f"  for (int v = 0; v < {columns}; ++v) {{"]
        e0 = offset(inner, _strides_in(out, inner), "i")
        total = "t[u][v]"
        body = [f"{reduction.type} t[{rows}][{columns}];", "#pragma unroll", *each, f"    {total} = {reduction.identity};", "  }",
                "#pragma unroll 4", f"for (unsigned int r = 0; r < {reduced_length(self.program, reduction.row)}u; ++r) {{",
                *indented(loads), *indented(["#pragma unroll", *each,
                                             f"    {total} = {reduction.joined(total, reduction.term(texts))};", "  }"]), "}",
                "#pragma unroll", *each, f"    const unsigned int e = {e0} + {down}u * u + {right}u * v;",
                *indented(self._after(task, reduction, total), 2), "  }"]
        return self._loop(str(math.prod(inner)), "i", start, body)

    # ---- rows that move entries

    def _copied(self, i: int, task: Task) -> str:
        """An entry of a view that is copied: reshape, by flat index."""
        place = self.block.place(self._row(i).args[0])
        return f"x{place.root}" if place.is_flat and self.block.of.get(place.root) is task else self._read(place, place.at())

    def _selected(self, row: Row) -> str:
        place = self.block.place(row.args[0])
        index = self._parsed(row.args[1], place.shape)
        return self._read(place, selected(index, place, lambda part, at: self._number(index, part, at)))

    def _parsed(self, index: Any, shape: Sequence[int]) -> Any:
        return parsed(self.program, index, tuple(shape))

    def _number(self, index: Any, part: Any, at: str) -> str:
        place = self.block.place(part.numbers).broadcast(index.shape)
        return self._read(place, place.at(at))

    def _joined(self, i: int, row: Row) -> Lines:
        """An entry of concatenated arrays."""
        out, axis = row.out.shape, row.kwargs.get("axis", 0) % len(row.out.shape)
        kind, start = compute_type(row.out.dtype), 0
        found = [f"{kind} x{i};", f"const unsigned int c{i} = {coordinate(out, axis)};"]
        for k, x in enumerate(row.args[0]):
            place = self.block.place(x)
            start += place.shape[axis]
            at = offset(out, place.strides, "e", place.offset - (start - place.shape[axis]) * place.strides[axis])
            value = converted(self._read(place, at), place.dtype, row.out.dtype)
            test = ("else " if k else "") + (f"if (c{i} < {start}u) " if k + 1 < len(row.args[0]) else "")
            found.append(f"{test}x{i} = {value};")
        return found

    def _scattered(self, i: int, row: Row) -> Lines:
        """An entry of what a row scatters or assigns: all that falls on it, in order."""
        dtype, assigns = row.out.dtype, row.function is functions.assigned
        start = row.args[0] if row.function in (functions.assigned, functions.scatter_sum) else None
        found = [f"{compute_type(dtype)} x{i} = {self._start(start, row)};"]
        for x, tree in parts_of(row):
            index = self._parsed(tree, row.out.shape)
            if type(x) is Var:
                place = self.block.place(x)
                value = converted(self._read(place, comes_from(index, place)), place.dtype, dtype)
            else:
                value = literal(x, dtype)
            change = f"x{i} = {value};" if assigns else f"x{i} = {added(dtype, f'x{i}', value)};"
            tests = [*falls_on(index), *matches(index, lambda part, at, index=index: self._number(index, part, at))]
            line = f"if ({' && '.join(tests)}) {change}" if tests else change
            if index.arrays:
                line = f"for (unsigned int r = 0; r < {numbers_of(index)}u; ++r) {line}"
            found.append(line)
        return found

    def _start(self, x: Any, row: Row) -> str:
        if type(x) is Var:
            place = self.block.place(x, row.out.shape)
            return converted(self._read(place, place.at()), place.dtype, row.out.dtype)
        return literal(0 if x is None else np.asarray(x).reshape(-1)[0], row.out.dtype)


def parts_of(row: Row) -> list[Any]:
    """(array, index) of each part that a row scatters."""
    if row.function is functions.scatter_sum:
        return list(zip(row.args[1], row.args[2], strict=True))
    return [(row.args[0], row.args[1])] if row.function is functions.scatter_add else [(row.args[1], row.args[2])]


def added(dtype: Any, a: str, b: str) -> str:
    """The sum of two values of a dtype."""
    spec = Spec((), np.dtype(dtype))
    return expression(Program((spec, spec), (), (), ()), Row(np.add, (Var(0), Var(1)), {}, spec), [a, b])


def _strides_in(shape: Sequence[int], inner: Sequence[int]) -> tuple[int, ...]:
    """C-order strides of a shape, without those of axes of length 1 in ``inner``."""
    return tuple(math.prod(shape[k + 1:]) if n > 1 else 0 for k, n in enumerate(inner))


__all__ = ["Text", "added", "is_head", "parts_of", "variables"]
