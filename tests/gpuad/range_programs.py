"""Programs of the catalogue: numbers between two ends."""
from __future__ import annotations

import numpy as np

import gpuad as ad
from tests.gpuad.cases import between, case, positive

case(np.linspace, np.linspace, (), ())
case(np.linspace, lambda x, y: np.linspace(x, y, 4, axis=-1) * np.linspace(y, 2.0, 4, endpoint=False).T, (3,), (3,))
case(np.linspace, lambda x: np.linspace(0, x, 3, retstep=True), (2, 1))
case(np.linspace, lambda x: (*np.linspace(x, 1j, 1), *np.linspace(x, 2, 0), np.linspace(1, x, 1, endpoint=False)), ())
case(np.linspace, lambda x, y: np.linspace(x, y, 3, dtype=np.complex128, axis=1), (2, 1), (3,), kinds="d")
case(np.linspace, lambda x: x * np.linspace(x, 4.5, 3, dtype=int), (2,), kinds="d")
case(np.logspace, np.logspace, between(0, 1, ()), between(0, 1, ()))
case(np.logspace, lambda x, y: np.logspace(x, y, 4, endpoint=False, base=2, axis=-1), (3,), ())
case(np.logspace, lambda x, b: np.logspace(x, 2 * x, 3, base=b, dtype=np.complex128), (2,), positive(()))
case(np.logspace, lambda x, b: np.logspace(x, 0.5, 3, base=b, axis=-1), (2,), positive((2, 2)))
case(np.logspace, lambda x: x * np.logspace(x, 2, 3, dtype=int), between(0, 1, (2,)), kinds="d")
case(np.geomspace, np.geomspace, positive(()), positive(()))
case(np.geomspace, lambda x, y: np.geomspace(-x, -y, 4, axis=1), positive((3,)), positive((2, 1)))
case(np.geomspace, lambda x: (np.geomspace(x, 1000.0, 4, endpoint=False), np.geomspace(-1, -x, 3)), positive((2,)))
case(np.geomspace, lambda x, y: np.geomspace(x, y, 3, dtype=np.complex128), positive((2,)), (2,))
case(np.kaiser, lambda b: (ad.numpy.kaiser(5, b), ad.numpy.kaiser(4, b)), positive(()), kinds="d")
case(np.kaiser, lambda b: b * ad.numpy.kaiser(1, b), positive(()), kinds="d")
