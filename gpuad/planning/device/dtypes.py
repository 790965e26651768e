"""NumPy's dtypes in CUDA C++: how entries are stored, in which type they are computed, constants and conversions.

float16 and bfloat16 are computed in float, and every value is rounded to the dtype at once, as NumPy's loops do:
a chain of rows in one kernel gives what the same rows give one by one.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

STORED = {"bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long", "uint8": "unsigned char",
          "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long", "float16": "Half",
          "bfloat16": "BFloat16", "float32": "float", "float64": "double", "complex64": "Complex<float>",
          "complex128": "Complex<double>"}
"""Name of a dtype -> C++ type of an entry in memory."""

SHORT = {"float16": "round_half", "bfloat16": "round_bfloat16"}
"""Dtypes that are computed in float, and the function that rounds to them."""

EXACT_IN_SHORT = {"float16": {"bool", "int8", "uint8", "float16"}, "bfloat16": {"bool", "int8", "uint8", "bfloat16"}}


def is_known(dtype: Any) -> bool:
    """Whether arrays of a dtype can be read and written by generated kernels."""
    return dtype is not None and np.dtype(dtype).name in STORED and np.dtype(dtype).isnative


def ctype(dtype: Any) -> str:
    """C++ type of an entry in memory."""
    return STORED[np.dtype(dtype).name]


def compute_type(dtype: Any) -> str:
    """C++ type in which an entry is computed."""
    name = np.dtype(dtype).name
    return "float" if name in SHORT else STORED[name]


def load(dtype: Any, place: str) -> str:
    """The entry that a pointer to the storage type points to, in its compute type."""
    return f"widened(*({place}))" if np.dtype(dtype).name in SHORT else f"*({place})"


def store(dtype: Any, place: str, value: str) -> str:
    """The statement (without semicolon) that writes a value of the compute type where a pointer points to."""
    name = np.dtype(dtype).name
    return f"*({place}) = {STORED[name]}({value})" if name in SHORT else f"*({place}) = {value}"


def literal(value: Any, dtype: Any) -> str:
    """A constant, converted to a dtype as NumPy converts it, exactly, in the compute type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        z = dtype.type(value)
        part = z.real.dtype
        return f"{STORED[dtype.name]}({literal(z.real, part)}, {literal(z.imag, part)})"
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind in "iu":
        return _integer(int(np.asarray(value).astype(dtype)), dtype)
    with np.errstate(over="ignore"):
        return _real(float(dtype.type(value)), compute_type(dtype))


def _integer(n: int, dtype: np.dtype) -> str:
    if dtype.itemsize < 4:
        return f"({STORED[dtype.name]}){n}" if n >= 0 else f"({STORED[dtype.name]})({n})"
    if dtype.kind == "u":
        return f"{n}u" if dtype.itemsize == 4 else f"{n}ull"
    suffix = "" if dtype.itemsize == 4 else "ll"
    if n == np.iinfo(dtype).min:
        return f"({n + 1}{suffix} - 1)"
    return f"{n}{suffix}" if n >= 0 else f"({n}{suffix})"


def _real(x: float, kind: str) -> str:
    if math.isnan(x):
        return f"not_a_number<{kind}>()"
    if math.isinf(x):
        return f"infinity<{kind}>()" if x > 0 else f"(-infinity<{kind}>())"
    text = x.hex() + ("f" if kind == "float" else "")
    return text if not text.startswith("-") else f"({text})"


def converted(text: str, source: Any, target: Any) -> str:
    """An expression of one dtype's compute type as an expression of another's, converted as ``astype`` does."""
    source, target = np.dtype(source), np.dtype(target)
    if source == target:
        return text
    if target.kind == "c":
        part = np.finfo(target).dtype
        imaginary = "" if source.kind == "c" else f", {literal(0, part)}"
        return f"{STORED[target.name]}({text if source.kind == 'c' else converted(text, source, part)}{imaginary})"
    if source.kind == "c" and target.kind != "b":
        return converted(f"({text}).re", np.finfo(source).dtype, target)
    if target.kind == "b":
        return f"truth({text})"
    if target.name in SHORT:
        whole = f"(double)({text})" if source.kind in "iu" else text
        return f"(float)({text})" if source.name in EXACT_IN_SHORT[target.name] else f"{SHORT[target.name]}({whole})"
    return text if compute_type(source) == compute_type(target) else f"({compute_type(target)})({text})"


def rounded(text: str, dtype: Any) -> str:
    """A value that was computed in the compute type, as a value of the dtype."""
    return f"{SHORT[np.dtype(dtype).name]}({text})" if np.dtype(dtype).name in SHORT else text
