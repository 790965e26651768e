"""Where each variable of a program lies on the host: in an argument, a buffer, a result, a view of one of them, or a local name.

Buffers get their places in an arena by liveness: from the row that writes one to the last row that reads it or a view of it.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.arena import Arena
from gpuad.planning.program import Program, Row, Var, variables
from linalg.arrays import Array, Shape, is_basic, is_cupy

WITH_OUT = {np.einsum, np.cumsum, np.cumprod, np.round, np.around, np.argmax, np.argmin, np.sum, np.prod, np.mean, np.max, np.min,
            np.amax, np.amin, np.var, np.std, np.trace, np.clip, np.any, np.all, np.linalg.multi_dot}
"""NumPy's functions, beside ufuncs, that write into ``out=``."""

OWN_OUT = {functions.reduce, functions.select, functions.cast, functions.scatter_add, functions.scatter_sum, functions.assigned,
           np.concatenate}
"""Functions that the schedule knows how to write into a buffer."""


def is_elementwise(row: Row) -> bool:
    """Whether a row acts entry by entry, with broadcasting, and gives one array."""
    f = row.function
    return (isinstance(f, np.ufunc) and f.signature is None and f.nout == 1) or f is functions.select or f is functions.cast


def is_view(row: Row) -> bool:
    """Whether a row's result shares memory with its first argument, where the layout allows."""
    if type(row.args[0] if row.args else None) is not Var:
        return False
    return row.function in functions.VIEWS or (row.function is functions.getitem and is_basic(row.args[1])
                                               and not any(True for _ in variables(row.args[1])))


def writes_out(row: Row) -> bool:
    """Whether a row can write its result into an array that it is given."""
    if row.out.kind != "array" or row.ordered:
        return False
    f = row.function
    return is_elementwise(row) or f is np.matmul or f in OWN_OUT or f in WITH_OUT or (
        f is functions.convert and row.args[1] is np.asarray)


@dataclass
class Storage:
    """The places of all variables of a program.

    ``kind[i]`` is input, captured, buffer, result, object (a local name) or view; ``root[i]`` the variable in whose memory i
    lies; ``static[i]`` whether that memory is the same at every run, so that views of it are made once.
    """

    kind: list[str]
    root: list[int]
    static: list[bool]
    last: list[int]
    """The position of the last row that reads a variable or a view of it; ``len(rows)`` where it is an output."""
    result: dict[int, int] = field(default_factory=dict)
    """Variables that are computed in the memory of a result: variable -> number of the output."""
    donated: dict[int, int] = field(default_factory=dict)
    """Outputs that lie in the memory of an argument: number of the output -> number of the input."""
    offset: dict[int, int] = field(default_factory=dict)
    size: int = 0
    fixed: bool = False
    """Whether inputs and results lie at fixed places too, and every array that a row makes (on the device)."""
    apart: frozenset[int] = frozenset()
    """Rows that may not write over what they read, since they read it more than once."""


def assign(program: Program, positions: dict[int, int] | None = None, hidden: frozenset[int] = frozenset(),
           donated: Sequence[int] = (), fixed: bool = False, apart: frozenset[int] = frozenset()) -> Storage:
    """The storage of a program whose rows run in order, or at the given ``positions`` (several rows may share one: a supernode).

    ``hidden`` variables live inside a supernode only and get no memory here. ``donated`` inputs may be written over. ``fixed``
    and ``apart`` as in :class:`Storage`.
    """
    n = program.n_variables
    position = positions or {i: k for k, (i, _) in enumerate(program.numbered())}
    s = Storage(["input"] * len(program.inputs) + ["captured"] * len(program.captured), list(range(program.first)),
                [fixed] * len(program.inputs) + [True] * len(program.captured), [-1] * n, fixed=fixed, apart=apart)
    models: dict[int, np.ndarray] = dict(enumerate(map(_model_of, program.captured), len(program.inputs)))
    if fixed:
        models |= {i: _model(spec.shape, spec.dtype) for i, spec in enumerate(program.inputs) if spec.kind == "array"}
    outputs = [v.index if type(v) is Var else None for v in program.outputs]
    taken: dict[int, int] = {}
    for k, i in enumerate(outputs):
        if i is not None and i >= program.first:
            taken.setdefault(i, k)
    keeps: dict[int, list[int]] = {}  # an object may share memory with what it was made of
    for i, row in program.numbered():
        kind = _kind(row, s, models)
        root = i
        if kind == "view":
            root = s.root[row.args[0].index]
        elif kind == "buffer" and i in taken and i not in hidden:
            kind = "result"
            s.result[i] = taken[i]
        elif kind == "object" and row.out.kind in ("array", "tuple", "object"):
            keeps[i] = [s.root[j] for j in row.parents]
        s.kind.append(kind)
        s.root.append(root)
        is_own = kind == "buffer" or (kind == "result" and fixed)
        s.static.append(is_own or (kind == "view" and s.static[root]))
        if is_own:
            models[i] = _model(row.out.shape, row.out.dtype)
        elif kind == "view" and s.static[root]:
            models[i] = row.function(models[row.args[0].index], *row.args[1:])
    _last_uses(program, s, position, keeps)
    _donate(program, s, position, donated)
    _reach_back(program, s, position, hidden)
    _place(program, s, position, hidden)
    return s


