"""Kernels with reductions: over the inner axes, by a group of threads for each row (position on the outer axes), and over rows.

A group goes through its entries once for each phase: reductions end phases, and what later phases read again stays in registers.
Sums over rows are kept for each of a thread's entries, and joined in the end (see joins.py).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuad.planning.device.code import Code, Launch, Node
from gpuad.planning.device.dtypes import compute_type, store
from gpuad.planning.device.joins import DEFINITIONS, Joins, shared
from gpuad.planning.device.layout import LAST, Layout
from gpuad.planning.device.phases import Key, Phases
from gpuad.planning.device.spaces import Space
from gpuad.planning.device.text import Body, coordinates, indented, kernel, looped, offset, parameters, source
from gpuad.planning.device.threads import Threads
from gpuad.planning.program import Program


def rows(program: Program, node: Node, arrays: Mapping[int, Any], processors: int) -> Code:
    """The kernel of a node of kind "rows" or "columns"."""
    return _Rows(program, node, arrays, processors).code()


class _Rows:
    def __init__(self, program: Program, node: Node, arrays: Mapping[int, Any], processors: int):
        self.program, self.node = program, node
        self.layout = layout = Layout(program, node.parts[0])
        self.space = space = Space(program, layout, node.writes, arrays)
        self.outer = space.collapsed(space.by_strides(layout.outer))
        self.inner = space.collapsed(layout.inner)
        self.phases = phases = Phases(program, space)
        self.loops = phases.loops
        self.threads = t = Threads(space, self.outer, self.inner, phases.kept_words(), processors)
        self.kept = phases.kept if t.keeps else set()
        tile = t.group * t.width if t.tiles > 1 else layout.size(layout.inner)
        self.joins = Joins(program, space, layout, t.blocks, t.threads, tile, t.tiles)
        self.coordinates, self.row = coordinates(space.index, "r", self.outer, "i")
        inner, self.column = coordinates(space.index, "c", self.inner, "j")
        self.inner_coordinates = inner
        self.at = [offset([*(x.strides[n] for x in self.outer), *(x.strides[n] for x in self.inner)], [*self.row, *self.column])
                   for n in range(len(space.accesses))]

    # ---- the kernel

    def code(self) -> Code:
        t, joins, index = self.threads, self.joins, self.space.index
        name = f"{self.node.kind}_of_{len(self.node.rows)}"
        declared, arguments = parameters([self.space])
        more, given = joins.parameters()
        height = self.layout.size(self.layout.outer)
        part = "blockIdx.y" if self.layout.kind == "columns" else "blockIdx.x"
        lane, group = ("/", "%") if t.across else ("%", "/")
        side = t.per_block if t.across else t.group
        self.is_full = height % t.per_block == 0
        lines = [f"const int lane = threadIdx.x {lane} {side}, group = threadIdx.x {group} {side};",
                 *joins.accumulators(), *self._column_sums(), *self._loaded("top"), *self._at_scope("top", 0)]
        row = f"const {index} r = r0 + group;" if self.is_full else \
            f"const bool active = r0 + group < {height}; const {index} r = active ? r0 + group : {height - 1};"
        loop = [row, *self.coordinates, *self._phases()]
        lines += [f"for ({index} r0 = {part} * {t.per_block}; r0 < {height}; r0 += {t.blocks * t.per_block}) {{",
                  *indented(loop), "}"]
        lines += [*self._stored_columns(), "{", *indented(joins.lines()), "}"]
        sizes = [joins.tile * joins.reductions[i].dtype.itemsize for i in joins.columns]
        sizes += [t.threads * r.dtype.itemsize for r in joins.reductions.values() if t.across]
        area = max([*sizes, 0 if joins.is_apart else joins.shared_bytes(t.threads)])
        if area:
            lines = ["extern __shared__ double area[];", *lines]
        declared, passed = [*declared, *more], (*arguments, *given)
        lines = [*shared(lines), *lines]
        text = [DEFINITIONS, *joins.definitions(), *kernel(name, t.threads, declared, lines)]
        grid = (t.tiles, t.blocks, 1) if self.layout.kind == "columns" else (t.blocks, 1, 1)
        launches = [Launch(name, grid, (t.threads, 1, 1), area, passed)]
        if joins.is_apart:
            text += joins.kernel(f"{name}_joined", declared)
            launches.append(joins.launch(f"{name}_joined", passed))
        return Code(source("\n".join([*text, ""])), tuple(launches), joins.scratch)

    def _column_sums(self) -> list[str]:
        """A thread's sums over the outer axes."""
        t, found = self.threads, []
        for i in self.joins.columns:
            r = self.joins.reductions[i]
            found += [f"{r.type} c{i}[{t.each * t.width}];", "#pragma unroll",
                      f"for (int k = 0; k < {t.each * t.width}; ++k) c{i}[k] = {r.identity};"]
        return found

    def _loaded(self, scope: str) -> list[str]:
        """Loads of the accesses that are known at the top or at a row."""
        body = Body(self.space, None, 1)
        read = {key for i in self.layout.rows if self.phases.runs_in(i) != LAST for key in self.phases.read(i)}
        return [line for kind, n in sorted(read) if kind == "a" and self.phases.scope((kind, n)) == scope
                for lines in body.loads(n, self.at[n] if scope == "row" else "0") for line in lines]

    def _at_scope(self, scope: str, q: int) -> list[str]:
        """The values of a phase at the top or at a row, and their stores."""
        found, body, layout = [], Body(self.space, None, 1), self.layout
        for i in layout.rows:
            if layout.phase[i] == q and self.phases.scope(("x", i)) == scope:
                if not layout.reduced.get(i):
                    found += body.computed(i, self._index(i) if scope == "row" else "0")
                if i in self.space.stores:
                    found.append(self._stored_once(i, scope))
        return found

    def _stored_once(self, i: int, scope: str) -> str:
        """The store of a value that all lanes have."""
        n = self.space.stores[i]
        x = self.space.accesses[n]
        if scope == "top":
            conditions = ["blockIdx.x + blockIdx.y + threadIdx.x == 0"]
        else:
            conditions = [*self._active(), "lane == 0", *_first(n, self.outer, self.row)]
            conditions += ["blockIdx.x == 0"] * (self.threads.tiles > 1)
        place = f"{x.name} + {self.at[n] if scope == 'row' else '0'}"
        return f"if ({' && '.join(conditions)}) {store(x.dtype, place, f'x{i}')};"

    def _index(self, i: int) -> str:
        """The flat index of a row that moves entries."""
        return self.at[self.space.indices[i]] if i in self.space.indices else ""

    def _active(self) -> list[str]:
        return [] if self.is_full else ["active"]

    def _phases(self) -> list[str]:
        """What a group does at one row: loops over its entries, and between them what all lanes know."""
        layout, joins = self.layout, self.joins
        found = self._loaded("row")
        known: set[Key] = set()
        for q in sorted({p for p in layout.phase.values() if p != LAST} | set(self.loops)):
            ended = [i for i in layout.rows if layout.phase[i] == q and layout.reduced.get(i)]
            for i in ended:
                r = joins.reductions[i]
                found.append(f"const {compute_type(self.program.spec(i).dtype)} x{i} = {r.result(self._over_group(i))};")
            found += self._at_scope("row", q)
            for i in layout.rows:
                if layout.reduced.get(i) and i not in self.loops.get(q, ((), ()))[1] and self.phases.runs_in(i) == q:
                    found += self._of_row_values(i)
            if q in self.loops:
                found += self._loop(*self.loops[q], known)
        return found

    def _over_group(self, i: int) -> str:
        t, r = self.threads, self.joins.reductions[i]
        if t.across:
            return f"over_column<Join{i}, {t.group}, {t.per_block}>(r{i}, reinterpret_cast<{r.type}*>(area))"
        if t.group > 32:
            return f"over_block<Join{i}, {t.group}>(r{i}, {r.identity}, shared)"
        return f"over_lanes<Join{i}, {t.group}>(r{i})" if t.group > 1 else f"r{i}"

    def _of_row_values(self, i: int) -> list[str]:
        """A sum over the outer axes of values that all lanes have."""
        operands = Body(self.space, None, 1).operands(i)
        condition = " && ".join([*self._active(), "lane == 0", *["blockIdx.x == 0"] * (self.threads.tiles > 1)])
        return [f"if ({condition}) {self.joins.accumulate(i, operands)}"]

    def _loop(self, needed: list[Key], targets: list[int], known: set[Key]) -> list[str]:
        """One phase's loop over a thread's entries."""
        t, layout, joins = self.threads, self.layout, self.joins
        body = Body(self.space, self.inner[-1], t.width)
        declared, before, inner, after = ([] for _ in range(4))
        here = f"[k * {t.width} + u]" if t.width > 1 else "[k]"
        wanted = self._wanted(needed, targets, known)
        for key in wanted:
            name = f"{key[0]}{key[1]}"
            if key in known and key in self.kept:
                inner.append(f"const {self.phases.type(key)} {name} = k{name}{here};")
                continue
            if key[0] == "a":
                one, two = body.loads(key[1], self.at[key[1]])
                before += one
                inner += two
            else:
                inner += body.computed(key[1], self._index(key[1]))
            if key in self.kept:
                declared.append(f"{self.phases.type(key)} k{name}[{t.each * t.width}];")
                inner.append(f"k{name}{here} = {name};")
        known.update(wanted)
        for i in targets:
            if not layout.reduced.get(i):
                one, two, three = self._store(body, i)
                before += one
                inner += two
                after += three
            elif layout.phase[i] != LAST:
                declared.append(f"{joins.reductions[i].type} r{i} = {joins.reductions[i].identity};")
                inner.append(joins.accumulate(i, body.operands(i), f"r{i}"))
            else:
                inner.append(joins.accumulate(i, body.operands(i), f"c{i}{here}" if i in joins.columns else None))
        work = [*self.inner_coordinates, *before, *looped(t.width, inner), *after]
        return [*declared, *self._over_entries(work)]

    def _wanted(self, needed: list[Key], targets: list[int], known: set[Key]) -> list[Key]:
        """What a loop computes or has kept, operands first."""
        found: set[Key] = set()
        waiting = self.phases.starts(targets)
        while waiting:
            key = waiting.pop()
            if key in needed and key not in found:
                found.add(key)
                if key[0] == "x" and not (key in known and key in self.kept):
                    waiting += self.phases.read(key[1])
        return sorted(found)

    def _over_entries(self, work: list[str]) -> list[str]:
        t, index = self.threads, self.space.index
        length = self.layout.size(self.layout.inner)
        start = f"blockIdx.x * {t.group * t.width} + " if t.tiles > 1 else ""
        unit = f" * {t.width}" if t.width > 1 else ""
        if t.each:
            place = f"(k * {t.group} + lane)" if t.each > 1 else "lane"
            conditions = [*self._active(), *([f"c < {length}"] if t.each * t.group * t.width * t.tiles != length else [])]
            inside = [f"const {index} c = {start}{place}{unit};"]
            inside += [f"if ({' && '.join(conditions)}) {{", *indented(work), "}"] if conditions else work
            return ["#pragma unroll", f"for (int k = 0; k < {t.each}; ++k) {{", *indented(inside), "}"]
        condition = " && ".join([*self._active(), f"c < {length}"])
        return [f"for ({index} c = lane{unit}; {condition}; c += {t.group * t.width}) {{", *indented(work), "}"]

    def _store(self, body: Body, i: int) -> tuple[list[str], list[str], list[str]]:
        """The store of an entry; of one that other rows or columns have too, only by the first of them."""
        n = self.space.stores[i]
        conditions = [*_first(n, self.outer, self.row), *_first(n, self.inner, self.column)]
        if not conditions:
            return body.store(i, self.at[n])
        x, step = self.space.accesses[n], self.inner[-1].strides[n]
        if body.width > 1 and not step:
            conditions.append("u == 0")
        place = f"{x.name} + {self.at[n]}" + (f" + {step} * u" if body.width > 1 and step else "")
        return [], [f"if ({' && '.join(conditions)}) {store(x.dtype, place, f'x{i}')};"], []

    def _stored_columns(self) -> list[str]:
        """The block's sums over the outer axes, to the partial results: its groups add theirs one after another."""
        t, found = self.threads, []
        length = self.layout.size(self.layout.inner)
        part = "blockIdx.y" if self.layout.kind == "columns" else "blockIdx.x"
        tile = t.group * t.width if t.tiles > 1 else length
        for i in self.joins.columns:
            r = self.joins.reductions[i]
            at = f"(k * {t.group} + lane) * {t.width} + u"
            add = [f"const int c = {at};",
                   f"if (c < {tile}) sum[c] = g ? Join{i}::of(sum[c], c{i}[k * {t.width} + u]) : c{i}[k * {t.width} + u];"]
            first = f"blockIdx.x * {tile} + " if t.tiles > 1 else ""
            found += ["{", *indented([
                f"{r.type}* sum = reinterpret_cast<{r.type}*>(area);", "__syncthreads();",
                f"for (int g = 0; g < {t.per_block}; ++g) {{", "  if (g == group) {", "#pragma unroll",
                f"    for (int k = 0; k < {t.each}; ++k)", "#pragma unroll",
                f"      for (int u = 0; u < {t.width}; ++u) {{", *indented(add, 4), "      }", "  }", "  __syncthreads();", "}",
                f"for (int c = threadIdx.x; c < {tile} && {first}c < {length}; c += {t.threads})",
                f"  p{i}[{part} * {length} + {first}c] = sum[c];"]), "}"]
        return found


def _first(n: int, axes: Any, names: list[str]) -> list[str]:
    """Conditions that a position is the first of all that have one entry of an access."""
    return [f"{name} == 0" for name, axis in zip(names, axes, strict=True) if not axis.strides[n] and axis.length > 1]
