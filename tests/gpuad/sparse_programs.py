"""Programs of the catalogue: sparse matrices with entries under differentiation, SciPy's own as constants, and solves."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from gpuad.scipy import sparse
from gpuad.traced import underlying
from linalg.arrays import is_cupy, sparse_module
from tests.gpuad.cases import between, case, positive

ROWS, COLUMNS = np.array([0, 0, 1, 2, 2, 3, 3]), np.array([0, 2, 1, 0, 2, 1, 2])
TWICE = np.array([0, 0, 1, 2, 0, 2, 1]), np.array([0, 2, 1, 0, 2, 2, 1])  # places that come twice, in no order
CSR = scipy.sparse.coo_array((np.arange(1.0, 8), (ROWS, COLUMNS)), (4, 3)).tocsr()
CSC = CSR.tocsc()
SQUARE = scipy.sparse.csr_array(np.array([[4.0, 1, 0], [0, 5, -1], [2, 0, 6]]))


def csr(d: Any) -> Any:
    return sparse.csr_array((d, CSR.indices, CSR.indptr), CSR.shape)


def csc(d: Any) -> Any:
    return sparse.csc_array((d, CSC.indices, CSC.indptr), CSC.shape)


def coo(d: Any) -> Any:
    return sparse.coo_array((d, TWICE), (3, 4))


def square(d: Any) -> Any:
    """A matrix far from singular, for d between −1 and 1."""
    return sparse.csr_array((d, SQUARE.indices, SQUARE.indptr), SQUARE.shape) + constant(d, SQUARE)


def constant(x: Any, matrix: Any) -> Any:
    """A constant matrix where x lies."""
    return sparse_module(underlying(x)).csr_matrix(matrix) if is_cupy(underlying(x)) else matrix


def full(a: Any) -> Any:
    """The full matrix of what is a sparse one, or SciPy's for plain entries."""
    return a.toarray()


def sparse_case(name: str, f: Callable[..., Any], *makers: Any, **options: Any) -> None:
    case((), f, *makers, name=f"sparse {name}", **options)


# ---- products

for _name, _made in (("csr", csr), ("csc", csc), ("coo", lambda d: coo(d).T)):
    _n = 4 if _name == "coo" else 3
    _x = 3
    sparse_case(f"{_name} times vector", lambda d, x, m=_made: m(d) @ x, (7,), (_x,))
    sparse_case(f"{_name} times matrix", lambda d, x, m=_made: m(d) @ x, (7,), (_x, 2))
    sparse_case(f"vector times {_name}", lambda d, x, m=_made: x @ m(d), (7,), (4,))
    sparse_case(f"matrix times {_name}", lambda d, x, m=_made: x @ m(d), (7,), (2, 4))
sparse_case("dot", lambda d, x: csr(d).dot(x) + csc(d).T.dot(x[[0, 1, 2, 0]])[0], (7,), (3,))
sparse_case("no columns", lambda d, x: csr(d) @ x, (7,), (3, 0))
sparse_case("no entries", lambda d, x: sparse.csr_array((d, np.zeros(0, int), np.zeros(3, int)), (2, 3)) @ x, (0,), (3,))
sparse_case("entries alone", lambda d: csr(d) @ constant(d, CSR).T.toarray(), (7,))
sparse_case("constant times vector", lambda x: constant(x, CSR) @ x, (3,))
sparse_case("constant times matrix", lambda x: constant(x, CSC) @ x, (3, 2))
sparse_case("products", lambda d, e: full(csr(d) @ coo(e)), (7,), (7,))
sparse_case("products with constants", lambda d: full(csr(d) @ constant(d, CSR).T) + full(constant(d, CSR) @ csr(d).T), (7,))

# ---- entry by entry, sums, other forms