def _kind(row: Row, s: Storage, models: dict[int, np.ndarray]) -> str:
    if is_view(row):
        source = row.args[0].index
        if row.function is functions.reshape and s.static[source] and not models[source].flags.c_contiguous:
            return "buffer"  # a copy in another order
        return "view" if row.out.kind == "array" else "object"
    return "buffer" if writes_out(row) or (s.fixed and row.out.kind == "array") else "object"


def _model(shape: Shape, dtype: Any) -> np.ndarray:
    """An array with the strides of a buffer and no memory: it is never read."""
    entry = np.empty(1, dtype)
    strides, step = [], entry.itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return np.lib.stride_tricks.as_strided(entry, shape, strides[::-1])


def _model_of(x: Array) -> np.ndarray:
    """A captured array, or for one of the device an array of its shape and strides without memory."""
    return np.lib.stride_tricks.as_strided(np.empty(1, x.dtype), x.shape, x.strides) if is_cupy(x) else x


def _last_uses(program: Program, s: Storage, position: dict[int, int], keeps: dict[int, list[int]]) -> None:
    last = s.last
    end = len(program.rows)
    for i, row in program.numbered():
        for j in row.parents:
            last[s.root[j]] = max(last[s.root[j]], position[i])
        last[i] = max(last[i], position[i])
    for v in variables(program.outputs):
        last[s.root[v.index]] = end
    for i in reversed(keeps):
        for j in keeps[i]:
            last[j] = max(last[j], last[i])


def _donate(program: Program, s: Storage, position: dict[int, int], donated: Sequence[int]) -> None:
    """Give each donated input to the first output of its shape and dtype.

    The output is computed there if by then nothing reads the input any more (an elementwise row may read it entry by entry while
    it writes); else it is computed in a buffer and copied at the end, or on the device, where results alternate between two
    places, it lies elsewhere.
    """
    free = [k for k, v in enumerate(program.outputs) if type(v) is Var and program.spec(v.index).kind == "array"]
    for d in donated:
        k = next((k for k in free if program.spec(program.outputs[k].index)[:2] == program.inputs[d][:2]), None)
        if k is None or s.last[d] == len(program.rows):  # an output itself
            continue
        free.remove(k)
        i = program.outputs[k].index
        in_place = s.result.get(i) == k and _is_done_with(program, s, d, i, position)
        if s.fixed and not in_place:
            continue
        s.donated[k] = d
        if s.result.get(i) == k and not in_place:
            del s.result[i]
            s.kind[i] = "buffer"


def _reach_back(program: Program, s: Storage, position: dict[int, int], hidden: frozenset[int]) -> None:
    """Give the memory of a result also to the operand over which its row can write, and so on: one buffer less for each."""
    together = _at(position)
    viewed = {r for i, r in enumerate(s.root) if r != i}
    for i, k in list(s.result.items()):
        while k not in s.donated:
            row, at = program.rows[i - program.first], position[i]
            fitting = [j for j in _overwritable(s, i, row)
                       if s.kind[j] == "buffer" and s.last[j] == at and j not in viewed | hidden
                       and program.spec(j)[:2] == row.out[:2] and _only_reader(program, s, j, i, together[at])]
            if not fitting:
                break
            i = fitting[0]
            s.kind[i], s.static[i], s.result[i] = "result", s.fixed, k


