"""Toeplitz matrices: constant along every diagonal."""
from __future__ import annotations

import numpy as np
import scipy.linalg

from linalg.arrays import Array, Shape, is_cupy, namespace, size, solve_matrices
from linalg.checks import broadcasts, require_array
from linalg.elements.convolution import convolve
from linalg.operator import LinearOperator
from linalg.scipy import call_scipy
from linalg.singular import singular


class Toeplitz(LinearOperator):
    """X ↦ T X with T_ij = t[i − j + n − 1], for t of shape (*batch, 2n − 1) and X of shape (*batch, n, p).

    Products are convolutions; solves take Levinson's recursion, n² operations for each column. It needs all leading principal
    minors to be regular, and is accurate where T is well conditioned and definite.
    """

    __slots__ = ("in_shape", "out_shape", "t")

    def __init__(self, t: Array, in_shape: Shape):
        self.t = t
        self.in_shape = self.out_shape = in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.t, "Toeplitz", "its diagonals")
        t, x = self.t.shape, self.in_shape
        if not t or len(x) < 2 or t[-1] != max(2 * x[-2] - 1, 0) or not broadcasts(t[:-1], x[:-2]):
            raise ValueError("Toeplitz expected diagonals of shape (*batch, 2n − 1) for arguments of shape (*batch, n, p), got "
                             f"{t} and in_shape {x}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.t.dtype

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * self.in_shape[-2]

    def _apply(self, x: Array) -> Array:
        n = self.in_shape[-2]
        return convolve(self.t[..., None, :], x.swapaxes(-1, -2), (n - 1,), (n,)).swapaxes(-1, -2)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    def _solve(self, b: Array) -> Array:
        n = self.in_shape[-2]
        lines = (self.t[..., n - 1:], self.t[..., n - 1::-1])
        return call_scipy("linalg.solve_toeplitz", lines, b, plain=solve_toeplitz)

    @property
    def T(self) -> Toeplitz:
        return Toeplitz(self.t[..., ::-1], self.in_shape)

    def conj(self) -> Toeplitz:
        return Toeplitz(self.t.conj(), self.in_shape) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.t


def solve_toeplitz(column_and_row: tuple[Array, Array], b: Array) -> Array:
    """X with T X = b: the first column and row of T of shape (*batch, n), b (*rhs, *batch, n, p), NumPy's or CuPy's."""
    column, row = column_and_row
    batch = np.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    shape = (*np.broadcast_shapes(b.shape[:-2], batch), *b.shape[-2:])
    xp, n = namespace(column, b), shape[-2]
    column, row, b = (xp.broadcast_to(x, s) for x, s in ((column, (*batch, n)), (row, (*batch, n)), (b, shape)))
    if is_cupy(b):
        values = xp.concatenate([row[..., :0:-1], column], -1)
        i = xp.arange(n)
        return solve_matrices(values[..., i[:, None] - i + n - 1], b)
    x = np.empty(shape, np.result_type(column.dtype, row.dtype, b.dtype))
    if not x.size:
        return x
    for index in np.ndindex(batch):
        here = (Ellipsis, *index, slice(None), slice(None))
        columns = np.moveaxis(b[here], -2, 0)
        try:
            solved = scipy.linalg.solve_toeplitz((column[index], row[index]), columns.reshape((n, -1)), check_finite=False)
        except np.linalg.LinAlgError as error:
            raise singular("Toeplitz matrix", f"has no inverse by Levinson's recursion ({error})") from error
        x[here] = np.moveaxis(solved.reshape(columns.shape), 0, -2)
    return x
