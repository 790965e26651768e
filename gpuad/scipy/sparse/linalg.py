"""``scipy.sparse.linalg``, differentiable: direct and iterative solves, by implicit differentiation.

Of A x = b the differential is dx = A⁻¹ (db − dA x); the solver that gave x gives A⁻¹, and with Aᵀ its transpose. A direct solver
keeps its factors for that; an iterative one takes the same tolerances and preconditioner (transposed where A is).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse.linalg

import gpuad.numpy
from gpuad.dispatch import refuse
from gpuad.outside import refuse_device
from gpuad.primitives.sparse import Pattern, is_sparse, solve
from gpuad.scipy.namespace import ScipyNamespace
from gpuad.scipy.sparse.arrays import SparseArray, as_sparse
from gpuad.traced import raw, stand_in
from linalg.arrays import is_array, records, sparse_solvers
from linalg.pattern import SparseLU, on_columns
from linalg.singular import require_square

namespace = ScipyNamespace("sparse.linalg")


def spsolve(A: Any, b: Any, permc_spec: Any = None, use_umfpack: bool = True) -> Any:
    """x with A x = b for a sparse A and a vector or matrix b, by sparse LU; differentiable in the entries of A and in b.

    Raises numpy.linalg.LinAlgError where A is singular.
    """
    if type(A) is not SparseArray and stand_in([A, b]) is None:
        return scipy.sparse.linalg.spsolve(A, b, permc_spec, use_umfpack)
    A = _matrix("spsolve", A)
    x = _solve(A, _side("spsolve", A, b), _direct(A.pattern, permc_spec))
    return np.reshape(x, -1) if x.ndim == 2 and x.shape[1] == 1 else x


class Factorized:
    """The sparse LU of A: ``solve(b)`` is differentiable in the entries of A and in b."""

    def __init__(self, A: Any, permc_spec: Any = None):
        self._matrix = _matrix("splu", A)
        self._solver = _direct(self._matrix.pattern, permc_spec)
        self.shape, self.nnz = self._matrix.shape, self._matrix.nnz

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """x with A x = b, with Aᵀ for trans="T", with Aᴴ for trans="H"."""
        if trans not in ("N", "T", "H"):
            raise ValueError(f"solve expected trans 'N', 'T' or 'H', got {trans!r}")
        A = self._matrix if trans == "N" else self._matrix.T if trans == "T" else self._matrix.T.conj()
        return _solve(A, _side("splu(A).solve", A, rhs), self._solver)

    __call__ = solve


def splu(A: Any, permc_spec: Any = None, **options: Any) -> Any:
    """The sparse LU of A with a method ``solve``; SciPy's own, with all its attributes, where further options are given."""
    if options:
        if type(A) is SparseArray:
            raise TypeError(f"splu: options {sorted(options)} are not available for a matrix under differentiation")
        return scipy.sparse.linalg.splu(A, permc_spec, **options)
    return Factorized(A, permc_spec)


def factorized(A: Any) -> Callable[[Any], Any]:
    """The function b ↦ x with A x = b, which keeps the factors of A."""
    return Factorized(A)


class Krylov:
    """One of SciPy's iterative solvers with its options: gives x, and is called for the equations of derivatives."""

    def __init__(self, name: str, options: dict[str, Any]):
        self.name, self.options = name, options

    def first(self, pattern: Pattern, d: Any, b: Any, x0: Any, callback: Any) -> tuple[Any, int]:
        """SciPy's (x, info)."""
        given = {} if callback is None else {"callback": callback}
        return self._run(pattern, d, b, x0=x0, **given)

    def __call__(self, pattern: Pattern, d: Any, b: Any) -> Any:
        return on_columns(lambda c: self._columns(pattern, d, c), b, pattern.shape[1])

    def _columns(self, pattern: Pattern, d: Any, c: Any) -> Any:
        if c.ndim == 2:
            return np.stack([self._columns(pattern, d, c[:, j]) for j in range(c.shape[1])], axis=1)
        x, info = self._run(pattern, d, c)
        if info:
            raise RuntimeError(f"{self.name}: the equation of a derivative was not solved (info={info}); raise maxiter, or "
                               "loosen the tolerances")
        return x

    def _run(self, pattern: Pattern, d: Any, b: Any, **given: Any) -> tuple[Any, int]:
        options, M = dict(self.options), self.options.get("M")
        if M is not None and pattern.flipped:
            options["M"] = M.T
        return getattr(scipy.sparse.linalg, self.name)(pattern.matrix(d), b, **options, **given)


