"""Equal rows merge: the same function of the same arguments is computed once."""
from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from gpuad.planning.passes.rewriting import counted
from gpuad.planning.program import Builder, Program, Row, Var

SMALL = 64
"""Entries up to which constant arrays are compared by value; larger ones are compared by identity."""

COMMUTATIVE = {np.add, np.multiply, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and,
               np.bitwise_or, np.bitwise_xor}
"""ufuncs that give the same bits in either order (multiply not for complex numbers, where fused operations round differently;
maximum and minimum not for zeros of both signs)."""


def equal(program: Program) -> Program:
    """The program with equal rows merged into the first of them. Random draws and other ordered rows never merge."""
    new, count = Builder(program), 0
    known: dict[Hashable, Var] = {}
    for row in program.rows:
        if count:
            row = row.renamed(new.names)
        key = None if row.ordered else row_key(row)
        var = known.get(key) if key is not None else None
        if var is None:
            var = new.add(row)
            if key is not None:
                known[key] = var
        else:
            count += 1
        new.names.append(var)
    return counted(new.finish(), {"equal": count}) if count else program


def row_key(row: Row) -> Hashable:
    """What equal rows have in common. It holds ids of objects that the rows keep alive."""
    f: Any = row.function
    args = tuple([x if type(x) is Var else _key(x) for x in row.args])
    if f is np.multiply and len(args) == 2 and args[0] == args[1] and not row.kwargs:
        f, args = np.square, args[:1]
    elif type(f) is np.ufunc and f in COMMUTATIVE and len(args) == 2 and (f is not np.multiply or row.out.dtype.kind != "c"):
        args = tuple(sorted(args, key=hash))
    kwargs = tuple((k, _key(v)) for k, v in row.kwargs.items()) if row.kwargs else ()
    errors = tuple((k, _key(v)) for k, v in row.errors.items()) if row.errors is not None else None
    return id(f), args, kwargs, errors


def _key(x: Any) -> Hashable:
    """An argument as a key: numbers with their types, small arrays by value, other objects by identity."""
    kind = type(x)
    if kind is Var:
        return x
    make = KEYS.get(kind)
    if make is not None:
        return kind, make(x)
    if isinstance(x, np.generic) and x.dtype.kind in "biufcmM":
        return kind, x.dtype.str, x.tobytes()
    if isinstance(x, (np.dtype, type)):
        return kind, x
    return "object", id(x)


def _array_key(x: np.ndarray) -> Hashable:
    if x.size > SMALL or x.dtype.hasobject:
        return id(x)
    return x.shape, x.dtype.str, x.tobytes()


KEYS: dict[type, Callable[[Any], Hashable]] = {
    tuple: lambda x: tuple(map(_key, x)), list: lambda x: tuple(map(_key, x)),
    dict: lambda x: tuple((_key(k), _key(v)) for k, v in x.items()),
    slice: lambda x: (_key(x.start), _key(x.stop), _key(x.step)),
    bool: lambda x: x, int: lambda x: x, str: lambda x: x, bytes: lambda x: x, type(None): lambda x: x,
    float: repr, complex: repr,  # tell apart zeros of both signs, and find NaN equal to itself
    np.ndarray: _array_key,
}
