"""Many right-hand sides as one array: every element of the catalogue, for owners along every axis and anywhere."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linalg
from linalg import LinearOperator
from linalg.arrays import to_host
from linalg.disjoint import Disjoint, Outer, Sides, Stacked, ValuesNeededError
from linalg.owners import MIXED, NOBODY, common, merged, owners, shortened
from tests.linalg.catalogue import CASES, Maker

N = 4


def owners_of(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Owners along each axis (in turn, in blocks, some of nobody), of one only, of anybody at random."""
    rng = np.random.default_rng(0)
    found = [np.zeros((1,) * len(shape), int), rng.integers(NOBODY, N, shape)]
    for axis, n in enumerate(shape):
        along = (-1,) + (1,) * (len(shape) - 1 - axis)
        found += [(np.arange(n) % N).reshape(along), (np.arange(n) * N // max(n, 1)).reshape(along),
                  rng.integers(NOBODY, N, n).reshape(along)]
    return [o.reshape((1,) * (len(shape) - o.ndim) + o.shape) for o in found]


def stack(owner: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.where(owner == i, values, 0) for i in range(N)])


def close(got: Any, expected: Any, tolerance: float = 1e-10) -> None:
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(to_host(got), expected, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("name", CASES)
def test_transposes_of_the_catalogue(name: str, xp: ModuleType) -> None:
    maker = Maker(xp, "float64")
    a, matrix = CASES[name](maker)
    if a.over_reals:
        pytest.skip("has no matrix")
    for owner in owners_of(a.out_shape):
        y = np.where(owner == NOBODY, 0, maker.host(*a.out_shape))
        expected = (stack(owner, y).reshape(N, a.out_size) @ matrix).reshape(N, *a.in_shape)
        sides = Disjoint(maker.put(y), owner, N)
        got = sides.transposed(a)
        close(got.stacked(), expected)
        close(got.squares(), (np.abs(expected) ** 2).reshape(N, a.in_size).sum(axis=1))
        close(Stacked(maker.put(stack(owner, y))).transposed(a).stacked(), expected)
        check_pattern(a, matrix, owner)


def check_pattern(a: LinearOperator, matrix: np.ndarray, owner: np.ndarray) -> None:
    """An entry that is said to have one owner gets shares of no other."""
    found = owners(a, owner)
    assert found.ndim == len(a.in_shape)
    found = np.broadcast_to(found, a.in_shape).ravel()
    whose = np.broadcast_to(owner, a.out_shape).ravel()
    for j in range(a.in_size):
        real = set(whose[np.abs(matrix[:, j]) > 1e-12].tolist()) - {NOBODY}
        assert found[j] == MIXED or real <= {found[j]}


def test_structures_keep_owners_apart() -> None:
    """Axes that an element does not touch, and entries that it only moves."""
    by_first = np.arange(4).reshape(4, 1, 1)
    for element in (linalg.RightProduct(np.ones((3, 5)), (4, 2, 3)), linalg.Einsum("bij,jk->bik", [np.ones((3, 2))], (4, 2, 3)),
                    linalg.CumulativeSum((4, 2, 3), -1), linalg.AxisSum((4, 2, 2, 3), (-2,)),
                    linalg.Permute((3, 4, 2), (1, 2, 0)),
                    linalg.Reshape((8, 3), (4, 2, 3)), linalg.Gather((4, 5, 3), (slice(None), np.array([0, 0]))),
                    linalg.Scatter((4, 2, 3), (slice(None), slice(1, 2))), linalg.Broadcast((4, 1, 3), (4, 2, 3)),
                    linalg.Inverse(linalg.LeftProduct(np.ones((4, 2, 2)), (4, 2, 3))), linalg.Fourier((4, 2, 3), (-1, -2)),
                    linalg.Convolution(np.ones(2), (4, 2, 4), (1,), (3,))):
        assert isinstance(Disjoint(None, by_first, 4).transposed(element), Disjoint), element


def test_owners_are_told_apart_where_they_meet() -> None:
    y = np.arange(1.0, 13).reshape(4, 3)
    sides = Disjoint(y, np.arange(4)[:, None], 4)
    x = np.arange(8.0).reshape(4, 2)
    outer = sides.transposed(linalg.LeftProduct(x, (2, 3)))
    assert isinstance(outer, Outer)
    close(outer.stacked(), np.einsum("bi,bj->bij", x, y))
    close(outer.squares(), (x**2).sum(axis=1) * (y**2).sum(axis=1))
    with pytest.raises(ValuesNeededError):
        sides.pattern().transposed(linalg.LeftProduct(x, (2, 3)))
    table = sides.transposed(linalg.Gather((5, 3), np.array([0, 4, -1, 0])))
    assert isinstance(table, Outer)
    close(table.squares(), (y**2).sum(axis=1))
    close((table + table).squares(), 4 * (y**2).sum(axis=1))
    close((table + Stacked(table.stacked())).stacked(), 2 * table.stacked())
    bias = sides.transposed(linalg.Broadcast((3,), (4, 3)))
    close(bias.stacked(), y)


def test_an_outer_product_is_turned_and_reshaped_unformed() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(4, 2, 6)), rng.normal(size=(4, 2, 5))
    outer = Outer([(left, right)], ((6,), (5,)), (0, 1))
    full = np.einsum("bki,bkj->bij", left, right)
    for element, expected in [(linalg.Permute((5, 6), (1, 0)), full.swapaxes(1, 2)), (linalg.Identity((6, 5)), full),
                              (linalg.Reshape((2, 3, 5), (6, 5)), full.reshape(4, 2, 3, 5)),
                              (linalg.Scaling(-2.0, (6, 5)), -2 * full),
                              (linalg.Product(linalg.Permute((5, 6), (1, 0)), linalg.Reshape((5, 2, 3), (5, 6))),
                               full.swapaxes(1, 2).reshape(4, 5, 2, 3))]:
        got = outer.transposed(element)
        close(got.stacked(), expected)
        close(got.squares(), (expected.reshape(4, -1) ** 2).sum(axis=1))
    assert isinstance(outer.transposed(linalg.Permute((5, 6), (1, 0))), Outer)
    assert isinstance(outer.transposed(linalg.Reshape((2, 3, 5), (6, 5))), Outer)
    assert not isinstance(outer.transposed(linalg.Reshape((5, 6), (6, 5))), Outer)


