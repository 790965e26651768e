"""Pieces of CUDA C++ that all kinds of kernels are written with: rows as statements, reductions, accesses."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.device.dtypes import SHORT, compute_type, converted, ctype, literal, load, rounded, store
from gpuad.planning.device.expressions import arguments, expression, prelude
from gpuad.planning.device.moving import moved
from gpuad.planning.device.places import sources
from gpuad.planning.device.spaces import Axis, Space, number_of
from gpuad.planning.program import Program, Row, Spec, Var

DEFINITIONS = """\
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Vector { T at[N]; };
template <class T> __device__ inline T from_lane(T x, int by) { return __shfl_xor_sync(0xffffffffu, x, by); }
__device__ inline bool from_lane(bool x, int by) { return __shfl_xor_sync(0xffffffffu, (int)x, by); }
__device__ inline signed char from_lane(signed char x, int by) { return __shfl_xor_sync(0xffffffffu, (int)x, by); }
__device__ inline unsigned char from_lane(unsigned char x, int by) { return __shfl_xor_sync(0xffffffffu, (int)x, by); }
__device__ inline short from_lane(short x, int by) { return __shfl_xor_sync(0xffffffffu, (int)x, by); }
__device__ inline unsigned short from_lane(unsigned short x, int by) { return __shfl_xor_sync(0xffffffffu, (int)x, by); }
"""
OF_COMPLEX = """\
template <class T> __device__ inline Complex<T> from_lane(Complex<T> z, int by) {
  return Complex<T>(from_lane(z.re, by), from_lane(z.im, by));
}
"""


class Reduction:
    """How a row reduces: the type of its partial results, their identity, and how two are joined."""

    def __init__(self, program: Program, i: int):
        self.program, self.i = program, i
        self.row = program.rows[i - program.first]
        self.ufunc = np.add if self.row.function is np.matmul else self.row.args[1]
        self.dtype = np.dtype(np.float32) if self.row.out.dtype.name in SHORT else self.row.out.dtype
        self.type = compute_type(self.dtype)

    @property
    def identity(self) -> str:
        """What the ufunc leaves as it is."""
        if self.ufunc in (np.maximum, np.minimum):
            least = self.ufunc is np.maximum
            if self.dtype.kind == "f":
                return literal(-np.inf if least else np.inf, self.dtype)
            if self.dtype.kind == "b":
                return literal(not least, self.dtype)
            info = np.iinfo(self.dtype)
            return literal(info.min if least else info.max, self.dtype)
        return literal(1 if self.ufunc in (np.multiply, np.logical_and) else 0, self.dtype)

    def joined(self, a: str, b: str) -> str:
        """The ufunc of two partial results."""
        return total(self.ufunc, self.dtype, a, b)

    def term(self, operands: Sequence[str]) -> str:
        """What one entry adds, of the texts of its operands (empty for constants)."""
        texts = []
        for x, text in zip(sources(self.row), operands, strict=True):
            if type(x) is Var:
                texts.append(converted(text, self.program.spec(x.index).dtype, self.dtype))
            elif (number := number_of(x)) != 1:
                texts.append(literal(number, self.dtype))
        return texts[0] if len(texts) < 2 else total(np.multiply, self.dtype, *texts)

    def result(self, text: str) -> str:
        """The joined partial results as the row's value."""
        return rounded(text, self.row.out.dtype)


def total(ufunc: np.ufunc, dtype: np.dtype, a: str, b: str) -> str:
    """The ufunc of two values of a dtype."""
    spec = Spec((), dtype)
    row = Row(ufunc, (Var(0), Var(1)), {}, spec)
    return expression(Program((spec, spec), (), (row,), ()), row, [a, b])


def statement(program: Program, i: int, operands: Sequence[str]) -> str:
    """The statement that computes an elementwise row (or a reduction over axes of length 1) of its operands' texts."""
    row = program.rows[i - program.first]
    if row.function is functions.reduce or row.function is np.matmul:
        reduction = Reduction(program, i)
        text = reduction.result(reduction.term(operands))
    else:
        row = plain(row)
        text = expression(program, row, operands)
    return f"const {compute_type(row.out.dtype)} x{i} = {text};"


def plain(row: Row) -> Row:
    """A row whose constant arrays, of one number each, are scalars."""
    constants = [x for x in arguments(row) if isinstance(x, np.ndarray)]
    if not constants:
        return row
    args = tuple(x.dtype.type(number_of(x)) if isinstance(x, np.ndarray) else x for x in row.args)
    return Row(row.function, args, row.kwargs, row.out, row.ordered, row.errors)


def offset(strides: Sequence[int], names: Sequence[str]) -> str:
    """The sum of strides times indices."""
    parts = [name if s == 1 else f"{s} * {name}" for s, name in zip(strides, names, strict=True) if s]
    return " + ".join(parts) or "0"


def coordinates(index: str, of: str, axes: Sequence[Axis], prefix: str) -> tuple[list[str], list[str]]:
    """(statements, names): the index along each axis, of an index that goes over all of them."""
    if len(axes) == 1:
        return [], [of]
    lines, names, left = [], [], of
    for k in reversed(range(len(axes))):
        name = f"{prefix}{k}"
        if k:
            lines.append(f"const {index} {name} = {left} % {axes[k].length}, {name}up = {left} / {axes[k].length};")
            left = f"{name}up"
        else:
            lines.append(f"const {index} {name} = {left};")
        names.append(name)
    return lines, names[::-1]


