"""Programs of the catalogue: padding in every mode."""
from __future__ import annotations

import numpy as np

from tests.gpuad.cases import away, case

case(np.pad, lambda x: np.pad(x, 1) + np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4))), (2, 3))
case(np.pad, lambda x, c: np.pad(x, (1, 2), constant_values=c) + np.pad(x, ((1, 2),), constant_values=(c, 2.0)), (2, 3), ())
case(np.pad, lambda x, c: np.pad(x, {1: (1, 0)}, constant_values=[[c[0], 1.0], [c[1] * c[0], 2]]), (2, 3), (2,))
case(np.pad, lambda x, c: np.pad(x, {-1: 2}, constant_values=c), (2, 3), (2, 2))
case(np.pad, lambda x: np.pad(x, ((0, 0), (1, 2)), "edge") + np.pad(x, ((0, 0), (2, 1))), (0, 2))
case(np.pad, lambda x: np.pad(x, 3) * np.pad(x, 3, constant_values=2.0), ())
for _mode in ("edge", "reflect", "symmetric", "wrap"):
    case(np.pad, lambda x, mode=_mode: np.pad(x, {0: (2, 1), 1: 3}, mode), (2, 3))
    case(np.pad, lambda x, mode=_mode: np.pad(x, (9, 4), mode), (3,))
for _mode in ("reflect", "symmetric"):
    case(np.pad, lambda x, mode=_mode: np.pad(x, {0: (2, 1), 1: 3}, mode, reflect_type="odd"), (2, 3))
    case(np.pad, lambda x, mode=_mode: np.pad(x, (3, 14), mode, reflect_type="odd"), (3,))
    case(np.pad, lambda x, mode=_mode: np.pad(x, (14, 0), mode, reflect_type="odd") * x[0], (4,))
    case(np.pad, lambda x, mode=_mode: np.pad(x, (2, 1), mode, reflect_type="odd") + np.pad(x, (1, 2), mode), (1, 2))
case(np.pad, lambda x: np.pad(x, ((1, 2), (0, 3)), "linear_ramp"), (2, 3))
case(np.pad, lambda x, c: np.pad(x, (2, 1), "linear_ramp", end_values=(c, 1.5)), (2, 2), ())
for _mode in ("maximum", "minimum", "mean", "median"):
    _kinds = "d" if _mode != "mean" else "dD"
    case(np.pad, lambda x, mode=_mode: np.pad(x, ((2, 1), (0, 2)), mode), away((2, 3)), kinds=_kinds)
    case(np.pad, lambda x, mode=_mode: np.pad(x, 1, mode, stat_length=((2, 1), (3, 9))), away((3, 4)), kinds=_kinds)
