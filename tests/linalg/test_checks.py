"""Parts that do not fit: every public entry says what was expected and what came."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import linalg
from linalg import (
    AxisSum,
    BlockMatrix,
    BlockOperator,
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
    Sum,
    SymTridiagonal,
    UnitTriangular,
    Zero,
    solve,
)

ONES = np.ones

# What the constructor trusts, and what is said when the operator is used: the shape of an argument that would do, the words.
UNFIT: dict[str, tuple[Callable[[], LinearOperator], tuple[int, ...], str]] = {
    "diagonal": (lambda: Diagonal(ONES((3, 2)), (2,)), (2,), r"broadcasts to its shape \(2,\), got \(3, 2\)"),
    "diagonal_other": (lambda: Diagonal(ONES(3), (2,)), (2,), r"broadcasts to its shape \(2,\), got \(3,\)"),
    "left_batch": (lambda: LeftProduct(ONES((5, 2, 3)), (3, 4)), (3, 4), r"a of shape \(5, 2, 3\) and in_shape \(3, 4\)"),
    "left_inner": (lambda: LeftProduct(ONES((2, 3)), (4, 5)), (4, 5), r"a of shape \(2, 3\) and in_shape \(4, 5\)"),
    "left_vector": (lambda: LeftProduct(ONES(3), (3, 4)), (3, 4), r"a of shape \(3,\)"),
    "left_of_vector": (lambda: LeftProduct(ONES((2, 3)), (3,)), (3,), r"in_shape \(3,\)"),
    "right_batch": (lambda: RightProduct(ONES((5, 2, 3)), (4, 2)), (4, 2), r"b of shape \(5, 2, 3\) and in_shape \(4, 2\)"),
    "right_inner": (lambda: RightProduct(ONES((2, 3)), (5, 4)), (5, 4), r"b of shape \(2, 3\) and in_shape \(5, 4\)"),
    "right_vector": (lambda: RightProduct(ONES(3), (4, 3)), (4, 3), r"b of shape \(3,\)"),
    "broadcast": (lambda: Broadcast((2,), (3,)), (2,), r"broadcasts to its out_shape, got \(2,\) -> \(3,\)"),
    "broadcast_shorter": (lambda: Broadcast((2, 3), (3,)), (2, 3), r"got \(2, 3\) -> \(3,\)"),
    "axis_sum": (lambda: AxisSum((2,), (-2,)), (2,), r"different axes of the 1 of \(2,\), got \(-2,\)"),
    "axis_sum_twice": (lambda: AxisSum((2, 3), (0, -2)), (2, 3), r"got \(-2, -2\)"),
    "axis_sum_beyond": (lambda: AxisSum((2,), (1,)), (2,), "AxisSum expected different axes"),
    "product": (lambda: Product(Identity((2,)), Identity((3,))), (3,), r"equal A's in_shape \(2,\), got \(3,\)"),
    "sum": (lambda: Sum(Identity((2,)), Identity((3,))), (2,), r"equal shapes, got Identity\(\(2,\).*Identity\(\(3,\)"),
    "inside_product": (lambda: Product(Identity((2,)), Diagonal(ONES(3), (2,))), (2,), "Diagonal expected"),
    "inside_sum": (lambda: Sum(Diagonal(ONES(3), (2,)), Identity((2,))), (2,), "Diagonal expected"),
    "inside_transpose": (lambda: Broadcast((2,), (3,)).T, (3,), "Broadcast expected"),
    "inside_inverse": (lambda: Inverse(Diagonal(ONES(3), (2,))), (2,), "Diagonal expected"),
    "inside_conjugate": (lambda: linalg.elements.algebra.ConjugateOf(Diagonal(ONES(3), (2,))), (2,), "Diagonal expected"),
}

# The same, where the type is wrong.
WRONG: dict[str, tuple[Callable[[], LinearOperator], str]] = {
    "identity": (lambda: Identity(3), r"Identity expected a shape, a tuple of lengths such as \(2, 3\) or \(\), got 3"),
    "identity_list": (lambda: Identity([3]), r"Identity expected a shape.*got \[3\]"),
    "identity_float": (lambda: Identity((3.0,)), r"got \(3.0,\)"),
    "identity_negative": (lambda: Identity((-3,)), r"got \(-3,\)"),
    "zero": (lambda: Zero((3,), 2), "Zero expected a shape.*got 2"),
    "scaling": (lambda: Scaling(2.0, 3), "Scaling expected a shape.*got 3"),
    "scaling_by_array": (lambda: Scaling(ONES(3), (3,)), r"array of shape \(\), as its factor, got an array of shape \(3,\)"),
    "scaling_by_list": (lambda: Scaling([2.0], (3,)), "as its factor, got list"),
    "diagonal": (lambda: Diagonal([1, 2], (2,)), "Diagonal expected an array as its diagonal d, got list"),
    "left": (lambda: LeftProduct([[1, 2]], (2, 1)), "LeftProduct expected an array as its matrix, got list"),
    "right": (lambda: RightProduct([[1, 2]], (2, 1)), "RightProduct expected an array as its matrix, got list"),
    "left_shape": (lambda: LeftProduct(ONES((2, 3)), 3), "LeftProduct expected a shape.*got 3"),
    "product": (lambda: Product(ONES((2, 2)), Identity((2,))), "Product expected linear operators, got ndarray"),
    "product_of_nothing": (lambda: Product(), "Product expected at least one linear operator"),
    "sum_of_nothing": (lambda: Sum(), "Sum expected at least one linear operator"),
    "inverse": (lambda: Inverse(ONES((2, 2))), "Inverse expected linear operators, got ndarray.*linalg.Dense"),
    "inverse_of_blocks": (lambda: Inverse(BlockMatrix([[]], [(2,)], [(2,)])), "got BlockMatrix.*linalg.BlockOperator"),
}

# What constructors that run once check themselves.
CONSTRUCTED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "dense": (lambda: Dense([[1, 2], [3, 4]]), TypeError, "Dense expected an array as its matrix, got list; make it one with"),
    "dense_shape": (lambda: Dense(ONES((2, 3)), 3), TypeError, "Dense expected a shape.*got 3"),
    "dense_list": (lambda: Dense(ONES((2, 3)), (3,), [2]), TypeError, r"Dense expected a shape.*got \[2\]"),
    "diagonal": (lambda: Diagonal([1, 2]), TypeError, "Diagonal expected an array as its diagonal d, got list"),
    "tridiagonal": (lambda: SymTridiagonal([2, 2], [1]), TypeError, "SymTridiagonal expected an array as its diagonal d, got"),
    "tridiagonal_e": (lambda: SymTridiagonal(ONES(2), [1]), TypeError, "as its off-diagonal e, got list"),
    "kronecker": (lambda: Kronecker([[1]], ONES((1, 1))), TypeError, "Kronecker expected an array as its first matrix, got list"),
    "kronecker_b": (lambda: Kronecker(ONES((1, 1)), [[1]]), TypeError, "as its second matrix, got list"),
    "sparse_shape": (lambda: Sparse(scipy.sparse.eye(2), 2), TypeError, "Sparse expected a shape.*got 2"),
    "permute": (lambda: Permute((2, 3), (2, 1)), ValueError, r"permutation of the 2 axes of \(2, 3\), got \(2, 1\)"),
    "permute_negative": (lambda: Permute((2, 3), (-3, 0)), ValueError, r"permutation of the 2 axes"),
    "permute_shape": (lambda: Permute(3, (0,)), TypeError, "Permute expected a shape.*got 3"),
    "gather": (lambda: Gather(3, 1), TypeError, "Gather expected a shape.*got 3"),
    "cumulative_sum": (lambda: CumulativeSum(3), TypeError, "CumulativeSum expected a shape.*got 3"),
    "cumulative_axis": (lambda: CumulativeSum((3,), 1), ValueError, r"one of the 1 axes of \(3,\), got axis 1"),
    "reshape": (lambda: Reshape(6, (2, 3)), TypeError, "Reshape expected a shape.*got 6"),
    "broadcast": (lambda: Broadcast((3,), 3), TypeError, "Broadcast expected a shape.*got 3"),
    "axis_sum": (lambda: AxisSum((2, 3), 1), TypeError, "AxisSum expected axes, a tuple.*got 1"),
    "einsum_others": (lambda: Einsum("ij,j->i", [[[1.0]]], (1,), 1), TypeError, "as each other operand, got list"),
    "einsum_no_output": (lambda: Einsum("ij,j", [ONES((2, 3))], (3,), 1), ValueError, "such as 'ij,j->i', with 2 operands"),
    "einsum_operands": (lambda: Einsum("ij,j->i", [], (3,), 1), ValueError, "with 1 operands"),
    "einsum_position": (lambda: Einsum("ij,j->i", [ONES((2, 3))], (3,), 2), ValueError, "and 2$"),
    "unit_triangular": (lambda: UnitTriangular(ONES((2, 2))), TypeError, "UnitTriangular expected a BlockMatrix.*ndarray"),
}


def entries(a: LinearOperator, shape: tuple[int, ...]) -> list[Callable[[], Any]]:
    """Every public way to use an operator."""
    same = Identity(shape)
    return [lambda: a @ ONES(shape), lambda: a.to_dense(), lambda: a.to_sparse(), lambda: a @ same, lambda: a + a,
            lambda: 2.0 * a, lambda: -a, lambda: solve(a, ONES(shape)), lambda: ONES(shape) @ a]


@pytest.mark.parametrize("name", UNFIT)
def test_parts_that_do_not_fit(name: str) -> None:
    make, shape, words = UNFIT[name]
    a = make()
    for use in entries(a, shape):
        with pytest.raises(ValueError, match=words):
            use()
    for use in (lambda: a.T @ ONES(a.out_shape), lambda: a.T.to_dense(), lambda: a.H.to_sparse(), lambda: a.T.T @ ONES(shape)):
        with pytest.raises(ValueError, match="expected"):  # of the transpose, perhaps
            use()


@pytest.mark.parametrize("name", WRONG)
def test_parts_of_the_wrong_type(name: str) -> None:
    make, words = WRONG[name]
    a = make()
    for use in (lambda: a @ ONES(3), lambda: ONES(3) @ a, a.to_dense, a.to_sparse, lambda: a @ a, lambda: a + a,
                lambda: solve(a, ONES(3))):
        with pytest.raises(TypeError, match=words):
            use()


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_constructors(name: str) -> None:
    make, kind, words = CONSTRUCTED[name]
    with pytest.raises(kind, match=words):
        make()


def test_lengths_may_be_numpys() -> None:
    np.testing.assert_array_equal(Identity((np.int64(2),)) @ ONES(2), 1)




@pytest.mark.parametrize(("rows", "kind", "words"), [
    ([[(0, Identity((3,)))]], ValueError, r"block \(0, 0\) to map \(2,\) to \(2,\), got Identity\(\(3,\)"),
    ([[(0, Dense(ONES((3, 2))))]], ValueError, r"block \(0, 0\) to map \(2,\) to \(2,\), got Dense\(\(2,\) -> \(3,\)"),
    ([[(1, Identity((2,)))]], ValueError, "columns from 0 to 0, got column 1 in row 0"),
    ([[(-1, Identity((2,)))]], ValueError, "got column -1 in row 0"),
    ([[("0", Identity((2,)))]], ValueError, "got column '0' in row 0"),
    ([[], []], ValueError, "expected 1 rows of blocks, one for each row shape, got 2"),
    ([], ValueError, "expected 1 rows of blocks, one for each row shape, got 0"),
    ([[(0, ONES((2, 2)))]], TypeError, "BlockMatrix expected linear operators, got ndarray"),
    ([[(0, BlockMatrix([[]], [(2,)], [(2,)]))]], TypeError, "got BlockMatrix.*linalg.BlockOperator"),
    ([[Identity((2,))]], TypeError, r"row 0 as a list of pairs \(column, element\), got Identity"),
    ([[(0, Diagonal(ONES(3), (2,)))]], ValueError, "Diagonal expected"),
])
def test_blocks_that_do_not_fit(rows: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        BlockMatrix(rows, [(2,)], [(2,)])


def test_rows_made_on_demand_are_not_made_to_be_checked() -> None:
    class Lazy:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, i: int) -> Any:
            if i:
                raise IndexError
            return made.append(i) or [(0, Identity((2,)))]

    made: list[int] = []
    a = BlockMatrix(Lazy(), [(2,)], [(2,)])  # type: ignore[arg-type]
    assert made == []
    np.testing.assert_array_equal(a @ [ONES(2)], [ONES(2)])
    assert made == [0]
    with pytest.raises(ValueError, match="expected 2 rows"):
        BlockMatrix(Lazy(), [(2,), ()], [(2,)])  # type: ignore[arg-type]


def test_a_system_as_an_element_is_checked_when_it_is_made() -> None:
    np.testing.assert_array_equal(BlockOperator(BlockMatrix([[(0, Identity((2,)))]], [(2,)], [(2,)])).to_dense(), np.eye(2))