def _iterative(name: str) -> Callable[..., Any]:
    def call(A: Any, b: Any, x0: Any = None, *, callback: Any = None, **options: Any) -> tuple[Any, Any]:
        if type(A) is not SparseArray and stand_in([A, b, x0]) is None:
            called = {} if callback is None else {"callback": callback}
            return getattr(sparse_solvers(A), name)(A, b, x0, **options, **called)
        A = _matrix(name, A)
        b = _side(name, A, b)
        refuse_device(name, [A.data, b])
        b = np.reshape(b, -1) if b.ndim == 2 and b.shape[1] == 1 else b
        if b.ndim != 1:
            raise ValueError(f"{name} expected a vector b, got shape {b.shape}")
        solver = Krylov(name, options)
        given = A.pattern, raw(A.data), raw(b), raw(x0), callback
        staged: Any = next(filter(records, given), None)
        x, info = solver.first(*given) if staged is None else staged._record(solver.first, *given, ordered=True)
        return solve(A.data, b, A.pattern, solver, x), info

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (f"``scipy.sparse.linalg.{name}``: (x, info) with A x = b; x is differentiable in the entries of a sparse A "
                    "and in b, to the tolerances of the solver. Raises RuntimeError where it does not solve the equation of a "
                    "derivative.")
    return call


bicg, bicgstab, cg, cgs, gcrotmk, gmres, lgmres, minres, tfqmr = map(
    _iterative, "bicg bicgstab cg cgs gcrotmk gmres lgmres minres tfqmr".split())


def _matrix(name: str, A: Any) -> SparseArray:
    if type(A) is not SparseArray and not is_sparse(A):
        raise TypeError(f"{name} expected a sparse matrix as A, of SciPy or made by ad.scipy.sparse.csr_array(…), got "
                        f"{type(A).__name__}; for full matrices use numpy.linalg.solve")
    A = as_sparse(A)
    require_square(A)
    return A if A.dtype.kind in "fc" else A.astype(float)


def _side(name: str, A: SparseArray, b: Any) -> Any:
    if type(b) is SparseArray or is_sparse(b):
        raise TypeError(f"{name} expected a full array as b, got a sparse one: pass b.toarray()")
    b = b if is_array(b) else gpuad.numpy.asarray(b)
    if b.ndim not in (1, 2) or b.shape[0] != A.shape[0]:
        raise ValueError(f"{name} expected b with {A.shape[0]} rows for A of shape {A.shape}, got shape {b.shape}")
    return b


def _solve(A: SparseArray, b: Any, solver: Any) -> Any:
    return solve(A.data, b, A.pattern, solver) if b.ndim == 1 else np.transpose(
        solve(A.data, np.transpose(b), A.pattern, solver))


def _direct(pattern: Pattern, permc_spec: Any) -> SparseLU:
    """The solver whose factors stay with the pattern."""
    known = pattern.base.solvers
    if permc_spec not in known:
        known[permc_spec] = SparseLU(permc_spec)
    return known[permc_spec]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.sparse.linalg' has no attribute {name!r}")
    return refusing(getattr(namespace, name), f"gpuad.scipy.sparse.linalg.{name}")


def refusing(function: Any, name: str) -> Any:
    """A function that says that it takes no sparse arrays under differentiation."""
    if not callable(function) or isinstance(function, type):
        return function

    def call(*args: Any, **kwargs: Any) -> Any:
        if any(type(x) is SparseArray for x in (*args, *kwargs.values())):
            raise refuse(name)
        return function(*args, **kwargs)

    return call


def __dir__() -> list[str]:
    return dir(namespace)


__all__ = ["Factorized", "bicg", "bicgstab", "cg", "cgs", "factorized", "gcrotmk", "gmres", "lgmres", "minres", "splu", "spsolve",
           "tfqmr"]
