"""checkpoint(f): a function whose rows are not kept, but made again when a substitution reaches them.

What f has recorded is folded into one block of the system: its rows are let go, and a row takes their place whose element, a
``linalg.Checkpoint``, runs f again when it is applied. The element maps one vector to another: the variables that f reads (its
arguments and what it closes over), one behind the other, to its results.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
import optree

from gpuad.differential import Variadic, linear
from gpuad.program import Program, Row
from gpuad.system import Blocks, ConsumedBlocks, lost, outputs_last, renumbered
from gpuad.traced import TracedArray, raw
from linalg import Checkpoint
from linalg.arrays import Array, is_array, is_borrowing, namespace, records, snapshot
from linalg.checkpoint import Parts

Generators = (np.random.Generator, np.random.RandomState)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, of which a derivative keeps the arguments only: what is inside is computed again when a substitution reaches it.

    Memory against time: between the call and the substitution f's arguments are kept and nothing else of it, and each
    substitution through f calls f once more. In a chain of n functions with √n checkpoints this is √n of the memory for one
    more evaluation; checkpoints may be nested. f takes and gives pytrees. Derivatives of any order and mode follow, also with
    respect to arrays that f closes over. Where no argument is traced, and in a plan (which keeps what it needs), f is called as
    it is.

    f must do the same again: a random generator is passed as an argument, whose state is kept. Printing and the like are
    repeated. Raises RuntimeError where f gives other results the second time, or reads other arrays (drawn at random, written
    to in between); LeakedTraceError where something that f made, or wrote to, is used without being a result or an argument of f.

    (Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation, 1992.)

    >>> gpuad.grad(checkpoint(lambda x: np.sin(x) ** 2))(0.0)
    np.float64(0.0)
    """
    if not callable(f):
        raise TypeError(f"checkpoint expected a function, got {type(f).__name__}: write checkpoint(f)(x), not checkpoint(f(x))")

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        given: Any = (args, kwargs)
        leaves, tree = optree.tree_flatten(given)
        programs = _open_programs(leaves)
        if not programs or is_borrowing() or any(records(raw(x)) for x in leaves):
            return f(*args, **kwargs)
        kept = [_kept(x) for x in leaves]
        places = [(program, next(program.numbers), next(program.numbers)) for program in programs]
        out = f(*args, **kwargs)
        results = [*optree.tree_leaves(out), *leaves]  # arguments that were written to are results too
        again = _Again(f, kept, tree, {program: {} for program in programs}, [_sample(x) for x in results])
        for program, first, second in places:
            _fold(program, first, second, results, again)
        return out

    return call


def _open_programs(leaves: Iterable[Any]) -> list[Program]:
    """The programs that the leaves are traced in and that still record, youngest first."""
    found: dict[int, Program] = {}
    for leaf in leaves:
        while type(leaf) is TracedArray:
            if leaf.program.rows is not None:
                found[leaf.program.level] = leaf.program
            leaf = leaf.value
    return [found[level] for level in sorted(found, reverse=True)]


def _kept(leaf: Any) -> Any:
    """An argument as it is now, whatever is written to it later."""
    if isinstance(leaf, Generators):
        return deepcopy(leaf)
    if not is_array(leaf):
        return leaf
    leaf = snapshot(leaf)
    if isinstance(leaf, np.ndarray):
        leaf.flags.writeable = False
    return leaf


class _Again(NamedTuple):
    """A call that can be made again: the function, its arguments, the programs with the variables that it has read there, and
    what is remembered of the results.
    """

    f: Callable[..., Any]
    kept: list[Any]
    tree: optree.PyTreeSpec
    programs: dict[Program, dict[int, Row]]
    samples: list[Any]

    @property
    def name(self) -> str:
        return f"checkpoint({getattr(self.f, '__name__', type(self.f).__name__)})"

    def __call__(self) -> list[Any]:
        """The leaves of f's results, and those of its arguments as f has left them."""
        leaves = [x.copy() if type(x) is TracedArray else deepcopy(x) if isinstance(x, Generators) else x for x in self.kept]
        given: Any = optree.tree_unflatten(self.tree, leaves)
        args, kwargs = given
        results = [*optree.tree_leaves(self.f(*args, **kwargs)), *leaves]
        if len(results) != len(self.samples) or not all(map(_is_like, results, self.samples)):
            raise RuntimeError(f"{self.name}: expected the same results when the function was computed again, got others: it "
                               "draws random numbers, or reads what has changed since. Pass random generators, and all that "
                               "changes, as arguments")
        return results


