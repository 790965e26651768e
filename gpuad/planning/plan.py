"""plan(f): a function that is traced once for given shapes and dtypes, and then run without tracing."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import optree

from gpuad.planning.trace import trace


def plan(f):
    @wraps(f)
    def call(*args, **kwargs):
        leaves, tree = optree.tree_flatten((args, kwargs))
        program, out = trace(f, leaves, lambda new: optree.tree_unflatten(tree, new), f.__name__)
        call.program = program
        return optree.tree_unflatten(out, program.run(*leaves))
    return call
