"""Programs of the catalogue: la."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg as la

import gpuad as ad
from tests.gpuad.cases import away, between, case, like, positive, regular
from tests.gpuad.linalg_programs import spread, turning
from tests.gpuad.matrix_programs import definite, hermitian

s = ad.scipy.linalg


def entry(covers: Any, f: Any, *makers: Any, name: str = "", **options: Any) -> None:
    """Enter a program under the name of the first function that it stands for."""
    first = covers[0] if isinstance(covers, tuple) else covers

    def program(*args: Any) -> Any:
        try:
            return f(*args)
        except TypeError as error:
            if "CuPy has no such function" in str(error):
                pytest.skip(str(error))
            raise

    case(covers, program, *makers, name=f"scipy.linalg {name or first.__name__}", **options)


def double(x: Any) -> Any:
    """x in double precision: SciPy's logarithm warns of its own precision in single."""
    return np.astype(x, np.result_type(x.dtype, float))


def gauged(decomposition: Any) -> Any:
    """What does not depend on phases: eigenvalues, and products of the entries of an eigenvector."""
    w, v = decomposition
    return w, np.einsum("...ik,...jk->...kij", v, np.conjugate(v))


def right(x: Any) -> Any:
    """A matrix made of x whose eigenvalues lie in the right half-plane."""
    return x + like(x, np.diag(3.0 + np.arange(x.shape[-1])))


small = between(-0.7, 0.7, (3, 3))
pair = between(-0.7, 0.7, (2, 2, 2))
entry(la.expm, s.expm, small)
entry(la.expm, s.expm, pair)
entry(la.expm, lambda x: s.expm(3 * x), between(-2, 2, (2, 2)))
entry(la.expm, s.expm, (1, 1))
entry(la.expm, s.expm, (0, 0))
entry(la.expm_frechet, s.expm_frechet, small, (3, 3))
entry(la.expm_frechet, lambda x, e: s.expm_frechet(x, e, compute_expm=False), pair, (2, 2, 2))
entry(la.logm, lambda x: s.logm(double(right(x))), small)
entry(la.logm, lambda x: s.logm(double(right(x))), pair)
entry(la.logm, lambda x: s.logm(double(right(x)) * -1), between(-0.7, 0.7, (2, 2)), kinds="d", name="logm of a negative matrix")
entry(la.sqrtm, lambda x: s.sqrtm(right(x)), small)
entry(la.sqrtm, lambda x: s.sqrtm(right(x)), pair)
entry(la.sqrtm, lambda x: s.sqrtm(-right(x)), between(-0.2, 0.2, (2, 2)), kinds="d", name="sqrtm of a negative matrix")
entry(la.fractional_matrix_power, lambda x: s.fractional_matrix_power(right(x), 0.3), small, kinds="D")
entry(la.fractional_matrix_power, lambda x: s.fractional_matrix_power(definite(x), -1.7), pair)
entry(la.fractional_matrix_power, lambda x: s.fractional_matrix_power(definite(x), x[0, 0]), between(0.3, 1, (2, 2)),
     kinds="d")
entry(la.fractional_matrix_power, lambda x: s.fractional_matrix_power(x, 3) + s.fractional_matrix_power(x, -1.0),
     regular((2, 2)))
entry(la.signm, lambda x: s.signm(double(x) + like(x, np.diag([3.0, -4.0]))), between(-0.7, 0.7, (2, 2)))
for _name in ("cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm"):
    entry(getattr(la, _name), getattr(s, _name), between(-0.4, 0.4, (2, 2)))
    entry(getattr(la, _name), getattr(s, _name), between(-0.4, 0.4, (2, 2, 2)), kinds="d")

# ---- matrix equations

