"""Trace: one call of a function on traced arguments, and what it recorded."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import optree

from gpuad.errors import LeakedTraceError
from gpuad.leaves import Leaf, _own, as_leaf, leaf_path
from gpuad.program import Program
from gpuad.system import System, renumbered
from gpuad.traced import NO_PROGRAM, TracedArray
from linalg.arrays import Array, is_array, snapshot

Function = Callable[..., Any]
Argnums = int | Sequence[int]


class Trace:
    """One call of a function on traced arguments: its rows, its inputs, and what it returned."""

    __slots__ = ("leaves", "out", "program", "rows", "trees")

    def __init__(self, f: Function, args: Sequence[Any], kwargs: dict[str, Any], positions: Sequence[int], name: str):
        self.program = program = Program()
        self.leaves: list[Leaf] = []
        self.trees: list[optree.PyTreeSpec] = []
        call = list(args)
        try:
            for position in positions:
                call[position] = self._input(call[position], position, name)
            self.out = f(*call, **kwargs)
        finally:
            self.rows = program.close()

    def _input(self, arg: Any, position: int, name: str) -> Any:
        values, tree = optree.tree_flatten(arg)
        try:
            leaves = [as_leaf(x, name) for x in values]
        except TypeError:
            for i, x in enumerate(values):
                as_leaf(x, f"{name}: argument {position}{leaf_path(arg, i)}")
            raise
        self.leaves += leaves
        self.trees.append(tree)
        return optree.tree_unflatten(tree, [self.program.input(value) for value, _ in leaves])

    def index_of(self, x: Any) -> int | None:
        """The variable that x is in this program; None where x does not depend on the inputs."""
        if type(x) is not TracedArray:
            return None
        if x.program is self.program:
            return x.index
        if x.program is NO_PROGRAM:
            return None
        if x.program.rows is None or x.program.level > self.program.level:
            raise LeakedTraceError("the function's result")
        return None

    def value(self, x: Any) -> Any:
        """x without this trace."""
        return x.value if type(x) is TracedArray and (x.program is self.program or x.program is NO_PROGRAM) else x

    def values(self, tree: Any) -> Any:
        """A pytree without this trace."""
        taken: set[int] = set()
        return optree.tree_map(lambda x: _own(self.value(x), taken) if type(x) is TracedArray else x, tree)

    def unflatten(self, leaves: Sequence[Any], many: bool) -> Any:
        """Leaves in the structure of the arguments: a tuple where several were asked for."""
        if not many:
            return optree.tree_unflatten(self.trees[0], leaves)
        result, start = [], 0
        for tree in self.trees:
            result.append(optree.tree_unflatten(tree, leaves[start: start + tree.num_leaves]))
            start += tree.num_leaves
        return tuple(result)

    def system(self, name: str) -> tuple[Any, System]:
        """The function's value, and the system of its differential (arguments as a tuple)."""
        leaves, out_tree = optree.tree_flatten(self.out)
        values = [as_output(self.value(x), name) for x in leaves]
        rows, indices = renumbered(self.rows, [self.index_of(x) for x in leaves])
        outputs = list(zip(indices, map(floating, values), strict=True))
        system = System(rows, self.leaves, optree.treespec_tuple(self.trees), outputs, out_tree)
        return optree.tree_unflatten(out_tree, [snapshot(v) for v in values]), system


def as_output(value: Any, name: str) -> Array:
    if type(value) in (bool, int, float, complex):
        return np.asarray(value)
    if not is_array(value) or value.dtype.kind not in "fciub":
        raise TypeError(f"{name}: expected the function to return arrays or numbers (in any pytree), got {type(value).__name__}"
                        + (f" of dtype {value.dtype}" if hasattr(value, "dtype") else ""))
    return value


def floating(value: Array) -> Array:
    """A result as the system sees it: integers and booleans, which are constant, as floating-point numbers."""
    return value if value.dtype.kind in "fc" else value.astype(float)


def numbers_of(argnums: Argnums) -> tuple[int | tuple[int, ...], bool]:
    """argnums as a number or a tuple, and whether it is a tuple."""
    if isinstance(argnums, (list, tuple)):
        return tuple(argnums), True
    if not isinstance(argnums, (int, np.integer)) or isinstance(argnums, bool):
        raise TypeError(f"expected argnums to be an integer or a tuple of integers, got {argnums!r}")
    return int(argnums), False


@lru_cache(maxsize=256, typed=True)
def positions_of(argnums: int | tuple[int, ...], n: int, name: str) -> tuple[int, ...]:
    """The positional arguments that ``argnums`` names, of n."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if not isinstance(number, (int, np.integer)):
            raise TypeError(f"{name}: expected argnums to be an integer or a tuple of integers, got {argnums!r}")
        if not -n <= number < n:
            raise ValueError(f"{name}: argnums={argnums!r} is out of range for a call with {n} positional arguments; arguments "
                             "to differentiate are passed by position")
    resolved = tuple(number % n for number in numbers)
    if len(set(resolved)) != len(resolved):
        raise ValueError(f"{name}: expected argnums without repetition, got {argnums!r}")
    return resolved


def require_callable(f: Any, name: str) -> Function:
    if not callable(f):
        raise TypeError(f"{name} expected a function, got {type(f).__name__}: write {name}(f)(x), not {name}(f(x))")
    return f
