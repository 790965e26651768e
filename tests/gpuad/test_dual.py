"""Dual numbers beside numbers that cannot be negated."""
from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host


@pytest.mark.parametrize("one", [np.uint8(1), np.True_, True, np.uint64(1)], ids=lambda v: type(v).__name__)
def test_subtraction_negates_neither_side(one):
    x = ad.Dual(3.0, 1.0)
    assert x - one == ad.Dual(2.0, 1.0)
    assert one - x == ad.Dual(-2.0, -1.0)
    assert ad.Dual(x, 1.0) - one == ad.Dual(ad.Dual(2.0, 1.0), 1.0)


def test_subtraction_of_unsigned_arrays(xp: ModuleType):
    counts = xp.asarray([1, 2], dtype="uint8")
    left, right = ad.Dual(xp.ones(2), 1.0) - counts, counts - ad.Dual(xp.ones(2), 1.0)
    np.testing.assert_array_equal(to_host(left.value), [0, -1])
    np.testing.assert_array_equal(to_host(right.value), [0, 1])
    assert (left.tangent, right.tangent) == (1.0, -1.0)


def test_division_with_unsigned_tangents():
    assert 6.0 / ad.Dual(3.0, np.uint8(1)) == ad.Dual(2.0, -2 / 3)