square, pair_of_squares = regular((2, 2)), regular((2, 2, 2))
entry(la.solve_sylvester, s.solve_sylvester, regular((3, 3)), square, (3, 2))
entry(la.solve_sylvester, lambda a, q: s.solve_sylvester(a, a, q), pair_of_squares, (2, 2, 2))
entry(la.solve_sylvester, lambda a: s.solve_sylvester(a, like(a, [[1.0, 2.0], [3.0, 9.0]]), like(a, np.eye(2))), square)
entry(la.solve_sylvester, s.solve_sylvester, (0, 0), square, (0, 2))
entry(la.solve_continuous_lyapunov, lambda a, q: s.solve_continuous_lyapunov(a, q), square, (2, 2))
entry(la.solve_continuous_lyapunov, s.solve_lyapunov, pair_of_squares, (2, 2, 2))
entry(la.solve_discrete_lyapunov, s.solve_discrete_lyapunov, between(-0.6, 0.6, (3, 3)), (3, 3))
entry(la.solve_discrete_lyapunov, lambda a, q: s.solve_discrete_lyapunov(a, q, method="bilinear"), pair, (2, 2, 2))
def exactly(x: Any) -> Any:
    """A positive definite matrix made of x that is Hermitian to the last bit."""
    m = definite(x)
    return (m + np.conjugate(m.T)) * 0.5


entry(la.solve_continuous_are, lambda a, b, q, r: s.solve_continuous_are(a, b, exactly(q), exactly(r)), (2, 2), (2, 1), (2, 2),
     (1, 1))
entry(la.solve_continuous_are,
      lambda a, b, q, r, e, c: s.solve_continuous_are(a, b, 5 * exactly(q), exactly(r), e, 0.1 * c, balanced=False),
      between(-0.7, 0.7, (2, 2)), positive((2, 1)), (2, 2), (1, 1), square, (2, 1))
entry(la.solve_discrete_are, lambda a, b, q, r: s.solve_discrete_are(a, b, exactly(q), exactly(r)),
     between(-0.7, 0.7, (2, 2)), positive((2, 1)), (2, 2), (1, 1))
entry(la.solve_discrete_are,
      lambda a, b, q, r, e, c: s.solve_discrete_are(a, b, exactly(q), exactly(r), like(e, 2 * np.eye(2)) + e, 0.1 * c,
                                                           balanced=False),
      between(-0.5, 0.5, (2, 2)), positive((2, 1)), (2, 2), (1, 1), between(-0.2, 0.2, (2, 2)), between(-1, 1, (2, 1)))


# ---- linear systems

entry(la.solve, s.solve, regular((3, 3)), (3,))
entry(la.solve, s.solve, regular((2, 3, 3)), (3, 2))
entry(la.solve, lambda a, b: s.solve(a, b, transposed=True), regular((3, 3)), (3, 2), kinds="d")
for _assume in ("gen", "sym", "her", "pos"):
    for _lower in (False, True):
        entry(la.solve, lambda a, b, s_=_assume, w=_lower: s.solve(
            definite(a) if s_ != "sym" else a + np.swapaxes(a, -1, -2), b, assume_a=s_, lower=w), regular((2, 2)), (2,))
for _assume in ("diagonal", "tridiagonal", "upper triangular", "lower triangular"):
    entry(la.solve, lambda a, b, s_=_assume: s.solve(a, b, assume_a=s_), regular((2, 3, 3)), (3, 2))
    entry(la.solve, lambda a, b, s_=_assume: s.solve(a, b, assume_a=s_, transposed=True), regular((3, 3)), (3,), kinds="d")
    if _assume != "tridiagonal":
        entry(la.inv, lambda a, s_=_assume: s.inv(a if s_[1] != "i" else a * like(a, np.eye(3)), assume_a=s_),
              regular((3, 3)), kinds="d")
entry(la.inv, s.inv, regular((2, 3, 3)))
entry(la.inv, lambda a: s.inv(definite(a), assume_a="pos", lower=True), (3, 3))
entry(la.det, s.det, regular((3, 3)))
entry(la.det, s.det, (2, 2, 2))
for _lower in (False, True):
    for _trans in (0, 1, 2, "T", "C"):
        entry(la.solve_triangular, lambda a, b, w=_lower, t=_trans: s.solve_triangular(a, b, trans=t, lower=w),
             regular((3, 3)), (3, 2))
    entry(la.solve_triangular, lambda a, b, w=_lower: s.solve_triangular(a, b, lower=w, unit_diagonal=True), (3, 3), (3,))
