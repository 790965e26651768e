"""An array's slices on top of each other are the array: ``concatenate([x[0], x[1], …])`` is a reshaped x.

And the products of its slices with one matrix, as of the inputs at all times of a recurrence, are slices of one product.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import Specs, is_plain_product
from gpuad.planning.passes.rewriting import Rewriter, counted, rewrite
from gpuad.planning.program import Builder, Program, Row, Spec, Var

FEWEST = 3
"""Products from which they are joined."""

LARGEST = 2**12
"""Entries of a product up to which it is joined with others: larger ones gain nothing, and would be in memory all at once."""


def slices(program: Program) -> Program:
    """The program with views of arrays in place of concatenations of neighbouring slices of them."""
    return rewrite(program, {"slices": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is not np.concatenate or len(row.args) != 1 or row.kwargs != {"axis": 0}:
        return None
    found = [_slice(x, row, new) for x in row.args[0]]
    first = found[0]
    if first is None or any(s is None or s[0] != first[0] or s[1] != first[1] + k for k, s in enumerate(found)):
        return None
    x, start = first
    spec = new.spec(x.index)
    if len(found) < spec.shape[0]:
        part = Spec((len(found), *spec.shape[1:]), spec.dtype)
        x = new.call(functions.getitem, x, (slice(start, start + len(found)),), out=part)
    return Row(functions.reshape, (x, row.out.shape), {}, row.out)


def _slice(piece: Any, row: Row, new: Rewriter) -> tuple[Var, int] | None:
    """(x, t) where a piece is x[t], reshaped or not."""
    made = new.row(piece)
    if made is not None and made.function is functions.reshape and made.errors is None:
        made = new.row(made.args[0])
    if made is None or made.function is not functions.getitem or made.errors is not None or type(made.args[0]) is not Var \
            or new.spec_of(piece).dtype != row.out.dtype:
        return None
    return _place(made, new)


def _place(made: Row, new: Builder | Specs) -> tuple[Var, int] | None:
    """(x, t) where a row is x[t]."""
    x, index = made.args
    spec = new.spec(x.index)
    return (x, index[0] % spec.shape[0]) if len(index) == 1 and type(index[0]) is int and spec.kind == "array" else None


def products(program: Program) -> Program:
    """The program with one product X B for three or more products x[t] B, and slices of it."""
    found = _products(program)
    if not found:
        return program
    first = {min(group.values()): key for key, group in found.items()}
    member = {i: (key, t) for key, group in found.items() for t, i in group.items()}
    made: dict[tuple[int, int, int], Var] = {}
    new = Builder(program)
    for i, row in program.numbered():
        if i in first:
            made[first[i]] = _joined(first[i], found[first[i]], row, new)
        if i in member:
            key, t = member[i]
            new.names.append(_part(made[key], t - min(found[key]), row, new))
        else:
            new.names.append(new.add(row.renamed(new.names)))
    return counted(new.finish(), {"products": len(found)})


def _products(program: Program) -> dict[tuple[int, int, int], dict[int, int]]:
    """(x, B, side of x) -> t -> the product of x[t] and B, for neighbouring t."""
    specs = Specs(program)
    found: dict[tuple[int, int, int], dict[int, int]] = {}
    for i, row in program.numbered():
        if row.function is not np.matmul or row.out.kind != "array" or row.out.size > LARGEST or not is_plain_product(row, specs):
            continue
        for side in (0, 1):
            x, b = row.args[side], row.args[1 - side]
            made = program.row(x.index) if type(x) is Var else None
            if made is None or made.function is not functions.getitem or made.errors is not None or type(b) is not Var \
                    or len(specs.spec(b.index).shape) != 2 or len(row.out.shape) > 1 + (side == 0):
                continue
            place = _place(made, specs) if type(made.args[0]) is Var else None
            if place is not None and len(specs.spec(place[0].index).shape) == 1 + len(row.out.shape):
                found.setdefault((place[0].index, b.index, side), {})[place[1]] = i
    return {key: group for key, group in found.items() if len(group) >= FEWEST and max(group) - min(group) == len(group) - 1}


def _joined(key: tuple[int, int, int], group: dict[int, int], row: Row, new: Builder) -> Var:
    """The product of neighbouring slices, on top of each other, with a matrix."""
    old_x, old_b, side = key
    x, b = new.names[old_x], new.names[old_b]
    spec, dtype, low = new.spec(x.index), row.out.dtype, min(group)
    if len(group) < spec.shape[0]:
        spec = Spec((len(group), *spec.shape[1:]), dtype)
        x = new.add(Row(functions.getitem, (x, (slice(low, low + len(group)),)), {}, spec))
    if len(spec.shape) == 3:
        spec = Spec((spec.shape[0] * spec.shape[1], spec.shape[2]), dtype)
        x = new.add(Row(functions.reshape, (x, spec.shape), {}, spec))
    if side == 1:  # B x[t] is x[t] Bᵀ
        b = new.add(Row(functions.transpose, (b, (1, 0)), {}, Spec(new.spec(b.index).shape[::-1], dtype)))
    return new.add(Row(np.matmul, (x, b), {}, Spec((spec.shape[0], row.out.shape[-1]), dtype)))


def _part(whole: Var, k: int, row: Row, new: Builder) -> Var:
    """The k-th of the products in the joined one."""
    n = row.out.shape[0]
    index = (k,) if len(row.out.shape) == 1 else (slice(k * n, (k + 1) * n),)
    return new.add(Row(functions.getitem, (whole, index), {}, row.out))
