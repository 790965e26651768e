"""Products and sums take the simplest form that their structure allows, and stay the same map."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linalg
from linalg import (
    Broadcast,
    Conjugate,
    Dense,
    Diagonal,
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
    Zero,
)
from linalg.elements.algebra import Sum
from tests.linalg.catalogue import CASES, Maker

RNG = np.random.default_rng(0)
D4 = Diagonal(RNG.normal(size=4))
M44 = Dense(RNG.normal(size=(4, 4)))
S44 = Sparse(M44.to_sparse())
T4 = SymTridiagonal(RNG.normal(size=4), RNG.normal(size=3))
K4 = Kronecker(RNG.normal(size=(2, 2)), RNG.normal(size=(2, 2)))
FLAT, SQUARE = (4,), (2, 2)
LEFT = LeftProduct(RNG.normal(size=(2, 2)), SQUARE)
RIGHT = RightProduct(RNG.normal(size=(2, 2)), SQUARE)
TWO = Scaling(2.0, FLAT)

MERGED: list[tuple[LinearOperator, LinearOperator, type]] = [
    (Identity(FLAT), M44, Dense),
    (M44, Identity(FLAT), Dense),
    (Zero(FLAT, (3,)), M44, Zero),
    (M44, Zero((3,), FLAT), Zero),
    (D4, D4, Diagonal),
    (TWO, D4, Diagonal),
    (D4, TWO, Diagonal),
    (TWO, TWO, Scaling),
    (TWO, Scaling(0.5, FLAT), Identity),
    (TWO, M44, Dense),
    (M44, TWO, Dense),
    (TWO, S44, Sparse),
    (S44, TWO, Sparse),
    (S44, S44, Sparse),
    (TWO, T4, SymTridiagonal),
    (T4, TWO, SymTridiagonal),
    (Scaling(2.0, SQUARE), K4, Kronecker),
    (K4, Scaling(2.0, SQUARE), Kronecker),
    (K4, K4, Kronecker),
    (M44, M44, Dense),
    (LEFT, LEFT, LeftProduct),
    (RIGHT, RIGHT, RightProduct),
    (Reshape(SQUARE, FLAT), Reshape((1, 4), SQUARE), Reshape),
    (Reshape(SQUARE, FLAT), Reshape(FLAT, SQUARE), Identity),
    (Permute((2, 3, 4), (2, 0, 1)), Permute((4, 2, 3), (1, 2, 0)), Identity),
    (Permute((2, 3, 4), (2, 0, 1)), Permute((3, 2, 4), (1, 0, 2)), Permute),
    (Broadcast((3, 4), (2, 3, 4)), Broadcast((4,), (3, 4)), Broadcast),
    (Conjugate(FLAT), Conjugate(FLAT), Identity),
    (Inverse(M44), M44, Identity),
    (M44, Inverse(M44), Identity),
    (Inverse(LEFT.T), Identity(SQUARE), Inverse),
]


@pytest.mark.parametrize(("a", "b", "kind"), MERGED, ids=lambda v: v.__name__ if isinstance(v, type) else repr(v))
def test_merges(a: LinearOperator, b: LinearOperator, kind: type) -> None:
    merged = a @ b
    assert type(merged) is kind
    assert (merged.in_shape, merged.out_shape) == (b.in_shape, a.out_shape)
    x = RNG.normal(size=(3, *b.in_shape))
    np.testing.assert_allclose(merged @ x, a @ (b @ x), atol=1e-12)


def test_what_has_no_simpler_form_stays_a_product() -> None:
    assert type(M44 @ D4) is Product
    assert type(LEFT @ RIGHT) is Product
    column, row = Dense(RNG.normal(size=(50, 1))), Dense(RNG.normal(size=(1, 50)))
    assert type(column @ row) is Product  # 100 numbers, not 2,500
    assert type(row @ column) is Dense


def test_merging_goes_on_to_the_neighbours() -> None:
    chain = M44 @ D4
    assert Inverse(M44) @ chain is D4
    assert type((D4 @ Permute(FLAT, (0,))) @ (Permute(FLAT, (0,)) @ D4)) is Diagonal
    assert (M44 @ D4 @ S44 @ TWO).factors[-1].dtype == np.float64  # type: ignore[attr-defined]
    negative = -LEFT
    assert -negative is LEFT


def test_products_are_flat() -> None:
    product: Any = (M44 @ D4) @ (M44 @ D4)
    assert [type(f) for f in product.factors] == [Dense, Diagonal, Dense, Diagonal]
    total: Any = (M44 + D4) + (M44 + D4)
    assert isinstance(total, Sum)
    assert len(total.terms) == 4


def test_inverse_of_a_transpose() -> None:
    wrapped = linalg.CumulativeSum((4,))
    base = linalg.elements.algebra.Transpose(wrapped)
    assert type(Inverse(base) @ linalg.elements.algebra.Transpose(wrapped)) is Identity


def test_sums_drop_zeros() -> None:
    assert M44 + Zero(FLAT, FLAT) is M44
    assert Zero(FLAT, FLAT) + M44 is M44


@pytest.mark.parametrize("name", CASES)
def test_transposes_of_transposes(name: str) -> None:
    a = CASES[name](Maker(np, "float64")).operator
    assert type(a.T.T) is type(a)
    assert a.H.shape == a.shape[::-1]


@pytest.mark.parametrize("name", ["gather_array", "axis_sum_(2, 3)_(0,)_False", "cumulative_sum_(4,)_0", "diagonal",
                                  "sym_tridiagonal", "sparse", "zero", "identity"])
def test_real_operators_are_their_own_conjugates(name: str) -> None:
    a = CASES[name](Maker(np, "float64")).operator
    assert a.conj() is a


@pytest.mark.parametrize("name", ["gather_array", "axis_sum_(2, 3)_(0,)_False", "cumulative_sum_(4,)_0", "sparse", "diagonal"])
def test_transpose_twice_is_the_same_object(name: str) -> None:
    a = CASES[name](Maker(np, "float64")).operator
    assert a.T.T is a


def test_shapes_that_do_not_meet() -> None:
    with pytest.raises(ValueError, match=r"in_shape \(4,\), got \(2, 2\)"):
        D4 @ LEFT
    with pytest.raises(ValueError, match="equal shapes"):
        D4 + LEFT


def test_arithmetic() -> None:
    x = RNG.normal(size=4)
    np.testing.assert_allclose((2 * M44 - D4 * 3) @ x, 2 * (M44 @ x) - 3 * (D4 @ x))
    np.testing.assert_allclose((np.float64(2) * M44) @ x, 2 * (M44 @ x))
    with pytest.raises(TypeError):
        M44 * np.ones(4)
    with pytest.raises(TypeError):
        M44 + 1  # type: ignore[operator]


def test_scaling_does_not_widen() -> None:
    x = np.ones(4, np.float32)
    for operator in (0.5 * Identity(FLAT), -Diagonal(x), 3 * Dense(np.eye(4, dtype=np.float32)), Scaling(2, FLAT)):
        assert (operator @ x).dtype == np.float32
    assert (0.5 * Dense(np.eye(4, dtype=np.float32))).to_sparse().dtype == np.float32
    assert Product(Scaling(0.1, FLAT), Diagonal(x)).dtype == np.float32
    assert Scaling(1e300, FLAT).to_dense()[0, 0] == 1e300
    assert Scaling(1j / 3, FLAT).to_sparse()[0, 0] == 1j / 3
