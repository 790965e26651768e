"""What a device plan is made of: steps, each a single row or a node of rows that run together, and the code of nodes."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Dim = tuple[int, int, int]


@dataclass(frozen=True)
class Node:
    """Rows (variables, in order) that one kernel computes, or a fixed few.

    ``kind`` says how its threads are laid out: "entries" (a thread reads and writes its own entries), "spread" (entries, of which
    some are read by many), "rows", "columns", "totals", "joined" or "block". ``writes`` are the variables that are stored because
    something outside reads them; all others live in registers. ``parts`` are independent groups of the rows, each with an
    iteration space of its own, which share the launch. ``in_place`` rows may be written over what they alone read entry by
    entry: each entry is read by the thread that writes it, before it does.
    """

    rows: tuple[int, ...]
    kind: str
    writes: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...] = ()
    in_place: tuple[int, ...] = ()


Step = int | Node
"""A single row's variable (a product, a view, a call of the library's function), or a node."""


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel. An argument is Var(i), that variable's pointer; ("scratch", byte offset); or a NumPy scalar."""

    name: str
    grid: Dim
    block: Dim
    shared: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Code:
    """A node's CUDA C++ and launches. ``scratch`` bytes belong to this node alone, aligned to 256.

    They are zero before the first run: the tickets in them are zero again after each.
    """

    source: str
    launches: tuple[Launch, ...]
    scratch: int = 0
