"""Launches, operations and bytes of a program's steps, as they are planned for the device."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import optree

from gpuad.planning import costs
from gpuad.planning.device import small
from gpuad.planning.device.arrangement import arranged
from gpuad.planning.device.code import Node
from gpuad.planning.device.lowering import lowered
from gpuad.planning.device.parts import parts
from gpuad.planning.device.products import ProductStep
from gpuad.planning.device.source import code
from gpuad.planning.passes import analyse
from gpuad.planning.program import Program, Row, Var
from gpuad.planning.storage import is_elementwise, is_view
from gpuad.planning.trace import trace

DEAR = {np.tanh, np.exp, np.log, np.log1p, np.expm1, np.sin, np.cos, np.power, np.float_power, np.logaddexp, np.arctan}
"""Functions that take about twenty operations each."""


@dataclass(frozen=True)
class Work:
    """What one step does; of a view, nothing. ``at_least`` are seconds beside a launch: rows that one block does in turn."""

    launches: int
    operations: float
    nbytes: int
    dtype: str
    is_product: bool = False
    at_least: float = 0.0


def traced(function: Callable[..., Any], data: tuple, lengths: dict[int, int]) -> Program:
    """The program of a function of NumPy's arrays, with other lengths for some."""
    leaves, tree = optree.tree_flatten(data)
    program, _out = trace(function, leaves, lambda new: (optree.tree_unflatten(tree, new), {}), "prediction")
    return resized(program, lengths) if lengths else program


def resized(program: Program, lengths: dict[int, int]) -> Program:
    """The program with other lengths of axes wherever they stand in a shape."""
    def shape(old: tuple) -> tuple:
        return tuple(lengths.get(n, n) if type(n) is int else n for n in old)

    def argument(x: Any) -> Any:
        return shape(x) if type(x) is tuple and x and all(type(n) is int for n in x) else x

    def row(old: Row) -> Row:
        return replace(old, args=tuple(map(argument, old.args)), out=old.out._replace(shape=shape(old.out.shape)))

    inputs = tuple(spec._replace(shape=shape(spec.shape)) for spec in program.inputs)
    return replace(program, inputs=inputs, rows=tuple(map(row, program.rows)))


def planned(program: Program) -> list[Work]:
    """The steps of a traced program on the device, as gpuad.planning.device.schedule makes them; constants stay on the host."""
    device = parts(lowered(analyse(replace(program, on_device=True))), lambda constant: constant).device
    return works(device, arranged(device))


def works(program: Program, chosen: Sequence[Any]) -> list[Work]:
    """Of steps: variables of single rows, products with what is folded into them, or nodes."""
    roots = roots_of(program)
    return [of_row(program, step, roots) if isinstance(step, int) else of_rows(program, step, roots) for step in chosen]


def of_row(program: Program, i: int, roots: list[int]) -> Work:
    row = program.rows[i - program.first]
    if is_view(row) or row.out.kind not in ("array", "scalar") or not row.out.size:
        return Work(0, 0, 0, "float32")
    moved = sum(program.spec(j).nbytes for j in arrays(program, row, roots)) + row.out.nbytes
    return Work(1, operations(program, row), moved, dtype_of(row), row.function is np.matmul)


def of_rows(program: Program, step: Node | ProductStep, roots: list[int]) -> Work:
    rows = [program.rows[i - program.first] for i in step.rows]
    outside = {j for row in rows for j in arrays(program, row, roots) if j not in step.rows}
    moved = sum(program.spec(j).nbytes for j in (*outside, *step.writes))
    work = Work(1, sum(operations(program, row) for row in rows), moved, dtype_of(rows[-1]), isinstance(step, ProductStep))
    if isinstance(step, ProductStep):
        return work
    turns = [i for i in step.rows if not is_view(program.rows[i - program.first])] if step.kind == "block" else []
    return replace(work, launches=launches(program, step), at_least=1e-9 * sum(small.time(program, i) for i in turns))


def launches(program: Program, node: Node) -> int:
    """Of the node's generated code, for arrays that are contiguous and aligned."""
    arrays = {i: stand_in(program.spec(i)) for i in range(program.n_variables) if program.spec(i).dtype is not None}
    return len((small.code if node.kind == "block" else code)(program, node, arrays).launches)


def stand_in(spec: Any) -> Any:
    """What generated code asks of an array, and no memory."""
    strides, step = [], np.dtype(spec.dtype).itemsize
    for n in reversed(spec.shape):
        strides.append(step)
        step *= n
    return SimpleNamespace(shape=spec.shape, dtype=np.dtype(spec.dtype), strides=tuple(reversed(strides)), size=spec.size,
                           ndim=len(spec.shape), nbytes=spec.nbytes, data=SimpleNamespace(ptr=256))


def operations(program: Program, row: Row) -> float:
    if is_view(row):
        return 0
    return (costs.flops(program, row) or 0) * (20 if is_elementwise(row) and row.function in DEAR else 1)


def dtype_of(row: Row) -> str:
    """The float type that a row computes in; of complex numbers that of their parts."""
    found = np.result_type(row.out.dtype, np.float16)
    return {2: "float16", 4: "float32"}.get(found.itemsize // (2 if found.kind == "c" else 1), "float64")


def arrays(program: Program, row: Row, roots: list[int]) -> set[int]:
    """The variables in whose memory a row reads arrays; of a part of one, that part's own bytes count."""
    found = set()
    for j in row.parents:
        if program.spec(j).kind == "array":
            found.add(roots[j] if math.prod(program.spec(j).shape) >= program.spec(roots[j]).size else j)
    return found


def roots_of(program: Program) -> list[int]:
    """The variable in whose memory each one lies."""
    roots = list(range(program.first))
    for i, row in program.numbered():
        parent = row.args[0] if row.args else None
        roots.append(roots[parent.index] if type(parent) is Var and is_view(row) else i)
    return roots