entry(la.solve_triangular, s.solve_triangular, regular((3, 3)), (2, 3, 2))
entry(la.solve_triangular, s.solve_triangular, regular((2, 3, 3)), (3,))
entry(la.solve_triangular, s.solve_triangular, (0, 0), (0, 2))
for _lower in (False, True):
    entry((la.cho_solve, la.cho_factor), lambda a, b, w=_lower: s.cho_solve(s.cho_factor(definite(a), lower=w), b),
         (3, 3), (3,))
    entry(la.cho_solve_banded, lambda a, b, w=_lower: s.cho_solve_banded(
        (a + like(a, [[3.0], [0.0]] if w else [[0.0], [3.0]]), w), b), between(-1, 1, (2, 4)), (4, 2))
    entry(la.solveh_banded, lambda a, b, w=_lower: s.solveh_banded(
        a + like(a, [[5.0], [0.0], [0.0]] if w else [[0.0], [0.0], [5.0]]), b, lower=w), between(-1, 1, (3, 4)), (4,))
entry(la.solve_banded, lambda a, b: s.solve_banded((1, 2), a + like(a, [[0.0], [0.0], [5.0], [0.0]]), b), (4, 5), (5, 2))
entry(la.solve_banded, lambda a, b: s.solve_banded((0, 1), a, b), positive((2, 2, 3)), (3,))
entry(la.solve_banded, lambda a, b: s.solve_banded((0, 0), a, b), positive((1, 3)), (2, 3, 1))
entry(la.pinv, s.pinv, (3, 2))
entry(la.pinv, lambda x, y: s.pinv(x @ y, rtol=1e-8), regular((2, 2)), (2, 3))
entry(la.pinvh, lambda x: s.pinvh(definite(x)), (3, 3))
entry(la.pinvh, lambda x: s.pinvh(x @ np.conjugate(x.T), rtol=1e-4, lower=False), between(1, 2, (3, 2)))
entry(la.lstsq, lambda a, b: s.lstsq(a, b)[:2], (4, 2), (4,))
entry(la.lstsq, lambda a, b: s.lstsq(a, b)[:2], (4, 2), (4, 2))
entry(la.lstsq, lambda a, b: (s.lstsq(a, b, cond=1e-9)[0], s.lstsq(a, b)[3]), (2, 4), (2,))
entry(la.norm, lambda a: s.norm(a), (2, 3))
entry(la.norm, lambda a: s.norm(a, 1, axis=-1, keepdims=True) + s.norm(a, "nuc"), (2, 3))


# ---- factorisations

def unsigned(q: Any) -> Any:
    """What does not depend on the phases of columns."""
    return np.abs(q)


def paired(u: Any, values: Any, vh: Any) -> Any:
    """What does not depend on the phases of singular vectors: values, and products of the entries of a pair."""
    return values, np.einsum("...ik,...kj->...kij", u, vh)


for _lower in (False, True):
    entry(la.cholesky, lambda a, w=_lower: s.cholesky(definite(a), lower=w), (2, 2, 2))
    entry(la.cho_factor, lambda a, w=_lower: s.cho_factor(definite(a), lower=w)[0], (3, 3))
for _shape in ((3, 3), (4, 2), (2, 4), (2, 3, 3)):
    entry(la.lu, lambda a: s.lu(a), away(_shape))
    entry(la.lu_factor, lambda a: s.lu_factor(a)[0], away(_shape))
    entry(la.lu, lambda a: s.lu(a, p_indices=True)[1:], away(_shape), name="lu with indices")
    entry(la.lu, lambda a: s.lu(a, permute_l=True), away(_shape), name="lu permuted")
    entry(la.qr, lambda a: s.qr(a, mode="economic"), away(_shape))
    entry(la.qr, lambda a: s.qr(a, mode="r")[0], away(_shape))
    entry(la.qr, lambda a: s.qr(a, mode="economic", pivoting=True)[:2], away(_shape), name="qr with pivots")
    entry(la.rq, lambda a: s.rq(a, mode="economic"), away(_shape))
    entry(la.rq, lambda a: s.rq(a, mode="r"), away(_shape))
    entry(la.svd, lambda a: paired(*s.svd(a, full_matrices=False)), away(_shape))
    entry(la.svdvals, s.svdvals, away(_shape))
    entry(la.polar, s.polar, away(_shape))
    entry(la.polar, lambda a: s.polar(a, side="left"), away(_shape))
