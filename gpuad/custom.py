"""A user's own node: any function of arrays, with the differential that the user states."""
from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import optree

from gpuad.aliasing import view as view_of
from gpuad.differential import Block, Primitive, cast, enter
from gpuad.errors import LeakedTraceError, NotDifferentiableError
from gpuad.primitives.views import SHOWN
from gpuad.program import Row
from gpuad.traced import NO_PROGRAM, STAND_INS, TracedArray, stand_in
from linalg import Broadcast, LinearOperator, diagonal
from linalg.arrays import Array, Shape, is_array, is_cupy, namespace, snapshot

Function = Callable[..., Any]


def primitive(f: Function | None = None, *, differential: Function | None = None) -> Any:
    """f as one operation of a program, whatever it does inside: C code, a solver, a table.

    ``differential(y, *args, **kwargs)`` gets the result of f and its arguments (NumPy arrays as read-only views) and gives
    one entry for each positional argument (for a single argument the entry alone will do), the E in dy = E dx:

    - a ``linalg.LinearOperator`` from the argument's shape to the result's,
    - an array or a number, the partial derivative of an elementwise function (arguments broadcast as in NumPy),
    - None, where f is constant in that argument.

    There is no reverse rule to give: the transpose of E is the algebra's. Where f returns a tuple, the differential gets the
    tuple and gives a tuple with such a row for each result. Written with functions that take traced arrays, the
    differential has derivatives itself. It is evaluated at once, and what it gives is copied, as are the results of f: what
    changes in place later does not change a derivative. Arguments to differentiate are arrays, passed by position.

    Without a differential f takes no traced arguments: NotDifferentiableError. Raises ValueError where the number of entries
    or a shape does not fit, TypeError where an entry or a result is of another kind.

    >>> cube = primitive(lambda x: x**3, differential=lambda y, x: 3 * x**2)
    >>> gpuad.grad(cube)(2.0)
    np.float64(12.0)
    """
    if f is None:
        return lambda function: primitive(function, differential=differential)
    if not callable(f) or not (differential is None or callable(differential)):
        what = f if not callable(f) else differential
        raise TypeError(f"primitive expected functions f and differential, got {type(what).__name__}: write "
                        "primitive(f, differential=d), or @primitive(differential=d) above f")
    node = UserPrimitive(getattr(f, "__name__", type(f).__name__), f, differential)

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        return node(*args, **kwargs)

    call.__qualname__ = f"primitive({node.name})"
    return call


