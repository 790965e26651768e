"""LinearOperator: a linear map between array spaces, and the algebra of such maps."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, add_into, entry_dtype, is_array, namespace, size, sparse_module
from linalg.checks import require_shape


class LinearOperator:
    """A linear map from arrays of shape ``in_shape`` to arrays of shape ``out_shape``.

    ``A @ x`` takes x of shape ``(*rhs, *in_shape)``, with any number of leading right-hand-side axes, and gives
    ``(*rhs, *out_shape)``. ``A @ B``, ``A + B``, ``A - B``, ``-A`` and ``c * A`` are operators again. Operators are immutable.

    A subclass gives ``in_shape``, ``out_shape``, ``dtype``, and two inner methods that trust their argument:
    ``_apply`` (y = A x) and ``_apply_transpose`` (y = Aᵀ x, without conjugation). Everything else follows.

    The spaces carry the inner product ⟨u, v⟩ = Re Σ ūv, so maps of complex arrays that are linear over the reals only
    (real part, conjugate) are operators too; ``.H`` is the adjoint of that inner product, ``.T`` is conj ∘ H ∘ conj.
    """

    __slots__ = ()
    __array_ufunc__ = None  # ndarray @ A is A.__rmatmul__, not an object array

    in_shape: Shape
    out_shape: Shape
    dtype: np.dtype
    over_reals = False  # linear over the reals only, as the conjugate is: then there is no complex matrix

    def _apply(self, x: Array) -> Array:
        raise NotImplementedError

    def _apply_transpose(self, x: Array) -> Array:
        raise NotImplementedError

    # ---- what a subclass may state better

    def _add_transpose(self, total: Array, x: Array) -> Array:
        """total + Aᵀ x, written over total where that can be: the caller owns it."""
        return add_into(total, self._apply_transpose(x))

    def _plus_transpose(self, total: Array, x: Array) -> Array:
        """total + Aᵀ x, a new array."""
        return total + self._apply_transpose(x)

    @property
    def T(self) -> LinearOperator:
        """The transpose, an operator: ``A.T.T is A``."""
        from linalg.elements.algebra import Transpose

        return Transpose(self)

    @property
    def flops(self) -> int:
        """Floating-point operations of ``A @ x`` for one right-hand side (a multiplication and an addition are two)."""
        return 0

    def conj(self) -> LinearOperator:
        """The map x ↦ conj(A conj(x))."""
        from linalg.elements.algebra import ConjugateOf

        return self if self.dtype.kind != "c" else ConjugateOf(self)

    def _after(self, _first: LinearOperator) -> LinearOperator | None:
        """A simpler form of ``self @ first``, by structure; None where there is none."""
        return None

    def _scaled(self, _c: Any) -> LinearOperator | None:
        """``c * self`` with the scalar taken into the operator's data; None where a product is better."""
        return None

    def _data(self) -> Array | None:
        """An array that the operator holds: tells the library and device of its dense and sparse forms."""
        return None

    def _validate(self) -> None:
        """Raise where the parts that the operator was made of do not fit; the public methods ask, once per call.

        Constructors that stand on the path of every operation of a program trust what they are given.
        """
        require_shape(self.in_shape, type(self).__name__)

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        """The matrix for ``to_dense``, from numbers of dtype's precision at least."""
        self._require_matrix()
        xp = namespace(self._place(like))
        eye = xp.eye(self.in_size, dtype=entry_dtype(self.dtype, dtype))
        return self._apply(eye.reshape((self.in_size, *self.in_shape))).reshape(self.in_size, self.out_size).T

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        """The matrix for ``to_sparse``, from numbers of dtype's precision at least."""
        dense = self._dense(like, dtype)
        return sparse_module(dense).csr_matrix(dense.astype(entry_dtype(dense.dtype), copy=False))

    def _solve(self, b: Array, /) -> Array:
        """Solve A x = b for b of shape ``(*rhs, *out_shape)``; the structure's own algorithm."""
        from linalg.solve import solve_dense

        return solve_dense(self, b)

    def _solve_transpose(self, b: Array, /) -> Array:
        """Solve Aᵀ x = b for b of shape ``(*rhs, *in_shape)``: used where ``A.T`` has no class of its own."""
        from linalg.solve import solve_dense

        return solve_dense(self.T, b)

    # ---- what follows

    @property
    def H(self) -> LinearOperator:
        """The adjoint: ⟨y, A x⟩ = ⟨A.H y, x⟩ with ⟨u, v⟩ = Re Σ ūv."""
        return self.T.conj()

    @property
    def in_size(self) -> int:
        return size(self.in_shape)

    @property
    def out_size(self) -> int:
        return size(self.out_shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix: (entries of the result, entries of the argument)."""
        return self.out_size, self.in_size

    def to_dense(self, like: Array | None = None, dtype: Any = None) -> Array:
        """The matrix, of shape ``A.shape``, both sides raveled in C order.

        It lies where the operator's data lie; an operator that holds none (a reshape, a sum over axes) follows ``like``.
        With a dtype, entries are computed in it, or in the operator's own where that is wider. The matrix may be the operator's
        own data: copy it before changing it. Raises TypeError where the map is linear over the reals only.
        """
        self._validate()
        return self._in_dtype(self._dense(like, _least(dtype)), dtype)

    def to_sparse(self, like: Array | None = None, dtype: Any = None) -> Any:
        """The matrix as CSR, SciPy's or CuPy's, where ``to_dense`` would lie and in its dtype."""
        self._validate()
        return self._in_dtype(self._sparse(like, _least(dtype)), dtype)

    def _in_dtype(self, matrix: Any, dtype: Any) -> Any:
        return matrix if dtype is None else matrix.astype(entry_dtype(self.dtype, np.dtype(dtype)), copy=False)

    def _place(self, like: Array | None) -> Array | None:
        own = self._data()
        return like if own is None else own

    def _require_matrix(self) -> None:
        if self.over_reals:
            raise TypeError(f"{self!r} is linear over the reals only, as conj is: it has no complex matrix. Apply it, or "
                            "write the program in real and imaginary parts")

    def _check(self, x: Array, shape: Shape, name: str) -> None:
        n = len(shape)
        if x.ndim < n or x.shape[x.ndim - n:] != shape:
            raise ValueError(f"{name} expected an array of shape (*rhs, {', '.join(map(str, shape))}), got {x.shape}, "
                             f"for {self!r}")

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearOperator):
            from linalg.elements.algebra import compose

            return compose(self, other)
        self._validate()
        if not is_array(other):
            other = np.asarray(other)
        self._check(other, self.in_shape, "A @ x")
        return self._apply(other)

    def __rmatmul__(self, other: Any) -> Any:
        """``x @ A`` = ``A.T @ x``."""
        self._validate()
        if not is_array(other):
            other = np.asarray(other)
        self._check(other, self.out_shape, "x @ A")
        return self._apply_transpose(other)

    def __add__(self, other: Any) -> LinearOperator:
        if not isinstance(other, LinearOperator):
            return NotImplemented
        from linalg.elements.algebra import add

        return add(self, other)

    def __neg__(self) -> LinearOperator:
        return -1 * self

    def __sub__(self, other: Any) -> LinearOperator:
        return self + -other if isinstance(other, LinearOperator) else NotImplemented

    def __mul__(self, scalar: Any) -> LinearOperator:
        if isinstance(scalar, LinearOperator) or np.shape(scalar) != ():
            return NotImplemented
        from linalg.elements.diagonal import Scaling

        self._validate()
        return Scaling(scalar, self.out_shape) @ self

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_shape} -> {self.out_shape}, {self.dtype})"


def _least(dtype: Any) -> np.dtype:
    """The dtype that was asked for; bool, which is neutral, where none was."""
    return np.dtype(bool if dtype is None else dtype)
