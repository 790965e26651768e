"""How the kernel of a block reads and writes entries: registers of the task, shared memory, scratch, and arrays outside."""
from __future__ import annotations

from typing import Any

from gpuad.planning.device.addresses import Place
from gpuad.planning.device.block import Block, Task, partial
from gpuad.planning.device.dtypes import ctype, load, store
from gpuad.planning.device.text import Reduction
from gpuad.planning.program import Row, Var

Lines = list[str]


class Memory:
    """Texts of accesses. ``parameters`` collects the kernel's: name -> (declaration, argument)."""

    def __init__(self, block: Block):
        self.block, self.program = block, block.program
        self.parameters: dict[str, tuple[str, Any]] = {}

    def row(self, i: int) -> Row:
        """The row of a variable."""
        return self.program.rows[i - self.program.first]

    def declared(self) -> Lines:
        """Pointers into shared memory."""
        found = []
        for v, at in sorted(self.block.shared.items(), key=lambda item: item[1]):
            kind = Reduction(self.program, partial(v)).type if v < 0 else ctype(self.program.spec(v).dtype)
            found.append(f"{kind}* const {_name(v)} = reinterpret_cast<{kind}*>(shared + {at});")
        return found

    def pointer(self, v: int, kind: str) -> str:
        """The pointer to what a task computes for others, or to an array outside."""
        block = self.block
        if v in block.shared:
            return _name(v)
        if v in block.scratch:
            return self._parameter(_name(v), kind, ("scratch", block.scratch[v]))
        return self.outside(v)

    def outside(self, v: int) -> str:
        """The pointer to an array outside that is read."""
        return self._parameter(f"a{v}", f"const {ctype(self.program.spec(v).dtype)}", Var(v))

    def _parameter(self, name: str, kind: str, argument: Any) -> str:
        self.parameters[name] = f"{kind}* {name}", argument
        return name

    def read(self, place: Place, at: str) -> str:
        """The entry at an offset."""
        whole = ctype(self.program.spec(place.root).dtype)
        pointer, kind = self.pointer(place.root, whole), ctype(place.dtype)
        if kind != whole:  # a part of complex numbers
            pointer = f"reinterpret_cast<const {kind}*>({pointer})"
        return load(place.dtype, f"{pointer} + {at}")

    def operand(self, x: Any, i: int, task: Task) -> str:
        """An operand of an elementwise row at entry e: a register, a read, or nothing for constants."""
        if type(x) is not Var:
            return ""
        place = self.block.place(x, self.row(i).out.shape)
        if self.block.of.get(place.root) is task and self.block.is_aligned(x, self.row(i)):
            return f"x{place.root}"
        return self.read(place, place.at())

    def kept(self, i: int) -> Lines:
        """The statements that store entry e of a row where others read it."""
        found, dtype = [], self.program.spec(i).dtype
        if i in self.block.shared or i in self.block.scratch:
            found.append(store(dtype, f"{self.pointer(i, ctype(dtype))} + e", f"x{i}") + ";")
        if i in self.block.writes:
            name = self._parameter(f"o{i}", ctype(dtype), Var(i))
            found.append(store(dtype, f"{name} + {self.block.written(i).at()}", f"x{i}") + ";")
        return found


def _name(v: int) -> str:
    return f"s{v}" if v >= 0 else f"p{partial(v)}"