class UserPrimitive(Primitive):
    """A primitive whose rows hold finished elements, in the place of arguments."""

    def __init__(self, name: str, f: Function, differential: Function | None):
        super().__init__(name, f)
        self.differential = differential

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """f(*args, **kwargs); where arguments are traced, its results are rows of their program."""
        self._refuse_hidden(args, kwargs)
        program, values, parents, _ = enter(args)
        if program is None:
            staged = stand_in((args, kwargs))
            if staged is None:
                return self._evaluate(args, kwargs)
            return staged._record(Evaluation(self), *args, ordered=True, **kwargs)
        if program is NO_PROGRAM:
            return self(*values, **kwargs)
        if self.differential is None:
            raise NotDifferentiableError(
                f"{self.name} has no differential, so it does not take traced arrays: state one, ad.primitive({self.name}, "
                "differential=lambda y, *args: …), or apply it to ad.stop_gradient(x) where no derivative is wanted")
        if program.rows is None:
            raise LeakedTraceError(self.name)
        kept = [v if j >= 0 else optree.tree_map(snapshot, v) for v, j in zip(values, parents, strict=True)]
        y = self(*[_copied(v) if j >= 0 else v for v, j in zip(values, parents, strict=True)], **kwargs)
        outs = y if isinstance(y, tuple) else (y,)
        results = []
        for out, elements in zip(outs, self._elements(y, outs, kept, parents, kwargs), strict=True):
            index = next(program.numbers)
            program.rows[index] = Row(self, parents, elements, {}, None, out.shape, out.dtype)
            results.append(TracedArray(out, program, index))
        return tuple(results) if isinstance(y, tuple) else results[0]

    def blocks(self, row: Row, rows: Sequence[Row] | dict[int, Row]) -> list[Block]:
        return [(j, cast(element, rows[j], row)) for j, element in zip(row.parents, row.args, strict=True)
                if element is not None]

    def _refuse_hidden(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise where a traced array comes in a way in which its derivative would be lost."""
        inside: list[Any] = [a for a in args if not is_array(a)]
        leaves: list[Any] = optree.tree_leaves([inside, kwargs]) if inside or kwargs else []  # type: ignore[arg-type]
        if any(type(x) is TracedArray for x in leaves):
            raise TypeError(f"{self.name}: expected traced arrays as positional arguments, got one inside a container or by "
                            "keyword; pass it by position, a container's entries one by one")

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        y = self.fun(*args, **kwargs)
        return tuple(self._owned(part, args) for part in y) if isinstance(y, tuple) else self._owned(y, args)

    def _owned(self, y: Any, args: tuple[Any, ...]) -> Array:
        """A result of f as an array that is nobody else's."""
        if type(y) is TracedArray:
            raise TypeError(f"{self.name} returned a traced array, which is not among its arguments: the function reads it from "
                            "outside, where its derivative would be lost; pass it as a positional argument")
        y = y if is_array(y) else namespace(*filter(is_array, args)).asarray(y)
        if y.dtype.kind not in "fciub":
            raise TypeError(f"{self.name} expected its function to return arrays or numbers, got dtype {y.dtype}")
        return y.copy()

    def _elements(self, y: Any, outs: tuple[Array, ...], args: list[Any], parents: Sequence[int],
                  kwargs: dict[str, Any]) -> list[list[LinearOperator | None]]:
        """For each result, the elements that the user's differential gives."""
        for out in outs:
            if out.dtype.kind not in "fc":
                raise TypeError(f"{self.name}: expected floating-point or complex results to differentiate, got dtype "
                                f"{out.dtype}; convert them with .astype(float)")
        shown = [_read_only(a) for a in args]
        views = tuple(map(_read_only, outs))
        rows = self.differential(views if isinstance(y, tuple) else views[0], *shown, **kwargs)  # type: ignore[misc]
        known = {id(x): x for x in (*shown, *views)}
        entries = self._rows(rows, len(outs), len(args)) if isinstance(y, tuple) else [self._row(rows, len(args))]
        return [[self._element(entry, i, args[i], out, known) if parents[i] >= 0 else None for i, entry in enumerate(row)]
                for row, out in zip(entries, outs, strict=True)]

    def _rows(self, rows: Any, m: int, n: int) -> list[Sequence[Any]]:
        if not isinstance(rows, (tuple, list)) or len(rows) != m:
            raise ValueError(f"{self.name}: expected its differential to give {m} rows, one for each result, got {_count(rows)}")
        return [self._row(row, n) for row in rows]

    def _row(self, entries: Any, n: int) -> Sequence[Any]:
        if n == 1 and not isinstance(entries, (tuple, list)):
            return (entries,)
        if not isinstance(entries, (tuple, list)) or len(entries) != n:
            raise ValueError(f"{self.name}: expected its differential to give {n} entries, one for each positional argument "
                             f"(None where it is constant), got {_count(entries)}")
        return entries

    def _element(self, entry: Any, i: int, x: Array, y: Array, known: dict[int, Any]) -> LinearOperator | None:
        """The element that an entry stands for, or a complaint."""
        if entry is None:
            return None
        if isinstance(entry, LinearOperator):
            self._check_shapes(entry, i, x.shape, y.shape)
            return _own(entry, known)
        if not is_array(entry) and isinstance(entry, (bool, int, float, complex)):
            entry = 1 if entry == 1 else np.result_type(type(entry), y.dtype).type(entry)
        elif not is_array(entry) or entry.dtype.kind not in "fciub":
            raise TypeError(f"{self.name}: expected as entry {i} of its differential a linalg.LinearOperator, an array or a "
                            f"number (a partial derivative) or None, got {_kind(entry)}")
        return self._partial(entry, i, x.shape, y, known)

    def _check_shapes(self, entry: LinearOperator, i: int, x: Shape, y: Shape) -> None:
        if (tuple(entry.in_shape), tuple(entry.out_shape)) != (x, y):
            raise ValueError(f"{self.name}: expected as entry {i} of its differential an operator {x} -> {y}, from the "
                             f"argument's shape to the result's, got {entry.in_shape} -> {entry.out_shape}: {entry!r}")

    def _partial(self, d: Any, i: int, shape: Shape, y: Array, known: dict[int, Any]) -> LinearOperator:
        """x ↦ d ∘ x, with x broadcast to the result's shape."""
        for name, part in (("partial derivative", np.shape(d)), ("argument", shape)):
            if not _broadcasts(part, y.shape):
                raise ValueError(f"{self.name}: entry {i} of its differential is an array, the partial derivative of an "
                                 f"elementwise function, but the {name}'s shape {part} does not broadcast to the result's, "
                                 f"{y.shape}; for a Jacobian matrix give linalg.Dense(matrix, {shape}, {y.shape})")
        if is_array(d):
            if d.dtype.kind == "c" and y.dtype.kind != "c":
                raise TypeError(f"{self.name}: entry {i} of its differential is complex ({d.dtype}) but the result is real "
                                f"({y.dtype}); give an operator, such as linalg.RealPart(shape) @ linalg.Diagonal(d, shape)")
            d = _own(d, known)
            d = d if d.dtype == y.dtype else d.astype(y.dtype)
        element = diagonal(d, y.shape)
        return element if shape == y.shape else element @ Broadcast(shape, y.shape)


class Evaluation:
    """A user's function as a row of a plan, which calls it anew at each run."""

    def __init__(self, node: UserPrimitive):
        self._node, self.__name__ = node, node.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._node._evaluate(tuple(map(_copied, args)), kwargs)


def _count(entries: Any) -> str:
    return str(len(entries)) if isinstance(entries, (tuple, list)) else f"one {_kind(entries)}"


def _kind(x: Any) -> str:
    return f"{type(x).__name__} of dtype {x.dtype}" if is_array(x) else type(x).__name__


def _broadcasts(shape: Shape, target: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def _copied(x: Any) -> Any:
    """An array that f may write to."""
    return x.copy() if isinstance(x, np.ndarray) or is_cupy(x) else x


def _read_only(x: Any) -> Any:
    """The array as a view that the user cannot write to; a copy where the library has no such views."""
    if type(x) in STAND_INS:
        return view_of(x.copy(), x, SHOWN, None)
    if is_cupy(x):
        return x.copy()
    if not isinstance(x, np.ndarray):
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def _own(x: Any, known: dict[int, Any]) -> Any:
    """What an element holds, in copies that nobody else can change; arrays that are known to be ours stay."""
    return known[id(x)] if id(x) in known else copy.deepcopy(x, dict(known))
