"""Entries of the catalogue: triangular and banded products, Sylvester operators, the derivative of the exponential."""
from __future__ import annotations

import numpy as np
import scipy.linalg

import linalg
from tests.linalg.making import CASES, Case, Maker, block_diagonal, case, columns


def triangular_case(name: str, lower: bool, *shape: int) -> None:
    def build(a: Maker) -> Case:
        m = (np.tril if lower else np.triu)(a.well_conditioned(*shape, 3, 3))
        made = linalg.TriangularProduct(a.put(m), (*shape, 3, 2), lower)
        return Case(made, block_diagonal([np.kron(one, np.eye(2)) for one in m.reshape(-1, 3, 3)]))

    CASES[f"triangular_{name}"] = build


triangular_case("lower", True)
triangular_case("upper", False)
triangular_case("batch", True, 2)


def banded_matrix(bands: np.ndarray, u: int) -> np.ndarray:
    n = bands.shape[1]
    matrix = np.zeros((n, n), bands.dtype)
    for i in range(n):
        for j in range(n):
            if 0 <= u + i - j < len(bands):
                matrix[i, j] = bands[u + i - j, j]
    return matrix


def banded_case(name: str, lower: int, upper: int, n: int, *shape: int) -> None:
    def build(a: Maker) -> Case:
        bands = a.host(*shape, lower + upper + 1, n)
        bands[..., upper, :] += 4 * (lower + upper + 1)
        blocks = [np.kron(banded_matrix(one, upper), np.eye(2)) for one in bands.reshape(-1, lower + upper + 1, n)]
        return Case(linalg.Banded(a.put(bands), upper, (*shape, n, 2)), block_diagonal(blocks))

    CASES[f"banded_{name}"] = build


banded_case("wide", 2, 1, 5)
banded_case("upper", 0, 2, 4)
banded_case("diagonal", 0, 0, 3)
banded_case("wider_than_the_matrix", 3, 4, 2)
banded_case("batch", 1, 1, 3, 2)


def toeplitz_case(name: str, n: int, *shape: int) -> None:
    def build(a: Maker) -> Case:
        t = a.host(*shape, 2 * n - 1)
        t[..., n - 1] += 3 * n
        blocks = [np.kron(scipy.linalg.toeplitz(one[n - 1:], one[n - 1::-1]), np.eye(2)) for one in t.reshape(-1, 2 * n - 1)]
        return Case(linalg.Toeplitz(a.put(t), (*shape, n, 2)), block_diagonal(blocks))

    CASES[f"toeplitz_{name}"] = build


toeplitz_case("four", 4)
toeplitz_case("one", 1)
toeplitz_case("batch", 3, 2)


@case
def sylvester(a: Maker) -> Case:
    left, right = a.well_conditioned(3, 3), a.well_conditioned(2, 2)
    return Case(linalg.Sylvester(a.put(left), a.put(right), (3, 2)), np.kron(left, np.eye(2)) + np.kron(np.eye(3), right.T))


@case
def sylvester_of_one_matrix(a: Maker) -> Case:
    m = a.well_conditioned(3, 3)
    given = a.put(m)
    return Case(linalg.Sylvester(given, given, (3, 3)), np.kron(m, np.eye(3)) + np.kron(np.eye(3), m.T))


@case
def sylvester_batch(a: Maker) -> Case:
    left, right = a.well_conditioned(2, 1, 2, 2), a.well_conditioned(3, 3, 3)
    blocks = [np.kron(left[i, 0], np.eye(3)) + np.kron(np.eye(2), right[j].T) for i in range(2) for j in range(3)]
    return Case(linalg.Sylvester(a.put(left), a.put(right), (2, 3, 2, 3)), block_diagonal(blocks))


def derivative_of_exponential(m: np.ndarray, x: np.ndarray) -> np.ndarray:
    """∫ exp(sA) E exp((1 − s)A) ds by Gauss's rule."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    return sum(0.5 * w * scipy.linalg.expm((0.5 + 0.5 * s) * m) @ x @ scipy.linalg.expm((0.5 - 0.5 * s) * m)
               for s, w in zip(nodes, weights, strict=True))


@case
def exponential_derivative(a: Maker) -> Case:
    m = 0.5 * a.host(3, 3)
    return Case(linalg.ExponentialDerivative(a.put(m), (3, 3)),
                columns(lambda x: derivative_of_exponential(m, x), (3, 3), a.dtype).astype(a.dtype))


@case
def exponential_derivative_batch(a: Maker) -> Case:
    m = 0.5 * a.host(2, 2, 2)
    blocks = [columns(lambda x, one=one: derivative_of_exponential(one, x), (2, 2), a.dtype) for one in m]
    return Case(linalg.ExponentialDerivative(a.put(m), (2, 2, 2)), block_diagonal(blocks).astype(a.dtype))
