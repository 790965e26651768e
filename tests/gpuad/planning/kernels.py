"""Nodes of a device plan run on the CPU, as CUDA would run them; NumPy runs the other steps."""
from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gpuad.planning.device.code import Node
from gpuad.planning.device.nodes import steps
from gpuad.planning.device.source import code
from gpuad.planning.program import Var, substitute
from gpuad.planning.storage import is_elementwise, overwritable
from tests.standin import emulation

needs_compiler = pytest.mark.skipif(bool(emulation.missing()), reason=emulation.missing() or "none")


def buffer(shape, dtype):
    """An array at a multiple of 256 bytes, full of NaN."""
    n = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.full(n + 256, 0xFF, np.uint8)
    start = -raw.ctypes.data % 256
    return raw[start:start + n].view(dtype).reshape(shape)


def placed(value):
    """A value as an array in memory."""
    if isinstance(value, np.ndarray):
        return value
    array = buffer((), np.asarray(value).dtype)
    array[...] = value
    return array


def as_device(array):
    data = SimpleNamespace(ptr=array.ctypes.data)
    return SimpleNamespace(shape=array.shape, strides=array.strides, dtype=array.dtype, data=data)


def written_over(program, node, i):
    """An operand in whose memory row i of a node may be computed: an array of its kind which it alone reads there."""
    if i not in node.in_place or not is_elementwise(program.row(i)):
        return None
    read = [j for k in node.rows for j in set(program.row(k).parents)]
    return next((j for j in overwritable(program.row(i)) if program.spec(j)[:2] == program.spec(i)[:2] and read.count(j) == 1
                 and j not in node.rows), None)


def run_node(program, node, known, processors, in_place):
    """Run a node twice, as replays do, which must give the same bits. Gives its Code.

    ``in_place``: once, with results in the memory of operands where that may be.
    """
    for i in node.writes:
        known[i] = buffer(program.spec(i).shape, program.spec(i).dtype)
        if in_place and (j := written_over(program, node, i)) is not None:
            known[i][...] = known[j]
            known[j] = known[i]
    read = {j for i in node.rows for j in program.row(i).parents} & set(known)
    made = code(program, node, {i: as_device(known[i]) for i in {*read, *node.writes}}, processors)
    scratch = buffer((max(made.scratch, 1),), np.uint8)
    scratch[:] = 0
    results = []
    for _ in range(1 if in_place else 2):
        for launch in made.launches:
            arguments = [np.uintp(known[a.index].ctypes.data) if type(a) is Var else np.uintp(scratch.ctypes.data + a[1])
                         for a in launch.arguments]
            emulation.run(made.source, launch.name, launch.grid, launch.block, arguments, launch.shared)
        results.append([known[i].tobytes() for i in node.writes])
    assert results[0] == results[-1]
    return made


def run(program, values, processors=132, in_place=False):
    """(outputs, Code of each node) of a program whose nodes run as kernels and whose other rows NumPy runs.

    ``in_place``: operands are written over where they may be, whoever reads them later.
    """
    given = dict(enumerate([*values, *program.captured]))
    known = {i: placed(x) for i, x in given.items()}
    made, seen = [], []
    for step in steps(program):
        seen += step.rows if isinstance(step, Node) else [step]
        if isinstance(step, Node):
            made.append(run_node(program, step, known, processors, in_place))
        else:
            row = program.row(step)
            value = row.function(*substitute(row.args, known | given), **substitute(row.kwargs, known | given))
            known[step] = value if isinstance(value, tuple) else placed(value)
    assert sorted(seen) == [i for i, _ in program.numbered()]
    return [known[v.index] if type(v) is Var else v for v in program.outputs], made


def close(found, wanted, tolerance):
    """Whether arrays agree to a part of the largest finite entry."""
    wanted = np.asarray(wanted)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, wanted)
        return
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(scale))


TOLERANCE = {"float16": 2e-2, "float32": 1e-4, "complex64": 1e-4}


def check(program, values, processors=132):
    """Kernels agree with NumPy; gives their Codes."""
    with np.errstate(all="ignore"):
        wanted = program.run(*values)
        found, made = run(program, values, processors)
    dtypes = {program.spec(i).dtype.name for i in range(program.n_variables) if program.spec(i).dtype is not None}
    for a, b in zip(found, wanted, strict=True):
        close(a, b, max(TOLERANCE.get(name, 1e-9) for name in dtypes))
    return made
