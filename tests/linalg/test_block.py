"""Block matrices: products, pictures of them, assembly, and solves that are not unit triangular."""
from __future__ import annotations

from types import ModuleType

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import linalg
from linalg import (
    AxisSum,
    BlockMatrix,
    BlockOperator,
    Broadcast,
    Dense,
    Diagonal,
    Identity,
    Inverse,
    Permute,
    Product,
    Scaling,
    Sum,
    SymTridiagonal,
    Transpose,
    Zero,
    solve,
)
from linalg.arrays import to_host
from linalg.block import join, split

SHAPES = [(2,), (), (1, 3), (2, 2)]


def random_blocks(rng: np.random.Generator, pattern: np.ndarray, xp: ModuleType = np) -> tuple[BlockMatrix, np.ndarray]:
    """A block matrix with blocks where the pattern is positive, as many at one place as it says, and its dense matrix."""
    n = len(pattern)
    shapes = [SHAPES[i % len(SHAPES)] for i in range(n)]
    sizes = [int(np.prod(s)) for s in shapes]
    matrices = [[np.zeros((sizes[i], sizes[j])) for j in range(n)] for i in range(n)]
    rows: list[list[tuple[int, linalg.LinearOperator]]] = [[] for _ in range(n)]
    for i, j in np.argwhere(pattern):
        for _ in range(pattern[i, j]):
            m = rng.normal(size=(sizes[i], sizes[j])) + (8 * np.eye(sizes[i]) if i == j else 0)
            matrices[i][j] += m
            rows[i].append((int(j), Dense(xp.asarray(m), shapes[j], shapes[i])))
        rng.shuffle(rows[i])  # type: ignore[arg-type]
    return BlockMatrix(rows, shapes, shapes), np.block(matrices)


def flat(xs: list, shapes: list) -> np.ndarray:
    rhs = next(x.shape[: x.ndim - len(s)] for x, s in zip(xs, shapes, strict=True) if x is not None)
    parts = [np.zeros((*rhs, int(np.prod(s)))) if x is None else to_host(x).reshape((*rhs, int(np.prod(s))))
             for x, s in zip(xs, shapes, strict=True)]
    return np.concatenate(parts, axis=-1)


patterns = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.integers(0, 2), min_size=n * n, max_size=n * n).map(lambda v: np.reshape(v, (n, n))))
seeds = st.integers(0, 2**32 - 1)
right_hand_sides = st.sampled_from([(), (2,), (3, 1)])


def random_parts(rng: np.random.Generator, shapes: list, rhs: tuple[int, ...]) -> list:
    """Random arrays, one in four of them None; not all."""
    parts = [rng.normal(size=(*rhs, *s)) for s in shapes]
    return [parts[0], *(None if rng.random() < 0.25 else p for p in parts[1:])]


