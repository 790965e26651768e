"""The catalogue of array functions: for each a small program that uses it, and how to make its arguments.

The programs call plain NumPy functions: traced arrays and CuPy arrays take part in NumPy's protocols.
"""
from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.gpuad.cases import CASES, Case, between, case, integers, like, positive

__all__ = ["CASES", "Case"]

for _path in sorted(Path(__file__).parent.glob("*_programs.py")):  # a file for each family of functions
    import_module(f"tests.gpuad.{_path.stem}")

# ---- elementwise functions

for _name in ("negative positive square exp exp2 expm1 sin cos sinh cosh tanh arcsinh arctan conjugate absolute real imag "
              "angle sinc sign").split():
    _u = getattr(np, _name)
    case(_u, _u, between(-2.0, 2.0, (2, 3)))
    case(_u, _u, between(0.3, 0.9, ()))
for _name in "sqrt log log2 log10 log1p reciprocal".split():
    case(getattr(np, _name), getattr(np, _name), positive((2, 3)))
for _name in "tan arcsin arccos arctanh".split():
    case(getattr(np, _name), getattr(np, _name), between(-0.8, 0.8, (2, 3)))
case(np.arccosh, np.arccosh, between(1.3, 3.0, (4,)))
for _name in "cbrt fabs deg2rad rad2deg radians degrees nan_to_num".split():
    case(getattr(np, _name), getattr(np, _name), (2, 3), kinds="d")
for _name in "add subtract multiply divide".split():
    _u = getattr(np, _name)
    case(_u, _u, (2, 3), between(0.5, 2, (3,)))
    case(_u, _u, (2, 1), between(0.5, 2, (1, 3)))
    case(_u, _u, (), between(0.5, 2, (2,)))
    case(_u, lambda x, u=_u: u(x, 2) + u(3, x) + u(x, 0.5j), between(0.5, 2, (2, 2)))
    case(_u, lambda x, u=_u: u(x, [1, 2]) + u([[3.0, 4.0]], x), between(0.5, 2, (2, 2)), kinds="d", lists=True)
    case((_name, "outer"), lambda x, y, u=_u: u.outer(x, y), (2, 3), between(0.5, 2, (2,)))
for _name in "arctan2 hypot logaddexp logaddexp2 maximum minimum fmax fmin copysign".split():
    _u = getattr(np, _name)
    case(_u, _u, (2, 3), (3,), kinds="d")
    case(_u, lambda x, u=_u: u(x, 2) + u(3.0, x), (2, 2), kinds="d")
for _name in "remainder fmod".split():
    _u = getattr(np, _name)
    case(_u, lambda x, y, u=_u: u(x, y) + u(x, 0.7) + u(3.0, y), (2, 3), between(1.1, 1.4, (3,)), kinds="d")
for _name in "divide arctan2 hypot logaddexp logaddexp2 maximum minimum fmax fmin copysign remainder fmod power".split():
    for _c in (np.uint8(20), np.array([3, 200, 20], np.uint8), np.array([3, 200, 300], np.int16)):
        if _c.ndim == 0 or _name not in ("remainder", "fmod", "power"):
            _u = getattr(np, _name)
            case(_u, lambda x, c=_c, u=_u: u(x, like(x, c)) + u(like(x, c), x), between(1.1, 1.4, (2, 3)), kinds="d",
                 name=f"{_name} with integers")
for _name in "maximum minimum".split():
    _u = getattr(np, _name)
    case((_name, "outer"), lambda x, y, u=_u: u.outer(x, y), (2,), (3,), kinds="d")
