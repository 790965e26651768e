"""The host schedule: a program as one straight-line Python function of NumPy calls, each into memory that is already there.

Its source is the program that one would write by hand; ``Schedule.source`` shows it. Names in it: ``x0`` arguments, ``c3``
captured arrays, ``k0`` constants, ``b7`` buffers, ``v8`` views of them, ``r0`` results, ``t9`` everything else, numbered as
variables are.
"""
from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.arena import ALIGNMENT, placed
from gpuad.planning.program import Program, Row, Var, name_of, variables
from gpuad.planning.results import Results
from gpuad.planning.storage import Storage, assign, is_view
from gpuad.planning.supernodes import Step, Supernode, steps
from gpuad.planning.threads import blas_threads
from gpuad.planning.tiles import Tiles

SYMBOLS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/"}

OF_ONE_DTYPE = {*SYMBOLS, np.maximum, np.minimum, np.fmax, np.fmin, np.less, np.less_equal, np.greater, np.greater_equal,
                np.equal, np.not_equal, np.logaddexp, np.hypot, np.arctan2, np.power, functions.select}
"""Functions whose operands are all taken to one dtype."""

BY_KEYWORD = {np.maximum, np.minimum}
"""Ufuncs that deprecate ``out`` by position, which is the quicker way."""

OUR_NAMES = re.compile(r"[a-z]?\d.*|[a-z]\d*|lo|hi|ks|run|range|slice|node\d+|bounds\d+", re.ASCII)
"""What the source calls its own."""


