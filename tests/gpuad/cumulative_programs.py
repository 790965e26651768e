"""Programs of the catalogue: accumulations, ufuncs' reduce and reduceat, statistics that skip NaN."""
from __future__ import annotations

import numpy as np

from tests.gpuad.cases import Maker, away, between, case, like, normal, positive


def gaps(shape: tuple[int, ...], *places: int) -> Maker:
    """Normal numbers, with NaN at some places."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = normal(shape)(rng, dtype)
        x.ravel()[list(places)] = np.nan
        return x
    return make


# ---- accumulations

case(np.cumprod, np.cumprod, (2, 3))
case(np.cumprod, lambda x: (np.cumprod(x, axis=0), np.cumprod(x, axis=-2), np.cumprod(x, 2)), (2, 3, 2))
case(np.cumprod, lambda x: np.cumprod(x * like(x, [1.0, 0.0, 1.0, 0.0, 1.0])), (5,), name="cumulative product of zeros")
case(np.cumprod, lambda x: np.cumprod(x, axis=0, dtype=np.complex128), (2, 3))
case(np.cumprod, np.cumprod, ())
case(np.cumprod, lambda x: np.cumprod(x, axis=1), (2, 0))
case(("multiply", "accumulate"), lambda x: np.multiply.accumulate(x, axis=1) * np.multiply.accumulate(x), (4, 3))
for _name in "maximum minimum fmax fmin logaddexp logaddexp2 hypot".split():
    _u = getattr(np, _name)
    case((_name, "accumulate"), lambda x, u=_u: (u.accumulate(x), u.accumulate(x, axis=-1)), away((3, 4)), kinds="d")
for _f, _g in ((np.cumulative_sum, np.sum), (np.cumulative_prod, np.prod)):
    case(_f, _f, (3,))
    case(_f, lambda x, f=_f: (f(x, axis=0, include_initial=True), f(x, axis=-1, dtype=np.complex128)), (2, 3))
    case(_f, lambda x, f=_f: f(x, include_initial=True), ())

# ---- reduce and reduceat

for _name in "fmax fmin logaddexp logaddexp2 hypot".split():
    _u = getattr(np, _name)
    case((_name, "reduce"), lambda x, u=_u: (u.reduce(x), u.reduce(x, axis=(0, -1), keepdims=True), u.reduce(x, axis=None)),
         away((3, 2, 2)), kinds="d")
    case((_name, "reduce"), lambda x, u=_u: u.reduce(x, axis=1, where=like(x, [True, False, True]), initial=0.5), away((2, 3)),
         kinds="d")
case(("logaddexp", "reduce"), lambda x: np.exp(np.logaddexp.reduce(x, axis=0)) + np.sum(x), (0, 3), kinds="d")
case(("add", "reduceat"), lambda x: (np.add.reduceat(x, [0, 3, 1, 1, 4]), np.add.reduceat(x, [1, 2], axis=-1)), (5, 3))
case(("add", "reduceat"), lambda x: np.add.reduceat(x, [0, 2], dtype=np.complex128), (4,))
for _name in "multiply maximum minimum logaddexp".split():
    _u = getattr(np, _name)
    case((_name, "reduceat"), lambda x, u=_u: u.reduceat(x, [0, 2, 1, 3], axis=1), away((2, 5)),
         kinds="dD" if _name == "multiply" else "d")

# ---- without NaN

for _f in (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd):
    case(_f, _f, gaps((2, 3), 1))
    case(_f, lambda x, f=_f: (f(x, axis=0), f(x, axis=-1, keepdims=True), f(x, axis=(0, 1))), gaps((3, 3), 1, 5))
    case(_f, lambda x, f=_f: f(x, axis=0, dtype=np.complex128 if x.dtype.kind == "c" else np.float64,
                               where=like(x, [[True], [True], [False], [True]])), gaps((4, 2), 0, 5))
for _f in (np.nansum, np.nanprod):
    case(_f, lambda x, f=_f: f(x, axis=1, initial=0.5), gaps((2, 3), 0, 1, 2))
for _f in (np.nanvar, np.nanstd):
    case(_f, lambda x, f=_f: f(x, axis=0, ddof=1) + f(x, 0, correction=1), gaps((4, 2), 2))
case(np.var, lambda x: np.var(x, axis=0, dtype=np.complex128, ddof=1), (3, 2))
case(np.nanvar, lambda x: np.nanvar(x, axis=0, mean=np.nanmean(x, axis=0, keepdims=True) + 0.1), gaps((4, 2), 2))
for _f in (np.nanmax, np.nanmin):
    case(_f, _f, gaps((2, 3), 1), kinds="d")
    case(_f, lambda x, f=_f: (f(x, axis=0), f(x, axis=(0, -1), keepdims=True)), gaps((3, 3), 1, 5), kinds="d")
    case(_f, lambda x, f=_f: f(x, axis=1, initial=0.2, where=like(x, [True, False, True])), gaps((2, 3), 2), kinds="d")
for _f in (np.nancumsum, np.nancumprod):
    case(_f, _f, gaps((2, 3), 1))
    case(_f, lambda x, f=_f: (f(x, axis=0), f(x, axis=-1, dtype=np.complex128)), gaps((2, 3), 0, 4))

# ---- parts of numbers

case(np.modf, np.modf, away((2, 3)), kinds="d")
case(np.modf, np.modf, between(1.2, 1.8, ()), kinds="d")
case(np.frexp, lambda x: np.frexp(x)[0] * np.frexp(x)[1], between(2.1, 3.9, (2, 3)), kinds="d")
case(np.frexp, lambda x: np.frexp(x)[0], between(-0.9, -0.6, ()), kinds="d")
case(np.ldexp, lambda x: np.ldexp(x, like(x, [3, -2, 0])) + np.ldexp(x, 1), (2, 3), kinds="d")
case(np.nextafter, np.nextafter, (2, 3), (3,), kinds="d")
case(np.nextafter, lambda x: np.nextafter(x, np.inf) * x, positive((3,)), kinds="d")
case(np.i0, np.i0, between(-9.0, 9.0, (3, 3)), kinds="d")
case(np.i0, np.i0, between(0.0, 1.0, ()), kinds="d")
case(np.i0, lambda x: np.i0(0 * x), (2,), kinds="d", name="i0 at zero")



case("TracedArray.cumprod", lambda x: x.cumprod(1), (2, 3))
case("TracedArray.compress", lambda x: x.compress([True, False, True], axis=1), (2, 3))
