"""Programs of the catalogue: series of powers and of orthogonal polynomials."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.dispatch import TABLE
from gpuad.namespace import traceable
from gpuad.primitives.series import FAMILIES
from tests.gpuad.cases import case

for _module, (_prefix, _) in FAMILIES.items():
    _names = [f"{_prefix}val", f"{_prefix}vander"]
    _functions = [getattr(_module, name) for name in _names]
    _value, _vander = (traceable(f, TABLE[f], f.__name__) for f in _functions)
    case(_functions[0], lambda x, c, value=_value: value(x, c), (3,), (4,), name=_names[0])
    case(_functions[0], lambda x, c, value=_value: (value(x, c), value(x[0], c, tensor=False), value(0.5, c[:1, 0])), (2, 2),
         (3, 2), name=_names[0])
    case(_functions[0], lambda x, value=_value: (value(x, [1, 2, 3]), value(x, [2.0])), (2, 3), name=_names[0])
    case(_functions[1], lambda x, vander=_vander: (vander(x, 3), vander(x, 0), vander(x[0], 2)), (2,), name=_names[1])


def gauss(x: Any) -> Any:
    """A quadrature rule, whose nodes and weights are constant, of a series whose coefficients are not."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    return np.sum(np.exp(x[:, None] * x.__array_namespace__().asarray(nodes)) * x.__array_namespace__().asarray(weights), axis=-1)


case("leggauss", gauss, (2,))
