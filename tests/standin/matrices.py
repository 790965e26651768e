"""cupyx.scipy.linalg: what CuPy 14 has of it, computed by SciPy."""
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import scipy.linalg

from tests.standin import streams
from tests.standin.array import ndarray, performed, plain

NAMES = """toeplitz circulant hankel hadamard leslie block_diag companion helmert hilbert dft fiedler fiedler_companion
    convolution_matrix solve_triangular lu lu_factor lu_solve bandwidth khatri_rao expm""".split()
LIBRARIES = {"solve_triangular": "cuBLAS", "lu": "cuSOLVER", "lu_factor": "cuSOLVER", "lu_solve": "cuSOLVER", "expm": "cuBLAS"}
OF_ONE_MATRIX = {"lu", "lu_factor", "expm"}


def function(name: str) -> Callable[..., Any]:
    """CuPy's function of this name."""
    compute = getattr(scipy.linalg, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, np.ndarray) for a in args):
            raise TypeError(f"cupyx.scipy.linalg.{name} takes the device's arrays only")
        if name in OF_ONE_MATRIX and args[0].ndim != 2:
            raise np.linalg.LinAlgError(f"{args[0].ndim}-dimensional array given. Array must be two-dimensional")
        if name in LIBRARIES:
            streams.refuse(LIBRARIES[name])
        given = list(map(plain, args))
        return performed(name, lambda: compute(*given, **kwargs), *[a for a in args if isinstance(a, ndarray)])

    return call


def linalg() -> ModuleType:
    module = ModuleType("cupyx.scipy.linalg")
    for name in NAMES:
        setattr(module, name, function(name))
    return module
