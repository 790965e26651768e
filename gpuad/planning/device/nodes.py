"""Which rows of a program one kernel computes: few launches, and no value stored that only the kernel itself reads.

Every row starts as a group of its own. Groups are joined where one kernel can compute both (see layout.py) and nothing that runs
between them would have to come first: a row with its only readers, then with any of its readers, then groups that read the same
array, and in the end elementwise groups that have nothing to do with each other.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.code import Node, Step
from gpuad.planning.device.expressions import is_supported
from gpuad.planning.device.groups import Groups
from gpuad.planning.device.joining import joins_many
from gpuad.planning.device.layout import Layout
from gpuad.planning.device.moving import can_move, is_move
from gpuad.planning.device.places import Conflict, is_reduction, moves_axes, sources
from gpuad.planning.passes.facts import uniform
from gpuad.planning.program import Program, Row, Var, variables
from gpuad.planning.storage import is_view

MOST_ROWS = 192
"""Rows in one part of a node: registers are few, and compilers slow."""
MOST_PARTS = 48
MOST_POINTERS = 200
"""Arrays that one launch names."""
TRIED = 4
"""Launches that an elementwise group may share, of which the first that it can is taken."""
DEAR = 1 << 17
"""Entries from which it costs more than a launch to compute a function for each of them instead of once."""
LIGHT = {np.add, np.subtract, np.multiply, np.negative, np.maximum, np.minimum, np.square, np.equal, np.not_equal, np.less,
         np.less_equal, np.greater, np.greater_equal, np.logical_and, np.logical_or, np.logical_not, np.absolute, np.sign,
         functions.select, functions.cast, functions.convert}


def steps(program: Program) -> list[Step]:
    """The steps of an analysed program, in an order in which they can run. Each row is in one of them."""
    return _Steps(program).steps()


def is_fusible(program: Program, row: Row) -> bool:
    """Whether a generated kernel can compute a row."""
    if is_move(row):
        return not row.ordered and can_move(program, row)
    if row.ordered or row.out.kind not in ("array", "scalar", "number") or is_view(row) or not row.out.size:
        return False
    if not is_reduction(program, row):
        if not is_supported(program, row):
            return False
    elif not _reduces(program, row):
        return False
    return all(_is_readable(program, x) for x in sources(row))


def _reduces(program: Program, row: Row) -> bool:
    """Whether the combination of two partial results, and of the two sides of a product, has an expression."""
    specs = [program.spec(x.index) for x in sources(row) if type(x) is Var]
    if any(s.dtype is None or s.kind != "array" or not s.size for s in specs):
        return False
    ufunc = np.add if row.function is np.matmul else row.args[1]
    operand = Row(ufunc, (Var(0), Var(0)), {}, row.out._replace(shape=(), kind="array"))
    if row.out.dtype.kind == "c" and ufunc in (np.maximum, np.minimum):
        return False
    return is_supported(Program((operand.out,), (), (operand,), ()), operand)


def _is_readable(program: Program, x: object) -> bool:
    if type(x) is Var:
        spec = program.spec(x.index)
        return spec.kind in ("array", "scalar", "number") and spec.size > 0
    return uniform(x) is not None or np.size(x) == 1  # type: ignore[arg-type]


class _Steps:
    def __init__(self, program: Program):
        self.program = program
        self.fusible = {i for i, row in program.numbered() if is_fusible(program, row)}
        self.outputs = {v.index for v in variables(program.outputs)}
        self.readers: list[list[int]] = [[] for _ in range(program.n_variables)]  # no views: what reads them
        roots: dict[int, int] = {}
        for i, row in program.numbered():
            if moves_axes(row):
                j = row.args[0].index
                roots[i] = roots.get(j, j)
        self.roots = roots
        before = {}
        for i, row in program.numbered():
            if i not in roots:
                before[i] = {roots.get(j, j) for j in row.parents}
                for j in before[i]:
                    self.readers[j].append(i)
        effects = [i for i, row in program.numbered() if row.ordered]
        for j, i in pairwise(effects):
            before[i].add(j)
        self.groups = Groups(before)
        self._layouts: dict[tuple[int, ...], Layout | None] = {}

    def layout(self, rows: Sequence[int]) -> Layout | None:
        """The layout of rows; None where one kernel cannot compute them, or should not."""
        key = tuple(rows)
        if key not in self._layouts:
            try:
                found: Layout | None = Layout(self.program, key) if len(key) <= MOST_ROWS else None
            except Conflict:
                found = None
            self._layouts[key] = found if found is not None and self._is_worth(found) else None
        return self._layouts[key]

    def _is_worth(self, layout: Layout) -> bool:
        """Whether all that entries have in common leads to them, and no dear function of few values is computed for each anew."""
        if layout.kind == "entries":
            leads = {j for i in layout.rows if layout.axes[i] == layout.everything for j in self._led_by(i, layout)}
            if not leads >= set(layout.rows):
                return False
        if layout.kind == "rows" or layout.size(layout.everything) < DEAR:
            return True
        return all(layout.axes[i] in (layout.everything, frozenset()) or layout.phase[i] or i in layout.reduced
                   or self.program.rows[i - self.program.first].function in LIGHT for i in layout.rows)

    def _led_by(self, i: int, layout: Layout) -> set[int]:
        """The rows of a layout that a row is computed of, and itself."""
        found, waiting = set(), [i]
        while waiting:
            i = waiting.pop()
            if i not in found:
                found.add(i)
                waiting += [j for key in layout.read[i] if (j := layout.inside(key)) is not None]
        return found

    def steps(self) -> list[Step]:
        self.fusible = {i for i in self.fusible if self.layout((i,)) is not None}
        self._with_only_readers()
        for _ in range(3):
            if not self._with_readers():
                break
        self._siblings()
        parts = self._side_by_side()
        return self._ordered(parts)

    def _join(self, a: int, b: int) -> bool:
        """Join two groups, if one kernel can compute them."""
        g, h = self.groups.find(a), self.groups.find(b)
        if g == h or a not in self.fusible or b not in self.fusible:
            return False
        rows = sorted((*self.groups.rows(g), *self.groups.rows(h)))
        return self.layout(rows) is not None and self.groups.join(g, h)

    def _with_only_readers(self) -> None:
        for i in sorted(self.fusible, reverse=True):
            groups = {self.groups.find(j) for j in self.readers[i]}
            if len(groups) == 1:
                self._join(i, self.readers[i][0])

    def _with_readers(self) -> bool:
        changed = False
        for i in sorted(self.fusible, reverse=True):
            for j in self.readers[i]:
                if not self._is_shared(i, j):
                    changed |= self._join(i, j)
        return changed

    def _is_shared(self, i: int, j: int) -> bool:
        """Whether a row gives a few values to several groups of entries, none of which should wait for another."""
        groups = {self.groups.find(k) for k in self.readers[i]} - {self.groups.find(i)}
        spec = self.program.spec
        return len(groups) > 1 and spec(i).size < spec(j).size

    def _siblings(self) -> None:
        """Groups of one space that read the same array, of the size of that space."""
        for i in range(self.program.n_variables):
            readers = [j for j in self.readers[i] if j in self.fusible]
            size = self.program.spec(i).size
            for a, b in pairwise(readers):
                both = [self.layout(self.groups.rows(self.groups.find(k))) for k in (a, b)]
                if all(x is not None and x.size(x.everything) == size for x in both):
                    self._join(a, b)

    def _side_by_side(self) -> dict[int, list[tuple[int, ...]]]:
        """Let elementwise groups share launches, and sums over all entries: group -> the rows of each of its parts."""
        parts: dict[int, list[tuple[int, ...]]] = {}
        kinds: dict[int, str] = {}
        for i in sorted(self.fusible):
            g = self.groups.find(i)
            if g in parts or self.groups.rows(g)[0] != i:
                continue
            layout = self.layout(self.groups.rows(g))
            if layout is None or layout.kind not in ("entries", "totals"):
                continue
            kinds[g] = layout.kind
            own = [self.groups.rows(g)]
            for h in [h for h in parts if kinds[h] == layout.kind][:-TRIED - 1:-1]:
                if self._fit_one_launch([*parts[h], *own]) and self.groups.join(h, g, apart=True):
                    own += parts.pop(h)
                    g = self.groups.find(g)
                    kinds[g] = layout.kind
                    break
            parts[g] = sorted(own)
        return parts

    def _fit_one_launch(self, parts: list[tuple[int, ...]]) -> bool:
        pointers = sum(len(row.parents) + (i in self.outputs) for part in parts for i in part
                       for row in [self.program.rows[i - self.program.first]])
        return len(parts) <= MOST_PARTS and pointers <= MOST_POINTERS and sum(map(len, parts)) <= 2 * MOST_ROWS

    # ---- the steps

    def _ordered(self, parts: dict[int, list[tuple[int, ...]]]) -> list[Step]:
        """The groups in order, and the views where a step or the caller needs them as arrays."""
        views: dict[int, list[int]] = {}  # by what they show: views that are needed as arrays
        inside: dict[int, list[int]] = {}  # by group: views that only lead from one of its rows to another
        needed = self._needed_views()
        for i, j in self.roots.items():
            if i in needed or j not in self.fusible:
                views.setdefault(j, []).append(i)
            else:
                inside.setdefault(self.groups.find(j), []).append(i)
        found: list[Step] = [i for j in range(self.program.first) for i in views.get(j, ())]
        for g in self.groups.order:
            if g < 0:
                continue
            rows = self.groups.rows(g)
            if rows[0] in self.fusible:
                found.append(self._node(rows, parts.get(g, []), inside.get(g, []), needed))
            else:
                is_joined = joins_many(self.program, self.program.rows[rows[0] - self.program.first])
                found.append(Node(rows, "joined", rows, (rows,)) if is_joined else rows[0])
            found += sorted(i for j in rows for i in views.get(j, ()))
        return found

    def _needed_views(self) -> set[int]:
        """Views that are read as arrays: by steps other than the kernel that computes what they show, or as outputs."""
        needed: list[int] = [i for i in self.roots if i in self.outputs]
        for i, row in self.program.numbered():
            if i in self.roots:
                continue
            for j in row.parents:
                if j in self.roots and not self._is_inside(i, self.roots[j]):
                    needed.append(j)
        found: set[int] = set()
        for i in needed:
            while i in self.roots and i not in found:
                found.add(i)
                i = self.program.rows[i - self.program.first].args[0].index
        return found

    def _is_inside(self, i: int, j: int) -> bool:
        """Whether rows i and j are computed by one kernel."""
        return i in self.fusible and j in self.fusible and self.groups.find(i) == self.groups.find(j)

    def _node(self, rows: tuple[int, ...], parts: list[tuple[int, ...]], views: list[int], needed: set[int]) -> Node:
        shown = {self.roots[i] for i in needed}
        writes = tuple(i for i in rows if i in self.outputs or i in shown
                       or any(not self._is_inside(i, j) for j in self.readers[i]))
        parts = parts or [rows]
        layouts = [layout for part in parts if (layout := self.layout(part)) is not None]
        kind = layouts[0].kind
        if kind == "entries" and any(i in writes and x.axes[i] != x.everything for x in layouts for i in x.rows):
            kind = "spread"
        in_place = rows if kind == "entries" else layouts[0].written_last() if kind != "spread" else ()
        return Node(tuple(sorted((*rows, *views))), kind, writes, tuple(parts), in_place)
