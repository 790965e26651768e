"""The backslash: solve(A, b) for every structure of this package."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, is_array, is_traced, size
from linalg.block import BlockMatrix
from linalg.operator import LinearOperator
from linalg.singular import require_square, solve_matrix
from linalg.triangular import UnitTriangular, UnitTriangularTranspose


def solve(A: Any, b: Any) -> Any:
    """x with A x = b.

    =================================== =================================================================================
    A                                   how
    =================================== =================================================================================
    UnitTriangular, its transpose       forward substitution, back substitution
    BlockMatrix, block triangular       substitution, with the solves of the diagonal blocks
    BlockMatrix, any other              assembled; sparse or dense LU
    Identity, Permute, Reshape, Cast    moved back
    Scaling, Diagonal                   divided
    CumulativeSum                       differences
    SymTridiagonal                      LAPACK's or cuSPARSE's gtsv, O(n)
    Dense, LeftProduct, RightProduct    LU of the matrix
    Sparse                              sparse LU, kept
    Kronecker, Product                  factor by factor
    Inverse(B)                          B b
    BlockOperator                       as the block matrix that it holds
    Sum, Einsum, anything else          to_dense(), LU
    =================================== =================================================================================

    Transposes take the same row. For an operator b has shape ``(*rhs, *A.out_shape)`` and x shape ``(*rhs, *A.in_shape)``;
    for block matrices both are lists with one array for each block, where None stands for zero. b is left as it is, and x is
    the caller's own. Integers are taken as float64; NaN and infinity pass through as in NumPy.

    Raises numpy.linalg.LinAlgError where A is not square or exactly singular, ValueError where shapes do not fit, TypeError for
    an A that is none of these.

    >>> solve(SymTridiagonal(2 * np.ones(3), -np.ones(2)), np.array([1.0, 0.0, 1.0]))
    array([1., 1., 1.])
    """
    if isinstance(A, (BlockMatrix, UnitTriangular, UnitTriangularTranspose)):
        return _own(A.solve(_floats(b) if isinstance(b, (list, tuple)) else b), b)
    if not isinstance(A, LinearOperator):
        raise TypeError(f"solve expected a LinearOperator, BlockMatrix or UnitTriangular as A, got {type(A).__name__}. A full "
                        "matrix is passed as linalg.Dense(matrix), a sparse one as linalg.Sparse(matrix)")
    A._validate()
    require_square(A)
    b = _float(_array(b))
    A._check(b, A.out_shape, "solve(A, b)")
    return _own([A._solve(b)], [b])[0]


def solve_dense(operator: LinearOperator, b: Array) -> Array:
    """x with A x = b for b of shape ``(*rhs, *out_shape)``, by the LU of A's dense matrix."""
    require_square(operator)
    rhs = b.shape[: b.ndim - len(operator.out_shape)]
    columns = b.reshape((size(rhs), operator.out_size)).T
    matrix = operator.to_dense(b)
    if operator.dtype.kind == "b":  # entries without a dtype of their own take b's
        matrix = matrix.astype(b.dtype)
    return solve_matrix(operator, matrix, columns).T.reshape(rhs + operator.in_shape)


def _array(b: Any) -> Array:
    if not is_array(b):
        b = np.asarray(b)
        if b.dtype.kind not in "biufc":
            raise TypeError(f"solve expected an array of numbers as b, got one of dtype {b.dtype}")
    return b


def _float(b: Array) -> Array:
    return b.astype(float) if b.dtype.kind in "biu" else b


def _floats(b: Any) -> list[Any]:
    return [_float(part) if is_array(part) else part for part in b]


def _own(xs: Sequence[Array | None], given: Sequence[Array | None]) -> list[Array | None]:
    """The solutions, each in memory that neither a right-hand side nor another solution uses."""
    taken, owned = {id(_owner(b)): b for b in given}, []
    for x in xs:
        if x is not None and not is_traced(x):  # traced arrays are immutable
            if id(_owner(x)) in taken or 0 in x.strides:
                x = x.copy()
            taken[id(_owner(x))] = x  # which keeps the owner, and so its id, alive
        owned.append(x)
    return owned


def _owner(x: Any) -> Any:
    """The object that the memory of an array belongs to, at the end of its chain of views."""
    while (base := getattr(x, "base", None)) is not None and not is_traced(x):
        x = base
    return x
