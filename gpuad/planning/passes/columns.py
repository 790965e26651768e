"""Products with a matrix of one column or one row, as products with a vector: BLAS has a quicker routine for them."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning import functions
from gpuad.planning.passes.facts import is_float, is_plain_product
from gpuad.planning.passes.rewriting import Rewriter
from gpuad.planning.program import Row, Spec, Var

LONG = 1 << 15
"""Entries of the other matrix from which that is quicker than the views cost."""


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.function is not np.matmul or not is_plain_product(row, new) or not is_float(row.out.dtype) or row.out.kind != "array":
        return None
    a, b = row.args
    left, right = new.spec_of(a), new.spec_of(b)
    if len(left.shape) != 2 or len(right.shape) != 2 or max(left.size, right.size) < LONG:
        return None
    if right.shape[1] == 1 and type(b) is Var and _is_reshaped(b, new):
        vector = new.call(functions.reshape, b, (right.shape[0],), out=Spec((right.shape[0],), right.dtype))
        product = new.call(np.matmul, a, vector, out=Spec((left.shape[0],), row.out.dtype))
        return Row(functions.reshape, (product, row.out.shape), {}, row.out)
    return None


def _is_reshaped(x: Var, new: Rewriter) -> bool:
    """Whether x is a vector that was made a column."""
    row = new.row(x)
    return row is not None and row.function is functions.reshape and len(new.spec_of(row.args[0]).shape) == 1
