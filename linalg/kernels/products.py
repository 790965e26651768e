"""Matrix products that a CUDA graph can hold, with bias, sum and bias gradient in the same launch: cuBLASLt by nvmath-python.

CuPy's own products refuse while a stream is captured (cupy #6290). These are planned once, for arrays at fixed places, with a
handle and a workspace of our own, and then only enqueue. Two products that may run at the same time need two workspaces.
"""
from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import cupy
import numpy as np

from linalg.arrays import Array
from linalg.kernels.problems import Matrix, Problem, Unsupported, problem

KINDS = {"float16": (2, 0, "COMPUTE_32F"), "bfloat16": (14, 0, "COMPUTE_32F"), "float32": (0, 0, "COMPUTE_32F"),
         "float64": (1, 1, "COMPUTE_64F"), "complex64": (4, 4, "COMPUTE_32F"), "complex128": (5, 5, "COMPUTE_64F")}
"""dtype -> cudaDataType of the entries, of alpha and beta, and the type in which products are summed."""
SCALES = {0: np.float32, 1: np.float64, 4: np.complex64, 5: np.complex128}
"""cudaDataType -> NumPy's."""
ALIGNMENT = 16
"""Bytes to which cuBLASLt wants vectors of an epilogue aligned."""
CANDIDATES = 8
"""Algorithms that cuBLASLt is asked for, of which ``tune`` finds the fastest."""
SLACK = 256
"""Bytes of the workspace that algorithms are not told of: with an epilogue some take a little more than they say."""
_TUNED: dict[Any, np.ndarray] = {}
"""Problem -> the algorithm that was the fastest when it was tuned."""


@cache
def unavailable_reason() -> str | None:
    """Why there are no products by cuBLASLt here, in one line; None where there are."""
    try:
        return None if _lt().get_version() else "cuBLASLt has no version"
    except ImportError as error:
        return f"nvmath-python cannot be imported ({error}): pip install 'gpuad[cuda13]' (or gpuad[cuda12])"
    except RuntimeError as error:  # of nvmath: no driver, or no libcublasLt
        return f"nvmath-python finds no cuBLASLt ({str(error).splitlines()[0]})"


def tf32_wanted() -> bool:
    """Whether float32 products may be made in TF32: where the environment variable CUPY_TF32 is 1, as for CuPy's own."""
    return int(os.environ.get("CUPY_TF32", "0")) > 0


