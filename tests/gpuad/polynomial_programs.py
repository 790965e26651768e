"""Programs of the catalogue: polynomials and their fits."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.gpuad.cases import away, between, case, integers, like, positive

case(np.vander, np.vander, (3,))
case(np.vander, lambda x: (np.vander(x, 4, increasing=True), np.vander(x * 0, 3), np.vander(x, 0), np.vander(x, N=1)), (2,))
case(np.polyval, np.polyval, (4,), (2, 3))
case(np.polyval, lambda p, x: (np.polyval(p, 2.0), np.polyval([1, 0, 2], x), np.polyval(p[:1], x) * x), (3,), ())
case(np.polyval, lambda x: np.polyval(np.poly1d([1.0, -2.0, 3.0]), x), (3,))
case((np.polyadd, np.polysub), lambda p, q: (np.polyadd(p, q), np.polysub(q, p), np.polysub(p, 2.0)), (2,), (4,))
case(np.polyadd, np.polyadd, (3,), (3,))
case(np.polysub, np.polysub, (3,), (3,))
case(np.polymul, np.polymul, away((3,)), away((2,)))
case(np.polymul, lambda p: np.polymul([0.0, 0.0, 2.0, 1.0], p) + np.polymul(np.concatenate([p * 0, p]), [1, 2]).sum(), away((3,)))
case(np.polydiv, np.polydiv, away((5,)), away((3,)))
case(np.polydiv, lambda u, v: (*np.polydiv(u, v), *np.polydiv(v, u), *np.polydiv(u, 2.0)), away((3,)), away((2,)))
case(np.polyder, lambda p: (np.polyder(p), np.polyder(p, 2), np.polyder(p, m=0), np.polyder(p, 5)), (4,))
case(np.polyint, lambda p: (np.polyint(p), np.polyint(p, 2, [1.0, 2.0]), np.polyint(p, 3, k=2.0), np.polyint(p, 0)), (3,))
case(np.poly, np.poly, (3,))
case(np.poly, lambda x: np.poly(x @ x.T + like(x, np.diag([1.0, 3.0, 5.0]))), (3, 3), kinds="d")
case(np.poly, lambda x: np.poly(np.concatenate([x, np.conjugate(x)])), (2,), kinds="D")
case(np.roots, np.roots, away((4,)), kinds="D")
case(np.roots, lambda x: np.roots(np.poly(x)), between(0.5, 1.0, (1,)))
case(np.roots, lambda p: (np.sort(np.roots(p * like(p, [-1, 5, 1]))), np.roots(p[:1])), positive((3,)), kinds="d")
case(np.roots, lambda p: np.roots(p * like(p, [0.0, 1.0, 4.0, 1.0, 0.0]))[:3], positive((5,)), kinds="d")


def fits(x: Any, y: Any, w: Any) -> Any:
    return np.polyfit(x, y, 2), np.polyfit(x, y[:, 0], 1, w=w), np.polyfit(x, y[:, 1], 0), np.polyfit(x[:3], y[:3], 2, w=w[:3])


case(np.polyfit, fits, away((5,)), (5, 2), positive((5,)))
case(np.polyfit, lambda x, y, w: np.polyfit(x, y, 1, full=True, w=w)[:2], away((4,)), (4, 2), positive((4,)))
case(np.polyfit, lambda x, y: (np.polyfit(x, y, 1, full=True)[3], *np.polyfit(x, y, 1, cov=True)), away((4,)), (4,), kinds="d")
case(np.polyfit, lambda x, y: np.polyfit(x, y, 1, cov="unscaled")[1] * np.polyfit(x, y, 1, cov=True)[1][..., 0], away((4,)),
     (4, 2), kinds="d")
case(np.polyfit, lambda y, x: np.polyfit(x, y, 1) * np.polyfit(y, x, 1), away((4,)), integers([0, 1, 2, 4]), kinds="d")
case(np.polyfit, lambda x, y: np.polyfit(x * like(x, [0.0, 0, 0]) + 2, y, 1, full=True)[0], (3,), (3,), kinds="d",
     name="polyfit of rank one")