sparse_case("toarray", lambda d: (full(csr(d)), full(csc(d)), full(coo(d)), full(coo(d).tocsr()), full(coo(d).tocsc())), (7,))
sparse_case("data", lambda d: (csr(d).data, csc(d).T.data, (-coo(d)).tocsr().data, csr(d).conj().data), (7,))
sparse_case("number times", lambda d, c: full(c * csr(d) * 2.0 - csr(d) / c), (7,), between(0.5, 1.5, ()))
sparse_case("number times a constant", lambda c: full(c * sparse.as_sparse(constant(c, CSR))), between(0.5, 1.5, ()))
sparse_case("sums", lambda d, e: full(csr(d) + coo(e).T - 2.0 * csc(d) + constant(d, CSR)), (7,), (7,))
sparse_case("with full arrays", lambda d, x: (csr(d) + x, x - csr(d), csr(d) - x), (7,), (4, 3))
sparse_case("multiply", lambda d, e, x: full(csr(d).multiply(coo(e).T)) + full(csc(d).multiply(x)) + full(
    csr(d).multiply(constant(d, CSC).tocsr())), (7,), (7,), (3,))
sparse_case("quotients", lambda d, x: full(csr(d) / x), (7,), positive((4, 1)))
sparse_case("power", lambda d: full(coo(d).power(2)) + full(csr(d) ** 3).T, (7,))
sparse_case("sum", lambda d: (coo(d).sum(), coo(d).sum(axis=0), csr(d).sum(axis=1), csr(d).sum(axis=-2), csc(d).mean(axis=1)),
            (7,))
sparse_case("diagonal", lambda d: (csr(d).diagonal(), csr(d).diagonal(1), coo(d).diagonal(-2), csr(d).trace()), (7,))
sparse_case("parts", lambda d: full(csr(d).real) + 1j * full(csr(d).conj().imag), (7,), kinds="D")
sparse_case("matrix", lambda d, x: sparse.csr_matrix((d, CSR.indices, CSR.indptr), CSR.shape) * x, (7,), (3,))
sparse_case("sum of a matrix", lambda d: sparse.csr_matrix(csr(d)).sum(axis=0) + 0 * d[0], (7,))

# ---- constructors

sparse_case("of rows and columns", lambda d: (full(sparse.csr_array((d, TWICE), (3, 4))), full(sparse.csc_array((d, TWICE)))),
            (7,))
sparse_case("diags_array", lambda x, y: full(sparse.diags_array([x, y[0] * x[:-1]], offsets=[0, -1])), (4,), (1,))
sparse_case("diags", lambda x, y: sparse.diags([y, x, y], [-1, 0, 2], shape=(4, 5)) @ sparse.diags(
    x[[0, 1, 2, 3, 3]]).T.diagonal(), (4,), (1,))
sparse_case("dia_array", lambda x: full(sparse.dia_array((x, [0, 2, -1]), shape=(3, 4))), (3, 4))
sparse_case("block_array", lambda d, e: full(sparse.block_array([[csr(d), None], [None, coo(e)]])), (7,), (7,))
sparse_case("stacks", lambda d, e: full(sparse.hstack([csr(d), csc(e)])) @ full(sparse.vstack([csr(d).T, coo(e)])), (7,), (7,))

# ---- solves

for _side in ((3,), (3, 2), (3, 1)):
    sparse_case("spsolve", lambda d, b: sparse.linalg.spsolve(square(d), b), between(-1, 1, (6,)), _side)
sparse_case("spsolve of entries", lambda d: sparse.linalg.spsolve(square(d).tocsc().T, d[:3]), between(-1, 1, (6,)))
sparse_case("spsolve with constants", lambda b: sparse.linalg.spsolve(constant(b, SQUARE), b), (3,))
sparse_case("splu", lambda d, b: sparse.linalg.splu(square(d)).solve(b) + sparse.linalg.factorized(square(d).tocsc())(b)
            + sparse.linalg.splu(square(d)).solve(b, "T") + sparse.linalg.splu(square(d)).solve(b, "H"), between(-1, 1, (6,)),
            (3,))
