"""Rows as kernels know them, in place of NumPy's calls with options: means, variances, and sums in another dtype."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.onehot import one_hot
from gpuad.planning.passes.dead import dead
from gpuad.planning.passes.equal import equal
from gpuad.planning.program import Builder, Program, Row, Spec, Var
from linalg.arrays import Shape

OPTIONS = {"axis", "keepdims", "dtype", "ddof"}
SUMS = {np.sum: np.add, np.prod: np.multiply}
SHORT = {"float16", "bfloat16"}


def lowered(program: Program) -> Program:
    """The program for the device."""
    new, changed = Builder(program), False
    for row in program.rows:
        row = row.renamed(new.names)
        found = _lowered(row, new)
        changed |= found is not None
        new.names.append(found or new.add(row))
    simple = one_hot(new.finish() if changed else program)
    return simple if simple is program else dead(equal(simple))


def _lowered(row: Row, new: Builder) -> Var | None:
    """What takes the place of a call; None where it stays."""
    f, given = row.function, row.kwargs
    if f not in SUMS and f not in (np.mean, np.var, np.std):
        return None
    if len(row.args) != 1 or type(row.args[0]) is not Var or set(given) - OPTIONS or row.out.dtype is None:
        return None
    x, out = row.args[0], row.out.dtype
    spec = new.spec(x.index)
    if spec.kind != "array" or out.kind not in "iuf" or spec.dtype.kind not in "biuf" or not spec.size:
        return None
    axes = _axes(given.get("axis"), len(spec.shape))
    if axes is None:
        return None
    n = float(np.prod([spec.shape[a] for a in axes]))
    keeps = bool(given.get("keepdims"))
    work = np.dtype(np.float32) if out.name in SHORT else out
    x = _cast(x, work, new)
    if f in SUMS:
        return _cast(_reduced(x, SUMS[f], axes, keeps, new), out, new)
    if f is np.mean:
        return _cast(_over(_reduced(x, np.add, axes, keeps, new), n, new), out, new)
    mean = _over(_reduced(x, np.add, axes, True, new), n, new)
    apart = new.add(Row(np.subtract, (x, mean), {}, Spec(spec.shape, work)))
    squares = new.add(Row(np.square, (apart,), {}, Spec(spec.shape, work)))
    found = _over(_reduced(squares, np.add, axes, keeps, new), max(n - given.get("ddof", 0), 0.0), new)
    if f is np.std:
        found = new.add(Row(np.sqrt, (found,), {}, new.spec(found.index)))
    return _cast(found, out, new)


def _axes(axis: Any, n: int) -> Shape | None:
    given = tuple(range(n)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % n for a in given)) if all(isinstance(a, (int, np.integer)) for a in given) else None


def _cast(x: Var, dtype: np.dtype, new: Builder) -> Var:
    spec = new.spec(x.index)
    return x if spec.dtype == dtype else new.add(Row(functions.cast, (x, dtype), {}, Spec(spec.shape, dtype)))


def _reduced(x: Var, ufunc: Any, axes: Shape, keeps: bool, new: Builder) -> Var:
    spec = new.spec(x.index)
    shape = tuple(1 if a in axes else n for a, n in enumerate(spec.shape) if keeps or a not in axes)
    return new.add(Row(functions.reduce, (x, ufunc, axes, keeps), {}, Spec(shape, spec.dtype)))


def _over(x: Var, n: float, new: Builder) -> Var:
    return new.add(Row(np.divide, (x, n), {}, new.spec(x.index)))
