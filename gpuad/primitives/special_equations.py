"""Functions whose derivatives follow from their differential equations or integrals: Airy, Struve, Kelvin, parabolic cylinder
functions, integrals of Bessel functions.
"""
from __future__ import annotations

import math
from typing import Any

from gpuad.primitives.special import UNKNOWN, like, outputs, sc, ufunc

# w″ = z w
outputs("airy", [lambda y, _z: y[1]], [lambda y, z: z * y[0]], [lambda y, _z: y[3]], [lambda y, z: z * y[2]])
outputs("itairy", [lambda _y, x: sc.airy(x)[0]], [lambda _y, x: sc.airy(x)[2]], [lambda _y, x: sc.airy(-x)[0]],
        [lambda _y, x: sc.airy(-x)[2]])

# x² w″ + x w′ = i x² w, whose solutions are ber + i bei and ker + i kei
for _b in ("be", "ke"):
    ufunc(f"{_b}r", lambda _y, x, b=_b: getattr(sc, f"{b}rp")(x))
    ufunc(f"{_b}i", lambda _y, x, b=_b: getattr(sc, f"{b}ip")(x))
    ufunc(f"{_b}rp", lambda y, x, b=_b: -getattr(sc, f"{b}i")(x) - y / x)
    ufunc(f"{_b}ip", lambda y, x, b=_b: getattr(sc, f"{b}r")(x) - y / x)
outputs("kelvin", [lambda y, _x: y[2]], [lambda y, _x: y[3]], [lambda y, x: 1j * y[0] - y[2] / x],
        [lambda y, x: 1j * y[1] - y[3] / x])

# parabolic cylinder functions: D and V solve w″ = (x²/4 − v − 1/2) w, W solves w″ = (a − x²/4) w
outputs("pbdv", [UNKNOWN, lambda y, _v, _x: y[1]], [UNKNOWN, lambda y, v, x: (x * x / 4 - v - 0.5) * y[0]])
outputs("pbvv", [UNKNOWN, lambda y, _v, _x: y[1]], [UNKNOWN, lambda y, v, x: (x * x / 4 - v - 0.5) * y[0]])
outputs("pbwa", [UNKNOWN, lambda y, _a, _x: y[1]], [UNKNOWN, lambda y, a, x: (a - x * x / 4) * y[0]])

# Struve functions
ufunc("struve", UNKNOWN, lambda _y, v, x: (sc.struve(v - 1, x) - sc.struve(v + 1, x) + _struve_power(v, x)) / 2)
ufunc("modstruve", UNKNOWN, lambda _y, v, x: (sc.modstruve(v - 1, x) + sc.modstruve(v + 1, x) + _struve_power(v, x)) / 2)
ufunc("itstruve0", lambda _y, x: sc.struve(like(x, 0), x))
ufunc("it2struve0", lambda _y, x: -sc.struve(like(x, 0), x) / x)
ufunc("itmodstruve0", lambda _y, x: sc.modstruve(like(x, 0), x))


def _struve_power(v: Any, x: Any) -> Any:
    """(x/2)ᵛ/(√π Γ(v + 3/2))."""
    return (x / 2) ** v * sc.rgamma(v + 1.5) / math.sqrt(math.pi)


# integrals of Bessel functions
outputs("itj0y0", [lambda _y, x: sc.j0(x)], [lambda _y, x: sc.y0(x)])
outputs("iti0k0", [lambda _y, x: sc.i0(x)], [lambda _y, x: sc.k0(x)])
outputs("it2j0y0", [lambda _y, x: (1 - sc.j0(x)) / x], [lambda _y, x: -sc.y0(x) / x])
outputs("it2i0k0", [lambda _y, x: (sc.i0(x) - 1) / x], [lambda _y, x: -sc.k0(x) / x])

