"""The source of a supernode: a function that runs its rows on some of its tiles, and the call that runs it on all of them."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuad.planning import functions, supernodes
from gpuad.planning.arena import ALIGNMENT, Arena, placed
from gpuad.planning.program import Row, Var, is_var
from gpuad.planning.storage import is_elementwise, is_view, overwritable
from gpuad.planning.supernodes import Supernode
from gpuad.planning.threads import run_all

if TYPE_CHECKING:
    from gpuad.planning.host import Schedule


class Tiles:
    """One supernode in the source of a schedule.

    ``lines`` define its function, ``calls`` run it and join the partial results; ``make`` gives the arrays that they name: tiles
    of buffers and captured arrays, scratch memory of each thread for values that stay inside, and places for partial results.
    """

    def __init__(self, schedule: Schedule, node: Supernode):
        self.schedule, self.node = schedule, node
        self.label = node.rows[0]
        program = schedule.program
        self.rows = [(i, program.rows[i - program.first]) for i in node.rows]
        self.n = len(node.bounds)
        products = any(row.function is np.matmul for _, row in self.rows)  # BLAS has threads of its own
        work = sum(program.spec(i).size for i in node.rows)
        self.threads = 1 if products or work < supernodes.WORTH_THREADS else min(schedule.threads, self.n)
        self._static: dict[str, tuple[Any, int]] = {}  # name of a list of tiles -> (variable or constant, axis)
        self._runtime: dict[str, str] = {}  # name of a tile -> the slice that gives it
        self._arguments: list[str] = []
        self._scratch: dict[int, tuple[int, tuple[int, ...], np.dtype]] = {}
        self._partial: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self._place_scratch()
        before = dict(schedule._local)
        body = self._body()
        schedule._local.clear()
        schedule._local.update(before)
        head = [f"lo, hi = bounds{self.label}[k]", *(f"{name} = {text}" for name, text in self._runtime.items())]
        self._arguments = list(dict.fromkeys(self._arguments))
        self.lines = [f"def node{self.label}({', '.join(['ks', 's', *self._arguments])}):", "    for k in ks:",
                      *(f"        {line}" for line in (*head, *body))]
        self.calls = [*self._call(), *self._join(), *self._views()]

    # ---- memory of the values that stay inside

    def _place_scratch(self) -> None:
        """Offsets by liveness among the rows of the supernode; an elementwise row may write over an operand that dies there."""
        arena, tile = Arena(), self.node.tile
        place: dict[int, tuple[int, int]] = {}
        last = {j: at for at, (_, row) in enumerate(self.rows) for j in self._roots(row)}
        for at, (i, row) in enumerate(self.rows):
            if i in self.schedule.hidden and not is_view(row):
                over = next((j for j in overwritable(row) if j in place and last.get(j) == at and
                             self.schedule.program.spec(j)[:2] == row.out[:2] and self._direct(row, j)), None)
                shape = (tile, *row.out.shape[1:])
                place[i] = place.pop(over) if over is not None else arena.take(int(np.prod(shape)) * row.out.dtype.itemsize)
                self._scratch[i] = (place[i][0], shape[1:], row.out.dtype)
            for j in [j for j in place if last.get(j, at) <= at]:
                arena.free(*place.pop(j))
        self._scratch_size = arena.size

    def _roots(self, row: Row) -> set[int]:
        """The variables whose memory a row reads: through views, those that are viewed."""
        found, inside = set(), dict(self.rows)
        for j in row.parents:
            while j in inside and is_view(inside[j]):
                j = inside[j].args[0].index
            found.add(j)
        return found

    def _direct(self, row: Row, j: int) -> bool:
        """Whether a row reads the memory of j only as j itself, and not through a view of it."""
        inside = dict(self.rows)
        return all(p == j or self._root(inside, p) != j for p in row.parents)

    @staticmethod
    def _root(inside: dict[int, Row], j: int) -> int:
        while j in inside and is_view(inside[j]):
            j = inside[j].args[0].index
        return j

    # ---- the source

    def _body(self) -> list[str]:
        lines, local = [], self.schedule._local
        for i, row in self.rows:
            role = self.node.roles[i]
            outside = {j: local.get(j) for j in row.parents if j not in self.node.roles}
            for j in outside:
                local[j] = self._operand(j, row)
            args = [self._argument(a, row) for a in row.args]
            if is_view(row):
                name = f"t{i}"
                lines.append(f"{name} = {self._view(row, args)}")
            elif role == "partial":
                lines.append(self._partial_line(i, row, args))
                name = ""
            else:
                name = self._target(i)
                lines += self.schedule.guarded(row, self.schedule.into(row, name, args))
            for j, old in outside.items():
                if old is None:
                    del local[j]
            local[i] = name
        return lines

    def _target(self, i: int) -> str:
        """Where a row writes its tile."""
        if i in self._scratch:
            return f"s[{list(self._scratch).index(i)}][k]"
        kind = self.schedule.storage.kind[i]
        if kind == "result":
            name = f"r{self.schedule.storage.result[i]}"
            self._arguments.append(name)
            self._runtime[f"{name}_"] = f"{name}[lo:hi]"
            return f"{name}_"
        self._static[f"b{i}_{self.label}"] = (i, 0)
        return f"b{i}_{self.label}[k]"

    def _operand(self, j: int, row: Row) -> str:
        """A variable from outside as a row reads it in one tile: its slice, or the whole."""
        spec, s = self.schedule.program.spec(j), self.schedule.storage
        name = self.schedule.name(j)
        axis = self._cut(spec.shape, row, Var(j))
        if not (s.static[j] or s.kind[j] in ("buffer", "captured")):
            self._arguments.append(name)
        if axis is None:
            return name
        if s.static[j] or s.kind[j] in ("buffer", "captured"):
            self._static[f"{name}_{self.label}" + "T" * axis] = (j, axis)
            return f"{name}_{self.label}{'T' * axis}[k]"
        tile = f"{name}_" + "T" * axis
        self._runtime[tile] = f"{name}[lo:hi]" if axis == 0 else f"{name}[:, lo:hi]"
        return tile

    def _cut(self, shape: tuple[int, ...], row: Row, x: Any) -> int | None:
        """The axis along which a row's operand from outside is cut; None where it is read whole."""
        length = self.node.length
        if row.function is np.matmul:
            first = is_var(row.args[0], x.index) if type(x) is Var else row.args[0] is x
            if self.node.roles[next(i for i, r in self.rows if r is row)] == "tiled":
                return 0 if first else None
            return 1 if first and len(shape) == 2 else 0
        if is_elementwise(row):
            return 0 if len(shape) == len(row.out.shape) and shape[0] == length else None
        return 0

    def _argument(self, a: Any, row: Row) -> str:
        if isinstance(a, np.ndarray) and a.ndim and (axis := self._cut(a.shape, row, a)) is not None:
            name = f"{self.schedule.names.constant(a)}_{self.label}" + "T" * axis
            self._static[name] = (a, axis)
            return f"{name}[k]"
        return self.schedule.operand(a, row)

    def _view(self, row: Row, args: list[str]) -> str:
        f, x, shape = row.function, args[0], row.out.shape
        if f is functions.transpose:
            return f"{x}.T" if row.args[1] == (1, 0) else f"{x}.transpose({row.args[1]})"
        if f is functions.reshape:
            return f"{x}.reshape({(-1, *shape[1:])})"
        if f is functions.broadcast:
            return f"{self.schedule.names.function(np.broadcast_to)}({x}, (hi - lo, {', '.join(map(str, shape[1:]))}))"
        if f is functions.getitem:
            return f"{x}[{args[1]}]"
        return f"{self.schedule.names.function(f)}({x})"

    def _partial_line(self, i: int, row: Row, args: list[str]) -> str:
        name = f"p{i}"
        self._partial[name] = (row.out.shape, row.out.dtype)
        if row.function is np.matmul:
            dot = self.schedule.names.function(np.dot)
            return f"{dot}({args[0]}, {args[1]}, {name}[k])" if row.out.shape else f"{name}[k] = {dot}({args[0]}, {args[1]})"
        ufunc, axes, keepdims = row.args[1:]
        reduce = self.schedule.names.function(ufunc.reduce, ufunc.__name__ + "_reduce")
        whole = len(axes) == len(self.schedule._shape(row.args[0]))
        if not row.out.shape:
            return f"{name}[k] = {reduce}({args[0]}, None)"
        return f"{reduce}({args[0]}, {None if whole else axes}, None, {name}[k], {keepdims})"

    def _join(self) -> list[str]:
        """The partial results of all tiles, joined."""
        lines = []
        for i, row in self.rows:
            if self.node.roles[i] != "partial":
                continue
            ufunc = np.add if row.function is np.matmul else row.args[1]
            reduce = self.schedule.names.function(ufunc.reduce, ufunc.__name__ + "_reduce")
            target = self.schedule.name(i)
            lines.append(f"{target} = {reduce}(p{i})" if self.schedule.storage.kind[i] == "object" else
                         f"{reduce}(p{i}, 0, None, {target})")
        return lines

    def _views(self) -> list[str]:
        """Views that rows behind the supernode read too."""
        return [line for i, row in self.rows if is_view(row) and i not in self.schedule.hidden for line in self.schedule.row(i)]

    def _call(self) -> list[str]:
        rest = "".join(f", {a}" for a in self._arguments)
        if self.threads == 1:
            return [f"node{self.label}(range({self.n}), s{self.label}[0]{rest})"]
        bind, run = self.schedule.names.function(partial), self.schedule.names.function(run_all)
        tasks = ", ".join(f"{bind}(node{self.label}, range({t}, {self.n}, {self.threads}), s{self.label}[{t}]{rest})"
                          for t in range(self.threads))
        return [f"{run}(({tasks}))"]

    # ---- the arrays that it names

    def make(self, values: dict[int, Any]) -> dict[str, Any]:
        """What the function names, over the buffers ``values`` of one runner."""
        bounds, label = self.node.bounds, self.label
        space: dict[str, Any] = {f"bounds{label}": bounds}
        for name, (source, axis) in self._static.items():
            array = source if isinstance(source, np.ndarray) else values[source]
            space[name] = [array[lo:hi] if axis == 0 else array[:, lo:hi] for lo, hi in bounds]
        for name, (shape, dtype) in self._partial.items():
            space[name] = np.empty((self.n, *shape), dtype)
        space[f"s{label}"] = [self._scratch_tiles() for _ in range(self.threads)]
        return space

    def _scratch_tiles(self) -> list[list[np.ndarray]]:
        raw = np.empty(self._scratch_size + ALIGNMENT, np.uint8)
        memory = raw[-raw.ctypes.data % ALIGNMENT:]
        made: dict[Any, list[np.ndarray]] = {}  # NumPy asks whether two objects overlap, but not of one
        for place in self._scratch.values():
            if place not in made:
                offset, shape, dtype = place
                made[place] = [placed(memory, offset, (hi - lo, *shape), dtype) for lo, hi in self.node.bounds]
        return [made[place] for place in self._scratch.values()]

    @property
    def scratch_bytes(self) -> int:
        """Bytes of scratch memory, for all threads, and of partial results."""
        parts = sum(self.n * int(np.prod(shape)) * dtype.itemsize for shape, dtype in self._partial.values())
        return self.threads * self._scratch_size + parts