for _trans in (0, 1, 2):
    entry(la.lu_solve, lambda a, b, t=_trans: s.lu_solve(s.lu_factor(a), b, t), regular((3, 3)), (3,))
    entry(la.lu_solve, lambda a, b, t=_trans: s.lu_solve(s.lu_factor(a), b, t), away((2, 2, 2)), (2, 3))
entry(la.svd, lambda a: s.svd(a, compute_uv=False, lapack_driver="gesvd"), (3, 2))
entry(la.svd, lambda a: unsigned(s.svd(a)[0][:, :2]), (3, 2))
entry(la.qr, lambda a: unsigned(s.qr(a)[0][:, :2]), (4, 2))
for _mode, _shape in (("left", (2, 3)), ("right", (3, 4)), ("left", (2,)), ("right", (4,))):
    entry(la.qr_multiply, lambda a, c, m=_mode: s.qr_multiply(a, c, m, conjugate=c.ndim == 1), away((4, 2)), _shape)
entry(la.qr_multiply, lambda a, c: s.qr_multiply(a, c, pivoting=True)[:2], away((2, 3)), (3, 2))
entry(la.subspace_angles, s.subspace_angles, away((5, 2)), (5, 3))
entry(la.subspace_angles, lambda a, b: s.subspace_angles(a, a[:, :1] + 0.1 * b), away((4, 2)), (4, 1))
entry(la.orthogonal_procrustes, s.orthogonal_procrustes, (4, 2), (4, 2))

def projector(n: Any) -> Any:
    """N Nᴴ, which does not depend on the basis."""
    return n @ np.conjugate(np.swapaxes(n, -1, -2))


# ---- eigenvalues

entry((la.eig, la.eigvals), lambda a: gauged(s.eig(spread(a))), between(-1, 1, (3, 3)))
entry(la.eig, lambda a: gauged(s.eig(turning(a))), between(-1, 1, (2, 2)))
entry(la.eig, lambda a: [unsigned(x) for x in s.eig(spread(a), left=True)], between(-1, 1, (2, 2, 2)))
entry(la.eig, lambda a: [unsigned(x) for x in s.eig(spread(a), left=True, right=False)], between(-1, 1, (2, 2)))
entry(la.eig, lambda a, b: gauged(s.eig(spread(a), b)), between(-1, 1, (2, 2)), regular((2, 2)))
entry(la.eig, lambda a, b: [unsigned(x) for x in s.eig(spread(a), b, left=True)], between(-1, 1, (2, 2)), regular((2, 2)))
entry(la.eigvals, lambda a: s.eigvals(spread(a)), between(-1, 1, (2, 2)))
entry(la.eigvals, lambda a, b: s.eigvals(spread(a), b), between(-1, 1, (2, 2, 2)), regular((2, 2)))
for _lower in (False, True):
    entry(la.eigh, lambda a, w=_lower: gauged(s.eigh(hermitian(a), lower=w)), (3, 3))
    entry(la.eigvalsh, lambda a, w=_lower: s.eigvalsh(hermitian(a), lower=w), (2, 2, 2))
    entry((la.eig_banded, la.eigvals_banded), lambda a, w=_lower: gauged(s.eig_banded(
        a + like(a, np.diag([0.0, 5.0, 11.0])[2 - 2 * w] + np.arange(3.0)), lower=w)), between(-1, 1, (2, 3)))
    entry(la.eigvals_banded, lambda a, w=_lower: s.eigvals_banded(
        a + 4 * like(a, np.arange(4.0)), lower=w, select="i", select_range=(1, 2)), between(-1, 1, (3, 4)))
