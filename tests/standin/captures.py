"""Graphs in the making: what was enqueued, and what each waits for."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Capture:
    """A graph in the making: it began on one stream, and others that waited for its events belong to it."""

    def __init__(self, origin: Any, mode: int):
        self.origin, self.mode, self.valid = origin, mode, True
        self.nodes: list[Callable[[], Any]] = []
        self.after: list[frozenset[int]] = []  # the nodes for which each waits
        self.made: list[np.ndarray] = []
        self.last: dict[Any, frozenset[int]] = {origin: frozenset()}  # for which the next of a stream waits

    def add(self, run: Callable[[], Any], stream: Any) -> None:
        self.nodes.append(run)
        self.after.append(self.last[stream])
        self.last[stream] = frozenset([len(self.nodes) - 1])

    def joined(self) -> int:
        """How many nodes the origin has waited for."""
        found, stack = set(self.last[self.origin]), list(self.last[self.origin])
        while stack:
            more = self.after[stack.pop()] - found
            found |= more
            stack += more
        return len(found)


def latest_first(after: list[frozenset[int]]) -> list[int]:
    """An order of the nodes in which, of those that may come next, the last does."""
    order: list[int] = []
    left = set(range(len(after)))
    while left:
        ready = max(i for i in left if not after[i] & left)
        order.append(ready)
        left.remove(ready)
    return order