def _sample(leaf: Any) -> Any:
    """A few entries of a result."""
    x = raw(leaf)
    if not is_array(x) or x.dtype.kind not in "fc":
        return None
    xp = namespace(x)
    if x.size <= 16:
        return xp.array(x)
    return x[tuple(xp.asarray(i) for i in np.unravel_index(np.arange(0, x.size, -(-x.size // 16)), x.shape))]


def _is_like(leaf: Any, sample: Any) -> bool:
    found = _sample(leaf)
    if sample is None or found is None:
        return sample is found
    xp, eps = namespace(sample), float(np.finfo(sample.dtype).eps) ** 0.5
    if found.shape != sample.shape or found.dtype != sample.dtype or not found.size:
        return found.shape == sample.shape and found.dtype == sample.dtype
    if bool((found == sample).all()):
        return True
    bound = eps * float(xp.abs(sample).max()) if bool(xp.isfinite(sample).all()) else 0.0
    return bool(xp.allclose(found, sample, eps, bound, equal_nan=True))


# ---- folding rows into one

def _space(row: Row) -> Row:
    """The row of a variable of which no more than shape and dtype is known."""
    return Row(None, (), [], {}, None, row.shape, row.dtype)


_join = Variadic("join", lambda *_: None, lambda position, _shape, _y, *_x, parts: parts.part(position).T)


def _fold(program: Program, first: int, second: int, leaves: list[Any], again: _Again) -> None:
    """Put a join, the checkpoint and its parts in the place of all rows that the leaves of f's results were made of."""
    rows: Any = program.rows
    outputs = _variables(leaves, program, second)
    if not outputs:
        return
    made, read = _made(rows, outputs, second)
    again.programs[program] = {j: _space(rows[j]) for j in read}
    known, results = list(again.programs[program].values()), [_space(rows[i]) for i in outputs]
    inputs, parts = (Parts([(row.shape, row.dtype) for row in side]) for side in (known, results))
    make = _Rows(again, program, known, results)
    like = next((x.value for x in again.kept if type(x) is TracedArray), None)
    gone = set(made) - set(outputs)
    for i in range(second + 1, next(program.numbers)):  # by-products that f has thrown away
        if i in rows and i not in outputs and not gone.isdisjoint(rows[i].parents):
            gone.add(i)
    for i in gone:
        del rows[i]
    rows[first] = Row(_join, read, [None] * len(read), {"parts": inputs}, None, inputs.shape, inputs.dtype)
    element = Checkpoint(make, inputs, parts, make.run, like)
    rows[second] = Row(linear, [first], [None], {"operator": element}, None, parts.shape, parts.dtype)
    for k, (i, (shape, dtype)) in enumerate(zip(outputs, parts.parts, strict=True)):
        rows[i] = Row(linear, [second], [None], {"operator": parts.part(k)}, None, shape, dtype)


def _variables(results: list[Any], program: Program, after: int) -> list[int]:
    """The variables of a program, made after a certain one, that the results are."""
    found: dict[int, None] = {}
    for x in results:
        while type(x) is TracedArray and x.program.level > program.level:
            x = x.value
        if type(x) is TracedArray and x.program is program and x.index > after:
            found[x.index] = None
    return list(found)


def _made(rows: dict[int, Row], outputs: list[int], after: int) -> tuple[list[int], list[int]]:
    """The rows made after a certain one that the outputs depend on, and the earlier variables that these read."""
    made, read, waiting = set(outputs), set(), list(outputs)
    while waiting:
        try:
            parents = rows[waiting.pop()].parents
        except KeyError as error:
            raise lost() from error
        for j in parents:
            if 0 <= j < after:
                read.add(j)
            elif j > after and j not in made:
                made.add(j)
                waiting.append(j)
    return sorted(made), sorted(read)


_computing_again = threading.RLock()


class _Rows:
    """Makes f's system again: the variables that it reads, the rows that it makes, its results."""

    def __init__(self, again: _Again, program: Program, inputs: Sequence[Row], outputs: Sequence[Row]):
        self.again, self.program, self.inputs, self.outputs = again, program, inputs, outputs

    def __call__(self, again: bool) -> Blocks:
        """The block rows, to be read any number of times or once."""
        return Blocks(self._rows()) if again else ConsumedBlocks(dict(enumerate(self._rows())))

    def _rows(self) -> list[Row]:
        with _computing_again, ExitStack() as stack:
            for program, known in self.again.programs.items():
                if program.rows is None:
                    stack.enter_context(program.reopened(known))
            start = next(self.program.numbers)
            outputs = _variables(self.again(), self.program, start)
            rows: Any = self.program.rows
            made, read = _made(rows, outputs, start)
            moved, places = renumbered({i: rows.pop(i) for i in made}, outputs, read)
        if read != list(self.again.programs[self.program]) or len(places) != len(self.outputs):
            raise RuntimeError(f"{self.again.name}: expected the function to read the same arrays when it was computed again, "
                               "got others: an array that it closes over was written to since. Pass such arrays as arguments")
        return outputs_last([*self.inputs, *moved], len(read), list(zip(places, self.outputs, strict=True)))

    def run(self, substitute: Callable[[Any], Any], x: Array) -> Array:
        """One substitution: of what it records in programs further out, the rows are not kept either."""
        return checkpoint(lambda x, _kept: substitute(x))(x, self.again.kept)


__all__ = ["checkpoint"]
