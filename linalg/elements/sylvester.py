"""The Sylvester operator X ↦ A X + X B, and its solve by Schur decompositions."""
from __future__ import annotations

import numpy as np
import scipy.linalg

from linalg.arrays import Array, Shape, is_cupy, matmul, namespace, size, solve_matrices
from linalg.checks import broadcasts, require_array
from linalg.operator import LinearOperator
from linalg.scipy import call_scipy
from linalg.singular import singular


class Sylvester(LinearOperator):
    """X ↦ A X + X B. A has shape (*batch, m, m), B (*batch, n, n), X (*batch, m, n); batch axes of A and B may broadcast to X's.

    Solves take Schur decompositions of A and B, which serve all right-hand sides, and O(m²n + mn²) operations for each
    (Bartels & Stewart, 1972). On a device, where there is no Schur decomposition, they take the LU of A ⊗ I + I ⊗ Bᵀ, a matrix
    of mn rows. The operator is singular where an eigenvalue of A is the negative of one of B: LinAlgError.
    """

    __slots__ = ("a", "b", "in_shape", "out_shape")

    def __init__(self, a: Array, b: Array, in_shape: Shape):
        self.a, self.b = a, b
        self.in_shape = self.out_shape = in_shape

    def _validate(self) -> None:
        super()._validate()
        require_array(self.a, "Sylvester", "its left matrix")
        require_array(self.b, "Sylvester", "its right matrix")
        a, b, x = self.a.shape, self.b.shape, self.in_shape
        fits = len(x) >= 2 and len(a) >= 2 and len(b) >= 2 and a[-2:] == (x[-2], x[-2]) and b[-2:] == (x[-1], x[-1])
        if not fits or not (broadcasts(a[:-2], x[:-2]) and broadcasts(b[:-2], x[:-2])):
            raise ValueError("Sylvester expected a of shape (*batch, m, m) and b of shape (*batch, n, n) for arguments of shape "
                             f"(*batch, m, n), got {a}, {b} and in_shape {x}")

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return np.result_type(self.a.dtype, self.b.dtype)

    @property
    def flops(self) -> int:
        return 2 * size(self.in_shape) * (self.in_shape[-2] + self.in_shape[-1]) + size(self.in_shape)

    def _apply(self, x: Array) -> Array:
        return matmul(self.a, x) + matmul(x, self.b)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    @property
    def T(self) -> Sylvester:
        a = self.a.swapaxes(-1, -2)
        return Sylvester(a, a if self.b is self.a else self.b.swapaxes(-1, -2), self.in_shape)

    def conj(self) -> Sylvester:
        if self.dtype.kind != "c":
            return self
        a = self.a.conj()
        return Sylvester(a, a if self.b is self.a else self.b.conj(), self.in_shape)

    def _solve(self, b: Array) -> Array:
        return call_scipy("linalg.solve_sylvester", self.a, self.b, b, plain=solve_sylvester)

    def _data(self) -> Array:
        return self.a


def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """X with a X + X b = q, for a of shape (*batch, m, m), b (*batch, n, n) and q (*rhs, *batch, m, n), NumPy's or CuPy's."""
    if is_cupy(a):
        return _solve_kronecker(a, b, q)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*np.broadcast_shapes(q.shape[:-2], batch), *q.shape[-2:])
    q = np.broadcast_to(q, shape)
    x = np.empty(shape, np.result_type(a.dtype, b.dtype, q.dtype))
    if not x.size:
        return x
    same = b is a
    a, b = (np.broadcast_to(y, (*batch, *y.shape[-2:])) for y in (a, b))
    for index in np.ndindex(batch):
        here = (Ellipsis, *index, slice(None), slice(None))
        x[here] = _solve_schur(a[index], None if same else b[index], q[here])
    return x


def _solve_schur(a: np.ndarray, b: np.ndarray | None, q: np.ndarray) -> np.ndarray:
    """The same for one a and one b, which is a where it is None."""
    matrices = (a,) if b is None else (a, b)
    dtype = np.result_type(*[m.dtype for m in matrices])
    if q.dtype.kind == "c" != dtype.kind:  # Schur decompositions stay real
        return _solve_schur(a, b, q.real) + 1j * _solve_schur(a, b, q.imag)
    dtype = np.result_type(dtype, q.dtype)
    schur = [scipy.linalg.schur(m.astype(dtype, copy=False), check_finite=False) for m in matrices]
    (r, u), (s, v) = schur[0], schur[-1]
    f = u.conj().T @ q @ v
    solve = scipy.linalg.get_lapack_funcs("trsyl", (r, s))
    y = np.empty(f.shape, dtype)
    for index in np.ndindex(f.shape[:-2]):
        solution, scale, info = solve(r, s, f[index])
        if info:
            raise singular("Sylvester operator X ↦ A X + X B", "has no inverse: an eigenvalue of A is the negative of one of B")
        y[index] = scale * solution
    return u @ y @ v.conj().T


def _solve_kronecker(a: Array, b: Array, q: Array) -> Array:
    """The same by LU of the matrix A ⊗ I + I ⊗ Bᵀ."""
    xp, (m, n) = namespace(a, b, q), q.shape[-2:]
    left = a[..., :, None, :, None] * xp.eye(n, dtype=b.dtype)[:, None, :]
    right = xp.eye(m, dtype=a.dtype)[:, None, :, None] * b.swapaxes(-1, -2)[..., None, :, None, :]
    total = left + right
    matrix = total.reshape((*total.shape[:-4], m * n, m * n))
    x = solve_matrices(matrix, q.reshape((*q.shape[:-2], m * n, 1)))
    return x.reshape((*x.shape[:-2], m, n))
