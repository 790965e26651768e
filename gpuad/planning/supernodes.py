"""Supernodes: rows that run together, tile by tile along their first axis, so that what they pass on stays in the cache.

Rows of long arrays are limited by memory. A supernode cuts the first axis into tiles and runs all of its rows on one tile before
the next: elementwise rows, their broadcasts and views, reductions (each tile gives a partial result, and these are joined in the
end), and products with thin matrices, which are limited by memory too.

The schedule is built backwards: a row is ready once all rows that read it are scheduled, so rows run as late as they can, beside
those that read them, and a value is not made before the others with which it shares a tile.
"""
from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.program import Program, Row, Spec, Var, is_var, spec_of
from gpuad.planning.storage import is_elementwise, is_view
from linalg.arrays import size

LONG = 1 << 18
"""Bytes from which an array is worth a tile: a quarter of a usual second-level cache."""
CACHE = 20 << 20
"""Bytes from which tiles are quicker than whole arrays: what a process gets of a usual last-level cache."""
TILE = 1 << 18
"""Bytes in one tile of the longest array that elementwise rows make or read."""
PANEL = 1 << 20
"""Bytes in one tile of a matrix that is multiplied: it is read once or twice, and does not have to stay."""
WORTH_THREADS = 1 << 20
"""Entries of all rows together from which several threads gain more than they cost."""
THIN = 8
"""Columns up to which a product with a matrix is limited by memory."""
SMALL = 1 << 12
"""Entries up to which partial results, and rows that are scheduled at once, are small."""


@dataclass(frozen=True)
class Supernode:
    """``rows`` (variables, in order) of which each works on ``length`` entries of a first axis, ``tile`` at a time.

    ``roles`` says what each row gives: "tiled" (its first axis is cut), "last" (a transpose: its last axis is), "partial" (one
    result for each tile).
    """

    rows: tuple[int, ...]
    roles: dict[int, str]
    length: int
    tile: int

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """(start, end) of each tile."""
        return [(lo, min(lo + self.tile, self.length)) for lo in range(0, self.length, self.tile)]


LIGHT = {functions.reduce, functions.convert, functions.component, np.concatenate, np.matmul}
"""Functions, beside those of entries and views, that cost little on few entries."""

Step = int | Supernode
Readers = list[list[int]]
"""By variable: the rows that read it."""


def steps(program: Program, threads: int = 1) -> list[Step]:
    """The program's rows in the order in which they run: variables of single rows, and supernodes."""
    ready = _Ready(program)
    found: list[Step] = []
    while (i := ready.pop()) is not None:
        length = _length(program, i, ready.readers)
        if length is None:
            found.append(i)
            ready.scheduled(i)
            continue
        roles = _absorb(program, ready, i, length, found)
        rows = tuple(sorted(roles))
        tile = _tile(program, rows, roles, length, threads)
        if tile is None:
            found.extend(reversed(rows))
        else:
            found.append(Supernode(rows, roles, length, tile))
    return found[::-1]


class _Ready:
    """Rows that nothing unscheduled reads, the latest first (by their place)."""

    def __init__(self, program: Program):
        self.program = program
        self.readers: Readers = [[] for _ in range(program.n_variables)]
        for i, row in program.numbered():
            for j in set(row.parents):
                self.readers[j].append(i)
        self.waiting = waiting = [len(rows) for rows in self.readers]  # rows that read a variable and are not scheduled yet
        effects = [i for i, row in program.numbered() if row.ordered]
        self.before = dict(zip(effects[1:], effects, strict=False))  # rows with effects keep their order
        self.before = {i: j for i, j in self.before.items() if j not in program.row(i).parents}  # type: ignore[union-attr]
        for j in self.before.values():
            waiting[j] += 1
        self.place = _places(program, self.readers)
        self.heap = [(-self.place[i], -i) for i, _ in program.numbered() if not waiting[i]]
        heapq.heapify(self.heap)
        self.open = {-i for _, i in self.heap}

    def pop(self) -> int | None:
        """The latest ready row."""
        while self.heap:
            i = -heapq.heappop(self.heap)[1]
            if i in self.open:
                self.open.discard(i)
                return i
        return None

    def scheduled(self, i: int) -> list[int]:
        """Note that row i is scheduled; gives the rows that are ready now because of it."""
        self.open.discard(i)
        freed = []
        row = self.program.row(i)
        read = set(row.parents if row is not None else ())
        for j in read | ({self.before[i]} if i in self.before else set()):
            self.waiting[j] -= 1
            if not self.waiting[j] and j >= self.program.first:
                heapq.heappush(self.heap, (-self.place[j], -j))
                self.open.add(j)
                freed.append(j)
        return freed


