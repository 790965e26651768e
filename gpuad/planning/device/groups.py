"""Groups of rows, in an order in which they can run, which are joined where that keeps such an order."""
from __future__ import annotations

from collections.abc import Mapping

WINDOW = 4096
"""Groups that may lie between two that are joined: what lies between is looked at."""
AFTER = 64
"""Of those, groups that have to come after the earlier one: where there are more, a way from one to the other is all but sure."""


class Groups:
    """Rows in groups. ``before`` says which rows each row reads; others than its keys are there from the beginning."""

    def __init__(self, before: Mapping[int, set[int]]):
        self._group = {i: i for i in before}
        self._rows: dict[int, list[int]] = {i: [i] for i in before}
        self._before = {i: {j for j in read if j in before} for i, read in before.items()}
        self.order = list(before)
        self._place = {i: k for k, i in enumerate(self.order)}

    def find(self, i: int) -> int:
        """The group of a row."""
        while self._group[i] != i:
            self._group[i] = self._group[self._group[i]]
            i = self._group[i]
        return i

    def rows(self, group: int) -> tuple[int, ...]:
        """The rows of a group, in order."""
        return tuple(self._rows[group])

    def join(self, a: int, b: int, apart: bool = False) -> bool:
        """Join two groups at the place of the later one; False where something must come between them.

        ``apart``: also where one of them reads the other.
        """
        if self._place[a] > self._place[b]:
            a, b = b, a
        if apart and a in self._read(b):
            return False
        start, end = self._place[a], self._place[b]
        if end - start > WINDOW:
            return False
        after, others = {a}, []
        for g in self.order[start + 1:end]:
            if g in self._rows and self._read(g) & after:
                after.add(g)
                if len(after) > AFTER:
                    return False
            elif g in self._rows:
                others.append(g)
        if self._read(b) & (after - {a}):
            return False
        moved = [*others, b, *(g for g in self.order[start + 1:end] if g in after)]
        moved = [-1] * (end + 1 - start - len(moved)) + moved
        for k, g in enumerate(moved, start):
            self.order[k] = g
            self._place[g] = k
        self._group[a] = b
        self._rows[b] = sorted(self._rows[b] + self._rows.pop(a))
        self._before[b] |= self._before.pop(a)
        return True

    def _read(self, group: int) -> set[int]:
        """The other groups that a group reads."""
        found = {self.find(j) for j in self._before[group]} - {group}
        self._before[group] = set(found)
        return found
