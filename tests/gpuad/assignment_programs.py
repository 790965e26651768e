"""The catalogue of functions that change an array in place, or make one to be written to."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.gpuad.cases import case, integers


def changed(change: Callable[..., Any]) -> Callable[..., Any]:
    """What a copy of the first argument is after the change, and a view of it that was taken before."""
    def f(x: Any, *rest: Any) -> Any:
        y = x.copy()
        view = y.T
        change(y, *rest)
        return [y * y, view * 1]
    return f


def _set(key: Any) -> Callable[..., Any]:
    return changed(lambda y, v: y.__setitem__(key, v))


for _key, _shape in ((0, (3,)), ((slice(None), 1), ()), ((Ellipsis, slice(None, None, 2)), (2, 1)), (slice(0, 0), (3,)),
                     ((0, 2), ()), (None, (2, 3)), (([0, 1], [2, 0]), (2,)), (([1, 1],), (2, 3)),
                     (([[True, False, True]] * 2,), (4,))):
    case("TracedArray.__setitem__", _set(_key), (2, 3), _shape, name="setitem")
case("TracedArray.__setitem__", changed(lambda y, i, v: y.__setitem__((i, slice(1)), v)), (2, 3), integers([1, 0, 1]), (3, 1),
     name="setitem")
def _without_axes(x: Any, v: Any) -> Any:
    y = np.zeros_like(x)
    y[()] = v * x
    return y * y


case("TracedArray.__setitem__", _without_axes, (), (), name="setitem")
case("TracedArray.__setitem__", changed(lambda y, v: y.__setitem__(Ellipsis, v)), (0, 3), (3,), name="setitem")
case("TracedArray.fill", changed(lambda y, v: y.fill(v)), (2, 3), ())
case("TracedArray.sort", changed(lambda y: y.sort(0)), (3, 2), kinds="d")
case("TracedArray.partition", changed(lambda y: y.partition(1)), (2, 3), kinds="d")
case("TracedArray.put", changed(lambda y, v: y.put([0, 4], v)), (2, 3), (2,))
case("TracedArray.flat", changed(lambda y, v: y.flat.__setitem__(slice(1, 3), v)), (2, 3), (2,))
case(np.copyto, changed(lambda y, v: np.copyto(y, v)), (2, 3), (3,))
case(np.copyto, changed(lambda y, v, m: np.copyto(y, v, where=m)), (2, 3), (3,), integers([True, False, True]))
case(np.put, changed(lambda y, v: np.put(y, [7, -1], v, mode="wrap")), (2, 3), (1,))
case(np.put, changed(lambda y, v: np.put(y, [[7, 0], [-3, 1]], v, mode="clip")), (2, 3), (2,))
case(np.putmask, changed(lambda y, v, m: np.putmask(y, m, v)), (2, 3), (2,), integers([[True, False, True], [False, True, True]]))
case(np.place, changed(lambda y, v: np.place(y, np.array([[True, False, True], [False, True, True]]), v)), (2, 3), (3,))
case(np.put_along_axis, changed(lambda y, v, i: np.put_along_axis(y, i, v, 1)), (2, 3), (2, 1), integers([[2], [0]]))
case(np.put_along_axis, changed(lambda y, v, i: np.put_along_axis(y, i, v, None)), (2, 3), (2,), integers([5, 0]))
case(np.fill_diagonal, changed(lambda y, v: np.fill_diagonal(y, v)), (3, 2), (2,))
case(np.fill_diagonal, changed(lambda y, v: np.fill_diagonal(y, v, wrap=True)), (5, 2), (3,))
case(np.fill_diagonal, changed(lambda y, v: np.fill_diagonal(y, v)), (2, 2, 2), ())
case(("add", "at"), changed(lambda y, v: np.add.at(y, ([0, 0], [1, 1]), v)), (2, 3), (2,))
case(("subtract", "at"), changed(lambda y, v: np.subtract.at(y, [1, 1], v)), (2, 3), (3,))
for _function in (np.zeros_like, np.ones_like, np.empty_like):
    case(_function, lambda x, f=_function: changed(lambda y, v: y.__setitem__(slice(None), v))(f(x), x * x), (2, 3))


def _operators(y: Any, v: Any) -> None:
    y += v
    y -= 2
    y *= v
    y /= 1.5
    y **= 2


def _product(y: Any, v: Any) -> None:
    y @= v


case("in-place operators", changed(_operators), (2, 3), (3,), name="in-place operators")
case("in-place operators", changed(_product), (2, 2), (2, 2), name="in-place product")