@given(patterns, seeds, right_hand_sides)
def test_products(pattern: np.ndarray, seed: int, rhs: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    a, matrix = random_blocks(rng, pattern)
    np.testing.assert_array_equal(a.pattern(), pattern > 0)
    np.testing.assert_allclose(a.to_dense(), matrix)
    for operator, m in ((a, matrix), (a.T, matrix.T), (a.T.T, matrix)):
        xs = random_parts(rng, a.column_shapes, rhs)
        copies = [None if x is None else x.copy() for x in xs]
        ys = operator @ xs
        if any(y is not None for y in ys):
            np.testing.assert_allclose(flat(ys, a.row_shapes), flat(xs, a.column_shapes) @ m.T, atol=1e-12)
        for x, copy in zip(xs, copies, strict=True):
            np.testing.assert_array_equal(x, copy)  # type: ignore[arg-type]


@given(patterns, seeds, right_hand_sides, st.sampled_from(["lower", "upper", "full"]))
def test_solves(pattern: np.ndarray, seed: int, rhs: tuple[int, ...], kind: str) -> None:
    rng = np.random.default_rng(seed)
    pattern = {"lower": np.tril, "upper": np.triu, "full": np.asarray}[kind](pattern)
    np.fill_diagonal(pattern, np.maximum(pattern.diagonal(), 1))
    a, matrix = random_blocks(rng, pattern)
    if np.linalg.cond(matrix) > 1e6:
        return
    for operator, m in ((a, matrix), (a.T, matrix.T), (a.conj(), matrix)):
        b = random_parts(rng, a.row_shapes, rhs)
        copies = [None if x is None else x.copy() for x in b]
        x = solve(operator, b)
        np.testing.assert_allclose(flat(x, a.column_shapes) @ m.T, flat(b, a.row_shapes), atol=1e-7)
        for part, copy in zip(b, copies, strict=True):
            np.testing.assert_array_equal(part, copy)  # type: ignore[arg-type]


def test_solve_on_any_library(xp: ModuleType) -> None:
    rng = np.random.default_rng(0)
    for pattern in (np.tri(4, dtype=int), np.triu(np.ones((4, 4), int)), np.ones((4, 4), int)):
        a, matrix = random_blocks(rng, pattern, xp)
        b = [xp.asarray(rng.normal(size=(2, *s))) for s in a.row_shapes]
        np.testing.assert_allclose(flat(solve(a, b), a.column_shapes) @ matrix.T, flat(b, a.row_shapes), atol=1e-10)


def test_diagonal_blocks_use_their_own_solves() -> None:
    """No block of order a million is ever assembled."""
    n = 10**6
    top = SymTridiagonal(2 * np.ones(n), -np.ones(n - 1))
    a = BlockMatrix([[(0, top)], [(0, Scaling(3.0, (n,))), (1, Diagonal(np.full(n, 2.0)))]], [(n,), (n,)], [(n,), (n,)])
    b = [np.ones(n), np.ones(n)]
    for operator in (a, a.T):
        y = operator @ solve(operator, b)
        np.testing.assert_allclose(y[0], 1, atol=1e-2)
        np.testing.assert_allclose(y[1], 1, atol=1e-2)


def test_a_large_sparse_system_is_not_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 400
    cyclic = [[(i, Scaling(4.0, ())), ((i + 1) % n, Identity(())), ((i - 1) % n, Identity(()))] for i in range(n)]
    a = BlockMatrix(cyclic, [()] * n, [()] * n)
    monkeypatch.setattr(np.linalg, "solve", lambda *_: pytest.fail("dense solve"))
    x = solve(a, [np.ones(())] * n)
    np.testing.assert_allclose(np.array(x), 1 / 6)


def test_blocks_that_are_square_together_only() -> None:
    rng = np.random.default_rng(0)
    m = rng.normal(size=(5, 5))
    a = BlockMatrix([[(0, Dense(m[:2, :3])), (1, Dense(m[:2, 3:]))], [(0, Dense(m[2:, :3])), (1, Dense(m[2:, 3:]))]],
                    [(2,), (3,)], [(3,), (2,)])
    x = solve(a, [np.ones(2), np.ones(3)])
    assert [part.shape for part in x] == [(3,), (2,)]
    np.testing.assert_allclose(m @ np.concatenate(x), 1)


def test_singular_block_systems() -> None:
    one, ones = Identity(()), [(), ()]
    with pytest.raises(np.linalg.LinAlgError, match=r"BlockMatrix.*not square"):
        solve(BlockMatrix([[(0, one), (1, one)]], [()], ones), [np.ones(())])
    with pytest.raises(np.linalg.LinAlgError, match=r"BlockMatrix.*has no inverse"):
        solve(BlockMatrix([[(0, one), (1, one)], [(0, one), (1, one)]], ones, ones), [np.ones(())] * 2)
    with pytest.raises(np.linalg.LinAlgError, match=r"Scaling.*zero on its diagonal"):
        solve(BlockMatrix([[(0, Scaling(0.0, ()))], [(1, one)]], ones, ones), [np.ones(())] * 2)


def test_getitem_and_duplicates() -> None:
    a = BlockMatrix([[(0, Scaling(2.0, (2,))), (0, Diagonal(np.array([1.0, 2.0])))], []], [(2,), (2,)], [(2,), (2,)])
    np.testing.assert_array_equal(a[0, 0].to_dense(), np.diag([3.0, 4.0]))  # type: ignore[union-attr]
    assert a[1, 0] is None
    assert a.to_sparse().nnz == 2
    assert a.flops > 0
    assert a.shape == (4, 4)


def test_submatrix() -> None:
    rng = np.random.default_rng(0)
    a, matrix = random_blocks(rng, np.ones((4, 4), int))
    part = a.submatrix(range(1, 3), range(2, 4))
    np.testing.assert_allclose(part.to_dense(), matrix[2:6, 3:])


def test_assembly_keeps_single_precision(xp: ModuleType) -> None:
    shapes = [(2,), (2,)]
    a = BlockMatrix([[(0, Identity((2,)))], [(0, Dense(xp.eye(2, dtype="float32"))), (1, Scaling(0.5, (2,)))]], shapes, shapes)
    csr = a.to_sparse()
    assert csr.dtype == np.float32
    assert csr.format == "csr"
    np.testing.assert_array_equal(to_host(a.to_dense()), [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0.5, 0], [0, 1, 0, 0.5]])


