"""Programs of the catalogue: convolutions and correlations."""
from __future__ import annotations

import numpy as np

from linalg.elements.convolution import convolve
from tests.gpuad.cases import case, integers

case(np.convolve, np.convolve, (4,), (3,))
case(np.correlate, np.correlate, (4,), (3,))
for _mode in ("full", "same", "valid"):
    for _a, _v in ((5, 2), (5, 4), (2, 5), (4, 5), (3, 3)):
        case((np.convolve, np.correlate), lambda x, y, m=_mode: (np.convolve(x, y, m), np.correlate(x, y, mode=m)), (_a,), (_v,))
case(np.convolve, lambda x: np.convolve(x, x) * np.correlate(x, x, "full"), (3,))
case(np.convolve, lambda x: np.convolve(x, [1, 2, 1]) + np.convolve([0.5, 1.5, 2.5, 3.5], x, "same").sum(), (4,))
case(np.convolve, lambda x, y: np.convolve(x, y), (), (3,), name="convolve of a scalar")
case(np.correlate, lambda x, k: np.correlate(x, k, "same") + np.correlate(k, x)[0], (4,), integers([1, 0, 2]))
case(convolve, lambda x, y: convolve(x, y, (0, 1), (5, 2)), (2, 3), (4, 2), name="convolution of planes")
case(convolve, lambda x, y: convolve(x, y, (1,), (3,)), (2, 1, 3), (2, 2), name="convolution of batches")
case(convolve, lambda x, y: convolve(x, y, (1, 0), (2, 2)), (2, 2), (2, 3, 2), name="convolution with a plane")
