"""Rows of constants are computed once, when the plan is made."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import frozen, own_bytes
from gpuad.planning.passes.rewriting import Rewriter, rewrite
from gpuad.planning.program import Program, Row, Var, spec_of
from linalg.arrays import is_basic

SMALL = 4096
"""Bytes that a result may always have."""


def constants(program: Program) -> Program:
    """The program with the results of rows whose arguments are all constants in place of those rows.

    Arrays from outside are read at each run and are no constants. A row stays where its result would take more memory than its
    arguments do, and where computing it raises or warns: that it is to do at each run.
    """
    return rewrite(program, {"constants": rule})


def rule(row: Row, _new: Rewriter) -> Any:
    """The result of a row of constants, where it is to be kept."""
    if Var in map(type, row.args) or row.parents or row.out.kind not in ("array", "scalar", "number"):
        return None
    arrays = [own_bytes(x) for x in _leaves((row.args, row.kwargs))]
    is_view = row.function in VIEWS or (row.function is functions.getitem and is_basic(row.args[1]))
    if not is_view and row.out.nbytes > SMALL + sum(arrays):
        return None
    try:
        with np.errstate(divide="raise", over="raise", under="ignore", invalid="raise"):
            value = row.function(*row.args, **row.kwargs)
    except Exception:  # whatever it raises, it raises when the plan runs
        return None
    return frozen(value) if spec_of(value) == row.out else None


VIEWS = functions.VIEWS - {functions.reshape}
"""Functions whose results never take memory of their own; a reshaped array may."""


def _leaves(tree: Any) -> list[Any]:
    """The constants in a row's arguments."""
    found, stack = [], [tree]
    while stack:
        x = stack.pop()
        if type(x) in (tuple, list):
            stack += x
        elif type(x) is dict:
            stack += x.values()
        else:
            found.append(x)
    return found
