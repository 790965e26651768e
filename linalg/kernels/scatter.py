"""Adding at places in a fixed order: the same bits at every run, which atomic additions do not give."""
from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from linalg.kernels.modules import load

THREADS = 256

SOURCE = """
extern "C" __global__ void add_in_order({real}* out, const {real}* x, const long long* order, const long long* bounds,
                                        const long long n, const int parts)
{{
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n * parts; i += step) {{
        const long long entry = i / parts, part = i - entry * parts;
        {real} sum = out[i];
        for (long long k = bounds[entry]; k < bounds[entry + 1]; ++k) sum += x[order[k] * parts + part];
        out[i] = sum;
    }}
}}
"""

REALS = {"f": "float", "d": "double", "F": "float", "D": "double"}


class OrderedScatter:
    """``out[index] += x`` for arrays of one shape, one entry of out after the other, each in the order in which x names it.

    The order is found once, by sorting the places; ``index`` must not change afterwards.
    """

    def __init__(self, shape: tuple[int, ...], index: tuple[Any, ...]):
        size = int(np.prod(shape, dtype=np.int64))
        places = cupy.arange(size).reshape(shape)[index]
        self.shape, self.selected = shape, places.shape
        places = places.ravel()
        # a key for each entry, by place and then by number: sorting keys that differ is stable, whatever the algorithm
        keys = cupy.sort(places * max(places.size, 1) + cupy.arange(places.size))
        self.order = keys % max(places.size, 1)
        self.bounds = cupy.searchsorted(keys // max(places.size, 1), cupy.arange(size + 1))

    def add(self, out: cupy.ndarray, x: cupy.ndarray) -> None:
        """Add x, which is broadcast to what the index selects, to the C-contiguous array out of float32, float64 or complex."""
        if out.dtype.char not in REALS or not out.flags.c_contiguous:
            raise TypeError(f"adding in order expected a C-contiguous array of float32, float64, complex64 or complex128, got "
                            f"{out.dtype} with strides {out.strides}; cast or copy it first")
        x = cupy.ascontiguousarray(cupy.broadcast_to(x, self.selected), dtype=out.dtype)
        parts = 2 if out.dtype.kind == "c" else 1
        kernel = load(SOURCE.format(real=REALS[out.dtype.char]), "add_in_order")
        blocks = max(1, min(-(-out.size * parts // THREADS), 65535))
        kernel((blocks, 1, 1), (THREADS, 1, 1), (out.data.ptr, x.data.ptr, self.order.data.ptr, self.bounds.data.ptr,
                                                np.int64(out.size), np.int32(parts)))