entry(la.eigh, lambda a, b: gauged(s.eigh(hermitian(a), definite(b))), (3, 3), (3, 3))
entry(la.eigh, lambda a: gauged(s.eigh(hermitian(a), subset_by_index=(1, 2))), (3, 3))
entry(la.eigvalsh, lambda a, b: s.eigvalsh(hermitian(a), definite(b), subset_by_index=[0, 1]), (3, 3), (3, 3))
entry(la.eigvalsh, lambda a: s.eigvalsh(hermitian(a), subset_by_value=(2.0, np.inf)), (3, 3), name="eigvalsh by value")
entry((la.eigh_tridiagonal, la.eigvalsh_tridiagonal), lambda d, e: gauged(s.eigh_tridiagonal(d, e)), away((3,)),
     (2,), kinds="d")
entry(la.eigvalsh_tridiagonal, lambda d, e: s.eigvalsh_tridiagonal(d, e, select="i", select_range=(0, 1)), (2, 4), (2, 3),
     kinds="d")

# ---- special matrices

entry(la.toeplitz, s.toeplitz, (3,))
entry(la.toeplitz, s.toeplitz, (2, 3), (2,))
entry(la.circulant, s.circulant, (2, 3))
entry(la.hankel, s.hankel, (3,))
entry(la.hankel, s.hankel, (3,), (2,))
entry(la.leslie, s.leslie, (3,), (2,))
for _mode in ("full", "same", "valid"):
    entry(la.convolution_matrix, lambda a, m=_mode: s.convolution_matrix(a, 4, m), (3,))
entry(la.convolution_matrix, lambda a: s.convolution_matrix(a, 2), (2, 3))
entry(la.diagsvd, lambda x: s.diagsvd(x, 2, 3) @ s.diagsvd(x, 3, 2), (2,))
entry(la.companion, s.companion, away((4,)))
entry(la.companion, s.companion, away((2, 2)))
entry(la.fiedler_companion, s.fiedler_companion, away((5,)))
entry(la.fiedler_companion, s.fiedler_companion, away((2,)))
entry(la.fiedler, s.fiedler, away((4,)))
entry(la.block_diag, s.block_diag, (2, 3), (), (2,))
entry(la.block_diag, lambda a, b: s.block_diag(a, [[1.0, 2.0]], b), (2, 1, 2), (1, 0))
entry(la.khatri_rao, s.khatri_rao, (2, 3), (3, 3))
entry(la.matmul_toeplitz, s.matmul_toeplitz, (3,), (3,))
entry(la.matmul_toeplitz, lambda c, r, x: s.matmul_toeplitz((c, r), x), (4,), (3,), (3, 2))
entry(la.matmul_toeplitz, lambda c, r, x: s.matmul_toeplitz((c, r), x), (2, 2), (3,), (2, 3, 2))
entry(la.solve_toeplitz, lambda c, b: s.solve_toeplitz(c + like(c, [5.0, 0.0, 0.0]), b), (3,), (3,))
entry(la.solve_toeplitz, lambda c, r, b: s.solve_toeplitz((c + like(c, [5.0, 0.0, 0.0]), r), b), (2, 3), (3,), (3, 2))
entry(la.solve_circulant, lambda c, b: s.solve_circulant(c + like(c, [5.0, 0.0, 0.0]), b), (3,), (3, 2))
entry(la.solve_circulant, lambda c, b: s.solve_circulant(c + like(c, [5.0, 0.0, 0.0]), b, baxis=-1, outaxis=-1), (2, 1, 3),
      (2, 3))
entry(la.solve_circulant, lambda c, b: s.solve_circulant(c - np.mean(c), b, singular="lstsq"), (3,), (3,))
entry(la.null_space, lambda a: projector(s.null_space(a)), (2, 4))
entry(la.null_space, lambda a, b: projector(s.null_space(a @ b, rcond=1e-9)), (3, 2), (2, 3))
entry(la.orth, lambda a: projector(s.orth(a)), away((4, 2)))
entry(la.orth, lambda a: unsigned(s.orth(a, rcond=1e-9)), away((2, 3)))