case(np.power, np.power, positive((2, 3)), (3,))
case(np.power, lambda x: np.power(x, 2) + np.power(x, -1.5) + np.power(x, 3) + np.power(x, 0), positive((3,)))
case(np.power, lambda x, n: np.power(x, n), positive((2, 3)), integers([0, 1, 3]), name="power of integers")
case(np.power, lambda x: np.power(2.0, x), (2, 3))
case(("power", "outer"), np.power.outer, positive((2,)), (3,))
case(np.float_power, np.float_power, positive((2, 3)), (3,))
case(np.heaviside, lambda x, y: x * np.heaviside(x, y) + np.heaviside(np.sign(x) - 1, y), (2, 3), (3,), kinds="d")
case(np.divmod, np.divmod, (2, 3), between(1, 2, (3,)), kinds="d")
case(np.angle, lambda z: np.angle(z, deg=True), (3,), kinds="D")
case(np.where, lambda m, x, y: np.where(m, x, y), integers([True, False, True]), (2, 3), (3,))
case(np.where, lambda x: np.where(abs(x) > 0.5, x, 0), (2, 3))
case(np.clip, lambda x: np.clip(x, -0.5, 0.7), (3, 3), kinds="d")
case(np.clip, lambda x, a: np.clip(x, a, None) + np.clip(x, max=a), (3, 3), (3,), kinds="d")
case(np.astype, lambda x: np.astype(x, np.complex128), (2,), kinds="d")
case(np.copy, lambda x: np.copy(x) * x, (2,))
case(np.full_like, lambda x, y: x * np.full_like(x, 3.0) + np.full_like(x, y), (2, 2), ())

# ---- reductions

for _name in "sum mean var std prod max min amax amin ptp".split():
    _f = getattr(np, _name)
    _kinds = "d" if _name in ("max", "min", "amax", "amin", "ptp") else "dD"
    for _o in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)}, {"axis": (1, 2), "keepdims": 1}, {"axis": ()}):
        if not (_name in ("std", "var") and _o.get("axis") == ()):
            case(_f, lambda x, f=_f, o=_o: f(x, **o), (2, 3, 2), kinds=_kinds)
    if _name != "std":
        case(_f, _f, (), kinds=_kinds)
for _name in "sum prod max min".split():
    _f, _kinds = getattr(np, _name), "d" if _name in ("max", "min") else "dD"
    case(_f, lambda x, m, f=_f: f(x, axis=1, where=m, initial=0.5), (2, 3), integers([True, False, True]), kinds=_kinds)
    _u = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}[_name]
    case((_u.__name__, "reduce"), lambda x, u=_u: u.reduce(x) * u.reduce(x, axis=1, keepdims=True), (2, 3), kinds=_kinds)
case(np.sum, lambda x: np.sum(x, axis=0, dtype=np.complex128), (2, 3))
case(np.sum, lambda x: np.sum(x, axis=0) + np.sum(x), (0, 3), name="sum of nothing")
case(np.prod, lambda x: np.prod(x, axis=0) + np.prod(x), (0, 3), name="product of nothing")
case(np.prod, lambda x: np.prod(x * like(x, [0.0, 1.0, 0.0]), axis=1), (2, 3), name="product of zeros")
case(np.mean, lambda x, m: np.mean(x, axis=0, where=m), (3, 2), integers([[True, False], [True, True], [False, True]]))
case(np.var, lambda x, m: np.var(x, axis=0, where=m), (3, 2), integers([[True, True], [True, True], [False, True]]))
case(np.var, lambda x: np.var(x, axis=0, ddof=1) + np.std(x, correction=1), (3, 2))
case(np.var, lambda x: np.var(x, axis=0, mean=np.mean(x, axis=0, keepdims=True) + 0.1, ddof=1), (3, 2))
case(np.cumsum, np.cumsum, (2, 3))
case(np.cumsum, lambda x: np.cumsum(x, axis=0) * np.cumsum(x, axis=-1), (2, 3))
case(("add", "accumulate"), np.add.accumulate, (3, 2))
case(np.diff, lambda x: np.diff(x, axis=0), (3, 2))
case(np.diff, lambda x: np.diff(x, n=2, prepend=1.0, append=[[2.0], [3.0]]), (2, 3))
case(np.sort, lambda x: (np.sort(x), np.sort(x, axis=0), np.sort(x, axis=None, kind="stable")), (3, 3))
case(np.partition, lambda x: np.sort(np.partition(x, 1), axis=0), (3, 3), kinds="d")
case(np.histogram, lambda x: np.histogram(x, 4)[1], (2, 3), kinds="d")
case(np.histogram, lambda x: np.histogram(x, 3, density=True), (2, 3), kinds="d")
case(np.histogram_bin_edges, lambda x: (x[0, 0] * np.histogram_bin_edges(x, 3, (-1, 2)), np.histogram_bin_edges(x)), (2, 3),
     kinds="d")