class Body:
    """The statements that compute rows at one position, or at ``width`` neighbouring ones.

    ``at`` gives the text of an access's offset at the position. ``varies`` says whether an access or a row differs between
    neighbours: what does is computed inside the loop over them, the rest before it.
    """

    def __init__(self, space: Space, last: Axis | None, width: int):
        self.space, self.program, self.layout, self.width = space, space.program, space.layout, width
        self.last = last

    def stride(self, n: int) -> int:
        """An access's stride between neighbours."""
        return self.last.strides[n] if self.last is not None else 0

    def operands(self, i: int) -> list[str]:
        """The texts of a row's operands."""
        found = []
        for k, x in enumerate(sources(self.program.rows[i - self.program.first])):
            if (i, k) in self.space.reads:
                found.append(f"a{self.space.reads[i, k]}")
            else:
                j = self.layout.places.source(x) if type(x) is Var else None
                found.append("" if j is None else f"x{j}")
        return found

    def computed(self, i: int, at: str) -> list[str]:
        """The statements that compute a row; ``at`` is its flat index at the position, where it moves entries."""
        if i not in self.space.indices:
            return [statement(self.program, i, self.operands(i))]
        step = self.stride(self.space.indices[i]) if self.width > 1 else 0
        dtype = self.program.spec(i).dtype
        return moved(self.program, i, self.space.moved.__getitem__, lambda place, at: load(place.dtype, f"v{place.root} + {at}"),
                     lambda a, b: total(np.add, dtype, a, b), f"{at} + {step} * u" if step else at)

    def loads(self, n: int, at: str) -> tuple[list[str], list[str]]:
        """(before the loop over neighbours, inside it): statements that give ``a{n}``, an access's entry in its compute type."""
        x = self.space.accesses[n]
        kind, step = compute_type(x.dtype), self.stride(n)
        if step == 0:
            return [f"const {kind} a{n} = {load(x.dtype, f'{x.name} + {at}')};"], []
        if self.width == 1:
            return [], [f"const {kind} a{n} = {load(x.dtype, f'{x.name} + {at}')};"]
        if step == 1:
            vector = f"Vector<{ctype(x.dtype)}, {self.width}>"
            return ([f"const {vector} w{n} = *reinterpret_cast<const {vector}*>({x.name} + {at});"],
                    [f"const {kind} a{n} = {load(x.dtype, f'w{n}.at + u')};"])
        return [], [f"const {kind} a{n} = {load(x.dtype, f'{x.name} + {at} + {step} * u')};"]

    def store(self, i: int, at: str) -> tuple[list[str], list[str], list[str]]:
        """(before the loop over neighbours, inside it, after it): statements that store a row's value."""
        n = self.space.stores[i]
        x, step = self.space.accesses[n], self.stride(n)
        if step == 0:
            return [], [], [store(x.dtype, f"{x.name} + {at}", f"x{i}") + ";"]
        if self.width == 1:
            return [], [store(x.dtype, f"{x.name} + {at}", f"x{i}") + ";"], []
        if step == 1:
            vector = f"Vector<{ctype(x.dtype)}, {self.width}>"
            return ([f"{vector} s{i};"], [store(x.dtype, f"s{i}.at + u", f"x{i}") + ";"],
                    [f"*reinterpret_cast<{vector}*>({x.name} + {at}) = s{i};"])
        return [], [store(x.dtype, f"{x.name} + {at} + {step} * u", f"x{i}") + ";"], []


def source(text: str) -> str:
    """A whole source: what the text of its kernels calls, and then the text."""
    text = DEFINITIONS + (OF_COMPLEX if "Complex<" in text and "from_lane" in text else "") + text
    return prelude(text) + text


def kernel(name: str, threads: int, declared: Sequence[str], lines: Sequence[str]) -> list[str]:
    """A kernel of its parameters' declarations and its statements."""
    return [f'extern "C" __global__ void __launch_bounds__({threads}) {name}({", ".join(declared)}) {{', *indented(lines), "}"]


def indented(lines: Sequence[str], by: int = 1) -> list[str]:
    """Lines further to the right."""
    return ["  " * by + line for line in lines]


def looped(width: int, lines: Sequence[str]) -> list[str]:
    """A loop over neighbours."""
    if width == 1 or not lines:
        return list(lines)
    return ["#pragma unroll", f"for (int u = 0; u < {width}; ++u) {{", *indented(lines), "}"]


def parameters(spaces: Sequence[Space]) -> tuple[list[str], list[Any]]:
    """(declarations, arguments) of the arrays of a kernel, each once."""
    found: dict[str, tuple[str, Any]] = {}
    for space in spaces:
        for v, place in space.moved.items():
            found[f"v{v}"] = (f"const {ctype(place.dtype)}* v{v}", Var(v))
        for x in space.accesses:
            if x.is_index:
                continue
            kind = ctype(x.dtype)
            found[x.name] = (f"{kind if x.writes else 'const ' + kind}* {x.name}", Var(x.variable))
    return [d for d, _ in found.values()], [a for _, a in found.values()]
