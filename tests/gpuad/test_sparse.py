"""Sparse matrices under differentiation: SciPy's own as constants, what is refused, iterative solvers, and what changes later."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import gpuad as ad
from gpuad.scipy import sparse
from gpuad.scipy.sparse import SparseArray

pytestmark = pytest.mark.usefixtures("both_modes")

A = scipy.sparse.csr_array(np.array([[4.0, 1, 0], [0, 5, -1], [2, 0, 6]]))
D, X, B = A.data, np.array([0.3, -0.5, 0.8]), np.array([1.0, 2.0, -1.0])
FORMS = [f"{form}_{kind}" for form in ("csr", "csc", "coo", "dia", "bsr", "lil", "dok") for kind in ("array", "matrix")]


def of(d: Any) -> Any:
    return sparse.csr_array((d, A.indices, A.indptr), A.shape)


def close(got: Any, expected: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


# ---- SciPy's matrices as constants

@pytest.mark.parametrize("name", FORMS)
def test_constants_of_every_format(name: str) -> None:
    matrix, w = getattr(scipy.sparse, name)(A), np.array([1.0, -2.0, 0.5])
    for f, expected in ((lambda x: matrix @ x, w @ matrix), (lambda x: x @ matrix, matrix @ w)):
        close(ad.vjp(f, X)[0], f(X))
        close(ad.vjp(f, X)[1](w)[0], expected)
    many = np.stack([X, B], 1)
    close(ad.vjp(lambda x: matrix @ x, many)[1](many)[0], matrix.T @ many)
    close(ad.hvp(lambda x: np.sum((matrix @ x) ** 3), (X,), (B,))[0], matrix.T @ (6 * (matrix @ X) * (matrix @ B)))
    close(ad.grad(lambda x: np.sum((2.0 * x[0] * matrix).toarray()))(X), [2 * A.sum(), 0, 0])
    if name.endswith("matrix"):
        close(ad.vjp(lambda x: x * sparse.as_sparse(matrix).T, X)[0], matrix @ X)


@pytest.mark.parametrize("name", ["csr_array", "csc_matrix", "dia_array"])
def test_dot_of_constants(name: str) -> None:
    matrix = getattr(scipy.sparse, name)(A)
    close(ad.vjp(lambda x: matrix.dot(x), X)[1](B)[0], A.T @ B)


@pytest.mark.parametrize("f", [lambda x: A.multiply(x), lambda x: A * x[0], lambda x: A / x[0],
                               lambda x: scipy.sparse.coo_array(A).dot(x)])
def test_what_scipy_itself_cannot_do_names_the_remedy(f: Any) -> None:
    with pytest.raises((ad.ArrayConversionError, ad.PlanError), match=r"write A @ x, x @ A.*ad.scipy.sparse.as_sparse\(A\)"):
        ad.vjp(f, X)


def test_constants_that_are_made_to_be_written_to() -> None:
    def f(x: Any) -> Any:
        start = np.zeros_like(x)
        start[0] = 2.0
        return A @ start + A.multiply(start).sum(axis=1) + A @ x

    close(ad.vjp(f, X)[0], 2 * (A @ np.array([2.0, 0, 0])) + A @ X)


def test_constants_may_change_afterwards() -> None:
    from gpuad import vjp

    matrix = A.copy()
    _, pull = vjp(lambda x: matrix @ x, X)
    matrix.data[:] = 0
    close(pull(B)[0], A.T @ B)
    close(vjp(lambda x: matrix @ x, X)[0], np.zeros(3))
    matrix.indices[0] = 2
    matrix.data[0] = 7
    close(vjp(lambda x: matrix @ x, X)[0], [5.6, 0, 0])


def test_entries_and_places_may_change_afterwards() -> None:
    from gpuad import vjp

    indices, d = A.indices.copy(), D.copy()

    def f(d: Any) -> Any:
        made = sparse.csr_array((d, indices, A.indptr), A.shape)
        indices[:] = 0
        y = made @ X
        made.data *= 2
        return y

    out, pull = vjp(f, d)
    close(out, A @ X)
    d[:] = 0
    close(pull(B)[0], [B[i] * X[j] for i, j in zip(*A.tocoo().coords, strict=True)])


def test_a_plan_reads_constants_anew() -> None:
    matrix = A.copy()
    run = ad.plan(lambda x: matrix @ x)
    close(run(X), A @ X)
    matrix.data *= 2
    close(run(X), 2 * (A @ X))


# ---- what a SparseArray is

def test_attributes() -> None:
    seen: list[Any] = []

    def f(d: Any) -> Any:
        seen.append(of(d))
        return seen[-1].sum()

    from gpuad import vjp

    vjp(f, D)
    made = seen[0]
    assert type(made) is SparseArray and sparse.issparse(made) and sparse.issparse(A) and not sparse.issparse(X)
    assert (made.shape, made.nnz, made.ndim, made.format, made.dtype) == ((3, 3), 6, 2, "csr", np.float64)
    np.testing.assert_array_equal(made.indices, A.indices)
    np.testing.assert_array_equal(made.T.indptr, A.indptr)
    np.testing.assert_array_equal(made.tocoo().row, A.tocoo().row)
    assert made.T.format == "csc" and made.T.T.pattern is made.pattern and made.asformat(None) is made
    assert repr(made).startswith("SparseArray(csr, shape (3, 3), 6 entries, TracedArray")


def test_plain_entries_give_scipys_objects() -> None:
    assert type(of(D)) is scipy.sparse.csr_array
    assert type(sparse.csc_matrix((D, A.indices, A.indptr), A.shape)) is scipy.sparse.csc_matrix
    assert type(sparse.diags_array([X], offsets=[0])) is scipy.sparse.dia_array
    assert type(sparse.diags([X], [0])) is scipy.sparse.dia_matrix
    assert type(sparse.eye_array(3)) is scipy.sparse.dia_array
    np.testing.assert_array_equal(sparse.linalg.spsolve(A, B), scipy.sparse.linalg.spsolve(A, B))
    close(sparse.linalg.cg(A @ A.T, B)[0], scipy.sparse.linalg.cg(A @ A.T, B)[0])
    assert sparse.linalg.splu(A.tocsc(), diag_pivot_thresh=0.5).shape == (3, 3)
    assert sparse.hstack([A, A]).shape == sparse.vstack([A, A]).T.shape == sparse.block_array([[A, A]]).shape


@pytest.mark.parametrize("f", [
    lambda d: (of(d) @ X, of(d).toarray()[0]), lambda d: sparse.csr_matrix((d, A.indices, A.indptr), A.shape) * X,
    lambda d: X @ of(d) + X @ of(d).T, lambda d: (A @ of(d)).toarray()[1], lambda d: (A + of(d)).sum(0) - (A - of(d)).sum(1),
    lambda d: ((A + d[:3]) - (A - d[:3, None]))[0], lambda d: (d[:3] + A)[0] - (d[3:] - A)[1]])
def test_numpy_and_scipy_operands(f: Any) -> None:
    """NumPy's and SciPy's objects on the left leave it to the sparse array."""
    def g(d: Any) -> Any:
        return np.concatenate(list(f(d))) if isinstance(f(d), tuple) else f(d)

    close(ad.vjp(g, D)[0], g(D))
    _, tangent = ad.jvp(g, (D,), (D,))
    close(tangent, (g(D + 1e-3 * D) - g(D - 1e-3 * D)) / 2e-3, 1e-8)


def test_dtypes() -> None:
    for dtype in (np.float32, np.complex64, np.float64):
        d, x = D.astype(dtype), X.astype(dtype)
        for f in (lambda d, x: of(d) @ x, lambda d, x: sparse.linalg.spsolve(of(d), x), lambda d, x: 2.0 * of(d).T @ x):
            out, pull = ad.vjp(f, d, x)
            assert out.dtype == dtype
            assert [g.dtype for g in pull(out)] == [dtype, dtype]


# ---- what is refused

@pytest.mark.parametrize(("f", "error", "message"), [
    (lambda d: np.asarray(of(d)), ad.ArrayConversionError, r"A.toarray\(\)"),
    (lambda d: np.sin(of(d)), TypeError, "SparseArray"),
    (lambda d: of(d).tolil(), AttributeError, "has no attribute 'tolil'; it has T, .*toarray"),
    (lambda d: of(d)[0], TypeError, "not subscriptable"),
    (lambda d: len(of(d)), TypeError, "ambiguous"),
    (lambda d: bool(of(d)), ValueError, "ambiguous"),
    (lambda d: of(d) @ np.ones(4), ValueError, r"expected x with 3 rows for A of shape \(3, 3\), got shape \(4,\)"),
    (lambda d: np.ones(4) @ of(d), ValueError, r"expected x with 3 columns"),
    (lambda d: of(d) @ 2.0, ValueError, r"write c \* A"),
    (lambda d: of(d) @ A[:2], ValueError, r"rows of B as columns of A, got shapes \(3, 3\) and \(2, 3\)"),
    (lambda d: of(d) + A[:2], ValueError, r"of one shape, got \(3, 3\) and \(2, 3\)"),
    (lambda d: of(d) + 1.0, NotImplementedError, "adding a nonzero scalar"),
    (lambda d: of(d).multiply(np.ones((2, 3, 3))), ValueError, "broadcasts to the sparse one's shape"),
    (lambda d: of(d).power(-1), ValueError, "expected a positive number"),
    (lambda d: sparse.csr_matrix(of(d)) ** 2, TypeError, "matrix power"),
    (lambda d: of(d).sum(axis=2), ValueError, "axis None, 0 or 1, got 2"),
    (lambda d: of(d).transpose((0, 1)), ValueError, r"axes \(1, 0\)"),
    (lambda d: sparse.csr_array((d, A.indices[:-1], A.indptr), A.shape), ValueError, "same"),
    (lambda d: sparse.csr_array(d[:, None]), (ad.ArrayConversionError, ad.PlanError), "give the places"),
    (lambda d: sparse.csr_array((d[:, None], A.indices, A.indptr), A.shape), ValueError, "entries with one axis"),
    (lambda d: sparse.coo_array((D, (d, d))), (ad.ArrayConversionError, ad.PlanError), "the pattern is fixed"),
    (lambda d: sparse.diags_array([d, d], offsets=[0]), ValueError, "2 diagonals and 1 offsets"),
    (lambda d: sparse.diags_array([d, d], offsets=[0, 0]), ValueError, "different offsets"),
    (lambda d: sparse.diags_array([d, d], offsets=[0, 1]), ValueError, "diagonal of 5 entries at offset 1"),
    (lambda d: sparse.dia_array((d[None], [0])), ValueError, "a shape"),
    (lambda d: sparse.block_array([[of(d), A[:2]]]), ValueError, "one height"),
    (lambda d: sparse.kron(of(d), A), ad.NotDifferentiableError, "sparse.kron has no differential"),
    (lambda d: sparse.linalg.expm_multiply(of(d), X), ad.NotDifferentiableError, "expm_multiply has no differential"),
    (lambda d: sparse.linalg.spsolve(d[:4].reshape(2, 2), d[:2]), TypeError, "numpy.linalg.solve"),
    (lambda d: sparse.linalg.spsolve(of(d), A), TypeError, r"pass b.toarray\(\)"),
    (lambda d: sparse.linalg.spsolve(of(d), d), ValueError, r"b with 3 rows for A of shape \(3, 3\), got shape \(6,\)"),
    (lambda d: sparse.linalg.spsolve(of(0 * d), X), np.linalg.LinAlgError, "singular: SparsePattern"),
    (lambda d: sparse.linalg.spsolve(sparse.csr_array((d, A.indices, A.indptr), (3, 4)), X), np.linalg.LinAlgError, "not square"),
    (lambda d: sparse.linalg.splu(of(d)).solve(X, "X"), ValueError, "trans 'N', 'T' or 'H', got 'X'"),
    (lambda d: sparse.linalg.splu(of(d), relax=1), TypeError, "not available for a matrix under differentiation"),
    (lambda d: sparse.linalg.cg(of(d), d[:6].reshape(3, 2)), ValueError, "expected a vector b"),
])
def test_refusals(f: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        ad.vjp(f, D)


def test_iterative_solvers_are_the_hosts(gpu: ModuleType) -> None:
    places = tuple(map(gpu.asarray, (A.indices, A.indptr)))
    with pytest.raises(TypeError, match="SciPy's solver runs on the host"):
        ad.grad(lambda d: sparse.linalg.cg(sparse.csr_array((d, *places), A.shape), gpu.asarray(B))[0].sum())(gpu.asarray(D))


# ---- solves

@pytest.mark.parametrize("name", "bicg bicgstab cg cgs gcrotmk gmres lgmres minres tfqmr".split())
def test_iterative_solvers(name: str) -> None:
    solver = getattr(sparse.linalg, name)
    tight = {"rtol": 1e-13} if name == "minres" else {"rtol": 1e-13, "atol": 1e-13}

    def f(d: Any, b: Any) -> Any:
        x, info = solver(of(d) @ of(d).T, b, X, **tight)
        return np.sum(np.sin(x)) + info  # which is 0

    def direct(d: Any, b: Any) -> Any:
        full = of(d).toarray()
        return np.sum(np.sin(np.linalg.solve(full @ full.T, b)))

    for g, h in zip(ad.grad(f, (0, 1))(D, B), ad.grad(direct, (0, 1))(D, B), strict=True):
        close(g, h, 1e-9)
    for g, h in zip(ad.hvp(f, (D, B), (D[::-1].copy(), X)), ad.hvp(direct, (D, B), (D[::-1].copy(), X)), strict=True):
        close(g, h, 1e-7)


def test_preconditioners_and_callbacks() -> None:
    seen: list[Any] = []
    M = scipy.sparse.linalg.LinearOperator((3, 3), matvec=lambda x: x / A.diagonal(), rmatvec=lambda x: x / A.diagonal())

    def f(b: Any) -> Any:
        x, _ = sparse.linalg.gmres(A, b, rtol=1e-12, M=M, callback=seen.append, callback_type="pr_norm")
        return x

    close(ad.jacobian(f)(B), np.linalg.inv(A.toarray()), 1e-9)
    assert seen


def test_equations_of_derivatives_that_are_not_solved() -> None:
    from gpuad import vjp

    x, pull = vjp(lambda b: sparse.linalg.cg(A @ A.T, b, B, maxiter=1)[0], (A @ A.T) @ B)
    close(x, B)
    with pytest.raises(RuntimeError, match="cg: the equation of a derivative was not solved"):
        pull(np.array([1.0, 0.0, 0.0]))


def test_one_factorisation_serves_solves_and_their_transposes(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpuad import grad

    count: list[int] = []
    splu = scipy.sparse.linalg.splu
    monkeypatch.setattr(scipy.sparse.linalg, "splu", lambda *args, **options: count.append(1) or splu(*args, **options))
    grad(lambda d, b: np.sum(sparse.linalg.spsolve(of(d), b) ** 2), (0, 1))(D, B)
    assert len(count) == 1
    matrix = A.copy()

    def steps(b: Any) -> Any:
        for _ in range(5):
            b = sparse.linalg.spsolve(matrix, b)
        return np.sum(b)

    grad(steps)(B)
    assert len(count) == 2


def test_not_a_number() -> None:
    out, pull = ad.vjp(lambda d: sparse.linalg.spsolve(of(d), B), D * np.nan)
    assert np.isnan(out).all() and np.isnan(pull(B)[0]).all()


def test_a_heat_equation() -> None:
    """Implicit time steps of a heat equation with a conductivity that is sought: the gradient by two-sided differences."""
    n = 12

    def end(k: Any) -> Any:
        left, right = k[:-1], k[1:]
        between = np.concatenate([k[:1], (left + right) / 2, k[-1:]])
        system = sparse.eye_array(n, format="csr") + 0.1 * sparse.diags_array(
            [between[:-1] + between[1:], -between[1:-1], -between[1:-1]], offsets=[0, 1, -1])
        u = np.sin(np.linspace(0, np.pi, n))
        for _ in range(4):
            u = sparse.linalg.spsolve(system, u)
        return np.sum(u**2)

    k, v = np.linspace(1.0, 2.0, n), np.cos(np.arange(n))
    slope = (end(k + 1e-5 * v) - end(k - 1e-5 * v)) / 2e-5
    close(np.sum(ad.grad(end)(k) * v), slope, 1e-8)