case(np.ediff1d, lambda x: np.ediff1d(x, to_begin=x[0, :1], to_end=[1.0, 2.0]), (2, 3))

# ---- shapes

case(np.reshape, lambda x: np.reshape(x, (3, -1)) @ np.reshape(x, (2, 3), order="F"), (2, 3))
case(np.reshape, lambda x: np.reshape(x, -1), ())
case(np.reshape, lambda x: np.reshape(x, (3, 0)), (0, 2))
case(np.ravel, lambda x: np.ravel(x) * np.ravel(x, "F"), (2, 3))
case(np.transpose, lambda x: np.transpose(x) @ np.transpose(x, (0, -1, 1)), (2, 2, 2))
case(np.matrix_transpose, np.matrix_transpose, (2, 1, 3))
case(np.linalg.matrix_transpose, np.linalg.matrix_transpose, (2, 1, 3))
case(np.swapaxes, lambda x: np.swapaxes(x, 0, -1), (2, 1, 3))
case(np.moveaxis, lambda x: np.moveaxis(x, (0, 1), (-1, -2)), (2, 1, 3))
case(np.rollaxis, lambda x: (np.rollaxis(x, 2), np.rollaxis(x, 0, 3), np.rollaxis(x, 1, -1)), (2, 1, 3))
case(np.squeeze, lambda x: np.squeeze(x) + np.squeeze(x, axis=-1)[0], (1, 3, 1))
case(np.expand_dims, lambda x: np.expand_dims(x, (0, -1)), (2, 3))
case(np.atleast_1d, np.atleast_1d, ())
case(np.atleast_1d, lambda x, y: np.atleast_1d(x, y), (), (2, 3))
case(np.atleast_2d, np.atleast_2d, (3,))
case(np.atleast_3d, lambda x, y, z: np.atleast_3d(x, y, z), (), (3,), (2, 2))
case(np.broadcast_to, lambda x: np.broadcast_to(x, (2, 2, 3)), (2, 1))
case(np.broadcast_arrays, lambda x, y: np.broadcast_arrays(x, y, 1.0)[:2], (2, 1), (3,))
case(np.flip, lambda x: np.flip(x) * np.flip(x, axis=-1) + np.flip(x, (0, 1)), (2, 3))
case(np.flipud, np.flipud, (3, 2))
case(np.fliplr, np.fliplr, (3, 2))
case(np.rot90, lambda x: tuple(np.rot90(x, k, axes) for k in range(-1, 4) for axes in ((0, 1), (2, 1))), (2, 3, 2))
case(np.roll, lambda x: (np.roll(x, 2), np.roll(x, -1, axis=1), np.roll(x, (1, 2), axis=(0, -1)), np.roll(x, 7, 0)), (2, 3))
case(np.repeat, lambda x: (np.repeat(x, 2), np.repeat(x, [1, 0, 2], axis=1), np.repeat(x, 3, axis=0)), (2, 3))
case(np.tile, lambda x: (np.tile(x, 2), np.tile(x, (2, 1, 2)), np.tile(x, (2, 1))), (2, 3))
case(np.take, lambda x: (np.take(x, [[0, 5], [-1, 0]]), np.take(x, 1, axis=0), np.take(x, (0, 0, -1), axis=1)), (2, 3))
case(np.take, lambda x: np.take(x, [4, -5], axis=1, mode="wrap") + np.take(x, [4, -5], axis=1, mode="clip"), (2, 3))
case(np.take_along_axis, lambda x, i: np.take_along_axis(x, i, axis=1), (2, 3), integers([[0, 0], [2, 1]]))
case(np.take_along_axis, lambda x, i: np.take_along_axis(x, i, axis=0), (2, 3), integers([[0, 1, 1]]))
case("getitem", lambda x: (x[0], x[..., 1], x[:, None, ::-1], x[1:, -1], x[()], x[True]), (2, 3))
case("getitem", lambda x, i, m: (x[i], x[:, i], x[i, i], x[m], x[[1, 1, 0]], x[[[0], [1]], [0, 2]]), (2, 3), integers([0, 1, 1]),
     integers([[True, False, True], [False, True, False]]))