class Product:
    """``out = alpha x @ y (+ beta add) (+ bias)``, planned for these arrays; a call enqueues it on CuPy's current stream.

    x, y, out and add are arrays of one dtype: float16, bfloat16 (both summed in float32), float32, float64, complex64 or
    complex128. Vectors and stacks follow NumPy's matmul. add has out's shape, and may be out itself. bias (n) is added to each
    row of out, whose rows have n entries; ``relu`` then takes max(., 0), which gives 0 where the entry is NaN on some devices.
    ``column_sums`` (n) gets the sums of y's columns, or ``row_sums`` (m) those of x's rows, for matrices x and y: a bias
    gradient beside the weights' gradient. ``workspace`` is an array of bytes, 32 MiB on Hopper.

    Results are bitwise the same at every run on one kind of device with one version of cuBLASLt, unless ``tune`` is called.

    Raises Unsupported where cuBLASLt cannot do this as it stands, with a reason: then call cupy.matmul, on a stream that is
    not captured, or copy what has no contiguous axis.
    """

    def __init__(self, x: Array, y: Array, out: Array, workspace: Array, *, alpha: complex = 1, beta: complex = 1,
                 add: Array | None = None, bias: Array | None = None, relu: bool = False, column_sums: Array | None = None,
                 row_sums: Array | None = None, tf32: bool | None = None):
        if (reason := unavailable_reason()) is not None:
            raise Unsupported(reason)
        if out.dtype.name not in KINDS:
            raise Unsupported(f"expected floating-point or complex matrices, got {out.dtype}")
        self.problem = problem(x, y, out, add)
        vector = _vector(self.problem, x, y, out, bias, column_sums, row_sums)
        self._keep = (x, y, out, add, vector, workspace)
        entries, scale, compute = KINDS[out.dtype.name]
        if out.dtype.char in "fF" and (tf32_wanted() if tf32 is None else tf32):
            compute = "COMPUTE_32F_FAST_TF32"
        self._scales = np.array([alpha, 0 if add is None else beta], SCALES[scale])
        self._own, device = _Descriptors(), cupy.cuda.runtime.getDevice()
        self._handle, epilogue, stated = handle(device), _epilogue(bias, relu, column_sums, row_sums), self.problem
        self._operation = self._own.operation(compute, scale, stated, epilogue, vector)
        self._layouts = [self._own.layout(entries, m, stated.count) for m in (stated.a, stated.b, stated.c, stated.d)]
        starts = [y.data.ptr, x.data.ptr, 0 if add is None else add.data.ptr, out.data.ptr]
        self._places = [[s + o[k] if s else 0 for s, k in zip(starts, (1, 0, 3, 2), strict=True)] for o in stated.offsets]
        alignments = [min(map(_aligned, starts)) for starts in zip(*self._places, strict=True)]
        self._key = (device, stated, compute, epilogue, add is None, *alignments, workspace.nbytes)
        self._algorithms = self._own.algorithms(self._handle, self._operation, self._layouts, alignments, workspace.nbytes)
        self._calls = self._with(_TUNED.get(self._key, self._algorithms[:1]))

    def __call__(self) -> None:
        matmul, stream = _lt().matmul, cupy.cuda.get_current_stream().ptr
        for arguments in self._calls:
            matmul(*arguments, stream)

    def _with(self, algorithm: np.ndarray) -> list[tuple[Any, ...]]:
        """The arguments of each cublasLtMatmul, but for the stream. An algorithm is the first field of what was found."""
        self._algorithm, alpha, workspace = algorithm, self._scales.ctypes.data, self._keep[-1]
        beta, (la, lb, lc, ld) = alpha + self._scales.itemsize, self._layouts
        return [(self._handle, self._operation, alpha, a, la, b, lb, beta, c, lc, d, ld, algorithm.ctypes.data,
                 workspace.data.ptr, workspace.nbytes) for a, b, c, d in self._places]

    def tune(self, repeat: int = 5) -> float:
        """Take the fastest of cuBLASLt's first algorithms for these arrays, by time on the device; gives its milliseconds.

        It runs the product, so that out is overwritten: out must not be add's memory. Waits for the device.
        """
        if self._keep[3] is not None and self._keep[3].data.ptr == self._keep[2].data.ptr:
            raise ValueError("tune expected a product whose add is not out: each trial would add to it again")
        times = []
        for k in range(len(self._algorithms)):
            self._calls = self._with(self._algorithms[k:k + 1])
            times.append(_milliseconds(self, repeat))
        best = int(np.argmin(times))
        _TUNED[self._key] = self._algorithms[best:best + 1]
        self._calls = self._with(_TUNED[self._key])
        return times[best]


@lru_cache
def handle(device: int) -> int:
    """cuBLASLt's handle for a device, of which this process has one: threads may share it."""
    with cupy.cuda.Device(device):
        return int(_lt().create())


@cache
def _lt() -> ModuleType:
    from nvmath.bindings import cublasLt

    return cublasLt


@cache
def _cublas() -> ModuleType:
    from nvmath.bindings import cublas

    return cublas


def _vector(stated: Problem, x: Array, y: Array, out: Array, bias: Array | None, column_sums: Array | None,
            row_sums: Array | None) -> Array | None:
    """The one vector that the epilogue reads or writes."""
    given = [v for v in (bias, column_sums, row_sums) if v is not None]
    if len(given) > 1:
        raise Unsupported("expected at most one of bias, column_sums and row_sums: cuBLASLt does one of them in a product")
    if not given:
        return None
    (v,) = given
    if v is not bias and (x.ndim != 2 or y.ndim != 2):
        raise Unsupported(f"expected matrices for column_sums and row_sums, got {x.ndim} and {y.ndim} axes")
    n = stated.d.columns if v is row_sums else stated.d.rows
    if v.dtype != out.dtype or v.shape != (n,) or (n > 1 and v.strides != (v.dtype.itemsize,)) or v.data.ptr % ALIGNMENT:
        raise Unsupported(f"expected a contiguous vector of {n} entries of {out.dtype} at a multiple of {ALIGNMENT} bytes, got "
                          f"{v.dtype}{list(v.shape)} with strides {v.strides}")
    if out.dtype.kind == "c":
        raise Unsupported("expected real matrices for a bias or its gradient, got complex ones")
    return v


def _epilogue(bias: Array | None, relu: bool, column_sums: Array | None, row_sums: Array | None) -> str:
    """cuBLASLt's name. Its A is y, whose columns are A's rows; its B is x."""
    if column_sums is not None or row_sums is not None:
        if relu:
            raise Unsupported("expected relu without column_sums or row_sums")
        return "BGRADA" if column_sums is not None else "BGRADB"
    return ("RELU_BIAS" if relu else "BIAS") if bias is not None else "RELU" if relu else "DEFAULT"


