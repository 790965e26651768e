"""Functions that NumPy computes number by number, written with those that it computes by vector instructions.

logaddexp takes many times as long as what it is written with here.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning.passes.facts import has_dtype, is_float
from gpuad.planning.passes.rewriting import Rewriter
from gpuad.planning.program import Row


def rule(row: Row, new: Rewriter) -> Any:
    """What takes a row's place."""
    if row.kwargs or row.out.kind != "array" or not is_float(row.out.dtype):
        return None
    if row.function is np.logaddexp:
        return _logaddexp(row, new)
    return None


def _logaddexp(row: Row, new: Rewriter) -> Any:
    """max(a, b) + log1p(exp(−|a − b|)). Where both are one infinity their difference is NaN, which fmin takes for 0."""
    a, b = row.args
    if not any(has_dtype(x, row.out.dtype, new) for x in (a, b)):
        return None
    out = row.out
    largest = new.call(np.maximum, a, b, out=out)
    difference = new.add(Row(np.subtract, (a, b), {}, out, errors={"invalid": "ignore"}))
    gap = new.call(np.absolute, difference, out=out)
    below = new.call(np.fmin, new.call(np.negative, gap, out=out), 0, out=out)
    return Row(np.add, (largest, new.call(np.log1p, new.call(np.exp, below, out=out), out=out)), {}, out)