case("getitem", lambda x, i: (x[i, :, i], x[..., i], x[None, i], x[0, i, :1], x[[]]), (2, 2, 2), integers([0, 1, 1]))
case("iter", lambda x: sum(row * k for k, row in enumerate(x)), (3, 2))

# ---- joining and splitting

case(np.concatenate, lambda x, y: np.concatenate([x, y, x], axis=-1), (2, 3), (2, 1))
case(np.concatenate, lambda x, y: np.concatenate([x, [[1.0]], y], axis=None), (2, 3), (2, 0))
case(np.concatenate, np.concatenate, (2, 3, 2))
case(np.stack, lambda x, y: np.stack([x, y, x], axis=-1) @ np.stack([x, y]).T, (3,), (3,))
case(np.vstack, lambda x, y: np.vstack([x, y]), (3,), (2, 3))
case(np.hstack, lambda x, y: (np.hstack([x, y]), np.hstack([x[:, None], y[:, None]])), (3,), (3,))
case(np.dstack, lambda x, y: np.dstack([x, y]), (3,), (3,))
case(np.column_stack, lambda x, y: np.column_stack([x, y]), (3,), (3, 2))
case(np.block, lambda x, y: np.block([[x, x[:, :1]], [y, 0.0]]), (2, 2), (2,))
case(np.block, lambda x: np.block([[[x]], [[2 * x]]]), (2, 2))
case(np.append, lambda x, y: (np.append(x, y), np.append(x, y, axis=0), np.append(x, [[1.0, 2.0, 3.0]], axis=0)), (2, 3), (1, 3))
case(np.insert, lambda x, y: (np.insert(x, 1, y, axis=1), np.insert(x, [0, 2, 2], 5.0, axis=1), np.insert(x, 3, 1.5)),
     (2, 3), (2,))
case(np.insert, lambda x, y: (np.insert(x, [1], y, axis=1), np.insert(x, slice(0, 2), y, axis=1)), (2, 3), (2, 2))
case(np.delete, lambda x: (np.delete(x, 1, axis=1), np.delete(x, [0, -1]), np.delete(x, slice(0, 1), axis=0)), (2, 3))
case(np.array_split, lambda x: np.array_split(x, 3, axis=-1), (2, 4))
case(np.split, lambda x: (*np.split(x, 2, axis=1), *np.split(x, [1, 3], axis=1), *np.split(x, [5])), (2, 4))
case(np.hsplit, lambda x: (*np.hsplit(x, 2), *np.hsplit(x[0], 2)), (2, 4))
case(np.vsplit, lambda x: np.vsplit(x, 2), (2, 4))
case(np.unstack, lambda x: np.unstack(x, axis=1), (2, 3))
case(np.meshgrid, lambda x, y: np.meshgrid(x, y, [1.0, 2.0]), (3,), (2,))
case(np.meshgrid, lambda x, y: (*np.meshgrid(x, y, indexing="ij"), *np.meshgrid(x, y, sparse=True)), (3,), ())
case(np.pad, lambda x: np.pad(x, 1) + np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4))), (2, 3))
for _mode in ("edge", "reflect", "symmetric", "wrap"):
    case(np.pad, lambda x, mode=_mode: np.pad(x, {0: (2, 1), 1: 3}, mode), (2, 3))

# ---- diagonals and triangles

