"""nvmath.bindings.cublasLt on the CPU: the functions that linalg/kernels/products.py calls, as strict as cuBLASLt about layouts.

It computes on memory by addresses, as cuBLASLt does. Enums are numbered as in nvmath-python 1.0, which a test compares.
``CALLS`` counts products. It cannot show which combinations a device takes, nor how fast.
"""
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from enum import IntEnum
from itertools import count
from types import ModuleType
from typing import Any

import numpy as np

ENQUEUE: list[Callable[[int, Callable[[], None]], None]] = [lambda _stream, work: work()]
"""What takes (stream, work): it runs work at once, or in the stand-in's way of streams once that is installed."""
CALLS: list[dict[str, Any]] = []
"""Each product that was enqueued: its epilogue, compute type and stream."""

MatmulDescAttribute = IntEnum("MatmulDescAttribute", {"COMPUTE_TYPE": 0, "SCALE_TYPE": 1, "TRANSA": 3, "TRANSB": 4, "EPILOGUE": 7,
                                                      "BIAS_POINTER": 8})
MatrixLayoutAttribute = IntEnum("MatrixLayoutAttribute", {"TYPE": 0, "ROWS": 2, "COLS": 3, "LD": 4, "BATCH_COUNT": 5,
                                                          "STRIDED_BATCH_OFFSET": 6})
MatmulPreferenceAttribute = IntEnum("MatmulPreferenceAttribute", {
    "MAX_WORKSPACE_BYTES": 1, "REDUCTION_SCHEME_MASK": 3, "MIN_ALIGNMENT_A_BYTES": 5, "MIN_ALIGNMENT_B_BYTES": 6,
    "MIN_ALIGNMENT_C_BYTES": 7, "MIN_ALIGNMENT_D_BYTES": 8})
Epilogue = IntEnum("Epilogue", {"DEFAULT": 1, "RELU": 2, "BIAS": 4, "RELU_BIAS": 6, "BGRADA": 256, "BGRADB": 512})
ReductionScheme = IntEnum("ReductionScheme", {"NONE": 0, "INPLACE": 1, "COMPUTE_TYPE": 2, "OUTPUT_TYPE": 4, "MASK": 7})
ComputeType = IntEnum("ComputeType", {"COMPUTE_32F": 68, "COMPUTE_64F": 70, "COMPUTE_32F_FAST_TF32": 77})
Operation = IntEnum("Operation", {"N": 0, "T": 1, "C": 2})

DTYPES: dict[int, Any] = {0: np.float32, 1: np.float64, 2: np.float16, 4: np.complex64, 5: np.complex128}
"""cudaDataType -> NumPy's; 14 is bfloat16, where ml_dtypes is."""
try:
    import ml_dtypes

    DTYPES[14] = ml_dtypes.bfloat16
except ImportError:
    pass
COMPUTED_IN = {(68, 0): {0, 2, 14}, (77, 0): {0}, (70, 1): {1}, (68, 4): {4}, (77, 4): {4}, (70, 5): {5}}
"""(compute type, scale type) -> types of the matrices."""
WORKSPACE = 1 << 20
"""Bytes that the stand-in's algorithms ask for."""
SLOW = 7
"""The number of the algorithm that it gives second."""

matmul_algo_dtype = np.dtype([("data_", "<u8", (8,))])
matmul_heuristic_result_dtype = np.dtype([("algo", matmul_algo_dtype), ("workspace_size", "<u8"), ("state", "<i4"),
                                          ("waves_count", "<f4"), ("reserved", "<i4", (4,))])
_known: dict[int, dict[str, Any]] = {}
_numbers = count(1)


class cuBLASLtError(Exception):
    """A status."""

    def __init__(self, status: int):
        self.status = status
        super().__init__({7: "invalid value", 15: "not supported"}[status])


def _check(condition: Any, status: int = 7) -> None:
    if not condition:
        raise cuBLASLtError(status)


def _create(kind: str, **fields: Any) -> int:
    number = next(_numbers)
    _known[number] = {"kind": kind, **fields}
    return number


def _get(number: int, kind: str) -> dict[str, Any]:
    _check(number in _known and _known[number]["kind"] == kind)
    return _known[number]


def _destroyer(kind: str) -> Any:
    def destroy(number: int) -> None:
        _get(number, kind)
        del _known[number]
    return destroy


def _setter(kind: str, attributes: Any, dtype_of: Any) -> Any:
    def put(number: int, attribute: int, buffer: int, size: int) -> None:
        dtype = np.dtype(dtype_of(attribute))
        _check(size == dtype.itemsize)
        _get(number, kind)[attributes(attribute).name] = np.frombuffer(ctypes.string_at(buffer, size), dtype)[0].item()
    return put


def get_matmul_desc_attribute_dtype(attribute: int) -> Any:
    return {7: np.uint32, 8: np.int64}.get(int(attribute), np.int32)


