"""Programs of the catalogue: distinct entries and sets, whose number depends on values, and sorted complex numbers."""
from __future__ import annotations

import numpy as np

from tests.gpuad.cases import away, case

case(np.unique, lambda x: (np.unique(np.concatenate([x, x[1:]])), np.unique(x)), away((4,)), name="unique")
case(np.unique, lambda x: np.unique(x, True, True, True)[0] * np.unique(x, return_counts=True)[1], away((2, 3)), name="unique")
case(np.unique, lambda x: (np.unique(np.concatenate([x, x]), axis=0), np.unique(x, axis=-1)), away((3, 2)), kinds="d",
     name="unique")
for _f in (np.unique_all, np.unique_counts, np.unique_inverse):
    case(_f, lambda x, f=_f: f(np.concatenate([x, x], axis=0)).values, away((2, 2)))
case(np.unique_values, lambda x: np.sort(np.unique_values(x)), away((2, 2)))
case(np.union1d, lambda x, y: np.union1d(x, np.concatenate([y, x[0]])), away((2, 2)), away((3,)))
case(np.intersect1d, lambda x, y: np.intersect1d(x, np.concatenate([y, x[1:]])), away((4,)), away((2,)))
case(np.intersect1d, lambda x: np.intersect1d(x, x[::-1], assume_unique=True, return_indices=True)[0], away((3,)))
case(np.setdiff1d, lambda x: (np.setdiff1d(x, x[0, :1]), np.setdiff1d(x, x[0], assume_unique=True)), away((2, 2)))
case(np.setxor1d, lambda x, y: (np.setxor1d(x, np.concatenate([y, x[1]])), np.setxor1d(x, y, True)), away((2, 2)), away((3,)))
case(np.sort_complex, np.sort_complex, away((2, 3)))
case(np.real_if_close, np.real_if_close, (2, 3), kinds="d")
case(np.real_if_close, lambda z: (np.real_if_close(z * np.conjugate(z), tol=10), np.real_if_close(z)), (3,), kinds="D")