case(np.diagonal, lambda x: (np.diagonal(x), np.diagonal(x, -1, 1, 2), np.diagonal(x, 1, axis1=-1, axis2=0)), (2, 3, 4))
case(np.diagonal, lambda x: np.diagonal(x, 7), (2, 3))
case(np.diag, lambda x: (np.diag(x, 1), np.diag(x, -1) * 2), (2, 4))
case(np.diag, lambda x: np.diag(x) @ np.diag(x, 2)[:3, 2:], (3,))
case(np.diagflat, lambda x: np.diagflat(x, -1), (2, 2))
case(np.trace, lambda x: (np.trace(x), np.trace(x, 1, -1, 0)), (2, 3, 4))
case(np.linalg.trace, lambda x: np.linalg.trace(x, offset=-1), (2, 3, 4))
case(np.linalg.diagonal, lambda x: np.linalg.diagonal(x, offset=2), (2, 3, 4))
case(np.tril, lambda x: np.tril(x) + np.tril(x, -1) * 2 + np.tril(x, 1), (2, 3, 4))
case(np.triu, lambda x: np.triu(x) + np.triu(x, -1) * 2 + np.triu(x, 1), (2, 3, 4))
case(np.triu, lambda x: np.triu(x) + np.tril(x), (3,))

# ---- products

for _a, _b in (((2, 3), (3, 4)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((2, 2, 3), (3, 4)), ((2, 3), (2, 3, 2)),
               ((2, 1, 2, 3), (3, 3, 2)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)), ((2, 0), (0, 3))):
    case(np.matmul, np.matmul, _a, _b)
case(np.matmul, lambda x: x @ like(x, np.ones((3, 2))) + np.matmul([[1.0, 2.0, 3.0]], x.T) @ like(x, np.ones((2, 1))),
     (2, 3))
case(np.linalg.matmul, np.linalg.matmul, (2, 3), (3, 2))
case(np.dot, lambda x, y, z: np.dot(x, y) * np.dot(y, y) + np.dot(z, x)[0, :, 0] + np.dot(2.0, y)[:2], (2, 3), (3,), (1, 2, 2))
case(np.dot, np.dot, (2, 3), (2, 3, 2))
case(np.tensordot, lambda x, y: (np.tensordot(x, y), np.tensordot(x, y, axes=0), np.tensordot(x, y, ((0, -1), (0, 1)))),
     (2, 3), (2, 3, 2))
case(np.tensordot, lambda x, y: np.tensordot(x, y, axes=(-1, 0)), (2, 3), (3,))
case(np.linalg.tensordot, lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3), (3, 2))
case(np.outer, np.outer, (2, 3), (2,))
case(np.linalg.outer, np.linalg.outer, (3,), (2,))
case(np.inner, lambda x, y: np.inner(x, y) * np.inner(2.0, y).sum(), (2, 3), (2, 3))
case(np.vdot, np.vdot, (2, 3), (2, 3))
case(np.vecdot, np.vecdot, (2, 3), (3,))
case(np.linalg.vecdot, lambda x, y: np.linalg.vecdot(x, y, axis=0), (2, 3), (2, 3))
case(np.kron, np.kron, (2, 3), (2,))
case(np.kron, np.kron, (2,), (1, 2, 2))
case(np.cross, lambda x, y: np.cross(x, y), (2, 3), (3,))
case(np.cross, lambda x, y: np.cross(x, y, axisa=0, axisb=-1, axisc=0), (3, 2), (2, 3))
case(np.linalg.cross, lambda x, y: np.linalg.cross(x, y, axis=0), (3, 2), (3, 2))
case(np.einsum, lambda x, y: (np.einsum("ij,jk->ki", x, y), np.einsum("ij,jk", x, y), np.einsum("ij,ji->", x, y)),
     (2, 3), (3, 2))
case(np.einsum, lambda x: (np.einsum("ii->i", x), np.einsum("ii", x), np.einsum("ij->j", x), np.einsum("ij->ji", x)), (3, 3))
case(np.einsum, lambda x, y, z: np.einsum("...ij,jk,k...->...i", x, y, z), (2, 2, 3), (3, 2), (2, 2))
case(np.einsum, lambda x, y: np.einsum(x, [0, 1], y, [1, Ellipsis], [0, Ellipsis]), (2, 3), (3, 2, 2))
case(np.einsum, lambda x, y: np.einsum("ij,ij->ij", x, y), (2, 3), (2, 1))
case(np.einsum, lambda x, y: np.einsum("iij,kj->ik", x, y, optimize=True), (2, 2, 3), (2, 3))
case(np.einsum, lambda x, c: np.einsum("ij,jk,k->i", c, c, x) + np.einsum("ij,k->k", c, x),
     (2,), integers(np.full((2, 2), 20, np.uint8)))