def _is_done_with(program: Program, s: Storage, d: int, i: int, position: dict[int, int]) -> bool:
    """Whether row i may write over input d: nothing reads it later, nor at the same time but row i itself, entry by entry."""
    if s.last[d] != position[i]:
        return s.last[d] < position[i]
    together = [k for k in _at(position)[position[i]] if any(s.root[j] == d for j in program.rows[k - program.first].parents)]
    rows = [(k, program.rows[k - program.first]) for k in together]
    return max(together) <= i and s.apart.isdisjoint(together) and all(
        _reads_entries(program, s, d, k) and (k < i or d in _overwritable(s, k, row)) for k, row in rows)


def _reads_entries(program: Program, s: Storage, d: int, k: int) -> bool:
    """Whether row k reads the memory of d entry by entry: then in a tile it reads the entries of that tile."""
    row = program.rows[k - program.first]
    return is_elementwise(row) and row.out.shape == program.spec(d).shape and all(j == d for j in row.parents if s.root[j] == d)


def _at(position: dict[int, int]) -> dict[int, list[int]]:
    """The rows of each position: one, or those of a supernode."""
    found: dict[int, list[int]] = {}
    for i, at in position.items():
        found.setdefault(at, []).append(i)
    return found


def _only_reader(program: Program, s: Storage, j: int, i: int, together: list[int]) -> bool:
    """Whether of the rows that run together only row i reads the memory of j, and that as j itself, not through a view."""
    for k in together:
        row = program.rows[k - program.first]
        if any(s.root[p] == j and (k != i or p != j) for p in row.parents):
            return False
    return True


def _overwritable(s: Storage, i: int, row: Row) -> list[int]:
    """The variables that row i may write over."""
    return [] if i in s.apart else overwritable(row)


def overwritable(row: Row) -> list[int]:
    """The variables that an elementwise row (or an assignment) may write over, entry by entry, while it reads them.

    ``select`` writes its last operand first, so it can write over that alone.
    """
    if row.function is functions.assigned and type(row.args[0]) is Var and row.args[0] not in [*variables(row.args[1:])]:
        return [row.args[0].index]  # the entries that are not written stay as they are
    if not is_elementwise(row):
        return []
    operands = [v.index for v in (row.args[2:] if row.function is functions.select else row.args) if type(v) is Var]
    elsewhere = {v.index for v in variables(row.args[:2])} if row.function is functions.select else set()
    return [j for j in operands if j not in elsewhere]


def _place(program: Program, s: Storage, position: dict[int, int], hidden: frozenset[int]) -> None:
    """Places in the arena, rows in the order of their positions; an elementwise row may write over an operand that dies there."""
    arena = Arena()
    place: dict[int, tuple[int, int]] = {}
    ending: dict[int, list[int]] = {}
    order = sorted((position[i], i) for i, _ in program.numbered())
    together = _at(position)
    for k, (at, i) in enumerate(order):
        if s.kind[i] == "buffer" and i not in hidden:
            over = _overwritten(program, s, i, at, together[at], place)
            if over is not None:
                place[i] = place.pop(over)
            else:
                place[i] = arena.take(program.spec(i).nbytes)
            s.offset[i] = place[i][0]
            ending.setdefault(s.last[i], []).append(i)
        if k + 1 == len(order) or order[k + 1][0] != at:
            for j in ending.pop(at, ()):
                if j in place:
                    arena.free(*place.pop(j))
    s.size = arena.size


def _overwritten(program: Program, s: Storage, i: int, at: int, together: list[int],
                 place: dict[int, tuple[int, int]]) -> int | None:
    """An operand, a buffer of the row's own shape and dtype, which nothing else reads then or later."""
    row = program.rows[i - program.first]
    for j in _overwritable(s, i, row):
        if s.kind[j] == "buffer" and j in place and s.last[j] == at and program.spec(j)[:2] == row.out[:2] \
                and _only_reader(program, s, j, i, together):
            return j
    return None
