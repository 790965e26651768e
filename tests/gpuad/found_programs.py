"""Programs that random programs (tests/fuzz) found wrong, as small as they were made."""
from __future__ import annotations

import numpy as np

from tests.gpuad.cases import case

case(np.vecdot, lambda x, y: np.vecdot(x, y, axis=0), (3,), (3, 2), name="vecdot of unlike shapes")
case(np.linalg.vecdot, lambda x, y: np.linalg.vecdot(x, y, axis=-2), (3, 2), (2, 3, 2), name="linalg.vecdot of unlike shapes")
case(np.pad, lambda x: np.pad(x, 1, constant_values=0.7), (), name="pad of a number")
case(np.linalg.norm, lambda x: np.linalg.norm(x, np.inf, axis=0), (0, 3), name="norm of nothing", kinds="d")
case(np.linalg.norm, lambda x: np.linalg.norm(x, 1, axis=(0, 1)), (0, 3), name="norm of an empty matrix", kinds="d")
case(np.einsum, lambda x, y: np.einsum("...i,...j->...ij", x, y), (1, 3), (0, 3), name="einsum of nothing")
