"""The CUDA C++ of a node, for arrays of given shapes, strides and alignments.

Variables are numbered anew in each node, so that nodes which do the same, layer by layer, have one source and are compiled once.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gpuad.planning import functions
from gpuad.planning.device.code import Code, Node
from gpuad.planning.device.entries import entries
from gpuad.planning.device.joining import joined
from gpuad.planning.device.places import moves_axes
from gpuad.planning.device.rows import rows
from gpuad.planning.program import Program, Var

PROCESSORS = 132
"""Multiprocessors of an H100 or H200."""


def code(program: Program, node: Node, arrays: Mapping[int, Any], processors: int = PROCESSORS) -> Code:
    """The kernels of a node.

    ``arrays`` has an array (``shape``, ``strides`` in bytes, ``dtype``, ``data.ptr``) for each variable that the node reads from
    outside, and for each that it writes. The same arguments give the same text.
    """
    own, own_node, variables = alone(program, node)
    given = {k: arrays[i] for k, i in enumerate(variables) if i in arrays}
    if node.kind == "joined":
        made = joined(own, own_node, given)
    else:
        made = (rows if node.kind in ("rows", "columns") else entries)(own, own_node, given, processors)
    launches = [replace(launch, arguments=tuple(Var(variables[a.index]) if type(a) is Var else a for a in launch.arguments))
                for launch in made.launches]
    return replace(made, launches=tuple(launches))


def alone(program: Program, node: Node) -> tuple[Program, Node, list[int]]:
    """A node as a program of its own, and the variables of the whole program that its variables are."""
    read = {j for i in node.rows for j in program.rows[i - program.first].parents if j >= program.first}
    turned = {j for j in read if program.rows[j - program.first].function is functions.transpose}
    own_rows = sorted({*node.rows, *views_inside(program, node), *turned})
    inside = set(own_rows)
    outside = list(dict.fromkeys(j for i in own_rows for j in program.rows[i - program.first].parents if j not in inside))
    variables = [*outside, *own_rows]
    names = {i: Var(k) for k, i in enumerate(variables)}
    inputs = tuple(program.spec(i) for i in outside)
    own = Program(inputs, (), tuple(program.rows[i - program.first].renamed(names) for i in own_rows), ())

    def renamed(those: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(names[i].index for i in those)

    return own, Node(renamed(node.rows), node.kind, renamed(node.writes), tuple(map(renamed, node.parts))), variables


def views_inside(program: Program, node: Node) -> set[int]:
    """The views through which rows of a node read one another, also those that are needed as arrays elsewhere."""
    inside, found = set(node.rows), set()
    for i in node.rows:
        for j in program.rows[i - program.first].parents:
            chain = []
            while j not in inside and (row := program.row(j)) is not None and moves_axes(row):
                chain.append(j)
                j = row.args[0].index
            if j in inside:
                found.update(chain)
    return found
