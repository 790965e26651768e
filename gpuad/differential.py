"""Primitive: an array function and its differential, stated once with ``linalg`` elements.

A rule gives, for one argument, the element E in dy = E dx. There are no reverse rules: transposes belong to ``linalg``.

What a rule uses is read from its parameters: one whose name starts with an underscore is not used, and its value is
not kept until the solve. So ``lambda y, _x: 1 - y * y`` keeps the result of tanh only.
"""
from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import lru_cache
from sys import modules
from typing import Any

import numpy as np

from gpuad.errors import LeakedTraceError
from gpuad.program import Program, Row, Rows, compact, new_row, own
from gpuad.traced import NO_PROGRAM, STAND_INS, TracedArray, raw
from linalg import Broadcast, Cast, Diagonal, Identity, LinearOperator, Product, Scaling, diagonal, entrywise
from linalg.arrays import ON_HOST, Array, is_cupy

Block = tuple[int, LinearOperator]
Rule = Callable[..., Any]


_identity = lru_cache(maxsize=1024)(Identity)  # immutable, and half the time of a new one
_broadcast = lru_cache(maxsize=1024)(Broadcast)


class Primitive:
    """A function of arrays with a rule for each positional argument: ``rule(in_shape, y, *args, **kwargs) -> element``.

    ``in_shape`` is the shape of the argument in question. None as a rule says that the function is constant in that argument.
    """

    leading = 1  # parameters of a rule before y

    def __init__(self, name: str, fun: Callable[..., Any], *rules: Rule | None, component: int = 0):
        self.name, self.fun, self.rules, self.component = name, fun, rules, component
        self.saves: dict[int, tuple[bool, Sequence[int]]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function; where an argument is traced, append the row of this operation to its program."""
        return self.record(args, kwargs)

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], outs: tuple[Any, ...] | None = None) -> Any:
        """The call with these arguments, seen from the youngest program among them: all other arguments are constants there.

        ``outs`` are the results where they are known already: this primitive is then one of them, and its rule's y is the tuple.
        """
        program, values, parents, bits = enter(args)
        if outs is None:
            try:
                y = out = self.fun(*values, **kwargs)
            except TypeError as error:
                if mixed := mixed_libraries(self.name, args):
                    raise mixed from error
                raise
        else:
            y, out = outs, outs[self.component]
        if program is None:
            return out
        rows = program.rows
        if rows is None:
            if program is NO_PROGRAM:
                return out
            raise LeakedTraceError(self.label(kwargs))
        dtype = out.dtype
        if (type(out), dtype) not in _PLAIN:
            _require_plain(out, self.name, values)
        keep_y, kept = self.saves.get(bits) or self.find_saves(bits, len(args))
        saved = [None] * len(args)
        for position in kept:  # traced values are the program's own; constants may be changed by others later
            value = values[position]
            if parents[position] < 0:
                value = own(value)
            elif type(value) is not np.ndarray or value.base is not None:
                value = compact(value)
            saved[position] = value
        index = next(program.numbers)
        rows[index] = new_row(Row, (self, parents, saved, kwargs, y if keep_y else None, out.shape, dtype))
        return TracedArray(out, program, index)

    def rule(self, position: int) -> Rule | None:
        return self.rules[position]

    def find_saves(self, bits: int, n: int) -> tuple[bool, Sequence[int]]:
        """Whether the result, and which arguments, the rules of the traced arguments (bits) use."""
        used: set[int] = set()
        for position in range(n):
            rule = self.rule(position) if bits >> position & 1 else None
            if rule is not None:
                used |= self._uses(rule, n)
        self.saves[bits] = (-1 in used, sorted(used - {-1}))
        return self.saves[bits]

    def _uses(self, rule: Rule, n: int) -> set[int]:
        parameters = list(inspect.signature(rule).parameters.values())
        places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][self.leading:]
        used = {i for i, p in enumerate(places, -1) if not p.name.startswith("_") and i < n}
        if any(p.kind is p.VAR_POSITIONAL and not p.name.startswith("_") for p in parameters):
            used |= set(range(len(places) - 1, n))
        return used

    def blocks(self, row: Row, rows: Rows) -> list[Block]:
        """The row of the system: (variable, element) for each traced argument."""
        result = []
        _, parents, args, kwargs, y, _, dtype = row
        for position, j in enumerate(parents):
            rule = self.rules[position] if j >= 0 else None
            if rule is not None:
                source = rows[j]
                element = rule(source.shape, y, *args, **kwargs)
                result.append((j, element if source.dtype is dtype else cast(element, source, row)))
        return result

    def label(self, _kwargs: dict[str, Any]) -> str:
        """What a row of this primitive is called in pictures and messages."""
        return self.name

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


class Elementwise(Primitive):
    """A function that acts entry by entry, with broadcasting: ``rule(y, *args) -> partial derivative`` for each argument.

    A partial derivative is an array, or a number where it is constant.
    """

    leading = 0

    def __init__(self, name: str, fun: Callable[..., Any], *rules: Rule | None):
        super().__init__(name, fun, *rules)
        used = [set() if rule is None else self._uses(rule, len(rules)) for rule in rules]
        self._constant = [None if rule is None or u else rule(*[None] * (len(rules) + 1))
                          for rule, u in zip(rules, used, strict=True)]
        self._witness = [-1 if -1 in u else k if k in u else min(u, default=0)  # the operand that shows where all of them lie
                         for k, u in enumerate(used)]

    def blocks(self, row: Row, rows: Rows) -> list[Block]:
        _, parents, args, _, y, shape, dtype = row
        result: list[Block] = []
        for position, j in enumerate(parents):
            if j < 0 or (rule := self.rules[position]) is None:
                continue
            d = self._constant[position]
            element: LinearOperator
            if d is None:
                if "cupy" not in modules or type(y if (k := self._witness[position]) < 0 else args[k]) in ON_HOST:
                    d = rule(y, *args)
                    element = Diagonal(d, shape) if type(d) is np.ndarray and d.ndim else diagonal(d, shape)
                else:
                    element = entrywise(rule, (y, *args), shape)
            else:
                element = _identity(shape) if d == 1 else Scaling(d, shape)
            source = rows[j]
            if source.shape != shape:
                repeated = _broadcast(source.shape, shape)
                element = repeated if type(element) is Identity else Product(element, repeated)
            if source.dtype is not dtype:
                element = cast(element, source, row)
            result.append((j, element))
        return result


class Variadic(Primitive):
    """A function of any number of arrays, with one rule for all: ``rule(position, in_shape, y, *args, **kwargs) -> element``."""

    leading = 2

    def __init__(self, name: str, fun: Callable[..., Any], rule: Rule):
        super().__init__(name, fun)
        self._rule = rule
        uses = self._uses(rule, 1)
        self._uses_y, self._uses_args = -1 in uses, bool(uses - {-1})

    def rule(self, _position: int) -> Rule | None:
        return self._rule

    def find_saves(self, _bits: int, n: int) -> tuple[bool, Sequence[int]]:
        return self._uses_y, range(n) if self._uses_args else ()

    def blocks(self, row: Row, rows: Rows) -> list[Block]:
        args = row.args if self._uses_args else ()
        return [(j, cast(self._rule(position, rows[j].shape, row.out, *args, **row.kwargs), rows[j], row))
                for position, j in enumerate(row.parents) if j >= 0]


class MultiOutput:
    """A function of arrays that returns several: ``rules[k]`` are the rules of output k, one for each argument.

    In these rules y is the tuple of all outputs. Every output is a row of its own.
    """

    def __init__(self, name: str, fun: Callable[..., tuple[Any, ...]], *rules: Sequence[Rule | None]):
        self.name, self.fun = name, fun
        self.outputs = [Primitive(f"{name}[{k}]", self._component(k), *r, component=k) for k, r in enumerate(rules)]

    def _component(self, k: int) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.fun(*args, **kwargs)[k]

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        outs = tuple(self.fun(*enter(args)[1], **kwargs))
        return tuple(output.record(args, kwargs, outs) for output in self.outputs)


def enter(args: tuple[Any, ...]) -> tuple[Program | None, Sequence[Any], Sequence[int], int]:
    """What a call needs to be recorded: the youngest program among its arguments (None where nothing is traced), the values of
    the arguments seen from there, the variable that each is there (−1 for a constant), and the bits of the traced
    positions, with one more bit after the last position.
    """
    if len(args) == 1:  # the short ways for one and two arguments: most rows are of these kinds
        a = args[0]
        return (a.program, (a.value,), (a.index,), 0b11) if type(a) is TracedArray else (None, args, (), 2)
    if len(args) == 2:
        a, b = args
        if type(a) is TracedArray:
            if type(b) is not TracedArray or b.program.level < a.program.level:
                return a.program, (a.value, b), (a.index, -1), 0b101
            if a.program is b.program:
                return a.program, (a.value, b.value), (a.index, b.index), 0b111
        if type(b) is TracedArray:
            return b.program, (a, b.value), (-1, b.index), 0b110
        return None, args, (), 0b100
    program = max((a.program for a in args if type(a) is TracedArray), key=lambda p: p.level, default=None)
    here = [type(a) is TracedArray and a.program is program for a in args]
    values = [a.value if h else a for a, h in zip(args, here, strict=True)]
    parents = [a.index if h else -1 for a, h in zip(args, here, strict=True)]
    return program, values, parents, sum(1 << i for i, h in enumerate([*here, True]) if h)


_PLAIN: set[tuple[type, Any]] = set()
"""Types and dtypes of results that have been seen to be plain arrays."""


def _require_plain(out: Any, name: str, values: Sequence[Any]) -> None:
    """Raise where a result is no plain floating-point or complex array: a constant was of a kind that gpuad cannot trace."""
    kind = type(out)
    plain = kind is np.ndarray or issubclass(kind, np.generic) or kind in STAND_INS or is_cupy(out)
    if not plain or out.dtype.kind not in "fc":
        kinds = ", ".join(f"{type(v).__module__}.{type(v).__name__}" for v in values)
        raise TypeError(f"{name}: expected plain floating-point arrays and numbers as operands, got {kinds}, which gave "
                        f"{kind.__module__}.{kind.__name__} of dtype {out.dtype}; convert masked arrays, matrices, sparse "
                        "matrices and objects first (numpy.asarray(x, float), linalg.Sparse(A) @ x)")
    _PLAIN.add((kind, out.dtype))


def cast(element: LinearOperator, source: Row, row: Row) -> LinearOperator:
    """The element, after a cast of its argument where the operation has computed in another dtype."""
    if source.dtype == row.dtype or (source.dtype.kind == "c" and row.dtype.kind != "c"):
        return element
    return Product(element, Cast(source.shape, source.dtype, row.dtype))


def mixed_libraries(name: str, args: Sequence[Any]) -> TypeError | None:
    """The error that says that NumPy and CuPy arrays were mixed, where they were."""
    values = [raw(a) for a in args]
    if not (any(map(is_cupy, values)) and any(isinstance(v, np.ndarray) for v in values)):
        return None
    return TypeError(f"{name}: expected arrays of one library, got NumPy and CuPy arrays mixed; move one side first, with "
                     "cupy.asarray(x) or cupy.asnumpy(x)")


class Linear(Primitive):
    """``linear(x, operator=E)`` is E x: an operation that is its own differential. So are reshapes, sums, indexing, …"""

    def label(self, kwargs: dict[str, Any]) -> str:
        return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(kwargs["operator"]).__name__).lower()


linear = Linear("linear", lambda x, operator: operator._apply(x), lambda _shape, _y, _x, operator: operator)


def _apply_linear(self: TracedArray, operator: LinearOperator) -> Array:
    """E x for an element E whose arrays others may change before the solve: a copy of it is kept."""
    return linear(self, operator=deepcopy(operator))


TracedArray._apply_linear = _apply_linear  # type: ignore[attr-defined]