def get_matrix_layout_attribute_dtype(attribute: int) -> Any:
    return {0: np.uint32, 2: np.uint64, 3: np.uint64, 5: np.int32}.get(int(attribute), np.int64)


def get_matmul_preference_attribute_dtype(attribute: int) -> Any:
    return np.uint64 if attribute == 1 else np.uint32


matmul_desc_destroy, matrix_layout_destroy = _destroyer("operation"), _destroyer("layout")
matmul_preference_destroy = _destroyer("preference")
matmul_desc_set_attribute = _setter("operation", MatmulDescAttribute, get_matmul_desc_attribute_dtype)
matrix_layout_set_attribute = _setter("layout", MatrixLayoutAttribute, get_matrix_layout_attribute_dtype)
matmul_preference_set_attribute = _setter("preference", MatmulPreferenceAttribute, get_matmul_preference_attribute_dtype)


def get_version() -> int:
    return 130000


def create() -> int:
    return _create("handle")


def matmul_desc_create(compute_type: int, scale_type: int) -> int:
    return _create("operation", COMPUTE_TYPE=int(compute_type), SCALE_TYPE=scale_type, TRANSA=0, TRANSB=0, EPILOGUE=1,
                   BIAS_POINTER=0)


def matrix_layout_create(entries: int, rows: int, cols: int, ld: int) -> int:
    _check(rows > 0 and cols > 0)
    return _create("layout", TYPE=entries, ROWS=rows, COLS=cols, LD=ld, BATCH_COUNT=1, STRIDED_BATCH_OFFSET=0)


def matmul_preference_create() -> int:
    return _create("preference", MAX_WORKSPACE_BYTES=0, REDUCTION_SCHEME_MASK=7, MIN_ALIGNMENT_A_BYTES=256,
                   MIN_ALIGNMENT_B_BYTES=256, MIN_ALIGNMENT_C_BYTES=256, MIN_ALIGNMENT_D_BYTES=256)


def _consistent(operation: dict[str, Any], layouts: list[dict[str, Any]]) -> None:
    """What cuBLASLt requires of a problem, whatever the device."""
    a, b, c, d = layouts
    shapes = [(m["ROWS"], m["COLS"])[::-1 if t else 1] for m, t in zip((a, b), (operation["TRANSA"], operation["TRANSB"]),
                                                                      strict=True)]
    _check(shapes[0][1] == shapes[1][0] and (d["ROWS"], d["COLS"]) == (shapes[0][0], shapes[1][1]) == (c["ROWS"], c["COLS"]))
    _check(len({m["BATCH_COUNT"] for m in layouts}) == len({m["TYPE"] for m in layouts}) == 1)
    _check(all(m["LD"] >= m["ROWS"] and m["STRIDED_BATCH_OFFSET"] >= 0 for m in layouts))
    _check(d["TYPE"] in COMPUTED_IN.get((operation["COMPUTE_TYPE"], operation["SCALE_TYPE"]), ()), 15)
    epilogue = Epilogue(operation["EPILOGUE"])
    _check(epilogue == Epilogue.DEFAULT or d["TYPE"] not in (4, 5), 15)
    _check(epilogue in (Epilogue.DEFAULT, Epilogue.RELU) or operation["BIAS_POINTER"])
    _check(epilogue not in (Epilogue.BGRADA, Epilogue.BGRADB) or d["BATCH_COUNT"] == 1, 15)


def matmul_algo_get_heuristic(light_handle: int, operation_desc: int, adesc: int, bdesc: int, cdesc: int, ddesc: int,
                              preference: int, requested_algo_count: int, heuristic_results_array: int,
                              return_algo_count: int) -> None:
    _get(light_handle, "handle")
    wanted, layouts = _get(preference, "preference"), [_get(m, "layout") for m in (adesc, bdesc, cdesc, ddesc)]
    _consistent(_get(operation_desc, "operation"), layouts)
    _check(not wanted["REDUCTION_SCHEME_MASK"] & ReductionScheme.INPLACE)
    itemsize = np.dtype(DTYPES[layouts[0]["TYPE"]]).itemsize
    _check(all(wanted[f"MIN_ALIGNMENT_{m}_BYTES"] % itemsize == 0 for m in "ABCD"))
    found = np.zeros(min(requested_algo_count, 3), matmul_heuristic_result_dtype)
    found["workspace_size"] = [0, WORKSPACE, 0][:len(found)]
    found["state"] = [0, 0, 15][:len(found)]
    for k, one in enumerate(found):  # an algorithm knows what it was chosen for
        one["algo"]["data_"] = [SLOW * k + 1, *(wanted[f"MIN_ALIGNMENT_{m}_BYTES"] for m in "ABCD"), one["workspace_size"], 0, 0]
    fits = found[found["workspace_size"] <= wanted["MAX_WORKSPACE_BYTES"]]
    ctypes.memmove(heuristic_results_array, fits.tobytes(), fits.nbytes)
    ctypes.memmove(return_algo_count, np.int32(len(fits)).tobytes(), 4)