class Names:
    """The namespace of a schedule's source: functions and constants under their names."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._known: dict[Any, str] = {}
        self._alive: list[Any] = []

    def function(self, f: Callable[..., Any], name: str | None = None) -> str:
        """The name of a function."""
        key = ("f", f) if isinstance(getattr(f, "__self__", None), (np.ufunc, type(None))) else ("f", id(f))
        if key not in self._known:
            base = "".join(c if c.isalnum() else "_" for c in name or name_of(f))
            base = f"f_{base}" if OUR_NAMES.fullmatch(base) else base
            chosen, n = base, 1
            while chosen in self.values:
                chosen, n = f"{base}_{n}", n + 1
            self.values[chosen] = f
            self._known[key] = chosen
            self._alive.append(f)
        return self._known[key]

    def numbers(self) -> list[str]:
        """A line of comment that says which numbers the constants are."""
        known = {name: np.asarray(value) for name, value in self.values.items() if name[0] == "k" and np.ndim(value) == 0}
        known = {name: x for name, x in known.items() if x.dtype.kind in "biufc"}
        said = [f"{name} = {x.item():.6g}" if x.dtype.kind == "f" else f"{name} = {x}" for name, x in known.items()]
        return [f"# {', '.join(said)}"] if said else []

    def constant(self, value: Any) -> str:
        """The name, or the literal, of a constant."""
        if type(value) in (int, bool, type(None), str) or value is Ellipsis:
            return repr(value)
        key: Any = ("k", id(value))
        if isinstance(value, (float, complex, np.generic)) or (isinstance(value, np.ndarray) and value.ndim == 0):
            key = ("k", type(value), getattr(value, "dtype", None), np.asarray(value).tobytes())
        if key not in self._known:
            self._known[key] = f"k{sum(name.startswith('k') for name in self._known.values())}"
            self.values[self._known[key]] = value
            self._alive.append(value)
        return self._known[key]


class Schedule:
    """A program, its storage and its source; ``make`` gives functions that run it, each with memory of its own."""

    def __init__(self, program: Program, donated: Sequence[int] = (), threads: int | None = None):
        self.program, self.donated = program, tuple(donated)
        self.threads = blas_threads() if threads is None else threads
        self.steps: list[Step] = steps(program, self.threads)
        position = {i: at for at, step in enumerate(self.steps) for i in (step.rows if isinstance(step, Supernode) else (step,))}
        nodes = [step for step in self.steps if isinstance(step, Supernode)]
        self.hidden = _hidden(program, nodes)
        self.storage: Storage = assign(program, position, self.hidden, donated)
        self.names = Names()
        self.tiles: list[Tiles] = []
        self._local: dict[int, str] = {}
        lines = self._lines()
        arguments = [f"x{i}" for i in range(len(program.inputs))] + [f"r{k}" for k in sorted(self.result_specs)]
        above = [line for tiles in self.tiles for line in (*tiles.lines, "", "")]
        run = [f"def run({', '.join(arguments)}):", *(f"    {line}" for line in lines), ""]
        self.source = "\n".join(self.names.numbers() + above + run)
        self._code = compile(self.source, f"<plan {id(self):x}>", "exec")
        linecache.cache[self._code.co_filename] = (len(self.source), None, self.source.splitlines(True), self._code.co_filename)

    def __del__(self) -> None:
        if hasattr(self, "_code"):
            linecache.cache.pop(self._code.co_filename, None)

    def make(self) -> Callable[..., Any]:
        """A function of the inputs and the result arrays, with buffers of its own: it gives the outputs that are no arrays."""
        space = dict(self.names.values)
        s, program = self.storage, self.program
        raw = np.empty(s.size + ALIGNMENT, np.uint8)
        memory = raw[-raw.ctypes.data % ALIGNMENT:]
        made: dict[Any, np.ndarray] = {}
        values: dict[int, Any] = dict(enumerate(program.captured, len(program.inputs)))
        for i, array in values.items():
            space[f"c{i}"] = array
        for i, row in program.numbered():
            if i in self.hidden:
                continue
            if s.kind[i] == "buffer":
                key = (s.offset[i], row.out.shape, row.out.dtype)
                if key not in made:  # NumPy asks whether two objects overlap, but not of one
                    made[key] = placed(memory, *key)
                values[i] = space[f"b{i}"] = made[key]
            elif s.kind[i] == "view" and s.static[i]:
                values[i] = space[f"v{i}"] = row.function(values[row.args[0].index], *row.args[1:])
        for tiles in self.tiles:
            space.update(tiles.make(values))
        exec(self._code, space)
        return space["run"]

    # ---- the source

    def _lines(self) -> list[str]:
        lines = []
        for step in self.steps:
            if isinstance(step, Supernode):
                self.tiles.append(Tiles(self, step))
                lines += self.tiles[-1].calls
            else:
                lines += self.row(step)
        return lines + self._outputs()

    def row(self, i: int) -> list[str]:
        """The lines of one row."""
        row = self.program.rows[i - self.program.first]
        return self.guarded(row, self._row(i, row))

    def guarded(self, row: Row, lines: list[str]) -> list[str]:
        """A row's lines, under the errstate that the function had set."""
        if not (row.errors and lines):
            return lines
        state = f"{self.names.function(np.errstate)}(**{self.names.constant(row.errors)})"
        return [f"with {state}:", *("    " + line for line in lines)]

    def _outputs(self) -> list[str]:
        """Copy what does not lie in its result yet; return what is no array."""
        self.result_specs: dict[int, Any] = {}
        lines, others = [], []
        copyto = self.names.function(np.copyto)
        for k, v in enumerate(self.program.outputs):
            if type(v) is Var and (spec := self.program.spec(v.index)).kind == "array":
                self.result_specs[k] = spec
                if self.storage.result.get(v.index) != k:
                    lines.append(f"{copyto}(r{k}, {self.name(v.index)})")
            elif isinstance(v, np.ndarray):
                self.result_specs[k] = v
                lines.append(f"{copyto}(r{k}, {self.names.constant(v)})")
            else:
                others.append(self.argument(v))
        return [*lines, f"return ({''.join(o + ', ' for o in others)})"]

    def name(self, i: int) -> str:
        """The name of a variable in the source."""
        if i in self._local:
            return self._local[i]
        s = self.storage
        kind = s.kind[i]
        if kind == "result":
            return f"r{s.result[i]}"
        if kind == "view":
            return f"v{i}" if s.static[i] else f"t{i}"
        return {"input": "x", "captured": "c", "buffer": "b", "object": "t"}[kind] + str(i)

    def argument(self, tree: Any) -> str:
        """An argument in the source."""
        kind = type(tree)
        if kind is Var:
            return self.name(tree.index)
        if kind is tuple:
            return f"({''.join(self.argument(part) + ', ' for part in tree)})"
        if kind is list:
            return f"[{', '.join(map(self.argument, tree))}]"
        if kind is slice:
            return f"slice({self.argument(tree.start)}, {self.argument(tree.stop)}, {self.argument(tree.step)})"
        return self.names.constant(tree)

    def call(self, f: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        parts = [*map(self.argument, args), *(f"{k}={self.argument(v)}" for k, v in kwargs.items())]
        return f"{f}({', '.join(parts)})"

    def _row(self, i: int, row: Row) -> list[str]:
        kind = self.storage.kind[i]
        if kind == "view":
            return [] if self.storage.static[i] else [f"{self.name(i)} = {self.view(row)}"]
        if kind == "object":
            return [f"{self.name(i)} = {self._value(row)}"]
        return self.into(row, self.name(i), [self.operand(a, row) for a in row.args])

    def view(self, row: Row) -> str:
        x = self.argument(row.args[0])
        if row.function is functions.transpose and row.args[1] == tuple(range(len(row.args[1])))[::-1]:
            return f"{x}.T"
        if row.function in (functions.reshape, functions.transpose):
            return f"{x}.{row.function.__name__}({self.argument(row.args[1])})"
        if row.function is functions.getitem:
            return f"{x}[{self.argument(row.args[1])}]"
        return self.call(self.names.function(row.function), row.args, row.kwargs)

    def _value(self, row: Row) -> str:
        """A call whose result is a new object."""
        f, args = row.function, row.args
        if f is functions.component:
            return f"{self.argument(args[0])}[{args[1]}]"
        if f is functions.reduce and row.out.kind == "scalar":
            return f"{self.names.function(args[1].reduce, args[1].__name__ + '_reduce')}({self.argument(args[0])}, None)"
        if f is np.matmul and row.out.kind == "scalar":
            return self.call(self.names.function(np.dot), args, row.kwargs)
        if f in SYMBOLS and row.out.kind == "scalar" and not row.kwargs and all(map(self._is_scalar, args)):
            return f"{self.argument(args[0])} {SYMBOLS[f]} {self.argument(args[1])}"
        return self.call(self.names.function(f), args, row.kwargs)

    def _is_scalar(self, x: Any) -> bool:
        if type(x) is Var:
            return self.program.spec(x.index).kind == "scalar"
        return isinstance(x, np.generic) or type(x) in (int, float)

    def into(self, row: Row, out: str, args: list[str]) -> list[str]:
        """A call that writes its result into ``out``."""
        f, name = row.function, self.names.function
        if isinstance(f, np.ufunc) and f is not np.matmul:
            rest = "".join(f", {k}={self.argument(v)}" for k, v in row.kwargs.items())
            target = f"out={out}" if f in BY_KEYWORD else out
            return [f"{name(f)}({', '.join(args)}, {target}{rest})"]
        if f is np.matmul:
            return [f"{name(np.dot if self._is_plain_product(row) else np.matmul)}({args[0]}, {args[1]}, {out})"]
        if f is functions.select:
            first = [] if args[2] == out else [f"{name(np.copyto)}({out}, {args[2]})"]
            chosen = self._number(row.args[1], row) is not None or self._is_full(row.args[1], *row.out[:2])
            if chosen and self._is_full(row.args[0], row.out.shape):
                return [*first, f"{name(np.putmask)}({out}, {args[0]}, {args[1]})"]  # half of copyto's time
            return [*first, f"{name(np.copyto)}({out}, {args[1]}, where={args[0]})"]
        if f is functions.cast:
            return [f"{name(np.copyto)}({out}, {args[0]}, casting='unsafe')"]
        if f is functions.convert:
            return [f"{name(np.copyto)}({out}, {args[0]})"]
        if f is functions.reduce:
            ufunc, axes, keepdims = row.args[1:]
            axis = None if len(axes) == len(self._shape(row.args[0])) else axes[0] if len(axes) == 1 else axes
            return [f"{name(ufunc.reduce, ufunc.__name__ + '_reduce')}({args[0]}, {axis}, None, {out}, {keepdims})"]
        if f is functions.reshape:
            return [f"{name(np.copyto)}({out}.reshape({self._shape(row.args[0])}), {args[0]})"]
        if f is functions.scatter_add:
            return [f"{name(functions.scatter_into)}({args[0]}, {args[1]}, {out})"]
        if f is functions.assigned:
            return [f"{name(functions.assign_into)}({', '.join(args)}, {out})"]
        if f is np.concatenate:
            extra = {k: v for k, v in row.kwargs.items() if k != "axis"}
            return [f"{name(f)}({args[0]}, {self.argument(row.kwargs.get('axis', 0))}, {out}"
                    + "".join(f", {k}={self.argument(v)}" for k, v in extra.items()) + ")"]
        return [self.call(name(f), row.args, row.kwargs)[:-1] + f", out={out})"]

    def operand(self, a: Any, row: Row) -> str:
        """An operand in the source: a number that meets arrays of floats as an array of shape (), in half of the call's time."""
        number = self._number(a, row)
        return self.argument(a) if number is None else self.names.constant(number)

    def _number(self, a: Any, row: Row) -> np.ndarray | None:
        """A number in the dtype of the arrays that it meets; None where they do not take it to their own."""
        if row.kwargs or row.function not in OF_ONE_DTYPE or not isinstance(a, (int, float, np.floating)) or isinstance(a, bool):
            return None
        operands = row.args[1:] if row.function is functions.select else row.args
        dtypes = {self._spec(b).dtype for b in operands if type(b) not in (int, float)
                  and not (type(b) is Var and self.program.spec(b.index).kind == "number")} or {row.out.dtype}
        if len(dtypes) != 1 or (dtype := dtypes.pop()).kind != "f" or abs(a) > np.finfo(dtype).max:
            return None
        x = np.array(a, dtype)
        x.flags.writeable = False
        return x

    def _is_full(self, x: Any, shape: tuple[int, ...], dtype: Any = None) -> bool:
        """Whether an operand has a shape, and a dtype if one is given, without broadcasting."""
        return (type(x) is Var or isinstance(x, np.ndarray)) and self._shape(x) == shape and dtype in (None, self._spec(x).dtype)

    def _is_plain_product(self, row: Row) -> bool:
        """Whether ``dot`` can take the place of matmul: matrices and vectors of one dtype."""
        a, b = row.args[:2]
        specs = [self._spec(a), self._spec(b)]
        return not row.kwargs and all(len(x.shape) <= 2 for x in specs) and specs[0].dtype == specs[1].dtype == row.out.dtype

    def _spec(self, x: Any) -> Any:
        return self.program.spec(x.index) if type(x) is Var else x

    def _shape(self, x: Any) -> tuple[int, ...]:
        return tuple(self._spec(x).shape)


def _hidden(program: Program, nodes: Sequence[Supernode]) -> frozenset[int]:
    """Variables that are read only in the supernode that makes them: they need no memory but a tile's."""
    node_of = {i: n for n, node in enumerate(nodes) for i in node.rows}
    seen = {v.index for v in variables(program.outputs)}
    for i, row in program.numbered():
        seen |= {j for j in row.parents if j in node_of and node_of.get(i) != node_of[j]}
    for i, row in reversed(list(program.numbered())):
        if i in seen and is_view(row):
            seen.add(row.args[0].index)  # whose memory it shows
    return frozenset(i for n, node in enumerate(nodes) for i in node.rows if i not in seen and node.roles[i] != "partial")


class Runner:
    """A schedule with memory of its own, and the slots of its results: used by one thread at a time."""

    def __init__(self, schedule: Schedule):
        self.run = schedule.make()
        donated = schedule.storage.donated
        own = {k: spec for k, spec in sorted(schedule.result_specs.items()) if k not in donated}
        self._results = Results(list(own.values()))
        self._donated = [(n, donated[k]) for n, k in enumerate(sorted(schedule.result_specs)) if k in donated]
        self._is_array = [k in schedule.result_specs for k in range(len(schedule.program.outputs))]

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs."""
        results = self._results.take()
        for n, d in self._donated:
            results.insert(n, leaves[d])
        others = self.run(*leaves, *results)
        if not others:
            return results
        arrays, rest = iter(results), iter(others)
        return [next(arrays) if is_array else next(rest) for is_array in self._is_array]


__all__ = ["Runner", "Schedule"]
