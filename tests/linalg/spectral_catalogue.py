"""Entries of the catalogue: recursive filters, cosine and sine transforms. For Fourier transforms see test_spectral.py."""
from __future__ import annotations

from itertools import product

import numpy as np
import scipy.fft

import linalg
from tests.linalg.making import CASES, Case, Maker, moving

# ---- recursive filters

def toeplitz(c: np.ndarray, n: int) -> np.ndarray:
    """The lower triangular Toeplitz matrix with c in its first column."""
    return np.asarray(sum((np.diag(np.full(n - k, c[k]), -k) for k in range(min(len(c), n))), np.zeros((n, n), c.dtype)))


def filter_case(name: str, n_b: int, n_a: int, shape: tuple[int, ...], axis: int) -> None:
    def build(a: Maker) -> Case:
        up, down, n = a.host(n_b), a.host(n_a) / 4, shape[axis]
        up[0], down[0] = 2, 2
        line = np.linalg.solve(toeplitz(down, n), toeplitz(up, n)) if n else np.zeros((0, 0))
        before, behind = (int(np.prod(part)) for part in (shape[:axis], shape[axis + 1:]))
        return Case(linalg.RecursiveFilter(a.put(up), a.put(down), shape, axis),
                    np.kron(np.eye(before), np.kron(line, np.eye(behind))))

    CASES[f"recursive_filter_{name}"] = build


filter_case("line", 3, 3, (5,), 0)
filter_case("without_b", 1, 3, (2, 4), 1)
filter_case("without_a", 3, 1, (3, 2), 0)
filter_case("longer_than_the_line", 2, 6, (2, 3, 2), 1)
filter_case("nothing", 2, 2, (0, 2), 0)


# ---- cosine and sine transforms

for _type, _sine, _shape in product((1, 2, 3, 4), (False, True), ((5,), (2, 3))):
    moving(f"cosine_transform_{_type}_{_sine}_{_shape}",
           lambda _, shape=_shape, t=_type, s=_sine: linalg.CosineTransform(shape, 0, t, s),
           lambda x, t=_type, s=_sine: (scipy.fft.dst if s else scipy.fft.dct)(x, t, axis=0, norm="ortho"))
