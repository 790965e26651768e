"""Which of CuPy's functions call cuBLAS, cuSOLVER and others, which refuse while a stream is captured."""
from __future__ import annotations

from typing import Any

from tests.standin import streams

PLAIN = frozenset("trace diagonal cross matrix_transpose vector_norm vecdot".split())
"""Functions of cupy.linalg that are kernels of CuPy's own."""
PRODUCTS = frozenset("matmul dot inner outer tensordot kron".split())
SORTING = frozenset("sort argsort lexsort partition argpartition msort sort_complex".split())


def refuse_library(module: str, name: str, args: Any, kwargs: Any) -> None:
    """Raise what CuPy raises where the current stream is captured and a function cannot be: nothing where it can."""
    if streams.capturing() is None:
        return
    if name in SORTING:
        streams.synchronise(name)  # Thrust waits for the stream
    arrays = [a for a in args if hasattr(a, "_host")]
    if module == "cupy.linalg" and name not in PLAIN:
        order = kwargs.get("ord", args[1] if len(args) > 1 else None)
        if name not in ("norm", "matrix_norm") or order in (2, -2, "nuc"):
            streams.refuse("cuBLAS" if name in ("outer", "tensordot", "matmul", "multi_dot", "matrix_power") else "cuSOLVER")
    elif name in PRODUCTS and not (name not in ("outer", "kron") and all(a.ndim < 2 for a in arrays)):
        if all(a.dtype.kind in "fc" for a in arrays):
            streams.refuse("cuBLAS")
    elif name == "einsum" and contracts(args):
        streams.refuse("cuBLAS")


def contracts(operands: Any) -> bool:
    """Whether an einsum sums over an index of two operands: a matrix product."""
    if not isinstance(operands[0], str):
        return len(operands) > 3
    inputs, arrow, output = operands[0].replace(" ", "").partition("->")
    parts = inputs.replace(".", "").split(",")
    if len(parts) == 1:
        return False
    letters = [set(part) for part in parts]
    shared = set().union(*[a & b for k, a in enumerate(letters) for b in letters[:k]])
    return bool(shared - set(output) if arrow else shared)