def _places(program: Program, readers: Readers) -> list[int]:
    """By variable: the row beside which it is made, if it may be.

    That is the row itself, but for what only leads to results entry by entry, as the update of parameters does: such rows come
    as soon as what they read is there, and set its memory free.
    """
    place, leads_on = list(range(program.n_variables)), [False] * program.n_variables
    for i, row in reversed(list(program.numbered())):
        leads_on[i] = not (is_elementwise(row) or is_view(row)) or any(leads_on[j] for j in readers[i])
    for i, row in program.numbered():
        if not leads_on[i]:
            place[i] = max([place[j] for j in row.parents if j >= program.first], default=i)
    return place


def _absorb(program: Program, ready: _Ready, seed: int, length: int, found: list[Step]) -> dict[int, str]:
    """The rows of the supernode that ends with ``seed``, with their roles. Light rows in the way are scheduled behind it."""
    roles = {seed: _role(program, seed, length, {}, ready.readers) or "tiled"}
    candidates = sorted({*ready.open, *ready.scheduled(seed)}, reverse=True)
    while candidates:
        candidates.sort()
        i = candidates.pop()
        if i not in ready.open:
            continue
        row = program.row(i)
        role = _role(program, i, length, roles, ready.readers)
        if role is not None and row is not None and not row.ordered:
            roles[i] = role
            candidates += ready.scheduled(i)
        elif row is not None and _is_light(program, row) and not row.ordered and not set(row.parents) & set(roles) \
                and not any(j in roles for j in ready.readers[i]):
            found.append(i)
            candidates += ready.scheduled(i)
    return roles


def _is_light(program: Program, row: Row) -> bool:
    """Whether a row is so cheap that its place in the schedule does not matter."""
    return size(row.out.shape) <= SMALL and all(program.spec(j).size <= SMALL for j in row.parents) \
        and (is_elementwise(row) or is_view(row) or row.out.kind == "scalar" or row.function in LIGHT)


def _length(program: Program, i: int, readers: Readers) -> int | None:
    """The length of the axis that a supernode ending with row i would cut; None where it would be no long one."""
    row = program.row(i)
    if row is None or row.ordered or is_view(row):
        return None
    if is_elementwise(row):
        long = row.out.kind == "array" and len(row.out.shape) and row.out.nbytes >= LONG
        return row.out.shape[0] if long and row.out.shape[0] > 1 else None
    operand = _operand_of(program, row)
    if operand is None or operand.nbytes < LONG:
        return None
    for length in {operand.shape[0], operand.shape[-1]}:
        if length > 1 and _role(program, i, length, {}, readers) is not None:
            return length
    return None


def _operand_of(program: Program, row: Row) -> Spec | None:
    """The long operand of a reduction or a product."""
    if row.function is functions.reduce or row.function is np.matmul:
        specs = [s for s in (_spec(program, a) for a in row.args[:2]) if s is not None and s.kind == "array" and s.shape]
        return max(specs, key=lambda s: s.nbytes, default=None)
    return None


def _spec(program: Program, x: Any) -> Spec | None:
    if type(x) is Var:
        return program.spec(x.index)
    return spec_of(x) if isinstance(x, np.ndarray) else None


def _role(program: Program, i: int, length: int, roles: dict[int, str], readers: Readers) -> str | None:
    """What row i would give in a supernode of this length whose later rows are ``roles``; None where it does not fit.

    The rows that read it are all in the supernode or behind it; those inside must be able to take what it gives.
    """
    row = program.row(i)
    if row is None:
        return None
    role = _own_role(program, row, length)
    if role is None:
        return None
    fits = all(_takes(program, program.rows[j - program.first], roles[j], i, role) for j in readers[i] if j in roles)
    return role if fits else None


def _own_role(program: Program, row: Row, length: int) -> str | None:
    shape, f = row.out.shape, row.function
    if is_elementwise(row):
        return "tiled" if row.out.kind == "array" and shape and shape[0] == length else None
    if f is functions.reduce and row.args[1] in (np.add, np.multiply, np.maximum, np.minimum):
        source = _spec(program, row.args[0])
        if source is None or source.kind != "array" or not source.shape or source.shape[0] != length:
            return None
        if source.dtype.kind not in "fc" or source.dtype.itemsize < 4:
            return None
        if 0 in row.args[2]:
            return "partial" if size(shape) <= SMALL else None
        return "tiled" if row.out.kind == "array" else None
    if f is np.matmul and not row.kwargs:
        return _product_role(program, row, length)
    if is_view(row) and row.out.kind == "array":
        return _view_role(program, row, length)
    return None