def test_assembly_in_at_least_the_dtype_that_is_asked_for(xp: ModuleType) -> None:
    """Python's numbers and maps without any are computed in it: 1/3 is not rounded to single precision first."""
    single, third, shapes = Diagonal(xp.ones(2, dtype="float32")), Scaling(1 / 3, (2,)), [(2,), (2,)]
    ninths = Product(AxisSum((3, 2), (0,)), Scaling(1 / 9, (3, 2)), Broadcast((2,), (3, 2)))
    for element in (third, third @ Permute((2,), (0,)), ninths,
                    Sum(third, Zero((2,), (2,))), Transpose(third), BlockOperator(BlockMatrix([[(0, third)]], [(2,)], [(2,)])),
                    Inverse(Scaling(3, (2,))), Product(single, third), Sum(Product(third, single), Zero((2,), (2,)))):
        a = BlockMatrix([[(0, element)], [(1, single)]], shapes, shapes)
        expected = np.diag([1 / 3, 1 / 3, 1, 1])
        for assembled in (a.to_sparse(dtype=float).toarray(), a.to_dense(dtype=float)):
            assert assembled.dtype == np.float64
            np.testing.assert_allclose(to_host(assembled), expected, rtol=1e-15)
        assert a.to_sparse().dtype == a.to_sparse(dtype="float32").dtype == np.float32
        assert a.to_sparse(dtype="complex64").dtype == np.complex64
    wide = BlockMatrix([[(0, Diagonal(xp.ones(2)))]], [(2,)], [(2,)])
    assert wide.to_sparse(dtype="float32").dtype == np.float64
    turned = BlockMatrix([[(0, Product(Scaling(1j / 3, (2,)), Scaling(1.0, (2,))))]], [(2,)], [(2,)])
    np.testing.assert_allclose(to_host(turned.to_dense(xp.ones(1), float).diagonal().imag), 1 / 3, rtol=1e-15)


def test_assembly_of_unit_triangular_systems_in_a_dtype() -> None:
    shapes = [(2,), (2,)]
    a = linalg.UnitTriangular(BlockMatrix([[], [(0, Scaling(1 / 3, (2,)) @ Diagonal(np.ones(2, "float32")))]], shapes, shapes))
    for operator in (a, a.T):
        assert operator.to_sparse().dtype == np.float32
        assert operator.to_sparse(dtype=float).dtype == operator.to_dense(dtype=float).dtype == np.float64


def test_empty() -> None:
    nothing = BlockMatrix([[], []], [(2,), ()], [(3,)])
    assert nothing.to_sparse().shape == (3, 3)
    assert nothing.to_sparse().nnz == 0
    assert nothing @ [np.ones(3)] == [None, None]


def test_product_checks_what_comes() -> None:
    a = BlockMatrix([[(0, Identity((2,)))]], [(2,)], [(2,)])
    with pytest.raises(ValueError, match="expected 1 arrays, one for each block column, got 2"):
        a @ [np.ones(2), None]
    with pytest.raises(ValueError, match=r"\(\*rhs, 2\) for block column 0, got \(3,\)"):
        a @ [np.ones(3)]


def test_nested_systems(xp: ModuleType) -> None:
    """A system inside a block of another system, and its inverse as an element."""
    rng = np.random.default_rng(0)
    inner, matrix = random_blocks(rng, np.tri(3, dtype=int), xp)
    n = len(matrix)
    loop = Inverse(BlockOperator(inner))
    outer = BlockMatrix([[(0, BlockOperator(inner))], [(0, loop), (1, Identity((n,)))]], [(n,), (n,)], [(n,), (n,)])
    inverse = np.linalg.inv(matrix)
    expected = np.block([[matrix, np.zeros((n, n))], [inverse, np.eye(n)]])
    np.testing.assert_allclose(to_host(outer.to_dense()), expected, atol=1e-12)
    b = [xp.asarray(rng.normal(size=(4, n))) for _ in range(2)]
    for operator, m in ((outer, expected), (outer.T, expected.T)):
        x = solve(operator, b)
        np.testing.assert_allclose(flat(x, [(n,), (n,)]) @ m.T, flat(b, [(n,), (n,)]), atol=1e-10)


def test_block_operator_takes_block_systems_only() -> None:
    with pytest.raises(TypeError, match="BlockOperator expected a BlockMatrix or a UnitTriangular, got Identity"):
        BlockOperator(Identity((2,)))  # type: ignore[arg-type]


def test_split_and_join() -> None:
    shapes = [(2,), (), (2, 1)]
    x = np.arange(10.0).reshape(2, 5)
    parts = split(x, shapes)
    assert [p.shape for p in parts] == [(2, 2), (2,), (2, 2, 1)]
    np.testing.assert_array_equal(join(parts, shapes), x)
    np.testing.assert_array_equal(join([parts[0], None, parts[2]], shapes)[:, 2], 0)
