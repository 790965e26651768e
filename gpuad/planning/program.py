"""Program: a planned function as rows of NumPy calls, in order.

Variables are numbered: the inputs first (the leaves of the arguments, then the arrays that the function reads from outside),
then one for each row. A row names the variables that it reads by :class:`Var`, anywhere in its arguments.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from linalg.arrays import Shape


class Var(NamedTuple):
    """A variable, where a row's arguments have a value."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs


def is_var(x: Any, index: int) -> bool:
    """Whether an argument is this variable (constants may be arrays, which do not compare)."""
    return type(x) is Var and x.index == index


class Spec(NamedTuple):
    """What is known of a value before the program runs. Kinds: array, scalar (NumPy's), number (Python's), tuple, object."""

    shape: Shape
    dtype: Any
    kind: str = "array"

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize if self.dtype is not None else 0


def spec_of(value: Any) -> Spec:
    """The spec of a value."""
    if isinstance(value, np.generic):
        return Spec((), value.dtype, "scalar")
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return Spec(tuple(value.shape), value.dtype)
    if isinstance(value, (bool, int, float, complex)):
        return Spec((), np.asarray(value).dtype, "number")
    return Spec((), None, "tuple" if isinstance(value, tuple) else "object")


@dataclass(frozen=True, slots=True)
class Row:
    """One call: ``function(*args, **kwargs)``, with Var where a variable is read, also inside tuples and lists."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Spec
    ordered: bool = False  # has an effect (a generator's next numbers): is run once each time, in its place
    errors: dict[str, Any] | None = None  # numpy.errstate, where the function set one around this call

    @property
    def parents(self) -> list[int]:
        """The variables that the row reads, each as often as it reads it."""
        found = []
        for x in self.args:
            if type(x) is Var:
                found.append(x[0])
            elif type(x) in CONTAINERS:
                found += [v[0] for v in variables(x)]
        if self.kwargs:
            found += [v[0] for v in variables(self.kwargs)]
        return found

    def renamed(self, names: Sequence[Any] | dict[int, Any]) -> Row:
        """The row with other variables (or constants) in place of its own."""
        args = tuple([names[x[0]] if type(x) is Var else substitute(x, names) if type(x) in CONTAINERS else x for x in self.args])
        kwargs = substitute(self.kwargs, names) if self.kwargs else self.kwargs
        return Row(self.function, args, kwargs, self.out, self.ordered, self.errors)


CONTAINERS = {tuple, list, dict, slice}


def variables(tree: Any) -> Iterator[Var]:
    """All Var in a row's arguments."""
    kind = type(tree)
    if kind is Var:
        yield tree
    elif kind is tuple or kind is list:
        for part in tree:
            yield from variables(part)
    elif kind is dict:
        for part in tree.values():
            yield from variables(part)
    elif kind is slice:
        yield from variables((tree.start, tree.stop, tree.step))


def substitute(tree: Any, names: Any) -> Any:
    """A row's arguments with ``names[i]`` in place of Var(i)."""
    kind = type(tree)
    if kind is Var:
        return names[tree.index]
    if kind is tuple or kind is list:
        return kind(substitute(part, names) for part in tree)
    if kind is dict:
        return {k: substitute(part, names) for k, part in tree.items()}
    if kind is slice:
        return slice(substitute(tree.start, names), substitute(tree.stop, names), substitute(tree.step, names))
    return tree


@dataclass(frozen=True)
class Program:
    """Inputs, rows and outputs. ``captured`` are arrays from outside, read at each run; an output is a Var or a constant.

    ``on_device``: its arrays are CuPy's, but for constants, which analysis looks at on the host.
    """

    inputs: tuple[Spec, ...]
    captured: tuple[Any, ...]
    rows: tuple[Row, ...]
    outputs: tuple[Any, ...]
    notes: dict[str, Any] = field(default_factory=dict)
    on_device: bool = False

    @property
    def first(self) -> int:
        """The variable of the first row."""
        return len(self.inputs) + len(self.captured)

    @property
    def n_variables(self) -> int:
        return self.first + len(self.rows)

    def spec(self, index: int) -> Spec:
        """What is known of a variable."""
        if index < len(self.inputs):
            return self.inputs[index]
        return self.rows[index - self.first].out if index >= self.first else spec_of(self.captured[index - len(self.inputs)])

    def row(self, index: int) -> Row | None:
        """The row of a variable; None for an input."""
        return self.rows[index - self.first] if index >= self.first else None

    def numbered(self) -> Iterator[tuple[int, Row]]:
        """(variable, row) in order."""
        return enumerate(self.rows, self.first)

    def uses(self) -> list[int]:
        """How often each variable is read, by rows and as an output."""
        counts = [0] * self.n_variables
        for row in self.rows:
            for j in row.parents:
                counts[j] += 1
        for v in variables(self.outputs):
            counts[v.index] += 1
        return counts

    def run(self, *values: Any) -> tuple[Any, ...]:
        """The outputs for these inputs, row by row, without any schedule: what every schedule has to agree with."""
        known = [*values, *self.captured]
        for row in self.rows:
            with np.errstate(**(row.errors or {})):
                known.append(row.function(*substitute(row.args, known), **substitute(row.kwargs, known)))
        return tuple(substitute(self.outputs, known))

    def __str__(self) -> str:
        lines = [f"v{i}: {kind} {spec.dtype}{list(spec.shape)}" for i, (kind, spec) in enumerate(
            [("input", s) for s in self.inputs] + [("captured", spec_of(c)) for c in self.captured])]
        lines += [f"v{i} = {name_of(row.function)}{_written(row)}  {row.out.dtype}{list(row.out.shape)}"
                  for i, row in self.numbered()]
        return "\n".join([*lines, "return " + ", ".join(map(_argument, self.outputs))])


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called in listings."""
    return getattr(function, "__name__", None) or type(function).__name__


def _written(row: Row) -> str:
    return "(" + ", ".join([*map(_argument, row.args), *(f"{k}={_argument(v)}" for k, v in row.kwargs.items())]) + ")"


def _argument(value: Any) -> str:
    if type(value) is Var:
        return f"v{value.index}"
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"{value.dtype}{list(value.shape)}"
    if type(value) in (tuple, list):
        return "(" + ", ".join(map(_argument, value)) + ")"
    return name_of(value) if callable(value) and not isinstance(value, type) else repr(value)


class Builder:
    """A program under construction: used by passes that rewrite rows."""

    def __init__(self, program: Program):
        self.program = program
        self.rows: list[Row] = []
        self.names: list[Any] = [Var(i) for i in range(program.first)]

    def add(self, row: Row) -> Var:
        """Append a row whose variables are the new ones; gives its variable."""
        self.rows.append(row)
        return Var(self.program.first + len(self.rows) - 1)

    def spec(self, index: int) -> Spec:
        """What is known of a new variable."""
        first = self.program.first
        return self.program.spec(index) if index < first else self.rows[index - first].out

    def row(self, x: Any) -> Row | None:
        """The row of a new variable; None for inputs and constants."""
        return self.rows[x.index - self.program.first] if type(x) is Var and x.index >= self.program.first else None

    def spec_of(self, x: Any) -> Spec:
        """The spec of an argument: a new variable or a constant."""
        return self.spec(x.index) if type(x) is Var else spec_of(x)

    def finish(self, **notes: Any) -> Program:
        """The new program; ``names`` must by now have an entry for each old variable that is an output."""
        outputs = substitute(self.program.outputs, self.names)
        return replace(self.program, rows=tuple(self.rows), outputs=outputs, notes={**self.program.notes, **notes})