class _Descriptors:
    """cuBLASLt's descriptors of one product, destroyed with it."""

    def __init__(self) -> None:
        self._made: list[tuple[Callable[[int], None], int]] = []
        weakref.finalize(self, _destroy, self._made)

    def _own(self, destroy: Callable[[int], None], descriptor: int) -> int:
        self._made.append((destroy, descriptor))
        return descriptor

    def operation(self, compute: str, scale: int, stated: Problem, epilogue: str, vector: Array | None) -> int:
        lt, op = _lt(), _cublas().Operation
        made = self._own(lt.matmul_desc_destroy, lt.matmul_desc_create(getattr(_cublas().ComputeType, compute), scale))
        values = {"TRANSA": op.T if stated.a.transposed else op.N, "TRANSB": op.T if stated.b.transposed else op.N,
                  "EPILOGUE": getattr(lt.Epilogue, epilogue)}
        if vector is not None:
            values["BIAS_POINTER"] = vector.data.ptr
        _set(made, lt.MatmulDescAttribute, values, lt.get_matmul_desc_attribute_dtype, lt.matmul_desc_set_attribute)
        return made

    def layout(self, entries: int, m: Matrix, count: int) -> int:
        lt = _lt()
        made = self._own(lt.matrix_layout_destroy, lt.matrix_layout_create(entries, m.rows, m.columns, m.leading))
        _set(made, lt.MatrixLayoutAttribute, {"BATCH_COUNT": count, "STRIDED_BATCH_OFFSET": m.step},
             lt.get_matrix_layout_attribute_dtype, lt.matrix_layout_set_attribute)
        return made

    def preference(self, alignments: list[int], workspace: int) -> int:
        lt = _lt()
        made = self._own(lt.matmul_preference_destroy, lt.matmul_preference_create())
        values = {"MAX_WORKSPACE_BYTES": max(workspace - SLACK, 0), "REDUCTION_SCHEME_MASK": lt.ReductionScheme.COMPUTE_TYPE}
        values |= {f"MIN_ALIGNMENT_{m}_BYTES": n for m, n in zip("ABCD", alignments, strict=True)}
        _set(made, lt.MatmulPreferenceAttribute, values, lt.get_matmul_preference_attribute_dtype,
             lt.matmul_preference_set_attribute)
        return made

    def algorithms(self, of: int, operation: int, layouts: list[int], alignments: list[int], workspace: int) -> np.ndarray:
        """What cuBLASLt proposes, the best first: only sums that are split by way of the workspace, in the type of the sums."""
        lt, found, n = _lt(), np.zeros(CANDIDATES, _lt().matmul_heuristic_result_dtype), np.zeros(1, np.int32)
        try:
            lt.matmul_algo_get_heuristic(of, operation, *layouts, self.preference(alignments, workspace), CANDIDATES,
                                         found.ctypes.data, n.ctypes.data)
        except lt.cuBLASLtError as error:
            raise Unsupported(f"cuBLASLt has no algorithm for this product: {error}") from error
        found = found[:n[0]]
        found = found[(found["state"] == 0) & (found["workspace_size"] <= workspace)]
        if not len(found):
            raise Unsupported("cuBLASLt has no algorithm for this product")
        return found


def _destroy(made: list[tuple[Callable[[int], None], int]]) -> None:
    for destroy, descriptor in made:
        destroy(descriptor)


def _set(descriptor: int, names: Any, values: dict[str, int], dtype_of: Callable[[int], Any], put: Callable[..., None]) -> None:
    for name, value in values.items():
        buffer = np.array([value], dtype_of(names[name]))
        put(descriptor, names[name], buffer.ctypes.data, buffer.nbytes)


def _aligned(address: int) -> int:
    """Bytes to which an address is aligned, 256 at most; that of an absent matrix too."""
    return min(address & -address, 256) if address else 256


def _milliseconds(run: Callable[[], None], repeat: int) -> float:
    """The shortest of some runs, on the device; infinite where cuBLASLt refuses."""
    events = [cupy.cuda.Event() for _ in range(repeat + 1)]
    try:
        run()
    except _lt().cuBLASLtError:
        return float("inf")
    for event in events[:-1]:
        event.record()
        run()
    events[-1].record()
    events[-1].synchronize()
    return min(cupy.cuda.get_elapsed_time(a, b) for a, b in pairwise(events))


__all__ = ["Product", "Unsupported", "handle", "tf32_wanted", "unavailable_reason"]