def _matrices(address: int, m: dict[str, Any], transposed: bool = False) -> np.ndarray:
    """A stack (count, rows, columns) in memory."""
    dtype = np.dtype(DTYPES[m["TYPE"]])
    count, rows, columns, ld, step = (m[k] for k in ("BATCH_COUNT", "ROWS", "COLS", "LD", "STRIDED_BATCH_OFFSET"))
    entries = (count - 1) * step + (columns - 1) * ld + rows
    memory = np.frombuffer((ctypes.c_char * (entries * dtype.itemsize)).from_address(address), dtype)
    strides = [s * dtype.itemsize for s in (step, 1, ld)]
    stack = np.lib.stride_tricks.as_strided(memory, (count, rows, columns), strides)
    return stack.swapaxes(1, 2) if transposed else stack


def _vector(address: int, n: int, dtype: np.dtype) -> np.ndarray:
    return np.frombuffer((ctypes.c_char * (n * dtype.itemsize)).from_address(address), dtype)


def matmul(light_handle: int, compute_desc: int, alpha: int, a: int, adesc: int, b: int, bdesc: int, beta: int, c: int,
           cdesc: int, d: int, ddesc: int, algo: int, workspace: int, workspace_size_in_bytes: int, stream: int) -> None:
    _get(light_handle, "handle")
    operation, layouts = _get(compute_desc, "operation"), [_get(m, "layout") for m in (adesc, bdesc, cdesc, ddesc)]
    _consistent(operation, layouts)
    number, *promises = np.frombuffer(ctypes.string_at(algo, 64), "<u8").tolist()
    _check(number in (1, SLOW + 1) and workspace_size_in_bytes >= promises[4] and workspace % 16 == 0)
    _check(all(address % promise == 0 for address, promise in zip((a, b, c, d), promises[:4], strict=True)))
    scale = np.dtype(DTYPES[operation["SCALE_TYPE"]])
    factor, kept = (np.frombuffer(ctypes.string_at(p, scale.itemsize), scale)[0] for p in (alpha, beta))
    _check(c or kept == 0)

    def work() -> None:
        left, right = (_matrices(p, m, bool(operation[t])).astype(scale) for p, m, t in
                       ((a, layouts[0], "TRANSA"), (b, layouts[1], "TRANSB")))
        total = factor * (left @ right)
        if kept:
            total += kept * _matrices(c, layouts[2])
        _finish(_matrices(d, layouts[3]), total, left, right, epilogue, operation["BIAS_POINTER"])

    epilogue = Epilogue(operation["EPILOGUE"])
    operation, layouts = dict(operation), [dict(m) for m in layouts]
    CALLS.append({"epilogue": epilogue.name, "compute": ComputeType(operation["COMPUTE_TYPE"]).name, "stream": stream,
                  "algorithm": number})
    ENQUEUE[0](stream, work)


def _finish(out: np.ndarray, total: np.ndarray, left: np.ndarray, right: np.ndarray, epilogue: Epilogue, vector: int) -> None:
    """The epilogue."""
    if epilogue & Epilogue.BIAS:
        total += _vector(vector, out.shape[1], out.dtype).astype(total.dtype)[:, None]
    if epilogue & Epilogue.RELU:
        total = np.fmax(total, 0)
    if epilogue == Epilogue.BGRADA:
        _vector(vector, out.shape[1], out.dtype)[:] = left[0].sum(1)
    if epilogue == Epilogue.BGRADB:
        _vector(vector, out.shape[2], out.dtype)[:] = right[0].sum(0)
    out[...] = total


def install() -> None:
    """Take nvmath's place for the modules that products use; work goes to the stand-in's streams, which may be captured."""
    from tests.standin import streams

    def enqueue(stream: int, work: Callable[[], None]) -> None:
        current = streams.get_current_stream()
        assert stream == current.ptr, "a product is enqueued on the current stream"
        streams.enqueue("cublasLtMatmul", work, current)

    ENQUEUE[0] = enqueue
    package, bindings = ModuleType("nvmath"), ModuleType("nvmath.bindings")
    cublas = ModuleType("nvmath.bindings.cublas")
    cublas.ComputeType, cublas.Operation = ComputeType, Operation  # type: ignore[attr-defined]
    package.bindings, bindings.cublas, bindings.cublasLt = bindings, cublas, sys.modules[__name__]  # type: ignore[attr-defined]
    package.__path__ = bindings.__path__ = []
    sys.modules.update({"nvmath": package, "nvmath.bindings": bindings, "nvmath.bindings.cublas": cublas,
                        "nvmath.bindings.cublasLt": sys.modules[__name__]})
