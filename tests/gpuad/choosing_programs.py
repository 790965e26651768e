"""Programs of the catalogue: choices between arrays, functions applied piece by piece."""
from __future__ import annotations

from typing import Any

import numpy as np

from tests.gpuad.cases import between, case, integers, like

case(np.select, lambda x, y: np.select([abs(x) > 1.2, abs(x) > 0.4], [x * y, y]), (2, 3), (3,))
case(np.select, lambda x, y: np.select([abs(x) > 0.7, abs(x) > 9], [2.0, x], default=y), (2, 3), ())
case(np.select, lambda x, m: np.select([m, ~m], [x, 1], x[0] * x[0]), (2, 3), integers([True, False, True]))
case(np.choose, lambda x, y: np.choose(like(x, [[0, 2, 1], [1, 1, 0]]), (x, y, 3.0)), (2, 3), ())
case(np.choose, lambda x, i: np.choose(i, x), (3, 2), integers([[2, 0], [0, 1]]))
case(np.choose, lambda x, i: np.choose(i, [x, x * x], mode="wrap") + np.choose(i, [x, x * x], mode="clip"), (2, 3),
     integers([5, -1, 1]))
case(np.choose, lambda x, y: np.choose(True, [x, y]), (2,), (1, 2))


def pieces(x: Any, factor: Any) -> Any:
    mask = like(x, [[True, False, True], [False, False, True]])
    return np.piecewise(x, [mask, ~mask], [lambda t, a: a * t * t[0], lambda t, a: np.exp(t) + a], factor)


def overlapping(x: Any, y: Any) -> Any:
    mask = like(x, [True, True, False, False])
    return np.piecewise(x, [mask, mask[::-1], ~mask[:, None][:, 0]], [lambda t: y[:2] * t, 2.0, y[0], np.sin])


case(np.piecewise, pieces, (2, 3), ())
case(np.piecewise, overlapping, (4,), (3,))
case(np.piecewise, lambda x: np.piecewise(x, [x < -0.5, x > 0.5], [-0.5, 0.5, np.square]), (2, 3), kinds="d")
case(np.piecewise, lambda x: np.piecewise(x, x > 0, [lambda t: t**0.5]), (4,), kinds="d")
case(np.piecewise, lambda x: np.piecewise(x, [x > 0, x <= 0], [lambda t: t * t, lambda t: t]), (), kinds="d")
case(np.apply_along_axis, lambda x: np.apply_along_axis(lambda t: t[0] * t, 0, x), (2, 3))
case(np.apply_along_axis, lambda x: np.apply_along_axis(np.diag, -2, x) * 2, (2, 3, 2))
case(np.apply_along_axis, lambda x, y: np.apply_along_axis(lambda t, s, k: np.sum(t) * s**k, 1, x, y, k=2), (2, 3), ())
case(np.apply_along_axis, lambda x: x * np.apply_along_axis(np.argmax, 1, x)[:, None], (2, 3), kinds="d")
case(np.apply_over_axes, lambda x: np.apply_over_axes(np.sum, x * x, (0, -1)), (2, 3, 2))
case(np.apply_over_axes, lambda x: np.apply_over_axes(np.cumsum, x, 1) * np.apply_over_axes(np.mean, x, [0]), (2, 3))
case(np.apply_over_axes, lambda x: np.apply_over_axes(np.prod, x, -1), between(0.5, 1.5, (3,)))
