"""Programs of the catalogue: integrals of samples, and Gauss–Legendre quadrature."""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate

from gpuad.scipy import integrate
from tests.gpuad.cases import Maker, between, case

SPACED = {"trapezoid": 4, "cumulative_trapezoid": 4, "simpson": 5}


def rising(shape: tuple[int, ...]) -> Maker:
    """Real places along the last axis, in order."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return np.cumsum(rng.uniform(0.3, 1.0, shape), axis=-1).astype(np.zeros(0, dtype).real.dtype)
    return make


for _name, _n in SPACED.items():
    _f, _rule = getattr(scipy.integrate, _name), getattr(integrate, _name)
    case(_f, lambda y, f=_rule: f(y), (_n,))
    case(_f, lambda y, f=_rule: f(y, dx=0.3, axis=0) + f(y, axis=-2), (_n, 2))
    case(_f, lambda y, x, f=_rule: f(y, x), (2, _n), rising((_n,)), kinds="d")
    case(_f, lambda y, x, f=_rule: f(y, x=x, axis=1), (2, _n), rising((2, _n)))
    case(_f, lambda x, _n=_n, f=_rule: f(x[::-1] * 0 + 2.0, x), rising((_n,)), kinds="d", name=f"{_name} of places")
for _n in (2, 4, 6):
    case(scipy.integrate.simpson, lambda y: integrate.simpson(y, dx=0.3), (2, _n))
    case(scipy.integrate.simpson, lambda y, x: integrate.simpson(y, x), (_n,), rising((_n,)), kinds="d")
    case(scipy.integrate.simpson, lambda y, x: integrate.simpson(y, x=x, axis=0), (_n, 2), rising((_n,)), kinds="d")
case(scipy.integrate.trapezoid, lambda y: integrate.trapezoid(y, axis=0), (1, 2))
case(scipy.integrate.trapezoid, lambda y: integrate.trapezoid(y), (2, 0))
case(scipy.integrate.cumulative_trapezoid, lambda y: integrate.cumulative_trapezoid(y, initial=0, axis=0), (3, 2))
case(scipy.integrate.cumulative_trapezoid, lambda y, d: integrate.cumulative_trapezoid(y, dx=d), (3,), between(0.3, 0.9, ()),
     kinds="d")
for _n in (2, 3, 9):
    case(scipy.integrate.romb, lambda y: integrate.romb(y), (_n,))
    case(scipy.integrate.romb, lambda y: integrate.romb(y, dx=0.5, axis=0), (_n, 2))


def waves(x: Any, k: Any) -> Any:
    return np.sin(k[:, None] * x)


case((), lambda a, b: integrate.fixed_quad(lambda x: x**3 * a, a, b, n=3)[0], (), (), kinds="d", name="fixed_quad")
case((), lambda k: integrate.fixed_quad(waves, 0.0, 1.0, (k,), 4)[0], (2,), name="fixed_quad with parameters")
