"""The backslash: what it refuses, what it promises about its arguments, and what passes through."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import linalg
from linalg import (
    AxisSum,
    BlockMatrix,
    Broadcast,
    CumulativeSum,
    Dense,
    Diagonal,
    Einsum,
    Gather,
    Identity,
    Inverse,
    Kronecker,
    LeftProduct,
    LinearOperator,
    Permute,
    Product,
    Reshape,
    RightProduct,
    Scaling,
    Sparse,
    SymTridiagonal,
    UnitTriangular,
    Zero,
    solve,
)
from linalg.arrays import to_host
from linalg.solve import solve_dense

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
ONE_ENTRY = scipy.sparse.csr_matrix(np.diag([1.0, 0.0]))


def singular_operators(xp: ModuleType) -> dict[str, LinearOperator]:
    matrix = xp.asarray(SINGULAR)
    return {
        "scaling": Scaling(0, (2,)),
        "scaling_array": Scaling(xp.zeros(()), (2,)),
        "diagonal": Diagonal(xp.asarray([1.0, 0.0])),
        "dense": Dense(matrix),
        "left": LeftProduct(matrix, (2, 3)),
        "left_batch": LeftProduct(xp.stack([matrix, matrix]), (2, 2, 3)),
        "right": RightProduct(matrix, (3, 2)),
        "kronecker": Kronecker(matrix, xp.eye(2)),
        "kronecker_through_less": Kronecker(xp.ones((1, 2)), xp.ones((2, 1))),
        "tridiagonal": SymTridiagonal(xp.asarray([1.0, 1.0, 1.0]), xp.asarray([1.0, 0.0])),
        "tridiagonal_one": SymTridiagonal(xp.zeros(1), xp.zeros(0)),
        "sum": Dense(matrix) + Dense(matrix),
        "product": Product(Dense(matrix), Diagonal(xp.ones(2))),
        "product_through_less": Product(Dense(xp.ones((2, 1))), Dense(xp.ones((1, 2)))),
        "transpose": linalg.elements.algebra.Transpose(Dense(matrix)),
        "gather": Gather((3,), xp.asarray([0, 0, 1])),
        "zero": Zero((2,), (2,)),
        "inverse": Inverse(Inverse(Dense(matrix))),
        "block": linalg.BlockOperator(BlockMatrix([[(0, Dense(matrix))]], [(2,)], [(2,)])),
    }


@pytest.mark.parametrize("name", singular_operators(np))
def test_singular(name: str, xp: ModuleType) -> None:
    operator = singular_operators(xp)[name]
    for a in (operator, operator.T):
        with pytest.raises(np.linalg.LinAlgError, match=r"^singular: "):
            solve(a, xp.ones((2, *a.out_shape)))


def test_singular_sparse(xp: ModuleType) -> None:
    from linalg.arrays import sparse_module

    a = Sparse(sparse_module(xp.ones(1)).csr_matrix(ONE_ENTRY))
    for operator in (a, a.T):
        with pytest.raises(np.linalg.LinAlgError, match=r"singular: Sparse"):
            solve(operator, xp.ones(2))


def test_the_error_names_the_operator() -> None:
    with pytest.raises(np.linalg.LinAlgError, match=r"Dense\(\(2,\) -> \(2,\), float64\)"):
        solve(Product(Dense(SINGULAR), CumulativeSum((2,))), np.ones(2))
    with pytest.raises(np.linalg.LinAlgError, match=r"BlockMatrix\(2 x 2 blocks, 2 x 2\) has no diagonal block \(1, 1\)"):
        solve(BlockMatrix([[(0, Identity(()))], [(0, Identity(()))]], [(), ()], [(), ()]), [np.ones(()), None])


@pytest.mark.parametrize("operator", [
    Broadcast((3,), (2, 3)), AxisSum((2, 3), (0,)), Gather((4,), slice(2)), Dense(np.ones((2, 3))), Zero((2,), (3,)),
    LeftProduct(np.ones((2, 3)), (3, 4)), Einsum("ij,j->i", [np.ones((2, 3))], (3,), 1), Sparse(scipy.sparse.eye(2, 3)),
    Kronecker(np.ones((2, 3)), np.ones((2, 2))), Dense(np.ones((2, 3))) + Dense(np.ones((2, 3)))], ids=repr)
def test_not_square(operator: LinearOperator) -> None:
    for a in (operator, operator.T):
        with pytest.raises(np.linalg.LinAlgError, match=rf"not square.*\({a.out_size}, {a.in_size}\)"):
            solve(a, np.ones(a.out_shape))
        with pytest.raises(np.linalg.LinAlgError, match="not square"):
            Inverse(a)
        with pytest.raises(np.linalg.LinAlgError, match="not square"):
            solve_dense(a, np.ones(a.out_shape))


def test_what_numpy_accepts_is_accepted() -> None:
    """Singular to working precision only: LU meets no zero pivot, and NumPy does not complain."""
    nearly = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
    np.testing.assert_array_equal(solve(Dense(nearly), np.ones(3)), np.linalg.solve(nearly, np.ones(3)))


def test_shape_of_b() -> None:
    a = LeftProduct(np.eye(3), (3, 2))
    with pytest.raises(ValueError, match=r"\(\*rhs, 3, 2\), got \(2, 3\)"):
        solve(a, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"\(\*rhs, 3, 2\), got \(2,\)"):
        solve(a, np.ones(2))


@pytest.mark.parametrize("a", [np.eye(2), [[1.0]], scipy.sparse.eye(2), None, 3.0])
def test_raw_matrices(a: Any) -> None:
    with pytest.raises(TypeError, match=r"linalg\.Dense\(matrix\)"):
        solve(a, np.ones(2))


@pytest.mark.parametrize("b", ["text", None, [object(), object()]])
def test_what_is_no_array(b: Any) -> None:
    with pytest.raises(TypeError, match="array of numbers"):
        solve(Identity((2,)), b)


def test_libraries_do_not_mix(gpu: ModuleType) -> None:
    for a in (Dense(np.eye(2)), SymTridiagonal(np.ones(2), np.zeros(1)), Sparse(scipy.sparse.eye(2))):
        with pytest.raises(TypeError, match="mixed"):
            solve(a, gpu.ones(2))


@pytest.mark.parametrize("a", [Identity((2,)), Scaling(2, (2,)), Dense(2 * np.eye(2)),
                               SymTridiagonal(np.array([2, 2]), np.array([0])), Sparse(2 * scipy.sparse.eye(2)),
                               Reshape((2,), (2,)), CumulativeSum((2,))], ids=repr)
def test_integers_become_float64(a: LinearOperator) -> None:
    for b in (np.array([2, 4]), [2, 4], np.array([True, False])):
        x = solve(a, b)
        assert x.dtype == np.float64
        np.testing.assert_allclose(a @ x, b)


def test_single_precision_stays(xp: ModuleType) -> None:
    b = xp.ones(4, dtype="float32")
    for a in (Identity((4,)) + CumulativeSum((4,)), Gather((4,), xp.asarray([3, 0, 1, 2])), Scaling(2.0, (4,)),
              Product(Reshape((2, 2), (4,)), LeftProduct(xp.eye(2, dtype="float32"), (2, 2)))):
        assert solve(a, b).dtype == np.float32


def test_complex_right_hand_sides_of_real_operators(xp: ModuleType) -> None:
    from linalg.arrays import sparse_module

    matrix = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 4]])
    on_device = xp.asarray(matrix)
    b = np.array([1 + 1j, 2j, 3])
    for a in (Dense(on_device), SymTridiagonal(xp.asarray([2.0, 3, 4]), xp.ones(2)),
              Sparse(sparse_module(on_device).csr_matrix(on_device))):
        np.testing.assert_allclose(to_host(solve(a, xp.asarray(b))), np.linalg.solve(matrix, b), rtol=1e-12)


@pytest.mark.parametrize("a", [Identity((3,)), Scaling(2.0, (3,)), Diagonal(np.ones(3)), CumulativeSum((3,)),
                               SymTridiagonal(2 * np.ones(3), np.ones(2)), Permute((3,), (0,)), Gather((3,), [1, 0, 2]),
                               Sparse(2.0 * scipy.sparse.eye(3))], ids=repr)
def test_nan_and_infinity_pass(a: LinearOperator) -> None:
    with np.errstate(invalid="ignore"):
        x = solve(a, np.array([1.0, np.nan, np.inf]))
    assert np.isnan(x).any()
    assert not np.isfinite(x).all()


def test_nan_in_the_operator_passes() -> None:
    for a in (Dense(np.array([[1.0, np.nan], [0, 1]])), SymTridiagonal(np.array([1.0, np.nan]), np.zeros(1)),
              Diagonal(np.array([np.nan, 1.0]))):
        assert np.isnan(solve(a, np.ones(2))).any()
    for place in range(2):
        a = Sparse(scipy.sparse.csr_matrix(np.diag(np.where(np.arange(2) == place, np.nan, 1.0))))
        for operator in (a, a.T, linalg.BlockOperator(BlockMatrix([[(0, a)]], [(2,)], [(2,)]))):
            assert np.isnan(solve(operator, np.ones((3, 2)))[:, place]).all()


def test_the_result_is_the_callers_own() -> None:
    b = np.ones((2, 3))
    for a in (Identity((2, 3)), Reshape((6,), (2, 3)), Permute((3, 2), (1, 0)), Gather((2, 3), slice(None, None, -1)),
              linalg.Conjugate((2, 3)), linalg.Cast((2, 3), b.dtype, b.dtype)):
        x = solve(a, b)
        assert not np.shares_memory(x, b)
        x += 1
        np.testing.assert_array_equal(b, 1)


def test_the_results_of_block_systems_are_the_callers_own(xp: ModuleType) -> None:
    shapes = [(2, 3), (6,), (4, 2, 3)]
    down: list = [[], [(0, Reshape((2, 3), (6,)))], [(0, Broadcast((2, 3), (4, 2, 3)))]]
    whole = [[(i, Identity(s))] for i, s in enumerate(shapes)]
    strict = BlockMatrix(down, shapes, shapes)
    for a in (BlockMatrix(whole, shapes, shapes), UnitTriangular(strict), UnitTriangular(strict).T,
              UnitTriangular(strict).to_block_matrix()):
        for given in ([0], [0, 1], [0, 1, 2]):
            memory = xp.ones(30)
            b = [memory[:6].reshape(2, 3), memory[6:12], memory[6:].reshape(4, 2, 3)]
            xs = solve(a, [part if i in given else None for i, part in enumerate(b)])
            own = [x for x in xs if x is not None]
            expected = [to_host(x).copy() for x in own]
            for x in own:
                x += 1
            np.testing.assert_array_equal(to_host(memory), 1)
            for x, e in zip(own, expected, strict=True):
                np.testing.assert_array_equal(to_host(x), e + 1)


def test_block_systems_check_what_comes() -> None:
    shapes = [(2,), ()]
    for a in (BlockMatrix([[(0, Identity((2,)))], [(1, Identity(()))]], shapes, shapes),
              UnitTriangular(BlockMatrix([[], []], shapes, shapes)), UnitTriangular(BlockMatrix([[], []], shapes, shapes)).T):
        with pytest.raises(ValueError, match="expected 2 arrays, one for each block row, got 1"):
            solve(a, [np.ones(2)])
        with pytest.raises(ValueError, match=r"block row 0, got \(3,\)"):
            solve(a, [np.ones(3), None])
        with pytest.raises(ValueError, match="same right-hand-side axes"):
            solve(a, [np.ones((4, 2)), np.ones(5)])
        with pytest.raises(TypeError, match="a list with one array for each block row"):
            solve(a, np.ones(3))
        with pytest.raises(TypeError, match="got list for block row 0"):
            solve(a, [[1.0, 2.0], None])
        assert solve(a, [None, None]) == [None, None]
        assert solve(a, [np.array([1, 2]), None])[0].dtype == np.float64


def test_factors_of_a_sparse_matrix_are_kept() -> None:
    a = Sparse(scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 4.0])))
    solve(a, np.ones(3))
    kept = a._factors[np.dtype(float)]
    solve(a.T, np.ones(3))
    assert a._factors == {np.dtype(float): kept}


class Traced:
    """The least that stands in for an array: it records which operator it was given to."""

    def __init__(self, value: np.ndarray):
        self.value, self.operators = value, []  # type: ignore[var-annotated]
        self.shape, self.dtype, self.ndim = value.shape, value.dtype, value.ndim

    def __array_namespace__(self) -> ModuleType:
        return np

    def __len__(self) -> int:
        return len(self.value)

    def _apply_linear(self, operator: LinearOperator) -> Any:
        self.operators.append(operator)
        return operator._apply(self.value)


def test_traced_data() -> None:
    a = SymTridiagonal(Traced(np.ones(2)), Traced(np.ones(1)))
    with pytest.raises(TypeError, match="expected it to hold NumPy or CuPy arrays, got traced ones"):
        solve(a, np.ones(2))
    with pytest.raises(TypeError, match="Sparse expected a sparse matrix"):
        Sparse(Traced(np.eye(2)))


@pytest.mark.parametrize("a", [SymTridiagonal(2 * np.ones(3), np.ones(2)), Sparse(2 * scipy.sparse.eye(3))], ids=repr)
def test_traced_right_hand_sides_record_the_inverse(a: LinearOperator) -> None:
    b = Traced(np.arange(3.0))
    np.testing.assert_allclose(solve(a, b), solve(a, b.value))
    np.testing.assert_allclose(solve(a.T, b), solve(a, b.value))
    assert [type(o) for o in b.operators] == [Inverse, Inverse]
