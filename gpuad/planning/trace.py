"""From a function to a Program: the function is run twice on staged arguments, and what differs is not a program.

The second run finds what would be frozen silently: random numbers, clocks, counters, files. It also tells the constants that
the function makes anew at each run from the arrays that it reads from outside: those are the same objects both times, and a
plan reads them anew at each run, as the function would.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import optree

from gpuad.errors import PlanError
from gpuad.planning import operators as _operators  # noqa: F401  (attaches the operators of staged arrays)
from gpuad.planning.generators import StagedGenerator
from gpuad.planning.program import Program, Var, name_of, substitute
from gpuad.planning.recorder import Recorder, mark
from gpuad.planning.staged import StagedArray
from gpuad.traced import TracedArray, settled
from linalg.arrays import Array, borrowing, is_cupy, to_host

Generators = (np.random.Generator, np.random.RandomState)

ADVICE = ("A plan would freeze it. Pass what changes from call to call (a random generator, a time, a counter, data) as an "
          "argument of the planned function; plan() runs the function twice to find out")


ATTEMPTS = 3
"""Tracing runs in each of which a global generator has moved before it is the function that is taken to draw from it.

Other threads may, too.
"""


def trace(f: Callable[..., Any], leaves: Sequence[Any], rebuild: Callable[[Sequence[Any]], tuple[Any, Any]],
          name: str) -> tuple[Program, optree.PyTreeSpec]:
    """The program of f for these leaves of its arguments, and the structure of its result.

    ``rebuild`` makes (args, kwargs) of the leaves. Generators are copied: the tracing runs do not advance the user's own.
    """
    for _ in range(ATTEMPTS):
        before = _global_generators()
        first, out = _record(f, leaves, rebuild)
        if same(before, _global_generators()):
            break
    else:
        raise PlanError(f"plan({name}): the function drew from a global random generator (numpy.random.…, random.…), whose "
                        "numbers a plan would freeze. Pass numpy.random.default_rng(seed) as an argument and draw from that")
    second, again = _record(f, leaves, rebuild)
    flat, tree = _flat(out)
    flat_again, tree_again = _flat(again)
    if tree != tree_again:
        raise PlanError(f"plan({name}): the function gave {tree} when it was traced, and {tree_again} when it was traced again. "
                        + ADVICE)
    _require_same(first, flat, second, flat_again, name)
    return _program(first, second, list(zip(flat, flat_again, strict=True)), name), tree


def _flat(out: Any) -> tuple[list[Any], optree.PyTreeSpec]:
    leaves, tree = optree.tree_flatten(out)
    return [settled(x) for x in leaves], tree


def _global_generators() -> Any:
    """The states of NumPy's and Python's global random generators."""
    return tuple(np.random.get_state()), random.getstate()  # noqa: NPY002 (it is the global one that is asked for)


def _record(f: Callable[..., Any], leaves: Sequence[Any], rebuild: Callable[..., Any]) -> tuple[Recorder, Any]:
    recorder = Recorder()
    staged: list[Any] = []
    for leaf in leaves:
        if isinstance(leaf, Generators):
            known = recorder.input(deepcopy(leaf))
            staged.append(StagedGenerator(known.value, recorder, known.index))
        else:
            staged.append(recorder.input(leaf))
    args, kwargs = rebuild(staged)
    try:
        with borrowing():
            out = f(*args, **kwargs)
    except BaseException as error:
        recorder.closed = True
        if isinstance(error, (TypeError, ValueError)) and not isinstance(error, PlanError) and recorder.refusal is not None:
            raise recorder.refusal from error
        raise
    recorder.close()
    return recorder, out


def _require_same(a: Recorder, out_a: list[Any], b: Recorder, out_b: list[Any], name: str) -> None:
    """Raise unless two tracing runs gave one program."""
    if len(a.rows) != len(b.rows) or len(a.constants) != len(b.constants):
        raise PlanError(f"plan({name}): the function made {len(a.rows)} rows when it was traced, and {len(b.rows)} when it was "
                        f"traced again. {ADVICE}")
    for one, two in zip(a.rows, b.rows, strict=True):
        if name_of(one.function) != name_of(two.function) or one.out != two.out:
            raise PlanError(f"plan({name}): the function called {name_of(one.function)} when it was traced, and "
                            f"{name_of(two.function)} when it was traced again. {ADVICE}")
        if not same((one.args, one.kwargs), (two.args, two.kwargs)):
            raise PlanError(f"plan({name}): a constant argument of {name_of(one.function)} had another value when the function "
                            f"was traced again. {ADVICE}")
    for x, y in zip(a.constants, b.constants, strict=True):
        if a.marks[id(x)] != b.marks[id(y)]:
            raise PlanError(f"plan({name}): an array of shape {x.shape} that the function reads had other entries when it was "
                            f"traced again. {ADVICE}")
    for x, y in zip(out_a, out_b, strict=True):
        if isinstance(x, StagedArray) != isinstance(y, StagedArray) or not (isinstance(x, StagedArray) or same(x, y)):
            raise PlanError(f"plan({name}): a result that does not depend on the arguments had another value when the function "
                            f"was traced again. {ADVICE}")


def same(a: Any, b: Any) -> bool:
    """Whether two arguments are equal as far as they can be compared: NaN equals itself, other objects are trusted."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if is_cupy(a):
        a, b = to_host(a), to_host(b)
    if isinstance(a, (np.ndarray, np.generic)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(a, (bool, int, float, complex, str, bytes)):
        return a == b or bool(isinstance(a, (float, complex)) and np.isnan(a) and np.isnan(b))
    return True


def _program(first: Recorder, second: Recorder, out: list[tuple[Any, Any]], name: str) -> Program:
    """Variables numbered: inputs, captured arrays, rows."""
    captured: dict[int, Array] = {}
    made: dict[int, Array] = {}
    for one, two in zip(first.constants, second.constants, strict=True):
        outside = _seed_from_outside(one, two, first, second)
        if outside is not None:
            captured.setdefault(id(one), outside)
        elif not _frozen(one):
            (captured if _same_memory(one, two) else made).setdefault(id(one), one)
    n = len(first.inputs)
    places: dict[int, Any] = {key: Var(n + i) for i, key in enumerate(captured)}
    places |= {key: _own(x) for key, x in made.items() if key not in captured}
    names: dict[int, Any] = {~i: Var(i) for i in range(n)}
    names |= {i: Var(n + len(captured) + i) for i in range(len(first.rows))}

    def placed(tree: Any) -> Any:
        kind = type(tree)
        if kind is tuple or kind is list:
            return kind(map(placed, tree))
        if kind is dict:
            return {k: placed(part) for k, part in tree.items()}
        if kind is slice:
            return slice(placed(tree.start), placed(tree.stop), placed(tree.step))
        return places.get(id(tree), tree) if isinstance(tree, np.ndarray) or is_cupy(tree) else tree

    rows = tuple(replace(r, args=placed(substitute(r.args, names)), kwargs=placed(substitute(r.kwargs, names)))
                 for r in first.rows)
    outputs = tuple(_output(x, again, first, names, places, name) for x, again in out)
    return Program(tuple(first.inputs), tuple(captured.values()), rows, outputs, on_device=first.on_device)


def _seed_from_outside(one: Array, two: Array, first: Recorder, second: Recorder) -> Array | None:
    """The array that two copies were made of, which the function reads from outside and has not changed; None for others."""
    x, y = first.seeds.get(id(one)), second.seeds.get(id(two))
    if x is None or y is None or not _same_memory(x, y) or mark(x) != first.marks[id(one)]:
        return None
    return x


def _own(x: Array) -> np.ndarray:
    """A constant as a plan keeps it: a copy, since others may write to it, on the host, where analysis looks at it."""
    return to_host(x) if is_cupy(x) else x.copy()


def _same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays, which are alive, are one, or views of the same entries of one."""
    if is_cupy(a):
        return a is b or (is_cupy(b) and a.size > 0 and (a.data.ptr, a.shape, a.strides, a.dtype) == (
            b.data.ptr, b.shape, b.strides, b.dtype))
    return a is b or (a.size > 0 and a.__array_interface__ == b.__array_interface__)


def _frozen(x: Array) -> bool:
    """Whether nobody can write to an array: then it is a constant, of which results may be computed once."""
    if is_cupy(x):
        return False
    while isinstance(x, np.ndarray):
        if x.flags.writeable:
            return False
        x = x.base  # type: ignore[assignment]
    return x is None


def _output(x: Any, again: Any, recorder: Recorder, names: dict[int, Any], places: dict[int, Var], name: str) -> Any:
    if isinstance(x, StagedArray):
        if x.recorder is not recorder:
            raise PlanError(f"plan({name}): the function returned an array of another plan, which leaked out of its function")
        return names[x.index]
    if isinstance(x, TracedArray):
        raise PlanError(f"plan({name}): the function returned a traced array that it reads from outside, where its derivative "
                        "would be lost; pass it as an argument")
    if isinstance(x, np.ndarray) or is_cupy(x):
        return places[id(x)] if id(x) in places else x if _same_memory(x, again) else x.copy()
    if not isinstance(x, (bool, int, float, complex, str, bytes, np.generic, np.dtype, type(None))):
        raise PlanError(f"plan({name}): expected the function to return arrays, numbers and texts in containers that optree "
                        f"knows (tuples, lists, dicts, namedtuples, …), got {type(x).__module__}.{type(x).__name__}; return its "
                        "arrays in a tuple or a dict, or register the type with optree.register_pytree_node")
    return x


__all__ = ["same", "trace"]