if hasattr(np, "matvec"):
    case(np.matvec, np.matvec, (2, 2, 3), (3,))
    case(np.vecmat, np.vecmat, (2, 3), (3, 2))

# ---- methods, operators and attributes of a traced array


def method(names: str, f: Callable[..., Any], *makers: Any, **options: Any) -> None:
    """Enter a program that covers attributes of TracedArray."""
    case(tuple(f"TracedArray.{n}" for n in names.split()), f, *makers, name=f"method {names.split(maxsplit=1)[0]}", **options)


method("__add__ __radd__ __sub__ __rsub__", lambda x, y: (x + y) - (1 - x) + (2 + y) - 3, (2, 3), (3,))
method("__mul__ __rmul__ __truediv__ __rtruediv__", lambda x, y: (x * y) / (2 / x) * (3 * y) / 4, positive((2, 3)),
       positive((3,)))
method("__pow__ __rpow__", lambda x, y: x**y + 2**x + x**2 + x**0.5, positive((2, 3)), (3,))
method("__mod__ __rmod__ __floordiv__ __rfloordiv__", lambda x: x % 0.7 + 2 % x + (x // 0.3) * x + (2 // x) * x, positive((3,)),
       kinds="d")
method("__matmul__", lambda x, c: x @ x.T @ c + x.T[:2] @ x @ x.T @ c, (2, 3), integers(np.ones((2, 1), int)))
method("__rmatmul__", lambda x, c: c @ x, (2, 3), integers(np.eye(2, dtype=int)))
method("__divmod__ __rdivmod__", lambda x: (*divmod(x, 0.7), *divmod(2, x)), positive((3,)), kinds="d")
method("__neg__ __pos__ __abs__", lambda x: -x * +x * abs(x), (2, 3))
method("__getitem__ __iter__ __len__", lambda x: sum(x[-1 - i] * row for i, row in enumerate(x)) * len(x), (2, 3))
method("reshape", lambda x: x.reshape(3, 2) @ x.reshape((2, -1)) @ x.reshape(3, 2, order="F"), (2, 3))
method("transpose T mT", lambda x: x.transpose() @ x.T.transpose(1, 0) @ x.mT @ x.transpose((0, 1)), (2, 3))
method("ravel flatten", lambda x: x.ravel() * x.flatten() * x.flatten("F"), (2, 3))
method("sum mean prod var std cumsum",
       lambda x: x.sum(0) + x.mean(axis=0) * x.prod(0) + x.var(0) + x.std(axis=0, ddof=0) + x.cumsum(1)[0], (2, 3))
method("max min ptp clip", lambda x: x.max(axis=0) - x.min(0) * x.max() + x.clip(-0.3, 0.4).sum(0), (2, 3), kinds="d")
method("dot conj conjugate real imag", lambda x, y: x.dot(y) * x.conj().dot(y).conjugate() + y.real[0] * y.imag[1], (2, 3), (3,))
method("take repeat swapaxes squeeze", lambda x: x.take([0, 2], axis=1).repeat(2, 0).swapaxes(0, 1)[None].squeeze(), (2, 3))
method("diagonal trace", lambda x: x.diagonal() * x.trace(1), (3, 3))
method("astype copy", lambda x: x.astype(np.complex128).copy() * x, (2,), kinds="d")


def _in_place_on_scalars(x: Any) -> Any:
    total = x[0] * 1
    total += x[1]
    total -= 2
    total *= x[2]
    total /= 3
    return total


method("__iadd__ __isub__ __imul__ __itruediv__ __ipow__ __imod__ __ifloordiv__ __imatmul__", _in_place_on_scalars, (3,),
       kinds="d", scalars=True)
