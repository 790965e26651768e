"""Programs of the catalogue: eigenvalues of general matrices, condition numbers, tensor equations, empty matrices."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.gpuad.cases import away, between, case, like, regular
from tests.gpuad.matrix_programs import definite, hermitian


def spread(x: Any) -> Any:
    """A general matrix made of x whose eigenvalues are distinct; real ones where x is real."""
    return x + like(x, np.diag(6.0 * np.arange(x.shape[-1])))


def turning(x: Any) -> Any:
    """A matrix made of x with the eigenvalues of a rotation, a complex pair, where x is real."""
    return x + like(x, np.array([[0.0, 8.0], [-8.0, 0.0]]))


def gauged_eig(a: Any) -> Any:
    """What does not depend on phases: the values, and vᵢ vᵢᴴ."""
    w, v = np.linalg.eig(a)
    return w, np.einsum("...ik,...jk->...kij", v, np.conjugate(v))


case((np.linalg.eig, np.linalg.eigvals), lambda x: gauged_eig(spread(x)), between(-1, 1, (3, 3)))
case(np.linalg.eig, lambda x: gauged_eig(spread(x)), between(-1, 1, (2, 2, 2)))
case(np.linalg.eig, lambda x: gauged_eig(turning(x)), between(-1, 1, (2, 2)))
case(np.linalg.eig, lambda x: np.linalg.eig(hermitian(x))[0], (2, 2))
case(np.linalg.eigvals, lambda x: np.linalg.eigvals(spread(x)), between(-1, 1, (3, 3)))
case(np.linalg.eigvals, lambda x: np.linalg.eigvals(turning(x)), between(-1, 1, (2, 2)))
case(np.linalg.eigvals, np.linalg.eigvals, (0, 0))
for _p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
    case(np.linalg.cond, lambda x, p=_p: np.linalg.cond(x, p), regular((3, 3)))
case(np.linalg.cond, lambda x: np.linalg.cond(x), (2, 3, 2))
case(np.linalg.tensorsolve, np.linalg.tensorsolve, regular((4, 4)), (4,))
case(np.linalg.tensorsolve, lambda x, b: np.linalg.tensorsolve(np.reshape(x, (2, 3, 6)), b), regular((6, 6)), (2, 3))
case(np.linalg.tensorsolve, lambda x, b: np.linalg.tensorsolve(np.reshape(x, (2, 6, 3)), b, axes=(0,)), regular((6, 6)), (6,))
case(np.linalg.tensorinv, lambda x: np.linalg.tensorinv(np.reshape(x, (2, 3, 6))), regular((6, 6)))
case(np.linalg.tensorinv, lambda x: np.linalg.tensorinv(np.reshape(x, (6, 3, 2)), ind=1), regular((6, 6)))
case(np.linalg.svd, lambda x: np.linalg.svd(hermitian(x), compute_uv=False, hermitian=True), (3, 3), name="svd hermitian")
case(np.linalg.svd, lambda x: np.abs(np.linalg.svd(hermitian(x), hermitian=True)[0]), (2, 3, 3), name="svd hermitian")
case(np.linalg.pinv, lambda x: np.linalg.pinv(hermitian(x), hermitian=True), (2, 3, 3), name="pinv hermitian")
case(np.linalg.pinv, lambda x, y: np.linalg.pinv(x @ y, rtol=1e-8) + np.linalg.pinv(x @ y, 1e-9), (2, 4, 2), (2, 3),
     name="pinv of rank two")
case(np.linalg.lstsq, lambda x, y: np.linalg.lstsq(x, y, rcond=-1)[0], (4, 2), (4,), name="lstsq rcond")
case(np.linalg.lstsq, lambda x, y, z: np.linalg.lstsq(x @ y, z, rcond=1e-8)[0], between(1, 2, (4, 2)), away((2, 3)), (4,),
     name="lstsq of low rank")
case(np.linalg.lstsq, lambda x, y: (np.linalg.lstsq(x, y)[0], np.linalg.lstsq(x, y)[3]), (2, 4), (2, 2),
     name="lstsq with many solutions")
case(np.linalg.norm, lambda x: np.linalg.norm(np.linalg.outer(x, x), axis=(-1, 0)), away((3,)), name="norm of an outer product")
for _f in (np.linalg.inv, np.linalg.det, np.linalg.pinv, np.linalg.cholesky, np.linalg.eigvalsh, np.linalg.svdvals):
    case(_f, _f, (0, 0))
case(np.linalg.det, np.linalg.det, (2, 0, 0))
case(np.linalg.slogdet, lambda x: tuple(np.linalg.slogdet(x)), (0, 0), name="slogdet of nothing")
case(np.linalg.qr, lambda x: tuple(np.linalg.qr(x)), (0, 2), name="qr of nothing")
case(np.linalg.solve, np.linalg.solve, (0, 0), (0, 2))
case(np.linalg.matrix_power, lambda x: np.linalg.matrix_power(x, 3) + np.linalg.matrix_power(x, 0), (0, 0))
case(np.linalg.cholesky, lambda x: np.linalg.cholesky(definite(x)), (0, 3, 3))