def _product_role(program: Program, row: Row, length: int) -> str | None:
    """Thin products: of tiles of rows with a whole matrix, or summed over the axis that is cut."""
    a, b = (_spec(program, x) for x in row.args[:2])
    if type(row.args[0]) is Var and type(row.args[1]) is Var and row.args[0] == row.args[1]:
        return None  # one matrix, cut along two axes
    if a is None or b is None or len(a.shape) > 2 or len(b.shape) > 2 or a.dtype != b.dtype or a.dtype != row.out.dtype \
            or a.dtype.char not in "fd":
        return None
    if a.shape[-1] == length == b.shape[0]:
        thin = min(a.shape[0] if len(a.shape) == 2 else 1, b.shape[1] if len(b.shape) == 2 else 1) <= THIN
        return "partial" if thin and size(row.out.shape) <= SMALL else None
    if len(a.shape) == 2 and a.shape[0] == length and (len(b.shape) == 1 or b.shape[1] <= THIN):
        return "tiled"
    return None


def _view_role(program: Program, row: Row, length: int) -> str | None:
    source, shape, f = _spec(program, row.args[0]), row.out.shape, row.function
    if source is None or source.kind != "array" or not source.shape or source.shape[0] != length:
        return None
    if f is functions.transpose:
        return "last" if row.args[1] == (1, 0) else "tiled" if row.args[1][0] == 0 else None
    if not shape or shape[0] != length:
        return None
    if f is functions.reshape:
        return "tiled"
    if f is functions.broadcast:
        return "tiled" if len(shape) == len(source.shape) else None
    if f is functions.getitem:
        return "tiled" if row.args[1] and row.args[1][0] == slice(None) else None
    return "tiled" if f in (functions.real, functions.imaginary) else None


def _takes(program: Program, reader: Row, reader_role: str, i: int, role: str) -> bool:
    """Whether a row of the supernode can read variable i where that has this role."""
    if role == "partial":
        return False
    shape = program.spec(i).shape
    f = reader.function
    if f is np.matmul:
        a, b = reader.args[:2]
        if reader_role == "partial":
            wanted = "last" if len(shape) == 2 else "tiled"
            return (not is_var(a, i) or role == wanted) and (not is_var(b, i) or role == "tiled")
        return is_var(a, i) and not is_var(b, i) and role == "tiled"
    if role == "last":
        return False
    if is_elementwise(reader):
        return len(shape) == len(reader.out.shape)  # else it would be broadcast along the axis that is cut
    return True


def _tile(program: Program, rows: tuple[int, ...], roles: dict[int, str], length: int, threads: int) -> int | None:
    """Entries of the first axis in a tile; None where the rows gain nothing from running together.

    They gain where what they touch exceeds the cache. Where it does not whole arrays are as quick: a tile is a thread's share.
    """
    made, multiplied, work = 1, 1, 0
    for i in rows:
        row = program.rows[i - program.first]
        if is_view(row):
            continue
        read = max([program.spec(j).nbytes for j in row.parents if length in program.spec(j).shape], default=1)
        if row.function is np.matmul:
            multiplied = max(multiplied, read)
        else:
            made = max(made, read, row.out.nbytes if length in row.out.shape else 1)
            work += max(row.out.size, read // row.out.dtype.itemsize)
    single = sum(not is_view(program.rows[i - program.first]) for i in rows) == 1
    if not single and _touched(program, rows, roles, length) >= CACHE:
        tile = min(length * TILE // made, length * PANEL // multiplied)
    elif threads > 1 and multiplied == 1 and work >= WORTH_THREADS:
        tile = -(-length // threads)
    else:
        return None
    return max(1, tile) if tile < length else None


def _touched(program: Program, rows: tuple[int, ...], roles: dict[int, str], length: int) -> int:
    """Bytes of the long arrays that rows read from outside, and at most hold at one time of their own."""
    last = {j: i for i in rows for j in program.rows[i - program.first].parents}
    outside = sum(program.spec(j).nbytes for j in last if j not in roles and length in program.spec(j).shape)
    held = most = 0
    ending: dict[int, int] = {}
    for i in rows:
        row = program.rows[i - program.first]
        if roles[i] == "tiled" and not is_view(row):
            held += row.out.nbytes
            ending[last.get(i, -1)] = ending.get(last.get(i, -1), 0) + row.out.nbytes
        held -= ending.pop(i, 0)  # a row may write over what ends with it
        most = max(most, held)
    return outside + most
