"""An array's slices on top of each other are the array: ``concatenate([x[0], x[1], …])`` is a reshaped x."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Spec, Var


def slices(program: Program) -> Program:
    """The program with views of arrays in place of concatenations of neighbouring slices of them."""
    return rewrite(program, {"slices": rule})


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is not np.concatenate or row.kwargs.get("axis", 0) != 0 or len(row.kwargs) > 1 or len(row.args) != 1:
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
    x, index = made.args
    if len(index) != 1 or type(index[0]) is not int or new.spec(x.index).kind != "array" or not new.spec(x.index).shape:
        return None
    return x, index[0] % new.spec(x.index).shape[0]
