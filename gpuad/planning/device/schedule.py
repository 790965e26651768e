"""A planned program on the device: its steps, the places of its variables, and the body that runs it on arrays there."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.costs import Placed, rows_of
from gpuad.planning.device import ordered, small
from gpuad.planning.device.arrangement import arranged
from gpuad.planning.device.calls import call
from gpuad.planning.device.code import Code, Launch, Node
from gpuad.planning.device.lowering import lowered
from gpuad.planning.device.parts import parts
from gpuad.planning.device.products import ProductStep
from gpuad.planning.device.source import code
from gpuad.planning.program import Program, Var, name_of, substitute
from gpuad.planning.storage import Storage, assign, is_view
from linalg.arrays import Array, cupy, is_basic, is_cupy
from linalg.kernels import memory, modules

Body = list[Callable[[], Any]]

class DeviceSchedule:
    """A program and its steps: single rows, products, and nodes, each of which one kernel computes, or a few.

    ``why_no_graph`` says why the program cannot be one CUDA graph, as far as the program tells.
    """

    def __init__(self, program: Program, donated: Sequence[int] = (), deterministic: bool = False):
        self.program, self.donated, self.deterministic = program, tuple(donated), deterministic
        self.parts = parts(lowered(program), upload)
        self.device = self.parts.device
        self.steps = arranged(self.device)
        position = {i: at for at, step in enumerate(self.steps) for i in rows_of(step)}
        self.hidden = frozenset(i for step in self.steps if isinstance(step, (Node, ProductStep))
                                for i in step.rows if i not in step.writes)
        apart = frozenset(i for step in self.steps if isinstance(step, Node) for i in step.rows if i not in step.in_place)
        given = [self.parts.leaves.index(d) for d in self.donated]
        self.storage: Storage = assign(self.device, position, self.hidden, given, fixed=True, apart=apart)
        self.result_specs = {k: self._spec(v) for k, v in enumerate(self.device.outputs)}
        self.has_products = any(isinstance(step, ProductStep) for step in self.steps)
        self.why_no_graph = self._why_no_graph()
        self.codes: dict[Node, Code] = {}

    def _is_view(self, i: int) -> bool:
        return is_view(self.device.rows[i - self.device.first])

    def _spec(self, v: Any) -> Any:
        return self.device.spec(v.index) if type(v) is Var else v

    def _why_no_graph(self) -> str | None:
        """What the program does anew at each run on the host, if anything."""
        numbers = range(len(self.parts.leaves), len(self.device.inputs))
        for step in self.steps:
            if isinstance(step, (Node, ProductStep)) or self._is_view(step):
                continue
            row = self.device.rows[step - self.device.first]
            if row.ordered:
                return f"{name_of(row.function)} draws random numbers, which it does at each run"
            if any(j in numbers for j in row.parents):
                return f"{name_of(row.function)} reads a number of Python's, which the host gives it at each run"
        return None

    @property
    def placed(self) -> Placed:
        """The device's part, as pictures and reports look at it."""
        return SimpleNamespace(program=self.device, storage=self.storage, hidden=self.hidden, steps=self.steps, tiles=())

    @property
    def source(self) -> str:
        """The CUDA C++ of all kernels, in the order of the steps."""
        return "\n".join(dict.fromkeys(made.source for made in self.codes.values()))

    # ---- the body of a runner

    def bind(self, arrays: dict[int, Array], results: dict[int, Array], numbers: Mapping[int, Any], workspace: Any) -> Body:
        """The steps as functions of nothing, on arrays at fixed places.

        ``arrays`` holds those of the inputs, the captured ones and the buffers, and gets those of views; ``numbers`` has the
        values of inputs that are numbers, where a call of CuPy's wants them.
        """
        body: Body = []
        values: dict[int, Any] = {}  # tuples, of which each run makes new ones
        for i, row in self.device.numbered():
            if self.storage.kind[i] == "result":
                arrays[i] = results[self.storage.result[i]]
            elif self.storage.kind[i] == "view" and self.storage.root[i] not in self.hidden:
                arrays[i] = row.function(arrays[row.args[0].index], *row.args[1:])
        for step in self.steps:
            if isinstance(step, Node):
                made = self.codes[step] = self._code(step, arrays)
                body += self._launches(made, arrays)
            elif isinstance(step, ProductStep):
                body.append(step.bind(self.device, arrays, workspace))
            elif not self._is_view(step) or self.storage.kind[step] != "view":
                body.append(partial(self._call, step, arrays, values, numbers))
        for k, v in enumerate(self.device.outputs):
            if type(v) is not Var or self.storage.result.get(v.index) != k:
                source = arrays[v.index] if type(v) is Var else v
                body.append(partial(memory.copy_into, results[k], source))
        return body

    def _code(self, node: Node, arrays: Mapping[int, Array]) -> Code:
        if node.kind == "block":
            return small.code(self.device, node, arrays)
        return code(self.device, node, arrays, cupy().cuda.Device().attributes["MultiProcessorCount"])

    def _launches(self, made: Code, arrays: Mapping[int, Array]) -> Body:
        scratch = cupy().zeros(made.scratch, np.uint8)
        body: Body = []
        for launch in made.launches:
            arguments = tuple(arrays[a.index].data.ptr if type(a) is Var else scratch.data.ptr + a[1] if isinstance(a, tuple)
                              else a for a in launch.arguments)
            body.append(partial(_launch, modules.load(made.source, launch.name), launch, arguments, scratch))
        return body

    def _call(self, i: int, arrays: Mapping[int, Array], values: dict[int, Any], numbers: Mapping[int, Any]) -> None:
        """One row by CuPy's function, its result copied to its place."""
        row = self.device.rows[i - self.device.first]
        known = _Known(arrays, values, numbers)
        args, kwargs = substitute(row.args, known), substitute(row.kwargs, known)
        if row.function is functions.assigned and is_basic(args[2]) and args[0].data.ptr == arrays[i].data.ptr:
            arrays[i][args[2]] = args[1]  # the entries that stay are there already
            return
        if self.deterministic and row.function in ordered.FUNCTIONS:
            ordered.FUNCTIONS[row.function](*args, **kwargs, out=arrays[i])
            return
        value = call(row.function, args, kwargs)
        if row.out.kind != "array":
            values[i] = value
        else:
            memory.copy_into(arrays[i], value if is_cupy(value) else upload(np.asarray(value)))


def _launch(kernel: Any, launch: Launch, arguments: tuple[Any, ...], _scratch: Array) -> None:
    kernel(launch.grid, launch.block, arguments, launch.shared)


class _Known:
    """The values of a program's variables in a body: arrays at their places, tuples, numbers."""

    def __init__(self, *known: Mapping[int, Any]):
        self._arrays, self._values, self._numbers = known

    def __getitem__(self, i: int) -> Any:
        for known in (self._numbers, self._values):
            if i in known:
                return known[i]
        return self._arrays[i]


def upload(x: Any) -> Array:
    """A copy on the device of an array of the host."""
    return cupy().asarray(x)


__all__ = ["DeviceSchedule", "upload"]
