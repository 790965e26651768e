"""The leaves of a call's arguments, by a function that is generated for their structure.

``optree`` flattens any structure; for one that is known, of tuples, lists and dicts, unpacking it in generated Python takes a
third of the time, and checks every leaf on the way.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from gpuad.planning.program import Program, Spec, spec_of
from gpuad.planning.trace import Generators
from linalg.arrays import device_of, is_cupy

Unpack = Callable[[tuple[Any, ...]], Any]
TYPES = {"b": bool, "i": int, "f": float, "c": complex}


def unpacker(args: tuple[Any, ...], program: Program, static: Collection[int] = (), like: Any = None) -> Unpack:
    """A function of the arguments that gives their leaves in pytree order where they are of the structure, kinds, shapes and
    dtypes for which the program was made, and None where they are not, or where this cannot be told quickly.

    ``static`` arguments have to be the same objects, and arrays lie where ``like`` does.
    """
    writer = _Writer(program, like)
    writer.space |= {f"s{i}": args[i] for i in static}
    places = [f"args[{i}] is s{i}" if i in static else writer.check(f"args[{i}]", arg) for i, arg in enumerate(args)]
    fits = [f"len(args) == {len(args)}", *places, *map(writer.captured, range(len(program.captured)))]
    if writer.unknown or len(writer.leaves) != len(program.inputs):
        return lambda _args: None
    leaves = f"[{', '.join(writer.leaves)}]"
    text = f"def unpack(args):\n    return {leaves} if {' and '.join(fits)} else None"
    exec(text, writer.space)
    return writer.space["unpack"]  # type: ignore[no-any-return]


def guard(program: Program, like: Any = None) -> Callable[..., bool]:
    """A function of the leaves that tells whether they, and the arrays from outside, are of known kinds, shapes and dtypes."""
    writer = _Writer(program, like)
    names = [f"x{i}" for i in range(len(program.inputs))]
    fits = [writer.leaf(name) for name in names] + [writer.captured(i) for i in range(len(program.captured))]
    exec(f"def fits({', '.join(names)}):\n    return {' and '.join(fits) or True}", writer.space)
    return writer.space["fits"]  # type: ignore[no-any-return]


def orders(tree: Any) -> tuple[Any, ...]:
    """The order of the keys of each dict, which a function may depend on, and which a treespec does not tell."""
    if type(tree) is dict:
        return (tuple(tree), *map(orders, tree.values()))
    return tuple(map(orders, tree)) if isinstance(tree, (tuple, list)) else ()


class _Writer:
    """Python text that checks and names the leaves of a structure."""

    def __init__(self, program: Program, like: Any = None):
        self.specs: Sequence[Spec] = program.inputs
        self.outside = program.captured
        self.space: dict[str, Any] = {"ndarray": np.ndarray if like is None else type(like), "Generators": Generators}
        self.device = device_of(like)
        self.leaves: list[str] = []
        self.unknown = False

    def check(self, at: str, tree: Any) -> str:
        """The condition that what stands at ``at`` has the structure of ``tree``; an empty one holds its place with True."""
        kind = type(tree)
        if kind is tuple or kind is list:
            parts = [self.check(f"{at}[{i}]", part) for i, part in enumerate(tree)]
            return " and ".join([f"type({at}) is {kind.__name__} and len({at}) == {len(tree)}", *parts])
        if kind is dict and all(type(k) is str for k in tree):
            parts = [self.check(f"{at}[{k!r}]", tree[k]) for k in sorted(tree)]
            return " and ".join([f"type({at}) is dict and [*{at}] == {list(tree)!r}", *parts])
        if tree is None:
            return f"{at} is None"
        if not (kind in (bool, int, float, complex, np.ndarray) or isinstance(tree, (np.generic, *Generators)) or is_cupy(tree)) \
                or len(self.leaves) == len(self.specs):
            self.unknown = True
            return "False"
        name = f"x{len(self.leaves)}"
        test = self.leaf(name, f"({name} := {at})")
        self.leaves.append(name)
        return test

    def leaf(self, name: str, first: str = "") -> str:
        """The condition that a leaf is what the program expects; ``first`` stands for its name where it is met first."""
        i = int(name[1:])
        return self._array(name, first or name, self.specs[i], i)

    def captured(self, i: int) -> str:
        """The condition that an array from outside still is what it was."""
        n = len(self.specs) + i
        self.space[f"c{n}"] = x = self.outside[i]
        self.space[f"t{n}"] = type(x)
        return self._array(f"c{n}", f"c{n}", spec_of(x), n, f"t{n}")

    def _array(self, name: str, first: str, spec: Spec, i: int, kind: str = "ndarray") -> str:
        if spec.kind == "array":
            self.space[f"d{i}"] = spec.dtype
            where = "" if self.device is None or kind != "ndarray" else f" and {name}.data.device_id == {self.device}"
            return f"type({first}) is {kind}{where} and {name}.shape == {spec.shape!r} and {name}.dtype is d{i}"
        if spec.kind in ("scalar", "number"):
            self.space[f"d{i}"] = spec.dtype.type if spec.kind == "scalar" else TYPES[spec.dtype.kind]
            return f"type({first}) is d{i}"
        return f"isinstance({first}, Generators)"
