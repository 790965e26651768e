"""What a kernel of rows computes in each phase, and what it keeps from one phase to the next."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpuad.planning.device.dtypes import compute_type
from gpuad.planning.device.layout import LAST
from gpuad.planning.device.places import sources
from gpuad.planning.device.spaces import Space
from gpuad.planning.program import Program, Var

Key = tuple[str, int]
"""What is computed or loaded: ("x", row) or ("a", access)."""


class Phases:
    """The loops over entries: ``loops[q]`` has what phase q needs at each entry, in order, and its targets.

    Targets are the reductions that add entries in that phase, and the entries that it stores. ``kept`` is what a phase computes
    that a later one reads.
    """

    def __init__(self, program: Program, space: Space):
        self.program, self.space, self.layout = program, space, space.layout
        self.loops: dict[int, tuple[list[Key], list[int]]] = self._loops()
        self.kept: set[Key] = self._kept()

    def scope(self, key: Key) -> str:
        """Where a value or an access is known: "top" of the kernel, at a "row" of the outer axes, or at an "entry"."""
        kind, n = key
        layout = self.layout
        if kind == "x":
            axes, is_early = layout.axes[n], layout.phase[n] == 0
        else:
            strides = self.space.accesses[n].strides
            axes, is_early = frozenset(a for a, s in enumerate(strides) if s), True
        if axes & frozenset(layout.inner):
            return "entry"
        return "top" if not axes and is_early else "row"

    def read(self, i: int) -> list[Key]:
        """What a row reads."""
        found: list[Key] = []
        for k, x in enumerate(sources(self.program.rows[i - self.program.first])):
            if (i, k) in self.space.reads:
                found.append(("a", self.space.reads[i, k]))
            elif type(x) is Var and (j := self.layout.places.source(x)) is not None:
                found.append(("x", j))
        return found

    def starts(self, targets: Sequence[int]) -> list[Key]:
        """What targets read: what is stored, and what is added."""
        return [key for i in targets for key in (self.read(i) if self.layout.reduced.get(i) else [("x", i)])]

    def runs_in(self, i: int) -> int:
        """The phase in which a row, or a reduction's adding, runs."""
        return max([self.layout.phase[j] for kind, j in self.read(i) if kind == "x"], default=0)

    def _targets(self) -> dict[int, list[int]]:
        """By phase: the reductions that add entries, and the entries that are stored."""
        found: dict[int, list[int]] = {}
        layout = self.layout
        for i in layout.rows:
            if layout.reduced.get(i):
                if layout.whole[i] & frozenset(layout.inner):
                    found.setdefault(self.runs_in(i), []).append(i)
            elif i in self.space.stores and layout.phase[i] != LAST and self.scope(("x", i)) == "entry":
                found.setdefault(layout.phase[i], []).append(i)
        return found

    def _loops(self) -> dict[int, tuple[list[Key], list[int]]]:
        """By phase: what it needs at each entry, in order, and its targets."""
        loops = {}
        for q, targets in sorted(self._targets().items()):
            needed: set[Key] = set()
            waiting = self.starts(targets)
            while waiting:
                key = waiting.pop()
                if key in needed or self.scope(key) != "entry":
                    continue
                needed.add(key)
                if key[0] == "x":
                    waiting += self.read(key[1])
            loops[q] = sorted(needed), targets
        return loops

    def _kept(self) -> set[Key]:
        """What a phase computes that a later one reads, and does not compute anew."""
        known: set[Key] = set()
        kept: set[Key] = set()
        for needed, targets in self.loops.values():
            reached: set[Key] = set()
            waiting = self.starts(targets)
            while waiting:
                key = waiting.pop()
                if key not in needed or key in reached:
                    continue
                reached.add(key)
                if key in known:
                    kept.add(key)
                elif key[0] == "x":
                    waiting += self.read(key[1])
            known |= reached
        return kept

    def type(self, key: Key) -> str:
        """The C++ type in which something is computed."""
        return compute_type(self._dtype(key))

    def _dtype(self, key: Key) -> np.dtype:
        kind, n = key
        return self.space.accesses[n].dtype if kind == "a" else self.program.spec(n).dtype

    def kept_words(self) -> int:
        """32-bit registers that the kept values of one entry take, and the sums over the outer axes."""
        dtypes = [self._dtype(key) for key in self.kept]
        dtypes += [self.program.spec(i).dtype for i in self.layout.rows
                   if self.layout.reduced.get(i) and self.layout.phase[i] == LAST and self.layout.axes[i]]
        return sum(max(4, d.itemsize) // 4 for d in dtypes)
