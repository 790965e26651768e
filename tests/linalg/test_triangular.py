"""Forward and back substitution, against assembled matrices solved by SciPy."""
from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from hypothesis import given

from linalg import (
    BlockMatrix,
    Dense,
    Diagonal,
    Identity,
    LinearOperator,
    Reshape,
    UnitTriangular,
    back_substitute,
    forward_substitute,
    solve,
)
from linalg.arrays import to_host
from tests.linalg.test_block import flat, patterns, random_blocks, random_parts, right_hand_sides, seeds


def strict(rng: np.random.Generator, pattern: np.ndarray, xp: ModuleType = np) -> tuple[BlockMatrix, np.ndarray]:
    return random_blocks(rng, np.tril(pattern, -1), xp)


@given(patterns, seeds, right_hand_sides)
def test_against_scipy(pattern: np.ndarray, seed: int, rhs: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    n, matrix = strict(rng, pattern)
    system = UnitTriangular(n)
    low = scipy.sparse.csr_matrix(np.eye(len(matrix)) - matrix)
    np.testing.assert_allclose(system.to_sparse().toarray(), low.toarray())
    np.testing.assert_allclose(system.T.to_dense(), low.toarray().T)
    for a, assembled, lower in ((system, low, True), (system.T, low.T.tocsr(), False)):
        b = random_parts(rng, n.row_shapes, rhs)
        copies = [None if x is None else x.copy() for x in b]
        x = solve(a, b)
        columns = flat(b, n.row_shapes).reshape(-1, len(matrix)).T
        expected = scipy.sparse.linalg.spsolve_triangular(assembled, columns, lower=lower, unit_diagonal=True)
        got = flat(x, n.row_shapes).reshape(-1, len(matrix)).T
        np.testing.assert_allclose(got, expected, atol=1e-9 * max(1, np.abs(expected).max()))
        for part, copy in zip(b, copies, strict=True):
            np.testing.assert_array_equal(part, copy)  # type: ignore[arg-type]
        residual = flat(a @ x, n.row_shapes) - flat(b, n.row_shapes)
        assert np.abs(residual).max() <= 1e-9 * max(1, np.abs(expected).max())


def test_on_any_library(xp: ModuleType) -> None:
    rng = np.random.default_rng(3)
    n, matrix = strict(rng, np.ones((5, 5), int), xp)
    b = [xp.asarray(rng.normal(size=(2, *s))) for s in n.row_shapes]
    for a, m in ((UnitTriangular(n), np.eye(len(matrix)) - matrix), (UnitTriangular(n).T, (np.eye(len(matrix)) - matrix).T)):
        np.testing.assert_allclose(flat(solve(a, b), n.row_shapes) @ m.T, flat(b, n.row_shapes), atol=1e-9)


def chain(n: int) -> BlockMatrix:
    element = Diagonal(np.array([0.5, -1.0]))
    return BlockMatrix([[], *([(i, element)] for i in range(n - 1))], [(2,)] * n, [(2,)] * n)


def test_no_recursion() -> None:
    n = 50_000
    system = UnitTriangular(chain(n))
    first: list[Any] = [np.ones(2)] + [None] * (n - 1)
    np.testing.assert_allclose(solve(system, first)[-1], [0, -1], atol=1e-300)
    np.testing.assert_allclose(solve(system.T, first[::-1])[0], [0, -1], atol=1e-300)
    general = system.to_block_matrix()
    np.testing.assert_allclose(solve(general, first)[-1], [0, -1], atol=1e-300)
    np.testing.assert_allclose(solve(general.T, first[::-1])[0], [0, -1], atol=1e-300)


def test_zeros_are_never_touched() -> None:
    class Forbidden(Identity):
        def _apply(self, _x: Any) -> Any:
            raise AssertionError("a block met a zero right-hand side")

        _apply_transpose = _apply

    shapes = [(), (), ()]
    n = BlockMatrix([[], [(0, Forbidden(()))], [(1, Forbidden(()))]], shapes, shapes)
    last = solve(UnitTriangular(n), [None, None, np.ones(())])
    assert last[:2] == [None, None]
    assert solve(UnitTriangular(n).T, [np.ones(()), None, None])[1:] == [None, None]


class Borrowing(LinearOperator):
    """Gives away an array that it holds, as an element may: nobody is to write into it."""

    dtype = np.dtype(float)

    def __init__(self, held: np.ndarray):
        self.held, self.in_shape, self.out_shape = held, held.shape, held.shape

    def _apply(self, _x: Any) -> np.ndarray:
        return self.held

    _apply_transpose = _apply


def test_borrowed_arrays_are_never_written_to() -> None:
    """Contributions are added in place, but only into arrays that the solve itself has made."""
    held, b = np.ones(3), np.full(3, 10.0)
    for array in (held, b):
        array.flags.writeable = False
    elements: list[LinearOperator] = [Borrowing(held), Identity((3,)), Reshape((3,), (3,)), Borrowing(held)]
    shapes = [(3,)] * 5
    gathering = BlockMatrix([[], [], [], [], list(enumerate(elements))], shapes, shapes)
    scattering = BlockMatrix([[], *([(0, e)] for e in elements)], shapes, shapes)
    for right in ([b] * 5, [*[b] * 4, None]):
        np.testing.assert_array_equal(forward_substitute(gathering.rows, right)[4], 22 + (0 if right[4] is None else 10))
    for right in ([b] * 5, [None, *[b] * 4]):
        np.testing.assert_array_equal(back_substitute(scattering.rows, right)[0], 22 + (0 if right[0] is None else 10))
    np.testing.assert_array_equal((gathering @ ([b] * 5))[4], 22)
    np.testing.assert_array_equal(held, 1)
    np.testing.assert_array_equal(b, 10)


@pytest.mark.parametrize("substitute", [forward_substitute, back_substitute])
def test_later_contributions_are_added_in_place(substitute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of n contributions to a zero unknown the first is borrowed, the second allocates, n − 2 are added in place."""
    in_place = []
    for place in ("triangular", "operator", "elements.diagonal"):
        monkeypatch.setattr(sys.modules[f"linalg.{place}"], "add_into", lambda total, term: in_place.append(term) or total + term)
    n, element = 10, Diagonal(np.ones(3))
    if substitute is forward_substitute:
        rows = [[]] * n + [[(j, element) for j in range(n)]]
        right = [np.ones(3)] * n + [None]
        assert substitute(rows, right)[-1].tolist() == [n] * 3
    else:
        rows = [[], *([(0, element)] for _ in range(n))]
        assert substitute(rows, [None] + [np.ones(3)] * n)[0].tolist() == [n] * 3
    assert len(in_place) == n - 2


def test_contributions_of_several_dtypes() -> None:
    """An array added in place never narrows what comes later."""
    shapes = [(2,)] * 4
    one = [(0, Dense(np.eye(2, dtype=t))) for t in ("f4", "f4", "c16")]
    gathering = BlockMatrix([[], one], shapes[:2], shapes[:2])
    b = [np.ones(2, np.float32), np.ones(2, np.float32)]
    assert forward_substitute(gathering.rows, b)[1].dtype == np.complex128  # type: ignore[union-attr]
    assert back_substitute(gathering.rows, b)[0].dtype == np.complex128  # type: ignore[union-attr]


def test_duplicates_in_a_row() -> None:
    shapes = [(), ()]
    n = BlockMatrix([[], [(0, Identity(())), (0, Identity(())), (0, Identity(()))]], shapes, shapes)
    assert solve(UnitTriangular(n), [np.array(2.0), None])[1] == 6
    assert solve(UnitTriangular(n).T, [None, np.array(2.0)])[0] == 6


class Watching(Sequence[Any]):
    """The rows of a chain, made when they are asked for; counts which cotangents are alive at that moment."""

    def __init__(self, n: int):
        self.n, self.seen, self.alive = n, [], []  # type: ignore[var-annotated]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: Any) -> Any:
        self.alive.append(sum(r() is not None for r in self.seen))
        return [(i - 1, self)] if i else []

    def _apply_transpose(self, x: np.ndarray) -> np.ndarray:
        y = x + 1
        self.seen.append(weakref.ref(y))
        return y


def test_consumed_cotangents_are_freed() -> None:
    gc.disable()
    try:
        rows = Watching(100)
        back_substitute(rows, [None] * 99 + [np.zeros(2)], keep=1)
        assert max(rows.alive) <= 2
    finally:
        gc.enable()


def test_memory_of_a_long_back_substitution() -> None:
    n, size = 200, 10_000
    element = Diagonal(np.ones(size))
    rows = [[], *([(i, element)] for i in range(n - 1))]
    e: list[Any] = [None] * (n - 1) + [np.ones(size)]
    tracemalloc.start()
    back_substitute(rows, e, keep=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 8 * size


def test_first_rows_are_skipped() -> None:
    def rows(i: int) -> Any:
        raise AssertionError(f"row {i} was looked at")

    class Rows(list):
        def __getitem__(self, i: Any) -> Any:
            return rows(i) if i < 2 else [(0, Identity(())), (1, Identity(()))]

    assert back_substitute(Rows([0, 0, 0]), [None, None, np.array(3.0)], keep=2, first=2) == [3, 3]


def test_lazy_rows() -> None:
    class Lazy(Sequence[Any]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: Any) -> Any:
            if i >= 3:
                raise IndexError(i)
            return [(j, Identity(())) for j in range(i)]

    system = UnitTriangular(BlockMatrix(Lazy(), [()] * 3, [()] * 3))
    assert solve(system, [np.array(1.0), None, None]) == [1, 1, 2]
    np.testing.assert_array_equal(system.to_dense(), [[1, 0, 0], [-1, 1, 0], [-1, -1, 1]])


def test_what_is_not_strictly_lower() -> None:
    shapes = [(), ()]
    with pytest.raises(ValueError, match="strictly block lower triangular N in I − N, got a block at row 0, column 1"):
        UnitTriangular(BlockMatrix([[(1, Identity(()))], []], shapes, shapes))
    with pytest.raises(ValueError, match="equal row and column shapes"):
        UnitTriangular(BlockMatrix([[]], [()], [(2,)]))


def test_transposes_and_conjugates() -> None:
    n, matrix = strict(np.random.default_rng(0), np.ones((3, 3), int))
    system = UnitTriangular(n)
    assert system.T.T is system
    assert system.shape == system.T.shape == matrix.shape
    assert system.flops == system.T.flops > 0
    x = [np.ones(s) + 1j for s in n.row_shapes]
    for a in (system, system.T):
        got = flat([to_host(y) for y in solve(a.conj(), x)], n.row_shapes)
        np.testing.assert_allclose(got, flat(solve(a, [v.conj() for v in x]), n.row_shapes).conj())
    assert "UnitTriangular" in repr(system.T)
