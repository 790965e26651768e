"""S3 of the lectures: the order of a matrix chain, and what it costs."""
import itertools

import numpy as np
import pytest

import linalg
from linalg import Dense, Product, cheapest_order, multiplication_count, multiply_chain, parenthesize
from linalg.association import Order, left_to_right, right_to_left

A_BC, AB_C = (1, 0), (0, 0)


def test_strang_counts() -> None:
    m, n, p, q = 7, 5, 3, 2
    shapes = [(m, n), (n, p), (p, q)]
    assert multiplication_count(shapes, A_BC) == n * p * q + m * n * q
    assert multiplication_count(shapes, AB_C) == m * n * p + m * p * q


def test_a_vector_on_either_side() -> None:
    """With a column on the right, start there (forward mode); with a row on the left, there (reverse mode)."""
    n = 100
    assert cheapest_order([(n, n), (n, n), (n, 1)]) == A_BC
    assert cheapest_order([(1, n), (n, n), (n, n)]) == AB_C


@pytest.mark.parametrize(("m", "n"), [(5, 3), (100, 2), (1000, 999)])
def test_a_transposed_a(m: int, n: int) -> None:
    """A(AᵀA) against (AAᵀ)A for m > n."""
    shapes = [(m, n), (n, m), (m, n)]
    assert multiplication_count(shapes, A_BC) == 2 * m * n * n
    assert multiplication_count(shapes, AB_C) == 2 * m * m * n
    assert cheapest_order(shapes) == A_BC
    assert parenthesize(cheapest_order(shapes), ["A", "Aᵀ", "A"]) == "A(AᵀA)"
    assert cheapest_order([s[::-1] for s in shapes]) == AB_C


def orders(n: int) -> list[Order]:
    return list(itertools.product(*(range(k) for k in range(n - 1, 0, -1))))


@pytest.mark.parametrize("seed", range(20))
def test_none_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 20, rng.integers(2, 8))
    shapes = [(int(a), int(b)) for a, b in itertools.pairwise(lengths)]
    best = cheapest_order(shapes)
    assert multiplication_count(shapes, best) == min(multiplication_count(shapes, order) for order in orders(len(shapes)))


def test_textbook_chain() -> None:
    """Cormen et al., section 14.2."""
    shapes = [(30, 35), (35, 15), (15, 5), (5, 10), (10, 20), (20, 25)]
    order = cheapest_order(shapes)
    assert multiplication_count(shapes, order) == 15125
    assert parenthesize(order, "ABCDEF") == "(A(BC))((DE)F)"


def test_long_chains_are_quick() -> None:
    shapes = [(3, 3)] * 5000 + [(3, 1)]
    assert cheapest_order(shapes) == right_to_left(len(shapes))
    assert cheapest_order([s[::-1] for s in reversed(shapes)]) == left_to_right(len(shapes))


def test_one_matrix() -> None:
    assert cheapest_order([(2, 3)]) == ()
    assert multiplication_count([(2, 3)], ()) == 0
    assert parenthesize((), "A") == "A"


@pytest.mark.parametrize("order", orders(4))
def test_multiplies(order: Order) -> None:
    rng = np.random.default_rng(1)
    chain = [rng.normal(size=s) for s in [(2, 3), (3, 4), (4, 2), (2, 5)]]
    np.testing.assert_allclose(multiply_chain(chain, order), np.linalg.multi_dot(chain))
    np.testing.assert_allclose(multiply_chain(chain), np.linalg.multi_dot(chain))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="matrices that multiply"):
        cheapest_order([(2, 3), (4, 5)])
    with pytest.raises(ValueError, match="1 steps for 2 matrices"):
        multiplication_count([(2, 3), (3, 4)], (0, 0))
    with pytest.raises(ValueError, match="neighbours that remain"):
        multiplication_count([(2, 3), (3, 4)], (1,))


class Counting(Dense):
    """A matrix that counts the columns it is multiplied with."""

    __slots__ = ("columns",)

    def __init__(self, matrix: np.ndarray):
        super().__init__(matrix)
        self.columns = 0

    def _apply(self, x: np.ndarray) -> np.ndarray:
        self.columns += x.size // x.shape[-1]
        return super()._apply(x)


def test_a_product_takes_the_cheaper_side() -> None:
    """A 1 × n Jacobian is made from the left (reverse mode), an n × 1 one from the right (forward mode)."""
    rng = np.random.default_rng(0)
    square, row = Counting(rng.normal(size=(50, 50))), Counting(rng.normal(size=(1, 50)))
    wide = Product(row, square, square)
    np.testing.assert_allclose(wide.to_dense(), row.matrix @ square.matrix @ square.matrix)
    assert square.columns == 0
    tall = Product(square, square, Counting(rng.normal(size=(50, 1))))
    np.testing.assert_allclose(tall.to_dense(), square.matrix @ square.matrix @ tall.factors[-1].to_dense())
    assert square.columns == 2


def test_a_product_may_start_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    factors = [Counting(rng.normal(size=s)) for s in [(40, 40), (40, 1), (1, 40), (40, 40)]]
    expected = np.linalg.multi_dot([f.matrix for f in factors])
    np.testing.assert_allclose(linalg.Product(*factors).to_dense(), expected)
    assert not any(f.columns for f in factors)  # multiplied as matrices, which no side's identity could do as cheaply


def test_structured_factors_are_applied_not_multiplied() -> None:
    class Applied(linalg.Diagonal):
        def to_dense(self, _like: object = None) -> np.ndarray:
            raise AssertionError("a diagonal was made a full matrix")

    d, m = np.arange(1.0, 9.0), np.ones((8, 8))
    np.testing.assert_array_equal(Product(Applied(d), Dense(m)).to_dense(), d[:, None] * m)
    np.testing.assert_array_equal(Product(Dense(m[:1]), Applied(d)).to_dense(), d[None])
