"""How the rows of one kernel share its iteration space: which axes are outer, which inner, and in which phase each row runs.

Threads stand side by side along the inner axes; the outer axes are gone through. A reduction over the inner axes ends a phase:
its result, one value for each position on the outer axes, is there in the next phase. A reduction over the outer axes is complete
only when all blocks are through: its result, and what is computed of that entry by entry, is last (``LAST``).
"""
from __future__ import annotations

import math
from collections.abc import Sequence

from gpuad.planning.device.places import Conflict, Places, is_reduction, reduced_axes
from gpuad.planning.program import Program
from linalg.arrays import Shape

LAST = 1 << 20
LONGEST = 1 << 14
"""Entries of the inner axes up to which few rows are worth a kernel."""
FEWEST_ROWS = 64
"""Rows from which a kernel gives each to a block, however long they are."""
WIDEST = 1 << 15
"""Bytes of the inner axes up to which a block keeps its part of a sum over the outer axes in registers and shared memory."""
Axes = frozenset[int]


class Layout:
    """The layout of a group of rows; raises Conflict where one kernel cannot compute them.

    ``kind``: "entries" (no reductions), "totals" (over all axes), "columns" (over outer axes only), "rows" (over inner axes; over
    outer ones too). ``phase`` of each row; ``reduced`` holds the axes of the space that each reduction adds up.
    """

    def __init__(self, program: Program, rows: Sequence[int]):
        self.program, self.rows = program, tuple(rows)
        self.places = places = Places(program, rows)
        self.shape: Shape = places.shape
        self.everything: Axes = frozenset(range(len(self.shape)))
        self.axes: dict[int, Axes] = {i: _axes(places.place(i)) for i in rows}
        self.whole: dict[int, Axes] = {}
        self.reduced: dict[int, Axes] = {}
        for i in rows:
            row = program.rows[i - program.first]
            if is_reduction(program, row):
                place = places.place(("reduced", i))
                self.whole[i] = _axes(place)
                self.reduced[i] = frozenset(a for k in reduced_axes(program, row) for a in place[k])
        self.read = {i: [places.keys[i, k] for k in range(3) if (i, k) in places.keys] for i in rows}
        for kind, inner in self._candidates():
            try:
                self.phase = self._phases(kind, inner)
            except Conflict:
                continue
            self.kind = kind
            self.inner = tuple(sorted(inner))
            self.outer = tuple(sorted(self.everything - inner))
            return
        raise Conflict

    def size(self, axes: Sequence[int] | Axes) -> int:
        """Entries of some axes of the space."""
        return math.prod(self.shape[a] for a in axes)

    def inside(self, key: object) -> int | None:
        """The row inside whose value an operand shows."""
        return self.places.source_of(key)

    def written_last(self) -> tuple[int, ...]:
        """Rows that the last block computes of sums over the outer axes, each column by one thread."""
        return tuple(i for i in self.rows if self.phase[i] == LAST and not self.reduced.get(i) and self.inner
                     and self.axes[i] == frozenset(self.inner) != self.everything)

    def _candidates(self) -> list[tuple[str, Axes]]:
        """(kind, inner axes), the best first."""
        found = list(dict.fromkeys(d for d in self.reduced.values() if d))
        if not found:
            return [("entries", self.everything)]
        if found == [self.everything]:
            rows = [("rows", self.everything)] if self.size(self.everything) <= LONGEST else []
            return [("totals", self.everything), *rows]
        proper = [d for d in found if d != self.everything]
        last = len(self.shape) - 1
        trailing = [("rows", d) for d in proper if last in d]
        leading = [("columns", self.everything - d) for d in proper if last not in d]
        return [c for c in [*trailing, *leading, *(("rows", d) for d in proper if last not in d)] if self._is_worth(*c)]

    def _is_worth(self, kind: str, inner: Axes) -> bool:
        """Whether there are rows enough to share the multiprocessors, or so little to do that it does not matter."""
        if kind != "rows":
            return True
        height = self.size(self.everything - inner)
        if len(self.shape) - 1 in inner:
            return self.size(inner) <= LONGEST or height >= FEWEST_ROWS
        return self.size(self.everything) <= 2 * LONGEST or height >= 32 * FEWEST_ROWS  # rows lie side by side, in blocks of 16

    def _phases(self, kind: str, inner: Axes) -> dict[int, int]:
        phase: dict[int, int] = {}
        outer = self.everything - inner
        for i in self.rows:
            before = [phase[j] for key in self.read[i] if (j := self.inside(key)) is not None]
            at = max(before, default=0)
            reduced = self.reduced.get(i)
            if reduced:
                if at == LAST:
                    raise Conflict
                phase[i] = self._reduction(kind, i, reduced, inner, outer, at)
            else:
                if at == LAST and (min(before) != LAST or not self.axes[i] <= inner or (self.axes[i] and kind == "totals")):
                    raise Conflict
                phase[i] = at
        return phase

    def _reduction(self, kind: str, i: int, reduced: Axes, inner: Axes, outer: Axes, at: int) -> int:
        whole = self.whole[i]
        if kind == "rows" and reduced == inner:
            return at + 1
        if not outer <= whole or not outer <= reduced or whole & inner not in (inner, frozenset()) \
                or reduced & inner not in (whole & inner, frozenset()):
            raise Conflict
        itemsize = self.program.rows[i - self.program.first].out.dtype.itemsize
        if kind == "rows" and self.axes[i] and self.size(inner) * max(itemsize, 8) > WIDEST:
            raise Conflict
        return LAST


def _axes(place: tuple[tuple[int, ...], ...]) -> Axes:
    return frozenset(a for part in place for a in part)
