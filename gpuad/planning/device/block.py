"""The rows of a small program as work for one block of threads: tasks, each a loop, in phases that barriers separate.

A task goes over the entries of one size. It starts with a reduction or a product, or with none, and every row that needs only
entries at the same flat index joins it: those values stay in registers. A task runs in the first phase in which everything that
other tasks compute for it is there, beside the other tasks of its phase. Where few entries are reduced over many, the work of
one entry is spread over lanes, and beyond a warp over chunks whose results the next phase joins: always in the same order.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.arena import Arena
from gpuad.planning.device.addresses import Addresses, Place, place_of
from gpuad.planning.device.places import shape_of, sources
from gpuad.planning.program import Program, Row, Var, variables
from gpuad.planning.storage import is_view

ALIGNMENT = 256
SHARED = 160 << 10
"""Bytes of shared memory that a block may take (Hopper has 227 KiB)."""
WARP = 32
LONG = 16
"""Entries that one lane reduces without help."""

MOVES = {functions.scatter_add, functions.scatter_sum, functions.assigned, np.concatenate, np.cumsum, np.cumprod, np.argmax,
         np.argmin}


@dataclass
class Task:
    """A loop over ``n`` entries. ``lanes`` threads share one; ``chunks`` partial results of each are left for the next phase.

    ``tile`` (rows, columns) of a product's entries are computed by one thread.
    """

    n: int
    head: int | None
    rows: list[int] = field(default_factory=list)
    phase: int = 0
    lanes: int = 1
    chunks: int = 1
    tile: tuple[int, int] = (1, 1)
    joins: bool = False  # the chunks of a head in the phase before

    @property
    def threads(self) -> int:
        """How many threads have something to do."""
        return self.n * self.lanes * self.chunks // math.prod(self.tile)


class Block:
    """Rows of a program, arranged. ``threads`` is the size of the block, ``place`` says where operands lie.

    ``tasks`` are in an order in which they could run one by one. ``copied`` are arrays from outside that are read into shared
    memory first. ``shared`` and ``scratch`` say where the variables lie that other tasks read: byte offsets.
    """

    def __init__(self, program: Program, rows: Sequence[int], writes: Sequence[int],
                 strides: Callable[[int], tuple[int, ...] | None] = lambda _: None):
        self.program, self.writes, self._strides = program, tuple(writes), strides
        rows = [i for i in rows if not is_view(self._row(i))]
        self.tasks: list[Task] = []
        self.of: dict[int, Task] = {}  # variable -> the task that computes it
        self._kept: set[int] = set()  # read from memory
        inside = set(rows)
        self.outside = Addresses(program, inside, strides, inside.add)  # where arrays outside lie
        self.copied = self._worth_copying(rows)
        self.inside = set(rows)
        self.addresses = Addresses(program, self.inside, lambda v: None if v in self.copied else strides(v), self.inside.add)
        for i in rows:
            for j in self._row(i).parents:
                self.addresses.place(j)  # views that need a copy are now inside
        for v in self.copied:
            self._new_task(Task(program.spec(v).size, None, [v]), v)
        for i in sorted(self.inside):
            self._add(i)
        self.threads = self._size()
        for task in list(self.tasks):
            if task.head is not None:
                self._spread(task)
        self._delay()
        self.n_phases = max((t.phase for t in self.tasks), default=0) + 1
        self._memory()

    def _row(self, i: int) -> Row:
        return self.program.rows[i - self.program.first]

    # ---- tasks

    def _worth_copying(self, rows: Sequence[int]) -> list[int]:
        """The arrays from outside that go to shared memory first: those that are not read just once, in the first phase."""
        inside, count = set(rows), dict[int, int]()
        for i in rows:
            row = self._row(i)
            roots = [self.outside.place(j).root for j in row.parents]
            late = is_head(row) or any(root in inside for root in roots)
            for root in roots:
                if root not in inside:
                    count[root] = count.get(root, 0) + (2 if late else 1)
        found, total = [], 0
        for v, n in sorted(count.items()):
            if n > 1 and total + self.program.spec(v).nbytes <= SHARED // 3:
                found.append(v)
                total += self.program.spec(v).nbytes
        return found

    def written(self, i: int) -> Place:
        """Where a variable lies that is stored for others than the block."""
        return place_of(i, self.program.spec(i), self._strides(i))

    def place(self, x: Var, shape: Sequence[int] | None = None) -> Place:
        """Where an operand lies, as operand of a call with a result of this shape."""
        place = self.addresses.place(x.index)
        return place if shape is None else place.broadcast(tuple(shape))

    def _new_task(self, task: Task, *made: int) -> None:
        self.tasks.append(task)
        self.of.update(dict.fromkeys(made, task))

    def _add(self, i: int) -> None:
        row = self._row(i)
        read = [(self.place(x), is_aligned) for x, is_aligned in self._reads(i, row)]
        if is_head(row):
            self._keep(read, None)
            self._new_task(Task(row.out.size, i, [i], self._ready(read, None)), i)
            return
        candidates = {id(t): t for p, is_aligned in read if is_aligned and (t := self.of.get(p.root)) is not None
                      and t.n == row.out.size}
        for task in sorted(candidates.values(), key=lambda t: -t.phase):
            if self._ready(read, task) <= task.phase:
                self._keep(read, task)
                task.rows.append(i)
                self.of[i] = task
                return
        self._keep(read, None)
        self._new_task(Task(row.out.size, None, [i], self._ready(read, None)), i)

    def _reads(self, i: int, row: Row) -> list[tuple[Var, bool]]:
        """(operand, whether the row reads it at its own flat index)."""
        if i in self.inside and is_view(row):
            x = row.args[0]
            return [(x, self.place(x).is_flat)]
        if is_head(row) or moves(row):
            return [(x, False) for x in variables((row.args, row.kwargs))]
        return [(x, self.is_aligned(x, row)) for x in sources(row) if type(x) is Var]

    def is_aligned(self, x: Var, row: Row) -> bool:
        """Whether a row reads an operand at its own flat index: all of it."""
        place = self.place(x, row.out.shape)
        whole = self.program.spec(place.root)
        return place.is_flat and place.dtype == whole.dtype and whole.size == row.out.size

    def _ready(self, read: Sequence[tuple[Place, bool]], task: Task | None) -> int:
        """The first phase in which a row could run in a task (None: in a new one)."""
        phases = [0]
        for place, is_aligned in read:
            made = self.of.get(place.root)
            if made is not None and not (made is task and is_aligned):
                phases.append(made.phase + 1)
        return max(phases)

    def _keep(self, read: Sequence[tuple[Place, bool]], task: Task | None) -> None:
        self._kept.update(p.root for p, is_aligned in read
                          if p.root in self.of and not (self.of[p.root] is task and is_aligned))

    # ---- threads

    def _size(self) -> int:
        """Threads of the block: a power of two."""
        most = max(t.n if t.head is None else t.n * min(self._length(t.head) // 8 or 1, WARP) for t in self.tasks)
        return min(1024, max(128, 1 << (most - 1).bit_length()))

    def _length(self, head: int) -> int:
        return reduced_length(self.program, self._row(head))

    def _spread(self, task: Task) -> None:
        """Choose lanes, chunks and tiles of a task that reduces."""
        n, length = task.n, self._length(task.head)  # type: ignore[arg-type]
        while task.lanes < WARP and 2 * task.lanes * n <= self.threads and 2 * task.lanes <= length:
            task.lanes *= 2
        while 2 * task.chunks * WARP * n <= self.threads and task.lanes == WARP \
                and length // (task.lanes * task.chunks) > LONG and task.chunks < WARP:
            task.chunks *= 2
        if task.chunks > 1:
            self._join_chunks(task)
        elif task.lanes == 1:
            task.tile = self._tile(self._row(task.head))  # type: ignore[arg-type]

    def _tile(self, row: Row) -> tuple[int, int]:
        """Rows and columns of a product's entries that one thread computes, so that each operand is read less often."""
        if row.function is not np.matmul or any(len(shape_of(self.program, x)) < 2 for x in row.args):
            return 1, 1
        best = (1, 1)
        for rows, columns in ((2, 1), (2, 2), (4, 2), (4, 4)):
            m, n = row.out.shape[-2:]
            if m % rows == 0 and n % columns == 0 and row.out.size // (rows * columns) >= self.threads:
                best = rows, columns
        return best

    def _join_chunks(self, task: Task) -> None:
        """The rows of a task go to a task of its own, one phase later, which joins the chunks. All that depend on it wait."""
        lanes = min(WARP, task.chunks)
        joining = Task(task.n, task.head, task.rows, task.phase + 1, lanes, 1, (1, 1), True)
        task.rows = []
        self.tasks.append(joining)
        self.of.update(dict.fromkeys(joining.rows, joining))

    def _delay(self) -> None:
        """Let tasks wait for what they read, now that some are two."""
        changed = True
        while changed:
            changed = False
            for task in self.tasks:
                phase = self._earliest(task)
                changed |= phase > task.phase
                task.phase = max(phase, task.phase)

    def _earliest(self, task: Task) -> int:
        phases = [t.phase + 1 for t in self.tasks if task.joins and t.head == task.head and not t.joins]
        for root, _ in self._reads_of(task):
            made = self.of.get(root)
            if made is not None and made is not task:
                phases.append(made.phase + 1)
        return max(phases, default=0)

    def _reads_of(self, task: Task) -> list[tuple[int, bool]]:
        """(variable, whether at the flat index) of all that a task reads: of a head's chunks, only the task before does."""
        rows: list[Any] = task.rows[1:] if task.joins else task.rows or [task.head]
        return [(self.place(x).root, is_aligned) for i in rows if i in self.inside
                for x, is_aligned in self._reads(i, self._row(i))]

    # ---- memory

    def _memory(self) -> None:
        """Places of what other tasks read, by liveness: a place is free again after the phase of its last reader."""
        last: dict[int, int] = {}
        for task in self.tasks:
            for root, _ in self._reads_of(task):
                last[root] = max(last.get(root, 0), task.phase)
        items = [(self.of[v].phase, v, last[v], self.program.spec(v).nbytes) for v in self._kept]
        items += [(t.phase, partial(t.head), self.of[t.head].phase, t.n * t.chunks * 16)  # type: ignore[arg-type, index]
                  for t in self.tasks if t.chunks > 1]
        budget = SHARED
        while not self._fits(sorted(items), budget):
            budget = budget * 3 // 4

    def _fits(self, items: Sequence[tuple[int, int, int, int]], budget: int) -> bool:
        """Places for (first phase, variable, last phase, bytes) with at most ``budget`` bytes live in shared memory at a time."""
        self.shared: dict[int, int] = {}
        self.scratch: dict[int, int] = {}
        arena, self.scratch_size = Arena(), 0
        taken: list[tuple[int, tuple[int, int]]] = []
        for phase, v, end, nbytes in items:
            for old in [x for x in taken if x[0] < phase]:
                arena.free(*old[1])
                taken.remove(old)
            if sum(n for _, (_, n) in taken) + nbytes <= budget:
                taken.append((end, arena.take(nbytes)))
                self.shared[v] = taken[-1][1][0]
            else:
                self.scratch[v] = self.scratch_size
                self.scratch_size += -(-nbytes // ALIGNMENT) * ALIGNMENT
        self.shared_size = arena.size
        return arena.size <= SHARED or budget == 0


def partial(head: int) -> int:
    """What stands for the chunks of a head among the variables, and the head that it stands for."""
    return ~head


def is_head(row: Row) -> bool:
    """Whether a row reduces, and so starts a task."""
    return row.function is functions.reduce or row.function is np.matmul


def moves(row: Row) -> bool:
    """Whether a row moves entries by an index, joins arrays, or runs along an axis: it reads others than its own entry."""
    return row.function in MOVES or (row.function is functions.getitem and not is_view(row))


def reduced_length(program: Program, row: Row) -> int:
    """How many entries a reduction or product joins for one of its results."""
    shape = shape_of(program, row.args[0])
    if row.function is np.matmul:
        return shape[-1]
    return math.prod(shape[a] for a in row.args[2])
