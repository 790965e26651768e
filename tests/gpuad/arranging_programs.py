"""Programs of the catalogue: arrays repeated, trimmed, selected from, laid open, looked at through windows."""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.gpuad.cases import away, case, integers, like

case(np.resize, lambda x: (np.resize(x, (2, 4)), np.resize(x, 2), np.resize(x, (0, 3)), np.resize(x[:0], 2)), (2, 3))
case(np.dsplit, lambda x: (*np.dsplit(x, 2), *np.dsplit(x, [1, 3])), (2, 1, 4))
case(np.ix_, lambda x, y: np.prod(np.stack(np.broadcast_arrays(*np.ix_(x, [1.0, 2.0], y))), axis=0), (2,), (3,))
case(np.ix_, lambda x: x[np.ix_(like(x, [True, True]), [0, 2])] * np.ix_(x[:, 0], [False, True])[0], (2, 3))
case(np.trim_zeros, lambda x: np.trim_zeros(np.pad(x, (2, 1))) * np.trim_zeros(np.pad(x, (2, 1)), "b")[2:], away((3,)))
case(np.trim_zeros, lambda x: (np.trim_zeros(np.pad(x, 1)), np.trim_zeros(np.pad(x, 1), "f", -1), np.trim_zeros(x * 0)),
     away((2, 3)))
case(np.compress, lambda x: (np.compress([False, True], x, axis=0), np.compress([1, 0, 0, 1], x)), (2, 3))
case(np.extract, lambda x, m: np.extract(m, x) * 2, (2, 3), integers([[True, False, True], [False, True, True]]))
case(sliding_window_view, lambda x: sliding_window_view(x, (2, 2)), (2, 3))
case(sliding_window_view, lambda x: (sliding_window_view(x, 2, axis=-1), sliding_window_view(x, (2, 2), (1, 1))), (1, 4))

if hasattr(np, "row_stack"):
    def row_stack(x: Any, y: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return np.row_stack([x, y])  # noqa: NPY201

    case(np.row_stack, row_stack, (3,), (2, 3))  # noqa: NPY201
