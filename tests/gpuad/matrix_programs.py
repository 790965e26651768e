"""Programs of the catalogue: linear systems, decompositions, norms."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.gpuad.cases import away, case, like, regular


def hermitian(x: Any) -> Any:
    """A Hermitian matrix made of x, with distinct eigenvalues."""
    y = np.tril(x)
    return y + np.conjugate(np.swapaxes(y, -1, -2)) + like(x, 5 * np.diag(np.arange(x.shape[-1])))


def definite(x: Any) -> Any:
    """A positive definite matrix made of x."""
    return np.matmul(x, np.conjugate(np.swapaxes(x, -1, -2))) + like(x, 2 * np.eye(x.shape[-2]))


def gauged_svd(x: Any, full: bool) -> Any:
    """What does not depend on the phases of singular vectors: uᵢ vᵢᴴ, |U|, |V|, and the projector on what completes U."""
    u, s, vh = np.linalg.svd(x, full_matrices=full)
    k = s.shape[-1]
    pairs = np.einsum("...ik,...kj->...kij", u[..., :k], vh[..., :k, :])
    rest = u[..., k:] @ np.conjugate(np.swapaxes(u[..., k:], -1, -2)) if full else 0.0
    rest_v = np.conjugate(np.swapaxes(vh[..., k:, :], -1, -2)) @ vh[..., k:, :] if full else 0.0
    both = (rest, rest_v) if full else u @ vh
    return s, pairs, np.abs(u[..., :k]), np.abs(vh[..., :k, :]), both


def gauged_eigh(x: Any, uplo: str) -> Any:
    w, v = np.linalg.eigh(hermitian(x), UPLO=uplo)
    return w, np.einsum("...ik,...jk->...kij", v, np.conjugate(v)), np.abs(v)


def gauged_qr(x: Any) -> Any:
    """The complete decomposition with the projector on what completes Q."""
    q, r = np.linalg.qr(x, mode="complete")
    k = min(x.shape[-2:])
    return q[..., :k], r, q[..., k:] @ np.conjugate(np.swapaxes(q[..., k:], -1, -2))


case(np.linalg.solve, np.linalg.solve, regular((3, 3)), (3,))
case(np.linalg.solve, np.linalg.solve, regular((3, 3)), (3, 2))
case(np.linalg.solve, np.linalg.solve, regular((2, 3, 3)), (3, 2))
case(np.linalg.solve, np.linalg.solve, regular((3, 3)), (2, 3, 2))
case(np.linalg.solve, np.linalg.solve, regular((2, 1, 3, 3)), (2, 3, 1))
case(np.linalg.solve, np.linalg.solve, regular((2, 3, 3)), (3,))
case(np.linalg.solve, lambda x: np.linalg.solve(x, [1.0, 2.0, 3.0]) + np.linalg.solve(like(x, 4 * np.eye(3)), x)[0],
     regular((3, 3)))
case(np.linalg.inv, np.linalg.inv, regular((2, 3, 3)))
case(np.linalg.det, np.linalg.det, (2, 3, 3))
case(np.linalg.det, np.linalg.det, (1, 1))
case(np.linalg.slogdet, lambda x: tuple(np.linalg.slogdet(x)), (2, 3, 3), name="slogdet")
case(np.linalg.cholesky, lambda x: np.linalg.cholesky(definite(x)), (2, 3, 3))
case(np.linalg.cholesky, lambda x: np.linalg.cholesky(definite(x), upper=True), (3, 3))
for _shape in ((3, 3), (2, 4, 2), (2, 4)):
    for _full in (False, True):
        case(np.linalg.svd, lambda x, full=_full: gauged_svd(x, full), _shape)
case(np.linalg.svd, lambda x: np.linalg.svd(x, full_matrices=False), (4, 2), kinds="d", name="svd with its signs")
case(np.linalg.svd, lambda x: np.linalg.svd(x, compute_uv=False), (2, 3, 2))
case(np.linalg.svdvals, np.linalg.svdvals, (2, 3))
for _uplo in "LU":
    case((np.linalg.eigh, np.linalg.eigvalsh), lambda x, u=_uplo: gauged_eigh(x, u), (2, 3, 3))
    case(np.linalg.eigvalsh, lambda x, u=_uplo: np.linalg.eigvalsh(hermitian(x), u), (3, 3))
for _shape in ((3, 3), (2, 4, 2), (2, 4)):
    case(np.linalg.qr, lambda x: tuple(np.linalg.qr(x)), _shape)
    case(np.linalg.qr, lambda x: np.linalg.qr(x, mode="r"), _shape)
    case(np.linalg.qr, gauged_qr, _shape)
for _shape in ((3, 3), (4, 2), (2, 2, 4), (3, 1)):
    case(np.linalg.pinv, np.linalg.pinv, _shape)
case(np.linalg.pinv, lambda x, y: np.linalg.pinv(x @ y), (4, 2), (2, 3), name="pinv of rank two")
case(np.linalg.lstsq, lambda x, y: np.linalg.lstsq(x, y)[0], (4, 2), (4,))
case(np.linalg.lstsq, lambda x, y: (np.linalg.lstsq(x, y)[:2], np.linalg.lstsq(x.T, y[:2])[0]), (4, 2), (4, 3))
for _n in (-2, -1, 0, 1, 2, 3, 6):
    case(np.linalg.matrix_power, lambda x, n=_n: np.linalg.matrix_power(x, n) @ x, regular((2, 2, 2)))
case(np.linalg.multi_dot, lambda x, y, z: np.linalg.multi_dot([x, y, z]), (2, 3), (3, 4), (4, 2))
case(np.linalg.multi_dot, lambda x, y, z: np.linalg.multi_dot([x, y, [[1.0], [2.0]], z[None, 0] * z[:1]]), (3,), (3, 2), (2,))
case(np.linalg.norm, lambda x: np.linalg.norm(x), away((2, 3)))
case(np.linalg.norm, np.linalg.norm, away((2, 3, 2)))
for _ord in (None, 1, 2, 3, 0.5, -1, -2, np.inf, -np.inf, 0):
    _o2 = {"ord": _ord}
    case(np.linalg.norm, lambda x, o=_ord: np.linalg.norm(x, o, axis=0) * np.linalg.norm(x[0], o), away((2, 3)))
    case(np.linalg.norm, lambda x, o=_ord: x * np.linalg.norm(x, o, axis=-1, keepdims=True), away((2, 3)))
    if _ord is not None:
        case(np.linalg.vector_norm, lambda x, o=_ord: x * np.linalg.vector_norm(x, axis=(0, 2), keepdims=True, ord=o)
             + np.linalg.vector_norm(x, ord=o), away((2, 3, 2)))
for _ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
    case(np.linalg.norm, lambda x, o=_ord: np.linalg.norm(x, o) * np.linalg.norm(x.T, o, axis=(-1, 0)), away((2, 3)))
    case(np.linalg.norm, lambda x, o=_ord: x * np.linalg.norm(x, o, axis=(0, 2), keepdims=True), away((2, 2, 3)))
    if _ord is not None:
        case(np.linalg.matrix_norm, lambda x, o=_ord: np.linalg.matrix_norm(x, ord=o) * np.linalg.matrix_norm(x, keepdims=True),
             away((2, 3, 2)))
