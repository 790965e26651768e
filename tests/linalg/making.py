"""What the catalogue is made with: arrays of one library and dtype, and matrices built column by column."""
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse

import linalg
from linalg.arrays import sparse_module


class Maker:
    """Makes arrays of one library and dtype, and remembers them as NumPy's."""

    def __init__(self, xp: ModuleType, dtype: Any, seed: int = 0):
        self.xp, self.dtype, self.rng = xp, np.dtype(dtype), np.random.default_rng(seed)

    def host(self, *shape: int) -> np.ndarray:
        """Normal random numbers, as a NumPy array."""
        values = self.rng.normal(size=shape)
        if self.dtype.kind == "c":
            values = values + 1j * self.rng.normal(size=shape)
        return np.asarray(values, self.dtype)

    def well_conditioned(self, *shape: int) -> np.ndarray:
        """Square matrices far from singular, as a NumPy array."""
        return np.asarray(self.host(*shape) + 2 * shape[-1] * np.eye(shape[-1]), self.dtype)

    def put(self, x: Any) -> Any:
        """The same array in the library under test."""
        return self.xp.asarray(x)

    def put_sparse(self, matrix: Any, kind: str = "csr_matrix") -> Any:
        host = getattr(scipy.sparse, kind)(matrix)
        module = sparse_module(self.put(np.zeros(())))
        return host if module is scipy.sparse else getattr(module, kind)(host)


class Case(NamedTuple):
    """An operator and its matrix, both sides raveled in C order."""

    operator: linalg.LinearOperator
    matrix: np.ndarray


Build = Callable[[Maker], Case]
CASES: dict[str, Build] = {}


def case(build: Build) -> Build:
    CASES[build.__name__] = build
    return build


def columns(function: Callable[[np.ndarray], Any], in_shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """The matrix of a function of NumPy arrays, one unit array after the other."""
    n = int(np.prod(in_shape))
    out = [np.ravel(function(np.eye(n, dtype=dtype)[k].reshape(in_shape))) for k in range(n)]
    empty = np.zeros((0, np.size(function(np.zeros(in_shape)))))
    return (np.array(out) if out else empty).T


def block_diagonal(matrices: list[np.ndarray]) -> np.ndarray:
    return np.asarray(scipy.linalg.block_diag(*matrices))


def moving(name: str, operator: Callable[[Maker], linalg.LinearOperator], function: Callable[[np.ndarray], Any]) -> None:
    """Enter an operator that holds no numbers, with the NumPy function that it stands for."""
    def build(a: Maker) -> Case:
        made = operator(a)
        return Case(made, columns(function, made.in_shape))

    CASES[name] = build
