"""What an operator that cannot be inverted says: always numpy.linalg.LinAlgError, always with the operator's name."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, is_array, is_traced, records, solve_matrices


def singular(operator: Any, why: str) -> np.linalg.LinAlgError:
    """The error that says that an operator (or what it reads like) is singular, and why."""
    return np.linalg.LinAlgError(f"singular: {operator if isinstance(operator, str) else repr(operator)} {why}")


def require_square(operator: Any) -> None:
    """Raise LinAlgError unless the operator's matrix is square."""
    m, n = operator.shape
    if m != n:
        raise singular(operator, f"is not square: its matrix has shape {(m, n)}")


def require_nonzero(operator: Any, entries: Any) -> None:
    """Raise LinAlgError where a diagonal entry is zero; of a stand-in, whenever its value is known."""
    if records(entries):
        entries._record(_require_nonzero, repr(operator), entries, ordered=True)
    else:
        _require_nonzero(operator, entries)


def _require_nonzero(operator: Any, entries: Any) -> None:
    if bool((entries == 0).any() if is_array(entries) else entries == 0):
        raise singular(operator, "has a zero on its diagonal")


def require_plain(operator: Any, *data: Any) -> None:
    """Raise TypeError where the operator holds traced arrays, which library routines cannot take."""
    if any(map(is_traced, data)):
        raise TypeError(f"solve with {operator!r} expected it to hold NumPy or CuPy arrays, got traced ones: its "
                        "solver runs outside the trace. Differentiate through linalg.Dense, or use implicit differentiation")


def solve_matrix(operator: Any, a: Array, b: Array) -> Array:
    """x with a x = b for an operator's own matrices a, with the operator's name in the error."""
    if a.shape[-1] != a.shape[-2]:
        raise singular(operator, f"is not square: its matrix has shape {a.shape[-2:]}")
    try:
        return solve_matrices(a, b)
    except np.linalg.LinAlgError as error:
        raise singular(operator, f"has no inverse ({error})") from error
