"""Kernels that join many arrays along an axis: each block copies a part of one of them, which its number tells."""
from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np

from gpuad.planning.device.addresses import Place, offset, place_of
from gpuad.planning.device.code import Code, Launch, Node
from gpuad.planning.device.dtypes import converted, ctype, load, store
from gpuad.planning.device.moving import MOST_COMPARED, can_move
from gpuad.planning.device.text import indented, kernel, source
from gpuad.planning.program import Program, Row, Var

MOST = 120
"""Arrays of one launch: their pointers are its arguments."""
THREADS = 256
PER_ARRAY = 64
"""Blocks at most for each array."""


def joins_many(program: Program, row: Row) -> bool:
    """Whether a row concatenates more arrays than each entry should ask for."""
    if row.function is not np.concatenate or len(row.parents) <= MOST_COMPARED or row.ordered:
        return False
    return all(can_move(program, Row(np.concatenate, ((x,), *row.args[1:]), row.kwargs, row.out)) for x in row.args[0])


def joined(program: Program, node: Node, arrays: Mapping[int, Any]) -> Code:
    """The kernels of a concatenation, one for up to ``MOST`` arrays of one shape and layout."""
    [i] = node.writes
    row = program.rows[i - program.first]
    out = place_of(i, row.out, arrays[i].strides)
    axis, start = row.kwargs.get("axis", 0) % len(row.out.shape), 0
    parts: list[tuple[Place, int]] = []
    for x in row.args[0]:
        place = place_of(x.index, program.spec(x.index), arrays[x.index].strides)
        parts.append((place, start * out.strides[axis]))
        start += place.shape[axis]
    texts: list[str] = []
    launches: list[Launch] = []
    for (dtype, shape, strides), alike in groupby(parts, lambda part: (part[0].dtype, part[0].shape, part[0].strides)):
        group = list(alike)
        n = int(np.prod(shape))
        for k in range(0, len(group), MOST):
            some, name = group[k:k + MOST], f"joined_{len(launches)}"
            kind = ctype(dtype)
            lines = [f"const {kind}* from = nullptr;", f"{ctype(out.dtype)}* to = out;", "switch (blockIdx.y) {",
                     *(f"  case {m}: from = v{m}; to += {to}; break;" for m, (_, to) in enumerate(some)), "}"]
            value = converted(load(dtype, "from + " + offset(shape, strides)), dtype, out.dtype)
            loop = [store(out.dtype, "to + " + offset(shape, out.strides), value) + ";"]
            lines += [f"for (unsigned int e = blockIdx.x * {THREADS}u + threadIdx.x; e < {n}u; e += gridDim.x * {THREADS}u) {{",
                      *indented(loop), "}"]
            declared = [f"{ctype(out.dtype)}* out", *(f"const {kind}* v{m}" for m in range(len(some)))]
            texts += kernel(name, THREADS, declared, lines)
            arguments = (Var(i), *(Var(place.root) for place, _ in some))
            launches.append(Launch(name, (min(-(-n // THREADS), PER_ARRAY), len(some), 1), (THREADS, 1, 1), 0, arguments))
    return Code(source("\n".join([*texts, ""])), tuple(launches))