def test_sums() -> None:
    y, z = np.array([1.0, 0, 3]), np.array([0.0, 5, 6])
    a, b = Disjoint(y, np.array([0, NOBODY, 1]), 2), Disjoint(z, np.array([NOBODY, 1, 1]), 2)
    apart = a + b
    assert isinstance(apart, Disjoint)
    close(apart.stacked(), [[1, 0, 0], [0, 5, 9]])
    mixed: Sides = a + Disjoint(z, np.array([1]), 2)
    assert isinstance(mixed, Stacked)
    close(mixed.stacked(), [[1, 0, 0], [0, 5, 9]])
    close((mixed + a).stacked(), [[2, 0, 0], [0, 5, 12]])


def test_settled() -> None:
    """Right-hand sides that turn out to have disjoint supports are one again."""
    values = np.array([[1.0, 0, 0, 0], [0, 2, 3, 0]])
    settled = Stacked(values).settled()
    assert isinstance(settled, Disjoint) and settled.owner.tolist() == [0, 1, 1, NOBODY]
    close(settled.stacked(), values)
    assert isinstance(Stacked(values + 1).settled(), Stacked)


@given(st.integers(1, 3), st.data())
def test_common_and_merged_owners(ndim: int, data: Any) -> None:
    shape = tuple(data.draw(st.integers(0, 3)) for _ in range(ndim))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    a, b = rng.integers(NOBODY, 2, shape), rng.integers(NOBODY, 2, shape)
    axes = tuple(axis for axis in range(ndim) if data.draw(st.booleans()))
    got = common(a, axes)
    for place in np.ndindex(*got.shape):
        cut = a[tuple(slice(None) if k in axes else i for k, i in enumerate(place))]
        found = set(cut.ravel().tolist()) - {NOBODY}
        assert got[place] == (NOBODY if not found else found.pop() if len(found) == 1 else MIXED)
    for x, y, z in zip(a.ravel(), b.ravel(), merged(a, b).ravel(), strict=True):
        assert z == (max(x, y) if NOBODY in (x, y) or x == y else MIXED)
    np.testing.assert_array_equal(np.broadcast_to(shortened(a), shape), a)
